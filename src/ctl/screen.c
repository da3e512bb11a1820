/*
 * screen.c: mboxwatchctl status --watch: the table, drawn anew as it changes, until q. Layer: ctl.
 *
 * A frame is put together whole, laid over the last one line by line, and written in one piece, so
 * nothing flickers. Signals come as bytes of a descriptor: the terminal is put back on whatever
 * ends us, and while we are stopped (^Z). Without a terminal each change is printed below the last.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define EVERY_MS 1000
#define SHARE 10       /* of the time at most goes into looking */
#define LINES_AROUND 5 /* the sum, outages, the titles, "… more", the foot */
#define ROWS_LEAST 1

/* Another screen, no cursor, long lines cut by the terminal; and back. */
#define TERMINAL_ON "\033[?1049h\033[?25l\033[?7l"
#define TERMINAL_OFF "\033[?7h\033[?25h\033[?1049l"
#define TO_BEGIN "\033[H"
#define CLEAR_REST "\033[K"

struct screen {
	struct invocation asking; /* whose requests are broken off when we are to end */
	struct out *out;
	int signals;
	sigset_t signals_before;
	struct termios terminal_before;
	bool is_changed; /* the terminal's input, which is to be put back */
	bool has_keys;	 /* and gives each key at once */
	bool is_on;
	bool is_due; /* look at once */
	bool is_over;
	int ended_by; /* signal; 0: by a key */
	struct complaints_kept kept;
	struct buf shown; /* the last frame */
	enum exit_status last;
};

/* ---- the terminal */

static void
terminal_on(struct screen *screen)
{
	struct termios keys;

	if (!screen->out->is_terminal)
		return;
	screen->is_changed = tcgetattr(STDIN_FILENO, &screen->terminal_before) == 0;
	if (screen->is_changed) {
		keys = screen->terminal_before;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		screen->is_changed = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
	}
	screen->has_keys = screen->is_changed;
	out_say(screen->out, TERMINAL_ON);
	(void)out_flush(screen->out);
	buf_clear(&screen->shown);
	screen->is_on = true;
}

static void
terminal_off(struct screen *screen)
{
	if (!screen->is_on)
		return;
	screen->is_on = false;
	out_say(screen->out, TERMINAL_OFF);
	(void)out_flush(screen->out);
	if (screen->is_changed)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->terminal_before);
}

/* ---- signals and keys */

static void
on_signal(struct screen *screen, int number)
{
	bool was_on = screen->is_on;

	switch (number) {
	case SIGWINCH:
		out_resize(screen->out);
		buf_clear(&screen->shown);
		screen->is_due = true;
		break;
	case SIGTSTP:
		terminal_off(screen);
		(void)kill(getpid(), SIGSTOP);
		if (was_on)
			terminal_on(screen);
		screen->is_due = true;
		break;
	case SIGINT: /* how one leaves such a screen */
		screen->is_over = true;
		break;
	default:
		screen->is_over = true;
		screen->ended_by = number;
		break;
	}
}

static void
on_keys(struct screen *screen)
{
	char keys[64];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

	if (got <= 0)
		screen->has_keys = got < 0 && errno == EINTR;
	for (ssize_t i = 0; i < got; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 4) /* ^D */
			screen->is_over = true;
		if (keys[i] == ' ' || keys[i] == 12) { /* ^L */
			buf_clear(&screen->shown);
			screen->is_due = true;
		}
	}
}

/* Waits so long for the next of either. */
static void
await(struct screen *screen, int ms)
{
	struct pollfd polled[] = {
		{ .fd = screen->signals, .events = POLLIN },
		{ .fd = screen->has_keys && screen->is_on ? STDIN_FILENO : -1, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	if (poll(polled, COUNT_OF(polled), ms) <= 0)
		return;
	if (polled[0].revents &&
		read(screen->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
		on_signal(screen, (int)signal.ssi_signo);
	if (polled[1].revents)
		on_keys(screen);
}

/* While the daemon is being asked: it may have no answer for long. */
static bool
is_over(void *user)
{
	struct screen *screen = user;

	await(screen, 0);
	return screen->is_over;
}

static bool
signals_on(struct screen *screen)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, &screen->signals_before);
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return screen->signals >= 0;
}

static void
signals_off(struct screen *screen)
{
	if (screen->signals >= 0)
		close(screen->signals);
	sigprocmask(SIG_SETMASK, &screen->signals_before, NULL);
}

/* ---- frames */

static void
put_foot(struct screen *screen, struct out *frame)
{
	struct buf now = { 0 };

	wall_put_local(&now, wall_now(), wall_now());
	out_colour(frame, COLOUR_FAINT);
	out_say(frame, "%s   q quits", now.at ? now.at : "");
	out_colour(frame, COLOUR_NONE);
	buf_done(&now);
}

/* Lines over lines: what a line had more is cleared behind it, and nothing before it is written. */
static void
lay(struct screen *screen, struct out *frame)
{
	struct bytes rest = buf_bytes(&frame->pending);
	struct out *out = screen->out;
	struct buf laid = { 0 };
	struct out foot = *frame;

	buf_put_string(&laid, TO_BEGIN);
	for (size_t row = 1; row < out->rows; row++) {
		struct bytes line = bytes_first(rest, bytes_index(rest, '\n'));

		buf_put(&laid, line);
		buf_put_string(&laid, CLEAR_REST "\r\n");
		rest = bytes_from(rest, line.len + 1);
	}
	foot.pending = (struct buf){ 0 };
	put_foot(screen, &foot);
	buf_put(&laid, buf_bytes(&foot.pending));
	buf_put_string(&laid, CLEAR_REST);
	buf_done(&foot.pending);
	buf_done(&frame->pending);
	frame->pending = laid;
}

static void
show(struct screen *screen, struct out *frame)
{
	if (screen->is_on)
		lay(screen, frame);
	if (!bytes_equal(buf_bytes(&frame->pending), buf_bytes(&screen->shown))) {
		if (!screen->is_on && screen->shown.len > 0)
			buf_put_byte(&screen->out->pending, '\n');
		buf_put(&screen->out->pending, buf_bytes(&frame->pending));
		screen->is_over = !out_flush(screen->out) || screen->is_over;
		buf_done(&screen->shown);
		screen->shown = frame->pending;
		frame->pending = (struct buf){ 0 };
	}
}

static void
draw(struct screen *screen, const struct status *status)
{
	struct out frame = *screen->out;
	struct buf words = { 0 };

	frame.pending = (struct buf){ 0 };
	frame.is_held = true;
	complaints_put(&screen->kept, &words);
	if (words.len > 0) { /* the daemon is gone, or one that was named is */
		out_colour(&frame, COLOUR_BAD);
		out_outside(&frame, buf_bytes(&words));
		out_colour(&frame, COLOUR_NONE);
		out_say(&frame, "\n");
	}
	if (screen->last == EXIT_FINE || screen->last == EXIT_FAILING) {
		status_print(status, &frame);
		if (status_rest(status) > 0)
			out_say(&frame, "%s %zu more\n", frame.is_utf8 ? "…" : "...",
				status_rest(status));
	}
	show(screen, &frame);
	buf_done(&frame.pending);
	buf_done(&words);
}

/* ---- turns */

static size_t
table_rows_that_fit(const struct out *out)
{
	if (out->rows == SIZE_MAX)
		return SIZE_MAX;
	return out->rows > LINES_AROUND + ROWS_LEAST ? out->rows - LINES_AROUND : ROWS_LEAST;
}

/* False: it could not begin, and why was said. */
static bool
look(struct screen *screen)
{
	/* Without a terminal a table that counts down would be another one each second. */
	struct status *status =
		status_new(table_rows_that_fit(screen->out), screen->out->is_terminal);
	bool is_first = !screen->kept.was;
	enum exit_status result;

	screen->is_due = false;
	if (!status) {
		complain("out of memory");
		screen->last = EXIT_REFUSED;
		return false;
	}
	complaints_forget(&screen->kept);
	result = status_read(status, &screen->asking);
	if (!screen->is_over) /* else it was broken off */
		screen->last = result;
	if (is_first && (screen->last == EXIT_FINE || screen->last == EXIT_FAILING)) {
		(void)complaints_keep(&screen->kept);
		terminal_on(screen);
		is_first = false;
	}
	if (!is_first && !screen->is_over)
		draw(screen, status);
	status_free(status);
	return !is_first;
}

static void
run(struct screen *screen)
{
	while (!screen->is_over) {
		mono_t began = mono_now();
		int64_t wait_us;
		mono_t end;

		if (!look(screen))
			return;
		wait_us = SHARE * mono_since(mono_now(), began);
		if (wait_us < EVERY_MS * US_PER_MS)
			wait_us = EVERY_MS * US_PER_MS;
		end = mono_add(mono_now(), wait_us);
		while (!screen->is_over && !screen->is_due && mono_is_before(mono_now(), end))
			await(screen, (int)(mono_since(end, mono_now()) / US_PER_MS) + 1);
	}
}

enum exit_status
screen_run(const struct invocation *invocation)
{
	struct screen screen = { .asking = *invocation, .out = invocation->out };

	screen.asking.is_over = is_over;
	screen.asking.is_over_user = &screen;
	if (!signals_on(&screen)) {
		complain("cannot watch for signals: %s", strerror(errno));
		screen.last = EXIT_REFUSED;
	} else {
		run(&screen);
	}
	terminal_off(&screen);
	complaints_release(&screen.kept);
	buf_done(&screen.shown);
	signals_off(&screen);
	if (screen.ended_by != 0)
		(void)raise(screen.ended_by); /* so that the caller sees what ended us */
	return screen.last;
}
