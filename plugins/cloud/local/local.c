/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load balancers without a cloud: each service gets one address of the ranges
 * that the administrator set aside. And zones of nodes, as he says. That packets to these addresses
 * arrive at a node is the network's work (a route, or an address of the node); there the proxy
 * takes them to the service.
 *
 * Which address is whose stands in the services' status and nowhere else: the
 * controller hands them over once, by restore.
 *
 * Lock: local.mutex over the two maps; nothing is called with it held.
 */
#include "ranges.h"

#include <coxswain/cloud.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/map.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define VIP "VIP" /* packets arrive with this address */

/* A load balancer: it has an address, and that is all there is to it. */
struct held {
	char *name;
	char *owner; /* "namespace/name" of the service, for people */
	struct address address;
};

struct local {
	const struct cox_host *host;
	char *region, *zone; /* of all nodes; "": not said */
	char *zones;	     /* "NODE=ZONE,...": of some */
	char *list;	     /* the ranges as written, for people; NULL: none */
	struct ranges ranges;
	pthread_mutex_t mutex;
	struct cox_map by_name;	   /* struct held, which this map owns */
	struct cox_map by_address; /* the same ones, under the bytes of struct address */
};

/* ---- who has what; with the lock held ---- */

static struct held *held_by(const struct local *local, const char *name)
{
	return cox_map_get(&local->by_name, name, strlen(name));
}

static struct held *holder_of(const struct local *local, const struct address *address)
{
	return cox_map_get(&local->by_address, (const char *)address, sizeof(*address));
}

static bool is_taken(const void *context, const struct address *address)
{
	return holder_of(context, address) != NULL;
}

static void hold(struct local *local, const struct cox_cloud_balancer *balancer,
		 const struct address *address)
{
	const struct cox_objects *objects = balancer->objects;
	struct held *held = held_by(local, balancer->name);
	struct cox_buf owner = COX_BUF_INIT;

	if (held) {
		cox_map_remove(&local->by_address, (const char *)&held->address,
			       sizeof(held->address));
	} else {
		held = cox_new(struct held);
		held->name = cox_strdup(balancer->name);
		cox_buf_printf(&owner, "%s/%s", objects->namespace_of(balancer->service),
			       objects->name(balancer->service));
		held->owner = cox_buf_steal(&owner);
		cox_map_put(&local->by_name, held->name, strlen(held->name), held);
	}
	held->address = *address;
	cox_map_put(&local->by_address, (const char *)address, sizeof(*address), held);
}

static void held_free(struct held *held)
{
	free(held->name);
	free(held->owner);
	free(held);
}

/* ---- which one ---- */

/* An address of the service's status that it may keep. */
static bool find_kept(const struct local *local, const struct cox_cloud_balancer *balancer,
		      unsigned family, struct address *found)
{
	const struct cox_objects *objects = balancer->objects;
	const struct cox_value *list =
		objects->get(objects->root(balancer->service), "status.loadBalancer.ingress");
	const struct cox_value *item;

	for (size_t i = 0; (item = objects->at(list, i, NULL)); i++) {
		if (!address_parse(objects->text(item, "ip"), found) &&
		    (!family || found->family == family) && ranges_have(&local->ranges, found) &&
		    !holder_of(local, found))
			return true;
	}
	return false;
}

/* The one that spec.loadBalancerIP asks for. */
static int choose_wanted(struct local *local, const struct held *held, const char *wanted,
			 struct address *chosen, struct cox_error *err)
{
	const struct cox_host *host = local->host;
	const struct held *other;

	if (address_parse(wanted, chosen))
		return host->fail(err, COX_REASON_INVALID, "loadBalancerIP \"%s\" is no address",
				  wanted);
	if (!ranges_have(&local->ranges, chosen))
		return host->fail(err, COX_REASON_INVALID,
				  "loadBalancerIP %s is not in the ranges for load balancers (%s)",
				  wanted, local->list);
	other = holder_of(local, chosen);
	if (other && other != held)
		return host->fail(err, COX_REASON_CONFLICT, "loadBalancerIP %s belongs to %s",
				  wanted, other->owner);
	return 0;
}

static int choose_free(struct local *local, unsigned family, struct address *chosen,
		       struct cox_error *err)
{
	const struct cox_host *host = local->host;

	if (!ranges_have_family(&local->ranges, family))
		return host->fail(err, COX_REASON_INVALID,
				  "no IPv%u addresses are set aside for load balancers (%s)",
				  family, local->list);
	if (!ranges_find(&local->ranges, family, is_taken, local, chosen))
		return host->fail(err, COX_REASON_SERVICE_UNAVAILABLE,
				  "no IPv%u address is free in the ranges for load balancers (%s)",
				  family, local->list);
	return 0;
}

static int choose(struct local *local, const struct cox_cloud_balancer *balancer,
		  struct address *chosen, struct cox_error *err)
{
	const struct cox_objects *objects = balancer->objects;
	const struct cox_value *spec = objects->get(objects->root(balancer->service), "spec");
	const char *wanted = objects->text(spec, "loadBalancerIP");
	const struct held *held = held_by(local, balancer->name);
	unsigned family = strcmp(objects->text(spec, "ipFamilies[0]"), "IPv6") ? 4 : 6;

	if (!local->ranges.count)
		return local->host->fail(err, COX_REASON_INVALID,
					 "no addresses are set aside for load balancers: the "
					 "option \"addresses\" of the cloud plugin \"local\" is "
					 "not set");
	if (objects->count(objects->get(spec, "loadBalancerSourceRanges")))
		return local->host->fail(err, COX_REASON_INVALID,
					 "loadBalancerSourceRanges is set, but nothing here can "
					 "keep other clients out");
	if (*wanted)
		return choose_wanted(local, held, wanted, chosen, err);
	if (held && held->address.family == family) {
		*chosen = held->address;
		return 0;
	}
	if (find_kept(local, balancer, family, chosen))
		return 0;
	return choose_free(local, family, chosen, err);
}

/* ---- operations ---- */

static void tell(const struct cox_cloud_ingress_sink *sink, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];
	const struct cox_cloud_ingress ingress = {.ip = text, .hostname = "", .ip_mode = VIP};

	address_format(address, text);
	sink->ingress(sink, &ingress);
}

static int local_get(void *self, const struct cox_call *call,
		     const struct cox_cloud_balancer *balancer,
		     const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	struct local *local = self;
	const struct held *held;
	struct address address;

	(void)call;
	pthread_mutex_lock(&local->mutex);
	held = held_by(local, balancer->name);
	if (held)
		address = held->address;
	pthread_mutex_unlock(&local->mutex);
	if (!held)
		return local->host->fail(err, COX_REASON_NOT_FOUND,
					 "there is no load balancer \"%s\"", balancer->name);
	tell(sink, &address);
	return 0;
}

static int local_ensure(void *self, const struct cox_call *call,
			const struct cox_cloud_balancer *balancer,
			const struct cox_cloud_ingress_sink *sink, struct cox_error *err)
{
	struct local *local = self;
	struct address address;
	int failed;

	(void)call;
	pthread_mutex_lock(&local->mutex);
	failed = choose(local, balancer, &address, err);
	if (!failed)
		hold(local, balancer, &address);
	pthread_mutex_unlock(&local->mutex);
	if (failed)
		return -1;
	tell(sink, &address);
	return 0;
}

/* Every node takes the traffic that reaches it; there is nothing to be told. */
static int local_update(void *self, const struct cox_call *call,
			const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	struct local *local = self;
	const struct held *held;

	(void)call;
	pthread_mutex_lock(&local->mutex);
	held = held_by(local, balancer->name);
	pthread_mutex_unlock(&local->mutex);
	return held ? 0
		    : local->host->fail(err, COX_REASON_NOT_FOUND,
					"there is no load balancer \"%s\"", balancer->name);
}

static int local_remove(void *self, const struct cox_call *call,
			const struct cox_cloud_balancer *balancer, struct cox_error *err)
{
	struct local *local = self;
	struct held *held;

	(void)call;
	(void)err;
	pthread_mutex_lock(&local->mutex);
	held = cox_map_remove(&local->by_name, balancer->name, strlen(balancer->name));
	if (held)
		cox_map_remove(&local->by_address, (const char *)&held->address,
			       sizeof(held->address));
	pthread_mutex_unlock(&local->mutex);
	if (held)
		held_free(held);
	return 0;
}

/* Of two services that claim one address the older has it; the other gets a new one. */
static int local_restore(void *self, const struct cox_call *call,
			 const struct cox_cloud_balancer *balancers, size_t count,
			 struct cox_error *err)
{
	struct local *local = self;
	struct address address;

	(void)call;
	(void)err;
	pthread_mutex_lock(&local->mutex);
	for (size_t i = 0; i < count; i++) {
		if (!held_by(local, balancers[i].name) &&
		    find_kept(local, &balancers[i], 0, &address))
			hold(local, &balancers[i], &address);
	}
	pthread_mutex_unlock(&local->mutex);
	return 0;
}

/* The zone that the list has for a node; its size is 0 if there is none. */
static const char *zone_of(const struct local *local, const char *node, size_t *size)
{
	size_t length = strlen(node);

	for (const char *at = local->zones; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, node, length) && at[length] == '=') {
			*size = strcspn(at + length + 1, ",");
			return at + length + 1;
		}
	}
	*size = 0;
	return "";
}

/* Every node is a machine of ours, and none is ever known to be gone. */
static int local_instance(void *self, const struct cox_call *call,
			  const struct cox_cloud_node *node,
			  const struct cox_cloud_instance_sink *sink, struct cox_error *err)
{
	const struct local *local = self;
	size_t size;
	const char *own = zone_of(local, node->objects->name(node->node), &size);
	cox_autofree char *zone = size ? cox_strndup(own, size) : NULL;
	const struct cox_cloud_instance instance = {.struct_size = sizeof(instance),
						    .provider_id = "",
						    .type = "",
						    .zone = zone ? zone : local->zone,
						    .region = local->region};

	(void)call;
	(void)err;
	sink->instance(sink, &instance);
	return 0;
}

/* ---- the plugin ---- */

static void *local_create(const struct cox_host *host, struct cox_error *err)
{
	struct local *local = cox_new(struct local);

	(void)err;
	local->host = host;
	pthread_mutex_init(&local->mutex, NULL);
	return local;
}

/* It will be the value of a label. */
static int check_label(const struct local *local, const char *value, size_t size,
		       struct cox_error *err)
{
	static const char alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789";
	bool good = size <= 63;

	for (size_t i = 0; good && i < size; i++)
		good = strchr(alphanumeric, value[i]) ||
		       (i > 0 && i < size - 1 && strchr("-_.", value[i]));
	if (good)
		return 0;
	return local->host->fail(err, COX_REASON_INVALID,
				 "\"%.*s\" cannot be the value of a label: up to 63 letters, "
				 "digits and, between them, '-', '_' and '.'",
				 (int)(size > 80 ? 80 : size), value);
}

static int config_label(const struct local *local, char **label, const char *value, size_t size,
			struct cox_error *err)
{
	if (check_label(local, value, size, err))
		return -1;
	*label = cox_strdup(value);
	return 0;
}

static int config_zones(struct local *local, const char *value, struct cox_error *err)
{
	for (const char *at = *value ? value : NULL; at; at = strchr(at, ',')) {
		const char *equals;
		size_t size;

		at += *at == ',';
		size = strcspn(at, ",");
		equals = memchr(at, '=', size);
		if (!equals || equals == at || equals == at + size - 1)
			return local->host->fail(err, COX_REASON_INVALID,
						 "\"%.*s\": want NODE=ZONE",
						 (int)(size > 80 ? 80 : size), at);
		if (check_label(local, equals + 1, (size_t)(at + size - equals) - 1, err))
			return -1;
	}
	local->zones = cox_strdup(value);
	return 0;
}

static int local_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct local *local = self;
	cox_autobuf why = COX_BUF_INIT;

	if (!strcmp(key, "region"))
		return config_label(local, &local->region, value, strlen(value), err);
	if (!strcmp(key, "zone"))
		return config_label(local, &local->zone, value, strlen(value), err);
	if (!strcmp(key, "node-zones"))
		return config_zones(local, value, err);
	if (!*value)
		return 0;
	if (ranges_parse(&local->ranges, value, &why))
		return local->host->fail(err, COX_REASON_INVALID, "%s", why.data);
	local->list = cox_strdup(value);
	return 0;
}

static void local_destroy(void *self)
{
	struct local *local = self;
	void *held;

	for (size_t at = 0; cox_map_next(&local->by_name, &at, NULL, NULL, &held);)
		held_free(held);
	cox_map_free(&local->by_name);
	cox_map_free(&local->by_address);
	ranges_free(&local->ranges);
	pthread_mutex_destroy(&local->mutex);
	free(local->list);
	free(local->region);
	free(local->zone);
	free(local->zones);
	free(local);
}

static const struct cox_option local_options[] = {
	{"addresses", NULL, "Ranges of the addresses that load balancers get", COX_OPT_LIST, 0},
	{"region", "", "Region of all nodes", COX_OPT_STRING, 0},
	{"zone", "", "Zone of all nodes", COX_OPT_STRING, 0},
	{"node-zones", NULL, "Zones of single nodes, NODE=ZONE", COX_OPT_LIST, 0},
	{NULL, NULL, NULL, 0, 0},
};

static const struct cox_cloud_ops local_ops = {
	.balancer_get = local_get,
	.balancer_ensure = local_ensure,
	.balancer_update = local_update,
	.balancer_remove = local_remove,
	.balancer_restore = local_restore,
	.instance = local_instance,
};

COX_CLOUD_PLUGIN(local_ops, .name = "local", .version = "1",
		 .description = "Gives load balancers addresses of ranges set aside",
		 .thread_model = COX_THREADS_PARALLEL, .options = local_options,
		 .create = local_create, .config = local_config, .destroy = local_destroy);
