/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pod sandboxes: a pause process that holds the namespaces the containers of a
 * pod share, and the files they share (resolv.conf, hostname, /dev/shm). Also
 * the probe that finds out which OCI runtime works on this machine.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SECOND 1000000000ull

int oci_prepare_pause(struct oci *oci, struct cox_error *err)
{
	static const char *const directories[] = {"proc", "dev", "sys"};
	cox_autofree char *source = oci_format("%s/coxswain-pause", oci->helpers);
	cox_autofree char *root = oci_format("%s/pause", oci->root);
	cox_autofree char *target = oci_format("%s/pause", root);
	size_t size = 0, old_size = 0;
	cox_autofree char *program = oci_read_file(source, 8 << 20, &size);
	cox_autofree char *old = oci_read_file(target, 8 << 20, &old_size);

	if (!program)
		return oci_fail_errno(oci, err, "pause program %s", source);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		cox_autofree char *path = oci_format("%s/%s", root, directories[i]);

		if (oci_make_directories(oci, path, 0755, err) != 0)
			return -1;
	}
	/* Replaced by rename: old sandboxes go on with the file they have. */
	if (old && old_size == size && memcmp(old, program, size) == 0)
		return 0;
	return oci_write_file(oci, target, program, size, 0555, err);
}

/* The smallest container: it has namespaces and a cgroup, and ends at once. */
static const char probe_spec[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},"
	"\"args\":[\"/pause\",\"probe\"],\"env\":[],\"cwd\":\"/\",\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"%s/pause\",\"readonly\":true},\"mounts\":[{\"destination\":\"/proc\","
	"\"type\":\"proc\",\"source\":\"proc\"}],\"linux\":{\"cgroupsPath\":\"/coxswain-probe/%s\","
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"network\"}]}}";

/* 0 if the present choice works; else the reason is in `why`. */
static int try_runtime(struct oci *oci, struct cox_buf *why)
{
	struct oci_unit *unit = oci_new_unit(oci, true);
	cox_autofree char *bundle = oci_format("%s/probe-%.16s", oci->state, unit->id);
	cox_autofree char *file = oci_format("%s/config.json", bundle);
	cox_autofree char *text = oci_format(probe_spec, oci->root, unit->id);
	const char *run[] = {"run", "--bundle", bundle, unit->id, NULL};
	const char *delete[] = {"delete", "--force", unit->id, NULL};
	cox_autofree char *group = oci_format("/coxswain-probe/%s", unit->id);
	int code = -1;

	if (oci_make_directories(oci, bundle, 0700, NULL) == 0 &&
	    oci_write_file(oci, file, text, strlen(text), 0600, NULL) == 0)
		code = oci_runtime(oci, NULL, run, why, NULL);
	if (code != 0)
		(void)oci_runtime(oci, NULL, delete, NULL, NULL);
	oci_cgroup_remove(oci, group);
	oci_cgroup_prune(oci, "/coxswain-probe");
	oci_remove_tree(bundle);
	oci_put_unit(oci, unit);
	return code == 0 ? 0 : -1;
}

static char *find_program(const char *name)
{
	static const char *const places[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					     "/usr/bin",	"/sbin",	  "/bin"};

	if (*name == '/')
		return access(name, X_OK) == 0 ? cox_strdup(name) : NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = oci_format("%s/%s", places[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static void read_version(struct oci *oci)
{
	const char *argv[] = {oci->runtime_path, "--version", NULL};
	struct oci_command command = {.argv = argv, .timeout_ns = 10 * SECOND};
	cox_autobuf out = COX_BUF_INIT;
	const char *at;

	snprintf(oci->runtime_version, sizeof(oci->runtime_version), "unknown");
	if (oci_run(oci, NULL, &command, &out, NULL, NULL) != 0)
		return;
	at = strstr(cox_buf_cstr(&out), "version ");
	if (at)
		snprintf(oci->runtime_version, sizeof(oci->runtime_version), "%.*s",
			 (int)strcspn(at + 8, " \n"), at + 8);
}

static bool is_hybrid(const struct oci *oci)
{
	for (size_t i = 0; i < oci->hierarchies.count; i++)
		if (oci->hierarchies.items[i].v2 && oci->hierarchies.count > 1 &&
		    strcmp(oci->hierarchies.items[i].mount, "/sys/fs/cgroup/unified") == 0)
			return true;
	return false;
}

/* Sets path and environment; true if the program is there. */
static bool choose(struct oci *oci, const char *name, struct cox_error *err)
{
	cox_autofree char *path = find_program(name);
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

	free(oci->runtime_path);
	free(oci->runtime_env);
	oci->runtime_path = oci->runtime_env = NULL;
	snprintf(oci->runtime_name, sizeof(oci->runtime_name), "%.31s", base);
	if (!path)
		return false;
	if (strcmp(base, "crun") == 0 && is_hybrid(oci)) {
		cox_autofree char *helper = oci_format("%s/coxswain-oci-helper", oci->helpers);

		/* The wrapper knows its work by its name. */
		oci->runtime_path = oci_format("%s/crun", oci->state);
		oci->runtime_env = oci_format("COX_OCI_CRUN=%s", path);
		unlink(oci->runtime_path);
		if (symlink(helper, oci->runtime_path) != 0) {
			oci_fail_errno(oci, err, "link %s", oci->runtime_path);
			return false;
		}
	} else {
		oci->runtime_path = cox_steal(path);
	}
	return true;
}

/*
 * Takes the configured runtime, or the first of crun and runc with which a
 * container runs. Without one the daemon still starts: status() says why no
 * pod can run.
 */
int oci_probe(struct oci *oci, struct cox_error *err)
{
	const char *const names[] = {*oci->runtime ? oci->runtime : "crun", "runc"};
	size_t count = *oci->runtime ? 1 : 2;
	cox_autobuf problems = COX_BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		cox_autobuf why = COX_BUF_INIT;

		if (!choose(oci, names[i], err)) {
			cox_buf_printf(&problems, "%s%s: not found", i ? "; " : "", names[i]);
			continue;
		}
		if (try_runtime(oci, &why) == 0) {
			read_version(oci);
			oci->problem[0] = '\0';
			oci->host->log(oci->host->context, COX_LOG_INFO,
				       "containers are run by %s %s%s", oci->runtime_name,
				       oci->runtime_version,
				       oci->runtime_env
					       ? ", without the cgroup v2 mount of this hybrid host"
					       : "");
			return 0;
		}
		cox_buf_printf(&problems, "%s%s: %s", i ? "; " : "", names[i],
			       why.size ? why.data : "a trial container did not run");
	}
	snprintf(oci->problem, sizeof(oci->problem), "no OCI runtime works: %s",
		 cox_buf_cstr(&problems));
	oci->host->log(oci->host->context, COX_LOG_ERROR, "%s", oci->problem);
	return 0;
}

static bool is_one_line(const char *text)
{
	return !strpbrk(text, "\r\n");
}

static void add_resolv_line(struct cox_buf *out, const char *key, const struct cox_strings *items)
{
	if (!items->count)
		return;
	cox_buf_str(out, key);
	for (size_t i = 0; i < items->count; i++)
		cox_buf_printf(out, " %s", items->items[i]);
	cox_buf_char(out, '\n');
}

static int write_files(struct oci *oci, struct oci_unit *unit,
		       const struct cox_sandbox_config *config, struct cox_error *err)
{
	cox_autofree char *resolv = oci_unit_path(oci, unit, "resolv.conf");
	cox_autofree char *name = oci_unit_path(oci, unit, "hostname");
	cox_autofree char *shm = oci_unit_path(oci, unit, "shm");
	cox_autobuf text = COX_BUF_INIT;

	for (size_t i = 0; i < config->dns_servers.count; i++)
		cox_buf_printf(&text, "nameserver %s\n", config->dns_servers.items[i]);
	add_resolv_line(&text, "search", &config->dns_searches);
	add_resolv_line(&text, "options", &config->dns_options);
	if (!text.size) {
		size_t size;
		cox_autofree char *hosts = oci_read_file("/etc/resolv.conf", 1 << 16, &size);

		if (hosts)
			cox_buf_add(&text, hosts, size);
	}
	if (oci_write_file(oci, resolv, cox_buf_cstr(&text), text.size, 0644, err) != 0)
		return -1;
	cox_buf_clear(&text);
	cox_buf_printf(&text, "%s\n", unit->hostname);
	if (*unit->hostname && oci_write_file(oci, name, text.data, text.size, 0644, err) != 0)
		return -1;
	if (unit->ipc_mode == COX_NAMESPACE_NODE)
		return 0;
	if (mkdir(shm, 0700) != 0 ||
	    mount("shm", shm, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=64m") != 0)
		return oci_fail_errno(oci, err, "mount %s", shm);
	return 0;
}

static struct oci_unit *unit_from(struct oci *oci, const struct cox_sandbox_config *config)
{
	struct oci_unit *unit = oci_new_unit(oci, true);

	unit->sandbox_id = cox_strdup(unit->id);
	unit->name = oci_strdup(config->name);
	unit->uid_text = oci_strdup(config->uid);
	unit->namespace_name = oci_strdup(config->namespace_name);
	unit->runtime_handler = oci_strdup(config->runtime_handler);
	unit->hostname = oci_strdup(config->hostname);
	unit->log_directory = oci_strdup(config->log_directory);
	unit->cgroup_parent = config->cgroup_parent && *config->cgroup_parent
				      ? cox_strdup(config->cgroup_parent)
				      : oci_format("/coxswain/%s", unit->id);
	unit->cgroup = oci_format("%s/%s", unit->cgroup_parent, unit->id);
	unit->attempt = config->attempt;
	unit->labels = oci_copy_pairs(config->labels);
	unit->annotations = oci_copy_pairs(config->annotations);
	if (config->security) {
		unit->network_mode = config->security->network_mode;
		unit->pid_mode = config->security->pid_mode;
		unit->ipc_mode = config->security->ipc_mode;
		unit->privileged = config->security->privileged;
	}
	return unit;
}

static int check_config(struct oci *oci, const struct cox_sandbox_config *config,
			struct cox_error *err)
{
	if (*oci->problem)
		return oci->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE, "%s", oci->problem);
	if (config->cgroup_parent && *config->cgroup_parent &&
	    !oci_path_is_plain(config->cgroup_parent))
		return oci->host->fail(err, COX_REASON_INVALID,
				       "cgroup parent \"%s\" must be absolute, without \"..\"",
				       config->cgroup_parent);
	if (config->runtime_handler && *config->runtime_handler)
		return oci->host->fail(
			err, COX_REASON_INVALID,
			"no runtime handler \"%s\": the oci runtime has the default one only",
			config->runtime_handler);
	for (size_t i = 0; i < config->dns_servers.count; i++)
		if (!is_one_line(config->dns_servers.items[i]))
			return oci->host->fail(err, COX_REASON_INVALID,
					       "a DNS server has more than one line");
	return 0;
}

int oci_sandbox_run(void *self, const struct cox_call *call,
		    const struct cox_sandbox_config *config, char *id, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit;
	struct oci_spec spec = {.sandbox_config = config};
	cox_autofree char *bundle = NULL, *pidfile = NULL, *rootfs = NULL;
	cox_autobuf errors = COX_BUF_INIT;
	int code;

	if (check_config(oci, config, err) != 0)
		return -1;
	unit = unit_from(oci, config);
	bundle = oci_unit_path(oci, unit, "");
	pidfile = oci_unit_path(oci, unit, "pidfile");
	rootfs = oci_format("%s/pause", oci->root);
	spec.unit = unit;
	spec.rootfs = rootfs;
	if (oci_make_directories(oci, bundle, 0700, err) != 0 ||
	    write_files(oci, unit, config, err) != 0 || oci_write_spec(oci, &spec, err) != 0)
		goto fail;
	code = oci_runtime(oci, call,
			   (const char *[]){"run", "--detach", "--bundle", bundle, "--pid-file",
					    pidfile, unit->id, NULL},
			   &errors, err);
	if (code != 0) {
		if (code > 0)
			oci_fail_output(oci, err, "start the sandbox", &errors);
		goto fail;
	}
	unit->init.pid = oci_read_pidfile(pidfile);
	if (!oci_process_open(&unit->init)) {
		oci->host->fail(err, COX_REASON_INTERNAL_ERROR,
				"the sandbox's process ended at once");
		goto fail;
	}
	unit->state = COX_CONTAINER_RUNNING;
	unit->started_at = (int64_t)oci->host->realtime_ns();
	if (oci_save_unit(oci, unit, err) != 0)
		goto fail;
	memcpy(id, unit->id, OCI_ID_LENGTH + 1);
	oci_publish_unit(oci, unit);
	pthread_mutex_lock(&oci->lock);
	oci_follow(oci, unit);
	pthread_mutex_unlock(&oci->lock);
	oci_event(oci, unit, COX_CONTAINER_EVENT_STARTED);
	oci_put_unit(oci, unit);
	return 0;
fail:
	(void)oci_destroy_unit(oci, NULL, unit, NULL);
	oci_put_unit(oci, unit);
	return -1;
}

/* Runs `step` on each container; the first failure is told, the rest still run. */
static int each_container(struct oci *oci, const struct cox_call *call, struct oci_unit *sandbox,
			  bool remove, struct cox_error *err)
{
	struct oci_unit **units;
	size_t count = oci_list_units(oci, false, sandbox->id, &units);
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		struct cox_error *slot = result == 0 ? err : NULL;

		pthread_mutex_lock(&units[i]->op);
		if (remove ? oci_destroy_unit(oci, call, units[i], slot)
			   : oci_let_go(oci, call, units[i], slot))
			result = -1;
		pthread_mutex_unlock(&units[i]->op);
	}
	oci_put_units(oci, units, count);
	return result;
}

/* The pod's group goes with its last sandbox that may run. */
static void remove_parent(struct oci *oci, struct oci_unit *unit)
{
	struct oci_unit **units;
	size_t count = oci_list_units(oci, true, NULL, &units);
	bool used = false;
	cox_autofree char *conmon = oci_format("%s/conmon", unit->cgroup_parent);

	pthread_mutex_lock(&oci->lock);
	for (size_t i = 0; i < count; i++)
		if (units[i] != unit && !units[i]->let_go &&
		    strcmp(units[i]->cgroup_parent, unit->cgroup_parent) == 0)
			used = true;
	pthread_mutex_unlock(&oci->lock);
	oci_put_units(oci, units, count);
	if (used)
		return;
	oci_cgroup_remove(oci, conmon);
	oci_cgroup_prune(oci, unit->cgroup_parent);
	if (cox_starts_with(unit->cgroup_parent, "/coxswain/"))
		oci_cgroup_prune(oci, "/coxswain");
}

int oci_sandbox_stop(void *self, const struct cox_call *call, const char *id, struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, true, NULL);
	int result;

	if (!unit)
		return 0;
	pthread_mutex_lock(&unit->op);
	result = each_container(oci, call, unit, false, err);
	if (oci_let_go(oci, call, unit, result == 0 ? err : NULL) != 0)
		result = -1;
	if (result == 0)
		remove_parent(oci, unit);
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}

int oci_sandbox_remove(void *self, const struct cox_call *call, const char *id,
		       struct cox_error *err)
{
	struct oci *oci = self;
	struct oci_unit *unit = oci_get_unit(oci, id, true, NULL);
	int result;

	if (!unit)
		return 0;
	pthread_mutex_lock(&unit->op);
	result = each_container(oci, call, unit, true, err);
	if (result == 0)
		result = oci_destroy_unit(oci, call, unit, err);
	if (result == 0)
		remove_parent(oci, unit);
	pthread_mutex_unlock(&unit->op);
	oci_put_unit(oci, unit);
	return result;
}
