/*
 * probe_end.c: how a probe ends: its verdict, the doubt about a refusal, the goodbye. Layer: probe.
 *
 * What our own loop or machine lost makes a verdict void. Not here: what a reply means (diagnose/).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "probe/inside.h"

#include <assert.h>

#include "diagnose/advice.h"
#include "diagnose/diagnose.h"

#ifndef RELEASE_EPOCH_S
#define RELEASE_EPOCH_S 0
#endif

#define LOST_VOID_US US_PER_S /* H7-03: so much of our own in a probe makes its failure void */

/* Was so much of this probe's time lost by our side that its failure says nothing? */
static bool
is_lost_time(const struct probe *probe)
{
	return probes_lost_us(probe) >= LOST_VOID_US ||
	       probes_suspended_us() - probe->suspend_before_us >= SUSPEND_LEAST_US;
}

static void
cancel_asks(struct probe *probe)
{
	if (probe->ask)
		secret_ask_cancel(probe->ask);
	probe->ask = NULL;
	if (probe->key_ask)
		keys_cancel(probe->key_ask);
	probe->key_ask = NULL;
}

void
probe_close(struct probe *probe)
{
	event_del(&probe->timer);
	event_del(&probe->pause);
	peek_cancel(probe->peek);
	probe->peek = NULL;
	if (probe->query)
		resolve_cancel(probe->query);
	probe->query = NULL;
	way_cancel(probe->way);
	probe->way = NULL;
	cancel_asks(probe);
	stream_free(probe->stream);
	probe->stream = NULL;
}

/* Everything is done: told and freed on a later turn. */
void
probe_end(struct probe *probe)
{
	assert(probe->state != PROBE_ENDED);
	probe_enter(probe, PROBE_ENDED);
	probe_close(probe);
	probes_reap(probe);
}

/* ---- the verdict, then the goodbye ---- */

/* Closes the books: nothing after this moment is part of the verdict, the goodbye least of all. */
static void
close_verdict(struct probe *probe)
{
	struct verdict *verdict = probe->verdict;
	mono_t now = mono_now();

	if (probe->stage != STAGE_CONFIG)
		probe_close_stage(probe, now);
	probe->stage = STAGE_CONFIG;
	if (!verdict->advice && !verdict->link)
		advise(probe->endpoint, BYTES_NONE, verdict);
	verdict->total_us = mono_since(now, probe->began);
	verdict->ended = wall_now();
	if (probe->stream && stream_tls(probe->stream))
		tls_facts(stream_tls(probe->stream), &verdict->tls);
	if (!verdict->is_ok && verdict->is_transient && is_lost_time(probe))
		verdict->is_void = true;
	/* A clock from before this release is wrong: certificates are not judged by it (H7-04). */
	if (verdict->cause == CAUSE_CERT_NOT_YET_VALID &&
		verdict->ended.us / US_PER_S < RELEASE_EPOCH_S)
		verdict->is_void = true;
}

static void
say_goodbye(struct probe *probe, struct bytes bytes)
{
	event_del(&probe->timer); /* the goodbye has its own second */
	event_del(&probe->pause);
	if (!probe->stream) {
		probe_end(probe);
		return;
	}
	probe_enter(probe, PROBE_GOODBYE);
	stream_goodbye(probe->stream, bytes);
}

/* The verdict stands without a finding. A dialogue that is under way is left with its goodbye all
 * the same. */
void
probe_end_diagnosed(struct probe *probe)
{
	struct dialogue_step step = { 0 };

	close_verdict(probe);
	if (probe_is_in_dialogue(probe)) {
		dialogue_timeout(probe->dialogue, &step);
		say_goodbye(probe, step.send);
	} else if (!probe_look_around(probe)) {
		probe_end(probe);
	}
}

void
probe_end_cause(struct probe *probe, enum stage stage, enum cause cause, const char *format, ...)
{
	char detail[1280];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	diagnose_cause(probe->verdict, stage, cause);
	if (detail[0] != '\0')
		verdict_detail(probe->verdict, "%s", detail);
	probe_end_diagnosed(probe);
}

/* An end of ours: no word about the server. */
void
probe_end_void(struct probe *probe, const char *why)
{
	diagnose_cause(probe->verdict, probe->stage, CAUSE_LOCAL_LIMIT);
	verdict_detail(probe->verdict, "%s", why);
	probe->verdict->is_void = true;
	probe_end_diagnosed(probe);
}

/* ---- a refusal by a secret that a command printed earlier ---- */

static void
on_secret_again(void *owner, const struct secret_answer *answer)
{
	struct probe *probe = owner;

	probe->ask = NULL;
	if (answer->cause == CAUSE_OK && !secret_equal(answer->secret, probe->secret)) {
		verdict_note(probe->verdict,
			"the password command gives another secret by now: probed again");
		probe->verdict->is_void = true;
	}
	say_goodbye(probe, buf_bytes(&probe->goodbye));
}

/* True where the refusal waits for the command (contract 3: "before a refusal is believed"). */
static bool
doubt(struct probe *probe, struct bytes goodbye)
{
	if (probe->verdict->login != LOGIN_REFUSED || !probe->is_secret_kept)
		return false;
	buf_put(&probe->goodbye, goodbye);
	probe_enter(probe, PROBE_DOUBTING);
	stream_pause(probe->stream, true);
	probe->stage_ends = mono_add(mono_now(), CHILD_DEADLINE_US + US_PER_S);
	probe->ends = probe->stage_ends;
	probe_arm_timer(probe);
	if (secret_ask(probe->probes->secrets, &probe->endpoint->secret, true, on_secret_again,
		    probe, &probe->ask) != ERR_OK) {
		probe->ask = NULL;
		return false;
	}
	return true;
}

/* The command did not answer: the refusal is believed. */
void
probe_end_doubt(struct probe *probe)
{
	cancel_asks(probe);
	say_goodbye(probe, buf_bytes(&probe->goodbye));
}

/* ---- the dialogue's end, and ours ---- */

static void
take_verdict(struct probe *probe, struct finding *finding)
{
	struct buf time = { 0 };

	diagnose_finding(probe->endpoint, finding, probe->verdict);
	finding_done(finding);
	if (probe->is_woken) {
		wall_put_s(&time, probe->session.since);
		verdict_note(probe->verdict, "probed in a session kept since %s",
			time.at ? time.at : "?");
		buf_done(&time);
	}
	close_verdict(probe);
}

/* The dialogue has come to its end: its finding becomes the verdict, then the goodbye. */
void
probe_end_dialogue(struct probe *probe, const struct dialogue_step *step)
{
	struct finding finding = { 0 };

	dialogue_take_finding(probe->dialogue, &finding);
	if (probe->is_woken && finding.kind != FINDING_DONE) {
		finding_done(&finding);
		probe_part(probe, step->send, "the kept session was lost: opened anew");
		return;
	}
	take_verdict(probe, &finding);
	probe_judge_silence(probe);
	if (!doubt(probe, step->send))
		say_goodbye(probe, step->send);
}

/* Our own end: said goodbye where that can be, and no word about the server. */
void
probe_end_early(struct probe *probe)
{
	struct dialogue_step step = { 0 };

	if (probe->state == PROBE_DOUBTING) {
		probe->verdict->is_void = true;
		probe_end_doubt(probe);
	} else if (probe_is_in_dialogue(probe)) {
		cancel_asks(probe);
		probe->is_secret_kept = false;
		probe->is_woken = false;
		dialogue_timeout(probe->dialogue, &step);
		probe_end_dialogue(probe, &step);
		probe->verdict->is_void = true;
	} else {
		probe_end_void(probe, "the daemon ends");
	}
}

/* ---- a session that is kept, and one that is parted from before the probe's own ---- */

void
probe_end_at_rest(struct probe *probe)
{
	struct finding finding = { 0 };
	struct dialogue_step step = { 0 };
	struct verdict *verdict = probe->verdict;
	struct session session = { .stream = probe->stream,
		.dialogue = probe->dialogue,
		.fingerprint = verdict->fingerprint,
		.has_fingerprint = verdict->has_fingerprint,
		.address = verdict->address ? strdup(verdict->address) : NULL,
		.family = verdict->family,
		.since = probe->is_woken ? probe->session.since : verdict->began,
		.suspend_before_us = probe->suspend_before_us };

	dialogue_take_finding(probe->dialogue, &finding);
	take_verdict(probe, &finding);
	session.endpoint = endpoint_hold(probe->endpoint);
	if (kept_put(probe->probes, probe->token, &session)) {
		verdict->is_kept = true;
		probe->stream = NULL;
		probe->dialogue = NULL;
		probe_end(probe);
		return;
	}
	session.stream = NULL;
	session.dialogue = NULL;
	session_done(&session);
	dialogue_timeout(probe->dialogue, &step);
	say_goodbye(probe, step.send);
}

/* Of the kept session nothing counts, its times neither (H2-48). */
void
probe_part(struct probe *probe, struct bytes goodbye, const char *why)
{
	struct verdict *verdict = probe->verdict;

	event_del(&probe->timer); /* the goodbye has its own second */
	cancel_asks(probe);
	probe->is_woken = false;
	probe->stage = STAGE_CONFIG;
	for (size_t stage = 0; stage < STAGE_COUNT; stage++)
		verdict->times_us[stage] = -1;
	if (why)
		verdict_note(verdict, "%s", why);
	probe_enter(probe, PROBE_PARTING);
	stream_goodbye(probe->stream, goodbye);
}
