/*
 * files.c: main file and drop-ins -> parsed texts whose lines can be found again. Layer: config.
 * The one place that lets libconfig parse.
 *
 * Each file is read whole once (H4-10), with its includes put in its text, and parsed by itself, so
 * that a broken one does not hide the others' faults.
 */
#include "config/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "config/load.h"
#include "config/numbers.h"
#include "config/syntax.h"

#define MAIN_FILE SYSCONFDIR "/mboxwatch/mboxwatch.conf"
#define CONF_DIR SYSCONFDIR "/mboxwatch/conf.d"
#define RULES_DIR SYSCONFDIR "/mboxwatch/rules.d"
#define QUOTE_MOST ((size_t)100)

const char *
load_main_file(const struct load *load)
{
	return load->paths->file ? load->paths->file : MAIN_FILE;
}

/* ---- places */

struct source *
source_of(const config_setting_t *at)
{
	return CONTAINER_OF(at->config, struct source, config);
}

struct source_file *
source_place(const struct source *source, int line, int *file_line)
{
	size_t low = 0, high = source->piece_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (source->pieces[middle].line <= line)
			low = middle;
		else
			high = middle;
	}
	*file_line =
		source->pieces[low].file_line + (line > 0 ? line - source->pieces[low].line : 0);
	return source->pieces[low].file;
}

struct place
load_place(const config_setting_t *at)
{
	struct place place = { "?", 0 };

	if (at)
		place.file = source_place(
			source_of(at), (int)config_setting_source_line(at), &place.line)
				     ->path;
	return place;
}

bool
source_is_bad(const struct source *source, const config_setting_t *at)
{
	int line;
	const struct source_file *file;

	if (source->bad_count == 0)
		return false;
	file = source_place(source, (int)config_setting_source_line(at), &line);
	for (size_t i = 0; i < source->bad_count; i++) {
		const struct source_value *bad = &source->bad_values[i];

		if (bad->file == file && bad->line == line &&
			strcmp(bad->name, config_setting_name(at)) == 0)
			return true;
	}
	return false;
}

/* ---- quoting */

static bool
begins_word(char byte)
{
	return byte_is_letter(byte) || byte == '_';
}

static size_t
word_len(struct bytes text)
{
	size_t len = 0;

	while (len < text.len &&
		(begins_word(text.at[len]) || (len > 0 && byte_is_digit(text.at[len]))))
		len++;
	return len;
}

/* A setting that exists and is no secret: what follows its name may be shown. */
static bool
is_open_name(struct bytes name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (bytes_equal(name, bytes_of(setting_rows[i].name)))
			return setting_rows[i].kind != KIND_SECRET &&
			       setting_rows[i].kind != KIND_PROXY;
	}
	return false;
}

/* The blanks and the "=" behind a name, or nothing. */
static size_t
equals_len(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && (text.at[len] == ' ' || text.at[len] == '\t'))
		len++;
	return len < text.len && (text.at[len] == '=' || text.at[len] == ':') ? len + 1 : 0;
}

static bool
quotes_are_paired(struct bytes text)
{
	size_t quotes = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\\')
			i++;
		else
			quotes += text.at[i] == '"';
	}
	return quotes % 2 == 0;
}

/*
 * A line as it stands, for people; but what follows the name of a secret, or of a setting that does
 * not exist and so may be a mistyped secret, is left out: logs and a reload's answer show this
 * line. It is shown again behind a ';' that ends a whole string.
 */
static void
put_quote(struct buf *out, struct bytes line, bool is_shown)
{
	bool is_string = false, had_string = false;
	size_t from = out->len;

	line = bytes_trim(bytes_first(
		line, line.len > 0 && line.at[line.len - 1] == '\r' ? line.len - 1 : line.len));
	for (size_t i = 0, step; i < line.len && out->len - from < QUOTE_MOST; i += step) {
		struct bytes rest = bytes_from(line, i);
		size_t word = is_string ? 0 : word_len(rest),
		       equals = equals_len(bytes_from(rest, word));

		step = word > 0 ? word : 1;
		if (word > 0 && equals > 0) {
			step += equals;
			buf_put_string(out, is_shown || out->len == from ? "" : " ");
			is_shown = is_open_name(bytes_first(rest, word));
			had_string = false;
			buf_put(out, bytes_first(rest, step));
			buf_put_string(out, is_shown ? "" : " ***");
			continue;
		}
		if (line.at[i] == '\\' && is_string)
			step = rest.len > 1 ? 2 : 1;
		if (line.at[i] == '"') {
			had_string |= is_string;
			is_string = !is_string;
		}
		if (!is_shown && !is_string && had_string && line.at[i] == ';' &&
			quotes_are_paired(rest))
			is_shown = true;
		if (is_shown)
			buf_put(out, bytes_first(rest, step));
	}
}

/* The number'th line of text; *before: the last before that with anything on it. */
static struct bytes
line_of(struct bytes text, int number, struct bytes *before)
{
	struct bytes line = BYTES_NONE;

	*before = BYTES_NONE;
	while (number-- > 0 && text.len > 0) {
		if (bytes_trim(line).len > 0)
			*before = bytes_trim(line);
		line = bytes_first(text, bytes_index(text, '\n'));
		text = bytes_from(text, line.len + 1);
	}
	return line;
}

/* Whether the line after this one begins anew, not within a value. */
static bool
is_shown_after(struct bytes before)
{
	return before.len == 0 || before.at[0] == '#' ||
	       memchr(";{(}),\r", before.at[before.len - 1], 7);
}

/* ---- reading */

/* A file that is being put into the text. */
struct reading {
	struct load *load;
	struct source *source;
	struct source_file *file;
	const struct reading *parent;
	int depth;
	struct bytes text;
	size_t put;   /* up to where text is in the source's text */
	int put_line; /* the line of that place */
	size_t name;  /* the last bad value's name in text, whose lines are counted so far */
	int name_line;
	bool is_broken;
};

static enum err read_into(struct load *load, struct source *source, const char *path,
	const struct reading *parent, struct place from, bool *is_broken);

static int
lines_of(struct bytes text)
{
	int lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.at[i] == '\n';
	return lines;
}

/* From here on lines of the whole text are those of file. The text ends at a line's end. */
static enum err
begin_piece(struct source *source, int line, struct source_file *file, int file_line)
{
	struct source_piece *pieces =
		reallocarray(source->pieces, source->piece_count + 1, sizeof(*source->pieces));

	if (!pieces)
		return ERR_MEMORY;
	source->pieces = pieces;
	pieces[source->piece_count++] = (struct source_piece){ line, file, file_line };
	return ERR_OK;
}

/* libconfig places a setting where its name stands; the value may be lines below. */
static int
line_of_name(struct reading *reading, struct bytes name)
{
	size_t at;

	if (name.at < reading->text.at || name.at > reading->text.at + reading->text.len)
		return 0; /* a value without a name in front of it */
	at = (size_t)(name.at - reading->text.at);
	reading->name_line +=
		lines_of(bytes_first(bytes_from(reading->text, reading->name), at - reading->name));
	reading->name = at;
	return reading->name_line;
}

static void
note_bad_value(struct reading *reading, struct bytes name)
{
	struct source *source = reading->source;
	struct source_value *values = NULL;
	int line = line_of_name(reading, name);

	if (source->bad_count < FILES_MOST_BAD_VALUES)
		values = reallocarray(source->bad_values, source->bad_count + 1, sizeof(*values));
	if (!values) {
		reading->is_broken = true;
		return;
	}
	source->bad_values = values;
	values[source->bad_count] = (struct source_value){ .file = reading->file, .line = line };
	snprintf(values[source->bad_count++].name, sizeof(values->name), "%.*s", BYTES_ARG(name));
}

/* "what is wrong; what would be right: the line" */
static void
put_words(struct buf *out, struct bytes text, int line, const char *what)
{
	struct bytes before, quoted = line_of(text, line, &before);
	size_t end;

	buf_put_format(out, "%s: ", what);
	end = out->len;
	put_quote(out, quoted, is_shown_after(before));
	if (out->len == end && end > 0)
		buf_cut(out, end - 2); /* nothing of it may be shown */
}

static void
tell_line(struct load *load, struct bytes text, int line, struct place place, const char *what)
{
	struct buf words = { 0 };

	put_words(&words, text, line, what);
	if (buf_err(&words) != ERR_OK)
		load->is_out_of_memory = true;
	else
		complaint_note(load->complaints, false, place, NULL, "%s", words.at);
	buf_done(&words);
}

static void
note_comma(struct reading *reading, int line)
{
	if (reading->source->comma_file)
		return;
	reading->source->comma_file = reading->file;
	reading->source->comma_line = line;
}

static void
note_open(struct reading *reading, int line, const char *what)
{
	struct buf words = { 0 };

	put_words(&words, reading->text, line, what);
	reading->source->open_file = reading->file;
	reading->source->open_line = line;
	snprintf(reading->source->open_words, sizeof(reading->source->open_words), "%s",
		words.at ? words.at : what);
	buf_done(&words);
}

static void
on_scan_fault(void *owner, int line, enum scan_fault fault, struct bytes name, const char *what)
{
	struct reading *reading = owner;

	switch (fault) {
	case SCAN_COMMA:
	case SCAN_STRING:
		if (fault == SCAN_COMMA)
			note_comma(reading, line);
		reading->is_broken |= fault == SCAN_STRING;
		tell_line(reading->load, reading->text, line,
			(struct place){ reading->file->path, line }, what);
		return;
	case SCAN_OPEN:
		note_open(reading, line, what);
		return;
	case SCAN_VALUE:
		note_bad_value(reading, name);
		break;
	case SCAN_BROKEN:
		reading->is_broken = true;
		break;
	}
	complaint_note(reading->load->complaints, false,
		(struct place){ reading->file->path, line }, NULL, "%s", what);
}

/* What of the file's text comes next, up to `end`; the source's text ends at a line's end after
 * that. */
static void
put_text(struct reading *reading, size_t end)
{
	struct bytes part =
		bytes_first(bytes_from(reading->text, reading->put), end - reading->put);

	if (begin_piece(reading->source, reading->source->line_count + 1, reading->file,
		    reading->put_line) != ERR_OK)
		reading->load->is_out_of_memory = true;
	buf_put(&reading->source->text, part);
	reading->put_line += lines_of(part);
	reading->source->line_count += lines_of(part);
	if (part.len > 0 && part.at[part.len - 1] != '\n') {
		buf_put_byte(&reading->source->text, '\n');
		reading->source->line_count++;
	}
	reading->put = end;
}

static void
on_scan_include(void *owner, int line, size_t start, size_t end, struct bytes name)
{
	struct reading *reading = owner;
	struct source *source = reading->source;
	struct place place = { reading->file->path, line };
	struct complaints *complaints = reading->load->complaints;
	struct buf path = { 0 };
	const char *main_file = load_main_file(reading->load);
	const char *slash = strrchr(main_file, '/');

	put_text(reading, start);
	reading->put = end;
	if (name.len == 0 || name.at[0] != '/')
		buf_put(&path, slash ? (struct bytes){ main_file, (size_t)(slash + 1 - main_file) }
				     : BYTES_NONE);
	buf_put(&path, name);
	buf_put(&path, BYTES_NONE);
	if (buf_err(&path) != ERR_OK) {
		reading->load->is_out_of_memory = true;
		goto out;
	}
	if (name.len == 0 || memchr(name.at, '\0', name.len)) {
		complaint_note(
			complaints, false, place, NULL, "@include without a name; name a file");
		goto out;
	}
	for (const struct reading *r = reading; r; r = r->parent) {
		if (strcmp(r->file->path, path.at) == 0) {
			complaint_note(complaints, false, place, NULL,
				"%s includes itself; leave this @include out", path.at);
			goto out;
		}
	}
	if (reading->depth == FILES_MOST_DEPTH) {
		complaint_note(complaints, false, place, NULL,
			"more than %d files that include each other; include them from the main "
			"file",
			FILES_MOST_DEPTH);
		goto out;
	}
	if (source->file_count > FILES_MOST_INCLUDES) {
		if (!reading->is_broken)
			complaint_note(complaints, false, place, NULL,
				"more than %zu files included; put them into one",
				FILES_MOST_INCLUDES);
		reading->is_broken = true;
		goto out;
	}
	if (read_into(reading->load, source, path.at, reading, place, &reading->is_broken) ==
		ERR_MEMORY)
		reading->load->is_out_of_memory = true;
out:
	buf_done(&path);
}

static const char *
why_unread(enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND:
		return "no such file; name one that is there";
	case ERR_DENIED:
		return "permission denied; let the daemon's user read it (group mboxwatch, mode "
		       "0640)";
	case ERR_INVALID:
		return "not a regular file; put a file of text there";
	case ERR_LIMIT:
		return "too large; a settings file has 64 MiB at most, all together 128 MiB";
	case ERR_DESCRIPTORS:
		return "cannot be opened, no more descriptors; raise LimitNOFILE=";
	default:
		return "cannot be read; look at the disk";
	}
}

static struct source_file *
add_file(struct source *source, const char *path)
{
	struct source_file **files =
		reallocarray(source->files, source->file_count + 1, sizeof(*source->files));
	struct source_file *file;
	struct stat about;

	if (!files)
		return NULL;
	source->files = files;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->path = strdup(path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	file->is_open_to_others = stat(path, &about) == 0 && (about.st_mode & S_IROTH);
	files[source->file_count++] = file;
	return file;
}

static enum err
read_into(struct load *load, struct source *source, const char *path, const struct reading *parent,
	struct place from, bool *is_broken)
{
	struct reading reading = {
		.load = load, .source = source, .parent = parent, .put_line = 1, .name_line = 1
	};
	struct scan scan = { on_scan_fault, on_scan_include, &reading };
	struct buf text = { 0 };
	size_t most = FILES_MOST_BYTES -
		      (source->text.len < FILES_MOST_BYTES ? source->text.len : FILES_MOST_BYTES);
	enum err err;

	if (most > FILES_MOST_TOTAL_BYTES - load->bytes)
		most = FILES_MOST_TOTAL_BYTES - load->bytes;
	reading.file = add_file(source, path);
	if (!reading.file)
		return ERR_MEMORY;
	reading.depth = parent ? parent->depth + 1 : 0;
	err = file_read(path, most, &text);
	if (err != ERR_OK) {
		if (err != ERR_MEMORY && from.file)
			complaint_note(load->complaints, false, from, NULL, "%s: %s", path,
				why_unread(err));
		else if (err != ERR_MEMORY)
			complaint_note(load->complaints, false, (struct place){ path, 0 }, NULL,
				"%s", why_unread(err));
		*is_broken = true;
		buf_done(&text);
		return err;
	}
	load->bytes += text.len;
	reading.text = buf_bytes(&text);
	scan_text(reading.text, &scan);
	if (!reading.is_broken)
		put_text(&reading, reading.text.len);
	*is_broken |= reading.is_broken;
	buf_done_wiped(&text);
	return buf_err(&source->text);
}

/* ---- telling where a text cannot be parsed */

/* Lines of the whole text are those of its files here. */
static void
tell_explained(struct load *load, struct source *source, const struct syntax_fault *fault)
{
	struct place place;
	char words[sizeof(fault->words) + 32];
	int line;

	place.file = source_place(source, fault->line, &place.line)->path;
	(void)source_place(source, fault->open_line, &line);
	if (fault->open_line > 0 && fault->open_line != fault->line)
		snprintf(words, sizeof(words), "%s (opened in line %d)", fault->words, line);
	else
		snprintf(words, sizeof(words), "%s", fault->words);
	tell_line(load, buf_bytes(&source->text), fault->line, place, words);
}

static void
tell_syntax(struct load *load, struct source *source)
{
	int line_number = config_error_line(&source->config), file_line;
	struct source_file *file = source_place(source, line_number, &file_line);
	struct bytes before, line = line_of(buf_bytes(&source->text), line_number, &before);
	struct place place = { file->path, file_line };
	const char *why = config_error_text(&source->config);
	bool is_double = why && strstr(why, "duplicate");
	struct syntax_fault fault;
	struct buf quote = { 0 };

	if (source->comma_file == file && file_line >= source->comma_line)
		return;
	if (source->open_file && line_number > source->line_count) {
		place = (struct place){ source->open_file->path, source->open_line };
		complaint_note(load->complaints, false, place, NULL, "%s", source->open_words);
		return;
	}
	if (!is_double && syntax_explain(buf_bytes(&source->text), &fault) &&
		fault.line <= line_number) {
		tell_explained(load, source, &fault);
		return;
	}
	put_quote(&quote, line, is_shown_after(before));
	buf_put(&quote, BYTES_NONE);
	if (buf_err(&quote) != ERR_OK)
		load->is_out_of_memory = true;
	else if (is_double)
		complaint_note(load->complaints, false, place, NULL,
			"a name twice in one group; leave one out: %s", quote.at);
	else if (quote.len == 0)
		complaint_note(load->complaints, false, place, NULL,
			"cannot be read here (%s); look for a bracket, quote or \"=\" that is "
			"missing above",
			why ? why : "syntax error");
	else
		complaint_note(load->complaints, false, place, NULL,
			"cannot be read here: %s; write NAME = VALUE; with words and durations in "
			"quotes",
			quote.at);
	buf_done(&quote);
}

/* Passwords among them; libconfig would leave them to the heap. No deeper than scan_text() lets
 * through. */
static void
wipe_strings(const config_setting_t *at)
{
	const char *text = config_setting_get_string(at);

	if (text)
		bytes_wipe((char *)text, strlen(text));
	if (!config_setting_is_aggregate(at))
		return;
	for (int i = 0; i < config_setting_length(at); i++)
		wipe_strings(config_setting_get_elem(at, (unsigned)i));
}

void
source_free(struct source *source)
{
	if (!source)
		return;
	if (source->is_parsed)
		wipe_strings(config_root_setting(&source->config));
	config_destroy(&source->config);
	buf_done_wiped(&source->text);
	for (size_t i = 0; i < source->file_count; i++) {
		free(source->files[i]->path);
		free(source->files[i]);
	}
	free(source->files);
	free(source->pieces);
	free(source->bad_values);
	free(source);
}

struct source *
source_new(const char *name)
{
	struct source *source = calloc(1, sizeof(*source));
	struct source_file *file = calloc(1, sizeof(*file));

	if (source)
		config_init(&source->config);
	if (!source || !file || !(file->path = strdup(name)) ||
		!(source->files = calloc(1, sizeof(*source->files))))
		goto no_memory;
	source->files[source->file_count++] = file;
	if (begin_piece(source, 0, file, 0) != ERR_OK) {
		source_free(source);
		return NULL;
	}
	source->is_parsed = true;
	return source;
no_memory:
	if (file)
		free(file->path);
	free(file);
	source_free(source);
	return NULL;
}

static void
load_file(struct load *load, const char *path)
{
	struct source **sources =
		reallocarray(load->sources, load->source_count + 1, sizeof(*sources));
	struct source *source = calloc(1, sizeof(*source));
	bool is_broken = false;
	enum err err;

	if (sources)
		load->sources = sources;
	if (!sources || !source) {
		load->is_out_of_memory = true;
		free(source);
		return;
	}
	config_init(&source->config);
	err = read_into(load, source, path, NULL, (struct place){ 0 }, &is_broken);
	if (err == ERR_MEMORY)
		load->is_out_of_memory = true;
	if (err != ERR_OK || is_broken || load->is_out_of_memory) {
		source_free(source);
		return;
	}
	if (config_read_string(&source->config, source->text.at) == CONFIG_TRUE)
		source->is_parsed = true;
	else
		tell_syntax(load, source);
	sources[load->source_count++] = source;
	/* Lines are found by pieces from here on; the text may be large. */
	buf_done_wiped(&source->text);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_drop_in(const char *name)
{
	return name[0] != '.' && bytes_ends_nocase(bytes_of(name), BYTES(".conf")) &&
	       strcmp(name + strlen(name) - 5, ".conf") == 0;
}

/* Names that end in .conf, in the order of their bytes; another order in another locale would be
 * another daemon. */
static enum err
list_drop_ins(const char *folder, char ***names, size_t *count)
{
	DIR *dir = opendir(folder);
	enum err err = ERR_OK;
	struct dirent *entry;

	if (!dir)
		return err_from_errno(errno);
	while ((entry = readdir(dir)) != NULL) {
		char **grown;

		if (!is_drop_in(entry->d_name))
			continue;
		grown = reallocarray(*names, *count + 1, sizeof(**names));
		if (grown)
			*names = grown;
		if (!grown || !(grown[*count] = strdup(entry->d_name))) {
			err = ERR_MEMORY;
			break;
		}
		(*count)++;
	}
	closedir(dir);
	if (*count > 1)
		qsort(*names, *count, sizeof(**names), compare_names);
	return err;
}

static void
load_drop_ins(struct load *load, const char *folder, bool is_asked_for)
{
	char **names = NULL;
	size_t count = 0;
	enum err err = list_drop_ins(folder, &names, &count);

	if (err == ERR_MEMORY)
		load->is_out_of_memory = true;
	else if (err == ERR_NOT_FOUND && is_asked_for)
		complaint_note(load->complaints, false, (struct place){ folder, 0 }, NULL,
			"no such folder; name one that is there");
	else if (err != ERR_OK && err != ERR_NOT_FOUND)
		complaint_note(load->complaints, false, (struct place){ folder, 0 }, NULL,
			"not a folder that can be read; let the daemon's user read it (group "
			"mboxwatch, mode 0750)");
	for (size_t i = 0; i < count; i++) {
		char *path = NULL;

		if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/",
			    names[i]) < 0)
			path = NULL;
		if (path)
			load_file(load, path);
		else
			load->is_out_of_memory = true;
		free(path);
		free(names[i]);
	}
	free(names);
}

/* rules.d beside the folder of drop-ins, where there is one. */
static void
load_rules_beside(struct load *load, const char *conf_dir)
{
	struct bytes folder = bytes_of(conf_dir);
	char *path = NULL;

	while (folder.len > 1 && folder.at[folder.len - 1] == '/')
		folder.len--;
	while (folder.len > 0 && folder.at[folder.len - 1] != '/')
		folder.len--;
	if (asprintf(&path, "%.*srules.d", BYTES_ARG(folder)) < 0)
		load->is_out_of_memory = true;
	else
		load_drop_ins(load, path, false);
	free(path);
}

void
load_files(struct load *load)
{
	const struct settings_paths *paths = load->paths;

	load_file(load, load_main_file(load));
	if (paths->conf_dir && paths->conf_dir[0] != '\0') {
		load_drop_ins(load, paths->conf_dir, true);
		load_rules_beside(load, paths->conf_dir);
	} else if (!paths->file) {
		load_drop_ins(load, CONF_DIR, false);
		load_drop_ins(load, RULES_DIR, false);
	}
}

void
load_files_end(struct load *load)
{
	for (size_t i = 0; i < load->source_count; i++)
		source_free(load->sources[i]);
	free(load->sources);
}
