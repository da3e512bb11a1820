/*
 * line.c: bytes of a server -> lines. Layer: dialogue, pure.
 */
#include "dialogue/line.h"

#include "dialogue/dialogue.h"

/* As many of rest as the probe may still read (contract 7). */
static struct bytes
within_probe(const struct line_reader *reader, struct bytes rest)
{
	size_t left = DIALOGUE_MOST_READ_BYTES - reader->total_bytes;

	return bytes_first(rest, rest.len < left ? rest.len : left);
}

static void
take(struct line_reader *reader, struct bytes *rest, size_t len)
{
	reader->total_bytes += len;
	*rest = bytes_from(*rest, len);
}

static enum err
hold(struct line_reader *reader, struct bytes piece)
{
	struct buf *held = &reader->held;

	/* A long line gets all the room it may have at once: doubling would take twice that. */
	if (held->len + piece.len > DIALOGUE_MOST_LINE_BYTES / 2 &&
		!buf_reserve(held, DIALOGUE_MOST_LINE_BYTES + 1 - held->len))
		return ERR_MEMORY;
	buf_put(held, piece);
	return buf_err(held);
}

static struct bytes
without_end(struct line_reader *reader)
{
	struct bytes line = buf_bytes(&reader->held);
	size_t crs = 0;

	line.len--;
	for (; line.len > 0 && line.at[line.len - 1] == '\r'; line.len--)
		crs++;
	if (crs == 0)
		reader->oddities |= LINE_LF_ALONE;
	else if (crs > 1)
		reader->oddities |= LINE_MANY_CR;
	if (bytes_index(line, '\r') < line.len)
		reader->oddities |= LINE_LONE_CR;
	return line;
}

enum err
line_next(struct line_reader *reader, struct bytes *rest, struct bytes *out)
{
	struct bytes piece = within_probe(reader, *rest);
	size_t lf = bytes_index(piece, '\n');
	bool has_end = lf < piece.len;
	enum err err;

	if (reader->is_given)
		line_reader_clear(reader);
	if (has_end)
		piece = bytes_first(piece, lf + 1);
	if (piece.len > DIALOGUE_MOST_LINE_BYTES - reader->held.len) {
		piece.len = DIALOGUE_MOST_LINE_BYTES - reader->held.len;
		err = hold(reader, piece);
		take(reader, rest, piece.len);
		return err == ERR_OK ? ERR_LIMIT : err;
	}
	err = hold(reader, piece);
	if (err != ERR_OK)
		return err;
	take(reader, rest, piece.len);
	if (!has_end)
		return rest->len > 0 ? ERR_LIMIT : ERR_MORE;
	reader->is_given = true;
	*out = without_end(reader);
	return ERR_OK;
}

enum err
line_skip(struct line_reader *reader, struct bytes *rest, uint64_t *left)
{
	struct bytes piece = within_probe(reader, *rest);

	if (reader->is_given)
		line_reader_clear(reader);
	if (piece.len > *left)
		piece = bytes_first(piece, (size_t)*left);
	take(reader, rest, piece.len);
	*left -= piece.len;
	if (*left == 0)
		return ERR_OK;
	return rest->len > 0 ? ERR_LIMIT : ERR_MORE;
}

struct bytes
line_piece(const struct line_reader *reader)
{
	return reader->is_given ? BYTES_NONE : buf_bytes(&reader->held);
}

void
line_reader_clear(struct line_reader *reader)
{
	/* The echo of a long line is not kept for the rest of the session. */
	if (reader->held.room > DIALOGUE_MOST_LINE_BYTES / 16)
		buf_done_wiped(&reader->held);
	buf_clear(&reader->held);
	reader->is_given = false;
}

void
line_reader_done(struct line_reader *reader)
{
	buf_done_wiped(&reader->held);
}
