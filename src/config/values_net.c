/*
 * values_net.c: values that say where something is: hosts, addresses, proxies. Layer: config.
 */
#include "config/values.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "config/host.h"
#include "config/proxy_url.h"
#include "net/address.h"

#define WORDS_MOST ((size_t)4000) /* bytes of a text with names in it */

#define RESOLVERS_MOST 16
#define PREFIXES_MOST 256

bool
check_host(struct judged *j)
{
	struct buf host = { 0 };
	struct fault why;
	bool is_address, is_fine;
	struct bytes text;
	enum err err;

	if (!read_text(j, j->at, 1024, "a host's name or address, as \"imap.example.com\"", &text))
		return false;
	err = host_put(&host, text, &is_address, &why);
	is_fine = err == ERR_OK;
	if (err == ERR_MEMORY)
		j->load->is_out_of_memory = true;
	else if (!is_fine)
		FAULT(j, "\"%.260s\": %s", text.at, why.text);
	buf_done(&host);
	return is_fine;
}

static bool
is_none(const config_setting_t *at)
{
	return bytes_equal(bytes_of(config_setting_get_string(at)), BYTES("none"));
}

bool
check_source(struct judged *j)
{
	static const char form[] = "an address of this host, as \"192.0.2.1\", or \"none\"";
	struct address address;
	struct bytes text;

	if (!read_text(j, j->at, INET6_ADDRSTRLEN + IF_NAMESIZE, form, &text))
		return false;
	if (is_none(j->at) ||
		(address_parse(text.at, &address) == ERR_OK && address_is_host(&address)))
		return true;
	FAULT(j, "\"%s\" is no address that a host can have; write %s", text.at, form);
	return false;
}

/* It may hold a password, so nothing of it is told. */
bool
check_proxy(struct judged *j)
{
	struct proxy proxy = { 0 };
	struct fault why;
	struct bytes text;
	enum err err;

	if (!read_text(
		    j, j->at, 2048, "a proxy's URL, as \"socks5://proxy.example.com:1080\"", &text))
		return false;
	err = is_none(j->at) ? ERR_OK : proxy_url_parse(text, &proxy, &why);
	if (err == ERR_MEMORY)
		j->load->is_out_of_memory = true;
	else if (err != ERR_OK)
		FAULT(j, "no proxy's URL: %s", why.text);
	proxy_done(&proxy);
	return err == ERR_OK;
}

/* RFC 5321 4.1.1.1: a name, or an address literal in brackets. */
bool
check_helo(struct judged *j)
{
	static const char form[] =
		"this host's full name, as \"watch.example.com\", or \"[192.0.2.1]\"";
	struct bytes text;
	size_t dots = 0;
	bool is_literal;

	if (!read_text(j, j->at, 255, form, &text))
		return false;
	is_literal = text.at[0] == '[' && text.at[text.len - 1] == ']' && text.len > 3;
	for (size_t i = is_literal; i < text.len - is_literal; i++) {
		dots += text.at[i] == '.';
		if (!byte_is_letter(text.at[i]) && !byte_is_digit(text.at[i]) &&
			text.at[i] != '.' && text.at[i] != '-' &&
			!(is_literal && text.at[i] == ':')) {
			FAULT(j, "\"%s\" cannot be said in EHLO; write %s", text.at, form);
			return false;
		}
	}
	if (is_literal || (dots > 0 && text.at[0] != '.' && !strstr(text.at, "..")))
		return true;
	FAULT(j, "\"%s\" is no full name, and some servers refuse it; write %s", text.at, form);
	return false;
}

/* Is each text of the list such a thing? what: "prefix"; form: how it is written. */
static bool
check_each(
	struct judged *j, enum err (*judge)(struct bytes text), const char *what, const char *form)
{
	for (int i = 0; i < config_setting_length(j->at); i++) {
		const char *text = config_setting_get_string_elem(j->at, i);
		enum err err = text ? judge(bytes_of(text)) : ERR_SYNTAX;

		if (err == ERR_OK)
			continue;
		if (err == ERR_MEMORY)
			j->load->is_out_of_memory = true;
		else
			FAULT(j, "\"%.60s\" is no %s; write one as %s", text ? text : "?", what,
				form);
		return false;
	}
	return true;
}

static enum err
judge_resolver(struct bytes text)
{
	struct buf resolver = { 0 };
	enum err err = resolver_put(&resolver, text);

	buf_done(&resolver);
	return err;
}

bool
check_resolvers(struct judged *j)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : 0;

	if (length < 1 || length > RESOLVERS_MOST) {
		FAULT(j, "%s; write 1 to %d addresses, as [\"127.0.0.1:5353\"], or leave it out",
			is_sequence(j->at) ? "too few or too many" : type_words(j->at),
			RESOLVERS_MOST);
		return false;
	}
	return check_each(j, judge_resolver, "address of a name server",
		"\"192.0.2.1\", \"192.0.2.1:53\" or \"[2001:db8::1]:53\"");
}

static enum err
judge_prefix(struct bytes text)
{
	struct prefixes prefixes = { 0 };
	enum err err = prefixes_add(&prefixes, text);

	prefixes_done(&prefixes);
	return err;
}

bool
check_prefixes(struct judged *j)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : PREFIXES_MOST + 1;

	if (length > PREFIXES_MOST) {
		FAULT(j, "%s; write up to %d prefixes or words, as [\"loopback\", \"10.0.0.0/8\"]",
			is_sequence(j->at) ? "too many" : type_words(j->at), PREFIXES_MOST);
		return false;
	}
	return check_each(j, judge_prefix, "prefix",
		"\"10.0.0.0/8\" or \"fd00::/8\", or loopback, linklocal, private, unspecified, "
		"multicast");
}

/* ---- a provider's */

static bool
is_host(struct judged *j, struct bytes text)
{
	struct buf host = { 0 };
	struct fault why;
	bool is_address;
	enum err err = host_put(&host, text, &is_address, &why);

	buf_done(&host);
	if (err == ERR_MEMORY)
		j->load->is_out_of_memory = true;
	return err == ERR_OK;
}

/* A domain; or a server: its host, where it has a template, is no name yet. */
static bool
check_one_word(struct judged *j, struct bytes word)
{
	struct provider_server server;

	if (j->row->kind == KIND_WORDS) {
		if (is_host(j, word))
			return true;
		FAULT(j, "\"%.*s\" is no domain; write one as \"example.com\"", BYTES_ARG(word));
		return false;
	}
	if (provider_server_parse(word, &server) == ERR_OK &&
		(bytes_index(server.host, '{') < server.host.len || is_host(j, server.host)))
		return true;
	FAULT(j, "\"%.*s\" is no server; write one as \"imap.example.com:993/tls\"",
		BYTES_ARG(word));
	return false;
}

/* An array of them, or one text with blanks between. */
bool
check_words(struct judged *j)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : 1;

	for (int i = 0; i < length; i++) {
		const config_setting_t *at =
			is_sequence(j->at) ? config_setting_get_elem(j->at, (unsigned)i) : j->at;
		struct bytes rest, word;

		if (!read_text(j, at, WORDS_MOST, "names in quotes", &rest))
			return false;
		while ((word = bytes_next_word(&rest)).len > 0) {
			if (!check_one_word(j, word))
				return false;
		}
	}
	return true;
}
