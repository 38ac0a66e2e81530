/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Coxswain plugin boundary.
 *
 * A plugin is a shared object that exports exactly one symbol: the constant
 * data descriptor `cox_plugin`, written by the macro of its kind (for example
 * COX_STORAGE_PLUGIN in <coxswain/storage.h>). The host reads the descriptor
 * before any code of the plugin runs.
 *
 * The promise. Inside one COX_PLUGIN_ABI, fields of every struct in these
 * headers are only ever appended, in steps of a pointer's size and without
 * padding at the end; they are never reordered and never given another
 * meaning. Therefore
 *   - an old plugin always works on a newer host, and
 *   - a new plugin loads on an older host if that host's table is at least
 *     `host_size` bytes; else it is refused with a sentence, never called
 *     through a pointer that the host does not have.
 * A kind whose `ops_abi` is 0 makes no promise yet: such a plugin is loaded by
 * the release it was built for and by no other. From 1 on it is frozen.
 *
 * Ownership. What the host passes in is borrowed for the length of the call.
 * What a plugin hands back goes into sinks and builders that the host owns,
 * which copy what they keep. Neither side ever frees memory of the other.
 *
 * Errors. A function that can fail returns 0, or -1 after it has filled the
 * `struct cox_error` it was given by host->fail(). On success the error is
 * left alone. -1 with an empty error is reported as InternalError and logged
 * as a bug of the plugin.
 *
 * Threads. The plugin declares a thread model and the host enforces it; see
 * enum cox_thread_model. No function is called from a signal handler, and none
 * with a host lock held that the plugin could need.
 */
#ifndef COXSWAIN_PLUGIN_H
#define COXSWAIN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_PLUGIN_MAGIC 0x31584f43u /* "COX1" in little-endian order */
#define COX_PLUGIN_ABI 1u
#define COX_RELEASE "0.1.0" /* the release these headers came with */

#if defined(__GNUC__)
#define COX_EXPORT __attribute__((visibility("default")))
#define COX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define COX_MUST_CHECK __attribute__((warn_unused_result))
#else
#define COX_EXPORT
#define COX_PRINTF(fmt, args)
#define COX_MUST_CHECK
#endif

#ifdef __cplusplus
#define COX_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define COX_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

struct cox_error;  /* host-owned: a Kubernetes Status in the making */
struct cox_dump;   /* host-owned: receives key=value lines */
struct cox_cancel; /* host-owned: see cox_host.cancelled */
struct cox_objects; /* <coxswain/object.h> */
struct cox_cluster; /* <coxswain/cluster.h> */

/* A run of bytes that somebody else owns; not terminated by a zero byte. */
struct cox_bytes {
	const void *data;
	size_t size;
};

/*
 * Why an operation failed. The names are the reasons of a Kubernetes Status
 * (meta/v1 Status.reason) and carry that reason's HTTP code. Values are part
 * of the ABI.
 */
enum cox_reason {
	COX_REASON_NONE = 0,
	COX_REASON_BAD_REQUEST = 1,           /* 400 */
	COX_REASON_UNAUTHORIZED = 2,          /* 401 */
	COX_REASON_FORBIDDEN = 3,             /* 403 */
	COX_REASON_NOT_FOUND = 4,             /* 404 */
	COX_REASON_METHOD_NOT_ALLOWED = 5,    /* 405 */
	COX_REASON_NOT_ACCEPTABLE = 6,        /* 406 */
	COX_REASON_ALREADY_EXISTS = 7,        /* 409 */
	COX_REASON_CONFLICT = 8,              /* 409 */
	COX_REASON_GONE = 9,                  /* 410 */
	COX_REASON_EXPIRED = 10,              /* 410 */
	COX_REASON_ENTITY_TOO_LARGE = 11,     /* 413 RequestEntityTooLarge */
	COX_REASON_UNSUPPORTED_MEDIA = 12,    /* 415 UnsupportedMediaType */
	COX_REASON_INVALID = 13,              /* 422 */
	COX_REASON_TOO_MANY_REQUESTS = 14,    /* 429 */
	COX_REASON_INTERNAL_ERROR = 15,       /* 500 */
	COX_REASON_SERVER_TIMEOUT = 16,       /* 500 ServerTimeout: try again */
	COX_REASON_SERVICE_UNAVAILABLE = 17,  /* 503 */
	COX_REASON_TIMEOUT = 18,              /* 504 */
	COX_REASON_INSUFFICIENT_STORAGE = 19, /* 507 */
	COX_REASON_STORE_READ_ERROR = 20      /* 500 StorageReadError */
};

enum cox_log_level {
	COX_LOG_INFO = 'I',
	COX_LOG_WARNING = 'W',
	COX_LOG_ERROR = 'E'
};

/*
 * How many calls the host lets into a plugin at a time. The administrator can
 * tighten the model at run time, never widen it.
 */
enum cox_thread_model {
	COX_THREADS_SERIAL = 1,       /* one call at a time in the whole .so */
	COX_THREADS_PER_INSTANCE = 2, /* one call at a time per instance */
	COX_THREADS_PARALLEL = 3      /* any number of calls at a time */
};

/* Plugin flags (struct cox_plugin.flags). */
#define COX_EXCLUSIVE 1u /* owns a port, a file, …: two instances never run */
#define COX_FAST 2u /* every operation: no I/O, no lock held across a call, < 50 us */

enum cox_option_type {
	COX_OPT_STRING = 1,
	COX_OPT_BOOL = 2,     /* true, false */
	COX_OPT_INT = 3,      /* signed 64 bit, decimal */
	COX_OPT_SIZE = 4,     /* bytes; suffixes Ki Mi Gi k M G */
	COX_OPT_DURATION = 5, /* 1h2m3s, 250ms; handed over as nanoseconds */
	COX_OPT_PATH = 6,     /* handed over absolute */
	COX_OPT_LIST = 7,     /* comma separated; handed over as written */
	COX_OPT_DOCUMENT = 8  /* a nested subtree; handed over as JSON text */
};

#define COX_OPTION_REQUIRED 1u
#define COX_OPTION_SECRET 2u /* the value is never printed or logged */

/*
 * One option of a plugin. The table ends with an entry whose name is NULL. It
 * feeds parsing, type errors, --dump-plugin, near-miss hints and the test of
 * the man page. The host checks type and presence, fills in the default, and
 * refuses unknown keys before the plugin sees anything.
 */
struct cox_option {
	const char *name;     /* lower case words joined by '-' */
	const char *fallback; /* default as it would be typed; NULL: none */
	const char *help;     /* one line, no full stop */
	uint32_t type;        /* enum cox_option_type */
	uint32_t flags;
};

/*
 * The context of one call. Every operation takes one, first after the
 * instance. Borrowed for the call.
 */
struct cox_call {
	uint32_t struct_size;
	uint32_t flags;
	uint64_t deadline_ns;      /* on the monotonic clock; 0: none */
	struct cox_cancel *cancel; /* NULL: cannot be cancelled */
	const char *user;          /* who asked; NULL: the host itself */
	const char *trace_id;      /* the request's audit id; NULL: none */
};

/* Places descriptor `from` of the parent at number `to` in the child. */
struct cox_spawn_fd {
	int from;
	int to;
};

/*
 * A process to start. It begins with an empty signal mask, default signal
 * dispositions, the environment listed here and the descriptors listed here,
 * and nothing else of the parent; 0, 1 and 2 are /dev/null unless listed.
 */
struct cox_spawn {
	uint32_t struct_size;
	uint32_t flags;                 /* 0 */
	const char *path;               /* absolute */
	const char *const *argv;        /* ends with NULL */
	const char *const *env;         /* KEY=value, ends with NULL; NULL: none */
	const char *cwd;                /* NULL: "/" */
	const struct cox_spawn_fd *fds; /* `to` at most once each */
	size_t fd_count;
};

/*
 * What the host does for a plugin: a table, so that a plugin has no undefined
 * symbols. Valid from create() until destroy() returns. All functions may be
 * called from any thread.
 */
struct cox_host {
	uint32_t struct_size; /* of the host's table */
	uint32_t abi;         /* COX_PLUGIN_ABI of the host */

	const char *program; /* "kube-apiserver": the daemon's own name */
	void *context;       /* the host's; pass it back as the first argument */

	/* Logs one line; the host adds time, place and the plugin's name. */
	void (*log)(void *context, int level, const char *format, ...) COX_PRINTF(3, 4);
	/* Logs if -v is at least `verbosity`; cheap when it is not. */
	void (*log_verbose)(void *context, int verbosity, const char *format, ...)
		COX_PRINTF(3, 4);

	/*
	 * Fills `err` and returns -1, so that `return host->fail(...)` is the
	 * whole error path. A second call replaces the first. NULL is allowed
	 * as err. The text is a sentence without a full stop, in the words of
	 * the person who reads it.
	 */
	int (*fail)(struct cox_error *err, enum cox_reason reason, const char *format, ...)
		COX_PRINTF(3, 4);
	/* The object field at fault, as in "spec.ports[0].nodePort". */
	void (*fail_field)(struct cox_error *err, const char *path);
	/* When to try again; goes out as Retry-After. */
	void (*fail_retry_after)(struct cox_error *err, uint32_t seconds);

	/* Appends key=value to what --dump-plugin prints. */
	void (*dump)(struct cox_dump *out, const char *key, const char *format, ...)
		COX_PRINTF(3, 4);

	uint64_t (*monotonic_ns)(void); /* for deadlines and timeouts */
	uint64_t (*realtime_ns)(void);  /* since 1970, for timestamps */
	int (*cancelled)(const struct cox_call *call); /* 1: cancelled or late */
	/* Fills `data` with unpredictable bytes; never fails. */
	void (*random)(void *data, size_t size);
	/*
	 * Counters and gauges of /metrics, named coxswain_plugin_<what> and
	 * labelled with kind and name. `what` is a string constant.
	 */
	void (*count)(void *context, const char *what, uint64_t add);
	void (*gauge)(void *context, const char *what, int64_t value);

	/*
	 * Starts a process; the only way to do so, since a plain fork would
	 * leak the daemon's sockets and signal mask into it. Returns once exec
	 * has succeeded. `*pidfd` is the plugin's to wait on (poll, then
	 * waitid(P_PIDFD)) and to close; `*pid` may be NULL. 0 or -1.
	 */
	int (*spawn)(void *context, const struct cox_spawn *what, int *pidfd, int32_t *pid,
		     struct cox_error *err);

	/* Reading API objects; NULL for kinds that never see one (storage). */
	const struct cox_objects *objects;
	/*
	 * The cluster under the plugin's own identity; NULL for kinds that
	 * have none. A controller gets its own in setup().
	 */
	const struct cox_cluster *cluster;

	/*
	 * More about a failure, after fail(). fail_about: the object that it is
	 * about, by the plural name of its kind (Status.details); the text is
	 * then told to the client as it is, without "... is forbidden: " before
	 * it. fail_cause: one of several causes; `reason` is a string constant
	 * ("FieldValueInvalid", …), `field` may be NULL.
	 */
	void (*fail_about)(struct cox_error *err, const char *group, const char *resource,
			   const char *name);
	void (*fail_cause)(struct cox_error *err, const char *reason, const char *field,
			   const char *format, ...) COX_PRINTF(4, 5);
	/*
	 * Logs one line as it is, under a place of the plugin's own (__FILE__,
	 * __LINE__) and without its name: for lines that others search for.
	 */
	void (*log_at)(void *context, int level, const char *file, int line, const char *format,
		       ...) COX_PRINTF(5, 6);
};

/*
 * The descriptor. Written by the macro of the plugin's kind, which sets the
 * first six fields; the rest are set by name.
 *
 * Life of an instance, all from one thread:
 *   create           make the instance; no I/O
 *   config           once for each option that has a value, types checked
 *   config_complete  check the whole; open nothing yet
 *   get_ready        open files and sockets; still in the foreground, so the
 *                    last error that the administrator sees on the terminal
 *   start            begin threads; the process has its final user and rights
 *   ... operations ...
 *   stop             end threads; no call is in flight when it begins, and
 *                    none follows
 *   destroy          free everything
 * stop is called only after a start that succeeded, destroy after every create
 * that did. --check-config ends after config_complete. Functions may be NULL,
 * except create.
 */
struct cox_plugin {
	uint32_t magic;       /* COX_PLUGIN_MAGIC */
	uint32_t abi;         /* COX_PLUGIN_ABI */
	uint32_t struct_size; /* of this struct, as the plugin saw it */
	uint32_t host_size;   /* the smallest host table it can live with */
	uint32_t ops_abi;     /* of the kind; 0: this release only */
	uint32_t ops_size;    /* of the kind's ops table, as the plugin saw it */

	uint32_t thread_model; /* enum cox_thread_model */
	uint32_t option_size;  /* stride of the options array */
	uint32_t flags;        /* COX_EXCLUSIVE, COX_FAST */
	uint32_t reserved;     /* 0 */

	const char *kind;        /* "storage" */
	const char *name;        /* "leveldb"; the name that users type */
	const char *version;     /* of the plugin, for people */
	const char *release;     /* COX_RELEASE of the headers it saw */
	const char *description; /* one line for --list-plugins */

	const struct cox_option *options; /* NULL: none */
	const void *ops;                  /* the kind's table */

	void *(*create)(const struct cox_host *host, struct cox_error *err);
	int (*config)(void *self, const char *key, const char *value, struct cox_error *err);
	int (*config_complete)(void *self, struct cox_error *err);
	int (*get_ready)(void *self, struct cox_error *err);
	int (*start)(void *self, struct cox_error *err);
	void (*stop)(void *self);
	void (*destroy)(void *self);
	void (*dump)(const void *self, struct cox_dump *out);
};

COX_STATIC_ASSERT(sizeof(struct cox_plugin) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_host) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_option) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_call) % sizeof(void *) == 0, "no tail padding");

/*
 * Used by the macros of the kinds; not meant to be written by hand. A plugin
 * that can live with an older host than its headers says so by overriding
 * .host_size with COX_HOST_SIZE_UP_TO(last member it uses).
 */
#define COX_PLUGIN_DESCRIPTOR(kind_name, kind_abi, ops_table, ...)                             \
	extern COX_EXPORT const struct cox_plugin cox_plugin;                                  \
	const struct cox_plugin cox_plugin = {.magic = COX_PLUGIN_MAGIC,                       \
					      .abi = COX_PLUGIN_ABI,                           \
					      .struct_size = sizeof(struct cox_plugin),        \
					      .host_size = sizeof(struct cox_host),            \
					      .ops_abi = (kind_abi),                           \
					      .ops_size = sizeof(ops_table),                   \
					      .option_size = sizeof(struct cox_option),        \
					      .kind = (kind_name),                             \
					      .release = COX_RELEASE,                          \
					      .ops = &(ops_table),                             \
					      __VA_ARGS__}

#define COX_HOST_SIZE_UP_TO(member)                                                            \
	(uint32_t)(offsetof(struct cox_host, member) + sizeof(((struct cox_host *)0)->member))

#ifdef __cplusplus
}
#endif

#endif
