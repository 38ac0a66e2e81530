/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the printers of tables share: the texts that people know from `kubectl
 * get` for lists, ages and things that are not set. Texts live in the arena.
 */
#ifndef COX_APISERVER_PRINTERS_H
#define COX_APISERVER_PRINTERS_H

#include "apiserver/table.h"
#include "base/arena.h"

enum { PRINTER_SHOWN_MAX = 3 }; /* entries of a long list before " + N more..." */

/* Name, the metadata's creationTimestamp as an age. */
void print_name(struct table_row *row);
void print_created(struct table_row *row);
/* `text`, or `unset` if it is "". */
void print_text_or(struct table_row *row, const char *text, const char *unset);
/* A label map as "a=b,c=d" by key; "<none>". */
void print_labels(struct table_row *row, const struct value *labels);
/* A LabelSelector in text; "<none>" if it chooses by nothing. */
void print_selector(struct table_row *row, const struct value *selector);
/* One member of each entry, "a,b". */
void print_joined(struct table_row *row, const struct value *list, const char *member);
/* Names and images of containers: two cells. */
void print_containers(struct table_row *row, const struct value *pod_spec);

/* The entry of status.conditions, or NULL; its status, ""; whether that is True. */
const struct value *print_condition(const struct value *object, const char *type);
bool print_has_condition(const struct value *object, const char *type);
const char *print_condition_status(const struct value *object, const char *type);
bool print_condition_holds(const struct value *object, const char *type);

/* How long before now, without a cell; "<unknown>" if it is no time. */
const char *print_age_text(struct arena *arena, const struct table_row *row, const char *timestamp);
size_t print_member_count(const struct value *object); /* 0 for what is no object */
/* Sorts by bytes and drops repetitions; returns how many are left. */
size_t print_sort_texts(const char **texts, size_t count);
/* The keys of an object, sorted. */
const char **print_sorted_keys(struct arena *arena, const struct value *object, size_t *count);

/* Texts gathered for one cell: the first PRINTER_SHOWN_MAX, the rest counted. */
struct print_list {
	struct cox_buf text;
	size_t count;
};

void print_list_add(struct print_list *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Writes the cell and frees the list; `unset` for an empty one. */
void print_list_end(struct table_row *row, struct print_list *list, const char *unset);

/* The printers, a file a theme. */
void print_pod(struct table_row *row);	/* printers_pod.c */
void print_node(struct table_row *row); /* printers_node.c */
void print_component_status(struct table_row *row);
void print_lease(struct table_row *row);
void print_service(struct table_row *row); /* printers_network.c */
void print_endpoints(struct table_row *row);
void print_endpoint_slice(struct table_row *row);
void print_ip_address(struct table_row *row);
void print_service_cidr(struct table_row *row);
void print_ingress(struct table_row *row);
void print_ingress_class(struct table_row *row);
void print_network_policy(struct table_row *row);
void print_core_event(struct table_row *row); /* printers_event.c */
void print_event(struct table_row *row);
void print_persistent_volume(struct table_row *row); /* printers_storage.c */
void print_persistent_volume_claim(struct table_row *row);
void print_storage_class(struct table_row *row);
void print_attributes_class(struct table_row *row);
void print_csi_driver(struct table_row *row);
void print_csi_node(struct table_row *row);
void print_volume_attachment(struct table_row *row);
void print_replica_set(struct table_row *row); /* printers_workload.c */
void print_deployment(struct table_row *row);
void print_stateful_set(struct table_row *row);
void print_daemon_set(struct table_row *row);
void print_controller_revision(struct table_row *row);
void print_job(struct table_row *row);
void print_cron_job(struct table_row *row);
void print_disruption_budget(struct table_row *row);
void print_autoscaler(struct table_row *row);
void print_role_binding(struct table_row *row); /* printers_access.c */
void print_signing_request(struct table_row *row);
void print_webhooks(struct table_row *row);
void print_validating_policy(struct table_row *row);
void print_mutating_policy(struct table_row *row);
void print_policy_binding(struct table_row *row);
void print_priority_class(struct table_row *row);
void print_flow_schema(struct table_row *row);
void print_priority_level(struct table_row *row);
void print_api_service(struct table_row *row);
void print_runtime_class(struct table_row *row);
void print_resource_claim(struct table_row *row);
void print_resource_slice(struct table_row *row);
void print_namespace(struct table_row *row); /* printers_plain.c */
void print_replication_controller(struct table_row *row);
void print_pod_template(struct table_row *row);
void print_secret(struct table_row *row);
void print_config_map(struct table_row *row);
void print_resource_quota(struct table_row *row);
void print_date_created(struct table_row *row); /* kinds without columns of their own */

#endif
