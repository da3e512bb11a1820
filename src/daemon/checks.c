/*
 * checks.c: checks under way. Layer: daemon.
 *
 * A check's probe is a guest of watch (watch/guest.c), so limits, budgets and the account's brake
 * hold for it; and it runs on the loop of its server, as all do. Not here: what a check is
 * (check/), who waits for it (control/check.c).
 */
#include "daemon/checks.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "check/check.h"

/* H5-17. What is beyond them is told to come again. */
#define CHECKS_MOST 64
#define CHECKS_MOST_OF_ACCOUNT 4
#define TRIES_MOST 20

struct running {
	LIST_ENTRY(running) all;
	struct daemon *daemon;
	uint64_t request;
	struct check *check;
	bool with_steps;
	bool has_token; /* a guest waits or is in flight */
	uint64_t token;
	enum side side;
	unsigned tries; /* that were void */
	bool is_gone;	/* nobody waits for it: its probe ends, and no other begins */
	bool is_done;
	int64_t retry_us; /* where logins are held */
};

struct checks {
	LIST_HEAD(, running) all;
	unsigned count;
};

/* ---- finding */

static struct running *
find_token(const struct daemon *daemon, uint64_t token)
{
	struct running *running;

	if (!daemon->checks)
		return NULL;
	LIST_FOREACH(running, &daemon->checks->all, all)
	{
		if (running->has_token && running->token == token)
			return running;
	}
	return NULL;
}

static void
running_free(struct running *running)
{
	LIST_REMOVE(running, all);
	running->daemon->checks->count--;
	check_free(running->check);
	free(running);
}

/* ---- what a guest is to watch */

static struct watch_guest
guest_of(const struct settings *settings, const struct endpoint *endpoint, struct bytes account)
{
	struct watch_guest guest = {
		.side = endpoint->side, .host = endpoint->host, .account = account
	};

	for (size_t i = 0; i < settings->server_count; i++) {
		if (strcmp(settings->servers[i].host, endpoint->host) != 0)
			continue;
		guest.connections = settings->servers[i].connections;
		guest.logins_per_minute = settings->servers[i].logins_per_minute;
		guest.is_known = settings->servers[i].is_known;
	}
	return guest;
}

/* Are logins of this side held for its secret? Of a secret that is not in the settings only its
 * probe knows. */
static bool
is_held(struct daemon *daemon, const struct mailbox_settings *settings, enum side side,
	int64_t *retry_us)
{
	const struct endpoint *endpoint = settings->sides[side];
	struct bytes account = { settings->accounts[side], settings->account_lens[side] };
	struct watch_guest guest = guest_of(daemon->settings, endpoint, account);
	struct fingerprint fingerprint;

	if (account.len == 0 || endpoint->secret.kind != SECRET_VALUE ||
		secret_fingerprint(
			endpoint->secret.value, &daemon->fingerprint_key, &fingerprint) != ERR_OK)
		return false;
	return watch_guest_may(daemon->watch, mono_now(), wall_now(), &guest, fingerprint,
		       retry_us) != ERR_OK;
}

static bool
is_all_held(struct daemon *daemon, const struct mailbox_settings *settings, int64_t *least_retry_us)
{
	*least_retry_us = INT64_MAX;
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		int64_t retry_us;

		if (!settings->sides[side])
			continue;
		if (!is_held(daemon, settings, side, &retry_us))
			return false;
		if (retry_us < *least_retry_us)
			*least_retry_us = retry_us;
	}
	return *least_retry_us != INT64_MAX;
}

/* ---- what the check asks for */

static void
skip_waiting(struct running *running, enum side side, const struct watch_guest *guest, wall_t until,
	enum stage stage, enum cause cause)
{
	struct buf detail = { 0 };

	buf_put_format(&detail, "not tried: %s asked for time, until ", guest->host);
	wall_put_s(&detail, until);
	check_skip(running->check, side, stage, cause, detail.at ? detail.at : "");
	buf_done(&detail);
}

static enum err
on_probe(void *owner, enum side side)
{
	struct running *running = owner;
	struct daemon *daemon = running->daemon;
	struct watch_guest guest = guest_of(daemon->settings, check_endpoint(running->check, side),
		check_account(running->check, side));
	enum cause cause;
	enum stage stage;
	wall_t until;
	enum err err;

	if (running->is_gone)
		return ERR_CLOSED;
	running->side = side;
	if (watch_guest_waits(
		    daemon->watch, mono_now(), wall_now(), guest.host, &until, &cause, &stage)) {
		skip_waiting(running, side, &guest, until, stage, cause);
		return ERR_OK;
	}
	err = watch_guest(daemon->watch, mono_now(), wall_now(), &guest, &running->token);
	running->has_token = err == ERR_OK;
	return err;
}

static void
on_step(void *owner, struct bytes json)
{
	struct running *running = owner;

	if (running->with_steps && running->daemon->control)
		control_check_step(running->daemon->control, running->request, json);
}

/* The check is freed by whoever called it. */
static void
on_done(void *owner)
{
	((struct running *)owner)->is_done = true;
}

static const struct check_calls calls = { on_probe, on_step, on_done };

static void
finish(struct running *running)
{
	struct control *control = running->daemon->control;
	struct buf document = { 0 };
	int64_t retry_us = 0;

	if (!running->is_done)
		return;
	if (check_is_held(running->check))
		retry_us = running->retry_us > 0 ? running->retry_us : US_PER_M;
	check_put_document(running->check, &document);
	if (control && !running->is_gone)
		control_check_done(control, running->request, buf_bytes(&document), retry_us);
	buf_done(&document);
	running_free(running);
}

/* ---- begin and end */

static unsigned
count_of_account(const struct checks *checks, const struct mailbox_settings *settings)
{
	struct running *running;
	unsigned count = 0;

	LIST_FOREACH(running, &checks->all, all)
	{
		bool is_same = false;

		for (size_t side = 0; side < SIDE_COUNT; side++) {
			struct bytes account = { settings->accounts[side],
				settings->account_lens[side] };

			for (enum side other = 0; other < SIDE_COUNT; other++)
				is_same |=
					account.len > 0 &&
					bytes_equal(account, check_account(running->check, other));
		}
		count += is_same;
	}
	return count;
}

static enum err
make(struct daemon *daemon, const struct control_check *check, uint64_t request,
	struct running **out)
{
	struct running *running = calloc(1, sizeof(*running));
	struct check_start start = {
		.settings = check->settings,
		.review = check->review,
		.warnings = check->warnings,
		.is_to_send = check->is_to_send,
		.send_to = check->send_to,
		.with_transcript = check->with_transcript,
		.calls = &calls,
		.owner = running,
	};
	enum err err = running ? check_new(&start, &running->check) : ERR_MEMORY;

	if (err != ERR_OK) {
		free(running);
		return err;
	}
	running->daemon = daemon;
	running->request = request;
	running->with_steps = check->with_steps;
	LIST_INSERT_HEAD(&daemon->checks->all, running, all);
	daemon->checks->count++;
	*out = running;
	return ERR_OK;
}

enum err
checks_start(struct daemon *daemon, const struct control_check *check, uint64_t request,
	int64_t *retry_us, struct fault *why)
{
	struct running *running;
	enum err err;

	if (!daemon->checks) {
		daemon->checks = calloc(1, sizeof(*daemon->checks));
		if (!daemon->checks)
			return ERR_MEMORY;
		LIST_INIT(&daemon->checks->all);
	}
	if (is_all_held(daemon, check->settings, retry_us))
		return ERR_TOO_OFTEN;
	if (daemon->checks->count >= CHECKS_MOST) {
		fault_set(why, "%d checks are under way.", CHECKS_MOST);
		return ERR_LIMIT;
	}
	if (count_of_account(daemon->checks, check->settings) >= CHECKS_MOST_OF_ACCOUNT) {
		fault_set(why, "%d checks of this account are under way.", CHECKS_MOST_OF_ACCOUNT);
		return ERR_LIMIT;
	}
	err = make(daemon, check, request, &running);
	if (err != ERR_OK)
		return err;
	check_begin(running->check);
	finish(running); /* where nothing was to be tried */
	return ERR_OK;
}

void
checks_gone(struct daemon *daemon, uint64_t request)
{
	struct running *running, *next;

	if (!daemon->checks)
		return;
	for (running = LIST_FIRST(&daemon->checks->all); running; running = next) {
		next = LIST_NEXT(running, all);
		if (running->request != request)
			continue;
		running->is_gone = true;
		/* One that has not begun never does. */
		if (!running->has_token ||
			watch_guest_cancel(daemon->watch, mono_now(), wall_now(), running->token))
			running_free(running);
	}
}

void
checks_free(struct daemon *daemon)
{
	struct running *running;

	if (!daemon->checks)
		return;
	while ((running = LIST_FIRST(&daemon->checks->all)))
		running_free(running);
	free(daemon->checks);
	daemon->checks = NULL;
}

/* ---- the guest */

void
checks_begun(struct daemon *daemon, uint64_t token, const char *address)
{
	struct running *running = find_token(daemon, token);
	struct verdict *verdict;
	struct probe_job job = {
		.token = token, .address = address, .is_traced = true, .looks_around = true
	};

	if (running) {
		job.endpoint = check_endpoint(running->check, running->side);
		job.errand = check_errand(running->check, running->side);
		if (loops_probe(daemon->loops, &job) == ERR_OK)
			return;
	}
	verdict = verdict_new();
	if (!verdict)
		return; /* its place is lost until the next start */
	verdict->cause = CAUSE_LOCAL_LIMIT;
	verdict->is_transient = true;
	verdict->began = verdict->ended = wall_now();
	verdict_detail(verdict, "out of memory here");
	checks_ended(daemon, token, verdict, BYTES_NONE);
	watch_verdict(daemon->watch, mono_now(), wall_now(), token, verdict);
}

void
checks_passed(struct daemon *daemon, uint64_t token, const struct probe_step *step)
{
	struct running *running = find_token(daemon, token);

	if (running)
		check_passed(running->check, running->side, step);
}

/* When its logins may go on, for Retry-After. */
static void
note_held(struct daemon *daemon, struct running *running, const struct verdict *verdict)
{
	struct watch_guest guest =
		guest_of(daemon->settings, check_endpoint(running->check, running->side),
			check_account(running->check, running->side));
	int64_t retry_us;

	if (verdict->login == LOGIN_HELD && verdict->has_fingerprint &&
		watch_guest_may(daemon->watch, mono_now(), wall_now(), &guest, verdict->fingerprint,
			&retry_us) == ERR_TOO_OFTEN)
		running->retry_us = retry_us;
}

/* Void before its login: our own lateness, or no room at the address that the name leads to, which
 * is known now and waited for (watch/peer.c). */
static bool
is_tried_again(struct running *running, const struct verdict *verdict)
{
	return verdict->is_void && verdict->login == LOGIN_NOT_SENT &&
	       running->tries++ < TRIES_MOST;
}

void
checks_ended(
	struct daemon *daemon, uint64_t token, struct verdict *verdict, struct bytes transcript)
{
	struct running *running = find_token(daemon, token);

	if (!running)
		return;
	running->has_token = false;
	note_held(daemon, running, verdict);
	if (running->is_gone) {
		running_free(running);
		return;
	}
	if (is_tried_again(running, verdict) && on_probe(running, running->side) == ERR_OK) {
		finish(running); /* where its server asked for time meanwhile */
		return;
	}
	check_ended(running->check, running->side, verdict, transcript);
	finish(running);
}
