/*
 * dialogue.h: a whole dialogue over bytes that anybody may have made up. Layer: tests.
 *
 * The first byte picks the settings, the second how the rest is cut: by that many bytes, or at each
 * 0xff byte where it is 0; with FUZZ_CUT_JUDGED the finding is diagnosed too. That takes thirty
 * times as long as the dialogue itself, since every rule for replies is tried (replies.c has them
 * as its subject). What the dialogue asks for is given; at the end of the bytes the peer is gone,
 * or the time is over.
 */
#ifndef FUZZ_DIALOGUE_H
#define FUZZ_DIALOGUE_H

#include "fuzz.h"

#include "diagnose/diagnose.h"
#include "diagnose/words.h"
#include "dialogue/dialogue.h"

#define FUZZ_CUT_JUDGED 255

static struct endpoint *
fuzz_endpoint(enum side side, unsigned settings)
{
	/* The first four as the corpora have them. */
	static const enum mechanism mechanisms[] = { MECHANISM_AUTO, MECHANISM_LOGIN,
		MECHANISM_NONE, MECHANISM_PLAIN, MECHANISM_CRAM_MD5, MECHANISM_SCRAM_SHA_1,
		MECHANISM_SCRAM_SHA_256, MECHANISM_AUTO };
	struct endpoint *endpoint = endpoint_new(side);

	must(endpoint);
	endpoint->security = settings & 1   ? SECURITY_TLS
			     : settings & 2 ? SECURITY_STARTTLS
					    : SECURITY_NONE;
	endpoint->insecure_auth = (settings & 4) != 0;
	endpoint->mechanism = mechanisms[(settings >> 3 & 3) | (settings >> 5 & 4)];
	free(endpoint->username);
	endpoint->username = bytes_copy(settings & 32 ? BYTES("\xc3\xa9\"x") : BYTES("user"));
	free(endpoint->folder);
	endpoint->folder = bytes_copy(BYTES("INBOX"));
	return endpoint;
}

/* How much comes in one piece. */
static size_t
fuzz_piece(struct bytes rest, uint8_t cut)
{
	size_t len = cut > 0 ? cut : bytes_index(rest, '\xff');

	return len < 1 ? 1 : len < rest.len ? len : rest.len;
}

/* Gives whether the secret was handed out. */
static bool
fuzz_feed(struct dialogue *dialogue, struct secret *secret, struct bytes rest, uint8_t cut,
	struct dialogue_step *step)
{
	bool is_given = false;

	while (step->want != DIALOGUE_WANT_END) {
		if (step->want == DIALOGUE_WANT_TLS) {
			dialogue_tls_started(dialogue, step);
		} else if (step->want == DIALOGUE_WANT_LOGIN && cut % 16 != 15) {
			dialogue_login(dialogue, secret, step);
			is_given = true;
		} else if (step->want == DIALOGUE_WANT_LOGIN) {
			dialogue_held(dialogue, step);
		} else if (step->want == DIALOGUE_WANT_KEY) {
			struct digest salted = { { 0 } };

			must(step->key.iterations <= SCRAM_MOST_ITERATIONS);
			must(secret_salt(secret, step->key.digest, step->key.salt, 1, &salted) ==
				ERR_OK);
			dialogue_key(dialogue, &salted, step);
		} else if (rest.len > 0) {
			size_t len = fuzz_piece(rest, cut);
			struct bytes piece = fuzz_copy(bytes_first(rest, len));

			dialogue_receive(dialogue, piece, step);
			fuzz_drop(piece);
			rest = bytes_from(rest, len);
		} else if (cut % 2 == 0) {
			dialogue_closed(dialogue, step);
		} else {
			dialogue_timeout(dialogue, step);
		}
	}
	return is_given;
}

/* A reply shows no secret that this session was given (H2-44). */
static void
fuzz_judge_masking(const struct finding *finding, const struct secret *secret)
{
	for (size_t i = 0; i < finding->reply.lines.count; i++) {
		struct bytes line = bytes_of(finding->reply.lines.items[i]);
		struct buf masked = { 0 };

		buf_put(&masked, line);
		secret_mask(secret, &masked);
		must(bytes_equal(buf_bytes(&masked), line));
		buf_done(&masked);
	}
}

/* Takes finding over. */
static void
fuzz_judge_verdict(const struct endpoint *endpoint, struct finding *finding)
{
	struct verdict *verdict = verdict_new();
	struct buf json = { 0 };

	must(verdict);
	diagnose_finding(endpoint, finding, verdict);
	must(verdict->is_ok == (verdict->stage == STAGE_DONE));
	must(verdict->login != LOGIN_REFUSED || cause_has(verdict->cause, CAUSE_REFUSED));
	must(verdict->cause != CAUSE_BAD_CREDENTIALS || verdict->login == LOGIN_REFUSED);
	verdict_put_json(&json, verdict, true, NULL);
	buf_done(&json);
	verdict_free(verdict);
}

static void
fuzz_dialogue(enum side side, const uint8_t *data, size_t len)
{
	struct dialogue_settings settings = { .helo_name = BYTES("watch.example.net"),
		.version = BYTES("0.1.0"),
		.nonce = BYTES("rOprNGfwEbeRWgbNEkqO"),
		.is_traced = true };
	struct endpoint *endpoint;
	struct dialogue *dialogue;
	struct dialogue_step step;
	struct secret *secret;
	struct finding finding;
	bool is_given;

	if (len < 2)
		return;
	endpoint = fuzz_endpoint(side, data[0]);
	settings.endpoint = endpoint;
	must(secret_new(data[0] & 64 ? BYTES("s3cr\xe9t-of-\"ann") : BYTES("s3cret-of-ann"),
		     &secret) == ERR_OK);
	must(dialogue_new(&settings, &dialogue) == ERR_OK);
	dialogue_start(dialogue, &step);
	is_given = fuzz_feed(dialogue, secret, (struct bytes){ (const char *)data + 2, len - 2 },
		data[1], &step);
	dialogue_take_finding(dialogue, &finding);
	if (is_given)
		fuzz_judge_masking(&finding, secret);
	if (data[1] == FUZZ_CUT_JUDGED)
		fuzz_judge_verdict(endpoint, &finding);
	else
		finding_done(&finding);
	dialogue_free(dialogue);
	secret_free(secret);
	endpoint_free(endpoint);
}

#endif
