/*
 * exchange.c: one request on a connection and its answer, at once, later, or as a stream. Layer:
 * control.
 */
#include "control/http_inside.h"

#include <assert.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>

#define STALLED_S 600 /* a reader of a long answer that takes nothing */

/* ---- the request */

/* scheme://authority of the absolute form (RFC 9112 3.2.2) is nothing to us. */
static struct bytes
without_authority(struct bytes target)
{
	if (!bytes_starts_nocase(target, BYTES("http://")))
		return target;
	target = bytes_from(target, BYTES("http://").len);
	return bytes_from(target, bytes_index(target, '/'));
}

/* "/path?query", of printable ASCII alone. */
static bool
split_target(struct bytes target, struct bytes *path, struct bytes *query)
{
	size_t end;

	target = without_authority(target);
	for (size_t i = 0; i < target.len; i++) {
		if (target.at[i] <= ' ' || target.at[i] > '~')
			return false;
	}
	target = bytes_first(target, bytes_index(target, '#'));
	end = bytes_index(target, '?');
	*path = bytes_first(target, end);
	*query = end < target.len ? bytes_from(target, end + 1) : BYTES_NONE;
	return path->len > 0 && path->at[0] == '/';
}

static enum method
method_of(enum evhttp_cmd_type type)
{
	switch (type) {
	case EVHTTP_REQ_GET:
		return METHOD_GET;
	case EVHTTP_REQ_HEAD:
		return METHOD_HEAD;
	case EVHTTP_REQ_POST:
		return METHOD_POST;
	case EVHTTP_REQ_PUT:
		return METHOD_PUT;
	case EVHTTP_REQ_DELETE:
		return METHOD_DELETE;
	default:
		return METHOD_OTHER;
	}
}

/* Where a body ends is said once, or in one way: evhttp takes the first length, others the last
 * (RFC 9112 6.3). H5-04 */
static bool
length_is_clear(struct evhttp_request *request)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const struct evkeyval *header;
	unsigned lengths = 0, codings = 0, unknown = 0;

	TAILQ_FOREACH(header, headers, next)
	{
		struct bytes name = bytes_of(header->key);

		lengths += bytes_equal_nocase(name, BYTES("Content-Length"));
		if (!bytes_equal_nocase(name, BYTES("Transfer-Encoding")))
			continue;
		codings++;
		unknown += !bytes_equal_nocase(bytes_of(header->value), BYTES("chunked"));
	}
	return lengths + codings <= 1 && unknown == 0;
}

void
exchange_begin(struct evhttp_request *request, void *arg)
{
	struct http *http = arg;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct wire *wire = wire_find(http, evhttp_connection_get_bufferevent(connection));
	static const struct timeval idle = { IDLE_S, 0 };
	struct exchange *exchange;
	struct bytes path, query;

	if (!wire) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	if (!wire->connection)
		wire_known(wire, connection);
	event_del(wire->deadline);
	if (!length_is_clear(request)) {
		/* What comes behind may be of the body or not. */
		evhttp_add_header(
			evhttp_request_get_output_headers(request), "Connection", "close");
		evhttp_send_reply(request, HTTP_BADREQUEST, NULL, NULL);
		return;
	}
	if (!split_target(bytes_of(evhttp_request_get_uri(request)), &path, &query)) {
		evhttp_send_error(request, HTTP_BADREQUEST, NULL);
		return;
	}
	exchange = calloc(1, sizeof(*exchange));
	if (!exchange) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	evhttp_connection_set_timeout_tv(connection, &idle); /* a stream may have lifted it */
	exchange->wire = wire;
	exchange->request = request;
	exchange->method = method_of(evhttp_request_get_command(request));
	exchange->path = path;
	exchange->query = query;
	wire->exchange = exchange;
	bufferevent_setwatermark(wire->bev, EV_READ, 0, INPUT_BUSY_BYTES);
	http->request(http->owner, exchange);
}

enum method
exchange_method(const struct exchange *exchange)
{
	return exchange->method;
}

struct bytes
exchange_path(const struct exchange *exchange)
{
	return exchange->path;
}

struct bytes
exchange_query(const struct exchange *exchange)
{
	return exchange->query;
}

struct bytes
exchange_body(struct exchange *exchange)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(exchange->request);
	size_t len = evbuffer_get_length(input);

	return (struct bytes){ (const char *)evbuffer_pullup(input, -1), len };
}

int
exchange_fd(const struct exchange *exchange)
{
	return bufferevent_getfd(exchange->wire->bev);
}

/* ---- the answer */

/* Words for statuses that evhttp has none for. */
static const char *
reason_of(int status)
{
	switch (status) {
	case 409:
		return "Conflict";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	default:
		return NULL;
	}
}

void
exchange_over(struct exchange *exchange)
{
	struct wire *wire = exchange->wire;

	if (exchange->state == EXCHANGE_READY)
		TAILQ_REMOVE(&wire->http->ready, exchange, ready);
	wire->exchange = NULL;
	if (exchange->calls)
		exchange->calls->end(exchange->user);
	else if (exchange->gone)
		exchange->gone(exchange->user);
	free(exchange);
}

/* The answer is said; what is pipelined behind it begins to count. */
static void
exchange_done(struct exchange *exchange)
{
	struct wire *wire = exchange->wire;

	exchange->gone = NULL;
	exchange_over(exchange);
	bufferevent_setwatermark(wire->bev, EV_READ, 0, INPUT_MOST_BYTES);
	if (evbuffer_get_length(bufferevent_get_input(wire->bev)) > 0)
		wire_expect(wire);
}

void
exchange_header(struct exchange *exchange, const char *name, const char *value)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(exchange->request), name, value);
}

void
exchange_answer(struct exchange *exchange, int status, const char *type, struct bytes body)
{
	struct evhttp_request *request = exchange->request;
	struct evbuffer *content = NULL;
	char length[24];

	assert(exchange->state == EXCHANGE_ASKED && !exchange->calls);
	if (type) { /* RFC 9110 8.6: no length with 204 */
		exchange_header(exchange, "Content-Type", type);
		snprintf(length, sizeof(length), "%zu", body.len);
		exchange_header(exchange, "Content-Length", length);
	}
	if (exchange->method != METHOD_HEAD) {
		content = evbuffer_new();
		if (content)
			evbuffer_add(content, body.at, body.len);
	}
	exchange_done(exchange);
	evhttp_send_reply(request, status, reason_of(status), content);
	if (content)
		evbuffer_free(content);
}

/*
 * While a request is worked on evhttp does not read, so it would not notice that the client leaves.
 * Reading without its read callback (which ends the process in this state) is what it does itself
 * while it writes.
 */
void
exchange_wait(struct exchange *exchange, void (*gone)(void *user), void *user)
{
	struct bufferevent *bev = exchange->wire->bev;
	bufferevent_data_cb on_write = NULL;
	bufferevent_event_cb on_event = NULL;
	void *arg = NULL;

	exchange->gone = gone;
	exchange->user = user;
	bufferevent_getcb(bev, NULL, &on_write, &on_event, &arg);
	bufferevent_setcb(bev, NULL, on_write, on_event, arg);
	bufferevent_set_timeouts(bev, NULL, NULL);
	bufferevent_enable(bev, EV_READ);
}

/* ---- streams */

static void
exchange_ready(struct exchange *exchange)
{
	static const struct timeval at_once = { 0, 0 };
	struct http *http = exchange->wire->http;

	exchange->state = EXCHANGE_READY;
	TAILQ_INSERT_TAIL(&http->ready, exchange, ready);
	if (!evtimer_pending(http->work, NULL))
		evtimer_add(http->work, &at_once);
}

void
exchange_wake(struct exchange *exchange)
{
	if (exchange->state == EXCHANGE_WAITING)
		exchange_ready(exchange);
}

/* The reader has taken the last slice. */
static void
on_taken(struct evhttp_connection *connection, void *arg)
{
	exchange_ready(arg);
}

static void
stream_end(struct exchange *exchange)
{
	struct evhttp_request *request = exchange->request;

	exchange_done(exchange);
	evhttp_send_reply_end(request);
}

/* Asks the stream once; true where the exchange is still there and wants no more now. */
static void
stream_step(struct exchange *exchange)
{
	struct buf slice = { 0 };
	enum stream_step step = exchange->calls->next(exchange->user, &slice);
	struct evbuffer *out = NULL;

	if (slice.is_failed || (slice.len > 0 && !(out = evbuffer_new())) ||
		(out && evbuffer_add(out, slice.at, slice.len) != 0)) {
		/* Half an answer must not look like a whole one. */
		exchange->state = EXCHANGE_SENDING;
		shutdown(exchange_fd(exchange), SHUT_RDWR);
		goto out;
	}
	exchange->state = EXCHANGE_SENDING;
	if (out) /* on_taken comes later, never from inside */
		evhttp_send_reply_chunk_with_cb(
			exchange->request, out, step == STREAM_END ? NULL : on_taken, exchange);
	if (step == STREAM_END)
		stream_end(exchange);
	else if (!out && step == STREAM_WAIT)
		exchange->state = EXCHANGE_WAITING;
	else if (!out)
		exchange_ready(exchange);
out:
	if (out)
		evbuffer_free(out);
	buf_done(&slice);
}

void
exchange_work(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct http *http = arg;
	mono_t end = mono_add(mono_now(), HTTP_SLICE_US);
	struct exchange *exchange;

	while ((exchange = TAILQ_FIRST(&http->ready))) {
		TAILQ_REMOVE(&http->ready, exchange, ready);
		stream_step(exchange);
		if (!mono_is_before(mono_now(), end))
			break;
	}
	if (!TAILQ_EMPTY(&http->ready))
		evtimer_add(http->work, &at_once);
}

void
exchange_stream(struct exchange *exchange, int status, const char *type, bool is_follower,
	const struct stream_calls *calls, void *user)
{
	struct bufferevent *bev = exchange->wire->bev;
	static const struct timeval stalled = { STALLED_S, 0 };

	exchange_header(exchange, "Content-Type", type);
	if (exchange->method == METHOD_HEAD) {
		struct evhttp_request *request = exchange->request;

		exchange_done(exchange);
		evhttp_send_reply(request, status, reason_of(status), NULL);
		calls->end(user);
		return;
	}
	exchange->calls = calls;
	exchange->user = user;
	evhttp_send_reply_start(exchange->request, status, reason_of(status));
	bufferevent_set_timeouts(bev, NULL, is_follower ? NULL : &stalled);
	exchange_ready(exchange);
}
