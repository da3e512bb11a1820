/*
 * smtp_reply.h: bytes of a server -> replies. Layer: dialogue, pure.
 */
#ifndef DIALOGUE_SMTP_REPLY_H
#define DIALOGUE_SMTP_REPLY_H

#include "dialogue/line.h"

/* What is kept of one reply; later lines of a longer one are read and dropped. */
#define SMTP_REPLY_MOST_BYTES ((size_t)64 * 1024)

struct smtp_reply {
	int code;	    /* 100 to 599 */
	int enhanced[3];    /* RFC 3463; 0.0.0 where none */
	struct bytes lines; /* as they came, without line ends, joined by LF */
	struct bytes text;  /* the same without codes */
};

/* What breaks RFC 5321 and harms nobody; flags. */
enum smtp_oddity {
	SMTP_ODD_EMPTY_LINE = 1, /* before the greeting */
	SMTP_ODD_BLANK = 2,	 /* before the greeting's code */
	SMTP_ODD_BOM = 4,	 /* EF BB BF before it */
	SMTP_ODD_BARE_CODE = 8,	 /* "250" alone */
};

/* A zeroed one is ready. */
struct smtp_reader {
	struct line_reader line;
	struct buf lines;
	struct buf text;
	int code; /* of the reply in hand; 0: none yet */
	int enhanced[3];
	bool is_given; /* the reply went out: it goes at the next call */
	bool is_begun; /* the greeting's first line was read */
	unsigned oddities;
};

/*
 * Reads the next reply out of what has come so far; any split of the bytes gives the same replies.
 *   rest  in: new bytes, borrowed for this call; out: what lies behind the reply
 *   out   written on ERR_OK alone; its text lives in reader until the next call
 * ERR_OK, ERR_MORE (feed me), ERR_SYNTAX (not SMTP), ERR_LIMIT (contract 7), ERR_MEMORY. RFC
 * 5321 4.2
 */
CHECKED enum err smtp_reply_next(
	struct smtp_reader *reader, struct bytes *rest, struct smtp_reply *out);
/* The lines of a reply that is not whole yet, or that was ERR_SYNTAX, joined by LF; without the
 * piece that line_piece() gives. */
struct bytes smtp_reply_unfinished(const struct smtp_reader *reader);
/* The whole lines of a reply whose last one never came, as one; false: there are none. */
bool smtp_reply_cut_off(const struct smtp_reader *reader, struct smtp_reply *out);
/* Forgets what came in clear (RFC 3207 4.2). */
void smtp_reader_clear(struct smtp_reader *reader);
void smtp_reader_done(struct smtp_reader *reader);

#endif
