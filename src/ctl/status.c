/*
 * status.c: mboxwatchctl status: a line that sums up and a table, worst first. Layer: ctl.
 */
#include "ctl/ctl.h"

static const struct column columns[] = {
	{ "MAILBOX", .least = 12 },
	{ "STATE", .least = 0 },
	{ "SINCE", .least = 0 },
	{ "CAUSE", .least = 8 },
	{ "NEXT", .least = 0, .is_number = true },
};

struct status {
	struct table *table;
	size_t total, failing, unknown, paused, ok;
	size_t suspect;	  /* endpoints */
	size_t stretched; /* endpoints */
};

static const char *const side_names[] = { "smtp", "imap" };

static void
count(struct status *status, const char *word)
{
	status->total++;
	status->failing += word[0] == 'f';
	status->unknown += word[0] == 'u';
	status->paused += word[0] == 'p';
	status->ok += word[0] == 'o';
}

/* What the sides say for: causes of those not ok, each once; the earliest next probe. */
static wall_t
put_sides(struct status *status, const json_t *mailbox, struct buf *causes)
{
	wall_t next = WALL_NONE;

	for (size_t i = 0; i < COUNT_OF(side_names); i++) {
		const json_t *side = json_object_get(mailbox, side_names[i]);
		struct bytes cause = member_text(side, "cause");
		wall_t own = member_time(side, "next_probe");

		if (wall_is_set(own) && (!wall_is_set(next) || own.us < next.us))
			next = own;
		status->suspect += bytes_equal(member_text(side, "state"), BYTES("suspect"));
		status->stretched += member_is_true(side, "stretched");
		if (cause.len == 0 || bytes_equal(cause, BYTES("ok")) ||
			bytes_equal(cause, buf_bytes(causes)))
			continue;
		if (causes->len > 0)
			buf_put_string(causes, ", ");
		buf_put(causes, cause);
	}
	return next;
}

static void
each(void *user, const json_t *mailbox)
{
	struct status *status = user;
	const char *word = mailbox_class(mailbox);
	struct buf since = { 0 }, causes = { 0 }, next = { 0 };

	count(status, word);
	put_when(&since, member_time(mailbox, "since"));
	put_until(&next, put_sides(status, mailbox, &causes));
	table_put(status->table, COLOUR_NONE, member_text(mailbox, "name"));
	table_put(status->table, class_colour(word), member_text(mailbox, "state"));
	table_put(status->table, COLOUR_NONE, buf_bytes(&since));
	table_put(status->table, COLOUR_NONE, buf_bytes(&causes));
	table_put(status->table, COLOUR_NONE, buf_bytes(&next));
	buf_done(&since);
	buf_done(&causes);
	buf_done(&next);
}

static void
say_count(struct out *out, const char *between, size_t number, const char *word)
{
	if (number == 0)
		return;
	out_say(out, "%s", between);
	out_colour(out, class_colour(word));
	out_say(out, "%zu %s", number, word);
	out_colour(out, COLOUR_NONE);
}

static void
say_sum(struct out *out, const struct status *status, const json_t *document)
{
	const char *between = ": ";
	const struct {
		size_t number;
		const char *word;
	} counts[] = {
		{ status->failing, "failing" },
		{ status->unknown, "unknown" },
		{ status->ok, "ok" },
		{ status->paused, "paused" },
	};

	out_say(out, "%zu mailbox%s", status->total, status->total == 1 ? "" : "es");
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		say_count(out, between, counts[i].number, counts[i].word);
		if (counts[i].number > 0)
			between = ", ";
	}
	if (status->suspect > 0)
		out_say(out, "; %zu side%s suspect", status->suspect,
			status->suspect == 1 ? "" : "s");
	if (bytes_equal(member_text(document, "uplink"), BYTES("down")))
		out_say(out, "; our own network is down");
	out_say(out, "\n");
	if (json_array_size(json_object_get(document, "outages")) > 0)
		out_say(out, "%zu outages\n",
			json_array_size(json_object_get(document, "outages")));
}

static enum exit_status
print_table(const struct invocation *invocation)
{
	struct status status = { .table = table_new(columns, COUNT_OF(columns)) };
	json_t *document = NULL;
	enum exit_status result = EXIT_REFUSED;

	if (status.table)
		result = pages_walk(invocation, each, &status, &document);
	if (result == EXIT_FINE || (result == EXIT_NO_MAILBOX && status.total > 0)) {
		say_sum(invocation->out, &status, document);
		if (status.total > 0)
			(void)table_print(status.table, invocation->out);
		if (status.stretched > 0)
			out_say(invocation->out,
				"%zu side%s probed less often than set: limits stretch the "
				"interval (show NAME)\n",
				status.stretched, status.stretched == 1 ? " is" : "s are");
	}
	if (result == EXIT_FINE && status.failing > 0)
		result = EXIT_FAILING;
	table_free(status.table);
	json_decref(document);
	return result;
}

static void
judge_one(void *user, const json_t *mailbox)
{
	size_t *failing = user;

	*failing += mailbox_class(mailbox)[0] == 'f';
}

/* The document as it came; the exit status by the pages, so that names without a mailbox are seen
 * too. */
static enum exit_status
print_document(const struct invocation *invocation)
{
	struct buf path = { 0 };
	struct answer answer = { 0 };
	json_t *document = NULL;
	enum exit_status status;
	size_t failing = 0;

	buf_put_string(&path, "/v1/status");
	url_put_select(&path, '?', invocation->arguments, invocation->argument_count);
	status = client_json(
		invocation->client, &(struct call){ .path = path.at }, &answer, &document);
	json_decref(document);
	if (status == EXIT_FINE) {
		print_json(invocation, &answer);
		status = pages_walk(invocation, judge_one, &failing, NULL);
	}
	if (status == EXIT_FINE && failing > 0)
		status = EXIT_FAILING;
	answer_done(&answer);
	buf_done(&path);
	return status;
}

enum exit_status
command_status(const struct invocation *invocation)
{
	return invocation->options[OPTION_JSON] ? print_document(invocation)
						: print_table(invocation);
}
