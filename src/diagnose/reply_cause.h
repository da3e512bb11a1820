/*
 * reply_cause.h: a server's reply -> what is wrong. Layer: diagnose, pure.
 */
#ifndef DIAGNOSE_REPLY_CAUSE_H
#define DIAGNOSE_REPLY_CAUSE_H

#include "diagnose/reply_rules.h"
#include "facts/endpoint.h"

struct reply_meaning {
	enum cause cause;
	bool is_transient;
	const struct reply_rule *rule; /* that decided; NULL: none did */
};

/* The cause of a finding that a reply decided (FINDING_REFUSED), by the rules. Never a cause that
 * judges the secret where no byte of it went out; never bad_credentials for a temporary form
 * (causes.md, "Reply rules"). */
struct reply_meaning reply_meaning(const struct endpoint *endpoint, const struct finding *finding);

#endif
