/*
 * clock.c: the wall clock is wrong, or was set. Layer: daemon.
 *
 * A timer of CLOCK_REALTIME that is never to come is cancelled by the kernel in the moment when
 * somebody sets the clock (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
 */
#include "daemon/clock.h"

#include <event2/event.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"

#define SET_LEAST_US US_PER_S /* less is slewing, or the time between two readings */

static void
look_at_jump(struct daemon *daemon)
{
	int64_t apart_us = wall_now().us - mono_now().us;
	int64_t by_us = apart_us - daemon->wall_apart_us;

	daemon->wall_apart_us = apart_us;
	if (by_us > -SET_LEAST_US && by_us < SET_LEAST_US)
		return;
	log_info("the clock was set by %.1f s", (double)by_us / US_PER_S);
	watch_tick(daemon->watch, mono_now(), wall_now());
	carry_out(daemon);
}

static void
look_at_release(struct daemon *daemon)
{
	const wall_t release = { RELEASE_EPOCH_S * US_PER_S };
	wall_t now = wall_now();
	struct buf detail = { 0 };

	if (now.us >= release.us) {
		if (daemon->is_clock_wrong) {
			carry_trouble(daemon, TROUBLE_CLOCK, true, NULL);
			carry_out(daemon);
		}
		daemon->is_clock_wrong = false;
		return;
	}
	if (daemon->is_clock_wrong)
		return;
	daemon->is_clock_wrong = true;
	buf_put_string(&detail, "the clock says ");
	wall_put_s(&detail, now);
	buf_put_string(&detail, ", and this release is of ");
	wall_put_s(&detail, release);
	carry_trouble(daemon, TROUBLE_CLOCK, false, detail.at ? detail.at : "the clock is wrong");
	buf_done(&detail);
	carry_out(daemon);
}

void
clock_look(struct daemon *daemon)
{
	look_at_jump(daemon);
	look_at_release(daemon);
}

static void
arm(struct daemon *daemon)
{
	struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	if (timerfd_settime(daemon->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
		    NULL) != 0)
		log_debug("no timer says when the clock is set");
}

static void
on_set(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;
	uint64_t times;

	(void)what;
	(void)!read(fd, &times, sizeof(times)); /* ECANCELED */
	arm(daemon);
	clock_look(daemon);
}

enum err
clock_start(struct daemon *daemon)
{
	daemon->wall_apart_us = wall_now().us - mono_now().us;
	daemon->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (daemon->clock_fd < 0)
		return ERR_OK;
	daemon->on_clock =
		event_new(daemon->base, daemon->clock_fd, EV_READ | EV_PERSIST, on_set, daemon);
	if (!daemon->on_clock || event_add(daemon->on_clock, NULL) != 0)
		return ERR_MEMORY;
	arm(daemon);
	return ERR_OK;
}

void
clock_end(struct daemon *daemon)
{
	if (daemon->on_clock)
		event_free(daemon->on_clock);
	if (daemon->clock_fd >= 0)
		close(daemon->clock_fd);
	daemon->on_clock = NULL;
	daemon->clock_fd = -1;
}
