/*
 * test_imap_response.c: wire bytes -> the parts of responses, in one piece and byte by byte.
 */
#include "../unit.h"

#include "dialogue/imap_response.h"

static const struct row {
	const char *name;
	struct bytes wire;
	enum err err;
	struct imap_response want;
} rows[] = {
	{ .name = "greeting",
		.wire = BYTES("* OK ready\r\n"),
		.want = { .kind = IMAP_UNTAGGED_STATUS,
			.status = REPLY_OK,
			.text = BYTES("ready") } },
	{ .name = "greeting, the word alone",
		.wire = BYTES("* OK\r\n"),
		.want = { .kind = IMAP_UNTAGGED_STATUS, .status = REPLY_OK } },
	{ .name = "code with arguments",
		.wire = BYTES("* OK [CAPABILITY IMAP4rev1 ID] hi\r\n"),
		.want = { .kind = IMAP_UNTAGGED_STATUS,
			.status = REPLY_OK,
			.code = BYTES("CAPABILITY"),
			.code_argument = BYTES("IMAP4rev1 ID"),
			.text = BYTES("hi") } },
	{ .name = "bye",
		.wire = BYTES("* bye so long\r\n"),
		.want = { .kind = IMAP_UNTAGGED_STATUS,
			.status = REPLY_BYE,
			.text = BYTES("so long") } },
	{ .name = "tagged",
		.wire = BYTES("a1 NO [AUTHENTICATIONFAILED] no\r\n"),
		.want = { .kind = IMAP_TAGGED,
			.tag = BYTES("a1"),
			.status = REPLY_NO,
			.code = BYTES("AUTHENTICATIONFAILED"),
			.text = BYTES("no") } },
	{ .name = "H2-26: a code that does not stand first",
		.wire = BYTES("a1 NO Sorry [UNAVAILABLE]\r\n"),
		.want = { .kind = IMAP_TAGGED,
			.tag = BYTES("a1"),
			.status = REPLY_NO,
			.text = BYTES("Sorry [UNAVAILABLE]") } },
	{ .name = "H2-26: a time in brackets",
		.wire = BYTES("a1 NO [2026-01-01 00:00:00] no\r\n"),
		.want = { .kind = IMAP_TAGGED,
			.tag = BYTES("a1"),
			.status = REPLY_NO,
			.text = BYTES("[2026-01-01 00:00:00] no") } },
	{ .name = "H2-26: a code that is not closed",
		.wire = BYTES("a1 NO [AUTHENTICATIONFAILED no\r\n"),
		.want = { .kind = IMAP_TAGGED,
			.tag = BYTES("a1"),
			.status = REPLY_NO,
			.text = BYTES("[AUTHENTICATIONFAILED no") } },
	{ .name = "H2-14: a text that ends in braces",
		.wire = BYTES("* OK [ALERT] see rule {5}\r\n"),
		.want = { .kind = IMAP_UNTAGGED_STATUS,
			.status = REPLY_OK,
			.code = BYTES("ALERT"),
			.text = BYTES("see rule {5}") } },
	{ .name = "continuation",
		.wire = BYTES("+ go on\r\n"),
		.want = { .kind = IMAP_CONTINUATION, .text = BYTES("go on") } },
	{ .name = "continuation without a blank",
		.wire = BYTES("+\r\n"),
		.want = { .kind = IMAP_CONTINUATION } },
	{ .name = "data",
		.wire = BYTES("* FLAGS (\\Seen)\r\n"),
		.want = { .kind = IMAP_UNTAGGED_DATA,
			.name = BYTES("FLAGS"),
			.data = BYTES("(\\Seen)") } },
	{ .name = "data with a number",
		.wire = BYTES("* 23 EXISTS\r\n"),
		.want = { .kind = IMAP_UNTAGGED_DATA, .name = BYTES("EXISTS") } },
	{ .name = "H2-13: a literal, and more behind it",
		.wire = BYTES("* LIST () \"/\" {3}\r\na)b (x)\r\n"),
		.want = { .kind = IMAP_UNTAGGED_DATA,
			.name = BYTES("LIST"),
			.data = BYTES("() \"/\" {3}") } },
	{ .name = "H2-16: a literal that holds a reply, and a second one",
		.wire = BYTES("* X {15}\r\n\r\na1 OK done\r\n {2+}\r\n{1\r\n"),
		.want = { .kind = IMAP_UNTAGGED_DATA, .name = BYTES("X"), .data = BYTES("{15}") } },
	{ .name = "braces within quotes are no literal",
		.wire = BYTES("* LIST () \"/\" \"a \\\" {5}\"\r\n"),
		.want = { .kind = IMAP_UNTAGGED_DATA,
			.name = BYTES("LIST"),
			.data = BYTES("() \"/\" \"a \\\" {5}\"") } },
	{ .name = "H2-18: a star", .wire = BYTES("*\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-18: a star and a blank", .wire = BYTES("* \r\n"), .err = ERR_SYNTAX },
	{ .name = "a word alone", .wire = BYTES("hello\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-03: a NUL in the word",
		.wire = BYTES("a1 OK\0 done\r\n"),
		.err = ERR_SYNTAX },
	{ .name = "H2-15: 4 GiB", .wire = BYTES("* L {4294967296}\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-15: beyond 64 bit",
		.wire = BYTES("* L {18446744073709551617}\r\n"),
		.err = ERR_SYNTAX },
	{ .name = "H2-15: negative", .wire = BYTES("* L {-1}\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-15: empty", .wire = BYTES("* L {}\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-15: more than a probe may read",
		.wire = BYTES("* L {2000000}\r\n"),
		.err = ERR_LIMIT },
	{ .name = "not whole: within a literal",
		.wire = BYTES("* L {10}\r\nabcd"),
		.err = ERR_MORE },
	{ .name = "not whole: behind a literal", .wire = BYTES("* L {2}\r\nab"), .err = ERR_MORE },
};

static void
check_row(const struct row *row, const struct bytes *rest, enum err err,
	const struct imap_response *got)
{
	const struct imap_response *want = &row->want;

	assert_err_equal(err, row->err);
	if (err != ERR_OK)
		return;
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->status, want->status);
	assert_bytes_equal(got->tag, want->tag);
	assert_bytes_equal(got->code, want->code);
	assert_bytes_equal(got->code_argument, want->code_argument);
	assert_bytes_equal(got->text, want->text);
	assert_bytes_equal(got->name, want->name);
	assert_bytes_equal(got->data, want->data);
	assert_int_equal(rest->len, 0);
}

static void
test_imap_response_has_its_parts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct imap_reader reader = { 0 };
		struct bytes rest = rows[i].wire;
		struct imap_response response = { 0 };

		unit_row(rows[i].name);
		check_row(
			&rows[i], &rest, imap_response_next(&reader, &rest, &response), &response);
		imap_reader_done(&reader);
	}
}

static void
test_imap_response_is_the_same_byte_by_byte(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct imap_reader reader = { 0 };
		struct imap_response response = { 0 };
		struct bytes rest = BYTES_NONE;
		enum err err = ERR_MORE;

		unit_row(rows[i].name);
		for (size_t at = 0; at < rows[i].wire.len && err == ERR_MORE; at++) {
			rest = bytes_first(bytes_from(rows[i].wire, at), 1);
			err = imap_response_next(&reader, &rest, &response);
		}
		check_row(&rows[i], &rest, err, &response);
		imap_reader_done(&reader);
	}
}

/* H2-17: nesting is counted, never followed; up to the bound it is fine. */
static void
test_imap_response_nests_to_a_bound(void **state)
{
	for (size_t more = 0; more < 2; more++) {
		struct imap_reader reader = { 0 };
		struct buf wire = { 0 };
		struct imap_response response;
		struct bytes rest;

		buf_put(&wire, BYTES("* LIST "));
		for (size_t i = 0; i < IMAP_MOST_DEPTH + more; i++)
			buf_put_byte(&wire, '(');
		buf_put(&wire, BYTES("\r\n"));
		rest = buf_bytes(&wire);
		assert_err_equal(
			imap_response_next(&reader, &rest, &response), more ? ERR_SYNTAX : ERR_OK);
		buf_done(&wire);
		imap_reader_done(&reader);
	}
}

/* H2-05: the probe's bound holds over lines and literals alike. */
static void
test_imap_response_session_has_a_bound(void **state)
{
	struct imap_reader reader = { 0 };
	struct imap_response response;
	enum err err = ERR_OK;
	size_t count = 0;

	for (; err == ERR_OK && count < 1000000; count++) {
		struct bytes rest = BYTES("* X {3}\r\nabc yz\r\n");

		err = imap_response_next(&reader, &rest, &response);
	}
	assert_err_equal(err, ERR_LIMIT);
	assert_int_equal(count, 1024 * 1024 / 17 + 1);
	imap_reader_done(&reader);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_imap_response_has_its_parts),
	cmocka_unit_test(test_imap_response_is_the_same_byte_by_byte),
	cmocka_unit_test(test_imap_response_nests_to_a_bound),
	cmocka_unit_test(test_imap_response_session_has_a_bound),
};

UNIT_MAIN(tests)
