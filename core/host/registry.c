/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is loaded: one list for the process, because shared objects belong to
 * the process even when several daemons live in it. Entries are only ever
 * added, in front and whole, so readers (the crash handler among them) need no
 * lock. The lock keeps two loads apart.
 */
#include "host/internal.h"

#include "base/crash.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* lock.h: 3 */
static struct library *_Atomic first;

void registry_lock(void)
{
	pthread_mutex_lock(&lock);
}

void registry_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

struct library *registry_first(void)
{
	return atomic_load_explicit(&first, memory_order_acquire);
}

void registry_add(struct library *library)
{
	library->next = registry_first();
	atomic_store_explicit(&first, library, memory_order_release);
}

void host_crash_section(int fd)
{
	const struct host_plugin *current = host_current();

	crash_put(fd, "plugin being called: ");
	crash_put(fd, current ? current->label : "none");
	crash_put(fd, "\nloaded plugins:\n");
	for (const struct library *library = registry_first(); library; library = library->next) {
		crash_put(fd, "  ");
		crash_put(fd, library->path);
		crash_put(fd, " inode ");
		crash_put_number(fd, (unsigned long)library->inode, 10);
		crash_put(fd, " build-id ");
		crash_put(fd, library->build_id);
		crash_put(fd, "\n");
	}
}
