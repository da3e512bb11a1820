/*
 * probe_once.c: one probe against a server, its verdict's JSON on stdout. For trials and tests;
 *watch's leave is always given.
 *
 *	probe_once HOST PORT SECURITY USER SECRET-FILE SIDE [FOLDER [CA-FILE]]
 *
 * SECRET-FILE "cmd:ARG ARG" is a command, "-" none. From the environment: PROBE_STAGE_MS,
 *PROBE_TIMEOUT_MS, PROBE_RESOLVERS, PROBE_TRACE (the transcript on stderr), PROBE_NAME (tls_name),
 *PROBE_TLS_MIN (0 to 3), PROBE_FAMILY, PROBE_INSECURE, PROBE_AUTH, PROBE_TIMES (so many in a row,
 *the last one's verdict shown), PROBE_AT_ONCE,
 * PROBE_EACH (cause/stage of each on stderr), PROBE_HELD (no leave is given). Exit status: 0 ok, 1
 *not ok, 2 usage, 3 void.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "probe/probe.h"

struct run {
	struct event_base *base;
	struct probes *probes;
	struct probe_job job;
	long left;
	long under_way;
	int status;
};

static void
on_ask_login(void *owner, uint64_t token, struct probe_ref ref, struct fingerprint fingerprint)
{
	struct run *run = owner;

	(void)token;
	(void)fingerprint;
	probes_leave(run->probes, ref, getenv("PROBE_HELD") ? LEAVE_HELD : LEAVE_GO);
}

static void
on_login_accepted(void *owner, uint64_t token)
{
	(void)owner;
	(void)token;
}

static void
on_ended(void *owner, uint64_t token, struct verdict *verdict, struct bytes transcript)
{
	struct run *run = owner;
	struct buf json = { 0 };

	(void)token;
	run->status = verdict->is_void ? 3 : verdict->is_ok ? 0 : 1;
	run->under_way--;
	if (getenv("PROBE_EACH")) {
		fprintf(stderr, "%s/%s%s\n", cause_name(verdict->cause), stage_name(verdict->stage),
			verdict->is_void ? " void" : "");
	}
	if (run->left > 0) {
		run->left--;
		run->under_way++;
		probes_start(run->probes, &run->job);
	} else if (run->under_way == 0) {
		verdict_put_json(&json, verdict, true, NULL);
		printf("%.*s\n", BYTES_ARG(buf_bytes(&json)));
		buf_done(&json);
		event_base_loopbreak(run->base);
	}
	if (transcript.len > 0) {
		fprintf(stderr, "%.*s\n", BYTES_ARG(transcript));
	}
	verdict_free(verdict);
}

static long
number_of(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

static void
set_secret(struct endpoint *endpoint, const char *text)
{
	if (strcmp(text, "-") == 0) {
		endpoint->mechanism = MECHANISM_NONE;
	} else if (strncmp(text, "cmd:", 4) == 0) {
		char *words = strdup(text + 4);
		size_t count = 0;

		endpoint->secret.kind = SECRET_COMMAND;
		endpoint->secret.argv = calloc(strlen(words) + 2, sizeof(char *));
		for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
			endpoint->secret.argv[count++] = strdup(word);
		}
		free(words);
	} else {
		endpoint->secret.kind = SECRET_FILE;
		endpoint->secret.path = strdup(text);
	}
}

static bool
set_endpoint(struct endpoint *endpoint, int argc, char **argv)
{
	const char *name = getenv("PROBE_NAME");
	enum mechanism mechanism = MECHANISM_AUTO;

	free(endpoint->host);
	endpoint->host = strdup(argv[1]);
	endpoint->is_address =
		strchr(argv[1], ':') != NULL || strspn(argv[1], "0123456789.") == strlen(argv[1]);
	endpoint->port = (uint16_t)atoi(argv[2]);
	free(endpoint->tls_name);
	endpoint->tls_name = strdup(name ? name : argv[1]);
	free(endpoint->username);
	endpoint->username = strdup(argv[4]);
	endpoint->tls_min = (enum tls_version)number_of("PROBE_TLS_MIN", TLS_1_2);
	endpoint->family = (enum family)number_of("PROBE_FAMILY", FAMILY_ANY);
	endpoint->insecure_auth = getenv("PROBE_INSECURE") != NULL;
	endpoint->timeout_us = number_of("PROBE_TIMEOUT_MS", 60000) * US_PER_MS;
	endpoint->stage_timeout_us = number_of("PROBE_STAGE_MS", 30000) * US_PER_MS;
	free(endpoint->folder);
	endpoint->folder = strdup(argc > 7 && argv[7][0] != '\0' ? argv[7] : "INBOX");
	if (argc > 8) {
		endpoint->ca_file = strdup(argv[8]);
	}
	if (getenv("PROBE_AUTH") &&
		mechanism_from_name(bytes_of(getenv("PROBE_AUTH")), &mechanism) != ERR_OK) {
		return false;
	}
	endpoint->mechanism = mechanism;
	set_secret(endpoint, argv[5]);
	return security_from_name(bytes_of(argv[3]), &endpoint->security) == ERR_OK;
}

int
main(int argc, char **argv)
{
	static const struct probes_calls calls = {
		.ask_login = on_ask_login, .login_accepted = on_login_accepted, .ended = on_ended
	};
	struct run run = { .status = 2 };
	struct probes_settings settings = { .helo_name = "watch.test.example",
		.resolvers = getenv("PROBE_RESOLVERS") };
	enum side side;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 7 || side_from_name(bytes_of(argv[6]), &side) != ERR_OK) {
		fprintf(stderr, "usage: probe_once HOST PORT SECURITY USER SECRET-FILE SIDE "
				"[FOLDER [CA-FILE]]\n");
		return 2;
	}
	run.base = event_base_new();
	run.job.endpoint = endpoint_new(side);
	run.job.may_login = true;
	run.job.is_traced = getenv("PROBE_TRACE") != NULL;
	if (!set_endpoint(run.job.endpoint, argc, argv)) {
		fprintf(stderr, "probe_once: no such security or mechanism\n");
		return 2;
	}
	if (probes_new(run.base, &settings, &calls, &run, &run.probes) != ERR_OK) {
		fprintf(stderr, "probe_once: cannot begin\n");
		return 2;
	}
	run.left = number_of("PROBE_TIMES", 1);
	for (long i = number_of("PROBE_AT_ONCE", 1); i > 0 && run.left > 0; i--) {
		run.left--;
		run.under_way++;
		probes_start(run.probes, &run.job);
	}
	event_base_dispatch(run.base);
	probes_free(run.probes);
	endpoint_free(run.job.endpoint);
	event_base_free(run.base);
	return run.status;
}
