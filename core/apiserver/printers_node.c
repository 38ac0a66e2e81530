/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of nodes and of the signs of life of nodes and components. */
#include "apiserver/printers.h"

#include <coxswain/kit/text.h>
#include <string.h>

static const char role_prefix[] = "node-role.kubernetes.io/";
enum { ROLE_PREFIX = sizeof(role_prefix) - 1, ROLES_MAX = 64 };

/* Roles are labels: one a role, or the older one that names it in its value. */
static void print_roles(struct table_row *row)
{
	const struct value *labels = value_path(row->object, "metadata.labels");
	cox_autobuf text = COX_BUF_INIT;
	const char *roles[ROLES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < print_member_count(labels) && count < ROLES_MAX; i++) {
		const char *key = labels->object.members[i].key;
		const char *role = "";

		if (cox_starts_with(key, role_prefix))
			role = key + ROLE_PREFIX;
		else if (strcmp(key, "kubernetes.io/role") == 0)
			role = value_text(labels->object.members[i].value);
		if (*role)
			roles[count++] = role;
	}
	count = print_sort_texts(roles, count);
	for (size_t i = 0; i < count; i++)
		cox_buf_printf(&text, "%s%s", i ? "," : "", roles[i]);
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

static void print_node_status(struct table_row *row)
{
	const struct value *conditions = value_path(row->object, "status.conditions");
	bool unschedulable = value_get_bool(value_get(row->object, "spec"), "unschedulable");
	const char *status = "Unknown"; /* no kubelet has reported yet */
	const struct value *condition;

	for (size_t i = 0; (condition = value_at(conditions, i)); i++)
		if (value_string_is(value_get(condition, "type"), "Ready"))
			status = value_string_is(value_get(condition, "status"), "True")
					 ? "Ready"
					 : "NotReady";
	cell_printf(row, "%s%s", status, unschedulable ? ",SchedulingDisabled" : "");
}

/* The first address of that type; a node may have several. */
static void print_node_address(struct table_row *row, const char *type)
{
	const struct value *addresses = value_path(row->object, "status.addresses");
	const struct value *address;

	for (size_t i = 0; (address = value_at(addresses, i)); i++)
		if (value_string_is(value_get(address, "type"), type)) {
			cell_text(row, value_get_text(address, "address"));
			return;
		}
	cell_text(row, "<none>");
}

void print_node(struct table_row *row)
{
	const struct value *info = value_path(row->object, "status.nodeInfo");

	print_name(row);
	print_node_status(row);
	print_roles(row);
	print_created(row);
	cell_text(row, value_get_text(info, "kubeletVersion"));
	print_node_address(row, "InternalIP");
	print_node_address(row, "ExternalIP");
	print_text_or(row, value_get_text(info, "osImage"), "<unknown>");
	print_text_or(row, value_get_text(info, "kernelVersion"), "<unknown>");
	print_text_or(row, value_get_text(info, "containerRuntimeVersion"), "<unknown>");
}

/* Unknown where nothing was asked yet. */
void print_component_status(struct table_row *row)
{
	const struct value *conditions = value_get(row->object, "conditions"), *condition;
	const struct value *health = NULL;

	for (size_t i = 0; !health && (condition = value_at(conditions, i)); i++)
		if (value_string_is(value_get(condition, "type"), "Healthy"))
			health = condition;
	print_name(row);
	if (!health)
		cell_text(row, "Unknown");
	else
		cell_text(row, value_string_is(value_get(health, "status"), "True") ? "Healthy"
										    : "Unhealthy");
	cell_text(row, value_get_text(health, "message"));
	cell_text(row, value_get_text(health, "error"));
}

void print_lease(struct table_row *row)
{
	print_name(row);
	cell_text(row, value_text(value_path(row->object, "spec.holderIdentity")));
	print_created(row);
}
