/*
 * teller.c: the sinks' thread. Layer: alert.
 *
 * Sinks never wait, so one thread serves them all: it hands over until one says no, then tries that
 * one again when its descriptor is writable or a little later, growing from 50 ms to 5 s, while the
 * others go on.
 */
#include "alert/teller.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RETRY_FIRST_US (50 * US_PER_MS)
#define RETRY_MOST_US (5 * US_PER_S)
#define IDLE_MS 1000
#define END_MS 20      /* between two tries at the end */
#define SERVE_MOST 256 /* events to one sink before the others' turn */

struct item {
	struct item *next;
	struct told *told;
};

struct order {
	struct queue_node node;
	struct told *told; /* NULL: only a wake-up */
	unsigned which;
};

struct line {
	struct sink *sink;
	struct item *first;
	struct item **last;
	_Atomic size_t waiting; /* orders not yet taken among them */
	_Atomic uint64_t failures;
	_Atomic uint64_t dropped;
	uint64_t dropped_reported;
	bool is_dead;
	bool is_full;	      /* it said ERR_AGAIN: its descriptor says when there is room */
	bool was_polled;      /* it just said so */
	mono_t failing_since; /* MONO_NEVER: not failing */
	mono_t retry_at;
	int64_t retry_us;
	struct fault why;
};

struct teller {
	struct line lines[TELLER_MOST_SINKS];
	size_t count;
	struct teller_limits limits;
	struct queue *orders;
	struct queue *reports;
	pthread_t thread;
	bool is_running; /* of the main loop */
	atomic_bool is_ending;
	_Atomic int64_t end_at_us;
};

/* False where memory is short: DEAD and BACK are said at the next occasion; a cursor that lags
 * tells again under the same id, so nothing is lost. */
static bool
report(struct teller *teller, const struct line *line, enum teller_report_kind kind, struct ulid id)
{
	struct teller_report *report = calloc(1, sizeof(*report));

	if (!report)
		return false;
	report->kind = kind;
	report->sink = (size_t)(line - teller->lines);
	report->id = id;
	report->dropped = atomic_load(&line->dropped);
	report->why = line->why;
	queue_put(teller->reports, &report->node);
	return true;
}

static void
drop_first(struct line *line)
{
	struct item *item = line->first;

	line->first = item->next;
	if (!line->first)
		line->last = &line->first;
	told_free(item->told);
	free(item);
	atomic_fetch_sub(&line->waiting, 1);
}

static void
put_item(struct line *line, struct told *told, size_t most_waiting)
{
	struct item *item = calloc(1, sizeof(*item));

	if (!item) {
		atomic_fetch_add(&line->dropped, 1);
		atomic_fetch_sub(&line->waiting, 1);
		return;
	}
	while (line->first && atomic_load(&line->waiting) > most_waiting) {
		drop_first(line);
		atomic_fetch_add(&line->dropped, 1);
	}
	item->told = told_hold(told);
	*line->last = item;
	line->last = &item->next;
}

static bool
is_failing(const struct line *line)
{
	return line->failing_since.us != INT64_MAX;
}

static void
note_failure(struct teller *teller, struct line *line, enum err err, mono_t now)
{
	atomic_fetch_add(&line->failures, 1);
	if (!is_failing(line)) {
		line->failing_since = now;
		line->retry_us = RETRY_FIRST_US;
	} else {
		line->retry_us *= 2;
		if (line->retry_us > RETRY_MOST_US)
			line->retry_us = RETRY_MOST_US;
	}
	line->retry_at = mono_add(now, line->retry_us);
	/* One that calls itself writable and is not is left to the timer, or we would spin. */
	line->is_full = err == ERR_AGAIN && !line->was_polled;
	line->was_polled = false;
	if (!line->is_dead && mono_since(now, line->failing_since) >= teller->limits.dead_after_us)
		line->is_dead = report(teller, line, TELLER_DEAD, (struct ulid){ { 0 } });
}

static void
note_success(struct teller *teller, struct line *line)
{
	uint64_t dropped = atomic_load(&line->dropped);

	line->failing_since = MONO_NEVER;
	line->is_full = line->was_polled = false;
	/* What was dropped is told once, when there is an end to it. */
	if (!line->is_dead && (dropped == line->dropped_reported || line->first))
		return;
	if (report(teller, line, TELLER_BACK, (struct ulid){ { 0 } })) {
		line->is_dead = false;
		line->dropped_reported = dropped;
	}
}

/* is_last: whatever the pause between two tries. */
static void
serve(struct teller *teller, struct line *line, bool is_last)
{
	struct ulid taken = { { 0 } };
	mono_t now = mono_now();

	if (is_failing(line) && !is_last && mono_is_before(now, line->retry_at))
		return;
	for (size_t i = 0; line->first && i < SERVE_MOST; i++) {
		enum err err = line->sink->calls->tell(line->sink, line->first->told, &line->why);

		if (err != ERR_OK) {
			note_failure(teller, line, err, now);
			break;
		}
		taken = line->first->told->id;
		drop_first(line);
		note_success(teller, line);
	}
	if (ulid_is_set(taken))
		report(teller, line, TELLER_TOOK, taken);
}

static void
take_orders(struct teller *teller)
{
	struct queue_node *node = queue_take(teller->orders);

	while (node) {
		struct order *order = CONTAINER_OF(node, struct order, node);

		node = node->next;
		for (size_t i = 0; i < teller->count && order->told; i++) {
			if (order->which & (1u << i))
				put_item(&teller->lines[i], order->told,
					teller->limits.most_waiting);
		}
		told_free(order->told);
		free(order);
	}
}

static int
wait_ms(const struct teller *teller, mono_t now)
{
	int64_t least_us = IDLE_MS * US_PER_MS;

	for (size_t i = 0; i < teller->count; i++) {
		const struct line *line = &teller->lines[i];

		if (!line->first)
			continue;
		if (!is_failing(line))
			return 0; /* more than SERVE_MOST waited */
		if (mono_since(line->retry_at, now) < least_us)
			least_us = mono_since(line->retry_at, now);
	}
	return least_us <= 0 ? 0 : (int)(least_us / US_PER_MS) + 1;
}

/* Until there is an order, room in a full sink, or a time to try again. */
static void
wait_for_work(struct teller *teller, bool is_ending)
{
	struct pollfd fds[1 + TELLER_MOST_SINKS] = { 0 };
	size_t count = 1;
	int wait;

	fds[0] = (struct pollfd){ .fd = queue_fd(teller->orders), .events = POLLIN };
	for (size_t i = 0; i < teller->count; i++) {
		const struct line *line = &teller->lines[i];

		/* A negative descriptor is one that poll() leaves out. */
		fds[count++] = (struct pollfd){ .fd = line->is_full ? line->sink->fd : -1,
			.events = POLLOUT };
	}
	wait = wait_ms(teller, mono_now());
	if (poll(fds, count, is_ending && wait > END_MS ? END_MS : wait) <= 0)
		return;
	for (size_t i = 0; i < teller->count; i++) {
		if (fds[1 + i].revents) {
			teller->lines[i].retry_at = (mono_t){ 0 };
			teller->lines[i].was_polled = true;
		}
	}
}

static bool
is_all_told(const struct teller *teller)
{
	for (size_t i = 0; i < teller->count; i++) {
		if (teller->lines[i].first)
			return false;
	}
	return true;
}

static void *
teller_run(void *arg)
{
	struct teller *teller = arg;
	bool is_ending = false;

	while (!is_ending ||
		!(is_all_told(teller) || mono_now().us >= atomic_load(&teller->end_at_us))) {
		wait_for_work(teller, is_ending);
		/* Read before the orders: one that was put before the end was asked for is taken.
		 */
		is_ending = atomic_load(&teller->is_ending);
		take_orders(teller);
		for (size_t i = 0; i < teller->count; i++)
			serve(teller, &teller->lines[i], is_ending);
	}
	return NULL;
}

/* ---- the main loop's side */

static void
drop_order(struct queue_node *node)
{
	struct order *order = CONTAINER_OF(node, struct order, node);

	told_free(order->told);
	free(order);
}

static void
drop_report(struct queue_node *node)
{
	free(CONTAINER_OF(node, struct teller_report, node));
}

static void
teller_free(struct teller *teller)
{
	for (size_t i = 0; i < teller->count; i++) {
		while (teller->lines[i].first)
			drop_first(&teller->lines[i]);
		sink_free(teller->lines[i].sink);
	}
	queue_free(teller->orders, drop_order);
	queue_free(teller->reports, drop_report);
	free(teller);
}

enum err
teller_start(struct sink *const *sinks, size_t count, const struct teller_limits *limits,
	struct teller **out, struct fault *why)
{
	static const struct teller_limits shipped = { TELLER_DEAD_AFTER_US, TELLER_MOST_WAITING };
	struct teller *teller = count > TELLER_MOST_SINKS ? NULL : calloc(1, sizeof(*teller));
	enum err err = ERR_OK;

	if (!teller) {
		for (size_t i = 0; i < count; i++)
			sink_free(sinks[i]);
		return count > TELLER_MOST_SINKS ? ERR_LIMIT : ERR_MEMORY;
	}
	for (size_t i = 0; i < count; i++) {
		teller->lines[i].sink = sinks[i];
		teller->lines[i].last = &teller->lines[i].first;
		teller->lines[i].failing_since = MONO_NEVER;
	}
	teller->count = count;
	teller->limits = limits ? *limits : shipped;
	err = queue_new(&teller->orders);
	if (err == ERR_OK)
		err = queue_new(&teller->reports);
	if (err == ERR_OK) {
		int number = pthread_create(&teller->thread, NULL, teller_run, teller);

		if (number != 0) {
			fault_set(why, "cannot make the sinks' thread: %s", strerror(number));
			err = ERR_IO;
		}
	}
	if (err != ERR_OK) {
		teller_free(teller);
		return err;
	}
	teller->is_running = true;
	*out = teller;
	return ERR_OK;
}

enum err
teller_put(struct teller *teller, struct told *told, unsigned which)
{
	struct order *order = calloc(1, sizeof(*order));

	if (!order)
		return ERR_MEMORY;
	order->told = told_hold(told);
	order->which = which;
	for (size_t i = 0; i < teller->count; i++) {
		if (which & (1u << i))
			atomic_fetch_add(&teller->lines[i].waiting, 1);
	}
	queue_put(teller->orders, &order->node);
	return ERR_OK;
}

struct queue *
teller_reports(struct teller *teller)
{
	return teller->reports;
}

void
teller_figures(struct teller *teller, struct teller_figures *out)
{
	memset(out, 0, sizeof(*out));
	out->sink_count = teller->count;
	for (size_t i = 0; i < teller->count; i++) {
		out->sinks[i].name = teller->lines[i].sink->name;
		out->sinks[i].queue = atomic_load(&teller->lines[i].waiting);
		out->sinks[i].failures = atomic_load(&teller->lines[i].failures);
		out->sinks[i].dropped = atomic_load(&teller->lines[i].dropped);
	}
}

void
teller_stop(struct teller *teller, mono_t deadline)
{
	struct order *wake;

	if (!teller->is_running)
		return;
	wake = calloc(1, sizeof(*wake));
	atomic_store(&teller->end_at_us, deadline.us);
	atomic_store(&teller->is_ending, true);
	if (wake)
		queue_put(teller->orders, &wake->node);
	pthread_join(teller->thread, NULL);
	teller->is_running = false;
}

void
teller_end(struct teller *teller, mono_t deadline)
{
	teller_stop(teller, deadline);
	teller_free(teller);
}
