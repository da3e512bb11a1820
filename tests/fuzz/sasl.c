/*
 * sasl.c: the challenges of a login (SCRAM, CRAM-MD5 and the others), a line each. Layer: tests.
 *
 * The first byte picks mechanism and settings; with its bit 128 lines are put in base64 here, as
 * the mechanisms' own texts are hard to come by behind it.
 */
#include "fuzz.h"

#include "dialogue/sasl.h"

static void
answer(struct sasl *sasl, const struct secret *secret, struct bytes line, bool is_plain)
{
	struct buf challenge = { 0 }, out = { 0 };
	enum sasl_holds holds;
	const char *why = NULL;
	enum err err;

	if (is_plain)
		buf_put_base64(&challenge, line);
	else
		buf_put(&challenge, line);
	err = sasl_next(sasl, buf_bytes(&challenge), &out, &holds, &why);
	if (err == ERR_MORE) {
		struct scram_need need = sasl_need(sasl);
		struct digest salted;

		must(need.iterations >= 1 && need.iterations <= SCRAM_MOST_ITERATIONS);
		must(need.salt.len <= SCRAM_MOST_SALT_BYTES);
		must(secret_salt(secret, need.digest, need.salt, 1, &salted) == ERR_OK);
		sasl_salted(sasl, &salted);
		err = sasl_next(sasl, buf_bytes(&challenge), &out, &holds, &why);
	}
	must(err == ERR_OK || err == ERR_SYNTAX || err == ERR_LIMIT);
	must(err != ERR_SYNTAX || why);
	must(out.len + 2 <= SASL_MOST_LINE_BYTES);
	buf_done(&challenge);
	buf_done_wiped(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum mechanism mechanisms[] = { MECHANISM_SCRAM_SHA_256, MECHANISM_CRAM_MD5,
		MECHANISM_SCRAM_SHA_1, MECHANISM_PLAIN, MECHANISM_LOGIN };
	struct sasl_settings settings = { .username = BYTES("ann@example.com"),
		.nonce = BYTES("rOprNGfwEbeRWgbNEkqO") };
	struct bytes rest = { (const char *)data, len };
	struct secret *secret;
	struct sasl sasl = { 0 };

	if (len < 1)
		return 0;
	rest = bytes_from(rest, 1);
	settings.mechanism = mechanisms[data[0] % 8 % COUNT_OF(mechanisms)];
	settings.is_under_tls = (data[0] & 32) != 0;
	settings.early_room = data[0] & 64 ? 400 : 0;
	must(secret_new(BYTES("s3cret-of-ann"), &secret) == ERR_OK);
	settings.secret = secret;
	must(sasl_start(&sasl, &settings) == ERR_OK);
	while (rest.len > 0)
		answer(&sasl, secret, fuzz_part(&rest, '\n'), data[0] & 128);
	(void)sasl_doubt(&sasl, true);
	sasl_done(&sasl);
	secret_free(secret);
	return 0;
}
