/*
 * reply_text.c: a reply written down, read by the readers of a session. Layer: dialogue, pure.
 */
#include "dialogue/reply_text.h"

#include "dialogue/imap_response.h"
#include "dialogue/smtp_reply.h"

#include <stdlib.h>

static enum err
keep_text(char **out, struct bytes text)
{
	char *kept = text_keep(text);

	if (!kept)
		return ERR_MEMORY;
	free(*out);
	*out = kept;
	return ERR_OK;
}

/* Lines as they come on the wire; an IMAP status without a tag or star gets one. */
static void
put_wire(struct buf *out, enum side side, struct bytes text)
{
	while (text.len > 0) {
		struct bytes line = bytes_first(text, bytes_index(text, '\n'));
		struct bytes rest = line, word = bytes_next_word(&rest);

		text = bytes_from(text, line.len + 1);
		if (side == SIDE_IMAP && (bytes_equal_nocase(word, BYTES("NO")) ||
						 bytes_equal_nocase(word, BYTES("BAD")) ||
						 bytes_equal_nocase(word, BYTES("OK"))))
			buf_put(out, BYTES("A1 "));
		else if (side == SIDE_IMAP && bytes_equal_nocase(word, BYTES("BYE")))
			buf_put(out, BYTES("* "));
		buf_put(out, line);
		buf_put(out, BYTES("\r\n"));
	}
}

static enum err
read_smtp(struct bytes wire, struct server_reply *out)
{
	struct smtp_reader reader = { 0 };
	struct smtp_reply reply;
	enum err err = smtp_reply_next(&reader, &wire, &reply);

	if (err == ERR_MORE && smtp_reply_cut_off(&reader, &reply))
		err = ERR_OK;
	if (err == ERR_OK) {
		out->status = REPLY_SMTP;
		out->code = reply.code;
		memcpy(out->enhanced, reply.enhanced, sizeof(out->enhanced));
		err = keep_text(&out->text, reply.text);
	}
	smtp_reader_done(&reader);
	return err == ERR_MEMORY ? ERR_MEMORY : err == ERR_OK ? ERR_OK : ERR_SYNTAX;
}

/* One response: the tagged one and a BYE decide, what else is untagged stands beside it. */
static enum err
take_response(const struct imap_response *response, struct server_reply *out)
{
	bool decides = response->kind == IMAP_TAGGED || response->status == REPLY_BYE;
	enum err err;

	if (response->kind != IMAP_TAGGED && response->kind != IMAP_UNTAGGED_STATUS)
		return keep_text(&out->alert, bytes_from(response->line, 2));
	if (!decides || (response->status == REPLY_BYE && out->status != REPLY_NONE))
		return keep_text(&out->alert, response->text);
	if (out->status == REPLY_BYE) { /* it stands beside the tagged one now */
		free(out->alert);
		out->alert = out->text;
		out->text = NULL;
	}
	out->status = response->status;
	free(out->response_code);
	out->response_code = NULL;
	err = keep_text(&out->text, response->text);
	if (err == ERR_OK && response->code.len > 0)
		err = keep_text(&out->response_code, response->code);
	return err;
}

static enum err
read_imap(struct bytes wire, struct server_reply *out)
{
	struct imap_reader reader = { 0 };
	struct imap_response response;
	enum err err = ERR_OK;

	while (err == ERR_OK && wire.len > 0) {
		err = imap_response_next(&reader, &wire, &response);
		if (err == ERR_OK)
			err = take_response(&response, out);
	}
	imap_reader_done(&reader);
	if (err == ERR_OK && out->status == REPLY_NONE)
		err = ERR_SYNTAX;
	return err == ERR_MEMORY ? ERR_MEMORY : err == ERR_OK ? ERR_OK : ERR_SYNTAX;
}

enum err
reply_from_text(enum side side, struct bytes text, struct server_reply *out)
{
	struct server_reply reply = { 0 };
	struct buf wire = { 0 };
	enum err err;

	put_wire(&wire, side, text);
	err = buf_err(&wire);
	/* A busy server says so in SMTP's way at IMAP's port too. */
	if (err == ERR_OK && (side == SIDE_SMTP || bytes_starts(text, BYTES("421"))))
		err = read_smtp(buf_bytes(&wire), &reply);
	else if (err == ERR_OK)
		err = read_imap(buf_bytes(&wire), &reply);
	buf_done(&wire);
	if (err != ERR_OK)
		server_reply_done(&reply);
	else
		*out = reply;
	return err;
}
