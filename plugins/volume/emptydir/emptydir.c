/* SPDX-License-Identifier: Apache-2.0 */
/* The emptyDir volume: a directory that lives as long as its pod. */
#include "../common/common.h"

#include <coxswain/kit/quantity.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int emptydir_recognise(void *self, const struct cox_objects *objects,
			      const struct cox_value *source)
{
	(void)self;
	return objects->get(source, "emptyDir") != NULL;
}

/* The whole bytes of sizeLimit; 0: none is set. */
static uint64_t size_limit(const struct cox_volume *volume)
{
	const char *text = volume->objects->text(volume->source, "emptyDir.sizeLimit");
	struct cox_quantity limit;
	int64_t bytes;

	if (!*text || cox_quantity_parse(text, strlen(text), &limit, NULL))
		return 0;
	bytes = cox_quantity_units(&limit);
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static int emptydir_set_up(void *self, const struct cox_call *call, const struct cox_volume *volume,
			   struct cox_volume_result *result, struct cox_error *err)
{
	const struct volume_plain *plain = self;
	const char *medium = volume->objects->text(volume->source, "emptyDir.medium");
	const char *path = volume->directory;
	cox_autoclose int fd = -1;

	(void)call;
	(void)result;
	if (!strcmp(medium, "Memory")) {
		if (volume_mount_tmpfs(plain->host, path, size_limit(volume), 0777, err))
			return -1;
	} else if (*medium) {
		return plain->host->fail(err, COX_REASON_INVALID,
					 "storage medium \"%s\" is not supported", medium);
	} else if (mkdir(path, 0777) != 0 && errno != EEXIST) {
		return volume_fail(plain->host, err, "create", path);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 ||
	    (volume->fs_group >= 0 && fchown(fd, (uid_t)-1, (gid_t)volume->fs_group) != 0) ||
	    fchmod(fd, volume->fs_group >= 0 ? 02777 : 0777) != 0)
		return volume_fail(plain->host, err, "change the mode of", path);
	return 0;
}

static const struct cox_volume_ops emptydir_ops = {
	.recognise = emptydir_recognise,
	.set_up = emptydir_set_up,
	.tear_down = volume_tear_down,
	.release = volume_release,
};

COX_VOLUME_PLUGIN(emptydir_ops, .name = "emptydir", .version = COX_RELEASE,
		  .description = "a directory that lives as long as its pod",
		  .thread_model = COX_THREADS_PARALLEL, .create = volume_plain_create,
		  .destroy = volume_plain_destroy);
