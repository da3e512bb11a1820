/*
 * http_inside.h: what http.c and exchange.c share; nobody else includes it. Layer: control.
 *
 * A wire is one connection (http.c), an exchange one request on it (exchange.c). Streams that have
 * something to say stand in one queue, worked off for HTTP_SLICE_US a turn, so that a hundred
 * readers together cost the loop no more than one.
 */
#ifndef CONTROL_HTTP_INSIDE_H
#define CONTROL_HTTP_INSIDE_H

#include "control/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define IDLE_S 60 /* a connection without a request, or whose plain answer is not taken */

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

/* ---- http.c */

/* NULL: it is none of ours. */
struct wire *wire_find(struct http *http, struct bufferevent *bev);
/* evhttp has made its connection of it. */
void wire_known(struct wire *wire, struct evhttp_connection *connection);
/* The request that is coming in has its time from its first byte on. */
void wire_expect(struct wire *wire);

/* ---- exchange.c */

/* evhttp's call for each request. */
void exchange_begin(struct evhttp_request *request, void *http);
/* The exchange leaves its wire and is freed; whoever stands behind it is told. */
void exchange_over(struct exchange *exchange);
/* Asks the streams that are ready; a timer's callback. */
void exchange_work(evutil_socket_t fd, short what, void *http);

#endif
