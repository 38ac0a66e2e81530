/* SPDX-License-Identifier: Apache-2.0 */
/* Pods, and pod templates in what else holds them. */
#include "machinery/create.h"
#include "machinery/kinds.h"

enum { NAMESERVERS_MAX = 3, SEARCHES_MAX = 32, SEARCH_BYTES_MAX = 2048 };

/* Domains to search: with a dot behind if one likes, "_" in them, or the root alone. */
static void validate_searches(struct validation *v, const struct field_path *at,
			      const struct value *searches)
{
	size_t bytes = 0;

	for
		each_entry(searches, i)
		{
			const struct value *one = value_at(searches, i);
			char *name = arena_strdup(v->arena, value_text(one));
			size_t size = strlen(name);

			bytes += size + 1;
			if (size > 0 && name[size - 1] == '.')
				name[--size] = '\0';
			for (size_t c = 0; c < size; c++)
				if (name[c] == '_')
					name[c] = 'x';
			if (size > 0 || !value_string_is(one, "."))
				validate_text(v, FIELD_INDEX(at, i), value_string(v->arena, name),
					      names_dns_subdomain);
		}
	if (searches && searches->count > SEARCHES_MAX)
		field_invalid(v, at, searches, "must not have more than %d search paths",
			      SEARCHES_MAX);
	if (bytes > SEARCH_BYTES_MAX + 1)
		field_invalid(v, at, searches,
			      "must not have more than %d characters (including spaces) in the "
			      "search list",
			      SEARCH_BYTES_MAX);
}

static void validate_dns(struct validation *v, const struct field_path *at,
			 const struct value *spec)
{
	const struct value *config = value_get(spec, "dnsConfig");
	const struct value *servers = value_get(config, "nameservers");
	const struct value *options = value_get(config, "options");
	const struct field_path *here = FIELD(at, "dnsConfig");

	if (text_is(spec, "dnsPolicy", "None") && is_unset(servers))
		field_required(v, config ? FIELD(here, "nameservers") : here,
			       config ? "must provide at least one DNS nameserver when `dnsPolicy` "
					"is None"
				      : "must provide `dnsConfig` when `dnsPolicy` is None");
	validate_addresses(v, FIELD(here, "nameservers"), servers);
	if (servers && servers->count > NAMESERVERS_MAX)
		field_invalid(v, FIELD(here, "nameservers"), servers,
			      "must not have more than %d nameservers", NAMESERVERS_MAX);
	validate_searches(v, FIELD(here, "searches"), value_get(config, "searches"));
	for
		each_entry(options, i)
		{
			if (is_unset(value_get(value_at(options, i), "name")))
				field_required(v, FIELD_INDEX(FIELD(here, "options"), i),
					       "must not be empty");
		}
}

static void validate_host_aliases(struct validation *v, const struct field_path *at,
				  const struct value *aliases)
{
	for
		each_entry(aliases, i)
		{
			const struct value *names = value_get(value_at(aliases, i), "hostnames");

		for
			each_entry(names, k)
				validate_text(v, FIELD(FIELD_INDEX(at, i), "hostnames"),
					      value_at(names, k), names_dns_subdomain);
		}
}

static void validate_overhead(struct validation *v, const struct field_path *at,
			      const struct value *overhead)
{
	for
		each_member(overhead, i)
		{
			const struct value_member *member = &overhead->object.members[i];

			validate_not_negative(v, FIELD_KEY(at, member->key), member->value);
		}
}

static void validate_host_namespaces(struct validation *v, const struct field_path *at,
				     const struct value *spec)
{
	const struct value *shared = value_get(spec, "shareProcessNamespace");

	if (value_get_bool(spec, "hostPID") && value_get_bool(spec, "shareProcessNamespace"))
		field_invalid(v, FIELD(at, "shareProcessNamespace"), shared,
			      "ShareProcessNamespace and HostPID cannot both be enabled");
}

void validate_pod_spec(struct validation *v, const struct field_path *at, const struct value *spec)
{
	validate_volumes(v, FIELD(at, "volumes"), value_get(spec, "volumes"));
	validate_containers(v, at, spec);
	validate_dns(v, at, spec);
	validate_host_namespaces(v, at, spec);
	validate_placement(v, at, spec);
	validate_resources(v, FIELD(at, "resources"), value_get(spec, "resources"));
	validate_host_aliases(v, FIELD(at, "hostAliases"), value_get(spec, "hostAliases"));
	validate_overhead(v, FIELD(at, "overhead"), value_get(spec, "overhead"));
	validate_pod_security(v, FIELD(at, "securityContext"), value_get(spec, "securityContext"));
	if (!is_unset(value_get(spec, "schedulingGates")) && !is_unset(value_get(spec, "nodeName")))
		field_forbidden(v, FIELD(at, "nodeName"),
				"cannot be set until all schedulingGates have been cleared");
}

void validate_pod_template(struct validation *v, const struct field_path *at,
			   const struct value *template)
{
	validate_pod_spec(v, FIELD(at, "spec"), value_get(template, "spec"));
	if (!is_unset(value_path(template, "spec.ephemeralContainers")))
		field_forbidden(v, FIELD(FIELD(at, "spec"), "ephemeralContainers"),
				"ephemeral containers not allowed in pod template");
}

static void validate_pod(struct validation *v, const struct value *pod)
{
	const struct field_path *at = FIELD(NULL, "spec");

	validate_pod_spec(v, at, value_get(pod, "spec"));
	if (v->creating && !is_unset(value_path(pod, "spec.ephemeralContainers")))
		field_forbidden(v, FIELD(at, "ephemeralContainers"), "cannot be set on create");
}

static bool list_has(const struct value *list, const struct value *wanted)
{
	for
		each_entry(list, i)
		{
			if (value_equal(value_at(list, i), wanted))
				return true;
		}
	return false;
}

static void validate_added_tolerations(struct validation *v, const struct field_path *at,
				       const struct value *spec, const struct value *old)
{
	const struct value *now = value_get(spec, "tolerations");
	const struct value *before = value_get(old, "tolerations");

	for
		each_entry(before, i)
		{
			if (list_has(now, value_at(before, i)))
				continue;
			field_forbidden(v, FIELD(at, "tolerations"),
					"existing toleration can not be modified except its "
					"tolerationSeconds");
			return;
		}
}

static void validate_deadline(struct validation *v, const struct field_path *at,
			      const struct value *spec, const struct value *old)
{
	const struct value *now = value_get(spec, "activeDeadlineSeconds");
	const struct value *before = value_get(old, "activeDeadlineSeconds");
	const struct field_path *here = FIELD(at, "activeDeadlineSeconds");

	if (before && !now)
		field_invalid(v, here, now, "must not update from a positive integer to nil value");
	else if (before && now->integer > before->integer)
		field_invalid(v, here, now, "must be less than or equal to previous value");
}

/* Takes `to`'s value of a field from `from`. */
static void take(struct validation *v, struct value *to, const struct value *from,
		 const char *field)
{
	struct value *value = value_get(from, field);

	if (value)
		value_set(v->arena, to, field, value);
	else
		value_remove(to, field);
}

/* The same list of containers, but for what `field` holds. */
static struct value *containers_as(struct validation *v, const struct value *list,
				   const struct value *old, const char *field)
{
	struct value *copy = value_copy(v->arena, list);

	for
		each_entry(copy, i) take(v, value_at(copy, i), value_at(old, i), field);
	return copy;
}

/* A gate goes by being removed; while there is one the pod's place can be narrowed. */
static void settle_gates(struct validation *v, const struct field_path *at, struct value *settled,
			 const struct value *old)
{
	const struct value *now = value_get(settled, "schedulingGates");
	const struct value *before = value_get(old, "schedulingGates");
	const struct value *selector = value_get(old, "nodeSelector");
	bool narrower = true;

	for
		each_entry(now, i)
		{
			if (!list_has(before, value_at(now, i)))
				field_forbidden(
					v, FIELD(at, "schedulingGates"),
					"only deletion is allowed, but found new scheduling gate "
					"'%s'",
					value_get_text(value_at(now, i), "name"));
		}
	take(v, settled, old, "schedulingGates");
	if (is_unset(before))
		return;
	for
		each_member(selector, i)
		{
			const struct value_member *member = &selector->object.members[i];

			narrower = narrower &&
				   values_same(value_get(value_get(settled, "nodeSelector"),
							 member->key),
					       member->value);
		}
	if (narrower)
		take(v, settled, old, "nodeSelector");
	else
		field_invalid(v, FIELD(at, "nodeSelector"), value_get(settled, "nodeSelector"),
			      "only additions to existing nodeSelector are allowed");
}

static void validate_spec_update(struct validation *v, const struct value *spec,
				 const struct value *old)
{
	static const char *const lists[] = {"containers", "initContainers"};
	static const char *const free[] = {"activeDeadlineSeconds", "tolerations"};
	const struct field_path *at = FIELD(NULL, "spec");
	struct value *settled = value_copy(v->arena, spec);

	for (size_t l = 0; l < 2; l++) {
		const struct value *now = value_get(spec, lists[l]);
		const struct value *before = value_get(old, lists[l]);

		if ((now ? now->count : 0) != (before ? before->count : 0)) {
			field_forbidden(v, FIELD(at, lists[l]),
					"pod updates may not add or remove containers");
			return;
		}
		if (now)
			value_set(v->arena, settled, lists[l],
				  containers_as(v, now, before, "image"));
	}
	validate_deadline(v, at, spec, old);
	validate_added_tolerations(v, at, spec, old);
	settle_gates(v, at, settled, old);
	for (size_t i = 0; i < 2; i++)
		take(v, settled, old, free[i]);
	if (value_get_int(old, "terminationGracePeriodSeconds", 0) < 0 &&
	    value_get_int(spec, "terminationGracePeriodSeconds", 0) == 1)
		take(v, settled, old, "terminationGracePeriodSeconds");
	if (!value_equal(settled, old))
		field_forbidden(
			v, at,
			"pod updates may not change fields other than "
			"`spec.containers[*].image`,`spec.initContainers[*].image`,"
			"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
			"existing tolerations),`spec.terminationGracePeriodSeconds` (allow "
			"it to be set to 1 if it was previously negative)");
}

static void validate_ephemeral_update(struct validation *v, const struct value *spec,
				      const struct value *old)
{
	const struct field_path *at = FIELD(FIELD(NULL, "spec"), "ephemeralContainers");
	const struct value *now = value_get(spec, "ephemeralContainers");
	const struct value *before = value_get(old, "ephemeralContainers");

	for
		each_entry(before, i)
		{
			const struct value *name = value_get(value_at(before, i), "name");
			const struct value *same = NULL;

		for
			each_entry(now, k)
			{
				if (value_string_is(value_get(value_at(now, k), "name"),
						    value_text(name)))
					same = value_at(now, k);
			}
		if (!same)
			field_forbidden(v, at,
					"existing ephemeral containers \"%s\" may not be removed\n",
					value_text(name));
		else if (!value_equal(same, value_at(before, i)))
			field_forbidden(v, at,
					"existing ephemeral containers \"%s\" may not be changed\n",
					value_text(name));
		}
}

static void validate_resize(struct validation *v, const struct value *spec, const struct value *old)
{
	static const char *const lists[] = {"containers", "initContainers"};
	struct value *settled = value_copy(v->arena, spec);

	for (size_t l = 0; l < 2; l++) {
		struct value *list = value_get(settled, lists[l]);

		if (list)
			list = containers_as(v, list, value_get(old, lists[l]), "resources");
		if (list)
			value_set(v->arena, settled, lists[l],
				  containers_as(v, list, value_get(old, lists[l]), "resizePolicy"));
	}
	take(v, settled, old, "resources");
	if (!value_equal(settled, old))
		field_forbidden(v, FIELD(NULL, "spec"),
				"only cpu and memory resources are mutable");
}

/* What a pod can count on is settled when it is created. */
static void validate_same_quality(struct validation *v, const struct value *pod,
				  const struct value *old)
{
	const char *now = pod_quality_class(pod);

	if (strcmp(now, pod_quality_class(old)) != 0)
		field_invalid_text(v, FIELD(NULL, "spec"), now,
				   "Pod QOS Class may not change as a result of resizing");
}

static void validate_pod_update(struct validation *v, const struct value *pod,
				const struct value *old, const char *subresource)
{
	const struct value *spec = value_get(pod, "spec"), *before = value_get(old, "spec");

	if (!spec || !before)
		return;
	if (strcmp(subresource, "") == 0) {
		validate_spec_update(v, spec, before);
	} else if (strcmp(subresource, "ephemeralcontainers") == 0) {
		validate_ephemeral_update(v, spec, before);
	} else if (strcmp(subresource, "resize") == 0) {
		validate_resize(v, spec, before);
		validate_same_quality(v, pod, old);
	}
}

const struct kind_rules rules_pods = {"", "pods", validate_pod, validate_pod_update};

static void validate_podtemplate(struct validation *v, const struct value *object)
{
	validate_pod_template(v, FIELD(NULL, "template"), value_get(object, "template"));
}

const struct kind_rules rules_podtemplates = {"", "podtemplates", validate_podtemplate, NULL};
