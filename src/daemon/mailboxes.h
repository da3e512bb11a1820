/*
 * mailboxes.h: mailboxes set over the socket: kept, and then watched. Layer: daemon.
 *
 * The main loop has all of them, as they are sealed; what is asked for goes to the writer, and
 * takes effect when it is durable. So whoever got an answer finds it after a crash, and two who ask
 * at once find one of their two.
 */
#ifndef DAEMON_MAILBOXES_H
#define DAEMON_MAILBOXES_H

#include "daemon/daemon.h"

/* At the start, from daemon->store into daemon->settings; warnings to the log. ERR_MEMORY; else
 * they cannot be read: none is watched, why says it. */
CHECKED enum err mailboxes_start(struct daemon *daemon, struct fault *why);
void mailboxes_free(struct daemon *daemon);
/* mailbox is taken, NULL: the one of this name goes. control_put_done(request, …) comes later.
 * carry_out() is the caller's. */
CHECKED enum err mailboxes_ask(
	struct daemon *daemon, struct bytes name, struct sealed_mailbox *mailbox, uint64_t request);
/* The writer's answer; takes the mailbox. */
void mailboxes_changed(
	struct daemon *daemon, struct writer_change *change, enum err err, const struct fault *why);

/* ---- for a load on another thread */

/* All as they are now; to be let go of on this thread. ERR_MEMORY */
CHECKED enum err mailboxes_lend(
	struct daemon *daemon, struct sealed_mailbox ***mailboxes, size_t *count);
void mailboxes_let_go(struct sealed_mailbox **mailboxes, size_t count);
/* What changed since they were lent, into the settings that were made of them. ERR_MEMORY */
CHECKED enum err mailboxes_catch_up(struct daemon *daemon, struct settings *settings);

#endif
