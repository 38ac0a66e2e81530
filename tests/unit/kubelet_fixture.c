/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "kubelet_fixture.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture at;

static const char *const volume_names[] = {"emptydir",	"hostpath",    "secret", "configmap",
					   "projected", "downwardapi", "local"};

/* Why a test fails: everything that the server has. */
void show(void)
{
	static const char *const resources[] = {"pods", "events"};

	for (size_t r = 0; r < 2; r++)
		for (size_t i = 0; i < fake_count(at.server, resources[r]); i++) {
			cox_autoobject *object = fake_at(at.server, resources[r], i);

			print_message("%.*s\n", (int)object_json(object).size,
				      (const char *)object_json(object).data);
		}
}

void start_kubelet(void)
{
	const struct kubelet_parts parts = {.config = &at.config,
					    .node_name = "node-a",
					    .client = at.client,
					    .runtime = at.runtime,
					    .volumes = at.volumes,
					    .volume_count = at.volume_count,
					    .port = 10250,
					    .housekeeping_period = at.housekeeping_period,
					    .progress_period = 10 * CLOCK_MILLISECOND,
					    .backoff_first = at.backoff_first,
					    .backoff_last = at.backoff_last};
	cox_autoerror err = COX_ERROR_INIT;

	at.kubelet = kubelet_new(&parts, &err);
	if (!at.kubelet || kubelet_start(at.kubelet, &err))
		fail_msg("%s", error_text(&err));
}

void stop_kubelet(void)
{
	kubelet_stop(at.kubelet);
	kubelet_free(at.kubelet);
	at.kubelet = NULL;
}

void begin(const char *const *options)
{
	const char *build = getenv("builddir");
	char plugins[4096];
	cox_autoerror err = COX_ERROR_INIT;

	memset(&at, 0, sizeof(at));
	snprintf(at.directory, sizeof(at.directory), "/tmp/coxswain-kubelet.XXXXXX");
	assert_non_null(mkdtemp(at.directory));
	snprintf(at.logs, sizeof(at.logs), "%s/logs", at.directory);
	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", build ? build : ".");
	at.server = fake_server_new();
	at.client = fake_server_client(at.server);
	at.host = host_new("kubelet", plugins);
	at.runtime = host_open(at.host, "runtime", "hollow", "test", &err);
	for (; at.runtime && options && *options; options += 2)
		if (host_set_option(at.runtime, options[0], options[1], "test", &err))
			fail_msg("%s", error_text(&err));
	if (!at.runtime || host_configure(at.runtime, &err) || host_get_ready(at.runtime, &err) ||
	    host_start(at.runtime, &err))
		fail_msg("%s", error_text(&err));
	for (size_t i = 0; i < sizeof(volume_names) / sizeof(volume_names[0]); i++) {
		struct host_plugin *plugin =
			host_open(at.host, "volume", volume_names[i], "test", &err);

		if (!plugin || host_configure(plugin, &err) || host_get_ready(plugin, &err) ||
		    host_start(plugin, &err))
			fail_msg("%s", error_text(&err));
		at.volumes[at.volume_count++] = plugin;
	}
	at.config = (struct kubelet_config){
		.register_node = true,
		.node_ip = "10.0.0.9",
		.max_pods = 110,
		.root_dir = at.directory,
		.pod_logs_dir = at.logs,
		.node_status_update_frequency = 10 * CLOCK_SECOND,
		.sync_frequency = CLOCK_SECOND,
		.master_service_namespace = "default",
		.cluster_domain = "cluster.local",
		.resolv_conf = "",
		.maximum_dead_containers_per_container = 2,
		.maximum_dead_containers = 100,
		.image_gc_high_threshold = 80,
		.image_gc_low_threshold = 50,
		.container_log_max_size_mb = 1,
		.container_log_max_files = 2,
		.seccomp_profile_root = "",
		.serialize_image_pulls = true,
	};
	at.housekeeping_period = 20 * CLOCK_MILLISECOND;
	at.backoff_first = 300 * CLOCK_MILLISECOND;
	at.backoff_last = CLOCK_SECOND;
	start_kubelet();
}

void end(void)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (at.kubelet)
		stop_kubelet();
	host_close(at.runtime);
	for (size_t i = 0; i < at.volume_count; i++)
		host_close(at.volumes[i]);
	host_free(at.host);
	client_free(at.client);
	fake_server_free(at.server);
	if (subpath_unmount_all(at.directory, &err) || rmdir(at.directory) != 0)
		fail_msg("remove %s: %s", at.directory, error_text(&err));
}

/* A pod of this node: `spec` is what stands beside nodeName. */
void put_pod(const char *name, const char *metadata, const char *spec)
{
	char json[4096];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\"%s},\"spec\":{\"nodeName\":\"node-a\",%s}}",
		 name, metadata, spec);
	fake_put(at.server, "pods", json);
}

void delete_pod(const char *name, int64_t grace)
{
	char patch[128];
	struct client_request request = {.verb = CLIENT_PATCH,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = "n",
					 .name = name,
					 .body = patch,
					 .content_type = CLIENT_MERGE_PATCH};

	snprintf(patch, sizeof(patch),
		 "{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
		 "\"deletionGracePeriodSeconds\":%d}}",
		 (int)grace);
	request.body_size = strlen(patch);
	if (client_call(at.client, &request, NULL, NULL))
		fail_msg("delete %s", name);
}

/* Whether the text at `path` of the pod is this. */
bool pod_has(const char *name, const char *path, const char *text)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *value = pod ? object_path(object_root(pod), path) : NULL;

	return value && !strcmp(value_text(value), text);
}

bool pod_number(const char *name, const char *path, int64_t least)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *value = pod ? object_path(object_root(pod), path) : NULL;

	return value_is(value, VALUE_INT) && value->integer >= least;
}

bool condition_is(const char *name, const char *type, const char *status)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *list = pod ? object_path(object_root(pod), "status.conditions") : NULL;
	const struct value *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "type"), type))
			return !strcmp(value_get_text(one, "status"), status);
	return false;
}

/* An event about the pod, of that reason, whose member has the text or begins with it. */
static bool event_has(const char *pod, const char *reason, const char *member, const char *text,
		      bool whole)
{
	size_t size = strlen(text) + whole; /* with the zero byte */

	for (size_t i = 0; i < fake_count(at.server, "events"); i++) {
		cox_autoobject *event = fake_at(at.server, "events", i);
		const struct value *root = object_root(event);

		if (!strcmp(value_text(object_path(root, "involvedObject.name")), pod) &&
		    !strcmp(value_get_text(root, "reason"), reason) &&
		    !strncmp(value_text(object_path(root, member)), text, size))
			return true;
	}
	return false;
}

bool event_said(const char *pod, const char *reason, const char *message)
{
	return event_has(pod, reason, "message", message, true);
}

bool event_of(const char *pod, const char *reason, const char *part)
{
	return event_has(pod, reason, "involvedObject.fieldPath", part, true);
}

bool event_begins(const char *name, const char *reason, const char *message)
{
	return event_has(name, reason, "message", message, false);
}

/* When it was said, as the names of events tell; 0: not yet. */
uint64_t said_at(const char *pod, const char *reason, const char *message)
{
	for (size_t i = 0; i < fake_count(at.server, "events"); i++) {
		cox_autoobject *event = fake_at(at.server, "events", i);
		const struct value *root = object_root(event);

		if (!strcmp(value_text(object_path(root, "involvedObject.name")), pod) &&
		    !strcmp(value_get_text(root, "reason"), reason) &&
		    !strcmp(value_get_text(root, "message"), message))
			return strtoull(strrchr(object_name(event), '.') + 1, NULL, 16);
	}
	return 0;
}

bool has_synced_pods(size_t count)
{
	cox_lock_scope(&at.kubelet->lock);
	return at.kubelet->synced && at.kubelet->pods.count == count;
}
