/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that looks every few seconds: logs above their size get a new
 * file, ended containers above their number go, oldest first, and so do images
 * that nobody uses while the disk is fuller than it should be.
 */
#include "kubelet/housekeeping.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/events.h"
#include "kubelet/images.h"
#include "kubelet/logs.h"
#include "kubelet/names.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARK ".kubelet"

static const uint64_t usual_period = 10 * CLOCK_SECOND;
static const uint64_t usual_image_period = 300 * CLOCK_SECOND;
/* An image that has just been pulled waits for its container. */
static const uint64_t usual_image_age = 120 * CLOCK_SECOND;

struct housekeeper {
	struct kubelet *kubelet;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping; /* lock */
	/* the thread's own */
	struct cox_map used; /* image id → when it was used last, or seen first: seconds + 1 */
	uint64_t images_at;  /* when to look at them next */
};

/* ---- what the runtime has ---- */

struct old_container {
	const char *id, *pod, *name, *image_id, *log_path;
	uint32_t state;
	int64_t created_at, finished_at;
};

struct house {
	struct arena arena;
	COX_VEC(struct old_container) containers; /* newest first */
};

static const char *label(const struct cox_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->items[i].key, key))
			return pairs->items[i].value;
	return "";
}

struct house_taker {
	struct cox_container_sink sink;
	struct house *house;
};

static int take_container(const struct cox_container_sink *sink,
			  const struct cox_container_status *status)
{
	struct house *house = ((const struct house_taker *)(const void *)sink)->house;
	struct arena *arena = &house->arena;
	struct old_container container = {
		.id = arena_strdup(arena, status->id),
		.pod = arena_strdup(arena, label(&status->labels, LABEL_UID)),
		.name = arena_strdup(arena, label(&status->labels, LABEL_CONTAINER)),
		.image_id = arena_strdup(arena, status->image_id),
		.log_path = arena_strdup(arena, status->log_path),
		.state = status->state,
		.created_at = status->created_at,
		.finished_at = status->finished_at,
	};

	cox_vec_push(&house->containers, container);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct old_container *one = a, *two = b;

	return one->created_at > two->created_at ? -1 : one->created_at < two->created_at;
}

static int look(struct kubelet *kubelet, struct house *house)
{
	const struct house_taker taker = {{sizeof(taker.sink), 0, take_container}, house};
	cox_autoerror err = COX_ERROR_INIT;

	if (runtime_call(kubelet, 60 * CLOCK_SECOND, container_list, NULL, &taker.sink, &err)) {
		log_warning("list the runtime's containers: %s", error_text(&err));
		return -1;
	}
	if (house->containers.count)
		qsort(house->containers.items, house->containers.count,
		      sizeof(*house->containers.items), newest_first);
	return 0;
}

/* ---- logs ---- */

static void rotate(struct kubelet *kubelet, const struct old_container *container)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf kept = COX_BUF_INIT;
	time_t now = (time_t)(clock_realtime() / CLOCK_SECOND);
	struct tm parts;
	char stamp[32];

	gmtime_r(&now, &parts);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &parts);
	cox_buf_printf(&kept, "%s.%s", container->log_path, stamp);
	/* A second within the same second waits for the next look. */
	if (access(kept.data, F_OK) == 0)
		return;
	if (rename(container->log_path, kept.data) != 0) {
		log_warning("rotate %s: %s", container->log_path, strerror(errno));
		return;
	}
	if (runtime_call(kubelet, 30 * CLOCK_SECOND, container_reopen_log, container->id, &err)) {
		log_warning("rotate %s: %s", container->log_path, error_text(&err));
		/* It goes on in the old file, under its old name. */
		if (access(container->log_path, F_OK) != 0)
			(void)rename(kept.data, container->log_path);
		return;
	}
	logs_keep(container->log_path, (size_t)kubelet->config->container_log_max_files - 1);
}

static void rotate_logs(struct kubelet *kubelet, const struct house *house)
{
	int64_t most = kubelet->config->container_log_max_size_mb;

	for (size_t i = 0; most > 0 && i < house->containers.count; i++) {
		const struct old_container *container = &house->containers.items[i];
		struct stat facts;

		if (container->state == COX_CONTAINER_RUNNING && *container->pod &&
		    *container->log_path && lstat(container->log_path, &facts) == 0 &&
		    S_ISREG(facts.st_mode) && facts.st_size >> 20 >= most)
			rotate(kubelet, container);
	}
}

/* ---- ended containers ---- */

/* What a status shows of a container: the present one, or the last there was. */
static bool is_newest(const struct house *house, size_t at)
{
	const struct old_container *this = &house->containers.items[at];

	for (size_t i = 0; i < at; i++)
		if (!strcmp(house->containers.items[i].pod, this->pod) &&
		    !strcmp(house->containers.items[i].name, this->name))
			return false;
	return true;
}

static void limit_containers(struct kubelet *kubelet, const struct house *house)
{
	int64_t most = kubelet->config->maximum_dead_containers, ended = 0;
	int64_t old = (int64_t)(clock_realtime() - kubelet->config->minimum_container_ttl_duration);

	for (size_t i = 0; i < house->containers.count; i++)
		ended += house->containers.items[i].state == COX_CONTAINER_EXITED &&
			 *house->containers.items[i].pod;
	for (size_t i = house->containers.count; most >= 0 && ended > most && i > 0; i--) {
		const struct old_container *container = &house->containers.items[i - 1];

		if (container->state != COX_CONTAINER_EXITED || !*container->pod ||
		    container->finished_at > old || is_newest(house, i - 1))
			continue;
		if (runtime_call(kubelet, 60 * CLOCK_SECOND, container_remove, container->id, NULL))
			log_warning("remove ended container %s", container->id);
		else
			logs_remove(container->log_path);
		ended--;
	}
}

/* ---- images ---- */

static uint64_t last_use(const struct housekeeper *housekeeper, const char *id)
{
	return (uintptr_t)cox_map_get(&housekeeper->used, id, strlen(id));
}

static bool in_use(const struct house *house, const char *id)
{
	for (size_t i = 0; i < house->containers.count; i++)
		if (!strcmp(house->containers.items[i].image_id, id))
			return true;
	return false;
}

/* Images that went are forgotten; those that came count from now on. */
static void note_images(struct housekeeper *housekeeper, const struct house *house,
			const struct image_list *images)
{
	uint64_t now = clock_monotonic() / CLOCK_SECOND + 1;
	struct cox_map fresh = COX_MAP_INIT;

	for (size_t i = 0; i < images->count; i++) {
		const char *id = images->items[i].id;
		uint64_t before = last_use(housekeeper, id);

		if (!before || in_use(house, id))
			before = now;
		cox_map_put(&fresh, id, strlen(id), (void *)(uintptr_t)before);
	}
	cox_map_free(&housekeeper->used);
	housekeeper->used = fresh;
}

static bool may_go(const struct housekeeper *housekeeper, const struct house *house,
		   const struct image_entry *image)
{
	const struct kubelet_parts *parts = &housekeeper->kubelet->parts;
	uint64_t age = parts->housekeeping_period ? 0 : usual_image_age;

	if (image->pinned || in_use(house, image->id) ||
	    last_use(housekeeper, image->id) + age / CLOCK_SECOND >
		    clock_monotonic() / CLOCK_SECOND + 1)
		return false;
	/* What was imported no registry may have. */
	for (size_t i = 0; i < parts->kept_image_count; i++)
		if (!strcmp(parts->kept_images[i], image->id))
			return false;
	return true;
}

/* The one that was not used for the longest time; NULL: none may go. */
static struct image_entry *pick(const struct housekeeper *housekeeper, const struct house *house,
				const struct image_list *images)
{
	struct image_entry *oldest = NULL;

	for (size_t i = 0; i < images->count; i++) {
		struct image_entry *image = &images->items[i];

		if (*image->id && may_go(housekeeper, house, image) &&
		    (!oldest ||
		     last_use(housekeeper, image->id) < last_use(housekeeper, oldest->id)))
			oldest = image;
	}
	return oldest;
}

static void free_images(struct housekeeper *housekeeper, const struct house *house,
			const struct image_list *images, const struct cox_filesystem_usage *usage)
{
	struct kubelet *kubelet = housekeeper->kubelet;
	uint64_t free = usage->free_bytes, freed = 0, wanted;
	struct image_entry *image;

	wanted = usage->capacity_bytes / 100 *
		 (uint64_t)(100 - kubelet->config->image_gc_low_threshold);
	wanted = wanted > free ? wanted - free : 0;
	while (freed < wanted && (image = pick(housekeeper, house, images))) {
		cox_autoerror err = COX_ERROR_INIT;

		if (runtime_call(kubelet, 120 * CLOCK_SECOND, image_remove, image->id, &err)) {
			log_warning("remove image %s: %s", image->id, error_text(&err));
		} else {
			log_info("Removed image %s (%s): the disk is too full",
				 image->names.count ? image->names.items[0] : "<none>", image->id);
			freed += image->size;
		}
		image->id = ""; /* not again */
	}
	if (freed < wanted)
		events_node(kubelet, "Warning", "FreeDiskSpaceFailed",
			    "Failed to garbage collect required amount of images. Attempted to "
			    "free %llu bytes, but only found %llu bytes eligible to free.",
			    (unsigned long long)wanted, (unsigned long long)freed);
}

static void look_at_images(struct housekeeper *housekeeper, const struct house *house)
{
	struct kubelet *kubelet = housekeeper->kubelet;
	struct cox_filesystem_usage usage = {.mountpoint = ""};
	cox_autoarena arena = ARENA_INIT;
	struct image_list images = {0};
	cox_autoerror err = COX_ERROR_INIT;

	if (images_list(kubelet, &arena, &images, &err) ||
	    runtime_call(kubelet, 60 * CLOCK_SECOND, image_filesystem, &usage, &err)) {
		events_node(kubelet, "Warning", "ImageGCFailed", "%s", error_text(&err));
	} else {
		note_images(housekeeper, house, &images);
		if (usage.capacity_bytes && usage.free_bytes <= usage.capacity_bytes &&
		    (usage.capacity_bytes - usage.free_bytes) / (usage.capacity_bytes / 100 + 1) >=
			    (uint64_t)kubelet->config->image_gc_high_threshold)
			free_images(housekeeper, house, &images, &usage);
	}
	images_list_free(&images);
}

/* ---- the thread ---- */

static void keep_house(struct housekeeper *housekeeper)
{
	struct kubelet *kubelet = housekeeper->kubelet;
	uint64_t period = kubelet->parts.housekeeping_period, now = clock_monotonic();
	struct house house = {.arena = ARENA_INIT};

	if (look(kubelet, &house) == 0) {
		rotate_logs(kubelet, &house);
		limit_containers(kubelet, &house);
		if (now >= housekeeper->images_at) {
			housekeeper->images_at = now + (period ? period : usual_image_period);
			look_at_images(housekeeper, &house);
		}
	}
	cox_vec_free(&house.containers);
	arena_free(&house.arena);
}

static void *run(void *context)
{
	struct housekeeper *housekeeper = context;
	uint64_t period = housekeeper->kubelet->parts.housekeeping_period;

	pthread_mutex_lock(&housekeeper->lock);
	while (!housekeeper->stopping) {
		uint64_t until = clock_monotonic() + (period ? period : usual_period);
		struct timespec when = {(time_t)(until / CLOCK_SECOND),
					(long)(until % CLOCK_SECOND)};

		while (!housekeeper->stopping && clock_monotonic() < until)
			pthread_cond_clockwait(&housekeeper->changed, &housekeeper->lock,
					       CLOCK_MONOTONIC, &when);
		if (housekeeper->stopping)
			break;
		pthread_mutex_unlock(&housekeeper->lock);
		keep_house(housekeeper);
		pthread_mutex_lock(&housekeeper->lock);
	}
	pthread_mutex_unlock(&housekeeper->lock);
	return NULL;
}

struct housekeeper *housekeeper_new(struct kubelet *kubelet, struct cox_error *err)
{
	struct housekeeper *housekeeper = cox_new(struct housekeeper);
	int failure;

	housekeeper->kubelet = kubelet;
	pthread_mutex_init(&housekeeper->lock, NULL);
	pthread_cond_init(&housekeeper->changed, NULL);
	failure = pthread_create(&housekeeper->thread, NULL, run, housekeeper);
	if (failure == 0)
		return housekeeper;
	error_errno(err, failure, "start the thread that keeps house");
	pthread_cond_destroy(&housekeeper->changed);
	pthread_mutex_destroy(&housekeeper->lock);
	free(housekeeper);
	return NULL;
}

void housekeeper_free(struct housekeeper *housekeeper)
{
	if (!housekeeper)
		return;
	pthread_mutex_lock(&housekeeper->lock);
	housekeeper->stopping = true;
	pthread_cond_signal(&housekeeper->changed);
	pthread_mutex_unlock(&housekeeper->lock);
	pthread_join(housekeeper->thread, NULL);
	pthread_cond_destroy(&housekeeper->changed);
	pthread_mutex_destroy(&housekeeper->lock);
	cox_map_free(&housekeeper->used);
	free(housekeeper);
}

/* ---- orphans ---- */

static bool is_known(struct kubelet *kubelet, const char *uid)
{
	cox_lock_scope(&kubelet->lock);
	return cox_map_has(&kubelet->pods, uid, strlen(uid));
}

/* A link to the kubelet's own directory: made and read in one step. */
void housekeeping_mark(struct kubelet *kubelet, const char *directory)
{
	cox_autobuf mark = COX_BUF_INIT;

	cox_buf_printf(&mark, "%s/" MARK, directory);
	if (symlink(kubelet->config->root_dir, mark.data) != 0 && errno != EEXIST)
		log_warning("mark %s: %s", directory, strerror(errno));
}

static bool is_ours(struct kubelet *kubelet, const char *directory)
{
	const char *root = kubelet->config->root_dir;
	cox_autobuf mark = COX_BUF_INIT;
	char found[4096];
	ssize_t size;

	cox_buf_printf(&mark, "%s/" MARK, directory);
	size = readlink(mark.data, found, sizeof(found));
	return size == (ssize_t)strlen(root) && !memcmp(found, root, (size_t)size);
}

static void remove_pod(struct kubelet *kubelet, const char *directory, const char *name)
{
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/%s", directory, name);
	if (is_known(kubelet, name) || !is_ours(kubelet, path.data))
		return;
	log_info("Pod %s is neither wanted nor there: its volumes go", name);
	if (volumes_tear_down(kubelet, name, &err))
		log_warning("volumes of pod %s, which is gone: %s", name, error_text(&err));
}

/* NAMESPACE_NAME_UID */
static void remove_log(struct kubelet *kubelet, const char *directory, const char *name)
{
	const char *uid = strrchr(name, '_');
	cox_autobuf path = COX_BUF_INIT;

	if (!uid || !uid[1] || is_known(kubelet, uid + 1))
		return;
	cox_buf_printf(&path, "%s/%s", directory, name);
	if (is_ours(kubelet, path.data))
		logs_remove_pod(path.data);
}

static void each_entry(struct kubelet *kubelet, const char *path,
		       void (*found)(struct kubelet *kubelet, const char *directory,
				     const char *name))
{
	DIR *list = opendir(path);
	const struct dirent *entry;

	if (!list)
		return; /* nothing was ever there */
	while ((entry = readdir(list)))
		if (entry->d_name[0] != '.')
			found(kubelet, path, entry->d_name);
	closedir(list);
}

void housekeeping_remove_orphans(struct kubelet *kubelet)
{
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/pods", kubelet->config->root_dir);
	each_entry(kubelet, path.data, remove_pod);
	each_entry(kubelet, kubelet->config->pod_logs_dir, remove_log);
}
