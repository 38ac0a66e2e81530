/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-side apply and the tracking of updates; see the header. An object is
 * seen in the version in which a manager wrote: its fields have the names that
 * they have there. Versions that are not known any more lose their managers.
 */
#include "machinery/apply.h"

#include "machinery/convert.h"
#include "machinery/json.h"

#include <coxswain/kit/vec.h>
#include <string.h>

/* Versions */

/* The object's form in a version; NULL: there is none. */
struct version {
	const char *api_version;
	const struct schema_resource *row;
	struct typed_context typed;
};

static bool find_version(const struct field_context *context, const char *api_version,
			 struct version *out)
{
	const struct schema *schema = context->typed.schema;
	struct arena *arena = context->typed.arena;

	*out = (struct version){api_version, context->row, context->typed};
	if (strcmp(api_version, context->api_version) == 0)
		return true;
	for (uint32_t i = 0; context->row && i < schema->resource_count; i++) {
		const struct schema_resource *row = &schema->resources[i];

		if (schema_resource_stored(schema, row) !=
			    schema_resource_stored(schema, context->row) ||
		    strcmp(schema_api_version(schema, arena, row), api_version) != 0)
			continue;
		out->row = row;
		out->typed.type = schema_resource_type(schema, row);
		return true;
	}
	return false;
}

/* NULL: it cannot be had in that form. */
static const struct value *convert(const struct field_context *context, const struct value *object,
				   const struct version *from, const struct version *to)
{
	const struct schema *schema = context->typed.schema;
	const struct schema_resource *stored;
	struct arena *arena = context->typed.arena;
	struct value *copy;

	if (from->row == to->row)
		return object;
	stored = schema_resource_stored(schema, from->row);
	copy = value_copy(arena, object);
	if (schema_convert(schema, from->row, stored, arena, copy, NULL) != 0 ||
	    schema_convert(schema, stored, to->row, arena, copy, NULL) != 0)
		return NULL;
	return copy;
}

static struct version own_version(const struct field_context *context)
{
	return (struct version){context->api_version, context->row, context->typed};
}

/* Managers of versions that are gone, and lists that became one thing. */
static void reconcile(const struct field_context *context, struct managers *managers)
{
	for (size_t i = 0; i < managers->count; i++) {
		struct manager *manager = &managers->list[i];
		struct version version;

		if (find_version(context, manager->api_version, &version))
			manager_set(manager, typed_reconcile(&version.typed, manager->fields));
		else
			manager_set(manager, NULL);
	}
	managers_drop_empty(managers);
}

/* What changes, seen by one version */

struct seen {
	const char *api_version;
	const struct fieldset *changed; /* added or modified */
	const struct fieldset *removed;
	bool known;
};

struct comparison {
	const struct field_context *context;
	const struct value *before, *after;
	unsigned flags;
	COX_VEC(struct seen) seen;
};

static void set_seen(const struct field_context *context, const struct typed_changes *changes,
		     struct seen *seen)
{
	struct arena *arena = context->typed.arena;

	seen->changed = fieldset_filter(
		arena, fieldset_union(arena, changes->added, changes->modified), &context->filter);
	seen->removed = fieldset_filter(arena, changes->removed, &context->filter);
	seen->known = true;
}

static const struct seen *see(struct comparison *comparison, const char *api_version)
{
	const struct field_context *context = comparison->context;
	const struct version own = own_version(context);
	struct seen seen = {.api_version = api_version};
	const struct value *before, *after;
	struct typed_changes changes;
	struct version version;

	for (size_t i = 0; i < comparison->seen.count; i++)
		if (strcmp(comparison->seen.items[i].api_version, api_version) == 0)
			return &comparison->seen.items[i];
	if (find_version(context, api_version, &version)) {
		before = convert(context, comparison->before, &own, &version);
		after = convert(context, comparison->after, &own, &version);
		if (before && after) {
			typed_compare(&version.typed, before, after, comparison->flags, &changes);
			set_seen(context, &changes, &seen);
		}
	}
	cox_vec_push(&comparison->seen, seen);
	return &comparison->seen.items[comparison->seen.count - 1];
}

/* Updates */

/* All but `self` (may be NULL) lose what changes. */
static void take_from_others(struct comparison *comparison, struct managers *managers,
			     const struct manager *self)
{
	struct arena *arena = managers->arena;

	for (size_t i = 0; i < managers->count; i++) {
		struct manager *manager = &managers->list[i];
		const struct seen *seen;
		const struct fieldset *left;

		if (self && manager_same(manager, self))
			continue;
		seen = see(comparison, manager->api_version);
		left = fieldset_difference(arena, manager->fields, seen->changed);
		left = fieldset_difference(arena, left, seen->removed);
		manager_set(manager, seen->known ? left : NULL);
	}
}

static void give(const struct field_context *context, struct managers *managers,
		 const struct manager *who, const struct fieldset *fields)
{
	struct manager *known = managers_find(managers, who);

	if (!fields)
		return;
	if (!known) {
		managers_add(managers, who);
		known = &managers->list[managers->count - 1];
	}
	manager_set(known, fieldset_union(context->typed.arena, known->fields, fields));
	known->time = context->now;
	known->entry = NULL;
}

/* `changes`: those in the request's version, which the caller has looked for already. */
static void update(const struct field_context *context, struct managers *managers,
		   const struct value *before, const struct value *after, unsigned flags,
		   const struct typed_changes *changes)
{
	const struct manager self = {.name = *context->manager ? context->manager : "unknown",
				     .api_version = context->api_version,
				     .subresource = context->subresource,
				     .time = context->now};
	struct comparison comparison = {
		.context = context, .before = before, .after = after, .flags = flags};
	struct seen own = {.api_version = context->api_version};

	set_seen(context, changes, &own);
	cox_vec_push(&comparison.seen, own);
	reconcile(context, managers);
	take_from_others(&comparison, managers, NULL);
	give(context, managers, &self, own.changed);
	cox_vec_free(&comparison.seen);
	managers_drop_empty(managers);
	managers_limit(managers);
}

void fields_update(const struct field_context *context, struct managers *managers,
		   const struct value *before, const struct value *after, unsigned flags)
{
	struct typed_changes changes;

	typed_compare(&context->typed, before, after, flags, &changes);
	update(context, managers, before, after, flags, &changes);
}

static const struct value *list_of(const struct value *object)
{
	return value_get(value_get(object, "metadata"), "managedFields");
}

static void put_list(struct arena *arena, struct value *object, struct value *list)
{
	struct value *metadata = value_make_object(arena, object, "metadata");

	if (list)
		value_set(arena, metadata, "managedFields", list);
	else
		value_remove(metadata, "managedFields");
}

/*
 * The list that an update begins with: what was sent, unless it cannot be read
 * or says nothing, or a subresource, which cannot change it, was written.
 */
static void read_sent(const struct field_context *context, const struct value *sent,
		      const struct value *stored, struct managers *managers)
{
	struct arena *arena = context->typed.arena;

	if (sent && managers_is_reset(sent)) {
		*managers = (struct managers){.arena = arena};
		return;
	}
	if (sent && managers_read(managers, arena, sent, true, NULL) == 0 && managers->count)
		return;
	if (managers_read(managers, arena, stored, false, NULL) != 0)
		*managers = (struct managers){.arena = arena};
}

void fields_track(const struct field_context *context, const struct value *before,
		  struct value *after, bool exists)
{
	struct arena *arena = context->typed.arena;
	const struct value *sent = list_of(after), *stored = list_of(before);
	struct typed_changes changes;
	struct managers managers;

	if (*context->subresource || (sent && stored && value_equal(sent, stored)))
		sent = NULL;
	typed_compare(&context->typed, before, after, TYPED_ZEROS, &changes);
	/* Nothing has to be read where nothing changes. */
	if (exists && !sent && !changes.added && !changes.modified && !changes.removed) {
		put_list(arena, after, (struct value *)stored);
		return;
	}
	read_sent(context, sent, stored, &managers);
	if (managers.count || !exists)
		update(context, &managers, before, after, TYPED_ZEROS, &changes);
	put_list(arena, after, managers_write(&managers));
}

/* Apply */

/* Before and after something was taken out, and the version in which that was done. */
struct pruning {
	const struct field_context *context;
	const struct managers *managers;
	const struct fieldset *applied; /* now, also what nobody manages */
	const struct value *whole;	/* in `version` */
	const struct value *pruned;	/* in `at` */
	struct version version, at;
};

static const struct fieldset *all_fields(const struct version *version, const struct value *object)
{
	return typed_with_fields(&version->typed, typed_all_fields(&version->typed, object));
}

/* What the managers who write in one version have stays, or comes back. */
static void add_back(struct pruning *p, const char *api_version)
{
	const struct managers *managers = p->managers;
	struct arena *arena = managers->arena;
	const struct fieldset *owned = NULL, *gone;
	const struct value *whole, *pruned;
	struct version version;

	if (!find_version(p->context, api_version, &version))
		return;
	whole = convert(p->context, p->whole, &p->version, &version);
	pruned = convert(p->context, p->pruned, &p->at, &version);
	if (!whole || !pruned)
		return;
	for (size_t i = 0; i < managers->count; i++)
		if (strcmp(managers->list[i].api_version, api_version) == 0)
			owned = fieldset_union(arena, owned, managers->list[i].fields);
	if (strcmp(api_version, p->context->api_version) == 0)
		owned = fieldset_union(arena, owned, p->applied);
	owned = typed_with_fields(&version.typed, owned);
	gone = fieldset_difference(arena, all_fields(&version, whole),
				   fieldset_union(arena, all_fields(&version, pruned), owned));
	p->pruned = typed_remove(&version.typed, whole, gone);
	p->at = version;
}

static bool is_first_of_version(const struct managers *managers, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(managers->list[i].api_version, managers->list[index].api_version) == 0)
			return false;
	return true;
}

/*
 * Takes out fields of `merged` that were applied before, are not now, and are
 * nobody else's: what `last` had goes, with all that is below it; what others
 * have below it comes back; of the rest, what `last` did not have, too.
 */
static const struct value *prune(const struct field_context *context,
				 const struct managers *managers, const struct value *merged,
				 const struct manager *last, const struct fieldset *applied)
{
	struct pruning p = {.context = context, .managers = managers, .applied = applied};
	const struct version own = own_version(context);
	struct arena *arena = managers->arena;
	const struct fieldset *fields, *gone;
	const struct value *result;

	if (!last->fields || !find_version(context, last->api_version, &p.version))
		return merged;
	p.at = p.version;
	p.whole = convert(context, merged, &own, &p.version);
	if (!p.whole)
		return merged;
	fields = typed_with_fields(&p.version.typed, last->fields);
	p.pruned = typed_remove(&p.version.typed, p.whole, fields);
	/* The version in which something was taken out comes first. */
	add_back(&p, last->api_version);
	for (size_t i = 0; i < managers->count; i++)
		if (strcmp(managers->list[i].api_version, last->api_version) != 0 &&
		    is_first_of_version(managers, i))
			add_back(&p, managers->list[i].api_version);
	result = convert(context, p.pruned, &p.at, &p.version);
	if (!result)
		return merged;
	gone = fieldset_difference(arena, all_fields(&p.version, p.whole),
				   all_fields(&p.version, result));
	result =
		typed_remove(&p.version.typed, p.whole, fieldset_intersection(arena, gone, fields));
	result = convert(context, result, &p.version, &own);
	return result ? result : merged;
}

/* Conflicts */

struct conflict {
	struct manager manager;
	const struct fieldset *fields;
};

struct conflicts {
	struct conflict *list;
	size_t count; /* managers */
};

static int compare_conflicts(const void *left, const void *right)
{
	const struct conflict *a = left, *b = right;

	return manager_compare(&a->manager, &b->manager);
}

static struct conflicts find_conflicts(struct comparison *comparison,
				       const struct managers *managers, const struct manager *self)
{
	struct conflicts out = {
		arena_alloc(managers->arena, (managers->count + 1) * sizeof(struct conflict)), 0};

	for (size_t i = 0; i < managers->count; i++) {
		const struct manager *manager = &managers->list[i];
		const struct fieldset *fields;

		if (manager_same(manager, self))
			continue;
		fields = fieldset_intersection(managers->arena, manager->fields,
					       see(comparison, manager->api_version)->changed);
		if (fields)
			out.list[out.count++] = (struct conflict){*manager, fields};
	}
	qsort(out.list, out.count, sizeof(*out.list), compare_conflicts);
	return out;
}

/* Leaves out what is in the set. */
static void forgive(struct arena *arena, struct conflicts *conflicts, const struct fieldset *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < conflicts->count; i++) {
		struct conflict conflict = conflicts->list[i];

		conflict.fields = fieldset_difference(arena, conflict.fields, set);
		if (conflict.fields)
			conflicts->list[kept++] = conflict;
	}
	conflicts->count = kept;
}

enum { CONFLICTS_TOLD_MAX = 500 }; /* more of them are counted only */

struct telling {
	struct cox_buf paths; /* a line each */
	struct cox_error *causes;
	const char *manager;
	size_t count; /* of all managers so far */
};

static void tell_path(void *into, const struct step_path *path)
{
	struct telling *telling = into;
	cox_autobuf text = COX_BUF_INIT;

	if (telling->count++ >= CONFLICTS_TOLD_MAX)
		return;
	step_path_text(&text, path);
	cox_buf_printf(&telling->paths, "\n- %s", cox_buf_cstr(&text));
	error_add_cause(telling->causes, "FieldManagerConflict", cox_buf_cstr(&text),
			"conflict with %s", telling->manager);
}

static int refuse(struct arena *arena, const struct conflicts *conflicts, struct cox_error *err)
{
	cox_autoerror causes = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT;
	struct telling telling = {.causes = &causes};

	error_set(&causes, COX_REASON_CONFLICT, "conflicts");
	for (size_t i = 0; i < conflicts->count; i++) {
		telling.manager = manager_text(arena, &conflicts->list[i].manager);
		fieldset_each(conflicts->list[i].fields, tell_path, &telling);
		if (telling.paths.size)
			cox_buf_printf(&text, "%sconflicts with %s:%s", i ? "\n" : "",
				       telling.manager, cox_buf_cstr(&telling.paths));
		cox_buf_clear(&telling.paths);
	}
	cox_buf_free(&telling.paths);
	if (telling.count > CONFLICTS_TOLD_MAX)
		cox_buf_printf(&text, "\nand %zu more", telling.count - CONFLICTS_TOLD_MAX);
	if (telling.count == 1)
		error_set(err, COX_REASON_CONFLICT, "Apply failed with 1 conflict: %s: %s",
			  causes.causes[0].message, causes.causes[0].field);
	else
		error_set(err, COX_REASON_CONFLICT, "Apply failed with %zu conflicts: %s",
			  telling.count, cox_buf_cstr(&text));
	for (size_t i = 0; err && i < causes.cause_count; i++)
		error_add_cause(err, "FieldManagerConflict", causes.causes[i].field, "%s",
				causes.causes[i].message);
	return -1;
}

/*
 * kubectl once kept in an annotation what it applied: what still has those
 * values is its own, whoever is said to manage it.
 */
static const struct fieldset *applied_before(const struct field_context *context,
					     const struct value *live)
{
	const struct value *annotation = value_get(
		value_get(value_get(live, "metadata"), "annotations"), LAST_APPLIED_ANNOTATION);
	struct arena *arena = context->typed.arena;
	const struct value *last = NULL;
	struct typed_changes changes;
	const struct fieldset *fields;

	if (value_is(annotation, VALUE_STRING) && annotation->count)
		last = json_parse(arena, annotation->text, annotation->count, NULL, NULL);
	if (!value_is(last, VALUE_OBJECT) ||
	    strcmp(value_get_text(last, "apiVersion"), context->api_version) != 0 ||
	    typed_check(&context->typed, last))
		return NULL;
	fields = typed_fields(&context->typed, last);
	typed_compare(&context->typed, last, live, 0, &changes);
	fields = fieldset_difference(arena, fields, changes.modified);
	fields = fieldset_difference(arena, fields, changes.added);
	return fieldset_difference(arena, fields, changes.removed);
}

static int judge(const struct field_context *context, struct comparison *comparison,
		 const struct managers *managers, const struct manager *self, struct cox_error *err)
{
	struct conflicts conflicts = find_conflicts(comparison, managers, self);

	if (conflicts.count && strcmp(self->name, "kubectl") == 0)
		forgive(context->typed.arena, &conflicts,
			applied_before(context, comparison->before));
	return conflicts.count ? refuse(context->typed.arena, &conflicts, err) : 0;
}

/* Who set what there is before anybody applied; nobody knows. */
static void claim_for_nobody(const struct field_context *context, struct managers *managers,
			     const struct value *live)
{
	static const struct value nothing = {.kind = VALUE_OBJECT};
	struct field_context before = *context;

	before.manager = "before-first-apply";
	fields_update(&before, managers, &nothing, live, TYPED_ZEROS);
}

static int check_config(const struct field_context *context, const struct value *config,
			struct cox_error *err)
{
	const struct value *metadata = value_get(config, "metadata");
	const char *version = value_get_text(config, "apiVersion");
	const char *why;

	if (value_get(metadata, "managedFields") &&
	    value_get(metadata, "managedFields")->kind != VALUE_NULL)
		return error_set(err, COX_REASON_BAD_REQUEST, "metadata.managedFields must be nil");
	why = typed_check(&context->typed, config);
	if (!why)
		return 0;
	return error_set(err, COX_REASON_INTERNAL_ERROR,
			 "failed to create typed patch object (%s/%s; %s%s, Kind=%s): %s",
			 value_get_text(metadata, "namespace"), value_get_text(metadata, "name"),
			 strchr(version, '/') ? "" : "/", version, value_get_text(config, "kind"),
			 why);
}

int fields_apply(const struct field_context *context, struct managers *managers, struct value *live,
		 const struct value *config, bool force, struct value **merged,
		 struct cox_error *err)
{
	struct arena *arena = context->typed.arena;
	const struct manager self = {.name = context->manager,
				     .api_version = context->api_version,
				     .subresource = context->subresource,
				     .applies = true};
	struct manager last = self, next = self, *known;
	struct comparison comparison = {.context = context, .before = live};
	const struct value *result;
	int status = 0;

	if (check_config(context, config, err) != 0)
		return -1;
	if (!managers->count)
		claim_for_nobody(context, managers, live);
	reconcile(context, managers);
	next.fields =
		fieldset_filter(arena, typed_fields(&context->typed, config), &context->filter);
	known = managers_find(managers, &self);
	if (!known && managers->count >= MANAGERS_MAX)
		return error_set(
			err, COX_REASON_INVALID,
			"metadata.managedFields: Too many: %zu: must have at most %d items",
			managers->count + 1, MANAGERS_MAX);
	if (known)
		last = *known;
	else
		managers_add(managers, &self);
	known = managers_find(managers, &self);
	*known = next;
	result = typed_merge(&context->typed, live, config);
	/* All that was applied before is applied again: nothing can be left over. */
	if (strcmp(last.api_version, next.api_version) != 0 ||
	    fieldset_difference(arena, last.fields, next.fields))
		result = prune(context, managers, result, &last,
			       fieldset_union(arena, typed_all_fields(&context->typed, config),
					      fieldset_of_path(arena, "metadata.name")));
	comparison.after = result;
	if (!force)
		status = judge(context, &comparison, managers, &self, err);
	if (status == 0) {
		bool same = value_equal(live, result);

		take_from_others(&comparison, managers, &self);
		known = managers_find(managers, &self);
		known->time =
			same && fieldset_equal(last.fields, next.fields) ? last.time : context->now;
		managers_drop_empty(managers);
		*merged = same ? live : (struct value *)result;
	}
	cox_vec_free(&comparison.seen);
	return status;
}
