/*
 * test_schedule.c: phases, stretching, a server's spacing, at the ends of the clocks too.
 */
#include "../unit.h"

#include "watch/inside.h"

#include <stdlib.h>

/* ---- stretching */

static const struct stretch_row {
	const char *name;
	unsigned endpoints;
	int64_t interval_us;
	unsigned logins_per_minute;
	unsigned connections;
	int64_t mean_us;
	int64_t least_us, most_us; /* the interval that results */
} stretch_rows[] = {
	{ "well below", 10, 5 * US_PER_M, 30, 8, 200000, 5 * US_PER_M, 5 * US_PER_M },
	{ "H7-11", 100, US_PER_M, 20, 8, 200000, 5 * US_PER_M, 5 * US_PER_M + 10 * US_PER_S },
	{ "H7-09: all hang", 5000, 5 * US_PER_M, 2000, 8, 30 * US_PER_S, 5 * US_PER_H,
		6 * US_PER_H },
	{ "one connection", 10, 10 * US_PER_S, 600, 1, 2 * US_PER_S, 20 * US_PER_S, 22 * US_PER_S },
	{ "how long they take is not known", 10, 10 * US_PER_S, 600, 1, -1, 10 * US_PER_S,
		10 * US_PER_S },
	{ "it is supposed to be usual", 40, 10 * US_PER_S, 600, 1, -1, 20 * US_PER_S,
		22 * US_PER_S },
};

static void
test_intervals_stretch_evenly(void **state)
{
	for (size_t i = 0; i < COUNT_OF(stretch_rows); i++) {
		const struct stretch_row *row = &stretch_rows[i];
		uint64_t rate = (uint64_t)(row->endpoints * (RATE_UNIT / row->interval_us));
		struct server server = { .budget = { .connections = row->connections,
						 .logins_per_minute = row->logins_per_minute,
						 .rate = rate,
						 .login_rate = rate,
						 .mean_us = row->mean_us },
			.peer = &server.alone };
		struct account account = { 0 };
		struct watch watch = { 0 };
		struct watched endpoint = { .server = &server,
			.account = &account,
			.rules.interval_us = row->interval_us };
		bool is_stretched;
		int64_t interval;

		unit_row(row->name);
		peer_init(&server.alone);
		interval = schedule_interval(&watch, &endpoint, &is_stretched);
		assert_in_range(interval, row->least_us, row->most_us);
		assert_int_equal(is_stretched, interval > row->interval_us);
	}
}

/* ---- phases */

struct fleet {
	struct watch *watch;
	mono_t now;
	wall_t wall;
};

static void
fleet_begin(struct fleet *fleet, size_t count, mono_t now, wall_t wall, bool is_restored)
{
	static const uint8_t seed[32] = { 3 };
	struct watch_mailbox *mailboxes = calloc(count, sizeof(*mailboxes));
	struct watch_settings settings = { .limits = { 1000, 8, 30, { { 2, US_PER_H } }, 1,
						   { US_PER_H }, 1 },
		.mailboxes = mailboxes,
		.mailbox_count = count };
	char(*names)[24] = calloc(count, sizeof(*names));
	struct watch_changes changes;
	struct fault why;

	*fleet = (struct fleet){ .now = now, .wall = wall };
	assert_ok(watch_new(seed, &fleet->watch));
	for (size_t i = 0; i < count; i++) {
		struct buf key = { 0 };

		snprintf(names[i], sizeof(names[i]), "m%zu", i);
		buf_put_format(&key, "%s/imap", names[i]);
		mailboxes[i] = (struct watch_mailbox){ .name = names[i], .is_enabled = true };
		mailboxes[i].sides[SIDE_IMAP] = (struct watch_endpoint){ .is_present = true,
			.rules = { .interval_us = 5 * US_PER_M,
				.retry_interval_us = US_PER_M,
				.retry_max_us = 5 * US_PER_M,
				.confirm = 3,
				.recover = 2 },
			.host = names[i],
			.site = names[i],
			.account = bytes_of(names[i]) };
		if (is_restored)
			assert_ok(watch_restore(fleet->watch, ROW_ENDPOINT, buf_bytes(&key),
				BYTES("{\"state\":\"ok\",\"since\":1}"), &why));
		buf_done(&key);
	}
	assert_ok(watch_configure(fleet->watch, now, wall, &settings, &changes));
	assert_int_equal(changes.added, count);
	free(names);
	free(mailboxes);
}

static wall_t
fleet_next(const struct fleet *fleet, uint32_t index)
{
	struct watch_view view;

	assert_true(watch_view(fleet->watch, index, &view));
	return view.sides[SIDE_IMAP].next_probe;
}

static const struct phase_row {
	const char *name;
	int64_t mono_us;
	int64_t later_us; /* the restart */
} phase_rows[] = {
	{ "a restart a minute later", 1000 * US_PER_S, US_PER_M },
	{ "a reboot", 0, US_PER_M },
	{ "H7-06: 2^31 ms", (INT64_C(1) << 31) * US_PER_MS - US_PER_M, US_PER_M },
	{ "H7-06: 2^32 ms", (INT64_C(1) << 32) * US_PER_MS - US_PER_M, US_PER_M },
	{ "H7-06: 2^53 us", (INT64_C(1) << 53) - US_PER_M, US_PER_M },
};

static void
test_a_phase_is_the_same_after_a_restart(void **state)
{
	wall_t wall = { INT64_C(1795478400) * US_PER_S };

	for (size_t i = 0; i < COUNT_OF(phase_rows); i++) {
		const struct phase_row *row = &phase_rows[i];
		struct fleet before, after;

		unit_row(row->name);
		fleet_begin(&before, 50, (mono_t){ row->mono_us }, wall, true);
		fleet_begin(&after, 50, (mono_t){ row->mono_us / 2 }, wall_add(wall, row->later_us),
			true);
		for (uint32_t m = 0; m < 50; m++) {
			int64_t apart = fleet_next(&after, m).us - fleet_next(&before, m).us;

			assert_int_equal(apart % (5 * US_PER_M), 0);
			assert_in_range(fleet_next(&before, m).us, wall.us, wall.us + 5 * US_PER_M);
		}
		watch_free(before.watch);
		watch_free(after.watch);
	}
}

static void
test_phases_are_even(void **state)
{
	wall_t wall = { INT64_C(1795478400) * US_PER_S };
	unsigned tenths[10] = { 0 };
	struct fleet fleet;

	fleet_begin(&fleet, 2000, (mono_t){ 0 }, wall, true);
	for (uint32_t m = 0; m < 2000; m++)
		tenths[(fleet_next(&fleet, m).us - wall.us - 1) / (30 * US_PER_S)]++;
	for (size_t i = 0; i < 10; i++)
		assert_in_range(tenths[i], 150, 250);
	watch_free(fleet.watch);
}

/* ---- a server's logins */

static void
test_no_60_s_hold_more_than_the_budget(void **state)
{
	static const unsigned budgets[] = { 1, 5, 20, 30, 1200 };

	for (size_t i = 0; i < COUNT_OF(budgets); i++) {
		struct watch watch = { 0 };
		struct budget budget = { .logins_per_minute = budgets[i] };
		int64_t *slots = calloc(3 * budgets[i], sizeof(*slots));

		for (size_t j = 0; j < 3 * budgets[i]; j++) {
			mono_t at;

			watch.now.us += 7 * US_PER_MS * (int64_t)(j % 3);
			at = budget_login_from(&watch, &budget);
			if (mono_is_before(watch.now, at))
				watch.now = at;
			slots[j] = watch.now.us;
			budget_login(&watch, &budget);
			if (j >= budgets[i])
				assert_true(slots[j] - slots[j - budgets[i]] > 60 * US_PER_S);
		}
		free(slots);
		budget_done(&budget);
	}
}

/* The last 60 s of the run before count: one at a time until they are over. */
static void
test_a_restart_does_not_begin_a_new_minute(void **state)
{
	struct watch watch = { .now = { US_PER_H }, .began = { US_PER_H }, .is_restored = true };
	struct budget budget = { .logins_per_minute = 30 };

	for (unsigned i = 0; i < 30; i++) {
		mono_t at = budget_login_from(&watch, &budget);

		assert_in_range(mono_since(at, watch.now), i ? US_PER_S : 5 * US_PER_S,
			i ? 3 * US_PER_S : 7 * US_PER_S);
		watch.now = at;
		budget_login(&watch, &budget);
	}
	budget_done(&budget);
}

static void
test_a_budget_that_changes_keeps_its_last_logins(void **state)
{
	struct watch watch = { .now = { US_PER_H } };
	struct budget budget = { .logins_per_minute = 4 };

	for (unsigned i = 0; i < 4; i++) {
		watch.now.us += 14 * US_PER_S;
		budget.next_login = watch.now; /* the ring alone */
		assert_true(budget_login_from(&watch, &budget).us <= watch.now.us);
		budget_login(&watch, &budget);
	}
	budget.logins_per_minute = 2;
	assert_true(budget_login_from(&watch, &budget).us > watch.now.us + 40 * US_PER_S);
	budget.logins_per_minute = 6;
	watch.now.us += 16 * US_PER_S;
	assert_true(budget_login_from(&watch, &budget).us <= watch.now.us);
	budget_done(&budget);
}

/* H10-10 */
static void
test_fewer_at_a_time_where_this_machine_has_no_room(void **state)
{
	struct watch watch = { .limits.in_flight = 100, .ceiling = 100, .in_flight = 40 };
	struct verdict lacks = { .cause = CAUSE_LOCAL_LIMIT }, ok = { .is_ok = true };

	schedule_ceiling(&watch, &ok);
	assert_int_equal(watch.ceiling, 100);
	schedule_ceiling(&watch, &lacks);
	assert_int_equal(watch.ceiling, 31);
	lacks.is_void = true;
	schedule_ceiling(&watch, &lacks);
	assert_int_equal(watch.ceiling, 31);
	for (int i = 0; i < 80; i++)
		schedule_ceiling(&watch, &ok);
	assert_int_equal(watch.ceiling, 100);
	watch.in_flight = 0;
	lacks.is_void = false;
	schedule_ceiling(&watch, &lacks);
	assert_int_equal(watch.ceiling, 1);
}

/* H10-10 */
static void
test_no_more_at_a_time_than_memory_allows(void **state)
{
	wall_t wall = { INT64_C(1795478400) * US_PER_S };
	struct watch_counts counts;
	struct fleet fleet;
	mono_t now = { 0 };

	fleet_begin(&fleet, 100, now, wall, true);
	watch_memory(fleet.watch, now, wall, 16);
	for (int i = 0; i < 31; i++) {
		now = mono_add(now, 10 * US_PER_S);
		watch_tick(fleet.watch, now, wall_add(wall, now.us));
		watch_counts(fleet.watch, &counts);
		assert_in_range(counts.in_flight, 0, 16);
	}
	assert_int_equal(counts.in_flight, 16);
	watch_memory(fleet.watch, now, wall_add(wall, now.us), 0); /* the bound is gone */
	watch_counts(fleet.watch, &counts);
	assert_in_range(counts.in_flight, 60, 100);
	watch_free(fleet.watch);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_intervals_stretch_evenly),
	cmocka_unit_test(test_a_phase_is_the_same_after_a_restart),
	cmocka_unit_test(test_phases_are_even),
	cmocka_unit_test(test_no_60_s_hold_more_than_the_budget),
	cmocka_unit_test(test_a_restart_does_not_begin_a_new_minute),
	cmocka_unit_test(test_fewer_at_a_time_where_this_machine_has_no_room),
	cmocka_unit_test(test_no_more_at_a_time_than_memory_allows),
	cmocka_unit_test(test_a_budget_that_changes_keeps_its_last_logins),
};

UNIT_MAIN(tests)
