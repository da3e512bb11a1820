/*
 * proxy.c: what a SOCKS5 or HTTP proxy answers; in one piece and byte by byte it means the same.
 * Layer: tests. The first byte picks the kind and whether there is a login.
 */
#include "fuzz.h"

#include "net/proxy.h"

struct end {
	enum err err;
	size_t used;
	struct fault why;
};

static struct end
talk(const struct proxy *proxy, struct bytes heard, size_t piece)
{
	struct proxy_talk talk = { 0 };
	struct end end = { .err = ERR_MORE };
	struct buf says = { 0 };

	must(proxy_talk_start(&talk, proxy, "imap.example.com", 993, &says) == ERR_OK);
	must(says.len > 0);
	while (end.err == ERR_MORE && heard.len > 0) {
		struct bytes came = fuzz_copy(bytes_first(heard, piece));
		size_t used = came.len;

		end.err = proxy_talk_receive(&talk, came, &used, &says, &end.why);
		must(used <= came.len);
		end.used += used;
		heard = bytes_from(heard, came.len);
		fuzz_drop(came);
	}
	proxy_talk_done(&talk);
	buf_done(&says);
	return end;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes heard = { (const char *)data, len };
	struct proxy proxy = { .host = (char *)"proxy.example.com", .port = 1080 };
	struct end whole, drops;

	if (len < 2)
		return 0;
	proxy.kind = data[0] & 1 ? PROXY_HTTP : PROXY_SOCKS5;
	if (data[0] & 2) {
		proxy.user = (char *)"ann";
		must(secret_new(BYTES("open sesame"), &proxy.password) == ERR_OK);
	}
	heard = bytes_from(heard, 1);
	whole = talk(&proxy, heard, heard.len);
	drops = talk(&proxy, heard, 1);
	must(whole.err == ERR_OK || whole.err == ERR_MORE || whole.err == ERR_INVALID);
	must(whole.err == drops.err);
	must(whole.err != ERR_OK || whole.used == drops.used);
	must(whole.err != ERR_INVALID || (whole.why.text[0] != '\0' && drops.why.text[0] != '\0'));
	secret_free(proxy.password);
	return 0;
}
