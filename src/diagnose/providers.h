/*
 * providers.h: whose a name, a domain, a host, an MX or a greeting is, by the table of providers.
 * Layer: diagnose, pure.
 *
 * Names are compared in any case, at label borders, from the right (H9-18): neither notgoogle.com
 * nor google.com.evil.test is google.com's. All but providers_load() give NULL for nobody's.
 */
#ifndef DIAGNOSE_PROVIDERS_H
#define DIAGNOSE_PROVIDERS_H

#include "facts/provider.h"

/* The tree's own rows, in their order. */
extern const struct provider providers_built_in[];
extern const size_t providers_built_in_count;

/* providers_end() with them. ERR_MEMORY */
CHECKED enum err providers_load(struct providers *providers);

/* "gmail" */
const struct provider *providers_find(const struct providers *providers, struct bytes name);
/* Whose addresses are in this domain, or in one above it; the longest counts. */
const struct provider *providers_of_domain(const struct providers *providers, struct bytes domain);
/* Likewise of "ann@example.com"; without @ nobody's. */
const struct provider *providers_of_address(
	const struct providers *providers, struct bytes address);
/* Whose server this is: of several who have it the one of the address' domain, else the first.
 * address may be empty. Literals of addresses are nobody's. */
const struct provider *providers_of_host(
	const struct providers *providers, struct bytes host, struct bytes address);
const struct provider *providers_of_mx(const struct providers *providers, struct bytes mx);
/* By its words, where software has no domain of its own. providers NULL: the tree's rows alone. */
const struct provider *providers_of_greeting(
	const struct providers *providers, struct bytes greeting);

/* Is this one of its servers of that side? *out (may be NULL): the first of that host. */
bool provider_has_host(const struct provider *provider, enum side side, struct bytes host,
	struct provider_server *out);
/* The host of a server with {domain} filled in; empty where it has a template that cannot be.
 * ERR_MEMORY */
CHECKED enum err provider_put_host(
	struct buf *out, const struct provider_server *server, struct bytes address);
/* Its form of the user name of that address; nothing where only the account knows. */
void provider_put_username(struct buf *out, const struct provider *provider, struct bytes address);

/* {"providers":[…]}, a row a line (contract 5). */
void providers_put_json(struct buf *out, const struct providers *providers);

#endif
