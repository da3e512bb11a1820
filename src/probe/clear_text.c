/*
 * clear_text.c: greetings that are told apart by how they begin. Layer: probe, pure.
 *
 * SMTP and FTP both greet by three digits; FTP servers say their protocol's name in the words. A
 * few bytes are enough for the rest: OpenSSL may have read only five, or the server sent one and
 * went silent.
 */
#include "probe/clear_text.h"

static bool
is_reply_code(struct bytes heard)
{
	return heard.len > 0 && heard.at[0] >= '2' && heard.at[0] <= '5' &&
	       (heard.len < 2 || byte_is_digit(heard.at[1])) &&
	       (heard.len < 3 || byte_is_digit(heard.at[2])) &&
	       (heard.len < 4 || heard.at[3] == ' ' || heard.at[3] == '-' || heard.at[3] == '\r');
}

static const char *
protocol_of(struct bytes heard)
{
	static const struct {
		struct bytes begins;
		const char *protocol;
	} greetings[] = {
		{ { "* ", 2 }, "IMAP" },
		{ { "+OK", 3 }, "POP3" },
		{ { "-ERR", 4 }, "POP3" },
		{ { "HTTP/", 5 }, "HTTP" },
		{ { "<", 1 }, "HTTP" },
		{ { "SSH-", 4 }, "SSH" },
		{ { "RFB ", 4 }, "VNC" },
	};

	if (is_reply_code(heard))
		return bytes_contains_nocase(heard, BYTES("FTP")) &&
				       !bytes_contains_nocase(heard, BYTES("SMTP"))
			       ? "FTP"
			       : "SMTP";
	if (heard.len == 1 && heard.at[0] == '*')
		return "IMAP";
	for (size_t i = 0; i < COUNT_OF(greetings); i++) {
		if (bytes_starts(heard, greetings[i].begins))
			return greetings[i].protocol;
	}
	return NULL;
}

enum cause
clear_text_cause(enum side side, struct bytes heard, const char **protocol)
{
	const char *own = side == SIDE_SMTP ? "SMTP" : "IMAP";

	while (heard.len > 0 && (heard.at[0] == '\r' || heard.at[0] == '\n' || heard.at[0] == ' '))
		heard = bytes_from(heard, 1);
	*protocol = protocol_of(heard);
	if (!*protocol)
		return CAUSE_TLS_HANDSHAKE;
	return strcmp(*protocol, own) == 0 ? CAUSE_TLS_MODE : CAUSE_WRONG_PROTOCOL;
}
