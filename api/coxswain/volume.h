/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volume plugin: makes the directory that a volume of a pod is.
 *
 * For each entry of a pod's spec.volumes the host asks every volume plugin in
 * turn whether it recognises the source; the first that does owns the volume.
 * set_up is called before the pod's containers are made, and again now and
 * then while the pod runs, so that what the volume shows can follow its
 * source; tear_down when the pod is gone. Both are idempotent, and what is set
 * up survives the end of this process: all that tear_down needs lies in the
 * directory.
 *
 * The directory belongs to the plugin from set_up to tear_down. Its parents
 * exist and only the superuser can enter them.
 */
#ifndef COXSWAIN_VOLUME_H
#define COXSWAIN_VOLUME_H

#include <coxswain/cluster.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COX_VOLUME_OPS_ABI 0u
#define COX_VOLUME_PATH_SIZE 4096u /* with the zero byte */

/* A volume of a pod. Everything is borrowed for the call. */
struct cox_volume {
	uint32_t struct_size;
	uint32_t reserved;
	const struct cox_objects *objects;
	const struct cox_cluster *cluster; /* under the node's identity */
	const struct cox_object *pod;	   /* as the API has it */
	const struct cox_value *source;	   /* the entry of spec.volumes; has "name" */
	const char *name;		   /* of the volume */
	const char *directory;		   /* where it is to be; absolute */
	const char *node;		   /* name of this node */
	int64_t fs_group;		   /* spec.securityContext.fsGroup; -1: none */

	/*
	 * Writes what a fieldRef or a resourceFieldRef stands for (`selector`
	 * holds one of the two), as an environment variable would show it.
	 */
	int (*field)(void *context, const struct cox_value *selector, const struct cox_writer *to,
		     struct cox_error *err);
	void *context;
};

/* What set_up found. The host presets it to zeros. */
struct cox_volume_result {
	uint32_t struct_size;
	uint32_t reserved;
	/* When set_up wants to be called again; 0: never, once it succeeded. */
	uint64_t again_ns;
	/* What to mount, if it is not the directory itself; "": it is. */
	char path[COX_VOLUME_PATH_SIZE];
};

struct cox_volume_ops {
	/*
	 * 1: the source is of this plugin's kind. Quick, no I/O. Required.
	 */
	int (*recognise)(void *self, const struct cox_objects *objects,
			 const struct cox_value *source);
	/*
	 * Makes the volume whole, or brings it up to date. A failure is told
	 * to people and tried again later. Required.
	 */
	int (*set_up)(void *self, const struct cox_call *call, const struct cox_volume *volume,
		      struct cox_volume_result *result, struct cox_error *err);
	/*
	 * Takes the directory away with all that is in it. The pod may be
	 * unknown by now, so only the directory is given. Required.
	 */
	int (*tear_down)(void *self, const struct cox_call *call, const char *directory,
			 struct cox_error *err);
	/*
	 * 1: containers never write into these volumes, whatever the pod says.
	 * Quick, no I/O. NULL: the pod decides.
	 */
	int (*readonly)(void *self);
	/*
	 * Takes away what a reboot of the machine would take away: mounts and
	 * connections. What was written to a disk stays, and set_up may follow
	 * again. NULL: there is nothing of the kind.
	 */
	int (*release)(void *self, const struct cox_call *call, const char *directory,
		       struct cox_error *err);
};

COX_STATIC_ASSERT(sizeof(struct cox_volume_ops) % sizeof(void *) == 0, "no tail padding");
COX_STATIC_ASSERT(sizeof(struct cox_volume) % sizeof(void *) == 0, "no tail padding");

#define COX_VOLUME_PLUGIN(ops_table, ...)                                                          \
	COX_PLUGIN_DESCRIPTOR("volume", COX_VOLUME_OPS_ABI, ops_table, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
