/* SPDX-License-Identifier: Apache-2.0 */
/* Where in an object: "spec.containers[0].image", "metadata.labels[a/b]". */
#ifndef COX_MACHINERY_PATH_H
#define COX_MACHINERY_PATH_H

#include "base/arena.h"

#include <stddef.h>

/* A chain on the stack; the outermost part has no parent. */
struct field_path {
	const struct field_path *parent;
	const char *name; /* a field; NULL: see below */
	const char *key;  /* an entry of a map or keyed list, written [key] */
	size_t index;	  /* else an entry of a list, written [index] */
};

#define FIELD(up, field) (&(const struct field_path){.parent = (up), .name = (field)})
#define FIELD_KEY(up, entry) (&(const struct field_path){.parent = (up), .key = (entry)})
#define FIELD_INDEX(up, at) (&(const struct field_path){.parent = (up), .index = (at)})

/* `at` may be NULL: "". A name may hold dots ("spec.template"). */
const char *field_path_text(struct arena *arena, const struct field_path *at);

#endif
