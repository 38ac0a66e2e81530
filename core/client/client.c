/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the client that does not depend on the transport. */
#include "client/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "client/transport.h"
#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void client_answer_clear(struct client_answer *answer)
{
	answer->code = 0;
	cox_buf_free(&answer->body);
	free(answer->content_type);
	answer->content_type = NULL;
}

int client_call(struct client *client, const struct client_request *request,
		struct client_answer *answer, struct cox_error *err)
{
	struct client_request bounded = client_request_bounded(request);
	cox_autoanswer own = CLIENT_ANSWER_INIT;

	if (!answer)
		answer = &own;
	client_answer_clear(answer);
	if (client->transport->call(client, &bounded, answer, err))
		return -1;
	if (answer->code >= 200 && answer->code < 300)
		return 0;
	return client_status_error(answer->code, cox_buf_cstr(&answer->body), answer->body.size,
				   err);
}

struct client_watch *client_watch_open(struct client *client, const struct client_request *request,
				       const struct client_watcher *watcher, void *context,
				       struct cox_error *err)
{
	return client->transport->watch_open(client, request, watcher, context, err);
}

void client_watch_close(struct client_watch *watch)
{
	if (watch)
		watch->client->transport->watch_close(watch);
}

void client_free(struct client *client)
{
	if (client)
		client->transport->free(client);
}

bool client_tells_failure(struct client *client, const struct cox_error *why)
{
	return why->reason != COX_REASON_SERVICE_UNAVAILABLE ||
	       outage_goes_on(&client->outage, clock_monotonic());
}

void client_is_back(struct client *client)
{
	uint64_t away;

	if (!atomic_load_explicit(&client->outage.since, memory_order_relaxed))
		return;
	away = outage_is_over(&client->outage, clock_monotonic());
	if (away)
		log_info("the server answers again, after %" PRIu64 " s", away / CLOCK_SECOND);
}

/* ---- requests ---- */

const char *client_method(enum client_verb verb)
{
	switch (verb) {
	case CLIENT_CREATE:
		return "POST";
	case CLIENT_UPDATE:
		return "PUT";
	case CLIENT_PATCH:
		return "PATCH";
	case CLIENT_DELETE:
	case CLIENT_DELETE_COLLECTION:
		return "DELETE";
	case CLIENT_GET:
	case CLIENT_LIST:
	case CLIENT_WATCH:
		break;
	}
	return "GET";
}

/* RFC 3986: the unreserved characters stand for themselves, and those of `also`. */
static void add_escaped(struct cox_buf *out, const char *text, const char *also)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c) || strchr(also, c))
			cox_buf_char(out, (char)c);
		else
			cox_buf_printf(out, "%%%02X", c);
	}
}

static void add_segment(struct cox_buf *out, const char *text, const char *also)
{
	if (!text || !*text)
		return;
	cox_buf_char(out, '/');
	add_escaped(out, text, also);
}

void client_request_path(struct cox_buf *out, const struct client_request *request)
{
	if (!request->resource || !*request->resource) {
		cox_buf_str(out, request->path ? request->path : "/");
		return;
	}
	if (request->group && *request->group) {
		cox_buf_str(out, "/apis");
		add_segment(out, request->group, "");
	} else {
		cox_buf_str(out, "/api");
	}
	add_segment(out, request->version, "");
	if (request->namespace && *request->namespace) {
		cox_buf_str(out, "/namespaces");
		add_segment(out, request->namespace, "");
	}
	add_segment(out, request->resource, "");
	add_segment(out, request->name, ":@");
	add_segment(out, request->subresource, "/:@"); /* "proxy/some/path" */
}

void client_request_query(struct cox_buf *out, const struct client_request *request)
{
	if (request->verb == CLIENT_WATCH)
		cox_buf_str(out, "watch=true");
	for (size_t i = 0; i < request->option_count; i++) {
		if (out->size)
			cox_buf_char(out, '&');
		add_escaped(out, request->options[i].name, "");
		cox_buf_char(out, '=');
		add_escaped(out, request->options[i].value, ",");
	}
}

struct client_request client_request_bounded(const struct client_request *request)
{
	struct client_request bounded = *request;

	if (!bounded.deadline)
		bounded.deadline = clock_monotonic() + CLIENT_DEFAULT_TIMEOUT;
	return bounded;
}

static void copy_text(const char **slot, char **at)
{
	size_t size;

	if (!*slot)
		return;
	size = strlen(*slot) + 1;
	memcpy(*at, *slot, size);
	*slot = *at;
	*at += size;
}

static size_t text_room(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

struct client_request *client_request_copy(const struct client_request *request)
{
	struct client_request *copy;
	struct client_option *options;
	size_t room = sizeof(*copy) + request->option_count * sizeof(*options);
	char *at;

	const char *const texts[] = {
		request->group,	    request->version,	   request->resource,
		request->namespace, request->name,	   request->subresource,
		request->path,	    request->content_type, request->accept};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		room += text_room(texts[i]);
	for (size_t i = 0; i < request->option_count; i++)
		room += text_room(request->options[i].name) + text_room(request->options[i].value);
	copy = cox_alloc(room);
	*copy = *request;
	copy->body = NULL;
	copy->body_size = 0;
	options = (struct client_option *)(copy + 1);
	at = (char *)(options + request->option_count);
	for (size_t i = 0; i < request->option_count; i++) {
		options[i] = request->options[i];
		copy_text(&options[i].name, &at);
		copy_text(&options[i].value, &at);
	}
	copy->options = options;
	copy_text(&copy->group, &at);
	copy_text(&copy->version, &at);
	copy_text(&copy->resource, &at);
	copy_text(&copy->namespace, &at);
	copy_text(&copy->name, &at);
	copy_text(&copy->subresource, &at);
	copy_text(&copy->path, &at);
	copy_text(&copy->content_type, &at);
	copy_text(&copy->accept, &at);
	return copy;
}

/* ---- Status ---- */

static enum cox_reason reason_of(const char *name, int code)
{
	static const struct {
		int code;
		enum cox_reason reason;
	} codes[] = {
		{400, COX_REASON_BAD_REQUEST},
		{401, COX_REASON_UNAUTHORIZED},
		{403, COX_REASON_FORBIDDEN},
		{404, COX_REASON_NOT_FOUND},
		{405, COX_REASON_METHOD_NOT_ALLOWED},
		{406, COX_REASON_NOT_ACCEPTABLE},
		{409, COX_REASON_CONFLICT},
		{410, COX_REASON_GONE},
		{413, COX_REASON_ENTITY_TOO_LARGE},
		{415, COX_REASON_UNSUPPORTED_MEDIA},
		{422, COX_REASON_INVALID},
		{429, COX_REASON_TOO_MANY_REQUESTS},
		{503, COX_REASON_SERVICE_UNAVAILABLE},
		{504, COX_REASON_TIMEOUT},
		{507, COX_REASON_INSUFFICIENT_STORAGE},
	};

	for (int reason = 1; *name && reason <= COX_REASON_STORE_READ_ERROR; reason++) {
		if (!strcmp(error_reason_name((enum cox_reason)reason), name))
			return (enum cox_reason)reason;
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == code)
			return codes[i].reason;
	}
	return COX_REASON_INTERNAL_ERROR;
}

/* Causes keep a pointer to their reason, which therefore is a constant. */
static const char *cause_constant(const char *name)
{
	static const char *const known[] = {
		"FieldValueNotFound",	"FieldValueRequired",	    "FieldValueDuplicate",
		"FieldValueInvalid",	"FieldValueNotSupported",   "FieldValueForbidden",
		"FieldValueTooLong",	"FieldValueTooMany",	    "FieldValueTypeInvalid",
		"InternalError",	"UnexpectedServerResponse", "FieldManagerConflict",
		"NamespaceTerminating", "ResourceVersionTooLarge",  "DisruptionBudget",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(known[i], name))
			return known[i];
	}
	return "";
}

static const char *text_or_null(const struct value *object, const char *key)
{
	const char *text = value_get_text(object, key);

	return *text ? text : NULL;
}

static void take_details(const struct value *details, struct cox_error *err)
{
	const struct value *causes = value_get(details, "causes");
	const char *uid = text_or_null(details, "uid");
	int64_t retry = value_get_int(details, "retryAfterSeconds", 0);

	if (!err)
		return;
	error_set_details(err, text_or_null(details, "group"), text_or_null(details, "kind"),
			  text_or_null(details, "name"));
	if (uid) {
		free(err->uid);
		err->uid = cox_strdup(uid);
	}
	if (retry > 0 && retry < 1000000)
		err->retry_after = (uint32_t)retry;
	for (size_t i = 0; i < 256; i++) {
		const struct value *cause = value_at(causes, i);

		if (!cause)
			break;
		error_add_cause(err, cause_constant(value_get_text(cause, "reason")),
				text_or_null(cause, "field"), "%s",
				value_get_text(cause, "message"));
	}
}

int client_status_error(int code, const void *body, size_t size, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const struct value *status = size ? json_parse(&arena, body, size, NULL, NULL) : NULL;
	size_t shown = size < 512 ? size : 512;

	if (!value_string_is(value_get(status, "kind"), "Status")) {
		while (shown && strchr(" \r\n\t", ((const char *)body)[shown - 1]))
			shown--;
		return error_set(err, reason_of("", code), "the server answered %d: %.*s", code,
				 (int)shown, shown ? (const char *)body : "");
	}
	if (value_get_int(status, "code", 0))
		code = (int)value_get_int(status, "code", 0);
	error_set(err, reason_of(value_get_text(status, "reason"), code), "%s",
		  value_get_text(status, "message"));
	take_details(value_get(status, "details"), err);
	return -1;
}
