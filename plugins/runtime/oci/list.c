/* SPDX-License-Identifier: Apache-2.0 */
/* What there is and how it does: lists, usage, changed limits, log files. */
#include "oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND 1000000000ull

static bool has_labels(const struct cox_pairs *labels, const struct cox_pairs *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		size_t at = 0;

		while (at < labels->count &&
		       (strcmp(labels->items[at].key, wanted->items[i].key) != 0 ||
			strcmp(labels->items[at].value, wanted->items[i].value) != 0))
			at++;
		if (at == labels->count)
			return false;
	}
	return true;
}

/* An id may be given by its first digits. */
static bool matches(const struct cox_runtime_filter *filter, const struct oci_unit *unit,
		    uint32_t state)
{
	if (!filter)
		return true;
	return (filter->state < 0 || (uint32_t)filter->state == state) &&
	       (!filter->id || cox_starts_with(unit->id, filter->id)) &&
	       (!filter->sandbox_id || !*filter->sandbox_id ||
		strcmp(unit->sandbox_id, filter->sandbox_id) == 0) &&
	       has_labels(&unit->labels, &filter->labels);
}

int oci_sandbox_list(void *self, const struct cox_call *call,
		     const struct cox_runtime_filter *filter, const struct cox_sandbox_sink *sink,
		     struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit **units;
	size_t count = oci_list_units(oci, true, NULL, &units);

	(void)call;
	(void)err;
	for (size_t i = 0; i < count; i++) {
		struct oci_unit *unit = units[i];
		struct cox_sandbox_status status = {.struct_size = sizeof(status)};
		char path[64] = "";

		pthread_mutex_lock(&oci->lock);
		oci_refresh(oci, unit);
		status.state = unit->state == COX_CONTAINER_RUNNING ? COX_SANDBOX_READY
								    : COX_SANDBOX_NOT_READY;
		status.pid = unit->state == COX_CONTAINER_RUNNING ? unit->init.pid : 0;
		pthread_mutex_unlock(&oci->lock);
		if (!matches(filter, unit, status.state))
			continue;
		if (status.pid && unit->network_mode != COX_NAMESPACE_NODE)
			snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/net", status.pid);
		status.attempt = (uint32_t)unit->attempt;
		status.network_mode = (uint32_t)unit->network_mode;
		status.id = unit->id;
		status.name = unit->name;
		status.uid = unit->uid_text;
		status.namespace_name = unit->namespace_name;
		status.runtime_handler = unit->runtime_handler;
		status.created_at = unit->created_at;
		status.network_namespace = path;
		status.cgroup_parent = unit->cgroup_parent;
		status.labels = unit->labels;
		status.annotations = unit->annotations;
		if (sink->sandbox(sink, &status) != 0)
			break;
	}
	oci_put_units(oci, units, count);
	return 0;
}

static const char *reason_of(const struct oci_unit *unit)
{
	if (unit->state != COX_CONTAINER_EXITED)
		return "";
	if (unit->end == OCI_END_OOM)
		return "OOMKilled";
	if (unit->end == OCI_END_UNKNOWN)
		return "ContainerStatusUnknown";
	if (unit->end == OCI_END_UNBORN)
		return "StartError";
	return unit->exit_code == 0 ? "Completed" : "Error";
}

int oci_container_list(void *self, const struct cox_call *call,
		       const struct cox_runtime_filter *filter,
		       const struct cox_container_sink *sink, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit **units;
	size_t count = oci_list_units(oci, false, NULL, &units);

	(void)call;
	(void)err;
	for (size_t i = 0; i < count; i++) {
		struct oci_unit *unit = units[i];
		struct cox_container_status status = {.struct_size = sizeof(status)};
		char message[sizeof(unit->message)];

		pthread_mutex_lock(&oci->lock);
		oci_refresh(oci, unit);
		status.state = (uint32_t)unit->state;
		status.exit_code = (int32_t)unit->exit_code;
		status.reason = reason_of(unit);
		memcpy(message, unit->message, sizeof(message));
		status.started_at = unit->started_at;
		status.finished_at = unit->finished_at;
		status.pid = unit->state <= COX_CONTAINER_RUNNING ? unit->init.pid : 0;
		pthread_mutex_unlock(&oci->lock);
		if (!matches(filter, unit, status.state))
			continue;
		status.attempt = (uint32_t)unit->attempt;
		status.id = unit->id;
		status.sandbox_id = unit->sandbox_id;
		status.name = unit->name;
		status.image = unit->image;
		status.image_ref = unit->image_ref;
		status.image_id = unit->image_id;
		status.message = message;
		status.log_path = unit->log_path;
		status.cgroup = unit->cgroup;
		status.created_at = unit->created_at;
		status.uid = unit->uid;
		status.gid = unit->gid;
		status.groups = unit->groups;
		status.labels = unit->labels;
		status.annotations = unit->annotations;
		if (sink->container(sink, &status) != 0)
			break;
	}
	oci_put_units(oci, units, count);
	return 0;
}

/* What a directory tree takes on disk; at most so many entries are counted. */
static void measure(int directory, uint64_t *bytes, uint64_t *inodes, int depth)
{
	DIR *entries;
	struct dirent *entry;

	if (depth > 256 || !(entries = fdopendir(directory))) {
		close(directory);
		return;
	}
	while (*inodes < 1000000 && (entry = readdir(entries))) {
		struct stat info;
		int below;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		*bytes += (uint64_t)info.st_blocks * 512;
		*inodes += 1;
		if (!S_ISDIR(info.st_mode))
			continue;
		below = openat(directory, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			measure(below, bytes, inodes, depth + 1);
	}
	closedir(entries);
}

int oci_container_stats(void *self, const struct cox_call *call,
			const struct cox_runtime_filter *filter, const struct cox_stats_sink *sink,
			struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit **units;
	size_t count = oci_list_units(oci, false, NULL, &units);

	(void)call;
	(void)err;
	for (size_t i = 0; i < count; i++) {
		struct oci_unit *unit = units[i];
		struct cox_container_stats stats = {.struct_size = sizeof(stats),
						    .id = unit->id,
						    .sandbox_id = unit->sandbox_id,
						    .name = unit->name};
		cox_autofree char *layer = NULL;
		uint32_t state;
		int fd;

		pthread_mutex_lock(&oci->lock);
		oci_refresh(oci, unit);
		state = (uint32_t)unit->state;
		pthread_mutex_unlock(&oci->lock);
		if (!matches(filter, unit, state))
			continue;
		if (state == COX_CONTAINER_RUNNING)
			oci_cgroup_stats(oci, unit->cgroup, &stats);
		stats.timestamp = (int64_t)oci->host->realtime_ns();
		layer = oci_unit_path(oci, unit, oci->overlay ? "upper" : "rootfs");
		fd = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			measure(fd, &stats.layer_bytes, &stats.layer_inodes, 0);
		if (sink->stats(sink, &stats) != 0)
			break;
	}
	oci_put_units(oci, units, count);
	return 0;
}

int oci_container_update(void *self, const struct cox_call *call, const char *id,
			 const struct cox_resources *resources, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, false, err);
	cox_autofree char *file = NULL;
	struct json_object *json;
	const char *text;
	int result;

	if (!unit)
		return -1;
	pthread_mutex_lock(&unit->op);
	file = oci_unit_path(oci, unit, "resources.json");
	json = oci_resources_json(oci, resources);
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	result = oci_write_file(oci, file, text, strlen(text), 0600, err);
	json_object_put(json);
	if (result == 0) {
		cox_autobuf errors = COX_BUF_INIT;
		int code = oci_runtime(
			oci, call, (const char *[]){"update", "--resources", file, unit->id, NULL},
			&errors, err);

		result = code > 0 ? oci_fail_output(oci, err, "change the limits", &errors) : code;
	}
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}

int oci_container_reopen_log(void *self, const struct cox_call *call, const char *id,
			     struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, false, err);
	struct stat info;
	uint64_t end = oci->host->monotonic_ns() + oci_timeout(oci, call, 10 * SECOND);
	int result;

	if (!unit)
		return -1;
	/* conmon's word for it: kind 2, two numbers that say nothing. */
	result = oci_control(oci, unit, "2 0 0\n", err);
	while (result == 0 && stat(unit->log_path, &info) != 0) {
		if (oci->host->monotonic_ns() >= end)
			result = oci->host->fail(err, COX_REASON_TIMEOUT,
						 "conmon does not open %s again", unit->log_path);
		else
			(void)oci_wait_exit(oci, call, unit, 5000000);
	}
	oci_put_unit(oci, unit);
	return result;
}
