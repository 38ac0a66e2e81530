/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of kinds. A kind is one line in `kinds` and one list of operations. Every
 * member of an ops table is listed, which the assertions check, so that
 * --dump-plugin can say what a plugin has and the loader what it lacks.
 */
#include "host/kinds.h"

#include <coxswain/admission.h>
#include <coxswain/authenticator.h>
#include <coxswain/authorizer.h>
#include <coxswain/cloud.h>
#include <coxswain/controller.h>
#include <coxswain/kit/buf.h>
#include <coxswain/network.h>
#include <coxswain/proxy.h>
#include <coxswain/runtime.h>
#include <coxswain/scheduler.h>
#include <coxswain/storage.h>
#include <coxswain/volume.h>
#include <pthread.h>
#include <string.h>

/* clang-format off */
#define REQUIRED(kind, op) {#op, offsetof(struct cox_##kind##_ops, op), true}
#define OPTIONAL(kind, op) {#op, offsetof(struct cox_##kind##_ops, op), false}
/* clang-format on */

static const struct host_op storage_ops[] = {
	REQUIRED(storage, capabilities), REQUIRED(storage, submit),
	REQUIRED(storage, range),	 REQUIRED(storage, watch),
	REQUIRED(storage, watch_cancel), REQUIRED(storage, revision),
	REQUIRED(storage, compact),	 OPTIONAL(storage, snapshot),
	REQUIRED(storage, stats),	 REQUIRED(storage, health),
};

static const struct host_op admission_ops[] = {
	OPTIONAL(admission, setup), OPTIONAL(admission, ready),	   OPTIONAL(admission, handles),
	OPTIONAL(admission, admit), OPTIONAL(admission, validate),
};

static const struct host_op authenticator_ops[] = {
	REQUIRED(authenticator, authenticate),
	OPTIONAL(authenticator, setup),
};

static const struct host_op authorizer_ops[] = {
	REQUIRED(authorizer, authorize),
	OPTIONAL(authorizer, rules),
};

static const struct host_op cloud_ops[] = {
	OPTIONAL(cloud, balancer_get),	   OPTIONAL(cloud, balancer_ensure),
	OPTIONAL(cloud, balancer_update),  OPTIONAL(cloud, balancer_remove),
	OPTIONAL(cloud, balancer_restore), OPTIONAL(cloud, instance),
};

static const struct host_op controller_ops[] = {
	REQUIRED(controller, setup),
	REQUIRED(controller, reconcile),
};

static const struct host_op network_ops[] = {
	REQUIRED(network, status),    OPTIONAL(network, set_pod_cidrs),
	REQUIRED(network, set_up),    REQUIRED(network, tear_down),
	REQUIRED(network, addresses), REQUIRED(network, reconcile),
};

static const struct host_op proxy_ops[] = {
	REQUIRED(proxy, sync),
	OPTIONAL(proxy, cleanup),
};

static const struct host_op runtime_ops[] = {
	REQUIRED(runtime, version),
	REQUIRED(runtime, status),
	REQUIRED(runtime, sandbox_run),
	REQUIRED(runtime, sandbox_stop),
	REQUIRED(runtime, sandbox_remove),
	REQUIRED(runtime, sandbox_list),
	REQUIRED(runtime, container_create),
	REQUIRED(runtime, container_start),
	REQUIRED(runtime, container_stop),
	REQUIRED(runtime, container_remove),
	REQUIRED(runtime, container_list),
	REQUIRED(runtime, container_stats),
	REQUIRED(runtime, container_update),
	REQUIRED(runtime, container_reopen_log),
	REQUIRED(runtime, exec),
	REQUIRED(runtime, exec_sync),
	REQUIRED(runtime, attach),
	REQUIRED(runtime, port_forward),
	REQUIRED(runtime, image_list),
	REQUIRED(runtime, image_status),
	REQUIRED(runtime, image_pull),
	REQUIRED(runtime, image_remove),
	REQUIRED(runtime, image_import),
	REQUIRED(runtime, image_filesystem),
	REQUIRED(runtime, watch),
	REQUIRED(runtime, watch_cancel),
};

static const struct host_op scheduler_ops[] = {
	REQUIRED(scheduler, part),	  OPTIONAL(scheduler, setup),
	OPTIONAL(scheduler, use),	  OPTIONAL(scheduler, order),
	OPTIONAL(scheduler, pre_enqueue), OPTIONAL(scheduler, hint),
	OPTIONAL(scheduler, pre_filter),  OPTIONAL(scheduler, add_pod),
	OPTIONAL(scheduler, remove_pod),  OPTIONAL(scheduler, filter),
	OPTIONAL(scheduler, post_filter), OPTIONAL(scheduler, pre_score),
	OPTIONAL(scheduler, score),	  OPTIONAL(scheduler, normalize),
	OPTIONAL(scheduler, reserve),	  OPTIONAL(scheduler, unreserve),
	OPTIONAL(scheduler, permit),	  OPTIONAL(scheduler, pre_bind),
	OPTIONAL(scheduler, bind),	  OPTIONAL(scheduler, post_bind),
	OPTIONAL(scheduler, finish),
};

static const struct host_op volume_ops[] = {
	REQUIRED(volume, recognise), REQUIRED(volume, set_up),	REQUIRED(volume, tear_down),
	OPTIONAL(volume, readonly),  OPTIONAL(volume, release),
};

#define KIND(kind, abi)                                                                            \
	{                                                                                          \
#kind, abi, sizeof(struct cox_##kind##_ops), kind##_ops,                           \
			sizeof(kind##_ops) / sizeof(kind##_ops[0])                                 \
	}
#define ALL_LISTED(kind)                                                                           \
	_Static_assert(sizeof(kind##_ops) / sizeof(kind##_ops[0]) * sizeof(void (*)(void)) ==      \
			       sizeof(struct cox_##kind##_ops),                                    \
		       "list every operation of " #kind)

ALL_LISTED(admission);
ALL_LISTED(cloud);
ALL_LISTED(controller);
ALL_LISTED(network);
ALL_LISTED(proxy);
ALL_LISTED(runtime);
ALL_LISTED(scheduler);
ALL_LISTED(storage);
ALL_LISTED(authenticator);
ALL_LISTED(authorizer);
ALL_LISTED(volume);

static const struct host_kind kinds[] = {
	KIND(admission, COX_ADMISSION_OPS_ABI),	  KIND(authenticator, COX_AUTHENTICATOR_OPS_ABI),
	KIND(authorizer, COX_AUTHORIZER_OPS_ABI), KIND(cloud, COX_CLOUD_OPS_ABI),
	KIND(controller, COX_CONTROLLER_OPS_ABI), KIND(network, COX_NETWORK_OPS_ABI),
	KIND(proxy, COX_PROXY_OPS_ABI),		  KIND(runtime, COX_RUNTIME_OPS_ABI),
	KIND(scheduler, COX_SCHEDULER_OPS_ABI),	  KIND(storage, COX_STORAGE_OPS_ABI),
	KIND(volume, COX_VOLUME_OPS_ABI),
};

const struct host_kind *host_kind_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static char *joined_names;

static void join_names(void)
{
	struct cox_buf names = COX_BUF_INIT;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		cox_buf_printf(&names, "%s%s", i ? ", " : "", kinds[i].name);
	joined_names = cox_buf_steal(&names);
}

const char *host_kind_names(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, join_names);
	return joined_names;
}
