/*
 * log.c: lines on stderr that nobody waits for. Layer: base.
 *
 * stderr is shared with whoever started us, so it cannot be made non-blocking. A socket (the
 * journal) is written with MSG_DONTWAIT; a pipe or terminal only where poll() says that there is
 * room: Linux says so of a pipe when a page is free, and a line is shorter (LOG_MOST_BYTES <
 * PIPE_BUF). The mutex keeps our own threads from taking that room from one another. Not kept from
 * it: another process on that pipe.
 */
#include "base/log.h"

#include "base/bytes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_MOST_BYTES 2048

static atomic_int level_now = LOG_LEVEL_INFO;
static atomic_bool is_under_journal;

static pthread_mutex_t stderr_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t lines_lost; /* under stderr_mutex */

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level
log_level(void)
{
	return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

void
log_set_journal(bool is_journal)
{
	atomic_store_explicit(&is_under_journal, is_journal, memory_order_relaxed);
}

static enum err
write_now(const char *at, size_t len)
{
	struct pollfd stderr_ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t put;

	put = send(STDERR_FILENO, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put < 0 && errno == ENOTSOCK) {
		if (poll(&stderr_ready, 1, 0) != 1)
			return ERR_AGAIN;
		/* POLLERR of a pipe without a reader: no SIGPIPE for that. */
		if (stderr_ready.revents != POLLOUT)
			return ERR_CLOSED;
		put = write(STDERR_FILENO, at, len);
	}
	if (put < 0)
		return err_from_errno(errno);
	return (size_t)put == len ? ERR_OK : ERR_AGAIN;
}

/* "<N>" where the journal reads it. */
static size_t
put_prefix(char *at, int priority)
{
	if (!atomic_load_explicit(&is_under_journal, memory_order_relaxed))
		return 0;
	at[0] = '<';
	at[1] = (char)('0' + (priority & LOG_PRIMASK));
	at[2] = '>';
	return 3;
}

/* As much of line as `most` bytes hold, cut at a character's end, controls made blanks: it stays
 * one. */
static size_t
put_line(char *at, size_t most, struct bytes line)
{
	size_t len = line.len;

	if (len > most) {
		len = most;
		while (len > 0 && ((unsigned char)line.at[len] & 0xc0) == 0x80)
			len--;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)line.at[i];

		at[i] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
	}
	return len;
}

/* With what was lost before it in front, both by one write; is_counted: lost as well if it fails.
 */
static enum err
tell(int priority, struct bytes line, bool is_counted)
{
	char text[2 * LOG_MOST_BYTES];
	size_t len = 0, begin;
	enum err err;

	pthread_mutex_lock(&stderr_mutex);
	if (lines_lost > 0) {
		len = put_prefix(text, LOG_WARNING);
		len += (size_t)snprintf(text + len, LOG_MOST_BYTES - len,
			"%llu lines of the log were lost: nobody read stderr\n",
			(unsigned long long)lines_lost);
	}
	begin = len;
	len += put_prefix(text + len, priority);
	len += put_line(text + len, begin + LOG_MOST_BYTES - 1 - len, line);
	text[len++] = '\n';
	err = write_now(text, len);
	if (err == ERR_OK)
		lines_lost = 0;
	else if (is_counted)
		lines_lost++;
	pthread_mutex_unlock(&stderr_mutex);
	return err;
}

static void PRINTF_LIKE(3, 0)
	tell_format(enum log_level least, int priority, const char *format, va_list arguments)
{
	char line[LOG_MOST_BYTES +
		  1]; /* longer than what is told, so the cut sees that there is more */
	int errno_before = errno;
	int len;

	if (log_level() < least)
		return;
	len = vsnprintf(line, sizeof(line), format, arguments);
	if (len > 0) {
		size_t whole = (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;

		(void)tell(priority, (struct bytes){ line, whole }, true);
	}
	errno = errno_before;
}

void
log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell_format(LOG_LEVEL_ERROR, LOG_ERR, format, arguments);
	va_end(arguments);
}

void
log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell_format(LOG_LEVEL_INFO, LOG_WARNING, format, arguments);
	va_end(arguments);
}

void
log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell_format(LOG_LEVEL_INFO, LOG_INFO, format, arguments);
	va_end(arguments);
}

void
log_debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell_format(LOG_LEVEL_DEBUG, LOG_DEBUG, format, arguments);
	va_end(arguments);
}

/* Not counted where it fails: the caller tells it again. */
enum err
log_line(int priority, const char *line)
{
	return tell(priority, bytes_of(line), false);
}
