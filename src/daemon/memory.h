/*
 * memory.h: how much memory this process may still take, by its control groups (cgroup v2:
 * MemoryMax and MemoryHigh of a unit), and how many probes that makes. Layer: daemon.
 */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MEMORY_OWN_GROUPS "/proc/self/cgroup"
#define MEMORY_GROUPS "/sys/fs/cgroup"

struct memory {
	int64_t used_bytes; /* without what the kernel would give back of files */
	int64_t most_bytes; /* beyond it the kernel slows down, or kills */
};

/*
 * Looks at the group that this process is in and at those above it; gives the tightest.
 *   own    a file like /proc/self/cgroup; groups: where the tree of groups is mounted
 * ERR_NOT_FOUND: no group has a bound, or there is no cgroup v2 here. ERR_MEMORY
 */
CHECKED enum err memory_look(const char *own, const char *groups, struct memory *out);
/* How many probes at a time it allows, while so many are in flight: all of one probe's bounds
 * (contract 7) find room in what is left below a margin. Never none. */
unsigned memory_probes(const struct memory *memory, size_t in_flight);

#endif
