/*
 * select.c: selectors, each line one parameter, against mailboxes that a few of them fit. Layer:
 * tests.
 */
#include "fuzz.h"

#include "control/select.h"

/* "cause:" and the words of select.h name what these have. */
static struct subject
subject(enum part state, bool is_suspect)
{
	static const struct labels labels = { .items = { { (char *)"owner", (char *)"acme" },
						      { (char *)"tier", (char *)"" } },
		.count = 2 };
	struct subject subject = { .name = BYTES("acme-1@example.com"),
		.address = BYTES("sales@mail.example.com"),
		.hosts = { BYTES("smtp.example.com"), BYTES("imap.example.com") },
		.has_state = true,
		.state = state,
		.is_suspect = is_suspect,
		.has_cause = { false, true },
		.causes = { 0, CAUSE_BAD_CREDENTIALS },
		.labels = &labels };

	subject.incidents[SIDE_IMAP].bytes[15] = 42;
	return subject;
}

static void
match(const struct select *select)
{
	const struct subject whole = subject(PART_FAILING, true), none = { 0 };

	must(!select_is_all(select) || select_matches(select, &whole));
	(void)select_matches(select, &none);
	for (size_t i = 0; i < select_count(select); i++) {
		struct bytes name = select_name(select, i);

		must(!select_is_names(select) || name.len > 0);
		if (bytes_equal(name, whole.name))
			must(select_matches(select, &whole));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = { (const char *)data, len };
	struct select *select;
	struct fault why = { "" };
	enum err err = ERR_OK;

	must(select_new(&select) == ERR_OK);
	while (rest.len > 0 && err == ERR_OK) {
		struct bytes line = fuzz_copy(fuzz_part(&rest, '\n'));

		err = select_add(select, line, &why);
		must(err != ERR_SYNTAX || why.text[0] != '\0');
		fuzz_drop(line);
	}
	must(select_count(select) <= SELECT_MOST);
	if (err == ERR_OK)
		match(select);
	select_free(select);
	return 0;
}
