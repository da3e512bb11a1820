/*
 * uri.h: paths and queries of requests (RFC 3986). Layer: control, pure.
 * A "+" is a plus everywhere: mailboxes are named u+tag@example.com (H5-12).
 */
#ifndef CONTROL_URI_H
#define CONTROL_URI_H

#include "base/buf.h"

#define PATH_MOST_SEGMENTS 6

/* The parts of a path between its slashes, decoded; "//" gives an empty one. Nothing is normalised:
 * ".." is a word. */
struct path {
	struct buf segments[PATH_MOST_SEGMENTS];
	size_t count;
};

/* ERR_SYNTAX: not %XX, or a control; ERR_LIMIT: more segments than any route has; ERR_MEMORY.
 * path_done() always. */
CHECKED enum err path_parse(struct bytes encoded, struct path *out);
void path_done(struct path *path);

/* ERR_SYNTAX: "%" without two hex digits, or of a control (%00, %0a: no name, no selector has one).
 * ERR_MEMORY */
CHECKED enum err percent_put_decoded(struct buf *out, struct bytes encoded);

/* The next name=value of a query, taken off *rest, decoded into name and value (cleared before).
 * ERR_NOT_FOUND: no more; ERR_SYNTAX, ERR_MEMORY */
CHECKED enum err query_next(struct bytes *rest, struct buf *name, struct buf *value);

#endif
