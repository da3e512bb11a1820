/* test_ulid.c: ids rise whatever the clock does (H7-01, H6-15), and are read back from their text.
 */
#include "../unit.h"

#include "base/ulid.h"

static const uint8_t chance[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
static const uint8_t all_ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

static void
test_ulid_text_is_the_known_one(void **state)
{
	static const struct {
		const char *name;
		struct ulid id;
		const char *text;
	} rows[] = {
		{ .name = "none", { { 0 } }, "00000000000000000000000000" },
		{ .name = "the last bit",
			{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
			"00000000000000000000000001" },
		{ .name = "all bits",
			{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
				255, 255 } },
			"7ZZZZZZZZZZZZZZZZZZZZZZZZZ" },
		/* github.com/ulid/spec: 01ARZ3NDEKTSV4RRFFQ69G5FAV */
		{ .name = "the specification's",
			{ { 0x01, 0x56, 0x3e, 0x3a, 0xb5, 0xd3, 0xd6, 0x76, 0x4c, 0x61, 0xef, 0xb9,
				0x93, 0x02, 0xbd, 0x5b } },
			"01ARZ3NDEKTSV4RRFFQ69G5FAV" },
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[ULID_TEXT_LEN + 1];
		struct ulid back;

		unit_row(rows[i].name);
		ulid_text(rows[i].id, text);
		assert_string_equal(text, rows[i].text);
		ulid_put(&buf, rows[i].id);
		assert_buf_holds(&buf, bytes_of(rows[i].text));
		assert_ok(ulid_parse(bytes_of(rows[i].text), &back));
		assert_int_equal(ulid_compare(back, rows[i].id), 0);
	}
	buf_done(&buf);
}

static void
test_ulid_refuses_what_is_none(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
	} rows[] = {
		{ .name = "empty", { "", 0 } },
		{ .name = "25 letters", { "01ARZ3NDEKTSV4RRFFQ69G5FA", 25 } },
		{ .name = "27 letters", { "01ARZ3NDEKTSV4RRFFQ69G5FAVX", 27 } },
		{ .name = "129 bits", { "81ARZ3NDEKTSV4RRFFQ69G5FAV", 26 } },
		{ .name = "a letter U", { "01ARZ3NDEKTSV4RRFFQ69G5FAU", 26 } },
		{ .name = "a NUL", { "01ARZ3NDEKTSV4RRFFQ69G5FA\0", 26 } },
		{ .name = "a quote", { "01ARZ3NDEKTSV4RRFFQ69G5FA\"", 26 } },
	};
	struct ulid id = { { 9 } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_err_equal(ulid_parse(rows[i].text, &id), ERR_SYNTAX);
		assert_int_equal(id.bytes[0], 9);
	}
	assert_ok(ulid_parse(BYTES("01arz3ndektsv4rrffq69g5fav"), &id));
	assert_int_equal(id.bytes[0], 1);
}

static void
test_ulid_rises_whatever_the_clock_does(void **state)
{
	static const struct {
		const char *name;
		int64_t us;
		const uint8_t *random;
	} rows[] = {
		{ .name = "first", 1000 * US_PER_MS, all_ones },
		{ .name = "the same millisecond, chance used up", 1000 * US_PER_MS + 999, chance },
		{ .name = "again", 1000 * US_PER_MS, chance },
		{ .name = "a day back", 1000 * US_PER_MS - US_PER_D, chance },
		{ .name = "a day ahead", 1000 * US_PER_MS + US_PER_D, chance },
		{ .name = "back again", 1000 * US_PER_MS, all_ones },
		{ .name = "before 1970", INT64_MIN, chance },
		{ .name = "the end of time", INT64_MAX, chance },
		{ .name = "and after", 0, chance },
	};
	struct ulid_source source = { 0 };
	struct ulid before = { 0 };

	assert_false(ulid_is_set(before));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ulid id = ulid_next(&source, (wall_t){ rows[i].us }, rows[i].random);

		unit_row(rows[i].name);
		assert_true(ulid_is_set(id));
		assert_true(ulid_compare(id, before) > 0);
		before = id;
	}
}

static void
test_ulid_sorts_behind_what_was_seen(void **state)
{
	struct ulid_source source = { 0 };
	struct ulid seen, id;

	assert_ok(ulid_parse(BYTES("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &seen));
	ulid_source_raise(&source, seen);
	id = ulid_next(&source, (wall_t){ US_PER_D }, chance);
	assert_true(ulid_compare(id, seen) > 0);
	ulid_source_raise(&source, seen); /* an older one lowers nothing */
	assert_true(ulid_compare(ulid_next(&source, (wall_t){ US_PER_D }, chance), id) > 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_ulid_text_is_the_known_one),
	cmocka_unit_test(test_ulid_refuses_what_is_none),
	cmocka_unit_test(test_ulid_rises_whatever_the_clock_does),
	cmocka_unit_test(test_ulid_sorts_behind_what_was_seen),
};

UNIT_MAIN(tests)
