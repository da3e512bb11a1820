/*
 * ask.c: what people ask for: probe now, pause, resume. Layer: watch, pure.
 */
#include "watch/inside.h"

#include <stdlib.h>

/* ---- a mailbox that is not probed */

void
mailbox_off(struct watch *watch, struct mailbox *mailbox, bool *by, bool value)
{
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];

		if (!endpoint)
			continue;
		kept_part(watch, endpoint);
		server_leave(watch, endpoint);
		schedule_remove(watch, endpoint);
		watch_first_seen(watch, endpoint);
		lacks_forget(watch, endpoint);
		schedule_requests_done(watch, endpoint);
		endpoint->is_sibling = endpoint->is_again = endpoint->has_permit = false;
		if (endpoint->probe)
			endpoint->probe->is_stale = true; /* H7-26: it changes nothing any more */
	}
	*by = value;
	mailbox_settle_quietly(watch, mailbox);
}

void
mailbox_on(struct watch *watch, struct mailbox *mailbox, bool *by, bool value)
{
	*by = value;
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];

		if (!endpoint)
			continue;
		server_join(watch, endpoint);
		state_forget(watch, endpoint);
		schedule_judge(watch, endpoint);
		endpoint->is_again = endpoint->probe != NULL;
		schedule_first(watch, endpoint);
	}
	mailbox_settle_quietly(watch, mailbox);
}

static void
pause_disarm(struct watch *watch, struct mailbox *mailbox)
{
	heap_remove(&watch->pauses, &mailbox->pause);
	heap_remove(&watch->pause_caps, &mailbox->pause_cap);
}

void
pause_arm(struct watch *watch, struct mailbox *mailbox)
{
	int64_t left = mailbox->paused_until.us - watch->wall.us,
		length = mailbox->paused_until.us - mailbox->since.us;

	pause_disarm(watch, mailbox);
	if (!wall_is_set(mailbox->paused_until))
		return;
	/* One that began in what is the future by now: the clock was ahead, or is behind. */
	if (mailbox->since.us > watch->wall.us && length > 0 && length < left)
		left = length;
	if (heap_put(&watch->pauses, &mailbox->pause, mailbox->paused_until.us) != ERR_OK ||
		heap_put(&watch->pause_caps, &mailbox->pause_cap, mono_add(watch->now, left).us) !=
			ERR_OK)
		abort(); /* configure made room for each mailbox */
}

static void
pause_end(struct watch *watch, struct mailbox *mailbox, const char *who, const char *reason)
{
	pause_disarm(watch, mailbox);
	mailbox->paused_until = WALL_NONE;
	if (mailbox->is_enabled)
		mailbox_on(watch, mailbox, &mailbox->is_paused, false);
	else
		mailbox->is_paused = false;
	row_keep_mailbox(watch, mailbox);
	tell_person(watch, EVENT_RESUME, mailbox, WALL_NONE, who, reason);
}

void
pause_over(struct watch *watch, struct mailbox *mailbox)
{
	pause_end(watch, mailbox, WATCH_ITSELF, "the pause is over");
}

static enum err
conflict(struct fault *why, const char *words)
{
	fault_set(why, "%s", words);
	return ERR_CONFLICT;
}

enum err
watch_pause(struct watch *watch, mono_t now, wall_t wall, uint32_t index, int64_t for_us,
	const char *who, const char *reason, struct fault *why)
{
	struct mailbox *mailbox = watch_mailbox(watch, index);
	bool was_paused;

	watch_enter(watch, now, wall);
	if (!mailbox)
		return ERR_NOT_FOUND;
	if (!mailbox->is_enabled)
		return conflict(why, "the mailbox is disabled in the settings");
	was_paused = mailbox->is_paused;
	mailbox->paused_until = for_us > 0 ? wall_add(wall, for_us) : WALL_NONE;
	pause_arm(watch, mailbox);
	if (was_paused) {
		row_keep_mailbox(watch, mailbox); /* another end; its begin was told */
	} else {
		mailbox_off(watch, mailbox, &mailbox->is_paused, true);
		tell_person(watch, EVENT_PAUSE, mailbox, mailbox->paused_until, who, reason);
	}
	watch_tick(watch, now, wall);
	return ERR_OK;
}

/* ---- one login where logins are held */

/* The side that tries: the one that is held by itself, else the one that was refused. */
static struct watched *
to_permit(struct watch *watch, const struct mailbox *mailbox, const struct account *account)
{
	struct watched *found = NULL;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];

		if (!endpoint || endpoint->account != account || !account_holds(watch, endpoint))
			continue;
		if (!found || account->last[side].result == RESULT_REFUSED)
			found = endpoint;
	}
	return found;
}

static enum err
permit_logins(struct watch *watch, const struct mailbox *mailbox, int64_t *retry_us)
{
	enum err err = ERR_CONFLICT;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];
		struct account *account = endpoint ? endpoint->account : NULL;

		if (!account || !account_holds(watch, endpoint) ||
			to_permit(watch, mailbox, account) != endpoint)
			continue;
		if (!account_permit(watch, account, retry_us)) {
			if (err != ERR_OK)
				err = ERR_TOO_OFTEN;
			continue;
		}
		endpoint->has_permit = true;
		endpoint->is_asked = true;
		if (endpoint->probe && endpoint->probe->step != STEP_BEFORE)
			endpoint->is_again = true; /* it is past its login */
		schedule_at(watch, endpoint, watch->now, NEXT_ASKED);
		err = ERR_OK;
	}
	return err;
}

enum err
watch_resume(struct watch *watch, mono_t now, wall_t wall, uint32_t index, const char *who,
	const char *reason, int64_t *retry_us, struct fault *why)
{
	struct mailbox *mailbox = watch_mailbox(watch, index);
	enum err err = ERR_OK;

	watch_enter(watch, now, wall);
	if (!mailbox)
		return ERR_NOT_FOUND;
	if (!mailbox->is_enabled)
		return conflict(why, "the mailbox is disabled in the settings");
	if (mailbox->is_paused) {
		pause_end(watch, mailbox, who, reason);
	} else {
		err = permit_logins(watch, mailbox, retry_us);
		if (err == ERR_OK)
			tell_person(watch, EVENT_RESUME, mailbox, WALL_NONE, who, reason);
		else if (err == ERR_CONFLICT)
			fault_set(why, "the mailbox is neither paused nor are its logins held");
		else
			fault_set(why, "two logins in one hour were allowed already");
	}
	watch_tick(watch, now, wall);
	return err;
}

/* ---- probe now */

static bool
request_join(struct request *request, struct watched *endpoint)
{
	uint64_t *grown =
		reallocarray(endpoint->requests, endpoint->request_count + 1, sizeof(*grown));

	if (!grown)
		return false;
	endpoint->requests = grown;
	endpoint->requests[endpoint->request_count++] = request->id;
	request->open++;
	return true;
}

static struct request *
request_get(struct watch *watch, uint64_t id)
{
	struct request *request;

	HASH_FIND(hh, watch->requests, &id, sizeof(id), request);
	if (request)
		return request;
	request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->id = id;
	HASH_ADD(hh, watch->requests, id, sizeof(request->id), request);
	if (!request->hh.tbl) {
		free(request);
		return NULL;
	}
	return request;
}

/* H5-18: with the time of the next try, which is the daemon's own. */
static enum err
conflict_of_brake(const struct watch *watch, const struct mailbox *mailbox, struct fault *why)
{
	wall_t until = WALL_NONE;
	struct buf time = { 0 };

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct watched *endpoint = mailbox->sides[side];
		wall_t own = endpoint && endpoint->account ? account_until(watch, endpoint->account)
							   : WALL_NONE;

		if (wall_is_set(own) && (!wall_is_set(until) || own.us < until.us))
			until = own;
	}
	wall_put_s(&time, until);
	fault_set(why, "logins of this mailbox are held until %s; resume allows one before",
		time.at ? time.at : "?");
	buf_done(&time);
	return ERR_CONFLICT;
}

enum err
watch_probe_now(struct watch *watch, mono_t now, wall_t wall, uint32_t index, uint64_t id,
	struct fault *why)
{
	struct mailbox *mailbox = watch_mailbox(watch, index);
	struct request *request;
	size_t sides = 0, held = 0;

	watch_enter(watch, now, wall);
	if (!mailbox)
		return ERR_NOT_FOUND;
	if (mailbox_is_off(mailbox))
		return conflict(why, mailbox->is_enabled
					     ? "the mailbox is paused"
					     : "the mailbox is disabled in the settings");
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		sides += mailbox->sides[side] != NULL;
		held += mailbox->sides[side] && account_holds(watch, mailbox->sides[side]) &&
			kept_needs_login(watch, mailbox->sides[side]);
	}
	if (held == sides)
		return conflict_of_brake(watch, mailbox, why);
	request = request_get(watch, id);
	if (!request)
		return ERR_MEMORY;
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];

		if (!endpoint || !request_join(request, endpoint))
			continue;
		endpoint->is_asked = true;
		schedule_at(watch, endpoint, now, NEXT_ASKED);
	}
	if (request->open == 0) {
		HASH_DEL(watch->requests, request);
		free(request);
		return ERR_MEMORY;
	}
	watch_tick(watch, now, wall);
	return ERR_OK;
}
