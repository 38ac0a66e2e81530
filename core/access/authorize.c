/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of authorizers; see the header. */
#include "access/authorize.h"

#include "base/log.h"
#include "host/host.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/vec.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct authorizers {
	atomic_uint references;
	COX_VEC(struct host_plugin *) plugins;
	bool slow; /* one of them may block */
};

struct authorizers *authorizers_new(void)
{
	struct authorizers *chain = cox_new(struct authorizers);

	atomic_init(&chain->references, 1);
	return chain;
}

void authorizers_add(struct authorizers *chain, struct host_plugin *plugin, bool fast)
{
	cox_vec_push(&chain->plugins, plugin);
	chain->slow |= !fast;
}

bool authorizers_are_fast(const struct authorizers *chain)
{
	return !chain->slow;
}

struct authorizers *authorizers_ref(struct authorizers *chain)
{
	atomic_fetch_add_explicit(&chain->references, 1, memory_order_relaxed);
	return chain;
}

void authorizers_unref(struct authorizers *chain)
{
	if (!chain || atomic_fetch_sub_explicit(&chain->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = chain->plugins.count; i-- > 0;)
		host_close(chain->plugins.items[i]);
	cox_vec_free(&chain->plugins);
	free(chain);
}

struct reason_taker {
	struct cox_reason_sink sink; /* first: plugins get its address */
	struct cox_buf *out;
};

static void take_reason(const struct cox_reason_sink *sink, const char *text)
{
	struct cox_buf *out = ((const struct reason_taker *)(const void *)sink)->out;

	if (!*text)
		return;
	if (out->size)
		cox_buf_str(out, ", ");
	cox_buf_str(out, text);
}

static bool is_master(const struct cox_attributes *attributes)
{
	for (size_t i = 0; i < attributes->group_count; i++)
		if (strcmp(attributes->groups[i], "system:masters") == 0)
			return true;
	return false;
}

enum cox_decision authorizers_ask(struct authorizers *chain,
				  const struct cox_attributes *attributes,
				  const struct cox_call *call, struct cox_buf *reason)
{
	struct reason_taker taker = {{sizeof(taker.sink), 0, take_reason}, reason};

	if (is_master(attributes))
		return COX_DECISION_ALLOW;
	for (size_t i = 0; i < chain->plugins.count; i++) {
		struct host_plugin *plugin = chain->plugins.items[i];
		const struct cox_authorizer_ops *ops = host_ops(plugin);
		cox_autoerror why = COX_ERROR_INIT;
		enum cox_decision decision;

		{
			host_call_scope(plugin);
			decision = ops->authorize(host_self(plugin), call, attributes, &taker.sink,
						  &why);
		}
		if (decision == COX_DECISION_ALLOW || decision == COX_DECISION_DENY)
			return decision;
		if (decision == COX_DECISION_NO_OPINION)
			continue;
		/* Fail closed: what a later one would allow may be denied here. */
		host_op_failed(plugin, "authorize", &why);
		log_error("authorizer %s: %s", host_name(plugin), error_text(&why));
		take_reason(&taker.sink, error_text(&why));
		return COX_DECISION_DENY;
	}
	return COX_DECISION_NO_OPINION;
}

void authorizers_rules(struct authorizers *chain, const struct cox_attributes *attributes,
		       const struct cox_call *call, const struct cox_rule_sink *sink)
{
	for (size_t i = 0; i < chain->plugins.count; i++) {
		struct host_plugin *plugin = chain->plugins.items[i];
		const struct cox_authorizer_ops *ops = host_ops(plugin);
		cox_autoerror why = COX_ERROR_INIT;
		int status = 0;

		if (!ops->rules) {
			sink->incomplete(sink, "an authorizer cannot list its rules");
			continue;
		}
		{
			host_call_scope(plugin);
			status = ops->rules(host_self(plugin), call, attributes, sink, &why);
		}
		if (status != 0) {
			host_op_failed(plugin, "rules", &why);
			sink->incomplete(sink, error_text(&why));
		}
	}
}
