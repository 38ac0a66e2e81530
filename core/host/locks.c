/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that enforces thread models. A call takes the lock of the
 * whole library (SERIAL), of the instance (PER_INSTANCE) or none (PARALLEL),
 * and stands on a list of this thread's calls, innermost first, which is how
 * the crash report knows whom to name.
 */
#include "host/internal.h"

#include "base/log.h"

#include <stdlib.h>

static _Thread_local struct host_call *innermost;

struct host_plugin *host_current(void)
{
	return innermost ? innermost->plugin : NULL;
}

static pthread_mutex_t *lock_of(struct host_plugin *plugin, uint32_t threads)
{
	if (threads == COX_THREADS_SERIAL)
		return &plugin->library->serial;
	if (threads == COX_THREADS_PER_INSTANCE)
		return &plugin->one_call;
	return NULL;
}

/* Waiting for oneself would be for ever: better a crash report that says so. */
static void refuse_reentry(const struct host_plugin *plugin, const pthread_mutex_t *lock)
{
	for (const struct host_call *call = innermost; call; call = call->outer) {
		if (call->lock != lock)
			continue;
		log_error("%s was called from inside itself, which its thread model forbids",
			  plugin->label);
		log_stop();
		abort();
	}
}

void host_enter(struct host_call *call, struct host_plugin *plugin)
{
	call->plugin = plugin;
	call->lock = lock_of(plugin, atomic_load_explicit(&plugin->threads, memory_order_acquire));
	if (call->lock) {
		refuse_reentry(plugin, call->lock);
		pthread_mutex_lock(call->lock);
	}
	call->outer = innermost;
	innermost = call;
}

void host_leave(struct host_call *call)
{
	innermost = call->outer;
	if (call->lock)
		pthread_mutex_unlock(call->lock);
}

int host_limit_threads(struct host_plugin *plugin, enum cox_thread_model model,
		       struct cox_error *err)
{
	uint32_t declared = plugin->library->plugin.thread_model;

	if (model < COX_THREADS_SERIAL || (uint32_t)model > declared)
		return error_set(err, COX_REASON_INVALID,
				 "%s declares the thread model %s, which can be narrowed but not "
				 "widened",
				 plugin->label, host_thread_model_name(declared));
	if (plugin->state >= INSTANCE_READY)
		return error_set(err, COX_REASON_INVALID,
				 "%s: the thread model must be chosen before it is ready",
				 plugin->label);
	atomic_store_explicit(&plugin->threads, model, memory_order_release);
	return 0;
}
