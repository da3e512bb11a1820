/*
 * message.c: what a check asks of its probes beyond a probe: the last message's date, and, where
 * somebody asked for it, a test message of our own. Layer: check. Not here: how it is sent and
 * looked for (dialogue/smtp.c, imap_errand.c).
 */
#include "check/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"

#define TOKEN_BYTES 16

/* RFC 5322 3.3, whatever the locale. */
static void
put_date(struct buf *out, wall_t now)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSep"
								       "OctNovDec";
	time_t seconds = (time_t)(now.us / US_PER_S);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	buf_put_format(out, "%.3s, %02d %.3s %d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

/* Known again by nobody but us: by chance, in the sender's own domain. */
static char *
make_message_id(const char *from)
{
	const char *domain = strrchr(from, '@');
	uint8_t token[TOKEN_BYTES];
	struct buf id = { 0 };

	random_fill(token, sizeof(token));
	buf_put_string(&id, "<mboxwatch.");
	buf_put_hex(&id, (struct bytes){ (const char *)token, sizeof(token) });
	buf_put_format(&id, "@%s>", domain ? domain + 1 : "mboxwatch.invalid");
	return buf_take(&id);
}

static char *
make_message(const struct errand *errand)
{
	struct buf out = { 0 };

	buf_put_format(&out,
		"From: <%s>\r\nTo: <%s>\r\nSubject: mboxwatch test\r\nDate: ", errand->from,
		errand->to);
	put_date(&out, wall_now());
	buf_put_format(&out,
		"\r\nMessage-ID: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
		"This is a test message of mboxwatchctl check --send. It is looked for and\r\n"
		"deleted by itself; where it is still here, it may be deleted.\r\n",
		errand->message_id);
	return buf_take(&out);
}

static enum err
make_sent(struct check *check, const struct check_start *start)
{
	const char *to = start->send_to ? start->send_to : check->address;
	struct errand *errand = errand_new();

	check->errands[SIDE_SMTP] = errand;
	if (!errand)
		return ERR_MEMORY;
	errand->from = strdup(check->address);
	errand->to = strdup(to);
	if (errand->from)
		errand->message_id = make_message_id(errand->from);
	if (errand->to && errand->message_id)
		errand->message = make_message(errand);
	return errand->message ? ERR_OK : ERR_MEMORY;
}

enum err
check_make_errands(struct check *check, const struct check_start *start)
{
	struct errand *errand = errand_new();

	check->errands[SIDE_IMAP] = errand;
	if (!errand)
		return ERR_MEMORY;
	errand->looks_at_last = true;
	return start->is_to_send && check->address && check->sides[SIDE_SMTP].endpoint
		       ? make_sent(check, start)
		       : ERR_OK;
}

void
check_was_sent(struct check *check)
{
	const struct errand *sent = check->errands[SIDE_SMTP];
	struct errand *errand = check->errands[SIDE_IMAP]; /* no probe has it yet */

	if (sent && check->sides[SIDE_SMTP].is_ok)
		errand->message_id = strdup(sent->message_id); /* without memory it stays there */
}

void
check_note_unsought(const struct check *check, struct verdict *verdict)
{
	if (check->errands[SIDE_IMAP]->message_id && !verdict->is_ok &&
		verdict->stage < STAGE_DELIVERY)
		verdict_note(
			verdict, "the test message was not looked for: it stays in the mailbox");
}

bool
check_is_address(struct bytes text)
{
	size_t at = bytes_index(text, '@');

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f ||
			strchr("<>\"(),:;\\", text.at[i]))
			return false;
	}
	return at > 0 && at + 1 < text.len && text.len <= 254;
}
