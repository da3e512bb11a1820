/*
 * way.h: from an endpoint's settings to a socket connected to its server: by the name, from the
 * source address, through the proxy. Layer: probe.
 *
 * The owner keeps the deadline: way_give_up() ends it with what is known by then.
 */
#ifndef PROBE_WAY_H
#define PROBE_WAY_H

#include "facts/endpoint.h"
#include "net/connect.h"

struct way;

/* cause ok: fd is the callee's, connected to the server. Else where and why it ended. Borrowed for
 * the call. */
struct way_end {
	enum cause cause;
	enum stage stage; /* dns or connect */
	enum lack lack;
	int fd;
	bool has_address; /* of the server; not known behind a proxy */
	struct address address;
	char detail[1024];
	char note[256];
};

struct way_calls {
	void (*resolved)(void *owner);			       /* the stage connect begins */
	void (*ended)(void *owner, const struct way_end *end); /* the way is gone */
	/* The server's address is about to be tried, the first of all; false: not before way_go().
	 * Not asked of a proxy's. NULL: yes */
	bool (*may_try)(void *owner, const struct address *address);
};

/* To port, which may be another than the endpoint's own. endpoint is borrowed for its life; calls
 * are never called from inside. ERR_MEMORY */
CHECKED enum err way_start(struct event_base *base, struct resolver *resolver,
	const struct endpoint *endpoint, uint16_t port, bool is_ipv4_first,
	const struct way_calls *calls, void *owner, struct way **out);
void way_go(struct way *way);
/* Out of time: the way is gone, end says why. No call comes. */
void way_give_up(struct way *way, struct way_end *end);
/* NULL is fine. */
void way_cancel(struct way *way);

#endif
