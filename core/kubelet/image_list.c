/* SPDX-License-Identifier: Apache-2.0 */
/* All images of the runtime, copied out; see the header. */
#include "kubelet/images.h"

#include "base/clock.h"

#include <string.h>

enum { IMAGES_MAX = 100000 };

struct list_taker {
	struct cox_image_sink sink;
	struct arena *arena;
	struct image_list *list;
};

static int take_image(const struct cox_image_sink *sink, const struct cox_image *image)
{
	const struct list_taker *taker = (const struct list_taker *)(const void *)sink;
	size_t count = image->digests.count + image->tags.count;
	const char **names = arena_alloc(taker->arena, (count + 1) * sizeof(*names));
	struct image_entry entry = {.id = arena_strdup(taker->arena, image->id),
				    .size = image->size,
				    .pinned = image->pinned != 0,
				    .names = {names, count}};

	/* Digests first, as other kubelets say them. */
	for (size_t i = 0; i < image->digests.count; i++)
		names[i] = arena_strdup(taker->arena, image->digests.items[i]);
	for (size_t i = 0; i < image->tags.count; i++)
		names[image->digests.count + i] = arena_strdup(taker->arena, image->tags.items[i]);
	cox_vec_push(taker->list, entry);
	return taker->list->count >= IMAGES_MAX;
}

int images_list(struct kubelet *kubelet, struct arena *arena, struct image_list *list,
		struct cox_error *err)
{
	const struct list_taker taker = {{sizeof(taker.sink), 0, take_image}, arena, list};

	return runtime_call(kubelet, 60 * CLOCK_SECOND, image_list, &taker.sink, err);
}

void images_list_free(struct image_list *list)
{
	cox_vec_free(list);
}
