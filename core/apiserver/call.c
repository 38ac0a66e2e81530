/* SPDX-License-Identifier: Apache-2.0 */
/* Calls; see the header. */
#include "apiserver/call.h"

#include "apiserver/answer.h"
#include "apiserver/local.h"
#include "apiserver/measure.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"

#include <coxswain/kit/buf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of warnings: of one, of one when there are many, of all before that, of all. */
enum {
	WARNING_MAX = 1024,
	WARNING_SHORT = 256,
	WARNINGS_LONG = 4 * 1024,
	WARNINGS_SIZE = 6 * 1024
};

/* A client may name its own request, if the name is harmless. */
static bool usable_audit_id(const char *id)
{
	size_t size = id ? strlen(id) : 0;

	if (size == 0 || size >= UUID_SIZE)
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	       size;
}

struct api_call *call_new(struct http_request *request, struct apiserver *server)
{
	struct api_call *call = arena_new(&request->arena, struct api_call);
	const char *id = http_header(request, "Audit-ID");

	call->server = server;
	call->request = request;
	call->arena = &request->arena;
	call->began = clock_monotonic();
	call->media = (struct media_choice){.shape_version = ""};
	if (usable_audit_id(id))
		memcpy(call->audit_id, id, strlen(id) + 1);
	else
		uuid_make(call->audit_id);
	return call;
}

struct cox_call call_context(const struct api_call *call)
{
	return (struct cox_call){.struct_size = sizeof(struct cox_call),
				 .deadline_ns = call->request->deadline,
				 .user = call->identity ? call->identity->user : NULL,
				 .trace_id = call->audit_id};
}

static void run_next(void *context)
{
	struct api_call *call = context;

	call->next(call);
}

static void refuse_busy(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	error_set(&err, COX_REASON_TOO_MANY_REQUESTS, "too many requests, please try again later");
	err.retry_after = 1;
	call_fail(call, &err);
}

/* Leases keep nodes alive, and administrators must get in when all is busy. */
static enum workers_class class_of(const struct api_call *call)
{
	if (call->resource && strcmp(call->resource->name, "leases") == 0)
		return WORKERS_IMPORTANT;
	if (call->identity && identity_in_group(call->identity, "system:masters") && !call->trusted)
		return WORKERS_IMPORTANT;
	return WORKERS_ORDINARY;
}

void call_resume(struct api_call *call, void (*next)(struct api_call *call))
{
	call->next = next;
	if (call->local) {
		local_post(call->request, run_next, call);
		return;
	}
	if (workers_run(call->server->workers, class_of(call), run_next, call) != 0)
		refuse_busy(call);
}

void call_defer(struct api_call *call)
{
	if (call->deferred)
		return;
	call->deferred = true;
	http_defer(call->request, NULL, NULL);
}

void call_work(struct api_call *call, void (*next)(struct api_call *call))
{
	if (call->deferred) {
		next(call);
		return;
	}
	call_defer(call);
	call_resume(call, next);
}

void call_on_end(struct api_call *call, void (*release)(void *what), void *what)
{
	struct call_cleanup *cleanup = arena_new(call->arena, struct call_cleanup);

	*cleanup = (struct call_cleanup){release, what, call->cleanups};
	call->cleanups = cleanup;
}

/* How much of a text fits without cutting a character in two. */
static size_t fitting(const char *text, size_t size, size_t most)
{
	if (size <= most)
		return size;
	while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

static bool is_said(const struct api_call *call, const char *header)
{
	for (size_t i = 0; i < call->warning_count; i++)
		if (strcmp(call->warnings[i], header) == 0)
			return true;
	return false;
}

/* The more there is, the shorter each is told; in the end nothing more. */
void call_warn(struct api_call *call, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	cox_autobuf header = COX_BUF_INIT;
	size_t most = call->warning_size < WARNINGS_LONG ? WARNING_MAX : WARNING_SHORT;
	size_t size;
	va_list args;

	if (call->warning_count >= CALL_WARNINGS_MAX || call->warning_size >= WARNINGS_SIZE)
		return;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	size = fitting(cox_buf_cstr(&text), text.size, most);
	/* RFC 9111's form: code, agent, quoted text */
	cox_buf_str(&header, "299 - \"");
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '"' || c == '\\')
			cox_buf_char(&header, '\\');
		cox_buf_char(&header, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
	cox_buf_char(&header, '"');
	if (is_said(call, header.data))
		return;
	call->warning_size += header.size;
	call->warnings[call->warning_count++] =
		arena_strndup(&call->request->arena, header.data, header.size);
}

const char *call_param(const struct api_call *call, const char *name)
{
	return param_get(call->request->parameters, call->request->parameter_count, name);
}

int call_write_options(const struct api_call *call, struct write_options *options,
		       struct cox_error *err)
{
	const char *kind = call->verb == VERB_UPDATE  ? "UpdateOptions"
			   : call->verb == VERB_PATCH ? "PatchOptions"
						      : "CreateOptions";

	return write_options_parse(call->request->parameters, call->request->parameter_count, kind,
				   options, err);
}

const struct http_header *call_headers(struct api_call *call, const struct http_header *extra,
				       size_t extra_count, size_t *count)
{
	struct http_header *headers = arena_alloc(
		&call->request->arena, (extra_count + 2 + call->warning_count) * sizeof(*headers));
	bool cache_said = false;
	size_t n = 0;

	headers[n++] = (struct http_header){"Audit-Id",
					    arena_strdup(&call->request->arena, call->audit_id)};
	for (size_t i = 0; i < extra_count; i++) {
		cache_said |= strcmp(extra[i].name, "Cache-Control") == 0;
		headers[n++] = extra[i];
	}
	if (!cache_said)
		headers[n++] = (struct http_header){"Cache-Control", "no-cache, private"};
	for (size_t i = 0; i < call->warning_count; i++)
		headers[n++] = (struct http_header){"Warning", call->warnings[i]};
	*count = n;
	return headers;
}

void call_end(struct api_call *call)
{
	while (call->cleanups) {
		struct call_cleanup *cleanup = call->cleanups;

		call->cleanups = cleanup->next;
		cleanup->release(cleanup->what);
	}
	list_options_clear(&call->list);
	identity_unref(call->identity);
	call->identity = NULL;
	apiserver_release_chains(call->server, call->chains);
	call->chains = NULL;
}

void call_respond(struct api_call *call, const struct http_response *response)
{
	struct http_response full = *response;
	struct http_request *request = call->request;

	full.headers =
		call_headers(call, response->headers, response->header_count, &full.header_count);
	log_verbose(3, "%s %s %u %s %.3f ms", request->method_name, request->target,
		    response->status, call->identity ? call->identity->user : "-",
		    (double)(clock_monotonic() - call->began) / 1e6);
	measure_request(call, response->status);
	call_end(call);
	http_respond(request, &full);
}

void call_answer_piece(struct api_call *call, unsigned code, const char *content_type,
		       const struct http_piece *piece)
{
	struct http_response response = {.status = code,
					 .flags = HTTP_RESPONSE_GZIP,
					 .content_type = content_type,
					 .pieces = piece,
					 .piece_count = 1};

	call_respond(call, &response);
}

void call_answer(struct api_call *call, unsigned code, const char *content_type, const void *body,
		 size_t size)
{
	struct http_piece piece = {.data = arena_strndup(&call->request->arena, body, size),
				   .size = size};

	call_answer_piece(call, code, content_type, &piece);
}

void call_answer_buf(struct api_call *call, unsigned code, const char *content_type,
		     struct cox_buf *body)
{
	struct http_piece piece = {.size = body->size, .release = free};

	piece.data = piece.owner = cox_buf_steal(body);
	call_answer_piece(call, code, content_type, &piece);
}

void call_fail(struct api_call *call, const struct cox_error *err)
{
	cox_autobuf body = COX_BUF_INIT;
	char retry[16];
	struct http_header headers[2];
	size_t count = 0;
	unsigned code = (unsigned)error_http_code(
		err->reason == COX_REASON_NONE ? COX_REASON_INTERNAL_ERROR : err->reason);

	if (err->retry_after) {
		snprintf(retry, sizeof(retry), "%u", err->retry_after);
		headers[count++] = (struct http_header){"Retry-After",
							arena_strdup(&call->request->arena, retry)};
	}
	if (code == 401 && call->server->offers_basic)
		headers[count++] = (struct http_header){"WWW-Authenticate",
							"Basic realm=\"kubernetes-master\""};
	status_write_error(&body, err);
	if (code >= 500)
		log_warning("%s %s: %s", call->request->method_name, call->request->target,
			    error_text(err));
	answer_error(call, code, headers, count, body.data, body.size);
}
