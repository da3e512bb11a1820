/* test_scope.c: the nearest wins: endpoint, mailbox, servers, defaults, the table. */
#include "fixture.h"

#define SMTP(f, name) (settings_find((f)->settings, bytes_of(name))->sides[SIDE_SMTP])
#define IMAP(f, name) (settings_find((f)->settings, bytes_of(name))->sides[SIDE_IMAP])

static void
test_scope_the_nearest_wins(void **state)
{
	static const struct {
		const char *name, *before, *within, *after;
		int64_t smtp_s, imap_s;
	} rows[] = {
		{ .name = "nobody says", "", "", "", 300, 300 },
		{ .name = "defaults", "defaults = { interval = 60; };", "", "", 60, 60 },
		{ .name = "servers over defaults",
			"defaults = { interval = 60; }; servers = ({ host = \"I.example.com.\"; "
			"interval = 70; });",
			"",
			"",
			60,
			70 },
		{ .name = "mailbox over servers",
			"servers = ({ host = \"i.example.com\"; interval = 70; });",
			"interval = 80;",
			"",
			80,
			80 },
		{ .name = "defaults after the mailboxes",
			"",
			"",
			"defaults = { interval = \"1h\"; };",
			3600,
			3600 },
	};
	struct fixture f;
	char text[1024];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct mailbox_settings *mailbox;

		unit_row(rows[i].name);
		snprintf(text, sizeof(text), "%s mailboxes = ({ name = \"a\"; %s %s }); %s",
			rows[i].before, rows[i].within,
			"smtp = { host = \"s.example.com\"; auth = \"none\"; }; imap = { host = "
			"\"i.example.com\"; "
			"auth = \"none\"; };",
			rows[i].after);
		fixture_load_text(&f, text);
		assert_told(&f, "");
		mailbox = settings_find(f.settings, BYTES("a"));
		assert_int_equal(mailbox->rules[SIDE_SMTP].interval_us, rows[i].smtp_s * US_PER_S);
		assert_int_equal(mailbox->rules[SIDE_IMAP].interval_us, rows[i].imap_s * US_PER_S);
	}
	unit_row("the endpoint over all");
	fixture_load_text(&f,
		"defaults = { timeout = 10; auth = \"none\"; family = \"ipv4\"; };\n"
		"servers = ({ host = \"h\"; timeout = 20; stage_timeout = \"5s\"; });\n"
		"mailboxes = ({ name = \"a\"; timeout = 30; family = \"ipv6\";\n"
		"  imap = { host = \"h\"; timeout = 40; }; });");
	assert_told(&f, "");
	assert_int_equal(IMAP(&f, "a")->timeout_us, 40 * US_PER_S);
	assert_int_equal(IMAP(&f, "a")->stage_timeout_us, 5 * US_PER_S);
	assert_int_equal(IMAP(&f, "a")->family, FAMILY_IPV6);
	assert_int_equal(IMAP(&f, "a")->mechanism, MECHANISM_NONE);
	fixture_end(&f);
}

static void
test_scope_port_and_security_give_each_other(void **state)
{
	static const struct {
		const char *name, *set;
		uint16_t smtp_port;
		enum security smtp;
		uint16_t imap_port;
		enum security imap;
	} rows[] = {
		{ .name = "none given", "", 465, SECURITY_TLS, 993, SECURITY_TLS },
		{ .name = "tls", "security = \"tls\";", 465, SECURITY_TLS, 993, SECURITY_TLS },
		{ .name = "starttls",
			"security = \"starttls\";",
			587,
			SECURITY_STARTTLS,
			143,
			SECURITY_STARTTLS },
		{ .name = "none",
			"security = \"none\"; insecure_auth = true;",
			587,
			SECURITY_NONE,
			143,
			SECURITY_NONE },
		{ .name = "587", "port = 587;", 587, SECURITY_STARTTLS, 587, SECURITY_STARTTLS },
		{ .name = "143", "port = 143;", 143, SECURITY_STARTTLS, 143, SECURITY_STARTTLS },
		{ .name = "25", "port = 25;", 25, SECURITY_STARTTLS, 25, SECURITY_STARTTLS },
		{ .name = "2525",
			"port = 2525;",
			2525,
			SECURITY_STARTTLS,
			2525,
			SECURITY_STARTTLS },
		{ .name = "another", "port = 10993;", 10993, SECURITY_TLS, 10993, SECURITY_TLS },
		{ .name = "both",
			"port = 993; security = \"starttls\";",
			993,
			SECURITY_STARTTLS,
			993,
			SECURITY_STARTTLS },
	};
	struct fixture f;
	char text[1024];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		snprintf(text, sizeof(text),
			"mailboxes = ({ name = \"a\"; address = \"a@example.com\";\n"
			"  smtp = { host = \"h\"; password = \"x\"; %s }; imap = { host = \"h\"; "
			"%s }; });",
			rows[i].set, rows[i].set);
		fixture_load_text(&f, text);
		assert_ok(f.err);
		assert_int_equal(SMTP(&f, "a")->port, rows[i].smtp_port);
		assert_int_equal(SMTP(&f, "a")->security, rows[i].smtp);
		assert_int_equal(IMAP(&f, "a")->port, rows[i].imap_port);
		assert_int_equal(IMAP(&f, "a")->security, rows[i].imap);
	}
	fixture_end(&f);
}

static void
test_scope_user_name_and_secret_are_the_other_sides(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	unit_row("the address, and the other side's secret");
	fixture_load_text(&f, "mailboxes = ({ name = \"a\"; address = \"a@example.com\";\n"
			      "  smtp = { host = \"s\"; password_credential = \"cred\"; }; imap = "
			      "{ host = \"i\"; }; });");
	assert_told(&f, "");
	assert_string_equal(SMTP(&f, "a")->username, "a@example.com");
	assert_string_equal(IMAP(&f, "a")->username, "a@example.com");
	assert_int_equal(IMAP(&f, "a")->secret.kind, SECRET_CREDENTIAL);
	assert_string_equal(IMAP(&f, "a")->secret.path, "cred");
	unit_row("the other side's user name before the address");
	fixture_load_text(&f,
		"mailboxes = ({ name = \"a\"; address = \"a@example.com\";\n"
		"  smtp = { host = \"s\"; }; imap = { host = \"i\"; username = \"ann@b\";\n"
		"  password_command = [\"pass\", \"show\", \"a b\"]; }; });");
	assert_told(&f, "");
	assert_string_equal(SMTP(&f, "a")->username, "ann@b");
	assert_int_equal(SMTP(&f, "a")->secret.kind, SECRET_COMMAND);
	assert_string_equal(SMTP(&f, "a")->secret.argv[2], "a b");
	assert_null(SMTP(&f, "a")->secret.argv[3]);
	unit_row("one each");
	fixture_load_text(&f,
		"mailboxes = ({ name = \"a\";\n"
		"  smtp = { host = \"s\"; username = \"x\"; password = \"p\"; };\n"
		"  imap = { host = \"i\"; username = \"y\"; password = \"q\"; }; });");
	assert_told(&f, "");
	assert_string_equal(SMTP(&f, "a")->username, "x");
	assert_string_equal(IMAP(&f, "a")->username, "y");
	assert_false(secret_equal(SMTP(&f, "a")->secret.value, IMAP(&f, "a")->secret.value));
	unit_row("auth none needs neither");
	fixture_load_text(
		&f, "mailboxes = ({ name = \"a\"; auth = \"none\"; smtp = { host = \"s\"; }; });");
	assert_told(&f, "");
	assert_null(SMTP(&f, "a")->username);
	assert_int_equal(SMTP(&f, "a")->secret.kind, SECRET_NONE);
	assert_null(settings_find(f.settings, BYTES("a"))->accounts[SIDE_SMTP]);
	fixture_end(&f);
}

static void
test_scope_the_retry_never_exceeds_the_interval(void **state)
{
	static const struct {
		const char *name, *set;
		int64_t interval_s, retry_s, most_s;
	} rows[] = {
		{ .name = "defaults", "", 300, 60, 300 },
		{ .name = "a short interval", "interval = \"10s\";", 10, 10, 10 },
		{ .name = "a long retry", "retry_interval = \"1h\";", 300, 300, 300 },
		{ .name = "a low top",
			"retry_interval = \"30s\"; retry_max = \"30s\";",
			300,
			30,
			30 },
		{ .name = "a top above", "retry_max = \"1h\";", 300, 60, 300 },
	};
	struct fixture f;
	char text[512];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct watch_rules *rules;

		unit_row(rows[i].name);
		snprintf(text, sizeof(text),
			"mailboxes = ({ name = \"a\"; auth = \"none\"; %s imap = { host = \"h\"; "
			"}; });",
			rows[i].set);
		fixture_load_text(&f, text);
		assert_told(&f, "");
		rules = &settings_find(f.settings, BYTES("a"))->rules[SIDE_IMAP];
		assert_int_equal(rules->interval_us, rows[i].interval_s * US_PER_S);
		assert_int_equal(rules->retry_interval_us, rows[i].retry_s * US_PER_S);
		assert_int_equal(rules->retry_max_us, rows[i].most_s * US_PER_S);
		assert_int_equal(rules->confirm, 3);
		assert_int_equal(rules->recover, 2);
	}
	fixture_end(&f);
}

static void
test_scope_labels_are_joined(void **state)
{
	struct fixture f;
	const struct labels *labels;

	fixture_begin(&f);
	fixture_load_text(&f,
		"defaults = { labels = { owner = \"acme\"; tier = \"1\"; }; auth = \"none\"; };\n"
		"mailboxes = ({ name = \"a\"; labels = { tier = \"2\"; city = \"K\xc3\xb6ln\"; };\n"
		"  imap = { host = \"h\"; }; });");
	assert_told(&f, "");
	labels = &settings_find(f.settings, BYTES("a"))->labels;
	assert_int_equal(labels->count, 3);
	assert_string_equal(labels->items[0].value, "acme");
	assert_string_equal(labels->items[1].value, "2");
	assert_string_equal(labels->items[2].value, "K\xc3\xb6ln");
	fixture_end(&f);
}

static const struct watch_server *
find_server(const struct fixture *f, const char *host)
{
	for (size_t i = 0; i < f->settings->server_count; i++) {
		if (strcmp(f->settings->servers[i].host, host) == 0)
			return &f->settings->servers[i];
	}
	return NULL;
}

static void
assert_limits(
	const struct fixture *f, const char *host, unsigned connections, unsigned logins_per_minute)
{
	const struct watch_server *server = find_server(f, host);

	unit_row(host);
	assert_non_null(server);
	assert_int_equal(server->connections, connections);
	assert_int_equal(server->logins_per_minute, logins_per_minute);
}

/* Contract 3: hosts that the table marks large, those that it only knows, and what servers, limits
 * and the provider's own limit make of these. */
static void
test_scope_servers_of_providers(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f,
		"servers = ({ host = \"imap.web.de\"; connections = 2; });\n"
		"mailboxes = ({ name = \"a\"; address = \"a@firm.example\"; password = \"x\";\n"
		"  provider = \"cpanel-generic\"; auth = \"none\"; });");
	assert_err_equal(f.err, ERR_INVALID); /* a password has no place there */
	fixture_load_text(&f, "servers = ({ host = \"imap.web.de\"; connections = 2; });\n"
			      "mailboxes = ({ name = \"a\"; address = \"a@firm.example\";\n"
			      "  provider = \"cpanel-generic\"; auth = \"none\"; });");
	assert_told(&f, "");
	assert_limits(&f, "imap.gmail.com", 64, 1200);
	assert_true(find_server(&f, "imap.gmail.com")->is_known);
	assert_limits(&f, "imap.strato.de", 8, 30);
	assert_true(find_server(&f, "imap.strato.de")->is_known);
	assert_limits(&f, "imap.web.de", 2, 1200);
	assert_true(find_server(&f, "imap.web.de")->is_known);
	assert_limits(&f, "mail.firm.example", 8, 1);
	assert_false(find_server(&f, "mail.firm.example")->is_known);
	assert_null(find_server(&f, "127.0.0.1"));
	fixture_load_text(&f, "limits = { connections = 5; };");
	assert_limits(&f, "imap.gmail.com", 5, 1200);
	fixture_end(&f);
}

static void
test_scope_servers_have_limits(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f,
		"limits = { connections = 5; logins_per_minute = 7; };\n"
		"servers = ({ host = \"b\"; connections = 2; }, { host = \"c\"; interval = 60; },\n"
		"  { host = \"A.example\"; logins_per_minute = 3; });");
	assert_told(&f, "");
	assert_int_equal(f.settings->limits.connections, 5);
	assert_limits(&f, "a.example", 5, 3);
	assert_limits(&f, "b", 2, 7);
	assert_null(find_server(&f, "c"));
	fixture_end(&f);
}

/* H7-16 */
static void
test_scope_one_account_however_it_is_written(void **state)
{
	static const struct {
		const char *name, *host, *username, *site;
		bool is_same;
	} rows[] = {
		{ .name = "the first", "imap.example.com", "ann@example.com", "example.com", true },
		{ .name = "upper case and a dot",
			"IMAP.example.com.",
			"Ann@Example.com",
			"example.com",
			true },
		{ .name = "another host of the site",
			"smtp.example.com",
			"ANN@example.com",
			"example.com",
			true },
		{ .name = "another user",
			"imap.example.com",
			"bob@example.com",
			"example.com",
			false },
		{ .name = "a.co.uk", "mail.a.co.uk", "ann@example.com", "a.co.uk", false },
		{ .name = "b.co.uk", "mail.b.co.uk", "ann@example.com", "b.co.uk", false },
		{ .name = "an address", "192.0.2.1", "ann@example.com", "192.0.2.1", false },
	};
	struct buf first = { 0 };
	struct fixture f;
	char text[512];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct mailbox_settings *mailbox;
		struct bytes account;

		unit_row(rows[i].name);
		snprintf(text, sizeof(text),
			"mailboxes = ({ name = \"a\"; imap = { host = \"%s\"; username = \"%s\"; "
			"password = \"x\"; }; });",
			rows[i].host, rows[i].username);
		fixture_load_text(&f, text);
		assert_ok(f.err);
		mailbox = settings_find(f.settings, BYTES("a"));
		assert_string_equal(mailbox->sites[SIDE_IMAP], rows[i].site);
		account = (struct bytes){ mailbox->accounts[SIDE_IMAP],
			mailbox->account_lens[SIDE_IMAP] };
		if (i == 0)
			buf_put(&first, account);
		assert_int_equal(bytes_equal(account, buf_bytes(&first)), rows[i].is_same);
	}
	buf_done(&first);
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_scope_the_nearest_wins),
	cmocka_unit_test(test_scope_port_and_security_give_each_other),
	cmocka_unit_test(test_scope_user_name_and_secret_are_the_other_sides),
	cmocka_unit_test(test_scope_the_retry_never_exceeds_the_interval),
	cmocka_unit_test(test_scope_labels_are_joined),
	cmocka_unit_test(test_scope_servers_have_limits),
	cmocka_unit_test(test_scope_servers_of_providers),
	cmocka_unit_test(test_scope_one_account_however_it_is_written),
};

UNIT_MAIN(tests)
