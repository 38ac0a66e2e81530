/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups: which hierarchies there are (v1, v2, or v1 with a v2 mount
 * beside, called hybrid), moving a process into one path of all of them,
 * cleaning up, and reading what a container uses. Limits are the OCI runtime's
 * work.
 */
#include "oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

bool oci_path_is_plain(const char *path)
{
	if (*path != '/')
		return false;
	while (*path) {
		size_t length = strcspn(++path, "/");

		if ((length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += length;
	}
	return true;
}

static bool has_word(const char *list, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += size)
		if ((at == list || at[-1] == ',') && (at[size] == ',' || !at[size]))
			return true;
	return false;
}

int oci_cgroup_find(struct oci *oci, struct cox_error *err)
{
	cox_autofree char *text = oci_read_file("/proc/self/mountinfo", 1 << 20, NULL);
	char *lines = text;

	for (char *line; (line = oci_next_line(&lines));) {
		char mount[256], root[256], type[32], options[512];
		const char *rest = strstr(line, " - ");
		struct oci_hierarchy found = {0};

		if (!rest || sscanf(line, "%*s %*s %*s %255s %255s", root, mount) != 2 ||
		    sscanf(rest, " - %31s %*s %511s", type, options) != 2 ||
		    strncmp(type, "cgroup", 6) != 0 || strcmp(root, "/") != 0)
			continue;
		found.v2 = strcmp(type, "cgroup2") == 0;
		found.cpuset = has_word(options, "cpuset");
		found.memory = found.v2 || has_word(options, "memory");
		found.cpuacct = found.v2 || has_word(options, "cpuacct");
		found.pids = found.v2 || has_word(options, "pids");
		found.mount = cox_strdup(mount);
		cox_vec_push(&oci->hierarchies, found);
	}
	if (oci->hierarchies.count == 0)
		return oci->host->fail(
			err, COX_REASON_INTERNAL_ERROR,
			"no cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup");
	oci->cgroup_version = oci->hierarchies.count == 1 && oci->hierarchies.items[0].v2 ? 2 : 1;
	return 0;
}

/* A v1 cpuset takes no process before it has CPUs and memory nodes. */
static void inherit_cpuset(const char *directory, const char *file)
{
	cox_autofree char *mine = oci_format("%s/%s", directory, file);
	cox_autofree char *parents = oci_format("%s/../%s", directory, file);
	cox_autofree char *present = oci_read_file(mine, 4096, NULL);
	cox_autofree char *value = NULL;

	if (!present || (*present && *present != '\n'))
		return;
	value = oci_read_file(parents, 4096, NULL);
	if (value) {
		cox_autoclose int fd = open(mine, O_WRONLY | O_CLOEXEC);

		/* A failure shows when the process is moved. */
		if (fd >= 0 && write(fd, value, strlen(value)) < 0)
			return;
	}
}

static int make_group(struct oci *oci, const struct oci_hierarchy *hierarchy, const char *path,
		      struct cox_error *err)
{
	cox_autofree char *full = oci_format("%s%s", hierarchy->mount, path);

	for (char *at = full + strlen(hierarchy->mount) + 1;; at++) {
		char kept = *at;

		if (kept != '/' && kept)
			continue;
		*at = '\0';
		if (mkdir(full, 0755) != 0 && errno != EEXIST)
			return oci_fail_errno(oci, err, "create cgroup %s", full);
		if (hierarchy->cpuset && !hierarchy->v2) {
			inherit_cpuset(full, "cpuset.cpus");
			inherit_cpuset(full, "cpuset.mems");
		}
		if (!kept)
			return 0;
		*at = kept;
	}
}

int oci_cgroup_add(struct oci *oci, const char *path, int64_t pid, struct cox_error *err)
{
	for (size_t i = 0; i < oci->hierarchies.count; i++) {
		const struct oci_hierarchy *hierarchy = &oci->hierarchies.items[i];
		cox_autofree char *file = oci_format("%s%s/cgroup.procs", hierarchy->mount, path);
		cox_autoclose int fd = -1;

		if (make_group(oci, hierarchy, path, err) != 0)
			return -1;
		fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || dprintf(fd, "%" PRId64, pid) < 0)
			return oci_fail_errno(oci, err, "move process %" PRId64 " to %s", pid,
					      file);
	}
	return 0;
}

static void kill_group(const char *directory)
{
	cox_autofree char *path = oci_format("%s/cgroup.procs", directory);
	cox_autofree char *text = oci_read_file(path, 1 << 20, NULL);
	char *lines = text;

	for (char *line; (line = oci_next_line(&lines));) {
		long pid = strtol(line, NULL, 10);

		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
	}
}

/* Groups that the container made below go first. */
static void remove_group(const char *directory, bool killing, int depth)
{
	DIR *entries = depth < 16 ? opendir(directory) : NULL;
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		cox_autofree char *below = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		below = oci_format("%s/%s", directory, entry->d_name);
		remove_group(below, killing, depth + 1);
	}
	if (entries)
		closedir(entries);
	if (killing)
		kill_group(directory);
	else
		rmdir(directory);
}

void oci_cgroup_kill(struct oci *oci, const char *path)
{
	if (strlen(path) < 2)
		return;
	for (size_t i = 0; i < oci->hierarchies.count; i++) {
		cox_autofree char *full = oci_format("%s%s", oci->hierarchies.items[i].mount, path);

		remove_group(full, true, 0);
	}
}

void oci_cgroup_remove(struct oci *oci, const char *path)
{
	if (strlen(path) < 2)
		return;
	for (size_t i = 0; i < oci->hierarchies.count; i++) {
		cox_autofree char *full = oci_format("%s%s", oci->hierarchies.items[i].mount, path);

		/* A process that has just ended keeps its group for a moment. */
		for (int tries = 0; tries < 100; tries++) {
			remove_group(full, false, 0);
			if (access(full, F_OK) != 0)
				break;
			poll(NULL, 0, 5);
		}
	}
}

static uint64_t read_number(const char *mount, const char *path, const char *file)
{
	cox_autofree char *full = oci_format("%s%s/%s", mount, path, file);
	cox_autofree char *text = oci_read_file(full, 4096, NULL);

	return text ? strtoull(text, NULL, 10) : 0;
}

static uint64_t read_key(const char *mount, const char *path, const char *file, const char *key)
{
	cox_autofree char *full = oci_format("%s%s/%s", mount, path, file);
	cox_autofree char *text = oci_read_file(full, 65536, NULL);
	size_t size = strlen(key);

	for (const char *at = text; at && *at;) {
		if (strncmp(at, key, size) == 0 && at[size] == ' ')
			return strtoull(at + size + 1, NULL, 10);
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return 0;
}

static void memory_stats(const struct oci_hierarchy *at, const char *path,
			 struct cox_container_stats *out)
{
	uint64_t inactive = read_key(at->mount, path, "memory.stat",
				     at->v2 ? "inactive_file" : "total_inactive_file");

	out->memory_usage =
		read_number(at->mount, path, at->v2 ? "memory.current" : "memory.usage_in_bytes");
	out->memory_working_set = out->memory_usage > inactive ? out->memory_usage - inactive : 0;
	out->memory_rss = read_key(at->mount, path, "memory.stat", at->v2 ? "anon" : "total_rss");
	out->page_faults =
		read_key(at->mount, path, "memory.stat", at->v2 ? "pgfault" : "total_pgfault");
	out->major_page_faults = read_key(at->mount, path, "memory.stat",
					  at->v2 ? "pgmajfault" : "total_pgmajfault");
}

void oci_cgroup_stats(struct oci *oci, const char *path, struct cox_container_stats *out)
{
	for (size_t i = 0; i < oci->hierarchies.count; i++) {
		const struct oci_hierarchy *at = &oci->hierarchies.items[i];

		/* In a hybrid host the controllers are the v1 ones. */
		if (at->v2 && oci->cgroup_version != 2)
			continue;
		if (at->memory)
			memory_stats(at, path, out);
		if (at->cpuacct)
			out->cpu_nanoseconds =
				at->v2 ? read_key(at->mount, path, "cpu.stat", "usage_usec") * 1000
				       : read_number(at->mount, path, "cpuacct.usage");
		if (at->pids)
			out->processes = read_number(at->mount, path, "pids.current");
	}
}

void oci_cgroup_prune(struct oci *oci, const char *path)
{
	for (size_t i = 0; i < oci->hierarchies.count && strlen(path) > 1; i++) {
		cox_autofree char *full = oci_format("%s%s", oci->hierarchies.items[i].mount, path);

		rmdir(full);
	}
}
