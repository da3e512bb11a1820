/*
 * peer.c: the addresses that servers are reached at: contract 3, limits hold for an address as
 * well, all names together. Layer: watch, pure.
 *
 * A server stands at the address that its last probe came to. The next one is counted there before
 * it begins; only where its name leads elsewhere by then, the probe asks (watch_connect()) before
 * it connects. So who starts next is chosen in two steps: the addresses by time (watch.turns), then
 * the servers of that address.
 */
#include "watch/inside.h"

#include <limits.h>
#include <stdlib.h>

#define SWEEP_ABOVE 64 /* addresses without a server, before they are looked for */

void
peer_init(struct peer *peer)
{
	heap_node_init(&peer->turn);
	peer->budget.mean_us = -1;
	peer->budget.connections = UINT_MAX;
	peer->budget.logins_per_minute = UINT_MAX;
}

static bool
has_limits(const struct peer *peer)
{
	return peer->key[0] != '\0';
}

void
peer_turn(struct watch *watch, struct peer *peer)
{
	const struct heap_node *top = heap_top(&peer->servers);
	const struct server *first = top ? CONTAINER_OF(top, struct server, turn) : NULL;
	enum turn_kind kind = first && first->has_hung ? TURN_HUNG : TURN_WELL;
	int64_t at = top ? top->key : 0;

	if (!first || peer->budget.in_flight >= peer->budget.connections) {
		heap_remove(&watch->turns[peer->turn_kind], &peer->turn);
		return;
	}
	if (has_limits(peer) && server_first_logs_in(watch, first) &&
		budget_start_from(&peer->budget).us > at)
		at = budget_start_from(&peer->budget).us;
	if (kind != peer->turn_kind)
		heap_remove(&watch->turns[peer->turn_kind], &peer->turn);
	peer->turn_kind = kind;
	if (heap_put(&watch->turns[kind], &peer->turn, at) != ERR_OK)
		abort(); /* configure made room for each server */
}

/* ---- which servers are where */

static struct peer *
peer_get(struct watch *watch, const char *key)
{
	struct peer *peer;

	HASH_FIND_STR(watch->peers, key, peer);
	if (peer)
		return peer;
	if (HASH_COUNT(watch->peers) > HASH_COUNT(watch->servers) + SWEEP_ABOVE)
		peers_sweep(watch);
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer_init(peer);
	peer->budget.connections = peer->budget.logins_per_minute = 1; /* take_limits() */
	strncpy(peer->key, key, PEER_KEY_MOST);
	HASH_ADD_STR(watch->peers, key, peer);
	if (!peer->hh.tbl) {
		free(peer);
		return NULL;
	}
	return peer;
}

static void
take_limits(struct peer *peer, const struct server *server)
{
	if (server->budget.connections > peer->budget.connections)
		peer->budget.connections = server->budget.connections;
	if (server->logins_allowed > peer->budget.logins_per_minute)
		peer->budget.logins_per_minute = server->logins_allowed;
}

bool
peer_move(struct watch *watch, struct server *server, const char *key)
{
	struct peer *from = server->peer, *to = key ? peer_get(watch, key) : &server->alone;
	uint64_t logins = server->budget.login_rate;

	if (to == from)
		return true;
	if (!to || (to->owners >= to->servers.room &&
			   heap_make_room(&to->servers, 2 * to->owners + 1) != ERR_OK))
		return false;
	heap_remove(&from->servers, &server->turn);
	budget_leave(&from->budget, server->budget.rate, logins);
	from->owners--;
	server->peer = to;
	to->owners++;
	budget_join(&to->budget, server->budget.rate, logins);
	if (has_limits(to))
		take_limits(to, server);
	peer_turn(watch, from);
	server_turn(watch, server);
	return true;
}

void
peers_limits(struct watch *watch)
{
	struct server *server, *next_server;
	struct peer *peer, *next_peer;

	HASH_ITER (hh, watch->peers, peer, next_peer)
		peer->budget.connections = peer->budget.logins_per_minute = 1;
	HASH_ITER (hh, watch->servers, server, next_server) {
		if (has_limits(server->peer))
			take_limits(server->peer, server);
	}
	HASH_ITER (hh, watch->peers, peer, next_peer) {
		kept_fit(watch, &peer->budget);
		peer_turn(watch, peer);
	}
}

static void
peer_free(struct watch *watch, struct peer *peer)
{
	heap_remove(&watch->turns[peer->turn_kind], &peer->turn);
	HASH_DEL(watch->peers, peer);
	heap_done(&peer->servers);
	budget_done(&peer->budget);
	free(peer);
}

void
peers_sweep(struct watch *watch)
{
	struct peer *peer, *next;

	HASH_ITER (hh, watch->peers, peer, next) {
		if (peer->owners == 0 && budget_is_idle(&peer->budget, watch->now))
			peer_free(watch, peer);
	}
}

void
peers_free(struct watch *watch)
{
	struct peer *peer, *next;

	HASH_ITER (hh, watch->peers, peer, next)
		peer_free(watch, peer);
}

/* ---- a probe is about to connect */

/* Its place is taken at that address; false: none is free. */
static bool
take_place(struct watch *watch, struct probe *probe, struct peer *to)
{
	struct peer *from = probe->peer;

	if (to == from)
		return true;
	if (to->budget.in_flight >= to->budget.connections)
		return false;
	if (has_limits(to))
		kept_make_room(watch, &to->budget);
	from->budget.in_flight--;
	from->owners--;
	probe->peer = to;
	to->budget.in_flight++;
	to->owners++;
	peer_turn(watch, from);
	peer_turn(watch, to);
	return true;
}

void
peer_ask(struct watch *watch, struct probe *probe, const char *address)
{
	struct server *server = probe->server;
	bool is_allowed = true;

	/* No memory for the address: as if it were not known. */
	if (peer_move(watch, server, server->is_known ? NULL : address))
		is_allowed = take_place(watch, probe, server->peer);
	watch_command(watch,
		&(struct watch_command){
			.kind = WATCH_CONNECT, .token = probe->token, .is_allowed = is_allowed });
}
