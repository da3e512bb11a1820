/*
 * causes.c: mboxwatchctl causes: the closed list of what may be wrong. Layer: ctl.
 * The list is compiled in, so it needs no daemon; --json is the daemon's own document.
 */
#include "ctl/ctl.h"

#include "facts/cause.h"

static enum exit_status
print_document(const struct invocation *invocation)
{
	struct answer answer;
	json_t *document = NULL;
	enum exit_status status = client_json(
		invocation->client, &(struct call){ .path = "/v1/causes" }, &answer, &document);

	if (status == EXIT_FINE)
		print_json(invocation, &answer);
	json_decref(document);
	answer_done(&answer);
	return status;
}

static void
print_cause(struct out *out, enum cause cause)
{
	const struct cause_row *row = cause_row(cause);

	out_colour(out, COLOUR_BOLD);
	out_say(out, "%s\n", row->word);
	out_colour(out, COLOUR_NONE);
	out_field(out, "means", bytes_of(row->means));
	out_field(out, "stages", bytes_of(row->stages));
	out_field(out, "what to do", bytes_of(row->next));
	if (cause_has(cause, CAUSE_TRANSIENT))
		out_field(out, "", BYTES("It may well pass by itself."));
}

static enum exit_status
print_table(struct out *out)
{
	static const struct column columns[] = {
		{ "CAUSE", .least = 0 },
		{ "STAGES", .least = 8 },
		{ "MEANS", .least = 20 },
	};
	struct table *table = table_new(columns, COUNT_OF(columns));

	if (!table)
		return EXIT_REFUSED;
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++) {
		const struct cause_row *row = cause_row(cause);

		table_put(table, COLOUR_NONE, bytes_of(row->word));
		table_put(table, COLOUR_NONE, bytes_of(row->stages));
		table_put(table, COLOUR_NONE, bytes_of(row->means));
	}
	(void)table_print(table, out);
	table_free(table);
	return EXIT_FINE;
}

enum exit_status
command_causes(const struct invocation *invocation)
{
	enum cause cause;

	if (invocation->options[OPTION_JSON])
		return print_document(invocation);
	if (invocation->argument_count == 0)
		return print_table(invocation->out);
	if (cause_from_name(bytes_of(invocation->arguments[0]), &cause) != ERR_OK) {
		complain_outside("there is no cause ", bytes_of(invocation->arguments[0]));
		complain("mboxwatchctl causes lists them");
		return EXIT_USAGE;
	}
	print_cause(invocation->out, cause);
	return EXIT_FINE;
}
