/* SPDX-License-Identifier: Apache-2.0 */
/*
 * securityContext: the container's word counts before the pod's, and the
 * pod's before the kubelet's defaults.
 */
#include "kubelet/security.h"

#include "kubelet/images.h"

#include <string.h>

static const struct value *either(const struct value *container, const struct value *pod,
				  const char *key)
{
	const struct value *found = value_get(container, key);

	return found && found->kind != VALUE_NULL ? found : value_get(pod, key);
}

static struct cox_strings texts(struct arena *arena, const struct value *list)
{
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	const char **items = arena_alloc(arena, (count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = value_text(value_at(list, i));
	return (struct cox_strings){items, count};
}

static void add_groups(struct arena *arena, const struct value *pod_context,
		       struct cox_security *security)
{
	const struct value *list = value_get(pod_context, "supplementalGroups"), *item;
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0, used = 0;
	int64_t *groups = arena_alloc(arena, (count + 1) * sizeof(*groups));
	int64_t fs_group = value_get_int(pod_context, "fsGroup", -1);

	for (size_t i = 0; i < count; i++) {
		item = value_at(list, i);
		if (value_is(item, VALUE_INT))
			groups[used++] = item->integer;
	}
	if (fs_group >= 0)
		groups[used++] = fs_group;
	security->supplemental_groups = (struct cox_integers){groups, used};
	security->strict_groups =
		!strcmp(value_get_text(pod_context, "supplementalGroupsPolicy"), "Strict");
}

static uint32_t profile_type(const struct value *profile, uint32_t fallback)
{
	const char *type = value_get_text(profile, "type");

	if (!strcmp(type, "Unconfined"))
		return COX_PROFILE_UNCONFINED;
	if (!strcmp(type, "Localhost"))
		return COX_PROFILE_LOCALHOST;
	return *type ? COX_PROFILE_RUNTIME_DEFAULT : fallback;
}

static void add_profiles(struct kubelet *kubelet, struct arena *arena,
			 const struct value *container, const struct value *pod,
			 struct cox_security *security)
{
	const struct value *seccomp = either(container, pod, "seccompProfile");
	const struct value *apparmor = either(container, pod, "appArmorProfile");

	security->seccomp_type =
		profile_type(seccomp, kubelet->config->seccomp_default ? COX_PROFILE_RUNTIME_DEFAULT
								       : COX_PROFILE_UNCONFINED);
	security->apparmor_type = profile_type(apparmor, COX_PROFILE_RUNTIME_DEFAULT);
	security->seccomp_profile = "";
	if (security->seccomp_type == COX_PROFILE_LOCALHOST)
		security->seccomp_profile =
			arena_printf(arena, "%s/%s", kubelet->config->seccomp_profile_root,
				     value_get_text(seccomp, "localhostProfile"));
	security->apparmor_profile = value_get_text(apparmor, "localhostProfile");
	if (security->privileged) {
		security->seccomp_type = COX_PROFILE_UNCONFINED;
		security->apparmor_type = COX_PROFILE_UNCONFINED;
	}
}

static void add_namespaces(const struct value *spec, struct cox_security *security)
{
	security->network_mode =
		value_get_bool(spec, "hostNetwork") ? COX_NAMESPACE_NODE : COX_NAMESPACE_POD;
	security->ipc_mode =
		value_get_bool(spec, "hostIPC") ? COX_NAMESPACE_NODE : COX_NAMESPACE_POD;
	security->pid_mode = COX_NAMESPACE_CONTAINER;
	if (value_get_bool(spec, "shareProcessNamespace"))
		security->pid_mode = COX_NAMESPACE_POD;
	if (value_get_bool(spec, "hostPID"))
		security->pid_mode = COX_NAMESPACE_NODE;
}

static struct cox_security *begin(struct arena *arena)
{
	struct cox_security *security = arena_new(arena, struct cox_security);

	*security = (struct cox_security){.struct_size = sizeof(*security),
					  .run_as_user = -1,
					  .run_as_group = -1,
					  .run_as_username = "",
					  .target_id = "",
					  .seccomp_profile = "",
					  .apparmor_profile = ""};
	return security;
}

static int64_t number(const struct value *value)
{
	return value_is(value, VALUE_INT) ? value->integer : -1;
}

/* runAsNonRoot: what the image runs as counts if nobody said otherwise. */
static int check_root(const struct container_start *start, const struct cox_security *security,
		      struct cox_error *err)
{
	const char *image = value_get_text(start->container, "image");
	struct image_facts facts = {.uid = -1};
	int failed = 0;

	if (security->run_as_user == 0)
		return error_set(
			err, COX_REASON_INVALID,
			"container's runAsUser breaks non-root policy (pod: \"%s_%s(%s)\", "
			"container: %s)",
			start->pod->name, start->pod->namespace, start->pod->uid,
			start->record->name);
	if (security->run_as_user > 0)
		return 0;
	if (images_find(start->kubelet, *start->image_ref ? start->image_ref : image, &facts, err) <
	    0)
		failed = -1;
	else if (facts.uid < 0 && facts.username && *facts.username)
		failed =
			error_set(err, COX_REASON_INVALID,
				  "container has runAsNonRoot and image has non-numeric user (%s), "
				  "cannot verify user is non-root (pod: \"%s_%s(%s)\", container: "
				  "%s)",
				  facts.username, start->pod->name, start->pod->namespace,
				  start->pod->uid, start->record->name);
	else if (facts.uid <= 0)
		failed = error_set(err, COX_REASON_INVALID,
				   "container has runAsNonRoot and image will run as root (pod: "
				   "\"%s_%s(%s)\", container: %s)",
				   start->pod->name, start->pod->namespace, start->pod->uid,
				   start->record->name);
	images_facts_free(&facts);
	return failed;
}

const struct cox_security *security_container(const struct container_start *start,
					      struct arena *arena, struct cox_error *err)
{
	const struct value *spec = value_get(object_root(start->object), "spec");
	const struct value *pod = value_get(spec, "securityContext");
	const struct value *own = value_get(start->container, "securityContext");
	const struct value *non_root = either(own, pod, "runAsNonRoot");
	const struct value *escalation = value_get(own, "allowPrivilegeEscalation");
	const struct value *capabilities = value_get(own, "capabilities");
	struct cox_security *security = begin(arena);

	security->privileged = value_get_bool(own, "privileged");
	if (security->privileged && !start->kubelet->config->allow_privileged) {
		error_set(err, COX_REASON_FORBIDDEN,
			  "privileged containers are not allowed on this node; see "
			  "--allow-privileged");
		return NULL;
	}
	security->readonly_rootfs = value_get_bool(own, "readOnlyRootFilesystem");
	security->no_new_privileges = value_is(escalation, VALUE_BOOL) && !escalation->boolean;
	security->run_as_user = number(either(own, pod, "runAsUser"));
	security->run_as_group = number(either(own, pod, "runAsGroup"));
	security->capabilities_add = texts(arena, value_get(capabilities, "add"));
	security->capabilities_drop = texts(arena, value_get(capabilities, "drop"));
	if (!strcmp(value_get_text(own, "procMount"), "Unmasked"))
		security->paths_set = 1; /* both lists empty: nothing is hidden */
	add_namespaces(spec, security);
	add_groups(arena, pod, security);
	add_profiles(start->kubelet, arena, own, pod, security);
	if (value_is(non_root, VALUE_BOOL) && non_root->boolean && check_root(start, security, err))
		return NULL;
	return security;
}

const struct cox_security *security_sandbox(struct kubelet *kubelet, const struct value *pod,
					    struct arena *arena)
{
	const struct value *spec = value_get(pod, "spec");
	const struct value *context = value_get(spec, "securityContext"), *container;
	struct cox_security *security = begin(arena);

	security->run_as_user = number(value_get(context, "runAsUser"));
	security->run_as_group = number(value_get(context, "runAsGroup"));
	add_namespaces(spec, security);
	add_groups(arena, context, security);
	/* A privileged container needs a sandbox that is not in its way. */
	for (size_t i = 0; (container = value_at(value_get(spec, "containers"), i)); i++)
		if (value_get_bool(value_get(container, "securityContext"), "privileged") &&
		    kubelet->config->allow_privileged)
			security->privileged = 1;
	add_profiles(kubelet, arena, NULL, context, security);
	return security;
}
