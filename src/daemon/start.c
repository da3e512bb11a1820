/*
 * start.c: state -> watch -> socket -> sinks -> loops -> the rest. Layer: daemon.
 * Not here: the settings, which are loaded by now (load.c).
 */
#include "daemon/start.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"
#include "daemon/clock.h"
#include "daemon/load.h"
#include "daemon/mailboxes.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/signals.h"
#include "daemon/tick.h"

struct start {
	struct daemon *daemon;
	const char *state_dir;
	const char *socket;
	size_t damaged; /* rows that cannot be used */
	bool was_clean; /* the last end was one: watch_end() wrote so */
	struct fault trouble;
	struct fault mailboxes_trouble;
};

/* The way out of a start that failed. */
static enum exit_status
failed(const char *what, enum err err, const struct fault *why)
{
	log_error("%s: %s", what, why && why->text[0] ? why->text : err_name(err));
	return err == ERR_BUSY ? EXIT_HELD : EXIT_FAILED;
}

/* ---- state */

static void
on_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value)
{
	struct start *start = owner;
	struct fault why = { "" };

	if (kind == ROW_DAEMON && bytes_equal(key, BYTES("clean")))
		start->was_clean = true; /* watch takes the row back when it begins */
	if (watch_restore(start->daemon->watch, kind, key, value, &why) == ERR_OK)
		return;
	start->damaged++;
	log_error("a row of state.db cannot be used and is left out: %s", why.text);
}

/* Reads what lasted into watch. */
static enum err
restore(struct start *start, struct fault *why)
{
	struct daemon *daemon = start->daemon;
	struct ulid newest = { { 0 } };
	enum err err = store_rows(daemon->store, on_row, start, why);

	if (err == ERR_OK)
		err = store_newest_event(daemon->store, &newest, why);
	watch_restored(daemon->watch, start->was_clean, newest);
	return err;
}

static enum exit_status
start_state(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct store_opened opened;
	struct fault why = { "" };
	uint8_t seed[32];
	enum err err = store_open(start->state_dir, &daemon->store, &opened, &why);

	if (!daemon->store)
		return failed("state", err, &why);
	daemon->fingerprint_key = opened.fingerprint_key;
	if (opened.set_aside[0] && err == ERR_OK)
		fault_set(&start->trouble,
			"state.db was damaged and was set aside as %.200s; a new one is begun",
			opened.set_aside);
	random_fill(seed, sizeof(seed));
	if (watch_new(seed, &daemon->watch) != ERR_OK)
		return failed("watch", ERR_MEMORY, NULL);
	if (err != ERR_OK) {
		/* H6-04: goes on without. The writer meets it again and tells the trouble. */
		log_error("no state is kept: %s", why.text);
		watch_restored(daemon->watch, false, (struct ulid){ { 0 } });
	} else if (restore(start, &why) != ERR_OK && !start->trouble.text[0]) {
		start->trouble = why;
	}
	return EXIT_ENDED;
}

/* H6-06: what lies there cannot be read: it stays, and the rest is watched. */
static enum exit_status
start_mailboxes(struct start *start)
{
	enum err err = mailboxes_start(start->daemon, &start->mailboxes_trouble);

	if (err == ERR_MEMORY)
		return failed("mailboxes", err, NULL);
	if (err != ERR_OK)
		log_error("mailboxes set over the socket are not watched: %s",
			start->mailboxes_trouble.text);
	return EXIT_ENDED;
}

/* ---- the parts */

static enum exit_status
start_watch(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct watch_mailbox *mailboxes = NULL;
	struct watch_settings settings;
	struct watch_changes changes;
	enum err err = settings_for_watch(daemon->settings, NULL, &mailboxes, &settings);

	if (err == ERR_OK)
		err = watch_configure(daemon->watch, mono_now(), wall_now(), &settings, &changes);
	free(mailboxes);
	return err == ERR_OK ? EXIT_ENDED : failed("watch", err, NULL);
}

static enum exit_status
start_socket(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct fault why = { "" };
	struct control_start control = {
		.base = daemon->base,
		.path = start->socket,
		.socket_group = daemon->settings->socket_group,
		.admin_group = daemon->settings->admin_group,
		.watch = daemon->watch,
		.settings = daemon->settings,
		.started = daemon->started,
		.calls = &request_calls,
		.owner = daemon,
	};
	enum err err = control_new(&control, &daemon->control, &why);
	enum exit_status status;

	if (err == ERR_OK)
		return EXIT_ENDED;
	status = failed("status socket", err, &why);
	return err == ERR_INVALID ? EXIT_SETTINGS : status;
}

static size_t
make_sinks(const struct settings *settings, struct sink *sinks[3])
{
	bool with_journal = settings->journal == SINK_ON ||
			    (settings->journal == SINK_AUTO && journal_is_there());
	bool with_syslog = settings->syslog == SINK_ON ||
			   (settings->syslog == SINK_AUTO && !with_journal && syslog_is_there());
	size_t count = 0;

	if (with_journal && sink_journal_new(NULL, &sinks[count]) == ERR_OK)
		count++;
	if (with_syslog &&
		sink_syslog_new(NULL, settings->syslog_facility, &sinks[count]) == ERR_OK)
		count++;
	if (count == 0 && sink_stderr_new(&sinks[count]) == ERR_OK)
		count++;
	return count;
}

/* After the socket: the events of before are shown there. */
static enum exit_status
start_outbox(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct store *store = daemon->store;
	struct sink *sinks[3];
	size_t sink_count = make_sinks(daemon->settings, sinks);
	struct fault why = { "" };
	enum err err;

	daemon->store = NULL; /* the outbox's, also on failure */
	err = outbox_start(daemon->base, store, sinks, sink_count, &carry_outbox_calls, daemon,
		&daemon->outbox, &why);
	return err == ERR_OK ? EXIT_ENDED : failed("alerts", err, &why);
}

static enum exit_status
start_loops(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct probes_settings probes = load_probes_settings(daemon);
	struct fault why = { "" };
	enum err err = loops_start(daemon->base, daemon->settings->threads, &probes,
		&carry_loops_calls, daemon, &daemon->loops, &why);

	if (err == ERR_OK)
		err = carry_start(daemon, &why);
	return err == ERR_OK ? EXIT_ENDED : failed("probing loops", err, &why);
}

static enum exit_status
start_rest(struct start *start)
{
	struct daemon *daemon = start->daemon;
	enum err err = reload_start(daemon, &daemon->reload);

	if (err == ERR_OK)
		err = notify_start(daemon->base, &tick_notify_calls, daemon, &daemon->notify);
	if (err == ERR_OK)
		err = clock_start(daemon);
	if (err == ERR_OK)
		err = tick_start(daemon);
	if (err == ERR_OK)
		err = signals_start(daemon);
	return err == ERR_OK ? EXIT_ENDED : failed("start", err, NULL);
}

static enum exit_status
tell_start(struct start *start)
{
	struct daemon *daemon = start->daemon;
	struct buf counts = { 0 };
	char detail[80];

	carry_tell(daemon, EVENT_START, NULL);
	daemon->is_start_told = true;
	if (start->damaged) {
		snprintf(detail, sizeof(detail), "%zu rows of state.db could not be used",
			start->damaged);
		carry_mended(daemon, TROUBLE_STATE, detail);
	}
	if (start->trouble.text[0])
		carry_mended(daemon, TROUBLE_STATE, start->trouble.text);
	if (start->mailboxes_trouble.text[0]) {
		fault_set(&start->trouble, "mailboxes set over the socket are not watched: %.200s",
			start->mailboxes_trouble.text);
		carry_trouble(daemon, TROUBLE_STATE, false, start->trouble.text);
	}
	carry_out(daemon);
	clock_look(daemon);
	figures_put_counts(daemon, &counts);
	log_info("watching %s", counts.at ? counts.at : "");
	buf_done(&counts);
	notify_ready(daemon->notify);
	return EXIT_ENDED;
}

enum exit_status
start(struct daemon *daemon, const char *state_dir, const char *socket)
{
	static enum exit_status (*const steps[])(struct start * start) = { start_state,
		start_mailboxes, start_watch, start_socket, start_outbox, start_loops, start_rest,
		tell_start };
	struct start start = { .daemon = daemon, .state_dir = state_dir, .socket = socket };
	enum exit_status status = EXIT_ENDED;

	for (size_t i = 0; i < COUNT_OF(steps) && status == EXIT_ENDED; i++)
		status = steps[i](&start);
	return status;
}
