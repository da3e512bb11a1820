/*
 * login.c: the SASL exchange of a login, whatever the protocol around it. Layer: dialogue, pure.
 * Not here: what a mechanism says (sasl.c), how a command is written (smtp.c, imap_login.c).
 */
#include "dialogue/dialogue_private.h"

#include <assert.h>

bool
dialogue_may_login(const struct dialogue *dialogue)
{
	return dialogue->is_under_tls ||
	       (dialogue->endpoint->security == SECURITY_NONE && dialogue->endpoint->insecure_auth);
}

bool
dialogue_pick(struct dialogue *dialogue, const struct sasl_offer *offer)
{
	bool is_under_tls = dialogue->is_under_tls;

	if (sasl_pick(MECHANISM_AUTO, offer, is_under_tls, &dialogue->finding.automatic) != ERR_OK)
		dialogue->finding.automatic = MECHANISM_NONE;
	return sasl_pick(dialogue->endpoint->mechanism, offer, is_under_tls,
		       &dialogue->finding.used) == ERR_OK;
}

/* Nothing was said of the login yet. */
static void
end_unfit(struct dialogue *dialogue, enum err err)
{
	if (err == ERR_SYNTAX) {
		finding_detail(&dialogue->finding,
			"%s needs a secret in UTF-8 that SASLprep (RFC 4013) takes",
			sasl_name(dialogue->finding.used));
		dialogue_end(dialogue, FINDING_SECRET_UNREADABLE, STAGE_SECRET, GOODBYE_SAID);
	} else if (err == ERR_INVALID) {
		finding_detail(&dialogue->finding,
			"%s needs a user name that SASLprep (RFC 4013) takes",
			sasl_name(dialogue->finding.used));
		dialogue_end(dialogue, FINDING_SECRET_UNFIT, dialogue->stage, GOODBYE_SAID);
	} else {
		dialogue->is_failed = true;
	}
}

bool
dialogue_start_exchange(struct dialogue *dialogue, size_t early_room)
{
	struct sasl_settings settings = {
		.mechanism = dialogue->finding.used,
		.username = bytes_of(dialogue->endpoint->username),
		.secret = dialogue->secret,
		.nonce = bytes_of(dialogue->nonce),
		.is_under_tls = dialogue->is_under_tls,
		.early_room = early_room,
	};
	enum err err = sasl_start(&dialogue->sasl, &settings);

	if (err != ERR_OK)
		end_unfit(dialogue, err);
	return err == ERR_OK;
}

static void
say(struct dialogue *dialogue, struct bytes words, struct bytes response, enum sasl_holds holds)
{
	if (dialogue->finding.side == SIDE_SMTP && response.len + 2 > SASL_MOST_LINE_BYTES) {
		finding_detail(&dialogue->finding,
			"user name and secret are too long for SMTP (RFC 4954)");
		dialogue_end(dialogue, FINDING_SECRET_UNFIT, dialogue->stage, GOODBYE_SAID);
		return;
	}
	dialogue->is_star_due = false;
	if (holds == SASL_HOLDS_NAME)
		dialogue->finding.is_name_sent = true;
	dialogue_say_response(dialogue, words, response, holds == SASL_HOLDS_SECRET);
}

const char *
dialogue_say_next(struct dialogue *dialogue, struct bytes words, struct bytes challenge)
{
	struct buf response = { 0 };
	enum sasl_holds holds = SASL_HOLDS_NOTHING;
	const char *why = NULL;

	switch (sasl_next(&dialogue->sasl, challenge, &response, &holds, &why)) {
	case ERR_OK:
		say(dialogue, words, buf_bytes(&response), holds);
		break;
	case ERR_MORE:
		dialogue->want = DIALOGUE_WANT_KEY;
		break;
	case ERR_LIMIT:
		why = "the server asks once more than the mechanism has answers";
		break;
	case ERR_SYNTAX:
		break;
	default:
		dialogue->is_failed = true;
	}
	buf_done_wiped(&response);
	return why;
}

const char *
dialogue_on_challenge(struct dialogue *dialogue, struct bytes challenge)
{
	/* Until it is answered: who goes now takes the exchange back by "*". */
	dialogue->is_star_due = true;
	return dialogue_say_next(dialogue, BYTES_NONE, challenge);
}

void
dialogue_on_key(struct dialogue *dialogue, const struct digest *salted)
{
	const char *why;

	sasl_salted(&dialogue->sasl, salted);
	why = dialogue_say_next(dialogue, BYTES_NONE, BYTES_NONE);
	assert(!why); /* nothing of the server's is read here */
	(void)why;
}
