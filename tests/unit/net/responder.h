/*
 * responder.h: a DNS server on loopback, in a thread, that answers from a table. For test_resolve.c
 * and test_connect.c.
 */
#ifndef TESTS_RESPONDER_H
#define TESTS_RESPONDER_H

#include <stddef.h>

struct responder_row {
	const char *name;
	int type;	       /* 1: A, 28: AAAA, 0: both */
	int code;	       /* RCODE; -1: silence */
	const char *addresses; /* "192.0.2.1 192.0.2.2"; NULL: none */
	const char *alias;     /* a CNAME record to this name as well */
};

struct responder;

/* rows end in a NULL name; a name that is not there is NXDOMAIN. Port in *port.
 * Records live 2^31 - 1 s: whoever keeps answers would keep these (H3-12). */
struct responder *responder_start(const struct responder_row *rows, int *port);
/* At this address and port. */
struct responder *responder_start_at(
	const struct responder_row *rows, const char *address, int port);
/* Other rows from now on. */
void responder_say(struct responder *responder, const struct responder_row *rows);
size_t responder_queries(struct responder *responder);
void responder_stop(struct responder *responder);

#endif
