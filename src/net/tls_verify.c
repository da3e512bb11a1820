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

int
tls_verify_chain(X509_STORE_CTX *chain, void *owner)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	int is_good;

	(void)owner;
	tls->leaf = X509_STORE_CTX_get0_cert(chain);
	if (tls->leaf)
		X509_up_ref(tls->leaf);
	/* A tls_min below 1.2 loosens the handshake, never what a certificate must be. */
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), TLS_SECURITY_LEVEL);
	X509_STORE_CTX_set_verify_cb(chain, on_fault);
	is_good = X509_verify_cert(chain);
	if (is_good == 1 && tls->faults.count == 0 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
		return 1;
	if (tls->faults.count == 0)
		certificate_faults_note(&tls->faults, chain);
	X509_STORE_CTX_set_error(chain, tls->faults.items[0].error);
	return 0;
}
