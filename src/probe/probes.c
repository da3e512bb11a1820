/*
 * probes.c: all probes of a loop: begun, found, told, freed; and how late the loop is. Layer:
 * probe.
 *
 * Only probe_enter() assigns a probe's state and only probe_end.c ends one. An ended probe is told
 * and freed by on_reap() alone, on a later turn. Not here: the life of one (probe.c).
 */
#include "probe/inside.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"

#define TICK_US (250 * US_PER_MS)
#define BEGIN_PER_TURN 8
#define LATE_LEAST_US (100 * US_PER_MS) /* a tick's lateness that is counted */

/* ---- the loop's time ---- */

/* The loop's own lateness is measured by a tick, while there are probes. */
static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	struct probes *probes = owner;
	struct timeval wait = timeval_of(TICK_US);
	mono_t now = mono_now();
	int64_t late_us = mono_since(now, probes->ticked) - TICK_US;

	(void)fd;
	(void)what;
	if (late_us >= LATE_LEAST_US)
		probes->lost_us += late_us;
	probes->ticked = now;
	kept_look_for_sleep(probes);
	if (probes->count > 0)
		event_add(&probes->tick, &wait);
}

int64_t
probes_lost_us(const struct probe *probe)
{
	int64_t late_us = mono_since(mono_now(), probe->probes->ticked) - TICK_US;
	int64_t lost_us = probe->probes->lost_us - probe->lost_before_us;

	return late_us >= LATE_LEAST_US ? lost_us + late_us : lost_us;
}

int64_t
probes_suspended_us(void)
{
	struct timespec awake;

	clock_gettime(CLOCK_MONOTONIC, &awake);
	return mono_now().us - (awake.tv_sec * US_PER_S + awake.tv_nsec / 1000);
}

/* ---- told and freed ---- */

void
probes_reap(struct probe *probe)
{
	struct probes *probes = probe->probes;

	probe->next_ended = NULL;
	*probes->ended_end = probe;
	probes->ended_end = &probe->next_ended;
	event_active(&probes->reap, EV_TIMEOUT, 0);
}

static void
probe_free(struct probe *probe)
{
	struct probes *probes = probe->probes;
	struct slot *slot = &probes->slots[probe->ref.slot];

	probe_close(probe);
	slot->probe = NULL;
	slot->generation++;
	slot->next_free = probes->free_slot;
	probes->free_slot = probe->ref.slot;
	probes->count--;
	dialogue_free(probe->dialogue);
	secret_free(probe->secret);
	endpoint_free(probe->endpoint);
	errand_free(probe->errand);
	verdict_free(probe->verdict);
	session_done(&probe->session);
	buf_done_wiped(&probe->goodbye);
	free(probe);
}

/* The one place where probes are told and freed. */
static void
on_reap(evutil_socket_t fd, short what, void *owner)
{
	struct probes *probes = owner;
	struct probe *ended = probes->ended;

	(void)fd;
	(void)what;
	probes->ended = NULL;
	probes->ended_end = &probes->ended;
	while (ended) {
		struct probe *probe = ended;
		struct verdict *verdict = probe->verdict;
		struct bytes transcript = BYTES_NONE;

		ended = probe->next_ended;
		probe->verdict = NULL;
		if (probe->is_traced && probe->dialogue)
			transcript = dialogue_transcript(probe->dialogue);
		probes->calls.ended(probes->owner, probe->token, verdict, transcript);
		probe_free(probe);
	}
}

/* ---- begun ---- */

static void
begin(struct probe *probe)
{
	struct probes *probes = probe->probes;

	probe->began = mono_now();
	probe->ends = mono_add(probe->began, probe->endpoint->timeout_us);
	probe->stage_ends = probe->ends;
	probe->lost_before_us = probes->lost_us;
	probe->suspend_before_us = probes_suspended_us();
	probe->verdict->began = wall_now();
	probe->verdict->waited_us = mono_since(probe->began, probe->asked);
	probe_start(probe);
	kept_look_for_sleep(probes);
}

/* A few of those that wait; the rest on a later turn, behind what is ready by then. */
static void
on_begin(evutil_socket_t fd, short what, void *owner)
{
	static const struct timeval at_once = { 0, 0 };
	struct probes *probes = owner;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < BEGIN_PER_TURN && probes->new; i++) {
		struct probe *probe = probes->new;

		probes->new = probe->next_ended;
		if (!probes->new)
			probes->new_end = &probes->new;
		begin(probe);
	}
	if (probes->new)
		event_add(&probes->begin, &at_once);
}

/* ---- life ---- */

static void
resources_done(struct probes *probes)
{
	keys_free(probes->keys);
	secret_sources_free(probes->secrets);
	children_free(probes->children);
	resolver_free(probes->resolver);
	tls_library_free(probes->tls);
	stalls_done(&probes->stalls);
	silents_done(&probes->silents);
	free(probes->helo_name);
	free(probes->slots);
	free(probes);
}

enum err
probes_new(struct event_base *base, const struct probes_settings *settings,
	const struct probes_calls *calls, void *owner, struct probes **out)
{
	struct probes *probes = calloc(1, sizeof(*probes));
	enum err err = ERR_MEMORY;

	if (!probes)
		return ERR_MEMORY;
	probes->base = base;
	probes->calls = *calls;
	probes->owner = owner;
	probes->fingerprint_key = settings->fingerprint_key;
	probes->ended_end = &probes->ended;
	probes->slept_us = probes_suspended_us();
	event_assign(&probes->reap, base, -1, 0, on_reap, probes);
	evtimer_assign(&probes->tick, base, on_tick, probes);
	evtimer_assign(&probes->begin, base, on_begin, probes);
	probes->new_end = &probes->new;
	if ((probes->helo_name = strdup(settings->helo_name)) != NULL &&
		(err = resolver_new(base, settings->resolvers, &probes->resolver)) == ERR_OK &&
		(err = tls_library_new(&probes->tls)) == ERR_OK &&
		(err = keys_new(base, &probes->keys)) == ERR_OK &&
		(err = children_new(base, CHILD_DEADLINE_US, &probes->children)) == ERR_OK)
		err = secret_sources_new(base, probes->children, &probes->secrets);
	if (err != ERR_OK) {
		resources_done(probes);
		return err;
	}
	*out = probes;
	return ERR_OK;
}

void
probes_free(struct probes *probes)
{
	if (!probes)
		return;
	for (uint32_t i = 0; i < probes->slot_count; i++) {
		if (probes->slots[i].probe)
			probe_free(probes->slots[i].probe);
	}
	kept_done(probes);
	event_del(&probes->reap);
	event_del(&probes->begin);
	event_del(&probes->tick);
	resources_done(probes);
}

/* ---- probes ---- */

/* Slots grow by doubling and are never given back: 16 bytes each. */
static enum err
take_slot(struct probes *probes, uint32_t *out)
{
	if (probes->free_slot == probes->slot_count) {
		uint32_t count = probes->slot_count == 0 ? 64 : 2 * probes->slot_count;
		struct slot *slots = realloc(probes->slots, count * sizeof(*slots));

		if (!slots)
			return ERR_MEMORY;
		for (uint32_t i = probes->slot_count; i < count; i++)
			slots[i] = (struct slot){ .generation = 1, .next_free = i + 1 };
		probes->slots = slots;
		probes->free_slot = probes->slot_count;
		probes->slot_count = count;
	}
	*out = probes->free_slot;
	probes->free_slot = probes->slots[*out].next_free;
	return ERR_OK;
}

static struct probe *
probe_new(struct probes *probes, const struct probe_job *job)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	uint32_t slot;

	if (!probe || (probe->verdict = verdict_new()) == NULL ||
		take_slot(probes, &slot) != ERR_OK) {
		/* There is not even room to say so: better a restart with its state whole (design
		 * 3). */
		log_error("out of memory for a probe");
		abort();
	}
	probe->probes = probes;
	probe->ref = (struct probe_ref){ slot, probes->slots[slot].generation };
	probes->slots[slot].probe = probe;
	probe->token = job->token;
	probe->endpoint = endpoint_hold(job->endpoint);
	probe->is_traced = job->is_traced;
	probe->looks_around = job->looks_around;
	probe->errand = errand_hold(job->errand);
	if (job->address)
		strncpy(probe->address, job->address, sizeof(probe->address) - 1);
	probe->may_keep = job->may_keep;
	probe->session_token = job->session;
	probe->uses_session = job->uses_session;
	probe->stage = STAGE_CONFIG;
	evtimer_assign(&probe->timer, probes->base, probe_on_timer, probe);
	evtimer_assign(&probe->pause, probes->base, probe_on_pause, probe);
	return probe;
}

void
probes_start(struct probes *probes, const struct probe_job *job)
{
	struct probe *probe = probe_new(probes, job);
	struct timeval wait = timeval_of(TICK_US);

	if (probes->count++ == 0) {
		probes->ticked = mono_now();
		event_add(&probes->tick, &wait);
	}
	probe->asked = job->asked.us ? job->asked : mono_now();
	probe->began = mono_now();
	*probes->new_end = probe;
	probes->new_end = &probe->next_ended;
	event_active(&probes->begin, EV_TIMEOUT, 0);
}

static struct probe *
probe_find(struct probes *probes, struct probe_ref ref)
{
	if (ref.slot >= probes->slot_count || probes->slots[ref.slot].generation != ref.generation)
		return NULL;
	return probes->slots[ref.slot].probe;
}

void
probes_connect(struct probes *probes, struct probe_ref ref, bool is_allowed)
{
	struct probe *probe = probe_find(probes, ref);

	if (probe && probe->state == PROBE_PLACE)
		probe_place(probe, is_allowed);
}

void
probes_leave(struct probes *probes, struct probe_ref ref, enum leave leave)
{
	struct probe *probe = probe_find(probes, ref);
	struct dialogue_step step = { 0 };

	if (!probe || probe->state != PROBE_LEAVE)
		return;
	if (leave == LEAVE_GO)
		dialogue_login(probe->dialogue, probe->secret, &step);
	else
		dialogue_held(probe->dialogue, &step);
	probe_handle_step(probe, &step);
}

void
probes_goodbye(struct probes *probes)
{
	probes->new = NULL; /* they end as the others do */
	probes->new_end = &probes->new;
	for (uint32_t i = 0; i < probes->slot_count; i++) {
		struct probe *probe = probes->slots[i].probe;

		if (probe)
			probe->wants_look = probe->looks_around = false;
		if (probe && probe->state != PROBE_ENDED && probe->state != PROBE_GOODBYE)
			probe_end_early(probe);
	}
	kept_part_all(probes, false);
}

size_t
probes_count(const struct probes *probes)
{
	return probes->count + kept_count(probes);
}

enum err
probes_reconfigure(struct probes *probes, const struct probes_settings *settings)
{
	char *helo_name = strdup(settings->helo_name);
	enum err err = helo_name ? resolver_reconfigure(probes->resolver, settings->resolvers)
				 : ERR_MEMORY;

	if (err != ERR_OK) {
		free(helo_name);
		return err;
	}
	free(probes->helo_name);
	probes->helo_name = helo_name;
	probes->fingerprint_key = settings->fingerprint_key;
	secret_sources_forget(probes->secrets);
	silents_done(&probes->silents);
	/* What changed may be whom we trust, and back again: nothing from before counts (H1-32). */
	tls_library_forget(probes->tls);
	return ERR_OK;
}
