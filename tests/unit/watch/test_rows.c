/*
 * test_rows.c: rows that are not what they should be are left out, one by one (H6-08); what was
 * written reads the same.
 */
#include "../unit.h"

#include "watch/inside.h"

#include <stdlib.h>

#define INCIDENT "\"incident\":\"01KAT0000000000000000000AA\""
#define SHA256 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY "0123456789abcdef0123456789abcdef"

static const struct row_row {
	const char *name;
	enum row_kind kind;
	struct bytes key;
	struct bytes value;
	enum err err;
} row_rows[] = {
	{ "ok", ROW_ENDPOINT, BYTES("ann/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":1795478400000000}"), ERR_OK },
	{ "failing", ROW_ENDPOINT, BYTES("ann/imap"),
		BYTES("{\"state\":\"failing\",\"since\":1795478400000000,\"cause\":\"bad_"
		      "credentials\",\"stage\":\"auth\"," INCIDENT "}"),
		ERR_OK },
	{ "a name twice", ROW_ENDPOINT, BYTES("ann/smtp"), BYTES("{\"state\":\"ok\",\"since\":1}"),
		ERR_DAMAGED },
	{ "state 99", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES("{\"state\":99,\"since\":1}"),
		ERR_DAMAGED },
	{ "state of no list", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES("{\"state\":\"suspect\"}"),
		ERR_DAMAGED },
	{ "state paused", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES("{\"state\":\"paused\"}"),
		ERR_DAMAGED },
	{ "no state", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES("{}"), ERR_DAMAGED },
	{ "since in 2200", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":7258118400000000}"), ERR_DAMAGED },
	{ "since negative", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":-1}"), ERR_DAMAGED },
	{ "since a text", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":\"1\"}"), ERR_DAMAGED },
	{ "since above 2^63", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":99999999999999999999}"), ERR_DAMAGED },
	{ "failing without an incident", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"failing\",\"since\":1,\"cause\":\"ip_blocked\"}"),
		ERR_DAMAGED },
	{ "an incident that is none", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":1,\"incident\":\"x\"}"), ERR_DAMAGED },
	{ "a cause of no list", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":1,\"cause\":\"gremlins\"}"), ERR_DAMAGED },
	{ "a verdict that is none", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"since\":1,\"verdict\":[1]}"), ERR_DAMAGED },
	{ "a member twice", ROW_ENDPOINT, BYTES("bob/smtp"),
		BYTES("{\"state\":\"ok\",\"state\":\"ok\"}"), ERR_DAMAGED },
	{ "cut off", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES("{\"state\":\"ok\",\"sin"),
		ERR_DAMAGED },
	{ "empty", ROW_ENDPOINT, BYTES("bob/smtp"), BYTES(""), ERR_DAMAGED },
	{ "NULL value", ROW_ENDPOINT, BYTES("bob/smtp"), { NULL, 0 }, ERR_DAMAGED },
	{ "NULL name", ROW_ENDPOINT, { NULL, 0 }, BYTES("{}"), ERR_DAMAGED },
	{ "a NUL in the name", ROW_ENDPOINT, BYTES("b\0b/smtp"), BYTES("{}"), ERR_DAMAGED },
	{ "no side", ROW_ENDPOINT, BYTES("bob"), BYTES("{\"state\":\"ok\",\"since\":1}"),
		ERR_DAMAGED },
	{ "another side", ROW_ENDPOINT, BYTES("bob/pop3"), BYTES("{\"state\":\"ok\",\"since\":1}"),
		ERR_DAMAGED },
	{ "a name that cannot be", ROW_ENDPOINT, BYTES("../smtp"),
		BYTES("{\"state\":\"ok\",\"since\":1}"), ERR_DAMAGED },
	{ "kind 99", (enum row_kind)99, BYTES("bob"), BYTES("{}"), ERR_DAMAGED },
	{ "mailbox", ROW_MAILBOX, BYTES("ann"),
		BYTES("{\"smtp\":\"ok\",\"imap\":\"failing\",\"since\":1}"), ERR_OK },
	{ "mailbox without a side", ROW_MAILBOX, BYTES("bob"), BYTES("{\"smtp\":\"ok\"}"),
		ERR_DAMAGED },
	{ "mailbox, paused a number", ROW_MAILBOX, BYTES("bob"),
		BYTES("{\"smtp\":\"ok\",\"imap\":\"ok\",\"paused\":1}"), ERR_DAMAGED },
	{ "account", ROW_ACCOUNT, BYTES(KEY),
		BYTES("{\"tried\":[{\"fingerprint\":\"0011223344556677\",\"smtp\":\"refused\","
		      "\"imap\":\"none\",\"refused\":[1,2]}],\"resumed\":[0,0]}"),
		ERR_OK },
	{ "account twice", ROW_ACCOUNT, BYTES(KEY), BYTES("{\"tried\":[]}"), ERR_DAMAGED },
	{ "account of another key", ROW_ACCOUNT, BYTES("ann"), BYTES("{\"tried\":[]}"),
		ERR_DAMAGED },
	{ "a refusal before 1970", ROW_ACCOUNT,
		BYTES("1"
		      "123456789abcdef0123456789abcdef"),
		BYTES("{\"tried\":[{\"fingerprint\":\"0011223344556677\",\"refused\":[-2]}]}"),
		ERR_DAMAGED },
	{ "a fingerprint too short", ROW_ACCOUNT,
		BYTES("2"
		      "123456789abcdef0123456789abcdef"),
		BYTES("{\"tried\":[{\"fingerprint\":\"00\",\"refused\":[1]}]}"), ERR_DAMAGED },
	{ "a brake with a negative step", ROW_ACCOUNT,
		BYTES("3"
		      "123456789abcdef0123456789abcdef"),
		BYTES("{\"tried\":[],\"brake\":{\"since\":1,\"step\":-1,\"mailbox\":\"ann\"}}"),
		ERR_DAMAGED },
	{ "bookings without end", ROW_ACCOUNT,
		BYTES("4"
		      "123456789abcdef0123456789abcdef"),
		BYTES("{\"tried\":[],\"booked\":[{},{},{},{}]}"), ERR_DAMAGED },
	{ "certificates", ROW_CERTIFICATES, BYTES("imap.example.com/imap"),
		BYTES("{\"known\":[{\"sha256\":\"" SHA256
		      "\",\"authority\":\"O=A\",\"not_after\":1795478400000000,\"told\":"
		      "604800000000}]}"),
		ERR_OK },
	{ "certificates twice", ROW_CERTIFICATES, BYTES("imap.example.com/imap"),
		BYTES("{\"known\":[]}"), ERR_DAMAGED },
	{ "certificates of no side", ROW_CERTIFICATES, BYTES("imap.example.com"),
		BYTES("{\"known\":[]}"), ERR_DAMAGED },
	{ "certificates of no server", ROW_CERTIFICATES, BYTES("/imap"), BYTES("{\"known\":[]}"),
		ERR_DAMAGED },
	{ "certificates that are none", ROW_CERTIFICATES, BYTES("b/imap"), BYTES("{\"known\":1}"),
		ERR_DAMAGED },
	{ "a certificate too short", ROW_CERTIFICATES, BYTES("b/imap"),
		BYTES("{\"known\":[{\"sha256\":\"00\",\"authority\":\"A\",\"not_after\":1}]}"),
		ERR_DAMAGED },
	{ "a certificate of nobody", ROW_CERTIFICATES, BYTES("b/imap"),
		BYTES("{\"known\":[{\"sha256\":\"" SHA256 "\",\"not_after\":1}]}"), ERR_DAMAGED },
	{ "a certificate without an end", ROW_CERTIFICATES, BYTES("b/imap"),
		BYTES("{\"known\":[{\"sha256\":\"" SHA256 "\",\"authority\":\"A\"}]}"),
		ERR_DAMAGED },
	{ "told a negative time before", ROW_CERTIFICATES, BYTES("b/imap"),
		BYTES("{\"known\":[{\"sha256\":\"" SHA256
		      "\",\"authority\":\"A\",\"not_after\":1,\"told\":-1}]}"),
		ERR_DAMAGED },
	{ "trouble", ROW_DAEMON, BYTES("trouble/state"), BYTES("{\"since\":1,\"detail\":\"disk\"}"),
		ERR_OK },
	{ "trouble of no list", ROW_DAEMON, BYTES("trouble/weather"), BYTES("{\"since\":1}"),
		ERR_DAMAGED },
	{ "clean", ROW_DAEMON, BYTES("clean"), BYTES("{\"time\":1}"), ERR_OK },
};

static struct watch *
watch_for_test(void)
{
	static const uint8_t seed[32] = { 1 };
	struct watch *watch = NULL;

	assert_ok(watch_new(seed, &watch));
	return watch;
}

static void
test_a_damaged_row_is_left_out(void **state)
{
	struct watch *watch = watch_for_test();

	for (size_t i = 0; i < COUNT_OF(row_rows); i++) {
		const struct row_row *row = &row_rows[i];
		struct fault why = { "" };

		unit_row(row->name);
		assert_err_equal(
			watch_restore(watch, row->kind, row->key, row->value, &why), row->err);
		assert_int_equal(*why.text != '\0', row->err != ERR_OK);
	}
	assert_int_equal(HASH_COUNT(watch->stored), 3);
	assert_int_equal(HASH_COUNT(watch->accounts), 1);
	assert_true(watch_has_trouble(watch, TROUBLE_STATE));
	watch_free(watch);
}

/* Every byte of a good row changed, or the row cut there: read or refused, never worse. */
static void
test_any_byte_may_be_wrong(void **state)
{
	for (size_t i = 0; i < COUNT_OF(row_rows); i++) {
		const struct row_row *row = &row_rows[i];

		for (size_t at = 0; row->err == ERR_OK && at < row->value.len; at++) {
			struct watch *watch = watch_for_test();
			char *value = bytes_copy(row->value);
			struct fault why;
			enum err err;

			value[at] ^= 1 + (char)(at % 7);
			err = watch_restore(watch, row->kind, row->key,
				(struct bytes){ value, row->value.len }, &why);
			assert_true(err == ERR_OK || err == ERR_DAMAGED);
			watch_free(watch);
			watch = watch_for_test();
			err = watch_restore(
				watch, row->kind, row->key, bytes_first(row->value, at), &why);
			assert_true(err == ERR_DAMAGED);
			watch_free(watch);
			free(value);
		}
	}
}

/* What row_keep_account() writes, read by another watch and written again. */
static char *
account_row(struct watch *watch, struct account *account)
{
	struct watch_command command;
	char *value;

	row_keep_account(watch, account);
	assert_true(watch_next(watch, &command));
	assert_int_equal(command.kind, WATCH_KEEP);
	value = command.value;
	free(command.key);
	return value;
}

static void
test_an_account_reads_as_it_was_written(void **state)
{
	struct watch *watch = watch_for_test(), *again = watch_for_test();
	struct account *account = account_get_hex(watch, KEY);
	struct tried *tried = tried_add(account, (struct fingerprint){ { 1, 2, 255 } });
	char *first, *second;
	struct fault why;

	watch->wall = (wall_t){ 1795478400000000 };
	again->wall = watch->wall;
	tried_refused(tried, (wall_t){ 1795478300000000 }, false);
	tried_refused(tried, (wall_t){ 1795478400000000 }, true);
	tried->results[SIDE_IMAP] = RESULT_REFUSED;
	tried->has_cause = true;
	tried->cause = CAUSE_ACCOUNT_LOCKED;
	account->last[SIDE_IMAP] = (struct last_login){ tried->fingerprint, RESULT_REFUSED, false };
	account->brake = (struct brake){ .is_open = true,
		.is_told = true,
		.since = { 1795478400000000 },
		.next_try = { 1795482000000000 },
		.step = 1,
		.has_cause = true,
		.cause = CAUSE_ACCOUNT_LOCKED,
		.has_side = true,
		.side = SIDE_IMAP,
		.mailbox = "ann" };
	watch->brakes_open++;
	account->resumed[1] = (wall_t){ 1795478390000000 };
	first = account_row(watch, account);
	assert_ok(watch_restore(again, ROW_ACCOUNT, BYTES(KEY), bytes_of(first), &why));
	second = account_row(again, account_get_hex(again, KEY));
	assert_string_equal(first, second);
	free(first);
	free(second);
	watch_free(watch);
	watch_free(again);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_damaged_row_is_left_out),
	cmocka_unit_test(test_any_byte_may_be_wrong),
	cmocka_unit_test(test_an_account_reads_as_it_was_written),
};

UNIT_MAIN(tests)
