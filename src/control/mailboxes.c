/*
 * mailboxes.c: PUT and DELETE /v1/mailboxes/NAME: a mailbox that stands in no file. Layer: control.
 *
 * Answered when it is durable and watched: who has read 201 finds it after any crash (H5-14).
 */
#include "control/inside.h"

#include <stdio.h>

static void
answer_in_file(struct exchange *exchange, const struct mailbox_settings *there)
{
	char detail[288];
	struct complaint fault = { .file = there->file,
		.line = there->line,
		.setting = (char[]){ "name" },
		.text = (char[]){ "defined in a settings file; change it there" } };

	snprintf(detail, sizeof(detail), "%.180s:%d defines %.64s.", there->file, there->line,
		there->name);
	problem_answer(exchange, PROBLEM_IN_FILE, detail,
		&(struct problem_extra){ .faults = &fault, .fault_count = 1 });
}

/* False: a file has the name, and that was answered. */
static bool
is_free(const struct request *request)
{
	const struct mailbox_settings *there =
		settings_find(request->control->settings, request->name);

	if (!there || there->is_of_socket)
		return true;
	answer_in_file(request->exchange, there);
	return false;
}

/* mailbox NULL: the one of this name goes. */
static void
ask(const struct request *request, struct sealed_mailbox *mailbox)
{
	struct control *control = request->control;
	struct asked *asked = asked_new(request);

	if (!asked) {
		sealed_mailbox_free(mailbox);
		request_answer_memory(request);
		return;
	}
	if (control->calls->put(control->owner, request->name, mailbox, asked_request(asked),
		    request->peer.who) == ERR_OK) {
		exchange_wait(request->exchange, asked_gone, asked);
		return;
	}
	asked_free(asked);
	request_answer_memory(request);
}

/* The path's name stands for the body's; another one there is a mistake. */
static bool
take_name(const struct request *request, json_t *body)
{
	const json_t *name = json_object_get(body, "name");
	struct bytes said = { json_string_value(name), json_string_length(name) };

	if (name && !(json_is_string(name) && bytes_equal(said, request->name))) {
		problem_answer_fault(
			request->exchange, "name", "It is another than the path's; leave it out.");
		return false;
	}
	if (json_object_set_new(body, "name", json_stringn(request->name.at, request->name.len)) ==
		0)
		return true;
	request_answer_memory(request);
	return false;
}

static bool
is_sound(const struct request *request, const json_t *body)
{
	const struct settings *settings = request->control->settings;
	struct complaints complaints = { 0 };
	enum err err = settings_judge_put(settings, body, &complaints);

	if (err == ERR_INVALID)
		problem_answer(request->exchange, PROBLEM_INVALID, NULL,
			&(struct problem_extra){
				.faults = complaints.items, .fault_count = complaints.count });
	else if (err != ERR_OK)
		request_answer_memory(request);
	else if (!settings->state_key_file)
		problem_answer_fault(request->exchange, "daemon.state_key_file",
			"Not set, and secrets set over the socket are sealed with it; "
			"mboxwatchctl make-key makes one.");
	complaints_done(&complaints);
	return err == ERR_OK && settings->state_key_file;
}

void
change_put(const struct request *request)
{
	json_t *body = body_read(request, NULL);

	if (!body)
		return;
	if (is_free(request) && take_name(request, body) && is_sound(request, body)) {
		struct sealed_mailbox *mailbox = settings_take_put(request->name, body);

		if (mailbox)
			ask(request, mailbox);
		else
			request_answer_memory(request);
	}
	json_decref(body);
}

void
change_remove(const struct request *request)
{
	if (is_free(request))
		ask(request, NULL);
}

static void
answer_mailbox(struct control *control, struct exchange *exchange, int status, struct bytes name)
{
	uint32_t mailbox;

	if (watch_find(control->watch, name, &mailbox))
		view_answer_mailbox(control, exchange, status, mailbox);
	else /* taken away again before this turn */
		problem_answer_mailbox(exchange, name);
}

void
control_put_done(struct control *control, uint64_t request, enum control_put outcome,
	struct bytes name, const struct fault *why)
{
	struct asked *asked = asked_find(control, request);
	const struct mailbox_settings *there = settings_find(control->settings, name);
	struct exchange *exchange;

	if (!asked)
		return;
	exchange = asked_exchange(asked);
	asked_free(asked);
	switch (outcome) {
	case CONTROL_PUT_NEW:
	case CONTROL_PUT_CHANGED:
		answer_mailbox(control, exchange, outcome == CONTROL_PUT_NEW ? 201 : 200, name);
		break;
	case CONTROL_PUT_GONE:
		exchange_answer(exchange, 204, NULL, BYTES_NONE);
		break;
	case CONTROL_PUT_NO_SUCH:
		problem_answer_mailbox(exchange, name);
		break;
	case CONTROL_PUT_IN_FILE:
		if (there)
			answer_in_file(exchange, there);
		break;
	case CONTROL_PUT_NO_KEY:
		problem_answer_fault(exchange, "daemon.state_key_file", why->text);
		break;
	case CONTROL_PUT_UNFIT:
		problem_answer(exchange, PROBLEM_INVALID, why->text, NULL);
		break;
	case CONTROL_PUT_FAILED:
	case CONTROL_PUT_COUNT:
		problem_answer(exchange, PROBLEM_UNWELL, why->text, NULL);
		break;
	}
}
