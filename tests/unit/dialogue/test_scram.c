/*
 * test_scram.c: SCRAM's messages: the RFCs' own examples, and every server's first message that
 * must not get a proof (H2-41, H2-42).
 */
#include "../unit.h"

#include "dialogue/scram.h"

#include <time.h>

#include "base/secret.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="

static void
begin(struct scram *scram, enum digest_kind digest, const char *username, const char *nonce)
{
	assert_ok(scram_start(scram, digest, bytes_of(username), bytes_of(nonce)));
}

static void
test_scram_says_what_the_rfcs_say(void **state)
{
	static const struct {
		const char *name;
		enum digest_kind digest;
		const char *nonce;
		const char *first;
		const char *server_first;
		const char *final;
		const char *server_final;
	} rows[] = {
		{ "RFC 5802 5", DIGEST_SHA_1, "fyko+d2lbbFgONRv9qkxdawL",
			"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
		{ "RFC 7677 3", DIGEST_SHA_256, NONCE, "n,,n=user,r=" NONCE,
			"r=" SERVER_NONCE ",s=" SALT ",i=4096",
			"c=biws,r=" SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	};
	struct secret *secret;

	assert_ok(secret_new(BYTES("pencil"), &secret));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct scram scram;
		struct scram_need need;
		struct digest salted;
		struct buf out = { 0 };
		const char *why = NULL;
		bool is_proven = false;

		unit_row(rows[i].name);
		begin(&scram, rows[i].digest, "user", rows[i].nonce);
		assert_ok(scram_put_first(&scram, &out));
		assert_int_equal(out.len, scram_first_len(&scram));
		assert_buf_holds(&out, bytes_of(rows[i].first));
		assert_ok(scram_read_first(&scram, bytes_of(rows[i].server_first), true, &why));
		need = scram_need(&scram);
		assert_int_equal(need.iterations, 4096);
		assert_ok(secret_salt(secret, need.digest, need.salt, need.iterations, &salted));
		assert_ok(scram_put_final(&scram, &salted, &out));
		assert_buf_holds(&out, bytes_of(rows[i].final));
		assert_ok(
			scram_read_final(&scram, bytes_of(rows[i].server_final), &is_proven, &why));
		assert_true(is_proven);
		buf_done(&out);
		scram_done(&scram);
	}
	secret_free(secret);
}

static void
test_scram_escapes_and_prepares_the_user_name(void **state)
{
	static const struct {
		const char *name;
		const char *username;
		const char *first;
	} rows[] = {
		{ "as it is", "ann@example.com", "n,,n=ann@example.com,r=x" },
		{ "H2-30: = and ,", "a=b,c\"\\", "n,,n=a=3Db=2Cc\"\\,r=x" },
		{ "decomposed", "u\xcc\x88", "n,,n=\xc3\xbc,r=x" },
		{ "composed", "\xc3\xbc", "n,,n=\xc3\xbc,r=x" },
		{ "a soft hyphen is nothing (RFC 4013 3)", "I\xc2\xadX", "n,,n=IX,r=x" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct scram scram;
		struct buf out = { 0 };

		unit_row(rows[i].name);
		begin(&scram, DIGEST_SHA_1, rows[i].username, "x");
		assert_ok(scram_put_first(&scram, &out));
		assert_buf_holds(&out, bytes_of(rows[i].first));
		buf_done(&out);
		scram_done(&scram);
	}
}

static void
test_scram_refuses_a_first_message(void **state)
{
	static const struct {
		const char *name;
		const char *message;
		bool is_in_clear;
		enum err err;
	} rows[] = {
		{ "good", "r=" NONCE "x,s=" SALT ",i=4096", false, ERR_OK },
		{ "good, with extensions", "r=" NONCE "x,s=" SALT ",i=4096,x=y", false, ERR_OK },
		{ "one round under TLS", "r=" NONCE "x,s=" SALT ",i=1", false, ERR_OK },
		{ "H2-41: 100,000", "r=" NONCE "x,s=" SALT ",i=100000", false, ERR_OK },
		{ "H2-41: 100,001", "r=" NONCE "x,s=" SALT ",i=100001", false, ERR_SYNTAX },
		{ "H2-41: 2^32 - 1", "r=" NONCE "x,s=" SALT ",i=4294967295", false, ERR_SYNTAX },
		{ "H2-41: 2^32 + 1", "r=" NONCE "x,s=" SALT ",i=4294967297", false, ERR_SYNTAX },
		{ "H2-41: beyond 64 bit", "r=" NONCE "x,s=" SALT ",i=99999999999999999999", false,
			ERR_SYNTAX },
		{ "H2-41: 0", "r=" NONCE "x,s=" SALT ",i=0", false, ERR_SYNTAX },
		{ "H2-41: -1", "r=" NONCE "x,s=" SALT ",i=-1", false, ERR_SYNTAX },
		{ "H2-41: 4096x", "r=" NONCE "x,s=" SALT ",i=4096x", false, ERR_SYNTAX },
		{ "H2-41: no number", "r=" NONCE "x,s=" SALT ",i=", false, ERR_SYNTAX },
		{ "H2-41: 04096", "r=" NONCE "x,s=" SALT ",i=04096", false, ERR_SYNTAX },
		{ "H2-41: 1 in clear", "r=" NONCE "x,s=" SALT ",i=1", true, ERR_SYNTAX },
		{ "H2-41: 4095 in clear", "r=" NONCE "x,s=" SALT ",i=4095", true, ERR_SYNTAX },
		{ "H2-41: 4096 in clear", "r=" NONCE "x,s=" SALT ",i=4096", true, ERR_OK },
		{ "H2-42: another nonce", "r=abcdef,s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "H2-42: our nonce alone", "r=" NONCE ",s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "H2-42: a part of ours", "r=rOpr,s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "H2-42: a comma", "r=" NONCE ",x,s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "H2-42: not printable", "r=" NONCE "\x01,s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "H2-42: no salt", "r=" NONCE "x,s=,i=4096", false, ERR_SYNTAX },
		{ "H2-42: a salt in no base64", "r=" NONCE "x,s=W22Z!,i=4096", false, ERR_SYNTAX },
		{ "H2-42: m=", "m=x,r=" NONCE "x,s=" SALT ",i=4096", false, ERR_SYNTAX },
		{ "no salt at all", "r=" NONCE "x,i=4096", false, ERR_SYNTAX },
		{ "another order", "s=" SALT ",r=" NONCE "x,i=4096", false, ERR_SYNTAX },
		{ "nothing", "", false, ERR_SYNTAX },
		{ "commas", ",,,", false, ERR_SYNTAX },
	};
	clock_t began = clock();

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct scram scram;
		const char *why = NULL;

		unit_row(rows[i].name);
		begin(&scram, DIGEST_SHA_256, "user", NONCE);
		assert_err_equal(scram_read_first(&scram, bytes_of(rows[i].message),
					 rows[i].is_in_clear, &why),
			rows[i].err);
		assert_int_equal(why != NULL, rows[i].err != ERR_OK);
		scram_done(&scram);
	}
	/* H2-41: nothing is computed for a server that asks for too much. */
	unit_row("all of it below 50 ms of CPU");
	assert_true(clock() - began < CLOCKS_PER_SEC / 20);
}

static void
test_scram_refuses_what_is_too_long(void **state)
{
	struct buf message = { 0 };
	struct scram scram;
	const char *why = NULL;

	begin(&scram, DIGEST_SHA_256, "user", NONCE);
	buf_put_string(&message, "r=" NONCE);
	for (size_t i = 0; i < SCRAM_MOST_NONCE_BYTES; i++)
		buf_put_byte(&message, 'x');
	buf_put_string(&message, ",s=" SALT ",i=4096");
	assert_err_equal(scram_read_first(&scram, buf_bytes(&message), false, &why), ERR_SYNTAX);
	scram_done(&scram);
	buf_done(&message);
}

/* H2-43 */
static void
test_scram_believes_no_server_without_proof(void **state)
{
	static const struct {
		const char *name;
		const char *message;
		enum err err;
	} rows[] = {
		{ "another signature",
			"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ERR_SYNTAX },
		{ "the signature's start", "v=6rriTRBi23WpRR/w", ERR_SYNTAX },
		{ "no base64", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", ERR_SYNTAX },
		{ "no signature", "v=", ERR_SYNTAX },
		{ "nothing", "", ERR_SYNTAX },
		{ "it says why it refuses", "e=invalid-proof", ERR_OK },
	};
	struct secret *secret;
	struct digest salted;
	struct scram scram;
	struct scram_need need;
	struct buf out = { 0 };
	const char *why = NULL;

	assert_ok(secret_new(BYTES("pencil"), &secret));
	begin(&scram, DIGEST_SHA_256, "user", NONCE);
	assert_ok(scram_read_first(
		&scram, BYTES("r=" SERVER_NONCE ",s=" SALT ",i=4096"), false, &why));
	need = scram_need(&scram);
	assert_ok(secret_salt(secret, need.digest, need.salt, need.iterations, &salted));
	assert_ok(scram_put_final(&scram, &salted, &out));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool is_proven = true;

		unit_row(rows[i].name);
		assert_err_equal(
			scram_read_final(&scram, bytes_of(rows[i].message), &is_proven, &why),
			rows[i].err);
		assert_false(is_proven);
	}
	buf_done(&out);
	scram_done(&scram);
	secret_free(secret);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_scram_says_what_the_rfcs_say),
	cmocka_unit_test(test_scram_escapes_and_prepares_the_user_name),
	cmocka_unit_test(test_scram_refuses_a_first_message),
	cmocka_unit_test(test_scram_refuses_what_is_too_long),
	cmocka_unit_test(test_scram_believes_no_server_without_proof),
};

UNIT_MAIN(tests)
