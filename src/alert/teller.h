/*
 * teller.h: the thread that serves the sinks: each has a queue of its own, so a stalled one delays
 * itself alone; order is kept within each. Layer: alert. Which events are told, and when, is not
 * decided here (daemon/outbox.c).
 */
#ifndef ALERT_TELLER_H
#define ALERT_TELLER_H

#include "alert/sink.h"
#include "base/queue.h"

#define TELLER_MOST_SINKS 8
#define TELLER_MOST_WAITING 100000 /* H8-10: beyond it the oldest are dropped, counted and told */
#define TELLER_DEAD_AFTER_US (10 * US_PER_S)

struct teller_limits {
	int64_t dead_after_us; /* TELLER_DEAD_AFTER_US */
	size_t most_waiting;   /* TELLER_MOST_WAITING; of each sink */
};

struct teller;

enum teller_report_kind {
	TELLER_TOOK, /* sink has taken all up to and with id */
	TELLER_DEAD, /* sink has not taken anything for dead_after: why */
	TELLER_BACK, /* it takes again; also where none was DEAD, but some were dropped */
	TELLER_REPORT_COUNT
};

struct teller_report {
	struct queue_node node;
	enum teller_report_kind kind;
	size_t sink;
	struct ulid id;
	uint64_t dropped; /* BACK, DEAD: events dropped so far */
	struct fault why;
};

struct teller_figures {
	size_t sink_count;
	struct {
		const char *name;
		size_t queue;
		uint64_t failures;
		uint64_t dropped;
	} sinks[TELLER_MOST_SINKS];
};

/*
 * The sinks are the teller's from here on, also on failure. limits NULL: the shipped ones.
 * ERR_MEMORY, ERR_IO, ERR_LIMIT
 */
CHECKED enum err teller_start(struct sink *const *sinks, size_t count,
	const struct teller_limits *limits, struct teller **out, struct fault *why);
/*
 * Any number of turns later told goes to each sink whose bit is set in `which` (bit i: sinks[i]).
 * Holds told for itself. ERR_MEMORY
 */
CHECKED enum err teller_put(struct teller *teller, struct told *told, unsigned which);
/* For the main loop: each is a teller_report to be free()d. */
struct queue *teller_reports(struct teller *teller);
void teller_figures(struct teller *teller, struct teller_figures *out);
/*
 * Tells what it can until the deadline, at least a try for each sink, then ends the thread. Its
 * last reports are to be read after this; teller_end() comes next.
 */
void teller_stop(struct teller *teller, mono_t deadline);
/* teller_stop() where that was not done, then frees the teller and its sinks. */
void teller_end(struct teller *teller, mono_t deadline);

#endif
