/* test_proxy.c: what is said to a proxy and what its answers mean (H3-23), whole and byte by byte.
 */
#include "../unit.h"

#include "net/proxy.h"

#define METHODS "\x05\x01\x00"
#define METHODS_LOGIN "\x05\x02\x00\x02"
#define CONNECT_NAME "\x05\x01\x00\x03\x10imap.example.com\x03\xe1"
#define GREETING "* OK ready\r\n"

enum proxied {
	OPEN,	/* what stands behind the answers is the server's */
	WAITS,	/* half an answer: the stage's time decides */
	REFUSED /* why has these words */
};

static const struct row {
	const char *name;
	enum proxy_kind kind;
	const char *user; /* NULL: none */
	const char *password;
	const char *host;
	struct bytes says;
	struct bytes hears;
	enum proxied end;
	const char *words;
} rows[] = {
	/* SOCKS5 */
	{ "a name goes as it is", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME),
		BYTES("\x05\x00"
		      "\x05\x00\x00\x01\xc0\x00\x02\x01\x04\x38" GREETING),
		OPEN, NULL },
	{ "an IPv4 address", PROXY_SOCKS5, NULL, NULL, "192.0.2.7",
		BYTES(METHODS "\x05\x01\x00\x01\xc0\x00\x02\x07\x03\xe1"),
		BYTES("\x05\x00"
		      "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00" GREETING),
		OPEN, NULL },
	{ "an IPv6 address, answered by one", PROXY_SOCKS5, NULL, NULL, "2001:db8::1",
		BYTES(METHODS "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			      "\x00\x00\x01\x03\xe1"),
		BYTES("\x05\x00"
		      "\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		      "\x00\x00\x00" GREETING),
		OPEN, NULL },
	{ "answered by a name", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME),
		BYTES("\x05\x00"
		      "\x05\x00\x00\x03\x02gw\x00\x00" GREETING),
		OPEN, NULL },
	{ "a login", PROXY_SOCKS5, "ann", "open", "imap.example.com",
		BYTES(METHODS_LOGIN "\x01\x03"
				    "ann\x04open" CONNECT_NAME),
		BYTES("\x05\x02\x01\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00" GREETING), OPEN,
		NULL },
	{ "a login that is not asked for", PROXY_SOCKS5, "ann", "open", "imap.example.com",
		BYTES(METHODS_LOGIN CONNECT_NAME),
		BYTES("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00" GREETING), OPEN, NULL },
	{ "a login without a password", PROXY_SOCKS5, "ann", NULL, "imap.example.com",
		BYTES(METHODS_LOGIN "\x01\x03"
				    "ann\x00"),
		BYTES("\x05\x02\x01\x01"), REFUSED, "it refuses the user name or the password" },
	{ "it wants a login", PROXY_SOCKS5, NULL, NULL, "imap.example.com", BYTES(METHODS),
		BYTES("\x05\xff"), REFUSED, "it wants a login" },
	{ "it takes no login", PROXY_SOCKS5, "ann", "open", "imap.example.com",
		BYTES(METHODS_LOGIN), BYTES("\x05\xff"), REFUSED,
		"it takes no login by user name" },
	{ "it wants GSSAPI", PROXY_SOCKS5, NULL, NULL, "imap.example.com", BYTES(METHODS),
		BYTES("\x05\x01"), REFUSED, "it wants a kind of login that was not offered" },
	{ "H3-23 code 5", PROXY_SOCKS5, NULL, NULL, "imap.example.com", BYTES(METHODS CONNECT_NAME),
		BYTES("\x05\x00"
		      "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"),
		REFUSED, "it does not connect to imap.example.com: connection refused (code 5)" },
	{ "a code that is none", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME),
		BYTES("\x05\x00"
		      "\x05\x63"),
		REFUSED, "it does not connect to imap.example.com: an unknown reason (code 99)" },
	{ "H3-23 a wrong version", PROXY_SOCKS5, NULL, NULL, "imap.example.com", BYTES(METHODS),
		BYTES("\x04\x00"), REFUSED, "this is no SOCKS5 proxy: it answered \\x04" },
	{ "H3-23 a wrong version in the reply", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME), BYTES("\x05\x00\x04\x00"), REFUSED,
		"this is no SOCKS5 proxy: it answered \\x04" },
	{ "an address of no kind", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME), BYTES("\x05\x00\x05\x00\x00\x02\x00"), REFUSED,
		"this is no SOCKS5 proxy: it answered \\x05\\x00\\x00\\x02\\x00" },
	{ "H3-23 half a reply", PROXY_SOCKS5, NULL, NULL, "imap.example.com",
		BYTES(METHODS CONNECT_NAME), BYTES("\x05\x00\x05\x00\x00\x01\x7f\x00"), WAITS,
		NULL },
	/* CONNECT */
	{ "CONNECT", PROXY_HTTP, NULL, NULL, "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "\r\n"),
		BYTES("HTTP/1.1 200 Connection established\r\nVia: 1.1 gw\r\n\r\n" GREETING), OPEN,
		NULL },
	{ "CONNECT by address", PROXY_HTTP, NULL, NULL, "2001:db8::1",
		BYTES("CONNECT [2001:db8::1]:993 HTTP/1.1\r\nHost: [2001:db8::1]:993\r\n\r\n"),
		BYTES("HTTP/1.0 200 OK\n\n" GREETING), OPEN, NULL },
	{ "CONNECT with a login", PROXY_HTTP, "ann", "open sesame", "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "Proxy-Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n\r\n"),
		BYTES("HTTP/1.1 204 No Content\r\n\r\n" GREETING), OPEN, NULL },
	{ "H3-23 407", PROXY_HTTP, NULL, NULL, "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "\r\n"),
		BYTES("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), REFUSED,
		"it wants a login: HTTP/1.1 407 Proxy Authentication Required" },
	{ "H3-23 502", PROXY_HTTP, NULL, NULL, "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "\r\n"),
		BYTES("HTTP/1.1 502 Bad Gateway\x1b[31m\r\n\r\n"), REFUSED,
		"it does not connect to imap.example.com: HTTP/1.1 502 Bad Gateway\\x1b[31m" },
	{ "no HTTP at all", PROXY_HTTP, NULL, NULL, "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "\r\n"),
		BYTES("SSH-2.0-x 200\r\n\r\n"), REFUSED,
		"this is no HTTP proxy: it answered SSH-2.0-x 200" },
	{ "H3-23 half a head", PROXY_HTTP, NULL, NULL, "imap.example.com",
		BYTES("CONNECT imap.example.com:993 HTTP/1.1\r\nHost: imap.example.com:993\r\n"
		      "\r\n"),
		BYTES("HTTP/1.1 200 OK\r\nVia:"), WAITS, NULL },
};

/* Plays a row in pieces of `piece` bytes. */
static void
play(const struct row *row, size_t piece)
{
	struct proxy proxy = { .kind = row->kind, .user = (char *)row->user };
	struct proxy_talk talk = { 0 };
	struct buf says = { 0 };
	struct bytes rest = row->hears;
	struct fault why = { "" };
	enum err err = ERR_MORE;

	if (row->password)
		assert_ok(secret_new(bytes_of(row->password), &proxy.password));
	assert_ok(proxy_talk_start(&talk, &proxy, row->host, 993, &says));
	while (err == ERR_MORE && rest.len > 0) {
		size_t used;

		err = proxy_talk_receive(&talk, bytes_first(rest, piece), &used, &says, &why);
		rest = bytes_from(rest, used);
	}
	assert_err_equal(err, row->end == OPEN	  ? ERR_OK
			      : row->end == WAITS ? ERR_MORE
						  : ERR_INVALID);
	assert_buf_holds(&says, row->says);
	if (row->end == OPEN)
		assert_bytes_equal(rest, BYTES(GREETING));
	/* The last bytes may stand behind the one that decided. */
	if (row->end == REFUSED)
		assert_true(bytes_starts(bytes_of(why.text), bytes_of(row->words)));
	proxy_talk_done(&talk);
	buf_done(&says);
	secret_free(proxy.password);
}

static void
test_proxy_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		play(&rows[i], SIZE_MAX);
		play(&rows[i], 1);
		play(&rows[i], 3);
	}
}

/* H3-23: headers without end are cut off. */
static void
test_proxy_bounds_a_head(void **state)
{
	static const struct proxy proxy = { .kind = PROXY_HTTP };
	struct proxy_talk talk = { 0 };
	struct buf says = { 0 };
	struct fault why = { "" };
	enum err err;
	size_t used, all = 0;

	(void)state;
	assert_ok(proxy_talk_start(&talk, &proxy, "imap.example.com", 993, &says));
	err = proxy_talk_receive(&talk, BYTES("HTTP/1.1 200 OK\r\n"), &used, &says, &why);
	while (err == ERR_MORE && all < 2 * PROXY_HEAD_MOST_BYTES) {
		all += used;
		err = proxy_talk_receive(&talk, BYTES("X-Endless: 1\r\n"), &used, &says, &why);
	}
	assert_err_equal(err, ERR_INVALID);
	assert_true(all <= PROXY_HEAD_MOST_BYTES);
	assert_string_equal(why.text, "its answer has no end");
	proxy_talk_done(&talk);
	buf_done(&says);
}

/* RFC 1928, RFC 1929: lengths are one byte. */
static void
test_proxy_takes_no_longer_texts(void **state)
{
	char text[258];
	struct proxy proxy = { .kind = PROXY_SOCKS5, .user = text };
	struct proxy_talk talk = { 0 };
	struct buf says = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[255] = '\0';
	assert_ok(proxy_talk_start(&talk, &proxy, "imap.example.com", 993, &says));
	text[255] = 'a';
	text[256] = '\0';
	assert_err_equal(
		proxy_talk_start(&talk, &proxy, "imap.example.com", 993, &says), ERR_LIMIT);
	proxy.user = NULL;
	assert_err_equal(proxy_talk_start(&talk, &proxy, text, 993, &says), ERR_LIMIT);
	proxy_talk_done(&talk);
	buf_done(&says);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_proxy_answers),
	cmocka_unit_test(test_proxy_bounds_a_head),
	cmocka_unit_test(test_proxy_takes_no_longer_texts),
};

UNIT_MAIN(tests)
