/*
 * test_outbox.c: outbox.h over a real store in a directory of its own and sinks that are doubles:
 * told only after durable, told all the same where that cannot be, and after a restart the rest.
 */
#include "../unit.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/outbox.h"

#define MOST_NOTED 8000
#define PATIENCE_US (20 * US_PER_S)

/* ---- a place, ids by number, a store to begin with */

struct place {
	char dir[64];
	char db[80];
};

static int
make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *base = getenv("TMPDIR");

	snprintf(place->dir, sizeof(place->dir), "%.40s/outbox-XXXXXX", base ? base : "/tmp");
	*state = place;
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->db, sizeof(place->db), "%s/state.db", place->dir);
	return 0;
}

static int
drop_place(void **state)
{
	struct place *place = *state;
	pid_t child = fork();

	if (child == 0) {
		execlp("rm", "rm", "-rf", place->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(place);
	return 0;
}

static struct ulid
id_of(unsigned number)
{
	struct ulid id = { { 0 } };

	id.bytes[5] = 1; /* a time, as all have */
	for (size_t i = 0; i < 4; i++)
		id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
	return id;
}

static unsigned
number_of(struct ulid id)
{
	return (unsigned)id.bytes[12] << 24 | (unsigned)id.bytes[13] << 16 |
	       (unsigned)id.bytes[14] << 8 | id.bytes[15];
}

static struct told *
told_new(unsigned number)
{
	struct told *told = calloc(1, sizeof(*told));

	told->id = id_of(number);
	told->level = LEVEL_ERROR;
	told->time.us = 1;
	told->line = bytes_copy(BYTES("msg=\"ann: ok\""));
	told->json = bytes_copy(BYTES("{}"));
	told->journal = bytes_copy(BYTES("MESSAGE=x\n"));
	told->journal_len = 10;
	return told;
}

static struct store *
open_store(const struct place *place)
{
	struct store *store = NULL;
	struct store_opened how;
	struct fault why = { "" };

	if (store_open(place->dir, &store, &how, &why) != ERR_OK)
		fail_msg("store_open: %s", why.text);
	return store;
}

/* A store with the events first to last, as one that was killed has left it. */
static void
put_events(struct store *store, unsigned first, unsigned last)
{
	struct fault why;

	assert_ok(store_begin(store, &why));
	for (unsigned number = first; number <= last; number++) {
		struct told *told = told_new(number);

		assert_ok(store_put_event(store, told, &why));
		told_free(told);
	}
	assert_ok(store_commit(store, &why));
}

static void
put_cursor(struct store *store, const char *sink, unsigned number)
{
	struct fault why;

	assert_ok(store_begin(store, &why));
	assert_ok(store_put_cursor(store, sink, id_of(number), &why));
	assert_ok(store_commit(store, &why));
}

static unsigned
stored_cursor(const struct place *place, const char *sink)
{
	struct store *store = open_store(place);
	struct ulid id;
	struct fault why;

	assert_ok(store_cursor(store, sink, &id, &why));
	store_close(store);
	return number_of(id);
}

static sqlite3 *
other_connection(const struct place *place)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(place->db, &db), SQLITE_OK);
	return db;
}

static void
execute(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int
count_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int count = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_ROW)
		count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return count;
}

/* ---- a sink that notes what it takes */

struct noted {
	unsigned numbers[MOST_NOTED];
	size_t count;
};

struct fake {
	struct sink sink;
	const char *db; /* looks there for each event, whether it is stored */
	int pipe_fd;	/* each number goes there too; -1: none */
	atomic_bool is_stalled;
	atomic_int not_stored; /* told, and not in db */
	pthread_mutex_t mutex;
	struct noted taken;
};

static bool
is_stored(const char *path, struct ulid id)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	bool is_there = false;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, "SELECT 1 FROM event WHERE id = ?1", -1, &statement, NULL) ==
			SQLITE_OK) {
		sqlite3_bind_blob(statement, 1, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
		is_there = sqlite3_step(statement) == SQLITE_ROW;
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return is_there;
}

static enum err
fake_tell(struct sink *sink, const struct told *told, struct fault *why)
{
	struct fake *fake = CONTAINER_OF(sink, struct fake, sink);
	unsigned number = number_of(told->id);

	if (atomic_load(&fake->is_stalled)) {
		fault_set(why, "%s: stalled", sink->name);
		return ERR_AGAIN;
	}
	if (fake->db && !is_stored(fake->db, told->id))
		atomic_fetch_add(&fake->not_stored, 1);
	if (fake->pipe_fd >= 0 && write(fake->pipe_fd, &number, sizeof(number)) < 0)
		return ERR_IO;
	pthread_mutex_lock(&fake->mutex);
	if (fake->taken.count < MOST_NOTED)
		fake->taken.numbers[fake->taken.count++] = number;
	pthread_mutex_unlock(&fake->mutex);
	return ERR_OK;
}

static void
fake_free(struct sink *sink)
{
	(void)sink; /* lives in the test's frame */
}

static const struct sink_calls fake_calls = { fake_tell, fake_free };

static size_t
taken_count(struct fake *fake)
{
	size_t count;

	pthread_mutex_lock(&fake->mutex);
	count = fake->taken.count;
	pthread_mutex_unlock(&fake->mutex);
	return count;
}

static void
assert_taken(struct fake *fake, unsigned first, size_t count)
{
	assert_int_equal(taken_count(fake), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fake->taken.numbers[i], first + i);
}

/* ---- the main loop around an outbox */

struct world {
	struct event_base *base;
	struct outbox *outbox;
	struct fake fakes[2];
	struct noted shown;
	struct noted leaves;
	unsigned troubles[TROUBLE_COUNT];
	unsigned ends[TROUBLE_COUNT];
	bool is_open[TROUBLE_COUNT];
	char detail[400]; /* of the last */
	unsigned changes;
	enum err change_err; /* of the last */
};

static void
on_shown(void *owner, struct told *told)
{
	struct world *world = owner;

	if (world->shown.count < MOST_NOTED)
		world->shown.numbers[world->shown.count++] = number_of(told->id);
	told_free(told);
}

static void
on_leave(void *owner, uint64_t token, bool is_allowed)
{
	struct world *world = owner;

	assert_true(is_allowed);
	world->leaves.numbers[world->leaves.count++] = (unsigned)token;
}

/* As watch does: one that is open is not opened again. */
static void
on_trouble(void *owner, enum trouble kind, bool is_over, const char *detail)
{
	struct world *world = owner;

	if (world->is_open[kind] != is_over)
		return;
	world->is_open[kind] = !is_over;
	if (is_over)
		world->ends[kind]++;
	else
		world->troubles[kind]++;
	if (!is_over)
		snprintf(world->detail, sizeof(world->detail), "%s", detail);
}

static void
on_anew(void *owner)
{
	(void)owner;
}

static void
on_changed(void *owner, struct writer_change *change, enum err err, const struct fault *why)
{
	struct world *world = owner;

	world->change_err = err;
	world->changes++;
}

static const struct outbox_calls world_calls = { on_shown, on_leave, on_anew, on_trouble,
	on_changed };

static struct world *
world_new(void)
{
	static const char *const names[] = { "journal", "syslog" };
	struct world *world = calloc(1, sizeof(*world));

	world->base = event_base_new();
	for (size_t i = 0; i < COUNT_OF(world->fakes); i++) {
		world->fakes[i].sink = (struct sink){ &fake_calls, names[i], -1 };
		world->fakes[i].pipe_fd = -1;
		pthread_mutex_init(&world->fakes[i].mutex, NULL);
	}
	return world;
}

static void
world_start_over(struct world *world, struct store *store, size_t sink_count)
{
	struct sink *sinks[] = { &world->fakes[0].sink, &world->fakes[1].sink };
	struct fault why = { "" };

	if (outbox_start(world->base, store, sinks, sink_count, &world_calls, world, &world->outbox,
		    &why) != ERR_OK)
		fail_msg("outbox_start: %s", why.text);
}

static struct world *
world_start(const struct place *place, size_t sink_count)
{
	struct world *world = world_new();

	world_start_over(world, open_store(place), sink_count);
	return world;
}

static void
world_free(struct world *world)
{
	event_base_free(world->base);
	for (size_t i = 0; i < COUNT_OF(world->fakes); i++)
		pthread_mutex_destroy(&world->fakes[i].mutex);
	free(world);
}

static void
world_end(struct world *world)
{
	assert_true(outbox_end(world->outbox, mono_add(mono_now(), 2 * US_PER_S)));
	world_free(world);
}

static void
turn_loop(struct world *world)
{
	event_base_loop(world->base, EVLOOP_NONBLOCK);
	mono_sleep(US_PER_MS);
}

static void
run_for(struct world *world, int64_t us)
{
	mono_t end = mono_add(mono_now(), us);

	while (mono_is_before(mono_now(), end))
		turn_loop(world);
}

#define run_until(world, condition)                                                                \
	do {                                                                                       \
		mono_t deadline_ = mono_add(mono_now(), PATIENCE_US);                              \
                                                                                                   \
		while (!(condition) && mono_is_before(mono_now(), deadline_))                      \
			turn_loop(world);                                                          \
		assert_true(condition);                                                            \
	} while (0)

/* A turn: a row, an event and a leave of this number. */
static void
put_turn(struct world *world, unsigned number)
{
	outbox_row(world->outbox, ROW_ENDPOINT, bytes_copy(BYTES("ann/imap")),
		bytes_copy(BYTES("{}")));
	outbox_event(world->outbox, told_new(number), NULL);
	outbox_leave(world->outbox, number, true);
	outbox_flush(world->outbox);
}

static size_t
queue_of(struct world *world, size_t sink)
{
	struct teller_figures figures;

	outbox_figures(world->outbox, &figures);
	return figures.sinks[sink].queue;
}

/* ---- tests */

static void
test_outbox_tells_and_leaves_after_it_is_durable(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 2);
	sqlite3 *other = other_connection(place);
	struct fault why;

	world->fakes[0].db = place->db;
	/* While another process holds the lock (H6-17) nothing can be stored. */
	execute(other, "BEGIN IMMEDIATE");
	put_turn(world, 1);
	put_turn(world, 2);
	run_for(world, 600 * US_PER_MS);
	assert_int_equal(taken_count(&world->fakes[0]), 0);
	assert_int_equal(world->shown.count, 0);
	assert_int_equal(world->leaves.count, 0);
	execute(other, "COMMIT");
	run_until(world, taken_count(&world->fakes[0]) == 2 && taken_count(&world->fakes[1]) == 2);
	assert_taken(&world->fakes[0], 1, 2);
	assert_taken(&world->fakes[1], 1, 2);
	assert_int_equal(atomic_load(&world->fakes[0].not_stored), 0);
	assert_int_equal(world->shown.count, 2);
	assert_int_equal(world->leaves.count, 2);
	assert_int_equal(world->leaves.numbers[0], 1);
	assert_int_equal(world->leaves.numbers[1], 2);
	assert_int_equal(count_of(other, "SELECT count(*) FROM row"), 1);
	assert_true(outbox_is_storing(world->outbox, &why));
	assert_true(outbox_has_sink(world->outbox, "syslog"));
	assert_false(outbox_has_sink(world->outbox, "command"));
	sqlite3_close(other);
	world_end(world);
	assert_int_equal(stored_cursor(place, "journal"), 2);
	assert_int_equal(stored_cursor(place, "syslog"), 2);
}

static struct writer_change
change_of(const char *key_file)
{
	return (struct writer_change){
		.name = strdup("support"),
		.mailbox = sealed_mailbox_new(BYTES("support"), BYTES("{}")),
		.key_file = strdup(key_file),
	};
}

/* H5-14, H5-15: not before it is durable, and not with a key that is none. */
static void
test_outbox_changes_mailboxes_by_the_writer(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 1);
	char key[128];
	FILE *file;

	snprintf(key, sizeof(key), "%s/key", place->dir);
	file = fopen(key, "we");
	fwrite("0123456789abcdef0123456789abcdef", 1, 32, file);
	fclose(file);
	assert_ok(outbox_change(world->outbox, change_of(key)));
	run_for(world, 50 * US_PER_MS);
	assert_int_equal(world->changes, 0); /* the turn is not put yet */
	outbox_flush(world->outbox);
	for (int i = 0; i < 5000 && world->changes < 1; i++)
		turn_loop(world);
	assert_int_equal(world->changes, 1);
	assert_ok(world->change_err);
	assert_ok(outbox_change(world->outbox, change_of("/nonexistent/key")));
	outbox_flush(world->outbox);
	for (int i = 0; i < 5000 && world->changes < 2; i++)
		turn_loop(world);
	assert_int_equal(world->changes, 2);
	assert_err_equal(world->change_err, ERR_INVALID);
	world_end(world);
}

static void
test_outbox_tells_a_test_of_one_sink_to_that_alone(void **state)
{
	struct world *world = world_start(*state, 2);

	outbox_event(world->outbox, told_new(1), "syslog");
	outbox_flush(world->outbox);
	put_turn(world, 2);
	run_until(world, taken_count(&world->fakes[0]) == 1 && taken_count(&world->fakes[1]) == 2);
	assert_taken(&world->fakes[0], 2, 1);
	assert_taken(&world->fakes[1], 1, 2);
	assert_int_equal(world->shown.count, 2);
	world_end(world);
}

/* H6-04 at the start: told all the same, at most 5 s late, and said at once. */
static void
test_outbox_tells_all_the_same_over_a_broken_store_H6_04(void **state)
{
	struct place *place = *state;
	struct world *world = world_new();
	struct store *store = NULL;
	struct store_opened how;
	struct fault why = { "" };
	char below_a_file[160];
	mono_t begin;
	int64_t late_us;

	close(open(place->db, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	snprintf(below_a_file, sizeof(below_a_file), "%s/state", place->db);
	assert_true(store_open(below_a_file, &store, &how, &why) != ERR_OK);
	assert_non_null(store);
	world_start_over(world, store, 1);
	assert_false(outbox_is_storing(world->outbox, &why));
	begin = mono_now();
	put_turn(world, 1);
	put_turn(world, 2);
	run_until(world, world->troubles[TROUBLE_STATE] == 1);
	assert_int_equal(taken_count(&world->fakes[0]), 0);
	run_until(world, taken_count(&world->fakes[0]) == 2);
	late_us = mono_since(mono_now(), begin);
	assert_in_range(late_us, 4900 * US_PER_MS, 7 * US_PER_S);
	assert_taken(&world->fakes[0], 1, 2);
	assert_int_equal(world->leaves.count, 2);
	assert_int_equal(world->shown.count, 2);
	run_for(world, 1200 * US_PER_MS);
	assert_int_equal(world->troubles[TROUBLE_STATE], 1);
	assert_int_equal(world->ends[TROUBLE_STATE], 0);
	assert_int_equal(taken_count(&world->fakes[0]), 2);
	world_end(world);
}

/* H6-01, H6-17: fails for a while, then all is written that waited, and told once. */
static void
test_outbox_writes_what_waited_when_the_store_is_well_again_H6_01(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 1);
	sqlite3 *other = other_connection(place);
	struct fault why = { "" };

	execute(other, "BEGIN IMMEDIATE");
	put_turn(world, 1);
	run_until(world, world->troubles[TROUBLE_STATE] == 1);
	assert_false(outbox_is_storing(world->outbox, &why));
	assert_non_null(strstr(why.text, "state.db"));
	put_turn(world, 2);
	run_until(world, taken_count(&world->fakes[0]) == 2);
	assert_int_equal(count_of(other, "SELECT count(*) FROM event"), 0);
	execute(other, "COMMIT");
	run_until(world, world->ends[TROUBLE_STATE] == 1);
	assert_true(outbox_is_storing(world->outbox, &why));
	put_turn(world, 3);
	run_until(world, taken_count(&world->fakes[0]) == 3);
	assert_int_equal(count_of(other, "SELECT count(*) FROM event"), 3);
	assert_int_equal(count_of(other, "SELECT count(*) FROM row"), 1);
	sqlite3_close(other);
	assert_taken(&world->fakes[0], 1, 3);
	assert_int_equal(world->leaves.count, 3);
	assert_int_equal(world->troubles[TROUBLE_STATE], 1);
	world_end(world);
	assert_int_equal(stored_cursor(place, "journal"), 3);
}

/* What kill -9 leaves at each point, five events long; 0: no cursor. */
static void
test_outbox_tells_the_rest_after_a_restart_once_H6_10(void **state)
{
	struct place *place = *state;
	static const struct {
		const char *name;
		unsigned cursors[2];
		unsigned told[2]; /* the last so many */
	} rows[] = {
		{ "before any sink", { 4, 4 }, { 1, 1 } },
		{ "all were told", { 5, 5 }, { 0, 0 } },
		{ "the journal took it, its cursor did not move", { 4, 5 }, { 1, 0 } },
		{ "between two sinks", { 5, 4 }, { 0, 1 } },
		{ "one was dead for long", { 1, 5 }, { 4, 0 } },
		{ "the second is new", { 3, 0 }, { 2, 2 } },
		{ "both are new", { 0, 0 }, { 0, 0 } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct store *store;
		struct world *world;

		unit_row(rows[i].name);
		unlink(place->db);
		store = open_store(place);
		put_events(store, 1, 5);
		for (size_t k = 0; k < 2; k++) {
			static const char *const names[] = { "journal", "syslog" };

			if (rows[i].cursors[k])
				put_cursor(store, names[k], rows[i].cursors[k]);
		}
		store_close(store);
		world = world_start(place, 2);
		assert_int_equal(world->shown.count, 5); /* on the socket, from the start */
		put_turn(world, 6);
		for (size_t k = 0; k < 2; k++) {
			run_until(world, taken_count(&world->fakes[k]) >= rows[i].told[k] + 1);
			assert_taken(&world->fakes[k], 6 - rows[i].told[k], rows[i].told[k] + 1);
		}
		world_end(world);
		/* Nothing twice. */
		world = world_start(place, 2);
		run_for(world, 100 * US_PER_MS);
		assert_int_equal(taken_count(&world->fakes[0]), 0);
		assert_int_equal(taken_count(&world->fakes[1]), 0);
		assert_int_equal(world->shown.count, 6);
		world_end(world);
	}
}

/* The very first event of a sink that is new: its cursor stands before it. */
static void
test_outbox_tells_a_new_sink_what_it_missed_from_its_first_start_on(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 1);

	atomic_store(&world->fakes[0].is_stalled, true);
	put_turn(world, 1);
	run_until(world, world->leaves.count == 1);
	world_end(world);
	world = world_start(place, 1);
	run_until(world, taken_count(&world->fakes[0]) == 1);
	assert_taken(&world->fakes[0], 1, 1);
	world_end(world);
}

static void
test_outbox_forgets_the_cursor_of_a_sink_that_is_gone(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place);
	struct world *world;
	sqlite3 *other = other_connection(place);

	put_events(store, 1, STORE_EVENTS_KEPT + 300);
	put_cursor(store, "command", 1);
	put_cursor(store, "journal", STORE_EVENTS_KEPT + 300);
	store_close(store);
	world = world_start(place, 1);
	for (unsigned i = 1; i <= 600; i++)
		put_turn(world, STORE_EVENTS_KEPT + 300 + i);
	run_until(world, taken_count(&world->fakes[0]) == 600);
	run_until(
		world, count_of(other, "SELECT min(substr(hex(id), 25)) > '00000001' FROM event"));
	assert_int_equal(count_of(other, "SELECT count(*) FROM cursor"), 1);
	sqlite3_close(other);
	world_end(world);
}

/* H6-21: a sink that was dead for a week gets its pile page by page, in order, what comes meanwhile
 * behind it; the others do not wait. */
static void
test_outbox_reads_a_pile_for_the_sink_that_is_behind_H6_21(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place);
	struct world *world;

	put_events(store, 1, 5000);
	put_cursor(store, "journal", 1);
	put_cursor(store, "syslog", 5000);
	store_close(store);
	world = world_start(place, 2);
	assert_int_equal(queue_of(world, 0), 4999);
	for (unsigned number = 5001; number <= 5500; number++) {
		put_turn(world, number);
		turn_loop(world);
	}
	run_until(world, taken_count(&world->fakes[1]) == 500);
	assert_taken(&world->fakes[1], 5001, 500);
	run_until(world, taken_count(&world->fakes[0]) >= 5499);
	assert_taken(&world->fakes[0], 2, 5499);
	run_until(world, queue_of(world, 0) == 0);
	/* It has caught up: the next one comes by the short way. */
	put_turn(world, 5501);
	run_until(world, taken_count(&world->fakes[0]) == 5500);
	world_end(world);
	assert_int_equal(stored_cursor(place, "journal"), 5501);
}

/* H8-01: the same for one that stalls while it runs, however long. */
static void
test_outbox_leaves_to_the_store_what_a_stalled_sink_does_not_take_H8_01(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 2);

	atomic_store(&world->fakes[0].is_stalled, true);
	for (unsigned number = 1; number <= 6000; number++) {
		put_turn(world, number);
		if (number % 100 == 0)
			turn_loop(world);
	}
	run_until(world, taken_count(&world->fakes[1]) == 6000);
	assert_taken(&world->fakes[1], 1, 6000);
	assert_int_equal(queue_of(world, 0), 6000);
	atomic_store(&world->fakes[0].is_stalled, false);
	run_until(world, taken_count(&world->fakes[0]) >= 6000);
	assert_taken(&world->fakes[0], 1, 6000);
	run_until(world, queue_of(world, 0) == 0);
	world_end(world);
	assert_int_equal(stored_cursor(place, "journal"), 6000);
}

/* H8-10: the pile has an end, and what it costs is told. */
static void
test_outbox_says_what_a_dead_sink_will_never_get_H8_10(void **state)
{
	struct place *place = *state;
	struct store *store = open_store(place);
	struct world *world;

	put_events(store, 1, STORE_EVENTS_MOST);
	put_cursor(store, "journal", 1);
	store_close(store);
	world = world_start(place, 1);
	atomic_store(&world->fakes[0].is_stalled, true);
	for (unsigned i = 1; i <= 600; i++)
		put_turn(world, STORE_EVENTS_MOST + i);
	run_until(world, world->ends[TROUBLE_SINK] >= 1);
	assert_non_null(strstr(world->detail, "events dropped that a sink had not taken"));
	assert_int_equal(world->troubles[TROUBLE_SINK], world->ends[TROUBLE_SINK]);
	world_end(world);
}

static void
test_outbox_ends_in_time_though_a_sink_is_stalled_H6_20(void **state)
{
	struct place *place = *state;
	struct world *world = world_start(place, 2);
	mono_t begin;

	atomic_store(&world->fakes[0].is_stalled, true);
	for (unsigned number = 1; number <= 50; number++)
		put_turn(world, number);
	run_until(world, taken_count(&world->fakes[1]) == 50);
	begin = mono_now();
	world_end(world);
	assert_true(mono_since(mono_now(), begin) < 5 * US_PER_S);
	assert_int_equal(stored_cursor(place, "syslog"), 50);
	world = world_start(place, 2);
	run_until(world, taken_count(&world->fakes[0]) == 50);
	assert_taken(&world->fakes[0], 1, 50);
	assert_int_equal(taken_count(&world->fakes[1]), 0);
	world_end(world);
}

/* ---- kill -9 */

/* The child: a daemon that makes events from `first` on, and whose sinks write what they take into
 * pipes. */
static void
run_child(const struct place *place, const int pipes[2], unsigned first, bool is_last)
{
	struct world *world = world_new();

	for (size_t i = 0; i < 2; i++)
		world->fakes[i].pipe_fd = pipes[i];
	world_start_over(world, open_store(place), 2);
	if (is_last) {
		run_for(world, 200 * US_PER_MS);
		run_until(world, queue_of(world, 0) == 0 && queue_of(world, 1) == 0);
		outbox_end(world->outbox, mono_add(mono_now(), 2 * US_PER_S));
		_exit(0);
	}
	for (unsigned i = 0;; i++) {
		put_turn(world, first + i);
		turn_loop(world);
	}
}

/* What the sinks of one life were told. */
static void
read_life(const int ends[2], struct noted told[2], pid_t child, int64_t kill_after_us)
{
	mono_t end = mono_add(mono_now(), kill_after_us);
	bool is_killed = kill_after_us == INT64_MAX;
	int open_count = 2;
	struct pollfd fds[2] = { { .fd = ends[0], .events = POLLIN },
		{ .fd = ends[1], .events = POLLIN } };

	while (open_count > 0) {
		if (!is_killed && !mono_is_before(mono_now(), end)) {
			kill(child, SIGKILL);
			is_killed = true;
		}
		poll(fds, 2, 5);
		for (size_t i = 0; i < 2; i++) {
			unsigned number;

			if (!fds[i].revents)
				continue;
			if (read(ends[i], &number, sizeof(number)) != sizeof(number)) {
				fds[i].fd = -1;
				open_count--;
			} else if (told[i].count < MOST_NOTED) {
				told[i].numbers[told[i].count++] = number;
			}
		}
	}
}

static struct noted stored;

static void
on_stored_event(void *owner, const struct told *told)
{
	(void)owner;
	if (stored.count < MOST_NOTED)
		stored.numbers[stored.count++] = number_of(told->id);
}

/* Each sink was told all that is stored, in order; what came again had been told at the end of a
 * life. */
static void
assert_all_told(const struct noted *told)
{
	size_t next = 0;

	for (size_t i = 0; i < told->count; i++) {
		if (next < stored.count && told->numbers[i] == stored.numbers[next]) {
			next++;
			continue;
		}
		/* Again, then: it is one of those before. */
		assert_true(next > 0 && told->numbers[i] <= stored.numbers[next - 1]);
	}
	assert_int_equal(next, stored.count);
}

static void
test_outbox_outlives_kill_9_H6_10(void **state)
{
	struct place *place = *state;
	static struct noted told[2];
	struct store *store;
	struct fault why;

	memset(told, 0, sizeof(told));
	memset(&stored, 0, sizeof(stored));
	for (unsigned round = 0; round < 9; round++) {
		bool is_last = round == 8;
		int pipes[2][2];
		int status;
		pid_t child;

		for (size_t i = 0; i < 2; i++)
			assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
		child = fork();
		if (child == 0) {
			close(pipes[0][0]);
			close(pipes[1][0]);
			run_child(place, (const int[]){ pipes[0][1], pipes[1][1] },
				(round + 1) * 10000, is_last);
		}
		close(pipes[0][1]);
		close(pipes[1][1]);
		read_life((const int[]){ pipes[0][0], pipes[1][0] }, told, child,
			is_last ? INT64_MAX : (120 + 17 * round) * US_PER_MS);
		close(pipes[0][0]);
		close(pipes[1][0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (is_last)
			assert_int_equal(status, 0);
	}
	store = open_store(place);
	assert_ok(store_events(
		store, (struct ulid){ { 0 } }, MOST_NOTED, on_stored_event, NULL, &why));
	store_close(store);
	assert_in_range(stored.count, 10, MOST_NOTED - 1);
	printf("# %zu events, told %zu and %zu times\n", stored.count, told[0].count,
		told[1].count);
	assert_all_told(&told[0]);
	assert_all_told(&told[1]);
}

static void
test_outbox_takes_over_what_it_cannot_start_with(void **state)
{
	struct sink *sinks[TELLER_MOST_SINKS + 1];
	struct world *world = world_new();
	struct outbox *outbox = NULL;
	struct fault why;
	struct store *store = open_store(*state);

	for (size_t i = 0; i < COUNT_OF(sinks); i++)
		sinks[i] = &world->fakes[0].sink;
	assert_err_equal(outbox_start(world->base, store, sinks, COUNT_OF(sinks), &world_calls,
				 world, &outbox, &why),
		ERR_LIMIT);
	world_free(world);
	store_close(open_store(*state)); /* the lock is free again */
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, drop_place)

static const struct CMUnitTest tests[] = {
	WITH_PLACE(test_outbox_tells_and_leaves_after_it_is_durable),
	WITH_PLACE(test_outbox_changes_mailboxes_by_the_writer),
	WITH_PLACE(test_outbox_tells_a_test_of_one_sink_to_that_alone),
	WITH_PLACE(test_outbox_tells_all_the_same_over_a_broken_store_H6_04),
	WITH_PLACE(test_outbox_writes_what_waited_when_the_store_is_well_again_H6_01),
	WITH_PLACE(test_outbox_tells_the_rest_after_a_restart_once_H6_10),
	WITH_PLACE(test_outbox_tells_a_new_sink_what_it_missed_from_its_first_start_on),
	WITH_PLACE(test_outbox_forgets_the_cursor_of_a_sink_that_is_gone),
	WITH_PLACE(test_outbox_reads_a_pile_for_the_sink_that_is_behind_H6_21),
	WITH_PLACE(test_outbox_leaves_to_the_store_what_a_stalled_sink_does_not_take_H8_01),
	WITH_PLACE(test_outbox_says_what_a_dead_sink_will_never_get_H8_10),
	WITH_PLACE(test_outbox_ends_in_time_though_a_sink_is_stalled_H6_20),
	WITH_PLACE(test_outbox_outlives_kill_9_H6_10),
	WITH_PLACE(test_outbox_takes_over_what_it_cannot_start_with),
};

UNIT_MAIN(tests)
