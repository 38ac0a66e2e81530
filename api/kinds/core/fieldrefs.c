/* SPDX-License-Identifier: Apache-2.0 */
/* What a container may see of its pod: in its environment, and in volumes. */
#include "machinery/kinds.h"

static const char *const env_fields[] = {"metadata.name",
					 "metadata.namespace",
					 "metadata.uid",
					 "spec.nodeName",
					 "spec.serviceAccountName",
					 "status.hostIP",
					 "status.hostIPs",
					 "status.podIP",
					 "status.podIPs",
					 NULL};
static const char *const volume_fields[] = {"metadata.annotations", "metadata.labels",
					    "metadata.name",	    "metadata.namespace",
					    "metadata.uid",	    NULL};

static bool is_listed(const char *const *list, const char *text)
{
	for (; *list; list++) {
		if (strcmp(*list, text) == 0)
			return true;
	}
	return false;
}

/* One label or annotation: metadata.labels['KEY'] */
static bool is_entry(const char *path)
{
	return (cox_starts_with(path, "metadata.labels['") ||
		cox_starts_with(path, "metadata.annotations['")) &&
	       cox_ends_with(path, "']");
}

static void validate_field(struct validation *v, const struct field_path *at,
			   const struct value *path, const char *const *fields)
{
	static const char *const others[] = {"spec.hostNetwork", "spec.restartPolicy",
					     "spec.schedulerName", "status.phase", NULL};
	const char *text = value_text(path);

	if (is_unset(path) || is_listed(fields, text) || is_entry(text))
		return;
	if (is_listed(env_fields, text) || is_listed(volume_fields, text) ||
	    is_listed(others, text))
		field_not_supported(v, FIELD(at, "fieldPath"), path, fields);
	else
		field_invalid(v, FIELD(at, "fieldPath"), path,
			      "error converting fieldPath: field label not supported: %s", text);
}

static void validate_divisor(struct validation *v, const struct field_path *at,
			     const struct value *ref)
{
	static const char *const cpu[] = {"1m", "1", "0", NULL};
	static const char *const bytes[] = {"1",   "1k",  "1M",	 "1G",	"1T",  "1P", "1E", "1Ki",
					    "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", "0",  NULL};
	const struct value *divisor = value_get(ref, "divisor");
	const char *resource = value_get_text(ref, "resource");
	const char *name = strchr(resource, '.');

	if (is_unset(divisor) || !name)
		return;
	name++;
	if (strcmp(name, "cpu") == 0 && !is_listed(cpu, value_text(divisor)))
		field_invalid(v, FIELD(at, "divisor"), divisor,
			      "only divisor's values 1m and 1 are supported with the cpu resource");
	else if (strcmp(name, "cpu") != 0 && !is_listed(bytes, value_text(divisor)))
		field_invalid(v, FIELD(at, "divisor"), divisor,
			      "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, "
			      "1Ti, 1Pi, 1Ei are supported with the %s resource",
			      name);
}

static void validate_resource(struct validation *v, const struct field_path *at,
			      const struct value *ref)
{
	static const char *const known[] = {"limits.cpu",
					    "limits.ephemeral-storage",
					    "limits.memory",
					    "requests.cpu",
					    "requests.ephemeral-storage",
					    "requests.memory",
					    NULL};
	const struct value *resource = value_get(ref, "resource");
	const char *text = value_text(resource);

	if (is_unset(resource))
		return;
	if (!is_listed(known, text) && !cox_starts_with(text, "limits.hugepages-") &&
	    !cox_starts_with(text, "requests.hugepages-"))
		field_not_supported(v, FIELD(at, "resource"), resource, known);
	else
		validate_divisor(v, at, ref);
}

void validate_env_refs(struct validation *v, const struct field_path *at, const struct value *from)
{
	validate_field(v, FIELD(at, "fieldRef"), value_path(from, "fieldRef.fieldPath"),
		       env_fields);
	validate_resource(v, FIELD(at, "resourceFieldRef"), value_get(from, "resourceFieldRef"));
}

void validate_volume_refs(struct validation *v, const struct field_path *at,
			  const struct value *item)
{
	const struct value *resource = value_get(item, "resourceFieldRef");
	const struct field_path *here = FIELD(at, "resourceFieldRef");

	validate_field(v, FIELD(at, "fieldRef"), value_path(item, "fieldRef.fieldPath"),
		       volume_fields);
	if (resource && is_unset(value_get(resource, "containerName")))
		field_required(v, FIELD(here, "containerName"), "");
	validate_resource(v, here, resource);
}
