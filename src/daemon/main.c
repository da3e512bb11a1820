/*
 * main.c: mboxwatchd from its first line to its last: options, settings, start, the loop, the end.
 * Layer: daemon.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"
#include "daemon/checks.h"
#include "daemon/clock.h"
#include "daemon/daemon.h"
#include "daemon/load.h"
#include "daemon/mailboxes.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/reload.h"
#include "daemon/signals.h"
#include "daemon/start.h"
#include "daemon/tick.h"

/* Of the 5 s in which a TERM is done with (contract 2). */
#define END_READERS_US (US_PER_S / 2)
#define END_LOOPS_US (2 * US_PER_S) /* goodbyes */
#define END_RELOAD_US (US_PER_S / 2)
#define END_OUTBOX_US (US_PER_S * 9 / 2) /* all of it up to the last write */

/* ---- where things are */

/* The option, else the setting, else below systemd's directory, else the usual. free() it. */
static char *
path_of(const char *option, const char *setting, const char *directories, const char *name,
	const char *usual)
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

/* systemd.exec(5): $JOURNAL_STREAM names the file that was stderr; it may be another by now. */
static bool
is_stderr_of_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device;
	uintmax_t inode;
	struct stat file;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &file) == 0 && file.st_dev == device && file.st_ino == inode;
}

/* ---- the loop and the end */

/* Who follows the events hears of the stop too, and sees the end of the stream. */
static void
end_readers(struct daemon *daemon)
{
	mono_t until = mono_add(mono_now(), END_READERS_US);

	while (control_has_followers(daemon->control) && mono_is_before(mono_now(), until)) {
		if (outbox_is_idle(daemon->outbox))
			control_goodbye(daemon->control);
		event_base_loop(daemon->base, EVLOOP_NONBLOCK);
		mono_sleep(US_PER_MS);
	}
}

/* False: something hangs beyond the patience; the process must end as it is. */
static bool
end(struct daemon *daemon)
{
	mono_t began = mono_now();
	bool is_clean = true;

	signals_end(daemon);
	tick_end(daemon);
	notify_stopping(daemon->notify);
	if (daemon->is_start_told) {
		carry_tell(daemon, EVENT_STOP, NULL);
		carry_out(daemon);
		end_readers(daemon); /* all still stands: the loop that turns for them may do
					anything */
	}
	if (daemon->loops && !loops_end(daemon->loops, mono_add(began, END_LOOPS_US)))
		is_clean = false;
	daemon->loops = NULL;
	carry_done(daemon);
	clock_end(daemon);
	if (daemon->is_start_told) {
		watch_end(daemon->watch, wall_now());
		carry_last(daemon);
	}
	control_free(daemon->control);
	daemon->control = NULL;
	if (!reload_end(daemon->reload, mono_add(mono_now(), END_RELOAD_US)))
		is_clean = false;
	if (daemon->outbox && !outbox_end(daemon->outbox, mono_add(began, END_OUTBOX_US)))
		is_clean = false;
	return is_clean;
}

static enum exit_status
run(struct daemon *daemon, const char *state_dir, const char *socket)
{
	enum exit_status status = start(daemon, state_dir, socket);

	if (status == EXIT_ENDED && event_base_dispatch(daemon->base) < 0) {
		log_error("the main loop failed");
		status = EXIT_FAILED;
	}
	if (!end(daemon))
		_exit(status);
	return status;
}

static void
daemon_done(struct daemon *daemon)
{
	checks_free(daemon);
	mailboxes_free(daemon);
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

/* With settings: where state and socket lie, then all the rest. */
static enum exit_status
run_at(struct daemon *daemon, const struct options *options)
{
	char *state_dir = path_of(options->state_dir, daemon->settings->state_dir,
		getenv("STATE_DIRECTORY"), "", LOCALSTATEDIR "/lib/mboxwatch");
	char *socket = path_of(options->socket, daemon->settings->socket,
		getenv("RUNTIME_DIRECTORY"), "/status.sock", RUNSTATEDIR "/mboxwatch/status.sock");
	enum exit_status status = EXIT_FAILED;

	daemon->base = main_base_new();
	if (daemon->base && state_dir && socket)
		status = run(daemon, state_dir, socket);
	else
		log_error("out of memory at start");
	free(state_dir);
	free(socket);
	return status;
}

int
main(int argc, char **argv)
{
	struct daemon daemon = { .wake_fd = -1, .clock_fd = -1, .started = wall_now() };
	struct options options;
	enum exit_status status;

	signal(SIGPIPE, SIG_IGN); /* first: OpenSSL writes alerts by itself */
	setlocale(LC_CTYPE, "");
	if (!options_read(argc, argv, &options, &status))
		return status;
	daemon.paths = (struct settings_paths){ options.file, options.conf_dir };
	if (options.is_check)
		return load_check(&daemon.paths);
	signals_hold();
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* a core would hold secrets */
	log_set_journal(is_stderr_of_journal());
	status = load_settings(&daemon);
	if (status == EXIT_ENDED)
		status = run_at(&daemon, &options);
	daemon_done(&daemon);
	return status;
}
