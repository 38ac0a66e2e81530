/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pods ask of their places among other pods, taken out of the JSON:
 * affinity and anti-affinity to pods, and topology spread constraints.
 */
#include "scheduler/facts_internal.h"

#include <stdbool.h>
#include <stdint.h>

enum { WEIGHT_MAX = 100 };

static size_t count_of(const struct value *list, enum value_kind kind)
{
	return value_is(list, kind) ? list->count : 0;
}

static const char **pack_texts(struct pack *pack, const struct value *list, size_t count)
{
	const char **texts = pack_alloc(pack, count * sizeof(*texts));

	for (size_t i = 0; i < count; i++)
		texts[i] = pack_text(pack, value_text(value_at(list, i)));
	return texts;
}

static void pack_single(struct pack *pack, struct cox_scheduler_requirement *item, const char *key,
			const char *relation, const char *value)
{
	const char **values = pack_alloc(pack, sizeof(*values));

	values[0] = pack_text(pack, value);
	item->key = pack_text(pack, key);
	item->relation = pack_text(pack, relation);
	item->values = values;
	item->value_count = 1;
}

static const char *label_of(const struct cox_scheduler_pod *row, const char *key)
{
	for (size_t i = 0; i < row->labels.count; i++) {
		if (!strcmp(row->labels.items[i].key, key))
			return row->labels.items[i].value;
	}
	return NULL;
}

/* Keys whose value shall be, or not be, the pod's own. Returns how many it has. */
static size_t pack_own_keys(struct pack *pack, const struct cox_scheduler_pod *row,
			    const struct value *keys, const char *relation,
			    struct cox_scheduler_requirement *items)
{
	size_t count = count_of(keys, VALUE_ARRAY), made = 0;

	for (size_t i = 0; i < count; i++) {
		const char *key = value_text(value_at(keys, i)), *own = label_of(row, key);

		if (own)
			pack_single(pack, &items[made++], key, relation, own);
	}
	return made;
}

/* `from`: what holds the selector, and perhaps matchLabelKeys; NULL row: no such keys. */
static struct cox_scheduler_selector pack_selector(struct pack *pack,
						   const struct cox_scheduler_pod *row,
						   const struct value *from, const char *member)
{
	const struct value *selector = value_get(from, member);
	const struct value *labels = value_get(selector, "matchLabels");
	const struct value *list = value_get(selector, "matchExpressions");
	const struct value *same = row ? value_get(from, "matchLabelKeys") : NULL;
	const struct value *other = row ? value_get(from, "mismatchLabelKeys") : NULL;
	size_t label_count = count_of(labels, VALUE_OBJECT), count = count_of(list, VALUE_ARRAY);
	size_t made = 0;
	struct cox_scheduler_requirement *items;

	if (!value_is(selector, VALUE_OBJECT))
		return (struct cox_scheduler_selector){NULL, 0, 1};
	items = pack_alloc(pack, (label_count + count + count_of(same, VALUE_ARRAY) +
				  count_of(other, VALUE_ARRAY)) *
					 sizeof(*items));
	for (size_t i = 0; i < label_count; i++)
		pack_single(pack, &items[made++], labels->object.members[i].key, "In",
			    value_text(labels->object.members[i].value));
	for (size_t i = 0; i < count; i++) {
		const struct value *item = value_at(list, i), *values = value_get(item, "values");

		items[made].key = pack_text(pack, value_get_text(item, "key"));
		items[made].relation = pack_text(pack, value_get_text(item, "operator"));
		items[made].value_count = count_of(values, VALUE_ARRAY);
		items[made].values = pack_texts(pack, values, items[made].value_count);
		made++;
	}
	made += pack_own_keys(pack, row, same, "In", items + made);
	made += pack_own_keys(pack, row, other, "NotIn", items + made);
	return (struct cox_scheduler_selector){items, made, 0};
}

static void pack_term(struct pack *pack, const struct cox_scheduler_pod *row,
		      const struct value *from, uint32_t flags, int64_t weight,
		      struct cox_scheduler_term *term)
{
	const struct value *namespaces = value_get(from, "namespaces");
	size_t count = count_of(namespaces, VALUE_ARRAY);

	*term = (struct cox_scheduler_term){.flags = flags,
					    .weight = (int32_t)(weight < 0	      ? 0
								: weight > WEIGHT_MAX ? WEIGHT_MAX
										      : weight)};
	term->topology_key = pack_text(pack, value_get_text(from, "topologyKey"));
	term->pods = pack_selector(pack, row, from, "labelSelector");
	term->namespace_selector = pack_selector(pack, NULL, from, "namespaceSelector");
	term->namespace_count = count;
	term->namespaces = pack_texts(pack, namespaces, count);
	if (!count && term->namespace_selector.nothing) { /* its own, if nothing is said */
		const char **own = pack_alloc(pack, sizeof(*own));

		own[0] = row->namespace_name;
		term->namespaces = own;
		term->namespace_count = 1;
	}
}

static const struct {
	const char *member;
	uint32_t flags;
} kinds[] = {{"podAffinity", 0}, {"podAntiAffinity", COX_SCHEDULER_TERM_APART}};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"

void facts_terms(struct pack *pack, struct cox_scheduler_pod *row, const struct value *spec)
{
	const struct value *affinity = value_get(spec, "affinity");
	struct cox_scheduler_term *terms;
	size_t count = 0, made = 0;

	for (size_t k = 0; k < KINDS; k++) {
		const struct value *kind = value_get(affinity, kinds[k].member);

		count += count_of(value_get(kind, REQUIRED), VALUE_ARRAY) +
			 count_of(value_get(kind, PREFERRED), VALUE_ARRAY);
	}
	if (!count)
		return;
	terms = pack_alloc(pack, count * sizeof(*terms));
	for (size_t k = 0; k < KINDS; k++) {
		const struct value *kind = value_get(affinity, kinds[k].member);
		const struct value *must = value_get(kind, REQUIRED);
		const struct value *may = value_get(kind, PREFERRED), *item;

		for (size_t i = 0; i < count_of(must, VALUE_ARRAY); i++)
			pack_term(pack, row, value_at(must, i),
				  kinds[k].flags | COX_SCHEDULER_TERM_REQUIRED, 0, &terms[made++]);
		for (size_t i = 0; i < count_of(may, VALUE_ARRAY); i++) {
			item = value_at(may, i);
			pack_term(pack, row, value_get(item, "podAffinityTerm"), kinds[k].flags,
				  value_get_int(item, "weight", 0), &terms[made++]);
		}
	}
	row->terms = terms;
	row->term_count = made;
}

void facts_spreads(struct pack *pack, struct cox_scheduler_pod *row, const struct value *spec)
{
	const struct value *list = value_get(spec, "topologySpreadConstraints");
	size_t count = count_of(list, VALUE_ARRAY);
	struct cox_scheduler_spread *spreads;

	if (!count)
		return;
	spreads = pack_alloc(pack, count * sizeof(*spreads));
	for (size_t i = 0; i < count; i++) {
		const struct value *item = value_at(list, i);
		int64_t skew = value_get_int(item, "maxSkew", 1);
		struct cox_scheduler_spread *spread = &spreads[i];

		*spread = (struct cox_scheduler_spread){
			.most_skew = (int32_t)(skew < 1		  ? 1
					       : skew > INT32_MAX ? INT32_MAX
								  : skew),
			.least_places = value_get_int(item, "minDomains", 0)};
		if (strcmp(value_get_text(item, "whenUnsatisfiable"), "ScheduleAnyway") != 0)
			spread->flags |= COX_SCHEDULER_SPREAD_REQUIRED;
		if (!strcmp(value_get_text(item, "nodeAffinityPolicy"), "Ignore"))
			spread->flags |= COX_SCHEDULER_SPREAD_ANY_NODE;
		if (!strcmp(value_get_text(item, "nodeTaintsPolicy"), "Honor"))
			spread->flags |= COX_SCHEDULER_SPREAD_UNTAINTED;
		spread->topology_key = pack_text(pack, value_get_text(item, "topologyKey"));
		spread->pods = pack_selector(pack, row, item, "labelSelector");
	}
	row->spreads = spreads;
	row->spread_count = count;
}
