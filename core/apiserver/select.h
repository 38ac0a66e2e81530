/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects a list, watch or delete of a collection is about: selectors,
 * namespace and name, resolved once against the kind's table and the store's
 * indexes. Never changed after; any thread may match with it.
 */
#ifndef COX_APISERVER_SELECT_H
#define COX_APISERVER_SELECT_H

#include "apiserver/call.h"
#include "store/snapshot.h"

enum { SELECT_FIELDS_MAX = 32 };

struct field_test {
	int index;	   /* of the store's field; -1: compares with "" */
	const char *value; /* lives in the field selector */
	bool not_equal;
};

struct selection {
	struct label_selector *labels; /* NULL: everything */
	struct field_selector *fields;
	char *namespace_; /* "" for all */
	struct store_scope scope;
	size_t test_count;
	struct field_test tests[]; /* as many as `fields` has, at most SELECT_FIELDS_MAX */
};

/*
 * Takes the selectors out of the call's options. BadRequest for a field that
 * the kind does not know.
 */
struct selection *selection_new(struct api_call *call, struct cox_error *err);
void selection_free(struct selection *selection); /* NULL is fine */

/* BadRequest if the kind knows one of the fields not. */
int select_check_fields(const struct api_resource *resource, const struct field_selector *fields,
			struct cox_error *err) COX_MUST_CHECK;

/* Of an entry in the selection's scope. */
bool selection_matches(const struct selection *selection, const struct store_entry *entry);
/* Whether every entry of the scope matches. */
bool selection_is_scope(const struct selection *selection);

#endif
