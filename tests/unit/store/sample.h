/*
 * sample.h: an event, as the tests of the store write it.
 */
#ifndef UNIT_STORE_SAMPLE_H
#define UNIT_STORE_SAMPLE_H

#include "facts/event.h"

/* Of that number; its texts are static. */
static inline struct told
sample(uint8_t number)
{
	static char line[] = "msg=\"ann: ok\"";
	static char json[] = "{\"event\":\"state\"}";
	static char journal[] = "MESSAGE=x\n";
	struct told told = { .kind = EVENT_STATE,
		.level = LEVEL_ERROR,
		.time = { 5 },
		.line = line,
		.json = json,
		.journal = journal,
		.journal_len = sizeof(journal) - 1 };

	told.id.bytes[15] = number;
	return told;
}

#endif
