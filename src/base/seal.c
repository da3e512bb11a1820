/*
 * seal.c: secrets sealed and opened, by OpenSSL. Layer: base.
 */
#include "base/seal.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/file.h"
#include "base/random.h"

#define FORM 1 /* the first byte: AES-256-GCM, as seal.h has it */
#define NONCE_BYTES ((size_t)12)
#define TAG_BYTES ((size_t)16)
#define AROUND_BYTES (1 + NONCE_BYTES + TAG_BYTES)

/* ---- the key */

enum err
seal_key_read(const char *path, struct seal_key *out, struct fault *why)
{
	struct buf whole = { 0 };
	enum err err = file_read(path, SEAL_KEY_BYTES, &whole);

	if (err == ERR_OK && whole.len == SEAL_KEY_BYTES)
		memcpy(out->bytes, whole.at, SEAL_KEY_BYTES);
	else if (err == ERR_OK && whole.len < SEAL_KEY_BYTES)
		fault_set(why, "%s: %zu bytes, and a key has 32", path, whole.len);
	else if (err == ERR_LIMIT)
		fault_set(why, "%s: more than the 32 bytes of a key", path);
	else
		fault_set(why, "%s: %s", path, file_why_unreadable(err));
	if (err == ERR_LIMIT || (err == ERR_OK && whole.len != SEAL_KEY_BYTES))
		err = ERR_INVALID;
	buf_done_wiped(&whole);
	return err;
}

/* ---- the seal */

/* One context of either direction, its key, nonce and bound bytes set. NULL: no memory. */
static EVP_CIPHER_CTX *
begin(const struct seal_key *key, const uint8_t nonce[NONCE_BYTES], struct bytes bound,
	bool is_sealing)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int len;

	if (cipher && bound.len <= INT_MAX &&
		EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, nonce, is_sealing) ==
			1 &&
		EVP_CipherUpdate(cipher, NULL, &len, (const uint8_t *)bound.at, (int)bound.len) ==
			1)
		return cipher;
	EVP_CIPHER_CTX_free(cipher);
	return NULL;
}

enum err
seal_secret(const struct seal_key *key, const struct secret *secret, struct bytes bound,
	struct buf *out)
{
	struct bytes plain = secret_reveal(secret); /* at most SECRET_MOST_BYTES */
	uint8_t form = FORM, nonce[NONCE_BYTES], tag[TAG_BYTES];
	uint8_t sealed[SECRET_MOST_BYTES];
	EVP_CIPHER_CTX *cipher;
	bool is_done;
	int len = 0, rest = 0;

	random_fill(nonce, sizeof(nonce));
	cipher = begin(key, nonce, bound, true);
	is_done = cipher &&
		  EVP_EncryptUpdate(
			  cipher, sealed, &len, (const uint8_t *)plain.at, (int)plain.len) == 1 &&
		  EVP_EncryptFinal_ex(cipher, sealed + len, &rest) == 1 &&
		  EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, (int)TAG_BYTES, tag) == 1;
	EVP_CIPHER_CTX_free(cipher);
	if (!is_done)
		return ERR_MEMORY;
	buf_put(out, (struct bytes){ (const char *)&form, 1 });
	buf_put(out, (struct bytes){ (const char *)nonce, sizeof(nonce) });
	buf_put(out, (struct bytes){ (const char *)sealed, (size_t)(len + rest) });
	buf_put(out, (struct bytes){ (const char *)tag, sizeof(tag) });
	return buf_err(out);
}

enum err
unseal_secret(
	const struct seal_key *key, struct bytes sealed, struct bytes bound, struct secret **out)
{
	const uint8_t *at = (const uint8_t *)sealed.at;
	uint8_t plain[SECRET_MOST_BYTES], tag[TAG_BYTES];
	EVP_CIPHER_CTX *cipher;
	int count, len = 0, rest = 0;
	enum err err = ERR_DAMAGED;

	if (sealed.len <= AROUND_BYTES || sealed.len > AROUND_BYTES + sizeof(plain) ||
		at[0] != FORM)
		return ERR_DAMAGED;
	count = (int)(sealed.len - AROUND_BYTES);
	memcpy(tag, at + sealed.len - TAG_BYTES, TAG_BYTES);
	cipher = begin(key, at + 1, bound, false);
	if (!cipher)
		return ERR_MEMORY;
	if (EVP_DecryptUpdate(cipher, plain, &len, at + 1 + NONCE_BYTES, count) == 1 &&
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, (int)TAG_BYTES, tag) == 1 &&
		EVP_DecryptFinal_ex(cipher, plain + len, &rest) == 1)
		err = secret_new((struct bytes){ (const char *)plain, (size_t)(len + rest) }, out);
	EVP_CIPHER_CTX_free(cipher);
	bytes_wipe(plain, (size_t)count);
	return err;
}
