/*
 * look.c: a port that was silent in clear is looked at once more, by TLS: one extra connection,
 * once an incident, without a login (H1-15). Layer: probe.
 *
 * A server that waits for a TLS hello and one that hangs look the same until somebody says hello.
 * The verdict's books are closed before; the look takes its own time. The probe's own connection is
 * closed by then, and until it ends watch counts one: its place at the server is the look's.
 */
#include "probe/inside.h"

#include "diagnose/what_answers.h"

#define LOOK_MOST_US (10 * US_PER_S)
#define SILENCE_LEAST_US (5 * US_PER_S) /* a port that closes sooner does not wait for a hello */

static bool
was_silent(const struct probe *probe)
{
	const struct verdict *verdict = probe->verdict;

	if (verdict->stage != STAGE_GREETING || verdict->reply.count > 0 || verdict->is_void)
		return false;
	return verdict->cause == CAUSE_REPLY_TIMEOUT ||
	       (verdict->cause == CAUSE_CONNECTION_LOST &&
		       verdict->times_us[STAGE_GREETING] >= SILENCE_LEAST_US);
}

static void
tell(struct probe *probe, const struct peek_result *result)
{
	struct answer answer = { .is_tls = result->is_tls,
		.heard = { result->heard, result->heard_len } };

	diagnose_answer_to_tls(probe->endpoint, &answer, 0, probe->verdict);
	if (!result->is_tls)
		verdict_note(probe->verdict, "TLS was tried too, and not answered");
}

void
probe_judge_silence(struct probe *probe)
{
	struct silents *silents = &probe->probes->silents;
	const struct peek_result *known;

	if (probe->endpoint->security == SECURITY_TLS)
		return;
	if (!was_silent(probe)) {
		if (probe->verdict->is_ok || probe->verdict->stage > STAGE_GREETING)
			silents_forget(silents, probe->endpoint);
		return;
	}
	known = silents_find(silents, probe->endpoint);
	if (known)
		tell(probe, known);
	probe->wants_look = !known;
}

static void
on_peek_ended(void *owner, const struct peek_result *result)
{
	struct probe *probe = owner;

	probe->peek = NULL;
	if (result->cause != CAUSE_LOCAL_LIMIT) {
		silents_note(&probe->probes->silents, probe->endpoint, result);
		tell(probe, result);
	}
	probe_end(probe);
}

bool
probe_look(struct probe *probe)
{
	struct probes *probes = probe->probes;
	const struct endpoint *endpoint = probe->endpoint;
	struct peek_to to = {
		.endpoint = endpoint,
		.port = endpoint->port,
		.is_tls = true,
		.most_us = endpoint->stage_timeout_us < LOOK_MOST_US ? endpoint->stage_timeout_us
								     : LOOK_MOST_US,
	};

	if (!probe->wants_look)
		return false;
	probe->wants_look = false;
	stream_free(probe->stream);
	probe->stream = NULL;
	if (peek_start(probes->base, probes->resolver, probes->tls, &to, on_peek_ended, probe,
		    &probe->peek) != ERR_OK) {
		probe->peek = NULL;
		return false;
	}
	probe_enter(probe, PROBE_LOOKING);
	return true;
}
