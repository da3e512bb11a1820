/*
 * start.h: from settings to a daemon that watches. Layer: daemon.
 */
#ifndef DAEMON_START_H
#define DAEMON_START_H

#include "daemon/daemon.h"
#include "daemon/options.h"

/* Makes everything, in an order in which each part finds what it needs, and tells `start`. All else
 * than EXIT_ENDED: it was logged why, and what was made so far is in daemon. */
enum exit_status start(struct daemon *daemon, const char *state_dir, const char *socket);

#endif
