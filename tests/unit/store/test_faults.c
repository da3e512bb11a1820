/*
 * test_faults.c: the nth allocation, write, sync or read fails while the store is opened, written,
 * read and closed, n growing until none does (H6-19, H6-01 to H6-05): what was committed is there,
 * what was not is there whole or not at all, the file is sound, is never set aside, and keeps its
 * key; the next run is right.
 */
#include "../unit.h"
#include "sample.h"

#include <sqlite3.h>

#include "../fault.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

#define FILE_MOST_BYTES ((size_t)1024 * 1024)

/* ---- files whose nth write, sync, truncation or read fails */

enum operation {
	WRITE = 1,
	SYNC = 2,
	TRUNCATE = 4,
	READ = 8
};

struct bad_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind it, in the same allocation */
};

static unsigned failing; /* of enum operation; the count is fault.h's */
static int failure;	 /* SQLITE_FULL, or that operation's I/O error */
static sqlite3_vfs *real_vfs;
static bool is_file_failing;

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return ((struct bad_file *)file)->real;
}

static bool
file_fails(enum operation operation)
{
	bool is_on = fault_state.is_on, fails;

	if (!is_file_failing || !(failing & operation))
		return false;
	fault_state.is_on = true;
	fails = fault_strikes();
	fault_state.is_on = is_on;
	return fails;
}

static int
bad_write(sqlite3_file *file, const void *at, int len, sqlite3_int64 offset)
{
	/* Half of it comes down. */
	if (file_fails(WRITE)) {
		(void)real_of(file)->pMethods->xWrite(real_of(file), at, len / 2, offset);
		return failure == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	}
	return real_of(file)->pMethods->xWrite(real_of(file), at, len, offset);
}

static int
bad_sync(sqlite3_file *file, int flags)
{
	return file_fails(SYNC) ? SQLITE_IOERR_FSYNC
				: real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
bad_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return file_fails(TRUNCATE) ? SQLITE_IOERR_TRUNCATE
				    : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
bad_read(sqlite3_file *file, void *at, int len, sqlite3_int64 offset)
{
	return file_fails(READ) ? SQLITE_IOERR_READ
				: real_of(file)->pMethods->xRead(real_of(file), at, len, offset);
}

/* The others go through. */
#define PASS(name, parameters, arguments)                                                          \
	static int through_##name parameters                                                       \
	{                                                                                          \
		return real_of(file)->pMethods->name arguments;                                    \
	}
PASS(xClose, (sqlite3_file * file), (real_of(file)))
PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *size), (real_of(file), size))
PASS(xLock, (sqlite3_file * file, int lock), (real_of(file), lock))
PASS(xUnlock, (sqlite3_file * file, int lock), (real_of(file), lock))
PASS(xCheckReservedLock, (sqlite3_file * file, int *out), (real_of(file), out))
PASS(xFileControl, (sqlite3_file * file, int op, void *argument), (real_of(file), op, argument))
PASS(xSectorSize, (sqlite3_file * file), (real_of(file)))
PASS(xDeviceCharacteristics, (sqlite3_file * file), (real_of(file)))
PASS(xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **out),
	(real_of(file), page, size, extend, out))
PASS(xShmLock, (sqlite3_file * file, int offset, int count, int flags),
	(real_of(file), offset, count, flags))
PASS(xShmUnmap, (sqlite3_file * file, int remove_it), (real_of(file), remove_it))

static void
through_xShmBarrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static const sqlite3_io_methods bad_methods = {
	.iVersion = 2,
	.xClose = through_xClose,
	.xRead = bad_read,
	.xWrite = bad_write,
	.xTruncate = bad_truncate,
	.xSync = bad_sync,
	.xFileSize = through_xFileSize,
	.xLock = through_xLock,
	.xUnlock = through_xUnlock,
	.xCheckReservedLock = through_xCheckReservedLock,
	.xFileControl = through_xFileControl,
	.xSectorSize = through_xSectorSize,
	.xDeviceCharacteristics = through_xDeviceCharacteristics,
	.xShmMap = through_xShmMap,
	.xShmLock = through_xShmLock,
	.xShmBarrier = through_xShmBarrier,
	.xShmUnmap = through_xShmUnmap,
};

static int
bad_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct bad_file *bad = (struct bad_file *)file;
	int code;

	bad->real = (sqlite3_file *)(bad + 1);
	code = real_vfs->xOpen(real_vfs, name, bad->real, flags, out);
	bad->base.pMethods = bad->real->pMethods ? &bad_methods : NULL;
	return code;
}

static void
put_files_in_front(void)
{
	static sqlite3_vfs vfs;

	real_vfs = sqlite3_vfs_find(NULL);
	assert_non_null(real_vfs);
	vfs = *real_vfs;
	vfs.zName = "bad";
	vfs.szOsFile = (int)sizeof(struct bad_file) + real_vfs->szOsFile;
	vfs.xOpen = bad_open;
	assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* ---- a state directory, each time as it was */

static char dir[64];
static struct buf before; /* state.db as it lay there */
static struct fingerprint_key key;

static void
path_of(const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static void
clear_dir(void)
{
	static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm",
		"state.db.new", "state.db.damaged-1", "reserve", "lock" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char path[128];

		path_of(names[i], path);
		unlink(path);
	}
}

static void
lay_out(void)
{
	char path[128];
	int fd;

	clear_dir();
	path_of("state.db", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, before.at, before.len), (ssize_t)before.len);
	close(fd);
}

static enum err
write_all(struct store *store, const char *value, uint8_t number, struct fault *why)
{
	struct told told = sample(number);
	enum err err = store_begin(store, why);

	if (err == ERR_OK)
		err = store_put_row(store, ROW_ENDPOINT, BYTES("ann/imap"), value, why);
	if (err == ERR_OK)
		err = store_put_event(store, &told, why);
	if (err == ERR_OK)
		err = store_put_cursor(store, "journal", told.id, why);
	if (err == ERR_OK)
		return store_commit(store, why);
	store_rollback(store);
	return err;
}

struct seen {
	size_t rows, events;
	bool is_new_row, has_new_event;
};

static void
on_row(void *owner, enum row_kind kind, struct bytes row_key, struct bytes value)
{
	struct seen *seen = owner;

	seen->rows++;
	seen->is_new_row = bytes_equal(value, BYTES("{\"new\":1}"));
}

static void
on_event(void *owner, const struct told *told)
{
	struct seen *seen = owner;

	seen->events++;
	seen->has_new_event |= told->id.bytes[15] == 2;
}

static enum err
read_all(struct store *store, struct seen *seen, struct fault *why)
{
	enum err err = store_rows(store, on_row, seen, why);

	if (err == ERR_OK)
		err = store_events(store, (struct ulid){ { 0 } }, 100, on_event, seen, why);
	return err;
}

/* What a daemon does with it. *is_promised: the commit was reported. */
static enum err
work(bool *is_promised)
{
	static const char *const sinks[] = { "journal" };
	struct store_opened how;
	struct store *store = NULL;
	struct fault why = { "" };
	struct seen seen = { 0 };
	enum store_look look;
	size_t dropped;
	enum err err = store_open(dir, &store, &how, &why);

	*is_promised = false;
	assert_string_equal(how.set_aside, "");
	if (err == ERR_OK)
		err = store_sinks(store, sinks, 1, &why);
	if (err == ERR_OK)
		err = read_all(store, &seen, &why);
	if (err == ERR_OK)
		err = write_all(store, "{\"new\":1}", 2, &why);
	*is_promised = err == ERR_OK;
	if (err == ERR_OK)
		err = store_clean(store, &why);
	if (err == ERR_OK)
		err = store_clean_untaken(store, &dropped, &why);
	if (err == ERR_OK)
		err = store_look_after(store, &look, &why);
	/* After what failed, the daemon tries again. */
	if (err != ERR_OK && store && !*is_promised)
		*is_promised = write_all(store, "{\"new\":1}", 2, &why) == ERR_OK;
	assert_int_equal(err != ERR_OK, why.text[0] != '\0' || err == ERR_MEMORY);
	store_close(store);
	return err;
}

/* Nothing fails any more. is_all: the next run does all that this one did. */
static void
judge(bool is_promised, bool is_all)
{
	struct store_opened how;
	struct store *store = NULL;
	struct fault why = { "" };
	struct seen seen = { 0 };
	bool is_again;

	assert_ok(store_open(dir, &store, &how, &why));
	assert_string_equal(how.set_aside, "");
	assert_false(how.is_new);
	assert_memory_equal(&how.fingerprint_key, &key, sizeof(key));
	assert_ok(read_all(store, &seen, &why));
	store_close(store);
	assert_int_equal(seen.rows, 1);
	assert_int_equal(seen.events, 1 + (size_t)seen.has_new_event);
	assert_int_equal(seen.is_new_row, seen.has_new_event);
	assert_true(seen.is_new_row || !is_promised);
	if (is_all) {
		assert_ok(work(&is_again));
		assert_true(is_again);
	}
}

static int
prepare(void **state)
{
	struct store_opened how;
	struct store *store = NULL;
	struct fault why = { "" };
	char path[128];

	(void)state;
	assert_int_equal(fault_sqlite(), SQLITE_OK);
	put_files_in_front();
	snprintf(dir, sizeof(dir), "%s/mboxwatch-faults-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir));
	assert_ok(store_open(dir, &store, &how, &why));
	key = how.fingerprint_key;
	assert_ok(write_all(store, "{\"old\":1}", 1, &why));
	store_close(store);
	path_of("state.db", path);
	assert_ok(file_read(path, FILE_MOST_BYTES, &before));
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	clear_dir();
	rmdir(dir);
	buf_done(&before);
	return 0;
}

static void
test_store_bears_each_allocation_that_fails_H6_19(void **state)
{
	struct fault_loop loop;

	(void)state;
	for (fault_begin(&loop); fault_next(&loop);) {
		bool is_promised;
		enum err err;

		print_message("# allocation %lu%s\n", loop.at, loop.is_lasting ? " on" : "");
		lay_out();
		fault_on();
		err = work(&is_promised);
		fault_off();
		assert_true(err == ERR_OK || err == ERR_MEMORY || err == ERR_IO);
		assert_true(err == ERR_OK || fault_struck());
		judge(is_promised, loop.turns % 16 == 0);
	}
	assert_true(loop.turns > 100);
}

static void
try_files(unsigned operations, int code)
{
	struct fault_loop loop;

	failing = operations;
	failure = code;
	for (fault_begin(&loop); fault_next(&loop);) {
		bool is_promised;
		enum err err;

		print_message("# operation %lu%s\n", loop.at, loop.is_lasting ? " on" : "");
		lay_out();
		is_file_failing = true;
		err = work(&is_promised);
		is_file_failing = false;
		assert_true(err == ERR_OK || fault_struck());
		assert_true(err == ERR_OK || err == (code == SQLITE_FULL ? ERR_FULL : ERR_IO));
		judge(is_promised, true);
	}
	assert_true(loop.turns > 6);
}

static void
test_store_bears_each_write_that_finds_the_disk_full(void **state)
{
	try_files(WRITE, SQLITE_FULL);
}

static void
test_store_bears_each_write_sync_and_truncation_that_fails(void **state)
{
	try_files(WRITE | SYNC | TRUNCATE, SQLITE_IOERR);
}

static void
test_store_bears_each_read_that_fails(void **state)
{
	try_files(READ, SQLITE_IOERR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_bears_each_allocation_that_fails_H6_19),
		cmocka_unit_test(test_store_bears_each_write_that_finds_the_disk_full),
		cmocka_unit_test(test_store_bears_each_write_sync_and_truncation_that_fails),
		cmocka_unit_test(test_store_bears_each_read_that_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, prepare, finish);
}
