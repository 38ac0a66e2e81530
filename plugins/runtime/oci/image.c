/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of images: layers, unpacked once and shared by all images that
 * have them, and for each image its configuration and its names. What no image
 * names is removed: at once, or after the last pull if images are coming just
 * then.
 */
#include "oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SECOND 1000000000ull

/* Sixteen bytes of the digest, short enough that 127 names fit into a mount. */
void oci_layer_name(const char *diff_id, char name[32])
{
	unsigned char bytes[16];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		unsigned value = 0;

		sscanf(diff_id + 7 + 2 * i, "%2x", &value);
		bytes[i] = (unsigned char)value;
	}
	cox_base64url_encode(bytes, sizeof(bytes), name);
}

static char *layer_path(struct oci *oci, const char *diff_id, const char *suffix)
{
	char name[32];

	oci_layer_name(diff_id, name);
	return oci_format("%s/layers/%s%s", oci->root, name, suffix);
}

/* The info file is written last, and says the whole digest. */
static bool layer_info(struct oci *oci, const char *diff_id, uint64_t *size)
{
	cox_autofree char *path = layer_path(oci, diff_id, ".info");
	cox_autofree char *text = oci_read_file(path, 256, NULL);

	if (!text || strncmp(text, diff_id, 71) != 0 || text[71] != ' ')
		return false;
	*size = strtoull(text + 72, NULL, 10);
	return true;
}

bool oci_have_layer(struct oci *oci, const char *diff_id)
{
	cox_autofree char *path = layer_path(oci, diff_id, "");
	uint64_t size;

	return layer_info(oci, diff_id, &size) && access(path, F_OK) == 0;
}

int oci_add_layer(struct oci *oci, const struct cox_call *call, int fd, const char *diff_id,
		  struct cox_error *err)
{
	uint64_t random;
	cox_autofree char *path = layer_path(oci, diff_id, "");
	cox_autofree char *info = layer_path(oci, diff_id, ".info");
	cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);
	cox_autofree char *limit = oci_format("%" PRIu64, oci->max_image), *work = NULL;
	const char *argv[] = {helper, "unpack", NULL, limit, NULL};
	const struct cox_spawn_fd fds[] = {{fd, 0}};
	struct oci_command command = {
		.argv = argv, .fds = fds, .fd_count = 1, .timeout_ns = 3600 * SECOND};
	cox_autobuf out = COX_BUF_INIT, errors = COX_BUF_INIT;
	int code;

	if (oci_have_layer(oci, diff_id))
		return 0;
	oci->host->random(&random, sizeof(random));
	work = oci_format("%s/tmp/layer-%016" PRIx64, oci->root, random);
	argv[2] = work;
	if (oci_make_directories(oci, work, 0755, err) != 0)
		return -1;
	code = oci_run(oci, call, &command, &out, &errors, err);
	if (code > 0)
		code = oci_fail_output(oci, err, "unpack the layer", &errors);
	else if (code == 0 && strncmp(cox_buf_cstr(&out), diff_id, 71) != 0)
		code = oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
				       "the layer unpacks to %.71s, the configuration says %s",
				       cox_buf_cstr(&out), diff_id);
	/* Somebody else may have been faster; both are the same. */
	if (code == 0 && rename(work, path) != 0 && errno != EEXIST && errno != ENOTEMPTY)
		code = oci_fail_errno(oci, err, "keep the layer %s", path);
	if (code == 0)
		code = oci_write_file(oci, info, out.data, out.size, 0600, err);
	oci_remove_tree(work);
	return code;
}

void oci_free_list(struct oci_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	cox_vec_free(list);
}

int oci_diff_ids(struct oci *oci, struct json_object *config, struct oci_list *out,
		 struct cox_error *err)
{
	struct json_object *ids =
		oci_part(oci_part(config, "rootfs", json_type_object), "diff_ids", json_type_array);
	size_t count = ids ? json_object_array_length(ids) : 0;

	if (!config || count > OCI_MAX_LAYERS)
		return oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
				       "the image has %zu layers, at most %d work", count,
				       OCI_MAX_LAYERS);
	for (size_t i = 0; i < count; i++) {
		const char *id = json_object_get_string(json_object_array_get_idx(ids, i));

		if (!id || !oci_digest_valid(id))
			return oci->host->fail(
				err, COX_REASON_INTERNAL_ERROR,
				"the configuration has a diff id that is no sha256 digest");
		cox_vec_push(out, cox_strdup(id));
	}
	return 0;
}

static bool string_in(const struct cox_strings *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static void add_string(struct cox_strings *list, const char *text)
{
	const char **items;

	if (string_in(list, text))
		return;
	items = cox_reallocarray((void *)list->items, list->count + 1, sizeof(*items));
	items[list->count] = cox_strdup(text);
	*list = (struct cox_strings){items, list->count + 1};
}

static bool drop_string(struct cox_strings *list, const char *text)
{
	const char **items = (const char **)list->items;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(items[i], text) != 0)
			continue;
		free((char *)items[i]);
		items[i] = items[--list->count];
		return true;
	}
	return false;
}

/* A name leads to one image only: it leaves the others. Needs `lock`. */
static void take_name(struct oci *oci, const char *name, const struct oci_image *owner)
{
	size_t at = 0;
	void *value;

	while (cox_map_next(&oci->images, &at, NULL, NULL, &value)) {
		struct oci_image *image = value;

		if (image != owner && drop_string(&image->tags, name) &&
		    oci_save_image(oci, image, NULL) != 0)
			oci->host->log(oci->host->context, COX_LOG_WARNING,
				       "image %s could not be written down", image->id);
	}
}

static struct oci_image *new_image(struct oci *oci, const char *id, struct json_object *config,
				   const struct oci_list *layers)
{
	struct oci_image *image = cox_new(struct oci_image);
	const char *user = oci_text(oci_part(config, "config", json_type_object), "User");
	cox_autofree char *name = cox_strndup(user, strcspn(user, ":"));

	image->id = cox_strdup(id);
	image->uid = 0;
	if (*name && cox_parse_int(name, 0, INT32_MAX, &image->uid) != 0)
		image->uid = -1;
	image->username = cox_strdup(image->uid < 0 ? name : "");
	for (size_t i = 0; i < layers->count; i++) {
		uint64_t size = 0;

		layer_info(oci, layers->items[i], &size);
		image->size += (int64_t)size;
	}
	/* A layer may occur twice: order and number count. */
	image->layers = oci_copy_strings(
		(struct cox_strings){(const char *const *)layers->items, layers->count});
	return image;
}

int oci_add_image(struct oci *oci, const char *config, size_t size, const char *const *tags,
		  size_t tag_count, const char *digest_name, char id[OCI_DIGEST_SIZE],
		  struct cox_error *err)
{
	struct json_object *json = oci_parse(config, size);
	cox_autofree char *directory = NULL, *file = NULL;
	struct oci_list layers = {NULL, 0, 0};
	struct oci_image *image;
	int result = -1;

	oci_sha256(config, size, id);
	directory = oci_format("%s/images/%s", oci->root, id + 7);
	file = oci_format("%s/config.json", directory);
	if (oci_diff_ids(oci, json, &layers, err) != 0 ||
	    oci_make_directories(oci, directory, 0700, err) != 0 ||
	    oci_write_file(oci, file, config, size, 0600, err) != 0)
		goto out;
	pthread_mutex_lock(&oci->lock);
	image = cox_map_get(&oci->images, id, strlen(id));
	if (!image) {
		image = new_image(oci, id, json, &layers);
		cox_map_put(&oci->images, id, strlen(id), image);
	}
	for (size_t i = 0; i < tag_count; i++) {
		take_name(oci, tags[i], image);
		add_string(&image->tags, tags[i]);
	}
	if (digest_name && *digest_name)
		add_string(&image->digests, digest_name);
	result = oci_save_image(oci, image, err);
	pthread_mutex_unlock(&oci->lock);
out:
	json_object_put(json);
	oci_free_list(&layers);
	return result;
}

struct json_object *oci_read_config(struct oci *oci, const char *id, struct cox_error *err)
{
	cox_autofree char *path = oci_format("%s/images/%s/config.json", oci->root, id + 7);
	size_t size;
	cox_autofree char *text = oci_read_file(path, OCI_RECORD_MAX, &size);
	struct json_object *config = text ? oci_parse(text, size) : NULL;

	if (!config)
		oci_fail_errno(oci, err, "read %s", path);
	return config;
}

/* By id (with or without sha256:, or its first 12 digits or more) or name. Needs `lock`. */
static struct oci_image *find_image(struct oci *oci, const char *name, struct oci_reference *ref,
				    bool *by_id)
{
	const char *hex = cox_starts_with(name, "sha256:") ? name + 7 : name;
	size_t at = 0, length = strlen(hex);
	cox_autofree char *tag = NULL, *digest = NULL;
	void *value;

	*by_id = length >= 12 && strspn(hex, "0123456789abcdef") == length;
	*ref = (struct oci_reference){0};
	if (!*by_id && oci_parse_reference(oci, name, ref, NULL) != 0)
		return NULL;
	tag = oci_format("%s/%s:%s", ref->registry, ref->repository, ref->tag);
	digest = oci_format("%s/%s@%s", ref->registry, ref->repository, ref->digest);
	while (cox_map_next(&oci->images, &at, NULL, NULL, &value)) {
		struct oci_image *image = value;

		if (*by_id	   ? strncmp(image->id + 7, hex, length) == 0
		    : *ref->digest ? string_in(&image->digests, digest)
				   : string_in(&image->tags, tag))
			return image;
	}
	return NULL;
}

static int fail_absent(struct oci *oci, const char *name, struct cox_error *err)
{
	return oci->host->fail(err, COX_REASON_NOT_FOUND, "image \"%.300s\" is not present", name);
}

int oci_resolve_image(struct oci *oci, const char *name, char id[OCI_DIGEST_SIZE],
		      struct oci_list *layers, char *ref, struct cox_error *err)
{
	struct oci_reference reference;
	struct oci_image *image;
	bool by_id;

	cox_lock_scope(&oci->lock);
	image = find_image(oci, name, &reference, &by_id);
	if (!image)
		return fail_absent(oci, name, err);
	memcpy(id, image->id, OCI_DIGEST_SIZE);
	for (size_t i = image->layers.count; i-- > 0;)
		cox_vec_push(layers, cox_strdup(image->layers.items[i]));
	snprintf(ref, COX_IMAGE_REF_SIZE, "%s",
		 image->digests.count ? image->digests.items[0] : image->id);
	return 0;
}

static int give_image(const struct oci_image *image, const struct cox_image_sink *sink)
{
	struct cox_image out = {.struct_size = sizeof(out),
				.id = image->id,
				.tags = image->tags,
				.digests = image->digests,
				.size = (uint64_t)image->size,
				.uid = image->uid,
				.username = image->username};

	return sink->image(sink, &out);
}

static struct oci_image *copy_image(const struct oci_image *from)
{
	struct oci_image *image = cox_new(struct oci_image);

	image->id = cox_strdup(from->id);
	image->tags = oci_copy_strings(from->tags);
	image->digests = oci_copy_strings(from->digests);
	image->size = from->size;
	image->uid = from->uid;
	image->username = cox_strdup(from->username);
	return image;
}

/* The sink is the host's code: it is not called with our lock held. */
int oci_image_list(void *self, const struct cox_call *call, const struct cox_image_sink *sink,
		   struct cox_error *err)
{
	struct oci *oci = self;
	COX_VEC(struct oci_image *) copies = {NULL, 0, 0};
	bool going = true;
	size_t at = 0;
	void *value;

	(void)call;
	(void)err;
	pthread_mutex_lock(&oci->lock);
	while (cox_map_next(&oci->images, &at, NULL, NULL, &value))
		cox_vec_push(&copies, copy_image(value));
	pthread_mutex_unlock(&oci->lock);
	for (size_t i = 0; i < copies.count; i++) {
		if (going)
			going = give_image(copies.items[i], sink) == 0;
		oci_free_image(copies.items[i]);
	}
	cox_vec_free(&copies);
	return 0;
}

int oci_image_status(void *self, const struct cox_call *call, const char *name,
		     const struct cox_image_sink *sink, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_image *image, *copy = NULL;
	struct oci_reference reference;
	bool by_id;

	(void)call;
	pthread_mutex_lock(&oci->lock);
	image = find_image(oci, name, &reference, &by_id);
	if (image)
		copy = copy_image(image);
	pthread_mutex_unlock(&oci->lock);
	if (!copy)
		return fail_absent(oci, name, err);
	(void)give_image(copy, sink);
	oci_free_image(copy);
	return 0;
}

/* Removes the layers that no image names; `gc` is held for writing. */
static void remove_layers(struct oci *oci)
{
	cox_autofree char *path = oci_format("%s/layers", oci->root);
	struct cox_map used = COX_MAP_INIT;
	DIR *entries = opendir(path);
	struct dirent *entry;
	size_t at = 0;
	void *value;

	pthread_mutex_lock(&oci->lock);
	while (cox_map_next(&oci->images, &at, NULL, NULL, &value)) {
		struct oci_image *image = value;

		for (size_t i = 0; i < image->layers.count; i++) {
			char name[32];

			oci_layer_name(image->layers.items[i], name);
			cox_map_put(&used, name, strlen(name), &used);
		}
	}
	pthread_mutex_unlock(&oci->lock);
	while (entries && (entry = readdir(entries))) {
		const char *name = entry->d_name;
		size_t size = strcspn(name, ".");
		cox_autofree char *layer = NULL;

		if (name[0] == '.' || cox_map_has(&used, name, size))
			continue;
		layer = oci_format("%s/%s", path, name);
		oci_remove_tree(layer);
	}
	if (entries)
		closedir(entries);
	cox_map_free(&used);
}

void oci_enter_store(struct oci *oci)
{
	pthread_rwlock_rdlock(&oci->gc);
}

static void collect_garbage(struct oci *oci)
{
	bool due;

	/* While images come, the one that leaves last does it. */
	if (pthread_rwlock_trywrlock(&oci->gc) != 0)
		return;
	pthread_mutex_lock(&oci->lock);
	due = oci->gc_due;
	oci->gc_due = false;
	pthread_mutex_unlock(&oci->lock);
	if (due)
		remove_layers(oci);
	pthread_rwlock_unlock(&oci->gc);
}

void oci_leave_store(struct oci *oci)
{
	bool due;

	pthread_rwlock_unlock(&oci->gc);
	pthread_mutex_lock(&oci->lock);
	due = oci->gc_due;
	pthread_mutex_unlock(&oci->lock);
	if (due)
		collect_garbage(oci);
}

/* The container that needs the image; NULL: none. Needs `lock`. */
static const char *user_of(struct oci *oci, const char *id)
{
	size_t at = 0;
	void *value;

	while (cox_map_next(&oci->units, &at, NULL, NULL, &value)) {
		struct oci_unit *unit = value;

		if (!unit->sandbox && strcmp(unit->image_id, id) == 0)
			return unit->id;
	}
	return NULL;
}

/* Takes a name or all of it away; NULL: it stays. Needs `lock`. */
static int drop_image(struct oci *oci, const char *name, struct oci_image **gone,
		      struct cox_error *err)
{
	struct oci_reference ref;
	bool by_id;
	struct oci_image *image = find_image(oci, name, &ref, &by_id);
	cox_autofree char *text = NULL;
	const char *user;

	if (!image)
		return 0;
	if (!by_id && image->tags.count + image->digests.count > 1) {
		text = *ref.digest
			       ? oci_format("%s/%s@%s", ref.registry, ref.repository, ref.digest)
			       : oci_format("%s/%s:%s", ref.registry, ref.repository, ref.tag);
		/* The digest under which a tag was pulled is no name of its own. */
		if (*ref.digest ? image->tags.count > 0 : image->tags.count > 1) {
			drop_string(*ref.digest ? &image->digests : &image->tags, text);
			return oci_save_image(oci, image, err);
		}
	}
	user = user_of(oci, image->id);
	if (user)
		return oci->host->fail(err, COX_REASON_CONFLICT,
				       "image \"%.300s\" is used by container \"%s\"", name, user);
	cox_map_remove(&oci->images, image->id, strlen(image->id));
	oci->gc_due = true;
	*gone = image;
	return 0;
}

int oci_image_remove(void *self, const struct cox_call *call, const char *name,
		     struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_image *gone = NULL;
	int result;

	(void)call;
	/* Only a container that is being made holds an image unseen. */
	pthread_mutex_lock(&oci->lock);
	result = drop_image(oci, name, &gone, err);
	pthread_mutex_unlock(&oci->lock);
	if (gone) {
		cox_autofree char *path = oci_format("%s/images/%s", oci->root, gone->id + 7);

		oci_remove_tree(path);
		oci_free_image(gone);
		collect_garbage(oci);
	}
	return result;
}

/* An image whose layers are not all there was being written when we ended. */
static bool complete(struct oci *oci, const struct oci_image *image)
{
	for (size_t i = 0; i < image->layers.count; i++)
		if (!oci_digest_valid(image->layers.items[i]) ||
		    !oci_have_layer(oci, image->layers.items[i]))
			return false;
	return true;
}

int oci_load_images(struct oci *oci, struct cox_error *err)
{
	cox_autofree char *path = oci_format("%s/images", oci->root);
	DIR *entries = opendir(path);
	struct dirent *entry;

	if (!entries)
		return oci_fail_errno(oci, err, "%s", path);
	while ((entry = readdir(entries))) {
		struct oci_image *image;

		if (entry->d_name[0] == '.')
			continue;
		image = oci_load_image(oci, entry->d_name);
		if (image && complete(oci, image)) {
			cox_map_put(&oci->images, image->id, strlen(image->id), image);
		} else {
			cox_autofree char *rest = oci_format("%s/%s", path, entry->d_name);

			oci->host->log(oci->host->context, COX_LOG_WARNING,
				       "image %s is not complete: removed", entry->d_name);
			oci_remove_tree(rest);
			if (image)
				oci_free_image(image);
		}
	}
	closedir(entries);
	remove_layers(oci);
	return 0;
}

static void add_layer_sizes(struct oci *oci, struct cox_filesystem_usage *usage)
{
	cox_autofree char *path = oci_format("%s/layers", oci->root);
	DIR *entries = opendir(path);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		cox_autofree char *file = NULL, *text = NULL;
		char *end;

		if (!cox_ends_with(entry->d_name, ".info"))
			continue;
		file = oci_format("%s/%s", path, entry->d_name);
		text = oci_read_file(file, 256, NULL);
		if (!text || strlen(text) < 73)
			continue;
		usage->used_bytes += strtoull(text + 72, &end, 10);
		usage->used_inodes += strtoull(end, NULL, 10);
	}
	if (entries)
		closedir(entries);
}

int oci_image_filesystem(void *self, const struct cox_call *call,
			 struct cox_filesystem_usage *usage, struct cox_error *err)
{
	struct oci *oci = self;
	struct statvfs info;

	(void)call;
	if (statvfs(oci->root, &info) != 0)
		return oci_fail_errno(oci, err, "%s", oci->root);
	*usage = (struct cox_filesystem_usage){
		.mountpoint = oci->root,
		.timestamp = (int64_t)oci->host->realtime_ns(),
		.free_bytes = (uint64_t)info.f_bavail * info.f_frsize,
		.capacity_bytes = (uint64_t)info.f_blocks * info.f_frsize};
	add_layer_sizes(oci, usage);
	return 0;
}
