/*
 * sasl.h: what a login says, whatever the protocol around it (RFC 4422, 4616). Layer: dialogue,
 * pure.
 */
#ifndef DIALOGUE_SASL_H
#define DIALOGUE_SASL_H

#include "base/secret.h"
#include "facts/words.h"

/* The mechanisms that a server lists: one bit for each of enum mechanism that it named. */
struct sasl_offer {
	unsigned known;
	bool is_any; /* it named at least one, ours or not */
};

/* Adds the mechanism of this name ("PLAIN", in any case). */
void sasl_offer_put(struct sasl_offer *offer, struct bytes name);
bool sasl_is_offered(const struct sasl_offer *offer, enum mechanism mechanism);
/* "PLAIN" */
const char *sasl_name(enum mechanism mechanism);
/*
 * The mechanism to be used, by the settings' `auth` (contract 3): auto takes PLAIN, then LOGIN.
 * ERR_NOT_FOUND: none of those offered. The stronger ones, for sessions in clear, come with their
 * own files.
 */
CHECKED enum err sasl_pick(
	enum mechanism wanted, const struct sasl_offer *offer, enum mechanism *out);

/* One exchange. */
struct sasl {
	enum mechanism mechanism;
	struct bytes username;	     /* borrowed */
	const struct secret *secret; /* borrowed */
	unsigned answers;	     /* how many responses were given */
	unsigned most_answers;
};

/* is_early: the first response goes out with the command itself (RFC 4954 4, RFC 4959). */
void sasl_start(struct sasl *sasl, enum mechanism mechanism, struct bytes username,
	const struct secret *secret, bool is_early);
/* How long PLAIN's response will be, in base64: whether it fits into the command's line. */
size_t sasl_plain_len(struct bytes username, const struct secret *secret);
/* PLAIN begins with the client's response, LOGIN with the server's challenge. */
bool sasl_is_client_first(enum mechanism mechanism);
/*
 * Puts the next response, in base64. Challenges of PLAIN and LOGIN say nothing, so they are not
 * asked for: LOGIN's are answered by position (H2-40).
 *   out        a buffer that is wiped (buf_done_wiped)
 *   is_secret  whether the response holds the secret
 * ERR_LIMIT: the server asks once too often, say "*"; ERR_MEMORY
 */
CHECKED enum err sasl_next(struct sasl *sasl, struct buf *out, bool *is_secret);

#endif
