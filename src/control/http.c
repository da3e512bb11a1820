/*
 * http.c: evhttp on a UNIX socket, mended: listening, and connections. Layer: control.
 * Not here: a request and its answer (exchange.c).
 *
 * What is wrong with evhttp 2.1 and mended in the two files: no bounds by default; no answer to
 * EMFILE but a storm of log lines; one byte a minute keeps a request alive; HEAD gets a body; a
 * forbidden method is 501; a pending request does not notice that its client left; what becomes of
 * the request then depends on how the connection ended.
 */
#include "control/http_inside.h"

#include "base/log.h"

#include <event2/listener.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACK_OFF_MS 200 /* out of descriptors: H5-21 */

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

void
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

void
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
struct wire *
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
	http->work = evtimer_new(start->base, exchange_work, http);
	if (!http->evhttp || !http->back_off || !http->work || bind_to(http, start->fd) != ERR_OK) {
		http_free(http);
		return ERR_MEMORY;
	}
	evhttp_set_bevcb(http->evhttp, on_accept, http);
	evhttp_set_gencb(http->evhttp, exchange_begin, http);
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
