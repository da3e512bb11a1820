/*
 * requests.c: what people ask for over the status socket, done. Layer: daemon.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon/checks.h"
#include "daemon/daemon.h"
#include "daemon/mailboxes.h"
#include "daemon/reload.h"

static enum err
on_probe(void *owner, uint32_t mailbox, uint64_t request, struct fault *why)
{
	struct daemon *daemon = owner;
	enum err err =
		watch_probe_now(daemon->watch, mono_now(), wall_now(), mailbox, request, why);

	carry_out(daemon);
	return err;
}

static enum err
on_pause(void *owner, uint32_t mailbox, int64_t for_us, const char *who, const char *reason,
	struct fault *why)
{
	struct daemon *daemon = owner;
	enum err err = watch_pause(
		daemon->watch, mono_now(), wall_now(), mailbox, for_us, who, reason, why);

	carry_out(daemon);
	return err;
}

static enum err
on_resume(void *owner, uint32_t mailbox, const char *who, const char *reason, int64_t *retry_us,
	struct fault *why)
{
	struct daemon *daemon = owner;
	enum err err = watch_resume(
		daemon->watch, mono_now(), wall_now(), mailbox, who, reason, retry_us, why);

	carry_out(daemon);
	return err;
}

static void
on_reload(void *owner, uint64_t request, const char *who)
{
	struct daemon *daemon = owner;

	log_info("reload asked for by %s", who);
	reload_ask(daemon->reload, request);
}

static enum err
on_test_alert(void *owner, const char *sink, const char *who, const struct told **told)
{
	struct daemon *daemon = owner;
	char detail[128];

	if (sink && !outbox_has_sink(daemon->outbox, sink))
		return ERR_NOT_FOUND;
	snprintf(detail, sizeof(detail), "asked for by %s%s%s", who, sink ? ", for " : "",
		sink ? sink : "");
	told_free(daemon->test_told); /* of an earlier test */
	daemon->test_told = NULL;
	daemon->is_catching_test = true;
	daemon->test_sink = sink;
	carry_tell(daemon, EVENT_TEST, detail);
	carry_out(daemon);
	daemon->is_catching_test = false;
	daemon->test_sink = NULL;
	*told = daemon->test_told;
	return *told ? ERR_OK : ERR_MEMORY;
}

static enum err
on_check(void *owner, const struct control_check *check, uint64_t request, int64_t *retry_us,
	struct fault *why)
{
	struct daemon *daemon = owner;
	enum err err = checks_start(daemon, check, request, retry_us, why);

	carry_out(daemon);
	return err;
}

static enum err
on_put(void *owner, struct bytes name, struct sealed_mailbox *mailbox, uint64_t request,
	const char *who)
{
	struct daemon *daemon = owner;
	enum err err = mailboxes_ask(daemon, name, mailbox, request);

	log_info("mailbox %.*s: %s asked for by %s", BYTES_ARG(name), mailbox ? "PUT" : "DELETE",
		who);
	carry_out(daemon);
	return err;
}

static void
on_check_gone(void *owner, uint64_t request)
{
	struct daemon *daemon = owner;

	checks_gone(daemon, request);
	if (daemon->loops) /* not at the end */
		carry_out(daemon);
}

static void
on_health(void *owner, struct control_health *out)
{
	figures_health(owner, out);
}

static void
on_metrics(void *owner, struct buf *out, bool with_process)
{
	figures_put_metrics(owner, out, with_process);
}

const struct control_calls request_calls = {
	.probe = on_probe,
	.pause = on_pause,
	.resume = on_resume,
	.reload = on_reload,
	.test_alert = on_test_alert,
	.check = on_check,
	.put = on_put,
	.check_gone = on_check_gone,
	.health = on_health,
	.metrics = on_metrics,
};
