/*
 * table.c: rows of text in columns that fit the terminal, by the widths that characters have there.
 * Layer: ctl.
 *
 * No borders; two blanks between columns. Where the width does not do, the widest of those that may
 * be cut lose a column at a time; a cut is shown.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

#define GAP 2

struct cell {
	char *text; /* escaped; NULL: empty */
	size_t columns;
	enum colour colour;
};

struct table {
	const struct column *columns;
	size_t count;
	struct cell *cells;
	size_t filled;
	size_t room;
	bool is_failed;
};

struct table *
table_new(const struct column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->count = count;
	return table;
}

void
table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->filled; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void
table_put(struct table *table, enum colour colour, struct bytes text)
{
	struct buf shown = { 0 };
	struct cell cell = { .colour = colour };

	if (table->filled == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct cell *more = realloc(table->cells, room * sizeof(*more));

		if (!more) {
			table->is_failed = true;
			return;
		}
		table->cells = more;
		table->room = room;
	}
	if (text.len > 0) {
		escape_put(&shown, text, ESCAPE_TERMINAL);
		cell.columns = text_columns(buf_bytes(&shown));
		cell.text = buf_take(&shown);
		table->is_failed = table->is_failed || !cell.text;
	}
	table->cells[table->filled++] = cell;
}

size_t
table_rows(const struct table *table)
{
	return table->filled / table->count;
}

/* ---- widths */

static size_t
total_width(const size_t *widths, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += widths[i] ? widths[i] + (total ? GAP : 0) : 0;
	return total;
}

/* The widest that may still be cut; count: none. */
static size_t
next_to_cut(const struct table *table, const size_t *widths)
{
	size_t found = table->count;

	for (size_t i = 0; i < table->count; i++) {
		if (table->columns[i].least == 0 || widths[i] <= table->columns[i].least)
			continue;
		if (found == table->count || widths[i] > widths[found])
			found = i;
	}
	return found;
}

/* 0: an empty column, left out. */
static void
find_widths(const struct table *table, size_t columns, size_t *widths)
{
	for (size_t i = 0; i < table->count; i++)
		widths[i] = 0;
	for (size_t i = 0; i < table->filled; i++) {
		if (table->cells[i].columns > widths[i % table->count])
			widths[i % table->count] = table->cells[i].columns;
	}
	for (size_t i = 0; i < table->count; i++) {
		size_t title = text_columns(bytes_of(table->columns[i].title));

		if (widths[i] > 0 && widths[i] < title)
			widths[i] = title;
	}
	while (total_width(widths, table->count) > columns) {
		size_t widest = next_to_cut(table, widths);

		if (widest == table->count)
			return;
		widths[widest]--;
	}
}

/* ---- printing */

/* So much of text as takes at most `columns`; characters are whole, their combining marks with
 * them. */
static struct bytes
cut_to(struct bytes text, size_t columns)
{
	size_t len = 0, width = 0;

	while (len < text.len) {
		size_t next = len + 1, more;

		while (next < text.len && ((unsigned char)text.at[next] & 0xc0) == 0x80)
			next++;
		more = text_columns((struct bytes){ text.at + len, next - len });
		if (width + more > columns)
			break;
		width += more;
		len = next;
	}
	return bytes_first(text, len);
}

static void
print_text(struct out *out, struct bytes text, size_t columns, size_t width)
{
	if (columns > width) {
		text = cut_to(text, width - 1);
		out_say(out, "%.*s%s", BYTES_ARG(text), out->is_utf8 ? "…" : ">");
	} else {
		out_say(out, "%.*s", BYTES_ARG(text));
	}
}

static size_t
print_blanks(struct out *out, size_t count)
{
	out_say(out, "%*s", (int)count, "");
	return 0;
}

/* Blanks are put before the next text, never at a line's end. */
static void
print_cell(const struct table *table, struct out *out, size_t column, struct bytes text,
	enum colour colour, size_t width, size_t *blanks)
{
	size_t columns = text_columns(text);
	size_t shown = columns > width ? width : columns;

	if (text.len == 0) {
		*blanks += width + GAP;
		return;
	}
	if (table->columns[column].is_number) {
		*blanks += width - shown;
		shown = width;
	}
	*blanks = print_blanks(out, *blanks);
	out_colour(out, colour);
	print_text(out, text, columns, width);
	out_colour(out, COLOUR_NONE);
	/* A wide character that did not fit leaves a column. */
	if (columns > width)
		shown = text_columns(cut_to(text, width - 1)) + 1;
	*blanks = width - shown + GAP;
}

bool
table_print(const struct table *table, struct out *out)
{
	size_t widths[TABLE_MOST_COLUMNS], blanks = 0;

	find_widths(table, out->columns, widths);
	for (size_t i = 0; i < table->count; i++) {
		if (widths[i] > 0)
			print_cell(table, out, i, bytes_of(table->columns[i].title), COLOUR_BOLD,
				widths[i], &blanks);
	}
	for (size_t i = 0; i < table->filled; i++) {
		const struct cell *cell = &table->cells[i];

		if (i % table->count == 0) {
			out_say(out, "\n");
			blanks = 0;
		}
		if (widths[i % table->count] > 0)
			print_cell(table, out, i % table->count, bytes_of(cell->text), cell->colour,
				widths[i % table->count], &blanks);
	}
	out_say(out, "\n");
	return !table->is_failed;
}
