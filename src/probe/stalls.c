/*
 * stalls.c: a few hosts by name, each with the time when it is forgotten. Layer: probe.
 */
#include "probe/stalls.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */
#include <uthash.h>

#define STALL_KEPT_US (6 * US_PER_H)
#define STALLS_MOST 1000 /* so many at once are no servers' fault */

struct stall {
	UT_hash_handle hh;
	char *host;
	mono_t ends;
};

static void
stall_free(struct stalls *stalls, struct stall *stall)
{
	HASH_DEL(stalls->by_host, stall);
	free(stall->host);
	free(stall);
}

void
stalls_done(struct stalls *stalls)
{
	struct stall *stall, *next;

	HASH_ITER (hh, stalls->by_host, stall, next)
		stall_free(stalls, stall);
}

bool
stalls_has(struct stalls *stalls, const char *host, mono_t now)
{
	struct stall *stall;

	HASH_FIND_STR(stalls->by_host, host, stall);
	if (stall && !mono_is_before(now, stall->ends)) {
		stall_free(stalls, stall);
		stall = NULL;
	}
	return stall != NULL;
}

void
stalls_note(struct stalls *stalls, const char *host, mono_t now)
{
	struct stall *stall;

	HASH_FIND_STR(stalls->by_host, host, stall);
	if (!stall && HASH_COUNT(stalls->by_host) < STALLS_MOST &&
		(stall = calloc(1, sizeof(*stall))) != NULL) {
		stall->host = strdup(host);
		if (stall->host)
			HASH_ADD_KEYPTR(
				hh, stalls->by_host, stall->host, strlen(stall->host), stall);
		if (!stall->host || !stall->hh.tbl) {
			free(stall->host);
			free(stall);
			return;
		}
	}
	if (stall)
		stall->ends = mono_add(now, STALL_KEPT_US);
}
