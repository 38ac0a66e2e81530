/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that are never stored; see the header. */
#include "apiserver/virtual.h"

#include "apiserver/answer.h"
#include "apiserver/binding.h"
#include "apiserver/body.h"
#include "apiserver/components.h"
#include "machinery/encode.h"

#include <coxswain/kit/vec.h>
#include <string.h>

/* Reviews */

static const char **text_list(struct api_call *call, const struct value *list, size_t *count)
{
	const char **texts;

	*count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	texts = arena_alloc(call->arena, (*count + 1) * sizeof(*texts));
	for (size_t i = 0; i < *count; i++)
		texts[i] = value_text(value_at(list, i));
	return texts;
}

static struct value *texts_value(struct arena *arena, const char *const *texts, size_t count)
{
	struct value *list = value_array(arena);

	for (size_t i = 0; i < count; i++)
		value_push(arena, list, value_string(arena, texts[i]));
	return list;
}

struct value *user_value(struct arena *arena, const struct identity *identity)
{
	struct value *user = value_object(arena);
	struct value *extra = NULL;

	value_set_text(arena, user, "username", identity->user);
	if (*identity->uid)
		value_set_text(arena, user, "uid", identity->uid);
	value_set(arena, user, "groups",
		  texts_value(arena, identity->groups, identity->group_count));
	if (identity->extra_count)
		extra = value_make_object(arena, user, "extra");
	for (size_t i = 0; i < identity->extra_count; i++)
		value_set(arena, extra, identity->extra[i].key,
			  texts_value(arena, identity->extra[i].values,
				      identity->extra[i].value_count));
	return user;
}

/* Who am I? */
static int review_self(struct api_call *call, struct value *review, struct cox_error *err)
{
	(void)err;
	value_set(call->arena, value_make_object(call->arena, review, "status"), "userInfo",
		  user_value(call->arena, call->identity));
	return 0;
}

/* Whose token is this? */
static int review_token(struct api_call *call, struct value *review, struct cox_error *err)
{
	struct arena *arena = call->arena;
	const struct value *spec = value_get(review, "spec");
	struct value *status = value_object(arena);
	struct cox_authn_request facts = {.struct_size = sizeof(facts)};
	struct cox_call context = call_context(call);
	cox_autoerror why = COX_ERROR_INIT;
	struct identity *identity;

	facts.bearer_token = value_get_text(spec, "token");
	if (!*facts.bearer_token)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "token is required for TokenReview in authentication");
	facts.audiences = text_list(call, value_get(spec, "audiences"), &facts.audience_count);
	value_set(arena, review, "status", status);
	identity = authenticators_ask(call->chains->authenticators, &facts, &context, &why);
	if (!identity) {
		value_set_text(arena, status, "error", "the token is not valid");
		return 0;
	}
	value_set(arena, status, "authenticated", value_bool(arena, true));
	value_set(arena, status, "user", user_value(arena, identity));
	if (identity->audience_count)
		value_set(arena, status, "audiences",
			  texts_value(arena, identity->audiences, identity->audience_count));
	identity_unref(identity);
	return 0;
}

static int fill_attributes(const struct value *spec, struct cox_attributes *a,
			   struct cox_error *err)
{
	const struct value *resource = value_get(spec, "resourceAttributes");
	const struct value *path = value_get(spec, "nonResourceAttributes");

	if (!resource == !path)
		return error_set(err, COX_REASON_INVALID,
				 "spec.resourceAttributes: Invalid value: exactly one of "
				 "nonResourceAttributes or resourceAttributes must be specified");
	a->struct_size = sizeof(*a);
	a->is_resource = resource != NULL;
	a->verb = value_get_text(resource ? resource : path, "verb");
	a->api_group = value_get_text(resource, "group");
	a->api_version = value_get_text(resource, "version");
	a->resource = value_get_text(resource, "resource");
	a->subresource = value_get_text(resource, "subresource");
	a->namespace_ = value_get_text(resource, "namespace");
	a->name = value_get_text(resource, "name");
	a->path = value_get_text(path, "path");
	a->label_selector = a->field_selector = "";
	return 0;
}

static void answer_access(struct api_call *call, struct value *review,
			  const struct cox_attributes *attributes)
{
	struct arena *arena = call->arena;
	struct value *status = value_object(arena);
	struct cox_call context = call_context(call);
	cox_autobuf reason = COX_BUF_INIT;
	enum cox_decision decision = COX_DECISION_ALLOW;

	/* What the insecure port may do, nobody forbids. */
	if (!call->trusted || strcmp(attributes->user, call->identity->user) != 0)
		decision =
			authorizers_ask(call->chains->authorizers, attributes, &context, &reason);
	value_set(arena, status, "allowed", value_bool(arena, decision == COX_DECISION_ALLOW));
	if (decision == COX_DECISION_DENY)
		value_set(arena, status, "denied", value_bool(arena, true));
	if (reason.size)
		value_set_text(arena, status, "reason", reason.data);
	value_set(arena, review, "status", status);
}

/* May I? */
static int review_own_access(struct api_call *call, struct value *review, struct cox_error *err)
{
	const struct identity *identity = call->identity;
	struct cox_attributes attributes = {.user = identity->user,
					    .uid = identity->uid,
					    .groups = identity->groups,
					    .group_count = identity->group_count,
					    .extra = identity->extra,
					    .extra_count = identity->extra_count};

	if (fill_attributes(value_get(review, "spec"), &attributes, err) != 0)
		return -1;
	answer_access(call, review, &attributes);
	return 0;
}

/* May they? */
static int review_access(struct api_call *call, struct value *review, struct cox_error *err)
{
	const struct value *spec = value_get(review, "spec");
	struct cox_attributes attributes = {.user = value_get_text(spec, "user"),
					    .uid = value_get_text(spec, "uid")};

	attributes.groups = text_list(call, value_get(spec, "groups"), &attributes.group_count);
	if (!*attributes.user && attributes.group_count == 0)
		return error_set(err, COX_REASON_INVALID,
				 "spec.user: Invalid value: \"\": at least one of user or group "
				 "must be specified");
	if (fill_attributes(spec, &attributes, err) != 0)
		return -1;
	if (call->resource->namespaced &&
	    strcmp(attributes.namespace_, call->route.namespace_) != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "spec.resourceAttributes.namespace must match namespace: %s",
				 call->route.namespace_);
	answer_access(call, review, &attributes);
	return 0;
}

/* What may I? */

struct rule_taker {
	struct cox_rule_sink sink; /* first */
	struct arena *arena;
	struct value *status;
};

static void take_rule(const struct cox_rule_sink *sink, const struct cox_rule *rule)
{
	const struct rule_taker *taker = (const struct rule_taker *)(const void *)sink;
	struct arena *arena = taker->arena;
	struct value *object = value_object(arena);

	value_set(arena, object, "verbs", texts_value(arena, rule->verbs, rule->verb_count));
	if (rule->is_resource) {
		value_set(arena, object, "apiGroups",
			  texts_value(arena, rule->api_groups, rule->api_group_count));
		value_set(arena, object, "resources",
			  texts_value(arena, rule->resources, rule->resource_count));
		if (rule->name_count)
			value_set(arena, object, "resourceNames",
				  texts_value(arena, rule->names, rule->name_count));
		value_push(arena, value_get(taker->status, "resourceRules"), object);
	} else {
		value_set(arena, object, "nonResourceURLs",
			  texts_value(arena, rule->resources, rule->resource_count));
		value_push(arena, value_get(taker->status, "nonResourceRules"), object);
	}
}

static void take_incomplete(const struct cox_rule_sink *sink, const char *why)
{
	const struct rule_taker *taker = (const struct rule_taker *)(const void *)sink;

	value_set(taker->arena, taker->status, "incomplete", value_bool(taker->arena, true));
	value_set_text(taker->arena, taker->status, "evaluationError", why);
}

static int review_rules(struct api_call *call, struct value *review, struct cox_error *err)
{
	struct arena *arena = call->arena;
	const struct identity *identity = call->identity;
	struct cox_call context = call_context(call);
	struct rule_taker taker = {
		{sizeof(taker.sink), 0, take_rule, take_incomplete}, arena, value_object(arena)};
	struct cox_attributes attributes = {.struct_size = sizeof(attributes),
					    .user = identity->user,
					    .uid = identity->uid,
					    .groups = identity->groups,
					    .group_count = identity->group_count,
					    .extra = identity->extra,
					    .extra_count = identity->extra_count,
					    .verb = "",
					    .api_group = "",
					    .api_version = "",
					    .resource = "",
					    .subresource = "",
					    .name = "",
					    .path = "",
					    .label_selector = "",
					    .field_selector = ""};

	attributes.namespace_ = value_text(value_path(review, "spec.namespace"));
	if (!*attributes.namespace_)
		return error_set(err, COX_REASON_BAD_REQUEST, "no namespace on request");
	value_set(arena, taker.status, "resourceRules", value_array(arena));
	value_set(arena, taker.status, "nonResourceRules", value_array(arena));
	value_set(arena, taker.status, "incomplete", value_bool(arena, false));
	authorizers_rules(call->chains->authorizers, &attributes, &context, &taker.sink);
	value_set(arena, review, "status", taker.status);
	return 0;
}

static const struct {
	const char *resource;
	int (*review)(struct api_call *call, struct value *review, struct cox_error *err);
} reviews[] = {
	{"selfsubjectreviews", review_self},
	{"tokenreviews", review_token},
	{"selfsubjectaccessreviews", review_own_access},
	{"subjectaccessreviews", review_access},
	{"localsubjectaccessreviews", review_access},
	{"selfsubjectrulesreviews", review_rules},
};

static void review(struct api_call *call)
{
	const struct schema_type *type = call->resource->type;
	struct write_options options;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT;
	struct value *object;

	/* A review has no rows: asked for as a Table it is refused. */
	if (answer_negotiate(call, ANSWER_FORMATS, &err) != 0 ||
	    call_write_options(call, &options, &err) != 0)
		goto fail;
	object = body_decode(call, type, options.validation, &err);
	if (!object)
		goto fail;
	for (size_t i = 0; i < sizeof(reviews) / sizeof(reviews[0]); i++)
		if (strcmp(call->resource->name, reviews[i].resource) == 0 &&
		    reviews[i].review(call, object, &err) != 0)
			goto fail;
	schema_encode(&out, call->server->schema, type, object, 0);
	answer_json(call, 201, schema_text(call->server->schema, type->name), out.data, out.size);
	return;
fail:
	call_fail(call, &err);
}

void virtual_serve(struct api_call *call)
{
	if (strcmp(call->resource->name, "bindings") == 0)
		binding_serve_collection(call);
	else if (strcmp(call->resource->name, "componentstatuses") == 0)
		call_work(call, components_serve);
	else
		call_work(call, review);
}
