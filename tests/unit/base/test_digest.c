/*
 * test_digest.c: hashes by the examples of their RFCs.
 */
#include "../unit.h"

#include "base/digest.h"

static void
test_digest_makes_what_the_rfcs_say(void **state)
{
	static const struct {
		const char *name;
		enum digest_kind kind;
		const char *key; /* NULL: the hash alone */
		const char *text;
		const char *hex;
	} rows[] = {
		{ "RFC 1321 A.5", DIGEST_MD5, NULL, "abc", "900150983cd24fb0d6963f7d28e17f72" },
		{ "RFC 3174 7.3", DIGEST_SHA_1, NULL, "abc",
			"a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "RFC 6234", DIGEST_SHA_256, NULL, "abc",
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "RFC 2195 2", DIGEST_MD5, "tanstaaftanstaaf",
			"<1896.697170952@postoffice.reston.mci.net>",
			"b913a602c7eda7a495b4e6e7334d3890" },
		{ "RFC 2202 3, 2", DIGEST_SHA_1, "Jefe", "what do ya want for nothing?",
			"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
		{ "RFC 4231 4.3", DIGEST_SHA_256, "Jefe", "what do ya want for nothing?",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bytes text = bytes_of(rows[i].text);
		struct digest digest;
		struct buf hex = { 0 };

		unit_row(rows[i].name);
		if (rows[i].key)
			assert_ok(digest_hmac(rows[i].kind, bytes_of(rows[i].key), text, &digest));
		else
			assert_ok(digest_hash(rows[i].kind, text, &digest));
		buf_put_hex(&hex, digest_bytes(rows[i].kind, &digest));
		assert_buf_holds(&hex, bytes_of(rows[i].hex));
		assert_true(
			digest_equal(rows[i].kind, &digest, digest_bytes(rows[i].kind, &digest)));
		assert_false(digest_equal(rows[i].kind, &digest, BYTES("x")));
		buf_done(&hex);
	}
}

static void
test_digest_rounds(void **state)
{
	static const struct {
		const char *name;
		unsigned iterations;
		const char *hex;
	} rows[] = {
		{ "RFC 6070, 1 round", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6" },
		{ "RFC 6070, 4096 rounds", 4096, "4b007901b765489abead49d926f721d065a429c1" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct digest digest;
		struct buf hex = { 0 };

		unit_row(rows[i].name);
		assert_ok(digest_pbkdf2(DIGEST_SHA_1, BYTES("password"), BYTES("salt"),
			rows[i].iterations, &digest));
		buf_put_hex(&hex, digest_bytes(DIGEST_SHA_1, &digest));
		assert_buf_holds(&hex, bytes_of(rows[i].hex));
		buf_done(&hex);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_digest_makes_what_the_rfcs_say),
	cmocka_unit_test(test_digest_rounds),
};

UNIT_MAIN(tests)
