/*
 * rules.c: entries of `rules` -> rules for replies, each tried on its own example. Layer: config.
 */
#include <stdio.h>

#include "config/load.h"
#include "diagnose/providers.h"
#include "diagnose/reply_cause.h"
#include "dialogue/reply_text.h"

/* A fault at the setting it is about, else at the whole rule. */
static void
tell(struct load *load, const config_setting_t *rule, const char *path, const char *name,
	const char *what)
{
	const config_setting_t *at = config_setting_get_member(rule, name);
	char whole[160];

	snprintf(whole, sizeof(whole), "%s.%s", path, name);
	load_fault(load, at ? at : rule, at ? whole : path, "%s: %s", at ? whole : path, what);
}

static const char *
text_of(const struct scope *scope, enum setting setting)
{
	return scope->slots[setting].text;
}

/* A rule has to be about something, and to say what. */
static bool
is_whole(struct load *load, const struct scope *scope, const config_setting_t *at, const char *path)
{
	bool is_about = text_of(scope, SETTING_RULE_CODE) || text_of(scope, SETTING_RULE_WORDS);

	if (!is_about)
		load_fault(load, at, path, "%s: neither code nor words; write at least one of them",
			path);
	if (!scope->slots[SETTING_RULE_CAUSE].at)
		load_fault(load, at, path,
			"%s: no cause; write one of those that mboxwatch-causes(7) lists", path);
	if (!scope->slots[SETTING_RULE_EXAMPLE].at)
		load_fault(load, at, path,
			"%s: no example; write the reply that the rule is for, as the server sends "
			"it",
			path);
	return is_about && scope->slots[SETTING_RULE_CAUSE].at &&
	       scope->slots[SETTING_RULE_EXAMPLE].at;
}

static bool
find_cause(struct load *load, const struct scope *scope, const char *path, enum cause *out)
{
	const config_setting_t *at = scope->slots[SETTING_RULE_CAUSE].at;

	if (cause_from_name(bytes_of(text_of(scope, SETTING_RULE_CAUSE)), out) == ERR_OK &&
		*out != CAUSE_OK)
		return true;
	load_fault(load, at, path,
		"%s.cause: \"%.60s\" is no cause; write one of those that mboxwatch-causes(7) "
		"lists",
		path, text_of(scope, SETTING_RULE_CAUSE));
	return false;
}

/* The row that a rule names, where it does not name a domain. */
static const struct provider *
reply_rule_provider(const struct load *load, const struct reply_rule *rule)
{
	return rule->provider && !strchr(rule->provider, '.')
		       ? providers_find(load->settings->providers, bytes_of(rule->provider))
		       : NULL;
}

static const char *
what_is_wrong(const struct load *load, const struct reply_rule *rule, const struct finding *finding,
	const struct reply_meaning *meaning)
{
	const struct reply_question question = { .side = finding->side,
		.stage = finding->stage,
		.reply = &finding->reply,
		.text = bytes_of(finding->reply.text),
		.host = bytes_of(rule->provider),
		.provider = reply_rule_provider(load, rule) };

	if (meaning->cause == rule->cause)
		return NULL;
	if (meaning->rule == rule)
		return "a temporary reply never gives this cause; write another cause";
	return reply_rule_fits(rule, &question)
		       ? "a rule before this one takes its example, for another cause; put this "
			 "one "
			 "first, or leave it out"
		       : "the rule does not fit its own example, so it never gives its cause "
			 "there; mend code, words or example";
}

/* The rule is the last of the list; by the list its example has to give its cause. */
static void
try_example(struct load *load, const config_setting_t *at, const char *path)
{
	const struct reply_rules *rules = load->settings->rules;
	const struct reply_rule *rule = &rules->items[rules->count - 1];
	struct endpoint *endpoint = endpoint_new(reply_rule_side(rule));
	struct finding finding = { .kind = FINDING_REFUSED,
		.side = reply_rule_side(rule),
		.stage = reply_rule_stage(rule),
		.is_secret_sent = true };
	enum err err = reply_from_text(finding.side, bytes_of(rule->example), &finding.reply);

	if (!endpoint || err == ERR_MEMORY) {
		load->is_out_of_memory = true;
	} else if (err != ERR_OK) {
		tell(load, at, path, "example",
			"no reply of that protocol; write it as the server sends it, as "
			"\"535 5.7.8 …\" or \"NO [ALERT] …\"");
	} else {
		struct reply_meaning meaning;

		endpoint->host = load_copy(load, rule->provider);
		endpoint->provider = reply_rule_provider(load, rule);
		endpoint->rules = reply_rules_hold(load->settings->rules);
		meaning = reply_meaning(endpoint, &finding);
		if (what_is_wrong(load, rule, &finding, &meaning))
			tell(load, at, path, "example",
				what_is_wrong(load, rule, &finding, &meaning));
	}
	finding_done(&finding);
	endpoint_free(endpoint);
}

static void
load_rule(struct load *load, const config_setting_t *at, const char *path)
{
	static const enum rule_transient transients[] = { RULE_LASTING, RULE_TRANSIENT };
	struct scope scope = { 0 };
	struct reply_rule rule = { 0 };
	const char *setting, *fault;
	size_t faults = load->complaints->faults;

	parse_group(load, at, IN_RULE, path, &scope);
	if (load->complaints->faults > faults || !is_whole(load, &scope, at, path) ||
		!find_cause(load, &scope, path, &rule.cause))
		return;
	rule.protocol = text_of(&scope, SETTING_RULE_PROTOCOL);
	rule.stage = text_of(&scope, SETTING_RULE_STAGE);
	rule.code = text_of(&scope, SETTING_RULE_CODE);
	rule.words = text_of(&scope, SETTING_RULE_WORDS);
	rule.provider = text_of(&scope, SETTING_RULE_PROVIDER);
	rule.example = text_of(&scope, SETTING_RULE_EXAMPLE);
	if (scope.slots[SETTING_RULE_TRANSIENT].at)
		rule.transient = transients[scope.slots[SETTING_RULE_TRANSIENT].number != 0];
	fault = reply_rule_fault(&rule, &setting);
	if (fault)
		tell(load, at, path, setting, fault);
	else if (rule.provider && !strchr(rule.provider, '.') &&
		 !load_provider(load, scope.slots[SETTING_RULE_PROVIDER].at, path, rule.provider))
		return;
	else if (reply_rules_add(load->settings->rules, &rule) != ERR_OK)
		load->is_out_of_memory = true;
	else
		try_example(load, at, path);
}

void
load_rules(struct load *load, const config_setting_t *list)
{
	for (int i = 0; i < config_setting_length(list) && !load->is_out_of_memory; i++) {
		const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);
		char path[32];

		snprintf(path, sizeof(path), "rules[%d]", i);
		if (!load->settings->rules)
			load->settings->rules = reply_rules_new();
		if (!load->settings->rules)
			load->is_out_of_memory = true;
		else if (config_setting_is_group(at))
			load_rule(load, at, path);
		else
			load_fault(load, at, path,
				"%s: no group; write { words = \"…\"; cause = \"…\"; example = "
				"\"…\"; }",
				path);
	}
}
