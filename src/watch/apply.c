/*
 * apply.c: settings take effect: what is new begins, what changed moves, what is gone ends. Layer:
 * watch, pure. Nothing here needs memory that could be refused, but for what is told and kept.
 */
#include "watch/plan.h"

#include <stdlib.h>

void
apply_limits(struct watch *watch, const struct watch_settings *settings)
{
	struct server *server, *next;
	bool is_free = watch->ceiling == watch->limits.in_flight; /* also before the first */

	watch->limits = settings->limits;
	if (watch->limits.in_flight == 0)
		watch->limits.in_flight = 1;
	if (is_free || watch->ceiling > watch->limits.in_flight)
		watch->ceiling = watch->limits.in_flight;
	HASH_ITER (hh, watch->servers, server, next)
		server->has_limits = false;
	for (size_t i = 0; i < settings->server_count; i++) {
		const struct watch_server *wanted = &settings->servers[i];

		HASH_FIND_STR(watch->servers, wanted->host, server);
		if (!server)
			continue;
		server->has_limits = true;
		server_known(watch, server, wanted->is_known);
		server_limits(watch, server, wanted->connections, wanted->logins_per_minute);
	}
	HASH_ITER (hh, watch->servers, server, next) {
		if (!server->has_limits) {
			server_known(watch, server, false);
			server_limits(watch, server, watch->limits.connections,
				watch->limits.logins_per_minute);
		}
		if (!watch->is_configured)
			slow_claim(watch, server);
	}
	peers_limits(watch);
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
attach(struct watch *watch, struct watched *endpoint, struct server *server,
	struct account *account, const struct watch_rules *rules)
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
	kept_part(watch, endpoint);
	detach(watch, endpoint);
	heap_remove(&watch->judges, &endpoint->judge);
	schedule_requests_done(watch, endpoint);
	if (endpoint->probe) {
		endpoint->probe->endpoint = NULL;
		endpoint->probe->is_stale = true;
	}
	watch->firsts_missing -= endpoint->is_first;
	lacks_forget(watch, endpoint);
	watch->suspects -= endpoint->state == ENDPOINT_SUSPECT;
	watch->incidents_open -= ulid_is_set(endpoint->incident);
	endpoint->mailbox->sides[endpoint->side] = NULL;
	watched_free(endpoint);
}

void
apply_removal(struct watch *watch, struct mailbox *mailbox)
{
	bool is_failing = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct watched *endpoint = mailbox->sides[side];

		is_failing |= endpoint && ulid_is_set(endpoint->incident);
	}
	if (mailbox->is_paused)
		tell_person(watch, EVENT_RESUME, mailbox, WALL_NONE, WATCH_ITSELF,
			"the mailbox was removed");
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
	heap_remove(&watch->pause_caps, &mailbox->pause_cap);
	watch->mailboxes[mailbox->index] = NULL;
	HASH_DEL(watch->by_name, mailbox);
	mailbox_free(mailbox);
}

static bool
rules_equal(const struct watch_rules *a, const struct watch_rules *b)
{
	return a->interval_us == b->interval_us && a->retry_interval_us == b->retry_interval_us &&
	       a->retry_max_us == b->retry_max_us && a->confirm == b->confirm &&
	       a->recover == b->recover && a->keep_us == b->keep_us &&
	       a->cert_warn_count == b->cert_warn_count &&
	       memcmp(a->cert_warn_s, b->cert_warn_s,
		       a->cert_warn_count * sizeof(a->cert_warn_s[0])) == 0;
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
	endpoint->is_first = !mailbox_is_off(endpoint->mailbox);
	watch->firsts_missing += endpoint->is_first;
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
	bool is_paced = endpoint->rules.interval_us != wanted->rules.interval_us ||
			endpoint->rules.keep_us != wanted->rules.keep_us;
	bool is_same = rules_equal(&endpoint->rules, &wanted->rules);

	if (!is_moved && is_same)
		return false;
	if (endpoint->server != plan->servers[side] || wanted->rules.keep_us == 0)
		kept_part(watch, endpoint);
	else if (is_moved)
		kept_expire(endpoint);
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

bool
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
void
apply_settle(struct watch *watch, struct mailbox *mailbox)
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
			endpoint->is_unknown_told =
				true; /* its row is lost: what was told gets an end */
		}
	}
	if (!had_row)
		mailbox->since = watch->wall;
	if (!had_row || was_off || mailbox_is_off(mailbox))
		mailbox_settle_quietly(watch, mailbox);
	else
		mailbox_settle(watch, mailbox, NULL);
}
