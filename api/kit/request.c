/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of plugins, put into struct cox_request. */
#include <coxswain/kit/request.h>

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/json.h>
#include <stdlib.h>
#include <string.h>

static struct cox_request at_place(enum cox_verb verb, const struct cox_place *place)
{
	return (struct cox_request){.struct_size = sizeof(struct cox_request),
				    .verb = verb,
				    .resource = place->resource,
				    .namespace_name = place->namespace_name,
				    .name = place->name,
				    .subresource = place->subresource};
}

int cox_get(const struct cox_cluster *cluster, const struct cox_call *call,
	    const struct cox_place *place, struct cox_object **object, struct cox_error *err)
{
	const struct cox_request request = at_place(COX_GET, place);

	return cluster->request(cluster->context, call, &request, object, err);
}

int cox_write(const struct cox_cluster *cluster, const struct cox_call *call, enum cox_verb verb,
	      const struct cox_place *place, const struct cox_buf *body, struct cox_object **answer,
	      struct cox_error *err)
{
	struct cox_request request = at_place(verb, place);

	request.body = body->data;
	request.body_size = body->size;
	return cluster->request(cluster->context, call, &request, answer, err);
}

int cox_delete(const struct cox_cluster *cluster, const struct cox_call *call,
	       const struct cox_place *place, const struct cox_delete *how, struct cox_error *err)
{
	struct cox_buf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);
	int failed;

	cox_json_object(&json, NULL);
	cox_json_text(&json, "kind", "DeleteOptions");
	cox_json_text(&json, "apiVersion", "v1");
	if ((how->uid && *how->uid) || (how->revision && *how->revision)) {
		cox_json_object(&json, "preconditions");
		cox_json_text_set(&json, "uid", how->uid);
		cox_json_text_set(&json, "resourceVersion", how->revision);
		cox_json_end(&json);
	}
	cox_json_text_set(&json, "propagationPolicy", how->policy);
	if (how->grace >= 0)
		cox_json_int(&json, "gracePeriodSeconds", how->grace);
	cox_json_end(&json);
	failed = cox_write(cluster, call, COX_DELETE, place, &body, NULL, err);
	cox_buf_free(&body);
	return failed;
}

int cox_get_path(const struct cox_cluster *cluster, const struct cox_call *call, const char *path,
		 struct cox_object **document, struct cox_error *err)
{
	const struct cox_request request = {
		.struct_size = sizeof(request), .verb = COX_GET, .path = path};

	return cluster->request(cluster->context, call, &request, document, err);
}

bool cox_failed_so(const struct cox_cluster *cluster, enum cox_reason reason, struct cox_error *err)
{
	if (cluster->reason(err) != reason)
		return false;
	cluster->error_clear(err);
	return true;
}

struct cox_key cox_key_split(const char *key)
{
	const char *slash = strchr(key, '/');

	if (!slash)
		return (struct cox_key){NULL, key};
	return (struct cox_key){cox_strndup(key, (size_t)(slash - key)), slash + 1};
}

void cox_key_free(struct cox_key *key)
{
	free(key->namespace_name);
	*key = (struct cox_key){NULL, NULL};
}
