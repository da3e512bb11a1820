/*
 * test_store.c: store.h: rows and events that last, damage, a full disk, two daemons.
 */
#include "../unit.h"
#include "sample.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"

struct place {
	char dir[64];
};

static int
make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *base = getenv("TMPDIR");

	snprintf(place->dir, sizeof(place->dir), "%.40s/store-XXXXXX", base ? base : "/tmp");
	*state = place;
	return mkdtemp(place->dir) ? 0 : -1;
}

static int
drop_place(void **state)
{
	struct place *place = *state;
	char command[128];
	pid_t child;

	snprintf(command, sizeof(command), "%s", place->dir);
	child = fork();
	if (child == 0) {
		execlp("rm", "rm", "-rf", command, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(place);
	return 0;
}

static struct store *
opened(const struct place *place, struct store_opened *how)
{
	struct store *store = NULL;
	struct fault why = { "" };

	if (store_open(place->dir, &store, how, &why) != ERR_OK)
		fail_msg("store_open: %s", why.text);
	return store;
}

struct seen {
	size_t count;
	char last[200];
};

static void
on_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value)
{
	struct seen *seen = owner;

	seen->count++;
	snprintf(seen->last, sizeof(seen->last), "%s %.*s %.*s", row_kind_name(kind),
		BYTES_ARG(key), BYTES_ARG(value));
}

static void
on_event(void *owner, const struct told *told)
{
	struct seen *seen = owner;

	seen->count++;
	snprintf(seen->last, sizeof(seen->last), "%d %s", told->id.bytes[15], told->line);
}

static void
put_row(struct store *store, const char *key, const char *value)
{
	struct fault why;

	assert_ok(store_begin(store, &why));
	assert_ok(store_put_row(store, ROW_ENDPOINT, bytes_of(key), value, &why));
	assert_ok(store_commit(store, &why));
}

static void
test_store_keeps_rows_and_events_over_a_restart(void **state)
{
	struct store_opened how;
	struct store *store = opened(*state, &how);
	struct fingerprint_key key = how.fingerprint_key;
	struct told told = sample(1);
	struct seen seen = { 0 };
	struct ulid id;
	struct fault why;

	assert_true(how.is_new);
	put_row(store, "ann/imap", "{\"a\":1}");
	put_row(store, "ann/imap", "{\"a\":2}");
	put_row(store, "bob/imap", "{}");
	put_row(store, "bob/imap", NULL);
	assert_ok(store_begin(store, &why));
	assert_ok(store_put_event(store, &told, &why));
	assert_ok(store_put_event(store, &told, &why)); /* again, same id: once */
	assert_ok(store_put_cursor(store, "journal", told.id, &why));
	assert_ok(store_commit(store, &why));
	store_close(store);

	store = opened(*state, &how);
	assert_false(how.is_new);
	assert_memory_equal(&key, &how.fingerprint_key, sizeof(key));
	assert_ok(store_rows(store, on_row, &seen, &why));
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.last, "endpoint ann/imap {\"a\":2}");
	seen = (struct seen){ 0 };
	assert_ok(store_events(store, (struct ulid){ { 0 } }, 10, on_event, &seen, &why));
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.last, "1 msg=\"ann: ok\"");
	assert_ok(store_cursor(store, "journal", &id, &why));
	assert_int_equal(id.bytes[15], 1);
	assert_ok(store_cursor(store, "syslog", &id, &why));
	assert_false(ulid_is_set(id));
	store_close(store);
}

/* A kill -9 right behind the first event of all: its sink has a cursor already, and is told it
 * again. */
static void
test_store_begins_sinks_before_they_are_told(void **state)
{
	static const char *const first[] = { "stderr" }, *const then[] = { "journal", "syslog" };
	struct store_opened how;
	struct store *store = opened(*state, &how);
	struct ulid id;
	struct fault why;

	assert_ok(store_sinks(store, first, 1, &why));
	assert_ok(store_cursor(store, "stderr", &id, &why));
	assert_true(ulid_is_set(id) && ulid_compare(id, sample(2).id) < 0);
	assert_ok(store_begin(store, &why));
	for (unsigned char number = 2; number < 5; number++) {
		struct told told = sample(number);

		assert_ok(store_put_event(store, &told, &why));
	}
	assert_ok(store_put_cursor(store, "stderr", sample(3).id, &why));
	assert_ok(store_commit(store, &why));
	assert_ok(store_sinks(store, first, 1, &why));
	assert_ok(store_cursor(store, "stderr", &id, &why));
	assert_int_equal(ulid_compare(id, sample(3).id), 0);

	/* What stderr was not told goes to the sinks that come in its place. */
	assert_ok(store_sinks(store, then, 2, &why));
	for (size_t i = 0; i < 2; i++) {
		assert_ok(store_cursor(store, then[i], &id, &why));
		assert_int_equal(ulid_compare(id, sample(3).id), 0);
	}
	assert_ok(store_cursor(store, "stderr", &id, &why));
	assert_false(ulid_is_set(id));
	store_close(store);
}

static void
test_store_makes_neither_row_nor_event_without_a_commit(void **state)
{
	struct store_opened how;
	struct store *store = opened(*state, &how);
	struct told told = sample(1);
	struct seen seen = { 0 };
	struct fault why;

	assert_ok(store_begin(store, &why));
	assert_ok(store_put_row(store, ROW_MAILBOX, BYTES("ann"), "{}", &why));
	assert_ok(store_put_event(store, &told, &why));
	store_close(store); /* as kill -9 would */
	store = opened(*state, &how);
	assert_ok(store_rows(store, on_row, &seen, &why));
	assert_ok(store_events(store, (struct ulid){ { 0 } }, 10, on_event, &seen, &why));
	assert_int_equal(seen.count, 0);
	store_close(store);
}

static void
write_file(const struct place *place, const char *name, const void *bytes, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", place->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void
test_store_sets_a_damaged_file_aside_H6_05(void **state)
{
	static const char garbage[100] =
		"this is no database, however long anybody looks at it; not at all";
	static const struct {
		const char *name;
		size_t len;
	} rows[] = { { "empty though it existed", 0 },
		{ "100 bytes of garbage", sizeof(garbage) } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct place *place = *state;
		struct store_opened how;
		struct store *store;
		struct stat status;
		char path[400];

		unit_row(rows[i].name);
		write_file(place, "state.db", garbage, rows[i].len);
		store = opened(place, &how);
		assert_true(how.is_new);
		assert_true(how.set_aside[0] != '\0');
		snprintf(path, sizeof(path), "%s/%s", place->dir, how.set_aside);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_size, (off_t)rows[i].len);
		put_row(store, "ann/imap", "{}");
		store_close(store);
		snprintf(path, sizeof(path), "%s/state.db", place->dir);
		unlink(path);
	}
}

static void
test_store_sees_a_zeroed_page_H6_05(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	char zeros[4096] = { 0 };
	char path[128];
	int fd;

	for (int i = 0; i < 200; i++) {
		char key[32];

		snprintf(key, sizeof(key), "box%d/imap", i);
		put_row(store, key, "{\"filler\":\"0123456789012345678901234567890123456789\"}");
	}
	store_close(store);
	snprintf(path, sizeof(path), "%s/state.db", place->dir);
	fd = open(path, O_WRONLY);
	assert_true(pwrite(fd, zeros, sizeof(zeros), 4096) == sizeof(zeros));
	close(fd);
	store = opened(place, &how);
	assert_true(how.set_aside[0] != '\0');
	store_close(store);
}

static void
test_store_refuses_a_link_and_a_later_version_H6_14_H6_16(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	struct fault why = { "" };
	char from[128];
	char to[128];

	store_close(store);
	snprintf(from, sizeof(from), "%s/state.db", place->dir);
	snprintf(to, sizeof(to), "%s/elsewhere.db", place->dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(symlink(to, from), 0);
	store = NULL;
	assert_err_equal(store_open(place->dir, &store, &how, &why), ERR_INVALID);
	assert_null(store);
	assert_non_null(strstr(why.text, "symbolic link"));
	/* user_version stands at byte 60 of the header, big endian. */
	unlink(from);
	assert_int_equal(rename(to, from), 0);
	{
		int fd = open(from, O_WRONLY);

		assert_int_equal(pwrite(fd, "\0\0\0\x63", 4, 60), 4);
		close(fd);
	}
	assert_err_equal(store_open(place->dir, &store, &how, &why), ERR_TOO_NEW);
	assert_null(store);
	assert_non_null(strstr(why.text, "99"));
}

static void
test_store_is_held_by_one_process_H5_20(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct store *second = NULL;
		struct fault why;

		_exit(store_open(place->dir, &second, &how, &why) == ERR_BUSY && !second ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store_close(store);
}

static void
test_store_goes_on_without_a_directory_H6_04(void **state)
{
	struct store_opened how;
	struct store *store = NULL;
	struct fault why = { "" };

	(void)state;
	assert_err_equal(
		store_open("/proc/no-such-place/state", &store, &how, &why), ERR_NOT_FOUND);
	assert_non_null(store);
	assert_err_equal(store_begin(store, &why), ERR_NOT_FOUND);
	assert_true(why.text[0] != '\0');
	store_close(store);
}

static void
count_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value)
{
	(void)kind, (void)key, (void)value;
	++*(size_t *)owner;
}

/* It could not be opened at the start; by the next look it can, and is another run's that we never
 * read: its rows are not ours, its refusals of accounts stay. */
static void
test_store_is_opened_late_H6_16(void **state)
{
	const struct place *place = *state;
	struct store_opened how;
	struct store *store = NULL;
	enum store_look look;
	struct fault why = { "" };
	char above[300], away[300], dir[310];
	size_t rows = 0;

	snprintf(above, sizeof(above), "%s/above", place->dir);
	snprintf(away, sizeof(away), "%s/away", place->dir);
	snprintf(dir, sizeof(dir), "%s/state", above);
	assert_int_equal(mkdir(above, 0700), 0);
	assert_ok(store_open(dir, &store, &how, &why));
	assert_ok(store_begin(store, &why));
	assert_ok(store_put_row(store, ROW_MAILBOX, BYTES("ann"), "{}", &why));
	assert_ok(store_put_row(store, ROW_ACCOUNT, BYTES("0123"), "{}", &why));
	assert_ok(store_commit(store, &why));
	store_close(store);
	assert_int_equal(rename(above, away), 0); /* the disk is not there yet */
	assert_err_equal(store_open(dir, &store, &how, &why), ERR_NOT_FOUND);
	assert_err_equal(store_begin(store, &why), ERR_NOT_FOUND);
	assert_ok(store_look_after(store, &look, &why));
	assert_int_equal(look, STORE_STANDS);
	assert_int_equal(rename(away, above), 0);
	assert_ok(store_look_after(store, &look, &why));
	assert_int_equal(look, STORE_WAS_SHUT);
	assert_ok(store_rows(store, count_row, &rows, &why));
	assert_int_equal(rows, 1);
	assert_ok(store_begin(store, &why));
	assert_ok(store_put_row(store, ROW_MAILBOX, BYTES("bob"), "{}", &why));
	assert_ok(store_commit(store, &why));
	assert_ok(store_look_after(store, &look, &why));
	assert_int_equal(look, STORE_STANDS);
	store_close(store);
}

static void
test_store_cleans_what_every_sink_has_taken(void **state)
{
	struct store_opened how;
	struct store *store = opened(*state, &how);
	struct seen seen = { 0 };
	struct told told = sample(0);
	struct fault why;

	assert_ok(store_begin(store, &why));
	for (int i = 1; i <= STORE_EVENTS_KEPT + 200; i++) {
		told.id.bytes[14] = (uint8_t)(i >> 8);
		told.id.bytes[15] = (uint8_t)i;
		assert_ok(store_put_event(store, &told, &why));
	}
	told.id.bytes[14] = 0;
	told.id.bytes[15] = 100; /* the journal has the first 100 */
	assert_ok(store_put_cursor(store, "journal", told.id, &why));
	assert_ok(store_clean(store, &why));
	assert_ok(store_commit(store, &why));
	assert_ok(store_events(store, (struct ulid){ { 0 } }, 1000000, on_event, &seen, &why));
	assert_int_equal(seen.count, STORE_EVENTS_KEPT + 100);
	store_close(store);
}

/* A child writes rows and reports each commit by a byte; it is killed in the middle, a little later
 * each time. What was reported is there, and the file is sound. */
static void
test_store_outlives_kill_9_H6_10(void **state)
{
	struct place *place = *state;
	size_t promised = 0;

	for (int round = 0; round < 10; round++) {
		int ends[2];
		char byte;
		struct store_opened how;
		struct store *store;
		struct seen seen = { 0 };
		struct fault why;
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			struct store *own = opened(place, &how);

			for (int i = 0;; i++) {
				char key[40];

				snprintf(key, sizeof(key), "%d-%d", round, i);
				if (store_begin(own, &why) != ERR_OK ||
					store_put_row(own, ROW_ENDPOINT, bytes_of(key), "{}",
						&why) != ERR_OK ||
					store_commit(own, &why) != ERR_OK ||
					write(ends[1], "x", 1) != 1)
					_exit(1);
			}
		}
		close(ends[1]);
		for (int i = 0; i < 5 + round * 3; i++) {
			assert_int_equal(read(ends[0], &byte, 1), 1);
			promised++;
		}
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (read(ends[0], &byte, 1) == 1)
			promised++;
		close(ends[0]);
		store = opened(place, &how);
		assert_string_equal(how.set_aside, "");
		assert_ok(store_rows(store, on_row, &seen, &why));
		store_close(store);
		assert_true(seen.count >= promised);
		promised = seen.count; /* one more may have been committed and not yet reported */
	}
}

/* ---- mailboxes set over the socket */

struct kept {
	struct sealed_mailbox *items[8];
	size_t count;
};

static void
on_mailbox(void *owner, struct sealed_mailbox *mailbox)
{
	struct kept *kept = owner;

	assert_true(kept->count < COUNT_OF(kept->items));
	kept->items[kept->count++] = mailbox;
}

static void
drop_kept(struct kept *kept)
{
	for (size_t i = 0; i < kept->count; i++)
		sealed_mailbox_free(kept->items[i]);
	kept->count = 0;
}

static enum err
put_mailbox(struct store *store, const char *name, const char *settings, struct fault *why)
{
	struct sealed_mailbox *mailbox = sealed_mailbox_new(bytes_of(name), bytes_of(settings));
	struct store_change change = { name, mailbox };
	enum err err;

	buf_put(&mailbox->sealed[SIDE_IMAP], BYTES("\0\1seal"));
	err = store_change_mailboxes(store, &change, 1, why);
	sealed_mailbox_free(mailbox);
	return err;
}

static void
test_store_keeps_mailboxes_beside_a_damaged_state_H6_06(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	struct fault why = { "" };
	struct kept kept = { .count = 0 };
	char path[128];
	int fd;

	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 0);
	assert_ok(put_mailbox(store, "sales", "{}", &why));
	assert_ok(put_mailbox(store, "support", "{\"a\":1}", &why));
	assert_ok(put_mailbox(store, "support", "{\"a\":2}", &why));
	assert_ok(store_change_mailboxes(store, &(struct store_change){ "sales", NULL }, 1, &why));
	store_close(store);
	snprintf(path, sizeof(path), "%s/state.db", place->dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	close(fd);
	store = opened(place, &how);
	assert_true(how.is_new);
	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 1);
	assert_string_equal(kept.items[0]->name, "support");
	assert_string_equal(kept.items[0]->settings, "{\"a\":2}");
	assert_int_equal(kept.items[0]->sealed[SIDE_SMTP].len, 0);
	assert_bytes_equal(buf_bytes(&kept.items[0]->sealed[SIDE_IMAP]), BYTES("\0\1seal"));
	drop_kept(&kept);
	store_close(store);
}

/* It stays as it is, byte for byte, whatever is asked. */
static void
test_store_leaves_damaged_mailboxes_alone_H6_06(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	struct kept kept = { .count = 0 };
	struct fault why = { "" };
	struct stat about;
	char path[128];
	int fd;

	assert_ok(put_mailbox(store, "support", "{}", &why));
	store_close(store);
	snprintf(path, sizeof(path), "%s/mailboxes.db", place->dir);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "garbage!", 8, 0), 8);
	close(fd);
	store = opened(place, &how);
	assert_err_equal(store_mailboxes(store, on_mailbox, &kept, &why), ERR_DAMAGED);
	assert_non_null(strstr(why.text, "mailboxes.db"));
	why.text[0] = '\0';
	assert_err_equal(put_mailbox(store, "sales", "{}", &why), ERR_DAMAGED);
	assert_non_null(strstr(why.text, "mailboxes.db"));
	assert_int_equal(kept.count, 0);
	store_close(store);
	assert_int_equal(stat(path, &about), 0);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "SQLite f", 8, 0), 8);
	close(fd);
	store = opened(place, &how);
	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 1);
	drop_kept(&kept);
	store_close(store);
}

/* H5-14: what a crash in the midst of its making left is no mailboxes.db, and none comes of it. */
static void
test_store_makes_mailboxes_whole_or_not_H5_14(void **state)
{
	static const char *const left[] = { "mailboxes.db.new", "mailboxes.db.new-wal" };
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	struct kept kept = { .count = 0 };
	struct fault why = { "" };

	for (size_t i = 0; i < COUNT_OF(left); i++) {
		char path[128];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", place->dir, left[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(write(fd, "half", 4), 4);
		close(fd);
	}
	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 0);
	assert_ok(put_mailbox(store, "support", "{}", &why));
	store_close(store);
	store = opened(place, &how);
	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 1);
	drop_kept(&kept);
	store_close(store);
}

/* All of them or none. */
static void
test_store_changes_mailboxes_in_one_transaction(void **state)
{
	struct place *place = *state;
	struct store_opened how;
	struct store *store = opened(place, &how);
	struct sealed_mailbox *a = sealed_mailbox_new(BYTES("a"), BYTES("{}"));
	struct sealed_mailbox *b = sealed_mailbox_new(BYTES("b"), BYTES("{}"));
	struct store_change changes[] = { { "a", a }, { "b", b }, { "a", NULL } };
	struct kept kept = { .count = 0 };
	struct fault why = { "" };

	assert_ok(store_change_mailboxes(store, changes, COUNT_OF(changes), &why));
	assert_ok(store_mailboxes(store, on_mailbox, &kept, &why));
	assert_int_equal(kept.count, 1);
	assert_string_equal(kept.items[0]->name, "b");
	drop_kept(&kept);
	sealed_mailbox_free(a);
	sealed_mailbox_free(b);
	store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_store_keeps_rows_and_events_over_a_restart, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_makes_neither_row_nor_event_without_a_commit, make_place,
			drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_begins_sinks_before_they_are_told, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_sets_a_damaged_file_aside_H6_05, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_sees_a_zeroed_page_H6_05, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_refuses_a_link_and_a_later_version_H6_14_H6_16, make_place,
			drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_is_held_by_one_process_H5_20, make_place, drop_place),
		cmocka_unit_test(test_store_goes_on_without_a_directory_H6_04),
		cmocka_unit_test_setup_teardown(
			test_store_is_opened_late_H6_16, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_cleans_what_every_sink_has_taken, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_outlives_kill_9_H6_10, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_keeps_mailboxes_beside_a_damaged_state_H6_06, make_place,
			drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_leaves_damaged_mailboxes_alone_H6_06, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_makes_mailboxes_whole_or_not_H5_14, make_place, drop_place),
		cmocka_unit_test_setup_teardown(
			test_store_changes_mailboxes_in_one_transaction, make_place, drop_place),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
