/*
 * rows_certificates.c: the row of what one side of a server showed, read. Layer: watch, pure.
 * Writing is in rows.c; both name the same members.
 */
#include "watch/reading.h"

#include <stdlib.h>

static void
read_leaf(struct watch *watch, struct reading *reading, const json_t *object,
	struct leaf_place *place)
{
	struct bytes hex = BYTES_NONE, authority = BYTES_NONE;
	wall_t not_after = WALL_NONE, told = WALL_NONE;
	uint8_t sha256[32];
	struct leaf *leaf;

	if (!reading_text(reading, object, "sha256", &hex) ||
		!reading_hex(hex, sha256, sizeof(sha256)))
		reading_wrong(reading, "sha256");
	if (!reading_text(reading, object, "authority", &authority))
		reading_wrong(reading, "authority");
	reading_wall(reading, object, "not_after", &not_after);
	reading_wall(reading, object, "told", &told);
	if (!wall_is_set(not_after))
		reading_wrong(reading, "not_after");
	if (reading->is_wrong || place->count == LEAVES_MOST)
		return;
	leaf = leaf_get(watch, sha256, authority);
	if (!leaf) {
		reading->is_short = true;
		return;
	}
	leaf->not_after = not_after;
	if (told.us > 0 && (leaf->told_us == 0 || told.us < leaf->told_us))
		leaf->told_us = told.us;
	leaf_place_add(place, leaf);
}

void
reading_certificates(struct watch *watch, struct reading *reading, struct bytes key)
{
	const json_t *known = json_object_get(reading->root, "known");
	size_t slash = bytes_index(key, '/');
	struct leaf_place *place;
	enum side side;
	char *copy;

	if (slash == 0 || side_from_name(bytes_from(key, slash + 1), &side) != ERR_OK) {
		reading_wrong(reading, "key");
		return;
	}
	copy = bytes_copy(key);
	place = copy ? leaf_place_get(watch, copy) : NULL;
	free(copy);
	if (!place) {
		reading->is_short = true;
		return;
	}
	if (place->count > 0 || !json_is_array(known)) {
		reading_wrong(reading, place->count > 0 ? "key (twice)" : "known");
		return;
	}
	/* The one shown last stands first. */
	for (size_t i = json_array_size(known); i-- > 0 && !reading->is_short;)
		read_leaf(watch, reading, json_array_get(known, i), place);
	if (reading->is_wrong || reading->is_short)
		leaf_place_free(watch, place);
}
