/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet with the hollow runtime and the fake API server: what becomes of
 * pods, and what people are told of it.
 */
#include "unit.h"

#include "base/clock.h"
#include "host/host.h"
#include "kubelet/kubelet.h"
#include "kubelet/pod_worker.h"
#include "kubelet/sources.h"
#include "kubelet/volumes.h"
#include "lib/eventually.h"
#include "lib/fake_server.h"

#include <coxswain/kit/cleanup.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef eventually
#define eventually(condition) eventually_or(condition, show())

static struct fixture {
	struct fake_server *server;
	struct client *client;
	struct host *host;
	struct host_plugin *runtime;
	struct host_plugin *volumes[6];
	size_t volume_count;
	struct kubelet_config config;
	struct kubelet *kubelet;
	uint64_t housekeeping_period;
	char directory[64], logs[80];
} at;

/* Why a test fails: everything that the server has. */
static void show(void)
{
	static const char *const resources[] = {"pods", "events"};

	for (size_t r = 0; r < 2; r++)
		for (size_t i = 0; i < fake_count(at.server, resources[r]); i++) {
			cox_autoobject *object = fake_at(at.server, resources[r], i);

			print_message("%.*s\n", (int)object_json(object).size,
				      (const char *)object_json(object).data);
		}
}

static void start_kubelet(void)
{
	const struct kubelet_parts parts = {.config = &at.config,
					    .node_name = "node-a",
					    .client = at.client,
					    .runtime = at.runtime,
					    .volumes = at.volumes,
					    .volume_count = at.volume_count,
					    .port = 10250,
					    .housekeeping_period = at.housekeeping_period,
					    .backoff_first = 300 * CLOCK_MILLISECOND,
					    .backoff_last = CLOCK_SECOND};
	cox_autoerror err = COX_ERROR_INIT;

	at.kubelet = kubelet_new(&parts, &err);
	if (!at.kubelet || kubelet_start(at.kubelet, &err))
		fail_msg("%s", error_text(&err));
}

static void stop_kubelet(void)
{
	kubelet_stop(at.kubelet);
	kubelet_free(at.kubelet);
	at.kubelet = NULL;
}

static const char *const volume_names[] = {"emptydir",	"hostpath",  "secret",
					   "configmap", "projected", "downwardapi"};

static void begin(const char *const *options)
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
	start_kubelet();
}

static void end(void)
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
static void put_pod(const char *name, const char *metadata, const char *spec)
{
	char json[4096];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"n\"%s},\"spec\":{\"nodeName\":\"node-a\",%s}}",
		 name, metadata, spec);
	fake_put(at.server, "pods", json);
}

/* Whether the text at `path` of the pod is this. */
static bool pod_has(const char *name, const char *path, const char *text)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *value = pod ? object_path(object_root(pod), path) : NULL;

	return value && !strcmp(value_text(value), text);
}

static bool pod_number(const char *name, const char *path, int64_t least)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *value = pod ? object_path(object_root(pod), path) : NULL;

	return value_is(value, VALUE_INT) && value->integer >= least;
}

static bool condition_is(const char *name, const char *type, const char *status)
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *list = pod ? object_path(object_root(pod), "status.conditions") : NULL;
	const struct value *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "type"), type))
			return !strcmp(value_get_text(one, "status"), status);
	return false;
}

static bool event_said(const char *pod, const char *reason, const char *message)
{
	for (size_t i = 0; i < fake_count(at.server, "events"); i++) {
		cox_autoobject *event = fake_at(at.server, "events", i);
		const struct value *root = object_root(event);

		if (!strcmp(value_text(object_path(root, "involvedObject.name")), pod) &&
		    !strcmp(value_get_text(root, "reason"), reason) &&
		    !strcmp(value_get_text(root, "message"), message))
			return true;
	}
	return false;
}

static bool event_of(const char *pod, const char *reason, const char *part)
{
	for (size_t i = 0; i < fake_count(at.server, "events"); i++) {
		cox_autoobject *event = fake_at(at.server, "events", i);
		const struct value *root = object_root(event);

		if (!strcmp(value_text(object_path(root, "involvedObject.name")), pod) &&
		    !strcmp(value_get_text(root, "reason"), reason) &&
		    !strcmp(value_text(object_path(root, "involvedObject.fieldPath")), part))
			return true;
	}
	return false;
}

static bool event_begins(const char *name, const char *reason, const char *message)
{
	for (size_t i = 0; i < fake_count(at.server, "events"); i++) {
		cox_autoobject *event = fake_at(at.server, "events", i);
		const struct value *root = object_root(event);

		if (!strcmp(value_text(object_path(root, "involvedObject.name")), name) &&
		    !strcmp(value_get_text(root, "reason"), reason) &&
		    !strncmp(value_get_text(root, "message"), message, strlen(message)))
			return true;
	}
	return false;
}

static bool event_said_about(const char *pod, const char *reason)
{
	cox_autoobject *object = fake_get(at.server, "pods", "n", pod);
	char text[256];

	snprintf(text, sizeof(text), "Back-off restarting failed container c in pod %s_n(%s)", pod,
		 object_uid(object));
	return event_said(pod, reason, text);
}

static bool node_said(const char *reason, const char *message)
{
	return event_said("node-a", reason, message);
}

static bool node_condition(const char *type, const char *status)
{
	cox_autoobject *node = fake_get(at.server, "nodes", "", "node-a");
	const struct value *list =
		node ? object_path(object_root(node), "status.conditions") : NULL;
	const struct value *one;

	for (size_t i = 0; (one = value_at(list, i)); i++)
		if (!strcmp(value_get_text(one, "type"), type))
			return !strcmp(value_get_text(one, "status"), status);
	return false;
}

static void test_node_tells(void **state)
{
	static char disk[] = "nodefs.available<100%", memory[] = "memory.available<1Ki";
	static char *limits[] = {disk, memory};
	cox_autoobject *node = NULL;
	const struct value *root;

	(void)state;
	begin(NULL);
	eventually(node_said("NodeReady", "Node node-a status is now: NodeReady"));
	at.config.node_status_update_frequency = 20 * CLOCK_MILLISECOND;
	stop_kubelet();
	start_kubelet();
	eventually(node_said("Starting", "Starting kubelet."));
	eventually(node_said("NodeReady", "Node node-a status is now: NodeReady"));
	eventually(node_said("NodeHasNoDiskPressure",
			     "Node node-a status is now: NodeHasNoDiskPressure"));
	assert_false(event_begins("node-a", "Rebooted", ""));
	put_pod("web", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	/* Its images, for the scheduler. */
	eventually((object_unref(node), node = fake_get(at.server, "nodes", "", "node-a"),
		    root = object_root(node),
		    !strcmp(value_text(object_path(root, "status.images[0].names[0]")), "i")));
	assert_int_equal(object_path(root, "status.images[0].sizeBytes")->integer, 3000000);
	/* Another boot id than the one that was told last. */
	stop_kubelet();
	fake_put(at.server, "nodes",
		 "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"node-a\"},"
		 "\"spec\":{\"unschedulable\":true},\"status\":{\"nodeInfo\":{\"bootID\":\"old\"},"
		 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\"}]}}");
	at.config.eviction_hard = (struct flag_list){limits, 2};
	start_kubelet();
	eventually(node_condition("DiskPressure", "True"));
	assert_true(node_condition("MemoryPressure", "False"));
	eventually(
		node_said("NodeHasDiskPressure", "Node node-a status is now: NodeHasDiskPressure"));
	eventually(
		node_said("NodeNotSchedulable", "Node node-a status is now: NodeNotSchedulable"));
	eventually(event_begins("node-a", "Rebooted", "Node node-a has been rebooted, boot id: "));
	/* What is here stays, what comes is refused. */
	put_pod("late", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("late", "status.reason", "Evicted"));
	assert_true(pod_has("late", "status.message",
			    "Pod was rejected: The node had condition: [DiskPressure]. "));
	assert_true(pod_has("web", "status.phase", "Running"));
	end();
}

static void test_node(void **state)
{
	cox_autoobject *node = NULL, *lease = NULL;
	const struct value *root;

	(void)state;
	begin(NULL);
	eventually((object_unref(node), node = fake_get(at.server, "nodes", "", "node-a")) &&
		   object_path(object_root(node), "status.conditions"));
	root = object_root(node);
	assert_string_equal(
		value_text(object_path(root, "metadata.labels[\"kubernetes.io/hostname\"]")),
		"node-a");
	assert_string_equal(value_text(object_path(root, "status.addresses[0].type")),
			    "InternalIP");
	assert_string_equal(value_text(object_path(root, "status.addresses[0].address")),
			    "10.0.0.9");
	assert_string_equal(value_text(object_path(root, "status.addresses[1].address")), "node-a");
	assert_string_equal(value_text(object_path(root, "status.capacity.pods")), "110");
	assert_string_equal(value_text(object_path(root, "status.conditions[3].type")), "Ready");
	assert_string_equal(value_text(object_path(root, "status.conditions[3].status")), "True");
	assert_string_equal(value_text(object_path(root, "status.conditions[3].message")),
			    "kubelet is posting ready status");
	eventually((object_unref(lease),
		    lease = fake_get(at.server, "leases", "kube-node-lease", "node-a")) != NULL);
	assert_string_equal(value_text(object_path(object_root(lease), "spec.holderIdentity")),
			    "node-a");
	end();
}

static void test_life(void **state)
{
	char patch[] = "{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\","
		       "\"deletionGracePeriodSeconds\":30}}";
	struct client_request request = {.verb = CLIENT_PATCH,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = "n",
					 .name = "web",
					 .body = patch,
					 .body_size = strlen(patch),
					 .content_type = CLIENT_MERGE_PATCH};

	(void)state;
	begin(NULL);
	put_pod("web", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"b\",\"image\":\"nginx\"},"
		"{\"name\":\"a\",\"image\":\"redis\"}]");
	eventually(pod_has("web", "status.phase", "Running"));
	eventually(condition_is("web", "Ready", "True"));
	assert_true(condition_is("web", "Initialized", "True"));
	assert_true(condition_is("web", "ContainersReady", "True"));
	assert_true(condition_is("web", "PodScheduled", "True"));
	assert_true(pod_has("web", "status.podIP", "10.0.0.9"));
	assert_true(pod_has("web", "status.containerStatuses[0].name", "a"));
	assert_true(pod_has("web", "status.containerStatuses[1].name", "b"));
	eventually(event_said("web", "Pulled",
			      "Container image \"nginx\" already present on machine and can be "
			      "accessed by the pod"));
	eventually(event_said("web", "Created", "Container created"));
	eventually(event_said("web", "Started", "Container started"));
	/* Each container has events of its own. */
	eventually(event_of("web", "Started", "spec.containers{a}") &&
		   event_of("web", "Started", "spec.containers{b}"));
	if (client_call(at.client, &request, NULL, NULL))
		fail_msg("delete");
	eventually(fake_count(at.server, "pods") == 0);
	eventually(event_said("web", "Killing", "Stopping container a"));
	end();
}

static void test_ends(void **state)
{
	(void)state;
	begin(NULL);
	put_pod("good", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\"]}]");
	put_pod("bad", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=3\"]}]");
	eventually(pod_has("good", "status.phase", "Succeeded"));
	eventually(pod_has("bad", "status.phase", "Failed"));
	assert_true(pod_has("good", "status.containerStatuses[0].state.terminated.reason",
			    "Completed"));
	assert_true(pod_number("bad", "status.containerStatuses[0].state.terminated.exitCode", 3));
	end();
}

static void test_crash_loop(void **state)
{
	(void)state;
	begin(NULL);
	put_pod("loop", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=1\"]}]");
	eventually(pod_has("loop", "status.containerStatuses[0].state.waiting.reason",
			   "CrashLoopBackOff"));
	eventually(pod_number("loop", "status.containerStatuses[0].restartCount", 3));
	assert_true(pod_has("loop", "status.phase", "Running"));
	eventually(condition_is("loop", "Ready", "False"));
	eventually(event_said_about("loop", "BackOff"));
	end();
}

static void test_init(void **state)
{
	(void)state;
	begin(NULL);
	put_pod("init", "",
		"\"restartPolicy\":\"Always\",\"initContainers\":[{\"name\":\"one\",\"image\":"
		"\"i\","
		"\"args\":[\"exit-after=10ms\"]},{\"name\":\"side\",\"image\":\"i\","
		"\"restartPolicy\":\"Always\"}],\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("init", "status.phase", "Running"));
	eventually(condition_is("init", "Ready", "True"));
	assert_true(pod_has("init", "status.initContainerStatuses[0].state.terminated.reason",
			    "Completed"));
	end();
	begin(NULL);
	put_pod("broken", "",
		"\"restartPolicy\":\"Never\",\"initContainers\":[{\"name\":\"one\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=2\"]}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("broken", "status.phase", "Failed"));
	end();
}

static void test_images(void **state)
{
	static const char *const options[] = {"images-present", "false", "failing-images", "lost",
					      NULL};

	(void)state;
	begin(options);
	put_pod("pulled", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"there\"}"
		"]");
	put_pod("never", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"gone\","
		"\"imagePullPolicy\":\"Never\"}]");
	put_pod("lost", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"lost\"}"
		"]");
	eventually(pod_has("pulled", "status.phase", "Running"));
	eventually(event_said("pulled", "Pulling", "Pulling image \"there\""));
	eventually(pod_has("never", "status.containerStatuses[0].state.waiting.reason",
			   "ErrImageNeverPull"));
	eventually(pod_has("lost", "status.containerStatuses[0].state.waiting.reason",
			   "ImagePullBackOff"));
	eventually(
		event_said("lost", "Failed",
			   "Failed to pull image \"lost\": lost: the registry does not have it"));
	eventually(event_said("lost", "Failed", "Error: ErrImagePull"));
	eventually(event_said("lost", "BackOff", "Back-off pulling image \"lost\""));
	end();
}

static void test_probes(void **state)
{
	char ready[100], spec[1024];
	FILE *file;

	(void)state;
	begin(NULL);
	snprintf(ready, sizeof(ready), "%s/ready", at.directory);
	snprintf(spec, sizeof(spec),
		 "\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		 "\"readinessProbe\":{\"exec\":{\"command\":[\"exists=%s\"]},\"periodSeconds\":1,"
		 "\"failureThreshold\":1}}]",
		 ready);
	put_pod("slow", "", spec);
	put_pod("sick", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"livenessProbe\":{\"exec\":{\"command\":[\"exit-code=1\"]},\"periodSeconds\":1,"
		"\"failureThreshold\":1}}]");
	eventually(pod_has("slow", "status.phase", "Running"));
	assert_true(condition_is("slow", "Ready", "False"));
	file = fopen(ready, "we");
	assert_non_null(file);
	fclose(file);
	eventually(condition_is("slow", "Ready", "True"));
	assert_int_equal(unlink(ready), 0);
	eventually(condition_is("slow", "Ready", "False"));
	eventually(pod_number("sick", "status.containerStatuses[0].restartCount", 1));
	eventually(event_said("sick", "Unhealthy", "Liveness probe failed: exit-code=1\n"));
	eventually(event_said("sick", "Killing",
			      "Container c failed liveness probe, will be restarted"));
	end();
}

static void test_admission(void **state)
{
	(void)state;
	begin(NULL);
	put_pod("huge", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"resources\":{\"requests\":{\"cpu\":\"100000\"}}}]");
	put_pod("elsewhere", "",
		"\"restartPolicy\":\"Always\",\"nodeSelector\":{\"disk\":\"ssd\"},"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("huge", "status.reason", "OutOfcpu"));
	assert_true(pod_has("huge", "status.phase", "Failed"));
	put_pod("first", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"ports\":[{\"containerPort\":80,\"hostPort\":8080,\"protocol\":\"TCP\"}]}]");
	eventually(pod_has("first", "status.phase", "Running"));
	put_pod("second", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"ports\":[{\"containerPort\":80,\"hostPort\":8080,\"protocol\":\"TCP\"}]}]");
	eventually(pod_has("second", "status.reason", "NodePorts"));
	end();
}

/* It has seen what there is, and keeps a record of `count` pods. */
static bool has_synced_pods(size_t count)
{
	cox_lock_scope(&at.kubelet->lock);
	return at.kubelet->synced && at.kubelet->pods.count == count;
}

/* How many sandboxes the runtime has of it. */
static size_t sandbox_count(const char *pod)
{
	cox_autoobject *object = fake_get(at.server, "pods", "n", pod);
	struct view view = {.arena = ARENA_INIT};
	cox_autoerror err = COX_ERROR_INIT;
	size_t count;

	if (view_read(at.kubelet, object_uid(object), &view, &err))
		fail_msg("%s", error_text(&err));
	count = view.sandboxes.count;
	view_free(&view);
	return count;
}

/* A kubelet that comes back finds its containers, and ends what is not wanted. */
static void test_recovery(void **state)
{
	char id[256];
	cox_autoobject *before = NULL;

	(void)state;
	begin(NULL);
	put_pod("kept", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	put_pod("orphan", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(condition_is("kept", "Ready", "True"));
	eventually(condition_is("orphan", "Ready", "True"));
	stop_kubelet();
	before = fake_get(at.server, "pods", "n", "kept");
	snprintf(id, sizeof(id), "%s",
		 value_text(object_path(object_root(before),
					"status.containerStatuses[0].containerID")));
	fake_remove(at.server, "pods", "n", "orphan");
	start_kubelet();
	eventually(has_synced_pods(1));
	assert_true(pod_has("kept", "status.containerStatuses[0].containerID", id));
	stop_kubelet();
	at.config.stop_pods_on_exit = true;
	start_kubelet();
	eventually(has_synced_pods(1));
	put_pod("over", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=1ms\"]}]");
	eventually(pod_has("over", "status.phase", "Succeeded"));
	assert_true(sandbox_count("over") > 0);
	stop_kubelet();
	assert_true(pod_has("kept", "status.phase", "Failed"));
	assert_true(
		pod_number("kept", "status.containerStatuses[0].state.terminated.exitCode", 143));
	/* Pods that ended long before leave nothing either, and end as they did. */
	assert_true(pod_has("over", "status.phase", "Succeeded"));
	start_kubelet();
	eventually(has_synced_pods(2));
	assert_int_equal(sandbox_count("kept"), 0);
	assert_int_equal(sandbox_count("over"), 0);
	end();
}

/* What a file below the pod's directory says; "" if it is not there. */
static const char *volume_text(const char *pod, const char *path, char text[256])
{
	cox_autoobject *object = fake_get(at.server, "pods", "n", pod);
	cox_autobuf name = COX_BUF_INIT;
	cox_autofclose FILE *file = NULL;
	size_t size;

	cox_buf_printf(&name, "%s/pods/%s/%s", at.directory, object_uid(object), path);
	file = fopen(name.data, "re");
	size = file ? fread(text, 1, 255, file) : 0;
	text[size] = '\0';
	return text;
}

static void test_volumes(void **state)
{
	static const char spec[] =
		"\"restartPolicy\":\"Always\",\"volumes\":["
		"{\"name\":\"scratch\",\"emptyDir\":{}},"
		"{\"name\":\"s\",\"secret\":{\"secretName\":\"password\",\"defaultMode\":256}},"
		"{\"name\":\"c\",\"configMap\":{\"name\":\"settings\"}},"
		"{\"name\":\"d\",\"downwardAPI\":{\"items\":[{\"path\":\"who\",\"fieldRef\":"
		"{\"fieldPath\":\"metadata.name\"}}]}},"
		"{\"name\":\"p\",\"projected\":{\"sources\":[{\"configMap\":{\"name\":"
		"\"settings\",\"items\":[{\"key\":\"color\",\"path\":\"deep/color\"}]}}]}}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":["
		"{\"name\":\"c\",\"mountPath\":\"/c\"},{\"name\":\"scratch\",\"mountPath\":"
		"\"/part\",\"subPath\":\"a/b\"}]}]";
	char text[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(NULL);
	put_pod("vol", "", spec);
	eventually(event_said("vol", "FailedMount",
			      "MountVolume.SetUp failed for volume \"s\" : secret \"password\" "
			      "not found"));
	fake_put(at.server, "secrets",
		 "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"password\",\"namespace\":\"n\"},\"data\":{\"word\":\"b3Blbg==\"}}");
	fake_put(at.server, "configmaps",
		 "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"settings\",\"namespace\":\"n\"},\"data\":{\"color\":\"red\"}}");
	eventually(pod_has("vol", "status.phase", "Running"));
	assert_string_equal(volume_text("vol", "volumes/kubernetes.io~secret/s/word", text),
			    "open");
	assert_string_equal(
		volume_text("vol", "volumes/kubernetes.io~configmap/c/..data/color", text), "red");
	assert_string_equal(volume_text("vol", "volumes/kubernetes.io~downward-api/d/who", text),
			    "vol");
	assert_string_equal(
		volume_text("vol", "volumes/kubernetes.io~projected/p/deep/color", text), "red");
	fake_remove(at.server, "pods", "n", "vol");
	eventually(has_synced_pods(0));
	end();
}

/* ---- ends of pods ---- */

/* When it was said, as the names of events tell; 0: not yet. */
static uint64_t said_at(const char *pod, const char *reason, const char *message)
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

static void delete_pod(const char *name, int64_t grace)
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

/* Sidecars serve the others to their end, and end in the order they did not begin. */
static void test_sidecars_last(void **state)
{
	uint64_t main_end, late_end, early_end;

	(void)state;
	begin(NULL);
	put_pod("p", "",
		"\"restartPolicy\":\"Always\",\"initContainers\":["
		"{\"name\":\"early\",\"image\":\"i\",\"restartPolicy\":\"Always\",\"args\":["
		"\"deaf\"]},"
		"{\"name\":\"late\",\"image\":\"i\",\"restartPolicy\":\"Always\",\"args\":["
		"\"deaf\"]}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"args\":[\"deaf\"]}]");
	eventually(condition_is("p", "Ready", "True"));
	delete_pod("p", 1);
	eventually(fake_count(at.server, "pods") == 0);
	eventually(said_at("p", "Killing", "Stopping container early"));
	main_end = said_at("p", "Killing", "Stopping container c");
	late_end = said_at("p", "Killing", "Stopping container late");
	early_end = said_at("p", "Killing", "Stopping container early");
	/* Each was deaf for the second it had. */
	assert_true(main_end + 900 * CLOCK_MILLISECOND < late_end);
	assert_true(late_end + 900 * CLOCK_MILLISECOND < early_end);
	end();
}

static void test_messages(void **state)
{
	(void)state;
	begin(NULL);
	put_pod("told", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"terminationMessagePolicy\":\"FallbackToLogsOnError\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=3\",\"say=no such table\"]}]");
	put_pod("mute", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=3\",\"say=no such table\"]}]");
	eventually(pod_has("told", "status.phase", "Failed"));
	eventually(pod_has("told", "status.containerStatuses[0].state.terminated.message",
			   "no such table\n"));
	eventually(pod_has("mute", "status.phase", "Failed"));
	assert_false(pod_has("mute", "status.containerStatuses[0].state.terminated.message",
			     "no such table\n"));
	end();
}

/* What pods ask of the machine itself. */
static void test_host(void **state)
{
	static char pattern[] = "net.core.*", file[] = "file";
	static char *patterns[] = {pattern}, *sources[] = {file};
	static const struct {
		const char *name, *spec, *message;
	} bad[] = {
		{"kernel",
		 "\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.core_pattern\","
		 "\"value\":\"x\"}]}",
		 "Pod was rejected: forbidden sysctl: \"kernel.core_pattern\" not allowlisted"},
		{"net",
		 "\"hostIPC\":true,\"securityContext\":{\"sysctls\":[{\"name\":"
		 "\"kernel.shm_rmid_forced\",\"value\":\"1\"}]}",
		 "Pod was rejected: pod specified host IPC, but is disallowed"},
		{"slash",
		 "\"securityContext\":{\"sysctls\":[{\"name\":\"vm/swappiness\","
		 "\"value\":\"1\"}]}",
		 "Pod was rejected: forbidden sysctl: \"vm/swappiness\" not allowlisted"},
	};
	char spec[1024];

	(void)state;
	begin(NULL);
	at.config.allowed_unsafe_sysctls = (struct flag_list){patterns, 1};
	at.config.host_ipc_sources = (struct flag_list){sources, 1};
	for (size_t i = 0; i < 3; i++) {
		snprintf(spec, sizeof(spec), "%s,\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]",
			 bad[i].spec);
		put_pod(bad[i].name, "", spec);
		eventually(pod_has(bad[i].name, "status.message", bad[i].message));
	}
	assert_true(pod_has("kernel", "status.reason", "SysctlForbidden"));
	put_pod("good", "",
		"\"restartPolicy\":\"Always\",\"securityContext\":{\"sysctls\":["
		"{\"name\":\"net.core.somaxconn\",\"value\":\"9\"},"
		"{\"name\":\"net.ipv4.tcp_syncookies\",\"value\":\"1\"}]},"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("good", "status.phase", "Running"));
	end();
}

/* ---- static pods ---- */

static void write_manifest(const char *name, const char *text)
{
	char path[256], fresh[256];
	cox_autofclose FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/manifests/%s", at.directory, name);
	snprintf(fresh, sizeof(fresh), "%s/manifests/.new", at.directory);
	file = fopen(fresh, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(rename(fresh, path), 0);
}

/* The annotation by which a mirror says which pod it shows; "": there is no mirror. */
static const char *mirrored(const char *name, char hash[64])
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *found =
		pod ? object_path(object_root(pod),
				  "metadata.annotations[\"kubernetes.io/config.mirror\"]")
		    : NULL;

	snprintf(hash, 64, "%s", value_text(found));
	return hash;
}

static bool container_is(const char *name, char id[160])
{
	cox_autoobject *pod = fake_get(at.server, "pods", "n", name);
	const struct value *found =
		pod ? object_path(object_root(pod), "status.containerStatuses[0].containerID")
		    : NULL;

	snprintf(id, 160, "%s", value_text(found));
	return *id;
}

static void test_static_pods(void **state)
{
	static char manifests[128];
	char first[64], second[64], id[160], now[160];

	(void)state;
	begin(NULL);
	stop_kubelet();
	snprintf(manifests, sizeof(manifests), "%s/manifests", at.directory);
	assert_int_equal(mkdir(manifests, 0755), 0);
	at.config.config = manifests;
	at.config.file_check_frequency = 20 * CLOCK_MILLISECOND;
	write_manifest("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n"
				   "  namespace: 'n'\n  labels: {app: web}\nspec:\n  containers:\n"
				   "  - name: c\n    image: nginx\n");
	start_kubelet();
	/* It is shown under the node's name, and fares like any other. */
	eventually(*mirrored("web-node-a", first));
	assert_true(pod_has("web-node-a", "metadata.labels.app", "web"));
	assert_true(pod_has("web-node-a", "spec.nodeName", "node-a"));
	assert_true(pod_has("web-node-a", "metadata.ownerReferences[0].kind", "Node"));
	eventually(condition_is("web-node-a", "Ready", "True"));
	assert_true(container_is("web-node-a", id));
	/* Nobody gets rid of it through the API. */
	fake_remove(at.server, "pods", "n", "web-node-a");
	eventually(condition_is("web-node-a", "Ready", "True"));
	delete_pod("web-node-a", 30);
	eventually(*mirrored("web-node-a", now) && condition_is("web-node-a", "Ready", "True") &&
		   !pod_has("web-node-a", "metadata.deletionTimestamp", "2026-01-01T00:00:00Z"));
	assert_true(container_is("web-node-a", now));
	assert_string_equal(now, id);
	/* A manifest that cannot be read changes nothing; what is beside it comes. */
	write_manifest("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec: {}\n");
	write_manifest("extra.json",
		       "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"items\":[{\"metadata\":{"
		       "\"name\":\"extra\",\"namespace\":\"n\"},\"spec\":{\"containers\":[{"
		       "\"name\":\"c\",\"image\":\"i\"}]}}]}");
	eventually(condition_is("extra-node-a", "Ready", "True"));
	assert_true(container_is("web-node-a", now));
	assert_string_equal(now, id);
	/* A restart finds its container; a pod whose file went meanwhile ends. */
	stop_kubelet();
	snprintf(now, sizeof(now), "%s/extra.json", manifests);
	assert_int_equal(unlink(now), 0);
	write_manifest("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n"
				   "  namespace: 'n'\n  labels: {app: web}\nspec:\n  containers:\n"
				   "  - name: c\n    image: nginx\n");
	start_kubelet();
	eventually(!*mirrored("extra-node-a", second));
	eventually(at.kubelet->pods.count == 1);
	assert_true(container_is("web-node-a", now));
	assert_string_equal(now, id);
	/* Another manifest is another pod, once the one before has ended. */
	write_manifest("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n"
				   "  namespace: 'n'\nspec:\n  containers:\n"
				   "  - name: c\n    image: redis\n");
	eventually(*mirrored("web-node-a", second) && strcmp(first, second) != 0);
	eventually(condition_is("web-node-a", "Ready", "True") && container_is("web-node-a", now) &&
		   strcmp(now, id) != 0);
	snprintf(now, sizeof(now), "%s/web.yaml", manifests);
	assert_int_equal(unlink(now), 0);
	eventually(fake_count(at.server, "pods") == 0 && at.kubelet->pods.count == 0);
	end();
}

/* What one of them may look like, and what is said of what it may not. */
static struct cox_object *last_pod;

static void keep_pod(void *context, struct cox_object *pod)
{
	(void)context;
	object_unref(last_pod);
	last_pod = pod;
}

static void test_manifests(void **state)
{
	static const char *const bad[][2] = {
		{"{", ""},
		{"kind: Service\napiVersion: v1\n", "kind Pod or PodList"},
		{"kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec:\n  containers:\n"
		 "  - {name: c, image: i, imagePulPolicy: Never}\n",
		 "unknown field \"spec.containers[0].imagePulPolicy\""},
		{"kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {}\n",
		 "spec.containers: Required value"},
		{"kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - {name: c, image: i}\n",
		 "name"},
		{"kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec:\n  containers:\n"
		 "  - {name: c, image: i}\n  volumes:\n  - {name: v, secret: {secretName: s}}\n",
		 "volume \"v\" of a static pod: secret needs the API server"},
	};
	static const char good[] = "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec:\n"
				   "  containers:\n  - {name: c, image: i}\n";
	const struct cox_bytes text = {good, sizeof(good) - 1};
	cox_autoerror err = COX_ERROR_INIT;
	char uid[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_clear(&err);
		assert_int_equal(manifest_read("n1", "file", "/f",
					       (struct cox_bytes){bad[i][0], strlen(bad[i][0])},
					       keep_pod, NULL, &err),
				 -1);
		if (!strstr(error_text(&err), bad[i][1]))
			fail_msg("%s: %s", bad[i][0], error_text(&err));
	}
	error_clear(&err);
	if (manifest_read("n1", "http", "http://x", text, keep_pod, NULL, &err))
		fail_msg("%s", error_text(&err));
	assert_string_equal(object_name(last_pod), "p-n1");
	assert_string_equal(object_namespace(last_pod), "default");
	assert_string_equal(
		value_text(object_path(object_root(last_pod),
				       "metadata.annotations[\"kubernetes.io/config.source\"]")),
		"http");
	assert_string_equal(value_text(object_path(object_root(last_pod),
						   "spec.containers[0].imagePullPolicy")),
			    "Always");
	snprintf(uid, sizeof(uid), "%s", object_uid(last_pod));
	/* The same again is the same; on another node or from another place it is not. */
	assert_int_equal(manifest_read("n1", "http", "http://x", text, keep_pod, NULL, &err), 0);
	assert_string_equal(object_uid(last_pod), uid);
	assert_int_equal(manifest_read("n2", "http", "http://x", text, keep_pod, NULL, &err), 0);
	assert_string_not_equal(object_uid(last_pod), uid);
	assert_int_equal(manifest_read("n1", "file", "/f", text, keep_pod, NULL, &err), 0);
	assert_string_not_equal(object_uid(last_pod), uid);
	object_unref(last_pod);
	last_pod = NULL;
}

/* ---- what a node would fill up with ---- */

static size_t count_files(const char *format, ...) COX_PRINTF(1, 2);
static size_t count_files(const char *format, ...)
{
	char pattern[512];
	va_list args;
	glob_t found;
	size_t count;

	va_start(args, format);
	vsnprintf(pattern, sizeof(pattern), format, args);
	va_end(args);
	count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

static void make_large(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	close(fd);
}

static void test_logs(void **state)
{
	char log[256], uid[128];
	cox_autoobject *pod = NULL;

	(void)state;
	begin(NULL);
	put_pod("chatty", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"say=hello\"]}]");
	eventually(pod_has("chatty", "status.phase", "Running"));
	pod = fake_get(at.server, "pods", "n", "chatty");
	snprintf(uid, sizeof(uid), "%s", object_uid(pod));
	snprintf(log, sizeof(log), "%s/n_chatty_%s/c/0.log", at.logs, uid);
	eventually(count_files("%s", log) == 1);
	make_large(log);
	eventually(count_files("%s.*", log) == 1 && !count_files("%s", log));
	/* Of two files one is the present one: the oldest goes. */
	make_large(log);
	eventually(count_files("%s.*", log) == 1 && !count_files("%s", log));
	fake_remove(at.server, "pods", "n", "chatty");
	eventually(at.kubelet->pods.count == 0);
	assert_int_equal(count_files("%s/*", at.logs), 0);
	end();
}

static int ignore_image(const struct cox_image_sink *sink, const struct cox_image *image)
{
	(void)sink;
	(void)image;
	return 0;
}

static size_t counted;

static int count_container(const struct cox_container_sink *sink,
			   const struct cox_container_status *status)
{
	(void)sink;
	(void)status;
	counted++;
	return 0;
}

static const struct cox_container_sink counter = {.struct_size = sizeof(counter),
						  .container = count_container};

static bool has_image(const char *name)
{
	const struct cox_image_sink none = {.struct_size = sizeof(none), .image = ignore_image};
	const struct cox_call call = {.struct_size = sizeof(call)};
	const struct cox_runtime_ops *ops = host_ops(at.runtime);

	return ops->image_status(host_self(at.runtime), &call, name, &none, NULL) == 0;
}

static void pull(const char *name)
{
	const struct cox_call call = {.struct_size = sizeof(call)};
	const struct cox_runtime_ops *ops = host_ops(at.runtime);
	cox_autoerror err = COX_ERROR_INIT;
	char ref[COX_IMAGE_REF_SIZE];

	if (ops->image_pull(host_self(at.runtime), &call, name, NULL, NULL, ref, &err))
		fail_msg("%s", error_text(&err));
}

/* A disk of 10 MB and images of 3: what no container needs goes, from 80 % down to 50 %. */
static void test_full_disk(void **state)
{
	static const char *const options[] = {"images-present", "false", "disk", "10", NULL};

	(void)state;
	begin(options);
	put_pod("user", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"needed\"}"
		"]");
	eventually(pod_has("user", "status.phase", "Running"));
	assert_true(has_image("needed"));
	pull("spare");
	pull("more");
	eventually(!has_image("spare") && !has_image("more"));
	assert_true(has_image("needed"));
	end();
}

static void test_dead_containers(void **state)
{
	const struct cox_call call = {.struct_size = sizeof(call)};
	const struct cox_runtime_ops *ops;

	(void)state;
	begin(NULL);
	at.config.maximum_dead_containers = 1;
	at.config.maximum_dead_containers_per_container = 100;
	ops = host_ops(at.runtime);
	put_pod("loop", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=1\",\"say=x\"]}]");
	eventually(pod_number("loop", "status.containerStatuses[0].restartCount", 3));
	eventually((counted = 0,
		    ops->container_list(host_self(at.runtime), &call, NULL, &counter, NULL) == 0 &&
			    counted <= 2));
	/* Their logs went with them. */
	eventually(count_files("%s/*/c/*.log", at.logs) <= 2);
	end();
}

/* What a reboot left: volumes and logs of pods that nobody has any more. */
static void test_orphans(void **state)
{
	char path[256];
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	begin(NULL);
	stop_kubelet();
	snprintf(path, sizeof(path), "%s/pods/lost/volumes/kubernetes.io~emptydir/v", at.directory);
	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
	snprintf(path, sizeof(path), "%s/n_lost_lost/c", at.logs);
	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
	start_kubelet();
	eventually(!count_files("%s/pods/*", at.directory) && !count_files("%s/*", at.logs));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_node_tells),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_crash_loop),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_sidecars_last),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_static_pods),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_dead_containers),
		cmocka_unit_test(test_orphans),
	};

	return cmocka_run_group_tests_name("kubelet", tests, NULL, NULL);
}
