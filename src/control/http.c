/*
 * http.c: evhttp on a UNIX socket, mended. Layer: control.
 *
 * What is wrong with evhttp 2.1 and mended here (trials-libs.md 1): no bounds by default; no answer
 * to EMFILE but a storm of log lines; one byte a minute keeps a request alive; HEAD gets a body; a
 * forbidden method is 501; a pending request does not notice that its client left; what becomes of
 * the request then depends on how the connection ended.
 *
 * A wire is one connection, an exchange one request on it. Streams that have something to say stand
 * in one queue, worked off for HTTP_SLICE_US a turn, so that a hundred readers together cost the
 * loop no more than one.
 */
#include "control/http.h"

#include "base/log.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_S 60	/* a connection without a request, or whose plain answer is not taken */
#define STALLED_S 600	/* a reader of a long answer that takes nothing */
#define BACK_OFF_MS 200 /* out of descriptors: H5-21 */

/* What is read ahead of evhttp: it takes a body only when all of it is there; while an answer goes
 * out, what is pipelined behind it may wait with the client. */
#define INPUT_MOST_BYTES ((size_t)HTTP_MOST_HEAD_BYTES + HTTP_MOST_BODY_BYTES)
#define INPUT_BUSY_BYTES ((size_t)HTTP_MOST_HEAD_BYTES)

enum exchange_state {
	EXCHANGE_ASKED,	  /* the owner has not answered */
	EXCHANGE_READY,	  /* a stream in the queue, to be asked for bytes */
	EXCHANGE_SENDING, /* a slice is on its way */
	EXCHANGE_WAITING, /* a stream that has nothing to say now */
	EXCHANGE_STATE_COUNT
};

struct exchange {
	struct wire *wire;
	struct evhttp_request *request;
	enum exchange_state state;
	enum method method;
	struct bytes path;
	struct bytes query;
	void (*gone)(void *user);
	const struct stream_calls *calls;
	void *user;
	TAILQ_ENTRY(exchange) ready;
};

struct wire {
	struct http *http;
	struct bufferevent *bev;
	struct evhttp_connection *connection; /* NULL in its first turn */
	struct exchange *exchange;
	struct event *known;	/* first turn: evhttp has made its connection of it */
	struct event *deadline; /* of the request that is coming in */
	LIST_ENTRY(wire) all;
};

struct http {
	struct event_base *base;
	struct evhttp *evhttp;
	struct evhttp_bound_socket *bound;
	struct event *readable; /* the listening descriptor, beside evhttp's own event on it */
	struct event *back_off;
	struct event *work;
	void (*request)(void *owner, struct exchange *exchange);
	void *owner;
	size_t wires;
	bool is_backing_off;
	mono_t told_descriptors;
	LIST_HEAD(, wire) all;
	TAILQ_HEAD(, exchange) ready;
};

/* ---- listening */

static void
listen_as_allowed(struct http *http)
{
	struct evconnlistener *listener;

	if (!http->evhttp) /* all is ending */
		return;
	listener = evhttp_bound_socket_get_listener(http->bound);
	if (http->is_backing_off || http->wires >= HTTP_MOST_CONNECTIONS) {
		evconnlistener_disable(listener);
		event_del(http->readable);
	} else {
		evconnlistener_enable(listener);
		event_add(http->readable, NULL);
	}
}

static void
on_back_off(evutil_socket_t fd, short what, void *arg)
{
	struct http *http = arg;

	http->is_backing_off = false;
	listen_as_allowed(http);
}

/* Without it libevent would log each failed accept, 200,000 times a second. It is told evhttp's
 * pointer and not ours, so what is to be done is found out by on_readable(). */
static void
on_accept_error(struct evconnlistener *listener, void *evhttp)
{
	(void)listener;
	(void)evhttp;
}

/* Runs in the turn in which evhttp accepts: where no descriptor is left both stop for a while.
 * H5-21 */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval after = { 0, BACK_OFF_MS * 1000 };
	struct http *http = arg;
	int spare = eventfd(0, EFD_CLOEXEC);
	mono_t now;

	if (spare >= 0) {
		close(spare);
		return;
	}
	http->is_backing_off = true;
	listen_as_allowed(http);
	evtimer_add(http->back_off, &after);
	now = mono_now();
	if (http->told_descriptors.us != 0 && mono_since(now, http->told_descriptors) < US_PER_M)
		return;
	http->told_descriptors = now;
	log_error("status socket: no descriptor is left for connections");
}

/* ---- wires */

static struct timeval
seconds(int count)
{
	return (struct timeval){ count, 0 };
}

static void
wire_free(struct wire *wire)
{
	if (wire->known)
		event_free(wire->known);
	if (wire->deadline)
		event_free(wire->deadline);
	LIST_REMOVE(wire, all);
	wire->http->wires--;
	free(wire);
}

/* The request that is coming in has its time from its first byte on. */
static void
wire_expect(struct wire *wire)
{
	static const struct timeval within = { HTTP_REQUEST_US / US_PER_S, 0 };

	if (!wire->exchange && !evtimer_pending(wire->deadline, NULL))
		evtimer_add(wire->deadline, &within);
}

static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	if (info->n_added > 0)
		wire_expect(arg);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;

	if (evbuffer_get_length(bufferevent_get_output(wire->bev)) > 0) {
		/* A pipelined request whose turn has not come: the answer before it is still read.
		 */
		wire_expect(wire);
		return;
	}
	/* evhttp sees the end and frees its connection; it would not bear it from here. */
	shutdown(bufferevent_getfd(wire->bev), SHUT_RDWR);
}

static void exchange_over(struct exchange *exchange);

/* evhttp frees the connection right after this. */
static void
on_close(struct evhttp_connection *connection, void *arg)
{
	struct wire *wire = arg;
	struct http *http = wire->http;
	struct exchange *exchange = wire->exchange;
	struct evhttp_request *request = exchange ? exchange->request : NULL;

	(void)connection;
	if (exchange)
		exchange_over(exchange);
	/* Where the peer ended the connection evhttp has let go of a request that was being worked
	 * on. */
	if (request && !evhttp_request_get_connection(request))
		evhttp_request_free(request);
	evbuffer_remove_cb(bufferevent_get_input(wire->bev), on_input, wire);
	wire_free(wire);
	listen_as_allowed(http);
}

static void
wire_known(struct wire *wire, struct evhttp_connection *connection)
{
	wire->connection = connection;
	evhttp_connection_set_closecb(connection, on_close, wire);
	event_del(wire->known);
	bufferevent_decref(wire->bev);
}

/*
 * One turn after evhttp asked for the bufferevent, where no request came as fast. evhttp tells of a
 * connection only with its first request, and this must be known before: the argument of the
 * bufferevent's callbacks is evhttp's connection (2.1, http.c), none where the connection is gone
 * already. The reference held keeps the bufferevent alive so far.
 */
static void
on_known(evutil_socket_t fd, short what, void *arg)
{
	struct wire *wire = arg;
	struct http *http = wire->http;
	bufferevent_event_cb on_event = NULL;
	void *connection = NULL;

	bufferevent_getcb(wire->bev, NULL, NULL, &on_event, &connection);
	if (on_event && connection) {
		wire_known(wire, connection);
		return;
	}
	evbuffer_remove_cb(bufferevent_get_input(wire->bev), on_input, wire);
	bufferevent_decref(wire->bev);
	wire_free(wire);
	listen_as_allowed(http);
}

/* evhttp accepted a connection and asks what to read and write it by. NULL lets it take one of its
 * own: such a connection is no wire and gets 503. */
static struct bufferevent *
on_accept(struct event_base *base, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct http *http = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct wire *wire = calloc(1, sizeof(*wire));

	if (!bev || !wire)
		goto broken;
	wire->http = http;
	wire->bev = bev;
	wire->known = evtimer_new(base, on_known, wire);
	wire->deadline = evtimer_new(base, on_deadline, wire);
	if (!wire->known || !wire->deadline || evtimer_add(wire->known, &at_once) != 0 ||
		!evbuffer_add_cb(bufferevent_get_input(bev), on_input, wire))
		goto broken;
	bufferevent_incref(bev);
	bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MOST_BYTES);
	LIST_INSERT_HEAD(&http->all, wire, all);
	if (++http->wires >= HTTP_MOST_CONNECTIONS)
		listen_as_allowed(http);
	return bev;
broken:
	if (wire) {
		if (wire->known)
			event_free(wire->known);
		if (wire->deadline)
			event_free(wire->deadline);
		free(wire);
	}
	if (bev)
		bufferevent_free(bev);
	return NULL;
}

/* At most HTTP_MOST_CONNECTIONS, once a request: a walk is as good as a table. */
static struct wire *
wire_find(struct http *http, struct bufferevent *bev)
{
	struct wire *wire;

	LIST_FOREACH(wire, &http->all, all)
	{
		if (wire->bev == bev)
			return wire;
	}
	return NULL;
}

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

static void
on_request(struct evhttp_request *request, void *arg)
{
	struct http *http = arg;
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct wire *wire = wire_find(http, evhttp_connection_get_bufferevent(connection));
	struct timeval idle = seconds(IDLE_S);
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

/* The exchange leaves its wire and is freed; whoever stands behind it is told. */
static void
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
	exchange_header(exchange, "Content-Type", type);
	snprintf(length, sizeof(length), "%zu", body.len);
	exchange_header(exchange, "Content-Length", length);
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

static void
on_work(evutil_socket_t fd, short what, void *arg)
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
	struct timeval stalled = seconds(STALLED_S);

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

/* ---- life */

static enum err
bind_to(struct http *http, int fd)
{
	struct evconnlistener *listener = evconnlistener_new(
		http->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	struct event *readable = event_new(http->base, fd, EV_READ | EV_PERSIST, on_readable, http);
	struct evhttp_bound_socket *bound = NULL;

	if (listener && readable)
		bound = evhttp_bind_listener(http->evhttp, listener);
	if (!bound) {
		if (readable)
			event_free(readable);
		if (listener) /* the descriptor stays the caller's */
			evconnlistener_disable(listener);
		return ERR_MEMORY;
	}
	evconnlistener_set_error_cb(listener, on_accept_error);
	if (http->readable)
		event_free(http->readable);
	if (http->bound)
		evhttp_del_accept_socket(http->evhttp, http->bound);
	http->bound = bound;
	http->readable = readable;
	listen_as_allowed(http);
	return ERR_OK;
}

enum err
http_listen(struct http *http, int fd)
{
	return bind_to(http, fd);
}

enum err
http_new(const struct http_start *start, struct http **out)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return ERR_MEMORY;
	LIST_INIT(&http->all);
	TAILQ_INIT(&http->ready);
	http->base = start->base;
	http->request = start->request;
	http->owner = start->owner;
	http->evhttp = evhttp_new(start->base);
	http->back_off = evtimer_new(start->base, on_back_off, http);
	http->work = evtimer_new(start->base, on_work, http);
	if (!http->evhttp || !http->back_off || !http->work || bind_to(http, start->fd) != ERR_OK) {
		http_free(http);
		return ERR_MEMORY;
	}
	evhttp_set_bevcb(http->evhttp, on_accept, http);
	evhttp_set_gencb(http->evhttp, on_request, http);
	evhttp_set_timeout(http->evhttp, IDLE_S);
	evhttp_set_max_headers_size(http->evhttp, HTTP_MOST_HEAD_BYTES);
	evhttp_set_max_body_size(http->evhttp, HTTP_MOST_BODY_BYTES);
	/* All of them, so that the answer to a wrong one is ours: 405. */
	evhttp_set_allowed_methods(
		http->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
				      EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
				      EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	*out = http;
	return ERR_OK;
}

void
http_free(struct http *http)
{
	struct wire *wire, *next;

	if (!http)
		return;
	/* Those of this turn are not evhttp's to tell about. */
	for (wire = LIST_FIRST(&http->all); wire; wire = next) {
		next = LIST_NEXT(wire, all);
		if (!wire->connection)
			on_known(-1, 0, wire);
	}
	if (http->evhttp) {
		struct evhttp *evhttp = http->evhttp;

		http->evhttp = NULL;
		evhttp_free(evhttp); /* on_close for each */
	}
	if (http->readable)
		event_free(http->readable);
	if (http->back_off)
		event_free(http->back_off);
	if (http->work)
		event_free(http->work);
	free(http);
}
