/*
 * prefix.c: ranges of network addresses. Layer: facts, pure.
 */
#include "facts/prefix.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0 */

/* RFC 6890 and the registries behind it; 100.64/10 is a provider's inside (RFC 6598). */
static const struct {
	const char *word;
	const char *prefix;
} words[] = {
	{ "loopback", "127.0.0.0/8" },
	{ "loopback", "::1/128" },
	{ "linklocal", "169.254.0.0/16" },
	{ "linklocal", "fe80::/10" },
	{ "private", "10.0.0.0/8" },
	{ "private", "172.16.0.0/12" },
	{ "private", "192.168.0.0/16" },
	{ "private", "100.64.0.0/10" },
	{ "private", "fc00::/7" },
	{ "unspecified", "0.0.0.0/8" },
	{ "unspecified", "::/128" },
	{ "multicast", "224.0.0.0/4" },
	{ "multicast", "ff00::/8" },
};

static void
map_ipv4(const uint8_t four[4], uint8_t out[16])
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, four, 4);
}

static enum err
prefix_parse(struct bytes text, struct prefix *out)
{
	struct bytes address = bytes_first(text, bytes_index(text, '/'));
	char plain[INET6_ADDRSTRLEN];
	uint64_t bits, most = 128;
	uint8_t four[4];

	if (address.len == 0 || address.len >= sizeof(plain))
		return ERR_SYNTAX;
	memcpy(plain, address.at, address.len);
	plain[address.len] = '\0';
	if (inet_pton(AF_INET, plain, four) == 1) {
		map_ipv4(four, out->bytes);
		most = 32;
	} else if (inet_pton(AF_INET6, plain, out->bytes) != 1) {
		return ERR_SYNTAX;
	}
	bits = most;
	if (address.len < text.len &&
		bytes_to_number(bytes_from(text, address.len + 1), most, &bits) != ERR_OK)
		return ERR_SYNTAX;
	out->bits = (unsigned)bits + (most == 32 ? MAPPED_BITS : 0);
	return ERR_OK;
}

static enum err
add_one(struct prefixes *prefixes, const struct prefix *prefix)
{
	struct prefix *items =
		reallocarray(prefixes->items, prefixes->count + 1, sizeof(*prefixes->items));

	if (!items)
		return ERR_MEMORY;
	prefixes->items = items;
	items[prefixes->count++] = *prefix;
	return ERR_OK;
}

enum err
prefixes_add(struct prefixes *prefixes, struct bytes text)
{
	bool is_word = false;
	struct prefix prefix;
	enum err err = ERR_OK;

	for (size_t i = 0; i < COUNT_OF(words) && err == ERR_OK; i++) {
		if (!bytes_equal(text, bytes_of(words[i].word)))
			continue;
		is_word = true;
		err = prefix_parse(bytes_of(words[i].prefix), &prefix);
		if (err == ERR_OK)
			err = add_one(prefixes, &prefix);
	}
	if (is_word || err != ERR_OK)
		return err;
	err = prefix_parse(text, &prefix);
	return err == ERR_OK ? add_one(prefixes, &prefix) : err;
}

enum err
prefixes_copy(const struct prefixes *from, struct prefixes *out)
{
	*out = (struct prefixes){ 0 };
	if (from->count == 0)
		return ERR_OK;
	out->items = reallocarray(NULL, from->count, sizeof(*out->items));
	if (!out->items)
		return ERR_MEMORY;
	memcpy(out->items, from->items, from->count * sizeof(*out->items));
	out->count = from->count;
	return ERR_OK;
}

void
prefixes_done(struct prefixes *prefixes)
{
	free(prefixes->items);
	*prefixes = (struct prefixes){ 0 };
}

static bool
holds(const struct prefix *prefix, const uint8_t address[16])
{
	unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (memcmp(prefix->bytes, address, whole) != 0)
		return false;
	return rest == 0 || (prefix->bytes[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool
prefixes_equal(const struct prefixes *a, const struct prefixes *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].bits != b->items[i].bits ||
			memcmp(a->items[i].bytes, b->items[i].bytes, 16) != 0)
			return false;
	}
	return true;
}

static bool
hold_one(const struct prefixes *prefixes, const uint8_t address[16])
{
	for (size_t i = 0; i < prefixes->count; i++) {
		if (holds(&prefixes->items[i], address))
			return true;
	}
	return false;
}

/* Where addresses carry one of IPv4. */
static const struct {
	struct prefix prefix;
	unsigned at;
} carriers[] = {
	{ { { 0, 0x64, 0xff, 0x9b }, 96 }, 12 },       /* 64:ff9b::/96 */
	{ { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 }, 12 }, /* 64:ff9b:1::/48 (RFC 8215) */
	{ { { 0x20, 0x02 }, 16 }, 2 },		       /* 6to4 */
};

bool
prefixes_hold(const struct prefixes *prefixes, const uint8_t address[16])
{
	uint8_t carried[16];

	if (hold_one(prefixes, address))
		return true;
	for (size_t i = 0; i < COUNT_OF(carriers); i++) {
		if (!holds(&carriers[i].prefix, address))
			continue;
		map_ipv4(address + carriers[i].at, carried);
		if (hold_one(prefixes, carried))
			return true;
	}
	return false;
}
