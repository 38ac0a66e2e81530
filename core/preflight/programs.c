/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs containers: the programs of the oci plugin, and Docker, which is
 * either what the kubelet uses or somebody else on this machine.
 */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

enum { VERSION_SECONDS = 10 };

/* ---- oci ---- */

/* Whether "PROGRAM --version" ends well; its first line goes to `version`. */
static int try_version(const char *path, struct cox_buf *version, struct cox_error *err)
{
	const char *const argv[] = {path, "--version", NULL};
	cox_autobuf complaint = COX_BUF_INIT;
	int status = 0;

	if (preflight_run(argv, VERSION_SECONDS, version, &complaint, &status, err) != 0)
		return -1;
	cox_buf_truncate(version, strcspn(cox_buf_cstr(version), "\n"));
	if (status == 0)
		return 0;
	return error_set(err, COX_REASON_INTERNAL_ERROR, "it ends with status %d%s%s", status,
			 complaint.size ? ": " : "", preflight_last_line(&complaint));
}

static void check_oci_runtime(struct preflight *preflight)
{
	cox_autobuf chosen = COX_BUF_INIT, path = COX_BUF_INIT, problems = COX_BUF_INIT;
	const char *names[2] = {"crun", "runc"};
	size_t count = 2;

	preflight_plugin_option(preflight, "kubelet", "runtime/oci:runtime", "", &chosen);
	if (chosen.size) {
		names[0] = chosen.data;
		count = 1;
	}
	for (size_t i = 0; i < count; i++) {
		cox_autobuf version = COX_BUF_INIT;
		cox_autoerror err = COX_ERROR_INIT;

		if (preflight_find_program(names[i], &path) != 0) {
			cox_buf_printf(&problems, "%s%s is not there", problems.size ? ", " : "",
				       names[i]);
		} else if (try_version(path.data, &version, &err) == 0) {
			preflight_say(preflight, PREFLIGHT_OK, "OCI runtime", NULL, "%s (%s)",
				      path.data, cox_buf_cstr(&version));
			return;
		} else {
			cox_buf_printf(&problems, "%s%s: %s", problems.size ? ", " : "", path.data,
				       error_text(&err));
		}
	}
	preflight_say(preflight, PREFLIGHT_ERROR, "OCI runtime",
		      "install the package crun or runc, or set "
		      "--plugin-option=runtime/oci:runtime=PROGRAM of the kubelet",
		      "%s: no pod can run", problems.data);
}

static void check_conmon(struct preflight *preflight)
{
	cox_autobuf path = COX_BUF_INIT, found = COX_BUF_INIT, version = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;

	preflight_plugin_option(preflight, "kubelet", "runtime/oci:conmon", "/usr/bin/conmon",
				&path);
	if (preflight_find_program(cox_buf_cstr(&path), &found) != 0)
		error_set(&err, COX_REASON_NOT_FOUND, "it is not there");
	else if (try_version(found.data, &version, &err) == 0) {
		preflight_say(preflight, PREFLIGHT_OK, "conmon", NULL, "%s (%s)", found.data,
			      cox_buf_cstr(&version));
		return;
	}
	preflight_say(preflight, PREFLIGHT_ERROR, "conmon",
		      "install the package conmon, or set --plugin-option=runtime/oci:conmon=PATH "
		      "of the kubelet",
		      "%s: %s, and the kubelet does not start without", cox_buf_cstr(&path),
		      error_text(&err));
}

void preflight_check_runtime(struct preflight *preflight)
{
	const char *runtime = preflight_flag(preflight, "kubelet", "container-runtime");

	if (!runtime || strcmp(runtime, "oci") != 0)
		return;
	check_oci_runtime(preflight);
	check_conmon(preflight);
}

/* ---- Docker ---- */

/* Two packages that bring a Docker fight for its socket, its directory and its rules. */
static void check_copies(struct preflight *preflight)
{
	static const char *const places[] = {"/usr/bin/dockerd",	 "/usr/bin/docker-current",
					     "/usr/bin/docker-latest",	 "/usr/bin/dockerd-latest",
					     "/usr/bin/dockerd-current", "/usr/local/bin/dockerd",
					     "/usr/sbin/dockerd",	 "/usr/local/sbin/dockerd",
					     "/opt/bin/dockerd",	 "/snap/bin/dockerd"};
	enum { PLACES = sizeof(places) / sizeof(places[0]) };
	cox_autobuf found = COX_BUF_INIT;
	struct stat seen[PLACES];
	size_t count = 0;

	for (size_t i = 0; i < PLACES; i++) {
		struct stat info;
		bool again = false;

		if (stat(places[i], &info) != 0)
			continue;
		/* /bin and /usr/bin, and other names of one file, are one. */
		for (size_t k = 0; k < count && !again; k++)
			again = seen[k].st_dev == info.st_dev && seen[k].st_ino == info.st_ino;
		if (again)
			continue;
		seen[count++] = info;
		cox_buf_printf(&found, "%s%s", found.size ? ", " : "", places[i]);
	}
	if (count > 1)
		preflight_say(preflight, PREFLIGHT_WARNING, "docker copies",
			      "remove the package that is not meant, before anything else",
			      "more than one is installed: %s", found.data);
}

/* Another engine beside the oci plugin. */
static void check_engines(struct preflight *preflight)
{
	static const char *const engines[] = {"dockerd", "docker", "docker-containerd",
					      "containerd", "crio"};
	bool found = false;

	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		pid_t process = preflight_find_process(engines[i]);

		if (!process)
			continue;
		found = true;
		preflight_say(
			preflight, PREFLIGHT_WARNING, "container engine",
			"remove it, or stop it and disable its unit, if nothing else needs it",
			"%s runs (pid %d), but the kubelet uses its own oci runtime: its "
			"rules, its bridge and what it takes of the machine are not the "
			"kubelet's",
			engines[i], (int)process);
	}
	if (!found)
		preflight_say(preflight, PREFLIGHT_OK, "container engine", NULL,
			      "no other than the kubelet's own");
}

/* The thin pool of the device mapper, as its node is called; "": there is none. */
static void find_thin_pool(struct cox_buf *out)
{
	DIR *directory = opendir("/dev/mapper");
	struct dirent *entry;

	while (directory && !out->size && (entry = readdir(directory)))
		if (cox_ends_with(entry->d_name, "tpool"))
			cox_buf_printf(out, "/dev/mapper/%s", entry->d_name);
	if (directory)
		closedir(directory);
}

static void say_docker_is_down(struct preflight *preflight, const char *path, const char *why)
{
	cox_autobuf options = COX_BUF_INIT, pool = COX_BUF_INIT, remedy = COX_BUF_INIT;
	bool mapper = preflight_read("/etc/sysconfig/docker-storage", &options) == 0 &&
		      strstr(cox_buf_cstr(&options), "devicemapper");

	find_thin_pool(&pool);
	cox_buf_str(&remedy,
		    "systemctl start docker; if it fails, journalctl -u docker -u "
		    "docker-storage-setup says why. \"insufficient free space\" in the "
		    "volume group: extend it (vgextend), or take DOCKER_STORAGE_OPTIONS out "
		    "of /etc/sysconfig/docker-storage, then systemctl daemon-reload");
	cox_buf_printf(&remedy,
		       ". \"graphdriver\" and EOF: dmsetup status, take the name that ends with "
		       "tpool (%s), and set --storage-opt dm.thinpooldev=/dev/mapper/NAME in "
		       "/etc/sysconfig/docker-storage",
		       pool.size ? pool.data : "none is there now");
	preflight_say(preflight, PREFLIGHT_ERROR, "docker", remedy.data,
		      "does not answer at %s: %s%s; the node will not be ready", path, why,
		      mapper ? " (its storage is devicemapper)" : "");
}

static void check_docker(struct preflight *preflight)
{
	const char *endpoint = preflight_flag(preflight, "kubelet", "docker-endpoint");
	const char *path = endpoint && *endpoint ? endpoint : "/var/run/docker.sock";
	cox_autobuf answer = COX_BUF_INIT;
	cox_autoerror err = COX_ERROR_INIT;
	cox_autoclose int fd = -1;

	if (cox_starts_with(path, "unix://"))
		path += strlen("unix://");
	fd = preflight_connect_unix(path, &err);
	if (fd < 0 || preflight_get(fd, "docker", "/_ping", &answer, &err) != 0)
		say_docker_is_down(preflight, path, error_text(&err));
	else if (!strstr(cox_buf_cstr(&answer), " 200 "))
		say_docker_is_down(preflight, path, "it is not well");
	else
		preflight_say(preflight, PREFLIGHT_OK, "docker", NULL, "answers at %s", path);
}

void preflight_check_docker(struct preflight *preflight)
{
	const char *runtime = preflight_flag(preflight, "kubelet", "container-runtime");

	if (!runtime)
		return;
	check_copies(preflight);
	if (strcmp(runtime, "docker") == 0)
		check_docker(preflight);
	else
		check_engines(preflight);
}
