/*
 * alone.c: a check without the daemon: one libevent loop, the same probes. Layer: ctl.
 *
 * As root it takes the daemon's place for a moment: its user, its lock on the state directory, its
 * counts of refused logins; so a check in a loop costs no account more than the daemon would
 * (contract 4, H7-15). Each booking is durable before its secret goes out. As another user there
 * are no counts, and one login a side.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "check/check.h"
#include "net/helo.h"
#include "store/store.h"
#include "watch/watch.h"

#define DAEMON_USER "mboxwatch"
#define STATE_DIR LOCALSTATEDIR "/lib/mboxwatch"

struct alone {
	const struct settings *settings;
	struct event_base *base;
	struct event *wake;
	struct probes *probes;
	struct check *check;
	bool (*line)(void *user, struct bytes line);
	void *user;
	/* counts: NULL where there are none */
	struct store *store;
	struct watch *watch;
	struct fingerprint_key key;
	bool was_clean;
	bool is_failed; /* a booking could not be made durable: no login any more */
	struct fault why;
	/* the probe under way */
	enum side side;
	uint64_t token;
	struct probe_ref ref;
	bool is_begun;
	bool is_done;
};

/* ---- what watch decides, carried out at once */

static void
start_probe(struct alone *alone)
{
	alone->is_begun = true;
	probes_start(alone->probes,
		&(struct probe_job){ .endpoint = check_endpoint(alone->check, alone->side),
			.errand = check_errand(alone->check, alone->side),
			.token = alone->token,
			.may_login = true,
			.is_traced = true,
			.looks_around = true });
}

/* Rows first; on an error nothing of them counts as written. */
static enum err
keep_row(struct alone *alone, struct watch_command *command, bool *is_open)
{
	enum err err = *is_open ? ERR_OK : store_begin(alone->store, &alone->why);

	*is_open = err == ERR_OK;
	if (err == ERR_OK)
		err = store_put_row(alone->store, command->row, bytes_of(command->key),
			command->value, &alone->why);
	free(command->key);
	free(command->value);
	return err;
}

static void
arm(struct alone *alone)
{
	mono_t wake = watch_wake(alone->watch);
	int64_t wait_us = wake.us == INT64_MAX ? US_PER_H : mono_since(wake, mono_now());
	struct timeval wait = { 0, 1000 };

	if (wait_us > 1000)
		wait = (struct timeval){ wait_us / US_PER_S, wait_us % US_PER_S };
	event_add(alone->wake, &wait);
}

static void
carry(struct alone *alone)
{
	struct watch_command command;
	bool is_open = false, is_to_start = false, is_answered = false, is_allowed = false;
	enum err err = ERR_OK;

	while (watch_next(alone->watch, &command)) {
		if (command.kind == WATCH_KEEP || command.kind == WATCH_FORGET)
			err = keep_row(alone, &command, &is_open) == ERR_OK ? err : ERR_IO;
		else if (command.kind == WATCH_TELL)
			alert_free(command.event);
		else if (command.kind == WATCH_GUEST)
			is_to_start = true;
		else if (command.kind == WATCH_LEAVE)
			is_answered = true, is_allowed = command.is_allowed;
	}
	if (is_open && err == ERR_OK)
		err = store_commit(alone->store, &alone->why);
	else if (is_open)
		store_rollback(alone->store);
	alone->is_failed |= err != ERR_OK;
	if (is_to_start && !alone->is_begun)
		start_probe(alone);
	if (is_answered)
		probes_leave(alone->probes, alone->ref,
			is_allowed && !alone->is_failed ? LEAVE_GO : LEAVE_HELD);
	arm(alone);
}

static void
on_wake(evutil_socket_t fd, short what, void *owner)
{
	struct alone *alone = owner;

	(void)fd;
	(void)what;
	watch_tick(alone->watch, mono_now(), wall_now());
	carry(alone);
}

/* ---- what the probe says */

static void
on_ask_login(void *owner, uint64_t token, struct probe_ref ref, struct fingerprint fingerprint)
{
	struct alone *alone = owner;

	alone->ref = ref;
	if (!alone->watch) {
		probes_leave(alone->probes, ref, LEAVE_GO);
		return;
	}
	watch_login(alone->watch, mono_now(), wall_now(), token, fingerprint);
	carry(alone);
}

static void
on_login_accepted(void *owner, uint64_t token)
{
	struct alone *alone = owner;

	if (!alone->watch)
		return;
	watch_login_accepted(alone->watch, mono_now(), wall_now(), token);
	carry(alone);
}

static void
on_passed(void *owner, uint64_t token, const struct probe_step *step)
{
	struct alone *alone = owner;

	(void)token;
	check_passed(alone->check, alone->side, step);
}

static void
on_ended(void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript)
{
	struct alone *alone = owner;

	check_ended(alone->check, alone->side, verdict, transcript);
	if (!alone->watch) {
		verdict_free(verdict);
		return;
	}
	watch_verdict(alone->watch, mono_now(), wall_now(), token, verdict);
	carry(alone);
}

/* ---- what the check asks for */

static struct watch_guest
guest_of(const struct alone *alone, const struct endpoint *endpoint, struct bytes account)
{
	return (struct watch_guest){ .side = endpoint->side,
		.host = endpoint->host,
		.account = account,
		.connections = alone->settings->limits.connections,
		.logins_per_minute = alone->settings->limits.logins_per_minute };
}

static enum err
on_probe(void *owner, enum side side)
{
	struct alone *alone = owner;
	const struct endpoint *endpoint = check_endpoint(alone->check, side);
	struct watch_guest guest = guest_of(alone, endpoint, check_account(alone->check, side));

	alone->side = side;
	alone->is_begun = false;
	if (!alone->watch) {
		alone->token++;
		start_probe(alone);
		return ERR_OK;
	}
	if (watch_guest(alone->watch, mono_now(), wall_now(), &guest, &alone->token) != ERR_OK)
		return ERR_MEMORY;
	carry(alone);
	return ERR_OK;
}

static void
on_step(void *owner, struct bytes json)
{
	struct alone *alone = owner;

	(void)alone->line(alone->user, json);
}

static void
on_done(void *owner)
{
	struct alone *alone = owner;
	struct buf document = { 0 };

	check_put_document(alone->check, &document);
	if (buf_err(&document) == ERR_OK)
		(void)alone->line(alone->user, buf_bytes(&document));
	buf_done(&document);
	alone->is_done = true;
	event_base_loopbreak(alone->base);
}

/* ---- the daemon's place */

static const char *
state_dir(const struct settings *settings)
{
	const char *told = getenv("STATE_DIRECTORY");

	if (settings->state_dir)
		return settings->state_dir;
	return told && *told ? told : STATE_DIR;
}

/* Root, and the daemon's own user (whom root has become after a first check). */
static bool
keeps_counts(const struct settings *settings)
{
	struct stat about;

	return geteuid() == 0 || (stat(state_dir(settings), &about) == 0 &&
					 S_ISDIR(about.st_mode) && about.st_uid == geteuid());
}

/* What root writes there the daemon could not write any more: so we are its user from here on. */
static bool
become_owner(const char *dir)
{
	const struct passwd *user = getpwnam(DAEMON_USER);
	struct stat about;

	if (stat(dir, &about) != 0 &&
		(errno != ENOENT || mkdir(dir, 0700) != 0 ||
			(user && chown(dir, user->pw_uid, user->pw_gid) != 0) ||
			stat(dir, &about) != 0)) {
		complain("%s cannot be made: %s", dir, strerror(errno));
		return false;
	}
	if (about.st_uid == 0)
		return true;
	user = getpwuid(about.st_uid);
	if ((user ? initgroups(user->pw_name, user->pw_gid) : setgroups(0, NULL)) == 0 &&
		setresgid(about.st_gid, about.st_gid, about.st_gid) == 0 &&
		setresuid(about.st_uid, about.st_uid, about.st_uid) == 0)
		return true;
	complain("the user of %s cannot be taken: %s", dir, strerror(errno));
	return false;
}

static void
on_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value)
{
	struct alone *alone = owner;
	struct fault why;

	if (kind == ROW_DAEMON && bytes_equal(key, BYTES("clean")))
		alone->was_clean = true;
	if (kind != ROW_ACCOUNT)
		return; /* the mailboxes' are the daemon's */
	if (watch_restore(alone->watch, kind, key, value, &why) != ERR_OK)
		complain("a row of state.db cannot be used and is left out");
}

static enum exit_status
take_counts(struct alone *alone)
{
	const char *dir = state_dir(alone->settings);
	struct store_opened opened = { 0 };
	struct fault why = { "" };
	uint8_t seed[32];
	enum err err;

	if (geteuid() == 0 && !become_owner(dir))
		return EXIT_REFUSED;
	err = store_open(dir, &alone->store, &opened, &why);
	if (err == ERR_BUSY) {
		complain(
			"a daemon holds %s and answers elsewhere; name its socket (--socket)", dir);
		return EXIT_REFUSED;
	}
	random_fill(seed, sizeof(seed));
	if (err == ERR_OK)
		err = watch_new(seed, &alone->watch);
	if (err == ERR_OK)
		err = store_rows(alone->store, on_row, alone, &why);
	if (err != ERR_OK) {
		complain("refused logins could not be counted, so none is risked: %s",
			why.text[0] ? why.text : err_name(err));
		return EXIT_REFUSED;
	}
	alone->key = opened.fingerprint_key;
	alone->was_clean |= opened.is_new;
	watch_restored(alone->watch, alone->was_clean, (struct ulid){ { 0 } });
	watch_guests_alone(alone->watch, mono_now(), wall_now(), &alone->settings->limits);
	return EXIT_FINE;
}

/* An end that was unclean before stays so: its bookings are counted, the rest is the daemon's. */
static void
give_back(struct alone *alone)
{
	if (!alone->watch)
		return;
	if (alone->was_clean && !alone->is_failed) {
		watch_end(alone->watch, wall_now());
		carry(alone);
	}
	watch_free(alone->watch);
	store_close(alone->store);
}

/* ---- logins that are held are said to be, before anything is begun */

static bool
is_held(struct alone *alone, const struct mailbox_settings *mailbox, enum side side,
	int64_t *retry_us)
{
	const struct endpoint *endpoint = mailbox->sides[side];
	struct bytes account = { mailbox->accounts[side], mailbox->account_lens[side] };
	struct watch_guest guest;
	struct fingerprint fingerprint;

	if (account.len == 0 || endpoint->secret.kind != SECRET_VALUE ||
		secret_fingerprint(endpoint->secret.value, &alone->key, &fingerprint) != ERR_OK)
		return false;
	guest = guest_of(alone, endpoint, account);
	return watch_guest_may(alone->watch, mono_now(), wall_now(), &guest, fingerprint,
		       retry_us) != ERR_OK;
}

static bool
is_all_held(struct alone *alone, const struct mailbox_settings *mailbox)
{
	int64_t retry_us = 0;
	bool is_any = false;
	struct buf until = { 0 };

	for (enum side side = 0; side < SIDE_COUNT; side++) {
		if (!mailbox->sides[side])
			continue;
		if (!is_held(alone, mailbox, side, &retry_us))
			return false;
		is_any = true;
	}
	if (!is_any)
		return false;
	duration_put_short(&until, retry_us);
	complain("Logins are held back: this account has refused this secret; again in %s",
		until.at ? until.at : "a while");
	buf_done(&until);
	return true;
}

/* ---- one check */

static enum err
make(struct alone *alone, const struct mailbox_settings *mailbox, const struct check_want *want)
{
	static const struct probes_calls probes_calls = { .ask_login = on_ask_login,
		.login_accepted = on_login_accepted,
		.passed = on_passed,
		.ended = on_ended };
	static const struct check_calls check_calls = { on_probe, on_step, on_done };
	const struct settings *settings = alone->settings;
	char *helo_name = settings->helo_name ? NULL : helo_name_of_host();
	struct probes_settings probes = {
		.helo_name = settings->helo_name ? settings->helo_name : helo_name,
		.resolvers = settings->resolvers,
		.fingerprint_key = alone->key,
	};
	struct review_mailbox review;
	struct check_start start = {
		.settings = mailbox,
		.review = &review,
		.is_to_send = want->is_to_send,
		.send_to = want->send_to,
		.with_transcript = want->with_transcript,
		.calls = &check_calls,
		.owner = alone,
	};
	enum err err = probes.helo_name ? ERR_OK : ERR_MEMORY;

	settings_for_review(mailbox, &review);
	if (err == ERR_OK)
		err = probes_new(alone->base, &probes, &probes_calls, alone, &alone->probes);
	if (err == ERR_OK)
		err = check_new(&start, &alone->check);
	free(helo_name);
	return err;
}

static enum exit_status
run(struct alone *alone, const struct mailbox_settings *mailbox, const struct check_want *want)
{
	enum exit_status status = keeps_counts(alone->settings) ? take_counts(alone) : EXIT_FINE;

	if (status == EXIT_FINE && alone->watch && is_all_held(alone, mailbox))
		status = EXIT_REFUSED;
	if (status != EXIT_FINE)
		return status;
	if (make(alone, mailbox, want) != ERR_OK) {
		complain("out of memory");
		return EXIT_REFUSED;
	}
	if (alone->watch)
		carry(alone);
	check_begin(alone->check);
	if (!alone->is_done)
		event_base_dispatch(alone->base);
	if (alone->is_failed) {
		complain("refused logins could not be counted: %s", alone->why.text);
		return EXIT_REFUSED;
	}
	return EXIT_FINE;
}

enum exit_status
alone_check(const struct settings *settings, const struct mailbox_settings *mailbox,
	const struct check_want *want, bool (*line)(void *user, struct bytes line), void *user)
{
	struct alone alone = { .settings = settings, .line = line, .user = user };
	enum exit_status status = EXIT_REFUSED;

	log_set_level(LOG_LEVEL_ERROR);
	alone.base = event_base_new();
	if (alone.base)
		alone.wake = evtimer_new(alone.base, on_wake, &alone);
	if (alone.wake)
		status = run(&alone, mailbox, want);
	else
		complain("out of memory");
	give_back(&alone);
	probes_free(alone.probes);
	check_free(alone.check);
	if (alone.wake)
		event_free(alone.wake);
	if (alone.base)
		event_base_free(alone.base);
	return status;
}
