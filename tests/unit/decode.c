/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding, defaults and canonical bytes. */
#include "unit.h"

#include "machinery/create.h"
#include "machinery/decode.h"
#include "machinery/defaults.h"
#include "machinery/encode.h"

#include <string.h>

static const struct schema *const s = &schema_builtin;

struct pass {
	struct arena arena;
	struct cox_error err;
	struct decode_report report;
	struct cox_buf bytes;
	struct value *tree;
	int result;
};

static void pass_free(struct pass *p)
{
	arena_free(&p->arena);
	error_clear(&p->err);
	cox_buf_free(&p->bytes);
}
#define autopass __attribute__((cleanup(pass_free))) struct pass

#define PASS_DEFAULTS 1u
#define PASS_STORAGE 2u

static void pass_run(struct pass *p, const char *type_name, const char *json, unsigned flags)
{
	const struct schema_type *type = schema_type_named(s, type_name);

	memset(p, 0, sizeof(*p));
	assert_non_null(type);
	decode_report_init(&p->report, &p->arena);
	p->tree = json_parse(&p->arena, json, strlen(json), &p->report.duplicates, &p->err);
	if (!p->tree)
		fail_msg("%s", error_text(&p->err));
	p->result = schema_decode(s, type, &p->arena, p->tree, &p->report, &p->err);
	if (p->result)
		return;
	if (flags & PASS_DEFAULTS)
		schema_apply_defaults(s, type, &p->arena, p->tree);
	schema_encode(&p->bytes, s, type, p->tree, flags & PASS_STORAGE ? ENCODE_STORAGE : 0);
}

static void check(const char *type, const char *json, unsigned flags, const char *expected)
{
	autopass p;

	pass_run(&p, type, json, flags);
	if (p.result)
		fail_msg("%s", error_text(&p.err));
	assert_string_equal(p.bytes.data, expected);
}

static void check_error(const char *type, const char *json, const char *expected)
{
	autopass p;

	pass_run(&p, type, json, 0);
	assert_int_equal(p.result, -1);
	assert_int_equal(p.err.reason, COX_REASON_BAD_REQUEST);
	assert_string_equal(error_text(&p.err), expected);
}

static void check_report(const char *type, const char *json, const char *expected)
{
	autopass p;

	pass_run(&p, type, json, 0);
	assert_int_equal(p.result, 0);
	assert_true(p.report.count > 0);
	assert_string_equal(decode_report_text(&p.report), expected);
}

static void test_wrong_types(void **state)
{
	(void)state;
	check_error("core.v1.ReplicationController", "{\"spec\":{\"replicas\":\"3\"}}",
		    "spec.replicas: expected an integer, got a string (\"3\")");
	check_error("core.v1.ReplicationController", "{\"spec\":{\"replicas\":1.5}}",
		    "spec.replicas: expected an integer, got a number (1.5)");
	check_error("core.v1.ReplicationController", "{\"spec\":{\"replicas\":3000000000}}",
		    "spec.replicas: expected an integer of 32 bits, got a number (3000000000)");
	check_error("core.v1.Pod", "{\"metadata\":{\"labels\":{\"a\":1}}}",
		    "metadata.labels[a]: expected a string, got a number (1)");
	check_error("core.v1.Pod", "{\"spec\":{\"containers\":{}}}",
		    "spec.containers: expected a list, got an object");
	check_error("core.v1.Pod", "{\"spec\":{\"containers\":[\"x\"]}}",
		    "spec.containers[0]: expected an object, got a string (\"x\")");
	check_error("core.v1.Pod", "{\"spec\":{\"hostNetwork\":\"yes\"}}",
		    "spec.hostNetwork: expected true or false, got a string (\"yes\")");
	check_error("core.v1.Secret", "{\"data\":{\"k\":\"***\"}}",
		    "data[k]: expected a string in base64, got a string (\"***\")");
	check_error("core.v1.Pod", "{\"metadata\":{\"creationTimestamp\":\"today\"}}",
		    "metadata.creationTimestamp: expected a time like 2006-01-02T15:04:05Z, got a "
		    "string (\"today\")");
	check_error("core.v1.Pod", "[]", "expected an object, got a list");
}

static void test_unknown(void **state)
{
	(void)state;
	check_report("core.v1.Pod",
		     "{\"metadata\":{\"lables\":{}},\"spec\":{\"Volumes\":[],\"containers\":[{"
		     "\"VolumeMounts\":[],\"volumeMounts\":[{\"mountpath\":\"/x\"}]}]}}",
		     "strict decoding error: unknown field \"metadata.lables\" (did you mean "
		     "\"labels\"?), unknown field \"spec.Volumes\" (did you mean \"volumes\"?), "
		     "unknown field \"spec.containers[0].VolumeMounts\" (did you mean "
		     "\"volumeMounts\"?), unknown field "
		     "\"spec.containers[0].volumeMounts[0].mountpath\" (did you mean "
		     "\"mountPath\"?)");
	check_report(
		"core.v1.Pod", "{\"spec\":{\"volumes\":[{\"awkElasticBlockStore\":{}}]}}",
		"strict decoding error: unknown field \"spec.volumes[0].awkElasticBlockStore\" "
		"(did you mean \"awsElasticBlockStore\"?)");
	check_report("core.v1.Pod", "{\"spec\":{\"\xc2\xa0\xc2\xa0nodeName\":\"a\"}}",
		     "strict decoding error: unknown field \"spec.\xc2\xa0\xc2\xa0nodeName\" "
		     "(with U+00A0, a no-break space) (did you mean \"nodeName\"?)");
	check_report("core.v1.Pod", "{\"zzz\":1}", "strict decoding error: unknown field \"zzz\"");
	check_report("core.v1.Pod", "{\"spec\":{\"nodeName\":\"a\",\"nodeName\":\"b\"}}",
		     "strict decoding error: duplicate field \"spec.nodeName\"");
}

static void test_report_is_bounded(void **state)
{
	cox_autobuf json = COX_BUF_INIT;
	autopass p;

	(void)state;
	cox_buf_str(&json, "{\"x0\":0");
	for (int i = 1; i < DECODE_PROBLEM_MAX + 5; i++)
		cox_buf_printf(&json, ",\"x%d\":0", i);
	cox_buf_char(&json, '}');
	pass_run(&p, "core.v1.Pod", json.data, 0);
	assert_int_equal(p.report.count, DECODE_PROBLEM_MAX);
	assert_int_equal(p.report.left_out, 5);
	assert_non_null(strstr(decode_report_text(&p.report), ", and 5 more"));
}

static void test_canonical_values(void **state)
{
	(void)state;
	check("core.v1.LimitRange",
	      "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"memory\":\"1024Ki\",\"cpu\":0.5,"
	      "\"x/y\":3}}]},\"metadata\":null}",
	      0,
	      "{\"metadata\":{},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"500m\","
	      "\"memory\":\"1Mi\",\"x/y\":\"3\"}}]}}");
	/* Finer than a thousandth: rounded up. */
	check("core.v1.LimitRange",
	      "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"1u\"}}]}}", 0,
	      "{\"metadata\":{},\"spec\":{\"limits\":[{\"type\":\"Pod\",\"max\":{\"cpu\":\"1m\"}}]}"
	      "}");
	check("coordination.v1.Lease",
	      "{\"spec\":{\"renewTime\":\"2026-01-02T03:04:05.5+01:00\"},\"metadata\":{"
	      "\"creationTimestamp\":\"2026-01-02T03:04:05.7Z\"}}",
	      0,
	      "{\"metadata\":{\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"spec\":{"
	      "\"renewTime\":\"2026-01-02T02:04:05.500000Z\"}}");
	check("core.v1.Secret", "{\"data\":{\"k\":\"aGVs\\nbG8=\"}}", 0,
	      "{\"metadata\":{},\"data\":{\"k\":\"aGVsbG8=\"}}");
	/* Null is absent; an empty label from null is the empty text. */
	check("core.v1.Pod", "{\"metadata\":{\"labels\":{\"a\":null}},\"spec\":null}", 0,
	      "{\"metadata\":{\"labels\":{\"a\":\"\"}},\"spec\":{\"containers\":null},\"status\":{}"
	      "}");
}

static void test_omit_rules(void **state)
{
	(void)state;
	/* A pointer to zero stays, zero itself goes, what is always written comes. */
	check("core.v1.ReplicationController",
	      "{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\",\"spec\":{\"replicas\":0,"
	      "\"minReadySeconds\":0,\"selector\":{}}}",
	      0,
	      "{\"kind\":\"ReplicationController\",\"apiVersion\":\"v1\",\"metadata\":{},\"spec\":{"
	      "\"replicas\":0},\"status\":{\"replicas\":0}}");
	check("core.v1.PodStatus",
	      "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],\"phase\":\"\"}", 0,
	      "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,"
	      "\"lastTransitionTime\":null}]}");
	check("core.v1.ServicePort", "{\"port\":80,\"targetPort\":\"web\"}", 0,
	      "{\"port\":80,\"targetPort\":\"web\"}");
	check("core.v1.ServicePort", "{}", 0, "{\"port\":0,\"targetPort\":0}");
	check("core.v1.Volume", "{\"name\":\"v\",\"emptyDir\":{}}", 0,
	      "{\"name\":\"v\",\"emptyDir\":{}}");
	check("core.v1.Pod",
	      "{\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"x\",\"selfLink\":\"/x\"}}",
	      PASS_STORAGE,
	      "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"containers\":null},"
	      "\"status\":{}}");
}

static void test_order(void **state)
{
	(void)state;
	check("core.v1.ConfigMap",
	      "{\"data\":{\"b\":\"2\",\"a\":\"1\",\"ab\":\"3\"},\"metadata\":{\"name\":\"x\"},"
	      "\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}",
	      0,
	      "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},"
	      "\"data\":"
	      "{\"a\":\"1\",\"ab\":\"3\",\"b\":\"2\"}}");
}

static void test_pod_defaults(void **state)
{
	(void)state;
	check("core.v1.Pod",
	      "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},\"spec\":{"
	      "\"serviceAccount\":\"sa\",\"hostNetwork\":true,\"volumes\":[{\"name\":\"v\"},{"
	      "\"name\":\"s\",\"secret\":{\"secretName\":\"t\"}}],\"containers\":[{\"name\":\"c\","
	      "\"image\":\"registry:5000/nginx\",\"ports\":[{\"containerPort\":80}],\"resources\":{"
	      "\"limits\":{\"cpu\":\"1000m\",\"memory\":1024}},\"livenessProbe\":{\"httpGet\":{"
	      "\"port\":80}}},{\"name\":\"d\",\"image\":\"nginx:1.27\"}]}}",
	      PASS_DEFAULTS,
	      "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},\"spec\":{"
	      "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"s\",\"secret\":{"
	      "\"secretName\":\"t\",\"defaultMode\":420}}],\"containers\":[{\"name\":\"c\","
	      "\"image\":\"registry:5000/nginx\",\"ports\":[{\"hostPort\":80,\"containerPort\":80,"
	      "\"protocol\":\"TCP\"}],\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1024\"}"
	      ",\"requests\":{\"cpu\":\"1\",\"memory\":\"1024\"}},\"livenessProbe\":{\"httpGet\":{"
	      "\"path\":\"/\",\"port\":80,\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,"
	      "\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
	      "\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":"
	      "\"File\",\"imagePullPolicy\":\"Always\"},{\"name\":\"d\",\"image\":\"nginx:1.27\","
	      "\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\","
	      "\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\"}],"
	      "\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":"
	      "\"ClusterFirst\",\"serviceAccountName\":\"sa\",\"serviceAccount\":\"sa\","
	      "\"hostNetwork\":true,\"securityContext\":{},\"schedulerName\":\"default-scheduler\","
	      "\"enableServiceLinks\":true},\"status\":{}}");
}

static void test_other_defaults(void **state)
{
	(void)state;
	check("core.v1.Service",
	      "{\"spec\":{\"type\":\"LoadBalancer\",\"sessionAffinity\":\"ClientIP\",\"ports\":[{"
	      "\"port\":80}]}}",
	      PASS_DEFAULTS,
	      "{\"metadata\":{},\"spec\":{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,"
	      "\"targetPort\":80}],\"type\":\"LoadBalancer\",\"sessionAffinity\":\"ClientIP\","
	      "\"externalTrafficPolicy\":\"Cluster\",\"sessionAffinityConfig\":{\"clientIP\":{"
	      "\"timeoutSeconds\":10800}},\"allocateLoadBalancerNodePorts\":true,"
	      "\"internalTrafficPolicy\":\"Cluster\"},\"status\":{\"loadBalancer\":{}}}");
	check("core.v1.Namespace", "{\"metadata\":{\"name\":\"n\"}}", PASS_DEFAULTS,
	      "{\"metadata\":{\"name\":\"n\",\"labels\":{\"kubernetes.io/metadata.name\":\"n\"}},"
	      "\"spec\":{},\"status\":{\"phase\":\"Active\"}}");
	check("core.v1.Secret", "{\"stringData\":{\"k\":\"hello\"},\"data\":{\"k\":\"eA==\"}}",
	      PASS_DEFAULTS, "{\"metadata\":{},\"data\":{\"k\":\"aGVsbG8=\"},\"type\":\"Opaque\"}");
	check("core.v1.LimitRange",
	      "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":\"2\"},\"min\":{"
	      "\"memory\":\"1Mi\"}}]}}",
	      PASS_DEFAULTS,
	      "{\"metadata\":{},\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":"
	      "\"2\"},\"min\":{\"memory\":\"1Mi\"},\"default\":{\"cpu\":\"2\"},"
	      "\"defaultRequest\":{\"cpu\":\"2\",\"memory\":\"1Mi\"}}]}}");
	check("core.v1.ReplicationController",
	      "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":null}}}",
	      PASS_DEFAULTS,
	      "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":1,\"selector\":{"
	      "\"a\":\"b\"},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
	      "\"containers\":null,\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":"
	      "30,\"dnsPolicy\":\"ClusterFirst\",\"securityContext\":{},\"schedulerName\":"
	      "\"default-scheduler\"}}},\"status\":{\"replicas\":0}}");
	check("apps.v1.Deployment", "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}",
	      PASS_DEFAULTS,
	      "{\"metadata\":{},\"spec\":{\"replicas\":1,\"selector\":null,\"template\":{"
	      "\"metadata\":{},\"spec\":{\"containers\":null,\"restartPolicy\":\"Always\","
	      "\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\","
	      "\"securityContext\":{},\"schedulerName\":\"default-scheduler\"}},\"strategy\":{"
	      "\"type\":\"Recreate\"},\"revisionHistoryLimit\":10,\"progressDeadlineSeconds\":600},"
	      "\"status\":{}}");
	check("core.v1.NodeStatus", "{\"capacity\":{\"cpu\":\"4\"}}", PASS_DEFAULTS,
	      "{\"capacity\":{\"cpu\":\"4\"},\"allocatable\":{\"cpu\":\"4\"},\"daemonEndpoints\":{"
	      "\"kubeletEndpoint\":{\"Port\":0}},\"nodeInfo\":{\"machineID\":\"\",\"systemUUID\":"
	      "\"\",\"bootID\":\"\",\"kernelVersion\":\"\",\"osImage\":\"\","
	      "\"containerRuntimeVersion\":\"\",\"kubeletVersion\":\"\",\"kubeProxyVersion\":\"\","
	      "\"operatingSystem\":\"\",\"architecture\":\"\"}}");
}

/* Pod-level amounts: the sum of what runs together, or the largest init step. */
static void test_pod_level_requests(void **state)
{
	autopass p;

	(void)state;
	pass_run(
		&p, "core.v1.Pod",
		"{\"spec\":{\"resources\":{\"limits\":{\"cpu\":\"4\",\"memory\":\"1Gi\"}},"
		"\"initContainers\":[{\"name\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"3\"}}},"
		"{\"name\":\"s\",\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{"
		"\"cpu\":\"500m\"}}}],\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{"
		"\"cpu\":\"1\"}}}]}}",
		PASS_DEFAULTS);
	assert_string_equal(value_text(value_path(p.tree, "spec.resources.requests.cpu")), "3");
	assert_string_equal(value_text(value_path(p.tree, "spec.resources.requests.memory")),
			    "1Gi");
}

static void check_create(const char *plural, const char *json, const char *expected)
{
	const struct schema_resource *resource = schema_resource_get(s, "", "v1", plural);
	cox_autoarena arena = ARENA_INIT;
	struct value *object = json_parse(&arena, json, strlen(json), NULL, NULL);
	cox_autobuf bytes = COX_BUF_INIT;

	schema_prepare_create(s, resource, &arena, object, 0);
	json_write(&bytes, object, 0);
	assert_string_equal(bytes.data, expected);
}

static void test_create(void **state)
{
	(void)state;
	check_create(
		"pods", "{\"spec\":{},\"status\":{\"phase\":\"Running\"}}",
		"{\"spec\":{},\"status\":{\"phase\":\"Pending\",\"qosClass\":\"BestEffort\"}}");
	check_create("namespaces", "{\"spec\":{\"finalizers\":[\"a/b\"]}}",
		     "{\"spec\":{\"finalizers\":[\"a/b\",\"kubernetes\"]},\"status\":{\"phase\":"
		     "\"Active\"}}");
	check_create("persistentvolumes", "{}",
		     "{\"status\":{\"phase\":\"Pending\",\"lastPhaseTransitionTime\":"
		     "\"1970-01-01T00:00:00Z\"}}");
	check_create(
		"persistentvolumeclaims", "{\"spec\":{\"dataSource\":{\"name\":\"a\"}}}",
		"{\"spec\":{\"dataSource\":{\"name\":\"a\"},\"dataSourceRef\":{\"name\":\"a\"}},"
		"\"status\":{\"phase\":\"Pending\"}}");
	check_create("secrets", "{\"type\":\"x\"}", "{\"type\":\"x\"}");
}

static void test_quality(void **state)
{
	static const struct {
		const char *resources, *expected;
	} rows[] = {
		{"{}", "BestEffort"},
		{"{\"requests\":{\"cpu\":\"0\"}}", "BestEffort"},
		{"{\"requests\":{\"cpu\":\"1\"}}", "Burstable"},
		{"{\"limits\":{\"cpu\":\"1\"}}", "Burstable"},
		{"{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1000m\"}}",
		 "Guaranteed"},
		{"{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1m\"}}",
		 "Burstable"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cox_autoarena arena = ARENA_INIT;
		char *json =
			arena_printf(&arena, "{\"spec\":{\"containers\":[{\"resources\":%s}]}}",
				     rows[i].resources);

		assert_string_equal(
			pod_quality_class(json_parse(&arena, json, strlen(json), NULL, NULL)),
			rows[i].expected);
	}
}

/* A value for every field of a type, a few levels deep. */
static struct value *sample(struct arena *arena, const struct schema_type *type, int depth);

static struct value *sample_one(struct arena *arena, const struct schema_field *field, uint8_t kind,
				int depth)
{
	switch ((enum schema_kind)kind) {
	case SCHEMA_BOOL:
		return value_bool(arena, true);
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_DOUBLE:
	case SCHEMA_INT_OR_STRING:
		return value_int(arena, 7);
	case SCHEMA_STRING:
		return value_string(arena, "text \"\xc3\xa9\"");
	case SCHEMA_BYTES:
		return value_string(arena, "aGVsbG8=");
	case SCHEMA_TIME:
		return value_string(arena, "2026-01-02T03:04:05Z");
	case SCHEMA_MICRO_TIME:
		return value_string(arena, "2026-01-02T03:04:05.000006Z");
	case SCHEMA_QUANTITY:
		return value_string(arena, "1500m");
	case SCHEMA_OBJECT:
		return sample(arena, schema_field_type(s, field), depth + 1);
	case SCHEMA_STRINGS: {
		struct value *list = value_array(arena);

		value_push(arena, list, value_string(arena, "x"));
		return list;
	}
	case SCHEMA_RAW:
	case SCHEMA_ANY:
	case SCHEMA_ARRAY:
	case SCHEMA_MAP:
		break;
	}
	struct value *object = value_object(arena);

	value_set_int(arena, object, "z", 1);
	return object;
}

static struct value *sample(struct arena *arena, const struct schema_type *type, int depth)
{
	struct value *object = value_object(arena);

	for (size_t i = type->field_count; i-- > 0 && depth < 6;) {
		const struct schema_field *field = schema_field_at(s, type, i);
		const char *name = schema_text(s, field->name);
		struct value *one, *value;

		if (field->flags & SCHEMA_DISABLED)
			continue;
		one = sample_one(arena, field, field->element ? field->element : field->kind,
				 depth);
		value = one;
		if (field->kind == SCHEMA_ARRAY) {
			value = value_array(arena);
			value_push(arena, value, one);
		} else if (field->kind == SCHEMA_MAP) {
			value = value_object(arena);
			value_set(arena, value, "k/y", one);
		}
		value_set(arena, object, name, value);
	}
	return object;
}

/* Every type: what is written is read again and written the same, and nothing is lost. */
static void test_round_trip(void **state)
{
	(void)state;
	for (uint32_t t = 0; t < s->type_count; t++) {
		const struct schema_type *type = &s->types[t];
		cox_autoarena arena = ARENA_INIT;
		cox_autobuf first = COX_BUF_INIT, second = COX_BUF_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		struct decode_report report;
		struct value *whole, *again;

		if (type->form != SCHEMA_OBJECT)
			continue;
		whole = sample(&arena, type, 0);
		schema_encode(&first, s, type, whole, 0);
		decode_report_init(&report, &arena);
		again = json_parse(&arena, first.data, first.size, &report.duplicates, &err);
		if (!again || schema_decode(s, type, &arena, again, &report, &err))
			fail_msg("%s: %s", schema_text(s, type->name), error_text(&err));
		if (report.count)
			fail_msg("%s: %s", schema_text(s, type->name), decode_report_text(&report));
		schema_encode(&second, s, type, again, 0);
		assert_string_equal(second.data, first.data);
		for (size_t i = 0; i < type->field_count; i++) {
			const struct schema_field *field = schema_field_at(s, type, i);

			if (!(field->flags & SCHEMA_DISABLED))
				assert_non_null(value_get(again, schema_text(s, field->name)));
		}
	}
}

/* Defaults are stable: putting them in again changes nothing. */
static void test_defaults_are_stable(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < s->resource_count; r++) {
		const struct schema_type *type = schema_resource_type(s, &s->resources[r]);
		cox_autoarena arena = ARENA_INIT;
		cox_autobuf first = COX_BUF_INIT, second = COX_BUF_INIT;
		struct value *full = sample(&arena, type, 0), *bare = value_object(&arena);
		struct value *objects[] = {full, bare};

		for (size_t i = 0; i < 2; i++) {
			cox_buf_clear(&first);
			cox_buf_clear(&second);
			schema_apply_defaults(s, type, &arena, objects[i]);
			schema_encode(&first, s, type, objects[i], 0);
			schema_apply_defaults(s, type, &arena, objects[i]);
			schema_encode(&second, s, type, objects[i], 0);
			assert_string_equal(second.data, first.data);
		}
	}
}

static void test_disabled_fields(void **state)
{
	autopass p;

	(void)state;
	pass_run(&p, "core.v1.PodLogOptions", "{\"stream\":\"Stdout\",\"container\":\"c\"}", 0);
	assert_null(value_get(p.tree, "stream"));
	assert_string_equal(value_get_text(p.tree, "container"), "c");
}

/* What is stored plus its version, in its place, is what is answered. */
static void test_version_at(void **state)
{
	static const char json[] =
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
		"\"uid\":\"u\",\"resourceVersion\":\"42\",\"generation\":3,"
		"\"labels\":{\"a\":\"b\"}},"
		"\"spec\":{\"containers\":[]}}";
	static const char version[] = ",\"resourceVersion\":\"42\"";
	cox_autobuf stored = COX_BUF_INIT, whole = COX_BUF_INIT;
	const struct schema_type *type = schema_type_named(s, "core.v1.Pod");
	size_t at;
	autopass p;

	(void)state;
	pass_run(&p, "core.v1.Pod", json, 0);
	schema_encode_stored(&stored, s, type, p.tree, &at);
	assert_true(at > 0 && at < stored.size);
	cox_buf_add(&whole, stored.data, at);
	cox_buf_add(&whole, version, sizeof(version) - 1);
	cox_buf_add(&whole, stored.data + at, stored.size - at);
	assert_string_equal(cox_buf_cstr(&whole), p.bytes.data);
	/* Where nothing comes before it, it cannot be put in like that. */
	value_remove(p.tree, "metadata");
	cox_buf_clear(&stored);
	schema_encode_stored(&stored, s, type, p.tree, &at);
	assert_int_equal(at, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_report_is_bounded),
		cmocka_unit_test(test_canonical_values),
		cmocka_unit_test(test_omit_rules),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_pod_defaults),
		cmocka_unit_test(test_other_defaults),
		cmocka_unit_test(test_pod_level_requests),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_quality),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_defaults_are_stable),
		cmocka_unit_test(test_disabled_fields),
		cmocka_unit_test(test_version_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
