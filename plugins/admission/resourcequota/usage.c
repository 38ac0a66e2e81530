/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What objects use, in the names that quotas have for it. Every kind counts as
 * count/RESOURCE.GROUP; some have more to them.
 */
#include "resourcequota.h"

#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

enum { NAME_SIZE = 512 };

#define CLASS_STORAGE ".storageclass.storage.k8s.io/requests.storage"
#define CLASS_CLAIMS ".storageclass.storage.k8s.io/persistentvolumeclaims"

enum usage_kind {
	KIND_OTHER,
	KIND_ALIASED, /* counted under the bare name, too */
	KIND_CLAIM,
	KIND_POD,
	KIND_SERVICE
};

static enum usage_kind kind_of(const struct cox_admission_request *request)
{
	static const struct {
		const char *resource;
		enum usage_kind kind;
	} kinds[] = {{"configmaps", KIND_ALIASED},
		     {"persistentvolumeclaims", KIND_CLAIM},
		     {"pods", KIND_POD},
		     {"replicationcontrollers", KIND_ALIASED},
		     {"resourcequotas", KIND_ALIASED},
		     {"secrets", KIND_ALIASED},
		     {"services", KIND_SERVICE}};

	if (*request->group)
		return KIND_OTHER;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].resource, request->resource) == 0)
			return kinds[i].kind;
	return KIND_OTHER;
}

/* What comes and goes by itself, or is never stored. */
static bool is_ignored(const struct cox_admission_request *request)
{
	static const char *const ignored[] = {"bindings", "events", "localsubjectaccessreviews"};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(ignored[i], request->resource) == 0)
			return true;
	return false;
}

bool usage_counts(const struct cox_admission_request *request)
{
	enum usage_kind kind = kind_of(request);

	if (!*request->namespace_ || is_ignored(request))
		return false;
	if (request->operation == COX_OPERATION_UPDATE && kind == KIND_POD)
		return strcmp(request->subresource, "resize") == 0;
	if (*request->subresource)
		return false;
	return request->operation == COX_OPERATION_CREATE ||
	       (request->operation == COX_OPERATION_UPDATE &&
		(kind == KIND_SERVICE || kind == KIND_CLAIM));
}

static void count_name(const struct cox_admission_request *request, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "count/%s%s%s", request->resource, *request->group ? "." : "",
		 request->group);
}

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof(list) / sizeof((list)[0]))

static bool concerns_pods(const char *resource)
{
	static const char *const names[] = {"pods",
					    "cpu",
					    "memory",
					    "ephemeral-storage",
					    "requests.cpu",
					    "requests.memory",
					    "requests.ephemeral-storage",
					    "limits.cpu",
					    "limits.memory",
					    "limits.ephemeral-storage"};

	return IS_ONE_OF(resource, names) || cox_starts_with(resource, "hugepages-") ||
	       cox_starts_with(resource, "requests.hugepages-") ||
	       (cox_starts_with(resource, "requests.") && strchr(resource, '/'));
}

bool usage_concerns(const struct cox_admission_request *request, const char *resource)
{
	static const char *const services[] = {"services", "services.nodeports",
					       "services.loadbalancers"};
	static const char *const claims[] = {"persistentvolumeclaims", "requests.storage"};
	char name[NAME_SIZE];

	count_name(request, name);
	if (strcmp(resource, name) == 0)
		return true;
	switch (kind_of(request)) {
	case KIND_OTHER:
		return false;
	case KIND_ALIASED:
		return strcmp(resource, request->resource) == 0;
	case KIND_CLAIM:
		return IS_ONE_OF(resource, claims) || cox_ends_with(resource, CLASS_STORAGE) ||
		       cox_ends_with(resource, CLASS_CLAIMS);
	case KIND_POD:
		return concerns_pods(resource);
	case KIND_SERVICE:
		return IS_ONE_OF(resource, services);
	}
	return false;
}

/* Pods */

static void add_named(struct amounts *usage, const char *prefix, const struct amount *amount)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s%s", prefix, amount->name);
	amounts_set(usage, name, &amount->quantity);
}

/* As long again as it was given to end, for clocks that differ and nodes that are slow. */
static bool is_overdue(const struct cox_objects *objects, const struct cox_value *pod, uint64_t now)
{
	int64_t grace = objects->integer(pod, "metadata.deletionGracePeriodSeconds", -1);
	uint64_t end;

	return grace >= 0 &&
	       !cox_parse_time(objects->text(pod, "metadata.deletionTimestamp"), &end) &&
	       now > end && (now - end) / SECOND >= (uint64_t)grace;
}

static void usage_of_pod(const struct cox_objects *objects, const struct cox_value *pod,
			 uint64_t now, struct amounts *usage)
{
	static const char *const plain[] = {"cpu", "memory", "ephemeral-storage"};
	const struct cox_value *spec = objects->get(pod, "spec");
	const char *phase = objects->text(pod, "status.phase");
	amounts_auto requests = AMOUNTS_INIT;
	amounts_auto limits = AMOUNTS_INIT;

	/* What has ended takes no room on a node, only in the store. */
	if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 ||
	    is_overdue(objects, pod, now))
		return;
	amounts_set_int(usage, "pods", 1);
	amounts_of_pod(&requests, objects, spec, "requests");
	amounts_of_pod(&limits, objects, spec, "limits");
	for (size_t i = 0; i < requests.list.count; i++) {
		const struct amount *amount = &requests.list.items[i];
		bool pages = cox_starts_with(amount->name, "hugepages-");

		if (IS_ONE_OF(amount->name, plain) || pages)
			add_named(usage, "", amount);
		if (IS_ONE_OF(amount->name, plain) || pages || strchr(amount->name, '/'))
			add_named(usage, "requests.", amount);
	}
	for (size_t i = 0; i < limits.list.count; i++)
		if (IS_ONE_OF(limits.list.items[i].name, plain))
			add_named(usage, "limits.", &limits.list.items[i]);
}

/* Services and claims */

static int64_t node_port_count(const struct cox_objects *objects, const struct cox_value *spec,
			       bool only_named)
{
	const struct cox_value *ports = objects->get(spec, "ports"), *port;
	int64_t count = 0;

	for (size_t i = 0; (port = objects->at(ports, i, NULL)); i++)
		count += !only_named || objects->integer(port, "nodePort", 0) != 0;
	return count;
}

static void usage_of_service(const struct cox_objects *objects, const struct cox_value *service,
			     struct amounts *usage)
{
	const struct cox_value *spec = objects->get(service, "spec");
	const struct cox_value *allocate = objects->get(spec, "allocateLoadBalancerNodePorts");
	bool none = objects->kind(allocate) == COX_VALUE_BOOL && !objects->boolean(allocate, "");
	bool balanced = strcmp(objects->text(spec, "type"), "LoadBalancer") == 0;
	bool node_ports = strcmp(objects->text(spec, "type"), "NodePort") == 0;

	amounts_set_int(usage, "services", 1);
	amounts_set_int(usage, "services.loadbalancers", balanced);
	amounts_set_int(usage, "services.nodeports",
			balanced || node_ports ? node_port_count(objects, spec, balanced && none)
					       : 0);
}

static void usage_of_claim(const struct cox_objects *objects, const struct cox_value *claim,
			   struct amounts *usage)
{
	const struct cox_value *wanted = objects->get(claim, "spec.resources.requests.storage");
	const struct cox_value *given = objects->get(claim, "status.allocatedResources.storage");
	const char *class = objects->text(claim, "spec.storageClassName");
	struct cox_quantity size = amount_of(objects, wanted), had = amount_of(objects, given);
	char name[NAME_SIZE];

	if (cox_quantity_compare(&had, &size) > 0)
		size = had;
	if (!*class)
		class = objects->text(
			claim, "metadata.annotations[\"volume.beta.kubernetes.io/storage-class\"]");
	amounts_set_int(usage, "persistentvolumeclaims", 1);
	if (wanted)
		amounts_set(usage, "requests.storage", &size);
	if (!*class)
		return;
	snprintf(name, sizeof(name), "%s" CLASS_CLAIMS, class);
	amounts_set_int(usage, name, 1);
	snprintf(name, sizeof(name), "%s" CLASS_STORAGE, class);
	if (wanted)
		amounts_set(usage, name, &size);
}

void usage_of(const struct cox_objects *objects, const struct cox_admission_request *request,
	      const struct cox_value *root, uint64_t now, struct amounts *usage)
{
	char name[NAME_SIZE];

	count_name(request, name);
	amounts_set_int(usage, name, 1);
	switch (kind_of(request)) {
	case KIND_OTHER:
		break;
	case KIND_ALIASED:
		amounts_set_int(usage, request->resource, 1);
		break;
	case KIND_CLAIM:
		usage_of_claim(objects, root, usage);
		break;
	case KIND_POD:
		usage_of_pod(objects, root, now, usage);
		break;
	case KIND_SERVICE:
		usage_of_service(objects, root, usage);
		break;
	}
}

/* Constraints */

static bool says(const struct cox_objects *objects, const struct cox_value *holder,
		 const char *resource)
{
	bool limits = cox_starts_with(resource, "limits.");
	const char *point = strrchr(resource, '.');
	const struct cox_value *list =
		objects->member(objects->get(holder, "resources"), limits ? "limits" : "requests");

	return objects->member(list, point ? point + 1 : resource) != NULL;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void usage_missing(const struct cox_objects *objects, const struct cox_admission_request *request,
		   const struct cox_value *root, const struct amounts *restricted,
		   struct cox_buf *missing)
{
	static const char *const enforced[] = {
		"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"};
	static const char *const members[] = {"containers", "initContainers"};
	const struct cox_value *spec = objects->get(root, "spec");

	if (kind_of(request) != KIND_POD)
		return;
	for (size_t r = 0; r < restricted->list.count; r++) {
		const char *resource = restricted->list.items[r].name;
		COX_VEC(const char *) names = {0};

		if (!IS_ONE_OF(resource, enforced) || says(objects, spec, resource))
			continue;
		for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
			const struct cox_value *list = objects->get(spec, members[m]), *container;

			for (size_t i = 0; (container = objects->at(list, i, NULL)); i++)
				if (!says(objects, container, resource))
					cox_vec_push(&names, objects->text(container, "name"));
		}
		if (names.count) {
			qsort(names.items, names.count, sizeof(*names.items), compare_texts);
			cox_buf_printf(missing, "%s%s for: ", missing->size ? "; " : "", resource);
			for (size_t i = 0; i < names.count; i++)
				cox_buf_printf(missing, "%s%s", i ? "," : "", names.items[i]);
		}
		cox_vec_free(&names);
	}
}
