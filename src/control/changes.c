/*
 * changes.c: pause, resume, reload, test-alert. Layer: control.
 */
#include "control/inside.h"

#include "base/escape.h"

#include <stdio.h>
#include <stdlib.h>

#define REASON_MOST_BYTES 500

enum problem
change_conflict_of(const struct control *control, uint32_t mailbox, enum problem otherwise)
{
	struct watch_view view;

	if (!watch_view(control->watch, mailbox, &view))
		return otherwise;
	if (!view.is_enabled)
		return PROBLEM_DISABLED;
	return view.is_paused ? PROBLEM_PAUSED : otherwise;
}

void
change_answer_refused(const struct request *request, enum err err, enum problem conflict,
	int64_t retry_us, const struct fault *why)
{
	switch (err) {
	case ERR_CONFLICT:
		problem_answer(request->exchange, conflict, why->text, NULL);
		return;
	case ERR_TOO_OFTEN:
		problem_answer(request->exchange, PROBLEM_TOO_OFTEN, why->text,
			&(struct problem_extra){ .retry_us = retry_us > 0 ? retry_us : 1 });
		return;
	case ERR_INVALID:
		problem_answer(request->exchange, PROBLEM_INVALID, why->text, NULL);
		return;
	case ERR_MEMORY:
		request_answer_memory(request);
		return;
	default:
		problem_answer(request->exchange, PROBLEM_INTERNAL, err_name(err), NULL);
		return;
	}
}

/* ---- pause, resume */

static const char *const pause_members[] = { "for", "reason", NULL };
static const char *const resume_members[] = { "reason", NULL };

void
change_pause(const struct request *request)
{
	struct control *control = request->control;
	json_t *body = body_read(request, pause_members);
	struct fault why = { "" };
	const char *reason;
	uint32_t mailbox;
	int64_t for_us;
	enum err err;

	if (!body)
		return;
	if (!watch_find(control->watch, request->name, &mailbox)) {
		problem_answer_mailbox(request->exchange, request->name);
	} else if (body_duration(request, body, "for", &for_us) &&
		   body_text(request, body, "reason", REASON_MOST_BYTES, &reason)) {
		err = control->calls->pause(
			control->owner, mailbox, for_us, request->peer.who, reason, &why);
		if (err == ERR_OK)
			view_answer_mailbox(control, request->exchange, 200, mailbox);
		else
			change_answer_refused(request, err,
				change_conflict_of(control, mailbox, PROBLEM_CONFLICT), 0, &why);
	}
	json_decref(body);
}

void
change_resume(const struct request *request)
{
	struct control *control = request->control;
	json_t *body = body_read(request, resume_members);
	struct fault why = { "" };
	int64_t retry_us = 0;
	const char *reason;
	uint32_t mailbox;
	enum err err;

	if (!body)
		return;
	if (!watch_find(control->watch, request->name, &mailbox)) {
		problem_answer_mailbox(request->exchange, request->name);
	} else if (body_text(request, body, "reason", REASON_MOST_BYTES, &reason)) {
		err = control->calls->resume(
			control->owner, mailbox, request->peer.who, reason, &retry_us, &why);
		if (err == ERR_OK)
			view_answer_mailbox(control, request->exchange, 200, mailbox);
		else
			change_answer_refused(request, err,
				change_conflict_of(control, mailbox, PROBLEM_CONFLICT), retry_us,
				&why);
	}
	json_decref(body);
}

/* ---- reload, test-alert */

void
change_reload(const struct request *request)
{
	struct control *control = request->control;
	json_t *body = body_read(request, body_no_members);
	struct asked *asked;

	if (!body)
		return;
	json_decref(body);
	asked = asked_new(request);
	if (!asked) {
		request_answer_memory(request);
		return;
	}
	exchange_wait(request->exchange, asked_gone, asked);
	control->calls->reload(control->owner, asked_request(asked), request->peer.who);
}

static void
answer_reloaded(struct exchange *exchange, const struct watch_changes *changes)
{
	struct buf out = { 0 };

	buf_put_format(&out, "{\"changed\":%zu,\"added\":%zu,\"removed\":%zu,\"unchanged\":%zu}\n",
		changes->changed, changes->added, changes->removed, changes->unchanged);
	json_answer(exchange, 200, &out);
}

void
control_reload_done(struct control *control, uint64_t request, enum err err,
	const struct complaints *complaints, const struct watch_changes *changes)
{
	struct asked *asked = asked_find(control, request);
	struct exchange *exchange;
	char detail[64];

	if (!asked)
		return;
	exchange = asked_exchange(asked);
	asked_free(asked);
	if (err == ERR_OK) {
		answer_reloaded(exchange, changes);
	} else if (err == ERR_INVALID) {
		snprintf(detail, sizeof(detail), "%zu fault%s", complaints->faults,
			complaints->faults == 1 ? "" : "s");
		problem_answer(exchange, PROBLEM_SETTINGS_REFUSED, detail,
			&(struct problem_extra){
				.faults = complaints->items, .fault_count = complaints->count });
	} else {
		problem_answer(exchange, err == ERR_MEMORY ? PROBLEM_NO_MEMORY : PROBLEM_INTERNAL,
			err_name(err), NULL);
	}
}

void
change_test_alert(const struct request *request)
{
	static const char *const members[] = { "sink", NULL };
	struct control *control = request->control;
	json_t *body = body_read(request, members);
	const struct told *told = NULL;
	struct buf out = { 0 };
	const char *sink;
	enum err err;

	if (!body)
		return;
	if (body_text(request, body, "sink", 64, &sink)) {
		err = control->calls->test_alert(control->owner, sink, request->peer.who, &told);
		if (err == ERR_NOT_FOUND) {
			buf_put_format(&out, "There is no sink %s.", sink);
			problem_answer(request->exchange, PROBLEM_NO_SUCH_SINK, out.at, NULL);
		} else if (err != ERR_OK) {
			change_answer_refused(
				request, err, PROBLEM_CONFLICT, 0, &(struct fault){ "" });
		} else {
			buf_put_format(&out, "%s\n", told->json);
			json_answer(request->exchange, 200, &out);
		}
	}
	buf_done(&out);
	json_decref(body);
}
