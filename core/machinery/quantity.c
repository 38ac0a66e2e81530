/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities as values of trees; see the header. */
#include "machinery/quantity.h"

int quantity_parse(const char *text, size_t size, struct cox_quantity *out, struct cox_error *err)
{
	const char *why = NULL;

	return cox_quantity_parse(text, size, out, &why) == 0
		       ? 0
		       : error_set(err, COX_REASON_BAD_REQUEST, "%s", why);
}

int quantity_from_value(const struct value *value, struct cox_quantity *out, struct cox_error *err)
{
	if (!value || value->kind == VALUE_NULL) {
		*out = (struct cox_quantity){0, COX_QUANTITY_DECIMAL_SI};
		return 0;
	}
	if (value->kind == VALUE_INT) {
		*out = cox_quantity_from_int(value->integer, COX_QUANTITY_DECIMAL_SI);
		return 0;
	}
	/* no text is in no form */
	if (value->kind != VALUE_STRING && value->kind != VALUE_NUMBER)
		return quantity_parse("", 0, out, err);
	return quantity_parse(value->text, value->count, out, err);
}

struct value *quantity_to_value(struct arena *arena, const struct cox_quantity *quantity)
{
	char text[COX_QUANTITY_TEXT_MAX];

	return value_string_n(arena, text, cox_quantity_format(quantity, text));
}
