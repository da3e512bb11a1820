/*
 * unit.h: cmocka as the unit tests use it: TAP, tables whose rows are named. Layer: tests.
 * Include it first, as "../unit.h".
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"

/* Says which row of a table is on, so that a failure tells it. */
static inline void
unit_row(const char *name)
{
	printf("# %s\n", name);
	fflush(stdout);
}

#define assert_bytes_equal(actual, expected)                                                       \
	do {                                                                                       \
		struct bytes actual_ = (actual), expected_ = (expected);                           \
                                                                                                   \
		if (!bytes_equal(actual_, expected_))                                              \
			fail_msg("\"%.*s\" is not \"%.*s\"", BYTES_ARG(actual_),                   \
				BYTES_ARG(expected_));                                             \
	} while (0)

/* What a buffer holds; it is emptied for the next row. */
#define assert_buf_holds(buf, expected)                                                            \
	do {                                                                                       \
		assert_int_equal(buf_err(buf), ERR_OK);                                            \
		assert_bytes_equal(buf_bytes(buf), expected);                                      \
		buf_clear(buf);                                                                    \
	} while (0)

#define assert_err_equal(actual, expected)                                                         \
	do {                                                                                       \
		enum err actual_err_ = (actual), expected_err_ = (expected);                       \
                                                                                                   \
		if (actual_err_ != expected_err_)                                                  \
			fail_msg("ERR %s is not %s", err_name(actual_err_),                        \
				err_name(expected_err_));                                          \
	} while (0)

#define assert_ok(actual) assert_err_equal(actual, ERR_OK)

#define UNIT_MAIN(tests)                                                                           \
	int main(void)                                                                             \
	{                                                                                          \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		return cmocka_run_group_tests(tests, NULL, NULL);                                  \
	}

#endif
