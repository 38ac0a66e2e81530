/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: made by conmon and the OCI runtime, started, stopped, removed.
 * conmon holds the container's streams, writes its log in the format of the
 * container runtime interface, waits for its end and writes down its exit
 * code; it outlives this process. It is moved to a cgroup of the pod before it
 * starts anything, so that a service manager that ends the daemon's cgroup
 * does not end it.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SECOND 1000000000ull

static int run_helper(struct oci *oci, const struct cox_call *call, const char *job,
		      const char *first, const char *second, const char *third,
		      struct cox_error *err)
{
	cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);
	const char *argv[] = {helper, job, first, second, third, NULL};
	struct oci_command command = {.argv = argv, .timeout_ns = 600 * SECOND};
	cox_autobuf errors = COX_BUF_INIT;
	int code = oci_run(oci, call, &command, NULL, &errors, err);

	if (code > 0)
		return oci_fail_output(oci, err, "root file system", &errors);
	return code;
}

/* Puts the image's layers and an own, writable one together at rootfs/. */
static int make_rootfs(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		       const struct oci_list *layers, struct cox_error *err)
{
	static const char *const directories[] = {"upper", "work", "rootfs", "exits", "persist"};
	cox_autofree char *rootfs = oci_unit_path(oci, unit, "rootfs");
	cox_autofree char *base = oci_format("%s/layers", oci->root);
	cox_autobuf names = COX_BUF_INIT, options = COX_BUF_INIT;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		cox_autofree char *path = oci_unit_path(oci, unit, directories[i]);

		/* The root of the container is what "upper" looks like. */
		if (oci_make_directories(oci, path, 0755, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < layers->count; i++) {
		char name[32];

		oci_layer_name(layers->items[i], name);
		cox_buf_printf(&names, "%s%s", i ? ":" : "", name);
	}
	if (!oci->overlay)
		return run_helper(oci, call, "copy", base, rootfs, cox_buf_cstr(&names), err);
	if (!layers->count)
		return 0; /* an empty image: rootfs/ itself */
	cox_buf_printf(&options,
		       "userxattr,lowerdir=%s,upperdir=../containers/%s/upper,"
		       "workdir=../containers/%s/work",
		       names.data, unit->id, unit->id);
	if (options.size > 4000)
		return run_helper(oci, call, "copy", base, rootfs, cox_buf_cstr(&names), err);
	return run_helper(oci, call, "mount", base, rootfs, options.data, err);
}

static void add_argument(const char **argv, size_t *count, const char *text)
{
	argv[(*count)++] = text;
}

/* What conmon reports once the container is made: its pid, or a message. */
static int read_report(struct oci *oci, const struct cox_call *call, int fd, struct oci_unit *unit,
		       struct cox_error *err)
{
	uint64_t end = oci->host->monotonic_ns() + oci_timeout(oci, call, 120 * SECOND);
	cox_autobuf text = COX_BUF_INIT;
	struct json_object *report, *number;
	int64_t pid = -1;

	while (!strchr(cox_buf_cstr(&text), '\n') && text.size < 65536) {
		struct pollfd wait = {fd, POLLIN, 0};
		ssize_t got;

		if (oci->host->monotonic_ns() >= end || (call && oci->host->cancelled(call)))
			return oci->host->fail(err, COX_REASON_TIMEOUT,
					       "the container was not made in time");
		if (poll(&wait, 1, 100) <= 0)
			continue;
		got = read(fd, cox_buf_reserve(&text, 4096), 4096);
		if (got == 0)
			break;
		if (got > 0)
			cox_buf_added(&text, (size_t)got);
	}
	report = oci_parse(cox_buf_cstr(&text), strcspn(cox_buf_cstr(&text), "\n"));
	number = oci_part(report, "data", json_type_int);
	if (!number)
		number = oci_part(report, "pid", json_type_int);
	if (number)
		pid = json_object_get_int64(number);
	if (pid <= 0) {
		const char *message = oci_text(report, "message");

		oci->host->fail(err, COX_REASON_INTERNAL_ERROR, "create the container: %.*s",
				(int)strcspn(message, "\n"),
				*message ? message : "conmon ended without a word");
		json_object_put(report);
		return -1;
	}
	json_object_put(report);
	unit->init.pid = pid;
	return 0;
}

static int spawn_conmon(struct oci *oci, const struct oci_command *command, int start_write,
			const struct oci_unit *sandbox, struct cox_error *err)
{
	cox_autofree char *group = oci_format("%s/conmon", sandbox->cgroup_parent);
	cox_autoclose int pidfd = -1;
	int32_t pid = 0;

	if (oci_spawn(oci, command, &pidfd, &pid, err) != 0)
		return -1;
	if (oci_cgroup_add(oci, group, pid, err) != 0) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		(void)oci_exit_code(pidfd);
		return -1;
	}
	if (write(start_write, "g", 1) != 1)
		oci_fail_errno(oci, err, "start conmon");
	/* It goes to the background; the child that stays is not ours. */
	if (oci_exit_code(pidfd) != 0)
		return oci->host->fail(err, COX_REASON_INTERNAL_ERROR, "%s failed", oci->conmon);
	return 0;
}

static int run_conmon(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		      const struct oci_unit *sandbox, const struct cox_container_config *config,
		      struct cox_error *err)
{
	cox_autofree char *bundle = oci_unit_path(oci, unit, ""), *log = NULL;
	cox_autofree char *pidfile = oci_unit_path(oci, unit, "pidfile");
	cox_autofree char *own = oci_unit_path(oci, unit, "conmon.pid");
	cox_autofree char *exits = oci_unit_path(oci, unit, "exits");
	cox_autofree char *persist = oci_unit_path(oci, unit, "persist");
	cox_autofree char *root = oci_format("%s/runtime", oci->state);
	const char *const fixed[] = {oci->conmon,
				     "--api-version",
				     "1",
				     "-c",
				     unit->id,
				     "-u",
				     unit->id,
				     "-n",
				     unit->name,
				     "-r",
				     oci->runtime_path,
				     "-b",
				     bundle,
				     "-p",
				     pidfile,
				     "-P",
				     own,
				     "--exit-dir",
				     exits,
				     "--persist-dir",
				     persist,
				     "--full-attach",
				     "--log-level",
				     "error",
				     "--runtime-arg",
				     "--root",
				     "--runtime-arg",
				     root};
	const char *argv[48];
	int sync[2] = {-1, -1}, start[2] = {-1, -1}, result = -1;
	size_t count = 0;

	log = *unit->log_path ? oci_format("k8s-file:%s", unit->log_path) : cox_strdup("none");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add_argument(argv, &count, fixed[i]);
	add_argument(argv, &count, "-l");
	add_argument(argv, &count, log);
	if (config->tty)
		add_argument(argv, &count, "-t");
	if (config->stdin_open) {
		add_argument(argv, &count, "-i");
		if (!config->stdin_once)
			add_argument(argv, &count, "--leave-stdin-open");
	}
	argv[count] = NULL;
	if (pipe2(sync, O_CLOEXEC) != 0 || pipe2(start, O_CLOEXEC) != 0) {
		oci_fail_errno(oci, err, "make a pipe");
	} else {
		const struct cox_spawn_fd fds[] = {{sync[1], 3}, {start[0], 4}};
		const char *const env[] = {"_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4", NULL};
		struct oci_command command = {.argv = argv, .env = env, .fds = fds, .fd_count = 2};

		result = spawn_conmon(oci, &command, start[1], sandbox, err);
		close(cox_steal_fd(&sync[1]));
		if (result == 0)
			result = read_report(oci, call, sync[0], unit, err);
	}
	for (int i = 0; i < 2; i++) {
		cox_cleanup_close(&sync[i]);
		cox_cleanup_close(&start[i]);
	}
	unit->conmon.pid = oci_read_pidfile(own);
	if (result == 0 && (!oci_process_open(&unit->conmon) || !oci_process_open(&unit->init)))
		result = oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
					 "the container ended before it was started");
	return result;
}

static int log_path(struct oci *oci, struct oci_unit *unit, const struct oci_unit *sandbox,
		    const struct cox_container_config *config, struct cox_error *err)
{
	cox_autofree char *directory = NULL;

	if (!config->log_path || !*config->log_path || !*sandbox->log_directory) {
		unit->log_path = cox_strdup("");
		return 0;
	}
	unit->log_path = oci_format("%s/%s", sandbox->log_directory, config->log_path);
	if (!oci_path_is_plain(unit->log_path))
		return oci->host->fail(err, COX_REASON_INVALID,
				       "log path \"%s\" must be absolute, without \"..\"",
				       unit->log_path);
	directory = cox_strndup(unit->log_path,
				(size_t)(strrchr(unit->log_path, '/') - unit->log_path));
	return oci_make_directories(oci, directory, 0755, err);
}

static void fill_unit(struct oci_unit *unit, const struct oci_unit *sandbox,
		      const struct cox_container_config *config)
{
	unit->sandbox_id = cox_strdup(sandbox->id);
	unit->name = oci_strdup(config->name);
	unit->uid_text = cox_strdup(sandbox->uid_text);
	unit->namespace_name = cox_strdup(sandbox->namespace_name);
	unit->runtime_handler = cox_strdup("");
	unit->hostname = cox_strdup(sandbox->hostname);
	unit->log_directory = cox_strdup("");
	unit->cgroup_parent = cox_strdup(sandbox->cgroup_parent);
	unit->cgroup = oci_format("%s/%s", unit->cgroup_parent, unit->id);
	unit->image = oci_strdup(config->image);
	unit->attempt = config->attempt;
	unit->tty = config->tty;
	unit->stdin_open = config->stdin_open;
	unit->labels = oci_copy_pairs(config->labels);
	unit->annotations = oci_copy_pairs(config->annotations);
	unit->network_mode = sandbox->network_mode;
	unit->pid_mode = config->security ? config->security->pid_mode : COX_NAMESPACE_CONTAINER;
	unit->privileged = config->security ? config->security->privileged : 0;
}

static int stop_signal(struct oci *oci, struct oci_unit *unit,
		       const struct cox_container_config *config, struct json_object *image,
		       struct cox_error *err)
{
	const char *name =
		config->stop_signal && *config->stop_signal
			? config->stop_signal
			: oci_text(oci_part(image, "config", json_type_object), "StopSignal");

	unit->stop_signal = *name ? oci_signal_number(name) : SIGTERM;
	if (!unit->stop_signal)
		return oci->host->fail(err, COX_REASON_INVALID, "unknown stop signal \"%s\"", name);
	return 0;
}

static int find_target(struct oci *oci, const struct cox_security *security, struct oci_spec *spec,
		       struct cox_error *err)
{
	struct oci_unit *target;

	if (!security || security->pid_mode != COX_NAMESPACE_TARGET)
		return 0;
	target = oci_get_unit(oci, security->target_id, false, err);
	if (!target)
		return -1;
	pthread_mutex_lock(&oci->lock);
	if (target->state == COX_CONTAINER_RUNNING)
		spec->target_pid = target->init.pid;
	pthread_mutex_unlock(&oci->lock);
	oci_put_unit(oci, target);
	if (!spec->target_pid)
		return oci->host->fail(err, COX_REASON_CONFLICT, "container \"%s\" is not running",
				       security->target_id);
	return 0;
}

static int build(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		 struct oci_unit *sandbox, const struct cox_container_config *config,
		 struct cox_error *err)
{
	cox_autofree char *rootfs = oci_unit_path(oci, unit, "rootfs");
	struct oci_spec spec = {
		.config = config, .unit = unit, .sandbox = sandbox, .rootfs = rootfs};
	const char *wanted =
		config->image_ref && *config->image_ref ? config->image_ref : config->image;
	struct oci_list layers = {NULL, 0, 0};
	char id[OCI_DIGEST_SIZE], ref[COX_IMAGE_REF_SIZE];
	int result = -1;

	fill_unit(unit, sandbox, config);
	if (oci_resolve_image(oci, wanted, id, &layers, ref, err) != 0)
		return -1;
	unit->image_id = cox_strdup(id);
	unit->image_ref = cox_strdup(ref);
	spec.image = oci_read_config(oci, id, err);
	if (spec.image && log_path(oci, unit, sandbox, config, err) == 0 &&
	    stop_signal(oci, unit, config, spec.image, err) == 0 &&
	    find_target(oci, config->security, &spec, err) == 0 &&
	    make_rootfs(oci, call, unit, &layers, err) == 0 &&
	    oci_write_spec(oci, &spec, err) == 0 &&
	    run_conmon(oci, call, unit, sandbox, config, err) == 0)
		result = oci_save_unit(oci, unit, err);
	json_object_put(spec.image);
	oci_free_list(&layers);
	return result;
}

int oci_container_create(void *self, const struct cox_call *call, const char *sandbox_id,
			 const struct cox_container_config *config, char *id, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *sandbox = oci_get_unit(oci, sandbox_id, true, err), *unit;
	int result = -1;
	bool ready;

	if (!sandbox)
		return -1;
	pthread_mutex_lock(&sandbox->op);
	pthread_mutex_lock(&oci->lock);
	oci_refresh(oci, sandbox);
	ready = !sandbox->removed && sandbox->state == COX_CONTAINER_RUNNING;
	pthread_mutex_unlock(&oci->lock);
	if (!ready) {
		oci->host->fail(err, COX_REASON_CONFLICT, "sandbox \"%s\" is not ready",
				sandbox_id);
		goto out;
	}
	unit = oci_new_unit(oci, false);
	oci_enter_store(oci); /* the image stays until the container holds it */
	result = build(oci, call, unit, sandbox, config, err);
	if (result == 0) {
		memcpy(id, unit->id, OCI_ID_LENGTH + 1);
		oci_publish_unit(oci, unit);
		pthread_mutex_lock(&oci->lock);
		/* From here on it is seen to use its image, which may be gone. */
		if (!cox_map_has(&oci->images, unit->image_id, strlen(unit->image_id)))
			result = oci->host->fail(err, COX_REASON_CONFLICT,
						 "image \"%s\" was removed meanwhile", unit->image);
		oci_follow(oci, unit);
		pthread_mutex_unlock(&oci->lock);
	}
	if (result == 0) {
		oci_event(oci, unit, COX_CONTAINER_EVENT_CREATED);
	} else {
		(void)oci_destroy_unit(oci, NULL, unit, NULL);
	}
	oci_leave_store(oci);
	oci_put_unit(oci, unit);
out:
	pthread_mutex_unlock(&sandbox->op);
	oci_put_unit(oci, sandbox);
	return result;
}

int oci_container_start(void *self, const struct cox_call *call, const char *id,
			struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, false, err);
	cox_autobuf errors = COX_BUF_INIT;
	int code, result = -1;
	bool ready;

	if (!unit)
		return -1;
	pthread_mutex_lock(&unit->op);
	pthread_mutex_lock(&oci->lock);
	oci_refresh(oci, unit);
	ready = !unit->removed && unit->state == COX_CONTAINER_CREATED;
	if (ready)
		unit->started_at = (int64_t)oci->host->realtime_ns();
	pthread_mutex_unlock(&oci->lock);
	if (!ready) {
		oci->host->fail(err, COX_REASON_CONFLICT,
				"container \"%s\" was started before, or has ended", id);
		goto out;
	}
	code = oci_runtime(oci, call, (const char *[]){"start", unit->id, NULL}, &errors, err);
	if (code > 0)
		oci_fail_output(oci, err, "start the container", &errors);
	pthread_mutex_lock(&oci->lock);
	if (code == 0 && unit->state == COX_CONTAINER_CREATED)
		unit->state = COX_CONTAINER_RUNNING;
	result = code == 0 ? oci_save_unit(oci, unit, err) : -1;
	pthread_mutex_unlock(&oci->lock);
	if (result == 0) {
		oci_event(oci, unit, COX_CONTAINER_EVENT_STARTED);
	} else {
		(void)oci_stop_unit(oci, NULL, unit, 0, NULL);
		pthread_mutex_lock(&oci->lock);
		unit->end = OCI_END_UNBORN;
		unit->exit_code = 128;
		snprintf(unit->message, sizeof(unit->message), "%s", cox_buf_cstr(&errors));
		pthread_mutex_unlock(&oci->lock);
	}
out:
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}

static void signal_unit(struct oci *oci, struct oci_unit *unit, int number)
{
	cox_lock_scope(&oci->lock);
	if (unit->init.fd >= 0)
		syscall(SYS_pidfd_send_signal, unit->init.fd, number, NULL, 0);
}

static int stop_processes(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
			  uint64_t grace_ns, struct cox_error *err)
{
	if (unit->init.pid <= 0 || oci_wait_exit(oci, NULL, unit, 0))
		return 0;
	if (grace_ns > 0) {
		signal_unit(oci, unit, unit->stop_signal ? (int)unit->stop_signal : SIGTERM);
		if (oci_wait_exit(oci, call, unit, grace_ns))
			return 0;
	}
	signal_unit(oci, unit, SIGKILL);
	if (oci_wait_exit(oci, NULL, unit,
			  unit->pid_mode == COX_NAMESPACE_CONTAINER ? 2 * SECOND : SECOND / 5))
		return 0;
	/* In a shared PID namespace its children live on, and hold its streams. */
	oci_cgroup_kill(oci, unit->cgroup);
	if (oci_wait_exit(oci, NULL, unit, 20 * SECOND))
		return 0;
	return oci->host->fail(err, COX_REASON_TIMEOUT, "%s \"%s\" does not end after SIGKILL",
			       unit->sandbox ? "sandbox" : "container", unit->id);
}

int oci_stop_unit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		  uint64_t grace_ns, struct cox_error *err)
{
	if (stop_processes(oci, call, unit, grace_ns, err) != 0)
		return -1;
	oci_end_group(oci, unit);
	return 0;
}

int oci_container_stop(void *self, const struct cox_call *call, const char *id, uint64_t grace_ns,
		       struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, false, NULL);
	int result;

	if (!unit)
		return 0;
	pthread_mutex_lock(&unit->op);
	result = oci_stop_unit(oci, call, unit, grace_ns, err);
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}

/* Mounts go until none is left: a bind mount may lie upon another. */
static void unmount_all(struct oci *oci, struct oci_unit *unit, const char *file)
{
	cox_autofree char *path = oci_unit_path(oci, unit, file);

	for (int i = 0; i < 8 && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; i++)
		continue;
}

/* Of one that has ended: whatever would not outlive this machine. */
static void let_go(struct oci *oci, struct oci_unit *unit)
{
	const char *delete[] = {"delete", "--force", unit->id, NULL};

	if (unit->let_go)
		return;
	(void)oci_runtime(oci, NULL, delete, NULL, NULL);
	oci_cgroup_kill(oci, unit->cgroup);
	unmount_all(oci, unit, unit->sandbox ? "shm" : "rootfs");
	oci_cgroup_remove(oci, unit->cgroup);
}

int oci_let_go(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
	       struct cox_error *err)
{
	if (unit->let_go || unit->removed)
		return 0;
	if (oci_stop_unit(oci, call, unit, 0, err) != 0)
		return -1;
	let_go(oci, unit);
	cox_lock_scope(&oci->lock);
	unit->let_go = 1;
	/* Whoever does not know that it was done does it again. */
	return oci_save_unit(oci, unit, err);
}

int oci_destroy_unit(struct oci *oci, const struct cox_call *call, struct oci_unit *unit,
		     struct cox_error *err)
{
	cox_autofree char *path = oci_unit_path(oci, unit, "");
	cox_autofree char *record = oci_unit_path(oci, unit, "record.json");

	if (unit->removed)
		return 0;
	if (oci_stop_unit(oci, call, unit, 0, err) != 0)
		return -1;
	/* Without its record it is garbage, whatever happens from here on. */
	unlink(record);
	let_go(oci, unit);
	oci_forget_unit(oci, unit);
	oci_remove_tree(path);
	if (unit->started_at || unit->state != COX_CONTAINER_CREATED)
		oci_event(oci, unit, COX_CONTAINER_EVENT_DELETED);
	return 0;
}

int oci_container_remove(void *self, const struct cox_call *call, const char *id,
			 struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, false, NULL);
	int result;

	if (!unit)
		return 0;
	pthread_mutex_lock(&unit->op);
	result = oci_destroy_unit(oci, call, unit, err);
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}
