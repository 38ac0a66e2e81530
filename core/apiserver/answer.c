/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with one object; see the header. */
#include "apiserver/answer.h"

#include "apiserver/transcode.h"

#include <stdlib.h>

/* ?pretty decides; without it browsers and the like get indented JSON. */
static bool wants_pretty(const struct api_call *call, const struct media_choice *media)
{
	const struct http_request *request = call->request;
	bool said = false;

	if (media->format != MEDIA_JSON)
		return false;
	if (!http_parameter_at(request, "pretty", 0))
		return media->pretty || negotiate_indents(http_header(request, "User-Agent"));
	return param_bool(request->parameters, request->parameter_count, "pretty", &said, NULL,
			  NULL) == 0 &&
	       said;
}

int answer_negotiate(struct api_call *call, unsigned offers, struct cox_error *err)
{
	if (negotiate_accept(http_header(call->request, "Accept"), offers, &call->media, err) != 0)
		return -1;
	call->media.pretty = wants_pretty(call, &call->media);
	return 0;
}

void answer_json(struct api_call *call, unsigned code, const char *type, const void *json,
		 size_t size)
{
	const struct schema *schema = call->server->schema;
	const struct media_choice plain = {.format = call->media.format, .shape_version = ""};
	cox_autobuf out = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	if (transcode(schema, schema_type_named(schema, type), call->media.format,
		      call->media.pretty, (struct cox_bytes){json, size}, &out, &err) != 0)
		call_fail(call, &err);
	else
		call_answer_buf(call, code, negotiate_content_type(&plain, false, call->arena),
				&out);
}

void answer_error(struct api_call *call, unsigned code, const struct http_header *headers,
		  size_t header_count, const void *json, size_t size)
{
	const struct schema *schema = call->server->schema;
	const struct schema_type *type = schema_type_named(schema, "meta.v1.Status");
	struct media_choice media = {.shape_version = ""};
	cox_autobuf out = COX_BUF_INIT;
	struct http_piece piece = {.release = free};
	struct http_response response = {.status = code,
					 .headers = headers,
					 .header_count = header_count,
					 .pieces = &piece,
					 .piece_count = 1};

	if (negotiate_accept(http_header(call->request, "Accept"), ANSWER_FORMATS, &media, NULL) !=
	    0)
		media = (struct media_choice){.shape_version = ""};
	if (transcode(schema, type, media.format, wants_pretty(call, &media),
		      (struct cox_bytes){json, size}, &out, NULL) != 0) {
		media.format = MEDIA_JSON;
		cox_buf_clear(&out);
		cox_buf_add(&out, json, size);
	}
	response.content_type = negotiate_content_type(&media, false, call->arena);
	piece.size = out.size;
	piece.data = piece.owner = cox_buf_steal(&out);
	call_respond(call, &response);
}
