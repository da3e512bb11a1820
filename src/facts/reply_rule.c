/*
 * reply_rule.c: lists of rules, held by who uses them. Layer: facts.
 */
#include "facts/reply_rule.h"

#include <stdlib.h>

struct reply_rules *
reply_rules_new(void)
{
	struct reply_rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->owners = 1;
	return rules;
}

struct reply_rules *
reply_rules_hold(struct reply_rules *rules)
{
	if (rules)
		__atomic_add_fetch(&rules->owners, 1, __ATOMIC_RELAXED);
	return rules;
}

/* Texts of a rule in a list are its own, though others may not write to them. */
static void
rule_done(struct reply_rule *rule)
{
	free((char *)(uintptr_t)rule->protocol);
	free((char *)(uintptr_t)rule->stage);
	free((char *)(uintptr_t)rule->code);
	free((char *)(uintptr_t)rule->words);
	free((char *)(uintptr_t)rule->provider);
	free((char *)(uintptr_t)rule->example);
}

void
reply_rules_free(struct reply_rules *rules)
{
	if (!rules || __atomic_sub_fetch(&rules->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < rules->count; i++)
		rule_done(&rules->items[i]);
	free(rules->items);
	free(rules);
}

static bool
copy_text(const char *from, const char **to)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

enum err
reply_rules_add(struct reply_rules *rules, const struct reply_rule *rule)
{
	struct reply_rule *items =
		reallocarray(rules->items, rules->count + 1, sizeof(*rules->items));
	struct reply_rule copy = { .cause = rule->cause, .transient = rule->transient };

	if (!items)
		return ERR_MEMORY;
	rules->items = items;
	if (!copy_text(rule->protocol, &copy.protocol) || !copy_text(rule->stage, &copy.stage) ||
		!copy_text(rule->code, &copy.code) || !copy_text(rule->words, &copy.words) ||
		!copy_text(rule->provider, &copy.provider) ||
		!copy_text(rule->example, &copy.example)) {
		rule_done(&copy);
		return ERR_MEMORY;
	}
	items[rules->count++] = copy;
	return ERR_OK;
}
