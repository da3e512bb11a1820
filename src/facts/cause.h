/*
 * cause.h: why a probe ended where it did, one word of a closed list (causes.def), with its marks.
 * Layer: facts.
 */
#ifndef FACTS_CAUSE_H
#define FACTS_CAUSE_H

#include "facts/words.h"

#define CAUSE(name, word, marks, stages, means, next) CAUSE_##name,
enum cause {
#include "facts/causes.def"
	CAUSE_COUNT
};
#undef CAUSE

enum cause_mark {
	CAUSE_REFUSED = 1,   /* B */
	CAUSE_WAIT = 2,	     /* W */
	CAUSE_TRANSIENT = 4, /* T */
	CAUSE_UNJUDGED = 8,  /* N */
	CAUSE_RESUME = 16,   /* cured outside, the secret stays */
};

struct cause_row {
	const char *word;
	unsigned marks;
	const char *stages; /* the usual ones, "auth, select" or "any" */
	const char *means;
	const char *next;
};

/* Never NULL for a cause of the list. */
const struct cause_row *cause_row(enum cause cause);
bool cause_has(enum cause cause, enum cause_mark mark);
WORDS_DECLARE(cause);

#endif
