/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of small files that changes all at once; see common.h. */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool path_is_good(const char *path)
{
	if (!*path || *path == '/' || strlen(path) > 4000 || !strncmp(path, "..", 2))
		return false;
	for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/') {
		size_t size = strcspn(at, "/");

		if (!size || size > 255 || (size == 2 && !strncmp(at, "..", 2)) ||
		    (size == 1 && *at == '.'))
			return false;
	}
	return path[strlen(path) - 1] != '/';
}

int volume_add(struct volume_pass *pass, const char *path, const void *data, size_t size,
	       int64_t mode, struct cox_error *err)
{
	struct volume_file file = {.mode = (uint32_t)(mode & 0777)};

	if (!path_is_good(path))
		return pass->host->fail(err, COX_REASON_INVALID,
					"the path \"%s\" does not stay in the volume", path);
	if (pass->payload.files.count >= VOLUME_FILES_MAX ||
	    pass->payload.bytes + size > VOLUME_BYTES_MAX)
		return pass->host->fail(err, COX_REASON_ENTITY_TOO_LARGE,
					"more than %d files or %d bytes", VOLUME_FILES_MAX,
					VOLUME_BYTES_MAX);
	pass->payload.bytes += size;
	/* The last one of a name counts. */
	for (size_t i = 0; i < pass->payload.files.count; i++)
		if (!strcmp(pass->payload.files.items[i].path, path)) {
			cox_buf_clear(&pass->payload.files.items[i].data);
			cox_buf_add(&pass->payload.files.items[i].data, data, size);
			pass->payload.files.items[i].mode = file.mode;
			return 0;
		}
	file.path = cox_strdup(path);
	cox_buf_add(&file.data, data, size);
	cox_vec_push(&pass->payload.files, file);
	return 0;
}

void volume_pass_free(struct volume_pass *pass)
{
	for (size_t i = 0; i < pass->payload.files.count; i++) {
		struct cox_buf *data = &pass->payload.files.items[i].data;

		if (data->data)
			explicit_bzero(data->data, data->capacity);
		cox_buf_free(data);
		free(pass->payload.files.items[i].path);
	}
	cox_vec_free(&pass->payload.files);
}

/* A group may read what its owner may. */
static uint32_t mode_for(const struct volume_pass *pass, uint32_t mode)
{
	return pass->volume->fs_group >= 0 ? mode | 0440 : mode;
}

static int give(const struct volume_pass *pass, int fd, uint32_t mode)
{
	if (pass->volume->fs_group >= 0 && fchown(fd, (uid_t)-1, (gid_t)pass->volume->fs_group))
		return -1;
	return fchmod(fd, mode);
}

static int make_parents(const struct volume_pass *pass, int directory, const char *path)
{
	cox_autofree char *copy = cox_strdup(path);

	for (char *at = strchr(copy, '/'); at; at = strchr(at + 1, '/')) {
		cox_autoclose int fd = -1;

		*at = '\0';
		if (mkdirat(directory, copy, 0755) != 0 && errno != EEXIST)
			return -1;
		fd = openat(directory, copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || give(pass, fd, 0755) != 0)
			return -1;
		*at = '/';
	}
	return 0;
}

static int write_file(const struct volume_pass *pass, int directory, const struct volume_file *file)
{
	cox_autoclose int fd = -1;
	size_t done = 0;

	if (make_parents(pass, directory, file->path) != 0)
		return -1;
	fd = openat(directory, file->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -1;
	while (done < file->data.size) {
		ssize_t wrote = write(fd, file->data.data + done, file->data.size - done);

		if (wrote < 0)
			return -1;
		done += (size_t)wrote;
	}
	return give(pass, fd, mode_for(pass, file->mode));
}

/* Whether what ..data shows is what is wanted, so that nothing changes. */
static bool file_is_same(const struct volume_pass *pass, int data, const struct volume_file *file)
{
	cox_autoclose int fd = openat(data, file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cox_autofree char *have = cox_alloc(file->data.size + 1);
	struct stat facts;
	ssize_t size;

	if (fd < 0 || fstat(fd, &facts) != 0 || (size_t)facts.st_size != file->data.size ||
	    (facts.st_mode & 0777) != mode_for(pass, file->mode))
		return false;
	size = read(fd, have, file->data.size + 1);
	return size == facts.st_size &&
	       (size == 0 || memcmp(have, file->data.data, (size_t)size) == 0);
}

/* Files below an open directory, at any depth; bounded by what we write. */
static size_t count_files(int directory)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	size_t count = 0;

	while (list && (entry = readdir(list))) {
		cox_autoclose int below = -1;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		below = openat(directory, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		count += below >= 0 ? count_files(below) : 1;
	}
	if (list)
		closedir(list);
	else if (copy >= 0)
		close(copy);
	return count;
}

static bool is_same(const struct volume_pass *pass, int directory)
{
	cox_autoclose int data = openat(directory, "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (data < 0 || count_files(data) != pass->payload.files.count)
		return false;
	for (size_t i = 0; i < pass->payload.files.count; i++)
		if (!file_is_same(pass, data, &pass->payload.files.items[i]))
			return false;
	return true;
}

/* name -> ..data/name for the first part of every path, and no others. */
static int link_names(const struct volume_pass *pass, int directory)
{
	for (size_t i = 0; i < pass->payload.files.count; i++) {
		const char *path = pass->payload.files.items[i].path;
		cox_autofree char *name = cox_strndup(path, strcspn(path, "/"));
		cox_autobuf to = COX_BUF_INIT;

		cox_buf_printf(&to, "..data/%s", name);
		if (symlinkat(to.data, directory, name) != 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static void unlink_others(const struct volume_pass *pass, int directory)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;

	while (list && (entry = readdir(list))) {
		size_t i = 0, size = strlen(entry->d_name);

		if (!strncmp(entry->d_name, "..", 2) || !strcmp(entry->d_name, "."))
			continue;
		while (i < pass->payload.files.count &&
		       (strncmp(pass->payload.files.items[i].path, entry->d_name, size) != 0 ||
			(pass->payload.files.items[i].path[size] &&
			 pass->payload.files.items[i].path[size] != '/')))
			i++;
		if (i == pass->payload.files.count && unlinkat(directory, entry->d_name, 0) != 0)
			pass->host->log(pass->host->context, COX_LOG_WARNING, "remove %s: %s",
					entry->d_name, strerror(errno));
	}
	if (list)
		closedir(list);
	else if (copy >= 0)
		close(copy);
}

/* A directory of a new name, with all files in it. */
static int write_all(const struct volume_pass *pass, int directory, char name[64])
{
	uint64_t now = pass->host->realtime_ns();
	time_t seconds = (time_t)(now / 1000000000u);
	cox_autoclose int fd = -1;
	struct tm parts;
	size_t size;

	gmtime_r(&seconds, &parts);
	size = strftime(name, 40, "..%Y_%m_%d_%H_%M_%S", &parts);
	snprintf(name + size, 64 - size, ".%09llu", (unsigned long long)(now % 1000000000u));
	if (mkdirat(directory, name, 0755) != 0)
		return -1;
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || give(pass, fd, 0755) != 0)
		return -1;
	for (size_t i = 0; i < pass->payload.files.count; i++)
		if (write_file(pass, fd, &pass->payload.files.items[i]) != 0)
			return -1;
	return 0;
}

static int swap(const struct volume_pass *pass, int directory, struct cox_error *err)
{
	const char *path = pass->volume->directory;
	char name[64], old[256] = "";
	ssize_t size = readlinkat(directory, "..data", old, sizeof(old) - 1);
	cox_autobuf gone = COX_BUF_INIT;

	if (write_all(pass, directory, name) != 0)
		return volume_fail(pass->host, err, "write to", path);
	if (unlinkat(directory, "..data_tmp", 0) != 0 && errno != ENOENT)
		return volume_fail(pass->host, err, "remove ..data_tmp in", path);
	if (symlinkat(name, directory, "..data_tmp") != 0 ||
	    renameat(directory, "..data_tmp", directory, "..data") != 0 ||
	    link_names(pass, directory) != 0)
		return volume_fail(pass->host, err, "link in", path);
	unlink_others(pass, directory);
	if (size <= 0 || strncmp(old, "..2", 3) != 0 || strchr(old, '/'))
		return 0;
	cox_buf_printf(&gone, "%s/%s", path, old);
	{
		struct volume_plain plain = {pass->host};

		return volume_tear_down(&plain, pass->call, gone.data, err);
	}
}

int volume_write(struct volume_pass *pass, struct cox_volume_result *result, struct cox_error *err)
{
	const char *path = pass->volume->directory;
	cox_autoclose int directory = -1;

	if (volume_mount_tmpfs(pass->host, path, 0, 0755, err))
		return -1;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return volume_fail(pass->host, err, "open", path);
	if (give(pass, directory, pass->volume->fs_group >= 0 ? 02775 : 0755) != 0)
		return volume_fail(pass->host, err, "change the mode of", path);
	result->again_ns = VOLUME_AGAIN_SECONDS * 1000000000ull;
	if (pass->again_ns && pass->again_ns < result->again_ns)
		result->again_ns = pass->again_ns;
	return is_same(pass, directory) ? 0 : swap(pass, directory, err);
}
