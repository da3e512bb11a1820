/*
 * reply_cause.h: the table by which a server's reply becomes a cause. Layer: diagnose, pure.
 */
#ifndef DIAGNOSE_REPLY_CAUSE_H
#define DIAGNOSE_REPLY_CAUSE_H

#include "facts/finding.h"

/* The cause of a finding that a reply decided (FINDING_REFUSED). Never a cause with mark B at auth
 * where no byte of the secret went out; never bad_credentials for a temporary form (causes.md,
 * "Reply rules"). */
enum cause reply_cause(const struct finding *finding);
/* A 4yz reply, an enhanced code of class 4: the server says itself that it may go better later. */
bool reply_is_temporary(const struct server_reply *reply);

#endif
