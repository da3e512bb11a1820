/*
 * tables.c: fills a manual's @TABLE@ line with the table of causes, of events or of metrics
 * (src/facts), or of the socket's problems (src/control). Used by the build alone.
 */
#include <stdio.h>
#include <string.h>

#include "control/problem.h"
#include "facts/cause.h"
#include "facts/event.h"
#include "facts/metric.h"

/* Text of a table as roff: what begins a line or an escape there is made harmless. */
static void
print_text(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at == '\\')
			fputs("\\e", stdout);
		else if ((*at == '.' || *at == '\'') && at == text)
			printf("\\&%c", *at);
		else if (*at == ' ' && at > text && at[-1] == '.')
			putchar('\n'); /* a new sentence begins a new line, as roff likes it */
		else
			putchar(*at);
	}
	putchar('\n');
}

static void
print_causes(void)
{
	for (enum cause cause = 0; cause < CAUSE_COUNT; cause++) {
		const struct cause_row *row = cause_row(cause);

		printf(".It Cm %s\n", row->word);
		printf(".Pq at %s%s%s%s%s\n", row->stages,
			row->marks & CAUSE_REFUSED ? "; counts as a refused login" : "",
			row->marks & CAUSE_WAIT ? "; the server asks for time" : "",
			row->marks & CAUSE_TRANSIENT ? "; may pass by itself" : "",
			row->marks & CAUSE_UNJUDGED ? "; not held against the mailbox" : "");
		print_text(row->means);
		printf(".Em Next :\n");
		print_text(row->next);
	}
}

static void
print_events(void)
{
	for (enum event_kind kind = 0; kind < EVENT_COUNT; kind++) {
		const struct event_row *row = event_row(kind);

		printf(".It Cm %s\n", row->word);
		print_text(row->when);
		printf("Priority: %s.\n", level_name(row->level));
		printf(".Dv MESSAGE_ID : Li %s\n", row->message_id);
	}
}

static void
print_metrics(void)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_row *row = metric_row(metric);

		printf(".It Cm %s\n", row->name);
		printf(".Pq %s%s%s\n", metric_type_name(row->type), *row->labels ? "; by " : "",
			row->labels);
		print_text(row->help);
	}
}

static void
print_problems(void)
{
#define X(name, word, status, title) printf(".It Cm %s\n%d: %s.\n", word, status, title);
	PROBLEMS(X)
#undef X
}

static const struct {
	const char *word;
	void (*print)(void);
} tables[] = {
	{ "api", print_problems },
	{ "causes", print_causes },
	{ "events", print_events },
	{ "metrics", print_metrics },
};

static void
print_table(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		if (strcmp(tables[i].word, word) == 0)
			tables[i].print();
	}
}

int
main(int argc, char **argv)
{
	char line[1024];
	FILE *page = argc == 3 ? fopen(argv[2], "r") : NULL;

	if (!page) {
		fprintf(stderr, "usage: tables api|causes|events|metrics PAGE\n");
		return 2;
	}
	while (fgets(line, sizeof(line), page)) {
		if (strcmp(line, "@TABLE@\n") != 0)
			fputs(line, stdout);
		else
			print_table(argv[1]);
	}
	fclose(page);
	return fflush(stdout) == 0 ? 0 : 1;
}
