/*
 * plugin.c: mboxwatchctl status --plugin: one line with performance data and the exit status of
 * monitoring plugins (Monitoring Plugins Development Guidelines 2). Layer: ctl.
 *
 * Some monitors show standard error first, so what would be said there stands in the line too.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

#define MOST_NAMED 5

enum plugin_status {
	PLUGIN_OK = 0,
	PLUGIN_WARNING = 1,
	PLUGIN_CRITICAL = 2,
	PLUGIN_UNKNOWN = 3
};

struct plugin {
	struct class_counts counts;
	size_t named;
	struct buf names; /* of the worst: "bob (imap bad_credentials), …" */
	struct buf times; /* of the last probes */
};

static const char *const side_names[] = { "smtp", "imap" };

/* "bob (imap bad_credentials)" */
static void
name_one(struct plugin *plugin, const json_t *mailbox)
{
	const char *between = " (";

	if (plugin->named > 0)
		buf_put_string(&plugin->names, ", ");
	buf_put(&plugin->names, member_text(mailbox, "name"));
	for (size_t i = 0; i < COUNT_OF(side_names); i++) {
		struct bytes cause = member_text(json_object_get(mailbox, side_names[i]), "cause");

		if (cause.len == 0 || bytes_equal(cause, BYTES("ok")))
			continue;
		buf_put_format(&plugin->names, "%s%s ", between, side_names[i]);
		buf_put(&plugin->names, cause);
		between = ", ";
	}
	if (between[0] == ',')
		buf_put_byte(&plugin->names, ')');
}

static void
put_times(struct plugin *plugin, const json_t *mailbox)
{
	for (size_t i = 0; i < COUNT_OF(side_names); i++) {
		const json_t *verdict =
			json_object_get(json_object_get(mailbox, side_names[i]), "verdict");
		long long ms =
			(long long)member_number(json_object_get(verdict, "times_ms"), "total");

		if (json_is_object(verdict))
			buf_put_format(&plugin->times, " %s_time=%lld.%03llds", side_names[i],
				ms / 1000, ms % 1000);
	}
}

/* They come worst first: with one that fails, those that are unknown are not named. */
static void
each(void *user, const json_t *mailbox)
{
	struct plugin *plugin = user;
	size_t worst;

	class_count(&plugin->counts, mailbox);
	worst = plugin->counts.failing ? plugin->counts.failing : plugin->counts.unknown;
	if (plugin->counts.total == 1)
		put_times(plugin, mailbox);
	if (plugin->named == worst || plugin->named > MOST_NAMED)
		return;
	if (plugin->named < MOST_NAMED)
		name_one(plugin, mailbox);
	else
		buf_put_string(&plugin->names, ", ...");
	plugin->named++;
}

static enum plugin_status
judge(const struct plugin *plugin, bool is_uplink_down)
{
	if (plugin->counts.failing > 0)
		return PLUGIN_CRITICAL;
	return plugin->counts.unknown > 0 || is_uplink_down ? PLUGIN_WARNING : PLUGIN_OK;
}

static void
put_words(struct buf *out, const struct plugin *plugin, bool is_uplink_down)
{
	const struct class_counts *counts = &plugin->counts;
	size_t worst = counts->failing ? counts->failing : counts->unknown;

	if (is_uplink_down)
		buf_put_string(out, "our own network is down; ");
	if (worst > 0) {
		buf_put_format(out, "%zu of %zu mailbox%s %s: ", worst, counts->total,
			counts->total == 1 ? "" : "es", counts->failing ? "failing" : "unknown");
		buf_put(out, buf_bytes(&plugin->names));
		return;
	}
	buf_put_format(out, "%zu mailbox%s", counts->total, counts->total == 1 ? "" : "es");
	if (counts->total > 0)
		buf_put_format(out, ": %zu ok", counts->ok);
	if (counts->paused > 0)
		buf_put_format(out, ", %zu paused", counts->paused);
}

/* 'label'=value;warn;crit;min;max */
static void
put_performance(struct buf *out, const struct plugin *plugin)
{
	const struct class_counts *counts = &plugin->counts;

	buf_put_format(out,
		"|total=%zu;;;0 ok=%zu;;;0;%zu failing=%zu;;0;0;%zu unknown=%zu;0;;0;%zu "
		"paused=%zu;;;0;%zu",
		counts->total, counts->ok, counts->total, counts->failing, counts->total,
		counts->unknown, counts->total, counts->paused, counts->total);
	if (counts->total == 1)
		buf_put(out, buf_bytes(&plugin->times));
}

/* Words may be anybody's: a bar would begin performance data. */
static void
say(struct out *out, enum plugin_status status, struct bytes words, struct bytes performance)
{
	static const char *const names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	struct buf shown = { 0 };

	escape_put(&shown, words, ESCAPE_TERMINAL);
	for (size_t i = 0; i < shown.len; i++) {
		if (shown.at[i] == '|')
			shown.at[i] = '/';
	}
	out_say(out, "MBOXWATCH %s - %s%.*s\n", names[status], shown.at ? shown.at : "",
		BYTES_ARG(performance));
	buf_done(&shown);
}

static void
say_kept(struct out *out, struct complaints_kept *kept)
{
	struct buf words = { 0 };

	complaints_put(kept, &words);
	say(out, PLUGIN_UNKNOWN, words.len > 0 ? buf_bytes(&words) : BYTES("no answer"),
		BYTES_NONE);
	buf_done(&words);
}

enum exit_status
plugin_run(const struct invocation *invocation, bool (*is_sound)(const struct invocation *))
{
	struct complaints_kept kept;
	struct plugin plugin = { 0 };
	struct buf words = { 0 }, performance = { 0 };
	enum plugin_status result = PLUGIN_UNKNOWN;
	json_t *document = NULL;
	bool is_uplink_down;

	(void)complaints_keep(&kept);
	if (is_sound(invocation) && pages_walk(invocation, each, &plugin, &document) == EXIT_FINE) {
		is_uplink_down = bytes_equal(member_text(document, "uplink"), BYTES("down"));
		result = judge(&plugin, is_uplink_down);
		put_words(&words, &plugin, is_uplink_down);
		put_performance(&performance, &plugin);
		say(invocation->out, result, buf_bytes(&words), buf_bytes(&performance));
	} else {
		say_kept(invocation->out, &kept);
	}
	complaints_release(&kept);
	json_decref(document);
	buf_done(&words);
	buf_done(&performance);
	buf_done(&plugin.names);
	buf_done(&plugin.times);
	return (enum exit_status)result;
}

enum exit_status
plugin_usage(struct out *out, struct complaints_kept *kept)
{
	say_kept(out, kept);
	return (enum exit_status)PLUGIN_UNKNOWN;
}
