/*
 * imap.c: an IMAP session from the greeting to LOGOUT (RFC 9051, 3501; 2971, 4959, 7888). Layer:
 * dialogue, pure. Not here: how bytes become responses (imap_response.c), what a refusal means
 * (diagnose/).
 *
 * One command is in hand at a time, and only its tag answers it. Untagged data may come at any
 * moment and is passed over, but for CAPABILITY; a BYE is remembered and judged together with what
 * follows it (H2-23).
 */
#include "dialogue/dialogue_private.h"
#include "dialogue/imap_response.h"
#include "dialogue/utf7.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 7162 4: servers should take command lines of 8,192 bytes. A longer early response waits for
 * "+". */
#define IMAP_MOST_COMMAND_BYTES 8192
/* RFC 7888 5: without LITERAL+, LITERAL- allows unasked literals up to this. */
#define IMAP_MOST_LITERAL_MINUS_BYTES 4096
/* Untagged lines kept beside the tagged one; what a verdict shows of them is less still. */
#define IMAP_MOST_BESIDE_BYTES ((size_t)16 * 1024)

enum imap_state {
	IMAP_GREETING,
	IMAP_CAPABILITY,
	IMAP_STARTTLS,
	IMAP_ID_UNKNOWN,   /* ID where no login comes */
	IMAP_ASK_LOGIN,	   /* the owner is asked for the secret */
	IMAP_AUTHENTICATE, /* the command, or its SASL exchange */
	IMAP_LOGIN,	   /* the command, or its literals */
	IMAP_ID,
	IMAP_SELECT,
	IMAP_NOOP,
	IMAP_STATE_COUNT
};

struct imap {
	struct dialogue base;
	enum imap_state state;
	struct imap_reader reader;
	unsigned tags; /* how many were given out */
	char tag[16];  /* of the command in hand; "" before the first */
	bool is_greeted;
	bool is_preauth;
	/* What the server says that it can. */
	bool has_capabilities;
	bool is_capability_asked;
	bool has_starttls;
	bool has_logindisabled;
	bool has_sasl_ir;
	bool has_literal_plus;
	bool has_literal_minus;
	bool has_id;
	struct sasl_offer offer;
	/* The login. */
	bool is_by_command; /* LOGIN, not AUTHENTICATE */
	struct sasl sasl;
	size_t arguments_said; /* of LOGIN's two */
	bool is_literal_due;   /* "{n}" was said for the next one: its bytes wait for "+" */
	bool is_star_due;      /* the server waits for a response that we have not */
	/* Untagged status responses since the last command, joined by LF. */
	struct buf beside;
	bool has_bye;
	struct server_reply bye;
};

typedef void imap_on_enter(struct imap *d);
typedef void imap_on_done(struct imap *d, const struct imap_response *response);

static imap_on_enter say_capability, say_starttls, say_id, ask_login, say_authenticate, say_login,
	say_select, say_noop;
static imap_on_done on_capability, on_starttls, on_id_unknown, on_login, on_id, on_select, on_noop;

static const struct imap_row {
	enum stage stage; /* what this place is called outside */
	imap_on_enter *on_enter;
	imap_on_done *on_done; /* the tagged response */
} imap_rows[IMAP_STATE_COUNT] = {
	[IMAP_GREETING] = { STAGE_GREETING, NULL, NULL },
	[IMAP_CAPABILITY] = { STAGE_CAPABILITY, say_capability, on_capability },
	[IMAP_STARTTLS] = { STAGE_STARTTLS, say_starttls, on_starttls },
	[IMAP_ID_UNKNOWN] = { STAGE_CAPABILITY, say_id, on_id_unknown },
	[IMAP_ASK_LOGIN] = { STAGE_AUTH, ask_login, NULL },
	[IMAP_AUTHENTICATE] = { STAGE_AUTH, say_authenticate, on_login },
	[IMAP_LOGIN] = { STAGE_AUTH, say_login, on_login },
	[IMAP_ID] = { STAGE_SELECT, say_id, on_id },
	[IMAP_SELECT] = { STAGE_SELECT, say_select, on_select },
	[IMAP_NOOP] = { STAGE_NOOP, say_noop, on_noop },
};

static struct imap *
imap_of(struct dialogue *dialogue)
{
	return (struct imap *)(void *)((char *)dialogue - offsetof(struct imap, base));
}

static void
enter(struct imap *d, enum imap_state state)
{
	d->state = state;
	d->base.stage = imap_rows[state].stage;
	if (imap_rows[state].on_enter)
		imap_rows[state].on_enter(d);
}

/* --- ends --- */

static void
end(struct imap *d, enum finding_kind kind)
{
	dialogue_end(&d->base, kind, dialogue_reply_stage(&d->base), GOODBYE_SAID);
}

/* Response codes are compared and shown in upper case (RFC 5530 3). */
static void
keep_code(struct dialogue *dialogue, char **out, struct bytes code)
{
	if (code.len == 0)
		return;
	dialogue_keep_text(dialogue, out, code);
	for (char *at = *out; at && *at; at++)
		*at = byte_upper(*at);
}

static void
fill_reply(struct imap *d, struct server_reply *reply, const struct imap_response *response)
{
	reply->status = response->status;
	keep_code(&d->base, &reply->response_code, response->code);
	if (response->code_argument.len > 0)
		dialogue_keep_text(&d->base, &reply->code_argument, response->code_argument);
	dialogue_keep_text(&d->base, &reply->text, response->text);
}

/* The tag is ours and says nothing: a tagged line is kept without it. */
static void
keep_reply(struct imap *d, const struct imap_response *response)
{
	struct bytes line = response->line;

	fill_reply(d, &d->base.finding.reply, response);
	dialogue_keep_lines(&d->base, buf_bytes(&d->beside));
	if (response->kind == IMAP_TAGGED)
		(void)bytes_next_word(&line);
	dialogue_keep_lines(&d->base, bytes_trim(line));
}

static void
end_refused(struct imap *d, const struct imap_response *response)
{
	keep_reply(d, response);
	end(d, FINDING_REFUSED);
}

static void
end_broken(struct imap *d, const struct imap_response *response, const char *why)
{
	keep_reply(d, response);
	finding_detail(&d->base.finding, "%s", why);
	end(d, FINDING_BROKEN);
}

/* The BYE that was remembered decides. */
static void
end_leaving(struct imap *d)
{
	server_reply_done(&d->base.finding.reply);
	d->base.finding.reply = d->bye;
	d->bye = (struct server_reply){ 0 };
	d->has_bye = false;
	dialogue_keep_lines(&d->base, buf_bytes(&d->beside));
	dialogue_end(&d->base, FINDING_REFUSED, dialogue_reply_stage(&d->base), GOODBYE_NONE);
}

static void
end_other_protocol(struct imap *d, const char *name)
{
	finding_detail(&d->base.finding, "%s", name);
	dialogue_end(&d->base, FINDING_OTHER_PROTOCOL, STAGE_GREETING, GOODBYE_NONE);
}

/* --- commands --- */

/* Begins a command: a new tag, and nothing remembered of the one before. */
static void
put_tag(struct imap *d, struct buf *line)
{
	d->tags++;
	snprintf(d->tag, sizeof(d->tag), "a%u", d->tags);
	buf_clear(&d->beside);
	buf_put_format(line, "%s ", d->tag);
}

static void
say(struct imap *d, const char *command)
{
	struct buf line = { 0 };

	put_tag(d, &line);
	buf_put_string(&line, command);
	if (buf_err(&line) == ERR_OK)
		dialogue_say(&d->base, buf_bytes(&line));
	else
		d->base.is_failed = true;
	buf_done(&line);
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE: 7 bit, no CR, LF, NUL (RFC 3501 9). */
static bool
is_quotable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];

		if ((byte & 0x80) || byte == '\0' || byte == '\r' || byte == '\n')
			return false;
	}
	return true;
}

static void
put_quoted(struct buf *line, struct bytes text)
{
	buf_put_byte(line, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '"' || text.at[i] == '\\')
			buf_put_byte(line, '\\');
		buf_put_byte(line, text.at[i]);
	}
	buf_put_byte(line, '"');
}

/* An atom where the name is plainly one, else quoted. */
static void
put_folder(struct buf *line, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		char byte = name.at[i];

		if (!byte_is_letter(byte) && !byte_is_digit(byte) && byte != '.' && byte != '/' &&
			byte != '-' && byte != '_') {
			put_quoted(line, name);
			return;
		}
	}
	if (name.len > 0)
		buf_put(line, name);
	else
		put_quoted(line, name);
}

/* --- capabilities --- */

static void
forget_capabilities(struct imap *d)
{
	d->has_capabilities = false;
	d->has_starttls = false;
	d->has_logindisabled = false;
	d->has_sasl_ir = false;
	d->has_literal_plus = false;
	d->has_literal_minus = false;
	d->has_id = false;
	d->offer = (struct sasl_offer){ 0 };
	texts_done(&d->base.finding.capabilities);
}

/* capability-data: words; a new list takes the place of the old one (RFC 9051 7.2.2). */
static void
read_capabilities(struct imap *d, struct bytes words)
{
	struct {
		struct bytes word;
		bool *flag;
	} known[] = {
		{ BYTES("STARTTLS"), &d->has_starttls },
		{ BYTES("LOGINDISABLED"), &d->has_logindisabled },
		{ BYTES("SASL-IR"), &d->has_sasl_ir },
		{ BYTES("LITERAL+"), &d->has_literal_plus },
		{ BYTES("LITERAL-"), &d->has_literal_minus },
		{ BYTES("ID"), &d->has_id },
	};

	forget_capabilities(d);
	d->has_capabilities = true;
	while (words.len > 0) {
		struct bytes word = bytes_next_word(&words);

		dialogue_keep_capability(&d->base, word);
		if (bytes_starts_nocase(word, BYTES("AUTH=")))
			sasl_offer_put(&d->offer, bytes_from(word, 5));
		for (size_t i = 0; i < COUNT_OF(known); i++) {
			if (bytes_equal_nocase(word, known[i].word))
				*known[i].flag = true;
		}
	}
}

/* The same list in a response code, in a greeting or behind a login. */
static void
read_code_capabilities(struct imap *d, const struct imap_response *response)
{
	if (bytes_equal_nocase(response->code, BYTES("CAPABILITY")))
		read_capabilities(d, response->code_argument);
}

static void
say_capability(struct imap *d)
{
	d->is_capability_asked = true;
	say(d, "CAPABILITY");
}

static void choose_login(struct imap *d);

/* What the server can is known: on to TLS, or to the login. */
static void
after_capability(struct imap *d)
{
	bool needs_tls = d->base.endpoint->security == SECURITY_STARTTLS && !d->base.is_under_tls;

	if (needs_tls && d->has_starttls) {
		enter(d, IMAP_STARTTLS);
	} else if (needs_tls && !d->is_capability_asked) {
		enter(d, IMAP_CAPABILITY); /* the greeting's list may be a short one */
	} else if (needs_tls) {
		d->base.stage = STAGE_STARTTLS;
		end(d, FINDING_STARTTLS_MISSING);
	} else if (d->base.endpoint->mechanism == MECHANISM_NONE) {
		enter(d, d->has_id ? IMAP_ID_UNKNOWN : IMAP_NOOP);
	} else {
		choose_login(d);
	}
}

static void
on_capability(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		end_refused(d, response);
		return;
	}
	read_code_capabilities(d, response);
	if (d->has_capabilities)
		after_capability(d);
	else
		end_broken(d, response, "CAPABILITY was answered without a list");
}

/* --- greeting --- */

static void
go_on_from_greeting(struct imap *d)
{
	bool is_clear = !d->base.is_under_tls && d->base.endpoint->security == SECURITY_STARTTLS;

	if (d->is_preauth && is_clear) {
		d->base.stage = STAGE_STARTTLS;
		end(d, FINDING_PREAUTH_CLEAR);
	} else if (d->is_preauth) {
		finding_note(&d->base.finding,
			"no login was tried: the server greets as logged in already (PREAUTH)");
		enter(d, d->base.endpoint->mechanism == MECHANISM_NONE ? IMAP_NOOP : IMAP_SELECT);
	} else if (d->has_capabilities) {
		after_capability(d);
	} else {
		enter(d, IMAP_CAPABILITY);
	}
}

static void
on_greeting(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK && response->status != REPLY_PREAUTH) {
		end_broken(d, response, "the greeting is neither OK, PREAUTH nor BYE");
		return;
	}
	d->is_greeted = true;
	d->is_preauth = response->status == REPLY_PREAUTH;
	read_code_capabilities(d, response);
	go_on_from_greeting(d);
}

/* --- STARTTLS --- */

static void
say_starttls(struct imap *d)
{
	say(d, "STARTTLS");
}

static void
on_starttls(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		end_refused(d, response);
		return;
	}
	d->base.is_tls_over_starttls = true;
	d->base.want = DIALOGUE_WANT_TLS;
	d->base.stage = STAGE_TLS;
}

static void
imap_tls_started(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);

	/* RFC 9051 11.3: what was learnt in clear is forgotten. */
	imap_reader_clear(&d->reader);
	buf_clear(&d->beside);
	forget_capabilities(d);
	enter(d, IMAP_CAPABILITY);
}

/* --- login --- */

/* How to log in, by the settings' `auth` (contract 3) and what is offered. ERR_NOT_FOUND: no way */
static enum err
pick_login(struct imap *d, enum mechanism *mechanism)
{
	enum mechanism wanted = d->base.endpoint->mechanism;
	bool may_command = !d->has_logindisabled;

	d->is_by_command = false;
	if (wanted == MECHANISM_AUTO && sasl_is_offered(&d->offer, MECHANISM_PLAIN)) {
		*mechanism = MECHANISM_PLAIN;
		return ERR_OK;
	}
	if ((wanted == MECHANISM_AUTO || wanted == MECHANISM_LOGIN) && may_command) {
		d->is_by_command = true;
		*mechanism = MECHANISM_LOGIN;
		return ERR_OK;
	}
	return sasl_pick(wanted, &d->offer, mechanism);
}

static void
detail_offer(struct imap *d)
{
	const struct texts *capabilities = &d->base.finding.capabilities;
	struct buf list = { 0 };

	for (size_t i = 0; i < capabilities->count; i++) {
		struct bytes word = bytes_of(capabilities->items[i]);

		if (!bytes_starts_nocase(word, BYTES("AUTH=")))
			continue;
		buf_put(&list, list.len > 0 ? BYTES(" ") : BYTES_NONE);
		buf_put(&list, bytes_from(word, 5));
	}
	if (buf_err(&list) == ERR_OK && list.len > 0)
		finding_detail(&d->base.finding, "offered: %s", list.at);
	buf_done(&list);
}

static void
choose_login(struct imap *d)
{
	enum mechanism mechanism;

	d->base.stage = STAGE_AUTH;
	if (!dialogue_may_login(&d->base)) {
		end(d, FINDING_LOGIN_IN_CLEAR);
	} else if (pick_login(d, &mechanism) == ERR_OK) {
		d->base.finding.used = mechanism;
		enter(d, IMAP_ASK_LOGIN);
	} else if (d->offer.is_any || !d->has_logindisabled) {
		detail_offer(d);
		end(d, FINDING_NO_MECHANISM);
	} else {
		finding_detail(&d->base.finding, "LOGINDISABLED, and no AUTH= is offered");
		end(d, FINDING_LOGIN_NOT_OFFERED);
	}
}

static void
ask_login(struct imap *d)
{
	d->base.want = DIALOGUE_WANT_LOGIN;
}

static void
imap_login(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);

	enter(d, d->is_by_command ? IMAP_LOGIN : IMAP_AUTHENTICATE);
}

static void
say_response(struct imap *d, struct bytes words, struct bytes response, bool is_secret)
{
	struct buf line = { 0 };
	struct buf shown = { 0 };

	(void)buf_reserve(&line, words.len + response.len);
	buf_put(&line, words);
	buf_put(&line, response);
	buf_put(&shown, words);
	buf_put(&shown, BYTES("<secret>"));
	if (buf_err(&line) != ERR_OK || buf_err(&shown) != ERR_OK)
		d->base.is_failed = true;
	else if (is_secret)
		dialogue_say_secret(&d->base, buf_bytes(&line), buf_bytes(&shown));
	else
		dialogue_say(&d->base, buf_bytes(&line));
	buf_done_wiped(&line);
	buf_done(&shown);
}

static void
say_next(struct imap *d, struct bytes words)
{
	struct buf response = { 0 };
	bool is_secret = false;

	if (sasl_next(&d->sasl, &response, &is_secret) == ERR_OK)
		say_response(d, words, buf_bytes(&response), is_secret);
	else
		d->base.is_failed = true;
	buf_done_wiped(&response);
}

static void
say_authenticate(struct imap *d)
{
	enum mechanism mechanism = d->base.finding.used;
	struct bytes username = bytes_of(d->base.endpoint->username);
	struct buf command = { 0 };
	bool is_early;
	size_t response_len = sasl_plain_len(username, d->base.secret);

	put_tag(d, &command);
	buf_put_format(&command, "AUTHENTICATE %s", sasl_name(mechanism));
	is_early = d->has_sasl_ir && sasl_is_client_first(mechanism) &&
		   command.len + 1 + response_len + 2 <= IMAP_MOST_COMMAND_BYTES;
	sasl_start(&d->sasl, mechanism, username, d->base.secret, is_early);
	if (is_early)
		buf_put_byte(&command, ' ');
	if (buf_err(&command) != ERR_OK)
		d->base.is_failed = true;
	else if (is_early)
		say_next(d, buf_bytes(&command));
	else
		dialogue_say(&d->base, buf_bytes(&command));
	buf_done(&command);
}

/* May n bytes go out as "{n+}", without waiting for "+" (RFC 7888)? */
static bool
is_literal_free(const struct imap *d, size_t len)
{
	return d->has_literal_plus ||
	       (d->has_literal_minus && len <= IMAP_MOST_LITERAL_MINUS_BYTES);
}

static struct bytes
login_argument(const struct imap *d, size_t index)
{
	return index == 0 ? bytes_of(d->base.endpoint->username) : secret_reveal(d->base.secret);
}

/* One of LOGIN's arguments, or the size of its literal; `shown` is what the transcript may see of
 * it. */
static void
put_argument(struct imap *d, struct buf *line, struct bytes argument)
{
	bool is_free = is_literal_free(d, argument.len);

	if (d->is_literal_due) {
		buf_put(line, argument);
		d->is_literal_due = false;
		return;
	}
	buf_put_byte(line, ' ');
	if (is_quotable(argument)) {
		put_quoted(line, argument);
		return;
	}
	buf_put_format(line, "{%zu%s}", argument.len, is_free ? "+" : "");
	if (is_free) {
		buf_put(line, BYTES("\r\n"));
		buf_put(line, argument);
	} else {
		d->is_literal_due = true;
	}
}

/*
 * Says LOGIN's arguments up to a literal that has to wait for "+": quoted, or as a literal where
 * quoting cannot say them. The transcript sees the secret's place alone.
 */
static void
put_arguments(struct imap *d, struct buf *line, struct buf *shown, bool *is_secret)
{
	for (; d->arguments_said < 2; d->arguments_said++) {
		size_t before = line->len;

		put_argument(d, line, login_argument(d, d->arguments_said));
		if (d->arguments_said == 0 || d->is_literal_due) {
			buf_put(shown, bytes_from(buf_bytes(line), before));
		} else {
			buf_put(shown, before > 0 ? BYTES(" <secret>") : BYTES("<secret>"));
			*is_secret = true;
		}
		if (d->is_literal_due)
			return;
	}
}

static void
say_arguments(struct imap *d, struct buf *line)
{
	size_t most = 2 * (login_argument(d, 0).len + login_argument(d, 1).len) + 64;
	struct buf shown = { 0 };
	bool is_secret = false;

	/* The secret goes into a buffer that does not grow under it. */
	(void)buf_reserve(line, most);
	buf_put(&shown, buf_bytes(line));
	put_arguments(d, line, &shown, &is_secret);
	if (buf_err(line) != ERR_OK || buf_err(&shown) != ERR_OK)
		d->base.is_failed = true;
	else if (is_secret)
		dialogue_say_secret(&d->base, buf_bytes(line), buf_bytes(&shown));
	else
		dialogue_say(&d->base, buf_bytes(line));
	buf_done(&shown);
}

static void
say_login(struct imap *d)
{
	struct buf line = { 0 };

	put_tag(d, &line);
	buf_put(&line, BYTES("LOGIN"));
	say_arguments(d, &line);
	buf_done_wiped(&line);
}

static void
on_continuation(struct imap *d, const struct imap_response *response)
{
	struct buf line = { 0 };

	if (d->state == IMAP_LOGIN && d->is_literal_due) {
		say_arguments(d, &line);
	} else if (d->state == IMAP_AUTHENTICATE && d->sasl.answers < d->sasl.most_answers) {
		say_next(d, BYTES_NONE);
	} else {
		d->is_star_due = d->state == IMAP_AUTHENTICATE;
		end_broken(
			d, response, "the server asks for more, and no command of ours has more");
	}
	buf_done_wiped(&line);
}

static void
on_login(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		end_refused(d, response);
	} else if (!d->base.finding.is_secret_sent) {
		end_broken(d, response, "the server accepts a login that was not made yet");
	} else {
		d->base.finding.is_login_done = true;
		read_code_capabilities(d, response);
		enter(d, d->has_id ? IMAP_ID : IMAP_SELECT);
	}
}

/* --- ID --- */

/* RFC 2971: so that the far side can tell us. Some open no folder without it (163.com). */
static void
say_id(struct imap *d)
{
	struct buf command = { 0 };

	buf_put(&command, BYTES("ID (\"name\" \"mboxwatch\" \"version\" "));
	put_quoted(&command, bytes_of(d->base.version));
	buf_put(&command, BYTES(")"));
	if (buf_err(&command) == ERR_OK)
		say(d, command.at);
	else
		d->base.is_failed = true;
	buf_done(&command);
}

static void
note_id(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK)
		finding_note(&d->base.finding, "the server offers ID and refuses it");
}

static void
on_id_unknown(struct imap *d, const struct imap_response *response)
{
	note_id(d, response);
	enter(d, IMAP_NOOP);
}

static void
on_id(struct imap *d, const struct imap_response *response)
{
	note_id(d, response);
	enter(d, IMAP_SELECT);
}

/* --- folder, NOOP, and the end --- */

static void
say_select(struct imap *d)
{
	struct bytes folder = bytes_of(d->base.endpoint->folder);
	struct buf name = { 0 };
	struct buf command = { 0 };
	enum err err = utf7_put(&name, folder);

	if (err == ERR_SYNTAX) {
		/* No UTF-8: the settings were checked, so it goes out as it stands. */
		buf_clear(&name);
		buf_put(&name, folder);
	}
	buf_put_string(&command, d->base.endpoint->is_select ? "SELECT " : "EXAMINE ");
	put_folder(&command, buf_bytes(&name));
	if (err == ERR_MEMORY || buf_err(&name) != ERR_OK || buf_err(&command) != ERR_OK)
		d->base.is_failed = true;
	else
		say(d, command.at);
	buf_done(&name);
	buf_done(&command);
}

static void
on_select(struct imap *d, const struct imap_response *response)
{
	if (response->status == REPLY_OK)
		enter(d, IMAP_NOOP);
	else
		end_refused(d, response);
}

static void
say_noop(struct imap *d)
{
	say(d, "NOOP");
}

static void
on_noop(struct imap *d, const struct imap_response *response)
{
	if (response->status == REPLY_OK)
		end(d, FINDING_DONE);
	else
		end_refused(d, response);
}

static void
imap_put_goodbye(struct dialogue *dialogue, struct buf *out)
{
	struct imap *d = imap_of(dialogue);

	/* Not one byte before a greeting (H1-18), and none into a literal that the server may wait
	 * for. */
	if (!d->is_greeted)
		return;
	if (d->is_literal_due && d->base.finding.kind != FINDING_REFUSED)
		return;
	if (d->is_star_due)
		buf_put(out, BYTES("*\r\n"));
	buf_put_format(out, "a%u LOGOUT\r\n", ++d->tags);
}

/* --- bytes --- */

static void
note_oddities(struct imap *d)
{
	struct finding *finding = &d->base.finding;

	if (d->reader.oddities & IMAP_ODD_EMPTY_LINE)
		finding_note(finding, "empty lines came before the greeting");
	if (d->reader.oddities & IMAP_ODD_BLANK)
		finding_note(finding, "blanks came before the greeting");
	if (d->reader.oddities & IMAP_ODD_BOM)
		finding_note(finding, "a byte order mark came before the greeting");
	d->reader.oddities = 0;
}

/*
 * Another protocol greets at this port. An SMTP server says "220"; one that is busy says "421" and
 * is told as that, since some front ends say so for IMAP too.
 */
static bool
is_other_protocol(struct imap *d, struct bytes line)
{
	const char *other = dialogue_other_protocol(SIDE_IMAP, line);

	if (!other && line.len > 3 && line.at[0] >= '2' && line.at[0] <= '5' &&
		byte_is_digit(line.at[1]) && byte_is_digit(line.at[2]) &&
		(line.at[3] == ' ' || line.at[3] == '-'))
		other = bytes_contains_nocase(line, BYTES("FTP")) &&
					!bytes_contains_nocase(line, BYTES("SMTP"))
				? "FTP"
				: "SMTP";
	if (!other)
		return false;
	dialogue_keep_lines(&d->base, line);
	if (bytes_starts(line, BYTES("421"))) {
		d->base.finding.reply.status = REPLY_SMTP;
		d->base.finding.reply.code = 421;
		dialogue_keep_text(&d->base, &d->base.finding.reply.text, bytes_from(line, 4));
		dialogue_end(&d->base, FINDING_REFUSED, STAGE_GREETING, GOODBYE_NONE);
		return true;
	}
	end_other_protocol(d, other);
	return true;
}

static void
on_unreadable(struct imap *d, enum err err)
{
	struct bytes line = imap_response_broken(&d->reader);

	if (err == ERR_MEMORY) {
		d->base.is_failed = true;
		return;
	}
	dialogue_heard(&d->base, line);
	if (err == ERR_SYNTAX && d->state == IMAP_GREETING && is_other_protocol(d, line))
		return;
	dialogue_keep_lines(&d->base, buf_bytes(&d->beside));
	dialogue_keep_lines(&d->base, line);
	if (err == ERR_LIMIT) {
		finding_detail(&d->base.finding,
			"more than %zu KiB in a line, or %zu in the session",
			DIALOGUE_MOST_LINE_BYTES / 1024, DIALOGUE_MOST_READ_BYTES / 1024);
		dialogue_end(
			&d->base, FINDING_TOO_LONG, dialogue_reply_stage(&d->base), GOODBYE_NONE);
		return;
	}
	finding_detail(&d->base.finding, "what came is no IMAP response");
	end(d, FINDING_BROKEN);
}

static void
put_beside(struct imap *d, struct bytes line)
{
	if (d->beside.len + line.len + 1 > IMAP_MOST_BESIDE_BYTES)
		return;
	if (d->beside.len > 0)
		buf_put_byte(&d->beside, '\n');
	buf_put(&d->beside, line);
}

/* Words for people: shown as a note, unless anybody on the way may have written them (H1-12). */
static void
take_alert(struct imap *d, const struct imap_response *response)
{
	if (!bytes_equal_nocase(response->code, BYTES("ALERT")) &&
		!bytes_equal_nocase(response->code, BYTES("WEBALERT")))
		return;
	if (d->base.endpoint->security != SECURITY_NONE && !d->base.is_under_tls)
		return;
	dialogue_note_text(&d->base, "the server says: ", response->text);
	dialogue_keep_text(&d->base, &d->base.finding.reply.alert, response->text);
}

static void
take_bye(struct imap *d, const struct imap_response *response)
{
	server_reply_done(&d->bye);
	fill_reply(d, &d->bye, response);
	d->has_bye = true;
	/* With no command in hand there is nothing to wait for. */
	if (d->state == IMAP_GREETING || dialogue_is_unsent(&d->base))
		end_leaving(d);
}

static void
on_untagged_status(struct imap *d, const struct imap_response *response)
{
	put_beside(d, response->line);
	if (response->status == REPLY_BYE) {
		take_bye(d, response);
	} else if (d->state == IMAP_GREETING) {
		take_alert(d, response);
		buf_clear(&d->beside);
		on_greeting(d, response);
	} else {
		take_alert(d, response);
		read_code_capabilities(d, response);
	}
}

static void
on_tagged(struct imap *d, const struct imap_response *response)
{
	if (dialogue_is_unsent(&d->base) || d->state == IMAP_GREETING ||
		!bytes_equal(response->tag, bytes_of(d->tag))) {
		keep_reply(d, response);
		finding_detail(&d->base.finding, "a tagged response answers no command of ours");
		end(d, FINDING_UNASKED);
	} else if (d->has_bye && response->status == REPLY_OK) {
		end_leaving(d);
	} else {
		imap_rows[d->state].on_done(d, response);
	}
}

static void
on_response(struct imap *d, const struct imap_response *response)
{
	note_oddities(d);
	dialogue_heard(&d->base, response->line);
	if (d->state == IMAP_GREETING && !dialogue_is_unsent(&d->base) &&
		response->kind != IMAP_UNTAGGED_STATUS && is_other_protocol(d, response->line))
		return;
	switch (response->kind) {
	case IMAP_UNTAGGED_STATUS:
		on_untagged_status(d, response);
		break;
	case IMAP_UNTAGGED_DATA:
		if (bytes_equal_nocase(response->name, BYTES("CAPABILITY")))
			read_capabilities(d, response->data);
		break;
	case IMAP_TAGGED:
		on_tagged(d, response);
		break;
	case IMAP_CONTINUATION:
		if (dialogue_is_unsent(&d->base))
			end_broken(d, response,
				"the server asks for more before it was told anything");
		else
			on_continuation(d, response);
		break;
	case IMAP_KIND_COUNT:
		break;
	}
}

/* What has come behind a refusal: a BYE there may name the lock that the refusal does not (H2-23).
 */
static void
look_for_bye(struct imap *d, struct bytes received)
{
	struct imap_response response;

	if (d->base.finding.kind != FINDING_REFUSED || d->base.finding.reply.status == REPLY_BYE)
		return;
	while (!d->has_bye && imap_response_next(&d->reader, &received, &response) == ERR_OK) {
		if (response.kind != IMAP_UNTAGGED_STATUS || response.status != REPLY_BYE)
			continue;
		dialogue_heard(&d->base, response.line);
		dialogue_keep_lines(&d->base, response.line);
		fill_reply(d, &d->bye, &response);
		d->has_bye = true;
	}
	if (!d->has_bye)
		return;
	free(d->base.finding.reply.alert);
	d->base.finding.reply.alert = d->bye.text;
	d->bye.text = NULL;
}

static void
imap_receive(struct dialogue *dialogue, struct bytes received)
{
	struct imap *d = imap_of(dialogue);

	while (!dialogue_is_ended(dialogue) && !dialogue->is_failed) {
		struct imap_response response;
		enum err err;

		if (dialogue->want == DIALOGUE_WANT_TLS) {
			/* Came before TLS, so from anyone: not the server's words (CVE-2020-14954).
			 */
			if (received.len > 0)
				dialogue_end(dialogue, FINDING_STARTTLS_INJECTED, STAGE_STARTTLS,
					GOODBYE_NONE);
			return;
		}
		err = imap_response_next(&d->reader, &received, &response);
		if (err == ERR_MORE)
			return;
		if (err != ERR_OK)
			on_unreadable(d, err);
		else
			on_response(d, &response);
	}
	look_for_bye(d, received);
}

static void
imap_begin(struct dialogue *dialogue)
{
	enter(imap_of(dialogue), IMAP_GREETING);
}

static void
imap_lost(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);
	struct bytes piece = line_piece(&d->reader.line);

	if (d->has_bye) {
		end_leaving(d);
		return;
	}
	if (d->state == IMAP_GREETING && piece.len > 0 && is_other_protocol(d, piece))
		return;
	dialogue_keep_lines(dialogue, buf_bytes(&d->beside));
	dialogue_keep_lines(dialogue, piece);
}

static struct line_reader *
imap_line(struct dialogue *dialogue)
{
	return &imap_of(dialogue)->reader.line;
}

static struct dialogue *
imap_make(void)
{
	struct imap *d = calloc(1, sizeof(*d));

	return d ? &d->base : NULL;
}

static void
imap_free(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);

	imap_reader_done(&d->reader);
	buf_done(&d->beside);
	server_reply_done(&d->bye);
	free(d);
}

const struct dialogue_protocol imap_protocol = {
	.make = imap_make,
	.free = imap_free,
	.begin = imap_begin,
	.receive = imap_receive,
	.tls_started = imap_tls_started,
	.login = imap_login,
	.lost = imap_lost,
	.put_goodbye = imap_put_goodbye,
	.line = imap_line,
};
