/*
 * tick.c: every 2 s: do the loops turn, is the socket's file there, did this host sleep? Layer:
 * daemon.
 */
#include "daemon/tick.h"

#include <event2/event.h>

#define TICK_S 2
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

static void
look_after_loops(struct daemon *daemon)
{
	bool is_late = !is_alive(daemon);

	if (is_late == daemon->is_loop_late)
		return;
	daemon->is_loop_late = is_late;
	carry_trouble(daemon, TROUBLE_LOOP, !is_late, "a probing loop has not turned for 5 s");
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
		if (!daemon->is_trouble_seen[i])
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
