/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local volume: a directory of one machine that a persistent volume names.
 * It has to be there: the volume's data is what it is for. With an fsGroup all
 * that lies in it becomes the group's, as far as it is not already.
 */
#include "../common/common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 256 }; /* of directories: each keeps one descriptor open */

static int local_recognise(void *self, const struct cox_objects *objects,
			   const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "local") != NULL;
}

/* ---- fsGroup ---- */

static mode_t group_mode(const struct stat *facts)
{
	mode_t mode = (facts->st_mode & 07777) | 0660;

	return S_ISDIR(facts->st_mode) ? mode | S_ISGID | 0110 : mode;
}

static bool is_the_groups(const struct stat *facts, gid_t group)
{
	return facts->st_gid == group && (facts->st_mode & 07777) == group_mode(facts);
}

/* The owner first: changing it takes the set-group-id bit away. */
static int give(int parent, const char *name, const struct stat *facts, gid_t group)
{
	if (fchownat(parent, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (S_ISLNK(facts->st_mode))
		return 0;
	/* Whoever has the volume too could put a link in its place. */
	return fchmodat(parent, name, group_mode(facts), AT_SYMLINK_NOFOLLOW);
}

static int give_all(int fd, gid_t group, unsigned depth);

/* `fd` is consumed; errno tells why it failed. */
static int give_entries(int fd, gid_t group, unsigned depth)
{
	DIR *list = fdopendir(fd);
	const struct dirent *entry;
	int failed = 0, number, inner;
	struct stat facts;

	if (!list) {
		number = errno;
		close(fd);
		errno = number;
		return -1;
	}
	while (!failed && (errno = 0, entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(fd, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
			failed = errno == ENOENT ? 0 : -1; /* it went meanwhile */
			continue;
		}
		if (!S_ISDIR(facts.st_mode)) {
			if (!is_the_groups(&facts, group) || S_ISLNK(facts.st_mode))
				failed = give(fd, entry->d_name, &facts, group);
			continue;
		}
		inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		failed = inner < 0 ? -1 : give_all(inner, group, depth + 1);
	}
	if (!failed && errno)
		failed = -1;
	number = errno;
	closedir(list);
	errno = number;
	return failed;
}

/* A directory and all below; the directory itself last, so that it tells whether all is done. */
static int give_all(int fd, gid_t group, unsigned depth)
{
	cox_autoclose int self = fd;
	int content = -1;
	struct stat facts;

	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	content = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (content < 0 || give_entries(content, group, depth) || fstat(self, &facts) != 0)
		return -1;
	if (is_the_groups(&facts, group))
		return 0;
	return fchown(self, (uid_t)-1, group) == 0 ? fchmod(self, group_mode(&facts)) : -1;
}

static int apply_group(const struct volume_plain *plain, const struct cox_volume *volume,
		       const char *path, const struct stat *facts, struct cox_error *err)
{
	const char *policy = volume->objects->text(volume->objects->root(volume->pod),
						   "spec.securityContext.fsGroupChangePolicy");
	gid_t group = (gid_t)volume->fs_group;
	int fd;

	if (!strcmp(policy, "OnRootMismatch") && is_the_groups(facts, group))
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || give_all(fd, group, 0))
		return volume_fail(plain->host, err, "change the group of", path);
	return 0;
}

/* ---- the volume ---- */

static int local_set_up(void *self, const struct cox_call *call, const struct cox_volume *volume,
			struct cox_volume_result *result, struct cox_error *err)
{
	const struct volume_plain *plain = self;
	const char *path = volume->objects->text(volume->source, "local.path");
	struct stat facts;

	(void)call;
	if (*path != '/' || strlen(path) >= sizeof(result->path))
		return plain->host->fail(err, COX_REASON_INVALID,
					 "the path \"%s\" of a local volume is not absolute", path);
	if (stat(path, &facts) != 0)
		return errno == ENOENT ? plain->host->fail(err, COX_REASON_NOT_FOUND,
							   "path \"%s\" does not exist", path)
				       : volume_fail(plain->host, err, "look at", path);
	if (!S_ISDIR(facts.st_mode))
		return plain->host->fail(err, COX_REASON_INVALID,
					 "path \"%s\" is not a directory: of local volumes only "
					 "directories can be mounted",
					 path);
	if (volume->fs_group >= 0 && apply_group(plain, volume, path, &facts, err))
		return -1;
	memcpy(result->path, path, strlen(path) + 1);
	return 0;
}

static const struct cox_volume_ops local_ops = {
	.recognise = local_recognise,
	.set_up = local_set_up,
	.tear_down = volume_tear_down,
};

COX_VOLUME_PLUGIN(local_ops, .name = "local", .version = COX_RELEASE,
		  .description = "a directory of one machine, of a persistent volume",
		  .thread_model = COX_THREADS_PARALLEL, .create = volume_plain_create,
		  .destroy = volume_plain_destroy);
