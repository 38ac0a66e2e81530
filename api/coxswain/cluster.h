/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster as a plugin sees it: the API server under the plugin's own
 * identity, and listers, which are local copies of collections that the host
 * keeps up to date. One table per plugin instance; every function takes its
 * `context` first and may be called from any thread.
 *
 * Reading through a lister costs no request but may lag behind: a write that
 * succeeded is seen there a moment later. Writes that must not be based on old
 * data carry metadata.resourceVersion and are refused with CONFLICT.
 */
#ifndef COXSWAIN_CLUSTER_H
#define COXSWAIN_CLUSTER_H

#include <coxswain/object.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A kind of object: group "" is the core group; `resource` is the plural. */
struct cox_resource {
	const char *group;
	const char *version;
	const char *resource;
};

enum cox_verb {
	COX_GET = 1,
	COX_LIST = 2,
	COX_CREATE = 3,
	COX_UPDATE = 4,
	COX_PATCH_MERGE = 5,	 /* body: RFC 7386 */
	COX_PATCH_STRATEGIC = 6, /* body: a strategic merge patch */
	COX_PATCH_JSON = 7,	 /* body: RFC 6902 */
	COX_DELETE = 8,		 /* body: DeleteOptions, or none */
	COX_DELETE_COLLECTION = 9
};

/* A request. Strings that do not apply are NULL. */
struct cox_request {
	uint32_t struct_size;
	uint32_t verb; /* enum cox_verb */
	const struct cox_resource *resource;
	const char *namespace_name; /* NULL: cluster-wide */
	const char *name;
	const char *subresource;
	const char *label_selector; /* lists */
	const char *field_selector;
	const void *body; /* JSON */
	size_t body_size;
	/* COX_GET of a document that is no object, as "/apis"; resource is NULL then. */
	const char *path;
};

struct cox_lister;

/* Receives the keys that an object or a change stands for. */
struct cox_keys {
	void (*emit)(const struct cox_keys *keys, const char *key);
};

/* Receives objects, borrowed for the call. 0: go on, else: enough. */
struct cox_object_sink {
	int (*object)(void *to, const struct cox_object *object);
	void *to;
};

/*
 * An index of a lister: the values under which an object is found. Emits any
 * number of them. Quick, no I/O; called with the lister's lock held.
 */
struct cox_index {
	const char *name; /* ends the list when NULL */
	void (*values)(const struct cox_objects *objects, const struct cox_object *object,
		       const struct cox_keys *values);
};

/* Who a lister tells of changes: a new object has no `old`, a gone one no `now`. */
struct cox_lister_watcher {
	void (*changed)(void *self, const struct cox_object *old, const struct cox_object *now);
	void *self;
};

struct cox_lister_options {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_resource *resource;
	const char *namespace_name; /* NULL: all */
	const char *label_selector; /* NULL: all */
	const char *field_selector;
	const struct cox_index *indexes; /* NULL: none */
	/* NULL: nobody. Quick, no I/O, from the host's watch thread, in order. */
	const struct cox_lister_watcher *watcher;
	uint64_t resync_ns; /* tell the watcher of every object this often; 0: never */
};

struct cox_cluster {
	uint32_t struct_size;
	uint32_t reserved;
	void *context;
	const struct cox_objects *objects;

	/*
	 * One request. `*answer` (may be NULL) becomes a reference of the
	 * caller's: the object, the list object, or the Status of a delete.
	 * Blocks until the call's deadline, one minute at most.
	 */
	int (*request)(void *context, const struct cox_call *call,
		       const struct cox_request *request, struct cox_object **answer,
		       struct cox_error *err);
	enum cox_reason (*reason)(const struct cox_error *err); /* of a failed request */
	const char *(*message)(const struct cox_error *err);	/* borrowed */
	/*
	 * An error of the plugin's own, for a request whose failure it deals
	 * with. Free it once; error_clear makes it fit for another request.
	 */
	struct cox_error *(*error_new)(void);
	void (*error_clear)(struct cox_error *err);
	void (*error_free)(struct cox_error *err);

	/* Opens a collection, shared with others that ask for the same. */
	struct cox_lister *(*lister_open)(void *context, const struct cox_lister_options *options,
					  struct cox_error *err);
	/* The watcher is not called any more once it has returned. */
	void (*lister_close)(struct cox_lister *lister);
	int (*lister_synced)(const struct cox_lister *lister); /* 1: has been complete once */
	/* A reference of the caller's, or NULL. namespace_name NULL: cluster-wide kinds. */
	struct cox_object *(*get)(const struct cox_lister *lister, const char *namespace_name,
				  const char *name);
	/* All, or those of a namespace; as of one moment. */
	void (*list)(const struct cox_lister *lister, const char *namespace_name,
		     const struct cox_object_sink *sink);
	/* Those that an index has under `value`. */
	void (*find)(const struct cox_lister *lister, const char *index, const char *value,
		     const struct cox_object_sink *sink);

	/*
	 * Tells people what happened to `about`, as an Event. `type` is
	 * "Normal" or "Warning". Never blocks; repeats are counted up.
	 */
	void (*event)(void *context, const struct cox_object *about, const char *type,
		      const char *reason, const char *format, ...) COX_PRINTF(5, 6);
};

COX_STATIC_ASSERT(sizeof(struct cox_request) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_cluster) % sizeof(void *) == 0, "no tail padding");

#ifdef __cplusplus
}
#endif

#endif
