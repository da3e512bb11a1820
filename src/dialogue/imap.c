/*
 * imap.c: an IMAP session from the greeting to LOGOUT, state by state (RFC 9051, 3501; 2971).
 * Layer: dialogue, pure. Not here: its other parts (imap.h), what a refusal means (diagnose/).
 *
 * One command is in hand at a time, and only its tag answers it. Untagged data may come at any
 * moment and is passed over, but for CAPABILITY; a BYE is remembered and judged together with what
 * follows it (H2-23).
 */
#include "dialogue/imap.h"
#include "dialogue/utf7.h"

#include <stdlib.h>

typedef void imap_entering(struct imap *d);
typedef void imap_answered(struct imap *d, const struct imap_response *response);

static imap_entering say_capability, say_starttls, say_id, say_select, say_noop;
static imap_answered on_capability, on_starttls, on_id_unknown, on_id, on_select, on_noop;

static const struct imap_row {
	enum stage stage; /* what this place is called outside */
	imap_entering *on_enter;
	imap_answered *on_done; /* the tagged response */
} imap_rows[IMAP_STATE_COUNT] = {
	[IMAP_GREETING] = { STAGE_GREETING, NULL, NULL },
	[IMAP_CAPABILITY] = { STAGE_CAPABILITY, say_capability, on_capability },
	[IMAP_STARTTLS] = { STAGE_STARTTLS, say_starttls, on_starttls },
	[IMAP_ID_UNKNOWN] = { STAGE_CAPABILITY, say_id, on_id_unknown },
	[IMAP_ASK_LOGIN] = { STAGE_AUTH, imap_ask_login, NULL },
	[IMAP_AUTHENTICATE] = { STAGE_AUTH, imap_say_authenticate, imap_on_login },
	[IMAP_LOGIN] = { STAGE_AUTH, imap_say_login, imap_on_login },
	[IMAP_ID] = { STAGE_SELECT, say_id, on_id },
	[IMAP_SELECT] = { STAGE_SELECT, say_select, on_select },
	[IMAP_LIST] = { STAGE_SELECT, imap_say_list, imap_on_list },
	[IMAP_LAST] = { STAGE_SELECT, imap_say_last, imap_on_last },
	[IMAP_NOOP] = { STAGE_NOOP, say_noop, on_noop },
	[IMAP_FIND_FOLDERS] = { STAGE_DELIVERY, imap_say_folders, imap_on_folders },
	[IMAP_FIND_OPEN] = { STAGE_DELIVERY, imap_say_find_open, imap_on_find_open },
	[IMAP_FIND] = { STAGE_DELIVERY, imap_say_find, imap_on_find },
	[IMAP_FIND_PAUSE] = { STAGE_DELIVERY, imap_begin_pause, NULL },
	[IMAP_FIND_SELECT] = { STAGE_DELIVERY, imap_say_find_select, imap_on_deleting },
	[IMAP_FIND_MARK] = { STAGE_DELIVERY, imap_say_mark, imap_on_deleting },
	[IMAP_FIND_EXPUNGE] = { STAGE_DELIVERY, imap_say_expunge, imap_on_deleting },
};

void
imap_enter(struct imap *d, enum imap_state state)
{
	d->state = state;
	d->base.stage = imap_rows[state].stage;
	if (imap_rows[state].on_enter)
		imap_rows[state].on_enter(d);
}

void
imap_on_done(struct imap *d, const struct imap_response *response)
{
	imap_rows[d->state].on_done(d, response);
}

/* --- greeting --- */

static void after_capability(struct imap *d);

static void
imap_begin(struct dialogue *dialogue)
{
	imap_enter(imap_of(dialogue), IMAP_GREETING);
}

static void
go_on_from_greeting(struct imap *d)
{
	bool is_clear = !d->base.is_under_tls && d->base.endpoint->security == SECURITY_STARTTLS;

	if (d->is_preauth && is_clear) {
		d->base.stage = STAGE_STARTTLS;
		imap_end(d, FINDING_PREAUTH_CLEAR);
	} else if (d->is_preauth) {
		finding_note(&d->base.finding,
			"no login was tried: the server greets as logged in already (PREAUTH)");
		imap_enter(
			d, d->base.endpoint->mechanism == MECHANISM_NONE ? IMAP_NOOP : IMAP_SELECT);
	} else if (d->has_capabilities) {
		after_capability(d);
	} else {
		imap_enter(d, IMAP_CAPABILITY);
	}
}

void
imap_on_greeting(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK && response->status != REPLY_PREAUTH) {
		imap_end_broken(d, response, "the greeting is neither OK, PREAUTH nor BYE");
		return;
	}
	d->is_greeted = true;
	d->is_preauth = response->status == REPLY_PREAUTH;
	imap_read_code_capabilities(d, response);
	go_on_from_greeting(d);
}

/* --- capabilities --- */

static void
say_capability(struct imap *d)
{
	d->is_capability_asked = true;
	imap_say(d, "CAPABILITY");
}

/* What the server can is known: on to TLS, or to the login. */
static void
after_capability(struct imap *d)
{
	bool needs_tls = d->base.endpoint->security == SECURITY_STARTTLS && !d->base.is_under_tls;

	if (needs_tls && d->has_starttls) {
		imap_enter(d, IMAP_STARTTLS);
	} else if (needs_tls && !d->is_capability_asked) {
		imap_enter(d, IMAP_CAPABILITY); /* the greeting's list may be a short one */
	} else if (needs_tls) {
		d->base.stage = STAGE_STARTTLS;
		imap_end(d, FINDING_STARTTLS_MISSING);
	} else if (d->base.endpoint->mechanism == MECHANISM_NONE) {
		imap_enter(d, d->has_id ? IMAP_ID_UNKNOWN : IMAP_NOOP);
	} else {
		imap_choose_login(d);
	}
}

static void
on_capability(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		imap_end_refused(d, response);
		return;
	}
	imap_read_code_capabilities(d, response);
	if (d->has_capabilities)
		after_capability(d);
	else
		imap_end_broken(d, response, "CAPABILITY was answered without a list");
}

/* --- STARTTLS --- */

static void
say_starttls(struct imap *d)
{
	imap_say(d, "STARTTLS");
}

static void
on_starttls(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		imap_end_refused(d, response);
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
	imap_forget_capabilities(d);
	imap_enter(d, IMAP_CAPABILITY);
}

/* --- ID --- */

/* RFC 2971: so that the far side can tell us. Some open no folder without it (163.com). */
static void
say_id(struct imap *d)
{
	struct buf command = { 0 };

	buf_put(&command, BYTES("ID (\"name\" \"mboxwatch\" \"version\" "));
	imap_put_quoted(&command, bytes_of(d->base.version));
	buf_put(&command, BYTES(")"));
	if (buf_err(&command) == ERR_OK)
		imap_say(d, command.at);
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
	imap_enter(d, IMAP_NOOP);
}

static void
on_id(struct imap *d, const struct imap_response *response)
{
	note_id(d, response);
	imap_enter(d, IMAP_SELECT);
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
	imap_put_folder(&command, buf_bytes(&name));
	if (err == ERR_MEMORY || buf_err(&name) != ERR_OK || buf_err(&command) != ERR_OK)
		d->base.is_failed = true;
	else
		imap_say(d, command.at);
	buf_done(&name);
	buf_done(&command);
}

static void
on_select(struct imap *d, const struct imap_response *response)
{
	if (response->status == REPLY_OK) {
		imap_enter(d, imap_may_look_at_last(d) ? IMAP_LAST : IMAP_NOOP);
	} else if (imap_may_list(response)) {
		imap_keep_reply(d, response);
		imap_enter(d, IMAP_LIST);
	} else {
		imap_end_refused(d, response);
	}
}

static void
say_noop(struct imap *d)
{
	imap_say(d, "NOOP");
}

static void
on_noop(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK)
		imap_end_refused(d, response);
	else if (imap_is_sent(d))
		imap_enter(d, IMAP_FIND_FOLDERS);
	else if (d->base.may_rest && d->base.endpoint->mechanism != MECHANISM_NONE)
		dialogue_rest(&d->base);
	else
		imap_end(d, FINDING_DONE);
}

/* --- at rest: what comes is read and passed over (imap_receive.c), until it is probed again --- */

static void
imap_rest(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);

	buf_done(&d->beside);
	if (line_piece(&d->reader.line).len == 0 && !d->reader.is_in_data)
		buf_done_wiped(&d->reader.line.held);
	buf_done_wiped(&dialogue->out);
}

static void
imap_wake(struct dialogue *dialogue)
{
	imap_enter(imap_of(dialogue), IMAP_NOOP);
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
	if (d->base.is_star_due)
		buf_put(out, BYTES("*\r\n"));
	buf_put_format(out, "a%u LOGOUT\r\n", ++d->tags);
}

/* --- life --- */

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
	free(d->junk);
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
	.rest = imap_rest,
	.wake = imap_wake,
	.pause_over = imap_pause_over,
};
