/*
 * rows.c: what lasts, written as JSON. Layer: watch, pure. Reading is in rows_read.c; both name the
 * same members.
 */
#include "watch/inside.h"

#include "base/escape.h"

#include <stdlib.h>

#define ROW_CLEAN "clean"
#define ROW_TROUBLE "trouble/"

/* ---- members */

static void
put_name(struct buf *out, const char *name)
{
	if (out->len > 0 && out->at[out->len - 1] != '{' && out->at[out->len - 1] != '[')
		buf_put_byte(out, ',');
	buf_put_format(out, "\"%s\":", name);
}

static void
put_word(struct buf *out, const char *name, const char *word)
{
	put_name(out, name);
	json_put_text(out, bytes_of(word));
}

static void
put_wall(struct buf *out, const char *name, wall_t time)
{
	if (!wall_is_set(time))
		return;
	put_name(out, name);
	buf_put_number(out, time.us);
}

static void
put_flag(struct buf *out, const char *name, bool flag)
{
	if (!flag)
		return;
	put_name(out, name);
	buf_put_string(out, "true");
}

static void
put_fingerprint(struct buf *out, const char *name, struct fingerprint fingerprint)
{
	put_name(out, name);
	buf_put_byte(out, '"');
	buf_put_hex(
		out, (struct bytes){ (const char *)fingerprint.bytes, sizeof(fingerprint.bytes) });
	buf_put_byte(out, '"');
}

static void
keep(struct watch *watch, enum row_kind kind, char *key, struct buf *value)
{
	char *text;

	buf_put_byte(value, '}');
	text = buf_take(value);
	if (!key || !text) {
		free(key);
		free(text);
		return; /* H6-19: the row stays as it was; the next change writes it */
	}
	watch_command(watch, &(struct watch_command){
				     .kind = WATCH_KEEP, .row = kind, .key = key, .value = text });
}

void
row_forget(struct watch *watch, enum row_kind kind, const char *key)
{
	char *copy = strdup(key);

	if (copy)
		watch_command(watch,
			&(struct watch_command){ .kind = WATCH_FORGET, .row = kind, .key = copy });
}

/* ---- endpoints and mailboxes */

char *
row_endpoint_key(const char *name, enum side side)
{
	struct buf key = { 0 };

	buf_put_string(&key, name);
	buf_put_byte(&key, '/');
	buf_put_string(&key, side_name(side));
	return buf_take(&key);
}

void
row_keep_endpoint(struct watch *watch, const struct watched *endpoint)
{
	struct buf row = { 0 };
	bool is_suspect = endpoint->state == ENDPOINT_SUSPECT;

	buf_put_byte(&row, '{');
	put_word(&row, "state",
		part_name(endpoint->part)); /* suspicion begins anew after a restart */
	put_wall(&row, "since", endpoint->since);
	if (endpoint->has_cause && !is_suspect) {
		put_word(&row, "cause", cause_name(endpoint->cause));
		put_word(&row, "stage", stage_name(endpoint->stage));
	}
	if (ulid_is_set(endpoint->incident)) {
		put_name(&row, "incident");
		buf_put_byte(&row, '"');
		ulid_put(&row, endpoint->incident);
		buf_put_byte(&row, '"');
		put_wall(&row, "incident_since", endpoint->incident_since);
	}
	put_flag(&row, "unknown_told", endpoint->is_unknown_told);
	put_wall(&row, "last_ok", endpoint->last_ok);
	put_wall(&row, "last_probe", endpoint->last_probe);
	if (endpoint->verdict && !is_suspect) {
		put_name(&row, "verdict");
		verdict_put_json(&row, endpoint->verdict, true, NULL);
	}
	keep(watch, ROW_ENDPOINT, row_endpoint_key(endpoint->mailbox->name, endpoint->side), &row);
}

void
row_keep_mailbox(struct watch *watch, const struct mailbox *mailbox)
{
	struct buf row = { 0 };

	buf_put_byte(&row, '{');
	for (size_t side = 0; side < SIDE_COUNT; side++)
		put_word(&row, side_name((enum side)side), part_name(mailbox->parts[side]));
	put_wall(&row, "since", mailbox->since);
	put_flag(&row, "paused", mailbox->is_paused);
	put_wall(&row, "paused_until", mailbox->paused_until);
	keep(watch, ROW_MAILBOX, strdup(mailbox->name), &row);
}

/* ---- accounts */

static const char *const result_words[RESULT_COUNT] = {
	[RESULT_NONE] = "none",
	[RESULT_ACCEPTED] = "accepted",
	[RESULT_REFUSED] = "refused",
};

static void
put_refusals(struct buf *row, const struct tried *tried, bool is_supposed)
{
	put_name(row, is_supposed ? "supposed" : "refused");
	buf_put_byte(row, '[');
	for (size_t i = 0, put = 0; i < tried->count; i++) {
		if (tried->refusals[i].is_supposed == is_supposed)
			buf_put_format(row, "%s%lld", put++ ? "," : "",
				(long long)tried->refusals[i].time.us);
	}
	buf_put_byte(row, ']');
}

static void
put_tried(struct buf *row, const struct tried *tried)
{
	buf_put_byte(row, '{');
	put_fingerprint(row, "fingerprint", tried->fingerprint);
	if (tried->has_cause)
		put_word(row, "cause", cause_name(tried->cause));
	for (size_t side = 0; side < SIDE_COUNT; side++)
		put_word(row, side_name((enum side)side), result_words[tried->results[side]]);
	put_refusals(row, tried, false);
	put_refusals(row, tried, true);
	buf_put_byte(row, '}');
}

static void
put_brake(struct buf *row, const struct brake *brake)
{
	put_name(row, "brake");
	buf_put_byte(row, '{');
	put_wall(row, "since", brake->since);
	put_wall(row, "next_try", brake->next_try);
	put_name(row, "step");
	buf_put_number(row, brake->step);
	put_flag(row, "told", brake->is_told);
	put_word(row, "mailbox", brake->mailbox);
	if (brake->has_cause)
		put_word(row, "cause", cause_name(brake->cause));
	if (brake->has_side)
		put_word(row, "side", side_name(brake->side));
	buf_put_byte(row, '}');
}

/* The logins whose secret may be out, and nobody knows the end of. */
static size_t
put_booked(struct buf *row, const struct account *account, wall_t now)
{
	size_t count = 0;

	for (const struct probe *probe = account->logins; probe; probe = probe->next_login) {
		if (probe->step != STEP_ALLOWED || !probe->is_booked)
			continue;
		if (count++ == 0) {
			put_name(row, "booked");
			buf_put_byte(row, '[');
		} else {
			buf_put_byte(row, ',');
		}
		buf_put_byte(row, '{');
		put_fingerprint(row, "fingerprint", probe->fingerprint);
		put_wall(row, "time", now);
		buf_put_byte(row, '}');
	}
	if (count > 0)
		buf_put_byte(row, ']');
	return count;
}

static void
put_last(struct buf *row, const struct account *account)
{
	put_name(row, "last");
	buf_put_byte(row, '{');
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct last_login *last = &account->last[side];

		if (last->result == RESULT_NONE)
			continue;
		put_name(row, side_name((enum side)side));
		buf_put_byte(row, '{');
		put_fingerprint(row, "fingerprint", last->fingerprint);
		put_word(row, "result", result_words[last->result]);
		buf_put_byte(row, '}');
	}
	buf_put_byte(row, '}');
}

void
row_keep_account(struct watch *watch, struct account *account)
{
	struct buf row = { 0 };
	size_t booked;

	buf_put_byte(&row, '{');
	booked = put_booked(&row, account, watch->held);
	if (!booked && account->tried_count == 0 && !account->brake.is_open &&
		watch->held.us - account->resumed[1].us >= US_PER_H) {
		buf_done(&row);
		if (account->has_row)
			row_forget(watch, ROW_ACCOUNT, account->key);
		account->has_row = false;
		return;
	}
	put_last(&row, account);
	put_name(&row, "tried");
	buf_put_byte(&row, '[');
	for (size_t i = 0; i < account->tried_count; i++) {
		if (i > 0)
			buf_put_byte(&row, ',');
		put_tried(&row, &account->tried[i]);
	}
	buf_put_byte(&row, ']');
	if (account->brake.is_open)
		put_brake(&row, &account->brake);
	put_name(&row, "resumed");
	buf_put_byte(&row, '[');
	for (size_t i = 0; i < RESUMES_MOST; i++)
		buf_put_format(&row, "%s%lld", i ? "," : "", (long long)account->resumed[i].us);
	buf_put_byte(&row, ']');
	account->has_row = true;
	keep(watch, ROW_ACCOUNT, strdup(account->key), &row);
}

/* ---- certificates */

static void
put_leaf(struct buf *row, const struct leaf *leaf)
{
	if (row->at[row->len - 1] != '[')
		buf_put_byte(row, ',');
	buf_put_byte(row, '{');
	put_name(row, "sha256");
	buf_put_byte(row, '"');
	buf_put_hex(row, (struct bytes){ (const char *)leaf->sha256, sizeof(leaf->sha256) });
	buf_put_byte(row, '"');
	put_word(row, "authority", leaf->authority);
	put_wall(row, "not_after", leaf->not_after);
	put_wall(row, "told", (wall_t){ leaf->told_us });
	buf_put_byte(row, '}');
}

void
row_keep_certificates(struct watch *watch, const struct leaf_place *place)
{
	struct buf row = { 0 };

	buf_put_byte(&row, '{');
	put_name(&row, "known");
	buf_put_byte(&row, '[');
	for (size_t i = 0; i < place->count && buf_err(&row) == ERR_OK; i++)
		put_leaf(&row, place->known[i]);
	buf_put_byte(&row, ']');
	keep(watch, ROW_CERTIFICATES, strdup(place->key), &row);
}

/* ---- the daemon */

void
row_keep_trouble(struct watch *watch, enum trouble trouble)
{
	const struct trouble_state *state = &watch->troubles[trouble];
	struct buf key = { 0 }, row = { 0 };

	buf_put_string(&key, ROW_TROUBLE);
	buf_put_string(&key, trouble_name(trouble));
	if (!state->is_open) {
		if (buf_err(&key) == ERR_OK)
			row_forget(watch, ROW_DAEMON, key.at);
		buf_done(&key);
		return;
	}
	buf_put_byte(&row, '{');
	put_wall(&row, "since", state->since);
	if (state->detail)
		put_word(&row, "detail", state->detail);
	keep(watch, ROW_DAEMON, buf_take(&key), &row);
}

void
row_keep_slowed(struct watch *watch, const struct server *server)
{
	struct buf key = { 0 }, row = { 0 };

	buf_put_format(&key, SLOW_KEY "%s", server->host);
	if (!server->slowed.is_open) {
		if (buf_err(&key) == ERR_OK)
			row_forget(watch, ROW_DAEMON, key.at);
		buf_done(&key);
		return;
	}
	buf_put_byte(&row, '{');
	put_wall(&row, "since", server->slowed.since);
	put_wall(&row, "until", server->slowed.until);
	keep(watch, ROW_DAEMON, buf_take(&key), &row);
}

void
row_keep_clean(struct watch *watch)
{
	struct buf row = { 0 };

	buf_put_byte(&row, '{');
	put_wall(&row, "time", watch->wall);
	keep(watch, ROW_DAEMON, strdup(ROW_CLEAN), &row);
}

void
row_forget_clean(struct watch *watch)
{
	row_forget(watch, ROW_DAEMON, ROW_CLEAN);
}

void
watch_keep_all(struct watch *watch)
{
	struct mailbox *mailbox, *next_mailbox;
	struct account *account, *next_account;
	struct leaf_place *place, *next_place;
	struct server *server, *next_server;

	HASH_ITER (hh, watch->by_name, mailbox, next_mailbox) {
		row_keep_mailbox(watch, mailbox);
		for (size_t side = 0; side < SIDE_COUNT; side++) {
			if (mailbox->sides[side])
				row_keep_endpoint(watch, mailbox->sides[side]);
		}
	}
	HASH_ITER (hh, watch->accounts, account, next_account)
		row_keep_account(watch, account);
	HASH_ITER (hh, watch->leaf_places, place, next_place)
		row_keep_certificates(watch, place);
	HASH_ITER (hh, watch->servers, server, next_server) {
		if (server->slowed.is_open)
			row_keep_slowed(watch, server);
	}
	for (size_t i = 0; i < TROUBLE_COUNT; i++) {
		if (watch->troubles[i].is_open)
			row_keep_trouble(watch, (enum trouble)i);
	}
}
