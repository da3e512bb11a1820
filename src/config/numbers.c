/*
 * numbers.c: one pass over a file's text by libconfig's own tokens: numbers that it would wrap,
 * NULs, strings without an end, brackets too deep, a comma too many, includes. Layer: config.
 */
#include "config/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TOKEN_MOST ((size_t)64)

struct scanner {
	const struct scan *scan;
	struct bytes text;
	size_t at;
	int line;
	struct bytes name; /* the last one, for what is told of its value */
	size_t depth;
	unsigned members[SCAN_MOST_DEPTH + 1];
	int opened[SCAN_MOST_DEPTH + 1]; /* lines */
	char brackets[SCAN_MOST_DEPTH + 1];
	int long_string_line; /* the first string that goes over its line's end; 0: none */
	bool is_after_comma;
	int comma_line;
	bool is_ended;
};

static char
peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->text.len ? s->text.at[s->at + ahead] : '\0';
}

static void tell(struct scanner *s, int line, enum scan_fault fault, const char *format, ...)
	PRINTF_LIKE(4, 5);

static void
tell(struct scanner *s, int line, enum scan_fault fault, const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	s->scan->on_fault(s->scan->owner, line, fault, s->name, what);
}

/* A NUL byte ends the text for libconfig, wherever it stands. */
static void
step(struct scanner *s)
{
	if (s->text.at[s->at] == '\n')
		s->line++;
	if (s->text.at[s->at] == '\0') {
		tell(s, s->line, SCAN_BROKEN, "a NUL byte; the file must be text");
		s->is_ended = true;
	}
	s->at++;
}

static void
skip_line(struct scanner *s)
{
	while (s->at < s->text.len && s->text.at[s->at] != '\n' && !s->is_ended)
		step(s);
}

static void
skip_long_comment(struct scanner *s)
{
	int began = s->line;

	s->at += 2;
	while (s->at < s->text.len && !s->is_ended) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			s->at += 2;
			return;
		}
		step(s);
	}
	if (!s->is_ended)
		tell(s, began, SCAN_BROKEN, "a comment that begins here has no end; end it by */");
	s->is_ended = true;
}

static bool
is_hex_digit(char byte)
{
	return byte_is_digit(byte) || (byte_lower(byte) >= 'a' && byte_lower(byte) <= 'f');
}

static void
skip_string(struct scanner *s)
{
	int began = s->line;

	s->at++;
	while (s->at < s->text.len && !s->is_ended) {
		char byte = peek(s, 0);

		if (byte == '"') {
			s->at++;
			if (s->line > began && s->long_string_line == 0)
				s->long_string_line = began;
			return;
		}
		if (byte == '\\' && s->at + 1 < s->text.len) {
			if (peek(s, 1) == 'x' && peek(s, 2) == '0' && peek(s, 3) == '0')
				tell(s, s->line, SCAN_VALUE,
					"%.*s: \\x00 in a string, a byte that no setting can have; "
					"leave it out",
					BYTES_ARG(s->name));
			else if (peek(s, 1) == 'x' &&
				 !(is_hex_digit(peek(s, 2)) && is_hex_digit(peek(s, 3))))
				tell(s, s->line, SCAN_VALUE,
					"%.*s: \\x without two hex digits; write a backslash as "
					"\\\\",
					BYTES_ARG(s->name));
			else if (!memchr("nrtf\\\"x", peek(s, 1), 7))
				tell(s, s->line, SCAN_VALUE,
					"%.*s: a backslash before a character that needs none; "
					"write a backslash as \\\\",
					BYTES_ARG(s->name));
			s->at++;
		}
		step(s);
	}
	if (!s->is_ended)
		/* Hardly any string has several lines: there a quote is missing, and from there on
		 * inside and outside are exchanged. */
		tell(s, s->long_string_line > 0 ? s->long_string_line : began, SCAN_STRING,
			"the string that begins here has no end; end it by \"");
	s->is_ended = true;
}

bool
scan_is_name_byte(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || byte == '_' || byte == '-' ||
	       byte == '*';
}

static void
read_name(struct scanner *s)
{
	size_t from = s->at, ahead;

	while (s->at < s->text.len && scan_is_name_byte(peek(s, 0)))
		s->at++;
	ahead = s->at;
	while (ahead < s->text.len && memchr(" \t\r\n", s->text.at[ahead], 4))
		ahead++;
	if (ahead >= s->text.len || (s->text.at[ahead] != '=' && s->text.at[ahead] != ':'))
		return; /* true, false */
	s->name = bytes_first(bytes_from(s->text, from), s->at - from < 40 ? s->at - from : 40);
	if (++s->members[s->depth] == SCAN_MOST_MEMBERS + 1) {
		tell(s, s->line, SCAN_BROKEN,
			"more than %d settings in one group; there are no more than a hundred",
			SCAN_MOST_MEMBERS);
		s->is_ended = true;
	}
}

/* What libconfig takes for an int has 31 bits, with an L behind it 63. */
static bool
is_too_large(const char *token, size_t len)
{
	bool is_long = token[len - 1] == 'L';
	bool is_hex = token[0] == '0' && byte_lower(token[1]) == 'x';
	long long value;

	errno = 0;
	if (is_hex) {
		unsigned long long unsigned_value = strtoull(token, NULL, 16);

		return errno == ERANGE || unsigned_value > (is_long ? INT64_MAX : INT32_MAX);
	}
	value = strtoll(token, NULL, 10);
	return errno == ERANGE || (!is_long && (value > INT32_MAX || value < INT32_MIN));
}

static void
read_number(struct scanner *s)
{
	char token[TOKEN_MOST + 1];
	size_t from = s->at, len;
	bool is_hex = peek(s, 0) == '0' && byte_lower(peek(s, 1)) == 'x';
	bool is_float = false;

	if (peek(s, 0) == '+' || peek(s, 0) == '-')
		s->at++;
	while (byte_is_letter(peek(s, 0)) || byte_is_digit(peek(s, 0)) || peek(s, 0) == '.') {
		char byte = peek(s, 0);

		is_float |= byte == '.' || (!is_hex && byte_lower(byte) == 'e');
		s->at++;
		if (!is_hex && byte_lower(byte) == 'e' && (peek(s, 0) == '+' || peek(s, 0) == '-'))
			s->at++;
	}
	len = s->at - from;
	if (len > TOKEN_MOST) {
		tell(s, s->line, SCAN_VALUE,
			"%.*s: a number of %zu digits; the largest is 2147483647",
			BYTES_ARG(s->name), len);
		return;
	}
	memcpy(token, s->text.at + from, len);
	token[len] = '\0';
	if (is_float && !isfinite(strtod(token, NULL)))
		tell(s, s->line, SCAN_VALUE,
			"%.*s: the number %s is too large; write one that is within its range",
			BYTES_ARG(s->name), token);
	else if (!is_float && is_too_large(token, len))
		tell(s, s->line, SCAN_VALUE,
			"%.*s: the number %s is too large; the largest is 2147483647",
			BYTES_ARG(s->name), token);
}

static bool
begins_number(const struct scanner *s)
{
	char byte = peek(s, 0);

	return byte_is_digit(byte) ||
	       ((byte == '+' || byte == '-' || byte == '.') && byte_is_digit(peek(s, 1)));
}

static void
open_bracket(struct scanner *s)
{
	if (s->depth == SCAN_MOST_DEPTH) {
		tell(s, s->line, SCAN_BROKEN,
			"more than %d brackets within each other; no setting needs so many",
			SCAN_MOST_DEPTH);
		s->is_ended = true;
		return;
	}
	s->members[++s->depth] = 0;
	s->opened[s->depth] = s->line;
	s->brackets[s->depth] = peek(s, 0);
	s->at++;
}

static void
close_bracket(struct scanner *s)
{
	if (s->is_after_comma && peek(s, 0) != '}')
		tell(s, s->comma_line, SCAN_COMMA, "a comma too many before \"%c\"; take it away",
			peek(s, 0));
	if (s->depth > 0)
		s->depth--;
	s->at++;
}

/* `^[ \t]*@include[ \t]+"name"`, as libconfig has it. */
static bool
read_include(struct scanner *s)
{
	size_t from = s->at, at = s->at + strlen("@include"), name;

	while (from > 0 && s->text.at[from - 1] != '\n') {
		if (s->text.at[from - 1] != ' ' && s->text.at[from - 1] != '\t')
			return false;
		from--;
	}
	if (!bytes_starts(bytes_from(s->text, s->at), BYTES("@include")))
		return false;
	while (at < s->text.len && (s->text.at[at] == ' ' || s->text.at[at] == '\t'))
		at++;
	if (at >= s->text.len || s->text.at[at] != '"')
		return false;
	name = ++at;
	while (at < s->text.len && s->text.at[at] != '"' && s->text.at[at] != '\n')
		at++;
	if (at >= s->text.len || s->text.at[at] != '"')
		return false;
	s->scan->on_include(s->scan->owner, s->line, s->at, at + 1,
		(struct bytes){ s->text.at + name, at - name });
	s->at = at + 1;
	return true;
}

static void
next_token(struct scanner *s)
{
	char byte = peek(s, 0);

	if (byte == '#' || (byte == '/' && peek(s, 1) == '/')) {
		skip_line(s);
		return;
	}
	if (byte == '/' && peek(s, 1) == '*') {
		skip_long_comment(s);
		return;
	}
	if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\f' ||
		byte == '\0') {
		step(s);
		return;
	}
	if (byte == '{' || byte == '(' || byte == '[')
		open_bracket(s);
	else if (byte == '}' || byte == ')' || byte == ']')
		close_bracket(s);
	else if (byte == '"')
		skip_string(s);
	else if (begins_number(s))
		read_number(s);
	else if (byte_is_letter(byte) || byte == '*')
		read_name(s);
	else if (byte != '@' || !read_include(s))
		s->at++;
	s->is_after_comma = byte == ',';
	if (byte == ',')
		s->comma_line = s->line;
}

void
scan_text(struct bytes text, const struct scan *scan)
{
	struct scanner s = { .scan = scan, .text = text, .line = 1, .name = BYTES("?") };

	if (bytes_starts(text, BYTES("\xef\xbb\xbf"))) {
		tell(&s, 1, SCAN_BROKEN,
			"the file begins with a byte order mark; save it as UTF-8 without one");
		return;
	}
	if (bytes_starts(text, BYTES("\xff\xfe")) || bytes_starts(text, BYTES("\xfe\xff"))) {
		tell(&s, 1, SCAN_BROKEN,
			"the file begins with the byte order mark of UTF-16; save it as UTF-8");
		return;
	}
	while (s.at < s.text.len && !s.is_ended)
		next_token(&s);
	if (!s.is_ended && s.depth > 0)
		tell(&s, s.opened[s.depth], SCAN_OPEN,
			"\"%c\" is opened here and never closed; close it", s.brackets[s.depth]);
}
