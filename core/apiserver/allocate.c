/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ports of services; see the header. */
#include "apiserver/allocate.h"

#include "apiserver/metadata.h"
#include "apiserver/portmap.h"
#include "apiserver/servicetype.h"
#include "machinery/encode.h"
#include "store/snapshot.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_DYNAMIC_MAX = 256 };

static const char default_ports[] = "30000-32767";

struct allocators {
	char *range;	     /* as written */
	uint32_t base, size; /* IPv4, host order */
	char first[INET_ADDRSTRLEN];
	char *port_text;
	struct portmap *ports;
};

int port_range_parse(const char *text, unsigned *low, unsigned *high, struct cox_error *err)
{
	char first[8];
	const char *hyphen = strchr(text, '-');
	int64_t from, to;

	if (!hyphen)
		return error_set(err, COX_REASON_INVALID,
				 "expected hyphen in port range: \"%s\" (write it as 30000-32767)",
				 text);
	if ((size_t)(hyphen - text) >= sizeof(first))
		goto bad;
	memcpy(first, text, (size_t)(hyphen - text));
	first[hyphen - text] = '\0';
	if (cox_parse_int(first, 1, 65535, &from) != 0 ||
	    cox_parse_int(hyphen + 1, 1, 65535, &to) != 0)
		goto bad;
	if (to < from)
		return error_set(err, COX_REASON_INVALID,
				 "end port cannot be less than start port: %s", text);
	*low = (unsigned)from;
	*high = (unsigned)to;
	return 0;
bad:
	return error_set(err, COX_REASON_INVALID, "unable to parse port range: %s", text);
}

static void format_address(uint32_t address, char out[INET_ADDRSTRLEN])
{
	struct in_addr network = {htonl(address)};

	inet_ntop(AF_INET, &network, out, INET_ADDRSTRLEN);
}

static int parse_range(struct allocators *allocators, const char *text, struct cox_error *err)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct in_addr network;
	int64_t bits;

	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
	    cox_parse_int(slash + 1, 8, 30, &bits) != 0)
		goto bad;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, &network) != 1)
		goto bad;
	allocators->size = 1u << (32 - bits);
	allocators->base = ntohl(network.s_addr);
	if (allocators->base & (allocators->size - 1))
		return error_set(err, COX_REASON_INVALID,
				 "the service address range %s has bits set behind its /%" PRId64,
				 text, bits);
	format_address(allocators->base + 1, allocators->first);
	return 0;
bad:
	return error_set(err, COX_REASON_INVALID,
			 "the service address range \"%s\" is not an IPv4 network like "
			 "10.254.0.0/16, between /8 and /30",
			 text);
}

struct allocators *allocators_new(const struct allocator_options *options, struct cox_error *err)
{
	struct allocators *allocators = cox_new(struct allocators);
	const char *ports = *options->port_range ? options->port_range : default_ports;
	unsigned low, high;

	allocators->range = cox_strdup(options->address_range);
	allocators->port_text = cox_strdup(ports);
	if (parse_range(allocators, options->address_range, err) != 0 ||
	    port_range_parse(ports, &low, &high, err) != 0) {
		allocators_free(allocators);
		return NULL;
	}
	allocators->ports = portmap_new(low, high);
	return allocators;
}

void allocators_free(struct allocators *allocators)
{
	if (!allocators)
		return;
	portmap_free(allocators->ports);
	free(allocators->range);
	free(allocators->port_text);
	free(allocators);
}

int allocators_load(struct allocators *allocators, const struct store_backend *backend,
		    struct cox_error *err)
{
	return portmap_load(allocators->ports, backend, err);
}

const char *allocators_first_address(const struct allocators *allocators)
{
	return allocators->first;
}

/* Services */

static const char *type_of(const struct value *service)
{
	return value_text(value_path(service, "spec.type"));
}

static bool has_address(const struct value *service)
{
	return service && strcmp(type_of(service), "ExternalName") != 0;
}

static bool has_node_ports(const struct value *service)
{
	const struct value *wanted = value_path(service, "spec.allocateLoadBalancerNodePorts");

	if (!service)
		return false;
	if (strcmp(type_of(service), "LoadBalancer") == 0)
		return !value_is(wanted, VALUE_BOOL) || wanted->boolean;
	return strcmp(type_of(service), "NodePort") == 0;
}

static bool needs_health_port(const struct value *service)
{
	return service && strcmp(type_of(service), "LoadBalancer") == 0 &&
	       value_string_is(value_path(service, "spec.externalTrafficPolicy"), "Local");
}

static const char *address_of(const struct value *service)
{
	return value_text(value_path(service, "spec.clusterIP"));
}

/* Whoever writes the endpoints of such a service may have any family. */
static bool is_anybodys(const struct value *service)
{
	const struct value *selector = value_path(service, "spec.selector");

	return strcmp(address_of(service), "None") == 0 && (!selector || selector->count == 0);
}

static void set_families(struct arena *arena, struct value *spec, bool both)
{
	struct value *list = value_array(arena);

	value_push(arena, list, value_string(arena, "IPv4"));
	if (both)
		value_push(arena, list, value_string(arena, "IPv6"));
	value_set(arena, spec, "ipFamilies", list);
}

/* clusterIPs, families and their policy follow from the one address. */
static void complete_families(struct arena *arena, struct value *service, const struct value *old)
{
	struct value *spec = value_make_object(arena, service, "spec");
	const char *address = address_of(service);
	const struct value *given = value_get(spec, "clusterIPs");
	const struct value *policy = value_get(spec, "ipFamilyPolicy");

	if (!has_address(service))
		return;
	/* A list that the client made stays, for validation to compare. */
	if (*address && (!given || given->count == 0 ||
			 value_equal(given, value_path(old, "spec.clusterIPs")))) {
		struct value *list = value_array(arena);

		value_push(arena, list, value_string(arena, address));
		value_set(arena, spec, "clusterIPs", list);
	}
	if (!policy)
		value_set_text(arena, spec, "ipFamilyPolicy",
			       !old && is_anybodys(service) ? "RequireDualStack" : "SingleStack");
	if (!value_get(spec, "ipFamilies"))
		set_families(
			arena, spec,
			is_anybodys(service) &&
				!value_string_is(value_get(spec, "ipFamilyPolicy"), "SingleStack"));
}

/* What a service that had an address leaves behind when it becomes a mere name. */
static void drop_address(struct value *service, const struct value *old)
{
	static const char *const members[] = {"clusterIP", "clusterIPs", "ipFamilies",
					      "ipFamilyPolicy"};
	struct value *spec = value_get(service, "spec");
	const struct value *before = value_get(old, "spec");

	if (has_address(service) || !has_address(old))
		return;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (value_equal(value_get(spec, members[i]), value_get(before, members[i])))
			value_remove(spec, members[i]);
}

static int invalid(struct write *write, struct cox_error *err, const char *field, const char *value,
		   const char *detail)
{
	error_set(err, COX_REASON_INVALID, "Service \"%s\" is invalid: %s: Invalid value: %s: %s",
		  write->name, field, value, detail);
	error_set_details(err, NULL, "Service", write->name);
	error_add_cause(err, "FieldValueInvalid", field, "Invalid value: %s: %s", value, detail);
	return -1;
}

/* The addresses of the cluster are IPv4: no service can have others. */
static int check_families(struct write *write, const struct value *service, const struct value *old,
			  struct cox_error *err)
{
	const struct value *spec = value_get(service, "spec"), *before = value_get(old, "spec");
	const struct value *families = value_get(spec, "ipFamilies");

	if (!has_address(service) || is_anybodys(service))
		return 0;
	if (old && value_equal(families, value_get(before, "ipFamilies")) &&
	    value_equal(value_get(spec, "ipFamilyPolicy"), value_get(before, "ipFamilyPolicy")))
		return 0;
	for (size_t i = 0; value_is(families, VALUE_ARRAY) && i < families->count; i++)
		if (value_string_is(value_at(families, i), "IPv6"))
			return invalid(write, err,
				       arena_printf(write->call->arena, "spec.ipFamilies[%zu]", i),
				       "\"IPv6\"", "not configured on this cluster");
	if (value_string_is(value_get(spec, "ipFamilyPolicy"), "RequireDualStack"))
		return invalid(write, err, "spec.ipFamilyPolicy", "\"RequireDualStack\"",
			       "this cluster is not configured for dual-stack services");
	return 0;
}

int allocate_prepare_create(struct write *write, struct value *service, struct cox_error *err)
{
	struct value *status = value_object(write->call->arena);

	value_set(write->call->arena, service, "status", status);
	value_set(write->call->arena, status, "loadBalancer", value_object(write->call->arena));
	complete_families(write->call->arena, service, NULL);
	return check_families(write, service, NULL, err);
}

static struct value *same_port(const struct value *list, const struct value *port)
{
	for (size_t i = 0; value_is(list, VALUE_ARRAY) && i < list->count; i++) {
		struct value *other = value_at(list, i);

		if (value_get_int(other, "port", 0) == value_get_int(port, "port", 0) &&
		    value_string_is(value_get(other, "protocol"), value_get_text(port, "protocol")))
			return other;
	}
	return NULL;
}

/* What the server gave out is kept by an update that does not name it. */
int allocate_prepare_update(struct write *write, struct value *service, const struct value *old,
			    struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	struct value *spec = value_make_object(arena, service, "spec");
	const struct value *ports = value_get(spec, "ports");

	service_drop_unused(service, old);
	drop_address(service, old);
	if (has_address(service) && has_address(old) && !*address_of(service))
		value_set_text(arena, spec, "clusterIP", address_of(old));
	for (size_t i = 0;
	     has_node_ports(service) && value_is(ports, VALUE_ARRAY) && i < ports->count; i++) {
		struct value *port = value_at(ports, i);
		struct value *before = same_port(value_path(old, "spec.ports"), port);
		int64_t node_port = value_get_int(before, "nodePort", 0);

		if (!value_get_int(port, "nodePort", 0) && node_port)
			value_set_int(arena, port, "nodePort", node_port);
	}
	if (needs_health_port(service) && needs_health_port(old) &&
	    !value_get_int(spec, "healthCheckNodePort", 0))
		value_set_int(arena, spec, "healthCheckNodePort",
			      value_get_int(value_get(old, "spec"), "healthCheckNodePort", 0));
	complete_families(arena, service, old);
	return check_families(write, service, old, err);
}

/* Addresses */

static struct api_resource *address_resource(struct write *write)
{
	return apiserver_stored(write->call->server, "networking.k8s.io", "ipaddresses");
}

static struct value *address_object(struct write *write, const char *address,
				    const struct value *service)
{
	struct arena *arena = write->call->arena;
	struct value *object = value_object(arena);
	struct value *metadata = value_make_object(arena, object, "metadata");
	struct value *labels = value_make_object(arena, metadata, "labels");
	struct value *parent;

	value_set_text(arena, object, "kind", "IPAddress");
	value_set_text(arena, object, "apiVersion", "networking.k8s.io/v1");
	value_set_text(arena, metadata, "name", address);
	value_set_text(arena, labels, "ipaddress.kubernetes.io/ip-family", "IPv4");
	value_set_text(arena, labels, "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io");
	if (metadata_prepare_create(arena, object, true, NULL) != 0)
		return NULL;
	parent = value_make_object(arena, value_make_object(arena, object, "spec"), "parentRef");
	value_set_text(arena, parent, "group", "");
	value_set_text(arena, parent, "resource", "services");
	value_set_text(arena, parent, "namespace", write->namespace_);
	value_set_text(arena, parent, "name",
		       value_get_text(value_get(service, "metadata"), "name"));
	return object;
}

static int address_key(struct write *write, const char *address, struct cox_buf *key,
		       struct cox_error *err)
{
	return store_key(address_resource(write)->collection, "", address, key, err);
}

static int take_address(struct write *write, const char *address, const struct value *service,
			struct cox_error *err)
{
	struct api_resource *resource = address_resource(write);
	struct value *object = address_object(write, address, service);
	cox_autobuf key = COX_BUF_INIT;
	cox_autobuf value = COX_BUF_INIT;

	if (!object || address_key(write, address, &key, err) != 0)
		return -1;
	schema_encode(&value, write->call->server->schema, resource->stored_type, object,
		      ENCODE_STORAGE);
	if (write_add_compare(write, key.data, key.size, 0, err) != 0)
		return -1;
	return write_add_put(write, key.data, key.size, value.data, value.size,
			     write->call->server->schema->epoch, err);
}

static int release_address(struct write *write, const char *address, struct cox_error *err)
{
	cox_autobuf key = COX_BUF_INIT;

	if (address_key(write, address, &key, err) != 0)
		return -1;
	return write_add_delete(write, key.data, key.size, err);
}

static bool address_is_taken(struct write *write, const char *address)
{
	struct store_entry *entry cox_auto(store_entry_release) =
		store_get(address_resource(write)->collection, "", address);

	return entry != NULL;
}

/*
 * A random free one. The lower part of the range is left for addresses that
 * people choose themselves, as long as there is room above it.
 */
static int find_address(struct write *write, char out[INET_ADDRSTRLEN], struct cox_error *err)
{
	const struct allocators *allocators = write->call->server->allocators;
	uint32_t reserved = allocators->size / 16 < FIRST_DYNAMIC_MAX ? allocators->size / 16
								      : FIRST_DYNAMIC_MAX;
	uint32_t last = allocators->size - 2; /* without the broadcast address */
	uint32_t from = reserved < 16 ? 1 : reserved, chance = 0;

	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return error_set(err, COX_REASON_INTERNAL_ERROR, "no random bytes");
	for (uint32_t i = 0; i <= last - from; i++) {
		format_address(allocators->base + from + (chance + i) % (last - from + 1), out);
		if (!address_is_taken(write, out))
			return 0;
	}
	for (uint32_t at = 1; at < from; at++) {
		format_address(allocators->base + at, out);
		if (!address_is_taken(write, out))
			return 0;
	}
	return error_set(err, COX_REASON_INTERNAL_ERROR,
			 "failed to allocate a serviceIP: range is full");
}

static int check_address(struct write *write, const char *address, struct cox_error *err)
{
	const struct allocators *allocators = write->call->server->allocators;
	struct in_addr parsed;
	uint32_t number;
	char *value = arena_printf(write->call->arena, "[\"%s\"]", address);

	if (inet_pton(AF_INET, address, &parsed) != 1)
		return invalid(write, err, "spec.clusterIPs", value,
			       "must be a valid IPv4 address of the service address range");
	number = ntohl(parsed.s_addr);
	if (number - allocators->base - 1 >= allocators->size - 2)
		return invalid(write, err, "spec.clusterIPs", value,
			       arena_printf(write->call->arena,
					    "failed to allocate IP %s: the provided IP (%s) is not "
					    "in the valid range. The range of valid IPs is %s",
					    address, address, allocators->range));
	if (address_is_taken(write, address))
		return invalid(write, err, "spec.clusterIPs", value,
			       arena_printf(write->call->arena,
					    "failed to allocate IP %s: provided IP is already "
					    "allocated",
					    address));
	return 0;
}

static int allocate_address(struct write *write, struct value *service, const struct value *old,
			    struct cox_error *err)
{
	struct arena *arena = write->call->arena;
	const char *before = has_address(old) ? address_of(old) : "";
	const char *wanted = has_address(service) ? address_of(service) : "";
	char address[INET_ADDRSTRLEN];

	if (strcmp(before, "None") == 0)
		before = "";
	if (*before && strcmp(before, wanted) != 0 && release_address(write, before, err) != 0)
		return -1;
	if (!has_address(service) || strcmp(wanted, "None") == 0 ||
	    (*before && strcmp(before, wanted) == 0))
		return 0;
	if (*wanted) {
		if (check_address(write, wanted, err) != 0)
			return -1;
	} else {
		if (find_address(write, address, err) != 0)
			return -1;
		wanted = arena_strdup(arena, address);
		value_set_text(arena, value_make_object(arena, service, "spec"), "clusterIP",
			       wanted);
		complete_families(arena, service, NULL);
	}
	return take_address(write, wanted, service, err);
}

/* Ports */

/* Numbers of a service's node ports: each once. */
struct port_list {
	uint16_t numbers[512];
	size_t count;
};

static bool list_has(const struct port_list *list, unsigned port)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->numbers[i] == port)
			return true;
	return false;
}

static void list_add(struct port_list *list, int64_t port)
{
	if (port > 0 && port <= 65535 && !list_has(list, (unsigned)port) &&
	    list->count < sizeof(list->numbers) / sizeof(list->numbers[0]))
		list->numbers[list->count++] = (uint16_t)port;
}

static void ports_of(const struct value *service, struct port_list *list)
{
	const struct value *ports = value_path(service, "spec.ports");

	for (size_t i = 0; service && value_is(ports, VALUE_ARRAY) && i < ports->count; i++)
		list_add(list, value_get_int(value_at(ports, i), "nodePort", 0));
	if (service)
		list_add(list, value_get_int(value_get(service, "spec"), "healthCheckNodePort", 0));
}

static int take_port(struct write *write, unsigned port, struct cox_error *err)
{
	char key[PORTMAP_KEY_SIZE], value[16];
	int size = portmap_key(port, key), value_size;

	value_size = snprintf(value, sizeof(value), "%u", port);
	if (write_add_compare(write, key, (size_t)size, 0, err) != 0)
		return -1;
	return write_add_put(write, key, (size_t)size, value, (size_t)value_size, 1, err);
}

static int check_port(struct write *write, unsigned port, const char *field, struct cox_error *err)
{
	const struct allocators *allocators = write->call->server->allocators;
	char *value = arena_printf(write->call->arena, "%u", port);

	if (!portmap_has(allocators->ports, port))
		return invalid(write, err, field, value,
			       arena_printf(write->call->arena,
					    "provided port is not in the valid range. The range of "
					    "valid ports is %s",
					    allocators->port_text));
	if (portmap_is_taken(allocators->ports, port))
		return invalid(write, err, field, value, "provided port is already allocated");
	return 0;
}

/* A number for one member; `taken` are those that the service holds already. */
static int allocate_port(struct write *write, struct value *holder, const char *member,
			 const char *field, struct port_list *taken, struct cox_error *err)
{
	struct allocators *allocators = write->call->server->allocators;
	int64_t wanted = value_get_int(holder, member, 0);
	unsigned port;

	if (wanted && list_has(taken, (unsigned)wanted))
		return 0;
	if (wanted) {
		port = (unsigned)wanted;
		if (check_port(write, port, field, err) != 0)
			return -1;
	} else if (portmap_find(allocators->ports, taken->numbers, taken->count, &port) != 0) {
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "failed to allocate a nodePort: range is full");
	} else {
		value_set_int(write->call->arena, holder, member, port);
	}
	list_add(taken, port);
	return take_port(write, port, err);
}

static int allocate_ports(struct write *write, struct value *service, const struct value *old,
			  struct cox_error *err)
{
	struct value *ports = service ? value_path(service, "spec.ports") : NULL;
	struct port_list before = {.count = 0}, now = {.count = 0}, taken;

	ports_of(old, &before);
	taken = before;
	/* Those that are named first, so that none is given away to another. */
	for (int named = 1; named >= 0 && has_node_ports(service); named--)
		for (size_t i = 0; value_is(ports, VALUE_ARRAY) && i < ports->count; i++) {
			struct value *port = value_at(ports, i);
			char *field =
				arena_printf(write->call->arena, "spec.ports[%zu].nodePort", i);

			if ((value_get_int(port, "nodePort", 0) != 0) == named &&
			    allocate_port(write, port, "nodePort", field, &taken, err) != 0)
				return -1;
		}
	if (needs_health_port(service) &&
	    allocate_port(write, value_get(service, "spec"), "healthCheckNodePort",
			  "spec.healthCheckNodePort", &taken, err) != 0)
		return -1;
	ports_of(service, &now);
	for (size_t i = 0; i < before.count; i++) {
		char key[PORTMAP_KEY_SIZE];

		if (list_has(&now, before.numbers[i]))
			continue;
		if (write_add_delete(write, key, (size_t)portmap_key(before.numbers[i], key),
				     err) != 0)
			return -1;
	}
	return 0;
}

int allocate_service(struct write *write, struct value *service, const struct value *old,
		     struct cox_error *err)
{
	if (allocate_address(write, service, old, err) != 0)
		return -1;
	return allocate_ports(write, service, old, err);
}

void allocate_committed(struct write *write)
{
	struct portmap *ports = write->call->server->allocators->ports;

	for (size_t i = 0; i < write->txn.put_count; i++) {
		unsigned port = portmap_port(write->puts[i].key);

		if (port)
			portmap_set(ports, port, true);
	}
	for (size_t i = 0; i < write->txn.delete_count; i++) {
		unsigned port = portmap_port(write->deletes[i]);

		if (port)
			portmap_set(ports, port, false);
	}
}

void allocate_refused(struct write *write, size_t index)
{
	unsigned port = portmap_port(write->compares[index].key);

	if (port)
		portmap_set(write->call->server->allocators->ports, port, true);
}
