/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod can learn of itself: fieldRef and resourceFieldRef. */
#ifndef COX_KUBELET_FIELDS_H
#define COX_KUBELET_FIELDS_H

#include "kubelet/pod.h"

struct field_source {
	struct kubelet *kubelet;
	const struct cox_object *object; /* the pod */
	const char *pod_ips[2];		 /* NULL: not known yet */
	const char *container;		 /* whose resources, where not said; NULL: none */
};

/*
 * Appends what `selector`, which holds a fieldRef or a resourceFieldRef, stands
 * for. -1: there is no such thing, or not yet.
 */
int fields_write(const struct field_source *source, const struct value *selector,
		 struct cox_buf *out, struct cox_error *err) COX_MUST_CHECK;

/* The container of that name, init and ephemeral ones too; NULL: none. */
const struct value *fields_container(const struct cox_object *pod, const char *name);

/* The same of its status. */
const struct value *fields_status(const struct cox_object *pod, const char *name);

/* The addresses of this node, as hostIPs; "" before there is one. */
const char *fields_host_ip(const struct kubelet *kubelet);

#endif
