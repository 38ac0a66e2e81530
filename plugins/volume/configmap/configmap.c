/* SPDX-License-Identifier: Apache-2.0 */
/* The configMap volume: the values of a ConfigMap as files. */
#include "../common/common.h"

static int configmap_recognise(void *self, const struct cox_objects *objects,
			       const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "configMap") != NULL;
}

static int configmap_set_up(void *self, const struct cox_call *call,
			    const struct cox_volume *volume, struct cox_volume_result *result,
			    struct cox_error *err)
{
	const struct volume_plain *plain = self;
	const struct cox_objects *objects = volume->objects;
	const struct cox_value *source = objects->get(volume->source, "configMap");
	struct volume_pass pass = {.host = plain->host, .call = call, .volume = volume};
	int failed = volume_add_config_map(&pass, source,
					   objects->integer(source, "defaultMode", 0644), err);

	if (!failed)
		failed = volume_write(&pass, result, err);
	volume_pass_free(&pass);
	return failed;
}

static const struct cox_volume_ops configmap_ops = {
	.recognise = configmap_recognise,
	.set_up = configmap_set_up,
	.tear_down = volume_tear_down,
	.readonly = volume_always,
	.release = volume_release,
};

COX_VOLUME_PLUGIN(configmap_ops, .name = "configmap", .version = COX_RELEASE,
		  .description = "the values of a ConfigMap as files",
		  .thread_model = COX_THREADS_PARALLEL, .create = volume_plain_create,
		  .destroy = volume_plain_destroy);
