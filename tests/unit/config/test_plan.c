/* test_plan.c: what -t says that the settings come to, and what watch gets. */
#include "fixture.h"

static void
test_plan_says_logins_and_intervals(void **state)
{
	struct buf plan = { 0 };
	struct fixture f;

	fixture_begin(&f);
	unit_row("no mailboxes");
	fixture_load_text(&f, "");
	settings_put_plan(&plan, f.settings);
	assert_buf_holds(&plan, BYTES("0 mailboxes\n"));
	unit_row("two, one of them paused");
	fixture_load_text(&f,
		"defaults = { auth = \"plain\"; };\n"
		"mailboxes = ({ name = \"a\"; imap = { host = \"h\"; username = \"u\"; password = "
		"\"p\"; }; },\n"
		"  { name = \"b\"; enabled = false; interval = \"1h\"; auth = \"none\";\n"
		"    smtp = { host = \"s\"; }; });");
	settings_put_plan(&plan, f.settings);
	assert_buf_holds(
		&plan, BYTES("2 mailboxes, 1 of them paused\n"
			     "servers:\n"
			     "  h: 1 endpoint, 0.2 probes a minute, 0.2 logins a minute of 30\n"
			     "mailboxes:\n"
			     "  a: imap h:993 tls every 5m, 288 logins a day\n"
			     "  b: paused (enabled = false); smtp s:465 tls every 1h, no logins\n"
			     "in all: 0.2 probes a minute; memory about 13 MiB\n"));
	buf_done(&plan);
	fixture_end(&f);
}

static void
put_keepers(struct buf *text, int count, const char *mailbox)
{
	buf_put_format(text,
		"defaults = { session = \"keep\"; %s };\nlimits = { connections = 4; };\nmailboxes "
		"= (",
		mailbox);
	for (int i = 0; i < count; i++)
		buf_put_format(text,
			"%s{ name = \"m%02d\"; imap = { host = \"h\"; username = \"u%d\"; password "
			"= \"p\"; }; }",
			i ? ",\n" : "", i, i);
	buf_put_string(text, ");");
}

static void
test_plan_says_how_many_sessions_are_kept(void **state)
{
	static const struct {
		const char *name;
		int count;
		const char *settings;
		const char *server;
		const char *mailbox;
	} rows[] = {
		{ "all of them: a login an hour", 4, "",
			"h: 4 endpoints, 0.8 probes a minute, 0.1 logins a minute of 30; at most 4 "
			"sessions kept, 0 will be fresh\n",
			"m00: imap h:993 tls every 5m, session kept for 1h, 24 logins a day\n" },
		{ "H7-12: three stay, one slot goes from hand to hand", 12, "",
			"h: 12 endpoints, 2.4 probes a minute, 1.9 logins a minute of 30; at most "
			"4 "
			"sessions kept, 8 will be fresh\n",
			"m00: imap h:993 tls every 5m, session kept for 1h, 222 logins a day\n" },
		{ "keep_max within two intervals", 1, "keep_max = \"8m\";",
			"h: 1 endpoint, 0.2 probes a minute, 0.2 logins a minute of 30\n",
			"m00: imap h:993 tls every 5m, 288 logins a day\n" },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf text = { 0 }, plan = { 0 };
		struct fixture f;

		unit_row(rows[i].name);
		fixture_begin(&f);
		put_keepers(&text, rows[i].count, rows[i].settings);
		fixture_load_text(&f, text.at);
		settings_put_plan(&plan, f.settings);
		assert_non_null(strstr(plan.at, rows[i].server));
		assert_non_null(strstr(plan.at, rows[i].mailbox));
		buf_done(&text);
		buf_done(&plan);
		fixture_end(&f);
	}
}

/* H7-11 */
static void
test_plan_says_what_is_stretched(void **state)
{
	struct buf text = { 0 }, plan = { 0 };
	struct fixture f;
	size_t lines = 0;

	fixture_begin(&f);
	buf_put_string(&text, "defaults = { interval = \"1m\"; };\nservers = ({ host = \"h\"; "
			      "logins_per_minute = 20; });\n"
			      "mailboxes = (");
	for (int i = 0; i < 100; i++)
		buf_put_format(&text,
			"%s{ name = \"m%02d\"; imap = { host = \"h\"; username = \"u%d\"; password "
			"= \"p\"; }; }",
			i ? ",\n" : "", i, i);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	assert_told(&f,
		"main.conf:3: warning: mailboxes.m00.imap.interval: more probes of h than "
		"limits allow: every 1m becomes every 5m5s; write a longer interval, or larger "
		"limits for this server\n");
	settings_put_plan(&plan, f.settings);
	buf_put(&plan, BYTES_NONE);
	assert_non_null(strstr(plan.at, "h: 100 endpoints, 19.7 probes a minute, 19.7 logins a "
					"minute of 20; intervals stretched 5.08 times"));
	assert_non_null(strstr(
		plan.at, "m00: imap h:993 tls every 1m, stretched to 5m5s, 283 logins a day\n"));
	assert_non_null(strstr(plan.at, "and 60 more: 0 logins a day by smtp, 16997 by imap\n"));
	for (size_t i = 0; i < plan.len; i++)
		lines += plan.at[i] == '\n';
	assert_int_equal(lines, 1 + 1 + 1 + 1 + 40 + 1 + 1);
	buf_done(&text);
	buf_done(&plan);
	fixture_end(&f);
}

/* The same formula as the schedule's, as long as nobody knows how long a probe takes there. */
static void
test_plan_says_what_connections_stretch(void **state)
{
	struct buf text = { 0 }, plan = { 0 };
	struct fixture f;

	fixture_begin(&f);
	buf_put_string(&text, "defaults = { interval = \"10s\"; auth = \"none\"; };\n"
			      "servers = ({ host = \"h\"; connections = 1; });\nmailboxes = (");
	for (int i = 0; i < 40; i++)
		buf_put_format(&text, "%s{ name = \"m%02d\"; imap = { host = \"h\"; }; }",
			i ? ",\n" : "", i);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	settings_put_plan(&plan, f.settings);
	buf_put(&plan, BYTES_NONE);
	assert_non_null(strstr(plan.at, "intervals stretched 2.11 times by connections"));
	assert_non_null(strstr(plan.at, "m00: imap h:993 tls every 10s, stretched to 21s"));
	buf_done(&text);
	buf_done(&plan);
	fixture_end(&f);
}

/* As many probes as begin in their time, on all servers together. */
static void
test_plan_says_what_in_flight_stretches(void **state)
{
	struct buf text = { 0 }, plan = { 0 };
	struct fixture f;

	fixture_begin(&f);
	buf_put_string(&text, "defaults = { interval = \"10s\"; auth = \"none\"; };\n"
			      "limits = { in_flight = 1; };\nmailboxes = (");
	for (int i = 0; i < 40; i++)
		buf_put_format(&text, "%s{ name = \"m%02d\"; imap = { host = \"h%d\"; }; }",
			i ? ",\n" : "", i, i);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	settings_put_plan(&plan, f.settings);
	buf_put(&plan, BYTES_NONE);
	assert_non_null(strstr(plan.at, "in all: 114.0 probes a minute; intervals stretched 2.11 "
					"times by in_flight; memory"));
	assert_non_null(strstr(plan.at, "m00: imap h0:993 tls every 10s, stretched to 21s"));
	buf_done(&text);
	buf_done(&plan);
	fixture_end(&f);
}

static void
test_plan_watch_gets_what_changed(void **state)
{
	struct fixture before, after;
	struct watch_mailbox *mailboxes;
	struct watch_settings settings;
	static const struct {
		const char *name, *text;
		bool smtp, imap;
	} rows[] = {
		{ .name = "nothing",
			"smtp = { host = \"s\"; password = \"p\"; }; imap = { host = \"i\"; };",
			false,
			false },
		{ .name = "the interval is watch's",
			"interval = 60; smtp = { host = \"s\"; password = \"p\"; }; imap = { host "
			"= \"i\"; };",
			false,
			false },
		{ .name = "a host",
			"smtp = { host = \"s\"; password = \"p\"; }; imap = { host = \"j\"; };",
			false,
			true },
		{ .name = "the secret of both",
			"smtp = { host = \"s\"; password = \"q\"; }; imap = { host = \"i\"; };",
			true,
			true },
		{ .name = "a port that was meant",
			"smtp = { host = \"s\"; port = 465; password = \"p\"; }; imap = { host = "
			"\"i\"; };",
			false,
			false },
	};
	char text[512];

	fixture_begin(&before);
	fixture_begin(&after);
	snprintf(text, sizeof(text),
		"mailboxes = ({ name = \"a\"; address = \"a@b.example\"; %s });", rows[0].text);
	fixture_load_text(&before, text);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		snprintf(text, sizeof(text),
			"mailboxes = ({ name = \"a\"; address = \"a@b.example\"; %s });",
			rows[i].text);
		fixture_load_text(&after, text);
		assert_told(&after, "");
		assert_ok(
			settings_for_watch(after.settings, before.settings, &mailboxes, &settings));
		assert_int_equal(settings.mailbox_count, 1);
		assert_int_equal(mailboxes[0].sides[SIDE_SMTP].is_changed, rows[i].smtp);
		assert_int_equal(mailboxes[0].sides[SIDE_IMAP].is_changed, rows[i].imap);
		free(mailboxes);
	}
	assert_ok(settings_for_watch(after.settings, NULL, &mailboxes, &settings));
	assert_string_equal(mailboxes[0].name, "a");
	assert_string_equal(mailboxes[0].sides[SIDE_IMAP].host, "i");
	assert_false(mailboxes[0].sides[SIDE_IMAP].is_changed);
	assert_int_equal(settings.limits.refused_logins_count, 2);
	free(mailboxes);
	fixture_end(&before);
	fixture_end(&after);
}

static void
test_plan_names_are_found(void **state)
{
	static const char *const names[] = { "a", "a-b", "a.b", "A", "ab", "_", "zz@z", "0" };
	struct buf text = { 0 };
	struct fixture f;

	fixture_begin(&f);
	buf_put_string(&text, "defaults = { auth = \"none\"; }; mailboxes = (");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		buf_put_format(&text, "%s{ name = \"%s\"; imap = { host = \"h\"; }; }",
			i ? ", " : "", names[i]);
	buf_put_string(&text, ");");
	fixture_load_text(&f, text.at);
	assert_told(&f, "");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_string_equal(settings_find(f.settings, bytes_of(names[i]))->name, names[i]);
	assert_null(settings_find(f.settings, BYTES("b")));
	assert_null(settings_find(f.settings, BYTES("")));
	assert_null(settings_find(f.settings, BYTES("zz@zz")));
	buf_done(&text);
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_plan_says_logins_and_intervals),
	cmocka_unit_test(test_plan_says_how_many_sessions_are_kept),
	cmocka_unit_test(test_plan_says_what_is_stretched),
	cmocka_unit_test(test_plan_says_what_connections_stretch),
	cmocka_unit_test(test_plan_says_what_in_flight_stretches),
	cmocka_unit_test(test_plan_watch_gets_what_changed),
	cmocka_unit_test(test_plan_names_are_found),
};

UNIT_MAIN(tests)
