/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes config.json, what the OCI runtime runs: for a sandbox the pause
 * program that holds the namespaces, for a container the image's and the
 * pod's wishes together.
 */
#include "oci.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char *const capability_names[] = {"CHOWN",
					       "DAC_OVERRIDE",
					       "DAC_READ_SEARCH",
					       "FOWNER",
					       "FSETID",
					       "KILL",
					       "SETGID",
					       "SETUID",
					       "SETPCAP",
					       "LINUX_IMMUTABLE",
					       "NET_BIND_SERVICE",
					       "NET_BROADCAST",
					       "NET_ADMIN",
					       "NET_RAW",
					       "IPC_LOCK",
					       "IPC_OWNER",
					       "SYS_MODULE",
					       "SYS_RAWIO",
					       "SYS_CHROOT",
					       "SYS_PTRACE",
					       "SYS_PACCT",
					       "SYS_ADMIN",
					       "SYS_BOOT",
					       "SYS_NICE",
					       "SYS_RESOURCE",
					       "SYS_TIME",
					       "SYS_TTY_CONFIG",
					       "MKNOD",
					       "LEASE",
					       "AUDIT_WRITE",
					       "AUDIT_CONTROL",
					       "SETFCAP",
					       "MAC_OVERRIDE",
					       "MAC_ADMIN",
					       "SYSLOG",
					       "WAKE_ALARM",
					       "BLOCK_SUSPEND",
					       "AUDIT_READ",
					       "PERFMON",
					       "BPF",
					       "CHECKPOINT_RESTORE"};
static const char *const default_capabilities[] = {
	"AUDIT_WRITE",	    "CHOWN",   "DAC_OVERRIDE", "FOWNER", "FSETID",  "KILL",   "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP",      "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"};
static const char *const default_masked[] = {
	"/proc/asound",	    "/proc/acpi",	 "/proc/interrupts",
	"/proc/kcore",	    "/proc/keys",	 "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/proc/scsi",	    "/sys/firmware",	 "/sys/devices/virtual/powercap"};
static const char *const default_readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					       "/proc/sysrq-trigger"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *oci_capability_name(unsigned number)
{
	return number < COUNT(capability_names) ? capability_names[number] : NULL;
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void set_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static void set_flag(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static struct json_object *text_list(const char *const *items, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(items[i]));
	return list;
}

/* Capability bits of a list; "ALL" is every one. Unknown names are refused. */
static int capability_bits(struct oci *oci, const struct cox_strings *names, uint64_t *bits,
			   struct cox_error *err)
{
	*bits = 0;
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		unsigned number = 0;

		if (strcasecmp(name, "ALL") == 0) {
			*bits = ~0ull;
			continue;
		}
		if (strncasecmp(name, "CAP_", 4) == 0)
			name += 4;
		while (number < COUNT(capability_names) &&
		       strcasecmp(name, capability_names[number]) != 0)
			number++;
		if (number == COUNT(capability_names))
			return oci->host->fail(err, COX_REASON_INVALID, "unknown capability \"%s\"",
					       names->items[i]);
		*bits |= 1ull << number;
	}
	return 0;
}

static int container_capabilities(struct oci *oci, const struct cox_security *security,
				  uint64_t *out, struct cox_error *err)
{
	const struct cox_strings defaults = {default_capabilities, COUNT(default_capabilities)};
	uint64_t added = 0, dropped = 0;

	if (capability_bits(oci, &defaults, out, err) != 0)
		return -1;
	if (security && (capability_bits(oci, &security->capabilities_add, &added, err) != 0 ||
			 capability_bits(oci, &security->capabilities_drop, &dropped, err) != 0))
		return -1;
	if (security && security->privileged)
		*out = ~0ull;
	if (dropped == ~0ull)
		*out = 0;
	/* What we do not have ourselves nobody can give. */
	*out = ((*out & ~dropped) | added) & oci->capabilities;
	return 0;
}

static void add_capabilities(struct json_object *process, uint64_t bits, bool root)
{
	static const char *const sets[] = {"bounding", "permitted", "effective"};
	struct json_object *out = json_object_new_object();

	/* A user other than root starts without, as exec would leave it. */
	for (size_t set = 0; set < (root ? COUNT(sets) : 1); set++) {
		struct json_object *list = json_object_new_array();

		for (unsigned i = 0; i < COUNT(capability_names); i++) {
			char name[64];

			if (!(bits >> i & 1))
				continue;
			snprintf(name, sizeof(name), "CAP_%s", capability_names[i]);
			json_object_array_add(list, json_object_new_string(name));
		}
		json_object_object_add(out, sets[set], list);
	}
	json_object_object_add(process, "capabilities", out);
}

static void add_mount(struct json_object *mounts, const char *destination, const char *type,
		      const char *source, const char *const *options, size_t count)
{
	struct json_object *mount = json_object_new_object();

	set_text(mount, "destination", destination);
	set_text(mount, "type", type);
	set_text(mount, "source", source);
	json_object_object_add(mount, "options", text_list(options, count));
	json_object_array_add(mounts, mount);
}

#define MOUNT(mounts, destination, type, source, ...)                                              \
	do {                                                                                       \
		const char *const options_[] = {__VA_ARGS__};                                      \
		add_mount(mounts, destination, type, source, options_, COUNT(options_));           \
	} while (0)

/* A limit below what we may set ourselves would make the start fail. */
static int64_t clamp_oom(struct oci *oci, int64_t wanted)
{
	cox_autofree char *text = NULL;
	int64_t own;

	if (oci->can_raise)
		return wanted;
	text = oci_read_file("/proc/self/oom_score_adj", 64, NULL);
	own = text ? strtoll(text, NULL, 10) : 0;
	if (wanted >= own)
		return wanted;
	pthread_mutex_lock(&oci->lock);
	if (!oci->oom_said)
		oci->host->log(oci->host->context, COX_LOG_WARNING,
			       "oom_score_adj %" PRId64 " is below our own %" PRId64
			       " and CAP_SYS_RESOURCE is missing: containers get %" PRId64,
			       wanted, own, own);
	oci->oom_said = true;
	pthread_mutex_unlock(&oci->lock);
	return own;
}

struct json_object *oci_resources_json(struct oci *oci, const struct cox_resources *from)
{
	struct json_object *out = json_object_new_object(), *cpu = json_object_new_object();
	struct json_object *memory = json_object_new_object();

	(void)oci;
	json_object_object_add(out, "cpu", cpu);
	json_object_object_add(out, "memory", memory);
	if (!from)
		return out;
	if (from->cpu_shares)
		set_number(cpu, "shares", from->cpu_shares);
	if (from->cpu_quota)
		set_number(cpu, "quota", from->cpu_quota);
	if (from->cpu_period)
		set_number(cpu, "period", from->cpu_period);
	if (*from->cpuset_cpus)
		set_text(cpu, "cpus", from->cpuset_cpus);
	if (*from->cpuset_mems)
		set_text(cpu, "mems", from->cpuset_mems);
	if (from->memory_limit)
		set_number(memory, "limit", from->memory_limit);
	if (from->memory_swap_limit)
		set_number(memory, "swap", from->memory_swap_limit);
	if (from->pids_limit) {
		struct json_object *pids = json_object_new_object();

		set_number(pids, "limit", from->pids_limit);
		json_object_object_add(out, "pids", pids);
	}
	if (from->unified.count && oci->cgroup_version == 2) {
		struct json_object *unified = json_object_new_object();

		for (size_t i = 0; i < from->unified.count; i++)
			set_text(unified, from->unified.items[i].key, from->unified.items[i].value);
		json_object_object_add(out, "unified", unified);
	}
	if (from->hugepages.count) {
		struct json_object *list = json_object_new_array();

		for (size_t i = 0; i < from->hugepages.count; i++) {
			struct json_object *one = json_object_new_object();

			set_text(one, "pageSize", from->hugepages.items[i].key);
			set_number(one, "limit", strtoll(from->hugepages.items[i].value, NULL, 10));
			json_object_array_add(list, one);
		}
		json_object_object_add(out, "hugepageLimits", list);
	}
	return out;
}

static struct json_object *device_rule(bool allow, const char *type, int64_t major, int64_t minor,
				       const char *access)
{
	struct json_object *rule = json_object_new_object();

	set_flag(rule, "allow", allow);
	if (type) {
		set_text(rule, "type", type);
		set_number(rule, "major", major);
		set_number(rule, "minor", minor);
	}
	set_text(rule, "access", access);
	return rule;
}

static int add_devices(struct oci *oci, const struct oci_spec *spec, bool privileged,
		       struct json_object *linux_part, struct json_object *resources,
		       struct cox_error *err)
{
	struct json_object *rules = json_object_new_array(), *devices = json_object_new_array();

	json_object_object_add(resources, "devices", rules);
	json_object_object_add(linux_part, "devices", devices);
	json_object_array_add(rules, device_rule(privileged, NULL, 0, 0, "rwm"));
	for (size_t i = 0; spec->config && i < spec->config->device_count; i++) {
		const struct cox_device *wanted = &spec->config->devices[i];
		struct json_object *device = json_object_new_object();
		const char *type;
		struct stat info;

		json_object_array_add(devices, device);
		if (stat(wanted->host_path, &info) != 0)
			return oci_fail_errno(oci, err, "device %s", wanted->host_path);
		if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
			return oci->host->fail(err, COX_REASON_INVALID, "%s is not a device",
					       wanted->host_path);
		type = S_ISCHR(info.st_mode) ? "c" : "b";
		set_text(device, "path", wanted->container_path);
		set_text(device, "type", type);
		set_number(device, "major", major(info.st_rdev));
		set_number(device, "minor", minor(info.st_rdev));
		set_number(device, "fileMode", info.st_mode & 0777);
		set_number(device, "uid", info.st_uid);
		set_number(device, "gid", info.st_gid);
		json_object_array_add(
			rules, device_rule(true, type, major(info.st_rdev), minor(info.st_rdev),
					   *wanted->permissions ? wanted->permissions : "rwm"));
	}
	return 0;
}

static void add_namespace(struct json_object *list, const char *type, const char *path)
{
	struct json_object *entry = json_object_new_object();

	set_text(entry, "type", type);
	if (path)
		set_text(entry, "path", path);
	json_object_array_add(list, entry);
}

/* Joins the namespace of `pid`, makes a new one (0), or leaves the host's (-1). */
static void choose_namespace(struct json_object *list, const char *type, const char *file,
			     int64_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/ns/%s", pid, file);
	if (pid >= 0)
		add_namespace(list, type, pid ? path : NULL);
}

static struct json_object *namespaces(const struct oci_spec *spec)
{
	const struct cox_security *security =
		spec->config ? spec->config->security : spec->sandbox_config->security;
	int64_t holder = spec->sandbox ? spec->sandbox->init.pid : 0;
	struct oci_unit *pod = spec->sandbox ? spec->sandbox : spec->unit;
	struct json_object *list = json_object_new_array();
	uint32_t pid_mode = security ? security->pid_mode : COX_NAMESPACE_CONTAINER;
	int64_t pid = 0;

	if (spec->config && pid_mode == COX_NAMESPACE_POD)
		pid = holder;
	else if (pid_mode == COX_NAMESPACE_NODE)
		pid = -1;
	else if (pid_mode == COX_NAMESPACE_TARGET)
		pid = spec->target_pid;
	add_namespace(list, "mount", NULL);
	choose_namespace(list, "pid", "pid", pid);
	choose_namespace(list, "network", "net",
			 pod->network_mode == COX_NAMESPACE_NODE ? -1 : holder);
	/* A pod on the machine's network has the machine's name, too. */
	choose_namespace(list, "uts", "uts", pod->network_mode == COX_NAMESPACE_NODE ? -1 : holder);
	choose_namespace(list, "ipc", "ipc", pod->ipc_mode == COX_NAMESPACE_NODE ? -1 : holder);
	return list;
}

static bool mounted_by_pod(const struct cox_container_config *config, const char *path)
{
	for (size_t i = 0; i < config->mount_count; i++)
		if (strcmp(config->mounts[i].container_path, path) == 0)
			return true;
	return false;
}

static void add_pod_file(struct oci *oci, const struct oci_spec *spec, struct json_object *mounts,
			 const char *file, const char *destination, bool readonly)
{
	cox_autofree char *source = oci_unit_path(oci, spec->sandbox, file);

	if (access(source, F_OK) == 0 && !mounted_by_pod(spec->config, destination))
		MOUNT(mounts, destination, "bind", source, "rbind", "rprivate",
		      readonly ? "ro" : "rw");
}

static int add_wanted_mounts(struct oci *oci, const struct cox_container_config *config,
			     struct json_object *mounts, struct cox_error *err)
{
	static const char *const propagation[] = {"rprivate", "rslave", "rshared"};

	for (size_t i = 0; i < config->mount_count; i++) {
		const struct cox_mount *mount = &config->mounts[i];

		if (!oci_path_is_plain(mount->container_path) ||
		    !oci_path_is_plain(mount->host_path))
			return oci->host->fail(
				err, COX_REASON_INVALID,
				"mount %s to %s: both must be absolute, without \"..\"",
				mount->host_path, mount->container_path);
		if (access(mount->host_path, F_OK) != 0)
			return oci_fail_errno(oci, err, "mount %s", mount->host_path);
		MOUNT(mounts, mount->container_path, "bind", mount->host_path, "rbind",
		      propagation[mount->propagation <= 2 ? mount->propagation : 0],
		      mount->recursive_readonly ? "rro"
		      : mount->readonly		? "ro"
						: "rw");
	}
	return 0;
}

static int add_mounts(struct oci *oci, const struct oci_spec *spec, bool privileged,
		      struct json_object *spec_json, struct cox_error *err)
{
	struct json_object *mounts = json_object_new_array();
	cox_autofree char *shm = NULL;

	json_object_object_add(spec_json, "mounts", mounts);
	MOUNT(mounts, "/proc", "proc", "proc", "nosuid", "noexec", "nodev");
	MOUNT(mounts, "/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
	if (!spec->config)
		return 0;
	MOUNT(mounts, "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
	      "ptmxmode=0666", "mode=0620", "gid=5");
	MOUNT(mounts, "/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
	/* Without a network namespace of its own a container may not mount sysfs. */
	if (spec->sandbox->network_mode == COX_NAMESPACE_NODE && !privileged)
		MOUNT(mounts, "/sys", "bind", "/sys", "rbind", "rprivate", "nosuid", "noexec",
		      "nodev", "ro");
	else
		MOUNT(mounts, "/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev",
		      privileged ? "rw" : "ro");
	MOUNT(mounts, "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime",
	      privileged ? "rw" : "ro");
	shm = spec->sandbox->ipc_mode == COX_NAMESPACE_NODE
		      ? cox_strdup("/dev/shm")
		      : oci_unit_path(oci, spec->sandbox, "shm");
	if (!mounted_by_pod(spec->config, "/dev/shm"))
		MOUNT(mounts, "/dev/shm", "bind", shm, "rbind", "rprivate", "nosuid", "noexec",
		      "nodev");
	add_pod_file(oci, spec, mounts, "resolv.conf", "/etc/resolv.conf", false);
	add_pod_file(oci, spec, mounts, "hostname", "/etc/hostname", false);
	return add_wanted_mounts(oci, spec->config, mounts, err);
}

/* Image first, pod over it: a name said twice has the later value. */
static void put_env(struct json_object *list, const char *key, size_t key_size, const char *value)
{
	cox_autofree char *text = oci_format("%.*s=%s", (int)key_size, key, value);

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *old = json_object_get_string(json_object_array_get_idx(list, i));

		if (strncmp(old, text, key_size + 1) == 0) {
			json_object_array_put_idx(list, i, json_object_new_string(text));
			return;
		}
	}
	json_object_array_add(list, json_object_new_string(text));
}

static struct json_object *environment(const struct oci_spec *spec, struct json_object *image,
				       const struct oci_user *user)
{
	struct json_object *list = json_object_new_array();
	struct json_object *from = oci_part(image, "Env", json_type_array);
	static const char path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

	put_env(list, "PATH", 4, path);
	if (*spec->sandbox->hostname)
		put_env(list, "HOSTNAME", 8, spec->sandbox->hostname);
	if (spec->config->tty)
		put_env(list, "TERM", 4, "xterm");
	put_env(list, "HOME", 4, user->home);
	for (size_t i = 0; from && i < json_object_array_length(from); i++) {
		const char *entry = json_object_get_string(json_object_array_get_idx(from, i));
		const char *equals = entry ? strchr(entry, '=') : NULL;

		if (equals && equals > entry)
			put_env(list, entry, (size_t)(equals - entry), equals + 1);
	}
	for (size_t i = 0; i < spec->config->env.count; i++)
		put_env(list, spec->config->env.items[i].key,
			strlen(spec->config->env.items[i].key), spec->config->env.items[i].value);
	return list;
}

static void append(struct json_object *to, struct json_object *from)
{
	for (size_t i = 0; from && i < json_object_array_length(from); i++)
		json_object_array_add(to, json_object_get(json_object_array_get_idx(from, i)));
}

/*
 * command replaces ENTRYPOINT, and CMD with it; args replace CMD. NULL with an
 * error if nothing is left to run.
 */
static struct json_object *arguments(struct oci *oci, const struct oci_spec *spec,
				     struct json_object *image, struct cox_error *err)
{
	const struct cox_container_config *config = spec->config;
	struct json_object *list = text_list(config->command.items, config->command.count);

	if (!config->command.count)
		append(list, oci_part(image, "Entrypoint", json_type_array));
	for (size_t i = 0; i < config->args.count; i++)
		json_object_array_add(list, json_object_new_string(config->args.items[i]));
	if (!config->command.count && !config->args.count)
		append(list, oci_part(image, "Cmd", json_type_array));
	if (json_object_array_length(list) == 0) {
		json_object_put(list);
		oci->host->fail(
			err, COX_REASON_INVALID,
			"no command specified: neither the pod nor the image says what to run");
		return NULL;
	}
	return list;
}

static void add_user(struct json_object *process, const struct oci_user *user)
{
	struct json_object *out = json_object_new_object(), *groups = json_object_new_array();

	set_number(out, "uid", user->uid);
	set_number(out, "gid", user->gid);
	for (size_t i = 0; i < user->group_count; i++)
		json_object_array_add(groups, json_object_new_int64(user->groups[i]));
	json_object_object_add(out, "additionalGids", groups);
	json_object_object_add(process, "user", out);
}

static int fill_process(struct oci *oci, struct oci_spec *spec, struct json_object *process,
			uint64_t capabilities, struct cox_error *err)
{
	struct json_object *image = oci_part(spec->image, "config", json_type_object);
	const struct cox_security *security = spec->config->security;
	const char *directory = spec->config->working_dir;
	struct json_object *args;
	struct oci_user user;
	int64_t oom = spec->config->resources ? spec->config->resources->oom_score_adj : 0;

	if (oci_find_user(oci, spec->rootfs, security, oci_text(image, "User"), &user, err) != 0)
		return -1;
	if (!*directory)
		directory = *oci_text(image, "WorkingDir") ? oci_text(image, "WorkingDir") : "/";
	/* A descriptor's path would lead out (CVE-2024-21626). */
	if (!oci_path_is_plain(directory) || cox_starts_with(directory, "/proc/"))
		return oci->host->fail(err, COX_REASON_INVALID,
				       "working directory \"%s\" must be absolute, without \"..\" "
				       "and not in /proc",
				       directory);
	args = arguments(oci, spec, image, err);
	if (!args)
		return -1;
	json_object_object_add(process, "args", args);
	add_user(process, &user);
	spec->unit->uid = user.uid;
	spec->unit->gid = user.gid;
	spec->unit->groups = oci_copy_integers(user.groups, user.group_count);
	json_object_object_add(process, "env", environment(spec, image, &user));
	set_text(process, "cwd", directory);
	set_flag(process, "terminal", spec->config->tty);
	set_flag(process, "noNewPrivileges", security && security->no_new_privileges);
	set_number(process, "oomScoreAdj", clamp_oom(oci, oom));
	add_capabilities(process, capabilities, user.uid == 0);
	if (security && security->apparmor_type == COX_PROFILE_LOCALHOST)
		set_text(process, "apparmorProfile", security->apparmor_profile);
	return 0;
}

static void fill_pause(struct oci *oci, struct json_object *process)
{
	static const char *const args[] = {"/pause"};
	const struct oci_user nobody = {.uid = 65535, .gid = 65535};

	json_object_object_add(process, "args", text_list(args, 1));
	add_user(process, &nobody);
	set_text(process, "cwd", "/");
	set_flag(process, "noNewPrivileges", true);
	set_number(process, "oomScoreAdj", clamp_oom(oci, -998));
	add_capabilities(process, 0, false);
}

static int add_seccomp(struct oci *oci, const struct cox_security *security, bool sys_admin,
		       struct json_object *linux_part, struct cox_error *err)
{
	uint32_t type = security ? security->seccomp_type : COX_PROFILE_RUNTIME_DEFAULT;
	struct json_object *profile = NULL;

	if (type == COX_PROFILE_UNCONFINED || (security && security->privileged))
		return 0;
	if (type == COX_PROFILE_LOCALHOST) {
		size_t size;
		cox_autofree char *text =
			oci_read_file(security->seccomp_profile, OCI_RECORD_MAX, &size);

		if (!text)
			return oci_fail_errno(oci, err, "seccomp profile %s",
					      security->seccomp_profile);
		profile = oci_parse(text, size);
		if (!profile)
			return oci->host->fail(err, COX_REASON_INVALID,
					       "seccomp profile %s is not a JSON object",
					       security->seccomp_profile);
	}
	json_object_object_add(linux_part, "seccomp", profile ? profile : oci_seccomp(sys_admin));
	return 0;
}

/* A mount can propagate only as far as the root it lies in. */
static const char *root_propagation(const struct cox_container_config *config)
{
	const char *result = "rprivate";

	for (size_t i = 0; config && i < config->mount_count; i++) {
		if (config->mounts[i].propagation == COX_PROPAGATION_BIDIRECTIONAL)
			return "rshared";
		if (config->mounts[i].propagation == COX_PROPAGATION_HOST_TO_CONTAINER)
			result = "rslave";
	}
	return result;
}

static int fill_linux(struct oci *oci, struct oci_spec *spec, bool privileged,
		      uint64_t capabilities, struct json_object *out, struct cox_error *err)
{
	const struct cox_security *security = spec->config ? spec->config->security : NULL;
	const struct cox_resources *limits = spec->config ? spec->config->resources : NULL;
	struct json_object *resources = oci_resources_json(oci, limits);

	json_object_object_add(out, "resources", resources);
	json_object_object_add(out, "namespaces", namespaces(spec));
	set_text(out, "cgroupsPath", spec->unit->cgroup);
	set_text(out, "rootfsPropagation", root_propagation(spec->config));
	if (add_devices(oci, spec, privileged, out, resources, err) != 0)
		return -1;
	if (!privileged) {
		bool own = security && security->paths_set;

		json_object_object_add(
			out, "maskedPaths",
			own ? text_list(security->masked_paths.items, security->masked_paths.count)
			    : text_list(default_masked, COUNT(default_masked)));
		json_object_object_add(out, "readonlyPaths",
				       own ? text_list(security->readonly_paths.items,
						       security->readonly_paths.count)
					   : text_list(default_readonly, COUNT(default_readonly)));
	}
	if (spec->sandbox_config && spec->sandbox_config->sysctls.count) {
		struct json_object *sysctl = json_object_new_object();

		for (size_t i = 0; i < spec->sandbox_config->sysctls.count; i++)
			set_text(sysctl, spec->sandbox_config->sysctls.items[i].key,
				 spec->sandbox_config->sysctls.items[i].value);
		json_object_object_add(out, "sysctl", sysctl);
	}
	return add_seccomp(oci, security, capabilities >> 21 & 1, out, err);
}

int oci_write_spec(struct oci *oci, struct oci_spec *spec, struct cox_error *err)
{
	const struct cox_security *security = spec->config ? spec->config->security : NULL;
	struct json_object *out = json_object_new_object();
	struct json_object *process = json_object_new_object(), *root = json_object_new_object();
	struct json_object *linux_part = json_object_new_object();
	cox_autofree char *path = oci_unit_path(oci, spec->unit, "config.json");
	bool privileged = security && security->privileged;
	uint64_t capabilities = 0;
	int result = -1;

	set_text(out, "ociVersion", "1.0.2");
	json_object_object_add(out, "process", process);
	json_object_object_add(out, "root", root);
	json_object_object_add(out, "linux", linux_part);
	set_text(root, "path", spec->rootfs);
	set_flag(root, "readonly", !spec->config || (security && security->readonly_rootfs));
	/* A joined UTS namespace has its name already. */
	if (!spec->config && spec->unit->network_mode != COX_NAMESPACE_NODE &&
	    *spec->unit->hostname)
		set_text(out, "hostname", spec->unit->hostname);
	if (!spec->config)
		fill_pause(oci, process);
	else if (container_capabilities(oci, security, &capabilities, err) != 0 ||
		 fill_process(oci, spec, process, capabilities, err) != 0)
		goto out;
	if (add_mounts(oci, spec, privileged, out, err) != 0 ||
	    fill_linux(oci, spec, privileged, capabilities, linux_part, err) != 0)
		goto out;
	{
		const char *text = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN);

		result = oci_write_file(oci, path, text, strlen(text), 0600, err);
	}
out:
	json_object_put(out);
	return result;
}
