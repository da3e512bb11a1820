/*
 * reply_rules.h: the rules by which a server's reply becomes a cause. Layer: diagnose, pure.
 */
#ifndef DIAGNOSE_REPLY_RULES_H
#define DIAGNOSE_REPLY_RULES_H

#include "diagnose/reply_words.h"
#include "facts/finding.h"
#include "facts/provider.h"
#include "facts/reply_rule.h"

/* A reply as rules see it. */
struct reply_question {
	enum side side;
	enum stage stage;
	const struct server_reply *reply; /* its codes */
	struct bytes text;		  /* its words */
	struct bytes host;		  /* of the server; empty: not known */
	struct bytes username;		  /* that logs in; empty: none */
	const struct provider *provider;  /* of the server or the address; NULL: not known */
	const struct provider *software;  /* by its greeting; NULL: not known */
};

/* The tree's own rules, in their order. */
extern const struct reply_rule reply_rules_built_in[];
extern const size_t reply_rules_built_in_count;

/* The first rule that fits, of `own` (may be NULL) before the built-in ones. NULL: none. */
const struct reply_rule *reply_rules_find(
	const struct reply_rules *own, const struct reply_question *question);
bool reply_rule_fits(const struct reply_rule *rule, const struct reply_question *question);

/* True: the reply says itself that it may go better later: 4yz, an enhanced code of class 4,
 * [UNAVAILABLE]. */
bool reply_is_temporary(const struct server_reply *reply);

/* What is wrong with a rule's text, in words; NULL: nothing. *setting: which ("code"). */
const char *reply_rule_fault(const struct reply_rule *rule, const char **setting);
/* The side and the first stage that a rule is for, as its example shows it where it does not say.
 */
enum side reply_rule_side(const struct reply_rule *rule);
enum stage reply_rule_stage(const struct reply_rule *rule);

#endif
