/*
 * queue.h: values handed from one thread to another: a list under a mutex and an eventfd that is
 * written only when the list was empty. Layer: base. Messages are owned by the queue while inside.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/err.h"

#include <stdbool.h>

struct queue_node {
	struct queue_node *next;
};

struct queue;

CHECKED enum err queue_new(struct queue **out);
/* The queue must be empty, or `drop` is called for what is left. NULL is fine. */
void queue_free(struct queue *queue, void (*drop)(struct queue_node *node));
/* Any thread. Never fails and never waits: the node is the caller's allocation. */
void queue_put(struct queue *queue, struct queue_node *node);
/* The reading thread: readable where something waits. */
int queue_fd(const struct queue *queue);
/* All that waits, oldest first, linked by next; NULL where nothing; the eventfd is reset. */
struct queue_node *queue_take(struct queue *queue);

#endif
