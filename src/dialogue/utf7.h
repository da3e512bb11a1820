/*
 * utf7.h: names of folders on the wire: modified UTF-7 (RFC 3501 5.1.3). Layer: dialogue, pure.
 */
#ifndef DIALOGUE_UTF7_H
#define DIALOGUE_UTF7_H

#include "base/buf.h"

/* Puts name (UTF-8) in modified UTF-7. ERR_SYNTAX (no UTF-8; out may hold a part), ERR_MEMORY */
CHECKED enum err utf7_put(struct buf *out, struct bytes name);
/* Puts what a server calls a folder in UTF-8. ERR_SYNTAX: it does not code back to itself (H2-32;
 * out is as it was); ERR_MEMORY */
CHECKED enum err utf7_put_decoded(struct buf *out, struct bytes wire);

#endif
