/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery; see the header. */
#include "apiserver/discovery.h"

#include "apiserver/answer.h"
#include "apiserver/endpoints.h"
#include "apiserver/transcode.h"

#include <coxswain/kit/buf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool group_version_served(const struct apiserver *server, const char *group,
				 const char *version)
{
	for (size_t i = 0; i < server->resource_count; i++)
		if (strcmp(server->resources[i].group, group) == 0 &&
		    (!version || strcmp(server->resources[i].version, version) == 0))
			return true;
	return false;
}

static void list_texts(const struct schema *schema, uint32_t list, const char *name,
		       struct cox_buf *out)
{
	size_t count = schema_list_count(schema, list);

	if (count == 0)
		return;
	cox_buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++)
		cox_buf_printf(out, "%s\"%s\"", i ? "," : "", schema_list_at(schema, list, i));
	cox_buf_char(out, ']');
}

static void write_verbs(uint32_t verbs, struct cox_buf *out)
{
	const char *name;
	bool any = false;

	cox_buf_str(out, "\"verbs\":[");
	for (unsigned bit = 0; (name = schema_verb_name(bit)); bit++) {
		if (!(verbs & (1u << bit)))
			continue;
		cox_buf_printf(out, "%s\"%s\"", any ? "," : "", name);
		any = true;
	}
	cox_buf_char(out, ']');
}

void discovery_answer_document(struct api_call *call, const char *content_type,
			       const struct cox_buf *body)
{
	static const uint64_t seeds[2][2] = {{0x636f787377616960u, 0x6e646f63756d656eu},
					     {0x2e6b38732e696f00u, 0x6574616768617368u}};
	const char *known = http_header(call->request, "If-None-Match");
	char *etag = arena_printf(call->arena, "\"%016" PRIX64 "%016" PRIX64 "\"",
				  cox_siphash13(seeds[0], body->data, body->size),
				  cox_siphash13(seeds[1], body->data, body->size));
	struct http_header headers[] = {
		{"Etag", etag}, {"Cache-Control", "public"}, {"Vary", "Accept"}};
	struct http_piece piece = {.data = arena_strndup(call->arena, body->data, body->size),
				   .size = body->size};
	struct http_response response = {.status = 200,
					 .flags = HTTP_RESPONSE_GZIP,
					 .content_type = content_type,
					 .headers = headers,
					 .header_count = 3,
					 .pieces = &piece,
					 .piece_count = 1};

	if (known && strcmp(known, etag) == 0) {
		response.status = 304;
		response.piece_count = 0;
		response.content_type = NULL;
	}
	call_respond(call, &response);
}

/* The document as the client wants it; it was made as JSON, of the named type. */
static void answer_document(struct api_call *call, const char *type, const struct cox_buf *json)
{
	const struct schema *schema = call->server->schema;
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (transcode(schema, schema_type_named(schema, type), call->media.format,
		      call->media.pretty, (struct cox_bytes){json->data, json->size}, &out,
		      &err) != 0)
		call_fail(call, &err);
	else
		discovery_answer_document(
			call, negotiate_content_type(&call->media, false, call->arena), &out);
}

/* Aggregated */

static void write_kind(const struct schema *schema, uint32_t group, uint32_t version, uint32_t kind,
		       struct cox_buf *out)
{
	cox_buf_printf(out,
		       "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}",
		       schema_text(schema, group), schema_text(schema, version),
		       schema_text(schema, kind));
}

static void write_aggregated_resource(const struct schema *schema,
				      const struct schema_resource *row, struct cox_buf *out)
{
	cox_buf_printf(out, "{\"resource\":\"%s\",", schema_text(schema, row->name));
	write_kind(schema, row->group, row->version, row->kind, out);
	cox_buf_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"%s\",",
		       row->flags & SCHEMA_NAMESPACED ? "Namespaced" : "Cluster",
		       schema_text(schema, row->singular));
	write_verbs(row->verbs, out);
	list_texts(schema, row->short_names, "shortNames", out);
	list_texts(schema, row->categories, "categories", out);
	if (row->subresource_count)
		cox_buf_str(out, ",\"subresources\":[");
	for (unsigned i = 0; i < row->subresource_count; i++) {
		const struct schema_subresource *sub = &schema->subresources[row->subresources + i];

		cox_buf_printf(out, "%s{\"subresource\":\"%s\",", i ? "," : "",
			       schema_text(schema, sub->name));
		write_kind(schema, sub->group, sub->version, sub->kind, out);
		cox_buf_char(out, ',');
		write_verbs(sub->verbs, out);
		cox_buf_char(out, '}');
	}
	cox_buf_str(out, row->subresource_count ? "]}" : "}");
}

static void write_aggregated_group(const struct apiserver *server, const struct schema_group *group,
				   struct cox_buf *out)
{
	const struct schema *schema = server->schema;
	const char *name = schema_text(schema, group->name);
	bool any_version = false;

	cox_buf_str(out, "{\"metadata\":{");
	if (*name)
		cox_buf_printf(out, "\"name\":\"%s\",", name);
	cox_buf_str(out, "\"creationTimestamp\":null},\"versions\":[");
	for (size_t v = 0; v < schema_list_count(schema, group->versions); v++) {
		const char *version = schema_list_at(schema, group->versions, v);
		bool any = false;

		if (!group_version_served(server, name, version))
			continue;
		cox_buf_printf(out, "%s{\"version\":\"%s\",\"resources\":[", any_version ? "," : "",
			       version);
		any_version = true;
		for (size_t i = 0; i < server->resource_count; i++) {
			const struct api_resource *resource = &server->resources[i];

			if (strcmp(resource->group, name) != 0 ||
			    strcmp(resource->version, version) != 0)
				continue;
			if (any)
				cox_buf_char(out, ',');
			any = true;
			write_aggregated_resource(schema, resource->row, out);
		}
		cox_buf_str(out, "],\"freshness\":\"Current\"}");
	}
	cox_buf_str(out, "]}");
}

static void answer_aggregated(struct api_call *call, bool core)
{
	const struct apiserver *server = call->server;
	const struct schema *schema = server->schema;
	cox_autobuf out = COX_BUF_INIT;
	bool any = false;

	cox_buf_printf(&out,
		       "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":"
		       "\"apidiscovery.k8s.io/%s\",\"metadata\":{},\"items\":[",
		       call->media.shape_version);
	for (uint32_t i = 0; i < schema->group_count; i++) {
		const char *name = schema_text(schema, schema->groups[i].name);

		if (core != !*name || !group_version_served(server, name, NULL))
			continue;
		if (any)
			cox_buf_char(&out, ',');
		any = true;
		write_aggregated_group(server, &schema->groups[i], &out);
	}
	cox_buf_str(&out, "]}");
	answer_document(call, "apidiscovery.v2.APIGroupDiscoveryList", &out);
}

/* One document a group version */

static void write_group(const struct apiserver *server, const struct schema_group *group,
			bool alone, struct cox_buf *out)
{
	const struct schema *schema = server->schema;
	const char *name = schema_text(schema, group->name);
	const char *preferred = NULL;

	cox_buf_str(out, alone ? "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\"," : "{");
	cox_buf_printf(out, "\"name\":\"%s\",\"versions\":[", name);
	for (size_t v = 0; v < schema_list_count(schema, group->versions); v++) {
		const char *version = schema_list_at(schema, group->versions, v);

		if (!group_version_served(server, name, version))
			continue;
		cox_buf_printf(out, "%s{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}",
			       preferred ? "," : "", name, version, version);
		if (!preferred)
			preferred = version;
	}
	cox_buf_printf(out,
		       "],\"preferredVersion\":{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}}",
		       name, preferred, preferred);
}

static int negotiate_discovery(struct api_call *call, unsigned more)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (answer_negotiate(call, ANSWER_FORMATS | more, &err) == 0)
		return 0;
	call_fail(call, &err);
	return -1;
}

void discovery_api(struct api_call *call)
{
	const char *host = http_header(call->request, "Host");
	cox_autobuf out = COX_BUF_INIT;

	if (negotiate_discovery(call, OFFER_AGGREGATED) != 0)
		return;
	if (call->media.shape == SHAPE_AGGREGATED) {
		answer_aggregated(call, true);
		return;
	}
	cox_buf_str(&out, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
			  "\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\","
			  "\"serverAddress\":");
	cox_buf_json_string(&out, host ? host : "", host ? strlen(host) : 0);
	cox_buf_str(&out, "}]}");
	answer_json(call, 200, "meta.v1.APIVersions", out.data, out.size);
}

void discovery_apis(struct api_call *call)
{
	const struct schema *schema = call->server->schema;
	cox_autobuf out = COX_BUF_INIT;
	bool any = false;

	if (negotiate_discovery(call, OFFER_AGGREGATED) != 0)
		return;
	if (call->media.shape == SHAPE_AGGREGATED) {
		answer_aggregated(call, false);
		return;
	}
	cox_buf_str(&out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
	for (uint32_t i = 0; i < schema->group_count; i++) {
		const char *name = schema_text(schema, schema->groups[i].name);

		if (!*name || !group_version_served(call->server, name, NULL))
			continue;
		if (any)
			cox_buf_char(&out, ',');
		any = true;
		write_group(call->server, &schema->groups[i], false, &out);
	}
	cox_buf_str(&out, "]}");
	answer_document(call, "meta.v1.APIGroupList", &out);
}

void discovery_group(struct api_call *call, const char *group)
{
	const struct schema *schema = call->server->schema;
	cox_autobuf out = COX_BUF_INIT;

	if (!*group || !group_version_served(call->server, group, NULL)) {
		endpoints_not_found(call);
		return;
	}
	if (negotiate_discovery(call, 0) != 0)
		return;
	for (uint32_t i = 0; i < schema->group_count; i++)
		if (strcmp(schema_text(schema, schema->groups[i].name), group) == 0)
			write_group(call->server, &schema->groups[i], true, &out);
	answer_document(call, "meta.v1.APIGroup", &out);
}

static void write_resource(const struct schema *schema, const struct schema_resource *row,
			   struct cox_buf *out)
{
	const char *hash = schema_text(schema, row->storage_hash);

	cox_buf_printf(
		out, "{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\",",
		schema_text(schema, row->name), schema_text(schema, row->singular),
		row->flags & SCHEMA_NAMESPACED ? "true" : "false", schema_text(schema, row->kind));
	write_verbs(row->verbs, out);
	list_texts(schema, row->short_names, "shortNames", out);
	list_texts(schema, row->categories, "categories", out);
	if (*hash)
		cox_buf_printf(out, ",\"storageVersionHash\":\"%s\"", hash);
	cox_buf_char(out, '}');
}

static void write_subresource(const struct schema *schema, const struct schema_resource *row,
			      const struct schema_subresource *sub, struct cox_buf *out)
{
	cox_buf_printf(out, "{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,",
		       schema_text(schema, row->name), schema_text(schema, sub->name),
		       row->flags & SCHEMA_NAMESPACED ? "true" : "false");
	/* Group and version are told only where they are not the list's. */
	if (sub->group != row->group || sub->version != row->version)
		cox_buf_printf(out, "\"group\":\"%s\",\"version\":\"%s\",",
			       schema_text(schema, sub->group), schema_text(schema, sub->version));
	cox_buf_printf(out, "\"kind\":\"%s\",", schema_text(schema, sub->kind));
	write_verbs(sub->verbs, out);
	cox_buf_char(out, '}');
}

void discovery_version(struct api_call *call, const char *group, const char *version)
{
	const struct schema *schema = call->server->schema;
	cox_autobuf out = COX_BUF_INIT;
	bool any = false;

	if (!group_version_served(call->server, group, version)) {
		endpoints_not_found(call);
		return;
	}
	if (negotiate_discovery(call, 0) != 0)
		return;
	cox_buf_printf(&out,
		       "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":"
		       "\"%s%s%s\",\"resources\":[",
		       group, *group ? "/" : "", version);
	for (size_t i = 0; i < call->server->resource_count; i++) {
		const struct api_resource *resource = &call->server->resources[i];

		if (strcmp(resource->group, group) != 0 || strcmp(resource->version, version) != 0)
			continue;
		if (any)
			cox_buf_char(&out, ',');
		any = true;
		write_resource(schema, resource->row, &out);
		for (unsigned s = 0; s < resource->row->subresource_count; s++) {
			cox_buf_char(&out, ',');
			write_subresource(schema, resource->row,
					  &schema->subresources[resource->row->subresources + s],
					  &out);
		}
	}
	cox_buf_str(&out, "]}");
	answer_document(call, "meta.v1.APIResourceList", &out);
}
