/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI documents: what clients look for in them, and how they are served. */
#include "unit.h"

#include "apiserver/openapi.h"
#include "apiserver/openapi_model.h"
#include "machinery/json.h"
#include "net/transport.h"

#include <coxswain/kit/alloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RESOURCES_MAX = 128, PLAIN_MAX = 4 * 1024 * 1024 };

static struct api_resource resources[RESOURCES_MAX];
static struct apiserver server = {.schema = &schema_builtin, .resources = resources};

/* What is served, without a store behind it. */
static int set_up(void **state)
{
	const struct schema *schema = &schema_builtin;

	(void)state;
	for (uint32_t i = 0; i < schema->resource_count; i++) {
		const struct schema_resource *row = &schema->resources[i];

		if (server.resource_count == RESOURCES_MAX)
			return -1;
		resources[server.resource_count++] =
			(struct api_resource){.server = &server,
					      .row = row,
					      .type = schema_resource_type(schema, row),
					      .group = schema_text(schema, row->group),
					      .version = schema_text(schema, row->version),
					      .name = schema_text(schema, row->name),
					      .kind = schema_text(schema, row->kind),
					      .namespaced = (row->flags & SCHEMA_NAMESPACED) != 0,
					      .stored_row = row};
	}
	return 0;
}

/* Requests without a socket */

struct answer {
	struct http_request request; /* first */
	unsigned status;
	char type[128], etag[64], cache[64], expires[64], encoding[16];
	char *body;
	size_t size;
};

static void copy(char *out, size_t room, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	assert_true(size < room);
	memcpy(out, text ? text : "", size);
	out[size] = '\0';
}

static const char *response_header(const struct http_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return NULL;
}

static void take_answer(struct http_request *request, const struct http_response *response)
{
	struct answer *answer = (struct answer *)request;

	answer->status = response->status;
	copy(answer->type, sizeof(answer->type), response->content_type);
	copy(answer->etag, sizeof(answer->etag), response_header(response, "Etag"));
	copy(answer->cache, sizeof(answer->cache), response_header(response, "Cache-Control"));
	copy(answer->expires, sizeof(answer->expires), response_header(response, "Expires"));
	copy(answer->encoding, sizeof(answer->encoding),
	     response_header(response, "Content-Encoding"));
	if (response->piece_count) {
		assert_int_equal(response->piece_count, 1);
		answer->size = response->pieces[0].size;
		answer->body = cox_memdup(response->pieces[0].data, answer->size);
	}
	http_response_discard(response);
}

static const struct http_request_ops take_ops = {.respond = take_answer};

/* Headers and the query as "name", "value", … NULL. */
static struct api_call *ask(struct answer *answer, const char *const *header, const char *hash)
{
	static struct http_header headers[4];
	static struct http_parameter parameters[1];
	size_t count = 0;

	*answer = (struct answer){.request = {.ops = &take_ops, .method_name = "GET"}};
	answer->request.target = "/openapi";
	for (; header && header[2 * count]; count++)
		headers[count] = (struct http_header){header[2 * count], header[2 * count + 1]};
	answer->request.headers = headers;
	answer->request.header_count = count;
	if (hash) {
		parameters[0] = (struct http_parameter){"hash", hash};
		answer->request.parameters = parameters;
		answer->request.parameter_count = 1;
	}
	return call_new(&answer->request, &server);
}

static void answer_free(struct answer *answer)
{
	arena_free(&answer->request.arena);
	free(answer->body);
}

/* Documents */

/* Every {"$ref": "#/…/NAME"} below has its NAME in `names`; returns how many there were. */
static size_t check_references(const struct value *tree, const struct value *names)
{
	const char *reference = value_get_text(tree, "$ref");
	size_t count = 0;

	if (*reference) {
		if (!value_get(names, strrchr(reference, '/') + 1))
			fail_msg("%s leads nowhere", reference);
		count++;
	}
	for (uint32_t i = 0; value_is(tree, VALUE_OBJECT) && i < tree->count; i++)
		count += check_references(tree->object.members[i].value, names);
	for (uint32_t i = 0; value_is(tree, VALUE_ARRAY) && i < tree->count; i++)
		count += check_references(value_at(tree, i), names);
	return count;
}

static const struct value *descend(const struct value *tree, const char *const *keys)
{
	for (; *keys; keys++)
		tree = value_get(tree, *keys);
	return tree;
}

#define AT(tree, ...) descend(tree, (const char *const[]){__VA_ARGS__, NULL})

static void check_json(const struct value *tree, const char *wanted)
{
	cox_autobuf text = COX_BUF_INIT;

	assert_non_null(tree);
	json_write(&text, tree, 0);
	assert_string_equal(text.data, wanted);
}

static bool has_parameter(const struct value *operation, const char *name)
{
	const struct value *list = value_get(operation, "parameters"), *parameter;

	for (size_t i = 0; (parameter = value_at(list, i)); i++)
		if (value_string_is(value_get(parameter, "name"), name))
			return true;
	return false;
}

static const char pod_path[] = "/api/v1/namespaces/{namespace}/pods/{name}";

static void test_v3_types(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	const struct value *tree = openapi_build_v3(&arena, &server, "", "v1"), *schemas;

	(void)state;
	assert_string_equal(value_get_text(tree, "openapi"), "3.0.0");
	schemas = AT(tree, "components", "schemas");
	assert_true(check_references(tree, schemas) > 500);
	assert_non_null(value_get(schemas, "io.k8s.api.core.v1.PodSpec"));
	assert_non_null(value_get(schemas, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
	assert_non_null(value_get(schemas, "io.k8s.api.autoscaling.v1.Scale"));
	/* Nothing of a group that is not asked for. */
	assert_null(value_get(schemas, "io.k8s.api.coordination.v1.Lease"));
	check_json(AT(schemas, "io.k8s.api.core.v1.ServicePort", "properties", "protocol"),
		   "{\"type\":\"string\",\"enum\":[\"SCTP\",\"TCP\",\"UDP\"],\"description\":"
		   "\"TCP, UDP or SCTP.\",\"default\":\"TCP\"}");
	check_json(AT(schemas, "io.k8s.api.core.v1.ServicePort", "required"), "[\"port\"]");
	check_json(AT(schemas, "io.k8s.api.core.v1.Pod", "x-kubernetes-group-version-kind"),
		   "[{\"group\":\"\",\"kind\":\"Pod\",\"version\":\"v1\"}]");
	check_json(
		AT(schemas, "io.k8s.api.core.v1.Container", "properties", "ports"),
		"{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
		"io.k8s.api.core.v1.ContainerPort\"},\"description\":\"Ports that it listens on; "
		"for others to know.\",\"x-kubernetes-list-map-keys\":"
		"[\"containerPort\",\"protocol\"],\"x-kubernetes-list-type\":\"map\","
		"\"x-kubernetes-patch-merge-key\":\"containerPort\","
		"\"x-kubernetes-patch-strategy\":\"merge\"}");
	check_json(AT(schemas, "io.k8s.api.core.v1.PodSpec", "properties", "volumes",
		      "x-kubernetes-patch-strategy"),
		   "\"merge,retainKeys\"");
	check_json(AT(schemas, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "oneOf"),
		   "[{\"type\":\"integer\"},{\"type\":\"string\"}]");
	check_json(AT(schemas, "io.k8s.api.core.v1.Secret", "properties", "data"),
		   "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\","
		   "\"format\":\"byte\"},\"description\":\"Bytes by key, in base64.\"}");
	assert_null(openapi_build_v3(&arena, &server, "apps.example", "v1"));
}

static void test_v3_paths(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	const struct value *tree = openapi_build_v3(&arena, &server, "", "v1"), *patch, *list;

	(void)state;
	/* What kubectl looks for before it trusts the server to validate fields. */
	patch = AT(tree, "paths", pod_path, "patch");
	check_json(value_get(patch, "x-kubernetes-group-version-kind"),
		   "{\"group\":\"\",\"kind\":\"Pod\",\"version\":\"v1\"}");
	assert_true(has_parameter(patch, "fieldValidation"));
	assert_true(has_parameter(patch, "force"));
	assert_string_equal(value_get_text(patch, "operationId"), "patchCoreV1NamespacedPod");
	assert_non_null(AT(patch, "requestBody", "content",
			   "application/strategic-merge-patch+json", "schema", "$ref"));
	assert_non_null(AT(patch, "requestBody", "content", "application/apply-patch+yaml",
			   "schema", "$ref"));
	check_json(AT(tree, "paths", pod_path, "get", "x-kubernetes-action"), "\"get\"");
	check_json(AT(tree, "paths", pod_path, "delete", "responses", "200", "content",
		      "application/json", "schema", "$ref"),
		   "\"#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Status\"");
	list = AT(tree, "paths", "/api/v1/namespaces/{namespace}/pods", "get");
	assert_true(has_parameter(list, "labelSelector"));
	assert_true(has_parameter(list, "sendInitialEvents"));
	check_json(AT(list, "responses", "200", "content", "application/json", "schema", "$ref"),
		   "\"#/components/schemas/io.k8s.api.core.v1.PodList\"");
	assert_string_equal(value_get_text(AT(tree, "paths", "/api/v1/pods", "get"), "operationId"),
			    "listCoreV1PodForAllNamespaces");
	assert_non_null(AT(tree, "paths", "/api/v1/namespaces/{name}/finalize", "put"));
	assert_non_null(AT(tree, "paths", "/api/v1/nodes/{name}/proxy/{path}", "patch"));
	assert_true(has_parameter(
		AT(tree, "paths", "/api/v1/namespaces/{namespace}/pods/{name}/log", "get"),
		"tailLines"));
	assert_true(has_parameter(
		AT(tree, "paths", "/api/v1/namespaces/{namespace}/pods/{name}/exec", "post"),
		"command"));
	/* Deleting all namespaces at once is not offered. */
	assert_null(AT(tree, "paths", "/api/v1/namespaces", "delete"));
	/* A scale is an object of another group. */
	check_json(AT(tree, "paths",
		      "/api/v1/namespaces/{namespace}/replicationcontrollers/{name}/scale", "get",
		      "x-kubernetes-group-version-kind"),
		   "{\"group\":\"autoscaling\",\"kind\":\"Scale\",\"version\":\"v1\"}");
}

static void count_ids(const struct value *paths, struct cox_map *ids)
{
	for (uint32_t i = 0; i < paths->count; i++) {
		const struct value *item = paths->object.members[i].value;

		for (uint32_t m = 0; m < item->count; m++) {
			const char *id =
				value_get_text(item->object.members[m].value, "operationId");

			if (!*id)
				continue;
			if (cox_map_put(ids, id, strlen(id), (void *)item))
				fail_msg("%s is there twice", id);
		}
	}
}

static void test_v2(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	const struct value *tree = openapi_build_v2(&arena, &server);
	struct cox_map ids = COX_MAP_INIT;

	(void)state;
	assert_string_equal(value_get_text(tree, "swagger"), "2.0");
	assert_true(check_references(tree, value_get(tree, "definitions")) > 500);
	assert_non_null(AT(tree, "definitions", "io.k8s.api.coordination.v1.Lease"));
	check_json(AT(tree, "definitions", "io.k8s.apimachinery.pkg.api.resource.Quantity", "type"),
		   "\"string\"");
	check_json(AT(tree, "definitions", "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
		      "format"),
		   "\"int-or-string\"");
	check_json(value_at(AT(tree, "paths", "/api/v1/nodes", "post", "parameters"), 0),
		   "{\"required\":true,\"in\":\"body\",\"name\":\"body\",\"schema\":{\"$ref\":"
		   "\"#/definitions/io.k8s.api.core.v1.Node\"}}");
	count_ids(value_get(tree, "paths"), &ids);
	assert_true(ids.count > 200);
	cox_map_free(&ids);
}

/* Protobuf, read with no tables but the numbers of gnostic's messages */

struct piece {
	const unsigned char *data;
	size_t size;
};

static uint64_t get_varint(struct piece *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		assert_true(in->size > 0);
		in->size--;
		value |= (uint64_t)(*in->data & 0x7f) << shift;
		if (!(*in->data++ & 0x80))
			return value;
	}
	fail_msg("a number without end");
	return 0;
}

/* The next field, of bytes or a number; false at the end. */
static bool next_field(struct piece *in, unsigned *number, struct piece *field)
{
	uint64_t key;

	if (in->size == 0)
		return false;
	key = get_varint(in);
	*number = (unsigned)(key >> 3);
	if ((key & 7) == 0) {
		*field = (struct piece){NULL, (size_t)get_varint(in)};
		return true;
	}
	assert_int_equal(key & 7, 2);
	field->size = (size_t)get_varint(in);
	assert_true(field->size <= in->size);
	field->data = in->data;
	in->data += field->size;
	in->size -= field->size;
	return true;
}

static bool is_text(struct piece piece, const char *text)
{
	return piece.size == strlen(text) && memcmp(piece.data, text, piece.size) == 0;
}

/* The first field of that number; nothing if there is none. */
static struct piece field_of(struct piece in, unsigned wanted)
{
	struct piece field;
	unsigned number;

	while (next_field(&in, &number, &field))
		if (number == wanted)
			return field;
	return (struct piece){NULL, 0};
}

static struct piece field_at(struct piece in, const unsigned *numbers)
{
	for (; *numbers; numbers++)
		in = field_of(in, *numbers);
	return in;
}

#define WAY(in, ...) field_at(in, (const unsigned[]){__VA_ARGS__, 0})

/* Of the fields of that number the one whose text at `way` is `text`. */
static struct piece find_text(struct piece in, unsigned wanted, const unsigned *way,
			      const char *text)
{
	struct piece field;
	unsigned number;

	while (next_field(&in, &number, &field))
		if (number == wanted && is_text(field_at(field, way), text))
			return field;
	fail_msg("no %s", text);
	return field;
}

#define FIND(in, number, text, ...) find_text(in, number, (const unsigned[]){__VA_ARGS__, 0}, text)

static void test_protobuf(void **state)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct piece document, patch, kind, port, protocol;

	(void)state;
	openapi_write_protobuf(&out, openapi_build_v2(&arena, &server));
	document = (struct piece){(const unsigned char *)out.data, out.size};
	assert_true(is_text(field_of(document, 1), "2.0"));
	assert_true(is_text(WAY(document, 2, 1), "Kubernetes"));
	/* Paths.path, NamedPathItem.value, PathItem.patch */
	patch = WAY(FIND(field_of(document, 8), 2, pod_path, 1), 2, 8);
	assert_true(is_text(field_of(patch, 5), "patchCoreV1NamespacedPod"));
	kind = FIND(patch, 13, "x-kubernetes-group-version-kind", 1);
	assert_true(
		is_text(WAY(kind, 2, 2), "{\"group\":\"\",\"kind\":\"Pod\",\"version\":\"v1\"}"));
	/* ParametersItem.parameter, .non_body_parameter, .query…, .name */
	FIND(patch, 8, "fieldValidation", 1, 2, 3, 4);
	FIND(patch, 8, "body", 1, 1, 2);
	assert_true(is_text(WAY(FIND(field_of(patch, 9), 1, "200", 1), 2, 1, 2, 1, 1),
			    "#/definitions/io.k8s.api.core.v1.Pod"));
	/* NamedSchema.value, Schema.properties */
	port = WAY(FIND(field_of(document, 9), 1, "io.k8s.api.core.v1.ContainerPort", 1), 2);
	assert_true(is_text(WAY(port, 22, 1), "object"));
	assert_true(is_text(field_of(port, 19), "containerPort"));
	protocol = field_of(FIND(field_of(port, 25), 1, "protocol", 1), 2);
	assert_true(is_text(WAY(protocol, 5, 2), "\"TCP\""));
	assert_true(is_text(WAY(protocol, 22, 1), "string"));
	/* A list has its items one message deeper than JSON. */
	port = WAY(FIND(field_of(document, 9), 1, "io.k8s.api.core.v1.Container", 1), 2);
	port = field_of(FIND(field_of(port, 25), 1, "ports", 1), 2);
	assert_true(is_text(WAY(port, 23, 1, 1), "#/definitions/io.k8s.api.core.v1.ContainerPort"));
	assert_true(is_text(WAY(FIND(port, 31, "x-kubernetes-patch-merge-key", 1), 2, 2),
			    "\"containerPort\""));
}

/* Serving */

static void test_hash_and_etag(void **state)
{
	struct answer answer;
	char hash[64], etag[64], known[64];
	cox_autoarena arena = ARENA_INIT;
	const struct value *index;
	const char *url;

	(void)state;
	openapi_v3_index(ask(&answer, NULL, NULL));
	assert_int_equal(answer.status, 200);
	index = json_parse(&arena, answer.body, answer.size, NULL, NULL);
	assert_non_null(AT(index, "paths", "apis/coordination.k8s.io/v1"));
	url = value_get_text(AT(index, "paths", "api/v1"), "serverRelativeURL");
	assert_memory_equal(url, "/openapi/v3/api/v1?hash=", 24);
	copy(hash, sizeof(hash), url + 24);
	answer_free(&answer);

	openapi_v3(ask(&answer, NULL, hash), "", "v1");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.type, "application/json");
	assert_string_equal(answer.cache, "public, immutable");
	assert_int_equal(strlen(answer.expires), 29);
	assert_string_equal(answer.encoding, "");
	snprintf(etag, sizeof(etag), "\"%.40s\"", hash);
	assert_string_equal(answer.etag, etag);
	assert_non_null(json_parse(&arena, answer.body, answer.size, NULL, NULL));
	answer_free(&answer);

	/* Another hash: the document of now, which may not be kept under it. */
	openapi_v3(ask(&answer, NULL, "OLD"), "", "v1");
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.cache, "no-cache, private");
	assert_string_equal(answer.expires, "");
	copy(known, sizeof(known), answer.etag);
	answer_free(&answer);

	openapi_v3(ask(&answer, (const char *const[]){"If-None-Match", known, NULL}, NULL), "",
		   "v1");
	assert_int_equal(answer.status, 304);
	assert_null(answer.body);
	answer_free(&answer);
}

static void test_gzip(void **state)
{
	static const char *const header[] = {"Accept-Encoding", "gzip", NULL};
	static unsigned char plain[PLAIN_MAX];
	z_stream stream = {.next_out = plain, .avail_out = sizeof(plain)};
	struct answer packed, whole;

	(void)state;
	openapi_v2(ask(&packed, header, NULL));
	assert_string_equal(packed.encoding, "gzip");
	openapi_v2(ask(&whole, NULL, NULL));
	assert_string_equal(whole.encoding, "");
	assert_true(packed.size * 10 < whole.size);
	stream.next_in = (unsigned char *)packed.body;
	stream.avail_in = (unsigned)packed.size;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	assert_int_equal(stream.total_out, whole.size);
	assert_memory_equal(plain, whole.body, whole.size);
	answer_free(&packed);
	answer_free(&whole);
}

static void check_type(const char *accept, unsigned status, const char *type)
{
	struct answer answer;

	openapi_v2(ask(&answer, (const char *const[]){"Accept", accept, NULL}, NULL));
	assert_int_equal(answer.status, status);
	assert_string_equal(answer.type, type);
	answer_free(&answer);
}

static void test_negotiation(void **state)
{
	static const char protobuf[] = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
	struct answer answer;

	(void)state;
	check_type("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", 200, protobuf);
	check_type(protobuf, 200, protobuf);
	check_type("application/json", 200, "application/json");
	check_type("*/*", 200, "application/json");
	check_type("image/png", 406, "application/json");
	openapi_v2_protobuf(ask(&answer, NULL, NULL));
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.type, protobuf);
	answer_free(&answer);
	openapi_v3(ask(&answer, NULL, NULL), "apps.example", "v1");
	assert_int_equal(answer.status, 404);
	answer_free(&answer);
}

/* Many at once, before anything is made: one makes it, all get the same. */
static void *ask_all(void *context)
{
	char *etags = context;

	for (int round = 0; round < 10; round++) {
		struct answer answer;

		openapi_v2(ask(&answer, NULL, NULL));
		memcpy(etags, answer.etag, sizeof(answer.etag));
		answer_free(&answer);
		openapi_v3(ask(&answer, NULL, NULL), "", "v1");
		memcpy(etags + sizeof(answer.etag), answer.etag, sizeof(answer.etag));
		answer_free(&answer);
	}
	return NULL;
}

static void test_threads(void **state)
{
	enum { THREADS = 4 };
	static char etags[THREADS][2 * sizeof(((struct answer *)NULL)->etag)];
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_all, etags[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_not_equal(etags[0][0], '\0');
	for (int i = 1; i < THREADS; i++)
		assert_memory_equal(etags[i], etags[0], sizeof(etags[0]));
}

/* More documents than are kept: each is right all the same, and nothing leaks. */
static void test_many_documents(void **state)
{
	size_t all = server.resource_count;
	struct answer answer;
	char etag[64];

	(void)state;
	openapi_v2(ask(&answer, NULL, NULL));
	copy(etag, sizeof(etag), answer.etag);
	answer_free(&answer);
	for (size_t count = 1; count <= all; count++) {
		server.resource_count = count;
		openapi_v2(ask(&answer, NULL, NULL));
		assert_int_equal(answer.status, 200);
		assert_int_equal(strcmp(answer.etag, etag) == 0, count == all);
		answer_free(&answer);
		openapi_v3_index(ask(&answer, NULL, NULL));
		answer_free(&answer);
		openapi_v2_protobuf(ask(&answer, NULL, NULL));
		answer_free(&answer);
	}
	assert_int_equal(server.resource_count, all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v3_types),
		cmocka_unit_test(test_v3_paths),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_protobuf),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_hash_and_etag),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_many_documents),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
