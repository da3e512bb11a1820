/*
 * buf.c: bytes that grow, base64 and hex of them. Layer: base.
 *
 * Growing is malloc, copy, wipe, free and never realloc, which may leave the old bytes on the heap:
 * so any buffer may hold a secret, and a wipe of at most what was just copied costs little.
 */
#include "base/buf.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_LEAST_BYTES ((size_t)64)

void
bytes_wipe(void *at, size_t len)
{
	if (at && len > 0)
		OPENSSL_cleanse(at, len);
}

char *
bytes_copy(struct bytes bytes)
{
	char *copy;

	if (bytes.len == SIZE_MAX)
		return NULL;
	copy = malloc(bytes.len + 1);
	if (!copy)
		return NULL;
	if (bytes.len > 0)
		memcpy(copy, bytes.at, bytes.len);
	copy[bytes.len] = '\0';
	return copy;
}

void
buf_done(struct buf *buf)
{
	free(buf->at);
	*buf = (struct buf){ 0 };
}

void
buf_done_wiped(struct buf *buf)
{
	bytes_wipe(buf->at, buf->room);
	buf_done(buf);
}

void
buf_clear(struct buf *buf)
{
	buf->is_failed = false;
	buf_cut(buf, 0);
}

void
buf_cut(struct buf *buf, size_t len)
{
	if (len > buf->len)
		return;
	buf->len = len;
	if (buf->at)
		buf->at[len] = '\0';
}

void
buf_drop(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len == 0)
		return;
	memmove(buf->at, buf->at + len, buf->len - len);
	buf_cut(buf, buf->len - len);
}

/* Where the room for `least` bytes comes from: at least twice as much as there was. */
static bool
grow(struct buf *buf, size_t least)
{
	size_t room = buf->room > SIZE_MAX / 2 ? SIZE_MAX : 2 * buf->room;
	char *at;

	if (room < BUF_LEAST_BYTES)
		room = BUF_LEAST_BYTES;
	if (room < least)
		room = least;
	at = malloc(room);
	if (!at)
		return false;
	if (buf->at) {
		memcpy(at, buf->at, buf->len);
		bytes_wipe(buf->at, buf->room);
		free(buf->at);
	}
	at[buf->len] = '\0';
	buf->at = at;
	buf->room = room;
	return true;
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	size_t least;

	if (buf->is_failed)
		return NULL;
	/* One more for the NUL. */
	if (__builtin_add_overflow(buf->len, len, &least) ||
		__builtin_add_overflow(least, 1, &least) || least > PTRDIFF_MAX ||
		(least > buf->room && !grow(buf, least))) {
		buf->is_failed = true;
		return NULL;
	}
	return buf->at + buf->len;
}

void
buf_put(struct buf *buf, struct bytes bytes)
{
	char *at = buf_reserve(buf, bytes.len);

	if (!at)
		return;
	if (bytes.len > 0)
		memcpy(at, bytes.at, bytes.len);
	at[bytes.len] = '\0';
	buf->len += bytes.len;
}

void
buf_put_string(struct buf *buf, const char *string)
{
	buf_put(buf, bytes_of(string));
}

void
buf_put_byte(struct buf *buf, char byte)
{
	buf_put(buf, (struct bytes){ &byte, 1 });
}

void
buf_put_format(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	int len;
	char *at;

	va_start(arguments, format);
	len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len < 0) {
		buf->is_failed = true;
		return;
	}
	at = buf_reserve(buf, (size_t)len);
	if (!at)
		return;
	va_start(arguments, format);
	vsnprintf(at, (size_t)len + 1, format, arguments);
	va_end(arguments);
	buf->len += (size_t)len;
}

void
buf_put_number(struct buf *buf, int64_t number)
{
	buf_put_format(buf, "%lld", (long long)number);
}

char *
buf_take(struct buf *buf)
{
	char *taken;

	(void)buf_reserve(buf, 0); /* of a buffer that was never put to: "" */
	if (buf->is_failed) {
		buf_done_wiped(buf);
		return NULL;
	}
	taken = buf->at;
	*buf = (struct buf){ 0 };
	return taken;
}

static const char base64_letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
buf_put_base64(struct buf *buf, struct bytes plain)
{
	const uint8_t *from = (const uint8_t *)plain.at;
	size_t len;
	char *at;

	if (__builtin_mul_overflow(plain.len / 3 + (plain.len % 3 != 0), (size_t)4, &len)) {
		buf->is_failed = true;
		return;
	}
	at = buf_reserve(buf, len);
	if (!at)
		return;
	for (size_t i = 0; i < plain.len; i += 3) {
		size_t left = plain.len - i;
		uint32_t group = (uint32_t)from[i] << 16;

		if (left > 1)
			group |= (uint32_t)from[i + 1] << 8;
		if (left > 2)
			group |= from[i + 2];
		*at++ = base64_letters[group >> 18];
		*at++ = base64_letters[group >> 12 & 63];
		*at++ = left > 1 ? base64_letters[group >> 6 & 63] : '=';
		*at++ = left > 2 ? base64_letters[group & 63] : '=';
	}
	buf->len += len;
	buf->at[buf->len] = '\0';
}

/* The value of a letter of base64, or -1. */
static int
base64_value(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (byte_is_digit(letter))
		return letter - '0' + 52;
	if (letter == '+')
		return 62;
	return letter == '/' ? 63 : -1;
}

/*
 * Bits left over in the last group may be anything (RFC 4648 3.5 leaves it to us): what is decoded
 * is read, never compared as text.
 */
enum err
buf_put_base64_decoded(struct buf *buf, struct bytes text)
{
	size_t padding = 0;
	uint32_t group = 0;
	char *at;

	if (text.len % 4 != 0)
		return ERR_SYNTAX;
	while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.len - padding; i++) {
		if (base64_value(text.at[i]) < 0)
			return ERR_SYNTAX;
	}
	at = buf_reserve(buf, text.len / 4 * 3);
	if (!at)
		return ERR_MEMORY;
	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.at[i]);

		group = group << 6 | (value < 0 ? 0 : (uint32_t)value);
		if (i % 4 != 3)
			continue;
		*at++ = (char)(group >> 16 & 255);
		*at++ = (char)(group >> 8 & 255);
		*at++ = (char)(group & 255);
	}
	buf->len += text.len / 4 * 3 - padding;
	buf->at[buf->len] = '\0';
	return ERR_OK;
}

void
buf_put_hex(struct buf *buf, struct bytes plain)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < plain.len; i++) {
		uint8_t byte = (uint8_t)plain.at[i];

		buf_put_byte(buf, digits[byte >> 4]);
		buf_put_byte(buf, digits[byte & 15]);
	}
}
