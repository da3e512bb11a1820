/*
 * simulate.c: plays stories (*.story): seed, world, events, bounds. Layer: tests.
 *
 *   simulate [--seed N] [--loud] [FILE...]      without FILE all stories of $srcdir/tests/simulate
 *
 * A line of a story is a comment, `world KEY=VALUE...`, `TIME EVENT`, or `expect CLAUSES` (expect.h). TIME is [Nd] HH:MM[:SS];
 * several events of one line are parted by two blanks and a time. What the events are: actions[] below.
 */
#include "expect.h"

#include "facts/mailbox.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

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

static bool
fail(struct play *play, const struct line *line, const char *why)
{
	if (!*play->why)
		snprintf(play->why, sizeof(play->why), "line %u: %s: %.200s", line->number, why,
			line->text);
	return false;
}

/* ---- events */

typedef bool action_run(struct play *play, const struct line *line, char **words, size_t count);

static bool
read_duration(const char *word, int64_t *out)
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

/* "connect_timeout/connect" or "ok" */
static bool
read_outcome(const char *word, struct outcome *out)
{
	const char *slash = strchr(word, '/');
	struct bytes cause = { word, slash ? (size_t)(slash - word) : strlen(word) };

	out->stage = STAGE_DONE;
	return cause_from_name(cause, &out->cause) == ERR_OK &&
		(!slash || stage_from_name(bytes_of(slash + 1), &out->stage) == ERR_OK);
}

/* SERVER refuses connections | hangs | answers | plays OUTCOME,OUTCOME... | wants WAIT */
static bool
run_place(struct play *play, const struct line *line, struct place *place, char **words, size_t count)
{
	char *rest, *word;

	if (strcmp(words[0], "refuses") == 0)
		place->mood = MOOD_REFUSES;
	else if (strcmp(words[0], "hangs") == 0)
		place->mood = MOOD_HANGS;
	else if (strcmp(words[0], "answers") == 0)
		place->mood = MOOD_ANSWERS;
	else if (strcmp(words[0], "wants") == 0 && count == 2)
		return read_duration(words[1], &place->wait_us) || fail(play, line, "duration");
	else if (strcmp(words[0], "plays") == 0 && count == 2) {
		place->mood = MOOD_PLAYS;
		place->turn_count = 0;
		for (rest = words[1]; (word = strsep(&rest, ",")) && place->turn_count < MOST_TURNS;)
			if (!read_outcome(word, &place->turns[place->turn_count++]))
				return fail(play, line, "no outcome");
	} else {
		return fail(play, line, "what does the server do?");
	}
	return true;
}

static bool
do_secret(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	(void)play, (void)line, (void)count;
	snprintf(person->secret, sizeof(person->secret), "%s", words[1]);
	return true;
}

/* password X | password imap X */
static bool
do_password(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	enum side side;

	if (count == 2) {
		for (size_t i = 0; i < SIDE_COUNT; i++)
			snprintf(person->password[i], WORD_MOST, "%s", words[1]);
		return true;
	}
	if (side_from_name(bytes_of(words[1]), &side) != ERR_OK)
		return fail(play, line, "no side");
	snprintf(person->password[side], WORD_MOST, "%s", words[2]);
	return true;
}

/* secrets A,B,C every 1m | secrets stay */
static bool
do_secrets(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	int64_t every = 0;
	char *rest = words[1], *word;

	person->swap_count = person->swap_next = 0;
	while ((word = strsep(&rest, ",")) && person->swap_count < COUNT_OF(person->swaps))
		snprintf(person->swaps[person->swap_count++], WORD_MOST, "%s", word);
	if (count == 4 && !read_duration(words[3], &every))
		return fail(play, line, "duration");
	world_swap_every(play->world, person, every);
	return true;
}

/* imap off | imap on | smtp off ... */
static bool
do_side(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	enum side side;

	(void)count;
	if (side_from_name(bytes_of(words[0]), &side) != ERR_OK)
		return fail(play, line, "no side");
	person->is_off[side] = strcmp(words[1], "off") == 0;
	return true;
}

/* host imap SERVER: by a reload */
static bool
do_host(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	enum side side;
	struct place *place = count == 3 ? world_place(play->world, words[2]) : NULL;

	if (!place || side_from_name(bytes_of(words[1]), &side) != ERR_OK)
		return fail(play, line, "no such side or server");
	person->servers[side] = (uint32_t)(place - world_place(play->world, "smtp0"));
	person->is_changed[side] = true;
	world_reload(play->world, 0);
	return true;
}

/* probe | probe every 30s | probe never */
static bool
do_probe(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	int64_t every = 0;

	if (count == 1) {
		(void)world_probe(play->world, person);
		return true;
	}
	if (count == 3 && !read_duration(words[2], &every))
		return fail(play, line, "duration");
	world_ask_every(play->world, person, every);
	return true;
}

/* pause [2h] */
static bool
do_pause(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	int64_t how_long = 0;

	if (count == 2 && !read_duration(words[1], &how_long))
		return fail(play, line, "duration");
	return world_pause(play->world, person, how_long) == ERR_OK || fail(play, line, "refused");
}

/* resume [is too often | conflicts] */
static bool
do_resume(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	enum err err = world_resume(play->world, person), wanted = ERR_OK;

	if (count > 1)
		wanted = strcmp(words[1], "conflicts") == 0 ? ERR_CONFLICT : ERR_TOO_OFTEN;
	return err == wanted || fail(play, line, err_name(err));
}

static bool
do_removed(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	(void)line, (void)words, (void)count;
	person->is_there = false;
	world_reload(play->world, 0);
	return true;
}

static bool
do_named(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	(void)line, (void)count;
	snprintf(person->name, sizeof(person->name), "%s", words[1]);
	world_reload(play->world, 0);
	return true;
}

static bool
do_enabled(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	(void)line, (void)count;
	person->is_disabled = strcmp(words[0], "disabled") == 0;
	world_reload(play->world, 0);
	return true;
}

/* What a mailbox can do or have done to it: NAME WORD ... */
static const struct person_action {
	const char *word;
	size_t least; /* words */
	bool (*run)(struct play *, const struct line *, struct person *, char **, size_t);
} person_actions[] = {
	{ "secret", 2, do_secret },
	{ "password", 2, do_password },
	{ "secrets", 2, do_secrets },
	{ "smtp", 2, do_side },
	{ "imap", 2, do_side },
	{ "host", 3, do_host },
	{ "probe", 1, do_probe },
	{ "pause", 1, do_pause },
	{ "resume", 1, do_resume },
	{ "removed", 1, do_removed },
	{ "named", 2, do_named },
	{ "disabled", 1, do_enabled },
	{ "enabled", 1, do_enabled },
};

static bool
run_restart(struct play *play, const struct line *line, char **words, size_t count)
{
	(void)line, (void)count;
	world_restart(play->world, strcmp(words[0], "restart") == 0);
	return true;
}

/* kills every 3s COUNT: each at once, time goes on between | kills at refusal COUNT */
static bool
run_kills(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t every;

	if (count != 4)
		return fail(play, line, "kills every DURATION COUNT, or at refusal COUNT");
	if (strcmp(words[1], "at") == 0) {
		world_kill_at_refusals(play->world, (unsigned)atoi(words[3]));
		return true;
	}
	if (!read_duration(words[2], &every))
		return fail(play, line, "duration");
	for (int i = 0; i < atoi(words[3]); i++) {
		world_run_to(play->world,
			play->story->settings.start_us + world_now_us(play->world) + every);
		world_restart(play->world, false);
	}
	return true;
}

static bool
run_wall(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t by;

	if (count != 2 || !read_duration(words[1], &by))
		return fail(play, line, "duration");
	world_move_wall(play->world, by);
	return true;
}

static bool
run_suspend(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t how_long;

	if (count != 2 || !read_duration(words[1], &how_long))
		return fail(play, line, "duration");
	world_suspend(play->world, how_long);
	return true;
}

static bool
run_reload(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t interval = 0;

	if (count == 2 && (strncmp(words[1], "interval=", 9) != 0 ||
				  !read_duration(words[1] + 9, &interval)))
		return fail(play, line, "duration");
	world_reload(play->world, interval);
	return true;
}

static bool
run_mark(struct play *play, const struct line *line, char **words, size_t count)
{
	(void)line, (void)words, (void)count;
	world_mark(play->world);
	return true;
}

static bool
run_end(struct play *play, const struct line *line, char **words, size_t count)
{
	(void)play, (void)line, (void)words, (void)count;
	return true;
}

/* see NAME is STATE | see NAME stretched DURATION | see NAME held | see NAME free */
static bool
run_see(struct play *play, const struct line *line, char **words, size_t count)
{
	struct watch_view view;
	struct buf state = { 0 }, wanted = { 0 };
	bool is_seen = false;

	if (count < 3 || !world_view(play->world, words[1], &view))
		return fail(play, line, "no such mailbox");
	mailbox_state_put(&state, view.parts);
	for (size_t i = 3; i < count; i++) {
		buf_put_string(&wanted, i > 3 ? " " : "");
		buf_put_string(&wanted, words[i]);
	}
	if (strcmp(words[2], "is") == 0) {
		is_seen = bytes_equal(buf_bytes(&state), buf_bytes(&wanted));
	} else if (strcmp(words[2], "stretched") == 0 && count == 4) {
		int64_t interval;

		is_seen = read_duration(words[3], &interval) &&
			view.sides[SIDE_IMAP].is_stretched &&
			llabs(view.sides[SIDE_IMAP].interval_us - interval) < interval / 10;
	} else {
		bool is_held =
			view.sides[SIDE_SMTP].brake.is_open || view.sides[SIDE_IMAP].brake.is_open;

		is_seen = is_held == (strcmp(words[2], "held") == 0);
	}
	if (!is_seen)
		fail(play, line, state.at ? state.at : "");
	buf_done(&state);
	buf_done(&wanted);
	return is_seen;
}

static const struct action {
	const char *word;
	action_run *run;
} actions[] = {
	{ "restart", run_restart },
	{ "kill", run_restart },
	{ "kills", run_kills },
	{ "wall", run_wall },
	{ "suspend", run_suspend },
	{ "reload", run_reload },
	{ "mark", run_mark },
	{ "see", run_see },
	{ "end", run_end },
};

static bool
run_person(struct play *play, const struct line *line, struct person *person, char **words, size_t count)
{
	for (size_t i = 0; i < COUNT_OF(person_actions); i++) {
		if (strcmp(words[0], person_actions[i].word) != 0)
			continue;
		if (count < person_actions[i].least)
			return fail(play, line, "too few words");
		return person_actions[i].run(play, line, person, words, count);
	}
	return fail(play, line, "what is done with the mailbox?");
}

static bool
run_line(struct play *play, const struct line *line)
{
	char text[LINE_MOST], *rest = text, *word, *words[WORDS_MOST];
	size_t count = 0;
	struct person *person;
	struct place *place;

	snprintf(text, sizeof(text), "%s", line->text);
	while ((word = strsep(&rest, " \t\n")) && count < WORDS_MOST) {
		if (*word)
			words[count++] = word;
	}
	if (count == 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		if (strcmp(words[0], actions[i].word) == 0)
			return actions[i].run(play, line, words, count);
	}
	person = world_person(play->world, words[0]);
	place = world_place(play->world, words[0]);
	if (count > 1 && person)
		return run_person(play, line, person, words + 1, count - 1);
	if (count > 1 && place)
		return run_place(play, line, place, words + 1, count - 1);
	return fail(play, line, "nobody of that name");
}

/* ---- reading a story */

/* "2^31ms-30m", "1000s" */
static bool
read_mono(const char *word, int64_t *out)
{
	char *end;
	int64_t base = 1, minus = 0, unit = US_PER_S;

	if (strncmp(word, "2^", 2) != 0)
		return read_duration(word, out);
	base <<= strtol(word + 2, &end, 10);
	if (strncmp(end, "ms", 2) == 0)
		unit = US_PER_MS, end += 2;
	else if (strncmp(end, "us", 2) == 0)
		unit = 1, end += 2;
	else if (*end == 's')
		end++;
	if (*end == '-' && !read_duration(end + 1, &minus))
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
		{ "latency", &settings->latency_us },
	};
	const struct {
		const char *key;
		unsigned *number;
	} numbers[] = {
		{ "mailboxes", &settings->mailboxes },
		{ "servers", &settings->servers },
		{ "confirm", &rules->confirm },
		{ "recover", &rules->recover },
		{ "connections", &settings->limits.connections },
		{ "logins", &settings->limits.logins_per_minute },
		{ "in_flight", &settings->limits.in_flight },
		{ "seeds", &story->seeds },
	};

	for (size_t i = 0; i < COUNT_OF(durations); i++) {
		if (strcmp(key, durations[i].key) == 0) {
			bool is_read = read_duration(value, durations[i].us);

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
			!(text[len] == ' ' && text[len + 1] == ' ' && isdigit((unsigned char)text[len + 2 + strspn(text + len + 2, " ")])))
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

static bool
read_story(struct story *story, char *why, size_t room)
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

/* ---- playing it */

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
		is_well = run_line(&play, &story->lines[i]);
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
	is_well = read_story(story, why, sizeof(why));
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
