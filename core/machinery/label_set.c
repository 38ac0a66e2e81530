/* SPDX-License-Identifier: Apache-2.0 */
/* Labels in their compact form; see selector.h. */
#include "machinery/selector.h"

#include <coxswain/kit/vec.h>
#include <stdlib.h>
#include <string.h>

/* One pair while a set is being made. */
struct pair {
	const char *key;
	const char *value;
	uint32_t key_size;
	uint32_t value_size;
};

typedef COX_VEC(struct pair) pair_list;

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* Sorted pairs into the buffer; of a key given twice the last counts. */
static void put_pairs(struct cox_buf *out, struct pair *pairs, size_t count)
{
	bool sorted = true;

	for (size_t i = 1; i < count && sorted; i++)
		sorted = strcmp(pairs[i - 1].key, pairs[i].key) < 0;
	if (!sorted)
		qsort(pairs, count, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(pairs[i].key, pairs[i + 1].key) == 0)
			continue;
		cox_buf_add(out, pairs[i].key, pairs[i].key_size + 1);
		cox_buf_add(out, pairs[i].value, pairs[i].value_size + 1);
	}
}

void label_set_pack(struct cox_buf *out, const struct value *labels)
{
	pair_list pairs = {0};

	for (uint32_t i = 0; value_is(labels, VALUE_OBJECT) && i < labels->count; i++) {
		const struct value_member *member = &labels->object.members[i];
		const struct value *value = member->value;

		if (!value_is(value, VALUE_STRING) || strlen(value->text) != value->count ||
		    strlen(member->key) != member->key_size)
			continue;
		cox_vec_push(&pairs, (struct pair){member->key, value->text, member->key_size,
						   value->count});
	}
	put_pairs(out, pairs.items, pairs.count);
	cox_vec_free(&pairs);
}

/* A copy of the reader's last text, plain and with a zero byte behind it. */
static const char *copy_text(struct arena *arena, const struct json_reader *reader, uint32_t *size)
{
	char *copy = arena_strndup(arena, reader->text, reader->text_size);

	*size = (uint32_t)reader->text_size;
	if (reader->escaped)
		*size = (uint32_t)json_unescape(reader->text, reader->text_size, copy);
	copy[*size] = '\0';
	return copy;
}

int label_set_pack_json(struct cox_buf *out, struct json_reader *reader)
{
	cox_autoarena arena = ARENA_INIT;
	pair_list pairs = {0};
	enum json_token token;

	while ((token = json_next(reader)) == JSON_KEY) {
		struct pair pair;

		pair.key = copy_text(&arena, reader, &pair.key_size);
		token = json_next(reader);
		if (token == JSON_STRING) {
			pair.value = copy_text(&arena, reader, &pair.value_size);
			if (strlen(pair.key) == pair.key_size &&
			    strlen(pair.value) == pair.value_size)
				cox_vec_push(&pairs, pair);
		} else if (token == JSON_BAD || json_skip(reader) != 0) {
			token = JSON_BAD;
			break;
		}
	}
	if (token == JSON_OBJECT_END)
		put_pairs(out, pairs.items, pairs.count);
	cox_vec_free(&pairs);
	return token == JSON_OBJECT_END ? 0 : -1;
}

bool label_set_next(const struct label_set *set, uint32_t *at, const char **key, const char **value)
{
	if (*at >= set->size)
		return false;
	*key = set->pairs + *at;
	*value = *key + strlen(*key) + 1;
	*at = (uint32_t)(*value + strlen(*value) + 1 - set->pairs);
	return true;
}

const char *label_set_get(const struct label_set *set, const char *key)
{
	const char *found, *value;
	uint32_t at = 0;

	while (label_set_next(set, &at, &found, &value)) {
		int order = strcmp(found, key);

		if (order == 0)
			return value;
		if (order > 0)
			return NULL;
	}
	return NULL;
}
