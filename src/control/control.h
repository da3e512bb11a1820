/*
 * control.h: the status socket: HTTP/1.1 and JSON on a UNIX socket (contract 5), on the main loop.
 * Layer: control.
 *
 * Reading goes straight to watch and settings; every change goes through `calls`, so that one place
 * carries out what watch decides. Long answers are made in slices as the reader takes them (20 ms
 * of the main loop at most).
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "config/settings.h"
#include "facts/event.h"
#include "watch/watch.h"

struct event_base;
struct control;

/* Who asks, by the kernel (SO_PEERCRED, SO_PEERGROUPS). */
struct control_peer {
	unsigned uid;
	int pid;
	bool may_change;
	char who[64]; /* "root", "uid 1000 (ann)": for events */
};

struct control_health {
	bool is_well;
	char why[160];
};

/* All borrowed for the call. */
struct control_check {
	const struct mailbox_settings *settings;
	const struct review_mailbox *review;
	const struct complaints *warnings; /* NULL: none */
	bool with_steps;
	bool with_transcript;
	bool is_to_send;     /* a test message */
	const char *send_to; /* NULL: to the mailbox itself */
};

/* What the daemon does for control. Requests are answered by control_…_done(), now or on a later
 * turn. */
struct control_calls {
	/* ERR_CONFLICT: why has the words. Then control_probe_done(request) comes once. */
	enum err (*probe)(void *owner, uint32_t mailbox, uint64_t request, struct fault *why);
	enum err (*pause)(void *owner, uint32_t mailbox, int64_t for_us, const char *who,
		const char *reason, struct fault *why);
	enum err (*resume)(void *owner, uint32_t mailbox, const char *who, const char *reason,
		int64_t *retry_us, struct fault *why);
	/* control_reload_done(request, …) comes once, for a load that began after this call. */
	void (*reload)(void *owner, uint64_t request, const char *who);
	/* sink NULL: all. ERR_NOT_FOUND: no such sink. *told is borrowed for the call's caller
	 * until the next turn. */
	enum err (*test_alert)(
		void *owner, const char *sink, const char *who, const struct told **told);
	/* control_check_step() and then control_check_done(request, …) come. ERR_TOO_OFTEN: held,
	 * or too many at once: again in *retry_us; why has the words. */
	enum err (*check)(void *owner, const struct control_check *check, uint64_t request,
		int64_t *retry_us, struct fault *why);
	/* control_put_done(request, …) comes once, when it is durable and watched. mailbox is the
	 * callee's, also on failure; NULL: the one of this name is taken away. ERR_MEMORY */
	enum err (*put)(void *owner, struct bytes name, struct sealed_mailbox *mailbox,
		uint64_t request, const char *who);
	/* Nobody waits for it any more. */
	void (*check_gone)(void *owner, uint64_t request);
	void (*health)(void *owner, struct control_health *out);
	/* The daemon's own series, written in Prometheus text (sinks, loops, process_* where
	 * with_process). */
	void (*metrics)(void *owner, struct buf *out, bool with_process);
};

struct control_start {
	struct event_base *base;
	const char *path; /* the socket; made 0660; a stale one is replaced (H5-19, H5-20) */
	const char *socket_group; /* NULL: mboxwatch-status where it exists */
	const char *admin_group;  /* NULL: none */
	const struct watch *watch;
	const struct settings *settings; /* borrowed until control_settings() gives others */
	wall_t started;
	const struct control_calls *calls;
	void *owner;
};

/* ERR_BUSY: another daemon answers there (exit 75). ERR_INVALID: the path is a directory, a link,
 * too long (exit 78). */
CHECKED enum err control_new(
	const struct control_start *start, struct control **out, struct fault *why);
void control_free(struct control *control);
/* At the end: who follows events gets what was told, and then the end of the stream; on later turns
 * of the loop. */
void control_goodbye(struct control *control);
bool control_has_followers(const struct control *control);
/* After a reload. */
void control_settings(struct control *control, const struct settings *settings);
/* The socket file is made anew where it is gone or another's (every minute; H5-19). True where it
 * had to be. */
bool control_look_after_socket(struct control *control);

/* An event that may be shown: kept for /v1/events (the last STORE_EVENTS_KEPT), sent to followers.
 * told is control's. */
void control_told(struct control *control, struct told *told);
/* line: a step as JSON; document: as check_put_document() writes it. retry_us above 0: nothing was
 * learnt, logins are held. */
void control_check_step(struct control *control, uint64_t request, struct bytes line);
void control_check_done(
	struct control *control, uint64_t request, struct bytes document, int64_t retry_us);
/* What became of a mailbox that was put or taken away. */
enum control_put {
	CONTROL_PUT_NEW,
	CONTROL_PUT_CHANGED,
	CONTROL_PUT_GONE,    /* taken away */
	CONTROL_PUT_NO_SUCH, /* there was none to take away */
	CONTROL_PUT_IN_FILE, /* a file has the name by now */
	CONTROL_PUT_NO_KEY,  /* it cannot be sealed: why */
	CONTROL_PUT_UNFIT,   /* kept, and does not go with the settings of now: why */
	CONTROL_PUT_FAILED,  /* it could not be kept: why */
	CONTROL_PUT_COUNT
};

void control_put_done(struct control *control, uint64_t request, enum control_put outcome,
	struct bytes name, const struct fault *why);
void control_probe_done(struct control *control, uint64_t request);
void control_reload_done(struct control *control, uint64_t request, enum err err,
	const struct complaints *complaints, const struct watch_changes *changes);

#endif
