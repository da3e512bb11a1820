/*
 * tick.c: every 2 s: do the loops turn, is there memory, is the socket's file there, did this host
 * sleep? Layer: daemon.
 */
#include "daemon/tick.h"

#include <event2/event.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "daemon/clock.h"
#include "daemon/memory.h"

#define TICK_S 2
#define LATE_LEAST_US US_PER_S
#define LATE_TICKS_TOLD 5
#define LATE_TICKS_MOST 15
#define SOCKET_EVERY_TICKS 15 /* made anew within a minute (H5-19) */
/* Whatever is still wrong has shown itself by then: teller.h takes 10 s, the rest less. */
#define OLD_TROUBLES_TICKS 15

/* Asked by notify every 2 s or more often. */
static bool
is_alive(void *owner)
{
	struct daemon *daemon = owner;

	return loops_late_us(daemon->loops) < DAEMON_LOOP_LATE_US;
}

static void
put_status(void *owner, struct buf *out)
{
	figures_put_counts(owner, out);
}

const struct notify_calls tick_notify_calls = { is_alive, put_status };

/* How late the main loop came to this very tick, in time that the machine was awake. */
static int64_t
own_lateness_us(struct daemon *daemon)
{
	struct timespec awake;
	mono_t now;
	int64_t late_us;

	clock_gettime(CLOCK_MONOTONIC, &awake);
	now = (mono_t){ awake.tv_sec * US_PER_S + awake.tv_nsec / 1000 };
	late_us = mono_since(now, daemon->ticked) - TICK_S * US_PER_S;
	daemon->ticked = now;
	return late_us;
}

/*
 * H10-06: a loop that does not turn at all is trouble at once, and the watchdog's; turns of a
 * second and more are trouble where they go on for ten seconds, and it is over half a minute after
 * the last of them.
 */
static void
look_after_loops(struct daemon *daemon)
{
	int64_t loops_us = loops_worst_us(daemon->loops), own_us = own_lateness_us(daemon);
	int64_t late_us = loops_us > own_us ? loops_us : own_us;
	char detail[100];

	if (!is_alive(daemon))
		daemon->loop_lateness = LATE_TICKS_MOST;
	else if (late_us >= LATE_LEAST_US)
		daemon->loop_lateness += daemon->loop_lateness < LATE_TICKS_MOST;
	else
		daemon->loop_lateness -= daemon->loop_lateness > 0;
	if (!daemon->is_loop_late && daemon->loop_lateness >= LATE_TICKS_TOLD) {
		daemon->is_loop_late = true;
		daemon->loop_lateness = LATE_TICKS_MOST;
		snprintf(detail, sizeof(detail), "%s is late by %.1f s",
			loops_us > own_us ? "a probing loop" : "the main loop",
			(double)late_us / US_PER_S);
		carry_trouble(daemon, TROUBLE_LOOP, false, detail);
	} else if (daemon->is_loop_late && daemon->loop_lateness == 0) {
		daemon->is_loop_late = false;
		carry_trouble(daemon, TROUBLE_LOOP, true, NULL);
	} else {
		return;
	}
	carry_out(daemon);
}

/* H10-10: rather fewer probes at a time than to be killed by the kernel with all of them. */
static void
look_after_memory(struct daemon *daemon)
{
	struct watch_counts counts;
	struct memory memory;
	unsigned most;

	if (memory_look(MEMORY_OWN_GROUPS, MEMORY_GROUPS, &memory) != ERR_OK) {
		watch_memory(daemon->watch, mono_now(), wall_now(), 0);
		carry_out(daemon);
		return;
	}
	watch_counts(daemon->watch, &counts);
	most = memory_probes(&memory, counts.in_flight);
	if (!daemon->is_memory_short && most <= counts.in_flight) {
		daemon->is_memory_short = true;
		log_warning("memory: %" PRId64 " of %" PRId64 " MiB are used; at most %u probes at "
			    "a time while that is so",
			memory.used_bytes >> 20, memory.most_bytes >> 20, most);
		malloc_trim(0);
	} else if (daemon->is_memory_short && most > 2 * counts.in_flight + 1) {
		daemon->is_memory_short = false;
		log_info("memory: %" PRId64 " of %" PRId64 " MiB are used, which is well",
			memory.used_bytes >> 20, memory.most_bytes >> 20);
	}
	watch_memory(daemon->watch, mono_now(), wall_now(), most);
	carry_out(daemon);
}

static void
look_after_socket(struct daemon *daemon)
{
	if (!control_look_after_socket(daemon->control))
		return;
	carry_mended(daemon, TROUBLE_SOCKET, "the status socket's file was gone and was made anew");
	carry_out(daemon);
}

/* A trouble that was told before the restart and did not come again is over. */
static void
end_old_troubles(struct daemon *daemon)
{
	for (size_t i = 0; i < TROUBLE_COUNT; i++) {
		if (!daemon->is_trouble_seen[i] && !watch_knows_trouble((enum trouble)i))
			carry_trouble(daemon, (enum trouble)i, true, NULL);
	}
	carry_out(daemon);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)fd;
	(void)what;
	daemon->ticks++;
	look_after_loops(daemon);
	look_after_memory(daemon);
	clock_look(daemon);
	if (daemon->ticks % SOCKET_EVERY_TICKS == 0)
		look_after_socket(daemon);
	if (daemon->ticks == OLD_TROUBLES_TICKS)
		end_old_troubles(daemon);
	/* A wake-up from suspend may show here first. */
	if (!mono_is_before(mono_now(), watch_wake(daemon->watch))) {
		watch_tick(daemon->watch, mono_now(), wall_now());
		carry_out(daemon);
	}
}

enum err
tick_start(struct daemon *daemon)
{
	static const struct timeval every = { TICK_S, 0 };

	(void)own_lateness_us(daemon); /* from here on */
	daemon->on_tick = event_new(daemon->base, -1, EV_PERSIST, on_tick, daemon);
	if (!daemon->on_tick || event_add(daemon->on_tick, &every) != 0)
		return ERR_MEMORY;
	return ERR_OK;
}

void
tick_end(struct daemon *daemon)
{
	if (daemon->on_tick)
		event_free(daemon->on_tick);
	daemon->on_tick = NULL;
}
