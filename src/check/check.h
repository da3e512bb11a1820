/*
 * check.h: one run of everything about one mailbox, for a person who waits: its settings reviewed,
 * SMTP probed, then IMAP whatever SMTP did, and what to do next. Layer: check.
 *
 * The probes are those of the daemon (probe/probe.h); who runs them is the owner: the daemon's
 * loops, or mboxwatchctl on a loop of its own. Each step is told as it happens, as one line of
 * JSON, and at the end there is one document (contract 5, POST /v1/check): what people are shown is
 * made from these alone.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "config/settings.h"
#include "probe/probe.h"

struct check;

struct check_calls {
	/* Begin a probe of this side, traced; check_passed() and then check_ended() or
	 * check_skip() follow, on later turns. An error ends that side (out of memory). */
	enum err (*probe)(void *owner, enum side side);
	/* A step: a JSON object without a line end, borrowed. NULL: nobody listens. */
	void (*step)(void *owner, struct bytes json);
	/* All is done, once, last; the check may be freed by then. */
	void (*done)(void *owner);
};

struct check_start {
	const struct mailbox_settings *settings; /* copied or held as far as it is needed */
	const struct review_mailbox *review;
	const struct complaints *warnings; /* of an object's settings, for the review; NULL: none */
	bool is_to_send;      /* a test message, from the address; nothing where there is no
				 smtp or no address */
	const char *send_to;  /* NULL: the address itself; check_is_address() */
	bool with_transcript; /* in the document: the dialogues, secrets masked */
	const struct check_calls *calls;
	void *owner;
};

/* ERR_MEMORY */
CHECKED enum err check_new(const struct check_start *start, struct check **out);
/* NULL is fine. No call comes any more; probes in flight are the owner's to end. */
void check_free(struct check *check);
/* Tells the review and begins the first side. */
void check_begin(struct check *check);

/* NULL: the mailbox has no such side. Borrowed. */
struct endpoint *check_endpoint(const struct check *check, enum side side);
/* What its probe is to do beyond a probe. Borrowed. */
struct errand *check_errand(const struct check *check, enum side side);
/* May this be written into a message and its envelope? */
bool check_is_address(struct bytes text);
/* Empty: no login is made. Borrowed. */
struct bytes check_account(const struct check *check, enum side side);

void check_passed(struct check *check, enum side side, const struct probe_step *step);
/* verdict is borrowed, and told more where logins were held. */
void check_ended(
	struct check *check, enum side side, struct verdict *verdict, struct bytes transcript);
/* Instead of a probe: this side is not to be tried now. detail is our own words. */
void check_skip(struct check *check, enum side side, enum stage stage, enum cause cause,
	const char *detail);

/* After done: */
void check_put_document(const struct check *check, struct buf *out);
bool check_is_ok(const struct check *check);
/* Nothing was learnt: logins were held, and none was made. */
bool check_is_held(const struct check *check);

#endif
