/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One collection that a plugin looks things up in: a lister, and requests for
 * what the lister does not know yet. A plugin never waits for its lister: as
 * long as that is incomplete, it asks the server instead. Any thread.
 */
#ifndef ADMISSION_LOOKUP_H
#define ADMISSION_LOOKUP_H

#include <coxswain/admission.h>

struct lookup {
	const struct cox_host *host;
	const struct cox_cluster *cluster; /* NULL: not open */
	struct cox_resource resource;
	struct cox_lister *lister;
};

/* Objects of a namespace in the order of their names; references of the holder's. */
struct lookup_list {
	const struct cox_objects *objects;
	struct cox_object **items;
	size_t count;
};

#define LOOKUP_LIST_INIT                                                                           \
	{                                                                                          \
		NULL, NULL, 0                                                                      \
	}

/* Of the core group, v1. `resource` is a constant. */
int lookup_open(struct lookup *lookup, const struct cox_host *host,
		const struct cox_cluster *cluster, const char *resource, struct cox_error *err);
void lookup_close(struct lookup *lookup); /* also if it was never opened */
int lookup_is_ready(const struct lookup *lookup);

/* What the lister knows, which may be old; NULL: nothing. A reference of the caller's. */
struct cox_object *lookup_known(const struct lookup *lookup, const char *namespace_name,
				const char *name);
/*
 * What the server knows now. NULL: with `*missing` it is not there, else `err`
 * says what went wrong.
 */
struct cox_object *lookup_ask(const struct lookup *lookup, const struct cox_call *call,
			      const char *namespace_name, const char *name, int *missing,
			      struct cox_error *err);
/* What the lister knows, else what the server knows; as lookup_ask. */
struct cox_object *lookup_find(const struct lookup *lookup, const struct cox_call *call,
			       const char *namespace_name, const char *name, int *missing,
			       struct cox_error *err);

/* All of a namespace: 0 or -1. */
int lookup_all(const struct lookup *lookup, const struct cox_call *call, const char *namespace_name,
	       struct lookup_list *list, struct cox_error *err);
void lookup_list_free(struct lookup_list *list);

#define lookup_auto_list __attribute__((cleanup(lookup_list_free))) struct lookup_list

/* An object's reference that ends with the scope. */
struct lookup_hold {
	const struct cox_objects *objects;
	struct cox_object *object;
};
void lookup_hold_end(struct lookup_hold *hold);
#define lookup_auto_hold __attribute__((cleanup(lookup_hold_end))) struct lookup_hold

#endif
