/*
 * server.c: one server by its name: its connections and logins, its queue, and the wait that it
 * asked for. Layer: watch, pure. Not here: the arithmetic (budget.c), the address that it shares
 * with others (peer.c), half as many logins for an hour (slow.c).
 */
#include "watch/inside.h"

#include <stdlib.h>

#define GUESTS_KEY (-INT64_MAX / 2) /* before all that are watched: somebody waits */
/* So long a probe that lost its kept session may stand, connected, before its login. */
#define SQUEEZE_MOST_US (5 * US_PER_S)

void
server_free(struct server *server)
{
	for (size_t kind = 0; kind < READY_COUNT; kind++)
		heap_done(&server->ready[kind]);
	heap_done(&server->alone.servers);
	budget_done(&server->budget);
	budget_done(&server->alone.budget);
	free(server->host);
	free(server);
}

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
	heap_node_init(&server->slowed.node);
	server->budget.mean_us = -1;
	server->budget.connections = watch->limits.connections;
	server->logins_allowed = watch->limits.logins_per_minute;
	server->budget.logins_per_minute = server->logins_allowed;
	peer_init(&server->alone);
	server->peer = &server->alone;
	server->alone.owners = 1;
	if (server->host && heap_make_room(&server->alone.servers, 1) == ERR_OK)
		HASH_ADD_KEYPTR(hh, watch->servers, server->host, strlen(server->host), server);
	if (!server->host || !server->hh.tbl) {
		server_free(server);
		return NULL;
	}
	return server;
}

void
server_drop(struct watch *watch, struct server *server)
{
	if (server->owners > 0 && --server->owners > 0)
		return;
	if (server->slowed.is_open)
		slow_end(watch, server, "no mailbox is at this server any more");
	watch->loads[server->load_kind] -= server->load;
	(void)peer_move(watch, server, NULL); /* its own place: needs no memory */
	heap_remove(&server->alone.servers, &server->turn);
	peer_turn(watch, &server->alone);
	HASH_DEL(watch->servers, server);
	server_free(server);
}

void
server_known(struct watch *watch, struct server *server, bool is_known)
{
	server->is_known = is_known;
	if (is_known)
		(void)peer_move(watch, server, NULL); /* its own place: needs no memory */
}

int64_t
server_stretch_of_logins(const struct server *server)
{
	int64_t by_name = budget_stretch_of_logins(&server->budget),
		by_address = budget_stretch_of_logins(&server->peer->budget);

	return by_name > by_address ? by_name : by_address;
}

int64_t
server_stretch_of_connections(const struct server *server)
{
	int64_t by_name = budget_stretch_of_connections(&server->budget),
		by_address = budget_stretch_of_connections(&server->peer->budget);

	return by_name > by_address ? by_name : by_address;
}

/* How many probes at a time it comes to, by its own limits and its address's: for
 * limits.in_flight. */
static void
weigh(struct watch *watch, struct server *server)
{
	const struct budget *budget = &server->budget;
	double mean_us = (double)(budget->mean_us < 0 ? WATCH_PROBE_USUAL_US : budget->mean_us);
	double by_connections = (double)server_stretch_of_connections(server) / 1000;
	double by_logins = (double)server_stretch_of_logins(server) / 1000;
	double logins = (double)budget->login_rate, probes = (double)budget->rate - logins;

	probes /= by_connections;
	logins /= by_logins > by_connections ? by_logins : by_connections;
	watch->loads[server->load_kind] -= server->load;
	server->load_kind = server->has_hung ? TURN_HUNG : TURN_WELL;
	server->load = (int64_t)((probes + logins) / (double)RATE_UNIT * mean_us * 1000);
	watch->loads[server->load_kind] += server->load;
}

void
server_limits(struct watch *watch, struct server *server, unsigned connections,
	unsigned logins_per_minute)
{
	server->budget.connections = connections ? connections : 1;
	server->logins_allowed = logins_per_minute ? logins_per_minute : 1;
	server->budget.logins_per_minute =
		server->slowed.is_open ? (server->logins_allowed + 1) / 2 : server->logins_allowed;
	kept_fit(watch, &server->budget);
	weigh(watch, server);
	server_turn(watch, server);
}

/* The endpoint's share of the load, while its mailbox is not paused. */
void
server_join(struct watch *watch, struct watched *endpoint)
{
	uint64_t rate = (uint64_t)(RATE_UNIT / endpoint->rules.interval_us);

	endpoint->login_rate = kept_login_rate(endpoint);
	budget_join(&endpoint->server->budget, rate, endpoint->login_rate);
	budget_join(&endpoint->server->peer->budget, rate, endpoint->login_rate);
	watch->rate += rate;
	weigh(watch, endpoint->server);
}

void
server_leave(struct watch *watch, struct watched *endpoint)
{
	uint64_t rate = (uint64_t)(RATE_UNIT / endpoint->rules.interval_us);

	budget_leave(&endpoint->server->budget, rate, endpoint->login_rate);
	budget_leave(&endpoint->server->peer->budget, rate, endpoint->login_rate);
	watch->rate -= rate;
	weigh(watch, endpoint->server);
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

/* The first of this queue, and when it may start; NULL: nobody waits there. Among those whose time
 * has come: who would be first in one queue. */
static struct watched *
first_ready(const struct server *server, enum ready_kind kind, int64_t *at)
{
	struct heap_node *top = heap_top(&server->ready[kind]);
	mono_t by_name = budget_start_from(&server->budget),
	       by_address = budget_start_from(&server->peer->budget);

	if (!top)
		return NULL;
	*at = top->key;
	if (kind == READY_LOGIN && by_name.us > *at)
		*at = by_name.us;
	if (kind == READY_LOGIN && server->peer->key[0] != '\0' && by_address.us > *at)
		*at = by_address.us;
	return CONTAINER_OF(top, struct watched, ready);
}

/* Of both queues: by their order where both may start now, so that a login that has to wait holds
 * up nobody who needs none. */
static struct watched *
next_ready(const struct watch *watch, const struct server *server, int64_t *at)
{
	int64_t at_login, at_free, now = watch->now.us;
	struct watched *login = first_ready(server, READY_LOGIN, &at_login);
	struct watched *free = first_ready(server, READY_FREE, &at_free);
	bool is_free;

	if (!login || !free)
		is_free = free != NULL;
	else if (at_login <= now && at_free <= now)
		is_free = free->ready.key <= login->ready.key;
	else
		is_free = at_free < at_login;
	if (login || free)
		*at = is_free ? at_free : at_login;
	return is_free ? free : login;
}

void
server_unqueue(struct watched *endpoint)
{
	heap_remove(&endpoint->server->ready[endpoint->ready_kind], &endpoint->ready);
}

void
server_enqueue(struct watch *watch, struct watched *endpoint)
{
	int64_t by_logins =
		endpoint->rules.interval_us / 1000 * server_stretch_of_logins(endpoint->server);
	bool is_stretched;

	server_unqueue(endpoint);
	endpoint->queued_us = schedule_interval(watch, endpoint, &is_stretched);
	endpoint->ready_kind = kept_needs_login(watch, endpoint) ? READY_LOGIN : READY_FREE;
	/* The renewal of a kept session waits as the others do. */
	if (endpoint->ready_kind == READY_LOGIN && by_logins > endpoint->queued_us)
		endpoint->queued_us = by_logins;
	if (heap_put(&endpoint->server->ready[endpoint->ready_kind], &endpoint->ready,
		    queue_key(endpoint)) != ERR_OK)
		schedule_at(watch, endpoint, mono_add(watch->now, US_PER_S), endpoint->reason);
	server_turn(watch, endpoint->server);
}

bool
server_first_logs_in(const struct watch *watch, const struct server *server)
{
	int64_t at;
	const struct watched *first = next_ready(watch, server, &at);

	if (server->guests)
		return server->guests->account != NULL;
	return first && first->ready_kind == READY_LOGIN;
}

void
server_turn(struct watch *watch, struct server *server)
{
	int64_t at = 0;
	const struct watched *first = next_ready(watch, server, &at);
	unsigned connections = server->is_waiting ? 1 : server->budget.connections;
	struct peer *peer = server->peer;

	if ((first || server->guests) && server->budget.in_flight < connections) {
		if (server->guests) {
			at = GUESTS_KEY;
			if (server->guests->account && budget_start_from(&server->budget).us > at)
				at = budget_start_from(&server->budget).us;
		}
		if (server->is_waiting && server->wait_until.us > at)
			at = server->wait_until.us;
		if (heap_put(&peer->servers, &server->turn, at) != ERR_OK)
			abort(); /* peer_move() made room for each server */
	} else {
		heap_remove(&peer->servers, &server->turn);
	}
	peer_turn(watch, peer);
}

void
server_start(struct watch *watch, struct server *server)
{
	int64_t at;
	struct watched *endpoint = next_ready(watch, server, &at);

	if (server_first_logs_in(watch, server)) {
		budget_started(&server->budget, watch->now);
		budget_started(&server->peer->budget, watch->now);
	}
	if (server->guests) {
		guest_start(watch, server);
	} else {
		server_unqueue(endpoint);
		schedule_start(watch, endpoint);
	}
	server_turn(watch, server);
}

/* May a probe that lost its kept session log in at this time? Not where that is far off, or others
 * wait for their login longer than that. */
static bool
may_squeeze_in(const struct watch *watch, const struct server *server, mono_t at)
{
	int64_t from;
	const struct watched *first = first_ready(server, READY_LOGIN, &from);

	return mono_since(at, watch->now) <= SQUEEZE_MOST_US && server->pacing == 0 &&
	       (!first || mono_since(watch->now, first->wanted) <= SQUEEZE_MOST_US);
}

/* Its turn to log in is too far off: it ends as if it had not been (H10-03). */
static void
defer(struct watch *watch, struct probe *probe)
{
	probe->step = STEP_HELD;
	probe->is_deferred = true;
	watch_command(watch, &(struct watch_command){ .kind = WATCH_LEAVE, .token = probe->token });
}

void
server_login(struct watch *watch, struct probe *probe)
{
	mono_t at = budget_login_from(watch, &probe->server->budget), there = { INT64_MIN };

	if (probe->peer->key[0] != '\0')
		there = budget_login_from(watch, &probe->peer->budget);
	if (mono_is_before(at, there))
		at = there;
	if (probe->step == STEP_BEFORE && probe->uses_session) {
		if (!may_squeeze_in(watch, probe->server, at)) {
			defer(watch, probe);
			return;
		}
		/* It began as one that makes no login. */
		budget_started(&probe->server->budget, watch->now);
		budget_started(&probe->peer->budget, watch->now);
	}
	probe->step = STEP_PACED;
	/* Those that wait for the same moment go in their order, nearly. */
	if (mono_is_before(watch->now, at) &&
		heap_put(&watch->paced, &probe->paced, at.us + (int64_t)(probe->token % 4096)) ==
			ERR_OK) {
		probe->server->pacing++;
		return;
	}
	budget_login(watch, &probe->server->budget);
	if (probe->peer->key[0] != '\0')
		budget_login(watch, &probe->peer->budget);
	account_login(watch, probe);
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
	int64_t took = mono_since(watch->now, probe->start) - verdict->waited_us, wait, most;

	/* What is tried by a check may be wrong at all ends: it tells of the server alone. */
	if (verdict->is_void || (probe->is_guest && !holds_whole_server(verdict)))
		return;
	budget_took(&server->budget, took);
	budget_took(&probe->peer->budget, took);
	server->has_hung =
		verdict->cause == CAUSE_CONNECT_TIMEOUT || verdict->cause == CAUSE_REPLY_TIMEOUT;
	weigh(watch, server);
	if (!verdict->is_ok && verdict->cause == CAUSE_RATE_LIMITED && verdict->stage == STAGE_AUTH)
		slow_begin(watch, server, verdict);
	if (!holds_whole_server(verdict)) {
		/* What was under way when it asked says nothing of what came after. */
		if (server->is_waiting && mono_is_before(probe->start, server->wait_began))
			return;
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
	if (!server->is_waiting)
		server->wait_began = watch->now;
	server->is_waiting = true;
	server->wait_cause = verdict->cause;
	server->wait_stage = verdict->stage;
	server->wait_until = mono_add(watch->now, wait);
}
