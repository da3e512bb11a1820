/*
 * reload.c: SIGHUP and POST /v1/reload. Layer: daemon.
 *
 * The files are read and judged on a helper thread; the main loop then compares, swaps one pointer
 * and lets watch walk what changed. A load that is refused changes nothing. Requests that come
 * while a load runs are answered by the next one.
 */
#include "daemon/reload.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/queue.h"
#include "daemon/load.h"
#include "daemon/mailboxes.h"
#include "daemon/notify.h"

struct load {
	struct queue_node node;
	struct settings_paths paths;
	struct settings *settings;
	char *helo_name;		   /* this host's, where the settings have none */
	struct sealed_mailbox **mailboxes; /* set over the socket, as of the begin */
	size_t mailbox_count;
	struct complaints complaints;
	enum err err;
	struct queue *done;
};

struct requests {
	uint64_t *items;
	size_t count;
	bool is_any; /* also a request without a number */
};

struct reload {
	struct daemon *daemon;
	struct queue *done;
	struct event *on_done;
	pthread_t thread;
	bool is_loading;
	struct requests answered; /* by the load that runs */
	struct requests next;
};

static void *
load_run(void *arg)
{
	struct load *load = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	load->err = settings_load(&load->paths, &load->settings, &load->complaints);
	if (load->err == ERR_OK)
		load->err = settings_join(
			load->settings, load->mailboxes, load->mailbox_count, &load->complaints);
	if (load->err == ERR_OK)
		load->err = load_helo_name(load->settings, &load->helo_name);
	queue_put(load->done, &load->node);
	return NULL;
}

static void
load_free(struct load *load)
{
	settings_free(load->settings);
	free(load->helo_name);
	mailboxes_let_go(load->mailboxes, load->mailbox_count);
	complaints_done(&load->complaints);
	free(load);
}

static void
drop_load(struct queue_node *node)
{
	load_free(CONTAINER_OF(node, struct load, node));
}

static void
answer_all(struct reload *reload, const struct load *load, const struct watch_changes *changes)
{
	static const struct complaints none = { 0 };
	enum err err = load ? load->err : ERR_MEMORY;

	for (size_t i = 0; i < reload->answered.count; i++)
		control_reload_done(reload->daemon->control, reload->answered.items[i], err,
			load ? &load->complaints : &none, changes);
	free(reload->answered.items);
	reload->answered = (struct requests){ 0 };
}

static void
load_begin(struct reload *reload)
{
	struct load *load;

	reload->answered = reload->next;
	reload->next = (struct requests){ 0 };
	log_info("the settings are loaded anew");
	notify_reloading(reload->daemon->notify);
	load = calloc(1, sizeof(*load));
	if (load) {
		load->paths = reload->daemon->paths;
		load->done = reload->done;
		if (mailboxes_lend(reload->daemon, &load->mailboxes, &load->mailbox_count) ==
				ERR_OK &&
			pthread_create(&reload->thread, NULL, load_run, load) == 0) {
			reload->is_loading = true;
			return;
		}
		load_free(load);
	}
	answer_all(reload, NULL, &(struct watch_changes){ 0 });
	carry_tell(
		reload->daemon, EVENT_RELOAD_FAILED, "no memory or no thread to load the settings");
	carry_out(reload->daemon);
	notify_ready(reload->daemon->notify);
}

/* What only a restart changes, told where it changed. */
static void
log_needs_restart(const struct settings *now, const struct settings *next)
{
	if (now->threads != next->threads || now->journal != next->journal ||
		now->syslog != next->syslog || now->syslog_facility != next->syslog_facility ||
		!bytes_equal(bytes_of(now->socket), bytes_of(next->socket)) ||
		!bytes_equal(bytes_of(now->socket_group), bytes_of(next->socket_group)) ||
		!bytes_equal(bytes_of(now->state_dir), bytes_of(next->state_dir)))
		log_warning("settings of daemon (threads, socket, state_dir) and of alerts take "
			    "effect at the next restart");
}

static void
apply(struct reload *reload, struct load *load, struct watch_changes *changes)
{
	struct daemon *daemon = reload->daemon;
	struct watch_mailbox *mailboxes = NULL;
	struct watch_settings settings;
	struct settings *before = daemon->settings;
	char *helo_name_before = daemon->helo_name;
	struct probes_settings probes;

	load->err = mailboxes_catch_up(daemon, load->settings);
	if (load->err == ERR_OK)
		load->err = settings_for_watch(load->settings, before, &mailboxes, &settings);
	if (load->err == ERR_OK)
		load->err =
			watch_configure(daemon->watch, mono_now(), wall_now(), &settings, changes);
	free(mailboxes);
	if (load->err != ERR_OK)
		return;
	log_needs_restart(before, load->settings);
	daemon->settings = load->settings;
	daemon->helo_name = load->helo_name;
	load->settings = before; /* both are freed with the load */
	load->helo_name = helo_name_before;
	log_set_level(daemon->settings->log_level);
	control_settings(daemon->control, daemon->settings);
	probes = load_probes_settings(daemon);
	loops_reconfigure(daemon->loops, &probes);
}

static void
tell(struct daemon *daemon, const struct load *load, const struct watch_changes *changes)
{
	struct buf detail = { 0 };

	daemon->is_reload_good = load->err == ERR_OK;
	if (load->err == ERR_OK) {
		daemon->reloaded = wall_now();
		buf_put_format(&detail, "%zu changed, %zu added, %zu removed, %zu unchanged",
			changes->changed, changes->added, changes->removed, changes->unchanged);
		carry_tell(daemon, EVENT_RELOAD, detail.at);
	} else {
		for (size_t i = 0; i < load->complaints.count && detail.len == 0; i++) {
			if (!load->complaints.items[i].is_warning)
				complaint_put(&detail, &load->complaints.items[i]);
		}
		if (load->complaints.faults > 1)
			buf_put_format(&detail, " (%zu faults in all)", load->complaints.faults);
		carry_tell(
			daemon, EVENT_RELOAD_FAILED, detail.at ? detail.at : err_name(load->err));
	}
	buf_done(&detail);
}

static void
on_load_done(evutil_socket_t fd, short what, void *arg)
{
	struct reload *reload = arg;
	struct queue_node *node = queue_take(reload->done);
	struct watch_changes changes = { 0 };
	struct load *load;

	(void)fd;
	(void)what;
	if (!node)
		return;
	load = CONTAINER_OF(node, struct load, node);
	pthread_join(reload->thread, NULL);
	reload->is_loading = false;
	load_log_complaints(&load->complaints);
	if (load->err == ERR_OK)
		apply(reload, load, &changes);
	tell(reload->daemon, load, &changes);
	carry_out(reload->daemon);
	answer_all(reload, load, &changes);
	load_free(load);
	notify_ready(reload->daemon->notify);
	if (reload->next.is_any)
		load_begin(reload);
}

enum err
reload_start(struct daemon *daemon, struct reload **out)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	enum err err = reload ? queue_new(&reload->done) : ERR_MEMORY;

	if (err == ERR_OK) {
		reload->daemon = daemon;
		reload->on_done = event_new(daemon->base, queue_fd(reload->done),
			EV_READ | EV_PERSIST, on_load_done, reload);
		err = reload->on_done ? ERR_OK : ERR_MEMORY;
	}
	if (err != ERR_OK) {
		if (reload)
			queue_free(reload->done, drop_load);
		free(reload);
		return err;
	}
	event_add(reload->on_done, NULL);
	*out = reload;
	return ERR_OK;
}

void
reload_ask(struct reload *reload, uint64_t request)
{
	if (request) {
		uint64_t *items =
			reallocarray(reload->next.items, reload->next.count + 1, sizeof(*items));

		if (!items) {
			control_reload_done(reload->daemon->control, request, ERR_MEMORY,
				&(struct complaints){ 0 }, &(struct watch_changes){ 0 });
			return;
		}
		items[reload->next.count++] = request;
		reload->next.items = items;
	}
	reload->next.is_any = true;
	if (!reload->is_loading)
		load_begin(reload);
}

bool
reload_end(struct reload *reload, mono_t deadline)
{
	struct queue_node *node = NULL;

	if (!reload)
		return true;
	while (reload->is_loading && !(node = queue_take(reload->done)) &&
		mono_is_before(mono_now(), deadline))
		mono_sleep(5 * US_PER_MS);
	if (reload->is_loading && !node)
		return false; /* it still reads files */
	if (node) {
		pthread_join(reload->thread, NULL);
		drop_load(node);
	}
	event_free(reload->on_done);
	queue_free(reload->done, drop_load);
	free(reload->answered.items);
	free(reload->next.items);
	free(reload);
	return true;
}
