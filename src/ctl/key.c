/*
 * key.c: mboxwatchctl make-key: the key under which the daemon seals what is set over its socket.
 * Layer: ctl.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/seal.h"

#define DAEMON_GROUP "mboxwatch"
#define KEY_MODE 0640

/* root's, for the daemon's group to read; false: that group is not here, or it is not ours to
 * give. */
static bool
give_to_daemon(int fd)
{
	const struct group *group = getgrnam(DAEMON_GROUP);

	return group && fchown(fd, geteuid() == 0 ? 0 : (uid_t)-1, group->gr_gid) == 0;
}

/* 0, or the errno of what failed. */
static int
write_key(int fd)
{
	struct seal_key key;
	ssize_t written;
	int number = 0;

	random_fill(key.bytes, sizeof(key.bytes));
	written = write(fd, key.bytes, sizeof(key.bytes));
	bytes_wipe(&key, sizeof(key));
	if (written != (ssize_t)SEAL_KEY_BYTES)
		number = written < 0 ? errno : ENOSPC;
	else if (fchmod(fd, KEY_MODE) != 0 || fsync(fd) != 0)
		number = errno;
	return number;
}

/* Never over another: what was sealed with that one would be lost (O_EXCL, whatever lies there). */
enum exit_status
command_make_key(const struct invocation *invocation)
{
	const char *path = invocation->arguments[0];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool is_given;
	int number;

	if (fd < 0 && errno == EEXIST) {
		complain_outside("there is a file already, and a key is never overwritten: ",
			bytes_of(path));
		return EXIT_REFUSED;
	}
	if (fd < 0) {
		complain("no key could be made: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	is_given = give_to_daemon(fd);
	number = write_key(fd);
	if (close(fd) != 0 && number == 0)
		number = errno;
	if (number != 0) {
		unlink(path);
		complain("no key could be written: %s", strerror(number));
		return EXIT_REFUSED;
	}
	out_outside(invocation->out, bytes_of(path));
	out_say(invocation->out, ": a new key of 32 random bytes, mode 0640%s\n",
		is_given ? ", group " DAEMON_GROUP : "");
	if (!is_given)
		complain("let the daemon's user read it: chgrp " DAEMON_GROUP);
	out_say(invocation->out,
		"name it in the settings, as daemon = { state_key_file = \"…\"; }; and keep a copy "
		"elsewhere:\n"
		"without it the secrets of mailboxes set over the socket cannot be read again\n");
	return EXIT_FINE;
}
