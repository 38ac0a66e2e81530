/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and removal. */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void *volume_plain_create(const struct cox_host *host, struct cox_error *err)
{
	struct volume_plain *plain = cox_new(struct volume_plain);

	(void)err;
	plain->host = host;
	return plain;
}

void volume_plain_destroy(void *self)
{
	free(self);
}

int volume_fail(const struct cox_host *host, struct cox_error *err, const char *what,
		const char *path)
{
	int number = errno;

	return host->fail(err, COX_REASON_INTERNAL_ERROR, "%s %s: %s", what, path,
			  strerror(number));
}

int volume_is_mounted(const char *directory)
{
	cox_autobuf parent = COX_BUF_INIT;
	struct stat inside, outside;

	cox_buf_printf(&parent, "%s/..", directory);
	return lstat(directory, &inside) == 0 && stat(parent.data, &outside) == 0 &&
	       inside.st_dev != outside.st_dev;
}

int volume_mount_tmpfs(const struct cox_host *host, const char *directory, uint64_t size,
		       uint32_t mode, struct cox_error *err)
{
	char options[96];

	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return volume_fail(host, err, "create", directory);
	if (volume_is_mounted(directory))
		return 0;
	if (size)
		snprintf(options, sizeof(options), "mode=%o,size=%llu", mode,
			 (unsigned long long)size);
	else
		snprintf(options, sizeof(options), "mode=%o", mode);
	if (mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
		return volume_fail(host, err, "mount a tmpfs on", directory);
	return 0;
}

/*
 * Everything below an open directory, by descriptors, so that a link that a
 * container left leads nowhere; and never onto another file system.
 */
static int remove_below(int directory, dev_t device)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int failed = 0;

	if (!list) {
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (!failed && (entry = readdir(list))) {
		cox_autoclose int below = -1;
		struct stat facts;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(directory, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		below = openat(directory, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0 || fstat(below, &facts) != 0) {
			failed = -1;
		} else if (facts.st_dev != device) {
			errno = EBUSY;
			failed = -1;
		} else {
			failed = remove_below(below, device);
			if (!failed)
				failed = unlinkat(directory, entry->d_name, AT_REMOVEDIR);
		}
	}
	closedir(list);
	return failed;
}

int volume_always(void *self)
{
	(void)self;
	return 1;
}

int volume_release(void *self, const struct cox_call *call, const char *directory,
		   struct cox_error *err)
{
	const struct volume_plain *plain = self;

	(void)call;
	while (umount2(directory, UMOUNT_NOFOLLOW) == 0)
		;
	if (errno == EBUSY && umount2(directory, UMOUNT_NOFOLLOW | MNT_DETACH) != 0)
		return volume_fail(plain->host, err, "unmount", directory);
	return 0;
}

int volume_tear_down(void *self, const struct cox_call *call, const char *directory,
		     struct cox_error *err)
{
	const struct volume_plain *plain = self;
	cox_autoclose int fd = -1;
	struct stat facts;

	if (volume_release(self, call, directory, err))
		return -1;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &facts) != 0 || remove_below(fd, facts.st_dev) != 0 ||
	    rmdir(directory) != 0)
		return volume_fail(plain->host, err, "remove", directory);
	return 0;
}
