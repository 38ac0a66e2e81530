/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computed defaults: the functions that `rule:` in api/types names. Each gets
 * the object of the type at which it stands. Applied to its own result a rule
 * changes nothing. Raise `revision` in api/types/gates.yaml with any change.
 */
#include "machinery/defaults.h"

#include "base/clock.h"
#include "machinery/quantity.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <ctype.h>
#include <string.h>

static bool has_text(const struct value *object, const char *key)
{
	return value_get_text(object, key)[0] != '\0';
}

static bool has_entries(const struct value *container)
{
	return (value_is(container, VALUE_ARRAY) || value_is(container, VALUE_OBJECT)) &&
	       container->count > 0;
}

/* The tag is "latest", given or because there is neither tag nor digest. */
static bool image_moves(const char *image)
{
	const char *digest = strchr(image, '@');
	const char *end = digest ? digest : image + strlen(image);
	const char *tag = NULL;

	for (const char *at = image; at < end; at++) {
		if (*at == '/')
			tag = NULL;
		else if (*at == ':')
			tag = at + 1;
	}
	if (!tag)
		return image[0] != '\0' && !digest;
	return (size_t)(end - tag) == strlen("latest") && strncmp(tag, "latest", 6) == 0;
}

static void pull_policy_from(struct arena *arena, struct value *object, const char *field,
			     const char *image)
{
	if (!has_text(object, field))
		value_set_text(arena, object, field,
			       image_moves(image) ? "Always" : "IfNotPresent");
}

static void pull_policy(struct arena *arena, struct value *container)
{
	pull_policy_from(arena, container, "imagePullPolicy", value_get_text(container, "image"));
}

static void image_volume(struct arena *arena, struct value *volume)
{
	struct value *image = value_get(volume, "image");

	if (value_is(image, VALUE_OBJECT))
		pull_policy_from(arena, image, "pullPolicy", value_get_text(image, "reference"));
}

static void empty_dir_volume(struct arena *arena, struct value *volume)
{
	for (uint32_t i = 0; i < volume->count; i++) {
		const struct value_member *member = &volume->object.members[i];

		if (strcmp(member->key, "name") != 0 && member->value->kind != VALUE_NULL)
			return;
	}
	value_set(arena, volume, "emptyDir", value_object(arena));
}

/* Entries of `from` that `to` lacks. */
static void fill_from(struct arena *arena, struct value *to, const struct value *from)
{
	for (uint32_t i = 0; value_is(from, VALUE_OBJECT) && i < from->count; i++) {
		const struct value_member *member = &from->object.members[i];

		if (!value_get_n(to, member->key, member->key_size))
			value_set_n(arena, to, member->key, member->key_size,
				    value_copy(arena, member->value));
	}
}

static void limit_range_item(struct arena *arena, struct value *item)
{
	struct value *limits, *requests;

	if (!value_string_is(value_get(item, "type"), "Container"))
		return;
	limits = value_make_object(arena, item, "default");
	requests = value_make_object(arena, item, "defaultRequest");
	fill_from(arena, limits, value_get(item, "max"));
	fill_from(arena, requests, limits);
	fill_from(arena, requests, value_get(item, "min"));
	if (limits->count == 0)
		value_remove(item, "default");
	if (requests->count == 0)
		value_remove(item, "defaultRequest");
}

static void namespace_label(struct arena *arena, struct value *object)
{
	struct value *metadata = value_get(object, "metadata");

	if (has_text(metadata, "name"))
		value_set_text(arena, value_make_object(arena, metadata, "labels"),
			       "kubernetes.io/metadata.name", value_get_text(metadata, "name"));
}

static void allocatable(struct arena *arena, struct value *status)
{
	const struct value *capacity = value_get(status, "capacity");

	if (capacity && !value_get(status, "allocatable"))
		value_set(arena, status, "allocatable", value_copy(arena, capacity));
}

static void requests_from_limits(struct arena *arena, const struct value *containers)
{
	for (size_t i = 0; value_at(containers, i); i++) {
		struct value *resources = value_get(value_at(containers, i), "resources");
		const struct value *limits = value_get(resources, "limits");

		if (has_entries(limits))
			fill_from(arena, value_make_object(arena, resources, "requests"), limits);
	}
}

static bool is_sidecar(const struct value *container)
{
	return value_string_is(value_get(container, "restartPolicy"), "Always");
}

static const struct value *amount_of(const struct value *container, const char *which,
				     const char *resource)
{
	return value_get(value_get(value_get(container, "resources"), which), resource);
}

/*
 * What all containers need together: those that run side by side are added, an
 * init container counts alone on top of the sidecars before it. False: no
 * container says anything of this resource.
 */
static bool total_of(const struct value *spec, const char *which, const char *resource,
		     struct cox_quantity *total)
{
	const struct value *init = value_get(spec, "initContainers");
	const struct value *containers = value_get(spec, "containers");
	struct cox_quantity sidecars = {0}, peak = {0}, one;
	bool found = false;

	*total = (struct cox_quantity){0};
	for (size_t i = 0; value_at(init, i); i++) {
		const struct value *amount = amount_of(value_at(init, i), which, resource);
		struct cox_quantity high = sidecars;

		if (!amount || quantity_from_value(amount, &one, NULL))
			continue;
		found = true;
		if (cox_quantity_add(&high, &one))
			return false;
		if (is_sidecar(value_at(init, i)))
			sidecars = high;
		if (cox_quantity_compare(&high, &peak) > 0)
			peak = high;
	}
	*total = sidecars;
	for (size_t i = 0; value_at(containers, i); i++) {
		const struct value *amount = amount_of(value_at(containers, i), which, resource);

		if (!amount || quantity_from_value(amount, &one, NULL))
			continue;
		found = true;
		if (cox_quantity_add(total, &one))
			return false;
	}
	if (cox_quantity_compare(&peak, total) > 0)
		*total = peak;
	return found;
}

/* Huge pages that containers limit, where the pod says nothing of them. */
static void pod_huge_pages(struct arena *arena, const struct value *spec, struct value *resources)
{
	const struct value *containers = value_get(spec, "containers");

	for (size_t i = 0; value_at(containers, i); i++) {
		const struct value *limits =
			value_get(value_get(value_at(containers, i), "resources"), "limits");

		for (uint32_t k = 0; value_is(limits, VALUE_OBJECT) && k < limits->count; k++) {
			const char *name = limits->object.members[k].key;
			struct cox_quantity total;

			if (!cox_starts_with(name, "hugepages-") ||
			    value_get(value_get(resources, "limits"), name) ||
			    value_get(value_get(resources, "requests"), name) ||
			    !total_of(spec, "limits", name, &total))
				continue;
			value_set(arena, value_make_object(arena, resources, "limits"), name,
				  quantity_to_value(arena, &total));
		}
	}
}

/* What containers ask for, where the pod has limits and says nothing of it. */
static void pod_requests_of_containers(struct arena *arena, const struct value *spec,
				       struct value *resources)
{
	static const char *const shared[] = {"cpu", "memory"};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		struct cox_quantity total;

		if (value_get(value_get(resources, "requests"), shared[i]) ||
		    !total_of(spec, "requests", shared[i], &total))
			continue;
		value_set(arena, value_make_object(arena, resources, "requests"), shared[i],
			  quantity_to_value(arena, &total));
	}
}

static void pod_requests(struct arena *arena, struct value *pod)
{
	struct value *spec = value_get(pod, "spec");
	struct value *resources = value_get(spec, "resources");
	const struct value *limits;

	requests_from_limits(arena, value_get(spec, "containers"));
	requests_from_limits(arena, value_get(spec, "initContainers"));
	if (!value_is(resources, VALUE_OBJECT))
		return;
	pod_huge_pages(arena, spec, resources);
	limits = value_get(resources, "limits");
	if (value_is(limits, VALUE_OBJECT) && limits->count > 0)
		pod_requests_of_containers(arena, spec, resources);
	for (uint32_t i = 0; value_is(limits, VALUE_OBJECT) && i < limits->count; i++) {
		const struct value_member *limit = &limits->object.members[i];
		struct value *requests = value_make_object(arena, resources, "requests");
		bool shared = strcmp(limit->key, "cpu") == 0 || strcmp(limit->key, "memory") == 0;

		if (!value_get(requests, limit->key) &&
		    (shared || cox_starts_with(limit->key, "hugepages-")))
			value_set(arena, requests, limit->key, value_copy(arena, limit->value));
	}
}

static void host_ports_of(struct arena *arena, const struct value *containers)
{
	for (size_t i = 0; value_at(containers, i); i++) {
		const struct value *ports = value_get(value_at(containers, i), "ports");

		for (size_t k = 0; value_at(ports, k); k++) {
			struct value *port = value_at(ports, k);

			if (value_get_int(port, "hostPort", 0) == 0)
				value_set_int(arena, port, "hostPort",
					      value_get_int(port, "containerPort", 0));
		}
	}
}

static void host_ports(struct arena *arena, struct value *pod)
{
	const struct value *spec = value_get(pod, "spec");

	if (!value_get_bool(spec, "hostNetwork"))
		return;
	host_ports_of(arena, value_get(spec, "containers"));
	host_ports_of(arena, value_get(spec, "initContainers"));
}

/* The old name is kept equal to the new one, which counts. */
static void service_account_alias(struct arena *arena, struct value *spec)
{
	if (!has_text(spec, "serviceAccountName") && has_text(spec, "serviceAccount"))
		value_set_text(arena, spec, "serviceAccountName",
			       value_get_text(spec, "serviceAccount"));
	if (has_text(spec, "serviceAccountName"))
		value_set_text(arena, spec, "serviceAccount",
			       value_get_text(spec, "serviceAccountName"));
	else
		value_remove(spec, "serviceAccount");
}

/*
 * A member of the time when there was one of a thing, kept equal to the first
 * of the list that came later. If both are given and differ, whoever wrote
 * them knows the old one only.
 */
static void alias_first(struct arena *arena, struct value *object, const char *single,
			const char *list, const char *key)
{
	struct value *first = value_at(value_get(object, list), 0);
	const char *now = key ? value_get_text(first, key) : value_text(first);

	if (has_text(object, single) && strcmp(now, value_get_text(object, single)) != 0) {
		struct value *entry = value_string(arena, value_get_text(object, single));
		struct value *entries = value_array(arena);

		if (key) {
			struct value *holder = value_object(arena);

			value_set(arena, holder, key, entry);
			entry = holder;
		}
		value_push(arena, entries, entry);
		value_set(arena, object, list, entries);
	} else if (first) {
		value_set_text(arena, object, single, now);
	}
}

static void pod_cidr_alias(struct arena *arena, struct value *spec)
{
	alias_first(arena, spec, "podCIDR", "podCIDRs", NULL);
}

static void pod_ip_alias(struct arena *arena, struct value *status)
{
	alias_first(arena, status, "podIP", "podIPs", "ip");
}

static void selector_from_template(struct arena *arena, struct value *object)
{
	const struct value *labels = value_path(object, "spec.template.metadata.labels");
	struct value *spec = value_get(object, "spec");

	if (has_entries(labels) && !has_entries(value_get(spec, "selector")))
		value_set(arena, spec, "selector", value_copy(arena, labels));
}

static void labels_from_template(struct arena *arena, struct value *object)
{
	const struct value *labels = value_path(object, "spec.template.metadata.labels");

	if (has_entries(labels) && !has_entries(value_path(object, "metadata.labels")))
		value_set(arena, value_make_object(arena, object, "metadata"), "labels",
			  value_copy(arena, labels));
}

static void string_data(struct arena *arena, struct value *secret)
{
	const struct value *plain = value_get(secret, "stringData");

	if (value_is(plain, VALUE_OBJECT) && plain->count > 0) {
		struct value *data = value_make_object(arena, secret, "data");

		for (uint32_t i = 0; i < plain->count; i++) {
			const struct value_member *member = &plain->object.members[i];
			size_t size =
				member->value->kind == VALUE_STRING ? member->value->count : 0;
			char *packed = arena_alloc(arena, cox_base64_size(size));

			cox_base64_encode(value_text(member->value), size, packed);
			value_set_n(arena, data, member->key, member->key_size,
				    value_string(arena, packed));
		}
	}
	value_remove(secret, "stringData");
}

static void session_affinity(struct arena *arena, struct value *service)
{
	struct value *spec = value_get(service, "spec");
	struct value *client;

	if (value_string_is(value_get(spec, "sessionAffinity"), "None")) {
		value_remove(spec, "sessionAffinityConfig");
		return;
	}
	if (!value_string_is(value_get(spec, "sessionAffinity"), "ClientIP"))
		return;
	client = value_make_object(arena, value_make_object(arena, spec, "sessionAffinityConfig"),
				   "clientIP");
	if (!value_get(client, "timeoutSeconds"))
		value_set_int(arena, client, "timeoutSeconds", 10800);
}

static void target_ports(struct arena *arena, struct value *service)
{
	const struct value *ports = value_path(service, "spec.ports");

	for (size_t i = 0; value_at(ports, i); i++) {
		struct value *port = value_at(ports, i);
		const struct value *target = value_get(port, "targetPort");

		if (!target || (target->kind == VALUE_INT && target->integer == 0) ||
		    (target->kind == VALUE_STRING && target->count == 0))
			value_set_int(arena, port, "targetPort", value_get_int(port, "port", 0));
	}
}

static void external_traffic(struct arena *arena, struct value *service)
{
	struct value *spec = value_get(service, "spec");
	const char *type = value_get_text(spec, "type");
	bool outside =
		strcmp(type, "LoadBalancer") == 0 || strcmp(type, "NodePort") == 0 ||
		(strcmp(type, "ClusterIP") == 0 && has_entries(value_get(spec, "externalIPs")));

	if (outside && !has_text(spec, "externalTrafficPolicy"))
		value_set_text(arena, spec, "externalTrafficPolicy", "Cluster");
}

static void ingress_mode(struct arena *arena, struct value *service)
{
	const struct value *ingress = value_path(service, "status.loadBalancer.ingress");

	if (!value_string_is(value_path(service, "spec.type"), "LoadBalancer"))
		return;
	for (size_t i = 0; value_at(ingress, i); i++) {
		struct value *entry = value_at(ingress, i);

		if (has_text(entry, "ip") && !value_get(entry, "ipMode"))
			value_set_text(arena, entry, "ipMode", "VIP");
	}
}

static void stateful_set_update(struct arena *arena, struct value *set)
{
	struct value *strategy =
		value_make_object(arena, value_make_object(arena, set, "spec"), "updateStrategy");

	if (has_text(strategy, "type"))
		return;
	value_set_text(arena, strategy, "type", "RollingUpdate");
	(void)value_make_object(arena, strategy, "rollingUpdate");
}

static void stored_versions(struct arena *arena, struct value *definition)
{
	const struct value *versions = value_path(definition, "spec.versions");
	struct value *status = value_make_object(arena, definition, "status");

	if (has_entries(value_get(status, "storedVersions")))
		return;
	for (size_t i = 0; value_at(versions, i); i++) {
		if (!value_get_bool(value_at(versions, i), "storage"))
			continue;
		value_push(arena, value_make_array(arena, status, "storedVersions"),
			   value_string(arena, value_get_text(value_at(versions, i), "name")));
		break;
	}
}

static void definition_names(struct arena *arena, struct value *spec)
{
	struct value *names = value_make_object(arena, spec, "names");
	const char *kind = value_get_text(names, "kind");

	if (!has_text(names, "singular") && kind[0]) {
		char *lower = arena_strdup(arena, kind);

		for (char *at = lower; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		value_set_text(arena, names, "singular", lower);
	}
	if (!has_text(names, "listKind") && kind[0])
		value_set(arena, names, "listKind", value_printf(arena, "%sList", kind));
}

static void taint_time(struct arena *arena, struct value *taint)
{
	char now[CLOCK_RFC3339_SIZE];

	if (value_get(taint, "timeAdded"))
		return;
	clock_format(clock_realtime(), now);
	value_set_text(arena, taint, "timeAdded", now);
}

/* The annotation holds the metrics that this version has no fields for. */
static void target_utilization(struct arena *arena, struct value *scaler)
{
	static const char *const field = "targetCPUUtilizationPercentage";
	const struct value *annotations = value_path(scaler, "metadata.annotations");
	struct value *spec = value_make_object(arena, scaler, "spec");

	if (!value_get(spec, field) &&
	    !has_text(annotations, "autoscaling.alpha.kubernetes.io/metrics"))
		value_set_int(arena, spec, field, 80);
}

default_rule default_rule_named(const char *name)
{
	static const struct {
		const char *name;
		default_rule rule;
	} rules[] = {
		{"allocatable", allocatable},
		{"definitionNames", definition_names},
		{"emptyDirVolume", empty_dir_volume},
		{"externalTraffic", external_traffic},
		{"hostPorts", host_ports},
		{"imageVolume", image_volume},
		{"ingressMode", ingress_mode},
		{"labelsFromTemplate", labels_from_template},
		{"limitRangeItem", limit_range_item},
		{"namespaceLabel", namespace_label},
		{"podCIDRAlias", pod_cidr_alias},
		{"podIPAlias", pod_ip_alias},
		{"podRequests", pod_requests},
		{"pullPolicy", pull_policy},
		{"selectorFromTemplate", selector_from_template},
		{"serviceAccountAlias", service_account_alias},
		{"sessionAffinity", session_affinity},
		{"statefulSetUpdate", stateful_set_update},
		{"storedVersions", stored_versions},
		{"stringData", string_data},
		{"taintTime", taint_time},
		{"targetPorts", target_ports},
		{"targetUtilization", target_utilization},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (strcmp(rules[i].name, name) == 0)
			return rules[i].rule;
	}
	return NULL;
}
