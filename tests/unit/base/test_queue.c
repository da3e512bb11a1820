/* test_queue.c: nothing is lost or told twice between threads, and the descriptor says when. */
#include "../unit.h"

#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define WRITERS 4
#define NODES_EACH 20000

struct message {
	struct queue_node node; /* the first member, so that one is the other */
	int writer;
	int number;
};

static bool
is_readable(const struct queue *queue, int wait_ms)
{
	struct pollfd ready = { .fd = queue_fd(queue), .events = POLLIN };

	return poll(&ready, 1, wait_ms) == 1;
}

static struct message *
message_new(int writer, int number)
{
	struct message *message = calloc(1, sizeof(*message));

	if (!message)
		abort();
	message->writer = writer;
	message->number = number;
	return message;
}

static int dropped;

static void
drop(struct queue_node *node)
{
	dropped++;
	free(node);
}

static void
test_queue_gives_all_oldest_first(void **state)
{
	struct queue *queue;
	struct queue_node *node, *next;
	int number = 0;

	assert_ok(queue_new(&queue));
	assert_null(queue_take(queue));
	for (int turn = 0; turn < 2; turn++) {
		assert_false(is_readable(queue, 0));
		for (int i = 0; i < 3; i++)
			queue_put(queue, &message_new(0, 3 * turn + i)->node);
		assert_true(is_readable(queue, 0));
		for (node = queue_take(queue); node; node = next) {
			next = node->next;
			assert_int_equal(((struct message *)node)->number, number++);
			free(node);
		}
	}
	assert_int_equal(number, 6);
	assert_false(is_readable(queue, 0));
	queue_free(queue, NULL);
}

static void
test_queue_drops_what_is_left(void **state)
{
	struct queue *queue;

	assert_ok(queue_new(&queue));
	queue_put(queue, &message_new(0, 1)->node);
	queue_put(queue, &message_new(0, 2)->node);
	dropped = 0;
	queue_free(queue, drop);
	assert_int_equal(dropped, 2);
	queue_free(NULL, NULL);
}

struct writer {
	struct queue *queue;
	int name;
};

static void *
write_all(void *argument)
{
	struct writer *writer = argument;

	for (int i = 0; i < NODES_EACH; i++)
		queue_put(writer->queue, &message_new(writer->name, i)->node);
	return NULL;
}

static void
test_queue_keeps_each_writers_order(void **state)
{
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct queue_node *next;
	int seen[WRITERS] = { 0 };
	struct queue *queue;
	int total = 0;

	assert_ok(queue_new(&queue));
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ queue, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
	}
	while (total < WRITERS * NODES_EACH) {
		assert_true(is_readable(queue, 10000));
		for (struct queue_node *node = queue_take(queue); node; node = next) {
			struct message *message = (struct message *)node;

			next = node->next;
			assert_int_equal(message->number, seen[message->writer]++);
			total++;
			free(message);
		}
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_false(is_readable(queue, 0));
	queue_free(queue, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_queue_gives_all_oldest_first),
	cmocka_unit_test(test_queue_drops_what_is_left),
	cmocka_unit_test(test_queue_keeps_each_writers_order),
};

UNIT_MAIN(tests)
