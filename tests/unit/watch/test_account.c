/*
 * test_account.c: what the counts of an account still allow, and when there is room again; one
 * login after another.
 */
#include "../unit.h"

#include "watch/inside.h"

#include <stdlib.h>

#define T0_US (INT64_C(1795478400) * US_PER_S)

static const struct watch_limits limits = {
	.in_flight = 10,
	.connections = 8,
	.logins_per_minute = 600,
	.refused_logins = { { 2, US_PER_H }, { 4, US_PER_D } },
	.refused_logins_count = 2,
	.brake_retry_us = { US_PER_H, 6 * US_PER_H },
	.brake_retry_count = 2,
};

/* ---- counts */

static const struct count_row {
	const char *name;
	int64_t ago_s[14]; /* refusals of one secret, oldest first; 0 ends */
	unsigned room_of_secret;
	unsigned room_of_caps;
	int64_t from_s; /* room again, from now */
} count_rows[] = {
	{ "none", { 0 }, 2, 4, 0 },
	{ "one", { 60 }, 1, 3, 0 },
	{ "two within the hour", { 1800, 60 }, 0, 3, 1800 },
	{ "the first of two leaves the hour", { 3600, 60 }, 1, 3, 0 },
	{ "one second before", { 3599, 60 }, 0, 3, 1 },
	{ "four within the day", { 80000, 70000, 20000, 10000 }, 0, 4, 6400 },
	{ "four within 15 m", { 800, 700, 600, 500 }, 0, 0, 86400 - 800 },
	{ "12 within the day",
		{ 80000, 79999, 79998, 79997, 79996, 79995, 79994, 79993, 79992, 79991, 79990,
			79989 },
		0, 0, 86400 - 79992 },
	{ "long ago", { 400000, 300000, 200000, 100000 }, 2, 4, 0 },
};

static void
test_counts_bind_the_next_login(void **state)
{
	struct watch watch = { .limits = limits, .wall = { T0_US }, .held = { T0_US } };

	for (size_t i = 0; i < COUNT_OF(count_rows); i++) {
		const struct count_row *row = &count_rows[i];
		struct account account = { 0 };
		struct tried *tried = tried_add(&account, (struct fingerprint){ { 1 } });

		unit_row(row->name);
		assert_non_null(tried);
		for (size_t j = 0; row->ago_s[j]; j++)
			tried_refused(tried, (wall_t){ T0_US - row->ago_s[j] * US_PER_S }, false);
		assert_int_equal(account_room_of_secret(&watch, tried), row->room_of_secret);
		assert_int_equal(account_room_of_caps(&watch, &account), row->room_of_caps);
		assert_int_equal((account_room_from(&watch, &account, tried).us - T0_US) / US_PER_S,
			row->from_s);
		tried_drop(&account, tried);
	}
}

static void
test_caps_count_all_secrets(void **state)
{
	struct watch watch = { .limits = limits, .wall = { T0_US }, .held = { T0_US } };
	struct account account = { 0 };

	for (uint8_t i = 0; i < 4; i++)
		tried_refused(tried_add(&account, (struct fingerprint){ { i } }),
			(wall_t){ T0_US - (i + 1) * US_PER_M }, false);
	assert_int_equal(account_room_of_caps(&watch, &account), 0);
	assert_int_equal(account_room_of_secret(&watch, &account.tried[0]), 1);
	while (account.tried_count)
		tried_drop(&account, account.tried);
}

static void
test_the_oldest_secret_goes_first(void **state)
{
	struct account account = { 0 };

	for (uint8_t i = 0; i < 2 * ACCOUNT_MOST_TRIED; i++)
		tried_refused(tried_add(&account, (struct fingerprint){ { i } }),
			(wall_t){ T0_US + i }, false);
	assert_int_equal(account.tried_count, ACCOUNT_MOST_TRIED);
	assert_null(tried_find(&account, (struct fingerprint){ { ACCOUNT_MOST_TRIED - 1 } }));
	assert_non_null(tried_find(&account, (struct fingerprint){ { ACCOUNT_MOST_TRIED } }));
	while (account.tried_count)
		tried_drop(&account, account.tried);
}

static void
test_refusals_of_a_secret_are_bounded(void **state)
{
	struct account account = { 0 };
	struct tried *tried = tried_add(&account, (struct fingerprint){ { 1 } });

	for (int64_t i = 0; i < 3 * ACCOUNT_MOST_REFUSALS; i++)
		tried_refused(tried, (wall_t){ T0_US + i }, false);
	assert_int_equal(tried->count, ACCOUNT_MOST_REFUSALS);
	assert_int_equal(
		tried->refusals[tried->count - 1].time.us, T0_US + 3 * ACCOUNT_MOST_REFUSALS - 1);
	tried_drop(&account, tried);
}

static void
test_an_acceptance_forgets_what_was_supposed(void **state)
{
	struct account account = { 0 };
	struct tried *tried = tried_add(&account, (struct fingerprint){ { 1 } });

	tried_refused(tried, (wall_t){ T0_US }, true);
	tried_refused(tried, (wall_t){ T0_US + 1 }, false);
	tried_refused(tried_add(&account, (struct fingerprint){ { 2 } }), (wall_t){ T0_US }, true);
	account_forget_supposed(&account);
	assert_int_equal(account.tried_count, 1);
	assert_int_equal(account.tried[0].count, 1);
	tried_drop(&account, account.tried);
}

/* ---- one login after another, by the watch itself */

struct desk {
	struct watch *watch;
	mono_t now;
	wall_t wall;
	uint64_t tokens[SIDE_COUNT]; /* in flight */
	int leaves[SIDE_COUNT];	     /* -1: not answered; 0, 1; 2: after it was stored */
	unsigned told[EVENT_COUNT];
};

static void
desk_take(struct desk *desk)
{
	struct watch_command command;

	while (watch_next(desk->watch, &command)) {
		if (command.kind == WATCH_PROBE) {
			desk->tokens[command.side] = command.token;
			desk->leaves[command.side] = -1;
		}
		for (size_t side = 0; command.kind == WATCH_LEAVE && side < SIDE_COUNT; side++) {
			if (desk->tokens[side] == command.token)
				desk->leaves[side] = command.is_allowed + command.after_stored;
		}
		if (command.kind == WATCH_TELL)
			desk->told[command.event->kind]++;
		alert_free(command.event);
		free(command.key);
		free(command.value);
	}
}

static void
desk_wait(struct desk *desk, int64_t us)
{
	int64_t until = desk->now.us + us;

	while (watch_wake(desk->watch).us <= until) {
		int64_t step = watch_wake(desk->watch).us - desk->now.us;

		step = step < 0 ? 0 : step;
		desk->now.us += step;
		desk->wall.us += step;
		watch_tick(desk->watch, desk->now, desk->wall);
		desk_take(desk);
		if (desk->tokens[SIDE_SMTP] || desk->tokens[SIDE_IMAP])
			return; /* something begins */
	}
	desk->wall.us += until - desk->now.us;
	desk->now.us = until;
}

static void
desk_begin(struct desk *desk)
{
	static const uint8_t seed[32] = { 7 };
	struct watch_mailbox mailbox = { .name = "ann", .is_enabled = true };
	struct watch_settings settings = {
		.limits = limits, .mailboxes = &mailbox, .mailbox_count = 1
	};
	struct watch_changes changes;

	*desk = (struct desk){ .now = { 5 * US_PER_S }, .wall = { T0_US } };
	assert_ok(watch_new(seed, &desk->watch));
	for (size_t side = 0; side < SIDE_COUNT; side++)
		mailbox.sides[side] = (struct watch_endpoint){ .is_present = true,
			.rules = { .interval_us = 5 * US_PER_M,
				.retry_interval_us = US_PER_M,
				.retry_max_us = 5 * US_PER_M,
				.confirm = 3,
				.recover = 2 },
			.host = side ? "imap.example.com" : "smtp.example.com",
			.site = "example.com",
			.account = BYTES("ann\0example.com") };
	assert_ok(watch_configure(desk->watch, desk->now, desk->wall, &settings, &changes));
	desk_take(desk);
}

/* The next probe of this side stands before its login with this secret; what watch says of it. */
static int
desk_login(struct desk *desk, enum side side, uint8_t secret)
{
	while (!desk->tokens[side]) {
		enum side other = 1 - side;

		desk_wait(desk, US_PER_H);
		if (desk->tokens[other]) { /* not its turn: void, so it changes nothing */
			struct verdict *verdict = verdict_new();

			verdict->is_void = true;
			watch_verdict(
				desk->watch, desk->now, desk->wall, desk->tokens[other], verdict);
			desk->tokens[other] = 0;
			desk_take(desk);
		}
	}
	watch_login(desk->watch, desk->now, desk->wall, desk->tokens[side],
		(struct fingerprint){ { secret } });
	desk_take(desk);
	return desk->leaves[side];
}

static void
desk_verdict(struct desk *desk, enum side side, enum login login, uint8_t secret)
{
	struct verdict *verdict = verdict_new();
	uint64_t token = desk->tokens[side];

	verdict->login = login;
	verdict->is_ok = login == LOGIN_ACCEPTED;
	verdict->cause = login == LOGIN_REFUSED ? CAUSE_BAD_CREDENTIALS : CAUSE_OK;
	verdict->stage = login == LOGIN_REFUSED ? STAGE_AUTH : STAGE_DONE;
	verdict->has_fingerprint = true;
	verdict->fingerprint = (struct fingerprint){ { secret } };
	verdict->ended = desk->wall;
	desk->tokens[side] = 0;
	watch_verdict(desk->watch, desk->now, desk->wall, token, verdict);
	desk_take(desk);
}

static void
desk_end(struct desk *desk)
{
	watch_free(desk->watch);
}

static void
test_only_a_login_that_may_be_refused_is_booked(void **state)
{
	struct desk desk;

	desk_begin(&desk);
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 2);
	desk_verdict(&desk, SIDE_SMTP, LOGIN_ACCEPTED, 1);
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 1);
	desk_verdict(&desk, SIDE_SMTP, LOGIN_REFUSED, 1);
	assert_int_equal(desk_login(&desk, SIDE_IMAP, 1), 2);
	desk_verdict(&desk, SIDE_IMAP, LOGIN_ACCEPTED, 1);
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 2);
	desk_end(&desk);
}

static void
test_booked_logins_come_one_at_a_time(void **state)
{
	struct desk desk;

	desk_begin(&desk);
	while (!desk.tokens[SIDE_SMTP] || !desk.tokens[SIDE_IMAP]) {
		desk.now.us += US_PER_S;
		desk.wall.us += US_PER_S;
		watch_tick(desk.watch, desk.now, desk.wall);
		desk_take(&desk);
	}
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 2);
	assert_int_equal(desk_login(&desk, SIDE_IMAP, 1), -1);
	desk_verdict(&desk, SIDE_SMTP, LOGIN_REFUSED, 1);
	assert_int_equal(desk.leaves[SIDE_IMAP], 2);
	desk_verdict(&desk, SIDE_IMAP, LOGIN_REFUSED, 1);
	assert_int_equal(desk.told[EVENT_STATE], 1);
	assert_int_equal(desk.told[EVENT_BRAKE], 1);
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 0);
	desk_end(&desk);
}

static void
test_a_new_secret_is_not_held(void **state)
{
	struct desk desk;

	desk_begin(&desk);
	for (enum side side = SIDE_SMTP; side < SIDE_COUNT; side++) {
		assert_int_equal(desk_login(&desk, side, 1), 2);
		desk_verdict(&desk, side, LOGIN_REFUSED, 1);
	}
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 1), 0);
	desk_verdict(&desk, SIDE_SMTP, LOGIN_HELD, 1);
	assert_int_equal(desk_login(&desk, SIDE_SMTP, 2), 2);
	desk_verdict(&desk, SIDE_SMTP, LOGIN_ACCEPTED, 2);
	assert_int_equal(desk.told[EVENT_BRAKE_END], 0); /* IMAP is still held */
	assert_int_equal(desk_login(&desk, SIDE_IMAP, 2), 2);
	desk_verdict(&desk, SIDE_IMAP, LOGIN_ACCEPTED, 2);
	assert_int_equal(desk.told[EVENT_BRAKE_END], 1);
	desk_end(&desk);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_counts_bind_the_next_login),
	cmocka_unit_test(test_caps_count_all_secrets),
	cmocka_unit_test(test_the_oldest_secret_goes_first),
	cmocka_unit_test(test_refusals_of_a_secret_are_bounded),
	cmocka_unit_test(test_an_acceptance_forgets_what_was_supposed),
	cmocka_unit_test(test_only_a_login_that_may_be_refused_is_booked),
	cmocka_unit_test(test_booked_logins_come_one_at_a_time),
	cmocka_unit_test(test_a_new_secret_is_not_held),
};

UNIT_MAIN(tests)
