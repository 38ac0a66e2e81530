/* SPDX-License-Identifier: Apache-2.0 */
/* The downwardAPI volume: what a pod can learn of itself, as files. */
#include "../common/common.h"

static int downwardapi_recognise(void *self, const struct cox_objects *objects,
				 const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "downwardAPI") != NULL;
}

static int downwardapi_set_up(void *self, const struct cox_call *call,
			      const struct cox_volume *volume, struct cox_volume_result *result,
			      struct cox_error *err)
{
	const struct volume_plain *plain = self;
	const struct cox_objects *objects = volume->objects;
	const struct cox_value *source = objects->get(volume->source, "downwardAPI");
	struct volume_pass pass = {.host = plain->host, .call = call, .volume = volume};
	int failed = volume_add_downward(&pass, source,
					 objects->integer(source, "defaultMode", 0644), err);

	if (!failed)
		failed = volume_write(&pass, result, err);
	volume_pass_free(&pass);
	return failed;
}

static const struct cox_volume_ops downwardapi_ops = {
	.recognise = downwardapi_recognise,
	.set_up = downwardapi_set_up,
	.tear_down = volume_tear_down,
	.readonly = volume_always,
	.release = volume_release,
};

COX_VOLUME_PLUGIN(downwardapi_ops, .name = "downwardapi", .version = COX_RELEASE,
		  .description = "what a pod can learn of itself, as files",
		  .thread_model = COX_THREADS_PARALLEL, .create = volume_plain_create,
		  .destroy = volume_plain_destroy);
