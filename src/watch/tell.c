/*
 * tell.c: events (contract 6): which members each kind has. Layer: watch, pure.
 * Not here: their sentences (diagnose/words.c), their forms (facts/alert_render.c).
 *
 * Where memory fails in the middle, the event is told with what it has: less said is better than
 * nothing told.
 */
#include "watch/inside.h"

#include <stdlib.h>

static char *
copied(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *
state_words(const enum part parts[SIDE_COUNT])
{
	struct buf words = { 0 };

	mailbox_state_put(&words, parts);
	return buf_take(&words);
}

static struct alert *
of_mailbox(struct watch *watch, enum event_kind kind, const struct mailbox *mailbox)
{
	struct alert *event = watch_event(watch, watch->wall, kind);

	if (!event)
		return NULL;
	event->mailbox = copied(mailbox->name);
	event->address = copied(mailbox->address);
	if (labels_copy(&mailbox->labels, &event->labels) != ERR_OK)
		event->labels = (struct labels){ 0 };
	return event;
}

static void
put_parts(struct alert *event, const struct mailbox *mailbox)
{
	event->has_parts = true;
	memcpy(event->parts, mailbox->parts, sizeof(event->parts));
	free(event->state);
	event->state = state_words(mailbox->parts);
}

static enum level
level_of(const enum part parts[SIDE_COUNT])
{
	bool is_unknown = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (parts[side] == PART_FAILING)
			return LEVEL_ERROR;
		is_unknown |= parts[side] == PART_UNKNOWN;
	}
	return is_unknown ? LEVEL_WARNING : LEVEL_NOTICE;
}

/* The server's words, of the verdict that did it. */
static void
put_words(struct alert *event, const struct verdict *verdict)
{
	struct buf suggested = { 0 };

	if (!verdict)
		return;
	event->is_transient = verdict->is_transient;
	event->detail = copied(verdict->detail);
	verdict_put_suggestion(&suggested, verdict);
	event->suggested = suggested.len > 0 ? buf_take(&suggested) : NULL;
	buf_done(&suggested);
	event->advice = copied(verdict->advice);
	event->link = copied(verdict->link);
	for (size_t i = 0; i < verdict->reply.count; i++) {
		if (texts_add(&event->reply, bytes_of(verdict->reply.items[i]),
			    VERDICT_MOST_REPLY_LINES) != ERR_OK)
			break;
	}
}

/* The endpoint and what hangs on it. */
static void
put_endpoint(struct alert *event, const struct watched *endpoint)
{
	event->has_endpoint = true;
	event->endpoint = endpoint->side;
	event->server = copied(endpoint->server->host);
	event->since = endpoint->since;
	event->incident = endpoint->incident;
	if (endpoint->state == ENDPOINT_OK) {
		event->has_cause = true;
		event->cause = CAUSE_OK;
		event->stage = STAGE_DONE;
	} else if (endpoint->has_cause) {
		event->has_cause = true;
		event->cause = endpoint->cause;
		event->stage = endpoint->stage;
		event->is_transient = cause_has(endpoint->cause, CAUSE_TRANSIENT);
		if (endpoint->verdict && endpoint->verdict->cause == endpoint->cause)
			put_words(event, endpoint->verdict);
	}
}

void
tell_state(struct watch *watch, const struct mailbox *mailbox, const enum part was[SIDE_COUNT],
	const struct watched *by)
{
	struct alert *event = of_mailbox(watch, EVENT_STATE, mailbox);

	if (!event)
		return;
	put_parts(event, mailbox);
	event->was = state_words(was);
	event->level = level_of(mailbox->parts);
	event->since = mailbox->since;
	if (by)
		put_endpoint(event, by);
	watch_tell(watch, event);
}

void
tell_cause(struct watch *watch, const struct watched *endpoint)
{
	struct alert *event = of_mailbox(watch, EVENT_CAUSE, endpoint->mailbox);

	if (!event)
		return;
	put_parts(event, endpoint->mailbox);
	put_endpoint(event, endpoint);
	watch_tell(watch, event);
}

static void
put_removed(struct alert *event, const enum part was[SIDE_COUNT])
{
	event->state = copied("removed");
	event->was = state_words(was);
	event->level = LEVEL_NOTICE;
	event->detail = copied("the mailbox was removed from the settings");
}

void
tell_removed(struct watch *watch, const struct mailbox *mailbox)
{
	struct alert *event = of_mailbox(watch, EVENT_STATE, mailbox);

	if (!event)
		return;
	put_removed(event, mailbox->parts);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct watched *endpoint = mailbox->sides[side];

		if (!endpoint || !ulid_is_set(endpoint->incident))
			continue;
		event->has_endpoint = true;
		event->endpoint = endpoint->side;
		event->server = copied(endpoint->server->host);
		event->since = endpoint->incident_since;
		event->incident = endpoint->incident;
		break;
	}
	watch_tell(watch, event);
}

void
tell_stored_removed(struct watch *watch, const char *name, const enum part was[SIDE_COUNT],
	const struct watched *endpoint)
{
	struct alert *event = watch_event(watch, watch->wall, EVENT_STATE);

	if (!event)
		return;
	event->mailbox = copied(name);
	put_removed(event, was);
	event->has_endpoint = true;
	event->endpoint = endpoint->side;
	event->since = endpoint->incident_since;
	event->incident = endpoint->incident;
	watch_tell(watch, event);
}

/* ---- the brake: told once for an account, under the mailbox whose refusal opened it */

static void
put_brake(struct alert *event, const struct account *account)
{
	const struct brake *brake = &account->brake;

	event->since = brake->since;
	event->has_endpoint = brake->has_side;
	event->endpoint = brake->side;
	if (brake->has_cause) {
		event->has_cause = true;
		event->cause = brake->cause;
		event->stage = STAGE_AUTH;
		event->is_transient = cause_has(brake->cause, CAUSE_TRANSIENT);
	}
}

void
tell_brake(struct watch *watch, struct account *account, const struct watched *by)
{
	struct alert *event;

	if (!by)
		by = account->endpoints;
	if (!by)
		return; /* nobody is there to be told: the next one that is held will be */
	memset(account->brake.mailbox, 0, sizeof(account->brake.mailbox));
	memcpy(account->brake.mailbox, by->mailbox->name,
		strnlen(by->mailbox->name, MAILBOX_NAME_MOST));
	account->brake.is_told = true;
	row_keep_account(watch, account);
	event = of_mailbox(watch, EVENT_BRAKE, by->mailbox);
	if (!event)
		return;
	put_brake(event, account);
	event->until = account_until(watch, account);
	event->incident = by->incident;
	event->server = copied(by->server->host);
	if (by->has_refusal)
		put_words(event, by->verdict);
	if (!account->brake.has_cause && !event->detail)
		event->detail = copied(
			"logins were under way when the daemon was killed: they count as refused");
	watch_tell(watch, event);
}

void
tell_brake_end(struct watch *watch, struct account *account, const char *detail)
{
	struct alert *event = watch_event(watch, watch->wall, EVENT_BRAKE_END);
	struct mailbox *mailbox = NULL;

	account->brake.is_told = false;
	if (!event)
		return;
	event->mailbox = copied(account->brake.mailbox);
	HASH_FIND_STR(watch->by_name, account->brake.mailbox, mailbox);
	if (mailbox) {
		event->address = copied(mailbox->address);
		if (labels_copy(&mailbox->labels, &event->labels) != ERR_OK)
			event->labels = (struct labels){ 0 };
	}
	put_brake(event, account);
	event->has_cause = false;
	event->detail = copied(detail);
	watch_tell(watch, event);
}

/* ---- certificates: of a server, whoever of its mailboxes saw it */

void
tell_certificate(struct watch *watch, const struct watched *endpoint,
	const struct certificate *certificate, const char *what)
{
	struct alert *event = watch_event(watch, watch->wall, EVENT_CERT);
	struct buf detail = { 0 };

	if (!event)
		return;
	event->server = copied(endpoint->server->host);
	event->what = copied(what);
	event->until = certificate->not_after;
	buf_put_format(&detail, "%s, issued by %s",
		certificate->subject ? certificate->subject : "",
		certificate->issuer ? certificate->issuer : "");
	event->detail = buf_take(&detail);
	watch_tell(watch, event);
}

/* ---- a server that gets half as many logins */

static struct alert *
of_server(struct watch *watch, enum event_kind kind, const char *host)
{
	struct alert *event = watch_event(watch, watch->wall, kind);

	if (event)
		event->server = copied(host);
	return event;
}

void
tell_slowed(struct watch *watch, enum event_kind kind, const struct server *server,
	const struct verdict *verdict, const char *detail)
{
	struct alert *event = of_server(watch, kind, server->host);

	if (!event)
		return;
	event->since = server->slowed.since;
	if (verdict) {
		event->until = server->slowed.until;
		event->has_cause = true;
		event->cause = verdict->cause;
		event->stage = verdict->stage;
		put_words(event, verdict);
	}
	if (detail && !event->detail)
		event->detail = copied(detail);
	watch_tell(watch, event);
}

void
tell_slowed_gone(struct watch *watch, const char *host)
{
	struct alert *event = of_server(watch, EVENT_BRAKE_END, host);

	if (!event)
		return;
	event->detail = copied("no mailbox is at this server any more");
	watch_tell(watch, event);
}

/* ---- people, and the daemon itself */

void
tell_person(struct watch *watch, enum event_kind kind, const struct mailbox *mailbox, wall_t until,
	const char *who, const char *reason)
{
	struct alert *event = of_mailbox(watch, kind, mailbox);
	struct buf detail = { 0 };

	if (!event)
		return;
	put_parts(event, mailbox);
	event->until = until;
	buf_put_string(&detail, who ? who : "");
	if (reason && *reason) {
		buf_put_string(&detail, who && *who ? ": " : "");
		buf_put_string(&detail, reason);
	}
	if (detail.len > 0)
		event->detail = buf_take(&detail);
	buf_done(&detail);
	watch_tell(watch, event);
}

void
tell_trouble(struct watch *watch, enum event_kind kind, enum trouble trouble,
	const struct trouble_state *state)
{
	struct alert *event = watch_event(watch, watch->wall, kind);

	if (!event)
		return;
	event->trouble = copied(trouble_name(trouble));
	event->since = state->since;
	if (kind == EVENT_TROUBLE)
		event->detail = copied(state->detail);
	watch_tell(watch, event);
}
