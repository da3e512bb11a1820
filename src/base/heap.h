/*
 * heap.h: a binary heap of elements that know their place, so that one can be moved or taken out in
 * O(log n). Layer: base.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/time.h"

#define HEAP_OUTSIDE SIZE_MAX

struct heap_node {
	int64_t key;  /* the smallest is on top */
	size_t index; /* HEAP_OUTSIDE while in no heap; set so before the first use */
};

struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t room;
};

static inline void
heap_node_init(struct heap_node *node)
{
	node->index = HEAP_OUTSIDE;
}

void heap_done(struct heap *heap);
/* Room for so many nodes in all: heap_put() does not fail until there are more. ERR_MEMORY */
CHECKED enum err heap_make_room(struct heap *heap, size_t room);
/* Puts node in, or moves it where it is in already. ERR_MEMORY */
CHECKED enum err heap_put(struct heap *heap, struct heap_node *node, int64_t key);
/* Nothing where it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The smallest, or NULL. */
struct heap_node *heap_top(const struct heap *heap);

#endif
