/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first steps of every request: who is it, what is it about, may they.
 * A request stays on its HTTP thread as long as nothing can block: an identity
 * that the cache knows, authorizers that are fast, and a read of canonical
 * bytes. Everything else moves to a worker once and stays there.
 */
#include "apiserver/call.h"
#include "apiserver/dispatch.h"
#include "apiserver/endpoints.h"
#include "apiserver/handle.h"
#include "apiserver/local.h"
#include "apiserver/status.h"
#include "client/client.h"

#include <arpa/inet.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The two forms of credentials in an Authorization header, if it has one. */
static void read_authorization(struct api_call *call, struct cox_authn_request *facts)
{
	const char *header = http_header(call->request, "Authorization");
	const char *value;
	char *plain, *colon;
	int64_t size;

	if (!header)
		return;
	value = header + strcspn(header, " ");
	value += strspn(value, " ");
	if (strncasecmp(header, "Bearer ", 7) == 0 && *value) {
		facts->bearer_token = value;
		return;
	}
	if (strncasecmp(header, "Basic ", 6) != 0)
		return;
	plain = arena_alloc(call->arena, strlen(value) + 1);
	size = cox_base64_decode(value, strlen(value), plain);
	if (size < 0 || memchr(plain, '\0', (size_t)size))
		return;
	plain[size] = '\0';
	colon = strchr(plain, ':');
	if (!colon)
		return;
	*colon = '\0';
	facts->basic_user = plain;
	facts->basic_password = colon + 1;
}

static struct cox_authn_request *credentials(struct api_call *call)
{
	struct cox_authn_request *facts = arena_new(call->arena, struct cox_authn_request);

	facts->struct_size = sizeof(*facts);
	facts->remote_address = call->request->peer;
	facts->certificates = call->request->certificates;
	facts->certificate_count = call->request->certificate_count;
	read_authorization(call, facts);
	return facts;
}

/* The name that a list or watch by name is about, for authorization. */
static const char *selected_name(const struct api_call *call)
{
	const char *name = call->list.fields
				   ? field_selector_equality(call->list.fields, "metadata.name")
				   : NULL;

	return name ? name : "";
}

static void fill_attributes(const struct api_call *call, struct cox_attributes *attributes,
			    char *method, size_t method_size)
{
	const struct identity *identity = call->identity;
	const char *name = call->request->method_name;
	size_t i = 0;

	for (; name[i] && i + 1 < method_size; i++)
		method[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	method[i] = '\0';
	*attributes = (struct cox_attributes){
		.struct_size = sizeof(*attributes),
		.is_resource = call->route.is_resource,
		.user = identity->user,
		.uid = identity->uid,
		.groups = identity->groups,
		.group_count = identity->group_count,
		.extra = identity->extra,
		.extra_count = identity->extra_count,
		.verb = call->route.is_resource ? route_verb_name(call->verb) : method,
		.api_group = call->route.group,
		.api_version = call->route.version,
		.resource = call->route.resource,
		.subresource = call->route.subresource,
		.namespace_ = call->route.namespace_,
		.name = *call->route.name ? call->route.name : selected_name(call),
		.path = call->request->raw_path,
		.label_selector = call->list.label_text ? call->list.label_text : "",
		.field_selector = call->list.field_text ? call->list.field_text : "",
	};
}

/* What a refusal says: who cannot do what to what where, and why. */
static int forbidden(const struct cox_attributes *a, const char *reason, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;

	if (a->is_resource) {
		cox_buf_printf(&text,
			       "User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\"",
			       a->user, a->verb, a->resource, *a->subresource ? "/" : "",
			       a->subresource, a->api_group);
		if (*a->namespace_)
			cox_buf_printf(&text, " in the namespace \"%s\"", a->namespace_);
		else
			cox_buf_str(&text, " at the cluster scope");
	} else {
		cox_buf_printf(&text, "User \"%s\" cannot %s path \"%s\"", a->user, a->verb,
			       a->path);
	}
	if (*reason)
		cox_buf_printf(&text, ": %s", reason);
	if (a->is_resource)
		return status_forbidden(err, a->api_group, a->resource, a->name,
					cox_buf_cstr(&text));
	return error_set(err, COX_REASON_FORBIDDEN, "forbidden: %s", cox_buf_cstr(&text));
}

static void dispatch(struct api_call *call)
{
	if (call->route.is_resource)
		dispatch_resource(call);
	else
		endpoints_serve(call);
}

int handle_authorize_verb(struct api_call *call, enum api_verb verb, struct cox_error *err)
{
	struct cox_attributes attributes;
	struct cox_call context = call_context(call);
	cox_autobuf reason = COX_BUF_INIT;
	char method[16];

	if (call->trusted)
		return 0;
	fill_attributes(call, &attributes, method, sizeof(method));
	if (call->route.is_resource)
		attributes.verb = route_verb_name(verb);
	if (authorizers_ask(call->chains->authorizers, &attributes, &context, &reason) ==
	    COX_DECISION_ALLOW)
		return 0;
	return forbidden(&attributes, cox_buf_cstr(&reason), err);
}

/* Whoever wants to act as somebody else must not be taken for themselves instead. */
static int refuse_impersonation(const struct api_call *call, struct cox_error *err)
{
	static const char prefix[] = "Impersonate-";

	for (size_t i = 0; i < call->request->header_count; i++) {
		const char *name = call->request->headers[i].name;

		if (strncasecmp(name, prefix, strlen(prefix)) == 0)
			return error_set(err, COX_REASON_FORBIDDEN,
					 "this server does not let anybody act as somebody else: "
					 "the header %s is refused",
					 name);
	}
	return 0;
}

static void authorize(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (refuse_impersonation(call, &err) != 0 ||
	    handle_authorize_verb(call, call->verb, &err) != 0)
		call_fail(call, &err);
	else
		dispatch(call);
}

static void authenticate_slowly(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;
	struct cox_call context = call_context(call);

	call->identity =
		authenticators_ask(call->chains->authenticators, credentials(call), &context, &err);
	if (!call->identity)
		call_fail(call, &err);
	else
		authorize(call);
}

/*
 * The options of lists are needed for authorization, too. Wrong ones are an
 * error of somebody who may ask at all, so they are told after it; until then
 * they count as none.
 */
static void parse_list_options(struct api_call *call)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (call->verb != VERB_LIST && call->verb != VERB_WATCH &&
	    call->verb != VERB_DELETECOLLECTION)
		return;
	if (list_options_parse(call->request->parameters, call->request->parameter_count,
			       call->verb == VERB_WATCH, &call->list, &err) != 0)
		call->list = (struct list_options){.label_text = ""};
}

static void begin(struct api_call *call)
{
	bool watch = false;

	route_parse(call->request->segments, call->request->segment_count, &call->route);
	/* A value that is neither true nor false is refused with the other options. */
	if (param_bool(call->request->parameters, call->request->parameter_count, "watch", &watch,
		       NULL, NULL) != 0)
		watch = false;
	call->verb = route_verb(&call->route, call->request->method_name, watch);
	if (call->route.is_resource) {
		call->resource = apiserver_resource(call->server, call->route.group,
						    call->route.version, call->route.resource);
		parse_list_options(call);
	}
	call->chains = apiserver_chains(call->server);
}

void apiserver_handle(struct http_request *request)
{
	struct api_call *call = call_new(request, request->context);

	begin(call);
	if (local_is(request)) {
		call->local = true;
		call->deferred = true;
		call->trusted = call->chains->closed;
		call->identity = identity_ref(local_identity(request));
		authorize(call);
		return;
	}
	call->identity = authenticators_recall(call->chains->authenticators, credentials(call));
	if (!call->identity)
		call_work(call, authenticate_slowly);
	else if (authorizers_are_fast(call->chains->authorizers))
		authorize(call);
	else
		call_work(call, authorize);
}

/*
 * The process that started this server speaks for its parts: it is root, or
 * this very user, and says which of them asks.
 */
static struct identity *said_identity(const struct http_request *request, struct cox_error *err)
{
	__attribute__((cleanup(identity_builder_clear))) struct identity_builder builder;
	const char *user = http_header(request, CLIENT_USER_HEADER);

	identity_builder_init(&builder);
	if (!user || (request->peer_uid != 0 && request->peer_uid != geteuid())) {
		error_set(err, COX_REASON_UNAUTHORIZED, "Unauthorized");
		return NULL;
	}
	builder.sink.user(&builder.sink, user, "");
	for (size_t i = 0; i < request->header_count; i++)
		if (strcasecmp(request->headers[i].name, CLIENT_GROUP_HEADER) == 0)
			builder.sink.group(&builder.sink, request->headers[i].value);
	return identity_builder_finish(&builder, err);
}

void apiserver_handle_own(struct http_request *request)
{
	struct api_call *call = call_new(request, request->context);
	cox_autoerror err = COX_ERROR_INIT;

	begin(call);
	call->identity = said_identity(request, &err);
	if (!call->identity)
		call_fail(call, &err);
	else if (authorizers_are_fast(call->chains->authorizers))
		authorize(call);
	else
		call_work(call, authorize);
}

/*
 * A page in a browser may send requests to the insecure port by way of the
 * browser's owner: a foreign Host or Origin, the browser's own word, or a body
 * of a type that a form can send, gives it away. A body without any type is
 * what kubectl 1.20 creates and every kubectl scales with; browsers add an
 * Origin to all bodies that they send to other sites.
 */
static bool host_is_local(const struct apiserver *server, const char *host)
{
	char name[256], own[256];
	size_t size = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	unsigned char address[16];

	if (size == 0 || size >= sizeof(name))
		return false;
	memcpy(name, host, size);
	name[size] = '\0';
	/* No public name is a single label, and an address is no name at all. */
	if (*name == '[' || !strchr(name, '.') || inet_pton(AF_INET, name, address) == 1)
		return true;
	if (strcasecmp(name, server->external_hostname) == 0)
		return true;
	return gethostname(own, sizeof(own)) == 0 && strcasecmp(name, own) == 0;
}

/* Some clients that are no browser say where they connect to. */
static bool is_own_origin(const char *origin, const char *host)
{
	static const char scheme[] = "http://";

	return host && strncmp(origin, scheme, strlen(scheme)) == 0 &&
	       strcasecmp(origin + strlen(scheme), host) == 0;
}

static int check_insecure(const struct http_request *request, struct cox_error *err)
{
	const char *host = http_header(request, "Host");
	const char *origin = http_header(request, "Origin");
	const char *site = http_header(request, "Sec-Fetch-Site");
	const char *type = http_header(request, "Content-Type");

	if (host && !host_is_local(request->context, host))
		return error_set(err, COX_REASON_FORBIDDEN,
				 "the insecure port is not served under the name \"%s\"", host);
	if (origin && !is_own_origin(origin, host))
		return error_set(err, COX_REASON_FORBIDDEN,
				 "the insecure port takes no request from the page \"%s\"", origin);
	if (site && strcmp(site, "none") != 0 && strcmp(site, "same-origin") != 0)
		return error_set(err, COX_REASON_FORBIDDEN,
				 "the insecure port takes no %s request from a page", site);
	if (request->body.size && type && negotiate_body(type) == MEDIA_NONE &&
	    request->method != HTTP_PATCH)
		return error_set(err, COX_REASON_UNSUPPORTED_MEDIA,
				 "the insecure port needs a Content-Type that this API knows: "
				 "application/json, application/yaml or "
				 "application/vnd.kubernetes.protobuf");
	return 0;
}

void apiserver_handle_insecure(struct http_request *request)
{
	static const char *const groups[] = {"system:masters"};
	struct api_call *call = call_new(request, request->context);
	cox_autoerror err = COX_ERROR_INIT;

	begin(call);
	call->trusted = true;
	call->identity = identity_new("system:unsecured", groups, 1);
	if (check_insecure(request, &err) != 0)
		call_fail(call, &err);
	else
		authorize(call);
}
