/*
 * reply_text.h: a server's reply written down, as a rule's example has it -> what rules see of it.
 * Layer: dialogue, pure.
 */
#ifndef DIALOGUE_REPLY_TEXT_H
#define DIALOGUE_REPLY_TEXT_H

#include "facts/finding.h"

/*
 * Reads a reply, its lines parted by LF: of SMTP as it comes; of IMAP with a tag or without one
 * ("NO [ALERT] …", "A1 NO …", "* BYE …"), untagged lines beside the tagged one as in a session.
 * ERR_OK (*out is the caller's, server_reply_done()), ERR_SYNTAX (no reply), ERR_MEMORY
 */
CHECKED enum err reply_from_text(enum side side, struct bytes text, struct server_reply *out);

#endif
