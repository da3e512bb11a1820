/* test_file.c: files are read whole or not at all, nothing waits on what is no file (H4-15, H4-16).
 */
#include "../unit.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/mboxwatch-test-file.XXXXXX";

static int
into_folder(void **state)
{
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
	return remove(path);
}

static int
remove_folder(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
put_file(const char *path, size_t len)
{
	struct buf content = { 0 };

	for (size_t i = 0; i < len; i++)
		buf_put_byte(&content, (char)i);
	assert_ok(file_write_whole(path, buf_bytes(&content), 0600));
	buf_done(&content);
}

static void
test_file_is_read_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *name;
		size_t len, most;
		enum err err;
	} rows[] = {
		{ .name = "empty", 0, 10, ERR_OK },
		{ .name = "empty, nothing allowed", 0, 0, ERR_OK },
		{ .name = "shorter", 9, 10, ERR_OK },
		{ .name = "the most", 10, 10, ERR_OK },
		{ .name = "longer", 11, 10, ERR_LIMIT },
		{ .name = "many pages", 100000, 100000, ERR_OK },
		{ .name = "no bound", 5000, SIZE_MAX, ERR_OK },
	};
	struct buf buf = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		put_file("file", rows[i].len);
		buf_put_string(&buf, "before ");
		assert_err_equal(file_read("file", rows[i].most, &buf), rows[i].err);
		assert_int_equal(buf.len, 7 + (rows[i].err == ERR_OK ? rows[i].len : 0));
		for (size_t at = 7; at < buf.len; at++)
			assert_int_equal(buf.at[at], (char)(at - 7));
		assert_int_equal(buf.at[buf.len], '\0');
		buf_clear(&buf);
	}
	buf_done(&buf);
}

static void
test_file_that_is_none_is_refused_at_once(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	static const struct {
		const char *name;
		const char *path;
		enum err err;
	} rows[] = {
		{ .name = "missing", "missing", ERR_NOT_FOUND },
		{ .name = "below a file", "plain/x", ERR_NOT_FOUND },
		{ .name = "a directory", ".", ERR_INVALID },
		{ .name = "a FIFO that nobody writes", "fifo", ERR_INVALID },
		{ .name = "a device without end", "/dev/zero", ERR_INVALID },
		{ .name = "a socket", "socket", ERR_INVALID },
		{ .name = "a link to itself", "loop", ERR_INVALID },
		{ .name = "no name", "", ERR_NOT_FOUND },
	};
	struct buf buf = { 0 };

	put_file("plain", 1);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_err_equal(file_read(rows[i].path, 100, &buf), rows[i].err);
		assert_int_equal(buf.len, 0);
	}
	close(fd);
	buf_done(&buf);
}

/* Files of /proc say that they are empty. */
static void
test_file_without_a_size_is_read_to_its_end(void **state)
{
	struct buf buf = { 0 };

	assert_ok(file_read("/proc/self/maps", 10 << 20, &buf));
	assert_true(buf.len > 100);
	buf_clear(&buf);
	assert_err_equal(file_read("/proc/self/maps", 10, &buf), ERR_LIMIT);
	assert_int_equal(buf.len, 0);
	buf_done(&buf);
}

static void
test_file_is_written_whole_with_its_mode(void **state)
{
	struct buf buf = { 0 };
	struct stat about;

	umask(077);
	assert_ok(file_write_whole("written", BYTES("old"), 0600));
	assert_ok(file_write_whole("written", BYTES("new\0"), 0640));
	assert_int_equal(stat("written", &about), 0);
	assert_int_equal(about.st_mode & 07777, 0640);
	assert_ok(file_read("written", 100, &buf));
	assert_buf_holds(&buf, BYTES("new\0"));
	buf_put_format(&buf, "%s/written", folder);
	assert_ok(file_write_whole(buf.at, BYTES(""), 0600));
	buf_done(&buf);
}

static int
count_file(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
	return walk->level > 0 && kind == FTW_F ? 1 : 0;
}

static void
test_file_that_cannot_be_written_leaves_nothing(void **state)
{
	assert_int_equal(mkdir("inner", 0700), 0);
	assert_int_equal(mkdir("inner/taken", 0700), 0);
	assert_err_equal(file_write_whole("inner/taken", BYTES("x"), 0600), ERR_INVALID);
	assert_err_equal(file_write_whole("nowhere/x", BYTES("x"), 0600), ERR_NOT_FOUND);
	assert_int_equal(nftw("inner", count_file, 8, FTW_PHYS), 0);
}

static void
test_file_descriptors_are_prepared(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_ok(fd_prepare(fds[0]));
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	assert_err_equal(fd_prepare(fds[0]), err_from_errno(EBADF));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_file_is_read_whole_or_not_at_all),
	cmocka_unit_test(test_file_that_is_none_is_refused_at_once),
	cmocka_unit_test(test_file_without_a_size_is_read_to_its_end),
	cmocka_unit_test(test_file_is_written_whole_with_its_mode),
	cmocka_unit_test(test_file_that_cannot_be_written_leaves_nothing),
	cmocka_unit_test(test_file_descriptors_are_prepared),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, into_folder, remove_folder);
}
