/*
 * replies.c: what a reply of a server means by the rules, and what answers at a port. Layer: tests.
 *
 * The first byte picks side, stage and what was sent; then a line is a rule's code, a line its
 * words, and the rest the reply.
 */
#include "fuzz.h"

#include "diagnose/reply_cause.h"
#include "diagnose/what_answers.h"
#include "dialogue/reply_text.h"

static void
judge_meaning(const struct endpoint *endpoint, const struct finding *finding)
{
	struct reply_meaning meaning = reply_meaning(endpoint, finding);

	must(meaning.cause < CAUSE_COUNT && meaning.cause != CAUSE_OK);
	if (meaning.cause == CAUSE_BAD_CREDENTIALS)
		must(!reply_is_temporary(&finding->reply));
	if (meaning.cause == CAUSE_BAD_CREDENTIALS && finding->stage == STAGE_AUTH)
		must(finding->is_secret_sent || finding->is_name_sent);
}

static void
read_reply(struct endpoint *endpoint, uint8_t how, const struct reply_rule *rule, struct bytes text)
{
	struct finding finding = { .kind = FINDING_REFUSED,
		.side = endpoint->side,
		.stage = (enum stage)((how >> 1) % STAGE_COUNT),
		.is_secret_sent = (how & 64) != 0 };

	if (reply_from_text(finding.side, text, &finding.reply) != ERR_OK)
		return;
	judge_meaning(endpoint, &finding);
	endpoint->rules = reply_rules_new();
	must(endpoint->rules && reply_rules_add(endpoint->rules, rule) == ERR_OK);
	judge_meaning(endpoint, &finding);
	finding_done(&finding);
}

static void
read_first_bytes(const struct endpoint *endpoint, struct bytes heard)
{
	struct verdict *verdict = verdict_new();
	const struct answer answer = { .is_tls = true, .heard = heard };

	must(verdict);
	diagnose_clear_text(endpoint, heard, "answered in clear", verdict);
	must(!verdict->is_ok && verdict->cause != CAUSE_OK);
	verdict_free(verdict);
	verdict = verdict_new();
	must(verdict);
	verdict->cause = CAUSE_REPLY_TIMEOUT;
	diagnose_answer_to_tls(endpoint, &answer, verdict);
	must(verdict->cause == CAUSE_TLS_MODE || verdict->cause == CAUSE_WRONG_PROTOCOL);
	verdict_free(verdict);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = { (const char *)data, len }, text;
	struct reply_rule rule = { .cause = CAUSE_BAD_CREDENTIALS };
	struct endpoint *endpoint;
	const char *setting;
	char *code, *words;

	if (len < 1)
		return 0;
	endpoint = endpoint_new(data[0] & 1 ? SIDE_IMAP : SIDE_SMTP);
	must(endpoint);
	endpoint->security = data[0] & 128 ? SECURITY_TLS : SECURITY_NONE;
	rest = bytes_from(rest, 1);
	code = bytes_copy(fuzz_part(&rest, '\n'));
	words = bytes_copy(fuzz_part(&rest, '\n'));
	must(code && words);
	rule.code = code[0] != '\0' ? code : NULL;
	rule.words = words[0] != '\0' ? words : NULL;
	text = fuzz_copy(rest);
	/* What has a fault comes by no file to where replies are judged. */
	if (reply_rule_fault(&rule, &setting))
		rule.code = rule.words = NULL;
	read_reply(endpoint, data[0], &rule, text);
	read_first_bytes(endpoint, text);
	fuzz_drop(text);
	free(code);
	free(words);
	endpoint_free(endpoint);
	return 0;
}
