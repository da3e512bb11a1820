/*
 * test_sinks.c: sink.h: the journal's and syslog's sockets as they stall, go away and come back.
 * The receivers are datagram sockets of our own in a directory of our own.
 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "alert/sink.h"

#define MAIL (2)	   /* syslog's number of the facility */
#define MOST_QUEUED 100000 /* no receiver's queue is longer */
#define BIG (300 * 1024)   /* above any socket's buffer */
#define LINE "msg=\"ann: ok\" level=notice"

struct place {
	char dir[64];
	char path[80];
};

static int
make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	const char *base = getenv("TMPDIR");

	snprintf(place->dir, sizeof(place->dir), "%.40s/sinks-XXXXXX", base ? base : "/tmp");
	*state = place;
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/socket", place->dir);
	return 0;
}

static int
drop_place(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->dir);
	free(place);
	return 0;
}

/* A fake journald: bound, and read by nobody until receive(). */
static int
receiver(const struct place *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, place->path, sizeof(place->path));
	unlink(place->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The next datagram; "" where there is none. */
static const char *
receive(int fd)
{
	static char text[2000];
	ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static struct told
sample(unsigned number, char journal[32])
{
	static char line[] = LINE;
	static char json[] = "{}";
	struct told told = {
		.kind = EVENT_STATE, .level = LEVEL_ERROR, .line = line, .json = json
	};

	told.time.us = INT64_C(1791018000) * US_PER_S; /* 2026-10-03T09:00:00Z */
	told.journal_len = (size_t)snprintf(journal, 32, "MESSAGE=%u\n", number);
	told.journal = journal;
	return told;
}

static enum err
tell(struct sink *sink, unsigned number, struct fault *why)
{
	char journal[32];
	struct told told = sample(number, journal);

	return sink->calls->tell(sink, &told, why);
}

static struct sink *
journal_at(const struct place *place)
{
	struct sink *sink = NULL;

	assert_ok(sink_journal_new(place->path, &sink));
	assert_string_equal(sink->name, "journal");
	return sink;
}

/* Fills the receiver's queue; how many it took. */
static unsigned
fill(struct sink *sink)
{
	struct fault why = { "" };
	unsigned count = 0;
	enum err err;

	while ((err = tell(sink, count, &why)) == ERR_OK && count < MOST_QUEUED)
		count++;
	assert_err_equal(err, ERR_AGAIN);
	assert_non_null(strstr(why.text, "full"));
	return count;
}

static void
test_sink_says_again_to_a_stalled_receiver_and_goes_on_in_order_H8_01(void **state)
{
	struct place *place = *state;
	int fd = receiver(place);
	struct sink *sink = journal_at(place);
	struct fault why = { "" };
	unsigned count = fill(sink);
	struct pollfd room;
	char expected[32];

	assert_true(count > 0);
	/* The descriptor is what the teller waits on. */
	room = (struct pollfd){ .fd = sink->fd, .events = POLLOUT };
	assert_int_equal(poll(&room, 1, 0), 0);
	assert_err_equal(tell(sink, count, &why), ERR_AGAIN);
	for (unsigned i = 0; i < count; i++) {
		snprintf(expected, sizeof(expected), "MESSAGE=%u\n", i);
		assert_string_equal(receive(fd), expected);
	}
	assert_int_equal(poll(&room, 1, 1000), 1);
	assert_ok(tell(sink, count, &why));
	snprintf(expected, sizeof(expected), "MESSAGE=%u\n", count);
	assert_string_equal(receive(fd), expected);
	assert_string_equal(receive(fd), "");
	sink_free(sink);
	close(fd);
}

static void
test_sink_does_not_take_a_missing_socket_for_success_H8_02(void **state)
{
	struct place *place = *state;
	struct sink *sink = journal_at(place);
	struct fault why = { "" };
	int fd;

	assert_err_equal(tell(sink, 1, &why), ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, place->path));
	/* The file is there, nobody behind it. */
	close(receiver(place));
	assert_err_equal(tell(sink, 1, &why), ERR_CLOSED);
	fd = receiver(place);
	assert_ok(tell(sink, 1, &why));
	assert_string_equal(receive(fd), "MESSAGE=1\n");
	sink_free(sink);
	close(fd);
}

static void
test_sink_connects_anew_to_a_receiver_that_was_restarted(void **state)
{
	struct place *place = *state;
	int fd = receiver(place);
	struct sink *sink = journal_at(place);
	struct fault why = { "" };

	assert_ok(tell(sink, 1, &why));
	close(fd);
	fd = receiver(place);
	assert_ok(tell(sink, 2, &why));
	assert_string_equal(receive(fd), "MESSAGE=2\n");
	/* Also one that died with a full queue. */
	fill(sink);
	close(fd);
	fd = receiver(place);
	assert_ok(tell(sink, 3, &why));
	assert_string_equal(receive(fd), "MESSAGE=3\n");
	sink_free(sink);
	close(fd);
}

/* The descriptor in an empty datagram. */
static int
receive_file(int fd)
{
	char byte;
	struct iovec room = { &byte, 1 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *rights;
	int file = -1;

	assert_int_equal(recvmsg(fd, &header, MSG_CMSG_CLOEXEC), 0);
	rights = CMSG_FIRSTHDR(&header);
	assert_non_null(rights);
	assert_int_equal(rights->cmsg_type, SCM_RIGHTS);
	memcpy(&file, CMSG_DATA(rights), sizeof(file));
	return file;
}

static void
test_sink_sends_a_big_message_as_a_sealed_file(void **state)
{
	struct place *place = *state;
	int fd = receiver(place);
	struct sink *sink = journal_at(place);
	struct fault why = { "" };
	char journal[32];
	struct told told = sample(1, journal);
	char *big = malloc(BIG);
	char *read_back = malloc(BIG);
	struct stat status;
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int file;

	memset(big, 'x', BIG);
	told.journal = big;
	told.journal_len = BIG;
	assert_ok(sink->calls->tell(sink, &told, &why));
	file = receive_file(fd);
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &status), 0);
	assert_int_equal(status.st_size, BIG);
	assert_int_equal(fcntl(file, F_GET_SEALS), seals); /* or journald does not take it */
	assert_int_equal(pread(file, read_back, BIG, 0), BIG);
	assert_memory_equal(read_back, big, BIG);
	close(file);
	/* A stalled receiver is one for files as well. */
	fill(sink);
	assert_err_equal(sink->calls->tell(sink, &told, &why), ERR_AGAIN);
	free(big);
	free(read_back);
	sink_free(sink);
	close(fd);
}

static void
test_sink_writes_the_line_that_syslog_3_writes(void **state)
{
	struct place *place = *state;
	static const struct {
		const char *name;
		enum level level;
		int facility;
		int first; /* facility * 8 + severity */
	} rows[] = {
		{ "mail, error", LEVEL_ERROR, MAIL, 19 },
		{ "mail, critical", LEVEL_CRITICAL, MAIL, 18 },
		{ "daemon, info", LEVEL_INFO, 3, 30 },
		{ "local7, notice", LEVEL_NOTICE, 23, 189 },
	};
	int fd = receiver(place);

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sink *sink = NULL;
		struct fault why = { "" };
		char journal[32];
		struct told told = sample(1, journal);
		char expected[200];

		unit_row(rows[i].name);
		told.level = rows[i].level;
		assert_ok(sink_syslog_new(place->path, rows[i].facility, &sink));
		assert_string_equal(sink->name, "syslog");
		assert_ok(sink->calls->tell(sink, &told, &why));
		/* The day is two wide, and a blank stands for its 0 (RFC 3164 4.1.2). */
		snprintf(expected, sizeof(expected), "<%d>Oct  3 09:00:00 mboxwatchd[%d]: " LINE,
			rows[i].first, (int)getpid());
		assert_string_equal(receive(fd), expected);
		sink_free(sink);
	}
	close(fd);
}

static void
test_sink_of_syslog_waits_for_nobody_H8_04(void **state)
{
	struct place *place = *state;
	struct sink *sink = NULL;
	struct fault why = { "" };
	int fd;

	assert_ok(sink_syslog_new(place->path, MAIL, &sink));
	assert_err_equal(tell(sink, 1, &why), ERR_NOT_FOUND);
	fd = receiver(place);
	fill(sink);
	while (receive(fd)[0] != '\0')
		;
	assert_ok(tell(sink, 1, &why));
	sink_free(sink);
	close(fd);
}

static void
test_sink_of_stderr_says_when_nobody_reads(void **state)
{
	struct sink *sink = NULL;
	struct fault why = { "" };
	char journal[32];
	struct told told = sample(1, journal);
	int before = dup(STDERR_FILENO);
	int ends[2];
	char text[200] = "";
	ssize_t len;
	enum err err;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_ok(sink_stderr_new(&sink));
	dup2(ends[1], STDERR_FILENO);
	err = sink->calls->tell(sink, &told, &why);
	len = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	if (err == ERR_OK)
		err = sink->calls->tell(sink, &told, &why) == ERR_CLOSED ? ERR_OK : ERR_IO;
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	assert_ok(err);
	assert_int_equal(len, (ssize_t)strlen(text));
	assert_string_equal(text, LINE "\n");
	assert_non_null(strstr(why.text, "stderr"));
	sink_free(sink);
}

static void
test_sink_refuses_a_path_that_no_socket_can_have(void **state)
{
	char path[200];
	struct sink *sink = NULL;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_err_equal(sink_journal_new(path, &sink), ERR_INVALID);
	assert_err_equal(sink_syslog_new(path, MAIL, &sink), ERR_INVALID);
	sink_free(NULL);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, drop_place)

static const struct CMUnitTest tests[] = {
	WITH_PLACE(test_sink_says_again_to_a_stalled_receiver_and_goes_on_in_order_H8_01),
	WITH_PLACE(test_sink_does_not_take_a_missing_socket_for_success_H8_02),
	WITH_PLACE(test_sink_connects_anew_to_a_receiver_that_was_restarted),
	WITH_PLACE(test_sink_sends_a_big_message_as_a_sealed_file),
	WITH_PLACE(test_sink_writes_the_line_that_syslog_3_writes),
	WITH_PLACE(test_sink_of_syslog_waits_for_nobody_H8_04),
	cmocka_unit_test(test_sink_of_stderr_says_when_nobody_reads),
	cmocka_unit_test(test_sink_refuses_a_path_that_no_socket_can_have),
};

UNIT_MAIN(tests)
