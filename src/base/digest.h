/*
 * digest.h: hashes and what is made of them (RFC 1321, 2104, 3174, 6234, 8018), by OpenSSL. Layer:
 * base.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/bytes.h"

#define DIGEST_MOST_BYTES ((size_t)32)

enum digest_kind {
	DIGEST_MD5,
	DIGEST_SHA_1,
	DIGEST_SHA_256,
	DIGEST_COUNT
};

struct digest {
	uint8_t bytes[DIGEST_MOST_BYTES]; /* digest_size() of them count */
};

size_t digest_size(enum digest_kind kind);
static inline struct bytes
digest_bytes(enum digest_kind kind, const struct digest *digest)
{
	return (struct bytes){ (const char *)digest->bytes, digest_size(kind) };
}
/* Takes the same time wherever two differ. */
bool digest_equal(enum digest_kind kind, const struct digest *a, struct bytes b);

/* Each fails with ERR_MEMORY, or ERR_UNSUPPORTED where OpenSSL's policy forbids the hash (MD5). */
CHECKED enum err digest_hash(enum digest_kind kind, struct bytes text, struct digest *out);
CHECKED enum err digest_hmac(
	enum digest_kind kind, struct bytes key, struct bytes text, struct digest *out);
/* PBKDF2 with HMAC, one block long: RFC 5802's Hi(). 4,096 rounds take some 2 ms. */
CHECKED enum err digest_pbkdf2(enum digest_kind kind, struct bytes secret, struct bytes salt,
	unsigned iterations, struct digest *out);

#endif
