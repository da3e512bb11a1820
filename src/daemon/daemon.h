/*
 * daemon.h: what the parts of the daemon share: the one struct that main() makes. Layer: daemon,
 * for its own files.
 *
 *	main.c     from the first line to the end       start.c    state, socket, sinks, loops
 *	load.c     settings at start, and -t            reload.c   settings anew, on a helper thread
 *	carry.c    carries out what watch decides       tick.c     what is looked after every 2 s
 *	loops.c    the probing threads                  outbox.c   durable, then told (writer.c)
 *	checks.c   checks: guests among the probes
 *	mailboxes.c  those set over the socket
 *	requests.c what the socket asks for             signals.c  TERM, INT, HUP, USR1
 *	notify.c   systemd: ready, status, watchdog     figures.c  counts, health, own metrics
 *	clock.c    the wall clock was set, or is wrong
 *	memory.c   what the control group still allows
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "config/settings.h"
#include "control/control.h"
#include "daemon/loops.h"
#include "daemon/outbox.h"
#include "watch/watch.h"

struct event_base;
struct event;
struct checks;
struct mailboxes;
struct reload;
struct notify;

#define DAEMON_SIGNALS 4

struct daemon {
	struct event_base *base;
	struct settings_paths paths;
	struct settings *settings;
	struct watch *watch;
	struct store *store; /* until the outbox has it */
	struct outbox *outbox;
	struct loops *loops;
	struct control *control;
	struct checks *checks;
	struct mailboxes *mailboxes;
	struct reload *reload;
	struct notify *notify;
	struct event *signals[DAEMON_SIGNALS];
	struct event *on_tick;
	unsigned ticks;
	struct event *on_wake; /* the timerfd by which watch wakes us */
	int wake_fd;
	struct event *on_clock; /* somebody set the wall clock */
	int clock_fd;
	int64_t wall_apart_us; /* wall - mono, as it was last looked at */
	bool is_clock_wrong;
	char *helo_name; /* this host's own, where the settings have none */
	struct fingerprint_key fingerprint_key;
	wall_t started;
	bool is_reload_good; /* the last one */
	wall_t reloaded;
	bool is_start_told;
	bool is_all_seen_told; /* the log line once every endpoint has its first verdict */
	bool is_memory_short;  /* fewer probes at a time for it */
	bool is_loop_late;
	unsigned loop_lateness; /* see tick.c */
	mono_t ticked;
	bool is_trouble_seen[TROUBLE_COUNT]; /* since this start, not told by the run before it */
	struct told *test_told; /* of the last test alert, borrowed by control for one turn */
	bool is_catching_test;
	const char *test_sink; /* while catching: the only one that is told; NULL: all */
};

/* A probing loop that did not turn for so long is late: trouble, /healthz, no watchdog. */
#define DAEMON_LOOP_LATE_US (5 * US_PER_S)

/* ---- carry.c: everything that watch decided in the calls before, carried out; ends a turn of the
 * outbox */
void carry_out(struct daemon *daemon);
/* Begins the timer by which watch wakes us. ERR_IO, ERR_MEMORY */
CHECKED enum err carry_start(struct daemon *daemon, struct fault *why);
void carry_done(struct daemon *daemon);
/* While there are no loops, at the end or at a start that fails: what is told and kept still is,
 * nothing is begun. */
void carry_last(struct daemon *daemon);
/* What loops and outbox report. */
extern const struct loops_calls carry_loops_calls;
extern const struct outbox_calls carry_outbox_calls;
/* An event of the daemon's own; start, stop and reload with the count of mailboxes. It is told by
 * the next carry_out(), as a trouble is. */
void carry_tell(struct daemon *daemon, enum event_kind kind, const char *detail);
void carry_trouble(struct daemon *daemon, enum trouble kind, bool is_over, const char *detail);
/* A trouble that is over as it is told. */
void carry_mended(struct daemon *daemon, enum trouble kind, const char *detail);

/* ---- requests.c */
extern const struct control_calls request_calls;

/* ---- figures.c */
void figures_put_metrics(struct daemon *daemon, struct buf *out, bool with_process);
void figures_health(struct daemon *daemon, struct control_health *out);
/* "500 mailboxes: 498 ok, 2 failing, 0 unknown, 0 paused" */
void figures_put_counts(struct daemon *daemon, struct buf *out);

#endif
