/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet with the hollow runtime and the fake API server: what becomes of
 * pods, and what people are told of it.
 */
#include "kubelet_fixture.h"

#include "kubelet/pod.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool event_said_about(const char *pod, const char *reason)
{
	cox_autoobject *object = fake_get(at.server, "pods", "n", pod);
	char text[256];

	snprintf(text, sizeof(text), "Back-off restarting failed container c in pod %s_n(%s)", pod,
		 object_uid(object));
	return event_said(pod, reason, text);
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

/* 10 s, doubled up to 5 min; after 10 minutes without trouble from the beginning. */
static void test_backoff(void **state)
{
	static const uint64_t steps[] = {10, 20, 40, 80, 160, 300, 300};
	const uint64_t start = 1000000 * CLOCK_SECOND, minute = 60 * CLOCK_SECOND;
	struct backoff backoff = {0};
	uint64_t now = start;

	(void)state;
	assert_int_equal(backoff_left(&backoff, now, now, 0), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		backoff_next(&backoff, now, 0, 0);
		assert_int_equal(backoff.delay / CLOCK_SECOND, steps[i]);
		/* It ended a second after it was started. */
		now += CLOCK_SECOND;
		assert_int_equal(backoff_left(&backoff, now, now, 0), backoff.delay);
		assert_int_equal(backoff_left(&backoff, now, now + backoff.delay, 0), 0);
		now += backoff.delay;
	}
	backoff_next(&backoff, now, 0, 0);
	/* Nine minutes are not enough, eleven are. */
	assert_int_equal(backoff_left(&backoff, now + 9 * minute, now + 9 * minute, 0), 5 * minute);
	assert_int_equal(backoff_left(&backoff, now + 11 * minute, now + 11 * minute, 0), 0);
	backoff_next(&backoff, now + 11 * minute, 0, 0);
	assert_int_equal(backoff.delay / CLOCK_SECOND, 10);
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

static void test_slow_pull(void **state)
{
	static const char *const options[] = {"images-present", "false", "pull-delay", "300ms",
					      NULL};

	(void)state;
	begin(options);
	put_pod("slow", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"large\"}"
		"]");
	eventually(pod_has("slow", "status.phase", "Running"));
	eventually(event_said("slow", "Pulling",
			      "Pulling image \"large\": layer 2 of 3, 1000000 of 1000000 bytes"));
	end();
	/* Two at once are more than the rate lets through. */
	begin(options);
	stop_kubelet();
	at.config.registry_qps = 0.001;
	at.config.registry_burst = 1;
	start_kubelet();
	put_pod("first", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"one\"}]");
	eventually(pod_has("first", "status.phase", "Running"));
	put_pod("second", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"two\"}]");
	eventually(
		event_said("second", "Failed", "Failed to pull image \"two\": pull QPS exceeded"));
	end();
}

/* A pull that lasts is no reason to start what is not wanted any more. */
static void test_other_image_while_pulling(void **state)
{
	static const char *const options[] = {"images-present", "false", "pull-delay", "400ms",
					      "failing-images", "lost",	 NULL};
	static const char *const before[] = {"large", "lost"};
	cox_autoobject *here = NULL;
	const char *id;

	(void)state;
	begin(options);
	put_pod("here", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\","
		"\"image\":\"there\"}]");
	eventually(pod_has("here", "status.phase", "Running"));
	here = fake_get(at.server, "pods", "n", "here");
	id = value_text(object_path(object_root(here), "status.containerStatuses[0].imageID"));
	for (size_t i = 0; i < 2; i++) {
		const char *name = i ? "second" : "first";
		char spec[128], said[64];

		snprintf(spec, sizeof(spec),
			 "\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\","
			 "\"image\":\"%s\"}]",
			 before[i]);
		snprintf(said, sizeof(said), "Pulling image \"%s\"", before[i]);
		put_pod(name, "", spec);
		eventually(event_said(name, "Pulling", said));
		put_pod(name, "",
			"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\","
			"\"image\":\"there\"}]");
		eventually(pod_has(name, "status.phase", "Running"));
		assert_true(pod_has(name, "status.containerStatuses[0].image", "there"));
		assert_true(pod_has(name, "status.containerStatuses[0].imageID", id));
	}
	assert_false(event_begins("second", "Failed", "Failed to pull image \"there\""));
	end();
}

/* The wait after failures is for what failed, not for what it was mended to. */
static void test_mended(void **state)
{
	(void)state;
	begin(NULL);
	stop_kubelet();
	at.backoff_first = at.backoff_last = 3600 * CLOCK_SECOND;
	start_kubelet();
	put_pod("ill", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=1\"]}]");
	eventually(pod_number("ill", "status.containerStatuses[0].restartCount", 1));
	eventually(pod_has("ill", "status.containerStatuses[0].state.waiting.reason",
			   "CrashLoopBackOff"));
	/* The image alone can be changed. This one ends, too, and is waited for again. */
	put_pod("ill", "",
		"\"restartPolicy\":\"Always\",\"containers\":[{\"name\":\"c\",\"image\":\"mended\","
		"\"args\":[\"exit-after=10ms\",\"exit-code=1\"]}]");
	eventually(pod_number("ill", "status.containerStatuses[0].restartCount", 2));
	eventually(pod_has("ill", "status.containerStatuses[0].state.waiting.reason",
			   "CrashLoopBackOff"));
	assert_true(pod_has("ill", "status.containerStatuses[0].image", "mended"));
	assert_false(pod_number("ill", "status.containerStatuses[0].restartCount", 3));
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
	end();
}

/* A pod of one container "c". */
static void put_simple(const char *name, const char *policy, const char *args)
{
	char spec[512];

	snprintf(spec, sizeof(spec),
		 "\"restartPolicy\":\"%s\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		 "\"args\":[%s]}]",
		 policy, args);
	put_pod(name, "", spec);
}

static void begin_emptying(void)
{
	begin(NULL);
	stop_kubelet();
	at.config.stop_pods_on_exit = true;
	start_kubelet();
}

/*
 * --stop-pods-on-exit is for pods what a reboot of the machine is: those that
 * restart their containers are the same pods afterwards, and go on.
 */
static void test_rest(void **state)
{
	static const char *const policies[] = {"Always", "OnFailure"};
	static const char *const ends[] = {"\"\"", "\"polite\""};
	static const char first[] = "status.containerStatuses[0].";
	char name[64], path[128];

	(void)state;
	begin_emptying();
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "p%zu", i);
		put_simple(name, policies[i / 2], ends[i % 2]);
	}
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "p%zu", i);
		eventually(condition_is(name, "Ready", "True"));
	}
	for (int64_t round = 1; round <= 2; round++) {
		stop_kubelet();
		for (size_t i = 0; i < 4; i++) {
			int64_t code = i % 2 ? 0 : 143;

			snprintf(name, sizeof(name), "p%zu", i);
			assert_true(pod_has(name, "status.phase", "Running"));
			assert_true(condition_is(name, "Ready", "False"));
			snprintf(path, sizeof(path), "%sstate.terminated.exitCode", first);
			assert_true(pod_number(name, path, code) &&
				    !pod_number(name, path, code + 1));
		}
		start_kubelet();
		for (size_t i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "p%zu", i);
			eventually(condition_is(name, "Ready", "True"));
			snprintf(path, sizeof(path), "%srestartCount", first);
			assert_true(pod_number(name, path, round));
			assert_false(pod_number(name, path, round + 1));
			snprintf(path, sizeof(path), "%slastState.terminated.exitCode", first);
			assert_true(pod_number(name, path, i % 2 ? 0 : 143));
			assert_true(sandbox_count(name) == (size_t)round + 1);
		}
	}
	end();
}

/* Those that restart nothing have failed, and those that were over stay what they were. */
static void test_rest_never(void **state)
{
	(void)state;
	begin_emptying();
	put_simple("once", "Never", "\"\"");
	put_simple("polite", "Never", "\"polite\"");
	put_pod("own", "",
		"\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\",\"image\":\"i\","
		"\"restartPolicy\":\"Always\"}]");
	put_simple("over", "Never", "\"exit-after=1ms\"");
	put_simple("done", "OnFailure", "\"exit-after=1ms\"");
	eventually(condition_is("once", "Ready", "True"));
	eventually(condition_is("polite", "Ready", "True"));
	eventually(condition_is("own", "Ready", "True"));
	eventually(pod_has("over", "status.phase", "Succeeded"));
	eventually(pod_has("done", "status.phase", "Succeeded"));
	stop_kubelet();
	for (int round = 0; round < 2; round++) {
		assert_true(pod_has("once", "status.phase", "Failed"));
		assert_true(pod_has("once", "status.reason", "Terminated"));
		assert_true(pod_number(
			"once", "status.containerStatuses[0].state.terminated.exitCode", 143));
		assert_true(pod_has("own", "status.phase", "Running"));
		assert_true(pod_number("own", "status.containerStatuses[0].restartCount", round));
		assert_true(pod_has("polite", "status.phase", "Failed"));
		assert_true(pod_has("polite", "status.reason", "Terminated"));
		assert_true(pod_has("over", "status.phase", "Succeeded"));
		assert_true(pod_has("done", "status.phase", "Succeeded"));
		start_kubelet();
		eventually(has_synced_pods(5));
		eventually(condition_is("own", "Ready", "True"));
		stop_kubelet();
	}
	start_kubelet();
	/* What the runtime knows of them, and their logs, stay until they are deleted. */
	eventually(has_synced_pods(5));
	assert_int_equal(sandbox_count("once"), 1);
	assert_int_equal(sandbox_count("over"), 1);
	fake_remove(at.server, "pods", "n", "over");
	eventually(has_synced_pods(4));
	end();
}

/* A runtime that has forgotten everything is no reason to count anew. */
static void test_count_stays(void **state)
{
	const struct cox_runtime_ops *runtime;
	const struct cox_call call = {.struct_size = sizeof(call)};
	struct view view = {.arena = ARENA_INIT};
	cox_autoobject *pod = NULL;
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	begin_emptying();
	put_simple("old", "Always", "\"\"");
	eventually(condition_is("old", "Ready", "True"));
	pod = fake_get(at.server, "pods", "n", "old");
	if (view_read(at.kubelet, object_uid(pod), &view, &err))
		fail_msg("%s", error_text(&err));
	assert_int_equal(view.sandboxes.count, 1);
	stop_kubelet();
	runtime = host_ops(at.runtime);
	{
		host_call_scope(at.runtime);
		assert_int_equal(runtime->sandbox_remove(host_self(at.runtime), &call,
							 view.sandboxes.items[0].id, NULL),
				 0);
	}
	view_free(&view);
	start_kubelet();
	eventually(condition_is("old", "Ready", "True"));
	assert_true(pod_number("old", "status.containerStatuses[0].restartCount", 1));
	assert_int_equal(sandbox_count("old"), 1);
	end();
}

/* One that ends with this code, and what else it has, beginning with a comma. */
#define ENDS(name, code, more)                                                                     \
	"{\"name\":\"" name "\",\"image\":\"i\",\"args\":[\"exit-after=10ms\",\"exit-code=" code   \
	"\"]" more "}"
#define POLICY(policy) ",\"restartPolicy\":\"" policy "\""
#define AGAIN(how, codes)                                                                          \
	POLICY("Never")                                                                            \
	",\"restartPolicyRules\":[{\"action\":\"Restart\",\"exitCodes\":{\"operator\":\"" how      \
	"\",\"values\":[" codes "]}}]"
#define POD_OF(policy, init, list)                                                                 \
	"\"restartPolicy\":\"" policy "\",\"initContainers\":[" init "],\"containers\":[" list "]"
#define STAYS "{\"name\":\"c\",\"image\":\"i\"}"

/* Containers with a policy of their own, and rules for what they end with. */
static void test_own_policies(void **state)
{
	static const struct {
		const char *name, *spec;
	} pods[] = {
		/* Never by the pod, but for the one with 42. */
		{"rules", POD_OF("Never", "",
				 ENDS("a", "1", AGAIN("In", "42")) "," ENDS("b", "42",
									    AGAIN("In", "3,42")))},
		/* One that is run once beside one that is always there. */
		{"once", POD_OF("Always", "", ENDS("a", "0", POLICY("OnFailure")) "," STAYS)},
		{"ends", POD_OF("Always", "", ENDS("a", "3", AGAIN("NotIn", "3")))},
		{"early", POD_OF("Always", ENDS("one", "1", POLICY("Never")), STAYS)},
		{"tries", POD_OF("Never", ENDS("one", "7", AGAIN("In", "7")), STAYS)},
	};

	(void)state;
	begin(NULL);
	for (size_t i = 0; i < sizeof(pods) / sizeof(pods[0]); i++)
		put_pod(pods[i].name, "", pods[i].spec);
	eventually(pod_number("rules", "status.containerStatuses[1].restartCount", 1));
	assert_true(pod_number("rules", "status.containerStatuses[0].restartCount", 0));
	assert_true(
		pod_number("rules", "status.containerStatuses[0].state.terminated.exitCode", 1));
	assert_true(pod_has("rules", "status.phase", "Running"));
	eventually(pod_has("once", "status.containerStatuses[0].state.terminated.reason",
			   "Completed"));
	assert_true(pod_has("once", "status.phase", "Running"));
	assert_true(pod_number("once", "status.containerStatuses[0].restartCount", 0));
	eventually(pod_has("ends", "status.phase", "Failed"));
	assert_true(pod_number("ends", "status.containerStatuses[0].restartCount", 0));
	eventually(pod_has("early", "status.phase", "Failed"));
	eventually(pod_number("tries", "status.initContainerStatuses[0].restartCount", 1));
	assert_true(pod_has("tries", "status.phase", "Pending"));
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

static size_t mounts_below(const char *directory)
{
	cox_autofclose FILE *file = fopen("/proc/self/mounts", "re");
	char line[4096];
	size_t count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, directory) != NULL;
	return count;
}

/* Of the volumes of a pod at rest what lies on the disk stays, and no mount. */
static void test_rest_volumes(void **state)
{
	static const char spec[] =
		"\"restartPolicy\":\"Always\",\"volumes\":[{\"name\":\"disk\",\"emptyDir\":{}},"
		"{\"name\":\"memory\",\"emptyDir\":{\"medium\":\"Memory\"}},"
		"{\"name\":\"s\",\"secret\":{\"secretName\":\"password\"}}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":["
		"{\"name\":\"disk\",\"mountPath\":\"/part\",\"subPath\":\"a/b\"}]}]";
	static const char kept[] = "volumes/kubernetes.io~empty-dir/disk/a/b/kept";
	cox_autoobject *pod = NULL;
	cox_autobuf path = COX_BUF_INIT;
	char text[256];
	FILE *file;

	(void)state;
	if (geteuid() != 0)
		skip();
	begin_emptying();
	fake_put(at.server, "secrets",
		 "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"password\",\"namespace\":\"n\"},\"data\":{\"word\":\"b3Blbg==\"}}");
	put_pod("vol", "", spec);
	eventually(condition_is("vol", "Ready", "True"));
	assert_int_equal(mounts_below(at.directory), 3);
	pod = fake_get(at.server, "pods", "n", "vol");
	cox_buf_printf(&path, "%s/pods/%s/%s", at.directory, object_uid(pod), kept);
	file = fopen(path.data, "we");
	assert_non_null(file);
	fputs("still here", file);
	fclose(file);
	stop_kubelet();
	assert_int_equal(mounts_below(at.directory), 0);
	assert_string_equal(volume_text("vol", kept, text), "still here");
	start_kubelet();
	eventually(condition_is("vol", "Ready", "True"));
	assert_int_equal(mounts_below(at.directory), 3);
	assert_string_equal(volume_text("vol", kept, text), "still here");
	assert_string_equal(volume_text("vol", "volumes/kubernetes.io~secret/s/word", text),
			    "open");
	fake_remove(at.server, "pods", "n", "vol");
	eventually(has_synced_pods(0));
	assert_int_equal(access(path.data, F_OK), -1);
	end();
}

/* A bound claim of this name, and its volume; `volume` is the rest of the volume's spec. */
static void put_bound(const char *name, const char *uid, const char *metadata, const char *volume)
{
	cox_autobuf json = COX_BUF_INIT;
	cox_autoobject *claim = NULL;

	cox_buf_printf(&json,
		       "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{"
		       "\"name\":\"%s\",\"namespace\":\"n\",\"annotations\":{"
		       "\"pv.kubernetes.io/bind-completed\":\"yes\"}%s},\"spec\":{\"volumeName\":"
		       "\"%s\"}}",
		       name, metadata, name);
	fake_put(at.server, "persistentvolumeclaims", json.data);
	claim = fake_get(at.server, "persistentvolumeclaims", "n", name);
	cox_buf_clear(&json);
	cox_buf_printf(
		&json,
		"{\"kind\":\"PersistentVolume\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		"\"%s\"},\"spec\":{\"claimRef\":{\"namespace\":\"n\",\"name\":\"%s\",\"uid\":"
		"\"%s\"},%s}}",
		name, name, uid ? uid : object_uid(claim), volume);
	fake_put(at.server, "persistentvolumes", json.data);
}

static void put_user(const char *pod, const char *volume)
{
	cox_autobuf spec = COX_BUF_INIT;

	cox_buf_printf(
		&spec,
		"\"restartPolicy\":\"Always\",\"securityContext\":{\"fsGroup\":4321},"
		"\"volumes\":[{\"name\":\"v\",%s}],\"containers\":[{\"name\":\"c\",\"image\":"
		"\"i\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\",\"subPath\":"
		"\"sub\"}]}]",
		volume);
	put_pod(pod, "", spec.data);
}

/* A pod that uses the claim, and what it is told about its volume. */
static void refused(const char *claim, const char *why)
{
	cox_autobuf text = COX_BUF_INIT;

	cox_buf_printf(&text, "\"persistentVolumeClaim\":{\"claimName\":\"%s\"}", claim);
	put_user(claim, text.data);
	cox_buf_clear(&text);
	cox_buf_printf(&text, "MountVolume.SetUp failed for volume \"v\" : %s", why);
	eventually(event_said(claim, "FailedMount", text.data));
}

static void test_claims(void **state)
{
	static const char going[] =
		",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"x.io/y\"]";
	cox_autobuf path = COX_BUF_INIT, source = COX_BUF_INIT;
	struct stat facts;

	(void)state;
	begin(NULL);
	refused("none", "persistentvolumeclaim \"none\" not found");
	fake_put(at.server, "persistentvolumeclaims",
		 "{\"kind\":\"PersistentVolumeClaim\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"waits\",\"namespace\":\"n\"},\"spec\":{}}");
	refused("waits", "persistentvolumeclaim \"waits\" is not bound");
	put_bound("lost", "another", "", "\"hostPath\":{\"path\":\"/\"}");
	refused("lost", "persistentvolume \"lost\" is not bound to persistentvolumeclaim \"lost\"");
	put_bound("going", NULL, going, "\"hostPath\":{\"path\":\"/\"}");
	refused("going", "persistentvolumeclaim \"going\" is being deleted");
	put_bound("block", NULL, "", "\"volumeMode\":\"Block\",\"hostPath\":{\"path\":\"/\"}");
	refused("block", "persistentvolume \"block\" has volumeMode Block, and this kubelet mounts "
			 "file systems only");
	put_bound("odd", NULL, "", "\"capacity\":{\"storage\":\"1\"},\"csi\":{\"driver\":\"d\"}");
	refused("odd", "no volume plugin matched: this node has none for \"csi\"");
	put_bound("far", NULL, "",
		  "\"hostPath\":{\"path\":\"/\"},\"nodeAffinity\":{\"required\":{"
		  "\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":"
		  "\"Exists\"}]}]}}");
	refused("far",
		"persistentvolume \"far\" cannot be reached from node \"node-a\": the labels "
		"of the node do not match its node affinity");
	put_bound("empty", NULL, "", "\"local\":{\"path\":\"/nonexistent/place\"}");
	refused("empty", "path \"/nonexistent/place\" does not exist");
	put_bound("eph-v", NULL, "", "\"hostPath\":{\"path\":\"/\"}");
	put_user("eph", "\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{}}}");
	eventually(event_said("eph", "FailedMount",
			      "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim "
			      "\"eph-v\" was not made for this pod, which is not its owner"));

	if (geteuid() != 0) {
		end();
		return;
	}
	cox_buf_printf(&path, "%s/data", at.directory);
	assert_int_equal(mkdir(path.data, 0700), 0);
	cox_buf_printf(
		&source,
		"\"accessModes\":[\"ReadWriteOncePod\"],\"local\":{\"path\":\"%s\"},"
		"\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchFields\":[{"
		"\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"node-a\"]}]}]}}",
		path.data);
	put_bound("good", NULL, "", source.data);
	put_user("first", "\"persistentVolumeClaim\":{\"claimName\":\"good\"}");
	eventually(condition_is("first", "Ready", "True"));
	assert_int_equal(stat(path.data, &facts), 0);
	assert_int_equal(facts.st_gid, 4321);
	assert_int_equal(facts.st_mode & 07777, 02770);
	cox_buf_str(&path, "/sub"); /* the subPath was made in it */
	assert_int_equal(access(path.data, F_OK), 0);
	put_user("second", "\"persistentVolumeClaim\":{\"claimName\":\"good\"}");
	eventually(event_said("second", "FailedMount",
			      "MountVolume.SetUp failed for volume \"v\" : persistentvolume "
			      "\"good\" has the access mode ReadWriteOncePod and is in use by pod "
			      "\"first\""));
	/* It outlives its user, and the next one may have it. */
	fake_remove(at.server, "pods", "n", "first");
	eventually(condition_is("second", "Ready", "True"));
	assert_int_equal(access(path.data, F_OK), 0);
	end();
}

/* As if the time had come to look at the volumes again. */
static void look_again(const char *name)
{
	cox_autoobject *object = fake_get(at.server, "pods", "n", name);
	struct pod *pod = pods_get(at.kubelet, object_uid(object));

	if (pod)
		atomic_store(&pod->volumes_due, true);
	pods_wake(at.kubelet, object_uid(object));
	pods_put(at.kubelet, pod);
}

static void test_volumes(void **state)
{
	static const char spec[] =
		"\"restartPolicy\":\"Always\",\"volumes\":["
		"{\"name\":\"scratch\",\"emptyDir\":{}},"
		"{\"name\":\"s\",\"secret\":{\"secretName\":\"password\",\"defaultMode\":256}},"
		"{\"name\":\"c\",\"configMap\":{\"name\":\"settings\"}},"
		"{\"name\":\"d\",\"downwardAPI\":{\"items\":[{\"path\":\"marks\",\"fieldRef\":"
		"{\"fieldPath\":\"metadata.labels\"}},{\"path\":\"who\",\"fieldRef\":"
		"{\"fieldPath\":\"metadata.name\"}}]}},"
		"{\"name\":\"p\",\"projected\":{\"sources\":[{\"configMap\":{\"name\":"
		"\"settings\",\"items\":[{\"key\":\"color\",\"path\":\"deep/color\"}]}}]}}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"volumeMounts\":["
		"{\"name\":\"c\",\"mountPath\":\"/c\"},{\"name\":\"scratch\",\"mountPath\":"
		"\"/part\",\"subPath\":\"a/b\"}]}]";
	char text[256], patch[] = "{\"metadata\":{\"labels\":{\"tier\":\"front\"}}}";
	struct client_request request = {.verb = CLIENT_PATCH,
					 .version = "v1",
					 .resource = "pods",
					 .namespace = "n",
					 .name = "vol",
					 .body = patch,
					 .content_type = CLIENT_MERGE_PATCH};

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
	/* A change of the source reaches the running pod when the volume's time has come. */
	fake_put(at.server, "configmaps",
		 "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
		 "\"settings\",\"namespace\":\"n\"},\"data\":{\"color\":\"blue\",\"size\":\"9\"}}");
	eventually((look_again("vol"),
		    !strcmp(volume_text("vol", "volumes/kubernetes.io~configmap/c/color", text),
			    "blue")));
	assert_string_equal(volume_text("vol", "volumes/kubernetes.io~configmap/c/size", text),
			    "9");
	eventually(
		(look_again("vol"),
		 !strcmp(volume_text("vol", "volumes/kubernetes.io~projected/p/deep/color", text),
			 "blue")));
	/* What the pod says of itself is seen at once. */
	request.body_size = strlen(patch);
	if (client_call(at.client, &request, NULL, NULL))
		fail_msg("label");
	eventually(!strcmp(volume_text("vol", "volumes/kubernetes.io~downward-api/d/marks", text),
			   "tier=\"front\""));
	fake_remove(at.server, "pods", "n", "vol");
	eventually(has_synced_pods(0));
	end();
}

/* A token is another one before it ends. */
static void test_tokens(void **state)
{
	static const char path[] = "volumes/kubernetes.io~projected/t/token";
	char first[256], now[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	begin(NULL);
	put_pod("tok", "",
		"\"restartPolicy\":\"Always\",\"serviceAccountName\":\"default\",\"volumes\":["
		"{\"name\":\"t\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"path\":"
		"\"token\",\"expirationSeconds\":3600}}]}}],"
		"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]");
	eventually(pod_has("tok", "status.phase", "Running"));
	volume_text("tok", path, first);
	assert_string_equal(first, "token-1");
	eventually(strcmp(volume_text("tok", path, now), first) != 0);
	assert_string_equal(now, "token-2");
	end();
}

/* ---- ends of pods ---- */

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
	stop_kubelet();
	at.config.allowed_unsafe_sysctls = (struct flag_list){patterns, 1};
	at.config.host_ipc_sources = (struct flag_list){sources, 1};
	start_kubelet();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_crash_loop),
		cmocka_unit_test(test_own_policies),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_slow_pull),
		cmocka_unit_test(test_other_image_while_pulling),
		cmocka_unit_test(test_mended),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_sidecars_last),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_rest_never),
		cmocka_unit_test(test_count_stays),
		cmocka_unit_test(test_rest_volumes),
	};

	return cmocka_run_group_tests_name("kubelet", tests, NULL, NULL);
}
