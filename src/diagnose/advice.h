/*
 * advice.h: what the table of providers has to say about a failure. Layer: diagnose, pure.
 */
#ifndef DIAGNOSE_ADVICE_H
#define DIAGNOSE_ADVICE_H

#include "facts/endpoint.h"
#include "facts/verdict.h"

/*
 * Sets advice and link of a verdict that is not ok, by the endpoint's provider, else by the
 * software that greets so (may be empty). Where the table has nothing to say about the cause, or
 * the allocator says no, they stay as they are.
 */
void advise(const struct endpoint *endpoint, struct bytes greeting, struct verdict *verdict);

#endif
