/*
 * reads.c: what is looked at and short: one mailbox, the causes, the providers, the daemon's
 * health. Layer: control.
 */
#include "control/inside.h"

#include "base/escape.h"
#include "diagnose/providers.h"

void
read_mailbox(const struct request *request)
{
	uint32_t mailbox;

	if (watch_find(request->control->watch, request->name, &mailbox))
		view_answer_mailbox(request->control, request->exchange, 200, mailbox);
	else
		problem_answer_mailbox(request->exchange, request->name);
}

/* "auth, select" -> ["auth","select"] */
static void
put_stages(struct buf *out, struct bytes stages)
{
	buf_put_byte(out, '[');
	while (stages.len > 0) {
		struct bytes stage = bytes_first(stages, bytes_index(stages, ','));

		stages = bytes_from(stages, stage.len);
		json_put_text(out, bytes_trim(stage));
		if (stages.len > 0) {
			stages = bytes_from(stages, 1);
			buf_put_byte(out, ',');
		}
	}
	buf_put_byte(out, ']');
}

void
read_causes(const struct request *request)
{
	struct buf out = { 0 };

	buf_put_string(&out, "{\"causes\":[");
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++) {
		const struct cause_row *row = cause_row(cause);

		buf_put_string(&out, cause == 0 ? "\n{\"cause\":" : ",\n{\"cause\":");
		json_put_text(&out, bytes_of(row->word));
		buf_put_string(&out, ",\"stages\":");
		put_stages(&out, bytes_of(row->stages));
		buf_put_string(&out, ",\"means\":");
		json_put_text(&out, bytes_of(row->means));
		buf_put_string(&out, ",\"next\":");
		json_put_text(&out, bytes_of(row->next));
		buf_put_format(&out, ",\"transient\":%s}",
			cause_has(cause, CAUSE_TRANSIENT) ? "true" : "false");
	}
	buf_put_string(&out, "]}\n");
	json_answer(request->exchange, 200, &out);
}

void
read_providers(const struct request *request)
{
	struct buf out = { 0 };

	providers_put_json(&out, request->control->settings->providers);
	json_answer(request->exchange, 200, &out);
}

void
read_health(const struct request *request)
{
	struct control_health health = { 0 };

	request->control->calls->health(request->control->owner, &health);
	if (health.is_well)
		exchange_answer(request->exchange, 200, "text/plain; charset=utf-8", BYTES("ok\n"));
	else
		problem_answer(request->exchange, PROBLEM_UNWELL, health.why, NULL);
}
