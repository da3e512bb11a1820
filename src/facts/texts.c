/*
 * texts.c: text from outside, kept as strings with nothing cut at a NUL. Layer: facts.
 */
#include "base/escape.h"
#include "facts/verdict.h"

#include <stdlib.h>

#define KEPT_NUL BYTES("\xc0\x80") /* the form that Java calls modified UTF-8; no UTF-8 has it */

char *
text_keep(struct bytes text)
{
	size_t len = text.len;
	char *kept, *to;

	for (size_t i = 0; i < text.len; i++)
		len += text.at[i] == '\0' ? KEPT_NUL.len - 1 : 0;
	/* No more than it takes: a large fleet keeps many. */
	kept = to = malloc(len + 1);
	if (!kept)
		return NULL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\0')
			to = mempcpy(to, KEPT_NUL.at, KEPT_NUL.len);
		else
			*to++ = text.at[i];
	}
	*to = '\0';
	return kept;
}

void
text_put(struct buf *out, const char *kept)
{
	struct bytes rest = bytes_of(kept);

	while (rest.len > 0) {
		const char *nul = memmem(rest.at, rest.len, KEPT_NUL.at, KEPT_NUL.len);
		size_t len = nul ? (size_t)(nul - rest.at) : rest.len;

		buf_put(out, bytes_first(rest, len));
		if (nul) {
			buf_put_byte(out, '\0');
			len += KEPT_NUL.len;
		}
		rest = bytes_from(rest, len);
	}
}

void
text_put_json(struct buf *out, const char *kept)
{
	struct buf came = { 0 };

	if (!kept || !strstr(kept, KEPT_NUL.at)) {
		json_put_text(out, bytes_of(kept));
		return;
	}
	text_put(&came, kept);
	json_put_text(out, buf_bytes(&came));
	out->is_failed |= came.is_failed;
	buf_done(&came);
}

enum err
texts_add(struct texts *texts, struct bytes text, size_t most)
{
	char **items;
	char *kept;

	if (texts->count >= most)
		return ERR_LIMIT;
	items = reallocarray(texts->items, texts->count + 1, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	texts->items = items;
	kept = text_keep(text);
	if (!kept)
		return ERR_MEMORY;
	texts->items[texts->count++] = kept;
	return ERR_OK;
}

void
texts_put_json(struct buf *out, const struct texts *texts)
{
	buf_put_byte(out, '[');
	for (size_t i = 0; texts && i < texts->count; i++) {
		if (i > 0)
			buf_put_byte(out, ',');
		text_put_json(out, texts->items[i]);
	}
	buf_put_byte(out, ']');
}

void
texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct texts){ 0 };
}
