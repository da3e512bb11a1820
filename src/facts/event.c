/*
 * event.c: the kinds of events as rows, an event's life, labels. Layer: facts. Its forms are in
 * alert_render.c.
 */
#include "facts/event.h"

#include "base/escape.h"

#include <assert.h>
#include <stdlib.h>

#define EVENT(name, word, level, message_id, when)                                                 \
	[EVENT_##name] = { word, LEVEL_##level, message_id, when },
static const struct event_row event_rows[] = {
#include "facts/events.def"
};
#undef EVENT
static_assert(COUNT_OF(event_rows) == EVENT_COUNT, "a row for each kind of event");

const struct event_row *
event_row(enum event_kind kind)
{
	assert((unsigned)kind < EVENT_COUNT);
	return &event_rows[kind];
}

const char *
event_kind_name(enum event_kind value)
{
	return (unsigned)value < EVENT_COUNT ? event_rows[value].word : "?";
}

enum err
event_kind_from_name(struct bytes name, enum event_kind *out)
{
	for (unsigned i = 0; i < EVENT_COUNT; i++) {
		if (bytes_equal(name, bytes_of(event_rows[i].word))) {
			*out = (enum event_kind)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

void
labels_done(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].name);
		free(labels->items[i].value);
	}
	*labels = (struct labels){ 0 };
}

enum err
labels_copy(const struct labels *from, struct labels *out)
{
	struct labels copy = { 0 };

	for (size_t i = 0; i < from->count; i++) {
		struct label *label = &copy.items[copy.count++];

		label->name = strdup(from->items[i].name);
		label->value = strdup(from->items[i].value);
		if (!label->name || !label->value) {
			labels_done(&copy);
			return ERR_MEMORY;
		}
	}
	*out = copy;
	return ERR_OK;
}

void
labels_put_json(struct buf *out, const struct labels *labels)
{
	buf_put_byte(out, '{');
	for (size_t i = 0; labels && i < labels->count; i++) {
		if (i > 0)
			buf_put_byte(out, ',');
		json_put_text(out, bytes_of(labels->items[i].name));
		buf_put_byte(out, ':');
		json_put_text(out, bytes_of(labels->items[i].value));
	}
	buf_put_byte(out, '}');
}

struct alert *
alert_new(enum event_kind kind)
{
	struct alert *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	event->kind = kind;
	event->level = event_row(kind)->level;
	event->members = -1;
	return event;
}

void
alert_free(struct alert *event)
{
	if (!event)
		return;
	free(event->mailbox);
	free(event->address);
	free(event->state);
	free(event->was);
	free(event->server);
	free(event->domain);
	free(event->trouble);
	free(event->what);
	labels_done(&event->labels);
	free(event->detail);
	texts_done(&event->reply);
	free(event->suggested);
	free(event->advice);
	free(event->link);
	texts_done(&event->next);
	free(event->msg);
	free(event->text);
	free(event);
}
