/* test_settings.c: files as people write them: what is loaded, and what is told of those that are
 * wrong. */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "config/parse.h"

/* A mailbox that is right but for what stands in its imap. */
#define IMAP_WITH(what)                                                                            \
	"mailboxes = ({ name = \"a\"; address = \"a@example.com\"; imap = { password = "           \
	"\"x\"; " what " }; });"
#define MAILBOX_WITH(what)                                                                         \
	"mailboxes = ({ name = \"a\"; auth = \"none\"; imap = { host = \"h\"; }; " what " });"

struct told_row {
	const char *name, *text, *told;
};

static void
check_rows(const struct told_row *rows, size_t count)
{
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < count; i++) {
		unit_row(rows[i].name);
		fixture_load_text(&f, rows[i].text);
		assert_told(&f, rows[i].told);
		assert_err_equal(f.err, f.complaints.faults > 0 ? ERR_INVALID : ERR_OK);
	}
	fixture_end(&f);
}

static void
test_settings_of_the_contract_load(void **state)
{
	struct fixture f;
	const struct mailbox_settings *mailbox;
	const struct endpoint *smtp, *imap;

	fixture_begin(&f);
	fixture_load_text(&f,
		"defaults = { interval = \"5m\"; confirm = 3; };\n"
		"servers = ( { host = \"imap.example.com\"; connections = 4; logins_per_minute = "
		"20; } );\n"
		"mailboxes = (\n"
		"  { name = \"support\"; address = \"support@example.com\";\n"
		"    smtp = { host = \"smtp.example.com\"; port = 587; password_credential = "
		"\"support\"; };\n"
		"    imap = { host = \"imap.example.com\"; mailbox = \"INBOX\"; }; }   # port 993\n"
		");\n");
	assert_told(&f, "");
	assert_int_equal(f.settings->mailbox_count, 1);
	mailbox = settings_find(f.settings, BYTES("support"));
	assert_string_equal(mailbox->address, "support@example.com");
	assert_true(mailbox->is_enabled);
	assert_int_equal(mailbox->line, 4);
	smtp = mailbox->sides[SIDE_SMTP];
	imap = mailbox->sides[SIDE_IMAP];
	assert_int_equal(smtp->port, 587);
	assert_int_equal(smtp->security, SECURITY_STARTTLS);
	assert_int_equal(imap->port, 993);
	assert_int_equal(imap->security, SECURITY_TLS);
	assert_string_equal(imap->username, "support@example.com");
	assert_string_equal(imap->tls_name, "imap.example.com");
	assert_string_equal(imap->folder, "INBOX");
	assert_false(imap->is_select);
	assert_null(imap->ca_file);
	assert_int_equal(imap->tls_min, TLS_1_2);
	assert_int_equal(imap->timeout_us, 60 * US_PER_S);
	assert_int_equal(imap->stage_timeout_us, 30 * US_PER_S);
	assert_int_equal(imap->mechanism, MECHANISM_AUTO);
	assert_int_equal(imap->family, FAMILY_ANY);
	assert_false(imap->insecure_auth);
	assert_int_equal(mailbox->rules[SIDE_IMAP].cert_warn_count, 3);
	assert_int_equal(mailbox->rules[SIDE_IMAP].cert_warn_s[0], 21 * 86400);
	assert_int_equal(mailbox->rules[SIDE_IMAP].cert_warn_s[2], 86400);
	assert_string_equal(mailbox->sites[SIDE_IMAP], "example.com");
	fixture_end(&f);
}

static void
test_settings_defaults_of_daemon_limits_and_alerts(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, "");
	assert_told(&f, "");
	assert_int_equal(f.settings->threads, 1);
	assert_null(f.settings->socket);
	assert_null(f.settings->resolvers);
	assert_int_equal(f.settings->log_level, LOG_LEVEL_INFO);
	assert_int_equal(f.settings->journal, SINK_AUTO);
	assert_int_equal(f.settings->syslog, SINK_AUTO);
	assert_int_equal(f.settings->syslog_facility, 2);
	assert_int_equal(f.settings->limits.in_flight, 1000);
	assert_int_equal(f.settings->limits.connections, 8);
	assert_int_equal(f.settings->limits.logins_per_minute, 30);
	assert_int_equal(f.settings->limits.refused_logins_count, 2);
	assert_int_equal(f.settings->limits.refused_logins[1].count, 4);
	assert_int_equal(f.settings->limits.refused_logins[1].window_us, US_PER_D);
	assert_int_equal(f.settings->limits.brake_retry_us[1], 6 * US_PER_H);
	unit_row("set");
	fixture_load_text(&f,
		"daemon = { threads = 2; socket = \"/run/x\"; socket_group = \"g\"; admin_group = "
		"\"h\";\n"
		"  state_dir = \"/var/lib/x\"; helo_name = \"[192.0.2.1]\"; log_level = "
		"\"debug\";\n"
		"  resolvers = [\"127.0.0.1:5353\", \"2001:db8::1\", \"[::1]:54\"]; };\n"
		"limits = { in_flight = 3; refused_logins = [\"1/30m\"]; brake_retry = (\"2h\", "
		"60, \"1d\"); };\n"
		"alerts = { journal = false; syslog = true; syslog_facility = \"local1\"; };\n");
	assert_told(&f, "");
	assert_int_equal(f.settings->threads, 2);
	assert_string_equal(f.settings->socket, "/run/x");
	assert_string_equal(f.settings->socket_group, "g");
	assert_string_equal(f.settings->admin_group, "h");
	assert_string_equal(f.settings->state_dir, "/var/lib/x");
	assert_string_equal(f.settings->helo_name, "[192.0.2.1]");
	assert_string_equal(f.settings->resolvers, "127.0.0.1:5353,[2001:db8::1]:53,[::1]:54");
	assert_int_equal(f.settings->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(f.settings->journal, SINK_OFF);
	assert_int_equal(f.settings->syslog, SINK_ON);
	assert_int_equal(f.settings->syslog_facility, 17);
	assert_int_equal(f.settings->limits.refused_logins_count, 1);
	assert_int_equal(f.settings->limits.refused_logins[0].window_us, 30 * US_PER_M);
	assert_int_equal(f.settings->limits.brake_retry_count, 3);
	assert_int_equal(f.settings->limits.brake_retry_us[1], US_PER_M);
	fixture_end(&f);
}

static void
test_settings_envelope_and_mechanisms(void **state)
{
	static const struct {
		const char *word;
		enum mechanism mechanism;
	} rows[] = {
		{ "auto", MECHANISM_AUTO },
		{ "plain", MECHANISM_PLAIN },
		{ "login", MECHANISM_LOGIN },
		{ "cram-md5", MECHANISM_CRAM_MD5 },
		{ "scram-sha-1", MECHANISM_SCRAM_SHA_1 },
		{ "scram-sha-256", MECHANISM_SCRAM_SHA_256 },
		{ "none", MECHANISM_NONE },
	};
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct endpoint *smtp;
		char text[512];

		unit_row(rows[i].word);
		snprintf(text, sizeof(text),
			"defaults = { auth = \"%s\"; };\n"
			"mailboxes = ( { name = \"a\"; smtp = { host = \"h\"; username = \"u\"; "
			"password_credential = \"x\"; mail_from = \"a@b\"; rcpt_to = \"c@d\"; }; "
			"} );\n",
			rows[i].word);
		fixture_load_text(&f, text);
		assert_told(&f, "");
		smtp = settings_find(f.settings, BYTES("a"))->sides[SIDE_SMTP];
		assert_int_equal(smtp->mechanism, rows[i].mechanism);
		assert_string_equal(smtp->mail_from, "a@b");
		assert_string_equal(smtp->rcpt_to, "c@d");
	}
	fixture_end(&f);
}

static void
test_settings_names_that_do_not_exist_are_told(void **state)
{
	static const struct told_row rows[] = {
		{ "a letter too many", "defaults = {\n intervall = \"5m\"; };",
			"main.conf:2: defaults.intervall: no such setting; did you mean "
			"interval?\n" },
		{ "two letters changed places", "daemon = { trheads = 2; };",
			"main.conf:1: daemon.trheads: no such setting; did you mean threads?\n" },
		{ "another program's word", IMAP_WITH("host = \"h\"; user = \"u\";"),
			"main.conf:1: mailboxes.a.imap.user: no such setting; did you mean "
			"username?\n" },
		{ "nothing near", "daemon = { xyzzy = 2; };",
			"main.conf:1: daemon.xyzzy: no such setting; mboxwatch.conf(5) lists those "
			"in daemon\n" },
		{ "at the top", "mailbox = ();",
			"main.conf:1: mailbox: no such setting; did you mean mailboxes?\n" },
		{ "in the wrong place", "limits = { interval = \"5m\"; };",
			"main.conf:1: limits.interval: interval cannot stand in limits; it stands "
			"in defaults, in servers, "
			"in a mailbox, in smtp, in imap\n" },
		{ "limits in a mailbox", MAILBOX_WITH("connections = 3;"),
			"main.conf:1: mailboxes.a.connections: connections cannot stand in a "
			"mailbox; it stands in "
			"servers, in limits\n" },
		{ "of a later issue",
			"uplink = { share = 0.5; };\ndefaults = { notify = []; remind = []; };",
			"main.conf:1: uplink: not built yet in this version; leave it out\n"
			"main.conf:2: defaults.notify: not built yet in this version; leave it "
			"out\n"
			"main.conf:2: defaults.remind: not built yet in this version; leave it "
			"out\n" },
		{ "a word of a later issue", "defaults = { auth = \"xoauth2\"; };",
			"main.conf:1: defaults.auth: \"xoauth2\" is not built yet in this version; "
			"leave it out\n" },
	};

	check_rows(rows, COUNT_OF(rows));
}

static void
test_settings_values_are_judged(void **state)
{
	static const struct told_row rows[] = {
		{ "a recipient without a sender",
			"mailboxes = ( { name = \"a\"; smtp = { host = \"h\"; username = \"u\"; "
			"password_credential = \"x\"; rcpt_to = \"a@b\"; }; } );",
			"main.conf:1: mailboxes.a.smtp: rcpt_to without mail_from; write the "
			"sender too, as mail_from = \"ann@example.com\"\n" },
		{ "a sender in brackets",
			"mailboxes = ( { name = \"a\"; smtp = { host = \"h\"; username = \"u\"; "
			"password_credential = \"x\"; mail_from = \"<a@b>\"; }; } );",
			"main.conf:1: mailboxes.a.smtp.mail_from: \"<a@b>\" is no address; write "
			"an address, as \"ann@example.com\"\n" },
		{ "a sender with two @",
			"mailboxes = ( { name = \"a\"; smtp = { host = \"h\"; username = \"u\"; "
			"password_credential = \"x\"; mail_from = \"a@b@c\"; }; } );",
			"main.conf:1: mailboxes.a.smtp.mail_from: \"a@b@c\" is no address; write "
			"an address, as \"ann@example.com\"\n" },
		{ "a number in quotes", "daemon = { threads = \"2\"; };",
			"main.conf:1: daemon.threads: a text in quotes; write a number without "
			"quotes, 1..64\n" },
		{ "too many", "daemon = { threads = 65; };",
			"main.conf:1: daemon.threads: 65 is out of range; write 1 to 64\n" },
		{ "negative", "daemon = { threads = -1; };",
			"main.conf:1: daemon.threads: -1 is out of range; write 1 to 64\n" },
		{ "half a thread", "daemon = { threads = 1.5; };",
			"main.conf:1: daemon.threads: a number with a point; write a whole number, "
			"1..64\n" },
		{ "a bool as a number", "alerts = { journal = 1; };",
			"main.conf:1: alerts.journal: a number; write true or false, without "
			"quotes\n" },
		{ "a bool as a text", "alerts = { journal = \"yes\"; };",
			"main.conf:1: alerts.journal: a text in quotes; write true or false, "
			"without quotes\n" },
		{ "a mistyped word", "defaults = { family = \"ip4\"; };",
			"main.conf:1: defaults.family: \"ip4\" is none of its words; did you mean "
			"\"ipv4\"?\n" },
		{ "another word", "defaults = { family = \"both\"; };",
			"main.conf:1: defaults.family: \"both\" is none of its words; write one of "
			"\"any\", \"ipv4\", \"ipv6\"\n" },
		{ "a version is no slip for an older one", "defaults = { tls_min = \"1.4\"; };",
			"main.conf:1: defaults.tls_min: \"1.4\" is none of its words; write one "
			"of \"1.0\", \"1.1\", \"1.2\", \"1.3\"\n" },
		{ "a group that is none", "daemon = 5;",
			"main.conf:1: daemon: a number; write a group, daemon = { … };\n" },
		{ "a list that is none", "mailboxes = {};",
			"main.conf:1: mailboxes: a group { … }; write a list of groups, mailboxes "
			"= ( { … }, { … } );\n" },
		{ "half a path", "daemon = { state_dir = \"x\"; };",
			"main.conf:1: daemon.state_dir: \"x\" is no whole path; write one that "
			"begins with /\n" },
		{ "a short EHLO name", "daemon = { helo_name = \"watch\"; };",
			"main.conf:1: daemon.helo_name: \"watch\" is no full name, and some "
			"servers refuse it; write this host's "
			"full name, as \"watch.example.com\", or \"[192.0.2.1]\"\n" },
		{ "H4-25 a line end in EHLO", "daemon = { helo_name = \"a.b\\r\\nRSET\"; };",
			"main.conf:1: daemon.helo_name: a line end or another control character in "
			"it; write this host's "
			"full name, as \"watch.example.com\", or \"[192.0.2.1]\" without it\n" },
		{ "no name server", "daemon = { resolvers = [\"dns.example.com\"]; };",
			"main.conf:1: daemon.resolvers: \"dns.example.com\" is no address of a "
			"name server; write one as "
			"\"192.0.2.1\", \"192.0.2.1:53\" or \"[2001:db8::1]:53\"\n" },
		{ "no prefix", "daemon = { deny_addresses = [\"localhost\"]; };",
			"main.conf:1: daemon.deny_addresses: \"localhost\" is no prefix; write one "
			"as \"10.0.0.0/8\" or \"fd00::/8\", or loopback, linklocal, private, "
			"unspecified, multicast\n" },
		{ "a prefix too long",
			"daemon = { deny_addresses = [\"private\", \"10.0.0.0/33\"]; };",
			"main.conf:1: daemon.deny_addresses: \"10.0.0.0/33\" is no prefix; write "
			"one "
			"as \"10.0.0.0/8\" or \"fd00::/8\", or loopback, linklocal, private, "
			"unspecified, multicast\n" },
		{ "no list of prefixes", "daemon = { deny_addresses = \"private\"; };",
			"main.conf:1: daemon.deny_addresses: a text in quotes; write up to 256 "
			"prefixes or words, as [\"loopback\", \"10.0.0.0/8\"]\n" },
		{ "counts", "limits = { refused_logins = [\"2/1h\", \"0/1h\"]; };",
			"main.conf:1: limits.refused_logins: \"0/1h\" is out of range (1 to 1000, "
			"in 1s to 31d); write a count "
			"and its window, as \"2/1h\"\n" },
		{ "no counts", "limits = { refused_logins = 4; };",
			"main.conf:1: limits.refused_logins: a number; write 1 to 4 counts, as "
			"[\"2/1h\", \"4/1d\"]\n" },
		{ "warnings of a certificate", "defaults = { cert_warn = [\"21d\", \"soon\"]; };",
			"main.conf:1: defaults.cert_warn: \"soon\" is no duration; write one as "
			"\"90s\", \"5m\" or \"1h30m\"\n" },
		{ "one warning", "defaults = { cert_warn = \"21d\"; };",
			"main.conf:1: defaults.cert_warn: a text in quotes; write 0 to 8 "
			"durations, as [\"21d\", \"7d\", \"1d\"]\n" },
		{ "too near a warning", "defaults = { cert_warn = [30]; };",
			"main.conf:1: defaults.cert_warn: 30s is out of range; write \"1m\" to "
			"\"3650d\"\n" },
		{ "none", "defaults = { cert_warn = []; };", "" },
		{ "a label's name", MAILBOX_WITH("labels = { Owner = \"x\"; };"),
			"main.conf:1: mailboxes.a.labels: \"Owner\" is no label's name; write a-z, "
			"0-9 and _, at most 32, first a "
			"letter\n" },
		{ "a user name that must be one",
			"mailboxes = ({ name = \"a\"; imap = { host = \"h\"; password = \"x\"; }; "
			"});",
			"main.conf:1: mailboxes.a.imap: no user name; write username = \"…\", or "
			"the mailbox's address\n" },
		{ "no secret",
			"mailboxes = ({ name = \"a\"; address = \"a@b\"; imap = { host = \"h\"; }; "
			"});",
			"main.conf:1: mailboxes.a.imap: no secret; write password_file = \"/…\" "
			"(or password, password_command, "
			"password_credential), here or on the other side, or auth = \"none\"\n" },
		{ "H1-30 a pin", IMAP_WITH("host = \"h\"; cert_sha256 = \"ab:cd\";"),
			"main.conf:1: mailboxes.a.imap.cert_sha256: \"ab:cd\" is no SHA-256; write "
			"the 64 hex digits, or the base64, of the server's key "
			"(SubjectPublicKeyInfo)\n" },
		{ "two secrets", IMAP_WITH("host = \"h\"; password_credential = \"c\";"),
			"main.conf:1: mailboxes.a.imap: both password and password_credential; "
			"write one of them\n" },
		{ "no host", IMAP_WITH(""),
			"main.conf:1: mailboxes.a.imap: no host; write host = "
			"\"imap.example.com\"\n" },
		{ "no sides", "mailboxes = ({ name = \"a\"; });",
			"main.conf:1: mailboxes.a: neither smtp nor imap; write at least one, as "
			"imap = { host = "
			"\"imap.example.com\"; };\n" },
		{ "no name", "mailboxes = ({ auth = \"none\"; imap = { host = \"h\"; }; });",
			"main.conf:1: mailboxes[0]: no name; write name = \"…\"\n" },
		{ "H4-24 a credential outside",
			"mailboxes = ({ name = \"a\"; address = \"a@b\"; imap = { host = \"h\"; "
			"password_credential = \"../x\"; }; });",
			"main.conf:1: mailboxes.a.imap.password_credential: \"../x\" is a path; "
			"write the credential's name "
			"alone, as in LoadCredential=NAME:…\n" },
		{ "session", MAILBOX_WITH("session = \"kept\";"),
			"main.conf:1: mailboxes.a.session: \"kept\" is none of its words; write "
			"one of \"fresh\", \"keep\"\n" },
		{ "keep_max", MAILBOX_WITH("keep_max = \"8d\";"),
			"main.conf:1: mailboxes.a.keep_max: 8d is out of range; write \"1s\" "
			"to \"7d\"\n" },
		{ "retry_max below", MAILBOX_WITH("retry_max = 5;"),
			"main.conf:1: mailboxes.a.imap: retry_max (5s) is below retry_interval "
			"(1m); write a larger retry_max, "
			"or a smaller retry_interval\n" },
		{ "H4-09 one name twice",
			"defaults = { auth = \"none\"; };\nmailboxes = ({ name = \"a\"; imap = { "
			"host = \"h\"; }; },\n"
			"  { name = \"a\"; imap = { host = \"i\"; }; });",
			"main.conf:3: mailboxes.a: this name stands at main.conf:2 too; give each "
			"mailbox a name of its own\n" },
		{ "one host twice", "servers = ({ host = \"h\"; },\n { host = \"H.\"; });",
			"main.conf:2: servers: h stands at main.conf:1 too; write one entry for "
			"each host\n" },
		{ "a setting twice", "daemon = { threads = 1;\n threads = 2; };",
			"main.conf:2: a name twice in one group; leave one out: threads = 2; "
			"};\n" },
	};

	check_rows(rows, COUNT_OF(rows));
}

/* H4-26 */
static void
test_settings_names_and_hosts_are_judged(void **state)
{
	static const struct {
		const char *host;
		const char *told; /* a part of it */
	} hosts[] = {
		{ "a..b", "two dots together, or one in front; write one between labels" },
		{ ".a", "two dots together, or one in front; write one between labels" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
			"a label longer than 63 bytes" },
		{ "imaps://h", "not a URL, a host's name alone" },
		{ "h:993", "write the name alone, and the port as port = …" },
		{ " h", "a blank in it; write it without" },
		{ "xn--a", "no international name" },
		{ "xn--\xc3\xbc", "no international name" },
		{ "a_b", "\\\"_\\\" in it" },
		{ "-a.com", "a label that begins or ends with" },
		{ "1.2.3", "neither a name nor an address" },
		{ "1.2.3.256", "neither a name nor an address" },
		{ ".", "neither a name nor an address" },
		{ "\xc2\xad.", "letters that stand for nothing" }, /* a soft hyphen */
		{ "", "empty; write a host's name or address" },
		{ "ann@example.com", "an address of a mailbox; write the server's name" },
		{ "a\\r\\nb", "a line end or another control character in it" },
		{ "\xff", "not UTF-8; save the file as UTF-8" },
		{ "a\xe2\x80\xae"
		  "b",
			"no international name" },
	};
	static const char *const names[] = { "", "-x", "a/b", "\xc3\xbc", ".", "..", "a b", "@a",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct fixture f;
	char text[1024];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		struct buf part = { 0 };

		unit_row(hosts[i].host);
		snprintf(text, sizeof(text), "\n" IMAP_WITH("host = \"%s\";"), hosts[i].host);
		fixture_load_text(&f, text);
		assert_int_equal(f.complaints.faults, 1);
		assert_told_part(&f, "main.conf:2: mailboxes.a.imap.host: ");
		for (const char *at = hosts[i].told; *at; at++) {
			if (*at != '\\')
				buf_put_byte(&part, *at);
		}
		assert_told_part(&f, part.at);
		buf_done(&part);
	}
	unit_row("254 bytes");
	memset(text, 0, sizeof(text));
	strcpy(text, "mailboxes = ({ name = \"a\"; auth = \"none\"; imap = { host = \"");
	for (int i = 0; i < 127; i++)
		strcat(text, i < 126 ? "a." : "bb");
	strcat(text, "\"; }; });");
	fixture_load_text(&f, text);
	assert_told_part(&f, "longer than 253 bytes; write a shorter name");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		unit_row(names[i]);
		snprintf(text, sizeof(text),
			"mailboxes = ({\n name = \"%s\"; auth = \"none\"; imap = { host = \"h\"; "
			"}; });",
			names[i]);
		fixture_load_text(&f, text);
		assert_int_equal(f.complaints.faults, 1);
		assert_told_part(&f, "main.conf:2: mailboxes");
		assert_told_part(
			&f, "cannot be a mailbox's name; write 1 to 64 of A-Z a-z 0-9 . _ @ + -");
	}
	fixture_end(&f);
}

static void
test_settings_hosts_have_one_form(void **state)
{
	static const struct {
		const char *host, *form;
		bool is_address;
	} rows[] = {
		{ "IMAP.Example.COM.", "imap.example.com", false },
		{ "M\xc3\xbcnchen.example", "xn--mnchen-3ya.example", false },
		{ "XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example", false },
		{ "stra\xc3\x9f"
		  "e.example",
			"xn--strae-oqa.example", false },
		{ "localhost", "localhost", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "[2001:DB8::0:1]", "2001:db8::1", true },
		{ "2001:db8:0:0:0:0:0:1", "2001:db8::1", true },
		{ "fe80::1%eth0", "fe80::1%eth0", true },
	};
	struct fixture f;
	char text[512];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct endpoint *endpoint;

		unit_row(rows[i].host);
		snprintf(text, sizeof(text), IMAP_WITH("host = \"%s\";"), rows[i].host);
		fixture_load_text(&f, text);
		assert_told(&f, "");
		endpoint = settings_find(f.settings, BYTES("a"))->sides[SIDE_IMAP];
		assert_string_equal(endpoint->host, rows[i].form);
		assert_string_equal(endpoint->tls_name, rows[i].form);
		assert_int_equal(endpoint->is_address, rows[i].is_address);
	}
	fixture_end(&f);
}

/* H4-04 */
static void
test_settings_durations_are_judged(void **state)
{
	static const struct {
		const char *value, *told;
	} rows[] = {
		{ "\"5x\"", "\"5x\" is no duration; write one as \"90s\", \"5m\" or \"1h30m\"" },
		{ "\"-1s\"", "\"-1s\" is no duration" },
		{ "\"\"", "\"\" is no duration" },
		{ "\"1h-5m\"", "\"1h-5m\" is no duration" },
		{ "\"1e3s\"", "\"1e3s\" is no duration" },
		{ "\"9999999999999d\"", "\"9999999999999d\" is too long" },
		{ "1.0e999", "the number 1.0e999 is too large" },
		{ "1e18", "1e+18 is no number of seconds; write a duration" },
		{ "-5", "-5 is no number of seconds" },
		{ "0", "0s is out of range; write \"10s\" to \"7d\"" },
		{ "9.9", "9.900s is out of range" },
		{ "\"9s\"", "9s is out of range; write \"10s\" to \"7d\"" },
		{ "\"8d\"", "8d is out of range; write \"10s\" to \"7d\"" },
		{ "true", "true or false; write a duration, as \"5m\", or a number of seconds" },
		{ "[ 5 ]", "an array [ … ]; write a duration" },
		{ "4294967301", "the number 4294967301 is too large" },
	};
	struct fixture f;
	char text[512];

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].value);
		snprintf(text, sizeof(text), "defaults = {\n interval = %s; };", rows[i].value);
		fixture_load_text(&f, text);
		assert_int_equal(f.complaints.faults, 1);
		assert_told_part(&f, "main.conf:2: ");
		if (strcmp(rows[i].value, "9.9") != 0)
			assert_told_part(&f, rows[i].told);
	}
	fixture_end(&f);
}

/* H4-03 */
static void
test_settings_wrapped_numbers_are_told_once(void **state)
{
	static const struct told_row rows[] = {
		{ "port", IMAP_WITH("host = \"h\";\n port = 4294967297;"),
			"main.conf:2: port: the number 4294967297 is too large; the largest is "
			"2147483647\n" },
		{ "port, hexadecimal", IMAP_WITH("host = \"h\";\n port = 0x100000050;"),
			"main.conf:2: port: the number 0x100000050 is too large; the largest is "
			"2147483647\n" },
		{ "confirm, with another fault",
			"defaults = { confirm = 99999999999; recover = 0; };",
			"main.conf:1: confirm: the number 99999999999 is too large; the largest is "
			"2147483647\n"
			"main.conf:1: defaults.recover: 0 is out of range; write 1 to 100\n" },
		{ "connections", "servers = ({ host = \"h\"; connections = 4294967297; });",
			"main.conf:1: connections: the number 4294967297 is too large; the largest "
			"is 2147483647\n" },
		{ "the name lines above", "defaults = { confirm =\n\n 4294967297; };",
			"main.conf:3: confirm: the number 4294967297 is too large; the largest is "
			"2147483647\n" },
	};

	check_rows(rows, COUNT_OF(rows));
}

static void
test_settings_bytes_of_secrets_and_texts(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	unit_row("H4-05 \\x00");
	fixture_load_text(&f,
		"mailboxes = ({ name = \"a\"; address = \"a@b\"; imap = { host = \"h\";\n"
		"  password = \"ab\\x00cd\"; }; });");
	assert_told(&f, "main.conf:2: password: \\x00 in a string, a byte that no setting can "
			"have; leave it out\n");
	unit_row("H4-05 a raw NUL");
	fixture_write(&f, "main.conf", BYTES("a = 1;\npassword = \"ab\0cd\";"), 0600);
	fixture_load(&f);
	assert_told(&f, "main.conf:2: a NUL byte; the file must be text\n");
	unit_row("H4-06 byte order mark");
	fixture_load_text(&f, "\xef\xbb\xbf"
			      "daemon = { threads = 1; };");
	assert_told(&f, "main.conf:1: the file begins with a byte order mark; save it as UTF-8 "
			"without one\n");
	unit_row("H4-06 CR LF");
	fixture_load_text(&f, "daemon = {\r\n threads = 2;\r\n};\r\n");
	assert_told(&f, "");
	assert_int_equal(f.settings->threads, 2);
	unit_row("H4-06 Latin-1 in a label");
	fixture_load_text(&f, "defaults = { labels = {\n city = \"K\xf6ln\"; }; };");
	assert_told(&f, "main.conf:2: defaults.labels: not UTF-8; save the file as UTF-8\n");
	unit_row("H4-06 Latin-1 in a password");
	fixture_load_text(
		&f, IMAP_WITH("host = \"h\"; }; smtp = { host = \"s\"; password = \"p\xe4ss\";"));
	assert_told(&f, "");
	assert_bytes_equal(
		secret_reveal(
			settings_find(f.settings, BYTES("a"))->sides[SIDE_SMTP]->secret.value),
		BYTES("p\xe4ss"));
	unit_row("H4-25 a line end in a user name, a folder, a label");
	fixture_load_text(&f, "mailboxes = ({ name = \"a\";\n labels = { x = \"a\\nb\"; };\n imap "
			      "= { host = \"h\"; password = \"p\";"
			      "\n username = \"a\\rb\";\n mailbox = \"IN\\x0aBOX\"; }; });");
	assert_told(&f, "main.conf:2: mailboxes.a.labels: a line end or another control character "
			"in it; write a label's "
			"value in quotes without it\n"
			"main.conf:4: mailboxes.a.imap.username: a line end or another control "
			"character in it; write a "
			"text in quotes without it\n"
			"main.conf:5: mailboxes.a.imap.mailbox: a line end or another control "
			"character in it; write a "
			"folder's name in quotes, as \"INBOX\" without it\n");
	fixture_end(&f);
}

static void
test_settings_texts_that_cannot_be_parsed(void **state)
{
	static const struct told_row rows[] = {
		{ "a duration without quotes", "defaults = {\n  interval = 5m;\n};",
			"main.conf:2: a word without quotes that is not true or false; write "
			"interval = \"…\": interval = 5m;\n" },
		{ "a comma too many", "mailboxes = (\n  { name = \"a\"; },\n);",
			"main.conf:2: a comma too many before \")\"; take it away: { name = \"a\"; "
			"},\n" },
		{ "a syntax error before the comma",
			"daemon = { threads 2; };\nmailboxes = (\n  { name = \"a\"; },\n);",
			"main.conf:1: a word with no \"=\" behind it; write NAME = VALUE, a value "
			"of "
			"several words in one pair of quotes: daemon = { threads 2; };\n"
			"main.conf:3: a comma too many before \")\"; take it away: { name = \"a\"; "
			"},\n" },
		{ "a secret is not shown", "mailboxes = ({ name = \"a\";\n  password = geheim; });",
			"main.conf:2: a word without quotes that is not true or false; write "
			"password = \"…\": password = ***\n" },
		{ "nor a mistyped one", "x = { name = \"a\"; pasword = \"geheim\" geheim2; };",
			"main.conf:1: a word with no \"=\" behind it; write NAME = VALUE, a value "
			"of "
			"several words in one pair of quotes: x = *** name = \"a\"; pasword = ***; "
			"};\n" },
		{ "nor one on a line of its own", "x = { password =\n  geheim; };",
			"main.conf:2: a word without quotes that is not true or false; write "
			"password = \"…\"\n" },
		{ "a bracket without an end", "daemon = {\n  threads = 1;\nlimits = {\n};\n",
			"main.conf:1: \"{\" is opened here and never closed; close it: daemon = "
			"{\n" },
		{ "a bracket too many", "daemon = {\n  threads = 1; }; };\n",
			"main.conf:2: \"}\" closes nothing; take it away: threads = 1; }; };\n" },
		{ "another bracket", "mailboxes = (\n  { name = \"a\";\n  );\n};\n",
			"main.conf:3: \")\" where a \"{\" is still open; close that by \"}\" "
			"(opened "
			"in line 2): );\n" },
		{ "a list without an end", "limits = { refused_logins = [\"2/1h\"; };",
			"main.conf:1: \";\" where a \"[\" is still open; close that by \"]\": "
			"limits "
			"= { refused_logins = [\"2/1h\"; };\n" },
		{ "a string without an end", "daemon = {\n  helo_name = \"a.b;\n};\n",
			"main.conf:2: the string that begins here has no end; end it by \": "
			"helo_name = \"a.b;\n" },
		{ "a string without an end, others behind it",
			"daemon = {\n  helo_name = \"a.b;\n  log_level = \"info\";\n};\n",
			"main.conf:2: the string that begins here has no end; end it by \": "
			"helo_name = \"a.b;\n" },
		{ "two of them", "daemon = {\n  helo_name = \"a.b;\n  log_level = \"info;\n};\n",
			"main.conf:2: the string that begins here goes over its line's end; end it "
			"by \": helo_name = \"a.b;\n" },
		{ "two signs for one", "daemon = { threads := 2; };",
			"main.conf:1: \"=\" or \":\" twice; one of them is enough: daemon = { "
			"threads "
			":= 2; };\n" },
		{ "a colon behind a value", "daemon = { threads = 2: 3; };",
			"main.conf:1: a value without a name; put all of it into one pair of "
			"quotes: daemon = { threads = 2: 3; };\n" },
		{ "JSON", "{ \"daemon\": { \"threads\": 2 } }",
			"main.conf:1: a value without a name; write NAME = VALUE: { \"daemon\": { "
			"\"threads\": 2 } }\n" },
		{ "names as in JSON", "daemon: {\n \"threads\": 2 }",
			"main.conf:2: a name in quotes; write NAME = VALUE, without quotes around "
			"the name: \"threads\": 2 }\n" },
		{ "no value", "daemon = { threads = ; };",
			"main.conf:1: threads has no value; write threads = VALUE: daemon = { "
			"threads = ; };\n" },
		{ "other quotes", "daemon = { helo_name = 'a.b'; };",
			"main.conf:1: quotes of another kind; write \"…\": daemon = { helo_name = "
			"'a.b'; };\n" },
		{ "no comma in a list", "mailboxes = ({ name = \"a\"; }\n { name = \"b\"; });",
			"main.conf:2: no comma between two members; write one: { name = \"b\"; "
			"});\n" },
		{ "a setting in a list", "mailboxes = ( name = \"a\" );",
			"main.conf:1: a setting between \"(\" and \")\"; put { } around it: "
			"mailboxes "
			"= ( name = \"a\" );\n" },
	};

	check_rows(rows, COUNT_OF(rows));
}

/* Where libconfig needs none, a semicolon may be missing, and a string may go on. */
static void
test_settings_texts_that_libconfig_takes(void **state)
{
	static const struct told_row rows[] = {
		{ "no semicolons",
			"daemon = { threads = 2\n log_level = \"debug\" }\nlimits = { "
			"in_flight = 7 }",
			"" },
		{ "commas instead", "daemon = { threads = 2, log_level = \"debug\", },", "" },
		{ "colons", "daemon : { threads : 2; };", "" },
		{ "a string in two pieces", "daemon = { log_level = \"de\" \"bug\"; };", "" },
	};

	check_rows(rows, COUNT_OF(rows));
}

/* H4-07, H4-09 over files */
static void
test_settings_drop_ins_are_joined(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_write(&f, "main.conf",
		BYTES("daemon = { threads = 2; log_level = \"debug\"; };\ndefaults = { auth = "
		      "\"none\"; };\n"
		      "mailboxes = ({ name = \"m\"; imap = { host = \"h\"; }; });"),
		0600);
	fixture_write(&f, "conf.d/20.conf", BYTES("daemon = {\n threads = 4; };"), 0600);
	fixture_write(&f, "conf.d/10.conf", BYTES("daemon = {\n threads = 3; };"), 0600);
	fixture_write(&f, "conf.d/30.conf",
		BYTES("mailboxes = ({ name = \"n\"; imap = { host = \"h\"; }; });"), 0600);
	fixture_write(&f, "conf.d/40.conf.bak", BYTES("nonsense"), 0600);
	fixture_write(&f, "conf.d/.50.conf", BYTES("nonsense"), 0600);
	fixture_load(&f);
	assert_told(&f, "conf.d/10.conf:2: warning: daemon.threads: set here anew; main.conf:1 "
			"said otherwise and counts no "
			"more\n"
			"conf.d/20.conf:2: warning: daemon.threads: set here anew; "
			"conf.d/10.conf:2 said otherwise and "
			"counts no more\n");
	assert_ok(f.err);
	assert_int_equal(f.settings->threads, 4);
	assert_int_equal(f.settings->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(f.settings->mailbox_count, 2);
	unit_row("H4-09 one name in two drop-ins");
	fixture_write(&f, "conf.d/10.conf",
		BYTES("\nmailboxes = ({ name = \"n\"; imap = { host = \"h\"; }; });"), 0600);
	fixture_write(&f, "conf.d/20.conf", BYTES(""), 0600);
	fixture_load(&f);
	assert_told(&f, "conf.d/30.conf:1: mailboxes.n: this name stands at conf.d/10.conf:2 too; "
			"give each mailbox a name "
			"of its own\n");
	unit_row("H4-07 two broken ones, and five wrong values");
	fixture_write(&f, "conf.d/10.conf", BYTES("daemon = { threads = ; };"), 0600);
	fixture_write(&f, "conf.d/20.conf", BYTES("daemon = { threads = 1; "), 0600);
	fixture_write(&f, "conf.d/30.conf",
		BYTES("defaults = {\n interval = 1;\n confirm = 0;\n recover = 0;\n family = "
		      "\"x\";\n auth = \"y\"; };"),
		0600);
	fixture_load(&f);
	assert_int_equal(f.complaints.faults, 7);
	assert_told_part(&f, "conf.d/10.conf:1: ");
	assert_told_part(&f, "conf.d/20.conf:1: ");
	for (int line = 2; line <= 6; line++) {
		char part[32];

		snprintf(part, sizeof(part), "conf.d/30.conf:%d: ", line);
		assert_told_part(&f, part);
	}
	fixture_end(&f);
}

/* H4-01 */
static void
test_settings_files_must_be_regular(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture f;
	char path[128];
	int fd;

	alarm(20);
	fixture_begin(&f);
	fixture_write(&f, "main.conf", BYTES(""), 0600);
	snprintf(path, sizeof(path), "%s/conf.d/a.conf", f.folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/conf.d/b.conf", f.folder);
	assert_int_equal(symlink("/dev/zero", path), 0);
	snprintf(path, sizeof(path), "%s/conf.d/c.conf", f.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/conf.d/d.conf", f.folder);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	fixture_load(&f);
	assert_told(&f, "conf.d/a.conf: not a regular file; put a file of text there\n"
			"conf.d/b.conf: not a regular file; put a file of text there\n"
			"conf.d/c.conf: not a regular file; put a file of text there\n"
			"conf.d/d.conf: not a regular file; put a file of text there\n");
	close(fd);
	unit_row("H4-02 200 M");
	fixture_end(&f);
	fixture_begin(&f);
	fixture_write(&f, "main.conf", BYTES(""), 0600);
	snprintf(path, sizeof(path), "%s/main.conf", f.folder);
	assert_int_equal(truncate(path, 200 * 1024 * 1024), 0);
	fixture_load(&f);
	assert_told(&f,
		"main.conf: too large; a settings file has 64 MiB at most, all together 128 MiB\n");
	unit_row("none");
	unlink(path);
	fixture_load(&f);
	assert_told(&f, "main.conf: no such file; name one that is there\n");
	fixture_end(&f);
	alarm(0);
}

/* H4-02 */
static void
test_settings_includes(void **state)
{
	struct fixture f;
	char name[32], text[64];

	fixture_begin(&f);
	unit_row("lines are the files' own");
	fixture_write(&f, "main.conf",
		BYTES("daemon = {\n  threads = 2;\n  @include \"part.inc\" log_level = \"inf\";\n  "
		      "socket = \"x\";\n};\n"),
		0600);
	fixture_write(
		&f, "part.inc", BYTES("# a part\nhelo_name = \"x\";\nstate_dir = \"y\";"), 0600);
	fixture_load(&f);
	assert_told(&f,
		"main.conf:3: daemon.log_level: \"inf\" is none of its words; did you mean "
		"\"info\"?\n"
		"main.conf:4: daemon.socket: \"x\" is no whole path; write one that begins with /\n"
		"part.inc:2: daemon.helo_name: \"x\" is no full name, and some servers refuse it; "
		"write this host's "
		"full name, as \"watch.example.com\", or \"[192.0.2.1]\"\n"
		"part.inc:3: daemon.state_dir: \"y\" is no whole path; write one that begins with "
		"/\n");
	unit_row("its numbers are scanned too");
	fixture_write(&f, "part.inc", BYTES("\n\nthreads = 4294967297;"), 0600);
	fixture_load_text(&f, "daemon = {\n@include \"part.inc\"\n};");
	assert_told(&f, "part.inc:3: threads: the number 4294967297 is too large; the largest is "
			"2147483647\n");
	unit_row("relative to the main file's folder, from a drop-in too");
	fixture_write(&f, "part.inc", BYTES("daemon = { threads = 5; };"), 0600);
	fixture_write(&f, "conf.d/a.conf", BYTES("@include \"part.inc\"\n"), 0600);
	fixture_load_text(&f, "");
	assert_told(&f, "");
	assert_int_equal(f.settings->threads, 5);
	fixture_write(&f, "conf.d/a.conf", BYTES(""), 0600);
	unit_row("itself");
	fixture_load_text(&f, "\n@include \"main.conf\"\n");
	assert_told(&f, "main.conf:2: main.conf includes itself; leave this @include out\n");
	unit_row("a loop of two");
	fixture_write(&f, "part.inc", BYTES("@include \"main.conf\"\n"), 0600);
	fixture_load_text(&f, "@include \"part.inc\"\n");
	assert_told(&f, "part.inc:1: main.conf includes itself; leave this @include out\n");
	unit_row("a missing one");
	fixture_load_text(&f, "\n\n@include \"nothing\"\n");
	assert_told(&f, "main.conf:3: nothing: no such file; name one that is there\n");
	unit_row("a device");
	fixture_load_text(&f, "@include \"/dev/zero\"\n");
	assert_told(&f, "main.conf:1: /dev/zero: not a regular file; put a file of text there\n");
	unit_row("11 deep");
	for (int i = 1; i <= 11; i++) {
		snprintf(name, sizeof(name), "%d.inc", i);
		snprintf(text, sizeof(text), "@include \"%d.inc\"\n", i + 1);
		fixture_write(&f, name, bytes_of(text), 0600);
	}
	fixture_load_text(&f, "@include \"1.inc\"\n");
	assert_told(&f, "10.inc:1: more than 10 files that include each other; include them from "
			"the main file\n");
	unit_row("10 deep");
	fixture_write(&f, "10.inc", BYTES("daemon = { threads = 9; };"), 0600);
	fixture_load(&f);
	assert_told(&f, "");
	assert_int_equal(f.settings->threads, 9);
	fixture_end(&f);
}

/* H4-08 */
static void
test_settings_ten_thousand_faults_are_all_told(void **state)
{
	struct buf text = { 0 };
	struct fixture f;

	fixture_begin(&f);
	buf_put_string(&text, "defaults = { auth = \"none\"; };\nmailboxes = (\n");
	for (int i = 0; i < 10000; i++)
		buf_put_format(&text, "%s{ name = \"m%d\"; imap = { host = \"h\"; port = 0; }; }\n",
			i ? "," : "", i);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	assert_err_equal(f.err, ERR_INVALID);
	assert_int_equal(f.complaints.faults, 10000);
	assert_int_equal(f.complaints.count, 10000);
	assert_int_equal(f.complaints.items[9999].line, 10002);
	buf_clear(&text);
	unit_row("50,000 warnings");
	buf_put_string(&text, "defaults = { auth = \"none\"; };\nmailboxes = (\n");
	for (int i = 0; i < 50000; i++)
		buf_put_format(&text,
			"%s{ name = \"m%d\"; imap = { host = \"h\"; security = \"none\"; }; }\n",
			i ? "," : "", i);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	assert_ok(f.err);
	assert_int_equal(f.complaints.faults, 0);
	assert_int_equal(f.complaints.count, 50001); /* and that h takes 8 connections at a time */
	assert_int_equal(f.settings->mailbox_count, 50000);
	buf_done(&text);
	fixture_end(&f);
}

/* H4-15 */
static void
test_settings_secret_files_are_looked_at(void **state)
{
	static const struct {
		const char *name;
		struct bytes content;
		int mode;
		const char *told; /* behind the path; "": nothing */
	} rows[] = {
		{ "LF", { "geheim\n", 7 }, 0640, "" },
		{ "CR LF", { "geheim\r\n", 8 }, 0640, "" },
		{ "nothing", { "geheim", 6 }, 0640, "" },
		{ "LF LF", { "geheim\n\n", 8 }, 0640, "" },
		{ "a blank in front", { " geheim\n", 8 }, 0640,
			"begins or ends with a blank, which counts" },
		{ "a blank behind", { "geheim \n", 8 }, 0640,
			"begins or ends with a blank, which counts" },
		{ "further lines", { "geheim\nuser: x\n", 15 }, 0640,
			"further lines in secret, which do not count" },
		{ "read by others", { "geheim\n", 7 }, 0644,
			"others can read secret; chmod 0640 it" },
		{ "empty", { "", 0 }, 0640,
			"the first line of secret is empty; write the secret there" },
		{ "an empty first line", { "\ngeheim\n", 8 }, 0640,
			"the first line of secret is empty" },
		{ "a NUL", { "ge\0heim\n", 8 }, 0640, "a NUL byte in the first line of secret" },
	};
	struct fixture f;
	char text[512], path[128];

	fixture_begin(&f);
	snprintf(text, sizeof(text),
		"mailboxes = ({ name = \"a\"; address = \"a@b\"; imap = { host = \"h\";\n "
		"password_file = \"%s/secret\"; }; });",
		f.folder);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		fixture_write(&f, "secret", rows[i].content, rows[i].mode);
		fixture_load_text(&f, text);
		assert_ok(f.err);
		assert_null(strstr(f.told.at, "geheim"));
		if (rows[i].told[0] == '\0') {
			assert_told(&f, "");
		} else {
			assert_told_part(
				&f, "main.conf:2: warning: mailboxes.a.imap.password_file: ");
			assert_told_part(&f, rows[i].told);
		}
	}
	unit_row("none");
	snprintf(path, sizeof(path), "%s/secret", f.folder);
	unlink(path);
	fixture_load_text(&f, text);
	assert_told(&f, "main.conf:2: warning: mailboxes.a.imap.password_file: secret: no such "
			"file; write the secret there\n");
	unit_row("a FIFO");
	assert_int_equal(mkfifo(path, 0600), 0);
	fixture_load_text(&f, text);
	assert_told_part(&f, "secret is not a regular file; name one");
	fixture_end(&f);
}

static void
test_settings_warnings(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	unit_row("a password in a file that others can read, once");
	fixture_write(&f, "main.conf",
		BYTES("defaults = { };\nmailboxes = ({ name = \"a\"; address = \"a@b\"; imap = { "
		      "host = \"h\";\n"
		      "  password = \"geheim\"; };\n  smtp = { host = \"h\"; password = "
		      "\"geheim\"; }; });"),
		0644);
	fixture_load(&f);
	assert_ok(f.err);
	assert_told(&f, "main.conf:4: warning: mailboxes.a.smtp.password: a password in a file "
			"that others can read; chmod "
			"0640 it, or use password_file\n");
	unit_row("old TLS");
	fixture_load_text(&f, "defaults = {\n tls_min = \"1.0\"; };");
	assert_told(&f, "main.conf:2: warning: defaults.tls_min: TLS 1.0 has been broken for long; "
			"write \"1.2\" as soon as "
			"the server speaks it\n");
	unit_row("both sinks");
	fixture_load_text(&f, "alerts = { journal = true;\n syslog = true; };");
	assert_told_part(&f, "main.conf:2: warning: alerts.syslog: both journal and syslog");
	unit_row("security none");
	fixture_load_text(&f, IMAP_WITH("host = \"h\"; security = \"none\";"));
	assert_told_part(&f, "main.conf:1: warning: mailboxes.a.imap.security: security none: no "
			     "secret is sent");
	fixture_load_text(
		&f, IMAP_WITH("host = \"h\"; security = \"none\"; insecure_auth = true;"));
	assert_told_part(&f,
		"warning: mailboxes.a.imap.security: security none and insecure_auth: who is "
		"on the way reads");
	unit_row("keep_max within two intervals");
	fixture_load_text(
		&f, "defaults = { session = \"keep\";\n keep_max = \"8m\"; };\n" IMAP_WITH(
			    "host = \"h\";"));
	assert_told_part(&f, "main.conf:2: warning: mailboxes.a.imap: keep_max (8m) is below two "
			     "intervals (5m each), so each probe logs in; write a longer keep_max");
	fixture_end(&f);
}

static void
test_settings_what_is_told_is_escaped(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, "defaults = { family = \"\x1b[31m\xe2\x80\xae\"; };");
	assert_null(strchr(f.told.at, '\x1b'));
	assert_told_part(&f, "\\x1b[31m\\xe2\\x80\\xae");
	fixture_end(&f);
}

/* ---- the table, the example file and the manual say the same */

static void
read_tree_file(const char *name, struct buf *out)
{
	const char *srcdir = getenv("srcdir");
	char path[512];
	FILE *file;
	int byte;

	snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	while ((byte = getc(file)) != EOF)
		buf_put_byte(out, (char)byte);
	fclose(file);
	buf_put(out, BYTES_NONE);
	assert_int_equal(buf_err(out), ERR_OK);
}

static bool
is_named(const char *name, size_t len, bool is_built)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strlen(setting_rows[i].name) == len &&
			strncmp(setting_rows[i].name, name, len) == 0 &&
			setting_rows[i].is_built == is_built)
			return true;
	}
	return false;
}

/* The value as the table has it: of a file's `["1h", "6h"]` or `"5m"` what stands in the quotes. */
static void
put_plain(struct buf *out, const char *value)
{
	for (; *value && *value != ';' && *value != '\n'; value++) {
		if (!strchr("[]\"", *value))
			buf_put_byte(out, *value);
	}
	buf_put(out, BYTES_NONE);
}

static void
test_settings_example_file_has_all_of_the_table(void **state)
{
	struct buf text = { 0 }, value = { 0 };

	read_tree_file("etc/mboxwatch.conf", &text);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = &setting_rows[i];
		char as_comment[80], as_group[80];
		const char *at;

		unit_row(row->name);
		snprintf(as_comment, sizeof(as_comment), "\n  #%s = ", row->name);
		snprintf(as_group, sizeof(as_group), "\n%s = ", row->name);
		at = strstr(text.at, as_comment);
		if (!row->is_built) {
			if (!is_named(row->name, strlen(row->name), true))
				assert_null(at);
			continue;
		}
		if (!at)
			at = strstr(text.at, as_group);
		assert_non_null(at);
		if (row->fallback[0] == '\0')
			continue;
		put_plain(&value, strstr(at, " = ") + 3);
		assert_bytes_equal(buf_bytes(&value), bytes_of(row->fallback));
		buf_clear(&value);
	}
	for (const char *at = strstr(text.at, "\n  #"); at; at = strstr(at + 1, "\n  #")) {
		size_t len = strcspn(at + 4, " ={\n");

		if (at[4] != ' ' && !is_named(at + 4, len, true))
			fail_msg("not in settings.def: %.30s", at + 4);
	}
	buf_done(&text);
	buf_done(&value);
}

static void
test_settings_manual_has_all_of_the_table(void **state)
{
	struct buf text = { 0 };

	read_tree_file("doc/mboxwatch.conf.5", &text);
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = &setting_rows[i];
		char item[80];
		const char *at, *end;

		unit_row(row->name);
		snprintf(item, sizeof(item), "\n.It Va %s No = ", row->name);
		at = strstr(text.at, item);
		if (!row->is_built) {
			if (!is_named(row->name, strlen(row->name), true))
				assert_null(at);
			continue;
		}
		if (!at) {
			snprintf(item, sizeof(item), "\n.Ss %s = ", row->name);
			at = strstr(text.at, item);
		}
		assert_non_null(at);
		if (row->kind != KIND_INT && row->kind != KIND_DURATION && row->kind != KIND_WORD)
			continue;
		end = strstr(at + 1, "\n.It ");
		assert_true(bytes_contains_nocase(
			(struct bytes){ at, end ? (size_t)(end - at) : strlen(at) },
			bytes_of(row->fallback)));
		if (row->kind != KIND_WORD)
			assert_true(bytes_contains_nocase(
				(struct bytes){ at, end ? (size_t)(end - at) : strlen(at) },
				bytes_of(row->range)));
	}
	for (const char *at = strstr(text.at, "\n.It Va "); at; at = strstr(at + 1, "\n.It Va ")) {
		size_t len = strcspn(at + 8, " \n");

		if (!is_named(at + 8, len, true))
			fail_msg("not in settings.def: %.30s", at + 8);
	}
	buf_done(&text);
}

static void
test_settings_files_of_etc_load(void **state)
{
	struct buf text = { 0 };
	struct fixture f;

	fixture_begin(&f);
	unit_row("mboxwatch.conf");
	read_tree_file("etc/mboxwatch.conf", &text);
	fixture_load_text(&f, text.at);
	assert_told(&f, "");
	assert_int_equal(f.settings->mailbox_count, 0);
	unit_row("example.conf");
	buf_clear(&text);
	read_tree_file("etc/example.conf", &text);
	fixture_load_text(&f, text.at);
	assert_ok(f.err);
	assert_int_equal(f.settings->mailbox_count, 5);
	assert_false(settings_find(f.settings, BYTES("relay"))->is_enabled);
	buf_done(&text);
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_settings_of_the_contract_load),
	cmocka_unit_test(test_settings_defaults_of_daemon_limits_and_alerts),
	cmocka_unit_test(test_settings_envelope_and_mechanisms),
	cmocka_unit_test(test_settings_names_that_do_not_exist_are_told),
	cmocka_unit_test(test_settings_values_are_judged),
	cmocka_unit_test(test_settings_names_and_hosts_are_judged),
	cmocka_unit_test(test_settings_hosts_have_one_form),
	cmocka_unit_test(test_settings_durations_are_judged),
	cmocka_unit_test(test_settings_wrapped_numbers_are_told_once),
	cmocka_unit_test(test_settings_bytes_of_secrets_and_texts),
	cmocka_unit_test(test_settings_texts_that_cannot_be_parsed),
	cmocka_unit_test(test_settings_texts_that_libconfig_takes),
	cmocka_unit_test(test_settings_drop_ins_are_joined),
	cmocka_unit_test(test_settings_files_must_be_regular),
	cmocka_unit_test(test_settings_includes),
	cmocka_unit_test(test_settings_ten_thousand_faults_are_all_told),
	cmocka_unit_test(test_settings_secret_files_are_looked_at),
	cmocka_unit_test(test_settings_warnings),
	cmocka_unit_test(test_settings_what_is_told_is_escaped),
	cmocka_unit_test(test_settings_example_file_has_all_of_the_table),
	cmocka_unit_test(test_settings_manual_has_all_of_the_table),
	cmocka_unit_test(test_settings_files_of_etc_load),
};

UNIT_MAIN(tests)
