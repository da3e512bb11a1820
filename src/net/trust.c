/*
 * trust.c: X509_STOREs kept by file and shared. Layer: net.
 */
#include "net/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define CA_FILE_MOST_BYTES ((size_t)4 * 1024 * 1024)
#define STORES_MOST 256 /* kept; beyond it the one asked for longest ago goes */

struct trust {
	struct trust *next;
	char *ca_file; /* NULL: the system's alone */
	struct stat seen;
	struct stat system_seen;
	X509_STORE *store;
};

/* Not const, and not in a main.c: what is shared here is read-only once made, and belongs to no
 * loop (trust.h). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct trust *stores; /* asked for last first */

static const char *
system_bundle(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian */
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
	};
	const char *named = secure_getenv(X509_get_default_cert_file_env());

	if (named)
		return named;
	if (access(X509_get_default_cert_file(), R_OK) == 0)
		return X509_get_default_cert_file();
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (access(places[i], R_OK) == 0)
			return places[i];
	}
	return NULL;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size;
}

static void
trust_free(struct trust *trust)
{
	X509_STORE_free(trust->store);
	free(trust->ca_file);
	free(trust);
}

/* Adds every certificate of a PEM text; how many there were. */
static size_t
add_pem(X509_STORE *store, struct bytes pem)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	size_t count = 0;
	X509 *certificate;

	if (!bio)
		return 0;
	while ((certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		count += X509_STORE_add_cert(store, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error(); /* the end of a PEM file is an error to OpenSSL */
	return count;
}

static void
add_store(X509_STORE *store, X509_STORE *from)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(from);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (certificate)
			X509_STORE_add_cert(store, certificate);
	}
}

static enum err
make_store(const char *ca_file, X509_STORE *base, X509_STORE **out, struct fault *why)
{
	X509_STORE *store = X509_STORE_new();
	struct buf pem = { 0 };
	enum err err = ERR_OK;

	if (!store)
		return ERR_MEMORY;
	if (!ca_file) {
		const char *bundle = system_bundle();

		/* None at all: every certificate will be untrusted, and its detail says why. */
		if (bundle && file_read(bundle, CA_FILE_MOST_BYTES, &pem) == ERR_OK)
			add_pem(store, buf_bytes(&pem));
	} else if ((err = file_read(ca_file, CA_FILE_MOST_BYTES, &pem)) != ERR_OK) {
		fault_set(why, "ca_file %s cannot be read: %s", ca_file, err_name(err));
	} else {
		add_store(store, base);
		/* Whoever names a certificate here trusts it, whether it is a root or not (contract
		 * 3). */
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		if (add_pem(store, buf_bytes(&pem)) == 0) {
			fault_set(why, "ca_file %s: no certificate in it", ca_file);
			err = ERR_SYNTAX;
		}
	}
	buf_done(&pem);
	if (err != ERR_OK) {
		X509_STORE_free(store);
		return err;
	}
	*out = store;
	return ERR_OK;
}

/* The kept store, if its files are as they were; one that is out of date goes. */
static struct trust *
find_kept(const char *ca_file, const struct stat *seen, const struct stat *system_seen)
{
	for (struct trust **link = &stores; *link; link = &(*link)->next) {
		struct trust *trust = *link;

		if (!bytes_equal(bytes_of(trust->ca_file), bytes_of(ca_file)))
			continue;
		*link = trust->next;
		if (is_same_file(&trust->seen, seen) &&
			is_same_file(&trust->system_seen, system_seen)) {
			trust->next = stores;
			stores = trust;
			return trust;
		}
		trust_free(trust);
		return NULL;
	}
	return NULL;
}

static void
drop_oldest(void)
{
	struct trust **link = &stores;

	for (size_t count = 0; *link && count < STORES_MOST; count++)
		link = &(*link)->next;
	while (*link) {
		struct trust *trust = *link;

		*link = trust->next;
		trust_free(trust);
	}
}

static enum err
find_or_make(const char *ca_file, X509_STORE *base, const struct stat *system_seen,
	struct trust **out, struct fault *why)
{
	struct stat seen = { 0 };
	struct trust *trust;
	enum err err;

	if (ca_file && stat(ca_file, &seen) != 0)
		memset(&seen, 0, sizeof(seen)); /* make_store() says why */
	trust = find_kept(ca_file, &seen, system_seen);
	if (trust) {
		*out = trust;
		return ERR_OK;
	}
	trust = calloc(1, sizeof(*trust));
	if (!trust || (ca_file && (trust->ca_file = strdup(ca_file)) == NULL)) {
		free(trust);
		return ERR_MEMORY;
	}
	err = make_store(ca_file, base, &trust->store, why);
	if (err != ERR_OK) {
		trust_free(trust);
		return err;
	}
	trust->seen = seen;
	trust->system_seen = *system_seen;
	trust->next = stores;
	stores = trust;
	drop_oldest();
	*out = trust;
	return ERR_OK;
}

enum err
trust_store(const char *ca_file, X509_STORE **out, struct fault *why)
{
	struct stat system_seen = { 0 };
	struct trust *trust = NULL;
	const char *bundle;
	enum err err;

	pthread_mutex_lock(&lock);
	bundle = system_bundle();
	if (!bundle || stat(bundle, &system_seen) != 0)
		memset(&system_seen, 0, sizeof(system_seen));
	err = find_or_make(NULL, NULL, &system_seen, &trust, why);
	if (err == ERR_OK && ca_file)
		err = find_or_make(ca_file, trust->store, &system_seen, &trust, why);
	if (err == ERR_OK) {
		X509_STORE_up_ref(trust->store);
		*out = trust->store;
	} else if (err == ERR_MEMORY) {
		fault_set(why, "out of memory");
	}
	pthread_mutex_unlock(&lock);
	return err;
}
