/*
 * keys.c: SCRAM's salted passwords: one thread that makes them, and those that were made. Layer:
 * probe.
 *
 * An ask goes to the thread by one queue and comes back by another; its secret has an owner more
 * meanwhile. Only the loop's thread touches what is kept.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "probe/keys.h"

#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */

#include <event2/event.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/queue.h"

/* As many as limits.in_flight's default; each is some milliseconds of the thread. */
#define MOST_WAITING 1000
/* Some 150 bytes each. A server that changes its salts drives out what was not used for long. */
#define MOST_KEPT 65536

/* What a key is made of. No padding, so that it can be hashed. */
struct key_name {
	struct fingerprint fingerprint;
	struct digest salt; /* SHA-256 of it */
	uint32_t digest;
	uint32_t iterations;
};

struct kept {
	UT_hash_handle hh; /* in the order of their last use */
	struct key_name name;
	struct digest key;
};

struct key_ask {
	struct queue_node node;
	struct key_name name;
	struct secret *secret; /* NULL: the thread is to end */
	struct scram_need need;
	char *salt;
	struct digest key;
	enum err err;
	key_made *made; /* NULL: cancelled. Of the loop's thread alone */
	void *owner;
};

struct keys {
	struct event on_made;
	struct queue *in;
	struct queue *out;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_ending;
	struct key_ask stop;
	size_t waiting;
	struct kept *kept;
};

static void
ask_free(struct key_ask *ask)
{
	secret_free(ask->secret);
	free(ask->salt);
	bytes_wipe(&ask->key, sizeof(ask->key));
	free(ask);
}

/* ---- the thread */

/* Gives false where the thread is to end. */
static bool
make(struct keys *keys, struct key_ask *ask)
{
	if (!ask->secret)
		return false;
	if (!atomic_load(&keys->is_ending))
		ask->err = secret_salt(ask->secret, ask->need.digest, ask->need.salt,
			ask->need.iterations, &ask->key);
	queue_put(keys->out, &ask->node);
	return true;
}

static void *
run(void *arg)
{
	struct keys *keys = arg;
	struct pollfd readable = { .fd = queue_fd(keys->in), .events = POLLIN };
	bool goes_on = true;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (goes_on) {
		struct queue_node *node;

		(void)poll(&readable, 1, -1);
		node = queue_take(keys->in);
		while (node) {
			struct key_ask *ask = CONTAINER_OF(node, struct key_ask, node);

			node = node->next; /* before the ask goes back */
			goes_on &= make(keys, ask);
		}
	}
	return NULL;
}

/* ---- what is kept */

static void
kept_free(struct kept *kept)
{
	bytes_wipe(kept, sizeof(*kept));
	free(kept);
}

static void
forget(struct keys *keys, struct kept *kept)
{
	HASH_DEL(keys->kept, kept);
	kept_free(kept);
}

/* At the end of the order. One for which there is no memory is made again next time. */
static void
put_last(struct keys *keys, struct kept *kept)
{
	HASH_ADD(hh, keys->kept, name, sizeof(kept->name), kept);
	if (!kept->hh.tbl)
		kept_free(kept);
}

static struct kept *
find(struct keys *keys, const struct key_name *name)
{
	struct kept *kept;

	HASH_FIND(hh, keys->kept, name, sizeof(*name), kept);
	return kept;
}

static void
keep(struct keys *keys, const struct key_ask *ask)
{
	struct kept *kept = find(keys, &ask->name) ? NULL : calloc(1, sizeof(*kept));

	if (!kept)
		return;
	if (HASH_COUNT(keys->kept) >= MOST_KEPT)
		forget(keys, keys->kept); /* the first is the one that was not used for longest */
	kept->name = ask->name;
	kept->key = ask->key;
	put_last(keys, kept);
}

static bool
take_kept(struct keys *keys, const struct key_name *name, struct digest *key)
{
	struct kept *kept = find(keys, name);

	if (!kept)
		return false;
	*key = kept->key;
	HASH_DEL(keys->kept, kept);
	put_last(keys, kept);
	return true;
}

/* ---- the loop's side */

static void
on_made(evutil_socket_t fd, short what, void *owner)
{
	struct keys *keys = owner;
	struct queue_node *node = queue_take(keys->out);

	(void)fd;
	(void)what;
	while (node) {
		struct key_ask *ask = CONTAINER_OF(node, struct key_ask, node);

		node = node->next;
		keys->waiting--;
		if (ask->err == ERR_OK)
			keep(keys, ask);
		if (ask->made)
			ask->made(ask->owner, ask->err, &ask->key);
		ask_free(ask);
	}
}

enum err
keys_new(struct event_base *base, struct keys **out)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	enum err err = keys ? queue_new(&keys->in) : ERR_MEMORY;

	if (err == ERR_OK)
		err = queue_new(&keys->out);
	if (err != ERR_OK) {
		if (keys)
			queue_free(keys->in, NULL);
		free(keys);
		return err;
	}
	event_assign(
		&keys->on_made, base, queue_fd(keys->out), EV_READ | EV_PERSIST, on_made, keys);
	event_add(&keys->on_made, NULL);
	*out = keys;
	return ERR_OK;
}

static void
drop_ask(struct queue_node *node)
{
	ask_free(CONTAINER_OF(node, struct key_ask, node));
}

void
keys_free(struct keys *keys)
{
	struct kept *kept, *next;

	if (!keys)
		return;
	if (keys->has_thread) {
		atomic_store(&keys->is_ending, true);
		queue_put(keys->in, &keys->stop.node);
		pthread_join(keys->thread, NULL);
	}
	event_del(&keys->on_made);
	queue_free(keys->in, drop_ask);
	queue_free(keys->out, drop_ask);
	HASH_ITER (hh, keys->kept, kept, next)
		forget(keys, kept);
	free(keys);
}

static enum err
name_key(struct fingerprint fingerprint, const struct scram_need *need, struct key_name *name)
{
	memset(name, 0, sizeof(*name));
	name->fingerprint = fingerprint;
	name->digest = (uint32_t)need->digest;
	name->iterations = need->iterations;
	return digest_hash(DIGEST_SHA_256, need->salt, &name->salt);
}

static bool
has_thread(struct keys *keys)
{
	if (!keys->has_thread)
		keys->has_thread = pthread_create(&keys->thread, NULL, run, keys) == 0;
	return keys->has_thread;
}

enum err
keys_ask(struct keys *keys, struct secret *secret, struct fingerprint fingerprint,
	const struct scram_need *need, struct digest *key, key_made *made, void *owner,
	struct key_ask **out)
{
	struct key_name name;
	struct key_ask *ask;
	enum err err = name_key(fingerprint, need, &name);

	if (err != ERR_OK || take_kept(keys, &name, key))
		return err;
	if (keys->waiting >= MOST_WAITING)
		return ERR_LIMIT;
	if (!has_thread(keys))
		return ERR_IO;
	ask = calloc(1, sizeof(*ask));
	if (!ask || !(ask->salt = bytes_copy(need->salt))) {
		free(ask);
		return ERR_MEMORY;
	}
	ask->name = name;
	ask->secret = secret_hold(secret);
	ask->need = *need;
	ask->need.salt.at = ask->salt;
	ask->err = ERR_CLOSED;
	ask->made = made;
	ask->owner = owner;
	keys->waiting++;
	*out = ask;
	queue_put(keys->in, &ask->node);
	return ERR_MORE;
}

void
keys_cancel(struct key_ask *ask)
{
	ask->made = NULL;
}
