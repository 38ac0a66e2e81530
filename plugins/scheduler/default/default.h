/* SPDX-License-Identifier: Apache-2.0 */
/* The default scheduler plugin: what its files share. */
#ifndef COX_SCHEDULER_DEFAULT_H
#define COX_SCHEDULER_DEFAULT_H

#include <coxswain/kit/map.h>
#include <coxswain/kit/vec.h>
#include <coxswain/scheduler.h>
#include <pthread.h>
#include <stdbool.h>

/* ---- selectors (match.c) ---- */

enum relation { IN, NOT_IN, EXISTS, NOT_EXISTS, GREATER, LESS, NEVER };

struct requirement {
	const char *key;
	enum relation relation;
	const char **values;
	size_t value_count;
};

/* All requirements must hold. Texts are borrowed, or owned with it (`owned`). */
struct selector {
	COX_VEC(struct requirement) items;
	bool owned;
};

void selector_free(struct selector *selector);
/* {"app":"web"} */
void selector_add_map(struct selector *selector, const struct cox_objects *objects,
		      const struct cox_value *map);
/* [{"key","operator","values"}] */
void selector_add_list(struct selector *selector, const struct cox_objects *objects,
		       const struct cox_value *list);
bool selector_matches(const struct selector *selector, struct cox_scheduler_pairs labels);
/* NULL: it is not there. */
const char *pairs_get(struct cox_scheduler_pairs pairs, const char *key);

/* ---- node affinity (affinity.c) ---- */

struct term {
	struct selector labels;
	struct selector fields; /* metadata.name only */
	int64_t weight;
};

struct affinity {
	bool has_required; /* one of the terms must match */
	COX_VEC(struct term) required;
	COX_VEC(struct term) preferred;
};

void affinity_read(struct affinity *affinity, const struct cox_objects *objects,
		   const struct cox_value *pod);
void affinity_free(struct affinity *affinity);
bool affinity_allows(const struct affinity *affinity, const struct cox_scheduler_node *node);
int64_t affinity_weight(const struct affinity *affinity, const struct cox_scheduler_node *node);

/* ---- who selects pods (owners.c) ---- */

struct owner;
struct owners;

struct owner_list {
	struct owner **items;
	size_t count;
	size_t capacity;
};

struct owners *owners_new(void);
void owners_free(struct owners *owners);
/* Opens the listers: services, and what else makes pods. */
int owners_open(struct owners *owners, const struct cox_scheduler_setup *setup,
		struct cox_error *err);
/* Those in the pod's namespace that select it; owner_list_free when done. */
void owners_find(struct owners *owners, const struct cox_scheduler_pod *pod, bool services_only,
		 struct owner_list *found);
void owner_list_free(struct owners *owners, struct owner_list *list);
/* Whether one of them selects these labels. */
bool owner_list_matches(const struct owner_list *list, struct cox_scheduler_pairs labels);

/* ---- the plugin ---- */

struct scheduler {
	const struct cox_host *host;
	const struct cox_objects *objects; /* from setup() on, as the next */
	const struct cox_cluster *cluster;
	const struct cox_scheduler_setup *setup;
	struct cox_lister *namespaces;
	struct owners *owners;
	struct claims *claims;
	struct cox_lister *pods, *nodes; /* only where a part needs them */
	bool needs_owners, needs_pods;
	COX_VEC(struct use *) uses;
};

/* Where pods of the same services are. */
struct sibling {
	struct cox_object *node;
};

/* Counts by place; see near.c. */
struct near {
	bool known; /* the required part */
	bool has_near, has_apart;
	bool first; /* nothing it wants near is anywhere, but it is such a pod itself */
	struct cox_map wanted, avoided, refused, weights;
};

/* Of one spread constraint: pods by place, one more than there are. */
struct tally {
	struct cox_map places;
	int64_t least, most;
};

/* One attempt. */
struct state {
	struct near near;
	struct tally *tallies; /* NULL: not counted yet */
	size_t tally_count;
	COX_VEC(const struct cox_scheduler_pod *) without; /* pods that a trial leaves out */
	struct affinity affinity;
	COX_VEC(char *) texts; /* reasons made for this pod */
	bool has_siblings;     /* `siblings` was filled */
	COX_VEC(struct sibling) siblings;
	bool has_owners[2]; /* all, services only */
	struct owner_list owners[2];
	struct claims_state *claims; /* NULL: the pod has none */
};

/* A part in use. */
struct use {
	const struct part *part;
	char **labels; /* of the argument; ends with NULL */
	bool presence;
};

struct part {
	struct cox_scheduler_part public;
	void (*filter)(struct scheduler *scheduler, const struct use *use, struct state *state,
		       const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		       const char **why);
	void (*score)(struct scheduler *scheduler, const struct use *use, struct state *state,
		      const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		      int64_t *scores);
	/* Scores of any size become shares of the highest; or of the range that they are in. */
	enum { AS_IS, MORE_IS_BETTER, LESS_IS_BETTER, IN_RANGE } normal;
	const char *member; /* of the argument: "label", "labels"; NULL: takes none */
};

extern const struct part filter_parts[], score_parts[];
extern const size_t filter_part_count, score_part_count;

/* A text that lives as long as the attempt; the same for the same words. */
const char *state_text(struct state *state, const char *format, ...) COX_PRINTF(2, 3);
/* Fills state->siblings; an index in 0, 1 of state->owners (services only). */
void find_siblings(struct scheduler *scheduler, struct state *state,
		   const struct cox_scheduler_pod *pod);
const struct owner_list *owners_of(struct scheduler *scheduler, struct state *state,
				   const struct cox_scheduler_pod *pod, bool services_only);
/* Whether the node has what the pod's node selector and node affinity ask for. */
bool fits_labels(const struct state *state, const struct cox_scheduler_pod *pod,
		 const struct cox_scheduler_node *node);
bool tolerates(const struct cox_scheduler_pod *pod, const struct cox_scheduler_taint *taint);

/* ---- near and away from other pods (near.c) ---- */

bool selects(const struct cox_scheduler_selector *selector, struct cox_scheduler_pairs labels);
/* Counts by the value that a node has of the label; what is in no place counts 0. */
int64_t places_get(const struct cox_map *places, const char *topology_key,
		   const struct cox_scheduler_node *node);
void places_add(struct cox_map *places, const char *topology_key,
		const struct cox_scheduler_node *node, int64_t by);
bool is_left_out(const struct state *state, const struct cox_scheduler_pod *other);
void filter_near(struct scheduler *scheduler, const struct use *use, struct state *state,
		 const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		 const char **why);
void score_near(struct scheduler *scheduler, const struct use *use, struct state *state,
		const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		int64_t *scores);
void near_forget(struct near *near);
/* Whether `pod` may fit now that another one is what it was not; NULL `before`: it came. */
bool near_is_helped(const struct scheduler *scheduler, const struct cox_scheduler_pod *pod,
		    const struct cox_scheduler_pod *before, const struct cox_scheduler_pod *now);

/* ---- evenly over places (spread.c) ---- */

void filter_spread(struct scheduler *scheduler, const struct use *use, struct state *state,
		   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		   const char **why);
void score_spread(struct scheduler *scheduler, const struct use *use, struct state *state,
		  const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		  int64_t *scores);
void tallies_forget(struct state *state);
bool spread_is_helped(const struct cox_scheduler_pod *pod, const struct cox_scheduler_pod *before,
		      const struct cox_scheduler_pod *now);

#endif
