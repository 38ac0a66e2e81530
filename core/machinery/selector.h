/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label and field selectors: the text forms of the query string, LabelSelector
 * objects, and plain maps. A parsed selector is one piece of memory, freed with
 * free(), never changed, so that any thread may match with it.
 *
 * Labels are matched in a tree, or in the compact form that the store keeps of
 * each object: struct label_set, pairs key\0value\0 sorted by key.
 */
#ifndef COX_MACHINERY_SELECTOR_H
#define COX_MACHINERY_SELECTOR_H

#include "base/error.h"
#include "machinery/json.h"
#include "machinery/value.h"

#include <coxswain/kit/buf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct label_set {
	const char *pairs;
	uint32_t size;
};

/*
 * Appends the pairs of {"key":"value",…} to `out`, sorted. What cannot be a
 * label (not a string, a zero byte in it) is left out; NULL and null are none.
 */
void label_set_pack(struct cox_buf *out, const struct value *labels);
/* The same without a tree: the reader has just returned JSON_OBJECT_BEGIN. */
int label_set_pack_json(struct cox_buf *out, struct json_reader *reader) COX_MUST_CHECK;
/* NULL if absent; the value ends with a zero byte. */
const char *label_set_get(const struct label_set *set, const char *key);
/* Walks: uint32_t at = 0; while (label_set_next(&set, &at, &key, &value)). */
bool label_set_next(const struct label_set *set, uint32_t *at, const char **key,
		    const char **value);

enum selector_operator {
	SELECTOR_IN,	 /* also = and == */
	SELECTOR_NOT_IN, /* also != ; absent matches */
	SELECTOR_EXISTS,
	SELECTOR_NOT_EXISTS,
	SELECTOR_GREATER, /* integers; absent or no integer does not match */
	SELECTOR_LESS
};

struct selector_requirement {
	const char *key;
	const char *const *values; /* sorted, each once */
	uint32_t count;
	uint8_t relation; /* enum selector_operator */
	bool exact;	  /* was written =, == or != */
};

struct label_selector {
	const struct selector_requirement *requirements; /* sorted by key; all must hold */
	uint32_t count;
	bool nothing; /* matches no object: a LabelSelector that is null */
};

/* labelSelector=…; "" matches everything. NULL with a BadRequest. */
struct label_selector *label_selector_parse(const char *text, size_t size,
					    struct cox_error *err) COX_MUST_CHECK;
/* {"matchLabels":{…},"matchExpressions":[…]}; null matches nothing, {} everything. */
struct label_selector *label_selector_from_object(const struct value *object,
						  struct cox_error *err) COX_MUST_CHECK;
/* {"app":"web"}; null and {} match everything. */
struct label_selector *label_selector_from_map(const struct value *map,
					       struct cox_error *err) COX_MUST_CHECK;

/* A NULL selector matches everything. */
bool label_selector_matches(const struct label_selector *selector, const struct label_set *set);
bool label_selector_matches_tree(const struct label_selector *selector, const struct value *labels);
bool label_selector_is_everything(const struct label_selector *selector);
/* The one value that `key` must have, or NULL. */
const char *label_selector_equality(const struct label_selector *selector, const char *key);
/* The text form, as in a Scale's status: "a=b,c in (d,e),!f". */
void label_selector_format(const struct label_selector *selector, struct cox_buf *out);

/* One term of a field selector. */
struct field_requirement {
	const char *field; /* metadata.name */
	const char *value;
	bool not_equal;
};

struct field_selector {
	const struct field_requirement *requirements; /* in the order written */
	uint32_t count;
};

/*
 * fieldSelector=…: `=`, `==`, `!=`, with \, \= \\ in values. Which fields there
 * are is the caller's to check (the kind's table). NULL with a BadRequest.
 */
struct field_selector *field_selector_parse(const char *text, size_t size,
					    struct cox_error *err) COX_MUST_CHECK;
/*
 * `get` returns the field's value, "" when it has none; NULL counts as "". A
 * NULL selector matches everything.
 */
bool field_selector_matches(const struct field_selector *selector,
			    const char *(*get)(void *context, const char *field), void *context);
/* The one value that `field` must have: for indexes. NULL: none. */
const char *field_selector_equality(const struct field_selector *selector, const char *field);
void field_selector_format(const struct field_selector *selector, struct cox_buf *out);

#endif
