/*
 * fuzz_dialogue.h: a whole dialogue over bytes that anybody may have made up. Layer: tests.
 *
 * The first byte picks the settings, the second how the rest is cut: by that many bytes, or at each
 * 0xff byte where it is 0. What the dialogue asks for is given; at the end of the bytes the peer is
 * gone, or the time is over.
 */
#ifndef FUZZ_DIALOGUE_H
#define FUZZ_DIALOGUE_H

#include "diagnose/diagnose.h"
#include "diagnose/words.h"
#include "dialogue/dialogue.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct endpoint *
fuzz_endpoint(enum side side, unsigned settings)
{
	/* The first four as the corpora have them. */
	static const enum mechanism mechanisms[] = { MECHANISM_AUTO, MECHANISM_LOGIN,
		MECHANISM_NONE, MECHANISM_PLAIN, MECHANISM_CRAM_MD5, MECHANISM_SCRAM_SHA_1,
		MECHANISM_SCRAM_SHA_256, MECHANISM_AUTO };
	struct endpoint *endpoint = endpoint_new(side);

	if (!endpoint)
		abort();
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

			if (step->key.iterations > SCRAM_MOST_ITERATIONS ||
				secret_salt(secret, step->key.digest, step->key.salt, 1, &salted) !=
					ERR_OK)
				abort();
			dialogue_key(dialogue, &salted, step);
		} else if (rest.len > 0) {
			size_t len = fuzz_piece(rest, cut);
			char *piece = bytes_copy(bytes_first(rest, len));

			if (!piece)
				abort();
			dialogue_receive(dialogue, (struct bytes){ piece, len }, step);
			free(piece);
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
fuzz_judge_masking(const struct verdict *verdict, const struct secret *secret)
{
	for (size_t i = 0; i < verdict->reply.count; i++) {
		struct bytes line = bytes_of(verdict->reply.items[i]);
		struct buf masked = { 0 };

		buf_put(&masked, line);
		secret_mask(secret, &masked);
		if (!bytes_equal(buf_bytes(&masked), line))
			abort();
		buf_done(&masked);
	}
}

/* What must hold whatever came. */
static void
fuzz_judge(const struct endpoint *endpoint, struct dialogue *dialogue, const struct secret *given)
{
	struct verdict *verdict = verdict_new();
	struct finding finding;
	struct buf json = { 0 };

	if (!verdict)
		abort();
	dialogue_take_finding(dialogue, &finding);
	diagnose_finding(endpoint, &finding, verdict);
	if (verdict->is_ok != (verdict->stage == STAGE_DONE))
		abort();
	if (verdict->login == LOGIN_REFUSED && !cause_has(verdict->cause, CAUSE_REFUSED))
		abort();
	if (verdict->cause == CAUSE_BAD_CREDENTIALS && verdict->login != LOGIN_REFUSED)
		abort();
	if (given)
		fuzz_judge_masking(verdict, given);
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
	bool is_given;

	if (len < 2)
		return;
	endpoint = fuzz_endpoint(side, data[0]);
	settings.endpoint = endpoint;
	if (secret_new(data[0] & 64 ? BYTES("s3cr\xe9t-of-\"ann") : BYTES("s3cret-of-ann"),
		    &secret) != ERR_OK ||
		dialogue_new(&settings, &dialogue) != ERR_OK)
		abort();
	dialogue_start(dialogue, &step);
	is_given = fuzz_feed(dialogue, secret, (struct bytes){ (const char *)data + 2, len - 2 },
		data[1], &step);
	fuzz_judge(endpoint, dialogue, is_given ? secret : NULL);
	dialogue_free(dialogue);
	secret_free(secret);
	endpoint_free(endpoint);
}

#endif
