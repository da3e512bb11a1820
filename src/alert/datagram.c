/*
 * datagram.c: one local datagram socket. Layer: alert.
 */
#include "alert/datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum err
datagram_init(struct datagram *datagram, const char *path)
{
	datagram->sink.fd = -1;
	if (strlen(path) >= sizeof(datagram->path))
		return ERR_INVALID;
	snprintf(datagram->path, sizeof(datagram->path), "%s", path);
	return ERR_OK;
}

void
datagram_done(struct datagram *datagram)
{
	if (datagram->sink.fd >= 0)
		close(datagram->sink.fd);
	datagram->sink.fd = -1;
}

static enum err
failed(struct datagram *datagram, int number, struct fault *why)
{
	fault_set(why, "%s: %s", datagram->path, strerror(number));
	return err_from_errno(number);
}

static enum err
connect_anew(struct datagram *datagram, struct fault *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	datagram_done(datagram);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed(datagram, errno, why);
	memcpy(address.sun_path, datagram->path, sizeof(datagram->path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int number = errno;

		close(fd);
		return failed(datagram, number, why);
	}
	datagram->sink.fd = fd;
	return ERR_OK;
}

/* A message of any size as a sealed memory file, its descriptor in an empty datagram (systemd:
 * native journal protocol). */
static int
send_as_file(int fd, struct bytes message)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr header = { .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *rights;
	int file = memfd_create("mboxwatch-event", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int number = 0;

	if (file < 0)
		return errno;
	if (write(file, message.at, message.len) != (ssize_t)message.len ||
		fcntl(file, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
		close(file);
		return EIO;
	}
	rights = CMSG_FIRSTHDR(&header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &file, sizeof(file));
	if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		number = errno;
	close(file);
	return number;
}

enum err
datagram_send(struct datagram *datagram, struct bytes message, bool may_be_file, struct fault *why)
{
	/* Twice: the socket that we hold may be of a receiver that was restarted since. */
	for (int attempt = 0; attempt < 2; attempt++) {
		int number = 0;

		if (datagram->sink.fd < 0) {
			enum err err = connect_anew(datagram, why);

			if (err != ERR_OK)
				return err;
		}
		if (send(datagram->sink.fd, message.at, message.len, MSG_NOSIGNAL) < 0)
			number = errno;
		if ((number == EMSGSIZE || number == ENOBUFS) && may_be_file)
			number = send_as_file(datagram->sink.fd, message);
		if (number == 0)
			return ERR_OK;
		if (number == EAGAIN || number == EWOULDBLOCK || number == EINTR ||
			number == ENOBUFS) {
			fault_set(why, "%s: its queue is full", datagram->path);
			return ERR_AGAIN;
		}
		datagram_done(datagram);
		if (attempt == 1 ||
			(number != ECONNREFUSED && number != ECONNRESET && number != ENOTCONN))
			return failed(datagram, number, why);
	}
	return ERR_CLOSED;
}
