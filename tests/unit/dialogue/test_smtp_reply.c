/*
 * test_smtp_reply.c: wire bytes -> the parts of replies, in one piece and byte by byte.
 */
#include "../unit.h"

#include "dialogue/smtp_reply.h"

static const struct row {
	const char *name;
	struct bytes wire;
	enum err err;
	int code;
	int enhanced[3];
	struct bytes text;
	struct bytes lines;
} rows[] = {
	{ .name = "one line",
		.wire = BYTES("220 mx ESMTP\r\n"),
		.code = 220,
		.text = BYTES("mx ESMTP"),
		.lines = BYTES("220 mx ESMTP") },
	{ .name = "several lines",
		.wire = BYTES("250-mx\r\n250-SIZE 10\r\n250 AUTH PLAIN\r\n"),
		.code = 250,
		.text = BYTES("mx\nSIZE 10\nAUTH PLAIN"),
		.lines = BYTES("250-mx\n250-SIZE 10\n250 AUTH PLAIN") },
	{ .name = "a code alone",
		.wire = BYTES("250\r\n"),
		.code = 250,
		.text = BYTES(""),
		.lines = BYTES("250") },
	{ .name = "an enhanced code on each line (Gmail)",
		.wire = BYTES("535-5.7.8 Username and Password not accepted.\r\n535 5.7.8  "
			      "https://x\r\n"),
		.code = 535,
		.enhanced = { 5, 7, 8 },
		.text = BYTES("Username and Password not accepted.\nhttps://x"),
		.lines = BYTES(
			"535-5.7.8 Username and Password not accepted.\n535 5.7.8  https://x") },
	{ .name = "an enhanced code of three digits",
		.wire = BYTES("535 5.7.139 no\r\n"),
		.code = 535,
		.enhanced = { 5, 7, 139 },
		.text = BYTES("no"),
		.lines = BYTES("535 5.7.139 no") },
	{ .name = "no enhanced code: an address",
		.wire = BYTES("550 5.7.1.9 no\r\n"),
		.code = 550,
		.text = BYTES("5.7.1.9 no"),
		.lines = BYTES("550 5.7.1.9 no") },
	{ .name = "no enhanced code: class 3",
		.wire = BYTES("550 3.7.1 no\r\n"),
		.code = 550,
		.text = BYTES("3.7.1 no"),
		.lines = BYTES("550 3.7.1 no") },
	{ .name = "H2-03: a NUL in the text",
		.wire = BYTES("220 a\0b\r\n"),
		.code = 220,
		.text = BYTES("a\0b"),
		.lines = BYTES("220 a\0b") },
	{ .name = "H2-02: a lone CR in the text, LF alone",
		.wire = BYTES("220 a\rb\n"),
		.code = 220,
		.text = BYTES("a\rb"),
		.lines = BYTES("220 a\rb") },
	{ .name = "H2-20: the code changes",
		.wire = BYTES("250-a\r\n550 b\r\n"),
		.err = ERR_SYNTAX },
	{ .name = "H2-20: two digits", .wire = BYTES("25 x\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-20: four digits", .wire = BYTES("2500 x\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-20: class 0", .wire = BYTES("099 x\r\n"), .err = ERR_SYNTAX },
	{ .name = "H2-20: class 9", .wire = BYTES("999 x\r\n"), .err = ERR_SYNTAX },
	{ .name = "no code", .wire = BYTES("hello\r\n"), .err = ERR_SYNTAX },
	{ .name = "not whole", .wire = BYTES("250-a\r\n250-b\r\n25"), .err = ERR_MORE },
};

static void
check_row(const struct row *row, struct smtp_reader *reader, struct bytes *rest, enum err err,
	const struct smtp_reply *reply)
{
	assert_err_equal(err, row->err);
	if (err != ERR_OK)
		return;
	assert_int_equal(reply->code, row->code);
	assert_memory_equal(reply->enhanced, row->enhanced, sizeof(row->enhanced));
	assert_bytes_equal(reply->text, row->text);
	assert_bytes_equal(reply->lines, row->lines);
	assert_int_equal(rest->len, 0);
	assert_err_equal(smtp_reply_next(reader, rest, &(struct smtp_reply){ 0 }), ERR_MORE);
}

static void
test_smtp_reply_has_its_parts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_reader reader = { 0 };
		struct bytes rest = rows[i].wire;
		struct smtp_reply reply = { 0 };

		unit_row(rows[i].name);
		check_row(
			&rows[i], &reader, &rest, smtp_reply_next(&reader, &rest, &reply), &reply);
		smtp_reader_done(&reader);
	}
}

static void
test_smtp_reply_is_the_same_byte_by_byte(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct smtp_reader reader = { 0 };
		struct smtp_reply reply = { 0 };
		struct bytes rest = BYTES_NONE;
		enum err err = ERR_MORE;

		unit_row(rows[i].name);
		for (size_t at = 0; at < rows[i].wire.len && err == ERR_MORE; at++) {
			rest = bytes_first(bytes_from(rows[i].wire, at), 1);
			err = smtp_reply_next(&reader, &rest, &reply);
		}
		check_row(&rows[i], &reader, &rest, err, &reply);
		smtp_reader_done(&reader);
	}
}

static void
test_smtp_reply_leaves_what_lies_behind(void **state)
{
	struct smtp_reader reader = { 0 };
	struct bytes rest = BYTES("250 a\r\n421 b\r\nx");
	struct smtp_reply reply;

	assert_ok(smtp_reply_next(&reader, &rest, &reply));
	assert_bytes_equal(rest, BYTES("421 b\r\nx"));
	assert_ok(smtp_reply_next(&reader, &rest, &reply));
	assert_int_equal(reply.code, 421);
	assert_bytes_equal(rest, BYTES("x"));
	smtp_reader_done(&reader);
}

/* H2-04: 65,536 bytes with CRLF are a line, one more is none; H10-01: and no more than that is
 * held. */
static void
test_smtp_reply_line_has_a_bound(void **state)
{
	for (size_t more = 0; more < 2; more++) {
		struct smtp_reader reader = { 0 };
		struct buf wire = { 0 };
		struct smtp_reply reply;
		struct bytes rest;

		buf_put(&wire, BYTES("220 "));
		while (wire.len < 65534 + more)
			buf_put_byte(&wire, 'x');
		buf_put(&wire, BYTES("\r\n"));
		rest = buf_bytes(&wire);
		assert_err_equal(
			smtp_reply_next(&reader, &rest, &reply), more ? ERR_LIMIT : ERR_OK);
		assert_true(reader.line.held.room <= 65538);
		buf_done(&wire);
		smtp_reader_done(&reader);
	}
}

/* contract 7: 1 MiB a probe, and of a reply that is longer than its own bound the rest is dropped.
 */
static void
test_smtp_reply_session_has_a_bound(void **state)
{
	struct smtp_reader reader = { 0 };
	enum err err = ERR_MORE;
	size_t lines = 0;

	for (; err == ERR_MORE && lines < 1000000; lines++) {
		struct bytes rest = BYTES("250-0123456789\r\n");
		struct smtp_reply reply;

		err = smtp_reply_next(&reader, &rest, &reply);
	}
	assert_err_equal(err, ERR_LIMIT);
	assert_int_equal(lines, 1024 * 1024 / 16 + 1);
	assert_true(reader.lines.len <= SMTP_REPLY_MOST_BYTES);
	smtp_reader_done(&reader);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_smtp_reply_has_its_parts),
	cmocka_unit_test(test_smtp_reply_is_the_same_byte_by_byte),
	cmocka_unit_test(test_smtp_reply_leaves_what_lies_behind),
	cmocka_unit_test(test_smtp_reply_line_has_a_bound),
	cmocka_unit_test(test_smtp_reply_session_has_a_bound),
};

UNIT_MAIN(tests)
