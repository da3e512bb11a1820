/*
 * version.c: mboxwatchctl version: of this program, and of the daemon where one answers. Layer:
 * ctl.
 */
#include "ctl/ctl.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif

enum exit_status
command_version(const struct invocation *invocation)
{
	struct answer answer = { 0 };
	json_t *document = NULL;
	struct buf when = { 0 };

	if (!invocation->options[OPTION_JSON])
		out_say(invocation->out, "mboxwatchctl " PACKAGE_VERSION "\n");
	(void)out_flush(invocation->out);
	if (client_json(invocation->client, &(struct call){ .path = "/v1/status?limit=0" }, &answer,
		    &document) == EXIT_FINE &&
		!print_json(invocation, &answer)) {
		put_when(&when, member_time(document, "started"));
		out_say(invocation->out, "mboxwatchd ");
		out_outside(invocation->out, member_text(document, "version"));
		out_say(invocation->out, ", running since %s\n", when.at ? when.at : "-");
	}
	buf_done(&when);
	json_decref(document);
	answer_done(&answer);
	return EXIT_FINE; /* of this program it was said */
}
