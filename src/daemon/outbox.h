/*
 * outbox.h: the main loop's side of what lasts and what is told. Layer: daemon.
 *
 * A turn of the main loop gathers rows, events and leaves for logins; outbox_flush() hands it to
 * the writer. When the writer says that it is durable, or 5 s have passed (contract 7), its events
 * go to the sinks and to the socket and its leaves are given. So an event is told once, in order,
 * and a full, broken or hanging disk delays it by 5 s.
 */
#ifndef DAEMON_OUTBOX_H
#define DAEMON_OUTBOX_H

#include "alert/teller.h"
#include "daemon/writer.h"

struct event_base;
struct outbox;

#define OUTBOX_PATIENCE_US (5 * US_PER_S)

struct outbox_calls {
	/* told may be shown on the socket: the callee's to free. */
	void (*shown)(void *owner, struct told *told);
	/* The login that waited for this turn may go on. */
	void (*leave)(void *owner, uint64_t token, bool is_allowed);
	/* The store could be opened, late: all rows are to be put again. */
	void (*anew)(void *owner);
	void (*trouble)(void *owner, enum trouble kind, bool is_over, const char *detail);
	/* A mailbox of the socket's was set or taken away, or err says why not; the callee may take
	 * what change holds. */
	void (*changed)(
		void *owner, struct writer_change *change, enum err err, const struct fault *why);
};

/*
 * store and sinks are the outbox's from here on, also on failure. The last events are shown now;
 * what a sink has not taken yet (its cursor in the store) is told from now on under its old id,
 * read page by page (H6-21). ERR_MEMORY, ERR_IO, ERR_LIMIT (TELLER_MOST_SINKS)
 */
CHECKED enum err outbox_start(struct event_base *base, struct store *store,
	struct sink *const *sinks, size_t sink_count, const struct outbox_calls *calls, void *owner,
	struct outbox **out, struct fault *why);
/* Both are the outbox's, also where memory is short (then `trouble`). sink: the only one that is
 * told (a test of it); NULL: all. */
void outbox_row(struct outbox *outbox, enum row_kind kind, char *key, char *value);
void outbox_event(struct outbox *outbox, struct told *told, const char *sink);
void outbox_leave(struct outbox *outbox, uint64_t token, bool is_allowed);
/* Everything that was put is let go of. */
bool outbox_is_idle(const struct outbox *outbox);
/* What change holds is the outbox's, also on ERR_MEMORY. Else calls->changed() comes, and never
 * before it is durable: here nobody's patience ends. */
CHECKED enum err outbox_change(struct outbox *outbox, struct writer_change change);
/* The end of a turn. Nothing where it gathered nothing. */
void outbox_flush(struct outbox *outbox);
/* False: rows cannot be written now, or the disk hangs; why says so. */
bool outbox_is_storing(const struct outbox *outbox, struct fault *why);
void outbox_figures(struct outbox *outbox, struct teller_figures *out);
/* True where a sink of this name is there. */
bool outbox_has_sink(const struct outbox *outbox, const char *name);
/* Writes and tells what it can until the deadline. False: the disk hangs; the process must end by
 * itself. */
bool outbox_end(struct outbox *outbox, mono_t deadline);

#endif
