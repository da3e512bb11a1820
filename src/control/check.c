/*
 * check.c: POST /v1/check: settings of nobody's, or a watched mailbox's, checked now; answered at
 * the end, or step by step as a stream. Layer: control.
 */
#include "control/inside.h"

#include "check/check.h"

#include <stdlib.h>

#define BUSY_RETRY_US (5 * US_PER_S)
#define LINES_MOST_BYTES ((size_t)1024 * 1024) /* of a reader that does not read */

/* Somebody who waits for a check. */
struct checking {
	struct control *control;
	struct exchange *exchange;
	uint64_t number;
	LIST_ENTRY(checking) all;
	bool is_stream;
	bool is_begun; /* calls->check() has returned */
	bool is_over;  /* all that is answered stands in lines */
	int64_t retry_us;
	struct buf lines;
};

/* ---- who waits */

static void
checking_free(struct checking *checking)
{
	LIST_REMOVE(checking, all);
	buf_done(&checking->lines);
	free(checking);
}

/* The client left, or has all of its stream. */
static void
checking_gone(void *user)
{
	struct checking *checking = user;
	struct control *control = checking->control;
	uint64_t number = checking->number;
	bool is_over = checking->is_over;

	checking_free(checking);
	if (!is_over)
		control->calls->check_gone(control->owner, number);
}

static struct checking *
checking_find(struct control *control, uint64_t request)
{
	struct checking *checking;

	LIST_FOREACH(checking, &control->checks, all)
	{
		if (checking->number == request)
			return checking;
	}
	return NULL;
}

static enum stream_step
checking_next(void *user, struct buf *out)
{
	struct checking *checking = user;

	buf_put(out, buf_bytes(&checking->lines));
	out->is_failed |= checking->lines.is_failed;
	buf_clear(&checking->lines);
	if (checking->is_over)
		return STREAM_END;
	return out->len > 0 ? STREAM_MORE : STREAM_WAIT;
}

static const struct stream_calls checking_calls = { checking_next, checking_gone };

static void
put_line(struct checking *checking, struct bytes line)
{
	if (checking->lines.len > LINES_MOST_BYTES)
		return;
	buf_put(&checking->lines, line);
	buf_put_byte(&checking->lines, '\n');
}

/* ---- what the daemon says */

void
control_check_step(struct control *control, uint64_t request, struct bytes line)
{
	struct checking *checking = checking_find(control, request);

	if (!checking || !checking->is_stream)
		return;
	put_line(checking, line);
	exchange_wake(checking->exchange);
}

static void
answer_held(struct exchange *exchange, int64_t retry_us)
{
	problem_answer(exchange, PROBLEM_HELD,
		"Logins of this account with this secret are held after refused ones.",
		&(struct problem_extra){ .retry_us = retry_us });
}

/* The whole of it, at the end. */
static void
answer(struct checking *checking)
{
	struct exchange *exchange = checking->exchange;
	struct buf body = checking->lines;
	int64_t retry_us = checking->retry_us;

	checking->lines = (struct buf){ 0 };
	checking_free(checking);
	if (retry_us > 0)
		answer_held(exchange, retry_us);
	else
		json_answer(exchange, 200, &body);
	buf_done(&body);
}

void
control_check_done(
	struct control *control, uint64_t request, struct bytes document, int64_t retry_us)
{
	struct checking *checking = checking_find(control, request);

	if (!checking)
		return;
	put_line(checking, document);
	checking->is_over = true;
	checking->retry_us = retry_us;
	if (checking->is_stream)
		exchange_wake(checking->exchange);
	else if (checking->is_begun)
		answer(checking);
}

/* ---- what is asked */

/* A check that is under way before its stream begins: the order keeps the first lines. */
static void
begin(const struct request *request, const struct control_check *check)
{
	struct control *control = request->control;
	struct checking *checking = calloc(1, sizeof(*checking));
	struct fault why = { "" };
	int64_t retry_us = 0;
	enum err err;

	if (!checking) {
		request_answer_memory(request);
		return;
	}
	checking->control = control;
	checking->exchange = request->exchange;
	checking->number = ++control->last_asked;
	checking->is_stream = check->with_steps;
	LIST_INSERT_HEAD(&control->checks, checking, all);
	err = control->calls->check(control->owner, check, checking->number, &retry_us, &why);
	checking->is_begun = true;
	if (err == ERR_OK && checking->is_stream) {
		exchange_stream(request->exchange, 200, "application/x-ndjson", true,
			&checking_calls, checking);
		return;
	}
	if (err == ERR_OK && checking->is_over) {
		answer(checking);
		return;
	}
	if (err == ERR_OK) {
		exchange_wait(request->exchange, checking_gone, checking);
		return;
	}
	checking_free(checking);
	if (err == ERR_TOO_OFTEN)
		answer_held(request->exchange, retry_us);
	else if (err == ERR_LIMIT)
		problem_answer(request->exchange, PROBLEM_BUSY, why.text,
			&(struct problem_extra){ .retry_us = BUSY_RETRY_US });
	else
		request_answer_memory(request);
}

/* What the body wants beyond the settings: "send", "to". */
struct wanted {
	bool is_to_send;
	json_t *to; /* NULL: to the mailbox itself */
};

/* False: answered. */
static bool
take_wanted(const struct request *request, json_t *body, struct wanted *wanted)
{
	json_t *send = json_object_get(body, "send"), *to = json_object_get(body, "to");
	bool is_address =
		json_is_string(to) &&
		check_is_address((struct bytes){ json_string_value(to), json_string_length(to) });

	if (send && !json_is_boolean(send)) {
		problem_answer_fault(request->exchange, "send", "write true or false");
		return false;
	}
	if (to && (!is_address || !json_is_true(send))) {
		problem_answer_fault(request->exchange, "to",
			is_address ? "only with \"send\": true" : "no address");
		return false;
	}
	wanted->is_to_send = json_is_true(send);
	wanted->to = json_incref(to);
	json_object_del(body, "send");
	json_object_del(body, "to");
	return true;
}

static void
begin_settings(const struct request *request, const struct mailbox_settings *settings,
	const struct complaints *warnings, const struct wanted *wanted)
{
	struct review_mailbox review;
	struct watch_view view;
	uint32_t mailbox;

	if (wanted->is_to_send && !settings->sides[SIDE_SMTP]) {
		problem_answer_fault(
			request->exchange, "send", "there is no smtp to send a message by");
		return;
	}
	settings_for_review(settings, &review);
	if (settings->name &&
		watch_find(request->control->watch, bytes_of(settings->name), &mailbox) &&
		watch_view(request->control->watch, mailbox, &view)) {
		for (size_t side = 0; side < SIDE_COUNT; side++)
			review.sides[side].stretched_us = view.sides[side].interval_us;
	}
	begin(request, &(struct control_check){
			       .settings = settings,
			       .review = &review,
			       .warnings = warnings,
			       .with_steps = request_flag(request, "stream"),
			       .with_transcript = request_flag(request, "transcript"),
			       .is_to_send = wanted->is_to_send,
			       .send_to = json_string_value(wanted->to),
		       });
}

/* {"name": "support"}: as the files have it. */
static void
check_named(const struct request *request, struct bytes name, const struct wanted *wanted)
{
	const struct mailbox_settings *settings = settings_find(request->control->settings, name);

	if (settings)
		begin_settings(request, settings, NULL, wanted);
	else
		problem_answer_mailbox(request->exchange, name);
}

static void
check_object(const struct request *request, json_t *body, const struct wanted *wanted)
{
	struct mailbox_settings *settings = NULL;
	struct complaints complaints = { 0 };
	enum err err;

	json_object_del(body, "name"); /* it is nobody's */
	err = settings_of_object(request->control->settings, body, &settings, &complaints);
	if (err == ERR_OK)
		begin_settings(request, settings, &complaints, wanted);
	else if (err == ERR_INVALID)
		problem_answer(request->exchange, PROBLEM_INVALID, NULL,
			&(struct problem_extra){
				.faults = complaints.items, .fault_count = complaints.count });
	else
		request_answer_memory(request);
	mailbox_settings_free(settings);
	complaints_done(&complaints);
}

void
change_check(const struct request *request)
{
	json_t *body = body_read(request, NULL);
	const json_t *name = json_object_get(body, "name");
	struct wanted wanted = { 0 };

	if (!body)
		return;
	if (!take_wanted(request, body, &wanted))
		; /* answered */
	else if (json_is_string(name) && !json_object_get(body, "smtp") &&
		 !json_object_get(body, "imap"))
		check_named(request,
			(struct bytes){ json_string_value(name), json_string_length(name) },
			&wanted);
	else
		check_object(request, body, &wanted);
	json_decref(wanted.to);
	json_decref(body);
}
