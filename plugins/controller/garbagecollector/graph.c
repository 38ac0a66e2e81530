/* SPDX-License-Identifier: Apache-2.0 */
/* The graph: a map of nodes; edges are kept at both ends. One mutex. */
#include "graph.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

struct node;

struct edge {
	struct node *owner;
	bool blocks;
};

struct node {
	struct identity identity;
	COX_VEC(struct edge) owners;
	COX_VEC(struct node *) dependents;
	bool seen; /* not virtual */
	bool deleting;
	bool foreground; /* waits for its dependents */
	bool orphaning;
};

struct graph {
	const struct cox_objects *objects;
	pthread_mutex_t mutex;
	struct cox_map nodes;
};

/* What to tell the sink when the lock is released. */
struct notes {
	COX_VEC(char *) check;
	COX_VEC(char *) orphan;
};

void identity_free(struct identity *identity)
{
	free(identity->uid);
	free(identity->api_version);
	free(identity->kind);
	free(identity->namespace_name);
	free(identity->name);
	*identity = (struct identity){NULL, NULL, NULL, NULL, NULL};
}

static struct identity identity_copy(const struct identity *from)
{
	return (struct identity){cox_strdup(from->uid), cox_strdup(from->api_version),
				 cox_strdup(from->kind), cox_strdup(from->namespace_name),
				 cox_strdup(from->name)};
}

void identities_free(struct identities *all)
{
	for (size_t i = 0; i < all->count; i++)
		identity_free(&all->items[i]);
	cox_vec_free(all);
}

static void tell(struct notes *notes, const struct graph_sink *sink)
{
	for (size_t i = 0; i < notes->check.count; i++) {
		sink->check(sink->to, notes->check.items[i]);
		free(notes->check.items[i]);
	}
	for (size_t i = 0; i < notes->orphan.count; i++) {
		sink->orphan(sink->to, notes->orphan.items[i]);
		free(notes->orphan.items[i]);
	}
	cox_vec_free(&notes->check);
	cox_vec_free(&notes->orphan);
}

static void note_check(struct notes *notes, const struct node *node)
{
	cox_vec_push(&notes->check, cox_strdup(node->identity.uid));
}

/* ---- nodes and edges ---- */

static struct node *find(const struct graph *graph, const char *uid)
{
	return cox_map_get(&graph->nodes, uid, strlen(uid));
}

static struct node *add(struct graph *graph, const struct identity *identity)
{
	struct node *node = cox_new(struct node);

	node->identity = identity_copy(identity);
	cox_map_put(&graph->nodes, identity->uid, strlen(identity->uid), node);
	return node;
}

static void drop_dependent(struct node *owner, const struct node *dependent)
{
	for (size_t i = 0; i < owner->dependents.count; i++) {
		if (owner->dependents.items[i] == dependent) {
			owner->dependents.items[i] =
				owner->dependents.items[--owner->dependents.count];
			return;
		}
	}
}

static void node_free(struct node *node)
{
	identity_free(&node->identity);
	cox_vec_free(&node->owners);
	cox_vec_free(&node->dependents);
	free(node);
}

/* A virtual node is there for its dependents only. */
static void forget_if_idle(struct graph *graph, struct node *node)
{
	if (node->seen || node->dependents.count)
		return;
	cox_map_remove(&graph->nodes, node->identity.uid, strlen(node->identity.uid));
	node_free(node);
}

static void add_owner(struct graph *graph, struct node *node, const struct cox_value *reference,
		      struct notes *notes)
{
	const struct cox_objects *objects = graph->objects;
	const struct identity identity = {(char *)objects->text(reference, "uid"),
					  (char *)objects->text(reference, "apiVersion"),
					  (char *)objects->text(reference, "kind"),
					  node->identity.namespace_name,
					  (char *)objects->text(reference, "name")};
	struct node *owner;

	if (!*identity.uid)
		return;
	owner = find(graph, identity.uid);
	if (!owner) {
		owner = add(graph, &identity);
		note_check(notes, owner);
	}
	cox_vec_push(&node->owners,
		     (struct edge){owner, objects->boolean(reference, "blockOwnerDeletion")});
	cox_vec_push(&owner->dependents, node);
	/* It may own what goes already, and then goes with it. */
	if (owner->foreground)
		note_check(notes, node);
}

/* Takes the edges away; owners that wait may be done then. */
static void drop_owners(struct graph *graph, struct node *node, struct notes *notes)
{
	for (size_t i = 0; i < node->owners.count; i++) {
		struct node *owner = node->owners.items[i].owner;

		drop_dependent(owner, node);
		if (owner->foreground)
			note_check(notes, owner);
		forget_if_idle(graph, owner);
	}
	node->owners.count = 0;
}

static bool owners_are(const struct graph *graph, const struct node *node,
		       const struct cox_value *references)
{
	const struct cox_objects *objects = graph->objects;

	if (objects->count(references) != node->owners.count)
		return false;
	for (size_t i = 0; i < node->owners.count; i++) {
		const struct cox_value *reference = objects->at(references, i, NULL);
		const struct edge *edge = &node->owners.items[i];

		if (strcmp(objects->text(reference, "uid"), edge->owner->identity.uid) != 0 ||
		    objects->boolean(reference, "blockOwnerDeletion") != edge->blocks)
			return false;
	}
	return true;
}

static bool is_at(const struct node *node, const struct identity *identity)
{
	return !strcmp(node->identity.namespace_name, identity->namespace_name) &&
	       !strcmp(node->identity.name, identity->name) &&
	       !strcmp(node->identity.kind, identity->kind);
}

/* ---- changes ---- */

static struct node *place(struct graph *graph, const struct cox_object *object, struct notes *notes)
{
	const struct cox_objects *objects = graph->objects;
	const struct cox_value *root = objects->root(object);
	const struct identity identity = {
		(char *)objects->uid(object), (char *)objects->text(root, "apiVersion"),
		(char *)objects->text(root, "kind"), (char *)objects->namespace_of(object),
		(char *)objects->name(object)};
	struct node *node = find(graph, identity.uid);

	if (!node) {
		node = add(graph, &identity);
	} else if (!node->seen) {
		/* What its dependents said of it may be wrong: they are checked again then. */
		for (size_t i = 0; i < node->dependents.count; i++) {
			if (!is_at(node, &identity))
				note_check(notes, node->dependents.items[i]);
		}
		identity_free(&node->identity);
		node->identity = identity_copy(&identity);
	}
	node->seen = true;
	return node;
}

void graph_set(struct graph *graph, const struct cox_object *object, const struct graph_sink *sink)
{
	const struct cox_objects *objects = graph->objects;
	const struct cox_value *references =
		objects->get(objects->root(object), "metadata.ownerReferences");
	const struct cox_value *reference;
	struct notes notes = {0};
	struct node *node;
	bool foreground, orphaning;

	pthread_mutex_lock(&graph->mutex);
	node = place(graph, object, &notes);
	if (!owners_are(graph, node, references)) {
		drop_owners(graph, node, &notes);
		for (size_t i = 0; (reference = objects->at(references, i, NULL)); i++)
			add_owner(graph, node, reference, &notes);
		note_check(&notes, node);
	}
	node->deleting = cox_deleting(objects, object);
	foreground = node->deleting && cox_has_finalizer(objects, object, "foregroundDeletion");
	orphaning = node->deleting && cox_has_finalizer(objects, object, "orphan");
	if (foreground && !node->foreground) {
		note_check(&notes, node);
		for (size_t i = 0; i < node->dependents.count; i++)
			note_check(&notes, node->dependents.items[i]);
	}
	if (orphaning && !node->orphaning)
		cox_vec_push(&notes.orphan, cox_strdup(node->identity.uid));
	node->foreground = foreground;
	node->orphaning = orphaning;
	pthread_mutex_unlock(&graph->mutex);
	tell(&notes, sink);
}

static void remove_node(struct graph *graph, struct node *node, struct notes *notes)
{
	for (size_t i = 0; i < node->dependents.count; i++)
		note_check(notes, node->dependents.items[i]);
	drop_owners(graph, node, notes);
	node->seen = node->deleting = node->foreground = node->orphaning = false;
	/* With dependents left it stays as what they name. */
	forget_if_idle(graph, node);
}

void graph_remove(struct graph *graph, const char *uid, const struct graph_sink *sink)
{
	struct notes notes = {0};
	struct node *node;

	pthread_mutex_lock(&graph->mutex);
	node = find(graph, uid);
	if (node)
		remove_node(graph, node, &notes);
	pthread_mutex_unlock(&graph->mutex);
	tell(&notes, sink);
}

static bool is_elsewhere(const struct node *node, const struct identity *identity)
{
	return node->seen && !is_at(node, identity);
}

void graph_remove_there(struct graph *graph, const struct identity *identity,
			const struct graph_sink *sink)
{
	struct notes notes = {0};
	struct node *node;

	pthread_mutex_lock(&graph->mutex);
	node = find(graph, identity->uid);
	if (node && !is_elsewhere(node, identity))
		remove_node(graph, node, &notes);
	pthread_mutex_unlock(&graph->mutex);
	tell(&notes, sink);
}

/* ---- questions ---- */

bool graph_is_elsewhere(struct graph *graph, const struct identity *identity)
{
	const struct node *node;

	cox_lock_scope(&graph->mutex);
	node = find(graph, identity->uid);
	return node && is_elsewhere(node, identity);
}

bool graph_identity(struct graph *graph, const char *uid, struct identity *identity)
{
	const struct node *node;

	cox_lock_scope(&graph->mutex);
	node = find(graph, uid);
	if (node)
		*identity = identity_copy(&node->identity);
	return node != NULL;
}

bool graph_waits(struct graph *graph, const char *uid)
{
	const struct node *node;

	cox_lock_scope(&graph->mutex);
	node = find(graph, uid);
	return node && node->foreground;
}

static bool blocks(const struct node *dependent, const struct node *owner)
{
	for (size_t i = 0; i < dependent->owners.count; i++) {
		if (dependent->owners.items[i].owner == owner && dependent->owners.items[i].blocks)
			return true;
	}
	return false;
}

void graph_dependents(struct graph *graph, const char *uid, bool blocking, struct identities *found)
{
	const struct node *node;

	cox_lock_scope(&graph->mutex);
	node = find(graph, uid);
	for (size_t i = 0; node && i < node->dependents.count; i++) {
		const struct node *dependent = node->dependents.items[i];

		if (!blocking || blocks(dependent, node))
			cox_vec_push(found, identity_copy(&dependent->identity));
	}
}

size_t graph_size(struct graph *graph)
{
	cox_lock_scope(&graph->mutex);
	return graph->nodes.count;
}

/* ---- life ---- */

struct graph *graph_new(const struct cox_objects *objects)
{
	struct graph *graph = cox_new(struct graph);

	graph->objects = objects;
	pthread_mutex_init(&graph->mutex, NULL);
	return graph;
}

void graph_free(struct graph *graph)
{
	void *node;

	if (!graph)
		return;
	for (size_t at = 0; cox_map_next(&graph->nodes, &at, NULL, NULL, &node);)
		node_free(node);
	cox_map_free(&graph->nodes);
	pthread_mutex_destroy(&graph->mutex);
	free(graph);
}
