/*
 * out.c: standard output: a terminal gets colour and its width, a pipe neither; a reader that
 * leaves is no fault. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_LEAST 40
#define COLUMNS_USUAL 80
#define ROWS_USUAL 24
#define LABEL_COLUMNS 16
#define PENDING_MOST_BYTES ((size_t)64 * 1024)

static size_t
columns_of(const struct out *out, const struct winsize *size)
{
	const char *told = getenv("COLUMNS");
	uint64_t columns = 0;

	if (size->ws_col > 0)
		columns = size->ws_col;
	else if (!told || bytes_to_number(bytes_of(told), 10000, &columns) != ERR_OK ||
		 columns == 0)
		return out->is_terminal ? COLUMNS_USUAL : SIZE_MAX;
	return columns < COLUMNS_LEAST ? COLUMNS_LEAST : (size_t)columns;
}

void
out_resize(struct out *out)
{
	struct winsize size = { 0 };

	if (out->is_terminal && ioctl(out->fd, TIOCGWINSZ, &size) != 0)
		size = (struct winsize){ 0 };
	out->columns = columns_of(out, &size);
	out->rows = size.ws_row > 0 ? size.ws_row : out->is_terminal ? ROWS_USUAL : SIZE_MAX;
}

void
out_start(struct out *out, int fd)
{
	const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */
	const char *term = getenv("TERM");

	*out = (struct out){ .fd = fd, .is_terminal = isatty(fd) };
	out->has_colour = out->is_terminal && (!no_color || !*no_color) &&
			  (!term || strcmp(term, "dumb") != 0);
	out->is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	out_resize(out);
}

bool
out_flush(struct out *out)
{
	size_t at = 0;

	while (!out->is_gone && at < out->pending.len) {
		ssize_t put = write(out->fd, out->pending.at + at, out->pending.len - at);

		if (put >= 0)
			at += (size_t)put;
		else if (errno != EINTR)
			out->is_gone = true;
		if (out->is_gone && errno != EPIPE) {
			complain("cannot write: %s", strerror(errno));
			out->is_failed = true;
		}
	}
	buf_clear(&out->pending);
	return !out->is_gone;
}

void
out_done(struct out *out)
{
	(void)out_flush(out);
	buf_done(&out->pending);
}

static void
flush_where_full(struct out *out)
{
	if (!out->is_held && out->pending.len >= PENDING_MOST_BYTES)
		(void)out_flush(out);
}

void
out_say(struct out *out, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0) {
		buf_put_string(&out->pending, text);
		free(text);
	}
	va_end(arguments);
	flush_where_full(out);
}

void
out_outside(struct out *out, struct bytes text)
{
	escape_put(&out->pending, text, ESCAPE_TERMINAL);
	flush_where_full(out);
}

void
out_colour(struct out *out, enum colour colour)
{
	static const char *const codes[COLOUR_COUNT] = { "0", "32", "31", "33", "2", "1" };

	if (!out->has_colour || (colour == COLOUR_NONE && !out->is_coloured))
		return;
	out_say(out, "\033[%sm", codes[colour]);
	out->is_coloured = colour != COLOUR_NONE;
}

/* Outside its strings JSON is ASCII, and inside them \uNNNN means the character: so what is above
 * ASCII may be escaped wherever it stands, and controls are only the blanks between values. */
void
out_json(struct out *out, struct bytes json)
{
	while (json.len > 0) {
		size_t plain = 0, other;

		while (plain < json.len && json.at[plain] >= 0 && json.at[plain] != 0x7f)
			plain++;
		other = plain;
		while (other < json.len && (json.at[other] < 0 || json.at[other] == 0x7f))
			other++;
		buf_put(&out->pending, bytes_first(json, plain));
		escape_put(&out->pending, bytes_first(bytes_from(json, plain), other - plain),
			ESCAPE_JSON);
		json = bytes_from(json, other);
		flush_where_full(out);
	}
	if (out->pending.len > 0 && out->pending.at[out->pending.len - 1] != '\n')
		buf_put_byte(&out->pending, '\n');
}

void
out_field(struct out *out, const char *label, struct bytes text)
{
	struct buf shown = { 0 };
	struct bytes rest, word;
	size_t at = LABEL_COLUMNS;

	if (text.len == 0)
		return;
	escape_put(&shown, text, ESCAPE_TERMINAL);
	rest = buf_bytes(&shown);
	out_say(out, "  %-*s", LABEL_COLUMNS - 2, label);
	while ((word = bytes_first(rest, bytes_index(rest, ' '))).at && rest.len > 0) {
		size_t columns = text_columns(word);

		if (at > LABEL_COLUMNS && at + 1 + columns > out->columns) {
			out_say(out, "\n%*s", LABEL_COLUMNS, "");
			at = LABEL_COLUMNS;
		} else if (at > LABEL_COLUMNS) {
			buf_put_byte(&out->pending, ' ');
			at++;
		}
		buf_put(&out->pending, word);
		at += columns;
		rest = bytes_from(rest, word.len < rest.len ? word.len + 1 : word.len);
	}
	out_say(out, "\n");
	buf_done(&shown);
}

void
complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("mboxwatchctl: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void
complain_outside(const char *ours, struct bytes outside)
{
	struct buf shown = { 0 };

	(void)escape_put_cut(&shown, outside, ESCAPE_TERMINAL, 1000);
	complain("%s%s", ours, shown.at ? shown.at : "");
	buf_done(&shown);
}

/* ---- kept complaints */

bool
complaints_keep(struct complaints_kept *kept)
{
	FILE *memory;

	*kept = (struct complaints_kept){ 0 };
	memory = open_memstream(&kept->text, &kept->len);
	if (!memory)
		return false;
	kept->was = stderr;
	stderr = memory; /* a variable in the GNU C library, which says so */
	return true;
}

void
complaints_release(struct complaints_kept *kept)
{
	FILE *memory = stderr;

	if (!kept->was)
		return;
	stderr = kept->was;
	fclose(memory);
	free(kept->text);
	*kept = (struct complaints_kept){ 0 };
}

void
complaints_put(struct complaints_kept *kept, struct buf *out)
{
	static const struct bytes name = { "mboxwatchctl: ", 14 };
	struct bytes rest;

	if (!kept->was)
		return;
	fflush(stderr);
	rest = (struct bytes){ kept->text, kept->len };
	for (const char *between = ""; rest.len > 0; between = "; ") {
		struct bytes line = bytes_first(rest, bytes_index(rest, '\n'));

		rest = bytes_from(rest, line.len + 1);
		buf_put_string(out, between);
		buf_put(out, bytes_starts(line, name) ? bytes_from(line, name.len) : line);
	}
}

void
complaints_forget(struct complaints_kept *kept)
{
	if (kept->was)
		rewind(stderr);
}
