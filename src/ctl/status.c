/*
 * status.c: mboxwatchctl status: a line that sums up and a table, worst first. Layer: ctl.
 * Not here: the live screen (screen.c), the line for monitoring (plugin.c).
 */
#include "ctl/ctl.h"

#include <stdlib.h>

static const struct column columns[] = {
	{ "MAILBOX", .least = 12 },
	{ "STATE", .least = 0 },
	{ "SINCE", .least = 0 },
	{ "CAUSE", .least = 8 },
	{ "NEXT", .least = 0, .is_number = true },
};

struct status {
	struct table *table;
	size_t most_rows;
	bool with_next;
	struct class_counts counts;
	size_t suspect;	  /* endpoints */
	size_t stretched; /* endpoints */
	json_t *document; /* without its mailboxes */
};

static const char *const side_names[] = { "smtp", "imap" };

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
	struct buf since = { 0 }, causes = { 0 }, next = { 0 };

	class_count(&status->counts, mailbox);
	put_when(&since, member_time(mailbox, "since"));
	put_until(&next, put_sides(status, mailbox, &causes));
	if (table_rows(status->table) < status->most_rows) {
		table_put(status->table, COLOUR_NONE, member_text(mailbox, "name"));
		table_put(status->table, class_colour(mailbox_class(mailbox)),
			member_text(mailbox, "state"));
		table_put(status->table, COLOUR_NONE, buf_bytes(&since));
		table_put(status->table, COLOUR_NONE, buf_bytes(&causes));
		table_put(status->table, COLOUR_NONE,
			status->with_next ? buf_bytes(&next) : BYTES_NONE);
	}
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
say_sum(struct out *out, const struct status *status)
{
	const struct class_counts *all = &status->counts;
	size_t outages = json_array_size(json_object_get(status->document, "outages"));
	const char *between = ": ";
	const struct {
		size_t number;
		const char *word;
	} counts[] = {
		{ all->failing, "failing" },
		{ all->unknown, "unknown" },
		{ all->ok, "ok" },
		{ all->paused, "paused" },
	};

	out_say(out, "%zu mailbox%s", all->total, all->total == 1 ? "" : "es");
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		say_count(out, between, counts[i].number, counts[i].word);
		if (counts[i].number > 0)
			between = ", ";
	}
	if (status->suspect > 0)
		out_say(out, "; %zu side%s suspect", status->suspect,
			status->suspect == 1 ? "" : "s");
	if (bytes_equal(member_text(status->document, "uplink"), BYTES("down")))
		out_say(out, "; our own network is down");
	out_say(out, "\n");
	if (outages > 0)
		out_say(out, "%zu outage%s\n", outages, outages == 1 ? "" : "s");
}

struct status *
status_new(size_t most_rows, bool with_next)
{
	struct status *status = calloc(1, sizeof(*status));

	if (!status)
		return NULL;
	status->most_rows = most_rows;
	status->with_next = with_next;
	status->table = table_new(columns, COUNT_OF(columns));
	if (!status->table) {
		free(status);
		return NULL;
	}
	return status;
}

void
status_free(struct status *status)
{
	if (!status)
		return;
	table_free(status->table);
	json_decref(status->document);
	free(status);
}

enum exit_status
status_read(struct status *status, const struct invocation *invocation)
{
	enum exit_status result;

	/* Of all mailboxes the daemon knows the sum: what is not shown need not be fetched. */
	if (status->most_rows < SIZE_MAX && invocation->argument_count == 0) {
		result =
			pages_first(invocation, status->most_rows, each, status, &status->document);
		status->counts = class_counts_of(status->document);
		status->suspect = (size_t)member_number(
			json_object_get(status->document, "counts"), "suspect");
	} else {
		result = pages_walk(invocation, each, status, &status->document);
	}
	return result == EXIT_FINE && status->counts.failing > 0 ? EXIT_FAILING : result;
}

size_t
status_rest(const struct status *status)
{
	return status->counts.total - table_rows(status->table);
}

void
status_print(const struct status *status, struct out *out)
{
	say_sum(out, status);
	if (table_rows(status->table) > 0)
		(void)table_print(status->table, out);
}

static enum exit_status
print_table(const struct invocation *invocation)
{
	struct status *status = status_new(SIZE_MAX, true);
	enum exit_status result = EXIT_REFUSED;

	if (status)
		result = status_read(status, invocation);
	if (result == EXIT_FINE || result == EXIT_FAILING ||
		(result == EXIT_NO_MAILBOX && status->counts.total > 0)) {
		status_print(status, invocation->out);
		if (status->stretched > 0)
			out_say(invocation->out,
				"%zu side%s probed less often than set: limits stretch the "
				"interval (show NAME)\n",
				status->stretched, status->stretched == 1 ? " is" : "s are");
	}
	status_free(status);
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

/* Each is a form of its own. */
static bool
has_one_form(const struct invocation *invocation)
{
	static const enum option forms[] = { OPTION_JSON, OPTION_WATCH, OPTION_PLUGIN };
	unsigned given = 0;

	for (size_t i = 0; i < COUNT_OF(forms); i++)
		given += invocation->options[forms[i]] != NULL;
	if (given > 1)
		complain("--json, --watch and --plugin do not go together");
	return given <= 1;
}

enum exit_status
command_status(const struct invocation *invocation)
{
	if (invocation->options[OPTION_PLUGIN])
		return plugin_run(invocation, has_one_form);
	if (!has_one_form(invocation))
		return EXIT_USAGE;
	if (invocation->options[OPTION_WATCH])
		return screen_run(invocation);
	return invocation->options[OPTION_JSON] ? print_document(invocation)
						: print_table(invocation);
}
