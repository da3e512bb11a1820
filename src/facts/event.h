/*
 * event.h: what is told: one event, its JSON (contract 5, EVENT) and its line (contract 6). Layer:
 * facts.
 *
 * Made in watch (or by the daemon for its own kinds), worded by diagnose/words.h, then rendered
 * once into a struct told: the two forms that everything later handles. Nothing is rendered twice.
 */
#ifndef FACTS_EVENT_H
#define FACTS_EVENT_H

#include "base/ulid.h"
#include "facts/verdict.h"

#define EVENT(name, word, level, message_id, when) EVENT_##name,
enum event_kind {
#include "facts/events.def"
	EVENT_COUNT
};
#undef EVENT

struct event_row {
	const char *word;
	enum level level;
	const char *message_id; /* 32 hex digits */
	const char *when;
};

const struct event_row *event_row(enum event_kind kind);
WORDS_DECLARE(event_kind);

#define MOST_LABELS 8
#define LABEL_NAME_MOST 32
#define LABEL_VALUE_MOST 64
#define LINE_MOST_BYTES 900 /* contract 6 */

struct label {
	char *name;
	char *value;
};

struct labels {
	struct label items[MOST_LABELS];
	size_t count;
};

void labels_done(struct labels *labels);
CHECKED enum err labels_copy(const struct labels *from, struct labels *out);
/* As an object of JSON; NULL: an empty one. */
void labels_put_json(struct buf *out, const struct labels *labels);

/*
 * An event (the name struct event is libevent's). Members that it has not are NULL, WALL_NONE, an
 * unset ulid, PART_NONE with has_parts false, -1 for counts. All strings are the event's own.
 * `endpoint` counts where has_endpoint; cause, stage and transient where has_cause. In the line
 * server, domain and members are the subject where there is no mailbox, else server and members
 * stand behind what hangs on endpoint.
 */
struct alert {
	enum event_kind kind;
	enum level level;
	struct ulid id;
	wall_t time;
	char *mailbox;
	char *address;
	bool has_parts;
	enum part parts[SIDE_COUNT];
	enum part delivery; /* PART_NONE: there is no test */
	char *state;
	char *was;
	char *server;
	char *domain; /* of addresses: an outage's */
	bool has_endpoint;
	enum side endpoint;
	bool has_cause;
	enum cause cause;
	enum stage stage;
	bool is_transient;
	wall_t since;
	wall_t until;
	struct ulid incident;
	struct ulid outage;
	int64_t members;
	char *trouble; /* member "kind" */
	char *what;
	struct labels labels;
	char *detail;
	struct texts reply;
	char *suggested; /* the first of next, by the verdict; NULL: nothing better than the table's
			  */
	char *advice;	 /* the next of it, by the provider; NULL: nothing */
	char *link;	 /* the provider's page; NULL: none */
	struct texts next;
	char *msg;  /* the line's msg: our own words and names alone */
	char *text; /* a sentence that is enough on its own */
};

/* Level as in events.def, all else as "has not". NULL where the allocator said no. */
struct alert *alert_new(enum event_kind kind);
/* NULL is fine. */
void alert_free(struct alert *event);

/* Both forms of an event. What the sinks, the store and the socket handle. */
struct told {
	int more_owners; /* beside the first; atomic; by told_hold() and told_free() alone */
	struct ulid id;
	enum event_kind kind;
	enum level level;
	wall_t time;
	char *line;    /* logfmt, LINE_MOST_BYTES at most, no line end */
	char *json;    /* one line, no line end */
	char *journal; /* the journal's native form: fields, ready to be sent (contract 6,
			  sd-journal's protocol) */
	size_t journal_len;
};

/* ERR_MEMORY */
CHECKED enum err alert_render(const struct alert *event, struct told **out);
/* A string member of a told event's JSON, as "mailbox" for selectors: borrowed, as it stands there
 * (escapes and all: for names and words, which have none); empty where it has none. */
struct bytes told_member(const struct told *told, struct bytes member);
/* One more owner; shared between threads, never changed once rendered. */
struct told *told_hold(struct told *told);
/* Drops one owner, the last frees. NULL is fine. */
void told_free(struct told *told);

void alert_put_json(struct buf *out, const struct alert *event);
void alert_put_line(struct buf *out, const struct alert *event);
void alert_put_journal(struct buf *out, const struct alert *event, struct bytes line);

#endif
