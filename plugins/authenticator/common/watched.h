/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is read at start and again when it has changed. Whether it has
 * is looked at when somebody asks, at most once an interval, by one thread at
 * a time; the others go on with what was read before. A new content that
 * cannot be used is said in the log once and changes nothing.
 */
#ifndef COX_AUTHENTICATOR_WATCHED_H
#define COX_AUTHENTICATOR_WATCHED_H

#include <coxswain/kit/buf.h>
#include <coxswain/plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

enum { WATCHED_SIZE_MAX = 16 << 20 };

/* What tells one content of a path from another without reading it. */
struct watched_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct watched {
	const struct cox_host *host;
	char *path;
	uint64_t interval_ns;
	/*
	 * Takes the content over: 0, or -1 with the reason in `why`, and then
	 * everything stays as it was. Never called twice at a time. The bytes
	 * are followed by a zero and are wiped after.
	 */
	int (*take)(void *owner, const char *path, const char *data, size_t size,
		    struct cox_buf *why);
	void *owner;

	pthread_mutex_t lock; /* of what follows, and over take() */
	struct watched_stamp stamp;
	bool said; /* that the file cannot be opened */
	_Atomic uint64_t next_look;
};

/* `watched` is zeroed but for host, interval_ns, take and owner; `path` is copied. */
void watched_init(struct watched *watched, const char *path);
void watched_free(struct watched *watched); /* also what was never begun */

/* The first time: here a failure is the caller's. */
int watched_load(struct watched *watched, struct cox_error *err) COX_MUST_CHECK;
/* Any thread, before each use of what the file said. */
void watched_refresh(struct watched *watched);

#endif
