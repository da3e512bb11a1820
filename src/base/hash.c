/*
 * hash.c: FNV-1a, 64 bits, and the finisher of MurmurHash3. Layer: base.
 * What it gives is a promise: phases and shards must be the same after an upgrade.
 */
#include "base/hash.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* FNV leaves names that differ in their last letter near each other. */
static uint64_t
mixed(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

uint64_t
hash_bytes(struct bytes bytes, uint64_t seed)
{
	uint64_t hash = FNV_BASIS ^ mixed(seed);

	for (size_t i = 0; i < bytes.len; i++) {
		hash ^= (uint8_t)bytes.at[i];
		hash *= FNV_PRIME;
	}
	return mixed(hash);
}
