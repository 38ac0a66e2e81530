/* SPDX-License-Identifier: Apache-2.0 */
/* The files of logs: N.log, and N.log.TIME for those that were full; see the header. */
#include "kubelet/logs.h"

#include "base/log.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <coxswain/kit/vec.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct files {
	COX_VEC(char *) names;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->names.count; i++)
		free(files->names.items[i]);
	cox_vec_free(&files->names);
}

/* The directory of `path`, and in it the full files of this log, oldest first; -1: neither. */
static int find_full(const char *path, struct files *files)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cox_autofree char *directory = cox_strndup(path, slash ? (size_t)(slash - path) : 0);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	size_t size = strlen(name);

	if (!list) {
		if (copy >= 0)
			close(copy);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(list)))
		if (cox_starts_with(entry->d_name, name) && entry->d_name[size] == '.')
			cox_vec_push(&files->names, cox_strdup(entry->d_name));
	closedir(list);
	if (files->names.count)
		qsort(files->names.items, files->names.count, sizeof(*files->names.items), by_name);
	return fd;
}

void logs_keep(const char *path, size_t count)
{
	struct files files = {0};
	cox_autoclose int directory = find_full(path, &files);

	for (size_t i = 0; directory >= 0 && i + count < files.names.count; i++)
		if (unlinkat(directory, files.names.items[i], 0) != 0)
			log_warning("remove %s of %s: %s", files.names.items[i], path,
				    strerror(errno));
	files_free(&files);
}

void logs_remove(const char *path)
{
	if (!*path)
		return;
	logs_keep(path, 0);
	if (unlink(path) != 0 && errno != ENOENT)
		log_warning("remove %s: %s", path, strerror(errno));
}

/* Two levels are all that a pod has; what is deeper is not ours and stays. */
static void remove_below(int parent, const char *name, unsigned levels)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!list) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(list), entry->d_name, 0) != 0 && levels)
			remove_below(dirfd(list), entry->d_name, levels - 1);
	}
	closedir(list);
	if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		log_warning("remove the logs in %s: %s", name, strerror(errno));
}

void logs_remove_pod(const char *directory)
{
	remove_below(AT_FDCWD, directory, 1);
}
