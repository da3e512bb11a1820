/* test_escape.c: what leaves for a log line, JSON, a terminal, a metric. H2-03, H2-19, H8-05 to
 * H8-07. */
#include "../unit.h"

#include "base/escape.h"

#define ROW(label, text, log, json, term, metric)                                                  \
	{                                                                                          \
		.name = label, { text, sizeof(text) - 1 },                                         \
		{                                                                                  \
			[ESCAPE_LOGFMT] = log, [ESCAPE_JSON] = json, [ESCAPE_TERMINAL] = term,     \
			[ESCAPE_METRIC] = metric                                                   \
		}                                                                                  \
	}

static void
test_escape_leaves_no_harm_in_any_place(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		const char *expected[ESCAPE_PLACE_COUNT];
	} rows[] = {
		ROW("plain", "Invalid credentials", "Invalid credentials", "Invalid credentials",
			"Invalid credentials", "Invalid credentials"),
		ROW("empty", "", "", "", "", ""),
		ROW("quote", "say \"x\"", "say 'x'", "say \\\"x\\\"", "say \"x\"", "say \\\"x\\\""),
		ROW("equals", "a=b", "a\\\\x3db", "a=b", "a=b", "a=b"),
		ROW("backslash", "a\\b", "a\\\\x5cb", "a\\\\b", "a\\b", "a\\\\b"),
		ROW("H2-03 NUL", "a\0b", "a\\\\x00b", "a\\u0000b", "a\\x00b", "a\\\\x00b"),
		ROW("LF", "a\nb", "a\\\\x0ab", "a\\nb", "a\\x0ab", "a\\nb"),
		ROW("CR, tab", "\r\t", "\\\\x0d\\\\x09", "\\r\\t", "\\x0d\\x09", "\\\\x0d\\\\x09"),
		ROW("BEL, DEL", "\a\x7f", "\\\\x07\\\\x7f", "\\u0007\\u007f", "\\x07\\x7f",
			"\\\\x07\\\\x7f"),
		ROW("ESC", "\x1b[2J", "\\\\x1b[2J", "\\u001b[2J", "\\x1b[2J", "\\\\x1b[2J"),
		ROW("OSC 8", "\x1b]8;;http://x\x1b\\", "\\\\x1b]8;;http://x\\\\x1b\\\\x5c",
			"\\u001b]8;;http://x\\u001b\\\\", "\\x1b]8;;http://x\\x1b\\",
			"\\\\x1b]8;;http://x\\\\x1b\\\\"),
		ROW("C1", "\xc2\x9b", "\\\\xc2\\\\x9b", "\\u009b", "\\xc2\\x9b", "\\\\xc2\\\\x9b"),
		ROW("U+202E", "\xe2\x80\xae", "\\\\xe2\\\\x80\\\\xae", "\\u202e", "\\xe2\\x80\\xae",
			"\\\\xe2\\\\x80\\\\xae"),
		ROW("U+2066", "\xe2\x81\xa6", "\\\\xe2\\\\x81\\\\xa6", "\\u2066", "\\xe2\\x81\\xa6",
			"\\\\xe2\\\\x81\\\\xa6"),
		ROW("U+200B", "\xe2\x80\x8b", "\\\\xe2\\\\x80\\\\x8b", "\\u200b", "\\xe2\\x80\\x8b",
			"\\\\xe2\\\\x80\\\\x8b"),
		ROW("U+2028", "\xe2\x80\xa8", "\\\\xe2\\\\x80\\\\xa8", "\\u2028", "\\xe2\\x80\\xa8",
			"\\\\xe2\\\\x80\\\\xa8"),
		ROW("U+FEFF", "\xef\xbb\xbf", "\\\\xef\\\\xbb\\\\xbf", "\\ufeff", "\\xef\\xbb\\xbf",
			"\\\\xef\\\\xbb\\\\xbf"),
		ROW("U+FFFF", "\xef\xbf\xbf", "\\\\xef\\\\xbf\\\\xbf", "\\uffff", "\\xef\\xbf\\xbf",
			"\\\\xef\\\\xbf\\\\xbf"),
		ROW("U+E000, private", "\xee\x80\x80", "\\\\xee\\\\x80\\\\x80", "\\ue000",
			"\\xee\\x80\\x80", "\\\\xee\\\\x80\\\\x80"),
		ROW("U+FE0F, a selector", "\xef\xb8\x8f", "\\\\xef\\\\xb8\\\\x8f", "\\ufe0f",
			"\\xef\\xb8\\x8f", "\\\\xef\\\\xb8\\\\x8f"),
		ROW("U+3164, a filler", "\xe3\x85\xa4", "\\\\xe3\\\\x85\\\\xa4", "\\u3164",
			"\\xe3\\x85\\xa4", "\\\\xe3\\\\x85\\\\xa4"),
		ROW("U+E0041, a tag", "\xf3\xa0\x81\x81", "\\\\xf3\\\\xa0\\\\x81\\\\x81",
			"\\udb40\\udc41", "\\xf3\\xa0\\x81\\x81", "\\\\xf3\\\\xa0\\\\x81\\\\x81"),
		/* The last two are U+02B9 in UTF-8: shown as that. */
		ROW("H2-19 GBK", "535 \xc7\xeb\xca\xb9", "535 \\\\xc7\\\\xeb\xca\xb9",
			"535 \\u00c7\\u00eb\xca\xb9", "535 \\xc7\\xeb\xca\xb9",
			"535 \\\\xc7\\\\xeb\xca\xb9"),
		ROW("Latin-1", "gr\xfc\xdf", "gr\\\\xfc\\\\xdf", "gr\\u00fc\\u00df", "gr\\xfc\\xdf",
			"gr\\\\xfc\\\\xdf"),
		ROW("overlong slash", "\xc0\xaf", "\\\\xc0\\\\xaf", "\\u00c0\\u00af", "\\xc0\\xaf",
			"\\\\xc0\\\\xaf"),
		ROW("surrogate", "\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80", "\\u00ed\\u00a0\\u0080",
			"\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80"),
		ROW("cut UTF-8", "\xe2\x82", "\\\\xe2\\\\x82", "\\u00e2\\u0082", "\\xe2\\x82",
			"\\\\xe2\\\\x82"),
		ROW("broken, then whole", "\xe2\x82\xc3\xbc", "\\\\xe2\\\\x82\xc3\xbc",
			"\\u00e2\\u0082\xc3\xbc", "\\xe2\\x82\xc3\xbc", "\\\\xe2\\\\x82\xc3\xbc"),
		ROW("above U+10FFFF", "\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80",
			"\\u00f4\\u0090\\u0080\\u0080", "\\xf4\\x90\\x80\\x80",
			"\\\\xf4\\\\x90\\\\x80\\\\x80"),
		ROW("what people write", "M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7",
			"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7",
			"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7",
			"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7",
			"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7"),
		ROW("H8-05", "535 x\" state=ok event=state",
			"535 x' state\\\\x3dok event\\\\x3dstate", "535 x\\\" state=ok event=state",
			"535 x\" state=ok event=state", "535 x\\\" state=ok event=state"),
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		for (size_t place = 0; place < ESCAPE_PLACE_COUNT; place++) {
			escape_put(&buf, rows[i].text, (enum escape_place)place);
			assert_buf_holds(&buf, bytes_of(rows[i].expected[place]));
		}
	}
	buf_done(&buf);
}

/* Whatever the byte, what is put is clean, has no raw quote in quotes, and no = in a log line. */
static void
test_escape_of_any_two_bytes_is_clean(void **state)
{
	struct buf buf = { 0 };

	for (unsigned pair = 0; pair < 65536; pair++) {
		char text[2] = { (char)(pair >> 8), (char)(pair & 255) };

		for (size_t place = 0; place < ESCAPE_PLACE_COUNT; place++) {
			buf_clear(&buf);
			escape_put(&buf, (struct bytes){ text, 2 }, (enum escape_place)place);
			assert_true(text_is_clean(buf_bytes(&buf)));
			if (place != ESCAPE_LOGFMT)
				continue;
			assert_int_equal(bytes_index(buf_bytes(&buf), '"'), buf.len);
			assert_int_equal(bytes_index(buf_bytes(&buf), '='), buf.len);
		}
	}
	buf_done(&buf);
}

/* Cut at every length: never within a character or an escape, never longer, all if it fits. */
static void
test_escape_cuts_at_whole_pieces(void **state)
{
	/* What each character gives in a log line. */
	static const char *const pieces[] = { "a", "'", "\\\\x3d", "\xf0\x9f\x93\xa7",
		"\\\\xe2\\\\x80\\\\xae", "\\\\xff", "b", "c" };
	struct bytes text = BYTES("a\"=\xf0\x9f\x93\xa7\xe2\x80\xae\xff"
				  "bc");
	struct buf buf = { 0 }, expected = { 0 };
	size_t whole = 0;

	for (size_t i = 0; i < COUNT_OF(pieces); i++)
		whole += strlen(pieces[i]);
	for (size_t most = 0; most <= whole + 1; most++) {
		bool is_whole = escape_put_cut(&buf, text, ESCAPE_LOGFMT, most);

		for (size_t i = 0; i < COUNT_OF(pieces); i++) {
			if (expected.len + strlen(pieces[i]) > most)
				break;
			buf_put_string(&expected, pieces[i]);
		}
		assert_int_equal(is_whole, most >= whole);
		assert_buf_holds(&buf, buf_bytes(&expected));
		buf_clear(&expected);
	}
	buf_done(&expected);
	buf_done(&buf);
}

static void
test_escape_json_text_is_quoted_or_null(void **state)
{
	struct buf buf = { 0 };

	json_put_text(&buf, BYTES_NONE);
	assert_buf_holds(&buf, BYTES("null"));
	json_put_text(&buf, BYTES(""));
	assert_buf_holds(&buf, BYTES("\"\""));
	json_put_text(&buf, BYTES("\"\n"));
	assert_buf_holds(&buf, BYTES("\"\\\"\\n\""));
	buf_done(&buf);
}

static void
test_escape_tells_clean_text_and_its_columns(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		bool is_clean;
		size_t columns;
	} rows[] = {
		{ .name = "empty", { "", 0 }, true, 0 },
		{ .name = "ASCII", { "a=\"\\", 4 }, true, 4 },
		{ .name = "umlaut", { "M\xc3\xbcnchen", 8 }, true, 7 },
		{ .name = "combining", { "u\xcc\x88", 3 }, true, 1 },
		{ .name = "wide", { "\xe8\xaf\xb7", 3 }, true, 2 },
		{ .name = "a tab", { "a\tb", 3 }, false, 2 },
		{ .name = "direction",
			{ "\xe2\x80\xae"
			  "a",
				4 },
			false,
			1 },
		{ .name = "no UTF-8", { "a\xff", 2 }, false, 2 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_int_equal(text_is_clean(rows[i].text), rows[i].is_clean);
		assert_int_equal(text_columns(rows[i].text), rows[i].columns);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_escape_leaves_no_harm_in_any_place),
	cmocka_unit_test(test_escape_of_any_two_bytes_is_clean),
	cmocka_unit_test(test_escape_cuts_at_whole_pieces),
	cmocka_unit_test(test_escape_json_text_is_quoted_or_null),
	cmocka_unit_test(test_escape_tells_clean_text_and_its_columns),
};

UNIT_MAIN(tests)
