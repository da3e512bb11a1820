/*
 * show.c: mboxwatchctl show: everything about one mailbox, for whoever is to mend it. Layer: ctl.
 */
#include "ctl/ctl.h"

#include "facts/cause.h"

static const char *const side_names[] = { "smtp", "imap" };

/* next_reason in words for people. */
static const struct reason_row {
	enum next_reason reason;
	const char *words;
} reason_rows[] = {
	{ NEXT_FIRST, "its first probe" },
	{ NEXT_INTERVAL, "its regular turn" },
	{ NEXT_STRETCHED, "its regular turn, stretched by limits" },
	{ NEXT_RETRY, "tried again sooner until it is settled" },
	{ NEXT_WAIT, "the server asked for time" },
	{ NEXT_HELD, "logins are held: it goes up to the login" },
	{ NEXT_ASKED, "a person asked for it" },
	{ NEXT_VOID, "the last probe was void and runs again" },
	{ NEXT_PROBING, "it is being probed" },
	{ NEXT_QUEUED, "it is due and waits for its turn within the limits" },
	{ NEXT_PAUSED, "none while it is paused" },
};

static void
field_time(struct out *out, const char *label, wall_t time)
{
	struct buf text = { 0 };

	if (!wall_is_set(time))
		return;
	wall_put_local(&text, time, wall_now());
	out_field(out, label, buf_bytes(&text));
	buf_done(&text);
}

/* " since 11-24 09:30:00 (2h 3m)" */
static void
put_since(struct buf *out, wall_t since)
{
	wall_t now = wall_now();

	if (!wall_is_set(since))
		return;
	buf_put_string(out, " since ");
	wall_put_local(out, since, now);
	if (now.us - since.us >= US_PER_S) {
		buf_put_string(out, " (");
		duration_put_short(out, now.us - since.us);
		buf_put_byte(out, ')');
	}
}

static void
show_heading(struct out *out, const char *name, const json_t *side)
{
	struct bytes folder = member_text(side, "mailbox");

	out_say(out, "\n");
	out_colour(out, COLOUR_BOLD);
	out_say(out, "%s", name);
	out_colour(out, COLOUR_NONE);
	out_say(out, "  ");
	out_outside(out, member_text(side, "host"));
	if (member_number(side, "port") > 0)
		out_say(out, ":%lld", (long long)member_number(side, "port"));
	out_say(out, " ");
	out_outside(out, member_text(side, "security"));
	if (member_text(side, "username").len > 0) {
		out_say(out, ", as ");
		out_outside(out, member_text(side, "username"));
	}
	if (folder.len > 0) {
		out_say(out, ", ");
		out_outside(out, folder);
	}
	out_say(out, "\n");
}

static void
show_state(struct out *out, const json_t *side)
{
	struct buf text = { 0 };

	buf_put(&text, member_text(side, "state"));
	put_since(&text, member_time(side, "since"));
	if (member_number(side, "fails") > 0)
		buf_put_format(&text, ", %lld failure%s in a row",
			(long long)member_number(side, "fails"),
			member_number(side, "fails") == 1 ? "" : "s");
	out_field(out, "state", buf_bytes(&text));
	buf_done(&text);
}

void
show_cause(struct out *out, const json_t *side)
{
	struct bytes word = member_text(side, "cause");
	struct buf text = { 0 };
	enum cause cause;

	if (word.len == 0 || bytes_equal(word, BYTES("ok")))
		return;
	buf_put(&text, word);
	buf_put_string(&text, " at ");
	buf_put(&text, member_text(side, "stage"));
	if (cause_from_name(word, &cause) == ERR_OK)
		buf_put_format(&text, ": %s", cause_row(cause)->means);
	out_field(out, "cause", buf_bytes(&text));
	buf_done(&text);
}

static void
show_list(struct out *out, const char *label, const json_t *list, const char *between)
{
	struct buf text = { 0 };
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			continue;
		if (text.len > 0)
			buf_put_string(&text, between);
		buf_put(&text, (struct bytes){ json_string_value(item), json_string_length(item) });
	}
	out_field(out, label, buf_bytes(&text));
	buf_done(&text);
}

/* A line each, as the server said it. */
void
show_lines(struct out *out, const char *label, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_is_string(item))
			out_field(out, i == 0 ? label : "",
				(struct bytes){
					json_string_value(item), json_string_length(item) });
	}
}

static void
show_times(struct out *out, const json_t *verdict)
{
	json_t *times = json_object_get(verdict, "times_ms"), *value;
	struct buf text = { 0 };
	const char *stage;

	json_object_foreach(times, stage, value)
	{
		if (text.len > 0)
			buf_put_string(&text, ", ");
		buf_put_format(&text, "%s %lld", stage, (long long)json_integer_value(value));
	}
	if (text.len > 0)
		buf_put_string(&text, " ms");
	out_field(out, "times", buf_bytes(&text));
	buf_done(&text);
}

static void
show_certificate(struct out *out, const json_t *certificate)
{
	wall_t end = member_time(certificate, "not_after"), now = wall_now();
	struct buf text = { 0 };

	if (!json_is_object(certificate))
		return;
	buf_put(&text, member_text(certificate, "subject"));
	buf_put_string(&text, ", by ");
	buf_put(&text, member_text(certificate, "issuer"));
	if (wall_is_set(end)) {
		buf_put_string(&text, end.us > now.us ? ", ends " : ", ended ");
		wall_put_local(&text, end, now);
		buf_put_string(&text, end.us > now.us ? " (in " : " (");
		duration_put_short(&text, end.us > now.us ? end.us - now.us : now.us - end.us);
		buf_put_string(&text, end.us > now.us ? ")" : " ago)");
	}
	out_field(out, "certificate", buf_bytes(&text));
	show_list(out, "names", json_object_get(certificate, "names"), ", ");
	buf_done(&text);
}

static void
show_tls(struct out *out, const json_t *tls)
{
	struct buf text = { 0 };

	if (!json_is_object(tls))
		return;
	buf_put(&text, member_text(tls, "version"));
	if (member_text(tls, "cipher").len > 0) {
		buf_put_byte(&text, ' ');
		buf_put(&text, member_text(tls, "cipher"));
	}
	if (member_is_true(tls, "resumed"))
		buf_put_string(&text, ", resumed");
	out_field(out, "tls", buf_bytes(&text));
	buf_done(&text);
	show_certificate(out, json_object_get(tls, "cert"));
}

void
show_suggestions(struct out *out, const json_t *verdict)
{
	json_t *value;
	const char *setting;

	json_object_foreach(json_object_get(verdict, "suggest"), setting, value)
	{
		struct buf text = { 0 };

		if (json_is_string(value))
			buf_put_format(&text, "%s = \"%s\"", setting, json_string_value(value));
		else if (json_is_integer(value))
			buf_put_format(
				&text, "%s = %lld", setting, (long long)json_integer_value(value));
		out_field(out, "suggested", buf_bytes(&text));
		buf_done(&text);
	}
}

static void
show_verdict(struct out *out, const json_t *verdict)
{
	struct buf text = { 0 };

	if (!json_is_object(verdict))
		return;
	show_lines(out, "server", json_object_get(verdict, "reply"));
	out_field(out, "detail", member_text(verdict, "detail"));
	show_times(out, verdict);
	buf_put(&text, member_text(verdict, "address"));
	out_field(out, "address", buf_bytes(&text));
	buf_done(&text);
	show_tls(out, json_object_get(verdict, "tls"));
	show_lines(out, "note", json_object_get(verdict, "notes"));
	show_suggestions(out, verdict);
	out_field(out, "page", member_text(verdict, "link"));
}

static void
show_next(struct out *out, const json_t *side)
{
	wall_t next = member_time(side, "next_probe");
	struct buf text = { 0 };
	enum next_reason reason;

	if (wall_is_set(next)) {
		if (next.us >= wall_now().us + US_PER_S) {
			buf_put_string(&text, "in ");
			duration_put_short(&text, next.us - wall_now().us);
		} else {
			buf_put_string(&text, "now");
		}
	} else {
		buf_put_string(&text, "-");
	}
	if (next_reason_from_name(member_text(side, "next_reason"), &reason) == ERR_OK) {
		for (size_t i = 0; i < COUNT_OF(reason_rows); i++) {
			if (reason_rows[i].reason == reason)
				buf_put_format(&text, ": %s", reason_rows[i].words);
		}
	}
	if (member_is_true(side, "stretched")) {
		buf_put_string(&text, "; stretched to ");
		duration_put_short(&text, member_number(side, "interval_ms") * US_PER_MS);
	} else {
		buf_put_string(&text, "; every ");
		duration_put(&text, member_number(side, "interval_ms") * US_PER_MS);
	}
	out_field(out, "next try", buf_bytes(&text));
	buf_done(&text);
}

static void
show_brake(struct out *out, const json_t *brake, struct bytes name)
{
	struct buf text = { 0 };

	if (!json_is_object(brake))
		return;
	buf_put_string(&text, "held until ");
	wall_put_local(&text, member_time(brake, "until"), wall_now());
	buf_put_string(&text, " for ");
	buf_put(&text, member_text(brake, "cause"));
	buf_put_string(&text, "; mboxwatchctl resume ");
	buf_put(&text, name);
	buf_put_string(&text, " allows one before");
	out_field(out, "logins", buf_bytes(&text));
	buf_done(&text);
}

static void
show_side(struct out *out, const json_t *mailbox, const char *name, const json_t *side)
{
	const json_t *verdict = json_object_get(side, "verdict");

	show_heading(out, name, side);
	show_state(out, side);
	show_cause(out, side);
	show_verdict(out, verdict);
	out_field(out, "incident", member_text(side, "incident"));
	field_time(out, "last probe", member_time(side, "last_probe"));
	field_time(out, "last ok", member_time(side, "last_ok"));
	show_brake(out, json_object_get(side, "brake"), member_text(mailbox, "name"));
	show_next(out, side);
	show_lines(out, "what to do", json_object_get(verdict, "next"));
}

static void
show_labels(struct out *out, json_t *labels)
{
	struct buf text = { 0 };
	const char *name;
	json_t *value;

	json_object_foreach(labels, name, value)
	{
		if (text.len > 0)
			buf_put_string(&text, ", ");
		buf_put_format(&text, "%s=", name);
		if (json_is_string(value))
			buf_put_string(&text, json_string_value(value));
	}
	out_field(out, "labels", buf_bytes(&text));
	buf_done(&text);
}

static void
show_mailbox(struct out *out, const json_t *mailbox)
{
	struct buf since = { 0 };

	out_colour(out, COLOUR_BOLD);
	out_outside(out, member_text(mailbox, "name"));
	out_colour(out, COLOUR_NONE);
	out_say(out, ": ");
	out_colour(out, class_colour(mailbox_class(mailbox)));
	out_outside(out, member_text(mailbox, "state"));
	out_colour(out, COLOUR_NONE);
	put_since(&since, member_time(mailbox, "since"));
	out_say(out, "%s\n", since.at ? since.at : "");
	buf_done(&since);
	out_field(out, "address", member_text(mailbox, "address"));
	show_labels(out, json_object_get(mailbox, "labels"));
	field_time(out, "paused until", member_time(mailbox, "paused_until"));
	if (json_is_false(json_object_get(mailbox, "enabled")))
		out_field(out, "enabled", BYTES("no: switched off in the settings"));
	for (size_t i = 0; i < COUNT_OF(side_names); i++) {
		const json_t *side = json_object_get(mailbox, side_names[i]);

		if (json_is_object(side))
			show_side(out, mailbox, side_names[i], side);
	}
}

enum exit_status
command_show(const struct invocation *invocation)
{
	struct buf path = { 0 };
	struct answer answer = { 0 };
	json_t *mailbox = NULL;
	enum exit_status status;

	buf_put_string(&path, "/v1/mailboxes/");
	url_put(&path, bytes_of(invocation->arguments[0]));
	status = client_json(
		invocation->client, &(struct call){ .path = path.at }, &answer, &mailbox);
	if (status == EXIT_FINE && !print_json(invocation, &answer))
		show_mailbox(invocation->out, mailbox);
	json_decref(mailbox);
	answer_done(&answer);
	buf_done(&path);
	return status;
}
