/*
 * test_guest.c: probes of settings that are no mailbox's: within limits, counted, and never at the
 * cost of what is watched.
 */
#include "../unit.h"

#include <stdlib.h>

#include "watch/watch.h"

#define HOST "mail.example.com"
#define ACCOUNT BYTES("ann\0example.com")
#define HOUR US_PER_H

struct world {
	struct watch *watch;
	mono_t now;
	wall_t wall;
	uint64_t begun[64];
	size_t begun_count;
	uint64_t left[64]; /* logins that were answered */
	bool is_allowed[64];
	bool is_after_stored[64];
	size_t left_count;
	size_t told;
	size_t rows;
};

static void
take(struct world *world)
{
	struct watch_command command;

	while (watch_next(world->watch, &command)) {
		if (command.kind == WATCH_GUEST) {
			world->begun[world->begun_count++] = command.token;
		} else if (command.kind == WATCH_LEAVE) {
			world->left[world->left_count] = command.token;
			world->is_allowed[world->left_count] = command.is_allowed;
			world->is_after_stored[world->left_count++] = command.after_stored;
		} else if (command.kind == WATCH_TELL) {
			world->told++;
			alert_free(command.event);
		} else if (command.kind == WATCH_KEEP || command.kind == WATCH_FORGET) {
			world->rows += command.row == ROW_ACCOUNT;
			free(command.key);
			free(command.value);
		}
	}
}

static void
world_begin(struct world *world, unsigned connections)
{
	static const uint8_t seed[32] = { 7 };
	struct watch_limits limits = { .in_flight = 100,
		.connections = connections,
		.logins_per_minute = 1000,
		.refused_logins = { { 2, HOUR }, { 4, US_PER_D } },
		.refused_logins_count = 2,
		.brake_retry_us = { HOUR },
		.brake_retry_count = 1 };

	*world = (struct world){ .now = { US_PER_D }, .wall = { 20000 * US_PER_D } };
	assert_ok(watch_new(seed, &world->watch));
	watch_guests_alone(world->watch, world->now, world->wall, &limits);
	take(world);
	world->rows = 0;
}

static void
pass(struct world *world, int64_t us)
{
	world->now = mono_add(world->now, us);
	world->wall = wall_add(world->wall, us);
	watch_tick(world->watch, world->now, world->wall);
	take(world);
}

static const struct watch_guest ann = { .side = SIDE_SMTP, .host = HOST };

static uint64_t
begin(struct world *world, enum side side)
{
	struct watch_guest guest = ann;
	uint64_t token;

	guest.side = side;
	guest.account = ACCOUNT;
	assert_ok(watch_guest(world->watch, world->now, world->wall, &guest, &token));
	take(world);
	return token;
}

static struct fingerprint
secret_number(uint8_t number)
{
	return (struct fingerprint){ { number } };
}

/* Asks for the login; true: it may be made. */
static bool
log_in(struct world *world, uint64_t token, uint8_t secret)
{
	size_t before = world->left_count;

	watch_login(world->watch, world->now, world->wall, token, secret_number(secret));
	take(world);
	for (int i = 0; i < 20 && world->left_count == before; i++)
		pass(world, 500 * US_PER_MS); /* paced */
	assert_int_equal(world->left_count, before + 1);
	assert_int_equal(world->left[before], token);
	return world->is_allowed[before];
}

static void
end(struct world *world, uint64_t token, enum login login, uint8_t secret)
{
	struct verdict *verdict = verdict_new();

	assert_non_null(verdict);
	verdict->is_ok = login == LOGIN_ACCEPTED;
	verdict->cause = login == LOGIN_REFUSED ? CAUSE_BAD_CREDENTIALS : CAUSE_OK;
	verdict->stage = STAGE_AUTH;
	verdict->login = login;
	verdict->has_fingerprint = true;
	verdict->fingerprint = secret_number(secret);
	watch_verdict(world->watch, world->now, world->wall, token, verdict);
	take(world);
}

/* One guest from begin to end; false: its login was held. */
static bool
refused(struct world *world, enum side side, uint8_t secret)
{
	uint64_t token = begin(world, side);
	bool is_allowed = log_in(world, token, secret);

	end(world, token, is_allowed ? LOGIN_REFUSED : LOGIN_HELD, secret);
	return is_allowed;
}

static enum err
may(struct world *world, uint8_t secret, int64_t *retry_us)
{
	struct watch_guest guest = ann;

	guest.account = ACCOUNT;
	return watch_guest_may(
		world->watch, world->now, world->wall, &guest, secret_number(secret), retry_us);
}

static void
test_guests_wait_for_a_connection_in_order(void **state)
{
	struct world world;
	uint64_t tokens[4];

	world_begin(&world, 2);
	for (size_t i = 0; i < COUNT_OF(tokens); i++)
		tokens[i] = begin(&world, SIDE_SMTP);
	for (int i = 0; i < 20; i++)
		pass(&world, 500 * US_PER_MS);
	assert_int_equal(world.begun_count, 2);
	assert_true(watch_guest_cancel(world.watch, world.now, world.wall, tokens[2]));
	assert_false(watch_guest_cancel(world.watch, world.now, world.wall, tokens[0]));
	end(&world, tokens[1], LOGIN_NOT_SENT, 1);
	for (int i = 0; i < 20; i++)
		pass(&world, 500 * US_PER_MS);
	assert_int_equal(world.begun_count, 3);
	assert_int_equal(world.begun[0], tokens[0]);
	assert_int_equal(world.begun[1], tokens[1]);
	assert_int_equal(world.begun[2], tokens[3]);
	watch_free(world.watch);
}

static void
test_guests_are_held_after_two_refusals_and_booked_before_H7_15(void **state)
{
	int64_t retry_us = 0;
	struct world world;

	world_begin(&world, 8);
	assert_ok(may(&world, 1, &retry_us));
	assert_true(refused(&world, SIDE_SMTP, 1));
	assert_true(world.is_after_stored[0]);
	assert_true(world.rows >= 2); /* booked, and then counted */
	assert_true(refused(&world, SIDE_IMAP, 1));
	assert_false(refused(&world, SIDE_SMTP, 1));
	assert_err_equal(may(&world, 1, &retry_us), ERR_TOO_OFTEN);
	assert_true(retry_us > 50 * US_PER_M && retry_us <= HOUR);
	assert_ok(may(&world, 2, &retry_us));
	assert_int_equal(world.told, 0); /* nobody watches it: no brake is told */
	pass(&world, HOUR);
	assert_ok(may(&world, 1, &retry_us));
	watch_free(world.watch);
}

static void
test_guests_leave_one_refusal_to_who_watches(void **state)
{
	int64_t retry_us = 0;
	struct world world;

	world_begin(&world, 8);
	for (uint8_t secret = 1; secret <= 3; secret++)
		assert_true(refused(&world, SIDE_SMTP, secret));
	assert_err_equal(may(&world, 4, &retry_us), ERR_TOO_OFTEN);
	assert_false(refused(&world, SIDE_SMTP, 4));
	pass(&world, 16 * US_PER_M);
	assert_ok(may(&world, 4, &retry_us));
	watch_free(world.watch);
}

static void
test_guests_log_in_one_after_the_other(void **state)
{
	struct world world;
	uint64_t first, second;

	world_begin(&world, 8);
	first = begin(&world, SIDE_SMTP);
	second = begin(&world, SIDE_SMTP);
	assert_true(log_in(&world, first, 1));
	watch_login(world.watch, world.now, world.wall, second, secret_number(1));
	pass(&world, 10 * US_PER_S);
	assert_int_equal(world.left_count, 1); /* it waits for what the first one comes to */
	end(&world, first, LOGIN_ACCEPTED, 1);
	assert_int_equal(world.left_count, 2);
	assert_true(world.is_allowed[1]);
	end(&world, second, LOGIN_ACCEPTED, 1);
	watch_free(world.watch);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_guests_wait_for_a_connection_in_order),
	cmocka_unit_test(test_guests_are_held_after_two_refusals_and_booked_before_H7_15),
	cmocka_unit_test(test_guests_leave_one_refusal_to_who_watches),
	cmocka_unit_test(test_guests_log_in_one_after_the_other),
};

UNIT_MAIN(tests)
