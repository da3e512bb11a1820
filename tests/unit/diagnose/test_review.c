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
	{ "STARTTLS at its ports", { .host = "mail.a", .port = 587, .security = SECURITY_STARTTLS },
		{ .host = "mail.a", .port = 143, .security = SECURITY_STARTTLS }, true,
		.told = "" },
	{ "unusual ports in any mode",
		{ .host = "mail.a", .port = 10025, .security = SECURITY_STARTTLS },
		{ .host = "mail.a", .port = 10143, .security = SECURITY_TLS }, true, .told = "" },
	{ "one name for both", { .host = "imap.example.com" }, { .host = "imap.example.com" }, true,
		.told = "" },
	{ "one name for both, of the other kind", { .host = "smtp.a" }, { .host = "smtp.a" }, true,
		.told = "" },
	{ "hosts swapped", { .host = "imap.example.com" }, { .host = "smtp.example.com" }, true,
		.told = "smtp.host=smtp.example.com: the hosts look swapped\n" },
	{ "numbered, swapped", { .host = "imap2.a" }, { .host = "SMTP1.a" }, true,
		.told = "smtp.host=SMTP1.a: the hosts look swapped\n" },
	{ "an SMTP host at imap alone", { .host = NULL }, { .host = "smtp.a" },
		.told = "imap.host: smtp.a is called as a server for sending\n" },
	{ "a POP3 host at smtp", { .host = "pop.a" }, { .host = "imap.a" },
		.told = "smtp.host: pop.a is called as a server for reading\n" },
	{ "names that only begin so", { .host = "imapala.a" }, { .host = "smtpd-relay.a" },
		.told = "" },
	{ "no domain at all", { .host = "imap" }, { .host = "smtp" }, .told = "" },
	{ "POP3's port", { .host = NULL },
		{ .host = "imap.a", .port = 995, .security = SECURITY_TLS },
		.told = "imap.port=993: port 995 is POP3's\n" },
	{ "POP3's port in clear", { .host = NULL },
		{ .host = "imap.a", .port = 110, .security = SECURITY_STARTTLS },
		.told = "imap.port=143: port 110 is POP3's\n" },
	{ "webmail's port", { .host = NULL },
		{ .host = "imap.a", .port = 2096, .security = SECURITY_TLS },
		.told = "imap.port=993: port 2096 is webmail's\n" },
	{ "IMAP's port at smtp", { .host = "smtp.a", .port = 993, .security = SECURITY_TLS },
		{ .host = NULL }, .told = "smtp.port=465: port 993 is IMAP's\n" },
	{ "SMTP's port at imap", { .host = NULL },
		{ .host = "imap.a", .port = 587, .security = SECURITY_STARTTLS },
		.told = "imap.port=143: port 587 is SMTP's\n" },
	{ "587 with tls", { .host = "smtp.a", .port = 587, .security = SECURITY_TLS },
		{ .host = NULL },
		.told = "smtp.security=starttls: port 587 belongs to \"starttls\"\n" },
	{ "993 with starttls", { .host = NULL },
		{ .host = "imap.a", .port = 993, .security = SECURITY_STARTTLS },
		.told = "imap.security=tls: port 993 belongs to \"tls\"\n" },
	{ "none", { .host = "smtp.a", .port = 587, .security = SECURITY_NONE }, { .host = NULL },
		.told = "smtp.security: security none: no secret is sent\n" },
	{ "none at a port of TLS", { .host = NULL },
		{ .host = "imap.a", .port = 993, .security = SECURITY_NONE },
		.told = "imap.security=tls: port 993 belongs to \"tls\"\n"
			"imap.security: security none: no secret is sent\n" },
	{ "none and insecure_auth", { .host = NULL },
		{ .host = "imap.a", .port = 143, .security = SECURITY_NONE, .insecure_auth = true },
		.told = "imap.security: security none and insecure_auth\n" },
	{ "a pin beside none", { .host = NULL },
		{ .host = "imap.a",
			.port = 143,
			.security = SECURITY_NONE,
			.insecure_auth = true,
			.has_pin = true },
		.told = "imap.cert_sha256: a pin of the server's key beside security none\n"
			"imap.security: security none and insecure_auth\n" },
	{ "a pin beside tls", { .host = NULL }, { .host = "imap.a", .has_pin = true }, .told = "" },
	{ "none without a login",
		{ .host = "smtp.a",
			.port = 25,
			.security = SECURITY_NONE,
			.mechanism = MECHANISM_NONE },
		{ .host = NULL }, .told = "smtp.security: security none: nothing shows\n" },
	{ "not the full address", { .host = "smtp.a", .username = "ann" }, GOOD_IMAP,
		.told = "smtp.username=ann@example.com: the user name is not the full address\n" },
	{ "not the full address, both sides", { .host = "smtp.a", .username = "ann" },
		{ .host = "imap.a", .username = "ann" }, true,
		.told = "smtp.username=ann@example.com: the user name is not the full address\n" },
	{ "another full address", { .host = "smtp.a", .username = "box7@example.net" },
		{ .host = NULL }, .told = "" },
	{ "without a login any name",
		{ .host = "smtp.a", .username = "x", .mechanism = MECHANISM_NONE },
		{ .host = NULL }, .told = "" },
	{ "an app password in groups", { .host = "smtp.a", .is_grouped = true }, { .host = NULL },
		.told = "smtp.password: it looks like an app password\n" },
	{ "a secret that others can read", { .host = NULL }, { .host = "imap.a", .is_open = true },
		.told = "imap.password_file: others can read /s/ann\n" },
	{ "Inbox", { .host = NULL }, { .host = "imap.a", .folder = "Inbox" },
		.told = "imap.mailbox=INBOX: the folder is called INBOX\n" },
	{ "another folder", { .host = NULL }, { .host = "imap.a", .folder = "INBOX.Inbox" },
		.told = "" },
	{ "two user names at one site", GOOD_SMTP,
		{ .host = "imap.example.com", .username = "b@c" }, true,
		.told = "imap.username=ann@example.com: another user name\n" },
	{ "two user names at two sites", GOOD_SMTP, { .host = "imap.a", .username = "b@c" },
		.told = "" },
	{ "one user name in two cases", GOOD_SMTP,
		{ .host = "imap.example.com", .username = "Ann@Example.com" }, true, .told = "" },
	{ "two secrets at one site", GOOD_SMTP, GOOD_IMAP, true, true,
		.told = "imap.password: another secret\n" },
	{ "two secrets at two sites", GOOD_SMTP, GOOD_IMAP, false, true, .told = "" },
	{ "more probes than limits allow", { .host = NULL },
		{ .host = "imap.a", .interval_s = 60, .stretched_s = 90 },
		.told = "imap.interval: more probes of imap.a than limits allow: every 1m becomes "
			"every 1m30s\n" },
	{ "stretched by less than a second", { .host = NULL },
		{ .host = "imap.a", .interval_s = 60, .stretched_s = 60 }, .told = "" },
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
