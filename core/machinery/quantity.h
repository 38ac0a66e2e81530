/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of resources (see <coxswain/kit/quantity.h>) in trees of values. */
#ifndef COX_MACHINERY_QUANTITY_H
#define COX_MACHINERY_QUANTITY_H

#include "base/error.h"
#include "machinery/value.h"

#include <coxswain/kit/quantity.h>

/* The error is a BadRequest with the words of the API ("quantities must match …"). */
int quantity_parse(const char *text, size_t size, struct cox_quantity *out,
		   struct cox_error *err) COX_MUST_CHECK;
/* A string or a number of a tree; null and NULL are zero. */
int quantity_from_value(const struct value *value, struct cox_quantity *out,
			struct cox_error *err) COX_MUST_CHECK;
struct value *quantity_to_value(struct arena *arena, const struct cox_quantity *quantity);

#endif
