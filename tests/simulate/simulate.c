/*
 * simulate.c: plays stories (*.story): seed, world, events, bounds. Layer: tests.
 *
 *   simulate [--seed N] [--loud] [FILE...]      without FILE all stories of $srcdir/tests/simulate
 *
 * A line of a story is a comment, `world KEY=VALUE...`, `TIME EVENT`, or `expect CLAUSES`
 * (expect.h). TIME is [Nd] HH:MM[:SS]; several events of one line are parted by two blanks and a
 * time. What the events are: events.c.
 */
#include "story.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

static bool
judge(struct play *play)
{
	struct story *story = play->story;

	if (world_broken(play->world)) {
		snprintf(play->why, sizeof(play->why), "%s", world_broken(play->world));
		return false;
	}
	if (!expect_caps_hold(play->world, play->why, sizeof(play->why)))
		return false;
	for (size_t i = 0; i < story->clause_count; i++) {
		if (!expect_holds(play->world, &story->clauses[i], play->why, sizeof(play->why)))
			return false;
	}
	*play->why = '\0';
	return true;
}

static bool
play_once(struct story *story, uint64_t seed, bool is_loud, char *why, size_t room)
{
	struct play play = { .story = story };
	struct world_settings settings = story->settings;
	bool is_well = true;

	settings.seed = seed;
	settings.is_loud = is_loud;
	play.world = world_new(&settings);
	for (size_t i = 0; i < story->line_count && is_well; i++) {
		world_run_to(play.world, story->lines[i].at_us);
		is_well = event_run(&play, &story->lines[i]);
	}
	is_well = is_well && judge(&play);
	world_free(play.world);
	if (!is_well)
		snprintf(why, room, "%s", play.why);
	return is_well;
}

static bool
play_story(const char *path, unsigned number, const uint64_t *seed, bool is_loud)
{
	struct story *story = calloc(1, sizeof(*story));
	const char *name = strrchr(path, '/');
	char why[400] = "";
	uint64_t first, failed = 0;
	bool is_well;

	if (!story)
		abort();
	story->path = path;
	name = name ? name + 1 : path;
	is_well = story_read(story, why, sizeof(why));
	first = failed = seed ? *seed : story->settings.seed;
	for (unsigned i = 0; is_well && i < (seed ? 1 : story->seeds); i++) {
		failed = first + i;
		is_well = play_once(story, failed, is_loud, why, sizeof(why));
	}
	for (size_t i = 0; is_well && !seed && i < story->clause_count; i++)
		is_well = expect_mean_holds(&story->clauses[i], why, sizeof(why));
	if (is_well)
		printf("ok %u - %s:%s\n", number, name, story->title);
	else
		printf("not ok %u - %s:%s\n# %s\n# again: simulate --seed %llu %s\n", number, name,
			story->title, why, (unsigned long long)failed, path);
	fflush(stdout);
	free(story);
	return is_well;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char pattern[1024];
	glob_t found = { 0 };
	char **paths;
	size_t count;
	uint64_t seed = 0;
	bool has_seed = false, is_loud = false, is_well = true;
	int first = 1;

	for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
		if (strcmp(argv[first], "--loud") == 0) {
			is_loud = true;
		} else if (strcmp(argv[first], "--seed") == 0 && first + 1 < argc) {
			seed = strtoull(argv[++first], NULL, 10);
			has_seed = true;
		} else {
			fprintf(stderr, "usage: simulate [--seed N] [--loud] [FILE...]\n");
			return 2;
		}
	}
	snprintf(pattern, sizeof(pattern), "%s/tests/simulate/*.story", srcdir ? srcdir : ".");
	if (first == argc && glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "simulate: no stories at %s\n", pattern);
		return 1;
	}
	paths = first < argc ? argv + first : found.gl_pathv;
	count = first < argc ? (size_t)(argc - first) : found.gl_pathc;
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++)
		is_well &= play_story(paths[i], (unsigned)i + 1, has_seed ? &seed : NULL, is_loud);
	globfree(&found);
	return is_well ? 0 : 1;
}
