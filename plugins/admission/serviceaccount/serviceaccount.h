/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the plugin ServiceAccount. */
#ifndef SERVICEACCOUNT_H
#define SERVICEACCOUNT_H

#include "lookup.h"

#include <stdbool.h>

#define TOKEN_MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"

struct accounts {
	const struct cox_host *host;
	const struct cox_objects *objects;
	struct lookup lookup;
	bool token_signing;
	int64_t attempts;
	uint64_t interval_ns;
};

/* The three lists of containers of a pod, as they are told. */
struct container_kind {
	const char *member, *told;
};
enum { CONTAINER_KINDS = 3 };
extern const struct container_kind container_kinds[CONTAINER_KINDS];

/* Whether the pod is to have a token, as the pod and then the account say. */
bool wants_token(const struct accounts *self, const struct cox_value *pod,
		 const struct cox_value *account);
/* Whether a container lacks the mount that tokens are found in. */
bool lacks_token_mount(const struct accounts *self, const struct cox_value *pod);
/* Adds the volume of the token and its mounts. */
int mount_token(const struct accounts *self, const struct cox_value *pod,
		const struct cox_admission_changes *changes, struct cox_error *err);
/* A pod without imagePullSecrets gets those of the account. */
int copy_pull_secrets(const struct accounts *self, const struct cox_value *pod,
		      const struct cox_value *account, const struct cox_admission_changes *changes,
		      struct cox_error *err);

/* Whether anything in the pod refers to a secret. */
bool refers_to_secrets(const struct cox_objects *objects, const struct cox_value *pod);
/* Whether a volume of the pod asks for a token. */
bool projects_token(const struct cox_objects *objects, const struct cox_value *pod);
/*
 * An account with kubernetes.io/enforce-mountable-secrets lends only the
 * secrets that it names.
 */
int check_secrets(const struct accounts *self, const struct cox_value *pod,
		  const struct cox_value *account, struct cox_error *err);

#endif
