/*
 * watch.h: what to probe next and what to tell. Layer: watch, pure: time comes as an argument,
 * verdicts in, commands out. Two executors carry the commands out: daemon/carry.c, and the
 * simulator in virtual time (tests/simulate).
 *
 * Every call that takes `now` may yield commands; take them by watch_next() until it says none, in
 * their order: rows and events of one call belong into one transaction of the store. `wall` is the
 * same moment in UTC.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "base/secret.h"
#include "facts/event.h"
#include "facts/row.h"

struct watch;

/* ---- what the settings say; borrowed for the call, copied where kept */

#define WATCH_MOST_STEPS 8

struct watch_rules {
	int64_t interval_us;
	int64_t retry_interval_us;
	int64_t retry_max_us;
	unsigned confirm;
	unsigned recover;
	uint32_t cert_warn_s[WATCH_MOST_STEPS]; /* before a certificate ends, in any order */
	size_t cert_warn_count;
	int64_t keep_us; /* IMAP: a session stays logged in for so long; 0: none is kept */
};

/* Until its renewal a kept session of such an endpoint serves for so long; 0: none is kept, since
 * the next probe would renew it. */
int64_t watch_session_us(const struct watch_rules *rules);

struct watch_endpoint {
	bool is_present;
	struct watch_rules rules;
	const char *host;     /* the server's key */
	const char *site;     /* site_of_host() */
	struct bytes account; /* account_key(); empty: no login is made (auth none) */
	bool is_changed;      /* reload: a probe would be another than before: probe at once */
};

struct watch_mailbox {
	const char *name;
	const char *address; /* may be NULL */
	bool is_enabled;
	const struct labels *labels;
	struct watch_endpoint sides[SIDE_COUNT];
};

struct watch_server {
	const char *host;
	unsigned connections;
	unsigned logins_per_minute;
	bool is_known; /* by the table of providers: limits hold for the name alone, at whatever
			  addresses it is (contract 3) */
};

#define WATCH_MOST_COUNTS 4

/* "2/1h" */
struct watch_count_rule {
	unsigned count;
	int64_t window_us;
};

struct watch_limits {
	unsigned in_flight;
	unsigned connections;
	unsigned logins_per_minute;
	struct watch_count_rule refused_logins[WATCH_MOST_COUNTS];
	size_t refused_logins_count;
	int64_t brake_retry_us[WATCH_MOST_COUNTS]; /* the last repeats */
	size_t brake_retry_count;
};

struct watch_settings {
	struct watch_limits limits;
	const struct watch_mailbox *mailboxes;
	size_t mailbox_count;
	const struct watch_server *servers; /* those with limits of their own */
	size_t server_count;
};

/* ---- what limits make of intervals: one formula, for the schedule and for the plan of -t */

#define WATCH_PROBE_USUAL_US                                                                       \
	(500 * US_PER_MS) /* how long a probe takes, while that is not known                       \
			   */

struct watch_load {
	double probes_per_s;
	double logins_per_s;
	int64_t probe_us; /* how long a probe takes */
	unsigned connections;
	unsigned logins_per_minute;
};

/* How many times longer than set the intervals get; 1: not at all. *by_connections: it is the
 * connections that do not allow them, else the logins. May be NULL */
double watch_stretch(const struct watch_load *load, bool *by_connections);
/* The same by limits.in_flight, for so many probes at a time that all servers would have. */
double watch_stretch_at_once(double at_once, double in_flight);

/* ---- what is to be done */

enum watch_command_kind {
	WATCH_PROBE,   /* begin a probe of endpoint (mailbox, side); give token back */
	WATCH_CONNECT, /* answer the connection asked for by token; not allowed: the probe ends void
			*/
	WATCH_PART,    /* say goodbye to the kept session that the probe of token left */
	WATCH_LEAVE,   /* answer the login asked for by token */
	WATCH_TELL,    /* tell event, the executor's now (words_event, alert_render, alert_free) */
	WATCH_KEEP,    /* write the row (kind, key, value) */
	WATCH_FORGET,  /* delete the row (kind, key) */
	WATCH_GUEST,   /* begin the probe that watch_guest() gave this token */
	WATCH_ASKED_DONE, /* the probes that watch_probe_now() began for request are all judged */
	WATCH_COMMAND_COUNT
};

struct watch_command {
	enum watch_command_kind kind;
	/* PROBE */
	uint32_t mailbox; /* index for watch_view() */
	const char *name; /* the mailbox's; valid until the next watch call */
	enum side side;
	const char *address; /* where its connection is counted already; "" where that is not known;
				valid until the next watch call */
	uint64_t session;    /* of the probe that left it: a kept session on this server; 0: none */
	bool uses_session;   /* it is the endpoint's: probe by it; else say goodbye to it before
				anything is connected */
	bool may_keep;	     /* leave the session open where all goes well: verdict.is_kept */
	/* PROBE, GUEST, CONNECT, LEAVE, PART */
	uint64_t token;
	/* CONNECT, LEAVE */
	bool is_allowed;
	/* LEAVE */
	bool after_stored; /* answer only when the rows of this call are durable, or 5 s later
			      (design 3) */
	/* TELL */
	struct alert *event;
	/* KEEP, FORGET: the executor's now (free()); value NULL with FORGET */
	enum row_kind row;
	char *key;
	char *value;
	/* ASKED_DONE */
	uint64_t request;
};

/* ---- life */

/* seed: chance for ids and for nothing else; the simulator gives the same each time. ERR_MEMORY */
CHECKED enum err watch_new(const uint8_t seed[32], struct watch **out);
void watch_free(struct watch *watch);

/* Before the first watch_configure(): rows of the store, in any order. ERR_DAMAGED: the row cannot
 * be used (H6-08) and is left out; `why` says so. */
CHECKED enum err watch_restore(struct watch *watch, enum row_kind kind, struct bytes key,
	struct bytes value, struct fault *why);
/* After the rows, before the first configure: after an unclean end every account with a booking
 * counts one refusal more until its next accepted login. */
void watch_restored(struct watch *watch, bool was_clean_end, struct ulid newest_event);

struct watch_changes {
	size_t added;
	size_t removed;
	size_t changed;
	size_t unchanged;
};

/* The first call begins the watch, later ones are reloads: what changed is applied, all else keeps
 * state, schedule and probes in flight; what is gone while failing is told (`state`, removed) and
 * its rows go. ERR_MEMORY: nothing changed */
CHECKED enum err watch_configure(struct watch *watch, mono_t now, wall_t wall,
	const struct watch_settings *settings, struct watch_changes *changes);

/* One mailbox more, or one that changed: settings are as of watch_configure(), but name it alone.
 * All others stay as they are. ERR_MEMORY: nothing changed */
CHECKED enum err watch_put(struct watch *watch, mono_t now, wall_t wall,
	const struct watch_settings *settings, struct watch_changes *changes);
/* One less, as if it were gone from the settings. False: there is none of this name. */
bool watch_remove(struct watch *watch, mono_t now, wall_t wall, struct bytes name);

/* ---- time and verdicts */

/* Call at or after watch_wake(), and after a wake-up from suspend. */
void watch_tick(struct watch *watch, mono_t now, wall_t wall);
/* When watch_tick() is next needed; MONO_NEVER: not by time. Changes with every call. */
mono_t watch_wake(const struct watch *watch);
/* This machine has memory for so many probes at a time: no more are begun, whatever the settings
 * say; 0: no bound is known (H10-10). */
void watch_memory(struct watch *watch, mono_t now, wall_t wall, unsigned probes);
/* A probe is about to connect to an address (IPv6: its /64), which is not the one that its
 * WATCH_PROBE named; or it did, and has come out at another one. A WATCH_CONNECT follows at once.
 */
void watch_connect(
	struct watch *watch, mono_t now, wall_t wall, uint64_t token, const char *address);
/* A probe stands before its login with this secret: a WATCH_LEAVE follows, at once or later. */
void watch_login(struct watch *watch, mono_t now, wall_t wall, uint64_t token,
	struct fingerprint fingerprint);
/* The server took the login, and the probe goes on: another login of this account need not wait for
 * its end. Optional: the verdict says so too. */
void watch_login_accepted(struct watch *watch, mono_t now, wall_t wall, uint64_t token);
/* The session that the probe of this token left is gone, for no reason of ours. */
void watch_session_lost(struct watch *watch, mono_t now, wall_t wall, uint64_t token);
/* A probe ended. verdict is watch's from here on. A token that is not in flight any more is
 * dropped. */
void watch_verdict(
	struct watch *watch, mono_t now, wall_t wall, uint64_t token, struct verdict *verdict);
/* The next command, or false. */
bool watch_next(struct watch *watch, struct watch_command *out);

/* ---- what people ask for; who is told in the event's detail ("uid 1000", a name) */

/*
 * Probes a mailbox now, within the limits, by request's WATCH_ASKED_DONE. A probe that already
 * waits or is in flight serves as well. ERR_CONFLICT: paused, disabled, or its logins held on all
 * sides (`why` has the words); nothing is begun.
 */
CHECKED enum err watch_probe_now(struct watch *watch, mono_t now, wall_t wall, uint32_t mailbox,
	uint64_t request, struct fault *why);
/* for_us 0: until resumed. ERR_CONFLICT: disabled in the settings */
CHECKED enum err watch_pause(struct watch *watch, mono_t now, wall_t wall, uint32_t mailbox,
	int64_t for_us, const char *who, const char *reason, struct fault *why);
/* Ends a pause, or allows one login where logins are held. ERR_CONFLICT: neither, or disabled;
 * ERR_TOO_OFTEN: 2 in 1 h used up (*retry_us: when again; H7-21) */
CHECKED enum err watch_resume(struct watch *watch, mono_t now, wall_t wall, uint32_t mailbox,
	const char *who, const char *reason, int64_t *retry_us, struct fault *why);

/* ---- guests: probes of settings that are no mailbox's (a check)
 *
 * They keep within all limits, stand before what is watched in a server's queue, and their refused
 * logins count; but they move no state, and lift and open no brake of others' secrets. */

struct watch_guest {
	enum side side;
	const char *host;
	struct bytes account; /* account_key(); empty: no login is made */
	unsigned connections; /* of this server, where no mailbox names it */
	unsigned logins_per_minute;
	bool is_known; /* as struct watch_server has it */
};

/* May it log in with this secret? ERR_TOO_OFTEN: held, again in *retry_us. */
CHECKED enum err watch_guest_may(struct watch *watch, mono_t now, wall_t wall,
	const struct watch_guest *guest, struct fingerprint fingerprint, int64_t *retry_us);
/* Did the server ask for time? Then nothing is to be tried: until when, why, and where. */
bool watch_guest_waits(const struct watch *watch, mono_t now, wall_t wall, const char *host,
	wall_t *until, enum cause *cause, enum stage *stage);
/* Waits for its turn; then comes WATCH_GUEST, and all else is as for other probes. ERR_MEMORY */
CHECKED enum err watch_guest(struct watch *watch, mono_t now, wall_t wall,
	const struct watch_guest *guest, uint64_t *token);
/* One that has not begun is forgotten; one that has is left alone. True where it was forgotten. */
bool watch_guest_cancel(struct watch *watch, mono_t now, wall_t wall, uint64_t token);
/* For a check without a daemon, in the place of watch_configure(): the limits alone, no mailbox;
 * what the store knows of mailboxes is neither restored nor ended. */
void watch_guests_alone(
	struct watch *watch, mono_t now, wall_t wall, const struct watch_limits *limits);

/* ---- the daemon's own events: they get their ids here */

/* An event of `kind` with id, time and level set, the caller's (alert_free, or given back by
 * watch_tell). NULL: no memory */
struct alert *watch_event(struct watch *watch, wall_t wall, enum event_kind kind);
/* Tells an event made by watch_event(): it comes out as WATCH_TELL in its turn. */
void watch_tell(struct watch *watch, struct alert *event);
/* A trouble begins (told once until it ended; kept over restarts) and ends (told where its begin
 * was). */
void watch_trouble(struct watch *watch, wall_t wall, enum trouble kind, const char *detail);
void watch_trouble_end(struct watch *watch, wall_t wall, enum trouble kind);
/* Of a kind that watch itself begins and ends, by verdicts? */
bool watch_knows_trouble(enum trouble kind);
bool watch_has_trouble(const struct watch *watch, enum trouble kind);
/* All rows again, as WATCH_KEEP commands: for a state file that had to be begun anew. */
void watch_keep_all(struct watch *watch);
/* Rows that a clean end needs (DAEMON row: clean). */
void watch_end(struct watch *watch, wall_t wall);

/* ---- looking at it; everything borrowed until the next call that is not a look */

struct watch_brake_view {
	bool is_open;
	wall_t since;
	wall_t until; /* the next login that will be tried */
	enum cause cause;
};

struct watch_endpoint_view {
	bool is_present;
	enum endpoint_state state;
	wall_t since;
	bool has_cause; /* not ok: cause and stage of the state */
	enum cause cause;
	enum stage stage;
	unsigned fails;
	struct ulid incident; /* unset: none */
	wall_t last_ok;
	wall_t last_probe;
	wall_t next_probe; /* WALL_NONE: none planned */
	enum next_reason next_reason;
	int64_t interval_us; /* as stretched */
	bool is_stretched;
	struct watch_brake_view brake;
	const struct verdict *verdict; /* the last one, or after a restart the one that began the
					  state; may be NULL */
	const char *host;
};

struct watch_view {
	const char *name;
	const char *address;
	bool is_enabled;
	bool is_paused;
	wall_t paused_until; /* WALL_NONE: until resumed */
	enum part parts[SIDE_COUNT];
	wall_t since;
	const struct labels *labels;
	struct watch_endpoint_view sides[SIDE_COUNT];
};

struct watch_counts {
	size_t total, ok, failing, unknown, paused; /* mailboxes, by mailbox_state_class() */
	size_t suspect;				    /* endpoints */
	size_t in_flight;
	size_t sessions_kept;
	size_t brakes_open;
	size_t incidents_open;
	size_t first_verdicts_missing; /* endpoints without a verdict since they were configured */
};

/* Mailboxes have indexes 0 … watch_room()-1; an index of none gives false. An index stays while its
 * mailbox does. */
uint32_t watch_room(const struct watch *watch);
bool watch_view(const struct watch *watch, uint32_t mailbox, struct watch_view *out);
/* False where there is none of this name. */
bool watch_find(const struct watch *watch, struct bytes name, uint32_t *out);
void watch_counts(const struct watch *watch, struct watch_counts *out);

/* Since the start, for metrics: probes by side and cause; lateness of starts (start - due). */
struct watch_figures {
	uint64_t probes[SIDE_COUNT][CAUSE_COUNT];
	uint64_t lateness_buckets[13]; /* 5 10 25 50 100 250 500 ms 1 2.5 10 30 60 s, more: not
					  cumulated */
	int64_t lateness_sum_us;
	uint64_t events[EVENT_COUNT];
	/* by side and stage, the same bounds */
	uint64_t duration_buckets[SIDE_COUNT][STAGE_COUNT][13];
	int64_t duration_sum_us[SIDE_COUNT][STAGE_COUNT];
};
const struct watch_figures *watch_figures(const struct watch *watch);

#endif
