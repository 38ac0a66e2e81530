/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime plugin must do, with real containers. */
#include "harness.h"

#include "base/spawn.h"

#include <coxswain/kit/alloc.h>
#include <coxswain/kit/cleanup.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cox_call no_call = {.struct_size = sizeof(no_call)};
static char sandbox[COX_RUNTIME_ID_SIZE]; /* of the test under way */

static int set_up(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	runtime_open();
	if (import_file(work_path("saved.tar"), NULL, &err) != 0) {
		print_error("import: %s\n", error_text(&err));
		return -1;
	}
	must_run_sandbox("pod", sandbox);
	return 0;
}

static int tear_down(void **state)
{
	int result;

	(void)state;
	registry_stop_all();
	result = remove_sandboxes();
	runtime_close();
	return result;
}

static void test_life(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	cox_autoerror err = COX_ERROR_INIT;
	cox_autofree char *log = NULL;

	(void)state;
	must_create(sandbox, "one", "echo \"$GREETING from $FROM\"; echo oops >&2; exit 7", id);
	assert_int_equal(container_state(id), COX_CONTAINER_CREATED);
	must_start(id);
	assert_int_equal(must_wait_exit(id), 7);
	assert_string_equal(container_reason(id), "Error");
	log = read_text(work_path("logs/one/0.log"));
	/* TIME STREAM F TEXT, the log format of the container runtime interface */
	assert_non_null(strstr(log, " stdout F hello world from image\n"));
	assert_non_null(strstr(log, " stderr F oops\n"));
	assert_int_equal(runtime.ops->container_start(runtime.self, &no_call, id, &err), -1);
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	assert_int_equal(runtime.ops->container_remove(runtime.self, &no_call, id, NULL), 0);
	assert_int_equal(container_state(id), -1);
	assert_int_equal(runtime.ops->container_remove(runtime.self, &no_call, id, NULL), 0);
}

static void test_inside(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	must_create(sandbox, "inside", "exec sleep 600", id);
	must_start(id);
	assert_int_equal(must_exec(id,
				   "pwd; hostname; cat /etc/resolv.conf; cat /etc/hostname; "
				   "ls /old; test -e /etc/hidden || echo hidden; id -u",
				   &out),
			 0);
	assert_string_equal(out.data,
			    "1:/tmp\npod-host\nnameserver 10.9.8.7\npod-host\nnew\nhidden\n0\n");
	cox_buf_clear(&out);
	/* The first process is ours, the pause process is not seen. */
	assert_int_equal(must_exec(id, "cat /proc/1/cmdline | head -c 5", &out), 0);
	assert_string_equal(out.data, "1:sleep");
	cox_buf_clear(&out);
	/* Mounting is refused, masked files are empty, settings are read only. */
	assert_int_equal(must_exec(id,
				   "mount -t tmpfs x /tmp 2>/dev/null || echo refused; "
				   "head -c 1 /proc/interrupts | cat; "
				   "echo 1 2>/dev/null > /proc/sys/kernel/panic || echo readonly",
				   &out),
			 0);
	assert_string_equal(out.data, "1:refused\nreadonly\n");
	cox_buf_clear(&out);
	assert_int_equal(must_exec(id, "echo out; echo err >&2; exit 3", &out), 3);
	assert_string_equal(out.data, "1:out\n2:err\n");
}

static void test_stop(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	uint64_t begin;

	(void)state;
	must_create(sandbox, "polite", "trap 'exit 5' TERM; while :; do sleep 0.05; done", id);
	must_start(id);
	assert_int_equal(must_exec(id, "true", NULL), 0);
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, id, 20 * SECOND, NULL),
			 0);
	assert_int_equal(must_wait_exit(id), 5);
	must_create(sandbox, "deaf", "trap '' TERM; while :; do sleep 0.05; done", id);
	must_start(id);
	assert_int_equal(must_exec(id, "true", NULL), 0);
	begin = now_ns();
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, id, SECOND / 2, NULL),
			 0);
	assert_true(now_ns() - begin >= SECOND / 2);
	assert_int_equal(must_wait_exit(id), 137);
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, id, 20 * SECOND, NULL),
			 0);
}

static void test_exec_errors(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	const char *const missing[] = {"/bin/no-such-thing"};
	const struct cox_strings words = {missing, 1};
	const char *const endless[] = {"/bin/sleep", "600"};
	const struct cox_strings wait = {endless, 2};
	const struct cox_output_sink sink = {sizeof(sink), 0, NULL};
	cox_autoerror err = COX_ERROR_INIT;
	int32_t code;

	(void)state;
	must_create(sandbox, "exec", "exec sleep 600", id);
	assert_int_equal(
		runtime.ops->exec_sync(runtime.self, &no_call, id, &words, 0, &sink, &code, &err),
		-1);
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	must_start(id);
	error_clear(&err);
	assert_int_equal(
		runtime.ops->exec_sync(runtime.self, &no_call, id, &words, 0, &sink, &code, &err),
		-1);
	assert_non_null(strstr(error_text(&err), "/bin/no-such-thing"));
	error_clear(&err);
	assert_int_equal(runtime.ops->exec_sync(runtime.self, &no_call, id, &wait, SECOND / 5,
						&sink, &code, &err),
			 -1);
	assert_int_equal(err.reason, COX_REASON_TIMEOUT);
	error_clear(&err);
	assert_int_equal(runtime.ops->exec_sync(runtime.self, &no_call, "none", &wait, 0, &sink,
						&code, &err),
			 -1);
	assert_string_equal(error_text(&err), "container \"none\" not found");
}

static void test_exec_terminal(void **state)
{
	char id[COX_RUNTIME_ID_SIZE], text[4096] = "";
	const char *const command[] = {"/bin/sh", "-c",
				       "read line; stty size; echo \"got $line\"; exit 4"};
	const struct cox_strings words = {command, 3};
	const struct cox_window_size size = {.columns = 132, .rows = 43};
	int in[2], out[2], sizes[2];
	struct cox_streams streams = {.struct_size = sizeof(streams), .tty = 1, .stderr_fd = -1};
	cox_autoerror err = COX_ERROR_INIT;
	int32_t code = -1;
	ssize_t got;

	(void)state;
	must_create(sandbox, "terminal", "exec sleep 600", id);
	must_start(id);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(sizes, O_CLOEXEC), 0);
	streams.stdin_fd = in[0];
	streams.stdout_fd = out[1];
	streams.resize_fd = sizes[0];
	assert_int_equal(write(sizes[1], &size, sizeof(size)), sizeof(size));
	assert_int_equal(write(in[1], "hello\n", 6), 6);
	if (runtime.ops->exec(runtime.self, &no_call, id, &words, &streams, &code, &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(code, 4);
	close(out[1]);
	got = read(out[0], text, sizeof(text) - 1);
	assert_true(got > 0);
	if (!strstr(text, "got hello\r\n"))
		fail_msg("the terminal said: %s", text);
	close(out[0]);
	close(in[0]);
	close(in[1]);
	close(sizes[0]);
	close(sizes[1]);
}

/* CVE-2024-21626: no descriptor of ours, and no way out by the directory. */
static void test_no_leak(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;
	const char *const command[] = {"/bin/sleep", "1"};
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "leak",
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {command, 2},
					      .log_path = "",
					      .stop_signal = ""};
	int leak = open("/etc/passwd", O_RDONLY); /* not close-on-exec, on purpose */

	(void)state;
	must_create(sandbox, "fds", "exec sleep 600", id);
	must_start(id);
	assert_int_equal(must_exec(id, "ls /proc/1/fd", &out), 0);
	assert_string_equal(out.data, "1:0\n1\n2\n");
	cox_buf_clear(&out);
	assert_int_equal(must_exec(id, "cd /proc/self/fd; echo *", &out), 0);
	assert_null(strstr(out.data, "7"));
	for (int fd = 0; fd < 65; fd++) {
		char directory[32];
		cox_autoerror err = COX_ERROR_INIT;

		snprintf(directory, sizeof(directory), "/proc/self/fd/%d", fd);
		config.working_dir = directory;
		assert_int_equal(runtime.ops->container_create(runtime.self, &no_call, sandbox,
							       &config, id, &err),
				 -1);
		assert_int_equal(err.reason, COX_REASON_INVALID);
	}
	close(leak);
}

static void test_users(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;
	const char *const command[] = {"/bin/sleep", "600"};
	const int64_t extra[] = {4711};
	struct cox_security security = {.struct_size = sizeof(security),
					.run_as_user = -1,
					.run_as_group = -1,
					.run_as_username = "worker",
					.pid_mode = COX_NAMESPACE_CONTAINER,
					.no_new_privileges = 1,
					.target_id = "",
					.supplemental_groups = {extra, 1}};
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "user",
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {command, 2},
					      .working_dir = "",
					      .log_path = "",
					      .stop_signal = "",
					      .security = &security};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, &err) != 0)
		fail_msg("%s", error_text(&err));
	must_start(id);
	assert_int_equal(
		must_exec(id,
			  "id; echo $HOME; while read a b; do case $a in CapEff:|NoNewPrivs:) "
			  "echo $b;; esac; done < /proc/self/status",
			  &out),
		0);
	assert_string_equal(out.data, "1:uid=1234(worker) gid=2345 groups=77(team),4711\n"
				      "/work\n0000000000000000\n1\n");
	security.run_as_username = "stranger";
	assert_int_equal(
		runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, &err),
		-1);
	assert_string_equal(error_text(&err),
			    "user \"stranger\" is not in the image's /etc/passwd");
}

static void test_shared(void **state)
{
	char first[COX_RUNTIME_ID_SIZE], second[COX_RUNTIME_ID_SIZE];
	cox_autobuf one = COX_BUF_INIT, two = COX_BUF_INIT;
	static const char script[] = "for n in net ipc uts; do readlink /proc/self/ns/$n; done";

	(void)state;
	must_create(sandbox, "first", "exec sleep 600", first);
	must_create(sandbox, "second", "exec sleep 600", second);
	must_start(first);
	must_start(second);
	must_exec(first, script, &one);
	must_exec(second, script, &two);
	assert_string_equal(one.data, two.data);
	assert_non_null(strstr(one.data, "net:["));
	assert_int_equal(must_exec(first, "echo shared > /dev/shm/note", NULL), 0);
	cox_buf_clear(&two);
	assert_int_equal(must_exec(second, "cat /dev/shm/note", &two), 0);
	assert_string_equal(two.data, "1:shared\n");
	/* The file systems are their own. */
	assert_int_equal(must_exec(first, "touch /tmp/mine", NULL), 0);
	assert_int_equal(must_exec(second, "test -e /tmp/mine", NULL), 1);
}

static void test_port_forward(void **state)
{
	char id[COX_RUNTIME_ID_SIZE], text[32] = "";
	cox_autoerror err = COX_ERROR_INIT;
	uint64_t end = now_ns() + 10 * SECOND;
	int fd = -1, result;

	(void)state;
	assert_int_equal(runtime.ops->port_forward(runtime.self, &no_call, sandbox, 81, &fd, &err),
			 -1);
	assert_string_equal(error_text(&err),
			    "port-forward: connect to port 81: Connection refused");
	must_create(sandbox, "server", "exec nc -l -p 8080 -e echo welcome", id);
	must_start(id);
	do {
		error_clear(&err);
		result =
			runtime.ops->port_forward(runtime.self, &no_call, sandbox, 8080, &fd, &err);
	} while (result != 0 && now_ns() < end);
	assert_int_equal(result, 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 8);
	assert_string_equal(text, "welcome\n");
	close(fd);
}

static void test_stats_and_log(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	struct cox_filesystem_usage usage = {0};
	cox_autofree char *old = NULL, *new = NULL;

	(void)state;
	must_create(sandbox, "log",
		    "echo before; while test ! -e /tmp/go; do sleep 0.02; done; echo after", id);
	must_start(id);
	for (uint64_t end = now_ns() + 10 * SECOND; now_ns() < end;) {
		struct stat info;

		if (stat(work_path("logs/log/0.log"), &info) == 0 && info.st_size > 0)
			break;
		poll(NULL, 0, 5);
	}
	assert_int_equal(rename(work_path("logs/log/0.log"), work_path("logs/log/0.old")), 0);
	assert_int_equal(runtime.ops->container_reopen_log(runtime.self, &no_call, id, NULL), 0);
	assert_int_equal(must_exec(id, "touch /tmp/go", NULL), 0);
	assert_int_equal(must_wait_exit(id), 0);
	assert_string_equal(container_reason(id), "Completed");
	old = read_text(work_path("logs/log/0.old"));
	new = read_text(work_path("logs/log/0.log"));
	assert_non_null(strstr(old, " stdout F before\n"));
	assert_non_null(strstr(new, " stdout F after\n"));
	assert_int_equal(runtime.ops->image_filesystem(runtime.self, &no_call, &usage, NULL), 0);
	assert_true(usage.used_bytes > 100000 && usage.used_inodes > 10);
}

/* The daemon goes away without a word; the next one finds everything. */
static void test_recovery(void **state)
{
	char running[COX_RUNTIME_ID_SIZE], ending[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;
	int64_t pid;

	(void)state;
	must_create(sandbox, "running", "exec sleep 600", running);
	must_create(sandbox, "ending", "while test ! -e /tmp/go; do sleep 0.02; done; exit 9",
		    ending);
	must_start(running);
	must_start(ending);
	pid = container_pid(running);
	assert_int_equal(must_exec(ending, "touch /tmp/later", NULL), 0);
	runtime_close();
	/* It ends while nobody is there. */
	assert_int_equal(
		run_shell("touch '%s/root/containers/%s/rootfs/tmp/go'", work_directory, ending),
		0);
	for (uint64_t end = now_ns() + 10 * SECOND; now_ns() < end; poll(NULL, 0, 5)) {
		char exit_file[400];

		snprintf(exit_file, sizeof(exit_file), "root/containers/%s/exits/%s", ending,
			 ending);
		if (access(work_path(exit_file), F_OK) == 0)
			break;
	}
	/* What a crash in the middle of a creation leaves. */
	assert_int_equal(run_shell("mkdir -p root/containers/%064d/upper", 0), 0);
	runtime_open();
	assert_int_equal(container_state(running), COX_CONTAINER_RUNNING);
	assert_int_equal(container_pid(running), pid);
	assert_int_equal(must_wait_exit(ending), 9);
	assert_int_equal(sandbox_state(sandbox), COX_SANDBOX_READY);
	assert_int_equal(must_exec(running, "echo still here", &out), 0);
	assert_string_equal(out.data, "1:still here\n");
	assert_int_equal(run_shell("test ! -e root/containers/%064d", 0), 0);
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, running, 0, NULL), 0);
	assert_int_equal(must_wait_exit(running), 137);
}

struct events {
	struct cox_runtime_event_sink sink;
	pthread_mutex_t lock;
	struct cox_buf text;
};

static void take_event(const struct cox_runtime_event_sink *sink,
		       const struct cox_container_event *event)
{
	struct events *events = (struct events *)(uintptr_t)sink;

	pthread_mutex_lock(&events->lock);
	cox_buf_printf(&events->text, "%u ", event->type);
	pthread_mutex_unlock(&events->lock);
}

static void test_events(void **state)
{
	struct events events = {.sink = {sizeof(events.sink), 0, take_event},
				.lock = PTHREAD_MUTEX_INITIALIZER};
	char id[COX_RUNTIME_ID_SIZE];
	void *watch = runtime.ops->watch(runtime.self, &no_call, &events.sink, NULL);
	bool seen = false;

	(void)state;
	must_create(sandbox, "events", "exit 0", id);
	must_start(id);
	for (uint64_t end = now_ns() + 10 * SECOND; !seen && now_ns() < end; poll(NULL, 0, 5)) {
		pthread_mutex_lock(&events.lock);
		seen = strcmp(cox_buf_cstr(&events.text), "0 1 2 ") == 0 ||
		       strcmp(cox_buf_cstr(&events.text), "0 2 1 ") == 0;
		pthread_mutex_unlock(&events.lock);
	}
	runtime.ops->container_remove(runtime.self, &no_call, id, NULL);
	runtime.ops->watch_cancel(runtime.self, watch);
	assert_true(seen);
	assert_true(cox_buf_cstr(&events.text)[6] == '3');
	cox_buf_free(&events.text);
}

static void test_sandbox_end(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];

	(void)state;
	must_create(sandbox, "child", "exec sleep 600", id);
	must_start(id);
	assert_int_equal(runtime.ops->sandbox_stop(runtime.self, &no_call, sandbox, NULL), 0);
	assert_int_equal(sandbox_state(sandbox), COX_SANDBOX_NOT_READY);
	assert_int_equal(container_state(id), COX_CONTAINER_EXITED);
	assert_int_equal(runtime.ops->sandbox_stop(runtime.self, &no_call, "nobody", NULL), 0);
}

/* A pod whose containers see each other's processes. */
static void test_shared_processes(void **state)
{
	char first[COX_RUNTIME_ID_SIZE], second[COX_RUNTIME_ID_SIZE];
	cox_autobuf out = COX_BUF_INIT;

	(void)state;
	pid_mode = COX_NAMESPACE_POD;
	must_create(sandbox, "first", "sleep 601 & exec sleep 602", first);
	must_create(sandbox, "second", "exec sleep 603", second);
	pid_mode = COX_NAMESPACE_CONTAINER;
	must_start(first);
	must_start(second);
	assert_int_equal(
		must_exec(second, "head -c 6 /proc/1/cmdline; ps | grep -c 'sleep 60'", &out), 0);
	assert_memory_equal(out.data, "1:/pause", 8);
	/* The child of the first holds its streams, and ends with it all the same. */
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, first, 0, NULL), 0);
	assert_int_equal(must_wait_exit(first), 137);
	cox_buf_clear(&out);
	assert_int_equal(must_exec(second, "ps | grep -v grep | grep -c 'sleep 60[12]'", &out), 1);
	assert_string_equal(out.data, "1:0\n");
	assert_int_equal(container_state(second), COX_CONTAINER_RUNNING);
}

/* A pod on the node's network, with all rights. */
static void test_node_network(void **state)
{
	char pod[COX_RUNTIME_ID_SIZE], id[COX_RUNTIME_ID_SIZE], parent[64], own[64] = "";
	const char *const command[] = {"/bin/sleep", "600"};
	const struct cox_security security = {.struct_size = sizeof(security),
					      .privileged = 1,
					      .network_mode = COX_NAMESPACE_NODE,
					      .pid_mode = COX_NAMESPACE_NODE,
					      .ipc_mode = COX_NAMESPACE_NODE,
					      .readonly_rootfs = 1,
					      .run_as_user = -1,
					      .run_as_group = -1,
					      .run_as_username = "",
					      .target_id = ""};
	const struct cox_sandbox_config config = {.struct_size = sizeof(config),
						  .name = "node",
						  .uid = "u-2",
						  .namespace_name = "default",
						  .hostname = "",
						  .log_directory = "",
						  .cgroup_parent = parent,
						  .runtime_handler = "",
						  .security = &security};
	const struct cox_mount mounts[] = {
		{.container_path = "/data",
		 .host_path = work_path("outside"),
		 .propagation = COX_PROPAGATION_HOST_TO_CONTAINER},
		{.container_path = "/fixed", .host_path = work_path("outside"), .readonly = 1}};
	struct cox_container_config container = {.struct_size = sizeof(container),
						 .name = "node",
						 .image = "test/busybox:1",
						 .image_ref = "",
						 .command = {command, 2},
						 .working_dir = "",
						 .mounts = mounts,
						 .mount_count = 2,
						 .log_path = "",
						 .stop_signal = "",
						 .security = &security};
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf out = COX_BUF_INIT, expected = COX_BUF_INIT;

	(void)state;
	snprintf(parent, sizeof(parent), "/coxtest%d-node", getpid());
	/* Mounts travel only below a shared one; the machine's may be private. */
	assert_int_equal(run_shell("mount --bind outside outside; mount --make-shared outside"), 0);
	if (runtime.ops->sandbox_run(runtime.self, &no_call, &config, pod, &err) != 0 ||
	    runtime.ops->container_create(runtime.self, &no_call, pod, &container, id, &err) != 0)
		fail_msg("%s", error_text(&err));
	must_start(id);
	assert_true(readlink("/proc/self/ns/net", own, sizeof(own) - 1) > 0);
	cox_buf_printf(&expected, "1:%s\nreadonly root\nreadonly mount\n", own);
	assert_int_equal(
		must_exec(id,
			  "readlink /proc/self/ns/net; touch /x 2>/dev/null || echo readonly "
			  "root; touch /fixed/x 2>/dev/null || echo readonly mount; "
			  "echo here > /data/note",
			  &out),
		0);
	assert_string_equal(out.data, expected.data);
	assert_int_equal(run_shell("test $(cat outside/note) = here; rm outside/note"), 0);
	/* What the node mounts there later is seen inside. */
	assert_int_equal(run_shell("mkdir -p outside/later; mount -t tmpfs later outside/later; "
				   "echo new > outside/later/file"),
			 0);
	cox_buf_clear(&out);
	assert_int_equal(must_exec(id, "cat /data/later/file", &out), 0);
	assert_string_equal(out.data, "1:new\n");
	assert_int_equal(run_shell("umount outside/later; rmdir outside/later"), 0);
	assert_int_equal(runtime.ops->sandbox_remove(runtime.self, &no_call, pod, &err), 0);
	assert_int_equal(run_shell("umount outside"), 0);
}

struct attaching {
	const char *id;
	struct cox_streams streams;
	int result;
};

static void *attach(void *context)
{
	struct attaching *attaching = context;

	attaching->result = runtime.ops->attach(runtime.self, &no_call, attaching->id,
						&attaching->streams, NULL);
	return NULL;
}

static void test_attach(void **state)
{
	const char *const command[] = {"/bin/sh", "-c",
				       ("while read line; do echo \"out $line\"; "
					"echo \"err $line\" >&2; done; exit 6")};
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "attach",
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {command, 3},
					      .working_dir = "",
					      .log_path = "",
					      .stop_signal = "",
					      .stdin_open = 1,
					      .stdin_once = 1};
	char id[COX_RUNTIME_ID_SIZE], text[64] = "";
	struct attaching attaching = {.id = id};
	int in[2], out[2], errors[2];
	cox_autoerror err = COX_ERROR_INIT;
	pthread_t thread;

	(void)state;
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, &err) != 0)
		fail_msg("%s", error_text(&err));
	must_start(id);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(errors, O_CLOEXEC),
			 0);
	attaching.streams = (struct cox_streams){.struct_size = sizeof(attaching.streams),
						 .stdin_fd = in[0],
						 .stdout_fd = out[1],
						 .stderr_fd = errors[1],
						 .resize_fd = -1};
	assert_int_equal(pthread_create(&thread, NULL, attach, &attaching), 0);
	assert_int_equal(write(in[1], "one\n", 4), 4);
	assert_int_equal(read(out[0], text, sizeof(text)), 8);
	assert_memory_equal(text, "out one\n", 8);
	assert_int_equal(read(errors[0], text, sizeof(text)), 8);
	assert_memory_equal(text, "err one\n", 8);
	/* The end of our input is the end of the container's. */
	close(in[1]);
	assert_int_equal(must_wait_exit(id), 6);
	pthread_join(thread, NULL);
	assert_int_equal(attaching.result, 0);
	close(in[0]);
	for (int i = 0; i < 2; i++) {
		close(out[i]);
		close(errors[i]);
	}
}

static void test_memory_limit(void **state)
{
	char id[COX_RUNTIME_ID_SIZE];
	const char *const command[] = {"/bin/sh", "-c", "x=a; while :; do x=$x$x; done"};
	const struct cox_resources resources = {.struct_size = sizeof(resources),
						.memory_limit = 16 << 20,
						.memory_swap_limit = 16 << 20,
						.cpuset_cpus = "",
						.cpuset_mems = ""};
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = "hungry",
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {command, 3},
					      .working_dir = "",
					      .log_path = "",
					      .stop_signal = "",
					      .resources = &resources};
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, &err) != 0)
		fail_msg("%s", error_text(&err));
	must_start(id);
	assert_int_equal(must_wait_exit(id), 137);
	assert_string_equal(container_reason(id), "OOMKilled");
}

/* The runtime's monitor is killed: nobody knows the exit code any more. */
static void test_monitor_killed(void **state)
{
	char id[COX_RUNTIME_ID_SIZE], file[256];
	cox_autofree char *pid = NULL;

	(void)state;
	must_create(sandbox, "orphan", "exec sleep 600", id);
	must_start(id);
	snprintf(file, sizeof(file), "root/containers/%s/conmon.pid", id);
	pid = read_text(work_path(file));
	assert_true(atoi(pid) > 1);
	kill(atoi(pid), SIGKILL);
	assert_int_equal(runtime.ops->container_stop(runtime.self, &no_call, id, 0, NULL), 0);
	assert_int_equal(must_wait_exit(id), 255);
	assert_string_equal(container_reason(id), "ContainerStatusUnknown");
}

/* The life of a daemon that is killed; it says the ids and waits for its end. */
static _Noreturn void be_victim(const char *work)
{
	char one[COX_RUNTIME_ID_SIZE], two[COX_RUNTIME_ID_SIZE];

	harness_join(work);
	runtime_open();
	must_run_sandbox("victim", one);
	must_create(one, "victim", "exec sleep 600", two);
	must_start(two);
	printf("%s %s\n", one, two);
	fflush(stdout);
	for (;;)
		poll(NULL, 0, -1);
}

static void test_killed_daemon(void **state)
{
	const char *const argv[] = {"/proc/self/exe", runtime_choice, work_directory, NULL};
	char builddir[512], one[COX_RUNTIME_ID_SIZE] = "", two[COX_RUNTIME_ID_SIZE] = "", line[512];
	const char *const env[] = {builddir, NULL};
	int out[2], status;
	struct cox_spawn_fd fds[] = {{-1, 1}, {2, 2}};
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = argv[0],
				 .argv = argv,
				 .env = env,
				 .fds = fds,
				 .fd_count = 2};
	cox_autoerror err = COX_ERROR_INIT;
	cox_autobuf text = COX_BUF_INIT;
	int pidfd = -1;
	FILE *file;

	(void)state;
	runtime_close();
	snprintf(builddir, sizeof(builddir), "builddir=%s",
		 getenv("builddir") ? getenv("builddir") : ".");
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fds[0].from = out[1];
	if (spawn_process(&what, &pidfd, NULL, &err) != 0)
		fail_msg("%s", error_text(&err));
	close(out[1]);
	file = fdopen(out[0], "re");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_int_equal(sscanf(line, "%127s %127s", one, two), 2);
	assert_int_equal(spawn_signal(pidfd, SIGKILL, NULL), 0);
	assert_int_equal(spawn_wait(pidfd, now_ns() + 10 * SECOND, &status, NULL), 0);
	assert_int_equal(status, 137);
	fclose(file);
	close(pidfd);
	runtime_open();
	assert_int_equal(sandbox_state(one), COX_SANDBOX_READY);
	assert_int_equal(container_state(two), COX_CONTAINER_RUNNING);
	assert_int_equal(must_exec(two, "echo alive", &text), 0);
	assert_string_equal(text.data, "1:alive\n");
	assert_int_equal(runtime.ops->sandbox_remove(runtime.self, &no_call, one, NULL), 0);
	assert_int_equal(sandbox_state(one), -1);
	assert_int_equal(container_state(two), -1);
}

struct image_look {
	struct cox_image_sink sink;
	struct cox_buf text;
};

static int take_image(const struct cox_image_sink *sink, const struct cox_image *image)
{
	struct image_look *look = (struct image_look *)(uintptr_t)sink;

	for (size_t i = 0; i < image->tags.count; i++)
		cox_buf_printf(&look->text, "%s ", image->tags.items[i]);
	cox_buf_printf(&look->text, "+%zu ", image->digests.count);
	return 0;
}

static void assert_images(const char *expected)
{
	struct image_look look = {.sink = {sizeof(look.sink), 0, take_image}};

	assert_int_equal(runtime.ops->image_list(runtime.self, &no_call, &look.sink, NULL), 0);
	assert_string_equal(cox_buf_cstr(&look.text), expected);
	cox_buf_free(&look.text);
}

static void test_images(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;
	char id[COX_RUNTIME_ID_SIZE];

	(void)state;
	assert_images("docker.io/test/busybox:1 +0 ");
	/* The same image from an OCI layout: one more name. */
	if (import_file(work_path("layout.tar"), "example.org/other:2", &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_images("docker.io/test/busybox:1 example.org/other:2 +1 ");
	must_create(sandbox, "user", "exec sleep 600", id);
	assert_int_equal(
		runtime.ops->image_remove(runtime.self, &no_call, "example.org/other:2", &err), 0);
	assert_images("docker.io/test/busybox:1 +1 ");
	assert_int_equal(runtime.ops->image_remove(runtime.self, &no_call, "test/busybox:1", &err),
			 -1);
	assert_int_equal(err.reason, COX_REASON_CONFLICT);
	assert_int_equal(runtime.ops->container_remove(runtime.self, &no_call, id, NULL), 0);
	assert_int_equal(runtime.ops->image_remove(runtime.self, &no_call, "test/busybox:1", NULL),
			 0);
	assert_images("");
	assert_int_equal(run_shell("test -z \"$(ls root/layers root/images | grep -v :)\""), 0);
	assert_int_equal(runtime.ops->image_remove(runtime.self, &no_call, "test/busybox:1", NULL),
			 0);
}

static void test_hostile_images(void **state)
{
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	/* In its chroot the link leads nowhere, or to the layer's own folder. */
	(void)import_file(work_path("evil-image.tar"), NULL, NULL);
	assert_int_equal(run_shell("test -z \"$(ls outside)\""), 0);
	assert_int_equal(import_file(work_path("false-image.tar"), "false:1", &err), -1);
	assert_non_null(strstr(error_text(&err), ", the configuration says sha256:"));
	error_clear(&err);
	assert_int_equal(import_file(work_path("none.tar"), NULL, &err), -1);
	assert_string_equal(error_text(&err),
			    "the archive has neither manifest.json nor index.json: "
			    "it is not an image");
	error_clear(&err);
	assert_int_equal(import_file(work_path("plain"), NULL, &err), -1);
	assert_int_equal(run_shell("test -z \"$(ls root/tmp)\""), 0);
}

struct pull_look {
	struct cox_progress_sink sink;
	unsigned phases; /* bits */
	uint64_t done;
};

static void take_progress(const struct cox_progress_sink *sink,
			  const struct cox_pull_progress *progress)
{
	struct pull_look *look = (struct pull_look *)(uintptr_t)sink;

	look->phases |= 1u << progress->phase;
	if (progress->phase == COX_PULL_DOWNLOADING && progress->done == progress->total)
		look->done += progress->done;
}

static int pull(const char *name, const struct cox_registry_auth *auth, struct pull_look *look,
		char *ref, struct cox_error *err)
{
	*look = (struct pull_look){.sink = {sizeof(look->sink), 0, take_progress}};
	return runtime.ops->image_pull(runtime.self, &no_call, name, auth, &look->sink, ref, err);
}

static void test_pull_plain(void **state)
{
	struct registry registry;
	struct pull_look look;
	char name[128], ref[COX_IMAGE_REF_SIZE], again[COX_IMAGE_REF_SIZE];
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	assert_int_equal(runtime.ops->image_remove(runtime.self, &no_call, "test/busybox:1", NULL),
			 0);
	registry_start(&registry, "plain-registry", false, false);
	registry_push(&registry, false, "some/image", "v1", "");
	snprintf(name, sizeof(name), "127.0.0.1:%d/some/image:v1", registry.port);
	if (pull(name, NULL, &look, ref, &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(look.phases, 1 << COX_PULL_RESOLVING | 1 << COX_PULL_DOWNLOADING |
					      1 << COX_PULL_UNPACKING | 1 << COX_PULL_DONE);
	assert_true(look.done > 100000);
	/* By digest, with nothing to download any more. */
	if (pull(ref, NULL, &look, again, &err) != 0)
		fail_msg("%s", error_text(&err));
	assert_string_equal(ref, again);
	assert_int_equal(look.done, 0);
	snprintf(name, sizeof(name), "127.0.0.1:%d/some/image:v2", registry.port);
	assert_int_equal(pull(name, NULL, &look, ref, &err), -1);
	assert_int_equal(err.reason, COX_REASON_NOT_FOUND);
	/* A server that gives other bytes than the digest says. */
	assert_int_equal(runtime.ops->image_remove(runtime.self, &no_call, again, NULL), 0);
	assert_int_equal(run_shell("cd '%s/data' && for f in $(find . -path '*/blobs/*' -name data "
				   "-size +100k); do printf X | dd of=$f bs=1 seek=5000 "
				   "conv=notrunc 2>/dev/null; done",
				   registry.directory),
			 0);
	snprintf(name, sizeof(name), "127.0.0.1:%d/some/image:v1", registry.port);
	runtime.ops->image_remove(runtime.self, &no_call, name, NULL);
	error_clear(&err);
	assert_int_equal(pull(name, NULL, &look, ref, &err), -1);
	assert_non_null(strstr(error_text(&err), "the layer has digest sha256:"));
}

static void test_pull_tls(void **state)
{
	struct registry registry;
	struct pull_look look;
	struct cox_registry_auth auth = {.struct_size = sizeof(auth),
					 .username = "user",
					 .password = "wrong",
					 .identity_token = "",
					 .registry_token = ""};
	char name[128], ref[COX_IMAGE_REF_SIZE];
	cox_autoerror err = COX_ERROR_INIT;

	(void)state;
	registry_start(&registry, "tls-registry", true, true);
	registry_push(&registry, true, "secure", "latest", "-u user:secret");
	/* "localhost" is no insecure registry here. */
	snprintf(name, sizeof(name), "localhost:%d/secure", registry.port);
	assert_int_equal(pull(name, NULL, &look, ref, &err), -1);
	assert_non_null(strstr(error_text(&err), "certificate"));
	assert_int_equal(run_shell("mkdir -p certs/localhost:%d; cp ca.crt certs/localhost:%d/",
				   registry.port, registry.port),
			 0);
	error_clear(&err);
	assert_int_equal(pull(name, NULL, &look, ref, &err), -1);
	assert_non_null(
		strstr(error_text(&err), "/secure: access denied: the repository does not"));
	assert_int_equal(err.reason, COX_REASON_UNAUTHORIZED);
	error_clear(&err);
	assert_int_equal(pull(name, &auth, &look, ref, &err), -1);
	assert_int_equal(err.reason, COX_REASON_UNAUTHORIZED);
	auth.password = "secret";
	error_clear(&err);
	if (pull(name, &auth, &look, ref, &err) != 0)
		fail_msg("%s", error_text(&err));
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {TEST(life),		 TEST(inside),
					   TEST(stop),		 TEST(exec_errors),
					   TEST(exec_terminal),	 TEST(no_leak),
					   TEST(users),		 TEST(shared),
					   TEST(port_forward),	 TEST(stats_and_log),
					   TEST(recovery),	 TEST(events),
					   TEST(sandbox_end),	 TEST(shared_processes),
					   TEST(node_network),	 TEST(attach),
					   TEST(memory_limit),	 TEST(monitor_killed),
					   TEST(killed_daemon),	 TEST(images),
					   TEST(hostile_images), TEST(pull_plain),
					   TEST(pull_tls),	 TEST(overwrite),
					   TEST(hidden),	 TEST(links)};
	int failed;

	if (geteuid() != 0 || access("/bin/busybox", X_OK) != 0 ||
	    access("/usr/bin/conmon", X_OK) != 0) {
		printf("1..0 # SKIP needs root, conmon and busybox-static\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	runtime_choice = argc > 1 ? argv[1] : "crun";
	if (argc > 2)
		be_victim(argv[2]);
	harness_begin(argc > 1 ? argv[1] : "crun");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return harness_end() != 0 || failed ? 1 : 0;
}
