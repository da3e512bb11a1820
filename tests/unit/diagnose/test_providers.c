/*
 * test_providers.c: whose a name is, and the table of providers: what every row holds.
 */
#include "../unit.h"

#include "diagnose/advice.h"
#include "diagnose/providers.h"
#include "diagnose/reply_rules.h"

static struct providers *
load(void)
{
	struct providers *providers = providers_new();

	assert_non_null(providers);
	assert_ok(providers_load(providers));
	return providers;
}

/* Under what it is asked for: an address, a host (with the address that logs in), an MX. */
static const struct row {
	const char *name;
	const char *address, *host, *mx, *greeting;
	const char *expected; /* NULL: nobody's */
} rows[] = {
	{ "an address", .address = "ann@gmail.com", .expected = "gmail" },
	{ "in any case", .address = "Ann@GoogleMail.COM", .expected = "gmail" },
	{ "below a domain", .address = "ann@firm.onmicrosoft.com", .expected = "microsoft-365" },
	{ "the longest domain counts", .address = "a@exmail.qq.com", .expected = "tencent-exmail" },
	{ "H9-18 another's name behind it", .address = "a@notgmail.com" },
	{ "H9-18 the name further left", .address = "a@gmail.com.evil.test" },
	{ "H9-18 public suffixes", .address = "a@com" },
	{ "H9-18 public suffixes of two labels", .address = "a@co.uk" },
	{ "two @", .address = "\"a@gmail.com\"@example.com" },
	{ "no @", .address = "gmail.com" },
	{ "a final dot", .address = "a@gmail.com.", .expected = "gmail" },
	{ "nothing behind @", .address = "a@" },
	{ "dots alone", .address = "a@..." },
	{ "an MX", .mx = "gmail-smtp-in.l.google.com", .expected = "gmail" },
	{ "an MX below", .mx = "ALT1.aspmx.l.google.com.", .expected = "google-workspace" },
	{ "an MX of one of many", .mx = "firm-test.mail.protection.outlook.com",
		.expected = "microsoft-365" },
	{ "the longer MX counts", .mx = "x.olc.protection.outlook.com", .expected = "outlook-com" },
	{ "H9-18 an MX that goes on", .mx = "aspmx.l.google.com.evil.test" },
	{ "H9-18 an MX that only ends so", .mx = "notgoogle.com" },
	{ "H9-18 an MX without the border", .mx = "evilaspmx.l.google.com" },
	{ "a host", .host = "imap.mail.yahoo.com", .expected = "yahoo" },
	{ "a host, in any case", .host = "IMAP.GMX.NET", .expected = "gmx-net" },
	{ "a host of two: other domains", .host = "imap.gmail.com", .address = "ann@example.com",
		.expected = "google-workspace" },
	{ "a host of two: the address decides", .host = "imap.gmail.com",
		.address = "ann@gmail.com", .expected = "gmail" },
	{ "a host of three", .host = "smtp.mail.yahoo.com", .address = "a@cox.net",
		.expected = "cox" },
	{ "H9-18 below a host is nobody's", .host = "a.imap.gmail.com" },
	{ "H9-18 a host that goes on", .host = "imap.gmail.com.evil.test" },
	{ "this host is nobody's", .host = "127.0.0.1" },
	{ "a template is nobody's", .host = "mail.{domain}" },
	{ "a greeting",
		.greeting = "s1.test ESMTP Exim 4.96 #2 Sat, 28 Nov 2026\nWe do not "
			    "authorize the use of this system to transport unsolicited,\n"
			    "and/or bulk e-mail.",
		.expected = "cpanel-generic" },
	{ "another greeting", .greeting = "mx.test ESMTP Postfix" },
	{ "no greeting", .greeting = "" },
};

static const struct provider *
ask(const struct providers *providers, const struct row *row)
{
	if (row->host)
		return providers_of_host(providers, bytes_of(row->host), bytes_of(row->address));
	if (row->mx)
		return providers_of_mx(providers, bytes_of(row->mx));
	if (row->greeting)
		return providers_of_greeting(providers, bytes_of(row->greeting));
	return providers_of_address(providers, bytes_of(row->address));
}

static void
test_providers_are_found_at_label_borders(void **state)
{
	struct providers *providers = load();

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct provider *found = ask(providers, &rows[i]);

		unit_row(rows[i].name);
		if (rows[i].expected && !found)
			fail_msg("nobody's");
		assert_string_equal(
			found ? found->name : "", rows[i].expected ? rows[i].expected : "");
	}
	providers_free(providers);
}

/* A row of the administrator's comes first, and takes the place of one of its name. */
static void
test_own_rows_come_first(void **state)
{
	const struct provider own[] = {
		{ .name = "firm",
			.title = "Our firm",
			.domains = "firm.test cox.net",
			.servers[SIDE_IMAP] = "imap.firm.test:993/tls imap.gmail.com:993/tls" },
		{ .name = "gmail", .domains = "gmail.com" },
		{ .name = "firm",
			.title = "Anew",
			.domains = "firm.test cox.net",
			.servers[SIDE_IMAP] = "imap.firm.test:993/tls imap.gmail.com:993/tls" },
	};
	struct providers *providers = providers_new();

	for (size_t i = 0; i < COUNT_OF(own); i++)
		assert_ok(providers_add(providers, &own[i]));
	assert_ok(providers_load(providers));
	assert_int_equal(providers->count, providers_built_in_count + 1);
	assert_string_equal(providers->rows[0]->title, "Anew");
	assert_string_equal(providers_of_address(providers, BYTES("a@cox.net"))->name, "firm");
	assert_string_equal(
		providers_of_host(providers, BYTES("imap.gmail.com"), BYTES("a@b.test"))->name,
		"firm");
	assert_null(providers_find(providers, BYTES("gmail"))->title);
	assert_null(providers_of_address(providers, BYTES("a@googlemail.com")));
	providers_free(providers);
}

static void
hold_servers(const struct provider *row, enum side side)
{
	struct bytes rest = bytes_of(row->servers[side]), word;
	struct provider_server server;

	assert_int_equal(rest.len == 0, row->access[side] == PROVIDER_UNAVAILABLE);
	while ((word = bytes_next_word(&rest)).len > 0)
		assert_ok(provider_server_parse(word, &server));
}

/* A sentence that stands alone: it neither begins nor ends with a blank. */
static void
hold_sentence(const char *text)
{
	if (text)
		assert_bytes_equal(bytes_trim(bytes_of(text)), bytes_of(text));
}

static void
test_each_row_is_whole(void **state)
{
	struct providers *providers = load();

	assert_int_equal(providers_built_in_count, 83);
	for (size_t i = 0; i < providers_built_in_count; i++) {
		const struct provider *row = &providers_built_in[i];
		struct bytes domains = bytes_of(row->domains), domain;

		unit_row(row->name);
		assert_ptr_equal(providers_find(providers, bytes_of(row->name)), row);
		assert_non_null(row->title);
		while ((domain = bytes_next_word(&domains)).len > 0)
			assert_ptr_equal(providers_of_domain(providers, domain), row);
		for (enum side side = 0; side < SIDE_COUNT; side++)
			hold_servers(row, side);
		assert_int_equal(row->username == PROVIDER_FIXED, row->fixed_username != NULL);
		if (row->app_password_form != SECRET_FORM_ANY)
			assert_int_equal(row->app_password, APP_PASSWORD_REQUIRED);
		hold_sentence(row->enable_hint);
		hold_sentence(row->app_password_hint);
		hold_sentence(row->note);
		if (row->link)
			assert_true(bytes_starts(bytes_of(row->link), BYTES("https://")));
		if (row->app_password_link)
			assert_true(
				bytes_starts(bytes_of(row->app_password_link), BYTES("https://")));
	}
	providers_free(providers);
}

static void
test_forms_of_user_names_and_hosts(void **state)
{
	static const struct {
		const char *provider, *username, *host;
	} forms[] = {
		{ "gmail", "ann@firm.test", "imap.gmail.com" },
		{ "web-de", "ann", "imap.web.de" },
		{ "cpanel-generic", "ann@firm.test", "mail.firm.test" },
	};
	struct providers *providers = load();
	struct provider_server region;
	struct buf out = { 0 };

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		const struct provider *row = providers_find(providers, bytes_of(forms[i].provider));
		struct bytes servers = bytes_of(row->servers[SIDE_IMAP]);
		struct provider_server server;

		unit_row(forms[i].provider);
		provider_put_username(&out, row, BYTES("ann@firm.test"));
		assert_buf_holds(&out, bytes_of(forms[i].username));
		assert_true(provider_next_server(&servers, &server));
		assert_ok(provider_put_host(&out, &server, BYTES("ann@firm.test")));
		assert_buf_holds(&out, bytes_of(forms[i].host));
	}
	provider_put_username(
		&out, providers_find(providers, BYTES("sendgrid")), BYTES("ann@firm.test"));
	assert_buf_holds(&out, BYTES("apikey"));
	provider_put_username(
		&out, providers_find(providers, BYTES("postmark")), BYTES("ann@firm.test"));
	assert_int_equal(out.len, 0);
	assert_ok(
		provider_server_parse(BYTES("email-smtp.{region}.amazonaws.com:465/tls"), &region));
	assert_ok(provider_put_host(&out, &region, BYTES("ann@firm.test")));
	assert_int_equal(out.len, 0);
	buf_done(&out);
	providers_free(providers);
}

/* What a row has to say about a cause. */
static void
test_advice_by_cause(void **state)
{
	static const struct {
		const char *provider, *host, *greeting;
		enum side side;
		enum cause cause;
		const char *begins; /* NULL: no advice */
		const char *link;
		bool is_guessed;
	} advices[] = {
		{ "gmail", "imap.gmail.com", NULL, SIDE_IMAP, CAUSE_APP_PASSWORD_REQUIRED,
			"Gmail: Turn on 2-Step Verification first",
			"https://myaccount.google.com/apppasswords", false },
		{ "gmail", "imap.gmail.com", NULL, SIDE_IMAP, CAUSE_BAD_CREDENTIALS,
			"Gmail: Turn on 2-Step Verification first",
			"https://myaccount.google.com/apppasswords", false },
		{ "outlook-com", "outlook.office365.com", NULL, SIDE_IMAP, CAUSE_PROTOCOL_DISABLED,
			"Outlook.com / Hotmail / Live / MSN: In Outlook on the web open",
			"https://support.microsoft.com/en-us/office/"
			"pop-imap-and-smtp-settings-for-outlook-com-d088b986-291d-42b8-9564-"
			"9c414e2aa040",
			false },
		{ "web-de", "imap.web.de", NULL, SIDE_IMAP, CAUSE_USERNAME_FORM,
			"WEB.DE: The user name is the part before @.",
			"https://hilfe.web.de/pop-imap/einschalten.html", false },
		{ "sendgrid", "smtp.sendgrid.net", NULL, SIDE_SMTP, CAUSE_USERNAME_FORM,
			"Twilio SendGrid (SMTP): The user name is apikey.", NULL, false },
		{ "gmail", "imap.googlemail.test", NULL, SIDE_IMAP, CAUSE_DNS_NO_NAME,
			"Gmail: IMAP is at imap.gmail.com, port 993 (tls).",
			"https://support.google.com/mail/answer/97150", false },
		{ "gmail", "imap.gmail.com", NULL, SIDE_IMAP, CAUSE_CONNECT_TIMEOUT, NULL, NULL,
			false },
		{ "gmail", "imap.gmail.com", NULL, SIDE_IMAP, CAUSE_OK, NULL, NULL, false },
		{ "gmail", "imap.gmail.com", NULL, SIDE_IMAP, CAUSE_CERT_EXPIRED, NULL, NULL,
			false },
		{ "gmail", "smtp.relay.test", NULL, SIDE_SMTP, CAUSE_BAD_CREDENTIALS,
			"Gmail: SMTP is at smtp.gmail.com, port 465 (tls).",
			"https://support.google.com/mail/answer/97150", true },
		{ NULL, "mail.firm.test",
			"mail.firm.test ESMTP Exim\nWe do not authorize the use of "
			"this system to transport unsolicited,",
			SIDE_SMTP, CAUSE_BAD_CREDENTIALS,
			"cPanel / shared hosting (generic): Many hosts cap logins", NULL, false },
		{ NULL, "mail.firm.test", "mail.firm.test ESMTP Exim", SIDE_SMTP,
			CAUSE_BAD_CREDENTIALS, NULL, NULL, false },
	};
	struct providers *providers = load();

	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		struct endpoint *endpoint = endpoint_new(advices[i].side);
		struct verdict *verdict = verdict_new();

		unit_row(cause_name(advices[i].cause));
		endpoint->host = strdup(advices[i].host);
		endpoint->port = port_of_security(advices[i].side, SECURITY_TLS);
		endpoint->security = SECURITY_TLS;
		if (advices[i].provider)
			endpoint->provider =
				providers_find(providers, bytes_of(advices[i].provider));
		endpoint->is_provider_guessed = advices[i].is_guessed;
		verdict->cause = advices[i].cause;
		advise(endpoint, bytes_of(advices[i].greeting), verdict);
		assert_int_equal(verdict->advice != NULL, advices[i].begins != NULL);
		if (advices[i].begins &&
			!bytes_starts(bytes_of(verdict->advice), bytes_of(advices[i].begins)))
			fail_msg("%s", verdict->advice);
		assert_string_equal(
			verdict->link ? verdict->link : "", advices[i].link ? advices[i].link : "");
		verdict_free(verdict);
		endpoint_free(endpoint);
	}
	providers_free(providers);
}

/* A rule's provider: a name, by host or greeting; with a dot, a domain. */
static void
test_rules_name_a_provider(void **state)
{
	static const struct provider gmail = { .name = "gmail" }, cpanel = { .name = "cpanel" };
	const struct server_reply reply = { .status = REPLY_NO };
	static const struct {
		const char *rule;
		struct reply_question question;
		bool fits;
	} rules[] = {
		{ "gmail", { .provider = &gmail }, true },
		{ "Gmail", { .provider = &gmail }, true },
		{ "gmail", { .software = &gmail }, true },
		{ "gmail", { .provider = &cpanel }, false },
		{ "gmail", { .host = { "imap.gmail.com", 14 } }, false },
		{ "gmail.com", { .host = { "imap.gmail.com", 14 } }, true },
		{ "gmail.com", { .provider = &gmail }, false },
	};

	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		struct reply_question question = rules[i].question;

		unit_row(rules[i].rule);
		question.reply = &reply;
		assert_int_equal(reply_rule_fits(&(struct reply_rule){ .provider = rules[i].rule },
					 &question),
			rules[i].fits);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_advice_by_cause),
	cmocka_unit_test(test_rules_name_a_provider),
	cmocka_unit_test(test_providers_are_found_at_label_borders),
	cmocka_unit_test(test_own_rows_come_first),
	cmocka_unit_test(test_each_row_is_whole),
	cmocka_unit_test(test_forms_of_user_names_and_hosts),
};

UNIT_MAIN(tests)
