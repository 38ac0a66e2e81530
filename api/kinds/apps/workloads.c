/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps pods running: replica sets, deployments, daemon sets, stateful
 * sets, and what replication controllers share with them.
 */
#include "machinery/kinds.h"
#include "machinery/selector.h"

#include <stdlib.h>

static bool selects(const struct value *selector, const struct value *labels, bool structured)
{
	struct label_selector *parsed = structured ? label_selector_from_object(selector, NULL)
						   : label_selector_from_map(selector, NULL);
	/* A selector that is none has been complained of already. */
	bool result = !parsed || label_selector_matches_tree(parsed, labels);

	free(parsed);
	return result;
}

void validate_lasting_template(struct validation *v, const struct field_path *at,
			       const struct value *template, const struct value *selector,
			       bool structured, const char *kind)
{
	static const char *const policies[] = {"Always", NULL};
	static const struct value nothing = {.kind = VALUE_OBJECT};
	const struct value *labels = value_path(template, "metadata.labels");
	const struct value *spec = value_get(template, "spec");
	const struct value *policy = value_get(spec, "restartPolicy");

	if (!is_unset(selector) && !selects(selector, labels, structured))
		field_invalid(v, FIELD(FIELD(at, "metadata"), "labels"), labels ? labels : &nothing,
			      "`selector` does not match template `labels`");
	validate_pod_template(v, at, template);
	if (!is_unset(policy) && !value_string_is(policy, "Always"))
		field_not_supported(v, FIELD(FIELD(at, "spec"), "restartPolicy"), policy, policies);
	if (value_get(spec, "activeDeadlineSeconds"))
		field_forbidden(v, FIELD(FIELD(at, "spec"), "activeDeadlineSeconds"),
				"activeDeadlineSeconds in %s is not Supported", kind);
}

/* A LabelSelector that must be there and say something. */
static void validate_selector(struct validation *v, const struct value *spec, const char *kind)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "selector");
	const struct value *selector = value_get(spec, "selector");

	if (!value_is(selector, VALUE_OBJECT)) {
		field_required(v, at, "");
		return;
	}
	validate_label_selector(v, at, selector);
	if (is_unset(value_get(selector, "matchLabels")) &&
	    is_unset(value_get(selector, "matchExpressions")))
		field_invalid(v, at, selector, "empty selector is invalid for %s", kind);
}

void validate_status_counts(struct validation *v, const struct value *object,
			    const char *const *counts, const char *most, const char *shown)
{
	const struct field_path *at = FIELD(NULL, "status");
	const struct value *status = value_get(object, "status");
	int64_t bound = value_get_int(status, most, 0);

	for (; *counts; counts++) {
		if (value_get_int(status, *counts, 0) > bound)
			field_invalid(v, FIELD(at, *counts), value_get(status, *counts),
				      "cannot be greater than %s", shown);
	}
}

void validate_collisions(struct validation *v, const struct value *object, const struct value *old)
{
	const struct value *now = value_path(object, "status.collisionCount");
	const struct value *before = value_path(old, "status.collisionCount");
	const struct value zero = {.kind = VALUE_INT};

	if (before && (now ? now->integer : 0) < before->integer)
		field_invalid(v, FIELD(FIELD(NULL, "status"), "collisionCount"), now ? now : &zero,
			      "cannot be decremented");
}

/* The number of "25%", or -1. */
static long percent_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || strcmp(text + digits, "%") != 0)
		return -1;
	return strtol(text, NULL, 10);
}

void validate_share(struct validation *v, const struct field_path *at, const struct value *share,
		    bool bounded)
{
	if (value_is(share, VALUE_STRING) && percent_of(value_text(share)) < 0)
		field_invalid(v, at, share,
			      "a valid percent string must be a numeric string followed by an "
			      "ending '%%' (e.g. '1%%',  or '93%%', regex used for validation is "
			      "'[0-9]+%%')");
	else if (value_is(share, VALUE_STRING) && bounded && percent_of(value_text(share)) > 100)
		field_invalid(v, at, share, "must not be greater than 100%%");
	else if (value_is(share, VALUE_INT) && share->integer < 0)
		field_invalid(v, at, share, "must be greater than or equal to 0");
}

bool share_is_zero(const struct value *share)
{
	if (value_is(share, VALUE_STRING))
		return percent_of(value_text(share)) == 0;
	return !share || (value_is(share, VALUE_INT) && share->integer == 0);
}

/* Replica sets */

static void validate_replica_set(struct validation *v, const struct value *object)
{
	static const char *const parts[] = {"fullyLabeledReplicas", "readyReplicas",
					    "availableReplicas", NULL};
	const struct value *spec = value_get(object, "spec");

	/* The word "deployment" is what clients have always been told. */
	validate_selector(v, spec, "deployment");
	validate_lasting_template(v, FIELD(FIELD(NULL, "spec"), "template"),
				  value_get(spec, "template"), value_get(spec, "selector"), true,
				  "ReplicaSet");
	validate_status_counts(v, object, parts, "replicas", "status.replicas");
	validate_status_counts(v, object, parts + 2, "readyReplicas", "readyReplicas");
}

const struct kind_rules rules_replicasets = {"apps", "replicasets", validate_replica_set, NULL};

/* Deployments */

static void validate_rolling_deployment(struct validation *v, const struct field_path *at,
					const struct value *rolling)
{
	const struct value *unavailable = value_get(rolling, "maxUnavailable");
	const struct value *surge = value_get(rolling, "maxSurge");

	validate_share(v, FIELD(at, "maxUnavailable"), unavailable, true);
	validate_share(v, FIELD(at, "maxSurge"), surge, false);
	if (share_is_zero(unavailable) && share_is_zero(surge))
		field_invalid(v, FIELD(at, "maxUnavailable"), unavailable,
			      "may not be 0 when `maxSurge` is 0");
}

static void validate_strategy(struct validation *v, const struct value *spec)
{
	const struct field_path *at =
		FIELD(FIELD(FIELD(NULL, "spec"), "strategy"), "rollingUpdate");
	const struct value *strategy = value_get(spec, "strategy");
	const struct value *rolling = value_get(strategy, "rollingUpdate");

	if (text_is(strategy, "type", "Recreate") && value_is(rolling, VALUE_OBJECT))
		field_forbidden(v, at, "may not be specified when strategy `type` is 'Recreate'");
	else if (text_is(strategy, "type", "RollingUpdate"))
		validate_rolling_deployment(v, at, rolling);
}

static void validate_deployment(struct validation *v, const struct value *object)
{
	static const char *const parts[] = {"updatedReplicas", "readyReplicas", "availableReplicas",
					    NULL};
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *deadline = value_get(spec, "progressDeadlineSeconds");

	validate_selector(v, spec, "deployment");
	validate_lasting_template(v, FIELD(at, "template"), value_get(spec, "template"),
				  value_get(spec, "selector"), true, "ReplicaSet");
	validate_strategy(v, spec);
	if (value_is(deadline, VALUE_INT) &&
	    deadline->integer <= value_get_int(spec, "minReadySeconds", 0))
		field_invalid(v, FIELD(at, "progressDeadlineSeconds"), deadline,
			      "must be greater than minReadySeconds");
	validate_status_counts(v, object, parts, "replicas", "status.replicas");
	validate_status_counts(v, object, parts + 2, "readyReplicas", "readyReplicas");
}

static void validate_counted_update(struct validation *v, const struct value *object,
				    const struct value *old, const char *subresource)
{
	if (strcmp(subresource, "status") == 0)
		validate_collisions(v, object, old);
}

const struct kind_rules rules_deployments = {"apps", "deployments", validate_deployment,
					     validate_counted_update};

/* Daemon sets */

static void validate_rolling_daemons(struct validation *v, const struct value *spec)
{
	const struct field_path *at =
		FIELD(FIELD(FIELD(NULL, "spec"), "updateStrategy"), "rollingUpdate");
	const struct value *strategy = value_get(spec, "updateStrategy");
	const struct value *rolling = value_get(strategy, "rollingUpdate");
	const struct value *unavailable = value_get(rolling, "maxUnavailable");
	const struct value *surge = value_get(rolling, "maxSurge");

	if (!text_is(strategy, "type", "RollingUpdate"))
		return;
	validate_share(v, FIELD(at, "maxUnavailable"), unavailable, true);
	validate_share(v, FIELD(at, "maxSurge"), surge, true);
	if (share_is_zero(unavailable) && share_is_zero(surge))
		field_required(v, FIELD(at, "maxUnavailable"), "cannot be 0 when maxSurge is 0");
	else if (!share_is_zero(unavailable) && !share_is_zero(surge))
		field_invalid(v, FIELD(at, "maxSurge"), surge,
			      "may not be set when maxUnavailable is non-zero");
}

static void validate_daemon_set(struct validation *v, const struct value *object)
{
	const struct value *spec = value_get(object, "spec");

	validate_selector(v, spec, "daemonset");
	validate_lasting_template(v, FIELD(FIELD(NULL, "spec"), "template"),
				  value_get(spec, "template"), value_get(spec, "selector"), true,
				  "DaemonSet");
	validate_rolling_daemons(v, spec);
}

const struct kind_rules rules_daemonsets = {"apps", "daemonsets", validate_daemon_set,
					    validate_counted_update};
