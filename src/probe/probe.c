/*
 * probe.c: one probe in the order of its life: name -> connection -> (proxy) -> (TLS) -> dialogue
 * <-> secret, leave -> end (probe_end.c). Or, by a session that was kept: secret -> dialogue ->
 * end; where that session fails it is parted from, and the probe begins by the name. Layer: probe.
 *
 * Each state waits for exactly one thing, and one timer (the stage's or the probe's end, whichever
 * is nearer) bounds it. Not here: when to probe (watch/).
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "probe/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/random.h"
#include "diagnose/diagnose.h"
#include "diagnose/what_answers.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

#define DELIVERY_US                                                                                \
	(90 * US_PER_S) /* a minute of looks (dialogue/imap_errand.c), and what they take */
#define NONCE_BYTES 18	/* 24 letters of base64, as in the examples of RFC 5802 */

static const char *const state_names[PROBE_STATE_COUNT] = {
	[PROBE_NEW] = "new",
	[PROBE_PARTING] = "parting",
	[PROBE_CONNECTING] = "connecting",
	[PROBE_PLACE] = "place",
	[PROBE_TLS] = "tls",
	[PROBE_TALKING] = "talking",
	[PROBE_SECRET] = "secret",
	[PROBE_LEAVE] = "leave",
	[PROBE_KEY] = "key",
	[PROBE_PAUSE] = "pause",
	[PROBE_DOUBTING] = "doubting",
	[PROBE_GOODBYE] = "goodbye",
	[PROBE_LOOKING] = "looking",
	[PROBE_ENDED] = "ended",
};

/* ---- state, stage, time ---- */

void
probe_enter(struct probe *probe, enum probe_state state)
{
	log_debug("probe %u.%u: %s -> %s", probe->ref.slot, probe->ref.generation,
		state_names[probe->state], state_names[state]);
	probe->state = state;
}

void
probe_arm_timer(struct probe *probe)
{
	mono_t end =
		mono_is_before(probe->stage_ends, probe->ends) ? probe->stage_ends : probe->ends;
	struct timeval wait = timeval_of(mono_since(end, mono_now()));

	event_add(&probe->timer, &wait);
}

void
probe_close_stage(struct probe *probe, mono_t now)
{
	int64_t *time_us = &probe->verdict->times_us[probe->stage];

	*time_us = (*time_us < 0 ? 0 : *time_us) + mono_since(now, probe->stage_began);
}

/* What the stage found. */
static void
put_found(const struct probe *probe, char *out, size_t size)
{
	const struct verdict *verdict = probe->verdict;
	const struct certificate *certificate = verdict->tls.certificate;

	if (probe->stage == STAGE_CONNECT && verdict->address)
		snprintf(out, size, "%s", verdict->address);
	else if (probe->stage == STAGE_TLS && certificate)
		snprintf(out, size, "%s, %s", verdict->tls.version,
			certificate->subject ? certificate->subject : "");
	else if (probe->stage == STAGE_TLS)
		snprintf(out, size, "%s", verdict->tls.version);
}

static void
tell_passed(struct probe *probe)
{
	struct probes *probes = probe->probes;
	struct probe_step step = { .stage = probe->stage };

	if (!probe->is_traced || !probes->calls.passed || probe->told & 1u << probe->stage)
		return;
	probe->told |= 1u << probe->stage;
	step.took_us = probe->verdict->times_us[probe->stage];
	put_found(probe, step.detail, sizeof(step.detail));
	probes->calls.passed(probes->owner, probe->token, &step);
}

/* A stage's timer begins with the stage, never anew by bytes that come (H2-06, H3-22). */
static void
enter_stage(struct probe *probe, enum stage stage)
{
	mono_t now = mono_now();

	if (stage == probe->stage)
		return;
	if (probe->stage != STAGE_CONFIG) {
		probe_close_stage(probe, now);
		tell_passed(probe);
	}
	probe->stage = stage;
	probe->stage_began = now;
	probe->stage_ends = mono_add(now, probe->endpoint->stage_timeout_us);
	if (stage == STAGE_DELIVERY)
		probe->stage_ends = probe->ends = mono_add(now, DELIVERY_US);
	probe_arm_timer(probe);
}

/* ---- the login ---- */

static void
end_no_memory(struct probe *probe)
{
	probe_end_cause(probe, probe->stage, CAUSE_LOCAL_LIMIT, "out of memory");
}

static void wake_session(struct probe *probe);

static void
on_secret(void *owner, const struct secret_answer *answer)
{
	struct probe *probe = owner;
	struct probes *probes = probe->probes;
	struct verdict *verdict = probe->verdict;

	probe->ask = NULL;
	if (answer->cause != CAUSE_OK) {
		probe_end_cause(probe, STAGE_SECRET, answer->cause, "%s", answer->detail);
		return;
	}
	if (secret_fingerprint(answer->secret, &probes->fingerprint_key, &verdict->fingerprint) !=
		ERR_OK) {
		probe_end_cause(probe, STAGE_SECRET, CAUSE_LOCAL_LIMIT, "out of memory");
		return;
	}
	verdict->has_fingerprint = true;
	if (probe->is_woken) {
		wake_session(probe);
		return;
	}
	probe->secret = secret_hold(answer->secret);
	probe->is_secret_kept = answer->is_kept;
	probe_enter(probe, PROBE_LEAVE);
	probes->calls.ask_login(probes->owner, probe->token, probe->ref, verdict->fingerprint);
}

/* The server may have gone meanwhile; reading stands still until the dialogue listens again. */
static void
ask_secret(struct probe *probe)
{
	probe_enter(probe, PROBE_SECRET);
	enter_stage(probe, STAGE_SECRET);
	stream_pause(probe->stream, true);
	if (secret_ask(probe->probes->secrets, &probe->endpoint->secret, false, on_secret, probe,
		    &probe->ask) != ERR_OK) {
		probe->ask = NULL;
		probe_end_cause(probe, STAGE_SECRET, CAUSE_LOCAL_LIMIT, "out of memory");
	}
}

static void
go_on_with_key(struct probe *probe, const struct digest *key)
{
	struct dialogue_step step = { 0 };

	dialogue_key(probe->dialogue, key, &step);
	probe_handle_step(probe, &step);
}

static void
on_key(void *owner, enum err err, const struct digest *key)
{
	struct probe *probe = owner;

	probe->key_ask = NULL;
	if (err == ERR_OK)
		go_on_with_key(probe, key);
	else
		end_no_memory(probe);
}

/* The rounds are work of ours with the secret: their time is no time of the server's. */
static void
ask_key(struct probe *probe, const struct scram_need *need)
{
	struct digest key;
	enum err err = keys_ask(probe->probes->keys, probe->secret, probe->verdict->fingerprint,
		need, &key, on_key, probe, &probe->key_ask);

	switch (err) {
	case ERR_OK:
		go_on_with_key(probe, &key);
		bytes_wipe(&key, sizeof(key));
		break;
	case ERR_MORE:
		probe_enter(probe, PROBE_KEY);
		enter_stage(probe, STAGE_SECRET);
		stream_pause(probe->stream, true);
		break;
	case ERR_LIMIT:
		probe_end_void(probe, "too many salted passwords (SCRAM) wait to be made");
		break;
	default:
		end_no_memory(probe);
	}
}

/* ---- the dialogue's steps ---- */

static void
start_tls(struct probe *probe)
{
	const struct endpoint *endpoint = probe->endpoint;
	struct tls_settings settings = {
		.name = endpoint->tls_name ? endpoint->tls_name : endpoint->host,
		.ca_file = endpoint->ca_file,
		.least = endpoint->tls_min,
		.key_sha256 = endpoint->has_key_sha256 ? endpoint->key_sha256 : NULL,
		.host = endpoint->host,
		.port = endpoint->port,
		.now = mono_now(),
	};
	struct fault why = { "" };
	enum err err;

	/* Came before our hello, so before TLS: from anyone (CVE-2011-0411). H1-01 */
	if (endpoint->security == SECURITY_STARTTLS && stream_has_unread(probe->stream)) {
		probe_end_cause(probe, STAGE_STARTTLS, CAUSE_STARTTLS_TAMPERED,
			"bytes behind the reply to STARTTLS");
		return;
	}
	probe_enter(probe, PROBE_TLS);
	enter_stage(probe, STAGE_TLS);
	err = stream_start_tls(probe->stream, probe->probes->tls, &settings, &why);
	switch (err) {
	case ERR_OK:
		break;
	case ERR_MEMORY:
	case ERR_DESCRIPTORS:
		probe_end_cause(probe, STAGE_TLS, CAUSE_LOCAL_LIMIT, "%s", why.text);
		break;
	case ERR_CONFLICT:
		probe_end_cause(probe, STAGE_TLS, CAUSE_PROTOCOL_ERROR, "%s", why.text);
		break;
	default: /* the ca_file */
		probe_end_cause(probe, STAGE_CONFIG, CAUSE_CONFIG_INVALID, "%s", why.text);
		break;
	}
}

static void
begin_pause(struct probe *probe)
{
	struct timeval wait = timeval_of(DIALOGUE_PAUSE_US);

	probe_enter(probe, PROBE_PAUSE);
	stream_pause(probe->stream, true);
	event_add(&probe->pause, &wait);
}

void
probe_on_pause(evutil_socket_t fd, short what, void *owner)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	(void)fd;
	(void)what;
	dialogue_pause_over(probe->dialogue, &step);
	probe_handle_step(probe, &step);
}

/* Does what the dialogue asks for, and no more: the next thing comes from the loop. */
void
probe_handle_step(struct probe *probe, const struct dialogue_step *step)
{
	if (step->want == DIALOGUE_WANT_END) {
		probe_end_dialogue(probe, step);
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
		if (probe->state != PROBE_TALKING)
			probe_enter(probe, PROBE_TALKING);
		stream_pause(probe->stream, false);
		break;
	case DIALOGUE_WANT_TLS:
		start_tls(probe);
		break;
	case DIALOGUE_WANT_LOGIN:
		ask_secret(probe);
		break;
	case DIALOGUE_WANT_KEY:
		ask_key(probe, &step->key);
		break;
	case DIALOGUE_WANT_REST:
		probe_end_at_rest(probe);
		break;
	case DIALOGUE_WANT_PAUSE:
		begin_pause(probe);
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
	probe_handle_step(probe, &step);
}

static void
on_tls_started(void *owner)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	tls_facts(stream_tls(probe->stream), &probe->verdict->tls);
	dialogue_tls_started(probe->dialogue, &step);
	probe_handle_step(probe, &step);
}

/* Once, from the beginning: the server may have minded the ticket alone, which says nothing about
 * the mailbox (H1-33). */
static bool
try_without_ticket(struct probe *probe)
{
	struct tls *tls = stream_tls(probe->stream);

	if (probe->is_second_try || !tls || !tls_doubt_session(tls))
		return false;
	log_debug(
		"probe %u.%u: once more, without a ticket", probe->ref.slot, probe->ref.generation);
	probe->is_second_try = true;
	stream_free(probe->stream);
	probe->stream = NULL;
	dialogue_free(probe->dialogue);
	probe->dialogue = NULL;
	verdict_forget_tls(probe->verdict);
	probe_start(probe);
	return true;
}

static void
on_lost(void *owner, int error)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	if (try_without_ticket(probe))
		return;
	dialogue_closed(probe->dialogue, &step);
	probe_end_dialogue(probe, &step);
	if (error != 0 && probe->verdict->cause == CAUSE_CONNECTION_LOST && !probe->verdict->detail)
		verdict_detail(probe->verdict, "%s", strerror(error));
}

static void
end_clear_text(struct probe *probe, struct bytes heard, const char *detail)
{
	diagnose_clear_text(probe->endpoint, heard, detail, probe->verdict);
	probe_end_diagnosed(probe);
}

static void
on_tls_failed(void *owner, const struct tls_failure *why)
{
	struct probe *probe = owner;
	struct dialogue_step step = { 0 };

	if (try_without_ticket(probe))
		return;
	switch (why->kind) {
	case TLS_FAILURE_PLAIN:
		end_clear_text(probe, tls_heard(stream_tls(probe->stream)), why->detail);
		break;
	case TLS_FAILURE_CERTIFICATE:
	case TLS_FAILURE_HANDSHAKE:
	case TLS_FAILURE_LATE:
		probe_end_cause(probe, STAGE_TLS, why->cause, "%s", why->detail);
		break;
	case TLS_FAILURE_LOST:
	case TLS_FAILURE_BROKEN:
	case TLS_FAILURE_KIND_COUNT:
		if (probe->state == PROBE_TLS) {
			probe_end_cause(probe, STAGE_TLS, why->cause, "%s", why->detail);
			break;
		}
		/* In the middle of the dialogue: what it heard so far is worth keeping. */
		dialogue_closed(probe->dialogue, &step);
		probe_end_dialogue(probe, &step);
		if (probe->verdict->cause == CAUSE_CONNECTION_LOST) {
			probe->verdict->cause = why->cause;
			probe->verdict->is_transient = cause_has(why->cause, CAUSE_TRANSIENT);
			verdict_detail(probe->verdict, "%s", why->detail);
		}
		break;
	}
}

static void open_own(struct probe *probe);

static void
on_gone(void *owner)
{
	struct probe *probe = owner;

	if (probe->state == PROBE_PARTING)
		open_own(probe);
	else if (!probe_look(probe))
		probe_end(probe);
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
		.errand = probe->errand,
		.may_rest = probe->may_keep,
	};
	struct dialogue_step step = { 0 };
	struct buf nonce = { 0 };
	uint8_t chance[NONCE_BYTES];

	random_fill(chance, sizeof(chance));
	buf_put_base64(&nonce, (struct bytes){ (const char *)chance, sizeof(chance) });
	settings.nonce = buf_bytes(&nonce);
	if (buf_err(&nonce) != ERR_OK || dialogue_new(&settings, &probe->dialogue) != ERR_OK) {
		probe->dialogue = NULL;
		end_no_memory(probe);
	} else {
		dialogue_start(probe->dialogue, &step);
		probe_handle_step(probe, &step);
	}
	buf_done(&nonce);
}

static void
on_resolved(void *owner)
{
	enter_stage(owner, STAGE_CONNECT);
}

/* ---- limits hold for the address as well (contract 3) */

/* True: it may go on at once. */
static bool
has_place(struct probe *probe, const struct address *address)
{
	struct probes *probes = probe->probes;
	char key[ADDRESS_KEY_ROOM];

	address_key(address, key);
	if (!probes->calls.ask_connect || strcmp(key, probe->address) == 0)
		return true;
	memcpy(probe->address, key, sizeof(key));
	probe_enter(probe, PROBE_PLACE);
	probes->calls.ask_connect(probes->owner, probe->token, probe->ref, key);
	return false;
}

static bool
on_may_try(void *owner, const struct address *address)
{
	return has_place(owner, address);
}

void
probe_place(struct probe *probe, bool is_allowed)
{
	if (!is_allowed) {
		probe_end_void(probe, "all connections that limits allow to its address are taken");
	} else if (probe->way) {
		probe_enter(probe, PROBE_CONNECTING);
		way_go(probe->way);
	} else {
		stream_pause(probe->stream, false); /* start_stream() did */
		start_dialogue(probe);
	}
}

static const struct stream_calls stream_calls = {
	.received = on_received,
	.tls_started = on_tls_started,
	.tls_failed = on_tls_failed,
	.lost = on_lost,
	.gone = on_gone,
};

static void
end_unconnected(struct probe *probe, const struct way_end *end)
{
	probe->verdict->lack = end->lack;
	probe_end_cause(probe, end->stage, end->cause, "%s", end->detail);
}

/* fd is connected to the server, by whatever way; address: at this one, NULL: a proxy knows. */
static void
start_stream(struct probe *probe, int fd, const struct address *address)
{
	if (stream_new(probe->probes->base, fd, &stream_calls, probe, &probe->stream) != ERR_OK) {
		probe->stream = NULL;
		close(fd);
		end_no_memory(probe);
		return;
	}
	/* Another address may have answered than the first one tried. */
	if (!address || has_place(probe, address))
		start_dialogue(probe);
	else
		stream_pause(probe->stream, true);
}

static void
on_way_ended(void *owner, const struct way_end *end)
{
	struct probe *probe = owner;

	probe->way = NULL;
	if (end->cause != CAUSE_OK) {
		end_unconnected(probe, end);
		return;
	}
	if (end->has_address)
		keep_address(probe, &end->address);
	if (end->note[0] != '\0')
		verdict_note(probe->verdict, "%s", end->note);
	start_stream(probe, end->fd, end->has_address ? &end->address : NULL);
}

/* H3-15: is this a server with a choice of families? */
static bool
has_two_families(const struct endpoint *endpoint)
{
	return endpoint->family == FAMILY_ANY && endpoint->proxy.kind == PROXY_NONE &&
	       !endpoint->is_address;
}

static void
connect_own(struct probe *probe)
{
	static const struct way_calls calls = {
		.resolved = on_resolved, .ended = on_way_ended, .may_try = on_may_try
	};
	const struct endpoint *endpoint = probe->endpoint;
	bool is_ipv4_first = has_two_families(endpoint) &&
			     stalls_has(&probe->probes->stalls, endpoint->host, probe->began);

	probe_enter(probe, PROBE_CONNECTING);
	enter_stage(probe, STAGE_DNS);
	if (is_ipv4_first)
		verdict_note(probe->verdict, "IPv4 was tried first: TLS stalled over IPv6 lately");
	if (way_start(probe->probes->base, probe->probes->resolver, endpoint, endpoint->port,
		    is_ipv4_first, &calls, probe, &probe->way) != ERR_OK) {
		probe->way = NULL;
		probe_end_cause(probe, STAGE_DNS, CAUSE_LOCAL_LIMIT, "out of memory");
	}
}

/* ---- a session that was kept ---- */

/* It is parted from: nothing of it is left. */
static void
open_own(struct probe *probe)
{
	struct verdict *verdict = probe->verdict;

	stream_free(probe->stream);
	probe->stream = NULL;
	dialogue_free(probe->dialogue);
	probe->dialogue = NULL;
	session_done(&probe->session);
	free(verdict->address);
	verdict->address = NULL;
	verdict->has_fingerprint = false;
	connect_own(probe);
}

static void
part_unused(struct probe *probe, const char *why)
{
	struct dialogue_step step = { 0 };

	dialogue_timeout(probe->dialogue, &step);
	probe_part(probe, step.send, why);
}

/* A server that is silent must leave time for a session of our own (H2-48). */
static void
wake_session(struct probe *probe)
{
	struct dialogue_step step = { 0 };
	mono_t most;

	if (probe->session.has_fingerprint &&
		!fingerprint_equal(probe->session.fingerprint, probe->verdict->fingerprint)) {
		part_unused(probe, "the secret is another than that of the kept session");
		return;
	}
	dialogue_wake(probe->dialogue, probe->may_keep, &step);
	probe_handle_step(probe, &step);
	most = mono_add(mono_now(), probe->endpoint->timeout_us / 3);
	if (probe->state == PROBE_TALKING && mono_is_before(most, probe->stage_ends)) {
		probe->stage_ends = most;
		probe_arm_timer(probe);
	}
}

/* False: it is lost, and the probe begins as one without it. */
static bool
take_session(struct probe *probe)
{
	struct session *session = &probe->session;

	if (!kept_take(probe->probes, probe->session_token, session))
		return false;
	probe->stream = session->stream;
	session->stream = NULL;
	probe->dialogue = session->dialogue;
	session->dialogue = NULL;
	stream_hand_over(probe->stream, &stream_calls, probe);
	if (!probe->uses_session) {
		part_unused(probe, NULL);
		return true;
	}
	/* Watch parts from what a reload changed; a job under way meanwhile is looked at here
	 * (H2-49). */
	if (!endpoint_equal(session->endpoint, probe->endpoint)) {
		part_unused(probe, "the kept session was opened by other settings: opened anew");
		return true;
	}
	if (probe->suspend_before_us - session->suspend_before_us >= SUSPEND_LEAST_US) {
		part_unused(probe, "this machine slept: the kept session was opened anew");
		return true;
	}
	probe->is_woken = true;
	probe->verdict->address = session->address;
	session->address = NULL;
	probe->verdict->family = session->family;
	if (session->has_fingerprint)
		ask_secret(probe);
	else
		wake_session(probe);
	return true;
}

void
probe_start(struct probe *probe)
{
	if (probe->session_token == 0 || !take_session(probe))
		connect_own(probe);
}

/* ---- out of time ---- */

static const char *
timeout_words(const struct probe *probe)
{
	return mono_is_before(probe->ends, probe->stage_ends) ? "the probe's time is over"
							      : "the stage's time is over";
}

/* Over IPv6, with IPv4 to be had: a way that drops large packets looks so (H3-15). */
static const char *
note_stall(struct probe *probe)
{
	if (probe->verdict->family != FAMILY_IPV6)
		return "";
	if (!has_two_families(probe->endpoint))
		return " (over IPv6)";
	stalls_note(&probe->probes->stalls, probe->endpoint->host, mono_now());
	return " (over IPv6; the next probe tries IPv4 first)";
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
		probe_end_cause(probe, STAGE_TLS, CAUSE_REPLY_TIMEOUT, "%s: %s%s",
			timeout_words(probe),
			heard.len == 0 ? "no answer to our TLS hello"
				       : "the TLS handshake did not come to its end",
			note_stall(probe));
	}
	buf_done(&text);
}

static void
on_timeout(struct probe *probe)
{
	struct dialogue_step step = { 0 };
	struct way_end end;
	struct way *way = probe->way;

	switch (probe->state) {
	case PROBE_CONNECTING:
		probe->way = NULL;
		way_give_up(way, &end);
		end_unconnected(probe, &end);
		break;
	case PROBE_PLACE:
		probe_end_void(probe, "no leave to connect came in time");
		break;
	case PROBE_TLS:
		on_timeout_tls(probe);
		break;
	case PROBE_TALKING:
	case PROBE_PAUSE:
		dialogue_timeout(probe->dialogue, &step);
		probe_end_dialogue(probe, &step);
		break;
	case PROBE_SECRET:
		probe_end_cause(probe, STAGE_SECRET, CAUSE_SECRET_UNAVAILABLE,
			"%s: the secret did not come", timeout_words(probe));
		break;
	case PROBE_LEAVE:
		probe_end_void(probe, "no leave to log in came in time");
		break;
	case PROBE_KEY:
		probe_end_void(probe, "the salted password (SCRAM) was not made in time");
		break;
	case PROBE_DOUBTING:
		probe_end_doubt(probe);
		break;
	case PROBE_LOOKING:
		probe_end(probe);
		break;
	case PROBE_NEW:
	case PROBE_PARTING:
	case PROBE_GOODBYE:
	case PROBE_ENDED:
	case PROBE_STATE_COUNT:
		break;
	}
}

/* libevent's clock stands still in suspend and rounds: mono_now() decides. */
void
probe_on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct probe *probe = owner;
	mono_t now = mono_now();

	(void)fd;
	(void)what;
	if (mono_is_before(now, probe->stage_ends) && mono_is_before(now, probe->ends)) {
		probe_arm_timer(probe);
		return;
	}
	on_timeout(probe);
}
