/* SPDX-License-Identifier: Apache-2.0 */
/* Selections; see the header. */
#include "apiserver/select.h"

#include <coxswain/kit/alloc.h>
#include <stdlib.h>
#include <string.h>

static struct cox_bytes bytes_of(const char *text)
{
	return (struct cox_bytes){text, strlen(text)};
}

/* The store picks one index; the equality that cuts most is used for it. */
static void use_for_scope(struct selection *selection, const char *label,
			  const struct field_test *test)
{
	if (test->not_equal)
		return;
	if (strcmp(label, "metadata.name") == 0 && *test->value)
		selection->scope.name = bytes_of(test->value);
	else if (strcmp(label, "metadata.namespace") == 0 && *test->value &&
		 !selection->scope.namespace.size)
		selection->scope.namespace = bytes_of(test->value);
	else if (strcmp(label, "spec.nodeName") == 0 && test->index >= 0) {
		selection->scope.field = test->index;
		selection->scope.value = bytes_of(test->value);
	}
}

/* Kinds that take more than their name and namespace say it in other words. */
static int unknown_label(const struct api_resource *resource, const char *field,
			 struct cox_error *err)
{
	const struct schema *schema = resource->server->schema;
	const struct schema_label *labels = schema->labels + resource->row->labels;
	bool plain = true;

	for (size_t i = 0; i < resource->row->label_count; i++) {
		const char *name = schema_text(schema, labels[i].name);

		if ((labels[i].flags & SCHEMA_LABEL_ACCEPTED) &&
		    strcmp(name, "metadata.name") != 0 && strcmp(name, "metadata.namespace") != 0)
			plain = false;
	}
	if (plain)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "\"%s\" is not a known field selector: only \"metadata.name\", "
				 "\"metadata.namespace\"",
				 field);
	return error_set(err, COX_REASON_BAD_REQUEST, "field label not supported: %s", field);
}

static bool is_accepted(const struct schema_label *label)
{
	return label && (label->flags & SCHEMA_LABEL_ACCEPTED);
}

int select_check_fields(const struct api_resource *resource, const struct field_selector *fields,
			struct cox_error *err)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		const char *field = fields->requirements[i].field;

		if (!is_accepted(schema_label_get(resource->server->schema, resource->row, field)))
			return unknown_label(resource, field, err);
	}
	return 0;
}

static int resolve_fields(const struct api_resource *resource, struct selection *selection,
			  struct cox_error *err)
{
	const struct schema *schema = resource->server->schema;

	for (uint32_t i = 0; i < selection->fields->count; i++) {
		const struct field_requirement *wanted = &selection->fields->requirements[i];
		const struct schema_label *label =
			schema_label_get(schema, resource->row, wanted->field);
		struct field_test *test = &selection->tests[selection->test_count];
		const char *stored;

		if (!is_accepted(label))
			return unknown_label(resource, wanted->field, err);
		if (selection->test_count == SELECT_FIELDS_MAX)
			return error_set(err, COX_REASON_BAD_REQUEST,
					 "a field selector may have at most %d terms",
					 SELECT_FIELDS_MAX);
		stored = schema_text(schema, label->maps_to);
		*test = (struct field_test){-1, wanted->value, wanted->not_equal};
		if (label->flags & SCHEMA_LABEL_MATCHED)
			test->index = store_field_index(resource->collection, stored);
		selection->test_count++;
		use_for_scope(selection, stored, test);
	}
	return 0;
}

struct selection *selection_new(struct api_call *call, struct cox_error *err)
{
	size_t terms = call->list.fields ? call->list.fields->count : 0;
	struct selection *selection = cox_calloc(
		1, sizeof(*selection) + (terms < SELECT_FIELDS_MAX ? terms : SELECT_FIELDS_MAX) *
						sizeof(selection->tests[0]));

	selection->scope = (struct store_scope)STORE_SCOPE_ALL;
	selection->labels = call->list.labels;
	selection->fields = call->list.fields;
	call->list.labels = NULL;
	call->list.fields = NULL;
	selection->namespace_ =
		cox_strdup(call->resource->namespaced ? call->route.namespace_ : "");
	if (*selection->namespace_)
		selection->scope.namespace = bytes_of(selection->namespace_);
	if (selection->fields && resolve_fields(call->resource, selection, err) != 0) {
		selection_free(selection);
		return NULL;
	}
	return selection;
}

void selection_free(struct selection *selection)
{
	if (!selection)
		return;
	free(selection->labels);
	free(selection->fields);
	free(selection->namespace_);
	free(selection);
}

bool selection_matches(const struct selection *selection, const struct store_entry *entry)
{
	if (selection->labels) {
		struct cox_bytes pairs = store_entry_labels(entry, NULL);
		struct label_set set = {pairs.data, (uint32_t)pairs.size};

		if (!label_selector_matches(selection->labels, &set))
			return false;
	}
	for (size_t i = 0; i < selection->test_count; i++) {
		const struct field_test *test = &selection->tests[i];
		struct cox_bytes value = {"", 0};
		size_t size = strlen(test->value);
		bool equal;

		if (test->index >= 0)
			value = store_entry_field(entry, (size_t)test->index);
		equal = value.size == size &&
			(size == 0 || memcmp(value.data, test->value, size) == 0);
		if (equal == test->not_equal)
			return false;
	}
	return true;
}

bool selection_is_scope(const struct selection *selection)
{
	return !selection->labels && selection->test_count == 0;
}
