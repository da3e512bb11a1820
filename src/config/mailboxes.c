/*
 * mailboxes.c: entries of `servers` and `mailboxes` -> scopes and endpoints. Layer: config.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/host.h"
#include "config/load.h"
#include "config/pin.h"
#include "config/proxy_url.h"
#include "diagnose/providers.h"
#include "facts/mailbox.h"
#include "net/address.h"

/* A mailbox that is being made. */
struct entry {
	struct load *load;
	const config_setting_t *at;
	char path[128];
	struct scope mailbox;
	struct scope sides[SIDE_COUNT];
	const config_setting_t *groups[SIDE_COUNT]; /* NULL: no such side */
	char side_paths[SIDE_COUNT][136];
	bool has_side[SIDE_COUNT]; /* by its group, or, where there is none at all, by the provider
				    */
	const struct provider *provider; /* that it names; NULL: none */
	uint64_t secret_hashes[SIDE_COUNT];
	struct mailbox_settings *out;
};

static const enum setting secret_settings[] = {
	SETTING_PASSWORD,
	SETTING_PASSWORD_FILE,
	SETTING_PASSWORD_COMMAND,
	SETTING_PASSWORD_CREDENTIAL,
};

static bool
is_given(const config_setting_t *group, enum setting setting)
{
	return group && config_setting_get_member(group, setting_rows[setting].name) != NULL;
}

/* Where faults of a side are told. */
static const config_setting_t *
side_place(const struct entry *entry, enum side side)
{
	return entry->groups[side] ? entry->groups[side] : entry->at;
}

/* ---- servers */

static void
name_entry(const config_setting_t *at, const char *list, enum setting by, int index, char *path,
	size_t size)
{
	const char *name = NULL;

	if (config_setting_is_group(at))
		config_setting_lookup_string(at, setting_rows[by].name, &name);
	if (name && name[0] != '\0')
		snprintf(path, size, "%s.%.64s", list, name);
	else
		snprintf(path, size, "%s[%d]", list, index);
}

static void
load_server(struct load *load, const config_setting_t *at, const char *path)
{
	struct server_scope **grown, *server;
	struct buf host = { 0 };
	struct fault why;
	bool is_address;

	server = calloc(1, sizeof(*server));
	grown = reallocarray(load->servers, load->server_count + 1, sizeof(*grown));
	if (grown)
		load->servers = grown;
	if (!server || !grown)
		goto no_memory;
	parse_group(load, at, IN_SERVERS, path, &server->scope);
	if (!is_given(at, SETTING_HOST))
		load_fault(load, at, path, "%s: no host; write host = \"imap.example.com\"", path);
	if (!server->scope.slots[SETTING_HOST].at) {
		free(server);
		return;
	}
	if (host_put(&host, bytes_of(server->scope.slots[SETTING_HOST].text), &is_address, &why) !=
		ERR_OK)
		goto no_memory;
	server->host = buf_take(&host);
	if (!server->host)
		goto no_memory;
	load->servers[load->server_count++] = server;
	return;
no_memory:
	buf_done(&host);
	free(server);
	load->is_out_of_memory = true;
}

void
load_servers(struct load *load, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list) && !load->is_out_of_memory; i++) {
		const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);
		char path[128];

		name_entry(at, "servers", SETTING_HOST, i, path, sizeof(path));
		if (config_setting_is_group(at))
			load_server(load, at, path);
		else
			load_fault(load, at, path,
				"%s: no group; write { host = \"imap.example.com\"; … }", path);
	}
}

static int
compare_servers(const void *a, const void *b)
{
	const struct server_scope *one = *(struct server_scope *const *)a;
	const struct server_scope *other = *(struct server_scope *const *)b;

	return strcmp(one->host, other->host);
}

void
load_servers_end(struct load *load)
{
	struct server_scope **sorted = load->servers;
	size_t count = load->server_count;

	if (count > 1) /* glibc's is a merge sort: what came first stays in front */
		qsort(sorted, count, sizeof(*sorted), compare_servers);
	for (size_t i = 1; i < count; i++) {
		const config_setting_t *at = sorted[i]->scope.slots[SETTING_HOST].at;
		struct place first = load_place(sorted[i - 1]->scope.slots[SETTING_HOST].at);

		if (strcmp(sorted[i - 1]->host, sorted[i]->host) == 0)
			load_fault(load, at, "servers",
				"servers: %s stands at %s:%d too; write one entry for each host",
				sorted[i]->host, first.file, first.line);
	}
}

const struct scope *
load_server_scope(const struct load *load, const char *host)
{
	size_t low = 0, high = load->server_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(host, load->servers[middle]->host);

		if (order == 0)
			return &load->servers[middle]->scope;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- labels */

static bool
set_label(struct labels *labels, const config_setting_t *at)
{
	const char *name = config_setting_name(at), *value = config_setting_get_string(at);
	size_t i = 0;

	while (i < labels->count && strcmp(labels->items[i].name, name) != 0)
		i++;
	if (i == MOST_LABELS)
		return false;
	if (i == labels->count) {
		labels->items[i].name = strdup(name);
		labels->items[i].value = NULL;
		labels->count++;
	}
	free(labels->items[i].value);
	labels->items[i].value = strdup(value);
	return true;
}

/* Those of defaults, then the mailbox's own; the same name is set anew. */
static void
join_labels(struct entry *entry, struct labels *labels)
{
	const struct scope *scopes[] = { &entry->load->defaults, &entry->mailbox };

	for (size_t i = 0; i < COUNT_OF(scopes); i++) {
		for (size_t k = 0; k < scopes[i]->labels_count; k++) {
			const config_setting_t *group = scopes[i]->labels[k];

			for (int n = 0; n < config_setting_length(group); n++) {
				if (set_label(labels, config_setting_get_elem(group, (unsigned)n)))
					continue;
				load_fault(entry->load, entry->at, entry->path,
					"%s: more than %d labels with those of defaults; write "
					"fewer",
					entry->path, MOST_LABELS);
				return;
			}
		}
	}
	for (size_t i = 0; i < labels->count; i++) {
		if (!labels->items[i].name || !labels->items[i].value)
			entry->load->is_out_of_memory = true;
	}
}

/* ---- endpoints */

static size_t
count_secrets(const config_setting_t *group, const char *names[2])
{
	size_t count = 0;

	for (size_t i = 0; group && i < COUNT_OF(secret_settings); i++) {
		if (!is_given(group, secret_settings[i]))
			continue;
		if (count < 2)
			names[count] = setting_rows[secret_settings[i]].name;
		count++;
	}
	return count;
}

static char **
copy_arguments(struct load *load, const config_setting_t *at)
{
	size_t count = (size_t)config_setting_length(at);
	char **argv = calloc(count + 1, sizeof(*argv));

	if (!argv)
		load->is_out_of_memory = true;
	for (size_t i = 0; argv && i < count; i++)
		argv[i] = load_copy(load, config_setting_get_string_elem(at, (int)i));
	return argv;
}

/* For the review, of the side that gives it. */
static void
note_secret(struct entry *entry, enum side side, const struct slot *slots)
{
	const struct slot *slot = slots[SETTING_PASSWORD].at ? &slots[SETTING_PASSWORD]
							     : &slots[SETTING_PASSWORD_FILE];

	entry->secret_hashes[side] = slot->secret_hash;
	entry->out->is_secret_grouped[side] = slot->is_secret_grouped;
	entry->out->is_secret_open[side] = slot->is_secret_open;
	entry->out->secret_forms[side] = entry->load->sealed ? 0 : slot->secret_forms;
}

/* A word stands in its place there. */
static void
take_sealed(struct load *load, enum side side, struct secret_source *out)
{
	struct sealed *sealed = calloc(1, sizeof(*sealed));

	out->kind = SECRET_SEALED;
	out->path = load_copy(load, load->settings->state_key_file);
	out->sealed = sealed;
	if (sealed)
		buf_put(&sealed->bytes, buf_bytes(&load->sealed->sealed[side]));
	if (!sealed || buf_err(&sealed->bytes) != ERR_OK ||
		sealed_mailbox_put_bound(load->sealed, side, &sealed->bound) != ERR_OK)
		load->is_out_of_memory = true;
}

/* Of the scope of the side that gives it. */
static void
take_secret(struct load *load, enum side side, const struct scope *scope, struct secret_source *out)
{
	const struct slot *slots = scope->slots;

	if (load->sealed) {
		take_sealed(load, side, out);
	} else if (slots[SETTING_PASSWORD].at) {
		if (secret_new(bytes_of(slots[SETTING_PASSWORD].text), &out->value) != ERR_OK)
			load->is_out_of_memory = true; /* its form was judged */
		out->kind = SECRET_VALUE;
	} else if (slots[SETTING_PASSWORD_FILE].at) {
		out->path = load_copy(load, slots[SETTING_PASSWORD_FILE].text);
		out->kind = SECRET_FILE;
	} else if (slots[SETTING_PASSWORD_COMMAND].at) {
		out->argv = copy_arguments(load, slots[SETTING_PASSWORD_COMMAND].at);
		out->kind = SECRET_COMMAND;
	} else if (slots[SETTING_PASSWORD_CREDENTIAL].at) {
		out->path = load_copy(load, slots[SETTING_PASSWORD_CREDENTIAL].text);
		out->kind = SECRET_CREDENTIAL;
	}
}

/* Exactly one, its own or the other side's. */
static void
find_secret(struct entry *entry, enum side side, struct endpoint *endpoint)
{
	enum side other = side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP;
	const char *names[2];
	const char *path = entry->side_paths[side];
	size_t own = count_secrets(entry->groups[side], names);
	enum side from = SIDE_COUNT;

	if (own > 1)
		load_fault(entry->load, side_place(entry, side), path,
			"%s: both %s and %s; write one of them", path, names[0], names[1]);
	if (endpoint->mechanism == MECHANISM_NONE)
		return;
	if (own > 0)
		from = side;
	else if (count_secrets(entry->groups[other], names) > 0)
		from = other;
	else if (entry->groups[side] && is_given(entry->groups[side], SETTING_OAUTH))
		return; /* told as not built */
	else
		load_fault(entry->load, side_place(entry, side), path,
			"%s: no secret; write password_file = \"/…\" (or password, "
			"password_command, "
			"password_credential), here or on the other side, or auth = \"none\"",
			path);
	if (from == SIDE_COUNT)
		return;
	take_secret(entry->load, from, &entry->sides[from], &endpoint->secret);
	if (from == side)
		note_secret(entry, side, entry->sides[from].slots);
}

/* The provider's form of the address, which is the address itself where none is named. NULL: none
 * that we can know. */
static char *
own_username(struct entry *entry)
{
	const char *address = entry->mailbox.slots[SETTING_ADDRESS].text;
	struct buf name = { 0 };
	char *made = NULL;

	if (!entry->provider)
		return load_copy(entry->load, address);
	provider_put_username(&name, entry->provider, bytes_of(address));
	if (name.len > 0 && !(made = buf_take(&name)))
		entry->load->is_out_of_memory = true;
	entry->load->is_out_of_memory |= name.is_failed;
	buf_done(&name);
	return made;
}

static void
find_username(struct entry *entry, enum side side, struct endpoint *endpoint)
{
	enum side other = side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP;
	const char *name = entry->sides[side].slots[SETTING_USERNAME].text;

	if (!name)
		name = entry->sides[other].slots[SETTING_USERNAME].text;
	if (name)
		endpoint->username = load_copy(entry->load, name);
	else
		endpoint->username = own_username(entry);
	if (endpoint->username || endpoint->mechanism == MECHANISM_NONE ||
		(is_given(entry->at, SETTING_ADDRESS) && !entry->provider) ||
		is_given(entry->groups[side], SETTING_USERNAME) ||
		(entry->groups[other] && is_given(entry->groups[other], SETTING_USERNAME)))
		return;
	load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
		"%s: no user name; write username = \"…\", or the mailbox's address",
		entry->side_paths[side]);
}

/* The server of the provider that fits what is set nearer; of a host that is not the provider's, by
 * port and security alone. */
static bool
choose_server(const struct entry *entry, enum side side, struct provider_server *out)
{
	const struct slot *slots = entry->sides[side].slots;
	const char *host = slots[SETTING_HOST].text;
	uint16_t port = (uint16_t)slots[SETTING_PORT].number;
	enum security security = (enum security)slots[SETTING_SECURITY].number;
	const enum security *wanted = slots[SETTING_SECURITY].at ? &security : NULL;

	if (!entry->provider)
		return false;
	return provider_choose(entry->provider, side, host, port, wanted, out) ||
	       provider_choose(entry->provider, side, NULL, port, wanted, out);
}

/* contract 3: the provider's where it fits, else port by security, security by port. */
static void
find_port(const struct entry *entry, enum side side, struct endpoint *endpoint)
{
	const struct scope *own = &entry->sides[side];
	const struct slot *port = &own->slots[SETTING_PORT],
			  *security = &own->slots[SETTING_SECURITY];
	struct provider_server server;

	if (choose_server(entry, side, &server)) {
		endpoint->security = server.security;
		endpoint->port = server.port;
		return;
	}
	if (security->at)
		endpoint->security = (enum security)security->number;
	else
		endpoint->security =
			port->at ? security_of_port((uint16_t)port->number) : SECURITY_TLS;
	endpoint->port = port->at ? (uint16_t)port->number
				  : port_of_security(endpoint->side, endpoint->security);
}

/* contract 3: cert_warn */
static void
find_steps(const struct scopes *scopes, struct watch_rules *rules)
{
	static const uint32_t fallback_s[] = { 21 * 86400, 7 * 86400, 86400 };
	const struct slot *slot = scopes_find(scopes, SETTING_CERT_WARN);

	memcpy(rules->cert_warn_s, fallback_s, sizeof(fallback_s));
	rules->cert_warn_count =
		slot ? (size_t)config_setting_length(slot->at) : COUNT_OF(fallback_s);
	for (size_t i = 0; slot && i < rules->cert_warn_count; i++) {
		int64_t step_us = duration_value(config_setting_get_elem(slot->at, (unsigned)i));

		rules->cert_warn_s[i] = (uint32_t)(step_us / US_PER_S);
	}
}

/* Contract 3: the provider's least is kept whatever is set. */
static int64_t
least_interval(const struct endpoint *endpoint)
{
	return endpoint->provider ? endpoint->provider->least_interval_s * US_PER_S : 0;
}

static void
find_rules(
	struct entry *entry, enum side side, const struct scopes *scopes, struct watch_rules *rules)
{
	const struct slot *most = scopes_find(scopes, SETTING_RETRY_MAX);
	struct buf words = { 0 };

	rules->interval_us = entry->out->asked_us[side] = scopes_number(scopes, SETTING_INTERVAL);
	if (rules->interval_us < least_interval(entry->out->sides[side]))
		rules->interval_us = least_interval(entry->out->sides[side]);
	rules->retry_interval_us = scopes_number(scopes, SETTING_RETRY_INTERVAL);
	rules->retry_max_us = most ? most->number : rules->interval_us;
	rules->confirm = (unsigned)scopes_number(scopes, SETTING_CONFIRM);
	rules->recover = (unsigned)scopes_number(scopes, SETTING_RECOVER);
	find_steps(scopes, rules);
	if (side == SIDE_IMAP && scopes_number(scopes, SETTING_SESSION) == 1)
		rules->keep_us = scopes_number(scopes, SETTING_KEEP_MAX);
	if (rules->retry_interval_us > rules->interval_us)
		rules->retry_interval_us = rules->interval_us;
	if (rules->retry_max_us > rules->interval_us)
		rules->retry_max_us = rules->interval_us;
	if (rules->retry_max_us >= rules->retry_interval_us)
		return;
	duration_put(&words, rules->retry_max_us);
	buf_put_string(&words, ") is below retry_interval (");
	duration_put(&words, rules->retry_interval_us);
	load_fault(entry->load, most ? most->at : side_place(entry, side), entry->side_paths[side],
		"%s: retry_max (%s); write a larger retry_max, or a smaller retry_interval",
		entry->side_paths[side], words.at ? words.at : "");
	buf_done(&words);
}

static void
find_tls(struct load *load, const struct scopes *scopes, struct endpoint *endpoint)
{
	const char *name = scopes_text(scopes, SETTING_TLS_NAME);
	const char *pin = scopes_text(scopes, SETTING_CERT_SHA256);
	struct buf host = { 0 };
	struct fault why;
	bool is_address;

	endpoint->tls_min = (enum tls_version)scopes_number(scopes, SETTING_TLS_MIN);
	endpoint->ca_file = load_copy(load, scopes_text(scopes, SETTING_CA_FILE));
	endpoint->has_key_sha256 = pin && pin_parse(bytes_of(pin), endpoint->key_sha256) == ERR_OK;
	if (!name)
		endpoint->tls_name = load_copy(load, endpoint->host);
	else if (host_put(&host, bytes_of(name), &is_address, &why) == ERR_OK)
		endpoint->tls_name = buf_take(&host);
	if (!endpoint->tls_name && endpoint->host)
		load->is_out_of_memory = true;
	buf_done(&host);
}

/* The text of a setting that "none" turns off; NULL: not set, or off. */
static const struct slot *
find_unless_none(const struct scopes *scopes, enum setting setting)
{
	const struct slot *slot = scopes_find(scopes, setting);

	return slot && bytes_equal(bytes_of(slot->text), BYTES("none")) ? NULL : slot;
}

static void
judge_source(struct entry *entry, const struct slot *slot, const char *path,
	const struct endpoint *endpoint, enum family family)
{
	const char *host = endpoint->proxy.host ? endpoint->proxy.host : endpoint->host;
	struct address address;

	if (endpoint->family != FAMILY_ANY && endpoint->family != family)
		load_fault(entry->load, slot->at, path,
			"%s: source_address %s is an %s address, and family is %s; write one of "
			"that family, or \"none\"",
			path, slot->text, family == FAMILY_IPV6 ? "IPv6" : "IPv4",
			family_name(endpoint->family));
	else if (host && address_parse(host, &address) == ERR_OK &&
		 address_family(&address) != family)
		load_fault(entry->load, slot->at, path,
			"%s: %s cannot be connected to from source_address %s; write one of its "
			"family, or \"none\"",
			path, host, slot->text);
}

/* By what way it is connected to. An address of ours settles the family. */
static void
find_way(struct entry *entry, const struct scopes *scopes, const char *path,
	struct endpoint *endpoint)
{
	const struct slot *source = find_unless_none(scopes, SETTING_SOURCE_ADDRESS);
	const struct slot *proxy = find_unless_none(scopes, SETTING_PROXY);
	struct address address;
	struct fault why;

	endpoint->family = (enum family)scopes_number(scopes, SETTING_FAMILY);
	if (proxy && proxy_url_parse(bytes_of(proxy->text), &endpoint->proxy, &why) != ERR_OK)
		entry->load->is_out_of_memory = true; /* its form was judged */
	if (!source || address_parse(source->text, &address) != ERR_OK)
		return;
	judge_source(entry, source, path, endpoint, address_family(&address));
	endpoint->family = address_family(&address);
	endpoint->source_address = load_copy(entry->load, source->text);
}

/* The provider's host, or a fault that says why there is none. */
static void
put_host_of_provider(struct entry *entry, enum side side, struct buf *out)
{
	const struct provider *provider = entry->provider;
	const char *address = entry->mailbox.slots[SETTING_ADDRESS].text;
	struct provider_server server;

	if (!choose_server(entry, side, &server) &&
		!provider_choose(provider, side, NULL, 0, NULL, &server)) {
		load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
			"%s: %s has no %s for mail programs; leave this side out",
			entry->side_paths[side], provider_title(provider),
			side == SIDE_SMTP ? "SMTP" : "IMAP");
		return;
	}
	if (provider_put_host(out, &server, bytes_of(address)) != ERR_OK)
		entry->load->is_out_of_memory = true;
	else if (out->len == 0 && !is_given(entry->at, SETTING_ADDRESS))
		load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
			"%s: no host; at %s it is %.*s: write the address, or the host",
			entry->side_paths[side], provider->name, BYTES_ARG(server.host));
	else if (out->len == 0 && !entry->mailbox.slots[SETTING_ADDRESS].at)
		return; /* a faulty address was told */
	else if (out->len == 0)
		load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
			"%s: no host; write the one of the account, as %.*s",
			entry->side_paths[side], BYTES_ARG(server.host));
}

static void
put_host(struct entry *entry, enum side side, struct buf *out)
{
	const char *address = entry->mailbox.slots[SETTING_ADDRESS].text;
	const struct provider *known;

	if (is_given(entry->groups[side], SETTING_HOST)) {
		buf_put_string(out, entry->sides[side].slots[SETTING_HOST].text);
		return;
	}
	if (entry->provider) {
		put_host_of_provider(entry, side, out);
		return;
	}
	if (is_given(entry->at, SETTING_PROVIDER))
		return; /* told */
	known = providers_of_address(entry->load->settings->providers, bytes_of(address));
	if (known)
		load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
			"%s: no host; write host = \"%s.example.com\", or provider = \"%s\" in the "
			"mailbox",
			entry->side_paths[side], side_name(side), known->name);
	else
		load_fault(entry->load, side_place(entry, side), entry->side_paths[side],
			"%s: no host; write host = \"%s.example.com\"", entry->side_paths[side],
			side_name(side));
}

/* host, which chooses the scope of servers, is first. */
static void
find_host(struct entry *entry, enum side side, struct endpoint *endpoint)
{
	struct buf text = { 0 }, host = { 0 };
	struct fault why;

	put_host(entry, side, &text);
	if (text.len > 0) {
		if (host_put(&host, buf_bytes(&text), &endpoint->is_address, &why) == ERR_OK)
			endpoint->host = buf_take(&host);
		if (!endpoint->host)
			entry->load->is_out_of_memory = true;
	}
	entry->load->is_out_of_memory |= text.is_failed;
	buf_done(&text);
	buf_done(&host);
}

/* As it is named, else by the host, else by the address that logs in. */
static void
find_provider(struct entry *entry, struct endpoint *endpoint)
{
	const struct providers *providers = entry->load->settings->providers;
	const char *address = entry->mailbox.slots[SETTING_ADDRESS].text;
	struct bytes login = bytes_of(address ? address : endpoint->username);
	const struct provider *found = entry->provider;

	if (!found)
		found = providers_of_host(providers, bytes_of(endpoint->host), login);
	endpoint->is_provider_guessed = !found;
	if (!found)
		found = providers_of_address(providers, login);
	endpoint->provider = found;
	if (found)
		endpoint->providers = providers_hold(entry->load->settings->providers);
}

static void
find_envelope(struct entry *entry, struct endpoint *endpoint)
{
	const struct slot *slots = entry->sides[SIDE_SMTP].slots;

	endpoint->mail_from = load_copy(entry->load, slots[SETTING_MAIL_FROM].text);
	endpoint->rcpt_to = load_copy(entry->load, slots[SETTING_RCPT_TO].text);
	if (endpoint->rcpt_to && !is_given(entry->groups[SIDE_SMTP], SETTING_MAIL_FROM))
		load_fault(entry->load, slots[SETTING_RCPT_TO].at, entry->side_paths[SIDE_SMTP],
			"%s: rcpt_to without mail_from; write the sender too, as mail_from = "
			"\"ann@example.com\"",
			entry->side_paths[SIDE_SMTP]);
}

static void
find_account(struct load *load, const struct endpoint *endpoint, struct mailbox_settings *out)
{
	struct buf site = { 0 }, account = { 0 };
	enum side side = endpoint->side;

	if (site_of_host(bytes_of(endpoint->host), &site) == ERR_OK)
		out->sites[side] = buf_take(&site);
	if (!out->sites[side])
		load->is_out_of_memory = true;
	if (endpoint->mechanism != MECHANISM_NONE && endpoint->username) {
		if (account_key(bytes_of(endpoint->username), bytes_of(endpoint->host), &account) ==
			ERR_OK) {
			out->account_lens[side] = account.len;
			out->accounts[side] = buf_take(&account);
		}
		if (!out->accounts[side])
			load->is_out_of_memory = true;
	}
	buf_done(&site);
	buf_done(&account);
}

/* In the order of auth's range. */
static const enum mechanism mechanisms[] = { MECHANISM_AUTO, MECHANISM_PLAIN, MECHANISM_LOGIN,
	MECHANISM_CRAM_MD5, MECHANISM_SCRAM_SHA_1, MECHANISM_SCRAM_SHA_256, MECHANISM_NONE };

static void
make_endpoint(struct entry *entry, enum side side, struct mailbox_settings *out)
{
	struct load *load = entry->load;
	struct endpoint *endpoint = endpoint_new(side);
	struct scopes scopes = { { &entry->sides[side], &entry->mailbox, NULL, &load->defaults } };

	out->sides[side] = endpoint;
	if (!endpoint) {
		load->is_out_of_memory = true;
		return;
	}
	find_host(entry, side, endpoint);
	if (endpoint->host)
		scopes.nearest[2] = load_server_scope(load, endpoint->host);
	find_port(entry, side, endpoint);
	endpoint->mechanism = mechanisms[scopes_number(&scopes, SETTING_AUTH)];
	endpoint->insecure_auth = scopes_number(&scopes, SETTING_INSECURE_AUTH);
	find_way(entry, &scopes, entry->side_paths[side], endpoint);
	endpoint->timeout_us = scopes_number(&scopes, SETTING_TIMEOUT);
	endpoint->stage_timeout_us = scopes_number(&scopes, SETTING_STAGE_TIMEOUT);
	if (side == SIDE_IMAP) {
		const char *folder = scopes_text(&scopes, SETTING_FOLDER);

		endpoint->folder =
			load_copy(load, folder ? folder : setting_rows[SETTING_FOLDER].fallback);
		endpoint->is_select = scopes_number(&scopes, SETTING_SELECT) == 1;
	}
	if (side == SIDE_SMTP)
		find_envelope(entry, endpoint);
	endpoint->rules = reply_rules_hold(load->settings->rules);
	find_tls(load, &scopes, endpoint);
	find_username(entry, side, endpoint);
	find_provider(entry, endpoint);
	find_secret(entry, side, endpoint);
	find_rules(entry, side, &scopes, &out->rules[side]);
	if (endpoint->host)
		find_account(load, endpoint, out);
	if (load->is_of_object && prefixes_copy(&load->settings->deny, &endpoint->deny) != ERR_OK)
		load->is_out_of_memory = true;
	warn_of_session(
		load, &out->rules[side], side_place(entry, side), &scopes, entry->side_paths[side]);
}

/* ---- mailboxes */

static struct mailbox_settings *
add_mailbox(struct load *load)
{
	struct settings *settings = load->settings;
	size_t count = settings->mailbox_count;

	if ((count & (count - 1)) == 0) {
		struct mailbox_settings *grown =
			reallocarray(settings->mailboxes, count ? count * 2 : 1, sizeof(*grown));

		if (!grown) {
			load->is_out_of_memory = true;
			return NULL;
		}
		settings->mailboxes = grown;
	}
	settings->mailboxes[count] = (struct mailbox_settings){ 0 };
	settings->mailbox_count++;
	return &settings->mailboxes[count];
}

static void
parse_sides(struct entry *entry)
{
	static const enum setting groups[SIDE_COUNT] = { SETTING_SMTP, SETTING_IMAP };
	static const enum scope_mark marks[SIDE_COUNT] = { IN_SMTP, IN_IMAP };

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		snprintf(entry->side_paths[side], sizeof(entry->side_paths[side]), "%s%s%s",
			entry->path, entry->path[0] ? "." : "", side_name((enum side)side));
		entry->groups[side] = entry->mailbox.slots[groups[side]].at;
		if (entry->groups[side])
			parse_group(entry->load, entry->groups[side], marks[side],
				entry->side_paths[side], &entry->sides[side]);
		entry->has_side[side] = entry->groups[side] != NULL;
	}
}

/* Without any side in the settings the provider's are meant. */
static void
take_sides_of_provider(struct entry *entry)
{
	for (size_t side = 0; side < SIDE_COUNT; side++)
		entry->has_side[side] = entry->provider->servers[side] != NULL;
	if (!entry->has_side[SIDE_SMTP] && !entry->has_side[SIDE_IMAP])
		load_fault(entry->load, entry->at, entry->path,
			"%s: %s has neither SMTP nor IMAP for mail programs; leave the mailbox out",
			entry->path, provider_title(entry->provider));
}

static void
make_endpoints(struct entry *entry)
{
	const uint64_t *hashes = entry->secret_hashes;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (entry->has_side[side])
			make_endpoint(entry, (enum side)side, entry->out);
	}
	entry->out->are_secrets_other =
		hashes[SIDE_SMTP] && hashes[SIDE_IMAP] && hashes[SIDE_SMTP] != hashes[SIDE_IMAP];
}

/* Where "imap.port" stands, else its side. */
static const config_setting_t *
item_place(const struct entry *entry, enum side side, const char *name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct slot *slot = &entry->sides[side].slots[i];

		if (slot->at && strcmp(setting_rows[i].name, name) == 0)
			return slot->at;
	}
	return side_place(entry, side);
}

static void
on_review_item(void *owner, const struct review_item *item)
{
	const struct entry *entry = owner;
	enum side side =
		bytes_starts(bytes_of(item->setting), BYTES("smtp.")) ? SIDE_SMTP : SIDE_IMAP;
	char path[256];

	snprintf(path, sizeof(path), "%s%s%s", entry->path, entry->path[0] ? "." : "",
		item->setting);
	load_warning(entry->load, item_place(entry, side, item->setting + strlen("smtp.")), path,
		"%s: %s", path, item->message);
}

/* What is faulty is told already and may lack what the review looks at. */
static void
review_entry(struct entry *entry)
{
	struct review_mailbox mailbox;

	if (entry->load->is_out_of_memory || entry->load->complaints->faults > 0 ||
		entry->load->is_of_object)
		return;
	settings_for_review(entry->out, &mailbox);
	review(&mailbox, on_review_item, entry);
}

/* Its sides and all that hangs on them. */
static void
finish_entry(struct entry *entry)
{
	const struct slot *enabled = &entry->mailbox.slots[SETTING_ENABLED];
	struct mailbox_settings *out = add_mailbox(entry->load);
	struct place place = load_place(entry->at);

	if (!out)
		return;
	out->name = load_copy(entry->load, entry->mailbox.slots[SETTING_NAME].text);
	out->address = load_copy(entry->load, entry->mailbox.slots[SETTING_ADDRESS].text);
	out->is_enabled = enabled->at ? enabled->number : true;
	out->file = load_copy(entry->load, place.file);
	out->line = place.line;
	out->is_of_socket = entry->load->sealed != NULL;
	out->is_provider_named = entry->provider != NULL;
	entry->out = out;
	join_labels(entry, &out->labels);
	make_endpoints(entry);
	review_entry(entry);
}

static void
parse_entry(struct entry *entry)
{
	const struct slot *name = &entry->mailbox.slots[SETTING_PROVIDER];

	parse_group(entry->load, entry->at, IN_MAILBOX, entry->path, &entry->mailbox);
	parse_sides(entry);
	if (name->at)
		entry->provider = load_provider(entry->load, name->at, entry->path, name->text);
	if (is_given(entry->at, SETTING_SMTP) || is_given(entry->at, SETTING_IMAP))
		return;
	if (entry->provider)
		take_sides_of_provider(entry);
	else if (!is_given(entry->at, SETTING_PROVIDER))
		load_fault(entry->load, entry->at, entry->path[0] ? entry->path : "imap",
			"%s: neither smtp nor imap; write at least one, as imap = { host = "
			"\"imap.example.com\"; };",
			entry->path[0] ? entry->path : "imap");
}

static void
load_mailbox(struct load *load, const config_setting_t *at, int index)
{
	struct entry entry = { .load = load, .at = at };

	name_entry(at, "mailboxes", SETTING_NAME, index, entry.path, sizeof(entry.path));
	if (!config_setting_is_group(at)) {
		load_fault(load, at, entry.path,
			"%s: no group; write { name = \"…\"; smtp = { … }; imap = { … }; }",
			entry.path);
		return;
	}
	parse_entry(&entry);
	if (!is_given(at, SETTING_NAME))
		load_fault(load, at, entry.path, "%s: no name; write name = \"…\"", entry.path);
	finish_entry(&entry);
}

void
load_mailbox_of_object(struct load *load, const config_setting_t *at)
{
	struct entry entry = { .load = load, .at = at };

	parse_entry(&entry);
	finish_entry(&entry);
}

void
load_mailboxes(struct load *load, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list) && !load->is_out_of_memory; i++)
		load_mailbox(load, config_setting_get_elem(list, (unsigned)i), i);
}

static int
compare_mailboxes(const void *a, const void *b)
{
	const struct mailbox_settings *one = a, *other = b;

	if (!one->name || !other->name)
		return !one->name - !other->name;
	return strcmp(one->name, other->name);
}

void
load_mailboxes_end(struct load *load)
{
	struct settings *settings = load->settings;

	/* glibc's is a merge sort (up to a quarter of the memory): what came first stays in front.
	 */
	if (settings->mailbox_count > 1)
		qsort(settings->mailboxes, settings->mailbox_count, sizeof(*settings->mailboxes),
			compare_mailboxes);
	for (size_t i = 1; i < settings->mailbox_count; i++) {
		const struct mailbox_settings *first = &settings->mailboxes[i - 1];
		const struct mailbox_settings *second = &settings->mailboxes[i];

		if (first->name && second->name && strcmp(first->name, second->name) == 0)
			complaint_note(load->complaints, false,
				(struct place){ second->file, second->line }, "mailboxes",
				"mailboxes.%s: this name stands at %s:%d too; give each mailbox a "
				"name of its own",
				second->name, first->file, first->line);
	}
}
