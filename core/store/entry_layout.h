/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an entry lies in memory: one block (base/slab.h), the header and behind it
 *   key \0  JSON (or the error's text) \0  labels  fields  owners
 * Labels are key\0value\0 pairs; fields and owners are each a 32-bit size, the
 * bytes and \0. Known to scan.c, which writes it, and entry.c, which reads it.
 */
#ifndef COX_STORE_ENTRY_LAYOUT_H
#define COX_STORE_ENTRY_LAYOUT_H

#include "store/entry.h"

#include <stdatomic.h>

enum { ENTRY_DELETING = 1, ENTRY_BAD = 2 };

struct store_entry {
	_Atomic uint32_t references;
	uint32_t tail_size;
	uint64_t revision;
	uint32_t json_size;
	uint32_t metadata_at;
	uint32_t revision_at; /* of the digits of resourceVersion in the JSON */
	uint32_t uid_at;      /* in the JSON */
	uint32_t labels_size;
	_Atomic uint32_t list_size; /* store_entry_list_size */
	uint16_t key_size;
	uint16_t prefix_size;
	uint16_t namespace_size;
	uint16_t uid_size;
	uint16_t label_count;
	uint16_t owner_count;
	uint8_t field_count;
	uint8_t revision_digits;
	uint8_t flags;
	char tail[];
};

static inline char *entry_json(const struct store_entry *entry)
{
	return (char *)entry->tail + entry->key_size + 1;
}

static inline char *entry_labels(const struct store_entry *entry)
{
	return entry_json(entry) + entry->json_size + 1;
}

/* Header and room for the tail; one reference. */
struct store_entry *entry_new(size_t tail_size);

#endif
