/*
 * test_sasl.c: which mechanism is used, and what it says.
 */
#include "../unit.h"

#include "dialogue/sasl.h"

static void
put_offer(struct sasl_offer *offer, const char *list)
{
	struct bytes rest = bytes_of(list);

	while (rest.len > 0)
		sasl_offer_put(offer, bytes_next_word(&rest));
}

static void
test_sasl_picks_by_settings_and_offer(void **state)
{
	static const char all[] = "CRAM-MD5 SCRAM-SHA-1 LOGIN SCRAM-SHA-256 PLAIN";
	static const struct {
		const char *name;
		enum mechanism wanted;
		bool is_under_tls;
		const char *offer;
		enum err err;
		enum mechanism mechanism;
	} rows[] = {
		{ "TLS: PLAIN", MECHANISM_AUTO, true, all, ERR_OK, MECHANISM_PLAIN },
		{ "TLS, small letters", MECHANISM_AUTO, true, "plain", ERR_OK, MECHANISM_PLAIN },
		{ "TLS: LOGIN next", MECHANISM_AUTO, true, "SCRAM-SHA-256 LOGIN", ERR_OK,
			MECHANISM_LOGIN },
		{ "TLS: SCRAM-SHA-256 next", MECHANISM_AUTO, true,
			"CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", ERR_OK, MECHANISM_SCRAM_SHA_256 },
		{ "TLS: SCRAM-SHA-1 next", MECHANISM_AUTO, true, "CRAM-MD5 SCRAM-SHA-1", ERR_OK,
			MECHANISM_SCRAM_SHA_1 },
		{ "TLS: CRAM-MD5 last", MECHANISM_AUTO, true, "NTLM CRAM-MD5", ERR_OK,
			MECHANISM_CRAM_MD5 },
		{ "clear: SCRAM-SHA-256", MECHANISM_AUTO, false, all, ERR_OK,
			MECHANISM_SCRAM_SHA_256 },
		{ "clear: SCRAM-SHA-1 next", MECHANISM_AUTO, false, "PLAIN CRAM-MD5 SCRAM-SHA-1",
			ERR_OK, MECHANISM_SCRAM_SHA_1 },
		{ "clear: CRAM-MD5 next", MECHANISM_AUTO, false, "PLAIN LOGIN CRAM-MD5", ERR_OK,
			MECHANISM_CRAM_MD5 },
		{ "clear: PLAIN next", MECHANISM_AUTO, false, "LOGIN PLAIN", ERR_OK,
			MECHANISM_PLAIN },
		{ "clear: LOGIN last", MECHANISM_AUTO, false, "LOGIN", ERR_OK, MECHANISM_LOGIN },
		{ "auto finds none", MECHANISM_AUTO, true, "NTLM SCRAM-SHA-256-PLUS", ERR_NOT_FOUND,
			MECHANISM_NONE },
		{ "login as set", MECHANISM_LOGIN, true, all, ERR_OK, MECHANISM_LOGIN },
		{ "plain as set, in clear", MECHANISM_PLAIN, false, all, ERR_OK, MECHANISM_PLAIN },
		{ "plain as set, not there", MECHANISM_PLAIN, true, "LOGIN CRAM-MD5", ERR_NOT_FOUND,
			MECHANISM_NONE },
		{ "nothing offered", MECHANISM_AUTO, true, "", ERR_NOT_FOUND, MECHANISM_NONE },
		{ "not built yet", MECHANISM_XOAUTH2, true, "XOAUTH2", ERR_NOT_FOUND,
			MECHANISM_NONE },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sasl_offer offer = { 0 };
		enum mechanism mechanism = MECHANISM_NONE;

		unit_row(rows[i].name);
		put_offer(&offer, rows[i].offer);
		assert_int_equal(offer.is_any, rows[i].offer[0] != '\0');
		assert_err_equal(
			sasl_pick(rows[i].wanted, &offer, rows[i].is_under_tls, &mechanism),
			rows[i].err);
		assert_int_equal(mechanism, rows[i].mechanism);
	}
}

static void
test_sasl_says_its_responses(void **state)
{
	static const struct {
		const char *name;
		enum mechanism mechanism;
		size_t early_room;
		const char *responses[3]; /* "!" before one that holds the secret */
	} rows[] = {
		{ "plain, RFC 4616's form", MECHANISM_PLAIN, 0, { "!AHVzZXIAczNjcmV0" } },
		{ "H2-39: plain, asked again", MECHANISM_PLAIN, 16,
			{ "!AHVzZXIAczNjcmV0", "!AHVzZXIAczNjcmV0" } },
		{ "H2-45: plain, no room", MECHANISM_PLAIN, 15, { "!AHVzZXIAczNjcmV0" } },
		{ "H2-40: login, by position", MECHANISM_LOGIN, 500, { "dXNlcg==", "!czNjcmV0" } },
	};
	struct secret *secret;

	assert_ok(secret_new(BYTES("s3cret"), &secret));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sasl_settings settings = { .mechanism = rows[i].mechanism,
			.username = BYTES("user"),
			.secret = secret,
			.is_under_tls = true,
			.early_room = rows[i].early_room };
		struct sasl sasl;
		struct buf out = { 0 };
		enum sasl_holds holds = SASL_HOLDS_NOTHING;
		const char *why = NULL;

		unit_row(rows[i].name);
		assert_ok(sasl_start(&sasl, &settings));
		for (size_t j = 0; rows[i].responses[j]; j++) {
			bool wants_secret = rows[i].responses[j][0] == '!';

			assert_ok(sasl_next(&sasl, BYTES("no base64"), &out, &holds, &why));
			assert_int_equal(
				holds, wants_secret ? SASL_HOLDS_SECRET : SASL_HOLDS_NOTHING);
			assert_buf_holds(&out, bytes_of(rows[i].responses[j] + wants_secret));
		}
		assert_err_equal(sasl_next(&sasl, BYTES_NONE, &out, &holds, &why), ERR_LIMIT);
		assert_int_equal(out.len, 0);
		buf_done(&out);
		sasl_done(&sasl);
	}
	secret_free(secret);
}

/* H4-17 */
static void
test_sasl_prepares_for_scram_alone(void **state)
{
	static const struct {
		const char *name;
		enum mechanism mechanism;
		const char *username;
		const char *secret;
		enum err err;
	} rows[] = {
		{ "PLAIN takes Latin-1", MECHANISM_PLAIN, "user", "\xfc", ERR_OK },
		{ "CRAM-MD5 takes Latin-1", MECHANISM_CRAM_MD5, "user", "\xfc", ERR_OK },
		{ "SCRAM: Latin-1", MECHANISM_SCRAM_SHA_1, "user", "\xfc", ERR_SYNTAX },
		{ "SCRAM: UTF-8", MECHANISM_SCRAM_SHA_1, "user", "\xc3\xbc", ERR_OK },
		{ "SCRAM: a control among letters", MECHANISM_SCRAM_SHA_1, "user", "\xc3\xbc\x07",
			ERR_SYNTAX },
		{ "SCRAM: a user name of both directions", MECHANISM_SCRAM_SHA_256,
			"\xd8\xa7"
			"1",
			"pencil", ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret;
		struct sasl sasl;
		struct sasl_settings settings = { .mechanism = rows[i].mechanism,
			.username = bytes_of(rows[i].username),
			.nonce = BYTES("abc") };

		unit_row(rows[i].name);
		assert_ok(secret_new(bytes_of(rows[i].secret), &secret));
		settings.secret = secret;
		assert_err_equal(sasl_start(&sasl, &settings), rows[i].err);
		sasl_done(&sasl);
		secret_free(secret);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sasl_picks_by_settings_and_offer),
	cmocka_unit_test(test_sasl_says_its_responses),
	cmocka_unit_test(test_sasl_prepares_for_scram_alone),
};

UNIT_MAIN(tests)
