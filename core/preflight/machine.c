/* SPDX-License-Identifier: Apache-2.0 */
/* The machine itself: user, directories, space, memory, clock. */
#include "preflight/internal.h"

#include "base/confine.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>

#define MEGABYTE (UINT64_C(1) << 20)

/* ---- user and directories ---- */

void preflight_check_user(struct preflight *preflight)
{
	cox_autoerror err = COX_ERROR_INIT;
	uid_t user;
	gid_t group;

	if (!preflight->master)
		return;
	if (confine_find_user(PREFLIGHT_USER, &user, &group, &err) == 0)
		preflight_say(preflight, PREFLIGHT_OK, "user " PREFLIGHT_USER, NULL, "is there");
	else
		preflight_say(preflight, PREFLIGHT_ERROR, "user " PREFLIGHT_USER,
			      "adduser --system --group " PREFLIGHT_USER
			      ", or systemd-sysusers with the file that is installed",
			      "%s, as whom the units start the control plane", error_text(&err));
}

/* A directory of the control plane's: its user must be able to write there. */
static void check_own_directory(struct preflight *preflight, const char *path, const char *flag)
{
	cox_autobuf thing = COX_BUF_INIT, remedy = COX_BUF_INIT;
	struct stat info;
	uid_t user;
	gid_t group;

	cox_buf_printf(&thing, "directory %s", path);
	cox_buf_printf(&remedy, "mkdir -p %s && chown -R %s:%s %s", path, PREFLIGHT_USER,
		       PREFLIGHT_USER, path);
	if (stat(path, &info) != 0) {
		if (errno == ENOENT)
			preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL,
				      "not there yet; the unit makes it (started by hand: %s)",
				      remedy.data);
		else
			preflight_say(preflight, PREFLIGHT_ERROR, thing.data, remedy.data,
				      "--%s of kube-apiserver: %s", flag, strerror(errno));
		return;
	}
	if (!S_ISDIR(info.st_mode)) {
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data,
			      "remove it, or set the flag to another place",
			      "--%s of kube-apiserver: not a directory", flag);
		return;
	}
	if (confine_find_user(PREFLIGHT_USER, &user, &group, NULL) != 0)
		return; /* said already */
	if ((info.st_uid == user && (info.st_mode & 0300) == 0300) ||
	    (info.st_gid == group && (info.st_mode & 0030) == 0030) ||
	    (info.st_mode & 0003) == 0003)
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "%s may write there",
			      PREFLIGHT_USER);
	else
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data, remedy.data,
			      "--%s of kube-apiserver: belongs to user %u, so %s gets "
			      "\"permission denied\"",
			      flag, (unsigned)info.st_uid, PREFLIGHT_USER);
}

static void check_node_directory(struct preflight *preflight, const char *path, const char *flag)
{
	cox_autobuf thing = COX_BUF_INIT;
	struct stat info;
	int failure = stat(path, &info) == 0 ? 0 : errno;

	cox_buf_printf(&thing, "directory %s", path);
	if (!failure && !S_ISDIR(info.st_mode))
		failure = ENOTDIR;
	if (failure == ENOENT)
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL,
			      "not there yet; the kubelet makes it");
	else if (failure)
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data,
			      "remove what is in its place, or set the flag to another one",
			      "--%s of the kubelet: %s", flag, strerror(failure));
	else if (info.st_uid == 0)
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "belongs to root");
	else
		preflight_say(preflight, PREFLIGHT_WARNING, thing.data,
			      "chown it to root: what is in it ends up in containers",
			      "--%s of the kubelet: belongs to user %u", flag,
			      (unsigned)info.st_uid);
}

void preflight_check_directories(struct preflight *preflight)
{
	const char *certificate = preflight_flag(preflight, "kube-apiserver", "tls-cert-file");
	const char *port = preflight_flag(preflight, "kube-apiserver", "secure-port");
	const char *path;

	/* No certificate is made where one is given, or nobody would see it. */
	if (certificate && !*certificate && strcmp(port, "0") != 0)
		check_own_directory(preflight,
				    preflight_flag(preflight, "kube-apiserver", "cert-dir"),
				    "cert-dir");
	path = preflight_flag(preflight, "kube-apiserver", "data-dir");
	if (path)
		check_own_directory(preflight, path, "data-dir");
	path = preflight_flag(preflight, "kubelet", "root-dir");
	if (path)
		check_node_directory(preflight, path, "root-dir");
	path = preflight_flag(preflight, "kubelet", "pod-logs-dir");
	if (path)
		check_node_directory(preflight, path, "pod-logs-dir");
}

/* ---- space ---- */

/* Of the file system that `path` is on, or will be. */
static int read_space(const char *path, struct statvfs *info)
{
	char upper[PATH_MAX];
	char *slash;

	if (strlen(path) >= sizeof(upper)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(upper, path, strlen(path) + 1);
	while (statvfs(*upper ? upper : "/", info) != 0) {
		slash = strrchr(upper, '/');
		if (errno != ENOENT || !slash)
			return -1;
		*slash = '\0';
	}
	return 0;
}

/* What is less than the kubelet's own limits, or the control plane cannot live with. */
static void check_space(struct preflight *preflight, const char *path, bool node)
{
	cox_autobuf thing = COX_BUF_INIT;
	const char *limits = preflight_flag(preflight, "kubelet", "eviction-hard");
	const char *floor_text = preflight_flag(preflight, "kubelet", "low-diskspace-threshold-mb");
	struct statvfs info;
	uint64_t free_bytes, size, limit = 0, files_limit = 0;
	int64_t floor_mb = 64;

	cox_buf_printf(&thing, "space %s", path);
	if (read_space(path, &info) != 0) {
		preflight_say(preflight, PREFLIGHT_WARNING, thing.data, NULL, "%s",
			      strerror(errno));
		return;
	}
	free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
	size = (uint64_t)info.f_blocks * info.f_frsize;
	if (node && floor_text && cox_parse_int(floor_text, 0, INT32_MAX, &floor_mb) != 0)
		floor_mb = 64;
	if (!node || !limits ||
	    preflight_parse_threshold(limits, "nodefs.available", size, &limit) != 0)
		limit = 0;
	if (!node || !limits ||
	    preflight_parse_threshold(limits, "nodefs.inodesFree", info.f_files, &files_limit) != 0)
		files_limit = 0;
	if (info.f_flag & ST_RDONLY)
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data,
			      "mount it for writing: mount -o remount,rw",
			      "its file system is read-only");
	else if (free_bytes < (uint64_t)floor_mb * MEGABYTE)
		preflight_say(preflight, PREFLIGHT_ERROR, thing.data,
			      "make room, or mount a larger file system there",
			      "%" PRIu64 " MiB free, and less than %" PRId64 " MiB is too little",
			      free_bytes / MEGABYTE, floor_mb);
	else if (info.f_files && info.f_favail < (files_limit ? files_limit : 64))
		preflight_say(preflight, node ? PREFLIGHT_WARNING : PREFLIGHT_ERROR, thing.data,
			      "remove small files, or make the file system with more inodes",
			      "%" PRIu64 " inodes free of %" PRIu64 "%s", (uint64_t)info.f_favail,
			      (uint64_t)info.f_files,
			      node ? ": the node will have DiskPressure and take no pods" : "");
	else if (free_bytes < limit)
		preflight_say(preflight, PREFLIGHT_WARNING, thing.data,
			      "make room, or lower nodefs.available of --eviction-hard",
			      "%" PRIu64 " MiB free of %" PRIu64
			      ": the node will have DiskPressure and take no pods",
			      free_bytes / MEGABYTE, size / MEGABYTE);
	else
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL,
			      "%" PRIu64 " MiB and %" PRIu64 " inodes free", free_bytes / MEGABYTE,
			      (uint64_t)info.f_favail);
}

void preflight_check_space(struct preflight *preflight)
{
	cox_autobuf root = COX_BUF_INIT;
	const char *path = preflight_flag(preflight, "kube-apiserver", "data-dir");
	const char *runtime = preflight_flag(preflight, "kubelet", "container-runtime");

	if (path)
		check_space(preflight, path, false);
	path = preflight_flag(preflight, "kubelet", "root-dir");
	if (path)
		check_space(preflight, path, true);
	if (!runtime || strcmp(runtime, "oci") != 0)
		return;
	preflight_plugin_option(preflight, "kubelet", "runtime/oci:root", "/var/lib/coxswain/oci",
				&root);
	check_space(preflight, cox_buf_cstr(&root), true);
}

/* ---- memory ---- */

static void check_swap(struct preflight *preflight)
{
	cox_autobuf text = COX_BUF_INIT;
	char names[256];

	if (preflight_read("/proc/swaps", &text) == 0 &&
	    preflight_swaps(cox_buf_cstr(&text), names, sizeof(names)) > 0)
		preflight_say(preflight, PREFLIGHT_WARNING, "swap",
			      "swapoff -a, and take it out of /etc/fstab",
			      "on (%s): limits of memory do not hold, and pods grow slow instead "
			      "of being ended",
			      names);
	else
		preflight_say(preflight, PREFLIGHT_OK, "swap", NULL, "off");
}

void preflight_check_memory(struct preflight *preflight)
{
	const char *limits = preflight_flag(preflight, "kubelet", "eviction-hard");
	cox_autobuf text = COX_BUF_INIT;
	uint64_t total, available, limit;

	if (preflight_read("/proc/meminfo", &text) != 0 ||
	    preflight_meminfo(cox_buf_cstr(&text), "MemTotal", &total) != 0 ||
	    preflight_meminfo(cox_buf_cstr(&text), "MemAvailable", &available) != 0) {
		preflight_say(preflight, PREFLIGHT_WARNING, "memory", "mount -t proc proc /proc",
			      "/proc/meminfo cannot be read");
		return;
	}
	/* What the control plane takes itself, with room for its first requests. */
	if (!limits || preflight_parse_threshold(limits, "memory.available", total, &limit) != 0)
		limit = 64 * MEGABYTE;
	if (available < limit)
		preflight_say(preflight, PREFLIGHT_WARNING, "memory",
			      "end what is not needed, or take a larger machine",
			      "%" PRIu64 " MiB available of %" PRIu64 "%s", available / MEGABYTE,
			      total / MEGABYTE,
			      limits ? ": the node will have MemoryPressure" : "");
	else
		preflight_say(preflight, PREFLIGHT_OK, "memory", NULL,
			      "%" PRIu64 " MiB available of %" PRIu64, available / MEGABYTE,
			      total / MEGABYTE);
	if (preflight->node)
		check_swap(preflight);
}

/* ---- clock ---- */

static void format_time(time_t when, char out[32])
{
	struct tm parts;

	if (!gmtime_r(&when, &parts) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts))
		memcpy(out, "?", 2);
}

void preflight_check_clock(struct preflight *preflight)
{
	struct timex state = {0};
	struct stat info;
	time_t now = time(NULL);
	char text[32], built[32];

	format_time(now, text);
	/* Nobody can start a program before it was made. */
	if (stat("/proc/self/exe", &info) == 0 && now < info.st_mtime) {
		format_time(info.st_mtime, built);
		preflight_say(preflight, PREFLIGHT_ERROR, "clock",
			      "set it, and start chronyd or systemd-timesyncd",
			      "says %s, but this program was installed %s: certificates will not "
			      "be valid yet, and the node will look dead",
			      text, built);
		return;
	}
	if (adjtimex(&state) < 0 || state.status & STA_UNSYNC)
		preflight_say(preflight, PREFLIGHT_WARNING, "clock",
			      "start chronyd or systemd-timesyncd, with the same servers on all "
			      "machines of the cluster",
			      "says %s, and nothing keeps it right", text);
	else
		preflight_say(preflight, PREFLIGHT_OK, "clock", NULL, "synchronised, says %s",
			      text);
}
