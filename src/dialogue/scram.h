/*
 * scram.h: the messages of SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, 7677), without channel binding.
 * Layer: dialogue, pure.
 *
 * The salted password takes thousands of rounds of HMAC, so it is made by the owner of the
 * dialogue: between scram_read_first() and scram_put_final() stands struct scram_need.
 */
#ifndef DIALOGUE_SCRAM_H
#define DIALOGUE_SCRAM_H

#include "base/buf.h"
#include "base/digest.h"

/* H2-41: 100,000 rounds take some 50 ms; who asks for more wants our time, not our proof. */
#define SCRAM_MOST_ITERATIONS 100000U
/* RFC 7677 4, RFC 5802 5.1. In clear a proof of fewer rounds gives the secret away (H2-41). */
#define SCRAM_LEAST_ITERATIONS_IN_CLEAR 4096U
/* Real ones take 24 and 16; the answer that repeats the nonce must fit into a line. */
#define SCRAM_MOST_NONCE_BYTES ((size_t)1024)
#define SCRAM_MOST_SALT_BYTES ((size_t)1024)

/* H2-43 */
#define SCRAM_UNPROVEN "the server did not prove that it knows the secret"

/* What the salted password is made of, beside the secret. */
struct scram_need {
	enum digest_kind digest;
	struct bytes salt;
	unsigned iterations;
};

struct scram {
	enum digest_kind digest;
	struct buf first;    /* client-first-message-bare */
	size_t nonce_len;    /* ours, at its end */
	struct buf messages; /* AuthMessage, as far as it has come */
	struct buf final;    /* client-final-message-without-proof */
	struct buf salt;
	unsigned iterations;
	struct digest server_signature; /* as it must be */
};

/* nonce: ours, printable and without a comma. ERR_INVALID: the user name cannot be prepared;
 * ERR_MEMORY */
CHECKED enum err scram_start(
	struct scram *scram, enum digest_kind digest, struct bytes username, struct bytes nonce);
void scram_done(struct scram *scram);
/* How long scram_put_first()'s message is. */
size_t scram_first_len(const struct scram *scram);
CHECKED enum err scram_put_first(const struct scram *scram, struct buf *out);
/* server-first-message. ERR_SYNTAX with *why: no proof is to be sent; ERR_MEMORY */
CHECKED enum err scram_read_first(
	struct scram *scram, struct bytes message, bool is_in_clear, const char **why);
/* Its salt is borrowed. */
struct scram_need scram_need(const struct scram *scram);
CHECKED enum err scram_put_final(struct scram *scram, const struct digest *salted, struct buf *out);
/*
 * server-final-message: ERR_OK with *is_proven where the server knows the secret too, and without
 * where it says why it refuses (e=). ERR_SYNTAX with *why: it lies
 */
CHECKED enum err scram_read_final(
	const struct scram *scram, struct bytes message, bool *is_proven, const char **why);

#endif
