/*
 * tls_verify.c: is the chain that a server presents to be believed. Layer: net.
 * Not here: what its faults mean and are called (tls_certificate.c).
 */
#include "net/tls_private.h"

/* Notes every fault and goes on, so that all are known; tls_verify_chain() fails by the notes. */
static int
on_fault(int is_ok, X509_STORE_CTX *chain)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);

	if (!is_ok)
		certificate_faults_note(&tls->faults, chain);
	return 1;
}

/* Of all that was presented: another leaf, or the same with another chain, is verified anew. */
static bool
digest_chain(X509_STORE_CTX *chain, uint8_t out[TLS_CHAIN_BYTES])
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(chain); /* the leaf first */
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool is_good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	for (int i = 0; is_good && i < sk_X509_num(sent); i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(sk_X509_value(sent, i), &der);

		is_good = len > 0 && EVP_DigestUpdate(digest, der, (size_t)len) == 1;
		OPENSSL_free(der);
	}
	is_good = is_good && EVP_DigestFinal_ex(digest, out, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return is_good;
}

int
tls_verify_chain(X509_STORE_CTX *chain, void *owner)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	uint8_t digest[TLS_CHAIN_BYTES];
	bool is_remembered = tls->memory && digest_chain(chain, digest);
	int is_good;

	(void)owner;
	tls->leaf = X509_STORE_CTX_get0_cert(chain);
	if (tls->leaf)
		X509_up_ref(tls->leaf);
	if (is_remembered &&
		tls_memory_knows(tls->memory, digest, tls->now, wall_now(), &tls->generation)) {
		/* The server proves by its signature in this handshake that the leaf is its own. */
		X509_STORE_CTX_set_error(chain, X509_V_OK);
		return 1;
	}
	/* A tls_min below 1.2 loosens the handshake, never what a certificate must be. */
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), TLS_SECURITY_LEVEL);
	X509_STORE_CTX_set_verify_cb(chain, on_fault);
	is_good = X509_verify_cert(chain);
	if (is_good != 1 || X509_STORE_CTX_get_error(chain) != X509_V_OK) {
		if (tls->faults.count == 0)
			certificate_faults_note(&tls->faults, chain);
	}
	if (tls->has_pin && tls->leaf)
		certificate_faults_note_key(&tls->faults, tls->leaf, tls->pin);
	if (certificate_faults_any(&tls->faults)) {
		X509_STORE_CTX_set_error(chain, tls->faults.count > 0
							? tls->faults.items[0].error
							: X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (is_remembered)
		tls_memory_verified(tls->memory, digest, tls->now,
			certificate_first_end(X509_STORE_CTX_get0_chain(chain)), &tls->generation);
	return 1;
}
