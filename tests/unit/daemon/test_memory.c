/*
 * test_memory.c: memory.h over trees of control groups that are folders of files.
 */
#include "../unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/memory.h"

#define MIB (INT64_C(1024) * 1024)

struct tree {
	char dir[64];
	char own[80];
};

static int
make_tree(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	const char *base = getenv("TMPDIR");

	snprintf(tree->dir, sizeof(tree->dir), "%.40s/memory-XXXXXX", base ? base : "/tmp");
	*state = tree;
	if (!mkdtemp(tree->dir))
		return -1;
	snprintf(tree->own, sizeof(tree->own), "%s/own", tree->dir);
	return 0;
}

static int
drop_tree(void **state)
{
	struct tree *tree = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -r '%s'", tree->dir);
	(void)!system(command);
	free(tree);
	return 0;
}

static void
put(const struct tree *tree, const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", tree->dir, name);
	assert_ok(file_write_whole(path, bytes_of(text), 0600));
}

static void
put_group(const struct tree *tree, const char *group, const char *max, const char *high,
	const char *current, const char *stat)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", tree->dir, group);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/memory.max", group);
	put(tree, path, max);
	snprintf(path, sizeof(path), "%s/memory.high", group);
	put(tree, path, high);
	snprintf(path, sizeof(path), "%s/memory.current", group);
	put(tree, path, current);
	snprintf(path, sizeof(path), "%s/memory.stat", group);
	put(tree, path, stat);
}

static void
test_the_tightest_group_counts(void **state)
{
	const struct tree *tree = *state;
	struct memory memory;

	put(tree, "own", "5:memory:/elsewhere\n10::/not\n0::/slice/unit\n");
	put_group(tree, "slice", "max\n", "max\n", "900000000\n", "anon 1\n");
	put_group(tree, "slice/unit", "max\n", "max\n", "50331648\n",
		"anon 9\ninactive_file 16777216\nactive_file 5\n");
	assert_int_equal(memory_look(tree->own, tree->dir, &memory), ERR_NOT_FOUND);

	put(tree, "slice/unit/memory.max", "134217728\n");
	assert_ok(memory_look(tree->own, tree->dir, &memory));
	assert_int_equal(memory.most_bytes, 128 * MIB);
	assert_int_equal(memory.used_bytes, 32 * MIB); /* files that would be given back aside */

	put(tree, "slice/unit/memory.high", "67108864\n");
	assert_ok(memory_look(tree->own, tree->dir, &memory));
	assert_int_equal(memory.most_bytes, 64 * MIB);

	put(tree, "slice/memory.max", "900000001\n");
	assert_ok(memory_look(tree->own, tree->dir, &memory));
	assert_int_equal(memory.most_bytes, 900000001);
}

static void
test_without_groups_there_is_no_bound(void **state)
{
	const struct tree *tree = *state;
	struct memory memory;
	static const struct {
		const char *name, *own;
	} rows[] = {
		{ "cgroup v1 alone", "5:memory:/unit\n" },
		{ "nothing", "" },
		{ "a group that is gone", "0::/gone/away\n" },
		{ "the root of all", "0::/\n" },
	};

	assert_int_equal(memory_look(tree->own, tree->dir, &memory), ERR_NOT_FOUND);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		put(tree, "own", rows[i].own);
		assert_int_equal(memory_look(tree->own, tree->dir, &memory), ERR_NOT_FOUND);
	}
}

/* H10-10 */
static void
test_fewer_probes_where_memory_is_short(void **state)
{
	static const struct {
		const char *name;
		int64_t used_mib;
		size_t in_flight;
		unsigned least, most;
	} rows[] = {
		{ "at rest: what is left below the margin", 16, 0, 768, 768 },
		{ "as many more as find room", 80, 300, 556, 556 },
		{ "at the margin: no more", 112, 300, 300, 300 },
		{ "above it: fewer, by and by", 120, 400, 300, 399 },
		{ "far above it: some are left", 200, 20, 16, 16 },
		{ "never none", 127, 0, 16, 16 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct memory memory = { rows[i].used_mib * MIB, 128 * MIB };

		unit_row(rows[i].name);
		assert_in_range(
			memory_probes(&memory, rows[i].in_flight), rows[i].least, rows[i].most);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_the_tightest_group_counts, make_tree, drop_tree),
	cmocka_unit_test_setup_teardown(
		test_without_groups_there_is_no_bound, make_tree, drop_tree),
	cmocka_unit_test(test_fewer_probes_where_memory_is_short),
};

UNIT_MAIN(tests)
