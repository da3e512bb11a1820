/*
 * test_what_answers.c: greetings of real servers, and what a port is by them (H1-03, H1-14 to
 * H1-18, H2-46).
 */
#include "../unit.h"

#include "diagnose/what_answers.h"
#include "facts/protocol.h"

/* NULL: nothing. */
static void
assert_suggested(const struct verdict *verdict, const char *sentence)
{
	struct buf suggested = { 0 };

	verdict_put_suggestion(&suggested, verdict);
	assert_bytes_equal(buf_bytes(&suggested), bytes_of(sentence));
	buf_done(&suggested);
}

static void
test_greetings_of_real_servers_are_known(void **state)
{
	static const struct {
		const char *name;
		const char *heard;
		enum protocol protocol;
	} rows[] = {
		{ "Postfix", "220 mail.test.example ESMTP Postfix (Debian/GNU)\r\n",
			PROTOCOL_SMTP },
		{ "Exim", "220 mx.test.example ESMTP Exim 4.96 Tue, 24 Nov 2026 09:30:00 +0000\r\n",
			PROTOCOL_SMTP },
		{ "several lines", "220-mx.test.example ESMTP\r\n220-no spam\r\n", PROTOCOL_SMTP },
		{ "without ESMTP", "220 mx.test.example ready\r\n", PROTOCOL_SMTP },
		{ "postscreen", "220-mx.test.example ESMTP Postfix\r\n", PROTOCOL_SMTP },
		{ "a ban", "554 5.7.1 Service unavailable; client host blocked\r\n",
			PROTOCOL_SMTP },
		{ "a firewall", "220 **************\r\n", PROTOCOL_SMTP },
		{ "a mail host of that name", "220 ftp.test.example ESMTP ready\r\n",
			PROTOCOL_SMTP },
		{ "five bytes", "220 m", PROTOCOL_SMTP },
		{ "one byte", "2", PROTOCOL_SMTP },
		{ "Dovecot",
			"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS] Dovecot ready.\r\n",
			PROTOCOL_IMAP },
		{ "Courier", "* OK [CAPABILITY IMAP4rev1 UIDPLUS] Courier-IMAP ready.\r\n",
			PROTOCOL_IMAP },
		{ "PREAUTH", "* PREAUTH hello\r\n", PROTOCOL_IMAP },
		{ "a full server", "* BYE Too many connections\r\n", PROTOCOL_IMAP },
		{ "lower case", "* ok\r\n", PROTOCOL_IMAP },
		{ "IMAP, one byte", "*", PROTOCOL_IMAP },
		{ "POP3, Dovecot", "+OK Dovecot (Debian) ready.\r\n", PROTOCOL_POP3 },
		{ "POP3, busy", "-ERR too many connections\r\n", PROTOCOL_POP3 },
		{ "nginx", "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n", PROTOCOL_HTTP },
		{ "a page alone", "<!doctype html><html><head>", PROTOCOL_HTTP },
		{ "vsftpd", "220 (vsFTPd 3.0.3)\r\n", PROTOCOL_FTP },
		{ "Pure-FTPd", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n",
			PROTOCOL_FTP },
		{ "OpenSSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", PROTOCOL_SSH },
		{ "VNC", "RFB 003.008\n", PROTOCOL_RFB },
		{ "INN", "200 news.test.example InterNetNews NNRP server (NNTP) ready\r\n",
			PROTOCOL_NNTP },
		{ "Pigeonhole", "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n",
			PROTOCOL_MANAGESIEVE },
		{ "rsync", "@RSYNCD: 31.0\n", PROTOCOL_RSYNC },
		{ "blank lines before", "\r\n\r\n* OK ready\r\n", PROTOCOL_IMAP },
		{ "nothing", "", PROTOCOL_UNKNOWN },
		{ "blanks alone", "\r\n \r\n", PROTOCOL_UNKNOWN },
		{ "telnet", "\xff\xfd\x18\xff\xfd\x20", PROTOCOL_UNKNOWN },
		{ "a number", "2500 x\r\n", PROTOCOL_UNKNOWN },
		{ "words", "hello\r\n", PROTOCOL_UNKNOWN },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_string_equal(protocol_name(protocol_of_greeting(bytes_of(rows[i].heard))),
			protocol_name(rows[i].protocol));
	}
}

static void
test_clear_text_where_tls_was_begun(void **state)
{
	static const struct {
		const char *name;
		enum side side;
		enum security security;
		const char *heard;
		enum cause cause;
		const char *detail;  /* stands in it */
		const char *suggest; /* as it is told; NULL: nothing */
	} rows[] = {
		{ "H1-14 SMTP", SIDE_SMTP, SECURITY_TLS, "220 mx ESMTP\r\n", CAUSE_TLS_MODE, "SMTP",
			"Set security to \"starttls\" and port to 2000." },
		{ "H1-14 IMAP", SIDE_IMAP, SECURITY_TLS, "* OK ready\r\n", CAUSE_TLS_MODE, "IMAP",
			"Set security to \"starttls\" and port to 2000." },
		{ "H1-14 one byte", SIDE_SMTP, SECURITY_TLS, "2", CAUSE_TLS_MODE, "SMTP",
			"Set security to \"starttls\" and port to 2000." },
		{ "H1-17 SSH", SIDE_SMTP, SECURITY_TLS, "SSH-2.0-OpenSSH_9.2\r\n",
			CAUSE_WRONG_PROTOCOL, "SSH at port 2000 words", NULL },
		{ "H1-17 HTTP", SIDE_IMAP, SECURITY_TLS, "HTTP/1.1 400 Bad Request\r\n",
			CAUSE_WRONG_PROTOCOL, "HTTP", NULL },
		{ "H1-17 POP3", SIDE_IMAP, SECURITY_TLS, "+OK POP3\r\n", CAUSE_WRONG_PROTOCOL,
			"POP3", NULL },
		{ "swapped", SIDE_IMAP, SECURITY_TLS, "220 mx ESMTP\r\n", CAUSE_WRONG_PROTOCOL,
			"SMTP at port", NULL },
		{ "swapped the other way", SIDE_SMTP, SECURITY_TLS, "* OK ready\r\n",
			CAUSE_WRONG_PROTOCOL, "IMAP at port", NULL },
		{ "FTP", SIDE_SMTP, SECURITY_TLS, "220 (vsFTPd 3.0.3)\r\n", CAUSE_WRONG_PROTOCOL,
			"FTP", NULL },
		{ "nobody knows", SIDE_SMTP, SECURITY_TLS, "hello\r\n", CAUSE_TLS_HANDSHAKE,
			"words", NULL },
		{ "H1-03 after STARTTLS", SIDE_SMTP, SECURITY_STARTTLS, "500 5.5.1 bad syntax\r\n",
			CAUSE_TLS_HANDSHAKE, "words", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct endpoint *endpoint = endpoint_new(rows[i].side);
		struct verdict *verdict = verdict_new();

		unit_row(rows[i].name);
		endpoint->security = rows[i].security;
		endpoint->port = 2000;
		diagnose_clear_text(endpoint, bytes_of(rows[i].heard), "words", verdict);
		assert_string_equal(cause_name(verdict->cause), cause_name(rows[i].cause));
		assert_int_equal(verdict->stage, STAGE_TLS);
		assert_non_null(strstr(verdict->detail, rows[i].detail));
		assert_non_null(strstr(verdict->detail, "words"));
		assert_suggested(verdict, rows[i].suggest);
		verdict_free(verdict);
		endpoint_free(endpoint);
	}
}

static void
test_tls_where_clear_text_was_expected_H1_15(void **state)
{
	static const struct {
		const char *name;
		struct answer answer;
		enum cause cause;
		const char *detail;
		const char *suggest;
	} rows[] = {
		{ "H1-15", { true, { "220 mx ESMTP\r\n", 14 } }, CAUSE_TLS_MODE,
			"answers to TLS: 220 mx ESMTP", "Set security to \"tls\"." },
		{ "TLS, then silence", { true, { NULL, 0 } }, CAUSE_TLS_MODE, "answers to TLS",
			"Set security to \"tls\"." },
		{ "IMAP under TLS", { true, { "* OK ready\r\n", 12 } }, CAUSE_WRONG_PROTOCOL,
			"IMAP answers under TLS at port 587", NULL },
		{ "a forged colour", { true, { "220 \033[31m\r\n", 11 } }, CAUSE_TLS_MODE, "\\x1b",
			"Set security to \"tls\"." },
		{ "no TLS", { false, { NULL, 0 } }, CAUSE_REPLY_TIMEOUT, "it was", NULL },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct endpoint *endpoint = endpoint_new(SIDE_SMTP);
		struct verdict *verdict = verdict_new();

		unit_row(rows[i].name);
		endpoint->security = SECURITY_STARTTLS;
		endpoint->port = 587;
		verdict->cause = CAUSE_REPLY_TIMEOUT;
		verdict->stage = STAGE_GREETING;
		verdict_detail(verdict, "as it was");
		diagnose_answer_to_tls(endpoint, &rows[i].answer, verdict);
		assert_string_equal(cause_name(verdict->cause), cause_name(rows[i].cause));
		assert_int_equal(verdict->stage, STAGE_GREETING);
		assert_non_null(strstr(verdict->detail, rows[i].detail));
		assert_suggested(verdict, rows[i].suggest);
		verdict_free(verdict);
		endpoint_free(endpoint);
	}
}

static void
test_the_other_port_of_the_pair(void **state)
{
	static const struct {
		const char *name;
		enum side side;
		uint16_t port;
		enum security security;
		bool is_reached;
		struct answer answer;
		const char *note;
		const char *suggest;
	} rows[] = {
		{ "465 closed, 587 there", SIDE_SMTP, 465, SECURITY_TLS, true,
			{ false, { "220 mx ESMTP\r\n", 14 } },
			"port 587 was tried too: SMTP answers there: 220 mx ESMTP",
			"Set security to \"starttls\" and port to 587." },
		{ "587 closed, 465 there", SIDE_SMTP, 587, SECURITY_STARTTLS, true,
			{ true, { "220 mx ESMTP\r\n", 14 } },
			"port 465 was tried too: SMTP answers there under TLS: 220 mx ESMTP",
			"Set security to \"tls\" and port to 465." },
		{ "993 closed, 143 there", SIDE_IMAP, 993, SECURITY_TLS, true,
			{ false, { "* OK ready\r\n", 12 } }, "port 143 was tried too: IMAP",
			"Set security to \"starttls\" and port to 143." },
		{ "143 closed, 993 there", SIDE_IMAP, 143, SECURITY_STARTTLS, true,
			{ true, { "* OK ready\r\n", 12 } }, "port 993 was tried too: IMAP",
			"Set security to \"tls\" and port to 993." },
		{ "25 closed: what it should have been", SIDE_SMTP, 25, SECURITY_STARTTLS, true,
			{ false, { "220 mx ESMTP\r\n", 14 } }, "port 587 was tried too",
			"Set security to \"starttls\" and port to 587." },
		{ "a port of one's own", SIDE_SMTP, 4650, SECURITY_TLS, true,
			{ true, { "220 mx ESMTP\r\n", 14 } }, "port 465 was tried too",
			"Set security to \"tls\" and port to 465." },
		{ "another protocol", SIDE_SMTP, 587, SECURITY_STARTTLS, true,
			{ true, { "* OK ready\r\n", 12 } },
			"port 465 was tried too: IMAP answers there", NULL },
		{ "in clear where TLS is meant", SIDE_SMTP, 587, SECURITY_STARTTLS, true,
			{ false, { "220 mx ESMTP\r\n", 14 } },
			"port 465 was tried too: SMTP answers there", NULL },
		{ "silence", SIDE_SMTP, 465, SECURITY_TLS, true, { false, { NULL, 0 } },
			"nothing that is known answers there", NULL },
		{ "closed as well", SIDE_SMTP, 465, SECURITY_TLS, false, { false, { NULL, 0 } },
			"port 587 was tried too: it is not reachable either", NULL },
		{ "a forged colour", SIDE_SMTP, 465, SECURITY_TLS, true,
			{ false, { "220 \033[31m\r\n", 11 } }, "\\x1b",
			"Set security to \"starttls\" and port to 587." },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct endpoint *endpoint = endpoint_new(rows[i].side);
		struct verdict *verdict = verdict_new();

		unit_row(rows[i].name);
		endpoint->security = rows[i].security;
		endpoint->port = rows[i].port;
		verdict->cause = CAUSE_CONNECT_REFUSED;
		diagnose_answer_of_other_port(
			endpoint, rows[i].is_reached ? &rows[i].answer : NULL, verdict);
		assert_int_equal(verdict->cause, CAUSE_CONNECT_REFUSED);
		assert_int_equal(verdict->notes.count, 1);
		assert_non_null(strstr(verdict->notes.items[0], rows[i].note));
		assert_suggested(verdict, rows[i].suggest);
		verdict_free(verdict);
		endpoint_free(endpoint);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_other_port_of_the_pair),
	cmocka_unit_test(test_greetings_of_real_servers_are_known),
	cmocka_unit_test(test_clear_text_where_tls_was_begun),
	cmocka_unit_test(test_tls_where_clear_text_was_expected_H1_15),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
