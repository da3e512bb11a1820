/*
 * prepare.h: SASLprep (RFC 4013): one form for names and secrets that can be typed in several ways.
 * Layer: base.
 */
#ifndef BASE_PREPARE_H
#define BASE_PREPARE_H

#include "base/buf.h"

/*
 * Puts text as SASLprep has it, as a query: code points that Unicode 3.2 did not know are kept.
 * ASCII stays as it is, byte for byte.
 *   out  an empty buffer, to be wiped (buf_done_wiped) where text is a secret
 * ERR_SYNTAX: no UTF-8; ERR_INVALID: what SASLprep forbids (controls, mixed directions), or nothing
 * is left; ERR_MEMORY
 */
CHECKED enum err prepare_put(struct buf *out, struct bytes text);

#endif
