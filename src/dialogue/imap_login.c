/*
 * imap_login.c: AUTHENTICATE and LOGIN (RFC 9051 6.2; 4959, 7888). Layer: dialogue, pure.
 * Not here: what a mechanism says (sasl.c).
 */
#include "dialogue/imap.h"

/* RFC 7162 4: servers should take command lines of 8,192 bytes. A longer early response waits for
 * "+". */
#define IMAP_MOST_COMMAND_BYTES 8192
/* RFC 7888 5: without LITERAL+, LITERAL- allows unasked literals up to this. */
#define IMAP_MOST_LITERAL_MINUS_BYTES 4096

/* --- which way --- */

/* finding.used by what is offered; LOGIN is the command, where that is not forbidden. */
static bool
pick_login(struct imap *d)
{
	struct sasl_offer offer = d->offer;

	if (!d->has_logindisabled)
		sasl_offer_put(&offer, BYTES("LOGIN"));
	if (!dialogue_pick(&d->base, &offer))
		return false;
	d->is_by_command = d->base.finding.used == MECHANISM_LOGIN && !d->has_logindisabled;
	return true;
}

void
imap_choose_login(struct imap *d)
{
	d->base.stage = STAGE_AUTH;
	if (!dialogue_may_login(&d->base)) {
		imap_end(d, FINDING_LOGIN_IN_CLEAR);
	} else if (pick_login(d)) {
		imap_enter(d, IMAP_ASK_LOGIN);
	} else if (d->offer.is_any || !d->has_logindisabled) {
		dialogue_detail_offer(&d->base, BYTES("AUTH="));
		imap_end(d, FINDING_NO_MECHANISM);
	} else {
		finding_detail(&d->base.finding, "LOGINDISABLED, and no AUTH= is offered");
		imap_end(d, FINDING_LOGIN_NOT_OFFERED);
	}
}

void
imap_ask_login(struct imap *d)
{
	d->base.want = DIALOGUE_WANT_LOGIN;
}

void
imap_login(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);

	imap_enter(d, d->is_by_command ? IMAP_LOGIN : IMAP_AUTHENTICATE);
}

/* --- AUTHENTICATE --- */

/* How long an early response may be behind this command (RFC 4959). */
static size_t
early_room(const struct imap *d, struct bytes command)
{
	size_t taken = command.len + strlen("\r\n");

	return d->has_sasl_ir && taken < IMAP_MOST_COMMAND_BYTES ? IMAP_MOST_COMMAND_BYTES - taken
								 : 0;
}

void
imap_say_authenticate(struct imap *d)
{
	struct buf command = { 0 };

	imap_put_tag(d, &command);
	buf_put_format(&command, "AUTHENTICATE %s ", sasl_name(d->base.finding.used));
	if (buf_err(&command) != ERR_OK) {
		d->base.is_failed = true;
	} else if (dialogue_start_exchange(&d->base, early_room(d, buf_bytes(&command)))) {
		if (d->base.sasl.is_early)
			(void)dialogue_say_next(&d->base, buf_bytes(&command), BYTES_NONE);
		else
			dialogue_say(&d->base, bytes_trim(buf_bytes(&command)));
	}
	buf_done(&command);
}

/* --- LOGIN --- */

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
	if (imap_is_quotable(argument)) {
		imap_put_quoted(line, argument);
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

void
imap_say_login(struct imap *d)
{
	struct buf line = { 0 };

	imap_put_tag(d, &line);
	buf_put(&line, BYTES("LOGIN"));
	say_arguments(d, &line);
	buf_done_wiped(&line);
}

/* --- answers --- */

void
imap_on_continuation(struct imap *d, const struct imap_response *response)
{
	const char *why = NULL;
	struct buf line = { 0 };

	if (d->state == IMAP_LOGIN && d->is_literal_due)
		say_arguments(d, &line);
	else if (d->state == IMAP_AUTHENTICATE)
		why = dialogue_on_challenge(&d->base, response->text);
	else
		why = "the server asks for more, and no command of ours has more";
	if (why)
		imap_end_broken(d, response, why);
	buf_done_wiped(&line);
}

void
imap_on_login(struct imap *d, const struct imap_response *response)
{
	const char *doubt = sasl_doubt(&d->base.sasl, d->base.finding.is_secret_sent);

	if (response->status != REPLY_OK) {
		imap_end_refused(d, response);
	} else if (doubt) {
		imap_end_broken(d, response, doubt);
	} else {
		d->base.finding.is_login_done = true;
		imap_read_code_capabilities(d, response);
		imap_enter(d, d->has_id ? IMAP_ID : IMAP_SELECT);
	}
}
