/*
 * tls_private.h: what the files of TLS share. Layer: net, of tls*.c alone. Others include tls.h.
 *
 *	tls.c              one session: handshake, bytes, goodbye
 *	tls_library.c      one SSL_CTX a trust setting
 *	tls_session.c      what is remembered of a server: sessions, the chain that was verified
 *	tls_verify.c       is this chain to be believed
 *	tls_certificate.c  what is wrong with a certificate, and what stands in it
 *	tls_failure.c      why a handshake or a session failed
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "net/tls.h"

#include <openssl/ssl.h>

#include "net/tls_certificate.h"
#include "net/tls_session.h"

/* Debian's own default, said here so that no openssl.cnf changes what is called a weak key (H1-28).
 */
#define TLS_SECURITY_LEVEL 2

struct context {
	struct context *next;
	uint64_t id; /* never that of another, as an address may be */
	X509_STORE *store;
	enum tls_version least;
	SSL_CTX *is;
};

struct tls_library {
	BIO_METHOD *method;	  /* tls.c */
	struct context *contexts; /* used last first */
	uint64_t context_count;	  /* ever made */
	struct tls_memories *memories;
};

struct tls {
	SSL *ssl;
	int fd;
	enum tls_version least;
	char *name;
	mono_t now; /* as it began */
	bool has_pin;
	uint8_t pin[CERTIFICATE_KEY_BYTES];
	struct tls_memory *memory; /* of its server; NULL: nothing is remembered */
	unsigned generation;	   /* of memory, that its sessions belong to */
	bool is_session_offered;
	struct certificate_faults faults;
	X509 *leaf; /* as sent, also where the handshake failed by it */
	char heard[TLS_HEARD_MOST];
	size_t heard_len;
	int alert;	      /* the peer's fatal one, -1: none */
	bool is_name_unknown; /* the peer's warning 112: it does not know this SNI */
	bool is_blocked;      /* the socket had nothing for the last read */
	bool is_eof;
	int error;	  /* errno of the socket where it broke */
	bool is_standing; /* the handshake is done */
	bool is_failed;	  /* OpenSSL allows no further call */
	bool has_read;	  /* at least one byte of the server came out */
	bool wants_write;
	unsigned long reason; /* of the failure */
};

/* ---- tls.c */

/* NULL where the allocator said no. */
BIO_METHOD *tls_socket_method(void);

/* ---- tls_library.c */

/* Borrowed; NULL where the allocator said no. A store that was made anew gives a new one; the old
 * one falls out by age. */
const struct context *tls_context(
	struct tls_library *library, X509_STORE *store, enum tls_version least);

/* ---- tls_verify.c */

/* SSL_CTX_set_cert_verify_callback(): verifies, and leaves every fault in tls->faults. */
int tls_verify_chain(X509_STORE_CTX *chain, void *owner);

#endif
