/*
 * server.c: what one server is asked of: its connections, the even spacing of logins, its queue,
 * and the wait that it asked for. Layer: watch, pure.
 *
 * Starts are spaced evenly (GCRA, a burst of two at most where the budget is not small); so that no
 * 60 s hold more logins than the budget, however long connecting takes, each login also takes a
 * place in a ring of the last ones.
 */
#include "watch/inside.h"

#include <stdlib.h>

/* Contract 3: no 60 s hold more than the budget, seen from the server too: the way there varies. */
#define LOGIN_WINDOW_US (60 * US_PER_S + 250 * US_PER_MS)
#define SPACING_WINDOW_US (60 * US_PER_S + 500 * US_PER_MS)
/* The interval that results leaves a little of the budget to retries. */
#define STRETCH_WINDOW_US (61 * US_PER_S)
#define STRETCH_CONNECTIONS_MOST 0.95
#define MEAN_SHARE 16 /* of a new probe in the running mean of how long they take */
#define RATE_PERIOD_S 1000000000.0

struct server *
server_get(struct watch *watch, const char *host)
{
	struct server *server;

	HASH_FIND_STR(watch->servers, host, server);
	if (server)
		return server;
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->host = strdup(host);
	heap_node_init(&server->turn);
	server->mean_us = -1;
	server->connections = watch->limits.connections;
	server->logins_per_minute = watch->limits.logins_per_minute;
	if (server->host)
		HASH_ADD_KEYPTR(hh, watch->servers, server->host, strlen(server->host), server);
	if (!server->host || !server->hh.tbl) {
		free(server->host);
		free(server);
		return NULL;
	}
	return server;
}

/* One owner less; without any it goes. */
void
server_drop(struct watch *watch, struct server *server)
{
	if (server->owners > 0 && --server->owners > 0)
		return;
	heap_remove(&watch->turns[server->turn_kind], &server->turn);
	HASH_DEL(watch->servers, server);
	heap_done(&server->ready);
	free(server->logins);
	free(server->host);
	free(server);
}

void
server_limits(struct watch *watch, struct server *server, unsigned connections,
	unsigned logins_per_minute)
{
	server->connections = connections ? connections : 1;
	server->logins_per_minute = logins_per_minute ? logins_per_minute : 1;
	server_turn(watch, server);
}

static int64_t
spacing_us(const struct server *server)
{
	return SPACING_WINDOW_US / server->logins_per_minute;
}

static int64_t
burst_us(const struct server *server)
{
	return (server->logins_per_minute >= 20 ? 2 : server->logins_per_minute / 10) *
	       spacing_us(server);
}

int64_t
server_stretch(const struct server *server)
{
	double logins = (double)server->login_rate / RATE_PERIOD_S * (double)STRETCH_WINDOW_US /
			(double)US_PER_S / server->logins_per_minute;
	double connections = server->mean_us < 0
				     ? 0
				     : (double)server->rate / RATE_PERIOD_S *
					       (double)server->mean_us / (double)US_PER_S /
					       server->connections / STRETCH_CONNECTIONS_MOST;
	double most = logins > connections ? logins : connections;

	return most > 1 ? (int64_t)(most * 1000) + 1 : 1000;
}

/* The endpoint's share of the load, while its mailbox is not paused. */
void
server_join(struct watch *watch, struct watched *endpoint)
{
	uint64_t rate = (uint64_t)(RATE_UNIT / endpoint->rules.interval_us);

	endpoint->server->rate += rate;
	if (endpoint->account)
		endpoint->server->login_rate += rate;
	watch->rate += rate;
}

void
server_leave(struct watch *watch, struct watched *endpoint)
{
	uint64_t rate = (uint64_t)(RATE_UNIT / endpoint->rules.interval_us);

	endpoint->server->rate -= rate;
	if (endpoint->account)
		endpoint->server->login_rate -= rate;
	watch->rate -= rate;
}

static struct watched *
first_ready(const struct server *server)
{
	struct heap_node *top = heap_top(&server->ready);

	return top ? CONTAINER_OF(top, struct watched, ready) : NULL;
}

/*
 * Contract 3: asked, suspect, failing, the rest by lateness. A suspect one stands before those that
 * are late by less than two intervals, a failing one by less than one: so nobody starves where many
 * fail (H7-09).
 */
static int64_t
queue_key(const struct watched *endpoint)
{
	int64_t interval = endpoint->rules.interval_us;

	if (endpoint->is_asked)
		return endpoint->wanted.us - INT64_MAX / 2;
	if (endpoint->state == ENDPOINT_SUSPECT || endpoint->is_sibling)
		return endpoint->wanted.us - 2 * interval;
	if (endpoint->state == ENDPOINT_FAILING)
		return endpoint->wanted.us - interval;
	return endpoint->wanted.us;
}

void
server_enqueue(struct watch *watch, struct watched *endpoint)
{
	if (heap_put(&endpoint->server->ready, &endpoint->ready, queue_key(endpoint)) != ERR_OK)
		schedule_at(watch, endpoint, mono_add(watch->now, US_PER_S), endpoint->reason);
	server_turn(watch, endpoint->server);
}

void
server_turn(struct watch *watch, struct server *server)
{
	const struct watched *first = first_ready(server);
	unsigned connections = server->is_waiting ? 1 : server->connections;
	enum turn_kind kind = server->has_hung ? TURN_HUNG : TURN_WELL;
	int64_t at = INT64_MIN;

	if (!first || server->in_flight >= connections) {
		heap_remove(&watch->turns[server->turn_kind], &server->turn);
		return;
	}
	if (first->account)
		at = server->next_start.us - burst_us(server);
	if (server->is_waiting && server->wait_until.us > at)
		at = server->wait_until.us;
	if (at < first->wanted.us)
		at = first->wanted
			     .us; /* among servers, when in_flight is full: who is late longest */
	if (kind != server->turn_kind)
		heap_remove(&watch->turns[server->turn_kind], &server->turn);
	server->turn_kind = kind;
	if (heap_put(&watch->turns[kind], &server->turn, at) != ERR_OK)
		abort(); /* configure made room for each server */
}

void
server_start(struct watch *watch, struct server *server)
{
	struct watched *endpoint = first_ready(server);

	heap_remove(&server->ready, &endpoint->ready);
	if (endpoint->account) {
		mono_t from = mono_is_before(server->next_start, watch->now) ? watch->now
									     : server->next_start;

		server->next_start = mono_add(from, spacing_us(server));
	}
	schedule_start(watch, endpoint);
	server_turn(watch, server);
}

/* A ring of another size keeps the latest. */
static bool
ring_fit(struct server *server)
{
	unsigned room = server->logins_per_minute, old = server->logins_room;
	int64_t *ring;

	if (room == old)
		return true;
	ring = reallocarray(NULL, room, sizeof(*ring));
	if (!ring)
		return old > 0;
	for (unsigned i = 0; i < room; i++)
		ring[i] = INT64_MIN;
	for (unsigned i = 0; i < old && i < room; i++)
		ring[room - 1 - i] = server->logins[(server->logins_next + old - 1 - i) % old];
	free(server->logins);
	server->logins = ring;
	server->logins_room = room;
	server->logins_next = 0;
	return true;
}

mono_t
server_login_slot(struct watch *watch, struct server *server)
{
	int64_t *oldest, slot = watch->now.us;

	if (!ring_fit(server))
		return watch->now;
	oldest = &server->logins[server->logins_next];
	if (*oldest != INT64_MIN && *oldest + LOGIN_WINDOW_US > slot)
		slot = *oldest + LOGIN_WINDOW_US;
	*oldest = slot;
	server->logins_next = (server->logins_next + 1) % server->logins_room;
	return (mono_t){ slot };
}

/* causes.md: at connect, at greeting, and for ip_blocked anywhere, the wait holds for the whole
 * server. */
static bool
holds_whole_server(const struct verdict *verdict)
{
	return !verdict->is_ok && cause_has(verdict->cause, CAUSE_WAIT) &&
	       (verdict->stage == STAGE_CONNECT || verdict->stage == STAGE_GREETING ||
		       verdict->cause == CAUSE_IP_BLOCKED);
}

void
server_judged(struct watch *watch, struct server *server, const struct probe *probe,
	const struct verdict *verdict, const struct watched *endpoint)
{
	int64_t took = mono_since(watch->now, probe->start), wait, most;

	if (verdict->is_void)
		return;
	server->mean_us = server->mean_us < 0
				  ? took
				  : server->mean_us + (took - server->mean_us) / MEAN_SHARE;
	server->has_hung =
		verdict->cause == CAUSE_CONNECT_TIMEOUT || verdict->cause == CAUSE_REPLY_TIMEOUT;
	if (!holds_whole_server(verdict)) {
		server->is_waiting = false;
		server->waits = 0;
		return;
	}
	wait = endpoint ? endpoint->rules.retry_interval_us : US_PER_M;
	most = endpoint ? endpoint->rules.retry_max_us : WAIT_MOST_US;
	for (unsigned i = 0; i < server->waits && wait < most; i++)
		wait *= 2;
	if (wait > most)
		wait = most;
	if (verdict->wait_us > wait)
		wait = verdict->wait_us;
	if (wait > WAIT_MOST_US)
		wait = WAIT_MOST_US;
	if (!server->is_waiting || !mono_is_before(watch->now, server->wait_until))
		server->waits++;
	server->is_waiting = true;
	server->wait_cause = verdict->cause;
	server->wait_stage = verdict->stage;
	server->wait_until = mono_add(watch->now, wait);
}
