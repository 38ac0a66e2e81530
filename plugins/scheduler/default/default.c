/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default scheduler: the predicates and priorities of the first releases
 * under their names, and today's rules for affinity, taints and gates. Filters
 * and scores are in files of their own; this one is the plugin around them.
 */
#include "claims.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 1000, LABELS_MAX = 64, SIBLINGS_MAX = 10000 };

/* ---- parts ---- */

static const struct cox_scheduler_part *default_part(void *self, size_t index)
{
	(void)self;
	if (index < filter_part_count)
		return &filter_parts[index].public;
	index -= filter_part_count;
	return index < score_part_count ? &score_parts[index].public : NULL;
}

static void use_free(struct use *use)
{
	for (char **label = use->labels; label && *label; label++)
		free(*label);
	free(use->labels);
	free(use);
}

/* "labels": [...], or "label": "..."; and "presence". */
static int read_argument(struct scheduler *scheduler, struct use *use, const char *name,
			 const struct cox_value *argument, const struct cox_objects *objects,
			 struct cox_error *err)
{
	const struct cox_value *given = objects->member(argument, use->part->member);
	bool single = !strcmp(use->part->member, "label");
	size_t count = single ? given != NULL : objects->count(given);

	if (!count || count > LABELS_MAX)
		return scheduler->host->fail(err, COX_REASON_INVALID,
					     "%s: the argument of %s needs \"%s\"", name,
					     use->part->public.name, use->part->member);
	use->labels = cox_calloc(count + 1, sizeof(*use->labels));
	for (size_t i = 0; i < count; i++) {
		const char *label = objects->text(single ? given : objects->at(given, i, NULL), "");

		use->labels[i] = cox_strdup(label);
		if (!*label)
			return scheduler->host->fail(err, COX_REASON_INVALID,
						     "%s: a label without a name", name);
	}
	use->presence = objects->boolean(argument, "presence");
	return 0;
}

static int default_use(void *self, const struct cox_scheduler_part *public, const char *name,
		       const struct cox_value *argument, const struct cox_objects *objects,
		       void **made, struct cox_error *err)
{
	/* The public part is the first member of ours. */
	const struct part *part = (const struct part *)(const void *)public;
	struct scheduler *scheduler = self;
	struct use *use = cox_new(struct use);

	use->part = part;
	cox_vec_push(&scheduler->uses, use);
	*made = use;
	if (!strcmp(public->name, "SelectorSpreadPriority") ||
	    !strcmp(public->name, "ServiceSpreadingPriority"))
		scheduler->needs_owners = true;
	if (!strcmp(public->name, "serviceAffinity") ||
	    !strcmp(public->name, "serviceAntiAffinity"))
		scheduler->needs_owners = scheduler->needs_pods = true;
	return part->member ? read_argument(scheduler, use, name, argument, objects, err) : 0;
}

/* ---- what an attempt remembers ---- */

const char *state_text(struct state *state, const char *format, ...)
{
	struct cox_buf text = COX_BUF_INIT;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	for (size_t i = 0; i < state->texts.count; i++) {
		if (!strcmp(state->texts.items[i], text.data)) {
			cox_buf_free(&text);
			return state->texts.items[i];
		}
	}
	if (state->texts.count == TEXTS_MAX) {
		cox_buf_free(&text);
		return "node(s) had other reasons";
	}
	cox_vec_push(&state->texts, cox_buf_steal(&text));
	return state->texts.items[state->texts.count - 1];
}

const struct owner_list *owners_of(struct scheduler *scheduler, struct state *state,
				   const struct cox_scheduler_pod *pod, bool services_only)
{
	struct owner_list *list = &state->owners[services_only];

	if (!state->has_owners[services_only])
		owners_find(scheduler->owners, pod, services_only, list);
	state->has_owners[services_only] = true;
	return list;
}

struct search {
	struct scheduler *scheduler;
	struct state *state;
	const struct owner_list *owners;
};

static int see_pod(void *to, const struct cox_object *object)
{
	struct search *search = to;
	const struct cox_objects *objects = search->scheduler->objects;
	const struct cox_value *root = objects->root(object);
	const struct cox_value *labels = objects->get(root, "metadata.labels");
	const char *node = objects->text(root, "spec.nodeName");
	size_t count = objects->count(labels);
	struct cox_scheduler_pair *pairs = cox_calloc(count + 1, sizeof(*pairs));
	struct sibling sibling;
	bool matches;

	for (size_t i = 0; i < count; i++) {
		const char *key = "", *value = objects->text(objects->at(labels, i, &key), "");
		size_t at = i;

		for (; at && strcmp(pairs[at - 1].key, key) > 0; at--)
			pairs[at] = pairs[at - 1];
		pairs[at] = (struct cox_scheduler_pair){key, value};
	}
	matches = *node &&
		  owner_list_matches(search->owners, (struct cox_scheduler_pairs){pairs, count});
	free(pairs);
	if (!matches)
		return 0;
	sibling.node = search->scheduler->cluster->get(search->scheduler->nodes, NULL, node);
	if (sibling.node)
		cox_vec_push(&search->state->siblings, sibling);
	return search->state->siblings.count >= SIBLINGS_MAX;
}

void find_siblings(struct scheduler *scheduler, struct state *state,
		   const struct cox_scheduler_pod *pod)
{
	struct search search = {.scheduler = scheduler, .state = state};
	const struct cox_object_sink sink = {see_pod, &search};

	if (state->has_siblings)
		return;
	state->has_siblings = true;
	search.owners = owners_of(scheduler, state, pod, true);
	if (search.owners->count)
		scheduler->cluster->list(scheduler->pods, pod->namespace_name, &sink);
}

/* ---- an attempt ---- */

static const char *default_pre_enqueue(void *self, const struct cox_scheduler_pod *pod)
{
	(void)self;
	return pod->flags & COX_SCHEDULER_POD_GATED ? "waits for its scheduling gates" : NULL;
}

static bool asks_for_less(const struct cox_scheduler_pod *before,
			  const struct cox_scheduler_pod *now)
{
	return now->requests.milli_cpu < before->requests.milli_cpu ||
	       now->requests.memory < before->requests.memory;
}

/*
 * Pods that come, or get other labels, only help those that look at such pods;
 * pods that go, or leave some of their node to others, may help all.
 */
static int default_hint(void *self, const struct cox_scheduler_pod *pod,
			const struct cox_scheduler_event *event)
{
	const struct scheduler *scheduler = self;

	if (event->type != COX_SCHEDULER_POD_PLACED && event->type != COX_SCHEDULER_POD_CHANGED)
		return 1;
	return scheduler->needs_pods ||
	       (event->before && asks_for_less(event->before, event->pod)) ||
	       near_is_helped(scheduler, pod, event->before, event->pod) ||
	       spread_is_helped(pod, event->before, event->pod);
}

static int default_pre_filter(void *self, const struct cox_call *call,
			      const struct cox_scheduler_pod *pod, void **state, const char **why,
			      struct cox_error *err)
{
	const struct scheduler *scheduler = self;
	struct state *made = cox_new(struct state);

	(void)call;
	(void)err;
	*state = made;
	if (pod->flags & COX_SCHEDULER_POD_AFFINITY)
		affinity_read(&made->affinity, scheduler->objects,
			      scheduler->objects->root(pod->object));
	if (pod->flags & COX_SCHEDULER_POD_CLAIMS)
		*why = claims_look(scheduler->claims, made, pod);
	return 0;
}

static void forget_counts(struct state *state)
{
	near_forget(&state->near);
	tallies_forget(state);
}

static void default_remove_pod(void *self, void *state, const struct cox_scheduler_pod *pod,
			       const struct cox_scheduler_pod *other,
			       const struct cox_scheduler_node *node)
{
	struct state *trial = state;

	(void)self;
	(void)pod;
	(void)node;
	cox_vec_push(&trial->without, other);
	forget_counts(trial);
}

static void default_add_pod(void *self, void *state, const struct cox_scheduler_pod *pod,
			    const struct cox_scheduler_pod *other,
			    const struct cox_scheduler_node *node)
{
	struct state *trial = state;

	(void)self;
	(void)pod;
	(void)node;
	for (size_t i = 0; i < trial->without.count; i++) {
		if (trial->without.items[i] == other) {
			trial->without.items[i] = trial->without.items[--trial->without.count];
			break;
		}
	}
	forget_counts(trial);
}

static int default_filter(void *self, const struct cox_call *call, void *use, void *state,
			  const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			  const char **why, struct cox_error *err)
{
	(void)call;
	(void)err;
	((const struct use *)use)->part->filter(self, use, state, pod, nodes, why);
	return 0;
}

static int default_score(void *self, const struct cox_call *call, void *use, void *state,
			 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			 int64_t *scores, struct cox_error *err)
{
	(void)call;
	(void)err;
	((const struct use *)use)->part->score(self, use, state, pod, nodes, scores);
	return 0;
}

static int default_normalize(void *self, const struct cox_call *call, void *use, void *state,
			     const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
			     int64_t *scores, struct cox_error *err)
{
	const struct part *part = ((const struct use *)use)->part;
	int64_t most = 0, least = 0;

	(void)self;
	(void)call;
	(void)state;
	(void)pod;
	(void)err;
	if (part->normal == AS_IS)
		return 0;
	for (size_t i = 0; i < nodes.count; i++) {
		most = (part->normal == IN_RANGE && !i) || scores[i] > most ? scores[i] : most;
		least = part->normal == IN_RANGE && (!i || scores[i] < least) ? scores[i] : least;
	}
	most -= least;
	for (size_t i = 0; i < nodes.count; i++) {
		scores[i] -= least;
		scores[i] = most ? scores[i] * COX_SCHEDULER_SCORE_MAX / most : 0;
		if (part->normal == LESS_IS_BETTER)
			scores[i] = COX_SCHEDULER_SCORE_MAX - scores[i];
	}
	return 0;
}

static int default_reserve(void *self, const struct cox_call *call, void *state,
			   const struct cox_scheduler_pod *pod,
			   const struct cox_scheduler_node *node, struct cox_error *err)
{
	struct state *attempt = state;

	(void)call;
	return attempt->claims ? claims_reserve(self, attempt->claims, pod, node, err) : 0;
}

static void default_unreserve(void *self, void *state, const struct cox_scheduler_pod *pod,
			      const char *node)
{
	const struct state *attempt = state;

	(void)pod;
	(void)node;
	if (attempt->claims)
		claims_unreserve(self, attempt->claims);
}

static int default_permit(void *self, const struct cox_call *call, void *state,
			  const struct cox_scheduler_pod *pod, const char *node,
			  uint64_t *again_ns, struct cox_error *err)
{
	struct state *attempt = state;

	(void)pod;
	return attempt->claims ? claims_permit(self, call, attempt->claims, node, again_ns, err)
			       : 0;
}

static void default_finish(void *self, void *state)
{
	struct scheduler *scheduler = self;
	struct state *old = state;

	claims_forget(scheduler->claims, old->claims);
	affinity_free(&old->affinity);
	forget_counts(old);
	cox_vec_free(&old->without);
	for (size_t i = 0; i < old->texts.count; i++)
		free(old->texts.items[i]);
	cox_vec_free(&old->texts);
	for (size_t i = 0; i < old->siblings.count; i++)
		scheduler->objects->unref(old->siblings.items[i].node);
	cox_vec_free(&old->siblings);
	for (size_t i = 0; i < 2; i++)
		owner_list_free(scheduler->owners, &old->owners[i]);
	free(old);
}

/* ---- life ---- */

static struct cox_lister *open_lister(const struct cox_scheduler_setup *setup, const char *resource,
				      struct cox_error *err)
{
	const struct cox_resource what = {"", "v1", resource};
	const struct cox_lister_options options = {.struct_size = sizeof(options),
						   .resource = &what};

	return setup->source(setup->builder, &options, err);
}

static int default_setup(void *self, const struct cox_scheduler_setup *setup, struct cox_error *err)
{
	struct scheduler *scheduler = self;

	scheduler->setup = setup;
	scheduler->cluster = setup->cluster;
	scheduler->objects = setup->cluster->objects;
	scheduler->namespaces = open_lister(setup, "namespaces", err);
	if (!scheduler->namespaces || claims_open(scheduler->claims, setup, err))
		return -1;
	if (scheduler->needs_owners && owners_open(scheduler->owners, setup, err))
		return -1;
	if (!scheduler->needs_pods)
		return 0;
	scheduler->pods = open_lister(setup, "pods", err);
	if (scheduler->pods)
		scheduler->nodes = open_lister(setup, "nodes", err);
	return scheduler->nodes ? 0 : -1;
}

static void *default_create(const struct cox_host *host, struct cox_error *err)
{
	struct scheduler *scheduler = cox_new(struct scheduler);

	(void)err;
	scheduler->host = host;
	scheduler->owners = owners_new();
	scheduler->claims = claims_new();
	return scheduler;
}

static void default_destroy(void *self)
{
	struct scheduler *scheduler = self;

	for (size_t i = 0; i < scheduler->uses.count; i++)
		use_free(scheduler->uses.items[i]);
	cox_vec_free(&scheduler->uses);
	owners_free(scheduler->owners);
	claims_free(scheduler->claims);
	free(scheduler);
}

static const struct cox_scheduler_ops default_ops = {
	.part = default_part,
	.setup = default_setup,
	.use = default_use,
	.pre_enqueue = default_pre_enqueue,
	.hint = default_hint,
	.pre_filter = default_pre_filter,
	.add_pod = default_add_pod,
	.remove_pod = default_remove_pod,
	.filter = default_filter,
	.score = default_score,
	.normalize = default_normalize,
	.reserve = default_reserve,
	.unreserve = default_unreserve,
	.permit = default_permit,
	.finish = default_finish,
};

COX_SCHEDULER_PLUGIN(default_ops, .name = "default", .version = "1",
		     .description = "Filters and scores of the first releases and of today",
		     .thread_model = COX_THREADS_PARALLEL, .create = default_create,
		     .destroy = default_destroy);
