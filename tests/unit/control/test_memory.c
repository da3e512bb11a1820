/*
 * test_memory.c: the nth allocation fails while a request is answered, n growing until none does
 * (H6-19): the answer is the right one, or 503, or the connection ends; an answer that is whole is
 * sound, and the next request is answered as ever.
 */
#include "../unit.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../fault.h"
#include "fake.h"

/* A whole answer is far shorter. */
static char answer[4 * 1024 * 1024];

static const struct request_row {
	const char *name;
	const char *method;
	const char *path;
	const char *body; /* NULL: none */
	int status;
} rows[] = {
	{ "status", "GET", "/v1/status", NULL, 200 },
	{ "status of a few", "GET",
		"/v1/status?select=box00000*,@nowhere.example&select=label.owner=a*&limit=3", NULL,
		200 },
	{ "a mailbox", "GET", "/v1/mailboxes/box000003", NULL, 200 },
	{ "no mailbox", "GET", "/v1/mailboxes/nobody%40example.com", NULL, 404 },
	{ "events", "GET", "/v1/events?select=state:failing", NULL, 200 },
	{ "causes", "GET", "/v1/causes", NULL, 200 },
	{ "metrics", "GET", "/metrics", NULL, 200 },
	{ "health", "GET", "/healthz", NULL, 200 },
	{ "a bad selector", "GET", "/v1/status?select=state:well", NULL, 400 },
	{ "no route", "GET", "/v2", NULL, 404 },
	{ "another method", "DELETE", "/v1/status", NULL, 405 },
	{ "pause", "POST", "/v1/mailboxes/box000001/pause", "{\"for\":\"2h\",\"reason\":\"x\"}",
		200 },
	{ "no pause", "POST", "/v1/mailboxes/box000001/pause", "{\"form\":\"2h\"}", 422 },
	{ "no JSON", "POST", "/v1/mailboxes/box000001/pause", "{\"for\":", 400 },
	{ "resume", "POST", "/v1/mailboxes/box000002/resume", "{}", 200 },
	{ "probe", "POST", "/v1/mailboxes/box000002/probe?wait=1", NULL, 200 },
	{ "probe a few", "POST", "/v1/probe?select=box00000*", NULL, 202 },
	{ "reload", "POST", "/v1/reload", NULL, 200 },
	{ "test-alert", "POST", "/v1/test-alert", "{\"sink\":\"journal\"}", 200 },
};

/* The status of the answer, 0 where there is none. Allocates nothing. */
static int
ask(struct fake *fake, const struct request_row *row)
{
	char request[512];
	int fd = fake_connect(fake);
	size_t len = 0;

	assert_true(fd >= 0);
	snprintf(request, sizeof(request),
		"%s %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		row->method, row->path, row->body ? strlen(row->body) : 0,
		row->body ? row->body : "");
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	for (mono_t end = mono_add(mono_now(), 60 * US_PER_S); mono_is_before(mono_now(), end);) {
		ssize_t got = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (got > 0)
			len += (size_t)got;
		event_base_loop(fake->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
	answer[len] = '\0';
	close(fd);
	event_base_loop(fake->base, EVLOOP_NONBLOCK);
	return answer_status(answer);
}

/* Cut off, it is seen to be. */
static bool
is_whole(void)
{
	const char *length = strcasestr(answer, "\r\nContent-Length: ");
	const char *body = strstr(answer, "\r\n\r\n");
	size_t len = strlen(answer);

	if (!body)
		return false;
	if (length && length < body)
		return strlen(body + 4) == (size_t)atol(length + 18);
	return len > 5 && strcmp(answer + len - 5, "0\r\n\r\n") == 0;
}

static void
judge_body(void)
{
	json_t *json;

	if (!is_whole() || !strcasestr(answer, "\r\nContent-Type: application/") ||
		strcasestr(answer, "ndjson"))
		return;
	/* No memory for the words: the status says it. */
	if (answer_status(answer) >= 400 && strstr(answer, "\r\nContent-Length: 0\r\n"))
		return;
	json = json_loads(answer_body(answer), 0, NULL);
	if (!json)
		fail_msg("no JSON: %s", answer);
	json_decref(json);
}

static bool
is_right(const struct request_row *row, int status)
{
	if (status == row->status)
		return true;
	/* jansson takes a string that found no memory for a mistake. */
	return fault_struck() && (status == 0 || status == 503 || (row->body && status == 400));
}

static void
make_anew(struct fake *fake)
{
	fake->resumes = 0;
	for (uint32_t i = 0; i < fake->watch.room; i++)
		fake->watch.views[i].is_paused = false;
}

static void
test_control_bears_each_allocation_that_fails_H6_19(void **state)
{
	struct fake *fake = *state;

	fake->is_well = fake->is_probe_done_at_once = true;
	fake->told = fake_told(7, "support", "a test");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fault_loop loop;

		unit_row(rows[i].name);
		for (fault_begin(&loop); fault_next(&loop);) {
			int status;

			make_anew(fake);
			fault_on();
			status = ask(fake, &rows[i]);
			fault_off();
			if (!is_right(&rows[i], status))
				fail_msg("allocation %lu%s: %.400s", loop.at,
					loop.is_lasting ? " on" : "", answer);
			judge_body();
			make_anew(fake);
			assert_int_equal(ask(fake, &rows[i]), rows[i].status);
			assert_true(is_whole());
			judge_body();
		}
		print_message("# %lu turns\n", loop.turns);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_control_bears_each_allocation_that_fails_H6_19,
			fake_set_up, fake_tear_down),
	};

	fault_json();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
