/*
 * advice.c: what the table of providers has to say about a failure: one sentence, and a page.
 * Layer: diagnose, pure. Not here: the steps that hold for all providers (causes.def).
 */
#include "diagnose/advice.h"

#include <stdlib.h>

#include "diagnose/providers.h"

#define ADVICE_MOST ((size_t)1000)

struct advising {
	const struct endpoint *endpoint;
	const struct provider *provider;
	struct buf text;
	const char *link;
};

/* "Gmail: what stands in the table." */
static void
put_sentence(struct advising *advising, const char *sentence)
{
	struct buf *text = &advising->text;

	if (!sentence)
		return;
	if (text->len == 0)
		buf_put_format(text, "%s: ", provider_title(advising->provider));
	else
		buf_put_byte(text, ' ');
	buf_put_string(text, sentence);
	if (text->len > 0 && text->at[text->len - 1] != '.')
		buf_put_byte(text, '.');
}

/* ---- by cause */

static void
say_app_password(struct advising *advising)
{
	const struct provider *provider = advising->provider;

	put_sentence(advising, provider->app_password_hint);
	advising->link = provider->app_password_link ? provider->app_password_link : provider->link;
}

static void
say_enable(struct advising *advising)
{
	put_sentence(advising, advising->provider->enable_hint);
	advising->link = advising->provider->link;
}

/* The usual words for all that is wrong with a login; a plain password where that is refused, a
 * side that is switched off, and a limit that speaks so (cPanel) are likelier than a slip. */
static void
say_login(struct advising *advising)
{
	const struct provider *provider = advising->provider;

	if (provider->app_password == APP_PASSWORD_REQUIRED ||
		provider->app_password == APP_PASSWORD_WITH_2FA)
		say_app_password(advising);
	if (provider->access[advising->endpoint->side] != PROVIDER_ON)
		put_sentence(advising, provider->enable_hint);
	if (provider->logins_per_minute > 0)
		put_sentence(advising, provider->note);
	if (!advising->link)
		advising->link = provider->link;
}

static void
say_limits(struct advising *advising)
{
	put_sentence(advising, advising->provider->note);
	advising->link = advising->provider->link;
}

static void
say_page(struct advising *advising)
{
	advising->link = advising->provider->link;
}

/* "… wants the part before @ as the user name." */
static void
say_username(struct advising *advising)
{
	static const char *const words[PROVIDER_USERNAME_COUNT] = {
		[PROVIDER_ADDRESS] = "The user name is the full address.",
		[PROVIDER_LOCAL_PART] = "The user name is the part before @.",
		[PROVIDER_OF_ACCOUNT] = "The user name is one that the account's pages show.",
	};
	const struct provider *provider = advising->provider;

	put_sentence(advising, words[provider->username]);
	if (provider->username == PROVIDER_FIXED)
		buf_put_format(&advising->text, "%s: The user name is %s.",
			provider_title(provider), provider->fixed_username);
	advising->link = provider->link;
}

/* Only where the settings have another server: "Gmail: IMAP is at imap.gmail.com, port 993 (tls)."
 */
static void
say_server(struct advising *advising)
{
	const struct provider *provider = advising->provider;
	const struct endpoint *endpoint = advising->endpoint;
	struct bytes rest = bytes_of(provider->servers[endpoint->side]);
	struct provider_server first = { 0 }, server;
	bool is_first = true;

	while (provider_next_server(&rest, &server)) {
		if (bytes_equal_nocase(server.host, bytes_of(endpoint->host)) &&
			server.port == endpoint->port && server.security == endpoint->security)
			return;
		if (is_first)
			first = server;
		is_first = false;
	}
	if (is_first || bytes_index(first.host, '{') < first.host.len)
		return;
	buf_put_format(&advising->text, "%s: %s is at %.*s, port %u (%s).",
		provider_title(provider), endpoint->side == SIDE_SMTP ? "SMTP" : "IMAP",
		BYTES_ARG(first.host), first.port, security_name(first.security));
	advising->link = provider->link;
}

typedef void saying(struct advising *advising);

static saying *const sayings[CAUSE_COUNT] = {
	[CAUSE_APP_PASSWORD_REQUIRED] = say_app_password,
	[CAUSE_OAUTH_REQUIRED] = say_app_password,
	[CAUSE_BAD_CREDENTIALS] = say_login,
	[CAUSE_PROTOCOL_DISABLED] = say_enable,
	[CAUSE_AUTH_NOT_OFFERED] = say_enable,
	[CAUSE_RATE_LIMITED] = say_limits,
	[CAUSE_TOO_MANY_CONNECTIONS] = say_limits,
	[CAUSE_IP_BLOCKED] = say_limits,
	[CAUSE_USERNAME_FORM] = say_username,
	[CAUSE_WEB_LOGIN_REQUIRED] = say_page,
	[CAUSE_ACCOUNT_LOCKED] = say_page,
	[CAUSE_ACCOUNT_SUSPENDED] = say_page,
	[CAUSE_PASSWORD_EXPIRED] = say_page,
	[CAUSE_POLICY_BLOCKED] = say_page,
	[CAUSE_DNS_NO_NAME] = say_server,
	[CAUSE_CONNECT_REFUSED] = say_server,
	[CAUSE_CONNECT_TIMEOUT] = say_server,
	[CAUSE_TLS_MODE] = say_server,
	[CAUSE_WRONG_PROTOCOL] = say_server,
};

/* What a server refuses that is not the provider's says nothing of the provider's rules; that it is
 * not may be the mistake. */
static void
say_guessed(struct advising *advising, enum cause cause)
{
	if (cause == CAUSE_BAD_CREDENTIALS || cause == CAUSE_USERNAME_FORM ||
		sayings[cause] == say_limits)
		say_server(advising);
	else
		sayings[cause](advising);
}

void
advise(const struct endpoint *endpoint, struct bytes greeting, struct verdict *verdict)
{
	struct advising advising = { .endpoint = endpoint, .provider = endpoint->provider };

	if (verdict->cause == CAUSE_OK || !sayings[verdict->cause])
		return;
	if (!advising.provider)
		advising.provider = providers_of_greeting(endpoint->providers, greeting);
	if (!advising.provider)
		return;
	if (endpoint->is_provider_guessed)
		say_guessed(&advising, verdict->cause);
	else
		sayings[verdict->cause](&advising);
	if (advising.text.len > 0 && advising.text.len <= ADVICE_MOST) {
		free(verdict->advice);
		verdict->advice = buf_take(&advising.text);
	}
	if (advising.link) {
		free(verdict->link);
		verdict->link = strdup(advising.link);
	}
	buf_done(&advising.text);
}
