/*
 * smtp.c: an SMTP session from the greeting to QUIT (RFC 5321, 3207, 4954). Layer: dialogue, pure.
 * Not here: how bytes become replies (smtp_reply.c), what a refusal means (diagnose/).
 *
 * Codes decide, words never (H1-08): the class that a command may be answered with goes on, 4yz and
 * 5yz are refusals, all else breaks the protocol. 421 alone may come unasked (RFC 5321 3.8).
 */
#include "dialogue/dialogue_private.h"
#include "dialogue/smtp_reply.h"

#include <stdlib.h>

/* RFC 4954 4: an AUTH command with its initial response, CRLF counted; longer ones wait for 334
 * (H2-45). */
#define SMTP_MOST_AUTH_COMMAND_BYTES 512

enum smtp_state {
	SMTP_GREETING,
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_STARTTLS,
	SMTP_LOGIN, /* the owner is asked for the secret */
	SMTP_AUTH,
	SMTP_NOOP,
	SMTP_MAIL, /* the envelope, where the settings give one, or a check */
	SMTP_RCPT,
	SMTP_RSET,
	SMTP_DATA,    /* a check sends a message of its own */
	SMTP_MESSAGE, /* all of it */
	SMTP_STATE_COUNT
};

struct smtp {
	struct dialogue base;
	enum smtp_state state;
	struct smtp_reader reader;
	bool has_starttls;
	bool has_smtputf8;
	bool has_auth; /* EHLO has an AUTH line, with words or without */
	struct sasl_offer offer;
	bool is_greeting_ftp;
	bool is_rewritten; /* something between blanks out what the server says (H1-05) */
};

typedef void smtp_on_enter(struct smtp *d);
typedef void smtp_on_reply(struct smtp *d, const struct smtp_reply *reply);

static smtp_on_enter say_ehlo, say_helo, say_starttls, ask_login, say_auth, say_noop, say_mail,
	say_rcpt, say_rset, say_data, say_message;
static smtp_on_reply on_greeting, on_ehlo, on_helo, on_starttls, on_auth, on_noop, on_mail, on_rcpt,
	on_rset, on_data, on_message;

static const struct smtp_row {
	enum stage stage; /* what this place is called outside */
	smtp_on_enter *on_enter;
	smtp_on_reply *on_reply;
} smtp_rows[SMTP_STATE_COUNT] = {
	[SMTP_GREETING] = { STAGE_GREETING, NULL, on_greeting },
	[SMTP_EHLO] = { STAGE_CAPABILITY, say_ehlo, on_ehlo },
	[SMTP_HELO] = { STAGE_CAPABILITY, say_helo, on_helo },
	[SMTP_STARTTLS] = { STAGE_STARTTLS, say_starttls, on_starttls },
	[SMTP_LOGIN] = { STAGE_AUTH, ask_login, NULL },
	[SMTP_AUTH] = { STAGE_AUTH, say_auth, on_auth },
	[SMTP_NOOP] = { STAGE_NOOP, say_noop, on_noop },
	[SMTP_MAIL] = { STAGE_MAIL, say_mail, on_mail },
	[SMTP_RCPT] = { STAGE_RCPT, say_rcpt, on_rcpt },
	[SMTP_RSET] = { STAGE_RCPT, say_rset, on_rset },
	[SMTP_DATA] = { STAGE_DATA, say_data, on_data },
	[SMTP_MESSAGE] = { STAGE_DATA, say_message, on_message },
};

static struct smtp *
smtp_of(struct dialogue *dialogue)
{
	return (struct smtp *)(void *)((char *)dialogue - offsetof(struct smtp, base));
}

static void
enter(struct smtp *d, enum smtp_state state)
{
	d->state = state;
	d->base.stage = smtp_rows[state].stage;
	if (smtp_rows[state].on_enter)
		smtp_rows[state].on_enter(d);
}

/* --- ends --- */

static void
end(struct smtp *d, enum finding_kind kind)
{
	dialogue_end(&d->base, kind, d->base.stage, GOODBYE_SAID);
}

static void
keep_reply(struct smtp *d, const struct smtp_reply *reply)
{
	struct server_reply *kept = &d->base.finding.reply;

	kept->status = REPLY_SMTP;
	kept->code = reply->code;
	memcpy(kept->enhanced, reply->enhanced, sizeof(kept->enhanced));
	dialogue_keep_text(&d->base, &kept->text, reply->text);
	dialogue_keep_lines(&d->base, reply->lines);
}

static void
end_refused(struct smtp *d, const struct smtp_reply *reply)
{
	keep_reply(d, reply);
	end(d, FINDING_REFUSED);
}

static void
end_broken(struct smtp *d, const struct smtp_reply *reply, const char *why)
{
	keep_reply(d, reply);
	finding_detail(&d->base.finding, "%s", why);
	end(d, FINDING_BROKEN);
}

/* A reply that is not what the command hoped for. */
static void
end_by_class(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code >= 400)
		end_refused(d, reply);
	else
		end_broken(d, reply, "the reply's code does not belong to this command");
}

/* RFC 5321 3.8: the server leaves, asked or not. It is said where the last command stands (H2-21).
 */
static void
end_leaving(struct smtp *d, const struct smtp_reply *reply)
{
	keep_reply(d, reply);
	dialogue_end(&d->base, FINDING_REFUSED, dialogue_reply_stage(&d->base), GOODBYE_NONE);
}

/* It answers a command that was not sent yet (H2-10). */
static void
end_unasked(struct smtp *d, const struct smtp_reply *reply)
{
	keep_reply(d, reply);
	finding_detail(&d->base.finding, "a reply came before its command");
	dialogue_end(&d->base, FINDING_UNASKED, d->base.asked_stage, GOODBYE_SAID);
}

/* --- greeting --- */

/* Cisco's "fixup": "220 ****…", "220 **0*2*". */
static bool
is_blanked_out(struct bytes text)
{
	size_t stars = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '*')
			stars++;
		else if (text.at[i] != '0' && text.at[i] != '2' && text.at[i] != ' ')
			return false;
	}
	return stars >= 4;
}

static void
on_greeting(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 220) {
		end_by_class(d, reply);
		return;
	}
	d->is_rewritten = is_blanked_out(reply->text);
	d->base.finding.greeting = text_keep(bytes_first(reply->text, FINDING_GREETING_MOST));
	d->is_greeting_ftp = bytes_contains_nocase(reply->text, BYTES("FTP")) &&
			     !bytes_contains_nocase(reply->text, BYTES("SMTP"));
	enter(d, SMTP_EHLO);
}

/* --- EHLO, HELO --- */

static void
say_hello(struct smtp *d, const char *verb)
{
	struct buf line = { 0 };

	buf_put_format(&line, "%s %s", verb, d->base.helo_name);
	if (buf_err(&line) == ERR_OK)
		dialogue_say(&d->base, buf_bytes(&line));
	else
		d->base.is_failed = true;
	buf_done(&line);
}

static void
say_ehlo(struct smtp *d)
{
	say_hello(d, "EHLO");
}

static void
say_helo(struct smtp *d)
{
	say_hello(d, "HELO");
}

/* "AUTH" mechanisms, or the old "AUTH=PLAIN …"; several lines add up (H2-37). */
static void
read_auth(struct smtp *d, struct bytes words)
{
	d->has_auth = true;
	while (words.len > 0) {
		struct bytes word;

		if (words.at[0] == '=')
			words = bytes_from(words, 1);
		word = bytes_next_word(&words);
		sasl_offer_put(&d->offer, word);
	}
}

static void
read_keyword(struct smtp *d, struct bytes line)
{
	struct bytes rest = line;
	struct bytes keyword = bytes_next_word(&rest);

	if (bytes_equal_nocase(keyword, BYTES("STARTTLS")))
		d->has_starttls = true;
	else if (bytes_equal_nocase(keyword, BYTES("SMTPUTF8")))
		d->has_smtputf8 = true;
	else if (bytes_equal_nocase(keyword, BYTES("AUTH")))
		read_auth(d, rest);
	else if (bytes_starts_nocase(keyword, BYTES("AUTH=")))
		read_auth(d, bytes_from(line, 4));
	else if (bytes_starts(keyword, BYTES("XXXX")))
		d->is_rewritten = true;
}

/* ehlo-ok-rsp: the first line is the server's name, each other one a keyword (RFC 5321 4.1.1.1). */
static void
read_keywords(struct smtp *d, const struct smtp_reply *reply)
{
	struct bytes rest = reply->lines;
	bool is_first = true;

	while (rest.len > 0) {
		size_t end_at = bytes_index(rest, '\n');
		struct bytes line = bytes_trim(bytes_from(bytes_first(rest, end_at), 4));

		/* Some put a keyword where the name should be. */
		read_keyword(d, line);
		if (!is_first)
			dialogue_keep_capability(&d->base, line);
		is_first = false;
		rest = bytes_from(rest, end_at + 1);
	}
}

/* Nothing is known of what the server can do. */
static void
forget_keywords(struct smtp *d)
{
	d->has_starttls = false;
	d->has_smtputf8 = false;
	d->has_auth = false;
	d->offer = (struct sasl_offer){ 0 };
	texts_done(&d->base.finding.capabilities);
}

static void
end_no_starttls(struct smtp *d)
{
	if (d->is_rewritten)
		finding_detail(&d->base.finding,
			"something between us and the server rewrites the session: "
			"its greeting or its list of extensions is blanked out");
	d->base.stage = STAGE_STARTTLS;
	end(d, FINDING_STARTTLS_MISSING);
}

/* The session is as safe as it will be: the login is next, if there is one. */
static void
go_to_login(struct smtp *d)
{
	if (d->base.endpoint->mechanism == MECHANISM_NONE) {
		enter(d, SMTP_NOOP);
		return;
	}
	d->base.stage = STAGE_AUTH;
	if (!dialogue_may_login(&d->base)) {
		end(d, FINDING_LOGIN_IN_CLEAR);
	} else if (!d->offer.is_any) {
		end(d, FINDING_LOGIN_NOT_OFFERED);
	} else if (!dialogue_pick(&d->base, &d->offer)) {
		dialogue_detail_offer(&d->base, BYTES("AUTH"));
		end(d, FINDING_NO_MECHANISM);
	} else {
		enter(d, SMTP_LOGIN);
	}
}

static void
after_hello(struct smtp *d)
{
	if (d->base.endpoint->security != SECURITY_STARTTLS || d->base.is_under_tls)
		go_to_login(d);
	else if (d->has_starttls)
		enter(d, SMTP_STARTTLS);
	else
		end_no_starttls(d);
}

/* An FTP server says 220 as well; it gives itself away by its answer to EHLO (H2-46). */
static bool
is_ftp(const struct smtp *d, const struct smtp_reply *reply)
{
	return reply->code >= 500 &&
	       (d->is_greeting_ftp ||
		       (reply->code == 530 && bytes_contains_nocase(reply->text, BYTES("USER"))));
}

static void
on_ehlo(struct smtp *d, const struct smtp_reply *reply)
{
	forget_keywords(d);
	if (reply->code == 250) {
		read_keywords(d, reply);
		after_hello(d);
	} else if (is_ftp(d, reply)) {
		dialogue_end_other_protocol(&d->base, "FTP");
	} else if (reply->code == 500 || reply->code == 502) {
		enter(d, SMTP_HELO); /* RFC 5321 3.2: the server is older than EHLO. Once. */
	} else {
		end_by_class(d, reply);
	}
}

static void
on_helo(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code == 250)
		after_hello(d);
	else
		end_by_class(d, reply);
}

/* --- STARTTLS --- */

static void
say_starttls(struct smtp *d)
{
	dialogue_say(&d->base, BYTES("STARTTLS"));
}

static void
on_starttls(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 220) {
		end_by_class(d, reply);
		return;
	}
	d->base.is_tls_over_starttls = true;
	d->base.want = DIALOGUE_WANT_TLS;
	d->base.stage = STAGE_TLS;
}

static void
smtp_tls_started(struct dialogue *dialogue)
{
	struct smtp *d = smtp_of(dialogue);

	/* RFC 3207 4.2: what was learnt in clear is forgotten. */
	smtp_reader_clear(&d->reader);
	forget_keywords(d);
	enter(d, SMTP_EHLO);
}

/* --- AUTH --- */

static void
ask_login(struct smtp *d)
{
	d->base.want = DIALOGUE_WANT_LOGIN;
}

static void
smtp_login(struct dialogue *dialogue)
{
	enter(smtp_of(dialogue), SMTP_AUTH);
}

static void
say_auth(struct smtp *d)
{
	struct buf command = { 0 };

	buf_put_format(&command, "AUTH %s ", sasl_name(d->base.finding.used));
	if (buf_err(&command) != ERR_OK) {
		d->base.is_failed = true;
	} else if (dialogue_start_exchange(
			   &d->base, SMTP_MOST_AUTH_COMMAND_BYTES - command.len - strlen("\r\n"))) {
		if (d->base.sasl.is_early)
			(void)dialogue_say_next(&d->base, buf_bytes(&command), BYTES_NONE);
		else
			dialogue_say(&d->base, bytes_trim(buf_bytes(&command)));
	}
	buf_done(&command);
}

/* 2yz: the login is accepted, if that can be believed. */
static void
on_accepted(struct smtp *d, const struct smtp_reply *reply)
{
	const char *doubt = sasl_doubt(&d->base.sasl, d->base.finding.is_secret_sent);

	if (doubt) {
		end_broken(d, reply, doubt);
		return;
	}
	if (reply->code != 235)
		finding_note(
			&d->base.finding, "the server accepts a login by %d, not 235", reply->code);
	d->base.finding.is_login_done = true;
	enter(d, SMTP_NOOP);
}

static void
on_auth(struct smtp *d, const struct smtp_reply *reply)
{
	const char *why;

	if (reply->code / 100 == 2) {
		on_accepted(d, reply);
	} else if (reply->code == 334) {
		why = dialogue_on_challenge(&d->base, reply->text);
		if (why)
			end_broken(d, reply, why);
	} else {
		end_by_class(d, reply);
	}
}

/* --- NOOP --- */

static void
say_noop(struct smtp *d)
{
	dialogue_say(&d->base, BYTES("NOOP"));
}

static bool
is_sending(const struct smtp *d)
{
	return d->base.errand && d->base.errand->message;
}

static const char *
mail_from(const struct smtp *d)
{
	return is_sending(d) ? d->base.errand->from : d->base.endpoint->mail_from;
}

static const char *
rcpt_to(const struct smtp *d)
{
	return is_sending(d) ? d->base.errand->to : d->base.endpoint->rcpt_to;
}

static void
on_noop(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 250)
		end_by_class(d, reply);
	else if (mail_from(d))
		enter(d, SMTP_MAIL);
	else
		end(d, FINDING_DONE);
}

/* --- the envelope, without a message (RFC 5321 3.3) --- */

/* RFC 6531 3.4: one parameter of MAIL for both addresses. */
static bool
needs_smtputf8(const struct smtp *d)
{
	return d->has_smtputf8 &&
	       !(bytes_are_ascii(bytes_of(mail_from(d))) && bytes_are_ascii(bytes_of(rcpt_to(d))));
}

static void
say_path(struct smtp *d, const char *command, const char *address, const char *parameters)
{
	struct buf line = { 0 };

	buf_put_format(&line, "%s:<%s>%s", command, address, parameters);
	if (buf_err(&line) == ERR_OK)
		dialogue_say(&d->base, buf_bytes(&line));
	else
		d->base.is_failed = true;
	buf_done(&line);
}

static void
say_mail(struct smtp *d)
{
	say_path(d, "MAIL FROM", mail_from(d), needs_smtputf8(d) ? " SMTPUTF8" : "");
}

static void
on_mail(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 250)
		end_by_class(d, reply);
	else
		enter(d, rcpt_to(d) ? SMTP_RCPT : SMTP_RSET);
}

static void
say_rcpt(struct smtp *d)
{
	say_path(d, "RCPT TO", rcpt_to(d), "");
}

static void
on_rcpt(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code == 250 || reply->code == 251)
		enter(d, is_sending(d) ? SMTP_DATA : SMTP_RSET);
	else
		end_by_class(d, reply);
}

static void
say_rset(struct smtp *d)
{
	dialogue_say(&d->base, BYTES("RSET"));
}

/* All that was to be known is known: a server that does not reset is left all the same. */
static void
on_rset(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 250)
		finding_note(&d->base.finding, "the server answers RSET by %d", reply->code);
	end(d, FINDING_DONE);
}

/* --- a message (RFC 5321 4.1.1.4), by a check that was asked for it --- */

static void
say_data(struct smtp *d)
{
	dialogue_say(&d->base, BYTES("DATA"));
}

static void
on_data(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code == 354)
		enter(d, SMTP_MESSAGE);
	else
		end_by_class(d, reply);
}

static void
say_message(struct smtp *d)
{
	struct buf text = { 0 };

	buf_put_format(&text, "%s.", d->base.errand->message);
	if (buf_err(&text) == ERR_OK)
		dialogue_say(&d->base, buf_bytes(&text));
	else
		d->base.is_failed = true;
	buf_done(&text);
}

static void
on_message(struct smtp *d, const struct smtp_reply *reply)
{
	if (reply->code != 250) {
		end_by_class(d, reply);
		return;
	}
	dialogue_note_text(&d->base, "a test message was accepted: ", reply->text);
	end(d, FINDING_DONE);
}

/* --- the end --- */

static void
smtp_put_goodbye(struct dialogue *dialogue, struct buf *out)
{
	struct smtp *d = smtp_of(dialogue);

	/* Not one byte before a greeting is whole (H1-18, H2-09); one that refuses waits for QUIT
	 * (RFC 5321 3.1). */
	if (d->state == SMTP_GREETING && dialogue->finding.kind != FINDING_REFUSED)
		return;
	if (dialogue->is_star_due) /* RFC 4954 4 */
		buf_put(out, BYTES("*\r\n"));
	buf_put(out, BYTES("QUIT\r\n"));
}

/* --- bytes --- */

static void
note_oddities(struct smtp *d)
{
	struct finding *finding = &d->base.finding;

	if (d->reader.oddities & SMTP_ODD_EMPTY_LINE)
		finding_note(finding, "empty lines came before the greeting");
	if (d->reader.oddities & SMTP_ODD_BLANK)
		finding_note(finding, "blanks came before the greeting's code");
	if (d->reader.oddities & SMTP_ODD_BOM)
		finding_note(finding, "a byte order mark came before the greeting");
	if (d->reader.oddities & SMTP_ODD_BARE_CODE)
		finding_note(finding, "a reply was a code alone");
	d->reader.oddities = 0;
}

/* Keeps of a reply what has come of it. */
static void
keep_unfinished(struct smtp *d)
{
	dialogue_keep_lines(&d->base, smtp_reply_unfinished(&d->reader));
	dialogue_keep_lines(&d->base, line_piece(&d->reader.line));
}

static void
on_unreadable(struct smtp *d, enum err err)
{
	struct bytes lines = smtp_reply_unfinished(&d->reader);
	const char *other = NULL;

	if (err == ERR_MEMORY) {
		d->base.is_failed = true;
		return;
	}
	keep_unfinished(d);
	dialogue_heard(&d->base, lines);
	if (err == ERR_LIMIT) {
		dialogue_end_too_long(&d->base);
		return;
	}
	if (d->state == SMTP_GREETING)
		other = dialogue_other_protocol(SIDE_SMTP, lines);
	if (other) {
		dialogue_end_other_protocol(&d->base, other);
		return;
	}
	finding_detail(&d->base.finding, "what came is no SMTP reply");
	dialogue_end(&d->base, FINDING_BROKEN, dialogue_reply_stage(&d->base), GOODBYE_SAID);
}

static void
heard(struct smtp *d, const struct smtp_reply *reply)
{
	struct bytes rest = reply->lines;

	note_oddities(d);
	while (rest.len > 0) {
		size_t end_at = bytes_index(rest, '\n');

		dialogue_heard(&d->base, bytes_first(rest, end_at));
		rest = bytes_from(rest, end_at + 1);
	}
}

static void
on_reply(struct smtp *d, const struct smtp_reply *reply)
{
	heard(d, reply);
	if (reply->code == 421)
		end_leaving(d, reply);
	else if (dialogue_is_unsent(&d->base))
		end_unasked(d, reply);
	else
		smtp_rows[d->state].on_reply(d, reply);
}

static void
smtp_receive(struct dialogue *dialogue, struct bytes received)
{
	struct smtp *d = smtp_of(dialogue);

	while (!dialogue_is_ended(dialogue) && !dialogue->is_failed) {
		struct smtp_reply reply;
		enum err err;

		if (dialogue->want == DIALOGUE_WANT_TLS) {
			if (received.len > 0)
				dialogue_end_injected(dialogue);
			return;
		}
		err = smtp_reply_next(&d->reader, &received, &reply);
		if (err == ERR_MORE)
			return;
		if (err != ERR_OK)
			on_unreadable(d, err);
		else
			on_reply(d, &reply);
	}
}

static void
smtp_begin(struct dialogue *dialogue)
{
	enter(smtp_of(dialogue), SMTP_GREETING);
}

/* A refusal of several lines that were not all said is one all the same ("550-Blocked", gone). */
static void
smtp_lost(struct dialogue *dialogue)
{
	struct smtp *d = smtp_of(dialogue);
	struct bytes piece = line_piece(&d->reader.line);
	struct smtp_reply reply;
	const char *other = NULL;

	if (smtp_reply_cut_off(&d->reader, &reply) && reply.code >= 400) {
		keep_reply(d, &reply);
		dialogue_end(
			&d->base, FINDING_REFUSED, dialogue_reply_stage(&d->base), GOODBYE_NONE);
		return;
	}
	keep_unfinished(d);
	if (d->state == SMTP_GREETING && piece.len > 0)
		other = dialogue_other_protocol(SIDE_SMTP, piece);
	if (other)
		dialogue_end_other_protocol(&d->base, other);
}

static struct line_reader *
smtp_line(struct dialogue *dialogue)
{
	return &smtp_of(dialogue)->reader.line;
}

static struct dialogue *
smtp_make(void)
{
	struct smtp *d = calloc(1, sizeof(*d));

	return d ? &d->base : NULL;
}

static void
smtp_free(struct dialogue *dialogue)
{
	struct smtp *d = smtp_of(dialogue);

	smtp_reader_done(&d->reader);
	free(d);
}

const struct dialogue_protocol smtp_protocol = {
	.make = smtp_make,
	.free = smtp_free,
	.begin = smtp_begin,
	.receive = smtp_receive,
	.tls_started = smtp_tls_started,
	.login = smtp_login,
	.lost = smtp_lost,
	.put_goodbye = smtp_put_goodbye,
	.line = smtp_line,
};
