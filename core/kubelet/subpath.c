/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subPath without a way out: the container may own the volume and swap links
 * while we look, so the kernel walks the path, by openat2 below the volume's
 * descriptor (CVE-2017-1002101, CVE-2021-25741), and what is mounted is the
 * descriptor, not a name. Links are followed as far as they stay inside: every
 * key of a ConfigMap is one.
 */
#include "kubelet/volumes.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/cleanup.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STEPS_MAX = 1000, RACES_MAX = 1000 };

/* EAGAIN: something was renamed meanwhile, and the kernel could not be sure. */
static int open_below(int directory, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd, tries = 0;

	do
		fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++tries < RACES_MAX);
	return fd;
}

static int check_steps(const char *path, struct cox_error *err)
{
	for (int steps = 0; *path; steps++) {
		size_t size = strcspn(path, "/");

		if (size > NAME_MAX || steps == STEPS_MAX)
			return error_set(err, COX_REASON_INVALID, "a name in subPath is too long");
		if (size == 2 && path[0] == '.' && path[1] == '.')
			return error_set(err, COX_REASON_INVALID,
					 "subPath must not contain \"..\"");
		path += size + (path[size] == '/');
	}
	return 0;
}

/* Makes the directories of `path` that are not there; each below the one before. */
static int make_below(int root, const char *path)
{
	cox_autofree char *prefix = cox_strdup(path);
	cox_autoclose int parent = open_below(root, ".");

	for (char *at = prefix; parent >= 0; at++) {
		char *step = at, kept;
		int next;

		at += strcspn(at, "/");
		kept = *at;
		*at = '\0';
		if (*step && strcmp(step, ".") != 0) {
			next = open_below(root, prefix);
			if (next < 0 && errno == ENOENT &&
			    (mkdirat(parent, step, 0750) == 0 || errno == EEXIST))
				next = open_below(root, prefix);
			if (next < 0)
				return -1;
			close(parent);
			parent = next;
		}
		*at = kept;
		if (!kept)
			break;
	}
	return parent >= 0 ? 0 : -1;
}

int subpath_open(const char *root, const char *path, struct cox_error *err)
{
	cox_autoclose int at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cox_autobuf below = COX_BUF_INIT;
	int fd;

	if (at < 0)
		return error_errno(err, errno, "open %s", root);
	if (check_steps(path, err))
		return -1;
	/* What looks absolute is meant below the volume. */
	cox_buf_printf(&below, "./%s", path + strspn(path, "/"));
	fd = open_below(at, below.data);
	if (fd < 0 && errno == ENOENT && make_below(at, below.data) == 0)
		fd = open_below(at, below.data);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return error_set(err, COX_REASON_FORBIDDEN,
				 "subPath \"%s\" leads out of the volume", path);
	if (fd < 0)
		return error_errno(err, errno, "open subPath \"%s\" below %s", path, root);
	return fd;
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
