/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pods. */
#include <coxswain/kit/pods.h>

#include <coxswain/kit/meta.h>
#include <string.h>

bool cox_pod_ready(const struct cox_objects *objects, const struct cox_object *pod)
{
	return cox_condition_is(objects, pod, "Ready", "True");
}

bool cox_pod_ended(const struct cox_objects *objects, const struct cox_object *pod)
{
	const char *phase = objects->text(objects->root(pod), "status.phase");

	return !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
}

/* Ports that a list of containers names; 0: none of them. */
static int64_t named_port(const struct cox_objects *objects, const struct cox_value *containers,
			  bool sidecars_only, const char *name, const char *protocol)
{
	const struct cox_value *container, *port;

	for (size_t i = 0; (container = objects->at(containers, i, NULL)); i++) {
		const struct cox_value *ports = objects->get(container, "ports");

		if (sidecars_only &&
		    strcmp(objects->text(container, "restartPolicy"), "Always") != 0)
			continue;
		for (size_t j = 0; (port = objects->at(ports, j, NULL)); j++) {
			const char *given = objects->text(port, "protocol");

			if (!strcmp(objects->text(port, "name"), name) &&
			    !strcmp(*given ? given : "TCP", protocol))
				return objects->integer(port, "containerPort", 0);
		}
	}
	return 0;
}

int64_t cox_pod_port(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_value *target, const char *protocol)
{
	const struct cox_value *root = objects->root(pod);
	const char *name = objects->text(target, "");
	int64_t port;

	if (objects->kind(target) == COX_VALUE_INTEGER)
		return objects->integer(target, "", 0);
	if (!*name)
		return 0;
	port = named_port(objects, objects->get(root, "spec.containers"), false, name, protocol);
	/* Init containers that stay are servers too. */
	return port ? port
		    : named_port(objects, objects->get(root, "spec.initContainers"), true, name,
				 protocol);
}

const char *cox_pod_address(const struct cox_objects *objects, const struct cox_object *pod,
			    bool ipv6)
{
	const struct cox_value *status = objects->get(objects->root(pod), "status");
	const struct cox_value *list = objects->get(status, "podIPs"), *item;
	const char *address;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		address = objects->text(item, "ip");
		if (*address && !strchr(address, ':') == !ipv6)
			return address;
	}
	address = objects->text(status, "podIP");
	return *address && !strchr(address, ':') == !ipv6 ? address : "";
}
