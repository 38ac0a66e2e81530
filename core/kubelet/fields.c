/* SPDX-License-Identifier: Apache-2.0 */
/* fieldRef and resourceFieldRef; see the header. */
#include "kubelet/fields.h"

#include "kubelet/resources.h"
#include "machinery/quantity.h"

#include <coxswain/kit/text.h>
#include <string.h>

/* The item of that name in one of three lists. */
static const struct value *find_item(const struct cox_object *pod, const char *const lists[3],
				     const char *name)
{
	for (size_t i = 0; i < 3; i++) {
		const struct value *list = object_path(object_root(pod), lists[i]), *item;

		for (size_t j = 0; (item = value_at(list, j)); j++)
			if (!strcmp(value_get_text(item, "name"), name))
				return item;
	}
	return NULL;
}

const struct value *fields_container(const struct cox_object *pod, const char *name)
{
	static const char *const lists[] = {"spec.containers", "spec.initContainers",
					    "spec.ephemeralContainers"};

	return find_item(pod, lists, name);
}

const struct value *fields_status(const struct cox_object *pod, const char *name)
{
	static const char *const lists[] = {"status.containerStatuses",
					    "status.initContainerStatuses",
					    "status.ephemeralContainerStatuses"};

	return find_item(pod, lists, name);
}

const char *fields_host_ip(const struct kubelet *kubelet)
{
	return kubelet->node_ip ? kubelet->node_ip : "";
}

/* All members as key="value" lines, sorted by key. */
static void write_map(const struct value *map, struct cox_buf *out)
{
	cox_autoarena arena = ARENA_INIT;
	struct value *sorted = map ? value_copy(&arena, map) : value_object(&arena);

	value_sort_keys(sorted);
	for (uint32_t i = 0; i < sorted->count; i++) {
		const struct value_member *member = &sorted->object.members[i];

		cox_buf_printf(out, "%s%s=", i ? "\n" : "", member->key);
		cox_buf_json_string(out, value_text(member->value), member->value->count);
	}
}

/* metadata.labels['key'] and metadata.annotations['key']; 0 if `path` is none. */
static int write_entry(const struct value *root, const char *path, struct cox_buf *out)
{
	static const struct {
		const char *prefix, *map;
	} maps[] = {{"metadata.labels['", "metadata.labels"},
		    {"metadata.annotations['", "metadata.annotations"}};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		size_t begin = strlen(maps[i].prefix), size = strlen(path);

		if (!cox_starts_with(path, maps[i].prefix) || size < begin + 2 ||
		    !cox_ends_with(path, "']"))
			continue;
		cox_buf_str(out, value_text(value_get_n(object_path(root, maps[i].map),
							path + begin, size - begin - 2)));
		return 1;
	}
	return 0;
}

static int write_ips(const struct field_source *source, bool all, struct cox_buf *out,
		     struct cox_error *err)
{
	if (!source->pod_ips[0])
		return error_set(err, COX_REASON_SERVICE_UNAVAILABLE, "the pod has no address yet");
	cox_buf_str(out, source->pod_ips[0]);
	if (all && source->pod_ips[1])
		cox_buf_printf(out, ",%s", source->pod_ips[1]);
	return 0;
}

static int write_field(const struct field_source *source, const char *path, struct cox_buf *out,
		       struct cox_error *err)
{
	static const char *const plain[] = {"metadata.name", "metadata.namespace", "metadata.uid",
					    "spec.nodeName", "spec.serviceAccountName"};
	const struct value *root = object_root(source->object);

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(path, plain[i])) {
			cox_buf_str(out, value_text(object_path(root, path)));
			return 0;
		}
	if (write_entry(root, path, out))
		return 0;
	if (!strcmp(path, "metadata.labels") || !strcmp(path, "metadata.annotations")) {
		write_map(object_path(root, path), out);
		return 0;
	}
	if (!strcmp(path, "status.hostIP") || !strcmp(path, "status.hostIPs")) {
		cox_buf_str(out, fields_host_ip(source->kubelet));
		return 0;
	}
	if (!strcmp(path, "status.podIP") || !strcmp(path, "status.podIPs"))
		return write_ips(source, path[strlen(path) - 1] == 's', out, err);
	return error_set(err, COX_REASON_INVALID, "unsupported fieldPath: %s", path);
}

/* amount / divisor, rounded up. */
static int write_divided(const struct cox_quantity *amount, const struct cox_quantity *divisor,
			 struct cox_buf *out, struct cox_error *err)
{
	__extension__ __int128 result;

	if (cox_quantity_sign(divisor) <= 0)
		return error_set(err, COX_REASON_INVALID, "a divisor must be positive");
	result = (amount->nano + divisor->nano - 1) / divisor->nano;
	cox_buf_printf(out, "%lld", (long long)result);
	return 0;
}

static int write_resource(const struct field_source *source, const struct value *selector,
			  struct cox_buf *out, struct cox_error *err)
{
	const char *name = value_get_text(selector, "containerName");
	const char *resource = value_get_text(selector, "resource");
	const struct value *container = fields_container(
		source->object, *name || !source->container ? name : source->container);
	bool limit = cox_starts_with(resource, "limits.");
	const char *dot = strchr(resource, '.');
	const struct value *wanted, *divisor = value_get(selector, "divisor");
	struct cox_quantity amount, by = cox_quantity_from_int(1, COX_QUANTITY_DECIMAL_SI), given;

	if (!container)
		return error_set(err, COX_REASON_NOT_FOUND, "container %s not found", name);
	if (!dot || (!limit && !cox_starts_with(resource, "requests.")))
		return error_set(err, COX_REASON_INVALID, "unsupported container resource : %s",
				 resource);
	wanted = value_get(
		object_path(container, limit ? "resources.limits" : "resources.requests"), dot + 1);
	if (quantity_from_value(wanted, &amount, err))
		return -1;
	/* Without a limit of its own a container can have all of the node. */
	if (limit && cox_quantity_sign(&amount) == 0)
		amount = resources_allocatable(source->kubelet->config, dot + 1);
	if (divisor) {
		if (quantity_from_value(divisor, &given, err))
			return -1;
		if (cox_quantity_sign(&given) != 0)
			by = given;
	}
	return write_divided(&amount, &by, out, err);
}

int fields_write(const struct field_source *source, const struct value *selector,
		 struct cox_buf *out, struct cox_error *err)
{
	const struct value *field = value_get(selector, "fieldRef");

	if (value_is(field, VALUE_OBJECT))
		return write_field(source, value_get_text(field, "fieldPath"), out, err);
	return write_resource(source, value_get(selector, "resourceFieldRef"), out, err);
}
