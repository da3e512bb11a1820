/*
 * test_review.c: what may be a mistake, row by row; and that what is fine is never told.
 */
#include "../unit.h"

#include "diagnose/review.h"

/* One side; a port 0 is the usual one of its mode. */
struct side_row {
	const char *host;
	uint16_t port;
	enum security security;
	const char *username;
	enum mechanism mechanism;
	bool insecure_auth;
	const char *folder;
	bool is_grouped, is_open, has_pin;
	int64_t interval_s, stretched_s;
};

#define GOOD_SMTP                                                                                  \
	{                                                                                          \
		.host = "smtp.example.com"                                                         \
	}
#define GOOD_IMAP                                                                                  \
	{                                                                                          \
		.host = "imap.example.com"                                                         \
	}

static const struct row {
	const char *name;
	struct side_row smtp, imap; /* host NULL: no such side */
	bool is_one_site, are_secrets_other;
	const char *told; /* "setting[=suggest]: part of the message", a line each */
} rows[] = {
	{ "all as usual", GOOD_SMTP, GOOD_IMAP, true, .told = "" },
	{ "STARTTLS at its ports", { "mail.a", 587, SECURITY_STARTTLS },
		{ "mail.a", 143, SECURITY_STARTTLS }, true, .told = "" },
	{ "unusual ports in any mode", { "mail.a", 10025, SECURITY_STARTTLS },
		{ "mail.a", 10143, SECURITY_TLS }, true, .told = "" },
	{ "one name for both", { "imap.example.com" }, { "imap.example.com" }, true, .told = "" },
	{ "one name for both, of the other kind", { "smtp.a" }, { "smtp.a" }, true, .told = "" },
	{ "hosts swapped", { "imap.example.com" }, { "smtp.example.com" }, true,
		.told = "smtp.host=smtp.example.com: the hosts look swapped\n" },
	{ "numbered, swapped", { "imap2.a" }, { "SMTP1.a" }, true,
		.told = "smtp.host=SMTP1.a: the hosts look swapped\n" },
	{ "an SMTP host at imap alone", { NULL }, { "smtp.a" },
		.told = "imap.host: smtp.a is called as a server for sending\n" },
	{ "a POP3 host at smtp", { "pop.a" }, { "imap.a" },
		.told = "smtp.host: pop.a is called as a server for reading\n" },
	{ "names that only begin so", { "imapala.a" }, { "smtpd-relay.a" }, .told = "" },
	{ "no domain at all", { "imap" }, { "smtp" }, .told = "" },
	{ "POP3's port", { NULL }, { "imap.a", 995, SECURITY_TLS },
		.told = "imap.port=993: port 995 is POP3's\n" },
	{ "POP3's port in clear", { NULL }, { "imap.a", 110, SECURITY_STARTTLS },
		.told = "imap.port=143: port 110 is POP3's\n" },
	{ "webmail's port", { NULL }, { "imap.a", 2096, SECURITY_TLS },
		.told = "imap.port=993: port 2096 is webmail's\n" },
	{ "IMAP's port at smtp", { "smtp.a", 993, SECURITY_TLS }, { NULL },
		.told = "smtp.port=465: port 993 is IMAP's\n" },
	{ "SMTP's port at imap", { NULL }, { "imap.a", 587, SECURITY_STARTTLS },
		.told = "imap.port=143: port 587 is SMTP's\n" },
	{ "587 with tls", { "smtp.a", 587, SECURITY_TLS }, { NULL },
		.told = "smtp.security=starttls: port 587 belongs to \"starttls\"\n" },
	{ "993 with starttls", { NULL }, { "imap.a", 993, SECURITY_STARTTLS },
		.told = "imap.security=tls: port 993 belongs to \"tls\"\n" },
	{ "none", { "smtp.a", 587, SECURITY_NONE }, { NULL },
		.told = "smtp.security: security none: no secret is sent\n" },
	{ "none at a port of TLS", { NULL }, { "imap.a", 993, SECURITY_NONE },
		.told = "imap.security=tls: port 993 belongs to \"tls\"\n"
			"imap.security: security none: no secret is sent\n" },
	{ "none and insecure_auth", { NULL },
		{ "imap.a", 143, SECURITY_NONE, .insecure_auth = true },
		.told = "imap.security: security none and insecure_auth\n" },
	{ "a pin beside none", { NULL },
		{ "imap.a", 143, SECURITY_NONE, .insecure_auth = true, .has_pin = true },
		.told = "imap.cert_sha256: a pin of the server's key beside security none\n"
			"imap.security: security none and insecure_auth\n" },
	{ "a pin beside tls", { NULL }, { "imap.a", .has_pin = true }, .told = "" },
	{ "none without a login", { "smtp.a", 25, SECURITY_NONE, .mechanism = MECHANISM_NONE },
		{ NULL }, .told = "smtp.security: security none: nothing shows\n" },
	{ "not the full address", { "smtp.a", .username = "ann" }, GOOD_IMAP,
		.told = "smtp.username=ann@example.com: the user name is not the full address\n" },
	{ "not the full address, both sides", { "smtp.a", .username = "ann" },
		{ "imap.a", .username = "ann" }, true,
		.told = "smtp.username=ann@example.com: the user name is not the full address\n" },
	{ "another full address", { "smtp.a", .username = "box7@example.net" }, { NULL },
		.told = "" },
	{ "without a login any name", { "smtp.a", .username = "x", .mechanism = MECHANISM_NONE },
		{ NULL }, .told = "" },
	{ "an app password in groups", { "smtp.a", .is_grouped = true }, { NULL },
		.told = "smtp.password: it looks like an app password\n" },
	{ "a secret that others can read", { NULL }, { "imap.a", .is_open = true },
		.told = "imap.password_file: others can read /s/ann\n" },
	{ "Inbox", { NULL }, { "imap.a", .folder = "Inbox" },
		.told = "imap.mailbox=INBOX: the folder is called INBOX\n" },
	{ "another folder", { NULL }, { "imap.a", .folder = "INBOX.Inbox" }, .told = "" },
	{ "two user names at one site", GOOD_SMTP, { "imap.example.com", .username = "b@c" }, true,
		.told = "imap.username=ann@example.com: another user name\n" },
	{ "two user names at two sites", GOOD_SMTP, { "imap.a", .username = "b@c" }, .told = "" },
	{ "one user name in two cases", GOOD_SMTP,
		{ "imap.example.com", .username = "Ann@Example.com" }, true, .told = "" },
	{ "two secrets at one site", GOOD_SMTP, GOOD_IMAP, true, true,
		.told = "imap.password: another secret\n" },
	{ "two secrets at two sites", GOOD_SMTP, GOOD_IMAP, false, true, .told = "" },
	{ "more probes than limits allow", { NULL },
		{ "imap.a", .interval_s = 60, .stretched_s = 90 },
		.told = "imap.interval: more probes of imap.a than limits allow: every 1m becomes "
			"every 1m30s\n" },
	{ "stretched by less than a second", { NULL },
		{ "imap.a", .interval_s = 60, .stretched_s = 60 }, .told = "" },
};

static char *
writable(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void
make(enum side side, const struct side_row *row, struct endpoint *endpoint, struct review_side *out)
{
	*endpoint = (struct endpoint){ .side = side,
		.host = writable(row->host),
		.port = row->port ? row->port : port_of_security(side, row->security),
		.security = row->security,
		.username = writable(row->username ? row->username : "ann@example.com"),
		.mechanism = row->mechanism,
		.insecure_auth = row->insecure_auth,
		.has_key_sha256 = row->has_pin,
		.folder = writable(row->folder ? row->folder : "INBOX"),
		.secret = { .kind = SECRET_FILE, .path = writable("/s/ann") } };
	*out = (struct review_side){ .endpoint = row->host ? endpoint : NULL,
		.is_secret_grouped = row->is_grouped,
		.is_secret_open = row->is_open,
		.interval_us = row->interval_s * US_PER_S,
		.stretched_us = row->stretched_s * US_PER_S };
}

/* The next line of what is expected must be this item's. */
static void
on_item(void *owner, const struct review_item *item)
{
	const char **rest = owner;
	const char *colon = strchr(*rest, ':'), *end = strchr(*rest, '\n');
	char head[400];

	snprintf(head, sizeof(head), "%s%s%s", item->setting, item->suggest[0] ? "=" : "",
		item->suggest);
	if (!colon || !end)
		fail_msg("told: %s: %s", head, item->message);
	assert_bytes_equal(bytes_of(head), ((struct bytes){ *rest, (size_t)(colon - *rest) }));
	if (!bytes_contains_nocase(bytes_of(item->message),
		    (struct bytes){ colon + 2, (size_t)(end - colon - 2) }))
		fail_msg("told: %s", item->message);
	*rest = end + 1;
}

static void
test_review_tells_what_is_odd_and_nothing_else(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct endpoint endpoints[SIDE_COUNT];
		struct review_mailbox mailbox = { .address = "ann@example.com",
			.is_one_site = rows[i].is_one_site,
			.are_secrets_other = rows[i].are_secrets_other };
		const char *rest = rows[i].told;

		unit_row(rows[i].name);
		make(SIDE_SMTP, &rows[i].smtp, &endpoints[SIDE_SMTP], &mailbox.sides[SIDE_SMTP]);
		make(SIDE_IMAP, &rows[i].imap, &endpoints[SIDE_IMAP], &mailbox.sides[SIDE_IMAP]);
		review(&mailbox, on_item, &rest);
		assert_string_equal(rest, "");
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_review_tells_what_is_odd_and_nothing_else),
};

UNIT_MAIN(tests)
