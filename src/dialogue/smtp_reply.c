/*
 * smtp_reply.c: bytes of a server -> replies (RFC 5321 4.2, RFC 3463 2). Layer: dialogue, pure.
 * Not here: what a reply means for the session (smtp.c) or for the mailbox (diagnose/).
 *
 *	Reply-line  = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *	Reply-code  = %x32-35 %x30-35 %x30-39
 *
 * Read wider: any second digit (571 is seen), and a first one of 1, so that "150 …" is a reply of a
 * wrong class and not noise.
 */
#include "dialogue/smtp_reply.h"

#define BOM BYTES("\xEF\xBB\xBF")

/* Reply-code, and whether more lines follow. ERR_SYNTAX */
static enum err
parse_code(struct bytes line, int *code, bool *is_last)
{
	if (line.len < 3 || line.at[0] < '1' || line.at[0] > '5' || !byte_is_digit(line.at[1]) ||
		!byte_is_digit(line.at[2]))
		return ERR_SYNTAX;
	if (line.len > 3 && line.at[3] != ' ' && line.at[3] != '-')
		return ERR_SYNTAX;
	*code = (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0');
	*is_last = line.len == 3 || line.at[3] == ' ';
	return ERR_OK;
}

/* A number of an enhanced code, up to three digits, off *rest; -1: none. */
static int
take_number(struct bytes *rest)
{
	int number = 0;
	size_t len = 0;

	for (; len < rest->len && len < 3 && byte_is_digit(rest->at[len]); len++)
		number = 10 * number + (rest->at[len] - '0');
	*rest = bytes_from(*rest, len);
	return len > 0 ? number : -1;
}

/*
 * status-code = class "." subject "." detail, then a blank or the end (RFC 3463 2, RFC 2034 4).
 * Takes it off *text; false, and nothing taken, where none stands there.
 */
static bool
take_enhanced(struct bytes *text, int enhanced[3])
{
	struct bytes rest = *text;
	int parts[3];

	for (size_t i = 0; i < 3; i++) {
		if (i > 0) {
			if (rest.len == 0 || rest.at[0] != '.')
				return false;
			rest = bytes_from(rest, 1);
		}
		parts[i] = take_number(&rest);
		if (parts[i] < 0)
			return false;
	}
	if (parts[0] != 2 && parts[0] != 4 && parts[0] != 5)
		return false;
	if (rest.len > 0 && rest.at[0] != ' ')
		return false;
	memcpy(enhanced, parts, sizeof(parts));
	*text = rest;
	return true;
}

static void
put_line(struct buf *lines, struct bytes line, bool is_first)
{
	if (lines->len + line.len + 1 > SMTP_REPLY_MOST_BYTES)
		return;
	if (!is_first)
		buf_put_byte(lines, '\n');
	buf_put(lines, line);
}

static void
forget_reply(struct smtp_reader *reader)
{
	buf_done(&reader->lines);
	buf_done(&reader->text);
	reader->code = 0;
	memset(reader->enhanced, 0, sizeof(reader->enhanced));
	reader->is_given = false;
}

/* What servers put before the code of a greeting and what changes nothing (H2-02, H2-12). */
static struct bytes
without_odd_start(struct smtp_reader *reader, struct bytes line)
{
	if (bytes_starts(line, BOM)) {
		reader->oddities |= SMTP_ODD_BOM;
		line = bytes_from(line, BOM.len);
	}
	while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
		reader->oddities |= SMTP_ODD_BLANK;
		line = bytes_from(line, 1);
	}
	if (line.len == 0)
		reader->oddities |= SMTP_ODD_EMPTY_LINE;
	return line;
}

/* One line more of the reply in hand. ERR_MORE: others follow. */
static enum err
add_line(struct smtp_reader *reader, struct bytes line)
{
	bool is_first = reader->code == 0;
	int enhanced[3] = { 0 };
	struct bytes text;
	int code = 0;
	bool is_last = false;
	enum err err = parse_code(line, &code, &is_last);

	put_line(&reader->lines, line, is_first);
	if (reader->lines.is_failed)
		return ERR_MEMORY;
	/* RFC 5321 4.2.1: the code is the same on each line (H2-20). */
	if (err != ERR_OK || (!is_first && code != reader->code))
		return ERR_SYNTAX;
	reader->code = code;
	if (line.len == 3)
		reader->oddities |= SMTP_ODD_BARE_CODE;
	text = bytes_from(line, 4);
	if (take_enhanced(&text, enhanced) && reader->enhanced[0] == 0)
		memcpy(reader->enhanced, enhanced, sizeof(enhanced));
	put_line(&reader->text, bytes_trim(text), is_first);
	if (reader->text.is_failed)
		return ERR_MEMORY;
	return is_last ? ERR_OK : ERR_MORE;
}

static void
give_reply(const struct smtp_reader *reader, struct smtp_reply *out)
{
	out->code = reader->code;
	memcpy(out->enhanced, reader->enhanced, sizeof(out->enhanced));
	out->lines = buf_bytes(&reader->lines);
	out->text = buf_bytes(&reader->text);
}

enum err
smtp_reply_next(struct smtp_reader *reader, struct bytes *rest, struct smtp_reply *out)
{
	struct bytes line;
	enum err err;

	if (reader->is_given)
		forget_reply(reader);
	while ((err = line_next(&reader->line, rest, &line)) == ERR_OK) {
		if (!reader->is_begun) {
			line = without_odd_start(reader, line);
			if (line.len == 0)
				continue;
			reader->is_begun = true;
		}
		err = add_line(reader, line);
		if (err != ERR_MORE)
			break;
	}
	if (err != ERR_OK)
		return err;
	reader->is_given = true;
	give_reply(reader, out);
	return ERR_OK;
}

bool
smtp_reply_cut_off(const struct smtp_reader *reader, struct smtp_reply *out)
{
	if (reader->is_given || reader->code == 0)
		return false;
	give_reply(reader, out);
	return true;
}

struct bytes
smtp_reply_unfinished(const struct smtp_reader *reader)
{
	return reader->is_given ? BYTES_NONE : buf_bytes(&reader->lines);
}

void
smtp_reader_clear(struct smtp_reader *reader)
{
	line_reader_clear(&reader->line);
	forget_reply(reader);
}

void
smtp_reader_done(struct smtp_reader *reader)
{
	line_reader_done(&reader->line);
	forget_reply(reader);
}
