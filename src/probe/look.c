/*
 * look.c: one extra connection, up to the greeting and without a login. To a port that was silent
 * in clear, by TLS, once an incident (H1-15); for a person who waits, to the other port of the pair
 * where the endpoint's own cannot be connected to. Layer: probe.
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

	diagnose_answer_to_tls(probe->endpoint, &answer, probe->verdict);
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

static bool
start_peek(struct probe *probe, uint16_t port, bool is_tls, peek_ended *ended)
{
	struct probes *probes = probe->probes;
	const struct endpoint *endpoint = probe->endpoint;
	struct peek_to to = {
		.endpoint = endpoint,
		.port = port,
		.is_tls = is_tls,
		.most_us = endpoint->stage_timeout_us < LOOK_MOST_US ? endpoint->stage_timeout_us
								     : LOOK_MOST_US,
	};

	if (peek_start(probes->base, probes->resolver, probes->tls, &to, ended, probe,
		    &probe->peek) != ERR_OK) {
		probe->peek = NULL;
		return false;
	}
	event_del(&probe->timer); /* the peek has its own */
	probe_enter(probe, PROBE_LOOKING);
	return true;
}

bool
probe_look(struct probe *probe)
{
	if (!probe->wants_look)
		return false;
	probe->wants_look = false;
	stream_free(probe->stream);
	probe->stream = NULL;
	return start_peek(probe, probe->endpoint->port, true, on_peek_ended);
}

/* ---- what a person would try next */

static void
on_other_port(void *owner, const struct peek_result *result)
{
	struct probe *probe = owner;
	struct answer answer = { .is_tls = result->is_tls,
		.heard = { result->heard, result->heard_len } };

	probe->peek = NULL;
	if (result->cause != CAUSE_LOCAL_LIMIT)
		diagnose_answer_of_other_port(probe->endpoint,
			result->cause == CAUSE_OK ? &answer : NULL, probe->verdict);
	probe_end(probe);
}

bool
probe_look_around(struct probe *probe)
{
	const struct verdict *verdict = probe->verdict;
	struct other_port other = diagnose_other_port(probe->endpoint);

	if (!probe->looks_around || verdict->is_void)
		return false;
	probe->looks_around = false;
	switch (verdict->cause) {
	case CAUSE_CONNECT_REFUSED:
	case CAUSE_CONNECT_TIMEOUT:
		return start_peek(probe, other.port, other.security == SECURITY_TLS, on_other_port);
	case CAUSE_CERT_NAME:
		return probe_look_at_names(probe);
	default:
		return false;
	}
}
