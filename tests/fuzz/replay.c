/*
 * replay.c: main() of a fuzz target where there is no libFuzzer: plays each seed of its corpus
 * once, or the files that are named. Layer: tests.
 */
#include "fuzz.h"

#include <dirent.h>

#include "base/file.h"

#define SEED_MOST_BYTES ((size_t)1024 * 1024)

static void
play(const char *path)
{
	struct buf text = { 0 };
	struct bytes copy;

	must(file_read(path, SEED_MOST_BYTES, &text) == ERR_OK);
	copy = fuzz_copy(buf_bytes(&text));
	buf_done(&text);
	LLVMFuzzerTestOneInput((const uint8_t *)copy.at, copy.len);
	fuzz_drop(copy);
}

static int
is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
play_corpus(const char *program)
{
	const char *top = getenv("top_srcdir"), *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;
	struct dirent **seeds;
	char folder[512], path[1024];
	int count;

	snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%.*s", top ? top : ".",
		(int)strcspn(name, "."), name);
	count = scandir(folder, &seeds, is_seed, alphasort);
	if (count <= 0) {
		fprintf(stderr, "%s: no seeds\n", folder);
		return 1;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		printf("# %s\n", seeds[i]->d_name);
		fflush(stdout);
		snprintf(path, sizeof(path), "%s/%s", folder, seeds[i]->d_name);
		play(path);
		printf("ok %d - %s\n", i + 1, seeds[i]->d_name);
		free(seeds[i]);
	}
	free(seeds);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return play_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		play(argv[i]);
	return 0;
}
