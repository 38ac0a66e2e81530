/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kubelet does for its node: what it tells of it, what it keeps from
 * filling up, and the pods that are the node's own.
 */
#include "kubelet_fixture.h"

#include "kubelet/node.h"
#include "kubelet/sources.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	stop_kubelet();
	at.config.node_status_update_frequency = 20 * CLOCK_MILLISECOND;
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

/* It registers as a node that a cloud has to look at, and leaves what that says alone. */
static void test_node_of_a_cloud(void **state)
{
	cox_autoobject *node = NULL;
	const struct value *root, *addresses;

	(void)state;
	begin(NULL);
	stop_kubelet();
	fake_remove(at.server, "nodes", "", "node-a");
	at.config.cloud_provider = "external";
	at.config.node_status_update_frequency = 20 * CLOCK_MILLISECOND;
	start_kubelet();
	eventually((object_unref(node), node = fake_get(at.server, "nodes", "", "node-a")) &&
		   object_path(object_root(node), "status.conditions"));
	root = object_root(node);
	assert_string_equal(value_text(object_path(root, "spec.taints[0].key")),
			    "node.cloudprovider.kubernetes.io/uninitialized");
	assert_string_equal(value_text(object_path(root, "spec.taints[0].effect")), "NoSchedule");
	fake_put(at.server, "nodes",
		 "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"node-a\"},"
		 "\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.9.9.9\"},{"
		 "\"type\":\"ExternalIP\",\"address\":\"192.0.2.1\"}]}}");
	/* Its own are written again, the other one stays. */
	eventually((object_unref(node), node = fake_get(at.server, "nodes", "", "node-a"),
		    addresses = object_path(object_root(node), "status.addresses"),
		    addresses->count == 3));
	assert_string_equal(value_get_text(value_at(addresses, 0), "address"), "10.0.0.9");
	assert_string_equal(value_get_text(value_at(addresses, 1), "address"), "node-a");
	assert_string_equal(value_get_text(value_at(addresses, 2), "type"), "ExternalIP");
	assert_string_equal(value_get_text(value_at(addresses, 2), "address"), "192.0.2.1");
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
	eventually(has_synced_pods(1));
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
	eventually(fake_count(at.server, "pods") == 0 && has_synced_pods(0));
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
	eventually(has_synced_pods(0));
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
	stop_kubelet();
	at.config.maximum_dead_containers = 1;
	at.config.maximum_dead_containers_per_container = 100;
	start_kubelet();
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

/* Where the apiserver is to find this node. */
static void test_address(void **state)
{
	static const struct {
		const char *ip, *name, *address;
	} rows[] = {{"10.0.0.9", "192.0.2.1", "10.0.0.9"},
		    {"", "127.0.0.1", "127.0.0.1"},
		    {NULL, "2001:db8::1", "2001:db8::1"}};
	struct kubelet_config config = {.hostname_override = "192.0.2.1.example"};
	char *found = node_find_address(&config), *plain;

	(void)state;
	config.hostname_override = NULL;
	plain = node_find_address(&config);
	assert_true(!found == !plain && (!found || strcmp(found, plain) == 0));
	free(found);
	free(plain);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config.node_ip = rows[i].ip;
		config.hostname_override = rows[i].name;
		found = node_find_address(&config);
		assert_string_equal(found, rows[i].address);
		free(found);
	}
}

/* What a reboot left: volumes and logs of pods that nobody has any more. */
static void test_orphans(void **state)
{
	char path[256];
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	begin(NULL);
	stop_kubelet();
	snprintf(path, sizeof(path), "%s/pods/lost/volumes/kubernetes.io~empty-dir/v",
		 at.directory);
	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
	snprintf(path, sizeof(path), "%s/pods/lost/.kubelet", at.directory);
	assert_int_equal(symlink(at.directory, path), 0);
	snprintf(path, sizeof(path), "%s/n_lost_lost/c", at.logs);
	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
	snprintf(path, sizeof(path), "%s/n_lost_lost/.kubelet", at.logs);
	assert_int_equal(symlink(at.directory, path), 0);
	/* Another kubelet keeps its logs in the same place. */
	snprintf(path, sizeof(path), "%s/n_other_u/c", at.logs);
	if (volumes_make_directory(path, 0755, &err))
		fail_msg("%s", error_text(&err));
	start_kubelet();
	eventually(!count_files("%s/n_lost_lost", at.logs));
	assert_int_equal(count_files("%s/n_other_u/c", at.logs), 1);
	snprintf(path, sizeof(path), "%s/n_other_u/.kubelet", at.logs);
	assert_int_equal(symlink(at.directory, path), 0);
	stop_kubelet();
	start_kubelet();
	eventually(!count_files("%s/pods/*", at.directory) && !count_files("%s/*", at.logs));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_node),
					   cmocka_unit_test(test_node_of_a_cloud),
					   cmocka_unit_test(test_address),
					   cmocka_unit_test(test_node_tells),
					   cmocka_unit_test(test_static_pods),
					   cmocka_unit_test(test_manifests),
					   cmocka_unit_test(test_logs),
					   cmocka_unit_test(test_full_disk),
					   cmocka_unit_test(test_dead_containers),
					   cmocka_unit_test(test_orphans)};

	return cmocka_run_group_tests_name("kubelet_node", tests, NULL, NULL);
}
