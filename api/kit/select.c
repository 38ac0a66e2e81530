/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors of labels; see the header. */
#include <coxswain/kit/select.h>
#include <coxswain/kit/text.h>
#include <stdint.h>
#include <string.h>

static bool has_value(const struct cox_objects *objects, const struct cox_value *values,
		      const char *value)
{
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(values, i, NULL)); i++) {
		if (!strcmp(objects->text(item, ""), value))
			return true;
	}
	return false;
}

/* Gt and Lt: both sides are integers. */
static bool compares(const struct cox_objects *objects, const struct cox_value *values,
		     const char *value, bool greater)
{
	int64_t have, wanted;

	if (objects->count(values) != 1 || cox_parse_int(value, INT64_MIN, INT64_MAX, &have) ||
	    cox_parse_int(objects->text(objects->at(values, 0, NULL), ""), INT64_MIN, INT64_MAX,
			  &wanted))
		return false;
	return greater ? have > wanted : have < wanted;
}

/* One of matchExpressions or matchFields; `value` NULL: there is no such label. */
static bool holds(const struct cox_objects *objects, const struct cox_value *requirement,
		  const char *value)
{
	const char *relation = objects->text(requirement, "operator");
	const struct cox_value *values = objects->get(requirement, "values");

	if (!strcmp(relation, "In"))
		return value && has_value(objects, values, value);
	if (!strcmp(relation, "NotIn"))
		return !value || !has_value(objects, values, value);
	if (!strcmp(relation, "Exists"))
		return value != NULL;
	if (!strcmp(relation, "DoesNotExist"))
		return value == NULL;
	if (!strcmp(relation, "Gt") || !strcmp(relation, "Lt"))
		return value && compares(objects, values, value, *relation == 'G');
	return false;
}

static bool all_hold(const struct cox_objects *objects, const struct cox_value *list,
		     const struct cox_label_source *labels)
{
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (!holds(objects, item,
			   labels->get(labels->of, objects, objects->text(item, "key"))))
			return false;
	}
	return true;
}

static const char *label_of(const void *of, const struct cox_objects *objects, const char *key)
{
	const struct cox_value *value = objects->member(of, key);

	return value ? objects->text(value, "") : NULL;
}

bool cox_label_selector_matches(const struct cox_objects *objects, const struct cox_value *selector,
				const struct cox_value *labels)
{
	const struct cox_label_source source = {label_of, labels};
	const struct cox_value *wanted, *map = objects->get(selector, "matchLabels");
	const char *key = "", *value;

	for (size_t i = 0; (wanted = objects->at(map, i, &key)); i++) {
		value = label_of(labels, objects, key);
		if (!value || strcmp(value, objects->text(wanted, "")) != 0)
			return false;
	}
	return all_hold(objects, objects->get(selector, "matchExpressions"), &source);
}

static const char *field_of(const void *of, const struct cox_objects *objects, const char *key)
{
	(void)objects;
	return strcmp(key, "metadata.name") != 0 ? NULL : of;
}

bool cox_node_selector_matches(const struct cox_objects *objects, const struct cox_value *selector,
			       const struct cox_label_source *labels, const char *node_name)
{
	const struct cox_label_source fields = {field_of, node_name};
	const struct cox_value *terms = objects->get(selector, "nodeSelectorTerms"), *term;

	for (size_t i = 0; (term = objects->at(terms, i, NULL)); i++) {
		const struct cox_value *of_labels = objects->get(term, "matchExpressions");
		const struct cox_value *of_fields = objects->get(term, "matchFields");

		if (objects->count(of_labels) + objects->count(of_fields) > 0 &&
		    all_hold(objects, of_labels, labels) && all_hold(objects, of_fields, &fields))
			return true;
	}
	return false;
}

bool cox_node_selector_selects(const struct cox_objects *objects, const struct cox_value *selector,
			       const struct cox_object *node)
{
	const struct cox_label_source labels = {
		label_of, objects->get(objects->root(node), "metadata.labels")};

	return cox_node_selector_matches(objects, selector, &labels, objects->name(node));
}
