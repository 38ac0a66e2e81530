/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds that have something special about being written; see strategy.h.
 * Addresses and ports of services are reserved in allocate.c.
 */
#include "apiserver/strategy.h"

#include "apiserver/allocate.h"
#include "apiserver/metadata.h"
#include "apiserver/virtual.h"
#include "apiserver/write.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pods */

static int pod_prepare_update(struct write *write, struct value *pod, const struct value *old,
			      struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	struct value *status;

	(void)err;
	if (strcmp(write->subresource, "status") != 0)
		return 0;
	/* What a pod can count on is settled when it is created. */
	status = value_make_object(arena, pod, "status");
	if (!*value_get_text(status, "qosClass"))
		value_set_text(arena, status, "qosClass",
			       value_text(value_path(old, "status.qosClass")));
	return 0;
}

static int64_t pod_grace_seconds(const struct value *pod, const struct delete_options *options)
{
	const char *phase = value_text(value_path(pod, "status.phase"));
	int64_t grace = value_get_int(value_get(pod, "spec"), "terminationGracePeriodSeconds", 30);

	if (options->grace_set)
		grace = options->grace_seconds;
	/* Nobody runs it, so nobody has to be waited for. */
	if (!*value_text(value_path(pod, "spec.nodeName")) || strcmp(phase, "Failed") == 0 ||
	    strcmp(phase, "Succeeded") == 0)
		grace = 0;
	return grace < 0 ? 1 : grace;
}

/* Namespaces */

/* Only the subresource finalize changes spec.finalizers. */
static int namespace_prepare_update(struct write *write, struct value *object,
				    const struct value *old, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	struct value *finalizers = value_path(old, "spec.finalizers");

	(void)err;
	if (strcmp(write->subresource, "finalize") == 0)
		return 0;
	if (finalizers)
		value_set(arena, value_make_object(arena, object, "spec"), "finalizers",
			  value_copy(arena, finalizers));
	else
		value_remove(value_make_object(arena, object, "spec"), "finalizers");
	return 0;
}

static void namespace_begin_delete(struct write *write, struct value *object)
{
	struct arena *arena = write->call->arena;

	value_set_text(arena, value_make_object(arena, object, "status"), "phase", "Terminating");
}

static bool namespace_waits(const struct value *object)
{
	const struct value *finalizers = value_path(object, "spec.finalizers");

	return value_is(finalizers, VALUE_ARRAY) && finalizers->count > 0;
}

/* Definitions of resources */

/* Whichever version is stored from now on, there are objects of it. */
static int definition_prepare_update(struct write *write, struct value *definition,
				     const struct value *old, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	const struct value *versions = value_path(definition, "spec.versions");
	struct value *stored;

	(void)old, (void)err;
	if (*write->subresource)
		return 0;
	stored = value_make_array(arena, value_make_object(arena, definition, "status"),
				  "storedVersions");
	for (size_t i = 0; value_at(versions, i); i++) {
		const char *name = value_get_text(value_at(versions, i), "name");
		size_t k = 0;

		if (!value_get_bool(value_at(versions, i), "storage"))
			continue;
		while (value_at(stored, k) && !value_string_is(value_at(stored, k), name))
			k++;
		if (!value_at(stored, k))
			value_push(arena, stored, value_string(arena, name));
	}
	return 0;
}

/* Daemon sets */

static const char template_generation[] = "deprecated.daemonset.template.generation";

static void set_template_generation(struct arena *arena, struct value *set, int64_t generation)
{
	struct value *metadata = metadata_of(arena, set);

	value_set(arena, value_make_object(arena, metadata, "annotations"), template_generation,
		  value_printf(arena, "%" PRId64, generation));
}

static int64_t template_generation_of(const struct value *set)
{
	const char *text =
		value_get_text(value_path(set, "metadata.annotations"), template_generation);
	size_t digits = strspn(text, "0123456789");

	return digits && digits < 19 && !text[digits] ? strtoll(text, NULL, 10) : 0;
}

/* Old clients look at this count of templates, which is older than generations. */
static int daemons_prepare_create(struct write *write, struct value *set, struct cox_error *err)
{
	int64_t given = template_generation_of(set);

	(void)err;
	set_template_generation(write->call->arena, set, given > 0 ? given : 1);
	return 0;
}

static int daemons_prepare_update(struct write *write, struct value *set, const struct value *old,
				  struct cox_error *err)
{
	int64_t generation = template_generation_of(old);
	const struct value *now = value_path(set, "spec.template");
	const struct value *before = value_path(old, "spec.template");

	(void)err;
	if (!*write->subresource && now && before && !value_equal(now, before))
		generation++;
	set_template_generation(write->call->arena, set, generation > 0 ? generation : 1);
	return 0;
}

/* Requests for certificates */

/* Who asks is who sent it, whatever it says. */
static int signing_prepare_create(struct write *write, struct value *object, struct cox_error *err)
{
	static const char *const parts[] = {"username", "uid", "groups", "extra"};
	struct arena *arena = write->call->arena;
	struct value *spec = value_make_object(arena, object, "spec");
	const struct value *user = user_value(arena, write->call->identity);

	(void)err;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct value *part = value_get(user, parts[i]);

		if (part)
			value_set(arena, spec, parts[i], part);
		else
			value_remove(spec, parts[i]);
	}
	return 0;
}

static const struct value *condition_of(const struct value *object, const char *type)
{
	const struct value *conditions = value_path(object, "status.conditions");

	for (size_t i = 0; value_at(conditions, i); i++)
		if (value_string_is(value_get(value_at(conditions, i), "type"), type))
			return value_at(conditions, i);
	return NULL;
}

/* A condition says when it was written, and since when it holds. */
static void stamp_conditions(struct arena *arena, struct value *object, const struct value *old)
{
	const struct value *conditions = value_path(object, "status.conditions");
	char now[CLOCK_RFC3339_SIZE];

	clock_format(clock_realtime(), now);
	for (size_t i = 0; value_at(conditions, i); i++) {
		struct value *one = value_at(conditions, i);
		const struct value *before = condition_of(old, value_get_text(one, "type"));
		bool same = before && strcmp(value_get_text(before, "status"),
					     value_get_text(one, "status")) == 0;

		if (!*value_get_text(one, "lastUpdateTime"))
			value_set_text(arena, one, "lastUpdateTime", now);
		if (!*value_get_text(one, "lastTransitionTime"))
			value_set_text(arena, one, "lastTransitionTime",
				       same ? value_get_text(before, "lastTransitionTime") : now);
	}
}

/* What is asked for never changes; an approval writes the conditions alone. */
static int signing_prepare_update(struct write *write, struct value *object,
				  const struct value *old, struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	struct value *spec = value_get(old, "spec"), *status;

	(void)err;
	if (spec)
		value_set(arena, object, "spec", value_copy(arena, spec));
	if (strcmp(write->subresource, "approval") == 0) {
		struct value *certificate = value_path(old, "status.certificate");

		status = value_make_object(arena, object, "status");
		if (certificate)
			value_set(arena, status, "certificate", certificate);
		else
			value_remove(status, "certificate");
	}
	if (*write->subresource)
		stamp_conditions(arena, object, old);
	return 0;
}

static const struct strategy strategies[] = {
	{.group = "apiextensions.k8s.io",
	 .resource = "customresourcedefinitions",
	 .prepare_update = definition_prepare_update},
	{.group = "apps",
	 .resource = "daemonsets",
	 .prepare_create = daemons_prepare_create,
	 .prepare_update = daemons_prepare_update},
	{.group = "certificates.k8s.io",
	 .resource = "certificatesigningrequests",
	 .prepare_create = signing_prepare_create,
	 .prepare_update = signing_prepare_update},
	{.group = "",
	 .resource = "pods",
	 .prepare_update = pod_prepare_update,
	 .grace_seconds = pod_grace_seconds},
	{.group = "",
	 .resource = "namespaces",
	 .prepare_update = namespace_prepare_update,
	 .begin_delete = namespace_begin_delete,
	 .waits = namespace_waits},
	{.group = "",
	 .resource = "services",
	 .prepare_create = allocate_prepare_create,
	 .prepare_update = allocate_prepare_update,
	 .allocate = allocate_service,
	 .committed = allocate_committed,
	 .refused = allocate_refused},
};

static const struct strategy plain = {.group = ""};

const struct strategy *strategy_get(const char *group, const char *resource)
{
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (strcmp(strategies[i].group, group) == 0 &&
		    strcmp(strategies[i].resource, resource) == 0)
			return &strategies[i];
	return &plain;
}
