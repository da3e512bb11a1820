/*
 * test_prepare.c: SASLprep by the examples of RFC 4013 3 and what people type (H4-17).
 */
#include "../unit.h"

#include "base/prepare.h"

static void
test_prepare_makes_one_form(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		enum err err;
		const char *prepared;
	} rows[] = {
		{ "soft hyphen", "I\xc2\xadX", ERR_OK, "IX" },
		{ "case stays", "USER", ERR_OK, "USER" },
		{ "NFKC", "\xc2\xaa", ERR_OK, "a" },
		{ "Roman nine", "\xe2\x85\xa8", ERR_OK, "IX" },
		{ "both directions",
			"\xd8\xa7"
			"1",
			ERR_INVALID, "" },
		{ "ASCII as it is, controls too", "a\x07 b", ERR_OK, "a\x07 b" },
		{ "a control among letters", "\xc3\xbc\x07", ERR_INVALID, "" },
		{ "H4-17: u with two dots, composed", "\xc3\xbc", ERR_OK, "\xc3\xbc" },
		{ "H4-17: decomposed", "u\xcc\x88", ERR_OK, "\xc3\xbc" },
		{ "H4-17: Latin-1", "\xfc", ERR_SYNTAX, "" },
		{ "a no-break space is a space", "a\xc2\xa0z", ERR_OK, "a z" },
		{ "unknown to Unicode 3.2: kept", "\xf0\x9f\x94\x91", ERR_OK, "\xf0\x9f\x94\x91" },
		{ "nothing is left", "\xc2\xad", ERR_INVALID, "" },
		{ "the longest growth", "\xef\xb7\xba\xef\xb7\xba", ERR_OK,
			"\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 "
			"\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85"
			"\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 "
			"\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf out = { 0 };

		unit_row(rows[i].name);
		assert_err_equal(prepare_put(&out, bytes_of(rows[i].text)), rows[i].err);
		if (rows[i].err == ERR_OK)
			assert_buf_holds(&out, bytes_of(rows[i].prepared));
		buf_done(&out);
	}
}

static void
test_prepare_takes_a_thousand_bytes(void **state)
{
	struct buf text = { 0 }, out = { 0 };

	for (size_t i = 0; i < 500; i++)
		buf_put(&text, BYTES("\xc3\xbc"));
	assert_ok(prepare_put(&out, buf_bytes(&text)));
	assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&text)));
	buf_done(&text);
	buf_done(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_prepare_makes_one_form),
	cmocka_unit_test(test_prepare_takes_a_thousand_bytes),
};

UNIT_MAIN(tests)
