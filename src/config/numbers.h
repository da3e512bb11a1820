/*
 * numbers.h: what libconfig swallows in silence, found in the text before it is parsed. Layer:
 * config.
 *
 * libconfig 1.5 wraps numbers beyond 31 bits ("port = 4294967297" is 1), drops "\x00" out of
 * strings, ends at a raw NUL, and says no more than "syntax error" (trials-libs.md 5).
 */
#ifndef CONFIG_NUMBERS_H
#define CONFIG_NUMBERS_H

#include "base/bytes.h"

#define SCAN_MOST_DEPTH 32     /* brackets within brackets; ours need 4 */
#define SCAN_MOST_MEMBERS 1000 /* libconfig searches names one by one: 20,000 took 7.6 s */

enum scan_fault {
	SCAN_VALUE,  /* what libconfig reads of this setting is not what stands there */
	SCAN_COMMA,  /* libconfig will stop here, if not before */
	SCAN_STRING, /* without an end: the text must not be parsed */
	SCAN_OPEN, /* a bracket without an end: why libconfig will stop at the end, if not before */
	SCAN_BROKEN, /* the text must not be parsed */
};

struct scan {
	/* what is wrong; what would be right. line: from 1; name: of the setting, may be empty */
	void (*on_fault)(
		void *owner, int line, enum scan_fault fault, struct bytes name, const char *what);
	/* `@include "name"` that begins its line; [start, end) is the directive */
	void (*on_include)(void *owner, int line, size_t start, size_t end, struct bytes name);
	void *owner;
};

/* Of a setting's name, as libconfig reads it. */
bool scan_is_name_byte(char byte);
void scan_text(struct bytes text, const struct scan *scan);

#endif
