/*
 * imap_receive.c: what comes, and which part of the session it belongs to. Layer: dialogue, pure.
 * Not here: how bytes become responses (imap_response.c).
 */
#include "dialogue/imap.h"

#include <stdlib.h>

/* Untagged lines kept beside the tagged one; what a verdict shows of them is less still. */
#define IMAP_MOST_BESIDE_BYTES ((size_t)16 * 1024)

/* --- what is no IMAP --- */

/*
 * Another protocol greets at this port. An SMTP server says "220"; one that is busy says "421" and
 * is told as that, since some front ends say so for IMAP too.
 */
static bool
is_other_protocol(struct imap *d, struct bytes line)
{
	const char *other = dialogue_other_protocol(SIDE_IMAP, line);

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
	dialogue_end_other_protocol(&d->base, other);
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
		dialogue_end_too_long(&d->base);
		return;
	}
	finding_detail(&d->base.finding, "what came is no IMAP response");
	imap_end(d, FINDING_BROKEN);
}

/* --- responses --- */

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
take_words(struct imap *d, struct bytes words)
{
	if (d->base.endpoint->security != SECURITY_NONE && !d->base.is_under_tls)
		return;
	dialogue_note_text(&d->base, "the server says: ", words);
	dialogue_keep_text(&d->base, &d->base.finding.reply.alert, words);
}

static void
take_alert(struct imap *d, const struct imap_response *response)
{
	if (bytes_equal_nocase(response->code, BYTES("ALERT")) ||
		bytes_equal_nocase(response->code, BYTES("WEBALERT")))
		take_words(d, response->text);
}

/* hMailServer says why it is about to refuse in a line that is no response: "* Too many invalid
 * logon attempts." Data have names in capitals. */
static bool
is_prose(const struct imap *d, const struct imap_response *response)
{
	if (d->base.stage != STAGE_AUTH || dialogue_is_unsent(&d->base) || response->data.len == 0)
		return false;
	for (size_t i = 1; i < response->name.len; i++) {
		if (response->name.at[i] >= 'a' && response->name.at[i] <= 'z')
			return true;
	}
	return false;
}

static void
take_prose(struct imap *d, struct bytes line)
{
	put_beside(d, line);
	take_words(d, bytes_trim(bytes_from(line, 1)));
}

static void
take_bye(struct imap *d, const struct imap_response *response)
{
	server_reply_done(&d->bye);
	imap_fill_reply(d, &d->bye, response);
	d->has_bye = true;
	/* With no command in hand there is nothing to wait for. */
	if (d->state == IMAP_GREETING || dialogue_is_unsent(&d->base))
		imap_end_leaving(d);
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
		imap_on_greeting(d, response);
	} else {
		take_alert(d, response);
		imap_read_code_capabilities(d, response);
	}
}

static void
on_tagged(struct imap *d, const struct imap_response *response)
{
	if (dialogue_is_unsent(&d->base) || d->state == IMAP_GREETING ||
		!bytes_equal(response->tag, bytes_of(d->tag))) {
		imap_keep_reply(d, response);
		finding_detail(&d->base.finding, "a tagged response answers no command of ours");
		imap_end(d, FINDING_UNASKED);
	} else if (d->has_bye && response->status == REPLY_OK) {
		imap_end_leaving(d);
	} else {
		imap_on_done(d, response);
	}
}

/* Data that a command of ours asked for. */
static bool
take_data(struct imap *d, const struct imap_response *response)
{
	static const struct {
		enum imap_state state;
		const char *name;
		void (*read)(struct imap *d, struct bytes data);
	} rows[] = {
		{ IMAP_LIST, "LIST", imap_read_list },
		{ IMAP_LAST, "FETCH", imap_read_last },
		{ IMAP_FIND_FOLDERS, "LIST", imap_read_junk },
		{ IMAP_FIND, "SEARCH", imap_read_found },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (d->state == rows[i].state && !dialogue_is_unsent(&d->base) &&
			bytes_equal_nocase(response->name, bytes_of(rows[i].name))) {
			rows[i].read(d, response->data);
			return true;
		}
	}
	return false;
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
			imap_read_capabilities(d, response->data);
		else if (!take_data(d, response) && is_prose(d, response))
			take_prose(d, response->line);
		break;
	case IMAP_TAGGED:
		on_tagged(d, response);
		break;
	case IMAP_CONTINUATION:
		if (dialogue_is_unsent(&d->base))
			imap_end_broken(d, response,
				"the server asks for more before it was told anything");
		else
			imap_on_continuation(d, response);
		break;
	case IMAP_KIND_COUNT:
		break;
	}
}

/* --- bytes --- */

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
		imap_fill_reply(d, &d->bye, &response);
		d->has_bye = true;
	}
	if (d->has_bye)
		imap_take_bye_as_alert(d);
}

void
imap_receive(struct dialogue *dialogue, struct bytes received)
{
	struct imap *d = imap_of(dialogue);

	while (!dialogue_is_ended(dialogue) && !dialogue->is_failed) {
		struct imap_response response;
		enum err err;

		if (dialogue->want == DIALOGUE_WANT_TLS) {
			if (received.len > 0)
				dialogue_end_injected(dialogue);
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

void
imap_lost(struct dialogue *dialogue)
{
	struct imap *d = imap_of(dialogue);
	struct bytes piece = line_piece(&d->reader.line);

	if (d->has_bye) {
		imap_end_leaving(d);
		return;
	}
	if (d->state == IMAP_GREETING && piece.len > 0 && is_other_protocol(d, piece))
		return;
	/* A list that is cut off in the middle is a session that broke (H2-16). */
	if (piece.len == 0 && !d->reader.is_in_data && imap_end_listing(d, GOODBYE_SAID))
		return;
	dialogue_keep_lines(dialogue, buf_bytes(&d->beside));
	dialogue_keep_lines(dialogue, piece);
}
