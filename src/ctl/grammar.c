/*
 * grammar.c: the words of the command line, as tables: what fits where is known, and said where
 * something does not. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

static const struct option_row {
	const char *word;
	const char *value; /* what it takes; NULL: nothing */
	const char *means;
} option_rows[OPTION_COUNT] = {
	[OPTION_SOCKET] = { "--socket", "PATH", "the daemon's socket ($MBOXWATCH_SOCKET)" },
	[OPTION_JSON] = { "--json", NULL, "the document of the status socket as it came" },
	[OPTION_HELP] = { "--help", NULL, "this" },
	[OPTION_VERSION] = { "--version", NULL, "the version" },
	[OPTION_FOLLOW] = { "--follow", NULL, "go on as events come" },
	[OPTION_SINCE] = { "--since", "T", "an event's id, a time, or how long ago (2h)" },
	[OPTION_FOR] = { "--for", "2h", "how long; without it until it is ended" },
	[OPTION_REASON] = { "--reason", "TEXT", "why, for the others" },
	[OPTION_WATCH] = { "--watch", NULL, "a live screen; q quits" },
	[OPTION_PLUGIN] = { "--plugin", NULL, "one line and the exit status for monitoring" },
	[OPTION_FILE] = { "-f", "FILE",
		"settings, or the JSON of POST /v1/check; - is standard input" },
	[OPTION_SEND] = { "--send", NULL, "send a test message too, look for it and delete it" },
	[OPTION_TO] = { "--to", "ADDRESS", "where the test message goes; without it to itself" },
	[OPTION_TRANSCRIPT] = { "--transcript", NULL, "the dialogue too, secrets masked" },
	[OPTION_NO_DETAIL] = { "--no-detail", NULL, "without the series of each mailbox" },
};

#define ANYWHERE                                                                                   \
	(OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_HELP) |           \
		OPTION_BIT(OPTION_VERSION))

static const struct command commands[] = {
	{ "status", "[SELECTOR…]", 0, SIZE_MAX,
		OPTION_BIT(OPTION_WATCH) | OPTION_BIT(OPTION_PLUGIN), command_status,
		"all mailboxes or some, worst first" },
	{ "show", "NAME", 1, 1, 0, command_show, "everything about one mailbox" },
	{ "probe", "[SELECTOR…]", 0, SIZE_MAX, 0, command_probe,
		"probe now, within the limits; prints the verdicts" },
	{ "check", "NAME | ADDRESS", 0, 1,
		OPTION_BIT(OPTION_FILE) | OPTION_BIT(OPTION_TRANSCRIPT) | OPTION_BIT(OPTION_SEND) |
			OPTION_BIT(OPTION_TO),
		command_check, "try everything now, step by step: settings, SMTP, IMAP" },
	{ "events", "[SELECTOR…]", 0, SIZE_MAX,
		OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_SINCE), command_events,
		"what was told, a line each" },
	{ "pause", "SELECTOR…", 1, SIZE_MAX, OPTION_BIT(OPTION_FOR) | OPTION_BIT(OPTION_REASON),
		command_pause, "no probes and no alerts for a while" },
	{ "resume", "SELECTOR…", 1, SIZE_MAX, OPTION_BIT(OPTION_REASON), command_resume,
		"end a pause, or allow one login where logins are held" },
	{ "reload", "", 0, 0, 0, command_reload, "load the settings anew" },
	{ "causes", "[CAUSE]", 0, 1, 0, command_causes, "what may be wrong, and what to do" },
	{ "providers", "[PROVIDER]", 0, 1, 0, command_providers,
		"mail providers: servers, what to switch on, app passwords" },
	{ "metrics", "", 0, 0, OPTION_BIT(OPTION_NO_DETAIL), command_metrics,
		"figures for Prometheus" },
	{ "test-alert", "[SINK]", 0, 1, 0, command_test_alert, "send a test to the sinks" },
	{ "remove", "NAME", 1, 1, 0, command_remove,
		"take away a mailbox that was set over the socket" },
	{ "make-key", "FILE", 1, 1, 0, command_make_key, "make a key for daemon.state_key_file" },
	{ "version", "", 0, 0, 0, command_version, "of this and of the daemon" },
};

/* ---- help */

static void
put_option(struct buf *out, const struct option_row *row)
{
	buf_put_string(out, row->word);
	if (row->value)
		buf_put_format(out, " %s", row->value);
}

static void
put_padded(struct buf *out, const char *text, size_t columns)
{
	size_t len = text_columns(bytes_of(text));

	buf_put_format(out, "  %s", text);
	do
		buf_put_byte(out, ' ');
	while (++len <= columns);
}

static void
put_option_help(struct buf *out, const struct option_row *row)
{
	struct buf form = { 0 };

	put_option(&form, row);
	put_padded(out, form.at ? form.at : row->word, 22);
	buf_put_format(out, "%s\n", row->means);
	buf_done(&form);
}

static void
put_command_help(struct buf *out, const struct command *command)
{
	struct buf form = { 0 };

	buf_put_format(&form, "%s %s", command->word, command->arguments);
	put_padded(out, form.at ? form.at : command->word, 22);
	buf_put_format(out, "%s\n", command->means);
	buf_done(&form);
}

void
grammar_put_help(struct buf *out, const struct command *command)
{
	unsigned options = command ? command->options | ANYWHERE : ANYWHERE;

	buf_put_format(out, "usage: mboxwatchctl [OPTION…] %s %s\n",
		command ? command->word : "COMMAND", command ? command->arguments : "…");
	if (command) {
		buf_put_format(out, "\n%s\n", command->means);
	} else {
		buf_put_string(out, "\nCommands:\n");
		for (size_t i = 0; i < COUNT_OF(commands); i++)
			put_command_help(out, &commands[i]);
		buf_put_string(out, "\nA SELECTOR is a name, a glob (acme-*), @domain, host:NAME, "
				    "state:failing,\n"
				    "cause:CAUSE, label.KEY=VALUE or incident:ID; several are an "
				    "\"or\".\n");
	}
	buf_put_string(out, "\nOptions:\n");
	for (enum option option = 0; option < OPTION_COUNT; option++) {
		if (options & OPTION_BIT(option))
			put_option_help(out, &option_rows[option]);
	}
}

/* ---- what fits instead */

static void
complain_command(const char *word)
{
	struct buf fits = { 0 };

	for (size_t i = 0; i < COUNT_OF(commands); i++)
		buf_put_format(&fits, "%s%s", i > 0 ? ", " : "", commands[i].word);
	complain_outside("there is no command ", bytes_of(word));
	complain("what fits here: %s", fits.at ? fits.at : "");
	buf_done(&fits);
}

static void
complain_option(const struct command *command, const char *word)
{
	unsigned options = command ? command->options | ANYWHERE : ANYWHERE;
	const char *between = "";
	struct buf fits = { 0 };

	for (enum option option = 0; option < OPTION_COUNT; option++) {
		if (!(options & OPTION_BIT(option)))
			continue;
		buf_put_string(&fits, between);
		put_option(&fits, &option_rows[option]);
		between = ", ";
	}
	if (command && command->most > 0)
		buf_put_format(&fits, ", %s", command->arguments);
	complain_outside(command ? "this option does not fit here: " : "there is no option ",
		bytes_of(word));
	complain("what fits %s%s: %s", command ? "behind " : "here", command ? command->word : "",
		fits.at ? fits.at : "");
	buf_done(&fits);
}

/* ---- reading */

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	}
	return NULL;
}

/* "--word" or "--word=value"; OPTION_COUNT: none. */
static enum option
find_option(const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] == '=' ? word + len + 1 : NULL;
	for (enum option option = 0; option < OPTION_COUNT; option++) {
		if (strlen(option_rows[option].word) == len &&
			memcmp(option_rows[option].word, word, len) == 0)
			return option;
	}
	return OPTION_COUNT;
}

/* Takes one option, and the word behind it where it needs one. */
static enum exit_status
read_option(struct invocation *out, char **words, int count, int *i, unsigned *given)
{
	const char *word = words[*i], *value;
	enum option option = find_option(word, &value);
	const struct option_row *row = &option_rows[option < OPTION_COUNT ? option : 0];

	if (strcmp(word, "-h") == 0)
		option = OPTION_HELP;
	if (option == OPTION_COUNT || (value && !row->value && option != OPTION_HELP)) {
		complain_option(out->command, word);
		return EXIT_USAGE;
	}
	if (row->value && option != OPTION_HELP && !value) {
		if (*i + 1 >= count) {
			complain("%s needs a word behind it: %s", row->word, row->value);
			return EXIT_USAGE;
		}
		value = words[++*i];
	}
	out->options[option] = value ? value : "";
	*given |= OPTION_BIT(option);
	return EXIT_FINE;
}

static enum exit_status
judge(const struct invocation *invocation, unsigned given)
{
	const struct command *command = invocation->command;

	if (invocation->options[OPTION_HELP] || invocation->options[OPTION_VERSION])
		return EXIT_FINE;
	if (!command) {
		complain("a command is missing");
		complain("mboxwatchctl --help says what there is");
		return EXIT_USAGE;
	}
	for (enum option option = 0; option < OPTION_COUNT; option++) {
		if ((given & OPTION_BIT(option)) &&
			!((command->options | ANYWHERE) & OPTION_BIT(option))) {
			complain_option(command, option_rows[option].word);
			return EXIT_USAGE;
		}
	}
	if (invocation->argument_count < command->least ||
		invocation->argument_count > command->most) {
		complain("usage: mboxwatchctl %s%s%s", command->word,
			*command->arguments ? " " : "", command->arguments);
		return EXIT_USAGE;
	}
	return EXIT_FINE;
}

enum exit_status
grammar_read(int count, char **words, struct invocation *out)
{
	bool has_options = true;
	unsigned given = 0;

	*out = (struct invocation){ .arguments = words };
	for (int i = 1; i < count; i++) {
		enum exit_status status = EXIT_FINE;
		char *word = words[i];

		if (has_options && strcmp(word, "--") == 0)
			has_options = false;
		else if (has_options && word[0] == '-' && word[1] != '\0')
			status = read_option(out, words, count, &i, &given);
		else if (out->command)
			out->arguments[out->argument_count++] = word; /* never ahead of i */
		else if (!(out->command = find_command(word))) {
			complain_command(word);
			status = EXIT_USAGE;
		}
		if (status != EXIT_FINE)
			return status;
	}
	return judge(out, given);
}
