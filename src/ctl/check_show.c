/*
 * check_show.c: a check for people, step by step; for 80 columns, so that it can be pasted into a
 * letter to a support desk. Layer: ctl.
 */
#include "ctl/ctl.h"

#define COLUMNS_MOST 80

static void
show_review_item(struct out *out, const json_t *item)
{
	struct buf text = { 0 };

	buf_put(&text, member_text(item, "setting"));
	buf_put_string(&text, ": ");
	buf_put(&text, member_text(item, "message"));
	if (member_text(item, "suggest").len > 0) {
		buf_put_string(&text, " (suggested: ");
		buf_put(&text, member_text(item, "suggest"));
		buf_put_byte(&text, ')');
	}
	out_field(out, "odd", buf_bytes(&text));
	buf_done(&text);
}

static void
show_review(struct out *out, const json_t *step)
{
	const json_t *items = json_object_get(step, "review"), *item;
	struct bytes name = member_text(step, "name"), address = member_text(step, "address");
	size_t i;

	out_colour(out, COLOUR_BOLD);
	out_outside(out, name.len > 0 ? name : address);
	out_colour(out, COLOUR_NONE);
	if (name.len > 0 && address.len > 0) {
		out_say(out, "  ");
		out_outside(out, address);
	}
	out_say(out, name.len > 0 || address.len > 0 ? "\n" : "");
	json_array_foreach(items, i, item) show_review_item(out, item);
	if (json_array_size(items) == 0)
		out_field(out, "ok", BYTES("the settings are as usual"));
}

/* "imap  imap.example.com:993 tls, as ann@example.com, INBOX" */
static void
show_begin(struct out *out, const json_t *step)
{
	struct bytes username = member_text(step, "username"),
		     folder = member_text(step, "mailbox");

	out_say(out, "\n");
	out_colour(out, COLOUR_BOLD);
	out_outside(out, member_text(step, "endpoint"));
	out_colour(out, COLOUR_NONE);
	out_say(out, "  ");
	out_outside(out, member_text(step, "host"));
	out_say(out, ":%lld ", (long long)member_number(step, "port"));
	out_outside(out, member_text(step, "security"));
	if (username.len > 0) {
		out_say(out, ", as ");
		out_outside(out, username);
	}
	if (folder.len > 0) {
		out_say(out, ", ");
		out_outside(out, folder);
	}
	out_say(out, "\n");
}

static void
show_stage(struct out *out, const json_t *step)
{
	bool is_ok = member_is_true(step, "ok");
	struct buf text = { 0 };

	buf_put(&text, member_text(step, "text"));
	if (member_text(step, "detail").len > 0) {
		buf_put_string(&text, " (");
		buf_put(&text, member_text(step, "detail"));
		buf_put_byte(&text, ')');
	}
	out_colour(out, is_ok ? COLOUR_NONE : COLOUR_BAD);
	out_field(out, is_ok ? "ok" : "FAILED", buf_bytes(&text));
	out_colour(out, COLOUR_NONE);
	buf_done(&text);
}

static void
show_verdict(struct out *out, const json_t *verdict)
{
	if (!member_is_true(verdict, "ok")) {
		show_cause(out, verdict);
		show_lines(out, "server", json_object_get(verdict, "reply"));
		out_field(out, "detail", member_text(verdict, "detail"));
	}
	show_lines(out, "note", json_object_get(verdict, "notes"));
	show_suggestions(out, verdict);
}

void
check_show_step(struct out *out, const json_t *step)
{
	static const struct {
		const char *word;
		void (*show)(struct out *out, const json_t *step);
	} shows[] = {
		{ "review", show_review },
		{ "begin", show_begin },
		{ "stage", show_stage },
	};
	struct bytes word = member_text(step, "step");

	if (out->columns > COLUMNS_MOST)
		out->columns = COLUMNS_MOST;
	for (size_t i = 0; i < COUNT_OF(shows); i++) {
		if (bytes_equal(word, bytes_of(shows[i].word)))
			shows[i].show(out, step);
	}
	if (bytes_equal(word, BYTES("verdict")))
		show_verdict(out, json_object_get(step, "verdict"));
}

/* The provider's, once where both sides have the same. */
static void
show_pages(struct out *out, const json_t *document)
{
	struct bytes smtp = member_text(json_object_get(document, "smtp"), "link");
	struct bytes imap = member_text(json_object_get(document, "imap"), "link");

	out_field(out, "page", smtp);
	if (!bytes_equal(smtp, imap))
		out_field(out, "page", imap);
}

void
check_show_document(struct out *out, const json_t *document)
{
	json_t *transcripts = json_object_get(document, "transcript"), *lines;
	const char *side;

	json_object_foreach(transcripts, side, lines)
	{
		const json_t *line;
		size_t i;

		out_say(out, "\n");
		out_outside(out, bytes_of(side));
		out_say(out, ": the dialogue\n");
		json_array_foreach(lines, i, line)
		{
			out_say(out, "  ");
			out_outside(out, (struct bytes){ json_string_value(line),
						 json_string_length(line) });
			out_say(out, "\n");
		}
	}
	out_say(out, "\n");
	out_colour(out, member_is_true(document, "ok") ? COLOUR_GOOD : COLOUR_BAD);
	out_outside(out, member_text(document, "summary"));
	out_colour(out, COLOUR_NONE);
	out_say(out, "\n");
	show_lines(out, "what to do", json_object_get(document, "next"));
	show_pages(out, document);
}
