/*
 * rows_read.c: rows of the store, read before the first configure; every value checked. Layer:
 * watch, pure. A row is another program's bytes (an old version, a damaged disk, a hand with
 * sqlite3): what cannot be is refused whole, and the caller goes on with the rest (H6-08).
 */
#include "facts/json.h"
#include "watch/reading.h"

#include <stdlib.h>

/* ---- members; what is missing is left as it was, what is wrong ends the reading */

void
reading_wrong(struct reading *reading, const char *member)
{
	if (!reading->is_wrong)
		reading->member = member;
	reading->is_wrong = true;
}

void
reading_wall(struct reading *reading, const json_t *object, const char *name, wall_t *out)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return;
	if (!json_is_integer(value) || json_integer_value(value) <= 0 ||
		json_integer_value(value) > READING_TIME_MOST_US)
		reading_wrong(reading, name);
	else
		out->us = json_integer_value(value);
}

void
reading_flag(struct reading *reading, const json_t *object, const char *name, bool *out)
{
	const json_t *value = json_object_get(object, name);

	if (value && !json_is_boolean(value))
		reading_wrong(reading, name);
	else if (value)
		*out = json_is_true(value);
}

/* False where there is none, or it is wrong. */
bool
reading_text(struct reading *reading, const json_t *object, const char *name, struct bytes *out)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return false;
	if (!json_is_string(value)) {
		reading_wrong(reading, name);
		return false;
	}
	*out = (struct bytes){ json_string_value(value), json_string_length(value) };
	return true;
}

bool
reading_cause(struct reading *reading, const json_t *object, enum cause *out)
{
	struct bytes word;

	if (!reading_text(reading, object, "cause", &word))
		return false;
	if (cause_from_name(word, out) != ERR_OK)
		reading_wrong(reading, "cause");
	return true;
}

int
reading_hex_digit(char byte)
{
	if (byte_is_digit(byte))
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool
reading_hex(struct bytes hex, uint8_t *out, size_t len)
{
	if (hex.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = reading_hex_digit(hex.at[2 * i]),
		    low = reading_hex_digit(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void
reading_fingerprint(struct reading *reading, const json_t *object, struct fingerprint *out)
{
	struct bytes hex = BYTES_NONE;

	if (!reading_text(reading, object, "fingerprint", &hex) ||
		!reading_hex(hex, out->bytes, sizeof(out->bytes)))
		reading_wrong(reading, "fingerprint");
}

static void
read_part(struct reading *reading, const json_t *object, const char *name, enum part *out)
{
	struct bytes word;

	if (!reading_text(reading, object, name, &word) || part_from_name(word, out) != ERR_OK)
		reading_wrong(reading, name);
}

bool
reading_side(struct reading *reading, const json_t *object, enum side *out)
{
	struct bytes word;

	if (!reading_text(reading, object, "side", &word))
		return false;
	if (side_from_name(word, out) != ERR_OK)
		reading_wrong(reading, "side");
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
		reading_wrong(reading, "key (twice)");
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
		reading_wrong(reading, "verdict");
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
		reading_wrong(reading, "state");
	}
	reading_wall(reading, reading->root, "since", &endpoint->since);
	endpoint->has_cause = reading_cause(reading, reading->root, &endpoint->cause);
	if (reading_text(reading, reading->root, "stage", &text) &&
		stage_from_name(text, &endpoint->stage) != ERR_OK)
		reading_wrong(reading, "stage");
	if (reading_text(reading, reading->root, "incident", &text) &&
		ulid_parse(text, &endpoint->incident) != ERR_OK)
		reading_wrong(reading, "incident");
	endpoint->incident_since = endpoint->since;
	reading_wall(reading, reading->root, "incident_since", &endpoint->incident_since);
	reading_flag(reading, reading->root, "unknown_told", &endpoint->is_unknown_told);
	reading_wall(reading, reading->root, "last_ok", &endpoint->last_ok);
	reading_wall(reading, reading->root, "last_probe", &endpoint->last_probe);
	if (endpoint->state == ENDPOINT_FAILING &&
		(!ulid_is_set(endpoint->incident) || !endpoint->has_cause ||
			!wall_is_set(endpoint->since)))
		reading_wrong(reading, "incident");
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
		reading_wrong(reading, "key");
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
		reading_wrong(reading, "key");
		return;
	}
	stored = stored_add(watch, reading, ROW_MAILBOX, key);
	if (!stored)
		return;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		read_part(reading, reading->root, side_name((enum side)side), &stored->parts[side]);
	reading_wall(reading, reading->root, "since", &stored->since);
	reading_flag(reading, reading->root, "paused", &stored->is_paused);
	reading_wall(reading, reading->root, "paused_until", &stored->paused_until);
	if (reading->is_wrong)
		stored_free(watch, stored);
}

/* ---- the daemon */

/* "slow:HOST" */
static void
restore_slowed(struct watch *watch, struct reading *reading, struct bytes key)
{
	struct stored *stored = stored_add(watch, reading, ROW_DAEMON, key);

	if (!stored)
		return;
	reading_wall(reading, reading->root, "since", &stored->since);
	reading_wall(reading, reading->root, "until", &stored->paused_until);
	if (!wall_is_set(stored->since) || !wall_is_set(stored->paused_until))
		reading_wrong(reading, "until");
	if (reading->is_wrong)
		stored_free(watch, stored);
}

static void
restore_daemon(struct watch *watch, struct reading *reading, struct bytes key)
{
	struct bytes detail;
	enum trouble trouble;
	struct trouble_state *state;

	if (bytes_starts(key, BYTES(SLOW_KEY))) {
		restore_slowed(watch, reading, key);
		return;
	}
	if (!bytes_starts(key, BYTES("trouble/")))
		return; /* "clean", and what a later version may keep */
	if (trouble_from_name(bytes_from(key, 8), &trouble) != ERR_OK) {
		reading_wrong(reading, "key");
		return;
	}
	state = &watch->troubles[trouble];
	reading_wall(reading, reading->root, "since", &state->since);
	if (reading->is_wrong)
		return;
	state->is_open = true;
	free(state->detail);
	state->detail =
		reading_text(reading, reading->root, "detail", &detail) ? bytes_copy(detail) : NULL;
}

enum err
watch_restore(struct watch *watch, enum row_kind kind, struct bytes key, struct bytes value,
	struct fault *why)
{
	static void (*const readers[ROW_KIND_COUNT])(
		struct watch *, struct reading *, struct bytes) = {
		[ROW_ENDPOINT] = restore_endpoint,
		[ROW_MAILBOX] = restore_mailbox,
		[ROW_ACCOUNT] = reading_account,
		[ROW_CERTIFICATES] = reading_certificates,
		[ROW_DAEMON] = restore_daemon,
	};
	struct reading reading = { 0 };
	json_error_t error;

	if ((unsigned)kind >= ROW_KIND_COUNT || !key.at || !value.at ||
		memchr(key.at, 0, key.len)) {
		fault_set(why, "a row without a kind, a name or a value");
		return ERR_DAMAGED;
	}
	reading.root = json_loadb(value.at, value.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(reading.root))
		readers[kind](watch, &reading, key);
	else if (!reading.root && json_lacked_memory(&error))
		reading.is_short = true;
	else
		reading_wrong(&reading, "value");
	json_decref(reading.root);
	if (reading.is_short)
		return ERR_MEMORY;
	if (!reading.is_wrong)
		return ERR_OK;
	fault_set(why, "row of kind %s: %s is not what it can be", row_kind_name(kind),
		reading.member);
	return ERR_DAMAGED;
}
