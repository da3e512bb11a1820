/*
 * inside.h: what the files of this room share. Layer: probe. Others include probe.h.
 *
 *	probes.c     all probes of a loop: slots, begin, told and freed
 *	probe.c      one probe in the order of its life, and its time
 *	keys.c       SCRAM's salted passwords, made beside the loop
 *	way.c        from its endpoint to a connected socket
 *	look.c       one more look: by TLS at a port that was silent, at the other port
 *	look_names.c at the names of a certificate that has another one
 *	probe_end.c  its ends: verdict, doubt, goodbye, rest
 *	kept.c       sessions at rest between two probes
 */
#ifndef PROBE_INSIDE_H
#define PROBE_INSIDE_H

#include "probe/probe.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "dialogue/dialogue.h"
#include "net/child.h"
#include "net/stream.h"
#include "probe/silent.h"
#include "probe/stalls.h"
#include "probe/keys.h"
#include "probe/way.h"
#include "secret/source.h"

enum probe_state {
	PROBE_NEW,	  /* waits for its turn to begin */
	PROBE_PARTING,	  /* from a kept session; a connection of its own comes next */
	PROBE_CONNECTING, /* stages dns and connect */
	PROBE_PLACE,	  /* watch was asked for a connection to the address */
	PROBE_TLS,	  /* the handshake */
	PROBE_TALKING,	  /* the dialogue wants bytes */
	PROBE_SECRET,	  /* its source was asked */
	PROBE_LEAVE,	  /* watch was asked */
	PROBE_KEY,	  /* the salted password is made */
	PROBE_PAUSE,	  /* of a check, before it looks for its message again */
	PROBE_DOUBTING,	  /* refused: the command is asked again before that is believed */
	PROBE_GOODBYE,
	PROBE_LOOKING, /* at a port that was silent, at another one, at names */
	PROBE_ENDED,
	PROBE_STATE_COUNT
};

/* What outlives the probe where a session is kept. */
struct session {
	struct stream *stream;
	struct dialogue *dialogue;
	struct endpoint *endpoint; /* as it was opened: held */
	struct fingerprint fingerprint;
	bool has_fingerprint; /* false: PREAUTH, no secret went out */
	char *address;
	enum family family;
	wall_t since; /* it was opened */
	int64_t suspend_before_us;
};

struct probe {
	struct probes *probes;
	struct probe *next_ended; /* or the next that waits to begin */
	struct probe_ref ref;
	uint64_t token;
	struct endpoint *endpoint;
	bool is_traced;
	bool looks_around;
	struct errand *errand;
	unsigned told; /* a bit for each stage that was told as passed */
	enum probe_state state;

	char address[ADDRESS_KEY_ROOM]; /* where its connection is counted; "" nowhere */
	struct way *way;
	struct stream *stream;
	struct dialogue *dialogue;
	struct secret_ask *ask;
	struct key_ask *key_ask;
	struct secret *secret;
	bool is_secret_kept; /* from a command's earlier run */
	struct buf goodbye;  /* held back while in PROBE_DOUBTING */

	bool may_keep;		/* leave the session open, where all goes well */
	bool is_woken;		/* by a kept session: its failure is not the endpoint's */
	struct session session; /* whence it came; stream and dialogue are the probe's meanwhile */

	struct event timer;
	struct event pause;	/* beside the timer, which bounds it too */
	uint64_t session_token; /* of the job: 0, or a kept session */
	bool uses_session;
	mono_t asked;
	mono_t began;
	mono_t ends; /* the whole probe's */
	enum stage stage;
	mono_t stage_began;
	mono_t stage_ends;
	int64_t lost_before_us;	   /* probes->lost_us as it began */
	int64_t suspend_before_us; /* suspended_us() as it began */

	bool wants_look; /* after the goodbye */
	struct peek *peek;
	size_t names_tried; /* of the certificate */
	struct resolve_query *query;
	bool is_second_try; /* without a ticket */
	struct verdict *verdict;
};

struct slot {
	struct probe *probe;
	uint32_t generation;
	uint32_t next_free;
};

struct probes {
	struct event_base *base;
	struct probes_calls calls;
	void *owner;
	char *helo_name;
	struct fingerprint_key fingerprint_key;
	struct resolver *resolver;
	struct tls_library *tls;
	struct stalls stalls;
	struct silents silents;
	struct children *children;
	struct secret_sources *secrets;
	struct keys *keys;
	struct slot *slots;
	uint32_t slot_count;
	uint32_t free_slot; /* slot_count: none */
	size_t count;
	struct probe *ended; /* waiting for on_reap(), oldest first */
	struct probe **ended_end;
	struct probe *new; /* waiting for on_begin(), oldest first */
	struct probe **new_end;
	struct event begin;
	struct event reap;
	struct event tick;
	mono_t ticked;
	int64_t lost_us;   /* all that the loop was late, ever */
	struct kept *kept; /* kept.c: at rest, by token */
	struct kept *parting;
	size_t parting_count;
	int64_t slept_us; /* probes_suspended_us() when it was last looked at */
};

#define SUSPEND_LEAST_US (500 * US_PER_MS)

static inline struct timeval
timeval_of(int64_t us)
{
	return us < 0 ? (struct timeval){ 0 } : (struct timeval){ us / US_PER_S, us % US_PER_S };
}

/* ---- probes.c */

/* How much of this probe's time our side lost by late turns, the one under way included. */
int64_t probes_lost_us(const struct probe *probe);
/* How long this machine has slept since it booted. */
int64_t probes_suspended_us(void);
/* To be told and freed on a later turn. */
void probes_reap(struct probe *probe);

/* ---- probe.c */

/* Begins by the name, all else follows from the loop; or by the kept session of its job: which it
 * uses, or parts from before it connects. */
void probe_start(struct probe *probe);
void probe_on_timer(evutil_socket_t fd, short what, void *owner);
void probe_on_pause(evutil_socket_t fd, short what, void *owner);
/* The one place that assigns a state. */
void probe_enter(struct probe *probe, enum probe_state state);
/* Is a dialogue under way that can be left with its goodbye? */
static inline bool
probe_is_in_dialogue(const struct probe *probe)
{
	return probe->state == PROBE_TALKING || probe->state == PROBE_SECRET ||
	       probe->state == PROBE_LEAVE || probe->state == PROBE_KEY ||
	       probe->state == PROBE_PAUSE;
}
void probe_arm_timer(struct probe *probe);
void probe_close_stage(struct probe *probe, mono_t now);
/* Does what the dialogue asks for, and no more: the next thing comes from the loop. */
void probe_handle_step(struct probe *probe, const struct dialogue_step *step);

/* Watch has answered for the address. */
void probe_place(struct probe *probe, bool is_allowed);

/* ---- probe_end.c: each ends the probe, which stays until on_reap() */

/* Everything is done. */
void probe_end(struct probe *probe);
/* The dialogue has come to its end: its finding becomes the verdict, then the goodbye. */
void probe_end_dialogue(struct probe *probe, const struct dialogue_step *step);
/* An end that is not the dialogue's own. */
void probe_end_cause(struct probe *probe, enum stage stage, enum cause cause, const char *format,
	...) PRINTF_LIKE(4, 5);
/* The verdict was written already. */
void probe_end_diagnosed(struct probe *probe);
/* An end of ours: no word about the server. */
void probe_end_void(struct probe *probe, const char *why);
/* In PROBE_DOUBTING: the command did not answer, so the refusal is believed. */
void probe_end_doubt(struct probe *probe);
/* Our own end: said goodbye where that can be, and void. */
void probe_end_early(struct probe *probe);
/* All went well, and the session may be kept: its finding becomes the verdict, the session rests.
 */
void probe_end_at_rest(struct probe *probe);
/* Says goodbye to the kept session that the probe has; then it opens one of its own. why: for the
 * verdict's notes, may be NULL */
void probe_part(struct probe *probe, struct bytes goodbye, const char *why);
/* Lets go of everything that waits and of the connection. */
void probe_close(struct probe *probe);

/* ---- look.c */

/* The verdict is written: was the port silent, is it known why, or is it to be looked at? */
void probe_judge_silence(struct probe *probe);
/* After the goodbye: true where the probe goes on by a look, which ends it. */
bool probe_look(struct probe *probe);
/* The verdict is written, and nothing is open: true where the probe goes on by looking at what a
 * person would try next. */
bool probe_look_around(struct probe *probe);

/* ---- look_names.c */

/* The certificate has other names: is the host of one of them at the same address? True where the
 * probe goes on. */
bool probe_look_at_names(struct probe *probe);

/* ---- kept.c */

void session_done(struct session *session);
/* Keeps it by this token. False: no memory, and it is still the caller's. */
bool kept_put(struct probes *probes, uint64_t token, struct session *session);
/* The caller's now, its stream still calls nobody until stream_hand_over(). False: there is none
 * of that token; it was lost, and that is reported. */
bool kept_take(struct probes *probes, uint64_t token, struct session *out);
/* Goodbye to all; is_told: reported as lost. */
void kept_part_all(struct probes *probes, bool is_told);
/* After a sleep of this machine no session is worth to be kept (H7-02). */
void kept_look_for_sleep(struct probes *probes);
/* Those at rest, and those whose goodbye is under way. */
size_t kept_count(const struct probes *probes);
void kept_done(struct probes *probes);

#endif
