/*
 * proxy.c: SOCKS5 and CONNECT as machines of bytes. Layer: net, pure.
 *
 * Of each answer exactly its own bytes are taken: in clear the server's greeting may follow in the
 * same segment, and it is the dialogue's.
 */
#include "net/proxy.h"

#include <arpa/inet.h>

#include "base/escape.h"

#define SOCKS_VERSION 5
#define LOGIN_VERSION 1 /* RFC 1929 2 */
#define SOCKS_TEXT_MOST ((size_t)255)
#define WORDS_MOST ((size_t)120) /* of the proxy's own words in a detail */

enum socks_method {
	METHOD_NONE = 0x00,
	METHOD_LOGIN = 0x02,
	METHOD_REFUSED = 0xff
};

enum socks_address {
	ADDRESS_IPV4 = 1,
	ADDRESS_NAME = 3,
	ADDRESS_IPV6 = 4
};

static void
put_u8(struct buf *out, unsigned number)
{
	buf_put_byte(out, (char)number);
}

static unsigned
byte_at(const struct buf *heard, size_t index)
{
	return (unsigned char)heard->at[index];
}

static struct bytes
password_of(const struct proxy *proxy)
{
	return proxy->password ? secret_reveal(proxy->password) : BYTES_NONE;
}

/* ---- SOCKS5: what we say */

static void
put_methods(struct buf *send, const struct proxy *proxy)
{
	put_u8(send, SOCKS_VERSION);
	put_u8(send, proxy->user ? 2 : 1);
	put_u8(send, METHOD_NONE);
	if (proxy->user)
		put_u8(send, METHOD_LOGIN);
}

static void
put_login(struct buf *send, const struct proxy *proxy)
{
	struct bytes user = bytes_of(proxy->user), password = password_of(proxy);

	put_u8(send, LOGIN_VERSION);
	put_u8(send, (unsigned)user.len);
	buf_put(send, user);
	put_u8(send, (unsigned)password.len);
	buf_put(send, password);
}

/* An address goes as one, a name as it is. */
static void
put_connect(struct buf *send, const char *host, uint16_t port)
{
	unsigned char raw[sizeof(struct in6_addr)];

	put_u8(send, SOCKS_VERSION);
	put_u8(send, 1); /* CONNECT */
	put_u8(send, 0);
	if (inet_pton(AF_INET, host, raw) == 1) {
		put_u8(send, ADDRESS_IPV4);
		buf_put(send, (struct bytes){ (char *)raw, sizeof(struct in_addr) });
	} else if (inet_pton(AF_INET6, host, raw) == 1) {
		put_u8(send, ADDRESS_IPV6);
		buf_put(send, (struct bytes){ (char *)raw, sizeof(struct in6_addr) });
	} else {
		put_u8(send, ADDRESS_NAME);
		put_u8(send, (unsigned)strlen(host));
		buf_put_string(send, host);
	}
	put_u8(send, port >> 8);
	put_u8(send, port & 0xff);
}

/* ---- SOCKS5: what we hear */

/* Why the proxy did not connect (RFC 1928 6). */
static const char *
refusal_words(unsigned code)
{
	static const char *const words[] = {
		[1] = "it failed",
		[2] = "its rules do not allow it",
		[3] = "network unreachable",
		[4] = "host unreachable",
		[5] = "connection refused",
		[6] = "the time ran out on the way",
		[7] = "it knows no CONNECT",
		[8] = "it knows no such kind of address",
	};

	return code < COUNT_OF(words) ? words[code] : "an unknown reason";
}

static enum err
not_socks(struct bytes heard, struct fault *why)
{
	struct buf words = { 0 };

	escape_put_cut(&words, heard, ESCAPE_TERMINAL, WORDS_MOST);
	fault_set(why, "this is no SOCKS5 proxy: it answered %s", words.at ? words.at : "");
	buf_done(&words);
	return ERR_INVALID;
}

/* +----+--------+
 * |VER | METHOD |
 * +----+--------+ */
static enum err
on_method(struct proxy_talk *talk, struct buf *send, struct fault *why)
{
	unsigned method = byte_at(&talk->heard, 1);

	if (method == METHOD_LOGIN && talk->proxy->user) {
		put_login(send, talk->proxy);
		talk->state = PROXY_LOGIN;
	} else if (method == METHOD_NONE) {
		put_connect(send, talk->host, talk->port);
		talk->state = PROXY_REPLY;
	} else {
		fault_set(why, method == METHOD_REFUSED
				       ? talk->proxy->user ? "it takes no login by user name"
							   : "it wants a login"
				       : "it wants a kind of login that was not offered");
		return ERR_INVALID;
	}
	return ERR_MORE;
}

/* +----+--------+
 * |VER | STATUS |
 * +----+--------+ */
static enum err
on_login(struct proxy_talk *talk, struct buf *send, struct fault *why)
{
	if (byte_at(&talk->heard, 1) != 0) {
		fault_set(why, "it refuses the user name or the password");
		return ERR_INVALID;
	}
	put_connect(send, talk->host, talk->port);
	talk->state = PROXY_REPLY;
	return ERR_MORE;
}

/* +----+-----+-------+------+----------+----------+
 * |VER | REP | RSV   | ATYP | BND.ADDR | BND.PORT |
 * +----+-----+-------+------+----------+----------+ */
static enum err
on_reply(struct proxy_talk *talk, struct buf *send, struct fault *why)
{
	unsigned code = byte_at(&talk->heard, 1);

	(void)send;
	if (code == 0)
		return ERR_OK;
	fault_set(why, "it does not connect to %s: %s (code %u)", talk->host, refusal_words(code),
		code);
	return ERR_INVALID;
}

/* How long the answer is, as far as its first bytes tell; 0: it cannot be. */
static size_t
reply_len(const struct buf *heard)
{
	if (heard->len < 2)
		return 2;
	if (byte_at(heard, 1) != 0)
		return 2; /* refused: some send no more, and no more is needed */
	if (heard->len < 5)
		return 5;
	switch (byte_at(heard, 3)) {
	case ADDRESS_IPV4:
		return 4 + sizeof(struct in_addr) + 2;
	case ADDRESS_IPV6:
		return 4 + sizeof(struct in6_addr) + 2;
	case ADDRESS_NAME:
		return 4 + 1 + byte_at(heard, 4) + 2;
	default:
		return 0;
	}
}

static enum err
receive_socks(struct proxy_talk *talk, struct bytes came, size_t *used, struct buf *send,
	struct fault *why)
{
	static enum err (*const handlers[PROXY_STATE_COUNT])(
		struct proxy_talk *, struct buf *, struct fault *) = {
		[PROXY_METHOD] = on_method,
		[PROXY_LOGIN] = on_login,
		[PROXY_REPLY] = on_reply,
	};
	enum err err = ERR_MORE;

	while (err == ERR_MORE && *used < came.len) {
		size_t len;

		buf_put_byte(&talk->heard, came.at[(*used)++]);
		if (buf_err(&talk->heard) != ERR_OK)
			return ERR_MEMORY;
		if (byte_at(&talk->heard, 0) !=
			(talk->state == PROXY_LOGIN ? LOGIN_VERSION : SOCKS_VERSION))
			return not_socks(bytes_from(came, *used - 1), why);
		len = talk->state == PROXY_REPLY ? reply_len(&talk->heard) : 2;
		if (len == 0)
			return not_socks(buf_bytes(&talk->heard), why);
		if (talk->heard.len < len)
			continue;
		err = handlers[talk->state](talk, send, why);
		buf_clear(&talk->heard);
	}
	return err;
}

/* ---- HTTP */

static void
put_authority(struct buf *send, const char *host, uint16_t port)
{
	bool is_six = strchr(host, ':') != NULL; /* RFC 3986 3.2.2 */

	buf_put_format(
		send, "%s%s%s:%u", is_six ? "[" : "", host, is_six ? "]" : "", (unsigned)port);
}

static void
put_http(struct buf *send, const struct proxy_talk *talk)
{
	const struct proxy *proxy = talk->proxy;

	buf_put_string(send, "CONNECT ");
	put_authority(send, talk->host, talk->port);
	buf_put_string(send, " HTTP/1.1\r\nHost: ");
	put_authority(send, talk->host, talk->port);
	if (proxy->user) {
		struct buf login = { 0 };

		buf_reserve(&login, strlen(proxy->user) + 1 + password_of(proxy).len + 1);
		buf_put_string(&login, proxy->user);
		buf_put_byte(&login, ':');
		buf_put(&login, password_of(proxy));
		buf_put_string(send, "\r\nProxy-Authorization: Basic ");
		buf_put_base64(send, buf_bytes(&login));
		send->is_failed = send->is_failed || login.is_failed;
		buf_done_wiped(&login);
	}
	buf_put_string(send, "\r\n\r\n");
}

/* A head ends in an empty line; a bare LF ends a line too (RFC 9112 2.2). */
static bool
is_whole_head(const struct buf *heard)
{
	size_t len = heard->len;

	return len > 1 && heard->at[len - 1] == '\n' &&
	       (heard->at[len - 2] == '\n' ||
		       (len > 2 && heard->at[len - 2] == '\r' && heard->at[len - 3] == '\n'));
}

/* "HTTP/1.1 200 OK": any 2xx opens the way (RFC 9110 9.3.6). */
static enum err
judge_head(const struct proxy_talk *talk, struct fault *why)
{
	struct bytes line = buf_bytes(&talk->heard);
	struct bytes rest, code;
	struct buf words = { 0 };

	line = bytes_first(line, bytes_index(line, '\n'));
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	rest = line;
	(void)bytes_next_word(&rest);
	code = bytes_next_word(&rest);
	if (bytes_starts(line, BYTES("HTTP/1.")) && code.len == 3 && code.at[0] == '2')
		return ERR_OK;
	escape_put_cut(&words, line, ESCAPE_TERMINAL, WORDS_MOST);
	if (!bytes_starts(line, BYTES("HTTP/1.")))
		fault_set(why, "this is no HTTP proxy: it answered %s", words.at ? words.at : "");
	else if (bytes_equal(code, BYTES("407")))
		fault_set(why, "%s: %s",
			talk->proxy->user ? "it refuses the user name or the password"
					  : "it wants a login",
			words.at ? words.at : "");
	else
		fault_set(
			why, "it does not connect to %s: %s", talk->host, words.at ? words.at : "");
	buf_done(&words);
	return ERR_INVALID;
}

static enum err
receive_http(struct proxy_talk *talk, struct bytes came, size_t *used, struct fault *why)
{
	while (*used < came.len) {
		if (talk->heard.len == PROXY_HEAD_MOST_BYTES) {
			fault_set(why, "its answer has no end");
			return ERR_INVALID;
		}
		buf_put_byte(&talk->heard, came.at[(*used)++]);
		if (buf_err(&talk->heard) != ERR_OK)
			return ERR_MEMORY;
		if (is_whole_head(&talk->heard))
			return judge_head(talk, why);
	}
	return ERR_MORE;
}

/* ---- both */

enum err
proxy_talk_start(struct proxy_talk *talk, const struct proxy *proxy, const char *host,
	uint16_t port, struct buf *send)
{
	*talk = (struct proxy_talk){ .proxy = proxy, .host = host, .port = port };
	if (proxy->kind == PROXY_HTTP) {
		talk->state = PROXY_HEAD;
		put_http(send, talk);
		return buf_err(send);
	}
	if (strlen(host) > SOCKS_TEXT_MOST || bytes_of(proxy->user).len > SOCKS_TEXT_MOST ||
		password_of(proxy).len > SOCKS_TEXT_MOST)
		return ERR_LIMIT;
	talk->state = PROXY_METHOD;
	put_methods(send, proxy);
	return buf_err(send);
}

enum err
proxy_talk_receive(struct proxy_talk *talk, struct bytes came, size_t *used, struct buf *send,
	struct fault *why)
{
	enum err err;

	*used = 0;
	if (talk->state == PROXY_HEAD)
		return receive_http(talk, came, used, why);
	err = receive_socks(talk, came, used, send, why);
	return buf_err(send) == ERR_OK ? err : ERR_MEMORY;
}

void
proxy_talk_done(struct proxy_talk *talk)
{
	buf_done_wiped(&talk->heard);
}
