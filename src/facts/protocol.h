/*
 * protocol.h: which protocol greets, by its first bytes. Layer: facts, pure.
 */
#ifndef FACTS_PROTOCOL_H
#define FACTS_PROTOCOL_H

#include "facts/words.h"

enum protocol {
	PROTOCOL_UNKNOWN,
	PROTOCOL_SMTP,
	PROTOCOL_IMAP,
	PROTOCOL_POP3,
	PROTOCOL_HTTP,
	PROTOCOL_FTP,
	PROTOCOL_SSH,
	PROTOCOL_RFB,
	PROTOCOL_NNTP,
	PROTOCOL_MANAGESIEVE,
	PROTOCOL_RSYNC,
	PROTOCOL_COUNT
};

/* As people call it. */
const char *protocol_name(enum protocol protocol);
/* Of that name; UNKNOWN: of none. */
enum protocol protocol_of_name(const char *name);
enum protocol protocol_of_side(enum side side);
/*
 * Of what a server said first. heard may be cut anywhere, down to one byte. SMTP and FTP both greet
 * by three digits; FTP where the words say so and do not say SMTP.
 */
enum protocol protocol_of_greeting(struct bytes heard);

#endif
