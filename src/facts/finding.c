/*
 * finding.c: what happened in a dialogue, put together and taken apart. Layer: facts.
 */
#include "facts/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
server_reply_done(struct server_reply *reply)
{
	free(reply->response_code);
	free(reply->code_argument);
	free(reply->text);
	free(reply->alert);
	texts_done(&reply->lines);
	*reply = (struct server_reply){ 0 };
}

void
finding_done(struct finding *finding)
{
	server_reply_done(&finding->reply);
	free(finding->detail);
	free(finding->greeting);
	texts_done(&finding->capabilities);
	texts_done(&finding->notes);
	folders_done(&finding->folders);
	*finding = (struct finding){ 0 };
}

/* NULL: no memory */
static char *PRINTF_LIKE(1, 0) formatted(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

void
finding_detail(struct finding *finding, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = formatted(format, arguments);
	va_end(arguments);
	/* Last, since the old detail may be one of the arguments. */
	free(finding->detail);
	finding->detail = text;
}

void
finding_note(struct finding *finding, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = formatted(format, arguments);
	va_end(arguments);
	if (!text)
		return;
	for (size_t i = 0; i < finding->notes.count; i++) {
		if (strcmp(finding->notes.items[i], text) == 0) {
			free(text);
			return;
		}
	}
	/* A note too many, or one for which there is no memory, is lost: no verdict hangs on it. */
	if (texts_add(&finding->notes, bytes_of(text), VERDICT_MOST_NOTES) != ERR_OK) {
		free(text);
		return;
	}
	free(text);
}
