/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: what counts as success and failure, and how little changes once they run. */
#include "machinery/kinds.h"
#include "machinery/selector.h"

#include <coxswain/kit/map.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	PARALLELISM_MAX = 100000,
	COMPLETIONS_MANY = 100000, /* from here on failures must be bounded */
	PARALLELISM_OF_MANY = 10000,
	FAILED_OF_MANY = 10000,
	RULES_MAX = 20,
	EXIT_CODES_MAX = 255,
	INDEXES_BYTES_MAX = 65536
};

static bool is_indexed(const struct value *spec)
{
	return text_is(spec, "completionMode", "Indexed");
}

/* Limits that only make sense where each index is counted by itself. */
static void validate_indexed(struct validation *v, const struct field_path *at,
			     const struct value *spec)
{
	const struct value *completions = value_get(spec, "completions");
	const struct value *parallelism = value_get(spec, "parallelism");
	const struct value *failed = value_get(spec, "maxFailedIndexes");
	int64_t wanted = value_get_int(spec, "completions", 0);

	if (!completions) {
		field_required(v, FIELD(at, "completions"), "when completion mode is Indexed");
		return;
	}
	if (value_get_int(spec, "parallelism", 0) > PARALLELISM_MAX)
		field_invalid(v, FIELD(at, "parallelism"), parallelism,
			      "must be less than or equal to %d when completion mode is Indexed",
			      PARALLELISM_MAX);
	if (failed && failed->integer > wanted)
		field_invalid(v, FIELD(at, "maxFailedIndexes"), failed,
			      "must be less than or equal to completions");
	if (wanted <= COMPLETIONS_MANY || !value_get(spec, "backoffLimitPerIndex"))
		return;
	if (!failed)
		field_required(v, FIELD(at, "maxFailedIndexes"),
			       "must be specified when completions is above 100000");
	else if (failed->integer > FAILED_OF_MANY)
		field_invalid(v, FIELD(at, "maxFailedIndexes"), failed,
			      "must be less than or equal to %d when completions are above %d and "
			      "used with backoff limit per index",
			      FAILED_OF_MANY, COMPLETIONS_MANY);
	if (value_get_int(spec, "parallelism", 0) > PARALLELISM_OF_MANY)
		field_invalid(v, FIELD(at, "parallelism"), parallelism,
			      "must be less than or equal to %d when completions are above %d and "
			      "used with backoff limit per index",
			      PARALLELISM_OF_MANY, COMPLETIONS_MANY);
}

static void validate_counting(struct validation *v, const struct field_path *at,
			      const struct value *spec)
{
	static const char *const needing[] = {"backoffLimitPerIndex", "maxFailedIndexes"};

	if (value_get(spec, "maxFailedIndexes") && !value_get(spec, "backoffLimitPerIndex"))
		field_required(v, FIELD(at, "backoffLimitPerIndex"),
			       "when maxFailedIndexes is specified");
	if (is_indexed(spec)) {
		validate_indexed(v, at, spec);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		const struct value *value = value_get(spec, needing[i]);

		if (value)
			field_invalid(v, FIELD(at, needing[i]), value,
				      "requires indexed completion mode");
	}
}

static void validate_exit_values(struct validation *v, const struct field_path *at,
				 const struct value *values, bool in)
{
	bool ordered = true;

	if (value_is(values, VALUE_ARRAY) && values->count > EXIT_CODES_MAX)
		field_too_many(v, at, values->count, EXIT_CODES_MAX);
	for
		each_entry(values, i)
		{
			const struct value *code = value_at(values, i);

			if (in && code->integer == 0)
				field_invalid(v, FIELD_INDEX(at, i), code,
					      "must not be 0 for the In operator");
			if (i > 0 && code->integer == value_at(values, i - 1)->integer)
				field_duplicate(v, FIELD_INDEX(at, i), code);
			else if (i > 0 && code->integer < value_at(values, i - 1)->integer)
				ordered = false;
		}
	if (!ordered)
		field_invalid(v, at, values, "must be ordered");
}

static bool has_container(const struct value *template, const struct value *name)
{
	static const char *const lists[] = {"containers", "initContainers"};

	for (size_t l = 0; l < 2; l++) {
		const struct value *list = value_get(value_get(template, "spec"), lists[l]);

		for
			each_entry(list, i)
			{
				if (values_same(value_get(value_at(list, i), "name"), name))
					return true;
			}
	}
	return false;
}

static void validate_pod_conditions(struct validation *v, const struct field_path *at,
				    const struct value *patterns)
{
	static const char *const states[] = {"False", "True", "Unknown", NULL};

	if (value_is(patterns, VALUE_ARRAY) && patterns->count > RULES_MAX)
		field_too_many(v, at, patterns->count, RULES_MAX);
	for
		each_entry(patterns, i)
		{
			const struct value *status = value_get(value_at(patterns, i), "status");
			bool known = false;

			validate_text(v, FIELD(FIELD_INDEX(at, i), "type"),
				      value_get(value_at(patterns, i), "type"), names_qualified);
			for (size_t s = 0; states[s]; s++)
				known = known || value_string_is(status, states[s]);
			if (!known)
				field_not_supported(v, FIELD(FIELD_INDEX(at, i), "status"), status,
						    states);
		}
}

static void validate_failure_rule(struct validation *v, const struct field_path *at,
				  const struct value *rule, const struct value *spec)
{
	const struct value *codes = value_get(rule, "onExitCodes");
	const struct value *conditions = value_get(rule, "onPodConditions");
	const struct value *container = value_get(codes, "containerName");
	const struct field_path *code_at = FIELD(at, "onExitCodes");

	if (text_is(rule, "action", "FailIndex") && !value_get(spec, "backoffLimitPerIndex"))
		field_invalid(v, FIELD(at, "action"), value_get(rule, "action"),
			      "requires the backoffLimitPerIndex to be set");
	if (codes && !is_unset(conditions))
		field_wrong(v, at,
			    "specifying both OnExitCodes and OnPodConditions is not supported");
	else if (!codes && is_unset(conditions))
		field_wrong(v, at, "specifying one of OnExitCodes and OnPodConditions is required");
	if (container && !has_container(value_get(spec, "template"), container))
		field_invalid(v, FIELD(code_at, "containerName"), container,
			      "must be one of the container or initContainer names in the pod "
			      "template");
	validate_exit_values(v, FIELD(code_at, "values"), value_get(codes, "values"),
			     text_is(codes, "operator", "In"));
	validate_pod_conditions(v, FIELD(at, "onPodConditions"), conditions);
}

static void validate_failure_policy(struct validation *v, const struct field_path *at,
				    const struct value *spec)
{
	const struct value *rules = value_path(spec, "podFailurePolicy.rules");
	const struct field_path *list = FIELD(FIELD(at, "podFailurePolicy"), "rules");

	if (value_is(rules, VALUE_ARRAY) && rules->count > RULES_MAX)
		field_too_many(v, list, rules->count, RULES_MAX);
	for
		each_entry(rules, i)
			validate_failure_rule(v, FIELD_INDEX(list, i), value_at(rules, i), spec);
}

/* How many indexes "1,3-5" names, in rising order; or what is wrong with it. */
static const char *count_indexes(struct validation *v, const char *text, int64_t completions,
				 int64_t *count)
{
	int64_t last = -1;

	for (const char *at = text; *at;) {
		char *end;
		int64_t from, to;

		if (*at < '0' || *at > '9')
			goto wrong;
		from = to = strtoll(at, &end, 10);
		if (*end == '-') {
			at = end + 1;
			if (*at < '0' || *at > '9')
				goto wrong;
			to = strtoll(at, &end, 10);
		}
		if (*end && *end != ',')
			goto wrong;
		if (from >= completions || to >= completions)
			return arena_printf(v->arena, "too large index: \"%" PRId64 "\"",
					    from >= completions ? from : to);
		if (from <= last || (to < from))
			return arena_printf(v->arena,
					    "non-increasing order, previous: %" PRId64
					    ", current: %" PRId64,
					    from <= last ? last : from, from <= last ? from : to);
		*count += to - from + 1;
		last = to;
		at = end + (*end == ',');
		if (*end && !*at)
			goto wrong;
	}
	return NULL;
wrong:
	return arena_printf(v->arena, "cannot convert string to integer for index: \"%s\"", text);
}

static void validate_success_rule(struct validation *v, const struct field_path *at,
				  const struct value *rule, int64_t completions)
{
	const struct value *count = value_get(rule, "succeededCount");
	const struct value *indexes = value_get(rule, "succeededIndexes");
	int64_t named = 0;
	const char *why;

	if (!count && !indexes)
		field_required(v, at,
			       "at least one of succeededCount or succeededIndexes must be "
			       "specified");
	if (indexes && indexes->count > INDEXES_BYTES_MAX) {
		field_too_long(v, FIELD(at, "succeededIndexes"), INDEXES_BYTES_MAX);
	} else if (indexes) {
		why = count_indexes(v, value_text(indexes), completions, &named);
		if (why)
			field_invalid(v, FIELD(at, "succeededIndexes"), indexes,
				      "error parsing succeededIndexes: %s", why);
	}
	if (count && count->integer > completions)
		field_invalid(v, FIELD(at, "succeededCount"), count,
			      "must be less than or equal to %" PRId64
			      " (the number of specified completions)",
			      completions);
	else if (count && indexes && count->integer > named)
		field_invalid(v, FIELD(at, "succeededCount"), count,
			      "must be less than or equal to %" PRId64
			      " (the number of indexes in the specified succeededIndexes field)",
			      named);
}

static void validate_success_policy(struct validation *v, const struct field_path *at,
				    const struct value *spec)
{
	const struct value *policy = value_get(spec, "successPolicy");
	const struct value *rules = value_get(policy, "rules");
	const struct field_path *list = FIELD(FIELD(at, "successPolicy"), "rules");

	if (!value_is(policy, VALUE_OBJECT))
		return;
	if (!is_indexed(spec)) {
		field_invalid(v, FIELD(at, "successPolicy"), policy,
			      "requires indexed completion mode");
		return;
	}
	if (value_is(rules, VALUE_ARRAY) && rules->count > RULES_MAX)
		field_too_many(v, list, rules->count, RULES_MAX);
	for
		each_entry(rules, i)
			validate_success_rule(v, FIELD_INDEX(list, i), value_at(rules, i),
					      value_get_int(spec, "completions", 0));
}

void validate_job_spec(struct validation *v, const struct field_path *at, const struct value *spec)
{
	static const char *const known[] = {"Never", "OnFailure", NULL};
	const struct value *manager = value_get(spec, "managedBy");
	const struct value *template = value_get(spec, "template");
	const struct value *restart = value_path(template, "spec.restartPolicy");
	const struct field_path *restart_at =
		FIELD(FIELD(FIELD(at, "template"), "spec"), "restartPolicy");

	validate_counting(v, at, spec);
	if (manager)
		validate_domain_path(v, FIELD(at, "managedBy"), manager);
	if (manager && manager->count > NAMES_LABEL_MAX)
		field_too_long(v, FIELD(at, "managedBy"), NAMES_LABEL_MAX);
	validate_failure_policy(v, at, spec);
	validate_success_policy(v, at, spec);
	if (value_get(spec, "podFailurePolicy") &&
	    text_is(spec, "podReplacementPolicy", "TerminatingOrFailed"))
		field_not_supported(v, FIELD(at, "podReplacementPolicy"),
				    value_get(spec, "podReplacementPolicy"),
				    (const char *const[]){"Failed", NULL});
	validate_pod_template(v, FIELD(at, "template"), template);
	if (is_unset(restart) || value_string_is(restart, "Always"))
		field_required(v, restart_at, "valid values: \"OnFailure\", \"Never\"");
	else if (!value_string_is(restart, "Never") && !value_string_is(restart, "OnFailure"))
		field_not_supported(v, restart_at, restart, known);
	else if (value_get(spec, "podFailurePolicy") && !value_string_is(restart, "Never"))
		field_invalid(v, restart_at, restart,
			      "only \"Never\" is supported when podFailurePolicy is specified");
}

/* The name of each pod of an indexed job must do as its host name. */
static void validate_pod_names(struct validation *v, const struct value *job)
{
	const struct value *name = value_path(job, "metadata.name");
	const struct value *spec = value_get(job, "spec");
	struct names_problems problems = {.count = 0};
	const char *last;

	if (!v->creating || !is_indexed(spec) || value_get_int(spec, "completions", 0) <= 0)
		return;
	last = arena_printf(v->arena, "%s-%" PRId64, value_text(name),
			    value_get_int(spec, "completions", 0) - 1);
	names_dns_label(last, strlen(last), &problems);
	for (size_t i = 0; i < problems.count; i++)
		field_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), name,
			      "will not able to create pod with invalid DNS label: %s", last);
}

static void validate_job_selector(struct validation *v, const struct value *job)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(job, "spec");
	const struct value *selector = value_get(spec, "selector");
	const struct value *labels = value_path(spec, "template.metadata.labels");
	static const struct value nothing = {.kind = VALUE_OBJECT};
	struct label_selector *parsed;

	if (!value_is(selector, VALUE_OBJECT)) {
		field_required(v, FIELD(at, "selector"), "");
		return;
	}
	validate_label_selector(v, FIELD(at, "selector"), selector);
	parsed = label_selector_from_object(selector, NULL);
	if (parsed && !label_selector_matches_tree(parsed, labels))
		field_invalid(v, FIELD(FIELD(FIELD(at, "template"), "metadata"), "labels"),
			      labels ? labels : &nothing,
			      "`selector` does not match template `labels`");
	free(parsed);
	/* A selector that is not one's own chooses by the job's uid. */
	if (!value_get_bool(spec, "manualSelector") &&
	    !value_get(value_get(selector, "matchLabels"), "batch.kubernetes.io/controller-uid") &&
	    !value_get(value_get(selector, "matchLabels"), "controller-uid"))
		field_invalid(v, FIELD(at, "selector"), selector, "`selector` not auto-generated");
}

static void validate_job(struct validation *v, const struct value *job)
{
	validate_job_selector(v, job);
	validate_job_spec(v, FIELD(NULL, "spec"), value_get(job, "spec"));
	validate_pod_names(v, job);
}

static void validate_completions(struct validation *v, const struct value *spec,
				 const struct value *old)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "completions");
	const struct value *now = value_get(spec, "completions");

	if (!is_indexed(spec))
		validate_same(v, at, now, value_get(old, "completions"));
	else if (now && !values_same(now, value_get(old, "completions")) &&
		 !values_same(now, value_get(spec, "parallelism")))
		field_invalid(v, at, now, "can only be modified in tandem with spec.parallelism");
}

/* While a job waits it may still be said where its pods go. */
static void validate_job_template(struct validation *v, const struct value *spec,
				  const struct value *old, bool waits)
{
	static const char *const placing[] = {"nodeSelector", "affinity", "tolerations",
					      "schedulingGates"};
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "template");
	struct value *now = value_copy(v->arena, value_get(spec, "template"));
	const struct value *before = value_get(old, "template");
	struct value *pod = value_get(now, "spec");
	static const char *const meta[] = {"labels", "annotations"};

	for (size_t i = 0; waits && pod && i < sizeof(placing) / sizeof(*placing); i++) {
		struct value *was = value_get(value_get(before, "spec"), placing[i]);

		if (was)
			value_set(v->arena, pod, placing[i], was);
		else
			value_remove(pod, placing[i]);
	}
	for (size_t i = 0; waits && now && i < 2; i++) {
		struct value *was = value_get(value_get(before, "metadata"), meta[i]);

		if (was)
			value_set(v->arena, value_make_object(v->arena, now, "metadata"), meta[i],
				  was);
		else if (value_get(now, "metadata"))
			value_remove(value_get(now, "metadata"), meta[i]);
	}
	if (!values_same(now, before))
		field_invalid(v, at, value_get(spec, "template"), "field is immutable");
}

static void validate_job_update(struct validation *v, const struct value *job,
				const struct value *old, const char *subresource)
{
	const struct value *spec = value_get(job, "spec"), *before = value_get(old, "spec");

	static const char *const settled[] = {"podFailurePolicy",     "successPolicy",
					      "backoffLimitPerIndex", "selector",
					      "completionMode",	      "managedBy"};

	if (strcmp(subresource, "status") == 0)
		return;
	for (size_t i = 0; i < sizeof(settled) / sizeof(*settled); i++)
		validate_same(v, FIELD(FIELD(NULL, "spec"), settled[i]),
			      value_get(spec, settled[i]), value_get(before, settled[i]));
	validate_completions(v, spec, before);
	validate_job_template(v, spec, before,
			      value_get_bool(before, "suspend") &&
				      !value_path(old, "status.startTime"));
}

const struct kind_rules rules_jobs = {"batch", "jobs", validate_job, validate_job_update};
