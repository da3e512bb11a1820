/* test_heap.c: the smallest is on top, and every node knows its place, whatever is moved or taken
 * out. */
#include "../unit.h"

#include "base/heap.h"

struct item {
	int name;
	struct heap_node node;
};

static void
test_heap_gives_the_smallest_first(void **state)
{
	static const int64_t keys[] = { 5, 3, INT64_MAX, 3, INT64_MIN, 0, -1, 8, 3 };
	static const int64_t sorted[] = { INT64_MIN, -1, 0, 3, 3, 3, 5, 8, INT64_MAX };
	struct item items[COUNT_OF(keys)];
	struct heap heap = { 0 };

	assert_null(heap_top(&heap));
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		items[i].name = (int)i;
		heap_node_init(&items[i].node);
		assert_ok(heap_put(&heap, &items[i].node, keys[i]));
	}
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		struct item *top = CONTAINER_OF(heap_top(&heap), struct item, node);

		assert_true(top->node.key == sorted[i]);
		assert_true(keys[top->name] == sorted[i]);
		heap_remove(&heap, &top->node);
		assert_true(top->node.index == HEAP_OUTSIDE);
		heap_remove(&heap, &top->node);
	}
	assert_null(heap_top(&heap));
	heap_done(&heap);
}

static void
assert_heap_is_one(const struct heap *heap)
{
	for (size_t i = 0; i < heap->count; i++) {
		assert_int_equal(heap->nodes[i]->index, i);
		if (i > 0)
			assert_true(heap->nodes[(i - 1) / 2]->key <= heap->nodes[i]->key);
	}
}

/* 20,000 steps of chance, from a fixed seed: put, move, take out. */
static void
test_heap_holds_after_any_step(void **state)
{
	static struct heap_node nodes[300];
	struct heap heap = { 0 };
	uint64_t chance = 20261124;
	size_t inside = 0;

	for (size_t i = 0; i < COUNT_OF(nodes); i++)
		heap_node_init(&nodes[i]);
	for (int step = 0; step < 20000; step++) {
		struct heap_node *node;

		chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
		node = &nodes[(chance >> 33) % COUNT_OF(nodes)];
		if ((chance >> 60) < 6) {
			inside -= node->index != HEAP_OUTSIDE;
			heap_remove(&heap, node);
		} else {
			inside += node->index == HEAP_OUTSIDE;
			assert_ok(heap_put(&heap, node, (int64_t)(chance >> 20) % 1000));
		}
		assert_int_equal(heap.count, inside);
		assert_heap_is_one(&heap);
	}
	heap_done(&heap);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_heap_gives_the_smallest_first),
	cmocka_unit_test(test_heap_holds_after_any_step),
};

UNIT_MAIN(tests)
