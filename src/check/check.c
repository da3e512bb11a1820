/*
 * check.c: a check from its begin to its end: review, SMTP, IMAP. Layer: check.
 */
#include "check/inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/escape.h"
#include "diagnose/diagnose.h"

/* ---- life */

static void
put_item(struct buf *out, const char *setting, const char *message, const char *suggest)
{
	buf_put_string(out, out->len > 0 ? ",{\"setting\":" : "{\"setting\":");
	json_put_text(out, bytes_of(setting));
	buf_put_string(out, ",\"message\":");
	json_put_text(out, bytes_of(message));
	if (suggest && suggest[0]) {
		buf_put_string(out, ",\"suggest\":");
		json_put_text(out, bytes_of(suggest));
	}
	buf_put_byte(out, '}');
}

static void
on_item(void *owner, const struct review_item *item)
{
	put_item(owner, item->setting, item->message, item->suggest);
}

static void
put_review(struct buf *out, const struct check_start *start)
{
	const struct complaints *warnings = start->warnings;

	for (size_t i = 0; warnings && i < warnings->count; i++) {
		if (warnings->items[i].is_warning)
			put_item(out, warnings->items[i].setting, warnings->items[i].text, NULL);
	}
	review(start->review, on_item, out);
}

static bool
take_side(struct checked *checked, const struct mailbox_settings *settings, enum side side)
{
	if (!settings->sides[side])
		return true;
	checked->endpoint = endpoint_hold(settings->sides[side]);
	if (!settings->accounts[side])
		return true;
	checked->account_len = settings->account_lens[side];
	checked->account =
		bytes_copy((struct bytes){ settings->accounts[side], checked->account_len });
	return checked->account != NULL;
}

enum err
check_new(const struct check_start *start, struct check **out)
{
	const struct mailbox_settings *settings = start->settings;
	struct check *check = calloc(1, sizeof(*check));
	bool is_whole;

	if (!check)
		return ERR_MEMORY;
	check->calls = *start->calls;
	check->owner = start->owner;
	check->with_transcript = start->with_transcript;
	check->name = settings->name ? strdup(settings->name) : NULL;
	check->address = settings->address ? strdup(settings->address) : NULL;
	put_review(&check->review, start);
	is_whole = !check->name == !settings->name && !check->address == !settings->address &&
		   buf_err(&check->review) == ERR_OK;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		is_whole &= take_side(&check->sides[side], settings, (enum side)side);
	if (!is_whole || check_make_errands(check, start) != ERR_OK) {
		check_free(check);
		return ERR_MEMORY;
	}
	*out = check;
	return ERR_OK;
}

void
check_free(struct check *check)
{
	if (!check)
		return;
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		struct checked *checked = &check->sides[side];

		endpoint_free(checked->endpoint);
		errand_free(check->errands[side]);
		free(checked->account);
		texts_done(&checked->next);
		buf_done(&checked->verdict);
		buf_done(&checked->transcript);
	}
	buf_done(&check->review);
	free(check->name);
	free(check->address);
	free(check);
}

struct endpoint *
check_endpoint(const struct check *check, enum side side)
{
	return check->sides[side].endpoint;
}

struct errand *
check_errand(const struct check *check, enum side side)
{
	return check->errands[side];
}

struct bytes
check_account(const struct check *check, enum side side)
{
	return (struct bytes){ check->sides[side].account, check->sides[side].account_len };
}

/* ---- one side after the other */

/* The next side, or the end. */
static void
go_on(struct check *check)
{
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		struct checked *checked = &check->sides[side];

		if (!checked->endpoint || checked->is_ended)
			continue;
		step_begin(check, side);
		if (check->calls.probe(check->owner, side) != ERR_OK)
			check_skip(check, side, STAGE_CONFIG, CAUSE_LOCAL_LIMIT, "out of memory");
		return;
	}
	assert(!check->is_done);
	check->is_done = true;
	check->calls.done(check->owner);
}

void
check_begin(struct check *check)
{
	step_review(check);
	go_on(check);
}

void
check_passed(struct check *check, enum side side, const struct probe_step *step)
{
	step_stage(check, side, step->stage, true, step->took_us, step->detail);
}

void
check_ended(struct check *check, enum side side, struct verdict *verdict, struct bytes transcript)
{
	struct checked *checked = &check->sides[side];

	checked->is_ended = true;
	if (verdict->login == LOGIN_HELD && !verdict->detail)
		verdict_detail(verdict, "not tried: logins of this account with this secret are "
					"held after refused ones");
	if (check->with_transcript)
		buf_put(&checked->transcript, transcript);
	if (side == SIDE_IMAP)
		check_note_unsought(check, verdict);
	checked_take(check, side, verdict);
	if (side == SIDE_SMTP)
		check_was_sent(check);
	step_verdict(check, side, verdict);
	go_on(check);
}

void
check_skip(
	struct check *check, enum side side, enum stage stage, enum cause cause, const char *detail)
{
	struct verdict *verdict = verdict_new();

	if (verdict) {
		verdict->began = verdict->ended = wall_now();
		diagnose_cause(verdict, stage, cause);
		verdict_detail(verdict, "%s", detail);
		check_ended(check, side, verdict, BYTES_NONE);
		verdict_free(verdict);
	} else { /* no words can be kept: the side has failed, that is all */
		check->sides[side].is_ended = true;
		check->sides[side].cause = cause;
		go_on(check);
	}
}
