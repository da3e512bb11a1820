/*
 * open.c: the state directory and state.db at start. Layer: store.
 *
 * sqlite3_open() succeeds on nearly anything: an empty file is a fine, empty database, and garbage
 * shows at the first use. So: the name is looked at without following links, then quick_check,
 * application_id and user_version, and a file that existed and is empty counts as damaged (H6-05).
 * What is damaged is set aside by name with its -wal and -shm.
 */
#include "store/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"

#define STATE_NAME "state.db"
#define NEW_NAME STATE_NAME ".new"
#define APPLICATION_ID 0x6d627731 /* "mbw1" */
#define STATE_VERSION 1
/* Beside the damaged ones only so many are kept (H6-07). */
#define MOST_SET_ASIDE 3

static const char state_schema[] =
	"PRAGMA application_id = 1835169585;"
	"PRAGMA user_version = 1;"
	"CREATE TABLE row(kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	" PRIMARY KEY(kind, key)) WITHOUT ROWID;"
	/* With a rowid: ids are counted in an index of their own, without the texts. */
	"CREATE TABLE event(id BLOB PRIMARY KEY, kind TEXT NOT NULL, level TEXT NOT NULL,"
	" time_us INTEGER NOT NULL, line TEXT NOT NULL, json TEXT NOT NULL,"
	" journal BLOB NOT NULL);"
	"CREATE TABLE cursor(sink TEXT PRIMARY KEY, id BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE key(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

static const struct database state = { STATE_NAME, APPLICATION_ID, STATE_VERSION, state_schema };

/* H6-16: who may write there may put another state in our place. */
static void
warn_of_mode(const char *dir, int dir_fd)
{
	struct stat status;

	if (fstat(dir_fd, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)))
		log_warning("%s: mode %04o, others may write there; chmod 0700 it", dir,
			(unsigned)(status.st_mode & 07777));
}

enum err
store_dir_lock(const char *dir, int *dir_fd, int *lock_fd, struct fault *why)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		fault_set(why, "%s: cannot be made: %s", dir, strerror(errno));
		return err_from_errno(errno);
	}
	*dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0) {
		fault_set(why, "%s: %s", dir, strerror(errno));
		return err_from_errno(errno);
	}
	warn_of_mode(dir, *dir_fd);
	*lock_fd = openat(*dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock_fd < 0) {
		fault_set(why, "%s/lock: %s", dir, strerror(errno));
		return err_from_errno(errno);
	}
	/* The lock is the kernel's: it goes with the process, whatever its number is used for next
	 * (H5-20). */
	if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	if (errno == EWOULDBLOCK) {
		fault_set(why, "%s: another mboxwatchd holds this state directory", dir);
		return ERR_BUSY;
	}
	fault_set(why, "%s/lock: %s", dir, strerror(errno));
	return err_from_errno(errno);
}

/* The one row of a pragma: a number, and the words too where they are wanted (free()). What keeps
 * it from being read is no damage. */
static enum err
pragma(sqlite3 *db, const struct database *database, const char *sql, int *number, char **words,
	struct fault *why)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	enum err err = ERR_OK;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW) {
		fault_set(why, "%s: %s", database->name, sqlite3_errmsg(db));
		err = code == SQLITE_DONE ? ERR_DAMAGED : err_from_sqlite(code);
	} else if (words) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		*words = text ? strdup(text) : NULL;
		err = *words ? ERR_OK : ERR_MEMORY;
	} else {
		*number = sqlite3_column_int(statement, 0);
	}
	sqlite3_finalize(statement);
	return err;
}

/* Of a page that the disk does not give it speaks as of a damaged one: "unable to get the page.
 * error code=266". The file is left where it is then: the disk may mend. */
static enum err
err_from_words(const char *words)
{
	static const char before[] = "error code=";
	const char *code = strstr(words, before);

	return code && atoi(code + strlen(before)) == SQLITE_IOERR_READ ? ERR_IO : ERR_DAMAGED;
}

static enum err
check_pages(sqlite3 *db, const struct database *database, struct fault *why)
{
	char *words = NULL;
	enum err err = pragma(db, database, "PRAGMA quick_check(1)", NULL, &words, why);

	if (err == ERR_OK && strcmp(words, "ok") != 0) {
		err = err_from_words(words);
		fault_set(why, "%s: %s", database->name,
			err == ERR_IO ? "the disk does not give all of it"
				      : "its pages are damaged");
	}
	free(words);
	return err;
}

static enum err
check(sqlite3 *db, const struct database *database, struct fault *why)
{
	int application = 0, version = 0;
	enum err err = check_pages(db, database, why);

	if (err == ERR_OK)
		err = pragma(db, database, "PRAGMA application_id", &application, NULL, why);
	if (err == ERR_OK)
		err = pragma(db, database, "PRAGMA user_version", &version, NULL, why);
	if (err != ERR_OK)
		return err;
	if (application != database->application_id) {
		fault_set(why, "%s: not a file of mboxwatch's of this kind", database->name);
		return ERR_DAMAGED;
	}
	if (version > database->version) {
		fault_set(why, "%s has version %d, this mboxwatchd knows %d; install the newer one",
			database->name, version, database->version);
		return ERR_TOO_NEW;
	}
	return ERR_OK;
}

static enum err
exec(sqlite3 *db, const struct database *database, const char *sql, struct fault *why)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		fault_set(why, "%s: %s", database->name, sqlite3_errmsg(db));
	return err_from_sqlite(code);
}

enum err
store_database_open(const struct database *database, const char *path, bool is_new, sqlite3 **out,
	struct fault *why)
{
	int code = sqlite3_open_v2(
		path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	enum err err = err_from_sqlite(code);

	if (err != ERR_OK) {
		fault_set(why, "%s: %s", path, *out ? sqlite3_errmsg(*out) : sqlite3_errstr(code));
		return err;
	}
	sqlite3_extended_result_codes(*out, 1);
	sqlite3_busy_timeout(*out, 1000);
	if (!is_new)
		err = check(*out, database, why);
	if (err == ERR_OK)
		err = exec(*out, database,
			"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = "
			"MEMORY;",
			why);
	if (err == ERR_OK && is_new) {
		err = exec(*out, database, "BEGIN IMMEDIATE", why);
		if (err == ERR_OK)
			err = exec(*out, database, database->schema, why);
		if (err == ERR_OK)
			err = exec(*out, database, "COMMIT", why);
	}
	return err;
}

static void
set_aside_one(int dir_fd, const char *suffix, const char *name)
{
	char from[64];
	char to[320];

	snprintf(from, sizeof(from), STATE_NAME "%s", suffix);
	snprintf(to, sizeof(to), "%s%s", name, suffix);
	if (renameat(dir_fd, from, dir_fd, to) != 0 && errno != ENOENT)
		unlinkat(dir_fd, from, 0);
}

/* state.db.damaged-1 … -3; with all three taken the one that was written least lately goes. */
static void
set_aside(int dir_fd, struct store_opened *opened)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	unsigned chosen = 1;
	time_t chosen_time = 0;

	for (unsigned number = 1; number <= MOST_SET_ASIDE; number++) {
		char name[64];
		struct stat status;
		bool is_there;

		snprintf(name, sizeof(name), STATE_NAME ".damaged-%u", number);
		is_there = fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
		if (!is_there || number == 1 || status.st_mtime < chosen_time) {
			chosen = number;
			chosen_time = is_there ? status.st_mtime : 0;
		}
		if (!is_there)
			break;
	}
	snprintf(opened->set_aside, sizeof(opened->set_aside), STATE_NAME ".damaged-%u", chosen);
	for (size_t i = 0; i < COUNT_OF(suffixes); i++)
		set_aside_one(dir_fd, suffixes[i], opened->set_aside);
}

/* The key under which secrets are told apart; made once. */
static enum err
key_of(sqlite3 *db, struct fingerprint_key *key, struct fault *why)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(
		db, "SELECT value FROM key WHERE name = 'fingerprint'", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == (int)sizeof(key->bytes)) {
		memcpy(key->bytes, sqlite3_column_blob(statement, 0), sizeof(key->bytes));
		sqlite3_finalize(statement);
		return ERR_OK;
	}
	sqlite3_finalize(statement);
	statement = NULL;
	/* One that is there and cannot be read is not replaced: all fingerprints hang by it. */
	if (code != SQLITE_DONE && code != SQLITE_ROW) {
		fault_set(why, "state.db: %s", sqlite3_errmsg(db));
		return err_from_sqlite(code);
	}
	random_fill(key->bytes, sizeof(key->bytes));
	code = sqlite3_prepare_v2(db,
		"INSERT OR REPLACE INTO key(name, value) VALUES('fingerprint', ?1)", -1, &statement,
		NULL);
	if (code == SQLITE_OK) {
		sqlite3_bind_blob(statement, 1, key->bytes, sizeof(key->bytes), SQLITE_STATIC);
		code = sqlite3_step(statement);
	}
	if (code != SQLITE_DONE)
		fault_set(why, "state.db: %s", sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	return err_from_sqlite(code);
}

enum err
store_file_open(const char *dir, int dir_fd, struct sqlite3 **out, struct store_opened *opened,
	struct fault *why)
{
	char path[4096];
	struct stat status;
	bool is_there = fstatat(dir_fd, STATE_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0;
	mode_t mask;
	enum err err;

	random_fill(opened->fingerprint_key.bytes,
		sizeof(opened->fingerprint_key.bytes)); /* for a start without a file */
	if (is_there && !S_ISREG(status.st_mode)) {
		fault_set(why, "%s/" STATE_NAME ": no regular file%s", dir,
			S_ISLNK(status.st_mode) ? " (a symbolic link)" : "");
		return ERR_INVALID;
	}
	if (snprintf(path, sizeof(path), "%s/" STATE_NAME, dir) >= (int)sizeof(path))
		return ERR_INVALID;
	opened->is_new = !is_there;
	mask = umask(0077);
	if (is_there && status.st_size == 0) {
		fault_set(why, "state.db: empty though it existed");
		err = ERR_DAMAGED;
	} else {
		err = store_database_open(&state, path, !is_there, out, why);
	}
	if (err == ERR_DAMAGED) {
		sqlite3_close_v2(*out);
		*out = NULL;
		set_aside(dir_fd, opened);
		opened->is_new = true;
		err = store_database_open(&state, path, true, out, why);
	}
	if (err == ERR_OK)
		err = key_of(*out, &opened->fingerprint_key, why);
	umask(mask);
	return err;
}

/* ---- the file was unlinked while it was open */

static enum err
vacuum_into(sqlite3 *from, struct bytes path, struct fault *why)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(from, "VACUUM INTO ?1", -1, &statement, NULL);

	if (code == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, path.at, (int)path.len, SQLITE_STATIC);
		code = sqlite3_step(statement);
	}
	if (code != SQLITE_DONE)
		fault_set(why, NEW_NAME ": %s", sqlite3_errmsg(from));
	sqlite3_finalize(statement);
	return err_from_sqlite(code);
}

/* What lies there by now, or is left of the old one, must not meet the new one. */
static void
make_room(int dir_fd)
{
	struct store_opened aside;
	struct stat status;

	if (fstatat(dir_fd, STATE_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0)
		set_aside(dir_fd, &aside);
	unlinkat(dir_fd, STATE_NAME "-wal", 0);
	unlinkat(dir_fd, STATE_NAME "-shm", 0);
}

enum err
store_file_anew(int dir_fd, struct sqlite3 *from, struct sqlite3 **out, struct fault *why)
{
	const char *path = sqlite3_db_filename(from, "main");
	int fd = openat(
		dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct buf new_path = { 0 };
	mode_t mask;
	enum err err;

	if (fd < 0) {
		fault_set(why, NEW_NAME ": %s", strerror(errno));
		return err_from_errno(errno);
	}
	buf_put_format(&new_path, "%.*s" NEW_NAME, (int)(strlen(path) - strlen(STATE_NAME)), path);
	err = buf_err(&new_path);
	if (err == ERR_OK)
		err = vacuum_into(from, buf_bytes(&new_path), why);
	if (err == ERR_OK && fsync(fd) != 0) {
		fault_set(why, NEW_NAME ": %s", strerror(errno));
		err = err_from_errno(errno);
	}
	close(fd);
	buf_done(&new_path);
	if (err != ERR_OK) {
		unlinkat(dir_fd, NEW_NAME, 0);
		return err;
	}
	make_room(dir_fd);
	if (renameat(dir_fd, NEW_NAME, dir_fd, STATE_NAME) != 0 || fsync(dir_fd) != 0) {
		fault_set(why, STATE_NAME ": %s", strerror(errno));
		return err_from_errno(errno);
	}
	mask = umask(0077);
	err = store_database_open(&state, path, false, out, why);
	umask(mask);
	return err;
}
