/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of a pod: ports, environment, mounts, probes, resources. */
#include "base/character.h"
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

static void validate_env(struct validation *v, const struct field_path *at, const struct value *env)
{
	for
		each_entry(env, i)
		{
			const struct value *from = value_get(value_at(env, i), "valueFrom");
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "valueFrom");
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
			validate_env_refs(v, here, from);
			validate_text(v, FIELD(FIELD(here, "secretKeyRef"), "key"),
				      value_path(from, "secretKeyRef.key"), names_config_key);
			validate_text(v, FIELD(FIELD(here, "configMapKeyRef"), "key"),
				      value_path(from, "configMapKeyRef.key"), names_config_key);
		}
}

static void validate_env_from(struct validation *v, const struct field_path *at,
			      const struct value *list)
{
	for
		each_entry(list, i)
		{
			static const char *const refs[] = {"configMapRef", "secretRef"};
			const struct value *entry = value_at(list, i);
			const struct value *prefix = value_get(entry, "prefix");
			size_t sources = 0;

			if (!is_unset(prefix))
				validate_text(v, FIELD(FIELD_INDEX(at, i), "prefix"), prefix,
					      names_env);
			for (size_t r = 0; r < 2; r++) {
				const struct value *ref = value_get(entry, refs[r]);

				sources += ref != NULL;
				if (ref && is_unset(value_get(ref, "name")))
					field_required(
						v,
						FIELD(FIELD(FIELD_INDEX(at, i), refs[r]), "name"),
						"");
			}

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

static const struct value *find_volume(const struct value *volumes, const struct value *name)
{
	for
		each_entry(volumes, i)
		{
			if (value_string_is(value_get(value_at(volumes, i), "name"),
					    value_text(name)))
				return value_at(volumes, i);
		}
	return NULL;
}

/* What a mount says of those that come below it later. */
static void validate_mount_modes(struct validation *v, const struct field_path *at,
				 const struct value *mount, const struct value *security)
{
	const struct value *recursive = value_get(mount, "recursiveReadOnly");

	if (text_is(mount, "mountPropagation", "Bidirectional") &&
	    !value_get_bool(security, "privileged"))
		field_forbidden(v, FIELD(at, "mountPropagation"),
				"Bidirectional mount propagation is available only to privileged "
				"containers");
	if (is_unset(recursive) || value_string_is(recursive, "Disabled"))
		return;
	if (!value_get_bool(mount, "readOnly"))
		field_forbidden(v, FIELD(at, "recursiveReadOnly"),
				"may only be specified when readOnly is true");
	if (!is_unset(value_get(mount, "mountPropagation")) &&
	    !text_is(mount, "mountPropagation", "None"))
		field_forbidden(v, FIELD(at, "recursiveReadOnly"),
				"may only be specified when mountPropagation is None or not "
				"specified");
}

static void validate_mounts(struct validation *v, const struct field_path *at,
			    const struct value *container, const struct value *volumes)
{
	const struct value *mounts = value_get(container, "volumeMounts");
	struct cox_map places = COX_MAP_INIT;

	for
		each_entry(mounts, i)
		{
			const struct value *mount = value_at(mounts, i);
			const struct value *name = value_get(mount, "name");
			const struct value *place = value_get(mount, "mountPath");
			const struct field_path *here = FIELD_INDEX(at, i);

			if (!is_unset(name) && !find_volume(volumes, name))
				field_not_found(v, FIELD(here, "name"), name);
			validate_mount_modes(v, here, mount,
					     value_get(container, "securityContext"));
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
			const struct value *volume = find_volume(volumes, name);
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "name");

			if (is_unset(name))
				continue;
			if (!volume)
				field_not_found(v, here, name);
			else if (!value_get(volume, "persistentVolumeClaim") &&
				 !value_get(volume, "ephemeral"))
				field_invalid(v, here, name,
					      "can only use volume source type of "
					      "PersistentVolumeClaim or Ephemeral for block mode");
		}
}

static void validate_lifecycle(struct validation *v, const struct field_path *at,
			       const struct value *lifecycle, const struct value *spec)
{
	static const char *const names[] = {"postStart", "preStop"};
	int64_t grace = value_get_int(spec, "terminationGracePeriodSeconds", 30);

	for (size_t i = 0; i < 2; i++) {
		const struct value *handler = value_get(lifecycle, names[i]);
		const struct value *sleep = value_get(handler, "sleep");
		int64_t seconds = value_get_int(sleep, "seconds", 0);
		const struct field_path *here = FIELD(at, names[i]);

		if (handler)
			validate_handler(v, here, handler);
		if (sleep && (seconds < 0 || seconds > grace))
			field_invalid(v, FIELD(FIELD(here, "sleep"), "seconds"),
				      value_get(sleep, "seconds"),
				      "must be non-negative and less than "
				      "terminationGracePeriodSeconds (%lld)",
				      (long long)grace);
	}
}

static void validate_resize_policies(struct validation *v, const struct field_path *at,
				     const struct value *policies)
{
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(policies, i)
		{
			const struct value *name = value_get(value_at(policies, i), "resourceName");

			if (!is_unset(name) && cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, at, name);
		}
	cox_map_free(&seen);
}

/* Huge pages alone would leave nothing that a container can run in. */
static void validate_huge_pages(struct validation *v, const struct field_path *at,
				const struct value *resources)
{
	static const char *const lists[] = {"limits", "requests"};
	bool huge = false, other = false;

	for (size_t l = 0; l < 2; l++) {
		const struct value *amounts = value_get(resources, lists[l]);

		for
			each_member(amounts, i)
			{
				const char *name = amounts->object.members[i].key;

				huge = huge || cox_starts_with(name, "hugepages-");
				other = other || strcmp(name, "cpu") == 0 ||
					strcmp(name, "memory") == 0;
			}
	}
	if (huge && !other)
		field_forbidden(v, at, "HugePages require cpu or memory");
}

/* Of any script: an image named with a no-break space would never be found. */
static bool is_space(uint32_t code)
{
	static const uint32_t spaces[] = {0x20,	  0x85,	  0xa0,	  0x1680, 0x2028,
					  0x2029, 0x202f, 0x205f, 0x3000};

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
		if (code == spaces[i])
			return true;
	return (code >= '\t' && code <= '\r') || (code >= 0x2000 && code <= 0x200a);
}

static bool has_outer_space(const struct value *text)
{
	size_t last = text->count - 1;
	uint32_t code = 0;

	if (character_decode(text->text, text->count, &code) && is_space(code))
		return true;
	while (last && ((unsigned char)text->text[last] & 0xc0) == 0x80)
		last--;
	return character_decode(text->text + last, text->count - last, &code) && is_space(code);
}

static void validate_container(struct validation *v, const struct field_path *at,
			       const struct value *container, const struct value *spec)
{
	static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	const struct value *image = value_get(container, "image");
	const struct value *volumes = value_get(spec, "volumes");

	if (!is_unset(image) && has_outer_space(image))
		field_invalid(v, FIELD(at, "image"), image,
			      "must not have leading or trailing whitespace");
	validate_ports(v, FIELD(at, "ports"), value_get(container, "ports"),
		       value_get_bool(spec, "hostNetwork"));
	validate_env(v, FIELD(at, "env"), value_get(container, "env"));
	validate_env_from(v, FIELD(at, "envFrom"), value_get(container, "envFrom"));
	validate_mounts(v, FIELD(at, "volumeMounts"), container, volumes);
	validate_devices(v, FIELD(at, "volumeDevices"), value_get(container, "volumeDevices"),
			 volumes);
	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		validate_probe(v, at, container, probes[i]);
	validate_lifecycle(v, FIELD(at, "lifecycle"), value_get(container, "lifecycle"), spec);
	validate_resources(v, FIELD(at, "resources"), value_get(container, "resources"));
	validate_huge_pages(v, FIELD(at, "resources"), value_get(container, "resources"));
	validate_resize_policies(v, FIELD(at, "resizePolicy"),
				 value_get(container, "resizePolicy"));
	validate_container_security(v, FIELD(at, "securityContext"),
				    value_get(container, "securityContext"));
}

enum { RULES_MAX = 20, EXIT_CODES_MAX = 255 };

static bool is_one_of(const struct value *text, const char *const *supported)
{
	for (; *supported; supported++) {
		if (value_string_is(text, *supported))
			return true;
	}
	return false;
}

static void validate_rule(struct validation *v, const struct field_path *at,
			  const struct value *rule)
{
	static const char *const actions[] = {"Restart", NULL};
	static const char *const operators[] = {"In", "NotIn", NULL};
	const struct value *action = value_get(rule, "action");
	const struct value *codes = value_get(rule, "exitCodes");
	const struct field_path *here = FIELD(at, "exitCodes");
	const struct value *operator= value_get(codes, "operator");
	const struct value *values = value_get(codes, "values");

	/* What is missing was told by the walk over the tables. */
	if (!is_unset(action) && !is_one_of(action, actions))
		field_not_supported(v, FIELD(at, "action"), action, actions);
	if (!codes || codes->kind == VALUE_NULL) {
		field_required(v, here, "must be specified");
		return;
	}
	if (!is_unset(operator) && !is_one_of(operator, operators))
		field_not_supported(v, FIELD(here, "operator"), operator, operators);
	if (values && values->count > EXIT_CODES_MAX)
		field_too_many(v, FIELD(here, "values"), values->count, EXIT_CODES_MAX);
}

/* A restart policy of its own, and rules that come before it. */
static void validate_restart(struct validation *v, const struct field_path *at,
			     const struct value *container)
{
	static const char *const policies[] = {"Always", "Never", "OnFailure", NULL};
	const struct value *policy = value_get(container, "restartPolicy");
	const struct value *rules = value_get(container, "restartPolicyRules");
	const struct field_path *here = FIELD(at, "restartPolicyRules");

	if (is_unset(policy)) {
		if (value_at(rules, 0))
			field_required(v, FIELD(at, "restartPolicy"),
				       "must specify restartPolicy when restart rules are used");
	} else if (!is_one_of(policy, policies)) {
		field_not_supported(v, FIELD(at, "restartPolicy"), policy, policies);
	}
	if (rules && rules->count > RULES_MAX)
		field_too_many(v, here, rules->count, RULES_MAX);
	for
		each_entry(rules, i)
		{
			validate_rule(v, FIELD_INDEX(here, i), value_at(rules, i));
		}
}

/* Who debugs a pod starts another one. */
static void refuse_restart(struct validation *v, const struct field_path *at,
			   const struct value *container)
{
	static const char *const fields[] = {"restartPolicy", "restartPolicyRules"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (!is_unset(value_get(container, fields[i])))
			field_forbidden(v, FIELD(at, fields[i]),
					"cannot be set for an Ephemeral Container");
	}
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
				(l == 2 ? refuse_restart : validate_restart)(
					v, FIELD_INDEX(here, i), value_at(list, i));
				if (l == 1)
					validate_init_container(v, FIELD_INDEX(here, i),
								value_at(list, i));
			}
	}
	validate_host_ports(v, FIELD(at, "containers"), value_get(spec, "containers"), &ports);
	cox_map_free(&names);
	cox_map_free(&ports);
}
