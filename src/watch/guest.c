/*
 * guest.c: probes of settings that are no mailbox's: a check's. Layer: watch, pure.
 *
 * A guest keeps within all that limits say: a place among the probes in flight, a connection and a
 * login of its server, the counts of its account. Not here: how a refusal is booked (brake.c).
 */
#include "watch/plan.h"

#include <stdlib.h>

/* So many of the refusals that an account's caps allow are left to who watches it: nobody's slips
 * at a form hold the logins of a mailbox that is well. */
#define GUESTS_LEAVE 1
#define RETRY_LEAST_US US_PER_M

bool
guest_is_held(const struct watch *watch, const struct account *account, enum side side,
	struct fingerprint fingerprint)
{
	const struct tried *tried = tried_find(account, fingerprint);

	if (account_room_of_caps(watch, account) <= GUESTS_LEAVE)
		return true;
	if (!tried || tried->results[side] == RESULT_ACCEPTED)
		return false;
	return account->brake.is_open || account_room_of_secret(watch, tried) == 0;
}

enum err
watch_guest_may(struct watch *watch, mono_t now, wall_t wall, const struct watch_guest *guest,
	struct fingerprint fingerprint, int64_t *retry_us)
{
	struct account *account = account_find(watch, guest->account);
	wall_t from;

	watch_tick(watch, now, wall);
	if (!account)
		return ERR_OK;
	account_clamp(watch, account);
	if (!guest_is_held(watch, account, guest->side, fingerprint))
		return ERR_OK;
	from = account_room_from(watch, account, tried_find(account, fingerprint));
	if (account->brake.is_open && from.us < account->brake.next_try.us)
		from = account->brake.next_try;
	*retry_us = from.us - watch->held.us;
	if (*retry_us < RETRY_LEAST_US)
		*retry_us = RETRY_LEAST_US;
	return ERR_TOO_OFTEN;
}

bool
watch_guest_waits(const struct watch *watch, mono_t now, wall_t wall, const char *host,
	wall_t *until, enum cause *cause, enum stage *stage)
{
	const struct server *server;

	HASH_FIND_STR(watch->servers, host, server);
	if (!server || !server->is_waiting || !mono_is_before(now, server->wait_until))
		return false;
	*until = wall_add(wall, mono_since(server->wait_until, now));
	*cause = server->wait_cause;
	*stage = server->wait_stage;
	return true;
}

/* Finds or makes; one that is made has the limits that are given. */
static struct server *
get_server(struct watch *watch, const struct watch_guest *guest)
{
	struct server *server;

	HASH_FIND_STR(watch->servers, guest->host, server);
	if (server)
		return server;
	server = server_get(watch, guest->host);
	if (server && guest->connections > 0)
		server_limits(watch, server, guest->connections, guest->logins_per_minute);
	if (server && guest->is_known)
		server_known(watch, server, true);
	return server;
}

static void
enqueue(struct server *server, struct probe *probe)
{
	struct probe **place = &server->guests;

	while (*place)
		place = &(*place)->next_guest;
	*place = probe;
	probe->is_queued = true;
}

static void
dequeue(struct server *server, struct probe *probe)
{
	struct probe **place = &server->guests;

	while (*place != probe)
		place = &(*place)->next_guest;
	*place = probe->next_guest;
	probe->is_queued = false;
}

enum err
watch_guest(struct watch *watch, mono_t now, wall_t wall, const struct watch_guest *guest,
	uint64_t *token)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	struct server *server = probe ? get_server(watch, guest) : NULL;
	struct account *account = NULL;

	watch_enter(watch, now, wall);
	if (server && guest->account.len > 0)
		account = account_get(watch, guest->account);
	if (!server || (guest->account.len > 0 && !account) ||
		configure_room_for_servers(watch) != ERR_OK)
		goto no_memory;
	probe->token = ++watch->tokens;
	HASH_ADD(hh, watch->probes, token, sizeof(probe->token), probe);
	if (!probe->hh.tbl)
		goto no_memory;
	probe->is_guest = true;
	probe->side = guest->side;
	probe->server = server;
	probe->account = account;
	heap_node_init(&probe->paced);
	server->owners++;
	if (account)
		account->probes++;
	enqueue(server, probe);
	server_turn(watch, server);
	*token = probe->token;
	watch_tick(watch, now, wall);
	return ERR_OK;
no_memory:
	if (server && server->owners == 0)
		server_drop(watch, server);
	if (account)
		account_drop(watch, account);
	free(probe);
	return ERR_MEMORY;
}

void
guest_start(struct watch *watch, struct server *server)
{
	struct probe *probe = server->guests;

	dequeue(server, probe);
	kept_make_room(watch, &server->budget);
	kept_make_room(watch, &server->peer->budget);
	probe->start = watch->now;
	server->budget.in_flight++;
	probe->peer = server->peer;
	probe->peer->owners++;
	probe->peer->budget.in_flight++;
	watch->in_flight++;
	probe->is_hung = server->has_hung;
	watch->hung_in_flight += probe->is_hung;
	watch_command(watch,
		&(struct watch_command){
			.kind = WATCH_GUEST, .address = probe->peer->key, .token = probe->token });
}

bool
watch_guest_cancel(struct watch *watch, mono_t now, wall_t wall, uint64_t token)
{
	struct probe *probe;

	watch_enter(watch, now, wall);
	HASH_FIND(hh, watch->probes, &token, sizeof(token), probe);
	if (!probe || !probe->is_queued)
		return false;
	HASH_DEL(watch->probes, probe);
	dequeue(probe->server, probe);
	server_turn(watch, probe->server);
	server_drop(watch, probe->server);
	if (probe->account) {
		probe->account->probes--;
		account_drop(watch, probe->account);
	}
	free(probe);
	watch_tick(watch, now, wall);
	return true;
}

void
watch_guests_alone(struct watch *watch, mono_t now, wall_t wall, const struct watch_limits *limits)
{
	watch_enter(watch, now, wall);
	watch->grid_us = wall.us - now.us;
	watch->began = now;
	watch->first_next = now;
	row_forget_clean(watch);
	apply_limits(watch, &(struct watch_settings){ .limits = *limits });
	watch->is_configured = true;
	watch_tick(watch, now, wall);
}
