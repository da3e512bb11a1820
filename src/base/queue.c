/*
 * queue.c: a list under a mutex, and an eventfd. Layer: base.
 *
 * The eventfd is written and reset under the mutex: it is readable exactly while something waits,
 * and a reader that was handed the last node may free the queue without a writer still at its
 * descriptor.
 */
#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	pthread_mutex_t mutex;
	struct queue_node *first;
	struct queue_node **end; /* where the next node is linked in */
	int fd;
};

enum err
queue_new(struct queue **out)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	enum err err;

	if (!queue)
		return ERR_MEMORY;
	queue->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->fd < 0) {
		err = err_from_errno(errno);
		free(queue);
		return err;
	}
	pthread_mutex_init(&queue->mutex, NULL); /* a plain one: does not fail on Linux */
	queue->end = &queue->first;
	*out = queue;
	return ERR_OK;
}

void
queue_free(struct queue *queue, void (*drop)(struct queue_node *node))
{
	struct queue_node *next;

	if (!queue)
		return;
	for (struct queue_node *node = queue_take(queue); node; node = next) {
		next = node->next;
		assert(drop);
		drop(node);
	}
	pthread_mutex_destroy(&queue->mutex);
	close(queue->fd);
	free(queue);
}

void
queue_put(struct queue *queue, struct queue_node *node)
{
	node->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	if (!queue->first) {
		/* Fails at 2^64 - 1 alone, and it stands at 0 here. */
		if (eventfd_write(queue->fd, 1) < 0)
			abort();
	}
	*queue->end = node;
	queue->end = &node->next;
	pthread_mutex_unlock(&queue->mutex);
}

int
queue_fd(const struct queue *queue)
{
	return queue->fd;
}

struct queue_node *
queue_take(struct queue *queue)
{
	struct queue_node *first;
	eventfd_t count;

	pthread_mutex_lock(&queue->mutex);
	first = queue->first;
	if (first) {
		if (eventfd_read(queue->fd, &count) < 0)
			abort();
		queue->first = NULL;
		queue->end = &queue->first;
	}
	pthread_mutex_unlock(&queue->mutex);
	return first;
}
