/* test_way.c: by what way a server is connected to: family, source_address, proxy. */
#include "fixture.h"

#define DEFAULTS_WITH(what)                                                                        \
	"defaults = { auth = \"none\"; " what " };\n"                                              \
	"mailboxes = ({ name = \"a\"; imap = { host = \"h\"; }; });"

static const struct endpoint *
imap_of(const struct fixture *f)
{
	return settings_find(f->settings, BYTES("a"))->sides[SIDE_IMAP];
}

static void
test_proxies_are_taken_apart(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		enum proxy_kind kind;
		const char *host;
		uint16_t port;
		const char *user; /* NULL: none */
		const char *password;
	} rows[] = {
		{ "SOCKS5", "socks5://proxy.example.com:1080", PROXY_SOCKS5, "proxy.example.com",
			1080, NULL, NULL },
		{ "HTTP", "http://192.0.2.1:3128/", PROXY_HTTP, "192.0.2.1", 3128, NULL, NULL },
		{ "in capitals", "SOCKS5://Proxy.Example.COM.:65535", PROXY_SOCKS5,
			"proxy.example.com", 65535, NULL, NULL },
		{ "an IPv6 address", "socks5://[2001:DB8::1]:1", PROXY_SOCKS5, "2001:db8::1", 1,
			NULL, NULL },
		{ "a login", "http://ann:open@h:8080", PROXY_HTTP, "h", 8080, "ann", "open" },
		{ "a login, encoded", "http://a%40b:%2f%3A%25%40@h:8080", PROXY_HTTP, "h", 8080,
			"a@b", "/:%@" },
		{ "a colon in the password", "http://ann:a:b@h:8080", PROXY_HTTP, "h", 8080, "ann",
			"a:b" },
		{ "no password", "socks5://ann@h:1", PROXY_SOCKS5, "h", 1, "ann", NULL },
		{ "an empty one", "socks5://ann:@h:1", PROXY_SOCKS5, "h", 1, "ann", NULL },
	};
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct proxy *proxy;
		char text[512];

		unit_row(rows[i].name);
		snprintf(text, sizeof(text), DEFAULTS_WITH("proxy = \"%s\";"), rows[i].text);
		fixture_load_text(&f, text);
		assert_told(&f, "");
		proxy = &imap_of(&f)->proxy;
		assert_int_equal(proxy->kind, rows[i].kind);
		assert_string_equal(proxy->host, rows[i].host);
		assert_int_equal(proxy->port, rows[i].port);
		assert_bytes_equal(bytes_of(proxy->user), bytes_of(rows[i].user));
		assert_int_equal(proxy->password != NULL, rows[i].password != NULL);
		if (rows[i].password)
			assert_bytes_equal(
				secret_reveal(proxy->password), bytes_of(rows[i].password));
	}
	fixture_end(&f);
}

/* Whatever is wrong with a proxy's URL, nothing of it is told. */
static void
test_faults_of_a_proxy_show_no_secret(void **state)
{
	static const struct {
		const char *text;
		const char *told;
	} rows[] = {
		{ "proxy.example.com:1080", "neither socks5:// nor http:// begins it" },
		{ "https://u:s3cret@h:1", "neither socks5:// nor http:// begins it" },
		{ "socks5://u:s3cret@h", "it has no port, or an address that wants brackets" },
		{ "socks5://u:s3cret@:1", "it has no port, or an address that wants brackets" },
		{ "socks5://u:s3cret@2001:db8::1",
			"it has no port, or an address that wants brackets" },
		{ "socks5://u:s3cret@[2001:db8::1]",
			"it has no port, or an address that wants brackets" },
		{ "socks5://", "it has no port, or an address that wants brackets" },
		{ "socks5://u:s3cret@h:0", "its port is none of 1 to 65535" },
		{ "socks5://u:s3cret@h:65536", "its port is none of 1 to 65535" },
		{ "socks5://u:s3cret@h:1x", "its port is none of 1 to 65535" },
		{ "socks5://u:s3cret@a_b:1", "its host is neither a name nor an address" },
		{ "socks5://:s3cret@h:1", "its user name is empty, too long or badly encoded" },
		{ "socks5://u%3av:s3cret@h:1",
			"its user name is empty, too long or badly encoded" },
		{ "socks5://u:s3cret%0@h:1", "its password is too long or badly encoded" },
		{ "socks5://u:s3cret%00@h:1", "its password is too long or badly encoded" },
		{ "http://u:s3cret%0d%0aX@h:1", "its password is too long or badly encoded" },
		{ "http://u:s3cret/@h:1", "a path in it, or a \"/\" that should be %2F" },
		{ "http://u:s3cret@h:1/x", "a path in it, or a \"/\" that should be %2F" },
		{ "", "empty; write a proxy's URL" },
		{ "http://u:s3cret@h:1\\n", "a line end or another control character in it" },
	};
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[512];

		unit_row(rows[i].text);
		snprintf(text, sizeof(text), DEFAULTS_WITH("proxy = \"%s\";"), rows[i].text);
		fixture_load_text(&f, text);
		assert_int_equal(f.complaints.faults, 1);
		assert_told_part(&f, "main.conf:1: defaults.proxy: ");
		assert_told_part(&f, rows[i].told);
		assert_false(fixture_has(&f, "s3cret"));
	}
	unit_row("a line that cannot be parsed");
	fixture_load_text(&f, "defaults = { proxy = \"http://u:s3cret@h:1\" \"x\"; y z; };");
	assert_true(f.complaints.faults > 0);
	assert_false(fixture_has(&f, "s3cret"));
	unit_row("a name twice");
	fixture_load_text(&f, "defaults = { confirm = 3; proxy = \"http://u:s3cret@h:1\";\n"
			      " proxy = \"http://u:s3cret@h:2\"; };");
	assert_true(f.complaints.faults > 0);
	assert_false(fixture_has(&f, "s3cret"));
	unit_row("a file that others can read");
	fixture_write(
		&f, "main.conf", BYTES(DEFAULTS_WITH("proxy = \"http://u:s3cret@h:1\";")), 0644);
	fixture_load(&f);
	assert_told(&f, "main.conf:1: warning: defaults.proxy: a password in a file that others "
			"can read; chmod 0640 it\n");
	fixture_end(&f);
}

static void
test_the_source_settles_the_family(void **state)
{
	static const struct {
		const char *name;
		const char *defaults;
		const char *imap;
		enum family family;
		const char *source; /* NULL: none */
		const char *told;
	} rows[] = {
		{ "none", "", "host = \"h\";", FAMILY_ANY, NULL, "" },
		{ "IPv4", "source_address = \"192.0.2.1\";", "host = \"h\";", FAMILY_IPV4,
			"192.0.2.1", "" },
		{ "IPv6", "source_address = \"2001:db8::1\"; family = \"ipv6\";", "host = \"h\";",
			FAMILY_IPV6, "2001:db8::1", "" },
		{ "not for this one", "source_address = \"192.0.2.1\"; proxy = \"http://p:1\";",
			"host = \"::1\"; source_address = \"none\"; proxy = \"none\";", FAMILY_ANY,
			NULL, "" },
		{ "another family", "source_address = \"192.0.2.1\"; family = \"ipv6\";",
			"host = \"h\";", 0, NULL,
			"main.conf:1: mailboxes.a.imap: source_address 192.0.2.1 is an IPv4 "
			"address, and family is ipv6; write one of that family, or \"none\"\n" },
		{ "a host of another family", "source_address = \"192.0.2.1\";",
			"host = \"2001:db8::2\";", 0, NULL,
			"main.conf:1: mailboxes.a.imap: 2001:db8::2 cannot be connected to from "
			"source_address 192.0.2.1; write one of its family, or \"none\"\n" },
		{ "which a proxy reaches",
			"source_address = \"192.0.2.1\"; proxy = \"http://192.0.2.9:1\";",
			"host = \"2001:db8::2\";", FAMILY_IPV4, "192.0.2.1", "" },
		{ "no address", "source_address = \"eth0\";", "host = \"h\";", 0, NULL,
			"main.conf:1: defaults.source_address: \"eth0\" is no address that a host "
			"can have; write an address of this host, as \"192.0.2.1\", or "
			"\"none\"\n" },
		{ "no host's", "source_address = \"0.0.0.0\";", "host = \"h\";", 0, NULL,
			"main.conf:1: defaults.source_address: \"0.0.0.0\" is no address that a "
			"host can have; write an address of this host, as \"192.0.2.1\", or "
			"\"none\"\n" },
		{ "a number", "source_address = 1;", "host = \"h\";", 0, NULL,
			"main.conf:1: defaults.source_address: a number; write an address of this "
			"host, as \"192.0.2.1\", or \"none\"\n" },
	};
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[512];

		unit_row(rows[i].name);
		snprintf(text, sizeof(text),
			"defaults = { auth = \"none\"; %s };\n"
			"mailboxes = ({ name = \"a\"; imap = { %s }; });",
			rows[i].defaults, rows[i].imap);
		fixture_load_text(&f, text);
		assert_told(&f, rows[i].told);
		if (f.err != ERR_OK)
			continue;
		assert_int_equal(imap_of(&f)->family, rows[i].family);
		assert_bytes_equal(bytes_of(imap_of(&f)->source_address), bytes_of(rows[i].source));
	}
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_proxies_are_taken_apart),
	cmocka_unit_test(test_faults_of_a_proxy_show_no_secret),
	cmocka_unit_test(test_the_source_settles_the_family),
};

UNIT_MAIN(tests)
