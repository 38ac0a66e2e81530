/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies; see the header. */
#include "apiserver/body.h"

#include "machinery/decode.h"
#include "machinery/defaults.h"
#include "machinery/protobuf.h"
#include "machinery/yaml.h"

#include <string.h>
#include <strings.h>

static int unsupported(struct cox_error *err)
{
	return error_set(err, COX_REASON_UNSUPPORTED_MEDIA,
			 "the body of the request was in an unknown format - accepted media types "
			 "include: application/json, application/yaml, "
			 "application/vnd.kubernetes.protobuf");
}

/* The bytes as a tree, duplicates told to the report (which may be NULL). */
static struct value *read_tree(struct api_call *call, enum media_format format, bool takes_protobuf,
			       struct decode_report *report, struct cox_error *err)
{
	struct cox_bytes body = call->request->body;
	struct json_duplicates *duplicates = report ? &report->duplicates : NULL;

	switch (format) {
	case MEDIA_JSON:
		return json_parse(call->arena, body.data, body.size, duplicates, err);
	case MEDIA_YAML:
		return yaml_parse(call->arena, body.data, body.size, duplicates, err);
	case MEDIA_PROTOBUF:
		if (takes_protobuf)
			return protobuf_decode_object(call->arena, call->server->schema, body.data,
						      body.size, NULL, err);
		break;
	case MEDIA_TEXT:
	case MEDIA_NONE:
		break;
	}
	unsupported(err);
	return NULL;
}

/* Bodies are never unpacked, by today's servers neither: say so, not that they are no JSON. */
static int check_encoding(const struct api_call *call, struct cox_error *err)
{
	const char *encoding = http_header(call->request, "Content-Encoding");

	if (!encoding || !*encoding || strcasecmp(encoding, "identity") == 0)
		return 0;
	return error_set(
		err, COX_REASON_BAD_REQUEST,
		"the body of the request is compressed (Content-Encoding: %s); this server "
		"takes bodies as they are",
		encoding);
}

/* Sent kind and apiVersion must be the endpoint's; left out they are filled in. */
static int check_kind(struct api_call *call, const struct schema_type *type, struct value *tree,
		      struct cox_error *err)
{
	const struct schema *schema = call->server->schema;
	const char *group = schema_text(schema, type->group);
	const char *version = schema_text(schema, type->version);
	const char *kind = schema_text(schema, type->kind);
	const char *wanted = arena_printf(call->arena, "%s%s%s", group, *group ? "/" : "", version);
	const char *sent_version = value_get_text(tree, "apiVersion");
	const char *sent_kind = value_get_text(tree, "kind");

	/* Options are taken under the version of any group. */
	if (type->flags & SCHEMA_TYPE_ANY_GROUP)
		wanted = *sent_version ? sent_version : "v1";
	if ((*sent_kind && strcmp(sent_kind, kind) != 0) ||
	    (*sent_version && strcmp(sent_version, wanted) != 0))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the object provided is a %s of %s, this endpoint takes a %s of "
				 "%s",
				 *sent_kind ? sent_kind : kind,
				 *sent_version ? sent_version : wanted, kind, wanted);
	if (!*sent_kind)
		value_set_text(call->arena, tree, "kind", kind);
	if (!*sent_version)
		value_set_text(call->arena, tree, "apiVersion", wanted);
	return 0;
}

/* What the report says, as the client wants to hear it. */
static int tell_report(struct api_call *call, const struct decode_report *report,
		       enum field_validation validation, struct cox_error *err)
{
	if (report->count == 0 || validation == VALIDATION_IGNORE)
		return 0;
	if (validation == VALIDATION_STRICT)
		return error_set(err, COX_REASON_BAD_REQUEST, "%s", decode_report_text(report));
	for (size_t i = 0; i < report->count; i++)
		call_warn(call, "%s", report->problems[i]);
	return 0;
}

/*
 * An empty list of managers wipes out those that are known, as a list of one
 * empty entry does; decoding would take it for no list.
 */
static void keep_reset(struct api_call *call, struct value *tree)
{
	struct value *list = value_get(value_get(tree, "metadata"), "managedFields");

	if (value_is(list, VALUE_ARRAY) && list->count == 0)
		value_push(call->arena, list, value_object(call->arena));
}

static int decode_tree(struct api_call *call, const struct schema_type *type, struct value *tree,
		       struct decode_report *report, enum field_validation validation,
		       struct cox_error *err)
{
	const char *kind = schema_text(call->server->schema, type->kind);

	if (!value_is(tree, VALUE_OBJECT))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the body must be an object of kind %s", kind);
	if (check_kind(call, type, tree, err) != 0)
		return -1;
	keep_reset(call, tree);
	if (schema_decode(call->server->schema, type, call->arena, tree, report, err) != 0)
		return error_wrap(err, "%s in version \"%s\" cannot be handled as a %s", kind,
				  schema_text(call->server->schema, type->version), kind);
	if (tell_report(call, report, validation, err) != 0)
		return -1;
	schema_apply_defaults(call->server->schema, type, call->arena, tree);
	return 0;
}

struct value *body_decode(struct api_call *call, const struct schema_type *type,
			  enum field_validation validation, struct cox_error *err)
{
	enum media_format format = negotiate_body(http_header(call->request, "Content-Type"));
	struct decode_report *report = arena_new(call->arena, struct decode_report);
	struct value *tree;

	decode_report_init(report, call->arena);
	if (check_encoding(call, err) != 0)
		return NULL;
	if (format != MEDIA_NONE && call->request->body.size == 0) {
		error_set(err, COX_REASON_BAD_REQUEST,
			  "the request has no body: an object of "
			  "kind %s is needed",
			  schema_text(call->server->schema, type->kind));
		return NULL;
	}
	tree = read_tree(call, format, true, report, err);
	if (!tree || decode_tree(call, type, tree, report, validation, err) != 0)
		return NULL;
	return tree;
}

struct value *body_config(struct api_call *call, enum field_validation validation,
			  struct cox_error *err)
{
	const struct cox_bytes body = call->request->body;
	struct decode_report *report = arena_new(call->arena, struct decode_report);
	const char *text = body.data;
	struct value *tree;
	size_t blank = 0;

	if (check_encoding(call, err) != 0)
		return NULL;
	decode_report_init(report, call->arena);
	while (blank < body.size && strchr(" \t\r\n", text[blank]) && text[blank])
		blank++;
	/* Most of it is JSON, which is YAML, too, but read much faster. */
	tree = blank < body.size && text[blank] == '{'
		       ? read_tree(call, MEDIA_JSON, false, report, NULL)
		       : NULL;
	if (!tree) {
		decode_report_init(report, call->arena);
		tree = read_tree(call, MEDIA_YAML, false, report, err);
	}
	if (!tree) {
		error_wrap(err, "error decoding YAML");
		return NULL;
	}
	return tell_report(call, report, validation, err) == 0 ? tree : NULL;
}

struct value *body_tree(struct api_call *call, bool yaml, struct cox_error *err)
{
	if (check_encoding(call, err) != 0)
		return NULL;
	return read_tree(call, yaml ? MEDIA_YAML : MEDIA_JSON, false, NULL, err);
}

int body_check(struct api_call *call, const struct schema_type *type, struct value *tree,
	       enum field_validation validation, struct cox_error *err)
{
	struct decode_report *report = arena_new(call->arena, struct decode_report);

	decode_report_init(report, call->arena);
	return decode_tree(call, type, tree, report, validation, err);
}

struct value *body_delete_options(struct api_call *call, struct cox_error *err)
{
	const struct schema_type *type =
		schema_type_named(call->server->schema, "meta.v1.DeleteOptions");

	if (call->request->body.size == 0)
		return NULL;
	return body_decode(call, type, VALIDATION_WARN, err);
}
