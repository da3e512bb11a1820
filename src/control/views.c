/*
 * views.c: MAILBOX and ENDPOINT of contract 5. Layer: control.
 */
#include "control/inside.h"

#include "base/escape.h"
#include "diagnose/words.h"
#include "facts/mailbox.h"

static void
put_word(struct buf *out, const char *name, const char *word)
{
	buf_put_format(out, ",\"%s\":\"%s\"", name, word);
}

static void
put_time(struct buf *out, const char *name, wall_t time)
{
	buf_put_format(out, ",\"%s\":", name);
	wall_put_json(out, time);
}

static void
put_text(struct buf *out, const char *name, const char *text)
{
	buf_put_format(out, ",\"%s\":", name);
	json_put_text(out, bytes_of(text));
}

/* How it is reached, from the settings; of a mailbox that a reload is taking away only what watch
 * knows. */
static void
put_settings(struct buf *out, const struct mailbox_settings *settings, enum side side,
	const struct watch_endpoint_view *view)
{
	const struct endpoint *endpoint = settings ? settings->sides[side] : NULL;

	buf_put_string(out, "{\"host\":");
	json_put_text(out, bytes_of(endpoint ? endpoint->host : view->host));
	if (!endpoint)
		return;
	buf_put_format(out, ",\"port\":%u", endpoint->port);
	put_word(out, "security", security_name(endpoint->security));
	put_text(out, "username", endpoint->username);
	if (side == SIDE_IMAP)
		put_text(out, "mailbox", endpoint->folder);
}

static void
put_verdict(struct buf *out, const struct watch_view *mailbox,
	const struct watch_endpoint_view *view, bool is_whole)
{
	struct texts next = { 0 };

	buf_put_string(out, ",\"verdict\":");
	if (!view->verdict) {
		buf_put_string(out, "null");
		return;
	}
	/* Without memory the steps are left out. */
	if (!view->verdict->is_ok &&
		words_next(view->verdict->cause, view->verdict, bytes_of(mailbox->name),
			bytes_of(mailbox->address), &next) != ERR_OK)
		texts_done(&next);
	verdict_put_json(out, view->verdict, is_whole, &next);
	texts_done(&next);
}

static void
put_brake(struct buf *out, const struct watch_brake_view *brake)
{
	buf_put_string(out, ",\"brake\":{\"since\":");
	wall_put_json(out, brake->since);
	put_time(out, "until", brake->until);
	put_word(out, "cause", cause_name(brake->cause));
	buf_put_byte(out, '}');
}

static void
put_endpoint(struct buf *out, const struct watch_view *mailbox,
	const struct mailbox_settings *settings, enum side side, bool is_whole)
{
	const struct watch_endpoint_view *view = &mailbox->sides[side];

	buf_put_format(out, ",\"%s\":", side_name(side));
	if (!view->is_present) {
		buf_put_string(out, "null");
		return;
	}
	put_settings(out, settings, side, view);
	put_word(out, "state", endpoint_state_name(view->state));
	put_time(out, "since", view->since);
	if (view->has_cause || view->state == ENDPOINT_OK) {
		put_word(out, "cause", cause_name(view->has_cause ? view->cause : CAUSE_OK));
		put_word(out, "stage", stage_name(view->has_cause ? view->stage : STAGE_DONE));
	} else { /* unknown, and nothing yet to say why */
		buf_put_string(out, ",\"cause\":null,\"stage\":null");
	}
	buf_put_format(out, ",\"fails\":%u", view->fails);
	if (ulid_is_set(view->incident)) {
		buf_put_string(out, ",\"incident\":\"");
		ulid_put(out, view->incident);
		buf_put_byte(out, '"');
	}
	put_time(out, "last_ok", view->last_ok);
	put_time(out, "last_probe", view->last_probe);
	put_time(out, "next_probe", view->next_probe);
	put_word(out, "next_reason", next_reason_name(view->next_reason));
	buf_put_format(out, ",\"interval_ms\":%lld", (long long)(view->interval_us / US_PER_MS));
	buf_put_format(out, ",\"stretched\":%s", view->is_stretched ? "true" : "false");
	if (view->brake.is_open)
		put_brake(out, &view->brake);
	put_verdict(out, mailbox, view, is_whole);
	buf_put_byte(out, '}');
}

void
view_put_mailbox(const struct control *control, struct buf *out, const struct watch_view *view,
	bool is_whole)
{
	const struct mailbox_settings *settings =
		settings_find(control->settings, bytes_of(view->name));

	buf_put_string(out, "{\"name\":");
	json_put_text(out, bytes_of(view->name));
	put_text(out, "address", view->address);
	buf_put_string(out, ",\"state\":\"");
	mailbox_state_put(out, view->parts);
	buf_put_byte(out, '"');
	put_time(out, "since", view->since);
	buf_put_string(out, ",\"labels\":");
	labels_put_json(out, view->labels);
	buf_put_format(out, ",\"enabled\":%s", view->is_enabled ? "true" : "false");
	if (view->is_paused)
		put_time(out, "paused_until", view->paused_until);
	for (enum side side = 0; side < SIDE_COUNT; side++)
		put_endpoint(out, view, settings, side, is_whole);
	buf_put_string(out, ",\"delivery\":null}");
}

void
view_answer_mailbox(
	struct control *control, struct exchange *exchange, int status, uint32_t mailbox)
{
	struct watch_view view;
	struct buf out = { 0 };

	if (!watch_view(control->watch, mailbox, &view)) {
		problem_answer(
			exchange, PROBLEM_NO_SUCH_MAILBOX, "It was removed meanwhile.", NULL);
		return;
	}
	view_put_mailbox(control, &out, &view, true);
	buf_put_byte(&out, '\n');
	json_answer(exchange, status, &out);
}
