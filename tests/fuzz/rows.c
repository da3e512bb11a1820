/*
 * rows.c: rows of the store, a line each ("kind key value"), read into a watch that then begins to
 * watch the mailbox they are about. Layer: tests.
 */
#include "fuzz.h"

#include "facts/verdict.h"
#include "watch/watch.h"

static const struct watch_rules rules = { .interval_us = 5 * US_PER_M,
	.retry_interval_us = US_PER_M,
	.retry_max_us = 30 * US_PER_M,
	.confirm = 2,
	.recover = 1 };

static void
read_row(struct watch *watch, struct bytes line)
{
	struct bytes word = fuzz_part(&line, ' '), key = fuzz_part(&line, ' '), value;
	struct fault why = { "" };
	enum row_kind kind;
	enum err err;

	if (row_kind_from_name(word, &kind) != ERR_OK)
		return;
	value = fuzz_copy(line);
	err = watch_restore(watch, kind, key, value, &why);
	must(err == ERR_OK || err == ERR_DAMAGED);
	must((err == ERR_OK) == (why.text[0] == '\0'));
	fuzz_drop(value);
}

static void
do_all(struct watch *watch)
{
	struct watch_command command;

	while (watch_next(watch, &command)) {
		if (command.kind == WATCH_TELL)
			alert_free(command.event);
		if (command.kind == WATCH_KEEP || command.kind == WATCH_FORGET) {
			free(command.key);
			free(command.value);
		}
	}
}

/* 2026-11-24, an hour of it. */
static void
begin(struct watch *watch)
{
	const struct watch_endpoint side = { .is_present = true,
		.rules = rules,
		.host = "imap.example.com",
		.site = "example.com",
		.account = BYTES("ann\0example.com") };
	const struct watch_mailbox mailbox = { .name = "ann",
		.address = "ann@example.com",
		.is_enabled = true,
		.sides = { side, side } };
	const struct watch_settings settings = { .limits = { .in_flight = 10,
							 .connections = 2,
							 .logins_per_minute = 60,
							 .refused_logins = { { 2, US_PER_H } },
							 .refused_logins_count = 1,
							 .brake_retry_us = { US_PER_H },
							 .brake_retry_count = 1 },
		.mailboxes = &mailbox,
		.mailbox_count = 1 };
	struct watch_changes changes;
	mono_t now = { US_PER_M };
	wall_t wall = { INT64_C(1795512600) * US_PER_S };

	must(watch_configure(watch, now, wall, &settings, &changes) == ERR_OK);
	do_all(watch);
	for (int i = 0; i < 5; i++) {
		now = mono_add(now, 15 * US_PER_M);
		wall = wall_add(wall, 15 * US_PER_M);
		watch_tick(watch, now, wall);
		do_all(watch);
	}
	watch_keep_all(watch);
	do_all(watch);
}

/* The verdict of an endpoint's row: what is read and written again reads the same. */
static void
read_verdict(struct bytes json)
{
	struct buf first = { 0 }, second = { 0 };
	struct verdict *verdict;

	if (verdict_from_json(json, &verdict) != ERR_OK)
		return;
	verdict_put_json(&first, verdict, true, NULL);
	verdict_free(verdict);
	must(verdict_from_json(buf_bytes(&first), &verdict) == ERR_OK);
	verdict_put_json(&second, verdict, true, NULL);
	must(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	verdict_free(verdict);
	buf_done(&first);
	buf_done(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t seed[32] = { 1 };
	struct bytes rest = { (const char *)data, len };
	struct watch *watch;

	if (bytes_starts(rest, BYTES("{"))) {
		read_verdict(rest);
		return 0;
	}
	must(watch_new(seed, &watch) == ERR_OK);
	while (rest.len > 0)
		read_row(watch, fuzz_part(&rest, '\n'));
	watch_restored(watch, len % 2 == 0, (struct ulid){ { 0 } });
	begin(watch);
	watch_free(watch);
	return 0;
}
