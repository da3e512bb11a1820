/*
 * stream.c: one connected socket, its events and its output. Layer: net.
 *
 * In order of life: clear, handshake, TLS, goodbye. Each turn does a bounded piece of work, so that
 * a server that sends as fast as it can holds up nobody (H2-05, H1-22).
 */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"

#define READ_BYTES 16384 /* one TLS record */
#define READS_A_TURN 4	 /* of READ_BYTES */
#define GOODBYE_DROPS_A_TURN 16
/* What a server may still say while we wait for its end. */
#define GOODBYE_MOST_BYTES ((size_t)64 * 1024)

enum stream_state {
	STREAM_OPEN, /* in clear, or under TLS */
	STREAM_HANDSHAKE,
	STREAM_GOODBYE, /* what is queued, then close_notify and FIN */
	STREAM_DRAIN,	/* the peer's last words, dropped */
	STREAM_OVER,	/* lost or gone: nothing more comes */
	STREAM_STATE_COUNT
};

struct stream {
	struct event_base *base;
	struct stream_calls calls;
	void *owner;
	int fd; /* -1: closed */
	enum stream_state state;
	struct tls *tls;
	struct buf out;
	size_t sent; /* of out */
	struct event readable;
	struct event writable;
	struct event
		again; /* reads on the next turn what lies in OpenSSL's buffer, not in the socket */
	struct event goodbye; /* its deadline */
	bool is_paused;
	bool is_goodbye_failed;
	bool is_goodbye_begun;
	size_t drained_bytes;
	unsigned depth; /* calls of the owner under way */
	bool is_freed;	/* by the owner within such a call */
};

static void
stream_dispose(struct stream *stream)
{
	tls_free(stream->tls);
	buf_done_wiped(&stream->out);
	free(stream);
}

/* Around every call of the owner: true where the stream is gone after it. */
static void
enter_call(struct stream *stream)
{
	stream->depth++;
}

static bool
leave_call(struct stream *stream)
{
	stream->depth--;
	if (stream->is_freed && stream->depth == 0) {
		stream_dispose(stream);
		return true;
	}
	return stream->is_freed;
}

static void
close_socket(struct stream *stream)
{
	if (stream->fd == -1)
		return;
	event_del(&stream->readable);
	event_del(&stream->again);
	event_del(&stream->writable);
	event_del(&stream->goodbye);
	if (stream->sent < stream->out.len) {
		/* Nobody waits for a peer that does not take it, the kernel neither (H2-08). */
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
			sizeof(struct linger));
	}
	close(stream->fd);
	stream->fd = -1;
}

static void
be_over(struct stream *stream)
{
	stream->state = STREAM_OVER;
	event_del(&stream->readable);
	event_del(&stream->again);
	event_del(&stream->writable);
}

static void
end_lost(struct stream *stream, int error)
{
	be_over(stream);
	enter_call(stream);
	stream->calls.lost(stream->owner, error);
	leave_call(stream);
}

static void
end_tls_failed(struct stream *stream)
{
	struct tls_failure why;

	tls_failure(stream->tls, &why);
	be_over(stream);
	enter_call(stream);
	stream->calls.tls_failed(stream->owner, &why);
	leave_call(stream);
}

static void
end_gone(struct stream *stream)
{
	stream->state = STREAM_OVER;
	close_socket(stream);
	enter_call(stream);
	stream->calls.gone(stream->owner);
	leave_call(stream);
}

/* ---- output ---- */

static enum err
write_some(struct stream *stream, struct bytes bytes, size_t *len)
{
	ssize_t put;

	if (stream->tls)
		return tls_write(stream->tls, bytes, len);
	do {
		put = send(stream->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
	} while (put == -1 && errno == EINTR);
	if (put >= 0) {
		*len = (size_t)put;
		return ERR_OK;
	}
	return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_AGAIN : ERR_CLOSED;
}

/* ERR_OK: all is out. ERR_AGAIN: an event is armed. ERR_CLOSED, ERR_INVALID: it cannot go out;
 * reading tells why. */
static enum err
flush(struct stream *stream)
{
	enum err err = ERR_OK;

	while (stream->sent < stream->out.len) {
		size_t len = 0;

		err = write_some(stream, bytes_from(buf_bytes(&stream->out), stream->sent), &len);
		if (err != ERR_OK)
			break;
		stream->sent += len;
	}
	if (err == ERR_AGAIN) {
		if (!stream->tls || tls_wants_write(stream->tls))
			event_add(&stream->writable, NULL);
		return ERR_AGAIN; /* else TLS waits for bytes first: on_readable() comes back here
				   */
	}
	bytes_wipe(stream->out.at, stream->out.len);
	buf_clear(&stream->out);
	stream->sent = 0;
	return err;
}

/* ---- goodbye ---- */

static void
drain(struct stream *stream)
{
	char dropped[READ_BYTES];

	for (int i = 0; i < GOODBYE_DROPS_A_TURN; i++) {
		ssize_t got = recv(stream->fd, dropped, sizeof(dropped), 0);

		if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR)) {
			end_gone(stream);
			return;
		}
		if (got == -1)
			return;
		stream->drained_bytes += (size_t)got;
		if (stream->drained_bytes > GOODBYE_MOST_BYTES) {
			end_gone(stream); /* it goes on and on (H2-05, H2-34): no more of that */
			return;
		}
	}
}

/* What is queued, close_notify, FIN, in this order. */
static void
say_goodbye(struct stream *stream)
{
	enum err err = flush(stream);

	if (err == ERR_OK && stream->tls) {
		err = tls_goodbye(stream->tls);
		if (err == ERR_AGAIN)
			event_add(&stream->writable, NULL);
	}
	if (err == ERR_AGAIN)
		return;
	if (err != ERR_OK || shutdown(stream->fd, SHUT_WR) != 0) {
		end_gone(stream);
		return;
	}
	stream->state = STREAM_DRAIN;
	event_add(&stream->readable, NULL);
	drain(stream);
}

static void
on_goodbye(evutil_socket_t fd, short what, void *owner)
{
	struct stream *stream = owner;

	(void)fd;
	(void)what;
	if (stream->is_goodbye_failed || stream->is_goodbye_begun) {
		end_gone(stream); /* nobody to say it to, or its second is over */
		return;
	}
	stream->is_goodbye_begun = true;
	event_add(&stream->goodbye, &(struct timeval){ STREAM_GOODBYE_US / US_PER_S, 0 });
	if (stream->state == STREAM_GOODBYE)
		say_goodbye(stream);
}

/* ---- input ---- */

/* By a timer: event_active() would run before any other socket is looked at, and a flood would
 * never end (H1-22). */
static void
read_again(struct stream *stream)
{
	event_add(&stream->again, &(struct timeval){ 0, 0 });
}

static void
handshake(struct stream *stream)
{
	enum err err = tls_handshake(stream->tls);

	if (err == ERR_OK) {
		stream->state = STREAM_OPEN;
		enter_call(stream);
		stream->calls.tls_started(stream->owner);
		if (!leave_call(stream) && stream->state == STREAM_OPEN && !stream->is_paused) {
			/* What came with the handshake's end lies in OpenSSL's buffer, not in the
			 * socket. */
			read_again(stream);
		}
	} else if (err == ERR_AGAIN) {
		if (tls_wants_write(stream->tls))
			event_add(&stream->writable, NULL);
	} else {
		end_tls_failed(stream);
	}
}

static enum err
read_some(struct stream *stream, char *at, size_t *len, int *error)
{
	ssize_t got;

	*error = 0;
	if (stream->tls)
		return tls_read(stream->tls, at, len);
	do {
		got = recv(stream->fd, at, *len, 0);
	} while (got == -1 && errno == EINTR);
	if (got > 0) {
		*len = (size_t)got;
		return ERR_OK;
	}
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_AGAIN;
	*error = got == -1 ? errno : 0;
	return ERR_CLOSED;
}

static void
receive(struct stream *stream)
{
	char bytes[READ_BYTES];
	int error;

	for (int i = 0; i < READS_A_TURN; i++) {
		size_t len = sizeof(bytes);
		enum err err = read_some(stream, bytes, &len, &error);

		if (err == ERR_AGAIN)
			return;
		if (err == ERR_MORE)
			continue;
		if (err == ERR_CLOSED) {
			end_lost(stream, stream->tls ? tls_error(stream->tls) : error);
			return;
		}
		if (err != ERR_OK) {
			end_tls_failed(stream);
			return;
		}
		enter_call(stream);
		stream->calls.received(stream->owner, (struct bytes){ bytes, len });
		if (leave_call(stream) || stream->state != STREAM_OPEN || stream->is_paused)
			return;
	}
	if (stream->tls)
		read_again(stream); /* the rest may lie in OpenSSL's buffer */
}

static void
on_readable(evutil_socket_t fd, short what, void *owner)
{
	struct stream *stream = owner;

	(void)fd;
	(void)what;
	switch (stream->state) {
	case STREAM_OPEN:
		if (stream->is_paused)
			return;
		if (stream->sent < stream->out.len && stream->tls)
			(void)flush(stream);
		receive(stream);
		break;
	case STREAM_HANDSHAKE:
		handshake(stream);
		break;
	case STREAM_GOODBYE:
		say_goodbye(stream);
		break;
	case STREAM_DRAIN:
		drain(stream);
		break;
	case STREAM_OVER:
	case STREAM_STATE_COUNT:
		break;
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *owner)
{
	struct stream *stream = owner;

	(void)fd;
	(void)what;
	switch (stream->state) {
	case STREAM_OPEN:
		(void)flush(stream);
		break;
	case STREAM_HANDSHAKE:
		handshake(stream);
		break;
	case STREAM_GOODBYE:
		say_goodbye(stream);
		break;
	case STREAM_DRAIN:
	case STREAM_OVER:
	case STREAM_STATE_COUNT:
		break;
	}
}

/* ---- the owner's side ---- */

enum err
stream_new(struct event_base *base, int fd, const struct stream_calls *calls, void *owner,
	struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return ERR_MEMORY;
	stream->base = base;
	stream->calls = *calls;
	stream->owner = owner;
	stream->fd = fd;
	event_assign(&stream->readable, base, fd, EV_READ | EV_PERSIST, on_readable, stream);
	event_assign(&stream->writable, base, fd, EV_WRITE, on_writable, stream);
	evtimer_assign(&stream->again, base, on_readable, stream);
	evtimer_assign(&stream->goodbye, base, on_goodbye, stream);
	if (event_add(&stream->readable, NULL) != 0) {
		free(stream);
		return ERR_MEMORY;
	}
	*out = stream;
	return ERR_OK;
}

void
stream_free(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->fd != -1 && stream->tls && !stream_is_stuck(stream) &&
		tls_goodbye(stream->tls) != ERR_OK) {
		/* The socket is full: closed all the same. */
	}
	stream->state = STREAM_OVER;
	close_socket(stream);
	if (stream->depth > 0)
		stream->is_freed = true;
	else
		stream_dispose(stream);
}

enum err
stream_send(struct stream *stream, struct bytes bytes)
{
	if (stream->state == STREAM_OVER || bytes.len == 0)
		return ERR_OK; /* its end is told already, or will be */
	/* A buffer that held a secret must not leave a copy behind: base/buf wipes when it grows.
	 */
	buf_put(&stream->out, bytes);
	if (buf_err(&stream->out) != ERR_OK)
		return ERR_MEMORY;
	if (stream->state == STREAM_OPEN)
		(void)flush(stream);
	return ERR_OK;
}

bool
stream_is_stuck(const struct stream *stream)
{
	return stream->sent < stream->out.len;
}

enum err
stream_start_tls(struct stream *stream, struct tls_library *library,
	const struct tls_settings *settings, struct fault *why)
{
	enum err err;

	assert(!stream->tls && stream->state == STREAM_OPEN);
	if (stream_is_stuck(stream)) {
		fault_set(why, "answered before our command was taken");
		return ERR_CONFLICT;
	}
	err = tls_new(library, settings, stream->fd, &stream->tls, why);
	if (err != ERR_OK)
		return err;
	stream->state = STREAM_HANDSHAKE;
	/* Our hello, on the next turn: a handshake that fails at once must not be told from here.
	 */
	event_active(&stream->writable, EV_WRITE, 0);
	return ERR_OK;
}

bool
stream_has_unread(const struct stream *stream)
{
	char byte;

	return stream->fd != -1 && recv(stream->fd, &byte, 1, MSG_PEEK) == 1;
}

void
stream_hand_over(struct stream *stream, const struct stream_calls *calls, void *owner)
{
	stream->calls = *calls;
	stream->owner = owner;
}

void
stream_rest(struct stream *stream)
{
	if (!stream_is_stuck(stream))
		buf_done_wiped(&stream->out);
	if (stream->tls)
		tls_rest(stream->tls);
}

void
stream_pause(struct stream *stream, bool is_paused)
{
	if (stream->state != STREAM_OPEN || stream->is_paused == is_paused)
		return;
	stream->is_paused = is_paused;
	if (is_paused) {
		event_del(&stream->readable);
		event_del(&stream->again);
	} else {
		event_add(&stream->readable, NULL);
		read_again(stream);
	}
}

void
stream_goodbye(struct stream *stream, struct bytes bytes)
{
	stream_pause(stream, false);
	event_del(&stream->readable);
	event_del(&stream->again);
	if (stream->state != STREAM_OPEN || stream_is_stuck(stream)) {
		stream->is_goodbye_failed = true;
	} else {
		buf_put(&stream->out, bytes);
		stream->is_goodbye_failed = buf_err(&stream->out) != ERR_OK;
		stream->state =
			STREAM_GOODBYE; /* receive(), which may have called us, stops here */
	}
	event_active(&stream->goodbye, EV_TIMEOUT, 0);
}

struct tls *
stream_tls(const struct stream *stream)
{
	return stream->tls;
}
