/* SPDX-License-Identifier: Apache-2.0 */
/* The hostPath volume: a file or directory of the machine itself. */
#include "../common/common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int hostpath_recognise(void *self, const struct cox_objects *objects,
			      const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "hostPath") != NULL;
}

/* The types that a path may be asked to be, and how people say them. */
static const struct type {
	const char *name, *text;
	mode_t format;
} types[] = {{"Directory", "directory", S_IFDIR},
	     {"DirectoryOrCreate", "directory", S_IFDIR},
	     {"File", "file", S_IFREG},
	     {"FileOrCreate", "file", S_IFREG},
	     {"Socket", "socket file", S_IFSOCK},
	     {"CharDevice", "character device", S_IFCHR},
	     {"BlockDevice", "block device", S_IFBLK}};

static const struct type *find_type(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

static int refuse_type(const struct volume_plain *plain, const char *path, const char *name,
		       enum cox_reason reason, struct cox_error *err)
{
	const struct type *type = find_type(name);

	return plain->host->fail(err, reason, "hostPath type check failed: %s is not a %s", path,
				 type ? type->text : name);
}

static bool type_is(const char *name, mode_t mode)
{
	const struct type *type = find_type(name);

	return type && (mode & S_IFMT) == type->format;
}

/* With its parents, as DirectoryOrCreate promises. */
static int make_directory(const char *path)
{
	cox_autofree char *copy = cox_strdup(path);

	for (char *at = copy + 1;; at++) {
		char kept = *at;

		if (kept && kept != '/')
			continue;
		*at = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return -1;
		*at = kept;
		if (!kept)
			return 0;
	}
}

static int make_file(const char *path)
{
	cox_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : 0;
}

static int hostpath_set_up(void *self, const struct cox_call *call, const struct cox_volume *volume,
			   struct cox_volume_result *result, struct cox_error *err)
{
	const struct volume_plain *plain = self;
	const char *path = volume->objects->text(volume->source, "hostPath.path");
	const char *type = volume->objects->text(volume->source, "hostPath.type");
	struct stat facts;

	(void)call;
	if (*path != '/' || strlen(path) >= sizeof(result->path))
		return plain->host->fail(err, COX_REASON_INVALID,
					 "hostPath \"%s\" is not an absolute path", path);
	if (stat(path, &facts) != 0) {
		if (errno != ENOENT)
			return volume_fail(plain->host, err, "look at", path);
		/* Without a type a directory is made, as it always was. */
		if ((!*type || !strcmp(type, "DirectoryOrCreate")) && make_directory(path) != 0)
			return volume_fail(plain->host, err, "create", path);
		if (!strcmp(type, "FileOrCreate") && make_file(path) != 0)
			return volume_fail(plain->host, err, "create", path);
		if (stat(path, &facts) != 0)
			return refuse_type(plain, path, type, COX_REASON_NOT_FOUND, err);
	}
	if (*type && !type_is(type, facts.st_mode))
		return refuse_type(plain, path, type, COX_REASON_INVALID, err);
	memcpy(result->path, path, strlen(path) + 1);
	return 0;
}

static const struct cox_volume_ops hostpath_ops = {
	.recognise = hostpath_recognise,
	.set_up = hostpath_set_up,
	.tear_down = volume_tear_down,
};

COX_VOLUME_PLUGIN(hostpath_ops, .name = "hostpath", .version = COX_RELEASE,
		  .description = "a file or directory of the machine itself",
		  .thread_model = COX_THREADS_PARALLEL, .create = volume_plain_create,
		  .destroy = volume_plain_destroy);
