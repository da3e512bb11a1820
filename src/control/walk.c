/*
 * walk.c: all mailboxes that a selection means, worst first, without a list and without sorting.
 * Layer: control.
 *
 * Six passes over the indexes: failing, unknown, with a suspect side, ok, paused; last those that
 * changed their class behind the walker's back. A bit for each index keeps anything from coming
 * twice, so a walk over 100,000 mailboxes costs 12 KiB however slowly its reader takes them. Names
 * alone are looked up one by one.
 */
#include "control/inside.h"

#include "facts/mailbox.h"

#include <stdlib.h>

#define LOOK_AT_CLOCK_EVERY 64

enum err
walk_start(struct walk *walk, const struct watch *watch, const struct select *select)
{
	*walk = (struct walk){ .watch = watch, .select = select, .room = watch_room(watch) };
	walk->seen = calloc(walk->room / 8 + 1, 1);
	return walk->seen ? ERR_OK : ERR_MEMORY;
}

void
walk_done(struct walk *walk)
{
	free(walk->seen);
	walk->seen = NULL;
}

static unsigned
rank_of(const struct watch_view *view)
{
	switch (mailbox_state_class(view->parts)) {
	case PART_FAILING:
		return 0;
	case PART_PAUSED:
		return 4;
	case PART_OK:
		for (enum side side = 0; side < SIDE_COUNT; side++) {
			if (view->sides[side].is_present &&
				view->sides[side].state == ENDPOINT_SUSPECT)
				return 2;
		}
		return 3;
	default:
		return 1;
	}
}

/* A colon is in no name, so a cursor is none. */
void
walk_put_cursor(const struct walk *walk, struct buf *out)
{
	buf_put_format(out, "%u:%u", walk->pass, walk->at - 1);
}

enum err
walk_after(struct walk *walk, struct bytes cursor)
{
	size_t colon = bytes_index(cursor, ':');
	uint64_t pass, at;
	struct watch_view view;
	uint32_t mailbox;

	walk->is_paged = true;
	if (colon < cursor.len) {
		if (bytes_to_number(bytes_first(cursor, colon), WALK_PASSES - 1, &pass) != ERR_OK ||
			bytes_to_number(bytes_from(cursor, colon + 1), UINT32_MAX - 1, &at) !=
				ERR_OK)
			return ERR_NOT_FOUND;
		walk->pass = (unsigned)pass;
		walk->at = (uint32_t)at + 1;
		return ERR_OK;
	}
	if (!watch_find(walk->watch, cursor, &mailbox) || !watch_view(walk->watch, mailbox, &view))
		return ERR_NOT_FOUND;
	walk->pass = rank_of(&view);
	walk->at = mailbox + 1;
	return ERR_OK;
}

/* Whether this index is a mailbox that is selected and has not come. */
static bool
is_wanted(const struct walk *walk, uint32_t mailbox, struct watch_view *view)
{
	struct subject subject;

	if (mailbox >= walk->room || (walk->seen[mailbox / 8] & 1 << mailbox % 8) ||
		!watch_view(walk->watch, mailbox, view))
		return false;
	if (walk->pass < WALK_PASSES - 1 && rank_of(view) != walk->pass)
		return false;
	if (select_is_all(walk->select))
		return true;
	subject = subject_of_view(view);
	return select_matches(walk->select, &subject);
}

/* Names alone: the lowest index at or behind walk->at that one of them has; room: none. */
static uint32_t
next_named(const struct walk *walk)
{
	uint32_t least = walk->room, mailbox;

	for (size_t i = 0; i < select_count(walk->select); i++) {
		if (watch_find(walk->watch, select_name(walk->select, i), &mailbox) &&
			mailbox >= walk->at && mailbox < least)
			least = mailbox;
	}
	return least;
}

enum walk_step
walk_next(struct walk *walk, mono_t end, uint32_t *mailbox, struct watch_view *view)
{
	/* Who takes a part only does not get those that changed: they are in another part. */
	unsigned passes = walk->is_paged ? WALK_PASSES - 1 : WALK_PASSES;
	bool is_names = select_is_names(walk->select);
	unsigned looked = 0;

	for (; walk->pass < passes; walk->pass++, walk->at = 0) {
		for (;;) {
			if (is_names)
				walk->at = next_named(walk);
			if (walk->at >= walk->room)
				break;
			if (++looked % LOOK_AT_CLOCK_EVERY == 0 && !mono_is_before(mono_now(), end))
				return WALK_AGAIN;
			if (is_wanted(walk, walk->at++, view)) {
				*mailbox = walk->at - 1;
				walk->seen[*mailbox / 8] |= (uint8_t)(1 << *mailbox % 8);
				return WALK_FOUND;
			}
		}
	}
	return WALK_END;
}
