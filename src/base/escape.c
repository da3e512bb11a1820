/*
 * escape.c: text from outside -> text that harms nobody, for each place. Layer: base.
 *
 * Text is walked by characters. What is printable ASCII and means nothing in the place goes through
 * in runs; all else is turned into a piece that goes in whole or not at all, so a cut never falls
 * within.
 */
#include "base/escape.h"

#include <assert.h>
#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

/* The longest: four bytes of a character, each as \\xNN. */
#define PIECE_MOST_BYTES 24

struct piece {
	char at[PIECE_MOST_BYTES];
	size_t len;
};

/*
 * Nothing of it would be seen: controls, directions and other formats, surrogates, private use, not
 * assigned, line and paragraph ends (by category), and fillers and variation selectors that have
 * the category of letters and marks (UAX 44 Default_Ignorable_Code_Point): bytes can be hidden in
 * those.
 */
static bool
is_invisible(ucs4_t character)
{
	static const uint32_t hidden = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf |
				       UC_CATEGORY_MASK_Cs | UC_CATEGORY_MASK_Co |
				       UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Zl |
				       UC_CATEGORY_MASK_Zp;

	return uc_is_general_category_withtable(character, hidden) ||
	       uc_is_property_default_ignorable_code_point(character);
}

/* The first character of text, which is not empty, and its length; false: one byte that is no
 * UTF-8. */
static bool
next_character(struct bytes text, ucs4_t *character, size_t *len)
{
	int got = u8_mbtoucr(character, (const uint8_t *)text.at, text.len);

	*len = got > 0 ? (size_t)got : 1;
	return got > 0;
}

static void
piece_put(struct piece *piece, struct bytes bytes)
{
	memcpy(piece->at + piece->len, bytes.at, bytes.len);
	piece->len += bytes.len;
}

static void
piece_put_hex(struct piece *piece, struct bytes before, unsigned value, unsigned digits)
{
	piece_put(piece, before);
	while (digits-- > 0)
		piece->at[piece->len++] = "0123456789abcdef"[value >> 4 * digits & 15];
}

/* RFC 8259 7: four digits each, a surrogate pair above U+FFFF. */
static void
piece_put_unicode(struct piece *piece, ucs4_t character)
{
	if (character > 0xffff) {
		character -= 0x10000;
		piece_put_hex(piece, BYTES("\\u"), 0xd800 + (character >> 10), 4);
		character = 0xdc00 + (character & 0x3ff);
	}
	piece_put_hex(piece, BYTES("\\u"), character, 4);
}

/* Bytes of ASCII that mean something in a place, and what is put for each. */
static const struct escape_row {
	struct {
		char byte;
		struct bytes as;
	} special[8];
	struct bytes before_hex; /* of a byte; none: JSON's \u */
} escape_rows[] = {
	[ESCAPE_LOGFMT] = {
		.special = {
			{ '"', { "'", 1 } },
			{ '=', { "\\\\x3d", 5 } },
			{ '\\', { "\\\\x5c", 5 } },
		},
		.before_hex = { "\\\\x", 3 },
	},
	[ESCAPE_JSON] = {
		.special = {
			{ '"', { "\\\"", 2 } },
			{ '\\', { "\\\\", 2 } },
			{ '\b', { "\\b", 2 } },
			{ '\f', { "\\f", 2 } },
			{ '\n', { "\\n", 2 } },
			{ '\r', { "\\r", 2 } },
			{ '\t', { "\\t", 2 } },
		},
	},
	[ESCAPE_TERMINAL] = {
		.before_hex = { "\\x", 2 },
	},
	[ESCAPE_METRIC] = {
		.special = {
			{ '"', { "\\\"", 2 } },
			{ '\\', { "\\\\", 2 } },
			{ '\n', { "\\n", 2 } },
		},
		.before_hex = { "\\\\x", 3 },
	},
};
static_assert(COUNT_OF(escape_rows) == ESCAPE_PLACE_COUNT, "a row for each place");

/* What stands for the byte here, or none. */
static struct bytes
special(enum escape_place place, char byte)
{
	const struct escape_row *row = &escape_rows[place];

	for (size_t i = 0; i < COUNT_OF(row->special) && row->special[i].byte != '\0'; i++) {
		if (row->special[i].byte == byte)
			return row->special[i].as;
	}
	return BYTES_NONE;
}

/* How many bytes at the front of text go through as they are: printable ASCII without a meaning. */
static size_t
plain_run(struct bytes text, enum escape_place place)
{
	size_t len = 0;

	while (len < text.len && text.at[len] >= 0x20 && text.at[len] < 0x7f &&
		special(place, text.at[len]).len == 0)
		len++;
	return len;
}

/* What stands for the character at the front of text, or for its first byte; the length of either.
 */
static size_t
escape_one(struct bytes text, enum escape_place place, struct piece *piece)
{
	struct bytes as = special(place, text.at[0]);
	bool is_character;
	ucs4_t character;
	size_t len;

	piece->len = 0;
	if (as.len > 0) {
		piece_put(piece, as);
		return 1;
	}
	is_character = next_character(text, &character, &len);
	if (is_character && !is_invisible(character))
		piece_put(piece, bytes_first(text, len));
	else if (place == ESCAPE_JSON)
		piece_put_unicode(piece, is_character ? character : (uint8_t)text.at[0]);
	else {
		for (size_t i = 0; i < len; i++)
			piece_put_hex(piece, escape_rows[place].before_hex, (uint8_t)text.at[i], 2);
	}
	return len;
}

bool
escape_put_cut(struct buf *out, struct bytes text, enum escape_place place, size_t most)
{
	struct piece piece;

	while (text.len > 0) {
		size_t len = plain_run(text, place);

		if (len > most)
			len = most;
		if (len > 0) {
			buf_put(out, bytes_first(text, len));
			most -= len;
		} else {
			len = escape_one(text, place, &piece);
			if (piece.len > most)
				return false;
			buf_put(out, (struct bytes){ piece.at, piece.len });
			most -= piece.len;
		}
		text = bytes_from(text, len);
	}
	return true;
}

void
escape_put(struct buf *out, struct bytes text, enum escape_place place)
{
	(void)escape_put_cut(out, text, place, SIZE_MAX);
}

void
json_put_text(struct buf *out, struct bytes text)
{
	if (!text.at) {
		buf_put(out, BYTES("null"));
		return;
	}
	buf_put_byte(out, '"');
	escape_put(out, text, ESCAPE_JSON);
	buf_put_byte(out, '"');
}

bool
text_is_clean(struct bytes text)
{
	ucs4_t character;
	size_t len;

	while (text.len > 0) {
		if (!next_character(text, &character, &len) || is_invisible(character))
			return false;
		text = bytes_from(text, len);
	}
	return true;
}

size_t
text_columns(struct bytes text)
{
	size_t columns = 0;
	ucs4_t character;
	size_t len;

	while (text.len > 0) {
		/* Where the encoding is UTF-8 the locale is not asked. */
		int width =
			next_character(text, &character, &len) ? uc_width(character, "UTF-8") : 1;

		if (width > 0)
			columns += (size_t)width;
		text = bytes_from(text, len);
	}
	return columns;
}
