/*
 * endpoint.h: what the settings say of one endpoint, as far as a probe needs it. Layer: facts.
 *
 * Made by config, never changed after that, and shared: endpoint_hold() and endpoint_free() count
 * owners atomically, so that a probe in flight keeps the settings it began with while a reload
 * brings others (H4-12).
 */
#ifndef FACTS_ENDPOINT_H
#define FACTS_ENDPOINT_H

#include "base/secret.h"
#include "base/time.h"
#include "facts/prefix.h"
#include "facts/provider.h"
#include "facts/reply_rule.h"

enum secret_kind {
	SECRET_NONE, /* auth = none */
	SECRET_VALUE,
	SECRET_FILE,
	SECRET_COMMAND,
	SECRET_CREDENTIAL,
	SECRET_SEALED, /* of a mailbox set over the socket */
	SECRET_KIND_COUNT
};

enum tls_version {
	TLS_1_0,
	TLS_1_1,
	TLS_1_2,
	TLS_1_3,
	TLS_VERSION_COUNT
};

/* As base/seal.h made it, and what it is bound to. */
struct sealed {
	struct buf bytes;
	struct buf bound;
};

/* Where a secret comes from. All of it is the struct's own. */
struct secret_source {
	enum secret_kind kind;
	struct secret *value; /* SECRET_VALUE */
	char *path;  /* SECRET_FILE: a path; SECRET_CREDENTIAL: a name below $CREDENTIALS_DIRECTORY;
			SECRET_SEALED: the key's file, NULL: none is set */
	char **argv; /* SECRET_COMMAND: ends in NULL */
	struct sealed *sealed; /* SECRET_SEALED */
};

enum proxy_kind {
	PROXY_NONE,
	PROXY_SOCKS5, /* RFC 1928 */
	PROXY_HTTP,   /* CONNECT: RFC 9110 9.3.6 */
	PROXY_KIND_COUNT
};

/* The way to the server where it is not direct. All of it is the struct's own. */
struct proxy {
	enum proxy_kind kind;
	char *host; /* as an endpoint's */
	uint16_t port;
	char *user;		 /* NULL: none is named */
	struct secret *password; /* NULL: none, or an empty one */
};

struct endpoint {
	int owners; /* atomic; by endpoint_hold() and endpoint_free() alone */
	enum side side;
	char *host; /* A-label, lower case, no final dot; or an address literal (without brackets)
		     */
	bool is_address; /* host is a literal: no SNI (H1-25) */
	uint16_t port;
	enum security security;
	char *username; /* may be NULL with MECHANISM_NONE */
	struct secret_source secret;
	enum mechanism mechanism;
	bool insecure_auth;
	enum family family;
	char *source_address; /* a literal of that family; NULL: the system's choice */
	struct proxy proxy;   /* then family and source_address are of the way to the proxy */
	char *tls_name; /* name for SNI and verification; the host where not set in the settings */
	char *ca_file;	/* NULL: the system's store alone */
	enum tls_version tls_min;
	bool has_key_sha256; /* cert_sha256: of the server's SPKI */
	uint8_t key_sha256[32];
	char *folder;	 /* imap: UTF-8; "INBOX" */
	bool is_select;	 /* imap: SELECT in EXAMINE's place */
	char *mail_from; /* smtp: the envelope that is tried after the login; NULL: none */
	char *rcpt_to;	 /* smtp: NULL: the sender alone */
	struct reply_rules *rules;   /* of rules.d, asked before the built-in ones; NULL: none */
	struct providers *providers; /* that provider is of; NULL: the tree's own */
	const struct provider *provider; /* as the settings name it, else by host, else by address;
					    NULL: not known */
	bool is_provider_guessed;	 /* by the address alone: the server may be anybody's */
	int64_t timeout_us;
	int64_t stage_timeout_us;
	struct prefixes
		deny; /* addresses that are never connected to; none for settings of files */
};

/* Back to none. */
void proxy_done(struct proxy *proxy);
/* One owner; port, security and strings unset, timeouts and tls_min as contract 3 has them. NULL
 * where the allocator said no. */
struct endpoint *endpoint_new(enum side side);
struct endpoint *endpoint_hold(struct endpoint *endpoint);
/* NULL is fine. */
void endpoint_free(struct endpoint *endpoint);
/* Whether a probe of b would be the same as one of a: all that is above, but owners, and rules
 * and provider, which judge what a probe brought. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

#endif
