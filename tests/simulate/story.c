/*
 * story.c: reading a story file. Layer: tests.
 */
#include "story.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

bool
story_duration(const char *word, int64_t *out)
{
	bool is_back = *word == '-';

	if (*word == '+' || *word == '-')
		word++;
	if (duration_parse(bytes_of(word), out) != ERR_OK)
		return false;
	if (is_back)
		*out = -*out;
	return true;
}

/* "2^31ms-30m", "1000s" */
static bool
read_mono(const char *word, int64_t *out)
{
	char *end;
	int64_t base = 1, minus = 0, unit = US_PER_S;

	if (strncmp(word, "2^", 2) != 0)
		return story_duration(word, out);
	base <<= strtol(word + 2, &end, 10);
	if (strncmp(end, "ms", 2) == 0)
		unit = US_PER_MS, end += 2;
	else if (strncmp(end, "us", 2) == 0)
		unit = 1, end += 2;
	else if (*end == 's')
		end++;
	if (*end == '-' && !story_duration(end + 1, &minus))
		return false;
	*out = base * unit - minus;
	return true;
}

static bool
read_clock(const char *word, int64_t *out)
{
	int hours, minutes, seconds = 0, len = 0;

	if (sscanf(word, "%d:%d%n", &hours, &minutes, &len) != 2)
		return false;
	if (word[len] == ':' && sscanf(word + len + 1, "%d", &seconds) != 1)
		return false;
	*out = hours * US_PER_H + minutes * US_PER_M + seconds * US_PER_S;
	return true;
}

static bool
read_setting(struct story *story, const char *key, const char *value)
{
	struct world_settings *settings = &story->settings;
	struct watch_rules *rules = &settings->rules;
	const struct {
		const char *key;
		int64_t *us;
	} durations[] = {
		{ "interval", &rules->interval_us },
		{ "retry", &rules->retry_interval_us },
		{ "keep", &rules->keep_us },
		{ "latency", &settings->latency_us },
	};
	const struct {
		const char *key;
		unsigned *number;
	} numbers[] = {
		{ "mailboxes", &settings->mailboxes },
		{ "servers", &settings->servers },
		{ "addresses", &settings->addresses },
		{ "known", &settings->known },
		{ "confirm", &rules->confirm },
		{ "recover", &rules->recover },
		{ "connections", &settings->limits.connections },
		{ "logins", &settings->limits.logins_per_minute },
		{ "in_flight", &settings->limits.in_flight },
		{ "seeds", &story->seeds },
	};

	for (size_t i = 0; i < COUNT_OF(durations); i++) {
		if (strcmp(key, durations[i].key) == 0) {
			bool is_read = story_duration(value, durations[i].us);

			rules->retry_max_us = rules->interval_us;
			return is_read;
		}
	}
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].number = (unsigned)strtoul(value, NULL, 10);
			return *numbers[i].number > 0;
		}
	}
	if (strcmp(key, "seed") == 0)
		settings->seed = strtoull(value, NULL, 10);
	else if (strcmp(key, "lost") == 0)
		settings->lost = strtod(value, NULL) / 100;
	else if (strcmp(key, "start") == 0)
		return read_clock(value, &settings->start_us);
	else if (strcmp(key, "mono") == 0)
		return read_mono(value, &settings->mono_us);
	else
		return false;
	return true;
}

static bool
read_world(struct story *story, char *rest)
{
	char *word;

	while ((word = strsep(&rest, " \t\n"))) {
		char *value = strchr(word, '=');

		if (!*word)
			continue;
		if (!value)
			return false;
		*value++ = '\0';
		if (!read_setting(story, word, value))
			return false;
	}
	return true;
}

/* [Nd] HH:MM[:SS] at the front of *at. */
static bool
take_time(char **at, int64_t *out)
{
	char *from = *at;
	long days = strtol(from, &from, 10);

	while (isspace((unsigned char)**at))
		(*at)++;
	if (*from == 'd' && from[1] == ' ') {
		from++;
		while (*from == ' ')
			from++;
	} else {
		days = 0;
		from = *at;
	}
	if (!read_clock(from, out))
		return false;
	*out += days * US_PER_D;
	*at = from + strcspn(from, " \t\n");
	return true;
}

/* Several events of one line, each with its time. */
static bool
read_events(struct story *story, char *text, unsigned number)
{
	while (*text && *text != '\n') {
		struct line *line = &story->lines[story->line_count];
		size_t len = 0;

		if (story->line_count == LINES_MOST || !take_time(&text, &line->at_us))
			return false;
		while (isspace((unsigned char)*text))
			text++;
		while (text[len] && text[len] != '\n' &&
			!(text[len] == ' ' && text[len + 1] == ' ' &&
				isdigit((
					unsigned char)text[len + 2 + strspn(text + len + 2, " ")])))
			len++;
		snprintf(line->text, sizeof(line->text), "%.*s", (int)len, text);
		line->number = number;
		story->line_count++;
		text += len;
		while (isspace((unsigned char)*text))
			text++;
	}
	return true;
}

static bool
read_line(struct story *story, char *text, unsigned number)
{
	while (isspace((unsigned char)*text))
		text++;
	if (*text == '#') {
		if (!*story->title)
			snprintf(story->title, sizeof(story->title), "%.*s",
				(int)strcspn(text + 1, "\n"), text + 1);
		return true;
	}
	if (!*text)
		return true;
	if (strncmp(text, "world", 5) == 0)
		return read_world(story, text + 5);
	if (strncmp(text, "expect", 6) == 0)
		return expect_read(text + 6, story->clauses, &story->clause_count);
	return read_events(story, text, number);
}

bool
story_read(struct story *story, char *why, size_t room)
{
	FILE *file = fopen(story->path, "r");
	char text[LINE_MOST];
	unsigned number = 0;
	bool is_read = true;

	world_settings_init(&story->settings);
	story->seeds = 1;
	if (!file) {
		snprintf(why, room, "cannot be opened");
		return false;
	}
	while (is_read && fgets(text, sizeof(text), file)) {
		is_read = read_line(story, text, ++number);
		if (!is_read)
			snprintf(why, room, "line %u cannot be read", number);
	}
	fclose(file);
	return is_read;
}
