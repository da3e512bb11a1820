/*
 * carry.c: carries out what watch decides, and brings it what loops, disk and clock report. Layer:
 * daemon. The only place that knows all rooms; the simulator (tests/simulate) is its twin in
 * virtual time.
 *
 * Each function here that calls into watch ends in carry_out(): so the rows and events of one call
 * are one transaction.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/checks.h"
#include "daemon/daemon.h"
#include "daemon/mailboxes.h"
#include "diagnose/words.h"

/* ---- commands */

static void
do_probe(struct daemon *daemon, const struct watch_command *command)
{
	const struct mailbox_settings *mailbox =
		settings_find(daemon->settings, bytes_of(command->name));
	struct endpoint *endpoint = mailbox ? mailbox->sides[command->side] : NULL;
	struct verdict *verdict;
	struct probe_job job = { .endpoint = endpoint,
		.token = command->token,
		.address = command->address,
		.session = command->session,
		.uses_session = command->uses_session,
		.may_keep = command->may_keep };

	if (endpoint && loops_probe(daemon->loops, &job) == ERR_OK)
		return;
	if (command->session)
		loops_part(daemon->loops, command->session);
	/* Our own side: not judged, tried again. */
	verdict = verdict_new();
	if (!verdict)
		return; /* watch's own timer for a lost probe */
	verdict->cause = CAUSE_LOCAL_LIMIT;
	verdict->is_transient = true;
	verdict->began = verdict->ended = wall_now();
	verdict_detail(verdict, "out of memory here");
	watch_verdict(daemon->watch, mono_now(), wall_now(), command->token, verdict);
}

static void
do_tell(struct daemon *daemon, struct alert *event)
{
	struct told *told = NULL;

	if (words_event(event) == ERR_OK && alert_render(event, &told) == ERR_OK) {
		if (event->kind == EVENT_TEST && daemon->is_catching_test) {
			told_free(daemon->test_told);
			daemon->test_told = told_hold(told);
		}
		outbox_event(
			daemon->outbox, told, event->kind == EVENT_TEST ? daemon->test_sink : NULL);
	} else {
		log_error("out of memory: an event of %s could not be told",
			event->mailbox ? event->mailbox : "mboxwatchd");
	}
	alert_free(event);
}

static void
do_command(struct daemon *daemon, struct watch_command *command)
{
	switch (command->kind) {
	case WATCH_PROBE:
		do_probe(daemon, command);
		break;
	case WATCH_CONNECT:
		loops_connect(daemon->loops, command->token, command->is_allowed);
		break;
	case WATCH_GUEST:
		checks_begun(daemon, command->token, command->address);
		break;
	case WATCH_PART:
		loops_part(daemon->loops, command->token);
		break;
	case WATCH_LEAVE:
		if (command->after_stored)
			outbox_leave(daemon->outbox, command->token, command->is_allowed);
		else
			loops_leave(daemon->loops, command->token, command->is_allowed);
		break;
	case WATCH_TELL:
		do_tell(daemon, command->event);
		break;
	case WATCH_KEEP:
	case WATCH_FORGET:
		outbox_row(daemon->outbox, command->row, command->key, command->value);
		break;
	case WATCH_ASKED_DONE:
		control_probe_done(daemon->control, command->request);
		break;
	case WATCH_COMMAND_COUNT:
		break;
	}
}

static void
arm(struct daemon *daemon)
{
	mono_t wake = watch_wake(daemon->watch);
	struct itimerspec when = { 0 };

	if (wake.us == INT64_MAX) {
		timerfd_settime(daemon->wake_fd, 0, &when, NULL);
		return;
	}
	if (wake.us <= 0)
		wake.us = 1;
	when.it_value.tv_sec = wake.us / US_PER_S;
	when.it_value.tv_nsec = wake.us % US_PER_S * 1000;
	timerfd_settime(daemon->wake_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
tell_all_seen(struct daemon *daemon)
{
	struct buf line = { 0 };
	struct watch_counts counts;

	if (daemon->is_all_seen_told)
		return;
	watch_counts(daemon->watch, &counts);
	if (counts.first_verdicts_missing || counts.total == 0)
		return;
	daemon->is_all_seen_told = true;
	figures_put_counts(daemon, &line);
	log_info("every endpoint has its first verdict: %s", line.at ? line.at : "");
	buf_done(&line);
}

void
carry_out(struct daemon *daemon)
{
	struct watch_command command;

	while (watch_next(daemon->watch, &command))
		do_command(daemon, &command);
	outbox_flush(daemon->outbox);
	tell_all_seen(daemon);
	arm(daemon);
}

void
carry_last(struct daemon *daemon)
{
	struct watch_command command;

	while (watch_next(daemon->watch, &command)) {
		if (command.kind == WATCH_TELL || command.kind == WATCH_KEEP ||
			command.kind == WATCH_FORGET)
			do_command(daemon, &command);
	}
	outbox_flush(daemon->outbox);
}

/* ---- time */

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof(times)) < 0 && errno != EAGAIN && errno != ECANCELED)
		log_error("timer: %s", strerror(errno));
	watch_tick(daemon->watch, mono_now(), wall_now());
	carry_out(daemon);
}

enum err
carry_start(struct daemon *daemon, struct fault *why)
{
	/* CLOCK_BOOTTIME goes on in suspend, which libevent's own timers do not (design 5). */
	daemon->wake_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (daemon->wake_fd < 0) {
		fault_set(why, "timerfd: %s", strerror(errno));
		return err_from_errno(errno);
	}
	daemon->on_wake =
		event_new(daemon->base, daemon->wake_fd, EV_READ | EV_PERSIST, on_wake, daemon);
	if (!daemon->on_wake)
		return ERR_MEMORY;
	event_add(daemon->on_wake, NULL);
	return ERR_OK;
}

void
carry_done(struct daemon *daemon)
{
	if (daemon->on_wake)
		event_free(daemon->on_wake);
	if (daemon->wake_fd >= 0)
		close(daemon->wake_fd);
	daemon->on_wake = NULL;
	daemon->wake_fd = -1;
}

/* ---- what the loops report */

static void
on_ask_connect(void *owner, uint64_t token, const char *address)
{
	struct daemon *daemon = owner;

	watch_connect(daemon->watch, mono_now(), wall_now(), token, address);
	carry_out(daemon);
}

static void
on_ask_login(void *owner, uint64_t token, struct fingerprint fingerprint)
{
	struct daemon *daemon = owner;

	watch_login(daemon->watch, mono_now(), wall_now(), token, fingerprint);
	carry_out(daemon);
}

static void
on_passed(void *owner, uint64_t token, const struct probe_step *step)
{
	checks_passed(owner, token, step);
}

static void
on_ended(void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript)
{
	struct daemon *daemon = owner;

	checks_ended(daemon, token, verdict, transcript);
	watch_verdict(daemon->watch, mono_now(), wall_now(), token, verdict);
	carry_out(daemon);
}

static void
on_login_accepted(void *owner, uint64_t token)
{
	struct daemon *daemon = owner;

	watch_login_accepted(daemon->watch, mono_now(), wall_now(), token);
	carry_out(daemon);
}

static void
on_session_lost(void *owner, uint64_t token)
{
	struct daemon *daemon = owner;

	watch_session_lost(daemon->watch, mono_now(), wall_now(), token);
	carry_out(daemon);
}

const struct loops_calls carry_loops_calls = {
	.ask_connect = on_ask_connect,
	.ask_login = on_ask_login,
	.login_accepted = on_login_accepted,
	.passed = on_passed,
	.ended = on_ended,
	.session_lost = on_session_lost,
};

/* ---- what the outbox reports */

static void
on_shown(void *owner, struct told *told)
{
	struct daemon *daemon = owner;

	if (daemon->control)
		control_told(daemon->control, told);
	else
		told_free(told);
}

static void
on_leave(void *owner, uint64_t token, bool is_allowed)
{
	struct daemon *daemon = owner;

	if (daemon->loops) /* not at the end */
		loops_leave(daemon->loops, token, is_allowed);
}

static void
on_trouble(void *owner, enum trouble kind, bool is_over, const char *detail)
{
	struct daemon *daemon = owner;

	carry_trouble(daemon, kind, is_over, detail);
	if (daemon->loops)
		carry_out(daemon);
	else
		carry_last(daemon);
}

static void
on_anew(void *owner)
{
	struct daemon *daemon = owner;

	watch_keep_all(daemon->watch);
	if (daemon->loops)
		carry_out(daemon);
	else
		carry_last(daemon);
}

static void
on_changed(void *owner, struct writer_change *change, enum err err, const struct fault *why)
{
	mailboxes_changed(owner, change, err, why);
}

const struct outbox_calls carry_outbox_calls = { on_shown, on_leave, on_anew, on_trouble,
	on_changed };

/* ---- the daemon's own events */

void
carry_trouble(struct daemon *daemon, enum trouble kind, bool is_over, const char *detail)
{
	daemon->is_trouble_seen[kind] = true;
	if (is_over)
		watch_trouble_end(daemon->watch, wall_now(), kind);
	else
		watch_trouble(daemon->watch, wall_now(), kind, detail);
}

void
carry_mended(struct daemon *daemon, enum trouble kind, const char *detail)
{
	carry_trouble(daemon, kind, false, detail);
	carry_trouble(daemon, kind, true, NULL);
}

void
carry_tell(struct daemon *daemon, enum event_kind kind, const char *detail)
{
	struct alert *event = watch_event(daemon->watch, wall_now(), kind);
	struct watch_counts counts;

	if (!event) {
		log_error("out of memory: %s is not told", event_kind_name(kind));
		return;
	}
	if (kind == EVENT_START || kind == EVENT_STOP || kind == EVENT_RELOAD) {
		watch_counts(daemon->watch, &counts);
		event->members = (int64_t)counts.total;
	}
	if (detail)
		event->detail = bytes_copy(bytes_of(detail));
	watch_tell(daemon->watch, event);
}
