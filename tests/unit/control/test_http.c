/*
 * test_http.c: the status socket by its wire: a real socket, a daemon of paper (fake.c).
 * hostile.md 5.
 */
#include "../unit.h"

#include "fake.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLOSE "Host: d\r\nConnection: close\r\n\r\n"

static void
send_all(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The JSON of an answer, the caller's. */
static json_t *
json_of(char *answer)
{
	json_error_t error;
	json_t *document = json_loads(answer_body(answer), 0, &error);

	if (!document)
		fail_msg("no JSON: %s: %s", error.text, answer);
	return document;
}

static size_t
mailboxes_of(char *answer)
{
	json_t *document = json_of(answer);
	size_t count = json_array_size(json_object_get(document, "mailboxes"));

	json_decref(document);
	return count;
}

static void
test_routes_answer(void **state)
{
	struct fake *fake = *state;
	static const struct {
		const char *name;
		const char *request;
		int status;
		const char *holds; /* in the whole answer */
	} rows[] = {
		{ "status", "GET /v1/status HTTP/1.1\r\n" CLOSE, 200, "\"counts\":{\"total\":20" },
		{ "one mailbox", "GET /v1/mailboxes/box000003 HTTP/1.1\r\n" CLOSE, 200,
			"\"cause\":\"bad_credentials\"" },
		{ "no such mailbox", "GET /v1/mailboxes/nobody HTTP/1.1\r\n" CLOSE, 404,
			"\"code\":\"no_such_mailbox\"" },
		{ "causes", "GET /v1/causes HTTP/1.1\r\n" CLOSE, 200,
			"{\"cause\":\"bad_credentials\",\"stages\":[\"auth\"]" },
		{ "health", "GET /healthz HTTP/1.1\r\n" CLOSE, 200, "\r\n\r\nok\n" },
		{ "metrics", "GET /metrics HTTP/1.1\r\n" CLOSE, 200,
			"Content-Type: text/plain; version=0.0.4; charset=utf-8" },
		{ "no such route", "GET /v1/nothing HTTP/1.1\r\n" CLOSE, 404,
			"application/problem+json" },
		{ "a route of a later day", "GET /v1/history/box000003 HTTP/1.1\r\n" CLOSE, 404,
			"\"code\":\"no_such_route\"" },
		{ "a wrong method", "POST /v1/status HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE, 405,
			"Allow: GET, HEAD" },
		{ "a reading of what changes", "GET /v1/reload HTTP/1.1\r\n" CLOSE, 405,
			"Allow: POST" },
		{ "PATCH", "PATCH /healthz HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE, 405,
			"\"code\":\"bad_method\"" },
		{ "TRACE", "TRACE /healthz HTTP/1.1\r\n" CLOSE, 405, "" },
		{ "a bad selector", "GET /v1/status?select=state:bad HTTP/1.1\r\n" CLOSE, 400,
			"\"code\":\"bad_selector\"" },
		{ "a bad limit", "GET /v1/status?limit=x HTTP/1.1\r\n" CLOSE, 400, "limit" },
		{ "a bad after", "GET /v1/status?after=nobody HTTP/1.1\r\n" CLOSE, 400, "after" },
		{ "a bad since", "GET /v1/events?since=x HTTP/1.1\r\n" CLOSE, 400, "since" },
		{ "the absolute form", "GET http://d/healthz HTTP/1.1\r\n" CLOSE, 200, "ok" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *answer;

		unit_row(rows[i].name);
		answer = fake_ask(fake, rows[i].request);
		assert_int_equal(answer_status(answer), rows[i].status);
		if (!strstr(answer, rows[i].holds))
			fail_msg("\"%s\" is not in: %s", rows[i].holds, answer);
		free(answer);
	}
}

/* Contract 5: worst first; limit and after give every mailbox once. */
static void
test_status_is_paged_worst_first(void **state)
{
	struct fake *fake = *state;
	char path[160] = "/v1/status?limit=3", names[4096] = "";
	unsigned count = 0;

	for (unsigned page = 0; *path && page < 20; page++) {
		char *answer = fake_get(fake, path);
		json_t *document = json_of(answer), *mailbox;
		const char *next = json_string_value(json_object_get(document, "next"));
		size_t i;

		json_array_foreach(json_object_get(document, "mailboxes"), i, mailbox)
		{
			const char *name = json_string_value(json_object_get(mailbox, "name"));
			bool is_failing =
				strstr(json_string_value(json_object_get(mailbox, "state")),
					"failing") != NULL;

			assert_int_equal(is_failing, count < 3);
			assert_null(strstr(names, name));
			strcat(strcat(names, name), ",");
			count++;
		}
		*path = '\0';
		if (next)
			snprintf(path, sizeof(path), "/v1/status?limit=3&after=%s", next);
		json_decref(document);
		free(answer);
	}
	assert_int_equal(count, 20);
}

static void
test_status_is_selected(void **state)
{
	struct fake *fake = *state;
	static const struct {
		const char *path;
		size_t count;
	} rows[] = {
		{ "/v1/status?select=state:failing", 3 },
		{ "/v1/status?select=box00000*", 9 },
		{ "/v1/status?select=box000001&select=box000002", 2 },
		{ "/v1/status?select=box000001,box000002,box000001", 2 },
		{ "/v1/status?select=nobody", 0 },
		{ "/v1/status?limit=0", 0 },
		/* H5-12: a plus is no blank. */
		{ "/v1/status?select=u+tag@example.com", 1 },
		{ "/v1/status?select=u%2Btag@example.com", 1 },
		{ "/v1/status?select=u%2btag%40example.com", 1 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *answer;

		unit_row(rows[i].path);
		answer = fake_get(fake, rows[i].path);
		assert_int_equal(answer_status(answer), 200);
		assert_int_equal(mailboxes_of(answer), rows[i].count);
		free(answer);
	}
	free(fake_get(fake, "/v1/mailboxes/u+tag@example.com"));
}

/* H5-11, H5-12 */
static void
test_paths_lead_nowhere_else(void **state)
{
	struct fake *fake = *state;
	char longest[10300] = "/v1/mailboxes/";
	static const struct {
		const char *path;
		int status;
	} rows[] = {
		{ "/v1/mailboxes/u+tag@example.com", 200 },
		{ "/v1/mailboxes/u%2Btag@example.com", 200 },
		{ "/v1/mailboxes/u%20tag@example.com", 404 },
		{ "/v1/mailboxes/../reload", 404 },
		{ "/v1/mailboxes/%2e%2e%2freload", 404 },
		{ "/v1/mailboxes/..", 404 },
		{ "/v1/mailboxes/%00", 400 },
		{ "/v1/mailboxes/box000003%00", 400 },
		{ "/v1/mailboxes/%ZZ", 400 },
		{ "/v1/mailboxes/%2", 400 },
		{ "/v1/mailboxes/%0a", 400 },
		{ "/v1/mailboxes//", 404 },
		{ "//v1/status", 404 },
		{ "/v1/status/", 404 },
		{ "/v1/mailboxes/box000003;x", 404 },
		{ "/v1/status;x", 404 },
		{ "/a/b/c/d/e/f/g/h", 404 },
		{ "/v1/status?select=%zz", 400 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *answer;

		unit_row(rows[i].path);
		answer = fake_get(fake, rows[i].path);
		assert_int_equal(answer_status(answer), rows[i].status);
		free(answer);
		if (rows[i].status == 200)
			continue;
		answer = fake_post(fake, rows[i].path, "");
		assert_in_range(answer_status(answer), 400, 405);
		free(answer);
	}
	memset(longest + strlen(longest), 'a', 10000);
	longest[10014] = '\0';
	free(fake_get(fake, longest));
	assert_int_equal(fake->reloads, 0);
}

/* H5-01 */
static void
test_nonsense_is_refused_alone(void **state)
{
	struct fake *fake = *state;
	static const struct {
		const char *name;
		const char *request;
		int least, most; /* 0: closed without a word */
	} rows[] = {
		{ "a TLS hello", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", 0, 501 },
		{ "no version", "GET /\r\n\r\n", 0, 404 },
		{ "HTTP/9.9", "GET /healthz HTTP/9.9\r\n\r\n", 0, 505 },
		{ "no method", "/healthz HTTP/1.1\r\n\r\n", 0, 501 },
		{ "an unknown method", "FOO /healthz HTTP/1.1\r\n" CLOSE, 400, 501 },
		{ "a blank in the path", "GET /heal thz HTTP/1.1\r\n" CLOSE, 400, 404 },
		{ "an escape in the path", "GET /heal\033[2J HTTP/1.1\r\n" CLOSE, 400, 400 },
		{ "no slash", "GET healthz HTTP/1.1\r\n" CLOSE, 400, 400 },
		{ "a head without an end", "GET /healthz HTTP/1.1\r\nX", 0, 0 },
		/* H5-04 */
		{ "a length of 1 G",
			"POST /v1/reload HTTP/1.1\r\nContent-Length: 1073741824\r\n" CLOSE, 413,
			413 },
		{ "a length below 0", "POST /v1/reload HTTP/1.1\r\nContent-Length: -1\r\n" CLOSE,
			400, 413 },
		{ "a length beside chunks",
			"POST /v1/reload HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: "
			"chunked\r\n" CLOSE "0\r\n\r\n",
			400, 413 },
		{ "a chunk of 1 G",
			"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
			"40000000\r\n",
			400, 413 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int fd = fake_connect(fake), status;
		char text[4096] = "";
		ssize_t got = 0;

		unit_row(rows[i].name);
		assert_true(fd >= 0);
		assert_true(send(fd, rows[i].request, strlen(rows[i].request), MSG_NOSIGNAL) > 0);
		fake_turn(fake, 20);
		shutdown(fd, SHUT_WR);
		if (fake_await(fake, fd))
			got = recv(fd, text, sizeof(text) - 1, 0);
		status = got > 0 ? answer_status(text) : 0;
		if (status < rows[i].least || status > rows[i].most)
			fail_msg("%d is not within %d and %d: %s", status, rows[i].least,
				rows[i].most, text);
		close(fd);
	}
	assert_int_equal(fake->reloads, 0);
	free(fake_get(fake, "/healthz"));
}

/* H5-01: 64 KiB of chance; H5-02: heads without end are cut off while they come. */
static void
test_endless_heads_are_cut_off(void **state)
{
	struct fake *fake = *state;
	static const char *const begins[] = { "", "GET /",
		"GET / HTTP/1.1\r\nX: ", "GET / HTTP/1.1\r\n" };
	static const char *const parts[] = { "\xf3\x81Q\x02z", "aaaaaaaa", "bbbbbbbb", "X: y\r\n" };

	for (size_t i = 0; i < COUNT_OF(begins); i++) {
		int fd = fake_connect(fake);
		size_t sent = 0;
		bool is_closed = false;

		unit_row(begins[i]);
		send(fd, begins[i], strlen(begins[i]), MSG_NOSIGNAL);
		while (!is_closed && sent < 4 * 1024 * 1024) {
			struct buf block = { 0 };
			ssize_t now;

			while (block.len < 4096)
				buf_put_string(&block, parts[i]);
			now = send(fd, block.at, block.len, MSG_DONTWAIT | MSG_NOSIGNAL);
			buf_done(&block);
			fake_turn(fake, 0);
			if (now > 0)
				sent += (size_t)now;
			else
				is_closed = now < 0 && errno != EAGAIN;
			if (now < 0 && errno == EAGAIN) {
				char text[512];

				is_closed = recv(fd, text, sizeof(text), MSG_DONTWAIT) >= 0;
			}
		}
		assert_true(is_closed);
		/* What lies in the kernel's queue beside what was read: not a megabyte. */
		assert_true(sent < 1024 * 1024);
		close(fd);
	}
}

static void
test_two_requests_in_one_segment_keep_their_order(void **state)
{
	struct fake *fake = *state;
	char *answer = fake_ask(
		fake, "GET /healthz HTTP/1.1\r\nHost: d\r\n\r\nGET /v1/nothing HTTP/1.1\r\n" CLOSE);
	char *first = strstr(answer, "200 OK"), *second = strstr(answer, "404 Not Found");
	int fd = fake_connect(fake);
	char text[1024] = "";

	assert_non_null(first);
	assert_non_null(second);
	assert_true(first < second);
	free(answer);
	send_all(fd,
		"POST /v1/reload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" CLOSE);
	assert_true(fake_await(fake, fd));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "100 Continue"));
	send_all(fd, "[]");
	assert_true(fake_await(fake, fd));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(answer_status(text), 400);
	close(fd);
}

static void
test_head_has_no_body(void **state)
{
	struct fake *fake = *state;
	static const char *const paths[] = { "/v1/status", "/healthz", "/metrics", "/v1/causes",
		"/v1/events", "/v1/events?follow=1", "/v1/nothing", "/v1/mailboxes/box000003" };

	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct buf request = { 0 };
		char *answer;

		unit_row(paths[i]);
		buf_put_format(&request, "HEAD %s HTTP/1.1\r\n" CLOSE, paths[i]);
		answer = fake_ask(fake, request.at);
		assert_int_equal(answer_status(answer), i == 6 ? 404 : 200);
		assert_string_equal(answer_body(answer), "");
		assert_non_null(strstr(answer, "Content-Type:"));
		free(answer);
		buf_done(&request);
	}
}

/* H5-05: bodies that are no JSON, or too deep, never reach the daemon. */
static void
test_bodies_are_judged(void **state)
{
	struct fake *fake = *state;
	char *deep = malloc(200001);
	static const struct {
		const char *name;
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{ "no JSON", "for=2h", 400, "bad_json" },
		{ "a list", "[]", 400, "bad_json" },
		{ "a doubled member", "{\"for\":\"2h\",\"for\":\"3h\"}", 400, "bad_json" },
		{ "1e999", "{\"for\":1e999}", 400, "bad_json" },
		{ "a NUL", "{\"reason\":\"\\u0000\"}", 400, "bad_json" },
		{ "half a surrogate", "{\"reason\":\"\\ud800\"}", 400, "bad_json" },
		{ "bytes behind the end", "{} {}", 400, "bad_json" },
		{ "broken UTF-8", "{\"reason\":\"\xff\"}", 400, "bad_json" },
		{ "an unknown member", "{\"form\":\"2h\"}", 422, "invalid" },
		{ "a wrong duration", "{\"for\":\"2x\"}", 422, "\"setting\":\"for\"" },
		{ "a duration of 0", "{\"for\":0}", 422, "\"setting\":\"for\"" },
		{ "a wrong type", "{\"reason\":[]}", 422, "\"setting\":\"reason\"" },
	};

	assert_non_null(deep);
	memset(deep, '[', 200000);
	deep[200000] = '\0';
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *answer;

		unit_row(rows[i].name);
		answer = fake_post(fake, "/v1/mailboxes/box000001/pause", rows[i].body);
		assert_int_equal(answer_status(answer), rows[i].status);
		assert_non_null(strstr(answer, rows[i].code));
		assert_non_null(strstr(answer, "application/problem+json"));
		free(answer);
	}
	unit_row("nested 200,000 deep");
	{
		char *answer = fake_post(fake, "/v1/mailboxes/box000001/pause", deep);

		assert_int_equal(answer_status(answer), 400);
		free(answer);
	}
	free(deep);
	assert_int_equal(fake->pauses, 0);
}

static void
test_changes_reach_the_daemon(void **state)
{
	struct fake *fake = *state;
	char *answer = fake_post(
		fake, "/v1/mailboxes/box000001/pause", "{\"for\":\"2h\",\"reason\":\"moving\"}");

	assert_int_equal(answer_status(answer), 200);
	assert_non_null(strstr(answer, "\"state\":\"paused\""));
	assert_int_equal(fake->last_for_us, 2 * US_PER_H);
	assert_string_equal(fake->last_reason, "moving");
	assert_true(strlen(fake->last_who) > 0);
	free(answer);
	answer = fake_post(fake, "/v1/mailboxes/box000001/probe?wait=1", "");
	assert_int_equal(answer_status(answer), 409);
	assert_non_null(strstr(answer, "\"code\":\"paused\""));
	free(answer);
	for (int i = 0; i < 2; i++)
		free(fake_post(fake, "/v1/mailboxes/box000001/resume", ""));
	answer = fake_post(fake, "/v1/mailboxes/box000001/resume", "");
	assert_int_equal(answer_status(answer), 429);
	assert_non_null(strstr(answer, "Retry-After: 2\r\n"));
	free(answer);
	answer = fake_post(fake, "/v1/mailboxes/nobody/pause", "");
	assert_int_equal(answer_status(answer), 404);
	free(answer);
	answer = fake_post(fake, "/v1/test-alert", "{\"sink\":\"nobody\"}");
	assert_int_equal(answer_status(answer), 404);
	assert_non_null(strstr(answer, "no_such_sink"));
	free(answer);
	answer = fake_post(fake, "/v1/test-alert", "");
	assert_int_equal(answer_status(answer), 200);
	assert_int_equal(fake->tests, 1);
	free(answer);
	fake->is_well = false;
	answer = fake_get(fake, "/healthz");
	assert_int_equal(answer_status(answer), 503);
	assert_non_null(strstr(answer, "state cannot be written"));
	free(answer);
}

/* H5-18: a waiting probe is answered when it is judged; one whose client left is nobody's. */
static void
test_probe_waits_for_its_verdict(void **state)
{
	struct fake *fake = *state;
	char text[4096] = "", *answer;
	int fd = fake_connect(fake), gone = fake_connect(fake);

	send_all(fd, "POST /v1/mailboxes/box000003/probe?wait=1 HTTP/1.1\r\n" CLOSE);
	fake_turn(fake, 20);
	assert_int_equal(fake->probes, 1);
	assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), -1);
	send_all(gone, "POST /v1/mailboxes/box000003/probe?wait=1 HTTP/1.1\r\n" CLOSE);
	fake_turn(fake, 20);
	assert_int_equal(fake->request_count, 2);
	close(gone);
	fake_turn(fake, 20);
	for (size_t i = 0; i < fake->request_count; i++)
		control_probe_done(fake->control, fake->requests[i]);
	control_probe_done(fake->control, fake->requests[0]); /* once too often is no harm */
	assert_true(fake_await(fake, fd));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(answer_status(text), 200);
	assert_non_null(strstr(text, "\"name\":\"box000003\""));
	close(fd);
	answer = fake_post(fake, "/v1/mailboxes/box000003/probe", "");
	assert_int_equal(answer_status(answer), 202);
	free(answer);
}

static void
test_a_selection_is_probed(void **state)
{
	struct fake *fake = *state;
	json_t *document;
	char *answer;

	fake->is_probe_done_at_once = true;
	free(fake_post(fake, "/v1/mailboxes/box000001/pause", ""));
	answer = fake_post(fake, "/v1/probe?wait=1", "{\"select\":[\"box00000*\",\"box000001\"]}");
	assert_int_equal(answer_status(answer), 200);
	document = json_of(answer);
	assert_int_equal(json_array_size(json_object_get(document, "mailboxes")), 8);
	assert_int_equal(json_array_size(json_object_get(document, "skipped")), 1);
	json_decref(document);
	free(answer);
	answer = fake_post(fake, "/v1/probe", "{\"select\":\"state:failing\"}");
	assert_int_equal(answer_status(answer), 202);
	assert_non_null(strstr(answer, "\"accepted\":3"));
	free(answer);
	answer = fake_post(fake, "/v1/probe?wait=1", "{\"select\":\"nobody\"}");
	assert_int_equal(answer_status(answer), 404);
	free(answer);
	answer = fake_post(fake, "/v1/probe?wait=1", "{\"select\":\"nobody*\"}");
	assert_int_equal(answer_status(answer), 200);
	assert_non_null(strstr(answer, "{\"mailboxes\":[],\"skipped\":[]}"));
	free(answer);
	answer = fake_post(fake, "/v1/probe?wait=1", "{\"select\":7}");
	assert_int_equal(answer_status(answer), 422);
	free(answer);
}

static void
test_reload_tells_its_faults(void **state)
{
	struct fake *fake = *state;
	struct complaint complaint = { .file = (char *)"/etc/x.conf",
		.line = 7,
		.setting = (char *)"mailboxes.support.port",
		.text = (char *)"\"imap\" is no port; a number would be" };
	struct complaints complaints = { .items = &complaint, .count = 1, .faults = 1 };
	char text[4096] = "";
	int fd = fake_connect(fake);

	send_all(fd, "POST /v1/reload HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE);
	fake_turn(fake, 20);
	assert_int_equal(fake->reloads, 1);
	control_reload_done(fake->control, fake->last_request, ERR_INVALID, &complaints, NULL);
	assert_true(fake_await(fake, fd));
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_int_equal(answer_status(text), 422);
	assert_non_null(
		strstr(text, "\"faults\":[{\"setting\":\"mailboxes.support.port\",\"message\":"
			     "\"\\\"imap\\\" is no "
			     "port; a number would be\",\"file\":\"/etc/x.conf\",\"line\":7}]"));
	close(fd);
}

/* H5-03: each is closed 10 s after its first byte; a new reader is served meanwhile. In small: 50,
 * and 11 s. */
static void
test_slow_requests_have_a_deadline(void **state)
{
	struct fake *fake = *state;
	int fds[50];
	mono_t begin = mono_now();
	size_t open = COUNT_OF(fds);
	char text[64], *answer;

	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = fake_connect(fake);
		send_all(fds[i], "G");
	}
	for (int second = 0; second < 9; second++) {
		fake_turn(fake, 1000);
		for (size_t i = 0; i < COUNT_OF(fds); i++)
			send_all(fds[i], second == 0   ? "E"
					 : second == 1 ? "T"
					 : second == 2 ? " "
						       : "/");
	}
	answer = fake_get(fake, "/healthz");
	assert_int_equal(answer_status(answer), 200);
	free(answer);
	while (open > 0 && mono_since(mono_now(), begin) < 12 * US_PER_S) {
		fake_turn(fake, 50);
		open = 0;
		for (size_t i = 0; i < COUNT_OF(fds); i++)
			open += recv(fds[i], text, sizeof(text), MSG_DONTWAIT) < 0 &&
				errno == EAGAIN;
	}
	assert_int_equal(open, 0);
	assert_true(mono_since(mono_now(), begin) > 9 * US_PER_S);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

/* Clients that leave at every point of a request leave nothing behind (the sanitizer looks). */
static void
test_clients_may_leave_at_any_byte(void **state)
{
	struct fake *fake = *state;
	static const char request[] = "GET /v1/status HTTP/1.1\r\n" CLOSE;

	for (size_t len = 0; len < sizeof(request); len++) {
		int fd = fake_connect(fake);

		send(fd, request, len, MSG_NOSIGNAL);
		if (len % 2 == 0)
			fake_turn(fake, 0);
		close(fd);
		fake_turn(fake, 0);
	}
	fake_turn(fake, 20);
}

/* H5-21 */
static void
test_no_descriptor_left_costs_nothing(void **state)
{
	struct fake *fake = *state;
	struct rlimit before, few;
	int fd = fake_connect(fake), last = dup(fd), calls = 0;
	char text[64];
	mono_t begin;

	close(last);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)last;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	send_all(fd, "GET /healthz HTTP/1.1\r\n" CLOSE);
	/* A loop that spins would turn some 100,000 times. */
	for (begin = mono_now(); mono_since(mono_now(), begin) < US_PER_S; calls++)
		event_base_loop(fake->base, EVLOOP_ONCE);
	assert_true(calls < 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(fake_await(fake, fd));
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_int_equal(answer_status(text), 200);
	close(fd);
}

/* H5-19, H5-20 */
static void
test_socket_file_is_looked_after(void **state)
{
	struct fake *fake = *state, other = *fake;
	struct control_start start = { .base = fake->base,
		.path = fake->path,
		.watch = &fake->watch,
		.settings = &fake->settings };
	struct control *second = NULL;
	struct fault why;
	struct stat stat_of;
	char path[300], *answer;
	int open = fake_connect(fake);

	(void)other;
	assert_int_equal(stat(fake->path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 0777, 0660);
	unit_row("another daemon answers");
	fake_turn(fake, 10);
	assert_err_equal(control_new(&start, &second, &why), ERR_BUSY);
	unit_row("deleted while it runs");
	assert_false(control_look_after_socket(fake->control));
	unlink(fake->path);
	assert_true(control_look_after_socket(fake->control));
	answer = fake_get(fake, "/healthz");
	assert_int_equal(answer_status(answer), 200);
	free(answer);
	unit_row("open connections went on");
	send_all(open, "GET /healthz HTTP/1.1\r\n" CLOSE);
	assert_true(fake_await(fake, open));
	assert_true(recv(open, path, sizeof(path), 0) > 0);
	assert_int_equal(answer_status(path), 200);
	close(open);
	unit_row("a directory, a file, a link, a long path");
	snprintf(path, sizeof(path), "%s/x", fake->folder);
	start.path = path;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_err_equal(control_new(&start, &second, &why), ERR_INVALID);
	rmdir(path);
	fclose(fopen(path, "w"));
	assert_err_equal(control_new(&start, &second, &why), ERR_INVALID);
	unlink(path);
	assert_int_equal(symlink(fake->path, path), 0);
	assert_err_equal(control_new(&start, &second, &why), ERR_INVALID);
	assert_int_equal(stat(fake->path, &stat_of), 0);
	unlink(path);
	memset(path, 'x', 200);
	path[200] = '\0';
	assert_err_equal(control_new(&start, &second, &why), ERR_INVALID);
	unit_row("a stale one is replaced");
	snprintf(path, sizeof(path), "%s/y", fake->folder);
	{
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int stale = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(address.sun_path, sizeof(address.sun_path), "%s/y", fake->folder);
		assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
		close(stale);
	}
	assert_ok(control_new(&start, &second, &why));
	control_free(second);
	assert_int_equal(access(path, F_OK), -1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_routes_answer, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_status_is_paged_worst_first, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_status_is_selected, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_paths_lead_nowhere_else, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_nonsense_is_refused_alone, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_endless_heads_are_cut_off, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_two_requests_in_one_segment_keep_their_order, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_head_has_no_body, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_bodies_are_judged, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_changes_reach_the_daemon, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_probe_waits_for_its_verdict, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_a_selection_is_probed, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_reload_tells_its_faults, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_clients_may_leave_at_any_byte, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_no_descriptor_left_costs_nothing, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_socket_file_is_looked_after, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_slow_requests_have_a_deadline, fake_set_up, fake_tear_down),
};

UNIT_MAIN(tests)
