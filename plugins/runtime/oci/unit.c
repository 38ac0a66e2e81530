/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of sandboxes and containers, and the thread that sees their
 * processes end. A unit's ending is noticed through a pidfd: of conmon for a
 * container (which writes the exit code down before it ends), of the pause
 * process for a sandbox. So nothing is polled, and what ended while no daemon
 * was there is found by the same look at the next start.
 */
#include "oci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct oci_unit *oci_new_unit(struct oci *oci, bool sandbox)
{
	struct oci_unit *unit = cox_new(struct oci_unit);
	unsigned char random[OCI_ID_LENGTH / 2];

	oci->host->random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(unit->id + 2 * i, 3, "%02x", random[i]);
	unit->sandbox = sandbox;
	unit->refs = 1;
	unit->init.fd = unit->conmon.fd = -1;
	unit->created_at = (int64_t)oci->host->realtime_ns();
	pthread_mutex_init(&unit->op, NULL);
	return unit;
}

void oci_publish_unit(struct oci *oci, struct oci_unit *unit)
{
	cox_lock_scope(&oci->lock);
	unit->refs++;
	cox_map_put(&oci->units, unit->id, OCI_ID_LENGTH, unit);
}

void oci_forget_unit(struct oci *oci, struct oci_unit *unit)
{
	bool present;

	pthread_mutex_lock(&oci->lock);
	present = cox_map_remove(&oci->units, unit->id, OCI_ID_LENGTH) != NULL;
	unit->removed = true;
	pthread_cond_broadcast(&oci->changed);
	pthread_mutex_unlock(&oci->lock);
	if (present)
		oci_put_unit(oci, unit);
}

struct oci_unit *oci_get_unit(struct oci *oci, const char *id, bool sandbox, struct cox_error *err)
{
	struct oci_unit *unit;

	cox_lock_scope(&oci->lock);
	unit = cox_map_get(&oci->units, id, strlen(id));
	if (!unit || unit->sandbox != sandbox) {
		oci->host->fail(err, COX_REASON_NOT_FOUND, "%s \"%.100s\" not found",
				sandbox ? "sandbox" : "container", id);
		return NULL;
	}
	unit->refs++;
	return unit;
}

void oci_put_unit(struct oci *oci, struct oci_unit *unit)
{
	bool last;

	pthread_mutex_lock(&oci->lock);
	last = --unit->refs == 0;
	pthread_mutex_unlock(&oci->lock);
	if (last)
		oci_free_unit(unit);
}

static int by_age(const void *left, const void *right)
{
	const struct oci_unit *a = *(struct oci_unit *const *)left;
	const struct oci_unit *b = *(struct oci_unit *const *)right;

	if (a->created_at != b->created_at)
		return a->created_at < b->created_at ? -1 : 1;
	return strcmp(a->id, b->id);
}

size_t oci_list_units(struct oci *oci, bool sandbox, const char *sandbox_id,
		      struct oci_unit ***units)
{
	COX_VEC(struct oci_unit *) found = {NULL, 0, 0};
	size_t at = 0;
	void *value;

	pthread_mutex_lock(&oci->lock);
	while (cox_map_next(&oci->units, &at, NULL, NULL, &value)) {
		struct oci_unit *unit = value;

		if (unit->sandbox != sandbox ||
		    (sandbox_id && strcmp(unit->sandbox_id, sandbox_id) != 0))
			continue;
		unit->refs++;
		cox_vec_push(&found, unit);
	}
	pthread_mutex_unlock(&oci->lock);
	if (found.count)
		qsort(found.items, found.count, sizeof(*found.items), by_age);
	*units = found.items;
	return found.count;
}

void oci_put_units(struct oci *oci, struct oci_unit **units, size_t count)
{
	for (size_t i = 0; i < count; i++)
		oci_put_unit(oci, units[i]);
	free(units);
}

/* What conmon wrote down, or that nobody knows. */
static void read_exit(struct oci *oci, struct oci_unit *unit)
{
	cox_autofree char *name = oci_format("exits/%s", unit->id);
	cox_autofree char *path = oci_unit_path(oci, unit, name);
	cox_autofree char *oom = oci_unit_path(oci, unit, "persist/oom");
	cox_autofree char *text = oci_read_file(path, 64, NULL);
	struct stat info;

	unit->finished_at = (int64_t)oci->host->realtime_ns();
	if (text && stat(path, &info) == 0) {
		unit->exit_code = strtol(text, NULL, 10);
		unit->finished_at =
			(int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
		unit->end = access(oom, F_OK) == 0 ? OCI_END_OOM : OCI_END_NORMAL;
	} else {
		unit->exit_code = 255;
		unit->end = OCI_END_UNKNOWN;
	}
	if (unit->started_at > unit->finished_at)
		unit->finished_at = unit->started_at;
}

static void wake(struct oci *oci)
{
	uint64_t one = 1;

	/* The counter cannot be full, and then it would wake anyway. */
	if (write(oci->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void oci_refresh(struct oci *oci, struct oci_unit *unit)
{
	bool ended;

	if (unit->removed || unit->state == COX_CONTAINER_EXITED)
		return;
	if (unit->sandbox) {
		ended = oci_process_ended(&unit->init);
	} else {
		ended = oci_process_ended(&unit->conmon);
		/* Without conmon nobody would ever tell: the process decides. */
		if (ended && unit->init.fd >= 0 && !oci_process_ended(&unit->init)) {
			oci_process_close(&unit->conmon);
			return;
		}
	}
	if (!ended)
		return;
	oci_process_close(&unit->init);
	oci_process_close(&unit->conmon);
	unit->state = COX_CONTAINER_EXITED;
	if (unit->sandbox)
		unit->finished_at = (int64_t)oci->host->realtime_ns();
	else
		read_exit(oci, unit);
	/* A record that cannot be written now is made again from the files. */
	if (oci_save_unit(oci, unit, NULL) != 0)
		oci->host->log(oci->host->context, COX_LOG_WARNING,
			       "the end of %s %s could not be written down",
			       unit->sandbox ? "sandbox" : "container", unit->id);
	pthread_cond_broadcast(&oci->changed);
	unit->unsaid = true;
	wake(oci);
}

/* A pidfd leaves the set by being closed. */
void oci_follow(struct oci *oci, struct oci_unit *unit)
{
	/* Once: a process that ended before its conmon must not keep us awake. */
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};

	if (unit->conmon.fd >= 0)
		epoll_ctl(oci->poll_fd, EPOLL_CTL_ADD, unit->conmon.fd, &event);
	if (unit->init.fd >= 0)
		epoll_ctl(oci->poll_fd, EPOLL_CTL_ADD, unit->init.fd, &event);
}

bool oci_wait_exit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		   uint64_t nanoseconds)
{
	uint64_t end = oci->host->monotonic_ns() + nanoseconds;

	cox_lock_scope(&oci->lock);
	for (;;) {
		uint64_t now = oci->host->monotonic_ns(), until = now + 100000000;
		struct timespec when;

		oci_refresh(oci, unit);
		if (unit->removed || unit->state == COX_CONTAINER_EXITED)
			return true;
		if (now >= end || (call && oci->host->cancelled(call)))
			return false;
		if (until > end)
			until = end;
		when.tv_sec = (time_t)(until / 1000000000);
		when.tv_nsec = (long)(until % 1000000000);
		pthread_cond_timedwait(&oci->changed, &oci->lock, &when);
	}
}

/* Brings one unit back from disk; false if it is garbage. */
static bool load_one(struct oci *oci, const char *id, bool sandbox)
{
	struct oci_unit *unit = oci_load_unit(oci, id, sandbox);

	if (!unit)
		return false;
	if (unit->state != COX_CONTAINER_EXITED) {
		/* A recorded pid without a start time was never confirmed. */
		if (!unit->init.start || !oci_process_open(&unit->init))
			oci_process_close(&unit->init);
		if (!sandbox && (!unit->conmon.start || !oci_process_open(&unit->conmon)))
			oci_process_close(&unit->conmon);
	}
	pthread_mutex_lock(&oci->lock);
	oci_follow(oci, unit);
	oci_refresh(oci, unit);
	pthread_mutex_unlock(&oci->lock);
	oci_publish_unit(oci, unit);
	oci_put_unit(oci, unit);
	return true;
}

/* What a crash in the middle of a creation or a removal left. */
static void remove_garbage(struct oci *oci, const char *id, bool sandbox)
{
	struct oci_unit shell = {.sandbox = sandbox};
	cox_autofree char *path = NULL, *rootfs = NULL, *shm = NULL;
	const char *delete[] = {"delete", "--force", id, NULL};

	if (strlen(id) != OCI_ID_LENGTH)
		return;
	memcpy(shell.id, id, OCI_ID_LENGTH);
	path = oci_unit_path(oci, &shell, "");
	rootfs = oci_unit_path(oci, &shell, "rootfs");
	shm = oci_unit_path(oci, &shell, "shm");
	if (!*oci->problem)
		(void)oci_runtime(oci, NULL, delete, NULL, NULL);
	umount2(rootfs, MNT_DETACH);
	umount2(shm, MNT_DETACH);
	oci_remove_tree(path);
	oci->host->log(oci->host->context, COX_LOG_INFO,
		       "removed what was left of the unfinished %s %s",
		       sandbox ? "sandbox" : "container", id);
}

int oci_load_units(struct oci *oci, struct cox_error *err)
{
	for (int pass = 0; pass < 2; pass++) {
		bool sandbox = pass == 0;
		cox_autofree char *path =
			oci_format("%s/%s", oci->root, sandbox ? "sandboxes" : "containers");
		DIR *entries = opendir(path);
		struct dirent *entry;

		if (!entries)
			return oci_fail_errno(oci, err, "%s", path);
		while ((entry = readdir(entries)))
			if (entry->d_name[0] != '.' && !load_one(oci, entry->d_name, sandbox))
				remove_garbage(oci, entry->d_name, sandbox);
		closedir(entries);
	}
	return 0;
}

void oci_event(struct oci *oci, const struct oci_unit *unit, uint32_t type)
{
	struct cox_container_event event = {.struct_size = sizeof(event),
					    .type = type,
					    .container_id = unit->id,
					    .sandbox_id =
						    unit->sandbox ? unit->id : unit->sandbox_id,
					    .time = (int64_t)oci->host->realtime_ns()};

	cox_lock_scope(&oci->watch_lock);
	for (struct oci_watch *watch = oci->watches; watch; watch = watch->next)
		watch->sink->event(watch->sink, &event);
}

void *oci_watch(void *self, const struct cox_call *call, const struct cox_runtime_event_sink *sink,
		struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_watch *watch = cox_new(struct oci_watch);

	(void)call;
	(void)err;
	watch->sink = sink;
	cox_lock_scope(&oci->watch_lock);
	watch->next = oci->watches;
	oci->watches = watch;
	return watch;
}

void oci_watch_cancel(void *self, void *handle)
{
	struct oci *oci = self;

	cox_lock_scope(&oci->watch_lock);
	for (struct oci_watch **at = &oci->watches; *at; at = &(*at)->next)
		if (*at == handle) {
			*at = (*at)->next;
			free(handle);
			return;
		}
}

/*
 * Without a PID namespace of its own a container's end is not the end of what
 * it started: that is ended here.
 */
void oci_end_group(struct oci *oci, const struct oci_unit *unit)
{
	if (!unit->sandbox && unit->pid_mode != COX_NAMESPACE_CONTAINER)
		oci_cgroup_kill(oci, unit->cgroup);
}

/* Looks at every unit: an event says only that some process has ended. */
static void look_around(struct oci *oci)
{
	COX_VEC(struct oci_unit *) ended = {NULL, 0, 0};
	size_t at = 0;
	void *value;

	pthread_mutex_lock(&oci->lock);
	while (cox_map_next(&oci->units, &at, NULL, NULL, &value)) {
		struct oci_unit *unit = value;

		oci_refresh(oci, unit);
		if (!unit->unsaid)
			continue;
		unit->unsaid = false;
		unit->refs++;
		cox_vec_push(&ended, unit);
	}
	pthread_mutex_unlock(&oci->lock);
	for (size_t i = 0; i < ended.count; i++) {
		oci_end_group(oci, ended.items[i]);
		oci_event(oci, ended.items[i], COX_CONTAINER_EVENT_STOPPED);
	}
	oci_put_units(oci, ended.items, ended.count);
}

static void *monitor(void *context)
{
	struct oci *oci = context;

	for (;;) {
		struct epoll_event event;
		uint64_t count;
		int got = epoll_wait(oci->poll_fd, &event, 1, -1);

		if (got < 0 && errno != EINTR)
			return NULL;
		if (read(oci->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return NULL;
		if (atomic_load(&oci->stopping))
			return NULL;
		look_around(oci);
	}
}

int oci_start_monitor(struct oci *oci, struct cox_error *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(oci->poll_fd, EPOLL_CTL_ADD, oci->wake_fd, &event) != 0)
		return oci_fail_errno(oci, err, "watch processes");
	errno = pthread_create(&oci->monitor, NULL, monitor, oci);
	if (errno)
		return oci_fail_errno(oci, err, "start a thread");
	oci->monitoring = true;
	return 0;
}

void oci_stop_monitor(struct oci *oci)
{
	if (!oci->monitoring)
		return;
	atomic_store(&oci->stopping, true);
	wake(oci);
	pthread_join(oci->monitor, NULL);
	oci->monitoring = false;
}
