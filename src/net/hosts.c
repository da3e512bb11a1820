/*
 * hosts.c: lines of hosts(5), sorted by name. Layer: net.
 */
#include "net/hosts.h"

#include <stdlib.h>

#include "base/file.h"

#define HOSTS_MOST_BYTES ((size_t)8 * 1024 * 1024)

static void
clear(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		free(hosts->lines[i].name);
	free(hosts->lines);
	hosts->lines = NULL;
	hosts->count = 0;
}

void
hosts_done(struct hosts *hosts)
{
	clear(hosts);
	memset(&hosts->seen, 0, sizeof(hosts->seen));
}

/* glibc's qsort merges, so that the file's order is kept within a name. */
static int
by_name(const void *a, const void *b)
{
	const struct host_line *one = a;
	const struct host_line *other = b;

	return strcmp(one->name, other->name);
}

static bool
add(struct hosts *hosts, size_t *room, struct bytes name, const struct address *address)
{
	struct host_line *line;

	if (hosts->count == *room) {
		size_t more = *room == 0 ? 16 : 2 * *room;
		struct host_line *lines = realloc(hosts->lines, more * sizeof(*lines));

		if (!lines)
			return false;
		hosts->lines = lines;
		*room = more;
	}
	line = &hosts->lines[hosts->count];
	line->name = bytes_copy(name);
	line->address = *address;
	if (!line->name)
		return false;
	for (char *at = line->name; *at; at++)
		*at = byte_lower(*at);
	hosts->count++;
	return true;
}

static struct bytes
next_word(struct bytes *rest)
{
	size_t from = 0;
	size_t to;
	struct bytes word;

	while (from < rest->len &&
		(rest->at[from] == ' ' || rest->at[from] == '\t' || rest->at[from] == '\r'))
		from++;
	to = from;
	while (to < rest->len && rest->at[to] != ' ' && rest->at[to] != '\t' &&
		rest->at[to] != '\r')
		to++;
	word = (struct bytes){ rest->at + from, to - from };
	*rest = bytes_from(*rest, to);
	return word;
}

static void
read_line(struct hosts *hosts, size_t *room, struct bytes line)
{
	struct bytes rest = bytes_first(line, bytes_index(line, '#'));
	struct bytes word = next_word(&rest);
	char text[INET6_ADDRSTRLEN + 16];
	struct address address;

	if (word.len == 0 || word.len >= sizeof(text))
		return;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	if (address_parse(text, &address) != ERR_OK)
		return;
	while ((word = next_word(&rest)).len > 0) {
		if (!add(hosts, room, word, &address))
			return;
	}
}

void
hosts_look(struct hosts *hosts, const char *path)
{
	struct buf text = { 0 };
	struct bytes rest;
	struct stat seen;
	size_t room = 0;

	if (stat(path, &seen) != 0) {
		hosts_done(hosts);
		return;
	}
	if (seen.st_mtim.tv_sec == hosts->seen.st_mtim.tv_sec &&
		seen.st_mtim.tv_nsec == hosts->seen.st_mtim.tv_nsec &&
		seen.st_ino == hosts->seen.st_ino && seen.st_size == hosts->seen.st_size)
		return;
	clear(hosts);
	hosts->seen = seen;
	if (file_read(path, HOSTS_MOST_BYTES, &text) == ERR_OK) {
		for (rest = buf_bytes(&text); rest.len > 0;) {
			size_t end = bytes_index(rest, '\n');

			read_line(hosts, &room, bytes_first(rest, end));
			rest = bytes_from(rest, end < rest.len ? end + 1 : end);
		}
	}
	buf_done(&text);
	if (hosts->count > 0)
		qsort(hosts->lines, hosts->count, sizeof(*hosts->lines), by_name);
}

size_t
hosts_find(const struct hosts *hosts, const char *name, enum family family, struct address *out,
	size_t most, bool *is_known)
{
	size_t low = 0;
	size_t high = hosts->count;
	size_t found = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(hosts->lines[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*is_known = low < hosts->count && strcmp(hosts->lines[low].name, name) == 0;
	for (; low < hosts->count && found < most && strcmp(hosts->lines[low].name, name) == 0;
		low++) {
		if (address_family(&hosts->lines[low].address) == family)
			out[found++] = hosts->lines[low].address;
	}
	return found;
}
