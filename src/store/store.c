/*
 * store.c: state.db: rows, the outbox of events, the sinks' cursors. Layer: store.
 * Not here: when it is called and what happens while the disk fails (daemon/writer.c); files set
 * aside (open.c).
 *
 * One database, three tables. `row` holds what watch keeps, by kind and key. `event` is the outbox:
 * an event and the rows that belong to it are in one transaction, so after kill -9 there are both
 * or neither. `cursor` says how far each sink has come. WAL with synchronous=FULL: what was
 * reported as committed outlives a power cut (H6-13).
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/mailboxes.h"
#include "store/open.h"

enum statement {
	PUT_ROW,
	DELETE_ROW,
	ROWS,
	PUT_EVENT,
	EVENTS,
	COUNT_EVENTS,
	NEWEST_EVENT,
	EVENT_BEFORE,
	PUT_CURSOR,
	CURSOR,
	NEW_CURSOR,
	DROP_CURSORS,
	CLEAN,
	CLEAN_UNTAKEN,
	STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
	[PUT_ROW] = "INSERT INTO row(kind, key, value) VALUES(?1, ?2, ?3)"
		    " ON CONFLICT(kind, key) DO UPDATE SET value = excluded.value",
	[DELETE_ROW] = "DELETE FROM row WHERE kind = ?1 AND key = ?2",
	[ROWS] = "SELECT kind, key, value FROM row",
	/* An event told again after a crash keeps its id: it is there already. */
	[PUT_EVENT] = "INSERT INTO event(id, kind, level, time_us, line, json, journal) VALUES(?1, "
		      "?2, ?3, ?4, ?5, ?6, ?7)"
		      " ON CONFLICT(id) DO NOTHING",
	[EVENTS] = "SELECT id, kind, level, time_us, line, json, journal FROM event WHERE id > ?1 "
		   "ORDER BY id LIMIT ?2",
	[COUNT_EVENTS] = "SELECT count(*) FROM event WHERE id > ?1",
	[NEWEST_EVENT] = "SELECT max(id) FROM event",
	[EVENT_BEFORE] = "SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?1",
	[PUT_CURSOR] = "INSERT INTO cursor(sink, id) VALUES(?1, ?2) ON CONFLICT(sink) DO UPDATE "
		       "SET id = excluded.id",
	[CURSOR] = "SELECT id FROM cursor WHERE sink = ?1",
	[NEW_CURSOR] =
		"INSERT INTO cursor(sink, id) VALUES(?1, coalesce((SELECT max(id) FROM cursor),"
		" (SELECT max(id) FROM event), x'00000000000000000000000000000001')) ON "
		"CONFLICT(sink) DO NOTHING",
	[DROP_CURSORS] = "DELETE FROM cursor WHERE sink NOT IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* 1,000 at a time: twice what comes between two cleanings, so that a pile goes. */
	[CLEAN] = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <"
		  " (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?1)"
		  " AND id <= coalesce((SELECT min(id) FROM cursor), x'') ORDER BY id LIMIT 1000)",
	[CLEAN_UNTAKEN] =
		"DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <"
		" (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?1)"
		" AND id > coalesce((SELECT min(id) FROM cursor), x'') ORDER BY id LIMIT 1000)",
};

struct store {
	struct sqlite3 *db; /* NULL: cannot be written; why_not says so */
	struct sqlite3_stmt *prepared[STATEMENT_COUNT];
	enum err why_not;
	struct fault why;
	char *dir;
	struct mailboxes_file *mailboxes;
	struct fingerprint_key fingerprint_key;
	int dir_fd;
	int lock_fd;
	bool has_reserve;
	bool is_gone; /* state.db was unlinked and could not be written anew so far */
};

enum err
err_from_sqlite(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_NOMEM:
		return ERR_MEMORY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_DAMAGED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return ERR_DENIED;
	default:
		return ERR_IO;
	}
}

static enum err
told_why(struct store *store, int code, struct fault *why)
{
	enum err err = err_from_sqlite(code);

	if (err != ERR_OK)
		fault_set(why, "state.db: %s", store->db ? sqlite3_errmsg(store->db) : "not open");
	return err;
}

static enum err
prepare_all(struct store *store, struct fault *why)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		int code = sqlite3_prepare_v3(store->db, statements[i], -1,
			SQLITE_PREPARE_PERSISTENT, &store->prepared[i], NULL);

		if (code != SQLITE_OK)
			return told_why(store, code, why);
	}
	return ERR_OK;
}

static bool reserve_give_up(struct store *store);

/* Runs a statement that gives no row; bindings are the caller's and go. */
static enum err
run(struct store *store, enum statement which, struct fault *why)
{
	sqlite3_stmt *statement = store->prepared[which];
	int code = sqlite3_step(statement);
	enum err err = told_why(store, code, why);

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	if (err == ERR_FULL)
		reserve_give_up(store); /* there is room when the caller tries it all again */
	return err;
}

static enum err
usable(const struct store *store, struct fault *why)
{
	if (store->db && !store->is_gone)
		return ERR_OK;
	*why = store->why;
	return store->why_not;
}

/* ---- the reserve: 1 MiB given up when the disk is full, so that the next commit finds room
 * (trials: DELETE does not) */

#define RESERVE_NAME "reserve"
#define RESERVE_BYTES (1024 * 1024)

static void
reserve_make(struct store *store)
{
	int fd;

	if (store->has_reserve || store->dir_fd < 0)
		return;
	fd = openat(store->dir_fd, RESERVE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, RESERVE_BYTES) == 0)
		store->has_reserve = true;
	else
		unlinkat(store->dir_fd, RESERVE_NAME, 0);
	close(fd);
}

static bool
reserve_give_up(struct store *store)
{
	if (!store->has_reserve)
		return false;
	store->has_reserve = false;
	return unlinkat(store->dir_fd, RESERVE_NAME, 0) == 0;
}

/* ---- life */

static void
db_close(struct store *store)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(store->prepared[i]);
		store->prepared[i] = NULL;
	}
	sqlite3_close_v2(store->db);
	store->db = NULL;
}

static void
go_without(struct store *store, enum err err, const struct fault *why)
{
	db_close(store);
	store->why_not = err;
	store->why = *why;
}

enum err
store_open(const char *dir, struct store **out, struct store_opened *opened, struct fault *why)
{
	struct store *store = calloc(1, sizeof(*store));
	enum err err;

	memset(opened, 0, sizeof(*opened));
	if (!store)
		return ERR_MEMORY;
	store->dir_fd = store->lock_fd = -1;
	store->dir = strdup(dir);
	store->mailboxes = mailboxes_file_new(dir);
	if (!store->dir || !store->mailboxes) {
		store_close(store);
		return ERR_MEMORY;
	}
	err = store_dir_lock(dir, &store->dir_fd, &store->lock_fd, why);
	if (err == ERR_OK)
		err = store_file_open(dir, store->dir_fd, &store->db, opened, why);
	if (err == ERR_OK)
		err = prepare_all(store, why);
	store->fingerprint_key = opened->fingerprint_key;
	if (err == ERR_OK) {
		reserve_make(store);
		*out = store;
		return ERR_OK;
	}
	if (err == ERR_BUSY || err == ERR_TOO_NEW || err == ERR_INVALID || err == ERR_MEMORY) {
		store_close(store);
		return err;
	}
	/* H6-04: watch and tell without it. */
	go_without(store, err, why);
	opened->is_new = true;
	*out = store;
	return err;
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	db_close(store);
	mailboxes_file_free(store->mailboxes);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->dir_fd >= 0)
		close(store->dir_fd);
	free(store->dir);
	free(store);
}

/* Our secrets are told apart under the key that we began with; accounts keep their refusals. */
static enum err
take_over(struct store *store, struct fault *why)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_exec(
		store->db, "DELETE FROM row WHERE kind <> 'account'", NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(store->db,
			"INSERT OR REPLACE INTO key(name, value) VALUES('fingerprint', ?1)", -1,
			&statement, NULL);
	if (code == SQLITE_OK) {
		sqlite3_bind_blob(statement, 1, store->fingerprint_key.bytes,
			sizeof(store->fingerprint_key.bytes), SQLITE_STATIC);
		code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	return told_why(store, code, why);
}

/* H6-16: once more what store_open() did in vain. */
static enum err
open_again(struct store *store, enum store_look *look, struct fault *why)
{
	struct store_opened opened = { 0 };
	struct fault still = { "" };
	enum err err = ERR_OK;

	if (store->lock_fd < 0) {
		if (store->dir_fd >= 0)
			close(store->dir_fd);
		store->dir_fd = -1;
		err = store_dir_lock(store->dir, &store->dir_fd, &store->lock_fd, &still);
		if (err != ERR_OK && store->lock_fd >= 0)
			close(store->lock_fd);
		if (err != ERR_OK)
			store->lock_fd = -1;
	}
	if (err == ERR_OK)
		err = store_file_open(store->dir, store->dir_fd, &store->db, &opened, &still);
	if (err == ERR_OK)
		err = take_over(store, &still);
	if (err == ERR_OK)
		err = prepare_all(store, &still);
	if (err != ERR_OK) {
		go_without(store, err, &still);
		return ERR_OK; /* as it was: each write says so */
	}
	*look = STORE_WAS_SHUT;
	reserve_make(store);
	fault_set(why, "state.db could not be opened at the start: %.300s", store->why.text);
	return ERR_OK;
}

enum err
store_look_after(struct store *store, enum store_look *look, struct fault *why)
{
	struct sqlite3 *anew = NULL;
	int has_moved = 0;
	enum err err;

	*look = STORE_STANDS;
	if (!store->db)
		return open_again(store, look, why);
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) !=
			SQLITE_OK ||
		!has_moved)
		return ERR_OK;
	*look = STORE_WAS_GONE;
	err = store_file_anew(store->dir_fd, store->db, &anew, why);
	store->is_gone = err != ERR_OK;
	if (err != ERR_OK) {
		sqlite3_close_v2(anew);
		store->why_not = err;
		store->why = *why;
		return err;
	}
	db_close(store);
	store->db = anew;
	err = prepare_all(store, why);
	if (err != ERR_OK)
		go_without(store, err, why);
	store->has_reserve = false; /* it may be gone as well */
	reserve_make(store);
	return err;
}

/* ---- transactions */

static enum err
execute(struct store *store, const char *sql, struct fault *why)
{
	return told_why(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL), why);
}

enum err
store_begin(struct store *store, struct fault *why)
{
	enum err err = usable(store, why);

	return err != ERR_OK ? err : execute(store, "BEGIN IMMEDIATE", why);
}

void
store_rollback(struct store *store)
{
	if (store->db && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

enum err
store_commit(struct store *store, struct fault *why)
{
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	err = execute(store, "COMMIT", why);
	if (err == ERR_FULL && reserve_give_up(store) && !sqlite3_get_autocommit(store->db))
		err = execute(store, "COMMIT", why);
	if (err != ERR_OK)
		store_rollback(store);
	else
		reserve_make(store);
	return err;
}

/* ---- rows */

enum err
store_put_row(struct store *store, enum row_kind kind, struct bytes key, const char *value,
	struct fault *why)
{
	enum statement which = value ? PUT_ROW : DELETE_ROW;
	sqlite3_stmt *statement;
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	statement = store->prepared[which];
	sqlite3_bind_text(statement, 1, row_kind_name(kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, key.at, (int)key.len, SQLITE_STATIC);
	if (value)
		sqlite3_bind_text(statement, 3, value, -1, SQLITE_STATIC);
	return run(store, which, why);
}

static struct bytes
column_bytes(sqlite3_stmt *statement, int column)
{
	const void *at = sqlite3_column_blob(statement, column);

	return (struct bytes){ at, at ? (size_t)sqlite3_column_bytes(statement, column) : 0 };
}

enum err
store_rows(struct store *store, store_on_row *on_row, void *owner, struct fault *why)
{
	sqlite3_stmt *statement;
	enum err err = usable(store, why);
	int code;

	if (err != ERR_OK)
		return err;
	statement = store->prepared[ROWS];
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		enum row_kind kind;

		/* A kind that we do not know is a later version's or an administrator's: left
		 * alone. */
		if (row_kind_from_name(column_bytes(statement, 0), &kind) == ERR_OK)
			on_row(owner, kind, column_bytes(statement, 1), column_bytes(statement, 2));
	}
	err = told_why(store, code, why);
	sqlite3_reset(statement);
	return err;
}

/* ---- events */

enum err
store_put_event(struct store *store, const struct told *told, struct fault *why)
{
	sqlite3_stmt *statement;
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	statement = store->prepared[PUT_EVENT];
	sqlite3_bind_blob(statement, 1, told->id.bytes, sizeof(told->id.bytes), SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, event_kind_name(told->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, level_name(told->level), -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, told->time.us);
	sqlite3_bind_text(statement, 5, told->line, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, told->json, -1, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 7, told->journal, (int)told->journal_len, SQLITE_STATIC);
	return run(store, PUT_EVENT, why);
}

/* Reads a row of EVENTS into told, whose texts are borrowed from the statement. False: it is no
 * event of ours. */
static bool
read_event(sqlite3_stmt *statement, struct told *told)
{
	struct bytes id = column_bytes(statement, 0);
	struct bytes journal;

	memset(told, 0, sizeof(*told));
	if (id.len != sizeof(told->id.bytes) ||
		event_kind_from_name(column_bytes(statement, 1), &told->kind) != ERR_OK ||
		level_from_name(column_bytes(statement, 2), &told->level) != ERR_OK)
		return false;
	memcpy(told->id.bytes, id.at, id.len);
	told->time.us = sqlite3_column_int64(statement, 3);
	told->line = (char *)sqlite3_column_text(statement, 4);
	told->json = (char *)sqlite3_column_text(statement, 5);
	journal = column_bytes(statement, 6);
	told->journal = (char *)journal.at;
	told->journal_len = journal.len;
	return told->line && told->json && told->journal;
}

enum err
store_events(struct store *store, struct ulid after, size_t most, store_on_event *on_event,
	void *owner, struct fault *why)
{
	sqlite3_stmt *statement;
	enum err err = usable(store, why);
	int code;

	if (err != ERR_OK)
		return err;
	statement = store->prepared[EVENTS];
	sqlite3_bind_blob(statement, 1, after.bytes, sizeof(after.bytes), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)most);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct told told;

		if (read_event(statement, &told))
			on_event(owner, &told);
	}
	err = told_why(store, code, why);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

/* The one id that a statement gives, unset where it gives none. */
static enum err
read_id(struct store *store, enum statement which, struct ulid *out, struct fault *why)
{
	sqlite3_stmt *statement = store->prepared[which];
	int code = sqlite3_step(statement);
	enum err err = told_why(store, code, why);

	memset(out, 0, sizeof(*out));
	if (code == SQLITE_ROW) {
		struct bytes id = column_bytes(statement, 0);

		if (id.len == sizeof(out->bytes))
			memcpy(out->bytes, id.at, id.len);
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

enum err
store_newest_event(struct store *store, struct ulid *out, struct fault *why)
{
	enum err err = usable(store, why);

	return err != ERR_OK ? err : read_id(store, NEWEST_EVENT, out, why);
}

enum err
store_event_before(struct store *store, size_t newer, struct ulid *out, struct fault *why)
{
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	sqlite3_bind_int64(store->prepared[EVENT_BEFORE], 1, (sqlite3_int64)newer);
	return read_id(store, EVENT_BEFORE, out, why);
}

enum err
store_count_events(struct store *store, struct ulid after, size_t *out, struct fault *why)
{
	sqlite3_stmt *statement;
	enum err err = usable(store, why);
	int code;

	*out = 0;
	if (err != ERR_OK)
		return err;
	statement = store->prepared[COUNT_EVENTS];
	sqlite3_bind_blob(statement, 1, after.bytes, sizeof(after.bytes), SQLITE_STATIC);
	code = sqlite3_step(statement);
	err = told_why(store, code, why);
	if (code == SQLITE_ROW)
		*out = (size_t)sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

enum err
store_put_cursor(struct store *store, const char *sink, struct ulid id, struct fault *why)
{
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	sqlite3_bind_text(store->prepared[PUT_CURSOR], 1, sink, -1, SQLITE_STATIC);
	sqlite3_bind_blob(
		store->prepared[PUT_CURSOR], 2, id.bytes, sizeof(id.bytes), SQLITE_STATIC);
	return run(store, PUT_CURSOR, why);
}

enum err
store_cursor(struct store *store, const char *sink, struct ulid *out, struct fault *why)
{
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	sqlite3_bind_text(store->prepared[CURSOR], 1, sink, -1, SQLITE_STATIC);
	return read_id(store, CURSOR, out, why);
}

enum err
store_sinks(struct store *store, const char *const *sinks, size_t count, struct fault *why)
{
	enum err err = store_begin(store, why);

	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		sqlite3_bind_text(store->prepared[NEW_CURSOR], 1, sinks[i], -1, SQLITE_STATIC);
		err = run(store, NEW_CURSOR, why);
	}
	/* NOT IN a list with a NULL is never true. */
	for (size_t i = 0; i < STORE_SINKS_MOST; i++)
		sqlite3_bind_text(store->prepared[DROP_CURSORS], (int)i + 1,
			i < count ? sinks[i] : "", -1, SQLITE_STATIC);
	if (err == ERR_OK)
		err = run(store, DROP_CURSORS, why);
	if (err == ERR_OK)
		return store_commit(store, why);
	store_rollback(store);
	return err;
}

enum err
store_clean_untaken(struct store *store, size_t *dropped, struct fault *why)
{
	enum err err = usable(store, why);

	*dropped = 0;
	if (err != ERR_OK)
		return err;
	sqlite3_bind_int64(store->prepared[CLEAN_UNTAKEN], 1, STORE_EVENTS_MOST);
	err = run(store, CLEAN_UNTAKEN, why);
	if (err == ERR_OK)
		*dropped = (size_t)sqlite3_changes(store->db);
	return err;
}

enum err
store_clean(struct store *store, struct fault *why)
{
	enum err err = usable(store, why);

	if (err != ERR_OK)
		return err;
	sqlite3_bind_int64(store->prepared[CLEAN], 1, STORE_EVENTS_KEPT);
	return run(store, CLEAN, why);
}

/* ---- mailboxes set over the socket */

enum err
store_mailboxes(struct store *store, store_on_mailbox *on_mailbox, void *owner, struct fault *why)
{
	return mailboxes_file_read(store->mailboxes, on_mailbox, owner, why);
}

enum err
store_change_mailboxes(
	struct store *store, const struct store_change *changes, size_t count, struct fault *why)
{
	return mailboxes_file_write(store->mailboxes, changes, count, why);
}
