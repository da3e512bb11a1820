/*
 * reply_rule.h: what a reply of a server means: one rule, as the tree's own table and rules.d write
 * it alike. Layer: facts.
 *
 * Made by config (rules.d), shared by the endpoints of one load; judged by diagnose, which has the
 * built-in ones.
 */
#ifndef FACTS_REPLY_RULE_H
#define FACTS_REPLY_RULE_H

#include "facts/cause.h"

enum rule_transient {
	RULE_AS_USUAL, /* as the cause's mark and the reply's code say */
	RULE_TRANSIENT,
	RULE_LASTING,
	RULE_TRANSIENT_COUNT
};

/* What is NULL holds for all. The forms of code and words: diagnose/reply_rules.def. */
struct reply_rule {
	const char *protocol; /* "smtp" or "imap" */
	const char *stage;    /* "auth", or several: "mail rcpt data" */
	const char *code;
	const char *words;
	const char *provider; /* a domain that the server's host, or the login's address, is in; or
				 a provider's name */
	enum cause cause;
	enum rule_transient transient;
	const char *example; /* the reply that it was made for, lines parted by LF */
};

struct reply_rules {
	int owners; /* atomic; by reply_rules_hold() and reply_rules_free() alone */
	struct reply_rule *items;
	size_t count;
};

/* One owner, no rules. NULL where the allocator said no. */
struct reply_rules *reply_rules_new(void);
/* NULL is fine, here and below. */
struct reply_rules *reply_rules_hold(struct reply_rules *rules);
void reply_rules_free(struct reply_rules *rules);
/* A copy of rule, texts and all, at the end; before any other owner. ERR_MEMORY */
CHECKED enum err reply_rules_add(struct reply_rules *rules, const struct reply_rule *rule);
#endif
