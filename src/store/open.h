/*
 * open.h: the state directory and its files: lock, checks, setting aside, making anew. Layer:
 * store, for its own files.
 */
#ifndef STORE_OPEN_H
#define STORE_OPEN_H

#include <sqlite3.h>

#include "store/store.h"

enum err err_from_sqlite(int code);

/* A file of ours. */
struct database {
	const char *name; /* in the state directory */
	int application_id;
	int version;
	const char *schema; /* of a new one, with both of them */
};

/* Opens one that is there and looks it over, or makes a new one (its name must be free). *out may
 * be set on errors too, and is the caller's. ERR_DAMAGED, ERR_TOO_NEW, as err_from_sqlite() */
CHECKED enum err store_database_open(const struct database *database, const char *path, bool is_new,
	struct sqlite3 **out, struct fault *why);

/* Opens the directory (made 0700 where missing) and takes the kernel's lock on its file `lock`:
 * *lock_fd holds it. ERR_BUSY: another process has it. On other errors *dir_fd may be open; both
 * are the caller's to close. */
CHECKED enum err store_dir_lock(const char *dir, int *dir_fd, int *lock_fd, struct fault *why);
/* Opens or makes DIR/state.db, checked. Errors as of store_open(); *out may be set also then and is
 * the caller's. */
CHECKED enum err store_file_open(const char *dir, int dir_fd, struct sqlite3 **out,
	struct store_opened *opened, struct fault *why);
/* Writes what `from` holds into a new state.db and opens that; `from` is still the caller's, as is
 * *out. */
CHECKED enum err store_file_anew(
	int dir_fd, struct sqlite3 *from, struct sqlite3 **out, struct fault *why);

#endif
