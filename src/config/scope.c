/*
 * scope.c: which of several scopes says what holds. Layer: config.
 */
#include "config/scope.h"

#include <assert.h>

#include "base/time.h"

const struct slot *
scopes_find(const struct scopes *scopes, enum setting setting)
{
	for (size_t i = 0; i < SCOPES_MOST; i++) {
		if (scopes->nearest[i] && scopes->nearest[i]->slots[setting].at)
			return &scopes->nearest[i]->slots[setting];
	}
	return NULL;
}

/* The table's default of INT, BOOL, DURATION, WORD. */
static int64_t
setting_fallback(enum setting setting)
{
	const struct setting_row *row = &setting_rows[setting];
	struct bytes text = bytes_of(row->fallback);
	uint64_t number = 0;
	int64_t value = 0;
	enum err err = ERR_OK;

	switch (row->kind) {
	case KIND_BOOL:
		return bytes_equal(text, BYTES("true"));
	case KIND_WORD:
		value = range_index(row->range, text);
		break;
	case KIND_INT:
		err = bytes_to_number(text, INT32_MAX, &number);
		value = (int64_t)number;
		break;
	default:
		err = duration_parse(text, &value);
	}
	assert(err == ERR_OK && value >= 0);
	return value;
}

int64_t
scopes_number(const struct scopes *scopes, enum setting setting)
{
	const struct slot *slot = scopes_find(scopes, setting);

	return slot ? slot->number : setting_fallback(setting);
}

const char *
scopes_text(const struct scopes *scopes, enum setting setting)
{
	const struct slot *slot = scopes_find(scopes, setting);

	return slot ? slot->text : NULL;
}
