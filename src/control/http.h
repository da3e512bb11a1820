/*
 * http.h: HTTP/1.1 for a UNIX socket: libevent's evhttp, and all that has to be mended about it.
 * Layer: control.
 *
 * One request and its answer are an exchange. The owner is called once for each, and answers it by
 * exchange_answer() or exchange_stream(), now or on a later turn; after the answer (a stream: after
 * its `end`) the exchange is not his any more. Nothing else in the program includes libevent's
 * http.
 */
#ifndef CONTROL_HTTP_H
#define CONTROL_HTTP_H

#include "base/buf.h"
#include "base/time.h"

#define HTTP_MOST_HEAD_BYTES (64 * 1024)   /* contract 5 */
#define HTTP_MOST_BODY_BYTES (1024 * 1024) /* contract 5 */
#define HTTP_MOST_CONNECTIONS 4096	   /* beyond, new ones wait in the kernel's queue */
#define HTTP_REQUEST_US (10 * US_PER_S)	   /* from the first byte to the whole request: H5-03 */
#define HTTP_SLICE_BYTES                                                                           \
	((size_t)64 * 1024)	      /* what a stream puts at a time; all that a reader costs */
#define HTTP_SLICE_US (4 * US_PER_MS) /* and how long it may take for it: H5-08 */

struct event_base;
struct http;
struct exchange;

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OTHER,
	METHOD_COUNT
};

struct http_start {
	struct event_base *base;
	int fd; /* bound, listening, non-blocking; closed by http */
	void (*request)(void *owner, struct exchange *exchange);
	void *owner;
};

/* ERR_MEMORY; fd is the caller's then. */
CHECKED enum err http_new(const struct http_start *start, struct http **out);
/* Every exchange that is open ends: `gone` is called for each that waits or streams. */
void http_free(struct http *http);
/* Listens at fd in the place of the old one, whose connections go on. ERR_MEMORY: all is as it was
 */
CHECKED enum err http_listen(struct http *http, int fd);

/* ---- what was asked; all borrowed until the answer */

enum method exchange_method(const struct exchange *exchange);
/* Before the "?", still percent-encoded, begins with "/"; printable ASCII alone. */
struct bytes exchange_path(const struct exchange *exchange);
/* Behind the "?", still percent-encoded. */
struct bytes exchange_query(const struct exchange *exchange);
struct bytes exchange_body(struct exchange *exchange);
/* For SO_PEERCRED. */
int exchange_fd(const struct exchange *exchange);

/* ---- the answer */

/* Name and value are our own words. */
void exchange_header(struct exchange *exchange, const char *name, const char *value);
/* The whole answer; of a HEAD the same without the body. */
void exchange_answer(struct exchange *exchange, int status, const char *type, struct bytes body);

/* The answer comes on a later turn. Where the client leaves before, `gone` is called and the
 * exchange is over. */
void exchange_wait(struct exchange *exchange, void (*gone)(void *user), void *user);

enum stream_step {
	STREAM_MORE,  /* bytes were put: send them, then ask for the next */
	STREAM_AGAIN, /* ask again on the next turn: the time of a slice is used up */
	STREAM_WAIT,  /* nothing now; exchange_wake() when there is */
	STREAM_END,   /* with the bytes put now all is said */
	STREAM_STEP_COUNT
};

struct stream_calls {
	/* Puts about HTTP_SLICE_BYTES at most, within HTTP_SLICE_US. Called when the reader has
	 * taken the last slice. A buffer that failed ends the connection, so that a cut answer is
	 * seen as cut. */
	enum stream_step (*next)(void *user, struct buf *out);
	/* Comes once, last, whether all was said or the reader left. */
	void (*end)(void *user);
};

/* A HEAD gets no body, and `end` at once. is_follower: may stand idle and unread for ever. */
void exchange_stream(struct exchange *exchange, int status, const char *type, bool is_follower,
	const struct stream_calls *calls, void *user);
/* The stream that said STREAM_WAIT is asked again, on a later turn. */
void exchange_wake(struct exchange *exchange);

#endif
