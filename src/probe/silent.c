/*
 * silent.c: a few ports by host and number. Layer: probe.
 */
#include "probe/silent.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */
#include <uthash.h>

#define SILENTS_MOST 1000 /* so many at once are no servers' fault; the first noted goes */

struct silent {
	UT_hash_handle hh;
	char *key;
	struct peek_result result;
};

static void
silent_free(struct silents *silents, struct silent *silent)
{
	HASH_DEL(silents->by_port, silent);
	free(silent->key);
	free(silent);
}

void
silents_done(struct silents *silents)
{
	while (silents->by_port)
		silent_free(silents, silents->by_port);
}

/* NULL where there is no memory. */
static char *
key_of(const struct endpoint *endpoint)
{
	struct buf key = { 0 };

	buf_put_format(&key, "%s %u", endpoint->host, endpoint->port);
	return buf_take(&key);
}

static struct silent *
find(const struct silents *silents, const struct endpoint *endpoint)
{
	struct silent *silent = NULL;
	char *key = key_of(endpoint);

	if (key)
		HASH_FIND_STR(silents->by_port, key, silent);
	free(key);
	return silent;
}

const struct peek_result *
silents_find(const struct silents *silents, const struct endpoint *endpoint)
{
	struct silent *silent = find(silents, endpoint);

	return silent ? &silent->result : NULL;
}

void
silents_forget(struct silents *silents, const struct endpoint *endpoint)
{
	struct silent *silent = silents->by_port ? find(silents, endpoint) : NULL;

	if (silent)
		silent_free(silents, silent);
}

void
silents_note(
	struct silents *silents, const struct endpoint *endpoint, const struct peek_result *result)
{
	struct silent *silent = find(silents, endpoint);

	if (!silent) {
		if ((silent = calloc(1, sizeof(*silent))) == NULL)
			return;
		silent->key = key_of(endpoint);
		if (silent->key)
			HASH_ADD_KEYPTR(
				hh, silents->by_port, silent->key, strlen(silent->key), silent);
		if (!silent->hh.tbl) {
			free(silent->key);
			free(silent);
			return;
		}
		if (HASH_COUNT(silents->by_port) > SILENTS_MOST)
			silent_free(silents, silents->by_port);
	}
	silent->result = *result;
}
