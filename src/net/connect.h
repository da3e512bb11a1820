/*
 * connect.h: a host name to a connected socket: both families in parallel steps (RFC 8305). Layer:
 * net.
 *
 * The owner keeps the deadline: connect_give_up() ends it with what is known by then.
 */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "facts/cause.h"
#include "facts/prefix.h"
#include "facts/verdict.h"
#include "net/resolve.h"

#define CONNECT_MOST_ADDRESSES 10	  /* H3-05 */
#define CONNECT_STEP_US (250 * US_PER_MS) /* RFC 8305 5 */
#define CONNECT_RESOLUTION_US                                                                      \
	(50 * US_PER_MS) /* RFC 8305 3: how long an A answer waits for AAAA                        \
			  */
/* H3-15: how long AAAA waits for A where IPv6 is known to stall. */
#define CONNECT_IPV4_FIRST_US US_PER_S

struct connecting;

/* Where to. Borrowed for the call, but deny: until the end. */
struct connect_to {
	const char *host;
	uint16_t port;
	enum family family; /* which addresses to use */
	const struct address
		*source;    /* to connect from, of that family; NULL: the system's choice */
	bool is_ipv4_first; /* H3-15: IPv6 connected last time, and then nothing came */
	/* Never connected to, judged on the very addresses that the query gave (H3-09, H3-10);
	 * NULL: none */
	const struct prefixes *deny;
};

/* cause ok: fd is connected and the callee's, address is what it is connected to. Else stage and
 * cause say why, detail in words; address is the one tried last where has_address. Borrowed for the
 * call. */
struct connect_result {
	enum cause cause;
	enum stage stage; /* dns or connect: where it ended */
	enum lack lack;	  /* with local_limit */
	int fd;
	bool has_address;
	struct address address;
	char detail[512];
	char note[256]; /* "" or what is worth knowing of a success: IPv6 fails (H3-14) */
};

struct connect_calls {
	void (*resolved)(void *owner); /* the first address is known: the stage connect begins */
	/* It is about to be tried, the first of all; false: not before connect_go(). NULL: yes */
	bool (*may_try)(void *owner, const struct address *address);
	void (*ended)(
		void *owner, const struct connect_result *result); /* the connecting is gone */
};

/* calls are copied, never called from inside. ERR_MEMORY */
CHECKED enum err connect_start(struct event_base *base, struct resolver *resolver,
	const struct connect_to *to, const struct connect_calls *calls, void *owner,
	struct connecting **out);
/* The address that waits since may_try() is tried. */
void connect_go(struct connecting *connecting);
/* Out of time: all is closed and freed, result says why it did not come to a connection. No call
 * comes. */
void connect_give_up(struct connecting *connecting, struct connect_result *result);
void connect_cancel(struct connecting *connecting);

#endif
