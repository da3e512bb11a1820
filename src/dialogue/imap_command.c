/*
 * imap_command.c: tags, quoting, folder names (RFC 3501 9). Layer: dialogue, pure.
 * Not here: literals, which only a login needs (imap_login.c).
 */
#include "dialogue/imap.h"

#include <stdio.h>

void
imap_put_tag(struct imap *d, struct buf *line)
{
	d->tags++;
	snprintf(d->tag, sizeof(d->tag), "a%u", d->tags);
	buf_clear(&d->beside);
	buf_put_format(line, "%s ", d->tag);
}

void
imap_say(struct imap *d, const char *command)
{
	struct buf line = { 0 };

	imap_put_tag(d, &line);
	buf_put_string(&line, command);
	if (buf_err(&line) == ERR_OK)
		dialogue_say(&d->base, buf_bytes(&line));
	else
		d->base.is_failed = true;
	buf_done(&line);
}

bool
imap_is_quotable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];

		if ((byte & 0x80) || byte == '\0' || byte == '\r' || byte == '\n')
			return false;
	}
	return true;
}

void
imap_put_quoted(struct buf *line, struct bytes text)
{
	buf_put_byte(line, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '"' || text.at[i] == '\\')
			buf_put_byte(line, '\\');
		buf_put_byte(line, text.at[i]);
	}
	buf_put_byte(line, '"');
}

void
imap_put_folder(struct buf *line, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		char byte = name.at[i];

		if (!byte_is_letter(byte) && !byte_is_digit(byte) && byte != '.' && byte != '/' &&
			byte != '-' && byte != '_') {
			imap_put_quoted(line, name);
			return;
		}
	}
	if (name.len > 0)
		buf_put(line, name);
	else
		imap_put_quoted(line, name);
}
