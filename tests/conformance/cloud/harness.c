/* SPDX-License-Identifier: Apache-2.0 */
/* The harness of the suites of cloud plugins; see the header. */
#include "harness.h"

#include <coxswain/kit/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 16 };

const struct cox_call no_call = {.struct_size = sizeof(no_call)};

static struct host *host;
static const char *plugin_name;
static const char *plugin_options[OPTIONS_MAX];
static size_t option_count;
static struct cloud current;

/* The daemon's side of config/personality.h, which the plugins of a test do without. */
int daemon_open_plugin(struct daemon *daemon, const char *kind, const char *name, const char *flag,
		       struct host_plugin **plugin, struct cox_error *err)
{
	(void)daemon;
	*plugin = host_open(host, kind, name, flag, err);
	return *plugin ? 0 : -1;
}

void harness_begin(const char *plugin, const char *const *options, size_t count)
{
	const char *build = getenv("builddir");
	cox_autobuf directory = COX_BUF_INIT;

	cox_buf_printf(&directory, "%s/plugins/.libs", build ? build : ".");
	host = host_new("kube-controller-manager", directory.data);
	plugin_name = plugin;
	for (size_t i = 0; i < count && i < OPTIONS_MAX; i++)
		plugin_options[option_count++] = options[i];
}

void harness_plugin(const char *plugin)
{
	plugin_name = plugin;
}

void harness_end(void)
{
	host_free(host);
}

static int set_up(const char *const *options, size_t count, struct cox_error *err)
{
	struct host_plugin *plugin = host_open(host, "cloud", plugin_name, "test", err);

	if (!plugin)
		return -1;
	current = (struct cloud){.plugin = plugin};
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchrnul(options[i], '=');
		cox_autofree char *key = cox_strndup(options[i], (size_t)(equals - options[i]));

		if (host_set_option(plugin, key, *equals ? equals + 1 : "", "test", err))
			return -1;
	}
	if (cloud_lend(&current, plugin, err) || host_configure(plugin, err))
		return -1;
	return cloud_start(&current, err);
}

const struct cox_cloud *cloud_with(const char *const *options, size_t count)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (set_up(options, count, &err))
		fail_msg("%s", error_text(&err));
	return cloud_table(&current);
}

const struct cox_cloud *cloud_begin(void)
{
	return cloud_with(plugin_options, option_count);
}

void cloud_end(void)
{
	cloud_close(&current);
}

int cloud_refuses(const char *const *options, size_t count, struct cox_error *err)
{
	int refused = set_up(options, count, err);

	cloud_close(&current);
	return refused;
}

static void quote(struct cox_buf *text)
{
	for (char *at = text->data; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
}

struct cox_cloud_balancer balancer_new(const char *name, const char *spec, const char *ingress)
{
	struct cox_cloud_balancer balancer = {.struct_size = sizeof(balancer),
					      .objects = &object_table,
					      .cluster = "conformance"};
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	cox_buf_printf(&text,
		       "{'kind':'Service','apiVersion':'v1','metadata':{'name':'%s','namespace':"
		       "'default','uid':'%s'},'spec':{'type':'LoadBalancer','ports':[{'port':80,"
		       "'protocol':'TCP','nodePort':30080}]%s%s},'status':{'loadBalancer':{"
		       "'ingress':[%s]}}}",
		       name, name, *spec ? "," : "", spec, ingress);
	quote(&text);
	balancer.name = cox_strdup(name);
	balancer.service = object_table.from_json(text.data, text.size, &err);
	if (!balancer.service)
		fail_msg("%s", error_text(&err));
	return balancer;
}

void balancer_free(struct cox_cloud_balancer *balancer)
{
	object_table.unref((struct cox_object *)balancer->service);
	free((char *)balancer->name);
}

struct taker {
	struct cox_cloud_ingress_sink sink;
	struct cox_buf *out;
};

static void take(const struct cox_cloud_ingress_sink *sink, const struct cox_cloud_ingress *ingress)
{
	struct cox_buf *out = ((const struct taker *)(const void *)sink)->out;

	/* One of the two, and with an address the way that packets come. */
	assert_true(!*ingress->ip != !*ingress->hostname);
	assert_true(!*ingress->ip || !strcmp(ingress->ip_mode, "VIP") ||
		    !strcmp(ingress->ip_mode, "Proxy"));
	if (*ingress->ip)
		cox_buf_printf(out, "%s/%s ", ingress->ip, ingress->ip_mode);
	else
		cox_buf_printf(out, "%s ", ingress->hostname);
}

typedef int operation(void *self, const struct cox_call *call,
		      const struct cox_cloud_balancer *balancer,
		      const struct cox_cloud_ingress_sink *sink, struct cox_error *err);

static int ask(operation *op, const struct cox_cloud *cloud,
	       const struct cox_cloud_balancer *balancer, struct cox_buf *out,
	       struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	const struct taker taker = {{sizeof(taker.sink), 0, take}, &text};
	int failed = op(cloud->self, &no_call, balancer, &taker.sink, err);

	if (out) {
		cox_buf_clear(out);
		cox_buf_str(out, cox_buf_cstr(&text));
	}
	return failed;
}

int ask_get(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer,
	    struct cox_buf *out, struct cox_error *err)
{
	return ask(cloud->ops->balancer_get, cloud, balancer, out, err);
}

int ask_ensure(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer,
	       struct cox_buf *out, struct cox_error *err)
{
	return ask(cloud->ops->balancer_ensure, cloud, balancer, out, err);
}

const char *ensured(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer)
{
	static char texts[4][256];
	static unsigned next;
	cox_autobuf text = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	char *out = texts[next++ % 4];

	if (ask_ensure(cloud, balancer, &text, &err))
		fail_msg("%s", error_text(&err));
	snprintf(out, sizeof(texts[0]), "%s", cox_buf_cstr(&text));
	return out;
}

void removed(const struct cox_cloud *cloud, const struct cox_cloud_balancer *balancer)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (cloud->ops->balancer_remove(cloud->self, &no_call, balancer, &err))
		fail_msg("%s", error_text(&err));
}

struct instance_taker {
	struct cox_cloud_instance_sink sink;
	struct cox_buf *out;
};

static const char *or_none(const char *text)
{
	return *text ? text : "-";
}

static void take_instance(const struct cox_cloud_instance_sink *sink,
			  const struct cox_cloud_instance *instance)
{
	struct cox_buf *out = ((const struct instance_taker *)(const void *)sink)->out;

	assert_int_equal(out->size, 0); /* once at the most */
	cox_buf_printf(out, "%s %s %s %s", or_none(instance->provider_id), or_none(instance->type),
		       or_none(instance->zone), or_none(instance->region));
	for (size_t i = 0; i < instance->address_count; i++)
		assert_true(*instance->addresses[i].type && *instance->addresses[i].address);
}

int ask_instance(const struct cox_cloud *cloud, const char *name, struct cox_buf *out,
		 struct cox_error *err)
{
	cox_autobuf text = COX_BUF_INIT;
	const struct instance_taker taker = {{sizeof(taker.sink), 0, take_instance}, out};
	struct cox_cloud_node node = {.struct_size = sizeof(node), .objects = &object_table};
	struct cox_object *object;
	int failed;

	cox_buf_printf(&text, "{\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\"}}", name);
	object = object_table.from_json(text.data, text.size, err);
	node.node = object;
	cox_buf_clear(out);
	failed = object ? cloud->ops->instance(cloud->self, &no_call, &node, &taker.sink, err) : -1;
	object_table.unref(object);
	return failed;
}
