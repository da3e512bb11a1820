/*
 * test_table.c: mboxwatchctl's tables: widths as a terminal counts them, 80 columns, nothing raw
 * from outside (H8-06).
 */
#include "../unit.h"

#include "ctl/ctl.h"

#include <stdlib.h>

static const struct column columns[] = {
	{ "MAILBOX", .least = 12 },
	{ "STATE", .least = 0 },
	{ "CAUSE", .least = 8 },
	{ "NEXT", .least = 0, .is_number = true },
};

struct row {
	const char *cells[COUNT_OF(columns)];
};

static void
print(struct buf *text, size_t width, bool is_utf8, const struct row *rows, size_t count)
{
	struct table *table = table_new(columns, COUNT_OF(columns));
	struct out out = { .fd = -1, .columns = width, .is_utf8 = is_utf8 };

	assert_non_null(table);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < COUNT_OF(columns); j++)
			table_put(table, COLOUR_NONE, bytes_of(rows[i].cells[j]));
	}
	assert_int_equal(table_rows(table), count);
	assert_true(table_print(table, &out));
	table_free(table);
	*text = out.pending;
}

static void
test_table_stands_in_columns(void **state)
{
	static const struct row rows[] = {
		{ { "support", "smtp ok, imap failing", "bad_credentials", "40s" } },
		{ { "a", "ok", NULL, "4m" } },
	};
	struct buf text;

	print(&text, SIZE_MAX, true, rows, COUNT_OF(rows));
	assert_buf_holds(&text, BYTES("MAILBOX  STATE                  CAUSE            NEXT\n"
				      "support  smtp ok, imap failing  bad_credentials   40s\n"
				      "a        ok                                        4m\n"));
	buf_done(&text);
}

static void
test_table_leaves_out_empty_columns(void **state)
{
	static const struct row rows[] = { { { "support", "ok", NULL, "4m" } } };
	struct buf text;

	print(&text, 80, true, rows, COUNT_OF(rows));
	assert_buf_holds(&text, BYTES("MAILBOX  STATE  NEXT\nsupport  ok       4m\n"));
	buf_done(&text);
}

/* Whatever stands in it, no line is wider than the terminal. */
static void
test_table_fits_the_terminal(void **state)
{
	static const struct row rows[] = {
		{ { "a.very.long.name.of.a.mailbox+with-a-tag@subdomain.example.com",
			"smtp failing, imap failing", "bad_credentials, cert_name_mismatch",
			"40s" } },
		{ { "日本語の受信箱日本語の受信箱日本語の受信箱", "ok", "ẞ̈́́́́́", "4m" } },
		{ { "🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶🐶", "ok", "", "4m" } },
		{ { "a\xcc\x81\xcc\x81\xcc\x81 combining", "ok", "x", "4m" } },
	};
	static const size_t widths[] = { 200, 120, 80, 79, 78, 77, 60 };

	for (size_t i = 0; i < COUNT_OF(widths) * 2; i++) {
		size_t width = widths[i / 2];
		struct buf text;
		struct bytes rest;
		char name[20];

		snprintf(name, sizeof(name), "%zu columns", width);
		unit_row(name);
		print(&text, width, i % 2, rows, COUNT_OF(rows));
		for (rest = buf_bytes(&text); rest.len > 0;) {
			struct bytes line = bytes_first(rest, bytes_index(rest, '\n'));

			assert_true(text_columns(line) <= width);
			assert_true(line.len == 0 || line.at[line.len - 1] != ' ');
			rest = bytes_from(rest, line.len + 1);
		}
		assert_true(i % 2 == 0 || width < 200 || !strstr(text.at, "…"));
		buf_done(&text);
	}
}

/* The right column stays in its place behind wide and cut cells. */
static void
test_table_counts_wide_characters(void **state)
{
	static const struct row rows[] = {
		{ { "日本語", "ok", NULL, "4m" } },
		{ { "abcdef", "ok", NULL, "4m" } },
	};
	struct buf text;

	print(&text, 80, true, rows, COUNT_OF(rows));
	assert_buf_holds(
		&text, BYTES("MAILBOX  STATE  NEXT\n日本語   ok       4m\nabcdef   ok       4m\n"));
	buf_done(&text);
}

/* H8-06 */
static void
test_table_shows_nothing_raw(void **state)
{
	static const struct row rows[] = {
		{ { "\033[2J\033]8;;http://x\033\\", "\xc2\x9b", "\x07\x7f\xe2\x80\xae", "\xff" } },
	};
	struct buf text;

	print(&text, SIZE_MAX, true, rows, COUNT_OF(rows));
	assert_null(strpbrk(text.at, "\033\x07\x7f\x9b\xff"));
	assert_non_null(strstr(text.at, "\\x1b[2J"));
	assert_non_null(strstr(text.at, "\\xe2\\x80\\xae"));
	buf_done(&text);
}

/* A document means the same after what a terminal should not see is escaped in it. */
static void
test_json_is_shown_without_what_harms(void **state)
{
	static const char raw[] = "{\"a\":\"\xe2\x80\xae\x7f\xc2\x9bü\",\n \"b\":[1]}";
	struct out out = { .fd = -1 };
	json_t *before = json_loads(raw, 0, NULL), *after;

	out_json(&out, bytes_of(raw));
	assert_null(strstr(out.pending.at, "\xe2\x80\xae"));
	assert_null(strchr(out.pending.at, 0x7f));
	after = json_loads(out.pending.at, 0, NULL);
	assert_non_null(after);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	buf_done(&out.pending);
}

static void
test_fields_are_wrapped(void **state)
{
	struct out out = { .fd = -1, .columns = 40 };

	out_field(&out, "means", BYTES("Name and secret were judged and refused, so."));
	out_field(&out, "none", BYTES_NONE);
	assert_buf_holds(&out.pending, BYTES("  means         Name and secret were\n"
					     "                judged and refused, so.\n"));
	buf_done(&out.pending);
}

static void
test_grammar_knows_what_fits(void **state)
{
	static const struct {
		const char *name;
		char *words[6];
		enum exit_status status;
		size_t arguments;
	} rows[] = {
		{ "nothing", { NULL }, EXIT_USAGE, 0 },
		{ "a command", { (char *)"status" }, EXIT_FINE, 0 },
		{ "selectors", { (char *)"status", (char *)"a", (char *)"b*" }, EXIT_FINE, 2 },
		{ "no command", { (char *)"stats" }, EXIT_USAGE, 0 },
		{ "an option in front", { (char *)"--json", (char *)"status" }, EXIT_FINE, 0 },
		{ "an option with its value",
			{ (char *)"events", (char *)"--since", (char *)"2h", (char *)"a" },
			EXIT_FINE, 1 },
		{ "the same in one word", { (char *)"events", (char *)"--since=2h", (char *)"a" },
			EXIT_FINE, 1 },
		{ "a value that is missing", { (char *)"events", (char *)"--since" }, EXIT_USAGE,
			0 },
		{ "a value too many", { (char *)"events", (char *)"--follow=1" }, EXIT_USAGE, 0 },
		{ "an option of another", { (char *)"status", (char *)"--follow" }, EXIT_USAGE, 0 },
		{ "no such option", { (char *)"status", (char *)"--fellow" }, EXIT_USAGE, 0 },
		{ "a name too few", { (char *)"show" }, EXIT_USAGE, 0 },
		{ "a name too many", { (char *)"show", (char *)"a", (char *)"b" }, EXIT_USAGE, 0 },
		{ "words behind --", { (char *)"status", (char *)"--", (char *)"-a" }, EXIT_FINE,
			1 },
		{ "help", { (char *)"--help" }, EXIT_FINE, 0 },
		{ "help of a command", { (char *)"show", (char *)"--help" }, EXIT_FINE, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *words[8] = { (char *)"mboxwatchctl" };
		struct invocation invocation;
		int count = 1;

		unit_row(rows[i].name);
		while (count < 7 && rows[i].words[count - 1]) {
			words[count] = rows[i].words[count - 1];
			count++;
		}
		assert_int_equal(grammar_read(count, words, &invocation), rows[i].status);
		if (rows[i].status == EXIT_FINE)
			assert_int_equal(invocation.argument_count, rows[i].arguments);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_table_stands_in_columns),
	cmocka_unit_test(test_table_leaves_out_empty_columns),
	cmocka_unit_test(test_table_fits_the_terminal),
	cmocka_unit_test(test_table_counts_wide_characters),
	cmocka_unit_test(test_table_shows_nothing_raw),
	cmocka_unit_test(test_json_is_shown_without_what_harms),
	cmocka_unit_test(test_fields_are_wrapped),
	cmocka_unit_test(test_grammar_knows_what_fits),
};

UNIT_MAIN(tests)
