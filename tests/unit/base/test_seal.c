/*
 * test_seal.c: secrets sealed: opened by the same key for the same thing, and by nothing else.
 */
#include "../unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/seal.h"

#define SUPPORT BYTES("support\0smtp")

static const struct seal_key one_key = { { 1 } }, other_key = { { 2 } };

static struct secret *
sample(struct bytes text)
{
	struct secret *secret = NULL;

	assert_ok(secret_new(text, &secret));
	return secret;
}

static void
test_seal_gives_the_secret_back(void **state)
{
	static const struct bytes rows[] = { BYTES("x"), BYTES("hunter2"),
		BYTES("two words\nand \xc3\xa9") };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct secret *secret = sample(rows[i]), *opened = NULL;
		struct buf sealed = { 0 };

		assert_ok(seal_secret(&one_key, secret, SUPPORT, &sealed));
		assert_int_equal(sealed.len, 1 + 12 + rows[i].len + 16);
		assert_ok(unseal_secret(&one_key, buf_bytes(&sealed), SUPPORT, &opened));
		assert_true(secret_equal(secret, opened));
		secret_free(secret);
		secret_free(opened);
		buf_done(&sealed);
	}
}

/* The longest that is read anywhere. */
static void
test_seal_takes_64_kib(void **state)
{
	char *text = malloc(SECRET_MOST_BYTES);
	struct secret *secret, *opened = NULL;
	struct buf sealed = { 0 };

	memset(text, 'p', SECRET_MOST_BYTES);
	secret = sample((struct bytes){ text, SECRET_MOST_BYTES });
	assert_ok(seal_secret(&one_key, secret, SUPPORT, &sealed));
	assert_ok(unseal_secret(&one_key, buf_bytes(&sealed), SUPPORT, &opened));
	assert_true(secret_equal(secret, opened));
	secret_free(secret);
	secret_free(opened);
	buf_done(&sealed);
	free(text);
}

/* The same secret twice tells nobody that it is the same. */
static void
test_seal_is_another_each_time(void **state)
{
	struct secret *secret = sample(BYTES("hunter2"));
	struct buf first = { 0 }, second = { 0 };

	assert_ok(seal_secret(&one_key, secret, SUPPORT, &first));
	assert_ok(seal_secret(&one_key, secret, SUPPORT, &second));
	assert_false(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	assert_null(memmem(first.at, first.len, "hunter2", 7));
	secret_free(secret);
	buf_done(&first);
	buf_done(&second);
}

static void
test_seal_opens_for_nothing_else(void **state)
{
	struct secret *secret = sample(BYTES("hunter2")), *opened = NULL;
	struct buf sealed = { 0 };
	struct bytes whole;

	assert_ok(seal_secret(&one_key, secret, SUPPORT, &sealed));
	whole = buf_bytes(&sealed);
	assert_err_equal(unseal_secret(&other_key, whole, SUPPORT, &opened), ERR_DAMAGED);
	assert_err_equal(
		unseal_secret(&one_key, whole, BYTES("sales\0smtp"), &opened), ERR_DAMAGED);
	assert_err_equal(unseal_secret(&one_key, whole, BYTES_NONE, &opened), ERR_DAMAGED);
	for (size_t len = 0; len < whole.len; len++)
		assert_err_equal(unseal_secret(&one_key, bytes_first(whole, len), SUPPORT, &opened),
			ERR_DAMAGED);
	for (size_t i = 0; i < whole.len; i++) {
		sealed.at[i] ^= 1;
		assert_err_equal(unseal_secret(&one_key, whole, SUPPORT, &opened), ERR_DAMAGED);
		sealed.at[i] ^= 1;
	}
	assert_null(opened);
	secret_free(secret);
	buf_done(&sealed);
}

/* H5-15 */
static void
test_seal_key_has_32_bytes(void **state)
{
	static const struct {
		size_t len;
		enum err err;
		const char *why;
	} rows[] = { { 0, ERR_INVALID, "0 bytes" }, { 31, ERR_INVALID, "31 bytes" },
		{ 32, ERR_OK, "" }, { 33, ERR_INVALID, "more than the 32 bytes" } };
	char path[] = "/tmp/seal-XXXXXX";
	int fd = mkstemp(path);
	struct seal_key key;
	struct fault why;

	close(fd);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		why.text[0] = '\0';
		assert_ok(file_write_whole(path,
			(struct bytes){ "0123456789abcdef0123456789abcdef.", rows[i].len }, 0600));
		assert_err_equal(seal_key_read(path, &key, &why), rows[i].err);
		assert_non_null(strstr(why.text, rows[i].why));
	}
	unlink(path);
	assert_err_equal(seal_key_read(path, &key, &why), ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, "no such file"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_seal_gives_the_secret_back),
	cmocka_unit_test(test_seal_takes_64_kib),
	cmocka_unit_test(test_seal_is_another_each_time),
	cmocka_unit_test(test_seal_opens_for_nothing_else),
	cmocka_unit_test(test_seal_key_has_32_bytes),
};

UNIT_MAIN(tests)
