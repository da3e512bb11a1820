/*
 * proxy_url.c: a proxy's URL, taken apart without ever being shown. Layer: config.
 */
#include "config/proxy_url.h"

#include "config/host.h"

#define FORM "write it as \"socks5://proxy.example.com:1080\" or \"http://user:pass@host:3128\""
#define LOGIN_MOST ((size_t)255) /* RFC 1929 2: of each */

static enum err
wrong(struct fault *why, const char *what)
{
	fault_set(why, "%s; " FORM, what);
	return ERR_INVALID;
}

static int
hex_digit(char byte)
{
	if (byte_is_digit(byte))
		return byte - '0';
	byte = byte_lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* False: a % that encodes nothing, or a NUL or line end. */
static bool
put_decoded(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];

		if (byte == '%') {
			int high = i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_digit(text.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = (char)(high << 4 | low);
			i += 2;
		}
		if (byte == '\0' || byte == '\r' || byte == '\n')
			return false;
		buf_put_byte(out, byte);
	}
	return true;
}

static enum err
take_login(struct bytes text, struct proxy *out, struct fault *why)
{
	size_t colon = bytes_index(text, ':');
	struct buf user = { 0 }, password = { 0 };
	enum err err = ERR_OK;

	if (!put_decoded(&user, bytes_first(text, colon)) || user.len == 0 ||
		user.len > LOGIN_MOST || memchr(user.at, ':', user.len)) {
		/* RFC 7617 2: no ":" in a user name */
		err = wrong(why, "its user name is empty, too long or badly encoded");
	} else if (!put_decoded(&password, bytes_from(text, colon + 1)) ||
		   password.len > LOGIN_MOST) {
		err = wrong(why, "its password is too long or badly encoded");
	} else if (password.len > 0) {
		err = secret_new(buf_bytes(&password), &out->password);
	}
	if (err == ERR_OK && !(out->user = buf_take(&user)))
		err = ERR_MEMORY;
	buf_done(&user);
	buf_done_wiped(&password);
	return err;
}

/* "host:port", "[::1]:port" */
static enum err
take_place(struct bytes text, struct proxy *out, struct fault *why)
{
	size_t colon = text.len;
	struct buf host = { 0 };
	uint64_t port;
	struct fault of_host;
	bool is_address;
	enum err err;

	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	/* Of "::1" the last colon begins no port, of "[::1]" neither. */
	if (colon < 2 || bytes_index(bytes_from(text, colon), ']') < text.len - colon ||
		(text.at[0] != '[' && bytes_index(text, ':') < colon - 1))
		return wrong(why, "it has no port, or an address that wants brackets");
	if (bytes_to_number(bytes_from(text, colon), UINT16_MAX, &port) != ERR_OK || port == 0)
		return wrong(why, "its port is none of 1 to 65535");
	err = host_put(&host, bytes_first(text, colon - 1), &is_address, &of_host);
	if (err == ERR_OK && !(out->host = buf_take(&host)))
		err = ERR_MEMORY;
	buf_done(&host);
	out->port = (uint16_t)port;
	return err == ERR_INVALID ? wrong(why, "its host is neither a name nor an address") : err;
}

enum err
proxy_url_parse(struct bytes url, struct proxy *out, struct fault *why)
{
	struct proxy proxy = { 0 };
	struct bytes rest;
	size_t at;
	enum err err = ERR_OK;

	if (bytes_starts_nocase(url, BYTES("socks5://"))) {
		proxy.kind = PROXY_SOCKS5;
		rest = bytes_from(url, strlen("socks5://"));
	} else if (bytes_starts_nocase(url, BYTES("http://"))) {
		proxy.kind = PROXY_HTTP;
		rest = bytes_from(url, strlen("http://"));
	} else {
		return wrong(why, "neither socks5:// nor http:// begins it");
	}
	if (rest.len > 0 && rest.at[rest.len - 1] == '/')
		rest.len--;
	if (memchr(rest.at, '/', rest.len))
		return wrong(why, "a path in it, or a \"/\" that should be %2F");
	for (at = rest.len; at > 0 && rest.at[at - 1] != '@';)
		at--;
	if (at > 0)
		err = take_login(bytes_first(rest, at - 1), &proxy, why);
	if (err == ERR_OK)
		err = take_place(bytes_from(rest, at), &proxy, why);
	if (err != ERR_OK) {
		proxy_done(&proxy);
		return err;
	}
	*out = proxy;
	return ERR_OK;
}
