/*
 * scope.h: the nearest wins (contract 3): endpoint, mailbox, servers, defaults, then the built-in
 * default. Layer: config.
 */
#ifndef CONFIG_SCOPE_H
#define CONFIG_SCOPE_H

#include "config/parse.h"

/* The nearest first; NULL: no such scope. */
#define SCOPES_MOST 4
struct scopes {
	const struct scope *nearest[SCOPES_MOST];
};

/* The slot of the nearest scope that set it, or NULL. */
const struct slot *scopes_find(const struct scopes *scopes, enum setting setting);
/* INT, BOOL, DURATION, WORD: the nearest's, else the table's default. */
int64_t scopes_number(const struct scopes *scopes, enum setting setting);
/* A string, or NULL where none is set. */
const char *scopes_text(const struct scopes *scopes, enum setting setting);

#endif
