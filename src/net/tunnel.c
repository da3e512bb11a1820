/*
 * tunnel.c: proxy.c's talk on a socket. Layer: net.
 *
 * What came is looked at first (MSG_PEEK) and only the proxy's own bytes are taken off the socket,
 * so that it is handed on as if the server had been connected to directly.
 */
#include "net/tunnel.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/proxy.h"

#define LOOK_BYTES 1024 /* at a time */

struct tunnel {
	struct event event;
	int fd;
	struct tunnel_calls calls;
	void *owner;
	struct proxy_talk talk;
	struct buf send; /* wiped: it held the login */
};

static void
tunnel_free(struct tunnel *tunnel)
{
	event_del(&tunnel->event);
	proxy_talk_done(&tunnel->talk);
	buf_done_wiped(&tunnel->send);
	free(tunnel);
}

void
tunnel_cancel(struct tunnel *tunnel)
{
	if (!tunnel)
		return;
	close(tunnel->fd);
	tunnel_free(tunnel);
}

static void
tunnel_fail(struct tunnel *tunnel, const char *why)
{
	struct tunnel_calls calls = tunnel->calls;
	void *owner = tunnel->owner;

	tunnel_cancel(tunnel);
	calls.failed(owner, why);
}

static void
tunnel_open(struct tunnel *tunnel)
{
	struct tunnel_calls calls = tunnel->calls;
	void *owner = tunnel->owner;
	int fd = tunnel->fd;

	tunnel_free(tunnel);
	calls.opened(owner, fd);
}

static bool
is_to_wait(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void on_ready(evutil_socket_t fd, short what, void *owner);

static void
wait_for(struct tunnel *tunnel, short what)
{
	event_del(&tunnel->event);
	event_assign(
		&tunnel->event, event_get_base(&tunnel->event), tunnel->fd, what, on_ready, tunnel);
	if (event_add(&tunnel->event, NULL) != 0)
		tunnel_fail(tunnel, "out of memory");
}

static void
send_rest(struct tunnel *tunnel)
{
	ssize_t sent = send(tunnel->fd, tunnel->send.at, tunnel->send.len, MSG_NOSIGNAL);

	if (sent < 0 && !is_to_wait(errno)) {
		tunnel_fail(tunnel, strerror(errno));
		return;
	}
	if (sent > 0)
		buf_drop(&tunnel->send, (size_t)sent);
	wait_for(tunnel, tunnel->send.len > 0 ? EV_WRITE : EV_READ);
}

static void
take(struct tunnel *tunnel, const char *at, size_t len)
{
	struct fault why = { "" };
	char drop[LOOK_BYTES];
	size_t used;
	enum err err = proxy_talk_receive(
		&tunnel->talk, (struct bytes){ at, len }, &used, &tunnel->send, &why);

	if (used > 0 && recv(tunnel->fd, drop, used, 0) != (ssize_t)used)
		err = ERR_IO; /* what was there is gone: it cannot be */
	if (err == ERR_OK && tunnel->send.len > 0)
		tunnel_fail(tunnel, "it answered before it was asked");
	else if (err == ERR_OK)
		tunnel_open(tunnel);
	else if (err == ERR_MORE)
		wait_for(tunnel, tunnel->send.len > 0 ? EV_WRITE : EV_READ);
	else
		tunnel_fail(tunnel, err == ERR_INVALID ? why.text : err_name(err));
}

static void
look(struct tunnel *tunnel)
{
	char came[LOOK_BYTES];
	ssize_t len = recv(tunnel->fd, came, sizeof(came), MSG_PEEK);

	if (len > 0)
		take(tunnel, came, (size_t)len);
	else if (len == 0)
		tunnel_fail(tunnel, "it closed the connection");
	else if (is_to_wait(errno))
		wait_for(tunnel, EV_READ);
	else
		tunnel_fail(tunnel, strerror(errno));
}

static void
on_ready(evutil_socket_t fd, short what, void *owner)
{
	struct tunnel *tunnel = owner;

	(void)fd;
	if (what & EV_WRITE)
		send_rest(tunnel);
	else
		look(tunnel);
}

enum err
tunnel_start(struct event_base *base, int fd, const struct proxy *proxy, const char *host,
	uint16_t port, const struct tunnel_calls *calls, void *owner, struct tunnel **out)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	enum err err;

	if (!tunnel)
		return ERR_MEMORY;
	tunnel->fd = fd;
	tunnel->calls = *calls;
	tunnel->owner = owner;
	event_assign(&tunnel->event, base, fd, EV_WRITE, on_ready, tunnel);
	err = proxy_talk_start(&tunnel->talk, proxy, host, port, &tunnel->send);
	if (err == ERR_OK && event_add(&tunnel->event, NULL) != 0)
		err = ERR_MEMORY;
	if (err != ERR_OK) {
		tunnel_free(tunnel);
		return err;
	}
	*out = tunnel;
	return ERR_OK;
}
