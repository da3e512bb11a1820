/*
 * resolve.h: names to addresses, one family a query (c-ares, wrapped here and nowhere else). Layer:
 * net.
 *
 * A resolver belongs to one loop. It asks the system's resolvers (resolv.conf, read anew when it
 * changes) or those named, and the hosts file first; it keeps no answers: what a name server
 * changes is used at the next query (H3-12). A resolver that did not answer is asked last from then
 * on (H3-06).
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/address.h"

#define RESOLVE_MOST_ADDRESSES 10 /* of one answer; connect.c tries no more */

struct event_base;
struct resolver;
struct resolve_query;

enum resolve_outcome {
	RESOLVE_FOUND,
	RESOLVE_NO_NAME,     /* NXDOMAIN, or no name at all */
	RESOLVE_NO_ADDRESS,  /* the name exists, without a record of this family */
	RESOLVE_FAILED,	     /* no answer, or one that says nothing about the name */
	RESOLVE_LOCAL_LIMIT, /* out of memory or descriptors here */
	RESOLVE_OUTCOME_COUNT
};

struct resolve_answer {
	enum resolve_outcome outcome;
	enum family family;
	struct address addresses[RESOLVE_MOST_ADDRESSES];
	size_t count;
	const char *why; /* RESOLVE_FAILED: in words; static */
};

/* answer is borrowed for the call; the query is gone. */
typedef void resolve_answered(void *owner, const struct resolve_answer *answer);

/* resolvers: "127.0.0.1:5353,…", NULL for the system's; copied. ERR_MEMORY, ERR_IO, ERR_INVALID
 * (resolvers) */
CHECKED enum err resolver_new(
	struct event_base *base, const char *resolvers, struct resolver **out);
/* Queries in flight end without a call. NULL is fine. */
void resolver_free(struct resolver *resolver);
/* Other resolvers for queries that begin later. On an error all is as it was. */
CHECKED enum err resolver_reconfigure(struct resolver *resolver, const char *resolvers);
/*
 * Asks for host (A-label; a literal is answered without a query) in one family, IPV4 or IPV6.
 * answered comes once, on a later turn, unless resolve_cancel() came before. Its own end is at most
 * about 10 s away with two resolvers; the caller's deadline should not rely on it. ERR_MEMORY
 */
CHECKED enum err resolve_start(struct resolver *resolver, const char *host, enum family family,
	resolve_answered *answered, void *owner, struct resolve_query **out);
/* The answer, should it still come, is dropped. */
void resolve_cancel(struct resolve_query *query);

#endif
