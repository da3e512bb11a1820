/*
 * syntax.h: why a text cannot be parsed, in words. Layer: config, pure.
 *
 * libconfig says "syntax error" and a line. Its grammar is small: the first token that has no place
 * in it, and what stands around it, tell what was meant.
 */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "base/bytes.h"

/* "what is wrong; what would be right"; no value of the text is in it, which may be a secret. */
struct syntax_fault {
	int line;
	int open_line; /* of the bracket that words speak of; 0: of none */
	char words[160];
};

/*
 * The first place that libconfig does not take; text has been through scan_text() and was not found
 * broken. False: there is none that we know of.
 */
bool syntax_explain(struct bytes text, struct syntax_fault *out);

#endif
