/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The garbage collector: deletes objects whose owners are gone, lets owners
 * that are deleted in the foreground wait for their dependents, and lets
 * dependents of owners deleted with "orphan" go free.
 *
 * The graph says whom to look at; what is decided is decided by what the
 * server says at that moment, so that a graph that lags behind never deletes
 * anything. A kind is watched from the time discovery tells of it; nothing is
 * finished before all kinds are complete, as a dependent could be missing.
 *
 * Lock: mutex over `kinds`.
 */
#include "graph.h"

#include <coxswain/controller.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/discovery.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/request.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_QUEUE "attempt-to-delete"
#define ORPHAN_QUEUE "attempt-to-orphan"
#define DISCOVERY_QUEUE "discovery"
#define DISCOVERY_KEY "all"
#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"
#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

struct kind {
	struct cox_discovered found;
	struct cox_lister *lister; /* NULL: not watched */
	bool stale;		   /* not in the latest discovery */
};

struct collector {
	const struct cox_host *host;
	const struct cox_controller_setup *setup;
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	struct graph *graph;
	pthread_mutex_t mutex;
	COX_VEC(struct kind *) kinds;
	bool discovered;
	uint32_t workers;
};

/* ---- from changes to keys ---- */

static void sink_check(void *to, const char *uid)
{
	struct collector *self = to;

	self->setup->enqueue(self->setup->builder, CHECK_QUEUE, uid, 0);
}

static void sink_orphan(void *to, const char *uid)
{
	struct collector *self = to;

	self->setup->enqueue(self->setup->builder, ORPHAN_QUEUE, uid, 0);
}

static void object_keys(void *instance, const struct cox_object *old, const struct cox_object *now,
			const struct cox_keys *keys)
{
	struct collector *self = instance;
	const struct graph_sink sink = {sink_check, sink_orphan, self};

	(void)keys; /* the graph decides which nodes a change concerns */
	/* Deleted and made again between two looks. */
	if (old && (!now || strcmp(self->objects->uid(old), self->objects->uid(now)) != 0))
		graph_remove(self->graph, self->objects->uid(old), &sink);
	if (now)
		graph_set(self->graph, now, &sink);
}

/* ---- kinds ---- */

/* Nothing owns events, and there are many; the same for what comes and goes with time. */
static bool is_watched(const struct cox_discovered *found)
{
	return found->can_list && found->can_watch && found->can_delete &&
	       strcmp(found->resource.resource, "events") != 0;
}

static struct kind *kind_of(struct collector *self, const char *api_version, const char *kind)
{
	for (size_t i = 0; i < self->kinds.count; i++) {
		struct cox_discovered *found = &self->kinds.items[i]->found;

		if (!strcmp(found->api_version, api_version) && !strcmp(found->kind, kind))
			return self->kinds.items[i];
	}
	return NULL;
}

static int watch_kind(struct collector *self, struct kind *kind, struct cox_error *err)
{
	const struct cox_source source = {.struct_size = sizeof(source),
					  .resource = &kind->found.resource,
					  .queue = CHECK_QUEUE,
					  .keys = object_keys};

	struct cox_lister *lister = self->setup->source(self->setup->builder, &source, err);

	cox_lock_scope(&self->mutex);
	kind->lister = lister;
	return lister ? 0 : -1;
}

/* Takes over what is new; `list` keeps the rest. The kinds themselves stay for good. */
static int learn(struct collector *self, struct cox_discovered_list *list, struct cox_error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct cox_discovered *found = &list->items[i];
		struct kind *kind;

		if (!is_watched(found))
			continue;
		pthread_mutex_lock(&self->mutex);
		kind = kind_of(self, found->api_version, found->kind);
		if (!kind) {
			kind = cox_new(struct kind);
			kind->found = *found;
			*found = (struct cox_discovered){0};
			cox_vec_push(&self->kinds, kind);
		}
		kind->stale = false;
		pthread_mutex_unlock(&self->mutex);
		if (!kind->lister && watch_kind(self, kind, err))
			return -1;
	}
	return 0;
}

/* Ends the watches of kinds that are gone; a group that did not answer keeps its. */
static void unlearn(struct collector *self, bool complete)
{
	for (size_t i = 0; complete && i < self->kinds.count; i++) {
		struct kind *kind = self->kinds.items[i];
		struct cox_lister *lister;

		pthread_mutex_lock(&self->mutex);
		lister = kind->stale ? kind->lister : NULL;
		if (lister)
			kind->lister = NULL;
		pthread_mutex_unlock(&self->mutex);
		if (lister)
			self->setup->drop_source(self->setup->builder, lister);
	}
}

static int discover(struct collector *self, const struct cox_call *call, struct cox_error *err)
{
	struct cox_discovered_list list = {0};
	cox_autobuf missing = COX_BUF_INIT;
	int failed;

	failed = cox_discover(self->cluster, call, &list, &missing, err);
	if (!failed) {
		pthread_mutex_lock(&self->mutex);
		for (size_t i = 0; i < self->kinds.count; i++)
			self->kinds.items[i]->stale = true;
		pthread_mutex_unlock(&self->mutex);
		failed = learn(self, &list, err);
	}
	if (!failed) {
		unlearn(self, !missing.size);
		cox_lock_scope(&self->mutex);
		self->discovered = true;
	}
	cox_discovered_free(&list);
	return failed;
}

static bool complete(struct collector *self)
{
	cox_lock_scope(&self->mutex);
	for (size_t i = 0; i < self->kinds.count; i++) {
		const struct kind *kind = self->kinds.items[i];

		if (kind->lister ? !self->cluster->lister_synced(kind->lister) : !kind->stale)
			return false;
	}
	return self->discovered;
}

/* The kind stays valid: kinds are freed with the plugin only. */
static const struct cox_discovered *resource_of(struct collector *self, const char *api_version,
						const char *name)
{
	const struct kind *kind;

	cox_lock_scope(&self->mutex);
	kind = kind_of(self, api_version, name);
	return kind && !kind->stale ? &kind->found : NULL;
}

/* ---- requests ---- */

/* 0: `*object` is it, or NULL if there is none with this uid (any more). */
static int get_live(struct collector *self, const struct cox_call *call,
		    const struct identity *identity, struct cox_object **object,
		    struct cox_error *err)
{
	const struct cox_discovered *kind =
		resource_of(self, identity->api_version, identity->kind);
	struct cox_place place;

	*object = NULL;
	if (!kind)
		return self->host->fail(err, COX_REASON_NOT_FOUND,
					"%s %s is no kind that the server has now",
					identity->api_version, identity->kind);
	place = (struct cox_place){&kind->resource,
				   kind->namespaced ? identity->namespace_name : NULL,
				   identity->name, NULL};
	/* A namespaced kind has nothing outside of namespaces. */
	if (kind->namespaced && !*identity->namespace_name)
		return 0;
	if (cox_get(self->cluster, call, &place, object, err))
		return cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err) ? 0 : -1;
	if (strcmp(self->objects->uid(*object), identity->uid) != 0) {
		self->objects->unref(*object);
		*object = NULL;
	}
	return 0;
}

static struct cox_place place_of(struct collector *self, const struct cox_object *object)
{
	const struct cox_value *root = self->objects->root(object);
	const struct cox_discovered *kind = resource_of(
		self, self->objects->text(root, "apiVersion"), self->objects->text(root, "kind"));
	const char *room = self->objects->namespace_of(object);

	return (struct cox_place){kind ? &kind->resource : NULL, *room ? room : NULL,
				  self->objects->name(object), NULL};
}

/* Gone, or changed meanwhile: then the change will bring it back here. */
static int forgive(struct collector *self, int failed, struct cox_error *err)
{
	if (!failed || cox_failed_so(self->cluster, COX_REASON_NOT_FOUND, err))
		return 0;
	return -1;
}

/* `metadata` is what the merge patch says under metadata, after "{". */
static int patch_metadata(struct collector *self, const struct cox_call *call,
			  const struct cox_object *object, const struct cox_buf *members,
			  struct cox_error *err)
{
	const struct cox_place place = place_of(self, object);
	cox_autobuf body = COX_BUF_INIT;

	if (!place.resource)
		return 0;
	cox_buf_printf(&body, "{\"metadata\":{\"uid\":\"%s\",\"resourceVersion\":\"%s\",%s}}",
		       self->objects->uid(object), self->objects->revision(object), members->data);
	return forgive(self,
		       cox_write(self->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err),
		       err);
}

static int remove_finalizer(struct collector *self, const struct cox_call *call,
			    const struct cox_object *object, const char *name,
			    struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list = objects->get(objects->root(object), "metadata.finalizers");
	const struct cox_value *item;
	cox_autobuf members = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&members);

	cox_buf_str(&members, "\"finalizers\":");
	cox_json_array(&json, NULL);
	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (strcmp(objects->text(item, ""), name) != 0)
			cox_json_value(&json, NULL, objects, item);
	}
	cox_json_end(&json);
	return patch_metadata(self, call, object, &members, err);
}

/* ---- owners ---- */

enum owner_state { OWNER_SOLID, OWNER_GONE, OWNER_WAITING, OWNER_IMPOSSIBLE };

static bool waits_for_dependents(const struct collector *self, const struct cox_object *object)
{
	return cox_deleting(self->objects, object) &&
	       cox_has_finalizer(self->objects, object, FOREGROUND);
}

/* Somebody wrote a reference that cannot be right, and will wonder what became of it. */
static void tell_wrong_namespace(struct collector *self, const struct cox_object *dependent,
				 const struct identity *owner)
{
	self->cluster->event(self->cluster->context, dependent, "Warning",
			     "OwnerRefInvalidNamespace",
			     "ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in "
			     "namespace \"%s\"",
			     owner->api_version, owner->kind, owner->namespace_name, owner->name,
			     owner->uid, owner->namespace_name);
}

static bool is_namespaced(struct collector *self, const struct identity *owner)
{
	const struct cox_discovered *kind = resource_of(self, owner->api_version, owner->kind);

	return kind && kind->namespaced;
}

static int owner_state(struct collector *self, const struct cox_call *call,
		       const struct cox_object *dependent, const struct cox_value *reference,
		       enum owner_state *state, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct identity identity = {(char *)objects->text(reference, "uid"),
					  (char *)objects->text(reference, "apiVersion"),
					  (char *)objects->text(reference, "kind"),
					  (char *)objects->namespace_of(dependent),
					  (char *)objects->text(reference, "name")};
	struct cox_object *owner = NULL;

	/* What is in no namespace cannot name one for its owner. */
	if (is_namespaced(self, &identity) && !*identity.namespace_name) {
		*state = OWNER_IMPOSSIBLE;
		tell_wrong_namespace(self, dependent, &identity);
		return 0;
	}
	if (get_live(self, call, &identity, &owner, err))
		return -1;
	if (!owner && is_namespaced(self, &identity) && graph_is_elsewhere(self->graph, &identity))
		tell_wrong_namespace(self, dependent, &identity);
	*state = !owner				     ? OWNER_GONE
		 : waits_for_dependents(self, owner) ? OWNER_WAITING
						     : OWNER_SOLID;
	objects->unref(owner);
	return 0;
}

struct owners {
	size_t solid, gone, waiting, impossible;
	enum owner_state *states;
};

static int classify(struct collector *self, const struct cox_call *call,
		    const struct cox_object *object, struct owners *owners, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list =
		objects->get(objects->root(object), "metadata.ownerReferences");
	const struct cox_value *reference;

	owners->states = cox_calloc(objects->count(list) + 1, sizeof(*owners->states));
	for (size_t i = 0; (reference = objects->at(list, i, NULL)); i++) {
		if (owner_state(self, call, object, reference, &owners->states[i], err))
			return -1;
		owners->solid += owners->states[i] == OWNER_SOLID;
		owners->gone += owners->states[i] == OWNER_GONE;
		owners->waiting += owners->states[i] == OWNER_WAITING;
		owners->impossible += owners->states[i] == OWNER_IMPOSSIBLE;
	}
	return 0;
}

/* Keeps the references that `states` calls solid. */
static int keep_solid_owners(struct collector *self, const struct cox_call *call,
			     const struct cox_object *object, const struct owners *owners,
			     struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list =
		objects->get(objects->root(object), "metadata.ownerReferences");
	const struct cox_value *reference;
	cox_autobuf members = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&members);

	cox_buf_str(&members, "\"ownerReferences\":");
	cox_json_array(&json, NULL);
	for (size_t i = 0; (reference = objects->at(list, i, NULL)); i++) {
		if (owners->states[i] == OWNER_SOLID)
			cox_json_value(&json, NULL, objects, reference);
	}
	cox_json_end(&json);
	return patch_metadata(self, call, object, &members, err);
}

static int delete_object(struct collector *self, const struct cox_call *call,
			 const struct cox_object *object, const char *policy, struct cox_error *err)
{
	const struct cox_place place = place_of(self, object);
	const struct cox_delete how = {.uid = self->objects->uid(object),
				       .revision = self->objects->revision(object),
				       .policy = policy,
				       .grace = -1};

	if (!place.resource)
		return 0;
	self->host->log_verbose(self->host->context, 2, "deleting %s/%s %s (%s)",
				place.namespace_name ? place.namespace_name : "", place.name,
				place.resource->resource, policy);
	return forgive(self, cox_delete(self->cluster, call, &place, &how, err), err);
}

/* ---- one object ---- */

/* Its dependents go first; when none blocks it any more it may go itself. */
static int finish_foreground(struct collector *self, const struct cox_call *call,
			     const struct cox_object *object, struct cox_error *err)
{
	struct identities blocking = {0};
	int failed = 0;

	graph_dependents(self->graph, self->objects->uid(object), true, &blocking);
	if (!blocking.count)
		failed = remove_finalizer(self, call, object, FOREGROUND, err);
	for (size_t i = 0; i < blocking.count; i++) {
		if (!graph_waits(self->graph, blocking.items[i].uid))
			sink_check(self, blocking.items[i].uid);
	}
	identities_free(&blocking);
	return failed;
}

/* `*waiting`: one of them waits for dependents of its own, perhaps for this very object. */
static bool has_dependents(struct collector *self, const char *uid, bool *waiting)
{
	struct identities all = {0};
	bool any;

	*waiting = false;
	graph_dependents(self->graph, uid, false, &all);
	for (size_t i = 0; i < all.count; i++)
		*waiting |= graph_waits(self->graph, all.items[i].uid);
	any = all.count > 0;
	identities_free(&all);
	return any;
}

static bool blocks_owners(const struct cox_objects *objects, const struct cox_value *references)
{
	const struct cox_value *reference;

	for (size_t i = 0; (reference = objects->at(references, i, NULL)); i++) {
		if (objects->boolean(reference, "blockOwnerDeletion"))
			return true;
	}
	return false;
}

/* The same references, none of which holds its owner back. */
static int unblock_owners(struct collector *self, const struct cox_call *call,
			  const struct cox_object *object, const struct cox_value *references,
			  struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *reference, *member;
	cox_autobuf members = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&members);
	const char *key;

	cox_buf_str(&members, "\"ownerReferences\":");
	cox_json_array(&json, NULL);
	for (size_t i = 0; (reference = objects->at(references, i, NULL)); i++) {
		cox_json_object(&json, NULL);
		for (size_t j = 0; (member = objects->at(reference, j, &key)); j++) {
			if (strcmp(key, "blockOwnerDeletion") != 0)
				cox_json_value(&json, key, objects, member);
		}
		cox_json_bool(&json, "blockOwnerDeletion", false);
		cox_json_end(&json);
	}
	cox_json_end(&json);
	return patch_metadata(self, call, object, &members, err);
}

/* The way of deleting that was begun, or the usual one. */
static const char *policy_of(const struct collector *self, const struct cox_object *object)
{
	if (cox_has_finalizer(self->objects, object, ORPHAN))
		return "Orphan";
	return cox_has_finalizer(self->objects, object, FOREGROUND) ? "Foreground" : "Background";
}

/*
 * Its owner goes and waits; it takes its own dependents along. Where owners go
 * round in a circle somebody has to stop waiting first; the change of the
 * references brings the object back here.
 */
static int follow_owner(struct collector *self, const struct cox_call *call,
			const struct cox_object *object, bool circle, struct cox_error *err)
{
	const struct cox_value *references =
		self->objects->get(self->objects->root(object), "metadata.ownerReferences");

	if (circle && blocks_owners(self->objects, references))
		return unblock_owners(self, call, object, references, err);
	return delete_object(self, call, object, "Foreground", err);
}

static int decide(struct collector *self, const struct cox_call *call,
		  const struct cox_object *object, struct cox_error *err)
{
	struct owners owners = {0};
	bool circle = false;
	int failed;

	failed = classify(self, call, object, &owners, err);
	if (!failed && owners.impossible) {
		/* Whether it has an owner nobody can say: it stays as it is. */
	} else if (!failed && owners.solid) {
		if (owners.gone || owners.waiting)
			failed = keep_solid_owners(self, call, object, &owners, err);
	} else if (!failed && owners.waiting &&
		   has_dependents(self, self->objects->uid(object), &circle)) {
		failed = follow_owner(self, call, object, circle, err);
	} else if (!failed && (owners.gone || owners.waiting)) {
		failed = delete_object(self, call, object, policy_of(self, object), err);
	}
	free(owners.states);
	return failed;
}

static int check(struct collector *self, const struct cox_call *call, const char *uid,
		 struct cox_error *err)
{
	const struct graph_sink sink = {sink_check, sink_orphan, self};
	struct identity identity;
	struct cox_object *object = NULL;
	int failed;

	if (!graph_identity(self->graph, uid, &identity))
		return 0;
	failed = get_live(self, call, &identity, &object, err);
	if (!failed && !object)
		graph_remove_there(self->graph, &identity, &sink);
	else if (!failed && waits_for_dependents(self, object))
		failed = finish_foreground(self, call, object, err);
	else if (!failed && !cox_deleting(self->objects, object))
		failed = decide(self, call, object, err);
	self->objects->unref(object);
	identity_free(&identity);
	return failed;
}

/* ---- letting go ---- */

static int let_go(struct collector *self, const struct cox_call *call,
		  const struct identity *dependent, const char *owner_uid, struct cox_error *err)
{
	const struct cox_objects *objects = self->objects;
	const struct cox_value *list, *reference;
	struct cox_object *object = NULL;
	struct owners owners = {0};
	int failed = 0;

	if (get_live(self, call, dependent, &object, err))
		return -1;
	if (object && cox_owner_by_uid(objects, object, owner_uid)) {
		list = objects->get(objects->root(object), "metadata.ownerReferences");
		owners.states = cox_calloc(objects->count(list) + 1, sizeof(*owners.states));
		for (size_t i = 0; (reference = objects->at(list, i, NULL)); i++)
			owners.states[i] = strcmp(objects->text(reference, "uid"), owner_uid)
						   ? OWNER_SOLID
						   : OWNER_GONE;
		failed = keep_solid_owners(self, call, object, &owners, err);
		free(owners.states);
	}
	objects->unref(object);
	return failed;
}

static int orphan(struct collector *self, const struct cox_call *call, const char *uid,
		  struct cox_error *err)
{
	struct identities dependents = {0};
	struct identity identity;
	struct cox_object *object = NULL;
	int failed = 0;

	if (!graph_identity(self->graph, uid, &identity))
		return 0;
	graph_dependents(self->graph, uid, false, &dependents);
	for (size_t i = 0; i < dependents.count && !failed; i++)
		failed = let_go(self, call, &dependents.items[i], uid, err);
	if (!failed)
		failed = get_live(self, call, &identity, &object, err);
	if (!failed && object && cox_has_finalizer(self->objects, object, ORPHAN))
		failed = remove_finalizer(self, call, object, ORPHAN, err);
	self->objects->unref(object);
	identities_free(&dependents);
	identity_free(&identity);
	return failed;
}

/* ---- the plugin ---- */

static int collector_reconcile(void *instance, const struct cox_call *call, const char *queue,
			       const char *key, uint64_t *again_ns, struct cox_error *err)
{
	struct collector *self = instance;

	if (!strcmp(queue, DISCOVERY_QUEUE))
		return discover(self, call, err);
	if (!complete(self)) {
		*again_ns = 100 * MILLISECOND;
		return 0;
	}
	return strcmp(queue, ORPHAN_QUEUE) ? check(self, call, key, err)
					   : orphan(self, call, key, err);
}

static int collector_setup(void *instance, const struct cox_controller_setup *setup,
			   struct cox_error *err)
{
	struct collector *self = instance;
	void *builder = setup->builder;

	self->setup = setup;
	self->cluster = setup->cluster;
	self->objects = setup->cluster->objects;
	self->graph = graph_new(self->objects);
	if (setup->queue(builder, CHECK_QUEUE, self->workers, err) ||
	    setup->queue(builder, ORPHAN_QUEUE, self->workers, err) ||
	    setup->queue(builder, DISCOVERY_QUEUE, 1, err) ||
	    setup->every(builder, DISCOVERY_QUEUE, DISCOVERY_KEY, 30 * SECOND, err))
		return -1;
	return setup->enqueue(builder, DISCOVERY_QUEUE, DISCOVERY_KEY, 0);
}

static void *collector_create(const struct cox_host *host, struct cox_error *err)
{
	struct collector *self = cox_new(struct collector);

	(void)err;
	self->host = host;
	pthread_mutex_init(&self->mutex, NULL);
	return self;
}

static int collector_config(void *instance, const char *key, const char *value,
			    struct cox_error *err)
{
	struct collector *self = instance;
	int64_t workers;

	(void)key; /* the table has one option */
	if (cox_parse_int(value, 1, 64, &workers))
		return self->host->fail(err, COX_REASON_INVALID,
					"workers: %s, 1 to 64 are possible", value);
	self->workers = (uint32_t)workers;
	return 0;
}

static void collector_destroy(void *instance)
{
	struct collector *self = instance;

	for (size_t i = 0; i < self->kinds.count; i++) {
		struct cox_discovered_list one = {0};

		cox_vec_push(&one, self->kinds.items[i]->found);
		cox_discovered_free(&one);
		free(self->kinds.items[i]);
	}
	cox_vec_free(&self->kinds);
	graph_free(self->graph);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static const struct cox_option collector_options[] = {
	{"workers", "20", "objects that are worked on at the same time", COX_OPT_INT, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_controller_ops collector_ops = {
	.setup = collector_setup,
	.reconcile = collector_reconcile,
};

COX_CONTROLLER_PLUGIN(collector_ops, .name = "garbagecollector", .version = "1",
		      .description = "Deletes objects whose owners are gone",
		      .thread_model = COX_THREADS_PARALLEL, .options = collector_options,
		      .create = collector_create, .config = collector_config,
		      .destroy = collector_destroy);
