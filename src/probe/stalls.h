/*
 * stalls.h: servers whose IPv6 connects and then lets no large packet through: the next probe tries
 * IPv4 first (H3-15). Layer: probe.
 *
 * RFC 8305 races connections alone, so a way that breaks behind them would win each time. Kept for
 * some hours and in memory: after that, and after a restart, IPv6 gets its chance again.
 */
#ifndef PROBE_STALLS_H
#define PROBE_STALLS_H

#include "base/time.h"

struct stall;

/* A zeroed one is empty. */
struct stalls {
	struct stall *by_host;
};

/* Where there is no memory it is not noted. */
void stalls_note(struct stalls *stalls, const char *host, mono_t now);
bool stalls_has(struct stalls *stalls, const char *host, mono_t now);
void stalls_done(struct stalls *stalls);

#endif
