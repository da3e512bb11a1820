/*
 * reply_words.c: a reply's words, and patterns of them. Layer: diagnose, pure.
 *
 *	pattern = branch *( "|" branch )
 *	branch  = part *( "&" part )
 *	part    = [ "!" ] run *( "..." run )
 *	run     = 1*( word / "(" phrase *( "|" phrase ) ")" )
 *	phrase  = 1*word
 *	word    = 1*( letter / digit / "'" / beyond ASCII ) [ "*" ]
 *
 * A pattern is read as it is matched: it is short, and a reply is judged once, when a probe failed.
 */
#include "diagnose/reply_words.h"

#define NOT_THERE SIZE_MAX

static bool
is_word_byte(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || byte == '\'' || (byte & 0x80);
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* --- the words of a reply --- */

/* "mail.example.com", "192.0.2.1", "4.7.0"; but "failed.Please" is the end of a sentence. */
static bool
has_inner_dot(struct bytes chunk)
{
	for (size_t i = 1; i + 1 < chunk.len; i++) {
		char before = chunk.at[i - 1], after = chunk.at[i + 1];

		if (chunk.at[i] == '.' && (byte_is_letter(before) || byte_is_digit(before)) &&
			(byte_is_digit(after) || (after >= 'a' && after <= 'z')))
			return true;
	}
	return false;
}

static bool
is_number(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++) {
		if (!byte_is_digit(word.at[i]))
			return false;
	}
	return true;
}

static bool
is_name(struct bytes chunk)
{
	return bytes_index(chunk, '@') < chunk.len || bytes_index(chunk, '=') < chunk.len ||
	       has_inner_dot(chunk);
}

/* Where a URL begins in chunk: words may touch it where a script has no blanks. Else chunk.len. */
static size_t
url_index(struct bytes chunk)
{
	for (size_t i = 0; i < chunk.len; i++) {
		if (bytes_starts(bytes_from(chunk, i), BYTES("://"))) {
			while (i > 0 && byte_is_letter(chunk.at[i - 1]))
				i--;
			return i;
		}
	}
	return chunk.len;
}

static void
put_word(struct reply_words *out, struct bytes word)
{
	if (out->count < REPLY_MOST_WORDS)
		out->items[out->count++] = word;
}

static void
put_words(struct reply_words *out, struct bytes chunk)
{
	while (chunk.len > 0) {
		size_t len = 0;
		struct bytes word;

		while (len < chunk.len && is_word_byte(chunk.at[len]))
			len++;
		word = bytes_first(chunk, len);
		if (len > 0)
			put_word(out, is_number(word) ? BYTES_NONE : word);
		chunk = bytes_from(chunk, len > 0 ? len : 1);
	}
}

void
reply_words_read(struct bytes text, struct reply_words *out)
{
	out->count = 0;
	while (text.len > 0 && out->count < REPLY_MOST_WORDS) {
		size_t len = 0;
		struct bytes chunk;

		while (len < text.len && !is_blank(text.at[len]))
			len++;
		chunk = bytes_first(text, len);
		text = bytes_from(text, len + 1);
		if (url_index(chunk) < chunk.len) {
			put_words(out, bytes_first(chunk, url_index(chunk)));
			put_word(out, BYTES_NONE);
		} else if (is_name(chunk)) {
			put_word(out, BYTES_NONE);
		} else {
			put_words(out, chunk);
		}
	}
}

/* --- patterns --- */

/* The piece of *rest up to the next `mark` outside brackets; takes both off. */
static struct bytes
next_piece(struct bytes *rest, struct bytes mark)
{
	size_t end = 0;
	struct bytes piece;

	for (int depth = 0; end < rest->len; end++) {
		if (depth == 0 && rest->at[end] == mark.at[0] &&
			bytes_starts(bytes_from(*rest, end), mark))
			break;
		depth += (rest->at[end] == '(') - (rest->at[end] == ')');
	}
	piece = bytes_trim(bytes_first(*rest, end));
	*rest = bytes_from(*rest, end < rest->len ? end + mark.len : end);
	return piece;
}

/* The next word, with its star, or bracket of *rest, without the bracket's ends. */
static struct bytes
next_item(struct bytes *rest, bool *is_bracket)
{
	struct bytes item;
	size_t end = 0;

	*rest = bytes_trim(*rest);
	*is_bracket = rest->len > 0 && rest->at[0] == '(';
	if (*is_bracket) {
		end = bytes_index(*rest, ')');
		item = bytes_first(bytes_from(*rest, 1), end - 1);
		*rest = bytes_from(*rest, end + 1);
		return item;
	}
	while (end < rest->len && rest->at[end] != ' ' && rest->at[end] != '(')
		end++;
	item = bytes_first(*rest, end);
	*rest = bytes_from(*rest, end);
	return item;
}

static bool
is_beyond_ascii(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] & 0x80)
			return true;
	}
	return false;
}

static bool
word_fits(struct bytes word, struct bytes want)
{
	if (word.len == 0)
		return false;
	if (is_beyond_ascii(want))
		return bytes_contains_nocase(word, want);
	if (want.len > 0 && want.at[want.len - 1] == '*')
		return bytes_starts_nocase(word, bytes_first(want, want.len - 1));
	return bytes_equal_nocase(word, want);
}

/* Where phrase, begun at the word `at`, ends; NOT_THERE. */
static size_t
phrase_end(const struct reply_words *words, size_t at, struct bytes phrase)
{
	bool is_bracket;

	while ((phrase = bytes_trim(phrase)).len > 0) {
		struct bytes want = next_item(&phrase, &is_bracket);

		if (at >= words->count || !word_fits(words->items[at], want))
			return NOT_THERE;
		at++;
	}
	return at;
}

static size_t
run_end(const struct reply_words *words, size_t at, struct bytes run)
{
	bool is_bracket;
	struct bytes item;

	run = bytes_trim(run);
	if (run.len == 0)
		return at;
	item = next_item(&run, &is_bracket);
	while (item.len > 0) {
		struct bytes phrase = is_bracket ? next_piece(&item, BYTES("|")) : item;
		size_t end = phrase_end(words, at, phrase);

		if (end != NOT_THERE)
			end = run_end(words, end, run);
		if (end != NOT_THERE)
			return end;
		if (!is_bracket)
			break;
	}
	return NOT_THERE;
}

static bool
runs_fit(const struct reply_words *words, struct bytes part)
{
	size_t at = 0;

	while (part.len > 0) {
		struct bytes run = next_piece(&part, BYTES("..."));
		size_t end = NOT_THERE;

		for (; at < words->count && end == NOT_THERE; at++)
			end = run_end(words, at, run);
		if (end == NOT_THERE)
			return false;
		at = end;
	}
	return true;
}

static bool
branch_fits(const struct reply_words *words, struct bytes branch)
{
	while (branch.len > 0) {
		struct bytes part = next_piece(&branch, BYTES("&"));
		bool is_not = part.len > 0 && part.at[0] == '!';

		if (runs_fit(words, bytes_from(part, is_not)) == is_not)
			return false;
	}
	return true;
}

bool
reply_words_fit(const struct reply_words *words, struct bytes pattern)
{
	while (pattern.len > 0) {
		if (branch_fits(words, next_piece(&pattern, BYTES("|"))))
			return true;
	}
	return false;
}

/* --- what a pattern may be --- */

static const char *
phrase_fault(struct bytes phrase)
{
	bool is_bracket;

	phrase = bytes_trim(phrase);
	if (phrase.len == 0)
		return "nothing stands between two marks";
	while (phrase.len > 0) {
		struct bytes word = next_item(&phrase, &is_bracket);
		size_t len = word.len;

		if (is_bracket)
			return "a bracket stands within a bracket";
		if (len > 0 && word.at[len - 1] == '*')
			len--;
		if (len == 0)
			return "a star stands alone";
		for (size_t i = 0; i < len; i++) {
			if (!is_word_byte(word.at[i]))
				return "a word has letters, digits and ' alone, and * at its end";
		}
		if (is_number(bytes_first(word, len)))
			return "numbers are not read as words";
		phrase = bytes_trim(phrase);
	}
	return NULL;
}

static const char *
run_fault(struct bytes run)
{
	const char *fault = NULL;

	run = bytes_trim(run);
	if (run.len == 0)
		return "nothing stands between two marks";
	while (!fault && run.len > 0) {
		bool is_bracket;
		struct bytes item = next_item(&run, &is_bracket);

		if (!is_bracket || item.len == 0)
			fault = phrase_fault(item);
		while (is_bracket && !fault && item.len > 0)
			fault = phrase_fault(next_piece(&item, BYTES("|")));
		run = bytes_trim(run);
	}
	return fault;
}

static bool
brackets_are_paired(struct bytes pattern)
{
	bool is_open = false;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.at[i] == (is_open ? '(' : ')'))
			return false;
		if (pattern.at[i] == '(' || pattern.at[i] == ')')
			is_open = !is_open;
	}
	return !is_open;
}

/* Pieces of whole, parted by mark; each by `fault`. A mark at the end is a piece of nothing too. */
static const char *
pieces_fault(struct bytes whole, struct bytes mark, const char *(*fault)(struct bytes piece))
{
	const char *found = NULL;

	if (bytes_ends_nocase(whole, mark))
		return "nothing stands between two marks";
	do {
		found = fault(next_piece(&whole, mark));
	} while (!found && whole.len > 0);
	return found;
}

static const char *
part_fault(struct bytes part)
{
	bool is_not = part.len > 0 && part.at[0] == '!';

	return pieces_fault(bytes_trim(bytes_from(part, is_not)), BYTES("..."), run_fault);
}

static const char *
branch_fault(struct bytes branch)
{
	return pieces_fault(branch, BYTES("&"), part_fault);
}

const char *
reply_words_fault(struct bytes pattern)
{
	if (!brackets_are_paired(pattern))
		return "a bracket is not closed, or stands within another";
	return pieces_fault(bytes_trim(pattern), BYTES("|"), branch_fault);
}
