/* test_cause.c: the list of causes: words, marks, what people are told (causes.md). */
#include "../unit.h"

#include "facts/cause.h"

static void
test_cause_words_lead_back_to_their_causes(void **state)
{
	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = CAUSE_COUNT;

		unit_row(cause_name((enum cause)i));
		assert_ok(cause_from_name(bytes_of(cause_name((enum cause)i)), &cause));
		assert_int_equal(cause, i);
		for (const char *at = cause_name((enum cause)i); *at; at++)
			assert_true(
				(*at >= 'a' && *at <= 'z') || *at == '_'); /* a token of the line */
	}
}

static void
test_cause_knows_nothing_outside_the_list(void **state)
{
	enum cause cause = CAUSE_OK;

	assert_err_equal(cause_from_name(BYTES("wrong_password"), &cause), ERR_NOT_FOUND);
	assert_err_equal(cause_from_name(BYTES(""), &cause), ERR_NOT_FOUND);
	assert_int_equal(cause, CAUSE_OK);
	assert_string_equal(cause_name(CAUSE_COUNT), "?");
}

static void
test_cause_says_what_it_means_and_what_to_do(void **state)
{
	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		const struct cause_row *row = cause_row((enum cause)i);

		unit_row(row->word);
		assert_true(strlen(row->stages) > 0);
		assert_int_equal(row->means[strlen(row->means) - 1], '.');
		assert_int_equal(row->next[strlen(row->next) - 1], '.');
	}
}

static void
test_cause_marks_are_those_of_the_list(void **state)
{
	static const struct {
		const char *name;
		enum cause cause;
		unsigned marks;
	} rows[] = {
		{ "ours, for good", CAUSE_SECRET_UNAVAILABLE, CAUSE_UNJUDGED },
		{ "ours, for now", CAUSE_LOCAL_LIMIT, CAUSE_UNJUDGED | CAUSE_TRANSIENT },
		{ "a refused login", CAUSE_BAD_CREDENTIALS, CAUSE_REFUSED },
		{ "cured outside", CAUSE_WEB_LOGIN_REQUIRED, CAUSE_REFUSED | CAUSE_RESUME },
		{ "refused, for a while", CAUSE_ACCOUNT_LOCKED,
			CAUSE_REFUSED | CAUSE_WAIT | CAUSE_TRANSIENT | CAUSE_RESUME },
		{ "a limit is no wrong password", CAUSE_RATE_LIMITED,
			CAUSE_WAIT | CAUSE_TRANSIENT },
		{ "nor is a broken backend", CAUSE_BACKEND_ERROR, CAUSE_TRANSIENT },
		{ "nor is a ban", CAUSE_IP_BLOCKED, CAUSE_WAIT },
		{ "a deliberate delay", CAUSE_GREYLISTED,
			CAUSE_UNJUDGED | CAUSE_WAIT | CAUSE_TRANSIENT },
		{ "no mark", CAUSE_CERT_EXPIRED, 0 },
		{ "nothing wrong", CAUSE_OK, 0 },
	};
	static const enum cause_mark marks[] = { CAUSE_REFUSED, CAUSE_WAIT, CAUSE_TRANSIENT,
		CAUSE_UNJUDGED, CAUSE_RESUME };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		for (size_t mark = 0; mark < COUNT_OF(marks); mark++)
			assert_int_equal(cause_has(rows[i].cause, marks[mark]),
				(rows[i].marks & marks[mark]) != 0);
	}
}

/* A cause of our own side is never held against an account, and a cure outside needs a refusal. */
static void
test_cause_marks_do_not_contradict_each_other(void **state)
{
	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		unsigned marks = cause_row((enum cause)i)->marks;

		unit_row(cause_name((enum cause)i));
		assert_false(marks & CAUSE_REFUSED && marks & CAUSE_UNJUDGED);
		assert_false(marks & CAUSE_RESUME && !(marks & CAUSE_REFUSED));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_cause_words_lead_back_to_their_causes),
	cmocka_unit_test(test_cause_knows_nothing_outside_the_list),
	cmocka_unit_test(test_cause_says_what_it_means_and_what_to_do),
	cmocka_unit_test(test_cause_marks_are_those_of_the_list),
	cmocka_unit_test(test_cause_marks_do_not_contradict_each_other),
};
UNIT_MAIN(tests)
