/*
 * child.h: processes that print one line, with a deadline: password commands. Layer: net.
 *
 * No shell: an argument vector. A child has a process group of its own, descriptors 0, 1, 2 (0 and
 * 2 are /dev/null), directory /, no blocked or ignored signal, and nothing of ours in its
 * environment. At most CHILDREN_AT_ONCE run, the others wait for their turn.
 */
#ifndef NET_CHILD_H
#define NET_CHILD_H

#include "base/secret.h"
#include "base/time.h"

#define CHILDREN_AT_ONCE 16		   /* H4-21 */
#define CHILD_DEADLINE_US (10 * US_PER_S)  /* contract 3 */
#define CHILD_MOST_BYTES SECRET_MOST_BYTES /* H4-20 */

struct event_base;
struct children;
struct child;

enum child_outcome {
	CHILD_LINE,	   /* exited by 0, and printed something */
	CHILD_STATUS,	   /* exited by another status: in number */
	CHILD_SIGNAL,	   /* died by a signal: in number */
	CHILD_NOT_STARTED, /* errno in number */
	CHILD_TIMEOUT,
	CHILD_TOO_MUCH, /* more than CHILD_MOST_BYTES without a line end */
	CHILD_NO_MEMORY,
	CHILD_OUTCOME_COUNT
};

struct child_result {
	enum child_outcome outcome;
	int number;
	struct bytes line; /* CHILD_LINE: the first line without its end (LF or CR LF), may be
			      empty; wiped after the call */
};

/* Once, on a later turn; the child is gone. */
typedef void child_ended(void *owner, const struct child_result *result);

/* deadline_us: CHILD_DEADLINE_US but in tests. ERR_MEMORY */
CHECKED enum err children_new(struct event_base *base, int64_t deadline_us, struct children **out);
/* Kills and reaps all that run, without calls. */
void children_free(struct children *children);
/* argv ends in NULL; copied. ERR_MEMORY */
CHECKED enum err child_start(struct children *children, char *const argv[], child_ended *ended,
	void *owner, struct child **out);
/* Its group is killed; no call comes. */
void child_cancel(struct child *child);

#endif
