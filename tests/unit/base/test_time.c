/* test_time.c: RFC 3339 there and back, zones, and durations as settings and people write them. */
#include "../unit.h"

#include "base/time.h"

#include <stdlib.h>
#include <time.h>

#define NOV_24_US (INT64_C(1795512600) * US_PER_S) /* 2026-11-24T09:30:00Z */

static void
test_time_is_put_in_utc(void **state)
{
	static const struct {
		const char *name;
		int64_t us;
		const char *ms, *s;
	} rows[] = {
		{ .name = "the contract's",
			NOV_24_US + 123456,
			"2026-11-24T09:30:00.123Z",
			"2026-11-24T09:30:00Z" },
		{ .name = "1970", 0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z" },
		{ .name = "just before 1970",
			-1,
			"1969-12-31T23:59:59.999Z",
			"1969-12-31T23:59:59Z" },
		{ .name = "the last that has a form",
			INT64_C(253402300799999999),
			"9999-12-31T23:59:59.999Z",
			"9999-12-31T23:59:59Z" },
		{ .name = "the year 10000",
			INT64_C(253402300800000000),
			"9999-12-31T23:59:59.999Z",
			"9999-12-31T23:59:59Z" },
		{ .name = "the end of time",
			INT64_MAX,
			"9999-12-31T23:59:59.999Z",
			"9999-12-31T23:59:59Z" },
		{ .name = "its beginning",
			INT64_MIN,
			"0000-01-01T00:00:00.000Z",
			"0000-01-01T00:00:00Z" },
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		wall_put_ms(&buf, (wall_t){ rows[i].us });
		assert_buf_holds(&buf, bytes_of(rows[i].ms));
		wall_put_s(&buf, (wall_t){ rows[i].us });
		assert_buf_holds(&buf, bytes_of(rows[i].s));
	}
	buf_done(&buf);
}

static void
test_time_local_tells_the_year_where_it_is_another(void **state)
{
	wall_t now = { NOV_24_US };
	struct buf buf = { 0 };

	setenv("TZ", "XST-2", 1); /* two hours east */
	tzset();
	wall_put_local(&buf, now, now);
	assert_buf_holds(&buf, BYTES("11-24 11:30:00"));
	wall_put_local(&buf, wall_add(now, -365 * US_PER_D), now);
	assert_buf_holds(&buf, BYTES("2025-11-24 11:30:00"));
	/* New Year is a matter of the zone: 23:00 of the 31st in UTC. */
	assert_ok(wall_parse(BYTES("2026-12-31T23:00:00Z"), &now));
	wall_put_local(&buf, now, (wall_t){ NOV_24_US });
	assert_buf_holds(&buf, BYTES("2027-01-01 01:00:00"));
	wall_put_local(&buf, (wall_t){ INT64_MAX }, (wall_t){ INT64_MIN });
	assert_int_equal(buf_err(&buf), ERR_OK);
	buf_done(&buf);
}

static void
test_time_parses_rfc3339_in_any_offset(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		int64_t us;
	} rows[] = {
		{ .name = "Z", "2026-11-24T09:30:00Z", NOV_24_US },
		{ .name = "small letters", "2026-11-24t09:30:00z", NOV_24_US },
		{ .name = "a blank", "2026-11-24 09:30:00Z", NOV_24_US },
		{ .name = "milliseconds", "2026-11-24T09:30:00.123Z", NOV_24_US + 123000 },
		{ .name = "nanoseconds", "2026-11-24T09:30:00.123456789Z", NOV_24_US + 123456 },
		{ .name = "east", "2026-11-24T15:00:00+05:30", NOV_24_US },
		{ .name = "west", "2026-11-23T23:30:00-10:00", NOV_24_US },
		{ .name = "minus zero", "2026-11-24T09:30:00-00:00", NOV_24_US },
		{ .name = "a leap second", "2016-12-31T23:59:60Z", INT64_C(1483228800) * US_PER_S },
		{ .name = "a leap day", "2000-02-29T00:00:00Z", INT64_C(951782400) * US_PER_S },
		{ .name = "before 1970", "1969-12-31T23:59:59.5Z", -500000 },
		{ .name = "the first", "0000-01-01T00:00:00Z", INT64_C(-62167219200) * US_PER_S },
		{ .name = "the last", "9999-12-31T23:59:59Z", INT64_C(253402300799) * US_PER_S },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		wall_t time = WALL_NONE;

		unit_row(rows[i].name);
		assert_ok(wall_parse(bytes_of(rows[i].text), &time));
		assert_true(time.us == rows[i].us);
	}
}

static void
test_time_refuses_what_is_no_rfc3339(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
	} rows[] = {
		{ .name = "empty", { "", 0 } },
		{ .name = "a day alone", { "2026-11-24", 10 } },
		{ .name = "no zone", { "2026-11-24T09:30:00", 19 } },
		{ .name = "month 13", { "2026-13-24T09:30:00Z", 20 } },
		{ .name = "month 0", { "2026-00-24T09:30:00Z", 20 } },
		{ .name = "no leap year", { "2026-02-29T09:30:00Z", 20 } },
		{ .name = "no leap century", { "1900-02-29T09:30:00Z", 20 } },
		{ .name = "31 November", { "2026-11-31T09:30:00Z", 20 } },
		{ .name = "hour 24", { "2026-11-24T24:00:00Z", 20 } },
		{ .name = "minute 60", { "2026-11-24T09:60:00Z", 20 } },
		{ .name = "second 61", { "2026-11-24T09:30:61Z", 20 } },
		{ .name = "a fraction without digits", { "2026-11-24T09:30:00.Z", 21 } },
		{ .name = "offset without colon", { "2026-11-24T09:30:00+0530", 24 } },
		{ .name = "offset of a day", { "2026-11-24T09:30:00+24:00", 25 } },
		{ .name = "more behind", { "2026-11-24T09:30:00Zx", 21 } },
		{ .name = "a NUL for T",
			{ "2026-11-24\0"
			  "09:30:00Z",
				20 } },
		{ .name = "a sign in a number", { "2026-+1-24T09:30:00Z", 20 } },
		{ .name = "five digits", { "12026-11-24T09:30:00Z", 21 } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		wall_t time = { 7 };

		unit_row(rows[i].name);
		assert_err_equal(wall_parse(rows[i].text, &time), ERR_SYNTAX);
		assert_true(time.us == 7);
	}
}

/* H4-04 is among them. */
static void
test_time_durations_are_parsed_or_refused(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		enum err err;
		int64_t us;
	} rows[] = {
		{ .name = "seconds", { "90s", 3 }, ERR_OK, 90 * US_PER_S },
		{ .name = "a number alone", { "90", 2 }, ERR_OK, 90 * US_PER_S },
		{ .name = "minutes", { "5m", 2 }, ERR_OK, 5 * US_PER_M },
		{ .name = "two units", { "1h30m", 5 }, ERR_OK, 90 * US_PER_M },
		{ .name = "days", { "2d", 2 }, ERR_OK, 2 * US_PER_D },
		{ .name = "all",
			{ "1d2h3m4s5ms", 11 },
			ERR_OK,
			US_PER_D + 2 * US_PER_H + 3 * US_PER_M + 4 * US_PER_S + 5 * US_PER_MS },
		{ .name = "more than the next unit", { "1h90m", 5 }, ERR_OK, 150 * US_PER_M },
		{ .name = "zeros before", { "005m", 4 }, ERR_OK, 5 * US_PER_M },
		{ .name = "zero", { "0", 1 }, ERR_OK, 0 },
		{ .name = "zero seconds", { "0s", 2 }, ERR_OK, 0 },
		{ .name = "100 years", { "36525d", 6 }, ERR_OK, 36525 * US_PER_D },
		{ .name = "a little more", { "36525d1ms", 9 }, ERR_RANGE, 0 },
		{ .name = "H4-04 5x", { "5x", 2 }, ERR_SYNTAX, 0 },
		{ .name = "H4-04 -1s", { "-1s", 3 }, ERR_SYNTAX, 0 },
		{ .name = "H4-04 empty", { "", 0 }, ERR_SYNTAX, 0 },
		{ .name = "H4-04 1h-5m", { "1h-5m", 5 }, ERR_SYNTAX, 0 },
		{ .name = "H4-04 9999999999999d", { "9999999999999d", 14 }, ERR_RANGE, 0 },
		{ .name = "H4-04 1e999", { "1e999", 5 }, ERR_SYNTAX, 0 },
		{ .name = "H4-04 1e3s", { "1e3s", 4 }, ERR_SYNTAX, 0 },
		{ .name = "64 bits and more", { "99999999999999999999s", 21 }, ERR_RANGE, 0 },
		{ .name = "wraps if multiplied", { "18446744073709551615ms", 22 }, ERR_RANGE, 0 },
		{ .name = "sums above", { "36525d876600h", 13 }, ERR_RANGE, 0 },
		{ .name = "too much, and no form", { "9999999999999d5x", 16 }, ERR_SYNTAX, 0 },
		{ .name = "the wrong order", { "5m1h", 4 }, ERR_SYNTAX, 0 },
		{ .name = "a unit twice", { "1m1m", 4 }, ERR_SYNTAX, 0 },
		{ .name = "a number at the end", { "1h30", 4 }, ERR_SYNTAX, 0 },
		{ .name = "a unit alone", { "m", 1 }, ERR_SYNTAX, 0 },
		{ .name = "capitals", { "5M", 2 }, ERR_SYNTAX, 0 },
		{ .name = "a fraction", { "1.5m", 4 }, ERR_SYNTAX, 0 },
		{ .name = "blanks", { "1h 5m", 5 }, ERR_SYNTAX, 0 },
		{ .name = "a long unit", { "5min", 4 }, ERR_SYNTAX, 0 },
		{ .name = "a NUL", { "5m\0", 3 }, ERR_SYNTAX, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t us = 12345;

		unit_row(rows[i].name);
		assert_err_equal(duration_parse(rows[i].text, &us), rows[i].err);
		assert_true(us == (rows[i].err == ERR_OK ? rows[i].us : 12345));
	}
}

static void
test_time_durations_are_put_for_settings_and_people(void **state)
{
	static const struct {
		const char *name;
		int64_t us;
		const char *whole, *briefly;
	} rows[] = {
		{ .name = "nothing", 0, "0s", "0s" },
		{ .name = "below a millisecond", 999, "0s", "0s" },
		{ .name = "negative", -5 * US_PER_S, "0s", "0s" },
		{ .name = "the least", INT64_MIN, "0s", "0s" },
		{ .name = "milliseconds", 250 * US_PER_MS, "250ms", "250ms" },
		{ .name = "a second and a half", 1500 * US_PER_MS, "1s500ms", "1s" },
		{ .name = "40 seconds", 40 * US_PER_S, "40s", "40s" },
		{ .name = "90 seconds", 90 * US_PER_S, "1m30s", "1m 30s" },
		{ .name = "17 minutes", 17 * US_PER_M, "17m", "17m" },
		{ .name = "an hour", US_PER_H, "1h", "1h" },
		{ .name = "an hour and seconds", US_PER_H + 59 * US_PER_S, "1h59s", "1h" },
		{ .name = "days", 3 * US_PER_D + 4 * US_PER_H + 59 * US_PER_M, "3d4h59m", "3d 4h" },
		{ .name = "the most", INT64_MAX, "106751991d4h54s775ms", "106751991d 4h" },
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t back;

		unit_row(rows[i].name);
		duration_put(&buf, rows[i].us);
		if (rows[i].us >= 0 && rows[i].us < 36525 * US_PER_D) {
			assert_ok(duration_parse(buf_bytes(&buf), &back));
			assert_true(back == rows[i].us / US_PER_MS * US_PER_MS);
		}
		assert_buf_holds(&buf, bytes_of(rows[i].whole));
		duration_put_short(&buf, rows[i].us);
		assert_buf_holds(&buf, bytes_of(rows[i].briefly));
	}
	buf_done(&buf);
}

static void
test_time_sums_stop_at_their_ends(void **state)
{
	assert_true(mono_add((mono_t){ 1 }, INT64_MAX).us == INT64_MAX);
	assert_true(mono_add(MONO_NEVER, -1).us == INT64_MAX);
	assert_true(wall_add((wall_t){ 1 }, INT64_MAX).us == INT64_MAX);
	assert_true(wall_add((wall_t){ -1 }, INT64_MAX).us == INT64_MAX - 1);
	assert_true(wall_add((wall_t){ -1 }, INT64_MIN).us == INT64_MIN);
	assert_true(wall_add((wall_t){ 5 }, -3).us == 2);
}

static void
test_time_clocks_go_on(void **state)
{
	mono_t before = mono_now();

	assert_true(before.us > 0);
	assert_false(mono_is_before(mono_now(), before));
	assert_true(wall_now().us > INT64_C(1600000000) * US_PER_S);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_time_is_put_in_utc),
	cmocka_unit_test(test_time_local_tells_the_year_where_it_is_another),
	cmocka_unit_test(test_time_parses_rfc3339_in_any_offset),
	cmocka_unit_test(test_time_refuses_what_is_no_rfc3339),
	cmocka_unit_test(test_time_durations_are_parsed_or_refused),
	cmocka_unit_test(test_time_durations_are_put_for_settings_and_people),
	cmocka_unit_test(test_time_sums_stop_at_their_ends),
	cmocka_unit_test(test_time_clocks_go_on),
};

UNIT_MAIN(tests)
