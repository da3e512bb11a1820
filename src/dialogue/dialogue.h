/*
 * dialogue.h: the two mail protocols as pure machines: bytes in, "what next" out. Layer: dialogue,
 * pure: no socket, no clock, no thread, no global; nonces come as arguments.
 *
 * The owner (probe/, a test, a fuzzer) keeps the connection and the deadlines. It calls
 * dialogue_start() once, then does what each step asks for, until a step wants the end:
 *
 *	WANT_BYTES   send step.send, then hand what comes to dialogue_receive()
 *	WANT_TLS     send step.send, begin TLS, then dialogue_tls_started(); with security tls
 *	             that is the first step
 *	WANT_LOGIN   the login comes next: get the secret and watch's leave, then
 *	             dialogue_login() or dialogue_held()
 *	WANT_KEY     SCRAM: have step.key made (secret_salt(), it takes long), then dialogue_key()
 *	WANT_REST    where settings or dialogue_wake() allow it, in the end's place: all went well;
 *		     take the finding. The session stays logged in: hand what comes to
 *		     dialogue_receive() (nothing to send then, but END where the session is lost),
 *		     probe it by dialogue_wake(), part from it by dialogue_timeout()
 *	WANT_PAUSE   a check waits for its message: dialogue_pause_over() after DIALOGUE_PAUSE_US
 *	WANT_END     send step.send (the goodbye, may be empty), close; take the finding
 *
 * A step's stage is where the dialogue stands now; the owner's stage timer begins anew whenever it
 * changes, never by bytes that come (H2-06). step.send is borrowed until the next call, and
 * is_secret says that it must not be traced.
 */
#ifndef DIALOGUE_DIALOGUE_H
#define DIALOGUE_DIALOGUE_H

#include "dialogue/scram.h"
#include "facts/endpoint.h"
#include "facts/errand.h"
#include "facts/finding.h"

#define DIALOGUE_MOST_LINE_BYTES ((size_t)64 * 1024)   /* contract 7 */
#define DIALOGUE_MOST_READ_BYTES ((size_t)1024 * 1024) /* contract 7 */
/* What a server may say to a session at rest; one that talks more is parted from (H2-48). */
#define DIALOGUE_MOST_REST_BYTES ((size_t)64 * 1024)
#define DIALOGUE_PAUSE_US (2 * US_PER_S)

enum dialogue_want {
	DIALOGUE_WANT_BYTES,
	DIALOGUE_WANT_TLS,
	DIALOGUE_WANT_LOGIN,
	DIALOGUE_WANT_KEY,
	DIALOGUE_WANT_REST,
	DIALOGUE_WANT_PAUSE,
	DIALOGUE_WANT_END,
	DIALOGUE_WANT_COUNT
};

struct dialogue_step {
	enum dialogue_want want;
	enum stage stage;
	struct bytes send;
	bool is_secret;
	struct scram_need key; /* WANT_KEY; its salt is borrowed until the next call */
};

struct dialogue_settings {
	const struct endpoint *endpoint; /* held by the dialogue until it is freed */
	struct bytes helo_name;		 /* SMTP: EHLO's argument; copied */
	struct bytes version;		 /* IMAP ID: ours; copied */
	struct bytes nonce;		 /* SCRAM: by chance, printable, no comma; copied */
	bool is_traced;			 /* keep a transcript (dialogue_transcript) */
	struct errand *errand;		 /* held by the dialogue; NULL: none */
	bool may_rest; /* IMAP with a login: come to rest in the end's place where all went well */
};

struct dialogue;

/* By endpoint->side. ERR_MEMORY */
CHECKED enum err dialogue_new(const struct dialogue_settings *settings, struct dialogue **out);
void dialogue_free(struct dialogue *dialogue);

/* Each writes *step. Calling one that the last step did not ask for is a mistake of ours (assert),
 * but for dialogue_closed() and dialogue_timeout(), which may come at any time before the end, and
 * dialogue_receive() while the login or the key is waited for: nothing may come then but a server
 * that leaves (421, BYE). */
void dialogue_start(struct dialogue *dialogue, struct dialogue_step *step);
void dialogue_receive(struct dialogue *dialogue, struct bytes received, struct dialogue_step *step);
void dialogue_tls_started(struct dialogue *dialogue, struct dialogue_step *step);
/* secret is borrowed for the call and kept (secret_hold) until the dialogue is freed, for masking.
 */
void dialogue_login(struct dialogue *dialogue, struct secret *secret, struct dialogue_step *step);
/* The salted password of step.key; copied, wiped with the dialogue. */
void dialogue_key(
	struct dialogue *dialogue, const struct digest *salted, struct dialogue_step *step);
void dialogue_held(struct dialogue *dialogue, struct dialogue_step *step);
/* Probes the session at rest by NOOP. may_rest: it may rest again. */
void dialogue_wake(struct dialogue *dialogue, bool may_rest, struct dialogue_step *step);
void dialogue_pause_over(struct dialogue *dialogue, struct dialogue_step *step);
/* The peer closed or reset: what came before was already received. step.want is END, nothing to
 * send. */
void dialogue_closed(struct dialogue *dialogue, struct dialogue_step *step);
/* The stage's or the probe's time is over: END, with the goodbye where one can be said. */
void dialogue_timeout(struct dialogue *dialogue, struct dialogue_step *step);

/* At rest or after the end: the finding, the caller's now (finding_done()). Once for each rest, and
 * once for the end: of a session that came to rest and ended in one step it is that of the rest. */
void dialogue_take_finding(struct dialogue *dialogue, struct finding *out);
/* "C: …" and "S: …" lines so far, secrets as <secret>; empty where not traced. Borrowed. */
struct bytes dialogue_transcript(const struct dialogue *dialogue);

#endif
