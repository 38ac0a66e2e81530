/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge network plugin: every pod of the node on one Linux bridge, with
 * an address from the node's pod range. This file is its descriptor, options
 * and operations.
 */
#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void *bridge_create(const struct cox_host *host, struct cox_error *err)
{
	struct bridge *bridge = cox_new(struct bridge);

	(void)err;
	bridge->host = host;
	bridge->directory = cox_strdup("/var/lib/coxswain/bridge");
	bridge->name = cox_strdup("cox0");
	bridge->masquerade = true;
	pthread_mutex_init(&bridge->lock, NULL);
	return bridge;
}

static const struct cox_option bridge_options[] = {
	{"directory", "/var/lib/coxswain/bridge", "where the addresses in use are kept",
	 COX_OPT_PATH, 0},
	{"bridge", "cox0", "name of the bridge", COX_OPT_STRING, 0},
	{"mtu", "0", "of the bridge and the pods' links; 0: the kernel's choice", COX_OPT_INT, 0},
	{"masquerade", "true", "whether pods leave the node under its address", COX_OPT_BOOL, 0},
	{"direct", "", "ranges to which pods go under their own address", COX_OPT_LIST, 0},
	{NULL, NULL, NULL, 0, 0}};

static int bridge_set_direct(struct bridge *bridge, const char *value, struct cox_error *err)
{
	bridge->direct_count = 0;
	while (*value) {
		size_t size = strcspn(value, ",");
		cox_autofree char *one = cox_strndup(value, size);

		if (bridge->direct_count == BRIDGE_MAX_RANGES)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "direct: more than %d ranges", BRIDGE_MAX_RANGES);
		if (bridge_parse_range(one, &bridge->direct[bridge->direct_count++]) != 0)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "direct: \"%s\" is no range like 10.0.0.0/8",
						  one);
		value += size + (value[size] == ',');
	}
	return 0;
}

static int bridge_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct bridge *bridge = self;
	char **text = strcmp(key, "directory") == 0 ? &bridge->directory : &bridge->name;

	if (strcmp(key, "direct") == 0)
		return bridge_set_direct(bridge, value, err);
	if (strcmp(key, "masquerade") == 0)
		return cox_parse_bool(value, &bridge->masquerade);
	if (strcmp(key, "mtu") == 0) {
		if (cox_parse_int(value, 0, 65535, &bridge->mtu) == 0 &&
		    (!bridge->mtu || bridge->mtu >= 576))
			return 0;
		return bridge->host->fail(err, COX_REASON_INVALID,
					  "mtu %s is not 0 or between 576 and 65535", value);
	}
	if (text == &bridge->name &&
	    (!*value || strlen(value) >= IFNAMSIZ || strpbrk(value, "/: \t%")))
		return bridge->host->fail(err, COX_REASON_INVALID,
					  "\"%s\" cannot be the name of a bridge", value);
	free(*text);
	*text = cox_strdup(value);
	return 0;
}

static int make_directory(struct bridge *bridge, const char *name, struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "%s/%s", bridge->directory, name);
	for (char *at = text.data + 1;; at++) {
		char kept = *at;

		if (kept && kept != '/')
			continue;
		*at = '\0';
		if (mkdir(text.data, 0755) != 0 && errno != EEXIST)
			return bridge_fail(bridge, err, "create %s", text.data);
		*at = kept;
		if (!kept)
			return 0;
	}
}

static int bridge_get_ready(void *self, struct cox_error *err)
{
	return make_directory(self, "addresses", err) || make_directory(self, "ports", err) ? -1
											    : 0;
}

static void bridge_destroy(void *self)
{
	struct bridge *bridge = self;

	pthread_mutex_destroy(&bridge->lock);
	free(bridge->directory);
	free(bridge->name);
	free(bridge);
}

static int bridge_ready(struct bridge *bridge, struct cox_error *err)
{
	if (bridge->ready)
		return 0;
	return bridge->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE,
				  "the node has no pod CIDR yet");
}

static int bridge_status(void *self, const struct cox_call *call, struct cox_error *err)
{
	struct bridge *bridge = self;

	(void)call;
	cox_lock_scope(&bridge->lock);
	return bridge_ready(bridge, err);
}

static int bridge_set_pod_cidrs(void *self, const struct cox_call *call, const char *const *cidrs,
				size_t count, struct cox_error *err)
{
	struct bridge *bridge = self;
	struct bridge_address ranges[BRIDGE_FAMILIES] = {{0}};

	(void)call;
	for (size_t i = 0; i < count; i++) {
		struct bridge_address range;
		int which;

		if (bridge_parse_range(cidrs[i], &range) != 0 ||
		    range.prefix + 2 > bridge_address_size(&range) * 8)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "\"%s\" is no range for pods", cidrs[i]);
		which = range.family == AF_INET ? 0 : 1;
		if (ranges[which].family)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "two ranges of one family: \"%s\"", cidrs[i]);
		ranges[which] = range;
	}
	if (!count)
		return bridge->host->fail(err, COX_REASON_INVALID, "no range for pods");
	cox_lock_scope(&bridge->lock);
	if (bridge->ready && memcmp(ranges, bridge->ranges, sizeof(ranges)) == 0)
		return 0;
	memcpy(bridge->ranges, ranges, sizeof(ranges));
	bridge->last[0] = bridge->last[1] = 0;
	bridge->ready = false;
	if (bridge_make(bridge, err) != 0 || bridge_write_rules(bridge, err) != 0)
		return -1;
	bridge->ready = true;
	return 0;
}

struct giving {
	struct bridge *bridge;
	const struct cox_network_sink *sink;
	size_t count;
	struct bridge_address addresses[BRIDGE_FAMILIES];
};

static int take_one(void *context, const char *text, const char *id)
{
	struct giving *giving = context;
	struct bridge_address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	int which = address.family == AF_INET ? 0 : 1;

	(void)id;
	if (inet_pton(address.family, text, address.bytes) != 1)
		return 0;
	address.prefix = giving->bridge->ranges[which].prefix;
	giving->addresses[which] = address;
	giving->count++;
	return 0;
}

/* IPv4 first: the primary address. */
static void give_addresses(const struct giving *giving)
{
	for (int i = 0; i < BRIDGE_FAMILIES; i++) {
		struct bridge_address gateway = bridge_gateway(&giving->bridge->ranges[i]);
		char text[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN] = "";
		struct cox_network_address address = {.address = text,
						      .gateway = via,
						      .prefix = giving->addresses[i].prefix,
						      .family = i == 0 ? 4 : 6};

		if (!giving->addresses[i].family)
			continue;
		bridge_format(&giving->addresses[i], text);
		if (giving->bridge->ranges[i].family)
			bridge_format(&gateway, via);
		if (giving->sink)
			giving->sink->address(giving->sink, &address);
	}
}

/* Opens the pod's namespace, which must not be our own. */
static int open_namespace(struct bridge *bridge, const char *path, struct cox_error *err)
{
	cox_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat own, pods;

	if (fd < 0 || fstat(fd, &pods) != 0 || stat("/proc/self/ns/net", &own) != 0)
		return bridge_fail(bridge, err, "network namespace \"%s\"", path);
	if (own.st_ino == pods.st_ino && own.st_dev == pods.st_dev)
		return bridge->host->fail(err, COX_REASON_INVALID,
					  "\"%s\" is the node's own network namespace", path);
	return cox_steal_fd(&fd);
}

/* Whether every range has given the sandbox an address. */
static bool complete(const struct giving *giving)
{
	for (int i = 0; i < BRIDGE_FAMILIES; i++)
		if (giving->bridge->ranges[i].family &&
		    (!giving->addresses[i].family ||
		     !bridge_in_range(&giving->bridge->ranges[i], &giving->addresses[i])))
			return false;
	return true;
}

static int set_up_new(struct bridge *bridge, const char *id, int namespace_fd,
		      struct giving *giving, struct cox_error *err)
{
	memset(giving->addresses, 0, sizeof(giving->addresses));
	/* What an attempt that was cut off left of it. */
	(void)bridge_forget_ports(bridge, id);
	if (bridge_disconnect(bridge, id, err) != 0 || bridge_release(bridge, id, err) != 0)
		return -1;
	for (int i = 0; i < BRIDGE_FAMILIES; i++)
		if (bridge->ranges[i].family &&
		    bridge_take_address(bridge, i, id, &giving->addresses[i], err) != 0)
			goto fail;
	if (bridge_connect(bridge, id, namespace_fd, giving->addresses, err) == 0)
		return 0;
fail:
	(void)bridge_disconnect(bridge, id, NULL);
	(void)bridge_release(bridge, id, NULL);
	return -1;
}

/* A pod without its ports is not set up at all. */
static int map_ports(struct bridge *bridge, const struct cox_network_sandbox *sandbox,
		     struct cox_error *err)
{
	if (bridge_keep_ports(bridge, sandbox, err) == 0 && bridge_write_rules(bridge, err) == 0)
		return 0;
	(void)bridge_forget_ports(bridge, sandbox->id);
	(void)bridge_disconnect(bridge, sandbox->id, NULL);
	(void)bridge_release(bridge, sandbox->id, NULL);
	return -1;
}

static int bridge_set_up(void *self, const struct cox_call *call,
			 const struct cox_network_sandbox *sandbox,
			 const struct cox_network_sink *sink, struct cox_error *err)
{
	struct bridge *bridge = self;
	struct giving giving = {.bridge = bridge, .sink = sink};
	cox_autoclose int fd = -1;

	(void)call;
	if (!*sandbox->id)
		return bridge->host->fail(err, COX_REASON_INVALID, "the sandbox has no id");
	cox_lock_scope(&bridge->lock);
	if (bridge_ready(bridge, err) != 0)
		return -1;
	fd = open_namespace(bridge, sandbox->network_namespace, err);
	if (fd < 0 || bridge_each_address(bridge, sandbox->id, take_one, &giving, err) != 0)
		return -1;
	if ((!complete(&giving) || !bridge_connected(sandbox->id, fd)) &&
	    set_up_new(bridge, sandbox->id, fd, &giving, err) != 0)
		return -1;
	if (sandbox->port_count && map_ports(bridge, sandbox, err) != 0)
		return -1;
	give_addresses(&giving);
	return 0;
}

static int bridge_tear_down(void *self, const struct cox_call *call,
			    const struct cox_network_sandbox *sandbox, struct cox_error *err)
{
	struct bridge *bridge = self;

	(void)call;
	cox_lock_scope(&bridge->lock);
	bridge->rules_old |= bridge_forget_ports(bridge, sandbox->id);
	if (bridge->rules_old && bridge->ready && bridge_write_rules(bridge, err) != 0)
		return -1;
	/* The link first: an address is free when nobody has it any more. */
	if (bridge_disconnect(bridge, sandbox->id, err) != 0)
		return -1;
	return bridge_release(bridge, sandbox->id, err);
}

static int bridge_addresses(void *self, const struct cox_call *call, const char *id,
			    const struct cox_network_sink *sink, struct cox_error *err)
{
	struct bridge *bridge = self;
	struct giving giving = {.bridge = bridge, .sink = sink};

	(void)call;
	cox_lock_scope(&bridge->lock);
	if (bridge_each_address(bridge, id, take_one, &giving, err) != 0)
		return -1;
	if (!giving.count)
		return bridge->host->fail(err, COX_REASON_NOT_FOUND,
					  "sandbox \"%.100s\" has no address", id);
	give_addresses(&giving);
	return 0;
}

struct cleaning {
	struct bridge *bridge;
	const char *const *ids;
	size_t count;
};

static bool is_alive(const struct cleaning *cleaning, const char *id)
{
	for (size_t i = 0; i < cleaning->count; i++)
		if (strcmp(cleaning->ids[i], id) == 0)
			return true;
	return false;
}

static int clean_ports(void *context, const char *id)
{
	struct cleaning *cleaning = context;

	if (!is_alive(cleaning, id))
		cleaning->bridge->rules_old |= bridge_forget_ports(cleaning->bridge, id);
	return 0;
}

static int clean_one(void *context, const char *address, const char *id)
{
	struct cleaning *cleaning = context;

	if (is_alive(cleaning, id))
		return 0;
	cleaning->bridge->host->log(cleaning->bridge->host->context, COX_LOG_INFO,
				    "%s is free again: its sandbox %.100s is gone", address, id);
	if (bridge_disconnect(cleaning->bridge, id, NULL) == 0)
		(void)bridge_release(cleaning->bridge, id, NULL);
	return 0;
}

static int bridge_reconcile(void *self, const struct cox_call *call, const char *const *ids,
			    size_t count, struct cox_error *err)
{
	struct bridge *bridge = self;
	struct cleaning cleaning = {bridge, ids, count};

	(void)call;
	cox_lock_scope(&bridge->lock);
	if (bridge_each_mapped(bridge, clean_ports, &cleaning, err) != 0 ||
	    (bridge->rules_old && bridge->ready && bridge_write_rules(bridge, err) != 0))
		return -1;
	return bridge_each_address(bridge, NULL, clean_one, &cleaning, err);
}

static const struct cox_network_ops bridge_ops = {
	.status = bridge_status,
	.set_pod_cidrs = bridge_set_pod_cidrs,
	.set_up = bridge_set_up,
	.tear_down = bridge_tear_down,
	.addresses = bridge_addresses,
	.reconcile = bridge_reconcile,
};

COX_NETWORK_PLUGIN(bridge_ops, .name = "bridge", .version = "1",
		   .description = "all pods of the node on one bridge",
		   .thread_model = COX_THREADS_PARALLEL, .flags = COX_EXCLUSIVE,
		   .options = bridge_options, .create = bridge_create, .config = bridge_config,
		   .get_ready = bridge_get_ready, .destroy = bridge_destroy);
