/*
 * diagnose.c: from what happened to why. Layer: diagnose, pure.
 * Not here: what a reply means (reply_cause.c), what people are told (words.c).
 */
#include "diagnose/diagnose.h"

#include "diagnose/advice.h"
#include "diagnose/folder_guess.h"
#include "diagnose/reply_cause.h"

#include <stdio.h>
#include <stdlib.h>

#define SMTP_RELAY_PORT 25
/* causes.md, mark W; H7-23 */
#define MOST_WAIT_US (6 * US_PER_H)

/* What a finding means where no reply has to be read; REFUSED is reply_meaning()'s. */
static const enum cause finding_causes[FINDING_COUNT] = {
	[FINDING_DONE] = CAUSE_OK,
	[FINDING_REFUSED] = CAUSE_COUNT,
	[FINDING_BROKEN] = CAUSE_PROTOCOL_ERROR,
	[FINDING_TOO_LONG] = CAUSE_PROTOCOL_ERROR,
	[FINDING_UNASKED] = CAUSE_PROTOCOL_ERROR,
	[FINDING_STARTTLS_MISSING] = CAUSE_STARTTLS_MISSING,
	[FINDING_STARTTLS_INJECTED] = CAUSE_STARTTLS_TAMPERED,
	[FINDING_PREAUTH_CLEAR] = CAUSE_STARTTLS_MISSING,
	[FINDING_LOGIN_IN_CLEAR] = CAUSE_TLS_REQUIRED,
	[FINDING_LOGIN_NOT_OFFERED] = CAUSE_AUTH_NOT_OFFERED,
	[FINDING_NO_MECHANISM] = CAUSE_MECHANISM_UNSUPPORTED,
	[FINDING_SECRET_UNFIT] = CAUSE_CONFIG_INVALID,
	[FINDING_SECRET_UNREADABLE] = CAUSE_SECRET_UNAVAILABLE,
	[FINDING_HELD] = CAUSE_OK,
	[FINDING_OTHER_PROTOCOL] = CAUSE_WRONG_PROTOCOL,
	[FINDING_TLS_BYTES] = CAUSE_TLS_MODE,
	[FINDING_CLOSED] = CAUSE_CONNECTION_LOST,
	[FINDING_TIMEOUT] = CAUSE_REPLY_TIMEOUT,
	[FINDING_NOT_DELIVERED] = CAUSE_DELIVERY_LOST,
	[FINDING_NO_MEMORY] = CAUSE_LOCAL_LIMIT,
};

static bool
has_capability(const struct finding *finding, struct bytes name)
{
	for (size_t i = 0; i < finding->capabilities.count; i++) {
		if (bytes_equal_nocase(bytes_of(finding->capabilities.items[i]), name))
			return true;
	}
	return false;
}

static struct reply_meaning
meaning_of(const struct endpoint *endpoint, const struct finding *finding)
{
	enum cause cause = finding_causes[finding->kind];

	if (finding->kind == FINDING_REFUSED)
		return reply_meaning(endpoint, finding);
	/* A reply of a wrong class may say in words what is wrong. */
	if (finding->kind == FINDING_BROKEN && finding->reply.status == REPLY_SMTP) {
		struct reply_meaning meaning = reply_meaning(endpoint, finding);

		if (meaning.rule && meaning.rule->words)
			return meaning;
	}
	/* LOGINDISABLED beside STARTTLS, in clear: not "no login here" but "TLS first". */
	if (finding->kind == FINDING_LOGIN_NOT_OFFERED && !finding->is_under_tls &&
		has_capability(finding, BYTES("STARTTLS")))
		cause = CAUSE_TLS_REQUIRED;
	return (struct reply_meaning){ cause, cause_has(cause, CAUSE_TRANSIENT), NULL };
}

/* A temporary refusal judged nothing, whatever it names (causes.md: the reply decides the mark). */
static enum login
login_of(const struct finding *finding, enum cause cause)
{
	if (finding->kind == FINDING_HELD)
		return LOGIN_HELD;
	if (finding->is_login_done)
		return LOGIN_ACCEPTED;
	if (!finding->is_secret_sent && !finding->is_name_sent)
		return LOGIN_NOT_SENT;
	if (finding->stage == STAGE_AUTH && finding->kind == FINDING_REFUSED &&
		cause_has(cause, CAUSE_REFUSED) && !reply_is_temporary(&finding->reply))
		return LOGIN_REFUSED;
	return LOGIN_UNJUDGED;
}

/* --- what the detail says --- */

/* The host in "imap://user;AUTH=*@host/…" (RFC 5092); empty where none. */
static struct bytes
host_of_referral(struct bytes url)
{
	size_t start = 0;
	struct bytes host;

	for (size_t i = 0; i + 2 < url.len; i++) {
		if (memcmp(url.at + i, "://", 3) == 0) {
			start = i + 3;
			break;
		}
	}
	host = bytes_from(url, start);
	host = bytes_first(host, bytes_index(host, '/'));
	for (size_t at; (at = bytes_index(host, '@')) < host.len;)
		host = bytes_from(host, at + 1);
	return host;
}

#define MOST_FOLDERS_SHOWN 10
#define MOST_SHOWN_BYTES ((size_t)400)

static void
put_listed(struct buf *out, const struct folders *folders)
{
	size_t i = 0;

	buf_put_string(out, "the server lists ");
	for (; i < folders->count && i < MOST_FOLDERS_SHOWN && out->len < MOST_SHOWN_BYTES; i++)
		buf_put_format(out, "%s\"%s\"", i > 0 ? ", " : "", folders->items[i].name);
	if (i < folders->count)
		buf_put_format(out, " and %zu more", folders->count - i);
}

/* The folder is missing: what the list says of it. */
static void
say_folders(const struct endpoint *endpoint, const struct finding *finding, struct verdict *verdict)
{
	struct bytes wanted = bytes_of(endpoint->folder);
	const struct folders *folders = &finding->folders;
	const struct folder *listed = folder_find(wanted, folders);
	const struct folder *guess = folder_guess(wanted, folders);
	struct buf text = { 0 };

	if (verdict->cause != CAUSE_FOLDER_MISSING || folders->count == 0)
		return;
	if (listed && listed->is_container)
		buf_put_string(&text, "this one holds folders alone, no mail; ");
	else if (listed)
		buf_put_string(&text, "it is listed, and does not open; ");
	if (guess) {
		verdict_suggest(verdict, "mailbox", guess->name);
		buf_put_format(&text, "likely meant: \"%s\"", guess->name);
	} else {
		put_listed(&text, folders);
	}
	if (buf_err(&text) == ERR_OK)
		verdict_detail(verdict, "%s", text.at);
	buf_done(&text);
}

static void
say_detail(const struct endpoint *endpoint, const struct finding *finding, struct verdict *verdict)
{
	const struct server_reply *reply = &finding->reply;

	if (verdict->cause == CAUSE_WRONG_PROTOCOL && finding->detail) {
		verdict->answers = protocol_of_name(finding->detail);
		verdict_detail(verdict, "%s answers at port %u", finding->detail, endpoint->port);
	} else if (finding->detail) {
		verdict_detail(verdict, "%s", finding->detail);
	} else if (reply->response_code && strcmp(reply->response_code, "REFERRAL") == 0) {
		struct bytes host = host_of_referral(bytes_of(reply->code_argument));

		verdict_detail(verdict,
			"the server refers to another one, which is not followed: %.*s",
			BYTES_ARG(host));
	} else if (finding->kind == FINDING_LOGIN_IN_CLEAR) {
		verdict_detail(verdict, "no secret is sent without TLS; insecure_auth is not set");
	} else if (finding->kind == FINDING_PREAUTH_CLEAR) {
		verdict_detail(
			verdict, "the server greets as logged in already (PREAUTH), in clear");
	} else if (finding->kind == FINDING_STARTTLS_INJECTED) {
		verdict_detail(verdict, "bytes came behind the reply to STARTTLS, before TLS");
	} else if (finding->kind == FINDING_TLS_BYTES) {
		verdict_detail(verdict, "the server begins with a TLS record");
	} else if (verdict->cause == CAUSE_POLICY_BLOCKED && finding->stage == STAGE_CAPABILITY) {
		verdict_detail(
			verdict, "the server refuses our EHLO name; it is set by daemon.helo_name");
	}
}

static void
suggest_security(const struct endpoint *endpoint, enum security security, struct verdict *verdict)
{
	char number[8];

	verdict_suggest(verdict, "security", security_name(security));
	if (endpoint->port == port_of_security(endpoint->side, security))
		return;
	snprintf(
		number, sizeof(number), "%u", (unsigned)port_of_security(endpoint->side, security));
	verdict_suggest(verdict, "port", number);
}

/* No login here: TLS first, where it is to be had at this port; else the port that is made for
 * logins. Many servers offer none at 25, where mail of others comes in (RFC 8314 3). */
static void
suggest_login(
	const struct endpoint *endpoint, const struct finding *finding, struct verdict *verdict)
{
	if (!finding->is_under_tls && has_capability(finding, BYTES("STARTTLS")))
		verdict_suggest(verdict, "security", security_name(SECURITY_STARTTLS));
	else if (!finding->is_under_tls)
		suggest_security(endpoint, SECURITY_TLS, verdict);
	else if (endpoint->side == SIDE_SMTP && endpoint->port == SMTP_RELAY_PORT)
		suggest_security(endpoint, SECURITY_STARTTLS, verdict);
}

static void
say_suggestion(
	const struct endpoint *endpoint, const struct finding *finding, struct verdict *verdict)
{
	if (finding->kind == FINDING_TLS_BYTES)
		verdict_suggest(verdict, "security", security_name(SECURITY_TLS));
	else if (verdict->cause == CAUSE_AUTH_NOT_OFFERED || verdict->cause == CAUSE_TLS_REQUIRED)
		suggest_login(endpoint, finding, verdict);
}

/* A mechanism that was set may be why the login was refused (H2-38). */
static void
say_mechanism(
	const struct endpoint *endpoint, const struct finding *finding, struct verdict *verdict)
{
	if (verdict->login == LOGIN_REFUSED && endpoint->mechanism != MECHANISM_AUTO &&
		finding->automatic != MECHANISM_NONE && finding->automatic != finding->used)
		verdict_note(verdict, "auth = \"%s\" is set; auth = \"auto\" would take %s",
			mechanism_name(endpoint->mechanism), mechanism_name(finding->automatic));
}

static void
move_texts(struct texts *to, struct texts *from)
{
	texts_done(to);
	*to = *from;
	*from = (struct texts){ 0 };
}

/* Notes that the verdict has already (of TLS, say) stay in front. */
static void
move_notes(struct verdict *verdict, struct finding *finding)
{
	for (size_t i = 0; i < finding->notes.count; i++)
		verdict_note(verdict, "%s", finding->notes.items[i]);
	texts_done(&finding->notes);
}

void
diagnose_finding(const struct endpoint *endpoint, struct finding *finding, struct verdict *verdict)
{
	const struct reply_meaning meaning = meaning_of(endpoint, finding);
	enum cause cause = meaning.cause;

	verdict->is_ok = cause == CAUSE_OK && finding->kind == FINDING_DONE;
	verdict->stage = finding->stage;
	verdict->cause = cause;
	verdict->login = login_of(finding, cause);
	verdict->is_transient = meaning.is_transient;
	verdict->wait_us =
		cause_has(cause, CAUSE_WAIT) ? diagnose_wait_us(bytes_of(finding->reply.text)) : 0;
	say_detail(endpoint, finding, verdict);
	say_folders(endpoint, finding, verdict);
	say_suggestion(endpoint, finding, verdict);
	say_mechanism(endpoint, finding, verdict);
	advise(endpoint, bytes_of(finding->greeting), verdict);
	move_texts(&verdict->capabilities, &finding->capabilities);
	move_notes(verdict, finding);
	if (verdict->is_ok)
		texts_done(&finding->reply.lines);
	move_texts(&verdict->reply, &finding->reply.lines);
	finding_done(finding);
}

void
diagnose_cause(struct verdict *verdict, enum stage stage, enum cause cause)
{
	verdict->is_ok = cause == CAUSE_OK;
	verdict->stage = stage;
	verdict->cause = cause;
	verdict->is_transient = cause_has(cause, CAUSE_TRANSIENT);
	if (stage == STAGE_SECRET && cause_has(cause, CAUSE_REFUSED))
		verdict->login = LOGIN_REFUSED;
}

/* --- how long the server asks us to wait --- */

static int64_t
unit_us(struct bytes word)
{
	static const struct {
		const char *word;
		int64_t us;
	} units[] = {
		{ "ms", US_PER_MS },
		{ "msec", US_PER_MS },
		{ "millisecond", US_PER_MS },
		{ "s", US_PER_S },
		{ "sec", US_PER_S },
		{ "second", US_PER_S },
		{ "m", US_PER_M },
		{ "min", US_PER_M },
		{ "minute", US_PER_M },
		{ "h", US_PER_H },
		{ "hr", US_PER_H },
		{ "hour", US_PER_H },
		{ "d", US_PER_D },
		{ "day", US_PER_D },
	};

	for (size_t i = 0; i < COUNT_OF(units); i++) {
		struct bytes unit = bytes_of(units[i].word);

		if (bytes_equal_nocase(word, unit) ||
			(unit.len > 1 && word.len == unit.len + 1 &&
				byte_lower(word.at[unit.len]) == 's' &&
				bytes_starts_nocase(word, unit)))
			return units[i].us;
	}
	return 0;
}

static struct bytes
letters_of(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && byte_is_letter(text.at[len]))
		len++;
	return bytes_first(text, len);
}

/* A number and its unit at the start of text, in microseconds, capped; 0: none. *len: how many
 * digits. */
static int64_t
span_at(struct bytes text, size_t *len)
{
	uint64_t number = 0;
	int64_t unit;

	for (*len = 0; *len < text.len && byte_is_digit(text.at[*len]); ++*len)
		;
	unit = unit_us(letters_of(bytes_trim(bytes_from(text, *len))));
	if (unit == 0)
		return 0;
	if (bytes_to_number(bytes_first(text, *len), (uint64_t)(MOST_WAIT_US / unit), &number) !=
		ERR_OK)
		return MOST_WAIT_US;
	return (int64_t)number * unit;
}

int64_t
diagnose_wait_us(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		size_t len = 0;
		int64_t us;

		if (!byte_is_digit(text.at[i]))
			continue;
		us = span_at(bytes_from(text, i), &len);
		/* Not the tail of something else: an id, a fraction, a negative number. */
		if (us > 0 && (i == 0 || text.at[i - 1] == ' ' || text.at[i - 1] == '(' ||
				      text.at[i - 1] == ':' || text.at[i - 1] == '='))
			return us;
		i += len - 1;
	}
	return 0;
}
