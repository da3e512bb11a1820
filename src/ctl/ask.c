/*
 * ask.c: what is missing is asked for on the terminal, a secret unseen. Layer: ctl.
 *
 * Echo is switched off for one line and on again however that ends: by a line, its end, or a signal
 * that ends or stops us.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MOST_BYTES ((size_t)4096)

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

bool
ask_may(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return false;
	close(fd);
	return isatty(STDIN_FILENO);
}

/* Bytes up to a line's end; false: the terminal's end, or a signal. */
static bool
read_line(int fd, struct buf *out)
{
	char byte;

	while (out->len < LINE_MOST_BYTES) {
		ssize_t got = read(fd, &byte, 1);

		if (got < 0 && errno == EINTR && caught == 0)
			continue;
		if (got <= 0)
			return false;
		if (byte == '\n')
			return buf_err(out) == ERR_OK;
		buf_put_byte(out, byte);
	}
	return false;
}

static bool
read_unseen(int fd, struct buf *out)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
	struct sigaction action = { .sa_handler = on_signal }, was[COUNT_OF(signals)];
	struct termios seen, unseen;
	bool is_read;

	if (tcgetattr(fd, &seen) != 0)
		return false;
	caught = 0;
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &action, &was[i]);
	unseen = seen;
	unseen.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	is_read = tcsetattr(fd, TCSAFLUSH, &unseen) == 0 && read_line(fd, out);
	tcsetattr(fd, TCSAFLUSH, &seen);
	(void)!write(fd, "\n", 1);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &was[i], NULL);
	if (caught)
		raise(caught); /* with the terminal as it was */
	return is_read;
}

bool
ask_line(const char *prompt, bool is_secret, struct buf *out)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	bool is_read = false;

	/* Growing would leave a copy of a secret behind. */
	if (fd >= 0 && buf_reserve(out, LINE_MOST_BYTES) != NULL &&
		write(fd, prompt, strlen(prompt)) >= 0)
		is_read = is_secret ? read_unseen(fd, out) : read_line(fd, out);
	if (fd >= 0)
		close(fd);
	if (!is_read || out->len == 0)
		complain("nothing was answered");
	return is_read && out->len > 0;
}
