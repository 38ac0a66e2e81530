/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading quotas and writing their status. A lister shows what was written a
 * moment later only; until then the answer of the write stands in for it, so
 * that the next request does not run into a conflict with our own.
 */
#include "resourcequota.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>

/* Each is a whole object with its tree; listers catch up within milliseconds. */
enum { FRESH_MAX = 128 };

/* 0 where it is no number: then it is never the newer one. */
static int64_t revision_of(const struct cox_objects *objects, const struct cox_object *object)
{
	int64_t revision = 0;

	return cox_parse_int(objects->revision(object), 0, INT64_MAX, &revision) == 0 ? revision
										      : 0;
}

static void key_of(const struct cox_objects *objects, const struct cox_object *quota,
		   struct cox_buf *key)
{
	cox_buf_printf(key, "%s/%s", objects->namespace_of(quota), objects->name(quota));
}

struct cox_object *fresh_or(struct quotas *self, const struct cox_object *listed)
{
	const struct cox_objects *objects = self->objects;
	struct cox_object *fresh;
	cox_autobuf key = COX_BUF_INIT;

	key_of(objects, listed, &key);
	cox_lock_scope(&self->mutex);
	fresh = cox_map_get(&self->fresh, key.data, key.size);
	if (fresh && revision_of(objects, fresh) > revision_of(objects, listed))
		return objects->ref(fresh);
	if (fresh)
		objects->unref(cox_map_remove(&self->fresh, key.data, key.size));
	return objects->ref(listed);
}

static void fresh_clear(struct quotas *self)
{
	const char *key;
	size_t at = 0, size;
	void *object;

	while (cox_map_next(&self->fresh, &at, &key, &size, &object))
		self->objects->unref(object);
	cox_map_free(&self->fresh);
	self->fresh = (struct cox_map)COX_MAP_INIT;
}

void fresh_free(struct quotas *self)
{
	cox_lock_scope(&self->mutex);
	fresh_clear(self);
}

/* Takes the reference over. */
static void fresh_put(struct quotas *self, struct cox_object *quota)
{
	cox_autobuf key = COX_BUF_INIT;

	key_of(self->objects, quota, &key);
	cox_lock_scope(&self->mutex);
	if (self->fresh.count >= FRESH_MAX)
		fresh_clear(self);
	self->objects->unref(cox_map_put(&self->fresh, key.data, key.size, quota));
}

static void write_body(const char *revision, const struct amounts *used, struct cox_buf *body)
{
	struct cox_json json = COX_JSON_INIT(body);

	cox_json_object(&json, NULL);
	cox_json_object(&json, "metadata");
	cox_json_text(&json, "resourceVersion", revision);
	cox_json_end(&json);
	cox_json_object(&json, "status");
	cox_json_object(&json, "used");
	for (size_t i = 0; i < used->list.count; i++) {
		char text[COX_QUANTITY_TEXT_MAX];

		cox_quantity_format(&used->list.items[i].quantity, text);
		cox_json_text(&json, used->list.items[i].name, text);
	}
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
}

enum written write_used(struct quotas *self, const struct cox_call *call,
			const struct cox_object *quota, const struct amounts *used,
			struct cox_error *err)
{
	const struct cox_cluster *cluster = self->lookup.cluster;
	const struct cox_objects *objects = self->objects;
	struct cox_error *why = cluster->error_new();
	struct cox_object *answer = NULL;
	cox_autobuf body = COX_BUF_INIT;
	struct cox_request request = {.struct_size = sizeof(request),
				      .verb = COX_PATCH_MERGE,
				      .resource = &self->lookup.resource,
				      .namespace_name = objects->namespace_of(quota),
				      .name = objects->name(quota),
				      .subresource = "status"};
	enum written result = WRITTEN;

	write_body(objects->revision(quota), used, &body);
	request.body = body.data;
	request.body_size = body.size;
	if (cluster->request(cluster->context, call, &request, &answer, why) == 0) {
		fresh_put(self, answer);
	} else if (cluster->reason(why) == COX_REASON_CONFLICT) {
		result = WRITE_CONFLICT;
	} else if (cluster->reason(why) == COX_REASON_NOT_FOUND) {
		result = QUOTA_GONE;
	} else {
		self->host->fail(err, cluster->reason(why), "write the usage of quota %s: %s",
				 objects->name(quota), cluster->message(why));
		result = WRITTEN_NOT;
	}
	cluster->error_free(why);
	return result;
}
