/*
 * options.h: mboxwatchd's command line (contract 2). Layer: daemon.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>

enum exit_status {
	EXIT_ENDED = 0,	 /* as asked */
	EXIT_FAILED = 1, /* while running; with -t: faults */
	EXIT_USAGE = 2,
	EXIT_HELD = 75,	   /* another daemon holds the state directory or the socket */
	EXIT_SETTINGS = 78 /* EX_CONFIG */
};

struct options {
	const char *file; /* NULL: the usual */
	const char *conf_dir;
	const char *state_dir;
	const char *socket;
	bool is_check;
};

/* Reads argv; prints help, version or what is wrong. False: end with *status. */
bool options_read(int argc, char **argv, struct options *out, enum exit_status *status);

#endif
