/*
 * claim.c: rows of the store meet the settings: a mailbox takes up what it was, and what no
 * settings name any more ends. Layer: watch, pure.
 */
#include "watch/plan.h"

#include <stdlib.h>

/* The state that the store had for it. */
void
claim_endpoint(struct watch *watch, struct watched *endpoint)
{
	char *key = row_endpoint_key(endpoint->mailbox->name, endpoint->side);
	struct stored *stored = key ? stored_find(watch, key) : NULL;

	free(key);
	if (!stored)
		return;
	endpoint->state = stored->endpoint.state;
	endpoint->part = stored->endpoint.part;
	endpoint->since = stored->endpoint.since;
	endpoint->has_cause = stored->endpoint.has_cause;
	endpoint->cause = stored->endpoint.cause;
	endpoint->stage = stored->endpoint.stage;
	endpoint->incident = stored->endpoint.incident;
	endpoint->incident_since = stored->endpoint.incident_since;
	endpoint->is_unknown_told = stored->endpoint.is_unknown_told;
	endpoint->last_ok = stored->endpoint.last_ok;
	endpoint->last_probe = stored->endpoint.last_probe;
	endpoint->verdict = stored->endpoint.verdict;
	stored->endpoint.verdict = NULL;
	watch->incidents_open += ulid_is_set(endpoint->incident);
	stored_free(watch, stored);
}

void
claim_mailbox(struct watch *watch, struct mailbox *mailbox)
{
	struct stored *stored = stored_find(watch, mailbox->name);

	if (!stored)
		return;
	memcpy(mailbox->parts, stored->parts, sizeof(mailbox->parts));
	mailbox->since = stored->since;
	mailbox->is_paused = stored->is_paused;
	mailbox->paused_until = stored->paused_until;
	if (stored->is_paused)
		pause_arm(watch, mailbox);
	stored_free(watch, stored);
}

/* Those that the store knew and the settings do not (H6-09): what was open ends, told once. */
void
claim_rest(struct watch *watch)
{
	struct stored *stored, *next, *whole;

	HASH_ITER (hh, watch->stored, stored, next) {
		char *slash = strchr(stored->key, '/'), *other;
		enum part was[SIDE_COUNT] = { PART_NONE, PART_NONE };
		struct mailbox *mailbox;

		row_forget(watch, stored->kind, stored->key);
		if (stored->kind == ROW_DAEMON)
			tell_slowed_gone(watch, stored->key + strlen(SLOW_KEY));
		if (stored->kind != ROW_ENDPOINT || !ulid_is_set(stored->endpoint.incident))
			continue;
		*slash = '\0';
		HASH_FIND_STR(watch->by_name, stored->key, mailbox);
		whole = stored_find(watch, stored->key);
		was[stored->endpoint.side] = stored->endpoint.part;
		if (whole)
			memcpy(was, whole->parts, sizeof(was));
		if (!mailbox && !stored->is_told)
			tell_stored_removed(watch, stored->key, was, &stored->endpoint);
		other = row_endpoint_key(stored->key, 1 - stored->endpoint.side);
		*slash = '/';
		whole = other ? stored_find(watch, other) : NULL;
		if (whole)
			whole->is_told = true;
		free(other);
	}
	HASH_ITER (hh, watch->stored, stored, next)
		stored_free(watch, stored);
}
