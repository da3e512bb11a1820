/*
 * rows_account.c: the row of an account, read; and what an unclean end makes of its bookings.
 * Layer: watch, pure. Writing is in rows.c.
 */
#include "watch/reading.h"

#include <stdlib.h>

static enum result
read_result(struct reading *reading, const json_t *object, const char *name)
{
	struct bytes word;

	if (!reading_text(reading, object, name, &word))
		return RESULT_NONE;
	if (bytes_equal(word, BYTES("accepted")))
		return RESULT_ACCEPTED;
	if (bytes_equal(word, BYTES("refused")))
		return RESULT_REFUSED;
	if (!bytes_equal(word, BYTES("none")))
		reading_wrong(reading, name);
	return RESULT_NONE;
}

static void
read_refusals(struct reading *reading, const json_t *object, struct tried *tried, bool is_supposed)
{
	const char *name = is_supposed ? "supposed" : "refused";
	const json_t *list = json_object_get(object, name);

	if (list && !json_is_array(list)) {
		reading_wrong(reading, name);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
			json_integer_value(value) > READING_TIME_MOST_US) {
			reading_wrong(reading, name);
			return;
		}
		tried_refused(tried, (wall_t){ json_integer_value(value) }, is_supposed);
	}
}

/* The counts look from the newest backwards. */
static int
by_time(const void *a, const void *b)
{
	int64_t first = ((const struct refusal *)a)->time.us;
	int64_t second = ((const struct refusal *)b)->time.us;

	return (first > second) - (first < second);
}

static void
read_tried(struct reading *reading, const json_t *object, struct account *account)
{
	struct fingerprint fingerprint = { 0 };
	struct tried *tried;

	reading_fingerprint(reading, object, &fingerprint);
	if (!reading->is_wrong && tried_find(account, fingerprint))
		reading_wrong(reading, "fingerprint (twice)");
	if (reading->is_wrong)
		return;
	tried = tried_add(account, fingerprint);
	if (!tried) {
		reading->is_short = true;
		return;
	}
	tried->has_cause = reading_cause(reading, object, &tried->cause);
	for (size_t side = 0; side < SIDE_COUNT; side++)
		tried->results[side] = read_result(reading, object, side_name((enum side)side));
	read_refusals(reading, object, tried, false);
	read_refusals(reading, object, tried, true);
	if (tried->count > 1)
		qsort(tried->refusals, tried->count, sizeof(*tried->refusals), by_time);
}

static void
read_last(struct reading *reading, struct account *account)
{
	const json_t *sides = json_object_get(reading->root, "last");

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const json_t *last = json_object_get(sides, side_name((enum side)side));

		if (!last)
			continue;
		reading_fingerprint(reading, last, &account->last[side].fingerprint);
		account->last[side].result = read_result(reading, last, "result");
	}
}

static void
read_brake(struct reading *reading, struct brake *brake)
{
	const json_t *object = json_object_get(reading->root, "brake");
	const json_t *step = json_object_get(object, "step");
	struct bytes name = BYTES_NONE;

	if (!object)
		return;
	brake->is_open = true;
	reading_wall(reading, object, "since", &brake->since);
	reading_wall(reading, object, "next_try", &brake->next_try);
	if (!json_is_integer(step) || json_integer_value(step) < 0 ||
		json_integer_value(step) > INT32_MAX)
		reading_wrong(reading, "step");
	else
		brake->step = (unsigned)json_integer_value(step);
	reading_flag(reading, object, "told", &brake->is_told);
	brake->has_cause = reading_cause(reading, object, &brake->cause);
	brake->has_side = reading_side(reading, object, &brake->side);
	if (!reading_text(reading, object, "mailbox", &name) || name.len > MAILBOX_NAME_MOST ||
		(brake->is_told && !mailbox_name_is_valid(name)))
		reading_wrong(reading, "mailbox");
	else
		memcpy(brake->mailbox, name.at, name.len);
}

static void
read_booked(struct reading *reading, struct account *account)
{
	const json_t *list = json_object_get(reading->root, "booked");

	if (json_array_size(list) > COUNT_OF(account->booked)) {
		reading_wrong(reading, "booked");
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *booked = json_array_get(list, i);

		reading_fingerprint(reading, booked, &account->booked[i].fingerprint);
		reading_wall(reading, booked, "time", &account->booked[i].time);
		if (!wall_is_set(account->booked[i].time))
			reading_wrong(reading, "time");
		account->booked_count = i + 1;
	}
}

/* When it was refused, booked or resumed last: it was so late already. */
static void
raise_held(struct watch *watch, const struct account *account)
{
	int64_t newest = account->resumed[RESUMES_MOST - 1].us;

	for (size_t i = 0; i < account->tried_count; i++) {
		const struct tried *tried = &account->tried[i];

		if (tried->count > 0 && tried->refusals[tried->count - 1].time.us > newest)
			newest = tried->refusals[tried->count - 1].time.us;
	}
	for (size_t i = 0; i < account->booked_count; i++) {
		if (account->booked[i].time.us > newest)
			newest = account->booked[i].time.us;
	}
	if (newest > watch->held.us)
		watch->held.us = newest;
}

void
reading_account(struct watch *watch, struct reading *reading, struct bytes key)
{
	char hex[ACCOUNT_KEY_LEN + 1] = { 0 };
	const json_t *list = json_object_get(reading->root, "tried");
	const json_t *resumed = json_object_get(reading->root, "resumed");
	struct account *account;

	for (size_t i = 0; i < key.len; i++) {
		if (key.len != ACCOUNT_KEY_LEN || reading_hex_digit(key.at[i]) < 0) {
			reading_wrong(reading, "key");
			return;
		}
		hex[i] = key.at[i];
	}
	account = account_get_hex(watch, hex);
	if (!account) {
		reading->is_short = true;
		return;
	}
	if (account->has_row) {
		reading_wrong(reading, "key (twice)");
		return;
	}
	account->has_row = true;
	for (size_t i = 0; i < json_array_size(list) && !reading->is_short; i++)
		read_tried(reading, json_array_get(list, i), account);
	read_last(reading, account);
	read_brake(reading, &account->brake);
	read_booked(reading, account);
	for (size_t i = 0; i < RESUMES_MOST && i < json_array_size(resumed); i++) {
		int64_t time = json_integer_value(json_array_get(resumed, i));

		if (time < 0 || time > READING_TIME_MOST_US)
			reading_wrong(reading, "resumed");
		else
			account->resumed[i].us = time;
	}
	watch->brakes_open += account->brake.is_open;
	if (!reading->is_wrong)
		raise_held(watch, account);
	if (reading->is_wrong || reading->is_short)
		account_free(watch, account);
}

void
watch_restored(struct watch *watch, bool was_clean_end, struct ulid newest_event)
{
	struct account *account, *next;

	watch->is_restored = ulid_is_set(newest_event);
	ulid_source_raise(&watch->ids, newest_event);
	HASH_ITER (hh, watch->accounts, account, next) {
		size_t booked = account->booked_count;

		account->booked_count = 0;
		for (size_t i = 0; i < booked && !was_clean_end; i++) {
			struct tried *tried = tried_add(account, account->booked[i].fingerprint);

			if (tried)
				tried_refused(tried, account->booked[i].time, true);
			if (tried && tried->count > 1)
				qsort(tried->refusals, tried->count, sizeof(*tried->refusals),
					by_time);
		}
		if (booked > 0)
			row_keep_account(watch, account);
	}
}
