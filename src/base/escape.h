/*
 * escape.h: the one door by which text from outside leaves the program. Layer: base.
 *
 * In every place, a byte that is no printable UTF-8 (controls, C1, broken sequences) and every
 * direction or other invisible character (U+202E, U+2066, U+200B, U+2028, U+FEFF, ...) is escaped
 * byte for byte. Contract 6; H2-03, H2-19, H8-05, H8-06.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

enum escape_place {
	ESCAPE_LOGFMT, /* inside quotes: " -> ', = and \ and bytes -> \\xNN (doubled, as logfmt
			  asks) */
	ESCAPE_JSON,   /* inside quotes: RFC 8259; bytes that are no UTF-8 -> \u00NN of the byte */
	ESCAPE_TERMINAL, /* bytes -> \xNN */
	ESCAPE_METRIC,	 /* a label value of Prometheus text: \ " and LF by its rule, bytes -> \\xNN
			  */
	ESCAPE_PLACE_COUNT
};

void escape_put(struct buf *out, struct bytes text, enum escape_place place);
/* As escape_put, cut at a character's or an escape's end so that at most `most` bytes are put.
 * Returns true where all of it went in. */
bool escape_put_cut(struct buf *out, struct bytes text, enum escape_place place, size_t most);

/* "…" of JSON with its quotes; null for at == NULL. */
void json_put_text(struct buf *out, struct bytes text);

/* Valid, printable UTF-8 with nothing invisible in it? */
bool text_is_clean(struct bytes text);
/* Columns on a terminal (wide characters 2, combining 0); for text that went through
 * ESCAPE_TERMINAL. */
size_t text_columns(struct bytes text);

#endif
