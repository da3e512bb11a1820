/*
 * socket.h: the file of the status socket: made, judged, taken away (H5-19, H5-20). Layer: control.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct socket_file {
	char path[108];
	dev_t device;
	ino_t inode;
};

/*
 * A listening, non-blocking socket at path, mode 0660, of the group named (NULL: mboxwatch-status
 * where there is one). What lies there is replaced only where it is a socket at which nobody
 * answers; the new one comes by a rename. fd  the caller's ERR_BUSY: somebody answers there.
 * ERR_INVALID: a link, a folder, a file that is no socket, a path too long, no such group. Else
 * what the system said; why has the words each time.
 */
CHECKED enum err socket_listen(
	const char *path, const char *group, struct socket_file *out, int *fd, struct fault *why);
/* Whether the path still leads to the very socket. */
bool socket_is_ours(const struct socket_file *file);
/* Takes it away where it is ours. */
void socket_remove(const struct socket_file *file);

#endif
