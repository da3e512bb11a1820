/*
 * host.h: names of hosts as they are written -> as they are asked for. Layer: config. The one place
 * that asks libidn2.
 */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/buf.h"

/*
 * Puts the A-label form, lower case, without a final dot; an address literal in its one form,
 * without brackets.
 *   why  what is wrong; what would be right
 * ERR_INVALID, ERR_MEMORY. H4-26
 */
CHECKED enum err host_put(struct buf *out, struct bytes text, bool *is_address, struct fault *why);
/* "a", "a:53", "[::1]:53" -> with its port. ERR_SYNTAX, ERR_MEMORY */
CHECKED enum err resolver_put(struct buf *out, struct bytes text);

#endif
