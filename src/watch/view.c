/*
 * view.c: looking at the watch: for status, metrics, tables. Layer: watch, pure. Nothing here
 * changes anything.
 */
#include "watch/inside.h"

struct mailbox *
watch_mailbox(const struct watch *watch, uint32_t index)
{
	return index < watch->used ? watch->mailboxes[index] : NULL;
}

uint32_t
watch_room(const struct watch *watch)
{
	return watch->used;
}

bool
watch_find(const struct watch *watch, struct bytes name, uint32_t *out)
{
	struct mailbox *mailbox;

	HASH_FIND(hh, watch->by_name, name.at, name.len, mailbox);
	if (!mailbox)
		return false;
	*out = mailbox->index;
	return true;
}

static enum next_reason
next_reason(const struct watched *endpoint)
{
	if (mailbox_is_off(endpoint->mailbox))
		return NEXT_PAUSED;
	if (endpoint->probe)
		return NEXT_PROBING;
	return endpoint->ready.index != HEAP_OUTSIDE ? NEXT_QUEUED : endpoint->reason;
}

/* When it will be, by what is known: its own time, the server's spacing or wait. */
static wall_t
next_probe(const struct watch *watch, const struct watched *endpoint)
{
	const struct server *server = endpoint->server;
	mono_t at = endpoint->wanted;

	if (mailbox_is_off(endpoint->mailbox) || endpoint->probe)
		return WALL_NONE;
	if (server->is_waiting && mono_is_before(at, server->wait_until))
		at = server->wait_until;
	if (mono_is_before(at, watch->now))
		at = watch->now;
	return wall_add(watch->wall, mono_since(at, watch->now));
}

static void
view_brake(const struct watch *watch, const struct watched *endpoint, struct watch_brake_view *out)
{
	if (!account_holds(watch, endpoint))
		return;
	out->is_open = true;
	out->since = endpoint->account->brake.since;
	out->until = account_until(watch, endpoint->account);
	out->cause = endpoint->account->brake.has_cause ? endpoint->account->brake.cause : CAUSE_OK;
}

static void
view_endpoint(
	const struct watch *watch, const struct watched *endpoint, struct watch_endpoint_view *out)
{
	bool is_off = mailbox_is_off(endpoint->mailbox);
	bool is_suspect = endpoint->state == ENDPOINT_SUSPECT;

	*out = (struct watch_endpoint_view){
		.is_present = true,
		.state = is_off ? ENDPOINT_PAUSED : endpoint->state,
		.since = is_off	      ? endpoint->mailbox->since
			 : is_suspect ? endpoint->run_since
				      : endpoint->since,
		.has_cause = endpoint->has_cause && endpoint->state != ENDPOINT_OK,
		.cause = endpoint->cause,
		.stage = endpoint->stage,
		.fails = endpoint->fails,
		.incident = endpoint->incident,
		.last_ok = endpoint->last_ok,
		.last_probe = endpoint->last_probe,
		.next_probe = next_probe(watch, endpoint),
		.next_reason = next_reason(endpoint),
		.verdict = endpoint->verdict,
		.host = endpoint->server->host,
	};
	out->interval_us = schedule_interval(watch, endpoint, &out->is_stretched);
	view_brake(watch, endpoint, &out->brake);
}

bool
watch_view(const struct watch *watch, uint32_t index, struct watch_view *out)
{
	const struct mailbox *mailbox = watch_mailbox(watch, index);

	if (!mailbox)
		return false;
	*out = (struct watch_view){
		.name = mailbox->name,
		.address = mailbox->address,
		.is_enabled = mailbox->is_enabled,
		.is_paused = mailbox->is_paused,
		.paused_until = mailbox->paused_until,
		.parts = { mailbox->parts[SIDE_SMTP], mailbox->parts[SIDE_IMAP] },
		.since = mailbox->since,
		.labels = &mailbox->labels,
	};
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (mailbox->sides[side])
			view_endpoint(watch, mailbox->sides[side], &out->sides[side]);
	}
	return true;
}

void
watch_counts(const struct watch *watch, struct watch_counts *out)
{
	*out = (struct watch_counts){
		.total = HASH_COUNT(watch->by_name),
		.ok = watch->classes[PART_OK],
		.failing = watch->classes[PART_FAILING],
		.unknown = watch->classes[PART_UNKNOWN],
		.paused = watch->classes[PART_PAUSED],
		.suspect = watch->suspects,
		.in_flight = watch->in_flight,
		.sessions_kept = HASH_COUNT(watch->sessions),
		.brakes_open = watch->brakes_open,
		.incidents_open = watch->incidents_open,
		.first_verdicts_missing = watch->firsts_missing,
	};
}

const struct watch_figures *
watch_figures(const struct watch *watch)
{
	return &watch->figures;
}
