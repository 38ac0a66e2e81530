/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin host, as the rest of the core sees it: open a plugin by kind and
 * name, give it its options, bring it to life, call it.
 *
 *	struct host_plugin *p = host_open(host, "storage", "leveldb", origin, err);
 *	host_set_option(p, "directory", "/var/lib/coxswain", origin, err);
 *	host_configure(p, err); host_get_ready(p, err); host_start(p, err);
 *	const struct cox_storage_ops *ops = host_ops(p);
 *	{
 *		host_call_scope(p);
 *		ops->stats(host_self(p), &stats, err);
 *	}
 *	host_close(p);
 *
 * Every call of an operation goes between host_enter and host_leave (or in a
 * host_call_scope): that is where the declared thread model is enforced and
 * where the crash report learns whom to name. A plugin may be entered again
 * by the thread that is already in another one, never in the same one unless
 * it is PARALLEL.
 *
 * The ops table is a copy, min(size) over zeros: an operation that the plugin
 * does not have is NULL, whatever headers it was built with.
 *
 * Messages name file, finding and remedy, not the program: who prints an error
 * puts "kube-apiserver: " in front.
 */
#ifndef COX_HOST_HOST_H
#define COX_HOST_HOST_H

#include "base/error.h"

#include <coxswain/kit/buf.h>
#include <coxswain/plugin.h>
#include <pthread.h>
#include <stdbool.h>

struct host;	    /* what one daemon opens its plugins with */
struct host_plugin; /* one instance of a plugin */

/*
 * `program` is the daemon's name and must stay. `directory` is --plugin-dir;
 * NULL or "": COX_PLUGIN_DIR unless privileged, else the built-in directory.
 */
struct host *host_new(const char *program, const char *directory);
void host_free(struct host *host); /* after every plugin was closed */
const char *host_program(const struct host *host);
const char *host_directory(const struct host *host);

/*
 * Loads KIND-NAME.so (or the exact path, if `name` begins with '/') and makes
 * an instance. `origin` says where the name was written ("FILE:LINE" or
 * "command line"; NULL: nowhere) and ends up in messages. NULL: refused.
 */
struct host_plugin *host_open(struct host *host, const char *kind, const char *name,
			      const char *origin, struct cox_error *err) COX_MUST_CHECK;

/* Remembers an option; unknown names and wrong types are refused at once. */
int host_set_option(struct host_plugin *plugin, const char *key, const char *value,
		    const char *origin, struct cox_error *err) COX_MUST_CHECK;

/* Whether the plugin knows an option of that name. */
bool host_has_option(const struct host_plugin *plugin, const char *key);

/* The life of an instance, in this order, from one thread; see plugin.h. */
int host_configure(struct host_plugin *plugin, struct cox_error *err) COX_MUST_CHECK;
int host_get_ready(struct host_plugin *plugin, struct cox_error *err) COX_MUST_CHECK;
int host_start(struct host_plugin *plugin, struct cox_error *err) COX_MUST_CHECK;
void host_stop(struct host_plugin *plugin);  /* only if started */
void host_close(struct host_plugin *plugin); /* stops, destroys; NULL is fine */

void *host_self(const struct host_plugin *plugin);	/* the plugin's instance */
const void *host_ops(const struct host_plugin *plugin); /* struct cox_KIND_ops */
const char *host_kind(const struct host_plugin *plugin);
const char *host_name(const struct host_plugin *plugin);
uint32_t host_flags(const struct host_plugin *plugin); /* COX_FAST, … */

/* Narrows the thread model, before host_get_ready; a wider one is refused. */
int host_limit_threads(struct host_plugin *plugin, enum cox_thread_model model,
		       struct cox_error *err) COX_MUST_CHECK;

/* One call, on the stack of the thread that makes it. */
struct host_call {
	struct host_plugin *plugin;
	pthread_mutex_t *lock; /* NULL: the plugin is PARALLEL */
	struct host_call *outer;
};

void host_enter(struct host_call *call, struct host_plugin *plugin);
void host_leave(struct host_call *call);

/* Until the end of the block this thread is inside `plugin`. */
#define HOST_CALL_NAME2(line) host_call_##line
#define HOST_CALL_NAME(line) HOST_CALL_NAME2(line)
#define host_call_scope(plugin)                                                                    \
	struct host_call HOST_CALL_NAME(__LINE__) __attribute__((cleanup(host_leave)));            \
	host_enter(&HOST_CALL_NAME(__LINE__), (plugin))

/*
 * For -1 from an operation: makes an error without a reason an InternalError
 * that names plugin and operation, and logs it as the plugin's bug. Returns -1.
 */
int host_op_failed(const struct host_plugin *plugin, const char *op, struct cox_error *err);

/* --dump-plugin KIND/NAME or PATH: key=value lines. */
int host_dump(struct host *host, const char *what, struct cox_buf *out,
	      struct cox_error *err) COX_MUST_CHECK;
/* --list-plugins: one block of key=value lines a loaded plugin. */
void host_list(struct cox_buf *out);

/* For the crash report; safe in a signal handler. */
void host_crash_section(int fd);

#endif
