/*
 * edits.c: how far two words are apart. Layer: base.
 */
#include "base/edits.h"

#include <stdbool.h>

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the table are enough: the one in hand and the two above it. */
size_t
edits_between(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
	size_t rows[3][EDITS_MOST_LETTERS + 1];

	if (a_count > EDITS_MOST_LETTERS || b_count > EDITS_MOST_LETTERS)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_count; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_count; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_count; j++) {
			bool is_equal = a[i - 1] == b[j - 1];

			row[j] = least_of(
				above[j - 1] + !is_equal, least_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least_of(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_count % 3][b_count];
}
