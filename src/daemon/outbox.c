/*
 * outbox.c: from decided to durable to told. Layer: daemon.
 */
#include "daemon/outbox.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

_Static_assert(TELLER_MOST_SINKS <= STORE_SINKS_MOST, "each sink has a cursor");

struct leave {
	uint64_t token;
	bool is_allowed;
};

/* Where a sink stands. Behind: what is stored is read for it page by page, so that a sink that is
 * stalled, or was for a week, is not all in memory (H6-21). */
struct place {
	const char *name;
	struct ulid put; /* handed to the teller up to here */
	bool is_behind;
	size_t behind;	 /* about how many stored events are still to be read */
	mono_t asked_at; /* MONO_NEVER: no page is asked for */
	bool is_dead;
	uint64_t dropped; /* by the teller, so far */
	uint64_t dropped_told;
};

#define ALL_SINKS (~0u)

struct due {
	struct told *told;
	unsigned sinks; /* bit i: the ith is told */
};

/* A turn that the writer has, until it is durable or 5 s old. */
struct waiting {
	struct waiting *next;
	uint64_t ticket;
	mono_t since;
	struct due *events;
	size_t event_count;
	struct leave *leaves;
	size_t leave_count;
};

struct outbox {
	struct writer *writer;
	struct teller *teller;
	struct event *on_writer;
	struct event *on_teller;
	struct event *on_tick;
	const struct outbox_calls *calls;
	void *owner;
	struct place places[TELLER_MOST_SINKS];
	size_t sink_count;
	uint64_t ticket;
	struct writer_turn *turn; /* being gathered */
	struct waiting *turn_waits;
	struct waiting *first;
	struct waiting **last;
	bool is_failing; /* the writer says so */
	bool is_late;	 /* a turn waited OUTBOX_PATIENCE_US */
	struct fault why;
	uint64_t lost; /* rows and events that the writer could not keep, so far */
	uint64_t lost_told;
	bool are_sinks_stored;
	uint64_t dropped; /* events that the store dropped before a sink had them, so far */
	uint64_t dropped_told;
};

#define PAGE_EVENTS 500
#define PAGE_BELOW 500			 /* the next page is read when so few wait in the teller */
#define BEHIND_ABOVE 2000		 /* so many wait there: what is stored is read later */
#define PAGE_PATIENCE_US (30 * US_PER_S) /* then it is asked for again */

/* ---- gathering a turn */

static bool
begin_turn(struct outbox *outbox)
{
	if (!outbox->turn)
		outbox->turn = writer_turn_new(outbox->ticket + 1);
	if (!outbox->turn_waits)
		outbox->turn_waits = calloc(1, sizeof(*outbox->turn_waits));
	return outbox->turn && outbox->turn_waits;
}

static void
no_memory(struct outbox *outbox)
{
	log_error("out of memory: a change of state could not be kept");
	outbox->calls->trouble(outbox->owner, TROUBLE_STATE, false, "out of memory");
}

void
outbox_row(struct outbox *outbox, enum row_kind kind, char *key, char *value)
{
	if (!begin_turn(outbox)) {
		free(key);
		free(value);
		no_memory(outbox);
	} else if (writer_turn_row(outbox->turn, kind, key, value) != ERR_OK) {
		no_memory(outbox);
	}
}

/*
 * is_stored: a sink that is behind will read it. What is not stored goes to every sink at once,
 * past those that wait: to one that is behind it may come a second time, under its id, out of the
 * store.
 */
static void
tell(struct outbox *outbox, struct told *told, unsigned sinks, bool is_stored)
{
	struct teller_figures figures;
	unsigned which = 0;

	teller_figures(outbox->teller, &figures);
	for (size_t i = 0; i < outbox->sink_count; i++) {
		struct place *place = &outbox->places[i];

		if (!place->is_behind && is_stored && figures.sinks[i].queue >= BEHIND_ABOVE)
			place->is_behind = true;
		if (place->is_behind && is_stored) {
			place->behind++;
			continue;
		}
		which |= sinks & 1u << i;
		if (!place->is_behind)
			place->put = told->id;
	}
	if (which && teller_put(outbox->teller, told, which) != ERR_OK)
		log_error("out of memory: an event reaches no sink: %s", told->line);
	outbox->calls->shown(outbox->owner, told);
}

void
outbox_event(struct outbox *outbox, struct told *told, const char *sink)
{
	struct due *events = NULL;
	unsigned sinks = ALL_SINKS;

	for (size_t i = 0; i < outbox->sink_count && sink; i++) {
		if (strcmp(outbox->places[i].name, sink) == 0)
			sinks = 1u << i;
	}

	if (begin_turn(outbox))
		events = reallocarray(outbox->turn_waits->events,
			outbox->turn_waits->event_count + 1, sizeof(*events));
	if (!events) {
		/* What cannot be stored is told all the same. */
		tell(outbox, told, sinks, false);
		return;
	}
	outbox->turn_waits->events = events;
	events[outbox->turn_waits->event_count++] = (struct due){ told, sinks };
	if (writer_turn_event(outbox->turn, told_hold(told)) != ERR_OK)
		log_error("out of memory: an event is told and not stored");
}

void
outbox_leave(struct outbox *outbox, uint64_t token, bool is_allowed)
{
	struct leave *leaves = NULL;

	if (begin_turn(outbox))
		leaves = reallocarray(outbox->turn_waits->leaves,
			outbox->turn_waits->leave_count + 1, sizeof(*leaves));
	if (!leaves) {
		outbox->calls->leave(outbox->owner, token, is_allowed);
		return;
	}
	outbox->turn_waits->leaves = leaves;
	leaves[outbox->turn_waits->leave_count++] = (struct leave){ token, is_allowed };
}

enum err
outbox_change(struct outbox *outbox, struct writer_change change)
{
	if (begin_turn(outbox))
		return writer_turn_change(outbox->turn, change);
	writer_change_done(&change);
	return ERR_MEMORY;
}

void
outbox_flush(struct outbox *outbox)
{
	if (!outbox->turn || !outbox->turn_waits)
		return;
	outbox->turn_waits->ticket = outbox->turn->ticket;
	outbox->turn_waits->since = mono_now();
	*outbox->last = outbox->turn_waits;
	outbox->last = &outbox->turn_waits->next;
	outbox->ticket = outbox->turn->ticket;
	writer_put(outbox->writer, outbox->turn);
	outbox->turn = NULL;
	outbox->turn_waits = NULL;
}

/* ---- letting go of a turn */

static void
let_go_first(struct outbox *outbox, bool is_stored)
{
	struct waiting *waiting = outbox->first;

	/* Unlinked first: what is called may begin another turn. */
	outbox->first = waiting->next;
	if (!outbox->first)
		outbox->last = &outbox->first;
	for (size_t i = 0; i < waiting->event_count; i++)
		tell(outbox, waiting->events[i].told, waiting->events[i].sinks, is_stored);
	for (size_t i = 0; i < waiting->leave_count; i++)
		outbox->calls->leave(
			outbox->owner, waiting->leaves[i].token, waiting->leaves[i].is_allowed);
	free(waiting->events);
	free(waiting->leaves);
	free(waiting);
}

/* A trouble that is over when it is told. */
static void
tell_past_trouble(struct outbox *outbox, enum trouble kind, const char *detail)
{
	outbox->calls->trouble(outbox->owner, kind, false, detail);
	outbox->calls->trouble(outbox->owner, kind, true, NULL);
}

/* H8-10: once the trouble is over, or its end would be taken for this one's. */
static void
tell_lost(struct outbox *outbox)
{
	uint64_t lost = outbox->lost - outbox->lost_told;
	char detail[100];

	if (lost == 0)
		return;
	outbox->lost_told = outbox->lost;
	snprintf(detail, sizeof(detail), "%llu rows and events could not be kept",
		(unsigned long long)lost);
	tell_past_trouble(outbox, TROUBLE_STATE, detail);
}

static void
tell_dropped(struct outbox *outbox)
{
	char detail[200];

	for (size_t i = 0; i < outbox->sink_count; i++) {
		if (outbox->places[i].is_dead)
			return;
	}
	for (size_t i = 0; i < outbox->sink_count; i++) {
		struct place *place = &outbox->places[i];
		uint64_t dropped = place->dropped - place->dropped_told;

		if (dropped == 0)
			continue;
		place->dropped_told = place->dropped;
		snprintf(detail, sizeof(detail), "%s: %llu events dropped, the oldest of too many",
			place->name, (unsigned long long)dropped);
		tell_past_trouble(outbox, TROUBLE_SINK, detail);
	}
	if (outbox->dropped != outbox->dropped_told) {
		snprintf(detail, sizeof(detail),
			"%llu events dropped that a sink had not taken, the oldest of more than %d",
			(unsigned long long)(outbox->dropped - outbox->dropped_told),
			STORE_EVENTS_MOST);
		outbox->dropped_told = outbox->dropped;
		tell_past_trouble(outbox, TROUBLE_SINK, detail);
	}
}

static void
on_stored(struct outbox *outbox, const struct writer_report *report)
{
	while (outbox->first && outbox->first->ticket <= report->ticket)
		let_go_first(outbox, true);
	if (outbox->is_late || outbox->is_failing) {
		outbox->is_late = outbox->is_failing = false;
		outbox->calls->trouble(outbox->owner, TROUBLE_STATE, true, NULL);
	}
	outbox->lost = report->lost;
	tell_lost(outbox);
	outbox->dropped = report->dropped;
	tell_dropped(outbox);
}

/* ---- sinks that are behind */

/* Asks for the next page for each that is behind and has few left; outbox_flush() is the caller's.
 */
static void
ask_for_pages(struct outbox *outbox)
{
	struct teller_figures figures;
	mono_t now = mono_now();

	teller_figures(outbox->teller, &figures);
	for (size_t i = 0; i < outbox->sink_count; i++) {
		struct place *place = &outbox->places[i];
		bool is_asked = place->asked_at.us != INT64_MAX &&
				mono_since(now, place->asked_at) < PAGE_PATIENCE_US;

		if (!place->is_behind || is_asked || figures.sinks[i].queue >= PAGE_BELOW)
			continue;
		if (begin_turn(outbox) &&
			writer_turn_page(outbox->turn,
				(struct writer_page){ i, place->put, PAGE_EVENTS }) == ERR_OK)
			place->asked_at = now;
	}
}

static void
on_page(struct outbox *outbox, const struct writer_report *report)
{
	struct place *place = &outbox->places[report->sink];

	place->asked_at = MONO_NEVER;
	for (size_t i = 0; i < report->event_count && place->is_behind; i++) {
		struct told *told = report->events[i];

		if (ulid_compare(told->id, place->put) <= 0)
			continue; /* of a page that was asked for twice */
		if (teller_put(outbox->teller, told, 1u << report->sink) != ERR_OK)
			return; /* asked for again at the next tick */
		place->put = told->id;
		if (place->behind > 0)
			place->behind--;
	}
	/* Nothing more: what is stored from here on has its STORED behind this report. */
	if (report->err == ERR_OK && report->event_count == 0) {
		place->is_behind = false;
		place->behind = 0;
	}
	if (report->err == ERR_OK)
		ask_for_pages(outbox);
}

static void
on_writer_reports(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *outbox = arg;
	struct queue_node *node = queue_take(writer_reports(outbox->writer));

	(void)fd;
	(void)what;
	while (node) {
		struct writer_report *report = CONTAINER_OF(node, struct writer_report, node);

		node = node->next;
		switch (report->kind) {
		case WRITER_STORED:
			on_stored(outbox, report);
			break;
		case WRITER_FAILING:
			outbox->is_failing = true;
			outbox->why = report->why;
			outbox->calls->trouble(
				outbox->owner, TROUBLE_STATE, false, report->why.text);
			break;
		case WRITER_ANEW:
			log_info("%s; it is written anew", report->why.text);
			outbox->calls->anew(outbox->owner);
			break;
		case WRITER_PAGE:
			on_page(outbox, report);
			break;
		case WRITER_CHANGED:
			outbox->calls->changed(
				outbox->owner, &report->change, report->err, &report->why);
			break;
		default: /* WELL: its STORED has said so */
			break;
		}
		writer_report_free(report);
	}
	outbox_flush(outbox);
}

/* In a second, or when the first turn that waits is too old: not a moment later (contract 7). */
static void
arm_tick(struct outbox *outbox)
{
	int64_t us = US_PER_S;
	struct timeval when;

	if (outbox->first) {
		int64_t left = OUTBOX_PATIENCE_US - mono_since(mono_now(), outbox->first->since);

		us = left < 0 ? 0 : left < us ? left : us;
	}
	when = (struct timeval){ us / US_PER_S, us % US_PER_S };
	event_add(outbox->on_tick, &when);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *outbox = arg;
	mono_t now = mono_now();

	(void)fd;
	(void)what;
	while (outbox->first && mono_since(now, outbox->first->since) >= OUTBOX_PATIENCE_US) {
		if (!outbox->is_late && !outbox->is_failing) {
			outbox->is_late = true;
			fault_set(&outbox->why, "state.db has not been written for 5 s");
			outbox->calls->trouble(
				outbox->owner, TROUBLE_STATE, false, outbox->why.text);
		}
		let_go_first(outbox, false);
	}
	ask_for_pages(outbox);
	outbox_flush(outbox);
	arm_tick(outbox);
}

/* ---- sinks */

static void
tell_sink_trouble(struct outbox *outbox, const struct teller_report *report, bool is_over)
{
	struct place *place = &outbox->places[report->sink];
	char detail[400];

	place->dropped = report->dropped;
	place->is_dead = !is_over;
	if (!is_over) {
		snprintf(detail, sizeof(detail), "%s takes no events: %s", place->name,
			report->why.text);
		/* Where no other sink is left the log alone says so (H8-04). */
		log_error("%s", detail);
		outbox->calls->trouble(outbox->owner, TROUBLE_SINK, false, detail);
		return;
	}
	for (size_t i = 0; i < outbox->sink_count; i++) {
		if (outbox->places[i].is_dead)
			return; /* the trouble goes on with another sink */
	}
	outbox->calls->trouble(outbox->owner, TROUBLE_SINK, true, NULL);
	tell_dropped(outbox);
}

static void
note_taken(struct outbox *outbox, const struct teller_report *report)
{
	const struct place *place = &outbox->places[report->sink];

	/* Told past those that are still to be read: its cursor would pass them as well. */
	if (place->is_behind && ulid_compare(report->id, place->put) > 0)
		return;
	if (!begin_turn(outbox) ||
		writer_turn_cursor(outbox->turn, place->name, report->id) != ERR_OK)
		log_error("out of memory: how far a sink has come is not stored");
}

static void
on_teller_reports(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *outbox = arg;
	struct queue_node *node = queue_take(teller_reports(outbox->teller));

	(void)fd;
	(void)what;
	while (node) {
		struct teller_report *report = CONTAINER_OF(node, struct teller_report, node);

		node = node->next;
		if (report->kind == TELLER_TOOK)
			note_taken(outbox, report);
		else
			tell_sink_trouble(outbox, report, report->kind == TELLER_BACK);
		free(report);
	}
	ask_for_pages(outbox);
	outbox_flush(outbox);
}

/* ---- life */

static void
on_old_event(void *owner, const struct told *old)
{
	struct outbox *outbox = owner;
	struct told *told = writer_told_copy(old);

	if (told)
		outbox->calls->shown(outbox->owner, told);
}

/* How far each sink has come; what it has not taken is read once the writer goes (H6-21). */
static enum err
place_sinks(struct outbox *outbox, struct store *store, struct fault *why)
{
	const char *names[TELLER_MOST_SINKS];
	struct ulid newest = { { 0 } };
	enum err err;

	for (size_t i = 0; i < outbox->sink_count; i++)
		names[i] = outbox->places[i].name;
	outbox->are_sinks_stored =
		store_sinks(store, names, outbox->sink_count, why) == ERR_OK; /* else the writer */
	err = store_newest_event(store, &newest, why);
	for (size_t i = 0; i < outbox->sink_count && err == ERR_OK; i++) {
		struct place *place = &outbox->places[i];

		err = store_cursor(store, place->name, &place->put, why);
		if (err == ERR_OK && !ulid_is_set(place->put))
			place->put = newest;
		if (err == ERR_OK)
			err = store_count_events(store, place->put, &place->behind, why);
		place->is_behind = err == ERR_OK && place->behind > 0;
	}
	return err;
}

/* Everything kept is shown. */
static enum err
show_old_events(struct outbox *outbox, struct store *store, struct fault *why)
{
	struct ulid after = { { 0 } };
	enum err err = store_event_before(store, STORE_EVENTS_KEPT, &after, why);

	if (err == ERR_OK)
		err = store_events(store, after, STORE_EVENTS_KEPT, on_old_event, outbox, why);
	return err;
}

static void
begin_from_store(struct outbox *outbox, struct store *store)
{
	enum err err = place_sinks(outbox, store, &outbox->why);

	if (err == ERR_OK)
		err = show_old_events(outbox, store, &outbox->why);
	if (err != ERR_OK) {
		log_error("events of before cannot be read: %s", outbox->why.text);
		outbox->is_failing = true; /* until the writer has written something */
	}
}

static struct event *
watch_queue(
	struct event_base *base, struct queue *queue, event_callback_fn call, struct outbox *outbox)
{
	struct event *event = event_new(base, queue_fd(queue), EV_READ | EV_PERSIST, call, outbox);

	if (event)
		event_add(event, NULL);
	return event;
}

enum err
outbox_start(struct event_base *base, struct store *store, struct sink *const *sinks,
	size_t sink_count, const struct outbox_calls *calls, void *owner, struct outbox **out,
	struct fault *why)
{
	struct outbox *outbox = sink_count > TELLER_MOST_SINKS ? NULL : calloc(1, sizeof(*outbox));
	const char *names[TELLER_MOST_SINKS];
	enum err err;

	if (!outbox) {
		for (size_t i = 0; i < sink_count; i++)
			sink_free(sinks[i]);
		store_close(store);
		return sink_count > TELLER_MOST_SINKS ? ERR_LIMIT : ERR_MEMORY;
	}
	outbox->calls = calls;
	outbox->owner = owner;
	outbox->last = &outbox->first;
	outbox->sink_count = sink_count;
	for (size_t i = 0; i < sink_count; i++) {
		names[i] = sinks[i]->name;
		outbox->places[i] = (struct place){ .name = names[i], .asked_at = MONO_NEVER };
	}
	err = teller_start(sinks, sink_count, NULL, &outbox->teller, why);
	if (err == ERR_OK) {
		begin_from_store(outbox, store);
		err = writer_start(
			store, names, sink_count, outbox->are_sinks_stored, &outbox->writer, why);
	} else {
		store_close(store);
	}
	if (err == ERR_OK) {
		outbox->on_writer = watch_queue(
			base, writer_reports(outbox->writer), on_writer_reports, outbox);
		outbox->on_teller = watch_queue(
			base, teller_reports(outbox->teller), on_teller_reports, outbox);
		outbox->on_tick = event_new(base, -1, 0, on_tick, outbox);
		if (!outbox->on_writer || !outbox->on_teller || !outbox->on_tick)
			err = ERR_MEMORY;
	}
	if (err != ERR_OK) {
		outbox_end(outbox, mono_add(mono_now(), US_PER_S));
		return err;
	}
	ask_for_pages(outbox);
	outbox_flush(outbox);
	arm_tick(outbox);
	*out = outbox;
	return ERR_OK;
}

bool
outbox_is_idle(const struct outbox *outbox)
{
	return !outbox->first && !outbox->turn;
}

bool
outbox_is_storing(const struct outbox *outbox, struct fault *why)
{
	if (!outbox->is_failing && !outbox->is_late)
		return true;
	*why = outbox->why;
	return false;
}

void
outbox_figures(struct outbox *outbox, struct teller_figures *out)
{
	teller_figures(outbox->teller, out);
	for (size_t i = 0; i < outbox->sink_count; i++)
		out->sinks[i].queue += outbox->places[i].behind;
}

bool
outbox_has_sink(const struct outbox *outbox, const char *name)
{
	for (size_t i = 0; i < outbox->sink_count; i++) {
		if (strcmp(outbox->places[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
event_free_null(struct event *event)
{
	if (event)
		event_free(event);
}

bool
outbox_end(struct outbox *outbox, mono_t deadline)
{
	int64_t left_us = mono_since(deadline, mono_now());
	bool is_written = true;

	if (outbox->writer)
		outbox_flush(outbox);
	/* The writer first: what it still makes durable is told; then the cursors in a last, short
	 * write. */
	while (outbox->writer && outbox->first &&
		mono_is_before(mono_now(), mono_add(deadline, -left_us / 2))) {
		on_writer_reports(-1, 0, outbox);
		if (outbox->first)
			mono_sleep(5 * US_PER_MS);
	}
	while (outbox->first)
		let_go_first(outbox, false);
	if (outbox->teller)
		teller_stop(outbox->teller, mono_add(deadline, -left_us / 4));
	if (outbox->teller && outbox->writer)
		on_teller_reports(-1, 0, outbox);
	while (outbox->first)
		let_go_first(outbox, false); /* the turn of the last cursors */
	event_free_null(outbox->on_writer);
	event_free_null(outbox->on_teller);
	event_free_null(outbox->on_tick);
	if (outbox->writer)
		is_written = writer_end(outbox->writer, deadline);
	if (outbox->teller)
		teller_end(outbox->teller, mono_now());
	if (is_written)
		free(outbox);
	return is_written;
}
