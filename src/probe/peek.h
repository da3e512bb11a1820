/*
 * peek.h: one connection that looks what answers at a port, up to the greeting: without a login, a
 * secret or a word of ours but the goodbye. Layer: probe.
 */
#ifndef PROBE_PEEK_H
#define PROBE_PEEK_H

#include "facts/endpoint.h"
#include "net/resolve.h"
#include "net/tls.h"

#define PEEK_MOST_HEARD 512

struct peek;

/* What was found. cause ok: it connected, and one of the others says more. */
struct peek_result {
	enum cause cause;
	bool is_tls; /* TLS was begun, and TLS answered, whatever its certificate is worth */
	char heard[PEEK_MOST_HEARD]; /* in clear, or under TLS; what came first */
	size_t heard_len;
};

typedef void peek_ended(void *owner, const struct peek_result *result);

struct peek_to {
	const struct endpoint *endpoint; /* held by the peek: its way, its name for TLS */
	uint16_t port;			 /* the endpoint's own, or the other one of its pair */
	bool is_tls;			 /* begin TLS at once; else only listen */
	int64_t most_us;		 /* all in all, but for the goodbye's second */
};

/* Ends by ended, once, on a later turn; the peek is gone by then. ERR_MEMORY */
CHECKED enum err peek_start(struct event_base *base, struct resolver *resolver,
	struct tls_library *library, const struct peek_to *to, peek_ended *ended, void *owner,
	struct peek **out);
/* Without a call. NULL is fine. */
void peek_cancel(struct peek *peek);

#endif
