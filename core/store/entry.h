/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object at one revision, as it lies in the cache: canonical JSON with its
 * resourceVersion in place, and what selecting, indexing and garbage collection
 * need, extracted at ingest so that no read has to parse.
 *
 * An entry is one allocation, immutable and counted; any thread may read one
 * that it holds a reference to. What the functions return is borrowed from the
 * entry; all texts are followed by a zero byte that does not count.
 */
#ifndef COX_STORE_ENTRY_H
#define COX_STORE_ENTRY_H

#include <coxswain/plugin.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_entry;

struct store_entry *store_entry_ref(struct store_entry *entry);
void store_entry_unref(struct store_entry *entry); /* NULL is allowed */
static inline void store_entry_release(struct store_entry **slot)
{
	store_entry_unref(*slot);
}
/* struct store_entry *entry cox_auto(store_entry_release) = NULL; */

uint64_t store_entry_revision(const struct store_entry *entry);
struct cox_bytes store_entry_key(const struct store_entry *entry);
/* With metadata.resourceVersion. Empty for an entry with an error. */
struct cox_bytes store_entry_json(const struct store_entry *entry);
struct cox_bytes store_entry_name(const struct store_entry *entry);	 /* from the key */
struct cox_bytes store_entry_namespace(const struct store_entry *entry); /* "": cluster */
struct cox_bytes store_entry_uid(const struct store_entry *entry);	 /* "": none */
/* Where the metadata object begins in the JSON: the offset of its '{'. */
size_t store_entry_metadata_at(const struct store_entry *entry);
bool store_entry_deleting(const struct store_entry *entry); /* deletionTimestamp is set */

/* Pairs key\0value\0 sorted by key; `count` (may be NULL) of them. */
struct cox_bytes store_entry_labels(const struct store_entry *entry, size_t *count);
/* The value of a label; data NULL: not there. */
struct cox_bytes store_entry_label(const struct store_entry *entry, const char *key);
/* The selectable field with that index in the collection's table. */
struct cox_bytes store_entry_field(const struct store_entry *entry, size_t index);
/* uid of owner reference `index`; data NULL behind the last. */
struct cox_bytes store_entry_owner(const struct store_entry *entry, size_t index);

/*
 * A stored value that could not be understood stays visible as an entry with
 * an error: NULL for a good one, else the text for a StorageReadError. Key,
 * name, namespace and revision are valid, so that it can be deleted.
 */
const char *store_entry_error(const struct store_entry *entry);

/* The same object under another revision, as a deletion tells it. A new reference. */
struct store_entry *store_entry_at_revision(const struct store_entry *entry, uint64_t revision);

/*
 * How many bytes it takes in a list in protobuf, of the stored version: what is
 * found out once is noted for the next list. 0: not known yet.
 */
uint32_t store_entry_list_size(const struct store_entry *entry);
void store_entry_note_list_size(struct store_entry *entry, uint32_t size);

/* Bytes of memory that it takes, for bounds and figures. */
size_t store_entry_memory(const struct store_entry *entry);

#endif
