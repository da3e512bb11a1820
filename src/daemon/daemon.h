/*
 * daemon.h: what the parts of the daemon share: the one struct that main() makes. Layer: daemon, for its own files.
 *
 *	main.c     options, start, the loop, the end        carry.c    carries out what watch decides
 *	reload.c   settings anew, on a helper thread        requests.c what the socket asks for
 *	loops.c    the probing threads                      outbox.c   durable, then told (writer.c: the disk)
 *	notify.c   systemd: ready, status, watchdog         figures.c  the daemon's own metrics
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
struct reload;
struct notify;

struct daemon {
	struct event_base *base;
	struct settings_paths paths;
	struct settings *settings;
	struct watch *watch;
	struct store *store; /* until the outbox has it */
	struct outbox *outbox;
	struct loops *loops;
	struct control *control;
	struct reload *reload;
	struct notify *notify;
	struct event *on_wake; /* the timerfd by which watch wakes us */
	int wake_fd;
	char *helo_name;
	struct fingerprint_key fingerprint_key;
	wall_t started;
	mono_t started_mono;
	bool is_reload_good; /* the last one */
	wall_t reloaded;
	bool is_all_seen_told; /* the log line with counts when every endpoint has its first verdict */
	bool is_loop_late;
	bool is_ending;
	int exit_status;
	struct told *test_told; /* of the last test alert, borrowed by control for one turn */
	bool is_catching_test;
};

/* ---- carry.c: everything that watch decided in the calls before, carried out; ends a turn of the outbox */
void carry_out(struct daemon *daemon);
/* Begins the timer by which watch wakes us. ERR_IO, ERR_MEMORY */
CHECKED enum err carry_start(struct daemon *daemon, struct fault *why);
void carry_done(struct daemon *daemon);
/* At the end, loops are gone: what is told and kept still is, nothing is begun. */
void carry_last(struct daemon *daemon);
/* What loops and outbox report. */
extern const struct loops_calls carry_loops_calls;
extern const struct outbox_calls carry_outbox_calls;
/* An event of the daemon's own, worded and told; counts of mailboxes as members where has_members. */
void carry_tell(struct daemon *daemon, enum event_kind kind, const char *detail);
void carry_trouble(struct daemon *daemon, enum trouble kind, bool is_over, const char *detail);

/* ---- requests.c */
extern const struct control_calls request_calls;

/* ---- figures.c */
void figures_put_metrics(struct daemon *daemon, struct buf *out, bool with_process);
void figures_health(struct daemon *daemon, struct control_health *out);
/* "500 mailboxes: 498 ok, 2 failing" */
void figures_put_counts(struct daemon *daemon, struct buf *out);

/* What probes need of the settings; borrowed from daemon. */
struct probes_settings daemon_probes_settings(const struct daemon *daemon);
/* A complaint's line to the log, warnings at most 20 of them (H4-08). */
void daemon_log_complaints(const struct complaints *complaints);

#endif
