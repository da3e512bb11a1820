/*
 * providers.c: whose a name, a domain, a host, an MX or a greeting is. Layer: diagnose, pure.
 * Not here: the rows (providers.def), the list and its index (facts/provider.c), what a row has to
 * say about a failure (advice.c).
 */
#include "diagnose/providers.h"

#include "base/escape.h"

#define NAME_MOST ((size_t)253) /* RFC 1035 3.1: of a host's name */

const struct provider providers_built_in[] = {
#include "diagnose/providers.def"
};
const size_t providers_built_in_count = COUNT_OF(providers_built_in);

enum err
providers_load(struct providers *providers)
{
	return providers_end(providers, providers_built_in, providers_built_in_count);
}

/* ---- finding */

static int
compare_names(struct bytes a, struct bytes b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	int order = least > 0 ? memcmp(a.at, b.at, least) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The first key of this very name; the others of it follow. NULL: none. */
static const struct provider_key *
find_key(const struct provider_index *index, struct bytes name)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(index->keys[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < index->count && bytes_equal(index->keys[low].name, name) ? &index->keys[low]
									      : NULL;
}

/* Lower case, without a final dot; empty where it is too long to be a name. */
static struct bytes
folded(struct bytes name, char room[static NAME_MOST])
{
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	if (name.len > NAME_MOST)
		return BYTES_NONE;
	for (size_t i = 0; i < name.len; i++)
		room[i] = byte_lower(name.at[i]);
	return (struct bytes){ room, name.len };
}

/* The name itself, else the next one above it that is known. */
static const struct provider *
find_suffix(const struct provider_index *index, struct bytes name)
{
	char room[NAME_MOST];
	struct bytes rest = folded(name, room);

	while (rest.len > 0) {
		const struct provider_key *key = find_key(index, rest);

		if (key)
			return key->provider;
		rest = bytes_from(rest, bytes_index(rest, '.') + 1);
	}
	return NULL;
}

const struct provider *
providers_find(const struct providers *providers, struct bytes name)
{
	for (size_t i = 0; i < providers->count; i++) {
		if (bytes_equal_nocase(bytes_of(providers->rows[i]->name), name))
			return providers->rows[i];
	}
	return NULL;
}

const struct provider *
providers_of_domain(const struct providers *providers, struct bytes domain)
{
	return find_suffix(&providers->domains, domain);
}

/* What stands behind the last @; empty where there is none. */
static struct bytes
domain_of(struct bytes address)
{
	size_t at = address.len;

	while (at > 0 && address.at[at - 1] != '@')
		at--;
	return at > 0 ? bytes_from(address, at) : BYTES_NONE;
}

const struct provider *
providers_of_address(const struct providers *providers, struct bytes address)
{
	return providers_of_domain(providers, domain_of(address));
}

const struct provider *
providers_of_host(const struct providers *providers, struct bytes host, struct bytes address)
{
	char room[NAME_MOST];
	struct bytes name = folded(host, room);
	const struct provider *wanted = providers_of_address(providers, address);
	const struct provider_key *first = find_key(&providers->hosts, name);
	const struct provider_key *end = providers->hosts.keys + providers->hosts.count;

	for (const struct provider_key *key = first;
		key && key < end && bytes_equal(key->name, first->name); key++) {
		if (key->provider == wanted)
			return wanted;
	}
	return first ? first->provider : NULL;
}

const struct provider *
providers_of_mx(const struct providers *providers, struct bytes mx)
{
	return find_suffix(&providers->mx, mx);
}

const struct provider *
providers_of_greeting(const struct providers *providers, struct bytes greeting)
{
	size_t count = providers ? providers->count : providers_built_in_count;

	for (size_t i = 0; i < count && greeting.len > 0; i++) {
		const struct provider *row =
			providers ? providers->rows[i] : &providers_built_in[i];

		if (row->greeting && bytes_contains_nocase(greeting, bytes_of(row->greeting)))
			return row;
	}
	return NULL;
}

/* ---- what a row says */

bool
provider_has_host(const struct provider *provider, enum side side, struct bytes host,
	struct provider_server *out)
{
	struct bytes rest = bytes_of(provider->servers[side]);
	struct provider_server server;

	while (provider_next_server(&rest, &server)) {
		if (!bytes_equal_nocase(server.host, host))
			continue;
		if (out)
			*out = server;
		return true;
	}
	return false;
}

enum err
provider_put_host(struct buf *out, const struct provider_server *server, struct bytes address)
{
	static const struct bytes domain_template = { "{domain}", 8 };
	struct bytes host = server->host, domain = domain_of(address);
	size_t brace = bytes_index(host, '{');

	if (brace == host.len) {
		buf_put(out, host);
	} else if (domain.len > 0 && bytes_starts(bytes_from(host, brace), domain_template)) {
		buf_put(out, bytes_first(host, brace));
		buf_put(out, domain);
		buf_put(out, bytes_from(host, brace + domain_template.len));
	}
	return buf_err(out);
}

void
provider_put_username(struct buf *out, const struct provider *provider, struct bytes address)
{
	struct bytes domain = domain_of(address);
	size_t at = domain.len > 0 ? domain.len + 1 : 0; /* with the @ */

	switch (provider->username) {
	case PROVIDER_LOCAL_PART:
		buf_put(out, bytes_first(address, address.len - at));
		break;
	case PROVIDER_FIXED:
		buf_put_string(out, provider->fixed_username);
		break;
	case PROVIDER_ADDRESS:
		buf_put(out, address);
		break;
	default:
		break;
	}
}

/* ---- as JSON */

static void
put_text(struct buf *out, const char *name, const char *text)
{
	buf_put_format(out, ",\"%s\":", name);
	if (text)
		json_put_text(out, bytes_of(text));
	else
		buf_put_string(out, "null");
}

static void
put_list(struct buf *out, const char *name, const char *words)
{
	struct bytes rest = bytes_of(words), word;
	const char *between = "";

	buf_put_format(out, ",\"%s\":[", name);
	while ((word = bytes_next_word(&rest)).len > 0) {
		buf_put_string(out, between);
		json_put_text(out, word);
		between = ",";
	}
	buf_put_byte(out, ']');
}

static void
put_servers(struct buf *out, const struct provider *provider, enum side side)
{
	struct bytes rest = bytes_of(provider->servers[side]);
	struct provider_server server;
	const char *between = "";

	buf_put_format(out, ",\"%s\":[", side_name(side));
	while (provider_next_server(&rest, &server)) {
		buf_put_format(out, "%s{\"host\":", between);
		json_put_text(out, server.host);
		buf_put_format(out, ",\"port\":%u,\"security\":\"%s\"}", server.port,
			security_name(server.security));
		between = ",";
	}
	buf_put_byte(out, ']');
}

static void
put_number(struct buf *out, const char *name, unsigned number)
{
	if (number > 0)
		buf_put_format(out, ",\"%s\":%u", name, number);
	else
		buf_put_format(out, ",\"%s\":null", name);
}

static void
put_row(struct buf *out, const struct provider *provider)
{
	buf_put_string(out, "{\"id\":");
	json_put_text(out, bytes_of(provider->name));
	put_text(out, "name", provider_title(provider));
	put_list(out, "domains", provider->domains);
	put_list(out, "mx_patterns", provider->mx);
	for (enum side side = 0; side < SIDE_COUNT; side++)
		put_servers(out, provider, side);
	put_text(out, "greeting", provider->greeting);
	put_text(out, "username",
		provider->username == PROVIDER_FIXED ? provider->fixed_username
						     : provider_username_name(provider->username));
	put_text(out, "app_password", app_password_name(provider->app_password));
	put_text(out, "smtp_access", provider_access_name(provider->access[SIDE_SMTP]));
	put_text(out, "imap_access", provider_access_name(provider->access[SIDE_IMAP]));
	buf_put_format(out, ",\"large\":%s", provider->is_large ? "true" : "false");
	put_number(out, "imap_connections", provider->imap_connections);
	put_number(out, "logins_per_minute", provider->logins_per_minute);
	put_number(out, "messages_per_day", provider->messages_per_day);
	put_number(out, "least_interval_ms", provider->least_interval_s * 1000);
	put_text(out, "enable_hint", provider->enable_hint);
	put_text(out, "app_password_hint", provider->app_password_hint);
	put_text(out, "note", provider->note);
	put_text(out, "link", provider->link);
	put_text(out, "app_password_link", provider->app_password_link);
	buf_put_byte(out, '}');
}

void
providers_put_json(struct buf *out, const struct providers *providers)
{
	buf_put_string(out, "{\"providers\":[");
	for (size_t i = 0; i < providers->count; i++) {
		buf_put_string(out, i == 0 ? "\n" : ",\n");
		put_row(out, providers->rows[i]);
	}
	buf_put_string(out, "]}\n");
}
