/*
 * mailboxes.c: mailboxes.db: mailboxes that were set over the socket. Layer: store.
 *
 * Nobody else has them, so this file is not like state.db: it is never set aside and never begun
 * anew beside a damaged one. It is made under another name and appears whole, so that a crash
 * leaves none or one that can be read.
 */
#include "store/mailboxes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/open.h"

#define MAILBOXES_NAME "mailboxes.db"
#define NEW_NAME MAILBOXES_NAME ".new"

static const struct database database = {
	MAILBOXES_NAME,
	0x6d627732, /* "mbw2" */
	1,
	"PRAGMA application_id = 1835169586;"
	"PRAGMA user_version = 1;"
	"CREATE TABLE mailbox(name TEXT PRIMARY KEY, settings TEXT NOT NULL,"
	" smtp BLOB, imap BLOB) WITHOUT ROWID;",
};

enum statement {
	PUT,
	DROP,
	ALL,
	STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
	[PUT] = "INSERT OR REPLACE INTO mailbox(name, settings, smtp, imap) VALUES(?1, ?2, ?3, ?4)",
	[DROP] = "DELETE FROM mailbox WHERE name = ?1",
	[ALL] = "SELECT name, settings, smtp, imap FROM mailbox ORDER BY name",
};

struct mailboxes_file {
	char *dir;
	char *path;
	sqlite3 *db; /* NULL: not open; there was none, or why_not */
	enum err why_not;
	struct fault why;
};

struct mailboxes_file *
mailboxes_file_new(const char *dir)
{
	struct mailboxes_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->dir = strdup(dir);
	if (file->dir && asprintf(&file->path, "%s/" MAILBOXES_NAME, dir) >= 0)
		return file;
	free(file->dir);
	free(file);
	return NULL;
}

void
mailboxes_file_free(struct mailboxes_file *file)
{
	if (!file)
		return;
	sqlite3_close_v2(file->db);
	free(file->dir);
	free(file->path);
	free(file);
}

/* ---- opening */

static enum err
told_why(struct mailboxes_file *file, int code, struct fault *why)
{
	enum err err = err_from_sqlite(code);

	if (err != ERR_OK)
		fault_set(why, MAILBOXES_NAME ": %s", sqlite3_errmsg(file->db));
	return err;
}

/* What is wrong with it stays wrong until a restart: others' mailboxes lie there. */
static enum err
shut(struct mailboxes_file *file, enum err err, struct fault *why)
{
	sqlite3_close_v2(file->db);
	file->db = NULL;
	file->why_not = err;
	file->why = *why;
	return err;
}

static enum err
open_there(struct mailboxes_file *file, const struct stat *about, struct fault *why)
{
	enum err err;

	if (!S_ISREG(about->st_mode)) {
		fault_set(why, MAILBOXES_NAME ": no regular file");
		return shut(file, ERR_INVALID, why);
	}
	if (about->st_size == 0) {
		fault_set(why, MAILBOXES_NAME ": empty though it existed");
		return shut(file, ERR_DAMAGED, why);
	}
	err = store_database_open(&database, file->path, false, &file->db, why);
	return err == ERR_OK ? ERR_OK : shut(file, err, why);
}

/* ERR_NOT_FOUND: there is none. */
static enum err
open_if_there(struct mailboxes_file *file, struct fault *why)
{
	struct stat about;

	if (file->why_not != ERR_OK) {
		*why = file->why;
		return file->why_not;
	}
	if (file->db)
		return ERR_OK;
	if (lstat(file->path, &about) == 0)
		return open_there(file, &about, why);
	if (errno == ENOENT || errno == ENOTDIR)
		return ERR_NOT_FOUND;
	fault_set(why, MAILBOXES_NAME ": %s", strerror(errno));
	return err_from_errno(errno);
}

static enum err
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err err = fd >= 0 && fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);

	if (fd >= 0)
		close(fd);
	return err;
}

/* What a crash left of one: its log would be played into the next. */
static void
unlink_left(const char *dir)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[sizeof(NEW_NAME) + 8];

	for (size_t i = 0; i < COUNT_OF(suffixes) && fd >= 0; i++) {
		snprintf(name, sizeof(name), NEW_NAME "%s", suffixes[i]);
		unlinkat(fd, name, 0);
	}
	if (fd >= 0)
		close(fd);
}

/* A new one, whole, and then by its name. */
static enum err
make(struct mailboxes_file *file, const char *new_path, struct fault *why)
{
	sqlite3 *made = NULL;
	mode_t mask = umask(0077);
	enum err err;

	unlink_left(file->dir);
	err = store_database_open(&database, new_path, true, &made, why);
	umask(mask);
	/* Its log goes into it. */
	if (sqlite3_close(made) != SQLITE_OK && err == ERR_OK)
		err = ERR_IO;
	if (err == ERR_OK && (rename(new_path, file->path) != 0 || sync_dir(file->dir) != ERR_OK)) {
		fault_set(why, MAILBOXES_NAME ": %s", strerror(errno));
		err = err_from_errno(errno);
	}
	return err;
}

static enum err
open_or_make(struct mailboxes_file *file, struct fault *why)
{
	enum err err = open_if_there(file, why);
	char *new_path = NULL;

	if (err != ERR_NOT_FOUND)
		return err;
	if (asprintf(&new_path, "%s/" NEW_NAME, file->dir) < 0)
		return ERR_MEMORY;
	err = make(file, new_path, why);
	free(new_path);
	return err == ERR_OK ? open_if_there(file, why) : err;
}

/* ---- reading */

static struct bytes
column(sqlite3_stmt *row, int number)
{
	/* In this order: the text form is made by the first call. */
	const char *at = sqlite3_column_blob(row, number);

	return (struct bytes){ at, (size_t)sqlite3_column_bytes(row, number) };
}

static struct sealed_mailbox *
mailbox_of(sqlite3_stmt *row)
{
	static const int columns[SIDE_COUNT] = { [SIDE_SMTP] = 2, [SIDE_IMAP] = 3 };
	struct sealed_mailbox *mailbox = sealed_mailbox_new(column(row, 0), column(row, 1));

	for (size_t side = 0; side < SIDE_COUNT && mailbox; side++) {
		buf_put(&mailbox->sealed[side], column(row, columns[side]));
		if (mailbox->sealed[side].is_failed) {
			sealed_mailbox_free(mailbox);
			mailbox = NULL;
		}
	}
	return mailbox;
}

enum err
mailboxes_file_read(
	struct mailboxes_file *file, store_on_mailbox *on_mailbox, void *owner, struct fault *why)
{
	enum err err = open_if_there(file, why);
	sqlite3_stmt *all = NULL;
	int code;

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	code = sqlite3_prepare_v2(file->db, statements[ALL], -1, &all, NULL);
	while (err == ERR_OK && code == SQLITE_OK && (code = sqlite3_step(all)) == SQLITE_ROW) {
		struct sealed_mailbox *mailbox = mailbox_of(all);

		if (mailbox)
			on_mailbox(owner, mailbox);
		else
			err = ERR_MEMORY;
		code = SQLITE_OK;
	}
	if (err == ERR_OK)
		err = told_why(file, code, why);
	sqlite3_finalize(all);
	return err == ERR_DAMAGED ? shut(file, err, why) : err;
}

/* ---- writing */

static void
bind_text(sqlite3_stmt *statement, int number, const char *text)
{
	sqlite3_bind_text(statement, number, text, (int)strlen(text), SQLITE_STATIC);
}

static void
bind_sealed(sqlite3_stmt *statement, int number, const struct buf *sealed)
{
	if (sealed->len > 0)
		sqlite3_bind_blob(statement, number, sealed->at, (int)sealed->len, SQLITE_STATIC);
}

static int
change(struct mailboxes_file *file, const struct store_change *change)
{
	const struct sealed_mailbox *mailbox = change->mailbox;
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(
		file->db, statements[mailbox ? PUT : DROP], -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	bind_text(statement, 1, change->name);
	if (mailbox) {
		bind_text(statement, 2, mailbox->settings);
		bind_sealed(statement, 3, &mailbox->sealed[SIDE_SMTP]);
		bind_sealed(statement, 4, &mailbox->sealed[SIDE_IMAP]);
	}
	code = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* What is written to a file that has no name any more is lost, whatever SQLite says. */
static enum err
is_in_place(struct mailboxes_file *file, struct fault *why)
{
	int has_moved = 0;

	if (sqlite3_file_control(file->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) ==
			SQLITE_OK &&
		!has_moved)
		return ERR_OK;
	fault_set(why, MAILBOXES_NAME " was taken away or replaced; put it back, or restart");
	return ERR_IO;
}

enum err
mailboxes_file_write(struct mailboxes_file *file, const struct store_change *changes, size_t count,
	struct fault *why)
{
	enum err err = open_or_make(file, why);
	int code;

	if (err == ERR_OK)
		err = is_in_place(file, why);
	if (err != ERR_OK)
		return err;
	code = sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (size_t i = 0; i < count && code == SQLITE_OK; i++)
		code = change(file, &changes[i]);
	if (code == SQLITE_OK)
		code = sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL);
	err = told_why(file, code, why);
	if (err != ERR_OK && !sqlite3_get_autocommit(file->db))
		sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}
