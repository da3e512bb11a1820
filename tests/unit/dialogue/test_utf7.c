/*
 * test_utf7.c: folder names to and from modified UTF-7.
 */
#include "../unit.h"

#include "dialogue/utf7.h"

static void
test_utf7_goes_both_ways(void **state)
{
	static const struct {
		const char *name;
		struct bytes utf8;
		struct bytes wire;
	} rows[] = {
		{ "plain", BYTES("INBOX"), BYTES("INBOX") },
		{ "nothing", BYTES(""), BYTES("") },
		{ "ampersand", BYTES("R&D"), BYTES("R&-D") },
		{ "H2-31", BYTES("Entw\xC3\xBCrfe & \"Zwei\"\\"),
			BYTES("Entw&APw-rfe &- \"Zwei\"\\") },
		{ "RFC 3501 5.1.3",
			BYTES("~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/"
			      "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"),
			BYTES("~peter/mail/&U,BTFw-/&ZeVnLIqe-") },
		{ "above the BMP", BYTES("\xF0\x9F\x93\xA7"), BYTES("&2D3c5w-") },
		{ "control", BYTES("a\tb"), BYTES("a&AAk-b") },
		{ "ampersand in a run", BYTES("\xC3\xA9&\xC3\xA9"), BYTES("&AOk-&-&AOk-") },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_ok(utf7_put(&out, rows[i].utf8));
		assert_buf_holds(&out, rows[i].wire);
		assert_ok(utf7_put_decoded(&out, rows[i].wire));
		assert_buf_holds(&out, rows[i].utf8);
	}
	buf_done(&out);
}

/* H2-32: what does not code back to itself is no name. */
static void
test_utf7_refuses_what_is_broken(void **state)
{
	static const struct bytes rows[] = {
		BYTES("&AOk"),
		BYTES("&&-"),
		BYTES("&2D0-"),
		BYTES("&AGE-"),
		BYTES("&AO-"),
		BYTES("&AOk=-"),
		BYTES("&A/k-"),
		BYTES("\xC3\xA9"),
		BYTES("&AOk-&AOk-"),
		BYTES("&3DzYPQ-"),
		BYTES("&*-"),
		BYTES("&AOl-"),
		BYTES("&"),
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		printf("# %.*s\n", BYTES_ARG(rows[i]));
		buf_put_byte(&out, 'x');
		assert_err_equal(utf7_put_decoded(&out, rows[i]), ERR_SYNTAX);
		assert_buf_holds(&out, BYTES("x"));
	}
	buf_done(&out);
}

static void
test_utf7_refuses_what_is_no_utf8(void **state)
{
	static const struct bytes rows[] = { BYTES("\xff"), BYTES("\xC3"), BYTES("\xC0\x80"),
		BYTES("\xED\xA0\x80"), BYTES("\xF5\x80\x80\x80"), BYTES("\xE0\x80\x80"),
		BYTES("\x80") };
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_err_equal(utf7_put(&out, rows[i]), ERR_SYNTAX);
		buf_clear(&out);
	}
	buf_done(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_utf7_goes_both_ways),
	cmocka_unit_test(test_utf7_refuses_what_is_broken),
	cmocka_unit_test(test_utf7_refuses_what_is_no_utf8),
};

UNIT_MAIN(tests)
