/* test_child.c: password commands that print, hang, flood and leave others behind (H4-20 to H4-23).
 */
#include "../unit.h"

#include "net/child.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
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
#define DEADLINE_US (700 * US_PER_MS)

struct world {
	struct event_base *base;
	struct children *children;
	struct child_result result;
	char line[4096];
	size_t wanted;
	size_t ended;
	size_t timeouts;
};

static void
on_ended(void *owner, const struct child_result *result)
{
	struct world *world = owner;
	size_t len = result->line.len < sizeof(world->line) - 1 ? result->line.len
								: sizeof(world->line) - 1;

	world->result = *result;
	if (len > 0)
		memcpy(world->line, result->line.at, len);
	world->line[len] = '\0';
	world->timeouts += result->outcome == CHILD_TIMEOUT;
	if (++world->ended == world->wanted)
		event_base_loopbreak(world->base);
}

static void
world_begin(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->base = event_base_new();
	assert_ok(children_new(world->base, DEADLINE_US, &world->children));
}

static void
world_end(struct world *world)
{
	children_free(world->children);
	event_base_free(world->base);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	assert_int_equal(errno, ECHILD);
}

static void
run(struct world *world, const char *script)
{
	char *const argv[] = { SHELL, OPTION, (char *)script, NULL };
	struct child *child;

	world->ended = 0;
	world->wanted = 1;
	assert_ok(child_start(world->children, argv, on_ended, world, &child));
	assert_int_equal(world->ended, 0);
	event_base_dispatch(world->base);
	assert_int_equal(world->ended, 1);
}

static void
test_what_commands_come_to(void **state)
{
	static const struct {
		const char *name;
		const char *script;
		enum child_outcome outcome;
		int number;
		const char *line;
	} cases[] = {
		{ .name = "a line", "echo s3cret", CHILD_LINE, 0, "s3cret" },
		{ .name = "CR LF", "printf 's3cret\\r\\nmore\\n'", CHILD_LINE, 0, "s3cret" },
		{ .name = "no line end", "printf ' s3cret '", CHILD_LINE, 0, " s3cret " },
		{ .name = "a CR that is no line end",
			"printf 's3cret\\r'",
			CHILD_LINE,
			0,
			"s3cret\r" },
		{ .name = "nothing", "true", CHILD_LINE, 0, "" },
		{ .name = "an empty first line", "printf '\\nno\\n'", CHILD_LINE, 0, "" },
		{ .name = "in two writes",
			"printf s3; sleep 0.1; echo cret",
			CHILD_LINE,
			0,
			"s3cret" },
		{ .name = "a long tail",
			"echo s3cret; head -c 300000 /dev/zero",
			CHILD_LINE,
			0,
			"s3cret" },
		{ .name = "H4-20 a grandchild keeps stdout open",
			"sleep 5 & echo s3cret",
			CHILD_LINE,
			0,
			"s3cret" },
		{ .name = "H4-20 1 G without a line end",
			"exec cat /dev/zero",
			CHILD_TOO_MUCH,
			0,
			"" },
		{ .name = "H4-21 hangs and ignores SIGTERM",
			"trap '' TERM; echo x; sleep 9",
			CHILD_TIMEOUT,
			0,
			"" },
		{ .name = "H4-22 prints and exits 3", "echo s3cret; exit 3", CHILD_STATUS, 3, "" },
		{ .name = "H4-22 dies by a signal",
			"echo s3cret; kill -9 $$",
			CHILD_SIGNAL,
			SIGKILL,
			"" },
		{ .name = "stderr is nobody's",
			"echo hidden >&2; echo seen",
			CHILD_LINE,
			0,
			"seen" },
	};
	struct world world;

	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		mono_t began = mono_now();

		unit_row(cases[i].name);
		run(&world, cases[i].script);
		assert_int_equal(world.result.outcome, cases[i].outcome);
		assert_int_equal(world.result.number, cases[i].number);
		assert_string_equal(world.line, cases[i].line);
		assert_in_range(
			mono_since(mono_now(), began), 0, 2 * US_PER_S); /* of the grandchild's 5 */
	}
	world_end(&world);
}

static void
test_what_cannot_be_started_says_why_H4_22(void **state)
{
	char *const missing[] = { (char[]){ "/nonexistent/command" }, NULL };
	char *const no_program[] = { (char[]){ "/etc/passwd" }, NULL };
	static char *const none[] = { NULL };
	struct world world;
	struct child *child;

	world_begin(&world);
	world.wanted = 3;
	assert_ok(child_start(world.children, missing, on_ended, &world, &child));
	assert_ok(child_start(world.children, none, on_ended, &world, &child));
	assert_ok(child_start(world.children, no_program, on_ended, &world, &child));
	event_base_dispatch(world.base);
	assert_int_equal(world.ended, 3);
	assert_int_equal(world.result.outcome, CHILD_NOT_STARTED);
	assert_int_equal(world.result.number, EACCES);
	world_end(&world);
}

static void
test_a_child_has_nothing_of_ours_H4_23(void **state)
{
	struct world world;
	sigset_t blocked;
	int extra = open("/dev/null", O_RDONLY); /* not close-on-exec */

	sigfillset(&blocked);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/secret", 1);
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	world_begin(&world);
	unit_row("descriptors");
	run(&world, "cd /proc/self/fd; for f in *; do [ -e $f ] && printf %s, $f; done; echo");
	assert_true(strncmp(world.line, "0,1,2,", 6) == 0 &&
		    strlen(world.line) <= 9); /* the glob's own */
	unit_row("directory");
	run(&world, "pwd");
	assert_string_equal(world.line, "/");
	unit_row("stdin");
	run(&world, "cat; echo end");
	assert_string_equal(world.line, "end");
	unit_row("signals");
	run(&world, "grep SigBlk /proc/self/status | cut -f 2");
	assert_int_equal(strtoull(world.line, NULL, 16), 0);
	run(&world, "grep SigIgn /proc/self/status | cut -f 2");
	/* 32 and 33 are glibc's own; its posix_spawn() ignores them. */
	assert_int_equal(strtoull(world.line, NULL, 16) & ~UINT64_C(0x180000000), 0);
	unit_row("environment");
	run(&world, "env | grep -c -e CREDENTIALS -e NOTIFY; true");
	assert_string_equal(world.line, "0");
	unit_row("a group of its own");
	run(&world, "[ $(ps -o pgid= -p $$) = $$ ] && echo own");
	assert_true(strcmp(world.line, "own") == 0);
	world_end(&world);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("NOTIFY_SOCKET");
	sigemptyset(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	close(extra);
}

static void
test_sixteen_at_a_time_and_others_go_on_H4_21(void **state)
{
	char *const hang[] = { SHELL, OPTION, (char[]){ "trap '' TERM; sleep 9 & wait; sleep 9" },
		NULL };
	char *const good[] = { SHELL, OPTION, (char[]){ "echo good" }, NULL };
	struct world world;
	struct child *child;
	mono_t began = mono_now();

	world_begin(&world);
	world.wanted = 41;
	for (int i = 0; i < 40; i++)
		assert_ok(child_start(world.children, hang, on_ended, &world, &child));
	assert_ok(child_start(world.children, good, on_ended, &world, &child));
	event_base_dispatch(world.base);
	assert_int_equal(world.ended, 41);
	assert_int_equal(world.timeouts, 40);
	/* 16, 16, 8 and the good one with them. */
	assert_in_range(
		mono_since(mono_now(), began), 3 * DEADLINE_US - US_PER_MS, 4 * DEADLINE_US);
	world_end(&world);
}

static void
test_cancelled_at_any_time(void **state)
{
	char *const hang[] = { SHELL, OPTION, (char[]){ "sleep 9" }, NULL };
	char *const quick[] = { (char[]){ "/bin/true" }, NULL };
	struct world world;
	struct child *children[40];

	world_begin(&world);
	for (int i = 0; i < 40; i++)
		assert_ok(child_start(
			world.children, i % 2 ? hang : quick, on_ended, &world, &children[i]));
	for (int i = 39; i >= 0; i--)
		child_cancel(children[i]);
	for (int i = 0; i < 20; i++) {
		usleep(5000);
		event_base_loop(world.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(world.ended, 0);
	run(&world, "echo again");
	assert_string_equal(world.line, "again");
	assert_ok(child_start(world.children, hang, on_ended, &world, &children[0]));
	world_end(&world); /* with one still running */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_what_commands_come_to),
	cmocka_unit_test(test_what_cannot_be_started_says_why_H4_22),
	cmocka_unit_test(test_a_child_has_nothing_of_ours_H4_23),
	cmocka_unit_test(test_sixteen_at_a_time_and_others_go_on_H4_21),
	cmocka_unit_test(test_cancelled_at_any_time),
};

UNIT_MAIN(tests)
