/*
 * sink_syslog.c: events as lines to the local syslog daemon, in the form that syslog(3) writes (RFC
 * 3164 4.1, without the host: /dev/log). Layer: alert.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "alert/datagram.h"

#define SYSLOG_PATH "/dev/log"

struct syslog_sink {
	struct datagram datagram;
	int facility;
};

static void
put_stamp(struct buf *out, wall_t time)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(time.us / US_PER_S);
	struct tm local;

	/* Names of months are the protocol's, whatever the locale. */
	localtime_r(&seconds, &local);
	buf_put_format(out, "%s %2d %02d:%02d:%02d", months[local.tm_mon], local.tm_mday,
		local.tm_hour, local.tm_min, local.tm_sec);
}

static enum err
syslog_tell(struct sink *sink, const struct told *told, struct fault *why)
{
	struct syslog_sink *syslog = CONTAINER_OF(sink, struct syslog_sink, datagram.sink);
	struct buf message = { 0 };
	enum err err;

	buf_put_format(&message, "<%d>", syslog->facility * 8 + level_priority(told->level));
	put_stamp(&message, told->time);
	buf_put_format(&message, " mboxwatchd[%d]: ", (int)getpid());
	buf_put_string(&message, told->line);
	err = buf_err(&message);
	if (err == ERR_OK)
		err = datagram_send(&syslog->datagram, buf_bytes(&message), false, why);
	buf_done(&message);
	return err;
}

static void
syslog_free(struct sink *sink)
{
	struct syslog_sink *syslog = CONTAINER_OF(sink, struct syslog_sink, datagram.sink);

	datagram_done(&syslog->datagram);
	free(syslog);
}

static const struct sink_calls syslog_calls = { syslog_tell, syslog_free };

enum err
sink_syslog_new(const char *path, int facility, struct sink **out)
{
	struct syslog_sink *syslog = calloc(1, sizeof(*syslog));
	enum err err =
		syslog ? datagram_init(&syslog->datagram, path ? path : SYSLOG_PATH) : ERR_MEMORY;

	if (err != ERR_OK) {
		free(syslog);
		return err;
	}
	syslog->facility = facility;
	syslog->datagram.sink.calls = &syslog_calls;
	syslog->datagram.sink.name = "syslog";
	*out = &syslog->datagram.sink;
	return ERR_OK;
}
