/* test_log.c: a line is one write to stderr, bounded, and never waits; what is lost is counted. */
#include "../unit.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* stderr is a pipe or a socket of the test while it runs; what was told is read at its other end.
 */
static int stderr_before;
static int reader;

static void
begin(bool is_socket)
{
	int fds[2];

	assert_int_equal(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
	stderr_before = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	log_set_level(LOG_LEVEL_INFO);
	log_set_journal(false);
}

static void
end(void)
{
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	if (reader >= 0)
		close(reader);
}

/* All that was told up to now. */
static void
read_told(struct buf *told)
{
	ssize_t got;

	buf_clear(told);
	do {
		char *at = buf_reserve(told, 65536);

		assert_non_null(at);
		got = read(reader, at, 65536);
		if (got > 0)
			told->len += (size_t)got;
	} while (got > 0);
}

static void
test_log_tells_by_its_level(void **state)
{
	static const struct {
		const char *name;
		enum log_level level;
		bool is_journal;
		const char *told;
	} rows[] = {
		{ .name = "error", LOG_LEVEL_ERROR, false, "e 1\n" },
		{ .name = "info", LOG_LEVEL_INFO, false, "e 1\nw 2\ni 3\n" },
		{ .name = "debug", LOG_LEVEL_DEBUG, false, "e 1\nw 2\ni 3\nd 4\n" },
		{ .name = "the journal",
			LOG_LEVEL_DEBUG,
			true,
			"<3>e 1\n<4>w 2\n<6>i 3\n<7>d 4\n" },
	};
	struct buf told = { 0 };

	begin(false);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		log_set_level(rows[i].level);
		assert_int_equal(log_level(), rows[i].level);
		log_set_journal(rows[i].is_journal);
		errno = ENOENT;
		log_error("e %d", 1);
		log_warning("w %d", 2);
		log_info("i %d", 3);
		log_debug("d %d", 4);
		assert_int_equal(errno, ENOENT);
		read_told(&told);
		assert_buf_holds(&told, bytes_of(rows[i].told));
	}
	end();
	buf_done(&told);
}

static void
test_log_line_has_the_priority_given(void **state)
{
	struct buf told = { 0 };

	begin(true);
	log_set_level(LOG_LEVEL_ERROR); /* of the log, not of alerts */
	assert_ok(log_line(5, "msg=\"a: ok\" level=notice"));
	log_set_journal(true);
	assert_ok(log_line(2, "b"));
	read_told(&told);
	assert_buf_holds(&told, BYTES("msg=\"a: ok\" level=notice\n<2>b\n"));
	end();
	buf_done(&told);
}

static void
test_log_is_one_bounded_line(void **state)
{
	struct buf told = { 0 };

	begin(false);
	log_info("a\nb\rc\x1b[2J\x7f M\xc3\xbcnchen");
	read_told(&told);
	assert_buf_holds(&told, BYTES("a b c [2J  M\xc3\xbcnchen\n"));
	for (int width = 2040; width < 2060; width++) {
		log_info("%0*d\xf0\x9f\x93\xa7\xf0\x9f\x93\xa7", width, 1);
		read_told(&told);
		assert_in_range(told.len, 2041, 2048);
		assert_int_equal(bytes_index(buf_bytes(&told), '\n'), told.len - 1);
		/* All digits that fit, and then whole characters. */
		if (width < 2047)
			assert_int_equal((told.len - 1 - (size_t)width) % 4, 0);
	}
	log_set_journal(true);
	log_info("%05000d", 1);
	read_told(&told);
	assert_int_equal(told.len, 2048);
	end();
	buf_done(&told);
}

static void
test_log_never_waits_and_counts_what_is_lost(void **state)
{
	struct buf told = { 0 };

	for (int is_socket = 0; is_socket < 2; is_socket++) {
		int total = 0, lost = 0, lines = 0;

		unit_row(is_socket ? "a socket" : "a pipe");
		begin(is_socket);
		alarm(20); /* a write that waits ends the test */
		while (log_line(6, "until it is full") == ERR_OK)
			total++;
		assert_true(total > 0);
		assert_err_equal(log_line(6, "not counted: told again"), ERR_AGAIN);
		log_info("one");
		log_info("two");
		log_info("three");
		read_told(&told);
		log_set_journal(true);
		log_info("four");
		log_info("five");
		read_told(&told);
		for (size_t i = 0; i < told.len; i++)
			lines += told.at[i] == '\n';
		assert_int_equal(lines, 3);
		assert_int_equal(sscanf(told.at, "<4>%d lines of the log were lost", &lost), 1);
		assert_int_equal(lost, 3);
		assert_true(bytes_ends_nocase(buf_bytes(&told), BYTES("\n<6>four\n<6>five\n")));
		alarm(0);
		end();
	}
	buf_done(&told);
}

static void
test_log_bears_a_reader_that_is_gone(void **state)
{
	for (int is_socket = 0; is_socket < 2; is_socket++) {
		begin(is_socket);
		close(reader);
		reader = -1;
		assert_err_equal(log_line(6, "nobody"), ERR_CLOSED); /* and no SIGPIPE */
		end();
	}
}

static void *
tell_many(void *argument)
{
	for (int i = 0; i < 200; i++)
		log_info("%s", (const char *)argument);
	return NULL;
}

static void
test_log_lines_of_threads_stay_whole(void **state)
{
	static char words[4][101];
	struct buf told = { 0 };
	pthread_t threads[4];
	struct bytes rest;

	begin(false);
	/* The default room of a pipe may hold fewer lines than are told. */
	fcntl(reader, F_SETPIPE_SZ, 1 << 20);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		memset(words[i], (int)('a' + i), 100);
		pthread_create(&threads[i], NULL, tell_many, words[i]);
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	read_told(&told);
	end();
	assert_int_equal(told.len, 4 * 200 * 101);
	for (rest = buf_bytes(&told); rest.len > 0; rest = bytes_from(rest, 101)) {
		assert_int_equal(bytes_index(rest, '\n'), 100);
		for (size_t i = 1; i < 100; i++)
			assert_int_equal(rest.at[i], rest.at[0]);
	}
	buf_done(&told);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_log_tells_by_its_level),
	cmocka_unit_test(test_log_line_has_the_priority_given),
	cmocka_unit_test(test_log_is_one_bounded_line),
	cmocka_unit_test(test_log_bears_a_reader_that_is_gone),
	cmocka_unit_test(test_log_lines_of_threads_stay_whole),
	cmocka_unit_test(test_log_never_waits_and_counts_what_is_lost),
};

UNIT_MAIN(tests)
