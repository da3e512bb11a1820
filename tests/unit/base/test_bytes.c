/* test_bytes.c: views are compared, searched and taken apart without a NUL and without a locale. */
#include "../unit.h"

static void
test_bytes_compare_by_length_and_content(void **state)
{
	static const struct {
		const char *name;
		struct bytes a, b;
		bool is_equal, is_equal_nocase, a_starts, a_starts_nocase, a_ends_nocase;
	} rows[] = {
		{ .name = "the same", { "ok", 2 }, { "ok", 2 }, true, true, true, true, true },
		{ .name = "another case",
			{ "AUTH", 4 },
			{ "auth", 4 },
			false,
			true,
			false,
			true,
			true },
		{ .name = "longer",
			{ "AUTH=PLAIN", 10 },
			{ "AUTH", 4 },
			false,
			false,
			true,
			true,
			false },
		{ .name = "shorter",
			{ "AU", 2 },
			{ "AUTH", 4 },
			false,
			false,
			false,
			false,
			false },
		{ .name = "an end",
			{ "x.Example.ORG", 13 },
			{ ".example.org", 12 },
			false,
			false,
			false,
			false,
			true },
		{ .name = "behind a NUL",
			{ "a\0b", 3 },
			{ "a\0c", 3 },
			false,
			false,
			false,
			false,
			false },
		{ .name = "both empty", { NULL, 0 }, { "", 0 }, true, true, true, true, true },
		{ .name = "letters above ASCII stay",
			{ "\xc4", 1 },
			{ "\xe4", 1 },
			false,
			false,
			false,
			false,
			false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bytes a = rows[i].a, b = rows[i].b;

		unit_row(rows[i].name);
		assert_int_equal(bytes_equal(a, b), rows[i].is_equal);
		assert_int_equal(bytes_equal_nocase(a, b), rows[i].is_equal_nocase);
		assert_int_equal(bytes_starts(a, b), rows[i].a_starts);
		assert_int_equal(bytes_starts_nocase(a, b), rows[i].a_starts_nocase);
		assert_int_equal(bytes_ends_nocase(a, b), rows[i].a_ends_nocase);
	}
}

static void
test_bytes_parts_never_leave_the_view(void **state)
{
	struct bytes view = BYTES("greeting");

	assert_bytes_equal(bytes_from(view, 5), BYTES("ing"));
	assert_bytes_equal(bytes_from(view, 99), BYTES(""));
	assert_bytes_equal(bytes_first(view, 5), BYTES("greet"));
	assert_bytes_equal(bytes_first(view, 99), view);
	assert_bytes_equal(bytes_from(BYTES_NONE, 3), BYTES_NONE);
	assert_null(bytes_from(BYTES_NONE, 3).at);
	assert_int_equal(bytes_index(view, 'e'), 2);
	assert_int_equal(bytes_index(view, 'z'), view.len);
	assert_int_equal(bytes_index(BYTES_NONE, 'z'), 0);
}

static void
test_bytes_contain_words_in_any_case(void **state)
{
	assert_true(bytes_contains_nocase(BYTES("535 Bad PassWord."), BYTES("password")));
	assert_true(bytes_contains_nocase(BYTES("x"), BYTES("")));
	assert_false(bytes_contains_nocase(BYTES("passwor"), BYTES("password")));
	assert_false(bytes_contains_nocase(BYTES_NONE, BYTES("a")));
}

static void
test_bytes_are_trimmed_of_blanks_and_tabs(void **state)
{
	assert_bytes_equal(bytes_trim(BYTES(" \t a b\t ")), BYTES("a b"));
	assert_bytes_equal(bytes_trim(BYTES(" \t ")), BYTES(""));
	assert_bytes_equal(bytes_trim(BYTES("\na")), BYTES("\na"));
	assert_bytes_equal(bytes_trim(BYTES_NONE), BYTES_NONE);
}

static void
test_bytes_words_come_one_by_one(void **state)
{
	struct bytes rest = BYTES("  AUTH PLAIN\t LOGIN ");

	assert_bytes_equal(bytes_next_word(&rest), BYTES("AUTH"));
	assert_bytes_equal(bytes_next_word(&rest), BYTES("PLAIN"));
	assert_bytes_equal(bytes_next_word(&rest), BYTES("LOGIN"));
	assert_true(bytes_is_empty(bytes_next_word(&rest)));
	assert_true(bytes_is_empty(bytes_next_word(&rest)));
}

static void
test_bytes_numbers_are_digits_within_their_range(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		uint64_t most;
		enum err err;
		uint64_t number;
	} rows[] = {
		{ .name = "zero", "0", 10, ERR_OK, 0 },
		{ .name = "zeros before", "0007", 10, ERR_OK, 7 },
		{ .name = "the most", "10", 10, ERR_OK, 10 },
		{ .name = "above", "11", 10, ERR_RANGE, 0 },
		{ .name = "all 64 bits", "18446744073709551615", UINT64_MAX, ERR_OK, UINT64_MAX },
		{ .name = "65 bits", "18446744073709551616", UINT64_MAX, ERR_RANGE, 0 },
		{ .name = "20 digits", "99999999999999999999", UINT64_MAX, ERR_RANGE, 0 },
		{ .name = "empty", "", 10, ERR_SYNTAX, 0 },
		{ .name = "a sign", "-1", 10, ERR_SYNTAX, 0 },
		{ .name = "a plus", "+1", 10, ERR_SYNTAX, 0 },
		{ .name = "a blank", " 1", 10, ERR_SYNTAX, 0 },
		{ .name = "a letter behind too many digits",
			"99999999999999999999x",
			10,
			ERR_SYNTAX,
			0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t number = 12345;

		unit_row(rows[i].name);
		assert_err_equal(bytes_to_number(bytes_of(rows[i].text), rows[i].most, &number),
			rows[i].err);
		assert_true(number == (rows[i].err == ERR_OK ? rows[i].number : 12345));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_bytes_compare_by_length_and_content),
	cmocka_unit_test(test_bytes_parts_never_leave_the_view),
	cmocka_unit_test(test_bytes_contain_words_in_any_case),
	cmocka_unit_test(test_bytes_are_trimmed_of_blanks_and_tabs),
	cmocka_unit_test(test_bytes_words_come_one_by_one),
	cmocka_unit_test(test_bytes_numbers_are_digits_within_their_range),
};

UNIT_MAIN(tests)
