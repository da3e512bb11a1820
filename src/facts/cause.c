/*
 * cause.c: the list of causes.def as rows. Layer: facts.
 */
#include "facts/cause.h"

#include <assert.h>

#define CAUSE(name, word, marks, stages, means, next)                                              \
	[CAUSE_##name] = { word, marks, stages, means, next },
static const struct cause_row cause_rows[] = {
#include "facts/causes.def"
};
#undef CAUSE
static_assert(COUNT_OF(cause_rows) == CAUSE_COUNT, "a row for each cause");

const struct cause_row *
cause_row(enum cause cause)
{
	assert((unsigned)cause < CAUSE_COUNT);
	return &cause_rows[cause];
}

bool
cause_has(enum cause cause, enum cause_mark mark)
{
	return (cause_row(cause)->marks & mark) != 0;
}

const char *
cause_name(enum cause value)
{
	return (unsigned)value < CAUSE_COUNT ? cause_rows[value].word : "?";
}

enum err
cause_from_name(struct bytes name, enum cause *out)
{
	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		if (bytes_equal(name, bytes_of(cause_rows[i].word))) {
			*out = (enum cause)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}
