/*
 * test_event.c: what is told, in its three forms. H2-03, H2-19, H5-22, H8-05 to H8-08.
 *
 * The line is read back by a logfmt reader of the test's own, which is as simple as those that
 * people use.
 */
#include "../unit.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/escape.h"
#include "facts/event.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define ID "01KAV1DXZ0000000000000000A"
#define INCIDENT "01KAV1DXZ0000000000000000B"
#define OUTAGE "01KAV1DXZ0000000000000000C"

static struct ulid
ulid_of(const char *text)
{
	struct ulid id = { 0 };

	assert_ok(ulid_parse(bytes_of(text), &id));
	return id;
}

static struct alert *
new_event(enum event_kind kind, const char *msg)
{
	struct alert *event = alert_new(kind);

	assert_non_null(event);
	event->id = ulid_of(ID);
	event->time = (wall_t){ 1795512600 * US_PER_S + 123 * US_PER_MS };
	event->msg = strdup(msg);
	return event;
}

static void
add_label(struct alert *event, const char *name, const char *value)
{
	struct label *label = &event->labels.items[event->labels.count++];

	label->name = strdup(name);
	label->value = strdup(value);
}

static void
add_reply(struct alert *event, struct bytes line)
{
	assert_ok(texts_add(&event->reply, line, VERDICT_MOST_REPLY_LINES));
}

/* The contract's example: the IMAP side of support refuses its password. */
static struct alert *
failing_event(void)
{
	struct alert *event = new_event(EVENT_STATE, "support: smtp ok, imap failing");

	event->mailbox = strdup("support");
	event->address = strdup("support@example.com");
	event->has_parts = true;
	event->parts[SIDE_SMTP] = PART_OK;
	event->parts[SIDE_IMAP] = PART_FAILING;
	event->state = strdup("smtp ok, imap failing");
	event->was = strdup("ok");
	event->has_endpoint = true;
	event->endpoint = SIDE_IMAP;
	event->has_cause = true;
	event->cause = CAUSE_BAD_CREDENTIALS;
	event->stage = STAGE_AUTH;
	event->server = strdup("imap.example.com");
	event->since = (wall_t){ 1795512600 * US_PER_S };
	event->incident = ulid_of(INCIDENT);
	add_label(event, "owner", "acme");
	add_reply(event, BYTES("NO [AUTHENTICATIONFAILED] Invalid credentials"));
	assert_ok(texts_add(&event->next, BYTES("Check it."), 8));
	assert_ok(texts_add(&event->next, BYTES("Then wait."), 8));
	event->text = strdup("support: imap fails.");
	return event;
}

/* The subject is a server: its members stand beside it. */
static struct alert *
outage_event(void)
{
	struct alert *event = new_event(EVENT_OUTAGE, "imap.example.com: outage, 40 mailboxes");

	event->server = strdup("imap.example.com");
	event->members = 40;
	event->has_endpoint = true;
	event->endpoint = SIDE_IMAP;
	event->has_cause = true;
	event->cause = CAUSE_CONNECT_TIMEOUT;
	event->stage = STAGE_CONNECT;
	event->is_transient = true;
	event->since = (wall_t){ 1795512600 * US_PER_S };
	event->outage = ulid_of(OUTAGE);
	event->text = strdup("imap.example.com does not answer.");
	return event;
}

static struct alert *
domain_event(void)
{
	struct alert *event = new_event(EVENT_OUTAGE_END, "example.com: outage over");

	event->domain = strdup("example.com");
	event->members = 0;
	return event;
}

static struct alert *
brake_event(void)
{
	struct alert *event = new_event(EVENT_BRAKE, "support: logins held until 10:30");

	event->mailbox = strdup("support");
	event->server = strdup("imap.example.com");
	event->members = 2;
	event->until = (wall_t){ 1795516200 * US_PER_S + 999 * US_PER_MS };
	event->detail = strdup("2 refused logins within 1h");
	return event;
}

static struct alert *
trouble_event(void)
{
	struct alert *event = new_event(EVENT_TROUBLE, "trouble: state");

	event->trouble = strdup("state");
	event->detail = strdup("state.db: no room");
	return event;
}

static struct alert *
delivery_event(void)
{
	struct alert *event = new_event(EVENT_DELIVERY, "support: imap ok, delivery failing");

	event->mailbox = strdup("support");
	event->has_parts = true;
	event->parts[SIDE_IMAP] = PART_OK;
	event->delivery = PART_FAILING;
	event->state = strdup("imap ok, delivery failing");
	event->what = strdup("ends");
	return event;
}

static struct alert *
bare_event(void)
{
	return new_event(EVENT_TEST, "test");
}

#define LINE(msg, level, event) "msg=\"" msg "\" level=" level " event=" event " id=" ID
#define JSON(level, event)                                                                         \
	"{\"level\":\"" level "\",\"event\":\"" event "\",\"id\":\"" ID                            \
	"\",\"time\":\"2026-11-24T09:30:00.123Z\""

static const struct {
	const char *name;
	struct alert *(*make)(void);
	const char *line;
	const char *json;
} forms[] = {
	{
		"a mailbox fails",
		failing_event,
		LINE("support: smtp ok, imap failing", "error",
			"state") " mailbox=support smtp=ok imap=failing state=\"smtp ok, imap "
				 "failing\" was=\"ok\""
				 " endpoint=imap cause=bad_credentials stage=auth transient=false"
				 " server=imap.example.com since=2026-11-24T09:30:00Z "
				 "incident=" INCIDENT " label_owner=\"acme\""
				 " reply=\"NO [AUTHENTICATIONFAILED] Invalid credentials\""
				 " next=\"Check it. Then wait.\"",
		JSON("error",
			"state") ",\"mailbox\":\"support\",\"address\":\"support@example.com\","
				 "\"smtp\":\"ok\","
				 "\"imap\":\"failing\",\"state\":\"smtp ok, imap "
				 "failing\",\"was\":\"ok\","
				 "\"endpoint\":\"imap\",\"cause\":\"bad_credentials\",\"stage\":"
				 "\"auth\","
				 "\"transient\":false,\"server\":\"imap.example.com\","
				 "\"since\":\"2026-11-24T09:30:00.000Z\",\"incident\":\"" INCIDENT
				 "\","
				 "\"labels\":{\"owner\":\"acme\"},"
				 "\"reply\":[\"NO [AUTHENTICATIONFAILED] Invalid credentials\"],"
				 "\"next\":[\"Check it.\",\"Then wait.\"],\"text\":\"support: imap "
				 "fails.\"}",
	},
	{
		"a server's outage",
		outage_event,
		LINE("imap.example.com: outage, 40 mailboxes", "critical",
			"outage") " server=imap.example.com members=40 endpoint=imap "
				  "cause=connect_timeout"
				  " stage=connect transient=true since=2026-11-24T09:30:00Z "
				  "outage=" OUTAGE,
		JSON("critical",
			"outage") ",\"endpoint\":\"imap\",\"cause\":\"connect_timeout\",\"stage\":"
				  "\"connect\","
				  "\"transient\":true,\"server\":\"imap.example.com\","
				  "\"since\":\"2026-11-24T09:30:00.000Z\",\"outage\":\"" OUTAGE
				  "\",\"members\":40,"
				  "\"text\":\"imap.example.com does not answer.\"}",
	},
	{
		"a domain's outage is over",
		domain_event,
		LINE("example.com: outage over", "notice",
			"outage-end") " domain=example.com members=0",
		JSON("notice", "outage-end") ",\"domain\":\"example.com\",\"members\":0}",
	},
	{
		"an account's logins are held",
		brake_event,
		LINE("support: logins held until 10:30", "warning",
			"brake") " mailbox=support server=imap.example.com "
				 "until=2026-11-24T10:30:00Z members=2"
				 " detail=\"2 refused logins within 1h\"",
		JSON("warning", "brake") ",\"mailbox\":\"support\",\"server\":\"imap.example.com\","
					 "\"until\":\"2026-11-24T10:30:00.999Z\",\"members\":2,"
					 "\"detail\":\"2 refused logins within 1h\"}",
	},
	{
		"trouble",
		trouble_event,
		LINE("trouble: state", "error",
			"trouble") " kind=state detail=\"state.db: no room\"",
		JSON("error", "trouble") ",\"kind\":\"state\",\"detail\":\"state.db: no room\"}",
	},
	{
		"a third part, and a side that is not there",
		delivery_event,
		LINE("support: imap ok, delivery failing", "error",
			"delivery") " mailbox=support smtp=none imap=ok delivery=failing"
				    " state=\"imap ok, delivery failing\" what=ends",
		JSON("error",
			"delivery") ",\"mailbox\":\"support\",\"smtp\":\"none\",\"imap\":\"ok\","
				    "\"delivery\":\"failing\",\"state\":\"imap ok, delivery "
				    "failing\","
				    "\"what\":\"ends\"}",
	},
	{
		"nothing but itself",
		bare_event,
		LINE("test", "notice", "test"),
		JSON("notice", "test") "}",
	},
};

static void
test_event_line_has_the_contracts_order(void **state)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct alert *event = forms[i].make();

		unit_row(forms[i].name);
		alert_put_line(&line, event);
		assert_buf_holds(&line, bytes_of(forms[i].line));
		alert_free(event);
	}
	buf_done(&line);
}

static void
test_event_json_is_that_of_the_contract(void **state)
{
	struct buf json = { 0 };

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct alert *event = forms[i].make();

		unit_row(forms[i].name);
		alert_put_json(&json, event);
		assert_buf_holds(&json, bytes_of(forms[i].json));
		alert_free(event);
	}
	buf_done(&json);
}

/* ---- what servers and people put in */

static size_t
count_in(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		count++;
	return count;
}

static const struct {
	const char *name;
	struct bytes text;
	const char *line; /* within the quotes of reply, detail and label */
	const char *json;
} hostile[] = {
	{ "H8-05 a second state", TEXT("535 x\" state=ok event=state mailbox=other | event=state"),
		"535 x' state\\\\x3dok event\\\\x3dstate mailbox\\\\x3dother | event\\\\x3dstate",
		"535 x\\\" state=ok event=state mailbox=other | event=state" },
	{ "H8-05 a second line", TEXT("x\r\nmsg=\"y\" level=notice"),
		"x\\\\x0d\\\\x0amsg\\\\x3d'y' level\\\\x3dnotice",
		"x\\r\\nmsg=\\\"y\\\" level=notice" },
	{ "H8-06 a screen cleared", TEXT("\x1b[2J"), "\\\\x1b[2J", "\\u001b[2J" },
	{ "H8-06 a link", TEXT("\x1b]8;;http://x\x1b\\"), "\\\\x1b]8;;http://x\\\\x1b\\\\x5c",
		"\\u001b]8;;http://x\\u001b\\\\" },
	{ "H8-06 C1, BEL, DEL", TEXT("\xc2\x9b\a\x7f"), "\\\\xc2\\\\x9b\\\\x07\\\\x7f",
		"\\u009b\\u0007\\u007f" },
	{ "H8-06 U+202E, U+2066", TEXT("\xe2\x80\xae\xe2\x81\xa6"),
		"\\\\xe2\\\\x80\\\\xae\\\\xe2\\\\x81\\\\xa6", "\\u202e\\u2066" },
	{ "H8-06 U+200B, U+2028, U+FEFF", TEXT("\xe2\x80\x8b\xe2\x80\xa8\xef\xbb\xbf"),
		"\\\\xe2\\\\x80\\\\x8b\\\\xe2\\\\x80\\\\xa8\\\\xef\\\\xbb\\\\xbf",
		"\\u200b\\u2028\\ufeff" },
	/* Two of its bytes happen to be a letter of UTF-8. */
	{ "H2-19 GBK", TEXT("535 \xc7\xeb\xca\xb9"), "535 \\\\xc7\\\\xeb\xca\xb9",
		"535 \\u00c7\\u00eb\xca\xb9" },
	{ "H2-19 Latin-1", TEXT("gr\xfc\xdf"), "gr\\\\xfc\\\\xdf", "gr\\u00fc\\u00df" },
	{ "H2-19 overlong, cut", TEXT("\xc0\xaf\xe2\x82"), "\\\\xc0\\\\xaf\\\\xe2\\\\x82",
		"\\u00c0\\u00af\\u00e2\\u0082" },
	{ "H5-22 quote, backslash, LF", TEXT("a\"b\\c\nd"), "a'b\\\\x5cc\\\\x0ad",
		"a\\\"b\\\\c\\nd" },
	{ "what people write", TEXT("M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7"),
		"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7",
		"M\xc3\xbcnchen \xe8\xaf\xb7 \xf0\x9f\x93\xa7" },
};

static struct alert *
hostile_event(struct bytes text)
{
	struct alert *event = new_event(EVENT_STATE, "support: smtp failing");

	event->mailbox = strdup("support");
	event->state = strdup("smtp failing");
	event->detail = text_keep(text);
	add_reply(event, text);
	add_reply(event, BYTES("bye"));
	add_label(event, "owner", event->detail);
	return event;
}

static void
test_event_line_bears_what_servers_say(void **state)
{
	struct buf line = { 0 };
	struct buf wanted = { 0 };

	for (size_t i = 0; i < COUNT_OF(hostile); i++) {
		struct alert *event = hostile_event(hostile[i].text);

		unit_row(hostile[i].name);
		alert_put_line(&line, event);
		buf_put_format(&wanted,
			LINE("support: smtp failing", "error",
				"state") " mailbox=support state=\"smtp failing\" "
					 "label_owner=\"%s\" detail=\"%s\""
					 " reply=\"%s bye\"",
			hostile[i].line, hostile[i].line, hostile[i].line);
		assert_true(text_is_clean(buf_bytes(&line)));
		/* As grep sees it: whatever was said, each stands once. */
		assert_int_equal(count_in(line.at, " mailbox="), 1);
		assert_int_equal(count_in(line.at, " event="), 1);
		assert_int_equal(count_in(line.at, " state="), 1);
		assert_buf_holds(&line, buf_bytes(&wanted));
		buf_clear(&wanted);
		alert_free(event);
	}
	buf_done(&line);
	buf_done(&wanted);
}

static void
test_event_json_bears_what_servers_say(void **state)
{
	struct buf json = { 0 };
	struct buf wanted = { 0 };

	for (size_t i = 0; i < COUNT_OF(hostile); i++) {
		struct alert *event = hostile_event(hostile[i].text);
		json_t *whole;

		unit_row(hostile[i].name);
		alert_put_json(&json, event);
		buf_put_format(&wanted,
			"\"labels\":{\"owner\":\"%s\"},\"detail\":\"%s\","
			"\"reply\":[\"%s\",\"bye\"]}",
			hostile[i].json, hostile[i].json, hostile[i].json);
		assert_non_null(strstr(json.at, wanted.at));
		assert_null(strchr(json.at, '\n')); /* one event is one line */
		assert_true(text_is_clean(buf_bytes(&json)));
		whole = json_loadb(json.at, json.len, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(whole);
		json_decref(whole);
		buf_clear(&json);
		buf_clear(&wanted);
		alert_free(event);
	}
	buf_done(&json);
	buf_done(&wanted);
}

/* H2-03: nothing is cut at a NUL. */
static void
test_event_shows_a_nul_as_one(void **state)
{
	struct alert *event = bare_event();
	struct buf out = { 0 };

	add_reply(event, BYTES("220 a\0b ESMTP"));
	alert_put_line(&out, event);
	assert_non_null(strstr(out.at, " reply=\"220 a\\\\x00b ESMTP\""));
	buf_clear(&out);
	alert_put_json(&out, event);
	assert_non_null(strstr(out.at, "\"reply\":[\"220 a\\u0000b ESMTP\"]"));
	buf_done(&out);
	alert_free(event);
}

/* ---- the line's bound */

/* Takes key and value of the next member; dies where the line is no logfmt. */
static bool
next_member(struct bytes *rest, struct bytes *key, struct bytes *value)
{
	size_t len;

	if (rest->len == 0)
		return false;
	len = bytes_index(*rest, '=');
	assert_true(len > 0 && len < rest->len);
	*key = bytes_first(*rest, len);
	assert_int_equal(bytes_index(*key, ' '), key->len);
	*rest = bytes_from(*rest, len + 1);
	if (rest->len > 0 && rest->at[0] == '"') {
		*rest = bytes_from(*rest, 1);
		len = bytes_index(*rest, '"');
		assert_true(len < rest->len); /* it is closed */
		*value = bytes_first(*rest, len);
		*rest = bytes_from(*rest, len + 1);
	} else {
		*value = bytes_first(*rest, bytes_index(*rest, ' '));
		*rest = bytes_from(*rest, value->len);
	}
	if (rest->len > 0) {
		assert_int_equal(rest->at[0], ' ');
		*rest = bytes_from(*rest, 1);
		assert_true(rest->len > 0);
	}
	return true;
}

/* The value of a member, or none. */
static struct bytes
member_of_line(struct bytes line, struct bytes wanted)
{
	struct bytes key, value;

	while (next_member(&line, &key, &value)) {
		if (bytes_equal(key, wanted))
			return value;
	}
	return BYTES_NONE;
}

/* Every escape is whole: each backslash is one of the two of \\xNN. */
static bool
escapes_are_whole(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '\\')
			continue;
		if (text.len - i < 5 || memcmp(text.at + i, "\\\\x", 3) != 0)
			return false;
		i += 4;
	}
	return true;
}

static char *
repeated(size_t before, const char *piece, size_t count)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < before; i++)
		buf_put_byte(&text, 'a');
	for (size_t i = 0; i < count; i++)
		buf_put_string(&text, piece);
	return buf_take(&text);
}

/* H8-07: wherever the end falls, at a character of four bytes, an escape or a quote. */
static void
test_event_line_is_cut_between_characters(void **state)
{
	static const struct {
		const char *name;
		const char *piece;
	} rows[] = {
		{ "H8-07 four bytes each", "\xf0\x9f\x93\xa7" },
		{ "H8-07 quotes", "\"" },
		{ "equals signs", "=" },
		{ "controls", "\x1b" },
		{ "invisible, three escapes each", "\xe2\x80\xae" },
		{ "broken UTF-8", "\xf0\x9f" },
		{ "blanks", " " },
	};
	struct buf line = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		for (size_t before = 0; before < 24; before++) {
			struct alert *event = failing_event();
			char *text = repeated(before, rows[i].piece, 900);
			struct bytes reply;

			add_reply(event, bytes_of(text));
			alert_put_line(&line, event);
			assert_int_equal(buf_err(&line), ERR_OK);
			assert_in_range(line.len, LINE_MOST_BYTES - 20, LINE_MOST_BYTES);
			assert_true(text_is_clean(buf_bytes(&line)));
			reply = member_of_line(buf_bytes(&line), BYTES("reply"));
			assert_true(reply.len > 0 && escapes_are_whole(reply));
			assert_bytes_equal(
				member_of_line(buf_bytes(&line), BYTES("event")), BYTES("state"));
			assert_bytes_equal(member_of_line(buf_bytes(&line), BYTES("mailbox")),
				BYTES("support"));
			assert_bytes_equal(member_of_line(buf_bytes(&line), BYTES("state")),
				BYTES("smtp ok, imap failing"));
			assert_bytes_equal(member_of_line(buf_bytes(&line), BYTES("cause")),
				BYTES("bad_credentials"));
			buf_clear(&line);
			free(text);
			alert_free(event);
		}
	}
	buf_done(&line);
}

static void
test_event_line_is_cut_from_its_end(void **state)
{
	static const struct {
		const char *name;
		size_t detail, reply, next; /* bytes of each */
		size_t labels;		    /* of 64 bytes each */
		size_t labels_left;
		bool has_detail, has_reply, has_next, is_full;
	} rows[] = {
		{ "all has room", 50, 50, 50, 2, 2, true, true, true, false },
		{ "next is cut", 50, 50, 900, 2, 2, true, true, true, true },
		{ "next goes, reply is cut", 50, 900, 50, 2, 2, true, true, false, true },
		{ "both go, detail is cut", 900, 50, 50, 2, 2, true, false, false, true },
		{ "labels are whole", 50, 50, 50, 8, 7, false, false, false, false },
	};
	struct buf line = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct alert *event = bare_event();
		char *value = repeated(LABEL_VALUE_MOST, "", 0);
		char *reply = repeated(rows[i].reply, "", 0);
		char *next = repeated(rows[i].next, "", 0);
		struct bytes rest, key, found;
		size_t labels = 0;

		unit_row(rows[i].name);
		event->detail = repeated(rows[i].detail, "", 0);
		add_reply(event, bytes_of(reply));
		assert_ok(texts_add(&event->next, bytes_of(next), 8));
		for (char name[] = "label_of_thirty_two_bytes_long_a"; labels < rows[i].labels;
			labels++, name[31]++)
			add_label(event, name, value);
		alert_put_line(&line, event);
		assert_int_equal(member_of_line(buf_bytes(&line), BYTES("detail")).len > 0,
			rows[i].has_detail);
		assert_int_equal(member_of_line(buf_bytes(&line), BYTES("reply")).len > 0,
			rows[i].has_reply);
		assert_int_equal(
			member_of_line(buf_bytes(&line), BYTES("next")).len > 0, rows[i].has_next);
		assert_int_equal(line.len == LINE_MOST_BYTES, rows[i].is_full);
		assert_true(line.len <= LINE_MOST_BYTES);
		labels = 0;
		rest = buf_bytes(&line);
		while (next_member(&rest, &key, &found)) {
			if (!bytes_starts(key, BYTES("label_")))
				continue;
			assert_bytes_equal(found, bytes_of(value)); /* whole */
			assert_int_equal(key.at[key.len - 1], 'a' + labels);
			labels++; /* the first ones */
		}
		assert_int_equal(labels, rows[i].labels_left);
		buf_clear(&line);
		free(value);
		free(reply);
		free(next);
		alert_free(event);
	}
	buf_done(&line);
}

/* All names as long as they may be: nothing but msg gives way. */
static void
test_event_line_is_bounded_by_the_longest_names(void **state)
{
	struct alert *event = failing_event();
	struct buf line = { 0 };

	free(event->msg);
	event->msg = repeated(400, "", 0);
	free(event->server);
	event->server = repeated(253, "", 0);
	free(event->mailbox);
	event->mailbox = repeated(64, "", 0);
	event->delivery = PART_UNKNOWN;
	event->outage = ulid_of(OUTAGE);
	event->until = event->since;
	event->members = 1000000;
	event->trouble = strdup("descriptors");
	event->what = strdup("renewed");
	alert_put_line(&line, event);
	assert_int_equal(line.len, LINE_MOST_BYTES);
	assert_bytes_equal(member_of_line(buf_bytes(&line), BYTES("what")), BYTES("renewed"));
	assert_int_equal(member_of_line(buf_bytes(&line), BYTES("server")).len, 253);
	assert_true(member_of_line(buf_bytes(&line), BYTES("msg")).len > 90);
	buf_done(&line);
	alert_free(event);
}

/* ---- the journal */

static void
test_event_journal_has_the_contracts_fields(void **state)
{
	struct alert *event = failing_event();
	struct buf journal = { 0 };

	event->outage = ulid_of(OUTAGE);
	alert_put_journal(&journal, event, BYTES("msg=\"x\""));
	assert_buf_holds(&journal, BYTES("MESSAGE=msg=\"x\"\n"
					 "PRIORITY=3\n"
					 "MESSAGE_ID=9e28849e67a444008fa94ab3fecb91d6\n"
					 "SYSLOG_FACILITY=2\n"
					 "SYSLOG_IDENTIFIER=mboxwatchd\n"
					 "MBOXWATCH_EVENT=state\n"
					 "MBOXWATCH_EVENT_ID=" ID "\n"
					 "MBOXWATCH_MAILBOX=support\n"
					 "MBOXWATCH_SMTP=ok\n"
					 "MBOXWATCH_IMAP=failing\n"
					 "MBOXWATCH_STATE=smtp ok, imap failing\n"
					 "MBOXWATCH_WAS=ok\n"
					 "MBOXWATCH_ENDPOINT=imap\n"
					 "MBOXWATCH_CAUSE=bad_credentials\n"
					 "MBOXWATCH_STAGE=auth\n"
					 "MBOXWATCH_SERVER=imap.example.com\n"
					 "MBOXWATCH_INCIDENT=" INCIDENT "\n"
					 "MBOXWATCH_OUTAGE=" OUTAGE "\n"
					 "MBOXWATCH_LABEL_OWNER=acme\n"));
	buf_done(&journal);
	alert_free(event);
}

/* H8-08: a value makes no field of its own. */
static void
test_event_journal_bears_labels(void **state)
{
	static const struct {
		const char *name;
		const char *label;
		const char *value;
		struct bytes field;
	} rows[] = {
		{ "a word", "owner", "acme", TEXT("MBOXWATCH_LABEL_OWNER=acme\n") },
		{ "H8-08 a trusted field's name", "priority", "0",
			TEXT("MBOXWATCH_LABEL_PRIORITY=0\n") },
		{ "digits and _", "a_b2", "x", TEXT("MBOXWATCH_LABEL_A_B2=x\n") },
		{ "H8-08 LF", "owner", "a\nPRIORITY=0",
			TEXT("MBOXWATCH_LABEL_OWNER\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n") },
		{ "LF alone", "owner", "\n",
			TEXT("MBOXWATCH_LABEL_OWNER\n\x01\0\0\0\0\0\0\0\n\n") },
		{ "H2-19 no UTF-8", "owner", "gr\xfc\xdf",
			TEXT("MBOXWATCH_LABEL_OWNER=gr\\xfc\\xdf\n") },
		{ "H8-06 a colour", "owner", "\x1b[31m",
			TEXT("MBOXWATCH_LABEL_OWNER=\\x1b[31m\n") },
		{ "empty", "owner", "", TEXT("MBOXWATCH_LABEL_OWNER=\n") },
	};
	struct buf journal = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct alert *event = bare_event();
		struct bytes end;

		unit_row(rows[i].name);
		add_label(event, rows[i].label, rows[i].value);
		alert_put_journal(&journal, event, BYTES("line"));
		assert_true(journal.len > rows[i].field.len);
		end = bytes_from(buf_bytes(&journal), journal.len - rows[i].field.len);
		assert_bytes_equal(end, rows[i].field);
		buf_clear(&journal);
		alert_free(event);
	}
	buf_done(&journal);
}

/* ---- told */

static void
test_event_is_rendered_once(void **state)
{
	struct alert *event = failing_event();
	struct told *told = NULL;
	struct buf journal = { 0 };

	assert_ok(alert_render(event, &told));
	assert_int_equal(ulid_compare(told->id, event->id), 0);
	assert_int_equal(told->kind, EVENT_STATE);
	assert_int_equal(told->level, LEVEL_ERROR);
	assert_int_equal(told->time.us, event->time.us);
	assert_string_equal(told->line, forms[0].line);
	assert_string_equal(told->json, forms[0].json);
	alert_put_journal(&journal, event, bytes_of(told->line));
	assert_bytes_equal(
		((struct bytes){ told->journal, told->journal_len }), buf_bytes(&journal));
	alert_free(event);
	buf_done(&journal);

	assert_ptr_equal(told_hold(told), told);
	told_free(told);
	assert_string_equal(told->line, forms[0].line); /* the other owner's still */
	told_free(told);
	told_free(NULL);
}

static void
test_event_told_member_is_of_the_outermost_object(void **state)
{
	static const struct {
		const char *name;
		const char *json;
		struct bytes member;
		struct bytes value;
	} rows[] = {
		{ "first", "{\"mailbox\":\"a\",\"event\":\"state\"}", TEXT("mailbox"), TEXT("a") },
		{ "last", "{\"members\":4,\"mailbox\":\"a\"}", TEXT("mailbox"), TEXT("a") },
		{ "missing", "{\"event\":\"start\"}", TEXT("mailbox"), TEXT("") },
		{ "a number", "{\"members\":4,\"x\":\"4\"}", TEXT("members"), TEXT("") },
		{ "a list", "{\"reply\":[\"a\"],\"x\":\"b\"}", TEXT("reply"), TEXT("") },
		{ "a label of that name", "{\"labels\":{\"mailbox\":\"b\"},\"mailbox\":\"a\"}",
			TEXT("mailbox"), TEXT("a") },
		{ "a label of that name alone", "{\"labels\":{\"mailbox\":\"b\"}}", TEXT("mailbox"),
			TEXT("") },
		{ "H8-05 in a reply",
			"{\"reply\":[\"x\\\",\\\"mailbox\\\":\\\"b\"],"
			"\"mailbox\":\"a\"}",
			TEXT("mailbox"), TEXT("a") },
		{ "H8-05 in detail", "{\"detail\":\"\\\\\\\",\\\"mailbox\\\":\\\"b\"}",
			TEXT("mailbox"), TEXT("") },
		{ "as a value", "{\"detail\":\"mailbox\",\"x\":\"b\"}", TEXT("mailbox"), TEXT("") },
		{ "escapes stay", "{\"text\":\"a\\\"b\"}", TEXT("text"), TEXT("a\\\"b") },
		{ "cut", "{\"text\":\"a\\", TEXT("mailbox"), TEXT("") },
		{ "empty", "", TEXT("mailbox"), TEXT("") },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *json = strdup(rows[i].json);
		struct told told = { .json = json };

		unit_row(rows[i].name);
		assert_bytes_equal(told_member(&told, rows[i].member), rows[i].value);
		free(json);
	}
}

static void
test_event_rows_are_complete(void **state)
{
	for (unsigned i = 0; i < EVENT_COUNT; i++) {
		const struct event_row *row = event_row((enum event_kind)i);
		struct alert *event = alert_new((enum event_kind)i);
		enum event_kind kind = EVENT_COUNT;

		unit_row(row->word);
		assert_ok(event_kind_from_name(bytes_of(row->word), &kind));
		assert_int_equal(kind, i);
		assert_int_equal(strlen(row->message_id), 32);
		assert_int_equal(strspn(row->message_id, "0123456789abcdef"), 32);
		for (unsigned other = 0; other < i; other++)
			assert_string_not_equal(
				row->message_id, event_row((enum event_kind)other)->message_id);
		assert_int_equal(event->level, row->level);
		assert_int_equal(event->members, -1);
		alert_free(event);
	}
	assert_string_equal(event_kind_name(EVENT_COUNT), "?");
	alert_free(NULL);
}

static void
test_event_labels_are_copied_whole(void **state)
{
	struct alert *event = failing_event();
	struct labels copy = { 0 };

	add_label(event, "team", "");
	assert_ok(labels_copy(&event->labels, &copy));
	alert_free(event);
	assert_int_equal(copy.count, 2);
	assert_string_equal(copy.items[0].name, "owner");
	assert_string_equal(copy.items[0].value, "acme");
	assert_string_equal(copy.items[1].value, "");
	labels_done(&copy);
	assert_int_equal(copy.count, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_event_line_has_the_contracts_order),
	cmocka_unit_test(test_event_json_is_that_of_the_contract),
	cmocka_unit_test(test_event_line_bears_what_servers_say),
	cmocka_unit_test(test_event_json_bears_what_servers_say),
	cmocka_unit_test(test_event_shows_a_nul_as_one),
	cmocka_unit_test(test_event_line_is_cut_between_characters),
	cmocka_unit_test(test_event_line_is_cut_from_its_end),
	cmocka_unit_test(test_event_line_is_bounded_by_the_longest_names),
	cmocka_unit_test(test_event_journal_has_the_contracts_fields),
	cmocka_unit_test(test_event_journal_bears_labels),
	cmocka_unit_test(test_event_is_rendered_once),
	cmocka_unit_test(test_event_told_member_is_of_the_outermost_object),
	cmocka_unit_test(test_event_rows_are_complete),
	cmocka_unit_test(test_event_labels_are_copied_whole),
};
UNIT_MAIN(tests)
