/* SPDX-License-Identifier: Apache-2.0 */
/* The schema tables: lookups, and that everything they name is there. */
#include "unit.h"

#include "machinery/convert.h"
#include "machinery/defaults.h"
#include "machinery/json.h"
#include "machinery/names.h"
#include "machinery/schema.h"

#include <string.h>

static const struct schema *const s = &schema_builtin;

static const struct schema_field *field_of(const char *type, const char *name)
{
	const struct schema_type *found = schema_type_named(s, type);

	assert_non_null(found);
	return schema_field_get(s, found, name, strlen(name));
}

static void test_types(void **state)
{
	const struct schema_type *pod = schema_type_of_kind(s, "", "v1", "Pod");

	(void)state;
	assert_ptr_equal(pod, schema_type_named(s, "core.v1.Pod"));
	assert_string_equal(schema_text(s, schema_field_at(s, pod, 0)->name), "kind");
	assert_string_equal(schema_text(s, schema_field_at(s, pod, 1)->name), "apiVersion");
	assert_null(schema_type_of_kind(s, "", "v1", "pod"));
	assert_null(schema_type_of_kind(s, "apps", "v1", "Pod"));
	assert_null(schema_type_named(s, "core.v1"));
	/* The options belong to every group. */
	assert_string_equal(
		schema_text(s, schema_type_of_kind(s, "apps", "v1", "DeleteOptions")->name),
		"meta.v1.DeleteOptions");
	assert_int_equal(schema_type_named(s, "resource.Quantity")->form, SCHEMA_QUANTITY);
	assert_int_equal(schema_type_named(s, "meta.v1.Time")->form, SCHEMA_TIME);
	for (uint32_t i = 1; i < s->type_count; i++)
		assert_true(strcmp(schema_text(s, s->types[i - 1].name),
				   schema_text(s, s->types[i].name)) < 0);
}

static void test_fields(void **state)
{
	const struct schema_field *containers = field_of("core.v1.PodSpec", "containers");
	const struct schema_field *ports = field_of("core.v1.Container", "ports");

	(void)state;
	assert_int_equal(containers->kind, SCHEMA_ARRAY);
	assert_int_equal(containers->element, SCHEMA_OBJECT);
	assert_ptr_equal(schema_field_type(s, containers),
			 schema_type_named(s, "core.v1.Container"));
	assert_int_equal(containers->list_type, SCHEMA_LIST_MAP);
	assert_string_equal(schema_text(s, containers->merge_key), "name");
	assert_true(containers->flags & SCHEMA_MERGE);
	assert_true(containers->flags & SCHEMA_REQUIRED);
	assert_int_equal(schema_list_count(s, ports->map_keys), 2);
	assert_string_equal(schema_list_at(s, ports->map_keys, 1), "protocol");
	assert_true(field_of("core.v1.PodSpec", "volumes")->flags & SCHEMA_RETAIN_KEYS);
	assert_true(field_of("core.v1.ReplicationControllerSpec", "replicas")->flags &
		    SCHEMA_POINTER);
	assert_true(schema_list_has(s, field_of("core.v1.ServicePort", "protocol")->enumeration,
				    "SCTP"));
	assert_int_equal(field_of("core.v1.Secret", "data")->element, SCHEMA_BYTES);
	assert_int_equal(field_of("core.v1.ResourceRequirements", "limits")->element,
			 SCHEMA_QUANTITY);
	assert_null(schema_field_type(s, field_of("core.v1.ResourceRequirements", "limits")));
	assert_int_equal(field_of("authentication.v1.UserInfo", "extra")->element, SCHEMA_STRINGS);
	/* Letter case counts, and so does the length. */
	assert_null(field_of("core.v1.Container", "volumemounts"));
	assert_null(schema_field_get(s, schema_type_named(s, "core.v1.Container"), "nam", 3));
	assert_null(schema_field_get(s, schema_type_named(s, "core.v1.Container"), "name\0x", 6));
	for (uint32_t t = 0; t < s->type_count; t++) {
		const struct schema_type *type = &s->types[t];

		for (size_t i = 0; i < type->field_count; i++) {
			const struct schema_field *field = schema_field_at(s, type, i);
			const char *name = schema_text(s, field->name);

			assert_ptr_equal(schema_field_get(s, type, name, strlen(name)), field);
		}
	}
}

static void test_numbers(void **state)
{
	const struct schema_type *volume = schema_type_named(s, "core.v1.Volume");
	const struct schema_field *found;
	const uint8_t inside[] = {2};
	bool embedded;

	(void)state;
	found = schema_field_numbered(s, volume, NULL, 0, 1, &embedded);
	assert_string_equal(schema_text(s, found->name), "name");
	assert_null(schema_field_numbered(s, volume, NULL, 0, 2, &embedded));
	assert_true(embedded);
	found = schema_field_numbered(s, volume, inside, 1, 10, &embedded);
	assert_string_equal(schema_text(s, found->name), "persistentVolumeClaim");
	assert_null(schema_field_numbered(s, volume, inside, 1, 99, &embedded));
	assert_false(embedded);
}

static void test_resources(void **state)
{
	const struct schema_resource *pods = schema_resource_get(s, "", "v1", "pods");
	const struct schema_resource *events =
		schema_resource_get(s, "events.k8s.io", "v1", "events");
	const struct schema_subresource *eviction;
	const struct schema_label *label;

	(void)state;
	assert_non_null(pods);
	assert_ptr_equal(pods, schema_resource_of_kind(s, "", "v1", "Pod"));
	assert_string_equal(schema_text(s, pods->prefix), "/registry/pods/");
	assert_string_equal(schema_text(s, pods->list_kind), "PodList");
	assert_string_equal(schema_text(s, pods->storage_hash), "xPOwRZ+Yhw8=");
	assert_string_equal(schema_list_at(s, pods->short_names, 0), "po");
	assert_int_equal(pods->flags, SCHEMA_NAMESPACED | SCHEMA_UNCONDITIONAL_UPDATE |
					      SCHEMA_GENERATION | SCHEMA_STATUS_DROPPED |
					      SCHEMA_HAS_STATUS);
	assert_int_equal(pods->verbs, 0xff);
	assert_int_equal(pods->column_count, 9);
	assert_string_equal(schema_text(s, s->columns[pods->columns + 3].name), "Restarts");
	eviction = schema_subresource_get(s, pods, "eviction");
	assert_string_equal(schema_text(s, eviction->group), "policy");
	assert_int_equal(eviction->verbs, SCHEMA_CREATE);
	label = schema_label_get(s, pods, "spec.host");
	assert_string_equal(schema_text(s, label->maps_to), "spec.nodeName");
	assert_null(schema_label_get(s, pods, "spec.containers"));
	assert_string_equal(schema_text(s, schema_resource_stored(s, events)->group), "");
	assert_true(schema_list_has(s, events->conversion, "note=message"));
	assert_string_equal(schema_text(s, schema_resource_get(s, "", "v1", "services")->prefix),
			    "/registry/services/specs/");
	assert_string_equal(schema_text(s, schema_resource_get(s, "", "v1", "nodes")->prefix),
			    "/registry/minions/");
	assert_true(schema_resource_get(s, "", "v1", "bindings")->flags & SCHEMA_VIRTUAL);
	assert_null(schema_resource_get(s, "", "v1", "Pods"));
	assert_null(schema_resource_get(s, "", "v2", "pods"));
	assert_int_equal(s->resource_count, 68);
	assert_string_equal(schema_verb_name(7), "watch");
	assert_null(schema_verb_name(8));
	assert_int_equal(schema_verb_bit("watch"), SCHEMA_WATCH);
	assert_int_equal(schema_verb_bit("proxy"), 0);
}

static void test_groups(void **state)
{
	(void)state;
	assert_string_equal(schema_text(s, s->groups[0].name), "");
	assert_string_equal(schema_text(s, s->groups[1].name), "apiregistration.k8s.io");
	for (uint32_t i = 0; i < s->group_count; i++) {
		if (strcmp(schema_text(s, s->groups[i].name), "autoscaling") == 0)
			assert_string_equal(schema_list_at(s, s->groups[i].versions, 0), "v2");
	}
	assert_int_not_equal(s->epoch, 0);
}

/* What the YAML names must exist, or it would be passed over at run time. */
static void test_names_lead_somewhere(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < s->field_count; i++) {
		const char *format = schema_text(s, s->fields[i].format);
		const char *texts[] = {schema_text(s, s->fields[i].published),
				       schema_text(s, s->fields[i].applied)};

		if (format[0] && strcmp(format, "labels") != 0 &&
		    strcmp(format, "annotations") != 0 && strcmp(format, "milli") != 0 &&
		    !names_check_named(format))
			fail_msg("unknown format %s", format);
		for (size_t k = 0; k < 2; k++) {
			cox_autoarena arena = ARENA_INIT;

			if (texts[k][0] &&
			    !json_parse(&arena, texts[k], strlen(texts[k]), NULL, NULL))
				fail_msg("default %s is no JSON", texts[k]);
		}
	}
	for (uint32_t t = 0; t < s->type_count; t++) {
		for (size_t d = 0; d < s->types[t].default_count; d++) {
			const struct schema_default *row = &s->defaults[s->types[t].defaults + d];
			const char *rule = schema_text(s, row->rule);
			const char *value = schema_text(s, row->value);
			cox_autoarena arena = ARENA_INIT;

			if (rule[0] && !default_rule_named(rule))
				fail_msg("%s: unknown rule %s", schema_text(s, s->types[t].name),
					 rule);
			if (!rule[0] && !json_parse(&arena, value, strlen(value), NULL, NULL))
				fail_msg("default %s is no JSON", value);
		}
	}
	for (uint32_t i = 0; i < s->resource_count; i++) {
		const struct schema_resource *r = &s->resources[i];

		if (r->name_format && !names_check_named(schema_text(s, r->name_format)))
			fail_msg("unknown format %s", schema_text(s, r->name_format));
		if (!(r->flags & SCHEMA_VIRTUAL))
			assert_non_null(schema_resource_get(s, schema_text(s, r->storage_group),
							    schema_text(s, r->storage_version),
							    schema_text(s, r->storage_resource)));
	}
}

static void test_conversion(void **state)
{
	static const char core_event[] =
		"{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"e\"},"
		"\"involvedObject\":{\"kind\":\"Pod\"},\"message\":\"m\",\"source\":{\"component\":"
		"\"c\"},\"count\":2,\"reportingComponent\":\"r\"}";
	static const char new_event[] =
		"{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/"
		"v1\",\"metadata\":{\"name\":\"e\"}"
		",\"regarding\":{\"kind\":\"Pod\"},\"note\":\"m\",\"deprecatedSource\":{"
		"\"component\":\"c\"},\"deprecatedCount\":2,\"reportingController\":\"r\"}";
	const struct schema_resource *stored = schema_resource_get(s, "", "v1", "events");
	const struct schema_resource *view =
		schema_resource_get(s, "events.k8s.io", "v1", "events");
	const struct schema_resource *pods = schema_resource_get(s, "", "v1", "pods");
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct value *event = json_parse(&arena, core_event, strlen(core_event), NULL, NULL);
	cox_autobuf bytes = COX_BUF_INIT;

	(void)state;
	assert_int_equal(schema_convert(s, stored, view, &arena, event, &err), 0);
	json_write(&bytes, event, 0);
	assert_string_equal(bytes.data, new_event);
	assert_int_equal(schema_convert(s, view, stored, &arena, event, &err), 0);
	cox_buf_clear(&bytes);
	json_write(&bytes, event, 0);
	assert_string_equal(bytes.data, core_event);
	assert_int_equal(schema_convert(s, pods, stored, &arena, event, &err), -1);
	assert_string_equal(error_text(&err), "pods cannot be converted from v1 to v1");
}

/* The old form has a field for the CPU, and annotations for all else. */
static void test_autoscalers(void **state)
{
	static const char stored_form[] =
		"{\"metadata\":{\"name\":\"h\"},\"spec\":{\"maxReplicas\":3,\"metrics\":["
		"{\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"q\"},"
		"\"target\":{\"averageValue\":\"5\",\"type\":\"AverageValue\"}}},"
		"{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{"
		"\"averageUtilization\":50,\"type\":\"Utilization\"}}}],"
		"\"behavior\":{\"scaleUp\":{\"selectPolicy\":\"Max\"}}},"
		"\"status\":{\"desiredReplicas\":1,\"currentMetrics\":[{\"type\":\"Resource\","
		"\"resource\":{\"name\":\"cpu\",\"current\":{\"averageUtilization\":7}}}]},"
		"\"apiVersion\":\"autoscaling/v2\"}";
	const struct schema_resource *v1 =
		schema_resource_get(s, "autoscaling", "v1", "horizontalpodautoscalers");
	const struct schema_resource *v2 =
		schema_resource_get(s, "autoscaling", "v2", "horizontalpodautoscalers");
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	struct value *scaler = json_parse(&arena, stored_form, strlen(stored_form), NULL, NULL);
	struct value *before = value_copy(&arena, scaler);
	const struct value *annotations;

	(void)state;
	assert_int_equal(schema_convert(s, v2, v1, &arena, scaler, &err), 0);
	assert_string_equal(value_get_text(scaler, "apiVersion"), "autoscaling/v1");
	assert_int_equal(
		value_get_int(value_get(scaler, "spec"), "targetCPUUtilizationPercentage", 0), 50);
	assert_int_equal(
		value_get_int(value_get(scaler, "status"), "currentCPUUtilizationPercentage", 0),
		7);
	assert_null(value_path(scaler, "spec.metrics"));
	annotations = value_path(scaler, "metadata.annotations");
	assert_string_equal(value_get_text(annotations, "autoscaling.alpha.kubernetes.io/metrics"),
			    "[{\"type\":\"Pods\",\"pods\":{\"metricName\":\"q\","
			    "\"targetAverageValue\":\"5\"}}]");
	assert_non_null(value_get(annotations, "autoscaling.alpha.kubernetes.io/behavior"));
	assert_int_equal(schema_convert(s, v1, v2, &arena, scaler, &err), 0);
	assert_true(value_equal(scaler, before));
}

static void check_label(const char *plural, const char *label, const char *json,
			const char *expected)
{
	const struct schema_resource *resource = schema_resource_get(s, "", "v1", plural);
	const struct schema_label *row = schema_label_get(s, resource, label);
	cox_autoarena arena = ARENA_INIT;
	struct value *object = json_parse(&arena, json, strlen(json), NULL, NULL);

	assert_non_null(row);
	assert_string_equal(schema_label_value(s, row, &arena, object), expected);
}

static void test_labels(void **state)
{
	(void)state;
	check_label("pods", "spec.nodeName", "{\"spec\":{\"nodeName\":\"a\"}}", "a");
	check_label("pods", "spec.hostNetwork", "{\"spec\":{}}", "false");
	check_label("pods", "spec.hostNetwork", "{\"spec\":{\"hostNetwork\":true}}", "true");
	check_label("pods", "status.podIP",
		    "{\"status\":{\"podIPs\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"::1\"}]}}",
		    "10.0.0.1");
	check_label("pods", "status.podIP", "{}", "");
	check_label("pods", "status.podIPs", "{\"status\":{\"podIPs\":\"x\"}}", "");
	check_label("replicationcontrollers", "status.replicas", "{}", "0");
	check_label("replicationcontrollers", "status.replicas", "{\"status\":{\"replicas\":3}}",
		    "3");
	check_label("events", "source", "{\"reportingComponent\":\"r\"}", "r");
	check_label("events", "source",
		    "{\"reportingComponent\":\"r\",\"source\":{\"component\":\"c\"}}", "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),	   cmocka_unit_test(test_fields),
		cmocka_unit_test(test_numbers),	   cmocka_unit_test(test_resources),
		cmocka_unit_test(test_groups),	   cmocka_unit_test(test_names_lead_somewhere),
		cmocka_unit_test(test_conversion), cmocka_unit_test(test_autoscalers),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
