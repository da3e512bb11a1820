/*
 * imap_errand.c: what a check does in a session beyond a probe. Layer: dialogue, pure.
 *
 * When mail last came: the UID and the date of the last message, which marks nothing.
 * A test message that was sent: it is looked for by its own Message-ID, in INBOX and in the folder
 * for junk, again and again with a pause between, and deleted by its own UID. Folders are opened by
 * EXAMINE until the message is found. Nothing else is touched: where the server cannot expunge one
 * UID alone (RFC 4315) the message stays and that is said, since a message that was only marked
 * would go with the next EXPUNGE of anybody, and others' with ours.
 */
#include "dialogue/imap.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_LOOKS 30 /* with DIALOGUE_PAUSE_US between them: a minute */
#define MOST_DATE_BYTES ((size_t)40)

bool
imap_is_sent(const struct imap *d)
{
	return d->base.errand && d->base.errand->message_id;
}

/* ---- when mail last came */

bool
imap_may_look_at_last(const struct imap *d)
{
	return d->base.errand && d->base.errand->looks_at_last;
}

void
imap_say_last(struct imap *d)
{
	imap_say(d, "FETCH * (UID INTERNALDATE)");
}

/* "(UID 12 INTERNALDATE "28-Nov-2026 19:00:00 +0000")" */
void
imap_read_last(struct imap *d, struct bytes data)
{
	struct bytes rest = data;
	size_t start = bytes_index(rest, '"'), len;

	rest = bytes_from(rest, start + 1);
	len = bytes_index(rest, '"');
	if (!bytes_contains_nocase(data, BYTES("INTERNALDATE")) || len == rest.len ||
		len > MOST_DATE_BYTES || d->has_last)
		return;
	d->has_last = true;
	dialogue_note_text(&d->base, "mail came last at ", bytes_trim(bytes_first(rest, len)));
}

/* Of an empty folder there is no last one, which servers answer by BAD, by NO or by nothing. */
void
imap_on_last(struct imap *d, const struct imap_response *response)
{
	(void)response;
	if (!d->has_last)
		finding_note(&d->base.finding, "the folder is empty");
	imap_enter(d, IMAP_NOOP);
}

/* ---- where the message may be */

void
imap_say_folders(struct imap *d)
{
	imap_say(d, "LIST \"\" \"*\"");
}

/* Where no folder is flagged for it, its usual names. */
void
imap_read_junk(struct imap *d, struct bytes data)
{
	static const char *const names[] = { "Junk", "Spam", "INBOX.Junk", "INBOX.spam",
		"Junk E-mail", "Bulk Mail" };
	struct folder folder = { 0 };
	struct buf name = { 0 };
	bool is_named = false;

	if (!imap_take_listed(data, &folder, &name)) {
		buf_done(&name);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		is_named |= bytes_equal_nocase(buf_bytes(&name), bytes_of(names[i]));
	if (!folder.is_container && (folder.use == FOLDER_USE_JUNK || (is_named && !d->junk))) {
		free(d->junk);
		d->junk = buf_take(&name);
	}
	buf_done(&name);
}

void
imap_on_folders(struct imap *d, const struct imap_response *response)
{
	(void)response; /* a server that does not list is looked at in INBOX alone */
	imap_enter(d, IMAP_FIND_OPEN);
}

static const char *
place(const struct imap *d)
{
	return d->is_in_junk ? d->junk : "INBOX";
}

static void
say_open(struct imap *d, const char *verb)
{
	struct buf command = { 0 };

	buf_put_format(&command, "%s ", verb);
	imap_put_folder(&command, bytes_of(place(d)));
	if (buf_err(&command) == ERR_OK)
		imap_say(d, command.at);
	else
		d->base.is_failed = true;
	buf_done(&command);
}

void
imap_say_find_open(struct imap *d)
{
	say_open(d, "EXAMINE");
}

/* The next place, or a pause and all of them again, or the end of it. */
static void
look_on(struct imap *d)
{
	if (!d->is_in_junk && d->junk) {
		d->is_in_junk = true;
		imap_enter(d, IMAP_FIND_OPEN);
	} else if (++d->looks < MOST_LOOKS) {
		d->is_in_junk = false;
		imap_enter(d, IMAP_FIND_PAUSE);
	} else {
		finding_detail(&d->base.finding, "not found in INBOX%s%s",
			d->junk ? " nor in " : "", d->junk ? d->junk : "");
		imap_end(d, FINDING_NOT_DELIVERED);
	}
}

void
imap_begin_pause(struct imap *d)
{
	d->base.want = DIALOGUE_WANT_PAUSE;
}

void
imap_pause_over(struct dialogue *dialogue)
{
	imap_enter(imap_of(dialogue), IMAP_FIND_OPEN);
}

void
imap_on_find_open(struct imap *d, const struct imap_response *response)
{
	if (response->status == REPLY_OK)
		imap_enter(d, IMAP_FIND);
	else
		look_on(d);
}

/* ---- looking */

void
imap_say_find(struct imap *d)
{
	struct buf command = { 0 };

	buf_put_string(&command, "UID SEARCH HEADER Message-ID ");
	imap_put_quoted(&command, bytes_of(d->base.errand->message_id));
	if (buf_err(&command) == ERR_OK)
		imap_say(d, command.at);
	else
		d->base.is_failed = true;
	buf_done(&command);
	d->uid = 0;
}

/* A server that finds more than one has not looked for ours: then none is touched. */
void
imap_read_found(struct imap *d, struct bytes data)
{
	struct bytes word = bytes_next_word(&data);
	uint64_t uid;

	if (bytes_to_number(word, UINT32_MAX, &uid) != ERR_OK || uid == 0)
		return;
	d->is_uid_sure = d->uid == 0 && bytes_trim(data).len == 0;
	d->uid = (uint32_t)uid;
}

/* The place in UTF-8, where it can be said so. */
static void
note_found(struct imap *d, const char *what)
{
	struct buf words = { 0 };

	buf_put_format(&words, "the test message %s in ", what);
	if (buf_err(&words) == ERR_OK)
		dialogue_note_text(&d->base, words.at, bytes_of(place(d)));
	buf_done(&words);
}

void
imap_on_find(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		imap_end_refused(d, response);
	} else if (d->uid == 0) {
		look_on(d);
	} else {
		note_found(d, "arrived");
		if (d->is_uid_sure && d->has_uidplus) {
			imap_enter(d, IMAP_FIND_SELECT);
			return;
		}
		finding_note(&d->base.finding, "%s",
			d->is_uid_sure ? "it stays there: the server cannot delete one message "
					 "alone (UIDPLUS)"
				       : "it stays there: the server finds more than one by its "
					 "Message-ID");
		imap_end(d, FINDING_DONE);
	}
}

/* ---- deleting it, and nothing else */

void
imap_say_find_select(struct imap *d)
{
	say_open(d, "SELECT");
}

void
imap_say_mark(struct imap *d)
{
	char command[64];

	snprintf(command, sizeof(command), "UID STORE %u +FLAGS.SILENT (\\Deleted)",
		(unsigned)d->uid);
	imap_say(d, command);
}

void
imap_say_expunge(struct imap *d)
{
	char command[32];

	snprintf(command, sizeof(command), "UID EXPUNGE %u", (unsigned)d->uid);
	imap_say(d, command);
}

/* The answer to any of the three. */
void
imap_on_deleting(struct imap *d, const struct imap_response *response)
{
	if (response->status != REPLY_OK) {
		finding_note(&d->base.finding, "it stays there: it could not be deleted");
		imap_end(d, FINDING_DONE);
	} else if (d->state == IMAP_FIND_SELECT) {
		imap_enter(d, IMAP_FIND_MARK);
	} else if (d->state == IMAP_FIND_MARK) {
		imap_enter(d, IMAP_FIND_EXPUNGE);
	} else {
		finding_note(&d->base.finding, "and was deleted");
		imap_end(d, FINDING_DONE);
	}
}
