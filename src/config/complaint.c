/*
 * complaint.c: faults and warnings, as many as there are. Layer: config.
 */
#include "config/complaint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"

static struct complaint *
room_for_one(struct complaints *complaints)
{
	/* Room is a power of two that the count tells: no member for it. */
	if ((complaints->count & (complaints->count - 1)) == 0) {
		size_t room = complaints->count ? complaints->count * 2 : 1;
		struct complaint *items = reallocarray(complaints->items, room, sizeof(*items));

		if (!items)
			return NULL;
		complaints->items = items;
	}
	return &complaints->items[complaints->count];
}

void
complaint_note_list(struct complaints *complaints, bool is_warning, struct place place,
	const char *setting, const char *format, va_list arguments)
{
	struct complaint *complaint;

	if (!is_warning)
		complaints->faults++;
	if (complaints->count > COMPLAINTS_MOST)
		return;
	complaint = room_for_one(complaints);
	if (!complaint) {
		complaints->is_incomplete = true;
		return;
	}
	*complaint = (struct complaint){ .is_warning = is_warning, .line = place.line };
	complaint->file = strdup(place.file ? place.file : "?");
	complaint->setting = setting ? strdup(setting) : NULL;
	if (complaints->count == COMPLAINTS_MOST)
		complaint->text =
			strdup("more faults and warnings than are listed; mend those above first");
	else if (vasprintf(&complaint->text, format, arguments) < 0)
		complaint->text = NULL;
	if (!complaint->file || !complaint->text || (setting && !complaint->setting)) {
		free(complaint->file);
		free(complaint->setting);
		free(complaint->text);
		complaints->is_incomplete = true;
		return;
	}
	complaints->count++;
}

void
complaint_note(struct complaints *complaints, bool is_warning, struct place place,
	const char *setting, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complaint_note_list(complaints, is_warning, place, setting, format, arguments);
	va_end(arguments);
}

/* The main file first, then by name, as they are read; within a file by line. */
static int
compare_complaints(const void *a, const void *b, void *owner)
{
	const struct complaint *one = a, *other = b;
	const char *first = owner;
	int order = strcmp(one->file, other->file);

	if (order != 0 && strcmp(one->file, first) == 0)
		return -1;
	if (order != 0 && strcmp(other->file, first) == 0)
		return 1;
	return order != 0 ? order : (one->line > other->line) - (one->line < other->line);
}

void
complaints_sort(struct complaints *complaints, const char *first_file)
{
	if (complaints->count > 1) /* glibc's is a merge sort: one line's stay in their order */
		qsort_r(complaints->items, complaints->count, sizeof(*complaints->items),
			compare_complaints, (void *)first_file);
}

void
complaints_done(struct complaints *complaints)
{
	for (size_t i = 0; i < complaints->count; i++) {
		free(complaints->items[i].file);
		free(complaints->items[i].setting);
		free(complaints->items[i].text);
	}
	free(complaints->items);
	*complaints = (struct complaints){ 0 };
}

void
complaint_put(struct buf *out, const struct complaint *complaint)
{
	escape_put(out, bytes_of(complaint->file), ESCAPE_TERMINAL);
	if (complaint->line > 0)
		buf_put_format(out, ":%d", complaint->line);
	buf_put_string(out, complaint->is_warning ? ": warning: " : ": ");
	escape_put(out, bytes_of(complaint->text), ESCAPE_TERMINAL);
}
