/*
 * review.c: what may be a mistake in settings that are sound. Layer: diagnose, pure.
 */
#include "diagnose/review.h"

#include "diagnose/providers.h"

#include <stdarg.h>
#include <stdio.h>

struct reviewing {
	const struct review_mailbox *mailbox;
	void (*told)(void *owner, const struct review_item *item);
	void *owner;
};

#define SETTING(side, name) (side) == SIDE_SMTP ? "smtp." name : "imap." name

static void tell(const struct reviewing *reviewing, const char *setting, const char *suggest,
	const char *format, ...) PRINTF_LIKE(4, 5);

static void
tell(const struct reviewing *reviewing, const char *setting, const char *suggest,
	const char *format, ...)
{
	struct review_item item = { 0 };
	va_list arguments;

	snprintf(item.setting, sizeof(item.setting), "%s", setting);
	snprintf(item.suggest, sizeof(item.suggest), "%s", suggest ? suggest : "");
	va_start(arguments, format);
	vsnprintf(item.message, sizeof(item.message), format, arguments);
	va_end(arguments);
	reviewing->told(reviewing->owner, &item);
}

/* ---- hosts */

/* Is the first label this word, with or without a number? "imap", "imap2", not "imapala". */
static bool
is_called(const char *host, struct bytes word)
{
	struct bytes label = bytes_of(host);

	label = bytes_first(label, bytes_index(label, '.'));
	if (label.len == strlen(host) || !bytes_starts_nocase(label, word))
		return false;
	for (size_t i = word.len; i < label.len; i++) {
		if (byte_is_letter(label.at[i]))
			return false;
	}
	return true;
}

static bool
is_called_incoming(const char *host)
{
	return is_called(host, BYTES("imap")) || is_called(host, BYTES("pop")) ||
	       is_called(host, BYTES("pop3"));
}

static bool
is_called_outgoing(const char *host)
{
	return is_called(host, BYTES("smtp"));
}

/* Does the endpoint's provider have this host for this side? */
static bool
is_of_side(const struct endpoint *endpoint, enum side side)
{
	return endpoint->provider &&
	       provider_has_host(endpoint->provider, side, bytes_of(endpoint->host), NULL);
}

/* Another side's host, as its provider has it, else by its name. */
static bool
is_odd(const struct endpoint *endpoint)
{
	enum side other = endpoint->side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP;

	if (is_of_side(endpoint, endpoint->side))
		return false;
	if (is_of_side(endpoint, other))
		return true;
	return endpoint->side == SIDE_SMTP ? is_called_incoming(endpoint->host)
					   : is_called_outgoing(endpoint->host);
}

/* The provider's host for that side; empty where it is none that can be written down. */
static struct bytes
host_of_provider(const struct endpoint *endpoint)
{
	struct bytes rest = endpoint->provider
				    ? bytes_of(endpoint->provider->servers[endpoint->side])
				    : BYTES_NONE;
	struct provider_server server;

	if (!provider_next_server(&rest, &server) ||
		bytes_index(server.host, '{') < server.host.len)
		return BYTES_NONE;
	return server.host;
}

static void
review_host(const struct reviewing *reviewing, const struct endpoint *endpoint)
{
	bool is_smtp = endpoint->side == SIDE_SMTP;
	struct bytes usual = host_of_provider(endpoint);
	char suggest[256];

	if (!is_odd(endpoint))
		return;
	if (usual.len > 0) {
		snprintf(suggest, sizeof(suggest), "%.*s", BYTES_ARG(usual));
		tell(reviewing, SETTING(endpoint->side, "host"), suggest,
			"%s is the server for %s mail; the one for %s is %s", endpoint->host,
			is_smtp ? "reading" : "sending", is_smtp ? "sending" : "reading", suggest);
		return;
	}
	tell(reviewing, SETTING(endpoint->side, "host"), NULL,
		"%s is called as a server for %s mail; the one for %s is usual here",
		endpoint->host, is_smtp ? "reading" : "sending", is_smtp ? "sending" : "reading");
}

/* One host for both sides may be called as it likes, where its provider does not separate them. */
static void
review_hosts(const struct reviewing *reviewing)
{
	const struct endpoint *smtp = reviewing->mailbox->sides[SIDE_SMTP].endpoint;
	const struct endpoint *imap = reviewing->mailbox->sides[SIDE_IMAP].endpoint;

	if (smtp && imap && strcmp(smtp->host, imap->host) == 0 && !is_of_side(smtp, SIDE_IMAP) &&
		!is_of_side(imap, SIDE_SMTP))
		return;
	if (smtp && imap && strcmp(smtp->host, imap->host) != 0 && is_odd(smtp) && is_odd(imap)) {
		tell(reviewing, "smtp.host", imap->host,
			"the hosts look swapped: smtp has %s and imap has %s; write each at the "
			"other side",
			smtp->host, imap->host);
		return;
	}
	if (smtp)
		review_host(reviewing, smtp);
	if (imap)
		review_host(reviewing, imap);
}

/* ---- ports */

/* Whose port it is by its number, where it is not this side's. */
static const struct port_row {
	uint16_t port;
	unsigned not_at; /* a bit for each side */
	const char *whose;
} port_rows[] = {
	{ 110, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "POP3's" },
	{ 995, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "POP3's" },
	{ 80, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "a web server's" },
	{ 443, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "a web server's" },
	{ 2095, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "webmail's" },
	{ 2096, 1 << SIDE_SMTP | 1 << SIDE_IMAP, "webmail's" },
	{ 143, 1 << SIDE_SMTP, "IMAP's" },
	{ 993, 1 << SIDE_SMTP, "IMAP's" },
	{ 25, 1 << SIDE_IMAP, "SMTP's" },
	{ 465, 1 << SIDE_IMAP, "SMTP's" },
	{ 587, 1 << SIDE_IMAP, "SMTP's" },
	{ 2525, 1 << SIDE_IMAP, "SMTP's" },
};

static bool
review_whose_port(const struct reviewing *reviewing, const struct endpoint *endpoint)
{
	enum security security =
		endpoint->security == SECURITY_NONE ? SECURITY_TLS : endpoint->security;
	unsigned usual = port_of_security(endpoint->side, security);
	char suggest[8];

	snprintf(suggest, sizeof(suggest), "%u", usual);
	for (size_t i = 0; i < COUNT_OF(port_rows); i++) {
		const struct port_row *row = &port_rows[i];

		if (row->port != endpoint->port || !(row->not_at & 1u << endpoint->side))
			continue;
		tell(reviewing, SETTING(endpoint->side, "port"), suggest,
			"port %u is %s; %s is at %u with \"%s\"", endpoint->port, row->whose,
			endpoint->side == SIDE_SMTP ? "SMTP" : "IMAP", usual,
			security_name(security));
		return true;
	}
	return false;
}

/* As the provider has it, the port may be what it likes. */
static bool
is_server_of_provider(const struct endpoint *endpoint)
{
	struct bytes rest = endpoint->provider
				    ? bytes_of(endpoint->provider->servers[endpoint->side])
				    : BYTES_NONE;
	struct provider_server server;

	while (provider_next_server(&rest, &server)) {
		if (server.port == endpoint->port && server.security == endpoint->security &&
			(bytes_equal_nocase(server.host, bytes_of(endpoint->host)) ||
				bytes_index(server.host, '{') < server.host.len))
			return true;
	}
	return false;
}

/* The ports that belong to one mode alone (contract 3: security by port). */
static void
review_mode(const struct reviewing *reviewing, const struct endpoint *endpoint)
{
	bool is_known = endpoint->port == 465 || endpoint->port == 993 || endpoint->port == 587 ||
			endpoint->port == 143 || endpoint->port == 25 || endpoint->port == 2525;
	enum security usual = security_of_port(endpoint->port);

	if (!is_known || endpoint->security == usual ||
		(endpoint->security == SECURITY_NONE && usual == SECURITY_STARTTLS))
		return;
	tell(reviewing, SETTING(endpoint->side, "security"), security_name(usual),
		"port %u belongs to \"%s\", not to \"%s\"", endpoint->port, security_name(usual),
		security_name(endpoint->security));
}

/* ---- no security */

static void
review_none(const struct reviewing *reviewing, const struct endpoint *endpoint)
{
	const char *setting = SETTING(endpoint->side, "security");

	if (endpoint->security != SECURITY_NONE)
		return;
	if (endpoint->has_key_sha256)
		tell(reviewing, SETTING(endpoint->side, "cert_sha256"), NULL,
			"a pin of the server's key beside security none, which shows no key: it is "
			"never compared; write \"tls\" or \"starttls\"");
	if (endpoint->mechanism == MECHANISM_NONE)
		tell(reviewing, setting, NULL,
			"security none: nothing shows that this is the right server; write \"tls\" "
			"or \"starttls\" where it can be had");
	else if (endpoint->insecure_auth)
		tell(reviewing, setting, NULL,
			"security none and insecure_auth: who is on the way reads the secret; "
			"write \"tls\" or \"starttls\" where it can be had");
	else
		tell(reviewing, setting, NULL,
			"security none: no secret is sent, so the login is never tried; write "
			"\"tls\" or \"starttls\", or insecure_auth = true if the way is safe");
}

/* ---- who logs in, and by what */

static const char *const form_words[SECRET_FORM_COUNT] = {
	[SECRET_FORM_ANY] = "",
	[SECRET_FORM_LETTERS_16] = "they are 16 letters",
	[SECRET_FORM_SIGNS_16] = "they are 16 letters and digits",
	[SECRET_FORM_HYPHENS_4X4] = "they are four groups of four letters, with hyphens between",
};

/* No app password where the provider takes nothing else. An address alone does not make it the
 * provider's server. */
static bool
is_secret_odd(const struct reviewing *reviewing, const struct review_side *side)
{
	const struct provider *provider = side->endpoint->provider;

	return provider && side->secret_forms && provider->app_password == APP_PASSWORD_REQUIRED &&
	       !(side->secret_forms & 1u << provider->app_password_form) &&
	       (reviewing->mailbox->is_provider_named ||
		       is_of_side(side->endpoint, side->endpoint->side));
}

static void
review_login(const struct reviewing *reviewing, const struct review_side *side)
{
	const struct endpoint *endpoint = side->endpoint;
	const struct endpoint *other =
		reviewing->mailbox->sides[endpoint->side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP]
			.endpoint;
	const char *address = reviewing->mailbox->address;
	/* What both sides have is told of the first. */
	bool is_told = endpoint->side == SIDE_IMAP && other && other->username &&
		       endpoint->username && strcmp(other->username, endpoint->username) == 0;

	if (endpoint->mechanism == MECHANISM_NONE)
		return;
	if (address && !is_told && endpoint->username && !strchr(endpoint->username, '@') &&
		(!endpoint->provider || endpoint->provider->username == PROVIDER_ADDRESS))
		tell(reviewing, SETTING(endpoint->side, "username"), address,
			"the user name is not the full address, which is usual");
	if (side->is_secret_grouped)
		tell(reviewing, SETTING(endpoint->side, "password"), NULL,
			"it looks like an app password with the spaces that it was shown with; "
			"write it without them");
	else if (is_secret_odd(reviewing, side))
		tell(reviewing, SETTING(endpoint->side, "password"), NULL,
			"it does not look like an app password of %s, which takes no other: %s",
			provider_title(endpoint->provider),
			form_words[endpoint->provider->app_password_form]);
	if (side->is_secret_open && endpoint->secret.path)
		tell(reviewing, SETTING(endpoint->side, "password_file"), NULL,
			"others can read %s; chmod 0640 it", endpoint->secret.path);
}

/* Do both belong to one who has one login for them? One site, or one provider's two. */
static bool
has_one_login(const struct review_mailbox *mailbox)
{
	const struct endpoint *smtp = mailbox->sides[SIDE_SMTP].endpoint;
	const struct endpoint *imap = mailbox->sides[SIDE_IMAP].endpoint;

	return mailbox->is_one_site ||
	       (smtp->provider && smtp->provider == imap->provider && is_of_side(smtp, SIDE_SMTP) &&
		       is_of_side(imap, SIDE_IMAP));
}

/* Who has one login for both sides. */
static void
review_pair(const struct reviewing *reviewing)
{
	const struct review_mailbox *mailbox = reviewing->mailbox;
	const struct endpoint *smtp = mailbox->sides[SIDE_SMTP].endpoint;
	const struct endpoint *imap = mailbox->sides[SIDE_IMAP].endpoint;

	if (!smtp || !imap || !has_one_login(mailbox) || smtp->mechanism == MECHANISM_NONE ||
		imap->mechanism == MECHANISM_NONE || !smtp->username || !imap->username)
		return;
	if (!bytes_equal_nocase(bytes_of(smtp->username), bytes_of(imap->username)))
		tell(reviewing, "imap.username", smtp->username,
			"another user name than smtp's at the same provider, which has usually one "
			"login for both");
	else if (mailbox->are_secrets_other)
		tell(reviewing, "imap.password", NULL,
			"another secret than smtp's for the same login; one of them is probably "
			"old");
}

/* ---- the folder, the limits */

static void
review_folder(const struct reviewing *reviewing, const struct endpoint *endpoint)
{
	if (endpoint->side != SIDE_IMAP || !endpoint->folder ||
		!bytes_equal_nocase(bytes_of(endpoint->folder), BYTES("INBOX")) ||
		strcmp(endpoint->folder, "INBOX") == 0)
		return;
	tell(reviewing, "imap.mailbox", "INBOX", "the folder is called INBOX, in capitals");
}

static void
review_limits(const struct reviewing *reviewing, const struct review_side *side)
{
	struct buf interval = { 0 }, stretched = { 0 };
	int64_t whole_us = side->stretched_us / US_PER_S * US_PER_S;

	if (side->interval_us <= 0 || whole_us <= side->interval_us)
		return;
	duration_put(&interval, side->interval_us);
	duration_put(&stretched, whole_us);
	tell(reviewing, SETTING(side->endpoint->side, "interval"), NULL,
		"more probes of %s than limits allow: every %s becomes every %s; write a longer "
		"interval, or larger limits for this server",
		side->endpoint->host, interval.at ? interval.at : "?",
		stretched.at ? stretched.at : "?");
	buf_done(&interval);
	buf_done(&stretched);
}

static void
review_least(const struct reviewing *reviewing, const struct review_side *side)
{
	struct buf least = { 0 };

	if (!side->endpoint->provider || side->asked_us >= side->interval_us)
		return;
	duration_put(&least, side->interval_us);
	tell(reviewing, SETTING(side->endpoint->side, "interval"), least.at,
		"shorter than %s bears, so it is %s", provider_title(side->endpoint->provider),
		least.at ? least.at : "?");
	buf_done(&least);
}

void
review(const struct review_mailbox *mailbox,
	void (*told)(void *owner, const struct review_item *item), void *owner)
{
	const struct reviewing reviewing = { mailbox, told, owner };

	review_hosts(&reviewing);
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		const struct review_side *side = &mailbox->sides[i];

		if (!side->endpoint)
			continue;
		if (!is_server_of_provider(side->endpoint) &&
			!review_whose_port(&reviewing, side->endpoint))
			review_mode(&reviewing, side->endpoint);
		review_none(&reviewing, side->endpoint);
		review_login(&reviewing, side);
		review_folder(&reviewing, side->endpoint);
		review_least(&reviewing, side);
		review_limits(&reviewing, side);
	}
	review_pair(&reviewing);
}
