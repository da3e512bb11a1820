/*
 * story.h: a story as it was read, and one run of it. Layer: tests.
 */
#ifndef SIMULATE_STORY_H
#define SIMULATE_STORY_H

#include "expect.h"

#define LINES_MOST 200
#define LINE_MOST 512
#define WORDS_MOST 24

struct line {
	int64_t at_us; /* of the story's first day */
	char text[LINE_MOST];
	unsigned number;
};

struct story {
	const char *path;
	char title[LINE_MOST];
	struct world_settings settings;
	unsigned seeds;
	struct line lines[LINES_MOST];
	size_t line_count;
	struct clause clauses[CLAUSES_MOST];
	size_t clause_count;
	bool is_end_said;
};

/* One run of it. */
struct play {
	struct story *story;
	struct world *world;
	char why[400];
};

/* story.c. False: `why` says which line cannot be read. */
bool story_read(struct story *story, char *why, size_t room);
/* "1h", "+1h", "-30m" */
bool story_duration(const char *word, int64_t *out);

/* events.c: what a line says, done. False: play->why */
bool event_run(struct play *play, const struct line *line);

#endif
