/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors of labels as the API writes them: label selectors (matchLabels,
 * matchExpressions) and node selectors (nodeSelectorTerms). What is not
 * understood matches nothing. Pure functions; nothing is kept.
 */
#ifndef COXSWAIN_KIT_SELECT_H
#define COXSWAIN_KIT_SELECT_H

#include <coxswain/object.h>
#include <stdbool.h>

/* Labels, wherever they are. `get` returns NULL for one that is not there. */
struct cox_label_source {
	const char *(*get)(const void *of, const struct cox_objects *objects, const char *key);
	const void *of;
};

/* A label selector; without one, or with an empty one, everything is selected. */
bool cox_label_selector_matches(const struct cox_objects *objects, const struct cox_value *selector,
				const struct cox_value *labels);

/* A node selector: one of its terms has to match; a term that asks for nothing never does. */
bool cox_node_selector_matches(const struct cox_objects *objects, const struct cox_value *selector,
			       const struct cox_label_source *labels, const char *node_name);
/* The same, of a Node. */
bool cox_node_selector_selects(const struct cox_objects *objects, const struct cox_value *selector,
			       const struct cox_object *node);

#endif
