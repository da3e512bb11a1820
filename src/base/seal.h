/*
 * seal.h: secrets at rest, under a key of the administrator's (daemon.state_key_file). Layer: base.
 *
 * AES-256-GCM (NIST SP 800-38D) under a nonce that is random for each: a sealed secret is a byte
 * for its form, 12 of the nonce, as many as the secret has, 16 of the tag. `bound` is what it
 * belongs to: nobody opens it who says another, so a row that was moved or changed is of no use.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "base/secret.h"

#define SEAL_KEY_BYTES ((size_t)32)

struct seal_key {
	uint8_t bytes[SEAL_KEY_BYTES];
};

/* The whole of a file; wipe it with bytes_wipe(). ERR_INVALID: not 32 bytes; else as file_read().
 * why: the file and what is wrong with it. */
CHECKED enum err seal_key_read(const char *path, struct seal_key *out, struct fault *why);
/* Puts the sealed bytes. ERR_MEMORY */
CHECKED enum err seal_secret(const struct seal_key *key, const struct secret *secret,
	struct bytes bound, struct buf *out);
/* *out is the caller's. ERR_DAMAGED: another key, something else that it is bound to, or changed
 * since: nobody can tell which. ERR_MEMORY */
CHECKED enum err unseal_secret(
	const struct seal_key *key, struct bytes sealed, struct bytes bound, struct secret **out);

#endif
