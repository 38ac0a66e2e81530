/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admission plugin: sees every change of an object before it is stored,
 * may change it (admit) or refuse it (admit, validate).
 *
 * The host calls the plugins in the configured order, first admit() of all of
 * them, and after the object is complete validate() of all of them. The first
 * refusal ends the request. A plugin sees the changes of those before it. When
 * a write is tried again because somebody else was faster, the chain runs
 * again from the fresh object: same `id`, next `attempt`. What a plugin counts
 * must allow for that.
 *
 * A refusal with COX_REASON_FORBIDDEN is told to the client as
 *   pods "web" is forbidden: <the plugin's message>
 * unless it says with host->fail_about() what it is about; every other reason
 * is told as it is, in the plugin's words.
 */
#ifndef COXSWAIN_ADMISSION_H
#define COXSWAIN_ADMISSION_H

#include <coxswain/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_ADMISSION_OPS_ABI 0u

enum cox_operation {
	COX_OPERATION_CREATE = 1,
	COX_OPERATION_UPDATE = 2,
	COX_OPERATION_DELETE = 4,
	COX_OPERATION_CONNECT = 8 /* exec, attach, proxy, … */
};

#define COX_ADMISSION_DRY_RUN 1u /* leave no trace */

/* What is asked for. Texts are never NULL; everything is borrowed. */
struct cox_admission_request {
	uint32_t struct_size;
	uint32_t operation; /* enum cox_operation */
	uint32_t flags;
	uint32_t attempt; /* 1, and more when the write is tried again */
	const char *group, *version, *resource, *subresource;
	const char *kind;	/* of the object */
	const char *namespace_; /* "" for cluster scope */
	const char *name;	/* "" while a generated one is not known */
	const char *user, *uid; /* who asks */
	const char *const *groups;
	size_t group_count;
	const struct cox_object *object; /* NULL for a delete */
	const struct cox_object *old;	 /* NULL for a create */
	uint64_t id; /* of the request, the same for all its attempts; never used again */
};

/*
 * Changes are said, not done: the host applies them when admit() has returned
 * 0, defaults and decodes the object again, and shows it to the next plugin.
 * Paths are JSON Pointers (RFC 6901): "/spec/containers/0/image", and a last
 * part "-" appends to a list. set() and remove() fail in validate().
 */
struct cox_admission_changes {
	uint32_t struct_size;
	uint32_t reserved;
	/*
	 * Puts a value, given as JSON text, where the path says: replaces a
	 * member, inserts into a list. The parent must exist. 0 or -1.
	 */
	int (*set)(const struct cox_admission_changes *changes, const char *path, const char *json,
		   struct cox_error *err);
	int (*remove)(const struct cox_admission_changes *changes, const char *path,
		      struct cox_error *err);
	/* A warning for the client. */
	void (*warn)(const struct cox_admission_changes *changes, const char *text);
	/* An annotation of the audit record: "PLUGIN/KEY" = value. */
	void (*audit)(const struct cox_admission_changes *changes, const char *key,
		      const char *value);
};

struct cox_admission_ops {
	/*
	 * Called once between get_ready() and start(), with the cluster under
	 * the plugin's own identity; it stays valid until stop(). Listers are
	 * opened here. Optional.
	 */
	int (*setup)(void *self, const struct cox_cluster *cluster, struct cox_error *err);
	/* 1: may be called (its listers are complete). FAST. Optional: always. */
	int (*ready)(void *self);
	/*
	 * 1: wants to see requests like this one; of `request` all but the
	 * objects are set. FAST. Optional: everything but connects.
	 */
	int (*handles)(void *self, const struct cox_admission_request *request);
	/* 0: let it pass, with the changes said; -1: refuse. Optional. */
	int (*admit)(void *self, const struct cox_call *call,
		     const struct cox_admission_request *request,
		     const struct cox_admission_changes *changes, struct cox_error *err);
	/* The same for the final object, without changes. Optional. */
	int (*validate)(void *self, const struct cox_call *call,
			const struct cox_admission_request *request,
			const struct cox_admission_changes *changes, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_admission_request) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_admission_ops) % sizeof(void *) == 0, "no tail padding");

#define COX_ADMISSION_PLUGIN(ops_table, ...)                                                   \
	COX_PLUGIN_DESCRIPTOR("admission", COX_ADMISSION_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
