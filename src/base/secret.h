/*
 * secret.h: bytes that must never be shown. Layer: base.
 *
 * There is one way out, secret_reveal(), and only the code that puts a login on the wire
 * (dialogue/sasl.c, dialogue/imap_login.c, net/proxy.c), the fingerprint, the seal, and what
 * mboxwatchctl hands to the daemon for a check (config/object.c) call it; a test holds the list of
 * callers.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"
#include "base/digest.h"

/* contract 3; H4-16: what a secret's file, command or credential is read up to. */
#define SECRET_MOST_BYTES ((size_t)64 * 1024)

struct secret;

/* A copy of bytes. ERR_INVALID: empty, or a NUL inside (H4-05); ERR_LIMIT; ERR_MEMORY. */
CHECKED enum err secret_new(struct bytes bytes, struct secret **out);
/* One more owner. The count is atomic: a secret may be shared between threads, its bytes never
 * change. */
struct secret *secret_hold(struct secret *secret);
/* Drops one owner; the last wipes and frees. NULL is fine. */
void secret_free(struct secret *secret);
struct bytes secret_reveal(const struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b);
/* Three groups or more of four letters or digits each, one blank between: how providers show app
 * passwords, which have no blanks. */
bool secret_is_grouped(const struct secret *secret);

/* What all app passwords of a provider look like, where that is known. */
enum secret_form {
	SECRET_FORM_ANY,
	SECRET_FORM_LETTERS_16,	 /* Gmail, Yahoo, Yandex */
	SECRET_FORM_SIGNS_16,	 /* letters and digits: QQ, NetEase */
	SECRET_FORM_HYPHENS_4X4, /* four groups of four letters, a hyphen between: iCloud */
	SECRET_FORM_COUNT
};

bool secret_has_form(const struct secret *secret, enum secret_form form);
/* Overwrites every occurrence of the secret in text, its base64 and its IMAP-quoted form with
 * "<secret>". Of secrets shorter than 4 bytes only whole words are masked. H2-44 */
void secret_mask(const struct secret *secret, struct buf *text);

/* What stands for a secret where it has to be told from another and must not be known:
 * the first 8 bytes of HMAC-SHA-256 under a random key that never leaves state.db. */
struct fingerprint {
	uint8_t bytes[8];
};

struct fingerprint_key {
	uint8_t bytes[32];
};

CHECKED enum err secret_fingerprint(
	const struct secret *secret, const struct fingerprint_key *key, struct fingerprint *out);

/* Can SASLprep (base/prepare.h) make its one form of it? SCRAM needs that (H4-17). */
bool secret_is_preparable(const struct secret *secret);
/*
 * SCRAM's SaltedPassword (RFC 5802 3): prepared, and hashed `iterations` times. Takes long: 100,000
 * rounds some 50 ms.
 *   out  to be wiped
 * ERR_INVALID: not preparable; ERR_MEMORY
 */
CHECKED enum err secret_salt(const struct secret *secret, enum digest_kind kind, struct bytes salt,
	unsigned iterations, struct digest *out);

static inline bool
fingerprint_equal(struct fingerprint a, struct fingerprint b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

#endif
