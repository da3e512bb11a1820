/*
 * metrics.c: GET /metrics: contract 8, Prometheus text 0.0.4, made as the reader takes it. Layer:
 * control.
 *
 * One row of `figures` is one family (facts/metrics.def) and the function that writes its samples.
 * A family of samples for each mailbox is walked in steps; ?detail=0 leaves those out. The daemon's
 * own families (sinks, process_*) come last, from itself.
 */
#include "control/inside.h"

#include "base/escape.h"
#include "facts/mailbox.h"
#include "facts/metric.h"

#include <stdio.h>
#include <stdlib.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define BUCKETS 12
#define LOOK_AT_CLOCK_EVERY 64

/* watch.h: the bounds of watch_figures. */
static const char *const bucket_bounds[BUCKETS] = { "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
	"0.5", "1", "2.5", "10", "30", "60" };

struct figure {
	enum metric metric;
	void (*put)(const struct figure *figure, const struct control *control, struct buf *out);
	/* Or: the samples of one mailbox, of one of its sides. */
	void (*put_mailbox)(
		const struct figure *figure, const struct watch_view *view, struct buf *out);
	void (*put_side)(const struct figure *figure, const struct watch_view *view, enum side side,
		struct buf *out);
};

/* ---- forms */

static const char *
name_of(const struct figure *figure)
{
	return metric_row(figure->metric)->name;
}

/* A number of seconds with its point, whatever the locale (H5-22). */
static void
put_seconds(struct buf *out, int64_t us)
{
	if (us < 0) {
		buf_put_byte(out, '-');
		us = -us;
	}
	buf_put_format(out, "%lld.%06lld", (long long)(us / US_PER_S), (long long)(us % US_PER_S));
}

static void
put_label(struct buf *out, const char *name, struct bytes value)
{
	if (out->len > 0 && out->at[out->len - 1] != '{')
		buf_put_byte(out, ',');
	buf_put_format(out, "%s=\"", name);
	escape_put(out, value, ESCAPE_METRIC);
	buf_put_byte(out, '"');
}

static void
put_name(struct buf *out, const struct figure *figure)
{
	buf_put_format(out, "%s", name_of(figure));
}

static void
put_plain(struct buf *out, const struct figure *figure, size_t value)
{
	buf_put_format(out, "%s %zu\n", name_of(figure), value);
}

/* mboxwatch_x{mailbox="…",endpoint="…" and stays open for more. */
static void
begin_side(
	struct buf *out, const struct figure *figure, const struct watch_view *view, enum side side)
{
	put_name(out, figure);
	buf_put_byte(out, '{');
	put_label(out, "mailbox", bytes_of(view->name));
	put_label(out, "endpoint", bytes_of(side_name(side)));
}

/* A histogram's three series; labels ends in a comma where it has any. */
static void
put_histogram(struct buf *out, const struct figure *figure, const char *labels,
	const uint64_t buckets[BUCKETS + 1], int64_t sum_us)
{
	int labels_len = (int)strlen(labels);
	uint64_t sum = 0;

	for (size_t i = 0; i <= BUCKETS; i++) {
		sum += buckets[i];
		buf_put_format(out, "%s_bucket{%sle=\"%s\"} %llu\n", name_of(figure), labels,
			i < BUCKETS ? bucket_bounds[i] : "+Inf", (unsigned long long)sum);
	}
	if (labels_len > 0)
		labels_len--;
	buf_put_format(out, "%s_sum", name_of(figure));
	if (labels_len > 0)
		buf_put_format(out, "{%.*s}", labels_len, labels);
	buf_put_byte(out, ' ');
	put_seconds(out, sum_us);
	buf_put_format(out, "\n%s_count", name_of(figure));
	if (labels_len > 0)
		buf_put_format(out, "{%.*s}", labels_len, labels);
	buf_put_format(out, " %llu\n", (unsigned long long)sum);
}

/* ---- of the whole */

static void
put_build(const struct figure *figure, const struct control *control, struct buf *out)
{
	buf_put_format(out, "%s{version=\"" PACKAGE_VERSION "\"} 1\n", name_of(figure));
}

static void
put_mailboxes(const struct figure *figure, const struct control *control, struct buf *out)
{
	struct watch_counts counts;
	const struct {
		const char *word;
		const size_t *count;
	} rows[] = {
		{ "ok", &counts.ok },
		{ "failing", &counts.failing },
		{ "unknown", &counts.unknown },
		{ "paused", &counts.paused },
		{ "suspect", &counts.suspect },
	};

	watch_counts(control->watch, &counts);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		buf_put_format(out, "%s{state=\"%s\"} %zu\n", name_of(figure), rows[i].word,
			*rows[i].count);
}

static void
put_incidents(const struct figure *figure, const struct control *control, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(control->watch, &counts);
	put_plain(out, figure, counts.incidents_open);
}

static void
put_brakes(const struct figure *figure, const struct control *control, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(control->watch, &counts);
	put_plain(out, figure, counts.brakes_open);
}

static void
put_in_flight(const struct figure *figure, const struct control *control, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(control->watch, &counts);
	put_plain(out, figure, counts.in_flight);
}

static void
put_sessions_kept(const struct figure *figure, const struct control *control, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(control->watch, &counts);
	put_plain(out, figure, counts.sessions_kept);
}

static void
put_none(const struct figure *figure, const struct control *control, struct buf *out)
{
	put_plain(out, figure, 0);
}

static void
put_one(const struct figure *figure, const struct control *control, struct buf *out)
{
	put_plain(out, figure, 1);
}

static void
put_probes(const struct figure *figure, const struct control *control, struct buf *out)
{
	const struct watch_figures *figures = watch_figures(control->watch);

	for (enum side side = 0; side < SIDE_COUNT; side++) {
		for (enum cause cause = 0; cause < CAUSE_COUNT; cause++) {
			/* `ok` is always there, so that a rate has something to begin from. */
			if (figures->probes[side][cause] == 0 && cause != CAUSE_OK)
				continue;
			buf_put_format(out, "%s{endpoint=\"%s\",cause=\"%s\"} %llu\n",
				name_of(figure), side_name(side), cause_name(cause),
				(unsigned long long)figures->probes[side][cause]);
		}
	}
}

static void
put_durations(const struct figure *figure, const struct control *control, struct buf *out)
{
	const struct watch_figures *figures = watch_figures(control->watch);

	for (enum side side = 0; side < SIDE_COUNT; side++) {
		for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
			const uint64_t *buckets = figures->duration_buckets[side][stage];
			char labels[80];
			uint64_t any = 0;

			for (size_t i = 0; i <= BUCKETS; i++)
				any |= buckets[i];
			if (any == 0)
				continue;
			snprintf(labels, sizeof(labels), "endpoint=\"%s\",stage=\"%s\",",
				side_name(side), stage_name(stage));
			put_histogram(out, figure, labels, buckets,
				figures->duration_sum_us[side][stage]);
		}
	}
}

static void
put_lateness(const struct figure *figure, const struct control *control, struct buf *out)
{
	const struct watch_figures *figures = watch_figures(control->watch);

	put_histogram(out, figure, "", figures->lateness_buckets, figures->lateness_sum_us);
}

static void
put_events(const struct figure *figure, const struct control *control, struct buf *out)
{
	const struct watch_figures *figures = watch_figures(control->watch);

	for (enum event_kind kind = 0; kind < EVENT_COUNT; kind++)
		buf_put_format(out, "%s{event=\"%s\"} %llu\n", name_of(figure),
			event_kind_name(kind), (unsigned long long)figures->events[kind]);
}

/* ---- of each mailbox */

static void
put_info(const struct figure *figure, const struct watch_view *view, struct buf *out)
{
	char name[LABEL_NAME_MOST + sizeof("label_")];

	put_name(out, figure);
	buf_put_byte(out, '{');
	put_label(out, "mailbox", bytes_of(view->name));
	for (size_t i = 0; view->labels && i < view->labels->count; i++) {
		snprintf(name, sizeof(name), "label_%s", view->labels->items[i].name);
		put_label(out, name, bytes_of(view->labels->items[i].value));
	}
	buf_put_string(out, "} 1\n");
}

/* Contract 8: absent while paused or unknown. */
static bool
is_judged(const struct watch_endpoint_view *endpoint)
{
	return endpoint->state == ENDPOINT_OK || endpoint->state == ENDPOINT_SUSPECT ||
	       endpoint->state == ENDPOINT_FAILING;
}

static void
put_up(const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	const struct watch_endpoint_view *endpoint = &view->sides[side];
	bool is_up;

	if (!is_judged(endpoint))
		return;
	/* After a restart there may be no verdict of the last probe; then the state stands for it.
	 */
	is_up = endpoint->verdict ? endpoint->verdict->is_ok : endpoint->state == ENDPOINT_OK;
	begin_side(out, figure, view, side);
	buf_put_string(out, is_up ? "} 1\n" : "} 0\n");
}

static void
put_failing(
	const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	const struct watch_endpoint_view *endpoint = &view->sides[side];

	if (!is_judged(endpoint))
		return;
	begin_side(out, figure, view, side);
	buf_put_string(out, endpoint->state == ENDPOINT_FAILING ? "} 1\n" : "} 0\n");
}

static void
put_cause(
	const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	const struct watch_endpoint_view *endpoint = &view->sides[side];

	if (!endpoint->has_cause)
		return;
	begin_side(out, figure, view, side);
	put_label(out, "server", bytes_of(endpoint->host));
	put_label(out, "cause", bytes_of(cause_name(endpoint->cause)));
	put_label(out, "stage", bytes_of(stage_name(endpoint->stage)));
	buf_put_string(out, "} 1\n");
}

static void
put_side_time(struct buf *out, const struct figure *figure, const struct watch_view *view,
	enum side side, wall_t time)
{
	if (!wall_is_set(time))
		return;
	begin_side(out, figure, view, side);
	buf_put_string(out, "} ");
	put_seconds(out, time.us);
	buf_put_byte(out, '\n');
}

static void
put_last_ok(
	const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	put_side_time(out, figure, view, side, view->sides[side].last_ok);
}

static void
put_not_after(
	const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	const struct verdict *verdict = view->sides[side].verdict;

	if (verdict && verdict->tls.certificate)
		put_side_time(out, figure, view, side, verdict->tls.certificate->not_after);
}

static void
put_interval(
	const struct figure *figure, const struct watch_view *view, enum side side, struct buf *out)
{
	if (!view->sides[side].is_stretched)
		return;
	begin_side(out, figure, view, side);
	buf_put_string(out, "} ");
	put_seconds(out, view->sides[side].interval_us);
	buf_put_byte(out, '\n');
}

static const struct figure figures[] = {
	{ METRIC_BUILD_INFO, .put = put_build },
	{ METRIC_MAILBOXES, .put = put_mailboxes },
	{ METRIC_INCIDENTS_OPEN, .put = put_incidents },
	{ METRIC_OUTAGES_OPEN, .put = put_none },
	{ METRIC_UPLINK_UP, .put = put_one },
	{ METRIC_BRAKES_OPEN, .put = put_brakes },
	{ METRIC_PROBES_IN_FLIGHT, .put = put_in_flight },
	{ METRIC_SESSIONS_KEPT, .put = put_sessions_kept },
	{ METRIC_PROBES_TOTAL, .put = put_probes },
	{ METRIC_PROBE_DURATION, .put = put_durations },
	{ METRIC_PROBE_LATENESS, .put = put_lateness },
	{ METRIC_EVENTS_TOTAL, .put = put_events },
	{ METRIC_MAILBOX_INFO, .put_mailbox = put_info },
	{ METRIC_ENDPOINT_UP, .put_side = put_up },
	{ METRIC_ENDPOINT_FAILING, .put_side = put_failing },
	{ METRIC_ENDPOINT_CAUSE, .put_side = put_cause },
	{ METRIC_ENDPOINT_STRETCHED, .put_side = put_interval },
	{ METRIC_LAST_OK, .put_side = put_last_ok },
	{ METRIC_CERT_NOT_AFTER, .put_side = put_not_after },
};

/* ---- the stream */

struct metrics {
	struct control *control;
	bool with_detail;
	bool with_process;
	bool is_headed; /* the family's HELP and TYPE are out */
	size_t figure;
	uint32_t mailbox;
};

static void
put_samples(const struct figure *figure, const struct watch_view *view, struct buf *out)
{
	if (figure->put_mailbox)
		figure->put_mailbox(figure, view, out);
	for (enum side side = 0; figure->put_side && side < SIDE_COUNT; side++) {
		if (view->sides[side].is_present)
			figure->put_side(figure, view, side, out);
	}
}

/* True where the family is whole. */
static bool
put_walked(struct metrics *metrics, const struct figure *figure, mono_t end, struct buf *out)
{
	const struct watch *watch = metrics->control->watch;
	struct watch_view view;

	while (metrics->mailbox < watch_room(watch)) {
		if (watch_view(watch, metrics->mailbox++, &view))
			put_samples(figure, &view, out);
		if (out->len >= HTTP_SLICE_BYTES || (metrics->mailbox % LOOK_AT_CLOCK_EVERY == 0 &&
							    !mono_is_before(mono_now(), end)))
			return false;
	}
	metrics->mailbox = 0;
	return true;
}

/* Puts the family, or the next piece of it; true where it is whole. */
static bool
put_figure(struct metrics *metrics, const struct figure *figure, mono_t end, struct buf *out)
{
	if (!figure->put && !metrics->with_detail)
		return true;
	if (!metrics->is_headed)
		metric_put_head(out, figure->metric);
	metrics->is_headed = true;
	if (!figure->put)
		return put_walked(metrics, figure, end, out);
	figure->put(figure, metrics->control, out);
	return true;
}

static enum stream_step
metrics_next(void *user, struct buf *out)
{
	struct metrics *metrics = user;
	mono_t end = mono_add(mono_now(), HTTP_SLICE_US);

	for (; metrics->figure < COUNT_OF(figures); metrics->figure++) {
		if (out->len >= HTTP_SLICE_BYTES ||
			!put_figure(metrics, &figures[metrics->figure], end, out))
			return out->len > 0 ? STREAM_MORE : STREAM_AGAIN;
		metrics->is_headed = false;
	}
	metrics->control->calls->metrics(metrics->control->owner, out, metrics->with_process);
	return STREAM_END;
}

static void
metrics_end(void *user)
{
	free(user);
}

static const struct stream_calls metrics_calls = { metrics_next, metrics_end };

/* Both are on unless they are named and off. */
static bool
is_on(const struct request *request, const char *name)
{
	struct bytes value;

	return !request_param(request, name, &value) || request_flag(request, name);
}

void
metrics_answer(const struct request *request)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics) {
		request_answer_memory(request);
		return;
	}
	metrics->control = request->control;
	metrics->with_detail = is_on(request, "detail");
	metrics->with_process = is_on(request, "process");
	exchange_stream(request->exchange, 200, METRICS_TYPE, false, &metrics_calls, metrics);
}
