/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up what a token is bound to; see the header. */
#include "lookup.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/time.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

/* An object on its way out may still need its token for a little while. */
static const uint64_t deletion_leeway = 60 * SECOND;

struct lookup {
	const struct cox_host *host;
	const struct cox_cluster *cluster;
	const struct cox_call *call;
};

/* Describes what was wrong with one object: "pods \"web\" of the token is gone". */
static enum cox_authn_answer bad(const struct lookup *lookup, const char *resource,
				 const char *name, const char *text, struct cox_error *err)
{
	lookup->host->fail(err, COX_REASON_UNAUTHORIZED, "%s \"%s\" of the token %s", resource,
			   name, text);
	return COX_AUTHN_BAD;
}

/* The object, a reference of the caller's. */
static enum cox_authn_answer get(const struct lookup *lookup, const char *resource,
				 const char *namespace_name, const char *name,
				 struct cox_object **object, struct cox_error *err)
{
	const struct cox_cluster *cluster = lookup->cluster;
	const struct cox_resource what = {"", "v1", resource};
	const struct cox_request request = {.struct_size = sizeof(request),
					    .verb = COX_GET,
					    .resource = &what,
					    .namespace_name = namespace_name,
					    .name = name};
	struct cox_error *why = cluster->error_new();
	enum cox_authn_answer answer = COX_AUTHN_YES;

	if (cluster->request(cluster->context, lookup->call, &request, object, why) != 0) {
		if (cluster->reason(why) == COX_REASON_NOT_FOUND) {
			answer = bad(lookup, resource, name, "is gone", err);
		} else {
			lookup->host->fail(err, COX_REASON_INTERNAL_ERROR, "look up %s \"%s\": %s",
					   resource, name, cluster->message(why));
			answer = COX_AUTHN_ERROR;
		}
	}
	cluster->error_free(why);
	return answer;
}

static bool is_deleted(const struct lookup *lookup, const struct cox_object *object)
{
	const struct cox_objects *objects = lookup->cluster->objects;
	const char *text = objects->text(objects->root(object), "metadata.deletionTimestamp");
	uint64_t when;

	return *text && (cox_parse_time(text, &when) != 0 ||
			 when + deletion_leeway < lookup->host->realtime_ns());
}

/* Gets an object and checks that it is the one meant. `uid` "": any of that name. */
static enum cox_authn_answer find(const struct lookup *lookup, const char *resource,
				  const char *namespace_name, const struct claims_object *wanted,
				  struct cox_object **object, struct cox_error *err)
{
	enum cox_authn_answer answer =
		get(lookup, resource, namespace_name, wanted->name, object, err);

	if (answer != COX_AUTHN_YES)
		return answer;
	if (*wanted->uid && strcmp(lookup->cluster->objects->uid(*object), wanted->uid) != 0)
		return bad(lookup, resource, wanted->name, "is another one now, with another uid",
			   err);
	if (is_deleted(lookup, *object))
		return bad(lookup, resource, wanted->name, "is deleted", err);
	return COX_AUTHN_YES;
}

static enum cox_authn_answer check(const struct lookup *lookup, const char *resource,
				   const char *namespace_name, const struct claims_object *wanted,
				   struct cox_error *err)
{
	struct cox_object *object = NULL;
	enum cox_authn_answer answer;

	if (!*wanted->name)
		return COX_AUTHN_YES;
	answer = find(lookup, resource, namespace_name, wanted, &object, err);
	lookup->cluster->objects->unref(object);
	return answer;
}

/* Whether the secret holds this very token: taking it out of there ends it. */
static bool holds_token(const struct cox_objects *objects, const struct cox_object *secret,
			const char *token)
{
	const char *text = objects->text(objects->root(secret), "data.token");
	size_t size = strlen(text), token_size = strlen(token);
	cox_autofree char *held = cox_alloc(size + 1);
	int64_t decoded = cox_base64_decode(text, size, held);
	bool same = decoded >= 0 && (size_t)decoded == token_size &&
		    cox_equal_secret(held, token, token_size);

	explicit_bzero(held, size + 1);
	return same;
}

static enum cox_authn_answer check_holder(const struct lookup *lookup, const struct claims *claims,
					  const char *token, struct cox_error *err)
{
	struct cox_object *secret = NULL;
	enum cox_authn_answer answer =
		find(lookup, "secrets", claims->namespace_name, &claims->secret, &secret, err);

	if (answer == COX_AUTHN_YES && !holds_token(lookup->cluster->objects, secret, token))
		answer = bad(lookup, "secrets", claims->secret.name, "holds another token", err);
	lookup->cluster->objects->unref(secret);
	return answer;
}

enum cox_authn_answer lookup_claims(const struct cox_host *host, const struct cox_cluster *cluster,
				    const struct cox_call *call, const struct claims *claims,
				    const char *token, struct cox_error *err)
{
	const struct lookup lookup = {host, cluster, call};
	enum cox_authn_answer answer =
		check(&lookup, "serviceaccounts", claims->namespace_name, &claims->account, err);

	if (answer == COX_AUTHN_YES && claims->old)
		return check_holder(&lookup, claims, token, err);
	if (answer == COX_AUTHN_YES)
		answer = check(&lookup, "pods", claims->namespace_name, &claims->pod, err);
	if (answer == COX_AUTHN_YES)
		answer = check(&lookup, "secrets", claims->namespace_name, &claims->secret, err);
	/* The node of a pod is a fact about the pod; alone it is what the token is bound to. */
	if (answer == COX_AUTHN_YES && !*claims->pod.name)
		answer = check(&lookup, "nodes", NULL, &claims->node, err);
	return answer;
}
