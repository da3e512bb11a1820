/*
 * events.c: GET /v1/events: what was told, kept for a while and followed. Layer: control.
 *
 * There is one ring of events and no queue beside it: a follower is a place in the ring, read when
 * its connection has taken what it had. So a follower costs no memory however far behind it is; who
 * is overtaken by the ring's end is told how many were lost (H5-06, H5-07). Followers are woken
 * together, at most every WAKE_US, so that 1,000 of them at 1,000 events a second cost 20,000
 * writes a second and not a million.
 */
#include "control/inside.h"

#include "facts/mailbox.h"
#include "store/store.h"

#include <event2/event.h>
#include <stdlib.h>

#define WAKE_US (50 * US_PER_MS)
#define LOOK_AT_CLOCK_EVERY 64

struct kept {
	struct ulid id;
	wall_t time;
	char *json;
};

struct reader {
	struct events *events;
	struct control *control;
	struct exchange *exchange;
	struct select *select;
	uint64_t next;	/* number of the event that it reads next */
	uint64_t until; /* and before which it ends; a follower's is UINT64_MAX until the end */
	bool is_follower;
	LIST_ENTRY(reader) all;
};

struct events {
	struct kept *ring; /* event number n stands at n % STORE_EVENTS_KEPT */
	uint64_t begin;	   /* the oldest that is kept */
	uint64_t end;	   /* behind the newest */
	struct event *wake;
	mono_t woken;
	LIST_HEAD(, reader) followers;
};

static struct kept *
kept_at(const struct events *events, uint64_t number)
{
	return &events->ring[number % STORE_EVENTS_KEPT];
}

/* ---- life */

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;
	struct reader *reader;

	events->woken = mono_now();
	LIST_FOREACH(reader, &events->followers, all)
	exchange_wake(reader->exchange);
}

enum err
events_new(struct event_base *base, struct events **out)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return ERR_MEMORY;
	LIST_INIT(&events->followers);
	events->ring = calloc(STORE_EVENTS_KEPT, sizeof(*events->ring));
	events->wake = evtimer_new(base, on_wake, events);
	if (!events->ring || !events->wake) {
		events_free(events);
		return ERR_MEMORY;
	}
	*out = events;
	return ERR_OK;
}

void
events_free(struct events *events)
{
	if (!events)
		return;
	for (; events->begin < events->end; events->begin++)
		free(kept_at(events, events->begin)->json);
	if (events->wake)
		event_free(events->wake);
	free(events->ring);
	free(events);
}

void
events_add(struct events *events, struct told *told)
{
	struct kept kept = { told->id, told->time, bytes_copy(bytes_of(told->json)) };
	int64_t wait_us = WAKE_US - mono_since(mono_now(), events->woken);
	struct timeval after = { 0, 0 };

	told_free(told); /* its other forms are the sinks' */
	if (events->end - events->begin == STORE_EVENTS_KEPT)
		free(kept_at(events, events->begin++)->json);
	/* Without memory for it the event still counts: its reader is told that one is lost. */
	*kept_at(events, events->end++) = kept;
	if (LIST_EMPTY(&events->followers) || evtimer_pending(events->wake, NULL))
		return;
	if (wait_us > 0 && wait_us <= WAKE_US)
		after.tv_usec = (suseconds_t)wait_us;
	evtimer_add(events->wake, &after);
}

void
events_goodbye(struct events *events)
{
	struct reader *reader;

	LIST_FOREACH(reader, &events->followers, all)
	{
		if (reader->until == UINT64_MAX) {
			reader->until = events->end;
			exchange_wake(reader->exchange);
		}
	}
}

bool
events_are_followed(const struct events *events)
{
	return !LIST_EMPTY(&events->followers);
}

/* ---- selecting */

static void
read_labels(json_t *event, struct labels *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(event, "labels"), name, value)
	{
		const char *text = json_string_value(value);

		if (!text || out->count == MOST_LABELS)
			continue;
		out->items[out->count].name = bytes_copy(bytes_of(name));
		out->items[out->count].value = bytes_copy(bytes_of(text));
		if (!out->items[out->count].name || !out->items[out->count].value) {
			free(out->items[out->count].name);
			free(out->items[out->count].value);
			return;
		}
		out->count++;
	}
}

static void
read_parts(const struct told *told, struct subject *subject)
{
	enum part parts[SIDE_COUNT];
	bool has_any = false;

	for (enum side side = 0; side < SIDE_COUNT; side++) {
		struct bytes word = told_member(told, bytes_of(side_name(side)));

		parts[side] = PART_NONE;
		if (part_from_name(word, &parts[side]) == ERR_OK)
			has_any = true;
	}
	subject->has_state = has_any;
	if (has_any)
		subject->state = mailbox_state_class(parts);
}

static bool
is_selected(const struct select *select, const struct kept *kept)
{
	/* told_member() reads of an event's forms the JSON alone. */
	const struct told told = { .json = kept->json };
	struct labels labels = { 0 };
	struct subject subject = { .labels = &labels };
	json_t *event = NULL;
	bool is_in;

	if (select_is_all(select))
		return true;
	subject.name = told_member(&told, BYTES("mailbox"));
	subject.address = told_member(&told, BYTES("address"));
	subject.hosts[SIDE_SMTP] = told_member(&told, BYTES("server"));
	subject.has_cause[SIDE_SMTP] = cause_from_name(told_member(&told, BYTES("cause")),
					       &subject.causes[SIDE_SMTP]) == ERR_OK;
	if (ulid_parse(told_member(&told, BYTES("incident")), &subject.incidents[SIDE_SMTP]) !=
		ERR_OK)
		subject.incidents[SIDE_SMTP] = (struct ulid){ { 0 } };
	read_parts(&told, &subject);
	if (select_has_label(select)) {
		event = json_loads(kept->json, JSON_ALLOW_NUL, NULL);
		read_labels(event, &labels);
	}
	is_in = select_matches(select, &subject);
	json_decref(event);
	labels_done(&labels);
	return is_in;
}

/* ---- reading */

static void
put_lost(struct buf *out, uint64_t count)
{
	buf_put_format(out, "{\"event\":\"lost\",\"count\":%llu}\n", (unsigned long long)count);
}

static void
put_overtaken(struct reader *reader, struct buf *out)
{
	uint64_t first =
		reader->events->begin < reader->until ? reader->events->begin : reader->until;

	if (reader->next >= first)
		return;
	put_lost(out, first - reader->next);
	reader->next = first;
}

static enum stream_step
reader_next(void *user, struct buf *out)
{
	struct reader *reader = user;
	mono_t end = mono_add(mono_now(), HTTP_SLICE_US);
	unsigned looked = 0;

	put_overtaken(reader, out);
	while (reader->next < reader->until && reader->next < reader->events->end) {
		const struct kept *kept = kept_at(reader->events, reader->next++);

		if (!kept->json) {
			put_lost(out, 1);
		} else if (is_selected(reader->select, kept)) {
			buf_put_string(out, kept->json);
			buf_put_byte(out, '\n');
		}
		if (out->len >= HTTP_SLICE_BYTES || out->is_failed)
			return STREAM_MORE;
		if (++looked % LOOK_AT_CLOCK_EVERY == 0 && !mono_is_before(mono_now(), end))
			return out->len > 0 ? STREAM_MORE : STREAM_AGAIN;
	}
	return reader->next >= reader->until ? STREAM_END : STREAM_WAIT;
}

static void
reader_end(void *user)
{
	struct reader *reader = user;

	if (reader->is_follower)
		LIST_REMOVE(reader, all);
	select_free(reader->select);
	free(reader);
}

static const struct stream_calls reader_calls = { reader_next, reader_end };

/* The first event behind an id. Ids rise, but for those told again after a crash, so the id itself
 * is looked for first. */
static uint64_t
number_after_id(const struct events *events, struct ulid id)
{
	for (uint64_t number = events->end; number > events->begin; number--) {
		if (ulid_compare(kept_at(events, number - 1)->id, id) == 0)
			return number;
	}
	for (uint64_t number = events->begin; number < events->end; number++) {
		if (ulid_compare(kept_at(events, number)->id, id) > 0)
			return number;
	}
	return events->end;
}

static uint64_t
number_at_time(const struct events *events, wall_t time)
{
	for (uint64_t number = events->begin; number < events->end; number++) {
		if (kept_at(events, number)->time.us >= time.us)
			return number;
	}
	return events->end;
}

/* Where the reader begins; false: answered. */
static bool
read_since(const struct request *request, struct reader *reader, bool is_follower)
{
	const struct events *events = reader->events;
	struct bytes since;
	struct ulid id;
	wall_t time;
	bool is_good = true;

	if (!request_param(request, "since", &since)) {
		reader->next = is_follower ? events->end : events->begin;
	} else if (ulid_parse(since, &id) == ERR_OK) {
		reader->next = number_after_id(events, id);
	} else if (wall_parse(since, &time) == ERR_OK) {
		reader->next = number_at_time(events, time);
	} else {
		is_good = false;
		problem_answer(request->exchange, PROBLEM_BAD_REQUEST,
			"since is an event's id or a time (RFC 3339).", NULL);
	}
	return is_good;
}

void
events_answer(const struct request *request)
{
	struct events *events = request->control->events;
	bool is_follower = request_flag(request, "follow") &&
			   exchange_method(request->exchange) != METHOD_HEAD;
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader) {
		request_answer_memory(request);
		return;
	}
	reader->events = events;
	reader->exchange = request->exchange;
	reader->until = events->end;
	if (request_select(request, &reader->select) != ERR_OK ||
		!read_since(request, reader, is_follower)) {
		reader_end(reader);
		return;
	}
	if (is_follower) {
		reader->until = UINT64_MAX;
		reader->is_follower = true;
		LIST_INSERT_HEAD(&events->followers, reader, all);
	}
	exchange_stream(
		request->exchange, 200, "application/x-ndjson", is_follower, &reader_calls, reader);
}
