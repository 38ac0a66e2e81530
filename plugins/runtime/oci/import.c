/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads images from a tar archive: the format of `docker save` (manifest.json)
 * or an OCI image layout (index.json). The archive is extracted by the helper,
 * in a chroot; its files are then opened below that directory only, whatever
 * links it has.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define SECOND 1000000000ull
#define NESTING 4

struct import {
	struct oci *oci;
	const struct cox_call *call;
	int directory;
	const char *name; /* for an image without one; may be NULL */
	const struct cox_image_sink *sink;
	size_t count;
};

static int open_below(const struct import *import, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, import->directory, path, &how, sizeof(how));
}

static char *read_below(const struct import *import, const char *path, size_t *size,
			struct cox_error *err)
{
	cox_autoclose int fd = open_below(import, path);
	cox_autobuf buf = COX_BUF_INIT;
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && buf.size <= OCI_RECORD_MAX) {
		n = read(fd, cox_buf_reserve(&buf, 65536), 65536);
		if (n > 0)
			cox_buf_added(&buf, (size_t)n);
	}
	if (fd < 0 || n != 0) {
		oci_fail_errno(import->oci, err, "the archive's %s", path);
		return NULL;
	}
	*size = buf.size;
	return cox_buf_steal(&buf);
}

/* blobs/sha256/HEX; the content is checked where it is used. */
static char *blob_path(const char *digest)
{
	return oci_digest_valid(digest) ? oci_format("blobs/sha256/%s", digest + 7) : NULL;
}

static char *read_blob(const struct import *import, const char *digest, size_t *size,
		       struct cox_error *err)
{
	cox_autofree char *path = blob_path(digest);
	char *text = path ? read_below(import, path, size, err) : NULL;
	char got[OCI_DIGEST_SIZE];

	if (!path) {
		import->oci->host->fail(err, COX_REASON_INVALID,
					"the archive has a digest that is no sha256: \"%.100s\"",
					digest);
		return NULL;
	}
	if (!text)
		return NULL;
	oci_sha256(text, *size, got);
	if (strcmp(got, digest) != 0) {
		free(text);
		import->oci->host->fail(err, COX_REASON_INVALID, "the archive's %s has digest %s",
					path, got);
		return NULL;
	}
	return text;
}

static int give(struct import *import, const char *id, struct cox_error *err)
{
	import->count++;
	if (!import->sink)
		return 0;
	return oci_image_status(import->oci, import->call, id, import->sink, err);
}

/* `paths[i]` is the file of the layer whose diff id is number i. */
static int add_one(struct import *import, const char *config, size_t config_size,
		   char *const *paths, size_t path_count, const struct oci_list *tags,
		   const char *digest_name, struct cox_error *err)
{
	struct oci *oci = import->oci;
	struct json_object *json = oci_parse(config, config_size);
	struct oci_list layers = {NULL, 0, 0};
	char id[OCI_DIGEST_SIZE];
	int result = oci_diff_ids(oci, json, &layers, err);

	json_object_put(json);
	if (result == 0 && layers.count != path_count)
		result = oci->host->fail(err, COX_REASON_INVALID,
					 "the image has %zu layers, its configuration %zu",
					 path_count, layers.count);
	for (size_t i = 0; i < layers.count && result == 0; i++) {
		cox_autoclose int fd = open_below(import, paths[i]);

		if (fd < 0)
			result = oci_fail_errno(oci, err, "the archive's %s", paths[i]);
		else
			result = oci_add_layer(oci, import->call, fd, layers.items[i], err);
	}
	oci_free_list(&layers);
	if (result == 0)
		result = oci_add_image(oci, config, config_size, (const char *const *)tags->items,
				       tags->count, digest_name, id, err);
	return result == 0 ? give(import, id, err) : -1;
}

/* The full form of a name: docker.io/library/busybox:latest. */
static int add_tag(struct import *import, const char *name, struct oci_list *tags,
		   struct cox_error *err)
{
	struct oci_reference ref;

	if (oci_parse_reference(import->oci, name, &ref, err) != 0)
		return -1;
	if (!*ref.tag)
		return import->oci->host->fail(err, COX_REASON_INVALID,
					       "\"%s\" is no name with a tag", name);
	cox_vec_push(tags, oci_format("%s/%s:%s", ref.registry, ref.repository, ref.tag));
	return 0;
}

static int import_saved(struct import *import, struct json_object *entry, struct cox_error *err)
{
	struct json_object *names = oci_part(entry, "RepoTags", json_type_array);
	struct json_object *files = oci_part(entry, "Layers", json_type_array);
	struct oci_list tags = {NULL, 0, 0}, paths = {NULL, 0, 0};
	size_t size;
	cox_autofree char *config = read_below(import, oci_text(entry, "Config"), &size, err);
	int result = config ? 0 : -1;

	for (size_t i = 0; names && result == 0 && i < json_object_array_length(names); i++)
		result =
			add_tag(import, json_object_get_string(json_object_array_get_idx(names, i)),
				&tags, err);
	if (result == 0 && !tags.count && import->name)
		result = add_tag(import, import->name, &tags, err);
	for (size_t i = 0; files && i < json_object_array_length(files); i++)
		cox_vec_push(&paths, oci_strdup(json_object_get_string(
					     json_object_array_get_idx(files, i))));
	if (result == 0)
		result = add_one(import, config, size, paths.items, paths.count, &tags, NULL, err);
	oci_free_list(&tags);
	oci_free_list(&paths);
	return result;
}

static int import_manifest(struct import *import, struct json_object *manifest, const char *name,
			   const char *digest, struct cox_error *err)
{
	struct json_object *files = oci_part(manifest, "layers", json_type_array);
	struct oci_list tags = {NULL, 0, 0}, paths = {NULL, 0, 0};
	cox_autofree char *config = NULL, *digest_name = NULL;
	size_t size = 0;
	int result = 0;

	config = read_blob(import,
			   oci_text(oci_part(manifest, "config", json_type_object), "digest"),
			   &size, err);
	if (!config)
		return -1;
	if (*name) {
		struct oci_reference ref;

		result = add_tag(import, name, &tags, err);
		if (result == 0 && oci_parse_reference(import->oci, name, &ref, NULL) == 0)
			digest_name = oci_format("%s/%s@%s", ref.registry, ref.repository, digest);
	}
	for (size_t i = 0; files && i < json_object_array_length(files); i++) {
		char *path = blob_path(oci_text(json_object_array_get_idx(files, i), "digest"));

		cox_vec_push(&paths, path ? path : cox_strdup("no digest"));
	}
	if (result == 0)
		result = add_one(import, config, size, paths.items, paths.count, &tags, digest_name,
				 err);
	oci_free_list(&tags);
	oci_free_list(&paths);
	return result;
}

static const char *machine(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__arm__)
	return "arm";
#elif defined(__i386__)
	return "386";
#else
	return "unknown";
#endif
}

/* Whether an index's entry is for us; one without a platform is. */
static bool fits(struct json_object *entry)
{
	struct json_object *platform = oci_part(entry, "platform", json_type_object);

	return !platform || (strcmp(oci_text(platform, "os"), "linux") == 0 &&
			     strcmp(oci_text(platform, "architecture"), machine()) == 0);
}

/* A name in an index is whole ("busybox:1"), or only a tag: then it needs ours. */
static const char *name_of(struct import *import, struct json_object *entry, const char *given)
{
	struct json_object *notes = oci_part(entry, "annotations", json_type_object);
	const char *whole = oci_text(notes, "io.containerd.image.name");
	const char *ref = oci_text(notes, "org.opencontainers.image.ref.name");

	if (*whole)
		return whole;
	if (strchr(ref, '/') || strchr(ref, ':'))
		return ref;
	if (*given)
		return given;
	return import->name ? import->name : "";
}

static int import_index(struct import *import, struct json_object *index, const char *given,
			int depth, struct cox_error *err)
{
	struct json_object *entries = oci_part(index, "manifests", json_type_array);

	for (size_t i = 0; entries && i < json_object_array_length(entries); i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i), *blob;
		const char *name = name_of(import, entry, given);
		cox_autofree char *text = NULL;
		size_t size;
		int result;

		if (!fits(entry))
			continue;
		text = read_blob(import, oci_text(entry, "digest"), &size, err);
		blob = text ? oci_parse(text, size) : NULL;
		if (!text)
			return -1;
		if (oci_part(blob, "manifests", json_type_array) && depth < NESTING)
			result = import_index(import, blob, name, depth + 1, err);
		else
			result =
				import_manifest(import, blob, name, oci_text(entry, "digest"), err);
		json_object_put(blob);
		if (result != 0)
			return -1;
	}
	return 0;
}

static int import_directory(struct import *import, struct cox_error *err)
{
	struct oci *oci = import->oci;
	cox_autofree char *text = NULL;
	struct json_object *json;
	size_t size;
	int result = 0;

	text = read_below(import, "manifest.json", &size, NULL);
	if (text) {
		/* The one file of ours that is a list at the top. */
		struct json_tokener *tokener = json_tokener_new_ex(32);

		json = size <= OCI_RECORD_MAX ? json_tokener_parse_ex(tokener, text, (int)size)
					      : NULL;
		json_tokener_free(tokener);
		if (!json_object_is_type(json, json_type_array))
			result = oci->host->fail(err, COX_REASON_INVALID,
						 "the archive's manifest.json is not a list");
		for (size_t i = 0; result == 0 && i < json_object_array_length(json); i++)
			result = import_saved(import, json_object_array_get_idx(json, i), err);
	} else {
		text = read_below(import, "index.json", &size, NULL);
		if (!text)
			return oci->host->fail(err, COX_REASON_INVALID,
					       "the archive has neither manifest.json nor "
					       "index.json: it is not an image");
		json = oci_parse(text, size);
		result = import_index(import, json, "", 0, err);
	}
	json_object_put(json);
	if (result == 0 && !import->count)
		result = oci->host->fail(err, COX_REASON_NOT_FOUND,
					 "the archive has no image for linux/%s", machine());
	return result;
}

int oci_image_import(void *self, const struct cox_call *call, int fd, const char *name,
		     const struct cox_image_sink *sink, struct cox_error *err)
{
	struct oci *oci = self;
	struct import import = {
		.oci = oci, .call = call, .directory = -1, .name = name, .sink = sink};
	uint64_t random;
	cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);
	cox_autofree char *limit = oci_format("%" PRIu64, oci->max_image), *work = NULL;
	const char *argv[] = {helper, "extract", NULL, limit, NULL};
	const struct cox_spawn_fd fds[] = {{fd, 0}};
	struct oci_command command = {
		.argv = argv, .fds = fds, .fd_count = 1, .timeout_ns = 3600 * SECOND};
	cox_autobuf out = COX_BUF_INIT, errors = COX_BUF_INIT;
	int code;

	oci->host->random(&random, sizeof(random));
	work = oci_format("%s/tmp/import-%016" PRIx64, oci->root, random);
	argv[2] = work;
	if (oci_make_directories(oci, work, 0700, err) != 0)
		return -1;
	oci_enter_store(oci);
	code = oci_run(oci, call, &command, &out, &errors, err);
	if (code > 0)
		code = oci_fail_output(oci, err, "read the archive", &errors);
	if (code == 0) {
		import.directory = open(work, O_PATH | O_DIRECTORY | O_CLOEXEC);
		code = import.directory < 0 ? oci_fail_errno(oci, err, "%s", work)
					    : import_directory(&import, err);
		cox_cleanup_close(&import.directory);
	}
	oci_leave_store(oci);
	oci_remove_tree(work);
	return code == 0 ? 0 : -1;
}
