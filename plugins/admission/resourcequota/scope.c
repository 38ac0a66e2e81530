/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes narrow a quota to some pods, or some claims; all that it names must fit. */
#include "resourcequota.h"

#include <string.h>

/* One scope, from spec.scopes (then it must exist) or from spec.scopeSelector. */
struct scope {
	const char *name, *operator;
	const struct cox_value *values;
};

static bool has_amounts(const struct cox_objects *objects, const struct cox_value *holder)
{
	static const char *const lists[] = {"requests", "limits"};
	static const char *const resources[] = {"cpu", "memory"};

	for (size_t l = 0; l < 2; l++)
		for (size_t r = 0; r < 2; r++) {
			const struct cox_value *list =
				objects->member(objects->get(holder, "resources"), lists[l]);
			struct cox_quantity amount =
				amount_of(objects, objects->member(list, resources[r]));

			if (cox_quantity_sign(&amount) > 0)
				return true;
		}
	return false;
}

/* A pod that asks for nothing gets what is left. */
static bool is_best_effort(const struct cox_objects *objects, const struct cox_value *spec)
{
	static const char *const members[] = {"initContainers", "containers"};

	if (has_amounts(objects, spec))
		return false;
	for (size_t m = 0; m < 2; m++) {
		const struct cox_value *list = objects->get(spec, members[m]), *container;

		for (size_t i = 0; (container = objects->at(list, i, NULL)); i++)
			if (has_amounts(objects, container))
				return false;
	}
	return true;
}

static bool crosses(const struct cox_objects *objects, const struct cox_value *term)
{
	return objects->count(objects->get(term, "namespaces")) ||
	       objects->get(term, "namespaceSelector");
}

/* Whether the pod's place depends on pods of other namespaces. */
static bool crosses_namespaces(const struct cox_objects *objects, const struct cox_value *spec)
{
	static const char *const required[] = {
		"affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution",
		"affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"};
	static const char *const preferred[] = {
		"affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution",
		"affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution"};
	const struct cox_value *term;

	for (size_t a = 0; a < 2; a++) {
		const struct cox_value *must = objects->get(spec, required[a]);
		const struct cox_value *may = objects->get(spec, preferred[a]);

		for (size_t i = 0; (term = objects->at(must, i, NULL)); i++)
			if (crosses(objects, term))
				return true;
		for (size_t i = 0; (term = objects->at(may, i, NULL)); i++)
			if (crosses(objects, objects->get(term, "podAffinityTerm")))
				return true;
	}
	return false;
}

static bool has_text(const struct cox_objects *objects, const struct cox_value *list,
		     const char *text)
{
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++)
		if (strcmp(objects->text(item, ""), text) == 0)
			return true;
	return false;
}

static bool class_fits(const struct cox_objects *objects, const struct scope *scope,
		       const char *class)
{
	if (strcmp(scope->operator, "In") == 0)
		return *class && has_text(objects, scope->values, class);
	if (strcmp(scope->operator, "NotIn") == 0)
		return !*class || !has_text(objects, scope->values, class);
	if (strcmp(scope->operator, "DoesNotExist") == 0)
		return !*class;
	return *class != '\0';
}

/* A claim that is being modified is of its old class and of the new one. */
static bool claim_fits(const struct cox_objects *objects, const struct scope *scope,
		       const struct cox_value *claim)
{
	static const char *const paths[] = {
		"spec.volumeAttributesClassName", "status.currentVolumeAttributesClassName",
		"status.modifyVolumeStatus.targetVolumeAttributesClassName"};
	bool any = false;

	if (strcmp(scope->name, "VolumeAttributesClass") != 0)
		return false;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *class = objects->text(claim, paths[i]);

		if (*class && class_fits(objects, scope, class))
			return true;
		any |= *class != '\0';
	}
	return !any && class_fits(objects, scope, "");
}

static bool scope_fits(const struct cox_objects *objects, const struct scope *scope,
		       const struct cox_value *pod)
{
	const struct cox_value *spec = objects->get(pod, "spec");
	bool terminating = objects->integer(spec, "activeDeadlineSeconds", -1) >= 0;

	if (strcmp(scope->name, "Terminating") == 0)
		return terminating;
	if (strcmp(scope->name, "NotTerminating") == 0)
		return !terminating;
	if (strcmp(scope->name, "BestEffort") == 0)
		return is_best_effort(objects, spec);
	if (strcmp(scope->name, "NotBestEffort") == 0)
		return !is_best_effort(objects, spec);
	if (strcmp(scope->name, "CrossNamespacePodAffinity") == 0)
		return crosses_namespaces(objects, spec);
	if (strcmp(scope->name, "PriorityClass") == 0)
		return class_fits(objects, scope, objects->text(spec, "priorityClassName"));
	/* a scope from a later release: not known to fit */
	return false;
}

bool scope_matches(const struct cox_objects *objects, const struct cox_admission_request *request,
		   const struct cox_value *quota, const struct cox_value *root)
{
	const struct cox_value *scopes = objects->get(quota, "spec.scopes");
	const struct cox_value *selector =
		objects->get(quota, "spec.scopeSelector.matchExpressions");
	bool (*fits)(const struct cox_objects *objects, const struct scope *scope,
		     const struct cox_value *root) = NULL;
	const struct cox_value *item;

	if (!*request->group && strcmp(request->resource, "pods") == 0)
		fits = scope_fits;
	if (!*request->group && strcmp(request->resource, "persistentvolumeclaims") == 0)
		fits = claim_fits;
	/* Nothing else has what scopes look at. */
	if (!fits)
		return !objects->count(scopes) && !objects->count(selector);
	for (size_t i = 0; (item = objects->at(scopes, i, NULL)); i++) {
		const struct scope scope = {objects->text(item, ""), "Exists", NULL};

		if (!fits(objects, &scope, root))
			return false;
	}
	for (size_t i = 0; (item = objects->at(selector, i, NULL)); i++) {
		const struct scope scope = {objects->text(item, "scopeName"),
					    objects->text(item, "operator"),
					    objects->get(item, "values")};

		if (!fits(objects, &scope, root))
			return false;
	}
	return true;
}
