/* test_buf.c: buffers grow, remember what failed, and speak base64 and hex. */
#include "../unit.h"

#include <stdlib.h>

static void
test_buf_puts_all_kinds_and_ends_in_a_nul(void **state)
{
	struct buf buf = { 0 };

	buf_put(&buf, BYTES("a\0b"));
	buf_put(&buf, BYTES_NONE);
	buf_put_string(&buf, "c");
	buf_put_string(&buf, NULL);
	buf_put_byte(&buf, 'd');
	buf_put_format(&buf, "[%s %d]", "e", 5);
	buf_put_number(&buf, INT64_MIN);
	assert_bytes_equal(buf_bytes(&buf), BYTES("a\0bcd[e 5]-9223372036854775808"));
	assert_int_equal(buf.at[buf.len], '\0');
	buf_done(&buf);
	assert_null(buf.at);
	buf_done(&buf);
}

static void
test_buf_grows_and_keeps_what_it_has(void **state)
{
	struct buf buf = { 0 };

	for (int i = 0; i < 100000; i++)
		buf_put_byte(&buf, (char)('a' + i % 26));
	assert_int_equal(buf_err(&buf), ERR_OK);
	assert_int_equal(buf.len, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf.at[i], 'a' + i % 26);
	assert_int_equal(buf.at[buf.len], '\0');
	buf_done_wiped(&buf);
}

static void
test_buf_drops_cuts_and_clears(void **state)
{
	struct buf buf = { 0 };
	size_t room;

	buf_drop(&buf, 0);
	buf_cut(&buf, 0);
	buf_put_string(&buf, "0123456789");
	room = buf.room;
	buf_drop(&buf, 3);
	assert_bytes_equal(buf_bytes(&buf), BYTES("3456789"));
	assert_string_equal(buf.at, "3456789");
	buf_cut(&buf, 2);
	assert_string_equal(buf.at, "34");
	buf_cut(&buf, 5);
	assert_string_equal(buf.at, "34");
	buf_drop(&buf, 2);
	assert_string_equal(buf.at, "");
	buf_put_string(&buf, "x");
	buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.room, room);
	buf_done(&buf);
}

static void
test_buf_remembers_an_allocation_that_failed(void **state)
{
	struct buf buf = { 0 };

	buf_put_string(&buf, "kept");
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_null(buf_reserve(&buf, PTRDIFF_MAX));
	assert_err_equal(buf_err(&buf), ERR_MEMORY);
	buf_put_string(&buf, " no more");
	buf_put_base64(&buf, BYTES("no more"));
	assert_bytes_equal(buf_bytes(&buf), BYTES("kept"));
	assert_err_equal(buf_put_base64_decoded(&buf, BYTES("YQ==")), ERR_MEMORY);
	assert_null(buf_take(&buf));
	assert_null(buf.at);
	assert_false(buf.is_failed);
}

static void
test_buf_reserved_room_is_filled_by_the_caller(void **state)
{
	struct buf buf = { 0 };
	char *at;

	buf_put_string(&buf, "ab");
	at = buf_reserve(&buf, 1000);
	assert_non_null(at);
	memset(at, 'c', 1000);
	buf.len += 1000;
	buf_put_byte(&buf, 'd');
	assert_int_equal(buf.len, 1003);
	assert_int_equal(buf.at[1001], 'c');
	assert_int_equal(buf.at[1002], 'd');
	buf_done(&buf);
}

static void
test_buf_take_hands_over_a_string(void **state)
{
	struct buf buf = { 0 };
	char *taken;

	buf_put_string(&buf, "mine");
	taken = buf_take(&buf);
	assert_string_equal(taken, "mine");
	assert_null(buf.at);
	free(taken);
	taken = buf_take(&buf);
	assert_string_equal(taken, "");
	free(taken);
}

/* RFC 4648 10, and what the bytes above 127 and the letters + and / ask. */
static void
test_buf_base64_goes_there_and_back(void **state)
{
	static const struct {
		const char *name;
		struct bytes plain;
		const char *text;
	} rows[] = {
		{ .name = "empty", { "", 0 }, "" },
		{ .name = "one", { "f", 1 }, "Zg==" },
		{ .name = "two", { "fo", 2 }, "Zm8=" },
		{ .name = "three", { "foo", 3 }, "Zm9v" },
		{ .name = "four", { "foob", 4 }, "Zm9vYg==" },
		{ .name = "five", { "fooba", 5 }, "Zm9vYmE=" },
		{ .name = "six", { "foobar", 6 }, "Zm9vYmFy" },
		{ .name = "high bytes", { "\xff\xfe\xfb\xef", 4 }, "//777w==" },
		{ .name = "PLAIN", { "\0user\0s3cret", 12 }, "AHVzZXIAczNjcmV0" },
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		buf_put_base64(&buf, rows[i].plain);
		assert_int_equal(buf.at[buf.len], '\0');
		assert_buf_holds(&buf, bytes_of(rows[i].text));
		assert_ok(buf_put_base64_decoded(&buf, bytes_of(rows[i].text)));
		assert_int_equal(buf.at[buf.len], '\0');
		assert_buf_holds(&buf, rows[i].plain);
	}
	buf_done(&buf);
}

static void
test_buf_base64_refuses_what_is_none(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
	} rows[] = {
		{ .name = "no padding", { "Zg", 2 } },
		{ .name = "half the padding", { "Zg=", 3 } },
		{ .name = "padding alone", { "====", 4 } },
		{ .name = "three of padding", { "Z===", 4 } },
		{ .name = "padding within", { "Zg==Zg==", 8 } },
		{ .name = "a blank", { "Zm 9v", 5 } },
		{ .name = "a line end", { "Zm9v\r\n", 6 } },
		{ .name = "a NUL", { "Zm\0v", 4 } },
		{ .name = "the URL's letters", { "_-8=", 4 } },
		{ .name = "a high byte", { "Zm9\xe4", 4 } },
	};
	struct buf buf = { 0 };

	buf_put_string(&buf, "as it was");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_err_equal(buf_put_base64_decoded(&buf, rows[i].text), ERR_SYNTAX);
		assert_bytes_equal(buf_bytes(&buf), BYTES("as it was"));
	}
	buf_done(&buf);
}

static void
test_buf_hex_is_in_small_letters(void **state)
{
	struct buf buf = { 0 };

	buf_put_hex(&buf, BYTES("\x00\x0f\xa5\xff"));
	assert_buf_holds(&buf, BYTES("000fa5ff"));
	buf_done(&buf);
}

static void
test_buf_copies_end_in_a_nul_and_wipes_leave_nothing(void **state)
{
	char *copy = bytes_copy(BYTES("a\0b"));

	assert_memory_equal(copy, "a\0b\0", 4);
	bytes_wipe(copy, 3);
	assert_memory_equal(copy, "\0\0\0\0", 4);
	free(copy);
	bytes_wipe(NULL, 0);
	copy = bytes_copy(BYTES_NONE);
	assert_string_equal(copy, "");
	free(copy);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_buf_puts_all_kinds_and_ends_in_a_nul),
	cmocka_unit_test(test_buf_grows_and_keeps_what_it_has),
	cmocka_unit_test(test_buf_drops_cuts_and_clears),
	cmocka_unit_test(test_buf_remembers_an_allocation_that_failed),
	cmocka_unit_test(test_buf_reserved_room_is_filled_by_the_caller),
	cmocka_unit_test(test_buf_take_hands_over_a_string),
	cmocka_unit_test(test_buf_base64_goes_there_and_back),
	cmocka_unit_test(test_buf_base64_refuses_what_is_none),
	cmocka_unit_test(test_buf_hex_is_in_small_letters),
	cmocka_unit_test(test_buf_copies_end_in_a_nul_and_wipes_leave_nothing),
};

UNIT_MAIN(tests)
