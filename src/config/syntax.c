/*
 * syntax.c: the grammar of libconfig once more, for its faults alone. Layer: config, pure.
 *
 *   settings = { NAME ( "=" | ":" ) value [ ";" | "," ] }
 *   value    = STRING… | NUMBER | true | false | "{" settings "}" | "(" values ")" | "[" values "]"
 *   values   = [ value { "," value } ]
 */
#include "config/syntax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/numbers.h"

enum token {
	TOKEN_END,
	TOKEN_NAME, /* a word that is no true or false */
	TOKEN_EQUALS,
	TOKEN_STRING,
	TOKEN_SCALAR, /* a number, true, false */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_OTHER,
	TOKEN_COUNT
};

/* What may come next. */
enum expected {
	EXPECT_NAME,
	EXPECT_EQUALS,
	EXPECT_VALUE,
	EXPECT_MEMBER, /* of a list: a value, or its end */
	EXPECT_AFTER,  /* a value */
	EXPECTED_COUNT
};

struct open {
	char bracket; /* '\0': the file itself */
	int line;
};

struct reader {
	struct bytes text;
	size_t at;
	int line;
	enum token token;
	size_t from;	/* where it begins */
	int token_line; /* likewise */
	struct open open[SCAN_MOST_DEPTH + 1];
	size_t depth;
	enum expected expected;
	struct bytes name; /* the last one */
	enum token last;   /* the token before, and where it ended */
	size_t last_end;
	int long_string_line; /* the last string that goes over a line's end: where it begins ... */
	int long_string_end;  /* ... and ends */
	struct syntax_fault *fault;
};

/* ---- tokens */

static char
peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.at[r->at + ahead] : '\0';
}

static void
step(struct reader *r)
{
	r->line += r->text.at[r->at] == '\n';
	r->at++;
}

static void
skip_to(struct reader *r, const char *end)
{
	struct bytes rest = bytes_from(r->text, r->at);

	while (rest.len > 0 && !bytes_starts(rest, bytes_of(end))) {
		step(r);
		rest = bytes_from(r->text, r->at);
	}
}

/* True where something was skipped. */
static bool
skip_blank(struct reader *r)
{
	char byte = peek(r, 0);

	if (byte == '#' || (byte == '/' && peek(r, 1) == '/')) {
		skip_to(r, "\n");
	} else if (byte == '/' && peek(r, 1) == '*') {
		skip_to(r, "*/");
		r->at += r->at < r->text.len ? 2 : 0;
	} else if (byte != '\0' && strchr(" \t\r\n\f", byte)) {
		step(r);
	} else {
		return false;
	}
	return true;
}

static void
read_string(struct reader *r)
{
	step(r);
	while (r->at < r->text.len && peek(r, 0) != '"') {
		if (peek(r, 0) == '\\' && r->at + 1 < r->text.len)
			step(r);
		step(r);
	}
	r->at += r->at < r->text.len;
	if (r->line > r->token_line) {
		r->long_string_line = r->token_line;
		r->long_string_end = r->line;
	}
}

/* A number is read as long as letters and digits come: "5m" is one that is none. */
static enum token
read_word(struct reader *r)
{
	bool is_number = !byte_is_letter(peek(r, 0)) && peek(r, 0) != '*';
	struct bytes word;
	bool is_plain = true, is_hex;

	while (scan_is_name_byte(peek(r, 0)) ||
		(is_number && (peek(r, 0) == '.' || peek(r, 0) == '+')))
		r->at++;
	word = bytes_first(bytes_from(r->text, r->from), r->at - r->from);
	if (!is_number)
		return bytes_equal_nocase(word, BYTES("true")) ||
				       bytes_equal_nocase(word, BYTES("false"))
			       ? TOKEN_SCALAR
			       : TOKEN_NAME;
	is_hex = bytes_starts_nocase(word, BYTES("0x"));
	for (size_t i = is_hex ? 2 : 0; i < word.len; i++)
		is_plain &= strchr(is_hex ? "0123456789abcdefABCDEFL" : "0123456789.+-eEL",
				    word.at[i]) != NULL;
	return is_plain ? TOKEN_SCALAR : TOKEN_OTHER;
}

static enum token
token_of(struct reader *r)
{
	char byte = peek(r, 0);

	if (r->at >= r->text.len)
		return TOKEN_END;
	if (byte == '"') {
		read_string(r);
		return TOKEN_STRING;
	}
	if (byte_is_letter(byte) || byte == '*' || byte_is_digit(byte) ||
		(byte != '\0' && strchr("+-.", byte) && byte_is_digit(peek(r, 1))))
		return read_word(r);
	r->at++;
	switch (byte) {
	case '=':
	case ':':
		return TOKEN_EQUALS;
	case '{':
	case '(':
	case '[':
		return TOKEN_OPEN;
	case '}':
	case ')':
	case ']':
		return TOKEN_CLOSE;
	case ',':
		return TOKEN_COMMA;
	case ';':
		return TOKEN_SEMICOLON;
	default:
		return TOKEN_OTHER;
	}
}

static void
next_token(struct reader *r)
{
	r->last = r->token;
	r->last_end = r->at;
	while (skip_blank(r))
		;
	r->from = r->at;
	r->token_line = r->line;
	r->token = token_of(r);
}

/* Behind what was read: does a setting's "=" come? */
static bool
is_before_equals(const struct reader *r)
{
	size_t at = r->at;

	while (at < r->text.len && strchr(" \t\r\n", r->text.at[at]))
		at++;
	return at < r->text.len && (r->text.at[at] == '=' || r->text.at[at] == ':');
}

/* ---- faults */

static void fault(struct reader *r, int line, const char *format, ...) PRINTF_LIKE(3, 4);

static void
fault(struct reader *r, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	*r->fault = (struct syntax_fault){ .line = line };
	vsnprintf(r->fault->words, sizeof(r->fault->words), format, arguments);
	va_end(arguments);
}

static char
closer_of(char bracket)
{
	return bracket == '{' ? '}' : bracket == '(' ? ')' : ']';
}

static void
fault_bracket(struct reader *r)
{
	const struct open *open = &r->open[r->depth];
	char byte = r->text.at[r->from];

	if (open->bracket == '\0')
		fault(r, r->token_line, "\"%c\" closes nothing; take it away", byte);
	else
		fault(r, r->token_line, "\"%c\" where a \"%c\" is still open; close that by \"%c\"",
			byte, open->bracket, closer_of(open->bracket));
	r->fault->open_line = open->line;
}

static void
fault_name(struct reader *r)
{
	bool is_in_group = r->open[r->depth].bracket == '{';

	if (r->token == TOKEN_CLOSE)
		fault_bracket(r);
	else if (r->token == TOKEN_STRING && is_before_equals(r))
		fault(r, r->token_line,
			"a name in quotes; write NAME = VALUE, without quotes around the name");
	else if (r->token == TOKEN_END && is_in_group)
		fault(r, r->open[r->depth].line, "\"{\" is opened here and never closed; close it");
	else
		fault(r, r->token_line, "a value without a name; write NAME = VALUE");
}

/* The word is not repeated: it may be the second one of a secret without quotes. */
static void
fault_equals(struct reader *r)
{
	fault(r, r->token_line,
		"a word with no \"=\" behind it; write NAME = VALUE, a value of "
		"several words in one pair of quotes");
}

static void
fault_value(struct reader *r)
{
	char byte = r->from < r->text.len ? r->text.at[r->from] : '\0';

	if (r->token == TOKEN_EQUALS)
		fault(r, r->token_line, "\"=\" or \":\" twice; one of them is enough");
	else if (r->token == TOKEN_SEMICOLON || r->token == TOKEN_CLOSE ||
		 r->token == TOKEN_COMMA || r->token == TOKEN_END)
		fault(r, r->token_line, "%.*s has no value; write %.*s = VALUE", BYTES_ARG(r->name),
			BYTES_ARG(r->name));
	else if (byte == '\'')
		fault(r, r->token_line, "quotes of another kind; write \"…\"");
	else
		fault(r, r->token_line,
			"a word without quotes that is not true or false; write %.*s = \"…\"",
			BYTES_ARG(r->name));
}

static void
fault_member(struct reader *r)
{
	const struct open *open = &r->open[r->depth];

	if (r->token == TOKEN_NAME && is_before_equals(r))
		fault(r, r->token_line, "a setting between \"%c\" and \"%c\"; put { } around it",
			open->bracket, closer_of(open->bracket));
	else if (r->token == TOKEN_CLOSE || r->token == TOKEN_SEMICOLON)
		fault_bracket(r);
	else
		fault(r, r->token_line, "a word without quotes; write \"…\" around it");
}

static void
fault_after(struct reader *r)
{
	const struct open *open = &r->open[r->depth];
	bool is_list = open->bracket == '(' || open->bracket == '[';
	bool is_stuck = r->last_end == r->from; /* "x":993, 5.5.5 */

	if (r->token == TOKEN_CLOSE || (is_list && r->token == TOKEN_SEMICOLON))
		fault_bracket(r);
	else if (is_list && is_stuck)
		fault(r, r->token_line, "a word without quotes; write \"…\" around it");
	else if (is_list && r->token != TOKEN_OTHER)
		fault(r, r->token_line, "no comma between two members; write one");
	else if (r->token == TOKEN_EQUALS && !is_stuck)
		fault(r, r->token_line, "\"=\" behind a value; write NAME = VALUE");
	else
		fault(r, r->token_line,
			"a value without a name; put all of it into one pair of "
			"quotes");
}

/* ---- the grammar */

static bool
is_value(struct reader *r)
{
	return r->token == TOKEN_STRING || r->token == TOKEN_SCALAR || r->token == TOKEN_OPEN;
}

static enum expected
expected_within(const struct reader *r)
{
	char bracket = r->open[r->depth].bracket;

	return bracket == '(' || bracket == '[' ? EXPECT_MEMBER : EXPECT_NAME;
}

static void
take_value(struct reader *r)
{
	r->expected = EXPECT_AFTER;
	if (r->token != TOKEN_OPEN || r->depth == SCAN_MOST_DEPTH)
		return;
	r->open[++r->depth] = (struct open){ r->text.at[r->from], r->token_line };
	r->expected = expected_within(r);
}

/* False: it closes another bracket, or none. */
static bool
take_close(struct reader *r)
{
	char bracket = r->open[r->depth].bracket;

	if (bracket == '\0' || closer_of(bracket) != r->text.at[r->from])
		return false;
	r->depth--;
	r->expected = EXPECT_AFTER;
	return true;
}

/* In a group what follows a value may be the next name; in a list a comma, or its end. */
static bool
take_after(struct reader *r)
{
	bool is_list = expected_within(r) == EXPECT_MEMBER;

	if (r->token == TOKEN_STRING && r->last == TOKEN_STRING)
		return true; /* "a" "b" is "ab" */
	if (r->token == TOKEN_COMMA || (r->token == TOKEN_SEMICOLON && !is_list)) {
		r->expected = expected_within(r);
		return true;
	}
	if (r->token == TOKEN_CLOSE)
		return take_close(r);
	/* Without a blank the word belongs to what stands before: 5m */
	if (r->token != TOKEN_NAME || is_list || r->last_end == r->from)
		return false;
	r->expected = EXPECT_EQUALS;
	return true;
}

/* False: the token has no place here. */
static bool
take(struct reader *r)
{
	if (r->token == TOKEN_NAME && r->expected != EXPECT_VALUE)
		r->name = bytes_first(
			bytes_from(r->text, r->from), r->at - r->from < 40 ? r->at - r->from : 40);
	switch (r->expected) {
	case EXPECT_NAME:
		if (r->token == TOKEN_NAME)
			r->expected = EXPECT_EQUALS;
		return r->token == TOKEN_NAME || (r->token == TOKEN_CLOSE && take_close(r));
	case EXPECT_EQUALS:
		r->expected = r->token == TOKEN_EQUALS ? EXPECT_VALUE : EXPECT_EQUALS;
		return r->token == TOKEN_EQUALS;
	case EXPECT_VALUE:
	case EXPECT_MEMBER:
		if (r->expected == EXPECT_MEMBER && r->token == TOKEN_CLOSE)
			return take_close(r);
		if (!is_value(r))
			return false;
		take_value(r);
		return true;
	default:
		return take_after(r);
	}
}

bool
syntax_explain(struct bytes text, struct syntax_fault *out)
{
	static void (*const faults[EXPECTED_COUNT])(struct reader *) = { fault_name, fault_equals,
		fault_value, fault_member, fault_after };
	struct reader r = { .text = text, .line = 1, .fault = out };

	do
		next_token(&r);
	while (r.token != TOKEN_END && take(&r));
	if (r.token == TOKEN_END && r.depth == 0 &&
		(r.expected == EXPECT_NAME || r.expected == EXPECT_AFTER))
		return false;
	/* What stands right behind a string over several lines was meant to be within it, or what
	 * it holds was not. */
	if (r.long_string_end == r.token_line && r.long_string_end > 0)
		fault(&r, r.long_string_line,
			"the string that begins here goes over its line's end; end it by \"");
	else
		faults[r.expected](&r);
	return true;
}
