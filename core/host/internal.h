/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the host share; the rest of the core sees host.h. */
#ifndef COX_HOST_INTERNAL_H
#define COX_HOST_INTERNAL_H

#include "host/host.h"
#include "host/kinds.h"

#include <coxswain/kit/vec.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

struct metric;

enum { HOST_OPTIONS_MAX = 256, HOST_BUILD_ID_SIZE = 65 };

/*
 * A loaded shared object. Made once, never freed and never closed: code of it
 * may run until the process ends. The upper part stands when the entry goes
 * into the list; the part from `checked` on is filled under the registry's lock
 * before anybody gets to see the library.
 */
struct library {
	char *path; /* after realpath */
	dev_t device;
	ino_t inode;
	struct timespec changed;
	int fd;			      /* kept open if it was loaded through /proc/self/fd */
	void *handle;		      /* of dlopen */
	const struct cox_plugin *raw; /* in the plugin; only read by descriptor.c */
	char build_id[HOST_BUILD_ID_SIZE];
	/* Filled when the descriptor has passed its checks. */
	bool checked;
	const struct host_kind *kind;
	struct cox_plugin plugin;   /* copy, zeros where the plugin has less */
	struct cox_option *options; /* copy */
	size_t option_count;
	pthread_mutex_t serial; /* lock.h: 1 */
	atomic_bool busy;	/* a COX_EXCLUSIVE plugin that is ready */
	struct library *next;
};

struct host {
	const char *program;
	char *directory;
};

struct option_value {
	const struct cox_option *option;
	char *value; /* as the plugin gets it */
};

enum instance_state {
	INSTANCE_CREATED,
	INSTANCE_CONFIGURED,
	INSTANCE_READY,
	INSTANCE_STARTED,
	INSTANCE_STOPPED
};

struct series {
	const char *what; /* the plugin's constant, compared as a text */
	bool gauge;
	struct metric *metric;
};

struct host_plugin {
	struct host *host;
	struct library *library;
	struct cox_host table; /* what the plugin sees; context is this struct */
	void *self;
	void *ops;
	char *label; /* "storage/leveldb", for logs */
	enum instance_state state;
	_Atomic uint32_t threads; /* enum cox_thread_model in force */
	bool holds_exclusive;
	pthread_mutex_t one_call; /* lock.h: 2 */
	COX_VEC(struct option_value) values;
	pthread_mutex_t series_lock; /* lock.h: 4 */
	COX_VEC(struct series) series;
};

struct cox_dump {
	struct cox_buf *out;
};

/*
 * loader.c: finds, checks and opens; returns a library that passed everything.
 * `kind` may be NULL (any) if `name` is a path.
 */
struct library *loader_load(struct host *host, const char *kind, const char *name,
			    const char *origin, struct cox_error *err);
/* descriptor.c: checks library->raw, then fills in the copies. `kind`, `name` NULL: any. */
int descriptor_check(struct library *library, const char *program, const char *kind,
		     const char *name, struct cox_error *err);

/*
 * present.c: which plugin of that kind may have been meant, or which there are;
 * adds nothing when there are none.
 */
void present_hint(const char *directory, const char *kind, const char *wanted, struct cox_buf *out);

/* registry.c: the list of what is loaded in this process. */
void registry_lock(void);
void registry_unlock(void);
struct library *registry_first(void); /* newest first; may be walked without the lock */
void registry_add(struct library *library);

/* options.c */
void options_clear(struct host_plugin *plugin);
/* Checks and converts one text; `*converted` is the caller's. */
int options_convert(const struct cox_option *option, const char *text, char **converted,
		    struct cox_error *err);
int options_hand_over(struct host_plugin *plugin, struct cox_error *err);

/* table.c */
void table_fill(struct host_plugin *plugin);

/* instance.c */
struct host_plugin *instance_create(struct host *host, struct library *library,
				    struct cox_error *err);

/* dump.c */
const char *host_thread_model_name(uint32_t model);

/* Whether this thread is inside a call; for the crash report. */
struct host_plugin *host_current(void);

/* " (set in FILE:LINE)" or nothing, behind the message of `err`. Returns -1. */
int host_add_origin(struct cox_error *err, const char *origin);

/* Lower-case words joined by '-' (options), or letters and digits too (names). */
bool host_name_valid(const char *name);

#endif
