/*
 * notify.c: sd_notify(3), wrapped once. Layer: daemon.
 */
#include "daemon/notify.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/time.h"

#define STATUS_EVERY_US (2 * US_PER_S)

struct notify {
	const struct notify_calls *calls;
	void *owner;
	struct event *on_tick;
	bool has_watchdog;
	char status[200]; /* sent last */
};

/* The status line where it is another than the one before, with `words` in front. */
static void
send_status(struct notify *notify, const char *words)
{
	struct buf line = { 0 };

	notify->calls->status(notify->owner, &line);
	if (words[0] ||
		strncmp(line.at ? line.at : "", notify->status, sizeof(notify->status) - 1) != 0) {
		snprintf(notify->status, sizeof(notify->status), "%s", line.at ? line.at : "");
		sd_notifyf(0, "%sSTATUS=%s", words, notify->status);
	}
	buf_done(&line);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct notify *notify = arg;

	(void)fd;
	(void)what;
	if (notify->has_watchdog && notify->calls->is_alive(notify->owner))
		sd_notify(0, "WATCHDOG=1");
	send_status(notify, "");
}

enum err
notify_start(
	struct event_base *base, const struct notify_calls *calls, void *owner, struct notify **out)
{
	struct notify *notify = calloc(1, sizeof(*notify));
	uint64_t watchdog_us = 0;
	int64_t every_us = STATUS_EVERY_US;

	if (!notify)
		return ERR_MEMORY;
	notify->calls = calls;
	notify->owner = owner;
	notify->has_watchdog = sd_watchdog_enabled(0, &watchdog_us) > 0;
	if (notify->has_watchdog && (int64_t)watchdog_us / 2 < every_us)
		every_us = (int64_t)watchdog_us / 2;
	notify->on_tick = event_new(base, -1, EV_PERSIST, on_tick, notify);
	if (!notify->on_tick) {
		free(notify);
		return ERR_MEMORY;
	}
	event_add(notify->on_tick, &(struct timeval){ every_us / US_PER_S, every_us % US_PER_S });
	*out = notify;
	return ERR_OK;
}

void
notify_free(struct notify *notify)
{
	if (!notify)
		return;
	event_free(notify->on_tick);
	free(notify);
}

void
notify_ready(struct notify *notify)
{
	send_status(notify, "READY=1\n");
}

void
notify_reloading(struct notify *notify)
{
	struct timespec now;

	(void)notify;
	/* Not mono_now(): systemd compares it with its own CLOCK_MONOTONIC (sd_notify(3)). */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		now.tv_sec * US_PER_S + now.tv_nsec / 1000);
}

void
notify_stopping(struct notify *notify)
{
	(void)notify;
	sd_notify(0, "STOPPING=1");
}
