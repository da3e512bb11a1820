/*
 * inside.h: what the files of this room share; nobody outside includes it. Layer: control.
 *
 * One request's way: http.c reads it, routes.c finds its row, judges the peer (peer.c) and calls
 * the handler: reads.c for what is only looked at, changes.c for what changes. What is long goes
 * out as a stream: status.c, events.c, metrics.c.
 */
#ifndef CONTROL_INSIDE_H
#define CONTROL_INSIDE_H

#include "control/control.h"
#include "control/http.h"
#include "control/peer.h"
#include "control/problem.h"
#include "control/select.h"
#include "control/socket.h"
#include "control/uri.h"

#include <jansson.h>
#include <sys/queue.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif

struct asked;
struct events;

struct control {
	struct event_base *base;
	const struct watch *watch;
	const struct settings *settings;
	wall_t started;
	const struct control_calls *calls;
	void *owner;
	struct peer_rule rule;
	char *socket_group;
	struct socket_file socket;
	struct http *http;
	struct events *events;
	uint64_t last_asked;
	LIST_HEAD(, checking) checks; /* check.c */
	LIST_HEAD(, asked) asked;     /* probes and reloads that somebody waits for (probes.c) */
};

/* ---- routes.c */

/* A request whose route was found. */
struct request {
	struct control *control;
	struct exchange *exchange;
	struct bytes name;	  /* of the mailbox in the path; its route demands one */
	struct control_peer peer; /* may_change holds where the route is changing */
	struct params *params;
};

void routes_request(void *control, struct exchange *exchange);
/* The value of a query's parameter (the first), decoded, borrowed until the next look at one;
 * false: it is not there. */
bool request_param(const struct request *request, const char *name, struct bytes *out);
/* True where a parameter is there and is not "0" or "false". */
bool request_flag(const struct request *request, const char *name);
/* The selectors of all `select` parameters. Where it fails the request has been answered. */
CHECKED enum err request_select(const struct request *request, struct select **out);
void request_answer_memory(const struct request *request);

/* ---- views.c */

/* MAILBOX of contract 5; is_whole: with both verdicts whole. */
void view_put_mailbox(const struct control *control, struct buf *out, const struct watch_view *view,
	bool is_whole);
/* The body of an answer that is one MAILBOX. */
void view_answer_mailbox(
	struct control *control, struct exchange *exchange, int status, uint32_t mailbox);

/* ---- walk.c: mailboxes, worst first, in steps */

#define WALK_PASSES 6

struct walk {
	const struct watch *watch;
	const struct select *select; /* borrowed */
	uint8_t *seen;		     /* a bit for each index */
	uint32_t room;
	unsigned pass;
	uint32_t at;
	bool is_paged; /* began in the middle, or ends there */
};

enum walk_step {
	WALK_FOUND,
	WALK_AGAIN, /* the time is used up; go on in another turn */
	WALK_END,
	WALK_STEP_COUNT
};

/* ERR_MEMORY */
CHECKED enum err walk_start(
	struct walk *walk, const struct watch *watch, const struct select *select);
void walk_done(struct walk *walk);
/* Goes on behind what walk_put_cursor() wrote, or behind a mailbox's name. ERR_NOT_FOUND: neither
 */
CHECKED enum err walk_after(struct walk *walk, struct bytes cursor);
void walk_put_cursor(const struct walk *walk, struct buf *out);
/* Every mailbox that is selected comes exactly once, whatever changes meanwhile; worst first as
 * they stand when they come. */
enum walk_step walk_next(struct walk *walk, mono_t end, uint32_t *mailbox, struct watch_view *view);

/* ---- the long answers */

void status_answer(const struct request *request);
void metrics_answer(const struct request *request);
void events_answer(const struct request *request);

CHECKED enum err events_new(struct event_base *base, struct events **out);
void events_free(struct events *events);
/* Takes told over. */
void events_add(struct events *events, struct told *told);
/* Followers get what there is and then their end. */
void events_goodbye(struct events *events);
bool events_are_followed(const struct events *events);

/* ---- body.c: what a changing request says; false or NULL: it has been answered */

/* For routes whose body has no members. */
extern const char *const body_no_members[];

/* The body as an object (none: an empty one), the caller's (json_decref). members ends in NULL;
 * another one in the body is a fault: {"form":"2h"} would pause for ever. NULL: any may be there.
 */
json_t *body_read(const struct request *request, const char *const *members);
/* A text member, borrowed, NULL where it is not there. */
bool body_text(const struct request *request, json_t *body, const char *name, size_t most,
	const char **out);
/* "2h", or a number of seconds; 0 where it is not there. */
bool body_duration(const struct request *request, json_t *body, const char *name, int64_t *out_us);

/* ---- probes.c: who waits for the daemon */

/* One more; NULL: no memory. */
struct asked *asked_new(const struct request *request);
struct asked *asked_find(struct control *control, uint64_t request);
/* The number by which the daemon knows it. */
uint64_t asked_request(const struct asked *asked);
struct exchange *asked_exchange(const struct asked *asked);
/* For exchange_wait(): the client left; what the daemon still does for it is nobody's. */
void asked_gone(void *asked);
void asked_free(struct asked *asked);
void asked_free_all(struct control *control);

/* ---- changes.c */

/* Why a mailbox does not allow it now, by what it is. */
enum problem change_conflict_of(
	const struct control *control, uint32_t mailbox, enum problem otherwise);
void change_answer_refused(const struct request *request, enum err err, enum problem conflict,
	int64_t retry_us, const struct fault *why);

/* ---- handlers: reads.c, probes.c, changes.c */

typedef void route_handler(const struct request *request);

route_handler read_mailbox;
route_handler read_causes;
route_handler read_providers;
route_handler read_health;
route_handler change_probe;
route_handler change_probe_many;
route_handler change_pause;
route_handler change_resume;
route_handler change_reload;
route_handler change_test_alert;
route_handler change_check;
route_handler change_put;
route_handler change_remove;

#endif
