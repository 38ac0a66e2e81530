/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that cannot fail: out of memory ends the process with one line on
 * stderr. Sizes that come from outside are bounded by the caller first.
 */
#ifndef COXSWAIN_KIT_ALLOC_H
#define COXSWAIN_KIT_ALLOC_H

#include <stddef.h>

void *cox_alloc(size_t size);  /* not cleared */
void *cox_calloc(size_t count, size_t size); /* cleared; checks the product */
void *cox_realloc(void *old, size_t size);
void *cox_reallocarray(void *old, size_t count, size_t size);
char *cox_strdup(const char *text);
char *cox_strndup(const char *text, size_t max);
void *cox_memdup(const void *data, size_t size);

#define cox_new(type) ((type *)cox_calloc(1, sizeof(type)))

#endif
