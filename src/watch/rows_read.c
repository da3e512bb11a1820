/*
 * rows_read.c: rows of the store, read before the first configure; every value checked. Layer: watch, pure.
 * A row is another program's bytes (an old version, a damaged disk, a hand with sqlite3): what cannot be is refused
 * whole, and the caller goes on with the rest (H6-08).
 */
#include "watch/inside.h"

#include <jansson.h>
#include <stdlib.h>

#define TIME_MOST_US (INT64_C(4102444800) * US_PER_S) /* the year 2100 */

/* ---- members; what is missing is left as it was, what is wrong ends the reading */

struct reading {
	json_t *root;
	bool is_wrong;
	bool is_short; /* of memory */
	const char *member;
};

static void
wrong(struct reading *reading, const char *member)
{
	if (!reading->is_wrong)
		reading->member = member;
	reading->is_wrong = true;
}

static void
read_wall(struct reading *reading, const json_t *object, const char *name, wall_t *out)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return;
	if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
		json_integer_value(value) > TIME_MOST_US)
		wrong(reading, name);
	else
		out->us = json_integer_value(value);
}

static void
read_flag(struct reading *reading, const json_t *object, const char *name, bool *out)
{
	const json_t *value = json_object_get(object, name);

	if (value && !json_is_boolean(value))
		wrong(reading, name);
	else if (value)
		*out = json_is_true(value);
}

/* False where there is none, or it is wrong. */
static bool
read_text(struct reading *reading, const json_t *object, const char *name, struct bytes *out)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return false;
	if (!json_is_string(value)) {
		wrong(reading, name);
		return false;
	}
	*out = (struct bytes){ json_string_value(value), json_string_length(value) };
	return true;
}

static bool
read_cause(struct reading *reading, const json_t *object, enum cause *out)
{
	struct bytes word;

	if (!read_text(reading, object, "cause", &word))
		return false;
	if (cause_from_name(word, out) != ERR_OK)
		wrong(reading, "cause");
	return true;
}

static int
hex_digit(char byte)
{
	if (byte_is_digit(byte))
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void
read_fingerprint(struct reading *reading, const json_t *object, struct fingerprint *out)
{
	struct bytes hex = BYTES_NONE;

	if (!read_text(reading, object, "fingerprint", &hex) ||
		hex.len != 2 * sizeof(out->bytes)) {
		wrong(reading, "fingerprint");
		return;
	}
	for (size_t i = 0; i < sizeof(out->bytes); i++) {
		int high = hex_digit(hex.at[2 * i]), low = hex_digit(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			wrong(reading, "fingerprint");
		else
			out->bytes[i] = (uint8_t)(high << 4 | low);
	}
}

static void
read_part(struct reading *reading, const json_t *object, const char *name, enum part *out)
{
	struct bytes word;

	if (!read_text(reading, object, name, &word) || part_from_name(word, out) != ERR_OK)
		wrong(reading, name);
}

static bool
read_side(struct reading *reading, const json_t *object, enum side *out)
{
	struct bytes word;

	if (!read_text(reading, object, "side", &word))
		return false;
	if (side_from_name(word, out) != ERR_OK)
		wrong(reading, "side");
	return true;
}

/* ---- endpoints and mailboxes: kept aside until a configure names them */

struct stored *
stored_find(const struct watch *watch, const char *key)
{
	struct stored *stored;

	HASH_FIND_STR(watch->stored, key, stored);
	return stored;
}

void
stored_free(struct watch *watch, struct stored *stored)
{
	HASH_DEL(watch->stored, stored);
	verdict_free(stored->endpoint.verdict);
	free(stored->key);
	free(stored);
}

static struct stored *
stored_add(struct watch *watch, struct reading *reading, enum row_kind kind, struct bytes key)
{
	struct stored *stored = calloc(1, sizeof(*stored));

	if (!stored || !(stored->key = bytes_copy(key)))
		goto failed;
	if (stored_find(watch, stored->key)) {
		wrong(reading, "key (twice)");
		goto failed;
	}
	stored->kind = kind;
	HASH_ADD_KEYPTR(hh, watch->stored, stored->key, key.len, stored);
	if (stored->hh.tbl)
		return stored;
failed:
	reading->is_short = !reading->is_wrong;
	if (stored)
		free(stored->key);
	free(stored);
	return NULL;
}

static void
read_verdict(struct reading *reading, struct watched *endpoint)
{
	const json_t *value = json_object_get(reading->root, "verdict");
	char *text;

	if (!value)
		return;
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		reading->is_short = true;
	else if (verdict_from_json(bytes_of(text), &endpoint->verdict) != ERR_OK)
		wrong(reading, "verdict");
	free(text);
}

static void
read_endpoint(struct reading *reading, struct watched *endpoint)
{
	struct bytes text;

	read_part(reading, reading->root, "state", &endpoint->part);
	switch (endpoint->part) {
	case PART_OK:
		endpoint->state = ENDPOINT_OK;
		break;
	case PART_FAILING:
		endpoint->state = ENDPOINT_FAILING;
		break;
	case PART_UNKNOWN:
		endpoint->state = ENDPOINT_UNKNOWN;
		break;
	default:
		wrong(reading, "state");
	}
	read_wall(reading, reading->root, "since", &endpoint->since);
	endpoint->has_cause = read_cause(reading, reading->root, &endpoint->cause);
	if (read_text(reading, reading->root, "stage", &text) &&
		stage_from_name(text, &endpoint->stage) != ERR_OK)
		wrong(reading, "stage");
	if (read_text(reading, reading->root, "incident", &text) &&
		ulid_parse(text, &endpoint->incident) != ERR_OK)
		wrong(reading, "incident");
	endpoint->incident_since = endpoint->since;
	read_wall(reading, reading->root, "incident_since", &endpoint->incident_since);
	read_flag(reading, reading->root, "unknown_told", &endpoint->is_unknown_told);
	read_wall(reading, reading->root, "last_ok", &endpoint->last_ok);
	read_wall(reading, reading->root, "last_probe", &endpoint->last_probe);
	if (endpoint->state == ENDPOINT_FAILING &&
		(!ulid_is_set(endpoint->incident) || !endpoint->has_cause ||
			!wall_is_set(endpoint->since)))
		wrong(reading, "incident");
	if (!reading->is_wrong)
		read_verdict(reading, endpoint);
}

static void
restore_endpoint(struct watch *watch, struct reading *reading, struct bytes key)
{
	size_t slash = bytes_index(key, '/');
	enum side side;
	struct stored *stored;

	if (!mailbox_name_is_valid(bytes_first(key, slash)) ||
		side_from_name(bytes_from(key, slash + 1), &side) != ERR_OK) {
		wrong(reading, "key");
		return;
	}
	stored = stored_add(watch, reading, ROW_ENDPOINT, key);
	if (!stored)
		return;
	stored->endpoint.side = side;
	read_endpoint(reading, &stored->endpoint);
	if (reading->is_wrong || reading->is_short)
		stored_free(watch, stored);
}

static void
restore_mailbox(struct watch *watch, struct reading *reading, struct bytes key)
{
	struct stored *stored;

	if (!mailbox_name_is_valid(key)) {
		wrong(reading, "key");
		return;
	}
	stored = stored_add(watch, reading, ROW_MAILBOX, key);
	if (!stored)
		return;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		read_part(reading, reading->root, side_name((enum side)side), &stored->parts[side]);
	read_wall(reading, reading->root, "since", &stored->since);
	read_flag(reading, reading->root, "paused", &stored->is_paused);
	read_wall(reading, reading->root, "paused_until", &stored->paused_until);
	if (reading->is_wrong)
		stored_free(watch, stored);
}

/* ---- accounts */

static enum result
read_result(struct reading *reading, const json_t *object, const char *name)
{
	struct bytes word;

	if (!read_text(reading, object, name, &word))
		return RESULT_NONE;
	if (bytes_equal(word, BYTES("accepted")))
		return RESULT_ACCEPTED;
	if (bytes_equal(word, BYTES("refused")))
		return RESULT_REFUSED;
	if (!bytes_equal(word, BYTES("none")))
		wrong(reading, name);
	return RESULT_NONE;
}

static void
read_refusals(struct reading *reading, const json_t *object, struct tried *tried, bool is_supposed)
{
	const char *name = is_supposed ? "supposed" : "refused";
	const json_t *list = json_object_get(object, name);

	if (list && !json_is_array(list)) {
		wrong(reading, name);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
			json_integer_value(value) > TIME_MOST_US) {
			wrong(reading, name);
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

	read_fingerprint(reading, object, &fingerprint);
	if (!reading->is_wrong && tried_find(account, fingerprint))
		wrong(reading, "fingerprint (twice)");
	if (reading->is_wrong)
		return;
	tried = tried_add(account, fingerprint);
	if (!tried) {
		reading->is_short = true;
		return;
	}
	tried->has_cause = read_cause(reading, object, &tried->cause);
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
		read_fingerprint(reading, last, &account->last[side].fingerprint);
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
	read_wall(reading, object, "since", &brake->since);
	read_wall(reading, object, "next_try", &brake->next_try);
	if (!json_is_integer(step) || json_integer_value(step) < 0 ||
		json_integer_value(step) > INT32_MAX)
		wrong(reading, "step");
	else
		brake->step = (unsigned)json_integer_value(step);
	read_flag(reading, object, "told", &brake->is_told);
	brake->has_cause = read_cause(reading, object, &brake->cause);
	brake->has_side = read_side(reading, object, &brake->side);
	if (!read_text(reading, object, "mailbox", &name) || name.len > MAILBOX_NAME_MOST ||
		(brake->is_told && !mailbox_name_is_valid(name)))
		wrong(reading, "mailbox");
	else
		memcpy(brake->mailbox, name.at, name.len);
}

static void
read_booked(struct reading *reading, struct account *account)
{
	const json_t *list = json_object_get(reading->root, "booked");

	if (json_array_size(list) > COUNT_OF(account->booked)) {
		wrong(reading, "booked");
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *booked = json_array_get(list, i);

		read_fingerprint(reading, booked, &account->booked[i].fingerprint);
		read_wall(reading, booked, "time", &account->booked[i].time);
		if (!wall_is_set(account->booked[i].time))
			wrong(reading, "time");
		account->booked_count = i + 1;
	}
}

static void
restore_account(struct watch *watch, struct reading *reading, struct bytes key)
{
	char hex[ACCOUNT_KEY_LEN + 1] = { 0 };
	const json_t *list = json_object_get(reading->root, "tried");
	const json_t *resumed = json_object_get(reading->root, "resumed");
	struct account *account;

	for (size_t i = 0; i < key.len; i++) {
		if (key.len != ACCOUNT_KEY_LEN || hex_digit(key.at[i]) < 0) {
			wrong(reading, "key");
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
		wrong(reading, "key (twice)");
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

		if (time < 0 || time > TIME_MOST_US)
			wrong(reading, "resumed");
		else
			account->resumed[i].us = time;
	}
	watch->brakes_open += account->brake.is_open;
	if (reading->is_wrong || reading->is_short)
		account_free(watch, account);
}

/* ---- the daemon */

static void
restore_daemon(struct watch *watch, struct reading *reading, struct bytes key)
{
	struct bytes detail;
	enum trouble trouble;
	struct trouble_state *state;

	if (!bytes_starts(key, BYTES("trouble/")))
		return; /* "clean", and what a later version may keep */
	if (trouble_from_name(bytes_from(key, 8), &trouble) != ERR_OK) {
		wrong(reading, "key");
		return;
	}
	state = &watch->troubles[trouble];
	read_wall(reading, reading->root, "since", &state->since);
	if (reading->is_wrong)
		return;
	state->is_open = true;
	free(state->detail);
	state->detail =
		read_text(reading, reading->root, "detail", &detail) ? bytes_copy(detail) : NULL;
}

enum err
watch_restore(struct watch *watch, enum row_kind kind, struct bytes key, struct bytes value,
	struct fault *why)
{
	static void (*const readers[ROW_KIND_COUNT])(
		struct watch *, struct reading *, struct bytes) = {
		[ROW_ENDPOINT] = restore_endpoint,
		[ROW_MAILBOX] = restore_mailbox,
		[ROW_ACCOUNT] = restore_account,
		[ROW_DAEMON] = restore_daemon,
	};
	struct reading reading = { 0 };
	json_error_t error;

	if ((unsigned)kind >= ROW_KIND_COUNT || !key.at || !value.at || memchr(key.at, 0, key.len)) {
		fault_set(why, "a row without a kind, a name or a value");
		return ERR_DAMAGED;
	}
	reading.root = json_loadb(value.at, value.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(reading.root))
		readers[kind](watch, &reading, key);
	else
		wrong(&reading, "value");
	json_decref(reading.root);
	if (reading.is_short)
		return ERR_MEMORY;
	if (!reading.is_wrong)
		return ERR_OK;
	fault_set(why, "row of kind %s: %s is not what it can be", row_kind_name(kind),
		reading.member);
	return ERR_DAMAGED;
}

void
watch_restored(struct watch *watch, bool was_clean_end, struct ulid newest_event)
{
	struct account *account, *next;

	ulid_source_raise(&watch->ids, newest_event);
	HASH_ITER (hh, watch->accounts, account, next) {
		size_t booked = account->booked_count;

		account->booked_count = 0;
		for (size_t i = 0; i < booked && !was_clean_end; i++) {
			struct tried *tried = tried_add(account, account->booked[i].fingerprint);

			if (tried)
				tried_refused(tried, account->booked[i].time, true);
			if (tried && tried->count > 1)
				qsort(tried->refusals, tried->count, sizeof(*tried->refusals), by_time);
		}
		if (booked > 0)
			row_keep_account(watch, account);
	}
}
