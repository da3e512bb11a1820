/*
 * providers.c: entries of `providers` -> rows of the table of providers, and what mailboxes take of
 * a row that they name. Layer: config.
 */
#include <stdio.h>

#include "config/load.h"
#include "config/suggest.h"
#include "diagnose/providers.h"

/* ---- the administrator's rows */

static const char *
text_of(const struct scope *scope, enum setting setting)
{
	return scope->slots[setting].text;
}

static int64_t
number_of(const struct scope *scope, enum setting setting)
{
	return scopes_number(&(struct scopes){ { scope } }, setting);
}

/* Words of a list as one text; a text is left as it is. The caller's (free()). */
static char *
words_of(struct load *load, const struct slot *slot)
{
	struct buf words = { 0 };
	char *text;

	for (int i = 0; slot->at && !slot->text && i < config_setting_length(slot->at); i++) {
		if (i > 0)
			buf_put_byte(&words, ' ');
		buf_put_string(&words, config_setting_get_string_elem(slot->at, i));
	}
	if (slot->text)
		buf_put_string(&words, slot->text);
	for (size_t i = 0; i < words.len; i++)
		words.at[i] = byte_lower(words.at[i]);
	text = slot->at ? buf_take(&words) : NULL;
	if (slot->at && !text)
		load->is_out_of_memory = true;
	buf_done(&words);
	return text;
}

static void
take_row(const struct scope *scope, struct provider *row)
{
	const struct slot *logins = &scope->slots[SETTING_PROVIDER_LOGINS];
	const struct slot *interval = &scope->slots[SETTING_PROVIDER_INTERVAL];

	row->name = text_of(scope, SETTING_PROVIDER_NAME);
	row->title = text_of(scope, SETTING_PROVIDER_TITLE);
	row->username = (enum provider_username)number_of(scope, SETTING_PROVIDER_USERNAME);
	row->fixed_username = text_of(scope, SETTING_PROVIDER_FIXED_USERNAME);
	row->app_password = (enum app_password)number_of(scope, SETTING_PROVIDER_APP_PASSWORD);
	row->is_large = number_of(scope, SETTING_PROVIDER_LARGE);
	row->logins_per_minute = logins->at ? (unsigned)logins->number : 0;
	row->least_interval_s = interval->at ? (unsigned)(interval->number / US_PER_S) : 0;
	row->enable_hint = text_of(scope, SETTING_PROVIDER_ENABLE_HINT);
	row->app_password_hint = text_of(scope, SETTING_PROVIDER_APP_PASSWORD_HINT);
	row->note = text_of(scope, SETTING_PROVIDER_NOTE);
	row->link = text_of(scope, SETTING_PROVIDER_LINK);
}

static bool
is_whole(struct load *load, const struct scope *scope, const config_setting_t *at, const char *path)
{
	bool is_fixed = number_of(scope, SETTING_PROVIDER_USERNAME) == PROVIDER_FIXED;

	if (!scope->slots[SETTING_PROVIDER_NAME].at) {
		load_fault(load, at, path, "%s: no name; write name = \"…\"", path);
		return false;
	}
	if (is_fixed != (text_of(scope, SETTING_PROVIDER_FIXED_USERNAME) != NULL)) {
		load_fault(load, at, path,
			"%s: username_form = \"fixed\" and fixed_username go together; write both "
			"or "
			"neither",
			path);
		return false;
	}
	return true;
}

static void
load_row(struct load *load, const config_setting_t *at, const char *path)
{
	struct scope scope = { 0 };
	struct provider row = { 0 };
	size_t faults = load->complaints->faults;
	char *words[4];

	parse_group(load, at, IN_PROVIDER, path, &scope);
	if (load->complaints->faults > faults || !is_whole(load, &scope, at, path))
		return;
	take_row(&scope, &row);
	row.domains = words[0] = words_of(load, &scope.slots[SETTING_PROVIDER_DOMAINS]);
	row.mx = words[1] = words_of(load, &scope.slots[SETTING_PROVIDER_MX]);
	row.servers[SIDE_SMTP] = words[2] = words_of(load, &scope.slots[SETTING_PROVIDER_SMTP]);
	row.servers[SIDE_IMAP] = words[3] = words_of(load, &scope.slots[SETTING_PROVIDER_IMAP]);
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		if (!row.servers[side])
			row.access[side] = PROVIDER_UNAVAILABLE;
	}
	if (providers_add(load->settings->providers, &row) != ERR_OK)
		load->is_out_of_memory = true;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		free(words[i]);
}

/* NULL: no memory */
static struct providers *
list_of(struct load *load)
{
	if (!load->settings->providers)
		load->settings->providers = providers_new();
	if (!load->settings->providers)
		load->is_out_of_memory = true;
	return load->settings->providers;
}

void
load_providers(struct load *load, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list) && list_of(load); i++) {
		const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);
		char path[32];

		snprintf(path, sizeof(path), "providers[%d]", i);
		if (config_setting_is_group(at))
			load_row(load, at, path);
		else
			load_fault(load, at, path,
				"%s: no group; write { name = \"…\"; imap = "
				"\"imap.example.com:993/tls\"; }",
				path);
	}
}

void
load_providers_end(struct load *load)
{
	if (list_of(load) && providers_load(load->settings->providers) != ERR_OK)
		load->is_out_of_memory = true;
}

/* ---- what a mailbox takes of a row */

const struct provider *
load_provider(struct load *load, const config_setting_t *at, const char *path, const char *name)
{
	const struct providers *providers = load->settings->providers;
	const struct provider *found = providers_find(providers, bytes_of(name));
	struct buf names = { 0 };
	struct bytes near;

	if (found || load->is_out_of_memory)
		return found;
	for (size_t i = 0; i < providers->count; i++)
		buf_put_format(&names, "%s%s", i > 0 ? "|" : "", providers->rows[i]->name);
	near = suggest_word(bytes_of(name), names.at ? names.at : "");
	if (near.len > 0)
		load_fault(load, at, path,
			"%s%sprovider: no provider is called \"%.64s\"; did you mean %.*s?", path,
			path[0] ? "." : "", name, BYTES_ARG(near));
	else
		load_fault(load, at, path,
			"%s%sprovider: no provider is called \"%.64s\"; mboxwatchctl providers "
			"lists them",
			path, path[0] ? "." : "", name);
	buf_done(&names);
	return NULL;
}

bool
provider_choose(const struct provider *provider, enum side side, const char *host, uint16_t port,
	const enum security *security, struct provider_server *out)
{
	struct bytes rest = bytes_of(provider->servers[side]);
	struct provider_server server;

	while (provider_next_server(&rest, &server)) {
		if ((host && !bytes_equal_nocase(server.host, bytes_of(host))) ||
			(port && server.port != port) || (security && server.security != *security))
			continue;
		*out = server;
		return true;
	}
	return false;
}
