/*
 * tick.h: what is looked after every 2 s. Layer: daemon.
 */
#ifndef DAEMON_TICK_H
#define DAEMON_TICK_H

#include "daemon/daemon.h"
#include "daemon/notify.h"

CHECKED enum err tick_start(struct daemon *daemon);
void tick_end(struct daemon *daemon);
/* What systemd is told of us. */
extern const struct notify_calls tick_notify_calls;

#endif
