/*
 * options.c: mboxwatchd's command line. Layer: daemon.
 */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

static const char usage[] =
	"usage: mboxwatchd [-c FILE] [--conf-dir DIR] [-t] [--state-dir DIR] [--socket PATH]\n"
	"\n"
	"Watches mailboxes by SMTP and IMAP and tells when one side fails. Stays in the "
	"foreground.\n"
	"\n"
	"  -c FILE          settings file (" SYSCONFDIR "/mboxwatch/mboxwatch.conf)\n"
	"  --conf-dir DIR   read its *.conf after it (without -c: " SYSCONFDIR
	"/mboxwatch/conf.d)\n"
	"  -t               check the settings, print faults, warnings and the plan, and end\n"
	"  --state-dir DIR  where state is kept (" LOCALSTATEDIR "/lib/mboxwatch)\n"
	"  --socket PATH    the status socket (" RUNSTATEDIR "/mboxwatch/status.sock)\n"
	"  --help           this\n"
	"  --version        the version\n"
	"\n"
	"Manual: mboxwatchd(8), mboxwatch.conf(5). Status: mboxwatchctl(1).\n";

enum long_option {
	OPTION_CONF_DIR = 256,
	OPTION_STATE_DIR,
	OPTION_SOCKET,
	OPTION_VERSION,
	OPTION_HELP
};

static const struct option long_options[] = {
	{ "conf-dir", required_argument, NULL, OPTION_CONF_DIR },
	{ "state-dir", required_argument, NULL, OPTION_STATE_DIR },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

bool
options_read(int argc, char **argv, struct options *out, enum exit_status *status)
{
	int letter;

	memset(out, 0, sizeof(*out));
	*status = EXIT_USAGE;
	while ((letter = getopt_long(argc, argv, "c:th", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			out->file = optarg;
			break;
		case 't':
			out->is_check = true;
			break;
		case OPTION_CONF_DIR:
			out->conf_dir = optarg;
			break;
		case OPTION_STATE_DIR:
			out->state_dir = optarg;
			break;
		case OPTION_SOCKET:
			out->socket = optarg;
			break;
		case OPTION_VERSION:
			printf("mboxwatchd %s\n", PACKAGE_VERSION);
			*status = EXIT_ENDED;
			return false;
		case 'h':
		case OPTION_HELP:
			fputs(usage, stdout);
			*status = EXIT_ENDED;
			return false;
		default:
			fputs(usage, stderr);
			return false;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "mboxwatchd: unknown word: %s\n", argv[optind]);
		fputs(usage, stderr);
		return false;
	}
	return true;
}
