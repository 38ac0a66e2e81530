/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oci runtime plugin: containers by an OCI runtime (crun or runc) under
 * conmon, images in a store of its own. This file is its descriptor, options
 * and life; oci.h says how the rest is laid out.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CAP_SYS_RESOURCE_NUMBER 24

static void *oci_create(const struct cox_host *host, struct cox_error *err)
{
	struct oci *oci = cox_new(struct oci);
	pthread_condattr_t attributes;

	(void)err;
	oci->host = host;
	oci->poll_fd = oci->wake_fd = -1;
	pthread_mutex_init(&oci->lock, NULL);
	pthread_mutex_init(&oci->watch_lock, NULL);
	pthread_rwlock_init(&oci->gc, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&oci->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return oci;
}

static const struct cox_option oci_options[] = {
	{"root", "/var/lib/coxswain/oci", "where images and containers are kept", COX_OPT_PATH, 0},
	{"state", "/run/coxswain/oci", "state that a reboot empties", COX_OPT_PATH, 0},
	{"runtime", "", "crun, runc or a path; empty: the first that works", COX_OPT_STRING, 0},
	{"conmon", "/usr/bin/conmon", "the container monitor", COX_OPT_PATH, 0},
	{"helper-directory", OCI_HELPER_DIRECTORY, "where the plugin's own programs are",
	 COX_OPT_PATH, 0},
	{"insecure-registries", "localhost,127.0.0.1",
	 "registries, host or host:port, that may speak plain HTTP or have any certificate",
	 COX_OPT_LIST, 0},
	{"certificates-directory", "/etc/coxswain/certs.d",
	 "HOST[:PORT]/ca.crt, client.cert and client.key for single registries", COX_OPT_PATH, 0},
	{"ca-file", "/etc/ssl/certs/ca-certificates.crt", "CAs of all other registries",
	 COX_OPT_PATH, 0},
	{"max-image-size", "16Gi", "the largest image, packed or unpacked", COX_OPT_SIZE, 0},
	{NULL, NULL, NULL, 0, 0}};

static int oci_config(void *self, const char *key, const char *value, struct cox_error *err)
{
	struct oci *oci = self;
	const struct {
		const char *key;
		char **slot;
	} texts[] = {{"root", &oci->root},
		     {"state", &oci->state},
		     {"runtime", &oci->runtime},
		     {"conmon", &oci->conmon},
		     {"helper-directory", &oci->helpers},
		     {"insecure-registries", &oci->insecure},
		     {"certificates-directory", &oci->certificates},
		     {"ca-file", &oci->ca_file}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0) {
			free(*texts[i].slot);
			*texts[i].slot = cox_strdup(value);
			return 0;
		}
	if (strcmp(key, "max-image-size") == 0 && cox_parse_size(value, &oci->max_image) == 0)
		return 0;
	return oci->host->fail(err, COX_REASON_INVALID, "bad value of %s: \"%s\"", key, value);
}

/* The defaults again, for hosts that hand over only what was set. */
static int oci_config_complete(void *self, struct cox_error *err)
{
	struct oci *oci = self;

	for (const struct cox_option *option = oci_options; option->name; option++) {
		const struct {
			const char *key;
			const void *slot;
		} texts[] = {{"root", oci->root},
			     {"state", oci->state},
			     {"runtime", oci->runtime},
			     {"conmon", oci->conmon},
			     {"helper-directory", oci->helpers},
			     {"insecure-registries", oci->insecure},
			     {"certificates-directory", oci->certificates},
			     {"ca-file", oci->ca_file},
			     {"max-image-size", oci->max_image ? oci : NULL}};

		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			if (strcmp(option->name, texts[i].key) == 0 && !texts[i].slot &&
			    oci_config(self, option->name, option->fallback, err) != 0)
				return -1;
	}
	/* Both end up in mount options and in lists with colons and commas. */
	if (strpbrk(oci->root, ",:\\") || strpbrk(oci->state, ",:\\"))
		return oci->host->fail(
			err, COX_REASON_INVALID,
			"root and state must not contain a comma, colon or backslash");
	return 0;
}

static uint64_t own_capabilities(void)
{
	uint64_t bits = 0;

	for (unsigned i = 0; oci_capability_name(i); i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			bits |= 1ull << i;
	return bits;
}

/* overlayfs does not lie on overlayfs with attributes of its own, nor on NFS. */
static bool overlay_works(const struct oci *oci)
{
	struct statfs info;

	return statfs(oci->root, &info) == 0 && info.f_type != OVERLAYFS_SUPER_MAGIC &&
	       info.f_type != NFS_SUPER_MAGIC;
}

static int oci_get_ready(void *self, struct cox_error *err)
{
	struct oci *oci = self;
	static const char *const below[] = {"layers", "images", "containers", "sandboxes"};
	cox_autofree char *tmp = oci_format("%s/tmp", oci->root);
	cox_autofree char *runtime = oci_format("%s/runtime", oci->state);

	if (geteuid() != 0)
		return oci->host->fail(err, COX_REASON_FORBIDDEN,
				       "the oci runtime needs root: start the kubelet as root");
	if (access(oci->conmon, X_OK) != 0)
		return oci_fail_errno(oci, err, "%s (install conmon, or set the option conmon)",
				      oci->conmon);
	if (oci_make_directories(oci, oci->root, 0711, err) != 0 ||
	    oci_make_directories(oci, oci->state, 0700, err) != 0 ||
	    oci_make_directories(oci, runtime, 0700, err) != 0)
		return -1;
	oci_remove_tree(tmp);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		cox_autofree char *path = oci_format("%s/%s", oci->root, below[i]);

		if (oci_make_directories(oci, path, 0700, err) != 0)
			return -1;
	}
	if (oci_make_directories(oci, tmp, 0700, err) != 0)
		return -1;
	oci->capabilities = own_capabilities();
	oci->can_raise = oci->capabilities >> CAP_SYS_RESOURCE_NUMBER & 1;
	oci->overlay = overlay_works(oci);
	oci->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	oci->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (oci->poll_fd < 0 || oci->wake_fd < 0)
		return oci_fail_errno(oci, err, "watch processes");
	if (oci_cgroup_find(oci, err) != 0 || oci_prepare_pause(oci, err) != 0 ||
	    oci_probe(oci, err) != 0 || oci_load_images(oci, err) != 0)
		return -1;
	return oci_load_units(oci, err);
}

static int oci_start(void *self, struct cox_error *err)
{
	return oci_start_monitor(self, err);
}

static void oci_stop(void *self)
{
	oci_stop_monitor(self);
}

static void oci_destroy(void *self)
{
	struct oci *oci = self;
	size_t at = 0;
	void *value;

	while (cox_map_next(&oci->units, &at, NULL, NULL, &value))
		oci_free_unit(value);
	at = 0;
	while (cox_map_next(&oci->images, &at, NULL, NULL, &value))
		oci_free_image(value);
	cox_map_free(&oci->units);
	cox_map_free(&oci->images);
	while (oci->watches)
		oci_watch_cancel(oci, oci->watches);
	for (size_t i = 0; i < oci->hierarchies.count; i++)
		free(oci->hierarchies.items[i].mount);
	cox_vec_free(&oci->hierarchies);
	cox_cleanup_close(&oci->poll_fd);
	cox_cleanup_close(&oci->wake_fd);
	free(oci->root);
	free(oci->state);
	free(oci->runtime);
	free(oci->conmon);
	free(oci->helpers);
	free(oci->insecure);
	free(oci->certificates);
	free(oci->ca_file);
	free(oci->runtime_path);
	free(oci->runtime_env);
	pthread_mutex_destroy(&oci->lock);
	pthread_mutex_destroy(&oci->watch_lock);
	pthread_rwlock_destroy(&oci->gc);
	pthread_cond_destroy(&oci->changed);
	free(oci);
}

static void oci_dump(const void *self, struct cox_dump *out)
{
	const struct oci *oci = self;

	if (oci->runtime_name[0])
		oci->host->dump(out, "oci_runtime", "%s %s", oci->runtime_name,
				oci->runtime_version);
}

static int oci_version(void *self, const struct cox_call *call, struct cox_runtime_version *version,
		       struct cox_error *err)
{
	struct oci *oci = self;

	(void)call;
	(void)err;
	version->cgroup_version = (uint32_t)oci->cgroup_version;
	snprintf(version->runtime_name, sizeof(version->runtime_name), "%s", oci->runtime_name);
	snprintf(version->runtime_version, sizeof(version->runtime_version), "%s",
		 oci->runtime_version);
	return 0;
}

static int oci_status(void *self, const struct cox_call *call,
		      const struct cox_condition_sink *sink, struct cox_error *err)
{
	struct oci *oci = self;
	const struct cox_runtime_condition ready = {.type = "RuntimeReady",
						    .status = !*oci->problem,
						    .reason = *oci->problem ? "NoRuntimeWorks" : "",
						    .message = oci->problem};

	(void)call;
	(void)err;
	(void)sink->condition(sink, &ready);
	return 0;
}

static const struct cox_runtime_ops oci_ops = {
	.version = oci_version,
	.status = oci_status,
	.sandbox_run = oci_sandbox_run,
	.sandbox_stop = oci_sandbox_stop,
	.sandbox_remove = oci_sandbox_remove,
	.sandbox_list = oci_sandbox_list,
	.container_create = oci_container_create,
	.container_start = oci_container_start,
	.container_stop = oci_container_stop,
	.container_remove = oci_container_remove,
	.container_list = oci_container_list,
	.container_stats = oci_container_stats,
	.container_update = oci_container_update,
	.container_reopen_log = oci_container_reopen_log,
	.exec = oci_exec,
	.exec_sync = oci_exec_sync,
	.attach = oci_attach,
	.port_forward = oci_port_forward,
	.image_list = oci_image_list,
	.image_status = oci_image_status,
	.image_pull = oci_image_pull,
	.image_remove = oci_image_remove,
	.image_import = oci_image_import,
	.image_filesystem = oci_image_filesystem,
	.watch = oci_watch,
	.watch_cancel = oci_watch_cancel,
};

COX_RUNTIME_PLUGIN(oci_ops, .name = "oci", .version = "1",
		   .description = "containers by crun or runc under conmon",
		   .thread_model = COX_THREADS_PARALLEL, .flags = COX_EXCLUSIVE,
		   .options = oci_options, .create = oci_create, .config = oci_config,
		   .config_complete = oci_config_complete, .get_ready = oci_get_ready,
		   .start = oci_start, .stop = oci_stop, .destroy = oci_destroy, .dump = oci_dump);
