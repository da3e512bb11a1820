/*
 * document.c: what a check comes to: {ok, summary, review, smtp, imap, next} (contract 5). Layer:
 * check.
 */
#include "check/inside.h"

#include "base/escape.h"
#include "diagnose/words.h"

#define MOST_NEXT 16

/* ---- what one side came to */

/* A step that speaks of a mailbox's name is none where the settings are no mailbox's. */
static bool
needs_name(struct bytes sentence)
{
	for (size_t i = 0; i + 4 <= sentence.len; i++) {
		if (memcmp(sentence.at + i, "NAME", 4) == 0)
			return true;
	}
	return false;
}

void
checked_take(struct check *check, enum side side, const struct verdict *verdict)
{
	struct checked *checked = &check->sides[side];
	struct texts next = { 0 };

	checked->is_ok = verdict->is_ok;
	checked->login = verdict->login;
	checked->cause = verdict->cause;
	checked->answers =
		verdict->cause == CAUSE_WRONG_PROTOCOL ? verdict->answers : PROTOCOL_UNKNOWN;
	if (words_next(verdict->cause, verdict, bytes_of(check->name), bytes_of(check->address),
		    &next) != ERR_OK)
		texts_done(&next); /* without memory the steps are left out */
	for (size_t i = 0; i < next.count; i++) {
		struct bytes sentence = bytes_of(next.items[i]);

		if ((check->name || !needs_name(sentence)) &&
			texts_add(&checked->next, sentence, MOST_NEXT) != ERR_OK)
			break;
	}
	texts_done(&next);
	verdict_put_json(&checked->verdict, verdict, true, &checked->next);
}

/* ---- both */

enum outcome {
	OUTCOME_NONE, /* no such side */
	OUTCOME_OK,
	OUTCOME_HELD,
	OUTCOME_FAILING,
	OUTCOME_COUNT
};

static enum outcome
outcome_of(const struct check *check, enum side side)
{
	const struct checked *checked = &check->sides[side];

	if (!checked->endpoint)
		return OUTCOME_NONE;
	if (checked->is_ok)
		return OUTCOME_OK;
	return checked->login == LOGIN_HELD ? OUTCOME_HELD : OUTCOME_FAILING;
}

/* By SMTP's outcome, then IMAP's. */
static const char *const summaries[OUTCOME_COUNT][OUTCOME_COUNT] = {
	[OUTCOME_NONE] = {
		[OUTCOME_NONE] = "There was nothing to check.",
		[OUTCOME_OK] = "Mail is read: all is well.",
		[OUTCOME_HELD] = "Not known: logins of this account are held.",
		[OUTCOME_FAILING] = "Mail is not read.",
	},
	[OUTCOME_OK] = {
		[OUTCOME_NONE] = "Sends: all is well.",
		[OUTCOME_OK] = "Sends, and replies are read: all is well.",
		[OUTCOME_HELD] = "Sends; whether replies are read is not known: logins of this account are held.",
		[OUTCOME_FAILING] = "Sends, but replies are not read.",
	},
	[OUTCOME_HELD] = {
		[OUTCOME_NONE] = "Not known: logins of this account are held.",
		[OUTCOME_OK] = "Replies are read; whether it sends is not known: logins of this account are held.",
		[OUTCOME_HELD] = "Not known: logins of this account are held.",
		[OUTCOME_FAILING] = "Replies are not read; whether it sends is not known: logins of this account are held.",
	},
	[OUTCOME_FAILING] = {
		[OUTCOME_NONE] = "Does not send.",
		[OUTCOME_OK] = "Replies are read, but it does not send.",
		[OUTCOME_HELD] = "Does not send; whether replies are read is not known: logins of this account are held.",
		[OUTCOME_FAILING] = "Neither sends nor reads replies.",
	},
};

static bool
is_others(const struct check *check, enum side side)
{
	enum side other = side == SIDE_SMTP ? SIDE_IMAP : SIDE_SMTP;

	return check->sides[side].endpoint && check->sides[side].answers == protocol_of_side(other);
}

const char *
check_both(const struct check *check)
{
	const struct endpoint *smtp = check->sides[SIDE_SMTP].endpoint;
	const struct endpoint *imap = check->sides[SIDE_IMAP].endpoint;
	bool is_smtp = is_others(check, SIDE_SMTP), is_imap = is_others(check, SIDE_IMAP);

	if (!smtp || !imap || (!is_smtp && !is_imap))
		return NULL;
	if (is_smtp && is_imap)
		return "The hosts look swapped: each side's server speaks the other's protocol.";
	if (strcmp(smtp->host, imap->host) == 0 && smtp->port == imap->port)
		return is_smtp ? "Both sides name the same server and port: it speaks IMAP."
			       : "Both sides name the same server and port: it speaks SMTP.";
	return is_smtp ? "IMAP answers where SMTP was meant: was IMAP's server named twice?"
		       : "SMTP answers where IMAP was meant: was SMTP's server named twice?";
}

static bool
stands_in(const struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (strcmp(texts->items[i], text) == 0)
			return true;
	}
	return false;
}

/* Of two sides that fail for two causes each step says whose it is. */
static void
put_next(const struct check *check, struct buf *out)
{
	const struct checked *smtp = &check->sides[SIDE_SMTP], *imap = &check->sides[SIDE_IMAP];
	bool is_named = smtp->next.count > 0 && imap->next.count > 0 && smtp->cause != imap->cause;
	const char *both = check_both(check);
	const char *between = "";

	if (both) {
		json_put_text(out, bytes_of(both));
		between = ",";
	}
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct texts *next = &check->sides[side].next;

		for (size_t i = 0; i < next->count; i++) {
			struct buf text = { 0 };

			if (side == SIDE_IMAP && !is_named &&
				stands_in(&smtp->next, next->items[i]))
				continue;
			if (is_named)
				buf_put_string(&text, side == SIDE_SMTP ? "SMTP: " : "IMAP: ");
			text_put(&text, next->items[i]);
			buf_put_string(out, between);
			json_put_text(out, buf_bytes(&text));
			out->is_failed |= text.is_failed;
			buf_done(&text);
			between = ",";
		}
	}
}

static void
put_transcripts(const struct check *check, struct buf *out)
{
	const char *between = "";

	buf_put_string(out, ",\"transcript\":{");
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct bytes rest = buf_bytes(&check->sides[side].transcript);
		const char *comma = "";

		if (!check->sides[side].endpoint)
			continue;
		buf_put_format(out, "%s\"%s\":[", between, side_name((enum side)side));
		for (; rest.len > 0; comma = ",") {
			struct bytes line = bytes_first(rest, bytes_index(rest, '\n'));

			buf_put_string(out, comma);
			json_put_text(out, line);
			rest = bytes_from(rest, line.len + 1);
		}
		buf_put_byte(out, ']');
		between = ",";
	}
	buf_put_byte(out, '}');
}

void
check_put_document(const struct check *check, struct buf *out)
{
	buf_put_format(out, "{\"ok\":%s", check_is_ok(check) ? "true" : "false");
	if (check->name) {
		buf_put_string(out, ",\"name\":");
		json_put_text(out, bytes_of(check->name));
	}
	if (check->address) {
		buf_put_string(out, ",\"address\":");
		json_put_text(out, bytes_of(check->address));
	}
	buf_put_string(out, ",\"summary\":");
	json_put_text(out,
		bytes_of(summaries[outcome_of(check, SIDE_SMTP)][outcome_of(check, SIDE_IMAP)]));
	buf_put_string(out, ",\"review\":[");
	buf_put(out, buf_bytes(&check->review));
	buf_put_byte(out, ']');
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		const struct buf *verdict = &check->sides[side].verdict;

		buf_put_format(out, ",\"%s\":", side_name(side));
		out->is_failed |= verdict->is_failed;
		if (verdict->len > 0)
			buf_put(out, buf_bytes(verdict));
		else
			buf_put_string(out, "null");
	}
	buf_put_string(out, ",\"next\":[");
	put_next(check, out);
	buf_put_byte(out, ']');
	if (check_is_held(check))
		buf_put_string(out, ",\"held\":true");
	if (check->with_transcript)
		put_transcripts(check, out);
	buf_put_byte(out, '}');
}

bool
check_is_ok(const struct check *check)
{
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (check->sides[side].endpoint && !check->sides[side].is_ok)
			return false;
	}
	return true;
}

bool
check_is_held(const struct check *check)
{
	bool is_held = false;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct checked *checked = &check->sides[side];

		if (!checked->endpoint)
			continue;
		if (checked->login != LOGIN_HELD)
			return false;
		is_held = true;
	}
	return is_held;
}
