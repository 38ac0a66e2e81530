/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors: their three sources become a list of requirements, which is
 * checked, sorted and laid into one piece of memory; see selector.h.
 */
#include "machinery/selector_build.h"

#include "machinery/names.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_requirements(const void *a, const void *b)
{
	return strcmp(((const struct selector_requirement *)a)->key,
		      ((const struct selector_requirement *)b)->key);
}

/* Joins what a check found, as the API does. */
static void join_problems(const struct names_problems *problems, struct cox_buf *out)
{
	for (size_t i = 0; i < problems->count; i++)
		cox_buf_printf(out, "%s%s", i ? "; " : "", problems->text[i]);
}

static void complain(struct cox_buf *problems, const char *field, const char *value,
		     const char *why)
{
	cox_buf_str(problems, problems->size ? ", " : "");
	cox_buf_printf(problems, "%s: Invalid value: ", field);
	cox_buf_json_string(problems, value, strlen(value));
	cox_buf_printf(problems, ": %s", why);
}

static void check_name(struct cox_buf *problems, names_check check, const char *field,
		       const char *text)
{
	cox_autobuf joined = COX_BUF_INIT;
	struct names_problems found = {.count = 0};

	check(text, strlen(text), &found);
	if (!found.count)
		return;
	join_problems(&found, &joined);
	complain(problems, field, text, cox_buf_cstr(&joined));
}

/* How many values an operator takes. */
static void check_count(struct cox_buf *problems, const struct selector_requirement *requirement)
{
	bool list = (requirement->relation == SELECTOR_IN ||
		     requirement->relation == SELECTOR_NOT_IN) &&
		    !requirement->exact;
	bool none = requirement->relation == SELECTOR_EXISTS ||
		    requirement->relation == SELECTOR_NOT_EXISTS;
	const char *why = NULL;

	if (list && !requirement->count)
		why = "for 'in', 'notin' operators, values set can't be empty";
	else if (none && requirement->count)
		why = "values set must be empty for exists and does not exist";
	if (why)
		complain(problems, "values", "", why);
}

static bool is_integer(const char *text, int64_t *number)
{
	return cox_parse_int(text + (*text == '+'), INT64_MIN, INT64_MAX, number) == 0;
}

static int check_requirement(const struct selector_requirement *requirement, struct cox_error *err)
{
	cox_autobuf problems = COX_BUF_INIT;
	int64_t number;

	check_name(&problems, names_qualified, "key", requirement->key);
	check_count(&problems, requirement);
	for (uint32_t i = 0; i < requirement->count; i++) {
		char field[48];

		snprintf(field, sizeof(field), "values[%u]", i);
		if ((requirement->relation == SELECTOR_GREATER ||
		     requirement->relation == SELECTOR_LESS) &&
		    !is_integer(requirement->values[i], &number))
			complain(&problems, field, requirement->values[i],
				 "for 'Gt', 'Lt' operators, the value must be an integer");
		check_name(&problems, names_label_value, field, requirement->values[i]);
	}
	if (!problems.size)
		return 0;
	return error_set(err, COX_REASON_BAD_REQUEST, "%s", problems.data);
}

void selector_draft_begin(struct selector_draft *draft, const char *key,
			  enum selector_operator relation, bool exact)
{
	struct selector_draft_requirement next = {.key = key,
						  .relation = (uint8_t)relation,
						  .exact = exact,
						  .first = draft->values.count};

	cox_vec_push(&draft->requirements, next);
}

void selector_draft_value(struct selector_draft *draft, const char *value)
{
	cox_vec_push(&draft->values, value);
	draft->requirements.items[draft->requirements.count - 1].count++;
}

void selector_draft_free(struct selector_draft *draft)
{
	cox_vec_free(&draft->requirements);
	cox_vec_free(&draft->values);
	arena_free(&draft->arena);
}

/* Sorts the values of a requirement and drops repeated ones. */
static void tidy_values(struct selector_draft *draft,
			struct selector_draft_requirement *requirement)
{
	const char **values;
	uint32_t kept = 0;

	if (requirement->count < 2)
		return;
	values = draft->values.items + requirement->first;
	qsort(values, requirement->count, sizeof(*values), compare_texts);
	for (uint32_t i = 0; i < requirement->count; i++)
		if (!kept || strcmp(values[kept - 1], values[i]) != 0)
			values[kept++] = values[i];
	requirement->count = kept;
}

/* Where the parts of the one piece of memory lie while it is filled. */
struct layout {
	struct label_selector *selector;
	struct selector_requirement *requirements;
	const char **values;
	char *texts;
};

static const char *put_text(struct layout *layout, const char *text)
{
	size_t size = strlen(text) + 1;
	char *at = layout->texts;

	memcpy(at, text, size);
	layout->texts += size;
	return at;
}

static void lay_out(struct layout *layout, const struct selector_draft *draft)
{
	size_t texts = 0, values = 0, count = draft->requirements.count;
	char *memory;

	for (size_t i = 0; i < count; i++) {
		const struct selector_draft_requirement *from = &draft->requirements.items[i];

		texts += strlen(from->key) + 1;
		values += from->count;
		for (uint32_t j = 0; j < from->count; j++)
			texts += strlen(draft->values.items[from->first + j]) + 1;
	}
	memory = cox_calloc(1, sizeof(struct label_selector) +
				       count * sizeof(struct selector_requirement) +
				       values * sizeof(char *) + texts);
	layout->selector = (struct label_selector *)memory;
	layout->requirements = (struct selector_requirement *)(layout->selector + 1);
	layout->values = (const char **)(layout->requirements + count);
	layout->texts = (char *)(layout->values + values);
}

struct label_selector *selector_draft_finish(struct selector_draft *draft, struct cox_error *err)
{
	struct layout layout;

	for (size_t i = 0; i < draft->requirements.count; i++) {
		struct selector_draft_requirement *from = &draft->requirements.items[i];
		struct selector_requirement check = {from->key, NULL, 0, from->relation,
						     from->exact};

		tidy_values(draft, from);
		check.values = from->count ? draft->values.items + from->first : NULL;
		check.count = from->count;
		if (check_requirement(&check, err) != 0)
			return NULL;
	}
	lay_out(&layout, draft);
	for (size_t i = 0; i < draft->requirements.count; i++) {
		const struct selector_draft_requirement *from = &draft->requirements.items[i];
		struct selector_requirement *to = &layout.requirements[i];

		to->key = put_text(&layout, from->key);
		to->values = layout.values;
		to->count = from->count;
		to->relation = from->relation;
		to->exact = from->exact;
		for (uint32_t j = 0; j < from->count; j++)
			*layout.values++ = put_text(&layout, draft->values.items[from->first + j]);
	}
	layout.selector->count = (uint32_t)draft->requirements.count;
	layout.selector->requirements = layout.requirements;
	qsort(layout.requirements, layout.selector->count, sizeof(*layout.requirements),
	      compare_requirements);
	return layout.selector;
}

/* A text of a tree without a zero byte in it, or NULL. */
static const char *clean_text(const struct value *value)
{
	return value_is(value, VALUE_STRING) && strlen(value->text) == value->count ? value->text
										    : NULL;
}

static int refuse(struct cox_error *err, const char *what)
{
	return error_set(err, COX_REASON_BAD_REQUEST, "invalid label selector: %s", what);
}

static int draft_map(struct selector_draft *draft, const struct value *map, struct cox_error *err)
{
	if (!map || map->kind == VALUE_NULL)
		return 0;
	if (map->kind != VALUE_OBJECT)
		return refuse(err, "matchLabels must be a map of strings");
	for (uint32_t i = 0; i < map->count; i++) {
		const struct value_member *member = &map->object.members[i];
		const char *value = clean_text(member->value);

		if (!value || strlen(member->key) != member->key_size)
			return refuse(err, "matchLabels must be a map of strings");
		selector_draft_begin(draft, member->key, SELECTOR_IN, true);
		selector_draft_value(draft, value);
	}
	return 0;
}

static int draft_expression(struct selector_draft *draft, const struct value *expression,
			    struct cox_error *err)
{
	static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
	const struct value *values = value_get(expression, "values");
	const char *key = clean_text(value_get(expression, "key"));
	const char *relation = clean_text(value_get(expression, "operator"));
	unsigned which = 0;

	if (!key || !relation)
		return refuse(err, "matchExpressions need a key and an operator");
	while (which < 4 && strcmp(operators[which], relation) != 0)
		which++;
	if (which == 4)
		return error_set(err, COX_REASON_BAD_REQUEST,
				 "\"%s\" is not a valid label selector operator", relation);
	selector_draft_begin(draft, key, (enum selector_operator)which, false);
	if (!values || values->kind == VALUE_NULL)
		return 0;
	if (values->kind != VALUE_ARRAY)
		return refuse(err, "values must be a list of strings");
	for (uint32_t i = 0; i < values->count; i++) {
		const char *text = clean_text(values->array.items[i]);

		if (!text)
			return refuse(err, "values must be a list of strings");
		selector_draft_value(draft, text);
	}
	return 0;
}

static int draft_object(struct selector_draft *draft, const struct value *object,
			struct cox_error *err)
{
	const struct value *expressions = value_get(object, "matchExpressions");

	if (object->kind != VALUE_OBJECT)
		return refuse(err, "it must be an object");
	if (draft_map(draft, value_get(object, "matchLabels"), err) != 0)
		return -1;
	if (!expressions || expressions->kind == VALUE_NULL)
		return 0;
	if (expressions->kind != VALUE_ARRAY)
		return refuse(err, "matchExpressions must be a list");
	for (uint32_t i = 0; i < expressions->count; i++)
		if (draft_expression(draft, expressions->array.items[i], err) != 0)
			return -1;
	return 0;
}

struct label_selector *label_selector_from_object(const struct value *object, struct cox_error *err)
{
	__attribute__((cleanup(selector_draft_free))) struct selector_draft draft =
		SELECTOR_DRAFT_INIT;
	struct label_selector *nothing;

	if (!object || object->kind == VALUE_NULL) {
		nothing = cox_new(struct label_selector);
		nothing->nothing = true;
		return nothing;
	}
	return draft_object(&draft, object, err) == 0 ? selector_draft_finish(&draft, err) : NULL;
}

struct label_selector *label_selector_from_map(const struct value *map, struct cox_error *err)
{
	__attribute__((cleanup(selector_draft_free))) struct selector_draft draft =
		SELECTOR_DRAFT_INIT;

	return draft_map(&draft, map, err) == 0 ? selector_draft_finish(&draft, err) : NULL;
}

/* Where labels come from while matching. */
typedef const char *(*get_label)(const void *labels, const char *key);

static const char *get_from_set(const void *labels, const char *key)
{
	return label_set_get(labels, key);
}

static const char *get_from_tree(const void *labels, const char *key)
{
	const struct value *value = value_get(labels, key);

	return value_is(value, VALUE_STRING) ? value->text : NULL;
}

static bool has_value(const struct selector_requirement *requirement, const char *value)
{
	if (requirement->count == 1)
		return strcmp(requirement->values[0], value) == 0;
	return requirement->count && bsearch(&value, requirement->values, requirement->count,
					     sizeof(value), compare_texts);
}

static bool matches_one(const struct selector_requirement *requirement, const char *value)
{
	int64_t have, limit;

	switch ((enum selector_operator)requirement->relation) {
	case SELECTOR_IN:
		return value && has_value(requirement, value);
	case SELECTOR_NOT_IN:
		return !value || !has_value(requirement, value);
	case SELECTOR_EXISTS:
		return value;
	case SELECTOR_NOT_EXISTS:
		return !value;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		break;
	}
	if (!value || !is_integer(value, &have) || !is_integer(requirement->values[0], &limit))
		return false;
	return requirement->relation == SELECTOR_GREATER ? have > limit : have < limit;
}

static bool matches(const struct label_selector *selector, get_label get, const void *labels)
{
	if (!selector)
		return true;
	if (selector->nothing)
		return false;
	for (uint32_t i = 0; i < selector->count; i++)
		if (!matches_one(&selector->requirements[i],
				 get(labels, selector->requirements[i].key)))
			return false;
	return true;
}

bool label_selector_matches(const struct label_selector *selector, const struct label_set *set)
{
	return matches(selector, get_from_set, set);
}

bool label_selector_matches_tree(const struct label_selector *selector, const struct value *labels)
{
	return matches(selector, get_from_tree, labels);
}

bool label_selector_is_everything(const struct label_selector *selector)
{
	return !selector || (!selector->nothing && !selector->count);
}

const char *label_selector_equality(const struct label_selector *selector, const char *key)
{
	for (uint32_t i = 0; selector && i < selector->count; i++) {
		const struct selector_requirement *requirement = &selector->requirements[i];

		if (requirement->relation == SELECTOR_IN && requirement->count == 1 &&
		    strcmp(requirement->key, key) == 0)
			return requirement->values[0];
	}
	return NULL;
}

static void format_requirement(const struct selector_requirement *requirement, struct cox_buf *out)
{
	static const char *const list[] = {" in (", " notin ("};
	static const char *const exact[] = {"=", "!="};

	if (requirement->relation == SELECTOR_NOT_EXISTS)
		cox_buf_char(out, '!');
	cox_buf_str(out, requirement->key);
	if (requirement->relation == SELECTOR_EXISTS ||
	    requirement->relation == SELECTOR_NOT_EXISTS)
		return;
	if (requirement->relation == SELECTOR_GREATER || requirement->relation == SELECTOR_LESS) {
		cox_buf_char(out, requirement->relation == SELECTOR_GREATER ? '>' : '<');
		cox_buf_str(out, requirement->values[0]);
		return;
	}
	cox_buf_str(out, (requirement->exact ? exact : list)[requirement->relation]);
	for (uint32_t i = 0; i < requirement->count; i++) {
		cox_buf_str(out, i ? "," : "");
		cox_buf_str(out, requirement->values[i]);
	}
	if (requirement->exact)
		return;
	/* one empty value: "()" would be no list */
	cox_buf_str(out, requirement->count == 1 && !*requirement->values[0] ? ",)" : ")");
}

void label_selector_format(const struct label_selector *selector, struct cox_buf *out)
{
	for (uint32_t i = 0; selector && i < selector->count; i++) {
		if (i)
			cox_buf_char(out, ',');
		format_requirement(&selector->requirements[i], out);
	}
}
