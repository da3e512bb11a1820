/*
 * suggest.h: "did you mean". Layer: config.
 */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "config/parse.h"

/* The name of a built setting of this scope that is near enough to a mistyped one, or NULL. */
const char *suggest_setting(struct bytes typed, unsigned scope);
/* The word among "a|b|c" that is near enough, with its length; empty: none. */
struct bytes suggest_word(struct bytes typed, const char *range);

#endif
