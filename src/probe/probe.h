/*
 * probe.h: all probes of one loop. One probe is net + secret + dialogue + diagnose -> one verdict.
 * Layer: probe.
 *
 * Everything here belongs to one thread: the one that runs `base`. A probe is freed by probes.c
 * alone, from one function, on a later turn than the callback that ended it. Each ends by
 * calls->ended, exactly once, never from inside probes_start().
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "base/secret.h"
#include "facts/endpoint.h"
#include "facts/errand.h"
#include "facts/verdict.h"

struct event_base;
struct probes;

/* Names a probe in flight; one that has ended is not found any more. */
struct probe_ref {
	uint32_t slot;
	uint32_t generation;
};

/* What watch says of a login. */
enum leave {
	LEAVE_GO,
	LEAVE_HELD, /* not now: end before it */
	LEAVE_COUNT
};

struct probe_job {
	struct endpoint *endpoint; /* held by the probe */
	uint64_t token;		   /* the caller's own, given back with every call */
	const char *address;	   /* address_key() where its connection is counted already; NULL,
				    * "": none. Borrowed */
	mono_t asked;	/* when it was wanted: what it waits here is our lateness; 0: now */
	bool may_login; /* false: the brake is known to hold; end before the login without reading
			 * the secret unless the secret changed: the fingerprint is asked all the
			 * same */
	bool is_traced;
	struct errand *errand; /* a check's; held by the probe; NULL: none */
	bool looks_around; /* a person waits: where it fails for it, look at the other port, at the
			    * names of the certificate (look.c) */
	uint64_t session;  /* the token of the probe that left a kept session; 0: none */
	bool uses_session; /* by NOOP in it; else said goodbye to before anything is connected */
	bool may_keep;	   /* where all goes well the session stays, by `token` (verdict.is_kept) */
};

/* A stage that is over, and well so. */
struct probe_step {
	enum stage stage;
	int64_t took_us;
	char detail[256]; /* what it found: an address, TLS facts; from outside, not escaped; may
			     be empty */
};

struct probes_calls {
	/* About to connect to an address of this address_key(), which is not the job's. Answer
	 * later, by probes_connect(). NULL: it may. */
	void (*ask_connect)(void *owner, uint64_t token, struct probe_ref ref, const char *address);
	/* The dialogue is ready to log in with the secret of this fingerprint. Answer, now or
	 * later, by probes_leave(). */
	void (*ask_login)(
		void *owner, uint64_t token, struct probe_ref ref, struct fingerprint fingerprint);
	/* The server took the login; the probe goes on. Once at most. */
	void (*login_accepted)(void *owner, uint64_t token);
	/* A traced probe has left a stage behind; each stage once, the last ones are left to the
	 * verdict. NULL: nobody asks. */
	void (*passed)(void *owner, uint64_t token, const struct probe_step *step);
	/* The verdict is the callee's (verdict_free()). transcript is borrowed, empty unless
	 * is_traced. */
	void (*ended)(
		void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript);
	/* The kept session that this probe left is gone, by what the server did or by a sleep of
	 * this machine; nothing of it is a verdict. */
	void (*session_lost)(void *owner, uint64_t token);
};

struct probes_settings {
	const char *helo_name; /* EHLO's argument; copied */
	const char *resolvers; /* "127.0.0.1:5353,…" or NULL: the system's; copied */
	struct fingerprint_key fingerprint_key;
};

/* ERR_MEMORY, ERR_IO (resolver, TLS library) */
CHECKED enum err probes_new(struct event_base *base, const struct probes_settings *settings,
	const struct probes_calls *calls, void *owner, struct probes **out);
/* Ends every probe without a call, closes what is open. */
void probes_free(struct probes *probes);
/* Begins it when those before it have begun: few a turn, so that many at once wait here, without a
 * timer, and not for the work on each other's handshakes (H10-05). Always ends by calls->ended on a
 * later turn, also where nothing could be begun (local_limit). */
void probes_start(struct probes *probes, const struct probe_job *job);
/* Late answers are dropped, here and below. Not allowed: it ends void. */
void probes_connect(struct probes *probes, struct probe_ref ref, bool is_allowed);
void probes_leave(struct probes *probes, struct probe_ref ref, enum leave leave);
/* Says goodbye to the kept session that the probe of this token left; nothing where there is none
 * (any more). */
void probes_part(struct probes *probes, uint64_t token);
/* Says goodbye in every probe that can and ends it (verdict void), and to every kept session,
 * within a second. For the daemon's end. */
void probes_goodbye(struct probes *probes);
/* Probes in flight, and sessions kept or parted from. */
size_t probes_count(const struct probes *probes);
/* New settings for probes that begin later (reload). ERR_MEMORY, ERR_IO: as it was */
CHECKED enum err probes_reconfigure(struct probes *probes, const struct probes_settings *settings);

#endif
