/*
 * json.h: what jansson leaves open. Layer: facts.
 */
#ifndef FACTS_JSON_H
#define FACTS_JSON_H

#include <jansson.h>
#include <stdbool.h>

/* A text could not be read: for want of memory, and not by what it says? jansson 2.14 leaves
 * `error` without a word then, and without a code. Where it was a string that found no memory it
 * speaks of another mistake there; that cannot be told apart. */
static inline bool
json_lacked_memory(const json_error_t *error)
{
	return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory;
}

#endif
