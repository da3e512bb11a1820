/*
 * probes.c: one probe in the order of its life: name -> connection -> (TLS) -> dialogue <-> secret,
 * leave -> goodbye -> verdict. Layer: probe.
 *
 * Only enter() assigns a probe's state and only end_…() functions end one. An ended probe is told
 * and freed by on_reap() alone, on a later turn. Each state waits for exactly one thing, and one
 * timer (the stage's or the probe's end, whichever is nearer) bounds it. What our own loop or
 * machine lost makes a verdict void (is_lost_time()). Not here: what a reply means (diagnose/),
 * when to probe (watch/).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "probe/probe.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "diagnose/diagnose.h"
#include "dialogue/dialogue.h"
#include "net/child.h"
#include "net/connect.h"
#include "net/stream.h"
#include "probe/clear_text.h"
#include "secret/source.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif
#ifndef RELEASE_EPOCH_S
#define RELEASE_EPOCH_S 0
#endif

#define TICK_US (250 * US_PER_MS)
#define LATE_LEAST_US (100 * US_PER_MS) /* a tick's lateness that is counted */
#define LOST_VOID_US US_PER_S /* H7-03: so much of our own in a probe makes its failure void */
#define SUSPEND_LEAST_US (500 * US_PER_MS)

enum probe_state {
	PROBE_NEW,
	PROBE_CONNECTING, /* stages dns and connect */
	PROBE_TLS,	  /* the handshake */
	PROBE_TALKING,	  /* the dialogue wants bytes */
	PROBE_SECRET,	  /* its source was asked */
	PROBE_LEAVE,	  /* watch was asked */
	PROBE_DOUBTING,	  /* refused: the command is asked again before that is believed */
	PROBE_GOODBYE,
	PROBE_ENDED,
	PROBE_STATE_COUNT
};

static const char *const state_names[PROBE_STATE_COUNT] = {
	[PROBE_NEW] = "new",
	[PROBE_CONNECTING] = "connecting",
	[PROBE_TLS] = "tls",
	[PROBE_TALKING] = "talking",
	[PROBE_SECRET] = "secret",
	[PROBE_LEAVE] = "leave",
	[PROBE_DOUBTING] = "doubting",
	[PROBE_GOODBYE] = "goodbye",
	[PROBE_ENDED] = "ended",
};

struct probe {
	struct probes *probes;
	struct probe *next_ended;
	struct probe_ref ref;
	uint64_t token;
	struct endpoint *endpoint;
	bool is_traced;
	enum probe_state state;

	struct connecting *connecting;
	struct stream *stream;
	struct dialogue *dialogue;
	struct secret_ask *ask;
	struct secret *secret;
	bool is_secret_kept; /* from a command's earlier run */
	struct buf goodbye;  /* held back while in PROBE_DOUBTING */

	struct event timer;
	mono_t began;
	mono_t ends; /* the whole probe's */
	enum stage stage;
	mono_t stage_began;
	mono_t stage_ends;
	int64_t lost_before_us;	   /* probes->lost_us as it began */
	int64_t suspend_before_us; /* suspended_us() as it began */

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
	struct children *children;
	struct secret_sources *secrets;
	struct slot *slots;
	uint32_t slot_count;
	uint32_t free_slot; /* slot_count: none */
	size_t count;
	struct probe *ended; /* waiting for on_reap(), oldest first */
	struct probe **ended_end;
	struct event reap;
	struct event tick;
	mono_t ticked;
	int64_t lost_us; /* all that the loop was late, ever */
};

static void handle_step(struct probe *probe, const struct dialogue_step *step);

/* ---- time ---- */

static struct timeval
timeval_of(int64_t us)
{
	if (us < 0) {
		us = 0;
	}
	return (struct timeval){ us / US_PER_S, us % US_PER_S };
}

/* How long this machine has slept since it booted. */
static int64_t
suspended_us(void)
{
	struct timespec awake;

	clock_gettime(CLOCK_MONOTONIC, &awake);
	return mono_now().us - (awake.tv_sec * US_PER_S + awake.tv_nsec / 1000);
}

static void
arm_timer(struct probe *probe)
{
	mono_t end =
		mono_is_before(probe->stage_ends, probe->ends) ? probe->stage_ends : probe->ends;
	struct timeval wait = timeval_of(mono_since(end, mono_now()));

	event_add(&probe->timer, &wait);
}

static void
enter(struct probe *probe, enum probe_state state)
{
	log_debug("probe %u.%u: %s -> %s", probe->ref.slot, probe->ref.generation,
		state_names[probe->state], state_names[state]);
	probe->state = state;
}

static void
close_stage(struct probe *probe, mono_t now)
{
	int64_t *time_us = &probe->verdict->times_us[probe->stage];

	*time_us = (*time_us < 0 ? 0 : *time_us) + mono_since(now, probe->stage_began);
}

/* A stage's timer begins with the stage, never anew by bytes that come (H2-06, H3-22). */
static void
enter_stage(struct probe *probe, enum stage stage)
{
	mono_t now = mono_now();

	if (stage == probe->stage) {
		return;
	}
	if (probe->stage != STAGE_CONFIG) {
		close_stage(probe, now);
	}
	probe->stage = stage;
	probe->stage_began = now;
	probe->stage_ends = mono_add(now, probe->endpoint->stage_timeout_us);
	arm_timer(probe);
}

/* The loop's own lateness is measured by a tick, while there are probes. */
static void
on_tick(evutil_socket_t fd, short what, void *owner)
{
	struct probes *probes = owner;
	struct timeval wait = timeval_of(TICK_US);
	mono_t now = mono_now();
	int64_t late_us = mono_since(now, probes->ticked) - TICK_US;

	(void)fd;
	(void)what;
	if (late_us >= LATE_LEAST_US) {
		probes->lost_us += late_us;
	}
	probes->ticked = now;
	if (probes->count > 0) {
		event_add(&probes->tick, &wait);
	}
}

/* How much of this probe's time our side lost: late turns, the one under way included, and sleep.
 */
static bool
is_lost_time(const struct probe *probe)
{
	int64_t late_us = mono_since(mono_now(), probe->probes->ticked) - TICK_US;
	int64_t lost_us = probe->probes->lost_us - probe->lost_before_us;

	if (late_us >= LATE_LEAST_US) {
		lost_us += late_us;
	}
	return lost_us >= LOST_VOID_US ||
	       suspended_us() - probe->suspend_before_us >= SUSPEND_LEAST_US;
}

/* ---- the end ---- */

static void
close_all(struct probe *probe)
{
	event_del(&probe->timer);
	if (probe->connecting) {
		connect_cancel(probe->connecting);
		probe->connecting = NULL;
	}
	if (probe->ask) {
		secret_ask_cancel(probe->ask);
		probe->ask = NULL;
	}
	stream_free(probe->stream);
	probe->stream = NULL;
}

/* Everything is done: told and freed on a later turn. */
static void
end(struct probe *probe)
{
	struct probes *probes = probe->probes;

	assert(probe->state != PROBE_ENDED);
	enter(probe, PROBE_ENDED);
	close_all(probe);
	probe->next_ended = NULL;
	*probes->ended_end = probe;
	probes->ended_end = &probe->next_ended;
	event_active(&probes->reap, EV_TIMEOUT, 0);
}

/* Closes the books: nothing after this moment is part of the verdict, the goodbye least of all. */
static void
close_verdict(struct probe *probe)
{
	struct verdict *verdict = probe->verdict;
	mono_t now = mono_now();

	if (probe->stage != STAGE_CONFIG) {
		close_stage(probe, now);
	}
	probe->stage = STAGE_CONFIG;
	verdict->total_us = mono_since(now, probe->began);
	verdict->ended = wall_now();
	if (probe->stream && stream_tls(probe->stream)) {
		tls_facts(stream_tls(probe->stream), &verdict->tls);
	}
	if (!verdict->is_ok && verdict->is_transient && is_lost_time(probe)) {
		verdict->is_void = true;
	}
	/* A clock from before this release is wrong: certificates are not judged by it (H7-04). */
	if (verdict->cause == CAUSE_CERT_NOT_YET_VALID &&
		verdict->ended.us / US_PER_S < RELEASE_EPOCH_S) {
		verdict->is_void = true;
	}
}

static void
say_goodbye(struct probe *probe, struct bytes bytes)
{
	event_del(&probe->timer); /* the goodbye has its own second */
	if (!probe->stream) {
		end(probe);
		return;
	}
	enter(probe, PROBE_GOODBYE);
	stream_goodbye(probe->stream, bytes);
}

/* The verdict stands without a finding. A dialogue that is under way is left with its goodbye all
 * the same. */
static void
leave_dialogue(struct probe *probe)
{
	struct dialogue_step step = { 0 };

	close_verdict(probe);
	if (probe->state == PROBE_TALKING || probe->state == PROBE_SECRET ||
		probe->state == PROBE_LEAVE) {
		dialogue_timeout(probe->dialogue, &step);
		say_goodbye(probe, step.send);
	} else {
		end(probe);
	}
}

/* An end that is not the dialogue's own. */
static void end_cause(struct probe *probe, enum stage stage, enum cause cause, const char *format,
	...) PRINTF_LIKE(4, 5);

static void
end_cause(struct probe *probe, enum stage stage, enum cause cause, const char *format, ...)
{
	char detail[1280];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	diagnose_cause(probe->verdict, stage, cause);
	if (detail[0] != '\0') {
		verdict_detail(probe->verdict, "%s", detail);
	}
	leave_dialogue(probe);
}

/* An end of ours: no word about the server. */
static void
end_void(struct probe *probe, const char *why)
{
	diagnose_cause(probe->verdict, probe->stage, CAUSE_LOCAL_LIMIT);
	verdict_detail(probe->verdict, "%s", why);
	probe->verdict->is_void = true;
	leave_dialogue(probe);
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
	if (probe->verdict->login != LOGIN_REFUSED || !probe->is_secret_kept) {
		return false;
	}
	buf_put(&probe->goodbye, goodbye);
	enter(probe, PROBE_DOUBTING);
	stream_pause(probe->stream, true);
	probe->stage_ends = mono_add(mono_now(), CHILD_DEADLINE_US + US_PER_S);
	probe->ends = probe->stage_ends;
	arm_timer(probe);
	if (secret_ask(probe->probes->secrets, &probe->endpoint->secret, true, on_secret_again,
		    probe, &probe->ask) != ERR_OK) {
		probe->ask = NULL;
		return false;
	}
	return true;
}

/* The dialogue has come to its end: its finding becomes the verdict, then the goodbye. */
static void
end_dialogue(struct probe *probe, const struct dialogue_step *step)
{
	struct finding finding = { 0 };

	dialogue_take_finding(probe->dialogue, &finding);
	diagnose_finding(probe->endpoint, &finding, probe->verdict);
	finding_done(&finding);
	close_verdict(probe);
	if (!doubt(probe, step->send)) {
		say_goodbye(probe, step->send);
	}
}

/* ---- the login ---- */

static void
on_secret(void *owner, const struct secret_answer *answer)
{
	struct probe *probe = owner;
	struct probes *probes = probe->probes;
	struct verdict *verdict = probe->verdict;

	probe->ask = NULL;
	if (answer->cause != CAUSE_OK) {
		end_cause(probe, STAGE_SECRET, answer->cause, "%s", answer->detail);
		return;
	}
	if (secret_fingerprint(answer->secret, &probes->fingerprint_key, &verdict->fingerprint) !=
		ERR_OK) {
		end_cause(probe, STAGE_SECRET, CAUSE_LOCAL_LIMIT, "out of memory");
		return;
	}
	verdict->has_fingerprint = true;
	probe->secret = secret_hold(answer->secret);
	probe->is_secret_kept = answer->is_kept;
	enter(probe, PROBE_LEAVE);
	probes->calls.ask_login(probes->owner, probe->token, probe->ref, verdict->fingerprint);
}

/* The server may have gone meanwhile; reading stands still until the dialogue listens again. */
static void
ask_secret(struct probe *probe)
{
	enter(probe, PROBE_SECRET);
	enter_stage(probe, STAGE_SECRET);
	stream_pause(probe->stream, true);
	if (secret_ask(probe->probes->secrets, &probe->endpoint->secret, false, on_secret, probe,
		    &probe->ask) != ERR_OK) {
		probe->ask = NULL;
		end_cause(probe, STAGE_SECRET, CAUSE_LOCAL_LIMIT, "out of memory");
	}
}

/* ---- the dialogue's steps ---- */

static void
end_no_memory(struct probe *probe)
{
	end_cause(probe, probe->stage, CAUSE_LOCAL_LIMIT, "out of memory");
}

static void
start_tls(struct probe *probe)
{
	const struct endpoint *endpoint = probe->endpoint;
	struct tls_settings settings = {
		.name = endpoint->tls_name ? endpoint->tls_name : endpoint->host,
		.ca_file = endpoint->ca_file,
		.least = endpoint->tls_min,
	};
	struct fault why = { "" };
	enum err err;

	/* Came before our hello, so before TLS: from anyone (CVE-2011-0411). H1-01 */
	if (endpoint->security == SECURITY_STARTTLS && stream_has_unread(probe->stream)) {
		end_cause(probe, STAGE_STARTTLS, CAUSE_STARTTLS_TAMPERED,
			"bytes behind the reply to STARTTLS");
		return;
	}
	enter(probe, PROBE_TLS);
	enter_stage(probe, STAGE_TLS);
	err = stream_start_tls(probe->stream, probe->probes->tls, &settings, &why);
	switch (err) {
	case ERR_OK:
		break;
	case ERR_MEMORY:
	case ERR_DESCRIPTORS:
		end_cause(probe, STAGE_TLS, CAUSE_LOCAL_LIMIT, "%s", why.text);
		break;
	case ERR_CONFLICT:
		end_cause(probe, STAGE_TLS, CAUSE_PROTOCOL_ERROR, "%s", why.text);
		break;
	default: /* the ca_file */
		end_cause(probe, STAGE_CONFIG, CAUSE_CONFIG_INVALID, "%s", why.text);
		break;
	}
}

/* Does what the dialogue asks for, and no more: the next thing comes from the loop. */
static void
handle_step(struct probe *probe, const struct dialogue_step *step)
{
	if (step->want == DIALOGUE_WANT_END) {
		end_dialogue(probe, step);
		return;
	}
	if (stream_send(probe->stream, step->send) != ERR_OK) {
		end_no_memory(probe);
		return;
	}
	switch (step->want) {
	case DIALOGUE_WANT_BYTES:
		if (probe->stage == STAGE_AUTH && step->stage > STAGE_AUTH)
			probe->probes->calls.login_accepted(probe->probes->owner, probe->token);
		enter_stage(probe, step->stage);
		if (probe->state != PROBE_TALKING) {
			enter(probe, PROBE_TALKING);
		}
		stream_pause(probe->stream, false);
		break;
	case DIALOGUE_WANT_TLS:
		start_tls(probe);
		break;
	case DIALOGUE_WANT_LOGIN:
		ask_secret(probe);
		break;
	case DIALOGUE_WANT_END:
	case DIALOGUE_WANT_COUNT:
		break;
	}
}

static void
on_received(void *owner, struct bytes bytes)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	assert(probe->state == PROBE_TALKING);
	dialogue_receive(probe->dialogue, bytes, &step);
	handle_step(probe, &step);
}

static void
on_tls_started(void *owner)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	tls_facts(stream_tls(probe->stream), &probe->verdict->tls);
	dialogue_tls_started(probe->dialogue, &step);
	handle_step(probe, &step);
}

static void
on_lost(void *owner, int error)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	dialogue_closed(probe->dialogue, &step);
	end_dialogue(probe, &step);
	if (error != 0 && probe->verdict->cause == CAUSE_CONNECTION_LOST &&
		!probe->verdict->detail) {
		verdict_detail(probe->verdict, "%s", strerror(error));
	}
}

/* Clear text where TLS was begun at once: which mode or protocol is it? After STARTTLS it is
 * neither (H1-03). */
static void
end_clear_text(struct probe *probe, struct bytes heard, const char *detail)
{
	enum cause cause = CAUSE_TLS_HANDSHAKE;
	const char *protocol = NULL;
	char port[8];

	if (probe->endpoint->security == SECURITY_TLS) {
		cause = clear_text_cause(probe->endpoint->side, heard, &protocol);
	}
	if (cause == CAUSE_TLS_MODE) {
		snprintf(port, sizeof(port), "%u", (unsigned)probe->endpoint->port);
		verdict_suggest(probe->verdict, "security", "starttls");
		verdict_suggest(probe->verdict, "port", port);
	}
	end_cause(probe, STAGE_TLS, cause, "%s%s%s", protocol ? protocol : "", protocol ? ": " : "",
		detail);
}

static void
on_tls_failed(void *owner, const struct tls_failure *why)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	switch (why->kind) {
	case TLS_FAILURE_PLAIN:
		end_clear_text(probe, tls_heard(stream_tls(probe->stream)), why->detail);
		break;
	case TLS_FAILURE_CERTIFICATE:
	case TLS_FAILURE_HANDSHAKE:
	case TLS_FAILURE_LATE:
		end_cause(probe, STAGE_TLS, why->cause, "%s", why->detail);
		break;
	case TLS_FAILURE_LOST:
	case TLS_FAILURE_BROKEN:
	case TLS_FAILURE_KIND_COUNT:
		if (probe->state == PROBE_TLS) {
			end_cause(probe, STAGE_TLS, why->cause, "%s", why->detail);
			break;
		}
		/* In the middle of the dialogue: what it heard so far is worth keeping. */
		dialogue_closed(probe->dialogue, &step);
		end_dialogue(probe, &step);
		if (probe->verdict->cause == CAUSE_CONNECTION_LOST) {
			probe->verdict->cause = why->cause;
			probe->verdict->is_transient = cause_has(why->cause, CAUSE_TRANSIENT);
			verdict_detail(probe->verdict, "%s", why->detail);
		}
		break;
	}
}

static void
on_gone(void *owner)
{
	end(owner);
}

/* ---- the connection ---- */

static void
keep_address(struct probe *probe, const struct address *address)
{
	struct buf text = { 0 };

	address_put(&text, address);
	free(probe->verdict->address);
	probe->verdict->address = buf_take(&text);
	probe->verdict->family = address_family(address);
}

static void
start_dialogue(struct probe *probe)
{
	struct dialogue_settings settings = {
		.endpoint = probe->endpoint,
		.helo_name = bytes_of(probe->probes->helo_name),
		.version = BYTES(PACKAGE_VERSION),
		.is_traced = probe->is_traced,
	};
	struct dialogue_step step = { 0 };

	if (dialogue_new(&settings, &probe->dialogue) != ERR_OK) {
		probe->dialogue = NULL;
		end_no_memory(probe);
		return;
	}
	dialogue_start(probe->dialogue, &step);
	handle_step(probe, &step);
}

static void
on_resolved(void *owner)
{
	enter_stage(owner, STAGE_CONNECT);
}

static void
end_unconnected(struct probe *probe, const struct connect_result *result)
{
	end_cause(probe, result->stage, result->cause, "%s", result->detail);
}

static void
on_connect_ended(void *owner, const struct connect_result *result)
{
	static const struct stream_calls calls = {
		.received = on_received,
		.tls_started = on_tls_started,
		.tls_failed = on_tls_failed,
		.lost = on_lost,
		.gone = on_gone,
	};
	struct probe *probe = owner;

	probe->connecting = NULL;
	if (result->cause != CAUSE_OK) {
		end_unconnected(probe, result);
		return;
	}
	keep_address(probe, &result->address);
	if (result->note[0] != '\0') {
		verdict_note(probe->verdict, "%s", result->note);
	}
	if (stream_new(probe->probes->base, result->fd, &calls, probe, &probe->stream) != ERR_OK) {
		probe->stream = NULL;
		close(result->fd);
		end_no_memory(probe);
		return;
	}
	start_dialogue(probe);
}

static void
start_connecting(struct probe *probe)
{
	static const struct connect_calls calls = { .resolved = on_resolved,
		.ended = on_connect_ended };
	const struct endpoint *endpoint = probe->endpoint;

	enter(probe, PROBE_CONNECTING);
	enter_stage(probe, STAGE_DNS);
	if (connect_start(probe->probes->base, probe->probes->resolver, endpoint->host,
		    endpoint->port, endpoint->family, &calls, probe,
		    &probe->connecting) != ERR_OK) {
		probe->connecting = NULL;
		end_cause(probe, STAGE_DNS, CAUSE_LOCAL_LIMIT, "out of memory");
	}
}

/* ---- out of time ---- */

static const char *
timeout_words(const struct probe *probe)
{
	return mono_is_before(probe->ends, probe->stage_ends) ? "the probe's time is over"
							      : "the stage's time is over";
}

static void
on_timeout_tls(struct probe *probe)
{
	struct bytes heard = tls_heard(stream_tls(probe->stream));
	struct buf text = { 0 };

	if (bytes_are_clear_text(heard)) {
		buf_put_string(&text, "answered in clear, and went silent: ");
		escape_put(&text, heard, ESCAPE_TERMINAL);
		end_clear_text(probe, heard, buf_err(&text) == ERR_OK ? text.at : "");
	} else {
		end_cause(probe, STAGE_TLS, CAUSE_REPLY_TIMEOUT, "%s: %s%s", timeout_words(probe),
			heard.len == 0 ? "no answer to our TLS hello"
				       : "the TLS handshake did not come to its end",
			probe->verdict->family == FAMILY_IPV6 ? " (over IPv6)" : "");
	}
	buf_done(&text);
}

static void
on_timeout(struct probe *probe)
{
	struct dialogue_step step = { 0 };
	struct connect_result result;
	struct connecting *connecting = probe->connecting;

	switch (probe->state) {
	case PROBE_CONNECTING:
		probe->connecting = NULL;
		connect_give_up(connecting, &result);
		end_unconnected(probe, &result);
		break;
	case PROBE_TLS:
		on_timeout_tls(probe);
		break;
	case PROBE_TALKING:
		dialogue_timeout(probe->dialogue, &step);
		end_dialogue(probe, &step);
		break;
	case PROBE_SECRET:
		end_cause(probe, STAGE_SECRET, CAUSE_SECRET_UNAVAILABLE,
			"%s: the secret did not come", timeout_words(probe));
		break;
	case PROBE_LEAVE:
		end_void(probe, "no leave to log in came in time");
		break;
	case PROBE_DOUBTING:
		secret_ask_cancel(probe->ask);
		probe->ask = NULL;
		say_goodbye(probe, buf_bytes(&probe->goodbye));
		break;
	case PROBE_NEW:
	case PROBE_GOODBYE:
	case PROBE_ENDED:
	case PROBE_STATE_COUNT:
		break;
	}
}

/* libevent's clock stands still in suspend and rounds: mono_now() decides. */
static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct probe *probe = owner;
	mono_t now = mono_now();

	(void)fd;
	(void)what;
	if (mono_is_before(now, probe->stage_ends) && mono_is_before(now, probe->ends)) {
		arm_timer(probe);
		return;
	}
	on_timeout(probe);
}

/* ---- all probes of the loop ---- */

static void
probe_free(struct probe *probe)
{
	struct probes *probes = probe->probes;
	struct slot *slot = &probes->slots[probe->ref.slot];

	close_all(probe);
	slot->probe = NULL;
	slot->generation++;
	slot->next_free = probes->free_slot;
	probes->free_slot = probe->ref.slot;
	probes->count--;
	dialogue_free(probe->dialogue);
	secret_free(probe->secret);
	endpoint_free(probe->endpoint);
	verdict_free(probe->verdict);
	buf_done_wiped(&probe->goodbye);
	free(probe);
}

/* The one place where probes are told and freed. */
static void
on_reap(evutil_socket_t fd, short what, void *owner)
{
	struct probes *probes = owner;
	struct probe *ended = probes->ended;

	(void)fd;
	(void)what;
	probes->ended = NULL;
	probes->ended_end = &probes->ended;
	while (ended) {
		struct probe *probe = ended;
		struct verdict *verdict = probe->verdict;
		struct bytes transcript = BYTES_NONE;

		ended = probe->next_ended;
		probe->verdict = NULL;
		if (probe->is_traced && probe->dialogue) {
			transcript = dialogue_transcript(probe->dialogue);
		}
		probes->calls.ended(probes->owner, probe->token, verdict, transcript);
		probe_free(probe);
	}
}

static void
resources_done(struct probes *probes)
{
	secret_sources_free(probes->secrets);
	children_free(probes->children);
	resolver_free(probes->resolver);
	tls_library_free(probes->tls);
	free(probes->helo_name);
	free(probes->slots);
	free(probes);
}

enum err
probes_new(struct event_base *base, const struct probes_settings *settings,
	const struct probes_calls *calls, void *owner, struct probes **out)
{
	struct probes *probes = calloc(1, sizeof(*probes));
	enum err err = ERR_MEMORY;

	if (!probes) {
		return ERR_MEMORY;
	}
	probes->base = base;
	probes->calls = *calls;
	probes->owner = owner;
	probes->fingerprint_key = settings->fingerprint_key;
	probes->ended_end = &probes->ended;
	event_assign(&probes->reap, base, -1, 0, on_reap, probes);
	evtimer_assign(&probes->tick, base, on_tick, probes);
	if ((probes->helo_name = strdup(settings->helo_name)) != NULL &&
		(err = resolver_new(base, settings->resolvers, &probes->resolver)) == ERR_OK &&
		(err = tls_library_new(&probes->tls)) == ERR_OK &&
		(err = children_new(base, CHILD_DEADLINE_US, &probes->children)) == ERR_OK) {
		err = secret_sources_new(base, probes->children, &probes->secrets);
	}
	if (err != ERR_OK) {
		resources_done(probes);
		return err;
	}
	*out = probes;
	return ERR_OK;
}

void
probes_free(struct probes *probes)
{
	if (!probes) {
		return;
	}
	for (uint32_t i = 0; i < probes->slot_count; i++) {
		if (probes->slots[i].probe) {
			probe_free(probes->slots[i].probe);
		}
	}
	event_del(&probes->reap);
	event_del(&probes->tick);
	resources_done(probes);
}

/* Slots grow by doubling and are never given back: 16 bytes each. */
static enum err
take_slot(struct probes *probes, uint32_t *out)
{
	if (probes->free_slot == probes->slot_count) {
		uint32_t count = probes->slot_count == 0 ? 64 : 2 * probes->slot_count;
		struct slot *slots = realloc(probes->slots, count * sizeof(*slots));

		if (!slots) {
			return ERR_MEMORY;
		}
		for (uint32_t i = probes->slot_count; i < count; i++) {
			slots[i] = (struct slot){ .generation = 1, .next_free = i + 1 };
		}
		probes->slots = slots;
		probes->free_slot = probes->slot_count;
		probes->slot_count = count;
	}
	*out = probes->free_slot;
	probes->free_slot = probes->slots[*out].next_free;
	return ERR_OK;
}

static struct probe *
probe_new(struct probes *probes, const struct probe_job *job)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	uint32_t slot;

	if (!probe || (probe->verdict = verdict_new()) == NULL ||
		take_slot(probes, &slot) != ERR_OK) {
		/* There is not even room to say so: better a restart with its state whole (design
		 * 3). */
		log_error("out of memory for a probe");
		abort();
	}
	probe->probes = probes;
	probe->ref = (struct probe_ref){ slot, probes->slots[slot].generation };
	probes->slots[slot].probe = probe;
	probe->token = job->token;
	probe->endpoint = endpoint_hold(job->endpoint);
	probe->is_traced = job->is_traced;
	probe->stage = STAGE_CONFIG;
	evtimer_assign(&probe->timer, probes->base, on_timer, probe);
	return probe;
}

void
probes_start(struct probes *probes, const struct probe_job *job)
{
	struct probe *probe = probe_new(probes, job);
	struct timeval wait = timeval_of(TICK_US);

	if (probes->count++ == 0) {
		probes->ticked = mono_now();
		event_add(&probes->tick, &wait);
	}
	probe->began = mono_now();
	probe->ends = mono_add(probe->began, probe->endpoint->timeout_us);
	probe->stage_ends = probe->ends;
	probe->lost_before_us = probes->lost_us;
	probe->suspend_before_us = suspended_us();
	probe->verdict->began = wall_now();
	start_connecting(probe);
}

static struct probe *
probe_find(struct probes *probes, struct probe_ref ref)
{
	if (ref.slot >= probes->slot_count ||
		probes->slots[ref.slot].generation != ref.generation) {
		return NULL;
	}
	return probes->slots[ref.slot].probe;
}

void
probes_leave(struct probes *probes, struct probe_ref ref, enum leave leave)
{
	struct probe *probe = probe_find(probes, ref);
	struct dialogue_step step = { 0 };

	if (!probe || probe->state != PROBE_LEAVE) {
		return;
	}
	if (leave == LEAVE_GO) {
		dialogue_login(probe->dialogue, probe->secret, &step);
	} else {
		dialogue_held(probe->dialogue, &step);
	}
	handle_step(probe, &step);
}

void
probes_goodbye(struct probes *probes)
{
	for (uint32_t i = 0; i < probes->slot_count; i++) {
		struct probe *probe = probes->slots[i].probe;
		struct dialogue_step step = { 0 };

		if (!probe || probe->state == PROBE_ENDED || probe->state == PROBE_GOODBYE) {
			continue;
		}
		if (probe->state == PROBE_DOUBTING) {
			probe->verdict->is_void = true;
			secret_ask_cancel(probe->ask);
			probe->ask = NULL;
			say_goodbye(probe, buf_bytes(&probe->goodbye));
		} else if (probe->state == PROBE_TALKING || probe->state == PROBE_SECRET ||
			   probe->state == PROBE_LEAVE) {
			if (probe->ask) {
				secret_ask_cancel(probe->ask);
				probe->ask = NULL;
			}
			probe->is_secret_kept = false;
			dialogue_timeout(probe->dialogue, &step);
			end_dialogue(probe, &step);
			probe->verdict->is_void = true;
		} else {
			end_void(probe, "the daemon ends");
		}
	}
}

size_t
probes_count(const struct probes *probes)
{
	return probes->count;
}

enum err
probes_reconfigure(struct probes *probes, const struct probes_settings *settings)
{
	char *helo_name = strdup(settings->helo_name);
	enum err err = helo_name ? resolver_reconfigure(probes->resolver, settings->resolvers)
				 : ERR_MEMORY;

	if (err != ERR_OK) {
		free(helo_name);
		return err;
	}
	free(probes->helo_name);
	probes->helo_name = helo_name;
	probes->fingerprint_key = settings->fingerprint_key;
	secret_sources_forget(probes->secrets);
	return ERR_OK;
}

void
probes_lost_time(struct probes *probes, int64_t lost_us)
{
	probes->lost_us += lost_us;
}
