/*
 * main.c: mboxwatchd from its first line to its last: options, settings, state, loops, socket; then the loop; then the
 * end. Layer: daemon.
 */
#include <errno.h>
#include <event2/event.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "config.h"
#include "daemon/daemon.h"
#include "daemon/helo.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/reload.h"

#define END_PATIENCE_US (5 * US_PER_S)	      /* contract 2 */
#define LOOPS_END_US (2 * US_PER_S)	      /* of these, for goodbyes */
#define LATE_LOOP_US (5 * US_PER_S)	      /* told as trouble; the watchdog is not fed beyond it */
#define LOOK_AFTER_SOCKET_EVERY_TICKS 30      /* of 2 s: within a minute (H5-19) */
#define MOST_WARNINGS_LOGGED 20		      /* H4-08 */

/* ---- settings */

void
daemon_log_complaints(const struct complaints *complaints)
{
	size_t warnings = 0;

	for (size_t i = 0; i < complaints->count; i++) {
		struct buf line = { 0 };

		if (complaints->items[i].is_warning && ++warnings > MOST_WARNINGS_LOGGED)
			continue;
		complaint_put(&line, &complaints->items[i]);
		if (line.at && complaints->items[i].is_warning)
			log_warning("%s", line.at);
		else if (line.at)
			log_error("%s", line.at);
		buf_done(&line);
	}
	if (warnings > MOST_WARNINGS_LOGGED)
		log_warning("%zu more warnings: mboxwatchd -t shows all", warnings - MOST_WARNINGS_LOGGED);
}

/* -t: everything to standard output. */
static int
check_settings(const struct settings_paths *paths)
{
	struct complaints complaints = { 0 };
	struct settings *settings = NULL;
	struct buf out = { 0 };
	enum err err = settings_load(paths, &settings, &complaints);
	int status = err == ERR_OK ? EXIT_ENDED : EXIT_FAILED;

	for (size_t i = 0; i < complaints.count; i++) {
		complaint_put(&out, &complaints.items[i]);
		buf_put_byte(&out, '\n');
	}
	if (err == ERR_OK)
		settings_put_plan(&out, settings);
	else
		buf_put_format(&out, "%zu fault%s; the daemon would not start with these settings\n", complaints.faults,
			complaints.faults == 1 ? "" : "s");
	fwrite(out.at ? out.at : "", 1, out.len, stdout);
	if (fflush(stdout) != 0)
		status = EXIT_FAILED;
	buf_done(&out);
	complaints_done(&complaints);
	settings_free(settings);
	return status;
}

static int
load_settings(struct daemon *daemon)
{
	struct complaints complaints = { 0 };
	enum err err = settings_load(&daemon->paths, &daemon->settings, &complaints);

	daemon_log_complaints(&complaints);
	complaints_done(&complaints);
	malloc_trim(0); /* what libconfig used for 100,000 mailboxes goes back */
	if (err == ERR_OK) {
		log_set_level(daemon->settings->log_level);
		daemon->reloaded = wall_now();
		daemon->is_reload_good = true;
		return EXIT_ENDED;
	}
	return err == ERR_MEMORY ? EXIT_FAILED : EXIT_SETTINGS;
}

struct probes_settings
daemon_probes_settings(const struct daemon *daemon)
{
	return (struct probes_settings){
		.helo_name = daemon->settings->helo_name ? daemon->settings->helo_name : daemon->helo_name,
		.resolvers = daemon->settings->resolvers,
		.fingerprint_key = daemon->fingerprint_key,
	};
}

/* The option, else the setting, else below systemd's directory, else the usual. free() it. */
static char *
path_of(const char *option, const char *setting, const char *directories, const char *name, const char *usual)
{
	struct buf path = { 0 };

	if (option) {
		buf_put_string(&path, option);
	} else if (setting) {
		buf_put_string(&path, setting);
	} else if (directories && directories[0]) {
		struct bytes first = bytes_of(directories);

		buf_put(&path, bytes_first(first, bytes_index(first, ':')));
		buf_put_string(&path, name);
	} else {
		buf_put_string(&path, usual);
	}
	return buf_take(&path);
}

/* ---- state */

struct restoring {
	struct daemon *daemon;
	size_t damaged;
	bool was_clean; /* the last end was one: watch_end() wrote so */
};

static void
on_row(void *owner, enum row_kind kind, struct bytes key, struct bytes value)
{
	struct restoring *restoring = owner;
	struct fault why = { "" };

	if (kind == ROW_DAEMON && bytes_equal(key, BYTES("clean")))
		restoring->was_clean = true; /* watch takes the row back when it begins */
	if (watch_restore(restoring->daemon->watch, kind, key, value, &why) == ERR_OK)
		return;
	restoring->damaged++;
	log_error("a row of state.db cannot be used and is left out: %s", why.text);
}

/* Reads what lasted; what is wrong with it becomes a trouble once watch goes. */
static enum err
restore(struct daemon *daemon, struct restoring *restoring, struct fault *why)
{
	struct ulid newest = { { 0 } };
	enum err err = store_rows(daemon->store, on_row, restoring, why);

	if (err == ERR_OK)
		err = store_newest_event(daemon->store, &newest, why);
	watch_restored(daemon->watch, restoring->was_clean, newest);
	return err;
}

static size_t
make_sinks(const struct settings *settings, struct sink *sinks[3])
{
	bool with_journal = settings->journal == SINK_ON || (settings->journal == SINK_AUTO && journal_is_there());
	bool with_syslog = settings->syslog == SINK_ON ||
		(settings->syslog == SINK_AUTO && !with_journal && syslog_is_there());
	size_t count = 0;

	if (with_journal && sink_journal_new(NULL, &sinks[count]) == ERR_OK)
		count++;
	if (with_syslog && sink_syslog_new(NULL, settings->syslog_facility, &sinks[count]) == ERR_OK)
		count++;
	if (count == 0 && sink_stderr_new(&sinks[count]) == ERR_OK)
		count++;
	return count;
}

static enum err
configure(struct daemon *daemon)
{
	struct watch_mailbox *mailboxes = NULL;
	struct watch_settings settings;
	struct watch_changes changes;
	enum err err = settings_for_watch(daemon->settings, NULL, &mailboxes, &settings);

	if (err == ERR_OK)
		err = watch_configure(daemon->watch, mono_now(), wall_now(), &settings, &changes);
	free(mailboxes);
	return err;
}

/* ---- start, in order: state and watch, socket, outbox, loops */

static int
status_of(enum err err)
{
	return err == ERR_BUSY ? EXIT_HELD : EXIT_FAILED;
}

/* Opens the state and restores watch from it. */
static int
start_state(struct daemon *daemon, const char *state_dir, struct restoring *restoring, struct fault *trouble)
{
	struct store_opened opened;
	struct fault why = { "" };
	uint8_t seed[32];
	enum err err = store_open(state_dir, &daemon->store, &opened, &why);

	if (!daemon->store) {
		log_error("%s", why.text[0] ? why.text : err_name(err));
		return status_of(err);
	}
	if (err != ERR_OK)
		*trouble = why; /* H6-04: goes on without */
	else if (opened.set_aside[0])
		fault_set(trouble, "state.db was damaged and was set aside as %.200s; a new one is begun",
			opened.set_aside);
	daemon->fingerprint_key = opened.fingerprint_key;
	random_fill(seed, sizeof(seed));
	if (watch_new(seed, &daemon->watch) != ERR_OK)
		return EXIT_FAILED;
	if (restore(daemon, restoring, &why) != ERR_OK && !trouble->text[0])
		*trouble = why;
	return EXIT_ENDED;
}

/* After the socket: the events of before are shown there. */
static int
start_outbox(struct daemon *daemon)
{
	struct sink *sinks[3];
	struct fault why = { "" };
	struct store *store = daemon->store;
	enum err err;

	daemon->store = NULL;
	err = outbox_start(daemon->base, store, sinks, make_sinks(daemon->settings, sinks), &carry_outbox_calls, daemon,
		&daemon->outbox, &why);
	if (err == ERR_OK)
		return EXIT_ENDED;
	log_error("%s", why.text[0] ? why.text : err_name(err));
	return EXIT_FAILED;
}

static int
start_socket(struct daemon *daemon, const char *socket)
{
	struct fault why = { "" };
	struct control_start start = {
		.base = daemon->base,
		.path = socket,
		.socket_group = daemon->settings->socket_group,
		.admin_group = daemon->settings->admin_group,
		.watch = daemon->watch,
		.settings = daemon->settings,
		.started = daemon->started,
		.calls = &request_calls,
		.owner = daemon,
	};
	enum err err = control_new(&start, &daemon->control, &why);

	if (err == ERR_OK)
		return EXIT_ENDED;
	log_error("%s", why.text[0] ? why.text : err_name(err));
	if (err == ERR_INVALID)
		return EXIT_SETTINGS;
	return status_of(err);
}

static int
start_loops(struct daemon *daemon)
{
	struct probes_settings probes = daemon_probes_settings(daemon);
	struct fault why = { "" };
	enum err err = loops_start(
		daemon->base, daemon->settings->threads, &probes, &carry_loops_calls, daemon, &daemon->loops, &why);

	if (err == ERR_OK)
		err = carry_start(daemon, &why);
	if (err == ERR_OK)
		return EXIT_ENDED;
	log_error("%s", why.text[0] ? why.text : err_name(err));
	return EXIT_FAILED;
}

static void
tell_start(struct daemon *daemon, const struct restoring *restoring, const struct fault *trouble)
{
	struct buf counts = { 0 };
	char detail[80];

	carry_tell(daemon, EVENT_START, NULL);
	if (restoring->damaged) {
		snprintf(detail, sizeof(detail), "%zu rows of state.db could not be used", restoring->damaged);
		carry_trouble(daemon, TROUBLE_STATE, false, detail);
		carry_trouble(daemon, TROUBLE_STATE, true, NULL);
	}
	if (trouble->text[0]) {
		struct fault why;

		carry_trouble(daemon, TROUBLE_STATE, false, trouble->text);
		if (outbox_is_storing(daemon->outbox, &why))
			carry_trouble(daemon, TROUBLE_STATE, true, NULL);
	}
	carry_out(daemon);
	figures_put_counts(daemon, &counts);
	log_info("watching %s", counts.at ? counts.at : "");
	buf_done(&counts);
}

/* ---- signals and ticks */

static void
end_at_once(int number)
{
	(void)number;
	_exit(EXIT_ENDED);
}

static void
on_term(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)number;
	(void)what;
	daemon->is_ending = true;
	event_base_loopbreak(daemon->base);
}

static void
on_hup(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)number;
	(void)what;
	log_info("reload asked for by SIGHUP");
	reload_ask(daemon->reload, 0);
}

static void
on_usr1(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;
	struct control_health health = { 0 };
	struct watch_counts counts;
	struct buf line = { 0 };

	(void)number;
	(void)what;
	figures_put_counts(daemon, &line);
	figures_health(daemon, &health);
	watch_counts(daemon->watch, &counts);
	log_info("%s; %zu probes in flight, %zu accounts whose logins are held, %zu incidents; %s%s", line.at ? line.at : "",
		counts.in_flight, counts.brakes_open, counts.incidents_open, health.is_well ? "well" : "not well: ",
		health.why);
	buf_done(&line);
}

struct signals {
	struct event *events[4];
};

static enum err
signals_start(struct daemon *daemon, struct signals *signals)
{
	static const struct {
		int number;
		event_callback_fn call;
	} rows[] = { { SIGTERM, on_term }, { SIGINT, on_term }, { SIGHUP, on_hup }, { SIGUSR1, on_usr1 } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		signals->events[i] = evsignal_new(daemon->base, rows[i].number, rows[i].call, daemon);
		if (!signals->events[i] || event_add(signals->events[i], NULL) != 0)
			return ERR_MEMORY;
	}
	return ERR_OK;
}

static void
signals_end(struct signals *signals)
{
	for (size_t i = 0; i < COUNT_OF(signals->events); i++) {
		if (signals->events[i])
			event_free(signals->events[i]);
		signals->events[i] = NULL;
	}
	/* A second TERM ends at once (contract 2). */
	signal(SIGTERM, end_at_once);
	signal(SIGINT, end_at_once);
}

/* Asked by notify every 2 s or more often. */
static bool
is_alive(void *owner)
{
	struct daemon *daemon = owner;

	return loops_late_us(daemon->loops) < LATE_LOOP_US;
}

static const char *
status_line(void *owner)
{
	static char text[160];
	struct daemon *daemon = owner;
	struct buf line = { 0 };

	figures_put_counts(daemon, &line);
	snprintf(text, sizeof(text), "%s", line.at ? line.at : "");
	buf_done(&line);
	return text;
}

static const struct notify_calls notify_calls = { is_alive, status_line };

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static unsigned ticks;
	struct daemon *daemon = arg;
	bool is_late = !is_alive(daemon);

	(void)fd;
	(void)what;
	if (is_late != daemon->is_loop_late) {
		daemon->is_loop_late = is_late;
		carry_trouble(daemon, TROUBLE_LOOP, !is_late, "a probing loop has not turned for 5 s");
		carry_out(daemon);
	}
	if (++ticks % LOOK_AFTER_SOCKET_EVERY_TICKS == 0 && control_look_after_socket(daemon->control)) {
		carry_trouble(daemon, TROUBLE_DESCRIPTORS, false, "the status socket's file was gone and was made anew");
		carry_trouble(daemon, TROUBLE_DESCRIPTORS, true, NULL);
		carry_out(daemon);
	}
	/* A wake-up from suspend shows here first: libevent's timers stood still. */
	if (!mono_is_before(mono_now(), watch_wake(daemon->watch))) {
		watch_tick(daemon->watch, mono_now(), wall_now());
		carry_out(daemon);
	}
}

/* ---- the end */

/* False: something hangs beyond the patience; the process must end as it is. */
static bool
end(struct daemon *daemon, mono_t deadline)
{
	bool is_clean = true;

	notify_stopping(daemon->notify);
	if (daemon->loops && !loops_end(daemon->loops, mono_add(mono_now(), LOOPS_END_US)))
		is_clean = false;
	daemon->loops = NULL;
	carry_done(daemon);
	if (daemon->notify) {
		carry_tell(daemon, EVENT_STOP, NULL);
		watch_end(daemon->watch, wall_now());
		carry_last(daemon);
	}
	control_free(daemon->control);
	daemon->control = NULL;
	reload_end(daemon->reload, mono_add(mono_now(), US_PER_S / 2));
	if (daemon->outbox && !outbox_end(daemon->outbox, mono_add(deadline, -US_PER_S / 2)))
		is_clean = false;
	return is_clean;
}

static int
run(struct daemon *daemon, const char *state_dir, const char *socket)
{
	static const struct timeval tick = { 2, 0 };
	struct restoring restoring = { .daemon = daemon };
	struct fault trouble = { "" };
	struct signals signals = { { NULL } };
	struct event *ticker;
	int status = start_state(daemon, state_dir, &restoring, &trouble);

	if (status == EXIT_ENDED && configure(daemon) != ERR_OK)
		status = EXIT_FAILED;
	if (status == EXIT_ENDED)
		status = start_socket(daemon, socket);
	if (status == EXIT_ENDED)
		status = start_outbox(daemon);
	if (status == EXIT_ENDED)
		status = start_loops(daemon);
	ticker = event_new(daemon->base, -1, EV_PERSIST, on_tick, daemon);
	if (status == EXIT_ENDED &&
		(!ticker || reload_start(daemon, &daemon->reload) != ERR_OK ||
			notify_start(daemon->base, &notify_calls, daemon, &daemon->notify) != ERR_OK ||
			signals_start(daemon, &signals) != ERR_OK))
		status = EXIT_FAILED;
	if (status == EXIT_ENDED) {
		event_add(ticker, &tick);
		tell_start(daemon, &restoring, &trouble);
		notify_ready(daemon->notify);
		if (event_base_dispatch(daemon->base) < 0)
			status = EXIT_FAILED;
	}
	signals_end(&signals);
	if (ticker)
		event_free(ticker);
	if (!end(daemon, mono_add(mono_now(), END_PATIENCE_US)))
		_exit(status);
	return status;
}

static void
daemon_done(struct daemon *daemon)
{
	notify_free(daemon->notify);
	store_close(daemon->store);
	watch_free(daemon->watch);
	settings_free(daemon->settings);
	told_free(daemon->test_told);
	free(daemon->helo_name);
	if (daemon->base)
		event_base_free(daemon->base);
}

static struct event_base *
main_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	return base;
}

int
main(int argc, char **argv)
{
	struct daemon daemon = { .wake_fd = -1, .started = wall_now(), .started_mono = mono_now() };
	struct options options;
	char *state_dir;
	char *socket;
	int status;

	signal(SIGPIPE, SIG_IGN); /* first: OpenSSL writes alerts by itself */
	setlocale(LC_CTYPE, "");
	if (!options_read(argc, argv, &options, &status))
		return status;
	daemon.paths = (struct settings_paths){ options.file, options.conf_dir };
	if (options.is_check)
		return check_settings(&daemon.paths);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* a core would hold secrets */
	log_set_journal(getenv("JOURNAL_STREAM") != NULL);
	status = load_settings(&daemon);
	if (status != EXIT_ENDED)
		return status;
	daemon.helo_name = daemon.settings->helo_name ? NULL : helo_name_of_host();
	daemon.base = main_base_new();
	state_dir = path_of(options.state_dir, daemon.settings->state_dir, getenv("STATE_DIRECTORY"), "",
		LOCALSTATEDIR "/lib/mboxwatch");
	socket = path_of(options.socket, daemon.settings->socket, getenv("RUNTIME_DIRECTORY"), "/status.sock",
		RUNSTATEDIR "/mboxwatch/status.sock");
	if (!daemon.base || !state_dir || !socket) {
		log_error("out of memory at start");
		status = EXIT_FAILED;
	} else {
		status = run(&daemon, state_dir, socket);
	}
	daemon_done(&daemon);
	free(state_dir);
	free(socket);
	return status;
}
