/*
 * tls_certificate.h: what is wrong with a server's certificate, and what stands in it. Layer: net,
 * of tls.c alone.
 */
#ifndef NET_TLS_CERTIFICATE_H
#define NET_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "facts/cause.h"
#include "facts/verdict.h"

#define CERTIFICATE_MOST_FAULTS 8
#define CERTIFICATE_KEY_BYTES 32

/* All faults that a verification met, each kind once. A zeroed one is none. */
struct certificate_faults {
	struct {
		int error; /* X509_V_ERR_… */
		int depth;
		X509 *at; /* the certificate in question; may be NULL */
	} items[CERTIFICATE_MOST_FAULTS];
	size_t count;
	int sent;	     /* certificates in the chain as sent */
	bool is_key_foreign; /* not the one of the pin: */
	uint8_t key_sha256[CERTIFICATE_KEY_BYTES];
};

void certificate_faults_done(struct certificate_faults *faults);
/* From a verify callback: notes its error. */
void certificate_faults_note(struct certificate_faults *faults, X509_STORE_CTX *chain);
bool certificate_faults_any(const struct certificate_faults *faults);
/* Notes a leaf whose key is not the pinned one, by the SHA-256 of its SPKI (H1-30). */
void certificate_faults_note_key(
	struct certificate_faults *faults, X509 *leaf, const uint8_t pin[CERTIFICATE_KEY_BYTES]);
/* The cause in the order untrusted, dates, name, pin (H1-26); all faults in words. */
enum cause certificate_faults_judge(
	const struct certificate_faults *faults, X509 *leaf, const char *name, struct buf *text);
/* The first notAfter in a chain; long past where a date cannot be read. */
wall_t certificate_first_end(STACK_OF(X509) * chain);
/* *out is the caller's: certificate_free(). ERR_MEMORY, ERR_SYNTAX */
CHECKED enum err certificate_read(X509 *leaf, struct certificate **out);

#endif
