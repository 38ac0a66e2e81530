/* SPDX-License-Identifier: Apache-2.0 */
/* The content that objects are created with. */
#include "machinery/create.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "machinery/defaults.h"
#include "machinery/quantity.h"

#include <string.h>

static const char *const counted[] = {"cpu", "memory"};

static bool is_positive(const struct value *amount)
{
	struct cox_quantity quantity = {0};

	return amount && quantity_from_value(amount, &quantity, NULL) == 0 &&
	       cox_quantity_sign(&quantity) > 0;
}

static bool same_amount(const struct value *a, const struct value *b)
{
	struct cox_quantity first = {0}, second = {0};

	if (quantity_from_value(a, &first, NULL) || quantity_from_value(b, &second, NULL))
		return false;
	return cox_quantity_compare(&first, &second) == 0;
}

struct quality {
	bool any;   /* something asks for or limits cpu or memory */
	bool whole; /* everything so far limits both to what it asks for */
};

static void weigh(struct quality *quality, const struct value *resources)
{
	const struct value *limits = value_get(resources, "limits");
	const struct value *requests = value_get(resources, "requests");

	for (size_t i = 0; i < 2; i++) {
		const struct value *limit = value_get(limits, counted[i]);
		const struct value *request = value_get(requests, counted[i]);

		quality->any = quality->any || is_positive(limit) || is_positive(request);
		if (!is_positive(limit) || (request && !same_amount(request, limit)))
			quality->whole = false;
	}
}

const char *pod_quality_class(const struct value *pod)
{
	static const char *const lists[] = {"containers", "initContainers"};
	const struct value *spec = value_get(pod, "spec");
	struct quality quality = {.whole = true};

	/* Amounts of the pod as a whole count instead of those of its containers. */
	if (value_get(spec, "resources")) {
		weigh(&quality, value_get(spec, "resources"));
	} else {
		for (size_t l = 0; l < 2; l++) {
			const struct value *list = value_get(spec, lists[l]);

			for (size_t i = 0; value_at(list, i); i++)
				weigh(&quality, value_get(value_at(list, i), "resources"));
		}
	}
	if (!quality.any)
		return "BestEffort";
	return quality.whole ? "Guaranteed" : "Burstable";
}

static void prepare_pod(struct arena *arena, struct value *pod, const char *now)
{
	struct value *status = value_make_object(arena, pod, "status");

	(void)now;
	value_set_text(arena, status, "phase", "Pending");
	value_set_text(arena, status, "qosClass", pod_quality_class(pod));
}

static void prepare_namespace(struct arena *arena, struct value *namespace, const char *now)
{
	struct value *spec = value_make_object(arena, namespace, "spec");
	struct value *finalizers = value_make_array(arena, spec, "finalizers");

	(void)now;
	/* A generated name was not there yet when defaults were put in. */
	default_rule_named("namespaceLabel")(arena, namespace);
	value_set_text(arena, value_make_object(arena, namespace, "status"), "phase", "Active");
	for (size_t i = 0; value_at(finalizers, i); i++) {
		if (value_string_is(value_at(finalizers, i), "kubernetes"))
			return;
	}
	value_push(arena, finalizers, value_string(arena, "kubernetes"));
}

/* Nobody has to think of a name for it. */
static void prepare_limit_range(struct arena *arena, struct value *range, const char *now)
{
	struct value *metadata = value_make_object(arena, range, "metadata");
	char name[UUID_SIZE];

	(void)now;
	if (value_get_text(metadata, "name")[0])
		return;
	uuid_make(name);
	value_set_text(arena, metadata, "name", name);
}

static void prepare_volume(struct arena *arena, struct value *volume, const char *now)
{
	struct value *status = value_make_object(arena, volume, "status");

	value_set_text(arena, status, "phase", "Pending");
	value_set_text(arena, status, "lastPhaseTransitionTime", now);
}

/* The old and the new way to name the source of a claim's content agree. */
static void prepare_claim(struct arena *arena, struct value *claim, const char *now)
{
	struct value *spec = value_get(claim, "spec");
	const struct value *source = value_get(spec, "dataSource");
	const struct value *reference = value_get(spec, "dataSourceRef");

	(void)now;
	value_set_text(arena, value_make_object(arena, claim, "status"), "phase", "Pending");
	if (source && !reference)
		value_set(arena, spec, "dataSourceRef", value_copy(arena, source));
	else if (reference && !source && !value_get_text(reference, "namespace")[0])
		value_set(arena, spec, "dataSource", value_copy(arena, reference));
}

/*
 * A job's pods are found by labels that nobody else has: its own uid, unless
 * who made it chose them.
 */
static void prepare_job(struct arena *arena, struct value *job, const char *now)
{
	static const char *const of_uid[] = {"controller-uid",
					     "batch.kubernetes.io/controller-uid"};
	static const char *const of_name[] = {"job-name", "batch.kubernetes.io/job-name"};
	const struct value *metadata = value_get(job, "metadata");
	struct value *spec = value_get(job, "spec");
	struct value *template, *labels, *chosen;

	(void)now;
	if (!spec || value_get_bool(spec, "manualSelector"))
		return;
	template = value_make_object(arena, spec, "template");
	labels = value_make_object(arena, value_make_object(arena, template, "metadata"), "labels");
	for (size_t i = 0; i < 2; i++) {
		if (!value_get(labels, of_name[i]))
			value_set_text(arena, labels, of_name[i], value_get_text(metadata, "name"));
		if (!value_get(labels, of_uid[i]))
			value_set_text(arena, labels, of_uid[i], value_get_text(metadata, "uid"));
	}
	chosen =
		value_make_object(arena, value_make_object(arena, spec, "selector"), "matchLabels");
	if (!value_get(chosen, of_uid[1]))
		value_set_text(arena, chosen, of_uid[1], value_get_text(metadata, "uid"));
}

/* The status is dropped, and with it what a default had put there. */
static void prepare_definition(struct arena *arena, struct value *definition, const char *now)
{
	(void)now;
	default_rule_named("storedVersions")(arena, definition);
}

void schema_prepare_create(const struct schema *schema, const struct schema_resource *resource,
			   struct arena *arena, struct value *object, uint64_t now)
{
	static const struct {
		const char *group, *name;
		void (*prepare)(struct arena *arena, struct value *object, const char *now);
	} kinds[] = {
		{"apiextensions.k8s.io", "customresourcedefinitions", prepare_definition},
		{"batch", "jobs", prepare_job},
		{"", "limitranges", prepare_limit_range},
		{"", "namespaces", prepare_namespace},
		{"", "persistentvolumeclaims", prepare_claim},
		{"", "persistentvolumes", prepare_volume},
		{"", "pods", prepare_pod},
	};
	char text[CLOCK_RFC3339_SIZE];

	if (resource->flags & SCHEMA_STATUS_DROPPED)
		value_remove(object, "status");
	clock_format(now, text);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].name, schema_text(schema, resource->name)) == 0 &&
		    strcmp(kinds[i].group, schema_text(schema, resource->group)) == 0)
			kinds[i].prepare(arena, object, text);
	}
}
