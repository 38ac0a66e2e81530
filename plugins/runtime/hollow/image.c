/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hollow images: names. With images-present every name is an image; else a
 * name becomes one by a pull, which shows progress over three layers.
 */
#include "hollow.h"

#include <stdio.h>
#include <string.h>

enum { LAYERS = 3, LAYER_BYTES = 1000000 };

static struct hollow_image *find(struct hollow *hollow, const char *name)
{
	for (size_t i = 0; i < hollow->images.count; i++) {
		struct hollow_image *image = hollow->images.items[i];

		if (!image->gone && (!strcmp(image->name, name) || !strcmp(image->id, name)))
			return image;
	}
	return NULL;
}

/* An identifier that the same name always has. */
static char *make_id(const char *name)
{
	uint64_t hash = 1469598103934665603u; /* FNV-1a */
	cox_autobuf id = COX_BUF_INIT;

	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211u;
	cox_buf_str(&id, "sha256:");
	for (int i = 0; i < 4; i++, hash *= 1099511628211u)
		cox_buf_printf(&id, "%016llx", (unsigned long long)hash);
	return cox_buf_steal(&id);
}

static struct hollow_image *add(struct hollow *hollow, const char *name)
{
	struct hollow_image *image = find(hollow, name);

	if (image || hollow->images.count >= HOLLOW_MAX)
		return image;
	image = cox_new(struct hollow_image);
	image->name = cox_strdup(name);
	image->id = make_id(name);
	cox_vec_push(&hollow->images, image);
	return image;
}

const struct hollow_image *hollow_find_image(struct hollow *hollow, const char *name)
{
	struct hollow_image *image = find(hollow, name);

	if (image || !hollow->images_present || hollow_listed(hollow->failing_images, name))
		return image;
	return add(hollow, name);
}

static int show(const struct cox_image_sink *sink, const struct hollow_image *image)
{
	const char *tags[] = {image->name};
	struct cox_image shown = {.struct_size = sizeof(shown),
				  .id = image->id,
				  .tags = {tags, 1},
				  .size = LAYERS * LAYER_BYTES,
				  .uid = 0,
				  .username = ""};

	return sink->image(sink, &shown);
}

int hollow_image_list(void *self, const struct cox_call *call, const struct cox_image_sink *sink,
		      struct cox_error *err)
{
	struct hollow *hollow = self;
	COX_VEC(const struct hollow_image *) found = {0};

	(void)call;
	(void)err;
	pthread_mutex_lock(&hollow->lock);
	for (size_t i = 0; i < hollow->images.count; i++)
		if (!hollow->images.items[i]->gone)
			cox_vec_push(&found, hollow->images.items[i]);
	pthread_mutex_unlock(&hollow->lock);
	for (size_t i = 0; i < found.count; i++)
		if (show(sink, found.items[i]) != 0)
			break;
	cox_vec_free(&found);
	return 0;
}

int hollow_image_status(void *self, const struct cox_call *call, const char *image,
			const struct cox_image_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	const struct hollow_image *found;

	(void)call;
	pthread_mutex_lock(&hollow->lock);
	found = hollow_find_image(hollow, image);
	pthread_mutex_unlock(&hollow->lock);
	if (!found)
		return hollow->host->fail(err, COX_REASON_NOT_FOUND, "no image \"%s\"", image);
	show(sink, found);
	return 0;
}

int hollow_image_pull(void *self, const struct cox_call *call, const char *image,
		      const struct cox_registry_auth *auth, const struct cox_progress_sink *sink,
		      char *ref, struct cox_error *err)
{
	struct hollow *hollow = self;
	struct cox_pull_progress progress = {.struct_size = sizeof(progress),
					     .phase = COX_PULL_DOWNLOADING,
					     .layers = LAYERS,
					     .digest = "",
					     .total = LAYER_BYTES};
	const struct hollow_image *pulled;

	(void)auth;
	if (hollow_listed(hollow->failing_images, image))
		return hollow->host->fail(err, COX_REASON_NOT_FOUND,
					  "%s: the registry does not have it", image);
	for (progress.layer = 1; progress.layer <= LAYERS; progress.layer++) {
		if (hollow_pause(hollow, call, hollow->pull_delay / LAYERS, err))
			return -1;
		progress.done = LAYER_BYTES;
		if (sink)
			sink->progress(sink, &progress);
	}
	progress.phase = COX_PULL_DONE;
	progress.layer = LAYERS;
	if (sink)
		sink->progress(sink, &progress);
	cox_lock_scope(&hollow->lock);
	pulled = add(hollow, image);
	if (!pulled)
		return hollow->host->fail(err, COX_REASON_INSUFFICIENT_STORAGE,
					  "more than %d images", HOLLOW_MAX);
	snprintf(ref, COX_IMAGE_REF_SIZE, "%s", pulled->id);
	return 0;
}

int hollow_image_remove(void *self, const struct cox_call *call, const char *image,
			struct cox_error *err)
{
	struct hollow *hollow = self;
	struct hollow_image *found;

	(void)call;
	cox_lock_scope(&hollow->lock);
	found = find(hollow, image);
	if (!found)
		return 0;
	for (size_t i = 0; i < hollow->containers.count; i++) {
		const struct hollow_container *container = hollow->containers.items[i];

		if (!container->gone && !strcmp(container->image_id, found->id))
			return hollow->host->fail(err, COX_REASON_CONFLICT,
						  "container \"%s\" uses image \"%s\"",
						  container->id, image);
	}
	found->gone = true;
	return 0;
}

int hollow_image_import(void *self, const struct cox_call *call, int fd, const char *name,
			const struct cox_image_sink *sink, struct cox_error *err)
{
	struct hollow *hollow = self;
	const struct hollow_image *image;

	(void)call;
	(void)fd;
	if (!name || !*name)
		return hollow->host->fail(err, COX_REASON_BAD_REQUEST,
					  "a hollow image needs a name");
	pthread_mutex_lock(&hollow->lock);
	image = add(hollow, name);
	pthread_mutex_unlock(&hollow->lock);
	if (!image)
		return hollow->host->fail(err, COX_REASON_INSUFFICIENT_STORAGE,
					  "more than %d images", HOLLOW_MAX);
	show(sink, image);
	return 0;
}

int hollow_image_filesystem(void *self, const struct cox_call *call,
			    struct cox_filesystem_usage *usage, struct cox_error *err)
{
	struct hollow *hollow = self;

	(void)call;
	(void)err;
	cox_lock_scope(&hollow->lock);
	usage->mountpoint = "/";
	usage->timestamp = (int64_t)hollow->host->realtime_ns();
	usage->used_inodes = 0;
	for (size_t i = 0; i < hollow->images.count; i++)
		usage->used_inodes += !hollow->images.items[i]->gone;
	usage->used_bytes = usage->used_inodes * LAYERS * LAYER_BYTES;
	usage->capacity_bytes = (uint64_t)hollow->disk << 20;
	usage->free_bytes = usage->capacity_bytes > usage->used_bytes
				    ? usage->capacity_bytes - usage->used_bytes
				    : 0;
	return 0;
}
