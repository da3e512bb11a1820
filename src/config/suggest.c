/*
 * suggest.c: the nearest of the words that would have been right, by edits (insert, drop, change,
 * swap of neighbours). Layer: config.
 */
#include "config/suggest.h"

#define WORD_MOST ((size_t)32)
#define TOO_FAR ((size_t)99)

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau's distance between neighbours, case folded, '-' as '_'. */
static size_t
edits_between(struct bytes a, struct bytes b)
{
	size_t rows[3][WORD_MOST + 1];
	size_t *before_last = rows[0], *last = rows[1], *now = rows[2];

	if (a.len > WORD_MOST || b.len > WORD_MOST)
		return TOO_FAR;
	for (size_t j = 0; j <= b.len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *spare = before_last;

		now[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char in_a = byte_lower(a.at[i - 1] == '-' ? '_' : a.at[i - 1]);
			char in_b = byte_lower(b.at[j - 1]);

			now[j] = least_of(
				least_of(last[j], now[j - 1]) + 1, last[j - 1] + (in_a != in_b));
			if (i > 1 && j > 1 && in_a == byte_lower(b.at[j - 2]) &&
				byte_lower(a.at[i - 2]) == in_b)
				now[j] = least_of(now[j], before_last[j - 2] + 1);
		}
		before_last = last;
		last = now;
		now = spare;
	}
	return last[b.len];
}

/* Two edits, and never more than a third of the word. */
static size_t
near_enough(size_t len)
{
	return len < 3 ? 0 : len < 6 ? 1 : len < 12 ? 2 : 3;
}

/* Other programs' words for ours. */
static const struct {
	const char *theirs;
	const char *ours;
} other_words[] = {
	{ "user", "username" },
	{ "login", "username" },
	{ "user_name", "username" },
	{ "server", "host" },
	{ "hostname", "host" },
	{ "pass", "password" },
	{ "passwd", "password" },
	{ "secret", "password" },
	{ "email", "address" },
	{ "mail", "address" },
	{ "folder", "mailbox" },
	{ "encryption", "security" },
	{ "ssl", "security" },
	{ "tls", "security" },
	{ "mode", "security" },
	{ "mechanism", "auth" },
	{ "ca", "ca_file" },
	{ "ca_cert", "ca_file" },
	{ "period", "interval" },
	{ "frequency", "interval" },
	{ "every", "interval" },
	{ "disabled", "enabled" },
	{ "tags", "labels" },
	{ "max_connections", "connections" },
	{ "accounts", "mailboxes" },
	{ "mailbox", "mailboxes" },
	{ "hosts", "servers" },
	{ "default", "defaults" },
};

static bool
is_setting_of(const struct setting_row *row, unsigned scope)
{
	return row->is_built && (row->scopes & scope);
}

const char *
suggest_setting(struct bytes typed, unsigned scope)
{
	const char *best = NULL;
	size_t best_edits = near_enough(typed.len) + 1;

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		size_t edits;

		if (!is_setting_of(&setting_rows[i], scope))
			continue;
		edits = edits_between(typed, bytes_of(setting_rows[i].name));
		if (edits < best_edits) {
			best = setting_rows[i].name;
			best_edits = edits;
		}
	}
	for (size_t i = 0; !best && i < COUNT_OF(other_words); i++) {
		if (!bytes_equal_nocase(typed, bytes_of(other_words[i].theirs)))
			continue;
		for (size_t k = 0; k < SETTING_COUNT; k++) {
			if (is_setting_of(&setting_rows[k], scope) &&
				strcmp(setting_rows[k].name, other_words[i].ours) == 0)
				best = setting_rows[k].name;
		}
	}
	return best;
}

struct bytes
suggest_word(struct bytes typed, const char *range)
{
	struct bytes rest = bytes_of(range), best = BYTES_NONE;
	size_t best_edits = near_enough(typed.len) + 1;

	if (typed.len > 0 && byte_is_digit(typed.at[0]))
		return BYTES_NONE; /* a version: "1.4" is no slip of the pen for "1.0" */
	rest = bytes_first(rest, bytes_index(rest, ';'));
	while (rest.len > 0) {
		struct bytes word = bytes_first(rest, bytes_index(rest, '|'));
		size_t edits = edits_between(typed, word);

		if (edits < best_edits) {
			best = word;
			best_edits = edits;
		}
		rest = bytes_from(rest, word.len + 1);
	}
	return best;
}
