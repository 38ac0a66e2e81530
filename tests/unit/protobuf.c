/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf bodies: malformed ones, zero values, envelopes, there and back. */
#include "unit.h"

#include "machinery/encode.h"
#include "machinery/json.h"
#include "machinery/protobuf.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod"

/* The JSON form of a body, or the error. */
static void assert_body(const char *data, size_t size, const char *wanted)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	char *exact = malloc(size ? size : 1);
	struct value *value;

	memcpy(exact, data, size);
	value = protobuf_decode_object(&arena, &schema_builtin, exact, size, NULL, &err);
	if (value)
		json_write(&out, value, 0);
	else
		assert_int_equal(err.reason, COX_REASON_BAD_REQUEST);
	assert_string_equal(value ? cox_buf_cstr(&out) : error_text(&err), wanted);
	free(exact);
}

#define BODY(text, wanted) assert_body(text, sizeof(text) - 1, wanted)

static void test_bodies(void **state)
{
	(void)state;
	BODY(HEAD, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}");
	BODY(HEAD "\x12\x05\x0a\x03\x0a\x01"
		  "a",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}");
	/* zero values that JSON leaves out; the last of two counts; unknown fields */
	BODY(HEAD "\x12\x0c\x0a\x0a\x0a\x01"
		  "a\x0a\x01"
		  "b\x12\x00\x38\x00",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"b\"}}");
	BODY(HEAD "\x12\x05\xfa\x07\x02xy", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}");
	/* a message in two pieces */
	BODY(HEAD "\x12\x0a\x0a\x03\x0a\x01"
		  "a\x0a\x03\x1a\x01"
		  "n",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\","
	     "\"namespace\":\"n\"}}");
	BODY("k8s", "invalid protobuf: it does not begin with the four bytes \"k8s\\0\"");
	BODY("{\"a\":1}", "invalid protobuf: it does not begin with the four bytes \"k8s\\0\"");
	BODY("k8s\0", "no kind \"\" is registered for version \"\"");
	BODY("k8s\0\x0a\x0d\x0a\x07"
	     "apps/v9\x12\x02No",
	     "no kind \"No\" is registered for version \"apps/v9\"");
	BODY(HEAD "\x1a\x04gzip", "invalid protobuf: the object has a content encoding");
	BODY(HEAD "\x12\x05\x0a", "invalid protobuf: a field is longer than what holds it");
	BODY(HEAD "\x12\x02\x0a\x05", "invalid protobuf: a field is longer than what holds it");
	BODY(HEAD "\x12\x04\x0a\x02\x0a\x7f",
	     "metadata: invalid protobuf: a field is longer than what holds it");
	BODY(HEAD "\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	     "invalid protobuf: it ends inside a number");
	BODY(HEAD "\x12\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	     "invalid protobuf: a number is longer than ten bytes");
	BODY(HEAD "\x12\x01\x00", "invalid protobuf: a field number is out of range");
	BODY(HEAD "\x12\x01\x0b", "invalid protobuf: a field has an unknown wire type");
	BODY(HEAD "\x12\x02\x08\x01",
	     "metadata: invalid protobuf: a field has the wrong wire type");
	BODY(HEAD "\x12\x05\x0a\x03\x0a\x01\xff",
	     "metadata: name: invalid protobuf: a string is not UTF-8");
	BODY(HEAD "\x12\x0a\x0a\x08\x42\x06\x08\xff\xff\xff\xff\x7f",
	     "metadata: creationTimestamp: invalid protobuf: a time is out of range");
	/* the zero time is none */
	BODY(HEAD "\x12\x04\x0a\x02\x42\x00",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}");
	/* the beginning of 1970 is a time, also if it is told by a fraction */
	BODY(HEAD "\x12\x08\x0a\x06\x42\x04\x08\x00\x10\x00",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"creationTimestamp\":"
	     "\"1970-01-01T00:00:00Z\"}}");
	BODY(HEAD "\x12\x06\x0a\x04\x42\x02\x10\x07",
	     "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"creationTimestamp\":"
	     "\"1970-01-01T00:00:00Z\"}}");
}

static void test_round_trip(void **state)
{
	static const char *const objects[] = {
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"labels\":"
		"{\"x\":\"y\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{}}],"
		"\"securityContext\":{\"runAsUser\":0,\"supplementalGroups\":[1,2]}}}",
		"{\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/v1\",\"metadata\":{"
		"\"name\":\"n\"},\"spec\":{\"holderIdentity\":\"n\",\"renewTime\":"
		"\"2026-01-02T03:04:05.678901Z\"}}",
		"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"data\":{\"a\":\"\",\"b\":\"é\"},"
		"\"binaryData\":{\"z\":\"AAEC\"}}",
		"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"spec\":{\"ports\":[{\"port\":80,"
		"\"targetPort\":8080},{\"port\":81,\"targetPort\":\"http\"}]}}",
		"{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[{\"kind\":"
		"\"Pod\",\"apiVersion\":\"v1\"}]}",
		"{\"kind\":\"SubjectAccessReview\",\"apiVersion\":\"authorization.k8s.io/v1\","
		"\"metadata\":{},\"spec\":{\"user\":\"u\",\"extra\":{\"scopes\":[\"a\",\"b\"]}},"
		"\"status\":{\"allowed\":false}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autoerror err = COX_ERROR_INIT;
		cox_autobuf bytes = COX_BUF_INIT, before = COX_BUF_INIT, after = COX_BUF_INIT;
		const struct schema_type *type = NULL, *again = NULL;
		struct value *value =
			json_parse(&arena, objects[i], strlen(objects[i]), NULL, NULL);
		struct value *back;
		const char *version, *slash;

		assert_non_null(value);
		version = value_get_text(value, "apiVersion");
		slash = strchr(version, '/');
		type = schema_type_of_kind(
			&schema_builtin,
			slash ? arena_strndup(&arena, version, (size_t)(slash - version)) : "",
			slash ? slash + 1 : version, value_get_text(value, "kind"));
		assert_non_null(type);
		if (protobuf_encode_object(&bytes, &schema_builtin, type, value, &err) != 0)
			fail_msg("%s", error_text(&err));
		back = protobuf_decode_object(&arena, &schema_builtin, bytes.data, bytes.size,
					      &again, &err);
		if (!back)
			fail_msg("%s: %s", objects[i], error_text(&err));
		assert_ptr_equal(type, again);
		/* What is no pointer comes back also where it was left out. */
		schema_encode(&before, &schema_builtin, type, value, 0);
		schema_encode(&after, &schema_builtin, type, back, 0);
		assert_string_equal(before.data, after.data);
	}
}

static void test_encode_errors(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf bytes = COX_BUF_INIT;
	const struct schema_type *type = schema_type_named(&schema_builtin, "core.v1.Pod");
	static const char text[] = "{\"spec\":{\"containers\":[{\"name\":5}]}}";

	(void)state;
	assert_int_equal(protobuf_encode(&bytes, &schema_builtin, type,
					 json_parse(&arena, text, sizeof(text) - 1, NULL, NULL),
					 &err),
			 -1);
	assert_string_equal(error_text(&err), "spec: containers: name: cannot write protobuf: a "
					      "string is none");
}

/* JSONSchemaProps nests in itself: depth is bounded. */
static void test_depth(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf bytes = COX_BUF_INIT;
	const struct schema_type *type =
		schema_type_named(&schema_builtin, "apiextensions.v1.JSONSchemaProps");
	const struct schema_field *not = schema_field_get(&schema_builtin, type, "not", 3);

	(void)state;
	for (int i = 0; i < 300; i++) {
		char head[8];
		size_t size = 0, length = bytes.size;
		cox_autobuf outer = COX_BUF_INIT;

		head[size++] = (char)(not ->number[0] << 3 | 2 | 0x80);
		head[size++] = (char)(not ->number[0] >> 4);
		for (; length >= 0x80; length >>= 7)
			head[size++] = (char)(length | 0x80);
		head[size++] = (char)length;
		cox_buf_add(&outer, head, size);
		cox_buf_add(&outer, bytes.data, bytes.size);
		cox_buf_clear(&bytes);
		cox_buf_add(&bytes, outer.data, outer.size);
		if (i == 254)
			assert_non_null(protobuf_decode(&arena, &schema_builtin, type, bytes.data,
							bytes.size, &err));
	}
	assert_null(protobuf_decode(&arena, &schema_builtin, type, bytes.data, bytes.size, &err));
	assert_non_null(strstr(error_text(&err), "nested too deeply (256 levels at most)"));
}

/* What is not canonical, or not right, is as it is through a tree. */
static void test_json(void **state)
{
	static const char *const objects[] = {
		"{\"metadata\":{\"name\":\"a\"},\"spec\":{\"nodeName\":\"n\"}}",
		" {\"metadata\" : {\"name\":\"a\"} }",
		"{\"spec\":{\"nodeName\":\"n\"},\"metadata\":{\"name\":\"a\"}}",
		"{\"metadata\":{\"name\":\"a\"},\"metadata\":{\"name\":\"b\"}}",
		"{\"metadata\":{\"name\":null,\"labels\":null,\"generation\":null}}",
		"{\"metadata\":{\"labels\":{\"b\":\"1\",\"a\":\"2\"}}}",
		"{\"metadata\":{\"labels\":{\"\\u0061\":\"\\n\\\"\"}}}",
		"{\"metadata\":{\"n\\u0061me\":\"x\"}}",
		"{\"unknown\":[{\"]\":1}],\"metadata\":{\"name\":\"a\",\"more\":\"x\"}}",
		"{\"spec\":{\"containers\":[{\"name\":\"a\",\"args\":[\"\\t\",\"\"]}]}}",
		"{\"spec\":{\"terminationGracePeriodSeconds\":-1}}",
		"{\"spec\":{\"terminationGracePeriodSeconds\":1e3}}",
		"{\"spec\":{\"terminationGracePeriodSeconds\":\"1\"}}",
		"{\"spec\":{\"hostNetwork\":1}}",
		"{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}",
		"{\"metadata\":{\"creationTimestamp\":\"2026-03-01T10:11:12Z\"}}",
		"{\"metadata\":[]}",
		"{\"metadata\":{\"name\":\"a\"}",
		"{\"metadata\":{\"name\":\"a",
		"{\"metadata\":{\"managedFields\":[{\"fieldsV1\":{\"f:x\":{}}}]}}",
		"{}x",
		"[]",
		"",
	};
	const struct schema_type *type = schema_type_named(&schema_builtin, "core.v1.Pod");

	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		cox_autoarena arena = ARENA_INIT;
		cox_autobuf expected = COX_BUF_INIT, found = COX_BUF_INIT;
		cox_autoerror err = COX_ERROR_INIT, other = COX_ERROR_INIT;
		size_t size = strlen(objects[i]);
		struct value *tree = json_parse(&arena, objects[i], size, NULL, &err);
		int status =
			tree ? protobuf_encode(&expected, &schema_builtin, type, tree, &err) : -1;

		cox_buf_str(&found, "before");
		if (protobuf_encode_json(&found, &schema_builtin, type, objects[i], size, &other) !=
		    status)
			fail_msg("%s", objects[i]);
		assert_string_equal(error_text(&err), error_text(&other));
		if (status == 0 &&
		    (found.size != expected.size + strlen("before") ||
		     memcmp(found.data + strlen("before"), expected.data, expected.size) != 0))
			fail_msg("%s", objects[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),	      cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_encode_errors), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
