/*
 * source.h: where a mailbox's secret comes from: the settings, a file, a command, a credential, the
 * seal of a mailbox set over the socket. Layer: secret.
 *
 * A struct secret_sources belongs to one loop. Files, credentials and the key of sealed secrets are
 * read at every ask; what a
 * command printed is kept, by its argument vector, for a day or until secret_sources_forget()
 * (contract 3). Of all of them the first line counts, without its end, blanks and all.
 */
#ifndef SECRET_SOURCE_H
#define SECRET_SOURCE_H

#include "facts/cause.h"
#include "facts/endpoint.h"
#include "net/child.h"

#define SECRET_COMMAND_KEPT_US US_PER_D

struct secret_sources;
struct secret_ask;

struct secret_answer {
	enum cause cause;      /* ok, secret_unavailable or local_limit */
	struct secret *secret; /* ok: borrowed, secret_hold() to keep it */
	bool is_kept;	       /* of a command that ran for an earlier ask: may be out of date */
	char detail[512];      /* not ok: file, command and why */
};

/* Once, on a later turn; the ask is gone. answer is borrowed. */
typedef void secret_answered(void *owner, const struct secret_answer *answer);

/* children: the loop's, borrowed until secret_sources_free(). ERR_MEMORY */
CHECKED enum err secret_sources_new(
	struct event_base *base, struct children *children, struct secret_sources **out);
/* Asks in flight end without a call. NULL is fine. */
void secret_sources_free(struct secret_sources *sources);
/* A reload: every command runs anew at its next ask; what runs now answers its askers and is not
 * kept. */
void secret_sources_forget(struct secret_sources *sources);
/*
 * Asks for a secret; source is borrowed until the answer or the cancel.
 *   is_fresh  a command runs again, whatever is kept (before a refusal is believed)
 * Asks for one command share its run. ERR_MEMORY
 */
CHECKED enum err secret_ask(struct secret_sources *sources, const struct secret_source *source,
	bool is_fresh, secret_answered *answered, void *owner, struct secret_ask **out);
void secret_ask_cancel(struct secret_ask *ask);

#endif
