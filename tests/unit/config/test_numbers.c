/* test_numbers.c: what libconfig would swallow, found in the text by line. */
#include "../unit.h"

#include <stdarg.h>
#include <string.h>

#include "config/numbers.h"

static void
on_fault(void *owner, int line, enum scan_fault fault, struct bytes name, const char *what)
{
	static const char *const words[] = { "value", "comma", "string", "open", "broken" };

	buf_put_format(owner, "%d %s %.*s: ", line, words[fault], BYTES_ARG(name));
	buf_put_string(owner, what);
	buf_put_byte(owner, '\n');
}

static void
on_include(void *owner, int line, size_t start, size_t end, struct bytes name)
{
	buf_put_format(owner, "%d include %zu %zu %.*s\n", line, start, end, BYTES_ARG(name));
}

static void
scan(struct buf *out, struct bytes text)
{
	struct scan calls = { on_fault, on_include, out };

	buf_put(out, BYTES_NONE);
	scan_text(text, &calls);
}

static void
test_numbers_that_libconfig_wraps_are_told(void **state)
{
	static const struct {
		const char *name, *text, *told;
	} rows[] = {
		{ .name = "H4-03 port becomes 1",
			"port = 4294967297;",
			"1 value port: port: the number 4294967297 is too large; the largest is "
			"2147483647\n" },
		{ .name = "H4-03 hexadecimal becomes 80",
			"a = 1;\nport = 0x100000050;",
			"2 value port: port: the number 0x100000050 is too large; the largest is "
			"2147483647\n" },
		{ .name = "H4-03 confirm",
			"defaults = {\n\n confirm = 99999999999; };",
			"3 value confirm: confirm: the number 99999999999 is too large; the "
			"largest is 2147483647\n" },
		{ .name = "one too many",
			"a = 2147483648;",
			"1 value a: a: the number 2147483648 is too large; the largest is "
			"2147483647\n" },
		{ .name = "the largest", "a = 2147483647; b = -2147483648; c = 0x7fffffff;", "" },
		{ .name = "below the least",
			"a = -2147483649;",
			"1 value a: a: the number -2147483649 is too large; the largest is "
			"2147483647\n" },
		{ .name = "an L has 63 bits",
			"a = 9223372036854775807L; b = 4294967297L; c = 0xFFFFFFFFL;",
			"" },
		{ .name = "an L has no more",
			"a = 9223372036854775808L;",
			"1 value a: a: the number 9223372036854775808L is too large; the largest "
			"is 2147483647\n" },
		{ .name = "H4-04 1e999",
			"timeout = 1.0e999;",
			"1 value timeout: timeout: the number 1.0e999 is too large; write one that "
			"is within its range\n" },
		{ .name = "floats", "a = 1.5e3; b = .5; c = -5.;", "" },
		{ .name = "in an array",
			"a = [1, 2,\n 4294967296];",
			"2 value a: a: the number 4294967296 is too large; the largest is "
			"2147483647\n" },
		{ .name = "in strings and comments they are text",
			"a = \"4294967297 # \\\" 4294967297\"; # 4294967297\n// 4294967297\n/* "
			"4294967297\n */ b = 1;",
			"" },
		{ .name = "digits of a name", "a4294967297 = 1; b-4294967297 = 2;", "" },
		{ .name = "70 digits",
			"a = "
			"1111111111111111111111111111111111111111111111111111111111111111111111;",
			"1 value a: a: a number of 70 digits; the largest is 2147483647\n" },
	};
	struct buf told = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		scan(&told, bytes_of(rows[i].text));
		assert_buf_holds(&told, bytes_of(rows[i].told));
	}
	buf_done(&told);
}

static void
test_numbers_nul_and_marks_are_told(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		const char *told;
	} rows[] = {
		{ .name = "H4-05 \\x00",
			{ "\npassword = \"ab\\x00cd\";", 22 },
			"2 value password: password: \\x00 in a string, a byte that no setting can "
			"have; leave it out\n" },
		{ .name = "H4-05 a raw NUL",
			{ "a = 1;\npassword = \"ab\0cd\";", 26 },
			"2 broken password: a NUL byte; the file must be text\n" },
		{ .name = "a NUL in a comment",
			{ "# \0\na = 1;", 10 },
			"1 broken ?: a NUL byte; the file must be text\n" },
		{ .name = "a NUL between",
			{ "a = \0 1;", 8 },
			"1 broken a: a NUL byte; the file must be text\n" },
		{ .name = "H4-06 byte order mark",
			{ "\xef\xbb\xbf"
			  "a = 1;",
				9 },
			"1 broken ?: the file begins with a byte order mark; save it as UTF-8 "
			"without one\n" },
		{ .name = "UTF-16",
			{ "\xff\xfe"
			  "a\0",
				4 },
			"1 broken ?: the file begins with the byte order mark of UTF-16; save it "
			"as UTF-8\n" },
		{ .name = "H4-06 CR LF", { "a = 1;\r\nb = 2;\r\n", 16 }, "" },
		{ .name = "a backslash that libconfig keeps",
			{ "a = \"C:\\data\";", 14 },
			"1 value a: a: a backslash before a character that needs none; write a "
			"backslash as \\\\\n" },
		{ .name = "escapes", { "a = \"\\n\\r\\t\\f\\\\\\\"\\x41\";", 23 }, "" },
	};
	struct buf told = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		scan(&told, rows[i].text);
		assert_buf_holds(&told, bytes_of(rows[i].told));
	}
	buf_done(&told);
}

static void
test_numbers_what_has_no_end_is_told_where_it_begins(void **state)
{
	static const struct {
		const char *name, *text, *told;
	} rows[] = {
		{ .name = "a string",
			"a = 1;\nb = \"x;\nc = 2;\n",
			"2 string b: the string that begins here has no end; end it by \"\n" },
		{ .name = "a comment",
			"a = 1;\n/* x\nc = 2;\n",
			"2 broken a: a comment that begins here has no end; end it by */\n" },
		{ .name = "a comma in a list",
			"a = (\n 1,\n 2,\n);",
			"3 comma a: a comma too many before \")\"; take it away\n" },
		{ .name = "a comma in an array",
			"a = [1, ];",
			"1 comma a: a comma too many before \"]\"; take it away\n" },
		{ .name = "a comma and a comment",
			"a = (1, # one\n);",
			"1 comma a: a comma too many before \")\"; take it away\n" },
		{ .name = "a comma may end a setting", "a = { b = 1, };", "" },
		{ .name = "a comma in a string", "a = (\"b,\");", "" },
		{ .name = "a bracket",
			"a = {\n b = (\n 1); c = [\n1];",
			"1 open c: \"{\" is opened here and never closed; close it\n" },
		{ .name = "an include",
			"a = {\n  @include \"x.conf\"\n};",
			"2 include 8 25 x.conf\n" },
		{ .name = "no include", "a = \"@include\"; @include \"x\"", "" },
	};
	struct buf told = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		scan(&told, bytes_of(rows[i].text));
		assert_buf_holds(&told, bytes_of(rows[i].told));
	}
	buf_done(&told);
}

static void
test_numbers_hostile_texts_are_bounded(void **state)
{
	struct buf text = { 0 }, told = { 0 };

	unit_row("H4-02 100,000 opening parentheses");
	buf_put_string(&text, "a = ");
	for (int i = 0; i < 100000; i++)
		buf_put_byte(&text, '(');
	scan(&told, buf_bytes(&text));
	assert_buf_holds(&told, BYTES("1 broken a: more than 32 brackets within each other; no "
				      "setting needs so many\n"));
	unit_row("20,000 members of one group");
	buf_clear(&text);
	buf_put_string(&text, "a = {\n");
	for (int i = 0; i < 20000; i++)
		buf_put_format(&text, "x%d = 1;\n", i);
	scan(&told, buf_bytes(&text));
	assert_buf_holds(&told,
		BYTES("1002 broken x1000: more than 1000 settings in one group; there are no more "
		      "than a hundred\n"));
	unit_row("1,000 groups of one");
	buf_clear(&text);
	buf_put_string(&text, "a = (\n");
	for (int i = 0; i < 2000; i++)
		buf_put_string(&text, i ? ", { b = 1; c = true; }\n" : "{ b = 1; }\n");
	buf_put_string(&text, ");");
	scan(&told, buf_bytes(&text));
	assert_buf_holds(&told, BYTES(""));
	buf_done(&text);
	buf_done(&told);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_numbers_that_libconfig_wraps_are_told),
	cmocka_unit_test(test_numbers_nul_and_marks_are_told),
	cmocka_unit_test(test_numbers_what_has_no_end_is_told_where_it_begins),
	cmocka_unit_test(test_numbers_hostile_texts_are_bounded),
};

UNIT_MAIN(tests)
