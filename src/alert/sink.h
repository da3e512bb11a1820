/*
 * sink.h: where events are told: journal, syslog, stderr. Layer: alert.
 *
 * A sink takes one told event at a time and never waits. ERR_OK: the far side has it. ERR_AGAIN:
 * its queue is full; try when fd is writable, or a little later. Everything else: it is not there
 * (H8-02: a journal socket that is missing is not success); tried again by itself, a new connection
 * each time.
 */
#ifndef ALERT_SINK_H
#define ALERT_SINK_H

#include "facts/event.h"

struct sink;

struct sink_calls {
	enum err (*tell)(struct sink *sink, const struct told *told, struct fault *why);
	void (*free)(struct sink *sink);
};

struct sink {
	const struct sink_calls *calls;
	const char *name; /* "journal", "syslog", "stderr": cursor, metrics, notify */
	int fd;		  /* -1: none now */
};

/* path NULL: the system's own. ERR_MEMORY alone: what is not there yet is found out at tell. */
CHECKED enum err sink_journal_new(const char *path, struct sink **out);
/* facility: syslog's number. RFC 3164 form as syslog(3) writes to /dev/log. */
CHECKED enum err sink_syslog_new(const char *path, int facility, struct sink **out);
CHECKED enum err sink_stderr_new(struct sink **out);
void sink_free(struct sink *sink);

/* Is there a journal, a syslog socket on this host? */
bool journal_is_there(void);
bool syslog_is_there(void);

#endif
