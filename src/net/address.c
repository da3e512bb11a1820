/*
 * address.c: literals in and out, and which addresses are never connected to. Layer: net.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>

static bool
ipv4_is_host(const uint8_t bytes[4])
{
	return bytes[0] != 0 && bytes[0] < 224; /* this network; multicast, reserved, broadcast */
}

enum err
address_parse(const char *text, struct address *out)
{
	char plain[INET6_ADDRSTRLEN];
	const char *scope = strchr(text, '%');
	size_t len = scope ? (size_t)(scope - text) : strlen(text);
	struct address found;

	memset(&found, 0, sizeof(found));
	if (len == 0 || len >= sizeof(plain))
		return ERR_SYNTAX;
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (!scope && inet_pton(AF_INET, plain, &found.is.ipv4.sin_addr) == 1) {
		found.is.ipv4.sin_family = AF_INET;
	} else if (inet_pton(AF_INET6, plain, &found.is.ipv6.sin6_addr) == 1) {
		found.is.ipv6.sin6_family = AF_INET6;
		found.is.ipv6.sin6_scope_id = scope ? if_nametoindex(scope + 1) : 0;
	} else {
		return ERR_SYNTAX;
	}
	*out = found;
	return ERR_OK;
}

enum family
address_family(const struct address *address)
{
	return address->is.any.sa_family == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

socklen_t
address_len(const struct address *address)
{
	return address_family(address) == FAMILY_IPV6 ? sizeof(struct sockaddr_in6)
						      : sizeof(struct sockaddr_in);
}

void
address_set_port(struct address *address, uint16_t port)
{
	if (address_family(address) == FAMILY_IPV6)
		address->is.ipv6.sin6_port = htons(port);
	else
		address->is.ipv4.sin_port = htons(port);
}

void
address_put(struct buf *out, const struct address *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	char scope[IF_NAMESIZE];

	if (address_family(address) == FAMILY_IPV4) {
		inet_ntop(AF_INET, &address->is.ipv4.sin_addr, text, sizeof(text));
		buf_put_string(out, text);
		return;
	}
	inet_ntop(AF_INET6, &address->is.ipv6.sin6_addr, text, sizeof(text));
	buf_put_string(out, text);
	if (address->is.ipv6.sin6_scope_id != 0 &&
		if_indextoname(address->is.ipv6.sin6_scope_id, scope)) {
		buf_put_byte(out, '%');
		buf_put_string(out, scope);
	}
}

void
address_key(const struct address *address, char key[ADDRESS_KEY_ROOM])
{
	struct in6_addr six = address->is.ipv6.sin6_addr;

	if (address_family(address) == FAMILY_IPV4) {
		inet_ntop(AF_INET, &address->is.ipv4.sin_addr, key, ADDRESS_KEY_ROOM);
	} else if (IN6_IS_ADDR_V4MAPPED(&six)) {
		inet_ntop(AF_INET, six.s6_addr + 12, key, ADDRESS_KEY_ROOM);
	} else {
		memset(six.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &six, key, ADDRESS_KEY_ROOM);
		memcpy(key + strlen(key), "/64", 4); /* fits: half of it is zero */
	}
}

bool
address_equal(const struct address *a, const struct address *b)
{
	if (address_family(a) != address_family(b))
		return false;
	if (address_family(a) == FAMILY_IPV4)
		return a->is.ipv4.sin_addr.s_addr == b->is.ipv4.sin_addr.s_addr &&
		       a->is.ipv4.sin_port == b->is.ipv4.sin_port;
	return memcmp(&a->is.ipv6.sin6_addr, &b->is.ipv6.sin6_addr, sizeof(struct in6_addr)) == 0 &&
	       a->is.ipv6.sin6_port == b->is.ipv6.sin6_port;
}

void
address_bytes(const struct address *address, uint8_t out[16])
{
	if (address_family(address) == FAMILY_IPV6) {
		memcpy(out, &address->is.ipv6.sin6_addr, 16);
		return;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &address->is.ipv4.sin_addr, 4);
}

bool
address_is_host(const struct address *address)
{
	const struct in6_addr *six = &address->is.ipv6.sin6_addr;

	if (address_family(address) == FAMILY_IPV4) {
		uint8_t four[4];

		memcpy(four, &address->is.ipv4.sin_addr, sizeof(four));
		return ipv4_is_host(four);
	}
	if (IN6_IS_ADDR_V4MAPPED(six))
		return ipv4_is_host(six->s6_addr + 12);
	return !IN6_IS_ADDR_UNSPECIFIED(six) && !IN6_IS_ADDR_MULTICAST(six);
}
