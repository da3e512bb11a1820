/*
 * protocol.c: greetings that are told apart by how they begin. Layer: facts, pure.
 */
#include "facts/protocol.h"

#include <assert.h>

#define MOST_BLANKS 64

static const char *const names[] = {
	[PROTOCOL_UNKNOWN] = "an unknown protocol",
	[PROTOCOL_SMTP] = "SMTP",
	[PROTOCOL_IMAP] = "IMAP",
	[PROTOCOL_POP3] = "POP3",
	[PROTOCOL_HTTP] = "HTTP",
	[PROTOCOL_FTP] = "FTP",
	[PROTOCOL_SSH] = "SSH",
	[PROTOCOL_RFB] = "RFB (VNC)",
	[PROTOCOL_NNTP] = "NNTP",
	[PROTOCOL_MANAGESIEVE] = "ManageSieve",
	[PROTOCOL_RSYNC] = "rsync",
};
static_assert(COUNT_OF(names) == PROTOCOL_COUNT, "a name for each");

const char *
protocol_name(enum protocol protocol)
{
	return names[protocol < PROTOCOL_COUNT ? protocol : PROTOCOL_UNKNOWN];
}

enum protocol
protocol_of_name(const char *name)
{
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		if (strcmp(names[i], name) == 0)
			return (enum protocol)i;
	}
	return PROTOCOL_UNKNOWN;
}

enum protocol
protocol_of_side(enum side side)
{
	return side == SIDE_SMTP ? PROTOCOL_SMTP : PROTOCOL_IMAP;
}

/* RFC 5321 4.2, RFC 959 4.2, RFC 3977 3.2; as far as it came. */
static bool
is_reply_code(struct bytes heard)
{
	return heard.len > 0 && heard.at[0] >= '2' && heard.at[0] <= '5' &&
	       (heard.len < 2 || byte_is_digit(heard.at[1])) &&
	       (heard.len < 3 || byte_is_digit(heard.at[2])) &&
	       (heard.len < 4 || heard.at[3] == ' ' || heard.at[3] == '-' || heard.at[3] == '\r' ||
		       heard.at[3] == '\n');
}

static enum protocol
by_words(struct bytes heard)
{
	if (bytes_contains_nocase(heard, BYTES("SMTP")))
		return PROTOCOL_SMTP;
	if (bytes_contains_nocase(heard, BYTES("FTP")))
		return PROTOCOL_FTP;
	if (bytes_starts(heard, BYTES("20")) && bytes_contains_nocase(heard, BYTES("NNTP")))
		return PROTOCOL_NNTP;
	return PROTOCOL_SMTP;
}

enum protocol
protocol_of_greeting(struct bytes heard)
{
	static const struct {
		const char *start;
		enum protocol protocol;
	} greetings[] = {
		{ "* OK", PROTOCOL_IMAP },
		{ "* PREAUTH", PROTOCOL_IMAP },
		{ "* BYE", PROTOCOL_IMAP },
		{ "+OK", PROTOCOL_POP3 },
		{ "-ERR", PROTOCOL_POP3 },
		{ "HTTP/", PROTOCOL_HTTP },
		{ "<!DOCTYPE", PROTOCOL_HTTP }, /* some say no more of HTTP than the page */
		{ "<html", PROTOCOL_HTTP },
		{ "SSH-", PROTOCOL_SSH },
		{ "RFB 0", PROTOCOL_RFB },
		{ "\"IMPLEMENTATION\"", PROTOCOL_MANAGESIEVE },
		{ "@RSYNCD:", PROTOCOL_RSYNC },
	};

	for (size_t i = 0; i < MOST_BLANKS && heard.len > 0 && strchr("\r\n ", heard.at[0]) &&
			   heard.at[0] != '\0';
		i++)
		heard = bytes_from(heard, 1);
	if (heard.len == 0)
		return PROTOCOL_UNKNOWN;
	if (is_reply_code(heard))
		return by_words(heard);
	for (size_t i = 0; i < COUNT_OF(greetings); i++) {
		struct bytes start = bytes_of(greetings[i].start);

		/* Cut short, it is the first that it may become. */
		if (bytes_starts_nocase(heard, start) || bytes_starts_nocase(start, heard))
			return greetings[i].protocol;
	}
	return PROTOCOL_UNKNOWN;
}
