/*
 * provider.h: what is known of a mail provider: one row, as the tree's own table
 * (diagnose/providers.def) and the administrator's `providers` write it alike; and the list of all,
 * by name, domain, host and MX. Layer: facts.
 *
 * A list is made once per load by config, and shared by the endpoints of that load; which row a
 * server, an address or a greeting belongs to is asked in diagnose/providers.h.
 */
#ifndef FACTS_PROVIDER_H
#define FACTS_PROVIDER_H

#include "base/secret.h"
#include "facts/words.h"

/* The user name that it wants. */
#define PROVIDER_USERNAMES(X)                                                                      \
	X(ADDRESS, "full_address")                                                                 \
	X(LOCAL_PART, "local_part")                                                                \
	X(FIXED, "fixed")	    /* the same word for all: fixed_username */                    \
	X(OF_ACCOUNT, "of_account") /* a value that its account gives */

#define APP_PASSWORDS(X)                                                                           \
	X(NOT_OFFERED, "not_offered")                                                              \
	X(OPTIONAL, "optional")                                                                    \
	X(WITH_2FA, "with_2fa") /* needed once two-factor is on */                                 \
	X(REQUIRED, "required")

/* May programs log in? */
#define PROVIDER_ACCESSES(X)                                                                       \
	X(ON, "on")                                                                                \
	X(OFF_UNTIL_ENABLED, "off_until_enabled")                                                  \
	X(PAID_ONLY, "paid_only")                                                                  \
	X(UNAVAILABLE, "unavailable")

#define X(name, word) PROVIDER_##name,
enum provider_username {
	PROVIDER_USERNAMES(X) PROVIDER_USERNAME_COUNT
};
enum provider_access {
	PROVIDER_ACCESSES(X) PROVIDER_ACCESS_COUNT
};
#undef X
#define X(name, word) APP_PASSWORD_##name,
enum app_password {
	APP_PASSWORDS(X) APP_PASSWORD_COUNT
};
#undef X
WORDS_DECLARE(provider_username);
WORDS_DECLARE(provider_access);
WORDS_DECLARE(app_password);

/* What is NULL, or 0, is not known. The forms: diagnose/providers.def. */
struct provider {
	const char *name;  /* "gmail" */
	const char *title; /* "Gmail" */
	const char *domains;
	const char *mx;
	const char *servers[SIDE_COUNT]; /* "host:port/security …" */
	const char *greeting;
	enum provider_username username;
	const char *fixed_username;
	enum app_password app_password;
	enum secret_form app_password_form;
	enum provider_access access[SIDE_COUNT];
	bool is_large;
	unsigned imap_connections;
	unsigned logins_per_minute;
	unsigned messages_per_day;
	unsigned least_interval_s;
	const char *enable_hint;
	const char *app_password_hint;
	const char *note;
	const char *link;
	const char *app_password_link;
};

/* One of its servers. */
struct provider_server {
	struct bytes host; /* templates in it: {domain}, {region} */
	uint16_t port;
	enum security security;
};

/* A name by which rows are found. */
struct provider_key {
	struct bytes name; /* lower case */
	const struct provider *provider;
	size_t order; /* of equal names the first row's comes first */
};

struct provider_index {
	struct provider_key *keys;
	size_t count;
};

/* The administrator's rows before the tree's own; the latter's that have the name of one of the
 * former are left out. */
struct providers {
	int owners; /* atomic; by providers_hold() and providers_free() alone */
	struct provider *own;
	size_t own_count;
	const struct provider **rows; /* all, in their order */
	size_t count;
	struct provider_index domains, hosts, mx;
};

/* As it is called in sentences. Borrowed. */
static inline const char *
provider_title(const struct provider *provider)
{
	return provider->title ? provider->title : provider->name;
}

/* Takes the next one off *servers, parted by blanks. False: none is left. ERR_SYNTAX cannot be:
 * provider_server_parse() judged it. */
bool provider_next_server(struct bytes *servers, struct provider_server *out);
/* "imap.example.com:993/tls". ERR_SYNTAX */
CHECKED enum err provider_server_parse(struct bytes text, struct provider_server *out);

/* One owner, no rows. NULL where the allocator said no. */
struct providers *providers_new(void);
/* A copy of row, texts and all; one of the same name is replaced. Before providers_end().
 * ERR_MEMORY */
CHECKED enum err providers_add(struct providers *providers, const struct provider *row);
/* With the rows behind the own ones: from now on it can be asked, and never changes. ERR_MEMORY */
CHECKED enum err providers_end(
	struct providers *providers, const struct provider *rows, size_t count);
/* NULL is fine, here and below. */
struct providers *providers_hold(struct providers *providers);
void providers_free(struct providers *providers);

#endif
