/*
 * document.c: what stands in the daemon's documents, whatever is missing there. Layer: ctl.
 */
#include "ctl/ctl.h"

struct bytes
member_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value))
		return BYTES_NONE;
	return (struct bytes){ json_string_value(value), json_string_length(value) };
}

wall_t
member_time(const json_t *object, const char *name)
{
	wall_t time;

	return wall_parse(member_text(object, name), &time) == ERR_OK ? time : WALL_NONE;
}

int64_t
member_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool
member_is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

const char *
mailbox_class(const json_t *mailbox)
{
	static const char *const worst_first[] = { "paused", "failing", "unknown" };
	struct bytes state = member_text(mailbox, "state");

	for (size_t i = 0; i < COUNT_OF(worst_first); i++) {
		if (bytes_contains_nocase(state, bytes_of(worst_first[i])))
			return worst_first[i];
	}
	return "ok";
}

void
class_count(struct class_counts *counts, const json_t *mailbox)
{
	const char *word = mailbox_class(mailbox);

	counts->total++;
	counts->failing += word[0] == 'f';
	counts->unknown += word[0] == 'u';
	counts->paused += word[0] == 'p';
	counts->ok += word[0] == 'o';
}

struct class_counts
class_counts_of(const json_t *document)
{
	const json_t *counts = json_object_get(document, "counts");

	return (struct class_counts){
		.total = (size_t)member_number(counts, "total"),
		.failing = (size_t)member_number(counts, "failing"),
		.unknown = (size_t)member_number(counts, "unknown"),
		.paused = (size_t)member_number(counts, "paused"),
		.ok = (size_t)member_number(counts, "ok"),
	};
}

enum colour
class_colour(const char *word)
{
	switch (word[0]) {
	case 'f':
		return COLOUR_BAD;
	case 'u':
	case 's':
		return COLOUR_DOUBT;
	case 'p':
		return COLOUR_FAINT;
	default:
		return COLOUR_GOOD;
	}
}

struct bytes
verdict_words(const json_t *verdict)
{
	const json_t *reply = json_object_get(verdict, "reply");
	size_t count = json_array_size(reply);
	const json_t *last = count > 0 ? json_array_get(reply, count - 1) : NULL;

	if (json_is_string(last))
		return (struct bytes){ json_string_value(last), json_string_length(last) };
	return member_text(verdict, "detail");
}

void
put_when(struct buf *out, wall_t time)
{
	if (!wall_is_set(time)) {
		buf_put_byte(out, '-');
		return;
	}
	wall_put_local(out, time, wall_now());
	if (out->len >= 3 && out->at[out->len - 3] == ':')
		buf_cut(out, out->len - 3); /* the seconds */
}

void
put_until(struct buf *out, wall_t time)
{
	int64_t us = time.us - wall_now().us;
	size_t from = out->len;

	if (!wall_is_set(time)) {
		buf_put_byte(out, '-');
	} else if (us < US_PER_S) {
		buf_put_string(out, "now");
	} else {
		duration_put_short(out, us);
		for (size_t i = from; i < out->len; i++) {
			if (out->at[i] == ' ')
				buf_cut(out, i);
		}
	}
}

bool
selector_is_name(const char *selector)
{
	return *selector && selector[0] != '@' && !strpbrk(selector, "*?:=, ");
}

bool
print_json(const struct invocation *invocation, const struct answer *answer)
{
	if (!invocation->options[OPTION_JSON])
		return false;
	out_json(invocation->out, buf_bytes(&answer->body));
	return true;
}
