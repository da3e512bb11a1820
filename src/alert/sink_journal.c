/*
 * sink_journal.c: events into the journal, with fields, by its native protocol. Layer: alert.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "alert/datagram.h"

#define JOURNAL_PATH "/run/systemd/journal/socket"

static enum err
journal_tell(struct sink *sink, const struct told *told, struct fault *why)
{
	struct datagram *datagram = CONTAINER_OF(sink, struct datagram, sink);

	return datagram_send(
		datagram, (struct bytes){ told->journal, told->journal_len }, true, why);
}

static void
journal_free(struct sink *sink)
{
	struct datagram *datagram = CONTAINER_OF(sink, struct datagram, sink);

	datagram_done(datagram);
	free(datagram);
}

static const struct sink_calls journal_calls = { journal_tell, journal_free };

enum err
sink_journal_new(const char *path, struct sink **out)
{
	struct datagram *datagram = calloc(1, sizeof(*datagram));
	enum err err = datagram ? datagram_init(datagram, path ? path : JOURNAL_PATH) : ERR_MEMORY;

	if (err != ERR_OK) {
		free(datagram);
		return err;
	}
	datagram->sink.calls = &journal_calls;
	datagram->sink.name = "journal";
	*out = &datagram->sink;
	return ERR_OK;
}

static bool
is_socket(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool
journal_is_there(void)
{
	return is_socket(JOURNAL_PATH);
}

bool
syslog_is_there(void)
{
	return is_socket("/dev/log");
}
