/*
 * proxy.h: what is said to a proxy until the way to the server is open. Layer: net. Pure: bytes in,
 * bytes out; tunnel.c has the socket.
 *
 * SOCKS5 (RFC 1928) with or without a user name (RFC 1929), and HTTP's CONNECT (RFC 9110 9.3.6)
 * with Basic (RFC 7617). The server's name goes to the proxy as it is: nobody here resolves it.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "facts/endpoint.h"

#define PROXY_HEAD_MOST_BYTES ((size_t)8192) /* H3-23: of all that an HTTP proxy answers */

/* What is waited for. */
enum proxy_state {
	PROXY_METHOD, /* SOCKS5: how to log in */
	PROXY_LOGIN,  /* SOCKS5: the login's answer */
	PROXY_REPLY,  /* SOCKS5: the answer to CONNECT */
	PROXY_HEAD,   /* HTTP: the answer's head */
	PROXY_STATE_COUNT
};

struct proxy_talk {
	const struct proxy *proxy;
	const char *host;
	uint16_t port;
	enum proxy_state state;
	struct buf heard; /* of the answer that is not whole yet */
};

/* Begins; puts the first bytes into send. proxy and host are borrowed until proxy_talk_done().
 * ERR_MEMORY; ERR_LIMIT: a user name, password or host longer than the protocol has room for. */
CHECKED enum err proxy_talk_start(struct proxy_talk *talk, const struct proxy *proxy,
	const char *host, uint16_t port, struct buf *send);
/*
 * Takes what came, of any length; any split of the bytes ends the same.
 *   used  how many of them were the proxy's: with ERR_OK the rest is the server's
 *   send  further bytes are put here; any there with ERR_OK: it answered before it was asked
 * Gives ERR_OK (the way is open), ERR_MORE, ERR_INVALID (refused or broken: why, its words from
 * outside escaped), ERR_MEMORY.
 */
CHECKED enum err proxy_talk_receive(struct proxy_talk *talk, struct bytes came, size_t *used,
	struct buf *send, struct fault *why);
/* Wipes. A zeroed one is fine. */
void proxy_talk_done(struct proxy_talk *talk);

#endif
