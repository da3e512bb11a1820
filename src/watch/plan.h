/*
 * plan.h: the two halves of watch_configure(): what was made (configure.c), and its way into the
 * watch (apply.c, claim.c). Layer: watch, pure.
 */
#ifndef WATCH_PLAN_H
#define WATCH_PLAN_H

#include "watch/inside.h"

/* What was made for one mailbox of the settings. */
struct plan {
	const struct watch_mailbox *wanted;
	struct mailbox *mailbox;
	bool is_new;
	char *address;
	struct labels labels;
	struct watched *made[SIDE_COUNT];
	struct server *servers[SIDE_COUNT];
	struct account *accounts[SIDE_COUNT];
};

/* ---- apply.c: cannot fail */

void apply_limits(struct watch *watch, const struct watch_settings *settings);
/* Of the mailbox and its sides; firsts: the sides that begin. True: something of it changed. */
bool apply_mailbox(struct watch *watch, struct plan *plan, struct watched *firsts[SIDE_COUNT]);
/* Parts before the first settle: what the row said, or unknown for what is there. */
void apply_settle(struct watch *watch, struct mailbox *mailbox);
/* Told where it was failing; its rows go. */
void apply_removal(struct watch *watch, struct mailbox *mailbox);

/* ---- claim.c: what the store had */

void claim_endpoint(struct watch *watch, struct watched *endpoint);
void claim_mailbox(struct watch *watch, struct mailbox *mailbox);
void claim_rest(struct watch *watch);

#endif
