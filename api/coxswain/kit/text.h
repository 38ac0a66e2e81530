/* SPDX-License-Identifier: Apache-2.0 */
/* Small things done with text, bytes and numbers, each with one strict rule. */
#ifndef COXSWAIN_KIT_TEXT_H
#define COXSWAIN_KIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal, whole text, no blanks, within the range; 0 or -1. */
int cox_parse_int(const char *text, int64_t low, int64_t high, int64_t *value)
	__attribute__((warn_unused_result));
/* "true" or "false"; 0 or -1. */
int cox_parse_bool(const char *text, bool *value) __attribute__((warn_unused_result));
/* Go's duration syntax: 1h30m, 250ms, 1.5s, 0; not negative; nanoseconds. */
int cox_parse_duration(const char *text, uint64_t *nanoseconds)
	__attribute__((warn_unused_result));
/* 10, 4Ki, 3Mi, 2Gi, 5k, 6M, 7G; 0 or -1. */
int cox_parse_size(const char *text, uint64_t *bytes) __attribute__((warn_unused_result));

/* Writes a duration as Go does ("1h0m0s"); buffer of at least 32 bytes. */
void cox_format_duration(uint64_t nanoseconds, char out[32]);

/* Whether the bytes are UTF-8 as of RFC 3629; `at` (may be NULL): first bad. */
bool cox_utf8_valid(const char *data, size_t size, size_t *at);

/*
 * The edit distance, with two swapped neighbours counting one; at most `limit`
 * (more is reported as limit + 1). Names are cut at 64 bytes. For "did you
 * mean" hints.
 */
unsigned cox_edit_distance(const char *a, const char *b, unsigned limit);
/*
 * The nearest of `count` names, or NULL if none is near enough to be what was
 * meant (letter case apart, or a third of its length at the most).
 */
const char *cox_nearest(const char *wrong, const char *const *names, size_t count);

bool cox_starts_with(const char *text, const char *prefix);
bool cox_ends_with(const char *text, const char *suffix);

/* Base64 (RFC 4648, padded, strict). Sizes: out has cox_base64_size(n). */
size_t cox_base64_size(size_t bytes); /* with the zero byte */
void cox_base64_encode(const void *data, size_t size, char *out);
/* Returns the number of bytes, or -1; `out` has at least 3 * size / 4. */
int64_t cox_base64_decode(const char *text, size_t size, void *out)
	__attribute__((warn_unused_result));
/* The URL alphabet without padding, as in tokens. */
void cox_base64url_encode(const void *data, size_t size, char *out);
int64_t cox_base64url_decode(const char *text, size_t size, void *out)
	__attribute__((warn_unused_result));

/* In time that does not depend on the content. */
bool cox_equal_secret(const void *a, const void *b, size_t size);

#endif
