/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests of static pods; see sources.h. */
#include "kubelet/sources.h"

#include "kubelet/names.h"
#include "machinery/decode.h"
#include "machinery/defaults.h"
#include "machinery/json.h"
#include "machinery/schema.h"
#include "machinery/validate.h"
#include "machinery/yaml.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <string.h>

enum { PODS_MAX = 1000 };

/* 128 bits of what makes the pod what it is. */
static const char *make_uid(struct arena *arena, const char *node, const char *origin,
			    const struct value *pod)
{
	static const uint64_t seeds[2][2] = {{0x636f787377616921u, 1}, {0x737461746963706fu, 2}};
	cox_autobuf text = COX_BUF_INIT;
	uint64_t parts[2];

	cox_buf_printf(&text, "%s\n%s\n", node, origin);
	json_write(&text, pod, 0);
	for (size_t i = 0; i < 2; i++)
		parts[i] = cox_siphash13(seeds[i], text.data, text.size);
	return arena_printf(arena, "%016llx%016llx", (unsigned long long)parts[0],
			    (unsigned long long)parts[1]);
}

/* Static pods are where they are: no taint drives them away. */
static void tolerate_all(struct arena *arena, struct value *spec)
{
	struct value *all = value_object(arena);

	value_set_text(arena, all, "effect", "NoExecute");
	value_set_text(arena, all, "operator", "Exists");
	value_push(arena, value_make_array(arena, spec, "tolerations"), all);
}

static void make_ours(struct arena *arena, const char *node, const char *source, const char *origin,
		      struct value *pod)
{
	struct value *metadata = value_make_object(arena, pod, "metadata"), *annotations;
	struct value *spec = value_make_object(arena, pod, "spec");
	const char *name = value_get_text(metadata, "name"), *uid;

	uid = make_uid(arena, node, origin, pod);
	value_remove(pod, "status");
	value_remove(metadata, "generateName");
	value_remove(metadata, "ownerReferences");
	value_remove(metadata, "resourceVersion");
	if (*name)
		value_set(arena, metadata, "name", value_printf(arena, "%s-%s", name, node));
	if (!*value_get_text(metadata, "namespace"))
		value_set_text(arena, metadata, "namespace", "default");
	value_set_text(arena, metadata, "uid", uid);
	annotations = value_make_object(arena, metadata, "annotations");
	value_remove(annotations, ANNOTATION_MIRROR);
	value_set_text(arena, annotations, ANNOTATION_CONFIG_HASH, uid);
	value_set_text(arena, annotations, ANNOTATION_SOURCE, source);
	value_set_text(arena, spec, "nodeName", node);
	tolerate_all(arena, spec);
}

/* What would need the API server to be run at all. */
static int refuse_references(const struct value *pod, struct cox_error *err)
{
	static const char *const volumes[] = {"secret", "configMap", "persistentVolumeClaim"};
	const struct value *spec = value_get(pod, "spec"), *volume;

	if (*value_get_text(spec, "serviceAccountName"))
		return error_set(err, COX_REASON_INVALID,
				 "a static pod may not name a service account");
	for (size_t i = 0; (volume = value_at(value_get(spec, "volumes"), i)); i++)
		for (size_t j = 0; j < sizeof(volumes) / sizeof(volumes[0]); j++)
			if (value_get(volume, volumes[j]))
				return error_set(err, COX_REASON_INVALID,
						 "volume \"%s\" of a static pod: %s needs the API "
						 "server",
						 value_get_text(volume, "name"), volumes[j]);
	return 0;
}

static struct cox_object *read_pod(struct arena *arena, const char *node, const char *source,
				   const char *origin, struct value *pod, struct cox_error *err)
{
	const struct schema *schema = &schema_builtin;
	const struct schema_type *type = schema_type_named(schema, "core.v1.Pod");
	struct decode_report *report = arena_new(arena, struct decode_report);
	cox_autobuf text = COX_BUF_INIT;
	struct validation v;

	decode_report_init(report, arena);
	if (schema_decode(schema, type, arena, pod, report, err))
		return NULL;
	if (report->count) {
		error_set(err, COX_REASON_INVALID, "%s", decode_report_text(report));
		return NULL;
	}
	make_ours(arena, node, source, origin, pod);
	schema_apply_defaults(schema, type, arena, pod);
	validation_init(&v, arena, schema, schema_resource_get(schema, "", "v1", "pods"));
	schema_validate(&v, pod, NULL, "");
	if (validation_result(&v, value_text(value_path(pod, "metadata.name")), err) ||
	    refuse_references(pod, err))
		return NULL;
	json_write(&text, pod, 0);
	return object_new(text.data, text.size, err);
}

/* The pods of a list, or the one there is; -1: it is neither. */
static int pods_of(struct value *root, struct value **pods, size_t *count, struct cox_error *err)
{
	const char *kind = value_get_text(root, "kind");
	struct value *items = value_get(root, "items");

	if (!value_is(root, VALUE_OBJECT) ||
	    strcmp(value_get_text(root, "apiVersion"), "v1") != 0 ||
	    (strcmp(kind, "Pod") != 0 && strcmp(kind, "PodList") != 0 && strcmp(kind, "List") != 0))
		return error_set(err, COX_REASON_INVALID,
				 "kind Pod or PodList of apiVersion v1 is needed, this is \"%s\" "
				 "of \"%s\"",
				 kind, value_get_text(root, "apiVersion"));
	if (!strcmp(kind, "Pod")) {
		pods[0] = root;
		*count = 1;
		return 0;
	}
	for (*count = 0; *count < PODS_MAX && (pods[*count] = value_at(items, *count));)
		++*count;
	if (*count == PODS_MAX)
		return error_set(err, COX_REASON_INVALID, "more than %d pods", PODS_MAX - 1);
	return 0;
}

int manifest_read(const char *node, const char *source, const char *origin, struct cox_bytes text,
		  void (*found)(void *context, struct cox_object *pod), void *context,
		  struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	struct value **pods = arena_alloc(&arena, PODS_MAX * sizeof(*pods));
	struct cox_object **objects = arena_calloc(&arena, PODS_MAX * sizeof(*objects));
	struct value *root = yaml_parse(&arena, text.data, text.size, NULL, err);
	size_t count = 0, made = 0;

	if (!root || pods_of(root, pods, &count, err))
		return -1;
	/* All of it or nothing: half a list would end the other half. */
	while (made < count) {
		objects[made] = read_pod(&arena, node, source, origin, pods[made], err);
		if (!objects[made])
			break;
		made++;
	}
	for (size_t i = 0; i < made; i++)
		if (made == count)
			found(context, objects[i]);
		else
			object_unref(objects[i]);
	return made == count ? 0 : -1;
}
