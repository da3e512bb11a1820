/*
 * suggest.c: the nearest of the words that would have been right, by edits (base/edits.h). Layer:
 * config.
 */
#include "config/suggest.h"

#include "base/edits.h"

#define WORD_MOST ((size_t)32)
#define TOO_FAR ((size_t)99)

/* Case folded, '-' as '_'. */
static void
fold(struct bytes word, uint32_t out[WORD_MOST])
{
	for (size_t i = 0; i < word.len; i++)
		out[i] = (uint8_t)byte_lower(word.at[i] == '-' ? '_' : word.at[i]);
}

static size_t
edits_of(struct bytes typed, struct bytes word)
{
	uint32_t a[WORD_MOST], b[WORD_MOST];

	if (typed.len > WORD_MOST || word.len > WORD_MOST)
		return TOO_FAR;
	fold(typed, a);
	fold(word, b);
	return edits_between(a, typed.len, b, word.len);
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
		edits = edits_of(typed, bytes_of(setting_rows[i].name));
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
		size_t edits = edits_of(typed, word);

		if (edits < best_edits) {
			best = word;
			best_edits = edits;
		}
		rest = bytes_from(rest, word.len + 1);
	}
	return best;
}
