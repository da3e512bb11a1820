/*
 * provider.c: the list of providers, held by who uses it, and what finds rows in it. Layer: facts.
 */
#include "facts/provider.h"

#include <stdlib.h>

/* ---- words */

enum err
provider_server_parse(struct bytes text, struct provider_server *out)
{
	size_t colon = bytes_index(text, ':');
	struct bytes rest = bytes_from(text, colon + 1);
	size_t slash = bytes_index(rest, '/');
	struct provider_server server = { .host = bytes_first(text, colon) };
	uint64_t port;

	if (server.host.len == 0 || slash >= rest.len ||
		bytes_to_number(bytes_first(rest, slash), UINT16_MAX, &port) != ERR_OK ||
		port == 0 ||
		security_from_name(bytes_from(rest, slash + 1), &server.security) != ERR_OK)
		return ERR_SYNTAX;
	server.port = (uint16_t)port;
	*out = server;
	return ERR_OK;
}

bool
provider_next_server(struct bytes *servers, struct provider_server *out)
{
	struct bytes word = bytes_next_word(servers);

	return word.len > 0 && provider_server_parse(word, out) == ERR_OK;
}

/* ---- rows */

struct providers *
providers_new(void)
{
	struct providers *providers = calloc(1, sizeof(*providers));

	if (providers)
		providers->owners = 1;
	return providers;
}

/* The texts of a row: those of a list are its own, though others may not write to them. */
static const size_t texts[] = {
	offsetof(struct provider, name),
	offsetof(struct provider, title),
	offsetof(struct provider, domains),
	offsetof(struct provider, mx),
	offsetof(struct provider, servers[SIDE_SMTP]),
	offsetof(struct provider, servers[SIDE_IMAP]),
	offsetof(struct provider, greeting),
	offsetof(struct provider, fixed_username),
	offsetof(struct provider, enable_hint),
	offsetof(struct provider, app_password_hint),
	offsetof(struct provider, note),
	offsetof(struct provider, link),
	offsetof(struct provider, app_password_link),
};

static char **
text_at(struct provider *row, size_t i)
{
	return (char **)(void *)((char *)row + texts[i]);
}

static void
row_done(struct provider *row)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		free(*text_at(row, i));
}

static bool
row_copy(const struct provider *from, struct provider *to)
{
	*to = *from;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		char **text = text_at(to, i);

		if (*text && !(*text = strdup(*text))) {
			while (++i < COUNT_OF(texts))
				*text_at(to, i) = NULL;
			row_done(to);
			return false;
		}
	}
	return true;
}

enum err
providers_add(struct providers *providers, const struct provider *row)
{
	struct provider copy, *grown;

	grown = reallocarray(providers->own, providers->own_count + 1, sizeof(*grown));
	if (!grown)
		return ERR_MEMORY;
	providers->own = grown;
	if (!row_copy(row, &copy))
		return ERR_MEMORY;
	for (size_t i = 0; i < providers->own_count; i++) {
		if (strcmp(grown[i].name, row->name) == 0) {
			row_done(&grown[i]);
			grown[i] = copy;
			return ERR_OK;
		}
	}
	grown[providers->own_count++] = copy;
	return ERR_OK;
}

/* ---- what finds them */

static int
compare_keys(const void *a, const void *b)
{
	const struct provider_key *one = a, *other = b;
	size_t least = one->name.len < other->name.len ? one->name.len : other->name.len;
	int order = memcmp(one->name.at, other->name.at, least);

	if (order != 0)
		return order;
	if (one->name.len != other->name.len)
		return one->name.len < other->name.len ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

static enum err
add_key(struct provider_index *index, struct bytes name, const struct provider *provider)
{
	size_t count = index->count;

	if ((count & (count - 1)) == 0) {
		struct provider_key *grown =
			reallocarray(index->keys, count ? 2 * count : 1, sizeof(*grown));

		if (!grown)
			return ERR_MEMORY;
		index->keys = grown;
	}
	index->keys[index->count++] = (struct provider_key){ name, provider, count };
	return ERR_OK;
}

static enum err
add_words(struct provider_index *index, const char *words, const struct provider *provider)
{
	struct bytes rest = bytes_of(words), word;
	enum err err = ERR_OK;

	while (err == ERR_OK && (word = bytes_next_word(&rest)).len > 0)
		err = add_key(index, word, provider);
	return err;
}

/* An address of this very host says nothing of who is there: Proton's bridge. */
static bool
is_name(struct bytes host)
{
	return host.len > 0 && !byte_is_digit(host.at[host.len - 1]) &&
	       bytes_index(host, '{') == host.len;
}

static enum err
add_hosts(struct provider_index *index, const struct provider *provider)
{
	enum err err = ERR_OK;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct bytes rest = bytes_of(provider->servers[side]);
		struct provider_server server;

		while (err == ERR_OK && provider_next_server(&rest, &server)) {
			if (is_name(server.host))
				err = add_key(index, server.host, provider);
		}
	}
	return err;
}

static enum err
add_row(struct providers *providers, const struct provider *row)
{
	enum err err = add_words(&providers->domains, row->domains, row);

	providers->rows[providers->count++] = row;
	if (err == ERR_OK)
		err = add_words(&providers->mx, row->mx, row);
	if (err == ERR_OK)
		err = add_hosts(&providers->hosts, row);
	return err;
}

static bool
is_replaced(const struct providers *providers, const char *name)
{
	for (size_t i = 0; i < providers->own_count; i++) {
		if (strcmp(providers->own[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
sort_keys(struct provider_index *index)
{
	if (index->count > 1)
		qsort(index->keys, index->count, sizeof(*index->keys), compare_keys);
}

enum err
providers_end(struct providers *providers, const struct provider *rows, size_t count)
{
	enum err err = ERR_OK;

	providers->rows = calloc(providers->own_count + count + 1, sizeof(*providers->rows));
	if (!providers->rows)
		return ERR_MEMORY;
	for (size_t i = 0; i < providers->own_count && err == ERR_OK; i++)
		err = add_row(providers, &providers->own[i]);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		if (!is_replaced(providers, rows[i].name))
			err = add_row(providers, &rows[i]);
	}
	sort_keys(&providers->domains);
	sort_keys(&providers->hosts);
	sort_keys(&providers->mx);
	return err;
}

/* ---- life */

struct providers *
providers_hold(struct providers *providers)
{
	if (providers)
		__atomic_add_fetch(&providers->owners, 1, __ATOMIC_RELAXED);
	return providers;
}

void
providers_free(struct providers *providers)
{
	if (!providers || __atomic_sub_fetch(&providers->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < providers->own_count; i++)
		row_done(&providers->own[i]);
	free(providers->own);
	free(providers->rows);
	free(providers->domains.keys);
	free(providers->hosts.keys);
	free(providers->mx.keys);
	free(providers);
}
