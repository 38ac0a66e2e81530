/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the store is laid out in leveldb. The first byte of a key says what it is:
 *
 *   m format                      the marker: this is our store, and its layout
 *   r REVISION INDEX              a record: the bytes of one version of a key,
 *                                 written once; names the version before it
 *   s tate                        struct state, the first entry of every batch
 *   t EXPIRES REVISION INDEX      a version that ends; holds the key
 *   v KEY                         the newest version of KEY (struct version), as
 *                                 of the revision state.indexed; see index.c
 *
 * What a batch writes lies side by side in this order, behind all records that
 * there are, so that leveldb moves tables of records on without copying them.
 * Numbers in keys are big-endian, so that they sort; those in values are
 * little-endian.
 */
#ifndef STORAGE_LEVELDB_FORMAT_H
#define STORAGE_LEVELDB_FORMAT_H

#include "../common/version.h"

#include <coxswain/kit/buf.h>

#define FORMAT_KEY "mformat"
#define FORMAT_VALUE "coxswain store 2"
#define STATE_KEY "state"

enum {
	STATE_SIZE = 106,
	VERSION_SIZE = 33,
	RECORD_KEY_SIZE = 13,
	ENDING_KEY_SIZE = 21,
	RECORD_HEADER_SIZE = 28
};

/* What the whole store is at; see write.c for who may change it. */
struct state {
	uint64_t serial;    /* of the batch that carries it */
	uint64_t synced;    /* batches up to this one were on disk when it was written */
	uint64_t log_first; /* the first batch of the log, as known before this one */
	uint64_t revision;
	uint64_t limit; /* revisions up to this one may have been given out */
	uint64_t compacted;
	uint64_t cleaned; /* compaction has removed what it can up to here */
	uint64_t indexed; /* versions after this revision are in the records alone */
	uint64_t keys, value_bytes;
	uint64_t clock; /* the engine's, when the store was opened */
	/* Watches after a revision between these are refused: it may be gone. */
	uint64_t hole_from, hole_to;
	bool clean; /* written by an orderly stop */
	bool copy;  /* written by a snapshot: revisions must jump */
};

/* One version of a key, as stored. Bytes belong to what was decoded. */
struct record {
	struct cox_bytes key, value;
	uint32_t tag;
	bool deleted;
	bool before_deleted;
	uint64_t before_revision; /* 0: the key was new */
	uint32_t before_index;
	uint64_t expires;
};

void state_encode(const struct state *state, char out[STATE_SIZE]);
int state_decode(const char *data, size_t size, struct state *state);

void version_encode(const struct version *version, char out[VERSION_SIZE]);
int version_decode(const char *data, size_t size, struct version *version);

void record_key(uint64_t revision, uint32_t index, char out[RECORD_KEY_SIZE]);
int record_key_decode(const char *data, size_t size, uint64_t *revision, uint32_t *index);
void record_encode(const struct change *change, struct cox_buf *out);
int record_decode(const char *data, size_t size, struct record *record);

void ending_key(const struct version *version, char out[ENDING_KEY_SIZE]);
int ending_key_decode(const char *data, size_t size, uint64_t *expires, uint64_t *revision);

uint64_t get_little(const char *in, unsigned size);

#endif
