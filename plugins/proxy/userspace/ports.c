/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of service ports: takes updates over, opens a listener for each
 * port and holds its node port, and closes what is no longer wanted. A listener
 * stays as long as its service port does, whatever else changes about it.
 */
#include "userspace.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_SIZE = 255 };

/* ---- one port ---- */

static void unlisten(struct ports *ports, struct listener **listener)
{
	if (*listener && ports->relay)
		relay_unlisten(ports->relay, *listener);
	*listener = NULL;
}

static void close_port(struct ports *ports, struct port *port)
{
	if (port->listener && ports->relay)
		ports->host->log_verbose(ports->host->context, 1, "Stopped proxying for %s",
					 port->label);
	unlisten(ports, &port->listener);
	unlisten(ports, &port->node_listener);
	port->local_port = port->held_port = 0;
}

static void port_free(struct port *port)
{
	balance_unref(port->balance);
	cox_vec_free(&port->addresses);
	free(port->label);
	free(port->owner);
	free(port);
}

void ports_free(struct ports *ports)
{
	for (size_t i = 0; i < ports->all.count; i++) {
		close_port(ports, ports->all.items[i]);
		port_free(ports->all.items[i]);
	}
	cox_vec_free(&ports->all);
	cox_map_free(&ports->by_label);
}

/* Names go into rules: nothing but what the API allows in them. */
static bool plain(const char *name, bool may_be_empty)
{
	size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");

	return !name[size] && size <= NAME_MAX_SIZE && (size || may_be_empty);
}

/* The port of that name, made if there is none; NULL: no such names. */
static struct port *find_port(struct ports *ports, const char *namespace_name, const char *service,
			      const char *port_name)
{
	cox_autobuf label = COX_BUF_INIT;
	struct port *port;

	if (!plain(namespace_name, false) || !plain(service, false) || !plain(port_name, true))
		return NULL;
	cox_buf_printf(&label, "%s/%s:%s", namespace_name, service, port_name);
	port = cox_map_get(&ports->by_label, label.data, label.size);
	if (port)
		return port;
	port = cox_new(struct port);
	port->owner = cox_strndup(label.data, strlen(namespace_name) + 1 + strlen(service));
	cox_map_put(&ports->by_label, label.data, label.size, port);
	port->label = cox_buf_steal(&label);
	port->balance = balance_new(port->label);
	cox_vec_push(&ports->all, port);
	return port;
}

/* ---- updates ---- */

static void add_addresses(struct ports *ports, struct port *port, const char *const *list,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct in_addr address;
		bool there = false;

		if (inet_pton(AF_INET, list[i], &address) != 1) {
			ports->host->log_verbose(ports->host->context, 2,
						 "%s: %s is left out, it is not IPv4", port->label,
						 list[i]);
			continue;
		}
		for (size_t k = 0; k < port->addresses.count; k++)
			there |= port->addresses.items[k].s_addr == address.s_addr;
		if (!there)
			cox_vec_push(&port->addresses, address);
	}
}

static void take_port(struct ports *ports, const struct cox_proxy_service *service,
		      const struct cox_proxy_port *told)
{
	struct port *port = find_port(ports, service->namespace_name, service->name, told->name);
	bool udp = !strcmp(told->protocol, "UDP");

	if (!port || (!udp && strcmp(told->protocol, "TCP") != 0)) {
		ports->host->log(ports->host->context, COX_LOG_WARNING,
				 "%s/%s: port %s (%s) is left out", service->namespace_name,
				 service->name, told->name, told->protocol);
		return;
	}
	port->named = port->wanted = true;
	if (port->exposed && port->udp != udp)
		close_port(ports, port);
	if (port->node_listener && port->held_port != told->node_port) {
		unlisten(ports, &port->node_listener);
		port->held_port = 0;
	}
	port->exposed = true;
	port->udp = udp;
	port->number = told->port;
	port->node_port = told->node_port;
	port->addresses.count = 0;
	add_addresses(ports, port, service->cluster_ips, service->cluster_ip_count);
	add_addresses(ports, port, service->external_ips, service->external_ip_count);
	add_addresses(ports, port, service->load_balancer_ips, service->load_balancer_ip_count);
	port->affinity = service->affinity == COX_PROXY_AFFINITY_CLIENT_IP;
	balance_set_affinity(port->balance,
			     port->affinity ? service->affinity_seconds * SECOND : 0);
}

static void unexpose_unwanted(struct ports *ports, struct port *port)
{
	if (!port->exposed || port->wanted)
		return;
	close_port(ports, port);
	port->exposed = false;
}

/* What else the service had is looked for unless everything is told anew. */
static void take_service(struct ports *ports, const struct cox_proxy_service *service, bool full)
{
	cox_autobuf owner = COX_BUF_INIT;

	cox_buf_printf(&owner, "%s/%s", service->namespace_name, service->name);
	for (size_t i = 0; !full && i < ports->all.count; i++) {
		if (!strcmp(ports->all.items[i]->owner, owner.data))
			ports->all.items[i]->wanted = false;
	}
	for (size_t i = 0; i < service->port_count; i++)
		take_port(ports, service, &service->ports[i]);
	for (size_t i = 0; !full && i < ports->all.count; i++) {
		if (!strcmp(ports->all.items[i]->owner, owner.data))
			unexpose_unwanted(ports, ports->all.items[i]);
	}
}

/* Those that are ready; if none is, those that still answer while they go. */
static void take_endpoints(struct ports *ports, const struct cox_proxy_endpoints *told)
{
	struct port *port = find_port(ports, told->namespace_name, told->service, told->port_name);
	COX_VEC(struct address) chosen = {0};

	if (!port)
		return;
	port->named = true;
	for (int last = 0; last < 2 && !chosen.count; last++) {
		for (size_t i = 0; i < told->endpoint_count; i++) {
			const struct cox_proxy_endpoint *one = &told->endpoints[i];
			bool fit = last ? (one->flags & COX_PROXY_SERVING) != 0
					: (one->flags & COX_PROXY_READY) != 0;
			struct address address;

			if (fit && !address_parse(&address, one->address, one->port))
				cox_vec_push(&chosen, address);
		}
	}
	balance_set(port->balance, chosen.items, chosen.count, ports->host->random);
	cox_vec_free(&chosen);
}

static void drop(struct ports *ports, struct port *port)
{
	close_port(ports, port);
	cox_map_remove(&ports->by_label, port->label, strlen(port->label));
	port_free(port);
}

static void drop_service(struct ports *ports, const struct cox_proxy_name *gone)
{
	cox_autobuf owner = COX_BUF_INIT;
	size_t kept = 0;

	cox_buf_printf(&owner, "%s/%s", gone->namespace_name, gone->name);
	for (size_t i = 0; i < ports->all.count; i++) {
		if (!strcmp(ports->all.items[i]->owner, owner.data))
			drop(ports, ports->all.items[i]);
		else
			ports->all.items[kept++] = ports->all.items[i];
	}
	ports->all.count = kept;
}

/* What a full update did not name. */
static void drop_unnamed(struct ports *ports)
{
	size_t kept = 0;

	for (size_t i = 0; i < ports->all.count; i++) {
		if (!ports->all.items[i]->named)
			drop(ports, ports->all.items[i]);
		else
			ports->all.items[kept++] = ports->all.items[i];
	}
	ports->all.count = kept;
}

void ports_update(struct ports *ports, const struct cox_proxy_update *update)
{
	bool full = update->flags & COX_PROXY_FULL;

	for (size_t i = 0; full && i < ports->all.count; i++)
		ports->all.items[i]->named = ports->all.items[i]->wanted = false;
	for (size_t i = 0; i < update->gone_count; i++)
		drop_service(ports, &update->gone[i]);
	for (size_t i = 0; i < update->service_count; i++)
		take_service(ports, &update->services[i], full);
	for (size_t i = 0; i < update->endpoints_count; i++)
		take_endpoints(ports, &update->endpoints[i]);
	if (full) {
		drop_unnamed(ports);
		for (size_t i = 0; i < ports->all.count; i++)
			unexpose_unwanted(ports, ports->all.items[i]);
	}
	ports_open(ports);
}

/* ---- opening ---- */

/* In a range: from a random place once round. */
static int open_local(struct ports *ports, bool udp)
{
	uint32_t size = (uint32_t)ports->range_high - ports->range_low + 1, from;

	if (!ports->range_low)
		return address_listen(&ports->bind, 0, udp);
	ports->host->random(&from, sizeof(from));
	from %= size;
	for (uint32_t i = 0; i < size; i++) {
		uint16_t port = (uint16_t)(ports->range_low + (from + i) % size);
		int fd = address_listen(&ports->bind, port, udp);

		if (fd >= 0 || errno != EADDRINUSE)
			return fd;
	}
	errno = EADDRINUSE;
	return -1;
}

/* Once a port, until it works: every sync tries again. */
static void complain(struct ports *ports, struct port *port, const char *format, ...)
	COX_PRINTF(3, 4);
static void complain(struct ports *ports, struct port *port, const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	va_list args;

	if (port->complained)
		return;
	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	port->complained = true;
	ports->host->log(ports->host->context, COX_LOG_ERROR, "%s", text.data);
}

static bool open_listener(struct ports *ports, struct port *port)
{
	int fd = open_local(ports, port->udp);

	if (fd < 0) {
		complain(ports, port, "can't open a port to proxy %s on: %s", port->label,
			 strerrordesc_np(errno));
		return false;
	}
	port->local_port = address_port_of(fd);
	port->listener = relay_listen(ports->relay, fd, port->udp, port->balance);
	ports->host->log(ports->host->context, COX_LOG_INFO,
			 "Proxying for service \"%s\" on %s port %u", port->label,
			 port->udp ? "UDP" : "TCP", port->local_port);
	return true;
}

static const struct port *holder_of(const struct ports *ports, const struct port *port)
{
	for (size_t i = 0; i < ports->all.count; i++) {
		const struct port *other = ports->all.items[i];

		if (other != port && other->node_listener && other->udp == port->udp &&
		    other->held_port == port->node_port)
			return other;
	}
	return NULL;
}

/* So that nobody else is given it; it serves too, for what the rules let through. */
static bool hold_node_port(struct ports *ports, struct port *port)
{
	const char *protocol = port->udp ? "UDP" : "TCP";
	int fd = address_listen(&ports->bind, port->node_port, port->udp), error = errno;
	char text[INET_ADDRSTRLEN] = "";
	const struct port *holder;

	if (fd >= 0) {
		port->node_listener = relay_listen(ports->relay, fd, port->udp, port->balance);
		port->held_port = port->node_port;
		return true;
	}
	inet_ntop(AF_INET, &ports->bind, text, sizeof(text));
	holder = holder_of(ports, port);
	if (holder)
		complain(ports, port, "Port conflict detected on port %s:%u/%s: %s vs %s", text,
			 port->node_port, protocol, holder->label, port->label);
	else
		complain(ports, port, "can't open node port for %s:%u/%s: %s", text,
			 port->node_port, protocol, strerrordesc_np(error));
	return false;
}

void ports_open(struct ports *ports)
{
	for (size_t i = 0; i < ports->all.count; i++) {
		struct port *port = ports->all.items[i];

		if (!port->exposed || (!port->listener && !open_listener(ports, port)))
			continue;
		if (!port->node_port || port->node_listener || hold_node_port(ports, port))
			port->complained = false;
	}
}
