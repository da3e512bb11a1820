/*
 * tunnel.h: a connection to a proxy becomes one to the server. Layer: net.
 *
 * The owner keeps the deadline: tunnel_cancel() ends it.
 */
#ifndef NET_TUNNEL_H
#define NET_TUNNEL_H

#include "facts/endpoint.h"

struct event_base;
struct tunnel;

struct tunnel_calls {
	/* fd is the callee's, nothing of the server's was read from it; the tunnel is gone. */
	void (*opened)(void *owner, int fd);
	/* Refused, broken or lost: why is borrowed for the call; the tunnel is gone, fd closed. */
	void (*failed)(void *owner, const char *why);
};

/* Takes over fd (connected to the proxy, non-blocking) where it succeeds. proxy and host are
 * borrowed for its life. Calls come on a later turn, one of them once. ERR_MEMORY; ERR_LIMIT as
 * proxy_talk_start(). */
CHECKED enum err tunnel_start(struct event_base *base, int fd, const struct proxy *proxy,
	const char *host, uint16_t port, const struct tunnel_calls *calls, void *owner,
	struct tunnel **out);
/* Closes without a call. NULL is fine. */
void tunnel_cancel(struct tunnel *tunnel);

#endif
