/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing parts, and the life of the plugins; see the header. */
#include "scheduler/chain.h"

#include "machinery/json.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <string.h>

enum { PARTS_MAX = 256, LISTERS_MAX = 64 };

struct chain *chain_new(void)
{
	return cox_new(struct chain);
}

int chain_failed(const struct chain_member *member, const char *op, struct cox_error *err)
{
	if (member->plugin)
		return host_op_failed(member->plugin, op, err);
	if (err && err->reason == COX_REASON_NONE)
		error_set(err, COX_REASON_INTERNAL_ERROR, "%s failed without a reason", op);
	return -1;
}

int chain_add(struct chain *chain, const struct chain_member *member, struct cox_error *err)
{
	for (size_t i = 0; i < chain->member_count; i++) {
		if (!strcmp(chain->members[i].name, member->name))
			return error_set(err, COX_REASON_INVALID,
					 "--scheduler-plugins: %s is there twice", member->name);
	}
	if (chain->member_count == CHAIN_PLUGINS_MAX)
		return error_set(err, COX_REASON_INVALID,
				 "--scheduler-plugins: more than %d plugins", CHAIN_PLUGINS_MAX);
	chain->members[chain->member_count++] = *member;
	return 0;
}

/* ---- parts ---- */

static const struct cox_scheduler_part *part_at(const struct chain_member *member, size_t index)
{
	chain_call_scope(member);
	return index < PARTS_MAX ? member->ops->part(member->self, index) : NULL;
}

/* Whether the plugin has the operation that the part needs. */
static bool can_run(const struct chain_member *member, const struct cox_scheduler_part *part)
{
	return part->type == COX_SCHEDULER_FILTER ? member->ops->filter != NULL
						  : member->ops->score != NULL;
}

static const struct cox_scheduler_part *find_part(const struct chain *chain, uint32_t type,
						  const char *name, bool argument,
						  const struct chain_member **owner)
{
	for (size_t i = 0; i < chain->member_count; i++) {
		const struct cox_scheduler_part *part;

		*owner = &chain->members[i];
		for (size_t j = 0; (part = part_at(*owner, j)); j++) {
			if (part->type == type && !strcmp(part->name, name) &&
			    argument == !!(part->flags & COX_SCHEDULER_PART_ARGUMENT) &&
			    can_run(*owner, part))
				return part;
		}
	}
	return NULL;
}

static bool is_used(const struct chain *chain, const struct cox_scheduler_part *part)
{
	const struct chain_part *parts =
		part->type == COX_SCHEDULER_FILTER ? chain->filters.items : chain->scores.items;
	size_t count =
		part->type == COX_SCHEDULER_FILTER ? chain->filters.count : chain->scores.count;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(parts[i].part->name, part->name) &&
		    !(part->flags & COX_SCHEDULER_PART_ARGUMENT))
			return true;
	}
	return false;
}

static int use_part(struct chain *chain, const struct chain_member *member,
		    const struct cox_scheduler_part *part, const char *name, int64_t weight,
		    const struct cox_value *argument, struct cox_error *err)
{
	struct chain_part used = {.member = member, .part = part, .weight = weight};

	if (member->ops->use) {
		chain_call_scope(member);
		if (member->ops->use(member->self, part, name, argument, &object_table, &used.use,
				     err))
			return chain_failed(member, "use", err);
	}
	used.name = cox_strdup(name);
	if (part->type == COX_SCHEDULER_FILTER)
		cox_vec_push(&chain->filters, used);
	else
		cox_vec_push(&chain->scores, used);
	return 0;
}

static int use_flagged(struct chain *chain, uint32_t type, uint32_t flag, struct cox_error *err)
{
	for (size_t i = 0; i < chain->member_count; i++) {
		const struct chain_member *member = &chain->members[i];
		const struct cox_scheduler_part *part;

		for (size_t j = 0; (part = part_at(member, j)); j++) {
			if (part->type != type || !(part->flags & flag) || !can_run(member, part) ||
			    is_used(chain, part))
				continue;
			if (use_part(chain, member, part, part->name,
				     part->weight > 0 ? part->weight : 1, NULL, err))
				return -1;
		}
	}
	return 0;
}

static int use_entry(struct chain *chain, uint32_t type, const struct policy_entry *entry,
		     struct cox_error *err)
{
	const char *what = type == COX_SCHEDULER_FILTER ? "Predicate" : "Priority";
	const struct chain_member *member;
	const struct cox_scheduler_part *part =
		find_part(chain, type, entry->part, entry->argument != NULL, &member);
	cox_autoobject *holder = NULL;
	cox_autobuf text = COX_BUF_INIT;

	if (!part)
		return error_set(err, COX_REASON_INVALID,
				 "Invalid configuration: %s type not found for %s", what,
				 entry->name);
	if (!entry->argument)
		return use_part(chain, member, part, entry->name, entry->weight, NULL, err);
	json_write(&text, entry->argument, 0);
	holder = object_new(text.data, text.size, err);
	if (!holder)
		return -1;
	return use_part(chain, member, part, entry->name, entry->weight, object_table.root(holder),
			err);
}

static int use_list(struct chain *chain, uint32_t type, bool given, const struct policy_list *list,
		    struct cox_error *err)
{
	if (use_flagged(chain, type, COX_SCHEDULER_PART_ALWAYS, err))
		return -1;
	if (!given)
		return use_flagged(chain, type, COX_SCHEDULER_PART_DEFAULT, err);
	for (size_t i = 0; i < list->count; i++) {
		if (use_entry(chain, type, &list->items[i], err))
			return -1;
	}
	return 0;
}

int chain_choose(struct chain *chain, const struct policy *policy, struct cox_error *err)
{
	static const struct policy none = POLICY_INIT;

	if (!policy)
		policy = &none;
	if (use_list(chain, COX_SCHEDULER_FILTER, policy->has_predicates, &policy->predicates, err))
		return -1;
	return use_list(chain, COX_SCHEDULER_SCORE, policy->has_priorities, &policy->priorities,
			err);
}

/* ---- life ---- */

static struct cox_lister *open_source(void *builder, const struct cox_lister_options *options,
				      struct cox_error *err)
{
	struct chain *chain = builder;
	struct cox_lister *lister;

	if (chain->listers.count == LISTERS_MAX) {
		error_set(err, COX_REASON_TOO_MANY_REQUESTS, "more than %d sources", LISTERS_MAX);
		return NULL;
	}
	lister = lister_open(chain->informers, options, err);
	if (lister)
		cox_vec_push(&chain->listers, lister);
	return lister;
}

static void tell_changed(void *builder)
{
	struct chain *chain = builder;

	chain->changed(chain->context);
}

static struct cox_scheduler_nodes tell_nodes(void *builder, size_t *term_count)
{
	const struct chain *chain = builder;

	if (term_count)
		*term_count = node_table_term_count(chain->table);
	return node_table_rows(chain->table);
}

static int set_up(struct chain *chain, const struct chain_member *member, struct cox_error *err)
{
	if (!member->ops->setup)
		return 0;
	chain_call_scope(member);
	if (member->ops->setup(member->self, &chain->setup, err))
		return chain_failed(member, "setup", err);
	return 0;
}

int chain_start(struct chain *chain, struct client *client, struct informers *informers,
		struct recorder *recorder, const struct node_table *table,
		void (*changed)(void *context), void *context, struct cox_error *err)
{
	chain->informers = informers;
	chain->table = table;
	chain->changed = changed;
	chain->context = context;
	cluster_init(&chain->cluster, client, informers, recorder, NULL);
	chain->setup = (struct cox_scheduler_setup){.struct_size = sizeof(chain->setup),
						    .cluster = &chain->cluster.table,
						    .source = open_source,
						    .builder = chain,
						    .changed = tell_changed,
						    .nodes = tell_nodes};
	for (size_t i = 0; i < chain->member_count; i++) {
		const struct chain_member *member = &chain->members[i];

		if (member->plugin && host_get_ready(member->plugin, err))
			return -1;
		if (set_up(chain, member, err))
			return -1;
		if (member->plugin && host_start(member->plugin, err))
			return -1;
	}
	return 0;
}

bool chain_synced(const struct chain *chain)
{
	for (size_t i = 0; i < chain->listers.count; i++) {
		if (!lister_synced(chain->listers.items[i]))
			return false;
	}
	return true;
}

void chain_free(struct chain *chain)
{
	if (!chain)
		return;
	/* Their watchers are code of the plugins. */
	for (size_t i = 0; i < chain->listers.count; i++)
		lister_close(chain->listers.items[i]);
	cox_vec_free(&chain->listers);
	for (size_t i = chain->member_count; i > 0; i--)
		host_close(chain->members[i - 1].plugin);
	for (size_t i = 0; i < chain->filters.count; i++)
		free(chain->filters.items[i].name);
	for (size_t i = 0; i < chain->scores.count; i++)
		free(chain->scores.items[i].name);
	cox_vec_free(&chain->filters);
	cox_vec_free(&chain->scores);
	free(chain);
}
