/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read again when they change; see the header. */
#include "watched.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

void watched_init(struct watched *watched, const char *path)
{
	watched->path = cox_strdup(path);
	pthread_mutex_init(&watched->lock, NULL);
	atomic_init(&watched->next_look, 0);
}

void watched_free(struct watched *watched)
{
	if (!watched->path)
		return;
	pthread_mutex_destroy(&watched->lock);
	free(watched->path);
	watched->path = NULL;
}

static struct watched_stamp stamp_of(const struct stat *status)
{
	return (struct watched_stamp){status->st_dev, status->st_ino, status->st_size,
				      status->st_mtim, status->st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct watched_stamp *a, const struct watched_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static int say(struct cox_buf *why, const char *path, const char *text)
{
	cox_buf_printf(why, "%s: %s", path, text);
	return -1;
}

/* Secrets do not stay behind in freed memory. */
static void wipe(struct cox_buf *bytes)
{
	if (bytes->data)
		explicit_bzero(bytes->data, bytes->capacity);
	cox_buf_free(bytes);
}

static int read_all(int fd, const char *path, size_t size, struct cox_buf *out, struct cox_buf *why)
{
	/* One byte more than there was: a file that grows meanwhile is not cut. */
	size_t room = size + 1;
	char *at = cox_buf_reserve(out, room);

	while (out->size < room) {
		ssize_t got = read(fd, at + out->size, room - out->size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return say(why, path, strerror(errno));
		if (got == 0)
			break;
		cox_buf_added(out, (size_t)got);
	}
	if (out->size != size)
		return say(why, path, "the file changed while it was read");
	return 0;
}

/* The stamp is taken before the bytes: what changes after it is seen next time. */
static int load(struct watched *watched, struct cox_buf *why)
{
	cox_autoclose int fd = open(watched->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct cox_buf bytes cox_auto(wipe) = COX_BUF_INIT;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0)
		return say(why, watched->path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return say(why, watched->path, "not a regular file");
	watched->stamp = stamp_of(&status);
	if (status.st_size > WATCHED_SIZE_MAX) {
		cox_buf_printf(why, "%s: larger than %d MiB", watched->path,
			       WATCHED_SIZE_MAX >> 20);
		return -1;
	}
	if (read_all(fd, watched->path, (size_t)status.st_size, &bytes, why) != 0)
		return -1;
	return watched->take(watched->owner, watched->path, cox_buf_cstr(&bytes), bytes.size, why);
}

static void look_later(struct watched *watched)
{
	atomic_store_explicit(&watched->next_look,
			      watched->host->monotonic_ns() + watched->interval_ns,
			      memory_order_relaxed);
}

int watched_load(struct watched *watched, struct cox_error *err)
{
	cox_autobuf why = COX_BUF_INIT;
	int result;

	cox_lock_scope(&watched->lock);
	result = load(watched, &why);
	look_later(watched);
	if (result == 0)
		return 0;
	return watched->host->fail(err, COX_REASON_INVALID, "%s", cox_buf_cstr(&why));
}

/* Under the lock. */
static void look(struct watched *watched)
{
	const struct cox_host *host = watched->host;
	cox_autobuf why = COX_BUF_INIT;
	struct watched_stamp before = watched->stamp, now;
	struct stat status;
	bool unopened;

	if (stat(watched->path, &status) == 0) {
		now = stamp_of(&status);
		if (same_stamp(&now, &before))
			return;
	}
	if (load(watched, &why) == 0) {
		host->log(host->context, COX_LOG_INFO, "Read %s again, it had changed",
			  watched->path);
		watched->said = false;
		return;
	}
	/* A file that cannot be opened comes here every time, a broken content once. */
	unopened = same_stamp(&before, &watched->stamp);
	if (!unopened || !watched->said)
		host->log(host->context, COX_LOG_ERROR, "%s; what was read before stays in force",
			  cox_buf_cstr(&why));
	watched->said = unopened;
}

void watched_refresh(struct watched *watched)
{
	if (watched->host->monotonic_ns() <
	    atomic_load_explicit(&watched->next_look, memory_order_relaxed))
		return;
	if (pthread_mutex_trylock(&watched->lock) != 0)
		return; /* another thread is at it */
	if (watched->host->monotonic_ns() >= atomic_load(&watched->next_look)) {
		look(watched);
		look_later(watched);
	}
	pthread_mutex_unlock(&watched->lock);
}
