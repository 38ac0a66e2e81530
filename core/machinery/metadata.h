/* SPDX-License-Identifier: Apache-2.0 */
/* Validation that belongs to no kind: metadata, labels, selectors, texts. */
#ifndef COX_MACHINERY_METADATA_H
#define COX_MACHINERY_METADATA_H

#include "machinery/names.h"
#include "machinery/validate.h"

void validate_metadata(struct validation *v, const struct value *object, const struct value *old);
void validate_labels(struct validation *v, const struct field_path *at, const struct value *labels);
void validate_annotations(struct validation *v, const struct field_path *at,
			  const struct value *annotations);
/* One problem for each complaint of the check; what is no string is passed over. */
void validate_text(struct validation *v, const struct field_path *at, const struct value *value,
		   names_check check);
/* A LabelSelector: operators with the values that they take, keys, values. */
void validate_label_selector(struct validation *v, const struct field_path *at,
			     const struct value *selector);
/* "field is immutable" unless both are equal or absent. */
void validate_same(struct validation *v, const struct field_path *at, const struct value *value,
		   const struct value *old);
/* Equal, where absent, null and empty are one. */
bool values_same(const struct value *a, const struct value *b);

#endif
