/*
 * ctl.h: what the files of mboxwatchctl share. Layer: ctl.
 *
 * One call's way: grammar.c reads the words, main.c runs the command's function, client.c asks the
 * daemon, the command prints from the very document that came (table.c, out.c). Nothing of it
 * outlives the process.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/escape.h"
#include "base/time.h"

#include <jansson.h>
#include <stdio.h>

/* Contract 4. */
enum exit_status {
	EXIT_FINE = 0,
	EXIT_FAILING = 1, /* what was asked about is failing */
	EXIT_USAGE = 2,
	EXIT_NO_MAILBOX = 3,
	EXIT_NO_DAEMON = 4,
	EXIT_REFUSED = 5 /* refused or failed */
};

/* ---- grammar.c */

enum option {
	OPTION_SOCKET,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_FOLLOW,
	OPTION_SINCE,
	OPTION_FOR,
	OPTION_REASON,
	OPTION_NO_DETAIL,
	OPTION_WATCH,
	OPTION_PLUGIN,
	OPTION_FILE,
	OPTION_TRANSCRIPT,
	OPTION_SEND,
	OPTION_TO,
	OPTION_COUNT
};

struct client;
struct out;

struct invocation {
	const struct command *command;
	const char
		*options[OPTION_COUNT]; /* the value; "" of one that takes none; NULL: not given */
	char **arguments;		/* of main()'s own */
	size_t argument_count;
	struct client *client;
	struct out *out;
	bool (*is_over)(void *user); /* of every page asked for (struct call); NULL: not */
	void *is_over_user;
};

typedef enum exit_status command_run(const struct invocation *invocation);

struct command {
	const char *word;
	const char *arguments; /* "[SELECTOR…]" */
	size_t least;
	size_t most;	  /* SIZE_MAX: any number */
	unsigned options; /* bits of enum option, beside the four that fit anywhere */
	command_run *run;
	const char *means;
};

#define OPTION_BIT(option) (1u << (option))

/* Reads main()'s words, which are put in order: arguments first. EXIT_FINE, or EXIT_USAGE with
 * words on stderr that say what fits there. command is NULL where only --help or --version was
 * said. */
enum exit_status grammar_read(int count, char **words, struct invocation *out);
void grammar_put_help(struct buf *out, const struct command *command);

/* ---- commands */

command_run command_status;
command_run command_show;
command_run command_probe;
command_run command_check;
command_run command_events;
command_run command_pause;
command_run command_resume;
command_run command_reload;
command_run command_causes;
command_run command_providers;
command_run command_metrics;
command_run command_test_alert;
command_run command_remove;
command_run command_make_key;
command_run command_version;

/* ---- client.c: the daemon at its socket */

#define ANSWER_MOST_BYTES                                                                          \
	((size_t)256 * 1024 * 1024) /* a status of 100,000 mailboxes and more; H5-24 */
#define LINE_MOST_ANSWER_BYTES ((size_t)1024 * 1024)

struct call {
	const char *path;   /* "/v1/status?…", percent-encoded */
	const char *body;   /* of a POST; NULL: it is a GET */
	const char *method; /* NULL: by body */
	const char *about; /* whom a refusal is about, in front of its words; NULL: that is clear */
	int silence_s;	   /* so long nothing may come; 0: 20 s */
	int deadline_s;	   /* for all of it; 0: 120 s; -1: none */
	/* Asked once a second at least, meanwhile: true breaks it off. */
	bool (*is_over)(void *user);
	/* The lines of a good answer as they come, without their ends; false: enough. NULL: they
	 * are kept in the answer. */
	bool (*line)(void *user, struct bytes line);
	void *user;
};

struct answer {
	long status;
	struct buf body;
};

/* NULL where there is no memory. Both are borrowed; problems gets the document of a refusal beside
 * the words on stderr (--json), NULL: nobody. */
struct client *client_new(const char *path, struct out *problems);
void client_free(struct client *client);
/* EXIT_FINE: the daemon answered well (2xx). EXIT_NO_DAEMON, EXIT_NO_MAILBOX, EXIT_REFUSED: why
 * stands on stderr. answer_done() always. */
enum exit_status client_call(struct client *client, const struct call *call, struct answer *out);
/* As client_call(), the answer read as JSON: the caller's (json_decref); answer may be NULL. */
enum exit_status client_json(
	struct client *client, const struct call *call, struct answer *answer, json_t **out);
void answer_done(struct answer *answer);
/* Does anybody listen at the socket, whether we may talk to him or not? */
bool client_is_there(const struct client *client);
/* Percent-encodes. */
void url_put(struct buf *out, struct bytes text);
/* "?select=…&select=…" of the arguments, or "&…" where `between` says so. */
void url_put_select(struct buf *out, char between, char *const *selectors, size_t count);

/* ---- out.c: what people and pipes get */

enum colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_BAD,
	COLOUR_DOUBT,
	COLOUR_FAINT,
	COLOUR_BOLD,
	COLOUR_COUNT
};

struct out {
	int fd;
	bool is_terminal;
	bool has_colour;
	bool is_coloured; /* what comes is shown in a colour, to be ended by COLOUR_NONE */
	bool is_gone;	  /* the reader of the pipe left: be quiet */
	bool is_failed;	  /* and not because the reader had enough */
	bool is_utf8;	  /* for the sign of a cut */
	bool is_held;	  /* a screen is put together: nothing is written before out_flush() */
	size_t columns;	  /* SIZE_MAX: no bound */
	size_t rows;	  /* likewise */
	struct buf pending;
};

void out_start(struct out *out, int fd);
/* The terminal has another size. */
void out_resize(struct out *out);
/* Writes what is pending; false where nobody reads any more. */
bool out_flush(struct out *out);
void out_done(struct out *out);
/* Our own words. */
void out_say(struct out *out, const char *format, ...) PRINTF_LIKE(2, 3);
/* Words from outside, escaped. */
void out_outside(struct out *out, struct bytes text);
void out_colour(struct out *out, enum colour colour);
/* JSON as it came; what a terminal should not see raw is written as \uNNNN, which means the same.
 */
void out_json(struct out *out, struct bytes json);
/* "  label      text", wrapped with a hanging indent on a terminal; text is escaped here. Nothing
 * for an empty text. */
void out_field(struct out *out, const char *label, struct bytes text);
/* To stderr: "mboxwatchctl: …". */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same with words from outside behind ours. */
void complain_outside(const char *ours, struct bytes outside);

/* What would go to stderr is kept instead, from here to complaints_release(): where a screen would
 * be spoilt, or one line is all that may be said. */
struct complaints_kept {
	FILE *was;
	char *text;
	size_t len;
};

/* False: stderr stays as it is. */
bool complaints_keep(struct complaints_kept *kept);
void complaints_release(struct complaints_kept *kept);
/* What was complained about so far, as one line: "no daemon at …; is mboxwatchd running?". */
void complaints_put(struct complaints_kept *kept, struct buf *out);
void complaints_forget(struct complaints_kept *kept);

/* ---- table.c */

struct column {
	const char *title;
	size_t least;	/* columns that it may be cut down to; 0: never cut */
	bool is_number; /* to the right */
};

struct table;

#define TABLE_MOST_COLUMNS 8

/* columns are borrowed. NULL: no memory. */
struct table *table_new(const struct column *columns, size_t count);
void table_free(struct table *table);
/* The next cell of the row; text from outside is escaped here. */
void table_put(struct table *table, enum colour colour, struct bytes text);
size_t table_rows(const struct table *table);
/* Columns without any text are left out. False: memory was short. */
bool table_print(const struct table *table, struct out *out);

/* ---- document.c: looks into the daemon's documents; what is missing or of another type is empty
 */

struct bytes member_text(const json_t *object, const char *name);
/* providers.c: the daemon's document of providers, else what is compiled in. Borrowed from it: the
 * one whose addresses are in that address' domain, or NULL. */
enum exit_status providers_document(const struct invocation *invocation, json_t **out);
const json_t *provider_of_address(const json_t *document, struct bytes address);
wall_t member_time(const json_t *object, const char *name);
int64_t member_number(const json_t *object, const char *name);
bool member_is_true(const json_t *object, const char *name);

/* The word of counts that a mailbox belongs to: "failing", "unknown", "paused", "ok". */
const char *mailbox_class(const json_t *mailbox);
enum colour class_colour(const char *word);
/* The words of a side's verdict or reply that tell most: the last line of the reply, else the
 * detail. */
struct bytes verdict_words(const json_t *verdict);
/* "11-24 09:30", local; "-" where it is not set. */
void put_when(struct buf *out, wall_t time);
/* "40s", "now", "-": until then, one unit. */
void put_until(struct buf *out, wall_t time);
/* Is it a plain name: no glob, no prefix? */
bool selector_is_name(const char *selector);
/* How many mailboxes are what. */
struct class_counts {
	size_t total, failing, unknown, paused, ok;
};

void class_count(struct class_counts *counts, const json_t *mailbox);
/* Of /v1/status, which counts all mailboxes whatever the selection. */
struct class_counts class_counts_of(const json_t *document);
/* Prints the document where --json asks for it; true where it did. */
bool print_json(const struct invocation *invocation, const struct answer *answer);

/* ---- pages.c: mailboxes of a selection, page by page */

/* Calls each for every one; the arguments from `first` on are the selectors. EXIT_NO_MAILBOX where
 * one that is a name met none (said on stderr). counts, where it is not NULL, is the last page's
 * document without its mailboxes. */
enum exit_status pages_walk(const struct invocation *invocation,
	void (*each)(void *user, const json_t *mailbox), void *user, json_t **document);
/* The first `most` alone: one page. */
enum exit_status pages_first(const struct invocation *invocation, size_t most,
	void (*each)(void *user, const json_t *mailbox), void *user, json_t **document);

/* ---- status.c, screen.c, plugin.c: the three forms of `status` */

/* One look at the daemon: the sum, and the first rows of the table. */
struct status;

/* most_rows: of the table; SIZE_MAX: all. with_next: when each is probed next, which changes by
 * itself. NULL: no memory. */
struct status *status_new(size_t most_rows, bool with_next);
void status_free(struct status *status);
/* As pages_walk(): what the selectors mean; EXIT_FAILING where one of them fails. */
enum exit_status status_read(struct status *status, const struct invocation *invocation);
void status_print(const struct status *status, struct out *out);
/* More than the table's rows. */
size_t status_rest(const struct status *status);

enum exit_status screen_run(const struct invocation *invocation);
/* is_sound complains of a slip in the words, which is told in the line. */
enum exit_status plugin_run(
	const struct invocation *invocation, bool (*is_sound)(const struct invocation *));
/* A slip in the words, where they say --plugin: told as a plugin tells it, with its status. */
enum exit_status plugin_usage(struct out *out, struct complaints_kept *kept);

/* ---- show.c: pieces of it */

/* The label beside the first line alone. */
void show_lines(struct out *out, const char *label, const json_t *list);
void show_cause(struct out *out, const json_t *verdict);
void show_suggestions(struct out *out, const json_t *verdict);

/* ---- check_show.c: a check for people: its steps as they come, its document at the end */

void check_show_step(struct out *out, const json_t *step);
void check_show_document(struct out *out, const json_t *document);

/* ---- ask.c: what is missing is asked for on the terminal */

/* Is there one to ask on? */
bool ask_may(void);
/* A line into out, without its end; false: none came (said on stderr). A secret is not shown as it
 * is typed, whatever ends us meanwhile. */
bool ask_line(const char *prompt, bool is_secret, struct buf *out);

/* ---- secrets.c, alone.c: a check without the daemon */

struct mailbox_settings;
struct settings;

/* Secrets of files, commands and credentials become values. False: said on stderr. */
bool secrets_read(const struct mailbox_settings *mailbox);
/* What of a check is asked for beyond the settings. */
struct check_want {
	bool is_to_send;
	const char *send_to; /* NULL: to the mailbox itself */
	bool with_transcript;
};

/* As root with the daemon's lock, user and counts, else with one login a side. line gets each step
 * and then the document, as of the daemon. EXIT_FINE: it ran; else why stands on stderr. */
enum exit_status alone_check(const struct settings *settings,
	const struct mailbox_settings *mailbox, const struct check_want *want,
	bool (*line)(void *user, struct bytes line), void *user);

#endif
