/*
 * files.h: which files the settings are, and their texts, includes put in. Layer: config.
 *
 * Includes are put into the text by us and not by libconfig: it opens whatever they name (a FIFO,
 * /dev/zero), relative to the working directory, and knows nothing of what numbers.h finds.
 */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include <libconfig.h>
#include <sys/stat.h>

#include "base/buf.h"

#define FILES_MOST_BYTES                                                                           \
	((size_t)64 * 1024 * 1024) /* one file with what it includes: 200,000 mailboxes */
#define FILES_MOST_TOTAL_BYTES ((size_t)128 * 1024 * 1024)
#define FILES_MOST_INCLUDES ((size_t)1000)
#define FILES_MOST_BAD_VALUES ((size_t)1000) /* of one file; with more it is not judged further */
#define FILES_MOST_DEPTH 10		     /* includes within includes, as libconfig has it */

struct source_file {
	char *path;
	bool is_open_to_others; /* mode o+r */
	bool is_told;		/* that a password stands in it */
};

/* From this line of the whole text on, lines are those of a file from file_line on. */
struct source_piece {
	int line;
	struct source_file *file;
	int file_line;
};

/* A value that libconfig reads as another. */
struct source_value {
	const struct source_file *file;
	int line; /* of its name */
	char name[48];
};

struct source {
	config_t config;
	bool is_parsed;
	struct buf text;
	int line_count;
	struct source_file **files;
	size_t file_count;
	struct source_piece *pieces;
	size_t piece_count;
	struct source_value *bad_values; /* told already */
	size_t bad_count;
	const struct source_file *comma_file; /* the first comma too many; NULL: none */
	int comma_line;
	const struct source_file *open_file; /* a bracket that is never closed; NULL: none */
	int open_line;
	char open_words[200];
};

struct source_file *source_place(const struct source *source, int line, int *file_line);
struct source *source_of(const config_setting_t *at);
bool source_is_bad(const struct source *source, const config_setting_t *at);

#endif
