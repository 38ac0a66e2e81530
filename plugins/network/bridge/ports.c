/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ports of the machine lead to which sandbox, on disk; see bridge.h. A
 * line of a file: protocol, port of the machine, port of the pod, and the
 * machine's address or "*".
 */
#include "bridge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { PORTS_MAX = 1000, LINE_SIZE = 128 };

static const struct {
	const char *name;
	unsigned char number;
} protocols[] = {{"TCP", IPPROTO_TCP}, {"UDP", IPPROTO_UDP}, {"SCTP", IPPROTO_SCTP}};

static int path_of(const struct bridge *bridge, const char *id, char *out, size_t room)
{
	int size = snprintf(out, room, "%s/ports/%s", bridge->directory, id);

	return size > 0 && (size_t)size < room ? 0 : -1;
}

static unsigned char protocol_number(const char *name)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(name, protocols[i].name) == 0)
			return protocols[i].number;
	return 0;
}

/* An address of the machine as a range of one; "" and the unspecified ones are all. */
static int parse_host(const char *text, struct bridge_address *out)
{
	static const unsigned char zero[16];

	*out = (struct bridge_address){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	if (!*text || strcmp(text, "*") == 0) {
		out->family = 0;
		return 0;
	}
	if (inet_pton(out->family, text, out->bytes) != 1)
		return -1;
	out->prefix = out->family == AF_INET ? 32 : 128;
	if (memcmp(out->bytes, zero, sizeof(zero)) == 0)
		out->family = 0;
	return 0;
}

static int write_lines(struct bridge *bridge, const struct cox_network_sandbox *sandbox,
		       struct cox_buf *out, struct cox_error *err)
{
	if (sandbox->port_count > PORTS_MAX)
		return bridge->host->fail(err, COX_REASON_INVALID, "more than %d host ports",
					  PORTS_MAX);
	for (size_t i = 0; i < sandbox->port_count; i++) {
		const struct cox_port_mapping *port = &sandbox->ports[i];
		const char *protocol = *port->protocol ? port->protocol : "TCP";
		struct bridge_address host;

		if (!port->host_port)
			continue;
		if (!protocol_number(protocol) || !port->container_port)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "host port %u: protocol \"%s\", port %u",
						  port->host_port, protocol, port->container_port);
		if (parse_host(port->host_ip, &host) != 0)
			return bridge->host->fail(err, COX_REASON_INVALID,
						  "host port %u: \"%s\" is no address",
						  port->host_port, port->host_ip);
		cox_buf_printf(out, "%s %u %u %s\n", protocol, port->host_port,
			       port->container_port, host.family ? port->host_ip : "*");
	}
	return 0;
}

int bridge_keep_ports(struct bridge *bridge, const struct cox_network_sandbox *sandbox,
		      struct cox_error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	cox_autobuf text = COX_BUF_INIT;
	cox_autoclose int fd = -1;

	if (write_lines(bridge, sandbox, &text, err) != 0)
		return -1;
	if (!text.size)
		return 0;
	if (strchr(sandbox->id, '/') || *sandbox->id == '.' ||
	    path_of(bridge, sandbox->id, path, sizeof(path)) != 0 ||
	    path_of(bridge, ".new", fresh, sizeof(fresh)) != 0)
		return bridge->host->fail(err, COX_REASON_INVALID,
					  "\"%.100s\" cannot be the name of a file", sandbox->id);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size || fdatasync(fd) != 0 ||
	    rename(fresh, path) != 0)
		return bridge_fail(bridge, err, "write %s", path);
	return 0;
}

bool bridge_forget_ports(struct bridge *bridge, const char *id)
{
	char path[PATH_MAX];

	return !strchr(id, '/') && path_of(bridge, id, path, sizeof(path)) == 0 &&
	       unlink(path) == 0;
}

int bridge_each_mapped(struct bridge *bridge, int (*found)(void *context, const char *id),
		       void *context, struct cox_error *err)
{
	char path[PATH_MAX];
	DIR *entries = path_of(bridge, "", path, sizeof(path)) == 0 ? opendir(path) : NULL;
	struct dirent *entry;

	if (!entries)
		return bridge_fail(bridge, err, "read %s/ports", bridge->directory);
	while ((entry = readdir(entries)))
		if (entry->d_name[0] != '.' && found(context, entry->d_name) != 0)
			break;
	closedir(entries);
	return 0;
}

/* ---- reading ---- */

struct reading {
	struct bridge *bridge;
	int (*found)(void *context, const struct bridge_port *port,
		     const struct bridge_address *pod);
	void *context;
	struct bridge_address pods[BRIDGE_FAMILIES];
	struct cox_error *err;
	bool failed;
};

static int take_pod(void *context, const char *text, const char *id)
{
	struct reading *reading = context;
	struct bridge_address pod = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	(void)id;
	if (inet_pton(pod.family, text, pod.bytes) == 1)
		reading->pods[pod.family == AF_INET ? 0 : 1] = pod;
	return 0;
}

static int read_line(struct reading *reading, const char *line)
{
	char protocol[8], host[INET6_ADDRSTRLEN];
	unsigned host_port, container_port;
	struct bridge_port port;

	if (sscanf(line, "%7s %u %u %45s", protocol, &host_port, &container_port, host) != 4 ||
	    !protocol_number(protocol) || !host_port || host_port > 65535 || !container_port ||
	    container_port > 65535 || parse_host(host, &port.host) != 0)
		return 0; /* not ours */
	port.protocol = protocol_number(protocol);
	port.host_port = (uint16_t)host_port;
	port.container_port = (uint16_t)container_port;
	for (int i = 0; i < BRIDGE_FAMILIES; i++)
		if (reading->pods[i].family &&
		    reading->found(reading->context, &port, &reading->pods[i]) != 0)
			return 1;
	return 0;
}

static int read_sandbox(void *context, const char *id)
{
	struct reading *reading = context;
	char path[PATH_MAX], line[LINE_SIZE];
	cox_autofclose FILE *file = NULL;

	memset(reading->pods, 0, sizeof(reading->pods));
	if (bridge_each_address(reading->bridge, id, take_pod, reading, reading->err) != 0) {
		reading->failed = true;
		return 1;
	}
	if (path_of(reading->bridge, id, path, sizeof(path)) == 0)
		file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (read_line(reading, line) != 0)
			return 1;
	return 0;
}

int bridge_each_port(struct bridge *bridge,
		     int (*found)(void *context, const struct bridge_port *port,
				  const struct bridge_address *pod),
		     void *context, struct cox_error *err)
{
	struct reading reading = {.bridge = bridge, .found = found, .context = context, .err = err};

	if (bridge_each_mapped(bridge, read_sandbox, &reading, err) != 0)
		return -1;
	return reading.failed ? -1 : 0;
}
