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

/* A turn that the writer has, until it is durable or 5 s old. */
struct waiting {
	struct waiting *next;
	uint64_t ticket;
	mono_t since;
	struct told **events;
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
	const char *sink_names[TELLER_MOST_SINKS];
	size_t sink_count;
	uint64_t ticket;
	struct writer_turn *turn; /* being gathered */
	struct waiting *turn_waits;
	struct waiting *first;
	struct waiting **last;
	bool is_failing; /* the writer says so */
	bool is_late;	 /* a turn waited OUTBOX_PATIENCE_US */
	struct fault why;
	bool dead[TELLER_MOST_SINKS];
};

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

static void
tell(struct outbox *outbox, struct told *told)
{
	if (teller_put(outbox->teller, told, ~0u) != ERR_OK)
		log_error("out of memory: an event reaches no sink: %s", told->line);
	outbox->calls->shown(outbox->owner, told);
}

void
outbox_event(struct outbox *outbox, struct told *told)
{
	struct told **events = NULL;

	if (begin_turn(outbox))
		events = reallocarray(outbox->turn_waits->events, outbox->turn_waits->event_count + 1, sizeof(*events));
	if (!events) {
		/* What cannot be stored is told all the same. */
		tell(outbox, told);
		return;
	}
	outbox->turn_waits->events = events;
	events[outbox->turn_waits->event_count++] = told;
	if (writer_turn_event(outbox->turn, told_hold(told)) != ERR_OK)
		log_error("out of memory: an event is told and not stored");
}

void
outbox_leave(struct outbox *outbox, uint64_t token, bool is_allowed)
{
	struct leave *leaves = NULL;

	if (begin_turn(outbox))
		leaves = reallocarray(outbox->turn_waits->leaves, outbox->turn_waits->leave_count + 1, sizeof(*leaves));
	if (!leaves) {
		outbox->calls->leave(outbox->owner, token, is_allowed);
		return;
	}
	outbox->turn_waits->leaves = leaves;
	leaves[outbox->turn_waits->leave_count++] = (struct leave){ token, is_allowed };
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
let_go_first(struct outbox *outbox)
{
	struct waiting *waiting = outbox->first;

	/* Unlinked first: what is called may begin another turn. */
	outbox->first = waiting->next;
	if (!outbox->first)
		outbox->last = &outbox->first;
	for (size_t i = 0; i < waiting->event_count; i++)
		tell(outbox, waiting->events[i]);
	for (size_t i = 0; i < waiting->leave_count; i++)
		outbox->calls->leave(outbox->owner, waiting->leaves[i].token, waiting->leaves[i].is_allowed);
	free(waiting->events);
	free(waiting->leaves);
	free(waiting);
}

static void
on_stored(struct outbox *outbox, uint64_t ticket)
{
	while (outbox->first && outbox->first->ticket <= ticket)
		let_go_first(outbox);
	if (outbox->is_late && !outbox->is_failing) {
		outbox->is_late = false;
		outbox->calls->trouble(outbox->owner, TROUBLE_STATE, true, NULL);
	}
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
			on_stored(outbox, report->ticket);
			break;
		case WRITER_FAILING:
			outbox->is_failing = true;
			outbox->why = report->why;
			outbox->calls->trouble(outbox->owner, TROUBLE_STATE, false, report->why.text);
			break;
		case WRITER_WELL:
			outbox->is_failing = false;
			outbox->is_late = false;
			outbox->calls->trouble(outbox->owner, TROUBLE_STATE, true, NULL);
			break;
		default:
			break;
		}
		free(report);
	}
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
			outbox->calls->trouble(outbox->owner, TROUBLE_STATE, false, outbox->why.text);
		}
		let_go_first(outbox);
	}
}

/* ---- sinks */

static void
tell_sink_trouble(struct outbox *outbox, const struct teller_report *report, bool is_over)
{
	char detail[400];
	bool is_any_dead = false;

	outbox->dead[report->sink] = !is_over;
	for (size_t i = 0; i < outbox->sink_count; i++)
		is_any_dead = is_any_dead || outbox->dead[i];
	if (is_over && is_any_dead)
		return; /* the trouble goes on with another sink */
	snprintf(detail, sizeof(detail), "%s takes no events: %s; %llu dropped", outbox->sink_names[report->sink],
		report->why.text, (unsigned long long)report->dropped);
	outbox->calls->trouble(outbox->owner, TROUBLE_SINK, is_over, is_over ? NULL : detail);
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
		if (report->kind == TELLER_TOOK) {
			if (begin_turn(outbox) && writer_turn_cursor(outbox->turn, outbox->sink_names[report->sink],
							  report->id) != ERR_OK)
				log_error("out of memory: how far a sink has come is not stored");
		} else {
			tell_sink_trouble(outbox, report, report->kind == TELLER_BACK);
		}
		free(report);
	}
	outbox_flush(outbox);
}

/* ---- life */

struct replay {
	struct outbox *outbox;
	struct ulid cursors[TELLER_MOST_SINKS];
};

static struct told *
told_copy(const struct told *told)
{
	struct told *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->id = told->id;
	copy->kind = told->kind;
	copy->level = told->level;
	copy->time = told->time;
	copy->line = bytes_copy(bytes_of(told->line));
	copy->json = bytes_copy(bytes_of(told->json));
	copy->journal = bytes_copy((struct bytes){ told->journal, told->journal_len });
	copy->journal_len = told->journal_len;
	if (copy->line && copy->json && copy->journal)
		return copy;
	told_free(copy);
	return NULL;
}

static void
on_old_event(void *owner, const struct told *old)
{
	struct replay *replay = owner;
	struct told *told = told_copy(old);
	unsigned which = 0;

	if (!told)
		return;
	for (size_t i = 0; i < replay->outbox->sink_count; i++) {
		if (ulid_compare(told->id, replay->cursors[i]) > 0)
			which |= 1u << i;
	}
	if (which && teller_put(replay->outbox->teller, told, which) != ERR_OK)
		log_error("out of memory: an event of before reaches no sink");
	replay->outbox->calls->shown(replay->outbox->owner, told);
}

/* What sinks have not taken is told under its old id; everything kept is shown. */
static void
replay_events(struct outbox *outbox, struct store *store)
{
	struct replay replay = { .outbox = outbox };
	struct ulid newest = { { 0 } };
	struct fault why;

	if (store_sinks(store, outbox->sink_names, outbox->sink_count, &why) != ERR_OK)
		log_error("how far sinks have come cannot be stored: %s", why.text);
	if (store_newest_event(store, &newest, &why) != ERR_OK)
		return;
	for (size_t i = 0; i < outbox->sink_count; i++) {
		if (store_cursor(store, outbox->sink_names[i], &replay.cursors[i], &why) != ERR_OK ||
			!ulid_is_set(replay.cursors[i]))
			replay.cursors[i] = newest;
	}
	if (store_events(store, (struct ulid){ { 0 } }, SIZE_MAX / 2, on_old_event, &replay, &why) != ERR_OK)
		log_error("events of before cannot be read: %s", why.text);
}

static struct event *
watch_queue(struct event_base *base, struct queue *queue, event_callback_fn call, struct outbox *outbox)
{
	struct event *event = event_new(base, queue_fd(queue), EV_READ | EV_PERSIST, call, outbox);

	if (event)
		event_add(event, NULL);
	return event;
}

enum err
outbox_start(struct event_base *base, struct store *store, struct sink *const *sinks, size_t sink_count,
	const struct outbox_calls *calls, void *owner, struct outbox **out, struct fault *why)
{
	static const struct timeval second = { 1, 0 };
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	enum err err;

	if (!outbox) {
		store_close(store);
		return ERR_MEMORY;
	}
	outbox->calls = calls;
	outbox->owner = owner;
	outbox->last = &outbox->first;
	outbox->sink_count = sink_count;
	for (size_t i = 0; i < sink_count; i++)
		outbox->sink_names[i] = sinks[i]->name;
	err = teller_start(sinks, sink_count, NULL, &outbox->teller, why);
	if (err == ERR_OK) {
		replay_events(outbox, store);
		err = writer_start(store, &outbox->writer, why);
	} else {
		store_close(store);
	}
	if (err == ERR_OK) {
		outbox->on_writer = watch_queue(base, writer_reports(outbox->writer), on_writer_reports, outbox);
		outbox->on_teller = watch_queue(base, teller_reports(outbox->teller), on_teller_reports, outbox);
		outbox->on_tick = event_new(base, -1, EV_PERSIST, on_tick, outbox);
		if (!outbox->on_writer || !outbox->on_teller || !outbox->on_tick)
			err = ERR_MEMORY;
	}
	if (err != ERR_OK) {
		outbox_end(outbox, mono_now());
		return err;
	}
	event_add(outbox->on_tick, &second);
	outbox->ticket = 1;
	*out = outbox;
	return ERR_OK;
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
}

bool
outbox_has_sink(const struct outbox *outbox, const char *name)
{
	for (size_t i = 0; i < outbox->sink_count; i++) {
		if (strcmp(outbox->sink_names[i], name) == 0)
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
	/* The writer first: what it still makes durable is told with its id; then cursors in one last, short write. */
	if (outbox->writer) {
		while (outbox->first && mono_is_before(mono_now(), mono_add(deadline, -left_us / 2))) {
			on_writer_reports(-1, 0, outbox);
			if (outbox->first)
				mono_sleep(5 * US_PER_MS);
		}
	}
	while (outbox->first)
		let_go_first(outbox);
	if (outbox->teller && outbox->writer) {
		struct teller_figures figures;
		bool is_told = false;

		while (!is_told && mono_is_before(mono_now(), mono_add(deadline, -left_us / 4))) {
			is_told = true;
			teller_figures(outbox->teller, &figures);
			for (size_t i = 0; i < figures.sink_count; i++)
				is_told = is_told && figures.sinks[i].queue == 0;
			if (!is_told)
				mono_sleep(5 * US_PER_MS);
		}
		on_teller_reports(-1, 0, outbox);
	}
	while (outbox->first)
		let_go_first(outbox); /* the turn of the last cursors */
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
