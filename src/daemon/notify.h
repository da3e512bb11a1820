/*
 * notify.h: what systemd is told: ready, reloading, status, watchdog, stopping. Layer: daemon. All
 * of it does nothing where no service manager listens.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>

#include "base/buf.h"

struct event_base;
struct notify;

struct notify_calls {
	/* May the watchdog be fed: do all loops turn? */
	bool (*is_alive)(void *owner);
	/* Puts the STATUS= line. */
	void (*status)(void *owner, struct buf *out);
};

/* Begins the timer that feeds the watchdog (half of WATCHDOG_USEC) and renews the status.
 * ERR_MEMORY */
CHECKED enum err notify_start(struct event_base *base, const struct notify_calls *calls,
	void *owner, struct notify **out);
void notify_free(struct notify *notify);
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

#endif
