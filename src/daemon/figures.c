/*
 * figures.c: how the daemon itself is: counts for people, health, its own metrics. Layer: daemon.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "facts/metric.h"

void
figures_put_counts(struct daemon *daemon, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(daemon->watch, &counts);
	buf_put_format(out, "%zu mailbox%s: %zu ok, %zu failing, %zu unknown, %zu paused",
		counts.total, counts.total == 1 ? "" : "es", counts.ok, counts.failing,
		counts.unknown, counts.paused);
	if (counts.suspect)
		buf_put_format(out, "; %zu endpoint%s suspect", counts.suspect,
			counts.suspect == 1 ? "" : "s");
}

void
figures_health(struct daemon *daemon, struct control_health *out)
{
	struct fault why;
	int64_t late_us = loops_late_us(daemon->loops);

	out->is_well = true;
	if (late_us >= DAEMON_LOOP_LATE_US) {
		out->is_well = false;
		snprintf(out->why, sizeof(out->why),
			"a probing loop has not turned for %" PRId64 " s", late_us / US_PER_S);
	} else if (!outbox_is_storing(daemon->outbox, &why)) {
		out->is_well = false;
		snprintf(out->why, sizeof(out->why), "state cannot be written: %.120s", why.text);
	}
}

/* ---- metrics */

static void
put_sinks(struct daemon *daemon, struct buf *out)
{
	struct teller_figures figures;

	outbox_figures(daemon->outbox, &figures);
	metric_put_head(out, METRIC_SINK_QUEUE);
	for (size_t i = 0; i < figures.sink_count; i++)
		buf_put_format(out, "mboxwatch_sink_queue{sink=\"%s\"} %zu\n",
			figures.sinks[i].name, figures.sinks[i].queue);
	metric_put_head(out, METRIC_SINK_FAILURES);
	for (size_t i = 0; i < figures.sink_count; i++)
		buf_put_format(out, "mboxwatch_sink_failures_total{sink=\"%s\"} %" PRIu64 "\n",
			figures.sinks[i].name, figures.sinks[i].failures);
}

static void
put_reload(struct daemon *daemon, struct buf *out)
{
	metric_put_head(out, METRIC_RELOAD_SUCCESS);
	buf_put_format(out, "mboxwatch_reload_success %d\n", daemon->is_reload_good);
	metric_put_head(out, METRIC_RELOAD_TIME);
	buf_put_format(out,
		"mboxwatch_reload_success_timestamp_seconds %" PRId64 ".%03" PRId64 "\n",
		daemon->reloaded.us / US_PER_S, daemon->reloaded.us % US_PER_S / US_PER_MS);
}

static size_t
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count > 3 ? count - 3 : 0; /* ".", "..", and the one that reads */
}

static void
put_memory(struct buf *out)
{
	unsigned long long page_bytes = (unsigned long long)sysconf(_SC_PAGESIZE);
	unsigned long long pages[2] = { 0, 0 };
	FILE *file = fopen("/proc/self/statm", "re");

	if (file) {
		if (fscanf(file, "%llu %llu", &pages[0], &pages[1]) != 2)
			pages[0] = pages[1] = 0;
		fclose(file);
	}
	metric_put_head(out, METRIC_VIRTUAL_MEMORY);
	buf_put_format(out, "process_virtual_memory_bytes %llu\n", pages[0] * page_bytes);
	metric_put_head(out, METRIC_RESIDENT_MEMORY);
	buf_put_format(out, "process_resident_memory_bytes %llu\n", pages[1] * page_bytes);
}

static void
put_process(struct daemon *daemon, struct buf *out)
{
	struct rusage usage;
	struct rlimit limit;
	int64_t cpu_us = 0;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_S +
			 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	metric_put_head(out, METRIC_CPU_SECONDS);
	buf_put_format(out, "process_cpu_seconds_total %" PRId64 ".%06" PRId64 "\n",
		cpu_us / US_PER_S, cpu_us % US_PER_S);
	metric_put_head(out, METRIC_OPEN_FDS);
	buf_put_format(out, "process_open_fds %zu\n", open_descriptors());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		metric_put_head(out, METRIC_MAX_FDS);
		buf_put_format(out, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
	}
	put_memory(out);
	metric_put_head(out, METRIC_START_TIME);
	buf_put_format(out, "process_start_time_seconds %" PRId64 ".%03" PRId64 "\n",
		daemon->started.us / US_PER_S, daemon->started.us % US_PER_S / US_PER_MS);
}

void
figures_put_metrics(struct daemon *daemon, struct buf *out, bool with_process)
{
	put_sinks(daemon, out);
	put_reload(daemon, out);
	if (with_process)
		put_process(daemon, out);
}
