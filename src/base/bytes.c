/*
 * bytes.c: looking into views of bytes; no locale, no NUL. Layer: base.
 */
#include "base/bytes.h"

bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool
bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (byte_lower(a.at[i]) != byte_lower(b.at[i]))
			return false;
	}
	return true;
}

bool
bytes_starts(struct bytes whole, struct bytes prefix)
{
	return prefix.len <= whole.len && bytes_equal(bytes_first(whole, prefix.len), prefix);
}

bool
bytes_starts_nocase(struct bytes whole, struct bytes prefix)
{
	return prefix.len <= whole.len &&
	       bytes_equal_nocase(bytes_first(whole, prefix.len), prefix);
}

bool
bytes_ends_nocase(struct bytes whole, struct bytes suffix)
{
	return suffix.len <= whole.len &&
	       bytes_equal_nocase(bytes_from(whole, whole.len - suffix.len), suffix);
}

bool
bytes_are_ascii(struct bytes view)
{
	for (size_t i = 0; i < view.len; i++) {
		if (view.at[i] & 0x80)
			return false;
	}
	return true;
}

size_t
bytes_index(struct bytes view, char byte)
{
	const char *found = view.len ? memchr(view.at, byte, view.len) : NULL;

	return found ? (size_t)(found - view.at) : view.len;
}

bool
bytes_contains_nocase(struct bytes view, struct bytes word)
{
	if (word.len > view.len)
		return false;
	for (size_t i = 0; i <= view.len - word.len; i++) {
		if (bytes_starts_nocase(bytes_from(view, i), word))
			return true;
	}
	return false;
}

/* Both bear a number beyond the end: what is not there is not in the view. */
struct bytes
bytes_from(struct bytes view, size_t offset)
{
	if (offset == 0)
		return view; /* nothing is added to a NULL */
	if (offset > view.len)
		offset = view.len;
	return (struct bytes){ view.at ? view.at + offset : NULL, view.len - offset };
}

struct bytes
bytes_first(struct bytes view, size_t len)
{
	return (struct bytes){ view.at, len < view.len ? len : view.len };
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

struct bytes
bytes_trim(struct bytes view)
{
	while (view.len > 0 && is_blank(view.at[view.len - 1]))
		view.len--;
	while (view.len > 0 && is_blank(view.at[0]))
		view = bytes_from(view, 1);
	return view;
}

struct bytes
bytes_first_line(struct bytes text)
{
	struct bytes line = bytes_first(text, bytes_index(text, '\n'));

	if (line.len > 0 && line.len < text.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct bytes
bytes_to_line_end(struct bytes heard)
{
	struct bytes line = bytes_first(heard, bytes_index(heard, '\n'));

	return bytes_first(line, bytes_index(line, '\r'));
}

struct bytes
bytes_next_word(struct bytes *rest)
{
	struct bytes word;
	size_t len = 0;

	while (rest->len > 0 && is_blank(rest->at[0]))
		*rest = bytes_from(*rest, 1);
	while (len < rest->len && !is_blank(rest->at[len]))
		len++;
	word = bytes_first(*rest, len);
	*rest = bytes_from(*rest, len);
	return word;
}

enum err
bytes_to_number(struct bytes view, uint64_t most, uint64_t *out)
{
	uint64_t number = 0;

	if (view.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < view.len; i++) {
		if (!byte_is_digit(view.at[i]))
			return ERR_SYNTAX;
	}
	for (size_t i = 0; i < view.len; i++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(view.at[i] - '0'), &number) ||
			number > most)
			return ERR_RANGE;
	}
	*out = number;
	return ERR_OK;
}
