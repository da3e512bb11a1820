/*
 * endpoint.c: an endpoint's settings: their owners, their end, and whether two are the same. Layer:
 * facts.
 */
#include "facts/endpoint.h"

#include <assert.h>
#include <stdlib.h>

#define TIMEOUT_US (60 * US_PER_S)	 /* contract 3: timeout */
#define STAGE_TIMEOUT_US (30 * US_PER_S) /* contract 3: stage_timeout */

struct endpoint *
endpoint_new(enum side side)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return NULL;
	endpoint->owners = 1;
	endpoint->side = side;
	endpoint->tls_min = TLS_1_2;
	endpoint->timeout_us = TIMEOUT_US;
	endpoint->stage_timeout_us = STAGE_TIMEOUT_US;
	return endpoint;
}

struct endpoint *
endpoint_hold(struct endpoint *endpoint)
{
	__atomic_add_fetch(&endpoint->owners, 1, __ATOMIC_RELAXED);
	return endpoint;
}

static void
secret_source_done(struct secret_source *source)
{
	secret_free(source->value);
	free(source->path);
	for (size_t i = 0; source->argv && source->argv[i]; i++)
		free(source->argv[i]);
	free(source->argv);
	if (source->sealed) {
		buf_done(&source->sealed->bytes);
		buf_done(&source->sealed->bound);
	}
	free(source->sealed);
}

void
proxy_done(struct proxy *proxy)
{
	free(proxy->host);
	free(proxy->user);
	secret_free(proxy->password);
	*proxy = (struct proxy){ 0 };
}

void
endpoint_free(struct endpoint *endpoint)
{
	int left;

	if (!endpoint)
		return;
	left = __atomic_sub_fetch(&endpoint->owners, 1, __ATOMIC_ACQ_REL);
	assert(left >= 0);
	if (left > 0)
		return;
	free(endpoint->host);
	free(endpoint->username);
	secret_source_done(&endpoint->secret);
	free(endpoint->source_address);
	proxy_done(&endpoint->proxy);
	free(endpoint->tls_name);
	free(endpoint->ca_file);
	free(endpoint->folder);
	free(endpoint->mail_from);
	free(endpoint->rcpt_to);
	reply_rules_free(endpoint->rules);
	providers_free(endpoint->providers);
	prefixes_done(&endpoint->deny);
	free(endpoint);
}

static bool
strings_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
arguments_equal(char *const *a, char *const *b)
{
	size_t i = 0;

	if (!a || !b)
		return a == b;
	while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
		i++;
	return !a[i] && !b[i];
}

static bool
secrets_equal(const struct secret *a, const struct secret *b)
{
	return a && b ? secret_equal(a, b) : a == b;
}

static bool
proxy_equal(const struct proxy *a, const struct proxy *b)
{
	return a->kind == b->kind && strings_equal(a->host, b->host) && a->port == b->port &&
	       strings_equal(a->user, b->user) && secrets_equal(a->password, b->password);
}

static bool
sealed_equal(const struct sealed *a, const struct sealed *b)
{
	if (!a || !b)
		return a == b;
	return bytes_equal(buf_bytes(&a->bytes), buf_bytes(&b->bytes)) &&
	       bytes_equal(buf_bytes(&a->bound), buf_bytes(&b->bound));
}

static bool
secret_source_equal(const struct secret_source *a, const struct secret_source *b)
{
	return a->kind == b->kind && secrets_equal(a->value, b->value) &&
	       strings_equal(a->path, b->path) && arguments_equal(a->argv, b->argv) &&
	       sealed_equal(a->sealed, b->sealed);
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->side == b->side && strings_equal(a->host, b->host) &&
	       a->is_address == b->is_address && a->port == b->port && a->security == b->security &&
	       strings_equal(a->username, b->username) &&
	       secret_source_equal(&a->secret, &b->secret) && a->mechanism == b->mechanism &&
	       a->insecure_auth == b->insecure_auth && a->family == b->family &&
	       strings_equal(a->source_address, b->source_address) &&
	       proxy_equal(&a->proxy, &b->proxy) && strings_equal(a->tls_name, b->tls_name) &&
	       strings_equal(a->ca_file, b->ca_file) && a->tls_min == b->tls_min &&
	       a->has_key_sha256 == b->has_key_sha256 &&
	       memcmp(a->key_sha256, b->key_sha256, sizeof(a->key_sha256)) == 0 &&
	       strings_equal(a->folder, b->folder) && a->is_select == b->is_select &&
	       strings_equal(a->mail_from, b->mail_from) && strings_equal(a->rcpt_to, b->rcpt_to) &&
	       a->timeout_us == b->timeout_us && a->stage_timeout_us == b->stage_timeout_us &&
	       prefixes_equal(&a->deny, &b->deny);
}
