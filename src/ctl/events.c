/*
 * events.c: mboxwatchctl events: what was told, a line each; and metrics, which come as lines too.
 * Layer: ctl.
 */
#include "ctl/ctl.h"

#include "base/ulid.h"

struct lines {
	const struct invocation *invocation;
	bool is_broken;
};

static enum colour
level_colour(struct bytes level)
{
	if (bytes_equal(level, BYTES("critical")) || bytes_equal(level, BYTES("error")))
		return COLOUR_BAD;
	return bytes_equal(level, BYTES("warning")) ? COLOUR_DOUBT : COLOUR_NONE;
}

static void
print_event(struct out *out, const json_t *event)
{
	struct buf when = { 0 };

	if (bytes_equal(member_text(event, "event"), BYTES("lost"))) {
		out_say(out, "(%lld events were lost: they came faster than they were read)\n",
			(long long)member_number(event, "count"));
		return;
	}
	wall_put_local(&when, member_time(event, "time"), wall_now());
	out_say(out, "%s  ", when.at ? when.at : "");
	buf_done(&when);
	out_colour(out, level_colour(member_text(event, "level")));
	out_outside(out, member_text(event, "text"));
	out_colour(out, COLOUR_NONE);
	out_say(out, "\n");
}

static bool
on_event(void *user, struct bytes line)
{
	struct lines *lines = user;
	struct out *out = lines->invocation->out;
	json_t *event;

	if (line.len == 0)
		return true;
	event = json_loadb(line.at, line.len, JSON_ALLOW_NUL, NULL);
	if (!event) {
		lines->is_broken = true;
		return false;
	}
	if (lines->invocation->options[OPTION_JSON])
		out_json(out, line);
	else
		print_event(out, event);
	json_decref(event);
	return lines->invocation->options[OPTION_FOLLOW] ? out_flush(out) : !out->is_gone;
}

/* An event's id and a time stay as they are; "2h" is so long ago. */
static enum exit_status
put_since(struct buf *path, const char *since)
{
	struct ulid id;
	wall_t time;
	int64_t ago_us;

	buf_put_string(path, "&since=");
	if (ulid_parse(bytes_of(since), &id) == ERR_OK ||
		wall_parse(bytes_of(since), &time) == ERR_OK) {
		url_put(path, bytes_of(since));
		return EXIT_FINE;
	}
	if (duration_parse(bytes_of(since), &ago_us) == ERR_OK) {
		wall_put_ms(path, wall_add(wall_now(), -ago_us));
		return EXIT_FINE;
	}
	complain_outside("--since is an event's id, a time (2026-11-24T09:30:00Z), or how long ago "
			 "(2h), not ",
		bytes_of(since));
	return EXIT_USAGE;
}

enum exit_status
command_events(const struct invocation *invocation)
{
	bool is_follower = invocation->options[OPTION_FOLLOW] != NULL;
	struct lines lines = { .invocation = invocation };
	struct call call = { .line = on_event, .user = &lines, .deadline_s = is_follower ? -1 : 0 };
	enum exit_status status = EXIT_FINE;
	struct answer answer = { 0 };
	struct buf path = { 0 };

	buf_put_format(&path, "/v1/events?follow=%d", is_follower);
	if (invocation->options[OPTION_SINCE])
		status = put_since(&path, invocation->options[OPTION_SINCE]);
	url_put_select(&path, '&', invocation->arguments, invocation->argument_count);
	call.path = path.at;
	if (status == EXIT_FINE)
		status = client_call(invocation->client, &call, &answer);
	if (lines.is_broken) {
		complain("an event is no JSON");
		status = EXIT_REFUSED;
	} else if (status == EXIT_FINE && is_follower && !invocation->out->is_gone) {
		(void)out_flush(invocation->out);
		complain("the daemon ended the connection");
		status = EXIT_REFUSED;
	}
	answer_done(&answer);
	buf_done(&path);
	return status;
}

static bool
on_metric(void *user, struct bytes line)
{
	struct out *out = user;

	out_outside(out, line);
	out_say(out, "\n");
	return !out->is_gone;
}

enum exit_status
command_metrics(const struct invocation *invocation)
{
	struct call call = {
		.path = "/metrics?process=0", .line = on_metric, .user = invocation->out
	};
	struct answer answer;
	enum exit_status status;

	if (invocation->options[OPTION_NO_DETAIL])
		call.path = "/metrics?process=0&detail=0";
	status = client_call(invocation->client, &call, &answer);
	answer_done(&answer);
	return status;
}
