/* SPDX-License-Identifier: Apache-2.0 */
/* Node affinity of a pod: terms that are required, and terms that count. */
#include "default.h"

#include <string.h>

enum { TERMS_MAX = 1000 };

static struct term read_term(const struct cox_objects *objects, const struct cox_value *from)
{
	struct term term = {.weight = 0};

	selector_add_list(&term.labels, objects, objects->get(from, "matchExpressions"));
	selector_add_list(&term.fields, objects, objects->get(from, "matchFields"));
	return term;
}

static bool is_empty(const struct term *term)
{
	return !term->labels.items.count && !term->fields.items.count;
}

void affinity_read(struct affinity *affinity, const struct cox_objects *objects,
		   const struct cox_value *pod)
{
	const struct cox_value *node = objects->get(pod, "spec.affinity.nodeAffinity");
	const struct cox_value *required =
		objects->get(node, "requiredDuringSchedulingIgnoredDuringExecution");
	const struct cox_value *preferred =
		objects->get(node, "preferredDuringSchedulingIgnoredDuringExecution");
	const struct cox_value *terms = objects->get(required, "nodeSelectorTerms"), *item;

	affinity->has_required = required && objects->kind(required) == COX_VALUE_MAP;
	for (size_t i = 0; i < TERMS_MAX && (item = objects->at(terms, i, NULL)); i++)
		cox_vec_push(&affinity->required, read_term(objects, item));
	for (size_t i = 0; i < TERMS_MAX && (item = objects->at(preferred, i, NULL)); i++) {
		struct term term = read_term(objects, objects->get(item, "preference"));

		term.weight = objects->integer(item, "weight", 0);
		cox_vec_push(&affinity->preferred, term);
	}
}

static void term_free(struct term *term)
{
	selector_free(&term->labels);
	selector_free(&term->fields);
}

void affinity_free(struct affinity *affinity)
{
	for (size_t i = 0; i < affinity->required.count; i++)
		term_free(&affinity->required.items[i]);
	for (size_t i = 0; i < affinity->preferred.count; i++)
		term_free(&affinity->preferred.items[i]);
	cox_vec_free(&affinity->required);
	cox_vec_free(&affinity->preferred);
}

static bool term_matches(const struct term *term, const struct cox_scheduler_node *node)
{
	const struct cox_scheduler_pair name = {"metadata.name", node->name};

	return selector_matches(&term->labels, node->labels) &&
	       selector_matches(&term->fields, (struct cox_scheduler_pairs){&name, 1});
}

bool affinity_allows(const struct affinity *affinity, const struct cox_scheduler_node *node)
{
	if (!affinity->has_required)
		return true;
	for (size_t i = 0; i < affinity->required.count; i++) {
		const struct term *term = &affinity->required.items[i];

		/* A term that asks for nothing matches nothing. */
		if (!is_empty(term) && term_matches(term, node))
			return true;
	}
	return false;
}

int64_t affinity_weight(const struct affinity *affinity, const struct cox_scheduler_node *node)
{
	int64_t sum = 0;

	for (size_t i = 0; i < affinity->preferred.count; i++) {
		const struct term *term = &affinity->preferred.items[i];

		if (term_matches(term, node))
			sum += term->weight;
	}
	return sum;
}
