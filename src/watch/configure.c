/*
 * configure.c: settings come, first or anew. Layer: watch, pure.
 *
 * In two halves: all that needs memory is made first, then what changed is applied, which cannot
 * fail; so settings that find no memory change nothing. Not here: the second half (apply.c,
 * claim.c).
 */
#include "watch/plan.h"

#include "base/hash.h"

#include <stdlib.h>

#define FEW_FIRSTS ((size_t)60) /* so many are probed at once, one a second at least */

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
	heap_node_init(&mailbox->pause_cap);
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

enum err
configure_room_for_servers(struct watch *watch)
{
	size_t count = HASH_COUNT(watch->servers);

	if (heap_make_room(&watch->slowed, count) != ERR_OK ||
		heap_make_room(&watch->turns[TURN_WELL], count) != ERR_OK ||
		heap_make_room(&watch->turns[TURN_HUNG], count) != ERR_OK)
		return ERR_MEMORY;
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
		heap_make_room(&watch->pause_caps, watch->used + mailboxes) != ERR_OK ||
		configure_room_for_servers(watch) != ERR_OK)
		return ERR_MEMORY;
	return ERR_OK;
}

/* ---- both halves */

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
		if (!account->endpoints && !account->has_row && !account->logins &&
			account->probes == 0)
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

/* The first half for all of them. */
static enum err
prepare(struct watch *watch, const struct watch_settings *settings, struct plan *plans,
	size_t *joined)
{
	size_t count = settings->mailbox_count;
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = plan_mailbox(watch, &settings->mailboxes[i], &plans[i]);
	if (err == ERR_OK)
		err = make_room(watch, count);
	watch->free_from = 0;
	for (; *joined < count && err == ERR_OK; ++*joined) {
		if (plans[*joined].is_new && !join_name(watch, &plans[*joined]))
			return ERR_MEMORY;
	}
	return err;
}

static void
remove_unseen(
	struct watch *watch, const struct plan *plans, size_t count, struct watch_changes *changes)
{
	struct mailbox *mailbox, *next;

	HASH_ITER (hh, watch->by_name, mailbox, next)
		mailbox->is_seen = false;
	for (size_t i = 0; i < count; i++)
		plans[i].mailbox->is_seen = true;
	HASH_ITER (hh, watch->by_name, mailbox, next) {
		if (mailbox->is_seen)
			continue;
		apply_removal(watch, mailbox);
		changes->removed++;
	}
}

/* The second half for one; the sides that begin are put behind begun[]. */
static void
apply_plan(struct watch *watch, struct plan *plan, struct watched **begun, size_t *begun_count,
	struct watch_changes *changes)
{
	struct watched *firsts[SIDE_COUNT] = { NULL, NULL };
	bool is_new = plan->is_new;
	bool is_changed = apply_mailbox(watch, plan, firsts);

	changes->added += is_new;
	changes->changed += !is_new && is_changed;
	changes->unchanged += !is_new && !is_changed;
	if (is_new)
		apply_settle(watch, plan->mailbox);
	else
		mailbox_settle(watch, plan->mailbox, NULL);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = plan->mailbox->sides[side];

		if (endpoint && (is_new || firsts[side]))
			begun[(*begun_count)++] = endpoint;
	}
	plan_done(watch, plan);
}

static void
sweep(struct watch *watch)
{
	account_sweep(watch);
	certificates_sweep(watch);
	peers_sweep(watch);
}

/* is_whole: what settings do not name is gone. */
static enum err
configure(struct watch *watch, const struct watch_settings *settings, bool is_whole,
	struct watch_changes *changes)
{
	size_t count = settings->mailbox_count, joined = 0, begun_count = 0;
	struct plan *plans = calloc(count + 1, sizeof(*plans));
	struct watched **begun = calloc(SIDE_COUNT * count + 1, sizeof(struct watched *));
	enum err err = plans && begun ? ERR_OK : ERR_MEMORY;

	*changes = (struct watch_changes){ 0 };
	if (err == ERR_OK)
		err = prepare(watch, settings, plans, &joined);
	if (err != ERR_OK) {
		if (plans)
			give_up(watch, plans, count, joined);
		free(begun);
		return err;
	}
	if (!watch->is_configured) {
		watch->grid_us = watch->wall.us - watch->now.us;
		watch->began = watch->now;
		watch->first_next = watch->now;
		row_forget_clean(watch);
	}
	apply_limits(watch, settings);
	if (is_whole)
		remove_unseen(watch, plans, count, changes);
	for (size_t i = 0; i < count; i++)
		apply_plan(watch, &plans[i], begun, &begun_count, changes);
	schedule_begun(watch, begun, begun_count);
	if (is_whole)
		claim_rest(watch);
	watch->sweep_at = watch->now;
	watch->is_configured = true;
	free(begun);
	free(plans);
	watch_tick(watch, watch->now, watch->wall);
	return ERR_OK;
}

enum err
watch_configure(struct watch *watch, mono_t now, wall_t wall, const struct watch_settings *settings,
	struct watch_changes *changes)
{
	watch_enter(watch, now, wall);
	return configure(watch, settings, true, changes);
}

enum err
watch_put(struct watch *watch, mono_t now, wall_t wall, const struct watch_settings *settings,
	struct watch_changes *changes)
{
	watch_enter(watch, now, wall);
	return configure(watch, settings, false, changes);
}

bool
watch_remove(struct watch *watch, mono_t now, wall_t wall, struct bytes name)
{
	struct mailbox *mailbox;

	watch_enter(watch, now, wall);
	HASH_FIND(hh, watch->by_name, name.at, name.len, mailbox);
	if (!mailbox)
		return false;
	apply_removal(watch, mailbox);
	sweep(watch);
	watch_tick(watch, now, wall);
	return true;
}
