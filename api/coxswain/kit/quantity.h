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
#ifndef COXSWAIN_KIT_QUANTITY_H
#define COXSWAIN_KIT_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cox_quantity_format {
	COX_QUANTITY_DECIMAL_SI = 0,  /* n u m, none, k M G T P E */
	COX_QUANTITY_BINARY_SI,	      /* Ki Mi Gi Ti Pi Ei */
	COX_QUANTITY_DECIMAL_EXPONENT /* e3, e6, … */
};

/* Room for any canonical text with its zero byte. */
enum { COX_QUANTITY_TEXT_MAX = 64 };

struct cox_quantity {
	__extension__ __int128 nano;
	uint8_t format; /* enum cox_quantity_format */
};

/* -1: `*why` (may be NULL) says it in the words of the API, a constant text. */
int cox_quantity_parse(const char *text, size_t size, struct cox_quantity *out, const char **why)
	__attribute__((warn_unused_result));
struct cox_quantity cox_quantity_from_int(int64_t units, enum cox_quantity_format format);
struct cox_quantity cox_quantity_from_milli(int64_t milli, enum cox_quantity_format format);

/*
 * The canonical text: no fraction, the largest suffix of the family that needs
 * none; binary amounts below 1024 or with a fraction are written as decimal.
 * Returns its length.
 */
size_t cox_quantity_format(const struct cox_quantity *quantity, char out[COX_QUANTITY_TEXT_MAX]);

int cox_quantity_compare(const struct cox_quantity *a, const struct cox_quantity *b); /* -1, 0, 1 */
int cox_quantity_sign(const struct cox_quantity *quantity);			      /* -1, 0, 1 */
/* to += by, to -= by; -1, with `to` as it was, when the sum does not fit. */
int cox_quantity_add(struct cox_quantity *to, const struct cox_quantity *by)
	__attribute__((warn_unused_result));
int cox_quantity_sub(struct cox_quantity *to, const struct cox_quantity *by)
	__attribute__((warn_unused_result));

/* Whole units and thousandths, rounded away from zero, at most int64_t holds. */
int64_t cox_quantity_units(const struct cox_quantity *quantity);
int64_t cox_quantity_milli(const struct cox_quantity *quantity);
bool cox_quantity_is_whole(const struct cox_quantity *quantity); /* no fraction of a unit */

#endif
