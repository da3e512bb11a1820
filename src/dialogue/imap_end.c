/*
 * imap_end.c: how an IMAP session ends, and what is kept of the reply that decided. Layer:
 * dialogue, pure.
 */
#include "dialogue/imap.h"

#include <stdlib.h>

void
imap_end(struct imap *d, enum finding_kind kind)
{
	dialogue_end(&d->base, kind, dialogue_reply_stage(&d->base), GOODBYE_SAID);
}

/* Response codes are compared and shown in upper case (RFC 5530 3). */
static void
keep_code(struct dialogue *dialogue, char **out, struct bytes code)
{
	if (code.len == 0)
		return;
	dialogue_keep_text(dialogue, out, code);
	for (char *at = *out; at && *at; at++)
		*at = byte_upper(*at);
}

void
imap_fill_reply(struct imap *d, struct server_reply *reply, const struct imap_response *response)
{
	reply->status = response->status;
	keep_code(&d->base, &reply->response_code, response->code);
	if (response->code_argument.len > 0)
		dialogue_keep_text(&d->base, &reply->code_argument, response->code_argument);
	dialogue_keep_text(&d->base, &reply->text, response->text);
}

/* The tag is ours and says nothing: a tagged line is kept without it. */
void
imap_keep_reply(struct imap *d, const struct imap_response *response)
{
	struct bytes line = response->line;

	imap_fill_reply(d, &d->base.finding.reply, response);
	dialogue_keep_lines(&d->base, buf_bytes(&d->beside));
	if (response->kind == IMAP_TAGGED)
		(void)bytes_next_word(&line);
	dialogue_keep_lines(&d->base, bytes_trim(line));
}

void
imap_end_refused(struct imap *d, const struct imap_response *response)
{
	imap_keep_reply(d, response);
	imap_end(d, FINDING_REFUSED);
}

void
imap_end_broken(struct imap *d, const struct imap_response *response, const char *why)
{
	imap_keep_reply(d, response);
	finding_detail(&d->base.finding, "%s", why);
	imap_end(d, FINDING_BROKEN);
}

void
imap_take_bye_as_alert(struct imap *d)
{
	free(d->base.finding.reply.alert);
	d->base.finding.reply.alert = d->bye.text;
	d->bye.text = NULL;
}

/* The BYE that was remembered decides, but where a folder was refused before. */
void
imap_end_leaving(struct imap *d)
{
	if (d->state == IMAP_LIST) {
		imap_take_bye_as_alert(d);
		(void)imap_end_listing(d, GOODBYE_NONE);
		return;
	}
	server_reply_done(&d->base.finding.reply);
	d->base.finding.reply = d->bye;
	d->bye = (struct server_reply){ 0 };
	d->has_bye = false;
	dialogue_keep_lines(&d->base, buf_bytes(&d->beside));
	dialogue_end(&d->base, FINDING_REFUSED, dialogue_reply_stage(&d->base), GOODBYE_NONE);
}
