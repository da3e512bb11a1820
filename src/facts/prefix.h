/*
 * prefix.h: ranges of network addresses, by prefix or by a word for several. Layer: facts, pure.
 *
 * Addresses are 16 bytes; one of IPv4 is written as IPv6 has it (::ffff:192.0.2.1).
 */
#ifndef FACTS_PREFIX_H
#define FACTS_PREFIX_H

#include "base/bytes.h"

struct prefix {
	uint8_t bytes[16];
	unsigned bits;
};

struct prefixes {
	struct prefix *items;
	size_t count;
};

/* "10.0.0.0/8", "2001:db8::/32", an address, or one of loopback, linklocal, private, unspecified,
 * multicast. ERR_SYNTAX, ERR_MEMORY */
CHECKED enum err prefixes_add(struct prefixes *prefixes, struct bytes text);
/* ERR_MEMORY */
CHECKED enum err prefixes_copy(const struct prefixes *from, struct prefixes *out);
void prefixes_done(struct prefixes *prefixes);
bool prefixes_equal(const struct prefixes *a, const struct prefixes *b);
/* The address itself lies in one, or the IPv4 address that it carries: mapped (RFC 4291 2.5.5),
 * translated (RFC 6052 2.1) or tunnelled (RFC 3056 2). H3-09 */
bool prefixes_hold(const struct prefixes *prefixes, const uint8_t address[16]);

#endif
