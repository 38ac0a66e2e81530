/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of a pod, through the volume plugins. They lie in
 * ROOT/pods/UID/volumes/kubernetes.io~PLUGIN/NAME, so that what is there says
 * which plugin takes it down again.
 */
#ifndef COX_KUBELET_VOLUMES_H
#define COX_KUBELET_VOLUMES_H

#include "kubelet/pod.h"

/*
 * Sets all of them up, or brings them up to date. -1: one could not be, and
 * people were told. `*again`: monotonic, when to call again; 0: no need.
 */
int volumes_set_up(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		   uint64_t *again, struct cox_error *err) COX_MUST_CHECK;
/*
 * Takes away what a reboot would: every mount below the pod's directory. What
 * lies on the disk stays, and volumes_set_up makes the rest again.
 */
int volumes_release(struct kubelet *kubelet, const char *uid, struct cox_error *err) COX_MUST_CHECK;
/* Takes down whatever lies in the pod's directory, and the directory. */
int volumes_tear_down(struct kubelet *kubelet, const char *uid,
		      struct cox_error *err) COX_MUST_CHECK;

/*
 * Where a volumeMount of `container` lies on this machine, its subPath
 * included; the arena's. NULL: `err` says why.
 */
const char *volumes_mount_path(struct kubelet *kubelet, struct pod *pod,
			       const struct cox_object *object, const struct value *container,
			       const struct value *mount, const char *sub_path, size_t index,
			       struct arena *arena, struct cox_error *err);

/* Whether a volumeMount is of a volume that containers never write into. */
bool volumes_are_readonly(struct kubelet *kubelet, const struct pod *pod,
			  const struct cox_object *object, const struct value *mount);

/* ROOT/pods/UID[/below]; the arena's. */
const char *volumes_pod_directory(struct kubelet *kubelet, struct arena *arena, const char *uid,
				  const char *below);
/* mkdir -p; directories that it makes get `mode`. */
int volumes_make_directory(const char *path, unsigned mode, struct cox_error *err) COX_MUST_CHECK;

/*
 * subpath.c: bind-mounts what `sub_path` names below `volume`, links never
 * leaving it, onto `target`, which it makes. A missing directory is created.
 */
int subpath_mount(const char *volume, const char *sub_path, const char *target,
		  struct cox_error *err) COX_MUST_CHECK;
/* Opens `path` below `root`, with a path descriptor; what is missing is made a directory. */
int subpath_open(const char *root, const char *path, struct cox_error *err) COX_MUST_CHECK;
/* Unmounts and removes everything below `directory`, deepest first. */
int subpath_unmount_all(const char *directory, struct cox_error *err) COX_MUST_CHECK;

#endif
