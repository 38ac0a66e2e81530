/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amounts of resources: "100m", "1.5Gi", "12e6". An amount is exact, in
 * billionths (nano) of its unit, in 128 bits: between -1.7e29 and 1.7e29
 * units. What is finer than a billionth is rounded away from zero, and a
 * binary amount above 2^63-1 becomes that, as every server of this API does;
 * what does not fit otherwise is refused.
 *
 * The family of the suffix (1Ki, 1k, 1e3) belongs to the amount and is kept
 * through arithmetic; the first operand's counts, unless it is zero.
 */
#ifndef COX_MACHINERY_QUANTITY_H
#define COX_MACHINERY_QUANTITY_H

#include "base/error.h"
#include "machinery/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum quantity_format {
	QUANTITY_DECIMAL_SI = 0,  /* n u m, none, k M G T P E */
	QUANTITY_BINARY_SI,	  /* Ki Mi Gi Ti Pi Ei */
	QUANTITY_DECIMAL_EXPONENT /* e3, e6, … */
};

/* Room for any canonical text with its zero byte. */
enum { QUANTITY_TEXT_MAX = 64 };

struct quantity {
	__extension__ __int128 nano;
	uint8_t format; /* enum quantity_format */
};

/* The error is a BadRequest with the words of the API ("quantities must match …"). */
int quantity_parse(const char *text, size_t size, struct quantity *out,
		   struct cox_error *err) COX_MUST_CHECK;
/* A string or a number of a tree; null and NULL are zero. */
int quantity_from_value(const struct value *value, struct quantity *out,
			struct cox_error *err) COX_MUST_CHECK;
struct quantity quantity_from_int(int64_t units, enum quantity_format format);
struct quantity quantity_from_milli(int64_t milli, enum quantity_format format);

/*
 * The canonical text: no fraction, the largest suffix of the family that needs
 * none; binary amounts below 1024 or with a fraction are written as decimal.
 * Returns its length.
 */
size_t quantity_format(const struct quantity *quantity, char out[QUANTITY_TEXT_MAX]);
struct value *quantity_to_value(struct arena *arena, const struct quantity *quantity);

int quantity_compare(const struct quantity *a, const struct quantity *b); /* -1, 0, 1 */
int quantity_sign(const struct quantity *quantity);			  /* -1, 0, 1 */
/* to += by, to -= by; -1, with `to` as it was, when the sum does not fit. */
int quantity_add(struct quantity *to, const struct quantity *by) COX_MUST_CHECK;
int quantity_sub(struct quantity *to, const struct quantity *by) COX_MUST_CHECK;

/* Whole units and thousandths, rounded away from zero, at most int64_t holds. */
int64_t quantity_units(const struct quantity *quantity);
int64_t quantity_milli(const struct quantity *quantity);
bool quantity_is_whole(const struct quantity *quantity); /* no fraction of a unit */

#endif
