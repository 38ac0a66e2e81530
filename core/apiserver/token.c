/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of service accounts; see the header. */
#include "apiserver/token.h"

#include "apiserver/answer.h"
#include "apiserver/body.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "machinery/encode.h"
#include "machinery/json.h"
#include "pki/jwt.h"
#include "store/snapshot.h"

#include <coxswain/kit/cleanup.h>
#include <inttypes.h>
#include <string.h>

enum { SECONDS_DEFAULT = 3600, SECONDS_LEAST = 600 };
static const int64_t seconds_most = INT64_C(1) << 32;

static struct value *read_object(struct api_call *call, const struct api_resource *resource,
				 const char *namespace_, const char *name, struct cox_error *err)
{
	struct store_entry *entry cox_auto(store_entry_release) =
		store_get(resource->collection, namespace_, name);
	struct cox_bytes json;

	if (!entry || store_entry_error(entry)) {
		status_not_found(err, resource->group, resource->name, name);
		return NULL;
	}
	json = store_entry_json(entry);
	return json_parse(call->arena, json.data, json.size, NULL, err);
}

static int invalid(struct cox_error *err, const char *reason, const char *field, const char *text)
{
	error_set(err, COX_REASON_INVALID,
		  "TokenRequest.authentication.k8s.io \"\" is invalid: %s: %s", field, text);
	error_set_details(err, "authentication.k8s.io", "TokenRequest", NULL);
	error_add_cause(err, reason, field, "%s", text);
	return -1;
}

static const struct {
	const char *kind, *resource, *claim;
	bool namespaced;
} bindable[] = {
	{"Pod", "pods", "pod", true},
	{"Secret", "secrets", "secret", true},
	{"Node", "nodes", "node", false},
};

/* What the token lives and dies with, as a claim of its own. */
static int add_bound_object(struct api_call *call, const struct value *reference,
			    struct value *claims, struct cox_error *err)
{
	struct arena *arena = call->arena;
	const char *kind = value_get_text(reference, "kind");
	const char *name = value_get_text(reference, "name");
	const char *wanted = value_get_text(reference, "uid");

	if (!value_is(reference, VALUE_OBJECT))
		return 0;
	for (size_t i = 0; i < sizeof(bindable) / sizeof(bindable[0]); i++) {
		struct api_resource *resource;
		struct value *object, *claim;
		const char *uid;

		if (strcmp(kind, bindable[i].kind) != 0)
			continue;
		resource = apiserver_stored(call->server, "", bindable[i].resource);
		object = read_object(call, resource,
				     bindable[i].namespaced ? call->route.namespace_ : "", name,
				     err);
		if (!object)
			return -1;
		uid = value_get_text(value_get(object, "metadata"), "uid");
		if (*wanted && strcmp(wanted, uid) != 0)
			return error_set(
				err, COX_REASON_CONFLICT,
				"the UID in the bound object reference (%s) does not match "
				"the UID in record. The object might have been deleted and "
				"then recreated",
				wanted);
		if (strcmp(kind, "Pod") == 0 &&
		    strcmp(value_text(value_path(object, "spec.serviceAccountName")),
			   call->route.name) != 0)
			return error_set(err, COX_REASON_BAD_REQUEST,
					 "cannot bind token for serviceaccount \"%s\" to pod "
					 "running with different serviceaccount name.",
					 call->route.name);
		claim = value_make_object(arena, claims, bindable[i].claim);
		value_set_text(arena, claim, "name", name);
		value_set_text(arena, claim, "uid", uid);
		return 0;
	}
	return invalid(err, "FieldValueNotSupported", "spec.boundObjectRef.kind",
		       arena_printf(call->arena,
				    "Unsupported value: \"%s\": supported values: \"Node\", "
				    "\"Pod\", \"Secret\"",
				    kind));
}

static struct value *audiences_of(struct api_call *call, const struct value *spec)
{
	struct value *wanted = value_get(spec, "audiences");
	struct value *list;

	if (value_is(wanted, VALUE_ARRAY) && wanted->count)
		return wanted;
	list = value_array(call->arena);
	for (size_t i = 0; i < call->server->audience_count; i++)
		value_push(call->arena, list,
			   value_string(call->arena, call->server->audiences[i]));
	return list;
}

static struct value *make_claims(struct api_call *call, const struct value *account,
				 const struct value *spec, int64_t seconds, struct cox_error *err)
{
	struct arena *arena = call->arena;
	struct value *claims = value_object(arena), *own, *claim;
	int64_t now = (int64_t)(clock_realtime() / CLOCK_SECOND);
	char id[UUID_SIZE];

	uuid_make(id);
	value_set(arena, claims, "aud", audiences_of(call, spec));
	value_set_int(arena, claims, "exp", now + seconds);
	value_set_int(arena, claims, "iat", now);
	value_set_text(arena, claims, "iss", call->server->issuer);
	value_set_text(arena, claims, "jti", id);
	own = value_make_object(arena, claims, "kubernetes.io");
	value_set_text(arena, own, "namespace", call->route.namespace_);
	if (add_bound_object(call, value_get(spec, "boundObjectRef"), own, err) != 0)
		return NULL;
	claim = value_make_object(arena, own, "serviceaccount");
	value_set_text(arena, claim, "name", call->route.name);
	value_set_text(arena, claim, "uid", value_get_text(value_get(account, "metadata"), "uid"));
	value_set_int(arena, claims, "nbf", now);
	value_set(arena, claims, "sub",
		  value_printf(arena, "system:serviceaccount:%s:%s", call->route.namespace_,
			       call->route.name));
	return claims;
}

static int sign(struct api_call *call, struct value *request, const struct value *claims,
		int64_t expires, struct cox_error *err)
{
	struct arena *arena = call->arena;
	struct value *status = value_object(arena);
	cox_autobuf json = COX_BUF_INIT;
	cox_autobuf token = COX_BUF_INIT;
	char when[CLOCK_RFC3339_SIZE];

	json_write(&json, claims, 0);
	if (jwt_sign(call->server->token_key, json.data, json.size, &token, err) != 0)
		return -1;
	clock_format((uint64_t)expires * CLOCK_SECOND, when);
	value_set_text(arena, status, "token", token.data);
	value_set_text(arena, status, "expirationTimestamp", when);
	value_set(arena, request, "status", status);
	return 0;
}

static void issue(struct api_call *call)
{
	const struct schema_type *type =
		schema_type_named(call->server->schema, "authentication.v1.TokenRequest");
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct value *request, *account, *claims, *spec;
	int64_t seconds;

	if (answer_negotiate(call, ANSWER_FORMATS, &err) != 0)
		goto fail;
	if (!call->server->token_key) {
		error_set(&err, COX_REASON_NOT_FOUND,
			  "this server signs no tokens: it has no --service-account-signing-key-"
			  "file");
		goto fail;
	}
	account = read_object(call, call->resource, call->route.namespace_, call->route.name, &err);
	request = account ? body_decode(call, type, VALIDATION_STRICT, &err) : NULL;
	if (!request)
		goto fail;
	spec = value_make_object(call->arena, request, "spec");
	seconds = value_get_int(spec, "expirationSeconds", SECONDS_DEFAULT);
	if (seconds < SECONDS_LEAST || seconds > seconds_most) {
		invalid(&err, "FieldValueInvalid", "spec.expirationSeconds",
			arena_printf(call->arena,
				     "Invalid value: %" PRId64 ": may not specify a duration %s",
				     seconds,
				     seconds < SECONDS_LEAST ? "less than 10 minutes"
							     : "larger than 2^32 seconds"));
		goto fail;
	}
	claims = make_claims(call, account, spec, seconds, &err);
	if (!claims || sign(call, request, claims, value_get_int(claims, "exp", 0), &err) != 0)
		goto fail;
	value_set(call->arena, spec, "audiences", value_get(claims, "aud"));
	value_set_int(call->arena, spec, "expirationSeconds", seconds);
	schema_encode(&out, call->server->schema, type, request, 0);
	answer_json(call, 201, "authentication.v1.TokenRequest", out.data, out.size);
	return;
fail:
	call_fail(call, &err);
}

void token_serve(struct api_call *call)
{
	call_work(call, issue);
}
