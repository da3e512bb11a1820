/*
 * sasl.c: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00). Layer: dialogue, pure.
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

bool
sasl_is_offered(const struct sasl_offer *offer, enum mechanism mechanism)
{
	return (offer->known >> mechanism & 1) != 0;
}

enum err
sasl_pick(enum mechanism wanted, const struct sasl_offer *offer, enum mechanism *out)
{
	static const enum mechanism automatic[] = { MECHANISM_PLAIN, MECHANISM_LOGIN };

	for (size_t i = 0; i < COUNT_OF(automatic); i++) {
		if ((wanted == MECHANISM_AUTO || wanted == automatic[i]) &&
			sasl_is_offered(offer, automatic[i])) {
			*out = automatic[i];
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

bool
sasl_is_client_first(enum mechanism mechanism)
{
	return mechanism == MECHANISM_PLAIN;
}

void
sasl_start(struct sasl *sasl, enum mechanism mechanism, struct bytes username,
	const struct secret *secret, bool is_early)
{
	*sasl = (struct sasl){ .mechanism = mechanism, .username = username, .secret = secret };
	sasl->most_answers = mechanism == MECHANISM_LOGIN ? 2 : 1;
	/* Servers that do not know an early response ask for it: once more then (H2-39). */
	if (is_early)
		sasl->most_answers++;
}

size_t
sasl_plain_len(struct bytes username, const struct secret *secret)
{
	return (username.len + secret_reveal(secret).len + 2 + 2) / 3 * 4;
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 2) */
static enum err
put_plain(const struct sasl *sasl, struct buf *out)
{
	struct bytes secret = secret_reveal(sasl->secret);
	struct buf message = { 0 };
	enum err err;

	if (buf_reserve(&message, sasl->username.len + secret.len + 2)) {
		buf_put_byte(&message, '\0');
		buf_put(&message, sasl->username);
		buf_put_byte(&message, '\0');
		buf_put(&message, secret);
		buf_put_base64(out, buf_bytes(&message));
	}
	err = buf_err(&message);
	buf_done_wiped(&message);
	return err == ERR_OK ? buf_err(out) : err;
}

enum err
sasl_next(struct sasl *sasl, struct buf *out, bool *is_secret)
{
	if (sasl->answers == sasl->most_answers)
		return ERR_LIMIT;
	sasl->answers++;
	*is_secret = true;
	if (sasl->mechanism == MECHANISM_PLAIN)
		return put_plain(sasl, out);
	if (sasl->answers == 1) {
		buf_put_base64(out, sasl->username);
		*is_secret = false;
	} else {
		buf_put_base64(out, secret_reveal(sasl->secret));
	}
	return buf_err(out);
}
