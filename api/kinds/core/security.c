/* SPDX-License-Identifier: Apache-2.0 */
/* The security contexts of a pod and of its containers. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

/* A profile of the node is named if and only if the type says so. */
static void validate_profile(struct validation *v, const struct field_path *at,
			     const struct value *profile, const char *kind, const char *may)
{
	const struct value *name = value_get(profile, "localhostProfile");
	const struct field_path *here = FIELD(at, "localhostProfile");

	if (!profile)
		return;
	if (!text_is(profile, "type", "Localhost")) {
		if (!is_unset(name))
			field_invalid(v, here, name, "%s only be set when %s type is Localhost",
				      may, kind);
	} else if (is_unset(name)) {
		field_required(
			v, here,
			arena_printf(v->arena, "must be set when %s type is Localhost", kind));
	} else if (strcmp(kind, "seccomp") == 0) {
		validate_inner_path(v, here, name);
	}
}

static void validate_profiles(struct validation *v, const struct field_path *at,
			      const struct value *context)
{
	validate_profile(v, FIELD(at, "seccompProfile"), value_get(context, "seccompProfile"),
			 "seccomp", "can");
	validate_profile(v, FIELD(at, "appArmorProfile"), value_get(context, "appArmorProfile"),
			 "AppArmor", "may");
}

void validate_container_security(struct validation *v, const struct field_path *at,
				 const struct value *context)
{
	const struct value *escalation = value_get(context, "allowPrivilegeEscalation");
	const struct value *added = value_path(context, "capabilities.add");

	validate_profiles(v, at, context);
	if (!value_is(escalation, VALUE_BOOL) || escalation->boolean)
		return;
	if (value_get_bool(context, "privileged"))
		field_invalid(v, at, context,
			      "cannot set `allowPrivilegeEscalation` to false and `privileged` to "
			      "true");
	for
		each_entry(added, i)
		{
			if (value_string_is(value_at(added, i), "CAP_SYS_ADMIN"))
				field_invalid(v, at, context,
					      "cannot set `allowPrivilegeEscalation` to false and "
					      "`capabilities.Add` CAP_SYS_ADMIN");
		}
}

static bool is_sysctl_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Parts between dots or slashes, each like a host name that may hold "_". */
static void check_sysctl(const char *text, size_t size, struct names_problems *problems)
{
	bool good = size <= NAMES_SUBDOMAIN_MAX;

	for (size_t i = 0; i < size && good; i++) {
		bool separator = text[i] == '.' || text[i] == '/';
		bool first = i == 0 || text[i - 1] == '.' || text[i - 1] == '/';
		bool last = i + 1 == size || text[i + 1] == '.' || text[i + 1] == '/';

		if (separator)
			good = !first && i + 1 < size;
		else
			good = is_sysctl_letter(text[i]) ||
			       ((text[i] == '-' || text[i] == '_') && !first && !last);
	}
	if (!good)
		problems->text[problems->count++] =
			"must have at most 253 characters and match regex "
			"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
}

static void validate_sysctls(struct validation *v, const struct field_path *at,
			     const struct value *sysctls)
{
	struct cox_map seen = COX_MAP_INIT;

	for
		each_entry(sysctls, i)
		{
			const struct value *name = value_get(value_at(sysctls, i), "name");
			const struct field_path *here = FIELD(FIELD_INDEX(at, i), "name");

			if (is_unset(name))
				continue;
			validate_text(v, here, name, check_sysctl);
			if (cox_map_put(&seen, name->text, name->count, &seen))
				field_duplicate(v, here, name);
		}
	cox_map_free(&seen);
}

void validate_pod_security(struct validation *v, const struct field_path *at,
			   const struct value *context)
{
	const struct value *groups = value_get(context, "supplementalGroups");

	validate_profiles(v, at, context);
	validate_sysctls(v, FIELD(at, "sysctls"), value_get(context, "sysctls"));
	for
		each_entry(groups, i)
		{
			const struct value *group = value_at(groups, i);

			if (value_is(group, VALUE_INT) &&
			    (group->integer < 0 || group->integer > INT32_MAX))
				field_invalid(v, FIELD_INDEX(FIELD(at, "supplementalGroups"), i),
					      group, "must be between 0 and 2147483647, inclusive");
		}
}
