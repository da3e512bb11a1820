/*
 * trust.h: whom TLS believes: the system's authorities, and those of a ca_file beside them. Layer:
 * net.
 *
 * Loading the system's bundle costs 27 to 40 ms and 0.8 MiB, so each store is made once per process
 * and shared by all loops under a lock: the one thing in net that is not a loop's own. A file that
 * changed gives a new store.
 */
#ifndef NET_TRUST_H
#define NET_TRUST_H

#include <openssl/x509_vfy.h>

#include "base/err.h"

/*
 * The store of the system's authorities and of ca_file's (PEM; NULL: none). *out is the caller's
 * own reference (X509_STORE_free()); the same pointer comes as long as no file changed. Any thread.
 * On ca_file: ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (no regular file), ERR_LIMIT, ERR_IO,
 * ERR_SYNTAX (no certificate in it); ERR_MEMORY. why says so in words.
 */
CHECKED enum err trust_store(const char *ca_file, X509_STORE **out, struct fault *why);

#endif
