/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of authorizers. Built once from configured plugins and never
 * changed after; counted, as the chain of authenticators is. Any thread.
 */
#ifndef COX_ACCESS_AUTHORIZE_H
#define COX_ACCESS_AUTHORIZE_H

#include "base/error.h"

#include <coxswain/authorizer.h>
#include <coxswain/kit/buf.h>
#include <stdbool.h>

struct host_plugin;
struct authorizers;

struct authorizers *authorizers_new(void);
/* `fast`: its operations do no I/O and take no lock for long. Takes the plugin over. */
void authorizers_add(struct authorizers *chain, struct host_plugin *plugin, bool fast);
/* Whether all are: the chain may then be asked on a thread that must not block. */
bool authorizers_are_fast(const struct authorizers *chain);
struct authorizers *authorizers_ref(struct authorizers *chain);
void authorizers_unref(struct authorizers *chain);

/*
 * ALLOW, DENY or NO_OPINION. Members of system:masters may do everything, the
 * server itself being one of them, whatever is configured. What fails or has no opinion is as good
 * as a refusal to the caller. The reasons that were given are appended to `reason`.
 */
enum cox_decision authorizers_ask(struct authorizers *chain,
				  const struct cox_attributes *attributes,
				  const struct cox_call *call, struct cox_buf *reason);

/* The rules of a user from every authorizer that can tell them. */
void authorizers_rules(struct authorizers *chain, const struct cox_attributes *attributes,
		       const struct cox_call *call, const struct cox_rule_sink *sink);

#endif
