/*
 * test_rules.c: rules for replies in settings and rules.d.
 */
#include "fixture.h"

#include "diagnose/reply_cause.h"

#include <errno.h>

#define MAILBOX                                                                                    \
	"mailboxes = ( { name = \"a\"; address = \"a@example.com\";\n"                             \
	"  imap = { host = \"imap.example.com\"; password = \"x\"; }; } );\n"

static void
make_rules_d(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/rules.d", f->folder);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* rules.d beside conf.d, by name; all mailboxes have them, an earlier file's first. */
static void
test_rules_are_read_from_rules_d(void **state)
{
	struct fixture f;
	const struct reply_rules *rules;

	fixture_begin(&f);
	make_rules_d(&f);
	fixture_write(&f, "rules.d/20-b.conf",
		BYTES("rules = ( { words = \"parked\"; cause = \"account_suspended\";\n"
		      "  example = \"NO Your mailbox is parked\"; } );\n"),
		0600);
	fixture_write(&f, "rules.d/10-a.conf",
		BYTES("rules = ( { protocol = \"imap\"; stage = \"auth select\"; code = \"NO\";\n"
		      "  words = \"parked ... again\"; provider = \"example.com\"; transient = "
		      "true;\n"
		      "  cause = \"account_locked\"; example = \"NO parked, come again\"; } );\n"),
		0600);
	fixture_write(&f, "rules.d/notes.txt", BYTES("no settings"), 0600);
	fixture_load_text(&f, MAILBOX);
	assert_told(&f, "");
	rules = f.settings->mailboxes[0].sides[SIDE_IMAP]->rules;
	assert_ptr_equal(rules, f.settings->rules);
	assert_int_equal(rules->count, 2);
	assert_string_equal(rules->items[0].words, "parked ... again");
	assert_string_equal(rules->items[0].provider, "example.com");
	assert_int_equal(rules->items[0].transient, RULE_TRANSIENT);
	assert_int_equal(rules->items[0].cause, CAUSE_ACCOUNT_LOCKED);
	assert_null(rules->items[1].protocol);
	assert_int_equal(rules->items[1].transient, RULE_AS_USUAL);
	fixture_end(&f);
}

static void
test_rules_may_stand_in_any_file(void **state)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, "rules = ( { words = \"parked\"; cause = \"account_suspended\";\n"
			      "  example = \"550-Your mailbox\\n550 is parked\"; } );\n");
	assert_told(&f, "");
	assert_int_equal(f.settings->rules->count, 1);
	fixture_load_text(&f, "");
	assert_null(f.settings->rules);
	fixture_end(&f);
}

#define RULE(members) "rules = (\n  { " members " } );\n"
#define SUSPENDED "cause = \"account_suspended\"; "

static void
test_rules_have_faults(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *told; /* a part */
	} rows[] = {
		{ "no cause", RULE("words = \"parked\"; example = \"NO parked\";"),
			"main.conf:2: rules[0]: no cause; write one" },
		{ "no example", RULE("words = \"parked\"; " SUSPENDED),
			"main.conf:2: rules[0]: no example; write the reply" },
		{ "about nothing", RULE(SUSPENDED "example = \"NO parked\";"),
			"main.conf:2: rules[0]: neither code nor words;" },
		{ "no such cause",
			RULE("words = \"parked\"; cause = \"parked\"; example = \"NO parked\";"),
			"main.conf:2: rules[0].cause: \"parked\" is no cause;" },
		{ "ok is no cause",
			RULE("words = \"parked\"; cause = \"ok\"; example = \"NO parked\";"),
			"main.conf:2: rules[0].cause: \"ok\" is no cause;" },
		{ "no such stage",
			RULE("stage = \"login\"; words = \"parked\"; " SUSPENDED
			     "example = \"NO parked\";"),
			"main.conf:2: rules[0].stage: not a stage" },
		{ "no such code", RULE("code = \"5x5\"; " SUSPENDED "example = \"NO parked\";"),
			"main.conf:2: rules[0].code: not a code" },
		{ "a pattern that is none",
			RULE("words = \"(parked\"; " SUSPENDED "example = \"NO parked\";"),
			"main.conf:2: rules[0].words: a bracket is not closed" },
		{ "no such protocol",
			RULE("protocol = \"pop3\"; words = \"parked\"; " SUSPENDED
			     "example = \"NO parked\";"),
			"main.conf:2: rules[0].protocol: " },
		{ "unknown member",
			RULE("word = \"parked\"; " SUSPENDED "example = \"NO parked\";"),
			"main.conf:2: rules[0].word: no such setting; did you mean words?" },
		{ "its own example says something else",
			RULE("words = \"parked\"; " SUSPENDED "example = \"NO Login failed\";"),
			"main.conf:2: rules[0].example: the rule does not fit its own example" },
		{ "example of the other protocol",
			RULE("protocol = \"smtp\"; words = \"parked\"; " SUSPENDED
			     "example = \"NO parked\";"),
			"main.conf:2: rules[0].example: no reply of that protocol" },
		{ "a temporary reply never judges a password",
			RULE("code = \"454\"; words = \"parked\"; cause = \"bad_credentials\"; "
			     "example = \"454 parked\";"),
			"main.conf:2: rules[0].example: a temporary reply never gives this" },
		{ "shadowed",
			"rules = (\n"
			"  { words = \"parked\"; cause = \"account_locked\"; example = \"NO "
			"parked\"; },\n"
			"  { code = \"NO\"; words = \"mailbox parked\"; " SUSPENDED
			"example = \"NO mailbox parked\"; } );\n",
			"main.conf:3: rules[1].example: a rule before this one takes its example" },
		{ "no group", "rules = ( \"parked\" );\n", "main.conf:1: rules[0]: no group;" },
		{ "in another place", "defaults = { rules = ( ); };\n",
			"main.conf:1: defaults.rules: rules cannot stand in defaults" },
	};
	struct fixture f;

	fixture_begin(&f);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		fixture_load_text(&f, rows[i].text);
		assert_told_part(&f, rows[i].told);
		assert_err_equal(f.err, ERR_INVALID);
	}
	fixture_end(&f);
}

/* Another rule is no other probe: nothing is probed at once for it (contract 6). */
static void
test_rules_change_no_endpoint(void **state)
{
	struct fixture before, after;

	fixture_begin(&before);
	fixture_begin(&after);
	fixture_load_text(&before, MAILBOX);
	fixture_load_text(
		&after, MAILBOX RULE("words = \"parked\"; " SUSPENDED "example = \"NO parked\";"));
	assert_told(&after, "");
	assert_true(endpoint_equal(before.settings->mailboxes[0].sides[SIDE_IMAP],
		after.settings->mailboxes[0].sides[SIDE_IMAP]));
	fixture_end(&before);
	fixture_end(&after);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_rules_are_read_from_rules_d),
	cmocka_unit_test(test_rules_may_stand_in_any_file),
	cmocka_unit_test(test_rules_have_faults),
	cmocka_unit_test(test_rules_change_no_endpoint),
};

UNIT_MAIN(tests)
