/*
 * signals.h: TERM, INT, HUP, USR1 (contract 2). Layer: daemon.
 */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include "daemon/daemon.h"

/* First, before any thread is made. Until signals_start() TERM and INT end the process at once,
 * since nothing has begun yet; HUP and USR1 wait. */
void signals_hold(void);
/* From here on TERM and INT leave the loop, HUP reloads, USR1 tells a summary. ERR_MEMORY */
CHECKED enum err signals_start(struct daemon *daemon);
/* The end has begun: a second TERM ends at once. */
void signals_end(struct daemon *daemon);

#endif
