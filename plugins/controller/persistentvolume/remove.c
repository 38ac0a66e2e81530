/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes the directory of a hostPath volume. Only below /tmp, and every step
 * of the way is opened without following links, so that nobody can lead it
 * elsewhere.
 */
#include "persistentvolume.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE "/tmp/"

enum { DEPTH_MAX = 256 }; /* of directories: each keeps one descriptor open */

bool remove_is_allowed(const char *path)
{
	if (strncmp(path, PLACE, strlen(PLACE)) != 0)
		return false;
	path += strlen(PLACE);
	if (!path[strspn(path, "/")])
		return false;
	for (const char *at = path; *at;) {
		size_t size = strcspn(at, "/");

		if (size == 2 && !strncmp(at, "..", 2))
			return false;
		at += size;
		at += strspn(at, "/");
	}
	return true;
}

static int remove_entry(int parent, const char *name, unsigned depth);

static int remove_content(int fd, unsigned depth)
{
	DIR *list = fdopendir(fd);
	const struct dirent *entry;
	int failed = 0, number;

	if (!list) {
		number = errno;
		close(fd);
		errno = number;
		return -1;
	}
	while (!failed && (errno = 0, entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed = remove_entry(dirfd(list), entry->d_name, depth + 1);
	}
	if (!failed && errno)
		failed = -1;
	number = errno;
	closedir(list);
	errno = number;
	return failed;
}

static int remove_entry(int parent, const char *name, unsigned depth)
{
	int fd;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || remove_content(fd, depth))
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int remove_below_tmp(const char *path)
{
	cox_autofree char *copy = cox_strdup(path + strlen(PLACE));
	cox_autoclose int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL, *name = strtok_r(copy, "/", &save), *next;

	while (parent >= 0 && name && (next = strtok_r(NULL, "/", &save))) {
		int inner = strcmp(name, ".") != 0
				    ? openat(parent, name,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				    : dup(parent);
		int number = errno;

		close(parent);
		parent = inner;
		errno = number;
		name = next;
	}
	if (parent < 0)
		return errno == ENOENT ? 0 : -1;
	return remove_entry(parent, name, 0);
}
