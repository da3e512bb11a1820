/*
 * select.h: selectors (contract 4): which mailboxes, or events, are meant. Layer: control, pure.
 *
 *   NAME            a mailbox by its name
 *   acme-*          names by a glob: * any run of letters, ? one
 *   @domain         mailboxes whose address lies in this domain
 *   host:GLOB       a side at this server
 *   state:WORD      failing, unknown, ok, paused, suspect (as in counts)
 *   cause:WORD      a side that is not ok for this cause
 *   label.KEY=GLOB
 *   incident:ID
 *
 * Several are an "or"; none is all. Compiled once; matching one mailbox against one selector is
 * bounded by their lengths.
 */
#ifndef CONTROL_SELECT_H
#define CONTROL_SELECT_H

#include "watch/watch.h"

#define SELECT_MOST 100 /* H5-13 */

struct select;

/* What is looked at: a mailbox, or an event's subject. Members that it has not are empty. */
struct subject {
	struct bytes name;
	struct bytes address;
	struct bytes hosts[SIDE_COUNT];
	bool has_state;
	enum part state; /* mailbox_state_class() */
	bool is_suspect;
	bool has_cause[SIDE_COUNT];
	enum cause causes[SIDE_COUNT];
	struct ulid incidents[SIDE_COUNT];
	const struct labels *labels;
};

struct subject subject_of_view(const struct watch_view *view);

/* ERR_MEMORY */
CHECKED enum err select_new(struct select **out);
void select_free(struct select *select);
/*
 * Adds what text says: selectors between blanks and commas; a text that begins with "label." is
 * one, whole. ERR_SYNTAX: not a selector (why has the words); ERR_LIMIT: more than SELECT_MOST;
 * ERR_MEMORY.
 */
CHECKED enum err select_add(struct select *select, struct bytes text, struct fault *why);
bool select_is_all(const struct select *select);
/* Names alone: then select_name() gives each, and nobody has to look at all mailboxes. */
bool select_is_names(const struct select *select);
size_t select_count(const struct select *select);
/* The name of selector i, empty where it is none. */
struct bytes select_name(const struct select *select, size_t i);
/* Whether a selector asks for labels (an event's must be read for it). */
bool select_has_label(const struct select *select);
bool select_matches(const struct select *select, const struct subject *subject);

/* Whether text is matched whole; ASCII case counts. */
bool glob_matches(struct bytes glob, struct bytes text);

#endif
