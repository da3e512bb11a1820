/*
 * buf.h: bytes that grow. Layer: base.
 *
 * A zeroed struct is an empty buffer. An allocation that fails is remembered (is_failed) and later
 * puts do nothing: check once, at the end, by buf_err(). at[len] is always a NUL once anything
 * was put, so that our own words can be handed to C libraries.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/bytes.h"

struct buf {
	char *at;
	size_t len;
	size_t room;
	bool is_failed;
};

void buf_done(struct buf *buf);
/* As buf_done, the bytes overwritten first. For a buffer that ever held a secret use
 * buf_reserve() before the first put: growing leaves no copy behind, either way. */
void buf_done_wiped(struct buf *buf);
/* len 0, room kept, is_failed forgotten: a new beginning. */
void buf_clear(struct buf *buf);
void buf_put(struct buf *buf, struct bytes bytes);
void buf_put_string(struct buf *buf, const char *string);
void buf_put_byte(struct buf *buf, char byte);
void buf_put_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_put_number(struct buf *buf, int64_t number);
/* Drops the first len bytes; the rest moves to the front. */
void buf_drop(struct buf *buf, size_t len);
/* Cuts to len bytes. */
void buf_cut(struct buf *buf, size_t len);
/* Room for len more bytes; returns where they go, or NULL (is_failed). Add to len yourself. */
char *buf_reserve(struct buf *buf, size_t len);

static inline struct bytes
buf_bytes(const struct buf *buf)
{
	return (struct bytes){ buf->at, buf->len };
}

static inline enum err
buf_err(const struct buf *buf)
{
	return buf->is_failed ? ERR_MEMORY : ERR_OK;
}

/* The bytes as a string of the caller's own (free()), NULL where an allocation failed; buf is empty
 * after. */
char *buf_take(struct buf *buf);

/* Base64 (RFC 4648 4), padded, no line ends. */
void buf_put_base64(struct buf *buf, struct bytes plain);
/* Decodes all of text (padding demanded). ERR_SYNTAX where it is no base64; out as it was. */
CHECKED enum err buf_put_base64_decoded(struct buf *buf, struct bytes text);
void buf_put_hex(struct buf *buf, struct bytes plain);

/* Overwrites in a way that the compiler may not drop. */
void bytes_wipe(void *at, size_t len);
/* A copy on the heap (free()), NUL-terminated; NULL where the allocator said no. */
char *bytes_copy(struct bytes bytes);

#endif
