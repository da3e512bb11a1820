/*
 * dialogue_private.h: what smtp.c and imap.c share: the step in the making, the finding in the
 * making, the transcript. Layer: dialogue, pure. For this room alone; others include dialogue.h.
 */
#ifndef DIALOGUE_DIALOGUE_PRIVATE_H
#define DIALOGUE_DIALOGUE_PRIVATE_H

#include "dialogue/dialogue.h"
#include "dialogue/line.h"
#include "dialogue/sasl.h"

/* One of the two protocols: smtp_protocol, imap_protocol. */
struct dialogue_protocol {
	struct dialogue *(*make)(
		void); /* zeroed, but for what the protocol needs; NULL: no memory */
	void (*free)(struct dialogue *dialogue);
	void (*begin)(
		struct dialogue *dialogue); /* the connection stands: the greeting comes next */
	/* Takes all of received, until the dialogue ends. */
	void (*receive)(struct dialogue *dialogue, struct bytes received);
	void (*tls_started)(
		struct dialogue *dialogue); /* over STARTTLS: nothing of before counts any more */
	void (*login)(struct dialogue *dialogue);
	/* The peer or the time is gone: keeps what came of a reply, and ends by it where it was a
	 * whole one. */
	void (*lost)(struct dialogue *dialogue);
	/* The goodbye, where the session is at a place where one can be said. */
	void (*put_goodbye)(struct dialogue *dialogue, struct buf *out);
	struct line_reader *(*line)(struct dialogue *dialogue);
	/* Lets go of what a session at rest does not need; NULL: it never rests. */
	void (*rest)(struct dialogue *dialogue);
	void (*wake)(struct dialogue *dialogue);
	void (*pause_over)(struct dialogue *dialogue); /* NULL: it never pauses */
};

extern const struct dialogue_protocol smtp_protocol;
extern const struct dialogue_protocol imap_protocol;

struct dialogue {
	const struct dialogue_protocol *protocol;
	struct endpoint *endpoint;
	struct errand *errand;
	char *helo_name;
	char *version;
	char *nonce;
	enum dialogue_want want;
	enum stage
		stage; /* where the dialogue stands: of the last step, until the next one is made */
	enum stage asked_stage; /* of the last step that the owner was given */
	bool is_started;
	bool is_under_tls;
	bool is_tls_over_starttls; /* TLS began, or is about to, over STARTTLS */
	bool is_failed;		   /* no memory: ends as FINDING_NO_MEMORY */
	size_t clear_bytes;	   /* that came before any TLS, as far as they are sniffed */
	char clear_start[2];
	struct buf out; /* what the step will send */
	bool is_out_secret;
	struct buf transcript;
	bool is_traced;
	struct secret *secret;
	struct sasl sasl;
	bool is_star_due; /* the server waits for a response, and "*" takes the exchange back */
	struct finding finding;
	bool may_rest;
	bool has_rested; /* and `rested` was not taken yet */
	struct finding rested;
	size_t rest_bytes; /* that came while at rest */
};

/* How a dialogue may part. */
enum goodbye {
	GOODBYE_SAID,
	GOODBYE_NONE, /* they closed, or nothing of ours is to go there */
};

/* True from the end on. */
static inline bool
dialogue_is_ended(const struct dialogue *dialogue)
{
	return dialogue->want == DIALOGUE_WANT_END;
}

/* True while a command waits that the owner has not been given yet: a reply that comes now answers
 * nothing. */
static inline bool
dialogue_is_unsent(const struct dialogue *dialogue)
{
	return dialogue->out.len > 0 || dialogue->want != DIALOGUE_WANT_BYTES;
}

/* The stage that a reply belongs to which comes now: that of the last command which really went
 * out. */
static inline enum stage
dialogue_reply_stage(const struct dialogue *dialogue)
{
	return dialogue_is_unsent(dialogue) ? dialogue->asked_stage : dialogue->stage;
}

/* Puts a line, with its CRLF, into what will be sent. The transcript shows it masked. */
void dialogue_say(struct dialogue *dialogue, struct bytes line);
/* As dialogue_say(): `line` holds the secret, or what is made of it; the transcript shows `shown`.
 */
void dialogue_say_secret(struct dialogue *dialogue, struct bytes line, struct bytes shown);
/* A line of a login: words of ours, then the response, which the transcript does not show. */
void dialogue_say_response(
	struct dialogue *dialogue, struct bytes words, struct bytes response, bool is_secret);
/* A line of the server, for the transcript. */
void dialogue_heard(struct dialogue *dialogue, struct bytes line);

/* Ends it; whatever was to be sent is dropped, but for the goodbye. First come: a second end
 * changes nothing. */
void dialogue_end(
	struct dialogue *dialogue, enum finding_kind kind, enum stage stage, enum goodbye goodbye);
/* All went well, and the session rests. */
void dialogue_rest(struct dialogue *dialogue);
/* Another protocol's greeting came: its name. */
void dialogue_end_other_protocol(struct dialogue *dialogue, const char *name);
/* ERR_LIMIT of the reader (contract 7). */
void dialogue_end_too_long(struct dialogue *dialogue);
/* Bytes behind the reply to STARTTLS came before TLS, so from anyone: not the server's words
 * (CVE-2020-14954). */
void dialogue_end_injected(struct dialogue *dialogue);
/* The mechanisms that the server lists become the detail: of each capability that begins so what
 * stands behind "AUTH=" or "AUTH ". */
void dialogue_detail_offer(struct dialogue *dialogue, struct bytes start);
/* Lines (joined by LF) of the reply that decided; masked. */
void dialogue_keep_lines(struct dialogue *dialogue, struct bytes lines);
/* *out becomes a masked copy of text. */
void dialogue_keep_text(struct dialogue *dialogue, char **out, struct bytes text);
/* A capability as the server lists it. */
void dialogue_keep_capability(struct dialogue *dialogue, struct bytes capability);
/* A note with text of the server's behind our own words; masked, cut. */
void dialogue_note_text(struct dialogue *dialogue, const char *words, struct bytes text);

/* Another protocol's greeting: its name ("SSH"), or NULL. */
const char *dialogue_other_protocol(enum side side, struct bytes line);

/* ---- login.c */

/* May the secret go out here at all (contract 7, H1-37)? */
bool dialogue_may_login(const struct dialogue *dialogue);
/* Chooses finding.used, by the settings' `auth` and what is offered; false: none of it. */
bool dialogue_pick(struct dialogue *dialogue, const struct sasl_offer *offer);
/* Begins the exchange (sasl.is_early, by early_room of sasl_start()); false: it ended there. */
bool dialogue_start_exchange(struct dialogue *dialogue, size_t early_room);
/*
 * Says the next response behind `words`, or asks the owner for a key, or ends where the response
 * cannot be said. Gives what is wrong with the challenge, and then the caller ends; NULL: nothing.
 */
const char *dialogue_say_next(
	struct dialogue *dialogue, struct bytes words, struct bytes challenge);
/* The same for what the server asks (334, "+"), in base64. */
const char *dialogue_on_challenge(struct dialogue *dialogue, struct bytes challenge);
/* The key is there: goes on where dialogue_on_challenge() stood. */
void dialogue_on_key(struct dialogue *dialogue, const struct digest *salted);

#endif
