/* test_secret.c: what a secret may be, who owns it, and that no text shows it (H2-44, H4-05,
 * H4-16). */
#include "../unit.h"

#include "base/secret.h"

#include <pthread.h>

static struct secret *
secret_of(const char *text)
{
	struct secret *secret = NULL;

	assert_ok(secret_new(bytes_of(text), &secret));
	return secret;
}

static void
test_secret_takes_any_bytes_but_nul(void **state)
{
	static char long_bytes[64 * 1024 + 1];
	static const struct {
		const char *name;
		struct bytes bytes;
		enum err err;
	} rows[] = {
		{ .name = "empty", { "", 0 }, ERR_INVALID },
		{ .name = "none", { NULL, 0 }, ERR_INVALID },
		{ .name = "H4-05 a NUL within", { "ab\0cd", 5 }, ERR_INVALID },
		{ .name = "a NUL at the end", { "ab\0", 3 }, ERR_INVALID },
		{ .name = "blanks and Latin-1", { " \xe4 \n", 4 }, ERR_OK },
		{ .name = "the most", { long_bytes, 64 * 1024 }, ERR_OK },
		{ .name = "more", { long_bytes, 64 * 1024 + 1 }, ERR_LIMIT },
	};

	memset(long_bytes, 'x', sizeof(long_bytes));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret = NULL;

		unit_row(rows[i].name);
		assert_err_equal(secret_new(rows[i].bytes, &secret), rows[i].err);
		if (rows[i].err == ERR_OK)
			assert_bytes_equal(secret_reveal(secret), rows[i].bytes);
		else
			assert_null(secret);
		secret_free(secret);
	}
}

static void
test_secret_is_equal_by_its_bytes(void **state)
{
	struct secret *a = secret_of("s3cret"), *b = secret_of("s3cret"), *c = secret_of("s3creT"),
		      *d = secret_of("s3cret ");

	assert_true(secret_equal(a, a));
	assert_true(secret_equal(a, b));
	assert_false(secret_equal(a, c));
	assert_false(secret_equal(a, d));
	assert_false(secret_equal(a, NULL));
	assert_false(secret_equal(NULL, a));
	assert_true(secret_equal(NULL, NULL));
	secret_free(a);
	secret_free(b);
	secret_free(c);
	secret_free(d);
}

static void *
hold_and_drop(void *argument)
{
	struct secret *secret = argument;

	for (int i = 0; i < 10000; i++)
		secret_free(secret_hold(secret));
	secret_free(secret);
	return NULL;
}

/* The last owner frees; a sanitizer sees one too many or too few. */
static void
test_secret_is_shared_between_threads(void **state)
{
	struct secret *secret = secret_of("s3cret");
	pthread_t threads[4];

	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, hold_and_drop, secret_hold(secret));
	assert_bytes_equal(secret_reveal(secret), BYTES("s3cret"));
	secret_free(secret);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
}

/* RFC 4231 4.3, with its short key filled up with zeros as HMAC does. */
static void
test_secret_fingerprint_is_hmac_sha256(void **state)
{
	static const uint8_t expected[8] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e };
	struct fingerprint_key key = { "Jefe" }, other = { "Jeff" };
	struct secret *secret = secret_of("what do ya want for nothing?");
	struct fingerprint a, b;

	assert_ok(secret_fingerprint(secret, &key, &a));
	assert_memory_equal(a.bytes, expected, sizeof(expected));
	assert_ok(secret_fingerprint(secret, &other, &b));
	assert_true(fingerprint_equal(a, a));
	assert_false(fingerprint_equal(a, b));
	secret_free(secret);
}

static void
test_secret_is_masked_in_what_servers_echo(void **state)
{
	static const struct {
		const char *name;
		const char *secret, *text, *masked;
	} rows[] = {
		{ .name = "nothing to mask", "s3cret", "535 no such user", "535 no such user" },
		{ .name = "H2-44 plain",
			"s3cret",
			"535 wrong \"s3cret\"",
			"535 wrong \"<secret>\"" },
		{ .name = "H2-44 LOGIN",
			"s3cret",
			"* BAD LOGIN user s3cret",
			"* BAD LOGIN user <secret>" },
		{ .name = "H2-44 PLAIN",
			"s3cret",
			"500 what: AUTH PLAIN AHVzZXIAczNjcmV0",
			"500 what: AUTH PLAIN AHVzZXIA<secret>" },
		{ .name = "within a word", "s3cret", "xs3crety", "x<secret>y" },
		{ .name = "twice", "s3cret", "s3crets3cret s3cret", "<secret><secret> <secret>" },
		{ .name = "over itself", "abcabc", "abcabcabc.", "<secret>." },
		{ .name = "all of it", "s3cret", "s3cret", "<secret>" },
		{ .name = "cut short", "s3cret", "s3cre", "s3cre" },
		{ .name = "empty text", "s3cret", "", "" },
		{ .name = "base64 alone", "s3cret!", "334 czNjcmV0IQ== no", "334 <secret> no" },
		{ .name = "base64 behind one byte", "s3cret", "AHMzY3JldA==", "A<secret>" },
		{ .name = "base64 behind two bytes", "s3cret", "AABzM2NyZXQ=", "AA<secret>" },
		{ .name = "base64 with more behind", "s3cret", "czNjcmV0AAA=", "<secret>AAA=" },
		{ .name = "quoted",
			"a\"b\\c",
			"BAD LOGIN u \"a\\\"b\\\\c\"",
			"BAD LOGIN u \"<secret>\"" },
		{ .name = "quoted and plain",
			"a\"b\\c",
			"a\\\"b\\\\c a\"b\\c",
			"<secret> <secret>" },
		{ .name = "short, a word",
			"ab",
			"no ab, (ab) ab",
			"no <secret>, (<secret>) <secret>" },
		{ .name = "short, within words",
			"ab",
			"about absent grab 1ab ab_",
			"about absent grab 1ab ab_" },
		{ .name = "short, base64", "ab", "334 YWI=", "334 <secret>" },
		{ .name = "four bytes, anywhere", "abcd", "xabcdy", "x<secret>y" },
		{ .name = "Latin-1", "\xe4\xf6\xfc\xdf", "u \xe4\xf6\xfc\xdf", "u <secret>" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret = secret_of(rows[i].secret);
		struct buf text = { 0 };

		unit_row(rows[i].name);
		buf_put_string(&text, rows[i].text);
		secret_mask(secret, &text);
		assert_buf_holds(&text, bytes_of(rows[i].masked));
		buf_done(&text);
		secret_free(secret);
	}
}

/* Whatever stands before and behind it in the text that is encoded, no letter of its own bits
 * stays. */
static void
test_secret_is_masked_in_any_base64(void **state)
{
	static const char *const secrets[] = { "abcd", "s3cret", "s3cret!", "pass word",
		"\xff\xfe\xfd\xfc" };

	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		struct secret *secret = secret_of(secrets[i]);
		size_t len = strlen(secrets[i]);

		for (size_t before = 0; before < 9; before++) {
			for (size_t behind = 0; behind < 9; behind++) {
				/* The letters with no bit of the secret: whole at both ends. */
				size_t letters_before = 8 * before / 6;
				size_t all = (before + len + behind + 2) / 3 * 4;
				size_t end = (8 * (before + len) + 5) / 6;
				struct buf plain = { 0 }, text = { 0 }, expected = { 0 };

				for (size_t n = 0; n < before; n++)
					buf_put_byte(&plain, '\0');
				buf_put_string(&plain, secrets[i]);
				for (size_t n = 0; n < behind; n++)
					buf_put_byte(&plain, '\1');
				buf_put_base64(&text, buf_bytes(&plain));
				buf_put(&expected, bytes_first(buf_bytes(&text), letters_before));
				buf_put_string(&expected, "<secret>");
				if (behind > 0 && end < all && text.at[end] != '=')
					buf_put(&expected, bytes_from(buf_bytes(&text), end));
				secret_mask(secret, &text);
				assert_bytes_equal(buf_bytes(&text), buf_bytes(&expected));
				buf_done(&plain);
				buf_done(&text);
				buf_done(&expected);
			}
		}
		secret_free(secret);
	}
}

static void
test_secret_masks_across_a_nul_and_keeps_failure(void **state)
{
	struct secret *secret = secret_of("s3cret");
	struct buf text = { 0 };

	buf_put(&text, BYTES("a\0s3cret\0b"));
	secret_mask(secret, &text);
	assert_bytes_equal(buf_bytes(&text), BYTES("a\0<secret>\0b"));
	assert_null(buf_reserve(&text, SIZE_MAX));
	secret_mask(secret, &text);
	assert_err_equal(buf_err(&text), ERR_MEMORY);
	assert_int_equal(text.len, 0);
	buf_done(&text);
	secret_free(secret);
}

static void
test_secret_is_told_grouped_by_its_form(void **state)
{
	static const struct {
		const char *secret;
		bool is_grouped;
	} rows[] = {
		{ "abcd efgh ijkl mnop", true },
		{ "ab12 EF34 ijkl", true },
		{ "abcdefghijklmnop", false },
		{ "abcd-efgh-ijkl-mnop", false },
		{ "abcd efgh", false }, /* two words */
		{ "abcd efgh ijkl ", false },
		{ "abcd  efgh ijkl", false },
		{ "abcd efgh ijk", false },
		{ "correct horse battery staple", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret = secret_of(rows[i].secret);

		unit_row(rows[i].secret);
		assert_int_equal(secret_is_grouped(secret), rows[i].is_grouped);
		secret_free(secret);
	}
}

static void
test_secret_has_the_form_of_an_app_password(void **state)
{
	static const struct {
		const char *secret;
		bool has[SECRET_FORM_COUNT];
	} rows[] = {
		{ "abcdefghijklmnop", { true, true, true, false } },
		{ "ABCD1234efgh5678", { true, false, true, false } },
		{ "abcd-efgh-ijkl-mnop", { true, false, false, true } },
		{ "abcd-efgh-ijkl-mn1p", { true, false, false, false } },
		{ "abcdefghijklmno", { true, false, false, false } },
		{ "abcdefghijklmnopq", { true, false, false, false } },
		{ "abcd efgh ijkl mnop", { true, false, false, false } },
		{ "correct horse ba", { true, false, false, false } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret = secret_of(rows[i].secret);

		unit_row(rows[i].secret);
		for (enum secret_form form = 0; form < SECRET_FORM_COUNT; form++)
			assert_int_equal(secret_has_form(secret, form), rows[i].has[form]);
		secret_free(secret);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_secret_takes_any_bytes_but_nul),
	cmocka_unit_test(test_secret_is_equal_by_its_bytes),
	cmocka_unit_test(test_secret_is_shared_between_threads),
	cmocka_unit_test(test_secret_fingerprint_is_hmac_sha256),
	cmocka_unit_test(test_secret_is_masked_in_what_servers_echo),
	cmocka_unit_test(test_secret_is_masked_in_any_base64),
	cmocka_unit_test(test_secret_is_told_grouped_by_its_form),
	cmocka_unit_test(test_secret_has_the_form_of_an_app_password),
	cmocka_unit_test(test_secret_masks_across_a_nul_and_keeps_failure),
};

UNIT_MAIN(tests)
