/*
 * dialogue.c: what the two protocols share: the step, the finding, masking, the transcript. Layer:
 * dialogue, pure. Not here: grammar (smtp_reply.c, imap_response.c) and states (smtp.c, imap.c).
 *
 * Each call from outside runs the protocol until it has nothing more to read, and then makes one
 * step of what came of it. What the server says before a command has gone out answers nothing
 * (H2-10): dialogue_is_unsent().
 */
#include "dialogue/dialogue_private.h"

#include <assert.h>
#include <stdlib.h>

#include "facts/protocol.h"

/* What a verdict keeps of one line, one text; contract 7, "the few that a verdict keeps". */
#define MOST_KEPT_BYTES ((size_t)4096)
#define MOST_KEPT_CAPABILITY_BYTES ((size_t)256)
#define MOST_TRANSCRIPT_BYTES ((size_t)256 * 1024)

static const struct dialogue_protocol *const protocols[SIDE_COUNT] = {
	[SIDE_SMTP] = &smtp_protocol,
	[SIDE_IMAP] = &imap_protocol,
};

/* A word of settings that goes into a command: it ends where a blank or control would end it. */
static char *
copy_word(struct bytes word)
{
	size_t len = 0;

	while (len < word.len && (unsigned char)word.at[len] > ' ')
		len++;
	return bytes_copy(bytes_first(word, len));
}

enum err
dialogue_new(const struct dialogue_settings *settings, struct dialogue **out)
{
	const struct dialogue_protocol *protocol = protocols[settings->endpoint->side];
	struct dialogue *dialogue = protocol->make();

	if (!dialogue)
		return ERR_MEMORY;
	dialogue->protocol = protocol;
	/* The count of owners is all that changes in it. */
	dialogue->endpoint = endpoint_hold((struct endpoint *)(uintptr_t)settings->endpoint);
	dialogue->errand = errand_hold(settings->errand);
	dialogue->helo_name = copy_word(settings->helo_name);
	dialogue->version = copy_word(settings->version);
	dialogue->nonce = bytes_copy(settings->nonce);
	dialogue->is_traced = settings->is_traced;
	dialogue->may_rest = settings->may_rest;
	dialogue->finding.side = settings->endpoint->side;
	dialogue->finding.used = MECHANISM_NONE;
	dialogue->finding.automatic = MECHANISM_NONE;
	if (!dialogue->helo_name || !dialogue->version || !dialogue->nonce) {
		dialogue_free(dialogue);
		return ERR_MEMORY;
	}
	*out = dialogue;
	return ERR_OK;
}

void
dialogue_free(struct dialogue *dialogue)
{
	if (!dialogue)
		return;
	endpoint_free(dialogue->endpoint);
	errand_free(dialogue->errand);
	free(dialogue->helo_name);
	free(dialogue->version);
	free(dialogue->nonce);
	sasl_done(&dialogue->sasl);
	buf_done_wiped(&dialogue->out);
	buf_done_wiped(&dialogue->transcript);
	secret_free(dialogue->secret);
	finding_done(&dialogue->finding);
	finding_done(&dialogue->rested);
	dialogue->protocol->free(dialogue);
}

/* --- what is said and heard --- */

/* Puts text with the secret masked. */
static void
put_masked(const struct dialogue *dialogue, struct buf *out, struct bytes text)
{
	struct buf masked = { 0 };

	buf_put(&masked, text);
	if (dialogue->secret)
		secret_mask(dialogue->secret, &masked);
	if (buf_err(&masked) == ERR_OK)
		buf_put(out, buf_bytes(&masked));
	else
		out->is_failed = true;
	buf_done_wiped(&masked);
}

static void
trace(struct dialogue *dialogue, const char *who, struct bytes line)
{
	struct buf *transcript = &dialogue->transcript;
	struct buf masked = { 0 };
	struct bytes rest;

	if (!dialogue->is_traced || transcript->len > MOST_TRANSCRIPT_BYTES)
		return;
	/* Masked whole and then cut: a cut secret would not be known as one. */
	put_masked(dialogue, &masked, line);
	rest = buf_bytes(&masked);
	do {
		size_t end = bytes_index(rest, '\n');
		struct bytes shown = bytes_first(rest, end);

		/* Of a command of several lines each one. */
		if (end < rest.len && end > 0 && rest.at[end - 1] == '\r')
			shown.len--;
		buf_put_string(transcript, who);
		buf_put(transcript, bytes_first(shown, MOST_KEPT_BYTES));
		buf_put_byte(transcript, '\n');
		rest = bytes_from(rest, end + 1);
	} while (rest.len > 0);
	buf_done_wiped(&masked);
	if (transcript->len > MOST_TRANSCRIPT_BYTES)
		buf_put(transcript, BYTES("(the rest is left out)\n"));
}

void
dialogue_say(struct dialogue *dialogue, struct bytes line)
{
	buf_put(&dialogue->out, line);
	buf_put(&dialogue->out, BYTES("\r\n"));
	trace(dialogue, "C: ", line);
}

void
dialogue_say_secret(struct dialogue *dialogue, struct bytes line, struct bytes shown)
{
	buf_put(&dialogue->out, line);
	buf_put(&dialogue->out, BYTES("\r\n"));
	dialogue->is_out_secret = true;
	trace(dialogue, "C: ", shown);
}

void
dialogue_say_response(
	struct dialogue *dialogue, struct bytes words, struct bytes response, bool is_secret)
{
	struct buf line = { 0 };
	struct buf shown = { 0 };

	/* The secret goes into a buffer that does not grow under it. */
	(void)buf_reserve(&line, words.len + response.len);
	buf_put(&line, words);
	buf_put(&line, response);
	buf_put(&shown, words);
	buf_put(&shown, BYTES("<secret>"));
	if (buf_err(&line) != ERR_OK || buf_err(&shown) != ERR_OK)
		dialogue->is_failed = true;
	else if (is_secret)
		dialogue_say_secret(dialogue, buf_bytes(&line), buf_bytes(&shown));
	else
		dialogue_say(dialogue, buf_bytes(&line));
	buf_done_wiped(&line);
	buf_done(&shown);
}

void
dialogue_heard(struct dialogue *dialogue, struct bytes line)
{
	trace(dialogue, "S: ", line);
}

static void
drop_out(struct dialogue *dialogue)
{
	if (dialogue->is_out_secret)
		buf_done_wiped(&dialogue->out);
	else
		buf_clear(&dialogue->out);
	dialogue->is_out_secret = false;
}

/* --- the finding --- */

void
dialogue_keep_text(struct dialogue *dialogue, char **out, struct bytes text)
{
	struct buf masked = { 0 };

	put_masked(dialogue, &masked, text);
	free(*out);
	*out = NULL;
	if (buf_err(&masked) == ERR_OK)
		*out = text_keep(bytes_first(buf_bytes(&masked), MOST_KEPT_BYTES));
	/* Without its words a reply may mean something else: a refusal that names another reason
	 * would judge the secret (H6-19). */
	if (!*out)
		dialogue->is_failed = true;
	buf_done_wiped(&masked);
}

void
dialogue_keep_lines(struct dialogue *dialogue, struct bytes lines)
{
	struct texts *kept = &dialogue->finding.reply.lines;
	struct buf masked = { 0 };
	struct bytes rest;

	/* Whole, then cut into lines: a secret echoed over two lines is masked too. */
	put_masked(dialogue, &masked, lines);
	rest = buf_bytes(&masked);
	while (buf_err(&masked) == ERR_OK && rest.len > 0 &&
		kept->count < VERDICT_MOST_REPLY_LINES) {
		size_t end = bytes_index(rest, '\n');

		/* One for which there is no memory is not kept: the verdict stands without it. */
		if (texts_add(kept,
			    bytes_first(rest, end < MOST_KEPT_BYTES ? end : MOST_KEPT_BYTES),
			    VERDICT_MOST_REPLY_LINES) != ERR_OK)
			break;
		rest = bytes_from(rest, end + 1);
	}
	buf_done_wiped(&masked);
}

void
dialogue_keep_capability(struct dialogue *dialogue, struct bytes capability)
{
	struct texts *capabilities = &dialogue->finding.capabilities;

	if (capability.len == 0 || capabilities->count == VERDICT_MOST_CAPABILITIES)
		return;
	if (texts_add(capabilities, bytes_first(capability, MOST_KEPT_CAPABILITY_BYTES),
		    VERDICT_MOST_CAPABILITIES) != ERR_OK)
		dialogue->is_failed = true;
}

void
dialogue_note_text(struct dialogue *dialogue, const char *words, struct bytes text)
{
	char *kept = NULL;

	dialogue_keep_text(dialogue, &kept, text);
	finding_note(&dialogue->finding, "%s%s", words, kept ? kept : "");
	free(kept);
}

static void
note_line_ends(struct dialogue *dialogue)
{
	unsigned oddities = dialogue->protocol->line(dialogue)->oddities;

	if (oddities & LINE_LF_ALONE)
		finding_note(&dialogue->finding, "the server ends lines by LF alone");
	if (oddities & LINE_MANY_CR)
		finding_note(&dialogue->finding, "the server ends lines by more than one CR");
	if (oddities & LINE_LONE_CR)
		finding_note(&dialogue->finding, "the server sends a CR that ends no line");
}

/* Of all that a finding has, the capabilities alone are true of the next probe too. */
static void
begin_finding(struct dialogue *dialogue)
{
	const struct texts *known = &dialogue->rested.capabilities;

	dialogue->finding = (struct finding){
		.side = dialogue->endpoint->side,
		.used = dialogue->rested.used,
	};
	for (size_t i = 0; i < known->count; i++) {
		if (texts_add(&dialogue->finding.capabilities, bytes_of(known->items[i]),
			    VERDICT_MOST_CAPABILITIES) != ERR_OK)
			return; /* a verdict without them stands all the same */
	}
}

void
dialogue_rest(struct dialogue *dialogue)
{
	dialogue->want = DIALOGUE_WANT_REST;
	dialogue->finding.kind = FINDING_DONE;
	dialogue->finding.stage = STAGE_DONE;
	dialogue->finding.is_under_tls = dialogue->is_under_tls;
	note_line_ends(dialogue);
	dialogue->rested = dialogue->finding;
	dialogue->has_rested = true;
	dialogue->rest_bytes = 0;
	begin_finding(dialogue);
}

void
dialogue_end(
	struct dialogue *dialogue, enum finding_kind kind, enum stage stage, enum goodbye goodbye)
{
	if (dialogue_is_ended(dialogue))
		return;
	drop_out(dialogue);
	dialogue->want = DIALOGUE_WANT_END;
	dialogue->stage = stage;
	dialogue->finding.kind = kind;
	dialogue->finding.stage = kind == FINDING_DONE ? STAGE_DONE : stage;
	dialogue->finding.is_under_tls = dialogue->is_under_tls;
	note_line_ends(dialogue);
	if (goodbye == GOODBYE_SAID)
		dialogue->protocol->put_goodbye(dialogue, &dialogue->out);
	if (dialogue->out.len > 2)
		trace(dialogue,
			"C: ", bytes_first(buf_bytes(&dialogue->out), dialogue->out.len - 2));
}

void
dialogue_end_other_protocol(struct dialogue *dialogue, const char *name)
{
	finding_detail(&dialogue->finding, "%s", name);
	dialogue_end(dialogue, FINDING_OTHER_PROTOCOL, STAGE_GREETING, GOODBYE_NONE);
}

void
dialogue_end_too_long(struct dialogue *dialogue)
{
	finding_detail(&dialogue->finding, "more than %zu KiB in a line, or %zu in the session",
		DIALOGUE_MOST_LINE_BYTES / 1024, DIALOGUE_MOST_READ_BYTES / 1024);
	dialogue_end(dialogue, FINDING_TOO_LONG, dialogue_reply_stage(dialogue), GOODBYE_NONE);
}

void
dialogue_end_injected(struct dialogue *dialogue)
{
	dialogue_end(dialogue, FINDING_STARTTLS_INJECTED, STAGE_STARTTLS, GOODBYE_NONE);
}

void
dialogue_detail_offer(struct dialogue *dialogue, struct bytes start)
{
	const struct texts *capabilities = &dialogue->finding.capabilities;
	struct buf list = { 0 };

	for (size_t i = 0; i < capabilities->count; i++) {
		struct bytes capability = bytes_of(capabilities->items[i]);

		if (!bytes_starts_nocase(capability, start))
			continue;
		buf_put(&list, list.len > 0 ? BYTES(" ") : BYTES_NONE);
		buf_put(&list, bytes_trim(bytes_from(capability, strlen("AUTH="))));
	}
	if (buf_err(&list) == ERR_OK && list.len > 0)
		finding_detail(&dialogue->finding, "offered: %s", list.at);
	buf_done(&list);
}

/* --- what is seen before any protocol --- */

const char *
dialogue_other_protocol(enum side side, struct bytes line)
{
	enum protocol protocol = protocol_of_greeting(line);

	/* So little of a line says nothing. An FTP server greets by 220 as SMTP does; its answer to
	 * EHLO gives it away (smtp.c). */
	if (line.len < 3 || protocol == PROTOCOL_UNKNOWN || protocol == protocol_of_side(side) ||
		(protocol == PROTOCOL_FTP && side == SIDE_SMTP))
		return NULL;
	return protocol_name(protocol);
}

/* A TLS record where clear text was expected: alert or handshake, version 3.x (H1-16). */
static bool
is_tls_start(struct dialogue *dialogue, struct bytes received)
{
	for (size_t i = 0; i < received.len && dialogue->clear_bytes < 2; i++)
		dialogue->clear_start[dialogue->clear_bytes++] = received.at[i];
	return dialogue->clear_bytes == 2 &&
	       (dialogue->clear_start[0] == 0x15 || dialogue->clear_start[0] == 0x16) &&
	       dialogue->clear_start[1] == 0x03;
}

/* --- the calls from outside --- */

/* What was to be sent is sent. */
static void
turn_begins(struct dialogue *dialogue)
{
	assert(dialogue->is_started && !dialogue_is_ended(dialogue));
	drop_out(dialogue);
}

static void
turn_ends(struct dialogue *dialogue, struct dialogue_step *step)
{
	if (dialogue->is_failed || buf_err(&dialogue->out) != ERR_OK) {
		/* Half a command is worse than none. */
		dialogue->want = DIALOGUE_WANT_BYTES;
		dialogue_end(dialogue, FINDING_NO_MEMORY, dialogue->asked_stage, GOODBYE_NONE);
	}
	if (dialogue->is_out_secret)
		dialogue->finding.is_secret_sent = true;
	if (dialogue->want == DIALOGUE_WANT_REST)
		dialogue->protocol->rest(dialogue);
	dialogue->asked_stage = dialogue->stage;
	*step = (struct dialogue_step){
		.want = dialogue->want,
		.stage = dialogue->stage,
		.send = buf_bytes(&dialogue->out),
		.is_secret = dialogue->is_out_secret,
	};
	if (dialogue->want == DIALOGUE_WANT_KEY)
		step->key = sasl_need(&dialogue->sasl);
}

void
dialogue_start(struct dialogue *dialogue, struct dialogue_step *step)
{
	assert(!dialogue->is_started);
	dialogue->is_started = true;
	if (dialogue->endpoint->security == SECURITY_TLS) {
		dialogue->want = DIALOGUE_WANT_TLS;
		dialogue->stage = STAGE_TLS;
	} else {
		dialogue->want = DIALOGUE_WANT_BYTES;
		dialogue->protocol->begin(dialogue);
	}
	turn_ends(dialogue, step);
}

void
dialogue_receive(struct dialogue *dialogue, struct bytes received, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want != DIALOGUE_WANT_TLS);
	if (dialogue->want == DIALOGUE_WANT_REST)
		dialogue->rest_bytes += received.len;
	if (dialogue->rest_bytes > DIALOGUE_MOST_REST_BYTES)
		dialogue_end_too_long(dialogue);
	else if (!dialogue->is_under_tls && dialogue->clear_bytes < 2 &&
		 is_tls_start(dialogue, received))
		dialogue_end(dialogue, FINDING_TLS_BYTES, dialogue->stage, GOODBYE_NONE);
	else
		dialogue->protocol->receive(dialogue, received);
	turn_ends(dialogue, step);
}

void
dialogue_tls_started(struct dialogue *dialogue, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_TLS);
	dialogue->is_under_tls = true;
	dialogue->want = DIALOGUE_WANT_BYTES;
	if (dialogue->is_tls_over_starttls) {
		texts_done(&dialogue->finding.capabilities);
		dialogue->protocol->tls_started(dialogue);
	} else {
		dialogue->protocol->begin(dialogue);
	}
	turn_ends(dialogue, step);
}

void
dialogue_login(struct dialogue *dialogue, struct secret *secret, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_LOGIN);
	dialogue->secret = secret_hold(secret);
	dialogue->want = DIALOGUE_WANT_BYTES;
	dialogue->protocol->login(dialogue);
	turn_ends(dialogue, step);
}

void
dialogue_key(struct dialogue *dialogue, const struct digest *salted, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_KEY);
	dialogue->want = DIALOGUE_WANT_BYTES;
	dialogue_on_key(dialogue, salted);
	turn_ends(dialogue, step);
}

void
dialogue_held(struct dialogue *dialogue, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_LOGIN);
	dialogue_end(dialogue, FINDING_HELD, dialogue->stage, GOODBYE_SAID);
	turn_ends(dialogue, step);
}

void
dialogue_wake(struct dialogue *dialogue, bool may_rest, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_REST && !dialogue->has_rested);
	dialogue->may_rest = may_rest;
	dialogue->rest_bytes = 0;
	dialogue->protocol->line(dialogue)->total_bytes = 0; /* 1 MiB of each probe */
	dialogue->want = DIALOGUE_WANT_BYTES;
	dialogue->protocol->wake(dialogue);
	turn_ends(dialogue, step);
}

void
dialogue_pause_over(struct dialogue *dialogue, struct dialogue_step *step)
{
	turn_begins(dialogue);
	assert(dialogue->want == DIALOGUE_WANT_PAUSE);
	dialogue->want = DIALOGUE_WANT_BYTES;
	/* A minute of looking is no minute of talking: 1 MiB of each look. */
	dialogue->protocol->line(dialogue)->total_bytes = 0;
	dialogue->protocol->pause_over(dialogue);
	turn_ends(dialogue, step);
}

void
dialogue_closed(struct dialogue *dialogue, struct dialogue_step *step)
{
	turn_begins(dialogue);
	dialogue->protocol->lost(dialogue);
	dialogue_end(dialogue, FINDING_CLOSED, dialogue->stage, GOODBYE_NONE);
	drop_out(dialogue);
	turn_ends(dialogue, step);
}

void
dialogue_timeout(struct dialogue *dialogue, struct dialogue_step *step)
{
	turn_begins(dialogue);
	dialogue->protocol->lost(dialogue);
	dialogue_end(dialogue, FINDING_TIMEOUT, dialogue->stage,
		dialogue->want == DIALOGUE_WANT_TLS ? GOODBYE_NONE : GOODBYE_SAID);
	turn_ends(dialogue, step);
}

void
dialogue_take_finding(struct dialogue *dialogue, struct finding *out)
{
	struct finding *finding = dialogue->has_rested ? &dialogue->rested : &dialogue->finding;

	assert(dialogue->has_rested || dialogue_is_ended(dialogue));
	*out = *finding;
	*finding = (struct finding){ 0 };
	dialogue->has_rested = false;
}

struct bytes
dialogue_transcript(const struct dialogue *dialogue)
{
	return buf_bytes(&dialogue->transcript);
}
