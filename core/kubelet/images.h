/* SPDX-License-Identifier: Apache-2.0 */
/* Images of containers: looked up, pulled, and waited for. */
#ifndef COX_KUBELET_IMAGES_H
#define COX_KUBELET_IMAGES_H

#include "kubelet/pod.h"

/*
 * 0: the image is there, and `*ref` (the caller's to free) says how the runtime
 * calls it. 1: not yet; the record says what it waits for, and the pod is woken
 * when that changes. -1: it will not come without somebody's help.
 */
int images_ensure(struct kubelet *kubelet, struct pod *pod, const struct cox_object *object,
		  const struct value *container, struct container_record *record, char **ref);

/* One image of the runtime, copied out. */
struct image_facts {
	char *id;
	uint64_t size;
	int64_t uid;
	char *username;
};
/* 0, 1: there is none, -1: the runtime cannot say. */
int images_find(struct kubelet *kubelet, const char *name, struct image_facts *facts,
		struct cox_error *err);
void images_facts_free(struct image_facts *facts);

/* Everything there is; texts are the arena's. */
struct image_entry {
	const char *id;
	uint64_t size;
	bool pinned;
	struct cox_strings names; /* by digest, then by tag */
};
struct image_list {
	struct image_entry *items;
	size_t count, capacity;
};
int images_list(struct kubelet *kubelet, struct arena *arena, struct image_list *list,
		struct cox_error *err) COX_MUST_CHECK;
void images_list_free(struct image_list *list);

/*
 * Credentials for `image` from the pod's imagePullSecrets: fills `auth`, whose
 * texts are the arena's; false: there are none.
 */
bool images_auth(struct kubelet *kubelet, const struct cox_object *pod, const char *image,
		 struct arena *arena, struct cox_registry_auth *auth);

#endif
