/*
 * configure.c: settings come, first or anew. Layer: watch, pure.
 *
 * In two halves: all that needs memory is made first, then what changed is applied, which cannot fail; so settings that
 * find no memory change nothing.
 */
#include "watch/inside.h"

#include "base/hash.h"

#include <stdlib.h>

#define FEW_FIRSTS ((size_t)60) /* so many are probed at once, one a second at least */

/* What was made for one mailbox of the settings. */
struct plan {
	const struct watch_mailbox *wanted;
	struct mailbox *mailbox;
	bool is_new;
	char *address;
	struct labels labels;
	struct watched *made[SIDE_COUNT];
	struct server *servers[SIDE_COUNT];
	struct account *accounts[SIDE_COUNT];
};

void
watched_free(struct watched *endpoint)
{
	if (!endpoint)
		return;
	verdict_free(endpoint->verdict);
	free(endpoint->requests);
	free(endpoint);
}

void
mailbox_free(struct mailbox *mailbox)
{
	if (!mailbox)
		return;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		watched_free(mailbox->sides[side]);
	labels_done(&mailbox->labels);
	free(mailbox->name);
	free(mailbox->address);
	free(mailbox);
}

/* ---- the first half */

static struct watched *
watched_new(const char *name, enum side side)
{
	struct watched *endpoint = calloc(1, sizeof(*endpoint));
	char *key = row_endpoint_key(name, side);

	if (!endpoint || !key) {
		free(endpoint);
		free(key);
		return NULL;
	}
	endpoint->side = side;
	endpoint->hash = hash_bytes(bytes_of(key), 0);
	endpoint->state = ENDPOINT_UNKNOWN;
	endpoint->part = PART_UNKNOWN;
	endpoint->start = MONO_NEVER;
	endpoint->is_first = true;
	heap_node_init(&endpoint->due);
	heap_node_init(&endpoint->ready);
	heap_node_init(&endpoint->judge);
	free(key);
	return endpoint;
}

static struct mailbox *
mailbox_new(const char *name)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox || !(mailbox->name = strdup(name))) {
		free(mailbox);
		return NULL;
	}
	mailbox->is_enabled = true;
	heap_node_init(&mailbox->pause);
	return mailbox;
}

static void
plan_done(struct watch *watch, struct plan *plan)
{
	if (plan->is_new)
		mailbox_free(plan->mailbox);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		watched_free(plan->made[side]);
		if (plan->servers[side])
			server_drop(watch, plan->servers[side]);
	}
	labels_done(&plan->labels);
	free(plan->address);
}

static enum err
plan_side(struct watch *watch, struct plan *plan, enum side side)
{
	const struct watch_endpoint *wanted = &plan->wanted->sides[side];

	if (!wanted->is_present)
		return ERR_OK;
	if (!plan->mailbox->sides[side])
		plan->made[side] = watched_new(plan->wanted->name, side);
	if (!plan->mailbox->sides[side] && !plan->made[side])
		return ERR_MEMORY;
	plan->servers[side] = server_get(watch, wanted->host);
	if (!plan->servers[side])
		return ERR_MEMORY;
	plan->servers[side]->owners++; /* the plan's, until plan_done() */
	if (bytes_is_empty(wanted->account))
		return ERR_OK;
	plan->accounts[side] = account_get(watch, wanted->account);
	return plan->accounts[side] ? ERR_OK : ERR_MEMORY;
}

static enum err
plan_mailbox(struct watch *watch, const struct watch_mailbox *wanted, struct plan *plan)
{
	plan->wanted = wanted;
	HASH_FIND_STR(watch->by_name, wanted->name, plan->mailbox);
	if (!plan->mailbox) {
		plan->mailbox = mailbox_new(wanted->name);
		plan->is_new = plan->mailbox != NULL;
	}
	if (!plan->mailbox)
		return ERR_MEMORY;
	if (wanted->address && !(plan->address = strdup(wanted->address)))
		return ERR_MEMORY;
	if (wanted->labels && labels_copy(wanted->labels, &plan->labels) != ERR_OK)
		return ERR_MEMORY;
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		enum err err = plan_side(watch, plan, (enum side)side);

		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static enum err
heap_make_room(struct heap *heap, size_t room)
{
	struct heap_node **nodes;

	if (heap->room >= room)
		return ERR_OK;
	nodes = reallocarray(heap->nodes, room, sizeof(struct heap_node *));
	if (!nodes)
		return ERR_MEMORY;
	heap->nodes = nodes;
	heap->room = room;
	return ERR_OK;
}

static enum err
make_room(struct watch *watch, size_t mailboxes)
{
	size_t endpoints = SIDE_COUNT * (watch->used + mailboxes);

	if (watch->used + mailboxes > watch->room) {
		struct mailbox **grown = reallocarray(
			watch->mailboxes, watch->used + mailboxes, sizeof(struct mailbox *));

		if (!grown)
			return ERR_MEMORY;
		watch->mailboxes = grown;
		watch->room = (uint32_t)(watch->used + mailboxes);
	}
	if (heap_make_room(&watch->due, endpoints) != ERR_OK ||
		heap_make_room(&watch->judges, endpoints) != ERR_OK ||
		heap_make_room(&watch->pauses, watch->used + mailboxes) != ERR_OK ||
		heap_make_room(&watch->turns, HASH_COUNT(watch->servers)) != ERR_OK)
		return ERR_MEMORY;
	return ERR_OK;
}

/* ---- the second half */

static void
apply_limits(struct watch *watch, const struct watch_settings *settings)
{
	struct server *server, *next;

	watch->limits = settings->limits;
	if (watch->limits.in_flight == 0)
		watch->limits.in_flight = 1;
	HASH_ITER (hh, watch->servers, server, next)
		server->has_limits = false;
	for (size_t i = 0; i < settings->server_count; i++) {
		const struct watch_server *wanted = &settings->servers[i];

		HASH_FIND_STR(watch->servers, wanted->host, server);
		if (!server)
			continue;
		server->has_limits = true;
		server_limits(watch, server, wanted->connections, wanted->logins_per_minute);
	}
	HASH_ITER (hh, watch->servers, server, next) {
		if (!server->has_limits)
			server_limits(watch, server, watch->limits.connections,
				watch->limits.logins_per_minute);
	}
}

/* Takes the endpoint out of everything; the probe in flight goes on, and its login still counts. */
static void
detach(struct watch *watch, struct watched *endpoint)
{
	schedule_remove(watch, endpoint);
	if (!mailbox_is_off(endpoint->mailbox))
		server_leave(watch, endpoint);
	if (endpoint->account)
		account_leave(watch, endpoint);
	server_drop(watch, endpoint->server);
	endpoint->server = NULL;
}

static void
attach(struct watch *watch, struct watched *endpoint, struct server *server, struct account *account,
	const struct watch_rules *rules)
{
	endpoint->rules = *rules;
	endpoint->server = server;
	server->owners++;
	if (account)
		account_join(account, endpoint);
	if (!mailbox_is_off(endpoint->mailbox))
		server_join(watch, endpoint);
}

static void
endpoint_end(struct watch *watch, struct watched *endpoint)
{
	detach(watch, endpoint);
	heap_remove(&watch->judges, &endpoint->judge);
	schedule_requests_done(watch, endpoint);
	if (endpoint->probe) {
		endpoint->probe->endpoint = NULL;
		endpoint->probe->is_stale = true;
	}
	watch->firsts_missing -= endpoint->is_first;
	watch->suspects -= endpoint->state == ENDPOINT_SUSPECT;
	watch->incidents_open -= ulid_is_set(endpoint->incident);
	endpoint->mailbox->sides[endpoint->side] = NULL;
	watched_free(endpoint);
}

static void
mailbox_end(struct watch *watch, struct mailbox *mailbox)
{
	bool is_failing = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct watched *endpoint = mailbox->sides[side];

		is_failing |= endpoint && ulid_is_set(endpoint->incident);
	}
	if (mailbox->is_paused)
		tell_person(watch, EVENT_RESUME, mailbox, WALL_NONE, NULL, "the mailbox was removed");
	if (is_failing)
		tell_removed(watch, mailbox);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		char *key = row_endpoint_key(mailbox->name, (enum side)side);

		if (mailbox->sides[side] && key)
			row_forget(watch, ROW_ENDPOINT, key);
		free(key);
		if (mailbox->sides[side])
			endpoint_end(watch, mailbox->sides[side]);
	}
	row_forget(watch, ROW_MAILBOX, mailbox->name);
	mailbox_uncount(watch, mailbox);
	heap_remove(&watch->pauses, &mailbox->pause);
	watch->mailboxes[mailbox->index] = NULL;
	HASH_DEL(watch->by_name, mailbox);
	mailbox_free(mailbox);
}

static bool
rules_equal(const struct watch_rules *a, const struct watch_rules *b)
{
	return a->interval_us == b->interval_us && a->retry_interval_us == b->retry_interval_us &&
		a->retry_max_us == b->retry_max_us && a->confirm == b->confirm &&
		a->recover == b->recover;
}

/* The state that the store had for it. */
static void
claim_endpoint(struct watch *watch, struct watched *endpoint)
{
	char *key = row_endpoint_key(endpoint->mailbox->name, endpoint->side);
	struct stored *stored = key ? stored_find(watch, key) : NULL;

	free(key);
	if (!stored)
		return;
	endpoint->state = stored->endpoint.state;
	endpoint->part = stored->endpoint.part;
	endpoint->since = stored->endpoint.since;
	endpoint->has_cause = stored->endpoint.has_cause;
	endpoint->cause = stored->endpoint.cause;
	endpoint->stage = stored->endpoint.stage;
	endpoint->incident = stored->endpoint.incident;
	endpoint->incident_since = stored->endpoint.incident_since;
	endpoint->is_unknown_told = stored->endpoint.is_unknown_told;
	endpoint->last_ok = stored->endpoint.last_ok;
	endpoint->last_probe = stored->endpoint.last_probe;
	endpoint->verdict = stored->endpoint.verdict;
	stored->endpoint.verdict = NULL;
	watch->incidents_open += ulid_is_set(endpoint->incident);
	stored_free(watch, stored);
}

static void
claim_mailbox(struct watch *watch, struct mailbox *mailbox)
{
	struct stored *stored = stored_find(watch, mailbox->name);

	if (!stored)
		return;
	memcpy(mailbox->parts, stored->parts, sizeof(mailbox->parts));
	mailbox->since = stored->since;
	mailbox->is_paused = stored->is_paused;
	mailbox->paused_until = stored->paused_until;
	if (stored->is_paused && wall_is_set(stored->paused_until) &&
		heap_put(&watch->pauses, &mailbox->pause, stored->paused_until.us) != ERR_OK)
		abort(); /* make_room() */
	stored_free(watch, stored);
}

static void
begin_endpoint(struct watch *watch, struct plan *plan, enum side side, struct watched **first)
{
	struct watched *endpoint = plan->made[side];

	plan->made[side] = NULL;
	plan->mailbox->sides[side] = endpoint;
	endpoint->mailbox = plan->mailbox;
	endpoint->since = watch->wall;
	claim_endpoint(watch, endpoint);
	watch->firsts_missing++;
	attach(watch, endpoint, plan->servers[side], plan->accounts[side],
		&plan->wanted->sides[side].rules);
	schedule_judge(watch, endpoint);
	if (endpoint->verdict || endpoint->part != PART_UNKNOWN) {
		endpoint->reason = NEXT_INTERVAL;
	} else {
		endpoint->reason = NEXT_FIRST;
		*first = endpoint;
	}
}

/* What stays, with other settings. True: something of it changed. */
static bool
change_endpoint(struct watch *watch, struct plan *plan, enum side side)
{
	struct watched *endpoint = plan->mailbox->sides[side];
	const struct watch_endpoint *wanted = &plan->wanted->sides[side];
	bool is_moved = endpoint->server != plan->servers[side] ||
		endpoint->account != plan->accounts[side] || wanted->is_changed;
	bool is_paced = endpoint->rules.interval_us != wanted->rules.interval_us;
	bool is_same = rules_equal(&endpoint->rules, &wanted->rules);

	if (!is_moved && is_same)
		return false;
	if (is_moved || is_paced) {
		detach(watch, endpoint);
		attach(watch, endpoint, plan->servers[side], plan->accounts[side], &wanted->rules);
	}
	endpoint->rules = wanted->rules;
	if (is_moved)
		endpoint->has_refusal = false;
	if (is_moved && endpoint->probe) {
		endpoint->probe->is_stale = true; /* H4-12: no old verdict on new settings */
		endpoint->is_again = true;
	} else if (is_moved) {
		schedule_first(watch, endpoint);
	} else if (endpoint->state == ENDPOINT_OK || endpoint->state == ENDPOINT_UNKNOWN) {
		schedule_regular(watch, endpoint);
	} else {
		schedule_retry(watch, endpoint, 0);
	}
	return true;
}

static bool
apply_sides(struct watch *watch, struct plan *plan, struct watched *firsts[SIDE_COUNT])
{
	bool is_changed = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *there = plan->mailbox->sides[side];

		if (plan->made[side]) {
			begin_endpoint(watch, plan, (enum side)side, &firsts[side]);
			is_changed = true;
		} else if (there && !plan->wanted->sides[side].is_present) {
			char *key = row_endpoint_key(plan->mailbox->name, (enum side)side);

			if (key)
				row_forget(watch, ROW_ENDPOINT, key);
			free(key);
			endpoint_end(watch, there);
			is_changed = true;
		} else if (there) {
			is_changed |= change_endpoint(watch, plan, (enum side)side);
		}
	}
	return is_changed;
}

static bool
labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
			strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	}
	return true;
}

/* Begins, or ends, the watch over a mailbox whose `enabled` changed. */
static void
apply_enabled(struct watch *watch, struct mailbox *mailbox, bool is_enabled)
{
	if (mailbox->is_enabled == is_enabled)
		return;
	if (mailbox->is_paused)
		mailbox->is_enabled = is_enabled;
	else if (is_enabled)
		mailbox_on(watch, mailbox, &mailbox->is_enabled, true);
	else
		mailbox_off(watch, mailbox, &mailbox->is_enabled, false);
}

static bool
apply_mailbox(struct watch *watch, struct plan *plan, struct watched *firsts[SIDE_COUNT])
{
	struct mailbox *mailbox = plan->mailbox;
	const struct watch_mailbox *wanted = plan->wanted;
	bool is_changed = mailbox->is_enabled != wanted->is_enabled ||
		!labels_equal(&mailbox->labels, &plan->labels) ||
		strcmp(mailbox->address ? mailbox->address : "",
			plan->address ? plan->address : "") != 0;

	free(mailbox->address);
	mailbox->address = plan->address;
	plan->address = NULL;
	labels_done(&mailbox->labels);
	mailbox->labels = plan->labels;
	plan->labels = (struct labels){ 0 };
	if (plan->is_new) {
		plan->is_new = false;
		mailbox->is_enabled = wanted->is_enabled;
		claim_mailbox(watch, mailbox);
	}
	is_changed |= apply_sides(watch, plan, firsts);
	apply_enabled(watch, mailbox, wanted->is_enabled);
	return is_changed;
}

/* Parts before the first settle: what the row said, or unknown for what is there. */
static void
settle_new(struct watch *watch, struct mailbox *mailbox)
{
	bool had_row = wall_is_set(mailbox->since), was_off = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];

		if (!had_row)
			mailbox->parts[side] = endpoint ? PART_UNKNOWN : PART_NONE;
		if (!endpoint || mailbox_is_off(mailbox))
			continue;
		if (mailbox->parts[side] == PART_PAUSED) {
			was_off = true;
			state_forget(watch, endpoint);
		} else if (mailbox->parts[side] == PART_FAILING && endpoint->part == PART_UNKNOWN) {
			endpoint->is_unknown_told = true; /* its row is lost: what was told gets an end */
		}
	}
	if (!had_row)
		mailbox->since = watch->wall;
	if (!had_row || was_off || mailbox_is_off(mailbox))
		mailbox_settle_quietly(watch, mailbox);
	else
		mailbox_settle(watch, mailbox, NULL);
}

/* Those that the store knew and the settings do not (H6-09): what was open ends, told once. */
static void
end_stored(struct watch *watch)
{
	struct stored *stored, *next, *whole;

	HASH_ITER (hh, watch->stored, stored, next) {
		char *slash = strchr(stored->key, '/'), *other;
		enum part was[SIDE_COUNT] = { PART_NONE, PART_NONE };
		struct mailbox *mailbox;

		row_forget(watch, stored->kind, stored->key);
		if (stored->kind != ROW_ENDPOINT || !ulid_is_set(stored->endpoint.incident))
			continue;
		*slash = '\0';
		HASH_FIND_STR(watch->by_name, stored->key, mailbox);
		whole = stored_find(watch, stored->key);
		was[stored->endpoint.side] = stored->endpoint.part;
		if (whole)
			memcpy(was, whole->parts, sizeof(was));
		if (!mailbox && !stored->is_told)
			tell_stored_removed(watch, stored->key, was, &stored->endpoint);
		other = row_endpoint_key(stored->key, 1 - stored->endpoint.side);
		*slash = '/';
		whole = other ? stored_find(watch, other) : NULL;
		if (whole)
			whole->is_told = true;
		free(other);
	}
	HASH_ITER (hh, watch->stored, stored, next)
		stored_free(watch, stored);
}

static bool
join_name(struct watch *watch, struct plan *plan)
{
	struct mailbox *mailbox = plan->mailbox;

	HASH_ADD_KEYPTR(hh, watch->by_name, mailbox->name, strlen(mailbox->name), mailbox);
	if (!mailbox->hh.tbl)
		return false;
	while (watch->free_from < watch->used && watch->mailboxes[watch->free_from])
		watch->free_from++;
	mailbox->index = watch->free_from;
	watch->mailboxes[watch->free_from] = mailbox;
	if (watch->free_from == watch->used)
		watch->used++;
	return true;
}

/* Undoes the first half. */
static void
give_up(struct watch *watch, struct plan *plans, size_t count, size_t joined)
{
	struct account *account, *next_account;

	for (size_t i = 0; i < joined; i++) {
		if (!plans[i].is_new)
			continue;
		HASH_DEL(watch->by_name, plans[i].mailbox);
		watch->mailboxes[plans[i].mailbox->index] = NULL;
	}
	for (size_t i = 0; i < count; i++)
		plan_done(watch, &plans[i]);
	free(plans);
	HASH_ITER (hh, watch->accounts, account, next_account) {
		if (!account->endpoints && !account->has_row && !account->logins)
			account_free(watch, account);
	}
}

/* The sides that begin: by phase where a verdict of them is stored, else at once. */
static void
schedule_begun(struct watch *watch, struct watched *const *begun, size_t count)
{
	size_t firsts = 0;

	for (size_t i = 0; i < count; i++)
		firsts += begun[i]->reason == NEXT_FIRST;
	for (size_t i = 0; i < count; i++) {
		if (begun[i]->reason != NEXT_FIRST)
			schedule_regular(watch, begun[i]);
		else if (firsts <= FEW_FIRSTS)
			schedule_first(watch, begun[i]);
		else
			schedule_first_of_many(watch, begun[i]);
	}
}

enum err
watch_configure(struct watch *watch, mono_t now, wall_t wall, const struct watch_settings *settings,
	struct watch_changes *changes)
{
	size_t count = settings->mailbox_count, joined = 0, begun_count = 0;
	struct plan *plans = calloc(count + 1, sizeof(*plans));
	struct watched **begun = calloc(SIDE_COUNT * count + 1, sizeof(struct watched *));
	struct mailbox *mailbox, *next;
	enum err err = plans && begun ? ERR_OK : ERR_MEMORY;

	watch_enter(watch, now, wall);
	*changes = (struct watch_changes){ 0 };
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = plan_mailbox(watch, &settings->mailboxes[i], &plans[i]);
	if (err == ERR_OK)
		err = make_room(watch, count);
	watch->free_from = 0;
	for (; joined < count && err == ERR_OK; joined++) {
		if (plans[joined].is_new && !join_name(watch, &plans[joined]))
			err = ERR_MEMORY;
	}
	if (err != ERR_OK) {
		if (plans)
			give_up(watch, plans, count, joined);
		free(begun);
		return err;
	}
	if (!watch->is_configured) {
		watch->grid_us = wall.us - now.us;
		watch->first_next = now;
		row_forget_clean(watch);
	}
	apply_limits(watch, settings);
	HASH_ITER (hh, watch->by_name, mailbox, next)
		mailbox->is_seen = false;
	for (size_t i = 0; i < count; i++)
		plans[i].mailbox->is_seen = true;
	HASH_ITER (hh, watch->by_name, mailbox, next) {
		if (mailbox->is_seen)
			continue;
		mailbox_end(watch, mailbox);
		changes->removed++;
	}
	for (size_t i = 0; i < count; i++) {
		struct watched *firsts[SIDE_COUNT] = { NULL, NULL };
		bool is_new = plans[i].is_new, is_changed;

		is_changed = apply_mailbox(watch, &plans[i], firsts);
		changes->added += is_new;
		changes->changed += !is_new && is_changed;
		changes->unchanged += !is_new && !is_changed;
		if (is_new)
			settle_new(watch, plans[i].mailbox);
		else
			mailbox_settle(watch, plans[i].mailbox, NULL);
		for (size_t side = 0; side < SIDE_COUNT; side++) {
			struct watched *endpoint = plans[i].mailbox->sides[side];

			if (endpoint && (is_new || firsts[side]))
				begun[begun_count++] = endpoint;
		}
		plan_done(watch, &plans[i]);
	}
	schedule_begun(watch, begun, begun_count);
	end_stored(watch);
	account_sweep(watch);
	watch->is_configured = true;
	free(begun);
	free(plans);
	watch_tick(watch, now, wall);
	return ERR_OK;
}
