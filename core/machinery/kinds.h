/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of kinds (api/kinds/GROUP/RESOURCE.c) share. They are called
 * after the walk over the tables, which has said already what is required,
 * unsupported or out of range; they say what data cannot.
 */
#ifndef COX_MACHINERY_KINDS_H
#define COX_MACHINERY_KINDS_H

#include "machinery/metadata.h"
#include "machinery/quantity.h"
#include "machinery/validate.h"

#include <coxswain/kit/text.h>
#include <string.h>

/* Absent, null, "", [] or {}. */
bool is_unset(const struct value *value);
bool text_is(const struct value *object, const char *key, const char *text);
bool list_has_text(const struct value *list, const char *text);

/* Calls back for each member of an object or entry of a list; others have none. */
#define each_entry(list, i) (size_t i = 0; value_at(list, i); i++)
#define each_member(map, i) (uint32_t i = 0; value_is(map, VALUE_OBJECT) && (i) < (map)->count; i++)

/* How many of the members of `object` are set, `except` (may be NULL) left out. */
size_t count_set(const struct value *object, const char *except);

/* Amounts. A value that is no quantity is 0 (decoding has refused it). */
struct cox_quantity quantity_of(const struct value *value);
void validate_not_negative(struct validation *v, const struct field_path *at,
			   const struct value *amount);
/* "cpu", "example.com/gpu"; where: what it is a standard resource for. */
void validate_resource_name(struct validation *v, const struct field_path *at, const char *name);
/* A ResourceRequirements: names, signs, requests within limits. */
void validate_resources(struct validation *v, const struct field_path *at,
			const struct value *resources);
bool is_counted_resource(const char *name); /* whole numbers only */

/* A port number from 1 to 65535 or a port name. */
void validate_port_or_name(struct validation *v, const struct field_path *at,
			   const struct value *port);
void validate_addresses(struct validation *v, const struct field_path *at,
			const struct value *list);
/* Not unspecified, loopback, link-local or multicast. */
void validate_reachable_ip(struct validation *v, const struct field_path *at,
			   const struct value *ip);
/* A path inside something: relative, without "..". */
void validate_inner_path(struct validation *v, const struct field_path *at,
			 const struct value *path);
/* "acme.io/foo" */
void validate_domain_path(struct validation *v, const struct field_path *at,
			  const struct value *path);
/* What can stand in a URL's path; nothing is said of what is not there. */
void validate_path_text(struct validation *v, const struct field_path *at,
			const struct value *text);
/* The name of a storage driver. */
void validate_driver_name(struct validation *v, const struct field_path *at,
			  const struct value *name);
/* A NodeSelector: terms of requirements. */
void validate_node_selector(struct validation *v, const struct field_path *at,
			    const struct value *selector);
/* The object's data and immutable flag, for Secret and ConfigMap. */
void validate_immutable_data(struct validation *v, const struct value *object,
			     const struct value *old, const char *const *fields);

/* Parts of a pod, in api/kinds/core. */
void validate_pod_spec(struct validation *v, const struct field_path *at, const struct value *spec);
void validate_pod_template(struct validation *v, const struct field_path *at,
			   const struct value *template);
/*
 * The template of what keeps pods running: its labels, which the selector must
 * choose (a map, or a LabelSelector if `structured`), and what may not be in it.
 */
void validate_lasting_template(struct validation *v, const struct field_path *at,
			       const struct value *template, const struct value *selector,
			       bool structured, const char *kind);
/* Counts of a status that cannot be above another count of it. */
void validate_status_counts(struct validation *v, const struct value *object,
			    const char *const *counts, const char *most, const char *shown);
/* status.collisionCount only grows. */
void validate_collisions(struct validation *v, const struct value *object, const struct value *old);
/* A number from 0, or a percentage of up to 100 if `bounded`. */
void validate_share(struct validation *v, const struct field_path *at, const struct value *share,
		    bool bounded);
/* 0 as a number or in percent, or not there. */
bool share_is_zero(const struct value *share);
/* What a job and a cron job's template of one have in common. */
void validate_job_spec(struct validation *v, const struct field_path *at, const struct value *spec);
void validate_containers(struct validation *v, const struct field_path *at,
			 const struct value *spec);
void validate_volumes(struct validation *v, const struct field_path *at,
		      const struct value *volumes);
void validate_placement(struct validation *v, const struct field_path *at,
			const struct value *spec);
/* What a container sees of the pod, by a `valueFrom` or by a file. */
void validate_env_refs(struct validation *v, const struct field_path *at, const struct value *from);
void validate_volume_refs(struct validation *v, const struct field_path *at,
			  const struct value *item);
void validate_container_security(struct validation *v, const struct field_path *at,
				 const struct value *context);
void validate_pod_security(struct validation *v, const struct field_path *at,
			   const struct value *context);
void validate_tolerations(struct validation *v, const struct field_path *at,
			  const struct value *tolerations);

/* Every kind that has rules, each as rules_NAME in api/kinds. */
/* clang-format off */
#define KIND_RULES(each) \
	each(apiservices) each(certificatesigningrequests) each(clusterrolebindings) \
	each(clusterroles) each(configmaps) each(controllerrevisions) each(core_events) \
	each(cronjobs) each(csidrivers) each(csinodes) each(csistoragecapacities) \
	each(customresourcedefinitions) each(daemonsets) each(deployments) \
	each(deviceclasses) each(endpoints) each(endpointslices) each(events) \
	each(flowschemas) each(horizontalpodautoscalers) each(ingressclasses) \
	each(ingresses) each(ipaddresses) each(jobs) each(leases) each(limitranges) \
	each(mutatingadmissionpolicies) each(mutatingadmissionpolicybindings) \
	each(mutatingwebhookconfigurations) each(namespaces) each(networkpolicies) \
	each(nodes) each(persistentvolumeclaims) each(persistentvolumes) \
	each(poddisruptionbudgets) each(pods) each(podtemplates) each(priorityclasses) \
	each(prioritylevelconfigurations) each(replicasets) each(replicationcontrollers) \
	each(resourceclaims) each(resourceclaimtemplates) each(resourcequotas) \
	each(resourceslices) each(rolebindings) each(roles) each(runtimeclasses) \
	each(secrets) each(servicecidrs) each(services) each(statefulsets) \
	each(storageclasses) each(validatingadmissionpolicies) \
	each(validatingadmissionpolicybindings) each(validatingwebhookconfigurations) \
	each(volumeattachments) each(volumeattributesclasses)
/* clang-format on */

#define KIND_RULES_DECLARE(name) extern const struct kind_rules rules_##name;
KIND_RULES(KIND_RULES_DECLARE)

#endif
