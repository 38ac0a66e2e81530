/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities: the canonical text of one is a quantity of the same amount and has
 * itself as its canonical text; sums of two are undone by differences.
 */
#include <coxswain/kit/quantity.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct cox_quantity *quantity)
{
	char text[COX_QUANTITY_TEXT_MAX], again[COX_QUANTITY_TEXT_MAX];
	size_t length = cox_quantity_format(quantity, text);
	struct cox_quantity read;

	if (length != strlen(text) || cox_quantity_parse(text, length, &read, NULL) != 0 ||
	    cox_quantity_compare(quantity, &read) != 0)
		abort();
	cox_quantity_format(&read, again);
	if (strcmp(text, again) != 0)
		abort();
}

static void check_order(const struct cox_quantity *a, const struct cox_quantity *b)
{
	int order = cox_quantity_compare(a, b);

	if (order != -cox_quantity_compare(b, a))
		abort();
	/* Rounding keeps the order. */
	if ((order < 0 && (cox_quantity_units(a) > cox_quantity_units(b) ||
			   cox_quantity_milli(a) > cox_quantity_milli(b))) ||
	    (order == 0 && cox_quantity_units(a) != cox_quantity_units(b)))
		abort();
}

static void check_sum(const struct cox_quantity *a, const struct cox_quantity *b)
{
	struct cox_quantity sum = *a;

	if (cox_quantity_add(&sum, b) != 0) {
		if (cox_quantity_compare(&sum, a) != 0)
			abort();
		return;
	}
	if (cox_quantity_sub(&sum, b) != 0 || cox_quantity_compare(&sum, a) != 0)
		abort();
}

/* One or two quantities, with a blank between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *blank = size ? memchr(text, ' ', size) : NULL;
	size_t first = blank ? (size_t)(blank - text) : size;
	struct cox_quantity a, b;
	const char *why = NULL;

	if (cox_quantity_parse(text, first, &a, &why) != 0) {
		if (!why)
			abort();
		return 0;
	}
	check_text(&a);
	if (!blank || cox_quantity_parse(blank + 1, size - first - 1, &b, NULL) != 0)
		return 0;
	check_text(&b);
	check_order(&a, &b);
	check_sum(&a, &b);
	return 0;
}
