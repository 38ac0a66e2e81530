/* SPDX-License-Identifier: Apache-2.0 */
/* Counting requests; see the header. */
#include "apiserver/measure.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <stdio.h>

/* What is not about a resource. */
static struct measures other_measures;

static unsigned slot_of(unsigned code)
{
	static const unsigned short codes[MEASURE_CODES - 1] = {
		200, 201, 304, 400, 401, 403, 404, 405, 406, 409, 410, 413, 422, 429, 503};

	for (unsigned i = 0; i < MEASURE_CODES - 1; i++)
		if (codes[i] == code)
			return i;
	return MEASURE_CODES - 1;
}

static void add_labels(const struct api_call *call, struct cox_buf *labels)
{
	const struct api_resource *resource = call->resource;
	char verb[20];
	const char *name = route_verb_name(call->verb);
	size_t i = 0;

	for (; name[i] && i + 1 < sizeof(verb); i++)
		verb[i] = (char)(name[i] - 32);
	verb[i] = '\0';
	metrics_label(labels, "component", "apiserver");
	metrics_label(labels, "group", resource ? resource->group : "");
	metrics_label(labels, "version", resource ? resource->version : "");
	metrics_label(labels, "resource", resource ? resource->name : "");
	metrics_label(labels, "verb", verb);
}

static struct metric *count_series(const struct api_call *call, unsigned code)
{
	cox_autobuf labels = COX_BUF_INIT;
	char text[8];

	add_labels(call, &labels);
	/* The last slot is shared by codes that are rare. */
	snprintf(text, sizeof(text), "%u", slot_of(code) < MEASURE_CODES - 1 ? code : 500);
	metrics_label(&labels, "code", text);
	return metrics_counter("apiserver_request_total", "Requests that were answered.",
			       cox_buf_cstr(&labels));
}

static struct metric *time_series(const struct api_call *call)
{
	cox_autobuf labels = COX_BUF_INIT;

	add_labels(call, &labels);
	return metrics_histogram("apiserver_request_duration_seconds",
				 "Time from a request's head to its answer.",
				 cox_buf_cstr(&labels), metrics_latency_bounds,
				 metrics_latency_bound_count);
}

void measure_request(const struct api_call *call, unsigned code)
{
	struct measures *measures = call->resource ? call->resource->measures : &other_measures;
	_Atomic(struct metric *) *count = &measures->requests[call->verb][slot_of(code)];
	_Atomic(struct metric *) *seconds = &measures->seconds[call->verb];

	/* Two that make the same series at once get the same one. */
	if (!atomic_load_explicit(count, memory_order_acquire))
		atomic_store_explicit(count, count_series(call, code), memory_order_release);
	metrics_add(atomic_load_explicit(count, memory_order_acquire), 1);
	if (call->verb == VERB_WATCH)
		return;
	if (!atomic_load_explicit(seconds, memory_order_acquire))
		atomic_store_explicit(seconds, time_series(call), memory_order_release);
	metrics_observe_ns(atomic_load_explicit(seconds, memory_order_acquire),
			   clock_monotonic() - call->began);
}
