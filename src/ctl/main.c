/*
 * main.c: mboxwatchctl: one command, one exit status (contract 4). Layer: ctl.
 */
#include "ctl/ctl.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif

static const char *
socket_path(const struct invocation *invocation)
{
	const char *told = getenv("MBOXWATCH_SOCKET");

	if (invocation->options[OPTION_SOCKET])
		return invocation->options[OPTION_SOCKET];
	return told && *told ? told : RUNSTATEDIR "/mboxwatch/status.sock";
}

static enum exit_status
run(struct invocation *invocation, struct out *out)
{
	enum exit_status status;

	invocation->out = out;
	if (invocation->options[OPTION_HELP]) {
		grammar_put_help(&out->pending, invocation->command);
		return EXIT_FINE;
	}
	if (invocation->options[OPTION_VERSION]) {
		out_say(out, "mboxwatchctl " PACKAGE_VERSION "\n");
		return EXIT_FINE;
	}
	invocation->client =
		client_new(socket_path(invocation), invocation->options[OPTION_JSON] ? out : NULL);
	if (!invocation->client) {
		complain("out of memory");
		return EXIT_REFUSED;
	}
	status = invocation->command->run(invocation);
	client_free(invocation->client);
	return status;
}

/* Before the words are read, whatever else is wrong with them. */
static bool
says_plugin(int count, char **words)
{
	for (int i = 1; i < count && strcmp(words[i], "--") != 0; i++) {
		if (strcmp(words[i], "--plugin") == 0)
			return true;
	}
	return false;
}

static enum exit_status
read_words(struct invocation *invocation, int count, char **words, struct out *out)
{
	struct complaints_kept kept = { 0 };
	enum exit_status status;

	if (says_plugin(count, words))
		(void)complaints_keep(&kept);
	status = grammar_read(count, words, invocation);
	if (kept.was && status != EXIT_FINE)
		status = plugin_usage(out, &kept);
	complaints_release(&kept);
	return status;
}

int
main(int argc, char **argv)
{
	struct invocation invocation;
	enum exit_status status;
	struct out out;

	setlocale(LC_CTYPE, "");  /* for the sign of a cut alone; numbers keep their point */
	signal(SIGPIPE, SIG_IGN); /* seen by write(); `| head -1` is no fault */
	out_start(&out, STDOUT_FILENO);
	status = read_words(&invocation, argc, argv, &out);
	if (status == EXIT_FINE)
		status = run(&invocation, &out);
	out_done(&out);
	return out.is_failed ? EXIT_REFUSED : status;
}
