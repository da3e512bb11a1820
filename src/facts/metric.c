/*
 * metric.c: see metric.h. Layer: facts.
 */
#include "facts/metric.h"

#include <assert.h>

#define METRIC(NAME, name, type, labels, help)                                                     \
	[METRIC_##NAME] = { name, METRIC_##type, labels, help },
static const struct metric_row metric_rows[] = {
#include "facts/metrics.def"
};
#undef METRIC
static_assert(COUNT_OF(metric_rows) == METRIC_COUNT, "a row for each figure");

const struct metric_row *
metric_row(enum metric metric)
{
	assert(metric < METRIC_COUNT);
	return &metric_rows[metric];
}

const char *
metric_type_name(enum metric_type type)
{
	static const char *const names[METRIC_TYPE_COUNT] = { "gauge", "counter", "histogram" };

	return type < METRIC_TYPE_COUNT ? names[type] : "?";
}

/* Our own words have neither a backslash nor a line end, which alone are escaped in HELP. */
void
metric_put_head(struct buf *out, enum metric metric)
{
	const struct metric_row *row = metric_row(metric);

	buf_put_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
		metric_type_name(row->type));
}
