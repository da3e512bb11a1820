/*
 * test_words.c: next steps and the sentences of events.
 */
#include "../unit.h"

#include "diagnose/words.h"

#include <stdlib.h>

static void
assert_texts(const struct texts *texts, const char *const want[])
{
	size_t count = 0;

	for (; want[count]; count++) {
		assert_true(count < texts->count);
		assert_string_equal(texts->items[count], want[count]);
	}
	assert_int_equal(texts->count, count);
}

static void
test_words_next_are_sentences(void **state)
{
	static const struct {
		const char *name;
		enum cause cause;
		const char *want[6];
	} rows[] = {
		{ "nothing to do", CAUSE_OK, { NULL } },
		{ "one sentence", CAUSE_CERT_EXPIRED, { "Tell the server's admin." } },
		{ "a question is one too", CAUSE_BAD_CREDENTIALS,
			{ "Is the user name the full address (or the form the provider documents)?",
				"Then try the password once in webmail; then app password, "
				"two-factor, OAuth, "
				"IMAP/SMTP switched off: big providers use the same words for "
				"all." } },
		{ "name put in", CAUSE_OAUTH_REQUIRED,
			{ "Move the mailbox to OAuth, or renew: mboxwatchctl authorize "
			  "support." } },
		{ "one sentence", CAUSE_DNS_NO_NAME,
			{ "Check the spelling; look the server up at the provider." } },
		{ "resume at the end", CAUSE_WEB_LOGIN_REQUIRED,
			{ "Sign in there and confirm.",
				"When that is done: mboxwatchctl resume support" } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct texts next = { 0 };

		unit_row(rows[i].name);
		assert_ok(words_next(rows[i].cause, NULL, BYTES("support"),
			BYTES("support@example.com"), &next));
		assert_texts(&next, rows[i].want);
		texts_done(&next);
	}
}

/* Every cause but ok has a next step, and none keeps a word that stands for something else. */
static void
test_words_next_are_there_for_every_cause(void **state)
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		struct texts next = { 0 };

		assert_ok(words_next(
			(enum cause)cause, NULL, BYTES("support"), BYTES("s@example.com"), &next));
		assert_int_equal(next.count == 0, cause == CAUSE_OK);
		for (size_t i = 0; i < next.count; i++) {
			assert_null(strstr(next.items[i], "NAME"));
			assert_null(strstr(next.items[i], "ADDRESS"));
		}
		if (cause_has((enum cause)cause, CAUSE_RESUME))
			assert_string_equal(next.items[next.count - 1],
				"When that is done: mboxwatchctl resume support");
		texts_done(&next);
	}
}

static void
test_words_next_begin_with_what_is_suggested(void **state)
{
	struct verdict *verdict = verdict_new();
	struct texts next = { 0 };

	verdict_suggest(verdict, "security", "starttls");
	assert_ok(words_next(CAUSE_TLS_MODE, verdict, BYTES("a"), BYTES("a@b"), &next));
	assert_texts(&next, (const char *const[]){ "Set security to \"starttls\".", NULL });
	verdict_suggest(verdict, "port", "587");
	assert_ok(words_next(CAUSE_TLS_MODE, verdict, BYTES("a"), BYTES("a@b"), &next));
	assert_texts(&next,
		(const char *const[]){ "Set security to \"starttls\" and port to 587.", NULL });
	texts_done(&next);
	verdict_free(verdict);
}

/* H2-36: it is our own name that is refused, and nothing is to be resumed. */
static void
test_words_next_name_helo_name(void **state)
{
	struct verdict *verdict = verdict_new();
	struct texts next = { 0 };

	verdict->stage = STAGE_CAPABILITY;
	assert_ok(words_next(CAUSE_POLICY_BLOCKED, verdict, BYTES("a"), BYTES("a@b"), &next));
	assert_non_null(strstr(next.items[0], "daemon.helo_name"));
	assert_null(strstr(next.items[next.count - 1], "resume"));
	texts_done(&next);
	verdict_free(verdict);
}

static char *
copy(const char *text)
{
	return bytes_copy(bytes_of(text));
}

static const wall_t noon = { INT64_C(1795521600000000) }; /* 2026-11-24T12:00:00Z */

static void
test_words_event_has_msg(void **state)
{
	static const struct {
		const char *msg;
		enum event_kind kind;
		const char *mailbox;
		const char *state;
		const char *server;
		const char *what;
		const char *trouble;
		int64_t members; /* 0: has not */
		int64_t until_us;
	} rows[] = {
		{ .msg = "support: smtp ok, imap failing",
			.kind = EVENT_STATE,
			.mailbox = "support",
			.state = "smtp ok, imap failing" },
		{ .msg = "support: removed",
			.kind = EVENT_STATE,
			.mailbox = "support",
			.state = "removed" },
		{ .msg = "support: still smtp failing",
			.kind = EVENT_REMINDER,
			.mailbox = "support",
			.state = "smtp failing" },
		{ .msg = "imap.example.com: outage, 12 mailboxes",
			.kind = EVENT_OUTAGE,
			.server = "imap.example.com",
			.members = 12 },
		{ .msg = "uplink: down", .kind = EVENT_UPLINK },
		{ .msg = "uplink: up", .kind = EVENT_UPLINK_END },
		{ .msg = "support: logins held until 2026-11-24T13:00:00Z",
			.kind = EVENT_BRAKE,
			.mailbox = "support",
			.until_us = US_PER_H },
		{ .msg = "imap.example.com: certificate ends in 6 days",
			.kind = EVENT_CERT,
			.server = "imap.example.com",
			.what = "ends",
			.until_us = 6 * US_PER_D + US_PER_H },
		{ .msg = "imap.example.com: certificate ends in 1 day",
			.kind = EVENT_CERT,
			.server = "imap.example.com",
			.what = "ends",
			.until_us = US_PER_D },
		{ .msg = "imap.example.com: certificate renewed",
			.kind = EVENT_CERT,
			.server = "imap.example.com",
			.what = "renewed" },
		{ .msg = "started, 500 mailboxes", .kind = EVENT_START, .members = 500 },
		{ .msg = "stopped", .kind = EVENT_STOP },
		{ .msg = "trouble: sink", .kind = EVENT_TROUBLE, .trouble = "sink" },
		{ .msg = "trouble over: sink", .kind = EVENT_TROUBLE_END, .trouble = "sink" },
		{ .msg = "support: paused until 2026-11-24T14:00:00Z",
			.kind = EVENT_PAUSE,
			.mailbox = "support",
			.until_us = 2 * US_PER_H },
		{ .msg = "test", .kind = EVENT_TEST },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct alert *event = alert_new(rows[i].kind);

		unit_row(rows[i].msg);
		event->time = noon;
		event->mailbox = rows[i].mailbox ? copy(rows[i].mailbox) : NULL;
		event->state = rows[i].state ? copy(rows[i].state) : NULL;
		event->server = rows[i].server ? copy(rows[i].server) : NULL;
		event->what = rows[i].what ? copy(rows[i].what) : NULL;
		event->trouble = rows[i].trouble ? copy(rows[i].trouble) : NULL;
		event->members = rows[i].members > 0 ? rows[i].members : -1;
		event->until = rows[i].until_us ? wall_add(noon, rows[i].until_us) : WALL_NONE;
		assert_ok(words_event(event));
		assert_string_equal(event->msg, rows[i].msg);
		assert_true(strncmp(event->text, rows[i].msg, strlen(rows[i].msg)) == 0);
		alert_free(event);
	}
}

static void
test_words_of_a_certificate_say_until_when(void **state)
{
	struct alert *event = alert_new(EVENT_CERT);

	(void)state;
	event->time = noon;
	event->server = copy("imap.example.com");
	event->what = copy("ends");
	event->until = wall_add(noon, 6 * US_PER_D + US_PER_H);
	event->detail = copy("CN=imap.example.com, issued by O=Authority");
	assert_ok(words_event(event));
	assert_string_equal(event->text,
		"imap.example.com: certificate ends in 6 days, valid until 2026-11-30T13:00:00Z. "
		"After that mail programs, and we, refuse to talk to the server. "
		"CN=imap.example.com, issued by O=Authority. "
		"Next: Renew it, or tell the server's admin.");
	alert_free(event);
}

/* contract 6: what, which side, since when, the server's words, what to do next. */
static void
test_words_event_text_is_enough_on_its_own(void **state)
{
	struct alert *event = alert_new(EVENT_STATE);

	event->mailbox = copy("support");
	event->address = copy("support@example.com");
	event->state = copy("smtp ok, imap failing");
	event->was = copy("ok");
	event->server = copy("imap.example.com");
	event->has_endpoint = true;
	event->endpoint = SIDE_IMAP;
	event->has_cause = true;
	event->cause = CAUSE_WEB_LOGIN_REQUIRED;
	event->stage = STAGE_AUTH;
	event->since = noon;
	assert_ok(texts_add(
		&event->reply, BYTES("NO [ALERT] Please log in via your web browser"), 16));
	assert_ok(words_event(event));
	assert_string_equal(event->text,
		"support: smtp ok, imap failing (was: ok). IMAP at imap.example.com fails since "
		"2026-11-24T12:00:00Z (web_login_required, at auth): The provider wants a browser "
		"sign-in or "
		"captcha first. The server said: \"NO [ALERT] Please log in via your web "
		"browser\". Next: Sign in "
		"there and confirm. When that is done: mboxwatchctl resume support");
	alert_free(event);
}

/* Whatever it is about, text is whole sentences: who did it, what that means. */
static void
test_words_event_text_is_sentences(void **state)
{
	static const struct {
		const char *text;
		enum event_kind kind;
		const char *mailbox;
		const char *detail;
		int64_t until_us;
	} rows[] = {
		{ "support: paused until 2026-11-24T14:00:00Z. Meanwhile it is neither probed nor "
		  "told about. By uid 0 (root): new server.",
			EVENT_PAUSE, "support", "uid 0 (root): new server", 2 * US_PER_H },
		{ "support: paused. Meanwhile it is neither probed nor told about. By ann.",
			EVENT_PAUSE, "support", "ann", 0 },
		{ "support: resumed. By mboxwatchd: the pause is over.", EVENT_RESUME, "support",
			"mboxwatchd: the pause is over", 0 },
		{ "support: resumed. By ann: it works!", EVENT_RESUME, "support", "ann: it works!",
			0 },
		{ "test. Alerts reach this place. Asked for by ann, for syslog.", EVENT_TEST, NULL,
			"asked for by ann, for syslog", 0 },
		{ "reload failed, nothing has changed. main.conf:3: no such setting.",
			EVENT_RELOAD_FAILED, NULL, "main.conf:3: no such setting", 0 },
		{ "stopped.", EVENT_STOP, NULL, NULL, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct alert *event = alert_new(rows[i].kind);

		unit_row(rows[i].text);
		event->time = noon;
		event->mailbox = rows[i].mailbox ? copy(rows[i].mailbox) : NULL;
		event->detail = rows[i].detail ? copy(rows[i].detail) : NULL;
		event->until = rows[i].until_us ? wall_add(noon, rows[i].until_us) : WALL_NONE;
		assert_ok(words_event(event));
		assert_string_equal(event->text, rows[i].text);
		alert_free(event);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_words_next_are_sentences),
	cmocka_unit_test(test_words_next_are_there_for_every_cause),
	cmocka_unit_test(test_words_next_begin_with_what_is_suggested),
	cmocka_unit_test(test_words_next_name_helo_name),
	cmocka_unit_test(test_words_event_has_msg),
	cmocka_unit_test(test_words_of_a_certificate_say_until_when),
	cmocka_unit_test(test_words_event_text_is_enough_on_its_own),
	cmocka_unit_test(test_words_event_text_is_sentences),
};

UNIT_MAIN(tests)
