/*
 * verdict.c: a verdict's life. Layer: facts. Its JSON is in verdict_json.c.
 */
#include "facts/verdict.h"

#include <stdio.h>
#include <stdlib.h>

struct verdict *
verdict_new(void)
{
	struct verdict *verdict = calloc(1, sizeof(*verdict));

	if (!verdict)
		return NULL;
	verdict->stage = STAGE_CONFIG;
	verdict->cause = CAUSE_OK;
	for (size_t i = 0; i < STAGE_COUNT; i++)
		verdict->times_us[i] = -1;
	return verdict;
}

struct certificate *
certificate_new(void)
{
	return calloc(1, sizeof(struct certificate));
}

struct certificate *
certificate_hold(struct certificate *certificate)
{
	if (certificate)
		__atomic_add_fetch(&certificate->more_owners, 1, __ATOMIC_RELAXED);
	return certificate;
}

void
certificate_free(struct certificate *certificate)
{
	if (!certificate || __atomic_fetch_sub(&certificate->more_owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(certificate->subject);
	free(certificate->issuer);
	texts_done(&certificate->names);
	free(certificate);
}

void
verdict_free(struct verdict *verdict)
{
	if (!verdict)
		return;
	free(verdict->detail);
	texts_done(&verdict->reply);
	free(verdict->address);
	certificate_free(verdict->tls.certificate);
	texts_done(&verdict->capabilities);
	for (size_t i = 0; i < verdict->suggest_count; i++) {
		free(verdict->suggest[i].setting);
		free(verdict->suggest[i].value);
	}
	texts_done(&verdict->notes);
	free(verdict->advice);
	free(verdict->link);
	free(verdict);
}

void
verdict_forget_tls(struct verdict *verdict)
{
	certificate_free(verdict->tls.certificate);
	verdict->tls = (struct tls_facts){ 0 };
}

static char *text_format(const char *format, va_list arguments) PRINTF_LIKE(1, 0);

/* NULL where the allocator said no. */
static char *
text_format(const char *format, va_list arguments)
{
	char *text;

	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

void
verdict_detail(struct verdict *verdict, const char *format, ...)
{
	va_list arguments;
	char *old = verdict->detail; /* may be one of the arguments */

	va_start(arguments, format);
	verdict->detail = text_format(format, arguments);
	va_end(arguments);
	free(old);
}

void
verdict_suggest(struct verdict *verdict, const char *setting, const char *value)
{
	struct suggestion *suggestion;
	char *copy;
	size_t i = 0;

	while (i < verdict->suggest_count && strcmp(verdict->suggest[i].setting, setting) != 0)
		i++;
	if (i == COUNT_OF(verdict->suggest))
		return;
	suggestion = &verdict->suggest[i];
	copy = strdup(value);
	if (copy && !suggestion->setting)
		suggestion->setting = strdup(setting);
	if (!copy || !suggestion->setting) {
		free(copy);
		return;
	}
	free(suggestion->value);
	suggestion->value = copy;
	if (i == verdict->suggest_count)
		verdict->suggest_count++;
}

bool
suggestion_is_number(const struct suggestion *suggestion)
{
	return strcmp(suggestion->setting, "port") == 0;
}

void
verdict_put_suggestion(struct buf *out, const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->suggest_count; i++) {
		const struct suggestion *suggestion = &verdict->suggest[i];
		const char *quote = suggestion_is_number(suggestion) ? "" : "\"";

		buf_put_format(out, "%s%s to %s%s%s", i == 0 ? "Set " : " and ",
			suggestion->setting, quote, suggestion->value, quote);
	}
	if (verdict->suggest_count > 0)
		buf_put_byte(out, '.');
}

void
verdict_note(struct verdict *verdict, const char *format, ...)
{
	va_list arguments;
	char *text;
	enum err err;

	va_start(arguments, format);
	text = text_format(format, arguments);
	va_end(arguments);
	err = text ? texts_add(&verdict->notes, bytes_of(text), VERDICT_MOST_NOTES) : ERR_MEMORY;
	(void)err; /* a note that has no room, on the list or in memory, is left out */
	free(text);
}
