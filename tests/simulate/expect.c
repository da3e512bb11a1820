/*
 * expect.c: bounds of a story, judged by what servers saw and people were told. Layer: tests.
 */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- reading */

static bool
is_operator(const char *word)
{
	return strcmp(word, "=") == 0 || strcmp(word, "<=") == 0 || strcmp(word, ">=") == 0;
}

/* Blanks around operators, so that "brake=1" is three words too. */
static void
put_blanks(const char *line, char *out, size_t room)
{
	size_t len = 0;

	for (const char *at = line; *at && len + 4 < room; at++) {
		bool is_two = (*at == '<' || *at == '>') && at[1] == '=';

		if (*at != '=' && !is_two) {
			out[len++] = *at == ';' || *at == '\t' ? ' ' : *at;
			continue;
		}
		out[len++] = ' ';
		out[len++] = *at;
		if (is_two)
			out[len++] = *++at;
		out[len++] = ' ';
	}
	out[len] = '\0';
}

static bool
read_value(const char *word, int64_t *out)
{
	char *end;
	double number = strtod(word, &end);

	if (end != word && *end == '\0') {
		*out = (int64_t)number;
		return true;
	}
	return duration_parse(bytes_of(word), out) == ERR_OK;
}

bool
expect_read(char *line, struct clause *clauses, size_t *count)
{
	char text[1024], *rest = text, *word;
	struct clause *clause = NULL;

	put_blanks(line, text, sizeof(text));
	while ((word = strsep(&rest, " \n"))) {
		if (!*word)
			continue;
		if (clause && *clause->op && strcmp(word, "in") == 0) {
			do
				word = strsep(&rest, " \n");
			while (word && !*word);
			if (!word || duration_parse(bytes_of(word), &clause->window_us) != ERR_OK)
				return false;
			continue;
		}
		if (!clause || *clause->op) {
			if (*count == CLAUSES_MOST)
				return false;
			clause = &clauses[(*count)++];
			*clause = (struct clause){ 0 };
			snprintf(clause->metric, sizeof(clause->metric), "%s", word);
			continue;
		}
		if (strcmp(word, "of") == 0 || strcmp(word, "at") == 0)
			continue;
		if (!is_operator(word)) {
			snprintf(clause->subject, sizeof(clause->subject), "%s", word);
			continue;
		}
		snprintf(clause->op, sizeof(clause->op), "%s", word);
		do
			word = strsep(&rest, " \n");
		while (word && !*word);
		if (!word || !read_value(word, &clause->value))
			return false;
		snprintf(clause->text, sizeof(clause->text), "%s%s%s %s %s", clause->metric,
			*clause->subject ? " of " : "", clause->subject, clause->op, word);
	}
	return !clause || *clause->op;
}

/* ---- what servers saw */

static bool
is_of(struct world *world, const struct record *record, const char *subject)
{
	const char *slash = strchr(subject, '/');
	const struct place *place = world_place(world, subject);
	const struct site *site = world_site(world, subject);
	char name[WORD_MOST];

	if (site)
		return site - world_site(world, "a0") ==
		       (ptrdiff_t)world_place_at(world, record->server)->site;
	if (!*subject || strcmp(subject, "all") == 0)
		return true;
	if (place)
		return record->server == (uint32_t)(place - world_place(world, "smtp0"));
	snprintf(name, sizeof(name), "%.*s", slash ? (int)(slash - subject) : (int)strlen(subject),
		subject);
	return world_person_index(world, name) == record->person &&
	       (!slash || strcmp(slash + 1, side_name(record->side)) == 0);
}

/* Where the last measured window ended: said beside a bound that does not hold. */
static int64_t most_at_us;

/* All of them, or the most in any window. */
static int64_t
count_records(struct world *world, enum happened what, const char *subject, int64_t window_us)
{
	size_t count;
	const struct record *records = world_records(world, &count);
	int64_t *times = calloc(count + 1, sizeof(*times)), most = 0;
	size_t found = 0, from = 0;

	if (!times)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (records[i].what != what || !is_of(world, &records[i], subject))
			continue;
		times[found++] = records[i].at_us;
		while (window_us > 0 && times[found - 1] - times[from] >= window_us)
			from++;
		if ((int64_t)(found - from) > most) {
			most = (int64_t)(found - from);
			most_at_us = times[found - 1];
		}
	}
	free(times);
	return most;
}

/* by_endpoint: between two starts of an endpoint, to the end of the story; else between any two. */
static int64_t
longest_gap(struct world *world, const char *subject, bool by_endpoint)
{
	size_t count;
	const struct record *records = world_records(world, &count);
	int64_t most = 0, last_of_all = -1, *last = NULL;
	size_t people = 0;

	for (size_t i = 0; i < count; i++) {
		if (records[i].person >= people)
			people = records[i].person + 1;
	}
	last = malloc((2 * people + 1) * sizeof(*last));
	if (!last)
		abort();
	for (size_t i = 0; i < 2 * people; i++)
		last[i] = -1;
	for (size_t i = 0; i < count; i++) {
		int64_t *before =
			by_endpoint ? &last[2 * records[i].person + records[i].side] : &last_of_all;

		if (records[i].what != HAPPENED_PROBE || !is_of(world, &records[i], subject))
			continue;
		if (*before >= 0 && records[i].at_us - *before > most)
			most = records[i].at_us - *before;
		*before = records[i].at_us;
	}
	for (size_t i = 0; by_endpoint && i < 2 * people; i++) {
		if (last[i] >= 0 && world_now_us(world) - last[i] > most)
			most = world_now_us(world) - last[i];
	}
	free(last);
	return most;
}

/* ---- what people were told */

static bool
is_kind(const struct told_event *told, const char *metric)
{
	if (strcmp(event_kind_name(told->kind), metric) == 0)
		return true;
	if (told->kind == EVENT_CERT && strncmp(metric, "cert-", 5) == 0)
		return strcmp(metric + 5, told->state) == 0;
	if (told->kind != EVENT_STATE)
		return false;
	if (strcmp(metric, "ok") == 0 || strcmp(metric, "removed") == 0)
		return strcmp(told->state, metric) == 0;
	return strstr(told->state, metric) != NULL;
}

static int64_t
count_told(struct world *world, const char *metric, const char *subject)
{
	size_t count;
	const struct told_event *told = world_told(world, &count);
	int64_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += is_kind(&told[i], metric) &&
			 (!*subject || strcmp(subject, told[i].mailbox) == 0);
	return found;
}

static int64_t
count_incidents(struct world *world, const char *subject)
{
	size_t count;
	const struct told_event *told = world_told(world, &count);
	int64_t found = 0;

	for (size_t i = 0; i < count; i++) {
		bool is_new = told[i].kind == EVENT_STATE && ulid_is_set(told[i].incident) &&
			      (!*subject || strcmp(subject, told[i].mailbox) == 0);

		for (size_t j = 0; j < i && is_new; j++)
			is_new = ulid_compare(told[j].incident, told[i].incident) != 0;
		found += is_new;
	}
	return found;
}

static int64_t
delay_us(struct world *world, const char *subject)
{
	size_t count;
	const struct told_event *told = world_told(world, &count);

	for (size_t i = 0; i < count; i++) {
		if (told[i].at_us >= world_mark_us(world) && is_kind(&told[i], "failing") &&
			(!*subject || strcmp(subject, told[i].mailbox) == 0))
			return told[i].at_us - world_mark_us(world);
	}
	return INT64_MAX / 4;
}

/* ---- judging */

static int64_t
measure(struct world *world, const struct clause *clause, bool *is_time)
{
	const char *metric = clause->metric, *subject = clause->subject;

	*is_time = true;
	if (strcmp(metric, "gap") == 0)
		return longest_gap(world, subject, true);
	if (strcmp(metric, "quiet") == 0)
		return longest_gap(world, subject, false);
	if (strcmp(metric, "delay") == 0 || strcmp(metric, "mean-delay") == 0)
		return delay_us(world, subject);
	*is_time = false;
	if (strcmp(metric, "connections") == 0)
		return world_site(world, subject) ? world_site(world, subject)->most : INT64_MAX;
	if (strcmp(metric, "probes") == 0)
		return count_records(world, HAPPENED_PROBE, subject, clause->window_us);
	if (strcmp(metric, "logins") == 0)
		return count_records(world, HAPPENED_LOGIN, subject, clause->window_us);
	if (strcmp(metric, "refused-logins") == 0)
		return count_records(world, HAPPENED_REFUSED, subject, clause->window_us);
	if (strcmp(metric, "kept") == 0)
		return (int64_t)sessions_count(world, world_place(world, subject));
	if (strcmp(metric, "incidents") == 0)
		return count_incidents(world, subject);
	if (strcmp(metric, "rows") == 0)
		return (int64_t)world_rows(world, subject);
	return count_told(world, metric, subject);
}

static bool
compare(const struct clause *clause, double found)
{
	if (strcmp(clause->op, "<=") == 0)
		return found <= (double)clause->value;
	if (strcmp(clause->op, ">=") == 0)
		return found >= (double)clause->value;
	return found == (double)clause->value;
}

static void
explain(const struct clause *clause, double found, bool is_time, char *why, size_t room)
{
	char window[64] = "";

	if (clause->window_us)
		snprintf(window, sizeof(window), " in %llds (until %llds)",
			(long long)(clause->window_us / US_PER_S),
			(long long)(most_at_us / US_PER_S));
	snprintf(why, room, "expected %s%s, found %.6g%s", clause->text, window,
		is_time ? found / US_PER_S : found, is_time ? " s" : "");
}

bool
expect_holds(struct world *world, struct clause *clause, char *why, size_t room)
{
	bool is_time;
	int64_t found = measure(world, clause, &is_time);

	if (strncmp(clause->metric, "mean-", 5) == 0) {
		clause->sum += (double)found;
		clause->runs++;
		return true;
	}
	explain(clause, (double)found, is_time, why, room);
	return compare(clause, (double)found);
}

bool
expect_mean_holds(const struct clause *clause, char *why, size_t room)
{
	if (clause->runs == 0)
		return true;
	explain(clause, clause->sum / clause->runs, true, why, room);
	return compare(clause, clause->sum / clause->runs);
}

bool
expect_caps_hold(struct world *world, char *why, size_t room)
{
	size_t count;
	const struct record *records = world_records(world, &count);

	for (size_t i = 0; i < count; i++) {
		unsigned quarter = 0, day = 0;

		if (records[i].what != HAPPENED_REFUSED)
			continue;
		for (size_t j = i + 1; j-- > 0 && records[i].at_us - records[j].at_us < US_PER_D;) {
			if (records[j].what != HAPPENED_REFUSED ||
				records[j].person != records[i].person)
				continue;
			day++;
			quarter += records[i].at_us - records[j].at_us < 15 * US_PER_M;
		}
		if (quarter > 4 || day > 12) {
			snprintf(why, room, "m%u was refused %u times in 15 m, %u in a day",
				records[i].person, quarter, day);
			return false;
		}
	}
	return true;
}
