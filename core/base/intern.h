/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted names that exist once: namespaces, kinds, names of nodes. Two names
 * are equal if their pointers are. A name is freed with its last reference.
 * Any thread; a name may be read without a lock by whoever holds a reference.
 */
#ifndef COX_BASE_INTERN_H
#define COX_BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern {
	uint32_t references; /* of the table's shard */
	uint32_t size;
	char text[]; /* ends with a zero byte that does not count */
};

const struct intern *intern_get(const char *text, size_t size); /* a reference; below 64 KiB */
const struct intern *intern_ref(const struct intern *name);
void intern_unref(const struct intern *name); /* NULL is allowed */
size_t intern_count(void);		      /* names alive */

#endif
