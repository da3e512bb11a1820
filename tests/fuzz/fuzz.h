/*
 * fuzz.h: what the fuzz targets share. Layer: tests.
 *
 * A target is one file, one parser or a few that read the same kind of text, and a folder of seeds,
 * corpus/NAME. A target checks what holds whatever comes (must()), not what one input gives: that
 * is for the unit tests. What a fuzzer has found stays as a seed that is named for it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Not assert(): it holds in every build, and says no more than where. */
#define must(claim)                                                                                \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #claim);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Takes what stands before the first `end` off *rest, and `end` itself. */
static inline struct bytes
fuzz_part(struct bytes *rest, char end)
{
	struct bytes part = bytes_first(*rest, bytes_index(*rest, end));

	*rest = bytes_from(*rest, part.len < rest->len ? part.len + 1 : part.len);
	return part;
}

/* A copy just as long, so that the sanitizer sees a byte read behind it; free(). */
static inline struct bytes
fuzz_copy(struct bytes bytes)
{
	char *at = malloc(bytes.len > 0 ? bytes.len : 1);

	must(at);
	if (bytes.len > 0)
		memcpy(at, bytes.at, bytes.len);
	return (struct bytes){ at, bytes.len };
}

static inline void
fuzz_drop(struct bytes copy)
{
	free((char *)copy.at);
}

#endif
