/* test_hash.c: the hash is the same in every build: phases and shards outlive an upgrade. */
#include "../unit.h"

#include "base/hash.h"

static void
test_hash_is_the_same_for_ever(void **state)
{
	static const struct {
		const char *name;
		struct bytes bytes;
		uint64_t seed, expected;
	} rows[] = {
		{ .name = "empty", { NULL, 0 }, 0, UINT64_C(0xefd01f60ba992926) },
		{ .name = "a letter", { "a", 1 }, 0, UINT64_C(0x82a2a958a9bece5b) },
		{ .name = "a host", { "imap.example.com", 16 }, 0, UINT64_C(0x373901247823da68) },
		{ .name = "another seed",
			{ "imap.example.com", 16 },
			1,
			UINT64_C(0x59c36a85b0738f4d) },
		{ .name = "a NUL within", { "a\0b", 3 }, 0, UINT64_C(0xab78f5eca36d0e2b) },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_true(hash_bytes(rows[i].bytes, rows[i].seed) == rows[i].expected);
	}
}

/* 10,000 names that differ in their digits alone, in 100 places: none is left or crowded. */
static void
test_hash_spreads_names_evenly(void **state)
{
	struct buf name = { 0 };
	int counts[100] = { 0 };

	for (int i = 0; i < 10000; i++) {
		buf_clear(&name);
		buf_put_format(&name, "mailbox%d/imap", i);
		counts[hash_bytes(buf_bytes(&name), 0) % COUNT_OF(counts)]++;
	}
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		assert_in_range(counts[i], 60, 140);
	buf_done(&name);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_hash_is_the_same_for_ever),
	cmocka_unit_test(test_hash_spreads_names_evenly),
};

UNIT_MAIN(tests)
