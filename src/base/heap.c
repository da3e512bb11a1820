/*
 * heap.c: a binary heap; the parent of index i is (i - 1) / 2. Layer: base.
 */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#define HEAP_LEAST_NODES ((size_t)16)

void
heap_done(struct heap *heap)
{
	free(heap->nodes); /* the nodes are the caller's, and may be gone by now */
	*heap = (struct heap){ 0 };
}

enum err
heap_make_room(struct heap *heap, size_t room)
{
	struct heap_node **nodes;

	if (heap->room >= room)
		return ERR_OK;
	nodes = reallocarray(heap->nodes, room, sizeof(struct heap_node *));
	if (!nodes)
		return ERR_MEMORY;
	heap->nodes = nodes;
	heap->room = room;
	return ERR_OK;
}

static void
place(struct heap *heap, struct heap_node *node, size_t index)
{
	heap->nodes[index] = node;
	node->index = index;
}

/* Moves the node to where its key belongs, from the index that it stands at. */
static void
settle(struct heap *heap, struct heap_node *node)
{
	size_t index = node->index;

	while (index > 0 && node->key < heap->nodes[(index - 1) / 2]->key) {
		place(heap, heap->nodes[(index - 1) / 2], index);
		index = (index - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * index + 1;

		if (child + 1 < heap->count &&
			heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (child >= heap->count || node->key <= heap->nodes[child]->key)
			break;
		place(heap, heap->nodes[child], index);
		index = child;
	}
	place(heap, node, index);
}

enum err
heap_put(struct heap *heap, struct heap_node *node, int64_t key)
{
	if (node->index == HEAP_OUTSIDE) {
		if (heap->count == heap->room &&
			heap_make_room(heap, heap->room ? 2 * heap->room : HEAP_LEAST_NODES) !=
				ERR_OK)
			return ERR_MEMORY;
		place(heap, node, heap->count++);
	}
	assert(node->index < heap->count && heap->nodes[node->index] == node);
	node->key = key;
	settle(heap, node);
	return ERR_OK;
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;

	if (node->index == HEAP_OUTSIDE)
		return;
	assert(node->index < heap->count && heap->nodes[node->index] == node);
	last = heap->nodes[--heap->count];
	if (last != node) {
		place(heap, last, node->index);
		settle(heap, last);
	}
	node->index = HEAP_OUTSIDE;
}

struct heap_node *
heap_top(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}
