/*
 * budget.c: connections and logins of one place, a server's name or an address: the even spacing,
 * and by how much intervals stretch. Layer: watch, pure.
 *
 * Starts are spaced evenly (GCRA, a burst of two at most where the budget is not small), and so are
 * logins, however long the way to them was; so that no 60 s hold more than the budget each login
 * also takes a place in a ring of the last ones.
 */
#include "watch/inside.h"

#include <stdlib.h>

/* Contract 3: no 60 s hold more than the budget, seen from the server too: the way there varies. */
#define LOGIN_WINDOW_US (60 * US_PER_S + 250 * US_PER_MS)
#define SPACING_WINDOW_US (60 * US_PER_S + 500 * US_PER_MS)
/* The interval that results leaves a little of the budget to retries. */
#define STRETCH_WINDOW_US (61 * US_PER_S)
#define STRETCH_CONNECTIONS_MOST 0.95
#define MEAN_SHARE 16 /* of a new probe in the running mean of how long they take */
#define RATE_PERIOD_S 1000000000.0

double
watch_stretch(const struct watch_load *load, bool *by_connections)
{
	double logins = load->logins_per_s * (double)STRETCH_WINDOW_US / (double)US_PER_S /
			load->logins_per_minute;
	double connections = load->probes_per_s * (double)load->probe_us / (double)US_PER_S /
			     load->connections / STRETCH_CONNECTIONS_MOST;
	double most = logins > connections ? logins : connections;

	if (by_connections)
		*by_connections = connections > logins;
	return most > 1 ? most : 1;
}

double
watch_stretch_at_once(double at_once, double in_flight)
{
	double stretch = at_once / in_flight / STRETCH_CONNECTIONS_MOST;

	return stretch > 1 ? stretch : 1;
}

static int64_t
stretch_by(const struct budget *budget, uint64_t rate, uint64_t login_rate)
{
	const struct watch_load load = {
		.probes_per_s = (double)rate / RATE_PERIOD_S,
		.logins_per_s = (double)login_rate / RATE_PERIOD_S,
		.probe_us = budget->mean_us < 0 ? WATCH_PROBE_USUAL_US : budget->mean_us,
		.connections = budget->connections,
		.logins_per_minute = budget->logins_per_minute,
	};
	double stretch = watch_stretch(&load, NULL);

	return stretch > 1 ? (int64_t)(stretch * 1000) + 1 : 1000;
}

int64_t
budget_stretch_of_logins(const struct budget *budget)
{
	return stretch_by(budget, 0, budget->login_rate);
}

int64_t
budget_stretch_of_connections(const struct budget *budget)
{
	return stretch_by(budget, budget->rate, 0);
}

void
budget_join(struct budget *budget, uint64_t rate, uint64_t login_rate)
{
	budget->rate += rate;
	budget->login_rate += login_rate;
}

void
budget_leave(struct budget *budget, uint64_t rate, uint64_t login_rate)
{
	budget->rate -= rate;
	budget->login_rate -= login_rate;
}

bool
budget_is_full(const struct budget *budget)
{
	return budget->in_flight + budget->resting.count >= budget->connections;
}

/* ---- starts */

static int64_t
spacing_us(const struct budget *budget)
{
	return SPACING_WINDOW_US / budget->logins_per_minute;
}

static int64_t
burst_us(const struct budget *budget)
{
	unsigned burst = budget->logins_per_minute >= 20 ? 2 : budget->logins_per_minute / 10;

	return burst * spacing_us(budget);
}

static void
space(const struct budget *budget, mono_t *next, mono_t now)
{
	*next = mono_add(mono_is_before(*next, now) ? now : *next, spacing_us(budget));
}

mono_t
budget_start_from(const struct budget *budget)
{
	return mono_add(budget->next_start, -burst_us(budget));
}

void
budget_started(struct budget *budget, mono_t now)
{
	space(budget, &budget->next_start, now);
}

/* ---- logins */

/*
 * A ring of another size keeps the latest. The first one begins empty; after a restart it begins as
 * if logins had gone evenly until then and a burst on top: the last 60 s of the run before count,
 * and nobody wrote them down.
 */
static bool
ring_fit(const struct watch *watch, struct budget *budget)
{
	unsigned room = budget->logins_per_minute, old = budget->logins_room;
	int64_t *ring;

	if (room == old)
		return true;
	ring = reallocarray(NULL, room, sizeof(*ring));
	if (!ring)
		return old > 0;
	for (unsigned i = 0; i < room; i++) {
		ring[i] = INT64_MIN;
		if (old == 0 && watch->is_restored)
			ring[i] = watch->began.us + burst_us(budget) -
				  (int64_t)(room - 1 - i) * spacing_us(budget);
	}
	for (unsigned i = 0; i < old && i < room; i++)
		ring[room - 1 - i] = budget->logins[(budget->logins_next + old - 1 - i) % old];
	free(budget->logins);
	budget->logins = ring;
	budget->logins_room = room;
	budget->logins_next = 0;
	return true;
}

mono_t
budget_login_from(struct watch *watch, struct budget *budget)
{
	mono_t even = mono_add(budget->next_login, -burst_us(budget)), from;

	if (!ring_fit(watch, budget) || budget->logins[budget->logins_next] == INT64_MIN)
		return even;
	from = (mono_t){ budget->logins[budget->logins_next] + LOGIN_WINDOW_US };
	return mono_is_before(from, even) ? even : from;
}

void
budget_login(struct watch *watch, struct budget *budget)
{
	space(budget, &budget->next_login, watch->now);
	if (budget->logins_room == 0)
		return; /* no memory for it */
	budget->logins[budget->logins_next] = watch->now.us;
	budget->logins_next = (budget->logins_next + 1) % budget->logins_room;
}

bool
budget_is_idle(const struct budget *budget, mono_t now)
{
	unsigned last = budget->logins_next + budget->logins_room - 1;

	return budget->logins_room == 0 ||
	       budget->logins[last % budget->logins_room] == INT64_MIN ||
	       budget->logins[last % budget->logins_room] + LOGIN_WINDOW_US < now.us;
}

/* ---- how long its probes take */

void
budget_took(struct budget *budget, int64_t took_us)
{
	budget->mean_us = budget->mean_us < 0
				  ? took_us
				  : budget->mean_us + (took_us - budget->mean_us) / MEAN_SHARE;
}

void
budget_done(struct budget *budget)
{
	free(budget->logins);
	budget->logins = NULL;
	heap_done(&budget->resting);
}
