/*
 * writer.h: the thread that owns the store: what one turn of the main loop decided becomes one
 * transaction. Layer: daemon.
 *
 * A full or broken disk never loses a turn: rows (the newest of each key) and events wait in memory
 * and are tried again every second. A disk that hangs holds up this thread alone; who waits for a
 * ticket has a deadline of its own (outbox.h).
 */
#ifndef DAEMON_WRITER_H
#define DAEMON_WRITER_H

#include "base/queue.h"
#include "store/store.h"

#define WRITER_MOST_WAITING 100000 /* events kept in memory while the disk fails; H8-10 */

struct writer;

struct writer_row {
	enum row_kind kind;
	char *key;
	char *value; /* NULL: delete */
};

struct writer_cursor {
	const char *sink; /* static: a sink's name */
	struct ulid id;
};

/* A wish to read events behind `after`, oldest first, for a sink: answered by a WRITER_PAGE. */
struct writer_page {
	size_t sink;
	struct ulid after;
	size_t most;
};

/* A mailbox of the socket's that is set, or taken away: answered by a WRITER_CHANGED. */
struct writer_change {
	uint64_t request;
	char *name;
	struct sealed_mailbox *mailbox; /* NULL: taken away; the writer seals it */
	char *key_file;
};

/* One turn; all of it is the writer's once put. */
struct writer_turn {
	struct queue_node node;
	uint64_t ticket; /* rising */
	struct writer_row *rows;
	size_t row_count;
	struct told **events;
	size_t event_count;
	struct writer_cursor *cursors;
	size_t cursor_count;
	struct writer_page *pages;
	size_t page_count;
	struct writer_change *changes;
	size_t change_count;
};

enum writer_report_kind {
	WRITER_STORED,	/* everything up to and with ticket is durable */
	WRITER_FAILING, /* the store cannot be written: why; again whenever the reason changes */
	WRITER_WELL,	/* it can be again, and all that waited was written */
	WRITER_ANEW,	/* the store could be opened, late, and has no rows: all are to be put */
	WRITER_PAGE,	/* events: what was stored before this report and is behind `after` */
	WRITER_CHANGED, /* change is durable, or err says why it is not made */
	WRITER_REPORT_COUNT
};

struct writer_report {
	struct queue_node node;
	enum writer_report_kind kind;
	uint64_t ticket;
	uint64_t lost; /* rows and events so far that could not be kept: memory, WRITER_MOST_WAITING
			*/
	uint64_t dropped; /* events so far that STORE_EVENTS_MOST took before a sink had them */
	struct fault why;
	size_t sink;	      /* PAGE */
	enum err err;	      /* PAGE: OK, or why there are fewer events than there could be;
				 CHANGED: ERR_INVALID: the key cannot be used; why says so */
	struct told **events; /* PAGE: an owner each, writer_report_free() drops it */
	size_t event_count;
	struct writer_change change; /* CHANGED */
};

/* store is the writer's from here on (also on failure). ERR_MEMORY, ERR_IO (no thread) */
/* sinks: their names, static; the store learns them before the first turn is written. */
CHECKED enum err writer_start(struct store *store, const char *const *sinks, size_t sink_count,
	bool are_sinks_stored, struct writer **out, struct fault *why);
/* NULL where the allocator said no. */
struct writer_turn *writer_turn_new(uint64_t ticket);
/* key and value are the turn's, also on failure. */
CHECKED enum err writer_turn_row(
	struct writer_turn *turn, enum row_kind kind, char *key, char *value);
/* told is the turn's, also on failure. */
CHECKED enum err writer_turn_event(struct writer_turn *turn, struct told *told);
CHECKED enum err writer_turn_cursor(struct writer_turn *turn, const char *sink, struct ulid id);
/* sink below STORE_SINKS_MOST. Of several for one sink that wait together the last is answered. */
CHECKED enum err writer_turn_page(struct writer_turn *turn, struct writer_page page);
/* What change holds is the turn's, also on failure. Changes are made in their order, each whole;
 * unlike rows they are not tried again. */
CHECKED enum err writer_turn_change(struct writer_turn *turn, struct writer_change change);
void writer_change_done(struct writer_change *change);
void writer_turn_free(struct writer_turn *turn);
/* Never waits. */
void writer_put(struct writer *writer, struct writer_turn *turn);
/* For the main loop: when readable, take all; each is a writer_report, for writer_report_free(). */
struct queue *writer_reports(struct writer *writer);
void writer_report_free(struct writer_report *report);
/* A copy of what the store lends; NULL where the allocator said no. */
struct told *writer_told_copy(const struct told *told);
/*
 * Writes what waits, then ends the thread and closes the store. False: it hangs past deadline and
 * is left alone, with all that it owns; the process must end.
 */
bool writer_end(struct writer *writer, mono_t deadline);

#endif
