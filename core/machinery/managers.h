/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.managedFields: which manager has which fields, by which operation,
 * through which subresource and in which version of the API. One who applies is
 * the same manager in every version; one who updates is another one in each.
 */
#ifndef COX_MACHINERY_MANAGERS_H
#define COX_MACHINERY_MANAGERS_H

#include "machinery/fieldset.h"

enum {
	MANAGERS_MAX = 1000,	   /* of one object */
	MANAGERS_UPDATES_MAX = 10, /* entries of operation Update; see managers_limit */
	MANAGER_NAME_MAX = 128,	   /* bytes */
	MANAGER_SUBRESOURCE_MAX = 256
};

struct manager {
	const char *name, *api_version, *subresource; /* "" where not set */
	const char *time;			      /* RFC 3339; "": none */
	bool applies;				      /* else it updates */
	const struct fieldset *fields;
	struct value *entry; /* as it was read, while it still says the same; or NULL */
};

struct managers {
	struct arena *arena;
	struct manager *list;
	size_t count, capacity;
};

/* A list that clients send to wipe out what is known: [{}]; an empty one is told by decoding. */
bool managers_is_reset(const struct value *list);
/*
 * Of entries that name the same manager the last counts. `list` may be NULL.
 * With `strict` the entries are written anew, in the one canonical form.
 * Errors are BadRequest.
 */
int managers_read(struct managers *managers, struct arena *arena, const struct value *list,
		  bool strict, struct cox_error *err) COX_MUST_CHECK;
/* In today's order: appliers first, then by time and name. NULL: nobody manages anything. */
struct value *managers_write(const struct managers *managers);

bool manager_same(const struct manager *a, const struct manager *b);
int manager_compare(const struct manager *a, const struct manager *b);
/* NULL: no such manager. What is found moves when one is added or removed. */
struct manager *managers_find(const struct managers *managers, const struct manager *who);
void managers_add(struct managers *managers, const struct manager *who);
/* Sets the fields; one without any is to be removed. */
void manager_set(struct manager *manager, const struct fieldset *fields);
void managers_drop_empty(struct managers *managers);
/* Merges the oldest that update, until there are few enough, as "ancient-changes". */
void managers_limit(struct managers *managers);

/* What is wrong with a manager's name: too long, or a character that cannot be shown; NULL:
 * nothing. */
const char *manager_name_problem(const char *name);

/* `"kubectl" with subresource "scale" using apps/v1`, as conflicts name a manager. */
const char *manager_text(struct arena *arena, const struct manager *manager);

#endif
