/*
 * imap_list.c: LIST, at one place alone: the folder was refused, and which ones there are may say
 * why (RFC 9051 6.3.9, 7.3.1; RFC 6154). Layer: dialogue, pure. Not here: which of them may be
 *meant (diagnose/folder_guess.c).
 *
 *	mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
 *
 * Whatever comes of it, the session ends by the refusal; only what breaks the protocol, or breaks
 * off in the middle, is worse (H2-15 to H2-17). Names that come as literals are passed over.
 */
#include "dialogue/imap.h"
#include "dialogue/utf7.h"

#include <stdlib.h>

#define MOST_NAME_BYTES ((size_t)512)

/* Another reason is named: whatever it is, no list explains it, and a server that asks for quiet
 * gets no more commands (H7-23). What the words mean in full is told by diagnose/. */
static bool
names_another_reason(struct bytes text)
{
	static const char *const words[] = { "backoff", "limit", "too many", "try again",
		"temporar", "denied", "permission", "permitted", "right", "lock", "busy", "in use",
		"quota", "internal", "unavailable" };

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (bytes_contains_nocase(text, bytes_of(words[i])))
			return true;
	}
	return false;
}

bool
imap_may_list(const struct imap_response *response)
{
	static const char *const codes[] = { "NONEXISTENT", "TRYCREATE", "CANNOT" };

	if (response->status != REPLY_NO)
		return false;
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (bytes_equal_nocase(response->code, bytes_of(codes[i])))
			return true;
	}
	return response->code.len == 0 && !names_another_reason(response->text);
}

void
imap_say_list(struct imap *d)
{
	imap_say(d, "LIST \"\" \"*\"");
}

static void
read_flag(struct folder *folder, struct bytes flag)
{
	static const struct {
		struct bytes flag;
		enum folder_use use;
	} uses[] = {
		{ { "\\Sent", 5 }, FOLDER_USE_SENT },
		{ { "\\Drafts", 7 }, FOLDER_USE_DRAFTS },
		{ { "\\Junk", 5 }, FOLDER_USE_JUNK },
		{ { "\\Trash", 6 }, FOLDER_USE_TRASH },
		{ { "\\Archive", 8 }, FOLDER_USE_ARCHIVE },
	};

	for (size_t i = 0; i < COUNT_OF(uses); i++) {
		if (bytes_equal_nocase(flag, uses[i].flag))
			folder->use = uses[i].use;
	}
	if (bytes_equal_nocase(flag, BYTES("\\Noselect")) ||
		bytes_equal_nocase(flag, BYTES("\\NonExistent")))
		folder->is_container = true;
}

/* The next string or atom off *rest, quotes taken off, into out. False: a literal, or none. */
static bool
take_string(struct bytes *rest, struct buf *out)
{
	size_t i = 1;

	*rest = bytes_trim(*rest);
	if (rest->len == 0 || rest->at[0] == '{')
		return false;
	if (rest->at[0] != '"') {
		buf_put(out, bytes_next_word(rest));
		return true;
	}
	for (; i < rest->len && rest->at[i] != '"'; i++) {
		if (rest->at[i] == '\\' && i + 1 < rest->len)
			i++;
		buf_put_byte(out, rest->at[i]);
	}
	if (i >= rest->len)
		return false;
	*rest = bytes_from(*rest, i + 1);
	return true;
}

static bool
read_delimiter(struct bytes *rest, struct folder *folder)
{
	bool is_quoted = bytes_starts(bytes_trim(*rest), BYTES("\""));
	struct buf text = { 0 };
	bool is_read = take_string(rest, &text);

	if (is_read && is_quoted && text.len == 1)
		folder->delimiter = text.at[0];
	buf_done(&text);
	return is_read;
}

/* In UTF-8; else as it came, to be shown alone (H2-32). So is one that holds the secret, masked. */
static void
keep(struct imap *d, struct folder *folder, struct bytes wire)
{
	struct buf name = { 0 };
	enum err err = utf7_put_decoded(&name, wire);

	folder->is_name_unsound = err == ERR_SYNTAX;
	dialogue_keep_text(&d->base, &folder->name, err == ERR_OK ? buf_bytes(&name) : wire);
	if (err == ERR_OK && folder->name && !bytes_equal(bytes_of(folder->name), buf_bytes(&name)))
		folder->is_name_unsound = true;
	if (err == ERR_MEMORY || !folder->name ||
		folders_add(&d->base.finding.folders, folder) == ERR_MEMORY)
		d->base.is_failed = true;
	free(folder->name);
	buf_done(&name);
}

bool
imap_take_listed(struct bytes data, struct folder *folder, struct buf *name)
{
	struct bytes flags;
	size_t end = bytes_index(data, ')');

	if (data.len == 0 || data.at[0] != '(' || end == data.len)
		return false;
	flags = bytes_from(bytes_first(data, end), 1);
	data = bytes_from(data, end + 1);
	while (flags.len > 0)
		read_flag(folder, bytes_next_word(&flags));
	return read_delimiter(&data, folder) && take_string(&data, name) && name->len > 0 &&
	       name->len <= MOST_NAME_BYTES && buf_err(name) == ERR_OK;
}

void
imap_read_list(struct imap *d, struct bytes data)
{
	struct folder folder = { 0 };
	struct buf name = { 0 };

	if (imap_take_listed(data, &folder, &name))
		keep(d, &folder, buf_bytes(&name));
	d->base.is_failed |= buf_err(&name) != ERR_OK;
	buf_done(&name);
	/* Enough: of a server with a hundred thousand folders the rest is not waited for. */
	if (d->base.finding.folders.count == FOLDERS_MOST)
		(void)imap_end_listing(d, GOODBYE_SAID);
}

bool
imap_end_listing(struct imap *d, enum goodbye goodbye)
{
	if (d->state != IMAP_LIST)
		return false;
	dialogue_end(&d->base, FINDING_REFUSED, STAGE_SELECT, goodbye);
	return true;
}

void
imap_on_list(struct imap *d, const struct imap_response *response)
{
	(void)response;
	(void)imap_end_listing(d, GOODBYE_SAID);
}
