/*
 * checks.h: checks that the socket asked for: their probes are guests of watch on the loops. Layer:
 * daemon.
 */
#ifndef DAEMON_CHECKS_H
#define DAEMON_CHECKS_H

#include "daemon/daemon.h"

/* For control_calls.check: ERR_LIMIT where too many are under way. Calls that follow belong into
 * one carry_out() with what watch decided here. */
CHECKED enum err checks_start(struct daemon *daemon, const struct control_check *check,
	uint64_t request, int64_t *retry_us, struct fault *why);
void checks_gone(struct daemon *daemon, uint64_t request);
void checks_free(struct daemon *daemon);

/* A guest's turn has come; its stages; its end (before watch has the verdict). Tokens of others are
 * passed over. */
void checks_begun(struct daemon *daemon, uint64_t token, const char *address);
void checks_passed(struct daemon *daemon, uint64_t token, const struct probe_step *step);
void checks_ended(
	struct daemon *daemon, uint64_t token, struct verdict *verdict, struct bytes transcript);

#endif
