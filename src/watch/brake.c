/*
 * brake.c: which logins of an account are made, and what their ends mean (contract 3,
 * refused_logins). Layer: watch, pure. Not here: counting (account_counts.c).
 *
 * A login that may be refused is booked in the store before its secret goes out, and one at a time
 * for an account: so a kill -9 leaves at most one refusal behind that nobody wrote down, and that
 * one is supposed at the next start (H7-18).
 */
#include "watch/inside.h"

enum decision {
	DECISION_GO,
	DECISION_GO_BY_PERMIT,
	DECISION_GO_AS_TRY,
	DECISION_WAIT, /* for what is in flight */
	DECISION_HOLD,
	DECISION_COUNT
};

/* ---- the clock */

static int64_t
retry_us(const struct watch *watch, unsigned step)
{
	const struct watch_limits *limits = &watch->limits;

	if (limits->brake_retry_count == 0)
		return US_PER_H;
	return limits
		->brake_retry_us[step < limits->brake_retry_count ? step
								  : limits->brake_retry_count - 1];
}

/* H7-07: what lies in the future (a clock that went back) lasts at most its own length from now on.
 */
void
account_clamp(const struct watch *watch, struct account *account)
{
	wall_t most = wall_add(watch->held, retry_us(watch, account->brake.step));

	for (size_t i = 0; i < account->tried_count; i++) {
		for (size_t j = 0; j < account->tried[i].count; j++) {
			if (account->tried[i].refusals[j].time.us > watch->held.us)
				account->tried[i].refusals[j].time = watch->held;
		}
	}
	for (size_t i = 0; i < RESUMES_MOST; i++) {
		if (account->resumed[i].us > watch->held.us)
			account->resumed[i] = watch->held;
	}
	if (account->brake.next_try.us > most.us)
		account->brake.next_try = most;
}

/* ---- may this login be made? */

struct flying {
	unsigned all;
	unsigned same; /* with the same secret */
	unsigned tries;
	bool has_booked;
};

static struct flying
count_flying(const struct account *account, struct fingerprint fingerprint)
{
	struct flying flying = { 0 };

	for (const struct probe *probe = account->logins; probe; probe = probe->next_login) {
		if (probe->step != STEP_ALLOWED)
			continue;
		flying.all++;
		flying.same += fingerprint_equal(probe->fingerprint, fingerprint);
		flying.tries += probe->is_try;
		flying.has_booked |= probe->is_booked;
	}
	return flying;
}

static bool
is_proven(const struct account *account, const struct probe *probe)
{
	const struct last_login *last = &account->last[probe->side];

	return last->is_proven && fingerprint_equal(last->fingerprint, probe->fingerprint);
}

static enum decision
decide(const struct watch *watch, const struct account *account, const struct probe *probe)
{
	const struct tried *tried = tried_find(account, probe->fingerprint);
	struct flying flying = count_flying(account, probe->fingerprint);
	unsigned room = account_room_of_caps(watch, account);

	if (room == 0 ||
		(probe->is_guest && guest_is_held(watch, account, probe->side, probe->fingerprint)))
		return DECISION_HOLD;
	if (flying.all >= room || (flying.has_booked && !is_proven(account, probe)))
		return DECISION_WAIT;
	if (!tried || tried->results[probe->side] == RESULT_ACCEPTED)
		return DECISION_GO;
	if (probe->endpoint && !probe->is_stale && probe->endpoint->has_permit)
		return flying.same ? DECISION_WAIT : DECISION_GO_BY_PERMIT;
	room = account_room_of_secret(watch, tried);
	if (account->brake.is_open && watch->held.us < account->brake.next_try.us)
		return DECISION_HOLD;
	if (room == 0)
		return DECISION_HOLD;
	if (flying.same >= room || flying.tries)
		return DECISION_WAIT;
	return account->brake.is_open ? DECISION_GO_AS_TRY : DECISION_GO;
}

static void
login_remove(struct account *account, struct probe *probe)
{
	struct probe **place = &account->logins;

	while (*place && *place != probe)
		place = &(*place)->next_login;
	if (*place)
		*place = probe->next_login;
	probe->next_login = NULL;
}

static void
login_append(struct account *account, struct probe *probe)
{
	struct probe **place = &account->logins;

	while (*place && *place != probe)
		place = &(*place)->next_login;
	*place = probe;
}

static void
answer(struct watch *watch, struct probe *probe, bool is_allowed)
{
	probe->step = is_allowed ? STEP_ALLOWED : STEP_HELD;
	watch_command(watch, &(struct watch_command){ .kind = WATCH_LEAVE,
				     .token = probe->token,
				     .is_allowed = is_allowed,
				     .after_stored = is_allowed && probe->is_booked });
}

static void
brake_open(struct watch *watch, struct account *account, const struct probe *probe,
	const struct verdict *verdict)
{
	const struct tried *tried = tried_find(account, probe->fingerprint);
	struct brake *brake = &account->brake;
	bool is_held[SIDE_COUNT];

	*brake = (struct brake){ .is_open = true,
		.since = watch->wall,
		.next_try = wall_add(watch->held, retry_us(watch, 0)) };
	if (verdict) {
		brake->has_cause = true;
		brake->cause = verdict->cause;
	} else if (tried && tried->has_cause) {
		brake->has_cause = true;
		brake->cause = tried->cause;
	}
	for (size_t side = 0; side < SIDE_COUNT; side++)
		is_held[side] = account_has_side(account, (enum side)side) &&
				!(tried && tried->results[side] == RESULT_ACCEPTED);
	brake->has_side = is_held[SIDE_SMTP] != is_held[SIDE_IMAP];
	brake->side = is_held[SIDE_SMTP] ? SIDE_SMTP : SIDE_IMAP;
	watch->brakes_open++;
}

/* Held though no refusal just opened it: counts that an unclean end left behind, or a brake that
 * has lost its mailbox. */
static void
hold(struct watch *watch, struct account *account, struct probe *probe)
{
	if (!account->brake.is_open)
		brake_open(watch, account, probe, NULL);
	if (!account->brake.is_told && probe->endpoint && !probe->is_stale)
		tell_brake(watch, account, probe->endpoint);
	row_keep_account(watch, account);
}

void
account_login(struct watch *watch, struct probe *probe)
{
	struct account *account = probe->account;
	enum decision decision;

	if (!account) {
		answer(watch, probe, true);
		return;
	}
	account_clamp(watch, account);
	decision = decide(watch, account, probe);
	if (decision == DECISION_WAIT) {
		probe->step = STEP_WAITING;
		login_append(account, probe);
		return;
	}
	if (decision == DECISION_HOLD) {
		login_remove(account, probe);
		if (!account->brake.is_told && !probe->is_guest)
			hold(watch, account, probe);
		answer(watch, probe, false);
		return;
	}
	login_append(account, probe);
	probe->is_try = decision == DECISION_GO_AS_TRY;
	probe->is_permit = decision == DECISION_GO_BY_PERMIT;
	if (probe->is_permit)
		probe->endpoint->has_permit = false;
	probe->is_booked = !is_proven(account, probe);
	answer(watch, probe, true);
	if (probe->is_booked)
		row_keep_account(watch, account);
}

void
account_settle(struct watch *watch, struct account *account)
{
	struct probe *probe = account->logins, *next;

	for (; probe; probe = next) {
		next = probe->next_login;
		if (probe->step == STEP_WAITING)
			account_login(watch, probe);
	}
}

/* ---- how it ended */

static void
brake_close(struct watch *watch, struct account *account)
{
	if (account->brake.is_told)
		tell_brake_end(watch, account, NULL);
	account->brake = (struct brake){ 0 };
	watch->brakes_open--;
	for (struct watched *endpoint = account->endpoints; endpoint;
		endpoint = endpoint->account_next)
		endpoint->has_permit = false;
}

static void
login_accepted(struct watch *watch, struct account *account, const struct probe *probe)
{
	struct last_login *last = &account->last[probe->side];
	struct tried *tried = tried_find(account, probe->fingerprint);
	bool was_refused = last->result == RESULT_REFUSED;
	enum side other = 1 - probe->side;

	if (tried)
		tried->results[probe->side] = RESULT_ACCEPTED;
	account_forget_supposed(account);
	if (probe->is_guest)
		return;
	*last = (struct last_login){ probe->fingerprint, RESULT_ACCEPTED, true };
	if (!account->brake.is_open) {
		/* nothing is held */
	} else if (account->last[other].result != RESULT_REFUSED ||
		   !account_has_side(account, other)) {
		brake_close(watch, account);
	} else if (was_refused) {
		/* The account is well again as far as this side knows: the other one is tried too.
		 */
		account->brake.has_side = true;
		account->brake.side = other;
		account->brake.next_try = watch->held;
		for (struct watched *endpoint = account->endpoints; endpoint;
			endpoint = endpoint->account_next) {
			if (endpoint->side == other)
				schedule_at(watch, endpoint, watch->now, NEXT_RETRY);
		}
	}
	for (size_t i = account->tried_count; i-- > 0 && !account->brake.is_open;) {
		if (tried_is_old(watch, &account->tried[i]))
			tried_drop(account, &account->tried[i]);
	}
}

/* Is it the secret that a watched side was refused with? */
static bool
is_of_watched(const struct account *account, const struct probe *probe)
{
	const struct watched *endpoint = account->endpoints;

	while (endpoint && !(endpoint->has_refusal &&
				   fingerprint_equal(endpoint->refused, probe->fingerprint)))
		endpoint = endpoint->account_next;
	return endpoint != NULL;
}

/* True: it opened the brake. */
static bool
login_refused(struct watch *watch, struct account *account, const struct probe *probe,
	const struct verdict *verdict)
{
	struct brake *brake = &account->brake;
	struct tried *tried = tried_add(account, probe->fingerprint);

	if (!probe->is_guest)
		account->last[probe->side] =
			(struct last_login){ probe->fingerprint, RESULT_REFUSED, false };
	if (!tried)
		return false;
	tried->results[probe->side] = RESULT_REFUSED;
	tried->has_cause = true;
	tried->cause = verdict->cause;
	tried_refused(tried, watch->held, false);
	if (probe->is_guest && (brake->is_open || !is_of_watched(account, probe)))
		return false; /* it counts; whoever watches this account has another secret */
	if (brake->is_open) {
		brake->has_cause = true;
		brake->cause = verdict->cause;
		if (brake->has_side && brake->side != probe->side)
			brake->has_side = false;
		if (probe->is_try)
			brake->next_try = wall_add(watch->held, retry_us(watch, ++brake->step));
		return false;
	}
	if (account_room_of_secret(watch, tried) > 0 && account_room_of_caps(watch, account) > 0)
		return false;
	brake_open(watch, account, probe, verdict);
	return true;
}

/* We left before the answer came (our own end, a suspend): as after a kill. */
static void
login_supposed(struct watch *watch, struct account *account, const struct probe *probe)
{
	struct tried *tried = tried_add(account, probe->fingerprint);

	if (tried)
		tried_refused(tried, watch->held, true);
}

bool
account_judged(struct watch *watch, struct probe *probe, const struct verdict *verdict)
{
	struct account *account = probe->account;
	bool was_booked = probe->is_booked, is_opened = false;
	bool was_open = account->brake.is_open,
	     was_accepted = account->last[probe->side].result == RESULT_ACCEPTED;

	login_remove(account, probe);
	probe->is_booked = false;
	account_clamp(watch, account);
	if (verdict->login == LOGIN_ACCEPTED)
		login_accepted(watch, account, probe);
	else if (verdict->login == LOGIN_REFUSED)
		is_opened = login_refused(watch, account, probe, verdict);
	else if (was_booked && verdict->is_void && verdict->login == LOGIN_UNJUDGED)
		login_supposed(watch, account, probe);
	else if (probe->is_permit && verdict->login == LOGIN_NOT_SENT && probe->endpoint &&
		 account->brake.is_open)
		probe->endpoint->has_permit = true; /* it was not used */
	if (was_booked || verdict->login == LOGIN_REFUSED ||
		(verdict->login == LOGIN_ACCEPTED &&
			(!was_accepted || was_open != account->brake.is_open)))
		row_keep_account(watch, account);
	return is_opened;
}
