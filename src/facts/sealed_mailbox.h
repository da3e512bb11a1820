/*
 * sealed_mailbox.h: a mailbox that was set over the socket, as it outlives us. Layer: facts.
 *
 * Its settings are the object of the request with a word in each password's place; the passwords
 * are sealed by side, bound to the mailbox's name, the side and these settings, so that none of
 * them can be changed without the key. Made once, never changed, owned by who made it.
 */
#ifndef FACTS_SEALED_MAILBOX_H
#define FACTS_SEALED_MAILBOX_H

#include "base/secret.h"
#include "facts/words.h"

/* What stands in a password's place. */
#define SEALED_WORD "sealed"

struct sealed_mailbox {
	unsigned owners; /* of one thread: sealed_mailbox_hold() */
	char *name;
	char *settings;			   /* JSON */
	struct secret *opened[SIDE_COUNT]; /* until they are sealed */
	struct buf sealed[SIDE_COUNT];	   /* empty: this side has none of its own */
};

/* Copies; NULL: no memory. */
struct sealed_mailbox *sealed_mailbox_new(struct bytes name, struct bytes settings);
struct sealed_mailbox *sealed_mailbox_hold(struct sealed_mailbox *mailbox);
/* NULL is fine. */
void sealed_mailbox_free(struct sealed_mailbox *mailbox);
/* What the secret of a side is bound to. ERR_MEMORY */
CHECKED enum err sealed_mailbox_put_bound(
	const struct sealed_mailbox *mailbox, enum side side, struct buf *out);

#endif
