/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine, the watch hub and a backend tell each other: versions of
 * keys, the changes that make them, and faults. Shared by the storage plugins
 * that keep the data themselves.
 */
#ifndef STORAGE_COMMON_VERSION_H
#define STORAGE_COMMON_VERSION_H

#include <coxswain/storage.h>
#include <stdbool.h>
#include <string.h>

/* One version of a key. (revision, index) is unique in the store. */
struct version {
	uint64_t revision; /* 0: there is none */
	uint32_t index;	   /* position among the changes of the revision */
	uint32_t tag;
	uint64_t size;	  /* of the value */
	uint64_t expires; /* on the engine's clock, ns; 0: never */
	bool deleted;	  /* the version is the absence of the key */
};

/* A put or a delete of a transaction whose compares held. Bytes borrowed. */
struct change {
	struct cox_bytes key;
	struct cox_bytes value;
	struct version now;
	struct version before; /* what it takes the place of */
};

/* Why a write did not happen, or (unknown) may not have happened. */
struct fault {
	enum cox_reason reason;
	bool unknown;
	char text[512];
};

/* A half-open range of keys; end of size 0: no upper end. */
struct key_range {
	struct cox_bytes start;
	struct cox_bytes end;
};

/* Of a string constant. */
#define bytes_literal(text) ((struct cox_bytes){text, sizeof(text) - 1})

static inline int bytes_compare(struct cox_bytes a, struct cox_bytes b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size ? memcmp(a.data, b.data, size) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool range_before_end(const struct key_range *range, struct cox_bytes key)
{
	return range->end.size == 0 || bytes_compare(key, range->end) < 0;
}

static inline bool range_holds(const struct key_range *range, struct cox_bytes key)
{
	return bytes_compare(key, range->start) >= 0 && range_before_end(range, key);
}

#endif
