/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics; see the header. Series are kept in families (one name, one help
 * text, one type), which is the order of the output. `metrics.lock` guards the
 * lists; values are atomics. Nothing is ever freed.
 */
#include "base/metrics.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

struct metric {
	enum metric_type type;
	char *labels;		/* "": none */
	_Atomic uint64_t value; /* counter; gauge as two's complement; count of a histogram */
	/* histograms */
	const double *bounds;
	size_t bound_count;
	_Atomic uint64_t *buckets; /* bound_count, each for itself; the rest is +Inf */
	_Atomic uint64_t sum;	   /* the bits of a double */
};

struct family {
	char *name;
	char *help;
	enum metric_type type;
	COX_VEC(struct metric *) series;
};

static struct {
	pthread_mutex_t lock;	  /* lock.h: 5 */
	struct cox_map by_name;	  /* name → struct family */
	struct cox_map by_series; /* name{labels} → struct metric */
	COX_VEC(struct family *) families;
	size_t series;
	_Atomic uint64_t refused;
} metrics = {.lock = PTHREAD_MUTEX_INITIALIZER, .by_name = COX_MAP_INIT, .by_series = COX_MAP_INIT};

/* Take what there is no room for, or what asks for a name with another type. */
static struct metric spare = {.type = GAUGE};
static _Atomic uint64_t spare_bucket;
static struct metric spare_histogram = {.type = HISTOGRAM, .buckets = &spare_bucket};

const double metrics_latency_bounds[] = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8,
					 1,	1.25,  1.5,  2,	  3,   4,   5,	 6,
					 8,	10,    15,   20,  30,  45,  60};
const size_t metrics_latency_bound_count =
	sizeof(metrics_latency_bounds) / sizeof(metrics_latency_bounds[0]);

static struct family *find_family(const char *name, const char *help, enum metric_type type)
{
	struct family *family = cox_map_get(&metrics.by_name, name, strlen(name));

	if (!family) {
		family = cox_new(struct family);
		family->name = cox_strdup(name);
		family->help = cox_strdup(help);
		family->type = type;
		cox_map_put(&metrics.by_name, name, strlen(name), family);
		cox_vec_push(&metrics.families, family);
	}
	return family;
}

static struct metric *find_series(const char *name, const char *help, const char *labels,
				  enum metric_type type, const double *bounds, size_t count)
{
	cox_autobuf key = COX_BUF_INIT;
	struct family *family;
	struct metric *metric;

	cox_buf_printf(&key, "%s{%s}", name, labels ? labels : "");
	cox_lock_scope(&metrics.lock);
	metric = cox_map_get(&metrics.by_series, key.data, key.size);
	if (metric && metric->type == type)
		return metric;
	family = metric || metrics.series == METRICS_SERIES_MAX ? NULL
								: find_family(name, help, type);
	if (!family || family->type != type) {
		atomic_fetch_add_explicit(&metrics.refused, 1, memory_order_relaxed);
		return type == HISTOGRAM ? &spare_histogram : &spare;
	}
	metric = cox_new(struct metric);
	metric->type = type;
	metric->labels = cox_strdup(labels ? labels : "");
	metric->bounds = bounds;
	metric->bound_count = count < METRICS_BOUNDS_MAX ? count : METRICS_BOUNDS_MAX;
	metric->buckets = cox_calloc(metric->bound_count + 1, sizeof(*metric->buckets));
	metrics.series++;
	cox_map_put(&metrics.by_series, key.data, key.size, metric);
	cox_vec_push(&family->series, metric);
	return metric;
}

struct metric *metrics_counter(const char *name, const char *help, const char *labels)
{
	return find_series(name, help, labels, COUNTER, NULL, 0);
}

struct metric *metrics_gauge(const char *name, const char *help, const char *labels)
{
	return find_series(name, help, labels, GAUGE, NULL, 0);
}

struct metric *metrics_histogram(const char *name, const char *help, const char *labels,
				 const double *bounds, size_t count)
{
	return find_series(name, help, labels, HISTOGRAM, bounds, count);
}

void metrics_add(struct metric *metric, uint64_t add)
{
	atomic_fetch_add_explicit(&metric->value, add, memory_order_relaxed);
}

void metrics_set(struct metric *metric, int64_t value)
{
	atomic_store_explicit(&metric->value, (uint64_t)value, memory_order_relaxed);
}

void metrics_move(struct metric *metric, int64_t by)
{
	atomic_fetch_add_explicit(&metric->value, (uint64_t)by, memory_order_relaxed);
}

static double bits_to_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static uint64_t double_to_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

void metrics_observe(struct metric *metric, double value)
{
	uint64_t before = atomic_load_explicit(&metric->sum, memory_order_relaxed);
	size_t at = 0;

	while (at < metric->bound_count && value > metric->bounds[at])
		at++;
	atomic_fetch_add_explicit(&metric->buckets[at], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->value, 1, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&metric->sum, &before, double_to_bits(bits_to_double(before) + value),
		memory_order_relaxed, memory_order_relaxed))
		;
}

void metrics_observe_ns(struct metric *metric, uint64_t nanoseconds)
{
	metrics_observe(metric, (double)nanoseconds / 1e9);
}

uint64_t metrics_value(const struct metric *metric)
{
	return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* Backslash, quote and newline, as the text format wants them in label values. */
void metrics_label(struct cox_buf *labels, const char *key, const char *value)
{
	cox_buf_printf(labels, "%s%s=\"", labels->size ? "," : "", key);
	for (; *value; value++) {
		if (*value == '\n')
			cox_buf_str(labels, "\\n");
		else if (*value == '"' || *value == '\\')
			cox_buf_printf(labels, "\\%c", *value);
		else
			cox_buf_char(labels, *value);
	}
	cox_buf_char(labels, '"');
}

static void write_series(const struct family *family, const struct metric *metric,
			 struct cox_buf *out)
{
	const char *open = metric->labels[0] ? "{" : "", *close = metric->labels[0] ? "}" : "";
	const char *comma = metric->labels[0] ? "," : "";
	uint64_t below = 0;

	if (family->type == COUNTER) {
		cox_buf_printf(out, "%s%s%s%s %" PRIu64 "\n", family->name, open, metric->labels,
			       close, metrics_value(metric));
		return;
	}
	if (family->type == GAUGE) {
		cox_buf_printf(out, "%s%s%s%s %" PRId64 "\n", family->name, open, metric->labels,
			       close, (int64_t)metrics_value(metric));
		return;
	}
	for (size_t i = 0; i <= metric->bound_count; i++) {
		below += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
		cox_buf_printf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels, comma);
		if (i < metric->bound_count)
			cox_buf_printf(out, "%g", metric->bounds[i]);
		else
			cox_buf_str(out, "+Inf");
		cox_buf_printf(out, "\"} %" PRIu64 "\n", below);
	}
	cox_buf_printf(out, "%s_sum%s%s%s %.9g\n", family->name, open, metric->labels, close,
		       bits_to_double(atomic_load_explicit(&metric->sum, memory_order_relaxed)));
	/* The buckets' own sum, so that the two agree while others observe. */
	cox_buf_printf(out, "%s_count%s%s%s %" PRIu64 "\n", family->name, open, metric->labels,
		       close, below);
}

void metrics_write(struct cox_buf *out)
{
	static const char *const names[] = {"counter", "gauge", "histogram"};

	cox_lock_scope(&metrics.lock);
	for (size_t i = 0; i < metrics.families.count; i++) {
		const struct family *family = metrics.families.items[i];

		cox_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
			       family->name, names[family->type]);
		for (size_t k = 0; k < family->series.count; k++)
			write_series(family, family->series.items[k], out);
	}
	cox_buf_printf(out,
		       "# HELP coxswain_metrics_refused_total Series that there was no room for.\n"
		       "# TYPE coxswain_metrics_refused_total counter\n"
		       "coxswain_metrics_refused_total %" PRIu64 "\n",
		       atomic_load_explicit(&metrics.refused, memory_order_relaxed));
}
