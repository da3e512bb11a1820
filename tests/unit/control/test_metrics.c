/*
 * test_metrics.c: /metrics (contract 8): the form, what is there and what is not, escaping (H5-22).
 */
#include "../unit.h"

#include "fake.h"

#include <locale.h>
#include <stdlib.h>

static void
test_metrics_hold(void **state)
{
	struct fake *fake = *state;
	static const char *const lines[] = {
		"# TYPE mboxwatch_mailboxes gauge\n",
		"mboxwatch_mailboxes{state=\"failing\"} 3\n",
		"mboxwatch_endpoint_up{mailbox=\"box000003\",endpoint=\"imap\"} 0\n",
		"mboxwatch_endpoint_up{mailbox=\"box000003\",endpoint=\"smtp\"} 1\n",
		"mboxwatch_endpoint_failing{mailbox=\"box000003\",endpoint=\"imap\"} 1\n",
		"mboxwatch_endpoint_cause_info{mailbox=\"box000003\",endpoint=\"imap\",server="
		"\"imap.example.com\",cause=\"bad_credentials\",stage=\"auth\"} 1\n",
		"mboxwatch_mailbox_info{mailbox=\"box000000\",label_owner=\"ac\\\"me\"} 1\n",
		"mboxwatch_probes_total{endpoint=\"imap\",cause=\"bad_credentials\"} 4\n",
		"# TYPE mboxwatch_probe_lateness_seconds histogram\n",
		"mboxwatch_probe_lateness_seconds_bucket{le=\"0.005\"} 5\n",
		"mboxwatch_probe_lateness_seconds_bucket{le=\"60\"} 7\n",
		"mboxwatch_probe_lateness_seconds_bucket{le=\"+Inf\"} 8\n",
		"mboxwatch_probe_lateness_seconds_sum 1.500000\n",
		"mboxwatch_probe_lateness_seconds_count 8\n",
		"mboxwatch_probe_duration_seconds_bucket{endpoint=\"smtp\",stage=\"tls\",le=\"0."
		"25\"} 2\n",
		"mboxwatch_probe_duration_seconds_sum{endpoint=\"smtp\",stage=\"tls\"} 0.400000\n",
		"mboxwatch_events_total{event=\"state\"} 9\n",
		"mboxwatch_incidents_open 2\n",
		"mboxwatch_brakes_open 1\n",
		"mboxwatch_probes_in_flight 3\n",
		"mboxwatch_uplink_up 1\n",
		"mboxwatch_outages_open 0\n",
		"mboxwatch_build_info{version=",
		"mboxwatch_last_ok_timestamp_seconds{mailbox=\"box000000\",endpoint=\"smtp\"} 1",
		"mboxwatch_cert_not_after_timestamp_seconds{mailbox=\"box000000\",endpoint="
		"\"smtp\"} 1",
		"mboxwatch_sink_queue{sink=\"journal\"} 0\n",
		"process_open_fds 9\n",
	};
	char *answer, *body;

	fake->watch.figures.probes[SIDE_IMAP][CAUSE_BAD_CREDENTIALS] = 4;
	fake->watch.figures.lateness_buckets[0] = 5;
	fake->watch.figures.lateness_buckets[6] = 2;
	fake->watch.figures.lateness_buckets[12] = 1;
	fake->watch.figures.lateness_sum_us = 1500 * US_PER_MS;
	fake->watch.figures.duration_buckets[SIDE_SMTP][STAGE_TLS][5] = 2;
	fake->watch.figures.duration_sum_us[SIDE_SMTP][STAGE_TLS] = 400 * US_PER_MS;
	fake->watch.figures.events[EVENT_STATE] = 9;
	setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed: numbers keep their point */
	answer = fake_get(fake, "/metrics");
	setlocale(LC_ALL, "C");
	body = answer_body(answer);
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		unit_row(lines[i]);
		if (!strstr(body, lines[i]))
			fail_msg("\"%s\" is missing in: %s", lines[i], body);
	}
	free(answer);
}

/* Contract 8: both are absent while paused or unknown; cause_info only while not ok. */
static void
test_what_is_not_known_is_absent(void **state)
{
	struct fake *fake = *state;
	char *answer, *body;

	fake->watch.views[0].sides[SIDE_SMTP].state = ENDPOINT_PAUSED;
	fake->watch.views[1].sides[SIDE_SMTP].state = ENDPOINT_UNKNOWN;
	fake->watch.views[2].sides[SIDE_SMTP].is_present = false;
	answer = fake_get(fake, "/metrics");
	body = answer_body(answer);
	for (unsigned i = 0; i < 3; i++) {
		char text[100];

		snprintf(text, sizeof(text), "up{mailbox=\"box%06u\",endpoint=\"smtp\"}", i);
		assert_null(strstr(body, text));
		snprintf(text, sizeof(text), "failing{mailbox=\"box%06u\",endpoint=\"smtp\"}", i);
		assert_null(strstr(body, text));
	}
	assert_null(strstr(body, "cause_info{mailbox=\"box000001\""));
	free(answer);
	answer = fake_get(fake, "/metrics?detail=0&process=0");
	body = answer_body(answer);
	assert_null(strstr(body, "mailbox="));
	assert_null(strstr(body, "process_"));
	assert_non_null(strstr(body, "mboxwatch_mailboxes{state=\"ok\"}"));
	free(answer);
}

/* The form: a family's lines stand together, HELP and TYPE in front; every line is one. */
static void
test_families_stand_together(void **state)
{
	struct fake *fake = *state;
	static const struct labels hostile = {
		.items = { { (char *)"owner", (char *)"a\\b\"c\nd\x1b\xe2\x80\xae" } }, .count = 1
	};
	char *answer, *line, *rest, family[104] = "", seen[8192] = "";

	fake->watch.views[0].labels = &hostile;
	answer = fake_get(fake, "/metrics");
	rest = answer_body(answer);
	assert_non_null(
		strstr(rest, "label_owner=\"a\\\\b\\\"c\\nd\\\\x1b\\\\xe2\\\\x80\\\\xae\"} 1\n"));
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[100] = "";

		assert_null(strchr(line, '\033'));
		if (sscanf(line, "# HELP %99s", name) == 1) {
			snprintf(family, sizeof(family), " %s ", name);
			assert_null(strstr(seen, family));
			strcat(seen, family);
			continue;
		}
		if (line[0] == '#' || strstr(line, "sink_queue") || strstr(line, "process_"))
			continue; /* the paper daemon's have no head */
		assert_int_equal(sscanf(line, "%99[a-z_]", name), 1);
		assert_memory_equal(name, family + 1, strlen(family) - 2);
	}
	free(answer);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_metrics_hold, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(
		test_what_is_not_known_is_absent, fake_set_up, fake_tear_down),
	cmocka_unit_test_setup_teardown(test_families_stand_together, fake_set_up, fake_tear_down),
};

UNIT_MAIN(tests)
