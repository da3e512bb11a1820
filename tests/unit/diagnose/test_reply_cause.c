/*
 * test_reply_cause.c: a reply and its stage -> a cause; most rows were sent by real servers.
 */
#include "../unit.h"

#include "diagnose/diagnose.h"
#include "diagnose/reply_cause.h"

#define SMTP(number) .reply = { .status = REPLY_SMTP, .code = (number) }
#define ENHANCED(number, a, b, c)                                                                  \
	.reply = { .status = REPLY_SMTP, .code = (number), .enhanced = { a, b, c } }
#define IMAP(word, bracket)                                                                        \
	.reply = { .status = REPLY_##word, .response_code = (char *)(uintptr_t)(bracket) }

static const struct row {
	const char *name;
	enum stage stage;
	bool is_before_secret;
	struct server_reply reply;
	const char *text;
	const char *alert;
	enum cause cause;
} rows[] = {
	{ "Postfix, wrong password", STAGE_AUTH, false, ENHANCED(535, 5, 7, 8),
		.text = "Error: authentication failed", .cause = CAUSE_BAD_CREDENTIALS },
	{ "Exim, wrong password", STAGE_AUTH, false, SMTP(535),
		.text = "Incorrect authentication data", .cause = CAUSE_BAD_CREDENTIALS },
	{ "the same before the secret went out", STAGE_AUTH, true, SMTP(535),
		.cause = CAUSE_PROTOCOL_ERROR },
	{ "Exim, temporary", STAGE_AUTH, false, SMTP(435), .cause = CAUSE_BACKEND_ERROR },
	{ "H2-25 535 4.7.0", STAGE_AUTH, false, ENHANCED(535, 4, 7, 0),
		.cause = CAUSE_BACKEND_ERROR },
	{ "H2-25 454 5.7.8", STAGE_AUTH, false, ENHANCED(454, 5, 7, 8),
		.cause = CAUSE_BACKEND_ERROR },
	{ "H2-24 Gmail", STAGE_AUTH, false, ENHANCED(454, 4, 7, 0),
		.text = "Too many login attempts, please try again later.",
		.cause = CAUSE_RATE_LIMITED },
	{ "Postfix, auth rate", STAGE_AUTH, false, ENHANCED(450, 4, 7, 1),
		.text = "Error: too many AUTH commands from 127.0.0.1",
		.cause = CAUSE_RATE_LIMITED },
	{ "Postfix at 587 before TLS", STAGE_AUTH, false, ENHANCED(530, 5, 7, 0),
		.cause = CAUSE_TLS_REQUIRED },
	{ "Dovecot's submission in clear", STAGE_AUTH, false, ENHANCED(523, 5, 7, 10),
		.cause = CAUSE_TLS_REQUIRED },
	{ "Dovecot, nologin", STAGE_AUTH, false, ENHANCED(525, 5, 7, 13),
		.cause = CAUSE_ACCOUNT_SUSPENDED },
	{ "Postfix without SASL", STAGE_AUTH, false, ENHANCED(503, 5, 5, 1),
		.cause = CAUSE_AUTH_NOT_OFFERED },
	{ "mechanism unknown", STAGE_AUTH, false, SMTP(504), .cause = CAUSE_MECHANISM_UNSUPPORTED },
	{ "Gmail, app password", STAGE_AUTH, false, ENHANCED(534, 5, 7, 9),
		.text = "Application-specific password required",
		.cause = CAUSE_APP_PASSWORD_REQUIRED },
	{ "Gmail, web login", STAGE_AUTH, false, ENHANCED(534, 5, 7, 14),
		.cause = CAUSE_WEB_LOGIN_REQUIRED },
	{ "RFC 4954, mechanism too weak", STAGE_AUTH, false, ENHANCED(534, 5, 7, 9),
		.cause = CAUSE_MECHANISM_UNSUPPORTED },
	{ "Microsoft 365, SMTP AUTH off", STAGE_AUTH, false, ENHANCED(535, 5, 7, 139),
		.text = "Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
			"Tenant.",
		.cause = CAUSE_PROTOCOL_DISABLED },
	{ "Microsoft 365, wrong password", STAGE_AUTH, false, ENHANCED(535, 5, 7, 139),
		.text = "Authentication unsuccessful, the user credentials were incorrect.",
		.cause = CAUSE_BAD_CREDENTIALS },
	{ "Microsoft 365, basic auth gone", STAGE_AUTH, false, ENHANCED(550, 5, 7, 30),
		.cause = CAUSE_OAUTH_REQUIRED },
	{ "hMailServer, locked", STAGE_AUTH, false, SMTP(535),
		.text = "Authentication failed. Too many invalid logon attempts.",
		.cause = CAUSE_ACCOUNT_LOCKED },
	{ "421 anywhere", STAGE_NOOP, false, ENHANCED(421, 4, 4, 0),
		.cause = CAUSE_SERVER_UNAVAILABLE },
	{ "Postfix, too many connections", STAGE_GREETING, true, ENHANCED(421, 4, 7, 0),
		.text = "mail.example.com Error: too many connections from 192.0.2.1",
		.cause = CAUSE_TOO_MANY_CONNECTIONS },
	{ "554 as greeting", STAGE_GREETING, true, SMTP(554), .cause = CAUSE_IP_BLOCKED },
	{ "H2-36 helo name", STAGE_CAPABILITY, true, ENHANCED(504, 5, 5, 2),
		.cause = CAUSE_POLICY_BLOCKED },
	{ "H1-07 454", STAGE_STARTTLS, true, ENHANCED(454, 4, 7, 0), .cause = CAUSE_BACKEND_ERROR },
	{ "H1-07 502", STAGE_STARTTLS, true, SMTP(502), .cause = CAUSE_MECHANISM_UNSUPPORTED },
	{ "Exchange, TLS broken", STAGE_STARTTLS, true, ENHANCED(554, 5, 7, 3),
		.cause = CAUSE_BACKEND_ERROR },
	{ "greylisted", STAGE_RCPT, false, ENHANCED(450, 4, 2, 0), .cause = CAUSE_GREYLISTED },
	{ "recipient full, for now", STAGE_RCPT, false, ENHANCED(452, 4, 2, 2),
		.cause = CAUSE_OVER_QUOTA },
	{ "relay denied", STAGE_RCPT, false, ENHANCED(554, 5, 7, 1),
		.cause = CAUSE_RECIPIENT_REJECTED },
	{ "sender", STAGE_MAIL, false, SMTP(553), .cause = CAUSE_SENDER_REJECTED },

	{ "Dovecot, wrong password", STAGE_AUTH, false, IMAP(NO, "AUTHENTICATIONFAILED"),
		.cause = CAUSE_BAD_CREDENTIALS },
	{ "H1-12 the same, at capability", STAGE_CAPABILITY, true, IMAP(NO, "AUTHENTICATIONFAILED"),
		.cause = CAUSE_PROTOCOL_ERROR },
	{ "H2-29 the same, nothing sent", STAGE_AUTH, true, IMAP(NO, "AUTHENTICATIONFAILED"),
		.cause = CAUSE_PROTOCOL_ERROR },
	{ "Courier, wrong password", STAGE_AUTH, false, IMAP(NO, NULL), .text = "Login failed.",
		.cause = CAUSE_BAD_CREDENTIALS },
	{ "a code that is not known", STAGE_AUTH, false, IMAP(NO, "AUTH"),
		.text = "Authentication failed.", .cause = CAUSE_BAD_CREDENTIALS },
	{ "unavailable", STAGE_AUTH, false, IMAP(NO, "UNAVAILABLE"), .cause = CAUSE_BACKEND_ERROR },
	{ "limit", STAGE_AUTH, false, IMAP(NO, "LIMIT"), .text = "LOGIN Rate limit hit.",
		.cause = CAUSE_RATE_LIMITED },
	{ "in use", STAGE_SELECT, false, IMAP(NO, "INUSE"), .cause = CAUSE_SERVER_UNAVAILABLE },
	{ "expired", STAGE_AUTH, false, IMAP(NO, "EXPIRED"), .cause = CAUSE_PASSWORD_EXPIRED },
	{ "privacy required", STAGE_AUTH, false, IMAP(NO, "PRIVACYREQUIRED"),
		.cause = CAUSE_TLS_REQUIRED },
	{ "contact the admin", STAGE_AUTH, false, IMAP(NO, "CONTACTADMIN"),
		.cause = CAUSE_ACCOUNT_SUSPENDED },
	{ "BAD to LOGIN", STAGE_AUTH, false, IMAP(BAD, NULL), .text = "invalid command",
		.cause = CAUSE_PROTOCOL_ERROR },
	{ "BAD to STARTTLS", STAGE_STARTTLS, true, IMAP(BAD, NULL),
		.cause = CAUSE_MECHANISM_UNSUPPORTED },
	{ "no such folder", STAGE_SELECT, false, IMAP(NO, NULL), .text = "Mailbox doesn't exist: m",
		.cause = CAUSE_FOLDER_MISSING },
	{ "NONEXISTENT", STAGE_SELECT, false, IMAP(NO, "NONEXISTENT"),
		.cause = CAUSE_FOLDER_MISSING },
	{ "NOPERM", STAGE_SELECT, false, IMAP(NO, "NOPERM"), .cause = CAUSE_FOLDER_DENIED },
	{ "SERVERBUG", STAGE_SELECT, false, IMAP(NO, "SERVERBUG"), .cause = CAUSE_BACKEND_ERROR },
	{ "OVERQUOTA", STAGE_SELECT, false, IMAP(NO, "OVERQUOTA"), .cause = CAUSE_OVER_QUOTA },
	{ "Exchange, throttled", STAGE_SELECT, false, IMAP(NO, NULL),
		.text = "Request is throttled. Suggested Backoff Time: 299910 milliseconds",
		.cause = CAUSE_RATE_LIMITED },
	{ "BYE", STAGE_AUTH, false, IMAP(BYE, NULL), .text = "Server shutting down.",
		.cause = CAUSE_SERVER_UNAVAILABLE },
	{ "BYE, full", STAGE_GREETING, true, IMAP(BYE, NULL), .text = "Connection queue full",
		.cause = CAUSE_TOO_MANY_CONNECTIONS },
	{ "BYE, rate", STAGE_GREETING, true, IMAP(BYE, NULL),
		.text = "connection rate from your ip or network too high, slow down please",
		.cause = CAUSE_RATE_LIMITED },
	{ "BYE, locked", STAGE_AUTH, false, IMAP(BYE, NULL), .text = "Login failed too many times.",
		.cause = CAUSE_ACCOUNT_LOCKED },
	{ "H2-23 both", STAGE_AUTH, false, IMAP(NO, "AUTHENTICATIONFAILED"),
		.alert = "Login failed too many times.", .cause = CAUSE_ACCOUNT_LOCKED },
	{ "H2-23 both, no reason", STAGE_AUTH, false, IMAP(NO, "AUTHENTICATIONFAILED"),
		.alert = "signing off.", .cause = CAUSE_BAD_CREDENTIALS },
	{ "H2-47", STAGE_AUTH, false, IMAP(NO, "REFERRAL"), .cause = CAUSE_AUTH_NOT_OFFERED },
};

static struct reply_meaning
meaning_of(const struct finding *finding)
{
	struct endpoint *endpoint = endpoint_new(finding->side);
	struct reply_meaning meaning;

	assert_non_null(endpoint);
	meaning = reply_meaning(endpoint, finding);
	endpoint_free(endpoint);
	return meaning;
}

static void
test_reply_cause_is_told_by_code_and_stage(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct finding finding = { .kind = FINDING_REFUSED,
			.stage = rows[i].stage,
			.side = rows[i].reply.status == REPLY_SMTP ? SIDE_SMTP : SIDE_IMAP,
			.is_secret_sent = !rows[i].is_before_secret,
			.reply = rows[i].reply };

		unit_row(rows[i].name);
		finding.reply.text = (char *)(uintptr_t)rows[i].text;
		finding.reply.alert = (char *)(uintptr_t)rows[i].alert;
		assert_string_equal(
			cause_name(meaning_of(&finding).cause), cause_name(rows[i].cause));
	}
}

/* causes.md: a temporary form is never bad_credentials, whatever the stage and the words. */
static void
test_reply_cause_of_a_temporary_form_is_no_refused_login(void **state)
{
	static const char *const texts[] = { "wrong password", "Invalid user name or password",
		"authentication failed", "" };

	for (int stage = STAGE_GREETING; stage < STAGE_COUNT; stage++) {
		for (int code = 400; code < 500; code++) {
			struct finding finding = { .kind = FINDING_REFUSED,
				.stage = (enum stage)stage,
				.is_secret_sent = true,
				.reply = { .status = REPLY_SMTP, .code = code } };

			finding.reply.text = (char *)(uintptr_t)texts[code % COUNT_OF(texts)];
			assert_false(cause_has(meaning_of(&finding).cause, CAUSE_REFUSED));
		}
	}
}

static void
test_diagnose_wait_is_read_and_capped(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} waits[] = {
		{ "Suggested Backoff Time: 299910 milliseconds", 299910 * US_PER_MS },
		{ "try again in 15 minutes", 15 * US_PER_M },
		{ "wait 1 hour.", US_PER_H },
		{ "retry after 90 s", 90 * US_PER_S },
		{ "wait 90sec", 90 * US_PER_S },
		{ "999999999999 ms", 6 * US_PER_H },
		{ "99999999999999999999999999 ms", 6 * US_PER_H },
		{ "wait 30 days", 6 * US_PER_H },
		{ "-5", 0 },
		{ "-5 seconds", 0 },
		{ "0 seconds", 0 },
		{ "no (0.005 + 0.000 secs).", 0 },
		{ "id 20020a0561220b66 s", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		unit_row(waits[i].text);
		assert_int_equal(diagnose_wait_us(bytes_of(waits[i].text)), waits[i].us);
	}
	assert_int_equal(diagnose_wait_us(BYTES_NONE), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reply_cause_is_told_by_code_and_stage),
	cmocka_unit_test(test_reply_cause_of_a_temporary_form_is_no_refused_login),
	cmocka_unit_test(test_diagnose_wait_is_read_and_capped),
};

UNIT_MAIN(tests)
