/*
 * pin.c: hex or base64 -> 32 bytes. Layer: config, pure.
 */
#include "config/pin.h"

#include "base/buf.h"

static int
hex_value(char byte)
{
	byte = byte_lower(byte);
	if (byte_is_digit(byte))
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum err
read_hex(struct bytes text, uint8_t out[PIN_BYTES])
{
	uint8_t bytes[PIN_BYTES];

	for (size_t i = 0; i < PIN_BYTES; i++) {
		int high, low;

		if (i > 0 && text.len > 0 && text.at[0] == ':')
			text = bytes_from(text, 1);
		if (text.len < 2 || (high = hex_value(text.at[0])) < 0 ||
			(low = hex_value(text.at[1])) < 0)
			return ERR_SYNTAX;
		bytes[i] = (uint8_t)(high << 4 | low);
		text = bytes_from(text, 2);
	}
	if (text.len > 0)
		return ERR_SYNTAX;
	memcpy(out, bytes, PIN_BYTES);
	return ERR_OK;
}

enum err
pin_parse(struct bytes text, uint8_t out[PIN_BYTES])
{
	struct buf bytes = { 0 };
	enum err err;

	if (read_hex(text, out) == ERR_OK)
		return ERR_OK;
	err = buf_put_base64_decoded(&bytes, text);
	if (err == ERR_OK && buf_err(&bytes) != ERR_OK)
		err = ERR_MEMORY;
	else if (err == ERR_OK && bytes.len != PIN_BYTES)
		err = ERR_SYNTAX;
	if (err == ERR_OK)
		memcpy(out, bytes.at, PIN_BYTES);
	buf_done(&bytes);
	return err;
}
