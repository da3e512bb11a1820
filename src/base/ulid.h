/*
 * ulid.h: ids of events and incidents (ULID: 48 bits of milliseconds, 80 of chance, Crockford
 * base32). Layer: base. Rising within a source even when the wall clock goes back (H7-01).
 */
#ifndef BASE_ULID_H
#define BASE_ULID_H

#include "base/time.h"

struct ulid {
	uint8_t bytes[16];
};

#define ULID_TEXT_LEN 26

struct ulid_source {
	struct ulid last;
};

/* random: 10 bytes of chance, of which a rising id within one millisecond uses none. */
struct ulid ulid_next(struct ulid_source *source, wall_t now, const uint8_t random[10]);
/* Ids after this one sort behind `seen` (read from the store at start; H6-15). */
void ulid_source_raise(struct ulid_source *source, struct ulid seen);
bool ulid_is_set(struct ulid id);
int ulid_compare(struct ulid a, struct ulid b);
/* 26 letters and a NUL. */
void ulid_text(struct ulid id, char out[ULID_TEXT_LEN + 1]);
void ulid_put(struct buf *out, struct ulid id);
CHECKED enum err ulid_parse(struct bytes text, struct ulid *out);

#endif
