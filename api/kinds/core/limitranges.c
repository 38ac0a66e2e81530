/* SPDX-License-Identifier: Apache-2.0 */
/* Limit ranges: min <= defaultRequest <= default <= max, resource by resource. */
#include "machinery/kinds.h"

#include <coxswain/kit/map.h>

static void check_order(struct validation *v, const struct field_path *at, const struct value *item,
			const char *low, const char *high, const char *told, bool tell_low)
{
	static const struct {
		const char *field, *text;
	} words[] = {{"min", "min value"},
		     {"max", "max value"},
		     {"default", "default value"},
		     {"defaultRequest", "default request value"}};
	const struct value *lows = value_get(item, low), *highs = value_get(item, high);
	const char *low_word = low, *high_word = high;

	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
		if (strcmp(words[w].field, low) == 0)
			low_word = words[w].text;
		if (strcmp(words[w].field, high) == 0)
			high_word = words[w].text;
	}
	for
		each_member(lows, i)
		{
			const struct value_member *member = &lows->object.members[i];
			const struct value *most = value_get(highs, member->key);
			struct cox_quantity a = quantity_of(member->value), b = quantity_of(most);

			if (!most || cox_quantity_compare(&a, &b) <= 0)
				continue;
			if (tell_low)
				field_invalid(v, FIELD_KEY(FIELD(at, told), member->key),
					      member->value, "%s %s is greater than %s %s",
					      low_word, value_text(member->value), high_word,
					      value_text(most));
			else
				field_invalid(v, FIELD_KEY(FIELD(at, told), member->key), most,
					      "%s %s is greater than %s %s", low_word,
					      value_text(member->value), high_word,
					      value_text(most));
		}
}

static void validate_names_of(struct validation *v, const struct field_path *at,
			      const struct value *amounts)
{
	for
		each_member(amounts, i)
			validate_resource_name(v, FIELD_KEY(at, amounts->object.members[i].key),
					       amounts->object.members[i].key);
}

static void validate_item(struct validation *v, const struct field_path *at,
			  const struct value *item)
{
	static const char *const lists[] = {"max", "min", "default", "defaultRequest",
					    "maxLimitRequestRatio"};
	static const struct cox_quantity one = {.nano = 1000000000};
	const struct value *ratios = value_get(item, "maxLimitRequestRatio");

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		validate_names_of(v, FIELD(at, lists[i]), value_get(item, lists[i]));
	if (text_is(item, "type", "Pod")) {
		for (size_t i = 2; i < 4; i++) {
			if (!is_unset(value_get(item, lists[i])))
				field_forbidden(v, FIELD(at, lists[i]),
						"may not be specified when `type` is 'Pod'");
		}
	}
	if (text_is(item, "type", "PersistentVolumeClaim") &&
	    !value_get(value_get(item, "min"), "storage") &&
	    !value_get(value_get(item, "max"), "storage"))
		field_required(v, FIELD(at, "limits"),
			       "either minimum or maximum storage value is required, but neither "
			       "was provided");
	check_order(v, at, item, "min", "max", "min", true);
	check_order(v, at, item, "min", "defaultRequest", "defaultRequest", false);
	check_order(v, at, item, "defaultRequest", "max", "defaultRequest", true);
	check_order(v, at, item, "defaultRequest", "default", "defaultRequest", true);
	check_order(v, at, item, "min", "default", "default", false);
	check_order(v, at, item, "default", "max", "default", true);
	for
		each_member(ratios, i)
		{
			const struct value_member *member = &ratios->object.members[i];
			struct cox_quantity ratio = quantity_of(member->value);

			if (cox_quantity_compare(&ratio, &one) < 0)
				field_invalid(
					v,
					FIELD_KEY(FIELD(at, "maxLimitRequestRatio"), member->key),
					member->value, "ratio %s is less than 1",
					value_text(member->value));
		}
}

static void validate_type(struct validation *v, const struct field_path *at,
			  const struct value *type)
{
	static const char *const standard[] = {"Pod", "Container", "PersistentVolumeClaim"};

	if (is_unset(type))
		return;
	validate_text(v, at, type, names_qualified);
	for (size_t i = 0; i < sizeof(standard) / sizeof(*standard); i++) {
		if (value_string_is(type, standard[i]))
			return;
	}
	if (!strchr(value_text(type), '/'))
		field_invalid(v, at, type, "must be a standard limit type or fully qualified");
}

static void validate_limit_range(struct validation *v, const struct value *range)
{
	const struct value *limits = value_path(range, "spec.limits");
	const struct field_path *list = FIELD(FIELD(NULL, "spec"), "limits");
	struct cox_map types = COX_MAP_INIT;

	for
		each_entry(limits, i)
		{
			const struct value *item = value_at(limits, i);
			const struct value *type = value_get(item, "type");
			const struct field_path *at = FIELD_INDEX(list, i);

			validate_type(v, FIELD(at, "type"), type);
			if (!is_unset(type) && cox_map_put(&types, type->text, type->count, &types))
				field_duplicate(v, FIELD(at, "type"), type);
			validate_item(v, at, item);
		}
	cox_map_free(&types);
}

const struct kind_rules rules_limitranges = {"", "limitranges", validate_limit_range, NULL};
