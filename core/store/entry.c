/* SPDX-License-Identifier: Apache-2.0 */
/* Reading entries; see entry_layout.h for how they lie in memory. */
#include "store/entry_layout.h"

#include "base/slab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store_entry *entry_new(size_t tail_size)
{
	struct store_entry *entry = slab_alloc(sizeof(*entry) + tail_size);

	memset(entry, 0, sizeof(*entry));
	atomic_init(&entry->references, 1);
	entry->tail_size = (uint32_t)tail_size;
	return entry;
}

struct store_entry *store_entry_ref(struct store_entry *entry)
{
	atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
	return entry;
}

void store_entry_unref(struct store_entry *entry)
{
	if (entry && atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) == 1)
		slab_free(entry, sizeof(*entry) + entry->tail_size);
}

uint64_t store_entry_revision(const struct store_entry *entry)
{
	return entry->revision;
}

struct cox_bytes store_entry_key(const struct store_entry *entry)
{
	return (struct cox_bytes){entry->tail, entry->key_size};
}

struct cox_bytes store_entry_json(const struct store_entry *entry)
{
	return (struct cox_bytes){entry_json(entry),
				  entry->flags & ENTRY_BAD ? 0 : entry->json_size};
}

struct cox_bytes store_entry_name(const struct store_entry *entry)
{
	size_t at = entry->prefix_size;

	if (entry->namespace_size > 0)
		at += entry->namespace_size + 1u;
	return (struct cox_bytes){entry->tail + at, entry->key_size - at};
}

struct cox_bytes store_entry_namespace(const struct store_entry *entry)
{
	return (struct cox_bytes){entry->tail + entry->prefix_size, entry->namespace_size};
}

struct cox_bytes store_entry_uid(const struct store_entry *entry)
{
	return (struct cox_bytes){entry_json(entry) + entry->uid_at, entry->uid_size};
}

size_t store_entry_metadata_at(const struct store_entry *entry)
{
	return entry->metadata_at;
}

bool store_entry_deleting(const struct store_entry *entry)
{
	return (entry->flags & ENTRY_DELETING) != 0;
}

struct cox_bytes store_entry_labels(const struct store_entry *entry, size_t *count)
{
	if (count)
		*count = entry->label_count;
	return (struct cox_bytes){entry_labels(entry), entry->labels_size};
}

struct cox_bytes store_entry_label(const struct store_entry *entry, const char *key)
{
	const char *at = entry_labels(entry);

	for (unsigned i = 0; i < entry->label_count; i++) {
		const char *value = at + strlen(at) + 1;
		int order = strcmp(at, key);

		if (order == 0)
			return (struct cox_bytes){value, strlen(value)};
		if (order > 0)
			break;
		at = value + strlen(value) + 1;
	}
	return (struct cox_bytes){NULL, 0};
}

/* The sized piece number `index` from `at` on. */
static const char *sized_piece(const char *at, size_t index, uint32_t *size)
{
	for (;; index--) {
		memcpy(size, at, sizeof(*size));
		at += sizeof(*size);
		if (index == 0)
			return at;
		at += *size + 1;
	}
}

struct cox_bytes store_entry_field(const struct store_entry *entry, size_t index)
{
	const char *at;
	uint32_t size;

	if (index >= entry->field_count)
		return (struct cox_bytes){"", 0};
	at = sized_piece(entry_labels(entry) + entry->labels_size, index, &size);
	return (struct cox_bytes){at, size};
}

struct cox_bytes store_entry_owner(const struct store_entry *entry, size_t index)
{
	const char *at;
	uint32_t size;

	if (index >= entry->owner_count)
		return (struct cox_bytes){NULL, 0};
	at = sized_piece(entry_labels(entry) + entry->labels_size, entry->field_count + index,
			 &size);
	return (struct cox_bytes){at, size};
}

const char *store_entry_error(const struct store_entry *entry)
{
	return entry->flags & ENTRY_BAD ? entry_json(entry) : NULL;
}

struct store_entry *store_entry_at_revision(const struct store_entry *entry, uint64_t revision)
{
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%" PRIu64, revision);
	int grown = entry->flags & ENTRY_BAD ? 0 : count - entry->revision_digits;
	struct store_entry *copy = entry_new((size_t)((int64_t)entry->tail_size + grown));
	size_t head = (size_t)(entry_json(entry) - entry->tail) + entry->revision_at;
	size_t rest = head + entry->revision_digits;

	/* All of the header but the counter. */
	memcpy((char *)copy + offsetof(struct store_entry, revision),
	       (const char *)entry + offsetof(struct store_entry, revision),
	       sizeof(*entry) - offsetof(struct store_entry, revision));
	copy->revision = revision;
	atomic_init(&copy->list_size, 0);
	if (entry->flags & ENTRY_BAD) {
		memcpy(copy->tail, entry->tail, entry->tail_size);
		return copy;
	}
	memcpy(copy->tail, entry->tail, head);
	memcpy(copy->tail + head, digits, (size_t)count);
	memcpy(copy->tail + head + count, entry->tail + rest, entry->tail_size - rest);
	copy->json_size = (uint32_t)((int64_t)copy->json_size + grown);
	copy->revision_digits = (uint8_t)count;
	if (copy->uid_at > copy->revision_at)
		copy->uid_at = (uint32_t)((int64_t)copy->uid_at + grown);
	return copy;
}

uint32_t store_entry_list_size(const struct store_entry *entry)
{
	return atomic_load_explicit(&entry->list_size, memory_order_relaxed);
}

void store_entry_note_list_size(struct store_entry *entry, uint32_t size)
{
	atomic_store_explicit(&entry->list_size, size, memory_order_relaxed);
}

size_t store_entry_memory(const struct store_entry *entry)
{
	return slab_rounded(sizeof(*entry) + entry->tail_size);
}
