/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of kinds that show little more than counts and names. */
#include "apiserver/printers.h"

#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <string.h>

void print_namespace(struct table_row *row)
{
	print_name(row);
	cell_text(row, value_text(value_path(row->object, "status.phase")));
	print_created(row);
}

void print_replication_controller(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *status = value_get(row->object, "status");

	print_name(row);
	cell_int(row, value_get_int(spec, "replicas", 0));
	cell_int(row, value_get_int(status, "replicas", 0));
	cell_int(row, value_get_int(status, "readyReplicas", 0));
	print_created(row);
	print_containers(row, value_path(spec, "template.spec"));
	print_labels(row, value_get(spec, "selector"));
}

void print_pod_template(struct table_row *row)
{
	const struct value *template = value_get(row->object, "template");

	print_name(row);
	print_containers(row, value_get(template, "spec"));
	print_labels(row, value_path(template, "metadata.labels"));
}

/* How many keys there are, never what is under them. */
void print_secret(struct table_row *row)
{
	print_name(row);
	cell_text(row, value_get_text(row->object, "type"));
	cell_int(row, (int64_t)print_member_count(value_get(row->object, "data")));
	print_created(row);
}

void print_config_map(struct table_row *row)
{
	print_name(row);
	cell_int(row, (int64_t)(print_member_count(value_get(row->object, "data")) +
				print_member_count(value_get(row->object, "binaryData"))));
	print_created(row);
}

/* "pods: 3/10, limits.cpu: 1/2" of the keys that are limits, or of the others. */
static void print_usage(struct table_row *row, const char *const *keys, size_t count, bool limits)
{
	const struct value *hard = value_path(row->object, "status.hard");
	const struct value *used = value_path(row->object, "status.used");
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		const char *amount = value_get_text(used, keys[i]);

		if (cox_starts_with(keys[i], "limits.") != limits)
			continue;
		cox_buf_printf(&text, "%s%s: %s/%s", text.size ? ", " : "", keys[i],
			       *amount ? amount : "0", value_get_text(hard, keys[i]));
	}
	cell_text(row, cox_buf_cstr(&text));
}

void print_resource_quota(struct table_row *row)
{
	cox_autoarena arena = ARENA_INIT;
	size_t count;
	const char **keys =
		print_sorted_keys(&arena, value_path(row->object, "status.hard"), &count);

	print_name(row);
	print_usage(row, keys, count, false);
	print_usage(row, keys, count, true);
	print_created(row);
}
