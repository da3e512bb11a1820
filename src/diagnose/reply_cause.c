/*
 * reply_cause.c: a server's reply -> what is wrong (causes.md, "Reply rules" 1 and 4). Layer:
 * diagnose, pure.
 *
 * The first row that fits decides. A row asks for the status, the code, the enhanced code or the
 * response code, the stage, and for words where real servers give a general code to a special
 * matter. Rows stand from the particular to the general; each names who sends what it was made for.
 */
#include "diagnose/reply_cause.h"

#define AT(stage) (1U << STAGE_##stage)
#define ANYWHERE ((1U << STAGE_COUNT) - 1)
#define ENVELOPE (AT(MAIL) | AT(RCPT) | AT(DATA))
#define MOST_WORDS 2

struct reply_row {
	enum reply_status status;
	int code;		   /* SMTP: 535; 5: any of its class; 0: any */
	int enhanced[3];	   /* SMTP: 0.0.0: any; {4}: any of its class */
	const char *response_code; /* IMAP; NULL: any, or none */
	unsigned stages;
	const char *words[MOST_WORDS]; /* each must occur, in any case */
	enum cause cause;
};

/* 421 may come anywhere; a temporary half always wins over the other one (H2-25). */
static const struct reply_row smtp_rows[] = {
	/* Words that a temporary reply needs to be told from others. */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(AUTH), { "too many", "connections" },
		CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(GREETING), { "too many", "connections" },
		CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_SMTP, 421, { 0 }, NULL, ANYWHERE, { "connection rate" }, CAUSE_RATE_LIMITED },
	{ REPLY_SMTP, 421, { 0 }, NULL, ANYWHERE, { NULL }, CAUSE_SERVER_UNAVAILABLE },
	/* Gmail: 454 4.7.0 Too many login attempts; Postfix: 450 4.7.1 too many AUTH commands */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(AUTH) | AT(STARTTLS), { "too many" }, CAUSE_RATE_LIMITED },
	{ REPLY_SMTP, 4, { 0 }, NULL, ANYWHERE, { "rate limit" }, CAUSE_RATE_LIMITED },
	{ REPLY_SMTP, 4, { 0 }, NULL, ANYWHERE, { "throttl" }, CAUSE_RATE_LIMITED },
	{ REPLY_SMTP, 4, { 0 }, NULL, ANYWHERE, { "Backoff Time" }, CAUSE_RATE_LIMITED },

	/* greeting: whoever is refused here is refused by address (RFC 5321 3.1: 554) */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(GREETING), { NULL }, CAUSE_SERVER_UNAVAILABLE },
	{ REPLY_SMTP, 5, { 4 }, NULL, AT(GREETING), { NULL }, CAUSE_SERVER_UNAVAILABLE },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(GREETING), { NULL }, CAUSE_IP_BLOCKED },

	/* EHLO. Postfix: 504 5.5.2 need fully-qualified hostname; Exim: 501, 550 for a name it does
	   not like */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(CAPABILITY), { NULL }, CAUSE_SERVER_UNAVAILABLE },
	{ REPLY_SMTP, 500, { 0 }, NULL, AT(CAPABILITY), { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 502, { 0 }, NULL, AT(CAPABILITY), { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 503, { 0 }, NULL, AT(CAPABILITY), { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(CAPABILITY), { NULL }, CAUSE_POLICY_BLOCKED },

	/* STARTTLS. RFC 3207 4: 454 TLS not available; 501, 502, 503: it has none. Exchange:
	   554 5.7.3 */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(STARTTLS), { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 554, { 0 }, NULL, AT(STARTTLS), { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(STARTTLS), { NULL }, CAUSE_MECHANISM_UNSUPPORTED },

	/* AUTH: temporary forms first. RFC 4954 4.7: 454; Exim: 435 */
	{ REPLY_SMTP, 4, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 5, { 4 }, NULL, AT(AUTH), { NULL }, CAUSE_BACKEND_ERROR },
	/* Encryption first. RFC 4954 6: 538; RFC 3207 4: 530; RFC 5248, Dovecot: 523 5.7.10 */
	{ REPLY_SMTP, 523, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_TLS_REQUIRED },
	{ REPLY_SMTP, 530, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_TLS_REQUIRED },
	{ REPLY_SMTP, 538, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_TLS_REQUIRED },
	{ REPLY_SMTP, 5, { 5, 7, 10 }, NULL, AT(AUTH), { NULL }, CAUSE_TLS_REQUIRED },
	{ REPLY_SMTP, 5, { 5, 7, 11 }, NULL, AT(AUTH), { NULL }, CAUSE_TLS_REQUIRED },
	/* RFC 5248: user account disabled. Dovecot: 525 5.7.13 */
	{ REPLY_SMTP, 525, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_ACCOUNT_SUSPENDED },
	{ REPLY_SMTP, 5, { 5, 7, 13 }, NULL, AT(AUTH), { NULL }, CAUSE_ACCOUNT_SUSPENDED },
	/* Gmail: 534 5.7.9 Application-specific password required; 534 5.7.14 Please log in via
	   your web browser */
	{ REPLY_SMTP, 534, { 0 }, NULL, AT(AUTH), { "application-specific password" },
		CAUSE_APP_PASSWORD_REQUIRED },
	{ REPLY_SMTP, 534, { 5, 7, 14 }, NULL, AT(AUTH), { NULL }, CAUSE_WEB_LOGIN_REQUIRED },
	/* RFC 4954 6: authentication mechanism is too weak */
	{ REPLY_SMTP, 534, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_MECHANISM_UNSUPPORTED },
	/* Microsoft 365: 535 5.7.139 … SmtpClientAuthentication is disabled; 550 5.7.30 Basic
	 * authentication is not supported */
	{ REPLY_SMTP, 535, { 5, 7, 139 }, NULL, AT(AUTH),
		{ "SmtpClientAuthentication is disabled" }, CAUSE_PROTOCOL_DISABLED },
	{ REPLY_SMTP, 5, { 5, 7, 30 }, NULL, AT(AUTH), { NULL }, CAUSE_OAUTH_REQUIRED },
	/* hMailServer: 535 Authentication failed. Too many invalid logon attempts. */
	{ REPLY_SMTP, 535, { 0 }, NULL, AT(AUTH), { "too many" }, CAUSE_ACCOUNT_LOCKED },
	{ REPLY_SMTP, 535, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_BAD_CREDENTIALS },
	{ REPLY_SMTP, 5, { 5, 7, 8 }, NULL, AT(AUTH), { NULL }, CAUSE_BAD_CREDENTIALS },
	/* Postfix: 503 5.5.1 authentication not enabled; RFC 4954 4: 504 */
	{ REPLY_SMTP, 502, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_AUTH_NOT_OFFERED },
	{ REPLY_SMTP, 503, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_AUTH_NOT_OFFERED },
	{ REPLY_SMTP, 504, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_MECHANISM_UNSUPPORTED },
	{ REPLY_SMTP, 500, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 501, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_POLICY_BLOCKED },

	/* The envelope. RFC 5321 4.2.3 */
	{ REPLY_SMTP, 530, { 0 }, NULL, ENVELOPE, { NULL }, CAUSE_AUTH_NOT_OFFERED },
	{ REPLY_SMTP, 503, { 0 }, NULL, ENVELOPE, { NULL }, CAUSE_PROTOCOL_ERROR },
	{ REPLY_SMTP, 4, { 4, 2, 2 }, NULL, AT(RCPT) | AT(DATA), { NULL }, CAUSE_OVER_QUOTA },
	{ REPLY_SMTP, 552, { 0 }, NULL, AT(RCPT) | AT(DATA), { NULL }, CAUSE_OVER_QUOTA },
	{ REPLY_SMTP, 450, { 0 }, NULL, AT(RCPT), { NULL }, CAUSE_GREYLISTED },
	{ REPLY_SMTP, 451, { 0 }, NULL, AT(RCPT), { NULL }, CAUSE_GREYLISTED },
	{ REPLY_SMTP, 4, { 0 }, NULL, ENVELOPE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 5, { 4 }, NULL, ENVELOPE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(MAIL), { NULL }, CAUSE_SENDER_REJECTED },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(RCPT), { NULL }, CAUSE_RECIPIENT_REJECTED },
	{ REPLY_SMTP, 5, { 0 }, NULL, AT(DATA), { NULL }, CAUSE_POLICY_BLOCKED },

	/* NOOP, and wherever else */
	{ REPLY_SMTP, 4, { 0 }, NULL, ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 5, { 4 }, NULL, ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_SMTP, 0, { 0 }, NULL, ANYWHERE, { NULL }, CAUSE_PROTOCOL_ERROR },
};

static const struct reply_row imap_rows[] = {
	/* The server leaves. Dovecot: Connection queue full; Exchange, MDaemon: … failed too many
	   times */
	{ REPLY_BYE, 0, { 0 }, "REFERRAL", ANYWHERE, { NULL }, CAUSE_AUTH_NOT_OFFERED },
	{ REPLY_BYE, 0, { 0 }, "UNAVAILABLE", ANYWHERE, { NULL }, CAUSE_SERVER_UNAVAILABLE },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "too many", "connections" },
		CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "too many open" }, CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "queue full" }, CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "connection rate" }, CAUSE_RATE_LIMITED },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "rate limit" }, CAUSE_RATE_LIMITED },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "throttl" }, CAUSE_RATE_LIMITED },
	{ REPLY_BYE, 0, { 0 }, NULL, AT(AUTH), { "too many times" }, CAUSE_ACCOUNT_LOCKED },
	{ REPLY_BYE, 0, { 0 }, NULL, AT(AUTH), { "too many", "attempts" }, CAUSE_ACCOUNT_LOCKED },
	{ REPLY_BYE, 0, { 0 }, NULL, AT(AUTH), { "too many", "fail" }, CAUSE_ACCOUNT_LOCKED },
	{ REPLY_BYE, 0, { 0 }, NULL, AT(AUTH), { "locked" }, CAUSE_ACCOUNT_LOCKED },
	/* Courier: IMAP access disabled via insecure connection.; Temporary problem, please try
	   again later */
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "insecure connection" }, CAUSE_TLS_REQUIRED },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { "temporary problem" }, CAUSE_BACKEND_ERROR },
	{ REPLY_BYE, 0, { 0 }, NULL, ANYWHERE, { NULL }, CAUSE_SERVER_UNAVAILABLE },

	/* Response codes (RFC 5530 3). Dovecot: [LIMIT] Maximum number of connections … exceeded */
	{ REPLY_NO, 0, { 0 }, "UNAVAILABLE", ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, "INUSE", ANYWHERE, { NULL }, CAUSE_SERVER_UNAVAILABLE },
	{ REPLY_NO, 0, { 0 }, "LIMIT", ANYWHERE, { "connections" }, CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_NO, 0, { 0 }, "LIMIT", ANYWHERE, { NULL }, CAUSE_RATE_LIMITED },
	{ REPLY_NO, 0, { 0 }, "SERVERBUG", ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, "CORRUPTION", ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, "CONTACTADMIN", AT(AUTH), { NULL }, CAUSE_ACCOUNT_SUSPENDED },
	{ REPLY_NO, 0, { 0 }, "CONTACTADMIN", ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, "OVERQUOTA", ANYWHERE, { NULL }, CAUSE_OVER_QUOTA },
	{ REPLY_NO, 0, { 0 }, "PRIVACYREQUIRED", ANYWHERE, { NULL }, CAUSE_TLS_REQUIRED },
	{ REPLY_NO, 0, { 0 }, "CLIENTBUG", ANYWHERE, { NULL }, CAUSE_PROTOCOL_ERROR },
	/* Not of the RFC: WildDuck */
	{ REPLY_NO, 0, { 0 }, "TEMPFAIL", ANYWHERE, { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, "RATELIMITEDERROR", ANYWHERE, { NULL }, CAUSE_RATE_LIMITED },
	{ REPLY_NO, 0, { 0 }, "REFERRAL", AT(AUTH), { NULL }, CAUSE_AUTH_NOT_OFFERED },

	{ REPLY_NO, 0, { 0 }, "EXPIRED", AT(AUTH), { NULL }, CAUSE_PASSWORD_EXPIRED },
	{ REPLY_NO, 0, { 0 }, "AUTHENTICATIONFAILED", AT(AUTH), { NULL }, CAUSE_BAD_CREDENTIALS },
	{ REPLY_NO, 0, { 0 }, "AUTHORIZATIONFAILED", AT(AUTH), { NULL }, CAUSE_POLICY_BLOCKED },
	{ REPLY_NO, 0, { 0 }, "NOPERM", AT(AUTH), { NULL }, CAUSE_POLICY_BLOCKED },
	/* Gmail: [ALERT] Too many simultaneous connections; [ALERT] Application-specific password
	   required */
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "too many", "connections" },
		CAUSE_TOO_MANY_CONNECTIONS },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "application-specific password" },
		CAUSE_APP_PASSWORD_REQUIRED },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "via your web browser" },
		CAUSE_WEB_LOGIN_REQUIRED },
	{ REPLY_NO, 0, { 0 }, NULL, ANYWHERE, { "Backoff Time" }, CAUSE_RATE_LIMITED },
	{ REPLY_NO, 0, { 0 }, NULL, ANYWHERE, { "rate limit" }, CAUSE_RATE_LIMITED },
	{ REPLY_NO, 0, { 0 }, NULL, ANYWHERE, { "throttl" }, CAUSE_RATE_LIMITED },
	/* Contract 7: a ban, a lock or a temporary refusal is never called a wrong password. SASL
	 * libraries: remote authentication server unavailable; passphrase locked; COUNTRY IS
	 * BLACKLISTED */
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "server unavailable" }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "temporar" }, CAUSE_BACKEND_ERROR },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "locked" }, CAUSE_ACCOUNT_LOCKED },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "blacklisted" }, CAUSE_IP_BLOCKED },
	/* Cyrus: Login only available under a layer */
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { "under a layer" }, CAUSE_TLS_REQUIRED },
	{ REPLY_NO, 0, { 0 }, NULL, AT(AUTH), { NULL }, CAUSE_BAD_CREDENTIALS },

	{ REPLY_NO, 0, { 0 }, NULL, AT(STARTTLS), { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_BAD, 0, { 0 }, NULL, AT(STARTTLS), { NULL }, CAUSE_MECHANISM_UNSUPPORTED },

	{ REPLY_NO, 0, { 0 }, "NOPERM", AT(SELECT), { NULL }, CAUSE_FOLDER_DENIED },
	{ REPLY_NO, 0, { 0 }, "NONEXISTENT", AT(SELECT), { NULL }, CAUSE_FOLDER_MISSING },
	{ REPLY_NO, 0, { 0 }, "CANNOT", AT(SELECT), { NULL }, CAUSE_FOLDER_MISSING },
	/* Dovecot, Courier: no code for a folder that is not there */
	{ REPLY_NO, 0, { 0 }, NULL, AT(SELECT), { NULL }, CAUSE_FOLDER_MISSING },
	{ REPLY_NO, 0, { 0 }, NULL, AT(NOOP), { NULL }, CAUSE_BACKEND_ERROR },
	{ REPLY_NONE, 0, { 0 }, NULL, ANYWHERE, { NULL }, CAUSE_PROTOCOL_ERROR },
};

/* `want` of a row: 0 any, 4 and 5 that class, else the code. */
static bool
code_fits(int want, int code)
{
	if (want == 0)
		return true;
	return want < 10 ? code / 100 == want : code == want;
}

static bool
enhanced_fits(const int want[3], const int enhanced[3])
{
	if (want[0] == 0)
		return true;
	if (want[0] != enhanced[0])
		return false;
	return (want[1] == 0 && want[2] == 0) || (want[1] == enhanced[1] && want[2] == enhanced[2]);
}

/* Does text have these words, at the start of a word? Not in a host name or an id: "blocked",
 * "x-locked". */
static bool
has_words(struct bytes text, struct bytes words)
{
	for (size_t i = 0; i + words.len <= text.len; i++) {
		char before = i > 0 ? text.at[i - 1] : ' ';

		if (!byte_is_letter(before) && !byte_is_digit(before) && before != '-' &&
			before != '.' && before != '_' &&
			bytes_starts_nocase(bytes_from(text, i), words))
			return true;
	}
	return false;
}

static bool
words_fit(const char *const words[MOST_WORDS], const char *text)
{
	for (size_t i = 0; i < MOST_WORDS && words[i]; i++) {
		if (!has_words(bytes_of(text), bytes_of(words[i])))
			return false;
	}
	return true;
}

static bool
row_fits(const struct reply_row *row, const struct server_reply *reply, enum stage stage)
{
	return (row->status == REPLY_NONE || row->status == reply->status) &&
	       (row->stages >> stage & 1) && code_fits(row->code, reply->code) &&
	       enhanced_fits(row->enhanced, reply->enhanced) &&
	       (!row->response_code ||
		       bytes_equal(bytes_of(row->response_code), bytes_of(reply->response_code))) &&
	       words_fit(row->words, reply->text);
}

static enum cause
find_cause(const struct reply_row *rows, size_t count, const struct server_reply *reply,
	enum stage stage)
{
	for (size_t i = 0; i < count; i++) {
		if (row_fits(&rows[i], reply, stage))
			return rows[i].cause;
	}
	return CAUSE_PROTOCOL_ERROR;
}

/* A BYE beside the tagged reply wins where it names a lock or a limit (H2-23). */
static enum cause
cause_of_bye(const struct finding *finding, enum cause cause)
{
	struct server_reply bye = { .status = REPLY_BYE, .text = finding->reply.alert };
	enum cause of_bye = find_cause(imap_rows, COUNT_OF(imap_rows), &bye, finding->stage);

	switch (of_bye) {
	case CAUSE_ACCOUNT_LOCKED:
	case CAUSE_RATE_LIMITED:
	case CAUSE_TOO_MANY_CONNECTIONS:
		return of_bye;
	default:
		return cause;
	}
}

bool
reply_is_temporary(const struct server_reply *reply)
{
	return reply->status == REPLY_SMTP && (reply->code / 100 == 4 || reply->enhanced[0] == 4);
}

enum cause
reply_cause(const struct finding *finding)
{
	const struct server_reply *reply = &finding->reply;
	enum cause cause;

	if (reply->status == REPLY_SMTP) {
		cause = find_cause(smtp_rows, COUNT_OF(smtp_rows), reply, finding->stage);
	} else {
		cause = find_cause(imap_rows, COUNT_OF(imap_rows), reply, finding->stage);
		if (reply->alert && reply->status != REPLY_BYE)
			cause = cause_of_bye(finding, cause);
	}
	/* Nobody can have judged a secret that was not sent (H1-12, H2-29). */
	if (finding->stage == STAGE_AUTH && cause_has(cause, CAUSE_REFUSED) &&
		!finding->is_secret_sent)
		return CAUSE_PROTOCOL_ERROR;
	return cause;
}
