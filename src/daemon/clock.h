/*
 * clock.h: the wall clock is wrong, or was set. Layer: daemon.
 */
#ifndef DAEMON_CLOCK_H
#define DAEMON_CLOCK_H

#include "daemon/daemon.h"

/* From here on watch hears at once when somebody sets the clock: what ends by its wall time
 * (pauses, brakes) may be over (H7-26). ERR_MEMORY; a kernel without such a timer is no error, the
 * clock is then looked at by clock_look() alone */
CHECKED enum err clock_start(struct daemon *daemon);
/* Now and then: was it set, and is it right? Before the day of this release it cannot be:
 * `trouble`, once, and its end (H7-04). */
void clock_look(struct daemon *daemon);
void clock_end(struct daemon *daemon);

#endif
