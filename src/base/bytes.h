/*
 * bytes.h: a view of bytes that somebody else owns; by value, never NUL-terminated by promise.
 * Layer: base. What grows is in buf.h.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct bytes {
	const char *at;
	size_t len;
};

/* A view of a string literal. */
#define BYTES(literal) ((struct bytes){ "" literal, sizeof(literal) - 1 })
#define BYTES_NONE ((struct bytes){ NULL, 0 })
/* For printf's "%.*s". Only for our own words; what came from outside leaves by escape_put(). */
#define BYTES_ARG(view) (int)(view).len, (view).at

/* A view of a NUL-terminated string of our own (NULL gives none). */
static inline struct bytes
bytes_of(const char *string)
{
	return (struct bytes){ string, string ? strlen(string) : 0 };
}

static inline bool
bytes_is_empty(struct bytes view)
{
	return view.len == 0;
}

bool bytes_equal(struct bytes a, struct bytes b);
/* ASCII letters alone are folded, whatever the locale (H2-12: tr_TR). */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes whole, struct bytes prefix);
bool bytes_starts_nocase(struct bytes whole, struct bytes prefix);
bool bytes_ends_nocase(struct bytes whole, struct bytes suffix);
bool bytes_are_ascii(struct bytes view);
/* The place of the first `byte`, or view.len. */
size_t bytes_index(struct bytes view, char byte);
/* True where `word` occurs anywhere, ASCII case folded. */
bool bytes_contains_nocase(struct bytes view, struct bytes word);
struct bytes bytes_from(struct bytes view, size_t offset);
struct bytes bytes_first(struct bytes view, size_t len);
/* Without blanks and tabs at both ends. */
struct bytes bytes_trim(struct bytes view);
/* The first line of a text, without its line end, LF or CR LF; all of it where it has none. */
struct bytes bytes_first_line(struct bytes text);
/* What a server said up to its first CR or LF, whichever. */
struct bytes bytes_to_line_end(struct bytes heard);
/* Takes the next word (up to a blank) off *rest; empty at the end. */
struct bytes bytes_next_word(struct bytes *rest);
/* All of view as an unsigned decimal number. ERR_SYNTAX: not digits alone; ERR_RANGE: above `most`.
 */
CHECKED enum err bytes_to_number(struct bytes view, uint64_t most, uint64_t *out);

static inline char
byte_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte;
}

static inline char
byte_upper(char byte)
{
	return byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : byte;
}

static inline bool
byte_is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool
byte_is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

#endif
