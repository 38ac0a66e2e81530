/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container of a pod's specification to what the runtime is told.
 */
#include "kubelet/container.h"

#include "base/clock.h"
#include "kubelet/env.h"
#include "kubelet/images.h"
#include "kubelet/names.h"
#include "kubelet/resources.h"
#include "kubelet/security.h"
#include "kubelet/volumes.h"

#include <coxswain/kit/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_MAX = 10000 };

const char *container_hash(struct arena *arena, const struct value *container)
{
	const char *parts[] = {value_get_text(container, "name"),
			       value_get_text(container, "image")};
	uint64_t hash = 1469598103934665603u; /* FNV-1a */

	for (size_t i = 0; i < 2; i++)
		for (const char *at = parts[i];; at++) {
			hash = (hash ^ (unsigned char)*at) * 1099511628211u;
			if (!*at)
				break;
		}
	return arena_printf(arena, "%016llx", (unsigned long long)hash);
}

const char *container_message_path(struct kubelet *kubelet, struct arena *arena, const char *uid,
				   const char *name, uint32_t attempt)
{
	return volumes_pod_directory(kubelet, arena, uid,
				     arena_printf(arena, "containers/%s/%u", name, attempt));
}

static struct cox_strings expand_list(struct arena *arena, const struct env *env,
				      const struct value *list)
{
	size_t count = value_is(list, VALUE_ARRAY) ? list->count : 0;
	const char **items = arena_alloc(arena, (count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = env_expand(arena, env, value_text(value_at(list, i)));
	return (struct cox_strings){items, count};
}

/* ---- mounts ---- */

struct mounts {
	COX_VEC(struct cox_mount) items;
};

static uint32_t propagation(const struct value *mount)
{
	const char *said = value_get_text(mount, "mountPropagation");

	if (!strcmp(said, "Bidirectional"))
		return COX_PROPAGATION_BIDIRECTIONAL;
	return !strcmp(said, "HostToContainer") ? COX_PROPAGATION_HOST_TO_CONTAINER
						: COX_PROPAGATION_PRIVATE;
}

static int add_volume_mounts(const struct container_start *start, struct arena *arena,
			     const struct env *env, struct mounts *mounts, struct cox_error *err)
{
	const struct value *list = value_get(start->container, "volumeMounts"), *mount;

	for (size_t i = 0; (mount = value_at(list, i)); i++) {
		const char *sub = value_get_text(mount, "subPath");
		const char *expression = value_get_text(mount, "subPathExpr");
		struct cox_mount added = {
			.container_path = value_get_text(mount, "mountPath"),
			.readonly = value_get_bool(mount, "readOnly") ||
				    volumes_are_readonly(start->kubelet, start->pod, start->object,
							 mount),
			.propagation = propagation(mount),
			.recursive_readonly =
				!strcmp(value_get_text(mount, "recursiveReadOnly"), "Enabled"),
		};

		if (*expression)
			sub = env_expand(arena, env, expression);
		added.host_path = volumes_mount_path(start->kubelet, start->pod, start->object,
						     start->container, mount, sub, i, arena, err);
		if (!added.host_path)
			return -1;
		cox_vec_push(&mounts->items, added);
	}
	return 0;
}

static bool mounted(const struct mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->items.count; i++)
		if (!strcmp(mounts->items.items[i].container_path, path))
			return true;
	return false;
}

/* A file that did not exist: the container writes why it ends. */
static int add_message_file(const struct container_start *start, struct arena *arena,
			    struct mounts *mounts, struct cox_error *err)
{
	const char *inside = value_get_text(start->container, "terminationMessagePath");
	const char *path = container_message_path(start->kubelet, arena, start->pod->uid,
						  start->record->name, start->attempt);
	cox_autobuf parent = COX_BUF_INIT;
	struct cox_mount mount = {.container_path = inside, .host_path = path};
	cox_autoclose int fd = -1;

	if (!*inside || mounted(mounts, inside))
		return 0;
	cox_buf_add(&parent, path, (size_t)(strrchr(path, '/') - path));
	if (volumes_make_directory(parent.data, 0750, err))
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	/* Whoever the container runs as may write; umask must not say no. */
	if (fd < 0 || fchmod(fd, 0666) != 0)
		return error_errno(err, errno, "create %s", path);
	cox_vec_push(&mounts->items, mount);
	return 0;
}

static void write_hosts(const struct container_start *start, struct cox_buf *out)
{
	const struct value *spec = value_get(object_root(start->object), "spec");
	const struct value *alias, *name;
	const char *host = value_get_text(spec, "hostname");

	cox_buf_str(out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
			 "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
			 "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\n"
			 "fe00::2\tip6-allrouters\n");
	if (!*host)
		host = start->pod->name;
	for (size_t i = 0; i < 2 && start->pod->ips[i]; i++) {
		cox_buf_printf(out, "%s\t", start->pod->ips[i]);
		if (*value_get_text(spec, "subdomain"))
			cox_buf_printf(out, "%s.%s.%s.svc.%s\t", host,
				       value_get_text(spec, "subdomain"), start->pod->namespace,
				       start->kubelet->config->cluster_domain);
		cox_buf_printf(out, "%s\n", host);
	}
	for (size_t i = 0; (alias = value_at(value_get(spec, "hostAliases"), i)); i++) {
		cox_buf_printf(out, "%s%s", i ? "" : "\n# Entries added by HostAliases.\n",
			       value_get_text(alias, "ip"));
		for (size_t j = 0; (name = value_at(value_get(alias, "hostnames"), j)); j++)
			cox_buf_printf(out, "\t%s", value_text(name));
		cox_buf_char(out, '\n');
	}
}

static int add_hosts_file(const struct container_start *start, struct arena *arena,
			  struct mounts *mounts, struct cox_error *err)
{
	const struct value *spec = value_get(object_root(start->object), "spec");
	const char *path =
		volumes_pod_directory(start->kubelet, arena, start->pod->uid, "etc-hosts");
	const struct cox_mount mount = {.container_path = "/etc/hosts", .host_path = path};
	cox_autobuf text = COX_BUF_INIT;
	cox_autoclose int fd = -1;

	if (value_get_bool(spec, "hostNetwork") || mounted(mounts, "/etc/hosts"))
		return 0;
	write_hosts(start, &text);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fchmod(fd, 0644) != 0 ||
	    write(fd, text.data, text.size) != (ssize_t)text.size)
		return error_errno(err, errno, "write %s", path);
	cox_vec_push(&mounts->items, mount);
	return 0;
}

static int add_mounts(const struct container_start *start, struct arena *arena,
		      const struct env *env, struct cox_container_config *config,
		      struct cox_error *err)
{
	struct mounts mounts = {0};
	int failed = add_volume_mounts(start, arena, env, &mounts, err) ||
		     add_message_file(start, arena, &mounts, err) ||
		     add_hosts_file(start, arena, &mounts, err);

	if (!failed && mounts.items.count) {
		struct cox_mount *copy = arena_alloc(arena, mounts.items.count * sizeof(*copy));

		memcpy(copy, mounts.items.items, mounts.items.count * sizeof(*copy));
		config->mounts = copy;
		config->mount_count = mounts.items.count;
	}
	cox_vec_free(&mounts.items);
	return failed ? -1 : 0;
}

/* ---- the whole ---- */

static struct cox_pairs labels_of(const struct container_start *start, struct arena *arena)
{
	const struct cox_pair made[] = {{LABEL_POD, start->pod->name},
					{LABEL_NAMESPACE, start->pod->namespace},
					{LABEL_UID, start->pod->uid},
					{LABEL_CONTAINER, start->record->name}};
	struct cox_pair *copy = arena_alloc(arena, sizeof(made));

	memcpy(copy, made, sizeof(made));
	return (struct cox_pairs){copy, sizeof(made) / sizeof(made[0])};
}

static struct cox_pairs annotations_of(const struct container_start *start, struct arena *arena)
{
	const struct value *spec = value_get(object_root(start->object), "spec");
	struct cox_pair *made = arena_alloc(arena, 2 * sizeof(*made));

	made[0] = (struct cox_pair){ANNOTATION_HASH, container_hash(arena, start->container)};
	made[1] = (struct cox_pair){
		ANNOTATION_GRACE,
		arena_printf(arena, "%lld",
			     (long long)value_get_int(spec, "terminationGracePeriodSeconds", 30))};
	return (struct cox_pairs){made, 2};
}

static int make_log_directory(const struct container_start *start, struct cox_error *err)
{
	cox_autobuf path = COX_BUF_INIT;

	cox_buf_printf(&path, "%s/%s_%s_%s/%s", start->kubelet->config->pod_logs_dir,
		       start->pod->namespace, start->pod->name, start->pod->uid,
		       start->record->name);
	return volumes_make_directory(path.data, 0755, err);
}

int container_configure(const struct container_start *start, struct arena *arena,
			struct cox_container_config *config, struct cox_error *err)
{
	const struct field_source source = {start->kubelet,
					    start->object,
					    {start->pod->ips[0], start->pod->ips[1]},
					    start->record->name};
	const struct value *container = start->container;
	struct cox_resources *resources = arena_new(arena, struct cox_resources);
	struct cox_pair *pairs;
	struct env env = {0};
	int failed = -1;

	*config = (struct cox_container_config){
		.struct_size = sizeof(*config),
		.attempt = start->attempt,
		.name = start->record->name,
		.image = value_get_text(container, "image"),
		.image_ref = start->image_ref,
		.working_dir = value_get_text(container, "workingDir"),
		.labels = labels_of(start, arena),
		.annotations = annotations_of(start, arena),
		.log_path = arena_printf(arena, "%s/%u.log", start->record->name, start->attempt),
		.stop_signal = value_text(object_path(container, "lifecycle.stopSignal")),
		.stdin_open = value_get_bool(container, "stdin"),
		.stdin_once = value_get_bool(container, "stdinOnce"),
		.tty = value_get_bool(container, "tty"),
		.resources = resources,
	};
	resources_container(container, resources_qos(object_root(start->object)),
			    start->kubelet->config->cpu_cfs_quota, resources);
	if (start->kubelet->config->pod_max_pids > 0)
		resources->pids_limit = start->kubelet->config->pod_max_pids;
	config->security = security_container(start, arena, err);
	if (config->security && !env_make(&source, container, arena, &env, err) &&
	    !make_log_directory(start, err) && !add_mounts(start, arena, &env, config, err)) {
		config->command = expand_list(arena, &env, value_get(container, "command"));
		config->args = expand_list(arena, &env, value_get(container, "args"));
		pairs = arena_alloc(arena, (env.pairs.count + 1) * sizeof(*pairs));
		if (env.pairs.count)
			memcpy(pairs, env.pairs.items, env.pairs.count * sizeof(*pairs));
		config->env = (struct cox_pairs){pairs, env.pairs.count};
		failed = 0;
	}
	env_free(&env);
	return failed;
}
