/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "harness.h"

#include <coxswain/kit/cleanup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chain *rig_chain(struct rig *rig, const char *plugins, const char *policy,
			struct cox_error *err)
{
	cox_auto(policy_free) struct policy parsed = POLICY_INIT;
	struct chain *chain = chain_new();
	char names[128], *at = names, *name;
	int failed = 0;

	snprintf(names, sizeof(names), "%s", plugins);
	while (!failed && (name = strsep(&at, ","))) {
		struct host_plugin *plugin = host_open(rig->host, "scheduler", name, NULL, err);
		struct chain_member member;

		if (!plugin)
			fail_msg("%s", error_text(err));
		member = (struct chain_member){host_name(plugin), host_ops(plugin),
					       host_self(plugin), plugin};
		failed = chain_add(chain, &member, err) || host_configure(plugin, err);
	}
	if (!failed && policy)
		failed = policy_parse(&parsed, policy, strlen(policy), err);
	if (!failed && !chain_choose(chain, policy ? &parsed : NULL, err))
		return chain;
	chain_free(chain);
	return NULL;
}

void rig_open(struct rig *rig)
{
	const char *build = getenv("builddir");
	char directory[4096];

	snprintf(directory, sizeof(directory), "%s/plugins/.libs", build ? build : ".");
	*rig = (struct rig){.server = fake_server_new()};
	rig->client = fake_server_client(rig->server);
	rig->host = host_new("kube-scheduler", directory);
}

void rig_start(struct rig *rig, const char *plugins, const char *policy)
{
	const struct scheduler_options options = {.name = "default-scheduler"};
	cox_autoerror err = COX_ERROR_INIT;
	struct chain *chain = rig_chain(rig, plugins, policy, &err);

	if (chain)
		rig->scheduler = scheduler_new(rig->client, &options, &err);
	if (!rig->scheduler || scheduler_use(rig->scheduler, chain, &err) ||
	    scheduler_start(rig->scheduler, &err))
		fail_msg("%s", error_text(&err));
}

void rig_close(struct rig *rig)
{
	scheduler_free(rig->scheduler);
	host_free(rig->host);
	client_free(rig->client);
	fake_server_free(rig->server);
}

void put_node(struct rig *rig, const char *name, const char *labels, const char *spec)
{
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"labels\":{%s}},\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"4\","
		 "\"memory\":\"8Gi\",\"pods\":\"110\"},\"conditions\":[{\"type\":\"Ready\","
		 "\"status\":\"True\"}]}}",
		 name, labels, spec);
	fake_put(rig->server, "nodes", json);
}

void put_pod(struct rig *rig, const char *name, const char *labels, const char *spec)
{
	char json[2048];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\",\"labels\":{%s}},\"spec\":{\"schedulerName\":"
		 "\"default-scheduler\"%s}}",
		 name, labels, spec);
	fake_put(rig->server, "pods", json);
}

void node_of(struct rig *rig, const char *pod, char out[64])
{
	cox_autoobject *object = fake_get(rig->server, "pods", "n", pod);

	snprintf(out, 64, "%s", value_text(value_path(object_root(object), "spec.nodeName")));
}

bool is_on(struct rig *rig, const char *pod, const char *node)
{
	char on[64];

	node_of(rig, pod, on);
	return node ? !strcmp(on, node) : *on;
}

bool is_told(struct rig *rig, const char *pod, const char *message)
{
	cox_autoobject *object = fake_get(rig->server, "pods", "n", pod);
	const struct value *condition =
		value_at(value_path(object_root(object), "status.conditions"), 0);

	return value_string_is(value_get(condition, "type"), "PodScheduled") &&
	       value_string_is(value_get(condition, "status"), "False") &&
	       value_string_is(value_get(condition, "reason"), "Unschedulable") &&
	       value_string_is(value_get(condition, "message"), message);
}

bool has_event(struct rig *rig, const char *pod, const char *reason, const char *message)
{
	for (size_t i = 0; i < fake_count(rig->server, "events"); i++) {
		cox_autoobject *event = fake_at(rig->server, "events", i);
		const struct value *root = object_root(event);

		if (value_string_is(value_path(root, "involvedObject.name"), pod) &&
		    value_string_is(value_get(root, "reason"), reason) &&
		    value_string_is(value_get(root, "message"), message))
			return true;
	}
	return false;
}
