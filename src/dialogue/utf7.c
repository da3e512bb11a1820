/*
 * utf7.c: folder names between UTF-8 and modified UTF-7 (RFC 3501 5.1.3). Layer: dialogue, pure.
 *
 * Printable ASCII stands for itself, "&" is "&-", all else is UTF-16 in base64 between "&" and "-",
 * with "," for "/" and without padding.
 */
#include "dialogue/utf7.h"

static bool
is_direct(uint32_t character)
{
	return character >= 0x20 && character <= 0x7e;
}

/* The next character of UTF-8 (RFC 3629) off *rest, which is not empty. ERR_SYNTAX */
static enum err
take_character(struct bytes *rest, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t)rest->at[0];
	size_t more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t character = more == 0 ? first : first & (0x3fU >> more);

	if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || rest->len <= more)
		return ERR_SYNTAX;
	for (size_t i = 1; i <= more; i++) {
		uint8_t byte = (uint8_t)rest->at[i];

		if ((byte & 0xc0) != 0x80)
			return ERR_SYNTAX;
		character = character << 6 | (byte & 0x3f);
	}
	if (character < least[more] || character > 0x10ffff ||
		(character >= 0xd800 && character <= 0xdfff))
		return ERR_SYNTAX;
	*out = character;
	*rest = bytes_from(*rest, more + 1);
	return ERR_OK;
}

static void
put_unit(struct buf *out, uint32_t unit)
{
	buf_put_byte(out, (char)(unit >> 8));
	buf_put_byte(out, (char)(unit & 0xff));
}

static void
put_utf16(struct buf *out, uint32_t character)
{
	if (character < 0x10000) {
		put_unit(out, character);
		return;
	}
	character -= 0x10000;
	put_unit(out, 0xd800 | character >> 10);
	put_unit(out, 0xdc00 | (character & 0x3ff));
}

/* Closes a run of characters that do not stand for themselves. */
static enum err
put_run(struct buf *out, struct buf *run)
{
	size_t start;
	enum err err = buf_err(run);

	if (err != ERR_OK || run->len == 0)
		return err;
	buf_put_byte(out, '&');
	start = out->len;
	buf_put_base64(out, buf_bytes(run));
	if (buf_err(out) != ERR_OK)
		return ERR_MEMORY;
	while (out->at[out->len - 1] == '=')
		buf_cut(out, out->len - 1);
	for (size_t i = start; i < out->len; i++) {
		if (out->at[i] == '/')
			out->at[i] = ',';
	}
	buf_put_byte(out, '-');
	buf_clear(run);
	return ERR_OK;
}

enum err
utf7_put(struct buf *out, struct bytes name)
{
	struct buf run = { 0 };
	enum err err = ERR_OK;

	while (err == ERR_OK && name.len > 0) {
		uint32_t character = 0;

		err = take_character(&name, &character);
		if (err != ERR_OK)
			break;
		if (!is_direct(character)) {
			put_utf16(&run, character);
			continue;
		}
		err = put_run(out, &run);
		buf_put_byte(out, (char)character);
		if (character == '&')
			buf_put_byte(out, '-');
	}
	if (err == ERR_OK)
		err = put_run(out, &run);
	buf_done(&run);
	return err == ERR_OK ? buf_err(out) : err;
}

static void
put_utf8(struct buf *out, uint32_t character)
{
	if (character < 0x80) {
		buf_put_byte(out, (char)character);
	} else if (character < 0x800) {
		buf_put_byte(out, (char)(0xc0 | character >> 6));
		buf_put_byte(out, (char)(0x80 | (character & 0x3f)));
	} else if (character < 0x10000) {
		buf_put_byte(out, (char)(0xe0 | character >> 12));
		buf_put_byte(out, (char)(0x80 | (character >> 6 & 0x3f)));
		buf_put_byte(out, (char)(0x80 | (character & 0x3f)));
	} else {
		buf_put_byte(out, (char)(0xf0 | character >> 18));
		buf_put_byte(out, (char)(0x80 | (character >> 12 & 0x3f)));
		buf_put_byte(out, (char)(0x80 | (character >> 6 & 0x3f)));
		buf_put_byte(out, (char)(0x80 | (character & 0x3f)));
	}
}

/* UTF-16 -> UTF-8. ERR_SYNTAX: half a unit, half a surrogate. */
static enum err
put_from_utf16(struct buf *out, struct bytes units)
{
	const uint8_t *at = (const uint8_t *)units.at;

	if (units.len % 2 != 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < units.len; i += 2) {
		uint32_t unit = (uint32_t)at[i] << 8 | at[i + 1];
		uint32_t second;

		if (unit < 0xd800 || unit > 0xdfff) {
			put_utf8(out, unit);
			continue;
		}
		if (unit > 0xdbff || i + 4 > units.len)
			return ERR_SYNTAX;
		i += 2;
		second = (uint32_t)at[i] << 8 | at[i + 1];
		if (second < 0xdc00 || second > 0xdfff)
			return ERR_SYNTAX;
		put_utf8(out, 0x10000 + ((unit & 0x3ff) << 10 | (second & 0x3ff)));
	}
	return ERR_OK;
}

/* What stands between "&" and "-". */
static enum err
put_decoded_run(struct buf *out, struct bytes letters)
{
	struct buf padded = { 0 };
	struct buf units = { 0 };
	enum err err;

	for (size_t i = 0; i < letters.len; i++) {
		if (letters.at[i] == '/' || letters.at[i] == '=') {
			buf_done(&padded);
			return ERR_SYNTAX;
		}
		buf_put_byte(&padded, letters.at[i] == ',' ? '/' : letters.at[i]);
	}
	while (padded.len % 4 != 0)
		buf_put_byte(&padded, '=');
	err = buf_err(&padded);
	if (err == ERR_OK)
		err = buf_put_base64_decoded(&units, buf_bytes(&padded));
	if (err == ERR_OK)
		err = put_from_utf16(out, buf_bytes(&units));
	buf_done(&padded);
	buf_done(&units);
	return err;
}

static enum err
put_decoded(struct buf *out, struct bytes wire)
{
	while (wire.len > 0) {
		size_t end;
		enum err err;

		if (!is_direct((uint8_t)wire.at[0]))
			return ERR_SYNTAX;
		if (wire.at[0] != '&') {
			buf_put_byte(out, wire.at[0]);
			wire = bytes_from(wire, 1);
			continue;
		}
		wire = bytes_from(wire, 1);
		end = bytes_index(wire, '-');
		if (end == wire.len)
			return ERR_SYNTAX;
		if (end == 0) {
			buf_put_byte(out, '&');
		} else {
			err = put_decoded_run(out, bytes_first(wire, end));
			if (err != ERR_OK)
				return err;
		}
		wire = bytes_from(wire, end + 1);
	}
	return buf_err(out);
}

enum err
utf7_put_decoded(struct buf *out, struct bytes wire)
{
	struct buf name = { 0 };
	struct buf again = { 0 };
	enum err err = put_decoded(&name, wire);

	if (err == ERR_OK)
		err = utf7_put(&again, buf_bytes(&name));
	if (err == ERR_OK && !bytes_equal(buf_bytes(&again), wire))
		err = ERR_SYNTAX;
	if (err == ERR_OK) {
		buf_put(out, buf_bytes(&name));
		err = buf_err(out);
	}
	buf_done(&name);
	buf_done(&again);
	return err;
}
