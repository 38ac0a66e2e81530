/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Persistent volume claims of a pod. Those that have a volume bind the pod to
 * the nodes that reach it. Those that wait for a pod (WaitForFirstConsumer) are
 * given one that the chosen node reaches: the volume is set aside for the claim,
 * or the claim is told the node so that a provisioner makes one, and the pod
 * waits in permit() until the controller has bound both.
 *
 * Lock: claims.mutex over `assumed`, what attempts in flight have chosen;
 * nothing is called under it.
 */
#include "claims.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/buf.h>
#include <coxswain/kit/claims.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/json.h>
#include <coxswain/kit/meta.h>
#include <coxswain/kit/pods.h>
#include <coxswain/kit/quantity.h>
#include <coxswain/kit/request.h>
#include <stdlib.h>
#include <string.h>

/* How long a pod waits between looks at its claims: 20 times this, then that. */
enum { QUICK_LOOKS = 20 };
static const uint64_t quick_pause = 50 * 1000000ull, long_pause = 1000 * 1000000ull;

static const char unbound[] = "pod has unbound immediate PersistentVolumeClaims";
static const char wrong_node[] = "node(s) didn't match PersistentVolume's node affinity";
static const char no_volume[] = "node(s) didn't find available persistent volumes to bind";
static const char taken[] =
	"node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access "
	"mode";

static const struct cox_resource claim_kind = {"", "v1", "persistentvolumeclaims"};
static const struct cox_resource volume_kind = {"", "v1", "persistentvolumes"};

enum { CLAIMS, VOLUMES, CLASSES, NODES, PODS, LISTERS };

struct claims {
	const struct cox_cluster *cluster;
	const struct cox_objects *objects;
	const struct cox_scheduler_setup *setup;
	struct cox_lister *listers[LISTERS]; /* the host's */
	struct cox_lister_watcher watchers[LISTERS];
	pthread_mutex_t mutex;
	struct cox_map assumed; /* names of volumes, "namespace/name" of claims: the pod's uid */
};

/* A claim that waits for a node. */
struct wish {
	struct cox_object *claim, *class;
	struct cox_quantity size;
	COX_VEC(struct cox_object *) fit; /* volumes that will do, the smallest first */
	struct cox_object *chosen;	  /* one of `fit`; NULL: is to be made */
};

struct claims_state {
	COX_VEC(struct cox_object *) bound; /* volumes that the pod has */
	COX_VEC(struct wish) wishes;	    /* the smallest first */
	COX_VEC(char *) alone;		    /* "namespace/name" of claims for one pod only */
	COX_VEC(const char *) held;	    /* what it has in `assumed` */
	unsigned looks;			    /* 0: nothing is written yet */
};

/* ---- what attempts in flight have ---- */

static bool is_assumed(struct claims *claims, const char *key, const char *uid)
{
	const char *holder;

	cox_lock_scope(&claims->mutex);
	holder = cox_map_get(&claims->assumed, key, strlen(key));
	return holder && strcmp(holder, uid) != 0;
}

/* Keys live as long as the attempt. False: another attempt has it. */
static bool assume(struct claims *claims, struct claims_state *state, const char *key,
		   const char *uid)
{
	cox_lock_scope(&claims->mutex);
	if (cox_map_get(&claims->assumed, key, strlen(key)))
		return false;
	cox_map_put(&claims->assumed, key, strlen(key), cox_strdup(uid));
	cox_vec_push(&state->held, key);
	return true;
}

static void let_go(struct claims *claims, struct claims_state *state)
{
	cox_lock_scope(&claims->mutex);
	for (size_t i = 0; i < state->held.count; i++)
		free(cox_map_remove(&claims->assumed, state->held.items[i],
				    strlen(state->held.items[i])));
	state->held.count = 0;
}

/* ---- looking at a pod ---- */

struct gathering {
	struct claims *claims;
	struct wish *wish;
	const char *pod_uid;
};

static int gather(void *to, const struct cox_object *volume)
{
	struct gathering *gathering = to;
	struct wish *wish = gathering->wish;
	const struct cox_objects *objects = gathering->claims->objects;
	size_t at = wish->fit.count;

	if (!cox_volume_is_claimed_by(objects, volume, wish->claim) &&
	    (!cox_volume_is_free(objects, volume) ||
	     is_assumed(gathering->claims, objects->name(volume), gathering->pod_uid)))
		return 0;
	if (cox_volume_unfit(objects, volume, wish->claim))
		return 0;
	cox_vec_push(&wish->fit, objects->ref(volume));
	for (; at && cox_volume_compare(objects, volume, wish->fit.items[at - 1]) < 0; at--) {
		struct cox_object *larger = wish->fit.items[at - 1];

		wish->fit.items[at - 1] = wish->fit.items[at];
		wish->fit.items[at] = larger;
	}
	return 0;
}

static struct cox_quantity size_of(const struct cox_objects *objects,
				   const struct cox_object *claim)
{
	const char *text = objects->text(objects->root(claim), "spec.resources.requests.storage");
	struct cox_quantity size;

	if (!*text || cox_quantity_parse(text, strlen(text), &size, NULL))
		size = cox_quantity_from_int(0, COX_QUANTITY_BINARY_SI);
	return size;
}

/* Takes over both references. */
static void add_wish(struct claims *claims, struct claims_state *state, struct cox_object *claim,
		     struct cox_object *class, const char *pod_uid)
{
	struct wish wish = {
		.claim = claim, .class = class, .size = size_of(claims->objects, claim)};
	struct gathering gathering = {claims, &wish, pod_uid};
	const struct cox_object_sink sink = {gather, &gathering};
	size_t at = state->wishes.count;

	claims->cluster->find(claims->listers[VOLUMES], "class",
			      cox_storage_class(claims->objects, claim), &sink);
	cox_vec_push(&state->wishes, wish);
	for (; at && cox_quantity_compare(&wish.size, &state->wishes.items[at - 1].size) < 0;
	     at--) {
		struct wish larger = state->wishes.items[at - 1];

		state->wishes.items[at - 1] = state->wishes.items[at];
		state->wishes.items[at] = larger;
	}
}

struct other_user {
	const struct cox_objects *objects;
	const char *uid;
	bool found;
};

static int see_user(void *to, const struct cox_object *pod)
{
	struct other_user *user = to;

	user->found = strcmp(user->objects->uid(pod), user->uid) != 0;
	return user->found;
}

/* A claim for one pod only, and another pod has it. */
static bool is_taken(struct claims *claims, struct claims_state *state,
		     const struct cox_object *claim, const char *pod_uid)
{
	const struct cox_objects *objects = claims->objects;
	const struct cox_value *modes = objects->get(objects->root(claim), "spec.accessModes");
	const struct cox_value *mode;
	struct other_user user = {objects, pod_uid, false};
	const struct cox_object_sink sink = {see_user, &user};
	struct cox_buf key = COX_BUF_INIT;
	bool alone = false;

	for (size_t i = 0; (mode = objects->at(modes, i, NULL)); i++)
		alone = alone || !strcmp(objects->text(mode, ""), "ReadWriteOncePod");
	if (!alone)
		return false;
	cox_buf_printf(&key, "%s/%s", objects->namespace_of(claim), objects->name(claim));
	cox_vec_push(&state->alone, cox_buf_steal(&key));
	claims->cluster->find(claims->listers[PODS], "uses",
			      state->alone.items[state->alone.count - 1], &sink);
	return user.found ||
	       is_assumed(claims, state->alone.items[state->alone.count - 1], pod_uid);
}

/* A bound claim's volume; NULL, or why it is of no use. */
static const char *look_at_bound(struct claims *claims, struct state *state,
				 const struct cox_object *claim)
{
	const struct cox_objects *objects = claims->objects;
	const char *name = objects->text(objects->root(claim), "spec.volumeName");
	struct cox_object *volume = claims->cluster->get(claims->listers[VOLUMES], NULL, name);

	if (!volume)
		return state_text(state,
				  "persistentvolumeclaim \"%s\" bound to non-existent "
				  "persistentvolume \"%s\"",
				  objects->name(claim), name);
	cox_vec_push(&state->claims->bound, volume);
	return NULL;
}

/* Takes over the claim. */
static const char *look_at_unbound(struct claims *claims, struct state *state,
				   struct cox_object *claim, const char *pod_uid)
{
	const struct cox_objects *objects = claims->objects;
	const char *class_name = cox_storage_class(objects, claim);
	struct cox_object *class =
		*class_name ? claims->cluster->get(claims->listers[CLASSES], NULL, class_name)
			    : NULL;

	if (cox_class_waits(objects, class) &&
	    !*objects->text(objects->root(claim), "spec.volumeName")) {
		add_wish(claims, state->claims, claim, class, pod_uid);
		return NULL;
	}
	objects->unref(class);
	objects->unref(claim);
	return unbound;
}

static const char *look_at(struct claims *claims, struct state *state,
			   const struct cox_scheduler_pod *pod, const char *name, bool ephemeral)
{
	const struct cox_objects *objects = claims->objects;
	struct cox_object *claim =
		claims->cluster->get(claims->listers[CLAIMS], pod->namespace_name, name);
	const char *why;

	if (!claim && ephemeral)
		return state_text(state,
				  "waiting for ephemeral volume controller to create the "
				  "persistentvolumeclaim \"%s\"",
				  name);
	if (!claim)
		return state_text(state, "persistentvolumeclaim \"%s\" not found", name);
	if (ephemeral && !cox_owner_by_uid(objects, claim, pod->uid))
		why = state_text(state,
				 "persistentvolumeclaim \"%s\" was not created for the pod, which "
				 "is not its owner",
				 name);
	else if (cox_deleting(objects, claim))
		why = state_text(state, "persistentvolumeclaim \"%s\" is being deleted", name);
	else if (is_taken(claims, state->claims, claim, pod->uid))
		why = taken;
	else if (cox_claim_is_bound(objects, claim))
		why = look_at_bound(claims, state, claim);
	else
		return look_at_unbound(claims, state, claim, pod->uid);
	objects->unref(claim);
	return why;
}

const char *claims_look(struct claims *claims, struct state *state,
			const struct cox_scheduler_pod *pod)
{
	const struct cox_objects *objects = claims->objects;
	const struct cox_value *list = objects->get(objects->root(pod->object), "spec.volumes");
	const struct cox_value *volume;
	char room[COX_CLAIM_NAME_SIZE];
	const char *why = NULL;
	bool ephemeral;

	state->claims = cox_new(struct claims_state);
	for (size_t i = 0; !why && (volume = objects->at(list, i, NULL)); i++) {
		const char *name = cox_pod_claim(objects, pod->object, volume, room, &ephemeral);

		if (*name)
			why = look_at(claims, state, pod, name, ephemeral);
	}
	return why;
}

void claims_forget(struct claims *claims, struct claims_state *state)
{
	if (!state)
		return;
	let_go(claims, state);
	for (size_t i = 0; i < state->bound.count; i++)
		claims->objects->unref(state->bound.items[i]);
	for (size_t i = 0; i < state->wishes.count; i++) {
		struct wish *wish = &state->wishes.items[i];

		for (size_t j = 0; j < wish->fit.count; j++)
			claims->objects->unref(wish->fit.items[j]);
		cox_vec_free(&wish->fit);
		claims->objects->unref(wish->claim);
		claims->objects->unref(wish->class);
	}
	for (size_t i = 0; i < state->alone.count; i++)
		free(state->alone.items[i]);
	cox_vec_free(&state->bound);
	cox_vec_free(&state->wishes);
	cox_vec_free(&state->alone);
	cox_vec_free(&state->held);
	free(state);
}

/* ---- nodes ---- */

static const char *row_label(const void *of, const struct cox_objects *objects, const char *key)
{
	(void)objects;
	return pairs_get(((const struct cox_scheduler_node *)of)->labels, key);
}

static bool reaches(const struct claims *claims, const struct cox_object *volume,
		    const struct cox_scheduler_node *node)
{
	const struct cox_label_source labels = {row_label, node};

	return cox_volume_reaches(claims->objects, volume, &labels, node->name);
}

/* A term of a class's allowedTopologies: each label has one of the values. */
static bool term_allows(const struct cox_objects *objects, const struct cox_value *term,
			const struct cox_scheduler_node *node)
{
	const struct cox_value *list = objects->get(term, "matchLabelExpressions"), *item, *value;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		const char *has = pairs_get(node->labels, objects->text(item, "key"));
		bool found = false;

		for (size_t j = 0;
		     has && (value = objects->at(objects->get(item, "values"), j, NULL)); j++)
			found = found || !strcmp(objects->text(value, ""), has);
		if (!found)
			return false;
	}
	return true;
}

/* Whether somebody can make a volume of the class for the node. */
static bool can_be_made(const struct claims *claims, const struct cox_object *class,
			const struct cox_scheduler_node *node)
{
	const struct cox_objects *objects = claims->objects;
	const char *provisioner = cox_class_provisioner(objects, class);
	const struct cox_value *list = objects->get(objects->root(class), "allowedTopologies");
	const struct cox_value *term;

	if (!*provisioner || !strcmp(provisioner, COX_NO_PROVISIONER))
		return false;
	for (size_t i = 0; (term = objects->at(list, i, NULL)); i++)
		if (term_allows(objects, term, node))
			return true;
	return objects->count(list) == 0;
}

/* Another wish of the pod, before this one, has chosen the volume. */
static bool is_chosen(const struct claims_state *state, size_t wish,
		      const struct cox_object *volume)
{
	for (size_t i = 0; i < wish; i++)
		if (state->wishes.items[i].chosen == volume)
			return true;
	return false;
}

/* Chooses for every wish. NULL, or why the node will not do. */
static const char *choose(const struct claims *claims, struct claims_state *state,
			  const struct cox_scheduler_node *node)
{
	const struct cox_objects *objects = claims->objects;

	for (size_t i = 0; i < state->wishes.count; i++) {
		struct wish *wish = &state->wishes.items[i];
		const char *selected = cox_annotation(objects, wish->claim, COX_SELECTED_NODE);

		wish->chosen = NULL;
		/* A provisioner is at it already, there. */
		if (*selected && strcmp(selected, node->name) != 0)
			return no_volume;
		for (size_t j = 0; !*selected && !wish->chosen && j < wish->fit.count; j++)
			if (!is_chosen(state, i, wish->fit.items[j]) &&
			    reaches(claims, wish->fit.items[j], node))
				wish->chosen = wish->fit.items[j];
		if (!wish->chosen && !can_be_made(claims, wish->class, node))
			return no_volume;
	}
	return NULL;
}

void filter_claims(struct scheduler *scheduler, const struct use *use, struct state *state,
		   const struct cox_scheduler_pod *pod, struct cox_scheduler_nodes nodes,
		   const char **why)
{
	struct claims_state *claims = state->claims;

	(void)use;
	(void)pod;
	for (size_t i = 0; claims && i < nodes.count; i++) {
		for (size_t j = 0; !why[i] && j < claims->bound.count; j++)
			if (!reaches(scheduler->claims, claims->bound.items[j], nodes.items[i]))
				why[i] = wrong_node;
		if (!why[i])
			why[i] = choose(scheduler->claims, claims, nodes.items[i]);
	}
}

/* ---- taking ---- */

int claims_reserve(struct scheduler *scheduler, struct claims_state *state,
		   const struct cox_scheduler_pod *pod, const struct cox_scheduler_node *node,
		   struct cox_error *err)
{
	struct claims *claims = scheduler->claims;
	const char *why = choose(claims, state, node);
	bool had = !why;

	for (size_t i = 0; had && i < state->alone.count; i++)
		had = assume(claims, state, state->alone.items[i], pod->uid);
	for (size_t i = 0; had && i < state->wishes.count; i++)
		if (state->wishes.items[i].chosen)
			had = assume(claims, state,
				     claims->objects->name(state->wishes.items[i].chosen),
				     pod->uid);
	if (had)
		return 0;
	let_go(claims, state);
	return scheduler->host->fail(err, COX_REASON_CONFLICT, "%s",
				     why ? why : "another pod is just taking its volume");
}

void claims_unreserve(struct scheduler *scheduler, struct claims_state *state)
{
	let_go(scheduler->claims, state);
}

/* Of this revision of the object: somebody else may have been quicker. */
static void begin_patch(const struct cox_objects *objects, struct cox_json *json,
			const struct cox_object *object)
{
	cox_json_object(json, NULL);
	cox_json_object(json, "metadata");
	cox_json_text(json, "uid", objects->uid(object));
	cox_json_text(json, "resourceVersion", objects->revision(object));
	cox_json_object(json, "annotations");
}

static int set_aside(const struct claims *claims, const struct cox_call *call,
		     const struct wish *wish, struct cox_error *err)
{
	const struct cox_objects *objects = claims->objects;
	const struct cox_place place = {&volume_kind, NULL, objects->name(wish->chosen), NULL};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	begin_patch(objects, &json, wish->chosen);
	if (!objects->get(objects->root(wish->chosen), "spec.claimRef"))
		cox_json_text(&json, COX_BOUND_BY_CONTROLLER, "yes");
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_object(&json, "spec");
	cox_claim_ref_write(&json, objects, wish->claim);
	cox_json_end(&json);
	cox_json_end(&json);
	return cox_write(claims->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
}

static int tell_node(const struct claims *claims, const struct cox_call *call,
		     const struct wish *wish, const char *node, struct cox_error *err)
{
	const struct cox_objects *objects = claims->objects;
	const struct cox_place place = {&claim_kind, objects->namespace_of(wish->claim),
					objects->name(wish->claim), NULL};
	cox_autobuf body = COX_BUF_INIT;
	struct cox_json json = COX_JSON_INIT(&body);

	if (!strcmp(cox_annotation(objects, wish->claim, COX_SELECTED_NODE), node))
		return 0;
	begin_patch(objects, &json, wish->claim);
	cox_json_text(&json, COX_SELECTED_NODE, node);
	cox_json_end(&json);
	cox_json_end(&json);
	cox_json_end(&json);
	return cox_write(claims->cluster, call, COX_PATCH_MERGE, &place, &body, NULL, err);
}

static int write_wishes(const struct claims *claims, const struct cox_call *call,
			const struct claims_state *state, const char *node, struct cox_error *err)
{
	for (size_t i = 0; i < state->wishes.count; i++) {
		const struct wish *wish = &state->wishes.items[i];

		if (wish->chosen ? set_aside(claims, call, wish, err)
				 : tell_node(claims, call, wish, node, err))
			return -1;
	}
	return 0;
}

/* A bound claim's volume has to be one that the node reaches. */
static int check_volume(const struct scheduler *scheduler, const struct cox_object *claim,
			const char *node_name, struct cox_error *err)
{
	const struct claims *claims = scheduler->claims;
	const struct cox_objects *objects = claims->objects;
	const char *name = objects->text(objects->root(claim), "spec.volumeName");
	struct cox_object *volume = claims->cluster->get(claims->listers[VOLUMES], NULL, name);
	struct cox_object *node = claims->cluster->get(claims->listers[NODES], NULL, node_name);
	bool fits = volume && node && cox_volume_reaches_node(objects, volume, node);

	objects->unref(volume);
	objects->unref(node);
	return fits ? 0
		    : scheduler->host->fail(err, COX_REASON_CONFLICT,
					    "persistentvolumeclaim \"%s\" got persistentvolume "
					    "\"%s\", which node \"%s\" does not reach",
					    objects->name(claim), name, node_name);
}

/*
 * The provisioner took the node's name away again. What follows the revision that
 * was patched has the name, so a later one without it is not just an old copy.
 */
static bool is_given_up(const struct cox_objects *objects, const struct cox_object *before,
			const struct cox_object *now, const char *node)
{
	return strcmp(objects->revision(now), objects->revision(before)) != 0 &&
	       strcmp(cox_annotation(objects, now, COX_SELECTED_NODE), node) != 0;
}

/* 1: it has its volume; 0: not yet; -1: it will not, on this node. */
static int look_again(const struct scheduler *scheduler, const struct wish *wish, const char *node,
		      struct cox_error *err)
{
	const struct claims *claims = scheduler->claims;
	const struct cox_objects *objects = claims->objects;
	const char *name = objects->name(wish->claim);
	struct cox_object *claim = claims->cluster->get(claims->listers[CLAIMS],
							objects->namespace_of(wish->claim), name);
	int has = 0;

	if (!claim || strcmp(objects->uid(claim), objects->uid(wish->claim)) != 0 ||
	    cox_deleting(objects, claim)) {
		has = scheduler->host->fail(err, COX_REASON_CONFLICT,
					    "persistentvolumeclaim \"%s\" went while it was bound",
					    name);
	} else if (cox_claim_is_bound(objects, claim)) {
		has = check_volume(scheduler, claim, node, err) ? -1 : 1;
	} else if (!wish->chosen && is_given_up(objects, wish->claim, claim, node)) {
		has = scheduler->host->fail(err, COX_REASON_CONFLICT,
					    "no volume was made for persistentvolumeclaim \"%s\" "
					    "on node \"%s\"",
					    name, node);
	}
	objects->unref(claim);
	return has;
}

int claims_permit(struct scheduler *scheduler, const struct cox_call *call,
		  struct claims_state *state, const char *node, uint64_t *again_ns,
		  struct cox_error *err)
{
	if (!state->wishes.count)
		return 0;
	if (!state->looks && write_wishes(scheduler->claims, call, state, node, err))
		return -1;
	for (size_t i = 0; i < state->wishes.count; i++) {
		int has = look_again(scheduler, &state->wishes.items[i], node, err);

		if (has < 0)
			return -1;
		if (!has)
			*again_ns = state->looks < QUICK_LOOKS ? quick_pause : long_pause;
	}
	state->looks++;
	return 0;
}

/* ---- the copies ---- */

static void volume_class(const struct cox_objects *objects, const struct cox_object *volume,
			 const struct cox_keys *values)
{
	values->emit(values, cox_storage_class(objects, volume));
}

static void pod_uses(const struct cox_objects *objects, const struct cox_object *pod,
		     const struct cox_keys *values)
{
	if (*objects->text(objects->root(pod), "spec.nodeName") && !cox_pod_ended(objects, pod))
		cox_pod_claim_keys(objects, pod, values);
}

struct any_key {
	struct cox_keys keys; /* first */
	bool found;
};

/* Whether it matters to pods: not if only its labels or a condition changed. */
static void changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	static const char *const parts[] = {"spec", "status.phase", "metadata.annotations",
					    "metadata.deletionTimestamp", "allowedTopologies"};
	const struct claims *claims = self;
	const struct cox_objects *objects = claims->objects;
	bool same = old && now;

	for (size_t i = 0; same && i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct cox_value *before = objects->get(objects->root(old), parts[i]);
		const struct cox_value *after = objects->get(objects->root(now), parts[i]);

		same = (!before && !after) || objects->equal(before, after);
	}
	if (!same)
		claims->setup->changed(claims->setup->builder);
}

static void note_key(const struct cox_keys *keys, const char *key)
{
	(void)key;
	((struct any_key *)(uintptr_t)keys)->found = true;
}

/* A pod that had a claim has it no more; the index knows by now. */
static void pod_changed(void *self, const struct cox_object *old, const struct cox_object *now)
{
	const struct claims *claims = self;
	struct any_key any = {.keys = {note_key}};

	if (!old || (now && !cox_pod_ended(claims->objects, now)))
		return;
	pod_uses(claims->objects, old, &any.keys);
	if (any.found)
		claims->setup->changed(claims->setup->builder);
}

struct claims *claims_new(void)
{
	struct claims *claims = cox_new(struct claims);

	pthread_mutex_init(&claims->mutex, NULL);
	return claims;
}

int claims_open(struct claims *claims, const struct cox_scheduler_setup *setup,
		struct cox_error *err)
{
	static const struct cox_index by_class[] = {{"class", volume_class}, {NULL, NULL}};
	static const struct cox_index by_use[] = {{"uses", pod_uses}, {NULL, NULL}};
	static const struct {
		struct cox_resource resource;
		const struct cox_index *indexes;
		void (*changed)(void *self, const struct cox_object *old,
				const struct cox_object *now);
	} kinds[LISTERS] = {
		[CLAIMS] = {{"", "v1", "persistentvolumeclaims"}, NULL, changed},
		[VOLUMES] = {{"", "v1", "persistentvolumes"}, by_class, changed},
		[CLASSES] = {{"storage.k8s.io", "v1", "storageclasses"}, NULL, changed},
		[NODES] = {{"", "v1", "nodes"}, NULL, NULL},
		[PODS] = {{"", "v1", "pods"}, by_use, pod_changed},
	};

	claims->setup = setup;
	claims->cluster = setup->cluster;
	claims->objects = setup->cluster->objects;
	for (size_t i = 0; i < LISTERS; i++) {
		const struct cox_lister_options options = {
			.struct_size = sizeof(options),
			.resource = &kinds[i].resource,
			.indexes = kinds[i].indexes,
			.watcher = kinds[i].changed ? &claims->watchers[i] : NULL};

		claims->watchers[i] = (struct cox_lister_watcher){kinds[i].changed, claims};
		claims->listers[i] = setup->source(setup->builder, &options, err);
		if (!claims->listers[i])
			return -1;
	}
	return 0;
}

void claims_free(struct claims *claims)
{
	size_t at = 0;
	void *uid;

	while (cox_map_next(&claims->assumed, &at, NULL, NULL, &uid))
		free(uid);
	cox_map_free(&claims->assumed);
	pthread_mutex_destroy(&claims->mutex);
	free(claims);
}
