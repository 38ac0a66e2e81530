/* SPDX-License-Identifier: Apache-2.0 */
/* API services: called after what they offer, here or at a service that can be trusted. */
#include "machinery/kinds.h"

enum { GROUP_PRIORITY_MAX = 20000, VERSION_PRIORITY_MAX = 1000 };

static void validate_priority(struct validation *v, const struct field_path *at,
			      const struct value *priority, int most)
{
	static const struct value zero = {.kind = VALUE_INT};
	const struct value *shown = priority ? priority : &zero;

	if (shown->integer <= 0 || shown->integer > most)
		field_invalid(v, at, shown, "must be positive and less than %d", most);
}

static void validate_target(struct validation *v, const struct field_path *at,
			    const struct value *spec)
{
	static const char *const parts[] = {"namespace", "name"};
	const struct value *service = value_get(spec, "service");
	const struct value *bundle = value_get(spec, "caBundle");
	const struct value *port = value_get(service, "port");

	if (!service) {
		if (!is_unset(bundle))
			field_invalid_text(v, FIELD(at, "caBundle"),
					   arena_printf(v->arena, "%u bytes", bundle->count),
					   "local APIServices may not have a caBundle");
		if (value_get_bool(spec, "insecureSkipTLSVerify"))
			field_invalid(v, FIELD(at, "insecureSkipTLSVerify"),
				      value_get(spec, "insecureSkipTLSVerify"),
				      "local APIServices may not have insecureSkipTLSVerify");
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		if (is_unset(value_get(service, parts[i])))
			field_required(v, FIELD(FIELD(at, "service"), parts[i]), "");
	}
	if (port && (port->integer < 1 || port->integer > 65535))
		field_invalid(v, FIELD(FIELD(at, "service"), "port"), port,
			      "port is not valid: must be between 1 and 65535, inclusive");
	if (value_get_bool(spec, "insecureSkipTLSVerify") && !is_unset(bundle))
		field_invalid(v, FIELD(at, "insecureSkipTLSVerify"),
			      value_get(spec, "insecureSkipTLSVerify"),
			      "may not be true if caBundle is present");
}

static void validate_api_service(struct validation *v, const struct value *object)
{
	const struct field_path *at = FIELD(NULL, "spec");
	const struct value *spec = value_get(object, "spec");
	const struct value *name = value_path(object, "metadata.name");
	const struct value *group = value_get(spec, "group");
	const struct value *version = value_get(spec, "version");
	const char *wanted =
		arena_printf(v->arena, "%s.%s", value_text(version), value_text(group));
	static const struct value nothing = {.kind = VALUE_STRING, .text = ""};

	if (!value_string_is(name, wanted))
		field_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), name,
			      "must be `spec.version+\".\"+spec.group`: \"%s\"", wanted);
	if (!is_unset(group))
		validate_text(v, FIELD(at, "group"), group, names_dns_subdomain);
	else if (!value_string_is(version, "v1"))
		field_required(v, FIELD(at, "group"),
			       "only v1 may have an empty group and it better be legacy kube");
	validate_text(v, FIELD(at, "version"), version ? version : &nothing, names_service);
	validate_priority(v, FIELD(at, "groupPriorityMinimum"),
			  value_get(spec, "groupPriorityMinimum"), GROUP_PRIORITY_MAX);
	validate_priority(v, FIELD(at, "versionPriority"), value_get(spec, "versionPriority"),
			  VERSION_PRIORITY_MAX);
	validate_target(v, at, spec);
}

const struct kind_rules rules_apiservices = {"apiregistration.k8s.io", "apiservices",
					     validate_api_service, NULL};
