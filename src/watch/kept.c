/*
 * kept.c: IMAP sessions that stay logged in between two probes: when one is used, renewed, parted
 * from, and which one gives way where a server's connections are few. Layer: watch, pure.
 *
 * A session at rest is one of its server's connections. A probe that needs a new one where none is
 * free takes the place of the session whose next turn is furthest off: of more mailboxes than
 * connections all but one slot stay with the same ones, and that slot goes from hand to hand
 * (H7-12). A session saves the logins of its probes, so its endpoint is not in the queue of those
 * that wait for a login, and stretches with connections alone; what stretches by logins is how long
 * a session lives. One that is lost puts its endpoint back among those that log in (H10-03).
 */
#include "watch/inside.h"

#include <stdlib.h>

#define AGE_SLACK_US US_PER_S /* a turn comes some milliseconds late */

/* For how long a session of this age may be used, the budget of logins minded. */
static int64_t
keep_us(const struct watched *endpoint)
{
	int64_t stretch = server_stretch_of_logins(endpoint->server);

	return endpoint->rules.keep_us / 1000 * stretch + AGE_SLACK_US;
}

static int64_t
turn_us(const struct watched *endpoint)
{
	return endpoint->rules.interval_us / 1000 * server_stretch_of_connections(endpoint->server);
}

int64_t
watch_session_us(const struct watch_rules *rules)
{
	int64_t turns = (rules->keep_us + AGE_SLACK_US) / rules->interval_us;

	return rules->keep_us > 0 && turns >= 2 ? turns * rules->interval_us : 0;
}

/* Is it worth to be left open? Not where the next probe would renew it. */
static bool
may_keep(const struct watched *endpoint)
{
	return endpoint->account && endpoint->rules.keep_us > 0 &&
	       2 * turn_us(endpoint) <= keep_us(endpoint);
}

uint64_t
kept_login_rate(const struct watched *endpoint)
{
	int64_t every = endpoint->is_kept ? watch_session_us(&endpoint->rules) : 0;

	if (!endpoint->account)
		return 0;
	return (uint64_t)(RATE_UNIT / (every ? every : endpoint->rules.interval_us));
}

/* Its logins become more, or less. */
static void
mark_kept(struct watched *endpoint, bool is_kept)
{
	if (endpoint->is_kept == is_kept)
		return;
	endpoint->is_kept = is_kept;
	if (mailbox_is_off(endpoint->mailbox))
		return; /* server_join() will see it */
	budget_leave(&endpoint->server->budget, 0, endpoint->login_rate);
	budget_leave(&endpoint->server->peer->budget, 0, endpoint->login_rate);
	endpoint->login_rate = kept_login_rate(endpoint);
	budget_join(&endpoint->server->budget, 0, endpoint->login_rate);
	budget_join(&endpoint->server->peer->budget, 0, endpoint->login_rate);
}

/* Out of the books; the endpoint, where it waits for its turn, waits as one that logs in. */
static void
session_drop(struct watch *watch, struct session *session)
{
	struct watched *endpoint = session->endpoint;

	HASH_DEL(watch->sessions, session);
	heap_remove(&endpoint->server->budget.resting, &session->by_name.node);
	heap_remove(&session->peer->budget.resting, &session->by_address.node);
	session->peer->owners--;
	endpoint->session = NULL;
	free(session);
}

static void
session_gone(struct watch *watch, struct session *session)
{
	struct watched *endpoint = session->endpoint;

	session_drop(watch, session);
	mark_kept(endpoint, false);
	if (endpoint->ready.index != HEAP_OUTSIDE) {
		server_unqueue(endpoint);
		server_enqueue(watch, endpoint);
	}
}

static void
part(struct watch *watch, uint64_t token)
{
	watch_command(watch, &(struct watch_command){ .kind = WATCH_PART, .token = token });
}

void
kept_part(struct watch *watch, struct watched *endpoint)
{
	if (endpoint->session) {
		part(watch, endpoint->session->token);
		session_drop(watch, endpoint->session);
	}
	mark_kept(endpoint, false);
}

void
kept_expire(struct watched *endpoint)
{
	if (endpoint->session)
		endpoint->session->is_over = true;
}

bool
kept_needs_login(const struct watch *watch, const struct watched *endpoint)
{
	const struct session *session = endpoint->session;

	if (!endpoint->account)
		return false;
	/* Where the login itself is the matter, the session says nothing. */
	if (!session || session->is_over || endpoint->is_sibling || endpoint->has_permit)
		return true;
	return mono_since(watch->now, session->since) + turn_us(endpoint) > keep_us(endpoint);
}

/* The one whose next turn is furthest off. */
static struct session *
next_to_give_way(const struct budget *budget)
{
	struct heap_node *top = heap_top(&budget->resting);

	return top ? CONTAINER_OF(top, struct resting, node)->session : NULL;
}

struct session *
kept_choose(struct watch *watch, const struct watched *endpoint, struct watch_command *command)
{
	const struct server *server = endpoint->server;
	struct session *session = endpoint->session;

	command->may_keep = may_keep(endpoint);
	if (!session && budget_is_full(&server->budget))
		session = next_to_give_way(&server->budget);
	if (!session) {
		kept_make_room(watch, &server->peer->budget);
		return NULL;
	}
	command->session = session->token;
	command->uses_session = session == endpoint->session && !session->is_over &&
				endpoint->ready_kind == READY_FREE;
	return session;
}

void
kept_begin(struct watch *watch, struct probe *probe, struct session *session, bool uses_session)
{
	if (!session)
		return;
	if (session->endpoint != probe->endpoint) {
		session_gone(watch, session);
		return;
	}
	probe->uses_session = uses_session;
	probe->session_since = session->since;
	session_drop(watch, session);
}

/* In the heaps of those that may have to give way. */
static enum err
rest(struct session *session)
{
	int64_t key = -session->endpoint->wanted.us;
	enum err err =
		heap_put(&session->endpoint->server->budget.resting, &session->by_name.node, key);

	return err == ERR_OK
		       ? heap_put(&session->peer->budget.resting, &session->by_address.node, key)
		       : err;
}

void
kept_replan(struct watched *endpoint)
{
	if (endpoint->session && rest(endpoint->session) != ERR_OK)
		abort(); /* it stands in both heaps already */
}

static bool
session_add(struct watch *watch, struct watched *endpoint, const struct probe *probe, mono_t since)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return false;
	session->token = probe->token;
	session->endpoint = endpoint;
	session->peer = probe->peer;
	session->since = since;
	session->by_name.session = session->by_address.session = session;
	heap_node_init(&session->by_name.node);
	heap_node_init(&session->by_address.node);
	HASH_ADD(hh, watch->sessions, token, sizeof(session->token), session);
	if (!session->hh.tbl) {
		free(session);
		return false;
	}
	session->peer->owners++;
	endpoint->session = session;
	if (rest(session) == ERR_OK)
		return true;
	session_drop(watch, session);
	return false;
}

void
kept_judged(struct watch *watch, const struct probe *probe, bool is_kept, enum login login)
{
	struct watched *endpoint = probe->is_stale ? NULL : probe->endpoint;
	bool is_old = probe->uses_session && login != LOGIN_ACCEPTED;
	bool is_wanted =
		is_kept && endpoint && may_keep(endpoint) &&
		session_add(watch, endpoint, probe, is_old ? probe->session_since : probe->start);

	if (is_kept && !is_wanted)
		part(watch, probe->token);
	if (!endpoint)
		return;
	mark_kept(endpoint, is_wanted);
	kept_fit(watch, &endpoint->server->budget);
	kept_fit(watch, &probe->peer->budget);
}

static void
give_way(struct watch *watch, struct session *session)
{
	part(watch, session->token);
	session_gone(watch, session);
}

void
kept_fit(struct watch *watch, struct budget *budget)
{
	while (budget->resting.count > 0 &&
		budget->in_flight + budget->resting.count > budget->connections)
		give_way(watch, next_to_give_way(budget));
}

void
kept_make_room(struct watch *watch, struct budget *budget)
{
	if (budget->resting.count > 0 && budget_is_full(budget))
		give_way(watch, next_to_give_way(budget));
}

void
kept_lost(struct watch *watch, uint64_t token)
{
	struct session *session;

	HASH_FIND(hh, watch->sessions, &token, sizeof(token), session);
	if (session)
		session_gone(watch, session);
}

void
kept_clear(struct watch *watch)
{
	struct session *session, *next;

	HASH_ITER (hh, watch->sessions, session, next)
		session_drop(watch, session);
}
