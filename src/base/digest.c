/*
 * digest.c: hashes and what is made of them, by OpenSSL. Layer: base.
 */
#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

size_t
digest_size(enum digest_kind kind)
{
	static const size_t sizes[DIGEST_COUNT] = {
		[DIGEST_MD5] = 16,
		[DIGEST_SHA_1] = 20,
		[DIGEST_SHA_256] = 32,
	};

	return sizes[kind];
}

static const EVP_MD *
method_of(enum digest_kind kind)
{
	switch (kind) {
	case DIGEST_MD5:
		return EVP_md5();
	case DIGEST_SHA_1:
		return EVP_sha1();
	case DIGEST_SHA_256:
	case DIGEST_COUNT:
		break;
	}
	return EVP_sha256();
}

bool
digest_equal(enum digest_kind kind, const struct digest *a, struct bytes b)
{
	return b.len == digest_size(kind) && CRYPTO_memcmp(a->bytes, b.at, b.len) == 0;
}

enum err
digest_hash(enum digest_kind kind, struct bytes text, struct digest *out)
{
	unsigned len = 0;

	if (!EVP_Digest(text.at, text.len, out->bytes, &len, method_of(kind), NULL))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

enum err
digest_hmac(enum digest_kind kind, struct bytes key, struct bytes text, struct digest *out)
{
	unsigned len = 0;

	if (key.len > INT_MAX)
		return ERR_LIMIT;
	if (!HMAC(method_of(kind), key.at ? key.at : "", (int)key.len,
		    (const unsigned char *)text.at, text.len, out->bytes, &len))
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

enum err
digest_pbkdf2(enum digest_kind kind, struct bytes secret, struct bytes salt, unsigned iterations,
	struct digest *out)
{
	if (secret.len > INT_MAX || salt.len > INT_MAX || iterations > INT_MAX)
		return ERR_LIMIT;
	if (!PKCS5_PBKDF2_HMAC(secret.at, (int)secret.len, (const unsigned char *)salt.at,
		    (int)salt.len, (int)iterations, method_of(kind), (int)digest_size(kind),
		    out->bytes))
		return ERR_MEMORY;
	return ERR_OK;
}
