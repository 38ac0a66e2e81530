/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up rights; see the header. The filter is a list of calls that are denied (seccomp(2)). */
#include "base/confine.h"

#include "config.h" /* COX_SANITIZED */

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

int confine_find_user(const char *name, uid_t *user, gid_t *group, struct cox_error *err)
{
	char texts[4096];
	struct passwd entry, *found = NULL;
	int failure = getpwnam_r(name, &entry, texts, sizeof(texts), &found);

	if (failure)
		return error_errno(err, failure, "look up the user \"%s\"", name);
	if (!found)
		return error_set(err, COX_REASON_NOT_FOUND, "there is no user \"%s\"", name);
	*user = found->pw_uid;
	*group = found->pw_gid;
	return 0;
}

int confine_to_user(uid_t user, gid_t group, struct cox_error *err)
{
	if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
	    setresuid(user, user, user) != 0)
		return error_errno(err, errno, "become the user %u", (unsigned)user);
	/* Leaving root has dropped the capabilities; this must be so. */
	if (user != 0 && setresuid(0, 0, 0) == 0)
		return error_set(err, COX_REASON_INTERNAL_ERROR,
				 "root's rights could not be given up");
	return 0;
}

#ifdef OWN_ARCHITECTURE

static const uint32_t denied[] = {
#ifndef COX_SANITIZED /* its leak checker looks at the process by this call */
	SYS_ptrace,
#endif
	SYS_execve,
	SYS_execveat,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_unshare,
	SYS_setns,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_userfaultfd};

enum { DENIED_COUNT = sizeof(denied) / sizeof(denied[0]) };

int confine_calls(struct cox_error *err)
{
	struct sock_filter filter[DENIED_COUNT + 6];
	struct sock_fprog program = {.filter = filter};
	unsigned short n = 0;

	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, arch));
	/* A call of another architecture has other numbers: none is needed. */
	filter[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < DENIED_COUNT; i++)
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i],
							   (unsigned char)(DENIED_COUNT - i), 0);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		return error_errno(err, errno, "give up system calls that are not needed");
	return 0;
}

#else

int confine_calls(struct cox_error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, errno, "give up system calls that are not needed");
	return 0;
}

#endif
