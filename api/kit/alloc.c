/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that ends the process instead of failing; see the header. */
#include <coxswain/kit/alloc.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *out_of_memory(void)
{
	static const char line[] = "out of memory\n";

	/* No stdio: it allocates. */
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(255);
	abort();
}

void *cox_alloc(size_t size)
{
	void *memory = malloc(size ? size : 1);

	return memory ? memory : out_of_memory();
}

void *cox_calloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	return memory ? memory : out_of_memory();
}

void *cox_realloc(void *old, size_t size)
{
	void *memory = realloc(old, size ? size : 1);

	return memory ? memory : out_of_memory();
}

void *cox_reallocarray(void *old, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return out_of_memory();
	return cox_realloc(old, total);
}

char *cox_strdup(const char *text)
{
	return cox_memdup(text, strlen(text) + 1);
}

char *cox_strndup(const char *text, size_t max)
{
	size_t size = strnlen(text, max);
	char *copy = cox_alloc(size + 1);

	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

void *cox_memdup(const void *data, size_t size)
{
	void *copy = cox_alloc(size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}
