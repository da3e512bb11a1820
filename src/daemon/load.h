/*
 * load.h: settings from their files, at start and for -t. Layer: daemon.
 * Not here: settings anew while running (reload.h).
 */
#ifndef DAEMON_LOAD_H
#define DAEMON_LOAD_H

#include "daemon/daemon.h"
#include "daemon/options.h"

/* -t: every fault, every warning and the plan to standard output. */
enum exit_status load_check(const struct settings_paths *paths);
/* Into daemon->settings; faults and warnings to the log. */
enum exit_status load_settings(struct daemon *daemon);
/* A line each to the log, warnings at most 20 of them (H4-08). */
void load_log_complaints(const struct complaints *complaints);
/* The name that EHLO gives, where the settings have none: this host's, which may take 2 s. NULL
 * where they have one. The caller's (free()). ERR_MEMORY */
CHECKED enum err load_helo_name(const struct settings *settings, char **out);
/* What probes need of the settings; borrowed from daemon. */
struct probes_settings load_probes_settings(const struct daemon *daemon);

#endif
