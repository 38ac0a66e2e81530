/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a container, and $(NAME) in its command. */
#ifndef COX_KUBELET_ENV_H
#define COX_KUBELET_ENV_H

#include "kubelet/fields.h"

struct env {
	COX_VEC(struct cox_pair) pairs; /* texts are the arena's */
};

/*
 * In the order of evaluation: envFrom, env, then the variables of services
 * that neither set. -1: something that it refers to is missing.
 */
int env_make(const struct field_source *source, const struct value *container, struct arena *arena,
	     struct env *env, struct cox_error *err) COX_MUST_CHECK;
void env_free(struct env *env);

/* $(NAME) of `env`; $$ is $, and what is not known stays as it is. */
const char *env_expand(struct arena *arena, const struct env *env, const char *text);

/* An object by its name, from the API server; a reader of the caller's, or NULL. */
struct cox_object *env_fetch(struct kubelet *kubelet, const char *resource, const char *namespace,
			     const char *name, struct cox_error *err);

#endif
