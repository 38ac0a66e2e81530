/* SPDX-License-Identifier: Apache-2.0 */
/* The extension points in their order; see the header. */
#include "scheduler/attempt.h"

#include "base/clock.h"
#include "scheduler/diagnosis.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPT_TIMEOUT (60 * CLOCK_SECOND)

enum {
	BATCH = 256,	   /* nodes that filters are asked about at once */
	ALL_UP_TO = 100,   /* of so many nodes all are looked at */
	LEAST_PERCENT = 5, /* and never fewer of many */
};

struct attempt *attempt_new(struct chain *chain, struct pod_facts *pod, struct cox_cancel *cancel)
{
	struct attempt *attempt = cox_new(struct attempt);

	atomic_fetch_add(&chain->users, 1);
	attempt->chain = chain;
	attempt->pod = pod_facts_ref(pod);
	attempt->row = pod->row;
	attempt->row.object = object_ref(pod->held);
	attempt->began = clock_monotonic();
	attempt->call = (struct cox_call){.struct_size = sizeof(attempt->call),
					  .deadline_ns = attempt->began + ATTEMPT_TIMEOUT,
					  .cancel = cancel};
	return attempt;
}

void attempt_free(struct attempt *attempt)
{
	if (!attempt)
		return;
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (attempt->states[i] && member->ops->finish) {
			chain_call_scope(member);
			member->ops->finish(member->self, attempt->states[i]);
		}
	}
	object_unref((struct cox_object *)attempt->row.object);
	pod_facts_unref(attempt->pod);
	cox_buf_free(&attempt->message);
	cox_buf_free(&attempt->log);
	free(attempt->node);
	atomic_fetch_sub(&attempt->chain->users, 1);
	free(attempt);
}

size_t attempt_enough(size_t total)
{
	size_t percent = 50, enough;

	if (total <= ALL_UP_TO)
		return total;
	percent = total / 125 < percent ? percent - total / 125 : 0;
	if (percent < LEAST_PERCENT)
		percent = LEAST_PERCENT;
	enough = total * percent / 100;
	return enough < ALL_UP_TO ? ALL_UP_TO : enough;
}

/* The state of the plugin that has this part. */
static void *state_of(const struct attempt *attempt, const struct chain_member *member)
{
	return attempt->states[member - attempt->chain->members];
}

/* ---- filters ---- */

/* `*why` set: no node can take it. */
static int pre_filter(struct attempt *attempt, const char **why, struct cox_error *err)
{
	for (size_t i = 0; i < attempt->chain->member_count && !*why; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (!member->ops->pre_filter)
			continue;
		chain_call_scope(member);
		if (member->ops->pre_filter(member->self, &attempt->call, &attempt->row,
					    &attempt->states[i], why, err))
			return chain_failed(member, "pre_filter", err);
	}
	return 0;
}

/*
 * Runs all filters over `nodes`, which are moved together as some drop out.
 * Returns how many are left, or -1.
 */
static int64_t filter_batch(struct attempt *attempt, const struct cox_scheduler_node **nodes,
			    size_t count, struct diagnosis *diagnosis, struct cox_error *err)
{
	const char *why[BATCH];

	for (size_t f = 0; f < attempt->chain->filters.count && count; f++) {
		const struct chain_part *part = &attempt->chain->filters.items[f];
		const struct chain_member *member = part->member;
		size_t left = 0;

		memset(why, 0, count * sizeof(*why));
		{
			chain_call_scope(member);
			if (member->ops->filter(member->self, &attempt->call, part->use,
						state_of(attempt, member), &attempt->row,
						(struct cox_scheduler_nodes){nodes, count}, why,
						err))
				return chain_failed(member, "filter", err);
		}
		for (size_t i = 0; i < count; i++) {
			if (!why[i])
				nodes[left++] = nodes[i];
			else if (diagnosis)
				diagnosis_add(diagnosis, nodes[i]->name, part->name, why[i]);
		}
		count = left;
	}
	return (int64_t)count;
}

/* Those that fit, from memory->start on, until there are enough. */
static int64_t filter_all(struct attempt *attempt, struct cox_scheduler_nodes rows,
			  struct attempt_memory *memory, const struct cox_scheduler_node **fit,
			  struct diagnosis *diagnosis, struct cox_error *err)
{
	const struct cox_scheduler_node *batch[BATCH];
	size_t enough = attempt_enough(rows.count), found = 0, seen = 0;
	size_t at = rows.count ? memory->start % rows.count : 0;

	while (seen < rows.count && found < enough) {
		size_t count = 0;
		int64_t left;

		while (count < BATCH && seen < rows.count) {
			batch[count++] = rows.items[at];
			at = at + 1 == rows.count ? 0 : at + 1;
			seen++;
		}
		left = filter_batch(attempt, batch, count, diagnosis, err);
		if (left < 0)
			return -1;
		memcpy(fit + found, batch, (size_t)left * sizeof(*batch));
		found += (size_t)left;
	}
	memory->start = at;
	return (int64_t)found;
}

/* ---- no node fits ---- */

struct trial {
	struct cox_scheduler_trial trial;
	struct attempt *attempt;
	const struct chain_member *inside; /* whose post_filter runs: it is entered already */
};

static const struct chain_member *to_enter(const struct trial *trial,
					   const struct chain_member *member)
{
	static const struct chain_member entered = {0};

	return member == trial->inside ? &entered : member;
}

static void tell_pods(const struct trial *trial, const struct cox_scheduler_node *node,
		      const struct cox_scheduler_pod *const *pods, size_t count, bool add)
{
	struct attempt *attempt = trial->attempt;

	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];
		void (*tell)(void *, void *, const struct cox_scheduler_pod *,
			     const struct cox_scheduler_pod *, const struct cox_scheduler_node *) =
			add ? member->ops->add_pod : member->ops->remove_pod;

		chain_call_scope(to_enter(trial, member));
		for (size_t j = 0; tell && j < count; j++)
			tell(member->self, attempt->states[i], &attempt->row, pods[j], node);
	}
}

static bool part_fits(const struct trial *trial, const struct chain_part *part,
		      const struct cox_scheduler_node *node)
{
	struct attempt *attempt = trial->attempt;
	const struct chain_member *member = part->member;
	const struct cox_scheduler_nodes nodes = {&node, 1};
	const char *why = NULL;

	chain_call_scope(to_enter(trial, member));
	return !member->ops->filter(member->self, &attempt->call, part->use,
				    state_of(attempt, member), &attempt->row, nodes, &why, NULL) &&
	       !why;
}

static int trial_fits(const struct cox_scheduler_trial *public_trial,
		      const struct cox_scheduler_node *node,
		      const struct cox_scheduler_pod *const *without, size_t count)
{
	const struct trial *trial = (const struct trial *)(const void *)public_trial;
	const struct chain *chain = trial->attempt->chain;
	struct cox_scheduler_node *copy = node_table_copy_without(node, without, count);
	bool fits = true;

	tell_pods(trial, node, without, count, false);
	for (size_t f = 0; f < chain->filters.count && fits; f++)
		fits = part_fits(trial, &chain->filters.items[f], copy);
	tell_pods(trial, node, without, count, true);
	node_table_copy_free(copy);
	return fits;
}

static int post_filter(struct attempt *attempt, struct cox_scheduler_nodes rows,
		       struct cox_error *err)
{
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];
		const struct trial trial = {
			{sizeof(trial.trial), 0, rows, trial_fits}, attempt, member};
		const char *note = NULL;

		if (!member->ops->post_filter)
			continue;
		chain_call_scope(member);
		if (member->ops->post_filter(member->self, &attempt->call, attempt->states[i],
					     &attempt->row, &trial.trial, &note, err))
			return chain_failed(member, "post_filter", err);
		if (note)
			cox_buf_printf(&attempt->message, " %s", note);
	}
	return 0;
}

/* ---- scores ---- */

static int pre_score(struct attempt *attempt, struct cox_scheduler_nodes nodes,
		     struct cox_error *err)
{
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (!member->ops->pre_score)
			continue;
		chain_call_scope(member);
		if (member->ops->pre_score(member->self, &attempt->call, attempt->states[i],
					   &attempt->row, nodes, err))
			return chain_failed(member, "pre_score", err);
	}
	return 0;
}

static int score_part(struct attempt *attempt, const struct chain_part *part,
		      struct cox_scheduler_nodes nodes, int64_t *scores, struct cox_error *err)
{
	const struct chain_member *member = part->member;
	void *state = state_of(attempt, member);

	chain_call_scope(member);
	if (member->ops->score(member->self, &attempt->call, part->use, state, &attempt->row, nodes,
			       scores, err))
		return chain_failed(member, "score", err);
	if (member->ops->normalize &&
	    member->ops->normalize(member->self, &attempt->call, part->use, state, &attempt->row,
				   nodes, scores, err))
		return chain_failed(member, "normalize", err);
	for (size_t i = 0; i < nodes.count; i++) {
		if (scores[i] < 0 || scores[i] > COX_SCHEDULER_SCORE_MAX)
			return error_set(err, COX_REASON_INTERNAL_ERROR,
					 "%s gave node %s the score %lld, which is not between 0 "
					 "and %d",
					 part->name, nodes.items[i]->name, (long long)scores[i],
					 COX_SCHEDULER_SCORE_MAX);
	}
	return 0;
}

static uint64_t next_random(struct attempt_memory *memory)
{
	memory->random ^= memory->random << 13;
	memory->random ^= memory->random >> 7;
	memory->random ^= memory->random << 17;
	return memory->random;
}

/* One of the best, each with the same chance. */
static const struct cox_scheduler_node *best_of(struct cox_scheduler_nodes nodes,
						const int64_t *sums, struct attempt_memory *memory)
{
	const struct cox_scheduler_node *best = nodes.items[0];
	int64_t highest = sums[0];
	uint64_t equals = 1;

	for (size_t i = 1; i < nodes.count; i++) {
		if (sums[i] > highest) {
			highest = sums[i];
			best = nodes.items[i];
			equals = 1;
		} else if (sums[i] == highest && next_random(memory) % ++equals == 0) {
			best = nodes.items[i];
		}
	}
	return best;
}

static const struct cox_scheduler_node *score_all(struct attempt *attempt,
						  struct cox_scheduler_nodes nodes,
						  struct attempt_memory *memory,
						  struct cox_error *err)
{
	cox_autofree int64_t *sums = cox_calloc(nodes.count, 2 * sizeof(*sums));
	int64_t *scores = sums + nodes.count;

	if (pre_score(attempt, nodes, err))
		return NULL;
	for (size_t s = 0; s < attempt->chain->scores.count; s++) {
		const struct chain_part *part = &attempt->chain->scores.items[s];

		memset(scores, 0, nodes.count * sizeof(*scores));
		if (score_part(attempt, part, nodes, scores, err))
			return NULL;
		for (size_t i = 0; i < nodes.count; i++)
			sums[i] += part->weight * scores[i];
	}
	return best_of(nodes, sums, memory);
}

int attempt_choose(struct attempt *attempt, struct cox_scheduler_nodes rows,
		   struct attempt_memory *memory, struct cox_error *err)
{
	cox_autofree const struct cox_scheduler_node **fit =
		cox_calloc(rows.count + BATCH, sizeof(struct cox_scheduler_node *));
	cox_auto(diagnosis_clear) struct diagnosis diagnosis = {0};
	const struct cox_scheduler_node *chosen;
	const char *why = NULL;
	int64_t found = 0;

	if (pre_filter(attempt, &why, err))
		return -1;
	if (!why)
		found = filter_all(attempt, rows, memory, fit, &diagnosis, err);
	if (found < 0)
		return -1;
	if (!found) {
		diagnosis_tell(&diagnosis, attempt->row.name, rows.count, why, &attempt->message,
			       &attempt->log);
		return rows.count && !why ? post_filter(attempt, rows, err) : 0;
	}
	chosen = found == 1 ? fit[0]
			    : score_all(attempt, (struct cox_scheduler_nodes){fit, (size_t)found},
					memory, err);
	if (!chosen)
		return -1;
	attempt->node = cox_strdup(chosen->name);
	return attempt_reserve(attempt, chosen, err);
}

/* ---- once it is chosen ---- */

int attempt_reserve(struct attempt *attempt, const struct cox_scheduler_node *node,
		    struct cox_error *err)
{
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (member->ops->reserve) {
			chain_call_scope(member);
			if (member->ops->reserve(member->self, &attempt->call, attempt->states[i],
						 &attempt->row, node, err)) {
				chain_failed(member, "reserve", err);
				break;
			}
		}
		attempt->reserved = i + 1;
	}
	if (attempt->reserved == attempt->chain->member_count)
		return 0;
	attempt_unreserve(attempt);
	return -1;
}

void attempt_unreserve(struct attempt *attempt)
{
	for (; attempt->reserved; attempt->reserved--) {
		const struct chain_member *member = &attempt->chain->members[attempt->reserved - 1];

		if (!member->ops->unreserve)
			continue;
		chain_call_scope(member);
		member->ops->unreserve(member->self, attempt->states[attempt->reserved - 1],
				       &attempt->row, attempt->node);
	}
}

int attempt_permit(struct attempt *attempt, uint64_t *again_ns, struct cox_error *err)
{
	*again_ns = 0;
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];
		uint64_t again = 0;

		if (!member->ops->permit)
			continue;
		chain_call_scope(member);
		if (member->ops->permit(member->self, &attempt->call, attempt->states[i],
					&attempt->row, attempt->node, &again, err))
			return chain_failed(member, "permit", err);
		if (again > *again_ns)
			*again_ns = again;
	}
	return 0;
}

int attempt_bind(struct attempt *attempt, bool *done, struct cox_error *err)
{
	int bound = 0;

	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (!member->ops->pre_bind)
			continue;
		chain_call_scope(member);
		if (member->ops->pre_bind(member->self, &attempt->call, attempt->states[i],
					  &attempt->row, attempt->node, err))
			return chain_failed(member, "pre_bind", err);
	}
	for (size_t i = 0; i < attempt->chain->member_count && !bound; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (!member->ops->bind)
			continue;
		chain_call_scope(member);
		if (member->ops->bind(member->self, &attempt->call, attempt->states[i],
				      &attempt->row, attempt->node, &bound, err))
			return chain_failed(member, "bind", err);
	}
	*done = bound;
	return 0;
}

void attempt_bound(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->chain->member_count; i++) {
		const struct chain_member *member = &attempt->chain->members[i];

		if (!member->ops->post_bind)
			continue;
		chain_call_scope(member);
		member->ops->post_bind(member->self, attempt->states[i], &attempt->row,
				       attempt->node);
	}
}
