/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host table: what a plugin may ask of us. `context` is the instance, so
 * that log lines, metrics and processes are known to be its own.
 */
#include "host/internal.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/spawn.h"

#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SERIES_MAX = 256 };

static void table_log_text(const struct host_plugin *plugin, int level, const char *format,
			   va_list args) COX_PRINTF(3, 0);

static void table_log_text(const struct host_plugin *plugin, int level, const char *format,
			   va_list args)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_vprintf(&text, format, args);
	if (level != COX_LOG_WARNING && level != COX_LOG_ERROR)
		level = COX_LOG_INFO;
	log_line(level, __FILE__, __LINE__, "%s: %s", plugin->label, cox_buf_cstr(&text));
}

static void table_log(void *context, int level, const char *format, ...) COX_PRINTF(3, 4);

static void table_log(void *context, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	table_log_text(context, level, format, args);
	va_end(args);
}

static void table_log_at(void *context, int level, const char *file, int line, const char *format,
			 ...) COX_PRINTF(5, 6);

static void table_log_at(void *context, int level, const char *file, int line, const char *format,
			 ...)
{
	va_list args;

	(void)context;
	va_start(args, format);
	log_vline(level, file, line, format, args);
	va_end(args);
}

static void table_log_verbose(void *context, int verbosity, const char *format, ...)
	COX_PRINTF(3, 4);

static void table_log_verbose(void *context, int verbosity, const char *format, ...)
{
	va_list args;

	if (atomic_load_explicit(&log_verbosity, memory_order_relaxed) < verbosity)
		return;
	va_start(args, format);
	table_log_text(context, COX_LOG_INFO, format, args);
	va_end(args);
}

static int table_fail(struct cox_error *err, enum cox_reason reason, const char *format, ...)
	COX_PRINTF(3, 4);

static int table_fail(struct cox_error *err, enum cox_reason reason, const char *format, ...)
{
	va_list args;

	/* A failure without a reason would look like success to the caller. */
	if (reason == COX_REASON_NONE)
		reason = COX_REASON_INTERNAL_ERROR;
	va_start(args, format);
	error_vset(err, reason, format, args);
	va_end(args);
	return -1;
}

static void table_fail_field(struct cox_error *err, const char *path)
{
	if (err)
		error_add_cause(err, "FieldValueInvalid", path, "%s", error_text(err));
}

static void table_fail_retry_after(struct cox_error *err, uint32_t seconds)
{
	if (err)
		err->retry_after = seconds;
}

static void table_fail_about(struct cox_error *err, const char *group, const char *resource,
			     const char *name)
{
	if (err)
		error_set_details(err, group, resource, name);
}

static void table_fail_cause(struct cox_error *err, const char *reason, const char *field,
			     const char *format, ...) COX_PRINTF(4, 5);

static void table_fail_cause(struct cox_error *err, const char *reason, const char *field,
			     const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	error_add_cause(err, reason, field, "%s", cox_buf_cstr(&text));
}

static void table_dump(struct cox_dump *out, const char *key, const char *format, ...)
	COX_PRINTF(3, 4);

static void table_dump(struct cox_dump *out, const char *key, const char *format, ...)
{
	cox_autobuf value = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&value, format, args);
	va_end(args);
	for (size_t i = 0; i < value.size; i++)
		if (value.data[i] == '\n')
			value.data[i] = ' ';
	cox_buf_printf(out->out, "%s=%s\n", key, cox_buf_cstr(&value));
}

static int table_cancelled(const struct cox_call *call)
{
	if (!call)
		return 0;
	if (call->cancel && cancel_requested(call->cancel))
		return 1;
	return call->deadline_ns && clock_monotonic() >= call->deadline_ns;
}

static void table_random(void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t got = getrandom(at, size < 256 ? size : 256, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* the kernel is older than getrandom */
		at += got;
		size -= (size_t)got;
	}
}

/* The series of `what`, found by its text and made at its first use. */
static struct metric *find_series(struct host_plugin *plugin, const char *what, bool gauge)
{
	cox_autobuf name = COX_BUF_INIT, labels = COX_BUF_INIT;
	struct metric *metric;

	cox_lock_scope(&plugin->series_lock);
	for (size_t i = 0; i < plugin->series.count; i++)
		if (plugin->series.items[i].gauge == gauge &&
		    strcmp(plugin->series.items[i].what, what) == 0)
			return plugin->series.items[i].metric;
	if (plugin->series.count == SERIES_MAX)
		return NULL;
	cox_buf_printf(&name, "coxswain_plugin_%s", what);
	metrics_label(&labels, "kind", host_kind(plugin));
	metrics_label(&labels, "name", host_name(plugin));
	metric = gauge ? metrics_gauge(cox_buf_cstr(&name), "Told by the plugin.",
				       cox_buf_cstr(&labels))
		       : metrics_counter(cox_buf_cstr(&name), "Counted by the plugin.",
					 cox_buf_cstr(&labels));
	cox_vec_push(&plugin->series, (struct series){what, gauge, metric});
	return metric;
}

static void table_count(void *context, const char *what, uint64_t add)
{
	struct metric *metric = find_series(context, what, false);

	if (metric)
		metrics_add(metric, add);
}

static void table_gauge(void *context, const char *what, int64_t value)
{
	struct metric *metric = find_series(context, what, true);

	if (metric)
		metrics_set(metric, value);
}

static int table_spawn(void *context, const struct cox_spawn *what, int *pidfd, int32_t *pid,
		       struct cox_error *err)
{
	(void)context;
	return spawn_process(what, pidfd, pid, err);
}

void table_fill(struct host_plugin *plugin)
{
	plugin->table = (struct cox_host){
		.struct_size = sizeof(struct cox_host),
		.abi = COX_PLUGIN_ABI,
		.program = plugin->host->program,
		.context = plugin,
		.log = table_log,
		.log_verbose = table_log_verbose,
		.fail = table_fail,
		.fail_field = table_fail_field,
		.fail_retry_after = table_fail_retry_after,
		.dump = table_dump,
		.monotonic_ns = clock_monotonic,
		.realtime_ns = clock_realtime,
		.cancelled = table_cancelled,
		.random = table_random,
		.count = table_count,
		.gauge = table_gauge,
		.spawn = table_spawn,
		.log_at = table_log_at,
		.fail_about = table_fail_about,
		.fail_cause = table_fail_cause,
	};
}
