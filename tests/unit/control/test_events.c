/*
 * test_events.c: /v1/events: kept, since, selected, followed (H5-06, H5-07).
 */
#include "../unit.h"

#include "fake.h"

#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOLLOW "GET /v1/events?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n"

static void
tell(struct fake *fake, unsigned from, unsigned to, const char *mailbox)
{
	for (; from <= to; from++)
		control_told(fake->control, fake_told(from, mailbox, "x"));
}

static size_t
count_of(const char *text, const char *word)
{
	size_t count = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		count++;
	}
	return count;
}

static void
test_events_are_kept_and_selected(void **state)
{
	struct fake *fake = *state;
	static const struct {
		const char *path;
		size_t count;
	} rows[] = {
		{ "/v1/events", 12 },
		{ "/v1/events?since=0000000000000000000000000A", 2 },
		{ "/v1/events?since=0000000000000000000000000C", 0 },
		/* One that is not kept (any more): what is behind it. */
		{ "/v1/events?since=00000000000000000000000000", 12 },
		{ "/v1/events?since=7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 0 },
		{ "/v1/events?since=2026-11-24T00:00:11Z", 2 },
		{ "/v1/events?since=2030-01-01T00:00:00Z", 0 },
		{ "/v1/events?select=support", 10 },
		{ "/v1/events?select=other", 2 },
		{ "/v1/events?select=host:imap.example.com", 12 },
		{ "/v1/events?select=cause:bad_credentials", 12 },
		{ "/v1/events?select=state:failing", 12 },
		{ "/v1/events?select=state:ok", 0 },
		{ "/v1/events?select=label.owner=acme", 12 },
		{ "/v1/events?select=label.owner=x", 0 },
		{ "/v1/events?follow=0&select=other", 2 },
	};

	tell(fake, 1, 10, "support");
	tell(fake, 11, 12, "other");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *answer, *body;

		unit_row(rows[i].path);
		answer = fake_get(fake, rows[i].path);
		assert_int_equal(answer_status(answer), 200);
		assert_non_null(strstr(answer, "Content-Type: application/x-ndjson"));
		body = answer_body(answer);
		assert_int_equal(count_of(body, "\n"), rows[i].count);
		assert_int_equal(count_of(body, "\"event\":\"state\""), rows[i].count);
		free(answer);
	}
}

static void
test_the_last_10000_are_kept(void **state)
{
	struct fake *fake = *state;
	char *answer, *body;

	tell(fake, 1, STORE_EVENTS_KEPT + 5, "support");
	answer = fake_get(fake, "/v1/events");
	body = answer_body(answer);
	assert_int_equal(count_of(body, "\n"), STORE_EVENTS_KEPT);
	assert_non_null(strstr(body, "\"id\":\"00000000000000000000000006\""));
	assert_null(strstr(body, "\"id\":\"00000000000000000000000005\""));
	free(answer);
}

struct follower {
	int fd;
	struct buf text;
};

static void
follower_start(struct fake *fake, struct follower *follower, const char *request)
{
	*follower = (struct follower){ .fd = fake_connect(fake) };
	assert_true(follower->fd >= 0);
	assert_int_equal(
		send(follower->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	fake_turn(fake, 5);
}

static void
follower_read(struct follower *follower)
{
	for (;;) {
		char *at = buf_reserve(&follower->text, 65536);
		ssize_t got = recv(follower->fd, at, 65536, MSG_DONTWAIT);

		if (got <= 0)
			return;
		follower->text.len += (size_t)got;
		at[got] = '\0';
	}
}

/* Turns until nothing new comes. */
static void
follower_read_all(struct fake *fake, struct follower *follower)
{
	size_t before;

	do {
		before = follower->text.len;
		for (int i = 0; i < 40 && follower->text.len == before; i++) {
			fake_turn(fake, 5);
			follower_read(follower);
		}
	} while (follower->text.len > before);
}

static void
follower_end(struct follower *follower)
{
	close(follower->fd);
	buf_done(&follower->text);
}

/* H5-06 in small: every one gets all, in its order. */
static void
test_followers_get_all(void **state)
{
	struct fake *fake = *state;
	struct follower followers[100];

	tell(fake, 1, 3, "support");
	for (size_t i = 0; i < COUNT_OF(followers); i++)
		follower_start(fake, &followers[i], FOLLOW);
	for (unsigned block = 0; block < 10; block++) {
		tell(fake, 10 + block * 100, 10 + block * 100 + 99, "support");
		fake_turn(fake, 20);
		for (size_t i = 0; i < COUNT_OF(followers); i++)
			follower_read(&followers[i]);
	}
	for (size_t i = 0; i < COUNT_OF(followers); i++) {
		follower_read_all(fake, &followers[i]);
		assert_int_equal(count_of(followers[i].text.at, "\"event\":\"state\""), 1000);
		assert_int_equal(count_of(followers[i].text.at, "\"event\":\"lost\""), 0);
		follower_end(&followers[i]);
	}
	fake_turn(fake, 20);
	tell(fake, 5000, 5001, "support"); /* to nobody */
	fake_turn(fake, 100);
}

/* H5-07: one that does not read loses events and is told how many; it holds up nobody and costs a
 * slice. */
static void
test_a_follower_that_sleeps_is_told_what_it_lost(void **state)
{
	struct fake *fake = *state;
	struct follower sleeper, reader;
	unsigned told = 0, lost = 0, step = 500;
	const char *at;

	follower_start(fake, &sleeper, FOLLOW);
	follower_start(fake, &reader, FOLLOW);
	for (; told < 3 * STORE_EVENTS_KEPT; told += step) {
		tell(fake, told + 1, told + step, "support");
		follower_read_all(fake, &reader);
	}
	assert_int_equal(count_of(reader.text.at, "\"event\":\"state\""), told);
	assert_int_equal(count_of(reader.text.at, "\"event\":\"lost\""), 0);
	follower_read_all(fake, &sleeper);
	for (at = sleeper.text.at; (at = strstr(at, "{\"event\":\"lost\",\"count\":"));) {
		at += strlen("{\"event\":\"lost\",\"count\":");
		lost += (unsigned)strtoul(at, NULL, 10);
	}
	assert_true(lost > 0);
	assert_int_equal(count_of(sleeper.text.at, "\"event\":\"state\"") + lost, told);
	/* It goes on from there. */
	tell(fake, told + 1, told + 1, "support");
	follower_read_all(fake, &sleeper);
	assert_int_equal(count_of(sleeper.text.at, "\"event\":\"state\"") + lost, told + 1);
	follower_end(&sleeper);
	follower_end(&reader);
}

/* H5-07: those that vanish in mid-line leave nothing. */
static void
test_followers_may_vanish(void **state)
{
	struct fake *fake = *state;
	int before = dup(0), after;

	close(before);
	for (unsigned i = 0; i < 300; i++) {
		struct follower follower;
		char text[10];

		follower_start(fake, &follower, FOLLOW);
		tell(fake, 10 * i, 10 * i + 9, "support");
		fake_turn(fake, 1);
		if (i % 2)
			(void)recv(follower.fd, text, sizeof(text), MSG_DONTWAIT);
		follower_end(&follower);
		fake_turn(fake, 0);
	}
	fake_turn(fake, 50);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void
test_a_follower_may_begin_in_the_past(void **state)
{
	struct fake *fake = *state;
	struct follower follower;

	tell(fake, 1, 10, "support");
	follower_start(fake, &follower,
		"GET /v1/events?follow=1&since=00000000000000000000000004&select=other,supp* "
		"HTTP/1.1\r\n\r\n");
	tell(fake, 11, 12, "support");
	tell(fake, 13, 13, "third");
	follower_read_all(fake, &follower);
	assert_int_equal(count_of(follower.text.at, "\"event\":\"state\""), 8);
	follower_end(&follower);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(
		test_events_are_kept_and_selected, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_the_last_10000_are_kept, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_followers_get_all, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_a_follower_that_sleeps_is_told_what_it_lost, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_followers_may_vanish, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_a_follower_may_begin_in_the_past, fake_set_up, fake_tear_down),
};

UNIT_MAIN(tests)
