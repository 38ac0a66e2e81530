/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which node ports are taken: a bit a port, so that a free one is found without
 * reading. The truth is in the store, a key a port; the bits follow what this
 * server commits, and what conflicts teach it of others. Any thread.
 */
#ifndef COX_APISERVER_PORTMAP_H
#define COX_APISERVER_PORTMAP_H

#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>

#define PORTMAP_PREFIX "/registry/ranges/nodeports/"
enum { PORTMAP_KEY_SIZE = 64 };

struct portmap;

struct portmap *portmap_new(unsigned low, unsigned high);
void portmap_free(struct portmap *map); /* NULL is fine */
/* Reads the keys that are there. Blocks; before the server serves. */
int portmap_load(struct portmap *map, const struct store_backend *backend,
		 struct cox_error *err) COX_MUST_CHECK;

/* Writes the key of a port; its size. */
int portmap_key(unsigned port, char key[PORTMAP_KEY_SIZE]);
/* The port of a key, or 0. */
unsigned portmap_port(struct cox_bytes key);

bool portmap_has(const struct portmap *map, unsigned port); /* in the range */
bool portmap_is_taken(struct portmap *map, unsigned port);
void portmap_set(struct portmap *map, unsigned port, bool taken);
/* A random free one that is not among `except`; -1: none is left. */
int portmap_find(struct portmap *map, const uint16_t *except, size_t count,
		 unsigned *port) COX_MUST_CHECK;

#endif
