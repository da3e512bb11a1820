/*
 * tls.h: one TLS client on a non-blocking socket (OpenSSL, wrapped here and nowhere else). Layer:
 * net.
 *
 * A struct tls_library belongs to one loop and keeps an SSL_CTX for each trust setting, and
 * sessions to resume. A struct tls is one session on a descriptor that stream.c owns. Nothing skips
 * verification: where tls_handshake() gives ERR_OK, chain, dates and name were right.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "facts/cause.h"
#include "facts/endpoint.h"
#include "facts/verdict.h"

#define TLS_HEARD_MOST 512 /* first bytes of the server that are kept */

struct tls_library;
struct tls;

enum tls_failure_kind {
	TLS_FAILURE_CERTIFICATE, /* cause is one of cert_… */
	TLS_FAILURE_PLAIN,	 /* the server answered in clear: heard */
	TLS_FAILURE_HANDSHAKE,	 /* cause: tls_handshake or tls_version */
	TLS_FAILURE_LOST,	 /* closed or reset without an alert */
	TLS_FAILURE_LATE,	 /* TLS 1.3: refused after the handshake, before any word (H1-20) */
	TLS_FAILURE_BROKEN,	 /* a record that cannot be (bad MAC) in a session that stood */
	TLS_FAILURE_KIND_COUNT
};

struct tls_failure {
	enum tls_failure_kind kind;
	enum cause cause;
	int alert; /* the peer's fatal alert, -1: none */
	char detail[1024];
};

/* ERR_MEMORY, ERR_IO */
CHECKED enum err tls_library_new(struct tls_library **out);
void tls_library_free(struct tls_library *library);
/* Every session and every verified chain: what comes next is a full, verified handshake. */
void tls_library_forget(struct tls_library *library);

struct tls_settings {
	const char *name; /* for SNI and verification; a literal is verified as an address, without
			     SNI (H1-25) */
	const char *ca_file;
	enum tls_version least;
	const uint8_t *key_sha256; /* the pin of cert_sha256, 32 bytes of SPKI; NULL: none */
	/* Whose sessions are kept and offered; NULL: none are, and the chain is verified whole. */
	const char *host;
	uint16_t port;
	mono_t now;
};

/* A client on fd, which stays the caller's. Errors of the ca_file as trust_store(); ERR_MEMORY,
 * ERR_INVALID (name). */
CHECKED enum err tls_new(struct tls_library *library, const struct tls_settings *settings, int fd,
	struct tls **out, struct fault *why);
/* NULL is fine. Touches the descriptor no more: say tls_goodbye() before it is closed. */
void tls_free(struct tls *tls);

/* ERR_OK; ERR_AGAIN (tls_wants_write() says for what); ERR_INVALID: tls_failure() says why. */
CHECKED enum err tls_handshake(struct tls *tls);
/* *len bytes at most into at, in *len what came. ERR_AGAIN; ERR_MORE: nothing for us, but call
 * again (bounded work a turn: H1-22); ERR_CLOSED: the end, in whatever way; ERR_INVALID:
 * tls_failure() says why. */
CHECKED enum err tls_read(struct tls *tls, char *at, size_t *len);
/* In *len what went out. ERR_AGAIN, ERR_CLOSED, ERR_INVALID */
CHECKED enum err tls_write(struct tls *tls, struct bytes bytes, size_t *len);
/* Gives back the buffers of a session that will be quiet for long; the next read or write makes
 * them anew. */
void tls_rest(struct tls *tls);
/* The last call waits for the socket to be writable (else readable). */
bool tls_wants_write(const struct tls *tls);
/* The errno that the socket broke with, 0: none. */
int tls_error(const struct tls *tls);
/* close_notify, once; not waited for. ERR_OK, ERR_AGAIN (not all of it went out) */
CHECKED enum err tls_goodbye(struct tls *tls);

void tls_failure(struct tls *tls, struct tls_failure *out);
/* What the server's first bytes were, before any TLS was read out of them. Borrowed. */
struct bytes tls_heard(const struct tls *tls);
/* True where these bytes cannot be a TLS record's. */
bool bytes_are_clear_text(struct bytes heard);
/* True where a session was offered and not one byte of the server's own came since: the ticket may
 * be what it minds (H1-33). None is offered to it for an hour then; try once more. */
bool tls_doubt_session(struct tls *tls);
/* Of a session that stands, or of a certificate that failed. */
void tls_facts(struct tls *tls, struct tls_facts *out);

#endif
