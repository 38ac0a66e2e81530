/* SPDX-License-Identifier: Apache-2.0 */
/* API objects become typed structs; see the header. */
#include "proxy/build.h"

#include <coxswain/kit/map.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_AFFINITY = 10800, KEY_SIZE = 512 };

static const struct cox_objects *const objects = &object_table;

void build_clear(struct build *build)
{
	for (size_t i = 0; i < build->kept.count; i++)
		object_unref(build->kept.items[i]);
	cox_vec_free(&build->kept);
	cox_vec_free(&build->services);
	cox_vec_free(&build->endpoints);
	cox_vec_free(&build->gone);
	arena_free(&build->arena);
}

static const struct cox_value *keep(struct build *build, const struct cox_object *object)
{
	cox_vec_push(&build->kept, object_ref(object));
	return objects->root(object);
}

bool build_wants(const struct cox_object *service)
{
	const struct cox_value *root = objects->root(service);
	const char *address = objects->text(root, "spec.clusterIP");

	return *address && strcmp(address, "None") != 0 &&
	       strcmp(objects->text(root, "spec.type"), "ExternalName") != 0;
}

static uint16_t port_number(const struct cox_value *from, const char *path)
{
	int64_t number = objects->integer(from, path, 0);

	return number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}

static const char *protocol_of(const struct cox_value *port)
{
	const char *protocol = objects->text(port, "protocol");

	return *protocol ? protocol : "TCP";
}

/* ---- services ---- */

/* A list of texts: the items, or what each has under `path`, where not "". */
static const char *const *texts(struct build *build, const struct cox_value *list, const char *path,
				size_t *count)
{
	const char **result =
		arena_calloc(&build->arena, (objects->count(list) + 1) * sizeof(*result));
	const struct cox_value *item;

	*count = 0;
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		const char *text = objects->text(item, path);

		if (*text)
			result[(*count)++] = text;
	}
	return result;
}

/*
 * Addresses with which packets arrive here. Those of a load balancer that sends
 * packets on under another address ("Proxy") must reach it, from inside too.
 */
static const char *const *ingress_ips(struct build *build, const struct cox_value *list,
				      size_t *count)
{
	const char **result =
		arena_calloc(&build->arena, (objects->count(list) + 1) * sizeof(*result));
	const struct cox_value *item;

	*count = 0;
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		const char *ip = objects->text(item, "ip");

		if (*ip && strcmp(objects->text(item, "ipMode"), "Proxy") != 0)
			result[(*count)++] = ip;
	}
	return result;
}

static void take_ports(struct build *build, const struct cox_value *list,
		       struct cox_proxy_service *service)
{
	size_t count = objects->count(list);
	struct cox_proxy_port *ports = arena_calloc(&build->arena, (count + 1) * sizeof(*ports));

	for (size_t i = 0; i < count; i++) {
		const struct cox_value *port = objects->at(list, i, NULL);

		ports[i] = (struct cox_proxy_port){.name = objects->text(port, "name"),
						   .protocol = protocol_of(port),
						   .port = port_number(port, "port"),
						   .node_port = port_number(port, "nodePort")};
	}
	service->ports = ports;
	service->port_count = count;
}

static void take_service(struct build *build, const struct cox_value *root,
			 struct cox_proxy_service *service)
{
	const char **only;

	service->struct_size = sizeof(*service);
	service->cluster_ips =
		texts(build, objects->get(root, "spec.clusterIPs"), "", &service->cluster_ip_count);
	if (!service->cluster_ip_count) {
		only = arena_calloc(&build->arena, sizeof(*only));
		*only = objects->text(root, "spec.clusterIP");
		service->cluster_ips = only;
		service->cluster_ip_count = 1;
	}
	service->external_ips = texts(build, objects->get(root, "spec.externalIPs"), "",
				      &service->external_ip_count);
	service->load_balancer_ips =
		ingress_ips(build, objects->get(root, "status.loadBalancer.ingress"),
			    &service->load_balancer_ip_count);
	if (!strcmp(objects->text(root, "spec.externalTrafficPolicy"), "Local"))
		service->flags |= COX_PROXY_EXTERNAL_LOCAL;
	if (!strcmp(objects->text(root, "spec.internalTrafficPolicy"), "Local"))
		service->flags |= COX_PROXY_INTERNAL_LOCAL;
	if (!strcmp(objects->text(root, "spec.sessionAffinity"), "ClientIP"))
		service->affinity = COX_PROXY_AFFINITY_CLIENT_IP;
	service->affinity_seconds = (uint32_t)objects->integer(
		root, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", DEFAULT_AFFINITY);
	service->health_check_port = port_number(root, "spec.healthCheckNodePort");
	take_ports(build, objects->get(root, "spec.ports"), service);
}

/* ---- endpoints ---- */

/* The list of one service port while it grows. */
struct gathering {
	struct build *build;
	const char *name;
	const char *protocol;
	struct cox_map seen; /* one pod may be in two slices for a moment */
	struct cox_proxy_endpoint *items;
	size_t count, capacity;
};

static void gather(struct gathering *list, const struct cox_proxy_endpoint *endpoint)
{
	char key[KEY_SIZE];
	int size = snprintf(key, sizeof(key), "%s %u", endpoint->address, endpoint->port);

	if (!*endpoint->address || !endpoint->port || size < 0 || (size_t)size >= sizeof(key) ||
	    cox_map_has(&list->seen, key, (size_t)size))
		return;
	cox_map_put(&list->seen, key, (size_t)size, list);
	if (list->count == list->capacity) {
		size_t wanted = list->capacity ? list->capacity * 2 : 16;

		list->items = arena_grow(&list->build->arena, list->items,
					 list->capacity * sizeof(*list->items),
					 wanted * sizeof(*list->items));
		list->capacity = wanted;
	}
	list->items[list->count] = *endpoint;
	if (!strcmp(endpoint->node_name, list->build->node_name))
		list->items[list->count].flags |= COX_PROXY_LOCAL;
	list->count++;
}

/* What is not said is true for "ready" and as "ready" for "serving". */
static uint32_t conditions(const struct cox_value *endpoint)
{
	const struct cox_value *ready = objects->get(endpoint, "conditions.ready");
	const struct cox_value *serving = objects->get(endpoint, "conditions.serving");
	bool is_ready = objects->kind(ready) != COX_VALUE_BOOL || objects->boolean(ready, "");
	bool is_serving =
		objects->kind(serving) == COX_VALUE_BOOL ? objects->boolean(serving, "") : is_ready;

	return (is_ready ? COX_PROXY_READY : 0) | (is_serving ? COX_PROXY_SERVING : 0) |
	       (objects->boolean(endpoint, "conditions.terminating") ? COX_PROXY_TERMINATING : 0);
}

static void gather_slice(struct gathering *list, const struct cox_value *slice, uint16_t port)
{
	const struct cox_value *all = objects->get(slice, "endpoints"), *one;

	for (size_t i = 0; (one = objects->at(all, i, NULL)); i++) {
		const struct cox_proxy_endpoint endpoint = {
			.address = objects->text(one, "addresses[0]"),
			.node_name = objects->text(one, "nodeName"),
			.zone = objects->text(one, "zone"),
			.port = port,
			.flags = conditions(one),
		};

		gather(list, &endpoint);
	}
}

static void gather_addresses(struct gathering *list, const struct cox_value *all, uint16_t port,
			     uint32_t flags)
{
	const struct cox_value *one;

	for (size_t i = 0; (one = objects->at(all, i, NULL)); i++) {
		const struct cox_proxy_endpoint endpoint = {
			.address = objects->text(one, "ip"),
			.node_name = objects->text(one, "nodeName"),
			.zone = "",
			.port = port,
			.flags = flags,
		};

		gather(list, &endpoint);
	}
}

/* The number that a list of ports has for the one that is gathered; 0: none. */
static uint16_t find_port(const struct gathering *list, const struct cox_value *ports)
{
	const struct cox_value *port;

	for (size_t i = 0; (port = objects->at(ports, i, NULL)); i++) {
		if (!strcmp(objects->text(port, "name"), list->name) &&
		    !strcmp(protocol_of(port), list->protocol))
			return port_number(port, "port");
	}
	return 0;
}

static void gather_source(struct gathering *list, const struct cox_value *source)
{
	const struct cox_value *subsets = objects->get(source, "subsets"), *subset;
	uint16_t port = find_port(list, objects->get(source, "ports"));

	if (strcmp(objects->text(source, "addressType"), "FQDN") != 0 && port)
		gather_slice(list, source, port);
	for (size_t i = 0; (subset = objects->at(subsets, i, NULL)); i++) {
		port = find_port(list, objects->get(subset, "ports"));
		gather_addresses(list, objects->get(subset, "addresses"), port,
				 COX_PROXY_READY | COX_PROXY_SERVING);
		gather_addresses(list, objects->get(subset, "notReadyAddresses"), port, 0);
	}
}

void build_service(struct build *build, const struct cox_object *object,
		   struct cox_object *const *sources, size_t count)
{
	struct cox_proxy_service service = {.namespace_name = object_namespace(object),
					    .name = object_name(object)};

	take_service(build, keep(build, object), &service);
	cox_vec_push(&build->services, service);
	for (size_t i = 0; i < count; i++)
		keep(build, sources[i]);
	for (size_t i = 0; i < service.port_count; i++) {
		struct gathering list = {.build = build,
					 .name = service.ports[i].name,
					 .protocol = service.ports[i].protocol};
		struct cox_proxy_endpoints found = {.struct_size = sizeof(found),
						    .namespace_name = service.namespace_name,
						    .service = service.name,
						    .port_name = list.name,
						    .protocol = list.protocol};

		for (size_t k = 0; k < count; k++)
			gather_source(&list, objects->root(sources[k]));
		found.endpoints = list.items;
		found.endpoint_count = list.count;
		cox_vec_push(&build->endpoints, found);
		cox_map_free(&list.seen);
	}
}

void build_gone(struct build *build, const char *namespace_name, const char *name)
{
	const struct cox_proxy_name gone = {arena_strdup(&build->arena, namespace_name),
					    arena_strdup(&build->arena, name)};

	cox_vec_push(&build->gone, gone);
}

void build_update(const struct build *build, bool full, struct cox_proxy_update *update)
{
	*update = (struct cox_proxy_update){
		.struct_size = sizeof(*update),
		.flags = full ? COX_PROXY_FULL : 0,
		.services = build->services.items,
		.service_count = build->services.count,
		.endpoints = build->endpoints.items,
		.endpoints_count = build->endpoints.count,
		.gone = build->gone.items,
		.gone_count = build->gone.count,
	};
}
