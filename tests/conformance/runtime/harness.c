/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's surroundings; see the header. */
#include "harness.h"

#include "base/spawn.h"

#include <coxswain/kit/alloc.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char work_directory[256];
const char *runtime_choice;
struct fixture runtime;
uint32_t pid_mode = COX_NAMESPACE_CONTAINER;

static const struct cox_call no_call = {.struct_size = sizeof(no_call)};

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

const char *work_path(const char *name)
{
	static char paths[8][512];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", work_directory, name);
	return path;
}

char *read_text(const char *path)
{
	struct cox_buf buf = COX_BUF_INIT;
	FILE *file = fopen(path, "re");
	size_t got;

	while (file && (got = fread(cox_buf_reserve(&buf, 4096), 1, 4096, file)) > 0)
		cox_buf_added(&buf, got);
	if (file)
		fclose(file);
	return cox_buf_steal(&buf);
}

int run_shell(const char *format, ...)
{
	cox_autobuf text = COX_BUF_INIT;
	const char *argv[] = {"/bin/sh", "-ec", NULL, NULL};
	const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	const struct cox_spawn_fd fds[] = {{2, 2}, {2, 1}};
	struct cox_spawn what = {.struct_size = sizeof(what),
				 .path = "/bin/sh",
				 .argv = argv,
				 .env = env,
				 .cwd = work_directory,
				 .fds = fds,
				 .fd_count = 2};
	cox_autoerror err = COX_ERROR_INIT;
	int pidfd = -1, status = -1;
	va_list args;

	va_start(args, format);
	cox_buf_vprintf(&text, format, args);
	va_end(args);
	argv[2] = text.data;
	if (spawn_process(&what, &pidfd, NULL, &err) != 0 ||
	    spawn_wait(pidfd, now_ns() + 60 * SECOND, &status, &err) != 0)
		print_error("%s: %s\n", text.data, error_text(&err));
	close(pidfd);
	return status;
}

void harness_begin(const char *choice)
{
	const char *base = getenv("TMPDIR");

	runtime_choice = choice;
	snprintf(work_directory, sizeof(work_directory), "%s/cox-runtime-XXXXXX",
		 base ? base : "/tmp");
	if (!mkdtemp(work_directory)) {
		perror(work_directory);
		exit(99);
	}
	images_make();
}

void harness_join(const char *directory)
{
	snprintf(work_directory, sizeof(work_directory), "%s", directory);
}

/* Lines of /proc/self/mountinfo that lie in our directory. */
static int count_mounts(void)
{
	char *text = read_text("/proc/self/mountinfo");
	int count = 0;

	for (char *at = text; (at = strstr(at, work_directory)); at++)
		count++;
	free(text);
	return count;
}

/* Processes whose command line names our directory. */
static int count_processes(void)
{
	DIR *entries = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (entries && (entry = readdir(entries))) {
		char path[300], text[4096] = "";
		FILE *file;
		size_t got;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "re")
									  : NULL;
		if (!file)
			continue;
		got = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
		if (memmem(text, got, work_directory, strlen(work_directory))) {
			print_error("process %s is left: %s\n", entry->d_name, text);
			count++;
		}
	}
	if (entries)
		closedir(entries);
	return count;
}

int harness_end(void)
{
	int left = count_mounts();

	if (left)
		print_error("%d mounts are left in %s\n", left, work_directory);
	if (run_shell("! find /sys/fs/cgroup -type d -name 'coxtest%d*' | grep .", getpid()) != 0)
		left++;
	left += count_processes();
	if (!count_mounts())
		run_shell("rm -rf --one-file-system '%s'", work_directory);
	return left;
}

void runtime_open(void)
{
	const char *builddir = getenv("builddir");
	char plugins[512], helpers[512];
	const char *const options[][2] = {{"root", work_path("root")},
					  {"state", work_path("state")},
					  {"runtime", runtime_choice},
					  {"helper-directory", helpers},
					  {"insecure-registries", "127.0.0.1"},
					  {"certificates-directory", work_path("certs")}};
	cox_autoerror err = COX_ERROR_INIT;

	builddir = builddir ? builddir : ".";
	snprintf(plugins, sizeof(plugins), "%s/plugins/.libs", builddir);
	snprintf(helpers, sizeof(helpers), "%s/plugins/runtime/oci", builddir);
	runtime.host = host_new("kubelet", plugins);
	runtime.plugin = host_open(runtime.host, "runtime", "oci", NULL, &err);
	if (!runtime.plugin)
		fail_msg("%s", error_text(&err));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (host_set_option(runtime.plugin, options[i][0], options[i][1], NULL, &err) != 0)
			fail_msg("%s", error_text(&err));
	if (host_configure(runtime.plugin, &err) != 0 ||
	    host_get_ready(runtime.plugin, &err) != 0 || host_start(runtime.plugin, &err) != 0)
		fail_msg("%s", error_text(&err));
	runtime.ops = host_ops(runtime.plugin);
	runtime.self = host_self(runtime.plugin);
}

void runtime_close(void)
{
	host_close(runtime.plugin);
	host_free(runtime.host);
	runtime.plugin = NULL;
}

int import_file(const char *path, const char *name, struct cox_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result = runtime.ops->image_import(runtime.self, &no_call, fd, name, NULL, err);

	close(fd);
	return result;
}

void must_run_sandbox(const char *name, char *id)
{
	char parent[64], logs[512];
	static const char *const servers[] = {"10.9.8.7"};
	const struct cox_pair label[] = {{"app", "test"}};
	struct cox_security security = {.struct_size = sizeof(security),
					.run_as_user = -1,
					.run_as_group = -1,
					.run_as_username = "",
					.target_id = "",
					.pid_mode = COX_NAMESPACE_CONTAINER};
	struct cox_sandbox_config config = {.struct_size = sizeof(config),
					    .name = name,
					    .uid = "u-1",
					    .namespace_name = "default",
					    .hostname = "pod-host",
					    .log_directory = logs,
					    .cgroup_parent = parent,
					    .runtime_handler = "",
					    .dns_servers = {servers, 1},
					    .labels = {label, 1},
					    .security = &security};
	cox_autoerror err = COX_ERROR_INIT;

	snprintf(parent, sizeof(parent), "/coxtest%d-%s", getpid(), name);
	snprintf(logs, sizeof(logs), "%s/logs", work_directory);
	if (runtime.ops->sandbox_run(runtime.self, &no_call, &config, id, &err) != 0)
		fail_msg("sandbox_run: %s", error_text(&err));
}

void must_create(const char *sandbox, const char *name, const char *script, char *id)
{
	const char *const command[] = {"/bin/sh", "-c", script};
	const struct cox_pair env[] = {{"GREETING", "hello world"}};
	char log[64];
	const struct cox_security security = {.struct_size = sizeof(security),
					      .run_as_user = -1,
					      .run_as_group = -1,
					      .run_as_username = "",
					      .target_id = "",
					      .pid_mode = pid_mode};
	struct cox_container_config config = {.struct_size = sizeof(config),
					      .name = name,
					      .image = "test/busybox:1",
					      .image_ref = "",
					      .command = {command, 3},
					      .working_dir = "",
					      .env = {env, 1},
					      .log_path = log,
					      .stop_signal = "",
					      .security = &security};
	cox_autoerror err = COX_ERROR_INIT;

	snprintf(log, sizeof(log), "%s/0.log", name);
	if (runtime.ops->container_create(runtime.self, &no_call, sandbox, &config, id, &err) != 0)
		fail_msg("container_create: %s", error_text(&err));
}

void must_start(const char *id)
{
	cox_autoerror err = COX_ERROR_INIT;

	if (runtime.ops->container_start(runtime.self, &no_call, id, &err) != 0)
		fail_msg("container_start: %s", error_text(&err));
}

struct look {
	union {
		struct cox_container_sink container;
		struct cox_sandbox_sink sandbox;
		struct cox_output_sink output;
	};
	int state, exit_code;
	int64_t pid;
	char reason[64];
	struct cox_buf *out;
};

static int take_container(const struct cox_container_sink *sink,
			  const struct cox_container_status *status)
{
	struct look *look = (struct look *)(uintptr_t)sink;

	look->state = (int)status->state;
	look->exit_code = status->exit_code;
	look->pid = status->pid;
	snprintf(look->reason, sizeof(look->reason), "%s", status->reason);
	return 1;
}

static struct look look_at(const char *id)
{
	struct look look = {.container = {sizeof(look.container), 0, take_container}, .state = -1};
	const struct cox_runtime_filter filter = {
		.struct_size = sizeof(filter), .state = -1, .id = id};
	cox_autoerror err = COX_ERROR_INIT;

	if (runtime.ops->container_list(runtime.self, &no_call, &filter, &look.container, &err))
		fail_msg("container_list: %s", error_text(&err));
	return look;
}

int container_state(const char *id)
{
	return look_at(id).state;
}

int64_t container_pid(const char *id)
{
	return look_at(id).pid;
}

const char *container_reason(const char *id)
{
	static struct look look;

	look = look_at(id);
	return look.reason;
}

int must_wait_exit(const char *id)
{
	uint64_t end = now_ns() + 30 * SECOND;

	while (now_ns() < end) {
		struct look look = look_at(id);

		if (look.state == COX_CONTAINER_EXITED)
			return look.exit_code;
		poll(NULL, 0, 10);
	}
	fail_msg("container %s does not end", id);
	return -1;
}

static int take_sandbox(const struct cox_sandbox_sink *sink,
			const struct cox_sandbox_status *status)
{
	((struct look *)(uintptr_t)sink)->state = (int)status->state;
	return 1;
}

struct first {
	struct cox_sandbox_sink sink;
	char id[COX_RUNTIME_ID_SIZE];
};

static int take_first(const struct cox_sandbox_sink *sink, const struct cox_sandbox_status *status)
{
	struct first *first = (struct first *)(uintptr_t)sink;

	snprintf(first->id, sizeof(first->id), "%s", status->id);
	return 1;
}

int remove_sandboxes(void)
{
	for (;;) {
		struct first first = {.sink = {sizeof(first.sink), 0, take_first}};
		cox_autoerror err = COX_ERROR_INIT;

		if (runtime.ops->sandbox_list(runtime.self, &no_call, NULL, &first.sink, &err) != 0)
			return -1;
		if (!*first.id)
			return 0;
		if (runtime.ops->sandbox_remove(runtime.self, &no_call, first.id, &err) != 0) {
			print_error("sandbox_remove: %s\n", error_text(&err));
			return -1;
		}
	}
}

int sandbox_state(const char *id)
{
	struct look look = {.sandbox = {sizeof(look.sandbox), 0, take_sandbox}, .state = -1};
	const struct cox_runtime_filter filter = {
		.struct_size = sizeof(filter), .state = -1, .id = id};
	cox_autoerror err = COX_ERROR_INIT;

	if (runtime.ops->sandbox_list(runtime.self, &no_call, &filter, &look.sandbox, &err))
		fail_msg("sandbox_list: %s", error_text(&err));
	return look.state;
}

static int take_output(const struct cox_output_sink *sink, int stream, struct cox_bytes data)
{
	struct look *look = (struct look *)(uintptr_t)sink;

	if (look->out) {
		cox_buf_printf(look->out, "%d:", stream);
		cox_buf_add(look->out, data.data, data.size);
	}
	return 0;
}

int must_exec(const char *id, const char *script, struct cox_buf *out)
{
	const char *const command[] = {"/bin/sh", "-c", script};
	const struct cox_strings words = {command, 3};
	struct look look = {.output = {sizeof(look.output), 0, take_output}, .out = out};
	cox_autoerror err = COX_ERROR_INIT;
	int32_t code = -1;

	if (runtime.ops->exec_sync(runtime.self, &no_call, id, &words, 20 * SECOND, &look.output,
				   &code, &err) != 0)
		fail_msg("exec_sync: %s", error_text(&err));
	return code;
}
