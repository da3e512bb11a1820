/*
 * memory.c: the bounds of the control groups. Layer: daemon. Not here: what becomes of them
 * (tick.c, watch/schedule.c).
 */
#include "daemon/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

#define FILE_MOST_BYTES ((size_t)64 * 1024)
#define MARGIN 8 /* an eighth of the bound is left alone: two seconds pass from look to look */
/* A probe in its handshake takes 44 KiB (design 4); one whose server sends lines of 64 KiB more. */
#define PROBE_BYTES (INT64_C(128) * 1024)
#define PROBES_LEAST 16 /* 2 MiB: what is at rest may well fill the bound, and nobody starves */

/* The number that begins the file, or behind this word in it; -1: there is none ("max"). */
static int64_t
number_in(const char *folder, const char *name, const char *word)
{
	struct buf path = { 0 }, text = { 0 };
	const char *at = NULL;
	char *end = NULL;
	long long number = -1;

	buf_put_format(&path, "%s/%s", folder, name);
	if (buf_err(&path) == ERR_OK && file_read(path.at, FILE_MOST_BYTES, &text) == ERR_OK) {
		buf_put_byte(&text, '\0');
		at = buf_err(&text) == ERR_OK ? strstr(text.at, word) : NULL;
	}
	if (at)
		number = strtoll(at + strlen(word), &end, 10);
	if (end == at + strlen(word))
		number = -1;
	buf_done(&path);
	buf_done(&text);
	return number;
}

static int64_t
tighter(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static bool
look_at(const char *folder, struct memory *out)
{
	int64_t cached = number_in(folder, "memory.stat", "inactive_file ");

	out->most_bytes =
		tighter(number_in(folder, "memory.max", ""), number_in(folder, "memory.high", ""));
	out->used_bytes = number_in(folder, "memory.current", "");
	if (cached > 0)
		out->used_bytes -= cached < out->used_bytes ? cached : out->used_bytes;
	return out->most_bytes >= 0 && out->used_bytes >= 0;
}

static int64_t
left_bytes(const struct memory *memory)
{
	return memory->most_bytes / MARGIN * (MARGIN - 1) - memory->used_bytes;
}

/* "0::/system.slice/mboxwatchd.service" behind the tree's own folder. */
static enum err
own_folder(const char *own, const char *groups, struct buf *out)
{
	struct buf text = { 0 };
	enum err err = file_read(own, FILE_MOST_BYTES, &text);
	const char *line;

	buf_put_byte(&text, '\0');
	if (err == ERR_OK)
		err = buf_err(&text);
	line = err == ERR_OK ? strstr(text.at, "0::/") : NULL;
	/* Behind the lines of cgroup v1, where there are some. */
	while (line && line != text.at && line[-1] != '\n')
		line = strstr(line + 1, "0::/");
	if (line) {
		buf_put_string(out, groups);
		buf_put(out, (struct bytes){ line + 3, strcspn(line + 3, "\n") });
		buf_put_byte(out, '\0');
		err = buf_err(out);
	} else if (err == ERR_OK) {
		err = ERR_NOT_FOUND;
	}
	buf_done(&text);
	return err == ERR_MEMORY ? ERR_MEMORY : err == ERR_OK ? ERR_OK : ERR_NOT_FOUND;
}

enum err
memory_look(const char *own, const char *groups, struct memory *out)
{
	struct buf folder = { 0 };
	struct memory found;
	enum err err = own_folder(own, groups, &folder);
	int64_t least = INT64_MAX; /* none has a bound */

	while (err == ERR_OK) {
		if (look_at(folder.at, &found) && left_bytes(&found) < least) {
			least = left_bytes(&found);
			*out = found;
		}
		if (strlen(folder.at) <= strlen(groups))
			break;
		*strrchr(folder.at, '/') = '\0';
	}
	buf_done(&folder);
	return err == ERR_OK && least == INT64_MAX ? ERR_NOT_FOUND : err;
}

unsigned
memory_probes(const struct memory *memory, size_t in_flight)
{
	int64_t left = left_bytes(memory), most = (int64_t)in_flight + left / PROBE_BYTES;

	/* Above the margin a quarter less with each look, as where descriptors run out. */
	if (left < 0 && most < (int64_t)in_flight / 4 * 3)
		most = (int64_t)in_flight / 4 * 3;
	if (most < PROBES_LEAST)
		most = PROBES_LEAST;
	return most < UINT32_MAX ? (unsigned)most : UINT32_MAX;
}
