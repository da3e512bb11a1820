/*
 * providers.c: mboxwatchctl providers: what is known of mail providers; by the daemon, whose
 * settings may add some, else what is compiled in. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

#include "diagnose/providers.h"

/* ---- the document */

static json_t *
built_in(void)
{
	struct providers *providers = providers_new();
	struct buf text = { 0 };
	json_t *document = NULL;

	if (providers && providers_load(providers) == ERR_OK)
		providers_put_json(&text, providers);
	if (text.len > 0 && !text.is_failed)
		document = json_loadb(text.at, text.len, 0, NULL);
	buf_done(&text);
	providers_free(providers);
	return document;
}

enum exit_status
providers_document(const struct invocation *invocation, json_t **out)
{
	enum exit_status status = EXIT_FINE;

	if (client_is_there(invocation->client))
		status = client_json(
			invocation->client, &(struct call){ .path = "/v1/providers" }, NULL, out);
	else
		*out = built_in();
	if (status == EXIT_FINE && !json_is_array(json_object_get(*out, "providers"))) {
		complain("the answer is no list of providers");
		json_decref(*out);
		*out = NULL;
		status = EXIT_REFUSED;
	}
	return status;
}

/* How much of the domain this one is, at a border between labels; 0: none. */
static size_t
covered(struct bytes address, struct bytes domain)
{
	size_t before = address.len - domain.len;

	if (domain.len == 0 || address.len <= domain.len || !bytes_ends_nocase(address, domain) ||
		(address.at[before - 1] != '.' && address.at[before - 1] != '@'))
		return 0;
	return domain.len;
}

const json_t *
provider_of_address(const json_t *document, struct bytes address)
{
	const json_t *provider, *domain, *best = NULL;
	size_t i, j, most = 0;

	json_array_foreach(json_object_get(document, "providers"), i, provider)
	{
		json_array_foreach(json_object_get(provider, "domains"), j, domain)
		{
			size_t len = covered(address, bytes_of(json_string_value(domain)));

			if (len > most) {
				most = len;
				best = provider;
			}
		}
	}
	return best;
}

/* ---- one of them */

static void
put_servers(struct out *out, const json_t *provider, const char *side)
{
	const json_t *server;
	size_t i;

	json_array_foreach(json_object_get(provider, side), i, server)
	{
		struct buf text = { 0 };

		buf_put(&text, member_text(server, "host"));
		buf_put_format(&text, ", port %lld, ", (long long)member_number(server, "port"));
		buf_put(&text, member_text(server, "security"));
		out_field(out, i == 0 ? side : "", buf_bytes(&text));
		buf_done(&text);
	}
}

static void
put_words(struct out *out, const char *label, const json_t *words)
{
	struct buf text = { 0 };
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
	{
		if (i > 0)
			buf_put_byte(&text, ' ');
		buf_put(&text, bytes_of(json_string_value(word)));
	}
	out_field(out, label, buf_bytes(&text));
	buf_done(&text);
}

/* "off_until_enabled" -> "off until enabled" */
static void
put_word(struct out *out, const char *label, const json_t *provider, const char *name)
{
	struct buf text = { 0 };

	buf_put(&text, member_text(provider, name));
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '_')
			text.at[i] = ' ';
	}
	out_field(out, label, buf_bytes(&text));
	buf_done(&text);
}

static void
put_limits(struct out *out, const json_t *provider)
{
	static const struct {
		const char *name, *words;
	} limits[] = {
		{ "imap_connections", "IMAP sessions of one account" },
		{ "logins_per_minute", "logins a minute" },
		{ "messages_per_day", "messages a day" },
	};
	struct buf text = { 0 };

	if (member_is_true(provider, "large"))
		buf_put_string(&text, "large: bears many logins from one address");
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		long long number = member_number(provider, limits[i].name);

		if (number > 0)
			buf_put_format(&text, "%s%lld %s", text.len > 0 ? "; " : "", number,
				limits[i].words);
	}
	if (member_number(provider, "least_interval_ms") > 0) {
		buf_put_string(&text, text.len > 0 ? "; probes at least " : "probes at least ");
		duration_put(&text, member_number(provider, "least_interval_ms") * US_PER_MS);
		buf_put_string(&text, " apart");
	}
	out_field(out, "limits", buf_bytes(&text));
	buf_done(&text);
}

static void
print_one(struct out *out, const json_t *provider)
{
	out_colour(out, COLOUR_BOLD);
	out_outside(out, member_text(provider, "name"));
	out_colour(out, COLOUR_NONE);
	out_say(out, "\n");
	out_field(out, "provider", member_text(provider, "id"));
	put_servers(out, provider, "smtp");
	put_servers(out, provider, "imap");
	put_word(out, "user name", provider, "username");
	put_word(out, "app password", provider, "app_password");
	out_field(out, "", member_text(provider, "app_password_hint"));
	out_field(out, "", member_text(provider, "app_password_link"));
	put_word(out, "SMTP access", provider, "smtp_access");
	put_word(out, "IMAP access", provider, "imap_access");
	out_field(out, "", member_text(provider, "enable_hint"));
	put_limits(out, provider);
	out_field(out, "note", member_text(provider, "note"));
	out_field(out, "page", member_text(provider, "link"));
	put_words(out, "MX", json_object_get(provider, "mx_patterns"));
	put_words(out, "domains", json_object_get(provider, "domains"));
}

/* ---- all of them */

static struct bytes
first_host(const json_t *provider, const char *side)
{
	return member_text(json_array_get(json_object_get(provider, side), 0), "host");
}

static enum exit_status
print_table(struct out *out, const json_t *list)
{
	static const struct column columns[] = {
		{ "PROVIDER", .least = 0 },
		{ "APP PASSWORD", .least = 0 },
		{ "SMTP", .least = 12 },
		{ "IMAP", .least = 12 },
	};
	struct table *table = table_new(columns, COUNT_OF(columns));
	const json_t *provider;
	size_t i;

	if (!table)
		return EXIT_REFUSED;
	json_array_foreach(list, i, provider)
	{
		table_put(table, COLOUR_NONE, member_text(provider, "id"));
		table_put(table, COLOUR_NONE, member_text(provider, "app_password"));
		table_put(table, COLOUR_NONE, first_host(provider, "smtp"));
		table_put(table, COLOUR_NONE, first_host(provider, "imap"));
	}
	(void)table_print(table, out);
	table_free(table);
	return EXIT_FINE;
}

/* Takes over the document. */
static void
print_json_list(struct out *out, json_t *document)
{
	char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

	out_json(out, bytes_of(text));
	free(text);
	json_decref(document);
}

static enum exit_status
print_named(const struct invocation *invocation, const json_t *list, const char *name)
{
	const json_t *provider;
	size_t i;

	json_array_foreach(list, i, provider)
	{
		if (!bytes_equal_nocase(member_text(provider, "id"), bytes_of(name)))
			continue;
		if (invocation->options[OPTION_JSON])
			print_json_list(
				invocation->out, json_pack("{s:[O]}", "providers", provider));
		else
			print_one(invocation->out, provider);
		return EXIT_FINE;
	}
	complain_outside("there is no provider ", bytes_of(name));
	complain("mboxwatchctl providers lists them");
	return EXIT_USAGE;
}

enum exit_status
command_providers(const struct invocation *invocation)
{
	json_t *document = NULL;
	enum exit_status status = providers_document(invocation, &document);
	const json_t *list = json_object_get(document, "providers");

	if (status == EXIT_FINE && invocation->argument_count > 0) {
		status = print_named(invocation, list, invocation->arguments[0]);
	} else if (status == EXIT_FINE && invocation->options[OPTION_JSON]) {
		print_json_list(invocation->out, json_incref(document));
	} else if (status == EXIT_FINE) {
		status = print_table(invocation->out, list);
	}
	json_decref(document);
	return status;
}
