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
	static const struct {
		const char *name;
		enum mechanism wanted;
		const char *offer;
		enum err err;
		enum mechanism mechanism;
	} rows[] = {
		{ "auto takes PLAIN", MECHANISM_AUTO, "LOGIN PLAIN", ERR_OK, MECHANISM_PLAIN },
		{ "auto, small letters", MECHANISM_AUTO, "plain", ERR_OK, MECHANISM_PLAIN },
		{ "auto takes LOGIN next", MECHANISM_AUTO, "NTLM LOGIN", ERR_OK, MECHANISM_LOGIN },
		{ "auto finds none", MECHANISM_AUTO, "NTLM GSSAPI", ERR_NOT_FOUND, MECHANISM_NONE },
		{ "login as set", MECHANISM_LOGIN, "PLAIN LOGIN", ERR_OK, MECHANISM_LOGIN },
		{ "plain as set, not there", MECHANISM_PLAIN, "LOGIN", ERR_NOT_FOUND,
			MECHANISM_NONE },
		{ "nothing offered", MECHANISM_AUTO, "", ERR_NOT_FOUND, MECHANISM_NONE },
		{ "not built yet", MECHANISM_XOAUTH2, "XOAUTH2", ERR_NOT_FOUND, MECHANISM_NONE },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sasl_offer offer = { 0 };
		enum mechanism mechanism = MECHANISM_NONE;

		unit_row(rows[i].name);
		put_offer(&offer, rows[i].offer);
		assert_int_equal(offer.is_any, rows[i].offer[0] != '\0');
		assert_err_equal(sasl_pick(rows[i].wanted, &offer, &mechanism), rows[i].err);
		assert_int_equal(mechanism, rows[i].mechanism);
	}
}

static void
test_sasl_says_its_responses(void **state)
{
	static const struct {
		const char *name;
		enum mechanism mechanism;
		bool is_early;
		const char *responses[3]; /* "!" before one that holds the secret */
	} rows[] = {
		{ "plain, RFC 4616's form", MECHANISM_PLAIN, false, { "!AHVzZXIAczNjcmV0" } },
		{ "H2-39: plain, asked again", MECHANISM_PLAIN, true,
			{ "!AHVzZXIAczNjcmV0", "!AHVzZXIAczNjcmV0" } },
		{ "H2-40: login, by position", MECHANISM_LOGIN, false,
			{ "dXNlcg==", "!czNjcmV0" } },
	};
	struct secret *secret;

	assert_ok(secret_new(BYTES("s3cret"), &secret));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sasl sasl;
		struct buf out = { 0 };
		bool is_secret = false;

		unit_row(rows[i].name);
		sasl_start(&sasl, rows[i].mechanism, BYTES("user"), secret, rows[i].is_early);
		for (size_t j = 0; rows[i].responses[j]; j++) {
			bool wants_secret = rows[i].responses[j][0] == '!';

			assert_ok(sasl_next(&sasl, &out, &is_secret));
			assert_int_equal(is_secret, wants_secret);
			assert_buf_holds(&out, bytes_of(rows[i].responses[j] + wants_secret));
		}
		assert_err_equal(sasl_next(&sasl, &out, &is_secret), ERR_LIMIT);
		assert_int_equal(out.len, 0);
		buf_done(&out);
	}
	secret_free(secret);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sasl_picks_by_settings_and_offer),
	cmocka_unit_test(test_sasl_says_its_responses),
};

UNIT_MAIN(tests)
