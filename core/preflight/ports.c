/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the ports that the daemons are told to listen on are free, or who has them. */
#include "preflight/internal.h"

#include <coxswain/kit/cleanup.h>
#include <coxswain/kit/text.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct wanted {
	const char *daemon, *port, *address; /* the last two are flags */
	const char *file;		     /* where they are set */
};

static const struct wanted wanted_ports[] = {
	{"kube-apiserver", "insecure-port", "insecure-bind-address", "apiserver"},
	{"kube-apiserver", "secure-port", "bind-address", "apiserver"},
	{"kube-scheduler", "port", "address", "scheduler"},
	{"kube-controller-manager", "port", "address", "controller-manager"},
	{"kubelet", "port", "address", "kubelet"},
	{"kubelet", "healthz-port", "healthz-bind-address", "kubelet"},
	{"kube-proxy", "healthz-port", "healthz-bind-address", "proxy"},
};

/* The link below /proc/PID, or "". */
static void read_process_link(const char *pid, const char *name, char out[PATH_MAX])
{
	cox_autobuf path = COX_BUF_INIT;
	ssize_t size;

	cox_buf_printf(&path, "/proc/%s/%s", pid, name);
	size = readlink(path.data, out, PATH_MAX - 1);
	out[size > 0 ? size : 0] = '\0';
}

static bool holds_socket(const char *pid, const char *link)
{
	cox_autobuf path = COX_BUF_INIT;
	DIR *descriptors;
	struct dirent *entry;
	bool found = false;

	cox_buf_printf(&path, "/proc/%s/fd", pid);
	descriptors = opendir(path.data);
	while (descriptors && !found && (entry = readdir(descriptors))) {
		char target[64];
		ssize_t size =
			readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);

		target[size > 0 ? size : 0] = '\0';
		found = strcmp(target, link) == 0;
	}
	if (descriptors)
		closedir(descriptors);
	return found;
}

/* The process that has the socket; `*ours`: it is this same program. */
static void find_owner(uint64_t inode, struct cox_buf *name, bool *ours)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char link[64], own[PATH_MAX], theirs[PATH_MAX];

	snprintf(link, sizeof(link), "socket:[%" PRIu64 "]", inode);
	read_process_link("self", "exe", own);
	*ours = false;
	while (processes && (entry = readdir(processes))) {
		cox_autobuf path = COX_BUF_INIT, comm = COX_BUF_INIT;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !holds_socket(entry->d_name, link))
			continue;
		cox_buf_printf(&path, "/proc/%s/comm", entry->d_name);
		if (preflight_read(path.data, &comm) != 0)
			break;
		cox_buf_printf(name, "%s (pid %s)", preflight_last_line(&comm), entry->d_name);
		read_process_link(entry->d_name, "exe", theirs);
		*ours = *own && strcmp(own, theirs) == 0;
		break;
	}
	if (processes)
		closedir(processes);
	if (!name->size)
		cox_buf_str(name, "a process that is not to be seen");
}

static bool find_listener(const char *tables[2], const char *address, uint16_t port,
			  struct preflight_listener *listener)
{
	for (int i = 0; i < 2; i++) {
		const char *at = tables[i];

		while (preflight_next_listener(&at, i == 1, listener))
			if (preflight_in_the_way(listener, address, port))
				return true;
	}
	return false;
}

static void check_port(struct preflight *preflight, const char *tables[2],
		       const struct wanted *wanted)
{
	const char *text = preflight_flag(preflight, wanted->daemon, wanted->port);
	const char *address = preflight_flag(preflight, wanted->daemon, wanted->address);
	cox_autobuf thing = COX_BUF_INIT, owner = COX_BUF_INIT, remedy = COX_BUF_INIT;
	struct preflight_listener listener;
	int64_t port;
	bool ours;

	if (!text || cox_parse_int(text, 1, 65535, &port) != 0)
		return; /* 0: none is wanted */
	cox_buf_printf(&thing, "port %s", text);
	if (!find_listener(tables, address, (uint16_t)port, &listener)) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "free for %s --%s",
			      wanted->daemon, wanted->port);
		return;
	}
	find_owner(listener.inode, &owner, &ours);
	if (ours) {
		preflight_say(preflight, PREFLIGHT_OK, thing.data, NULL, "%s runs already: %s",
			      wanted->daemon, owner.data);
		return;
	}
	cox_buf_printf(&remedy, "end that process, or set --%s of %s in %s/%s", wanted->port,
		       wanted->daemon, preflight->config_dir, wanted->file);
	preflight_say(preflight, PREFLIGHT_ERROR, thing.data, remedy.data,
		      "wanted by %s --%s, but taken by %s", wanted->daemon, wanted->port,
		      owner.data);
}

void preflight_check_ports(struct preflight *preflight)
{
	cox_autobuf v4 = COX_BUF_INIT, v6 = COX_BUF_INIT;
	const char *tables[2];

	if (preflight_read("/proc/net/tcp", &v4) != 0) {
		preflight_say(preflight, PREFLIGHT_WARNING, "ports", "mount -t proc proc /proc",
			      "/proc/net/tcp cannot be read");
		return;
	}
	/* Without IPv6 there is no such file. */
	if (preflight_read("/proc/net/tcp6", &v6) != 0)
		cox_buf_clear(&v6);
	tables[0] = cox_buf_cstr(&v4);
	tables[1] = cox_buf_cstr(&v6);
	for (size_t i = 0; i < sizeof(wanted_ports) / sizeof(wanted_ports[0]); i++)
		check_port(preflight, tables, &wanted_ports[i]);
}
