/*
 * probes.c: POST probe, of one mailbox or of a selection, and whoever waits for the verdicts.
 * Layer: control.
 *
 * What is not done at once is an `asked`: it stands in control's list until the daemon says that it
 * is done, or its client leaves. The daemon knows it by a number: its own in the upper half, which
 * mailbox of it in the lower. A selection is asked for in steps, and its answer is a stream: 10,000
 * mailboxes hold up nobody.
 */
#include "control/inside.h"

#include "base/escape.h"
#include "base/hash.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBE_STEP_US (4 * US_PER_MS)

struct asked_mailbox {
	uint32_t mailbox;
	uint64_t name; /* hash: the index may be another's after a reload */
};

struct asked {
	struct control *control;
	struct exchange *exchange;
	uint64_t number;
	LIST_ENTRY(asked) all;
	/* of a probe */
	bool is_waited; /* ?wait=1: answered when all is judged */
	bool is_one;
	bool is_begun; /* all of the selection has been asked for */
	size_t outstanding;
	struct asked_mailbox *mailboxes;
	size_t count;
	size_t room;
	size_t given;	/* of the answer */
	bool has_given; /* something stands in the list */
	struct select *select;
	struct walk walk;
	struct event *step;
	struct buf skipped; /* "a","b" */
};

/* ---- asked */

void
asked_free(struct asked *asked)
{
	LIST_REMOVE(asked, all);
	if (asked->step)
		event_free(asked->step);
	walk_done(&asked->walk);
	select_free(asked->select);
	free(asked->mailboxes);
	buf_done(&asked->skipped);
	free(asked);
}

void
asked_gone(void *user)
{
	asked_free(user);
}

struct asked *
asked_new(const struct request *request)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked)
		return NULL;
	asked->control = request->control;
	asked->exchange = request->exchange;
	asked->number = ++request->control->last_asked;
	LIST_INSERT_HEAD(&request->control->asked, asked, all);
	return asked;
}

struct asked *
asked_find(struct control *control, uint64_t request)
{
	struct asked *asked;

	LIST_FOREACH(asked, &control->asked, all)
	{
		if (asked->number == request >> 32)
			return asked;
	}
	return NULL;
}

uint64_t
asked_request(const struct asked *asked)
{
	return asked->number << 32;
}

struct exchange *
asked_exchange(const struct asked *asked)
{
	return asked->exchange;
}

void
asked_free_all(struct control *control)
{
	struct asked *asked;

	while ((asked = LIST_FIRST(&control->asked)))
		asked_free(asked);
}

/* ---- the answer to a probe */

static void
put_skipped(struct asked *asked, struct buf *out)
{
	buf_put_string(out, "],\"skipped\":[");
	buf_put(out, buf_bytes(&asked->skipped));
	buf_put_string(out, "]}\n");
}

static enum stream_step
asked_next(void *user, struct buf *out)
{
	struct asked *asked = user;
	mono_t end = mono_add(mono_now(), HTTP_SLICE_US);
	struct watch_view view;

	if (asked->given == 0)
		buf_put_string(out, "{\"mailboxes\":[");
	while (asked->given < asked->count) {
		const struct asked_mailbox *one = &asked->mailboxes[asked->given++];

		if (watch_view(asked->control->watch, one->mailbox, &view) &&
			hash_bytes(bytes_of(view.name), 0) == one->name) {
			buf_put_string(out, asked->has_given ? ",\n" : "\n");
			asked->has_given = true;
			view_put_mailbox(asked->control, out, &view, true);
		}
		if (out->is_failed || out->len >= HTTP_SLICE_BYTES ||
			!mono_is_before(mono_now(), end))
			return STREAM_MORE;
	}
	put_skipped(asked, out);
	return STREAM_END;
}

static void
asked_end(void *user)
{
	asked_free(user);
}

static const struct stream_calls asked_calls = { asked_next, asked_end };

/* 202: it will be done. */
static void
answer_accepted(struct asked *asked)
{
	struct exchange *exchange = asked->exchange;
	struct buf out = { 0 };

	buf_put_format(&out, "{\"accepted\":%zu,\"skipped\":[", asked->count);
	buf_put(&out, buf_bytes(&asked->skipped));
	buf_put_string(&out, "]}\n");
	out.is_failed = out.is_failed || asked->skipped.is_failed;
	asked_free(asked);
	json_answer(exchange, 202, &out);
}

static void
asked_settle(struct asked *asked)
{
	struct control *control = asked->control;
	struct exchange *exchange = asked->exchange;
	uint32_t mailbox;
	int status;

	if (!asked->is_begun || (asked->is_waited && asked->outstanding > 0))
		return;
	if (!asked->is_one && asked->is_waited) {
		exchange_stream(exchange, 200, "application/json", false, &asked_calls, asked);
	} else if (!asked->is_one) {
		answer_accepted(asked);
	} else {
		mailbox = asked->mailboxes[0].mailbox;
		status = asked->is_waited ? 200 : 202;
		asked_free(asked);
		view_answer_mailbox(control, exchange, status, mailbox);
	}
}

/* ---- probe */

/* Asks the daemon for one. What the view says is gone with the call. */
static enum err
ask_for(struct asked *asked, uint32_t mailbox, const struct watch_view *view, struct fault *why)
{
	struct control *control = asked->control;
	uint64_t hash = hash_bytes(bytes_of(view->name), 0);
	struct buf name = { 0 };
	enum err err;

	if (asked->count == asked->room) {
		size_t room = asked->room ? 2 * asked->room : 16;
		struct asked_mailbox *more = realloc(asked->mailboxes, room * sizeof(*more));

		if (!more)
			return ERR_MEMORY;
		asked->mailboxes = more;
		asked->room = room;
	}
	json_put_text(&name, bytes_of(view->name));
	asked->mailboxes[asked->count] = (struct asked_mailbox){ mailbox, hash };
	asked->outstanding++;
	/* control_probe_done() may come from inside; is_begun keeps it from answering. */
	err = control->calls->probe(
		control->owner, mailbox, asked_request(asked) | asked->count, why);
	if (err == ERR_OK) {
		asked->count++;
	} else {
		asked->outstanding--;
		if (asked->skipped.len > 0)
			buf_put_byte(&asked->skipped, ',');
		buf_put(&asked->skipped, buf_bytes(&name));
	}
	buf_done(&name);
	return err;
}

void
control_probe_done(struct control *control, uint64_t request)
{
	struct asked *asked = asked_find(control, request);

	if (!asked || asked->outstanding == 0)
		return;
	asked->outstanding--;
	asked_settle(asked);
}

void
change_probe(const struct request *request)
{
	struct control *control = request->control;
	struct fault why = { "" };
	struct watch_view view;
	struct asked *asked;
	uint32_t mailbox;
	json_t *body = body_read(request, body_no_members);
	enum err err;

	if (!body)
		return;
	json_decref(body);
	if (!watch_find(control->watch, request->name, &mailbox) ||
		!watch_view(control->watch, mailbox, &view)) {
		problem_answer_mailbox(request->exchange, request->name);
		return;
	}
	asked = asked_new(request);
	if (!asked) {
		request_answer_memory(request);
		return;
	}
	asked->is_one = true;
	asked->is_waited = request_flag(request, "wait");
	err = ask_for(asked, mailbox, &view, &why);
	if (err != ERR_OK) {
		asked_free(asked);
		change_answer_refused(request, err,
			change_conflict_of(control, mailbox, PROBLEM_LOGINS_HELD), 0, &why);
		return;
	}
	asked->is_begun = true;
	exchange_wait(request->exchange, asked_gone, asked);
	asked_settle(asked);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct asked *asked = arg;
	mono_t end = mono_add(mono_now(), PROBE_STEP_US);
	struct watch_view view;
	struct fault why;
	uint32_t mailbox;

	do {
		enum walk_step step = walk_next(&asked->walk, end, &mailbox, &view);

		if (step == WALK_END) {
			asked->is_begun = true;
			asked_settle(asked);
			return;
		}
		/* One that does not allow it is skipped, and said to be. */
		if (step == WALK_FOUND)
			(void)ask_for(asked, mailbox, &view, &why);
	} while (mono_is_before(mono_now(), end));
	evtimer_add(asked->step, &at_once);
}

/* "select": a text of selectors, or a list of such; false: answered. */
static bool
read_select(const struct request *request, json_t *body, struct select *select)
{
	json_t *value = json_object_get(body, "select");
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	struct fault why;

	for (size_t i = 0; value && i < count; i++) {
		json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		enum err err;

		if (!json_is_string(item)) {
			problem_answer_fault(request->exchange, "select",
				"It is a text of selectors, or a list of such.");
			return false;
		}
		err = select_add(select,
			(struct bytes){ json_string_value(item), json_string_length(item) }, &why);
		if (err == ERR_OK)
			continue;
		problem_answer(request->exchange,
			err == ERR_MEMORY ? PROBLEM_NO_MEMORY : PROBLEM_BAD_SELECTOR, why.text,
			NULL);
		return false;
	}
	return true;
}

/* A name that nobody has is a slip that must not pass for "nothing to do". */
static bool
names_are_known(const struct request *request, const struct select *select)
{
	uint32_t mailbox;

	for (size_t i = 0; i < select_count(select); i++) {
		struct bytes name = select_name(select, i);

		if (name.len == 0 || watch_find(request->control->watch, name, &mailbox))
			continue;
		problem_answer_mailbox(request->exchange, name);
		return false;
	}
	return true;
}

static bool
read_selection(const struct request *request, struct asked *asked)
{
	static const char *const members[] = { "select", NULL };
	json_t *body = body_read(request, members);
	bool is_good;

	if (!body)
		return false;
	if (select_new(&asked->select) != ERR_OK) {
		json_decref(body);
		request_answer_memory(request);
		return false;
	}
	is_good = read_select(request, body, asked->select) &&
		  names_are_known(request, asked->select);
	json_decref(body);
	return is_good;
}

void
change_probe_many(const struct request *request)
{
	static const struct timeval at_once = { 0, 0 };
	struct asked *asked = asked_new(request);

	if (!asked) {
		request_answer_memory(request);
		return;
	}
	asked->is_waited = request_flag(request, "wait");
	if (!read_selection(request, asked)) {
		asked_free(asked);
		return;
	}
	asked->step = evtimer_new(request->control->base, on_step, asked);
	if (!asked->step ||
		walk_start(&asked->walk, request->control->watch, asked->select) != ERR_OK) {
		asked_free(asked);
		request_answer_memory(request);
		return;
	}
	exchange_wait(request->exchange, asked_gone, asked);
	evtimer_add(asked->step, &at_once);
}
