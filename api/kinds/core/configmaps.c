/* SPDX-License-Identifier: Apache-2.0 */
/* Config maps: keys that can be file names, a bounded size. */
#include "machinery/kinds.h"

enum { DATA_MAX = 1024 * 1024 };

static size_t validate_keys(struct validation *v, const struct field_path *at,
			    const struct value *data, const struct value *other)
{
	size_t total = 0;

	for
		each_member(data, i)
		{
			const struct value_member *member = &data->object.members[i];
			const struct value key = {.kind = VALUE_STRING,
						  .count = member->key_size,
						  .text = member->key};

			validate_text(v, FIELD_KEY(at, member->key), &key, names_config_key);
			if (value_get_n(other, member->key, member->key_size))
				field_invalid(v, FIELD_KEY(at, member->key), &key,
					      "duplicate of key present in binaryData");
			total += member->value->kind == VALUE_STRING ? member->value->count : 0;
		}
	return total;
}

static void validate_config_map(struct validation *v, const struct value *map)
{
	const struct value *binary = value_get(map, "binaryData");
	size_t plain = validate_keys(v, FIELD(NULL, "data"), value_get(map, "data"), binary);
	size_t packed = validate_keys(v, FIELD(NULL, "binaryData"), binary, NULL);

	/* Binary data is bounded as what it stands for, three bytes for four. */
	if (plain + packed / 4 * 3 > DATA_MAX)
		field_too_long(v, FIELD(NULL, "[]"), DATA_MAX);
}

static void validate_config_map_update(struct validation *v, const struct value *map,
				       const struct value *old, const char *subresource)
{
	static const char *const fields[] = {"data", "binaryData", NULL};

	(void)subresource;
	validate_immutable_data(v, map, old, fields);
}

const struct kind_rules rules_configmaps = {"", "configmaps", validate_config_map,
					    validate_config_map_update};
