/*
 * uri.c: percent-decoding, path segments, query parameters. Layer: control, pure.
 */
#include "control/uri.h"

static int
hex_digit(char byte)
{
	byte = byte_lower(byte);
	if (byte_is_digit(byte))
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

enum err
percent_put_decoded(struct buf *out, struct bytes encoded)
{
	while (encoded.len > 0) {
		size_t plain = bytes_index(encoded, '%');
		int high, low;

		buf_put(out, bytes_first(encoded, plain));
		encoded = bytes_from(encoded, plain);
		if (encoded.len == 0)
			break;
		if (encoded.len < 3)
			return ERR_SYNTAX;
		high = hex_digit(encoded.at[1]);
		low = hex_digit(encoded.at[2]);
		if (high < 0 || low < 0 || 16 * high + low < 0x20 || 16 * high + low == 0x7f)
			return ERR_SYNTAX;
		buf_put_byte(out, (char)(16 * high + low));
		encoded = bytes_from(encoded, 3);
	}
	return buf_err(out);
}

enum err
path_parse(struct bytes encoded, struct path *out)
{
	*out = (struct path){ 0 };
	while (encoded.len > 0) {
		size_t end;
		enum err err;

		encoded = bytes_from(encoded, 1); /* the slash */
		if (out->count == PATH_MOST_SEGMENTS)
			return ERR_LIMIT;
		end = bytes_index(encoded, '/');
		err = percent_put_decoded(&out->segments[out->count++], bytes_first(encoded, end));
		if (err != ERR_OK)
			return err;
		encoded = bytes_from(encoded, end);
	}
	return ERR_OK;
}

void
path_done(struct path *path)
{
	for (size_t i = 0; i < path->count; i++)
		buf_done(&path->segments[i]);
	*path = (struct path){ 0 };
}

enum err
query_next(struct bytes *rest, struct buf *name, struct buf *value)
{
	struct bytes pair;
	size_t end;
	enum err err;

	buf_clear(name);
	buf_clear(value);
	while (rest->len > 0 && rest->at[0] == '&')
		*rest = bytes_from(*rest, 1);
	if (rest->len == 0)
		return ERR_NOT_FOUND;
	pair = bytes_first(*rest, bytes_index(*rest, '&'));
	*rest = bytes_from(*rest, pair.len);
	end = bytes_index(pair, '=');
	err = percent_put_decoded(name, bytes_first(pair, end));
	if (err == ERR_OK && end < pair.len)
		err = percent_put_decoded(value, bytes_from(pair, end + 1));
	return err;
}
