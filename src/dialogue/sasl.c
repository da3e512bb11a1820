/*
 * sasl.c: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login-00), CRAM-MD5 (RFC 2195), and whose
 * turn it is in SCRAM (RFC 5802). Layer: dialogue, pure. Not here: SCRAM's messages (scram.c).
 */
#include "dialogue/sasl.h"

static const char *const sasl_names[MECHANISM_COUNT] = {
	[MECHANISM_AUTO] = "",
	[MECHANISM_PLAIN] = "PLAIN",
	[MECHANISM_LOGIN] = "LOGIN",
	[MECHANISM_CRAM_MD5] = "CRAM-MD5",
	[MECHANISM_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[MECHANISM_XOAUTH2] = "XOAUTH2",
	[MECHANISM_OAUTHBEARER] = "OAUTHBEARER",
	[MECHANISM_NONE] = "",
};

const char *
sasl_name(enum mechanism mechanism)
{
	return sasl_names[mechanism];
}

void
sasl_offer_put(struct sasl_offer *offer, struct bytes name)
{
	if (name.len == 0)
		return;
	offer->is_any = true;
	for (size_t i = 0; i < MECHANISM_COUNT; i++) {
		if (bytes_equal_nocase(name, bytes_of(sasl_names[i])))
			offer->known |= 1U << i;
	}
}

static bool
sasl_is_offered(const struct sasl_offer *offer, enum mechanism mechanism)
{
	return (offer->known >> mechanism & 1) != 0;
}

#define AUTOMATIC_COUNT 5

enum err
sasl_pick(enum mechanism wanted, const struct sasl_offer *offer, bool is_under_tls,
	enum mechanism *out)
{
	static const enum mechanism under_tls[AUTOMATIC_COUNT] = { MECHANISM_PLAIN, MECHANISM_LOGIN,
		MECHANISM_SCRAM_SHA_256, MECHANISM_SCRAM_SHA_1, MECHANISM_CRAM_MD5 };
	static const enum mechanism in_clear[AUTOMATIC_COUNT] = { MECHANISM_SCRAM_SHA_256,
		MECHANISM_SCRAM_SHA_1, MECHANISM_CRAM_MD5, MECHANISM_PLAIN, MECHANISM_LOGIN };
	const enum mechanism *automatic = is_under_tls ? under_tls : in_clear;

	for (size_t i = 0; i < AUTOMATIC_COUNT; i++) {
		if ((wanted == MECHANISM_AUTO || wanted == automatic[i]) &&
			sasl_is_offered(offer, automatic[i])) {
			*out = automatic[i];
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static bool
is_scram(enum mechanism mechanism)
{
	return mechanism == MECHANISM_SCRAM_SHA_1 || mechanism == MECHANISM_SCRAM_SHA_256;
}

/* How long the client's first response is, in base64; 0: the server's challenge comes first. */
static size_t
first_len(const struct sasl *sasl)
{
	const struct sasl_settings *settings = &sasl->settings;
	size_t len;

	if (is_scram(settings->mechanism))
		len = scram_first_len(&sasl->scram);
	else if (settings->mechanism == MECHANISM_PLAIN)
		len = settings->username.len + secret_reveal(settings->secret).len + 2;
	else
		return 0;
	return (len + 2) / 3 * 4;
}

static enum err
start_scram(struct sasl *sasl)
{
	const struct sasl_settings *settings = &sasl->settings;
	enum digest_kind digest =
		settings->mechanism == MECHANISM_SCRAM_SHA_1 ? DIGEST_SHA_1 : DIGEST_SHA_256;

	if (!secret_is_preparable(settings->secret))
		return ERR_SYNTAX;
	return scram_start(&sasl->scram, digest, settings->username, settings->nonce);
}

enum err
sasl_start(struct sasl *sasl, const struct sasl_settings *settings)
{
	size_t len;

	*sasl = (struct sasl){ .settings = *settings };
	if (is_scram(settings->mechanism)) {
		enum err err = start_scram(sasl);

		if (err != ERR_OK)
			return err;
	}
	len = first_len(sasl);
	sasl->is_early = len > 0 && len <= settings->early_room;
	sasl->most_answers = is_scram(settings->mechanism)	      ? 3
			     : settings->mechanism == MECHANISM_LOGIN ? 2
								      : 1;
	/* Servers that do not know an early response ask for it: once more then (H2-39). */
	if (sasl->is_early)
		sasl->most_answers++;
	return ERR_OK;
}

void
sasl_done(struct sasl *sasl)
{
	scram_done(&sasl->scram);
	bytes_wipe(&sasl->salted, sizeof(sasl->salted));
	*sasl = (struct sasl){ 0 };
}

/* --- PLAIN, LOGIN --- */

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 2) */
static enum err
put_plain(const struct sasl *sasl, struct buf *message)
{
	struct bytes secret = secret_reveal(sasl->settings.secret);

	if (buf_reserve(message, sasl->settings.username.len + secret.len + 2)) {
		buf_put_byte(message, '\0');
		buf_put(message, sasl->settings.username);
		buf_put_byte(message, '\0');
		buf_put(message, secret);
	}
	return buf_err(message);
}

static enum err
put_login(const struct sasl *sasl, struct buf *message, enum sasl_holds *holds)
{
	if (sasl->answers == 0) {
		*holds = SASL_HOLDS_NOTHING;
		buf_put(message, sasl->settings.username);
	} else {
		buf_put(message, secret_reveal(sasl->settings.secret));
	}
	return buf_err(message);
}

/* --- challenges --- */

static enum err
decode(struct bytes challenge, struct buf *out, const char **why)
{
	enum err err;

	if (challenge.len + 2 > SASL_MOST_LINE_BYTES) {
		*why = "the server's challenge is too long";
		return ERR_SYNTAX;
	}
	err = buf_put_base64_decoded(out, challenge);
	if (err == ERR_SYNTAX)
		*why = "the server's challenge is no base64";
	else if (err == ERR_OK && out->len == 0) {
		*why = "the server's challenge is empty";
		err = ERR_SYNTAX;
	}
	return err;
}

/* --- CRAM-MD5: user name, blank, HMAC of the challenge in hex (RFC 2195 2) --- */

static enum err
put_cram(const struct sasl *sasl, struct bytes challenge, struct buf *message, const char **why)
{
	struct buf plain = { 0 };
	struct digest digest;
	enum err err = decode(challenge, &plain, why);

	if (err == ERR_OK)
		err = digest_hmac(DIGEST_MD5, secret_reveal(sasl->settings.secret),
			buf_bytes(&plain), &digest);
	buf_done(&plain);
	if (err != ERR_OK)
		return err;
	buf_put(message, sasl->settings.username);
	buf_put_byte(message, ' ');
	buf_put_hex(message, digest_bytes(DIGEST_MD5, &digest));
	return buf_err(message);
}

/* --- SCRAM --- */

static enum err
put_scram_first(struct sasl *sasl, struct buf *message, enum sasl_holds *holds)
{
	sasl->turn = SCRAM_SERVER_FIRST;
	*holds = SASL_HOLDS_NAME;
	return scram_put_first(&sasl->scram, message);
}

/* Looks at what the server says in its turn. */
static enum err
read_scram(struct sasl *sasl, struct bytes challenge, const char **why)
{
	struct buf plain = { 0 };
	enum err err = decode(challenge, &plain, why);

	if (err == ERR_OK && sasl->turn == SCRAM_SERVER_FIRST)
		err = scram_read_first(
			&sasl->scram, buf_bytes(&plain), !sasl->settings.is_under_tls, why);
	else if (err == ERR_OK)
		err = scram_read_final(&sasl->scram, buf_bytes(&plain), &sasl->is_proven, why);
	buf_done(&plain);
	return err;
}

static enum err
put_scram(struct sasl *sasl, struct bytes challenge, struct buf *message, enum sasl_holds *holds,
	const char **why)
{
	enum err err;

	switch (sasl->turn) {
	case SCRAM_FIRST:
		return put_scram_first(sasl, message, holds);
	case SCRAM_SERVER_FIRST:
		if (challenge.len == 0 && sasl->is_early && sasl->answers == 1)
			return put_scram_first(sasl, message, holds);
		err = read_scram(sasl, challenge, why);
		if (err != ERR_OK)
			return err;
		sasl->turn = SCRAM_FINAL;
		return ERR_MORE;
	case SCRAM_FINAL:
		sasl->turn = SCRAM_SERVER_FINAL;
		return scram_put_final(&sasl->scram, &sasl->salted, message);
	case SCRAM_SERVER_FINAL:
		sasl->turn = SCRAM_OVER;
		*holds = SASL_HOLDS_NOTHING;
		return read_scram(sasl, challenge, why);
	case SCRAM_OVER:
		break;
	}
	return ERR_LIMIT;
}

struct scram_need
sasl_need(const struct sasl *sasl)
{
	return scram_need(&sasl->scram);
}

void
sasl_salted(struct sasl *sasl, const struct digest *salted)
{
	sasl->salted = *salted;
}

/* --- the next response --- */

enum err
sasl_next(struct sasl *sasl, struct bytes challenge, struct buf *out, enum sasl_holds *holds,
	const char **why)
{
	struct buf message = { 0 };
	enum err err;

	*holds = SASL_HOLDS_SECRET;
	if (sasl->answers == sasl->most_answers)
		return ERR_LIMIT;
	switch (sasl->settings.mechanism) {
	case MECHANISM_PLAIN:
		err = put_plain(sasl, &message);
		break;
	case MECHANISM_LOGIN:
		err = put_login(sasl, &message, holds);
		break;
	case MECHANISM_CRAM_MD5:
		err = put_cram(sasl, challenge, &message, why);
		break;
	default:
		err = put_scram(sasl, challenge, &message, holds, why);
	}
	if (err == ERR_OK) {
		sasl->answers++;
		buf_put_base64(out, buf_bytes(&message));
		err = buf_err(out);
	}
	buf_done_wiped(&message);
	return err;
}

const char *
sasl_doubt(const struct sasl *sasl, bool is_secret_sent)
{
	if (!is_secret_sent)
		return "the server accepts a login that was not made yet";
	if (is_scram(sasl->settings.mechanism) && !sasl->is_proven)
		return SCRAM_UNPROVEN;
	return NULL;
}
