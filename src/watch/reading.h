/*
 * reading.h: one row of the store under the reader's eye: its members, and what was wrong with it.
 * Layer: watch, pure. What is missing is left as it was; the first wrong member is noted, and then
 * nothing of the row is used.
 */
#ifndef WATCH_READING_H
#define WATCH_READING_H

#include "watch/inside.h"

#include <jansson.h>

#define READING_TIME_MOST_US (INT64_C(4102444800) * US_PER_S) /* the year 2100 */

struct reading {
	json_t *root;
	bool is_wrong;
	bool is_short; /* of memory */
	const char *member;
};

void reading_wrong(struct reading *reading, const char *member);
void reading_wall(struct reading *reading, const json_t *object, const char *name, wall_t *out);
void reading_flag(struct reading *reading, const json_t *object, const char *name, bool *out);
/* False where there is none, or it is wrong. */
bool reading_text(
	struct reading *reading, const json_t *object, const char *name, struct bytes *out);
bool reading_cause(struct reading *reading, const json_t *object, enum cause *out);
bool reading_side(struct reading *reading, const json_t *object, enum side *out);
/* Must be there. */
void reading_fingerprint(struct reading *reading, const json_t *object, struct fingerprint *out);
/* 0 to 15, or -1 */
int reading_hex_digit(char byte);
/* False: hex is not just `len` bytes. */
bool reading_hex(struct bytes hex, uint8_t *out, size_t len);

/* rows_account.c: the whole row of an account. */
void reading_account(struct watch *watch, struct reading *reading, struct bytes key);
/* rows_certificates.c: the whole row of one side of a server. */
void reading_certificates(struct watch *watch, struct reading *reading, struct bytes key);

#endif
