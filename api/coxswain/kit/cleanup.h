/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound cleanup for gcc and clang. Initialise at the declaration (file
 * descriptors to -1). Every cleanup accepts the empty value and keeps errno.
 */
#ifndef COXSWAIN_KIT_CLEANUP_H
#define COXSWAIN_KIT_CLEANUP_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cox_cleanup_free(void *slot)
{
	int saved = errno;

	free(*(void **)slot);
	errno = saved;
}

static inline void cox_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cox_cleanup_fclose(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

static inline void cox_cleanup_unlock(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

#define cox_autofree __attribute__((cleanup(cox_cleanup_free)))
#define cox_autoclose __attribute__((cleanup(cox_cleanup_close)))
#define cox_autofclose __attribute__((cleanup(cox_cleanup_fclose)))
#define cox_auto(release) __attribute__((cleanup(release)))

/* Holds `mutex` until the end of the scope. */
#define COX_LOCK_SCOPE_NAME2(line) cox_lock_scope_##line
#define COX_LOCK_SCOPE_NAME(line) COX_LOCK_SCOPE_NAME2(line)
#define cox_lock_scope(mutex)                                                                  \
	pthread_mutex_t *COX_LOCK_SCOPE_NAME(__LINE__)                                         \
		__attribute__((cleanup(cox_cleanup_unlock), unused)) =                         \
			(pthread_mutex_lock(mutex), (mutex))

/* Hands over ownership: returns the pointer and leaves NULL behind. */
#define cox_steal(slot)                                                                        \
	__extension__({                                                                        \
		__typeof__(slot) *cox_steal_slot_ = &(slot);                                   \
		__typeof__(slot) cox_steal_value_ = *cox_steal_slot_;                          \
		*cox_steal_slot_ = NULL;                                                       \
		cox_steal_value_;                                                              \
	})

static inline int cox_steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#endif
