/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two scanners that json.c and json_tree.c share: strings and numbers. They
 * read bytes between `at` and `end` only, 16 at a time where the machine can.
 */
#ifndef COX_MACHINERY_JSON_SCAN_H
#define COX_MACHINERY_JSON_SCAN_H

#include "base/character.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What to say of the character that json_scan_* stopped at. */
#define JSON_WHY_VALUE "expected a value"
#define JSON_WHY_KEY "expected a key in double quotes (U+0022)"
#define JSON_WHY_FIRST_KEY "expected a key in double quotes (U+0022) or '}'"
#define JSON_WHY_COLON "expected ':' after the key"
#define JSON_WHY_MEMBER_END "expected ',' or '}'"
#define JSON_WHY_ITEM_END "expected ',' or ']'"
#define JSON_WHY_TRAILING "expected nothing more after the document"
#define JSON_WHY_DEPTH "nested too deeply (256 levels at most)"

/* A BadRequest for what `why` says of the byte at `offset`; returns -1. */
int json_error_at(const char *data, size_t size, size_t offset, const char *why,
		  struct cox_error *err);

static inline bool json_is_blank(unsigned char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline const char *json_skip_blanks(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at <= ' ' && json_is_blank((unsigned char)*at))
		at++;
	return at;
}

/* The first byte that is a quote, a backslash, a control or not ASCII; or end. */
static inline const char *json_scan_plain(const char *at, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i blank = _mm_set1_epi8(' ');

	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		/* as signed bytes, all that is not ASCII is below a blank too */
		__m128i special = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)),
			_mm_cmplt_epi8(bytes, blank));
		unsigned mask = (unsigned)_mm_movemask_epi8(special);

		if (mask)
			return at + __builtin_ctz(mask);
	}
#endif
	while (at < end && *at != '"' && *at != '\\' && (signed char)*at >= ' ')
		at++;
	return at;
}

/* Slow parts of json_scan_string, in json.c: where to go on, or NULL. */
const char *json_scan_escape(const char *at, const char *end, const char **bad, const char **why);

/*
 * From behind the opening quote to the closing one. NULL if there is none or
 * the bytes are no JSON string: *bad and *why say where and what.
 */
static inline const char *json_scan_string(const char *at, const char *end, bool *escaped,
					   const char **bad, const char **why)
{
	*escaped = false;
	for (;;) {
		at = json_scan_plain(at, end);
		if (at < end && *at == '"')
			return at;
		if (at < end && *at == '\\')
			*escaped = true;
		at = json_scan_escape(at, end, bad, why);
		if (!at)
			return NULL;
	}
}

/*
 * The end of a number that starts at `at`, or NULL as above. *whole: it has
 * neither fraction nor exponent.
 */
const char *json_scan_number(const char *at, const char *end, bool *whole, const char **bad,
			     const char **why);
/* The end of `true`, `false` or `null`; NULL as above. */
const char *json_scan_word(const char *at, const char *end, const char **bad, const char **why);

/*
 * Behind the object or array that begins at `at`; NULL if it does not end. The
 * bytes were read as JSON before: nothing but strings and brackets is looked at.
 */
const char *json_jump(const char *at, const char *end);

#endif
