/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns whom, by uid, as the watches tell it. An owner that is named by a
 * dependent but was not seen itself is in the graph as a virtual node, to be
 * checked. Nodes are handed out as copies; any thread.
 */
#ifndef GARBAGECOLLECTOR_GRAPH_H
#define GARBAGECOLLECTOR_GRAPH_H

#include <coxswain/object.h>
#include <stdbool.h>
#include <stddef.h>

struct graph;

/* Where an object is, as references and events say it; strings are owned. */
struct identity {
	char *uid;
	char *api_version;
	char *kind;
	char *namespace_name; /* "" */
	char *name;
};
void identity_free(struct identity *identity);

/* What is to be done about nodes because of a change; called with no lock held. */
struct graph_sink {
	void (*check)(void *to, const char *uid);  /* may have to be deleted */
	void (*orphan)(void *to, const char *uid); /* its dependents are to be let go */
	void *to;
};

struct graph *graph_new(const struct cox_objects *objects);
void graph_free(struct graph *graph);

void graph_set(struct graph *graph, const struct cox_object *object, const struct graph_sink *sink);
/* It is gone; what it owned is to be checked, and owners that wait for it. */
void graph_remove(struct graph *graph, const char *uid, const struct graph_sink *sink);
/*
 * The same, of what was looked for and not found: what was seen elsewhere
 * meanwhile stays.
 */
void graph_remove_there(struct graph *graph, const struct identity *identity,
			const struct graph_sink *sink);

/* Seen, but not where the identity says: the reference it comes from is wrong. */
bool graph_is_elsewhere(struct graph *graph, const struct identity *identity);
/* False: not in the graph. */
bool graph_identity(struct graph *graph, const char *uid, struct identity *identity);
/* Being deleted in the foreground: waits for its dependents. */
bool graph_waits(struct graph *graph, const char *uid);

struct identities {
	struct identity *items;
	size_t count;
	size_t capacity;
};
/* The dependents; `blocking`: only those that block the owner's deletion. */
void graph_dependents(struct graph *graph, const char *uid, bool blocking,
		      struct identities *found);
void identities_free(struct identities *all);
size_t graph_size(struct graph *graph);

#endif
