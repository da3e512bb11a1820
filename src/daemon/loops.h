/*
 * loops.h: the threads that probe, each with a libevent loop of its own. Layer: daemon.
 *
 * The main loop hands jobs and leaves over by queues and gets logins asked for and verdicts back;
 * no lock is held over a callback and nothing is shared. A server belongs to one loop, by a hash of
 * its host.
 */
#ifndef DAEMON_LOOPS_H
#define DAEMON_LOOPS_H

#include "base/time.h"
#include "probe/probe.h"

struct loops;

/* All on the main loop. */
struct loops_calls {
	/* Answer by loops_connect(). */
	void (*ask_connect)(void *owner, uint64_t token, const char *address);
	void (*ask_login)(void *owner, uint64_t token, struct fingerprint fingerprint);
	void (*login_accepted)(void *owner, uint64_t token);
	/* Of traced probes (probe/probe.h). */
	void (*passed)(void *owner, uint64_t token, const struct probe_step *step);
	/* verdict is the callee's; transcript is borrowed, empty unless it was traced. */
	void (*ended)(
		void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript);
	/* The kept session that this probe left is gone. */
	void (*session_lost)(void *owner, uint64_t token);
};

/* base: the main loop's. ERR_MEMORY, ERR_IO: no thread could be made, nothing is left of it
 * (H10-11) */
CHECKED enum err loops_start(struct event_base *base, unsigned count,
	const struct probes_settings *settings, const struct loops_calls *calls, void *owner,
	struct loops **out, struct fault *why);
/* ERR_MEMORY: nothing was begun. job->token is the caller's and must be new. */
CHECKED enum err loops_probe(struct loops *loops, const struct probe_job *job);
/* Goodbye to the kept session that this probe left. */
void loops_part(struct loops *loops, uint64_t token);
/* Tokens that are not in flight are dropped, here and below. */
void loops_connect(struct loops *loops, uint64_t token, bool is_allowed);
void loops_leave(struct loops *loops, uint64_t token, bool is_allowed);
/* For probes that begin later; passwords of commands are asked for anew. */
void loops_reconfigure(struct loops *loops, const struct probes_settings *settings);
/* For how long the slowest loop has not answered a ping. Counted by turns of the main loop, so
 * that neither its own delay nor a suspend is taken for theirs. */
int64_t loops_late_us(const struct loops *loops);
/* The longest that an answer to a ping took since this was asked last. */
int64_t loops_worst_us(struct loops *loops);
/* Says goodbye in every probe, and ends the threads; true where all ended before the deadline, and
 * then everything is freed. */
bool loops_end(struct loops *loops, mono_t deadline);

#endif
