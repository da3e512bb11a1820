/*
 * changes.c: mboxwatchctl probe, pause, resume, reload, test-alert, remove: what the daemon is
 * asked to do. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

#define PROBE_DEADLINE_S (60 * 60) /* a large selection waits for limits */
#define RELOAD_DEADLINE_S (5 * 60)

static const char *const side_names[] = { "smtp", "imap" };

/* ---- probe */

static const struct column verdict_columns[] = {
	{ "MAILBOX", .least = 12 },
	{ "SIDE", .least = 0 },
	{ "RESULT", .least = 0 },
	{ "CAUSE", .least = 8 },
	{ "TIME", .least = 0, .is_number = true },
	{ "WORDS", .least = 10 },
};

static void
put_verdict(struct table *table, const json_t *mailbox, const char *name, const json_t *side,
	bool *is_failing)
{
	const json_t *verdict = json_object_get(side, "verdict");
	bool is_ok = member_is_true(verdict, "ok");
	struct buf time = { 0 };

	if (json_is_object(verdict))
		buf_put_format(&time, "%lld ms",
			(long long)member_number(json_object_get(verdict, "times_ms"), "total"));
	*is_failing = *is_failing || (json_is_object(verdict) && !is_ok);
	table_put(table, COLOUR_NONE, member_text(mailbox, "name"));
	table_put(table, COLOUR_NONE, bytes_of(name));
	table_put(table, is_ok ? COLOUR_GOOD : COLOUR_BAD,
		is_ok ? BYTES("ok") : member_text(verdict, "stage"));
	table_put(table, COLOUR_NONE, is_ok ? BYTES_NONE : member_text(verdict, "cause"));
	table_put(table, COLOUR_NONE, buf_bytes(&time));
	table_put(table, COLOUR_NONE, is_ok ? BYTES_NONE : verdict_words(verdict));
	buf_done(&time);
}

static void
put_mailbox(struct table *table, const json_t *mailbox, bool *is_failing)
{
	for (size_t i = 0; i < COUNT_OF(side_names); i++) {
		const json_t *side = json_object_get(mailbox, side_names[i]);

		if (json_is_object(side))
			put_verdict(table, mailbox, side_names[i], side, is_failing);
	}
}

static void
say_skipped(struct out *out, const json_t *skipped)
{
	const json_t *name;
	size_t i;

	json_array_foreach(skipped, i, name)
	{
		out_say(out, i == 0 ? "not probed (paused, or logins held): " : ", ");
		if (json_is_string(name))
			out_outside(out, bytes_of(json_string_value(name)));
	}
	if (i > 0)
		out_say(out, "\n");
}

/* Selectors that may match none; what was asked for has not been done all the same. */
static enum exit_status
complain_no_match(void)
{
	complain("no mailbox matches");
	return EXIT_NO_MAILBOX;
}

struct skipped {
	json_t *names; /* an object, for looking up */
	bool is_failing;
};

static void
judge_skipped(void *user, const json_t *mailbox)
{
	struct skipped *skipped = user;
	struct bytes name = member_text(mailbox, "name");

	if (name.len > 0 && json_object_getn(skipped->names, name.at, name.len))
		skipped->is_failing = skipped->is_failing || mailbox_class(mailbox)[0] == 'f';
}

/* One that was not probed was asked about all the same: its state stands for the verdict. */
static enum exit_status
judge_all_skipped(const struct invocation *invocation, const json_t *names)
{
	struct skipped skipped = { .names = json_object() };
	enum exit_status status = EXIT_FINE;
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		if (json_is_string(name))
			(void)json_object_setn_new(skipped.names, json_string_value(name),
				json_string_length(name), json_true());
	}
	if (i > 0)
		status = pages_walk(invocation, judge_skipped, &skipped, NULL);
	json_decref(skipped.names);
	return status == EXIT_FINE && skipped.is_failing ? EXIT_FAILING : status;
}

/* The answer is one MAILBOX, or {mailboxes, skipped}. */
static enum exit_status
print_verdicts(
	const struct invocation *invocation, const struct answer *answer, const json_t *document)
{
	const json_t *mailboxes = json_object_get(document, "mailboxes"), *mailbox;
	struct table *table = table_new(verdict_columns, COUNT_OF(verdict_columns));
	bool is_failing = false;
	size_t i;

	if (!table)
		return EXIT_REFUSED;
	json_array_foreach(mailboxes, i, mailbox) put_mailbox(table, mailbox, &is_failing);
	if (!mailboxes)
		put_mailbox(table, document, &is_failing);
	if (!print_json(invocation, answer)) {
		if (table_rows(table) > 0)
			(void)table_print(table, invocation->out);
		say_skipped(invocation->out, json_object_get(document, "skipped"));
	}
	table_free(table);
	if (mailboxes && json_array_size(mailboxes) == 0 && invocation->argument_count > 0 &&
		json_array_size(json_object_get(document, "skipped")) == 0)
		return complain_no_match();
	return is_failing ? EXIT_FAILING
			  : judge_all_skipped(invocation, json_object_get(document, "skipped"));
}

/* {"select":["a","b"]} */
static void
put_selection(struct buf *out, const struct invocation *invocation)
{
	buf_put_string(out, "{\"select\":[");
	for (size_t i = 0; i < invocation->argument_count; i++) {
		if (i > 0)
			buf_put_byte(out, ',');
		json_put_text(out, bytes_of(invocation->arguments[i]));
	}
	buf_put_string(out, "]}");
}

enum exit_status
command_probe(const struct invocation *invocation)
{
	struct buf path = { 0 }, body = { 0 };
	struct answer answer = { 0 };
	json_t *document = NULL;
	enum exit_status status;

	/* One that is named gets its own refusal, with the words. */
	if (invocation->argument_count == 1 && selector_is_name(invocation->arguments[0])) {
		buf_put_string(&path, "/v1/mailboxes/");
		url_put(&path, bytes_of(invocation->arguments[0]));
		buf_put_string(&path, "/probe?wait=1");
		buf_put_string(&body, "{}");
	} else {
		buf_put_string(&path, "/v1/probe?wait=1");
		put_selection(&body, invocation);
	}
	status = client_json(invocation->client,
		&(struct call){ .path = path.at,
			.body = body.at,
			.silence_s = PROBE_DEADLINE_S,
			.deadline_s = PROBE_DEADLINE_S },
		&answer, &document);
	if (status == EXIT_FINE)
		status = print_verdicts(invocation, &answer, document);
	json_decref(document);
	answer_done(&answer);
	buf_done(&path);
	buf_done(&body);
	return status;
}

/* ---- pause, resume */

struct names {
	char **items;
	size_t count;
	bool is_failed;
};

static void
note_name(void *user, const json_t *mailbox)
{
	struct names *names = user;
	char **more = realloc(names->items, (names->count + 1) * sizeof(*more));

	if (!more) {
		names->is_failed = true;
		return;
	}
	names->items = more;
	names->items[names->count] = bytes_copy(member_text(mailbox, "name"));
	if (names->items[names->count])
		names->count++;
	else
		names->is_failed = true;
}

static void
names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

/* {"for":…,"reason":…} of what was given. */
static enum exit_status
put_body(struct buf *out, const struct invocation *invocation)
{
	const char *for_text = invocation->options[OPTION_FOR];
	const char *reason = invocation->options[OPTION_REASON];
	int64_t for_us;

	if (for_text && (duration_parse(bytes_of(for_text), &for_us) != ERR_OK || for_us == 0)) {
		complain_outside("--for is a duration, as 2h or 1h30m, not ", bytes_of(for_text));
		return EXIT_USAGE;
	}
	buf_put_byte(out, '{');
	if (for_text) {
		buf_put_string(out, "\"for\":");
		json_put_text(out, bytes_of(for_text));
	}
	if (reason) {
		buf_put_string(out, for_text ? ",\"reason\":" : "\"reason\":");
		json_put_text(out, bytes_of(reason));
	}
	buf_put_byte(out, '}');
	return EXIT_FINE;
}

static void
say_changed(struct out *out, const json_t *mailbox, const char *done)
{
	wall_t until = member_time(mailbox, "paused_until");
	struct buf when = { 0 };

	out_outside(out, member_text(mailbox, "name"));
	out_say(out, ": %s", done);
	if (wall_is_set(until)) {
		wall_put_local(&when, until, wall_now());
		out_say(out, " until %s", when.at ? when.at : "-");
	}
	out_say(out, "\n");
	buf_done(&when);
}

static enum exit_status
change_one(const struct invocation *invocation, const char *name, const char *verb,
	const char *done, const struct buf *body)
{
	struct buf path = { 0 };
	struct answer answer = { 0 };
	json_t *mailbox = NULL;
	enum exit_status status;

	buf_put_string(&path, "/v1/mailboxes/");
	url_put(&path, bytes_of(name));
	buf_put_format(&path, "/%s", verb);
	status = client_json(invocation->client,
		&(struct call){ .path = path.at, .body = body->at, .about = name }, &answer,
		&mailbox);
	if (status == EXIT_FINE && !print_json(invocation, &answer))
		say_changed(invocation->out, mailbox, done);
	json_decref(mailbox);
	answer_done(&answer);
	buf_done(&path);
	return status;
}

/* Each mailbox of the selection; the worst that came of one is what comes of all. */
static enum exit_status
change_each(const struct invocation *invocation, const char *verb, const char *done)
{
	struct names names = { 0 };
	struct buf body = { 0 };
	enum exit_status status = put_body(&body, invocation);
	enum exit_status worst = EXIT_FINE;

	if (status == EXIT_FINE)
		worst = pages_walk(invocation, note_name, &names, NULL);
	if (names.is_failed)
		worst = EXIT_REFUSED;
	else if (worst == EXIT_FINE && names.count == 0)
		worst = complain_no_match();
	for (size_t i = 0; status == EXIT_FINE && worst != EXIT_REFUSED && i < names.count; i++) {
		enum exit_status one = change_one(invocation, names.items[i], verb, done, &body);

		if (one > worst)
			worst = one;
		if (one == EXIT_NO_DAEMON)
			break;
	}
	names_done(&names);
	buf_done(&body);
	return status == EXIT_FINE ? worst : status;
}

enum exit_status
command_pause(const struct invocation *invocation)
{
	return change_each(invocation, "pause", "paused");
}

enum exit_status
command_resume(const struct invocation *invocation)
{
	return change_each(invocation, "resume", "resumed");
}

/* ---- reload, test-alert */

enum exit_status
command_reload(const struct invocation *invocation)
{
	struct answer answer = { 0 };
	json_t *document = NULL;
	enum exit_status status = client_json(invocation->client,
		&(struct call){ .path = "/v1/reload",
			.body = "",
			.silence_s = RELOAD_DEADLINE_S,
			.deadline_s = RELOAD_DEADLINE_S },
		&answer, &document);

	if (status == EXIT_FINE && !print_json(invocation, &answer))
		out_say(invocation->out,
			"reloaded: %lld changed, %lld added, %lld removed, %lld unchanged\n",
			(long long)member_number(document, "changed"),
			(long long)member_number(document, "added"),
			(long long)member_number(document, "removed"),
			(long long)member_number(document, "unchanged"));
	json_decref(document);
	answer_done(&answer);
	return status;
}

enum exit_status
command_test_alert(const struct invocation *invocation)
{
	struct buf body = { 0 };
	struct answer answer = { 0 };
	json_t *event = NULL;
	enum exit_status status;

	buf_put_byte(&body, '{');
	if (invocation->argument_count > 0) {
		buf_put_string(&body, "\"sink\":");
		json_put_text(&body, bytes_of(invocation->arguments[0]));
	}
	buf_put_byte(&body, '}');
	status = client_json(invocation->client,
		&(struct call){ .path = "/v1/test-alert", .body = body.at }, &answer, &event);
	if (status == EXIT_FINE && !print_json(invocation, &answer)) {
		out_say(invocation->out, "told: ");
		out_outside(invocation->out, member_text(event, "text"));
		out_say(invocation->out, "\n");
	}
	json_decref(event);
	answer_done(&answer);
	buf_done(&body);
	return status;
}

/* Of a file's mailbox the refusal names the file and the line. */
enum exit_status
command_remove(const struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct answer answer = { 0 };
	struct buf path = { 0 };
	enum exit_status status;

	buf_put_string(&path, "/v1/mailboxes/");
	url_put(&path, bytes_of(name));
	status = client_call(invocation->client,
		&(struct call){ .path = path.at, .method = "DELETE", .about = name }, &answer);
	if (status == EXIT_FINE) {
		out_outside(invocation->out, bytes_of(name));
		out_say(invocation->out, ": removed\n");
	}
	answer_done(&answer);
	buf_done(&path);
	return status;
}
