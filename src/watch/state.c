/*
 * state.c: what a verdict makes of an endpoint, and its endpoints of a mailbox (contract 1). Layer:
 * watch, pure. Not here: the words of what is told (tell.c), the login's part of a verdict
 * (account.c).
 */
#include "watch/inside.h"

#define GREYLISTED_MOST_US (4 * US_PER_H) /* causes.md: counts as a failure after 4 h */

static void
enter(struct watch *watch, struct watched *endpoint, enum endpoint_state state, wall_t since)
{
	watch->suspects += state == ENDPOINT_SUSPECT;
	watch->suspects -= endpoint->state == ENDPOINT_SUSPECT;
	endpoint->state = state;
	if (state == ENDPOINT_SUSPECT) {
		endpoint->run_since = since;
		return; /* reads as the state before it */
	}
	endpoint->since = since;
	endpoint->part = state == ENDPOINT_OK	     ? PART_OK
			 : state == ENDPOINT_FAILING ? PART_FAILING
						     : PART_UNKNOWN;
}

static void
blame(struct watched *endpoint, enum cause cause, enum stage stage)
{
	endpoint->has_cause = true;
	endpoint->cause = cause;
	endpoint->stage = stage;
}

static void
begin_failing(struct watch *watch, struct watched *endpoint)
{
	if (!ulid_is_set(endpoint->incident)) {
		endpoint->incident = watch_id(watch, watch->wall);
		endpoint->incident_since = endpoint->run_since;
		watch->incidents_open++;
	}
	enter(watch, endpoint, ENDPOINT_FAILING, endpoint->incident_since);
	endpoint->successes = 0;
	endpoint->other_count = 0;
	endpoint->growth = 0;
}

void
state_confirm(struct watch *watch, struct watched *endpoint)
{
	if (endpoint->state != ENDPOINT_SUSPECT)
		return;
	begin_failing(watch, endpoint);
	row_keep_endpoint(watch, endpoint);
}

/* ---- the three kinds of judgement */

/* Another cause counts when it came `confirm` times in a row (H8-19). */
static void
failing_by(struct watch *watch, struct watched *endpoint, enum cause cause, enum stage stage)
{
	if (cause == endpoint->cause) {
		endpoint->other_count = 0;
		return;
	}
	if (endpoint->other_count == 0 || endpoint->other_cause != cause)
		endpoint->other_count = 0;
	endpoint->other_cause = cause;
	if (++endpoint->other_count < endpoint->rules.confirm)
		return;
	endpoint->other_count = 0;
	blame(endpoint, cause, stage);
	row_keep_endpoint(watch, endpoint);
	tell_cause(watch, endpoint);
}

static void
failed(struct watch *watch, struct watched *endpoint, bool is_confirmed)
{
	const struct verdict *verdict = endpoint->verdict;
	bool is_wait = cause_has(verdict->cause, CAUSE_WAIT);
	int64_t wait = is_wait && verdict->wait_us > 0 ? verdict->wait_us : 0;

	endpoint->fails++;
	switch (endpoint->state) {
	case ENDPOINT_FAILING:
		endpoint->successes = 0;
		endpoint->growth++;
		failing_by(watch, endpoint, verdict->cause, verdict->stage);
		break;
	case ENDPOINT_SUSPECT:
		blame(endpoint, verdict->cause, verdict->stage);
		endpoint->growth += is_wait; /* causes.md, W: else the growing retry_interval */
		break;
	default:
		endpoint->fails = 1;
		endpoint->growth = 0;
		blame(endpoint, verdict->cause, verdict->stage);
		if (ulid_is_set(endpoint->incident))
			begin_failing(
				watch, endpoint); /* after a pause, or unknown: the same incident */
		else
			enter(watch, endpoint, ENDPOINT_SUSPECT, verdict->ended);
	}
	if (endpoint->state == ENDPOINT_SUSPECT &&
		(is_confirmed || endpoint->fails >= endpoint->rules.confirm))
		begin_failing(watch, endpoint);
	schedule_retry(watch, endpoint, wait < WAIT_MOST_US ? wait : WAIT_MOST_US);
}

static void
succeeded(struct watch *watch, struct watched *endpoint)
{
	wall_t ended = endpoint->verdict->ended;

	endpoint->last_ok = ended;
	endpoint->fails = 0;
	endpoint->growth = 0;
	endpoint->other_count = 0;
	if (endpoint->state == ENDPOINT_FAILING) {
		if (endpoint->successes++ == 0)
			endpoint->run_since = ended;
		if (endpoint->successes < endpoint->rules.recover) {
			schedule_retry(watch, endpoint, 0);
			return;
		}
		enter(watch, endpoint, ENDPOINT_OK, endpoint->run_since);
	} else if (endpoint->part == PART_OK) {
		enter(watch, endpoint, ENDPOINT_OK, endpoint->since); /* a blip changes nothing */
	} else {
		enter(watch, endpoint, ENDPOINT_OK, ended);
	}
	endpoint->has_cause = false;
	schedule_regular(watch, endpoint);
}

/* The brake ended the probe before its login; up to there all was well. The state stands. */
static void
held(struct watch *watch, struct watched *endpoint)
{
	const struct account *account = endpoint->account;

	endpoint->growth++;
	if (endpoint->state == ENDPOINT_FAILING && account && account->brake.has_cause)
		failing_by(watch, endpoint, account->brake.cause,
			STAGE_AUTH); /* H7-20: back to what holds it */
	schedule_retry(watch, endpoint, 0);
	endpoint->reason = NEXT_HELD;
}

/* Greylisted, and not for so long yet that it counts as a failure. */
static bool
is_young_grey(const struct watch *watch, const struct watched *endpoint)
{
	return wall_is_set(endpoint->grey_since) &&
	       watch->wall.us - endpoint->grey_since.us < GREYLISTED_MOST_US;
}

bool
state_is_grey(const struct watch *watch, const struct watched *endpoint)
{
	return endpoint->has_unjudged && endpoint->unjudged == CAUSE_GREYLISTED &&
	       is_young_grey(watch, endpoint);
}

static bool
is_unjudged(struct watch *watch, struct watched *endpoint, const struct verdict *verdict)
{
	if (verdict->is_ok || !cause_has(verdict->cause, CAUSE_UNJUDGED)) {
		endpoint->grey_since = WALL_NONE;
		return false;
	}
	if (verdict->cause != CAUSE_GREYLISTED)
		return true;
	if (!wall_is_set(endpoint->grey_since))
		endpoint->grey_since = watch->wall;
	return is_young_grey(watch, endpoint);
}

/* What was open ends with the event that tells it. */
static void
end_incident(struct watch *watch, struct watched *endpoint)
{
	if (endpoint->state != ENDPOINT_OK || !ulid_is_set(endpoint->incident))
		return;
	endpoint->incident = (struct ulid){ 0 };
	watch->incidents_open--;
}

/* Under a brake: that a probe came to its login says less than the refusal before it, whose words
 * tell a person what is wrong. */
static bool
is_less_than_refusal(const struct verdict *verdict, const struct verdict *before)
{
	return verdict->login == LOGIN_HELD && before && before->stage == STAGE_AUTH &&
	       cause_has(before->cause, CAUSE_REFUSED);
}

void
watch_first_seen(struct watch *watch, struct watched *endpoint)
{
	watch->firsts_missing -= endpoint->is_first;
	endpoint->is_first = false;
}

/* The endpoint's now; the one that says less goes. */
static void
keep_verdict(struct watch *watch, struct watched *endpoint, struct verdict *verdict)
{
	if (is_less_than_refusal(verdict, endpoint->verdict)) {
		verdict_free(verdict);
	} else {
		verdict_free(endpoint->verdict);
		endpoint->verdict = verdict;
	}
	watch_first_seen(watch, endpoint);
	schedule_requests_done(watch, endpoint);
}

void
state_judge(
	struct watch *watch, struct watched *endpoint, struct verdict *verdict, bool is_confirmed)
{
	enum part part = endpoint->part;
	bool is_held = verdict->login == LOGIN_HELD;

	if (verdict->is_void) {
		verdict_free(verdict);
		if (is_confirmed)
			state_confirm(watch, endpoint);
		schedule_void(watch, endpoint);
		mailbox_settle(watch, endpoint->mailbox, endpoint);
		return;
	}
	keep_verdict(watch, endpoint, verdict);
	verdict = endpoint->verdict;
	if (is_unjudged(watch, endpoint, verdict)) {
		endpoint->has_unjudged = true;
		endpoint->unjudged = verdict->cause;
		endpoint->unjudged_stage = verdict->stage;
		endpoint->growth++;
		schedule_retry(watch, endpoint, verdict->wait_us > 0 ? verdict->wait_us : 0);
		return;
	}
	endpoint->has_unjudged = false;
	schedule_judge(watch, endpoint);
	if (is_held)
		held(watch, endpoint);
	else if (verdict->is_ok)
		succeeded(watch, endpoint);
	else
		failed(watch, endpoint, is_confirmed);
	if (account_holds(watch, endpoint) && endpoint->reason == NEXT_RETRY)
		endpoint->reason = NEXT_HELD;
	mailbox_settle(watch, endpoint->mailbox, endpoint);
	end_incident(watch, endpoint);
	if (endpoint->part != part)
		row_keep_endpoint(watch, endpoint);
}

/* ---- unknown */

void
state_unjudged(struct watch *watch, struct watched *endpoint)
{
	const struct server *server = endpoint->server;
	bool was_unknown = endpoint->part == PART_UNKNOWN;

	if (was_unknown && (endpoint->is_unknown_told || !endpoint->has_unjudged))
		return; /* told, or there is nothing to tell yet: nobody has tried */
	if (endpoint->has_unjudged)
		blame(endpoint, endpoint->unjudged, endpoint->unjudged_stage);
	else if (server->is_waiting)
		blame(endpoint, server->wait_cause, server->wait_stage);
	endpoint->is_unknown_told = true;
	endpoint->fails = endpoint->successes = 0;
	if (was_unknown)
		enter(watch, endpoint, ENDPOINT_UNKNOWN, endpoint->since);
	else
		enter(watch, endpoint, ENDPOINT_UNKNOWN, watch->wall);
	row_keep_endpoint(watch, endpoint);
	if (was_unknown)
		tell_state(watch, endpoint->mailbox, endpoint->mailbox->parts, endpoint);
	else
		mailbox_settle(watch, endpoint->mailbox, endpoint);
}

void
state_forget(struct watch *watch, struct watched *endpoint)
{
	enter(watch, endpoint, ENDPOINT_UNKNOWN, watch->wall);
	endpoint->fails = endpoint->successes = endpoint->growth = 0;
	endpoint->has_cause = false;
	endpoint->is_unknown_told = false;
	endpoint->has_unjudged = false;
	row_keep_endpoint(watch, endpoint);
}

/* ---- the mailbox */

static void
count_class(struct watch *watch, struct mailbox *mailbox, enum part class)
{
	if (mailbox->counted != PART_NONE)
		watch->classes[mailbox->counted]--;
	if (class != PART_NONE)
		watch->classes[class]++;
	mailbox->counted = class;
}

void
mailbox_uncount(struct watch *watch, struct mailbox *mailbox)
{
	count_class(watch, mailbox, PART_NONE);
}

static void
read_parts(const struct mailbox *mailbox, enum part parts[SIDE_COUNT])
{
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct watched *endpoint = mailbox->sides[side];

		parts[side] = !endpoint			? PART_NONE
			      : mailbox_is_off(mailbox) ? PART_PAUSED
							: endpoint->part;
	}
}

/* The change of one side that nobody is told: it was unknown before its first verdict, or after a
 * pause. Beside a side that is failing that unknown was told with it. */
static bool
is_quiet(const struct watched *endpoint, enum part was, enum part part, enum part beside)
{
	return was == part || was == PART_NONE ||
	       (was == PART_UNKNOWN && part == PART_OK && endpoint && !endpoint->is_unknown_told &&
		       !ulid_is_set(endpoint->incident) && beside != PART_FAILING);
}

static bool
take_parts(struct watch *watch, struct mailbox *mailbox, enum part was[SIDE_COUNT], wall_t since)
{
	enum part parts[SIDE_COUNT];
	bool is_changed = false, is_told = false;

	read_parts(mailbox, parts);
	memcpy(was, mailbox->parts, sizeof(mailbox->parts));
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct watched *endpoint = mailbox->sides[side];
		enum side other = side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP;

		is_changed |= was[side] != parts[side];
		is_told |= !is_quiet(endpoint, was[side], parts[side], was[other]);
		if (endpoint && endpoint->part != PART_UNKNOWN)
			endpoint->is_unknown_told = false;
	}
	memcpy(mailbox->parts, parts, sizeof(parts));
	if (mailbox->counted == PART_NONE || is_changed)
		count_class(watch, mailbox, mailbox_state_class(parts));
	if (is_changed) {
		mailbox->since = since;
		row_keep_mailbox(watch, mailbox);
	}
	return is_told;
}

void
mailbox_settle(struct watch *watch, struct mailbox *mailbox, const struct watched *by)
{
	enum part was[SIDE_COUNT];

	if (take_parts(watch, mailbox, was, by ? by->since : watch->wall))
		tell_state(watch, mailbox, was, by);
}

void
mailbox_settle_quietly(struct watch *watch, struct mailbox *mailbox)
{
	enum part was[SIDE_COUNT];

	(void)take_parts(watch, mailbox, was, watch->wall);
}
