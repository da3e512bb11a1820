/*
 * test_slices.c: with 100,000 mailboxes no answer holds up the main loop, whatever is asked for and
 * however slowly it is read (H5-06, H5-08, H5-13). Each turn of the loop is measured in the
 * processor's own time. The goal is 20 ms; a machine that is busy, or a sanitizer, is forgiven some
 * times that, and what is not made in slices takes a hundred times as long.
 */
#include "../unit.h"

#include "fake.h"

#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOTAL 100000
#define MOST_US (100 * US_PER_MS)
#define CLOSE "Host: d\r\nConnection: close\r\n\r\n"

static int
set_up_group(void **state)
{
	struct fake *fake = malloc(sizeof(*fake));

	if (!fake)
		return -1;
	fake_start(fake, TOTAL);
	fake->is_probe_done_at_once = true;
	*state = fake;
	return 0;
}

/* One reader: what it got, and how often a line began with `word`. */
struct reader {
	int fd;
	bool is_over;
	size_t got;
	size_t words;
	char text[65536 + 32]; /* the tail of the last piece in front, for a word that was split */
	size_t kept;
	int status;
};

static void
reader_start(struct fake *fake, struct reader *reader, const char *request)
{
	size_t len = strlen(request), sent = 0;

	*reader = (struct reader){ .fd = fake_connect(fake) };
	assert_true(reader->fd >= 0);
	while (sent < len) {
		ssize_t now =
			send(reader->fd, request + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (now > 0)
			sent += (size_t)now;
		else if (errno != EAGAIN)
			break; /* it has been answered already */
		fake_turn(fake, 0);
	}
}

static void
reader_read(struct reader *reader, const char *word)
{
	size_t len = strlen(word);
	char *at = reader->text + reader->kept;
	ssize_t now = reader->is_over ? 0 : recv(reader->fd, at, 65536, MSG_DONTWAIT);

	if (now < 0)
		return;
	if (reader->got == 0 && now > 12)
		reader->status = answer_status(at);
	reader->is_over = now == 0;
	reader->got += (size_t)now;
	at = reader->text;
	now += (ssize_t)reader->kept;
	at[now] = '\0';
	while ((at = memmem(at, (size_t)(reader->text + now - at), word, len))) {
		reader->words++;
		at += len;
	}
	reader->kept = (size_t)now < len - 1 ? (size_t)now : len - 1;
	memmove(reader->text, reader->text + now - reader->kept, reader->kept);
}

static void
readers_read_all(struct fake *fake, struct reader *readers, size_t count, const char *word)
{
	size_t open = count;

	while (open > 0) {
		fake_turn(fake, 0);
		open = 0;
		for (size_t i = 0; i < count; i++) {
			reader_read(&readers[i], word);
			open += !readers[i].is_over;
		}
	}
	for (size_t i = 0; i < count; i++)
		close(readers[i].fd);
}

static void
assert_no_long_step(struct fake *fake)
{
	printf("#   the longest turn of the loop: %.1f ms\n",
		(double)fake->longest_step_us / US_PER_MS);
	fflush(stdout);
	assert_in_range(fake->longest_step_us, 0, MOST_US);
	fake->longest_step_us = 0;
}

/* A question, and how many lines its answer has that begin with word. */
static void
ask(struct fake *fake, const char *name, const char *request, const char *word, int status,
	size_t count)
{
	struct reader *reader = malloc(sizeof(*reader));

	assert_non_null(reader);
	unit_row(name);
	fake->longest_step_us = 0;
	reader_start(fake, reader, request);
	readers_read_all(fake, reader, 1, word);
	assert_int_equal(reader->status, status);
	assert_int_equal(reader->words, count);
	assert_no_long_step(fake);
	free(reader);
}

static void
test_readers_together_are_no_longer_step_than_one(void **state)
{
	struct fake *fake = *state;
	struct reader *readers = calloc(3, sizeof(*readers));

	assert_non_null(readers);
	unit_row("3 readers of /v1/status");
	fake->longest_step_us = 0;
	for (size_t i = 0; i < 3; i++)
		reader_start(fake, &readers[i], "GET /v1/status HTTP/1.1\r\n" CLOSE);
	readers_read_all(fake, readers, 3, "\n{\"name\"");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(readers[i].words, TOTAL);
	assert_no_long_step(fake);
	free(readers);
}

static void
test_answers_come_in_slices(void **state)
{
	struct fake *fake = *state;

	ask(fake, "metrics", "GET /metrics HTTP/1.1\r\n" CLOSE, "\nmboxwatch_mailbox_info{", 200,
		TOTAL);
	ask(fake, "one of all", "GET /v1/status?limit=1&select=state:unknown HTTP/1.1\r\n" CLOSE,
		"\n{\"name\"", 200, 0);
	ask(fake, "the last page",
		"GET /v1/status?after=box099997&select=state:ok HTTP/1.1\r\n" CLOSE, "\n{\"name\"",
		200, 1);
	ask(fake, "a probe of 10,000",
		"POST /v1/probe?wait=1 HTTP/1.1\r\nContent-Length: 19\r\n" CLOSE
		"{\"select\":\"box00*\"}",
		"\n{\"name\"", 200, TOTAL / 10);
}

/* So many times `piece`, its %06 a number, between `head` and `tail`. */
static char *
repeated(const char *head, const char *piece, size_t count, const char *tail)
{
	struct buf out = { 0 };

	buf_put_string(&out, head);
	for (size_t i = 0; i < count; i++) {
		const char *number = strstr(piece, "%06");

		if (number)
			buf_put_format(&out, "%.*s%06zu", (int)(number - piece), piece, i);
		else
			buf_put_string(&out, piece);
	}
	buf_put_string(&out, tail);
	assert_false(out.is_failed);
	return buf_take(&out);
}

/* H5-13: selectors made to be slow. */
static void
test_selectors_take_linear_time(void **state)
{
	static const struct {
		const char *name;
		const char *piece;
		size_t count;
		int status;
		size_t found;
	} rows[] = {
		{ "1,000 pieces *a", "*a", 1000, 200, 0 },
		{ "1,000 pieces *0", "*0", 1000, 200, 0 },
		{ "5 pieces *0", "*0", 5, 200, 1 + 4 * 9 },
		{ "100 globs that nearly match", "&select=*0*0*0*0*0000000000000x%06", 100, 200,
			0 },
		{ "10 hosts that nearly match", "&select=host:*e*e*e*e*e*e*exampl%06", 10, 200, 0 },
		{ "100 labels", "&select=label.owner=*a*c*m*e*x%06", 100, 200, 0 },
		{ "100 names", "&select=box%06", 100, 200, 100 },
		{ "101 names", "&select=box%06", 101, 400, 0 },
		{ "10,000 names", "&select=b%06", 5000, 400, 0 },
	};
	struct fake *fake = *state;

	/* Names and hosts that a glob has much to try at. */
	for (uint32_t i = 1; i < TOTAL; i++) {
		fake->watch.views[i].sides[SIDE_SMTP].host =
			"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.exampl.eeeeeeeeeeeeeee."
			"example";
	}
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *request = repeated("GET /v1/status?select=", rows[i].piece, rows[i].count,
			" HTTP/1.1\r\n" CLOSE);

		ask(fake, rows[i].name, request, "\n{\"name\"", rows[i].status, rows[i].found);
		free(request);
	}
}

/* A body of 1 MiB, by whatever it is filled. */
static void
test_bodies_are_read_at_once(void **state)
{
	static const struct {
		const char *name;
		const char *head;
		const char *piece;
		const char *tail;
	} rows[] = {
		{ "names", "{\"select\":[", "\"a\",", "\"a\"]}" },
		{ "numbers", "{\"select\":[", "1,", "1]}" },
		{ "lists", "{\"select\":[", "[],", "1]}" },
		{ "lists in lists", "{\"select\":", "[", "]}" },
		{ "one name", "{\"select\":\"", "x", "\"}" },
		{ "one escape after the other", "{\"select\":\"", "\\u0041", "\"}" },
	};
	struct fake *fake = *state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t count = ((size_t)1024 * 1024 - 40) / strlen(rows[i].piece);
		char *body = repeated(rows[i].head, rows[i].piece, count, rows[i].tail);
		struct buf request = { 0 };

		buf_put_format(&request, "POST /v1/probe HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE,
			strlen(body));
		buf_put_string(&request, body);
		ask(fake, rows[i].name, request.at, "\n{\"name\"", 400, 0);
		buf_done(&request);
		free(body);
	}
}

/* All the events that are kept, long ones, looked at for a label; by 2 readers at once. */
static void
test_events_are_looked_at_in_slices(void **state)
{
	struct fake *fake = *state;
	struct reader *readers = calloc(2, sizeof(*readers));
	char *detail = repeated("", "the server said much; ", 40, "");

	assert_non_null(readers);
	for (unsigned i = 1; i <= STORE_EVENTS_KEPT; i++)
		control_told(fake->control, fake_told(i, "support", detail));
	free(detail);
	unit_row("a label of long events");
	fake->longest_step_us = 0;
	for (size_t i = 0; i < 2; i++)
		reader_start(fake, &readers[i],
			"GET /v1/events?select=label.owner=*a*c*x&select=state:ok "
			"HTTP/1.1\r\n" CLOSE);
	readers_read_all(fake, readers, 2, "\n{\"id\"");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(readers[i].words, 0);
	assert_no_long_step(fake);
	ask(fake, "all of them", "GET /v1/events HTTP/1.1\r\n" CLOSE, "{\"id\":\"", 200,
		STORE_EVENTS_KEPT);
	free(readers);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_answers_come_in_slices),
	cmocka_unit_test(test_selectors_take_linear_time),
	cmocka_unit_test(test_bodies_are_read_at_once),
	cmocka_unit_test(test_readers_together_are_no_longer_step_than_one),
	cmocka_unit_test(test_events_are_looked_at_in_slices),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up_group, fake_tear_down);
}
