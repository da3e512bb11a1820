/*
 * test_select.c: selectors (contract 4), and what they cost (H5-13).
 */
#include "../unit.h"

#include "control/select.h"

#include <stdlib.h>

static const struct labels labels = { .items = { { (char *)"owner", (char *)"acme" } },
	.count = 1 };

static struct subject
support(void)
{
	struct subject subject = {
		.name = BYTES("support"),
		.address = BYTES("Support@Example.com"),
		.hosts = { BYTES("smtp.example.com"), BYTES("imap.example.com") },
		.has_state = true,
		.state = PART_FAILING,
		.is_suspect = true,
		.has_cause = { false, true },
		.causes = { CAUSE_OK, CAUSE_BAD_CREDENTIALS },
		.labels = &labels,
	};

	subject.incidents[SIDE_IMAP].bytes[15] = 42;
	return subject;
}

static void
test_select_matches_what_it_says(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		bool is_in;
	} rows[] = {
		{ "none is all", "", true },
		{ "a name", "support", true },
		{ "another name", "sup", false },
		{ "names are told by case", "Support", false },
		{ "a glob", "sup*", true },
		{ "a glob at the end", "*ort", true },
		{ "a glob in the middle", "s*p*t", true },
		{ "a glob of one letter", "suppor?", true },
		{ "a glob of another", "acme-*", false },
		{ "the address's domain", "@example.com", true },
		{ "whatever its case", "@EXAMPLE.COM", true },
		{ "not a part of it", "@ample.com", false },
		{ "a server of one side", "host:imap.example.com", true },
		{ "whatever its case", "host:IMAP.example.com", true },
		{ "a glob of servers", "host:*.example.com", true },
		{ "another server", "host:example.com", false },
		{ "its state", "state:failing", true },
		{ "another state", "state:ok", false },
		{ "a suspect side", "state:suspect", true },
		{ "a cause", "cause:bad_credentials", true },
		{ "a cause of none", "cause:cert_expired", false },
		{ "a label", "label.owner=acme", true },
		{ "a label's glob", "label.owner=ac*", true },
		{ "another label", "label.owner=other", false },
		{ "a label that it has not", "label.team=acme", false },
		{ "its incident", "incident:0000000000000000000000001A", true },
		{ "another incident", "incident:0000000000000000000000001B", false },
		{ "several are an or", "nobody state:failing", true },
		{ "by commas too", "nobody,state:failing", true },
		{ "none of several", "nobody state:ok", false },
		{ "a label with blanks is whole", "label.owner=acme support", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct subject subject = support();
		struct select *select;
		struct fault why;

		unit_row(rows[i].name);
		assert_ok(select_new(&select));
		assert_ok(select_add(select, bytes_of(rows[i].text), &why));
		assert_int_equal(select_matches(select, &subject), rows[i].is_in);
		select_free(select);
	}
}

static void
test_select_refuses_what_is_none(void **state)
{
	static const char *const rows[] = {
		"state:bad",
		"cause:nothing",
		"label.=x",
		"label.owner",
		"@",
		"host:",
		"a/b",
		"incident:1",
		"-support",
		"..",
		"sup\033port",
		"a=b",
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct select *select;
		struct fault why = { "" };

		unit_row(rows[i]);
		assert_ok(select_new(&select));
		assert_err_equal(select_add(select, bytes_of(rows[i]), &why), ERR_SYNTAX);
		assert_true(strlen(why.text) > 0);
		assert_null(strchr(why.text, '\033'));
		select_free(select);
	}
}

static void
test_select_is_bounded(void **state)
{
	struct select *select;
	struct fault why;

	assert_ok(select_new(&select));
	for (size_t i = 0; i < SELECT_MOST; i++)
		assert_ok(select_add(select, BYTES("support"), &why));
	assert_err_equal(select_add(select, BYTES("support"), &why), ERR_LIMIT);
	assert_true(select_is_names(select));
	select_free(select);
}

/* H5-13: 1,000 times "*a" against 100,000 names. */
static void
test_glob_takes_linear_time(void **state)
{
	char glob[2001], text[65];
	size_t found = 0;
	mono_t before;

	for (size_t i = 0; i < 1000; i++)
		memcpy(glob + 2 * i, "*a", 3);
	memset(text, 'a', 63);
	strcpy(text + 63, "b");
	before = mono_now();
	for (size_t i = 0; i < 100000; i++)
		found += glob_matches(bytes_of(glob), bytes_of(text));
	assert_int_equal(found, 0);
	/* Under a sanitizer, on a busy machine. */
	assert_true(mono_since(mono_now(), before) < 2 * US_PER_S);
	assert_false(glob_matches(BYTES("*a*a*a*a*b"), BYTES("aaaaaaaaaaaaaaaaaaaaaaaac")));
	assert_true(glob_matches(BYTES("*a*a*a*a*b"), BYTES("aaaaaaaaaaaaaaaaaaaaaaaab")));
	assert_true(glob_matches(BYTES("*"), BYTES("")));
	assert_false(glob_matches(BYTES("?"), BYTES("")));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_select_matches_what_it_says),
	cmocka_unit_test(test_select_refuses_what_is_none),
	cmocka_unit_test(test_select_is_bounded),
	cmocka_unit_test(test_glob_takes_linear_time),
};

UNIT_MAIN(tests)
