/*
 * ulid.c: ULIDs (github.com/ulid/spec): 6 bytes of milliseconds, 10 of chance, big-endian. Layer:
 * base.
 */
#include "base/ulid.h"

#define ULID_TIME_BYTES 6
#define ULID_MOST_MS ((INT64_C(1) << 48) - 1) /* the year 10889 */

/* Crockford's: without I, L, O, U; rising in ASCII, so texts sort as the ids do. */
static const char ulid_letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The next id after `id`; a carry goes on into the milliseconds. */
static void
increment(struct ulid *id)
{
	for (size_t i = sizeof(id->bytes); i-- > 0;) {
		if (++id->bytes[i] != 0)
			return;
	}
}

struct ulid
ulid_next(struct ulid_source *source, wall_t now, const uint8_t random[10])
{
	int64_t ms = now.us < 0 ? 0 : now.us / US_PER_MS;
	struct ulid id;

	if (ms > ULID_MOST_MS)
		ms = ULID_MOST_MS;
	for (size_t i = 0; i < ULID_TIME_BYTES; i++)
		id.bytes[i] = (uint8_t)(ms >> (8 * (ULID_TIME_BYTES - 1 - i)) & 255);
	/* The same millisecond, or a clock that went back: one more than the last (H7-01). */
	if (memcmp(id.bytes, source->last.bytes, ULID_TIME_BYTES) > 0)
		memcpy(id.bytes + ULID_TIME_BYTES, random, sizeof(id.bytes) - ULID_TIME_BYTES);
	else {
		id = source->last;
		increment(&id);
	}
	source->last = id;
	return id;
}

void
ulid_source_raise(struct ulid_source *source, struct ulid seen)
{
	if (ulid_compare(seen, source->last) > 0)
		source->last = seen;
}

bool
ulid_is_set(struct ulid id)
{
	return ulid_compare(id, (struct ulid){ 0 }) != 0;
}

int
ulid_compare(struct ulid a, struct ulid b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

/* 26 letters are 130 bits: the first carries two zeros and three bits of the id. */
void
ulid_text(struct ulid id, char out[ULID_TEXT_LEN + 1])
{
	for (size_t letter = 0; letter < ULID_TEXT_LEN; letter++) {
		unsigned value = 0;

		for (size_t bit = 5 * letter; bit < 5 * letter + 5; bit++) {
			value <<= 1;
			if (bit >= 2)
				value |= id.bytes[(bit - 2) / 8] >> (7 - (bit - 2) % 8) & 1U;
		}
		out[letter] = ulid_letters[value];
	}
	out[ULID_TEXT_LEN] = '\0';
}

void
ulid_put(struct buf *out, struct ulid id)
{
	char text[ULID_TEXT_LEN + 1];

	ulid_text(id, text);
	buf_put(out, (struct bytes){ text, ULID_TEXT_LEN });
}

enum err
ulid_parse(struct bytes text, struct ulid *out)
{
	static const struct bytes letters = { ulid_letters, sizeof(ulid_letters) - 1 };
	struct ulid id = { 0 };

	if (text.len != ULID_TEXT_LEN)
		return ERR_SYNTAX;
	for (size_t letter = 0; letter < ULID_TEXT_LEN; letter++) {
		size_t value = bytes_index(letters, byte_upper(text.at[letter]));

		/* Above 7 the first letter has bits that no id has room for. */
		if (value == letters.len || (letter == 0 && value > 7))
			return ERR_SYNTAX;
		for (size_t bit = 5 * letter; bit < 5 * letter + 5; bit++) {
			if (value >> (5 * letter + 4 - bit) & 1)
				id.bytes[(bit - 2) / 8] |= (uint8_t)(0x80U >> (bit - 2) % 8);
		}
	}
	*out = id;
	return ERR_OK;
}
