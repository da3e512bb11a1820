/*
 * watch.c: its life, the list of commands, time, verdicts, the daemon's own events. Layer: watch,
 * pure. Not here: settings (configure.c), when (schedule.c, server.c), logins (account.c), states
 * (state.c), people (ask.c).
 */
#include "watch/inside.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

#define HELD_AHEAD_MOST_US (2 * US_PER_D)
#define COMMANDS_LEAST ((size_t)64)
/* A call that comes later than this after its time: our loop or machine lost the time (suspend,
 * SIGSTOP). */
#define LOST_LEAST_US (30 * US_PER_S)

enum err
watch_new(const uint8_t seed[32], struct watch **out)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return ERR_MEMORY;
	memcpy(watch->seed, seed, sizeof(watch->seed));
	watch->expected = watch->sweep_at = MONO_NEVER;
	*out = watch;
	return ERR_OK;
}

static void
command_done(struct watch_command *command)
{
	alert_free(command->event);
	free(command->key);
	free(command->value);
}

void
watch_free(struct watch *watch)
{
	struct mailbox *mailbox, *next_mailbox;
	struct server *server, *next_server;
	struct account *account, *next_account;
	struct probe *probe, *next_probe;
	struct request *request, *next_request;
	struct stored *stored, *next_stored;
	struct leaf_place *place, *next_place;
	struct watch_command command;

	if (!watch)
		return;
	while (watch_next(watch, &command))
		command_done(&command);
	kept_clear(watch);
	HASH_ITER (hh, watch->probes, probe, next_probe) {
		HASH_DEL(watch->probes, probe);
		free(probe);
	}
	HASH_ITER (hh, watch->by_name, mailbox, next_mailbox) {
		HASH_DEL(watch->by_name, mailbox);
		mailbox_free(mailbox);
	}
	peers_free(watch);
	HASH_ITER (hh, watch->servers, server, next_server) {
		HASH_DEL(watch->servers, server);
		server_free(server);
	}
	HASH_ITER (hh, watch->accounts, account, next_account)
		account_free(watch, account);
	HASH_ITER (hh, watch->requests, request, next_request) {
		HASH_DEL(watch->requests, request);
		free(request);
	}
	HASH_ITER (hh, watch->stored, stored, next_stored)
		stored_free(watch, stored);
	HASH_ITER (hh, watch->leaf_places, place, next_place)
		leaf_place_free(watch, place);
	for (size_t i = 0; i < TROUBLE_COUNT; i++)
		free(watch->troubles[i].detail);
	heap_done(&watch->due);
	heap_done(&watch->turns[TURN_WELL]);
	heap_done(&watch->turns[TURN_HUNG]);
	heap_done(&watch->judges);
	heap_done(&watch->paced);
	heap_done(&watch->pauses);
	heap_done(&watch->pause_caps);
	heap_done(&watch->slowed);
	free(watch->mailboxes);
	free(watch->commands);
	free(watch);
}

/* ---- commands */

bool
watch_command(struct watch *watch, const struct watch_command *command)
{
	if (watch->command_first + watch->command_count == watch->command_room) {
		size_t room = watch->command_room ? 2 * watch->command_room : COMMANDS_LEAST;
		struct watch_command *commands;

		/* Where the front half is free, moving does. */
		if (watch->command_first > watch->command_room / 2) {
			memmove(watch->commands, watch->commands + watch->command_first,
				watch->command_count * sizeof(*command));
			watch->command_first = 0;
		} else {
			commands = reallocarray(watch->commands, room, sizeof(*command));
			if (!commands) {
				struct watch_command lost = *command;

				command_done(&lost);
				return false;
			}
			watch->commands = commands;
			watch->command_room = room;
		}
	}
	watch->commands[watch->command_first + watch->command_count++] = *command;
	return true;
}

bool
watch_next(struct watch *watch, struct watch_command *out)
{
	if (watch->command_count == 0)
		return false;
	*out = watch->commands[watch->command_first++];
	if (--watch->command_count == 0)
		watch->command_first = 0;
	return true;
}

struct ulid
watch_id(struct watch *watch, wall_t wall)
{
	uint8_t random[16];
	struct bytes seed = { (const char *)watch->seed, sizeof(watch->seed) };

	for (size_t i = 0; i < 2; i++) {
		uint64_t chance = hash_bytes(seed, ++watch->chances);

		memcpy(random + 8 * i, &chance, sizeof(chance));
	}
	return ulid_next(&watch->ids, wall, random);
}

/* ---- time and verdicts */

/* Until the first configure `held` has the newest time of the store: one that is far ahead is no
 * time that was. */
static void
hold_time(struct watch *watch, mono_t now, wall_t wall)
{
	bool was_back = watch->is_configured &&
			wall.us - now.us < watch->wall.us - watch->now.us - US_PER_S;

	if (watch->is_configured)
		watch->held = wall_add(watch->held, mono_since(now, watch->now));
	else if (watch->held.us - wall.us > HELD_AHEAD_MOST_US)
		watch->held = wall;
	if (watch->held.us < wall.us)
		watch->held = wall;
	if (was_back) {
		watch->wall = wall;
		slow_clamp(watch);
	}
}

void
watch_enter(struct watch *watch, mono_t now, wall_t wall)
{
	if (watch->expected.us != INT64_MAX) {
		int64_t late = mono_since(now, watch->expected);

		watch->is_late = late > LOST_LEAST_US;
		watch->lost_us += watch->is_late ? late : 0;
	}
	watch->expected = MONO_NEVER; /* a call may be made of several */
	hold_time(watch, now, wall);
	watch->now = now;
	watch->wall = wall;
}

/* What every call that takes `now` ends with. */
static void
leave(struct watch *watch)
{
	mono_t wake;

	schedule_pump(watch);
	wake = watch_wake(watch);
	watch->expected = mono_is_before(wake, watch->now) ? watch->now : wake;
}

void
watch_tick(struct watch *watch, mono_t now, wall_t wall)
{
	watch_enter(watch, now, wall);
	leave(watch);
}

mono_t
watch_wake(const struct watch *watch)
{
	return schedule_wake(watch);
}

void
watch_memory(struct watch *watch, mono_t now, wall_t wall, unsigned probes)
{
	watch_enter(watch, now, wall);
	watch->memory_ceiling = probes;
	leave(watch);
}

static struct probe *
find_probe(const struct watch *watch, uint64_t token)
{
	struct probe *probe;

	HASH_FIND(hh, watch->probes, &token, sizeof(token), probe);
	return probe;
}

void
watch_connect(struct watch *watch, mono_t now, wall_t wall, uint64_t token, const char *address)
{
	struct probe *probe = find_probe(watch, token);

	watch_enter(watch, now, wall);
	if (probe)
		peer_ask(watch, probe, address);
	leave(watch);
}

void
watch_login(struct watch *watch, mono_t now, wall_t wall, uint64_t token,
	struct fingerprint fingerprint)
{
	struct probe *probe = find_probe(watch, token);

	watch_enter(watch, now, wall);
	if (probe && probe->step == STEP_BEFORE) {
		probe->fingerprint = fingerprint;
		server_login(watch, probe);
	}
	leave(watch);
}

/* Which of the 13 buckets of struct watch_figures. */
static size_t
figures_bucket(int64_t us)
{
	static const int64_t bounds_ms[] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 30000,
		60000 };
	size_t bucket = 0;

	while (bucket < COUNT_OF(bounds_ms) && us > bounds_ms[bucket] * US_PER_MS)
		bucket++;
	return bucket;
}

/* The verdict's numbers for metrics. */
static void
count_figures(struct watch *watch, const struct probe *probe, const struct verdict *verdict)
{
	struct watch_figures *figures = &watch->figures;

	if (verdict->is_void)
		return; /* no verdict */
	figures->lateness_buckets[figures_bucket(probe->late_us + verdict->waited_us)]++;
	figures->lateness_sum_us += probe->late_us + verdict->waited_us;
	figures->probes[probe->side][verdict->cause]++;
	for (size_t stage = 0; stage < STAGE_COUNT; stage++) {
		int64_t us = verdict->times_us[stage];

		if (us < 0)
			continue;
		figures->duration_buckets[probe->side][stage][figures_bucket(us)]++;
		figures->duration_sum_us[probe->side][stage] += us;
	}
}

/* Both sides whose last login with this secret was refused are confirmed at once (contract 3). */
static void
confirm_others(struct watch *watch, const struct probe *probe)
{
	struct watched *other = probe->account->endpoints;

	for (; other; other = other->account_next) {
		if (other == probe->endpoint || !other->has_refusal ||
			!fingerprint_equal(other->refused, probe->fingerprint))
			continue;
		state_confirm(watch, other);
		if (!probe->endpoint || other->mailbox != probe->endpoint->mailbox)
			mailbox_settle(watch, other->mailbox, other);
	}
}

/* After a side's first refusal the other one with the same secret is tried at once. */
static void
try_sibling(struct watch *watch, const struct watched *endpoint)
{
	struct watched *other = endpoint->mailbox->sides[1 - endpoint->side];

	if (!other || other->account != endpoint->account || endpoint->account->brake.is_open ||
		other->has_refusal || mailbox_is_off(endpoint->mailbox))
		return;
	other->is_sibling = true;
	other->sibling_until = mono_add(watch->now, 10 * US_PER_M);
	schedule_at(watch, other, watch->now, NEXT_RETRY);
}

/* The login's part of a verdict, then the endpoint's. Returns what is left of the verdict (NULL:
 * taken). */
static struct verdict *
book(struct watch *watch, struct probe *probe, struct verdict *verdict)
{
	struct watched *endpoint = probe->is_stale ? NULL : probe->endpoint;
	bool is_opened = probe->account && probe->step != STEP_ACCEPTED &&
			 account_judged(watch, probe, verdict);
	bool is_refused = verdict->login == LOGIN_REFUSED;
	bool was_sibling;

	if (!endpoint) {
		if (is_opened) {
			confirm_others(watch, probe);
			tell_brake(watch, probe->account, NULL);
		}
		return verdict;
	}
	certificates_seen(watch, endpoint, verdict);
	lacks_seen(watch, endpoint, verdict);
	was_sibling = endpoint->is_sibling;
	endpoint->is_sibling = false;
	if (is_refused) {
		endpoint->has_refusal = true;
		endpoint->refused = probe->fingerprint;
	} else if (verdict->login == LOGIN_ACCEPTED) {
		endpoint->has_refusal = false;
	}
	if (is_opened)
		confirm_others(watch, probe);
	state_judge(watch, endpoint, verdict, is_opened);
	if (is_opened)
		tell_brake(watch, probe->account, endpoint);
	else if (is_refused && !was_sibling)
		try_sibling(watch, endpoint);
	return NULL;
}

void
watch_login_accepted(struct watch *watch, mono_t now, wall_t wall, uint64_t token)
{
	struct probe *probe = find_probe(watch, token);
	const struct verdict accepted = { .login = LOGIN_ACCEPTED };

	watch_enter(watch, now, wall);
	if (probe && probe->account && probe->step == STEP_ALLOWED) {
		(void)account_judged(watch, probe, &accepted);
		probe->step = STEP_ACCEPTED;
		account_settle(watch, probe->account);
	}
	leave(watch);
}

void
watch_session_lost(struct watch *watch, mono_t now, wall_t wall, uint64_t token)
{
	watch_enter(watch, now, wall);
	kept_lost(watch, token);
	leave(watch);
}

void
watch_verdict(struct watch *watch, mono_t now, wall_t wall, uint64_t token, struct verdict *verdict)
{
	struct probe *probe = find_probe(watch, token);
	struct watched *endpoint;

	watch_enter(watch, now, wall);
	if (!probe) {
		verdict_free(verdict);
		leave(watch);
		return;
	}
	HASH_DEL(watch->probes, probe);
	probe->server->pacing -= probe->paced.index != HEAP_OUTSIDE;
	heap_remove(&watch->paced, &probe->paced);
	watch->in_flight--;
	watch->hung_in_flight -= probe->is_hung;
	probe->server->budget.in_flight--;
	probe->peer->budget.in_flight--;
	probe->peer->owners--;
	endpoint = probe->endpoint;
	if (endpoint)
		endpoint->probe = NULL;
	if (verdict->has_fingerprint && probe->step == STEP_BEFORE)
		probe->fingerprint = verdict->fingerprint;
	verdict->is_void |= probe->is_deferred && verdict->login == LOGIN_HELD;
	count_figures(watch, probe, verdict);
	schedule_ceiling(watch, verdict);
	server_judged(watch, probe->server, probe, verdict, endpoint);
	/* Before its next turn is planned, which hangs on that. */
	kept_judged(watch, probe, verdict->is_kept, verdict->login);
	verdict = book(watch, probe, verdict);
	lacks_settle(watch);
	if (endpoint && endpoint->is_again) {
		endpoint->is_again = false;
		if (!mailbox_is_off(endpoint->mailbox))
			schedule_first(watch, endpoint);
	}
	if (probe->account) {
		probe->account->probes--;
		account_settle(watch, probe->account);
		account_drop(watch, probe->account);
	}
	peer_turn(watch, probe->peer);
	server_turn(watch, probe->server);
	server_drop(watch, probe->server);
	verdict_free(verdict);
	free(probe);
	leave(watch);
}

/* ---- the daemon's own events */

struct alert *
watch_event(struct watch *watch, wall_t wall, enum event_kind kind)
{
	struct alert *event = alert_new(kind);

	if (!event)
		return NULL;
	event->id = watch_id(watch, wall);
	event->time = wall;
	return event;
}

void
watch_tell(struct watch *watch, struct alert *event)
{
	watch->figures.events[event->kind]++;
	watch_command(watch, &(struct watch_command){ .kind = WATCH_TELL, .event = event });
}

void
watch_trouble(struct watch *watch, wall_t wall, enum trouble kind, const char *detail)
{
	struct trouble_state *state = &watch->troubles[kind];

	if (state->is_open)
		return;
	watch->wall = wall;
	state->is_open = true;
	state->since = wall;
	free(state->detail);
	state->detail = detail ? strdup(detail) : NULL;
	row_keep_trouble(watch, kind);
	tell_trouble(watch, EVENT_TROUBLE, kind, state);
}

void
watch_trouble_end(struct watch *watch, wall_t wall, enum trouble kind)
{
	struct trouble_state *state = &watch->troubles[kind];

	if (!state->is_open)
		return;
	watch->wall = wall;
	state->is_open = false;
	row_keep_trouble(watch, kind);
	tell_trouble(watch, EVENT_TROUBLE_END, kind, state);
}

bool
watch_has_trouble(const struct watch *watch, enum trouble kind)
{
	return watch->troubles[kind].is_open;
}

void
watch_end(struct watch *watch, wall_t wall)
{
	watch->wall = wall;
	row_keep_clean(watch);
}
