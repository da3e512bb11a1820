/*
 * inside.h: what the files of this room share. Layer: check. Others include check.h.
 *
 *	check.c     the order of things
 *	steps.c     each step as a line of JSON, in words for people
 *	message.c   a test message
 *	document.c  the document at the end: summary, next steps
 */
#ifndef CHECK_INSIDE_H
#define CHECK_INSIDE_H

#include "check/check.h"

struct checked {
	struct endpoint *endpoint; /* NULL: no such side */
	char *account;
	size_t account_len;
	unsigned told; /* a bit for each stage that was told */
	bool is_ended;
	bool is_ok;
	enum login login;
	enum cause cause;
	enum protocol answers;
	struct texts next;
	struct buf verdict; /* VERDICT as JSON */
	struct buf transcript;
};

struct check {
	struct check_calls calls;
	void *owner;
	char *name;
	char *address;
	bool with_transcript;
	struct buf review; /* the items as JSON, commas between */
	struct checked sides[SIDE_COUNT];
	struct errand *errands[SIDE_COUNT]; /* SMTP: NULL where nothing is sent */
	bool is_done;
};

/* ---- steps.c */

void step_review(struct check *check);
void step_begin(struct check *check, enum side side);
/* took_us below 0: not known. detail may be NULL. */
void step_stage(struct check *check, enum side side, enum stage stage, bool is_ok, int64_t took_us,
	const char *detail);
/* The verdict's last stages, and then the verdict itself. */
void step_verdict(struct check *check, enum side side, const struct verdict *verdict);

/* ---- message.c */

CHECKED enum err check_make_errands(struct check *check, const struct check_start *start);
/* SMTP has ended: what was sent is looked for by IMAP. */
void check_was_sent(struct check *check);
void check_note_unsought(const struct check *check, struct verdict *verdict);

/* ---- document.c */

/* What both sides say together: the hosts look swapped, say. NULL: nothing. */
const char *check_both(const struct check *check);

/* Its JSON, next steps and marks from here on; the verdict is borrowed. */
void checked_take(struct check *check, enum side side, const struct verdict *verdict);

#endif
