/*
 * imap_response.c: bytes of a server -> responses (RFC 9051 7 and 9). Layer: dialogue, pure.
 * Not here: what a response means for the session (imap.c) or for the mailbox (diagnose/).
 *
 *	response-tagged  = tag SP resp-cond-state CRLF
 *	response-data    = "*" SP (resp-cond-state / resp-cond-bye / … / message-data) CRLF
 *	continue-req     = "+" SP (resp-text / base64) CRLF
 *	resp-cond-state  = ("OK" / "NO" / "BAD") SP resp-text
 *	resp-text        = ["[" resp-text-code "]" SP] [text]
 *	literal          = "{" number ["+"] "}" CRLF *CHAR8
 *
 * A literal stands in data alone: the same letters at the end of a text are text (H2-14).
 */
#include "dialogue/imap_response.h"

#include "dialogue/dialogue.h"

#define BOM BYTES("\xEF\xBB\xBF")

static struct bytes
without_start_blanks(struct bytes text)
{
	while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = bytes_from(text, 1);
	return text;
}

static enum reply_status
status_from_word(struct bytes word)
{
	static const struct {
		struct bytes word;
		enum reply_status status;
	} words[] = {
		{ { "OK", 2 }, REPLY_OK },
		{ { "NO", 2 }, REPLY_NO },
		{ { "BAD", 3 }, REPLY_BAD },
		{ { "BYE", 3 }, REPLY_BYE },
		{ { "PREAUTH", 7 }, REPLY_PREAUTH },
	};

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (bytes_equal_nocase(word, words[i].word))
			return words[i].status;
	}
	return REPLY_NONE;
}

/* resp-text-code = atom [SP 1*<any TEXT-CHAR except "]">]; atoms here begin with a letter, so that
 * "[2026-01-01 00:00:00]" is only words (H2-26). */
static bool
is_code_atom(struct bytes atom)
{
	if (atom.len == 0 || !byte_is_letter(atom.at[0]))
		return false;
	for (size_t i = 0; i < atom.len; i++) {
		if (!byte_is_letter(atom.at[i]) && !byte_is_digit(atom.at[i]) &&
			atom.at[i] != '-' && atom.at[i] != '_' && atom.at[i] != '.')
			return false;
	}
	return true;
}

/* resp-text */
static void
parse_text(struct bytes text, struct imap_response *out)
{
	struct bytes inside, atom;
	size_t end;

	text = without_start_blanks(text);
	out->text = text;
	if (text.len == 0 || text.at[0] != '[')
		return;
	end = bytes_index(text, ']');
	if (end == text.len)
		return;
	inside = bytes_first(bytes_from(text, 1), end - 1);
	atom = bytes_next_word(&inside);
	if (!is_code_atom(atom))
		return;
	out->code = atom;
	out->code_argument = bytes_trim(inside);
	out->text = without_start_blanks(bytes_from(text, end + 1));
}

/*
 * Walks a piece of data: how deep it nests, and whether it ends in a literal's size.
 * ERR_SYNTAX: too deep, or braces at the end that hold no number; ERR_LIMIT: more than the probe
 * may read.
 */
static enum err
scan_data(struct imap_reader *reader, struct bytes line, bool *has_literal, uint64_t *literal_len)
{
	bool is_quoted = false;

	*has_literal = false;
	for (size_t i = 0; i < line.len; i++) {
		char byte = line.at[i];

		if (is_quoted && byte == '\\')
			i++;
		else if (byte == '"')
			is_quoted = !is_quoted;
		else if (is_quoted)
			continue;
		else if (byte == '(' && ++reader->depth > IMAP_MOST_DEPTH)
			return ERR_SYNTAX;
		else if (byte == ')' && reader->depth > 0)
			reader->depth--;
		else if (byte == '{' && line.at[line.len - 1] == '}' &&
			 bytes_index(bytes_from(line, i + 1), '{') == line.len - i - 1) {
			struct bytes number =
				bytes_first(bytes_from(line, i + 1), line.len - i - 2);

			if (number.len > 0 && number.at[number.len - 1] == '+')
				number.len--;
			/* number: at most 4,294,967,295 (RFC 9051 9). H2-15 */
			if (bytes_to_number(number, UINT32_MAX, literal_len) != ERR_OK)
				return ERR_SYNTAX;
			if (*literal_len > DIALOGUE_MOST_READ_BYTES - reader->line.total_bytes)
				return ERR_LIMIT;
			*has_literal = true;
			return ERR_OK;
		}
	}
	return ERR_OK;
}

/* "*" SP … */
static enum err
parse_untagged(struct bytes line, struct imap_response *out)
{
	struct bytes rest = bytes_from(line, 1);
	struct bytes word;
	uint64_t number;

	if (rest.len == 0 || rest.at[0] != ' ')
		return ERR_SYNTAX;
	word = bytes_next_word(&rest);
	if (word.len == 0)
		return ERR_SYNTAX;
	out->status = status_from_word(word);
	if (out->status != REPLY_NONE) {
		out->kind = IMAP_UNTAGGED_STATUS;
		parse_text(rest, out);
		return ERR_OK;
	}
	out->kind = IMAP_UNTAGGED_DATA;
	if (bytes_to_number(word, UINT64_MAX, &number) == ERR_OK)
		word = bytes_next_word(&rest);
	out->name = word;
	out->data = without_start_blanks(rest);
	return ERR_OK;
}

static enum err
parse_tagged(struct bytes line, struct imap_response *out)
{
	struct bytes rest = line;

	out->kind = IMAP_TAGGED;
	out->tag = bytes_next_word(&rest);
	out->status = status_from_word(bytes_next_word(&rest));
	if (out->status != REPLY_OK && out->status != REPLY_NO && out->status != REPLY_BAD)
		return ERR_SYNTAX;
	parse_text(rest, out);
	return ERR_OK;
}

static enum err
parse_line(struct bytes line, struct imap_response *out)
{
	*out = (struct imap_response){ .line = line };
	if (line.len == 0)
		return ERR_SYNTAX;
	if (line.at[0] == '*')
		return parse_untagged(line, out);
	if (line.at[0] == '+') {
		out->kind = IMAP_CONTINUATION;
		out->text = without_start_blanks(bytes_from(line, 1));
		return ERR_OK;
	}
	return parse_tagged(line, out);
}

/* What servers put before a greeting and what changes nothing (H2-02, H2-12). */
static struct bytes
without_odd_start(struct imap_reader *reader, struct bytes line)
{
	struct bytes begin;

	if (bytes_starts(line, BOM)) {
		reader->oddities |= IMAP_ODD_BOM;
		line = bytes_from(line, BOM.len);
	}
	begin = without_start_blanks(line);
	if (begin.len < line.len)
		reader->oddities |= IMAP_ODD_BLANK;
	if (begin.len == 0)
		reader->oddities |= IMAP_ODD_EMPTY_LINE;
	return begin;
}

/*
 * A line of data: whole (ERR_OK), or up to a literal (ERR_MORE: the reader now skips it and goes
 * on). The first line is kept, since the reader's own goes with the literal.
 */
static enum err
end_data_line(struct imap_reader *reader, struct bytes line)
{
	bool has_literal;
	enum err err;

	if (!reader->is_in_data)
		reader->depth = 0;
	err = scan_data(reader, line, &has_literal, &reader->literal_left);
	if (err != ERR_OK || !has_literal)
		return err;
	if (!reader->is_in_data) {
		buf_clear(&reader->first);
		buf_put(&reader->first, line);
		reader->is_in_data = true;
	}
	err = buf_err(&reader->first);
	return err == ERR_OK ? ERR_MORE : err;
}

/* One line, and the response where it ends one. */
static enum err
take_line(struct imap_reader *reader, struct bytes line, struct imap_response *out)
{
	enum err err;

	if (reader->is_in_data) {
		err = end_data_line(reader, line);
		if (err != ERR_OK)
			return err;
		reader->is_in_data = false;
		return parse_line(buf_bytes(&reader->first), out);
	}
	if (!reader->is_begun) {
		line = without_odd_start(reader, line);
		if (line.len == 0)
			return ERR_MORE;
		reader->is_begun = true;
	}
	err = parse_line(line, out);
	if (err == ERR_OK && out->kind == IMAP_UNTAGGED_DATA)
		err = end_data_line(reader, line);
	return err;
}

enum err
imap_response_next(struct imap_reader *reader, struct bytes *rest, struct imap_response *out)
{
	struct bytes line;
	enum err err;

	if (reader->is_given) {
		buf_done(&reader->first);
		reader->is_given = false;
	}
	do {
		if (reader->literal_left > 0) {
			err = line_skip(&reader->line, rest, &reader->literal_left);
			if (err != ERR_OK)
				return err;
		}
		err = line_next(&reader->line, rest, &line);
		if (err != ERR_OK)
			return err;
		err = take_line(reader, line, out);
	} while (err == ERR_MORE);
	reader->is_given = err == ERR_OK;
	return err;
}

struct bytes
imap_response_broken(const struct imap_reader *reader)
{
	struct bytes line =
		reader->is_in_data ? buf_bytes(&reader->first) : buf_bytes(&reader->line.held);

	while (line.len > 0 && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
		line.len--;
	return line;
}

void
imap_reader_clear(struct imap_reader *reader)
{
	line_reader_clear(&reader->line);
	buf_done(&reader->first);
	reader->is_in_data = false;
	reader->literal_left = 0;
	reader->is_given = false;
}

void
imap_reader_done(struct imap_reader *reader)
{
	line_reader_done(&reader->line);
	buf_done(&reader->first);
}
