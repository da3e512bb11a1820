/*
 * verdict_json.c: a verdict -> VERDICT (contract 5), and back. Layer: facts.
 *
 * Beside the contract's members, for the way back: began, ended, wait_ms, void, and of a
 * certificate not_before, names_more. The reader passes over what it does not know and is strict
 * about types.
 */
#include "base/escape.h"
#include "facts/json.h"
#include "facts/verdict.h"

#include <stdlib.h>

/* ---- writing */

/* The name of an object's next member. */
static void
put_name(struct buf *out, const char *name)
{
	if (out->len > 0 && out->at[out->len - 1] != '{')
		buf_put_byte(out, ',');
	json_put_text(out, bytes_of(name));
	buf_put_byte(out, ':');
}

static void
put_flag(struct buf *out, const char *name, bool value)
{
	put_name(out, name);
	buf_put_string(out, value ? "true" : "false");
}

static void
put_text(struct buf *out, const char *name, const char *kept)
{
	put_name(out, name);
	text_put_json(out, kept);
}

static void
put_texts(struct buf *out, const char *name, const struct texts *texts)
{
	put_name(out, name);
	texts_put_json(out, texts);
}

/* Rounded to the millisecond. */
static void
put_ms(struct buf *out, const char *name, int64_t us)
{
	put_name(out, name);
	buf_put_number(out, us / US_PER_MS + (us % US_PER_MS >= US_PER_MS / 2));
}

static void
put_wall(struct buf *out, const char *name, wall_t time)
{
	put_name(out, name);
	wall_put_json(out, time);
}

static void
put_times(struct buf *out, const struct verdict *verdict)
{
	put_name(out, "times_ms");
	buf_put_byte(out, '{');
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		if (verdict->times_us[i] >= 0)
			put_ms(out, stage_name((enum stage)i), verdict->times_us[i]);
	}
	put_ms(out, "total", verdict->total_us);
	buf_put_byte(out, '}');
}

static void
put_certificate(struct buf *out, const struct certificate *certificate)
{
	buf_put_byte(out, '{');
	put_text(out, "subject", certificate->subject);
	put_text(out, "issuer", certificate->issuer);
	put_texts(out, "names", &certificate->names);
	if (certificate->names_more > 0) {
		put_name(out, "names_more");
		buf_put_number(out, (int64_t)certificate->names_more);
	}
	put_wall(out, "not_before", certificate->not_before);
	put_wall(out, "not_after", certificate->not_after);
	put_name(out, "sha256");
	buf_put_byte(out, '"');
	buf_put_hex(out,
		(struct bytes){ (const char *)certificate->sha256, sizeof(certificate->sha256) });
	buf_put_string(out, "\"}");
}

static void
put_tls(struct buf *out, const struct tls_facts *tls, bool is_whole)
{
	put_name(out, "tls");
	if (!tls->has_tls && !(tls->certificate && is_whole)) {
		buf_put_string(out, "null");
		return;
	}
	buf_put_byte(out, '{');
	put_text(out, "version", tls->has_tls ? tls->version : NULL);
	put_text(out, "cipher", tls->has_tls ? tls->cipher : NULL);
	if (is_whole) {
		put_name(out, "cert");
		if (tls->certificate)
			put_certificate(out, tls->certificate);
		else
			buf_put_string(out, "null");
	}
	put_flag(out, "resumed", tls->is_resumed);
	buf_put_byte(out, '}');
}

static void
put_suggest(struct buf *out, const struct verdict *verdict)
{
	put_name(out, "suggest");
	buf_put_byte(out, '{');
	for (size_t i = 0; i < verdict->suggest_count; i++) {
		const struct suggestion *suggestion = &verdict->suggest[i];

		if (suggestion_is_number(suggestion)) {
			put_name(out, suggestion->setting);
			buf_put_string(out, suggestion->value);
		} else {
			put_text(out, suggestion->setting, suggestion->value);
		}
	}
	buf_put_byte(out, '}');
}

void
verdict_put_json(
	struct buf *out, const struct verdict *verdict, bool is_whole, const struct texts *next)
{
	buf_put_byte(out, '{');
	put_flag(out, "ok", verdict->is_ok);
	put_text(out, "stage", stage_name(verdict->stage));
	put_text(out, "cause", cause_name(verdict->cause));
	put_flag(out, "transient", verdict->is_transient);
	put_text(out, "detail", verdict->detail);
	if (is_whole)
		put_texts(out, "reply", &verdict->reply);
	put_text(out, "address", verdict->address);
	put_text(
		out, "family", verdict->family == FAMILY_ANY ? NULL : family_name(verdict->family));
	put_times(out, verdict);
	put_tls(out, &verdict->tls, is_whole);
	if (is_whole)
		put_texts(out, "capabilities", &verdict->capabilities);
	put_suggest(out, verdict);
	put_texts(out, "next", next);
	if (verdict->link)
		put_text(out, "link", verdict->link);
	if (is_whole && verdict->advice)
		put_text(out, "advice", verdict->advice);
	put_texts(out, "notes", &verdict->notes);
	put_wall(out, "began", verdict->began);
	put_wall(out, "ended", verdict->ended);
	if (verdict->wait_us > 0)
		put_ms(out, "wait_ms", verdict->wait_us);
	if (verdict->is_void)
		put_flag(out, "void", true);
	buf_put_byte(out, '}');
}

/* ---- reading: the first fault stays, and what is read after it is of no use to anybody */

struct reading {
	enum err err;
};

static void
fail(struct reading *reading, enum err err)
{
	if (reading->err == ERR_OK)
		reading->err = err == ERR_MEMORY ? ERR_MEMORY : ERR_SYNTAX;
}

/* The member, or NULL where it is missing, null, or of another type (a fault). */
static const json_t *
member(struct reading *reading, const json_t *object, const char *name, json_type type)
{
	const json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return NULL;
	if (json_typeof(value) != type) {
		fail(reading, ERR_SYNTAX);
		return NULL;
	}
	return value;
}

static struct bytes
string_bytes(const json_t *value)
{
	return (struct bytes){ json_string_value(value), json_string_length(value) };
}

/* False where there is none. */
static bool
read_string(struct reading *reading, const json_t *object, const char *name, struct bytes *out)
{
	const json_t *value = member(reading, object, name, JSON_STRING);

	if (value)
		*out = string_bytes(value);
	return value != NULL;
}

static void
read_flag(struct reading *reading, const json_t *object, const char *name, bool *out)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_boolean(value))
		*out = json_is_true(value);
	else if (value && !json_is_null(value))
		fail(reading, ERR_SYNTAX);
}

static void
read_text(struct reading *reading, const json_t *object, const char *name, char **out)
{
	struct bytes text;

	if (!read_string(reading, object, name, &text))
		return;
	free(*out);
	*out = text_keep(text);
	if (!*out)
		fail(reading, ERR_MEMORY);
}

static void
read_texts(struct reading *reading, const json_t *object, const char *name, struct texts *out,
	size_t most)
{
	const json_t *list = member(reading, object, name, JSON_ARRAY);

	for (size_t i = 0; i < json_array_size(list) && reading->err == ERR_OK; i++) {
		const json_t *item = json_array_get(list, i);
		enum err err = ERR_SYNTAX;

		if (json_is_string(item))
			err = texts_add(out, string_bytes(item), most);
		if (err != ERR_OK)
			fail(reading, err);
	}
}

/* From 0 to what a number of the contract can be. */
static void
read_number(
	struct reading *reading, const json_t *object, const char *name, int64_t most, int64_t *out)
{
	const json_t *value = member(reading, object, name, JSON_INTEGER);

	if (!value)
		return;
	if (json_integer_value(value) < 0 || json_integer_value(value) > most)
		fail(reading, ERR_SYNTAX);
	else
		*out = json_integer_value(value);
}

static void
read_ms(struct reading *reading, const json_t *object, const char *name, int64_t *out_us)
{
	int64_t ms = -1;

	read_number(reading, object, name, INT64_MAX / US_PER_MS, &ms);
	if (ms >= 0)
		*out_us = ms * US_PER_MS;
}

static void
read_wall(struct reading *reading, const json_t *object, const char *name, wall_t *out)
{
	struct bytes text;

	if (read_string(reading, object, name, &text) && wall_parse(text, out) != ERR_OK)
		fail(reading, ERR_SYNTAX);
}

/* A word of ours into a place of fixed size. */
static bool
read_short(struct reading *reading, const json_t *object, const char *name, char *out, size_t room)
{
	struct bytes text;

	if (!read_string(reading, object, name, &text))
		return false;
	if (text.len >= room) {
		fail(reading, ERR_SYNTAX);
		return false;
	}
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
	return true;
}

static int
hex_value(char digit)
{
	digit = byte_lower(digit);
	if (byte_is_digit(digit))
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static void
read_sha256(struct reading *reading, const json_t *object, uint8_t out[32])
{
	struct bytes text;

	if (!read_string(reading, object, "sha256", &text))
		return;
	if (text.len != 64) {
		fail(reading, ERR_SYNTAX);
		return;
	}
	for (size_t i = 0; i < 32; i++) {
		int high = hex_value(text.at[2 * i]);
		int low = hex_value(text.at[2 * i + 1]);

		if (high < 0 || low < 0)
			fail(reading, ERR_SYNTAX);
		else
			out[i] = (uint8_t)(high << 4 | low);
	}
}

static void
read_certificate(struct reading *reading, const json_t *object, struct certificate *out)
{
	int64_t names_more = 0;

	read_text(reading, object, "subject", &out->subject);
	read_text(reading, object, "issuer", &out->issuer);
	read_texts(reading, object, "names", &out->names, VERDICT_MOST_NAMES);
	read_number(reading, object, "names_more", INT32_MAX, &names_more);
	out->names_more = (size_t)names_more;
	read_wall(reading, object, "not_before", &out->not_before);
	read_wall(reading, object, "not_after", &out->not_after);
	read_sha256(reading, object, out->sha256);
}

static void
read_tls(struct reading *reading, const json_t *object, struct tls_facts *out)
{
	const json_t *tls = member(reading, object, "tls", JSON_OBJECT);
	const json_t *certificate = member(reading, tls, "cert", JSON_OBJECT);

	out->has_tls = read_short(reading, tls, "version", out->version, sizeof(out->version));
	read_short(reading, tls, "cipher", out->cipher, sizeof(out->cipher));
	read_flag(reading, tls, "resumed", &out->is_resumed);
	if (!certificate)
		return;
	out->certificate = certificate_new();
	if (out->certificate)
		read_certificate(reading, certificate, out->certificate);
	else
		fail(reading, ERR_MEMORY);
}

static void
read_words(struct reading *reading, const json_t *object, struct verdict *out)
{
	struct bytes word;

	if (read_string(reading, object, "stage", &word) &&
		stage_from_name(word, &out->stage) != ERR_OK)
		fail(reading, ERR_SYNTAX);
	if (read_string(reading, object, "cause", &word) &&
		cause_from_name(word, &out->cause) != ERR_OK)
		fail(reading, ERR_SYNTAX);
	if (read_string(reading, object, "family", &word) &&
		family_from_name(word, &out->family) != ERR_OK)
		fail(reading, ERR_SYNTAX);
}

static void
read_times(struct reading *reading, const json_t *object, struct verdict *out)
{
	const json_t *times = member(reading, object, "times_ms", JSON_OBJECT);

	for (size_t i = 0; i < STAGE_COUNT; i++)
		read_ms(reading, times, stage_name((enum stage)i), &out->times_us[i]);
	read_ms(reading, times, "total", &out->total_us);
}

static void
read_suggest(struct reading *reading, const json_t *object, struct verdict *out)
{
	json_t *suggest = json_object_get(object, "suggest");
	const char *setting;
	json_t *value;

	(void)member(reading, object, "suggest", JSON_OBJECT);
	json_object_foreach(suggest, setting, value)
	{
		char number[24];

		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		if (json_is_string(value) && strcmp(setting, "port") != 0)
			verdict_suggest(out, setting, json_string_value(value));
		else if (json_is_integer(value))
			verdict_suggest(out, setting, number);
		else
			fail(reading, ERR_SYNTAX);
	}
}

static void
read_verdict(struct reading *reading, const json_t *object, struct verdict *out)
{
	read_flag(reading, object, "ok", &out->is_ok);
	read_words(reading, object, out);
	read_flag(reading, object, "transient", &out->is_transient);
	read_text(reading, object, "detail", &out->detail);
	read_texts(reading, object, "reply", &out->reply, VERDICT_MOST_REPLY_LINES);
	read_text(reading, object, "address", &out->address);
	read_times(reading, object, out);
	read_tls(reading, object, &out->tls);
	read_texts(reading, object, "capabilities", &out->capabilities, VERDICT_MOST_CAPABILITIES);
	read_suggest(reading, object, out);
	read_text(reading, object, "advice", &out->advice);
	read_text(reading, object, "link", &out->link);
	read_texts(reading, object, "notes", &out->notes, VERDICT_MOST_NOTES);
	read_wall(reading, object, "began", &out->began);
	read_wall(reading, object, "ended", &out->ended);
	read_ms(reading, object, "wait_ms", &out->wait_us);
	read_flag(reading, object, "void", &out->is_void);
}

enum err
verdict_from_json(struct bytes json, struct verdict **out)
{
	struct reading reading = { ERR_OK };
	struct verdict *verdict;
	json_error_t error;
	json_t *object;

	object = json_loadb(json.at ? json.at : "", json.len, JSON_ALLOW_NUL, &error);
	if (!object)
		return json_lacked_memory(&error) ? ERR_MEMORY : ERR_SYNTAX;
	verdict = verdict_new();
	if (!verdict)
		fail(&reading, ERR_MEMORY);
	else if (!json_is_object(object))
		fail(&reading, ERR_SYNTAX);
	else
		read_verdict(&reading, object, verdict);
	json_decref(object);
	if (reading.err == ERR_OK)
		*out = verdict;
	else
		verdict_free(verdict);
	return reading.err;
}
