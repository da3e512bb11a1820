/*
 * row.h: what lasts: one row of state by kind and key; its value is JSON that its owner writes and
 * reads. Layer: facts. The store (store/) keeps rows and knows nothing of their values.
 */
#ifndef FACTS_ROW_H
#define FACTS_ROW_H

#include "facts/words.h"

#define ROW_KINDS(X)                                                                               \
	X(ENDPOINT, "endpoint") /* key: NAME/smtp, NAME/imap */                                    \
	X(MAILBOX, "mailbox")	/* key: NAME: what was told, pause */                              \
	X(ACCOUNT, "account")	/* key: the account's (hex of a hash): refused logins, booking,    \
				   brake */                                                        \
	X(CERTIFICATES,                                                                            \
		"certificates") /* key: HOST/smtp, HOST/imap: shown there, and what was told */    \
	X(DAEMON, "daemon")	/* key: a word: troubles told, last event id, clean end */

#define X(name, word) ROW_##name,
enum row_kind {
	ROW_KINDS(X) ROW_KIND_COUNT
};
#undef X
WORDS_DECLARE(row_kind);

#endif
