/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata rules; see the header. */
#include "apiserver/metadata.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SUFFIX_SIZE = 5, NAME_BASE_MAX = 63 - SUFFIX_SIZE };

struct value *metadata_of(struct arena *arena, struct value *object)
{
	return value_make_object(arena, object, "metadata");
}

int metadata_match_route(struct api_call *call, struct value *object, bool create,
			 struct cox_error *err)
{
	struct value *metadata = metadata_of(call->arena, object);
	const char *name = value_get_text(metadata, "name");
	const char *namespace_ = value_get_text(metadata, "namespace");
	const char *wanted = call->resource->namespaced ? call->route.namespace_ : "";

	if (!create && !*name)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the name of the object must be set: metadata.name is empty");
	if (*call->route.name && *name && strcmp(name, call->route.name) != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the name of the object (%s) does not match the name on the URL "
				 "(%s)",
				 name, call->route.name);
	if (*namespace_ && strcmp(namespace_, wanted) != 0) {
		if (!call->resource->namespaced)
			return error_set(err, COX_REASON_BAD_REQUEST,
					 "namespace is not allowed on this type");
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "the namespace of the provided object does not match the "
				 "namespace sent on the request");
	}
	if (*wanted && !*namespace_)
		value_set_text(call->arena, metadata, "namespace", wanted);
	return 0;
}

int metadata_generate_name(struct arena *arena, struct value *object, struct cox_error *err)
{
	/* No vowels, so no words; no 0, 1, 3, which look like letters. */
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	struct value *metadata = metadata_of(arena, object);
	const char *base = value_get_text(metadata, "generateName");
	unsigned char random[SUFFIX_SIZE];
	char suffix[SUFFIX_SIZE + 1];

	if (*value_get_text(metadata, "name") || !*base)
		return 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_set(err, COX_REASON_INTERNAL_ERROR, "no random bytes for a name");
	for (size_t i = 0; i < SUFFIX_SIZE; i++)
		suffix[i] = letters[random[i] % (sizeof(letters) - 1)];
	suffix[SUFFIX_SIZE] = '\0';
	value_set(arena, metadata, "name",
		  value_printf(arena, "%.*s%s", NAME_BASE_MAX, base, suffix));
	return 0;
}

int metadata_prepare_create(struct arena *arena, struct value *object, bool generation,
			    struct cox_error *err)
{
	struct value *metadata = metadata_of(arena, object);
	char now[CLOCK_RFC3339_SIZE], uid[UUID_SIZE];

	if (*value_get_text(metadata, "resourceVersion"))
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "resourceVersion should not be set on objects to be created");
	clock_format(clock_realtime(), now);
	uuid_make(uid);
	value_set_text(arena, metadata, "creationTimestamp", now);
	value_set_text(arena, metadata, "uid", uid);
	value_remove(metadata, "resourceVersion");
	value_remove(metadata, "deletionTimestamp");
	value_remove(metadata, "deletionGracePeriodSeconds");
	value_remove(metadata, "selfLink");
	value_remove(metadata, "generation");
	if (generation)
		value_set_int(arena, metadata, "generation", 1);
	return 0;
}

/* Takes over a member of the old object, or removes it. */
static void keep_member(struct arena *arena, struct value *metadata, const struct value *old,
			const char *name)
{
	struct value *value = value_get(old, name);

	if (value)
		value_set(arena, metadata, name, value_copy(arena, value));
	else
		value_remove(metadata, name);
}

int metadata_prepare_update(const struct api_resource *resource, struct arena *arena,
			    struct value *object, const struct value *old, struct cox_error *err)
{
	static const char *const kept[] = {"uid",	       "creationTimestamp",
					   "generation",       "deletionTimestamp",
					   "generateName",     "deletionGracePeriodSeconds"};
	struct value *metadata = metadata_of(arena, object);
	const struct value *before = value_get(old, "metadata");
	const char *uid = value_get_text(metadata, "uid");
	const char *old_uid = value_get_text(before, "uid");

	if (*uid && strcmp(uid, old_uid) != 0) {
		error_set(err, COX_REASON_CONFLICT,
			  "Operation cannot be fulfilled on %s%s%s \"%s\": StorageError: invalid "
			  "object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: "
			  "Precondition failed: UID in precondition: %s, UID in object meta: %s",
			  resource->name, *resource->group ? "." : "", resource->group,
			  value_get_text(before, "name"), value_get_text(before, "name"), uid,
			  old_uid);
		error_set_details(err, *resource->group ? resource->group : NULL, resource->name,
				  value_get_text(before, "name"));
		return -1;
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		keep_member(arena, metadata, before, kept[i]);
	value_remove(metadata, "selfLink");
	value_remove(metadata, "resourceVersion");
	return 0;
}

static bool is_desired_state(const char *member)
{
	return strcmp(member, "metadata") != 0 && strcmp(member, "status") != 0;
}

/* Whether `a` has a member of the desired state that `b` lacks or has otherwise. */
static bool differs(const struct value *a, const struct value *b)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct value_member *member = &a->object.members[i];
		const struct value *other;

		if (!is_desired_state(member->key))
			continue;
		other = value_get_n(b, member->key, member->key_size);
		if (!other || !value_equal(member->value, other))
			return true;
	}
	return false;
}

void metadata_bump_generation(struct arena *arena, struct value *object, const struct value *old)
{
	struct value *metadata = metadata_of(arena, object);
	int64_t generation = value_get_int(value_get(old, "metadata"), "generation", 0);

	if (differs(object, old) || differs(old, object))
		generation++;
	if (generation > 0)
		value_set_int(arena, metadata, "generation", generation);
}

bool metadata_deleting(const struct value *object)
{
	return *value_get_text(value_get(object, "metadata"), "deletionTimestamp") != '\0';
}

static const struct value *finalizers_of(const struct value *object)
{
	const struct value *list = value_path(object, "metadata.finalizers");

	return value_is(list, VALUE_ARRAY) ? list : NULL;
}

size_t metadata_finalizer_count(const struct value *object)
{
	const struct value *list = finalizers_of(object);

	return list ? list->count : 0;
}

static int64_t find_finalizer(const struct value *object, const char *name)
{
	const struct value *list = finalizers_of(object);

	for (uint32_t i = 0; list && i < list->count; i++)
		if (value_string_is(value_at(list, i), name))
			return i;
	return -1;
}

bool metadata_has_finalizer(const struct value *object, const char *name)
{
	return find_finalizer(object, name) >= 0;
}

void metadata_add_finalizer(struct arena *arena, struct value *object, const char *name)
{
	if (find_finalizer(object, name) < 0)
		value_push(arena,
			   value_make_array(arena, metadata_of(arena, object), "finalizers"),
			   value_string(arena, name));
}

void metadata_remove_finalizer(struct value *object, const char *name)
{
	int64_t at = find_finalizer(object, name);
	struct value *metadata = value_get(object, "metadata");
	struct value *list = value_get(metadata, "finalizers");

	if (at < 0)
		return;
	value_remove_at(list, (size_t)at);
	if (list->count == 0)
		value_remove(metadata, "finalizers");
}
