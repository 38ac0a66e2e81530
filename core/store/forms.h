/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other forms of entries (another version, protobuf, gzip, a watch frame),
 * made once per revision and kept in a least-recently-used cache bounded by
 * bytes. What the numbers of the forms mean is the owner's business. Any thread.
 */
#ifndef COX_STORE_FORMS_H
#define COX_STORE_FORMS_H

#include "base/bytes.h"
#include "store/entry.h"

struct store_forms;

struct store_forms *store_forms_create(size_t bytes);
void store_forms_free(struct store_forms *forms); /* NULL is allowed */

/* A reference for the caller, or NULL. */
struct bytes *store_forms_get(struct store_forms *forms, const struct store_entry *entry,
			      uint64_t form);
/*
 * Takes the caller's reference and returns the one to use: if another thread
 * was faster, its bytes. Bytes beyond a 64th of the bound are not kept.
 */
struct bytes *store_forms_put(struct store_forms *forms, const struct store_entry *entry,
			      uint64_t form, struct bytes *bytes);

struct store_forms_figures {
	uint64_t hits, misses, evicted;
	size_t count, bytes;
};
void store_forms_figures(struct store_forms *forms, struct store_forms_figures *figures);

#endif
