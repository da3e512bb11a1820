/*
 * socket.c: where the status socket lies in the file system. Layer: control.
 */
#include "control/socket.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_GROUP "mboxwatch-status" /* contract 2 */
#define BESIDE ".new"

static enum err
system_fault(struct fault *why, const char *what, const char *path)
{
	int number = errno;

	fault_set(why, "%s %s: %s", what, path, strerror(number));
	return err_from_errno(number);
}

/* Does anybody answer at the socket that lies there? */
static enum err
judge_old(const char *path, const struct sockaddr_un *address, struct fault *why)
{
	struct stat stat;
	enum err err = ERR_OK;
	int fd;

	if (lstat(path, &stat) != 0)
		return errno == ENOENT ? ERR_OK : system_fault(why, "cannot look at", path);
	if (!S_ISSOCK(stat.st_mode)) {
		fault_set(why, "%s is %s, not a socket; take it away or name another path", path,
			S_ISDIR(stat.st_mode)	? "a directory"
			: S_ISLNK(stat.st_mode) ? "a symbolic link"
						: "a file");
		return ERR_INVALID;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return system_fault(why, "no socket for", path);
	/* EAGAIN: its queue is full, so there is one. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN) {
		fault_set(why, "another daemon answers at %s", path);
		err = ERR_BUSY;
	} else if (errno != ECONNREFUSED && errno != ENOENT) {
		err = system_fault(why, "cannot tell whose socket this is:", path);
	}
	close(fd);
	return err;
}

static enum err
give_to_group(const char *beside, const char *group, struct fault *why)
{
	const struct group *row = getgrnam(group ? group : STATUS_GROUP);

	if (!row && !group)
		return ERR_OK;
	if (!row) {
		fault_set(why, "there is no group %s (daemon.socket_group)", group);
		return ERR_INVALID;
	}
	if (chown(beside, (uid_t)-1, row->gr_gid) != 0)
		log_warning("the status socket stays with the daemon's own group: it may not be "
			    "given to %s: %s",
			row->gr_name, strerror(errno));
	return ERR_OK;
}

static enum err
make_beside(const char *beside, const struct sockaddr_un *address, const char *group, int *out,
	struct fault *why)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum err err = ERR_OK;
	mode_t mask;

	if (fd < 0)
		return system_fault(why, "no socket for", beside);
	if (unlink(beside) != 0 && errno != ENOENT) {
		err = system_fault(why, "cannot remove", beside);
		goto broken;
	}
	mask = umask(0117); /* 0660 from its first moment on */
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		err = system_fault(why, "cannot make", beside);
	umask(mask);
	if (err == ERR_OK)
		err = give_to_group(beside, group, why);
	if (err == ERR_OK && listen(fd, SOMAXCONN) != 0)
		err = system_fault(why, "cannot listen at", beside);
	if (err != ERR_OK)
		goto broken;
	*out = fd;
	return ERR_OK;
broken:
	close(fd);
	return err;
}

enum err
socket_listen(
	const char *path, const char *group, struct socket_file *out, int *fd, struct fault *why)
{
	struct sockaddr_un old = { .sun_family = AF_UNIX }, beside = { .sun_family = AF_UNIX };
	struct stat stat;
	enum err err;

	if (strlen(path) + sizeof(BESIDE) > sizeof(old.sun_path)) {
		fault_set(why,
			"the path of the socket has %zu bytes; at most %zu fit (daemon.socket)",
			strlen(path), sizeof(old.sun_path) - sizeof(BESIDE));
		return ERR_INVALID;
	}
	snprintf(old.sun_path, sizeof(old.sun_path), "%s", path);
	snprintf(beside.sun_path, sizeof(beside.sun_path), "%s" BESIDE, path);
	err = judge_old(path, &old, why);
	if (err == ERR_OK)
		err = make_beside(beside.sun_path, &beside, group, fd, why);
	if (err != ERR_OK)
		return err;
	if (lstat(beside.sun_path, &stat) != 0 || rename(beside.sun_path, path) != 0) {
		err = system_fault(why, "cannot make", path);
		unlink(beside.sun_path);
		close(*fd);
		return err;
	}
	*out = (struct socket_file){ .device = stat.st_dev, .inode = stat.st_ino };
	snprintf(out->path, sizeof(out->path), "%s", path);
	return ERR_OK;
}

bool
socket_is_ours(const struct socket_file *file)
{
	struct stat stat;

	return lstat(file->path, &stat) == 0 && stat.st_dev == file->device &&
	       stat.st_ino == file->inode;
}

void
socket_remove(const struct socket_file *file)
{
	if (socket_is_ours(file))
		unlink(file->path);
}
