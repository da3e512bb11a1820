/*
 * sink_stderr.c: events as lines on stderr, where there is neither journal nor syslog. Layer:
 * alert.
 */
#include <stdlib.h>

#include "alert/sink.h"
#include "base/log.h"

static enum err
stderr_tell(struct sink *sink, const struct told *told, struct fault *why)
{
	enum err err = log_line(level_priority(told->level), told->line);

	if (err != ERR_OK)
		fault_set(why, "stderr: %s", err_name(err));
	return err;
}

static void
stderr_free(struct sink *sink)
{
	free(sink);
}

static const struct sink_calls stderr_calls = { stderr_tell, stderr_free };

enum err
sink_stderr_new(struct sink **out)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return ERR_MEMORY;
	sink->calls = &stderr_calls;
	sink->name = "stderr";
	sink->fd = -1;
	*out = sink;
	return ERR_OK;
}

void
sink_free(struct sink *sink)
{
	if (sink)
		sink->calls->free(sink);
}
