/*
 * loops.c: the probing threads and the queues to them. Layer: daemon.
 */
#define HASH_NONFATAL_OOM 1
#include "daemon/loops.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/queue.h"
#include "net/address.h"

#define PING_EVERY_S 1
#define GOODBYES_US (US_PER_S * 3 / 2) /* less than loops_end() is given */

enum message_kind {
	/* to a loop */
	MESSAGE_JOB,
	MESSAGE_CONNECT,
	MESSAGE_LEAVE,
	MESSAGE_PART,
	MESSAGE_RECONFIGURE,
	MESSAGE_PING,
	MESSAGE_END,
	/* from a loop */
	MESSAGE_ASK_CONNECT,
	MESSAGE_ASK,
	MESSAGE_ACCEPTED,
	MESSAGE_PASSED,
	MESSAGE_ENDED,
	MESSAGE_SESSION_LOST,
};

struct message {
	struct queue_node node;
	enum message_kind kind;
	uint64_t token;
	struct probe_job job;		 /* JOB: its endpoint is held */
	char address[ADDRESS_KEY_ROOM];	 /* JOB, ASK_CONNECT */
	struct probe_ref ref;		 /* CONNECT, LEAVE, ASK, ASK_CONNECT */
	bool is_allowed;		 /* CONNECT, LEAVE */
	struct fingerprint fingerprint;	 /* ASK */
	struct probe_step step;		 /* PASSED */
	struct verdict *verdict;	 /* ENDED */
	mono_t sent;			 /* JOB, PING */
	struct buf transcript;		 /* ENDED */
	struct probes_settings settings; /* RECONFIGURE: strings owned */
};

struct loop {
	struct loops *loops;
	struct queue *in;
	pthread_t thread;
	bool has_thread;
	atomic_bool has_answered; /* the last ping */
	_Atomic int64_t worst_us; /* that an answer took; set back by the main loop */
	atomic_bool has_ended;
	unsigned pings_missed; /* of the main loop alone */
	/* of the thread alone */
	struct event_base *base;
	struct event *on_message;
	struct event *on_end;
	struct probes *probes;
	mono_t end_at;
};

/* A probe in flight, as the main loop knows it. */
struct flight {
	UT_hash_handle hh;
	uint64_t token;
	struct loop *loop;
	struct probe_ref ref;
	bool has_asked;
};

struct loops {
	struct loop *items;
	unsigned count;
	struct queue *out;
	struct event *on_message;
	struct event *on_ping;
	struct flight *flights;
	const struct loops_calls *calls;
	void *owner;
};

static struct message *
message_new(enum message_kind kind, uint64_t token)
{
	struct message *message = calloc(1, sizeof(*message));

	if (message) {
		message->kind = kind;
		message->token = token;
	}
	return message;
}

static void
message_free(struct message *message)
{
	endpoint_free(message->job.endpoint);
	errand_free(message->job.errand);
	verdict_free(message->verdict);
	buf_done(&message->transcript);
	free((char *)message->settings.helo_name);
	free((char *)message->settings.resolvers);
	free(message);
}

static void
drop_message(struct queue_node *node)
{
	message_free(CONTAINER_OF(node, struct message, node));
}

/* ---- the loop's thread */

static void
loop_ask_connect(void *owner, uint64_t token, struct probe_ref ref, const char *address)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_ASK_CONNECT, token);

	if (!message) {
		probes_connect(loop->probes, ref, false);
		return;
	}
	message->ref = ref;
	snprintf(message->address, sizeof(message->address), "%s", address);
	queue_put(loop->loops->out, &message->node);
}

static void
loop_ask_login(void *owner, uint64_t token, struct probe_ref ref, struct fingerprint fingerprint)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_ASK, token);

	if (!message) {
		probes_leave(loop->probes, ref, LEAVE_HELD);
		return;
	}
	message->ref = ref;
	message->fingerprint = fingerprint;
	queue_put(loop->loops->out, &message->node);
}

static void
loop_ended(void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_ENDED, token);

	/* Without this message the endpoint would never be probed again: try until there is memory.
	 */
	while (!message) {
		mono_sleep(10 * US_PER_MS);
		message = message_new(MESSAGE_ENDED, token);
	}
	message->verdict = verdict;
	buf_put(&message->transcript, transcript);
	queue_put(loop->loops->out, &message->node);
}

static void
loop_login_accepted(void *owner, uint64_t token)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_ACCEPTED, token);

	if (message) /* else the verdict says it */
		queue_put(loop->loops->out, &message->node);
}

static void
loop_passed(void *owner, uint64_t token, const struct probe_step *step)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_PASSED, token);

	if (!message)
		return; /* the verdict says so too */
	message->step = *step;
	queue_put(loop->loops->out, &message->node);
}

static void
loop_session_lost(void *owner, uint64_t token)
{
	struct loop *loop = owner;
	struct message *message = message_new(MESSAGE_SESSION_LOST, token);

	if (message) /* else the next probe finds none, and logs in */
		queue_put(loop->loops->out, &message->node);
}

static const struct probes_calls loop_calls = {
	.ask_connect = loop_ask_connect,
	.ask_login = loop_ask_login,
	.login_accepted = loop_login_accepted,
	.passed = loop_passed,
	.ended = loop_ended,
	.session_lost = loop_session_lost,
};

static void
loop_begin_end(struct loop *loop)
{
	static const struct timeval often = { 0, 20000 };

	probes_goodbye(loop->probes);
	loop->end_at = mono_add(mono_now(), GOODBYES_US);
	event_add(loop->on_end, &often);
}

/* Goodbyes take a moment; then the loop is left. */
static void
loop_on_end(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	if (probes_count(loop->probes) == 0 || !mono_is_before(mono_now(), loop->end_at))
		event_base_loopbreak(loop->base);
}

static void
loop_do(struct loop *loop, struct message *message)
{
	switch (message->kind) {
	case MESSAGE_JOB:
		message->job.address = message->address;
		message->job.asked = message->sent;
		probes_start(loop->probes, &message->job);
		break;
	case MESSAGE_PART:
		probes_part(loop->probes, message->token);
		break;
	case MESSAGE_CONNECT:
		probes_connect(loop->probes, message->ref, message->is_allowed);
		break;
	case MESSAGE_LEAVE:
		probes_leave(
			loop->probes, message->ref, message->is_allowed ? LEAVE_GO : LEAVE_HELD);
		break;
	case MESSAGE_RECONFIGURE:
		if (probes_reconfigure(loop->probes, &message->settings) != ERR_OK)
			log_error(
				"a probing loop keeps its old settings: no memory or no resolver");
		break;
	case MESSAGE_PING:
		if (mono_since(mono_now(), message->sent) > atomic_load(&loop->worst_us))
			atomic_store(&loop->worst_us, mono_since(mono_now(), message->sent));
		atomic_store(&loop->has_answered, true);
		break;
	case MESSAGE_END:
		loop_begin_end(loop);
		break;
	case MESSAGE_ASK_CONNECT:
	case MESSAGE_ASK:
	case MESSAGE_ACCEPTED:
	case MESSAGE_PASSED:
	case MESSAGE_ENDED:
	case MESSAGE_SESSION_LOST:
		break;
	}
	message_free(message);
}

static void
loop_on_message(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct queue_node *node = queue_take(loop->in);

	(void)fd;
	(void)what;
	while (node) {
		struct message *message = CONTAINER_OF(node, struct message, node);

		node = node->next;
		loop_do(loop, message);
	}
}

static void *
loop_run(void *arg)
{
	struct loop *loop = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	event_base_dispatch(loop->base);
	probes_free(loop->probes);
	loop->probes = NULL;
	atomic_store(&loop->has_ended, true);
	return NULL;
}

static struct event_base *
loop_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/* Only its own thread touches it. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static enum err
loop_start(struct loop *loop, const struct probes_settings *settings, struct fault *why)
{
	int number;
	enum err err = queue_new(&loop->in);

	if (err != ERR_OK)
		return err;
	loop->base = loop_base_new();
	if (!loop->base)
		return ERR_MEMORY;
	loop->on_message = event_new(
		loop->base, queue_fd(loop->in), EV_READ | EV_PERSIST, loop_on_message, loop);
	loop->on_end = event_new(loop->base, -1, EV_PERSIST, loop_on_end, loop);
	if (!loop->on_message || !loop->on_end)
		return ERR_MEMORY;
	event_add(loop->on_message, NULL);
	err = probes_new(loop->base, settings, &loop_calls, loop, &loop->probes);
	if (err != ERR_OK) {
		fault_set(why, "a probing loop cannot be made: %s", err_name(err));
		return err;
	}
	atomic_store(&loop->has_answered, true);
	number = pthread_create(&loop->thread, NULL, loop_run, loop);
	if (number != 0) {
		fault_set(why, "a probing thread cannot be made: %s", strerror(number));
		return ERR_IO;
	}
	loop->has_thread = true;
	return ERR_OK;
}

static void
loop_done(struct loop *loop)
{
	if (loop->has_thread)
		pthread_join(loop->thread, NULL);
	else
		probes_free(loop->probes);
	if (loop->on_message)
		event_free(loop->on_message);
	if (loop->on_end)
		event_free(loop->on_end);
	if (loop->base)
		event_base_free(loop->base);
	queue_free(loop->in, drop_message);
}

/* ---- the main loop's side */

static struct flight *
find_flight(struct loops *loops, uint64_t token)
{
	struct flight *flight;

	HASH_FIND(hh, loops->flights, &token, sizeof(token), flight);
	return flight;
}

static void
on_loop_message(struct loops *loops, struct message *message)
{
	struct flight *flight = find_flight(loops, message->token);

	if (message->kind == MESSAGE_ASK_CONNECT && flight) {
		flight->ref = message->ref;
		loops->calls->ask_connect(loops->owner, message->token, message->address);
	} else if (message->kind == MESSAGE_ASK && flight) {
		flight->ref = message->ref;
		flight->has_asked = true;
		loops->calls->ask_login(loops->owner, message->token, message->fingerprint);
	} else if (message->kind == MESSAGE_ACCEPTED && flight) {
		loops->calls->login_accepted(loops->owner, message->token);
	} else if (message->kind == MESSAGE_PASSED && flight) {
		loops->calls->passed(loops->owner, message->token, &message->step);
	} else if (message->kind == MESSAGE_ENDED && flight) {
		struct verdict *verdict = message->verdict;

		HASH_DEL(loops->flights, flight);
		free(flight);
		message->verdict = NULL;
		loops->calls->ended(
			loops->owner, message->token, verdict, buf_bytes(&message->transcript));
	} else if (message->kind == MESSAGE_SESSION_LOST) {
		loops->calls->session_lost(loops->owner, message->token);
	}
	message_free(message);
}

static void
on_messages(evutil_socket_t fd, short what, void *arg)
{
	struct loops *loops = arg;
	struct queue_node *node = queue_take(loops->out);

	(void)fd;
	(void)what;
	while (node) {
		struct message *message = CONTAINER_OF(node, struct message, node);

		node = node->next;
		on_loop_message(loops, message);
	}
}

static void
on_ping(evutil_socket_t fd, short what, void *arg)
{
	struct loops *loops = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < loops->count; i++) {
		struct loop *loop = &loops->items[i];
		struct message *message;

		if (!atomic_load(&loop->has_answered)) {
			loop->pings_missed++;
			continue;
		}
		loop->pings_missed = 0;
		message = message_new(MESSAGE_PING, 0);
		if (!message)
			continue;
		atomic_store(&loop->has_answered, false);
		message->sent = mono_now();
		queue_put(loop->in, &message->node);
	}
}

enum err
loops_start(struct event_base *base, unsigned count, const struct probes_settings *settings,
	const struct loops_calls *calls, void *owner, struct loops **out, struct fault *why)
{
	static const struct timeval ping_every = { PING_EVERY_S, 0 };
	struct loops *loops = calloc(1, sizeof(*loops));
	enum err err = loops ? queue_new(&loops->out) : ERR_MEMORY;

	if (err != ERR_OK) {
		free(loops);
		return err;
	}
	loops->calls = calls;
	loops->owner = owner;
	loops->items = calloc(count, sizeof(*loops->items));
	loops->on_message =
		event_new(base, queue_fd(loops->out), EV_READ | EV_PERSIST, on_messages, loops);
	loops->on_ping = event_new(base, -1, EV_PERSIST, on_ping, loops);
	if (!loops->items || !loops->on_message || !loops->on_ping)
		err = ERR_MEMORY;
	while (err == ERR_OK && loops->count < count) {
		struct loop *loop = &loops->items[loops->count++];

		loop->loops = loops;
		err = loop_start(loop, settings, why);
	}
	if (err != ERR_OK) {
		(void)loops_end(loops, mono_add(mono_now(), US_PER_S));
		return err;
	}
	event_add(loops->on_message, NULL);
	event_add(loops->on_ping, &ping_every);
	*out = loops;
	return ERR_OK;
}

enum err
loops_probe(struct loops *loops, const struct probe_job *job)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct message *message = message_new(MESSAGE_JOB, job->token);
	bool is_in = false;

	if (flight && message) {
		flight->token = job->token;
		flight->loop =
			&loops->items[hash_bytes(bytes_of(job->endpoint->host), 0) % loops->count];
		HASH_ADD(hh, loops->flights, token, sizeof(job->token), flight);
		is_in = find_flight(loops, job->token) ==
			flight; /* an add without memory is quiet */
	}
	if (!is_in) {
		free(flight);
		free(message);
		return ERR_MEMORY;
	}
	message->job = *job;
	message->job.endpoint = endpoint_hold(job->endpoint);
	message->job.errand = errand_hold(job->errand);
	message->job.may_login = true;
	snprintf(message->address, sizeof(message->address), "%s", job->address);
	message->sent = mono_now();
	queue_put(flight->loop->in, &message->node);
	return ERR_OK;
}

void
loops_connect(struct loops *loops, uint64_t token, bool is_allowed)
{
	struct flight *flight = find_flight(loops, token);
	struct message *message = flight ? message_new(MESSAGE_CONNECT, token) : NULL;

	if (!message)
		return; /* its stage's timer ends it, void */
	message->ref = flight->ref;
	message->is_allowed = is_allowed;
	queue_put(flight->loop->in, &message->node);
}

void
loops_part(struct loops *loops, uint64_t token)
{
	/* One of them has it; the others pass it over. */
	for (unsigned i = 0; i < loops->count; i++) {
		struct message *message = message_new(MESSAGE_PART, token);

		if (message) /* else its server ends it */
			queue_put(loops->items[i].in, &message->node);
	}
}

void
loops_leave(struct loops *loops, uint64_t token, bool is_allowed)
{
	struct flight *flight = find_flight(loops, token);
	struct message *message;

	if (!flight || !flight->has_asked)
		return;
	message = message_new(MESSAGE_LEAVE, token);
	if (!message)
		return; /* its stage's timer ends it; no secret went out */
	message->ref = flight->ref;
	message->is_allowed = is_allowed;
	queue_put(flight->loop->in, &message->node);
}

static char *
copy_of(const char *string)
{
	return string ? bytes_copy(bytes_of(string)) : NULL;
}

void
loops_reconfigure(struct loops *loops, const struct probes_settings *settings)
{
	for (unsigned i = 0; i < loops->count; i++) {
		struct message *message = message_new(MESSAGE_RECONFIGURE, 0);

		if (message) {
			message->settings = *settings;
			message->settings.helo_name = copy_of(settings->helo_name);
			message->settings.resolvers = copy_of(settings->resolvers);
		}
		if (message && message->settings.helo_name &&
			!message->settings.resolvers == !settings->resolvers) {
			queue_put(loops->items[i].in, &message->node);
			continue;
		}
		log_error("a probing loop keeps its old settings: no memory");
		if (message)
			message_free(message);
	}
}

int64_t
loops_late_us(const struct loops *loops)
{
	unsigned missed = 0;

	for (unsigned i = 0; i < loops->count; i++) {
		if (loops->items[i].pings_missed > missed)
			missed = loops->items[i].pings_missed;
	}
	return missed * PING_EVERY_S * US_PER_S;
}

int64_t
loops_worst_us(struct loops *loops)
{
	int64_t worst_us = 0;

	for (unsigned i = 0; i < loops->count; i++) {
		int64_t us = atomic_exchange(&loops->items[i].worst_us, 0);

		if (us > worst_us)
			worst_us = us;
	}
	return worst_us;
}

static bool
have_all_ended(const struct loops *loops)
{
	for (unsigned i = 0; i < loops->count; i++) {
		if (loops->items[i].has_thread && !atomic_load(&loops->items[i].has_ended))
			return false;
	}
	return true;
}

bool
loops_end(struct loops *loops, mono_t deadline)
{
	struct flight *flight;
	struct flight *next;

	for (unsigned i = 0; i < loops->count; i++) {
		struct message *message = message_new(MESSAGE_END, 0);

		if (message && loops->items[i].has_thread)
			queue_put(loops->items[i].in, &message->node);
		else
			free(message);
	}
	while (!have_all_ended(loops)) {
		if (!mono_is_before(mono_now(), deadline))
			return false;
		mono_sleep(5 * US_PER_MS);
	}
	for (unsigned i = 0; i < loops->count; i++)
		loop_done(&loops->items[i]);
	HASH_ITER (hh, loops->flights, flight, next) {
		HASH_DEL(loops->flights, flight);
		free(flight);
	}
	if (loops->on_message)
		event_free(loops->on_message);
	if (loops->on_ping)
		event_free(loops->on_ping);
	queue_free(loops->out, drop_message);
	free(loops->items);
	free(loops);
	return true;
}
