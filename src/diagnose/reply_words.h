/*
 * reply_words.h: the words of a reply, and the small language in which a rule names them. Layer:
 * diagnose, pure.
 *
 *	too many connections        these words, side by side, in any case, whatever stands between
 *	                            them but letters and digits
 *	too many ... connections    further on
 *	throttl*                    words that begin so
 *	(ip | address) blocked      one or the other, of one or more words
 *	imap & disabled             both, in any order
 *	imap & !temporar*           not there
 *	this | that                 either of two whole patterns
 *
 * Precedence: "|" least, then "&", then "...". A word with a byte beyond ASCII is found inside
 * other text too, since some scripts have no blanks.
 *
 * What names somebody or something is no word: addresses, host names, URLs, numbers, key=value.
 */
#ifndef DIAGNOSE_REPLY_WORDS_H
#define DIAGNOSE_REPLY_WORDS_H

#include "base/bytes.h"

/* The reason of a refusal stands at its start; of a longer reply no more is read. */
#define REPLY_MOST_WORDS 200

struct reply_words {
	struct bytes items[REPLY_MOST_WORDS]; /* empty: what is no word */
	size_t count;
};

/* The words of text, borrowed from it. */
void reply_words_read(struct bytes text, struct reply_words *out);
bool reply_words_fit(const struct reply_words *words, struct bytes pattern);
/* What is wrong with a pattern, in words; NULL: nothing. */
const char *reply_words_fault(struct bytes pattern);

#endif
