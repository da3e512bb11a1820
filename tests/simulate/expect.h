/*
 * expect.h: what a story expects of its end. Layer: tests.
 *
 * A clause: METRIC [of MAILBOX[/SIDE] | at SERVER] OP VALUE [in DURATION], OP one of = <= >=;
 * clauses stand behind another, or are parted by ";". Metrics: the kinds of events (state, brake,
 * cause ...), failing, ok, unknown, removed (state events that say so), incidents, probes, logins,
 * rows (of a mailbox, of accounts), refused-logins (in a window: the most that any such window
 * holds), gap (the longest between two starts of an endpoint), quiet (the longest without a start
 * at a server), delay (from the mark to the first failing state), mean-delay (over all seeds).
 */
#ifndef SIMULATE_EXPECT_H
#define SIMULATE_EXPECT_H

#include "world.h"

#define CLAUSES_MOST 40

struct clause {
	char metric[32];
	char subject[WORD_MOST];
	char op[3];
	int64_t value; /* a count, or us */
	int64_t window_us;
	char text[128];
	/* over seeds */
	double sum;
	unsigned runs;
};

/* Reads the clauses of a line; false: it cannot be read. */
bool expect_read(char *line, struct clause *clauses, size_t *count);
/* Judges one; false: it does not hold, `why` says what was found. */
bool expect_holds(struct world *world, struct clause *clause, char *why, size_t room);
/* After all seeds. */
bool expect_mean_holds(const struct clause *clause, char *why, size_t room);
/* What must hold in every story: no account is refused more than 4 times in 15 m and 12 times in a
 * day. */
bool expect_caps_hold(struct world *world, char *why, size_t room);

#endif
