/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of services, what is behind them, and their addresses. */
#include "apiserver/printers.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* What the load balancer gave: addresses or names, sorted. */
static size_t balancer_addresses(struct arena *arena, const struct value *service,
				 const char ***addresses)
{
	const struct value *ingress = value_path(service, "status.loadBalancer.ingress"), *entry;
	size_t count = 0;

	*addresses = arena_alloc(arena, ((ingress ? ingress->count : 0) + 1) * sizeof(char *));
	for (size_t i = 0; (entry = value_at(ingress, i)); i++) {
		const char *address = value_get_text(entry, "ip");

		if (!*address)
			address = value_get_text(entry, "hostname");
		if (*address)
			(*addresses)[count++] = address;
	}
	return print_sort_texts(*addresses, count);
}

/*
 * How the service is reached from outside. "<pending>" stands until the load
 * balancer answers; others never get an address unless somebody writes one.
 */
static void print_external_ip(struct table_row *row)
{
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	const struct value *spec = value_get(row->object, "spec");
	const struct value *external = value_get(spec, "externalIPs"), *address;
	const char *type = value_get_text(spec, "type");
	bool balanced = strcmp(type, "LoadBalancer") == 0;
	const char **addresses;
	size_t count = balanced ? balancer_addresses(&arena, row->object, &addresses) : 0;

	if (strcmp(type, "ExternalName") == 0) {
		cell_text(row, value_get_text(spec, "externalName"));
		return;
	}
	for (size_t i = 0; i < count; i++)
		cox_buf_printf(&text, "%s%s", text.size ? "," : "", addresses[i]);
	for (size_t i = 0; (address = value_at(external, i)); i++)
		cox_buf_printf(&text, "%s%s", text.size ? "," : "", value_text(address));
	print_text_or(row, cox_buf_cstr(&text), balanced ? "<pending>" : "<none>");
}

/* "80:30001/TCP,53/UDP": the node port only where there is one. */
static void print_service_ports(struct table_row *row)
{
	const struct value *ports = value_path(row->object, "spec.ports"), *port;
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; (port = value_at(ports, i)); i++) {
		int64_t node_port = value_get_int(port, "nodePort", 0);

		cox_buf_printf(&text, "%s%" PRId64, i ? "," : "", value_get_int(port, "port", 0));
		if (node_port > 0)
			cox_buf_printf(&text, ":%" PRId64, node_port);
		cox_buf_printf(&text, "/%s", value_get_text(port, "protocol"));
	}
	print_text_or(row, cox_buf_cstr(&text), "<none>");
}

void print_service(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");

	print_name(row);
	cell_text(row, value_get_text(spec, "type"));
	print_text_or(row, value_text(value_at(value_get(spec, "clusterIPs"), 0)), "<none>");
	print_external_ip(row);
	print_service_ports(row);
	print_created(row);
	print_labels(row, value_get(spec, "selector"));
}

/* IPv6 addresses need brackets in front of a port. */
static void add_endpoint(struct print_list *list, const char *ip, int64_t port)
{
	bool brackets = strchr(ip, ':') != NULL;

	print_list_add(list, "%s%s%s:%" PRId64, brackets ? "[" : "", ip, brackets ? "]" : "", port);
}

/* Every port of a subset with every address; headless ones may have no port. */
void print_endpoints(struct table_row *row)
{
	const struct value *subsets = value_get(row->object, "subsets"), *subset;
	struct print_list list = {COX_BUF_INIT, 0};

	for (size_t i = 0; (subset = value_at(subsets, i)); i++) {
		const struct value *addresses = value_get(subset, "addresses"), *address;
		const struct value *ports = value_get(subset, "ports"), *port;

		for (size_t a = 0; !value_at(ports, 0) && (address = value_at(addresses, a)); a++)
			print_list_add(&list, "%s", value_get_text(address, "ip"));
		for (size_t p = 0; (port = value_at(ports, p)); p++)
			for (size_t a = 0; (address = value_at(addresses, a)); a++)
				add_endpoint(&list, value_get_text(address, "ip"),
					     value_get_int(port, "port", 0));
	}
	print_name(row);
	print_list_end(row, &list, value_at(subsets, 0) ? "" : "<none>");
	print_created(row);
}

/* A port may be given by name, or not at all: then every port is meant. */
void print_endpoint_slice(struct table_row *row)
{
	const struct value *endpoints = value_get(row->object, "endpoints"), *endpoint;
	const struct value *ports = value_get(row->object, "ports"), *port, *address;
	struct print_list numbers = {COX_BUF_INIT, 0}, addresses = {COX_BUF_INIT, 0};

	for (size_t i = 0; (port = value_at(ports, i)); i++) {
		const struct value *number = value_get(port, "port");

		if (value_is(number, VALUE_INT))
			print_list_add(&numbers, "%" PRId64, number->integer);
		else
			print_list_add(&numbers, "%s",
				       value_get(port, "name") ? value_get_text(port, "name")
							       : "*");
	}
	for (size_t i = 0; (endpoint = value_at(endpoints, i)); i++) {
		const struct value *list = value_get(endpoint, "addresses");

		for (size_t a = 0; (address = value_at(list, a)); a++)
			print_list_add(&addresses, "%s", value_text(address));
	}
	print_name(row);
	cell_text(row, value_get_text(row->object, "addressType"));
	print_list_end(row, &numbers, "<unset>");
	print_list_end(row, &addresses, "<unset>");
	print_created(row);
}

/* "services/default/kubernetes": resource and group, namespace, name. */
void print_ip_address(struct table_row *row)
{
	const struct value *parent = value_path(row->object, "spec.parentRef");
	const char *group = value_get_text(parent, "group");
	const char *place = value_get_text(parent, "namespace");
	cox_autobuf text = COX_BUF_INIT;

	print_name(row);
	if (!parent) {
		cell_text(row, "<none>");
		return;
	}
	cox_buf_printf(&text, "%s%s%s", value_get_text(parent, "resource"), *group ? "." : "",
		       group);
	for (size_t i = 0; i < text.size; i++)
		text.data[i] = (char)tolower((unsigned char)text.data[i]);
	cox_buf_printf(&text, "%s%s/%s", *place ? "/" : "", place, value_get_text(parent, "name"));
	cell_text(row, cox_buf_cstr(&text));
}

void print_service_cidr(struct table_row *row)
{
	print_name(row);
	print_joined(row, value_path(row->object, "spec.cidrs"), NULL);
	print_created(row);
}

/* Kind, group and name of a reference: "Config.example.com/c". */
void print_ingress_class(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *parameters = value_get(spec, "parameters");
	const char *group = value_get_text(parameters, "apiGroup");

	print_name(row);
	cell_text(row, value_get_text(spec, "controller"));
	if (parameters)
		cell_printf(row, "%s%s%s/%s", value_get_text(parameters, "kind"), *group ? "." : "",
			    group, value_get_text(parameters, "name"));
	else
		cell_text(row, "<none>");
	print_created(row);
}

static void print_hosts(struct table_row *row)
{
	const struct value *rules = value_path(row->object, "spec.rules");
	struct print_list hosts = {.count = 0};

	for (size_t i = 0; value_at(rules, i); i++) {
		const char *host = value_get_text(value_at(rules, i), "host");

		if (*host)
			print_list_add(&hosts, "%s", host);
	}
	print_list_end(row, &hosts, "*");
}

static void print_ingress_addresses(struct table_row *row)
{
	const struct value *entries = value_path(row->object, "status.loadBalancer.ingress");
	cox_autoarena arena = ARENA_INIT;
	cox_autobuf text = COX_BUF_INIT;
	size_t count = value_is(entries, VALUE_ARRAY) ? entries->count : 0, kept = 0;
	const char **names = arena_alloc(&arena, (count + 1) * sizeof(*names));

	for (size_t i = 0; i < count; i++) {
		const char *ip = value_get_text(value_at(entries, i), "ip");
		const char *name = *ip ? ip : value_get_text(value_at(entries, i), "hostname");

		if (*name)
			names[kept++] = name;
	}
	kept = print_sort_texts(names, kept);
	for (size_t i = 0; i < kept; i++)
		cox_buf_printf(&text, "%s%s", i ? "," : "", names[i]);
	cell_text(row, cox_buf_cstr(&text));
}

void print_ingress(struct table_row *row)
{
	const struct value *spec = value_get(row->object, "spec");
	const struct value *tls = value_get(spec, "tls");

	print_name(row);
	print_text_or(row, value_get_text(spec, "ingressClassName"), "<none>");
	print_hosts(row);
	print_ingress_addresses(row);
	cell_text(row, value_is(tls, VALUE_ARRAY) && tls->count ? "80, 443" : "80");
	print_created(row);
}

void print_network_policy(struct table_row *row)
{
	print_name(row);
	print_selector(row, value_path(row->object, "spec.podSelector"));
	print_created(row);
}
