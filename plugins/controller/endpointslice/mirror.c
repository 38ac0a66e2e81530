/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that people and other programs write for services without a
 * selector are copied into slices, so that who reads slices sees them too.
 */
#include "endpointslice.h"

#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <string.h>

#define SKIP "endpointslice.kubernetes.io/skip-mirror"
#define LEADER "control-plane.alpha.kubernetes.io/leader"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

enum { ADDRESSES_MAX = 1000 }; /* of a subset; more are not copied */

static bool is_mirrored(const struct cox_objects *objects, const struct cox_object *endpoints,
			const struct cox_object *service)
{
	const struct cox_value *metadata = objects->get(objects->root(endpoints), "metadata");

	return endpoints && service && !cox_deleting(objects, endpoints) &&
	       !objects->count(objects->get(objects->root(service), "spec.selector")) &&
	       strcmp(objects->text(metadata, "labels[\"" SKIP "\"]"), "true") != 0 &&
	       !*objects->text(metadata, "annotations[\"" LEADER "\"]");
}

static void write_ports(const struct cox_objects *objects, const struct cox_value *subset,
			struct cox_buf *out)
{
	const struct cox_value *list = objects->get(subset, "ports"), *item;
	struct cox_json json = COX_JSON_INIT(out);

	cox_json_array(&json, NULL);
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		const char *protocol = objects->text(item, "protocol");
		const struct services_port port = {.name = objects->text(item, "name"),
						   .protocol = *protocol ? protocol : "TCP",
						   .app_protocol =
							   objects->text(item, "appProtocol"),
						   .number = objects->integer(item, "port", 0)};

		endpointslice_write_port(&json, &port);
	}
	cox_json_end(&json);
}

static void add_addresses(struct slices *slices, const struct cox_value *subset, const char *which,
			  bool ready, const char *ports, size_t *room)
{
	const struct cox_objects *objects = slices->cluster->objects;
	const struct cox_value *list = objects->get(subset, which), *item;

	for (size_t i = 0; *room && (item = objects->at(list, i, NULL)); i++, --*room) {
		const char *address = objects->text(item, "ip");
		struct cox_buf text = COX_BUF_INIT;
		struct cox_json json = COX_JSON_INIT(&text);

		cox_json_object(&json, NULL);
		cox_json_array(&json, "addresses");
		cox_json_text(&json, NULL, address);
		cox_json_end(&json);
		cox_json_object(&json, "conditions");
		cox_json_bool(&json, "ready", ready);
		cox_json_end(&json);
		cox_json_text_set(&json, "hostname", objects->text(item, "hostname"));
		cox_json_text_set(&json, "nodeName", objects->text(item, "nodeName"));
		cox_json_value(&json, "targetRef", objects, objects->get(item, "targetRef"));
		cox_json_end(&json);
		slices_add(slices_group(slices, strchr(address, ':') ? "IPv6" : "IPv4", ports),
			   cox_buf_steal(&text));
	}
}

static void add_subsets(struct slices *slices, const struct cox_object *endpoints)
{
	const struct cox_objects *objects = slices->cluster->objects;
	const struct cox_value *subsets = objects->get(objects->root(endpoints), "subsets");
	const struct cox_value *subset;

	for (size_t i = 0; (subset = objects->at(subsets, i, NULL)); i++) {
		cox_autobuf ports = COX_BUF_INIT;
		size_t room = ADDRESSES_MAX;

		write_ports(objects, subset, &ports);
		add_addresses(slices, subset, "addresses", true, ports.data, &room);
		add_addresses(slices, subset, "notReadyAddresses", false, ports.data, &room);
	}
}

static void write_annotations(const struct cox_objects *objects, const struct cox_object *endpoints,
			      struct cox_buf *out)
{
	const struct cox_value *all =
		objects->get(objects->root(endpoints), "metadata.annotations");
	const struct cox_value *item;
	struct cox_json json = COX_JSON_INIT(out);
	const char *key;

	cox_json_object(&json, NULL);
	for (size_t i = 0; (item = objects->at(all, i, &key)); i++) {
		/* The one says nothing of the slice, the other would be old when it changes. */
		if (strcmp(key, LAST_APPLIED) != 0 && strcmp(key, SLICE_TRIGGER_TIME) != 0)
			cox_json_value(&json, key, objects, item);
	}
	cox_json_end(&json);
}

static void write_owner(const struct cox_objects *objects, const struct cox_object *endpoints,
			struct cox_buf *out)
{
	struct cox_json json = COX_JSON_INIT(out);

	cox_json_array(&json, NULL);
	if (endpoints)
		cox_owner_write(&json, objects, "v1", "Endpoints", endpoints);
	cox_json_end(&json);
}

int mirror_reconcile(struct endpointslice *self, const struct cox_call *call, const char *key,
		     struct cox_error *err)
{
	const struct cox_cluster *cluster = self->services.cluster;
	const struct cox_objects *objects = cluster->objects;
	cox_autokey place = cox_key_split(key);
	cox_autobuf labels = COX_BUF_INIT;
	cox_autobuf annotations = COX_BUF_INIT;
	cox_autobuf owners = COX_BUF_INIT;
	struct slices slices = {.cluster = cluster,
				.call = call,
				.expect = self->mirror_expect,
				.key = key,
				.namespace_name = place.namespace_name,
				.name = place.name};
	struct cox_object *endpoints, *service;
	int failed = 0;

	if (!cox_expect_met(self->mirror_expect, key))
		return 0;
	endpoints = cluster->get(self->endpoints_lister, place.namespace_name, place.name);
	service = cluster->get(self->services.service_lister, place.namespace_name, place.name);
	endpointslice_existing(self, MIRROR_MANAGER, key, &slices);
	if (is_mirrored(objects, endpoints, service))
		add_subsets(&slices, endpoints);
	/* Without groups all that exists goes. */
	if (slices.group_count || slices.existing_count) {
		endpointslice_write_labels(self, endpoints, MIRROR_MANAGER, false, &labels);
		write_annotations(objects, endpoints, &annotations);
		write_owner(objects, endpoints, &owners);
		slices.labels = labels.data;
		slices.annotations = annotations.data;
		slices.annotated = true;
		slices.owners = owners.data;
		failed = slices_reconcile(&slices, err);
	}
	slices_free(&slices);
	objects->unref(endpoints);
	objects->unref(service);
	return failed;
}
