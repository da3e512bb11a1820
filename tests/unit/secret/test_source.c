/* test_source.c: secrets of files, commands and credentials, good and bad (H4-15 to H4-24). */
#include "../unit.h"

#include "base/file.h"
#include "base/seal.h"
#include "secret/source.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHELL                                                                                      \
	(char[])                                                                                   \
	{                                                                                          \
		"/bin/sh"                                                                          \
	}
#define OPTION                                                                                     \
	(char[])                                                                                   \
	{                                                                                          \
		"-c"                                                                               \
	}

static char folder[] = "/tmp/mboxwatch-test-source.XXXXXX";

static int
into_folder(void **state)
{
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int
remove_folder(void **state)
{
	return system("rm -rf /tmp/mboxwatch-test-source.*") == 0 ? 0 : -1;
}

struct world {
	struct event_base *base;
	struct children *children;
	struct secret_sources *sources;
	size_t answers;
	size_t wanted;
	enum cause cause;
	bool is_kept;
	char detail[512];
	char secret[256];
	size_t secret_len;
};

static void
on_answer(void *owner, const struct secret_answer *answer)
{
	struct world *world = owner;
	struct bytes secret = BYTES_NONE;

	world->cause = answer->cause;
	world->is_kept = answer->is_kept;
	memcpy(world->detail, answer->detail, sizeof(world->detail));
	if (answer->cause == CAUSE_OK)
		secret = secret_reveal(answer->secret);
	world->secret_len = secret.len;
	if (secret.len > 0 && secret.len < sizeof(world->secret))
		memcpy(world->secret, secret.at, secret.len);
	world->secret[secret.len < sizeof(world->secret) ? secret.len : 0] = '\0';
	if (++world->answers == world->wanted)
		event_base_loopbreak(world->base);
}

static void
world_begin(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->base = event_base_new();
	assert_ok(children_new(world->base, US_PER_S, &world->children));
	assert_ok(secret_sources_new(world->base, world->children, &world->sources));
}

static void
world_end(struct world *world)
{
	secret_sources_free(world->sources);
	children_free(world->children);
	event_base_free(world->base);
}

static void
ask(struct world *world, const struct secret_source *source, bool is_fresh)
{
	struct secret_ask *asking;

	world->answers = 0;
	world->wanted = 1;
	assert_ok(secret_ask(world->sources, source, is_fresh, on_answer, world, &asking));
	assert_int_equal(world->answers, 0); /* never from inside */
	event_base_dispatch(world->base);
	assert_int_equal(world->answers, 1);
}

static void
put(const char *path, const char *at, size_t len)
{
	assert_ok(file_write_whole(path, (struct bytes){ at, len }, 0600));
}

static void
test_the_first_line_of_a_file_counts_H4_15(void **state)
{
	static const struct {
		const char *name;
		struct bytes content;
		enum cause cause;
		struct bytes secret;
	} cases[] = {
		{ "LF", { "s3cret\n", 7 }, CAUSE_OK, { "s3cret", 6 } },
		{ "CR LF", { "s3cret\r\n", 8 }, CAUSE_OK, { "s3cret", 6 } },
		{ "no line end", { "s3cret", 6 }, CAUSE_OK, { "s3cret", 6 } },
		{ "LF LF", { "s3cret\n\n", 8 }, CAUSE_OK, { "s3cret", 6 } },
		{ "blanks stay", { " \ts3 cret \n", 11 }, CAUSE_OK, { " \ts3 cret ", 10 } },
		{ "a lone CR stays", { "s3\rcret\r", 8 }, CAUSE_OK, { "s3\rcret\r", 8 } },
		{ "bytes of any kind", { "s\xe9\xff\n", 4 }, CAUSE_OK, { "s\xe9\xff", 3 } },
		{ "H4-16 empty", { "", 0 }, CAUSE_SECRET_UNAVAILABLE, BYTES_NONE },
		{ "H4-16 only LF", { "\n", 1 }, CAUSE_SECRET_UNAVAILABLE, BYTES_NONE },
		{ "H4-16 only CR LF", { "\r\n", 2 }, CAUSE_SECRET_UNAVAILABLE, BYTES_NONE },
		{ "H4-05 a NUL", { "s3\0cret\n", 8 }, CAUSE_SECRET_UNAVAILABLE, BYTES_NONE },
	};
	struct secret_source source = { .kind = SECRET_FILE, .path = (char[]){ "secret" } };
	struct world world;

	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unit_row(cases[i].name);
		put("secret", cases[i].content.at, cases[i].content.len);
		ask(&world, &source, false);
		assert_int_equal(world.cause, cases[i].cause);
		assert_bytes_equal(
			((struct bytes){ world.secret, world.secret_len }), cases[i].secret);
		assert_false(world.is_kept);
		if (world.cause != CAUSE_OK)
			assert_non_null(strstr(world.detail, "secret"));
	}
	world_end(&world);
}

static void
test_files_that_give_none_H4_16(void **state)
{
	static const struct {
		const char *path;
		const char *word;
	} cases[] = {
		{ "missing", "no such file" },
		{ "directory", "not a regular file" },
		{ "fifo", "not a regular file" },
		{ "/dev/zero", "not a regular file" },
		{ "large", "64 KiB" },
		{ "locked", "permission denied" },
	};
	struct world world;
	char *large = malloc(70000);

	memset(large, 'x', 70000);
	put("large", large, 70000);
	free(large);
	put("locked", "s3cret\n", 7);
	chmod("locked", 0);
	mkdir("directory", 0700);
	mkfifo("fifo", 0600);
	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct secret_source source = { .kind = SECRET_FILE,
			.path = (char *)cases[i].path };

		if (strcmp(cases[i].path, "locked") == 0 && geteuid() == 0)
			continue; /* root reads everything */
		unit_row(cases[i].path);
		ask(&world, &source, false);
		assert_string_equal(cause_name(world.cause), "secret_unavailable");
		assert_non_null(strstr(world.detail, cases[i].path));
		assert_non_null(strstr(world.detail, cases[i].word));
	}
	world_end(&world);
}

static void
test_a_file_is_read_at_every_ask_H4_18(void **state)
{
	struct secret_source source = { .kind = SECRET_FILE, .path = (char[]){ "changing" } };
	struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct world world;

	world_begin(&world);
	put("changing", "one\n", 4);
	utimensat(AT_FDCWD, "changing", times, 0);
	ask(&world, &source, false);
	assert_string_equal(world.secret, "one");
	put("changing", "two\n", 4); /* same size, same time */
	utimensat(AT_FDCWD, "changing", times, 0);
	ask(&world, &source, false);
	assert_string_equal(world.secret, "two");
	put("changing", "", 0); /* an editor in the middle of it */
	ask(&world, &source, false);
	assert_int_equal(world.cause, CAUSE_SECRET_UNAVAILABLE);
	world_end(&world);
}

static void
test_a_value_is_as_it_is(void **state)
{
	struct secret_source source = { .kind = SECRET_VALUE };
	struct world world;

	world_begin(&world);
	assert_ok(secret_new(BYTES("s3cret"), &source.value));
	ask(&world, &source, false);
	assert_string_equal(world.secret, "s3cret");
	secret_free(source.value);
	world_end(&world);
}

static void
test_credentials_stay_in_their_directory_H4_24(void **state)
{
	static const struct {
		const char *name;
		const char *word;
	} cases[] = {
		{ "one", NULL },
		{ "../outside", "name" },
		{ "a/b", "name" },
		{ "..", "name" },
		{ ".", "name" },
		{ "", "name" },
		{ "absent", "no such file" },
	};
	struct world world;
	char path[128];

	put("outside", "outside\n", 8);
	mkdir("credentials", 0700);
	put("credentials/one", "s3cret", 6);
	snprintf(path, sizeof(path), "%s/credentials", folder);
	world_begin(&world);
	setenv("CREDENTIALS_DIRECTORY", path, 1);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct secret_source source = { .kind = SECRET_CREDENTIAL,
			.path = (char *)cases[i].name };

		unit_row(cases[i].name);
		ask(&world, &source, false);
		if (cases[i].word) {
			assert_int_equal(world.cause, CAUSE_SECRET_UNAVAILABLE);
			assert_non_null(strstr(world.detail, cases[i].word));
		} else {
			assert_string_equal(world.secret, "s3cret");
		}
	}
	unit_row("no directory");
	unsetenv("CREDENTIALS_DIRECTORY");
	ask(&world, &(struct secret_source){ .kind = SECRET_CREDENTIAL, .path = (char[]){ "one" } },
		false);
	assert_int_equal(world.cause, CAUSE_SECRET_UNAVAILABLE);
	world_end(&world);
}

static void
test_sealed_secrets_open_by_their_key_alone_H5_15(void **state)
{
	static const struct {
		const char *name;
		const char *key; /* NULL: no file */
		size_t len;
		const char *bound;
		const char *word; /* NULL: it opens */
	} cases[] = {
		{ "the key", "0123456789abcdef0123456789abcdef", 32, "support", NULL },
		{ "lost", NULL, 0, "support", "no such file" },
		{ "31 bytes", "0123456789abcdef0123456789abcdef", 31, "support", "31 bytes" },
		{ "another", "0123456789abcdef0123456789abcdeF", 32, "support", "another key" },
		{ "another's", "0123456789abcdef0123456789abcdef", 32, "sales", "another key" },
		{ "back", "0123456789abcdef0123456789abcdef", 32, "support", NULL },
	};
	struct sealed sealed = { 0 };
	struct secret_source source = { .kind = SECRET_SEALED, .sealed = &sealed };
	struct secret *secret = NULL;
	struct world world;
	struct seal_key key;
	char path[128];

	memcpy(key.bytes, cases[0].key, sizeof(key.bytes));
	assert_ok(secret_new(BYTES("s3cret"), &secret));
	assert_ok(seal_secret(&key, secret, BYTES("support"), &sealed.bytes));
	snprintf(path, sizeof(path), "%s/state.key", folder);
	world_begin(&world);
	ask(&world, &source, false);
	assert_int_equal(world.cause, CAUSE_SECRET_UNAVAILABLE);
	assert_non_null(strstr(world.detail, "not set"));
	source.path = path;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unit_row(cases[i].name);
		unlink(path);
		if (cases[i].key)
			put("state.key", cases[i].key, cases[i].len);
		buf_clear(&sealed.bound);
		buf_put_string(&sealed.bound, cases[i].bound);
		ask(&world, &source, false);
		if (cases[i].word) {
			assert_int_equal(world.cause, CAUSE_SECRET_UNAVAILABLE);
			assert_non_null(strstr(world.detail, cases[i].word));
		} else {
			assert_string_equal(world.secret, "s3cret");
		}
	}
	world_end(&world);
	secret_free(secret);
	buf_done(&sealed.bytes);
	buf_done(&sealed.bound);
}

static void
test_commands_that_give_none_H4_22(void **state)
{
	static const struct {
		const char *name;
		const char *script;
		const char *word;
	} cases[] = {
		{ "status", "echo s3cret; exit 3", "status 3" },
		{ "signal", "echo s3cret; kill -9 $$", "signal 9" },
		{ "nothing", "true", "no line" },
		{ "a NUL", "printf 'a\\0b\\n'", "NUL" },
		{ "H4-20 too much", "exec cat /dev/zero", "64 KiB" },
		{ "H4-21 hangs", "trap '' TERM; sleep 9", "10 s" },
	};
	struct world world;

	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *argv[] = { SHELL, OPTION, (char *)cases[i].script, NULL };
		struct secret_source source = { .kind = SECRET_COMMAND, .argv = argv };

		unit_row(cases[i].name);
		ask(&world, &source, false);
		assert_string_equal(cause_name(world.cause), "secret_unavailable");
		assert_non_null(strstr(world.detail, cases[i].word));
		assert_non_null(strstr(world.detail, "/bin/sh"));
		assert_null(strstr(world.detail, "s3cret"));
	}
	unit_row("missing");
	ask(&world,
		&(struct secret_source){
			.kind = SECRET_COMMAND, .argv = (char *[]){ (char[]){ "/none" }, NULL } },
		false);
	assert_non_null(strstr(world.detail, "No such file"));
	world_end(&world);
}

/* contract 3: at first use, at reload, before a refusal is believed, and once a day. */
static void
test_a_command_is_kept_until_it_is_doubted(void **state)
{
	char *argv[] = { SHELL, OPTION, NULL, NULL };
	struct secret_source source = { .kind = SECRET_COMMAND, .argv = argv };
	struct secret_ask *asking;
	struct world world;
	char script[200];

	snprintf(script, sizeof(script), "cd %s; echo x >>runs; wc -l <runs", folder);
	argv[2] = script;
	world_begin(&world);
	ask(&world, &source, false);
	assert_string_equal(world.secret, "1");
	assert_false(world.is_kept);
	ask(&world, &source, false);
	assert_string_equal(world.secret, "1");
	assert_true(world.is_kept);
	unit_row("asked for anew");
	ask(&world, &source, true);
	assert_string_equal(world.secret, "2");
	assert_false(world.is_kept);
	ask(&world, &source, false);
	assert_string_equal(world.secret, "2");
	unit_row("a reload");
	secret_sources_forget(world.sources);
	unit_row("one run for all who ask at once");
	world.answers = 0;
	world.wanted = 10;
	for (int i = 0; i < 10; i++)
		assert_ok(secret_ask(world.sources, &source, false, on_answer, &world, &asking));
	event_base_dispatch(world.base);
	assert_string_equal(world.secret, "3");
	unit_row("a reload while it runs: answered, not kept");
	secret_sources_forget(world.sources);
	world.answers = 0;
	world.wanted = 1;
	assert_ok(secret_ask(world.sources, &source, false, on_answer, &world, &asking));
	secret_sources_forget(world.sources);
	event_base_dispatch(world.base);
	assert_string_equal(world.secret, "4");
	ask(&world, &source, false);
	assert_string_equal(world.secret, "5");
	unit_row("cancelled");
	secret_sources_forget(world.sources);
	world.answers = 0;
	assert_ok(secret_ask(world.sources, &source, false, on_answer, &world, &asking));
	secret_ask_cancel(asking);
	assert_ok(secret_ask(world.sources, &source, false, on_answer, &world, &asking));
	world_end(&world);
	assert_int_equal(world.answers, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_first_line_of_a_file_counts_H4_15),
	cmocka_unit_test(test_files_that_give_none_H4_16),
	cmocka_unit_test(test_a_file_is_read_at_every_ask_H4_18),
	cmocka_unit_test(test_a_value_is_as_it_is),
	cmocka_unit_test(test_credentials_stay_in_their_directory_H4_24),
	cmocka_unit_test(test_sealed_secrets_open_by_their_key_alone_H5_15),
	cmocka_unit_test(test_commands_that_give_none_H4_22),
	cmocka_unit_test(test_a_command_is_kept_until_it_is_doubted),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, into_folder, remove_folder);
}
