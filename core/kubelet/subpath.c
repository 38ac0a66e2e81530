/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subPath without a way out: the container may own the volume and swap links
 * while we look, so every step is an openat2 below the volume's descriptor
 * that follows no link (CVE-2017-1002101, CVE-2021-25741), and what is mounted
 * is the descriptor, not a name.
 */
#include "kubelet/volumes.h"

#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_below(int directory, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

int subpath_open(const char *root, const char *path, struct cox_error *err)
{
	cox_autoclose int at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char step[256];

	if (at < 0)
		return error_errno(err, errno, "open %s", root);
	while (*path) {
		size_t size = strcspn(path, "/");
		int next;

		if (size >= sizeof(step))
			return error_set(err, COX_REASON_INVALID, "a name in subPath is too long");
		memcpy(step, path, size);
		step[size] = '\0';
		path += size + (path[size] == '/');
		if (!size || !strcmp(step, "."))
			continue;
		if (!strcmp(step, ".."))
			return error_set(err, COX_REASON_INVALID,
					 "subPath must not contain \"..\"");
		next = open_below(at, step);
		if (next < 0 && errno == ENOENT &&
		    (mkdirat(at, step, 0750) == 0 || errno == EEXIST))
			next = open_below(at, step);
		if (next < 0)
			return error_errno(err, errno, "open \"%s\" of subPath below %s", step,
					   root);
		close(at);
		at = next;
	}
	return cox_steal_fd(&at);
}

/* A file or directory of the same kind, to mount over. */
static int make_target(const char *target, const struct stat *kind, struct cox_error *err)
{
	cox_autobuf parent = COX_BUF_INIT;

	cox_buf_add(&parent, target, (size_t)(strrchr(target, '/') - target));
	if (volumes_make_directory(parent.data, 0750, err))
		return -1;
	if (S_ISDIR(kind->st_mode)) {
		if (mkdir(target, 0750) != 0 && errno != EEXIST)
			return error_errno(err, errno, "create %s", target);
	} else {
		cox_autoclose int fd =
			open(target, O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0640);

		if (fd < 0)
			return error_errno(err, errno, "create %s", target);
	}
	return 0;
}

int subpath_mount(const char *volume, const char *sub_path, const char *target,
		  struct cox_error *err)
{
	cox_autoclose int fd = subpath_open(volume, sub_path, err);
	char source[64];
	struct stat kind;

	if (fd < 0)
		return -1;
	if (fstat(fd, &kind) != 0)
		return error_errno(err, errno, "look at subPath \"%s\"", sub_path);
	if (make_target(target, &kind, err))
		return -1;
	/* One of an earlier container of the same name. */
	while (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0)
		return error_errno(err, errno, "mount subPath \"%s\" on %s", sub_path, target);
	return 0;
}

int subpath_unmount_all(const char *directory, struct cox_error *err)
{
	DIR *list = opendir(directory);
	const struct dirent *entry;
	int failed = 0;

	if (!list && errno == ENOTDIR)
		return 0;
	if (!list)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open %s", directory);
	while (!failed && (entry = readdir(list))) {
		cox_autobuf path = COX_BUF_INIT;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		cox_buf_printf(&path, "%s/%s", directory, entry->d_name);
		while (umount2(path.data, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			;
		if (unlink(path.data) == 0 || errno == ENOENT)
			continue;
		failed = subpath_unmount_all(path.data, err);
		if (!failed && rmdir(path.data) != 0 && errno != ENOENT)
			failed = error_errno(err, errno, "remove %s", path.data);
	}
	closedir(list);
	return failed;
}
