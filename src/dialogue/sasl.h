/*
 * sasl.h: what a login says, whatever the protocol around it (RFC 4422, 4616, 2195, 5802). Layer:
 * dialogue, pure.
 */
#ifndef DIALOGUE_SASL_H
#define DIALOGUE_SASL_H

#include "base/secret.h"
#include "dialogue/scram.h"
#include "facts/words.h"

/* RFC 4954 4: a line of the exchange, CRLF counted. A longer challenge is no challenge (H2-40). */
#define SASL_MOST_LINE_BYTES ((size_t)12288)

/* The mechanisms that a server lists: one bit for each of enum mechanism that it named. */
struct sasl_offer {
	unsigned known;
	bool is_any; /* it named at least one, ours or not */
};

/* Adds the mechanism of this name ("PLAIN", in any case). */
void sasl_offer_put(struct sasl_offer *offer, struct bytes name);
/* "PLAIN" */
const char *sasl_name(enum mechanism mechanism);
/*
 * The mechanism to be used, by the settings' `auth`. auto (contract 3): under TLS PLAIN, LOGIN,
 * SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5; in clear, where others listen, the last three first.
 * ERR_NOT_FOUND: none of those offered.
 */
CHECKED enum err sasl_pick(enum mechanism wanted, const struct sasl_offer *offer, bool is_under_tls,
	enum mechanism *out);

struct sasl_settings {
	enum mechanism mechanism;
	struct bytes username;	     /* borrowed until sasl_done() */
	const struct secret *secret; /* borrowed until sasl_done() */
	struct bytes nonce;	     /* SCRAM: ours, printable and without a comma */
	bool is_under_tls;
	/* How long, in base64, a response may be that goes out with the command itself (RFC 4954 4,
	 * RFC 4959); 0: none may. */
	size_t early_room;
};

/* Whose turn it is in SCRAM. */
enum scram_turn {
	SCRAM_FIRST,	    /* ours: the user name */
	SCRAM_SERVER_FIRST, /* theirs: salt and rounds */
	SCRAM_FINAL,	    /* ours: the proof, once the salted password is there */
	SCRAM_SERVER_FINAL, /* theirs: their proof */
	SCRAM_OVER
};

/* One exchange. */
struct sasl {
	struct sasl_settings settings;
	bool is_early;	  /* the first response goes out with the command */
	unsigned answers; /* how many responses were given */
	unsigned most_answers;
	enum scram_turn turn;
	struct scram scram;
	struct digest salted;
	bool is_proven; /* SCRAM: the server knows the secret too */
};

/* What a response gives away. */
enum sasl_holds {
	SASL_HOLDS_NOTHING,
	SASL_HOLDS_NAME,   /* by which alone SCRAM's server may refuse (RFC 5802 7: unknown-user) */
	SASL_HOLDS_SECRET, /* or what is made of it */
};

/*
 * ERR_INVALID: the user name cannot be said in this mechanism; ERR_SYNTAX: the secret cannot
 * (H4-17); ERR_MEMORY. sasl_done() in any case.
 */
CHECKED enum err sasl_start(struct sasl *sasl, const struct sasl_settings *settings);
/* A zeroed one is fine. */
void sasl_done(struct sasl *sasl);
/*
 * Puts the next response, in base64.
 *   challenge  as it came, in base64; nothing before any came. PLAIN's and LOGIN's say nothing and
 *              are not looked at: LOGIN's are answered by position (H2-40)
 *   out        a buffer that is wiped (buf_done_wiped)
 * ERR_MORE: sasl_need() first, then sasl_salted(), then this again; ERR_SYNTAX with *why: it cannot
 * be answered, say "*"; ERR_LIMIT: the server asks once too often, say "*"; ERR_MEMORY
 */
CHECKED enum err sasl_next(struct sasl *sasl, struct bytes challenge, struct buf *out,
	enum sasl_holds *holds, const char **why);
struct scram_need sasl_need(const struct sasl *sasl);
void sasl_salted(struct sasl *sasl, const struct digest *salted);
/* The server accepts: what is wrong with that, or NULL. */
const char *sasl_doubt(const struct sasl *sasl, bool is_secret_sent);

#endif
