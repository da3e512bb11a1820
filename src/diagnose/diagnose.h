/*
 * diagnose.h: from what happened to why: a finding becomes a verdict's cause. Layer: diagnose,
 * pure. What a reply means is told by rules (reply_rules.def, and those of the endpoint).
 */
#ifndef DIAGNOSE_DIAGNOSE_H
#define DIAGNOSE_DIAGNOSE_H

#include "facts/endpoint.h"
#include "facts/finding.h"

/*
 * Writes is_ok, stage, cause, is_transient, login, wait_us, detail, reply, capabilities, notes,
 * suggest of verdict out of the finding. What the finding holds moves over to the verdict (its
 * texts are empty then).
 */
void diagnose_finding(
	const struct endpoint *endpoint, struct finding *finding, struct verdict *verdict);
/* A cause that needs no dialogue (dns, connect, tls, secret): cause's usual marks, stage as given.
 */
void diagnose_cause(struct verdict *verdict, enum stage stage, enum cause cause);

/* "Suggested Backoff Time: 299910 milliseconds", "try again in 15 minutes" -> microseconds, capped
 * at 6 h; 0: none (H7-23). */
int64_t diagnose_wait_us(struct bytes text);

#endif
