/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of a pod; see the header. */
#include "kubelet/volumes.h"

#include "base/clock.h"
#include "base/log.h"
#include "kubelet/claims.h"
#include "kubelet/events.h"
#include "kubelet/fields.h"
#include "kubelet/housekeeping.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN_PREFIX "kubernetes.io~"

/* Names of directories that people and their tools know, where plugins have others. */
static const struct {
	const char *plugin, *directory;
} known_names[] = {
	{"emptydir", "empty-dir"}, {"hostpath", "host-path"}, {"downwardapi", "downward-api"}};

static const char *directory_name(const struct host_plugin *plugin)
{
	for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
		if (!strcmp(known_names[i].plugin, host_name(plugin)))
			return known_names[i].directory;
	return host_name(plugin);
}

int volumes_make_directory(const char *path, unsigned mode, struct cox_error *err)
{
	cox_autofree char *copy = cox_strdup(path);

	for (char *at = copy + 1;; at++) {
		char kept = *at;

		if (kept && kept != '/')
			continue;
		*at = '\0';
		if (mkdir(copy, mode) != 0 && errno != EEXIST)
			return error_errno(err, errno, "create %s", copy);
		*at = kept;
		if (!kept)
			return 0;
	}
}

const char *volumes_pod_directory(struct kubelet *kubelet, struct arena *arena, const char *uid,
				  const char *below)
{
	return arena_printf(arena, "%s/pods/%s%s%s", kubelet->config->root_dir, uid,
			    below ? "/" : "", below ? below : "");
}

static const char *volume_directory(struct kubelet *kubelet, struct arena *arena, const char *uid,
				    const struct host_plugin *plugin, const char *name)
{
	return arena_printf(arena, "%s/pods/%s/volumes/" PLUGIN_PREFIX "%s/%s",
			    kubelet->config->root_dir, uid, directory_name(plugin), name);
}

static struct host_plugin *plugin_for(struct kubelet *kubelet, const struct value *source)
{
	for (size_t i = 0; i < kubelet->parts.volume_count; i++) {
		struct host_plugin *plugin = kubelet->parts.volumes[i];
		const struct cox_volume_ops *ops = host_ops(plugin);

		host_call_scope(plugin);
		if (ops->recognise(host_self(plugin), &object_table, kubelet_plugin_value(source)))
			return plugin;
	}
	return NULL;
}

/* ---- set up ---- */

struct field_context {
	struct field_source source;
};

static int write_field(void *context, const struct cox_value *selector, const struct cox_writer *to,
		       struct cox_error *err)
{
	const struct field_context *fields = context;
	cox_autobuf out = COX_BUF_INIT;

	if (fields_write(&fields->source, kubelet_core_value(selector), &out, err))
		return -1;
	to->write(to->to, cox_buf_cstr(&out), out.size);
	return 0;
}

/* What stands beside the name, such as "nfs". */
static const char *kind_of(const struct value *source)
{
	for (size_t i = 0; value_is(source, VALUE_OBJECT) && i < source->count; i++)
		if (strcmp(source->object.members[i].key, "name") != 0)
			return source->object.members[i].key;
	return "";
}

/* `source` is what the plugins see: the entry of spec.volumes, or a volume in its place. */
static int set_up_source(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
			 const struct value *source, struct pod_claim *claim, uint64_t *again,
			 struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const char *name = value_get_text(source, "name");
	struct host_plugin *plugin = plugin_for(kubelet, source);
	struct field_context fields = {{kubelet, object, {pod->ips[0], pod->ips[1]}, NULL}};
	struct cox_volume_result result = {.struct_size = sizeof(result)};
	struct cox_call call = kubelet_call(kubelet, 120 * CLOCK_SECOND);
	struct cox_volume volume = {
		.struct_size = sizeof(volume),
		.objects = &object_table,
		.cluster = &kubelet->cluster.table,
		.pod = object,
		.source = kubelet_plugin_value(source),
		.name = name,
		.node = kubelet->parts.node_name,
		.fs_group = value_get_int(object_path(object_root(object), "spec.securityContext"),
					  "fsGroup", -1),
		.field = write_field,
		.context = &fields,
	};
	const struct cox_volume_ops *ops;
	cox_autobuf parent = COX_BUF_INIT;

	if (!plugin)
		return error_set(err, COX_REASON_INVALID,
				 "no volume plugin matched: this node has none for \"%s\"",
				 kind_of(source));
	if (claim && claim->readonly)
		volume.fs_group = -1; /* nothing of it is changed */
	ops = host_ops(plugin);
	volume.directory = volume_directory(kubelet, &arena, pod->uid, plugin, name);
	cox_buf_add(&parent, volume.directory,
		    (size_t)(strrchr(volume.directory, '/') - volume.directory));
	if (volumes_make_directory(parent.data, 0750, err))
		return -1;
	host_call_scope(plugin);
	if (ops->set_up(host_self(plugin), &call, &volume, &result, err))
		return host_op_failed(plugin, "set_up", err);
	if (result.again_ns && (!*again || clock_monotonic() + result.again_ns < *again))
		*again = clock_monotonic() + result.again_ns;
	if (claim) {
		claim->readonly |= ops->readonly && ops->readonly(host_self(plugin)) == 1;
		claims_keep(kubelet, pod, claim, *result.path ? result.path : volume.directory);
	}
	return 0;
}

static int set_up_one(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		      const struct value *source, uint64_t *again, struct cox_error *err)
{
	cox_autoobject *in_place = NULL;
	struct pod_claim claim = {0};
	int failed;

	if (!claims_is_one(source))
		return set_up_source(kubelet, pod, object, source, NULL, again, err);
	if (claims_find(pod, value_get_text(source, "name")))
		return 0; /* and stays as it is */
	failed = claims_resolve(kubelet, pod, object, source, &in_place, &claim, err) ||
		 set_up_source(kubelet, pod, object, object_root(in_place), &claim, again, err);
	claims_free(&claim);
	return failed ? -1 : 0;
}

int volumes_set_up(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		   uint64_t *again, struct cox_error *err)
{
	const struct value *list = object_path(object_root(object), "spec.volumes"), *source;

	cox_autoarena arena = ARENA_INIT;
	const char *directory = volumes_pod_directory(kubelet, &arena, pod->uid, NULL);

	*again = 0;
	if (value_at(list, 0)) {
		if (volumes_make_directory(directory, 0750, err))
			return -1;
		housekeeping_mark(kubelet, directory);
	}
	for (size_t i = 0; (source = value_at(list, i)); i++) {
		if (!set_up_one(kubelet, pod, object, source, again, err))
			continue;
		events_pod(kubelet, object, "Warning", "FailedMount",
			   "MountVolume.SetUp failed for volume \"%s\" : %s",
			   value_get_text(source, "name"), error_text(err));
		return -1;
	}
	return 0;
}

/* ---- tear down ---- */

static struct host_plugin *plugin_of(struct kubelet *kubelet, const char *directory)
{
	for (size_t i = 0; i < kubelet->parts.volume_count; i++)
		if (!strcmp(directory_name(kubelet->parts.volumes[i]), directory))
			return kubelet->parts.volumes[i];
	return NULL;
}

/* One volume: the end of it, or of what it has mounted. */
static int end_one(struct kubelet *kubelet, struct host_plugin *plugin, const char *path,
		   bool for_good, struct cox_error *err)
{
	const struct cox_volume_ops *ops = host_ops(plugin);
	struct cox_call call = kubelet_call(kubelet, 120 * CLOCK_SECOND);

	host_call_scope(plugin);
	if (!for_good && !ops->release)
		return 0;
	if (for_good ? ops->tear_down(host_self(plugin), &call, path, err)
		     : ops->release(host_self(plugin), &call, path, err))
		return host_op_failed(plugin, for_good ? "tear_down" : "release", err);
	return 0;
}

/* All volumes of one plugin's directory, of that name. */
static int end_all(struct kubelet *kubelet, const char *directory, const char *name, bool for_good,
		   struct cox_error *err)
{
	struct host_plugin *plugin = plugin_of(kubelet, name);
	DIR *list = opendir(directory);
	const struct dirent *entry;
	int failed = 0;

	if (!list)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open %s", directory);
	while (!failed && (entry = readdir(list))) {
		cox_autobuf path = COX_BUF_INIT;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!plugin) {
			failed = error_set(err, COX_REASON_INVALID,
					   "%s was made by a volume plugin that is not loaded",
					   directory);
			break;
		}
		cox_buf_printf(&path, "%s/%s", directory, entry->d_name);
		failed = end_one(kubelet, plugin, path.data, for_good, err);
	}
	closedir(list);
	if (!failed && for_good && rmdir(directory) != 0 && errno != ENOENT)
		failed = error_errno(err, errno, "remove %s", directory);
	return failed;
}

/* What the kubelet itself keeps of a pod: files only, no mounts. */
static int remove_files(const char *directory, struct cox_error *err)
{
	if (subpath_unmount_all(directory, err))
		return -1;
	if (rmdir(directory) != 0 && errno != ENOENT)
		return error_errno(err, errno, "remove %s", directory);
	return 0;
}

/* Of all plugins, and the mounts of subPaths, which lie upon them. */
static int end_volumes(struct kubelet *kubelet, const char *uid, struct arena *arena, bool for_good,
		       struct cox_error *err)
{
	const char *volumes = volumes_pod_directory(kubelet, arena, uid, "volumes");
	DIR *list;
	const struct dirent *entry;
	int failed = 0;

	if (remove_files(volumes_pod_directory(kubelet, arena, uid, "volume-subpaths"), err))
		return -1;
	list = opendir(volumes);
	while (list && !failed && (entry = readdir(list)))
		if (cox_starts_with(entry->d_name, PLUGIN_PREFIX))
			failed = end_all(kubelet,
					 arena_printf(arena, "%s/%s", volumes, entry->d_name),
					 entry->d_name + strlen(PLUGIN_PREFIX), for_good, err);
	if (list)
		closedir(list);
	return failed;
}

int volumes_release(struct kubelet *kubelet, const char *uid, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;

	return end_volumes(kubelet, uid, &arena, false, err);
}

int volumes_tear_down(struct kubelet *kubelet, const char *uid, struct cox_error *err)
{
	cox_autoarena arena = ARENA_INIT;
	const char *volumes = volumes_pod_directory(kubelet, &arena, uid, "volumes");

	/* Never walk over what a plugin may still have mounted. */
	if (end_volumes(kubelet, uid, &arena, true, err))
		return -1;
	if (rmdir(volumes) != 0 && errno != ENOENT)
		return error_errno(err, errno, "remove %s", volumes);
	return remove_files(volumes_pod_directory(kubelet, &arena, uid, NULL), err);
}

/* ---- mounts ---- */

/* The entry of spec.volumes that a volumeMount names. */
static const struct value *volume_of(const struct cox_object *object, const struct value *mount)
{
	const struct value *list = object_path(object_root(object), "spec.volumes"), *source;
	const char *name = value_get_text(mount, "name");

	for (size_t i = 0; (source = value_at(list, i)); i++)
		if (!strcmp(value_get_text(source, "name"), name))
			return source;
	return NULL;
}

bool volumes_are_readonly(struct kubelet *kubelet, const struct pod *pod,
			  const struct cox_object *object, const struct value *mount)
{
	const struct pod_claim *claim = claims_find(pod, value_get_text(mount, "name"));
	const struct value *source = volume_of(object, mount);
	struct host_plugin *plugin = source ? plugin_for(kubelet, source) : NULL;
	const struct cox_volume_ops *ops = plugin ? host_ops(plugin) : NULL;

	if (claim)
		return claim->readonly;
	if (!ops || !ops->readonly)
		return false;
	host_call_scope(plugin);
	return ops->readonly(host_self(plugin)) == 1;
}

const char *volumes_mount_path(struct kubelet *kubelet, struct pod *pod,
			       const struct cox_object *object, const struct value *container,
			       const struct value *mount, const char *sub_path, size_t index,
			       struct arena *arena, struct cox_error *err)
{
	const struct value *source = volume_of(object, mount);
	const char *name = value_get_text(mount, "name"), *target, *path;
	const struct pod_claim *claim = claims_find(pod, name);
	struct host_plugin *plugin = source && !claim ? plugin_for(kubelet, source) : NULL;

	if (!plugin && !claim) {
		error_set(err, COX_REASON_INVALID, "no volume \"%s\" for the mount at %s", name,
			  value_get_text(mount, "mountPath"));
		return NULL;
	}
	path = claim ? claim->path : value_text(object_path(source, "hostPath.path"));
	if (!*path)
		path = volume_directory(kubelet, arena, pod->uid, plugin, name);
	if (!*sub_path)
		return path;
	target = volumes_pod_directory(kubelet, arena, pod->uid,
				       arena_printf(arena, "volume-subpaths/%s/%s/%zu", name,
						    value_get_text(container, "name"), index));
	return subpath_mount(path, sub_path, target, err) ? NULL : target;
}
