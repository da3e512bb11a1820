/*
 * signals.c: what each signal does. Layer: daemon.
 */
#include "daemon/signals.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/options.h"
#include "daemon/reload.h"

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
	event_base_loopbreak(daemon->base);
}

static void
on_hup(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)number;
	(void)what;
	reload_ask(daemon->reload, 0);
}

/* "; 1 incident open" */
static void
put_count(struct buf *out, size_t count, const char *noun, const char *rest)
{
	buf_put_format(out, "; %zu %s%s%s", count, noun, count == 1 ? "" : "s", rest);
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
	put_count(&line, counts.in_flight, "probe", " in flight");
	put_count(&line, counts.brakes_open, "account", " with logins held");
	put_count(&line, counts.incidents_open, "incident", " open");
	log_info("%s; %s%s", line.at ? line.at : "",
		health.is_well ? "well" : "not well: ", health.why);
	buf_done(&line);
}

/* HUP and USR1, whose usual action would end us. */
static void
block_asking(int how)
{
	sigset_t asking;

	sigemptyset(&asking);
	sigaddset(&asking, SIGHUP);
	sigaddset(&asking, SIGUSR1);
	sigprocmask(how, &asking, NULL);
}

void
signals_hold(void)
{
	block_asking(SIG_BLOCK); /* threads made from here on take it over, and keep it */
	signal(SIGTERM, end_at_once);
	signal(SIGINT, end_at_once);
}

enum err
signals_start(struct daemon *daemon)
{
	static const struct {
		int number;
		event_callback_fn call;
	} rows[DAEMON_SIGNALS] = { { SIGTERM, on_term }, { SIGINT, on_term }, { SIGHUP, on_hup },
		{ SIGUSR1, on_usr1 } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		daemon->signals[i] =
			evsignal_new(daemon->base, rows[i].number, rows[i].call, daemon);
		if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) != 0)
			return ERR_MEMORY;
	}
	block_asking(SIG_UNBLOCK);
	return ERR_OK;
}

void
signals_end(struct daemon *daemon)
{
	block_asking(SIG_BLOCK); /* neither means anything from here on */
	for (size_t i = 0; i < COUNT_OF(daemon->signals); i++) {
		/* libevent puts back what signals_hold() set. */
		if (daemon->signals[i])
			event_free(daemon->signals[i]);
		daemon->signals[i] = NULL;
	}
}
