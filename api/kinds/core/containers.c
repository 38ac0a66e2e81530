/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of a pod: ports, environment, mounts, probes, resources. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static void validate_handler(struct validation *v, const struct field_path *at,
			     const struct value *handler)
{
	static const char *const kinds[] = {"exec", "httpGet", "tcpSocket", "grpc", "sleep"};
	const struct value *http = value_get(handler, "httpGet");
	const struct value *tcp = value_get(handler, "tcpSocket");
	size_t count = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!value_get(handler, kinds[i]))
			continue;
		if (count++ > 0)
			field_forbidden(v, FIELD(at, kinds[i]),
					"may not specify more than 1 handler type");
	}
	if (count == 0)
		field_required(v, at, "must specify a handler type");
	if (http)
		validate_port_or_name(v, FIELD(FIELD(at, "httpGet"), "port"),
				      value_get(http, "port"));
	if (tcp)
		validate_port_or_name(v, FIELD(FIELD(at, "tcpSocket"), "port"),
				      value_get(tcp, "port"));
	if (value_get(handler, "exec") && is_unset(value_path(handler, "exec.command")))
		field_required(v, FIELD(FIELD(at, "exec"), "command"), "");
}

static void validate_probe(struct validation *v, const struct field_path *at,
			   const struct value *container, const char *name)
{
	const struct value *probe = value_get(container, name);
	const struct field_path *here = FIELD(at, name);
	bool readiness = strcmp(name, "readinessProbe") == 0;

	if (!probe)
		return;
	validate_handler(v, here, probe);
	if (!readiness && value_get_int(probe, "successThreshold", 1) != 1)
		field_invalid(v, FIELD(here, "successThreshold"),
			      value_get(probe, "successThreshold"), "must be 1");
	if (readiness && value_get(probe, "terminationGracePeriodSeconds"))
		field_invalid(v, FIELD(here, "terminationGracePeriodSeconds"),
			      value_get(probe, "terminationGracePeriodSeconds"),
			      "must not be set for readinessProbes");
}

static void validate_ports(struct validation *v, const struct field_path *at,
			   const struct value *ports, bool host_network)
{
	struct cox_map names = COX_MAP_INIT;

	for
		each_entry(ports, i)
		{
			const struct value *port = value_at(ports, i);
			const struct value *name = value_get(port, "name");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (!is_unset(name) && cox_map_put(&names, name->text, name->count, &names))
				field_duplicate(v, FIELD(here, "name"), name);
			if (host_network && value_get_int(port, "hostPort", 0) !=
						    value_get_int(port, "containerPort", 0))
				field_invalid(v, FIELD(here, "containerPort"),
					      value_get(port, "containerPort"),
					      "must match `hostPort` when `hostNetwork` is true");
			if (!is_unset(value_get(port, "hostIP")))
				validate_text(v, FIELD(here, "hostIP"), value_get(port, "hostIP"),
					      names_ip);
		}
	cox_map_free(&names);
}

/* A field of the pod that a container may see in its environment. */
static bool is_env_field(const char *path)
{
	static const char *const fields[] = {"metadata.name",
					     "metadata.namespace",
					     "metadata.uid",
					     "spec.nodeName",
					     "spec.serviceAccountName",
					     "status.hostIP",
					     "status.hostIPs",
					     "status.podIP",
					     "status.podIPs"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (strcmp(fields[i], path) == 0)
			return true;
	}
	return (cox_starts_with(path, "metadata.labels['") ||
		cox_starts_with(path, "metadata.annotations['")) &&
	       cox_ends_with(path, "']");
}

static void validate_env(struct validation *v, const struct field_path *at, const struct value *env)
{
	for
		each_entry(env, i)
		{
			const struct value *from = value_get(value_at(env, i), "valueFrom");
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "valueFrom");
			const struct value *field = value_path(from, "fieldRef.fieldPath");
			size_t sources = count_set(from, NULL);

			if (!from)
				continue;
			if (sources == 0)
				field_invalid_text(
					v, here, "",
					"must specify one of: `fieldRef`, `resourceFieldRef`, "
					"`configMapKeyRef` or `secretKeyRef`");
			else if (!is_unset(value_get(value_at(env, i), "value")))
				field_invalid_text(
					v, here, "",
					"may not be specified when `value` is not empty");
			else if (sources > 1)
				field_invalid_text(
					v, here, "",
					"may not have more than one field specified at a time");
			if (!is_unset(field) && !is_env_field(value_text(field)))
				field_invalid(
					v, FIELD(FIELD(here, "fieldRef"), "fieldPath"), field,
					"error converting fieldPath: field label not supported: %s",
					value_text(field));
		}
}

static void validate_env_from(struct validation *v, const struct field_path *at,
			      const struct value *list)
{
	for
		each_entry(list, i)
		{
			const struct value *entry = value_at(list, i);
			size_t sources = (value_get(entry, "configMapRef") != NULL) +
					 (value_get(entry, "secretRef") != NULL);

			if (sources == 0)
				field_invalid_text(
					v, FIELD_INDEX(at, i), "",
					"must specify one of: `configMapRef` or `secretRef`");
			else if (sources > 1)
				field_invalid_text(
					v, FIELD_INDEX(at, i), "",
					"may not have more than one field specified at a time");
		}
}

static bool has_volume(const struct value *volumes, const struct value *name)
{
	for
		each_entry(volumes, i)
		{
			if (value_string_is(value_get(value_at(volumes, i), "name"),
					    value_text(name)))
				return true;
		}
	return false;
}

static void validate_mounts(struct validation *v, const struct field_path *at,
			    const struct value *mounts, const struct value *volumes)
{
	struct cox_map places = COX_MAP_INIT;

	for
		each_entry(mounts, i)
		{
			const struct value *mount = value_at(mounts, i);
			const struct value *name = value_get(mount, "name");
			const struct value *place = value_get(mount, "mountPath");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (!is_unset(name) && !has_volume(volumes, name))
				field_not_found(v, FIELD(here, "name"), name);
			if (!is_unset(place) &&
			    cox_map_put(&places, place->text, place->count, &places))
				field_invalid(v, FIELD(here, "mountPath"), place, "must be unique");
			validate_inner_path(v, FIELD(here, "subPath"), value_get(mount, "subPath"));
			validate_inner_path(v, FIELD(here, "subPathExpr"),
					    value_get(mount, "subPathExpr"));
			if (!is_unset(value_get(mount, "subPath")) &&
			    !is_unset(value_get(mount, "subPathExpr")))
				field_invalid(v, FIELD(here, "subPathExpr"),
					      value_get(mount, "subPathExpr"),
					      "subPathExpr and subPath are mutually exclusive");
		}
	cox_map_free(&places);
}

static void validate_devices(struct validation *v, const struct field_path *at,
			     const struct value *devices, const struct value *volumes)
{
	for
		each_entry(devices, i)
		{
			const struct value *name = value_get(value_at(devices, i), "name");

			if (!is_unset(name) && !has_volume(volumes, name))
				field_not_found(v, FIELD(FIELD_INDEX(at, i), "name"), name);
		}
}

static void validate_lifecycle(struct validation *v, const struct field_path *at,
			       const struct value *lifecycle)
{
	static const char *const names[] = {"postStart", "preStop"};

	for (size_t i = 0; i < 2; i++) {
		if (value_get(lifecycle, names[i]))
			validate_handler(v, FIELD(at, names[i]), value_get(lifecycle, names[i]));
	}
}

static void validate_container(struct validation *v, const struct field_path *at,
			       const struct value *container, const struct value *spec)
{
	static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	const struct value *image = value_get(container, "image");
	const struct value *security = value_get(container, "securityContext");
	const struct value *escalation = value_get(security, "allowPrivilegeEscalation");
	const struct value *volumes = value_get(spec, "volumes");

	if (!is_unset(image) &&
	    (strchr(" \t\r\n", image->text[0]) || strchr(" \t\r\n", image->text[image->count - 1])))
		field_invalid(v, FIELD(at, "image"), image,
			      "must not have leading or trailing whitespace");
	validate_ports(v, FIELD(at, "ports"), value_get(container, "ports"),
		       value_get_bool(spec, "hostNetwork"));
	validate_env(v, FIELD(at, "env"), value_get(container, "env"));
	validate_env_from(v, FIELD(at, "envFrom"), value_get(container, "envFrom"));
	validate_mounts(v, FIELD(at, "volumeMounts"), value_get(container, "volumeMounts"),
			volumes);
	validate_devices(v, FIELD(at, "volumeDevices"), value_get(container, "volumeDevices"),
			 volumes);
	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		validate_probe(v, at, container, probes[i]);
	validate_lifecycle(v, FIELD(at, "lifecycle"), value_get(container, "lifecycle"));
	validate_resources(v, FIELD(at, "resources"), value_get(container, "resources"));
	if (value_is(escalation, VALUE_BOOL) && !escalation->boolean &&
	    value_get_bool(security, "privileged"))
		field_invalid(v, FIELD(at, "securityContext"), security,
			      "cannot set `allowPrivilegeEscalation` to false and `privileged` to "
			      "true");
}

/* What an init container that ends by itself cannot have. */
static void validate_init_container(struct validation *v, const struct field_path *at,
				    const struct value *container)
{
	static const char *const fields[] = {"lifecycle", "livenessProbe", "readinessProbe",
					     "startupProbe"};
	const struct value *restart = value_get(container, "restartPolicy");

	if (value_string_is(restart, "Always"))
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (value_get(container, fields[i]))
			field_forbidden(v, FIELD(at, fields[i]),
					"may not be set for init containers without "
					"restartPolicy=Always");
	}
}

/* One name for each container of the pod, whatever list it is in. */
static void validate_names(struct validation *v, const struct field_path *at,
			   const struct value *list, struct cox_map *names, bool own)
{
	for
		each_entry(list, i)
		{
			const struct value *name = value_get(value_at(list, i), "name");

			/* Twins in one list were told by the walk over the tables. */
			if (is_unset(name))
				continue;
			if (!own && cox_map_has(names, name->text, name->count))
				field_duplicate(v, FIELD(FIELD_INDEX(at, i), "name"), name);
		}
	for
		each_entry(list, i)
		{
			const struct value *name = value_get(value_at(list, i), "name");

			if (!is_unset(name))
				(void)cox_map_put(names, name->text, name->count, names);
		}
}

static void validate_host_ports(struct validation *v, const struct field_path *at,
				const struct value *list, struct cox_map *taken)
{
	for
		each_entry(list, i)
		{
			const struct value *ports = value_get(value_at(list, i), "ports");

		for
			each_entry(ports, k)
			{
				const struct value *port = value_at(ports, k);
				const char *key;

				if (value_get_int(port, "hostPort", 0) == 0)
					continue;
				key = arena_printf(v->arena, "%s/%s/%lld",
						   value_get_text(port, "protocol"),
						   value_get_text(port, "hostIP"),
						   (long long)value_get_int(port, "hostPort", 0));
				if (cox_map_put(taken, key, strlen(key), taken))
					field_duplicate(v,
							FIELD(FIELD_INDEX(FIELD(FIELD_INDEX(at, i),
										"ports"),
									  k),
							      "hostPort"),
							value_string(v->arena, key));
			}
		}
}

void validate_containers(struct validation *v, const struct field_path *at,
			 const struct value *spec)
{
	static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
	struct cox_map names = COX_MAP_INIT, ports = COX_MAP_INIT;

	for (size_t l = 0; l < sizeof(lists) / sizeof(*lists); l++) {
		const struct value *list = value_get(spec, lists[l]);
		const struct field_path *here = FIELD(at, lists[l]);

		validate_names(v, here, list, &names, l == 0);
		for
			each_entry(list, i)
			{
				validate_container(v, FIELD_INDEX(here, i), value_at(list, i),
						   spec);
				if (l == 1)
					validate_init_container(v, FIELD_INDEX(here, i),
								value_at(list, i));
			}
	}
	validate_host_ports(v, FIELD(at, "containers"), value_get(spec, "containers"), &ports);
	cox_map_free(&names);
	cox_map_free(&ports);
}
