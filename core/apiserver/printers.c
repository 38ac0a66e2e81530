/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What printers share, and which kind has which; see printers.h and table.h.
 * A kind that shows just its name and age has no printer: table.c does that.
 */
#include "apiserver/printers.h"

#include "base/clock.h"
#include "machinery/selector.h"

#include <stdlib.h>
#include <string.h>

static const struct table_printer printers[] = {
	{"", "ComponentStatus", print_component_status},
	{"", "ConfigMap", print_config_map},
	{"", "Endpoints", print_endpoints},
	{"", "Event", print_core_event},
	{"", "LimitRange", print_date_created},
	{"", "Namespace", print_namespace},
	{"", "Node", print_node},
	{"", "PersistentVolume", print_persistent_volume},
	{"", "PersistentVolumeClaim", print_persistent_volume_claim},
	{"", "Pod", print_pod},
	{"", "PodTemplate", print_pod_template},
	{"", "ReplicationController", print_replication_controller},
	{"", "ResourceQuota", print_resource_quota},
	{"", "Secret", print_secret},
	{"", "Service", print_service},
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicy", print_mutating_policy},
	{"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", print_policy_binding},
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", print_webhooks},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", print_validating_policy},
	{"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", print_policy_binding},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", print_webhooks},
	{"apiextensions.k8s.io", "CustomResourceDefinition", print_date_created},
	{"apiregistration.k8s.io", "APIService", print_api_service},
	{"apps", "ControllerRevision", print_controller_revision},
	{"apps", "DaemonSet", print_daemon_set},
	{"apps", "Deployment", print_deployment},
	{"apps", "ReplicaSet", print_replica_set},
	{"apps", "StatefulSet", print_stateful_set},
	{"autoscaling", "HorizontalPodAutoscaler", print_autoscaler},
	{"batch", "CronJob", print_cron_job},
	{"batch", "Job", print_job},
	{"certificates.k8s.io", "CertificateSigningRequest", print_signing_request},
	{"coordination.k8s.io", "Lease", print_lease},
	{"discovery.k8s.io", "EndpointSlice", print_endpoint_slice},
	{"events.k8s.io", "Event", print_event},
	{"flowcontrol.apiserver.k8s.io", "FlowSchema", print_flow_schema},
	{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", print_priority_level},
	{"networking.k8s.io", "Ingress", print_ingress},
	{"networking.k8s.io", "IngressClass", print_ingress_class},
	{"networking.k8s.io", "IPAddress", print_ip_address},
	{"networking.k8s.io", "NetworkPolicy", print_network_policy},
	{"networking.k8s.io", "ServiceCIDR", print_service_cidr},
	{"node.k8s.io", "RuntimeClass", print_runtime_class},
	{"policy", "PodDisruptionBudget", print_disruption_budget},
	{"rbac.authorization.k8s.io", "ClusterRole", print_date_created},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding", print_role_binding},
	{"rbac.authorization.k8s.io", "Role", print_date_created},
	{"rbac.authorization.k8s.io", "RoleBinding", print_role_binding},
	{"resource.k8s.io", "ResourceClaim", print_resource_claim},
	{"resource.k8s.io", "ResourceSlice", print_resource_slice},
	{"scheduling.k8s.io", "PriorityClass", print_priority_class},
	{"storage.k8s.io", "CSIDriver", print_csi_driver},
	{"storage.k8s.io", "CSINode", print_csi_node},
	{"storage.k8s.io", "CSIStorageCapacity", print_date_created},
	{"storage.k8s.io", "StorageClass", print_storage_class},
	{"storage.k8s.io", "VolumeAttachment", print_volume_attachment},
	{"storage.k8s.io", "VolumeAttributesClass", print_attributes_class},
};

const struct table_printer *table_printer_get(const char *group, const char *kind)
{
	for (size_t i = 0; i < sizeof(printers) / sizeof(printers[0]); i++)
		if (strcmp(printers[i].kind, kind) == 0 && strcmp(printers[i].group, group) == 0)
			return &printers[i];
	return NULL;
}

void print_name(struct table_row *row)
{
	cell_text(row, value_text(value_path(row->object, "metadata.name")));
}

void print_created(struct table_row *row)
{
	cell_age(row, value_text(value_path(row->object, "metadata.creationTimestamp")));
}

/* The column "Created At" is a date: the client makes an age of it, or does not. */
void print_date_created(struct table_row *row)
{
	print_name(row);
	cell_text(row, value_text(value_path(row->object, "metadata.creationTimestamp")));
}

void print_text_or(struct table_row *row, const char *text, const char *unset)
{
	cell_text(row, *text ? text : unset);
}

const char *print_age_text(struct arena *arena, const struct table_row *row, const char *timestamp)
{
	uint64_t then;
	char text[16];

	if (clock_parse(timestamp, strlen(timestamp), &then) != 0)
		return "<unknown>";
	table_age(row->now > then ? row->now - then : 0, text);
	return arena_strdup(arena, text);
}

size_t print_member_count(const struct value *object)
{
	return value_is(object, VALUE_OBJECT) ? object->count : 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t print_sort_texts(const char **texts, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(texts, count, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(texts[kept - 1], texts[i]) != 0)
			texts[kept++] = texts[i];
	return kept;
}

/* Borrowed from the object, in an array of the arena. */
const char **print_sorted_keys(struct arena *arena, const struct value *object, size_t *count)
{
	const char **keys;

	*count = print_member_count(object);
	keys = arena_alloc(arena, (*count + 1) * sizeof(*keys));
	for (size_t i = 0; i < *count; i++)
		keys[i] = object->object.members[i].key;
	*count = print_sort_texts(keys, *count);
	return keys;
}

void print_labels(struct table_row *row, const struct value *labels)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	size_t count;
	const char **keys = print_sorted_keys(&arena, labels, &count);

	for (size_t i = 0; i < count; i++)
		cox_buf_printf(&text, "%s%s=%s", i ? "," : "", keys[i],
			       value_get_text(labels, keys[i]));
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

void print_selector(struct table_row *row, const struct value *selector)
{
	struct label_selector *parsed = label_selector_from_object(selector, NULL);
	cox_autobuf text = COX_BUF_INIT;

	if (parsed)
		label_selector_format(parsed, &text);
	free(parsed);
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

const struct value *print_condition(const struct value *object, const char *type)
{
	const struct value *conditions = value_path(object, "status.conditions");

	for (size_t i = 0; value_at(conditions, i); i++)
		if (value_string_is(value_get(value_at(conditions, i), "type"), type))
			return value_at(conditions, i);
	return NULL;
}

bool print_has_condition(const struct value *object, const char *type)
{
	return print_condition(object, type) != NULL;
}

const char *print_condition_status(const struct value *object, const char *type)
{
	return value_get_text(print_condition(object, type), "status");
}

bool print_condition_holds(const struct value *object, const char *type)
{
	return strcmp(print_condition_status(object, type), "True") == 0;
}

void print_joined(struct table_row *row, const struct value *list, const char *member)
{
	cox_autobuf text = COX_BUF_INIT;
	const struct value *entry;

	for (size_t i = 0; (entry = value_at(list, i)); i++) {
		if (i)
			cox_buf_char(&text, ',');
		cox_buf_str(&text, member ? value_get_text(entry, member) : value_text(entry));
	}
	cell_text(row, cox_buf_cstr(&text));
}

void print_containers(struct table_row *row, const struct value *pod_spec)
{
	const struct value *containers = value_get(pod_spec, "containers");

	print_joined(row, containers, "name");
	print_joined(row, containers, "image");
}

void print_list_add(struct print_list *list, const char *format, ...)
{
	va_list args;

	if (list->count++ >= PRINTER_SHOWN_MAX)
		return;
	if (list->text.size)
		cox_buf_char(&list->text, ',');
	va_start(args, format);
	cox_buf_vprintf(&list->text, format, args);
	va_end(args);
}

void print_list_end(struct table_row *row, struct print_list *list, const char *unset)
{
	if (list->count > PRINTER_SHOWN_MAX)
		cell_printf(row, "%s + %zu more...", cox_buf_cstr(&list->text),
			    list->count - PRINTER_SHOWN_MAX);
	else
		print_text_or(row, cox_buf_cstr(&list->text), unset);
	cox_buf_free(&list->text);
}
