/*
 * metric.h: the figures of GET /metrics as rows (metrics.def): names, types, what they mean. Layer:
 * facts.
 */
#ifndef FACTS_METRIC_H
#define FACTS_METRIC_H

#include "base/buf.h"

#define METRIC(NAME, name, type, labels, help) METRIC_##NAME,
enum metric {
#include "facts/metrics.def"
	METRIC_COUNT
};
#undef METRIC

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER,
	METRIC_HISTOGRAM,
	METRIC_TYPE_COUNT
};

struct metric_row {
	const char *name;
	enum metric_type type;
	const char *labels; /* "mailbox, endpoint"; "": none */
	const char *help;
};

const struct metric_row *metric_row(enum metric metric);
const char *metric_type_name(enum metric_type type);
/* The lines HELP and TYPE in front of a family's samples (Prometheus text 0.0.4). */
void metric_put_head(struct buf *out, enum metric metric);

#endif
