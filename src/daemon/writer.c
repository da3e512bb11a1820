/*
 * writer.c: the disk's thread. Layer: daemon.
 *
 * Group commit: the thread takes all turns that wait, writes them in one transaction, and what came
 * meanwhile is the next group; so a slow disk makes groups larger, never the queue.
 */
#define HASH_NONFATAL_OOM 1
#include "daemon/writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

#include "config/settings.h"

#define RETRY_MS 1000
#define LOOK_AFTER_US (10 * US_PER_S) /* H6-16: within a minute */
#define CLEAN_EVERY_EVENTS 500

/* A row that waits, by "kind/key". */
struct waiting_row {
	UT_hash_handle hh;
	struct writer_row row;
	char name[];
};

struct writer {
	struct store *store;
	struct queue *turns;
	struct queue *reports;
	pthread_t thread;
	atomic_bool is_ending;
	atomic_bool has_ended;
	/* of the thread alone */
	struct waiting_row *rows;
	struct told **events;
	size_t event_count;
	size_t event_room;
	struct writer_cursor cursors[STORE_SINKS_MOST];
	size_t cursor_count;
	const char *sinks[STORE_SINKS_MOST];
	size_t sink_count;
	bool are_sinks_stored;
	struct writer_page pages[STORE_SINKS_MOST]; /* by sink; most 0: none asked for */
	struct writer_change *changes;
	size_t change_count;
	uint64_t ticket;	/* of the last turn taken */
	uint64_t ticket_stored; /* reported */
	uint64_t lost;
	uint64_t dropped;
	bool is_failing;
	mono_t retry_at;
	char failing_why[sizeof(((struct fault *)0)->text)];
	size_t events_since_clean;
	mono_t look_after;
};

/* ---- turns, made by the main loop */

struct writer_turn *
writer_turn_new(uint64_t ticket)
{
	struct writer_turn *turn = calloc(1, sizeof(*turn));

	if (turn)
		turn->ticket = ticket;
	return turn;
}

/* Room for one more item in an array that doubles. */
static void *
grown(void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items; /* room is the next power of two */
	return reallocarray(items, count ? count * 2 : 1, size);
}

enum err
writer_turn_row(struct writer_turn *turn, enum row_kind kind, char *key, char *value)
{
	struct writer_row *rows = grown(turn->rows, turn->row_count, sizeof(*rows));

	if (!rows) {
		free(key);
		free(value);
		return ERR_MEMORY;
	}
	turn->rows = rows;
	turn->rows[turn->row_count++] = (struct writer_row){ kind, key, value };
	return ERR_OK;
}

enum err
writer_turn_event(struct writer_turn *turn, struct told *told)
{
	struct told **events = grown(turn->events, turn->event_count, sizeof(*events));

	if (!events) {
		told_free(told);
		return ERR_MEMORY;
	}
	turn->events = events;
	turn->events[turn->event_count++] = told;
	return ERR_OK;
}

enum err
writer_turn_cursor(struct writer_turn *turn, const char *sink, struct ulid id)
{
	struct writer_cursor *cursors = grown(turn->cursors, turn->cursor_count, sizeof(*cursors));

	if (!cursors)
		return ERR_MEMORY;
	turn->cursors = cursors;
	turn->cursors[turn->cursor_count++] = (struct writer_cursor){ sink, id };
	return ERR_OK;
}

enum err
writer_turn_page(struct writer_turn *turn, struct writer_page page)
{
	struct writer_page *pages = grown(turn->pages, turn->page_count, sizeof(*pages));

	if (!pages)
		return ERR_MEMORY;
	turn->pages = pages;
	turn->pages[turn->page_count++] = page;
	return ERR_OK;
}

void
writer_change_done(struct writer_change *change)
{
	free(change->name);
	free(change->key_file);
	sealed_mailbox_free(change->mailbox);
	*change = (struct writer_change){ 0 };
}

enum err
writer_turn_change(struct writer_turn *turn, struct writer_change change)
{
	struct writer_change *changes = grown(turn->changes, turn->change_count, sizeof(*changes));

	if (!changes) {
		writer_change_done(&change);
		return ERR_MEMORY;
	}
	turn->changes = changes;
	turn->changes[turn->change_count++] = change;
	return ERR_OK;
}

static void
row_done(struct writer_row *row)
{
	free(row->key);
	free(row->value);
}

void
writer_turn_free(struct writer_turn *turn)
{
	if (!turn)
		return;
	for (size_t i = 0; i < turn->row_count; i++)
		row_done(&turn->rows[i]);
	for (size_t i = 0; i < turn->event_count; i++)
		told_free(turn->events[i]);
	free(turn->rows);
	free(turn->events);
	free(turn->cursors);
	for (size_t i = 0; i < turn->change_count; i++)
		writer_change_done(&turn->changes[i]);
	free(turn->changes);
	free(turn->pages);
	free(turn);
}

/* ---- what waits in the thread */

static enum err
wait_row(struct writer *writer, struct writer_row *row)
{
	size_t len = strlen(row->key);
	struct waiting_row *known = NULL;
	struct waiting_row *waiting = calloc(1, sizeof(*waiting) + len + 2);

	if (!waiting)
		return ERR_MEMORY;
	waiting->name[0] = (char)('a' + row->kind);
	memcpy(waiting->name + 1, row->key, len + 1);
	HASH_FIND(hh, writer->rows, waiting->name, len + 1, known);
	if (known) {
		free(waiting);
		row_done(&known->row);
	} else {
		known = waiting;
		HASH_ADD_KEYPTR(hh, writer->rows, known->name, len + 1, known);
	}
	known->row = *row;
	*row = (struct writer_row){ 0 };
	return ERR_OK;
}

static enum err
wait_event(struct writer *writer, struct told **told)
{
	struct told **events;

	if (writer->event_count >= WRITER_MOST_WAITING)
		return ERR_LIMIT; /* told from memory all the same; only its row is lost */
	if (writer->event_count == writer->event_room) {
		size_t room = writer->event_room ? writer->event_room * 2 : 16;

		events = reallocarray(writer->events, room, sizeof(struct told *));
		if (!events)
			return ERR_MEMORY;
		writer->events = events;
		writer->event_room = room;
	}
	writer->events[writer->event_count++] = *told;
	*told = NULL;
	return ERR_OK;
}

static void
wait_cursor(struct writer *writer, const struct writer_cursor *cursor)
{
	for (size_t i = 0; i < writer->cursor_count; i++) {
		if (writer->cursors[i].sink == cursor->sink) {
			writer->cursors[i].id = cursor->id;
			return;
		}
	}
	if (writer->cursor_count < COUNT_OF(writer->cursors))
		writer->cursors[writer->cursor_count++] = *cursor;
}

static enum err
wait_change(struct writer *writer, struct writer_change *change)
{
	struct writer_change *changes =
		grown(writer->changes, writer->change_count, sizeof(*changes));

	if (!changes)
		return ERR_MEMORY;
	writer->changes = changes;
	writer->changes[writer->change_count++] = *change;
	*change = (struct writer_change){ 0 };
	return ERR_OK;
}

static void
report_change(
	struct writer *writer, struct writer_change *change, enum err err, const struct fault *why)
{
	struct writer_report *report = calloc(1, sizeof(*report));

	if (!report) {
		writer_change_done(change); /* whoever asked waits for its own deadline */
		return;
	}
	report->kind = WRITER_CHANGED;
	report->err = err;
	report->why = *why;
	report->change = *change;
	*change = (struct writer_change){ 0 };
	queue_put(writer->reports, &report->node);
}

static void
wait_turn(struct writer *writer, struct writer_turn *turn)
{
	/* What there is no room for is counted, and told with the next STORED; the rest goes on. */
	for (size_t i = 0; i < turn->row_count; i++)
		writer->lost += wait_row(writer, &turn->rows[i]) != ERR_OK;
	for (size_t i = 0; i < turn->event_count; i++)
		writer->lost += wait_event(writer, &turn->events[i]) != ERR_OK;
	for (size_t i = 0; i < turn->cursor_count; i++)
		wait_cursor(writer, &turn->cursors[i]);
	for (size_t i = 0; i < turn->page_count; i++)
		writer->pages[turn->pages[i].sink] = turn->pages[i];
	for (size_t i = 0; i < turn->change_count; i++) {
		if (wait_change(writer, &turn->changes[i]) != ERR_OK)
			report_change(writer, &turn->changes[i], ERR_MEMORY, &(struct fault){ "" });
	}
	writer->ticket = turn->ticket;
	writer_turn_free(turn);
}

static bool
has_waiting(const struct writer *writer)
{
	return writer->rows || writer->event_count || writer->cursor_count ||
	       writer->ticket != writer->ticket_stored;
}

static void
drop_waiting(struct writer *writer)
{
	struct waiting_row *row;
	struct waiting_row *next;

	HASH_ITER (hh, writer->rows, row, next) {
		HASH_DEL(writer->rows, row);
		row_done(&row->row);
		free(row);
	}
	for (size_t i = 0; i < writer->event_count; i++)
		told_free(writer->events[i]);
	writer->event_count = 0;
	writer->cursor_count = 0;
}

/* ---- writing and reading */

struct told *
writer_told_copy(const struct told *told)
{
	struct told *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->id = told->id;
	copy->kind = told->kind;
	copy->level = told->level;
	copy->time = told->time;
	copy->line = bytes_copy(bytes_of(told->line));
	copy->json = bytes_copy(bytes_of(told->json));
	copy->journal = bytes_copy((struct bytes){ told->journal, told->journal_len });
	copy->journal_len = told->journal_len;
	if (copy->line && copy->json && copy->journal)
		return copy;
	told_free(copy);
	return NULL;
}

/* *dropped: events that a sink will miss, once this is committed. */
static enum err
put_waiting(struct writer *writer, size_t *dropped, struct fault *why)
{
	struct waiting_row *row;
	struct waiting_row *next;
	enum err err = ERR_OK;

	HASH_ITER (hh, writer->rows, row, next) {
		err = store_put_row(
			writer->store, row->row.kind, bytes_of(row->row.key), row->row.value, why);
		if (err != ERR_OK)
			return err;
	}
	for (size_t i = 0; i < writer->event_count && err == ERR_OK; i++)
		err = store_put_event(writer->store, writer->events[i], why);
	for (size_t i = 0; i < writer->cursor_count && err == ERR_OK; i++)
		err = store_put_cursor(
			writer->store, writer->cursors[i].sink, writer->cursors[i].id, why);
	if (err == ERR_OK &&
		writer->events_since_clean + writer->event_count >= CLEAN_EVERY_EVENTS) {
		err = store_clean(writer->store, why);
		if (err == ERR_OK)
			err = store_clean_untaken(writer->store, dropped, why);
	}
	return err;
}

static enum err
write_waiting(struct writer *writer, struct fault *why)
{
	size_t dropped = 0;
	enum err err;

	if (!writer->rows && !writer->event_count && !writer->cursor_count)
		return ERR_OK; /* a turn with nothing in it */
	if (!writer->are_sinks_stored) {
		err = store_sinks(writer->store, writer->sinks, writer->sink_count, why);
		if (err != ERR_OK)
			return err;
		writer->are_sinks_stored = true;
	}
	err = store_begin(writer->store, why);
	if (err != ERR_OK)
		return err;
	err = put_waiting(writer, &dropped, why);
	if (err == ERR_OK)
		err = store_commit(writer->store, why);
	else
		store_rollback(writer->store);
	if (err == ERR_OK) {
		writer->dropped += dropped;
		writer->events_since_clean += writer->event_count;
		if (writer->events_since_clean >= CLEAN_EVERY_EVENTS)
			writer->events_since_clean = 0;
	}
	return err;
}

static void
report(struct writer *writer, enum writer_report_kind kind, const struct fault *why)
{
	struct writer_report *report = calloc(1, sizeof(*report));

	if (!report)
		return; /* the next one says the same or more; outbox.c has its deadline */
	report->kind = kind;
	report->ticket = writer->ticket;
	report->lost = writer->lost;
	report->dropped = writer->dropped;
	if (why)
		report->why = *why;
	queue_put(writer->reports, &report->node);
}

static void
on_page_event(void *owner, const struct told *event)
{
	struct writer_report *report = owner;
	struct told **events;
	struct told *copy;

	if (report->err != ERR_OK)
		return; /* a gap would be for ever */
	events = grown(report->events, report->event_count, sizeof(*events));
	if (events)
		report->events = events;
	copy = events ? writer_told_copy(event) : NULL;
	if (copy)
		report->events[report->event_count++] = copy;
	else
		report->err = ERR_MEMORY;
}

/* Behind what was just written, so that an event is either in the page or in a later STORED. */
static void
read_pages(struct writer *writer)
{
	for (size_t i = 0; i < COUNT_OF(writer->pages); i++) {
		struct writer_page page = writer->pages[i];
		struct writer_report *report;
		enum err err;

		if (page.most == 0)
			continue;
		writer->pages[i].most = 0;
		report = calloc(1, sizeof(*report));
		if (!report)
			continue; /* outbox.c asks again */
		report->kind = WRITER_PAGE;
		report->sink = page.sink;
		err = store_events(
			writer->store, page.after, page.most, on_page_event, report, &report->why);
		if (report->err == ERR_OK)
			report->err = err;
		queue_put(writer->reports, &report->node);
	}
}

static void
write_round(struct writer *writer, bool is_last)
{
	struct fault why = { "" };

	if (!has_waiting(writer))
		return;
	if (writer->is_failing && !is_last && mono_is_before(mono_now(), writer->retry_at))
		return; /* not all that waits anew with each turn that comes */
	if (write_waiting(writer, &why) == ERR_OK) {
		drop_waiting(writer);
		writer->ticket_stored = writer->ticket;
		report(writer, WRITER_STORED, NULL);
		if (writer->is_failing)
			report(writer, WRITER_WELL, NULL);
		writer->is_failing = false;
		return;
	}
	writer->retry_at = mono_add(mono_now(), RETRY_MS * US_PER_MS);
	if (!writer->is_failing || strcmp(writer->failing_why, why.text) != 0) {
		writer->is_failing = true;
		memcpy(writer->failing_why, why.text, sizeof(why.text));
		report(writer, WRITER_FAILING, &why);
	}
}

/* Those that cannot be sealed are told and fall out; what is left is in order. */
static void
seal_changes(struct writer *writer)
{
	size_t left = 0;

	for (size_t i = 0; i < writer->change_count; i++) {
		struct writer_change *change = &writer->changes[i];
		struct fault why = { "" };
		enum err err = ERR_OK;

		if (change->mailbox)
			err = settings_seal(change->mailbox, change->key_file, &why);
		if (err == ERR_OK)
			writer->changes[left++] = *change;
		else
			report_change(writer, change, err, &why);
	}
	writer->change_count = left;
}

/* All that came together in one transaction: many clients share one sync of the disk. */
static void
make_changes(struct writer *writer)
{
	struct fault why = { "" };
	struct store_change *changes;
	enum err err = ERR_MEMORY;

	seal_changes(writer);
	if (writer->change_count == 0)
		return;
	changes = calloc(writer->change_count, sizeof(*changes));
	for (size_t i = 0; i < writer->change_count && changes; i++)
		changes[i] = (struct store_change){ writer->changes[i].name,
			writer->changes[i].mailbox };
	if (changes)
		err = store_change_mailboxes(writer->store, changes, writer->change_count, &why);
	free(changes);
	for (size_t i = 0; i < writer->change_count; i++)
		report_change(writer, &writer->changes[i], err, &why);
	writer->change_count = 0;
}

/* The trouble is over with the next turn: its own event's. */
static void
look_after_file(struct writer *writer)
{
	struct fault why = { "" }, told = { "" };
	enum store_look look;
	enum err err;

	if (mono_is_before(mono_now(), writer->look_after))
		return;
	writer->look_after = mono_add(mono_now(), LOOK_AFTER_US);
	err = store_look_after(writer->store, &look, &why);
	if (look == STORE_STANDS)
		return;
	if (look == STORE_WAS_SHUT) {
		writer->are_sinks_stored = false;
		report(writer, WRITER_ANEW, &why);
		return;
	}
	if (err == ERR_OK)
		fault_set(&told, "state.db was gone and was written anew");
	else
		fault_set(&told, "state.db is gone and cannot be written anew: %.300s", why.text);
	if (writer->is_failing && strcmp(writer->failing_why, told.text) == 0)
		return;
	writer->is_failing = true;
	memcpy(writer->failing_why, told.text, sizeof(told.text));
	report(writer, WRITER_FAILING, &told);
}

static void *
writer_run(void *arg)
{
	struct writer *writer = arg;
	bool is_ending = false;

	while (!is_ending) {
		struct pollfd wait = { .fd = queue_fd(writer->turns), .events = POLLIN };
		struct queue_node *node;

		poll(&wait, 1, RETRY_MS);
		/* Read before the queue: a turn put before the end was asked for is written. */
		is_ending = atomic_load(&writer->is_ending);
		for (node = queue_take(writer->turns); node;) {
			struct queue_node *next = node->next;

			wait_turn(writer, CONTAINER_OF(node, struct writer_turn, node));
			node = next;
		}
		write_round(writer, is_ending);
		make_changes(writer);
		read_pages(writer);
		look_after_file(writer);
	}
	atomic_store(&writer->has_ended, true);
	return NULL;
}

/* ---- life */

static void
drop_turn(struct queue_node *node)
{
	writer_turn_free(CONTAINER_OF(node, struct writer_turn, node));
}

static void
drop_report(struct queue_node *node)
{
	writer_report_free(CONTAINER_OF(node, struct writer_report, node));
}

static void
writer_free(struct writer *writer)
{
	queue_free(writer->turns, drop_turn);
	queue_free(writer->reports, drop_report);
	drop_waiting(writer);
	for (size_t i = 0; i < writer->change_count; i++)
		writer_change_done(&writer->changes[i]);
	free(writer->changes);
	free(writer->events);
	store_close(writer->store);
	free(writer);
}

enum err
writer_start(struct store *store, const char *const *sinks, size_t sink_count,
	bool are_sinks_stored, struct writer **out, struct fault *why)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	enum err err;

	if (!writer) {
		store_close(store);
		return ERR_MEMORY;
	}
	writer->store = store;
	for (size_t i = 0; i < sink_count && i < STORE_SINKS_MOST; i++)
		writer->sinks[writer->sink_count++] = sinks[i];
	writer->are_sinks_stored = are_sinks_stored;
	err = queue_new(&writer->turns);
	if (err == ERR_OK)
		err = queue_new(&writer->reports);
	if (err == ERR_OK) {
		int number = pthread_create(&writer->thread, NULL, writer_run, writer);

		if (number != 0) {
			fault_set(why, "cannot make the writer's thread: %s", strerror(number));
			err = ERR_IO;
		}
	}
	if (err != ERR_OK) {
		writer_free(writer);
		return err;
	}
	*out = writer;
	return ERR_OK;
}

void
writer_put(struct writer *writer, struct writer_turn *turn)
{
	queue_put(writer->turns, &turn->node);
}

struct queue *
writer_reports(struct writer *writer)
{
	return writer->reports;
}

void
writer_report_free(struct writer_report *report)
{
	for (size_t i = 0; i < report->event_count; i++)
		told_free(report->events[i]);
	free(report->events);
	writer_change_done(&report->change);
	free(report);
}

bool
writer_end(struct writer *writer, mono_t deadline)
{
	struct writer_turn *last = writer_turn_new(UINT64_MAX); /* wakes it */

	atomic_store(&writer->is_ending, true);
	if (last)
		queue_put(writer->turns, &last->node);
	while (!atomic_load(&writer->has_ended)) {
		if (!mono_is_before(mono_now(), deadline))
			return false;
		poll(NULL, 0, 5);
	}
	pthread_join(writer->thread, NULL);
	writer_free(writer);
	return true;
}
