/*
 * log.h: the daemon's own log, on stderr; under a journal with sd-daemon's <N> in front. Layer:
 * base. Not here: alerts (alert/). Never hand it text from outside that did not go through
 * escape_put().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR, /* daemon.log_level */
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};

/* Set before threads begin, and by a reload on the main loop; read without a lock (atomic). */
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* True where stderr is the journal's ($JOURNAL_STREAM): lines get <N>. */
void log_set_journal(bool is_journal);
/* One line, written by one write(2) that does not wait: where stderr is full the line is dropped
 * and counted; the next that goes through says how many were lost. */
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
/* A ready line of our own with its syslog priority (alerts where there is no other sink). */
CHECKED enum err log_line(int priority, const char *line);

#endif
