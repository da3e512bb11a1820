/*
 * prepare.c: SASLprep (RFC 4013) by libidn's stringprep. Layer: base.
 *
 * libidn works on copies of its own, which it frees without wiping; a secret that is not ASCII
 * leaves such a trace in the heap.
 */
#include "base/prepare.h"

#include <stringprep.h>
#include <unistr.h>

/* NFKC's longest: U+FDFA, three bytes, becomes 33. */
#define MOST_GROWTH ((size_t)11)

enum err
prepare_put(struct buf *out, struct bytes text)
{
	size_t room = MOST_GROWTH * text.len + 1;
	int result;

	if (bytes_are_ascii(text)) {
		buf_put(out, text);
		return buf_err(out);
	}
	/* libidn's own check came late (CVE-2015-2059). It stops at a NUL. */
	if (u8_check((const uint8_t *)text.at, text.len) || bytes_index(text, '\0') < text.len)
		return ERR_SYNTAX;
	if (!buf_reserve(out, room))
		return ERR_MEMORY;
	buf_put(out, text);
	result = stringprep(out->at, room, 0, stringprep_saslprep);
	if (result == STRINGPREP_MALLOC_ERROR)
		return ERR_MEMORY;
	if (result != STRINGPREP_OK)
		return ERR_INVALID;
	out->len = strlen(out->at);
	return out->len > 0 ? ERR_OK : ERR_INVALID;
}
