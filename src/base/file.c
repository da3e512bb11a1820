/*
 * file.c: small files, whole. Layer: base.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_PIECE_BYTES ((size_t)4096)

/* Reads to the end; of a file that grows meanwhile no more than `most` bytes. */
static enum err
read_to_end(int fd, size_t size_hint, size_t most, struct buf *out)
{
	size_t total = 0;

	for (;;) {
		/* One byte beyond the expected end meets the end in the same turn. */
		size_t piece = size_hint > total ? size_hint - total + 1 : FILE_PIECE_BYTES;
		char *at = buf_reserve(out, piece);
		ssize_t got;

		if (!at)
			return ERR_MEMORY;
		got = read(fd, at, piece);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == ENOMEM ? ERR_MEMORY : ERR_IO;
		if (got == 0)
			break;
		out->len += (size_t)got;
		total += (size_t)got;
		if (total > most)
			return ERR_LIMIT;
	}
	buf_put(out, BYTES_NONE); /* the NUL behind */
	return buf_err(out);
}

enum err
file_read(const char *path, size_t most, struct buf *out)
{
	size_t len_before = out->len;
	struct stat about;
	enum err err;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_from_errno(errno); /* ENXIO of a socket: ERR_INVALID as well */
	if (fstat(fd, &about) < 0)
		err = ERR_IO;
	else if (!S_ISREG(about.st_mode))
		err = ERR_INVALID;
	else if (about.st_size > 0 && (uintmax_t)about.st_size > most)
		err = ERR_LIMIT;
	else
		err = read_to_end(fd, (size_t)about.st_size, most, out);
	close(fd);
	if (err != ERR_OK && out->len > len_before) {
		bytes_wipe(out->at + len_before, out->len - len_before);
		buf_cut(out, len_before);
	}
	return err;
}

static enum err
write_all(int fd, struct bytes content)
{
	while (content.len > 0) {
		ssize_t put = write(fd, content.at, content.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		content = bytes_from(content, (size_t)put);
	}
	return ERR_OK;
}

/* Without this the rename may be gone after a crash. */
static enum err
sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct buf folder = { 0 };
	enum err err = ERR_OK;
	int fd;

	if (!slash)
		buf_put_string(&folder, ".");
	else
		buf_put(&folder,
			(struct bytes){ path, slash == path ? 1 : (size_t)(slash - path) });
	if (buf_err(&folder) != ERR_OK)
		return ERR_MEMORY;
	fd = open(folder.at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_done(&folder);
	if (fd < 0)
		return err_from_errno(errno);
	if (fsync(fd) < 0 && errno != EINVAL) /* some file systems have no such thing */
		err = err_from_errno(errno);
	close(fd);
	return err;
}

enum err
file_write_whole(const char *path, struct bytes content, int mode)
{
	struct buf beside = { 0 };
	enum err err;
	int fd;

	buf_put_format(&beside, "%s.XXXXXX", path); /* behind: no *.conf, so no drop-in */
	if (buf_err(&beside) != ERR_OK)
		return ERR_MEMORY;
	fd = mkostemp(beside.at, O_CLOEXEC);
	if (fd < 0) {
		err = err_from_errno(errno);
		goto out;
	}
	err = write_all(fd, content);
	if (err == ERR_OK && (fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0))
		err = err_from_errno(errno);
	if (close(fd) < 0 && err == ERR_OK)
		err = err_from_errno(errno);
	if (err == ERR_OK && rename(beside.at, path) < 0)
		err = err_from_errno(errno);
	if (err != ERR_OK)
		unlink(beside.at);
	else
		err = sync_folder_of(path);
out:
	buf_done(&beside);
	return err;
}

const char *
file_why_unreadable(enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND:
		return "no such file";
	case ERR_DENIED:
		return "permission denied";
	case ERR_INVALID:
		return "not a regular file";
	default:
		return err_name(err);
	}
}

enum err
fd_prepare(int fd)
{
	int descriptor_flags = fcntl(fd, F_GETFD);
	int status_flags = fcntl(fd, F_GETFL);

	if (descriptor_flags < 0 || status_flags < 0 ||
		fcntl(fd, F_SETFD, descriptor_flags | FD_CLOEXEC) < 0 ||
		fcntl(fd, F_SETFL, status_flags | O_NONBLOCK) < 0)
		return err_from_errno(errno);
	return ERR_OK;
}
