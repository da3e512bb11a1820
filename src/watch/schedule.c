/*
 * schedule.c: when an endpoint is probed: phase, first probes, retries, and the work of one call.
 * Layer: watch, pure. Not here: a server's budgets and its queue (server.c).
 *
 * An endpoint's regular turns lie on a grid: wall time modulo its interval equals the hash of its
 * name, so the turns are the same after a restart and even over the fleet, without a row per probe.
 * First probes of many come within half an interval, at phase modulo that half: one half of them on
 * their own grid, the other a half interval before it, so together with the regular turns no more
 * than twice the mean rate (H7-08).
 */
#include "watch/inside.h"

#include <stdlib.h>

#define LATE_MOST_US                                                                               \
	(30 * US_PER_S) /* later than this at its time: time was lost, it keeps its phase (H7-02)  \
			 */
#define JUDGE_LEAST_US (15 * US_PER_M) /* contract 1 */
#define SIBLING_WAIT_US (2 * US_PER_S)
#define FIRST_GAP_MOST_US US_PER_S /* contract 6: the larger of one a second and twice the mean */
#define FIRST_BEHIND_US (10 * US_PER_S) /* so far regular turns push first probes back */
#define NO_MEMORY_WAIT_US (10 * US_PER_S)
#define VOID_SPREAD_US (10 * US_PER_S)

unsigned
schedule_most(const struct watch *watch)
{
	return watch->memory_ceiling > 0 && watch->memory_ceiling < watch->ceiling
		       ? watch->memory_ceiling
		       : watch->ceiling;
}

/* Servers that hung have half of in_flight at most, the others what is left of it (H7-10); in
 * thousandths. */
static int64_t
stretch_of_in_flight(const struct watch *watch, const struct server *server)
{
	double most = schedule_most(watch), half = (schedule_most(watch) + 1) / 2;
	double hung = (double)watch->loads[TURN_HUNG] / 1000, stretch;

	if (watch->ceiling == 0 || !server)
		return 1000;
	if (server->load_kind == TURN_HUNG)
		stretch = watch_stretch_at_once(hung, half);
	else
		stretch = watch_stretch_at_once(
			(double)watch->loads[TURN_WELL] / 1000, most - (hung < half ? hung : half));
	return stretch > 1 ? (int64_t)(stretch * 1000) + 1 : 1000;
}

int64_t
schedule_interval(const struct watch *watch, const struct watched *endpoint, bool *is_stretched)
{
	const struct server *server = endpoint->server;
	int64_t stretch = server ? server_stretch_of_connections(server) : 1000;

	/* Who keeps a session has its login already. */
	if (server && endpoint->account && !endpoint->is_kept &&
		server_stretch_of_logins(server) > stretch)
		stretch = server_stretch_of_logins(server);
	stretch = stretch * stretch_of_in_flight(watch, server) / 1000;
	*is_stretched = stretch > 1000;
	return endpoint->rules.interval_us / 1000 * stretch +
	       endpoint->rules.interval_us % 1000 * stretch / 1000;
}

/* The next moment of its phase after now. */
static mono_t
next_of_grid(const struct watch *watch, const struct watched *endpoint, int64_t interval_us)
{
	int64_t phase = (int64_t)(endpoint->hash % (uint64_t)interval_us);
	int64_t within = (watch->now.us + watch->grid_us - phase) % interval_us;

	if (within < 0)
		within += interval_us;
	return mono_add(watch->now, interval_us - within);
}

void
schedule_remove(struct watch *watch, struct watched *endpoint)
{
	heap_remove(&watch->due, &endpoint->due);
	if (endpoint->server) {
		server_unqueue(endpoint);
		server_turn(watch, endpoint->server);
	}
}

void
schedule_at(struct watch *watch, struct watched *endpoint, mono_t at, enum next_reason reason)
{
	if (endpoint->probe || mailbox_is_off(endpoint->mailbox))
		return;
	schedule_remove(watch, endpoint);
	endpoint->reason = reason;
	endpoint->wanted = at;
	kept_replan(endpoint);
	if (heap_put(&watch->due, &endpoint->due, at.us) != ERR_OK)
		abort(); /* configure made room for each endpoint */
}

void
schedule_regular(struct watch *watch, struct watched *endpoint)
{
	bool is_stretched, has_start = endpoint->start.us != INT64_MAX;
	int64_t interval = schedule_interval(watch, endpoint, &is_stretched);
	mono_t by_start = has_start ? mono_add(endpoint->start, interval) : MONO_NEVER;
	mono_t at = next_of_grid(watch, endpoint, interval);

	/* From start to start: the grid may be nearer, where settings changed, never further away.
	 */
	if (!mono_is_before(by_start, watch->now) && has_start &&
		(is_stretched || mono_is_before(by_start, at)))
		at = by_start;
	schedule_at(watch, endpoint, at, is_stretched ? NEXT_STRETCHED : NEXT_INTERVAL);
}

void
schedule_retry(struct watch *watch, struct watched *endpoint, int64_t least_us)
{
	bool is_stretched;
	int64_t most = schedule_interval(watch, endpoint, &is_stretched);
	int64_t retry = endpoint->rules.retry_interval_us;

	if (endpoint->rules.retry_max_us < most)
		most = endpoint->rules.retry_max_us;
	for (unsigned i = 0; i < endpoint->growth && retry < most; i++)
		retry *= 2;
	if (retry > most)
		retry = most;
	schedule_at(watch, endpoint, mono_add(watch->now, retry > least_us ? retry : least_us),
		least_us > 0 ? NEXT_WAIT : NEXT_RETRY);
}

static int64_t
first_gap_us(const struct watch *watch)
{
	int64_t gap = watch->rate ? RATE_UNIT / 2 / (int64_t)watch->rate : FIRST_GAP_MOST_US;

	return gap < FIRST_GAP_MOST_US ? gap : FIRST_GAP_MOST_US;
}

void
schedule_first(struct watch *watch, struct watched *endpoint)
{
	endpoint->is_slotted = false;
	schedule_at(watch, endpoint, watch->now, NEXT_FIRST);
}

void
schedule_first_of_many(struct watch *watch, struct watched *endpoint)
{
	int64_t interval = endpoint->rules.interval_us;
	int64_t to_grid = mono_since(next_of_grid(watch, endpoint, interval), watch->now);

	endpoint->is_slotted = false;
	if (first_gap_us(watch) < FIRST_GAP_MOST_US)
		schedule_at(watch, endpoint, mono_add(watch->now, to_grid % (interval / 2)),
			NEXT_FIRST);
	else
		schedule_at(watch, endpoint, watch->now, NEXT_FIRST);
}

void
schedule_void(struct watch *watch, struct watched *endpoint)
{
	schedule_at(watch, endpoint,
		mono_add(watch->now, (int64_t)(endpoint->hash % (uint64_t)VOID_SPREAD_US)),
		NEXT_VOID);
}

/* ---- the judge: an endpoint that nothing judges becomes unknown */

static int64_t
judge_span_us(const struct watch *watch, const struct watched *endpoint)
{
	bool is_stretched, is_queued = endpoint->ready.index != HEAP_OUTSIDE || endpoint->probe;
	int64_t interval = schedule_interval(watch, endpoint, &is_stretched);
	int64_t span;

	/* Who waits in a queue that drains, or is just out of it, is stretched by what it was, not
	 * by what is left (H10-03). */
	if (is_queued && endpoint->queued_us > interval)
		interval = endpoint->queued_us;
	span = 3 * interval;
	return span > JUDGE_LEAST_US ? span : JUDGE_LEAST_US;
}

/* The timer is not moved by each verdict: when it comes, it looks whether it comes too early. */
void
schedule_judge(struct watch *watch, struct watched *endpoint)
{
	endpoint->judged = watch->now;
	endpoint->judged_lost_us = watch->lost_us;
	if (endpoint->judge.index == HEAP_OUTSIDE &&
		heap_put(&watch->judges, &endpoint->judge,
			mono_add(watch->now, judge_span_us(watch, endpoint)).us) != ERR_OK)
		abort(); /* configure made room for each endpoint */
}

static void
judge_due(struct watch *watch, struct watched *endpoint)
{
	int64_t span = judge_span_us(watch, endpoint);
	int64_t left = span - (mono_since(watch->now, endpoint->judged) -
				      (watch->lost_us - endpoint->judged_lost_us));

	if (left <= 0) {
		if (!mailbox_is_off(endpoint->mailbox) && !account_holds(watch, endpoint) &&
			!state_is_grey(watch, endpoint))
			state_unjudged(watch, endpoint);
		endpoint->judged = watch->now;
		endpoint->judged_lost_us = watch->lost_us;
		left = span;
	}
	if (heap_put(&watch->judges, &endpoint->judge, mono_add(watch->now, left).us) != ERR_OK)
		abort(); /* it stands in the heap already */
}

/* ---- requests of people */

void
schedule_requests_done(struct watch *watch, struct watched *endpoint)
{
	for (size_t i = 0; i < endpoint->request_count; i++) {
		uint64_t id = endpoint->requests[i];
		struct request *request;

		HASH_FIND(hh, watch->requests, &id, sizeof(id), request);
		if (!request || --request->open > 0)
			continue;
		HASH_DEL(watch->requests, request);
		free(request);
		watch_command(
			watch, &(struct watch_command){ .kind = WATCH_ASKED_DONE, .request = id });
	}
	free(endpoint->requests);
	endpoint->requests = NULL;
	endpoint->request_count = 0;
	endpoint->is_asked = false;
}

/* ---- the work of one call */

/* All starts take a slot, so that first probes have what regular turns leave of twice the mean. But
 * where retries come faster than that, a first probe does not wait for what they took long ago. */
static mono_t
take_slot(struct watch *watch)
{
	mono_t slot =
		mono_is_before(watch->first_next, watch->now) ? watch->now : watch->first_next;

	watch->first_next = mono_add(slot, first_gap_us(watch));
	return slot;
}

void
schedule_start(struct watch *watch, struct watched *endpoint)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int64_t late = mono_since(watch->now, endpoint->wanted);
	struct watch_command command = { .kind = WATCH_PROBE,
		.mailbox = endpoint->mailbox->index,
		.name = endpoint->mailbox->name,
		.side = endpoint->side,
		.address = endpoint->server->peer->key };
	struct session *session = kept_choose(watch, endpoint, &command);

	if (!probe) {
		schedule_at(watch, endpoint, mono_add(watch->now, NO_MEMORY_WAIT_US), NEXT_VOID);
		return;
	}
	probe->token = ++watch->tokens;
	probe->endpoint = endpoint;
	probe->side = endpoint->side;
	probe->server = endpoint->server;
	probe->account = endpoint->account;
	probe->start = watch->now;
	heap_node_init(&probe->paced);
	HASH_ADD(hh, watch->probes, token, sizeof(probe->token), probe);
	command.token = probe->token;
	if (!probe->hh.tbl || !watch_command(watch, &command)) {
		if (probe->hh.tbl)
			HASH_DEL(watch->probes, probe);
		free(probe);
		schedule_at(watch, endpoint, mono_add(watch->now, NO_MEMORY_WAIT_US), NEXT_VOID);
		return;
	}
	probe->late_us = late;
	if (endpoint->reason != NEXT_FIRST &&
		mono_since(watch->first_next, watch->now) < FIRST_BEHIND_US)
		(void)take_slot(watch);
	kept_begin(watch, probe, session, command.uses_session);
	endpoint->probe = probe;
	endpoint->start = watch->now;
	endpoint->last_probe = watch->wall;
	probe->server->owners++;
	probe->server->budget.in_flight++;
	probe->peer = probe->server->peer;
	probe->peer->owners++;
	probe->peer->budget.in_flight++;
	if (probe->account)
		probe->account->probes++;
	probe->is_hung = probe->server->has_hung;
	watch->hung_in_flight += probe->is_hung;
	watch->in_flight++;
}

/* The other side has to be tried before this one's second try. */
static bool
waits_for_sibling(const struct watch *watch, const struct watched *endpoint)
{
	const struct watched *other = endpoint->mailbox->sides[1 - endpoint->side];

	return endpoint->has_refusal && other && other->is_sibling &&
	       mono_is_before(watch->now, other->sibling_until);
}

/* First probes come one behind the other: each gets its moment once. */
static bool
waits_for_slot(struct watch *watch, struct watched *endpoint)
{
	mono_t slot;

	if (endpoint->reason != NEXT_FIRST || endpoint->is_slotted || endpoint->is_asked)
		return false;
	endpoint->is_slotted = true;
	slot = take_slot(watch);
	if (!mono_is_before(watch->now, slot))
		return false;
	schedule_at(watch, endpoint, slot, NEXT_FIRST);
	return true;
}

static void
endpoint_due(struct watch *watch, struct watched *endpoint)
{
	int64_t late = mono_since(watch->now, endpoint->wanted);

	heap_remove(&watch->due, &endpoint->due);
	if (waits_for_sibling(watch, endpoint)) {
		schedule_at(watch, endpoint, mono_add(watch->now, SIBLING_WAIT_US), NEXT_RETRY);
		return;
	}
	if (late > (watch->is_late ? US_PER_S : LATE_MOST_US) && !endpoint->is_asked) {
		if (endpoint->reason == NEXT_INTERVAL || endpoint->reason == NEXT_STRETCHED) {
			schedule_regular(watch, endpoint);
			return;
		}
		if (endpoint->reason != NEXT_FIRST) {
			int64_t within = endpoint->rules.retry_interval_us;

			schedule_at(watch, endpoint,
				mono_add(watch->now, (int64_t)(endpoint->hash % (uint64_t)within)),
				endpoint->reason);
			return;
		}
	}
	if (!waits_for_slot(watch, endpoint))
		server_enqueue(watch, endpoint);
}

static bool
is_due(const struct heap *heap, int64_t now)
{
	const struct heap_node *top = heap_top(heap);

	return top && top->key <= now;
}

/*
 * H10-10: where descriptors or memory run out here, fewer at a time: a quarter less with each
 * verdict that says so, one more with each that does not, up to the limit.
 */
void
schedule_ceiling(struct watch *watch, const struct verdict *verdict)
{
	if (verdict->is_void)
		return;
	if (verdict->cause == CAUSE_LOCAL_LIMIT)
		watch->ceiling = watch->in_flight / 4 * 3 + 1;
	else
		watch->ceiling++;
	if (watch->ceiling > watch->limits.in_flight)
		watch->ceiling = watch->limits.in_flight;
}

/* Whose turn it may be, of the two kinds of servers: a set of bits. */
static unsigned
turns_allowed(const struct watch *watch)
{
	unsigned most = schedule_most(watch);

	if (watch->in_flight >= most)
		return 0;
	if (watch->hung_in_flight >= (most + 1) / 2)
		return 1u << TURN_WELL;
	return 1u << TURN_WELL | 1u << TURN_HUNG;
}

/* The address where the next probe starts; NULL: nowhere now. */
static struct peer *
next_turn(const struct watch *watch)
{
	const struct heap_node *first = NULL;
	unsigned allowed = turns_allowed(watch);

	for (size_t kind = 0; kind < TURN_COUNT; kind++) {
		const struct heap_node *top = heap_top(&watch->turns[kind]);

		if ((allowed & 1u << kind) && top && top->key <= watch->now.us &&
			(!first || top->key < first->key))
			first = top;
	}
	return first ? CONTAINER_OF(first, struct peer, turn) : NULL;
}

/* With each configure and once a day: what the settings name no more, or what has grown old
 * (H6-09), needs no reload to go. */
static void
sweep(struct watch *watch)
{
	if (mono_is_before(watch->now, watch->sweep_at))
		return;
	watch->sweep_at = mono_add(watch->now, US_PER_D);
	account_sweep(watch);
	certificates_sweep(watch);
	peers_sweep(watch);
}

void
schedule_pump(struct watch *watch)
{
	struct peer *peer;
	int64_t now = watch->now.us;

	sweep(watch);
	slow_due(watch);
	while (is_due(&watch->pauses, watch->wall.us))
		pause_over(watch, CONTAINER_OF(heap_top(&watch->pauses), struct mailbox, pause));
	while (is_due(&watch->pause_caps, now))
		pause_over(watch,
			CONTAINER_OF(heap_top(&watch->pause_caps), struct mailbox, pause_cap));
	while (is_due(&watch->judges, now))
		judge_due(watch, CONTAINER_OF(heap_top(&watch->judges), struct watched, judge));
	while (is_due(&watch->due, now))
		endpoint_due(watch, CONTAINER_OF(heap_top(&watch->due), struct watched, due));
	while (is_due(&watch->paced, now)) {
		struct probe *probe = CONTAINER_OF(heap_top(&watch->paced), struct probe, paced);

		heap_remove(&watch->paced, &probe->paced);
		probe->server->pacing--;
		server_login(watch, probe);
	}
	while ((peer = next_turn(watch)))
		server_start(watch, CONTAINER_OF(heap_top(&peer->servers), struct server, turn));
}

static void
sooner(mono_t *wake, const struct heap *heap)
{
	const struct heap_node *top = heap_top(heap);

	if (top && top->key < wake->us)
		wake->us = top->key;
}

/* Its end is a wall time, and the wall clock may jump: looked at each minute, at least. */
static void
sooner_by_wall(const struct watch *watch, mono_t *wake, const struct heap *heap)
{
	const struct heap_node *top = heap_top(heap);
	int64_t wait = top ? top->key - watch->wall.us : 0;
	mono_t at = mono_add(watch->now, wait < US_PER_M ? wait : US_PER_M);

	if (top && mono_is_before(at, *wake))
		*wake = at;
}

mono_t
schedule_wake(const struct watch *watch)
{
	mono_t wake = watch->sweep_at;

	sooner(&wake, &watch->due);
	sooner(&wake, &watch->judges);
	sooner(&wake, &watch->pause_caps);
	sooner(&wake, &watch->paced);
	for (size_t kind = 0; kind < TURN_COUNT; kind++) {
		if (turns_allowed(watch) & 1u << kind)
			sooner(&wake, &watch->turns[kind]);
	}
	sooner_by_wall(watch, &wake, &watch->pauses);
	sooner_by_wall(watch, &wake, &watch->slowed);
	return wake;
}
