/*
 * events.c: what happens in a story: the words behind a time. Layer: tests.
 */
#include "story.h"

#include "facts/mailbox.h"

#include <stdio.h>
#include <stdlib.h>

typedef bool action_run(struct play *play, const struct line *line, char **words, size_t count);

static bool
fail(struct play *play, const struct line *line, const char *why)
{
	if (!*play->why)
		snprintf(play->why, sizeof(play->why), "line %u: %s: %.200s", line->number, why,
			line->text);
	return false;
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

/* SERVER shows NAME[,NAME...] [by AUTHORITY] for DURATION */
static bool
do_show(struct play *play, const struct line *line, struct place *place, char **words, size_t count)
{
	const char *authority = count == 6 ? words[3] : "Authority";
	int64_t how_long;

	if ((count != 4 && count != 6) || !story_duration(words[count - 1], &how_long))
		return fail(play, line, "shows NAME[,NAME] [by AUTHORITY] for DURATION");
	world_show(play->world, place, words[1], authority, how_long);
	return true;
}

/* SERVER refuses connections | hangs | answers | plays OUTCOME,OUTCOME... | wants WAIT | drops
 * sessions | forgets sessions */
static bool
run_place(
	struct play *play, const struct line *line, struct place *place, char **words, size_t count)
{
	char *rest, *word;

	if (strcmp(words[0], "refuses") == 0)
		place->mood = MOOD_REFUSES;
	else if (strcmp(words[0], "hangs") == 0)
		place->mood = MOOD_HANGS;
	else if (strcmp(words[0], "answers") == 0)
		place->mood = MOOD_ANSWERS;
	else if (strcmp(words[0], "shows") == 0)
		return do_show(play, line, place, words, count);
	else if (strcmp(words[0], "drops") == 0 || strcmp(words[0], "forgets") == 0)
		sessions_lose(play->world, place, strcmp(words[0], "drops") == 0);
	else if (strcmp(words[0], "wants") == 0 && count == 2)
		return story_duration(words[1], &place->wait_us) || fail(play, line, "duration");
	else if (strcmp(words[0], "plays") == 0 && count == 2) {
		place->mood = MOOD_PLAYS;
		place->turn_count = 0;
		for (rest = words[1];
			(word = strsep(&rest, ",")) && place->turn_count < MOST_TURNS;)
			if (!read_outcome(word, &place->turns[place->turn_count++]))
				return fail(play, line, "no outcome");
	} else {
		return fail(play, line, "what does the server do?");
	}
	return true;
}

static bool
do_secret(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	(void)play, (void)line, (void)count;
	snprintf(person->secret, sizeof(person->secret), "%s", words[1]);
	return true;
}

/* password X | password imap X */
static bool
do_password(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
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
do_secrets(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	int64_t every = 0;
	char *rest = words[1], *word;

	person->swap_count = person->swap_next = 0;
	while ((word = strsep(&rest, ",")) && person->swap_count < COUNT_OF(person->swaps))
		snprintf(person->swaps[person->swap_count++], WORD_MOST, "%s", word);
	if (count == 4 && !story_duration(words[3], &every))
		return fail(play, line, "duration");
	world_swap_every(play->world, person, every);
	return true;
}

/* imap off | imap on | smtp off ... */
static bool
do_side(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
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
do_host(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
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
do_probe(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	int64_t every = 0;

	if (count == 1) {
		(void)world_probe(play->world, person);
		return true;
	}
	if (count == 3 && !story_duration(words[2], &every))
		return fail(play, line, "duration");
	world_ask_every(play->world, person, every);
	return true;
}

/* pause [2h] */
static bool
do_pause(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	int64_t how_long = 0;

	if (count == 2 && !story_duration(words[1], &how_long))
		return fail(play, line, "duration");
	return world_pause(play->world, person, how_long) == ERR_OK || fail(play, line, "refused");
}

/* resume [is too often | conflicts] */
static bool
do_resume(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	enum err err = world_resume(play->world, person), wanted = ERR_OK;

	if (count > 1)
		wanted = strcmp(words[1], "conflicts") == 0 ? ERR_CONFLICT : ERR_TOO_OFTEN;
	return err == wanted || fail(play, line, err_name(err));
}

static bool
do_removed(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	(void)line, (void)words, (void)count;
	person->is_there = false;
	world_reload(play->world, 0);
	return true;
}

static bool
do_named(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
{
	(void)line, (void)count;
	snprintf(person->name, sizeof(person->name), "%s", words[1]);
	world_reload(play->world, 0);
	return true;
}

static bool
do_enabled(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
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
	if (!story_duration(words[2], &every))
		return fail(play, line, "duration");
	for (int i = 0; i < atoi(words[3]); i++) {
		world_run_to(play->world,
			play->story->settings.start_us + world_now_us(play->world) + every);
		world_restart(play->world, false);
	}
	return true;
}

static bool
run_reboot(struct play *play, const struct line *line, char **words, size_t count)
{
	(void)line, (void)words, (void)count;
	world_reboot(play->world);
	return true;
}

/* each of imap0..imap9 WORD ... */
static bool
run_each(struct play *play, const struct line *line, char **words, size_t count)
{
	char *dots = count > 3 ? strstr(words[2], "..") : NULL;
	struct place *from, *to;

	if (!dots)
		return fail(play, line, "each of SERVER..SERVER does what?");
	*dots = '\0';
	from = world_place(play->world, words[2]);
	to = world_place(play->world, dots + 2);
	for (; from && to && from <= to; from += SIDE_COUNT) { /* of one side */
		char what[2][WORD_MOST] = { "", "" }, *each[2] = { what[0], what[1] };

		for (size_t i = 3; i < count && i < 5; i++)
			snprintf(what[i - 3], WORD_MOST, "%s", words[i]);
		if (!run_place(play, line, from, each, count - 3))
			return false;
	}
	return true;
}

static bool
run_wall(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t by;

	if (count != 2 || !story_duration(words[1], &by))
		return fail(play, line, "duration");
	world_move_wall(play->world, by);
	return true;
}

static bool
run_suspend(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t how_long;

	if (count != 2 || !story_duration(words[1], &how_long))
		return fail(play, line, "duration");
	world_suspend(play->world, how_long);
	return true;
}

static bool
run_reload(struct play *play, const struct line *line, char **words, size_t count)
{
	int64_t interval = 0;

	if (count == 2 && (strncmp(words[1], "interval=", 9) != 0 ||
				  !story_duration(words[1] + 9, &interval)))
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

		is_seen = story_duration(words[3], &interval) &&
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
	{ "reboot", run_reboot },
	{ "each", run_each },
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
run_person(struct play *play, const struct line *line, struct person *person, char **words,
	size_t count)
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

bool
event_run(struct play *play, const struct line *line)
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
