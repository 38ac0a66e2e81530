/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a process that uses a store: writes every change that it makes
 * to files below COX_RECORD_ROOT, and every sync, to COX_RECORD_FILE, in the
 * order in which they happened (a change is made under the recorder's lock).
 * powercut.c reads the record; record.h says what it looks like.
 */
#include "record.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -2; /* -2: not looked yet, -1: off */
static const char *root;

static void emit(uint8_t kind, uint64_t offset, const char *path, const char *other,
		 const void *data, size_t size)
{
	struct record_entry entry = {.kind = kind,
				     .path_size = (uint16_t)strlen(path),
				     .other_size = (uint16_t)(other ? strlen(other) : 0),
				     .offset = offset,
				     .size = size};

	if (out == -2) {
		const char *file = getenv("COX_RECORD_FILE");

		root = getenv("COX_RECORD_ROOT");
		out = file && root ? (int)syscall(SYS_openat, AT_FDCWD, file,
						  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
				   : -1;
	}
	if (out < 0 || strncmp(path, root, strlen(root)) != 0)
		return;
	if (syscall(SYS_write, out, &entry, sizeof(entry)) < 0 ||
	    syscall(SYS_write, out, path, (size_t)entry.path_size) < 0 ||
	    (other && syscall(SYS_write, out, other, (size_t)entry.other_size) < 0) ||
	    (size && syscall(SYS_write, out, data, size) < 0))
		abort();
}

static void path_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, PATH_MAX - 1);
	path[size > 0 ? size : 0] = '\0';
}

static void path_at(int fd, const char *name, char path[PATH_MAX])
{
	char directory[PATH_MAX];

	directory[0] = '\0';
	if (name[0] != '/' && fd != AT_FDCWD)
		path_of_fd(fd, directory);
	if (directory[0] && strcmp(name, ".") == 0)
		snprintf(path, PATH_MAX, "%s", directory);
	else if ((size_t)snprintf(path, PATH_MAX, "%s%s%s", directory, directory[0] ? "/" : "",
				  name) >= PATH_MAX)
		abort();
}

static int open_and_record(int fd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	struct stat status;
	bool existed;
	int result;

	if (!(flags & (O_CREAT | O_TRUNC)))
		return (int)syscall(SYS_openat, fd, name, flags, mode);
	pthread_mutex_lock(&lock);
	existed = fstatat(fd, name, &status, 0) == 0;
	result = (int)syscall(SYS_openat, fd, name, flags, mode);
	path_at(fd, name, path);
	if (result >= 0 && !existed)
		emit(RECORD_CREATE, 0, path, NULL, NULL, 0);
	else if (result >= 0 && (flags & O_TRUNC))
		emit(RECORD_TRUNCATE, 0, path, NULL, NULL, 0);
	pthread_mutex_unlock(&lock);
	return result;
}

#define OPEN_MODE(flags)                                                                           \
	mode_t mode = 0;                                                                           \
	va_list args;                                                                              \
                                                                                                   \
	va_start(args, flags);                                                                     \
	if ((flags)&O_CREAT)                                                                       \
		mode = va_arg(args, mode_t);                                                       \
	va_end(args)

EXPORT int open(const char *name, int flags, ...)
{
	OPEN_MODE(flags);
	return open_and_record(AT_FDCWD, name, flags, mode);
}

EXPORT int open64(const char *name, int flags, ...)
{
	OPEN_MODE(flags);
	return open_and_record(AT_FDCWD, name, flags, mode);
}

EXPORT int openat(int fd, const char *name, int flags, ...)
{
	OPEN_MODE(flags);
	return open_and_record(fd, name, flags, mode);
}

EXPORT int openat64(int fd, const char *name, int flags, ...)
{
	OPEN_MODE(flags);
	return open_and_record(fd, name, flags, mode);
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	char path[PATH_MAX];
	ssize_t result;
	off_t at;

	pthread_mutex_lock(&lock);
	at = lseek(fd, 0, SEEK_CUR);
	result = syscall(SYS_write, fd, data, size);
	if (result > 0 && at >= 0) {
		path_of_fd(fd, path);
		emit(RECORD_WRITE, (uint64_t)at, path, NULL, data, (size_t)result);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

/* After the system call `result`, records it under the lock if it went well. */
#define RECORD_CALL(call, kind, offset, path, other)                                               \
	do {                                                                                       \
		long record_result_;                                                               \
                                                                                                   \
		pthread_mutex_lock(&lock);                                                         \
		record_result_ = (call);                                                           \
		if (record_result_ == 0)                                                           \
			emit(kind, offset, path, other, NULL, 0);                                  \
		pthread_mutex_unlock(&lock);                                                       \
		return (int)record_result_;                                                        \
	} while (0)

static int sync_and_record(long number, int fd)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	RECORD_CALL(syscall(number, fd), RECORD_SYNC, 0, path, NULL);
}

EXPORT int fsync(int fd)
{
	return sync_and_record(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
	return sync_and_record(SYS_fdatasync, fd);
}

static int truncate_and_record(int fd, off_t size)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	RECORD_CALL(syscall(SYS_ftruncate, fd, size), RECORD_TRUNCATE, (uint64_t)size, path, NULL);
}

EXPORT int ftruncate(int fd, off_t size)
{
	return truncate_and_record(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
	return truncate_and_record(fd, size);
}

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char path[PATH_MAX], other[PATH_MAX];

	path_at(from_fd, from, path);
	path_at(to_fd, to, other);
	RECORD_CALL(syscall(SYS_renameat, from_fd, from, to_fd, to), RECORD_RENAME, 0, path, other);
}

EXPORT int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int unlinkat(int fd, const char *name, int flags)
{
	char path[PATH_MAX];

	path_at(fd, name, path);
	RECORD_CALL(syscall(SYS_unlinkat, fd, name, flags), RECORD_UNLINK, 0, path, NULL);
}

EXPORT int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	char path[PATH_MAX], other[PATH_MAX];

	path_at(from_fd, from, path);
	path_at(to_fd, to, other);
	RECORD_CALL(syscall(SYS_linkat, from_fd, from, to_fd, to, flags), RECORD_LINK, 0, path,
		    other);
}

EXPORT int mkdirat(int fd, const char *name, mode_t mode)
{
	char path[PATH_MAX];

	path_at(fd, name, path);
	RECORD_CALL(syscall(SYS_mkdirat, fd, name, mode), RECORD_DIRECTORY, 0, path, NULL);
}

EXPORT int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}
