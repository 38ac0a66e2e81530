/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of what says who may do what, and how: roles, certificates, admission,
 * priorities, flow control, aggregated APIs, classes.
 */
#include "apiserver/printers.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

/* The names of the subjects of one kind: "a, b". */
static void print_subjects(struct table_row *row, const char *kind)
{
	const struct value *subjects = value_get(row->object, "subjects");
	bool account = strcmp(kind, "ServiceAccount") == 0;
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; value_at(subjects, i); i++) {
		const struct value *one = value_at(subjects, i);

		if (!value_string_is(value_get(one, "kind"), kind))
			continue;
		cox_buf_printf(&text, "%s%s%s%s", text.size ? ", " : "",
			       account ? value_get_text(one, "namespace") : "", account ? "/" : "",
			       value_get_text(one, "name"));
	}
	cell_text(row, cox_buf_cstr(&text));
}

void print_role_binding(struct table_row *row)
{
	const struct value *role = value_get(row->object, "roleRef");

	print_name(row);
	cell_printf(row, "%s/%s", value_get_text(role, "kind"), value_get_text(role, "name"));
	print_created(row);
	print_subjects(row, "User");
	print_subjects(row, "Group");
	print_subjects(row, "ServiceAccount");
}

void print_signing_request(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	int64_t seconds = value_get_int(spec, "expirationSeconds", -1);
	bool denied = print_has_condition(row->object, "Denied");
	char text[16];

	print_name(row);
	print_created(row);
	print_text_or(row, value_get_text(spec, "signerName"), "<none>");
	cell_text(row, value_get_text(spec, "username"));
	if (seconds >= 0) {
		table_age((uint64_t)seconds * CLOCK_SECOND, text);
		cell_text(row, text);
	} else {
		cell_text(row, "<none>");
	}
	cell_printf(row, "%s%s%s",
		    denied					   ? "Denied"
		    : print_has_condition(row->object, "Approved") ? "Approved"
								   : "Pending",
		    print_has_condition(row->object, "Failed") ? ",Failed" : "",
		    *value_text(value_path(row->object, "status.certificate")) ? ",Issued" : "");
}

/* Admission */

static void print_entries(struct table_row *row, const char *path)
{
	const struct value *list = value_path(row->object, path);

	cell_int(row, value_is(list, VALUE_ARRAY) ? list->count : 0);
}

void print_webhooks(struct table_row *row)
{
	print_name(row);
	print_entries(row, "webhooks");
	print_created(row);
}

static void print_policy(struct table_row *row, const char *what)
{
	const struct value *kind = value_path(row->object, "spec.paramKind");

	print_name(row);
	print_entries(row, what);
	if (kind)
		cell_printf(row, "%s/%s", value_get_text(kind, "apiVersion"),
			    value_get_text(kind, "kind"));
	else
		cell_text(row, "<unset>");
	print_created(row);
}

void print_validating_policy(struct table_row *row)
{
	print_policy(row, "spec.validations");
}

void print_mutating_policy(struct table_row *row)
{
	print_policy(row, "spec.mutations");
}

void print_policy_binding(struct table_row *row)
{
	const struct value *parameter = value_path(row->object, "spec.paramRef");
	const char *namespace = value_get_text(parameter, "namespace");

	print_name(row);
	cell_text(row, value_text(value_path(row->object, "spec.policyName")));
	if (!parameter)
		cell_text(row, "<unset>");
	else
		cell_printf(row, "%s%s%s", namespace, *namespace ? "/" : "",
			    value_get_text(parameter, "name"));
	print_created(row);
}

/* Priorities of pods and of requests */

void print_priority_class(struct table_row *row)
{
	print_name(row);
	cell_int(row, value_get_int(row->object, "value", 0));
	cell_bool(row, value_get_bool(row->object, "globalDefault"));
	print_created(row);
	cell_text(row, value_get_text(row->object, "preemptionPolicy"));
}

void print_flow_schema(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");

	print_name(row);
	cell_text(row, value_text(value_path(spec, "priorityLevelConfiguration.name")));
	cell_int(row, value_get_int(spec, "matchingPrecedence", 0));
	print_text_or(row, value_text(value_path(spec, "distinguisherMethod.type")), "<none>");
	print_created(row);
	print_text_or(row, print_condition_status(row->object, "Dangling"), "?");
}

void print_priority_level(struct table_row *row)
{
	static const char *const numbers[] = {"queues", "handSize", "queueLengthLimit"};
	const struct value *limited = value_path(row->object, "spec.limited");
	const struct value *queuing = value_path(limited, "limitResponse.queuing");

	print_name(row);
	cell_text(row, value_text(value_path(row->object, "spec.type")));
	if (limited)
		cell_int(row, value_get_int(limited, "nominalConcurrencyShares", 0));
	else
		cell_text(row, "<none>");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (queuing)
			cell_int(row, value_get_int(queuing, numbers[i], 0));
		else
			cell_text(row, "<none>");
	}
	print_created(row);
}

/* Aggregated APIs */

void print_api_service(struct table_row *row)
{
	const struct value *service = value_path(row->object, "spec.service");
	const struct value *available = print_condition(row->object, "Available");

	print_name(row);
	if (service)
		cell_printf(row, "%s/%s", value_get_text(service, "namespace"),
			    value_get_text(service, "name"));
	else
		cell_text(row, "Local");
	if (!available)
		cell_text(row, "Unknown");
	else if (value_string_is(value_get(available, "status"), "True"))
		cell_text(row, "True");
	else
		cell_printf(row, "%s (%s)", value_get_text(available, "status"),
			    value_get_text(available, "reason"));
	print_created(row);
}

/* Devices and runtimes */

void print_runtime_class(struct table_row *row)
{
	print_name(row);
	cell_text(row, value_get_text(row->object, "handler"));
	print_created(row);
}

void print_resource_claim(struct table_row *row)
{
	const struct value *status = value_get(row->object, "status");
	const struct value *users = value_get(status, "reservedFor");
	bool ends = *value_text(value_path(row->object, "metadata.deletionTimestamp")) != '\0';
	bool allocated = value_is(value_get(status, "allocation"), VALUE_OBJECT);
	bool reserved = allocated && value_is(users, VALUE_ARRAY) && users->count;

	print_name(row);
	if (!allocated)
		cell_text(row, ends ? "deleted" : "pending");
	else
		cell_printf(row, "%sallocated%s", ends ? "deleted," : "",
			    reserved ? ",reserved" : "");
	print_created(row);
}

void print_resource_slice(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");

	print_name(row);
	cell_text(row, value_get_text(spec, "nodeName"));
	cell_text(row, value_get_text(spec, "driver"));
	cell_text(row, value_text(value_path(spec, "pool.name")));
	print_created(row);
}
