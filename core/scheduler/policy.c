/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and checks a Policy; see the header. */
#include "scheduler/policy.h"

#include "machinery/json.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { POLICY_MAX = 1 << 20, ENTRIES_MAX = 256 };

#define NAME_PATTERN "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])$"

void policy_free(struct policy *policy)
{
	cox_vec_free(&policy->predicates);
	cox_vec_free(&policy->priorities);
	arena_free(&policy->arena);
	*policy = (struct policy)POLICY_INIT;
}

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* NAME_PATTERN: two characters at least. */
static bool is_name(const char *name)
{
	size_t size = strlen(name);

	if (size < 2 || !is_alphanumeric(name[0]) || !is_alphanumeric(name[size - 1]))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alphanumeric(name[i]) && name[i] != '-')
			return false;
	}
	return true;
}

static int check_members(const struct value *object, const char *const *known, size_t count,
			 const char *where, struct cox_error *err)
{
	for (size_t i = 0; i < object->count; i++) {
		const char *key = object->object.members[i].key, *meant;
		bool found = false;

		for (size_t j = 0; j < count; j++)
			found |= !strcmp(key, known[j]);
		if (found)
			continue;
		meant = cox_nearest(key, known, count);
		return error_set(err, COX_REASON_INVALID,
				 meant ? "%s: unknown field \"%s\" (did you mean \"%s\"?)"
				       : "%s: unknown field \"%s\"",
				 where, key, meant);
	}
	return 0;
}

static int parse_argument(const struct value *argument, const char *what,
			  struct policy_entry *entry, struct cox_error *err)
{
	if (!argument || argument->kind == VALUE_NULL)
		return 0;
	if (!value_is(argument, VALUE_OBJECT) || argument->count != 1 ||
	    !value_is(argument->object.members[0].value, VALUE_OBJECT))
		return error_set(err, COX_REASON_INVALID, "Exactly 1 %s argument is required",
				 what);
	entry->part = argument->object.members[0].key;
	entry->argument = argument->object.members[0].value;
	return 0;
}

static int parse_weight(const struct value *item, struct policy_entry *entry, struct cox_error *err)
{
	const struct value *weight = value_get(item, "weight");

	if (weight && !value_is(weight, VALUE_INT))
		return error_set(err, COX_REASON_INVALID,
				 "Priority %s: its weight is not a whole number", entry->name);
	if (!weight || weight->integer <= 0)
		return error_set(err, COX_REASON_INVALID,
				 "Priority %s should have a positive weight applied to it",
				 entry->name);
	if (weight->integer > 1000000)
		return error_set(err, COX_REASON_INVALID,
				 "Priority %s: a weight is 1000000 at the most", entry->name);
	entry->weight = (int32_t)weight->integer;
	return 0;
}

static int parse_entry(const struct value *item, bool priority, struct policy_list *list,
		       struct cox_error *err)
{
	static const char *const known[] = {"name", "argument", "weight"};
	const char *what = priority ? "priority" : "predicate";
	struct policy_entry entry = {.name = value_get_text(item, "name"), .weight = 1};

	if (!value_is(item, VALUE_OBJECT))
		return error_set(err, COX_REASON_INVALID, "a %s is not an object", what);
	if (check_members(item, known, priority ? 3 : 2, what, err))
		return -1;
	if (!is_name(entry.name))
		return error_set(err, COX_REASON_INVALID,
				 "%s name %s does not match the name validation regexp \"%s\".",
				 what, entry.name, NAME_PATTERN);
	if (list->count == ENTRIES_MAX)
		return error_set(err, COX_REASON_INVALID, "more than %d entries", ENTRIES_MAX);
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->items[i].name, entry.name))
			return error_set(err, COX_REASON_INVALID, "%s %s is there twice", what,
					 entry.name);
	}
	entry.part = entry.name;
	if (priority && parse_weight(item, &entry, err))
		return -1;
	if (parse_argument(value_get(item, "argument"), what, &entry, err))
		return -1;
	cox_vec_push(list, entry);
	return 0;
}

static int parse_list(const struct value *root, const char *key, bool priority, bool *has,
		      struct policy_list *list, struct cox_error *err)
{
	const struct value *array = value_get(root, key);

	if (!array || array->kind == VALUE_NULL)
		return 0;
	if (!value_is(array, VALUE_ARRAY))
		return error_set(err, COX_REASON_INVALID, "%s is not a list", key);
	*has = true;
	for (size_t i = 0; i < array->count; i++) {
		if (parse_entry(value_at(array, i), priority, list, err))
			return -1;
	}
	return 0;
}

int policy_parse(struct policy *policy, const void *data, size_t size, struct cox_error *err)
{
	static const char *const known[] = {"kind", "apiVersion", "predicates", "priorities"};
	const struct value *root = json_parse(&policy->arena, data, size, NULL, err);

	if (!root)
		return -1;
	if (!value_is(root, VALUE_OBJECT) || !value_string_is(value_get(root, "kind"), "Policy") ||
	    !value_string_is(value_get(root, "apiVersion"), "v1"))
		return error_set(err, COX_REASON_INVALID, "kind Policy, apiVersion v1 is needed");
	if (check_members(root, known, sizeof(known) / sizeof(known[0]), "Policy", err) ||
	    parse_list(root, "predicates", false, &policy->has_predicates, &policy->predicates,
		       err))
		return -1;
	return parse_list(root, "priorities", true, &policy->has_priorities, &policy->priorities,
			  err);
}

int policy_read(struct policy *policy, const char *path, bool *found, struct cox_error *err)
{
	cox_autoclose int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cox_autobuf text = COX_BUF_INIT;
	ssize_t got;

	*found = false;
	if (file < 0 && errno == ENOENT)
		return 0;
	if (file < 0)
		return error_errno(err, errno, "%s", path);
	do {
		got = read(file, cox_buf_reserve(&text, 4096), 4096);
		if (got < 0)
			return error_errno(err, errno, "%s", path);
		cox_buf_added(&text, (size_t)got);
	} while (got > 0 && text.size <= POLICY_MAX);
	if (text.size > POLICY_MAX)
		return error_set(err, COX_REASON_INVALID, "%s: larger than %d bytes", path,
				 POLICY_MAX);
	*found = true;
	if (policy_parse(policy, cox_buf_cstr(&text), text.size, err))
		return error_wrap(err, "%s", path);
	return 0;
}
