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
	struct buf kept = { 0 };

	for (;;) {
		size_t len = bytes_index(text, '\0');

		buf_put(&kept, bytes_first(text, len));
		if (len == text.len)
			break;
		buf_put(&kept, KEPT_NUL);
		text = bytes_from(text, len + 1);
	}
	return buf_take(&kept);
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
