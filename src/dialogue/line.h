/*
 * line.h: lines out of bytes, within the bounds of contract 7. Layer: dialogue, pure.
 *
 * Only LF ends a line; CRs right before it go with it. A CR elsewhere is a byte like others
 * (H2-02). Held is one line at most, whatever comes.
 */
#ifndef DIALOGUE_LINE_H
#define DIALOGUE_LINE_H

#include "base/buf.h"

/* How a server ended a line otherwise than by CRLF; flags. */
enum line_oddity {
	LINE_LF_ALONE = 1,
	LINE_MANY_CR = 2, /* CR CR LF */
	LINE_LONE_CR = 4, /* a CR inside, which ends nothing (H2-02) */
};

struct line_reader {
	struct buf held;    /* the line in hand */
	size_t total_bytes; /* all that was taken, of the whole probe */
	bool is_given;	    /* held was given out: it goes at the next call */
	unsigned oddities;
};

/*
 * Takes the next line out of what came; any split of the bytes gives the same lines.
 *   rest  in: new bytes, borrowed for this call; out: what lies behind the line
 *   out   the line without its end, until the next call
 * ERR_OK, ERR_MORE, ERR_LIMIT (64 KiB with the end, or 1 MiB of the probe), ERR_MEMORY
 */
CHECKED enum err line_next(struct line_reader *reader, struct bytes *rest, struct bytes *out);
/* Drops bytes of a literal: as many of *left as have come; what comes after is a new line. ERR_OK
 * (all went), ERR_MORE, ERR_LIMIT */
CHECKED enum err line_skip(struct line_reader *reader, struct bytes *rest, uint64_t *left);
/* The piece of a line that has no end yet. */
struct bytes line_piece(const struct line_reader *reader);
/* Forgets the line in hand; the count of the probe stays. */
void line_reader_clear(struct line_reader *reader);
void line_reader_done(struct line_reader *reader);

#endif
