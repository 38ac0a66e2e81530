/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller plugin: brings what is towards what is wanted, one key at a
 * time.
 *
 * In setup() it declares queues, and sources that turn changes of objects into
 * keys of a queue. When all sources are complete and this daemon is the
 * leader, the host calls reconcile() for every key. A key waits in its queue
 * once however often it is added, and is never worked on by two workers at a
 * time; added meanwhile, it comes again. reconcile() looks at the state of the
 * world, never at the change that woke it.
 *
 * The thread model governs setup() and reconcile(). The callbacks of sources and
 * indexes come from the host's watch thread whatever the model says, so what
 * they share with reconcile() they guard themselves.
 *
 * reconcile() that fails is called again later: 5 ms, doubled each time, up to
 * 1000 s. Success forgets the failures.
 */
#ifndef COXSWAIN_CONTROLLER_H
#define COXSWAIN_CONTROLLER_H

#include <coxswain/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_CONTROLLER_OPS_ABI 0u

struct cox_cloud; /* <coxswain/cloud.h> */

struct cox_source {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_resource *resource;
	const char *namespace_name; /* NULL: all */
	const char *label_selector; /* NULL: all */
	const char *field_selector;
	const struct cox_index *indexes; /* NULL: none */
	/* Where the keys go. NULL: nowhere; the source is for listing only. */
	const char *queue;
	/*
	 * The keys that a change stands for; `old` NULL: the object is new,
	 * `now` NULL: it is gone. NULL: the object's own "namespace/name" (or
	 * "name"). Quick, no I/O; called in the order of changes.
	 */
	void (*keys)(void *self, const struct cox_object *old, const struct cox_object *now,
		     const struct cox_keys *keys);
	uint64_t resync_ns; /* every object again this often, as old and now; 0: never */
};

/*
 * What setup() builds with. `builder` goes first into its functions, which are
 * for setup() only, except source(), drop_source() and enqueue(), which may be
 * used from any thread until stop.
 */
struct cox_controller_setup {
	uint32_t struct_size;
	uint32_t reserved;
	void *builder;
	const struct cox_cluster *cluster; /* valid until stop() */

	/* A queue and how many workers it has (1 to 64). */
	int (*queue)(void *builder, const char *name, uint32_t workers, struct cox_error *err);
	/* Strings and tables are copied. The lister is closed by the host. */
	struct cox_lister *(*source)(void *builder, const struct cox_source *source,
				     struct cox_error *err);
	/* Ends a source early: one that was opened for a kind that is gone. */
	void (*drop_source)(void *builder, struct cox_lister *lister);
	/* Adds `key` to `queue` again and again, first after one period. */
	int (*every)(void *builder, const char *queue, const char *key, uint64_t period_ns,
		     struct cox_error *err);
	/* Adds `key` once, after `delay_ns`. 0, or -1: no such queue. */
	int (*enqueue)(void *builder, const char *queue, const char *key, uint64_t delay_ns);
	/* What --cloud-provider names, valid until stop(); NULL: nothing is named. */
	const struct cox_cloud *cloud;
};

struct cox_controller_ops {
	/* Before start(). `setup` stays valid until stop(). Required. */
	int (*setup)(void *self, const struct cox_controller_setup *setup, struct cox_error *err);
	/*
	 * Works on one key. Sets `*again_ns` to be called again after that
	 * time though it succeeded (0, as it comes: not). Required.
	 */
	int (*reconcile)(void *self, const struct cox_call *call, const char *queue,
			 const char *key, uint64_t *again_ns, struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_source) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_controller_setup) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_controller_ops) % sizeof(void *) == 0, "no tail padding");

/* The descriptor of a controller plugin, for example:
 *   COX_CONTROLLER_PLUGIN(replication_ops, .name = "replication", .version = "1",
 *                         .thread_model = COX_THREADS_PARALLEL, .create = replication_create);
 */
#define COX_CONTROLLER_PLUGIN(ops_table, ...)                                                      \
	COX_PLUGIN_DESCRIPTOR("controller", COX_CONTROLLER_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
