/*
 * alert_render.c: an event -> its line (logfmt), its JSON, its journal fields. Layer: facts.
 *
 * One row of event_fields is one fact. Its form decides how its value reads and whether the line
 * quotes it; three walks over the rows make the three renderings. A value is first made plain (what
 * it says, bytes as they came), then goes through the escaping of its place. Contract 6; H8-05 to
 * H8-08, H2-19.
 */
#include "base/escape.h"
#include "facts/event.h"

#include <assert.h>
#include <stdlib.h>

#define SYSLOG_MAIL "2" /* RFC 5424 6.2.1 */
/* What is kept free for msg in a line whose other members are as long as they can be. */
#define LINE_MSG_LEAST_BYTES ((size_t)100)

enum field_form {
	FIELD_TOKEN,	     /* our own word, no blank in it: never quoted */
	FIELD_TEXT,	     /* our own words: always quoted */
	FIELD_OUTSIDE,	     /* what may come from outside: quoted, and the first to be cut */
	FIELD_OUTSIDE_LINES, /* struct texts; joined by a blank in the line */
	FIELD_LABELS,
	FIELD_EVENT_KIND,
	FIELD_LEVEL,
	FIELD_PART,
	FIELD_SIDE,
	FIELD_CAUSE,
	FIELD_STAGE,
	FIELD_FLAG,
	FIELD_NUMBER, /* -1: none */
	FIELD_ULID,
	FIELD_TIME, /* to the second in the line, to the millisecond in JSON */
	FIELD_FORM_COUNT
};

enum rendering {
	IN_LINE = 1,
	IN_JSON = 2,
};

struct field {
	const char *name;
	const char *journal; /* behind MBOXWATCH_; NULL: no field of the journal */
	enum field_form form;
	size_t offset;
	unsigned renderings;			/* IN_LINE, IN_JSON */
	bool (*has)(const struct alert *event); /* NULL: the value says whether it is there */
};

static bool
has_parts(const struct alert *event)
{
	return event->has_parts;
}

static bool
has_delivery(const struct alert *event)
{
	return event->delivery != PART_NONE;
}

static bool
has_endpoint(const struct alert *event)
{
	return event->has_endpoint;
}

static bool
has_cause(const struct alert *event)
{
	return event->has_cause;
}

/* The subject is a mailbox, else a server or domain with its members. */
static bool
is_of_mailbox(const struct alert *event)
{
	return event->mailbox != NULL;
}

static bool
is_of_server(const struct alert *event)
{
	return !is_of_mailbox(event) && (event->server || event->domain);
}

static bool
is_not_of_server(const struct alert *event)
{
	return !is_of_server(event);
}

#define FIELD(member, name, journal, form, renderings, has)                                        \
	{                                                                                          \
		name, journal, form, offsetof(struct alert, member), renderings, has               \
	}
#define IN_BOTH (IN_LINE | IN_JSON)

/* In the line's order (contract 6). server and members have two places there, by the subject. */
static const struct field event_fields[] = {
	FIELD(msg, "msg", NULL, FIELD_TEXT, IN_LINE, NULL),
	FIELD(level, "level", NULL, FIELD_LEVEL, IN_BOTH, NULL),
	FIELD(kind, "event", "EVENT", FIELD_EVENT_KIND, IN_BOTH, NULL),
	FIELD(id, "id", "EVENT_ID", FIELD_ULID, IN_BOTH, NULL),
	FIELD(time, "time", NULL, FIELD_TIME, IN_JSON, NULL),
	FIELD(mailbox, "mailbox", "MAILBOX", FIELD_TOKEN, IN_BOTH, NULL),
	FIELD(address, "address", NULL, FIELD_OUTSIDE, IN_JSON, NULL),
	FIELD(parts[SIDE_SMTP], "smtp", "SMTP", FIELD_PART, IN_BOTH, has_parts),
	FIELD(parts[SIDE_IMAP], "imap", "IMAP", FIELD_PART, IN_BOTH, has_parts),
	FIELD(delivery, "delivery", NULL, FIELD_PART, IN_BOTH, has_delivery),
	FIELD(state, "state", "STATE", FIELD_TEXT, IN_BOTH, NULL),
	FIELD(was, "was", "WAS", FIELD_TEXT, IN_BOTH, NULL),
	FIELD(server, "server", NULL, FIELD_TOKEN, IN_LINE, is_of_server),
	FIELD(domain, "domain", NULL, FIELD_TOKEN, IN_BOTH, NULL),
	FIELD(members, "members", NULL, FIELD_NUMBER, IN_LINE, is_of_server),
	FIELD(endpoint, "endpoint", "ENDPOINT", FIELD_SIDE, IN_BOTH, has_endpoint),
	FIELD(cause, "cause", "CAUSE", FIELD_CAUSE, IN_BOTH, has_cause),
	FIELD(stage, "stage", "STAGE", FIELD_STAGE, IN_BOTH, has_cause),
	FIELD(is_transient, "transient", NULL, FIELD_FLAG, IN_BOTH, has_cause),
	FIELD(server, "server", NULL, FIELD_TOKEN, IN_LINE, is_not_of_server),
	FIELD(server, "server", "SERVER", FIELD_TOKEN, IN_JSON, NULL),
	FIELD(since, "since", NULL, FIELD_TIME, IN_BOTH, NULL),
	FIELD(until, "until", NULL, FIELD_TIME, IN_BOTH, NULL),
	FIELD(incident, "incident", "INCIDENT", FIELD_ULID, IN_BOTH, NULL),
	FIELD(outage, "outage", "OUTAGE", FIELD_ULID, IN_BOTH, NULL),
	FIELD(members, "members", NULL, FIELD_NUMBER, IN_LINE, is_not_of_server),
	FIELD(members, "members", NULL, FIELD_NUMBER, IN_JSON, NULL),
	FIELD(trouble, "kind", NULL, FIELD_TOKEN, IN_BOTH, NULL),
	FIELD(what, "what", NULL, FIELD_TOKEN, IN_BOTH, NULL),
	FIELD(labels, "labels", "LABEL_", FIELD_LABELS, IN_BOTH, NULL),
	FIELD(detail, "detail", NULL, FIELD_OUTSIDE, IN_BOTH, NULL),
	FIELD(reply, "reply", NULL, FIELD_OUTSIDE_LINES, IN_BOTH, NULL),
	FIELD(next, "next", NULL, FIELD_OUTSIDE_LINES, IN_BOTH, NULL),
	FIELD(text, "text", NULL, FIELD_OUTSIDE, IN_JSON, NULL),
};
#undef FIELD

static const void *
member_of(const struct alert *event, const struct field *field)
{
	return (const char *)event + field->offset;
}

/* ---- values, plain */

static void
put_joined(struct buf *out, const struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (i > 0)
			buf_put_byte(out, ' ');
		text_put(out, texts->items[i]);
	}
}

static void
put_ulid(struct buf *out, struct ulid id)
{
	if (ulid_is_set(id))
		ulid_put(out, id);
}

static void
put_time(struct buf *out, wall_t time, enum rendering rendering)
{
	if (!wall_is_set(time))
		return;
	if (rendering == IN_LINE)
		wall_put_s(out, time);
	else
		wall_put_ms(out, time);
}

/* What the fact says, unescaped, in value's place; nothing where the event has it not. */
static void
value_of(const struct alert *event, const struct field *field, enum rendering rendering,
	struct buf *value)
{
	const void *at = member_of(event, field);

	buf_cut(value, 0); /* a failure stays: the walk sees it at its end */
	if (field->has && !field->has(event))
		return;
	switch (field->form) {
	case FIELD_TOKEN:
	case FIELD_TEXT:
	case FIELD_OUTSIDE:
		text_put(value, *(char *const *)at);
		return;
	case FIELD_OUTSIDE_LINES:
		put_joined(value, at);
		return;
	case FIELD_EVENT_KIND:
		buf_put_string(value, event_kind_name(*(const enum event_kind *)at));
		return;
	case FIELD_LEVEL:
		buf_put_string(value, level_name(*(const enum level *)at));
		return;
	case FIELD_PART:
		buf_put_string(value, part_name(*(const enum part *)at));
		return;
	case FIELD_SIDE:
		buf_put_string(value, side_name(*(const enum side *)at));
		return;
	case FIELD_CAUSE:
		buf_put_string(value, cause_name(*(const enum cause *)at));
		return;
	case FIELD_STAGE:
		buf_put_string(value, stage_name(*(const enum stage *)at));
		return;
	case FIELD_FLAG:
		buf_put_string(value, *(const bool *)at ? "true" : "false");
		return;
	case FIELD_NUMBER:
		if (*(const int64_t *)at >= 0)
			buf_put_number(value, *(const int64_t *)at);
		return;
	case FIELD_ULID:
		put_ulid(value, *(const struct ulid *)at);
		return;
	case FIELD_TIME:
		put_time(value, *(const wall_t *)at, rendering);
		return;
	case FIELD_LABELS: /* many values: each walk has its own loop over them */
	case FIELD_FORM_COUNT:
		return;
	}
}

/* ---- the line */

/* What a value of the line may undergo where there is too little room. */
enum cut {
	CUT_WHOLE, /* left out */
	CUT_SHORT, /* ends early, at a character's or an escape's end */
};

/* A token, cut nowhere: a blank in it, which cannot be, would begin a member. */
static bool
put_token(struct buf *line, struct bytes value, size_t room)
{
	size_t most = line->len + room;

	for (;;) {
		size_t len = bytes_index(value, ' ');

		if (!escape_put_cut(line, bytes_first(value, len), ESCAPE_LOGFMT, most - line->len))
			return false;
		if (len == value.len)
			return true;
		if (line->len == most)
			return false;
		buf_put_byte(line, '_');
		value = bytes_from(value, len + 1);
	}
}

/*
 * Puts one member behind the others; prefix and name make its key.
 *   most  bytes that line may have then
 * Gives false where it did not go in whole.
 */
static bool
line_put(struct buf *line, const char *prefix, const char *name, struct bytes value, bool is_quoted,
	enum cut cut, size_t most)
{
	size_t before = line->len;
	size_t start;
	bool is_whole;

	if (line->len > 0)
		buf_put_byte(line, ' ');
	buf_put_format(line, "%s%s=%s", prefix, name, is_quoted ? "\"" : "");
	start = line->len + is_quoted; /* with the quote that closes */
	if (start > most) {
		buf_cut(line, before);
		return false;
	}
	if (!is_quoted) {
		is_whole = put_token(line, value, most - start);
	} else {
		is_whole = escape_put_cut(line, value, ESCAPE_LOGFMT, most - start);
		buf_put_byte(line, '"');
	}
	if (!is_whole && (cut == CUT_WHOLE || line->len == start))
		buf_cut(line, before);
	return is_whole;
}

static bool
form_is_quoted(enum field_form form)
{
	return form == FIELD_TEXT || form == FIELD_OUTSIDE || form == FIELD_OUTSIDE_LINES;
}

static bool
form_is_cut(enum field_form form)
{
	return form == FIELD_OUTSIDE || form == FIELD_OUTSIDE_LINES || form == FIELD_LABELS;
}

/* All that is never cut: level to what. */
static void
put_head(struct buf *head, const struct alert *event, struct buf *value)
{
	for (size_t i = 1; i < COUNT_OF(event_fields); i++) {
		const struct field *field = &event_fields[i];

		if (!(field->renderings & IN_LINE) || form_is_cut(field->form))
			continue;
		value_of(event, field, IN_LINE, value);
		if (value->len > 0)
			line_put(head, "", field->name, buf_bytes(value),
				form_is_quoted(field->form), CUT_WHOLE,
				LINE_MOST_BYTES - LINE_MSG_LEAST_BYTES);
	}
}

/* Whole labels; where one has no room, neither has anything behind it: false. */
static bool
put_labels(struct buf *line, const struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		if (!line_put(line, "label_", labels->items[i].name,
			    bytes_of(labels->items[i].value), true, CUT_WHOLE, LINE_MOST_BYTES))
			return false;
	}
	return true;
}

/*
 * What stands further left gets its room first, so what is cut is next, then reply, then detail,
 * then labels; msg only where the rest is longer than names and words should ever make it.
 */
void
alert_put_line(struct buf *out, const struct alert *event)
{
	struct buf head = { 0 };
	struct buf line = { 0 };
	struct buf value = { 0 };

	put_head(&head, event, &value);
	assert(event_fields[0].offset == offsetof(struct alert, msg));
	line_put(&line, "", event_fields[0].name, bytes_of(event->msg), true, CUT_SHORT,
		LINE_MOST_BYTES - 1 - head.len);
	buf_put_byte(&line, ' ');
	buf_put(&line, buf_bytes(&head));
	for (size_t i = 1; i < COUNT_OF(event_fields); i++) {
		const struct field *field = &event_fields[i];

		if (!(field->renderings & IN_LINE) || !form_is_cut(field->form))
			continue;
		if (field->form == FIELD_LABELS && !put_labels(&line, &event->labels))
			break;
		value_of(event, field, IN_LINE, &value);
		if (value.len > 0)
			line_put(&line, "", field->name, buf_bytes(&value), true, CUT_SHORT,
				LINE_MOST_BYTES);
	}
	buf_put(out, buf_bytes(&line));
	out->is_failed |= head.is_failed || line.is_failed || value.is_failed;
	buf_done(&head);
	buf_done(&line);
	buf_done(&value);
}

/* ---- JSON */

static bool
is_there(const struct alert *event, const struct field *field, const struct buf *value)
{
	if (field->form == FIELD_LABELS)
		return event->labels.count > 0;
	if (field->form == FIELD_OUTSIDE_LINES)
		return ((const struct texts *)member_of(event, field))->count > 0;
	return value->len > 0;
}

void
alert_put_json(struct buf *out, const struct alert *event)
{
	struct buf value = { 0 };
	char before = '{';

	for (size_t i = 0; i < COUNT_OF(event_fields); i++) {
		const struct field *field = &event_fields[i];

		if (!(field->renderings & IN_JSON))
			continue;
		value_of(event, field, IN_JSON, &value);
		if (!is_there(event, field, &value))
			continue;
		buf_put_byte(out, before);
		before = ',';
		json_put_text(out, bytes_of(field->name));
		buf_put_byte(out, ':');
		if (field->form == FIELD_LABELS)
			labels_put_json(out, &event->labels);
		else if (field->form == FIELD_OUTSIDE_LINES)
			texts_put_json(out, member_of(event, field));
		else if (field->form == FIELD_FLAG || field->form == FIELD_NUMBER)
			buf_put(out, buf_bytes(&value));
		else
			json_put_text(out, buf_bytes(&value));
	}
	buf_put_byte(out, '}');
	out->is_failed |= value.is_failed;
	buf_done(&value);
}

/* ---- the journal's own form (systemd, JOURNAL_NATIVE_PROTOCOL) */

/* A value as journalctl may print it: line ends stay, all else that is not printable is escaped. */
static void
put_printable(struct buf *out, struct bytes value)
{
	for (;;) {
		size_t len = bytes_index(value, '\n');

		escape_put(out, bytes_first(value, len), ESCAPE_TERMINAL);
		if (len == value.len)
			return;
		buf_put_byte(out, '\n');
		value = bytes_from(value, len + 1);
	}
}

/* Behind a field's name: =value, or for a value with line ends its length in 64 bits (little
 * endian) and the value, each on a line of its own. */
static void
journal_put(struct buf *out, struct bytes value)
{
	struct buf shown = { 0 };

	put_printable(&shown, value);
	if (bytes_index(buf_bytes(&shown), '\n') == shown.len) {
		buf_put_byte(out, '=');
	} else {
		buf_put_byte(out, '\n');
		for (unsigned shift = 0; shift < 64; shift += 8)
			buf_put_byte(out, (char)((uint64_t)shown.len >> shift & 0xff));
	}
	buf_put(out, buf_bytes(&shown));
	buf_put_byte(out, '\n');
	out->is_failed |= shown.is_failed;
	buf_done(&shown);
}

static void
put_labels_journal(struct buf *out, const char *journal, const struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		buf_put_format(out, "MBOXWATCH_%s", journal);
		for (const char *at = labels->items[i].name; *at; at++)
			buf_put_byte(
				out, byte_upper(*at)); /* [a-z][a-z0-9_]*, so no two become one */
		journal_put(out, bytes_of(labels->items[i].value));
	}
}

void
alert_put_journal(struct buf *out, const struct alert *event, struct bytes line)
{
	struct buf value = { 0 };

	buf_put_string(out, "MESSAGE");
	journal_put(out, line);
	buf_put_format(out, "PRIORITY=%d\nMESSAGE_ID=%s\n", level_priority(event->level),
		event_row(event->kind)->message_id);
	buf_put_string(out, "SYSLOG_FACILITY=" SYSLOG_MAIL "\nSYSLOG_IDENTIFIER=mboxwatchd\n");
	for (size_t i = 0; i < COUNT_OF(event_fields); i++) {
		const struct field *field = &event_fields[i];

		if (!field->journal)
			continue;
		if (field->form == FIELD_LABELS)
			put_labels_journal(out, field->journal, &event->labels);
		value_of(event, field, IN_LINE, &value);
		if (value.len == 0)
			continue;
		buf_put_format(out, "MBOXWATCH_%s", field->journal);
		journal_put(out, buf_bytes(&value));
	}
	out->is_failed |= value.is_failed;
	buf_done(&value);
}

/* ---- told */

enum err
alert_render(const struct alert *event, struct told **out)
{
	struct told *told = calloc(1, sizeof(*told));
	struct buf line = { 0 };
	struct buf json = { 0 };
	struct buf journal = { 0 };

	alert_put_line(&line, event);
	alert_put_json(&json, event);
	alert_put_journal(&journal, event, buf_bytes(&line));
	if (!told || line.is_failed || json.is_failed || journal.is_failed)
		goto memory;
	told->id = event->id;
	told->kind = event->kind;
	told->level = event->level;
	told->time = event->time;
	told->journal_len = journal.len;
	told->line = buf_take(&line);
	told->json = buf_take(&json);
	told->journal = buf_take(&journal);
	*out = told;
	return ERR_OK;
memory:
	free(told);
	buf_done(&line);
	buf_done(&json);
	buf_done(&journal);
	return ERR_MEMORY;
}

struct told *
told_hold(struct told *told)
{
	__atomic_add_fetch(&told->more_owners, 1, __ATOMIC_RELAXED);
	return told;
}

void
told_free(struct told *told)
{
	if (!told || __atomic_fetch_sub(&told->more_owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(told->line);
	free(told->json);
	free(told->journal);
	free(told);
}

/* The string whose first byte is at the front of *rest; *rest goes behind its closing quote. */
static struct bytes
next_string(struct bytes *rest)
{
	struct bytes string = *rest;
	size_t len = 0;

	while (len < rest->len && rest->at[len] != '"')
		len += rest->at[len] == '\\' ? 2 : 1;
	string = bytes_first(string, len);
	*rest = bytes_from(*rest, len + 1);
	return string;
}

/* Over JSON that we wrote: no blanks between its parts. */
struct bytes
told_member(const struct told *told, struct bytes member)
{
	struct bytes rest = bytes_of(told->json);
	bool is_found = false; /* the next string of the outermost object is the one */
	int depth = 0;

	while (rest.len > 0) {
		char byte = rest.at[0];
		struct bytes string;

		rest = bytes_from(rest, 1);
		if (byte == '{' || byte == '[')
			depth++;
		else if (byte == '}' || byte == ']')
			depth--;
		else if (byte == ',' && depth == 1)
			is_found = false;
		if (byte != '"')
			continue;
		string = next_string(&rest);
		if (depth != 1)
			continue;
		if (is_found)
			return string;
		is_found = rest.len > 0 && rest.at[0] == ':' && bytes_equal(string, member);
	}
	return BYTES_NONE;
}
