/*
 * store.h: state that outlives us: rows and the outbox of events, in SQLite. Layer: store. The only
 * door to state.db.
 *
 * Synchronous and single-threaded: the writer thread calls it (daemon/writer.c); before that thread
 * exists, main does, to restore. Every write is inside store_begin … store_commit. Design 3;
 * hostile 6.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/secret.h"
#include "facts/event.h"
#include "facts/row.h"
#include "facts/sealed_mailbox.h"

#define STORE_EVENTS_KEPT 10000	 /* contract 5: the last 10,000 at least */
#define STORE_EVENTS_MOST 100000 /* H8-10: no sink holds back more than these */
#define STORE_SINKS_MOST 8

struct store;

struct store_opened {
	bool is_new;	     /* there was none, or the old one was set aside */
	char set_aside[256]; /* the name it got; empty: none */
	/* Random, made once, kept in the store. */
	struct fingerprint_key fingerprint_key;
};

/*
 * Opens DIR/state.db (made 0600, WAL, synchronous=FULL), holding the kernel's lock on DIR/lock for
 * as long as it is open. A damaged file is set aside with its -wal and -shm and a new one begun
 * (H6-05). Keeps the reserve file. ERR_BUSY: another daemon holds the directory (exit 75).
 * ERR_TOO_NEW: written by a later version, untouched (H6-14). ERR_INVALID: state.db is a symbolic
 * link (H6-16). ERR_IO, ERR_FULL, ERR_DENIED: cannot be written: *out is a store all the same,
 * without a file, every write of which fails the same way (H6-04); out->is_new is true.
 */
CHECKED enum err store_open(
	const char *dir, struct store **out, struct store_opened *opened, struct fault *why);
void store_close(struct store *store);
enum store_look {
	STORE_STANDS,
	STORE_WAS_GONE, /* unlinked, or another file lay at its place: what it held is written anew
			 */
	STORE_WAS_SHUT, /* could not be opened at the start, and can be now: it holds no rows but
			   those of accounts, the caller writes the others; sinks have no cursors */
	STORE_LOOK_COUNT
};

/* Now and then, outside of transactions: is state.db there? (H6-16). On errors every write fails
 * until it can be written. */
CHECKED enum err store_look_after(struct store *store, enum store_look *look, struct fault *why);

typedef void store_on_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value);
CHECKED enum err store_rows(
	struct store *store, store_on_row *on_row, void *owner, struct fault *why);

CHECKED enum err store_begin(struct store *store, struct fault *why);
/* value NULL deletes. */
CHECKED enum err store_put_row(struct store *store, enum row_kind kind, struct bytes key,
	const char *value, struct fault *why);
CHECKED enum err store_put_event(struct store *store, const struct told *told, struct fault *why);
/* The sink has taken everything up to and with this id. */
CHECKED enum err store_put_cursor(
	struct store *store, const char *sink, struct ulid id, struct fault *why);
/* ERR_FULL: the reserve file was given up and the commit tried once more before this is said. After
 * any error the transaction counts as not made. */
CHECKED enum err store_commit(struct store *store, struct fault *why);
void store_rollback(struct store *store);

/* Events behind `after` (unset: all), oldest first, `most` at most; the callback's told is
 * borrowed. */
typedef void store_on_event(void *owner, const struct told *told);
CHECKED enum err store_events(struct store *store, struct ulid after, size_t most,
	store_on_event *on_event, void *owner, struct fault *why);
CHECKED enum err store_cursor(
	struct store *store, const char *sink, struct ulid *out, struct fault *why);
/*
 * Which sinks there are from now on, before anything is told: one that is new begins where the
 * furthest of those before it has come, else behind the newest event, and has a cursor from here
 * on; one that is gone keeps no event from being dropped. At most STORE_SINKS_MOST.
 */
CHECKED enum err store_sinks(
	struct store *store, const char *const *sinks, size_t count, struct fault *why);
/* How many events are behind `after`. */
CHECKED enum err store_count_events(
	struct store *store, struct ulid after, size_t *out, struct fault *why);
CHECKED enum err store_newest_event(struct store *store, struct ulid *out, struct fault *why);
/* The event that has `newer` newer ones; unset where there are not so many. */
CHECKED enum err store_event_before(
	struct store *store, size_t newer, struct ulid *out, struct fault *why);
/* Drops events beyond STORE_EVENTS_KEPT that every cursor has passed; in small steps. */
CHECKED enum err store_clean(struct store *store, struct fault *why);
/* Drops events beyond STORE_EVENTS_MOST that a sink has not taken; in small steps. *dropped: how
 * many. */
CHECKED enum err store_clean_untaken(struct store *store, size_t *dropped, struct fault *why);

/* ---- mailboxes set over the socket, in DIR/mailboxes.db */

/* A mailbox that is set or, NULL, taken away. Borrowed. */
struct store_change {
	const char *name;
	const struct sealed_mailbox *mailbox;
};

/* mailbox is the callee's. */
typedef void store_on_mailbox(void *owner, struct sealed_mailbox *mailbox);
/*
 * All that are kept. Where there is no file there are none. On errors the file stays as it is and
 * every write says why: it is never set aside and never made anew in place of another (H6-06).
 */
CHECKED enum err store_mailboxes(
	struct store *store, store_on_mailbox *on_mailbox, void *owner, struct fault *why);
/* One transaction, durable when it returns ERR_OK; else none of it is. The file is made where there
 * is none. */
CHECKED enum err store_change_mailboxes(
	struct store *store, const struct store_change *changes, size_t count, struct fault *why);

#endif
