/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors of labels, as services, controllers and node affinity have them. */
#include "default.h"

#include <coxswain/kit/text.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 10000 };

const char *pairs_get(struct cox_scheduler_pairs pairs, const char *key)
{
	size_t low = 0, high = pairs.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(pairs.items[middle].key, key);

		if (!order)
			return pairs.items[middle].value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void selector_free(struct selector *selector)
{
	for (size_t i = 0; i < selector->items.count; i++) {
		struct requirement *item = &selector->items.items[i];

		for (size_t j = 0; selector->owned && j < item->value_count; j++)
			free((char *)item->values[j]);
		if (selector->owned)
			free((char *)item->key);
		free(item->values);
	}
	cox_vec_free(&selector->items);
}

static const char *keep(const struct selector *selector, const char *text)
{
	return selector->owned ? cox_strdup(text) : text;
}

void selector_add_map(struct selector *selector, const struct cox_objects *objects,
		      const struct cox_value *map)
{
	size_t count = objects->count(map);

	for (size_t i = 0; i < count && i < VALUES_MAX; i++) {
		struct requirement item = {.relation = IN, .value_count = 1};
		const char *key = "";
		const struct cox_value *value = objects->at(map, i, &key);

		item.key = keep(selector, key);
		item.values = cox_calloc(1, sizeof(*item.values));
		item.values[0] = keep(selector, objects->text(value, ""));
		cox_vec_push(&selector->items, item);
	}
}

static enum relation relation_of(const char *text)
{
	static const char *const names[] = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i]))
			return (enum relation)i;
	}
	return NEVER; /* what is not understood matches nothing */
}

void selector_add_list(struct selector *selector, const struct cox_objects *objects,
		       const struct cox_value *list)
{
	const struct cox_value *from, *value, *values;

	for (size_t i = 0; i < VALUES_MAX && (from = objects->at(list, i, NULL)); i++) {
		struct requirement item = {.relation =
						   relation_of(objects->text(from, "operator"))};
		size_t count;

		values = objects->get(from, "values");
		count = objects->count(values);
		count = count < VALUES_MAX ? count : VALUES_MAX;
		item.key = keep(selector, objects->text(from, "key"));
		item.values = cox_calloc(count ? count : 1, sizeof(*item.values));
		while (item.value_count < count &&
		       (value = objects->at(values, item.value_count, NULL)))
			item.values[item.value_count++] = keep(selector, objects->text(value, ""));
		cox_vec_push(&selector->items, item);
	}
}

static bool has_value(const struct requirement *item, const char *value)
{
	for (size_t i = 0; i < item->value_count; i++) {
		if (!strcmp(item->values[i], value))
			return true;
	}
	return false;
}

static bool compares(const struct requirement *item, const char *value)
{
	int64_t have, wanted;

	if (!value || item->value_count != 1 || cox_parse_int(value, INT64_MIN, INT64_MAX, &have) ||
	    cox_parse_int(item->values[0], INT64_MIN, INT64_MAX, &wanted))
		return false;
	return item->relation == GREATER ? have > wanted : have < wanted;
}

static bool holds(const struct requirement *item, const char *value)
{
	switch (item->relation) {
	case IN:
		return value && has_value(item, value);
	case NOT_IN:
		return !value || !has_value(item, value);
	case EXISTS:
		return value != NULL;
	case NOT_EXISTS:
		return value == NULL;
	case GREATER:
	case LESS:
		return compares(item, value);
	default:
		return false;
	}
}

bool selector_matches(const struct selector *selector, struct cox_scheduler_pairs labels)
{
	for (size_t i = 0; i < selector->items.count; i++) {
		const struct requirement *item = &selector->items.items[i];

		if (!holds(item, pairs_get(labels, item->key)))
			return false;
	}
	return true;
}
