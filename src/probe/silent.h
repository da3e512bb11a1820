/*
 * silent.h: ports that were silent in clear, and how they answered to TLS: looked at once an
 * incident, and told the same while it lasts (H1-15). Layer: probe.
 *
 * An incident of such a port ends with a greeting, so this is kept until one is heard. In memory
 * alone: after a restart, and after a reload, it is looked at once more.
 */
#ifndef PROBE_SILENT_H
#define PROBE_SILENT_H

#include "probe/peek.h"

struct silent;

/* A zeroed one is empty. */
struct silents {
	struct silent *by_port;
};

/* Where there is no memory it is not noted. */
void silents_note(
	struct silents *silents, const struct endpoint *endpoint, const struct peek_result *result);
/* NULL: nobody looked yet. */
const struct peek_result *silents_find(
	const struct silents *silents, const struct endpoint *endpoint);
void silents_forget(struct silents *silents, const struct endpoint *endpoint);
/* All of them. */
void silents_done(struct silents *silents);

#endif
