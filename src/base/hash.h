/* hash.h: a 64-bit hash of bytes that is the same after a restart (FNV-1a, finished by a mixer).
 * Layer: base. For phases and shards; not against people who choose the bytes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

uint64_t hash_bytes(struct bytes bytes, uint64_t seed);

#endif
