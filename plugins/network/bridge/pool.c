/* SPDX-License-Identifier: Apache-2.0 */
/* Which sandbox has which address, on disk; see bridge.h. */
#include "bridge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define ID_MAX 256

static int path_of(const struct bridge *bridge, const char *name, char *out, size_t room)
{
	int size = snprintf(out, room, "%s/addresses/%s", bridge->directory, name);

	return size > 0 && (size_t)size < room ? 0 : -1;
}

static bool read_owner(const struct bridge *bridge, const char *name, char owner[ID_MAX])
{
	char path[PATH_MAX];
	cox_autoclose int fd = -1;
	ssize_t got;

	if (path_of(bridge, name, path, sizeof(path)) != 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	got = fd >= 0 ? read(fd, owner, ID_MAX - 1) : -1;
	owner[got > 0 ? got : 0] = '\0';
	return got > 0;
}

int bridge_each_address(struct bridge *bridge, const char *id,
			int (*found)(void *context, const char *address, const char *id),
			void *context, struct cox_error *err)
{
	char path[PATH_MAX], owner[ID_MAX];
	DIR *entries = path_of(bridge, "", path, sizeof(path)) == 0 ? opendir(path) : NULL;
	struct dirent *entry;

	if (!entries)
		return bridge_fail(bridge, err, "read %s/addresses", bridge->directory);
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || !read_owner(bridge, entry->d_name, owner) ||
		    (id && strcmp(owner, id) != 0))
			continue;
		if (found(context, entry->d_name, owner) != 0)
			break;
	}
	closedir(entries);
	return 0;
}

/* Writes the id into a file without a name, which link() then gives one. */
static int prepare(struct bridge *bridge, const char *id, char *path, size_t room,
		   struct cox_error *err)
{
	cox_autoclose int fd = -1;
	ssize_t size = (ssize_t)strlen(id);

	if (size >= ID_MAX || path_of(bridge, ".new", path, room) != 0)
		return bridge->host->fail(err, COX_REASON_INVALID, "the sandbox's id is too long");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, id, (size_t)size) != size || fdatasync(fd) != 0)
		return bridge_fail(bridge, err, "write %s", path);
	return 0;
}

int bridge_take_address(struct bridge *bridge, int which, const char *id,
			struct bridge_address *out, struct cox_error *err)
{
	const struct bridge_address *range = &bridge->ranges[which];
	unsigned bits = (unsigned)bridge_address_size(range) * 8 - range->prefix;
	/* Of a large network the first 2^20 are enough. The last of IPv4 is broadcast. */
	uint32_t count = 1u << (bits > 20 ? 20 : bits);
	uint32_t end = range->family == AF_INET && bits <= 20 ? count - 1 : count;
	char fresh[PATH_MAX], path[PATH_MAX], text[INET6_ADDRSTRLEN];
	int result = -1;

	if (prepare(bridge, id, fresh, sizeof(fresh), err) != 0)
		return -1;
	/* 0 is the network itself, 1 the bridge. */
	for (uint32_t tries = 2; tries < end; tries++) {
		uint32_t host = bridge->last[which] + 1;

		bridge->last[which] = host = host < 2 || host >= end ? 2 : host;
		*out = bridge_host(range, host);
		bridge_format(out, text);
		if (path_of(bridge, text, path, sizeof(path)) == 0 && link(fresh, path) == 0) {
			result = 0;
			break;
		}
		if (errno != EEXIST) {
			bridge_fail(bridge, err, "write %s", path);
			unlink(fresh);
			return -1;
		}
	}
	unlink(fresh);
	if (result != 0) {
		bridge_format(range, text);
		return bridge->host->fail(err, COX_REASON_SERVICE_UNAVAILABLE,
					  "no address is free in %s/%u", text, range->prefix);
	}
	return 0;
}

static int release_one(void *context, const char *address, const char *id)
{
	struct bridge *bridge = context;
	char path[PATH_MAX];

	(void)id;
	if (path_of(bridge, address, path, sizeof(path)) == 0)
		unlink(path);
	return 0;
}

int bridge_release(struct bridge *bridge, const char *id, struct cox_error *err)
{
	return bridge_each_address(bridge, id, release_one, bridge, err);
}
