/*
 * imap_response.h: bytes of a server -> responses. Layer: dialogue, pure.
 */
#ifndef DIALOGUE_IMAP_RESPONSE_H
#define DIALOGUE_IMAP_RESPONSE_H

#include "dialogue/line.h"
#include "facts/finding.h"

/* Deeper lists than any server's BODYSTRUCTURE; nothing here recurses, so it guards who reads later
 * (H2-17). */
#define IMAP_MOST_DEPTH 256

enum imap_kind {
	IMAP_UNTAGGED_STATUS, /* "* OK …": status, code, text */
	IMAP_UNTAGGED_DATA,   /* "* LIST …", "* 3 EXISTS": name, data */
	IMAP_TAGGED,	      /* "a1 NO …": tag, status, code, text */
	IMAP_CONTINUATION,    /* "+ …": text */
	IMAP_KIND_COUNT
};

/* What a kind has not is empty. */
struct imap_response {
	enum imap_kind kind;
	struct bytes tag;
	enum reply_status status;
	struct bytes code;	    /* what stands in [ ], its first word as sent, in any case */
	struct bytes code_argument; /* the rest of it */
	struct bytes text;
	struct bytes name; /* of data, without its number */
	struct bytes data; /* behind the name, up to the first literal */
	struct bytes line; /* the whole of it, up to the first literal's size */
};

/* What breaks RFC 9051 and harms nobody; flags. */
enum imap_oddity {
	IMAP_ODD_EMPTY_LINE = 1, /* before the greeting */
	IMAP_ODD_BLANK = 2,
	IMAP_ODD_BOM = 4,
};

/* A zeroed one is ready. */
struct imap_reader {
	struct line_reader line;
	struct buf first;      /* the first line of data that has literals */
	bool is_in_data;       /* between the pieces of such data */
	uint64_t literal_left; /* bytes of the literal in hand that have not come */
	bool is_given;
	bool is_begun;
	size_t depth;
	unsigned oddities;
};

/*
 * Reads the next response; any split of the bytes gives the same responses. Literals are counted
 * and dropped, never held, and never read as responses (H2-13, H2-16).
 *   rest  in: new bytes, borrowed for this call; out: what lies behind the response
 *   out   written on ERR_OK alone; lives in reader until the next call
 * ERR_OK, ERR_MORE, ERR_SYNTAX (not IMAP: imap_response_broken() has the line), ERR_LIMIT
 * (contract 7), ERR_MEMORY. RFC 9051 7, 9
 */
CHECKED enum err imap_response_next(
	struct imap_reader *reader, struct bytes *rest, struct imap_response *out);
/* The line that was ERR_SYNTAX, until the next call. */
struct bytes imap_response_broken(const struct imap_reader *reader);
/* Forgets what came in clear. */
void imap_reader_clear(struct imap_reader *reader);
void imap_reader_done(struct imap_reader *reader);

#endif
