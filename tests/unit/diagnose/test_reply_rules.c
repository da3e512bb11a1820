/*
 * test_reply_rules.c: the built-in rules hold together, and the words of rules are read as written.
 */
#include "../unit.h"

#include "diagnose/reply_cause.h"
#include "dialogue/reply_text.h"

#include <stdlib.h>

/* What a rule's example means by all rules, at the rule's first stage. */
static struct reply_meaning
meaning_of_example(const struct reply_rule *rule)
{
	struct endpoint *endpoint = endpoint_new(reply_rule_side(rule));
	struct finding finding = { .kind = FINDING_REFUSED,
		.side = reply_rule_side(rule),
		.stage = reply_rule_stage(rule),
		.is_secret_sent = true };
	struct reply_meaning meaning;

	free(endpoint->host);
	endpoint->host = strdup(rule->provider ? rule->provider : "mail.example.com");
	assert_ok(reply_from_text(finding.side, bytes_of(rule->example), &finding.reply));
	meaning = reply_meaning(endpoint, &finding);
	finding_done(&finding);
	endpoint_free(endpoint);
	return meaning;
}

/* A rule whose own example another one takes before it is shadowed, or can never match. */
static void
test_reply_rules_decide_their_own_examples(void **state)
{
	size_t shadowed = 0;

	for (size_t i = 0; i < reply_rules_built_in_count; i++) {
		const struct reply_rule *rule = &reply_rules_built_in[i];
		struct reply_meaning meaning;

		unit_row(rule->example);
		meaning = meaning_of_example(rule);
		if (meaning.rule != rule) {
			print_error("\"%s\" is decided by the rule for \"%s\"\n", rule->example,
				meaning.rule ? meaning.rule->example : "nothing");
			shadowed++;
		} else {
			assert_int_equal(meaning.cause, rule->cause);
		}
	}
	assert_int_equal(shadowed, 0);
}

static void
test_reply_rules_are_written_in_form(void **state)
{
	for (size_t i = 0; i < reply_rules_built_in_count; i++) {
		const char *setting;
		const char *fault = reply_rule_fault(&reply_rules_built_in[i], &setting);

		unit_row(reply_rules_built_in[i].example);
		if (fault)
			fail_msg("%s: %s", setting, fault);
	}
}

static void
test_reply_words_fit_as_the_pattern_says(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool fits;
	} rows[] = {
		{ "too many", "Error: Too many connections", true },
		{ "too many", "too, many", true },
		{ "too many", "many too", false },
		{ "many", "manyfold", false },
		{ "many*", "manyfold", true },
		{ "too ... connections", "too many open connections", true },
		{ "connections ... too", "too many open connections", false },
		{ "(too many | no more) connections", "no more connections", true },
		{ "(too many | no more) connections", "no connections", false },
		{ "disabled & imap", "IMAP is disabled", true },
		{ "disabled & pop", "IMAP is disabled", false },
		{ "disabled & !imap", "IMAP is disabled", false },
		{ "disabled & !pop", "IMAP is disabled", true },
		{ "pop | imap", "IMAP is disabled", true },
		{ "isn't", "That isn't it", true },
		{ "2fa", "with 2FA enabled", true },
		/* two sentences without a blank between */
		{ "failed please", "Login Failed.Please try", true },
		/* what names somebody or something */
		{ "locked", "locked@example.com is unknown", false },
		{ "locked", "550 locked.example.com", false },
		{ "locked", "see https://locked.example.com/locked", false },
		{ "locked", "session=locked", false },
		{ "from blocked", "from 192.0.2.1 blocked", false },
		{ "from ... blocked", "from 192.0.2.1 blocked", true },
		/* scripts without blanks, and a page's address that touches them */
		{ "授权码", "请使用授权码登录。详情请看:http://a.example/", true },
		{ "授权", "授 权", false },
		{ "a", "", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct reply_words words;

		unit_row(rows[i].pattern);
		reply_words_read(bytes_of(rows[i].text), &words);
		assert_null(reply_words_fault(bytes_of(rows[i].pattern)));
		assert_int_equal(reply_words_fit(&words, bytes_of(rows[i].pattern)), rows[i].fits);
	}
}

static void
test_reply_words_have_faults(void **state)
{
	static const char *const rows[] = { "", "a |", "| a", "a & ", "... a", "a ... ", "(a", "a)",
		"((a) b)", "()", "(a | )", "*", "a*b", "550", "a-b", "!" };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i]);
		assert_non_null(reply_words_fault(bytes_of(rows[i])));
	}
}

/* A reply that is nothing but words costs no more than its start. */
static void
test_reply_words_are_bounded(void **state)
{
	struct buf text = { 0 };
	struct reply_words words;

	for (size_t i = 0; i < 10000; i++)
		buf_put(&text, BYTES("a "));
	buf_put(&text, BYTES("locked"));
	reply_words_read(buf_bytes(&text), &words);
	assert_int_equal(words.count, REPLY_MOST_WORDS);
	assert_false(reply_words_fit(&words, BYTES("locked")));
	buf_done(&text);
}

static void
test_reply_rule_codes_fit_as_written(void **state)
{
	static const struct {
		const char *code;
		enum side side;
		const char *reply;
		bool fits;
	} rows[] = {
		{ "535", SIDE_SMTP, "535 5.7.8 x", true },
		{ "5xx", SIDE_SMTP, "535 5.7.8 x", true },
		{ "4xx", SIDE_SMTP, "535 5.7.8 x", false },
		{ "535 5.7.8", SIDE_SMTP, "535 5.7.8 x", true },
		{ "535 5.7.9", SIDE_SMTP, "535 5.7.8 x", false },
		{ "534 | 5.7.x", SIDE_SMTP, "535 5.7.8 x", true },
		{ "5.x.x", SIDE_SMTP, "535 x", false },
		{ "temporary", SIDE_SMTP, "535 4.7.8 x", true },
		{ "temporary", SIDE_SMTP, "454 5.7.8 x", true },
		{ "permanent", SIDE_SMTP, "535 5.7.8 x", true },
		{ "NO", SIDE_IMAP, "NO x", true },
		{ "BAD | NO [ALERT]", SIDE_IMAP, "NO [alert] x", true },
		{ "[ALERT]", SIDE_IMAP, "NO x", false },
		{ "BYE", SIDE_IMAP, "* BYE x", true },
		{ "temporary", SIDE_IMAP, "* BYE x", true },
		{ "temporary", SIDE_IMAP, "NO [UNAVAILABLE] x", true },
		{ "permanent", SIDE_IMAP, "NO x", true },
		{ "NO", SIDE_SMTP, "535 x", false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct reply_rule rule = { .code = rows[i].code };
		struct server_reply reply = { 0 };
		const char *setting;

		unit_row(rows[i].code);
		assert_null(reply_rule_fault(&rule, &setting));
		assert_ok(reply_from_text(rows[i].side, bytes_of(rows[i].reply), &reply));
		assert_int_equal(
			reply_rule_fits(&rule, &(struct reply_question){ .side = rows[i].side,
						       .stage = STAGE_AUTH,
						       .reply = &reply,
						       .text = bytes_of(reply.text) }),
			rows[i].fits);
		server_reply_done(&reply);
	}
}

/* Rules of the administrator come first, and hold for a provider's hosts alone where they say so.
 */
static void
test_reply_rules_own_ones_come_first(void **state)
{
	struct endpoint *endpoint = endpoint_new(SIDE_SMTP);
	struct finding finding = {
		.kind = FINDING_REFUSED, .stage = STAGE_AUTH, .is_secret_sent = true
	};

	endpoint->host = strdup("smtp.example.com");
	endpoint->rules = reply_rules_new();
	assert_ok(reply_rules_add(endpoint->rules,
		&(struct reply_rule){ .provider = "example.org", .cause = CAUSE_POLICY_BLOCKED }));
	assert_ok(reply_rules_add(endpoint->rules, &(struct reply_rule){ .provider = "example.com",
							   .cause = CAUSE_ACCOUNT_LOCKED,
							   .transient = RULE_LASTING }));
	assert_ok(reply_from_text(SIDE_SMTP, BYTES("535 no"), &finding.reply));
	assert_int_equal(reply_meaning(endpoint, &finding).cause, CAUSE_ACCOUNT_LOCKED);
	assert_false(reply_meaning(endpoint, &finding).is_transient);
	free(endpoint->host);
	endpoint->host = strdup("badexample.com");
	assert_int_equal(reply_meaning(endpoint, &finding).cause, CAUSE_BAD_CREDENTIALS);
	finding_done(&finding);
	endpoint_free(endpoint);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reply_rules_decide_their_own_examples),
	cmocka_unit_test(test_reply_rules_are_written_in_form),
	cmocka_unit_test(test_reply_words_fit_as_the_pattern_says),
	cmocka_unit_test(test_reply_words_have_faults),
	cmocka_unit_test(test_reply_words_are_bounded),
	cmocka_unit_test(test_reply_rule_codes_fit_as_written),
	cmocka_unit_test(test_reply_rules_own_ones_come_first),
};

UNIT_MAIN(tests)
