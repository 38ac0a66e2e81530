/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what makes pods and keeps them: apps, batch, autoscaling, policy. */
#include "apiserver/printers.h"

#include "base/clock.h"

#include <coxswain/kit/text.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* Containers, images and selector: what most of them show when asked for more. */
static void print_template(struct table_row *row, const char *template, const char *selector)
{
	print_containers(row, value_path(row->object, template));
	print_selector(row, value_path(row->object, selector));
}

void print_replica_set(struct table_row *row)
{
	const struct value *status = value_get(row->object, "status");

	print_name(row);
	cell_int(row, value_get_int(value_get(row->object, "spec"), "replicas", 0));
	cell_int(row, value_get_int(status, "replicas", 0));
	cell_int(row, value_get_int(status, "readyReplicas", 0));
	print_created(row);
	print_template(row, "spec.template.spec", "spec.selector");
}

/* "1/3": how many of how many are ready. */
static void print_ready(struct table_row *row)
{
	cell_printf(row, "%" PRId64 "/%" PRId64,
		    value_get_int(value_get(row->object, "status"), "readyReplicas", 0),
		    value_get_int(value_get(row->object, "spec"), "replicas", 0));
}

void print_deployment(struct table_row *row)
{
	const struct value *status = value_get(row->object, "status");

	print_name(row);
	print_ready(row);
	cell_int(row, value_get_int(status, "updatedReplicas", 0));
	cell_int(row, value_get_int(status, "availableReplicas", 0));
	print_created(row);
	print_template(row, "spec.template.spec", "spec.selector");
}

void print_stateful_set(struct table_row *row)
{
	print_name(row);
	print_ready(row);
	print_created(row);
	print_containers(row, value_path(row->object, "spec.template.spec"));
}

void print_daemon_set(struct table_row *row)
{
	static const char *const counts[] = {"desiredNumberScheduled", "currentNumberScheduled",
					     "numberReady", "updatedNumberScheduled",
					     "numberAvailable"};
	const struct value *status = value_get(row->object, "status");

	print_name(row);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		cell_int(row, value_get_int(status, counts[i], 0));
	print_labels(row, value_path(row->object, "spec.template.spec.nodeSelector"));
	print_created(row);
	print_template(row, "spec.template.spec", "spec.selector");
}

/* "statefulset.apps/web" */
static void print_controller(struct table_row *row)
{
	const struct value *owners = value_path(row->object, "metadata.ownerReferences");
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; value_at(owners, i); i++) {
		const struct value *owner = value_at(owners, i);
		const char *group = value_get_text(owner, "apiVersion");
		const char *slash = strchr(group, '/');

		if (!value_get_bool(owner, "controller"))
			continue;
		for (const char *c = value_get_text(owner, "kind"); *c; c++)
			cox_buf_char(&text, (char)tolower((unsigned char)*c));
		if (slash)
			cox_buf_printf(&text, ".%.*s", (int)(slash - group), group);
		cox_buf_printf(&text, "/%s", value_get_text(owner, "name"));
		break;
	}
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

void print_controller_revision(struct table_row *row)
{
	print_name(row);
	print_controller(row);
	cell_int(row, value_get_int(row->object, "revision", 0));
	print_created(row);
}

/* Batch */

static const char *job_state(const struct value *job)
{
	static const char *const ends[] = {"Complete", "Failed"};
	static const char *const ways[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (print_condition_holds(job, ends[i]))
			return ends[i];
	if (*value_text(value_path(job, "metadata.deletionTimestamp")))
		return "Terminating";
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (print_condition_holds(job, ways[i]))
			return ways[i];
	return "Running";
}

static void print_completions(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	int64_t done = value_get_int(value_get(row->object, "status"), "succeeded", 0);
	int64_t wanted = value_get_int(spec, "completions", -1);
	int64_t together = value_get_int(spec, "parallelism", 0);

	if (wanted >= 0)
		cell_printf(row, "%" PRId64 "/%" PRId64, done, wanted);
	else if (together > 1)
		cell_printf(row, "%" PRId64 "/1 of %" PRId64, done, together);
	else
		cell_printf(row, "%" PRId64 "/1", done);
}

/* How long it took, or takes until now; nothing before it began. */
static void print_duration(struct table_row *row)
{
	const char *began = value_text(value_path(row->object, "status.startTime"));
	const char *ended = value_text(value_path(row->object, "status.completionTime"));
	uint64_t from, to = row->now;
	char text[16] = "";

	if (clock_parse(began, strlen(began), &from) == 0 &&
	    (!*ended || clock_parse(ended, strlen(ended), &to) == 0))
		table_age(to > from ? to - from : 0, text);
	cell_text(row, text);
}

void print_job(struct table_row *row)
{
	print_name(row);
	cell_text(row, job_state(row->object));
	print_completions(row);
	print_duration(row);
	print_created(row);
	print_template(row, "spec.template.spec", "spec.selector");
}

void print_cron_job(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *status = value_get(row->object, "status");
	const struct value *suspend = value_get(spec, "suspend");
	const struct value *active = value_get(status, "active");
	const char *last = value_get_text(status, "lastScheduleTime");

	print_name(row);
	cell_text(row, value_get_text(spec, "schedule"));
	print_text_or(row, value_get_text(spec, "timeZone"), "<none>");
	cell_text(row, !suspend ? "<unset>" : suspend->boolean ? "True" : "False");
	cell_int(row, value_is(active, VALUE_ARRAY) ? active->count : 0);
	if (*last)
		cell_age(row, last);
	else
		cell_text(row, "<none>");
	print_created(row);
	print_template(row, "spec.jobTemplate.spec.template.spec",
		       "spec.jobTemplate.spec.selector");
}

/* Policy */

static void print_bound(struct table_row *row, const char *field)
{
	const struct value *bound = value_get(value_get(row->object, "spec"), field);

	if (value_is(bound, VALUE_INT))
		cell_printf(row, "%" PRId64, bound->integer);
	else
		print_text_or(row, value_text(bound), "N/A");
}

void print_disruption_budget(struct table_row *row)
{
	print_name(row);
	print_bound(row, "minAvailable");
	print_bound(row, "maxUnavailable");
	cell_int(row, value_get_int(value_get(row->object, "status"), "disruptionsAllowed", 0));
	print_created(row);
}

/* Autoscaling */

enum { METRICS_SHOWN_MAX = 2 };

/* The member of a metric that its type names: "Pods" is in "pods". */
static const struct value *metric_part(const struct value *metric, const char *type)
{
	char name[32];

	if (strlen(type) >= sizeof(name))
		return NULL;
	memcpy(name, type, strlen(type) + 1);
	name[0] = (char)tolower((unsigned char)name[0]);
	return value_get(metric, name);
}

static void metric_amount(struct cox_buf *out, const struct value *amounts, const char *field)
{
	const struct value *amount = value_get(amounts, field);

	if (value_is(amount, VALUE_INT))
		cox_buf_printf(out, "%" PRId64 "%%", amount->integer);
	else
		cox_buf_str(out, *value_text(amount) ? value_text(amount) : "<unknown>");
}

/* "cpu: 10%/80%" or "3/5 (avg)": what is, and what is wanted. */
static void print_metric(struct cox_buf *out, const struct value *metric, const struct value *now)
{
	const char *type = value_get_text(metric, "type");
	const struct value *wanted = metric_part(metric, type);
	const struct value *target = value_get(wanted, "target");
	const struct value *current = value_get(metric_part(now, type), "current");
	bool of_resource = strcmp(type, "Resource") == 0 || strcmp(type, "ContainerResource") == 0;
	bool average = value_get(target, "averageValue") != NULL;
	const char *field = average ? "averageValue" : of_resource ? "averageUtilization" : "value";

	if (of_resource)
		cox_buf_printf(out, "%s: ", value_get_text(wanted, "name"));
	metric_amount(out, current, field);
	cox_buf_char(out, '/');
	if (of_resource && !value_get(target, field))
		cox_buf_str(out, "<auto>");
	else
		metric_amount(out, target, field);
	if (average && !of_resource && strcmp(type, "Pods") != 0)
		cox_buf_str(out, " (avg)");
}

static void print_metrics(struct table_row *row)
{
	const struct value *metrics = value_path(row->object, "spec.metrics");
	const struct value *now = value_path(row->object, "status.currentMetrics");
	cox_autobuf text = COX_BUF_INIT;
	size_t count = 0;

	for (; value_at(metrics, count); count++) {
		if (count >= METRICS_SHOWN_MAX)
			continue;
		if (count)
			cox_buf_str(&text, ", ");
		print_metric(&text, value_at(metrics, count), value_at(now, count));
	}
	if (count > METRICS_SHOWN_MAX)
		cox_buf_printf(&text, " + %zu more...", count - METRICS_SHOWN_MAX);
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

void print_autoscaler(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *target = value_get(spec, "scaleTargetRef");
	const struct value *least = value_get(spec, "minReplicas");

	print_name(row);
	cell_printf(row, "%s/%s", value_get_text(target, "kind"), value_get_text(target, "name"));
	print_metrics(row);
	if (value_is(least, VALUE_INT))
		cell_printf(row, "%" PRId64, least->integer);
	else
		cell_text(row, "<unset>");
	cell_int(row, value_get_int(spec, "maxReplicas", 0));
	cell_int(row, value_get_int(value_get(row->object, "status"), "currentReplicas", 0));
	print_created(row);
}
