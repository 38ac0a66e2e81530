/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms for /metrics. A series is looked up (and made)
 * once, under a lock, and lives as long as the process; adding to it takes no
 * lock. Any thread.
 *
 * `labels` is the part between the braces, already escaped: build it with
 * metrics_label, or NULL for none. `bounds` must stay.
 */
#ifndef COX_BASE_METRICS_H
#define COX_BASE_METRICS_H

#include <coxswain/kit/buf.h>
#include <stddef.h>
#include <stdint.h>

enum { METRICS_SERIES_MAX = 20000, METRICS_BOUNDS_MAX = 32 };

struct metric;

/*
 * Never NULL: past METRICS_SERIES_MAX one spare series takes what comes, and
 * coxswain_metrics_refused_total counts. Asking again for the same name and
 * labels returns the same series; a name keeps the type it was made with.
 */
struct metric *metrics_counter(const char *name, const char *help, const char *labels);
struct metric *metrics_gauge(const char *name, const char *help, const char *labels);
/* `bounds` are upper limits in seconds (or whatever is observed), growing. */
struct metric *metrics_histogram(const char *name, const char *help, const char *labels,
				 const double *bounds, size_t count);

void metrics_add(struct metric *metric, uint64_t add);	/* counters */
void metrics_set(struct metric *metric, int64_t value); /* gauges */
void metrics_move(struct metric *metric, int64_t by);	/* gauges */
void metrics_observe(struct metric *metric, double value);
void metrics_observe_ns(struct metric *metric, uint64_t nanoseconds); /* as seconds */

uint64_t metrics_value(const struct metric *metric); /* of a counter or gauge; histogram: count */

/* Appends key="value" to a label set, with a comma where one is needed. */
void metrics_label(struct cox_buf *labels, const char *key, const char *value);

/* Appends everything in the Prometheus text format (version 0.0.4). */
void metrics_write(struct cox_buf *out);

/* Latency bounds of the API server: 5 ms … 60 s. */
extern const double metrics_latency_bounds[];
extern const size_t metrics_latency_bound_count;

#endif
