/*
 * tls_session.h: what a loop remembers of a server it spoke TLS with: sessions to resume, and the
 * chain that was verified whole. Layer: net, of tls*.c alone.
 *
 * One memory belongs to one server under one trust setting (host, port, name, pin, SSL_CTX), so
 * that nothing of it is ever used under another (H1-32). All that it holds goes back to one
 * verification of a whole chain by our own clock, and ends with it: after an hour, or when the
 * first certificate of that chain ends, however often sessions were renewed since (H1-31).
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include <openssl/ssl.h>

#include "facts/verdict.h"

#define TLS_VERIFIED_US US_PER_H /* so long a verification counts */
#define TLS_MOST_SERVERS 4096	 /* remembered; the one used longest ago goes */
#define TLS_MOST_SESSIONS 8 /* of one server: as many as may be connected (limits.connections) */
#define TLS_MOST_SESSIONS_IN_ALL 4096 /* some 4 KiB each; the oldest goes */
#define TLS_CHAIN_BYTES 32

struct tls_memories;
struct tls_memory;

/* NULL where the allocator said no. */
struct tls_memories *tls_memories_new(void);
void tls_memories_free(struct tls_memories *memories);
/* All of them; who holds one still keeps it to itself. */
void tls_memories_forget(struct tls_memories *memories);
/* The memory of this key, made if there is none; NULL where the allocator said no. The caller's own
 * reference: tls_memory_free(). */
struct tls_memory *tls_memory_find(struct tls_memories *memories, struct bytes key);
/* NULL is fine. */
void tls_memory_free(struct tls_memory *memory);

/* A session to offer, the caller's own; NULL: none, so the handshake will be a full one. One of TLS
 * 1.3 is given once (RFC 8446 C.4). *generation: for tls_memory_put(). */
SSL_SESSION *tls_memory_take(
	struct tls_memory *memory, mono_t now, wall_t wall, unsigned *generation);
/* Takes over a session that the server gave within a connection of that generation. One of another
 * chain than the last that was verified is dropped. */
void tls_memory_put(struct tls_memory *memory, unsigned generation, SSL_SESSION *session);
/* The server answered a ticket with a reset or an alert (H1-33): none is offered for an hour. */
void tls_memory_refuse(struct tls_memory *memory, mono_t now);

/* What stands in the leaf of that generation, as it was read before, the caller's own reference;
 * NULL: not known. Reading it anew costs a tenth of a resumed probe. */
struct certificate *tls_memory_certificate(const struct tls_memory *memory, unsigned generation);
/* Keeps a reference of its own. */
void tls_memory_read(
	struct tls_memory *memory, unsigned generation, struct certificate *certificate);

/* True where this chain, by its digest, was verified within the hour; *generation as above. */
bool tls_memory_knows(struct tls_memory *memory, const uint8_t chain[TLS_CHAIN_BYTES], mono_t now,
	wall_t wall, unsigned *generation);
/* This chain was verified whole at `now`; first_end: the first notAfter in it. */
void tls_memory_verified(struct tls_memory *memory, const uint8_t chain[TLS_CHAIN_BYTES],
	mono_t now, wall_t first_end, unsigned *generation);

#endif
