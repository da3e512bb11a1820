/*
 * test_providers.c: what `provider` fills in, what nearer settings leave of it, the administrator's
 * own rows; and that no provider's own settings draw a warning.
 */
#include "fixture.h"

#include "diagnose/providers.h"

/* One mailbox; text stands in it. */
static void
load(struct fixture *f, const char *address, const char *text)
{
	struct buf whole = { 0 };

	buf_put_format(
		&whole, "mailboxes = ( { name = \"a\"; address = \"%s\"; %s } );\n", address, text);
	assert_int_equal(buf_err(&whole), ERR_OK);
	fixture_load_text(f, whole.at);
	buf_done(&whole);
}

static const struct row {
	const char *name, *address, *text;
	const char *smtp, *imap; /* "user host:port/security"; NULL: no such side */
} rows[] = {
	{ "both sides", "ann@gmail.com", "provider = \"gmail\"; auth = \"none\";",
		"ann@gmail.com smtp.gmail.com:465/tls", "ann@gmail.com imap.gmail.com:993/tls" },
	{ "its first server counts", "ann@icloud.com", "provider = \"icloud\"; auth = \"none\";",
		"ann@icloud.com smtp.mail.me.com:587/starttls",
		"ann@icloud.com imap.mail.me.com:993/tls" },
	{ "the one side that is there", "ann@gmail.com",
		"provider = \"gmail\"; smtp = { password = \"abcdefghijklmnop\"; };",
		"ann@gmail.com smtp.gmail.com:465/tls", NULL },
	{ "the server that fits the security", "ann@gmail.com",
		"provider = \"gmail\"; auth = \"none\"; smtp = { security = \"starttls\"; };",
		"ann@gmail.com smtp.gmail.com:587/starttls", NULL },
	{ "the server that fits the port", "ann@gmail.com",
		"provider = \"gmail\"; auth = \"none\"; smtp = { port = 587; };",
		"ann@gmail.com smtp.gmail.com:587/starttls", NULL },
	{ "a port that is none of its own", "ann@gmail.com",
		"provider = \"gmail\"; auth = \"none\"; smtp = { port = 2525; };",
		"ann@gmail.com smtp.gmail.com:2525/starttls", NULL },
	{ "a host that is none of its own", "ann@icloud.com",
		"provider = \"icloud\"; auth = \"none\"; smtp = { host = \"relay.example\"; };",
		"ann@icloud.com relay.example:587/starttls", NULL },
	{ "the part before @", "ann@web.de", "provider = \"web-de\"; auth = \"none\";",
		"ann smtp.web.de:465/tls", "ann imap.web.de:993/tls" },
	{ "a user name of its own", "ann@web.de",
		"provider = \"web-de\"; auth = \"none\"; imap = { username = \"ben\"; };", NULL,
		"ben imap.web.de:993/tls" },
	{ "one user name for all", "ann@firm.example", "provider = \"sendgrid\"; auth = \"none\";",
		"apikey smtp.sendgrid.net:465/tls", NULL },
	{ "the domain in the host", "ann@firm.example",
		"provider = \"cpanel-generic\"; auth = \"none\"; imap = {};", NULL,
		"ann@firm.example mail.firm.example:993/tls" },
};

static void
assert_side(const struct fixture *f, enum side side, const char *expected)
{
	const struct endpoint *endpoint = f->settings->mailboxes[0].sides[side];
	struct buf text = { 0 };

	if (!expected) {
		assert_null(endpoint);
		return;
	}
	assert_non_null(endpoint);
	buf_put_format(&text, "%s %s:%u/%s", endpoint->username, endpoint->host, endpoint->port,
		security_name(endpoint->security));
	assert_buf_holds(&text, bytes_of(expected));
	buf_done(&text);
}

static void
test_provider_fills_what_is_not_set(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		load(&f, rows[i].address, rows[i].text);
		assert_told(&f, "");
		assert_side(&f, SIDE_SMTP, rows[i].smtp);
		assert_side(&f, SIDE_IMAP, rows[i].imap);
	}
	fixture_end(&f);
}

static void
test_provider_faults(void **state)
{
	static const struct {
		const char *address, *text, *told;
	} faults[] = {
		{ "a@b.example", "provider = \"gmial\"; auth = \"none\";",
			"main.conf:1: mailboxes.a.provider: no provider is called \"gmial\"; did "
			"you mean gmail?\n" },
		{ "a@b.example", "provider = \"nobody-at-all\"; imap = { };",
			"no provider is called \"nobody-at-all\"; mboxwatchctl providers lists "
			"them\n" },
		{ "a@tuta.com", "provider = \"tuta\"; auth = \"none\";",
			"Tuta (Tutanota) has neither SMTP nor IMAP for mail programs" },
		{ "a@b.example", "provider = \"sendgrid\"; auth = \"none\"; imap = { };",
			"Twilio SendGrid (SMTP) has no IMAP for mail programs" },
		{ "a@b.example", "provider = \"amazon-ses\"; auth = \"none\";",
			"no host; write the one of the account, as "
			"email-smtp.{region}.amazonaws.com" },
		{ "a@b.example", "provider = \"postmark\"; smtp = { password = \"x\"; };",
			"mailboxes.a.smtp: no user name" },
		{ "a@gmail.com", "imap = { password = \"x\"; };",
			"no host; write host = \"imap.example.com\", or provider = \"gmail\"" },
	};
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		unit_row(faults[i].text);
		load(&f, faults[i].address, faults[i].text);
		assert_err_equal(f.err, ERR_INVALID);
		assert_told_part(&f, faults[i].told);
	}
	fixture_end(&f);
}

/* What the review warns about by the table of providers (contract 3). */
static void
test_provider_warnings(void **state)
{
	static const struct {
		const char *name, *address, *text, *told;
	} warnings[] = {
		{ "both sides name one server", "a@gmail.com",
			"auth = \"none\"; smtp = { host = \"imap.gmail.com\"; };"
			" imap = { host = \"imap.gmail.com\"; };",
			"warning: mailboxes.a.smtp.host: imap.gmail.com is the server for reading "
			"mail; the one for sending is smtp.gmail.com\n" },
		{ "swapped, though not called so", "a@virgilio.it",
			"auth = \"none\"; smtp = { host = \"in.virgilio.it\"; };"
			" imap = { host = \"out.virgilio.it\"; };",
			"warning: mailboxes.a.smtp.host: the hosts look swapped" },
		{ "two sites, one login", "a@outlook.com",
			"smtp = { host = \"smtp-mail.outlook.com\"; port = 587; password = \"x\"; "
			"username = \"a@outlook.com\"; "
			"};"
			" imap = { host = \"outlook.office365.com\"; username = "
			"\"b@outlook.com\"; };",
			"warning: mailboxes.a.imap.username: another user name" },
		{ "no app password", "a@gmail.com",
			"provider = \"gmail\"; smtp = { password = \"hunter2\"; };",
			"warning: mailboxes.a.smtp.password: it does not look like an app password "
			"of Gmail, which takes no other: they are 16 letters\n" },
		{ "no app password, by the host", "a@firm.example",
			"imap = { host = \"imap.gmail.com\"; password = \"hunter2\"; };",
			"it does not look like an app password of Google Workspace" },
		{ "an app password with blanks", "a@gmail.com",
			"provider = \"gmail\"; smtp = { password = \"abcd efgh ijkl mnop\"; };",
			"with the spaces that it was shown with" },
		{ "below the least", "a@firm.example",
			"provider = \"cpanel-generic\"; interval = \"1m\"; auth = \"none\"; imap = "
			"{};",
			"warning: mailboxes.a.imap.interval: shorter than cPanel / shared hosting "
			"(generic) bears, so it is 5m\n" },
	};
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(warnings); i++) {
		unit_row(warnings[i].name);
		load(&f, warnings[i].address, warnings[i].text);
		assert_err_equal(f.err, ERR_OK);
		assert_told_part(&f, warnings[i].told);
		assert_int_equal(f.complaints.count, 1);
	}
	assert_int_equal(f.settings->mailboxes[0].rules[SIDE_IMAP].interval_us, 5 * US_PER_M);
	fixture_end(&f);
}

/* An address alone makes a server nobody's. */
static void
test_an_address_alone_is_no_provider(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	load(&f, "a@gmail.com",
		"smtp = { host = \"relay.example\"; password = \"hunter2\"; };"
		" imap = { host = \"relay.example\"; };");
	assert_told(&f, "");
	assert_side(&f, SIDE_SMTP, "a@gmail.com relay.example:465/tls");
	fixture_end(&f);
}

static const char *const good_secrets[SECRET_FORM_COUNT] = {
	[SECRET_FORM_ANY] = "hunter2",
	[SECRET_FORM_LETTERS_16] = "abcdefghijklmnop",
	[SECRET_FORM_SIGNS_16] = "ABCD1234efgh5678",
	[SECRET_FORM_HYPHENS_4X4] = "abcd-efgh-ijkl-mnop",
};

/* Each of its servers, with the address of one of its domains; named, and by the host alone. */
static void
hold_settings(struct fixture *f, const struct provider *row, bool is_named)
{
	struct bytes smtp = bytes_of(row->servers[SIDE_SMTP]), imap,
		     domains = bytes_of(row->domains);
	struct bytes domain = bytes_next_word(&domains);
	const char *secret = good_secrets[row->app_password_form];
	struct provider_server s = { 0 }, i = { 0 };
	struct buf user = { 0 }, text = { 0 }, address = { 0 }, host = { 0 };

	buf_put_format(
		&address, "ann@%.*s", BYTES_ARG(domain.len ? domain : BYTES("firm.example")));
	provider_put_username(&user, row, buf_bytes(&address));
	if (user.len == 0)
		buf_put_string(&user, "AKIA5");
	if (is_named)
		buf_put_format(&text, "provider = \"%s\"; ", row->name);
	if (provider_next_server(&smtp, &s)) {
		assert_ok(provider_put_host(&host, &s, buf_bytes(&address)));
		buf_put_format(&text,
			"smtp = { host = \"%s\"; port = %u; security = \"%s\"; username = \"%s\"; "
			"password = \"%s\"; }; ",
			host.len ? host.at : "email-smtp.eu-west-1.amazonaws.com", s.port,
			security_name(s.security), user.at, secret);
	}
	buf_clear(&host);
	imap = bytes_of(row->servers[SIDE_IMAP]);
	if (provider_next_server(&imap, &i)) {
		assert_ok(provider_put_host(&host, &i, buf_bytes(&address)));
		buf_put_format(&text,
			"imap = { host = \"%s\"; port = %u; security = \"%s\"; username = \"%s\"; "
			"password = \"%s\"; }; ",
			host.at, i.port, security_name(i.security), user.at, secret);
	}
	if (text.len > 0) {
		load(f, address.at, text.at);
		assert_told(f, "");
	}
	buf_done(&user);
	buf_done(&text);
	buf_done(&host);
	buf_done(&address);
}

static void
test_no_provider_warns_of_its_own_settings(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < providers_built_in_count; i++) {
		const struct provider *row = &providers_built_in[i];

		unit_row(row->name);
		if (!row->servers[SIDE_SMTP])
			continue;
		hold_settings(&f, row, true);
		/* Where only the name can tell: a form of user names, or of ports, that hosts do
		 * not give away. */
		if (providers_of_host(f.settings->providers,
			    bytes_of(f.settings->mailboxes[0].sides[SIDE_SMTP]->host), BYTES_NONE))
			hold_settings(&f, row, false);
	}
	fixture_end(&f);
}

static void
test_own_providers(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f,
		"mailboxes = ( { name = \"a\"; address = \"ann@acme.example\"; provider = "
		"\"acme\";\n"
		"  interval = \"20s\"; imap = { password = \"x\"; }; } );\n"
		"rules = ( { words = \"parked\"; provider = \"acme\"; cause = "
		"\"account_suspended\";\n"
		"  example = \"NO parked\"; } );\n"
		"providers = ( { name = \"acme\"; title = \"ACME\"; domains = \"acme.example\";\n"
		"  imap = [\"imap.acme.example:143/starttls\"]; large = true;\n"
		"  username_form = \"local_part\"; least_interval = \"30s\"; } );\n");
	assert_told(&f, "main.conf:2: warning: mailboxes.a.imap.interval: shorter than ACME bears, "
			"so it is "
			"30s\n");
	assert_side(&f, SIDE_IMAP, "ann imap.acme.example:143/starttls");
	assert_string_equal(f.settings->providers->rows[0]->name, "acme");
	fixture_load_text(&f,
		"providers = ( { title = \"x\"; }, { name = \"b\"; imap = \"imap.b.example\"; },\n"
		"  { name = \"c\"; domains = [\"b c.example\", \"*\"]; },\n"
		"  { name = \"d\"; username_form = \"fixed\"; } );\n"
		"rules = ( { words = \"x\"; provider = \"acme\"; cause = \"rate_limited\";\n"
		"  example = \"NO x\"; } );\n");
	assert_told_part(&f, "main.conf:1: providers[0]: no name");
	assert_told_part(&f, "main.conf:1: providers[1].imap: \"imap.b.example\" is no server");
	assert_told_part(&f, "main.conf:2: providers[2].domains: \"*\" is no domain");
	assert_told_part(&f, "main.conf:3: providers[3]: username_form = \"fixed\"");
	assert_told_part(&f, "main.conf:4: rules[0].provider: no provider is called \"acme\"");
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_provider_fills_what_is_not_set),
	cmocka_unit_test(test_provider_faults),
	cmocka_unit_test(test_provider_warnings),
	cmocka_unit_test(test_an_address_alone_is_no_provider),
	cmocka_unit_test(test_no_provider_warns_of_its_own_settings),
	cmocka_unit_test(test_own_providers),
};

UNIT_MAIN(tests)
