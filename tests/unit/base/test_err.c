/* test_err.c: every err has a word of its own; errno is understood; faults are cut, not overrun. */
#include "../unit.h"

#include <errno.h>
#include <string.h>

static void
test_err_has_a_word_each(void **state)
{
	for (int a = 0; a < ERR_COUNT; a++) {
		assert_string_not_equal(err_name((enum err)a), "unknown");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
	}
	assert_string_equal(err_name(ERR_COUNT), "unknown");
	assert_string_equal(err_name((enum err) - 1), "unknown");
}

static void
test_err_understands_errno(void **state)
{
	static const struct {
		const char *name;
		int number;
		enum err expected;
	} rows[] = {
		{ .name = "none", 0, ERR_OK },
		{ .name = "would block", EWOULDBLOCK, ERR_AGAIN },
		{ .name = "no descriptors here", EMFILE, ERR_DESCRIPTORS },
		{ .name = "no descriptors anywhere", ENFILE, ERR_DESCRIPTORS },
		{ .name = "disk full", ENOSPC, ERR_FULL },
		{ .name = "quota full", EDQUOT, ERR_FULL },
		{ .name = "missing", ENOENT, ERR_NOT_FOUND },
		{ .name = "not allowed", EACCES, ERR_DENIED },
		{ .name = "reader gone", EPIPE, ERR_CLOSED },
		{ .name = "one without a row", EILSEQ, ERR_IO },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_err_equal(err_from_errno(rows[i].number), rows[i].expected);
	}
}

static void
test_err_fault_is_cut_to_its_room(void **state)
{
	struct fault why;

	fault_set(&why, "%0400d", 7);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	fault_set(&why, "%s", "short");
	assert_string_equal(why.text, "short");
	fault_set(NULL, "%s", "nobody asks");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_err_has_a_word_each),
	cmocka_unit_test(test_err_understands_errno),
	cmocka_unit_test(test_err_fault_is_cut_to_its_room),
};

UNIT_MAIN(tests)
