/*
 * select.c: selectors, compiled and matched. Layer: control, pure.
 */
#include "control/select.h"

#include "base/escape.h"
#include "facts/mailbox.h"

#include <stdlib.h>

#define GLOB_MOST_BYTES 4096 /* its length costs nothing: a match ends with the text */
#define HOST_MOST_BYTES 255

enum criterion_kind {
	CRITERION_NAME,
	CRITERION_GLOB,
	CRITERION_DOMAIN,
	CRITERION_HOST,
	CRITERION_STATE,
	CRITERION_SUSPECT,
	CRITERION_CAUSE,
	CRITERION_LABEL,
	CRITERION_INCIDENT,
	CRITERION_KIND_COUNT
};

struct criterion {
	enum criterion_kind kind;
	char *text; /* name, glob, domain; of labels the value's glob */
	char *key;
	enum part state;
	enum cause cause;
	struct ulid incident;
};

struct select {
	struct criterion items[SELECT_MOST];
	size_t count;
};

enum err
select_new(struct select **out)
{
	struct select *select = calloc(1, sizeof(*select));

	if (!select)
		return ERR_MEMORY;
	*out = select;
	return ERR_OK;
}

void
select_free(struct select *select)
{
	if (!select)
		return;
	for (size_t i = 0; i < select->count; i++) {
		free(select->items[i].text);
		free(select->items[i].key);
	}
	free(select);
}

/* ---- globs */

static bool
is_same(char pattern, char byte)
{
	return pattern == '?' || pattern == byte;
}

/*
 * Piece by piece between the stars, each at its first place: a later star makes up for anything, so
 * nothing is ever tried again, whatever the number of stars. At most text.len times the longest
 * piece steps.
 */
bool
glob_matches(struct bytes glob, struct bytes text)
{
	size_t at = 0, from = 0;	 /* in text; where the piece was tried last */
	size_t in = 0, piece = SIZE_MAX; /* in glob; behind the last star */

	while (at < text.len) {
		if (in < glob.len && glob.at[in] == '*') {
			piece = ++in;
			from = at;
		} else if (in < glob.len && is_same(glob.at[in], text.at[at])) {
			in++;
			at++;
		} else if (piece != SIZE_MAX) {
			in = piece;
			at = ++from;
		} else {
			return false;
		}
	}
	while (in < glob.len && glob.at[in] == '*')
		in++;
	return in == glob.len;
}

/* A glob on the heap without stars in a row; NULL with ERR_MEMORY, ERR_LIMIT. */
static enum err
glob_new(struct bytes text, bool is_lower, char **out)
{
	struct buf glob = { 0 };

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '*' && i > 0 && text.at[i - 1] == '*')
			continue;
		buf_put_byte(&glob, is_lower ? byte_lower(text.at[i]) : text.at[i]);
	}
	if (glob.len > GLOB_MOST_BYTES) {
		buf_done(&glob);
		return ERR_LIMIT;
	}
	*out = buf_take(&glob);
	return *out ? ERR_OK : ERR_MEMORY;
}

/* ---- reading */

/* One letter of a name or of a glob of names. */
static bool
is_name_byte(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || strchr("._@+-*?", byte) != NULL;
}

static enum err
read_name(struct bytes text, struct criterion *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\0' || !is_name_byte(text.at[i]))
			return ERR_SYNTAX;
	}
	out->kind = bytes_index(text, '*') < text.len || bytes_index(text, '?') < text.len
			    ? CRITERION_GLOB
			    : CRITERION_NAME;
	if (out->kind == CRITERION_NAME && !mailbox_name_is_valid(text))
		return ERR_SYNTAX;
	return glob_new(text, false, &out->text);
}

static enum err
read_domain(struct bytes text, struct criterion *out)
{
	out->kind = CRITERION_DOMAIN;
	return text.len == 0 ? ERR_SYNTAX : glob_new(text, true, &out->text);
}

static enum err
read_host(struct bytes text, struct criterion *out)
{
	out->kind = CRITERION_HOST;
	return text.len == 0 ? ERR_SYNTAX : glob_new(text, true, &out->text);
}

static enum err
read_state(struct bytes text, struct criterion *out)
{
	out->kind = CRITERION_STATE;
	if (bytes_equal(text, BYTES("suspect")))
		out->kind = CRITERION_SUSPECT;
	else if (part_from_name(text, &out->state) != ERR_OK || out->state == PART_NONE)
		return ERR_SYNTAX;
	return ERR_OK;
}

static enum err
read_cause(struct bytes text, struct criterion *out)
{
	out->kind = CRITERION_CAUSE;
	return cause_from_name(text, &out->cause) == ERR_OK ? ERR_OK : ERR_SYNTAX;
}

static enum err
read_incident(struct bytes text, struct criterion *out)
{
	out->kind = CRITERION_INCIDENT;
	return ulid_parse(text, &out->incident) == ERR_OK ? ERR_OK : ERR_SYNTAX;
}

static enum err
read_label(struct bytes text, struct criterion *out)
{
	size_t end = bytes_index(text, '=');

	out->kind = CRITERION_LABEL;
	if (end == 0 || end == text.len || end > LABEL_NAME_MOST)
		return ERR_SYNTAX;
	out->key = bytes_copy(bytes_first(text, end));
	if (!out->key)
		return ERR_MEMORY;
	return glob_new(bytes_from(text, end + 1), false, &out->text);
}

/* By how a selector begins; what begins with none of them is a name. */
static const struct selector_row {
	struct bytes prefix;
	enum err (*read)(struct bytes text, struct criterion *out);
	const char *form;
} selector_rows[] = {
	{ { "@", 1 }, read_domain, "@domain" },
	{ { "host:", 5 }, read_host, "host:NAME" },
	{ { "state:", 6 }, read_state, "state: failing, unknown, ok, paused or suspect" },
	{ { "cause:", 6 }, read_cause, "cause: a word of GET /v1/causes" },
	{ { "incident:", 9 }, read_incident, "incident:ID" },
	{ { "label.", 6 }, read_label, "label.KEY=VALUE" },
	{ { "", 0 }, read_name,
		"a name, a glob, @domain, host:, state:, cause:, label.KEY= or incident:" },
};

static enum err
add_one(struct select *select, struct bytes text, struct fault *why)
{
	const struct selector_row *row = selector_rows;
	struct criterion *criterion;
	struct buf shown = { 0 };
	enum err err;

	if (select->count == SELECT_MOST) {
		fault_set(why, "more than %d selectors", SELECT_MOST);
		return ERR_LIMIT;
	}
	while (!bytes_starts(text, row->prefix))
		row++;
	criterion = &select->items[select->count++]; /* freed with the rest, whatever comes */
	err = row->read(bytes_from(text, row->prefix.len), criterion);
	if (err == ERR_SYNTAX || err == ERR_LIMIT) {
		(void)escape_put_cut(&shown, text, ESCAPE_TERMINAL, 80);
		fault_set(why, "\"%.80s\" is no selector; right would be %s",
			shown.at ? shown.at : "", row->form);
		err = ERR_SYNTAX;
	}
	buf_done(&shown);
	return err;
}

enum err
select_add(struct select *select, struct bytes text, struct fault *why)
{
	enum err err = ERR_OK;

	if (bytes_starts(text, BYTES("label.")))
		return add_one(select, text, why);
	while (err == ERR_OK && text.len > 0) {
		size_t end = 0;

		while (end < text.len && text.at[end] != ' ' && text.at[end] != ',')
			end++;
		if (end > 0)
			err = add_one(select, bytes_first(text, end), why);
		text = bytes_from(text, end < text.len ? end + 1 : end);
	}
	return err;
}

bool
select_is_all(const struct select *select)
{
	return !select || select->count == 0;
}

size_t
select_count(const struct select *select)
{
	return select ? select->count : 0;
}

struct bytes
select_name(const struct select *select, size_t i)
{
	return select->items[i].kind == CRITERION_NAME ? bytes_of(select->items[i].text)
						       : BYTES_NONE;
}

static bool
has_kind(const struct select *select, enum criterion_kind kind, bool is_each)
{
	size_t count = 0;

	for (size_t i = 0; i < select_count(select); i++)
		count += select->items[i].kind == kind;
	return is_each ? count > 0 && count == select->count : count > 0;
}

bool
select_is_names(const struct select *select)
{
	return has_kind(select, CRITERION_NAME, true);
}

bool
select_has_label(const struct select *select)
{
	return has_kind(select, CRITERION_LABEL, false);
}

/* ---- matching */

/* What is compared without case is short: a host or a domain. */
static bool
glob_matches_lower(struct bytes glob, struct bytes text)
{
	char lower[HOST_MOST_BYTES];

	if (text.len == 0 || text.len > sizeof(lower))
		return false;
	for (size_t i = 0; i < text.len; i++)
		lower[i] = byte_lower(text.at[i]);
	return glob_matches(glob, (struct bytes){ lower, text.len });
}

static bool
label_matches(const struct criterion *criterion, const struct labels *labels)
{
	for (size_t i = 0; labels && i < labels->count; i++) {
		if (strcmp(labels->items[i].name, criterion->key) == 0)
			return glob_matches(
				bytes_of(criterion->text), bytes_of(labels->items[i].value));
	}
	return false;
}

static bool
side_matches(const struct criterion *criterion, const struct subject *subject, enum side side)
{
	switch (criterion->kind) {
	case CRITERION_HOST:
		return glob_matches_lower(bytes_of(criterion->text), subject->hosts[side]);
	case CRITERION_CAUSE:
		return subject->has_cause[side] && subject->causes[side] == criterion->cause;
	case CRITERION_INCIDENT:
		return ulid_is_set(subject->incidents[side]) &&
		       ulid_compare(subject->incidents[side], criterion->incident) == 0;
	default:
		return false;
	}
}

static bool
criterion_matches(const struct criterion *criterion, const struct subject *subject)
{
	size_t at;

	switch (criterion->kind) {
	case CRITERION_NAME:
		return bytes_equal(bytes_of(criterion->text), subject->name);
	case CRITERION_GLOB:
		return subject->name.len > 0 &&
		       glob_matches(bytes_of(criterion->text), subject->name);
	case CRITERION_DOMAIN:
		at = bytes_index(subject->address, '@');
		return at < subject->address.len && glob_matches_lower(bytes_of(criterion->text),
							    bytes_from(subject->address, at + 1));
	case CRITERION_STATE:
		return subject->has_state && subject->state == criterion->state;
	case CRITERION_SUSPECT:
		return subject->is_suspect;
	case CRITERION_LABEL:
		return label_matches(criterion, subject->labels);
	default:
		return side_matches(criterion, subject, SIDE_SMTP) ||
		       side_matches(criterion, subject, SIDE_IMAP);
	}
}

bool
select_matches(const struct select *select, const struct subject *subject)
{
	if (select_is_all(select))
		return true;
	for (size_t i = 0; i < select->count; i++) {
		if (criterion_matches(&select->items[i], subject))
			return true;
	}
	return false;
}

struct subject
subject_of_view(const struct watch_view *view)
{
	struct subject subject = {
		.name = bytes_of(view->name),
		.address = bytes_of(view->address),
		.has_state = true,
		.state = mailbox_state_class(view->parts),
		.labels = view->labels,
	};

	for (enum side side = 0; side < SIDE_COUNT; side++) {
		const struct watch_endpoint_view *endpoint = &view->sides[side];

		if (!endpoint->is_present)
			continue;
		subject.hosts[side] = bytes_of(endpoint->host);
		subject.is_suspect = subject.is_suspect || endpoint->state == ENDPOINT_SUSPECT;
		subject.has_cause[side] = endpoint->has_cause;
		subject.causes[side] = endpoint->cause;
		subject.incidents[side] = endpoint->incident;
	}
	return subject;
}
