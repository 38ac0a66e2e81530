/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field ownership and server-side apply: a small store of one object that
 * updates and applies run against, by the types of the API.
 */
#include "unit.h"

#include "machinery/apply.h"
#include "machinery/decode.h"
#include "machinery/encode.h"
#include "machinery/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
	struct arena arena;
	struct cox_error err;
	const struct schema_type *type;
	const struct schema_resource *row;
	const char *api_version;
	struct value *object; /* as decoded, with managedFields */
	unsigned seconds;
};

static struct value *tree(struct arena *arena, const char *json)
{
	struct value *value = json_parse(arena, json, strlen(json), NULL, NULL);

	if (!value)
		fail_msg("%s", json);
	return value;
}

static struct value *decoded(struct world *world, struct value *value)
{
	assert_int_equal(
		schema_decode(&schema_builtin, world->type, &world->arena, value, NULL, NULL), 0);
	return value;
}

static void open_world(struct world *world, const char *group, const char *version,
		       const char *resource)
{
	*world = (struct world){.arena = ARENA_INIT, .err = COX_ERROR_INIT};
	world->row = schema_resource_get(&schema_builtin, group, version, resource);
	assert_non_null(world->row);
	world->type = schema_resource_type(&schema_builtin, world->row);
	world->api_version =
		*group ? arena_printf(&world->arena, "%s/%s", group, version) : version;
}

static void close_world(struct world *world)
{
	error_clear(&world->err);
	arena_free(&world->arena);
}

static struct field_context context_of(struct world *world, const char *manager,
				       const char *subresource)
{
	static const char *const status[] = {"status", NULL};
	static const char *const of_status[] = {"status", "metadata", NULL};
	struct field_context context = {
		.typed = {&world->arena, &schema_builtin, world->type},
		.row = world->row,
		.api_version = world->api_version,
		.manager = manager,
		.subresource = subresource,
		.now = arena_printf(&world->arena, "2026-01-01T00:%02u:%02uZ", world->seconds / 60,
				    world->seconds % 60)};

	world->seconds++;
	if (*subresource)
		context.filter.only = of_status;
	else
		context.filter.except = status;
	return context;
}

/* An update (or create) by a whole object, which says nothing of managers. */
static void update_as(struct world *world, const char *manager, const char *subresource,
		      const char *json)
{
	const struct field_context context = context_of(world, manager, subresource);
	struct value *after = decoded(world, tree(&world->arena, json));

	fields_track(&context, world->object ? world->object : value_object(&world->arena), after,
		     world->object != NULL);
	world->object = after;
}

static void update(struct world *world, const char *manager, const char *json)
{
	update_as(world, manager, "", json);
}

/* 0, or -1 with world->err, and nothing changed. */
static int apply_as(struct world *world, const char *manager, const char *subresource,
		    const char *json, bool force)
{
	const struct field_context context = context_of(world, manager, subresource);
	struct arena *arena = &world->arena;
	cox_autobuf text = COX_BUF_INIT;
	struct value *live = value_object(arena), *merged, *list;
	struct managers managers;

	if (world->object) {
		schema_encode(&text, &schema_builtin, world->type, world->object, 0);
		live = json_parse(arena, text.data, text.size, NULL, NULL);
	}
	assert_int_equal(managers_read(&managers, arena,
				       value_get(value_get(live, "metadata"), "managedFields"),
				       false, NULL),
			 0);
	error_clear(&world->err);
	if (fields_apply(&context, &managers, live, tree(arena, json), force, &merged,
			 &world->err) != 0)
		return -1;
	merged = decoded(world, value_copy(arena, merged));
	list = managers_write(&managers);
	if (list)
		value_set(arena, value_make_object(arena, merged, "metadata"), "managedFields",
			  list);
	else
		value_remove(value_get(merged, "metadata"), "managedFields");
	world->object = merged;
	return 0;
}

static void apply(struct world *world, const char *manager, const char *json)
{
	if (apply_as(world, manager, "", json, false) != 0)
		fail_msg("%s", error_text(&world->err));
}

/* The fields that a manager has, as FieldsV1; "none". */
static const char *fields_of(struct world *world, const char *manager)
{
	const struct value *list = value_get(value_get(world->object, "metadata"), "managedFields");
	cox_autobuf out = COX_BUF_INIT;

	for (size_t i = 0; value_at(list, i); i++) {
		const struct value *entry = value_at(list, i);

		if (!value_string_is(value_get(entry, "manager"), manager))
			continue;
		cox_buf_printf(&out, "%s%s%s ", value_get_text(entry, "operation"),
			       value_get(entry, "subresource") ? "/" : "",
			       value_get_text(entry, "subresource"));
		json_write(&out, value_get(entry, "fieldsV1"), 0);
		return arena_strndup(&world->arena, out.data, out.size);
	}
	return "none";
}

static const char *part(struct world *world, const char *path)
{
	const struct value *value = value_path(world->object, path);
	cox_autobuf out = COX_BUF_INIT;

	if (!value)
		return "none";
	json_write(&out, value, 0);
	return arena_strndup(&world->arena, out.data, out.size);
}

#define META "\"metadata\":{\"name\":\"x\"}"
#define CM "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," META ","
#define RC "{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\"," META ","
#define POD "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META ","

static void test_update(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	update(&w, "a", CM "\"data\":{\"p\":\"1\",\"q\":\"1\"}}");
	/* The map is new, too. */
	assert_string_equal(fields_of(&w, "a"),
			    "Update {\"f:data\":{\".\":{},\"f:p\":{},\"f:q\":{}}}");
	update(&w, "b", CM "\"data\":{\"p\":\"2\",\"q\":\"1\",\"r\":\"1\"}}");
	assert_string_equal(fields_of(&w, "a"), "Update {\"f:data\":{\".\":{},\"f:q\":{}}}");
	assert_string_equal(fields_of(&w, "b"), "Update {\"f:data\":{\"f:p\":{},\"f:r\":{}}}");
	/* What goes is nobody's. */
	update(&w, "c", CM "\"data\":{\"r\":\"1\"}}");
	assert_string_equal(fields_of(&w, "a"), "Update {\"f:data\":{}}");
	assert_string_equal(fields_of(&w, "b"), "Update {\"f:data\":{\"f:r\":{}}}");
	assert_string_equal(fields_of(&w, "c"), "none");
	/* The same again changes nothing, times included. */
	update(&w, "b", CM "\"data\":{\"r\":\"1\"}}");
	assert_string_equal(
		value_get_text(value_at(value_path(w.object, "metadata.managedFields"), 1), "time"),
		"2026-01-01T00:00:01Z");
	/* Without a name it is somebody unknown. */
	update(&w, "", CM "\"data\":{\"r\":\"1\",\"s\":\"\"}}");
	assert_string_equal(fields_of(&w, "unknown"), "Update {\"f:data\":{\"f:s\":{}}}");
	close_world(&w);
}

/* What every object is written with is not new when it gets content. */
static void test_create_pod(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "pods");
	update(&w, "a",
	       POD "\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		   "\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"}]}],"
		   "\"securityContext\":{}},\"status\":{\"phase\":\"Pending\"}}");
	assert_string_equal(
		fields_of(&w, "a"),
		"Update {\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{\".\":{},"
		"\"f:image\":{},\"f:name\":{},\"f:ports\":{\".\":{},\"k:{\\\"containerPort\\\":80,"
		"\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:containerPort\":{},\"f:protocol\":"
		"{}}},\"f:resources\":{}}},\"f:nodeName\":{},\"f:securityContext\":{}}}");
	update_as(&w, "node", "status",
		  POD "\"spec\":{\"nodeName\":\"ignored\"},\"status\":{\"phase\":\"Running\","
		      "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
	assert_string_equal(fields_of(&w, "node"),
			    "Update/status {\"f:status\":{\"f:conditions\":{\".\":{},"
			    "\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\".\":{},"
			    "\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},"
			    "\"f:status\":{},\"f:type\":{}}},\"f:phase\":{}}}");
	close_world(&w);
}

static void test_conflict(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	apply(&w, "a", CM "\"data\":{\"p\":\"1\",\"q\":\"1\"}}");
	assert_string_equal(fields_of(&w, "a"), "Apply {\"f:data\":{\"f:p\":{},\"f:q\":{}}}");
	assert_int_equal(apply_as(&w, "b", "", CM "\"data\":{\"p\":\"2\"}}", false), -1);
	assert_int_equal(w.err.reason, COX_REASON_CONFLICT);
	assert_string_equal(error_text(&w.err),
			    "Apply failed with 1 conflict: conflict with \"a\": .data.p");
	assert_int_equal(w.err.cause_count, 1);
	assert_string_equal(w.err.causes[0].reason, "FieldManagerConflict");
	assert_string_equal(w.err.causes[0].field, ".data.p");
	assert_string_equal(w.err.causes[0].message, "conflict with \"a\"");
	/* The same value is shared. */
	apply(&w, "b", CM "\"data\":{\"p\":\"1\"}}");
	assert_string_equal(fields_of(&w, "b"), "Apply {\"f:data\":{\"f:p\":{}}}");
	update(&w, "c", CM "\"data\":{\"p\":\"1\",\"q\":\"3\"}}");
	assert_int_equal(apply_as(&w, "d", "", CM "\"data\":{\"p\":\"4\",\"q\":\"4\"}}", false),
			 -1);
	assert_string_equal(error_text(&w.err),
			    "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.p\n"
			    "conflicts with \"b\":\n- .data.p\n"
			    "conflicts with \"c\" using v1:\n- .data.q");
	assert_int_equal(apply_as(&w, "d", "", CM "\"data\":{\"p\":\"4\",\"q\":\"4\"}}", true), 0);
	assert_string_equal(part(&w, "data"), "{\"p\":\"4\",\"q\":\"4\"}");
	assert_string_equal(fields_of(&w, "a"), "none");
	assert_string_equal(fields_of(&w, "b"), "none");
	assert_string_equal(fields_of(&w, "c"), "none");
	close_world(&w);
}

/* However many there are, the answer has an end. */
static void test_many_conflicts(void **state)
{
	struct world w;
	cox_autobuf one = COX_BUF_INIT, other = COX_BUF_INIT;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	for (int i = 0; i < 2000; i++) {
		cox_buf_printf(&one, "%s\"k%d\":\"1\"", i ? "," : "", i);
		cox_buf_printf(&other, "%s\"k%d\":\"2\"", i ? "," : "", i);
	}
	apply(&w, "a", arena_printf(&w.arena, CM "\"data\":{%s}}", one.data));
	assert_int_equal(apply_as(&w, "b", "",
				  arena_printf(&w.arena, CM "\"data\":{%s}}", other.data), false),
			 -1);
	assert_int_equal(w.err.cause_count, 500);
	assert_non_null(strstr(error_text(&w.err), "Apply failed with 2000 conflicts: "));
	assert_non_null(strstr(error_text(&w.err), "\nand 1500 more"));
	close_world(&w);
}

static void test_removal(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	apply(&w, "a", CM "\"data\":{\"p\":\"1\",\"q\":\"1\",\"r\":\"1\"}}");
	apply(&w, "b", CM "\"data\":{\"q\":\"1\"}}");
	/* p goes; q is b's, too, and stays. */
	apply(&w, "a", CM "\"data\":{\"r\":\"1\"}}");
	assert_string_equal(part(&w, "data"), "{\"q\":\"1\",\"r\":\"1\"}");
	assert_string_equal(fields_of(&w, "a"), "Apply {\"f:data\":{\"f:r\":{}}}");
	/* What somebody else only updated stays, too, and is theirs alone. */
	update(&w, "u", CM "\"data\":{\"q\":\"1\",\"r\":\"2\"}}");
	apply(&w, "a", CM "\"data\":{}}");
	assert_string_equal(part(&w, "data"), "{\"q\":\"1\",\"r\":\"2\"}");
	/* An empty map is a thing that one can have. */
	assert_string_equal(fields_of(&w, "a"), "Apply {\"f:data\":{}}");
	apply(&w, "b", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," META "}");
	assert_string_equal(part(&w, "data"), "{\"r\":\"2\"}");
	assert_string_equal(fields_of(&w, "b"), "none");
	close_world(&w);
}

/* What says nothing of the metadata takes back labels, but never the name. */
static void test_no_metadata(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	apply(&w, "a",
	      "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	      "\"uid\":\"u\",\"labels\":{\"l\":\"1\"}},\"data\":{\"p\":\"1\"}}");
	apply(&w, "a", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"data\":{\"p\":\"1\"}}");
	assert_string_equal(part(&w, "metadata.name"), "\"x\"");
	assert_string_equal(part(&w, "metadata.uid"), "\"u\"");
	assert_string_equal(part(&w, "metadata.labels"), "none");
	close_world(&w);
}

static void test_lists(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "pods");
	apply(&w, "a",
	      POD "\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"1\"},{\"name\":\"y\","
		  "\"image\":\"1\",\"args\":[\"p\",\"q\"]}]}}");
	assert_string_equal(
		fields_of(&w, "a"),
		"Apply {\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"x\\\"}\":{\".\":{},"
		"\"f:image\":{},\"f:name\":{}},\"k:{\\\"name\\\":\\\"y\\\"}\":{\".\":{},"
		"\"f:args\":{},\"f:image\":{},\"f:name\":{}}}}}");
	/* One of the entries gets more by another manager, and a new one comes before it. */
	apply(&w, "b",
	      POD "\"spec\":{\"containers\":[{\"name\":\"n\",\"image\":\"2\"},{\"name\":\"y\","
		  "\"tty\":true}]}}");
	assert_string_equal(
		part(&w, "spec.containers"),
		"[{\"name\":\"x\",\"image\":\"1\"},{\"name\":\"n\",\"image\":\"2\"},"
		"{\"name\":\"y\",\"image\":\"1\",\"args\":[\"p\",\"q\"],\"tty\":true}]");
	/* A list that is one thing conflicts as such. */
	assert_int_equal(apply_as(&w, "b", "",
				  POD "\"spec\":{\"containers\":[{\"name\":\"y\",\"args\":[\"p\"]}"
				      "]}}",
				  false),
			 -1);
	assert_string_equal(error_text(&w.err), "Apply failed with 1 conflict: conflict with "
						"\"a\": .spec.containers[name=\"y\"].args");
	/* a lets go of both: x goes, y stays as far as b has it. */
	apply(&w, "a", POD "\"spec\":{\"nodeName\":\"n\"}}");
	assert_string_equal(part(&w, "spec.containers"),
			    "[{\"name\":\"n\",\"image\":\"2\"},{\"name\":\"y\",\"tty\":true}]");
	/* Their order is that of the configuration. */
	apply(&w, "b",
	      POD "\"spec\":{\"containers\":[{\"name\":\"y\",\"tty\":true},{\"name\":\"n\","
		  "\"image\":\"2\"}]}}");
	assert_string_equal(part(&w, "spec.containers"),
			    "[{\"name\":\"y\",\"tty\":true},{\"name\":\"n\",\"image\":\"2\"}]");
	close_world(&w);
}

static void test_sets(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	apply(&w, "a",
	      "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	      "\"finalizers\":[\"a/1\",\"a/2\"]}}");
	apply(&w, "b",
	      "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	      "\"finalizers\":[\"b/1\",\"a/2\"]}}");
	assert_string_equal(part(&w, "metadata.finalizers"), "[\"a/1\",\"b/1\",\"a/2\"]");
	assert_string_equal(fields_of(&w, "b"),
			    "Apply {\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a/2\\\"\":{},"
			    "\"v:\\\"b/1\\\"\":{}}}}");
	apply(&w, "a", CM "\"data\":{\"p\":\"1\"}}");
	assert_string_equal(part(&w, "metadata.finalizers"), "[\"b/1\",\"a/2\"]");
	close_world(&w);
}

static void test_atomic(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "replicationcontrollers");
	/* A selector is one thing, whoever wrote what into it. */
	apply(&w, "a", RC "\"spec\":{\"selector\":{\"app\":\"x\"}}}");
	assert_string_equal(fields_of(&w, "a"), "Apply {\"f:spec\":{\"f:selector\":{}}}");
	assert_int_equal(
		apply_as(&w, "b", "", RC "\"spec\":{\"selector\":{\"tier\":\"y\"}}}", false), -1);
	assert_int_equal(
		apply_as(&w, "b", "", RC "\"spec\":{\"selector\":{\"tier\":\"y\"}}}", true), 0);
	assert_string_equal(part(&w, "spec.selector"), "{\"tier\":\"y\"}");
	close_world(&w);
}

/* One hands the number of replicas over to whoever scales. */
static void test_handover(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "replicationcontrollers");
	apply(&w, "user", RC "\"spec\":{\"replicas\":2,\"minReadySeconds\":1}}");
	update(&w, "autoscaler", RC "\"spec\":{\"replicas\":5,\"minReadySeconds\":1}}");
	assert_string_equal(fields_of(&w, "user"), "Apply {\"f:spec\":{\"f:minReadySeconds\":{}}}");
	assert_int_equal(apply_as(&w, "user", "",
				  RC "\"spec\":{\"replicas\":2,\"minReadySeconds\":1}}", false),
			 -1);
	assert_string_equal(error_text(&w.err), "Apply failed with 1 conflict: conflict with "
						"\"autoscaler\" using v1: .spec.replicas");
	apply(&w, "user", RC "\"spec\":{\"minReadySeconds\":1}}");
	assert_string_equal(part(&w, "spec.replicas"), "5");
	close_world(&w);
}

static void test_status(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "replicationcontrollers");
	update(&w, "a", RC "\"spec\":{\"replicas\":2}}");
	assert_int_equal(apply_as(&w, "b", "status",
				  RC "\"spec\":{\"replicas\":9},\"status\":{\"readyReplicas\":1}}",
				  false),
			 0);
	assert_string_equal(fields_of(&w, "b"),
			    "Apply/status {\"f:status\":{\"f:readyReplicas\":{}}}");
	/* The other way round a status counts for nothing. */
	apply(&w, "c", RC "\"spec\":{\"minReadySeconds\":1},\"status\":{\"readyReplicas\":7}}");
	assert_string_equal(fields_of(&w, "c"), "Apply {\"f:spec\":{\"f:minReadySeconds\":{}}}");
	close_world(&w);
}

/* Nobody is known to manage anything: the first to apply shares with all before. */
static void test_before_first_apply(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	update(&w, "a", CM "\"data\":{\"p\":\"1\",\"q\":\"1\"}}");
	update(&w, "a",
	       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	       "\"managedFields\":[{}]},\"data\":{\"p\":\"1\",\"q\":\"1\"}}");
	assert_string_equal(part(&w, "metadata.managedFields"), "none");
	/* It stays so with updates. */
	update(&w, "b", CM "\"data\":{\"p\":\"1\",\"q\":\"2\"}}");
	assert_string_equal(part(&w, "metadata.managedFields"), "none");
	assert_int_equal(apply_as(&w, "c", "", CM "\"data\":{\"p\":\"2\"}}", false), -1);
	assert_string_equal(error_text(&w.err), "Apply failed with 1 conflict: conflict with "
						"\"before-first-apply\" using v1: .data.p");
	apply(&w, "c", CM "\"data\":{\"p\":\"1\"}}");
	assert_string_equal(fields_of(&w, "before-first-apply"),
			    "Update {\"f:data\":{\".\":{},\"f:p\":{},\"f:q\":{}}}");
	close_world(&w);
}

static void test_last_applied(void **state)
{
	static const char live[] =
		"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
		"\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
		"\"{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":\\\"ConfigMap\\\",\\\"data\\\":"
		"{\\\"p\\\":\\\"1\\\",\\\"q\\\":\\\"0\\\"}}\"}},"
		"\"data\":{\"p\":\"1\",\"q\":\"1\"}}";
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	update(&w, "kubectl-client-side-apply", live);
	/* p is as it was applied, q is not. */
	assert_int_equal(apply_as(&w, "other", "", CM "\"data\":{\"p\":\"2\"}}", false), -1);
	assert_int_equal(
		apply_as(&w, "kubectl", "", CM "\"data\":{\"q\":\"2\",\"p\":\"2\"}}", false), -1);
	assert_string_equal(error_text(&w.err), "Apply failed with 1 conflict: conflict with "
						"\"kubectl-client-side-apply\" using v1: .data.q");
	assert_int_equal(apply_as(&w, "kubectl", "", CM "\"data\":{\"p\":\"2\"}}", false), 0);
	close_world(&w);
}

static void test_many_updates(void **state)
{
	struct world w;
	cox_autobuf data = COX_BUF_INIT;
	const struct value *list;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	apply(&w, "applier", CM "\"data\":{\"p\":\"1\"}}");
	for (int i = 0; i < 14; i++) {
		cox_autobuf json = COX_BUF_INIT;

		cox_buf_printf(&data, ",\"k%d\":\"1\"", i);
		cox_buf_printf(&json, CM "\"data\":{\"p\":\"1\"%s}}", data.data);
		update(&w, arena_printf(&w.arena, "m%d", i), json.data);
	}
	list = value_path(w.object, "metadata.managedFields");
	assert_int_equal(list->count, MANAGERS_UPDATES_MAX + 1);
	assert_string_equal(value_get_text(value_at(list, 0), "manager"), "applier");
	assert_string_equal(value_get_text(value_at(list, 1), "manager"), "ancient-changes");
	assert_string_equal(fields_of(&w, "ancient-changes"),
			    "Update {\"f:data\":{\"f:k0\":{},\"f:k1\":{},\"f:k2\":{},\"f:k3\":{},"
			    "\"f:k4\":{}}}");
	assert_string_equal(fields_of(&w, "m5"), "Update {\"f:data\":{\"f:k5\":{}}}");
	close_world(&w);
}

/* The same object under another version has other names for its fields. */
static void test_versions(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "events.k8s.io", "v1", "events");
	update(&w, "a",
	       "{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/v1\"," META
	       ",\"note\":\"1\",\"reason\":\"r\"}");
	assert_string_equal(fields_of(&w, "a"), "Update {\"f:note\":{},\"f:reason\":{}}");
	/* Under the other version the note is a message: who changes it there takes it. */
	w.object = decoded(&w, w.object);
	{
		struct world core = w;
		struct field_context context;
		struct value *before, *after;

		core.row = schema_resource_get(&schema_builtin, "", "v1", "events");
		core.type = schema_resource_type(&schema_builtin, core.row);
		core.api_version = "v1";
		context = context_of(&core, "b", "");
		before = tree(&core.arena, "{\"kind\":\"Event\",\"apiVersion\":\"v1\"," META
					   ",\"message\":\"1\",\"reason\":\"r\"}");
		value_set(&core.arena, value_get(before, "metadata"), "managedFields",
			  value_path(w.object, "metadata.managedFields"));
		after = tree(&core.arena, "{\"kind\":\"Event\",\"apiVersion\":\"v1\"," META
					  ",\"message\":\"2\",\"reason\":\"r\"}");
		fields_track(&context, before, after, true);
		core.object = after;
		assert_string_equal(fields_of(&core, "a"), "Update {\"f:reason\":{}}");
		assert_string_equal(fields_of(&core, "b"), "Update {\"f:message\":{}}");
		w.arena = core.arena;
	}
	close_world(&w);
}

/* A version that is not known any more takes its managers along. */
static void test_lost_version(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "configmaps");
	update(&w, "a",
	       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},"
	       "\"data\":{\"p\":\"1\"}}");
	update(&w, "b",
	       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	       "\"managedFields\":[{\"manager\":\"old\",\"operation\":\"Update\",\"apiVersion\":"
	       "\"v1beta9\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:p\":{}}}},"
	       "{\"manager\":\"new\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
	       "\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:p\":{}}}}]},\"data\":{\"p\":\"1\"}}");
	assert_string_equal(fields_of(&w, "old"), "none");
	assert_string_equal(fields_of(&w, "new"), "Update {\"f:data\":{\"f:p\":{}}}");
	assert_string_equal(fields_of(&w, "a"), "none");
	/* A list that cannot be read is as none: what is known stays. */
	update(&w, "b",
	       "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
	       "\"managedFields\":[{\"manager\":\"bad\",\"operation\":\"Guess\"}]},"
	       "\"data\":{\"p\":\"1\"}}");
	assert_string_equal(fields_of(&w, "new"), "Update {\"f:data\":{\"f:p\":{}}}");
	close_world(&w);
}

static const struct {
	const char *config, *why;
} wrong[] = {
	{POD "\"spec\":{\"foo\":1}}", ".spec.foo: field not declared in schema"},
	{POD "\"spec\":{\"containers\":[{\"image\":\"x\"}]}}",
	 ".spec.containers: element 0: associative list with keys has an element that omits key "
	 "field \"name\" (and doesn't have default value)"},
	{POD "\"spec\":{\"containers\":[{\"name\":\"x\"},{\"name\":\"x\"}]}}",
	 ".spec.containers: duplicate entries for key [name=\"x\"]"},
	{POD "\"spec\":{\"containers\":{}}}", ".spec.containers: expected list, got an object"},
	{POD "\"spec\":{\"containers\":[1]}}",
	 ".spec.containers: element 0: associative list with keys may not have non-map elements"},
	{POD "\"spec\":[]}", ".spec: expected map, got a list"},
	{POD "\"spec\":{\"nodeName\":1}}", ".spec.nodeName: expected string, got 1"},
	{POD "\"spec\":{\"hostNetwork\":\"x\"}}", ".spec.hostNetwork: expected boolean, got \"x\""},
	{POD "\"spec\":{\"containers\":[{\"name\":\"x\",\"args\":[1]}],\"bar\":1}}",
	 "errors:\n  .spec.containers[name=\"x\"].args[0]: expected string, got 1\n"
	 "  .spec.bar: field not declared in schema"},
	{"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"finalizers\":"
	 "[{}]}}",
	 ".metadata.finalizers: element 0: associative list without keys has an element that's a "
	 "map type"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct world w;

		open_world(&w, "", "v1", "pods");
		assert_int_equal(apply_as(&w, "a", "", wrong[i].config, false), -1);
		assert_string_equal(error_text(&w.err),
				    arena_printf(&w.arena,
						 "failed to create typed patch object (/x; /v1, "
						 "Kind=Pod): %s",
						 wrong[i].why));
		close_world(&w);
	}
}

/* Random configurations of pods: few names, so that they meet. */

static void add_random(struct cox_buf *out, unsigned *seed)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	int containers = rand_r(seed) % 4, first = rand_r(seed) % 4;
	bool comma = false;

	cox_buf_str(out, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"");
	if (rand_r(seed) % 2)
		cox_buf_printf(out, ",\"labels\":{\"%s\":\"1\",\"l%d\":\"%d\"}",
			       names[rand_r(seed) % 4], rand_r(seed) % 3, rand_r(seed) % 2);
	cox_buf_str(out, "},\"spec\":{");
	if (rand_r(seed) % 3 == 0) {
		cox_buf_printf(out, "\"nodeName\":\"n%d\"", rand_r(seed) % 2);
		comma = true;
	}
	if (containers) {
		cox_buf_printf(out, "%s\"containers\":[", comma ? "," : "");
		for (int i = 0; i < containers; i++) {
			cox_buf_printf(out, "%s{\"name\":\"%s\"", i ? "," : "",
				       names[(first + i) % 4]);
			if (rand_r(seed) % 2)
				cox_buf_printf(out, ",\"image\":\"i%d\"", rand_r(seed) % 2);
			if (rand_r(seed) % 2)
				cox_buf_printf(out, ",\"args\":[\"%d\"]", rand_r(seed) % 2);
			if (rand_r(seed) % 3 == 0)
				cox_buf_printf(out,
					       ",\"env\":[{\"name\":\"E%d\",\"value\":\"%d\"}]",
					       rand_r(seed) % 2, rand_r(seed) % 2);
			cox_buf_char(out, '}');
		}
		cox_buf_char(out, ']');
	}
	cox_buf_str(out, "}}");
}

static const struct fieldset *owned(struct world *world, const char *manager)
{
	const struct value *list = value_get(value_get(world->object, "metadata"), "managedFields");
	const struct fieldset *set = NULL;

	for (size_t i = 0; value_at(list, i); i++)
		if (value_string_is(value_get(value_at(list, i), "manager"), manager))
			assert_int_equal(fieldset_read(&world->arena,
						       value_get(value_at(list, i), "fieldsV1"),
						       &set, NULL),
					 0);
	return set;
}

static const char *bytes_of(struct world *world, unsigned flags)
{
	cox_autobuf out = COX_BUF_INIT;

	schema_encode(&out, &schema_builtin, world->type, world->object, flags);
	return arena_strndup(&world->arena, out.data, out.size);
}

/*
 * After an apply in force: all that was applied is there and is the applier's;
 * applying it again changes nothing at all; whoever lost a field does not have
 * it; and each field that is said to be managed is there.
 */
static void test_apply_laws(void **state)
{
	static const char *const managers[] = {"p", "q", "r"};

	(void)state;
	for (unsigned round = 1; round <= 400; round++) {
		struct world w;
		unsigned seed = round;

		open_world(&w, "", "v1", "pods");
		for (int step = 0; step < 8; step++) {
			const char *who = managers[rand_r(&seed) % 3];
			cox_autobuf json = COX_BUF_INIT;
			const struct typed_context typed = {&w.arena, &schema_builtin, w.type};
			const struct fieldset *wanted, *all;
			const char *before;

			add_random(&json, &seed);
			if (rand_r(&seed) % 4 == 0 && w.object) {
				update(&w, "u", json.data);
				continue;
			}
			assert_int_equal(apply_as(&w, who, "", json.data, true), 0);
			wanted = typed_fields(&typed, tree(&w.arena, json.data));
			assert_true(fieldset_equal(owned(&w, who), wanted));
			/* all of it is in the object */
			all = typed_with_fields(
				&typed, typed_fields(&typed, tree(&w.arena, bytes_of(&w, 0))));
			assert_null(fieldset_difference(&w.arena, wanted, all));
			before = bytes_of(&w, 0);
			assert_int_equal(apply_as(&w, who, "", json.data, false), 0);
			assert_string_equal(bytes_of(&w, 0), before);
			all = typed_with_fields(
				&typed, typed_all_fields(&typed, tree(&w.arena, bytes_of(&w, 0))));
			for (size_t i = 0; i < 3; i++)
				assert_null(
					fieldset_difference(&w.arena, owned(&w, managers[i]), all));
		}
		close_world(&w);
	}
}

/* Who applies what nobody else has may come in any order. */
static void test_disjoint(void **state)
{
	static const char *const configs[] = {
		POD "\"spec\":{\"nodeName\":\"n\"}}",
		POD "\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}}",
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"labels\":"
		"{\"l\":\"1\"}}}",
		POD "\"spec\":{\"hostNetwork\":true,\"securityContext\":{\"runAsUser\":1}}}"};
	static const char *const names[] = {"a", "b", "c", "d"};
	const char *first = NULL;
	struct world kept;

	(void)state;
	open_world(&kept, "", "v1", "pods");
	for (int order = 0; order < 24; order++) {
		struct world w;
		int left[4] = {0, 1, 2, 3}, count = 4, rest = order;
		const char *bytes;

		open_world(&w, "", "v1", "pods");
		while (count) {
			int pick = rest % count;

			rest /= count;
			apply(&w, names[left[pick]], configs[left[pick]]);
			for (int i = pick; i + 1 < count; i++)
				left[i] = left[i + 1];
			count--;
		}
		bytes = bytes_of(&w, ENCODE_NO_MANAGED_FIELDS);
		if (!first)
			first = arena_strdup(&kept.arena, bytes);
		assert_string_equal(bytes, first);
		/* And takes back what is theirs, and no more. */
		apply(&w, "d", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," META "}");
		assert_string_equal(part(&w, "spec.hostNetwork"), "none");
		assert_string_equal(part(&w, "spec.nodeName"), "\"n\"");
		close_world(&w);
	}
	close_world(&kept);
}

/* Lists may be as long as requests are. */
static void test_long_list(void **state)
{
	enum { MANY = 20000 };
	cox_autobuf text = COX_BUF_INIT;
	struct world w;

	(void)state;
	open_world(&w, "", "v1", "pods");
	for (int reverse = 0; reverse < 2; reverse++) {
		cox_buf_clear(&text);
		cox_buf_str(&text, POD "\"spec\":{\"containers\":[{\"name\":\"c\",\"env\":[");
		for (int i = 0; i < MANY; i++)
			cox_buf_printf(&text, "%s{\"name\":\"E%d\"}", i ? "," : "",
				       reverse ? MANY - i : i);
		cox_buf_str(&text, "]}]}}");
		apply(&w, "a", text.data);
	}
	assert_int_equal(
		value_get(value_at(value_path(w.object, "spec.containers"), 0), "env")->count,
		MANY);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update),	     cmocka_unit_test(test_create_pod),
		cmocka_unit_test(test_conflict),     cmocka_unit_test(test_many_conflicts),
		cmocka_unit_test(test_removal),	     cmocka_unit_test(test_no_metadata),
		cmocka_unit_test(test_lists),	     cmocka_unit_test(test_sets),
		cmocka_unit_test(test_atomic),	     cmocka_unit_test(test_handover),
		cmocka_unit_test(test_status),	     cmocka_unit_test(test_before_first_apply),
		cmocka_unit_test(test_last_applied), cmocka_unit_test(test_many_updates),
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_lost_version),
		cmocka_unit_test(test_wrong),	     cmocka_unit_test(test_apply_laws),
		cmocka_unit_test(test_disjoint),     cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
