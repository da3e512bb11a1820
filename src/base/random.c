/*
 * random.c: getrandom(2). Layer: base.
 */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void
random_fill(void *at, size_t len)
{
	char *rest = at;

	while (len > 0) {
		ssize_t got = getrandom(rest, len, 0);

		if (got > 0) {
			rest += got;
			len -= (size_t)got;
		} else if (errno != EINTR) {
			/* Nonces and keys without chance would be worse than no daemon. */
			perror("getrandom");
			abort();
		}
	}
}
