/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of kinds. A kind is one line in `kinds`, one list of operations,
 * and one list of the names that are in this tree (for "did you mean"). Every
 * member of an ops table is listed, which the assertions check, so that
 * --dump-plugin can say what a plugin has and the loader what it lacks.
 */
#include "host/kinds.h"

#include <coxswain/authenticator.h>
#include <coxswain/authorizer.h>
#include <coxswain/storage.h>
#include <string.h>

#define REQUIRED(kind, op)                                                                         \
	{                                                                                          \
#op, offsetof(struct cox_##kind##_ops, op), true                                   \
	}
#define OPTIONAL(kind, op)                                                                         \
	{                                                                                          \
#op, offsetof(struct cox_##kind##_ops, op), false                                  \
	}

static const struct host_op storage_ops[] = {
	REQUIRED(storage, capabilities), REQUIRED(storage, submit),
	REQUIRED(storage, range),	 REQUIRED(storage, watch),
	REQUIRED(storage, watch_cancel), REQUIRED(storage, revision),
	REQUIRED(storage, compact),	 OPTIONAL(storage, snapshot),
	REQUIRED(storage, stats),	 REQUIRED(storage, health),
};
static const char *const storage_known[] = {"memory", "leveldb", "etcd", NULL};

static const struct host_op authenticator_ops[] = {REQUIRED(authenticator, authenticate)};
static const char *const authenticator_known[] = {"x509",      "token",	  "basic", "serviceaccount",
						  "bootstrap", "webhook", NULL};

static const struct host_op authorizer_ops[] = {
	REQUIRED(authorizer, authorize),
	OPTIONAL(authorizer, rules),
};
static const char *const authorizer_known[] = {"AlwaysAllow", "AlwaysDeny", "ABAC", "RBAC",
					       "Node",	      "Webhook",    NULL};

#define KIND(kind, abi)                                                                            \
	{                                                                                          \
#kind, abi, sizeof(struct cox_##kind##_ops), kind##_ops,                           \
			sizeof(kind##_ops) / sizeof(kind##_ops[0]), kind##_known                   \
	}
#define ALL_LISTED(kind)                                                                           \
	_Static_assert(sizeof(kind##_ops) / sizeof(kind##_ops[0]) * sizeof(void (*)(void)) ==      \
			       sizeof(struct cox_##kind##_ops),                                    \
		       "list every operation of " #kind)

ALL_LISTED(storage);
ALL_LISTED(authenticator);
ALL_LISTED(authorizer);

static const struct host_kind kinds[] = {
	KIND(authenticator, COX_AUTHENTICATOR_OPS_ABI),
	KIND(authorizer, COX_AUTHORIZER_OPS_ABI),
	KIND(storage, COX_STORAGE_OPS_ABI),
};

const struct host_kind *host_kind_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const char *host_kind_names(void)
{
	return "authenticator, authorizer, storage";
}
