/*
 * peek.c: way -> (TLS) -> the first line -> goodbye. Layer: probe.
 * Not here: what that line means (diagnose/what_answers.c), when to look (probe_end.c).
 */
#include "probe/peek.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <unistd.h>

#include "facts/protocol.h"
#include "net/stream.h"
#include "probe/way.h"

struct peek {
	struct event_base *base;
	struct tls_library *library;
	struct endpoint *endpoint;
	bool begins_tls;
	peek_ended *ended;
	void *owner;
	struct way *way;
	struct stream *stream;
	struct event timer;
	bool is_leaving;
	struct peek_result result;
};

void
peek_cancel(struct peek *peek)
{
	if (!peek)
		return;
	event_del(&peek->timer);
	way_cancel(peek->way);
	stream_free(peek->stream);
	endpoint_free(peek->endpoint);
	free(peek);
}

static void
end(struct peek *peek)
{
	struct peek_result result = peek->result;
	peek_ended *ended = peek->ended;
	void *owner = peek->owner;

	peek_cancel(peek);
	ended(owner, &result);
}

static void
hear(struct peek *peek, struct bytes bytes)
{
	struct peek_result *result = &peek->result;

	bytes = bytes_first(bytes, sizeof(result->heard) - result->heard_len);
	memcpy(result->heard + result->heard_len, bytes.at, bytes.len);
	result->heard_len += bytes.len;
}

/* To a server that spoke a protocol we know, in its words. */
static void
leave(struct peek *peek)
{
	struct bytes heard = { peek->result.heard, peek->result.heard_len };

	if (peek->is_leaving)
		return;
	peek->is_leaving = true;
	event_del(&peek->timer);
	switch (protocol_of_greeting(heard)) {
	case PROTOCOL_SMTP:
	case PROTOCOL_POP3:
		stream_goodbye(peek->stream, BYTES("QUIT\r\n"));
		break;
	case PROTOCOL_IMAP:
		stream_goodbye(peek->stream, BYTES("a LOGOUT\r\n"));
		break;
	default:
		stream_goodbye(peek->stream, BYTES_NONE);
		break;
	}
}

/* ---- what the stream tells */

static void
on_received(void *owner, struct bytes bytes)
{
	struct peek *peek = owner;

	hear(peek, bytes);
	if (memchr(peek->result.heard, '\n', peek->result.heard_len) ||
		peek->result.heard_len == sizeof(peek->result.heard))
		leave(peek);
}

static void
on_tls_started(void *owner)
{
	struct peek *peek = owner;

	peek->result.is_tls = true;
}

/* A record of TLS in answer to our hello, were it an alert, is TLS. */
static bool
is_tls_answer(struct peek *peek)
{
	struct bytes heard = tls_heard(stream_tls(peek->stream));

	return heard.len >= 3 && !bytes_are_clear_text(heard);
}

static void
on_tls_failed(void *owner, const struct tls_failure *why)
{
	struct peek *peek = owner;

	if (why->kind == TLS_FAILURE_PLAIN)
		hear(peek, tls_heard(stream_tls(peek->stream)));
	else if (is_tls_answer(peek))
		peek->result.is_tls = true;
	end(peek);
}

static void
on_lost(void *owner, int error)
{
	(void)error;
	end(owner);
}

static void
on_gone(void *owner)
{
	end(owner);
}

static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct peek *peek = owner;

	(void)fd;
	(void)what;
	if (!peek->stream) {
		peek->result.cause = CAUSE_CONNECT_TIMEOUT;
		end(peek);
	} else if (peek->begins_tls && !peek->result.is_tls) {
		end(peek);
	} else {
		leave(peek);
	}
}

/* ---- the way there */

static void
start_tls(struct peek *peek)
{
	const struct endpoint *endpoint = peek->endpoint;
	struct tls_settings settings = {
		.name = endpoint->tls_name ? endpoint->tls_name : endpoint->host,
		.ca_file = endpoint->ca_file,
		.least = endpoint->tls_min,
	};
	struct fault why;

	if (stream_start_tls(peek->stream, peek->library, &settings, &why) != ERR_OK) {
		peek->result.cause = CAUSE_LOCAL_LIMIT;
		end(peek);
	}
}

static void
on_resolved(void *owner)
{
	(void)owner;
}

static void
on_way_ended(void *owner, const struct way_end *way_end)
{
	static const struct stream_calls calls = {
		.received = on_received,
		.tls_started = on_tls_started,
		.tls_failed = on_tls_failed,
		.lost = on_lost,
		.gone = on_gone,
	};
	struct peek *peek = owner;

	peek->way = NULL;
	peek->result.cause = way_end->cause;
	if (way_end->cause != CAUSE_OK) {
		end(peek);
		return;
	}
	if (stream_new(peek->base, way_end->fd, &calls, peek, &peek->stream) != ERR_OK) {
		peek->stream = NULL;
		close(way_end->fd);
		peek->result.cause = CAUSE_LOCAL_LIMIT;
		end(peek);
	} else if (peek->begins_tls) {
		start_tls(peek);
	}
}

enum err
peek_start(struct event_base *base, struct resolver *resolver, struct tls_library *library,
	const struct peek_to *to, peek_ended *ended, void *owner, struct peek **out)
{
	static const struct way_calls calls = { .resolved = on_resolved, .ended = on_way_ended };
	struct peek *peek = calloc(1, sizeof(*peek));

	if (!peek)
		return ERR_MEMORY;
	peek->base = base;
	peek->library = library;
	/* The count of owners is all that changes in it. */
	peek->endpoint = endpoint_hold((struct endpoint *)(uintptr_t)to->endpoint);
	peek->begins_tls = to->is_tls;
	peek->ended = ended;
	peek->owner = owner;
	evtimer_assign(&peek->timer, base, on_timer, peek);
	if (event_add(&peek->timer,
		    &(struct timeval){ to->most_us / US_PER_S, to->most_us % US_PER_S }) != 0 ||
		way_start(base, resolver, peek->endpoint, to->port, false, &calls, peek,
			&peek->way) != ERR_OK) {
		peek->way = NULL;
		peek_cancel(peek);
		return ERR_MEMORY;
	}
	*out = peek;
	return ERR_OK;
}
