/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default system call filter of containers that are not privileged: what
 * reaches the kernel as a whole, not the container, is refused with EPERM
 * (clone3 with ENOSYS, so that the C library falls back to clone, whose flags
 * can be looked at). Everything else is allowed, so that a program does not
 * break because it is newer than this list.
 */
#include "oci.h"

#include <errno.h>
#include <sched.h>

/* Refused whatever capabilities the container has. */
static const char *const never[] = {"acct",
				    "add_key",
				    "bpf",
				    "create_module",
				    "delete_module",
				    "finit_module",
				    "get_kernel_syms",
				    "init_module",
				    "io_uring_enter",
				    "io_uring_register",
				    "io_uring_setup",
				    "ioperm",
				    "iopl",
				    "kcmp",
				    "kexec_file_load",
				    "kexec_load",
				    "keyctl",
				    "lookup_dcookie",
				    "move_pages",
				    "nfsservctl",
				    "open_by_handle_at",
				    "perf_event_open",
				    "query_module",
				    "quotactl",
				    "quotactl_fd",
				    "reboot",
				    "request_key",
				    "swapoff",
				    "swapon",
				    "_sysctl",
				    "sysfs",
				    "userfaultfd",
				    "uselib",
				    "ustat",
				    "vm86",
				    "vm86old",
				    "vserver"};

/* Refused without CAP_SYS_ADMIN, which a container can be given. */
static const char *const admin[] = {"fsconfig",	  "fsmount",	   "fsopen",	  "fspick",
				    "mount",	  "mount_setattr", "move_mount",  "open_tree",
				    "pivot_root", "setdomainname", "sethostname", "setns",
				    "umount",	  "umount2",	   "unshare"};

/* Refused always: a container has no clock of its own. */
static const char *const clocks[] = {
	"clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64",
	"adjtimex",	 "settimeofday",    "stime"};

static void add_rule(struct json_object *rules, const char *const *names, size_t count, int number,
		     struct json_object *arguments)
{
	struct json_object *rule = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	json_object_object_add(rule, "names", list);
	json_object_object_add(rule, "action", json_object_new_string("SCMP_ACT_ERRNO"));
	json_object_object_add(rule, "errnoRet", json_object_new_int(number));
	if (arguments)
		json_object_object_add(rule, "args", arguments);
	json_object_array_add(rules, rule);
}

/* Matches clone whose flags have `flag`. */
static struct json_object *flag_argument(int64_t flag)
{
	struct json_object *list = json_object_new_array(), *one = json_object_new_object();

#ifdef __s390x__
	json_object_object_add(one, "index", json_object_new_int(1));
#else
	json_object_object_add(one, "index", json_object_new_int(0));
#endif
	json_object_object_add(one, "value", json_object_new_int64(flag));
	json_object_object_add(one, "valueTwo", json_object_new_int64(flag));
	json_object_object_add(one, "op", json_object_new_string("SCMP_CMP_MASKED_EQ"));
	json_object_array_add(list, one);
	return list;
}

#define ALL(names) names, sizeof(names) / sizeof((names)[0])

struct json_object *oci_seccomp(bool sys_admin)
{
	static const int64_t flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					CLONE_NEWUSER, CLONE_NEWPID,	CLONE_NEWNET};
	static const char *const clone_name[] = {"clone"}, *const clone3_name[] = {"clone3"};
	struct json_object *profile = json_object_new_object(), *rules = json_object_new_array();

	json_object_object_add(profile, "defaultAction", json_object_new_string("SCMP_ACT_ALLOW"));
	add_rule(rules, ALL(never), EPERM, NULL);
	add_rule(rules, ALL(clocks), EPERM, NULL);
	if (!sys_admin) {
		add_rule(rules, ALL(admin), EPERM, NULL);
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			add_rule(rules, ALL(clone_name), EPERM, flag_argument(flags[i]));
		add_rule(rules, ALL(clone3_name), ENOSYS, NULL);
	}
	json_object_object_add(profile, "syscalls", rules);
	return profile;
}
