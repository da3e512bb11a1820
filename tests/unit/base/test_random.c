/* test_random.c: every byte is filled, none beyond. */
#include "../unit.h"

#include "base/random.h"

static void
test_random_fills_all_and_no_more(void **state)
{
	uint8_t bytes[4096 + 1] = { 0 }, seen[4096] = { 0 };

	/* 16 fills: a byte that stays 0 in all of them has a chance of 2^-128. */
	for (int i = 0; i < 16; i++) {
		random_fill(bytes, 4096);
		for (size_t at = 0; at < sizeof(seen); at++)
			seen[at] |= bytes[at];
		assert_int_equal(bytes[4096], 0);
	}
	for (size_t at = 0; at < sizeof(seen); at++)
		assert_int_not_equal(seen[at], 0);
	random_fill(NULL, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_random_fills_all_and_no_more),
};

UNIT_MAIN(tests)
