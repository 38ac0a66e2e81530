/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies the layers of an image together into one directory, for file systems
 * on which overlayfs does not work. Works on descriptors only and follows no
 * link; both sides are private to root while it runs.
 */
#include "helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_DEPTH 512

static void remove_entry(int directory, const char *name, int depth);

static void clear_directory(int directory, int depth)
{
	DIR *entries = fdopendir(dup(directory));
	struct dirent *entry;

	if (!entries || depth > MAX_DEPTH)
		die("read a directory: %s", strerror(entries ? ELOOP : errno));
	rewinddir(entries);
	while ((entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(directory, entry->d_name, depth + 1);
	closedir(entries);
}

static void remove_entry(int directory, const char *name, int depth)
{
	int fd;

	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		die("remove %s: %s", name, strerror(errno));
	clear_directory(fd, depth);
	close(fd);
	if (unlinkat(directory, name, AT_REMOVEDIR) != 0)
		die("remove %s: %s", name, strerror(errno));
}

static void copy_attributes(int from, int to, const char *name)
{
	char names[65536], value[65536];
	ssize_t size = flistxattr(from, names, sizeof(names));

	for (char *at = names; size > 0 && at < names + size; at += strlen(at) + 1) {
		ssize_t length;

		if (strncmp(at, "user.overlay.", 13) == 0 ||
		    (strncmp(at, "user.", 5) != 0 && strcmp(at, "security.capability") != 0))
			continue;
		length = fgetxattr(from, at, value, sizeof(value));
		if (length < 0 || fsetxattr(to, at, value, (size_t)length, 0) != 0)
			die("copy attribute %s of %s: %s", at, name, strerror(errno));
	}
}

static void copy_file(int from, int to, const char *name, const struct stat *info)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t moved;

	if (in < 0 || out < 0)
		die("copy %s: %s", name, strerror(errno));
	while ((moved = sendfile(out, in, NULL, 1 << 30)) > 0)
		continue;
	if (moved < 0 || fchown(out, info->st_uid, info->st_gid) != 0 ||
	    fchmod(out, info->st_mode & 07777) != 0)
		die("copy %s: %s", name, strerror(errno));
	copy_attributes(in, out, name); /* after chown, which clears capabilities */
	close(in);
	close(out);
}

static void copy_other(int from, int to, const char *name, const struct stat *info)
{
	char target[4097];
	ssize_t size;

	if (S_ISLNK(info->st_mode)) {
		size = readlinkat(from, name, target, sizeof(target) - 1);
		if (size < 0)
			die("copy %s: %s", name, strerror(errno));
		target[size] = '\0';
		if (symlinkat(target, to, name) != 0)
			die("copy %s: %s", name, strerror(errno));
	} else if (mknodat(to, name, info->st_mode, info->st_rdev) != 0) {
		die("copy %s: %s", name, strerror(errno));
	}
	if (fchownat(to, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
		die("copy %s: %s", name, strerror(errno));
}

static void copy_directory(int from, int to, int depth)
{
	DIR *entries = fdopendir(dup(from));
	struct dirent *entry;
	char opaque;

	if (!entries || depth > MAX_DEPTH)
		die("read a directory: %s", strerror(entries ? ELOOP : errno));
	if (fgetxattr(from, "user.overlay.opaque", &opaque, 1) == 1 && opaque == 'y')
		clear_directory(to, depth);
	while ((entry = readdir(entries))) {
		const char *name = entry->d_name;
		struct stat info, old;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
			die("copy %s: %s", name, strerror(errno));
		if (!S_ISDIR(info.st_mode) ||
		    (fstatat(to, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(old.st_mode)))
			remove_entry(to, name, depth);
		if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0)) {
			continue; /* a whiteout: removed above */
		} else if (S_ISDIR(info.st_mode)) {
			int in, out;

			if (mkdirat(to, name, 0700) != 0 && errno != EEXIST)
				die("copy %s: %s", name, strerror(errno));
			in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (in < 0 || out < 0)
				die("copy %s: %s", name, strerror(errno));
			copy_directory(in, out, depth + 1);
			if (fchown(out, info.st_uid, info.st_gid) != 0 ||
			    fchmod(out, info.st_mode & 07777) != 0)
				die("copy %s: %s", name, strerror(errno));
			close(in);
			close(out);
		} else if (S_ISREG(info.st_mode)) {
			copy_file(from, to, name, &info);
		} else {
			copy_other(from, to, name, &info);
		}
	}
	closedir(entries);
}

void helper_copy(const char *layers, const char *target, const char *names)
{
	int base = open(layers, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t end = strlen(names);

	if (base < 0 || to < 0)
		die("copy to %s: %s", target, strerror(errno));
	/* The lowest layer is the last name. */
	while (end > 0) {
		size_t start = end;
		char name[256];
		struct stat info;
		int from;

		while (start > 0 && names[start - 1] != ':')
			start--;
		snprintf(name, sizeof(name), "%.*s", (int)(end - start), names + start);
		from = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (from < 0 || fstat(from, &info) != 0)
			die("layer %s: %s", name, strerror(errno));
		copy_directory(from, to, 0);
		if (fchown(to, info.st_uid, info.st_gid) != 0 ||
		    fchmod(to, info.st_mode & 07777) != 0)
			die("layer %s: %s", name, strerror(errno));
		close(from);
		end = start > 0 ? start - 1 : 0;
	}
}
