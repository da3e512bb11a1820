/*
 * words.h: what people are told: the next steps of a cause, and the sentences of an event. Layer:
 * diagnose, pure.
 */
#ifndef DIAGNOSE_WORDS_H
#define DIAGNOSE_WORDS_H

#include "facts/event.h"

/* The next steps by likelihood, the mailbox's name and address put in; the last one ends in
 * "When that is done: mboxwatchctl resume NAME" where the cure lies outside (CAUSE_RESUME).
 * ERR_MEMORY */
CHECKED enum err words_next(enum cause cause, const struct verdict *verdict, struct bytes mailbox,
	struct bytes address, struct texts *out);
/* Fills msg, text and, where it has a cause and none yet, next of an event. ERR_MEMORY */
CHECKED enum err words_event(struct alert *event);

#endif
