/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a container's first process is: the pod's security context, else the
 * image's USER ("name", "1000", "name:group", "1000:1000"). Names are looked
 * up in the image's own /etc/passwd and /etc/group, which are opened inside
 * the root file system: no link in the image leads out of it.
 */
#include "oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DATABASE_MAX (1u << 20)

/* The text of a file in the image; "" if there is none. */
static char *read_inside(const char *rootfs, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	cox_autoclose int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cox_autoclose int fd = -1;
	cox_autobuf buf = COX_BUF_INIT;
	struct stat info;

	if (root >= 0)
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
	    info.st_size > DATABASE_MAX)
		return cox_strdup("");
	for (;;) {
		ssize_t n = read(fd, cox_buf_reserve(&buf, 4096), 4096);

		if (n <= 0 || buf.size > DATABASE_MAX)
			break;
		cox_buf_added(&buf, (size_t)n);
	}
	return cox_buf_steal(&buf);
}

/* Cuts `line` at its colons; returns how many fields there are. */
static size_t split(char *line, char *fields[], size_t most)
{
	size_t count = 0;

	while (count < most) {
		char *colon = strchr(line, ':');

		fields[count++] = line;
		if (!colon)
			break;
		*colon = '\0';
		line = colon + 1;
	}
	return count;
}

static int parse_id(const char *text, int64_t *id)
{
	return cox_parse_int(text, 0, INT32_MAX, id);
}

/* Finds by name (`wanted` not NULL) or by number; fills gid, home and the name. */
static bool find_passwd(const char *database, const char *wanted, struct oci_user *user,
			char name[64], int64_t *group)
{
	cox_autofree char *text = cox_strdup(database);
	char *rest = text;

	for (char *line; (line = oci_next_line(&rest));) {
		char *fields[7];
		int64_t uid, gid;

		if (split(line, fields, 7) < 6 || parse_id(fields[2], &uid) != 0 ||
		    parse_id(fields[3], &gid) != 0)
			continue;
		if (wanted ? strcmp(fields[0], wanted) != 0 : uid != user->uid)
			continue;
		user->uid = uid;
		*group = gid;
		snprintf(user->home, sizeof(user->home), "%s", fields[5]);
		snprintf(name, 64, "%s", fields[0]);
		return true;
	}
	return false;
}

static void add_group(struct oci_user *user, int64_t gid)
{
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return;
	if (user->group_count < sizeof(user->groups) / sizeof(user->groups[0]))
		user->groups[user->group_count++] = gid;
}

static bool is_member(const char *members, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = members; *at;) {
		size_t length = strcspn(at, ",");

		if (length == size && strncmp(at, name, size) == 0)
			return true;
		at += length + (at[length] == ',');
	}
	return false;
}

/* Adds the groups that list `member`; finds the number of the group `wanted`. */
static bool walk_groups(const char *database, const char *member, const char *wanted,
			struct oci_user *user)
{
	cox_autofree char *text = cox_strdup(database);
	char *rest = text;

	for (char *line; (line = oci_next_line(&rest));) {
		char *fields[4];
		int64_t gid;

		if (split(line, fields, 4) < 4 || parse_id(fields[2], &gid) != 0)
			continue;
		if (member && is_member(fields[3], member))
			add_group(user, gid);
		if (wanted && strcmp(fields[0], wanted) == 0) {
			user->gid = gid;
			return true;
		}
	}
	return false;
}

int oci_find_user(struct oci *oci, const char *rootfs, const struct cox_security *security,
		  const char *image_user, struct oci_user *user, struct cox_error *err)
{
	cox_autofree char *passwd = read_inside(rootfs, "/etc/passwd");
	cox_autofree char *groups = read_inside(rootfs, "/etc/group");
	cox_autofree char *spec = cox_strdup(image_user);
	char *group = strchr(spec, ':'), name[64] = "";
	int64_t primary = 0;
	bool known;

	*user = (struct oci_user){.home = "/"};
	if (group)
		*group++ = '\0';
	if (security && security->run_as_user >= 0) {
		user->uid = security->run_as_user;
		known = find_passwd(passwd, NULL, user, name, &primary);
		group = NULL;
	} else {
		const char *wanted =
			security && *security->run_as_username ? security->run_as_username : spec;

		if (wanted != spec)
			group = NULL;
		known = !*wanted || parse_id(wanted, &user->uid) == 0
				? find_passwd(passwd, NULL, user, name, &primary)
				: find_passwd(passwd, wanted, user, name, &primary);
		if (!known && *wanted && parse_id(wanted, &user->uid) != 0)
			return oci->host->fail(err, COX_REASON_INVALID,
					       "user \"%s\" is not in the image's /etc/passwd",
					       wanted);
	}
	user->gid = primary;
	if (security && security->run_as_group >= 0)
		user->gid = security->run_as_group;
	else if (group && *group && parse_id(group, &user->gid) != 0 &&
		 !walk_groups(groups, NULL, group, user))
		return oci->host->fail(err, COX_REASON_INVALID,
				       "group \"%s\" is not in the image's /etc/group", group);
	for (size_t i = 0; security && i < security->supplemental_groups.count; i++)
		add_group(user, security->supplemental_groups.items[i]);
	if (known && !(security && security->strict_groups))
		walk_groups(groups, name, NULL, user);
	return 0;
}

int oci_signal_number(const char *name)
{
	int64_t number;

	if (cox_parse_int(name, 1, SIGRTMAX, &number) == 0)
		return (int)number;
	if (cox_starts_with(name, "SIG"))
		name += 3;
	if (cox_starts_with(name, "RTMIN"))
		return cox_parse_int(name + 5 + (name[5] == '+'), 1, 30, &number) == 0
			       ? SIGRTMIN + (int)number
			       : SIGRTMIN;
	for (int i = 1; i < SIGSYS + 1; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}
