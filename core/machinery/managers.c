/* SPDX-License-Identifier: Apache-2.0 */
/* Managers; see the header. */
#include "machinery/managers.h"

#include <coxswain/kit/buf.h>
#include <stdlib.h>
#include <string.h>

bool managers_is_reset(const struct value *list)
{
	return value_is(list, VALUE_ARRAY) && list->count == 1 &&
	       value_is(list->array.items[0], VALUE_OBJECT) && list->array.items[0]->count == 0;
}

static int read_entry(struct arena *arena, const struct value *entry, uint32_t place,
		      struct manager *out, struct cox_error *err)
{
	const char *operation = value_get_text(entry, "operation");
	const char *type = value_get_text(entry, "fieldsType");

	*out = (struct manager){.name = value_get_text(entry, "manager"),
				.api_version = value_get_text(entry, "apiVersion"),
				.subresource = value_get_text(entry, "subresource"),
				.time = value_get_text(entry, "time"),
				.applies = strcmp(operation, "Apply") == 0};
	if (!out->applies && strcmp(operation, "Update") != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "operation must be `Apply` or `Update`");
	if (!*out->api_version)
		return error_set(err, COX_REASON_BAD_REQUEST, "apiVersion must not be empty");
	if (!*type)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "missing fieldsType in managed fields entry %u", place);
	if (strcmp(type, "FieldsV1") != 0)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "invalid fieldsType \"%.64s\" in managed fields entry %u", type,
				 place);
	return fieldset_read(arena, value_get(entry, "fieldsV1"), &out->fields, err);
}

int managers_read(struct managers *managers, struct arena *arena, const struct value *list,
		  bool strict, struct cox_error *err)
{
	*managers = (struct managers){.arena = arena};
	if (value_is(list, VALUE_ARRAY) && list->count > MANAGERS_MAX)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "%u entries in managed fields, more than %d", list->count,
				 MANAGERS_MAX);
	for (uint32_t i = 0; value_is(list, VALUE_ARRAY) && i < list->count; i++) {
		struct manager manager, *known;

		if (read_entry(arena, list->array.items[i], i, &manager, err) != 0)
			return -1;
		if (!strict)
			manager.entry = list->array.items[i];
		known = managers_find(managers, &manager);
		if (known)
			*known = manager;
		else
			managers_add(managers, &manager);
	}
	return 0;
}

/* Order and identity */

int manager_compare(const struct manager *a, const struct manager *b)
{
	int order = strcmp(a->name, b->name);

	if (!order)
		order = b->applies - a->applies;
	if (!order && !a->applies)
		order = strcmp(a->api_version, b->api_version);
	return order ? order : strcmp(a->subresource, b->subresource);
}

bool manager_same(const struct manager *a, const struct manager *b)
{
	return manager_compare(a, b) == 0;
}

/* Times are canonical, so their texts have the order of the times. */
static int compare_written(const void *left, const void *right)
{
	const struct manager *a = left, *b = right;
	int order = b->applies - a->applies;

	if (!order)
		order = strcmp(a->time, b->time);
	if (!order)
		order = strcmp(a->name, b->name);
	if (!order)
		order = strcmp(a->api_version, b->api_version);
	return order ? order : strcmp(a->subresource, b->subresource);
}

struct manager *managers_find(const struct managers *managers, const struct manager *who)
{
	for (size_t i = 0; i < managers->count; i++)
		if (manager_same(&managers->list[i], who))
			return &managers->list[i];
	return NULL;
}

void managers_add(struct managers *managers, const struct manager *who)
{
	if (managers->count == managers->capacity) {
		size_t capacity = managers->capacity ? managers->capacity * 2 : 8;

		managers->list =
			arena_grow(managers->arena, managers->list, managers->count * sizeof(*who),
				   capacity * sizeof(*who));
		managers->capacity = capacity;
	}
	managers->list[managers->count++] = *who;
}

void manager_set(struct manager *manager, const struct fieldset *fields)
{
	if (manager->fields != fields)
		manager->entry = NULL;
	manager->fields = fields;
}

void managers_drop_empty(struct managers *managers)
{
	size_t kept = 0;

	for (size_t i = 0; i < managers->count; i++)
		if (managers->list[i].fields)
			managers->list[kept++] = managers->list[i];
	managers->count = kept;
}

/* Writing */

static struct value *write_entry(struct arena *arena, const struct manager *manager)
{
	struct value *entry = value_object(arena);

	if (*manager->name)
		value_set_text(arena, entry, "manager", manager->name);
	value_set_text(arena, entry, "operation", manager->applies ? "Apply" : "Update");
	value_set_text(arena, entry, "apiVersion", manager->api_version);
	if (*manager->time)
		value_set_text(arena, entry, "time", manager->time);
	value_set_text(arena, entry, "fieldsType", "FieldsV1");
	value_set(arena, entry, "fieldsV1", fieldset_write(arena, manager->fields));
	if (*manager->subresource)
		value_set_text(arena, entry, "subresource", manager->subresource);
	return entry;
}

struct value *managers_write(const struct managers *managers)
{
	struct value *list;

	if (!managers->count)
		return NULL;
	if (managers->count > 1)
		qsort(managers->list, managers->count, sizeof(*managers->list), compare_written);
	list = value_array(managers->arena);
	for (size_t i = 0; i < managers->count; i++) {
		const struct manager *manager = &managers->list[i];

		value_push(managers->arena, list,
			   manager->entry ? manager->entry : write_entry(managers->arena, manager));
	}
	return list;
}

/* The oldest */

static int compare_age(const void *left, const void *right)
{
	const struct manager *a = *(struct manager *const *)left;
	const struct manager *b = *(struct manager *const *)right;
	int order = strcmp(a->time, b->time);

	return order ? order : manager_compare(a, b);
}

static bool is_bucket(const struct manager *manager, const char *api_version)
{
	return !manager->applies && strcmp(manager->name, "ancient-changes") == 0 &&
	       !*manager->subresource && strcmp(manager->api_version, api_version) == 0;
}

static struct manager *older_of_version(struct manager **updates, size_t count,
					const char *api_version)
{
	for (size_t i = 0; i < count; i++)
		if (updates[i]->fields && strcmp(updates[i]->api_version, api_version) == 0)
			return updates[i];
	return NULL;
}

static struct manager *bucket_of(struct manager **updates, size_t count, const char *api_version)
{
	for (size_t i = 0; i < count; i++)
		if (updates[i]->fields && is_bucket(updates[i], api_version))
			return updates[i];
	return NULL;
}

void managers_limit(struct managers *managers)
{
	struct manager **updates = arena_alloc(managers->arena, managers->count * sizeof(*updates));
	size_t count = 0, left;

	for (size_t i = 0; i < managers->count; i++)
		if (!managers->list[i].applies)
			updates[count++] = &managers->list[i];
	if (count <= MANAGERS_UPDATES_MAX)
		return;
	qsort(updates, count, sizeof(*updates), compare_age);
	left = count;
	for (size_t i = 1; i < count && left > MANAGERS_UPDATES_MAX; i++) {
		struct manager *one = updates[i];
		struct manager *into = older_of_version(updates, i, one->api_version);
		struct manager *bucket = bucket_of(updates, count, one->api_version);

		if (!into)
			continue;
		if (bucket == one)
			bucket = NULL; /* it takes the older one in under its own name */
		if (bucket && bucket != into) {
			/* One of that name is there already, further down. */
			manager_set(bucket,
				    fieldset_union(managers->arena, bucket->fields, into->fields));
			manager_set(into, NULL);
			into = bucket;
			left--;
		}
		into->name = "ancient-changes";
		into->subresource = "";
		into->time = one->time;
		into->entry = NULL;
		manager_set(into, fieldset_union(managers->arena, into->fields, one->fields));
		manager_set(one, NULL);
		left--;
	}
	managers_drop_empty(managers);
}

const char *manager_text(struct arena *arena, const struct manager *manager)
{
	cox_autobuf out = COX_BUF_INIT;

	cox_buf_json_string(&out, manager->name, strlen(manager->name));
	if (*manager->subresource) {
		cox_buf_str(&out, " with subresource ");
		cox_buf_json_string(&out, manager->subresource, strlen(manager->subresource));
	}
	if (!manager->applies)
		cox_buf_printf(&out, " using %s", manager->api_version);
	return arena_strndup(arena, out.data, out.size);
}

const char *manager_name_problem(const char *name)
{
	if (strlen(name) > MANAGER_NAME_MAX)
		return "Too long: may not be more than 128 bytes";
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return "invalid character: all must be printable";
	return NULL;
}
