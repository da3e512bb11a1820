/*
 * reply_cause.c: what a reply means for the mailbox: the rules asked, and what holds whatever they
 * say. Layer: diagnose, pure.
 */
#include "diagnose/reply_cause.h"

#include "diagnose/providers.h"

/* A rule that says more than that it was refused. */
static bool
is_telling(const struct reply_rule *rule)
{
	return rule && rule->words && rule->cause != CAUSE_BAD_CREDENTIALS;
}

/* A rule for the words that came beside the tagged reply: of an alert, of a BYE. They decide where
 * they say more (H2-23). */
static const struct reply_rule *
rule_of_alert(const struct reply_rules *own, const struct reply_question *question,
	const struct reply_rule *rule)
{
	struct reply_question beside = *question;
	const struct reply_rule *found;

	beside.text = bytes_of(question->reply->alert);
	found = reply_rules_find(own, &beside);
	return is_telling(found) && !is_telling(rule) ? found : rule;
}

/* Judged by somebody who looked at the secret. */
static bool
is_about_secret(const struct reply_rule *rule)
{
	return rule->cause == CAUSE_BAD_CREDENTIALS ||
	       (!rule->words && cause_has(rule->cause, CAUSE_REFUSED));
}

static bool
is_transient(const struct reply_rule *rule, const struct server_reply *reply)
{
	if (rule->transient != RULE_AS_USUAL)
		return rule->transient == RULE_TRANSIENT;
	return cause_has(rule->cause, CAUSE_TRANSIENT) || reply_is_temporary(reply);
}

struct reply_meaning
reply_meaning(const struct endpoint *endpoint, const struct finding *finding)
{
	const struct server_reply *reply = &finding->reply;
	const struct reply_question question = {
		.side = finding->side,
		.stage = finding->stage,
		.reply = reply,
		.text = bytes_of(reply->text),
		.host = bytes_of(endpoint->host),
		.username = bytes_of(endpoint->username),
		.provider = endpoint->provider,
		.software = providers_of_greeting(endpoint->providers, bytes_of(finding->greeting)),
	};
	const struct reply_rule *rule = reply_rules_find(endpoint->rules, &question);
	struct reply_meaning meaning = { CAUSE_PROTOCOL_ERROR, reply_is_temporary(reply), NULL };

	if (reply->alert && reply->status != REPLY_BYE)
		rule = rule_of_alert(endpoint->rules, &question, rule);
	/* Nobody can have judged a secret that was not sent (H1-12, H2-29). */
	if (!rule || (finding->stage == STAGE_AUTH && !finding->is_secret_sent &&
			     !finding->is_name_sent && is_about_secret(rule)))
		return meaning;
	meaning = (struct reply_meaning){ rule->cause, is_transient(rule, reply), rule };
	if (rule->cause == CAUSE_BAD_CREDENTIALS && reply_is_temporary(reply))
		meaning.cause = CAUSE_BACKEND_ERROR;
	return meaning;
}
