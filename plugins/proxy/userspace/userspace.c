/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy of the first release: for every service port this process listens
 * on a random port, the nat table sends the service's address there, and the
 * bytes are copied to an endpoint. Slow beside what a kernel can do, and simple
 * to understand: netstat shows every connection twice.
 *
 * One thread puts back, every sync period, what others took from the tables.
 */
#include "userspace.h"

#include <arpa/inet.h>
#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { THREADS_MAX = 4, FILES_KEPT = 256, CONNECTIONS_MAX = 1 << 20 };

struct userspace {
	const struct cox_host *host;
	char *program;
	char *host_name;
	char *port_range;
	uint64_t sync_period;
	uint64_t udp_timeout;
	int64_t connections;
	struct rules_target target;
	struct iptables iptables;
	struct ports ports;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	bool stopping;
};

static const struct cox_option userspace_options[] = {
	{"bind-address", "0.0.0.0", "IPv4 address that proxied ports listen on", COX_OPT_STRING, 0},
	{"host-name", "", "Name of the node, if no default route tells its address", COX_OPT_STRING,
	 0},
	{"port-range", "", "Ports to proxy on, low-high; empty: any free one", COX_OPT_STRING, 0},
	{"sync-period", "5s", "Time between looks at the rules", COX_OPT_DURATION, 0},
	{"udp-timeout", "250ms", "How long a silent UDP client is remembered", COX_OPT_DURATION, 0},
	{"connections", "0", "Connections at a time; 0: as many as files may be open", COX_OPT_INT,
	 0},
	{"iptables", "/usr/sbin/iptables", "The program; -save and -restore lie beside it",
	 COX_OPT_PATH, 0},
	{NULL, NULL, NULL, 0, 0},
};

/* ---- configuration ---- */

static void *userspace_create(const struct cox_host *host, struct cox_error *err)
{
	struct userspace *proxy = cox_new(struct userspace);
	pthread_condattr_t attributes;

	(void)err;
	proxy->host = host;
	pthread_mutex_init(&proxy->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&proxy->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return proxy;
}

static int set_bind(struct userspace *proxy, const char *value, struct cox_error *err)
{
	if (inet_pton(AF_INET, value, &proxy->target.bind) != 1)
		return proxy->host->fail(err, COX_REASON_INVALID, "\"%s\" is no IPv4 address",
					 value);
	if (ntohl(proxy->target.bind.s_addr) >> 24 == IN_LOOPBACKNET)
		return proxy->host->fail(err, COX_REASON_INVALID, "cannot proxy on localhost");
	return 0;
}

static int userspace_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct userspace *proxy = self;

	if (!strcmp(key, "bind-address"))
		return set_bind(proxy, value, err);
	if (!strcmp(key, "host-name"))
		proxy->host_name = cox_strdup(value);
	else if (!strcmp(key, "port-range"))
		proxy->port_range = cox_strdup(value);
	else if (!strcmp(key, "sync-period"))
		proxy->sync_period = strtoull(value, NULL, 10);
	else if (!strcmp(key, "udp-timeout"))
		proxy->udp_timeout = strtoull(value, NULL, 10);
	else if (!strcmp(key, "connections"))
		proxy->connections = strtoll(value, NULL, 10);
	else
		proxy->program = cox_strdup(value);
	return 0;
}

static int read_range(struct userspace *proxy, struct cox_error *err)
{
	const char *text = proxy->port_range ? proxy->port_range : "";
	const char *dash = strchr(text, '-');
	cox_autofree char *first = dash ? cox_strndup(text, (size_t)(dash - text)) : NULL;
	int64_t low, high;

	if (!*text)
		return 0;
	if (!dash || cox_parse_int(first, 1, 65535, &low) ||
	    cox_parse_int(dash + 1, low, 65535, &high))
		return proxy->host->fail(err, COX_REASON_INVALID,
					 "port-range: want two ports as in 30000-32767, got \"%s\"",
					 text);
	proxy->ports.range_low = (uint16_t)low;
	proxy->ports.range_high = (uint16_t)high;
	return 0;
}

static int userspace_config_complete(void *self, struct cox_error *err)
{
	struct userspace *proxy = self;

	if (proxy->sync_period < 100 * MILLISECOND)
		return proxy->host->fail(err, COX_REASON_INVALID,
					 "sync-period: must be 100ms or more");
	if (proxy->udp_timeout < MILLISECOND)
		return proxy->host->fail(err, COX_REASON_INVALID,
					 "udp-timeout: must be 1ms or more");
	if (proxy->connections < 0 || proxy->connections > CONNECTIONS_MAX)
		return proxy->host->fail(err, COX_REASON_INVALID, "connections: must be 0 to %d",
					 CONNECTIONS_MAX);
	proxy->iptables = (struct iptables){proxy->host, proxy->program};
	proxy->ports.host = proxy->host;
	proxy->ports.bind = proxy->target.bind;
	return read_range(proxy, err);
}

/* ---- life ---- */

static int userspace_get_ready(void *self, struct cox_error *err)
{
	struct userspace *proxy = self;
	char text[INET_ADDRSTRLEN] = "";

	if (proxy->target.bind.s_addr != INADDR_ANY)
		return 0;
	if (address_of_host(proxy->host_name, &proxy->target.host))
		return proxy->host->fail(err, COX_REASON_INVALID,
					 "cannot tell the address of this machine: no interface "
					 "with an IPv4 address carries the default route; set "
					 "--bind-address, or --hostname-override to an address");
	proxy->host->log(proxy->host->context, COX_LOG_INFO, "Setting proxy IP to %s",
			 inet_ntop(AF_INET, &proxy->target.host, text, sizeof(text)));
	return 0;
}

/* Half of the files, since a stream has two; the rest are listeners and everything else. */
static uint32_t connection_limit(const struct userspace *proxy)
{
	struct rlimit files = {.rlim_cur = 1024};

	if (proxy->connections)
		return (uint32_t)proxy->connections;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur <= 2 * FILES_KEPT)
		return FILES_KEPT / 2;
	if (files.rlim_cur / 2 > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return (uint32_t)(files.rlim_cur / 2 - FILES_KEPT);
}

/* With the mutex held. */
static int write_rules(struct userspace *proxy, bool *changed, struct cox_error *err)
{
	cox_auto(rules_free) struct rules rules;

	rules_init(&rules);
	for (size_t i = 0; i < proxy->ports.all.count; i++) {
		const struct port *port = proxy->ports.all.items[i];

		if (port->exposed && port->listener)
			rules_add_port(&rules, &proxy->target, port);
	}
	return iptables_ensure(&proxy->iptables, &rules, changed, err);
}

static void resync(struct userspace *proxy)
{
	const struct cox_host *host = proxy->host;
	bool changed = false;

	ports_open(&proxy->ports);
	if (!write_rules(proxy, &changed, NULL) && changed)
		host->log(host->context, COX_LOG_WARNING,
			  "The rules of the nat table were not as they should be: put back");
}

static void *userspace_run(void *argument)
{
	struct userspace *proxy = argument;
	struct timespec when;

	pthread_mutex_lock(&proxy->mutex);
	while (!proxy->stopping) {
		uint64_t until = proxy->host->monotonic_ns() + proxy->sync_period;

		when = (struct timespec){.tv_sec = (time_t)(until / SECOND),
					 .tv_nsec = (long)(until % SECOND)};
		while (!proxy->stopping && proxy->host->monotonic_ns() < until)
			pthread_cond_timedwait(&proxy->changed, &proxy->mutex, &when);
		if (!proxy->stopping)
			resync(proxy);
	}
	pthread_mutex_unlock(&proxy->mutex);
	return NULL;
}

static int userspace_start(void *self, struct cox_error *err)
{
	struct userspace *proxy = self;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const struct relay_config config = {
		.host = proxy->host,
		.threads = cores < 1		 ? 1
			   : cores > THREADS_MAX ? THREADS_MAX
						 : (unsigned)cores,
		.connections = connection_limit(proxy),
		.udp_timeout = proxy->udp_timeout,
	};
	int failed;

	/* What a process before this one left: nobody listens there any more. */
	if (write_rules(proxy, NULL, err))
		return -1;
	proxy->ports.relay = relay_start(&config, err);
	if (!proxy->ports.relay)
		return -1;
	failed = pthread_create(&proxy->thread, NULL, userspace_run, proxy);
	if (!failed)
		return 0;
	relay_stop(cox_steal(proxy->ports.relay));
	return proxy->host->fail(err, COX_REASON_INTERNAL_ERROR, "start a thread: %s",
				 strerrordesc_np(failed));
}

/* The chains stay: the next process empties them when it starts. */
static void userspace_stop(void *self)
{
	struct userspace *proxy = self;

	pthread_mutex_lock(&proxy->mutex);
	proxy->stopping = true;
	pthread_cond_broadcast(&proxy->changed);
	pthread_mutex_unlock(&proxy->mutex);
	pthread_join(proxy->thread, NULL);
	relay_stop(cox_steal(proxy->ports.relay));
}

static void userspace_destroy(void *self)
{
	struct userspace *proxy = self;

	ports_free(&proxy->ports);
	pthread_cond_destroy(&proxy->changed);
	pthread_mutex_destroy(&proxy->mutex);
	free(proxy->program);
	free(proxy->host_name);
	free(proxy->port_range);
	free(proxy);
}

/* ---- operations ---- */

static int userspace_sync(void *self, const struct cox_call *call,
			  const struct cox_proxy_update *update, struct cox_error *err)
{
	struct userspace *proxy = self;

	(void)call;
	cox_lock_scope(&proxy->mutex);
	ports_update(&proxy->ports, update);
	return write_rules(proxy, NULL, err);
}

static int userspace_cleanup(void *self, const struct cox_call *call, struct cox_error *err)
{
	struct userspace *proxy = self;

	(void)call;
	return iptables_remove(&proxy->iptables, err);
}

static const struct cox_proxy_ops userspace_ops = {
	.sync = userspace_sync,
	.cleanup = userspace_cleanup,
};

COX_PROXY_PLUGIN(userspace_ops, .name = "userspace", .version = "1",
		 .description = "Copies the bytes of services in this process",
		 .thread_model = COX_THREADS_PER_INSTANCE, .flags = COX_EXCLUSIVE,
		 .options = userspace_options, .create = userspace_create,
		 .config = userspace_config, .config_complete = userspace_config_complete,
		 .get_ready = userspace_get_ready, .start = userspace_start, .stop = userspace_stop,
		 .destroy = userspace_destroy);
