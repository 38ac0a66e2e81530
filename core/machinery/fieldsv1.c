/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FieldsV1: sets of fields as clients read and send them, and paths as people
 * read them. What clients send may be anything: it is bounded, and steps of a
 * kind that is not known are left out, as later releases may send some.
 */
#include "machinery/fieldset.h"

#include "machinery/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct arena *arena;
	struct cox_error *err;
	size_t steps;
};

/* Reading */

enum step_result { STEP_READ, STEP_UNKNOWN, STEP_BAD };

static enum step_result refuse(struct reader *r, const char *key, const char *why)
{
	error_set(r->err, COX_REASON_BAD_REQUEST, "fieldsV1: \"%.64s\": %s", key, why);
	return STEP_BAD;
}

/* Objects below get an order, too: equal ones must look equal. */
static void sort_deep(struct value *value)
{
	if (value->kind == VALUE_OBJECT)
		value_sort_keys(value);
	for (uint32_t i = 0; i < value->count; i++) {
		if (value->kind == VALUE_OBJECT)
			sort_deep(value->object.members[i].value);
		else if (value->kind == VALUE_ARRAY)
			sort_deep(value->array.items[i]);
		else
			break;
	}
}

static enum step_result read_value(struct reader *r, const struct value_member *member,
				   struct field_step *step)
{
	struct value *value =
		json_parse(r->arena, member->key + 2, member->key_size - 2, NULL, r->err);

	if (!value) {
		error_wrap(r->err, "fieldsV1: \"%.64s\"", member->key);
		return STEP_BAD;
	}
	if (step->kind == STEP_KEY && value->kind != VALUE_OBJECT)
		return refuse(r, member->key, "the keys of an entry must be an object");
	sort_deep(value);
	step->value = value;
	return STEP_READ;
}

static enum step_result read_index(struct reader *r, const struct value_member *member,
				   struct field_step *step)
{
	const char *text = member->key + 2;
	char *end;

	errno = 0;
	step->index = strtoll(text, &end, 10);
	if (errno || end == text || end != member->key + member->key_size ||
	    strspn(text, "-0123456789") != member->key_size - 2)
		return refuse(r, member->key, "not a number");
	return STEP_READ;
}

static enum step_result read_step(struct reader *r, const struct value_member *member,
				  struct field_step *step)
{
	if (member->key_size < 2 || member->key[1] != ':')
		return refuse(r, member->key, "not a kind of field, a colon and the field");
	switch (member->key[0]) {
	case 'f':
		*step = step_name(member->key + 2, member->key_size - 2);
		return STEP_READ;
	case 'k':
		step->kind = STEP_KEY;
		return read_value(r, member, step);
	case 'v':
		step->kind = STEP_VALUE;
		return read_value(r, member, step);
	case 'i':
		step->kind = STEP_INDEX;
		return read_index(r, member, step);
	default:
		return STEP_UNKNOWN;
	}
}

/* One level. `*member` tells whether the thing itself is in the set. */
static int read_level(struct reader *r, const struct value *fields, const struct fieldset **set,
		      bool *member)
{
	struct fieldset out = {NULL, 0, 0};

	*member = false;
	if (fields->kind != VALUE_OBJECT)
		return error_set(r->err, COX_REASON_BAD_REQUEST,
				 "fieldsV1: objects in objects are needed");
	for (uint32_t i = 0; i < fields->count; i++) {
		const struct value_member *inner = &fields->object.members[i];
		struct field_step step = {.kind = STEP_NAME};
		const struct fieldset *below = NULL;
		enum step_result result;
		bool itself;

		if (++r->steps > FIELDSET_STEPS_MAX)
			return error_set(r->err, COX_REASON_BAD_REQUEST,
					 "fieldsV1: more than %d fields", FIELDSET_STEPS_MAX);
		if (inner->key_size == 1 && *inner->key == '.') {
			*member = true;
			continue;
		}
		result = read_step(r, inner, &step);
		if (result == STEP_UNKNOWN)
			continue;
		if (result == STEP_BAD || read_level(r, inner->value, &below, &itself) != 0)
			return -1;
		fieldset_append(r->arena, &out, step, itself, below);
	}
	fieldset_finish(r->arena, &out);
	*set = fieldset_keep(r->arena, &out);
	/* A leaf, also when all that is below it is of kinds unknown here. */
	if (!*set)
		*member = true;
	return 0;
}

int fieldset_read(struct arena *arena, const struct value *fields, const struct fieldset **set,
		  struct cox_error *err)
{
	struct reader r = {arena, err, 0};
	bool member;

	*set = NULL;
	return fields ? read_level(&r, fields, set, &member) : 0;
}

/* Writing */

static const char *step_text(struct arena *arena, const struct field_step *step, size_t *size)
{
	cox_autobuf out = COX_BUF_INIT;
	char *text;

	switch ((enum step_kind)step->kind) {
	case STEP_NAME:
		*size = (size_t)step->size + 2;
		text = arena_alloc(arena, *size + 1);
		memcpy(text, "f:", 2);
		memcpy(text + 2, step->text, step->size);
		text[*size] = '\0';
		return text;
	case STEP_KEY:
	case STEP_VALUE:
		cox_buf_str(&out, step->kind == STEP_KEY ? "k:" : "v:");
		json_write(&out, step->value, 0);
		break;
	case STEP_INDEX:
		cox_buf_printf(&out, "i:%" PRId64, step->index);
		break;
	}
	*size = out.size;
	return arena_strndup(arena, out.data, out.size);
}

static struct value *write_level(struct arena *arena, const struct fieldset *set, bool itself,
				 struct value *leaf)
{
	struct value_member *members =
		arena_alloc(arena, ((size_t)set->count + 1) * sizeof(*members));
	uint32_t count = 0;

	if (itself)
		members[count++] = (struct value_member){".", leaf, 1};
	for (uint32_t i = 0; i < set->count; i++) {
		const struct fieldset_entry *entry = &set->entries[i];
		size_t size;

		members[count].key = step_text(arena, &entry->step, &size);
		members[count].key_size = (uint32_t)size;
		members[count++].value =
			entry->below ? write_level(arena, entry->below, entry->member, leaf) : leaf;
	}
	return value_object_of(arena, members, count);
}

struct value *fieldset_write(struct arena *arena, const struct fieldset *set)
{
	struct value *leaf = value_object(arena);

	return set ? write_level(arena, set, false, leaf) : leaf;
}

/* Paths */

static void write_keys(struct cox_buf *out, const struct value *keys)
{
	for (uint32_t i = 0; i < keys->count; i++) {
		if (i > 0)
			cox_buf_char(out, ',');
		cox_buf_add(out, keys->object.members[i].key, keys->object.members[i].key_size);
		cox_buf_char(out, '=');
		json_write(out, keys->object.members[i].value, 0);
	}
}

void step_path_text(struct cox_buf *out, const struct step_path *path)
{
	if (!path)
		return;
	step_path_text(out, path->up);
	switch ((enum step_kind)path->step->kind) {
	case STEP_NAME:
		cox_buf_char(out, '.');
		cox_buf_add(out, path->step->text, path->step->size);
		return;
	case STEP_KEY:
		cox_buf_char(out, '[');
		write_keys(out, path->step->value);
		break;
	case STEP_VALUE:
		cox_buf_str(out, "[=");
		json_write(out, path->step->value, 0);
		break;
	case STEP_INDEX:
		cox_buf_printf(out, "[%" PRId64, path->step->index);
		break;
	}
	cox_buf_char(out, ']');
}

static void each_level(const struct fieldset *set, const struct step_path *up,
		       void (*found)(void *context, const struct step_path *path), void *context)
{
	for (uint32_t i = 0; set && i < set->count; i++)
		if (set->entries[i].member)
			found(context, &(const struct step_path){up, &set->entries[i].step});
	for (uint32_t i = 0; set && i < set->count; i++) {
		const struct step_path path = {up, &set->entries[i].step};

		if (set->entries[i].below)
			each_level(set->entries[i].below, &path, found, context);
	}
}

void fieldset_each(const struct fieldset *set,
		   void (*found)(void *context, const struct step_path *path), void *context)
{
	each_level(set, NULL, found, context);
}
