/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins of a scheduler, and which of their parts are in use. A chain is
 * counted: attempts hold it, so that another one can take its place while they
 * go on.
 */
#ifndef COX_SCHEDULER_CHAIN_H
#define COX_SCHEDULER_CHAIN_H

#include "client/cluster.h"
#include "host/host.h"
#include "scheduler/nodes.h"
#include "scheduler/policy.h"

#include <coxswain/scheduler.h>
#include <stdatomic.h>

enum { CHAIN_PLUGINS_MAX = 16 };

struct chain_member {
	const char *name;
	const struct cox_scheduler_ops *ops;
	void *self;
	struct host_plugin *plugin; /* closed with the chain; NULL: not guarded (tests) */
};

struct chain_part {
	const struct chain_member *member;
	const struct cox_scheduler_part *part;
	char *name; /* as the policy calls it */
	void *use;
	int64_t weight;
};

struct chain {
	struct chain_member members[CHAIN_PLUGINS_MAX];
	size_t member_count;
	COX_VEC(struct chain_part) filters;
	COX_VEC(struct chain_part) scores;
	atomic_uint users; /* attempts that go on */

	/* of setup */
	struct informers *informers;
	const struct node_table *table;
	struct cluster cluster;
	struct cox_scheduler_setup setup;
	COX_VEC(struct cox_lister *) listers;
	void (*changed)(void *context);
	void *context;
};

struct chain *chain_new(void);
/* -1: too many, or the name is there already. The plugin is the chain's from now on. */
int chain_add(struct chain *chain, const struct chain_member *member,
	      struct cox_error *err) COX_MUST_CHECK;
/* Chooses the parts: those of the policy, or of the provider where it is NULL. */
int chain_choose(struct chain *chain, const struct policy *policy,
		 struct cox_error *err) COX_MUST_CHECK;
/*
 * setup(), get_ready() and start() of all. `changed` is what they call when
 * something else has changed; informers, table and the rest outlive the chain.
 */
int chain_start(struct chain *chain, struct client *client, struct informers *informers,
		struct recorder *recorder, const struct node_table *table,
		void (*changed)(void *context), void *context,
		struct cox_error *err) COX_MUST_CHECK;
bool chain_synced(const struct chain *chain);
/* No attempt has it any more. NULL is fine. */
void chain_free(struct chain *chain);

/* ---- calling ---- */

/* Until the end of the block this thread is inside the plugin. */
static inline void chain_leave(struct host_call *call)
{
	if (call->plugin)
		host_leave(call);
}

static inline struct host_call *chain_enter(struct host_call *call,
					    const struct chain_member *member)
{
	if (member->plugin)
		host_enter(call, member->plugin);
	return call;
}

#define chain_call_scope(member)                                                                   \
	struct host_call chain_call_ __attribute__((cleanup(chain_leave))) = {NULL, NULL, NULL};   \
	chain_enter(&chain_call_, member)

/* As host_op_failed, also where no host is. -1. */
int chain_failed(const struct chain_member *member, const char *op, struct cox_error *err);

#endif
