/*
 * test_sealed.c: mailboxes set over the socket, among those of files.
 */
#include "fixture.h"

#include "base/file.h"

#define FILES                                                                                      \
	"defaults = { interval = \"2m\"; labels = { from = \"defaults\"; }; };\n"                  \
	"mailboxes = ( { name = \"m\"; address = \"m@example.com\";\n"                             \
	"  imap = { host = \"imap.example.com\"; password = \"x\"; }; } );\n"

static struct sealed_mailbox *
sealed(const char *name, const char *json)
{
	json_t *object = json_loads(json, 0, NULL);
	struct sealed_mailbox *mailbox;

	assert_non_null(object);
	mailbox = settings_take_put(bytes_of(name), object);
	assert_non_null(mailbox);
	json_decref(object);
	return mailbox;
}

static const char good[] =
	"{\"address\":\"ann@example.com\",\"smtp\":{\"host\":\"smtp.example.com\",\"password\":"
	"\"hunter2\"},\"imap\":{\"host\":\"imap.example.com\"}}";

static void
test_sealed_mailboxes_keep_no_secret_in_the_clear_H4_28(void **state)
{
	struct fixture f;
	struct sealed_mailbox *mailbox = sealed("a", good);
	struct fault why = { "" };
	char path[128];

	fixture_begin(&f);
	assert_null(strstr(mailbox->settings, "hunter2"));
	assert_non_null(mailbox->opened[SIDE_SMTP]);
	assert_null(mailbox->opened[SIDE_IMAP]);
	snprintf(path, sizeof(path), "%s/key", f.folder);
	assert_err_equal(settings_seal(mailbox, path, &why), ERR_INVALID);
	fixture_write(&f, "key", BYTES("0123456789abcdef0123456789abcdef"), 0600);
	assert_ok(settings_seal(mailbox, path, &why));
	assert_null(mailbox->opened[SIDE_SMTP]);
	assert_int_equal(mailbox->sealed[SIDE_SMTP].len, 1 + 12 + 7 + 16);
	assert_int_equal(mailbox->sealed[SIDE_IMAP].len, 0);
	sealed_mailbox_free(mailbox);
	fixture_end(&f);
}

/* In the order of names, by the scopes around them; the other side's secret is the first's. */
static void
test_sealed_mailboxes_join_those_of_files(void **state)
{
	struct sealed_mailbox *all[] = { sealed("z", good), sealed("a", good) };
	struct complaints complaints = { 0 };
	const struct mailbox_settings *a;
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, FILES);
	assert_ok(f.err);
	assert_ok(settings_join(f.settings, all, COUNT_OF(all), &complaints));
	assert_int_equal(complaints.count, 0);
	assert_int_equal(f.settings->mailbox_count, 3);
	for (size_t i = 1; i < 3; i++)
		assert_true(strcmp(f.settings->mailboxes[i - 1].name,
				    f.settings->mailboxes[i].name) < 0);
	a = settings_find(f.settings, BYTES("a"));
	assert_true(a->is_of_socket);
	assert_false(settings_find(f.settings, BYTES("m"))->is_of_socket);
	assert_int_equal(a->rules[SIDE_IMAP].interval_us, 2 * US_PER_M);
	assert_int_equal(a->labels.count, 1);
	assert_string_equal(a->labels.items[0].value, "defaults");
	assert_int_equal(a->sides[SIDE_IMAP]->secret.kind, SECRET_SEALED);
	assert_bytes_equal(buf_bytes(&a->sides[SIDE_IMAP]->secret.sealed->bound),
		buf_bytes(&a->sides[SIDE_SMTP]->secret.sealed->bound));
	assert_true(a->sides[SIDE_IMAP]->deny.count > 0);
	sealed_mailbox_free(all[0]);
	sealed_mailbox_free(all[1]);
	complaints_done(&complaints);
	fixture_end(&f);
}

static void
test_sealed_mailboxes_give_way_to_a_file_H4_09(void **state)
{
	struct sealed_mailbox *mailbox = sealed("m", good);
	struct mailbox_settings *before = NULL;
	struct complaints complaints = { 0 };
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, FILES);
	assert_ok(settings_join(f.settings, &mailbox, 1, &complaints));
	assert_int_equal(complaints.count, 1);
	assert_true(complaints.items[0].is_warning);
	assert_int_equal(complaints.items[0].line, 2);
	assert_int_equal(f.settings->mailbox_count, 1);
	complaints_done(&complaints);
	complaints = (struct complaints){ 0 };
	assert_err_equal(settings_put(f.settings, mailbox, &before, &complaints), ERR_CONFLICT);
	settings_drop(f.settings, BYTES("m"));
	assert_int_equal(f.settings->mailbox_count, 1);
	sealed_mailbox_free(mailbox);
	complaints_done(&complaints);
	fixture_end(&f);
}

/* What does not go with the files any more stops nobody else. */
static void
test_sealed_mailboxes_that_do_not_fit_are_warnings(void **state)
{
	struct sealed_mailbox *all[] = { sealed("a",
						 "{\"interval\":\"10s\",\"address\":\"a@example."
						 "com\",\"imap\":{\"host\":\"imap.example.com\","
						 "\"password\":\"x\"}}"),
		sealed("b", good), sealed_mailbox_new(BYTES("c"), BYTES("no json")) };
	struct complaints complaints = { 0 };
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f,
		"defaults = { retry_interval = \"30s\"; retry_max = \"1m\"; };\n"
		"servers = ( { host = \"imap.example.com\"; retry_interval = \"5m\"; } );\n");
	assert_ok(f.err);
	assert_ok(settings_join(f.settings, all, COUNT_OF(all), &complaints));
	assert_int_equal(complaints.faults, 0);
	assert_int_equal(complaints.count, 2);
	assert_non_null(strstr(complaints.items[0].text, "b: kept and not watched"));
	assert_non_null(strstr(complaints.items[0].text, "retry_max"));
	assert_non_null(strstr(complaints.items[1].text, "c: kept and not watched"));
	assert_non_null(settings_find(f.settings, BYTES("a")));
	assert_null(settings_find(f.settings, BYTES("b")));
	assert_null(settings_find(f.settings, BYTES("c")));
	for (size_t i = 0; i < COUNT_OF(all); i++)
		sealed_mailbox_free(all[i]);
	complaints_done(&complaints);
	fixture_end(&f);
}

static void
test_sealed_mailboxes_are_put_and_dropped_one_by_one(void **state)
{
	struct mailbox_settings *before = NULL;
	struct complaints complaints = { 0 };
	char name[16];
	struct fixture f;

	fixture_begin(&f);
	fixture_load_text(&f, FILES);
	for (int i = 0; i < 40; i++) { /* in no order, some of them twice */
		struct sealed_mailbox *mailbox;

		snprintf(name, sizeof(name), "n%d", i * 7 % 20);
		mailbox = sealed(name, good);
		assert_ok(settings_put(f.settings, mailbox, &before, &complaints));
		assert_int_equal(before != NULL, i >= 20);
		mailbox_settings_free(before);
		before = NULL;
		sealed_mailbox_free(mailbox);
	}
	assert_int_equal(f.settings->mailbox_count, 21);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_string_equal(settings_find(f.settings, bytes_of(name))->name, name);
		settings_drop(f.settings, bytes_of(name));
		assert_null(settings_find(f.settings, bytes_of(name)));
	}
	assert_int_equal(f.settings->mailbox_count, 1);
	complaints_done(&complaints);
	fixture_end(&f);
}

/* H5-16; what daemon.deny_addresses says of a name shows at its connection. */
static void
test_sealed_mailboxes_are_refused_a_denied_address(void **state)
{
	static const struct {
		const char *host;
		const char *deny; /* NULL: the defaults */
		bool is_fine;
	} rows[] = { { "127.0.0.1", NULL, false }, { "[::1]", NULL, false },
		{ "192.0.2.1", NULL, true }, { "imap.example.com", NULL, true },
		{ "127.0.0.1", "[]", true }, { "192.0.2.1", "[\"192.0.2.0/24\"]", false } };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct complaints complaints = { 0 };
		char text[128];
		struct fixture f;
		json_t *object = json_pack("{s:s, s:{s:s, s:s}}", "address", "a@example.com",
			"imap", "host", rows[i].host, "password", "x");

		unit_row(rows[i].host);
		fixture_begin(&f);
		snprintf(text, sizeof(text), "daemon = { %s%s%s };\n",
			rows[i].deny ? "deny_addresses = " : "", rows[i].deny ? rows[i].deny : "",
			rows[i].deny ? ";" : "");
		fixture_load_text(&f, text);
		assert_ok(f.err);
		assert_err_equal(settings_judge_put(f.settings, object, &complaints),
			rows[i].is_fine ? ERR_OK : ERR_INVALID);
		if (!rows[i].is_fine)
			assert_string_equal(complaints.items[0].setting, "imap.host");
		complaints_done(&complaints);
		json_decref(object);
		fixture_end(&f);
	}
}

static void
test_sealed_mailboxes_warn_of_their_key_H5_15(void **state)
{
	struct fixture f;
	char text[128];

	fixture_begin(&f);
	snprintf(text, sizeof(text), "daemon = { state_key_file = \"%s/key\"; };\n", f.folder);
	fixture_load_text(&f, text);
	assert_ok(f.err);
	assert_told_part(&f, "no such file");
	fixture_write(&f, "key", BYTES("0123456789abcdef0123456789abcdef"), 0644);
	fixture_load(&f);
	assert_told_part(&f, "others can read");
	fixture_write(&f, "key", BYTES("0123456789abcdef0123456789abcdef"), 0640);
	fixture_load(&f);
	assert_told(&f, "");
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sealed_mailboxes_keep_no_secret_in_the_clear_H4_28),
	cmocka_unit_test(test_sealed_mailboxes_join_those_of_files),
	cmocka_unit_test(test_sealed_mailboxes_give_way_to_a_file_H4_09),
	cmocka_unit_test(test_sealed_mailboxes_that_do_not_fit_are_warnings),
	cmocka_unit_test(test_sealed_mailboxes_are_put_and_dropped_one_by_one),
	cmocka_unit_test(test_sealed_mailboxes_are_refused_a_denied_address),
	cmocka_unit_test(test_sealed_mailboxes_warn_of_their_key_H5_15),
};

UNIT_MAIN(tests)
