/*
 * reload.h: settings loaded anew on a helper thread, requests merged. Layer: daemon.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/daemon.h"

CHECKED enum err reload_start(struct daemon *daemon, struct reload **out);
/* Loads as soon as no other load runs. request 0: nobody waits for the answer (SIGHUP); else
 * control_reload_done(request) comes once, for a load that began after this call (H4-11). */
void reload_ask(struct reload *reload, uint64_t request);
/* A load under way is waited for until the deadline. False: it goes on beyond it, with all that it
 * owns; the process must end. */
bool reload_end(struct reload *reload, mono_t deadline);

#endif
