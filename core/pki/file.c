/* SPDX-License-Identifier: Apache-2.0 */
/* Files of keys and certificates: whole or not at all; see key.h. */
#include "pki/key.h"

#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int pki_file_read(const char *path, struct cox_buf *out, struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t before = out->size;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0)
		return error_open(err, errno, path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, COX_REASON_INVALID, "%s: not a regular file", path);
	/* At once, so that growing leaves no copies of a key behind. */
	if (status.st_size <= PKI_FILE_MAX)
		cox_buf_reserve(out, (size_t)status.st_size + 8192);
	for (;;) {
		char *room = cox_buf_reserve(out, 8192);
		ssize_t size = read(fd, room, 8192);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return error_errno(err, errno, "%s", path);
		if (size == 0)
			break;
		cox_buf_added(out, (size_t)size);
		if (out->size - before > PKI_FILE_MAX)
			return error_set(err, COX_REASON_INVALID, "%s: larger than %d bytes", path,
					 PKI_FILE_MAX);
	}
	if (out->size == before)
		return error_set(err, COX_REASON_INVALID, "%s: empty", path);
	return 0;
}

static int write_whole(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			data += done;
			size -= (size_t)done;
		}
	}
	return 0;
}

/* The rename lasts only once the directory is on disk too. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	cox_autobuf directory = COX_BUF_INIT;
	cox_autoclose int fd = -1;

	if (slash)
		cox_buf_add(&directory, path, slash == path ? 1 : (size_t)(slash - path));
	else
		cox_buf_str(&directory, ".");
	fd = open(directory.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

int pki_file_write(const char *path, const void *data, size_t size, unsigned mode,
		   struct cox_error *err)
{
	cox_autobuf temporary = COX_BUF_INIT;
	cox_autoclose int fd = -1;
	int failed;

	cox_buf_printf(&temporary, "%s.XXXXXX", path);
	fd = mkostemp(temporary.data, O_CLOEXEC);
	if (fd < 0)
		return error_open(err, errno, path);
	if (write_whole(fd, data, size) != 0 || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0 ||
	    rename(temporary.data, path) != 0) {
		failed = errno;
		unlink(temporary.data);
		return error_errno(err, failed, "%s", path);
	}
	if (sync_directory(path) != 0)
		return error_errno(err, errno, "%s: sync its directory", path);
	return 0;
}
