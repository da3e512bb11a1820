/*
 * address.h: one network address of either family, by value. Layer: net.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>

#include "base/buf.h"
#include "facts/words.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} is;
};

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0". ERR_SYNTAX: no literal (a name, then). */
CHECKED enum err address_parse(const char *text, struct address *out);
enum family address_family(const struct address *address);
socklen_t address_len(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
/* Without the port. */
void address_put(struct buf *out, const struct address *address);
/* What limits hold for: the address, of IPv6 its /64 ("2001:db8:1:2::/64"). */
#define ADDRESS_KEY_ROOM ((size_t)48)
void address_key(const struct address *address, char key[ADDRESS_KEY_ROOM]);
/* Both the address and the port. */
bool address_equal(const struct address *a, const struct address *b);
/* Its 16 bytes; of IPv4 as IPv6 has it (::ffff:192.0.2.1). */
void address_bytes(const struct address *address, uint8_t out[16]);
/* An address that one host can have: not unspecified, multicast, broadcast or reserved, not even as
 * IPv4 within IPv6. 0.0.0.0 would be this very host (H3-08). */
bool address_is_host(const struct address *address);

#endif
